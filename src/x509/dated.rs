//! Certificates and CRLs as `expiry` sees them: from when to when, and whose. Whatever OpenSSL or
//! x509-parser can read is read; an extension that is damaged has no date and is no obstacle.

use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use super::name;
use crate::domain::digest::Digest;
use crate::domain::expiry::PathRole;

/// What of a certificate or a CRL matters to whoever asks when it runs out. Dates are seconds since
/// 1970 (UTC), negative before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dated {
    /// Its place in a certification path.
    pub role: PathRole,
    /// notBefore, or thisUpdate.
    pub not_before: i64,
    /// notAfter, or nextUpdate; None for a CRL that says none.
    pub not_after: Option<i64>,
    /// The octets of the serial number as they stand (a two's complement); of a CRL, those of its
    /// number, empty when it has none.
    pub serial_octets: Box<[u8]>,
    /// The issuer's name in DER.
    pub issuer: Box<[u8]>,
    /// The subject's name in DER; empty for a CRL.
    pub subject: Box<[u8]>,
    /// The value of subjectAltName; empty when there is none.
    pub subject_alt_name: Box<[u8]>,
    /// SHA-256 of the DER.
    pub fingerprint: Digest,
}

impl Dated {
    /// The subject as text, escaped; empty for a CRL.
    #[must_use]
    pub fn subject(&self) -> String {
        shown(&self.subject)
    }

    /// The issuer as text, escaped.
    #[must_use]
    pub fn issuer(&self) -> String {
        shown(&self.issuer)
    }
}

fn shown(der: &[u8]) -> String {
    X509Name::from_der(der).map_or_else(|_| String::new(), |(_, parsed)| name::show(&parsed))
}
