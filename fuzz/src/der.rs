//! DER without lengths. In DER itself a mutation that makes something longer or shorter breaks
//! everything around it; here lengths are made when the input is read, and any bytes are an input.
//!
//! An element is its tag, and then either [`NESTED`], elements and a 0; or the number of its octets
//! and those. Elements may nest in strings too, as in the value of an extension.

/// In place of a number of octets: elements follow.
const NESTED: u8 = 0xff;
/// In place of a number of octets: it follows, in two octets.
const LONG: u8 = 0xfe;
const END: u8 = 0;

const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const CONSTRUCTED: u8 = 0x20;
/// Deeper than any certificate: what is below is left out.
const DEEPEST: usize = 32;

/// Takes the first element from `notation`, as DER; none at its end.
pub fn take(notation: &mut &[u8]) -> Option<Vec<u8>> {
    take_at(0, notation)
}

fn take_at(depth: usize, notation: &mut &[u8]) -> Option<Vec<u8>> {
    let [tag, form, rest @ ..] = *notation else {
        return None;
    };
    *notation = rest;
    let mut content = Vec::new();
    match *form {
        NESTED => {
            if *tag == BIT_STRING {
                content.push(0);
            }
            while !matches!(*notation, [] | [END, ..]) && depth < DEEPEST {
                content.extend(take_at(depth + 1, notation)?);
            }
            *notation = notation.get(1..).unwrap_or_default();
        }
        LONG => {
            let (length, rest) = notation.split_first_chunk()?;
            *notation = rest;
            take_octets(
                usize::from(u16::from_be_bytes(*length)),
                notation,
                &mut content,
            );
        }
        length => take_octets(length.into(), notation, &mut content),
    }
    Some(element(*tag, &content))
}

fn take_octets(length: usize, notation: &mut &[u8], content: &mut Vec<u8>) {
    let (octets, rest) = notation.split_at(length.min(notation.len()));
    content.extend(octets);
    *notation = rest;
}

/// One element of DER.
#[must_use]
pub fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = length.iter().position(|octet| *octet != 0);
    let length = &length[significant.unwrap_or(length.len() - 1)..];
    let mut element = vec![tag];
    if content.len() >= 0x80 {
        element.push(0x80 | length.len() as u8);
    }
    element.extend(length);
    element.extend(content);
    element
}

/// DER in this notation, for seeds; what is not DER stays the octets of a string.
#[must_use]
pub fn notation(der: &[u8]) -> Option<Vec<u8>> {
    let mut notation = Vec::new();
    let mut rest = der;
    while !rest.is_empty() {
        let (tag, content, behind) = split(rest)?;
        rest = behind;
        notation.push(tag);
        let inner = match (tag, content) {
            (BIT_STRING, [0, content @ ..]) | (OCTET_STRING, content) => self::notation(content),
            _ if tag & CONSTRUCTED != 0 => self::notation(content),
            _ => None,
        };
        match inner.filter(|inner| !inner.is_empty()) {
            Some(inner) => {
                notation.push(NESTED);
                notation.extend(inner);
                notation.push(END);
            }
            None => {
                match u8::try_from(content.len()) {
                    Ok(length) if length < LONG => notation.push(length),
                    _ => {
                        notation.push(LONG);
                        notation.extend(u16::try_from(content.len()).ok()?.to_be_bytes());
                    }
                }
                notation.extend(content);
            }
        }
    }
    Some(notation)
}

/// Tag and content of the first element, and what is behind it; None for what is not DER.
#[must_use]
pub fn split(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [tag, length, rest @ ..] = der else {
        return None;
    };
    let (length, rest) = match *length {
        short @ ..=0x7f => (usize::from(short), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    let (content, behind) = rest.split_at_checked(length)?;
    (*tag != END).then_some((*tag, content, behind))
}
