//! Names: distinguished names (RFC 5280 4.1.2.4) and subjectAltName entries as text. What stands in
//! a certificate is anybody's, so nothing here reaches a terminal raw.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use x509_parser::asn1_rs::{Any, Oid, Tag, oid};
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::OID_X509_COMMON_NAME;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::domain::certificate::AltName;
use crate::domain::text::{Plain, is_unsafe};

/// The name as RFC 4514 writes it, but in the order of the encoding, as `openssl -nameopt` does:
/// `CN=server1,O=prod`. Control characters are escaped.
#[must_use]
pub fn show(name: &X509Name<'_>) -> String {
    let mut shown = String::with_capacity(name.as_raw().len());
    for (index, set) in name.iter_rdn().enumerate() {
        if index > 0 {
            shown.push(',');
        }
        for (index, attribute) in set.iter().enumerate() {
            if index > 0 {
                shown.push('+');
            }
            show_attribute(attribute, &mut shown);
        }
    }
    plain(shown)
}

/// [`Plain`] text, which most is already.
fn plain(text: String) -> String {
    match text.chars().any(is_unsafe) {
        true => Plain(&text).to_string(),
        false => text,
    }
}

/// The last common name, without RFC 4514's escapes; control characters are escaped.
#[must_use]
pub fn common_name(name: &X509Name<'_>) -> Option<String> {
    let last = name
        .iter_attributes()
        .filter(|attribute| *attribute.attr_type() == OID_X509_COMMON_NAME)
        .last()?;
    Some(plain(text(last.attr_value())?.into_owned()))
}

/// The first value of the attribute of this keyword (RFC 4514 3), such as `CN`, as it stands: nothing
/// is escaped.
#[must_use]
pub fn first_value(name: &X509Name<'_>, attribute: &str) -> Option<String> {
    let mut attributes = name.iter_attributes();
    let is_it = |it: &&AttributeTypeAndValue<'_>| keyword(it.attr_type()) == Some(attribute);
    Some(text(attributes.find(is_it)?.attr_value())?.into_owned())
}

/// A subjectAltName entry. An entry that is damaged is told, as `Other`.
#[must_use]
pub fn alt_name(name: &GeneralName<'_>) -> AltName {
    let other = |text: String| AltName::Other(plain(text));
    match name {
        GeneralName::DNSName(name) => AltName::Dns((*name).to_owned()),
        GeneralName::IPAddress(octets) => ip_address(octets),
        GeneralName::RFC822Name(address) => other(format!("email:{address}")),
        GeneralName::URI(uri) => other(format!("URI:{uri}")),
        GeneralName::DirectoryName(name) => AltName::Other(format!("DirName:{}", show(name))),
        GeneralName::OtherName(kind, _) => other(format!("othername:{}", dotted(kind))),
        GeneralName::RegisteredID(id) => other(format!("Registered ID:{}", dotted(id))),
        GeneralName::X400Address(_) => AltName::Other("X400Name".to_owned()),
        GeneralName::EDIPartyName(_) => AltName::Other("EdiPartyName".to_owned()),
        GeneralName::Invalid(tag, octets) => AltName::Other(format!(
            "damaged name of kind {}: {}",
            tag.0,
            hexadecimal(octets)
        )),
    }
}

fn ip_address(octets: &[u8]) -> AltName {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        AltName::Ip(Ipv4Addr::from(octets).into())
    } else if let Ok(octets) = <[u8; 16]>::try_from(octets) {
        AltName::Ip(Ipv6Addr::from(octets).into())
    } else {
        AltName::Other(format!("IP:{}", hexadecimal(octets)))
    }
}

fn show_attribute(attribute: &AttributeTypeAndValue<'_>, shown: &mut String) {
    match keyword(attribute.attr_type()) {
        Some(keyword) => shown.push_str(keyword),
        None => shown.push_str(&dotted(attribute.attr_type())),
    }
    shown.push('=');
    match text(attribute.attr_value()) {
        Some(text) => escape(&text, shown),
        None => {
            shown.push('#');
            shown.push_str(&hexadecimal(attribute.attr_value().data));
        }
    }
}

