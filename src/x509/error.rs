//! What bytes can be refused for, and what a key or a signature can fail at. The place (a file) is
//! added by whoever read it; [`Error::line`] knows the line.

use std::fmt::{self, Display, Formatter};

use crate::domain::error::Invalid;
use crate::domain::key_algorithm::KeyAlgorithm;
use crate::domain::serial_number::SerialNumber;
use crate::domain::text::Quoted;

/// An error of this layer. None of them holds a secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Error {
    /// A certificate that is none (RFC 5280 4).
    CertificateDamaged {
        /// What is wrong.
        because: &'static str,
    },
    /// A CRL that is none (RFC 5280 5).
    CrlDamaged {
        /// What is wrong.
        because: &'static str,
    },
    /// A CRL that would not be the same after it was signed again.
    CrlUnkept {
        /// The entry; None for something that the CRL says of itself.
        serial_number: Option<SerialNumber>,
        /// What of it would be lost or changed.
        what: String,
    },
    /// A date that is none.
    DateDamaged {
        /// Which, such as `notAfter`.
        field: &'static str,
        /// Its octets, escaped.
        octets: String,
        /// What is wrong.
        because: &'static str,
    },
    /// A private key of an algorithm that zpki does not sign with.
    KeyAlgorithm {
        /// The algorithm, as [`super::public_key::describe`] names it.
        algorithm: String,
    },
    /// A private key that is not what its label says, or whose parts contradict each other.
    KeyDamaged {
        /// What is wrong.
        because: &'static str,
    },
    /// A private key is encrypted and no passphrase was given.
    KeyEncrypted,
    /// A private key is encrypted in a way that zpki does not read.
    KeyEncryption {
        /// The scheme, such as `PBES2, CAMELLIA-256-CBC`.
        scheme: String,
    },
    /// No key could be generated: the system gave no random octets.
    KeyGeneration {
        /// The algorithm.
        algorithm: KeyAlgorithm,
    },
    /// A private key that does not belong to the certificate.
    KeyMismatch {
        /// The certificate's subject.
        subject: String,
    },
    /// The operating system gave no random octets.
    NoRandomness,
    /// A certificate that may not sign others.
    NotACa {
        /// Its subject.
        subject: String,
    },
    /// A CA that may not sign CRLs.
    NotACrlIssuer {
        /// Its subject.
        subject: String,
    },
    /// A PEM block is not a private key.
    NotAPrivateKey {
        /// Its label.
        label: String,
    },
    /// A CA's certificate that another CA signed.
    NotSelfSigned {
        /// Its subject.
        subject: String,
    },
    /// An empty passphrase protects nothing.
    PassphraseEmpty,
    /// Decryption failed. CBC padding cannot tell a wrong passphrase from damage.
    PassphraseWrong,
    /// A PEM block holds something that is not base64 (RFC 4648).
    PemBase64 {
        /// The label of the block.
        label: String,
        /// The line it stands on.
        line: usize,
    },
    /// A BEGIN line goes on after its dashes.
    PemBeginLine {
        /// The label.
        label: String,
        /// The line.
        line: usize,
    },
    /// An END line without a BEGIN line.
    PemBeginMissing {
        /// The label of the END line.
        label: String,
        /// The END line.
        line: usize,
    },
    /// Nothing between BEGIN and END.
    PemEmpty {
        /// The label.
        label: String,
        /// The BEGIN line.
        line: usize,
    },
    /// zpki reads it, and OpenSSL's `PEM_read_bio` does not, which HAProxy and Python use.
    PemRefused {
        /// The label.
        label: String,
        /// The BEGIN line.
        line: usize,
        /// Why not.
        because: &'static str,
    },
    /// The END line names another label than the BEGIN line.
    PemEndMismatch {
        /// The label of the BEGIN line.
        label: String,
        /// The label of the END line.
        end: String,
        /// The END line.
        line: usize,
    },
    /// A block without an END line: a truncated file, or the next block begins first.
    PemEndMissing {
        /// The label.
        label: String,
        /// The BEGIN line.
        line: usize,
    },
    /// The text is UTF-16.
    PemUtf16,
    /// Base64 alone, without BEGIN and END lines.
    PemWithoutBoundaries,
    /// A certification request that is not one (RFC 2986).
    RequestDamaged {
        /// What is wrong.
        because: &'static str,
    },
    /// A certification request for a key that zpki issues no certificate for.
    RequestKey {
        /// The algorithm, as [`super::public_key::describe`] names it.
        algorithm: String,
    },
    /// A certification request asks for a name that is no valid host name.
    RequestName {
        /// The name as the request has it.
        name: String,
        /// What is wrong with it; None for a kind of name that zpki does not issue.
        invalid: Option<Invalid>,
    },
    /// A certification request is not signed with the key that it is for, or that cannot be
    /// checked.
    RequestSignature {
        /// Whether it could be checked.
        checked: bool,
    },
    /// A certificate or CRL could not be encoded or signed.
    Signing {
        /// What was said.
        because: String,
    },
    /// Octets follow a structure that should be alone.
    TrailingData {
        /// The structure, such as `certification request`.
        what: &'static str,
        /// How many.
        octets: usize,
    },
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::CertificateDamaged { because } => write!(f, "not a certificate: {because}"),
            Self::CrlDamaged { because } => write!(f, "not a CRL: {because}"),
            Self::CrlUnkept {
                serial_number,
                what,
            } => match serial_number {
                Some(serial) => write!(f, "the CRL's entry {serial} has {what}"),
                None => write!(f, "the CRL has {what}"),
            },
            Self::DateDamaged {
                field,
                octets,
                because,
            } => write!(f, "{field} is no date, {}: {because}", Quoted(octets)),
            Self::KeyMismatch { subject } => write!(
                f,
                "the private key does not belong to the certificate of {}",
                Quoted(subject)
            ),
            Self::NoRandomness => f.write_str("the operating system gave no random octets"),
            Self::NotACa { subject } => {
                write!(f, "the certificate of {} is no CA's", Quoted(subject))
            }
            Self::NotACrlIssuer { subject } => {
                write!(f, "the CA {} may not sign CRLs", Quoted(subject))
            }
            Self::NotSelfSigned { subject } => write!(
                f,
                "the certificate of {} is not self-signed",
                Quoted(subject)
            ),
            Self::Signing { because } => write!(f, "cannot sign: {because}"),
            Self::KeyAlgorithm { algorithm } => {
                write!(
                    f,
                    "the private key is of the algorithm {}, which zpki does not use",
                    Quoted(algorithm)
                )
            }
            Self::KeyDamaged { because } => write!(f, "the private key cannot be read: {because}"),
            Self::KeyEncrypted => f.write_str("the private key is encrypted"),
            Self::KeyEncryption { scheme } => {
                write!(
                    f,
                    "the private key is encrypted with {}, which zpki does not read",
                    Quoted(scheme)
                )
            }
            Self::KeyGeneration { algorithm } => {
                write!(f, "cannot generate a key of the algorithm `{algorithm}`")
            }
            Self::NotAPrivateKey { label } => {
                write!(f, "zpki does not read the PEM block {}", Quoted(label))
            }
            Self::PassphraseEmpty => f.write_str("the passphrase is empty"),
            Self::PassphraseWrong => f.write_str("wrong passphrase or damaged file"),
            Self::PemBase64 { label, .. } => {
                write!(f, "the PEM block {} is not base64", Quoted(label))
            }
            Self::PemBeginLine { label, .. } => {
                write!(
                    f,
                    "the BEGIN line of the PEM block {} goes on after its dashes",
                    Quoted(label)
                )
            }
            Self::PemBeginMissing { label, .. } => {
                write!(
                    f,
                    "the PEM block {} has an END line and no BEGIN line",
                    Quoted(label)
                )
            }
            Self::PemRefused { label, because, .. } => {
                let label = Quoted(label);
                write!(
                    f,
                    "HAProxy and servers do not read the PEM block {label}: {because}"
                )
            }
            Self::PemEmpty { label, .. } => write!(f, "the PEM block {} is empty", Quoted(label)),
            Self::PemEndMismatch { label, end, .. } => {
                write!(f, "the PEM block {} ends as {}", Quoted(label), Quoted(end))
            }
            Self::PemEndMissing { label, .. } => {
                write!(f, "the PEM block {} has no END line", Quoted(label))
            }
            Self::PemUtf16 => f.write_str("the file is UTF-16"),
            Self::PemWithoutBoundaries => {
                f.write_str("the file is base64 without BEGIN and END lines")
            }
            Self::RequestDamaged { because } => {
                write!(f, "the certification request cannot be read: {because}")
            }
            Self::RequestKey { algorithm } => {
                write!(
                    f,
                    "the certification request is for a key of the algorithm {}",
                    Quoted(algorithm)
                )
            }
            Self::RequestName {
                name,
                invalid: None,
            } => {
                write!(
                    f,
                    "the certification request asks for {}, which is no host name",
                    Quoted(name)
                )
            }
            Self::RequestName {
                invalid: Some(invalid),
                ..
            } => {
                write!(
                    f,
                    "the certification request asks for an impossible name: {invalid}"
                )
            }
            Self::RequestSignature { checked: true } => {
                f.write_str("the certification request is not signed with its own key")
            }
            Self::RequestSignature { checked: false } => {
                f.write_str("the signature of the certification request cannot be checked")
            }
            Self::TrailingData { what, octets } => {
                write!(f, "other octets follow the {what} ({octets})")
            }
        }
    }
}

