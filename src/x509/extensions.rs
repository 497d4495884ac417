//! The extensions of a certificate as path validation takes them (RFC 5280 4.2), read as OpenSSL reads
//! them (`ossl_x509v3_cache_extensions`): one that cannot be read, or that is there twice, does not make
//! the certificate unreadable; it makes it one that nobody can be the issuer of.

use x509_parser::asn1_rs::{Oid, oid};
use x509_parser::extensions::X509Extension;

use super::der::{self, Element};
use super::distinguished_name::DistinguishedName;
use super::form;

/// What the extensions of a certificate say.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Extensions {
    /// How many there are.
    pub count: usize,
    /// basicConstraints.
    pub basic_constraints: Option<BasicConstraints>,
    /// keyUsage.
    pub key_usage: Option<KeyUsage>,
    /// extendedKeyUsage.
    pub extended_key_usage: Option<ExtendedKeyUsage>,
    /// Netscape's certificate type, which OpenSSL still heeds.
    pub netscape_type: Option<u8>,
    /// subjectAltName.
    pub subject_alt_name: Option<SubjectAltName>,
    /// nameConstraints.
    pub name_constraints: Option<NameConstraints>,
    /// subjectKeyIdentifier.
    pub subject_key_identifier: Option<Vec<u8>>,
    /// authorityKeyIdentifier.
    pub authority_key_identifier: Option<AuthorityKeyIdentifier>,
    /// cRLDistributionPoints.
    pub distribution_points: Vec<DistributionPoint>,
    /// Whether it is a proxy certificate (RFC 3820).
    pub proxy: bool,
    /// Whether it says what IP addresses or autonomous systems its subject has (RFC 3779).
    pub resources: bool,
    /// The first critical extension that OpenSSL does not know, dotted.
    pub unknown_critical: Option<String>,
    /// The first extension that cannot be read or is there twice, dotted.
    pub invalid: Option<String>,
}

/// basicConstraints.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BasicConstraints {
    /// cA.
    pub ca: bool,
    /// pathLenConstraint.
    pub path_len: Option<u64>,
    /// Whether the extension is critical.
    pub critical: bool,
}

/// keyUsage: bit 0 of RFC 5280 is 0x80.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyUsage(pub u8);

impl KeyUsage {
    /// digitalSignature.
    pub const DIGITAL_SIGNATURE: u8 = 0x80;
    /// keyEncipherment.
    pub const KEY_ENCIPHERMENT: u8 = 0x20;
    /// keyAgreement.
    pub const KEY_AGREEMENT: u8 = 0x08;
    /// keyCertSign.
    pub const KEY_CERT_SIGN: u8 = 0x04;
    /// cRLSign.
    pub const CRL_SIGN: u8 = 0x02;

    /// Whether one of `usages` is set.
    #[must_use]
    pub fn allows(self, usages: u8) -> bool {
        self.0 & usages != 0
    }
}

/// extendedKeyUsage, as far as TLS goes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ExtendedKeyUsage {
    /// serverAuth, or Netscape's or Microsoft's Server Gated Cryptography, which OpenSSL takes for it.
    pub server_auth: bool,
    /// clientAuth.
    pub client_auth: bool,
}

/// subjectAltName.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SubjectAltName {
    /// Its entries, in their order.
    pub names: Vec<GeneralName>,
    /// Whether the extension is critical.
    pub critical: bool,
}

/// A GeneralName (RFC 5280 4.2.1.6) with the octets that stand in it, valid or not.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum GeneralName {
    /// directoryName.
    Directory(DistinguishedName),
    /// dNSName.
    Dns(Vec<u8>),
    /// iPAddress: 4 or 16 octets in a name, 8 or 32 in a constraint; or anything.
    Ip(Vec<u8>),
    /// One of the kinds that no rule looks into, by the number of its tag; the octets tell one otherName
    /// from another.
    Other(u8, Vec<u8>),
    /// rfc822Name.
    Rfc822(Vec<u8>),
    /// uniformResourceIdentifier.
    Uri(Vec<u8>),
}

/// nameConstraints.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NameConstraints {
    /// permittedSubtrees.
    pub permitted: Vec<GeneralSubtree>,
    /// excludedSubtrees.
    pub excluded: Vec<GeneralSubtree>,
}

/// One subtree of names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GeneralSubtree {
    /// base.
    pub base: GeneralName,
    /// Whether minimum is 0 and maximum is absent, as RFC 5280 wants them.
    pub bounds_valid: bool,
}

