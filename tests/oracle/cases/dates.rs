//! One second before, at and after each notBefore and notAfter.

use super::super::forge::{Certificate, intermediate, leaf, root};
use super::{Case, case};

pub(super) fn cases() -> Vec<Case> {
    vec![
        of_leaf(
            "a_leaf_one_second_before_its_not_before_is_refused",
            leaf().not_before(1),
        )
        .refused("not-yet-valid", 0),
        of_leaf("a_leaf_at_its_not_before_is_accepted", leaf().not_before(0)),
        of_leaf(
            "a_leaf_one_second_after_its_not_before_is_accepted",
            leaf().not_before(-1),
        ),
        of_leaf(
            "a_leaf_one_second_before_its_not_after_is_accepted",
            leaf().not_after(1),
        ),
        of_leaf("a_leaf_at_its_not_after_is_refused", leaf().not_after(0)).refused("expired", 0),
        of_leaf(
            "a_leaf_one_second_after_its_not_after_is_refused",
            leaf().not_after(-1),
        )
        .refused("expired", 0),
        below_intermediate(
            "an_intermediate_one_second_before_its_not_before_is_refused",
            intermediate().not_before(1),
        )
        .refused("not-yet-valid", 1),
        below_intermediate(
            "an_intermediate_at_its_not_before_is_accepted",
            intermediate().not_before(0),
        ),
        below_intermediate(
            "an_intermediate_one_second_after_its_not_before_is_accepted",
            intermediate().not_before(-1),
        ),
        below_intermediate(
            "an_intermediate_one_second_before_its_not_after_is_accepted",
            intermediate().not_after(1),
        ),
        below_intermediate(
            "an_intermediate_at_its_not_after_is_refused",
            intermediate().not_after(0),
        )
        .refused("expired", 1),
        below_intermediate(
            "an_intermediate_one_second_after_its_not_after_is_refused",
            intermediate().not_after(-1),
        )
        .refused("expired", 1),
        below_root(
            "a_root_one_second_before_its_not_before_is_refused",
            root().not_before(1),
        )
        .refused("not-yet-valid", 1),
        below_root("a_root_at_its_not_before_is_accepted", root().not_before(0)),
        below_root(
            "a_root_one_second_after_its_not_before_is_accepted",
            root().not_before(-1),
        ),
        below_root(
            "a_root_one_second_before_its_not_after_is_accepted",
            root().not_after(1),
        ),
        below_root("a_root_at_its_not_after_is_refused", root().not_after(0)).refused("expired", 1),
        below_root(
            "a_root_one_second_after_its_not_after_is_refused",
            root().not_after(-1),
        )
        .refused("expired", 1),
        of_leaf(
            "a_client_at_its_not_after_is_refused",
            leaf().with("extendedKeyUsage", "clientAuth").not_after(0),
        )
        .by_a_server()
        .refused("expired", 0),
        of_leaf(
            "a_leaf_at_its_not_after_is_strictly_refused",
            leaf().not_after(0),
        )
        .strictly()
        .refused("expired", 0),
        below_root(
            "an_expired_root_is_told_before_an_expired_leaf",
            root().not_after(-1),
        )
        .leaf(leaf().by(&root().not_after(-1)).not_after(-1))
        .refused("expired", 1),
        of_leaf(
            "an_expired_leaf_of_the_right_name_is_refused",
            leaf().not_after(-1),
        )
        .host("server1.example.com")
        .refused("expired", 0),
        of_leaf(
            "a_leaf_that_outlives_its_ca_is_accepted",
            leaf().not_after(i64::from(u32::MAX)),
        ),
    ]
}

fn of_leaf(name: &'static str, leaf: Certificate) -> Case {
    case(name).leaf(leaf)
}

fn below_intermediate(name: &'static str, intermediate: Certificate) -> Case {
    case(name)
        .leaf(leaf().by(&intermediate))
        .sent([intermediate])
}

fn below_root(name: &'static str, root: Certificate) -> Case {
    case(name).leaf(leaf().by(&root)).trusted([root])
}
