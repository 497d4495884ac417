//! Private keys: made, read in every form that OpenSSL writes, written in the one form that every
//! consumer reads, and signed with.
//!
//! That form is PKCS#8 version 1 (RFC 5208). Version 2, in which ring writes Ed25519 keys, is
//! refused by OpenSSL before 3.5, and so by most HAProxy.

use std::fmt::{self, Debug, Formatter};
use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsBigEndian as _, AsDer as _};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::KeyPair as _;
use pkcs8::der::asn1::{AnyRef, BitStringRef, OctetStringRef, UintRef};
use pkcs8::der::{self, Decode, Encode, Header, Reader, SliceReader, Tag, TagMode, TagNumber};
use pkcs8::{AlgorithmIdentifierRef, ObjectIdentifier, PrivateKeyInfoRef, SecretDocument};
use ring::error::{KeyRejected, Unspecified};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaKeyPair,
};
use zeroize::Zeroizing;

use crate::domain::certificate::PrivateKeyDescription;
use crate::domain::key_algorithm::KeyAlgorithm;

use super::encryption::{self, EncryptedKey};
use super::error::Error;
use super::passphrase::Passphrase;
use super::pem::{self, Block};
use super::public_key::{self, SubjectKey};
use super::traditional::TraditionalEncryption;

/// A private key of one of zpki's algorithms. Its two halves fit together: that was checked when it
/// was read, or it was made so.
pub struct PrivateKey {
    algorithm: KeyAlgorithm,
    /// PKCS#8 version 1.
    der: Zeroizing<Vec<u8>>,
    public_key: PublicKey,
    /// SubjectPublicKeyInfo.
    public_key_der: Vec<u8>,
    /// Loaded at the first signature: the keys of servers never sign here, and loading a key costs
    /// as much as making one.
    signer: OnceLock<Signer>,
}

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

impl PrivateKey {
    /// A new key. RSA keys are made by aws-lc-rs, for ring makes none.
    ///
    /// # Errors
    /// [`Error::KeyGeneration`] when the operating system has no random octets to give.
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, Error> {
        match algorithm {
            KeyAlgorithm::EcdsaP256 => {
                Self::generate_ecdsa(algorithm, &signature::ECDSA_P256_SHA256_ASN1_SIGNING, 65)
            }
            KeyAlgorithm::EcdsaP384 => {
                Self::generate_ecdsa(algorithm, &signature::ECDSA_P384_SHA384_ASN1_SIGNING, 97)
            }
            KeyAlgorithm::Ed25519 => Self::generate_ed25519(),
            KeyAlgorithm::Rsa2048 => Self::generate_rsa(algorithm, KeySize::Rsa2048),
            KeyAlgorithm::Rsa3072 => Self::generate_rsa(algorithm, KeySize::Rsa3072),
            KeyAlgorithm::Rsa4096 => Self::generate_rsa(algorithm, KeySize::Rsa4096),
        }
        .ok_or(Error::KeyGeneration { algorithm })
    }

    /// Reads PKCS#8, of version 1 or 2.
    ///
    /// # Errors
    /// [`Error::KeyDamaged`], [`Error::KeyAlgorithm`].
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, Error> {
        let info =
            PrivateKeyInfoRef::try_from(der).map_err(|_| damaged("it is no PKCS#8 (RFC 5208)"))?;
        let algorithm = algorithm(&info)?;
        let mut der = version_1(&info)?;
        let signer = match Signer::load(algorithm, &der) {
            Ok(signer) => signer,
            Err(_) => {
                der = complete(algorithm, &der).ok_or(INCONSISTENT)?;
                Signer::load(algorithm, &der).map_err(|_| INCONSISTENT)?
            }
        };
        let octets = signer.public_key().to_vec();
        if info
            .public_key
            .is_some_and(|claimed| claimed.raw_bytes() != octets)
        {
            return Err(INCONSISTENT);
        }
        Ok(Self::new(algorithm, der, octets, signer.into()))
    }