/// Every reason for revocation, as OpenSSL has ReasonFlags (RFC 5280 4.2.1.13): the octets of the BIT STRING, the
/// first in the lower half.
pub const ALL_REASONS: u16 = 0x807f;

/// One of the places where CRLs are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DistributionPoint {
    /// Its names, if it has any; none of them is known when it has but the end of one.
    pub names: Option<Vec<GeneralName>>,
    /// The reasons for revocation that its CRLs tell of, of [`ALL_REASONS`].
    pub reasons: u16,
    /// Whether another than the certificate's issuer signs its CRLs.
    pub other_issuer: bool,
}

/// authorityKeyIdentifier.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AuthorityKeyIdentifier {
    /// keyIdentifier.
    pub key_identifier: Option<Vec<u8>>,
    /// The first directoryName of authorityCertIssuer.
    pub issuer: Option<DistinguishedName>,
    /// The octets of authorityCertSerialNumber.
    pub serial_number: Option<Vec<u8>>,
}

/// The extensions that OpenSSL takes when they are critical (`X509_supported_extension`).
const KNOWN_CRITICAL: [&[u8]; 15] = [
    AS_IDENTIFIERS,
    IP_ADDRESS_BLOCKS,
    PROXY,
    &oid!(raw 1.3.6.1.5.5.7.48.1.5),
    NETSCAPE_TYPE,
    BASIC_CONSTRAINTS,
    &oid!(raw 2.5.29.32),
    &oid!(raw 2.5.29.33),
    &oid!(raw 2.5.29.36),
    &oid!(raw 2.5.29.54),
    DISTRIBUTION_POINTS,
    EXTENDED_KEY_USAGE,
    KEY_USAGE,
    NAME_CONSTRAINTS,
    SUBJECT_ALT_NAME,
];

const AS_IDENTIFIERS: &[u8] = &oid!(raw 1.3.6.1.5.5.7.1.8);
const AUTHORITY_KEY_IDENTIFIER: &[u8] = &oid!(raw 2.5.29.35);
const BASIC_CONSTRAINTS: &[u8] = &oid!(raw 2.5.29.19);
const DISTRIBUTION_POINTS: &[u8] = &oid!(raw 2.5.29.31);
const EXTENDED_KEY_USAGE: &[u8] = &oid!(raw 2.5.29.37);
const IP_ADDRESS_BLOCKS: &[u8] = &oid!(raw 1.3.6.1.5.5.7.1.7);
const ISSUER_ALT_NAME: &[u8] = &oid!(raw 2.5.29.18);
const KEY_USAGE: &[u8] = &oid!(raw 2.5.29.15);
const NAME_CONSTRAINTS: &[u8] = &oid!(raw 2.5.29.30);
const NETSCAPE_TYPE: &[u8] = &oid!(raw 2.16.840.1.113730.1.1);
const PROXY: &[u8] = &oid!(raw 1.3.6.1.5.5.7.1.14);
const SUBJECT_ALT_NAME: &[u8] = &oid!(raw 2.5.29.17);
const SUBJECT_KEY_IDENTIFIER: &[u8] = &oid!(raw 2.5.29.14);

