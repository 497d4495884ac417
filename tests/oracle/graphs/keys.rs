//! The keys of all graphs, made once in a run, and signatures by them.

use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;

use super::encoding::{element, object_identifier, sequence};

/// Which key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum KeyName {
    P256A,
    P256B,
    P256C,
    Ed25519A,
    Ed25519B,
    P384,
    Rsa1024,
    Rsa2048,
}

/// Those that are strong, and sign and verify fast.
pub(super) const FAST_KEYS: &[KeyName] = KEYS.split_at(5).0;

/// Every key.
pub(super) const KEYS: [KeyName; 8] = [
    KeyName::P256A,
    KeyName::P256B,
    KeyName::P256C,
    KeyName::Ed25519A,
    KeyName::Ed25519B,
    KeyName::P384,
    KeyName::Rsa1024,
    KeyName::Rsa2048,
];

/// What is done to the message before it is signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Digest {
    Sha1,
    /// SHA-256, or what Ed25519 does itself.
    Usual,
}

#[derive(Debug)]
pub(super) struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    private: PKey<Private>,
    /// SubjectPublicKeyInfo.
    public: Vec<u8>,
}

impl Keys {
    pub(super) fn generate() -> Self {
        let keys = KEYS.into_iter().map(generate);
        let keys = keys.map(|private| Key {
            public: private.public_key_to_der().unwrap(),
            private,
        });
        Self(keys.collect())
    }

    /// SubjectPublicKeyInfo.
    pub(super) fn public(&self, name: KeyName) -> Vec<u8> {
        self.0[name as usize].public.clone()
    }

    pub(super) fn sign(&self, name: KeyName, digest: Digest, message: &[u8]) -> Vec<u8> {
        let key = &self.0[name as usize].private;
        let mut signer = match (name, digest) {
            (KeyName::Ed25519A | KeyName::Ed25519B, _) => Signer::new_without_digest(key),
            (_, Digest::Sha1) => Signer::new(MessageDigest::sha1(), key),
            (_, Digest::Usual) => Signer::new(MessageDigest::sha256(), key),
        }
        .unwrap();
        signer.sign_oneshot_to_vec(message).unwrap()
    }
}

fn generate(name: KeyName) -> PKey<Private> {
    let elliptic = |curve| {
        let group = EcGroup::from_curve_name(curve).unwrap();
        PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
    };
    let rsa = |bits| PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap();
    match name {
        KeyName::P256A | KeyName::P256B | KeyName::P256C => elliptic(Nid::X9_62_PRIME256V1),
        KeyName::P384 => elliptic(Nid::SECP384R1),
        KeyName::Ed25519A | KeyName::Ed25519B => PKey::generate_ed25519().unwrap(),
        KeyName::Rsa1024 => rsa(1024),
        KeyName::Rsa2048 => rsa(2048),
    }
}

/// The AlgorithmIdentifier of a signature.
pub(super) fn algorithm(name: KeyName, digest: Digest) -> Vec<u8> {
    let null = || element(0x05, &[]);
    match (name, digest) {
        (KeyName::Ed25519A | KeyName::Ed25519B, _) => sequence([object_identifier("1.3.101.112")]),
        (KeyName::Rsa1024 | KeyName::Rsa2048, Digest::Sha1) => {
            sequence([object_identifier("1.2.840.113549.1.1.5"), null()])
        }
        (KeyName::Rsa1024 | KeyName::Rsa2048, Digest::Usual) => {
            sequence([object_identifier("1.2.840.113549.1.1.11"), null()])
        }
        (_, Digest::Sha1) => sequence([object_identifier("1.2.840.10045.4.1")]),
        (_, Digest::Usual) => sequence([object_identifier("1.2.840.10045.4.3.2")]),
    }
}
