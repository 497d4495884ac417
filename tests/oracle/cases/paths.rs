//! Which certificates make the path: names, key identifiers, order, and what is an anchor.

use super::super::forge::{Certificate, intermediate, leaf, root};
use super::{Case, case};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = anchors();
    cases.extend(missing());
    cases.extend(identifiers());
    cases.extend(twins());
    cases
}

fn anchors() -> Vec<Case> {
    let lone = leaf().self_signed();
    vec![
        case("a_leaf_below_a_trusted_root_is_accepted"),
        case("a_leaf_below_an_intermediate_that_is_sent_is_accepted")
            .leaf(leaf().by(&intermediate()))
            .sent([intermediate()]),
        case("a_leaf_below_an_intermediate_in_the_ca_file_is_accepted")
            .leaf(leaf().by(&intermediate()))
            .trusted([intermediate(), root()]),
        case("an_intermediate_alone_is_no_anchor")
            .leaf(leaf().by(&intermediate()))
            .trusted([intermediate()])
            .refused("anchor-not-self-signed", 1),
        case("an_intermediate_alone_is_an_anchor_to_a_strict_verifier")
            .leaf(leaf().by(&intermediate()))
            .trusted([intermediate()])
            .strictly(),
        case("a_root_that_is_sent_is_no_anchor_beside_an_intermediate_in_the_ca_file")
            .leaf(leaf().by(&intermediate()))
            .sent([root()])
            .trusted([intermediate()])
            .refused("anchor-not-self-signed", 1),
        case("a_self_signed_leaf_in_the_ca_file_is_accepted")
            .leaf(lone.clone())
            .trusted([lone.clone()]),
        case("a_self_signed_leaf_that_nobody_trusts_is_refused")
            .leaf(lone.clone())
            .refused("self-signed", 0),
        case("a_self_signed_leaf_of_the_right_name_that_nobody_trusts_is_refused")
            .leaf(lone)
            .host("server1.example.com")
            .refused("self-signed", 0),
        case("a_leaf_in_the_ca_file_is_an_anchor_to_a_strict_verifier")
            .trusted([leaf()])
            .strictly(),
        case("a_leaf_in_the_ca_file_is_no_anchor")
            .trusted([leaf()])
            .refused("issuer-missing", 0),
        case("a_root_that_is_sent_too_is_accepted").sent([root()]),
    ]
}

fn missing() -> Vec<Case> {
    let stranger = root().named("/CN=stranger").key("p256-stranger");
    vec![
        case("a_root_that_is_only_sent_is_refused")
            .sent([root()])
            .trusted([stranger.clone()])
            .refused("self-signed-in-chain", 1),
        case("a_root_that_is_only_sent_behind_an_intermediate_is_refused")
            .leaf(leaf().by(&intermediate()))
            .sent([intermediate(), root()])
            .trusted([stranger.clone()])
            .refused("self-signed-in-chain", 2),
        case("a_missing_intermediate_is_refused")
            .leaf(leaf().by(&intermediate()))
            .refused("issuer-missing", 0),
        case("a_missing_root_is_refused")
            .leaf(leaf().by(&intermediate()))
            .sent([intermediate()])
            .trusted([stranger.clone()])
            .refused("issuer-missing", 1),
        case("a_leaf_of_a_foreign_ca_is_refused")
            .leaf(leaf().by(&stranger))
            .refused("issuer-missing", 0),
        case("a_leaf_of_a_foreign_ca_and_the_right_name_is_refused")
            .leaf(leaf().by(&stranger))
            .host("server1.example.com")
            .refused("issuer-missing", 0),
        case("intermediates_may_be_sent_in_any_order")
            .leaf(leaf().by(&lower()))
            .sent([intermediate(), lower()]),
        case("what_is_sent_besides_does_no_harm").sent([stranger, intermediate()]),
    ]
}

fn lower() -> Certificate {
    intermediate()
        .named("/CN=lower")
        .key("p256-lower")
        .by(&intermediate())
}

