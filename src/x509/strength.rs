//! How strong keys and signatures are, in bits of security as OpenSSL counts them
//! (`EVP_PKEY_get_security_bits`, `X509_get_signature_info`): a TLS peer at security level 2, OpenSSL's
//! default in Debian and what HAProxy is built with, wants 112.

use x509_parser::asn1_rs::oid;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use super::der::{self, Element};
use super::public_key::bit_length;

/// What kind of key it is: a certificate's signature algorithm must be one of its issuer's key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyType {
    /// DSA (FIPS 186-4).
    Dsa,
    /// Elliptic curves (RFC 5480).
    Ec,
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// Ed448 (RFC 8410).
    Ed448,
    /// RSA (RFC 8017).
    Rsa,
    /// RSA for PSS signatures only (RFC 4055).
    RsaPss,
}

/// A public key, weighed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyStrength {
    /// Its kind.
    pub key_type: KeyType,
    /// Bits of security.
    pub security_bits: u32,
    /// Whether an EC key spells out its curve instead of naming it.
    pub explicit_curve: bool,
}

/// A signature algorithm, weighed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SignatureStrength {
    /// The kind of key that makes such signatures.
    pub key_type: KeyType,
    /// Bits of security: half the digest's, and less for MD5 and SHA-1, which are broken.
    pub security_bits: u32,
}

const RSA: &[u8] = &oid!(raw 1.2.840.113549.1.1.1);
const RSA_PSS: &[u8] = &oid!(raw 1.2.840.113549.1.1.10);
const EC: &[u8] = &oid!(raw 1.2.840.10045.2.1);
const DSA: &[u8] = &oid!(raw 1.2.840.10040.4.1);
const ED25519: &[u8] = &oid!(raw 1.3.101.112);
const ED448: &[u8] = &oid!(raw 1.3.101.113);

impl KeyStrength {
    /// Weighs the key of a SubjectPublicKeyInfo; None for one that OpenSSL could not read.
    #[must_use]
    pub fn of(spki_der: &[u8]) -> Option<Self> {
        let (_, key) = SubjectPublicKeyInfo::from_der(spki_der).ok()?;
        Self::of_key(&key)
    }

    /// Weighs a key that was read.
    pub(super) fn of_key(key: &SubjectPublicKeyInfo<'_>) -> Option<Self> {
        let of = |key_type, security_bits| Self {
            key_type,
            security_bits,
            explicit_curve: false,
        };
        match key.algorithm.algorithm.as_bytes() {
            RSA => Some(of(KeyType::Rsa, rsa_security_bits(modulus_bits(key)?))),
            RSA_PSS => Some(of(KeyType::RsaPss, rsa_security_bits(modulus_bits(key)?))),
            EC => elliptic(key),
            DSA => Some(of(KeyType::Dsa, dsa_security_bits(key)?)),
            ED25519 => Some(of(KeyType::Ed25519, 128)),
            ED448 => Some(of(KeyType::Ed448, 224)),
            _ => None,
        }
    }
}

/// RSAPublicKey (RFC 8017 A.1.1) begins with the modulus.
fn modulus_bits(key: &SubjectPublicKeyInfo<'_>) -> Option<usize> {
    if let Ok(PublicKey::RSA(key)) = key.parsed() {
        return Some(bit_length(key.modulus));
    }
    let numbers = Element::tagged(&key.subject_public_key.data, der::SEQUENCE)?.elements()?;
    Some(bit_length(numbers.first()?.content))
}

/// OpenSSL's `ossl_ifc_ffc_compute_security_bits`: the usual lengths have the usual values, and between
/// them the estimate of SP 800-56B, rounded to a multiple of 8. The first modulus with 112 bits has 1963.
fn rsa_security_bits(modulus: usize) -> u32 {
    match modulus {
        2048 => 112,
        3072 => 128,
        4096 => 152,
        6144 => 176,
        7680 => 192,
        8192 => 200,
        15360 => 256,
        0..8 => 0,
        687_737.. => 1200,
        bits => {
            let x = bits as f64 * std::f64::consts::LN_2;
            let log = x.ln();
            let estimate = (1.923 * (x * log * log).cbrt() - 4.69) / std::f64::consts::LN_2;
            // OpenSSL counts in fixed point, and comes out a little below.
            let rounded = ((estimate - 0.015) as u32 + 4) & !7;
            let most = match bits {
                0..=7680 => 192,
                7681..=15360 => 256,
                _ => 1200,
            };
            rounded.min(most)
        }
    }
}

