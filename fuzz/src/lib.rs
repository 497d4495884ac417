//! What cargo-fuzz runs, one module for each target: something is read or edited, and what must hold
//! of it is asserted. libFuzzer stays out of here, so that tests/fuzz.rs runs the same on seeds and on
//! inputs that once failed.

#![allow(
    unreachable_pub,
    reason = "a crate here, and a module of the tests there"
)]

pub mod crl;
pub mod csr;
pub mod der;
pub mod haproxy;
pub mod judge;
pub mod judges;
pub mod pem;
pub mod scan;
pub mod server_conf;
pub mod show;
pub mod signer;
pub mod zpki_toml;

use std::fmt::Display;

/// Runs one input; panics when something does not hold of it.
pub type Target = fn(&[u8]);

/// The targets, by the names that cargo-fuzz has for them.
pub const TARGETS: [(&str, Target); 9] = [
    ("crl", crl::run),
    ("csr", csr::run),
    ("haproxy", haproxy::run),
    ("judge", judge::run),
    ("pem", pem::run),
    ("scan", scan::run),
    ("server_conf", server_conf::run),
    ("show", show::run),
    ("zpki_toml", zpki_toml::run),
];

/// What is said of an input does nothing to the terminal that shows it.
fn assert_harmless(text: impl Display) {
    let text = text.to_string();
    assert!(!text.is_empty());
    assert!(!text.chars().any(char::is_control), "{text:?}");
}
