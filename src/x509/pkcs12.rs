//! PKCS#12 files (RFC 7292): a private key, its certificate and the chain above it under one
//! passphrase, for browsers, Java and Windows.
//!
//! Written is what OpenSSL writes by default since 3.0, but for the iterations: PBES2 with AES-256-CBC
//! and PBKDF2-HMAC-SHA256, and an HMAC-SHA256 over it all. A passphrase is guessed where that is
//! cheapest, so that the key, the certificates and the MAC take the same number of iterations.

use pkcs8::SecretDocument;
use ring::digest::{self, SHA256};
use ring::hmac;
use x509_parser::asn1_rs::oid;
use zeroize::Zeroizing;

use super::certificate::ParsedCertificate;
use super::der::{self, Element, constructed, primitive, wrapped};
use super::encryption::{self, ITERATIONS};
use super::error::Error;
use super::passphrase::Passphrase;
use super::private_key::PrivateKey;

/// What a PKCS#12 file holds.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a> {
    /// The name under which programs show the key (friendlyName), and Java finds it (alias).
    pub friendly_name: &'a str,
    /// The private key.
    pub key: &'a PrivateKey,
    /// The certificate of that key.
    pub certificate: &'a ParsedCertificate,
    /// The certificates above it, nearest first.
    pub chain: &'a [&'a ParsedCertificate],
}

/// Random octets, each used for one file only.
#[derive(Clone, Copy, Debug)]
pub struct Salts {
    key: ([u8; 16], [u8; 16]),
    certificates: ([u8; 16], [u8; 16]),
    mac: [u8; 16],
}

impl Salts {
    /// Random octets that one file takes.
    pub const OCTETS: usize = 80;

    /// The salts and initialization vectors of one file.
    #[must_use]
    pub fn from_random(octets: [u8; Self::OCTETS]) -> Self {
        let (parts, _) = octets.as_chunks();
        Self {
            key: (parts[0], parts[1]),
            certificates: (parts[2], parts[3]),
            mac: parts[4],
        }
    }
}

/// A PKCS#12 file; DER. Java reads none whose passphrase is not ASCII.
///
/// # Errors
/// [`Error::KeyMismatch`] when key and certificate do not belong together; [`Error::KeyDamaged`],
/// which no key that exists leads to.
pub fn encode(
    contents: &Contents<'_>,
    passphrase: &Passphrase,
    salts: &Salts,
) -> Result<Vec<u8>, Error> {
    let certificate = contents.certificate;
    if certificate.public_key_der != contents.key.public_key_der() {
        return Err(Error::KeyMismatch {
            subject: certificate.details.subject.clone(),
        });
    }
    let because = "it cannot be encrypted";
    let unencrypted = |_| Error::KeyDamaged { because };
    let attributes = attributes(contents.friendly_name, &certificate.der);
    let chain = contents.chain.iter();
    let bags = chain.map(|above| certificate_bag(above, &[]));
    let bags: Vec<Vec<u8>> = [certificate_bag(certificate, &attributes)]
        .into_iter()
        .chain(bags)
        .collect();
    let (salt, iv) = salts.certificates;
    let encrypted = encryption::encrypt_data(&sequence_of(&bags), passphrase, salt, iv);
    let (algorithm, encrypted) = encrypted.map_err(unencrypted)?;
    let certificates = encrypted_data(&algorithm, &encrypted);
    let (salt, iv) = salts.key;
    let key = contents.key.encrypted(passphrase, salt, iv);
    let key = key_bag(&key.map_err(unencrypted)?, &attributes);
    let key = data(&wrapped(der::SEQUENCE, &[&key]));
    let safe = wrapped(der::SEQUENCE, &[&certificates, &key]);
    let mac = mac_data(&safe, passphrase, &salts.mac);
    Ok(wrapped(
        der::SEQUENCE,
        &[&wrapped(der::INTEGER, &[&[3]]), &data(&safe), &mac],
    ))
}

