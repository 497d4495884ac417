//! Random graphs: an end entity, and certification authorities of three names with a key each, most of
//! which are as they should be. How many are not differs from graph to graph: where all is random,
//! everything fails at the first rule.

use super::certificate::{
    Certificate, Damage, Extension, GeneralName, Name, Spelling, Subtree, Value,
};
use super::crl::{Crl, Revoked};
use super::keys::{Digest, FAST_KEYS, KEYS, KeyName};
use crate::random::Random;

/// Certificates, and who has which of them.
#[derive(Clone, Debug)]
pub(super) struct Graph {
    /// The first is the end entity's.
    pub(super) certificates: Vec<Certificate>,
    /// Those that the peer sends besides, in this order.
    pub(super) sent: Vec<usize>,
    /// Those of the trust bundle, in this order.
    pub(super) trusted: Vec<usize>,
    /// The CRLs; None where revocation is not looked at.
    pub(super) crls: Option<Vec<Crl>>,
    /// The name that is asked for where names are compared as OpenSSL does.
    pub(super) host: Option<&'static str>,
}

impl Graph {
    /// The graph of a seed.
    pub(super) fn random(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let oddity = random.pick(&[4, 10, 30, 100]);
        let weak_or_slow = oddity < 30;
        let choices = if weak_or_slow { &KEYS } else { FAST_KEYS };
        let keys = [(); 3].map(|()| random.pick(choices));
        let parents = [0, 0, random.below(2)];
        Generator {
            random,
            oddity,
            keys,
            parents,
        }
        .graph()
    }
}

struct Generator {
    random: Random,
    /// One choice of so many is not the usual one.
    oddity: usize,
    /// The usual key of each authority.
    keys: [KeyName; 3],
    /// The usual issuer of each authority: its own, for a root.
    parents: [usize; 3],
}

