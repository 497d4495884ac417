//! What a file of DER is, by how it begins: enough to say of a file that is cut off what it was
//! meant to be, and of a key that it is one, without a look at its secret.

use super::date::{GENERALIZED_TIME, UTC_TIME};
use super::der::{self, BIT_STRING, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE};

/// What something in DER, or in a format of key stores, is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A certificate (RFC 5280 4.1).
    Certificate,
    /// A CRL (RFC 5280 5.1).
    Crl,
    /// A Java key store: JKS or JCEKS.
    Jks,
    /// A private or public key: PKCS#1, SEC 1, PKCS#8 or SubjectPublicKeyInfo.
    Key,
    /// PKCS#7 or CMS.
    Pkcs7,
    /// A PKCS#12 key store.
    Pkcs12,
    /// A certification request (RFC 2986).
    Request,
}

/// The arcs that PKCS#7's types begin with: 1.2.840.113549.1.7.
const PKCS7: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07];
const PKCS12_VERSION: &[u8] = &[3];

/// How many octets the element of DER has that `bytes` begin with; None when it is cut off.
#[must_use]
pub fn length(bytes: &[u8]) -> Option<usize> {
    let element = Beginning::of(bytes).filter(|element| element.is_whole)?;
    Some(bytes.len() - element.rest.len())
}

/// Whether `bytes` begin with a SEQUENCE in a SEQUENCE.
pub(super) fn is_nested(bytes: &[u8]) -> bool {
    let outer = Beginning::of(bytes).filter(|outer| outer.tag == SEQUENCE);
    outer.is_some_and(|outer| outer.content.first() == Some(&SEQUENCE))
}

/// Whether `bytes`, too few for [`Kind::of`], which [`is_nested`] has passed, may be a certificate or a
/// CRL: neither a request nor a key behind its algorithm.
pub(super) fn may_be_dated(bytes: &[u8]) -> bool {
    const VERSION_OF_REQUEST: &[u8] = &[INTEGER, 1, 0, SEQUENCE];
    let inner = Beginning::of(bytes).and_then(|outer| Beginning::of(outer.content));
    inner.is_some_and(|inner| {
        let start = inner.content;
        !start.starts_with(&[OBJECT_IDENTIFIER]) && !start.starts_with(VERSION_OF_REQUEST)
    })
}

impl Kind {
    /// What `bytes` begin with; None for anything else.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(&[0xfe, 0xed, 0xfe, 0xed]) || bytes.starts_with(&[0xce; 4]) {
            return Some(Self::Jks);
        }
        let outer = Beginning::of(bytes).filter(|outer| outer.tag == SEQUENCE)?;
        let first = Beginning::of(outer.content)?;
        let second = || Beginning::of(first.behind()?);
        match first.tag {
            SEQUENCE => Self::of_signed(first.content)
                .or_else(|| second().and_then(|second| Self::of_sealed(first.content, &second))),
            INTEGER => second().and_then(|second| Self::of_numbered(first.content, &second)),
            OBJECT_IDENTIFIER => first.content.starts_with(PKCS7).then_some(Self::Pkcs7),
            _ => None,
        }
    }

    /// By what is signed, the first of the three parts of SIGNED (X.509).
    fn of_signed(content: &[u8]) -> Option<Self> {
        const ATTRIBUTES: u8 = der::constructed(0);
        const VERSION: u8 = der::constructed(0);
        let mut fields = Beginning::each(content);
        let mut first = fields.next()?;
        if first.tag == VERSION {
            first = fields.next()?;
            let algorithm = fields.next().map(|field| field.tag);
            let is_certificate = first.tag == INTEGER && algorithm.is_none_or(|it| it == SEQUENCE);
            return is_certificate.then_some(Self::Certificate);
        }
        let is_numbered = first.tag == INTEGER;
        let start = if is_numbered { fields.next()? } else { first };
        let (second, third) = (fields.next()?, fields.next()?);
        if (start.tag, second.tag) != (SEQUENCE, SEQUENCE) {
            return None;
        }
        let within = Beginning::of(third.content).map(|it| it.tag);
        match third.tag {
            UTC_TIME | GENERALIZED_TIME => Some(Self::Crl),
            ATTRIBUTES if is_numbered => Some(Self::Request),
            SEQUENCE if is_numbered && matches!(within?, UTC_TIME | GENERALIZED_TIME) => {
                Some(Self::Certificate)
            }
            _ => None,
        }
    }

    /// SubjectPublicKeyInfo and EncryptedPrivateKeyInfo: an algorithm and what it is of.
    fn of_sealed(algorithm: &[u8], sealed: &Beginning<'_>) -> Option<Self> {
        let name = Beginning::of(algorithm)?;
        let is_sealed = matches!(sealed.tag, BIT_STRING | OCTET_STRING);
        (name.tag == OBJECT_IDENTIFIER && is_sealed).then_some(Self::Key)
    }

    /// What begins with a version, or with the modulus of a public key.
    fn of_numbered(number: &[u8], second: &Beginning<'_>) -> Option<Self> {
        match second.tag {
            SEQUENCE => {
                let name = Beginning::of(second.content)?;
                let is_named = name.tag == OBJECT_IDENTIFIER;
                let is_store = number == PKCS12_VERSION && name.content.starts_with(PKCS7);
                let kind = if is_store { Self::Pkcs12 } else { Self::Key };
                is_named.then_some(kind)
            }
            INTEGER => Some(Self::Key),
            OCTET_STRING if number == [1] => Some(Self::Key),
            _ => None,
        }
    }
}

/// An element that may be cut off, or be of indefinite length (BER), as key stores are.
struct Beginning<'a> {
    tag: u8,
    /// As much of it as is there.
    content: &'a [u8],
    rest: &'a [u8],
    is_whole: bool,
}

impl<'a> Beginning<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let (&tag, after) = bytes.split_first()?;
        let (&first, after) = after.split_first()?;
        let (length, content) = match first {
            0..0x80 => (Some(usize::from(first)), after),
            0x80 => (None, after),
            0x81..=0x84 => {
                let (length, content) = after.split_at_checked(usize::from(first - 0x80))?;
                let join = |length, octet: &u8| length << 8 | usize::from(*octet);
                (Some(length.iter().fold(0, join)), content)
            }
            0x85.. => return None,
        };
        let split = length.and_then(|length| content.split_at_checked(length));
        let (content, rest) = split.unwrap_or((content, &[]));
        Some(Self {
            tag,
            content,
            rest,
            is_whole: split.is_some(),
        })
    }

    /// What is behind it.
    fn behind(&self) -> Option<&'a [u8]> {
        self.is_whole.then_some(self.rest)
    }

    /// The elements that `bytes` are, as far as they are whole, and the one that is cut off.
    fn each(bytes: &'a [u8]) -> impl Iterator<Item = Self> {
        let mut rest = Some(bytes);
        std::iter::from_fn(move || {
            let element = Self::of(rest?)?;
            rest = element.behind();
            Some(element)
        })
    }
}
