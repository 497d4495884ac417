//! Certificates and CRLs as `expiry` sees them: from when to when, and whose.
//!
//! What OpenSSL and x509-parser read is read, and where OpenSSL alone refuses that is said. Each
//! field must be where RFC 5280 has it, but nobody looks into what has no date: an extension that is
//! damaged is no obstacle. Ten thousand certificates are an ordinary directory, so that no more memory
//! is taken than for the answer.

use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use super::date;
use super::der::{self, Element, Fields};
use super::digest::sha256;
use super::distinguished_name;
use super::error::Error;
use super::{form, name};
use crate::domain::digest::Digest;
use crate::domain::expiry::PathRole;
use crate::domain::text::{Hex, Plain};

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
    /// Whose it is.
    pub identity: Identity,
    /// SHA-256 of the DER.
    pub fingerprint: Digest,
}

/// Whose a certificate or a CRL is, as it says so itself: octets, in one piece of memory, for there
/// may be a hundred thousand of them.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Identity {
    octets: Box<[u8]>,
    /// Where each part but the last ends.
    ends: [u32; 3],
}

impl Identity {
    /// Puts the parts together; each is what the method of its name returns.
    ///
    /// # Panics
    /// When they are longer than 4 GiB, which no file is that anybody reads.
    #[must_use]
    pub fn new(
        serial_octets: &[u8],
        issuer: &[u8],
        subject: &[u8],
        subject_alt_name: &[u8],
    ) -> Self {
        let parts = [serial_octets, issuer, subject, subject_alt_name];
        let mut end = 0;
        let ends = [serial_octets, issuer, subject].map(|part| {
            end += part.len();
            u32::try_from(end).expect("a file is at most 1 GiB")
        });
        Self {
            octets: parts.concat().into(),
            ends,
        }
    }

    /// The octets of the serial number as they stand (a two's complement); of a CRL, those of its
    /// number, empty when it has none.
    #[must_use]
    pub fn serial_octets(&self) -> &[u8] {
        &self.octets[..self.end(0)]
    }

    /// The issuer's name in DER.
    #[must_use]
    pub fn issuer(&self) -> &[u8] {
        &self.octets[self.end(0)..self.end(1)]
    }

    /// The subject's name in DER; empty for a CRL.
    #[must_use]
    pub fn subject(&self) -> &[u8] {
        &self.octets[self.end(1)..self.end(2)]
    }

    /// The value of subjectAltName; empty when there is none.
    #[must_use]
    pub fn subject_alt_name(&self) -> &[u8] {
        &self.octets[self.end(2)..]
    }

    fn end(&self, part: usize) -> usize {
        self.ends[part] as usize
    }
}

/// What was read, and how.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reading {
    /// What it is.
    pub dated: Dated,
    /// How many octets it is; there may be more behind it.
    pub length: usize,
    /// Why OpenSSL refuses it, with the thing as `it`.
    pub openssl_rejects: Option<&'static str>,
}

/// Reads the certificate that `bytes` begin with.
///
/// # Errors
/// [`Error::CertificateDamaged`] and [`Error::DateDamaged`].
pub fn certificate(bytes: &[u8]) -> Result<Reading, Error> {
    let because = "it is cut off, or no X.509 certificate (RFC 5280 4.1)";
    let read = Signed::read(bytes).and_then(|signed| Some((Certificate::read(&signed)?, signed)));
    let (certificate, signed) = read.ok_or(Error::CertificateDamaged { because })?;
    let not_before = seconds("notBefore", &certificate.not_before)?;
    let not_after = seconds("notAfter", &certificate.not_after)?;
    let is_padded = !form::is_number(certificate.serial.content);
    let names = [&certificate.issuer, &certificate.subject];
    Ok(Reading {
        dated: Dated {
            role: certificate.role(),
            not_before,
            not_after: Some(not_after),
            identity: Identity::new(
                certificate.serial.content,
                certificate.issuer.whole,
                certificate.subject.whole,
                certificate.subject_alt_name,
            ),
            fingerprint: sha256(signed.whole),
        },
        length: signed.whole.len(),
        openssl_rejects: match () {
            () if is_padded => Some("its serial number is not in the fewest octets"),
            () if !certificate.has_algorithms => Some(UNREADABLE_ALGORITHM),
            () if !names.into_iter().all(is_readable) => Some(UNREADABLE_NAME),
            () => None,
        },
    })
}