const DAY: i64 = 86_400;
const AUTHORITIES: [&str; 3] = ["Alpha CA", "Beta CA", "Gamma CA"];
const HOSTS: [&str; 8] = [
    "leaf.example.com",
    "other.example.com",
    "a.leaf.example.com",
    "example.com",
    "Leaf.Example.com",
    ".example.com",
    "10.0.0.1",
    "::1",
];
const DNS_NAMES: [&str; 13] = [
    "leaf.example.com",
    "LEAF.example.com",
    "other.example.com",
    "*.example.com",
    "l*f.example.com",
    "le*.example.com",
    "*.com",
    "leaf.example.com.",
    "example.com",
    ".example.com",
    "leaf.example.com\0",
    "",
    "xn--leaf.example.com",
];
const COMMON_NAMES: [&str; 10] = [
    "leaf.example.com",
    "other.example.com",
    "Leaf",
    "*.example.com",
    "leaf_.example.com",
    "-leaf.example.com",
    "leaf.example.com.",
    "leaf..example.com",
    "l.e",
    "leaf.example.com\0",
];
const EMAILS: [&str; 9] = [
    "ops@example.com",
    "Ops@Example.com",
    "dev@mail.example.com",
    "@example.com",
    "example.com",
    ".example.com",
    "",
    "\"a@b\"@example.com",
    "ops@",
];
const URIS: [&str; 11] = [
    "https://leaf.example.com/",
    "https://leaf.example.com:8443",
    "https://LEAF.example.com",
    "https://user@leaf.example.com/",
    "leaf.example.com",
    ".example.com",
    "urn:leaf",
    "https:///",
    "https://:1",
    "https://leaf.example.com/a:b",
    "",
];
const ADDRESSES: [&[u8]; 7] = [
    &[10, 0, 0, 1],
    &[11, 0, 0, 1],
    &[10, 0, 0, 0, 255, 0, 0, 0],
    &[11, 0, 0, 0, 255, 0, 0, 0],
    &[10, 0, 0],
    &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    &[0; 32],
];
const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";
const PURPOSES: [&str; 7] = [
    SERVER_AUTH,
    CLIENT_AUTH,
    "1.3.6.1.5.5.7.3.3",
    "1.3.6.1.5.5.7.3.9",
    "2.5.29.37.0",
    "2.16.840.1.113730.4.1",
    "1.3.6.1.4.1.311.10.3.3",
];
/// Extensions that are unknown, damaged, or rarely seen.
const OTHERS: [(&str, &[u8]); 34] = [
    ("1.2.3.4", &[0x05, 0x00]),
    ("1.3.6.1.5.5.7.1.1", &[0x30, 0x00]),
    (
        "1.3.6.1.5.5.7.1.7",
        &[0x30, 0x08, 0x30, 0x06, 0x04, 0x02, 0x00, 0x01, 0x05, 0x00],
    ),
    ("1.3.6.1.5.5.7.1.7", &[0x05, 0x00]),
    ("1.3.6.1.5.5.7.1.8", &[0x30, 0x04, 0xa0, 0x02, 0x05, 0x00]),
    ("1.3.6.1.5.5.7.1.8", &[0x05, 0x00]),
    ("1.3.6.1.5.5.7.1.14", PROXY),
    ("1.3.6.1.5.5.7.1.14", &[0x05, 0x00]),
    ("1.3.6.1.5.5.7.48.1.5", &[0x05, 0x00]),
    ("2.5.29.14", &[0x04, 0x01]),
    ("2.5.29.14", &[0x04, 0x00]),
    ("2.5.29.15", &[0x03, 0x02, 0x07, 0x00]),
    ("2.5.29.15", &[0x03, 0x01, 0x00]),
    ("2.5.29.15", &[0x03, 0x03, 0x07, 0x00, 0x80]),
    ("2.5.29.17", &[0x30, 0x02, 0x82, 0x05]),
    ("2.5.29.17", &[0x30, 0x00]),
    ("2.5.29.18", &[0x30, 0x00]),
    ("2.5.29.19", &[0x30, 0x03, 0x01, 0x01]),
    ("2.5.29.19", &[0x30, 0x03, 0x02, 0x01, 0xff]),
    (
        "2.5.29.19",
        &[0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, 0x02],
    ),
    ("2.5.29.19", LONG_PATH),
    ("2.5.29.30", &[0x30, 0x00]),
    ("2.5.29.30", &[0x05, 0x00]),
    ("2.5.29.31", DISTRIBUTION_POINT),
    ("2.5.29.31", &[0x05, 0x00]),
    ("2.5.29.32", POLICIES),
    ("2.5.29.35", &[0x05, 0x00]),
    ("2.5.29.36", &[0x30, 0x03, 0x80, 0x01, 0x00]),
    ("2.5.29.37", &[0x30, 0x00]),
    ("2.5.29.37", &[0x05, 0x00]),
    ("2.5.29.46", DISTRIBUTION_POINT),
    ("2.5.29.54", &[0x02, 0x01, 0x00]),
    ("2.16.840.1.113730.1.1", &[0x03, 0x02, 0x06, 0xc0]),
    ("2.16.840.1.113730.1.1", &[0x03, 0x02, 0x00, 0x07]),
];
/// Those of CRLs: cRLNumber, deltaCRLIndicator, issuingDistributionPoint, freshestCRL.
const CRL_EXTENSIONS: [(&str, &[u8]); 14] = [
    ("1.2.3.4", &[0x05, 0x00]),
    ("2.5.29.20", &[0x02, 0x01, 0x01]),
    ("2.5.29.27", &[0x02, 0x01, 0x01]),
    ("2.5.29.28", &[0x30, 0x00]),
    ("2.5.29.28", &[0x30, 0x03, 0x81, 0x01, 0xff]),
    ("2.5.29.28", &[0x30, 0x03, 0x82, 0x01, 0xff]),
    (
        "2.5.29.28",
        &[0x30, 0x06, 0x81, 0x01, 0xff, 0x82, 0x01, 0xff],
    ),
    ("2.5.29.28", &[0x30, 0x04, 0x83, 0x02, 0x01, 0x06]),
    ("2.5.29.28", &[0x30, 0x03, 0x84, 0x01, 0xff]),
    ("2.5.29.28", &[0x30, 0x03, 0x85, 0x01, 0xff]),
    ("2.5.29.28", SCOPE),
    ("2.5.29.28", OTHER_SCOPE),
    ("2.5.29.35", &[0x05, 0x00]),
    ("2.5.29.46", DISTRIBUTION_POINT),
];
/// issuingDistributionPoint with the name of [`DISTRIBUTION_POINT`], and with another.
const SCOPE: &[u8] = &[
    0x30, 0x0b, 0xa0, 0x09, 0xa0, 0x07, 0x86, 0x05, b'h', b't', b't', b'p', b':',
];
const OTHER_SCOPE: &[u8] = &[
    0x30, 0x0b, 0xa0, 0x09, 0xa0, 0x07, 0x86, 0x05, b'l', b'd', b'a', b'p', b':',
];
/// Those of entries: reasonCode, invalidityDate and one that is unknown.
const ENTRY_EXTENSIONS: [(&str, &[u8]); 5] = [
    ("1.2.3.4", &[0x05, 0x00]),
    ("2.5.29.21", &[0x0a, 0x01, 0x01]),
    ("2.5.29.21", &[0x0a, 0x01, 0x08]),
    ("2.5.29.21", &[0x05, 0x00]),
    ("2.5.29.24", &[0x18, 0x01, b'2']),
];
/// A pathLenConstraint of 2^64.
const LONG_PATH: &[u8] = &[
    0x30, 0x0e, 0x01, 0x01, 0xff, 0x02, 0x09, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
];
/// id-ppl-inheritAll.
const PROXY: &[u8] = &[
    0x30, 0x0c, 0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x15, 0x01,
];
/// `http:` as the full name.
const DISTRIBUTION_POINT: &[u8] = &[
    0x30, 0x0d, 0x30, 0x0b, 0xa0, 0x09, 0xa0, 0x07, 0x86, 0x05, b'h', b't', b't', b'p', b':',
];
/// cRLDistributionPoints: `http:`; `ldap:`; a name relative to the issuer's; `http:` for some reasons; an
/// issuer of its own; and, which is not allowed, reasons only.
const DISTRIBUTION_POINTS: [&[u8]; 6] = [
    DISTRIBUTION_POINT,
    &[
        0x30, 0x0d, 0x30, 0x0b, 0xa0, 0x09, 0xa0, 0x07, 0x86, 0x05, b'l', b'd', b'a', b'p', b':',
    ],
    &[
        0x30, 0x10, 0x30, 0x0e, 0xa0, 0x0c, 0xa1, 0x0a, 0x30, 0x08, 0x06, 0x03, 0x55, 0x04, 0x03,
        0x0c, 0x01, b'a',
    ],
    &[
        0x30, 0x11, 0x30, 0x0f, 0xa0, 0x09, 0xa0, 0x07, 0x86, 0x05, b'h', b't', b't', b'p', b':',
        0x81, 0x02, 0x01, 0x06,
    ],
    &[0x30, 0x08, 0x30, 0x06, 0xa2, 0x04, 0xa4, 0x02, 0x30, 0x00],
    &[0x30, 0x06, 0x30, 0x04, 0x81, 0x02, 0x01, 0x06],
];
/// anyPolicy.
const POLICIES: &[u8] = &[0x30, 0x08, 0x30, 0x06, 0x06, 0x04, 0x55, 0x1d, 0x20, 0x00];
/// Netscape's certificate type, as CAs have it.
const NETSCAPE_TYPES: [&[u8]; 5] = [
    &[0x03, 0x02, 0x00, 0x07],
    &[0x03, 0x02, 0x00, 0x04],
    &[0x03, 0x02, 0x00, 0x03],
    &[0x03, 0x02, 0x00, 0x01],
    &[0x03, 0x02, 0x06, 0xc0],
];