/// Whether `file` is what [`encode`] makes of `contents` and `passphrase`, with salts of its own. `salts` are
/// random, and nothing else uses them.
///
/// # Errors
/// As [`encode`].
pub fn is_of(
    file: &[u8],
    contents: &Contents<'_>,
    passphrase: &Passphrase,
    salts: &Salts,
) -> Result<bool, Error> {
    // What differs in nothing but its salts has them at the same places.
    let fresh = encode(contents, passphrase, salts)?;
    let there = |salt: [u8; 16]| -> Option<[u8; 16]> {
        let at = fresh
            .windows(salt.len())
            .position(|octets| octets == salt)?;
        file.get(at..at + salt.len())?.try_into().ok()
    };
    let of_file = || {
        Some(Salts {
            key: (there(salts.key.0)?, there(salts.key.1)?),
            certificates: (there(salts.certificates.0)?, there(salts.certificates.1)?),
            mac: there(salts.mac)?,
        })
    };
    match of_file().filter(|_| file.len() == fresh.len()) {
        Some(salts) => Ok(encode(contents, passphrase, &salts)? == file),
        None => Ok(false),
    }
}

/// Whether `passphrase` opens `file`, which [`encode`] made.
#[must_use]
pub fn opens(file: &[u8], passphrase: &Passphrase) -> bool {
    is_authentic(file, passphrase).unwrap_or(false)
}

/// Whether the MAC is that of the contents; None for another form.
fn is_authentic(file: &[u8], passphrase: &Passphrase) -> Option<bool> {
    let mut parts = Element::tagged(file, der::SEQUENCE)?.fields();
    parts.take(der::INTEGER)?;
    let mut info = parts.take(der::SEQUENCE)?.fields();
    info.take(der::OBJECT_IDENTIFIER)?;
    let safe = info.take(constructed(0))?.only()?.content;
    let mac = parts.take(der::SEQUENCE)?;
    let mut values = mac.fields();
    values.take(der::SEQUENCE)?;
    let salt = values.take(der::OCTET_STRING)?.content.try_into().ok()?;
    Some(mac_data(safe, passphrase, salt) == mac.whole)
}

/// Whether `file`, which [`encode`] made, is for `certificate`: its key says so outside of what is
/// encrypted.
#[must_use]
pub fn is_for(file: &[u8], certificate: &ParsedCertificate) -> bool {
    let key_id = digest::digest(&SHA256, &certificate.der);
    let key_id = key_id.as_ref();
    file.windows(key_id.len()).any(|octets| octets == key_id)
}

const DATA: &[u8] = &oid!(raw 1.2.840.113549.1.7.1);
const ENCRYPTED_DATA: &[u8] = &oid!(raw 1.2.840.113549.1.7.6);
const FRIENDLY_NAME: &[u8] = &oid!(raw 1.2.840.113549.1.9.20);
const LOCAL_KEY_ID: &[u8] = &oid!(raw 1.2.840.113549.1.9.21);
const X509_CERTIFICATE: &[u8] = &oid!(raw 1.2.840.113549.1.9.22.1);
const SHROUDED_KEY_BAG: &[u8] = &oid!(raw 1.2.840.113549.1.12.10.1.2);
const CERTIFICATE_BAG: &[u8] = &oid!(raw 1.2.840.113549.1.12.10.1.3);
const SHA_256: &[u8] = &oid!(raw 2.16.840.1.101.3.4.2.1);

const BMP_STRING: u8 = 0x1e;

fn id(oid: &[u8]) -> Vec<u8> {
    wrapped(der::OBJECT_IDENTIFIER, &[oid])
}

fn sequence_of(elements: &[Vec<u8>]) -> Vec<u8> {
    let elements: Vec<&[u8]> = elements.iter().map(Vec::as_slice).collect();
    wrapped(der::SEQUENCE, &elements)
}

/// A ContentInfo of octets (RFC 2315 8).
fn data(octets: &[u8]) -> Vec<u8> {
    let octets = wrapped(der::OCTET_STRING, &[octets]);
    let content = wrapped(constructed(0), &[&octets]);
    wrapped(der::SEQUENCE, &[&id(DATA), &content])
}

/// A ContentInfo of encrypted octets (RFC 2315 13).
fn encrypted_data(algorithm: &[u8], encrypted: &[u8]) -> Vec<u8> {
    let encrypted = wrapped(primitive(0), &[encrypted]);
    let content = wrapped(der::SEQUENCE, &[&id(DATA), algorithm, &encrypted]);
    let version = wrapped(der::INTEGER, &[&[0]]);
    let content = wrapped(der::SEQUENCE, &[&version, &content]);
    let content = wrapped(constructed(0), &[&content]);
    wrapped(der::SEQUENCE, &[&id(ENCRYPTED_DATA), &content])
}

