//! A certificate described, right or wrong, and its encoding.

use time::Duration;
use time::macros::format_description;

use crate::fuzz::targets::judges::AT;

use super::encoding::{
    BMP_STRING, IA5_STRING, INTEGER, OCTET_STRING, PRINTABLE_STRING, UTF8_STRING, bit_string,
    boolean, constructed, element, integer, object_identifier, primitive, sequence, set,
};
use super::keys::{Digest, KeyName, Keys, algorithm};

/// What a certificate says, and who signed it.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub(super) version: u8,
    /// The octets of an INTEGER.
    pub(super) serial: &'static [u8],
    pub(super) issuer: Name,
    pub(super) subject: Name,
    /// In seconds from [`AT`].
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    pub(super) key: KeyName,
    pub(super) signer: KeyName,
    pub(super) digest: Digest,
    /// Of the algorithm that is signed with the rest, when that is not the one beside the signature.
    pub(super) inner_algorithm: Option<KeyName>,
    pub(super) extensions: Vec<Extension>,
}

/// A distinguished name.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) organization: Option<&'static str>,
    pub(super) common_names: Vec<&'static str>,
    pub(super) email: Option<&'static str>,
    pub(super) spelling: Spelling,
}

/// How a name is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Spelling {
    Bmp,
    /// All attributes in one set, out of order.
    Joined,
    Plain,
    Printable,
    Spaced,
    Upper,
}

#[derive(Clone, Debug)]
pub(super) struct Extension {
    pub(super) critical: bool,
    pub(super) value: Value,
    pub(super) damage: Option<Damage>,
}

/// What becomes of the octets of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Damage {
    /// The one at this place, counted round and round, becomes this.
    Changed(usize, u8),
    /// All behind it are cut off.
    Cut(usize),
    /// This one comes behind the last.
    Followed(u8),
}