impl Generator {
    fn graph(mut self) -> Graph {
        let mut certificates = vec![self.end_entity()];
        certificates.extend((0..3).map(|own| self.authority(own)));
        for _ in 0..self.random.pick(&[0, 0, 1, 2, 3]) {
            let own = self.random.below(3);
            certificates.push(self.authority(own));
        }
        if self.is_odd() {
            let authority = 1 + self.random.below(certificates.len() - 1);
            certificates.swap(0, authority);
        }
        let (mut sent, mut trusted) = (Vec::new(), Vec::new());
        for (at, certificate) in certificates.iter().enumerate() {
            let is_root = certificate.subject.common_names == certificate.issuer.common_names;
            let (sent_odds, trusted_odds) = match (at, is_root) {
                (0, _) => (2, 2),
                (_, true) => (20, 85),
                (_, false) => (80, 20),
            };
            self.put(at, sent_odds, &mut sent);
            self.put(at, trusted_odds, &mut trusted);
        }
        self.random.shuffle(&mut sent);
        self.random.shuffle(&mut trusted);
        let host = self.random.one_in(2).then_some(HOSTS[0]);
        let host = self.oddly(host, |random| Some(random.pick(&HOSTS)));
        let crls = self.random.one_in(3).then(|| self.crls());
        Graph {
            certificates,
            sent,
            trusted,
            crls,
            host,
        }
    }

