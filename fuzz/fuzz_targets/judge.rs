//! Whatever certificates there are, judging one of them ends, and without a panic.
//!
//! The input is a row of DER certificates. The first is judged; the others are sent with it, or trusted,
//! or both, as the octet before each says.

#![no_main]

use libfuzzer_sys::fuzz_target;
use time::macros::datetime;
use zpki::verify::path::Pool;
use zpki::verify::policy::{Policy, Purpose};
use zpki::verify::signatures::CheckedSignatures;
use zpki::verify::verdict::{Context, judge};
use zpki::x509::path_certificate::PathCertificate;

fuzz_target!(|bytes: &[u8]| {
    let certificates = certificates(bytes);
    let Some((_, leaf)) = certificates.first() else {
        return;
    };
    let pool = |bit: u8| {
        let members = certificates.iter().filter(move |(place, _)| place & bit != 0);
        Pool::new(members.map(|(_, certificate)| certificate))
    };
    let context = Context {
        sent: &pool(1),
        trusted: &pool(2),
        crls: None,
        hosts: &["server1.demo.internal".to_owned(), "10.0.0.1".to_owned()],
        at: datetime!(2026-11-23 12:00 UTC),
        signatures: &CheckedSignatures::default(),
    };
    for policy in [
        Policy::HaproxyServer,
        Policy::ServerClient,
        Policy::Strict(Purpose::Server),
    ] {
        let verdict = judge(leaf, policy, &context);
        assert!(verdict.path.certificates.len() <= 102);
        for reason in verdict.reasons {
            let _ = reason.rule.to_string();
        }
    }
});

/// The certificates of the row, each with the octet before it.
fn certificates(bytes: &[u8]) -> Vec<(u8, PathCertificate)> {
    let mut certificates = Vec::new();
    let mut rest = bytes;
    while let Some((place, behind)) = rest.split_first() {
        let Ok(certificate) = PathCertificate::from_der(behind) else {
            break;
        };
        rest = &behind[certificate.der.len()..];
        certificates.push((*place, certificate));
    }
    certificates
}