    /// Reads a PEM block `PRIVATE KEY`, `ENCRYPTED PRIVATE KEY`, `EC PRIVATE KEY` or `RSA PRIVATE KEY`.
    ///
    /// # Errors
    /// [`Error::NotAPrivateKey`] for another label; for an encrypted key [`Error::KeyEncrypted`],
    /// [`Error::KeyEncryption`] or [`Error::PassphraseWrong`]; and those of
    /// [`Self::from_pkcs8_der`].
    pub fn from_pem(block: &Block, passphrase: Option<&Passphrase>) -> Result<Self, Error> {
        if let Some(encryption) = TraditionalEncryption::of(block) {
            let decrypted = encryption.decrypt(&block.contents, passphrase)?;
            return Self::from_block(&block.label, &decrypted).map_err(no_damage);
        }
        if block.label == "ENCRYPTED PRIVATE KEY" {
            let decrypted = EncryptedKey::read(&block.contents)?.decrypt(passphrase)?;
            return Self::from_pkcs8_der(&decrypted).map_err(no_damage);
        }
        Self::from_block(&block.label, &block.contents)
    }

    /// Reads what stands in a PEM block of this label, not encrypted.
    fn from_block(label: &str, contents: &[u8]) -> Result<Self, Error> {
        match label {
            "PRIVATE KEY" => Self::from_pkcs8_der(contents),
            "EC PRIVATE KEY" => Self::from_pkcs8_der(&sec1_to_pkcs8(contents)?),
            "RSA PRIVATE KEY" => Self::from_pkcs8_der(&pkcs1_to_pkcs8(contents)?),
            label => Err(Error::NotAPrivateKey {
                label: label.to_owned(),
            }),
        }
    }

    /// The algorithm.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The public half: a SubjectPublicKeyInfo (RFC 5280 4.1.2.7).
    #[must_use]
    pub fn public_key_der(&self) -> &[u8] {
        &self.public_key_der
    }

    /// The public half as a PEM block `PUBLIC KEY`.
    #[must_use]
    pub fn public_key_pem(&self) -> String {
        pem::encode("PUBLIC KEY", &self.public_key_der)
    }

    /// The key as a PEM block `PRIVATE KEY`, not encrypted.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        pem::encode_secret("PRIVATE KEY", &self.der)
    }

    /// The key as a PEM block `ENCRYPTED PRIVATE KEY`: PBES2, PBKDF2-HMAC-SHA256 with 600,000
    /// iterations, AES-256-CBC. `salt` and `iv` must be random and used once.
    ///
    /// # Errors
    /// [`Error::KeyDamaged`], which no key that exists leads to.
    pub fn to_encrypted_pem(
        &self,
        passphrase: &Passphrase,
        salt: [u8; 16],
        iv: [u8; 16],
    ) -> Result<String, Error> {
        let encrypted = self
            .encrypted(passphrase, salt, iv)
            .map_err(|_| damaged("it cannot be encrypted"))?;
        Ok(pem::encode("ENCRYPTED PRIVATE KEY", encrypted.as_bytes()))
    }

    /// The key as an EncryptedPrivateKeyInfo, in the same way.
    pub(super) fn encrypted(
        &self,
        passphrase: &Passphrase,
        salt: [u8; 16],
        iv: [u8; 16],
    ) -> Result<SecretDocument, pkcs8::Error> {
        encryption::encrypt(&self.der, passphrase, salt, iv)
    }

    fn generate_ecdsa(
        algorithm: KeyAlgorithm,
        signing: &'static EcdsaSigningAlgorithm,
        point_length: usize,
    ) -> Option<Self> {
        let document = EcdsaKeyPair::generate_pkcs8(signing, &random()).ok()?;
        let der = Zeroizing::new(document.as_ref().to_vec());
        // The public key is the last field of the document: no need to load it for that.
        let point = der[der.len().checked_sub(point_length)?..].to_vec();
        Some(Self::new(algorithm, der, point, OnceLock::new()))
    }

    fn generate_ed25519() -> Option<Self> {
        let mut seed = Zeroizing::new([0; 32]);
        random().fill(seed.as_mut()).ok()?;
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).ok()?;
        let der = Zeroizing::new([ED25519_VERSION_1, seed.as_ref()].concat());
        let octets = pair.public_key().as_ref().to_vec();
        Some(Self::new(
            KeyAlgorithm::Ed25519,
            der,
            octets,
            Signer::Ed25519(pair).into(),
        ))
    }

    fn generate_rsa(algorithm: KeyAlgorithm, size: KeySize) -> Option<Self> {
        let pair = aws_lc_rs::rsa::KeyPair::generate(size).ok()?;
        let der = Zeroizing::new(pair.as_der().ok()?.as_ref().to_vec());
        let octets = pair.public_key().as_ref().to_vec();
        Some(Self::new(algorithm, der, octets, OnceLock::new()))
    }

    fn new(
        algorithm: KeyAlgorithm,
        der: Zeroizing<Vec<u8>>,
        public_key: Vec<u8>,
        signer: OnceLock<Signer>,
    ) -> Self {
        let public_key = PublicKey {
            algorithm: signature_algorithm(algorithm),
            octets: public_key,
        };
        Self {
            algorithm,
            der,
            public_key_der: rcgen::PublicKeyData::subject_public_key_info(&public_key),
            public_key,
            signer,
        }
    }

    fn signer(&self) -> Result<&Signer, KeyRejected> {
        if let Some(signer) = self.signer.get() {
            return Ok(signer);
        }
        let signer = Signer::load(self.algorithm, &self.der)?;
        Ok(self.signer.get_or_init(|| signer))
    }
}