    /// Puts a certificate into a pool in `percent` of all cases, sometimes twice.
    fn put(&mut self, certificate: usize, percent: usize, pool: &mut Vec<usize>) {
        if self.random.below(100) < percent {
            pool.push(certificate);
            if self.is_odd() {
                pool.push(certificate);
            }
        }
    }

    fn is_odd(&mut self) -> bool {
        self.random.one_in(self.oddity)
    }

    /// The usual value, or now and then another.
    fn oddly<T>(&mut self, usual: T, other: impl FnOnce(&mut Random) -> T) -> T {
        if self.is_odd() {
            other(&mut self.random)
        } else {
            usual
        }
    }

    fn end_entity(&mut self) -> Certificate {
        let issuer = self.random.below(3);
        let mut certificate = self.certificate(issuer);
        certificate.subject = self.end_entity_name();
        certificate.key = self.oddly(KEYS[0], |random| random.pick(&KEYS));
        certificate.extensions = self.end_entity_extensions(issuer);
        if self.is_odd() {
            certificate.issuer = certificate.subject.clone();
            certificate.signer = certificate.key;
        }
        self.finished(certificate)
    }

    fn end_entity_name(&mut self) -> Name {
        let common_names = self.oddly(vec!["leaf"], |random| random.some(&COMMON_NAMES));
        let email = self.oddly(None, |random| Some(random.pick(&EMAILS)));
        Name {
            common_names,
            email,
            ..self.authority_name(0)
        }
    }

    fn end_entity_extensions(&mut self, issuer: usize) -> Vec<Extension> {
        let names = self.oddly(vec![GeneralName::Dns("leaf.example.com")], |random| {
            (0..random.below(4)).map(|_| general_name(random)).collect()
        });
        let purposes = vec![SERVER_AUTH, CLIENT_AUTH];
        let purposes = self.oddly(purposes, |random| random.some(&PURPOSES));
        let usage = self.oddly(0x80, |random| 1 << random.below(8));
        let constraints = self.oddly(None, |random| Some(basic_constraints(random)));
        let mut extensions = vec![
            self.subject_key_identifier(4),
            self.authority_key_identifier(issuer),
            plain(Value::SubjectAltName(names)),
            plain(Value::ExtendedKeyUsage(purposes)),
            critical(Value::KeyUsage(usage)),
        ];
        extensions.extend(constraints.map(critical));
        extensions
    }

    fn authority(&mut self, own: usize) -> Certificate {
        let parent = self.parents[own];
        let parent = self.oddly(parent, |random| random.below(3));
        let mut certificate = self.certificate(parent);
        certificate.subject = self.authority_name(own);
        certificate.key = self.keys[own];
        certificate.key = self.oddly(certificate.key, |random| random.pick(&KEYS));
        certificate.extensions = self.authority_extensions(own, parent);
        self.finished(certificate)
    }

    fn authority_name(&mut self, own: usize) -> Name {
        let organization = Some("Example Org");
        Name {
            organization: self.oddly(organization, |random| random.pick(&[None, Some("Other")])),
            common_names: vec![AUTHORITIES[own]],
            email: None,
            spelling: self.oddly(Spelling::Plain, |random| {
                random.pick(&[
                    Spelling::Bmp,
                    Spelling::Joined,
                    Spelling::Printable,
                    Spelling::Spaced,
                    Spelling::Upper,
                ])
            }),
        }
    }

    fn authority_extensions(&mut self, own: usize, parent: usize) -> Vec<Extension> {
        let usage = self.oddly(0x06, |random| 1 << random.below(8));
        let usual = Value::BasicConstraints {
            ca: true,
            path_len: self
                .random
                .pick(&[None, None, None, None, Some(0), Some(1)]),
        };
        let constraints = self.oddly(usual, basic_constraints);
        let mut extensions = vec![
            self.subject_key_identifier(own),
            self.authority_key_identifier(parent),
            critical(constraints),
            critical(Value::KeyUsage(usage)),
        ];
        let purposes = self.oddly(None, |random| Some(random.some(&PURPOSES)));
        extensions.extend(purposes.map(|it| plain(Value::ExtendedKeyUsage(it))));
        if self.random.one_in(4) {
            extensions.push(critical(name_constraints(&mut self.random)));
        }
        extensions
    }