fn certificate_bag(certificate: &ParsedCertificate, attributes: &[u8]) -> Vec<u8> {
    let octets = wrapped(der::OCTET_STRING, &[&certificate.der]);
    let value = wrapped(constructed(0), &[&octets]);
    let value = wrapped(der::SEQUENCE, &[&id(X509_CERTIFICATE), &value]);
    bag(CERTIFICATE_BAG, &value, attributes)
}

fn key_bag(encrypted: &SecretDocument, attributes: &[u8]) -> Vec<u8> {
    bag(SHROUDED_KEY_BAG, encrypted.as_bytes(), attributes)
}

/// A SafeBag (RFC 7292 4.2).
fn bag(kind: &[u8], value: &[u8], attributes: &[u8]) -> Vec<u8> {
    let value = wrapped(constructed(0), &[value]);
    wrapped(der::SEQUENCE, &[&id(kind), &value, attributes])
}

/// The name, and what tells which certificate is the key's. A SET OF is in the order of its octets.
fn attributes(friendly_name: &str, certificate: &[u8]) -> Vec<u8> {
    let attribute = |kind, value: &[u8]| {
        let values = wrapped(der::SET, &[value]);
        wrapped(der::SEQUENCE, &[&id(kind), &values])
    };
    let name = wrapped(BMP_STRING, &[&utf_16(friendly_name)]);
    let name = attribute(FRIENDLY_NAME, &name);
    let key_id = digest::digest(&SHA256, certificate);
    let key_id = wrapped(der::OCTET_STRING, &[key_id.as_ref()]);
    let key_id = attribute(LOCAL_KEY_ID, &key_id);
    let (first, second) = (name.as_slice().min(&key_id), name.as_slice().max(&key_id));
    wrapped(der::SET, &[first, second])
}

/// UTF-16, big-endian.
fn utf_16(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.encode_utf16().flat_map(u16::to_be_bytes).collect())
}

/// MacData (RFC 7292 4).
fn mac_data(safe: &[u8], passphrase: &Passphrase, salt: &[u8; 16]) -> Vec<u8> {
    let key = derive(&SHA256, Purpose::Mac, passphrase, salt, ITERATIONS, 32);
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), safe);
    let algorithm = wrapped(der::SEQUENCE, &[&id(SHA_256), &wrapped(der::NULL, &[])]);
    let mac = wrapped(der::OCTET_STRING, &[mac.as_ref()]);
    let mac = wrapped(der::SEQUENCE, &[&algorithm, &mac]);
    let salt = wrapped(der::OCTET_STRING, &[salt]);
    let [_, iterations @ ..] = ITERATIONS.to_be_bytes();
    let iterations = wrapped(der::INTEGER, &[&iterations]);
    wrapped(der::SEQUENCE, &[&mac, &salt, &iterations])
}

/// What octets are derived for, so that they differ (RFC 7292 B.3).
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// The key of a cipher.
    Key = 1,
    /// The initialization vector of a cipher.
    Iv = 2,
    /// The key of a MAC.
    Mac = 3,
}

/// Octets from a passphrase, by the derivation that PKCS#12 has of its own (RFC 7292 B.2). The digest is
/// one of blocks of 64 octets.
pub(super) fn derive(
    algorithm: &'static digest::Algorithm,
    purpose: Purpose,
    passphrase: &Passphrase,
    salt: &[u8],
    iterations: u32,
    length: usize,
) -> Zeroizing<Vec<u8>> {
    const BLOCK: usize = 64;
    let mut password = utf_16(passphrase.text());
    password.extend([0, 0]);
    let mut blocks = Zeroizing::new(Vec::new());
    for part in [salt, &password] {
        let length = part.len().next_multiple_of(BLOCK);
        blocks.extend(part.iter().cycle().take(length));
    }
    let mut derived = Zeroizing::new(Vec::with_capacity(length + algorithm.output_len()));
    loop {
        let input = Zeroizing::new([&[purpose as u8; BLOCK][..], &blocks].concat());
        let mut next = Zeroizing::new(digest::digest(algorithm, &input).as_ref().to_vec());
        for _ in 1..iterations {
            let digest = digest::digest(algorithm, &next);
            next.copy_from_slice(digest.as_ref());
        }
        derived.extend_from_slice(&next);
        if derived.len() >= length {
            derived.truncate(length);
            return derived;
        }
        for block in blocks.chunks_mut(BLOCK) {
            add_and_one(block, &next);
        }
    }
}

