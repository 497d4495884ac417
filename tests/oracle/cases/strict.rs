//! What X509_STRICT asks for on top.

use super::super::forge::{Certificate, intermediate, leaf, root};
use super::{Case, case};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = of_leaf();
    cases.extend(of_cas());
    cases.into_iter().map(Case::strictly).collect()
}

fn of_leaf() -> Vec<Case> {
    let nameless = leaf().named("/");
    let server = "DNS:server1.example.com";
    vec![
        case("a_leaf_of_the_form_of_rfc_5280_is_strictly_accepted"),
        case("a_missing_aki_is_strictly_refused")
            .leaf(leaf().without("authorityKeyIdentifier"))
            .refused("aki-missing", 0),
        case("a_missing_ski_of_a_leaf_is_strictly_accepted")
            .leaf(leaf().without("subjectKeyIdentifier")),
        case("missing_basic_constraints_of_a_leaf_are_strictly_accepted")
            .leaf(leaf().without("basicConstraints")),
        case("a_leaf_without_key_usage_is_strictly_accepted").leaf(leaf().without("keyUsage")),
        case("an_empty_subject_with_a_critical_san_and_no_key_usage_is_strictly_accepted").leaf(
            nameless
                .clone()
                .with("subjectAltName", "critical,DNS:server1.example.com")
                .without("keyUsage"),
        ),
        case("key_cert_sign_on_a_leaf_is_strictly_refused")
            .leaf(leaf().with("keyUsage", "critical,digitalSignature,keyCertSign"))
            .refused("cert-sign-without-ca", 0),
        case("an_empty_subject_with_a_critical_san_is_strictly_accepted").leaf(
            nameless
                .clone()
                .with("subjectAltName", "critical,DNS:server1.example.com"),
        ),
        case("an_empty_subject_with_a_san_that_is_not_critical_is_strictly_refused")
            .leaf(nameless.clone().with("subjectAltName", server))
            .refused("san-not-critical", 0),
        case("an_empty_subject_without_a_san_is_strictly_refused")
            .leaf(nameless.without("subjectAltName"))
            .refused("subject-empty", 0),
        case("a_critical_aki_is_strictly_refused")
            .leaf(leaf().with("authorityKeyIdentifier", "critical,keyid"))
            .refused("critical-extension", 0),
        case("a_critical_ski_is_strictly_refused")
            .leaf(leaf().with("subjectKeyIdentifier", "critical,hash"))
            .refused("critical-extension", 0),
        case("a_client_auth_only_leaf_is_strictly_refused")
            .leaf(leaf().with("extendedKeyUsage", "clientAuth"))
            .refused("unsuitable-purpose", 0),
    ]
}

fn of_cas() -> Vec<Case> {
    vec![
        under(
            "a_missing_ski_of_a_root_is_strictly_refused",
            root().without("subjectKeyIdentifier"),
        )
        .refused("ski-missing", 1),
        under("a_missing_aki_of_a_root_is_strictly_accepted", root()),
        below(
            "a_missing_ski_of_an_intermediate_is_strictly_refused",
            intermediate().without("subjectKeyIdentifier"),
        )
        .refused("ski-missing", 1),
        below(
            "a_missing_aki_of_an_intermediate_is_strictly_refused",
            intermediate().without("authorityKeyIdentifier"),
        )
        .refused("aki-missing", 1),
        under(
            "basic_constraints_that_are_not_critical_are_strictly_refused",
            root().with("basicConstraints", "CA:TRUE"),
        )
        .refused("basic-constraints-not-critical", 1),
        under(
            "a_root_without_key_usage_is_strictly_refused",
            root().without("keyUsage"),
        )
        .refused("key-usage-missing", 1),
        under(
            "a_path_length_without_key_usage_is_strictly_refused",
            root()
                .with("basicConstraints", "critical,CA:TRUE,pathlen:1")
                .without("keyUsage"),
        )
        .refused("path-length-without-cert-sign", 1),
        under(
            "a_path_length_without_key_cert_sign_is_strictly_refused",
            root()
                .with("basicConstraints", "critical,CA:TRUE,pathlen:1")
                .with("keyUsage", "critical,cRLSign"),
        )
        .refused("not-a-ca", 1),
        under(
            "a_root_without_basic_constraints_is_strictly_refused",
            root().without("basicConstraints"),
        )
        .refused("not-a-ca", 1),
        under(
            "a_root_of_version_1_is_strictly_refused",
            root().version_1(),
        )
        .refused("not-a-ca", 1),
        case("a_path_length_on_what_is_no_ca_is_strictly_refused")
            .leaf(leaf().with("basicConstraints", "critical,CA:FALSE,pathlen:0"))
            .refused("path-length-without-ca", 0),
    ]
}

/// [`leaf`] below another intermediate, of the key and name of [`intermediate`].
fn below(name: &'static str, other: Certificate) -> Case {
    case(name).leaf(leaf().by(&intermediate())).sent([other])
}

/// [`leaf`] below another root, of the key and name of [`root`].
fn under(name: &'static str, other: Certificate) -> Case {
    case(name).trusted([other])
}