    fn subject_key_identifier(&mut self, own: usize) -> Extension {
        let key = self.oddly(own, |random| random.below(5));
        plain(Value::SubjectKeyIdentifier(key as u8))
    }

    fn authority_key_identifier(&mut self, issuer: usize) -> Extension {
        let key = self.oddly(Some(issuer), |random| {
            random.pick(&[None, Some(0), Some(2)])
        });
        let name = self.is_odd().then(|| {
            let grandparent = self.parents[issuer];
            self.authority_name(grandparent)
        });
        plain(Value::AuthorityKeyIdentifier {
            key: key.map(|key| key as u8),
            issuer: name,
            serial: self.oddly(None, |random| Some(serial(random))),
        })
    }

    /// What certificates of both kinds have.
    fn certificate(&mut self, issuer: usize) -> Certificate {
        let signer = self.keys[issuer];
        let (long_ago, far_away) = (-400 * DAY, 400 * DAY);
        Certificate {
            version: self.oddly(3, |random| random.pick(&[1, 2])),
            serial: serial(&mut self.random),
            issuer: self.authority_name(issuer),
            subject: self.authority_name(issuer),
            not_before: self.oddly(long_ago, |random| random.pick(&[-1, 0, 1, DAY])),
            not_after: self.oddly(far_away, |random| random.pick(&[-1, 0, 1, -DAY, 500 * DAY])),
            key: signer,
            signer: self.oddly(signer, |random| random.pick(&KEYS)),
            digest: self.oddly(Digest::Usual, |random| {
                random.pick(&[Digest::Sha1, Digest::Usual])
            }),
            inner_algorithm: self
                .oddly(None, |random| random.one_in(3).then(|| random.pick(&KEYS))),
            extensions: Vec::new(),
        }
    }

    /// One of each authority, and sometimes another.
    fn crls(&mut self) -> Vec<Crl> {
        self.oddity = self.random.pick(&[4, 10, 100]);
        let mut issuers = vec![0, 1, 2];
        for own in 0..3 {
            if self.is_odd() {
                issuers.push(own);
            }
        }
        if self.is_odd() {
            issuers.remove(0);
        }
        self.random.shuffle(&mut issuers);
        issuers.into_iter().map(|own| self.crl(own)).collect()
    }

    fn crl(&mut self, own: usize) -> Crl {
        let mut extensions = vec![self.authority_key_identifier(own)];
        if self.is_odd() {
            let (id, value) = self.random.pick(&CRL_EXTENSIONS);
            extensions.push(plain(Value::Other(id, value)));
        }
        self.distort(&mut extensions);
        let signer = self.keys[own];
        let revoked = self.random.some(&[(); 3]).into_iter();
        Crl {
            issuer: self.authority_name(own),
            signer: self.oddly(signer, |random| random.pick(&KEYS)),
            this_update: self.oddly(-DAY, |random| random.pick(&[-1, 0, 1])),
            next_update: self.oddly(Some(DAY), |random| random.pick(&[None, Some(0), Some(1)])),
            revoked: revoked.map(|()| self.revoked()).collect(),
            extensions,
        }
    }

    fn revoked(&mut self) -> Revoked {
        let mut extensions = Vec::new();
        if self.is_odd() {
            let (id, value) = self.random.pick(&ENTRY_EXTENSIONS);
            extensions.push(plain(Value::Other(id, value)));
        }
        self.distort(&mut extensions);
        // Of other certificates, most of the time.
        let serial = self.oddly(&[9][..], serial);
        Revoked { serial, extensions }
    }

    /// The certificate with the oddities that any may have.
    fn finished(&mut self, mut certificate: Certificate) -> Certificate {
        if certificate.version < 3 && self.random.one_in(2) {
            certificate.extensions.clear();
        }
        if self.is_odd() {
            let nobody = Name {
                organization: None,
                common_names: Vec::new(),
                email: None,
                spelling: Spelling::Plain,
            };
            match self.random.below(6) {
                0 => certificate.issuer = nobody,
                1 => certificate.subject = nobody,
                _ => {}
            }
        }
        self.spoil(&mut certificate.extensions);
        certificate
    }