/// By the order of the curve.
fn elliptic(key: &SubjectPublicKeyInfo<'_>) -> Option<KeyStrength> {
    let parameters = key.algorithm.parameters.as_ref()?;
    let explicit_curve = parameters.tag().0 != u32::from(der::OBJECT_IDENTIFIER);
    let order = if explicit_curve {
        explicit_order(parameters.data)?
    } else {
        order_of(parameters.as_oid().ok()?.as_bytes())?
    };
    let security_bits = match order {
        512.. => 256,
        384.. => 192,
        256.. => 128,
        224.. => 112,
        160.. => 80,
        less => less / 2,
    };
    Some(KeyStrength {
        key_type: KeyType::Ec,
        security_bits,
        explicit_curve,
    })
}

/// ECParameters (RFC 3279 2.3.5): version, fieldID, curve, base, order.
fn explicit_order(parameters: &[u8]) -> Option<u32> {
    let mut rest = parameters;
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let (field, behind) = Element::first(rest)?;
        fields.push(field);
        rest = behind;
    }
    u32::try_from(bit_length(fields.get(4)?.content)).ok()
}

/// The bits of a named curve's order.
fn order_of(curve: &[u8]) -> Option<u32> {
    Some(match curve {
        oid!(raw 1.2.840.10045.3.1.1) => 192,
        oid!(raw 1.2.840.10045.3.1.4) => 239,
        oid!(raw 1.2.840.10045.3.1.7) | oid!(raw 1.3.132.0.10) => 256,
        oid!(raw 1.3.132.0.33) => 224,
        oid!(raw 1.3.132.0.34) => 384,
        oid!(raw 1.3.132.0.35) => 521,
        oid!(raw 1.3.36.3.3.2.8.1.1.5) | oid!(raw 1.3.36.3.3.2.8.1.1.6) => 224,
        oid!(raw 1.3.36.3.3.2.8.1.1.7) | oid!(raw 1.3.36.3.3.2.8.1.1.8) => 256,
        oid!(raw 1.3.36.3.3.2.8.1.1.9) | oid!(raw 1.3.36.3.3.2.8.1.1.10) => 320,
        oid!(raw 1.3.36.3.3.2.8.1.1.11) | oid!(raw 1.3.36.3.3.2.8.1.1.12) => 384,
        oid!(raw 1.3.36.3.3.2.8.1.1.13) | oid!(raw 1.3.36.3.3.2.8.1.1.14) => 512,
        _ => return None,
    })
}

/// OpenSSL's `BN_security_bits`, of the lengths of p and q.
fn dsa_security_bits(key: &SubjectPublicKeyInfo<'_>) -> Option<u32> {
    let mut rest = key.algorithm.parameters.as_ref()?.data;
    let mut numbers = Vec::new();
    while !rest.is_empty() {
        let (number, behind) = Element::first(rest)?;
        numbers.push(bit_length(number.content));
        rest = behind;
    }
    let [p, q, _] = numbers[..] else { return None };
    let of_p = match p {
        15360.. => 256,
        7680.. => 192,
        3072.. => 128,
        2048.. => 112,
        1024.. => 80,
        _ => 0,
    };
    let of_q = u32::try_from(q / 2).ok()?;
    Some(if of_q < 80 { 0 } else { of_p.min(of_q) })
}

impl SignatureStrength {
    /// Weighs an AlgorithmIdentifier; None for one that OpenSSL could not make anything of.
    #[must_use]
    pub fn of(algorithm_der: &[u8]) -> Option<Self> {
        let (_, algorithm) = AlgorithmIdentifier::from_der(algorithm_der).ok()?;
        Self::of_algorithm(&algorithm)
    }

