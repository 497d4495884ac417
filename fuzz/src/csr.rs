//! Certification requests: OpenSSL finds a signature right where zpki does, and what is issued has the
//! names and the key of the request, and nothing else of it.

use std::sync::LazyLock;

use openssl::x509::X509Req;
use time::macros::datetime;
use zpki::domain::key_algorithm::KeyAlgorithm;
use zpki::domain::name_constraints::NameConstraints;
use zpki::domain::role::ExtendedKeyUsage;
use zpki::domain::serial_number::SerialNumber;
use zpki::domain::validity::Validity;
use zpki::x509::certificate::ParsedCertificate;
use zpki::x509::csr::{Request, RequestedKey};
use zpki::x509::issue::{Authority, CaTemplate, EndEntityTemplate, Subject};
use zpki::x509::private_key::PrivateKey;

use super::{assert_harmless, signer};

/// The input is one that [`signer::read`] reads.
pub fn run(bytes: &[u8]) {
    let Some(der) = signer::read(bytes) else {
        return;
    };
    let request = match Request::read(&der) {
        Ok(request) => request,
        Err(error) => return assert_harmless(error),
    };
    let followed = [&der[..], &[0]].concat();
    assert!(Request::read(&followed).is_err(), "it is not the last");
    let description = request.description();
    if let Some(theirs) = verified_by_openssl(&der) {
        match description.signature_valid {
            Some(ours) => assert_eq!(ours, theirs),
            None => assert!(request.public_key().is_err(), "nothing proved it"),
        }
    }
    if let Err(error) = request.hosts() {
        assert_harmless(error);
    }
    match request.public_key() {
        Ok(key) => issue(&request, &key),
        Err(error) => assert_harmless(error),
    }
}

/// Whether OpenSSL finds the signature right; None where it cannot read the request.
fn verified_by_openssl(der: &[u8]) -> Option<bool> {
    let request = X509Req::from_der(der).ok()?;
    let key = request.public_key().ok()?;
    Some(request.verify(&key).unwrap_or(false))
}

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| {
    let key = PrivateKey::generate(KeyAlgorithm::Ed25519).expect("there is randomness");
    let template = CaTemplate {
        subject: subject("ca"),
        serial_number: SerialNumber::from_octets(&[1]),
        validity: VALIDITY,
        name_constraints: NameConstraints::default(),
    };
    Authority::self_signed(&template, key).expect("it is a CA")
});

/// A CA, for whoever needs one.
pub fn authority() -> &'static Authority {
    &AUTHORITY
}

const VALIDITY: Validity = Validity {
    not_before: datetime!(2026-11-23 12:00 UTC),
    not_after: datetime!(2027-11-23 12:00 UTC),
};

fn subject(common_name: &str) -> Subject {
    Subject {
        organization: "fuzz".to_owned(),
        common_name: common_name.to_owned(),
    }
}

fn issue(request: &Request, key: &RequestedKey) {
    let Ok(hosts) = request.hosts() else {
        return;
    };
    let template = EndEntityTemplate {
        subject: subject("requested"),
        serial_number: SerialNumber::from_octets(&[2]),
        validity: VALIDITY,
        hosts: hosts.clone(),
        extended_key_usage: ExtendedKeyUsage {
            server_auth: true,
            client_auth: false,
        },
    };
    let issued = authority().issue(&template, key).expect("it was accepted");
    let issued = ParsedCertificate::from_der(&issued).expect("it was issued");
    assert_eq!(issued.public_key_der, request.public_key_der());
    assert_eq!(issued.is_signed_by(authority().certificate()), Some(true));
    let details = &issued.details;
    assert_eq!(details.hosts(), hosts);
    assert!(!details.is_ca());
    assert_eq!(details.subject, "O=fuzz,CN=requested");
    let usages = details.extended_key_usage.as_deref();
    assert_eq!(usages.map(<[String]>::len), Some(1));
    assert_eq!(details.name_constraints, None);
}
