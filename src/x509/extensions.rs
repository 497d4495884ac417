//! The extensions of a certificate as path validation takes them (RFC 5280 4.2), read as OpenSSL reads
//! them (`ossl_x509v3_cache_extensions`): one that cannot be read, or that is there twice, does not make
//! the certificate unreadable; it makes it one that nobody can be the issuer of.

use x509_parser::extensions::X509Extension;

use super::der::{self, Element};
use super::distinguished_name::DistinguishedName;

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
    /// Whether cRLDistributionPoints is there.
    pub distribution_points: bool,
    /// Whether it is a proxy certificate (RFC 3820).
    pub proxy: bool,
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
#[derive(Clone, Debug, Eq, PartialEq)]
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

/// authorityKeyIdentifier.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AuthorityKeyIdentifier {
    /// keyIdentifier.
    pub key_identifier: Option<Vec<u8>>,
    /// The first directoryName of authorityCertIssuer.
    pub issuer: Option<DistinguishedName>,
    /// authorityCertSerialNumber, without leading zeros.
    pub serial_number: Option<Vec<u8>>,
}

/// The extensions that OpenSSL takes when they are critical (`X509_supported_extension`).
const KNOWN_CRITICAL: [&str; 15] = [
    "1.3.6.1.5.5.7.1.14",
    "1.3.6.1.5.5.7.1.7",
    "1.3.6.1.5.5.7.1.8",
    "1.3.6.1.5.5.7.48.1.5",
    "2.16.840.1.113730.1.1",
    BASIC_CONSTRAINTS,
    "2.5.29.32",
    "2.5.29.33",
    "2.5.29.36",
    "2.5.29.54",
    DISTRIBUTION_POINTS,
    EXTENDED_KEY_USAGE,
    KEY_USAGE,
    NAME_CONSTRAINTS,
    SUBJECT_ALT_NAME,
];

const AUTHORITY_KEY_IDENTIFIER: &str = "2.5.29.35";
const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const DISTRIBUTION_POINTS: &str = "2.5.29.31";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const KEY_USAGE: &str = "2.5.29.15";
const NAME_CONSTRAINTS: &str = "2.5.29.30";
const NETSCAPE_TYPE: &str = "2.16.840.1.113730.1.1";
const PROXY: &str = "1.3.6.1.5.5.7.1.14";
const SUBJECT_ALT_NAME: &str = "2.5.29.17";
const SUBJECT_KEY_IDENTIFIER: &str = "2.5.29.14";

