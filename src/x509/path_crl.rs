//! CRLs as path validation sees them (RFC 5280 6.3).

use std::collections::HashMap;

use time::OffsetDateTime;
use x509_parser::extensions::X509Extension;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::certificate::date;
use super::der::{self, Element};
use super::distinguished_name::DistinguishedName;
use super::error::Error;
use super::extensions::{AuthorityKeyIdentifier, authority};
use super::signature::Signed;
use crate::domain::serial_number::SerialNumber;

/// A CRL for a certification path.
#[derive(Clone, Debug)]
pub struct PathCrl {
    der: Vec<u8>,
    /// Issuer.
    pub issuer: DistinguishedName,
    /// thisUpdate.
    pub this_update: OffsetDateTime,
    /// nextUpdate.
    pub next_update: Option<OffsetDateTime>,
    /// authorityKeyIdentifier.
    pub authority_key_identifier: Option<AuthorityKeyIdentifier>,
    /// issuingDistributionPoint.
    pub scope: Scope,
    /// Whether it, or one of its entries, has a critical extension that OpenSSL does not know.
    pub unknown_critical: bool,
    /// Whether it is a delta CRL, which HAProxy has no use for.
    pub delta: bool,
    /// The certificates on it, each with its reason code.
    pub revoked: HashMap<SerialNumber, u8>,
}

/// What a CRL is for (issuingDistributionPoint, RFC 5280 5.2.5).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Scope {
    /// distributionPoint: only for certificates that name it.
    pub distribution_point: bool,
    /// onlyContainsUserCerts.
    pub only_user: bool,
    /// onlyContainsCACerts.
    pub only_ca: bool,
    /// onlyContainsAttributeCerts.
    pub only_attribute: bool,
    /// onlySomeReasons or indirectCRL, which OpenSSL refuses unless it is asked for them.
    pub special: bool,
    /// It cannot be read, or contradicts itself.
    pub invalid: bool,
}

/// The reason code removeFromCRL: the entry says that the certificate is no longer revoked.
pub const REMOVE_FROM_CRL: u8 = 8;
const UNSPECIFIED: u8 = 0;

const AUTHORITY_KEY_IDENTIFIER: &str = "2.5.29.35";
const CERTIFICATE_ISSUER: &str = "2.5.29.29";
const DELTA_CRL_INDICATOR: &str = "2.5.29.27";
const ISSUING_DISTRIBUTION_POINT: &str = "2.5.29.28";
const REASON_CODE: &str = "2.5.29.21";

impl PathCrl {
    /// Reads one CRL.
    ///
    /// # Errors
    /// [`Error::CrlDamaged`].
    pub fn from_der(bytes: &[u8]) -> Result<Self, Error> {
        let because = "it is no CertificateList (RFC 5280 5.1)";
        let damaged = || Error::CrlDamaged { because };
        let (rest, list) = CertificateRevocationList::from_der(bytes).map_err(|_| damaged())?;
        let issuer = list.issuer().as_raw();
        let mut crl = Self {
            der: bytes[..bytes.len() - rest.len()].to_vec(),
            issuer: DistinguishedName::from_der(issuer).map_err(|_| damaged())?,
            this_update: date(list.last_update()),
            next_update: list.next_update().map(date),
            authority_key_identifier: None,
            scope: Scope::default(),
            unknown_critical: false,
            delta: false,
            revoked: HashMap::new(),
        };
        for extension in list.extensions() {
            crl.read(extension);
        }
        for entry in list.iter_revoked_certificates() {
            let mut reason = UNSPECIFIED;
            for extension in entry.extensions() {
                let id = extension.oid.to_id_string();
                if id == REASON_CODE {
                    reason = reason_code(extension.value).unwrap_or(UNSPECIFIED);
                }
                crl.unknown_critical |= extension.critical && id != CERTIFICATE_ISSUER;
            }
            crl.revoked
                .entry(SerialNumber::from_octets(entry.raw_serial()))
                .or_insert(reason);
        }
        Ok(crl)
    }

    fn read(&mut self, extension: &X509Extension<'_>) {
        match extension.oid.to_id_string().as_str() {
            AUTHORITY_KEY_IDENTIFIER => self.authority_key_identifier = authority(extension.value),
            DELTA_CRL_INDICATOR => self.delta = true,
            ISSUING_DISTRIBUTION_POINT => self.scope = Scope::read(extension.value),
            _ => self.unknown_critical |= extension.critical,
        }
    }

    /// What is signed, and how.
    #[must_use]
    pub fn signed(&self) -> Option<Signed<'_>> {
        Signed::of(&self.der)
    }
}

fn reason_code(value: &[u8]) -> Option<u8> {
    const ENUMERATED: u8 = 10;
    let code = Element::tagged(value, ENUMERATED)?;
    code.content.last().copied()
}

impl Scope {
    fn read(value: &[u8]) -> Self {
        let invalid = Self {
            invalid: true,
            ..Self::default()
        };
        let fields = Element::tagged(value, der::SEQUENCE).and_then(|scope| scope.elements());
        let Some(fields) = fields else { return invalid };
        let mut scope = Self::default();
        for field in fields {
            let is_set = field.content.iter().any(|octet| *octet != 0);
            const DISTRIBUTION_POINT: u8 = der::constructed(0);
            const ONLY_USER: u8 = der::primitive(1);
            const ONLY_CA: u8 = der::primitive(2);
            const ONLY_SOME_REASONS: u8 = der::primitive(3);
            const INDIRECT: u8 = der::primitive(4);
            const ONLY_ATTRIBUTE: u8 = der::primitive(5);
            match field.tag {
                DISTRIBUTION_POINT => scope.distribution_point = true,
                ONLY_USER => scope.only_user = is_set,
                ONLY_CA => scope.only_ca = is_set,
                ONLY_SOME_REASONS => scope.special = true,
                INDIRECT => scope.special |= is_set,
                ONLY_ATTRIBUTE => scope.only_attribute = is_set,
                _ => return invalid,
            }
        }
        let kinds = [scope.only_user, scope.only_ca, scope.only_attribute];
        scope.invalid = kinds.into_iter().filter(|only| *only).count() > 1;
        scope
    }
}