impl Extensions {
    /// Reads them all.
    #[must_use]
    pub fn read(found: &[X509Extension<'_>]) -> Self {
        let mut extensions = Self {
            count: found.len(),
            ..Self::default()
        };
        let has = |found: &[X509Extension<'_>], id: &[u8]| {
            found.iter().any(|extension| extension.oid.as_bytes() == id)
        };
        for (index, extension) in found.iter().enumerate() {
            let id = extension.oid.as_bytes();
            let is_critical = extension.critical;
            let known = extensions.read_one(id, extension.value, is_critical);
            let is_again = known.is_some() && has(&found[..index], id);
            // OpenSSL reads no certificate with an identifier in more octets than it needs.
            if known == Some(false) || is_again || !form::are_arcs(id) {
                extensions.invalid.get_or_insert_with(|| dotted(id));
            }
            if is_critical && !KNOWN_CRITICAL.contains(&id) {
                extensions
                    .unknown_critical
                    .get_or_insert_with(|| dotted(id));
            }
        }
        let is_ca = extensions.basic_constraints.is_some_and(|it| it.ca);
        let is_named = has(found, SUBJECT_ALT_NAME) || has(found, ISSUER_ALT_NAME);
        // RFC 3820 3.2 to 3.7.
        if extensions.proxy && (is_ca || is_named) {
            extensions.invalid.get_or_insert_with(|| dotted(PROXY));
        }
        extensions
    }

    /// Reads one. None for an extension that no rule looks into, false for one that is not as its
    /// definition says.
    fn read_one(&mut self, id: &[u8], value: &[u8], critical: bool) -> Option<bool> {
        let read = match id {
            AS_IDENTIFIERS => mark(&mut self.resources, form::is_as_identifiers(value)),
            AUTHORITY_KEY_IDENTIFIER => keep(&mut self.authority_key_identifier, authority(value)),
            BASIC_CONSTRAINTS => keep(
                &mut self.basic_constraints,
                basic_constraints(value, critical),
            ),
            DISTRIBUTION_POINTS => {
                let points = distribution_points(value);
                let is_read = points.is_some();
                self.distribution_points = points.unwrap_or_default();
                is_read
            }
            EXTENDED_KEY_USAGE => keep(&mut self.extended_key_usage, extended_key_usage(value)),
            IP_ADDRESS_BLOCKS => mark(&mut self.resources, form::is_ip_addr_blocks(value)),
            KEY_USAGE => keep(&mut self.key_usage, key_usage(value)),
            NAME_CONSTRAINTS => keep(&mut self.name_constraints, name_constraints(value)),
            NETSCAPE_TYPE => keep(&mut self.netscape_type, first_octet(value)),
            PROXY => mark(&mut self.proxy, form::is_proxy_cert_info(value)),
            SUBJECT_ALT_NAME => {
                let names = Element::sequence_of(value);
                let names = names.and_then(|names| general_names(&names));
                let names = names.map(|names| SubjectAltName { names, critical });
                keep(&mut self.subject_alt_name, names)
            }
            SUBJECT_KEY_IDENTIFIER => {
                let identifier = Element::tagged(value, der::OCTET_STRING);
                let identifier = identifier.map(|it| it.content.to_vec());
                keep(&mut self.subject_key_identifier, identifier)
            }
            _ => return None,
        };
        Some(read)
    }
}

fn dotted(id: &[u8]) -> String {
    Oid::new(id.into()).to_id_string()
}

/// Notes that an extension is there that has the form of its definition; whether it has.
fn mark(place: &mut bool, is_right: bool) -> bool {
    *place |= is_right;
    is_right
}

/// Keeps what was read; whether anything was.
fn keep<T>(place: &mut Option<T>, read: Option<T>) -> bool {
    let is_read = read.is_some();
    *place = read;
    is_read
}

fn basic_constraints(value: &[u8], critical: bool) -> Option<BasicConstraints> {
    let sequence = Element::tagged(value, der::SEQUENCE)?;
    let [ca, path_len] = sequence.optional([der::BOOLEAN, der::INTEGER])?;
    let ca = match ca.map(|ca| ca.content) {
        None => false,
        Some(&[octet]) => octet != 0,
        Some(_) => return None,
    };
    let path_len = match path_len.map(|number| number.content) {
        None => None,
        Some(number) => positive(number)?,
    };
    Some(BasicConstraints {
        ca,
        path_len,
        critical,
    })
}

/// An INTEGER that is not negative: OpenSSL takes one that a signed number of 64 bits does not hold for
/// none at all.
fn positive(octets: &[u8]) -> Option<Option<u64>> {
    let is_right = form::is_number(octets) && octets[0] & 0x80 == 0;
    let add = |number: u64, octet: &u8| number << 8 | u64::from(*octet);
    is_right.then(|| (octets.len() <= 8).then(|| octets.iter().fold(0, add)))
}

/// The first octet of a BIT STRING, which has every bit that a rule asks for.
fn first_octet(value: &[u8]) -> Option<u8> {
    let bits = Element::tagged(value, der::BIT_STRING)?.content;
    let (unused, octets) = bits.split_first().filter(|_| form::are_bits(bits))?;
    let mask = if octets.len() == 1 {
        0xff << unused
    } else {
        0xff
    };
    Some(octets.first().copied().unwrap_or(0) & mask)
}

/// A keyUsage without any bit is invalid.
fn key_usage(value: &[u8]) -> Option<KeyUsage> {
    let bits = Element::tagged(value, der::BIT_STRING)?.content;
    let usages = first_octet(value)?;
    let decipher_only = bits.get(2).is_some_and(|octet| octet & 0x80 != 0);
    (usages != 0 || decipher_only).then_some(KeyUsage(usages))
}

fn extended_key_usage(value: &[u8]) -> Option<ExtendedKeyUsage> {
    const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
    const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
    const NETSCAPE_SGC: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x42, 4, 1];
    const MICROSOFT_SGC: &[u8] = &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 10, 3, 3];
    let purposes = Element::sequence_of(value)?;
    let mut usage = ExtendedKeyUsage::default();
    for purpose in purposes.each() {
        let purpose = purpose?;
        if !form::is_object_identifier(&purpose) {
            return None;
        }
        usage.server_auth |= [SERVER_AUTH, NETSCAPE_SGC, MICROSOFT_SGC].contains(&purpose.content);
        usage.client_auth |= purpose.content == CLIENT_AUTH;
    }
    Some(usage)
}