/// Parts of the names of schemes that OpenSSL 3 has in its provider `legacy`.
const LEGACY: [&str; 7] = [
    "BF-CBC",
    "CAST5-CBC",
    "IDEA-CBC",
    "MD2-",
    "RC2-",
    "RC4-",
    "SEED-CBC",
];

impl std::error::Error for Error {}

impl Error {
    /// What rcgen said of a certificate or CRL that it could not encode or sign.
    pub(super) fn signing(error: rcgen::Error) -> Self {
        Self::Signing {
            because: error.to_string(),
        }
    }
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::CertificateDamaged { .. } | Self::CrlDamaged { .. } | Self::DateDamaged { .. } => {
                "take the file anew from where it came from".into()
            }
            Self::CrlUnkept { .. } => {
                "zpki would lose it: of an entry it writes serial number, date and reason; \
                 have the CRL signed without it where it was made"
                    .into()
            }
            Self::KeyMismatch { .. } => "give the key that was made with the certificate".into(),
            Self::NoRandomness | Self::Signing { .. } => {
                "run the command again; if it stays so, please report it".into()
            }
            Self::NotACa { .. } => {
                "a CA's certificate has CA:TRUE, keyCertSign and a subjectKeyIdentifier".into()
            }
            Self::NotACrlIssuer { .. } => "the keyUsage of a CA that signs CRLs has cRLSign".into(),
            Self::NotSelfSigned { .. } => "get its next certificate from the CA that issued it".into(),
            Self::KeyAlgorithm { .. } => format!("zpki uses {}", KeyAlgorithm::NAMES.join(", ")),
            Self::NotAPrivateKey { label } if label.starts_with("OPENSSH") => {
                "convert it with `ssh-keygen -p -m PKCS8 -f FILE`".into()
            }
            Self::KeyDamaged { .. } | Self::NotAPrivateKey { .. } => {
                "see what it is with `openssl pkey -in FILE -noout -text_pub`; a private key is a PEM block \
                 PRIVATE KEY, ENCRYPTED PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY"
                    .into()
            }
            Self::KeyEncrypted => {
                "give its passphrase: --ca-passphrase-file FILE, ZPKI_CA_PASSPHRASE_FILE or ZPKI_CA_PASSPHRASE".into()
            }
            Self::KeyEncryption { scheme } if LEGACY.iter().any(|it| scheme.contains(it)) => {
                "convert it: openssl pkcs8 -topk8 -v2 aes-256-cbc -provider legacy -provider default \
                 -in FILE -out NEW"
                    .into()
            }
            Self::KeyEncryption { .. } => {
                "convert it: openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out NEW".into()
            }
            Self::KeyGeneration { .. } => "the operating system must offer random numbers, as /dev/urandom".into(),
            Self::PassphraseEmpty => "give a passphrase of at least one character".into(),
            Self::PassphraseWrong => "try the passphrase with `openssl pkey -in FILE -noout`".into(),
            Self::PemBeginLine { .. } => {
                r"each line of the block must be a line of its own: two characters `\n` are no line end".into()
            }
            Self::PemUtf16 => "save it as ASCII or UTF-8".into(),
            Self::PemWithoutBoundaries => {
                "put it between -----BEGIN CERTIFICATE----- and -----END CERTIFICATE-----, or what else it is".into()
            }
            Self::PemRefused { .. } => {
                "write it anew: `zpki show FILE --output pem` prints each block in its right form".into()
            }
            Self::PemBase64 { .. }
            | Self::PemBeginMissing { .. }
            | Self::PemEmpty { .. }
            | Self::PemEndMismatch { .. }
            | Self::PemEndMissing { .. } => "the file is damaged or was cut off: get it again".into(),
            Self::RequestDamaged { .. } | Self::TrailingData { .. } => {
                "see what it is with `openssl req -in FILE -noout -text`, and make it again".into()
            }
            Self::RequestKey { .. } => {
                "make a request for an ECDSA key on P-256 or P-384, an Ed25519 key, or an RSA key of at least 2048 bits"
                    .into()
            }
            Self::RequestName { invalid: Some(invalid), .. } => invalid.hint(),
            Self::RequestName { invalid: None, .. } => "ask for DNS names and IP addresses only".into(),
            Self::RequestSignature { .. } => {
                "make the request again with its private key: openssl req -new -key KEY -out FILE".into()
            }
        }
    }

    /// The line of the file, counted from 1, where there is one.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::PemBase64 { line, .. }
            | Self::PemBeginLine { line, .. }
            | Self::PemBeginMissing { line, .. }
            | Self::PemEmpty { line, .. }
            | Self::PemEndMismatch { line, .. }
            | Self::PemEndMissing { line, .. }
            | Self::PemRefused { line, .. } => Some(*line),
            _ => None,
        }
    }
}