/// Reads the CRL that `bytes` begin with.
///
/// # Errors
/// [`Error::CrlDamaged`] and [`Error::DateDamaged`].
pub fn crl(bytes: &[u8]) -> Result<Reading, Error> {
    let because = "it is cut off, or no CertificateList (RFC 5280 5.1)";
    let read = Signed::read(bytes).and_then(|signed| Some((Crl::read(&signed)?, signed)));
    let (crl, signed) = read.ok_or(Error::CrlDamaged { because })?;
    let next_update = crl.next_update.as_ref();
    Ok(Reading {
        dated: Dated {
            role: PathRole::Crl,
            not_before: seconds("thisUpdate", &crl.this_update)?,
            not_after: next_update
                .map(|date| seconds("nextUpdate", date))
                .transpose()?,
            identity: Identity::new(crl.number, crl.issuer.whole, &[], &[]),
            fingerprint: sha256(signed.whole),
        },
        length: signed.whole.len(),
        openssl_rejects: match () {
            () if !crl.has_algorithms => Some(UNREADABLE_ALGORITHM),
            () if !is_readable(&crl.issuer) => Some(UNREADABLE_NAME),
            () => None,
        },
    })
}

/// Whether `bytes` begin with a CRL of which OpenSSL and x509-parser read every part. That one passes over
/// names and extensions that it cannot read, over what stands behind the signature, and over what of a name
/// stands behind a set without an attribute, which OpenSSL does take.
pub(super) fn is_readable_crl(bytes: &[u8]) -> bool {
    crl(bytes).is_ok_and(|reading| {
        let issuer = Element::tagged(reading.dated.identity.issuer(), der::SEQUENCE);
        let has_attributes = |set: &Element<'_>| !set.content.is_empty();
        reading.openssl_rejects.is_none()
            && issuer.is_some_and(|issuer| issuer.fields().all(has_attributes))
    })
}

const UNREADABLE_ALGORITHM: &str = "one of its algorithms cannot be read";
const UNREADABLE_NAME: &str = "one of its names cannot be read";

impl Dated {
    /// The subject as text, escaped; empty for a CRL.
    #[must_use]
    pub fn subject(&self) -> String {
        shown(self.identity.subject())
    }

    /// The issuer as text, escaped.
    #[must_use]
    pub fn issuer(&self) -> String {
        shown(self.identity.issuer())
    }

    /// The subject's last common name, escaped.
    #[must_use]
    pub fn common_name(&self) -> Option<String> {
        name::common_name(&X509Name::from_der(self.identity.subject()).ok()?.1)
    }

    /// The subject's first attribute of a keyword such as `CN`, `O` or `ST`; nothing is escaped.
    #[must_use]
    pub fn subject_attribute(&self, keyword: &str) -> Option<String> {
        name::first_value(
            &X509Name::from_der(self.identity.subject()).ok()?.1,
            keyword,
        )
    }

    /// The issuer's first attribute of a keyword such as `CN`, `O` or `ST`; nothing is escaped.
    #[must_use]
    pub fn issuer_attribute(&self, keyword: &str) -> Option<String> {
        name::first_value(&X509Name::from_der(self.identity.issuer()).ok()?.1, keyword)
    }

    /// The dNSName entries of subjectAltName, escaped.
    #[must_use]
    pub fn dns_names(&self) -> Vec<String> {
        const DNS_NAME: u8 = der::primitive(2);
        let mut names = Vec::new();
        if let Some(all) = Element::tagged(self.identity.subject_alt_name(), der::SEQUENCE) {
            all.fields().all(|name| {
                if name.tag == DNS_NAME {
                    names.push(match str::from_utf8(name.content) {
                        Ok(text) => Plain(text).to_string(),
                        Err(_) => name.content.escape_ascii().to_string(),
                    });
                }
                true
            });
        }
        names
    }

    /// The serial number, or a CRL's number, in decimal digits; empty when there is none. Beyond
    /// 4096 octets, where nobody can mean it, in hexadecimal ones behind `0x`.
    #[must_use]
    pub fn serial_decimal(&self) -> String {
        decimal(self.identity.serial_octets())
    }
}

fn shown(der: &[u8]) -> String {
    X509Name::from_der(der).map_or_else(|_| String::new(), |(_, parsed)| name::show(&parsed))
}

