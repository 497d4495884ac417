//! CRLs as path validation sees them (RFC 5280 6.3).

use std::collections::{HashMap, HashSet};

use time::OffsetDateTime;
use x509_parser::asn1_rs::Oid;
use x509_parser::extensions::X509Extension;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::certificate::date;
use super::dated;
use super::der::{self, Element};
use super::distinguished_name::DistinguishedName;
use super::error::Error;
use super::extensions::{AuthorityKeyIdentifier, GeneralName, authority, distribution_point_names};
use super::form;
use super::signature::Signed;

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
    /// Whether it is a delta CRL. OpenSSL takes it for a complete one, and asks less of it.
    pub delta: bool,
    /// The certificates on it, by the octets of their serial numbers, each with its reason code.
    pub revoked: HashMap<Vec<u8>, u8>,
}

/// What a CRL is for (issuingDistributionPoint, RFC 5280 5.2.5).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Scope {
    /// The names of distributionPoint: only for certificates that name it too.
    pub distribution_point: Option<Vec<GeneralName>>,
    /// onlyContainsUserCerts.
    pub only_user: bool,
    /// onlyContainsCACerts.
    pub only_ca: bool,
    /// onlyContainsAttributeCerts.
    pub only_attribute: bool,
    /// onlySomeReasons or indirectCRL, which OpenSSL refuses unless it is asked for them.
    pub special: bool,
    /// It contradicts itself.
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
        if !dated::is_readable_crl(bytes) {
            return Err(damaged());
        }
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
        let mut seen: HashSet<&Oid<'_>> = HashSet::new();
        for extension in list.extensions() {
            crl.read(extension, !seen.insert(&extension.oid));
        }
        let mut are_readable = true;
        for entry in list.iter_revoked_certificates() {
            let reason = match entry_reason(entry.extensions()) {
                Some(reason) if are_readable => reason,
                // Where one cannot be read, OpenSSL looks at the extensions of no further entry.
                _ => {
                    are_readable = false;
                    UNSPECIFIED
                }
            };
            let is_unknown = |extension: &X509Extension<'_>| {
                extension.critical && extension.oid.to_id_string() != CERTIFICATE_ISSUER
            };
            crl.unknown_critical |= are_readable && entry.extensions().iter().any(is_unknown);
            crl.revoked
                .entry(entry.raw_serial().to_vec())
                .or_insert(reason);
        }
        Ok(crl)
    }

    /// Reads an extension. OpenSSL does not heed one that cannot be read, or that is there twice.
    fn read(&mut self, extension: &X509Extension<'_>, is_again: bool) {
        match extension.oid.to_id_string().as_str() {
            AUTHORITY_KEY_IDENTIFIER => {
                let value = Some(extension.value).filter(|_| !is_again);
                self.authority_key_identifier = value.and_then(authority);
            }
            DELTA_CRL_INDICATOR => {
                let base = Element::tagged(extension.value, der::INTEGER);
                self.delta = !is_again && base.is_some_and(|base| form::is_integer(&base));
            }
            ISSUING_DISTRIBUTION_POINT => {
                let value = Some(extension.value).filter(|_| !is_again);
                self.scope = value.and_then(Scope::read).unwrap_or_default();
            }
            _ => self.unknown_critical |= extension.critical,
        }
    }

    /// What is signed, and how.
    #[must_use]
    pub fn signed(&self) -> Option<Signed<'_>> {
        Signed::of(&self.der)
    }
}

