//! Keys and signatures, at security level 2.

use super::super::forge::{Certificate, leaf, root};
use super::{Case, case};

const SHA_1: &[&str] = &["-md", "sha1"];
const SHA_512: &[&str] = &["-md", "sha512"];
/// With the salt that TLS has, as long as the digest.
const RSA_PSS: &[&str] = &[
    "-sigopt",
    "rsa_padding_mode:pss",
    "-sigopt",
    "rsa_pss_saltlen:32",
];
const RSA_PSS_WITH_LONG_SALT: &[&str] = &[
    "-sigopt",
    "rsa_padding_mode:pss",
    "-sigopt",
    "rsa_pss_saltlen:64",
];
/// Ed25519 has a digest of its own.
const NO_DIGEST: &[&str] = &["-md", "default"];

pub(super) fn cases() -> Vec<Case> {
    let rsa_root = root().key("rsa2048-root");
    let ed25519_root = root().key("ed25519-root").signature(NO_DIGEST);
    vec![
        of_leaf("a_leaf_of_rsa_1024_is_refused", leaf().key("rsa1024-leaf"))
            .refused("key-too-weak", 0),
        of_leaf("a_leaf_of_rsa_2048_is_accepted", leaf().key("rsa2048-leaf")),
        of_leaf("a_leaf_of_p384_is_accepted", leaf().key("p384-leaf")),
        of_leaf("a_leaf_of_p521_is_accepted", leaf().key("p521-leaf")),
        of_leaf("a_leaf_of_p224_is_accepted", leaf().key("p224-leaf")).not_presentable(),
        of_leaf("a_leaf_of_ed25519_is_accepted", leaf().key("ed25519-leaf")),
        of_leaf(
            "a_leaf_signed_with_sha1_is_refused",
            leaf().signature(SHA_1),
        )
        .refused("signature-too-weak", 0),
        of_leaf(
            "a_leaf_signed_with_sha512_is_accepted",
            leaf().signature(SHA_512),
        ),
        under(
            "a_root_of_rsa_1024_is_refused",
            root().key("rsa1024-root"),
            leaf(),
        )
        .refused("ca-key-too-weak", 1),
        under("a_root_of_rsa_2048_is_accepted", rsa_root.clone(), leaf()),
        under(
            "a_root_of_p384_is_accepted",
            root().key("p384-root"),
            leaf(),
        ),
        under(
            "a_root_of_p521_is_accepted",
            root().key("p521-root"),
            leaf(),
        ),
        under(
            "a_root_of_p224_cannot_be_checked_here",
            root().key("p224-root"),
            leaf(),
        )
        .unknown(),
        under(
            "a_root_of_ed25519_is_accepted",
            ed25519_root,
            leaf().signature(NO_DIGEST),
        ),
        under(
            "a_root_that_signed_itself_with_sha1_is_accepted",
            root().signature(SHA_1),
            leaf(),
        ),
        under(
            "a_signature_of_rsa_pss_is_accepted",
            rsa_root.clone(),
            leaf().signature(RSA_PSS),
        ),
        under(
            "a_signature_of_rsa_pss_with_a_long_salt_cannot_be_checked_here",
            rsa_root,
            leaf().signature(RSA_PSS_WITH_LONG_SALT),
        )
        .unknown(),
    ]
}

fn of_leaf(name: &'static str, leaf: Certificate) -> Case {
    case(name).leaf(leaf)
}

fn under(name: &'static str, root: Certificate, leaf: Certificate) -> Case {
    case(name).leaf(leaf.by(&root)).trusted([root])
}
