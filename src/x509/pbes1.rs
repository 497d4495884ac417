//! Private keys in PKCS#8 that are encrypted by PBES1 (RFC 8018 6.1), or by the scheme that PKCS#12 has
//! of its own (RFC 7292 C), as OpenSSL wrote them before 1.1, and Java for long. DES, once or three times,
//! under a key of few rounds of MD5 or SHA-1: such keys are read, and never written.

use des::{Des, TdesEde2, TdesEde3};
use md5::{Digest as _, Md5};
use ring::digest::{self, SHA1_FOR_LEGACY_USE_ONLY as SHA1};
use zeroize::Zeroizing;

use super::der::{self, Element};
use super::passphrase::Passphrase;
use super::pkcs12::{self, Purpose};
use super::traditional::decrypt_cbc;

/// How a key is encrypted, and the key.
pub(super) struct Pbes1<'a> {
    scheme: Scheme,
    salt: &'a [u8],
    iterations: u32,
    encrypted: &'a [u8],
}

/// The schemes that are read.
#[derive(Clone, Copy)]
enum Scheme {
    /// PBE-MD5-DES.
    Md5,
    /// PBE-SHA1-DES.
    Sha1,
    /// PBE-SHA1-3DES, of PKCS#12.
    ThreeKeys,
    /// PBE-SHA1-2DES, of PKCS#12.
    TwoKeys,
}

impl Scheme {
    fn of(oid: &str) -> Option<Self> {
        Some(match oid {
            "1.2.840.113549.1.5.3" => Self::Md5,
            "1.2.840.113549.1.5.10" => Self::Sha1,
            "1.2.840.113549.1.12.1.3" => Self::ThreeKeys,
            "1.2.840.113549.1.12.1.4" => Self::TwoKeys,
            _ => return None,
        })
    }
}

impl<'a> Pbes1<'a> {
    /// Reads an EncryptedPrivateKeyInfo of which `oid` is the scheme; None for another one, and for what
    /// would take too long.
    pub(super) fn read(der: &'a [u8], oid: &str, most_iterations: u32) -> Option<Self> {
        let scheme = Scheme::of(oid)?;
        let mut info = Element::tagged(der, der::SEQUENCE)?.fields();
        let mut algorithm = info.take(der::SEQUENCE)?.fields();
        algorithm.take(der::OBJECT_IDENTIFIER)?;
        let mut parameters = algorithm.take(der::SEQUENCE)?.fields();
        let salt = parameters.take(der::OCTET_STRING)?.content;
        let iterations = number(parameters.take(der::INTEGER)?.content)?;
        let encrypted = info.take(der::OCTET_STRING)?.content;
        (1..=most_iterations).contains(&iterations).then_some(Self {
            scheme,
            salt,
            iterations,
            encrypted,
        })
    }

    /// What is encrypted. Not necessarily a key: one wrong passphrase in 256 yields padding that looks
    /// right. None for one that does not.
    pub(super) fn decrypt(&self, passphrase: &Passphrase) -> Option<Zeroizing<Vec<u8>>> {
        match self.scheme {
            Scheme::Md5 => {
                self.decrypt_des(self.rounds(passphrase, |octets| Md5::digest(octets).to_vec()))
            }
            Scheme::Sha1 => self.decrypt_des(self.rounds(passphrase, |octets| {
                digest::digest(&SHA1, octets).as_ref().to_vec()
            })),
            Scheme::ThreeKeys => {
                let (key, iv) = self.pkcs12(passphrase, 24);
                decrypt_cbc::<TdesEde3>(&key, &iv, self.encrypted)
            }
            Scheme::TwoKeys => {
                let (key, iv) = self.pkcs12(passphrase, 16);
                decrypt_cbc::<TdesEde2>(&key, &iv, self.encrypted)
            }
        }
    }

    fn decrypt_des(&self, derived: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
        let (key, iv) = derived[..16].split_at(8);
        decrypt_cbc::<Des>(key, iv, self.encrypted)
    }

    /// PBKDF1 (RFC 8018 5.1), of which key and initialization vector are the beginning.
    fn rounds(
        &self,
        passphrase: &Passphrase,
        hash: impl Fn(&[u8]) -> Vec<u8>,
    ) -> Zeroizing<Vec<u8>> {
        let mut octets = Zeroizing::new([passphrase.octets(), self.salt].concat());
        for _ in 0..self.iterations {
            octets = Zeroizing::new(hash(&octets));
        }
        octets
    }