/// A two's complement in decimal digits.
fn decimal(octets: &[u8]) -> String {
    /// Real ones have 20 octets. The time that this takes grows with the square of their number.
    const MOST: usize = 4096;
    const BILLION: u64 = 1_000_000_000;
    let is_negative = octets.first().is_some_and(|first| first & 0x80 != 0);
    match octets.len() {
        0 => return String::new(),
        1..=MOST => {}
        _ => return format!("0x{}", Hex(octets)),
    }
    let mut limbs: Vec<u32> = octets
        .rchunks(4)
        .map(|chunk| {
            let filling = if is_negative { u32::MAX } else { 0 };
            let join = |limb: u32, octet: &u8| limb << 8 | u32::from(*octet);
            chunk.iter().fold(filling, join)
        })
        .collect();
    if is_negative {
        let mut carry = true;
        for limb in &mut limbs {
            (*limb, carry) = (!*limb).overflowing_add(carry.into());
        }
    }
    // From the last nine digits to the first.
    let mut parts = Vec::new();
    while limbs.last().is_some() {
        let mut remainder = 0;
        for limb in limbs.iter_mut().rev() {
            let value = remainder << 32 | u64::from(*limb);
            *limb = (value / BILLION) as u32;
            remainder = value % BILLION;
        }
        parts.push(remainder);
        while limbs.last() == Some(&0) {
            limbs.pop();
        }
    }
    let mut digits = String::from(if is_negative { "-" } else { "" });
    let first = parts.pop().unwrap_or(0);
    digits.push_str(&first.to_string());
    for part in parts.iter().rev() {
        digits.push_str(&format!("{part:09}"));
    }
    digits
}

/// What a certificate and a CRL have in common: something signed, an algorithm and a signature.
struct Signed<'a> {
    whole: &'a [u8],
    fields: Fields<'a>,
    has_algorithm: bool,
}

impl<'a> Signed<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let outer = Element::tagged(bytes, der::SEQUENCE)?;
        let mut parts = outer.fields();
        let signed = parts.take(der::SEQUENCE)?;
        let has_algorithm = algorithm(&mut parts)?;
        parts.take(der::BIT_STRING)?;
        parts.is_empty().then_some(Self {
            whole: outer.whole,
            fields: signed.fields(),
            has_algorithm,
        })
    }
}

/// What of a TBSCertificate is asked for.
struct Certificate<'a> {
    is_version_1: bool,
    serial: Element<'a>,
    has_algorithms: bool,
    issuer: Element<'a>,
    not_before: Element<'a>,
    not_after: Element<'a>,
    subject: Element<'a>,
    is_ca: bool,
    subject_alt_name: &'a [u8],
}

const VERSION: u8 = der::constructed(0);
const TIMES: [u8; 2] = [date::UTC_TIME, date::GENERALIZED_TIME];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const CRL_NUMBER: &[u8] = &[0x55, 0x1d, 0x14];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

impl<'a> Certificate<'a> {
    fn read(signed: &Signed<'a>) -> Option<Self> {
        const ISSUER_UNIQUE_ID: [u8; 2] = [der::primitive(1), der::constructed(1)];
        const SUBJECT_UNIQUE_ID: [u8; 2] = [der::primitive(2), der::constructed(2)];
        const EXTENSIONS: u8 = der::constructed(3);
        let mut fields = signed.fields.clone();
        let version = match fields.take(VERSION) {
            Some(version) => version.fields().take(der::INTEGER)?.content,
            None => &[0],
        };
        let serial = fields.take(der::INTEGER)?;
        let mut has_algorithms = signed.has_algorithm & algorithm(&mut fields)?;
        let issuer = fields.take(der::SEQUENCE)?;
        let mut validity = fields.take(der::SEQUENCE)?.fields();
        let (not_before, not_after) =
            (validity.take_one_of(&TIMES)?, validity.take_one_of(&TIMES)?);
        let subject = fields.take(der::SEQUENCE)?;
        let mut public_key = fields.take(der::SEQUENCE)?.fields();
        has_algorithms &= algorithm(&mut public_key)?;
        public_key.take(der::BIT_STRING)?;
        fields.take_one_of(&ISSUER_UNIQUE_ID);
        fields.take_one_of(&SUBJECT_UNIQUE_ID);
        let (mut is_ca, mut subject_alt_name) = (None, None);
        extensions(&mut fields, EXTENSIONS, |id, value| match id {
            BASIC_CONSTRAINTS => is_ca = is_ca.or_else(|| Some(says_ca(value))),
            SUBJECT_ALT_NAME => subject_alt_name = subject_alt_name.or(Some(value)),
            _ => {}
        })?;
        let is_whole = fields.is_empty() && validity.is_empty() && public_key.is_empty();
        is_whole.then_some(Self {
            is_version_1: version == [0],
            serial,
            has_algorithms,
            issuer,
            not_before,
            not_after,
            subject,
            is_ca: is_ca.unwrap_or(false),
            subject_alt_name: subject_alt_name.unwrap_or_default(),
        })
    }

    /// Version 1 has no basicConstraints: there, whoever issues itself is a CA.
    fn role(&self) -> PathRole {
        let is_self_issued = self.issuer.whole == self.subject.whole;
        match self.is_ca {
            true if is_self_issued => PathRole::Root,
            true => PathRole::Intermediate,
            false if self.is_version_1 && is_self_issued => PathRole::Root,
            false => PathRole::Leaf,
        }
    }
}

