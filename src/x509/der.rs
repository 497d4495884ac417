//! DER, as little as is needed to put a certificate's parts together: where an element ends, and
//! how one is wrapped.

/// The elements within the SEQUENCE that `bytes` begins with, each with its tag and length; None
/// for what is no SEQUENCE of definite-length elements.
pub(super) fn elements(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let (header, total) = extent(bytes)?;
    let mut rest = bytes.get(header..total)?;
    let mut elements = Vec::new();
    while !rest.is_empty() {
        let (_, length) = extent(rest)?;
        let (element, behind) = rest.split_at_checked(length)?;
        elements.push(element);
        rest = behind;
    }
    Some(elements)
}

/// The octets of tag and length, and those of the whole element.
fn extent(bytes: &[u8]) -> Option<(usize, usize)> {
    let first = usize::from(*bytes.get(1)?);
    let octets = if first < 0x80 { 0 } else { first & 0x7f };
    if first == 0x80 || octets > 4 {
        return None;
    }
    let length = match octets {
        0 => first,
        _ => bytes
            .get(2..2 + octets)?
            .iter()
            .fold(0, |length, octet| length << 8 | usize::from(*octet)),
    };
    let header = 2 + octets;
    (length <= bytes.len() - header).then_some((header, header + length))
}

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const BIT_STRING: u8 = 0x03;

/// `content` as one element.
pub(super) fn wrapped(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let length: usize = content.iter().map(|part| part.len()).sum();
    let mut element = Vec::with_capacity(length + 6);
    element.push(tag);
    if length < 0x80 {
        element.push(length as u8);
    } else {
        let octets = length.to_be_bytes();
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        element.push(0x80 | (octets.len() - zeros) as u8);
        element.extend_from_slice(&octets[zeros..]);
    }
    content
        .iter()
        .for_each(|part| element.extend_from_slice(part));
    element
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrapped_is_taken_apart_again() {
        let long = wrapped(4, &[&[7; 300]]);
        assert_eq!(&long[..4], [4, 0x82, 0x01, 0x2c]);
        let short = wrapped(5, &[]);
        let both = wrapped(SEQUENCE, &[&long, &short]);
        assert_eq!(elements(&both), Some(vec![&long[..], &short[..]]));
    }

    #[test]
    fn what_is_no_sequence_is_refused() {
        for bad in [
            &[][..],
            &[0x30],
            &[0x30, 5, 0],
            &[0x30, 0x80],
            &[0x30, 0x85, 0, 0, 0, 0, 0],
            &[0x30, 2, 4, 9],
        ] {
            assert_eq!(elements(bad), None, "{bad:?}");
        }
    }
}