/// Reads an authorityKeyIdentifier, which CRLs have too.
pub(super) fn authority(value: &[u8]) -> Option<AuthorityKeyIdentifier> {
    let mut fields = Element::tagged(value, der::SEQUENCE)?.fields();
    let key = fields.take(der::primitive(0));
    let issuer = fields.take_list(1);
    let serial_number = fields.take(der::primitive(2));
    if !fields.is_empty() {
        return None;
    }
    let issuer = match issuer {
        None => None,
        Some(names) => general_names(&names)?
            .into_iter()
            .find_map(|name| match name {
                GeneralName::Directory(name) => Some(name),
                _ => None,
            }),
    };
    if serial_number.is_some_and(|number| !form::is_number(number.content)) {
        return None;
    }
    Some(AuthorityKeyIdentifier {
        key_identifier: key.map(|key| key.content.to_vec()),
        issuer,
        serial_number: serial_number.map(|number| number.content.to_vec()),
    })
}

/// GeneralNames, whatever their tag.
fn general_names(names: &Element<'_>) -> Option<Vec<GeneralName>> {
    names.each().map(|name| general_name(&name?)).collect()
}

fn general_name(name: &Element<'_>) -> Option<GeneralName> {
    const RFC822: u8 = der::primitive(1);
    const DNS: u8 = der::primitive(2);
    const DIRECTORY: u8 = der::constructed(4);
    const URI: u8 = der::primitive(6);
    const IP: u8 = der::primitive(7);
    const OTHER: u8 = der::constructed(0);
    const X400: u8 = der::constructed(3);
    const EDI_PARTY: u8 = der::constructed(5);
    const REGISTERED_ID: u8 = der::primitive(8);
    let octets = name.content.to_vec();
    let is_right = match name.tag {
        RFC822 => return Some(GeneralName::Rfc822(octets)),
        DNS => return Some(GeneralName::Dns(octets)),
        DIRECTORY => {
            let name = DistinguishedName::from_der(name.only()?.whole).ok()?;
            return Some(GeneralName::Directory(name));
        }
        URI => return Some(GeneralName::Uri(octets)),
        IP => return Some(GeneralName::Ip(octets)),
        OTHER => form::is_other_name(name),
        X400 => true,
        EDI_PARTY => form::is_edi_party_name(name),
        REGISTERED_ID => form::are_arcs(name.content),
        _ => false,
    };
    is_right.then_some(GeneralName::Other(name.tag & 0x1f, octets))
}

fn distribution_points(value: &[u8]) -> Option<Vec<DistributionPoint>> {
    let points = Element::sequence_of(value)?;
    points.each().map(|it| distribution_point(&it?)).collect()
}

fn distribution_point(point: &Element<'_>) -> Option<DistributionPoint> {
    let mut fields = point.fields();
    let name = fields.take(der::constructed(0));
    let reasons = fields.take(der::primitive(1));
    let issuer = fields.take_list(2);
    if point.tag != der::SEQUENCE || !fields.is_empty() {
        return None;
    }
    let names = match name {
        None => None,
        Some(name) => Some(distribution_point_names(&name)?),
    };
    let issuers = match issuer {
        None => Vec::new(),
        Some(issuer) => general_names(&issuer)?,
    };
    // RFC 5280 4.2.1.13: it must not consist of reasons only.
    let is_right = names.is_some() || !issuers.is_empty();
    is_right.then_some(DistributionPoint {
        names,
        reasons: match reasons {
            None => ALL_REASONS,
            Some(reasons) => reason_flags(reasons.content)?,
        },
        other_issuer: issuer.is_some(),
    })
}