/// The keywords of RFC 4514 3, and the usual one for an e-mail address.
fn keyword(attribute: &Oid<'_>) -> Option<&'static str> {
    Some(match attribute.as_bytes() {
        oid!(raw 2.5.4.3) => "CN",
        oid!(raw 2.5.4.10) => "O",
        oid!(raw 2.5.4.4) => "SN",
        oid!(raw 2.5.4.5) => "serialNumber",
        oid!(raw 2.5.4.6) => "C",
        oid!(raw 2.5.4.7) => "L",
        oid!(raw 2.5.4.8) => "ST",
        oid!(raw 2.5.4.9) => "STREET",
        oid!(raw 2.5.4.11) => "OU",
        oid!(raw 2.5.4.42) => "GN",
        oid!(raw 0.9.2342.19200300.100.1.1) => "UID",
        oid!(raw 0.9.2342.19200300.100.1.25) => "DC",
        oid!(raw 1.2.840.113549.1.9.1) => "emailAddress",
        _ => return None,
    })
}

/// An OID in dots; x509-parser's own text for one that it cannot read.
fn dotted(oid: &Oid<'_>) -> String {
    oid.to_id_string()
}

/// The text of a string of any ASN.1 type; None for what is no string.
fn text<'a>(value: &Any<'a>) -> Option<Cow<'a, str>> {
    let octets = value.data;
    Some(match value.tag() {
        Tag::Utf8String
        | Tag::PrintableString
        | Tag::Ia5String
        | Tag::NumericString
        | Tag::VisibleString => String::from_utf8_lossy(octets),
        // Everybody writes Latin-1 into a T61String.
        Tag::T61String => octets.iter().copied().map(char::from).collect(),
        Tag::BmpString => {
            let units = octets.chunks(2).map(|pair| {
                pair.iter()
                    .fold(0, |unit, octet| unit << 8 | u16::from(*octet))
            });
            String::from_utf16_lossy(&units.collect::<Vec<_>>()).into()
        }
        Tag::UniversalString => octets
            .chunks(4)
            .map(|four| {
                four.iter()
                    .fold(0, |point, octet| point << 8 | u32::from(*octet))
            })
            .map(|point| char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect(),
        _ => return None,
    })
}

