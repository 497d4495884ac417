//! Public keys: what a SubjectPublicKeyInfo (RFC 5280 4.1.2.7) holds, in zpki's words.

use x509_parser::asn1_rs::{Oid, Tag, oid};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey as ParsedKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::domain::certificate::PublicKey;

use super::digest::sha256;

/// A public key that certificates are issued for: that of a private key of zpki's, or of a request
/// whose maker has the private key.
pub trait SubjectKey: rcgen::PublicKeyData {
    /// The SubjectPublicKeyInfo.
    fn public_key_der(&self) -> &[u8];

    /// Whether it is an RSA key: only to such a key TLS may encrypt.
    fn is_rsa(&self) -> bool;
}

/// Describes the key of a SubjectPublicKeyInfo. Never fails: a key that cannot be read still has a
/// fingerprint, and its algorithm is `unreadable`.
#[must_use]
pub fn describe(spki_der: &[u8]) -> PublicKey {
    PublicKey {
        algorithm: algorithm(spki_der).unwrap_or_else(|| "unreadable".to_owned()),
        fingerprint: sha256(spki_der),
    }
}

fn algorithm(spki_der: &[u8]) -> Option<String> {
    let (_, key) = SubjectPublicKeyInfo::from_der(spki_der).ok()?;
    if let Some(bits) = modulus_bits(&key) {
        return Some(format!("rsa-{bits}"));
    }
    // Explicit curve parameters are a SEQUENCE, which x509-parser would take for an OID, too.
    let parameters = key.algorithm.parameters.as_ref();
    let parameters = parameters.filter(|parameters| parameters.tag() == Tag::Oid);
    let curve = parameters.and_then(|parameters| Oid::try_from(parameters).ok());
    let id = &key.algorithm.algorithm;
    let known = algorithm_name(id.as_bytes(), curve.as_ref().map(Oid::as_bytes));
    let most_telling = || curve.as_ref().filter(|_| id.as_bytes() == EC).unwrap_or(id);
    Some(known.map_or_else(|| most_telling().to_id_string(), str::to_owned))
}

/// The length of the modulus of an RSA key, in bits; None for a key of another algorithm.
pub(super) fn rsa_bits(spki_der: &[u8]) -> Option<usize> {
    let (_, key) = SubjectPublicKeyInfo::from_der(spki_der).ok()?;
    modulus_bits(&key)
}

/// [`rsa_bits`] of a key that was read.
pub(super) fn modulus_bits(key: &SubjectPublicKeyInfo<'_>) -> Option<usize> {
    match key.parsed().ok()? {
        ParsedKey::RSA(key) => Some(bit_length(key.modulus)),
        _ => None,
    }
}

/// The bits of a big-endian number, leading zeros not counted.
pub(super) fn bit_length(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|octet| **octet == 0).count();
    let octets = &number[zeros..];
    octets
        .first()
        .map_or(0, |first| octets.len() * 8 - first.leading_zeros() as usize)
}

/// The word for an algorithm that is known by its OID and, for elliptic curves, by its curve.
pub(super) fn algorithm_name(algorithm: &[u8], curve: Option<&[u8]>) -> Option<&'static str> {
    match (algorithm, curve) {
        (EC, Some(oid!(raw 1.2.840.10045.3.1.7))) => Some("ecdsa-p256"),
        (EC, Some(oid!(raw 1.3.132.0.34))) => Some("ecdsa-p384"),
        (EC, Some(oid!(raw 1.3.132.0.35))) => Some("ecdsa-p521"),
        (oid!(raw 1.3.101.112), _) => Some("ed25519"),
        _ => None,
    }
}

const EC: &[u8] = &oid!(raw 1.2.840.10045.2.1);

#[cfg(test)]
mod tests {
    use crate::domain::key_algorithm::KeyAlgorithm;
    use crate::x509::private_key::PrivateKey;
    use crate::x509::testing::openssl;

    use super::*;

    fn made_by_openssl(options: &str) -> PublicKey {
        let arguments: Vec<&str> = options.split(' ').collect();
        let key = openssl(&[&["genpkey"], &arguments[..]].concat(), b"");
        describe(&openssl(&["pkey", "-pubout", "-outform", "DER"], &key))
    }

    #[test]
    fn zpkis_own_algorithms_have_zpkis_words() {
        for algorithm in [
            KeyAlgorithm::EcdsaP256,
            KeyAlgorithm::EcdsaP384,
            KeyAlgorithm::Ed25519,
            KeyAlgorithm::Rsa2048,
        ] {
            let key = PrivateKey::generate(algorithm).unwrap();
            let described = describe(key.public_key_der());
            assert_eq!(described.algorithm, algorithm.to_string());
            assert_eq!(described.fingerprint, sha256(key.public_key_der()));
        }
    }

    #[test]
    fn other_algorithms_are_named_too() {
        let name = |options| made_by_openssl(options).algorithm;
        assert_eq!(
            name("-algorithm RSA -pkeyopt rsa_keygen_bits:1024"),
            "rsa-1024"
        );
        assert_eq!(
            name("-algorithm EC -pkeyopt ec_paramgen_curve:P-521"),
            "ecdsa-p521"
        );
        assert_eq!(
            name("-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1"),
            "1.3.132.0.10"
        );
        assert_eq!(
            name("-algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit"),
            "1.2.840.10045.2.1"
        );
        assert_eq!(name("-algorithm ED448"), "1.3.101.113");
        assert_eq!(
            name("-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048"),
            "1.2.840.113549.1.1.10"
        );
    }

    #[test]
    fn what_is_no_key_is_said_to_be_unreadable() {
        assert_eq!(describe(b"").algorithm, "unreadable");
        assert_eq!(describe(&[0x30, 0x82, 0xff, 0xff]).algorithm, "unreadable");
    }

    #[test]
    fn leading_zeros_do_not_count_as_bits() {
        assert_eq!(bit_length(&[]), 0);
        assert_eq!(bit_length(&[0, 0]), 0);
        assert_eq!(bit_length(&[0, 0x80, 0]), 16);
        assert_eq!(bit_length(&[0x7f, 0]), 15);
    }
}
