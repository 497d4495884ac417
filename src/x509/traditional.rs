//! Private keys that are encrypted by the headers of their PEM block (RFC 1421 4.6), as
//! `openssl ec -aes256` and `openssl rsa -aes256` wrote them until 3.0, and easy-rsa and others with
//! them. The key is made of the passphrase by one round of MD5 (OpenSSL's `EVP_BytesToKey`), so that
//! only a good passphrase protects: such keys are read, and never written.

use aes::{Aes128, Aes192, Aes256};
use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt as _, KeyInit, KeyIvInit};
use des::{Des, TdesEde3};
use md5::{Digest as _, Md5};
use zeroize::Zeroizing;

use super::error::Error;
use super::passphrase::Passphrase;
use super::pem::Block;

/// How a PEM block says that it is encrypted.
pub(super) struct TraditionalEncryption {
    /// The scheme in words, such as `Proc-Type 4, AES-256-CBC`.
    pub(super) scheme: String,
    cipher: String,
    /// Hexadecimal.
    iv: String,
}

impl TraditionalEncryption {
    /// None for a block that is not encrypted so.
    pub(super) fn of(block: &Block) -> Option<Self> {
        let header = |name: &str| {
            let found = block.headers.iter().find(|header| header.0 == name);
            found.map(|header| header.1.as_str())
        };
        header("Proc-Type").filter(|value| value.contains("ENCRYPTED"))?;
        let (cipher, iv) = header("DEK-Info")
            .and_then(|value| value.split_once(','))
            .unwrap_or(("unknown cipher", ""));
        Some(Self {
            scheme: format!("Proc-Type 4, {cipher}"),
            cipher: cipher.trim().to_owned(),
            iv: iv.trim().to_owned(),
        })
    }

    /// What is encrypted. Not necessarily a key: one wrong passphrase in 256 yields padding that
    /// looks right.
    ///
    /// # Errors
    /// [`Error::KeyEncryption`] for a cipher that is not read, before a passphrase is asked for;
    /// [`Error::KeyDamaged`], [`Error::KeyEncrypted`], [`Error::PassphraseWrong`].
    pub(super) fn decrypt(
        &self,
        encrypted: &[u8],
        passphrase: Option<&Passphrase>,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let decrypt = match self.cipher.as_str() {
            "DES-CBC" => decrypt::<Des>,
            "AES-128-CBC" => decrypt::<Aes128>,
            "AES-192-CBC" => decrypt::<Aes192>,
            "AES-256-CBC" => decrypt::<Aes256>,
            "DES-EDE3-CBC" => decrypt::<TdesEde3>,
            _ => {
                return Err(Error::KeyEncryption {
                    scheme: self.scheme.clone(),
                });
            }
        };
        let iv = octets(&self.iv)
            .filter(|iv| iv.len() == self.block_length())
            .ok_or(Error::KeyDamaged {
                because: "its DEK-Info header is none (RFC 1421 4.6.1.3)",
            })?;
        let passphrase = passphrase.ok_or(Error::KeyEncrypted)?;
        decrypt(passphrase, &iv, encrypted).ok_or(Error::PassphraseWrong)
    }

    fn block_length(&self) -> usize {
        if self.cipher.starts_with("AES") {
            16
        } else {
            8
        }
    }
}

fn decrypt<C: BlockCipherDecrypt + KeyInit>(
    passphrase: &Passphrase,
    iv: &[u8],
    encrypted: &[u8],
) -> Option<Zeroizing<Vec<u8>>>
where
    Decryptor<C>: KeyIvInit,
{
    let key = key(passphrase, &iv[..8], C::key_size());
    decrypt_cbc::<C>(&key, iv, encrypted)
}

/// What a block cipher in CBC mode has encrypted; None when the padding is wrong.
pub(super) fn decrypt_cbc<C: BlockCipherDecrypt>(
    key: &[u8],
    iv: &[u8],
    encrypted: &[u8],
) -> Option<Zeroizing<Vec<u8>>>
where
    Decryptor<C>: KeyIvInit,
{
    let mut octets = Zeroizing::new(encrypted.to_vec());
    let decryptor = Decryptor::<C>::new_from_slices(key, iv).ok()?;
    let length = decryptor.decrypt_padded::<Pkcs7>(&mut octets).ok()?.len();
    octets.truncate(length);
    Some(octets)
}

/// `EVP_BytesToKey` with MD5 and one iteration. The salt is the beginning of the IV.
fn key(passphrase: &Passphrase, salt: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(length + 16));
    let mut digest = Zeroizing::new(Vec::new());
    while key.len() < length {
        let next = Md5::new()
            .chain_update(&*digest)
            .chain_update(passphrase.octets())
            .chain_update(salt);
        *digest = next.finalize().to_vec();
        key.extend_from_slice(&digest);
    }
    key.truncate(length);
    key
}