fn reason_flags(bits: &[u8]) -> Option<u16> {
    let (unused, octets) = bits.split_first().filter(|_| form::are_bits(bits))?;
    let mask = 0xff << unused;
    let (first, second) = match octets {
        [] => (0, 0),
        [only] => (only & mask, 0),
        [first, last] => (*first, last & mask),
        [first, second, ..] => (*first, *second),
    };
    Some(u16::from_le_bytes([first, second]) & ALL_REASONS)
}

/// The names of a DistributionPointName behind an explicit tag, which a CRL has too; of one that is given
/// relative to the issuer's, none.
pub(super) fn distribution_point_names(name: &Element<'_>) -> Option<Vec<GeneralName>> {
    let mut names = name.fields();
    let (full, relative) = (names.take_list(0), names.take_list(1));
    let is_attributes = |name: Element<'_>| name.fields().all(form::is_attribute);
    match (full, relative) {
        _ if !names.is_empty() => None,
        (Some(name), None) => general_names(&name),
        (None, Some(name)) => is_attributes(name).then(Vec::new),
        _ => None,
    }
}

fn name_constraints(value: &[u8]) -> Option<NameConstraints> {
    let sequence = Element::tagged(value, der::SEQUENCE)?;
    let subtrees = |field: Option<Element<'_>>| match field {
        None => Some(Vec::new()),
        Some(field) => field.elements()?.iter().map(subtree).collect(),
    };
    let mut fields = sequence.fields();
    let (permitted, excluded) = (fields.take_list(0), fields.take_list(1));
    fields.is_empty().then_some(NameConstraints {
        permitted: subtrees(permitted)?,
        excluded: subtrees(excluded)?,
    })
}

fn subtree(subtree: &Element<'_>) -> Option<GeneralSubtree> {
    const MINIMUM: u8 = der::primitive(0);
    const MAXIMUM: u8 = der::primitive(1);
    let (base, bounds) = Element::first(subtree.content)?;
    let bounds = Element {
        content: bounds,
        ..*subtree
    };
    let [minimum, maximum] = bounds.optional([MINIMUM, MAXIMUM])?;
    let is_number = |bound: &Element<'_>| form::is_number(bound.content);
    let is_right = subtree.tag == der::SEQUENCE
        && minimum.as_ref().is_none_or(is_number)
        && maximum.as_ref().is_none_or(is_number);
    let is_zero = |bound: Element<'_>| bound.content == [0];
    is_right.then_some(GeneralSubtree {
        base: general_name(&base)?,
        bounds_valid: maximum.is_none() && minimum.is_none_or(is_zero),
    })
}

#[cfg(test)]
mod tests {
    use x509_parser::extensions::ParsedExtension;

    use super::*;

    fn read(found: &[(&[u8], &[u8])]) -> Extensions {
        let found = found.iter().map(|(id, value)| {
            let parsed = ParsedExtension::Unparsed;
            X509Extension::new(Oid::new((*id).into()), false, value, parsed)
        });
        Extensions::read(&found.collect::<Vec<_>>())
    }

    fn is_valid(found: &[(&[u8], &[u8])]) -> bool {
        read(found).invalid.is_none()
    }

    #[test]
    fn a_list_is_one_whether_its_tag_is_constructed_or_not() {
        for list in [0x30, 0x10] {
            assert!(is_valid(&[(SUBJECT_ALT_NAME, &[list, 3, 0x82, 1, b'a'])]));
            assert!(is_valid(&[(EXTENDED_KEY_USAGE, &[list, 0])]));
        }
        let point = |issuer| [0x30, 8, 0x30, 6, issuer, 4, 0xa4, 2, 0x30, 0];
        for (issuer, is_right) in [(0xa2, true), (0x82, true), (0x83, false)] {
            let points = point(issuer);
            assert_eq!(is_valid(&[(DISTRIBUTION_POINTS, &points)]), is_right);
        }
        // A SEQUENCE is not one of its bits.
        assert!(!is_valid(&[(BASIC_CONSTRAINTS, &[0x10, 0])]));
    }

    #[test]
    fn the_reasons_of_a_distribution_point_are_those_whose_bits_count() {
        for (bits, reasons) in [
            (&[1, 0x06][..], 0x06),
            (&[2, 0x07], 0x04),
            (&[0, 0xff, 0xff], ALL_REASONS),
            (&[7, 0x06, 0xff], 0x8006 & ALL_REASONS),
            (&[0], 0),
        ] {
            assert_eq!(reason_flags(bits), Some(reasons), "{bits:?}");
        }
        assert_eq!(reason_flags(&[]), None);
        assert_eq!(reason_flags(&[8, 0xff]), None);
    }