/// ring takes its own generator and no other, for new keys and for the nonces of signatures.
#[expect(
    clippy::disallowed_methods,
    reason = "only system::Entropy makes keys, by PrivateKey::generate"
)]
fn random() -> SystemRandom {
    SystemRandom::new()
}

/// Describes the private key of a PEM block; of an encrypted one, without its passphrase, only how
/// it is encrypted.
///
/// # Errors
/// Those of [`PrivateKey::from_pem`], but for [`Error::KeyEncrypted`].
pub fn describe(
    block: &Block,
    passphrase: Option<&Passphrase>,
) -> Result<PrivateKeyDescription, Error> {
    if block.label == "ENCRYPTED PRIVATE KEY" {
        EncryptedKey::read(&block.contents)?;
    }
    let encryption = encryption(block);
    let key = if encryption.is_some() && passphrase.is_none() {
        None
    } else {
        Some(PrivateKey::from_pem(block, passphrase)?)
    };
    Ok(PrivateKeyDescription {
        encrypted: encryption.is_some(),
        encryption,
        public_key: key.map(|key| public_key::describe(&key.public_key_der)),
    })
}

/// How the private key of a PEM block is encrypted, in words; None when it is not, or when that cannot
/// be read.
#[must_use]
pub fn encryption(block: &Block) -> Option<String> {
    match TraditionalEncryption::of(block) {
        None if block.label == "ENCRYPTED PRIVATE KEY" => {
            let encrypted = EncryptedKey::read(&block.contents).ok()?;
            Some(encrypted.scheme)
        }
        traditional => traditional.map(|encryption| encryption.scheme),
    }
}

impl Debug for PrivateKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl rcgen::PublicKeyData for PrivateKey {
    fn der_bytes(&self) -> &[u8] {
        &self.public_key.octets
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.public_key.algorithm
    }
}

impl SubjectKey for PrivateKey {
    fn public_key_der(&self) -> &[u8] {
        &self.public_key_der
    }

    fn is_rsa(&self) -> bool {
        self.algorithm.is_rsa()
    }
}

impl rcgen::SigningKey for PrivateKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signer = self
            .signer()
            .map_err(|rejected| rcgen::Error::RingKeyRejected(rejected.to_string()))?;
        signer
            .sign(message)
            .map_err(|Unspecified| rcgen::Error::RingUnspecified)
    }
}

/// A public key as rcgen wants it.
struct PublicKey {
    algorithm: &'static rcgen::SignatureAlgorithm,
    /// The subjectPublicKey, without its algorithm.
    octets: Vec<u8>,
}

impl rcgen::PublicKeyData for PublicKey {
    fn der_bytes(&self) -> &[u8] {
        &self.octets
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.algorithm
    }
}

/// What a key of this algorithm signs with. The digest of ECDSA is as strong as its curve.
fn signature_algorithm(algorithm: KeyAlgorithm) -> &'static rcgen::SignatureAlgorithm {
    match algorithm {
        KeyAlgorithm::EcdsaP256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        KeyAlgorithm::EcdsaP384 => &rcgen::PKCS_ECDSA_P384_SHA384,
        KeyAlgorithm::Ed25519 => &rcgen::PKCS_ED25519,
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
            &rcgen::PKCS_RSA_SHA256
        }
    }
}