impl Extensions {
    /// Reads them all.
    #[must_use]
    pub fn read(found: &[X509Extension<'_>]) -> Self {
        let mut extensions = Self {
            count: found.len(),
            ..Self::default()
        };
        let mut seen: Vec<String> = Vec::new();
        for extension in found {
            let id = extension.oid.to_id_string();
            let is_critical = extension.critical;
            let known = extensions.read_one(&id, extension.value, is_critical);
            if known == Some(false) || (known.is_some() && seen.contains(&id)) {
                extensions.invalid.get_or_insert_with(|| id.clone());
            }
            if is_critical && !KNOWN_CRITICAL.contains(&id.as_str()) {
                extensions
                    .unknown_critical
                    .get_or_insert_with(|| id.clone());
            }
            seen.push(id);
        }
        extensions
    }

    /// Reads one. None for an extension that no rule looks into, false for one that is not as its
    /// definition says.
    fn read_one(&mut self, id: &str, value: &[u8], critical: bool) -> Option<bool> {
        let read = match id {
            AUTHORITY_KEY_IDENTIFIER => keep(&mut self.authority_key_identifier, authority(value)),
            BASIC_CONSTRAINTS => keep(
                &mut self.basic_constraints,
                basic_constraints(value, critical),
            ),
            DISTRIBUTION_POINTS => {
                self.distribution_points = true;
                Element::tagged(value, der::SEQUENCE).is_some()
            }
            EXTENDED_KEY_USAGE => keep(&mut self.extended_key_usage, extended_key_usage(value)),
            KEY_USAGE => keep(&mut self.key_usage, key_usage(value)),
            NAME_CONSTRAINTS => keep(&mut self.name_constraints, name_constraints(value)),
            NETSCAPE_TYPE => keep(&mut self.netscape_type, first_octet(value)),
            PROXY => {
                self.proxy = true;
                Element::tagged(value, der::SEQUENCE).is_some()
            }
            SUBJECT_ALT_NAME => {
                let names = general_names(value);
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

/// Keeps what was read; whether anything was.
fn keep<T>(place: &mut Option<T>, read: Option<T>) -> bool {
    let is_read = read.is_some();
    *place = read;
    is_read
}

fn basic_constraints(value: &[u8], critical: bool) -> Option<BasicConstraints> {
    let mut fields = Element::tagged(value, der::SEQUENCE)?
        .elements()?
        .into_iter()
        .peekable();
    let ca = fields.next_if(|field| field.tag == der::BOOLEAN);
    let path_len = match fields.next_if(|field| field.tag == der::INTEGER) {
        Some(number) => Some(unsigned(number.content)?),
        None => None,
    };
    let is_true = |octets: &[u8]| octets.iter().any(|octet| *octet != 0);
    fields.next().is_none().then_some(BasicConstraints {
        ca: ca.is_some_and(|ca| is_true(ca.content)),
        path_len,
        critical,
    })
}

/// A number that is not negative; one that is too long for any path is as good as the longest.
fn unsigned(octets: &[u8]) -> Option<u64> {
    let negative = octets.first()? & 0x80 != 0;
    let significant = without_zeros(octets);
    let number = match <[u8; 8]>::try_from(significant) {
        Ok(octets) => u64::from_be_bytes(octets),
        Err(_) if significant.len() > 8 => u64::MAX,
        Err(_) => significant
            .iter()
            .fold(0, |number, octet| number << 8 | u64::from(*octet)),
    };
    (!negative).then_some(number)
}

fn without_zeros(octets: &[u8]) -> &[u8] {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    &octets[zeros..]
}

/// The first octet of a BIT STRING, which has every bit that a rule asks for.
fn first_octet(value: &[u8]) -> Option<u8> {
    let bits = Element::tagged(value, der::BIT_STRING)?.content;
    let (unused, octets) = bits.split_first()?;
    let mask = match (octets.len(), unused) {
        (1, 0..=7) => 0xff << unused,
        (_, 0..=7) => 0xff,
        _ => return None,
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
    let purposes = Element::tagged(value, der::SEQUENCE)?.elements()?;
    let mut usage = ExtendedKeyUsage::default();
    for purpose in purposes {
        if purpose.tag != der::OBJECT_IDENTIFIER {
            return None;
        }
        usage.server_auth |= [SERVER_AUTH, NETSCAPE_SGC, MICROSOFT_SGC].contains(&purpose.content);
        usage.client_auth |= purpose.content == CLIENT_AUTH;
    }
    Some(usage)
}

/// Reads an authorityKeyIdentifier, which CRLs have too.
pub(super) fn authority(value: &[u8]) -> Option<AuthorityKeyIdentifier> {
    const KEY_IDENTIFIER: u8 = der::primitive(0);
    const ISSUER: u8 = der::constructed(1);
    const SERIAL_NUMBER: u8 = der::primitive(2);
    let mut identifier = AuthorityKeyIdentifier::default();
    for field in Element::tagged(value, der::SEQUENCE)?.elements()? {
        match field.tag {
            KEY_IDENTIFIER => identifier.key_identifier = Some(field.content.to_vec()),
            ISSUER => {
                let names = field
                    .elements()?
                    .iter()
                    .map(general_name)
                    .collect::<Option<Vec<_>>>()?;
                identifier.issuer = names.into_iter().find_map(|name| match name {
                    GeneralName::Directory(name) => Some(name),
                    _ => None,
                });
            }
            SERIAL_NUMBER => identifier.serial_number = Some(without_zeros(field.content).to_vec()),
            _ => return None,
        }
    }
    Some(identifier)
}

fn general_names(value: &[u8]) -> Option<Vec<GeneralName>> {
    let names = Element::tagged(value, der::SEQUENCE)?.elements()?;
    names.iter().map(general_name).collect()
}

fn general_name(name: &Element<'_>) -> Option<GeneralName> {
    const RFC822: u8 = der::primitive(1);
    const DNS: u8 = der::primitive(2);
    const DIRECTORY: u8 = der::constructed(4);
    const URI: u8 = der::primitive(6);
    const IP: u8 = der::primitive(7);
    const OTHERS: [u8; 4] = [
        der::constructed(0),
        der::constructed(3),
        der::constructed(5),
        der::primitive(8),
    ];
    let octets = name.content.to_vec();
    match name.tag {
        RFC822 => Some(GeneralName::Rfc822(octets)),
        DNS => Some(GeneralName::Dns(octets)),
        DIRECTORY => {
            let name = DistinguishedName::from_der(name.content).ok()?;
            Some(GeneralName::Directory(name))
        }
        URI => Some(GeneralName::Uri(octets)),
        IP => Some(GeneralName::Ip(octets)),
        tag if OTHERS.contains(&tag) => Some(GeneralName::Other(tag & 0x1f, octets)),
        _ => None,
    }
}

fn name_constraints(value: &[u8]) -> Option<NameConstraints> {
    const PERMITTED: u8 = der::constructed(0);
    const EXCLUDED: u8 = der::constructed(1);
    let mut constraints = NameConstraints::default();
    for field in Element::tagged(value, der::SEQUENCE)?.elements()? {
        let subtrees = field
            .elements()?
            .iter()
            .map(subtree)
            .collect::<Option<Vec<_>>>()?;
        match field.tag {
            PERMITTED => constraints.permitted = subtrees,
            EXCLUDED => constraints.excluded = subtrees,
            _ => return None,
        }
    }
    Some(constraints)
}

fn subtree(subtree: &Element<'_>) -> Option<GeneralSubtree> {
    const MINIMUM: u8 = der::primitive(0);
    const MAXIMUM: u8 = der::primitive(1);
    let fields = subtree.elements()?;
    let (base, bounds) = fields.split_first()?;
    let mut bounds_valid = true;
    for bound in bounds {
        bounds_valid &= match bound.tag {
            MINIMUM => without_zeros(bound.content).is_empty(),
            MAXIMUM => false,
            _ => return None,
        };
    }
    Some(GeneralSubtree {
        base: general_name(base)?,
        bounds_valid,
    })
}