    fn spoil(&mut self, extensions: &mut Vec<Extension>) {
        if self.random.one_in(8) {
            let points = self.random.pick(&DISTRIBUTION_POINTS);
            extensions.push(plain(Value::Other("2.5.29.31", points)));
        }
        if self.is_odd() {
            self.make_old(extensions);
        }
        if self.is_odd() {
            let (id, value) = self.random.pick(&OTHERS);
            extensions.push(Extension {
                critical: self.random.one_in(2),
                ..plain(Value::Other(id, value))
            });
        }
        self.distort(extensions);
    }

    /// Changes, drops, repeats or shuffles extensions.
    fn distort(&mut self, extensions: &mut Vec<Extension>) {
        if extensions.is_empty() {
            return;
        }
        let at = self.random.below(extensions.len());
        if self.is_odd() {
            extensions[at].critical ^= true;
        }
        if self.is_odd() {
            extensions[at].damage = Some(damage(&mut self.random));
        }
        if self.is_odd() {
            extensions.remove(at);
        } else if self.is_odd() && self.random.one_in(2) {
            extensions.push(extensions[at].clone());
        }
        if self.is_odd() {
            self.random.shuffle(extensions);
        }
    }

    /// Takes away what tells a CA today; Netscape's type may stand for it.
    fn make_old(&mut self, extensions: &mut Vec<Extension>) {
        let leave = self.random.below(4);
        extensions.retain(|extension| match extension.value {
            Value::BasicConstraints { .. } => leave == 1,
            Value::KeyUsage(_) => leave == 2,
            _ => true,
        });
        if self.random.one_in(2) {
            let value = self.random.pick(&NETSCAPE_TYPES);
            extensions.push(plain(Value::Other("2.16.840.1.113730.1.1", value)));
        }
    }
}

fn plain(value: Value) -> Extension {
    Extension {
        critical: false,
        value,
        damage: None,
    }
}

fn critical(value: Value) -> Extension {
    Extension {
        critical: true,
        ..plain(value)
    }
}

fn serial(random: &mut Random) -> &'static [u8] {
    random.pick(&[&[1], &[2], &[3], &[0xff], &[0, 0xff]])
}

fn damage(random: &mut Random) -> Damage {
    const OCTETS: [u8; 16] = [
        0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x09, 0x0c, 0x1f, 0x30, 0x31, 0x7f, 0x80, 0x82,
        0xff,
    ];
    let octet = random.pick(&OCTETS);
    match random.below(6) {
        0 => Damage::Cut(random.below(64)),
        1 => Damage::Followed(octet),
        2 => Damage::Changed(random.below(64), octet),
        // Tags and lengths are near the beginning.
        _ => Damage::Changed(random.below(8), octet),
    }
}

fn basic_constraints(random: &mut Random) -> Value {
    Value::BasicConstraints {
        ca: random.one_in(2),
        path_len: random.pick(&[None, Some(0), Some(1)]),
    }
}

fn name_constraints(random: &mut Random) -> Value {
    let subtree = |random: &mut Random| Subtree {
        base: general_name(random),
        minimum: random.one_in(20).then(|| random.pick(&[0, 1])),
        maximum: random.one_in(20).then_some(1),
    };
    let permitted = vec![Subtree {
        base: GeneralName::Dns("example.com"),
        minimum: None,
        maximum: None,
    }];
    let permitted = match random.below(3) {
        0 => permitted,
        _ => (0..random.below(3)).map(|_| subtree(random)).collect(),
    };
    Value::NameConstraints {
        permitted,
        excluded: (0..random.below(2)).map(|_| subtree(random)).collect(),
    }
}

fn general_name(random: &mut Random) -> GeneralName {
    match random.below(8) {
        0..3 => GeneralName::Dns(random.pick(&DNS_NAMES)),
        3 => GeneralName::Ip(random.pick(&ADDRESSES)),
        4 => GeneralName::Email(random.pick(&EMAILS)),
        5 => GeneralName::Uri(random.pick(&URIS)),
        6 => GeneralName::Directory(Name {
            organization: random.pick(&[None, Some("Example Org"), Some("Other")]),
            common_names: random.some(&AUTHORITIES),
            email: None,
            spelling: random.pick(&[Spelling::Plain, Spelling::Upper]),
        }),
        _ => GeneralName::RegisteredId(random.pick(&["1.2.3", "1.2.4"])),
    }
}
