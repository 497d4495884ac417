//! extendedKeyUsage, keyUsage, CA or not, path length, and critical extensions that nobody knows.

use super::super::forge::{Certificate, intermediate, leaf, root};
use super::{Case, case};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = purposes();
    cases.extend(key_usages());
    cases.extend(authorities());
    cases.extend(path_lengths());
    cases
}

fn purposes() -> Vec<Case> {
    let usage = |value| leaf().with("extendedKeyUsage", value);
    let ca_usage = |value| intermediate().with("extendedKeyUsage", value);
    vec![
        case("a_leaf_without_eku_is_accepted").leaf(leaf().without("extendedKeyUsage")),
        case("a_leaf_with_server_auth_is_accepted").leaf(usage("serverAuth")),
        case("a_leaf_with_both_purposes_is_accepted").leaf(usage("serverAuth,clientAuth")),
        case("a_leaf_with_server_gated_crypto_is_accepted").leaf(usage("msSGC")),
        case("a_leaf_with_client_auth_only_is_refused")
            .leaf(usage("clientAuth"))
            .refused("unsuitable-purpose", 0),
        case("a_leaf_with_client_auth_only_and_the_right_name_is_refused")
            .leaf(usage("clientAuth"))
            .host("server1.example.com")
            .refused("unsuitable-purpose", 0),
        case("a_leaf_with_any_extended_key_usage_only_is_refused")
            .leaf(usage("anyExtendedKeyUsage"))
            .refused("unsuitable-purpose", 0),
        case("a_client_without_eku_is_accepted")
            .leaf(leaf().without("extendedKeyUsage"))
            .by_a_server(),
        case("a_client_with_client_auth_is_accepted")
            .leaf(usage("clientAuth"))
            .by_a_server(),
        case("a_client_with_server_auth_only_is_refused")
            .leaf(usage("serverAuth"))
            .by_a_server()
            .refused("unsuitable-purpose", 0),
        case("a_client_with_any_extended_key_usage_only_is_refused")
            .leaf(usage("anyExtendedKeyUsage"))
            .by_a_server()
            .refused("unsuitable-purpose", 0),
        below("a_ca_with_server_auth_is_accepted", ca_usage("serverAuth")),
        below(
            "a_ca_with_client_auth_only_is_refused",
            ca_usage("clientAuth"),
        )
        .refused("unsuitable-purpose", 1),
        below(
            "a_ca_with_any_extended_key_usage_only_is_refused",
            ca_usage("anyExtendedKeyUsage"),
        )
        .refused("unsuitable-purpose", 1),
        under(
            "a_root_with_client_auth_only_is_refused",
            root().with("extendedKeyUsage", "clientAuth"),
        )
        .refused("unsuitable-purpose", 1),
    ]
}

fn key_usages() -> Vec<Case> {
    let server = |value| leaf().with("keyUsage", value);
    let client = |value| server(value).with("extendedKeyUsage", "clientAuth");
    vec![
        case("a_leaf_without_key_usage_is_accepted").leaf(leaf().without("keyUsage")),
        case("a_leaf_with_key_encipherment_only_is_accepted")
            .leaf(server("critical,keyEncipherment")),
        case("a_leaf_with_key_agreement_only_is_accepted").leaf(server("critical,keyAgreement")),
        case("a_leaf_with_non_repudiation_only_is_refused")
            .leaf(server("critical,nonRepudiation"))
            .refused("unsuitable-purpose", 0),
        case("a_leaf_with_data_encipherment_only_is_refused_though_it_is_not_critical")
            .leaf(server("dataEncipherment"))
            .refused("unsuitable-purpose", 0),
        case("a_leaf_with_key_cert_sign_beside_digital_signature_is_accepted")
            .leaf(server("critical,digitalSignature,keyCertSign")),
        case("a_client_with_digital_signature_is_accepted")
            .leaf(client("critical,digitalSignature"))
            .by_a_server(),
        case("a_client_with_key_agreement_only_is_accepted")
            .leaf(client("critical,keyAgreement"))
            .by_a_server(),
        case("a_client_with_key_encipherment_only_is_refused")
            .leaf(client("critical,keyEncipherment"))
            .by_a_server()
            .refused("unsuitable-purpose", 0),
        case("a_client_without_key_usage_is_accepted")
            .leaf(client("critical,digitalSignature").without("keyUsage"))
            .by_a_server(),
    ]
}