fn identifiers() -> Vec<Case> {
    let aki = "authorityKeyIdentifier";
    let ski = "subjectKeyIdentifier";
    let other = "0102030405060708090a0b0c0d0e0f1011121314";
    let renamed = root().with(ski, other);
    let renewed = root().not_after(60 * super::super::forge::DAY);
    let by_serial = leaf().with(aki, "keyid:always,issuer:always");
    vec![
        case("a_leaf_without_aki_is_accepted").leaf(leaf().without(aki)),
        case("an_aki_that_is_not_the_ski_of_the_root_is_refused")
            .trusted([renamed.clone()])
            .refused("issuer-missing", 0),
        case("a_root_without_ski_is_accepted").trusted([root().without(ski)]),
        case("an_aki_with_issuer_and_serial_of_the_root_is_accepted").leaf(by_serial.clone()),
        case("an_aki_with_issuer_and_serial_of_an_older_root_is_refused")
            .leaf(by_serial)
            .trusted([renewed.clone()])
            .refused("issuer-missing", 0),
        case("a_root_renewed_with_its_key_is_accepted").trusted([renewed]),
        case("an_intermediate_whose_ski_is_not_the_aki_is_refused")
            .leaf(leaf().by(&intermediate()))
            .sent([intermediate().with(ski, other)])
            .refused("issuer-missing", 0),
        case("a_root_whose_aki_is_its_own_ski_is_accepted")
            .leaf(leaf().by(&root().with(aki, "keyid")))
            .trusted([root().with(aki, "keyid")]),
        case("a_critical_aki_is_refused")
            .leaf(leaf().with(aki, "critical,keyid"))
            .refused("critical-extension", 0),
    ]
}

fn twins() -> Vec<Case> {
    let aki = "authorityKeyIdentifier";
    let twin = root().key("p256-twin");
    let twin_of_other_kind = root().key("rsa2048-twin");
    let expired = root().not_after(-1);
    let shouted = root().named("/CN=ROOT");
    let spaced = root().named("/CN=  root ");
    vec![
        case("two_roots_of_one_name_the_right_one_first_are_accepted")
            .trusted([root(), twin.clone()]),
        case("two_roots_of_one_name_the_right_one_last_are_accepted")
            .trusted([twin.clone(), root()]),
        case("two_roots_of_one_name_the_right_one_first_are_accepted_without_aki")
            .leaf(leaf().without(aki))
            .trusted([root(), twin.clone()]),
        case("two_roots_of_one_name_the_right_one_last_are_refused_without_aki")
            .leaf(leaf().without(aki))
            .trusted([twin.clone(), root()])
            .refused("signature-invalid", 0),
        case("a_root_of_the_same_name_and_another_kind_of_key_is_passed_over_without_aki")
            .leaf(leaf().without(aki))
            .trusted([twin_of_other_kind.clone(), root()]),
        case("a_root_of_the_same_name_and_another_kind_of_key_alone_is_refused")
            .leaf(leaf().without(aki))
            .trusted([twin_of_other_kind])
            .refused("issuer-missing", 0),
        case("a_wrong_signature_is_refused")
            .leaf(leaf().without(aki))
            .trusted([twin.clone()])
            .refused("signature-invalid", 0),
        case("a_wrong_signature_of_an_intermediate_is_refused")
            .leaf(leaf().by(&intermediate().without(aki)))
            .sent([intermediate().without(aki)])
            .trusted([twin.clone()])
            .refused("signature-invalid", 1),
        case("an_expired_root_before_its_renewed_one_does_no_harm")
            .trusted([expired.clone(), root()]),
        case("an_expired_root_behind_its_renewed_one_does_no_harm").trusted([root(), expired]),
        case("a_look_alike_of_the_root_that_is_sent_does_no_harm").sent([twin]),
        case("a_name_in_other_case_is_the_same_name").trusted([shouted]),
        case("a_name_with_other_blanks_is_the_same_name").trusted([spaced]),
    ]
}