/// Adds to a number that of some octets, over and over again, and one.
fn add_and_one(number: &mut [u8], octets: &[u8]) {
    let addend: Zeroizing<Vec<u8>> =
        Zeroizing::new(octets.iter().copied().cycle().take(number.len()).collect());
    let mut carry = 1;
    for (digit, octet) in number.iter_mut().zip(&*addend).rev() {
        let sum = u16::from(*digit) + u16::from(*octet) + carry;
        *digit = sum as u8;
        carry = sum >> 8;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::issue::{Authority, EndEntityTemplate};
    use super::super::pem::{self, Block};
    use super::super::testing::{VALIDITY, authority, openssl, openssl_fails, passphrase, subject};
    use super::*;
    use crate::domain::key_algorithm::KeyAlgorithm;

    use crate::domain::role::ExtendedKeyUsage;
    use crate::domain::serial_number::SerialNumber;

    fn issued(ca: &Authority, key: &PrivateKey) -> ParsedCertificate {
        let template = EndEntityTemplate {
            subject: subject("server1"),
            serial_number: SerialNumber::from_octets(&[2]),
            validity: VALIDITY,
            hosts: vec!["a.internal".parse().unwrap()],
            extended_key_usage: ExtendedKeyUsage::SERVER,
        };
        ParsedCertificate::from_der(&ca.issue(&template, key).unwrap()).unwrap()
    }

    fn salts() -> Salts {
        Salts::from_random(std::array::from_fn(|at| at as u8))
    }

    #[test]
    fn a_file_is_told_from_one_that_differs_in_more_than_its_salts() {
        let ca = authority();
        let (key, other_key) = (
            PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap(),
            PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap(),
        );
        let (certificate, other) = (issued(&ca, &key), issued(&ca, &other_key));
        let contents = Contents {
            friendly_name: "server1",
            key: &key,
            certificate: &certificate,
            chain: &[ca.certificate()],
        };
        let file = encode(&contents, &passphrase("secret"), &salts()).unwrap();
        let others = Salts::from_random(std::array::from_fn(|at| 255 - at as u8));
        let is = |file: &[u8], contents: &Contents<'_>, secret: &str| {
            is_of(file, contents, &passphrase(secret), &others).unwrap()
        };
        assert!(is(&file, &contents, "secret"));
        assert!(opens(&file, &passphrase("secret")));
        assert!(!opens(&file, &passphrase("Secret")));
        assert!(!opens(&file[..file.len() - 1], &passphrase("secret")));
        assert!(!is(&file, &contents, "Secret"));
        assert!(!is(&file[1..], &contents, "secret"));
        assert!(!is(b"", &contents, "secret"));
        let differ = [
            Contents {
                friendly_name: "server2",
                ..contents
            },
            Contents {
                chain: &[],
                ..contents
            },
            Contents {
                key: &other_key,
                certificate: &other,
                ..contents
            },
        ];
        for contents in &differ {
            assert!(!is(&file, contents, "secret"));
        }
    }

    /// What openssl finds in the file: its key and its certificates in their order.
    fn openssl_reads(file: &[u8], password: &str) -> (PrivateKey, Vec<Vec<u8>>) {
        let pass = format!("pass:{password}");
        let pem = openssl(&["pkcs12", "-nodes", "-passin", &pass], file);
        let blocks: Vec<Block> = pem::scan(&pem).into_iter().map(Result::unwrap).collect();
        let (keys, certificates): (Vec<Block>, Vec<Block>) = blocks
            .into_iter()
            .partition(|block| block.label == "PRIVATE KEY");
        let [key] = &keys[..] else {
            panic!("{}", keys.len())
        };
        let certificates = certificates.iter().map(|block| block.contents.to_vec());
        (
            PrivateKey::from_pem(key, None).unwrap(),
            certificates.collect(),
        )
    }

    #[test]
    fn openssl_reads_key_certificate_and_chain() {
        let ca = authority();
        for (algorithm, password) in [
            (KeyAlgorithm::EcdsaP384, "x"),
            (KeyAlgorithm::Ed25519, "31 characters and so the block."),
            (
                KeyAlgorithm::Rsa2048,
                "Grüße, 5 € \u{1f511}, and a block more",
            ),
        ] {
            let key = PrivateKey::generate(algorithm).unwrap();
            let certificate = issued(&ca, &key);
            let contents = Contents {
                friendly_name: "server1",
                key: &key,
                certificate: &certificate,
                chain: &[ca.certificate()],
            };
            let file = encode(&contents, &passphrase(password), &salts()).unwrap();
            let (found, certificates) = openssl_reads(&file, password);
            assert_eq!(*found.to_pem(), *key.to_pem());
            let expected = [&certificate.der, &ca.certificate().der];
            assert!(certificates.iter().eq(expected), "{algorithm}");
        }
    }

    #[test]
    fn it_says_what_openssl_says_of_its_own() {
        let (ca, key) = (
            authority(),
            PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap(),
        );
        let certificate = issued(&ca, &key);
        let contents = Contents {
            friendly_name: "Grüße",
            key: &key,
            certificate: &certificate,
            chain: &[],
        };
        let file = encode(&contents, &passphrase("x"), &salts()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        fs::write(path("key"), key.to_pem().as_bytes()).unwrap();
        fs::write(path("certificate"), certificate.to_pem()).unwrap();
        fs::write(path("ours"), file).unwrap();
        let words = format!(
            "pkcs12 -export -inkey {} -in {} -name Grüße -iter 600000 -passout pass:x -out {}",
            path("key"),
            path("certificate"),
            path("theirs")
        );
        openssl(&words.split(' ').collect::<Vec<_>>(), b"");
        let said = |file: &str| {
            let words = format!("pkcs12 -info -nodes -passin pass:x -in {}", path(file));
            let said = openssl(&words.split(' ').collect::<Vec<_>>(), b"");
            // openssl shows names in Latin-1.
            let said = String::from_utf8_lossy(&said);
            let lines = said.lines().filter(|line| !line.contains("localKeyID"));
            lines.map(str::to_owned).collect::<Vec<String>>()
        };
        assert_eq!(said("ours"), said("theirs"));
        assert!(
            said("ours")
                .iter()
                .any(|line| line.contains("friendlyName"))
        );
    }

    #[test]
    fn a_wrong_passphrase_or_one_wrong_octet_is_told_by_the_mac() {
        let (ca, key) = (
            authority(),
            PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap(),
        );
        let contents = Contents {
            friendly_name: "server1",
            key: &key,
            certificate: &issued(&ca, &key),
            chain: &[],
        };
        let mut file = encode(&contents, &passphrase("x"), &salts()).unwrap();
        let wrong = ["pkcs12", "-noout", "-passin", "pass:y"];
        let said = openssl_fails(&wrong, &file);
        assert!(said.contains("invalid password"), "{said}");
        let middle = file.len() / 2;
        file[middle] ^= 1;
        let right = ["pkcs12", "-noout", "-passin", "pass:x"];
        let said = openssl_fails(&right, &file);
        assert!(said.contains("Mac verify error"), "{said}");
    }

    #[test]
    fn the_private_key_is_nowhere_in_the_file() {
        let (ca, key) = (
            authority(),
            PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap(),
        );
        let contents = Contents {
            friendly_name: "server1",
            key: &key,
            certificate: &issued(&ca, &key),
            chain: &[ca.certificate()],
        };
        let file = encode(&contents, &passphrase("x"), &salts()).unwrap();
        let block = pem::scan(key.to_pem().as_bytes()).remove(0).unwrap();
        let seed = &block.contents[block.contents.len() - 32..];
        assert!(!file.windows(32).any(|octets| octets == seed));
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let ca = authority();
        let [one, other] =
            [KeyAlgorithm::EcdsaP256; 2].map(|algorithm| PrivateKey::generate(algorithm).unwrap());
        let contents = Contents {
            friendly_name: "server1",
            key: &one,
            certificate: &issued(&ca, &other),
            chain: &[],
        };
        let error = encode(&contents, &passphrase("x"), &salts()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the private key does not belong to the certificate of `O=test,CN=server1`"
        );
    }
}