fn authorities() -> Vec<Case> {
    let v1_root = root().version_1();
    let bare = intermediate().without("basicConstraints");
    let bare_root = root().without("basicConstraints");
    vec![
        below(
            "an_intermediate_that_is_no_ca_is_refused",
            intermediate().with("basicConstraints", "CA:FALSE"),
        )
        .refused("not-a-ca", 1),
        below(
            "an_intermediate_without_basic_constraints_is_refused",
            bare.clone(),
        )
        .refused("not-a-ca", 1),
        below(
            "an_intermediate_with_neither_basic_constraints_nor_key_usage_is_refused",
            bare.without("keyUsage"),
        )
        .refused("not-a-ca", 1),
        below(
            "an_intermediate_without_key_cert_sign_is_refused",
            intermediate().with("keyUsage", "critical,cRLSign"),
        )
        .refused("not-a-ca", 1),
        below(
            "an_intermediate_without_key_usage_is_accepted",
            intermediate().without("keyUsage"),
        ),
        below(
            "an_intermediate_whose_basic_constraints_are_not_critical_is_accepted",
            intermediate().with("basicConstraints", "CA:TRUE"),
        ),
        below(
            "an_intermediate_of_version_1_is_refused",
            intermediate().version_1(),
        )
        .leaf(of_v1(&intermediate().version_1()))
        .refused("not-a-ca", 1),
        under(
            "a_root_that_is_no_ca_is_refused",
            root().with("basicConstraints", "CA:FALSE"),
        )
        .refused("not-a-ca", 1),
        under(
            "a_root_without_basic_constraints_but_with_key_cert_sign_is_accepted",
            bare_root.clone(),
        ),
        under(
            "a_root_with_neither_basic_constraints_nor_key_usage_is_refused",
            bare_root.without("keyUsage"),
        )
        .refused("not-a-ca", 1),
        under(
            "a_root_without_key_cert_sign_is_refused",
            root().with("keyUsage", "critical,cRLSign"),
        )
        .refused("not-a-ca", 1),
        case("a_root_of_version_1_is_accepted")
            .leaf(of_v1(&v1_root))
            .trusted([v1_root]),
        case("a_critical_extension_of_a_leaf_that_nobody_knows_is_refused")
            .leaf(leaf().with("1.3.6.1.4.1.55555.1", "critical,DER:0500"))
            .refused("critical-extension", 0),
        case("an_extension_that_nobody_knows_is_accepted_when_it_is_not_critical")
            .leaf(leaf().with("1.3.6.1.4.1.55555.1", "DER:0500")),
        below(
            "a_critical_extension_of_an_intermediate_that_nobody_knows_is_refused",
            intermediate().with("1.3.6.1.4.1.55555.1", "critical,DER:0500"),
        )
        .refused("critical-extension", 1),
        under(
            "a_critical_extension_of_a_root_that_nobody_knows_is_refused",
            root().with("1.3.6.1.4.1.55555.1", "critical,DER:0500"),
        )
        .refused("critical-extension", 1),
    ]
}

fn path_lengths() -> Vec<Case> {
    let limited = |value| root().with("basicConstraints", value);
    let (none, one) = (
        limited("critical,CA:TRUE,pathlen:0"),
        limited("critical,CA:TRUE,pathlen:1"),
    );
    let lower = intermediate().named("/CN=lower").key("p256-lower");
    // Its subject is its issuer's, as of a CA that changes its key.
    let self_issued = |root: &Certificate| intermediate().named("/CN=root").by(root);
    vec![
        under("a_path_length_of_0_allows_a_leaf", none.clone()),
        chain(
            "a_path_length_of_0_allows_no_intermediate",
            &none,
            &[intermediate()],
        )
        .refused("path-length", 2),
        chain(
            "a_path_length_of_1_allows_an_intermediate",
            &one,
            &[intermediate()],
        ),
        chain(
            "a_path_length_of_1_allows_no_second_intermediate",
            &one,
            &[intermediate(), lower.clone()],
        )
        .refused("path-length", 3),
        chain(
            "a_path_length_of_0_allows_a_self_issued_intermediate",
            &none,
            &[self_issued(&none)],
        ),
        chain(
            "a_self_issued_intermediate_does_not_count_towards_a_path_length_of_1",
            &one,
            &[self_issued(&one), lower.clone()],
        ),
        chain(
            "a_path_length_of_0_on_an_intermediate_allows_no_ca_below_it",
            &root(),
            &[
                intermediate().with("basicConstraints", "critical,CA:TRUE,pathlen:0"),
                lower,
            ],
        )
        .refused("path-length", 2),
    ]
}

/// A leaf without authorityKeyIdentifier, for its issuer has no extensions.
fn of_v1(issuer: &Certificate) -> Certificate {
    leaf().by(issuer).without("authorityKeyIdentifier")
}

/// A leaf below an intermediate that is sent with it.
fn below(name: &'static str, intermediate: Certificate) -> Case {
    case(name)
        .leaf(leaf().by(&intermediate))
        .sent([intermediate])
}

/// A leaf below a root that is trusted.
fn under(name: &'static str, root: Certificate) -> Case {
    case(name).leaf(leaf().by(&root)).trusted([root])
}

/// A leaf below intermediates, the upper first, below a root.
fn chain(name: &'static str, root: &Certificate, intermediates: &[Certificate]) -> Case {
    let mut issuer = root.clone();
    let mut sent = Vec::new();
    for intermediate in intermediates {
        issuer = intermediate.clone().by(&issuer);
        sent.insert(0, issuer.clone());
    }
    case(name)
        .leaf(leaf().by(&issuer))
        .sent(sent)
        .trusted([root.clone()])
}
