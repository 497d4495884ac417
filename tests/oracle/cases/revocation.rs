//! CRLs: one second before, at and after thisUpdate and nextUpdate; missing, wrong and revoking ones.

use super::super::forge::{Crl, intermediate, leaf, root};
use super::{Case, case};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = dates();
    cases.extend(issuers());
    cases.extend(revoked());
    cases
}

fn crl() -> Crl {
    Crl::by(&root())
}

fn dates() -> Vec<Case> {
    let at = |name, crl| case(name).crls([crl]);
    vec![
        at(
            "a_crl_one_second_before_its_this_update_is_refused",
            crl().this_update(1),
        )
        .refused("crl-not-yet-valid", 0),
        at("a_crl_at_its_this_update_is_accepted", crl().this_update(0)),
        at(
            "a_crl_one_second_after_its_this_update_is_accepted",
            crl().this_update(-1),
        ),
        at(
            "a_crl_one_second_before_its_next_update_is_accepted",
            crl().next_update(1),
        ),
        at("a_crl_at_its_next_update_is_refused", crl().next_update(0)).refused("crl-expired", 0),
        at(
            "a_crl_one_second_after_its_next_update_is_refused",
            crl().next_update(-1),
        )
        .refused("crl-expired", 0),
        case("an_expired_crl_beside_a_current_one_does_no_harm")
            .crls([crl().next_update(-1), crl()]),
    ]
}

fn issuers() -> Vec<Case> {
    let stranger = root().named("/CN=stranger").key("p256-stranger");
    let twin = root().key("p256-twin");
    let silent = root().with("keyUsage", "critical,keyCertSign");
    let below = |name| {
        case(name)
            .leaf(leaf().by(&intermediate()))
            .sent([intermediate()])
    };
    vec![
        case("a_current_crl_is_accepted").crls([crl()]),
        case("a_crl_of_another_ca_only_is_refused")
            .crls([Crl::by(&stranger)])
            .refused("crl-missing", 0),
        case("a_crl_signed_by_another_key_is_refused")
            .crls([Crl::by(&twin)])
            .refused("crl-signature", 0),
        case("a_crl_of_a_ca_without_crl_sign_is_refused")
            .leaf(leaf().by(&silent))
            .trusted([silent.clone()])
            .crls([Crl::by(&silent)])
            .refused("key-usage-no-crl-sign", 0),
        below("a_crl_of_each_ca_is_accepted").crls([crl(), Crl::by(&intermediate())]),
        below("a_missing_crl_of_the_intermediate_is_refused")
            .crls([crl()])
            .refused("crl-missing", 0),
        below("a_missing_crl_of_the_root_is_refused")
            .crls([Crl::by(&intermediate())])
            .refused("crl-missing", 1),
        below("an_expired_crl_of_the_root_is_refused")
            .crls([crl().next_update(-1), Crl::by(&intermediate())])
            .refused("crl-expired", 1),
        case("without_a_crl_file_nothing_is_looked_for"),
    ]
}

fn revoked() -> Vec<Case> {
    let other = leaf().key("p256-other");
    let below = |name| {
        case(name)
            .leaf(leaf().by(&intermediate()))
            .sent([intermediate()])
    };
    vec![
        case("a_revoked_leaf_is_refused")
            .crls([crl().revokes(&leaf())])
            .refused("revoked", 0),
        case("a_revoked_leaf_of_the_right_name_is_refused")
            .host("server1.example.com")
            .crls([crl().revokes(&leaf())])
            .refused("revoked", 0),
        case("a_revoked_leaf_of_another_name_is_refused_for_its_revocation")
            .host("server2.example.com")
            .crls([crl().revokes(&leaf())])
            .refused("revoked", 0),
        case("a_leaf_beside_a_revoked_one_is_accepted").crls([crl().revokes(&other)]),
        below("a_revoked_intermediate_is_refused")
            .crls([crl().revokes(&intermediate()), Crl::by(&intermediate())])
            .refused("revoked", 1),
        case("a_revoked_client_is_refused")
            .leaf(leaf().with("extendedKeyUsage", "clientAuth"))
            .crls([crl().revokes(&leaf().with("extendedKeyUsage", "clientAuth"))])
            .by_a_server()
            .refused("revoked", 0),
        case("an_expired_crl_that_revokes_the_leaf_is_refused_for_its_date")
            .crls([crl().next_update(-1).revokes(&leaf())])
            .refused("crl-expired", 0),
    ]
}