/// What of a TBSCertList is asked for.
struct Crl<'a> {
    has_algorithms: bool,
    issuer: Element<'a>,
    this_update: Element<'a>,
    next_update: Option<Element<'a>>,
    number: &'a [u8],
}

impl<'a> Crl<'a> {
    fn read(signed: &Signed<'a>) -> Option<Self> {
        const EXTENSIONS: u8 = der::constructed(0);
        let mut fields = signed.fields.clone();
        // The version.
        fields.take(der::INTEGER);
        let has_algorithms = signed.has_algorithm & algorithm(&mut fields)?;
        let issuer = fields.take(der::SEQUENCE)?;
        let this_update = fields.take_one_of(&TIMES)?;
        let next_update = fields.take_one_of(&TIMES);
        if let Some(revoked) = fields.take(der::SEQUENCE) {
            let are_entries = revoked.fields().all(|entry| {
                let mut fields = entry.fields();
                let serial = fields.take(der::INTEGER);
                serial.is_some() && fields.take_one_of(&TIMES).is_some()
            });
            are_entries.then_some(())?;
        }
        let mut number = None;
        extensions(&mut fields, EXTENSIONS, |id, value| {
            if id == CRL_NUMBER && number.is_none() {
                number = Element::tagged(value, der::INTEGER).map(|number| number.content);
            }
        })?;
        fields.is_empty().then_some(Self {
            has_algorithms,
            issuer,
            this_update,
            next_update,
            number: number.unwrap_or_default(),
        })
    }
}

fn seconds(field: &'static str, element: &Element<'_>) -> Result<i64, Error> {
    date::seconds(element.tag, element.content).map_err(|because| Error::DateDamaged {
        field,
        octets: element.content.escape_ascii().to_string(),
        because,
    })
}

/// Takes an AlgorithmIdentifier; whether it is a right one.
fn algorithm(fields: &mut Fields<'_>) -> Option<bool> {
    let kind = fields
        .take(der::SEQUENCE)?
        .fields()
        .take(der::OBJECT_IDENTIFIER);
    Some(kind.is_some_and(|kind| form::is_object_identifier(&kind)))
}

/// Whether OpenSSL reads a Name.
fn is_readable(name: &Element<'_>) -> bool {
    let is_attribute = |attribute: &Element<'_>| {
        let mut parts = attribute.fields();
        let kind = parts.take(der::OBJECT_IDENTIFIER);
        let is_kind = kind.is_some_and(|kind| form::is_object_identifier(&kind));
        let mut values = 0;
        let are_values = parts.all(|value| {
            values += 1;
            distinguished_name::is_value(value)
        });
        attribute.tag == der::SEQUENCE && is_kind && are_values && values == 1
    };
    name.fields()
        .all(|set| set.tag == der::SET && set.fields().all(is_attribute))
}

/// Takes the extensions behind an explicit tag, if they are there: the octets of each one's OBJECT
/// IDENTIFIER, and its value.
fn extensions<'a>(
    fields: &mut Fields<'a>,
    tag: u8,
    mut each: impl FnMut(&'a [u8], &'a [u8]),
) -> Option<()> {
    let Some(explicit) = fields.take(tag) else {
        return Some(());
    };
    let all = explicit.fields().take(der::SEQUENCE)?;
    let are_extensions = all.fields().all(|extension| {
        let mut parts = extension.fields();
        let id = parts.take(der::OBJECT_IDENTIFIER);
        parts.take(der::BOOLEAN);
        let value = parts.take(der::OCTET_STRING);
        match (id, value) {
            (Some(id), Some(value)) => {
                each(id.content, value.content);
                true
            }
            _ => false,
        }
    });
    are_extensions.then_some(())
}

/// Whether the value of basicConstraints says CA:TRUE.
fn says_ca(value: &[u8]) -> bool {
    let constraints = Element::tagged(value, der::SEQUENCE);
    let says = constraints.and_then(|it| it.fields().take(der::BOOLEAN));
    says.is_some_and(|says| says.content.iter().any(|octet| *octet != 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::wrapped;

    #[test]
    fn an_attribute_has_one_value() {
        const UTF8_STRING: u8 = 12;
        let kind = wrapped(der::OBJECT_IDENTIFIER, &[&[0x55, 4, 3]]);
        let value = wrapped(UTF8_STRING, &[b"ca"]);
        for (parts, expected) in [
            (vec![&*kind, &value], true),
            (vec![&kind], false),
            (vec![&kind, &value, &value], false),
            (vec![&value], false),
        ] {
            let attribute = wrapped(der::SEQUENCE, &parts);
            let name = wrapped(der::SEQUENCE, &[&wrapped(der::SET, &[&attribute])]);
            let (name, _) = Element::first(&name).unwrap();
            assert_eq!(is_readable(&name), expected, "{parts:02x?}");
        }
    }
}