    const PROXY_CERT_INFO: &[u8] = &[0x30, 7, 0x30, 5, 6, 3, 0x2a, 3, 4];

    #[test]
    fn a_proxy_certificate_is_no_ca_and_has_no_alternative_name() {
        let proxy = (PROXY, PROXY_CERT_INFO);
        let no_ca = (BASIC_CONSTRAINTS, &[0x30, 0][..]);
        assert!(is_valid(&[proxy, no_ca]));
        for other in [
            (BASIC_CONSTRAINTS, &[0x30, 3, 1, 1, 0xff][..]),
            (ISSUER_ALT_NAME, &[0x30, 0]),
            (SUBJECT_ALT_NAME, &[0x30, 0]),
        ] {
            assert!(!is_valid(&[other, proxy]), "{other:?}");
        }
        let damaged = read(&[(PROXY, &[0x30, 0])]);
        assert!(!damaged.proxy && damaged.invalid.is_some());
    }

    #[test]
    fn an_identifier_has_no_octet_too_many() {
        let no_ca = &[0x30, 0][..];
        assert!(is_valid(&[(BASIC_CONSTRAINTS, no_ca), (&[0x2a, 3], no_ca)]));
        for id in [&[0x55, 0x1d, 0x80, 0x13][..], &[0x55, 0x1d, 0x93]] {
            let read = read(&[(id, no_ca)]);
            assert_eq!(read.basic_constraints, None);
            assert_eq!(read.invalid.as_deref(), Some("2.5.29.19"));
        }
    }

    #[test]
    fn resources_that_are_damaged_make_the_certificate_invalid() {
        let blocks = read(&[(IP_ADDRESS_BLOCKS, &[0x30, 0])]);
        assert!(blocks.resources && blocks.invalid.is_none());
        assert!(!is_valid(&[(IP_ADDRESS_BLOCKS, &[5, 0])]));
        assert!(!is_valid(&[(AS_IDENTIFIERS, &[5, 0])]));
    }

    #[test]
    fn fields_have_their_order_and_numbers_their_form() {
        for (id, damaged) in [
            (
                AUTHORITY_KEY_IDENTIFIER,
                &[0x30, 5, 0x82, 1, 1, 0x80, 0][..],
            ),
            (AUTHORITY_KEY_IDENTIFIER, &[0x30, 4, 0x80, 0, 0x80, 0]),
            (AUTHORITY_KEY_IDENTIFIER, &[0x30, 4, 0x82, 2, 0, 1]),
            (BASIC_CONSTRAINTS, &[0x30, 4, 1, 2, 0xff, 0xff]),
            (BASIC_CONSTRAINTS, &[0x30, 3, 2, 1, 0xff]),
            (BASIC_CONSTRAINTS, &[0x30, 4, 2, 2, 0, 1]),
            (DISTRIBUTION_POINTS, &[0x30, 2, 0x05, 0]),
            (DISTRIBUTION_POINTS, &[0x30, 2, 0x30, 0]),
            (DISTRIBUTION_POINTS, &[0x30, 6, 0x30, 4, 0x81, 2, 1, 6]),
            (EXTENDED_KEY_USAGE, &[0x30, 4, 6, 2, 0x55, 0x9d]),
            (NAME_CONSTRAINTS, &[0x30, 4, 0xa0, 2, 0x31, 0]),
            (NAME_CONSTRAINTS, &[0x30, 4, 0xa1, 0, 0xa0, 0]),
            (SUBJECT_ALT_NAME, &[0x30, 2, 0xa0, 0]),
            (SUBJECT_ALT_NAME, &[0x30, 6, 0xa4, 4, 0x30, 0, 0x30, 0]),
        ] {
            assert!(!is_valid(&[(id, damaged)]), "{} {damaged:?}", dotted(id));
        }
    }

    #[test]
    fn a_path_length_beyond_63_bits_is_none() {
        let path_len = |octets: &[u8]| {
            let number = der::wrapped(der::INTEGER, &[octets]);
            let value = der::wrapped(der::SEQUENCE, &[&number]);
            read(&[(BASIC_CONSTRAINTS, &value)])
                .basic_constraints
                .unwrap()
                .path_len
        };
        assert_eq!(path_len(&[0x7f; 8]), Some(0x7f7f_7f7f_7f7f_7f7f));
        assert_eq!(
            path_len(&[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            None
        );
    }
}
