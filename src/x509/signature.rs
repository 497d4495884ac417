//! Checking signatures, of certificates and CRLs: by ring where it can, else by aws-lc-rs, which knows
//! P-521, secp256k1 and SHA-512 with every curve, and RSA below 2048 bits. Neither knows P-224, DSA,
//! Ed448 or PSS with unusual parameters; of those nobody can say here whether they are right.

use aws_lc_rs::signature::{self, ParsedPublicKey, UnparsedPublicKey, VerificationAlgorithm};
use x509_parser::asn1_rs::{BitString, oid};
use x509_parser::error::X509Error;
use x509_parser::prelude::FromDer;
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::verify::verify_signature;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use super::der::Element;
use super::public_key::modulus_bits;
use super::strength::{KeyStrength, SignatureStrength};

/// The three parts of everything that is signed (RFC 5280 4.1.1, 5.1.1).
#[derive(Debug)]
pub struct Signed<'a> {
    message: &'a [u8],
    algorithm: AlgorithmIdentifier<'a>,
    signature: BitString<'a>,
}

impl<'a> Signed<'a> {
    /// Takes a certificate, a certification request or a CRL apart.
    #[must_use]
    pub fn of(der: &'a [u8]) -> Option<Self> {
        let (signed, _) = Element::first(der)?;
        let [message, algorithm, signature] = signed.exactly()?;
        let (_, algorithm) = AlgorithmIdentifier::from_der(algorithm.whole).ok()?;
        let (_, signature) = BitString::from_der(signature.whole).ok()?;
        Some(Self {
            message: message.whole,
            algorithm,
            signature,
        })
    }

    /// Whether the key of a SubjectPublicKeyInfo made the signature; None when that cannot be checked
    /// here.
    #[must_use]
    pub fn is_by(&self, public_key_der: &[u8]) -> Option<bool> {
        let (_, key) = SubjectPublicKeyInfo::from_der(public_key_der).ok()?;
        let strength = SignatureStrength::of_algorithm(&self.algorithm);
        match (strength, KeyStrength::of_key(&key)) {
            (Some(strength), Some(key)) if !strength.fits(key.key_type) => return Some(false),
            // ring looks at the octets of a key alone, and would take one of X25519 for one of Ed25519.
            (Some(_), None) => return None,
            _ => {}
        }
        if let Some(algorithm) = beyond_ring(&self.algorithm, &key) {
            let octets = &*key.subject_public_key.data;
            // Only a key that the library can read tells a wrong signature from one that it cannot check.
            ParsedPublicKey::new(algorithm, octets).ok()?;
            let key = UnparsedPublicKey::new(algorithm, octets);
            return Some(key.verify(self.message, &self.signature.data).is_ok());
        }
        if !is_for_ring(&self.algorithm, &key) {
            return None;
        }
        match verify_signature(&key, &self.algorithm, &self.signature, self.message) {
            Ok(()) => Some(true),
            Err(X509Error::SignatureUnsupportedAlgorithm) => None,
            Err(_) => Some(false),
        }
    }
}

const RSA_WITH_SHA256: &[u8] = &oid!(raw 1.2.840.113549.1.1.11);
const RSA_WITH_SHA512: &[u8] = &oid!(raw 1.2.840.113549.1.1.13);
const RSA_PSS: &[u8] = &oid!(raw 1.2.840.113549.1.1.10);
const ECDSA_WITH_SHA256: &[u8] = &oid!(raw 1.2.840.10045.4.3.2);
const ECDSA_WITH_SHA384: &[u8] = &oid!(raw 1.2.840.10045.4.3.3);
const ECDSA_WITH_SHA512: &[u8] = &oid!(raw 1.2.840.10045.4.3.4);
const P256: &[u8] = &oid!(raw 1.2.840.10045.3.1.7);
const P384: &[u8] = &oid!(raw 1.3.132.0.34);
const P521: &[u8] = &oid!(raw 1.3.132.0.35);
const SECP256K1: &[u8] = &oid!(raw 1.3.132.0.10);

