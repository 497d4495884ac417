//! The `openssl` command as the judge of what this layer writes, and as the maker of what it reads; and
//! a CA and a CRL to begin with.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use time::macros::datetime;
use zeroize::Zeroizing;

use super::der::{self, wrapped};
use super::issue::{Authority, CaTemplate, Subject};
use super::passphrase::Passphrase;
use super::path_certificate::PathCertificate;
use super::path_crl::PathCrl;
use super::pem::{self, Block};
use super::private_key::PrivateKey;
use crate::domain::key_algorithm::KeyAlgorithm;
use crate::domain::name_constraints::NameConstraints;
use crate::domain::serial_number::{RANDOM_OCTETS, SerialNumber};
use crate::domain::validity::Validity;

/// Of a CA, and of whatever it vouches for as long as it lives.
pub(crate) const VALIDITY: Validity = Validity {
    not_before: datetime!(2020-01-01 0:00 UTC),
    not_after: datetime!(2090-01-01 0:00 UTC),
};

/// A subject of this common name.
pub(crate) fn subject(common_name: &str) -> Subject {
    Subject {
        organization: "test".to_owned(),
        common_name: common_name.to_owned(),
    }
}

/// A root CA.
pub(crate) fn authority() -> Authority {
    let template = CaTemplate {
        subject: subject("test CA"),
        serial_number: SerialNumber::from_random([7; RANDOM_OCTETS]),
        validity: VALIDITY,
        name_constraints: NameConstraints::default(),
    };
    let key = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap();
    Authority::self_signed(&template, key).unwrap()
}

/// Its certificate, for a test to change.
pub(crate) fn root() -> PathCertificate {
    let root = authority();
    PathCertificate::from_der(&root.certificate().der).unwrap()
}

/// A CRL with one entry; nobody signed it.
pub(crate) fn unsigned_crl(serial: &[u8], extensions: &[&[u8]]) -> PathCrl {
    const UTC_TIME: u8 = 0x17;
    let algorithm = [0x30, 5, 6, 3, 0x2b, 0x65, 0x70];
    let name = wrapped(der::SEQUENCE, &[]);
    let date = wrapped(UTC_TIME, &[b"260101000000Z"]);
    let serial = wrapped(der::INTEGER, &[serial]);
    let entry = wrapped(der::SEQUENCE, &[&serial, &date]);
    let extensions = wrapped(der::SEQUENCE, extensions);
    let signed = wrapped(
        der::SEQUENCE,
        &[
            &wrapped(der::INTEGER, &[&[1]]),
            &algorithm,
            &name,
            &date,
            &wrapped(der::SEQUENCE, &[&entry]),
            &wrapped(der::constructed(0), &[&extensions]),
        ],
    );
    let signature = wrapped(der::BIT_STRING, &[&[0]]);
    let whole = wrapped(der::SEQUENCE, &[&signed, &algorithm, &signature]);
    PathCrl::from_der(&whole).unwrap()
}

/// A passphrase.
pub(crate) fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
}

/// The first block of a PEM file.
pub(crate) fn block(pem: &[u8]) -> Block {
    pem::scan(pem).remove(0).unwrap()
}

/// What an `openssl` command makes of `input`; none of its words has a space in it.
pub(crate) fn made(words: &str, input: &[u8]) -> Vec<u8> {
    openssl(&words.split(' ').collect::<Vec<_>>(), input)
}

/// Runs `openssl` with `input` on its stdin; answers with its stdout. It must succeed.
pub(crate) fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let output = run(arguments, input);
    assert!(
        output.status.success(),
        "openssl {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Whether `openssl` succeeds with `input` on its stdin.
pub(crate) fn openssl_succeeds(arguments: &[&str], input: &[u8]) -> bool {
    run(arguments, input).status.success()
}

/// What `openssl` says on stderr when it fails, with `input` on its stdin.
pub(crate) fn openssl_fails(arguments: &[&str], input: &[u8]) -> String {
    let output = run(arguments, input);
    assert!(!output.status.success(), "openssl {}", arguments.join(" "));
    String::from_utf8(output.stderr).unwrap()
}

fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tests need the openssl command: `make test` installs it");
    // openssl may end without reading all of it; its exit status tells what that means.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}