    /// Weighs one that was read.
    pub(super) fn of_algorithm(algorithm: &AlgorithmIdentifier<'_>) -> Option<Self> {
        let (key_type, security_bits) = match algorithm.algorithm.as_bytes() {
            oid!(raw 1.2.840.113549.1.1.4) => (KeyType::Rsa, MD5),
            oid!(raw 1.2.840.113549.1.1.5) | oid!(raw 1.3.14.3.2.29) => (KeyType::Rsa, SHA1),
            oid!(raw 1.2.840.113549.1.1.14) | oid!(raw 1.2.840.113549.1.1.15) => {
                (KeyType::Rsa, 112)
            }
            oid!(raw 1.2.840.113549.1.1.11) | oid!(raw 1.2.840.113549.1.1.16) => {
                (KeyType::Rsa, 128)
            }
            oid!(raw 1.2.840.113549.1.1.12) => (KeyType::Rsa, 192),
            oid!(raw 1.2.840.113549.1.1.13) => (KeyType::Rsa, 256),
            RSA_PSS => (KeyType::RsaPss, pss_security_bits(algorithm)?),
            oid!(raw 1.2.840.10045.4.1) => (KeyType::Ec, SHA1),
            oid!(raw 1.2.840.10045.4.3.1) => (KeyType::Ec, 112),
            oid!(raw 1.2.840.10045.4.3.2) => (KeyType::Ec, 128),
            oid!(raw 1.2.840.10045.4.3.3) => (KeyType::Ec, 192),
            oid!(raw 1.2.840.10045.4.3.4) => (KeyType::Ec, 256),
            oid!(raw 1.2.840.10040.4.3) => (KeyType::Dsa, SHA1),
            oid!(raw 2.16.840.1.101.3.4.3.1) => (KeyType::Dsa, 112),
            oid!(raw 2.16.840.1.101.3.4.3.2) => (KeyType::Dsa, 128),
            ED25519 => (KeyType::Ed25519, 128),
            ED448 => (KeyType::Ed448, 224),
            _ => return None,
        };
        Some(Self {
            key_type,
            security_bits,
        })
    }

    /// Whether a key of this kind can have made it: an RSA key makes PSS signatures too, but a key for
    /// PSS makes no others.
    #[must_use]
    pub fn fits(&self, key: KeyType) -> bool {
        self.key_type == key || (self.key_type == KeyType::RsaPss && key == KeyType::Rsa)
    }
}

const MD5: u32 = 39;
const SHA1: u32 = 63;

fn pss_security_bits(algorithm: &AlgorithmIdentifier<'_>) -> Option<u32> {
    let parameters = RsaSsaPssParams::try_from(algorithm.parameters.as_ref()?).ok()?;
    Some(match parameters.hash_algorithm_oid().as_bytes() {
        oid!(raw 1.3.14.3.2.26) => SHA1,
        oid!(raw 2.16.840.1.101.3.4.2.4) => 112,
        oid!(raw 2.16.840.1.101.3.4.2.1) => 128,
        oid!(raw 2.16.840.1.101.3.4.2.2) => 192,
        oid!(raw 2.16.840.1.101.3.4.2.3) => 256,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key_algorithm::KeyAlgorithm;
    use crate::x509::private_key::PrivateKey;

    #[test]
    fn zpkis_own_keys_are_strong_enough() {
        for (algorithm, bits) in [
            (KeyAlgorithm::EcdsaP256, 128),
            (KeyAlgorithm::EcdsaP384, 192),
            (KeyAlgorithm::Ed25519, 128),
            (KeyAlgorithm::Rsa2048, 112),
        ] {
            let key = PrivateKey::generate(algorithm).unwrap();
            let strength = KeyStrength::of(key.public_key_der()).unwrap();
            assert_eq!(strength.security_bits, bits);
        }
    }

    #[test]
    fn the_estimate_for_rsa_is_openssls() {
        for (modulus, bits) in [
            (512, 56),
            (1024, 80),
            (1536, 96),
            (1962, 104),
            (1963, 112),
            (2047, 112),
            (2048, 112),
            (2049, 112),
            (3000, 128),
            (3072, 128),
            (8192, 200),
        ] {
            assert_eq!(rsa_security_bits(modulus), bits, "{modulus}");
        }
    }
}
