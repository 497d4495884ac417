//! Encrypted private keys: EncryptedPrivateKeyInfo (RFC 5958 3) by PBES2 (RFC 8018 6.2), or by what was
//! there before it.
//!
//! Written is what every OpenSSL since 1.0 reads: PBKDF2-HMAC-SHA256 and AES-256-CBC. (It refuses
//! scrypt parameters that need more than 32 MiB.) Read is what OpenSSL has written by default for
//! twenty years; for the rest the scheme is named.

use pkcs8::der::asn1::OctetStringRef;
use pkcs8::der::{self, Decode, Encode, Reader, SliceReader};
use pkcs8::pkcs5::pbes2::{Kdf, Parameters, Pbkdf2Prf};
use pkcs8::pkcs5::{self, pbes2};
use pkcs8::{
    AlgorithmIdentifierRef, EncryptedPrivateKeyInfoRef, ObjectIdentifier, PrivateKeyInfoRef,
    SecretDocument,
};

use zeroize::Zeroizing;

use super::error::Error;
use super::passphrase::Passphrase;
use super::pbes1::Pbes1;

/// Iterations of PBKDF2: OWASP's number for HMAC-SHA256. About 0.1 s.
pub(super) const ITERATIONS: u32 = 600_000;

/// More of them, some two seconds, are not tried: the file decides, and it may be anybody's.
const MOST_ITERATIONS: u32 = 10_000_000;

/// An encrypted private key, of a scheme that can be decrypted or not.
pub(super) struct EncryptedKey<'a> {
    /// The scheme in words, such as `PBES2, AES-256-CBC, PBKDF2-SHA256, 600000 iterations`.
    pub(super) scheme: String,
    means: Option<Means<'a>>,
}

/// How it is decrypted.
enum Means<'a> {
    Pbes1(Pbes1<'a>),
    Pbes2(EncryptedPrivateKeyInfoRef<'a>),
}

impl<'a> EncryptedKey<'a> {
    /// Reads an EncryptedPrivateKeyInfo.
    pub(super) fn read(der: &'a [u8]) -> Result<Self, Error> {
        let algorithm = algorithm(der).map_err(|_| Error::KeyDamaged {
            because: "it is no EncryptedPrivateKeyInfo (RFC 5958)",
        })?;
        let info = EncryptedPrivateKeyInfoRef::try_from(der).ok();
        let parameters = info
            .as_ref()
            .and_then(|info| info.encryption_algorithm.pbes2());
        Ok(match parameters {
            Some(parameters) => Self {
                scheme: describe(parameters),
                means: info
                    .filter(|info| info.encryption_algorithm.pbes2().is_some_and(is_affordable))
                    .map(Means::Pbes2),
            },
            None => Self {
                scheme: describe_unsupported(algorithm),
                means: Pbes1::read(der, &algorithm.oid.to_string(), MOST_ITERATIONS)
                    .map(Means::Pbes1),
            },
        })
    }

    /// The PrivateKeyInfo within. That a scheme is not supported is said before a passphrase is
    /// asked for.
    pub(super) fn decrypt(
        &self,
        passphrase: Option<&Passphrase>,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let unsupported = || Error::KeyEncryption {
            scheme: self.scheme.clone(),
        };
        let means = self.means.as_ref().ok_or_else(unsupported)?;
        let passphrase = passphrase.ok_or(Error::KeyEncrypted)?;
        let info = match means {
            Means::Pbes1(key) => return key.decrypt(passphrase).ok_or(Error::PassphraseWrong),
            Means::Pbes2(info) => info,
        };
        info.decrypt(passphrase.octets())
            .map(|document| document.to_bytes())
            .map_err(|error| match error {
                pkcs8::Error::EncryptedPrivateKey(
                    pkcs5::Error::UnsupportedAlgorithm { .. }
                    | pkcs5::Error::AlgorithmParametersInvalid { .. },
                ) => unsupported(),
                // One wrong passphrase in 256 yields padding that looks right, and then no DER.
                _ => Error::PassphraseWrong,
            })
    }
}

/// Encrypts a PrivateKeyInfo. `salt` and `iv` must be random and used once.
pub(super) fn encrypt(
    pkcs8_der: &[u8],
    passphrase: &Passphrase,
    salt: [u8; 16],
    iv: [u8; 16],
) -> Result<SecretDocument, pkcs8::Error> {
    let parameters = parameters(salt, iv).map_err(pkcs8::Error::EncryptedPrivateKey)?;
    PrivateKeyInfoRef::try_from(pkcs8_der)?.encrypt_with_params(parameters, passphrase.octets())
}

/// Encrypts other octets in the same way: the DER of the AlgorithmIdentifier, and what became of
/// them. `salt` and `iv` must be random and used once.
pub(super) fn encrypt_data(
    octets: &[u8],
    passphrase: &Passphrase,
    salt: [u8; 16],
    iv: [u8; 16],
) -> Result<(Vec<u8>, Vec<u8>), pkcs8::Error> {
    let parameters = parameters(salt, iv).map_err(pkcs8::Error::EncryptedPrivateKey)?;
    let encrypted = parameters
        .encrypt(passphrase.octets(), octets)
        .map_err(pkcs8::Error::EncryptedPrivateKey)?;
    let algorithm = pkcs5::EncryptionScheme::from(parameters).to_der()?;
    Ok((algorithm, encrypted))
}

fn parameters(salt: [u8; 16], iv: [u8; 16]) -> pkcs5::Result<Parameters> {
    Parameters::generate_pbkdf2_sha256_aes256cbc(ITERATIONS, &salt, iv)
}

fn algorithm(der: &[u8]) -> der::Result<AlgorithmIdentifierRef<'_>> {
    let mut reader = SliceReader::new(der)?;
    let algorithm = reader.sequence(|reader| {
        let algorithm = AlgorithmIdentifierRef::decode(reader)?;
        <&OctetStringRef>::decode(reader)?;
        Ok::<_, der::Error>(algorithm)
    })?;
    reader.finish()?;
    Ok(algorithm)
}