/// The value of an extension.
#[derive(Clone, Debug)]
pub(super) enum Value {
    AuthorityKeyIdentifier {
        key: Option<u8>,
        issuer: Option<Name>,
        serial: Option<&'static [u8]>,
    },
    BasicConstraints {
        ca: bool,
        path_len: Option<u8>,
    },
    ExtendedKeyUsage(Vec<&'static str>),
    KeyUsage(u8),
    NameConstraints {
        permitted: Vec<Subtree>,
        excluded: Vec<Subtree>,
    },
    /// An OID and the octets behind it, which may be anything.
    Other(&'static str, &'static [u8]),
    SubjectAltName(Vec<GeneralName>),
    SubjectKeyIdentifier(u8),
}

#[derive(Clone, Debug)]
pub(super) struct Subtree {
    pub(super) base: GeneralName,
    pub(super) minimum: Option<u8>,
    pub(super) maximum: Option<u8>,
}

#[derive(Clone, Debug)]
pub(super) enum GeneralName {
    Directory(Name),
    Dns(&'static str),
    Email(&'static str),
    Ip(&'static [u8]),
    RegisteredId(&'static str),
    Uri(&'static str),
}

impl Certificate {
    /// The DER.
    pub(super) fn encoded(&self, keys: &Keys) -> Vec<u8> {
        let outer = algorithm(self.signer, self.digest);
        let inner = self.inner_algorithm;
        let inner = inner.map_or_else(|| outer.clone(), |key| algorithm(key, Digest::Usual));
        let mut fields = Vec::new();
        if self.version > 1 {
            fields.push(constructed(0, [integer(self.version - 1)]));
        }
        fields.extend([
            element(INTEGER, self.serial),
            inner,
            self.issuer.encoded(),
            sequence([date(self.not_before), date(self.not_after)]),
            self.subject.encoded(),
            keys.public(self.key),
        ]);
        if !self.extensions.is_empty() {
            let extensions = self.extensions.iter().map(Extension::encoded);
            fields.push(constructed(3, [sequence(extensions)]));
        }
        let signed = sequence(fields);
        let signature = keys.sign(self.signer, self.digest, &signed);
        sequence([signed, outer, bit_string(&signature)])
    }
}

/// A UTCTime so many seconds from [`AT`].
pub(super) fn date(seconds: i64) -> Vec<u8> {
    const UTC_TIME: u8 = 0x17;
    let form = format_description!("[year repr:last_two][month][day][hour][minute][second]Z");
    let date = AT + Duration::seconds(seconds);
    element(UTC_TIME, date.format(form).unwrap().as_bytes())
}

impl Name {
    pub(super) fn encoded(&self) -> Vec<u8> {
        let organization = self.organization.map(|it| self.attribute("2.5.4.10", it));
        let common_names = self.common_names.iter();
        let common_names = common_names.map(|it| self.attribute("2.5.4.3", it));
        let email = self.email.map(|it| {
            let kind = object_identifier("1.2.840.113549.1.9.1");
            sequence([kind, element(IA5_STRING, it.as_bytes())])
        });
        let attributes = organization.into_iter().chain(common_names).chain(email);
        let mut attributes = attributes.peekable();
        match self.spelling {
            Spelling::Joined if attributes.peek().is_some() => sequence([set(attributes)]),
            _ => sequence(attributes.map(|attribute| set([attribute]))),
        }
    }

    fn attribute(&self, kind: &str, text: &str) -> Vec<u8> {
        let value = match self.spelling {
            Spelling::Bmp => {
                let octets: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
                element(BMP_STRING, &octets)
            }
            Spelling::Joined | Spelling::Plain => element(UTF8_STRING, text.as_bytes()),
            Spelling::Printable => element(PRINTABLE_STRING, text.as_bytes()),
            Spelling::Spaced => element(UTF8_STRING, text.replace(' ', "  ").as_bytes()),
            Spelling::Upper => element(UTF8_STRING, text.to_uppercase().as_bytes()),
        };
        sequence([object_identifier(kind), value])
    }
}

impl Extension {
    pub(super) fn encoded(&self) -> Vec<u8> {
        let (id, mut value) = self.value.encoded();
        let length = value.len();
        match self.damage {
            Some(Damage::Changed(at, octet)) => value[at % length] = octet,
            Some(Damage::Cut(at)) => value.truncate(at % length),
            Some(Damage::Followed(octet)) => value.push(octet),
            None => {}
        }
        let critical = self.critical.then(boolean);
        let id = Some(object_identifier(id));
        let value = Some(element(OCTET_STRING, &value));
        sequence([id, critical, value].into_iter().flatten())
    }
}

impl Value {
    /// The OID and the value.
    fn encoded(&self) -> (&'static str, Vec<u8>) {
        match self {
            Self::AuthorityKeyIdentifier {
                key,
                issuer,
                serial,
            } => {
                let key = key.map(|key| primitive(0, &key_identifier(key)));
                let issuer = issuer.clone().map(GeneralName::Directory);
                let issuer = issuer.map(|issuer| constructed(1, [issuer.encoded()]));
                let serial = serial.map(|serial| primitive(2, serial));
                (
                    "2.5.29.35",
                    sequence([key, issuer, serial].into_iter().flatten()),
                )
            }
            Self::BasicConstraints { ca, path_len } => {
                let fields = [ca.then(boolean), path_len.map(integer)];
                ("2.5.29.19", sequence(fields.into_iter().flatten()))
            }
            Self::ExtendedKeyUsage(purposes) => {
                let purposes = purposes.iter().map(|it| object_identifier(it));
                ("2.5.29.37", sequence(purposes))
            }
            Self::KeyUsage(bits) => ("2.5.29.15", bit_string(&[*bits])),
            Self::NameConstraints {
                permitted,
                excluded,
            } => {
                let subtrees = |number, subtrees: &[Subtree]| {
                    let is_there = !subtrees.is_empty();
                    is_there.then(|| constructed(number, subtrees.iter().map(Subtree::encoded)))
                };
                let fields = [subtrees(0, permitted), subtrees(1, excluded)];
                ("2.5.29.30", sequence(fields.into_iter().flatten()))
            }
            Self::Other(id, value) => (id, value.to_vec()),
            Self::SubjectAltName(names) => (
                "2.5.29.17",
                sequence(names.iter().map(GeneralName::encoded)),
            ),
            Self::SubjectKeyIdentifier(key) => {
                ("2.5.29.14", element(OCTET_STRING, &key_identifier(*key)))
            }
        }
    }
}

fn key_identifier(number: u8) -> [u8; 20] {
    [number; 20]
}

impl Subtree {
    fn encoded(&self) -> Vec<u8> {
        let base = Some(self.base.encoded());
        let minimum = self.minimum.map(|it| primitive(0, &[it]));
        let maximum = self.maximum.map(|it| primitive(1, &[it]));
        sequence([base, minimum, maximum].into_iter().flatten())
    }
}

impl GeneralName {
    fn encoded(&self) -> Vec<u8> {
        match self {
            Self::Email(text) => primitive(1, text.as_bytes()),
            Self::Dns(text) => primitive(2, text.as_bytes()),
            Self::Directory(name) => constructed(4, [name.encoded()]),
            Self::Uri(text) => primitive(6, text.as_bytes()),
            Self::Ip(octets) => primitive(7, octets),
            Self::RegisteredId(dotted) => primitive(8, &object_identifier(dotted)[2..]),
        }
    }
}