/// A key as ring signs with it.
enum Signer {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl Signer {
    /// Loads PKCS#8 version 1, and checks that its parts fit together.
    fn load(algorithm: KeyAlgorithm, der: &[u8]) -> Result<Self, KeyRejected> {
        let ecdsa = |signing| EcdsaKeyPair::from_pkcs8(signing, der, &random()).map(Self::Ecdsa);
        match algorithm {
            KeyAlgorithm::EcdsaP256 => ecdsa(&signature::ECDSA_P256_SHA256_ASN1_SIGNING),
            KeyAlgorithm::EcdsaP384 => ecdsa(&signature::ECDSA_P384_SHA384_ASN1_SIGNING),
            KeyAlgorithm::Ed25519 => {
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Self::Ed25519)
            }
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
                RsaKeyPair::from_pkcs8(der).map(|pair| Self::Rsa(Box::new(pair)))
            }
        }
    }

    fn public_key(&self) -> &[u8] {
        match self {
            Self::Ecdsa(pair) => pair.public_key().as_ref(),
            Self::Ed25519(pair) => pair.public_key().as_ref(),
            Self::Rsa(pair) => pair.public_key().as_ref(),
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        match self {
            Self::Ecdsa(pair) => Ok(pair.sign(&random(), message)?.as_ref().to_vec()),
            Self::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(
                    &signature::RSA_PKCS1_SHA256,
                    &random(),
                    message,
                    &mut signature,
                )?;
                Ok(signature)
            }
        }
    }
}

/// A wrong passphrase yields padding that looks right once in 256, and then no key.
fn no_damage(error: Error) -> Error {
    match error {
        Error::KeyDamaged { .. } => Error::PassphraseWrong,
        other => other,
    }
}

const INCONSISTENT: Error = damaged("its parts do not fit together");

const fn damaged(because: &'static str) -> Error {
    Error::KeyDamaged { because }
}

/// What stands before the seed of an Ed25519 key in PKCS#8 version 1 (RFC 8410 7).
const ED25519_VERSION_1: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

fn algorithm(info: &PrivateKeyInfoRef<'_>) -> Result<KeyAlgorithm, Error> {
    let oid = info.algorithm.oid;
    let curve = info.algorithm.parameters_oid().ok();
    let name = if oid == RSA_ENCRYPTION {
        let bits = modulus_bits(info.private_key.as_bytes())
            .map_err(|_| damaged("it is no RSAPrivateKey (RFC 8017)"))?;
        format!("rsa-{bits}")
    } else {
        let id = curve.as_ref().map(ObjectIdentifier::as_bytes);
        let most_telling = curve.filter(|_| oid == EC_PUBLIC_KEY).unwrap_or(oid);
        let known = public_key::algorithm_name(oid.as_bytes(), id);
        known.map_or_else(|| most_telling.to_string(), str::to_owned)
    };
    name.parse()
        .map_err(|_| Error::KeyAlgorithm { algorithm: name })
}

fn modulus_bits(rsa_private_key: &[u8]) -> der::Result<usize> {
    let mut reader = SliceReader::new(rsa_private_key)?;
    Header::decode(&mut reader)?
        .tag()
        .assert_eq(Tag::Sequence)?;
    u8::decode(&mut reader)?;
    let modulus = UintRef::decode(&mut reader)?;
    Ok(public_key::bit_length(modulus.as_bytes()))
}

/// The key as PKCS#8 version 1: without attributes and without a public key beside it.
fn version_1(info: &PrivateKeyInfoRef<'_>) -> Result<Zeroizing<Vec<u8>>, Error> {
    to_pkcs8(info.algorithm, info.private_key.as_bytes()).map_err(|_| INCONSISTENT)
}

fn to_pkcs8(
    algorithm: AlgorithmIdentifierRef<'_>,
    private_key: &[u8],
) -> der::Result<Zeroizing<Vec<u8>>> {
    let info = PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(private_key)?);
    info.to_der().map(Zeroizing::new)
}

/// An ECDSA key with its public half, which ring wants and Java or `openssl ec -no_public` leave
/// out: aws-lc-rs computes it.
fn complete(algorithm: KeyAlgorithm, der: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let signing = match algorithm {
        KeyAlgorithm::EcdsaP256 => &aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING,
        KeyAlgorithm::EcdsaP384 => &aws_lc_rs::signature::ECDSA_P384_SHA384_ASN1_SIGNING,
        _ => return None,
    };
    let half = aws_lc_rs::signature::EcdsaKeyPair::from_pkcs8(signing, der).ok()?;
    let scalar = half.private_key().as_be_bytes().ok()?;
    // A pair that was read without its public half is written without it, too.
    let pair = aws_lc_rs::signature::EcdsaKeyPair::from_private_key_and_public_key(
        signing,
        scalar.as_ref(),
        half.public_key().as_ref(),
    );
    let document = pair.ok()?.to_pkcs8v1().ok()?;
    Some(Zeroizing::new(document.as_ref().to_vec()))
}

