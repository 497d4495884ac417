//! Distinguished names as OpenSSL compares them: in a canonical form (`x509_name_canon`) in which case
//! and white space do not count, so that `CN=TWIN` is the issuer of what `CN=twin` signed.

use std::borrow::Cow;

use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use super::der::{self, Element};
use super::error::Error;
use super::{form, name};

/// A distinguished name (RFC 5280 4.1.2.4), ready to be compared.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct DistinguishedName {
    /// The name as RFC 4514 writes it, in the order of the encoding.
    pub shown: String,
    /// Its canonical encoding: two names are the same when these octets are, and one is within another
    /// (as directoryName constraints have it) when they begin with the other's.
    pub canonical: Vec<u8>,
    /// The values of its commonName attributes, in UTF-8. May hold NUL.
    pub common_names: Vec<Vec<u8>>,
    /// Its emailAddress attributes (PKCS#9).
    pub email_addresses: Vec<EmailAddress>,
    /// How many attributes it has.
    pub attributes: usize,
}

/// An emailAddress attribute.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct EmailAddress {
    /// Its octets.
    pub octets: Vec<u8>,
    /// Whether it is an IA5String, as PKCS#9 wants it.
    pub is_ia5: bool,
}

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const EMAIL_ADDRESS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01];

impl DistinguishedName {
    /// Reads a Name.
    ///
    /// # Errors
    /// [`Error::CertificateDamaged`] for what is no Name, and for strings that are not what their type
    /// says: OpenSSL reads no certificate with one.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let (_, parsed) = X509Name::from_der(der).map_err(|_| damaged())?;
        Self::shown_as(name::show(&parsed), der)
    }

    /// Reads a Name of which [`name::show`] has made `shown`.
    ///
    /// # Errors
    /// Those of [`Self::from_der`].
    pub(super) fn shown_as(shown: String, der: &[u8]) -> Result<Self, Error> {
        let mut name = Self {
            shown,
            canonical: Vec::with_capacity(der.len()),
            ..Self::default()
        };
        let sequence = Element::tagged(der, der::SEQUENCE).ok_or_else(damaged)?;
        for set in sequence.each() {
            set.and_then(|set| name.add(&set)).ok_or_else(damaged)?;
        }
        Ok(name)
    }

    /// Adds one relative distinguished name.
    fn add(&mut self, set: &Element<'_>) -> Option<()> {
        let mut canonical = Vec::new();
        for attribute in set.each() {
            canonical.push(self.add_attribute(&attribute?)?);
        }
        // DER sorts the elements of a SET OF.
        canonical.sort_unstable();
        der::append(der::SET, &canonical, &mut self.canonical);
        (set.tag == der::SET).then_some(())
    }

    /// Adds one attribute; its canonical encoding.
    fn add_attribute(&mut self, attribute: &Element<'_>) -> Option<Vec<u8>> {
        let [kind, value] = attribute.exactly()?;
        let is_right = attribute.tag == der::SEQUENCE
            && form::is_object_identifier(&kind)
            && VALUES.contains(&value.tag);
        if !is_right {
            return None;
        }
        if kind.content == COMMON_NAME {
            self.common_names
                .extend(to_utf8(&value).map(Cow::into_owned));
        } else if kind.content == EMAIL_ADDRESS {
            self.email_addresses.push(EmailAddress {
                octets: value.content.to_vec(),
                is_ia5: value.tag == IA5_STRING,
            });
        }
        self.attributes += 1;
        let value = canonical_value(&value)?;
        Some(der::wrapped(der::SEQUENCE, &[kind.whole, &value]))
    }

    /// Whether it has no attributes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.attributes == 0
    }

    /// Whether it is the same name as `other`.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

fn damaged() -> Error {
    Error::CertificateDamaged {
        because: "one of its names cannot be read",
    }
}

const UTF8_STRING: u8 = 12;
const NUMERIC_STRING: u8 = 18;
const PRINTABLE_STRING: u8 = 19;
const T61_STRING: u8 = 20;
const IA5_STRING: u8 = 22;
const VISIBLE_STRING: u8 = 26;
const UNIVERSAL_STRING: u8 = 28;
const BMP_STRING: u8 = 30;

/// What OpenSSL takes for the value of an attribute (`ASN1_PRINTABLE`), but for tags that mean nothing.
const VALUES: [u8; 9] = [
    der::BIT_STRING,
    der::SEQUENCE,
    UTF8_STRING,
    NUMERIC_STRING,
    PRINTABLE_STRING,
    T61_STRING,
    IA5_STRING,
    UNIVERSAL_STRING,
    BMP_STRING,
];

/// Whether OpenSSL reads this as the value of an attribute: [`DistinguishedName::from_der`] without the
/// name.
pub(super) fn is_value(value: &Element<'_>) -> bool {
    match value.tag {
        UTF8_STRING => std::str::from_utf8(value.content).is_ok(),
        BMP_STRING | UNIVERSAL_STRING => to_utf8(value).is_some(),
        tag => VALUES.contains(&tag),
    }
}

/// The octets of a string in UTF-8, as `ASN1_STRING_to_UTF8` makes them: the types of one octet a
/// character are Latin-1, whatever they claim. None for what is no string.
fn to_utf8<'a>(value: &Element<'a>) -> Option<Cow<'a, [u8]>> {
    let octets = value.content;
    let text: String = match value.tag {
        UTF8_STRING => return str::from_utf8(octets).ok().map(|_| octets.into()),
        NUMERIC_STRING | PRINTABLE_STRING | T61_STRING | IA5_STRING | VISIBLE_STRING => {
            octets.iter().copied().map(char::from).collect()
        }
        BMP_STRING => characters(octets, 2)?,
        UNIVERSAL_STRING => characters(octets, 4)?,
        _ => return None,
    };
    Some(text.into_bytes().into())
}

