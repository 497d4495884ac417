//! DER, as little as is needed to take a certificate's parts and extensions apart as OpenSSL does, and
//! to put one together: where an element ends, and how one is wrapped.

/// One element: its tag and what is in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    /// Tag and length too.
    pub(super) whole: &'a [u8],
}

impl<'a> Element<'a> {
    /// The element that `bytes` begins with, and what is behind it.
    pub(super) fn first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (header, total) = extent(bytes)?;
        let (whole, rest) = bytes.split_at_checked(total)?;
        let element = Self {
            tag: *bytes.first()?,
            content: &whole[header..],
            whole,
        };
        Some((element, rest))
    }

    /// The element that `bytes` begins with, if it has this tag. OpenSSL looks at nothing behind the
    /// value of an extension, either.
    pub(super) fn tagged(bytes: &'a [u8], tag: u8) -> Option<Self> {
        Self::first(bytes)
            .map(|(element, _)| element)
            .filter(|element| element.tag == tag)
    }

    /// The SEQUENCE OF that `bytes` begins with, if they do.
    pub(super) fn sequence_of(bytes: &'a [u8]) -> Option<Self> {
        Self::first(bytes)
            .map(|(element, _)| element)
            .filter(Self::is_sequence_of)
    }

    /// Whether it is a SEQUENCE OF.
    pub(super) fn is_sequence_of(&self) -> bool {
        self.tag | CONSTRUCTED == SEQUENCE
    }

    /// The elements in it, one after another; None for what is no element, which is the last.
    pub(super) fn each(&self) -> impl Iterator<Item = Option<Self>> {
        let mut rest = self.content;
        std::iter::from_fn(move || {
            let element = (!rest.is_empty()).then(|| Self::first(rest))?;
            rest = element.map_or(&[], |(_, behind)| behind);
            Some(element.map(|(element, _)| element))
        })
    }

    /// The elements in it.
    pub(super) fn elements(&self) -> Option<Vec<Self>> {
        self.each().collect()
    }

    /// The elements in it when there are just so many.
    pub(super) fn exactly<const N: usize>(&self) -> Option<[Self; N]> {
        let mut elements = [*self; N];
        let mut rest = self.content;
        for element in &mut elements {
            (*element, rest) = Self::first(rest)?;
        }
        rest.is_empty().then_some(elements)
    }

    /// The elements in it when each is optional and they are told apart by these tags, in this order.
    /// None when there is another, or one that is not in its place.
    pub(super) fn optional<const N: usize>(&self, tags: [u8; N]) -> Option<[Option<Self>; N]> {
        let mut rest = self.fields();
        let fields = tags.map(|tag| rest.take(tag));
        rest.is_empty().then_some(fields)
    }

    /// The elements in it, to be taken one by one; no memory is taken for them.
    pub(super) fn fields(&self) -> Fields<'a> {
        Fields(self.content)
    }

    /// The one element in it, as behind an explicit tag.
    pub(super) fn only(&self) -> Option<Self> {
        self.exactly().map(|[only]| only)
    }
}

/// The elements that are left of those within another.
#[derive(Clone)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The next element, if it has this tag.
    pub(super) fn take(&mut self, tag: u8) -> Option<Element<'a>> {
        self.take_one_of(&[tag])
    }

    /// The next element, if it has one of these tags.
    pub(super) fn take_one_of(&mut self, tags: &[u8]) -> Option<Element<'a>> {
        let (element, rest) = Element::first(self.0)?;
        let element = Some(element).filter(|element| tags.contains(&element.tag))?;
        self.0 = rest;
        Some(element)
    }

    /// The next element, if it is the SEQUENCE OF or SET OF behind the implicit tag `[number]`.
    pub(super) fn take_list(&mut self, number: u8) -> Option<Element<'a>> {
        self.take_one_of(&[constructed(number), primitive(number)])
    }

    /// Whether all of them are elements that are as `is_right` has it.
    pub(super) fn all(mut self, mut is_right: impl FnMut(&Element<'a>) -> bool) -> bool {
        while !self.0.is_empty() {
            match Element::first(self.0) {
                Some((element, rest)) if is_right(&element) => self.0 = rest,
                _ => return false,
            }
        }
        true
    }

    /// Whether there are no more.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The elements within the SEQUENCE that `bytes` begins with, each with its tag and length; None
/// for what is no SEQUENCE of definite-length elements.
pub(super) fn elements(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let (sequence, _) = Element::first(bytes)?;
    let elements = sequence.elements()?.into_iter();
    Some(elements.map(|element| element.whole).collect())
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

/// The bit of a tag that says that there are elements behind it. OpenSSL wants it of a SEQUENCE and behind an
/// explicit tag, but does not look at it where it reads a SEQUENCE OF or a SET OF.
const CONSTRUCTED: u8 = 0x20;

pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const NULL: u8 = 0x05;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The tag `[number]` of a field that holds other elements, as in `[0] EXPLICIT`.
pub(super) const fn constructed(number: u8) -> u8 {
    CONSTRUCTED | primitive(number)
}

/// The tag `[number]` of a field that holds octets, as in `[0] IMPLICIT OCTET STRING`.
pub(super) const fn primitive(number: u8) -> u8 {
    0x80 | number
}

/// `content` as one element.
pub(super) fn wrapped(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let length: usize = content.iter().map(|part| part.len()).sum();
    let mut element = Vec::with_capacity(length + 6);
    append(tag, content, &mut element);
    element
}

/// Writes `content` as one element behind what there is.
pub(super) fn append(tag: u8, content: &[impl AsRef<[u8]>], element: &mut Vec<u8>) {
    let content = content.iter().map(AsRef::as_ref);
    let length: usize = content.clone().map(<[u8]>::len).sum();
    element.push(tag);
    if length < 0x80 {
        element.push(length as u8);
    } else {
        let octets = length.to_be_bytes();
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        element.push(0x80 | (octets.len() - zeros) as u8);
        element.extend_from_slice(&octets[zeros..]);
    }
    content.for_each(|part| element.extend_from_slice(part));
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
        let both = Element::first(&both).unwrap().0;
        assert!(both.exactly().is_some_and(|[first, _]| first.whole == long));
        assert_eq!((both.exactly::<1>(), both.exactly::<3>()), (None, None));
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