/// Whether the key derivation ends, in memory that there is: the file decides on both, and it may
/// be anybody's.
fn is_affordable(parameters: &Parameters) -> bool {
    match &parameters.kdf {
        Kdf::Pbkdf2(kdf) => (1..=MOST_ITERATIONS).contains(&kdf.iteration_count),
        Kdf::Scrypt(kdf) => {
            let memory = kdf
                .cost_parameter
                .saturating_mul(128 * u64::from(kdf.block_size));
            kdf.cost_parameter.is_power_of_two()
                && kdf.cost_parameter > 1
                && memory <= 256 << 20
                && kdf.parallelization <= 16
        }
        _ => false,
    }
}

fn describe(parameters: &Parameters) -> String {
    let cipher = words(parameters.encryption.oid());
    let kdf = match &parameters.kdf {
        Kdf::Pbkdf2(kdf) => {
            let hash = match kdf.prf {
                Pbkdf2Prf::HmacWithSha1 => "SHA1",
                Pbkdf2Prf::HmacWithSha224 => "SHA224",
                Pbkdf2Prf::HmacWithSha256 => "SHA256",
                Pbkdf2Prf::HmacWithSha384 => "SHA384",
                Pbkdf2Prf::HmacWithSha512 => "SHA512",
                _ => "unknown hash",
            };
            format!("PBKDF2-{hash}, {} iterations", kdf.iteration_count)
        }
        Kdf::Scrypt(kdf) => format!(
            "scrypt, N {}, r {}, p {}",
            kdf.cost_parameter, kdf.block_size, kdf.parallelization
        ),
        other => words(other.oid()),
    };
    format!("PBES2, {cipher}, {kdf}")
}

/// The scheme as far as its OIDs tell: for PBES2 the cipher, or the key derivation when that is
/// what is unknown.
fn describe_unsupported(algorithm: AlgorithmIdentifierRef<'_>) -> String {
    if algorithm.oid != pbes2::PBES2_OID {
        return words(algorithm.oid);
    }
    let parts = algorithm.parameters.and_then(|parameters| {
        let parts = parameters.sequence(|reader| {
            let kdf = AlgorithmIdentifierRef::decode(reader)?;
            let cipher = AlgorithmIdentifierRef::decode(reader)?;
            Ok::<_, der::Error>((kdf.oid, cipher.oid))
        });
        parts.ok()
    });
    match parts {
        Some((kdf, cipher)) => format!("PBES2, {}, {}", words(cipher), words(kdf)),
        None => "PBES2".to_owned(),
    }
}