/// aws-lc-rs' algorithm for what ring lacks and it has.
fn beyond_ring(
    algorithm: &AlgorithmIdentifier<'_>,
    key: &SubjectPublicKeyInfo<'_>,
) -> Option<&'static dyn VerificationAlgorithm> {
    let id = algorithm.algorithm.as_bytes();
    if let Some(bits) = modulus_bits(key) {
        return match (bits, id) {
            (1024..2048, RSA_WITH_SHA256) => {
                Some(&signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY)
            }
            (1024..2048, RSA_WITH_SHA512) => {
                Some(&signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY)
            }
            _ => None,
        };
    }
    let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
    match (curve.as_bytes(), id) {
        (P256, ECDSA_WITH_SHA512) => Some(&signature::ECDSA_P256_SHA512_ASN1),
        (P384, ECDSA_WITH_SHA512) => Some(&signature::ECDSA_P384_SHA512_ASN1),
        (P521, ECDSA_WITH_SHA256) => Some(&signature::ECDSA_P521_SHA256_ASN1),
        (P521, ECDSA_WITH_SHA384) => Some(&signature::ECDSA_P521_SHA384_ASN1),
        (P521, ECDSA_WITH_SHA512) => Some(&signature::ECDSA_P521_SHA512_ASN1),
        (SECP256K1, ECDSA_WITH_SHA256) => Some(&signature::ECDSA_P256K1_SHA256_ASN1),
        _ => None,
    }
}

/// Whether ring says "wrong" of a wrong signature only: it says so of RSA keys that it does not take, and
/// of PSS with a salt that is not as long as the digest, too.
fn is_for_ring(algorithm: &AlgorithmIdentifier<'_>, key: &SubjectPublicKeyInfo<'_>) -> bool {
    let rsa_fits = modulus_bits(key).is_none_or(|bits| (2048..=8192).contains(&bits));
    let is_pss = algorithm.algorithm.as_bytes() == RSA_PSS;
    rsa_fits && (!is_pss || has_usual_parameters(algorithm))
}

/// One digest for message and mask, and a salt as long as it.
fn has_usual_parameters(algorithm: &AlgorithmIdentifier<'_>) -> bool {
    let parameters = algorithm.parameters.as_ref();
    let Some(parameters) = parameters.and_then(|it| RsaSsaPssParams::try_from(it).ok()) else {
        return false;
    };
    let digest = parameters.hash_algorithm_oid();
    let length = match digest.as_bytes() {
        oid!(raw 2.16.840.1.101.3.4.2.1) => 32,
        oid!(raw 2.16.840.1.101.3.4.2.2) => 48,
        oid!(raw 2.16.840.1.101.3.4.2.3) => 64,
        _ => return false,
    };
    let mask = parameters.mask_gen_algorithm();
    parameters.salt_length() == length && mask.is_ok_and(|mask| mask.hash == *digest)
}

#[cfg(test)]
mod tests {
    use crate::domain::key_algorithm::KeyAlgorithm;
    use crate::x509::private_key::PrivateKey;
    use crate::x509::testing::root;

    #[test]
    fn a_key_of_another_kind_did_not_make_a_signature() {
        let root = root();
        let signed = root.signed().unwrap();
        assert_eq!(signed.is_by(&root.public_key_der), Some(true));
        for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Ed25519] {
            let other = PrivateKey::generate(algorithm).unwrap();
            assert_eq!(signed.is_by(other.public_key_der()), Some(false));
        }
    }

    #[test]
    fn a_key_that_agrees_on_secrets_made_no_signature() {
        let root = root();
        let mut key = root.public_key_der.clone();
        // X25519 (RFC 8410) in place of Ed25519; the octets are a key of both.
        let kind = key.windows(3).position(|it| it == [0x2b, 0x65, 0x70]);
        key[kind.unwrap() + 2] = 0x6e;
        assert_eq!(root.signed().unwrap().is_by(&key), None);
    }
}