/// RFC 4514 2.4.
fn escape(value: &str, escaped: &mut String) {
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.');
    if value.bytes().all(is_plain) {
        return escaped.push_str(value);
    }
    let last = value.chars().count().saturating_sub(1);
    for (index, character) in value.chars().enumerate() {
        let special = matches!(character, '"' | '+' | ',' | ';' | '<' | '>' | '\\');
        let leading = index == 0 && matches!(character, ' ' | '#');
        if special || leading || (index == last && character == ' ') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use x509_parser::prelude::FromDer;

    use super::*;

    /// Type, tag of the value, value.
    type Attribute<'a> = (&'a [u8], u8, &'a [u8]);

    /// The DER of a name with one set for each list of attributes.
    fn name(sets: &[&[Attribute<'_>]]) -> Vec<u8> {
        let sets = sets.iter().flat_map(|attributes| {
            let attributes = attributes.iter().flat_map(|(kind, tag, value)| {
                let pair = [element(6, kind), element(*tag, value)].concat();
                element(0x30, &pair)
            });
            element(0x31, &attributes.collect::<Vec<_>>())
        });
        element(0x30, &sets.collect::<Vec<_>>())
    }

    fn element(tag: u8, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(value.len()).unwrap().to_be_bytes();
        [&[tag, 0x82, length[0], length[1]][..], value].concat()
    }

    fn shown(der: &[u8]) -> String {
        show(&X509Name::from_der(der).unwrap().1)
    }

    const CN: &[u8] = &[0x55, 4, 3];
    const DC: &[u8] = &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25];
    const UTF8: u8 = 12;

    #[test]
    fn a_name_stands_in_the_order_of_its_encoding() {
        let der = name(&[
            &[(DC, 22, b"com")],
            &[(DC, 22, b"example")],
            &[(CN, UTF8, b"a"), (CN, UTF8, b"b")],
        ]);
        assert_eq!(shown(&der), "DC=com,DC=example,CN=a+CN=b");
        assert_eq!(shown(&name(&[])), "");
    }

    #[test]
    fn what_would_end_a_value_is_escaped() {
        let der = name(&[
            &[(CN, UTF8, br#" a,b+c"d\e<f>;g "#)],
            &[(CN, UTF8, b"#1")],
            &[(CN, UTF8, b" ")],
        ]);
        assert_eq!(
            shown(&der),
            r##"CN=\ a\,b\+c\"d\\e\<f\>\;g\ ,CN=\#1,CN=\ "##
        );
    }

    #[test]
    fn nothing_reaches_a_terminal_raw() {
        let der = name(&[&[(CN, UTF8, b"a\x1b[2J\nb\0")]]);
        assert_eq!(shown(&der), r"CN=a\u{1b}[2J\nb\u{0}");
        let der = name(&[&[(CN, UTF8, "x\u{202e}y".as_bytes())]]);
        assert_eq!(shown(&der), r"CN=x\u{202e}y");
    }

    #[test]
    fn every_string_type_is_read() {
        let der = name(&[
            &[(CN, 20, b"gr\xfcn")],
            &[(CN, 30, b"\0g\0r\0\xfc\0n")],
            &[(CN, 28, b"\0\0\0g\0\0\0\xfc")],
            &[(CN, UTF8, "grün".as_bytes())],
            &[(CN, 4, b"\x01\xff")],
            &[(&[0x2a, 3], UTF8, b"x")],
        ]);
        assert_eq!(
            shown(&der),
            "CN=grün,CN=grün,CN=gü,CN=grün,CN=#01ff,1.2.3=x"
        );
    }

    #[test]
    fn the_common_name_is_the_last_one() {
        let der = name(&[&[(CN, UTF8, b"first")], &[(CN, UTF8, b"a, b")]]);
        let (_, parsed) = X509Name::from_der(&der).unwrap();
        assert_eq!(common_name(&parsed).as_deref(), Some("a, b"));
        let der = name(&[]);
        let (_, parsed) = X509Name::from_der(&der).unwrap();
        assert_eq!(common_name(&parsed), None);
    }

    #[test]
    fn alternative_names_are_shown_as_openssl_does() {
        let shown = |name| alt_name(&name).to_string();
        assert_eq!(shown(GeneralName::DNSName("a.internal")), "DNS:a.internal");
        assert_eq!(shown(GeneralName::DNSName("a\x1b[m")), r"DNS:a\u{1b}[m");
        assert_eq!(shown(GeneralName::IPAddress(&[10, 0, 0, 1])), "IP:10.0.0.1");
        assert_eq!(shown(GeneralName::IPAddress(&[0; 16])), "IP:::");
        assert_eq!(shown(GeneralName::IPAddress(&[1, 2, 3])), "IP:010203");
        assert_eq!(shown(GeneralName::URI("http://a\n")), r"URI:http://a\n");
        assert_eq!(
            shown(GeneralName::Invalid(Tag(2), &[0xff])),
            "damaged name of kind 2: ff"
        );
    }

    proptest! {
        #[test]
        fn odd_strings_never_panic(tag in any::<u8>(), kind: Vec<u8>, value: Vec<u8>) {
            let der = name(&[&[(&kind, tag, &value)]]);
            if let Ok((_, parsed)) = X509Name::from_der(&der) {
                prop_assert!(!show(&parsed).chars().any(char::is_control));
                let _ = common_name(&parsed);
            }
        }
    }
}