/// The name of an algorithm as OpenSSL's options have it, or its OID.
fn words(oid: ObjectIdentifier) -> String {
    let dotted = oid.to_string();
    match dotted.as_str() {
        "2.16.840.1.101.3.4.1.2" => "AES-128-CBC",
        "2.16.840.1.101.3.4.1.22" => "AES-192-CBC",
        "2.16.840.1.101.3.4.1.42" => "AES-256-CBC",
        "2.16.840.1.101.3.4.1.6" => "AES-128-GCM",
        "2.16.840.1.101.3.4.1.46" => "AES-256-GCM",
        "1.2.840.113549.3.7" => "DES-EDE3-CBC",
        "1.3.14.3.2.7" => "DES-CBC",
        "1.2.392.200011.61.1.1.1.2" => "CAMELLIA-128-CBC",
        "1.2.392.200011.61.1.1.1.3" => "CAMELLIA-192-CBC",
        "1.2.392.200011.61.1.1.1.4" => "CAMELLIA-256-CBC",
        "1.2.840.113549.1.5.12" => "PBKDF2",
        "1.3.6.1.4.1.11591.4.11" => "scrypt",
        "1.2.840.113549.1.5.1" => "PBES1, PBE-MD2-DES",
        "1.2.840.113549.1.5.3" => "PBES1, PBE-MD5-DES",
        "1.2.840.113549.1.5.4" => "PBES1, PBE-MD2-RC2-64",
        "1.2.840.113549.1.5.6" => "PBES1, PBE-MD5-RC2-64",
        "1.2.840.113549.1.5.10" => "PBES1, PBE-SHA1-DES",
        "1.2.840.113549.1.5.11" => "PBES1, PBE-SHA1-RC2-64",
        "1.2.840.113549.1.12.1.1" => "PBES1, PBE-SHA1-RC4-128",
        "1.2.840.113549.1.12.1.2" => "PBES1, PBE-SHA1-RC4-40",
        "1.2.840.113549.1.12.1.3" => "PBES1, PBE-SHA1-3DES",
        "1.2.840.113549.1.12.1.4" => "PBES1, PBE-SHA1-2DES",
        "1.2.840.113549.1.12.1.5" => "PBES1, PBE-SHA1-RC2-128",
        "1.2.840.113549.1.12.1.6" => "PBES1, PBE-SHA1-RC2-40",
        other => other,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use pkcs8::pkcs5::pbes2::{EncryptionScheme, Pbkdf2Params, Salt, ScryptParams};

    use super::*;

    fn affordable(kdf: impl Into<Kdf>) -> bool {
        let encryption = EncryptionScheme::Aes256Cbc { iv: [0; 16] };
        is_affordable(&Parameters {
            kdf: kdf.into(),
            encryption,
        })
    }

    #[test]
    fn a_file_cannot_ask_for_more_memory_than_there_is() {
        let scrypt = |cost_parameter, block_size, parallelization| ScryptParams {
            salt: Salt::new([0; 8]).unwrap(),
            cost_parameter,
            block_size,
            parallelization,
            key_length: None,
        };
        assert!(affordable(scrypt(1 << 14, 8, 1)));
        assert!(affordable(scrypt(1 << 18, 8, 1)));
        assert!(!affordable(scrypt(1 << 19, 8, 1)));
        assert!(!affordable(scrypt(1 << 63, 8, 1)));
        assert!(!affordable(scrypt(1 << 14, u16::MAX, 1)));
        assert!(!affordable(scrypt(1 << 14, 8, u16::MAX)));
        assert!(!affordable(scrypt(0, 8, 1)));
        assert!(!affordable(scrypt(1000, 8, 1)));
    }

    #[test]
    fn a_file_cannot_ask_for_more_time_than_there_is() {
        let pbkdf2 = |iteration_count| Pbkdf2Params {
            salt: Salt::new([0; 8]).unwrap(),
            iteration_count,
            key_length: None,
            prf: Pbkdf2Prf::HmacWithSha256,
        };
        assert!(affordable(pbkdf2(1)));
        assert!(affordable(pbkdf2(ITERATIONS)));
        assert!(!affordable(pbkdf2(0)));
        assert!(!affordable(pbkdf2(u32::MAX)));
    }
}
