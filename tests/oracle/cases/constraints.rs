//! Name constraints on host names, common names, addresses, e-mail addresses and directory names.

use super::super::forge::{Certificate, intermediate, leaf, root};
use super::{Case, case};

const DNS: &str = "critical,permitted;DNS:example.com";
const NOT_DNS: &str = "critical,excluded;DNS:example.com";
const IP: &str = "critical,permitted;IP:10.0.0.0/255.0.0.0";
const NOT_IP: &str = "critical,excluded;IP:10.0.0.0/255.0.0.0";
const EMAIL: &str = "critical,permitted;email:example.com";
const DIRECTORY: &str = "critical,permitted;dirName:within_example_inc";
const NOT_DIRECTORY: &str = "critical,excluded;dirName:within_example_inc";

pub(super) fn cases() -> Vec<Case> {
    let named = |alt_names| leaf().with("subjectAltName", alt_names);
    let nameless = |subject| leaf().named(subject).without("subjectAltName");
    let not_permitted = |case: Case| case.refused("name-not-permitted", 0);
    let excluded = |case: Case| case.refused("name-excluded", 0);
    vec![
        under("a_permitted_host_name_is_accepted", DNS, leaf()),
        under(
            "the_permitted_domain_itself_is_accepted",
            DNS,
            named("DNS:example.com"),
        ),
        under(
            "a_permitted_host_name_in_other_case_is_accepted",
            DNS,
            named("DNS:a.EXAMPLE.com"),
        ),
        not_permitted(under(
            "another_domain_is_not_permitted",
            DNS,
            named("DNS:a.example.net"),
        )),
        not_permitted(under(
            "a_domain_with_the_same_end_is_not_permitted",
            DNS,
            named("DNS:badexample.com"),
        )),
        not_permitted(under(
            "one_of_two_host_names_is_not_permitted",
            DNS,
            named("DNS:a.example.com,DNS:a.example.net"),
        )),
        under(
            "a_wildcard_in_the_permitted_domain_is_accepted",
            DNS,
            named("DNS:*.example.com"),
        ),
        excluded(under("an_excluded_host_name_is_refused", NOT_DNS, leaf())),
        under(
            "a_host_name_that_is_not_excluded_is_accepted",
            NOT_DNS,
            named("DNS:a.example.net"),
        ),
        not_permitted(under(
            "a_common_name_that_looks_like_a_host_is_not_permitted",
            DNS,
            nameless("/CN=a.example.net"),
        )),
        under(
            "a_common_name_that_is_a_permitted_host_is_accepted",
            DNS,
            nameless("/CN=a.example.com"),
        ),
        under(
            "a_common_name_of_one_label_is_no_host",
            DNS,
            nameless("/CN=server1"),
        ),
        under(
            "a_common_name_with_a_blank_is_no_host",
            DNS,
            nameless("/CN=my server.example.net"),
        ),
        under(
            "a_common_name_is_no_host_beside_a_host_name",
            DNS,
            leaf().named("/CN=a.example.net"),
        ),
        not_permitted(under(
            "a_common_name_is_a_host_beside_an_address",
            DNS,
            named("IP:10.0.0.1").named("/CN=a.example.net"),
        )),
        under(
            "an_address_is_free_under_a_constraint_on_host_names",
            DNS,
            named("IP:192.0.2.1"),
        ),
        under(
            "a_permitted_address_is_accepted",
            IP,
            named("IP:10.255.0.1"),
        ),
        not_permitted(under(
            "another_address_is_not_permitted",
            IP,
            named("IP:11.0.0.1"),
        )),
        not_permitted(under(
            "an_address_of_version_6_is_not_permitted",
            IP,
            named("IP:fd00::1"),
        )),
        excluded(under(
            "an_excluded_address_is_refused",
            NOT_IP,
            named("IP:10.0.0.1"),
        )),
        under(
            "a_permitted_email_address_is_accepted",
            EMAIL,
            named("email:a@example.com"),
        ),
        not_permitted(under(
            "another_email_address_is_not_permitted",
            EMAIL,
            named("email:a@b.example.com"),
        )),
        not_permitted(under(
            "another_email_address_in_the_subject_is_not_permitted",
            EMAIL,
            leaf().named("/CN=leaf/emailAddress=a@example.net"),
        )),
        under(
            "a_permitted_directory_name_is_accepted",
            DIRECTORY,
            leaf().named("/O=Example Inc/CN=leaf"),
        ),
        under(
            "a_permitted_directory_name_in_other_case_is_accepted",
            DIRECTORY,
            leaf().named("/O=EXAMPLE inc/CN=leaf"),
        ),
        not_permitted(under(
            "another_directory_name_is_not_permitted",
            DIRECTORY,
            leaf().named("/O=Other/CN=leaf"),
        )),
        excluded(under(
            "an_excluded_directory_name_is_refused",
            NOT_DIRECTORY,
            leaf().named("/O=Example Inc/CN=leaf"),
        )),
        not_permitted(under(
            "a_host_name_that_is_not_permitted_is_refused_though_it_is_the_right_one",
            DNS,
            named("DNS:a.example.net"),
        ))
        .host("a.example.net"),
        through(
            "constraints_of_a_root_bind_below_an_intermediate",
            DNS,
            named("DNS:a.example.net"),
        )
        .refused("name-not-permitted", 0),
        through(
            "constraints_of_a_root_are_kept_below_an_intermediate",
            DNS,
            leaf(),
        ),
    ]
}

fn under(name: &'static str, constraints: &'static str, leaf: Certificate) -> Case {
    let root = root().with("nameConstraints", constraints);
    case(name).leaf(leaf.by(&root)).trusted([root])
}

fn through(name: &'static str, constraints: &'static str, leaf: Certificate) -> Case {
    let root = root().with("nameConstraints", constraints);
    let intermediate = intermediate().by(&root);
    case(name)
        .leaf(leaf.by(&intermediate))
        .sent([intermediate])
        .trusted([root])
}