/// The reason code of an entry; None when it cannot be read, or is there twice.
fn entry_reason(extensions: &[X509Extension<'_>]) -> Option<u8> {
    const ENUMERATED: u8 = 10;
    let is_reason = |it: &&X509Extension<'_>| it.oid.to_id_string() == REASON_CODE;
    let mut reasons = extensions.iter().filter(is_reason);
    let Some(reason) = reasons.next() else {
        return Some(UNSPECIFIED);
    };
    let code = Element::tagged(reason.value, ENUMERATED)?.content;
    let is_right = form::is_number(code) && reasons.next().is_none();
    code.last().copied().filter(|_| is_right)
}

impl Scope {
    fn read(value: &[u8]) -> Option<Self> {
        const DISTRIBUTION_POINT: u8 = der::constructed(0);
        const ONLY_USER: u8 = der::primitive(1);
        const ONLY_CA: u8 = der::primitive(2);
        const ONLY_SOME_REASONS: u8 = der::primitive(3);
        const INDIRECT: u8 = der::primitive(4);
        const ONLY_ATTRIBUTE: u8 = der::primitive(5);
        let [point, only_user, only_ca, reasons, indirect, only_attribute] =
            Element::tagged(value, der::SEQUENCE)?.optional([
                DISTRIBUTION_POINT,
                ONLY_USER,
                ONLY_CA,
                ONLY_SOME_REASONS,
                INDIRECT,
                ONLY_ATTRIBUTE,
            ])?;
        let [only_user, only_ca, only_attribute] =
            [flag(only_user)?, flag(only_ca)?, flag(only_attribute)?];
        let kinds = [only_user, only_ca, only_attribute].into_iter();
        let are_bits = reasons.is_none_or(|reasons| form::are_bits(reasons.content));
        let indirect = flag(indirect).filter(|_| are_bits)?;
        Some(Self {
            distribution_point: match point {
                None => None,
                Some(point) => Some(distribution_point_names(&point)?),
            },
            only_user,
            only_ca,
            only_attribute,
            special: reasons.is_some() || indirect,
            invalid: kinds.filter(|only| *only).count() > 1,
        })
    }
}

/// A BOOLEAN that is false by default.
fn flag(field: Option<Element<'_>>) -> Option<bool> {
    match field.map(|field| field.content) {
        None => Some(false),
        Some(&[octet]) => Some(octet != 0),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {

    use x509_parser::extensions::ParsedExtension;

    use super::super::der::wrapped;
    use super::super::testing::unsigned_crl as crl;
    use super::*;

    #[test]
    fn an_authority_key_identifier_that_is_there_twice_does_not_count() {
        let id = wrapped(der::OBJECT_IDENTIFIER, &[&[0x55, 0x1d, 0x23]]);
        let value = wrapped(der::OCTET_STRING, &[&[0x30, 3, 0x80, 1, 7]]);
        let extension = wrapped(der::SEQUENCE, &[&id, &value]);
        let once = crl(&[1], &[&extension]);
        assert!(once.authority_key_identifier.is_some());
        let twice = crl(&[1], &[&extension, &extension]);
        assert_eq!(twice.authority_key_identifier, None);
    }

    #[test]
    fn many_extensions_are_read_in_time() {
        let extension = |number: u32| {
            let [a, b, c, d] = number.to_be_bytes().map(|octet| octet & 0x7f);
            let id = wrapped(der::OBJECT_IDENTIFIER, &[&[0x2a, 1 + a, 1 + b, 1 + c, d]]);
            let value = wrapped(der::OCTET_STRING, &[&[5, 0]]);
            wrapped(der::SEQUENCE, &[&id, &value])
        };
        // Of each of four octets, seven bits.
        let spread = |it: u32| (it & 0x7f) | (it >> 7 & 0x7f) << 8 | (it >> 14) << 16;
        let extensions: Vec<_> = (0..100_000).map(spread).map(extension).collect();
        let extensions: Vec<&[u8]> = extensions.iter().map(Vec::as_slice).collect();
        assert!(!crl(&[1], &extensions).unknown_critical);
    }

    #[test]
    fn a_scope_that_cannot_be_read_or_is_there_twice_is_none() {
        let id = wrapped(der::OBJECT_IDENTIFIER, &[&[0x55, 0x1d, 0x1c]]);
        let scope = |value: &[u8]| {
            let value = wrapped(der::OCTET_STRING, &[value]);
            wrapped(der::SEQUENCE, &[&id, &value])
        };
        let only_ca = scope(&[0x30, 3, 0x82, 1, 0xff]);
        assert!(crl(&[1], &[&only_ca]).scope.only_ca);
        let damaged = scope(&[0x30, 4, 0x82, 2, 0xff, 0xff]);
        for extensions in [&[&damaged[..]][..], &[&only_ca, &only_ca]] {
            assert_eq!(crl(&[1], extensions).scope, Scope::default());
        }
    }

    #[test]
    fn a_reason_code_that_cannot_be_read_is_none() {
        let reason = |value| {
            let id = REASON_CODE.parse().unwrap();
            X509Extension::new(id, true, value, ParsedExtension::Unparsed)
        };
        let right = || reason(&[10, 1, 8]);
        assert_eq!(entry_reason(&[]), Some(UNSPECIFIED));
        assert_eq!(entry_reason(&[right()]), Some(REMOVE_FROM_CRL));
        assert_eq!(entry_reason(&[right(), right()]), None);
        assert_eq!(entry_reason(&[reason(&[5, 0])]), None);
    }

    #[test]
    fn who_revokes_minus_1_does_not_revoke_255() {
        let crl = crl(&[0xff], &[]);
        assert!(crl.revoked.contains_key(&[0xff][..]));
        assert!(!crl.revoked.contains_key(&[0, 0xff][..]));
    }
}