/// Wraps an ECPrivateKey (RFC 5915), which names its curve itself.
fn sec1_to_pkcs8(ec_private_key: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut reader = SliceReader::new(ec_private_key).map_err(|_| NO_EC_PRIVATE_KEY)?;
    let curve = reader.sequence(|reader| {
        u8::decode(reader)?;
        <&OctetStringRef>::decode(reader)?;
        let curve = reader.context_specific::<ObjectIdentifier>(TagNumber(0), TagMode::Explicit)?;
        reader.context_specific::<BitStringRef<'_>>(TagNumber(1), TagMode::Explicit)?;
        Ok::<_, der::Error>(curve)
    });
    let curve = curve.ok().flatten().ok_or(NO_EC_PRIVATE_KEY)?;
    let algorithm = AlgorithmIdentifierRef {
        oid: EC_PUBLIC_KEY,
        parameters: Some(AnyRef::from(&curve)),
    };
    to_pkcs8(algorithm, ec_private_key).map_err(|_| NO_EC_PRIVATE_KEY)
}

const NO_EC_PRIVATE_KEY: Error = damaged("it is no ECPrivateKey (RFC 5915) that names its curve");

/// Wraps an RSAPrivateKey (RFC 8017 A.1.2).
fn pkcs1_to_pkcs8(rsa_private_key: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let algorithm = AlgorithmIdentifierRef {
        oid: RSA_ENCRYPTION,
        parameters: Some(AnyRef::NULL),
    };
    to_pkcs8(algorithm, rsa_private_key).map_err(|_| INCONSISTENT)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::SigningKey as _;

    use crate::x509::digest::sha256;
    use crate::x509::testing::{openssl, openssl_succeeds, passphrase};

    use super::*;

    /// The one private key among the blocks of a file that openssl wrote.
    fn block(pem: impl AsRef<[u8]>) -> Block {
        let blocks = pem::scan(pem.as_ref()).into_iter();
        let mut keys = blocks
            .map(Result::unwrap)
            .filter(|block| block.label.ends_with("PRIVATE KEY"));
        keys.next().unwrap()
    }

    fn read(pem: impl AsRef<[u8]>) -> Result<PrivateKey, Error> {
        PrivateKey::from_pem(&block(pem), None)
    }

    fn genpkey(options: &str) -> Vec<u8> {
        let options: Vec<&str> = options.split(' ').collect();
        openssl(&[&["genpkey", "-algorithm"], &options[..]].concat(), b"")
    }

    fn p256() -> Vec<u8> {
        genpkey("EC -pkeyopt ec_paramgen_curve:P-256")
    }

    /// openssl must see the same public key in a private key as we do.
    fn assert_same_key(key: &PrivateKey, pem: &[u8]) {
        let seen = openssl(&["pkey", "-pubout"], pem);
        assert_eq!(String::from_utf8(seen).unwrap(), key.public_key_pem());
    }

    fn assert_openssl_verifies(key: &PrivateKey) {
        let message = b"to be signed";
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str, content: &[u8]| {
            let path = directory.path().join(name);
            fs::write(&path, content).unwrap();
            path.into_os_string().into_string().unwrap()
        };
        let public = path("public", key.public_key_pem().as_bytes());
        let signature = path("signature", &key.sign(message).unwrap());
        let message = path("message", message);
        let digest: &[&str] = match key.algorithm() {
            KeyAlgorithm::EcdsaP384 => &["-rawin", "-digest", "sha384"],
            KeyAlgorithm::Ed25519 => &["-rawin"],
            _ => &["-rawin", "-digest", "sha256"],
        };
        let verify = [
            "pkeyutl", "-verify", "-pubin", "-inkey", &public, "-sigfile", &signature, "-in",
            &message,
        ];
        openssl(&[&verify, digest].concat(), b"");
    }

    #[test]
    fn a_generated_key_is_the_same_key_for_openssl() {
        for algorithm in KeyAlgorithm::ALL {
            let key = PrivateKey::generate(algorithm).unwrap();
            assert_eq!(key.algorithm(), algorithm);
            let pem = key.to_pem();
            openssl(&["pkey", "-check", "-noout"], pem.as_bytes());
            assert_same_key(&key, pem.as_bytes());
            assert_openssl_verifies(&key);

            let read = read(pem.as_bytes()).unwrap();
            assert_eq!(read.algorithm(), algorithm);
            assert_eq!(read.public_key_der(), key.public_key_der());
            assert_eq!(*read.to_pem(), *pem);
            assert_openssl_verifies(&read);
        }
    }

    #[test]
    fn two_generated_keys_differ() {
        for algorithm in [
            KeyAlgorithm::EcdsaP256,
            KeyAlgorithm::EcdsaP384,
            KeyAlgorithm::Ed25519,
        ] {
            let generate = || PrivateKey::generate(algorithm).unwrap();
            assert_ne!(generate().public_key_der(), generate().public_key_der());
        }
    }

    #[test]
    fn an_encrypted_key_is_decrypted_by_openssl_and_by_us() {
        let key = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap();
        let pem = key
            .to_encrypted_pem(&passphrase("grün 1"), [1; 16], [2; 16])
            .unwrap();
        let decrypted = openssl(&["pkey", "-passin", "pass:grün 1"], pem.as_bytes());
        assert_eq!(decrypted, key.to_pem().as_bytes());
        assert!(!openssl_succeeds(
            &["pkey", "-noout", "-passin", "pass:wrong"],
            pem.as_bytes()
        ));

        let read = PrivateKey::from_pem(&block(&pem), Some(&passphrase("grün 1"))).unwrap();
        assert_eq!(*read.to_pem(), *key.to_pem());
        let described = describe(&block(&pem), None).unwrap();
        assert_eq!(
            described.encryption.as_deref(),
            Some("PBES2, AES-256-CBC, PBKDF2-SHA256, 600000 iterations")
        );
        assert_eq!((described.encrypted, described.public_key), (true, None));
    }

    #[test]
    fn every_form_that_openssl_writes_is_read() {
        for (options, algorithm, traditional) in [
            (
                "EC -pkeyopt ec_paramgen_curve:P-256",
                KeyAlgorithm::EcdsaP256,
                Some("EC PRIVATE KEY"),
            ),
            (
                "EC -pkeyopt ec_paramgen_curve:P-384",
                KeyAlgorithm::EcdsaP384,
                Some("EC PRIVATE KEY"),
            ),
            (
                "RSA -pkeyopt rsa_keygen_bits:2048",
                KeyAlgorithm::Rsa2048,
                Some("RSA PRIVATE KEY"),
            ),
            ("ED25519", KeyAlgorithm::Ed25519, None),
        ] {
            let pem = genpkey(options);
            let key = read(&pem).unwrap();
            assert_eq!(key.algorithm(), algorithm);
            assert_same_key(&key, &pem);
            assert_eq!(*key.to_pem(), String::from_utf8(pem.clone()).unwrap());
            let described = describe(&block(&pem), None).unwrap();
            assert_eq!((described.encrypted, described.encryption), (false, None));
            let public_key = public_key::describe(key.public_key_der());
            assert_eq!(described.public_key, Some(public_key));
            if let Some(label) = traditional {
                let traditional = openssl(&["pkey", "-traditional"], &pem);
                assert_eq!(block(&traditional).label, label);
                let written = read(&traditional).unwrap().to_pem();
                assert_eq!(openssl(&["pkey"], written.as_bytes()), pem);
            }
        }
    }

    #[test]
    fn ecparam_writes_its_parameters_before_the_key() {
        let pem = openssl(&["ecparam", "-name", "prime256v1", "-genkey"], b"");
        assert_eq!(pem::scan(&pem).len(), 2);
        assert_same_key(&read(&pem).unwrap(), &pem);
    }

    #[test]
    fn a_key_without_its_public_half_gets_it() {
        for options in [
            "EC -pkeyopt ec_paramgen_curve:P-256",
            "EC -pkeyopt ec_paramgen_curve:P-384",
        ] {
            let whole = genpkey(options);
            let pem = openssl(&["ec", "-no_public"], &whole);
            assert!(pem.len() < whole.len());
            let key = read(&pem).unwrap();
            assert_same_key(&key, &whole);
            assert_openssl_verifies(&key);
            assert_same_key(&key, key.to_pem().as_bytes());
        }
    }

    #[test]
    fn an_ed25519_key_of_version_2_is_written_as_version_1() {
        let version_2 = Ed25519KeyPair::generate_pkcs8(&random()).unwrap();
        let version_2 = version_2.as_ref();
        assert!(!openssl_succeeds(
            &["pkey", "-noout"],
            pem::encode("PRIVATE KEY", version_2).as_bytes()
        ));
        let key = PrivateKey::from_pkcs8_der(version_2).unwrap();
        assert_same_key(&key, key.to_pem().as_bytes());
        assert_openssl_verifies(&key);
    }

    #[test]
    fn encrypted_forms_are_read_with_the_passphrase_only() {
        let pem = p256();
        let key = read(&pem).unwrap();
        for (options, scheme) in [
            (
                "-v2 aes-256-cbc",
                "PBES2, AES-256-CBC, PBKDF2-SHA256, 2048 iterations",
            ),
            (
                "-v2 aes128 -v2prf hmacWithSHA512",
                "PBES2, AES-128-CBC, PBKDF2-SHA512, 2048 iterations",
            ),
            (
                "-v2 aes192 -v2prf hmacWithSHA1",
                "PBES2, AES-192-CBC, PBKDF2-SHA1, 2048 iterations",
            ),
            (
                "-v2 des3 -iter 1000",
                "PBES2, DES-EDE3-CBC, PBKDF2-SHA256, 1000 iterations",
            ),
            ("-scrypt", "PBES2, AES-256-CBC, scrypt, N 16384, r 8, p 1"),
        ] {
            let options: Vec<&str> = options.split(' ').collect();
            let encrypted = openssl(
                &[&["pkcs8", "-topk8", "-passout", "pass:x"], &options[..]].concat(),
                &pem,
            );
            let encrypted = block(encrypted);

            let read = PrivateKey::from_pem(&encrypted, Some(&passphrase("x"))).unwrap();
            assert_eq!(*read.to_pem(), *key.to_pem());
            let error = PrivateKey::from_pem(&encrypted, Some(&passphrase("X"))).unwrap_err();
            assert_eq!(error, Error::PassphraseWrong);
            let error = PrivateKey::from_pem(&encrypted, None).unwrap_err();
            assert_eq!(error, Error::KeyEncrypted);

            let described = describe(&encrypted, Some(&passphrase("x"))).unwrap();
            assert_eq!(described.encryption.as_deref(), Some(scheme));
            assert_eq!(
                described.public_key.unwrap().fingerprint,
                sha256(key.public_key_der())
            );
            assert_eq!(describe(&encrypted, None).unwrap().public_key, None);
        }
    }

    #[test]
    fn no_wrong_passphrase_is_taken_for_damage() {
        let pem = openssl(
            &["pkcs8", "-topk8", "-passout", "pass:x", "-iter", "1"],
            &p256(),
        );
        let encrypted = block(pem);
        // CBC padding is right by chance once in 256: some of these come that far.
        for number in 0..2000 {
            let wrong = passphrase(&number.to_string());
            let error = PrivateKey::from_pem(&encrypted, Some(&wrong)).unwrap_err();
            assert_eq!(error.to_string(), "wrong passphrase or damaged file");
        }
    }

    #[test]
    fn other_encryption_is_named() {
        let pem = openssl(&["pkey", "-traditional"], &p256());
        let legacy = " -provider legacy -provider default";
        for (command, scheme, provider) in [
            (
                "pkcs8 -topk8 -v2 camellia256",
                "PBES2, CAMELLIA-256-CBC, PBKDF2",
                "",
            ),
            (
                "pkcs8 -topk8 -v1 PBE-SHA1-RC2-40 -provider legacy -provider default",
                "PBES1, PBE-SHA1-RC2-40",
                legacy,
            ),
        ] {
            let command: Vec<&str> = command.split(' ').collect();
            let encrypted = block(openssl(
                &[&command, &["-passout", "pass:x"][..]].concat(),
                &pem,
            ));
            let error = PrivateKey::from_pem(&encrypted, None).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("the private key is encrypted with `{scheme}`, which zpki does not read")
            );
            assert_eq!(
                error.hint(),
                format!(
                    "convert it: openssl pkcs8 -topk8 -v2 aes-256-cbc{provider} -in FILE -out NEW"
                )
            );
            let described = describe(&encrypted, None).unwrap();
            assert_eq!(
                (described.encrypted, described.encryption.as_deref()),
                (true, Some(scheme))
            );
        }
    }

    #[test]
    fn other_algorithms_are_refused_by_name() {
        for (options, name) in [
            ("EC -pkeyopt ec_paramgen_curve:P-521", "ecdsa-p521"),
            ("EC -pkeyopt ec_paramgen_curve:secp256k1", "1.3.132.0.10"),
            ("RSA -pkeyopt rsa_keygen_bits:1024", "rsa-1024"),
            (
                "RSA-PSS -pkeyopt rsa_keygen_bits:2048",
                "1.2.840.113549.1.1.10",
            ),
            ("ED448", "1.3.101.113"),
        ] {
            let error = read(genpkey(options)).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("the private key is of the algorithm `{name}`, which zpki does not use")
            );
        }
    }

    #[test]
    fn what_is_no_private_key_is_refused() {
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let message = |pem: &str| {
            let blocks = pem::scan(pem.as_bytes());
            let error = PrivateKey::from_pem(blocks[0].as_ref().unwrap(), None).unwrap_err();
            error.to_string()
        };
        assert_eq!(
            message(&key.public_key_pem()),
            "zpki does not read the PEM block `PUBLIC KEY`"
        );
        let public = key.public_key_der();
        let unreadable = |because: &str| format!("the private key cannot be read: {because}");
        assert_eq!(
            message(&pem::encode("PRIVATE KEY", public)),
            unreadable("it is no PKCS#8 (RFC 5208)")
        );
        assert_eq!(
            message(&pem::encode("EC PRIVATE KEY", public)),
            unreadable("it is no ECPrivateKey (RFC 5915) that names its curve")
        );
        assert_eq!(
            message(&pem::encode("RSA PRIVATE KEY", public)),
            unreadable("it is no RSAPrivateKey (RFC 8017)")
        );
        assert_eq!(
            message(&pem::encode("ENCRYPTED PRIVATE KEY", public)),
            unreadable("it is no EncryptedPrivateKeyInfo (RFC 5958)")
        );
        let trailing = [&key.der[..], b"\n"].concat();
        assert_eq!(
            message(&pem::encode("PRIVATE KEY", &trailing)),
            unreadable("it is no PKCS#8 (RFC 5208)")
        );
    }

    #[test]
    fn two_halves_of_different_keys_are_refused() {
        for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384] {
            let [one, other] =
                [algorithm; 2].map(|algorithm| PrivateKey::generate(algorithm).unwrap());
            let public = one.public_key.octets.len();
            let mixed = [&one.der[..one.der.len() - public], &other.public_key.octets].concat();
            assert_eq!(
                PrivateKey::from_pkcs8_der(&mixed).unwrap_err(),
                INCONSISTENT
            );
        }
        let version_2 = || Ed25519KeyPair::generate_pkcs8(&random()).unwrap();
        let mut mixed = version_2().as_ref().to_vec();
        let public = mixed.len() - 32..;
        mixed[public.clone()].copy_from_slice(&version_2().as_ref()[public]);
        assert_eq!(
            PrivateKey::from_pkcs8_der(&mixed).unwrap_err(),
            INCONSISTENT
        );
    }

    #[test]
    fn a_key_is_not_shown() {
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        assert_eq!(
            format!("{key:?}"),
            "PrivateKey { algorithm: EcdsaP256, .. }"
        );
    }

    #[test]
    fn keys_can_be_shared_between_threads() {
        fn assert_shared<T: Send + Sync>() {}
        assert_shared::<PrivateKey>();
    }

    #[test]
    fn damaged_keys_never_panic() {
        let encrypted = openssl(
            &["pkcs8", "-topk8", "-passout", "pass:x", "-iter", "1"],
            &p256(),
        );
        for pem in [
            p256(),
            genpkey("ED25519"),
            openssl(&["pkey", "-traditional"], &p256()),
            encrypted,
        ] {
            let Block {
                label, contents, ..
            } = block(&pem);
            for position in 0..contents.len() {
                for octet in [0, 1, 0x30, 0x7f, 0x80, 0xff] {
                    let mut damaged = contents.clone();
                    damaged[position] = octet;
                    let damaged = Block {
                        label: label.clone(),
                        contents: damaged,
                        ..block(&pem)
                    };
                    let passphrase = passphrase("x");
                    let _ = PrivateKey::from_pem(&damaged, Some(&passphrase));
                    let _ = describe(&damaged, None);
                }
            }
        }
    }
}