/// Characters of `width` octets each.
fn characters(octets: &[u8], width: usize) -> Option<String> {
    if !octets.len().is_multiple_of(width) {
        return None;
    }
    let point = |octets: &[u8]| {
        octets
            .iter()
            .fold(0, |point, octet| point << 8 | u32::from(*octet))
    };
    octets
        .chunks(width)
        .map(|octets| char::from_u32(point(octets)))
        .collect()
}

/// A value with white space folded, in lower case and as UTF8String; what is no string of letters stays
/// as it is.
fn canonical_value(value: &Element<'_>) -> Option<Vec<u8>> {
    let is_text = matches!(
        value.tag,
        UTF8_STRING
            | PRINTABLE_STRING
            | T61_STRING
            | IA5_STRING
            | VISIBLE_STRING
            | UNIVERSAL_STRING
            | BMP_STRING
    );
    if !is_text {
        return Some(value.whole.to_vec());
    }
    let text = to_utf8(value)?;
    let is_space = |octet: &u8| matches!(octet, b' ' | b'\t'..=b'\r');
    let mut folded = Vec::with_capacity(text.len());
    for word in text.split(is_space).filter(|word| !word.is_empty()) {
        if !folded.is_empty() {
            folded.push(b' ');
        }
        folded.extend_from_slice(word);
    }
    folded.make_ascii_lowercase();
    Some(der::wrapped(UTF8_STRING, &[&folded]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(values: &[(u8, &[u8])]) -> DistinguishedName {
        let sets = values.iter().map(|(tag, value)| {
            let kind = der::wrapped(der::OBJECT_IDENTIFIER, &[COMMON_NAME]);
            let value = der::wrapped(*tag, &[value]);
            let attribute = der::wrapped(der::SEQUENCE, &[&kind, &value]);
            der::wrapped(der::SET, &[&attribute])
        });
        let sets: Vec<_> = sets.collect();
        let sets: Vec<&[u8]> = sets.iter().map(Vec::as_slice).collect();
        DistinguishedName::from_der(&der::wrapped(der::SEQUENCE, &sets)).unwrap()
    }

    #[test]
    fn case_white_space_and_string_type_do_not_count() {
        let plain = name(&[(UTF8_STRING, b"twin ca")]);
        for (tag, value) in [
            (UTF8_STRING, &b"  TWIN \t\n CA "[..]),
            (PRINTABLE_STRING, b"Twin CA"),
            (IA5_STRING, b"twin  ca"),
            (BMP_STRING, b"\0t\0w\0i\0n\0 \0c\0a"),
        ] {
            assert!(name(&[(tag, value)]).is_same_as(&plain), "{value:?}");
        }
        for (tag, value) in [
            (UTF8_STRING, &b"twinca"[..]),
            (NUMERIC_STRING, b"twin ca"),
            (UTF8_STRING, b"twin ca\0"),
        ] {
            assert!(!name(&[(tag, value)]).is_same_as(&plain), "{value:?}");
        }
    }

    #[test]
    fn only_ascii_letters_are_folded() {
        let upper = name(&[(UTF8_STRING, "GRÜN".as_bytes())]);
        assert!(!upper.is_same_as(&name(&[(UTF8_STRING, "grün".as_bytes())])));
        assert!(upper.is_same_as(&name(&[(T61_STRING, b"gr\xdcn")])));
    }

    #[test]
    fn every_common_name_is_kept() {
        let name = name(&[
            (UTF8_STRING, b"a"),
            (T61_STRING, b"\xfc"),
            (UTF8_STRING, b"b\0c"),
        ]);
        assert_eq!(name.common_names, [&b"a"[..], "ü".as_bytes(), b"b\0c"]);
        assert_eq!(name.attributes, 3);
    }

    #[test]
    fn what_is_no_set_of_attributes_is_damage() {
        let attribute = [0x30, 6, 6, 1, 0x55, 0x0c, 1, b'a'];
        let of = |tag: u8, attribute: &[u8]| {
            let set = der::wrapped(tag, &[attribute]);
            DistinguishedName::from_der(&der::wrapped(der::SEQUENCE, &[&set]))
        };
        assert!(of(der::SET, &attribute).is_ok());
        assert!(of(UTF8_STRING, &attribute).is_err());
        for (at, octet) in [
            (0, der::SET),
            (2, 4),
            (4, 0x80),
            (5, VISIBLE_STRING),
            (5, 4),
        ] {
            let mut damaged = attribute;
            damaged[at] = octet;
            assert!(of(der::SET, &damaged).is_err(), "{at}");
        }
    }

    #[test]
    fn a_string_that_is_not_of_its_type_is_damage() {
        for (tag, value) in [(UTF8_STRING, &b"\xff"[..]), (BMP_STRING, b"abc")] {
            let kind = der::wrapped(der::OBJECT_IDENTIFIER, &[COMMON_NAME]);
            let value = der::wrapped(tag, &[value]);
            let attribute = der::wrapped(der::SEQUENCE, &[&kind, &value]);
            let set = der::wrapped(der::SET, &[&attribute]);
            let name = der::wrapped(der::SEQUENCE, &[&set]);
            assert!(DistinguishedName::from_der(&name).is_err());
        }
    }
}