    /// Key and initialization vector.
    fn pkcs12(
        &self,
        passphrase: &Passphrase,
        key: usize,
    ) -> (Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>) {
        let derive = |purpose, length| {
            pkcs12::derive(
                &SHA1,
                purpose,
                passphrase,
                self.salt,
                self.iterations,
                length,
            )
        };
        (derive(Purpose::Key, key), derive(Purpose::Iv, 8))
    }
}

/// A positive INTEGER.
fn number(content: &[u8]) -> Option<u32> {
    let digits = content.strip_prefix(&[0]).unwrap_or(content);
    let fits = digits.len() <= 4 && content.first().is_some_and(|first| *first < 0x80);
    fits.then(|| {
        digits
            .iter()
            .fold(0, |number, octet| number << 8 | u32::from(*octet))
    })
}

#[cfg(test)]
mod tests {
    use super::super::error::Error;
    use super::super::pem::Block;
    use super::super::private_key::{PrivateKey, describe};
    use super::super::testing::{block, made, passphrase};
    use super::*;

    const LEGACY: &str = " -provider legacy -provider default";

    fn key() -> Vec<u8> {
        made(
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384",
            b"",
        )
    }

    #[test]
    fn what_openssl_encrypted_is_read_with_the_passphrase_only() {
        let key = key();
        let plain = PrivateKey::from_pem(&block(&key), None).unwrap();
        for (scheme, provider) in [
            ("PBE-MD5-DES", LEGACY),
            ("PBE-SHA1-DES", LEGACY),
            ("PBE-SHA1-3DES", ""),
            ("PBE-SHA1-2DES", ""),
        ] {
            for secret in [
                "x",
                "correct-horse-battery-staple-and-then-more-than-64-octets",
                "Öl\u{1f511}",
            ] {
                let words = format!(
                    "pkcs8 -topk8 -v1 {scheme} -iter 3000 -passout pass:{secret}{provider}"
                );
                let encrypted = block(&made(&words, &key));
                let read = |given: Option<&str>| {
                    let given = given.map(passphrase);
                    PrivateKey::from_pem(&encrypted, given.as_ref())
                };
                assert_eq!(
                    *read(Some(secret)).unwrap().to_pem(),
                    *plain.to_pem(),
                    "{scheme}"
                );
                assert_eq!(read(Some("X")).unwrap_err(), Error::PassphraseWrong);
                assert_eq!(read(None).unwrap_err(), Error::KeyEncrypted);
                let described = describe(&encrypted, None).unwrap();
                assert!(described.encrypted);
                assert_eq!(described.encryption, Some(format!("PBES1, {scheme}")));
            }
        }
    }

    #[test]
    fn no_wrong_passphrase_is_taken_for_damage() {
        let words = "pkcs8 -topk8 -v1 PBE-SHA1-3DES -iter 1 -passout pass:x";
        let encrypted = block(&made(words, &key()));
        for number in 0..2000 {
            let wrong = passphrase(&number.to_string());
            let error = PrivateKey::from_pem(&encrypted, Some(&wrong)).unwrap_err();
            assert_eq!(error, Error::PassphraseWrong, "{number}");
        }
    }

    #[test]
    fn damage_never_panics() {
        let words = "pkcs8 -topk8 -v1 PBE-SHA1-3DES -iter 1 -passout pass:x";
        let encrypted = block(&made(words, &key()));
        for at in 0..encrypted.contents.len() {
            let mut contents = encrypted.contents.clone();
            contents[at] ^= 0x85;
            let damaged = Block {
                label: encrypted.label.clone(),
                contents,
                ..block(&key())
            };
            PrivateKey::from_pem(&damaged, Some(&passphrase("x"))).unwrap_err();
        }
    }

    #[test]
    fn a_file_cannot_ask_for_more_time_than_there_is() {
        let words = "pkcs8 -topk8 -v1 PBE-SHA1-3DES -iter 2049 -passout pass:x";
        let encrypted = block(&made(words, &key()));
        let oid = "1.2.840.113549.1.12.1.3";
        assert!(Pbes1::read(&encrypted.contents, oid, 2049).is_some());
        assert!(Pbes1::read(&encrypted.contents, oid, 2048).is_none());
        assert_eq!(number(&[0, 0xff, 0xff, 0xff, 0xff]), Some(u32::MAX));
        for none in [&[][..], &[0x80], &[1, 0, 0, 0, 0]] {
            assert_eq!(number(none), None, "{none:?}");
        }
    }
}
