//! What a certificate, a certification request, a CRL or a key says, as plain values. `x509`
//! reads them out of DER; everything else works on these.

use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;

use serde::Serialize;
use time::OffsetDateTime;

use super::digest::Digest;
use super::host::Host;
use super::revocation::Revocation;
use super::serial_number::SerialNumber;
use super::text::{Hex, Plain, serialize_as_text};
use super::validity::Validity;

/// A certificate (RFC 5280 4.1), read. Names are as RFC 4514 writes them, in the order of the
/// encoding.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// Subject.
    pub subject: String,
    /// Issuer.
    pub issuer: String,
    /// The last common name of the subject.
    pub common_name: Option<String>,
    /// Serial number.
    pub serial_number: SerialNumber,
    /// notBefore and notAfter.
    #[serde(flatten)]
    pub validity: Validity,
    /// subjectAltName entries.
    pub subject_alt_name: Vec<AltName>,
    /// The public key.
    pub public_key: PublicKey,
    /// Signature algorithm, such as `ecdsa-with-SHA256`.
    pub signature_algorithm: String,
    /// basicConstraints.
    pub basic_constraints: Option<BasicConstraints>,
    /// keyUsage, as RFC 5280 names the bits.
    pub key_usage: Option<Vec<&'static str>>,
    /// extendedKeyUsage, as RFC 5280 names them, or dotted.
    pub extended_key_usage: Option<Vec<String>>,
    /// The permitted and excluded subtrees of nameConstraints, such as `permitted DNS:prod.internal`.
    pub name_constraints: Option<Vec<String>>,
    /// subjectKeyIdentifier.
    pub subject_key_identifier: Option<KeyIdentifier>,
    /// The keyid of authorityKeyIdentifier.
    pub authority_key_identifier: Option<KeyIdentifier>,
    /// SHA-256 of the DER.
    pub fingerprint: Digest,
}

/// A public key, described.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicKey {
    /// The algorithm, in zpki's words where it has one (`ecdsa-p256`), else its OID.
    pub algorithm: String,
    /// SHA-256 of the SubjectPublicKeyInfo: equal for a certificate and its private key.
    pub fingerprint: Digest,
}

/// basicConstraints (RFC 5280 4.2.1.9).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BasicConstraints {
    /// Whether it is a CA.
    pub ca: bool,
    /// pathLenConstraint.
    pub path_len: Option<u32>,
}

/// A subjectAltName entry of any kind, valid or not: what stands in the certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AltName {
    /// dNSName, as it stands there: perhaps not fit for a terminal.
    Dns(String),
    /// iPAddress.
    Ip(IpAddr),
    /// Anything else, described.
    Other(String),
}

/// A key identifier: 1 to a few dozen octets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyIdentifier(pub Vec<u8>);

serialize_as_text!(AltName, KeyIdentifier);

/// A certification request (RFC 2986), read.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificationRequest {
    /// Subject.
    pub subject: String,
    /// The names asked for.
    pub subject_alt_name: Vec<AltName>,
    /// The public key.
    pub public_key: PublicKey,
    /// Whether the request is signed with that key; None when the algorithm cannot be checked.
    pub signature_valid: Option<bool>,
}

/// A certificate revocation list (RFC 5280 5), read.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RevocationList {
    /// Issuer.
    pub issuer: String,
    /// thisUpdate.
    #[serde(with = "time::serde::rfc3339")]
    pub this_update: OffsetDateTime,
    /// nextUpdate.
    #[serde(with = "time::serde::rfc3339::option")]
    pub next_update: Option<OffsetDateTime>,
    /// CRL number.
    pub crl_number: Option<String>,
    /// The keyid of authorityKeyIdentifier.
    pub authority_key_identifier: Option<KeyIdentifier>,
    /// Its entries, in its order.
    pub revoked: Vec<Revocation>,
}

impl RevocationList {
    /// The CRL number, as one that can be counted on from; what is longer is the largest.
    #[must_use]
    pub fn number(&self) -> Option<u128> {
        let number = self.crl_number.as_deref()?;
        Some(number.parse().unwrap_or(u128::MAX))
    }
}

/// A private key, described by its public half; never the key.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PrivateKeyDescription {
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// How it is encrypted, such as `PBES2, AES-256-CBC, PBKDF2-SHA256, 600000 iterations`.
    pub encryption: Option<String>,
    /// Its public half; None when the key is encrypted and no passphrase was given.
    pub public_key: Option<PublicKey>,
}

impl Certificate {
    /// The dNSName and iPAddress entries that are valid host names.
    #[must_use]
    pub fn hosts(&self) -> Vec<Host> {
        let host = |name: &AltName| match name {
            AltName::Dns(name) => name.parse().ok().map(Host::Dns),
            AltName::Ip(address) => Some(Host::Ip(*address)),
            AltName::Other(_) => None,
        };
        self.subject_alt_name.iter().filter_map(host).collect()
    }

    /// Whether basicConstraints says that it is a CA.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        self.basic_constraints
            .is_some_and(|constraints| constraints.ca)
    }
}

/// As `openssl x509 -text` writes it: `DNS:server1.prod.internal`.
impl Display for AltName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(f, "DNS:{}", Plain(name)),
            Self::Ip(address) => write!(f, "IP:{address}"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

impl Display for KeyIdentifier {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}