/// Hexadecimal read.
fn octets(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if digits.len() % 2 == 1 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let pair = |at| u8::from_str_radix(&text[at..at + 2], 16).ok();
    (0..text.len()).step_by(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::super::private_key::{PrivateKey, describe};
    use super::super::testing::{block, made, passphrase};
    use super::*;

    fn ec() -> Vec<u8> {
        made("ecparam -name secp384r1 -genkey -noout", b"")
    }

    fn rsa() -> Vec<u8> {
        made("genrsa -traditional 2048", b"")
    }

    fn encrypted(tool: &str, cipher: &str, key: &[u8]) -> Block {
        let traditional = if tool == "rsa" { " -traditional" } else { "" };
        let words = format!("{tool} -{cipher} -passout pass:x{traditional}");
        block(&made(&words, key))
    }

    #[test]
    fn what_openssl_encrypted_is_read_with_the_passphrase_only() {
        for (tool, label, key) in [
            ("ec", "EC PRIVATE KEY", ec()),
            ("rsa", "RSA PRIVATE KEY", rsa()),
        ] {
            let plain = PrivateKey::from_pem(&block(&key), None).unwrap();
            for (cipher, name) in [
                ("aes128", "AES-128-CBC"),
                ("aes192", "AES-192-CBC"),
                ("aes256", "AES-256-CBC"),
                ("des3", "DES-EDE3-CBC"),
                ("des -provider legacy -provider default", "DES-CBC"),
            ] {
                let encrypted = encrypted(tool, cipher, &key);
                assert_eq!(encrypted.label, label);
                let read = |given: Option<&str>| {
                    let given = given.map(passphrase);
                    PrivateKey::from_pem(&encrypted, given.as_ref())
                };
                assert_eq!(*read(Some("x")).unwrap().to_pem(), *plain.to_pem());
                assert_eq!(read(Some("X")).unwrap_err(), Error::PassphraseWrong);
                assert_eq!(read(None).unwrap_err(), Error::KeyEncrypted);
                let described = describe(&encrypted, None).unwrap();
                assert!(described.encrypted);
                assert_eq!(described.public_key, None);
                let scheme = format!("Proc-Type 4, {name}");
                assert_eq!(described.encryption, Some(scheme));
            }
        }
    }

    #[test]
    fn no_wrong_passphrase_is_taken_for_damage() {
        let key = made("ecparam -name prime256v1 -genkey -noout", b"");
        let encrypted = encrypted("ec", "aes256", &key);
        for number in 0..2000 {
            let wrong = passphrase(&number.to_string());
            let error = PrivateKey::from_pem(&encrypted, Some(&wrong)).unwrap_err();
            assert_eq!(error, Error::PassphraseWrong, "{number}");
        }
    }

    #[test]
    fn a_header_that_is_none_is_said_to_be() {
        for (header, message) in [
            (
                Some("AES-256-CBC,00"),
                "the private key cannot be read: its DEK-Info header is none (RFC 1421 4.6.1.3)",
            ),
            (
                Some("AES-256-CBC,xx112233445566778899aabbccddeeff"),
                "the private key cannot be read: its DEK-Info header is none (RFC 1421 4.6.1.3)",
            ),
            (
                Some("DES-EDE3-CBC,00112233445566778899aabbccddeeff"),
                "the private key cannot be read: its DEK-Info header is none (RFC 1421 4.6.1.3)",
            ),
            (
                None,
                "the private key is encrypted with `Proc-Type 4, unknown cipher`, which zpki does not read",
            ),
        ] {
            let mut encrypted = encrypted("ec", "aes256", &ec());
            encrypted.headers.retain(|(name, _)| name != "DEK-Info");
            let header = header.map(|value| ("DEK-Info".to_owned(), value.to_owned()));
            encrypted.headers.extend(header);
            let error = PrivateKey::from_pem(&encrypted, Some(&passphrase("x"))).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn damage_never_panics() {
        let encrypted = encrypted("ec", "des3", &ec());
        for length in 0..encrypted.contents.len() {
            let damaged = Block {
                label: encrypted.label.clone(),
                contents: Zeroizing::new(encrypted.contents[..length].to_vec()),
                headers: encrypted.headers.clone(),
                ..block(&ec())
            };
            let error = PrivateKey::from_pem(&damaged, Some(&passphrase("x"))).unwrap_err();
            assert_eq!(error, Error::PassphraseWrong);
        }
    }
}
