//! DER, put together by hand: the openssl crate's builder makes no certificate that is wrong.

pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const IA5_STRING: u8 = 0x16;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const PRINTABLE_STRING: u8 = 0x13;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const BMP_STRING: u8 = 0x1e;
const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// One element.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut element = match length {
        0..0x80 => vec![tag, length as u8],
        0x80..0x100 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    element.extend_from_slice(content);
    element
}

pub(super) fn sequence(parts: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    element(SEQUENCE, &joined(parts))
}

/// A SET in the order that is given, which DER does not allow.
pub(super) fn set(parts: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    element(SET, &joined(parts))
}

/// `[number]` around other elements.
pub(super) fn constructed(number: u8, parts: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    element(0xa0 | number, &joined(parts))
}

/// `[number]` in place of the tag of octets.
pub(super) fn primitive(number: u8, content: &[u8]) -> Vec<u8> {
    element(0x80 | number, content)
}

pub(super) fn boolean() -> Vec<u8> {
    element(BOOLEAN, &[0xff])
}

/// A number of one octet, as it stands: from 0x80 on it is negative.
pub(super) fn integer(number: u8) -> Vec<u8> {
    element(INTEGER, &[number])
}

/// A BIT STRING of whole octets.
pub(super) fn bit_string(octets: &[u8]) -> Vec<u8> {
    element(BIT_STRING, &[&[0], octets].concat())
}

/// An OBJECT IDENTIFIER, written with dots.
pub(super) fn object_identifier(dotted: &str) -> Vec<u8> {
    let mut numbers = dotted
        .split('.')
        .map(|number| number.parse::<u32>().unwrap());
    let first = numbers.next().unwrap() * 40 + numbers.next().unwrap();
    let mut content = vec![first as u8];
    for number in numbers {
        let groups = (0..5).rev().map(|group| (group, number >> (7 * group)));
        let significant = groups.skip_while(|(group, rest)| *group > 0 && *rest == 0);
        content.extend(significant.map(|(group, rest)| {
            let more = if group > 0 { 0x80 } else { 0 };
            (rest & 0x7f) as u8 | more
        }));
    }
    element(OBJECT_IDENTIFIER, &content)
}

fn joined(parts: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    parts.into_iter().flatten().collect()
}
