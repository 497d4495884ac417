//! `verifyhost`, and what strict verifiers make of names.

use super::super::forge::{Certificate, leaf, root};
use super::{Case, case};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = of_haproxy();
    cases.extend(beside_other_problems());
    cases.extend(of_strict_verifiers());
    cases
}

fn with(alt_names: &'static str) -> Certificate {
    leaf().with("subjectAltName", alt_names)
}

fn of_haproxy() -> Vec<Case> {
    let table: [(&str, Certificate, &str, bool); 25] = [
        (
            "a_name_of_the_certificate_is_accepted",
            leaf(),
            "server1.example.com",
            true,
        ),
        (
            "another_name_is_refused",
            leaf(),
            "server2.example.com",
            false,
        ),
        (
            "a_name_in_other_case_is_accepted",
            leaf(),
            "SERVER1.Example.COM",
            true,
        ),
        (
            "a_san_in_other_case_is_accepted",
            with("DNS:SERVER1.example.com"),
            "server1.example.com",
            true,
        ),
        (
            "the_second_name_is_accepted",
            with("DNS:a.example.com,DNS:b.example.com"),
            "b.example.com",
            true,
        ),
        (
            "a_common_name_beside_a_san_is_accepted",
            leaf().named("/CN=cn.example.com"),
            "cn.example.com",
            true,
        ),
        (
            "the_second_common_name_is_accepted",
            leaf().named("/CN=a.example.com/CN=b.example.com"),
            "b.example.com",
            true,
        ),
        (
            "a_common_name_without_a_san_is_accepted",
            leaf().named("/CN=cn.example.com").without("subjectAltName"),
            "cn.example.com",
            true,
        ),
        (
            "a_wildcard_for_a_whole_label_is_accepted",
            with("DNS:*.example.com"),
            "server1.example.com",
            true,
        ),
        (
            "a_wildcard_does_not_span_labels",
            with("DNS:*.example.com"),
            "a.server1.example.com",
            false,
        ),
        (
            "a_wildcard_does_not_stand_for_the_parent",
            with("DNS:*.example.com"),
            "example.com",
            false,
        ),
        (
            "a_partial_wildcard_inside_a_label_is_accepted",
            with("DNS:s*1.example.com"),
            "server1.example.com",
            true,
        ),
        (
            "a_partial_wildcard_stands_for_nothing_too",
            with("DNS:s*1.example.com"),
            "s1.example.com",
            true,
        ),
        (
            "a_partial_wildcard_of_another_label_is_refused",
            with("DNS:s*2.example.com"),
            "server1.example.com",
            false,
        ),
        (
            "two_wildcards_are_refused",
            with("DNS:*e*.example.com"),
            "server1.example.com",
            false,
        ),
        (
            "a_wildcard_in_the_second_label_is_refused",
            with("DNS:server1.*.com"),
            "server1.example.com",
            false,
        ),
        (
            "a_wildcard_below_a_top_level_domain_is_accepted",
            with("DNS:*.com"),
            "example.com",
            true,
        ),
        (
            "a_wildcard_alone_is_refused",
            with("DNS:*"),
            "localhost",
            false,
        ),
        (
            "a_wildcard_in_a_common_name_is_accepted",
            leaf().named("/CN=*.example.com"),
            "server7.example.com",
            true,
        ),
        (
            "an_address_in_the_san_is_refused_as_a_name",
            with("IP:10.0.0.1"),
            "10.0.0.1",
            false,
        ),
        (
            "an_address_as_a_dns_name_is_accepted",
            with("DNS:10.0.0.1"),
            "10.0.0.1",
            true,
        ),
        (
            "an_address_as_a_common_name_is_accepted",
            leaf().named("/CN=10.0.0.1"),
            "10.0.0.1",
            true,
        ),
        (
            "a_trailing_dot_in_the_san_is_refused",
            with("DNS:server1.example.com."),
            "server1.example.com",
            false,
        ),
        (
            "a_trailing_dot_in_the_wanted_name_is_refused",
            leaf(),
            "server1.example.com.",
            false,
        ),
        (
            "an_email_address_is_no_host_name",
            with("email:server1.example.com"),
            "server1.example.com",
            false,
        ),
    ];
    let judged = |(name, leaf, host, is_accepted)| {
        let case = case(name).leaf(leaf).host(host);
        if is_accepted {
            case
        } else {
            case.refused("host-mismatch", 0)
        }
    };
    table.into_iter().map(judged).collect()
}

/// HAProxy compares names after most of OpenSSL's rules, and before name constraints.
fn beside_other_problems() -> Vec<Case> {
    let elsewhere = |name| case(name).host("server2.example.com");
    let constrained = root().with("nameConstraints", "critical,permitted;DNS:example.net");
    vec![
        elsewhere("an_expired_leaf_of_another_name_is_refused_for_its_date")
            .leaf(leaf().not_after(-1))
            .refused("expired", 0),
        elsewhere("a_leaf_of_another_name_and_purpose_is_refused_for_its_purpose")
            .leaf(leaf().with("extendedKeyUsage", "clientAuth"))
            .refused("unsuitable-purpose", 0),
        elsewhere("a_leaf_of_another_name_and_a_foreign_ca_is_refused_for_its_ca")
            .leaf(leaf().by(&root().named("/CN=stranger").key("p256-stranger")))
            .refused("issuer-missing", 0),
        elsewhere("a_leaf_of_another_name_against_name_constraints_is_refused_for_its_name")
            .leaf(leaf().by(&constrained))
            .trusted([constrained])
            .refused("host-mismatch", 0),
        elsewhere("an_expired_leaf_of_another_name_is_strictly_refused_for_its_name")
            .leaf(leaf().not_after(-1))
            .strictly()
            .refused("host-mismatch", 0),
    ]
}

fn of_strict_verifiers() -> Vec<Case> {
    let strictly = |name, leaf, host| case(name).leaf(leaf).host(host).strictly();
    let mismatch = |case: Case| case.refused("host-mismatch", 0);
    vec![
        strictly(
            "a_name_of_the_certificate_is_strictly_accepted",
            leaf(),
            "server1.EXAMPLE.com",
        ),
        mismatch(strictly(
            "another_name_is_strictly_refused",
            leaf(),
            "server2.example.com",
        )),
        mismatch(strictly(
            "a_common_name_beside_a_san_is_strictly_refused",
            leaf().named("/CN=cn.example.com"),
            "cn.example.com",
        )),
        strictly(
            "a_common_name_without_a_san_is_strictly_accepted",
            leaf().named("/CN=cn.example.com").without("subjectAltName"),
            "cn.example.com",
        ),
        strictly(
            "a_common_name_beside_an_address_is_strictly_accepted",
            with("IP:10.0.0.1").named("/CN=cn.example.com"),
            "cn.example.com",
        ),
        mismatch(strictly(
            "a_partial_wildcard_inside_a_label_is_strictly_refused",
            with("DNS:s*1.example.com"),
            "server1.example.com",
        )),
        strictly(
            "a_wildcard_at_the_end_of_a_label_is_strictly_accepted",
            with("DNS:s*.example.com"),
            "server1.example.com",
        ),
        mismatch(strictly(
            "a_wildcard_below_a_top_level_domain_is_strictly_refused",
            with("DNS:*.com"),
            "example.com",
        )),
        mismatch(strictly(
            "a_trailing_dot_in_the_san_is_strictly_refused",
            with("DNS:server1.example.com."),
            "server1.example.com",
        )),
    ]
}
