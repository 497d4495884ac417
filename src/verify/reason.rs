//! Why a certification path is refused: the rule, with what it found and what it expected. The rules are
//! OpenSSL's, and so are their numbers.

use std::fmt::{self, Display, Formatter};

use time::OffsetDateTime;

use super::policy::Purpose;
use crate::domain::text::{Plain, joined};
use crate::domain::validity::show;

/// One reason, and which certificate of the path it is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reason {
    /// The rule that is broken.
    pub rule: Rule,
    /// The certificate: 0 is the end entity's, 1 its issuer's.
    pub depth: usize,
}

/// Declares the rules: variant, stable id, OpenSSL's number (x509_vfy.h).
macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident $({ $($(#[$field_doc:meta])* $field:ident: $type:ty),+ $(,)? })? = $id:literal, $number:expr;)+) => {
        /// A rule that a certificate or CRL breaks.
        #[derive(Clone, Debug, Eq, PartialEq)]
        pub enum Rule {
            $($(#[$doc])* $name $({ $($(#[$field_doc])* $field: $type),+ })?,)+
        }

        impl Rule {
            /// Its stable identifier.
            #[must_use]
            pub fn id(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => $id,)+
                }
            }

            /// OpenSSL's number for it, as `openssl verify` shows it; None for what OpenSSL does not
            /// say.
            #[must_use]
            pub fn openssl_error(&self) -> Option<u32> {
                match self {
                    $(Self::$name { .. } => $number,)+
                }
            }
        }
    };
}

rules! {
    /// No authorityKeyIdentifier.
    AuthorityKeyIdentifierMissing = "aki-missing", Some(85);
    /// basicConstraints of a CA are not critical.
    BasicConstraintsNotCritical = "basic-constraints-not-critical", Some(89);
    /// keyUsage of a CA that signed a certificate lacks keyCertSign.
    CertSignMissing = "key-usage-no-cert-sign", Some(32);
    /// keyCertSign on what is no CA.
    CertSignWithoutCa = "cert-sign-without-ca", Some(82);
    /// More certificates than OpenSSL follows.
    ChainTooLong = "chain-too-long", Some(22);
    /// A critical extension that nobody knows.
    CriticalExtension {
        /// Its OID.
        oid: String,
    } = "critical-extension", Some(34);
    /// A critical extension of a CRL that nobody knows.
    CrlCriticalExtension = "crl-critical-extension", Some(36);
    /// The CRL is not valid any longer.
    CrlExpired {
        /// nextUpdate.
        next_update: OffsetDateTime,
    } = "crl-expired", Some(12);
    /// No CRL for the certificate's issuer.
    CrlMissing {
        /// The issuer.
        issuer: String,
    } = "crl-missing", Some(3);
    /// The CRL is not valid yet.
    CrlNotYetValid {
        /// thisUpdate.
        this_update: OffsetDateTime,
    } = "crl-not-yet-valid", Some(11);
    /// The CRL is for other certificates than this.
    CrlScope = "crl-scope", Some(44);
    /// The CRL is not signed by the issuer.
    CrlSignature = "crl-signature", Some(8);
    /// keyUsage of the CA lacks cRLSign.
    CrlSignMissing = "key-usage-no-crl-sign", Some(35);
    /// The signature of the CRL cannot be checked here.
    CrlSignatureUnknown = "crl-signature-unknown", None;
    /// The key of the end entity is too weak.
    EndEntityKeyWeak {
        /// Bits of security; None for a key that cannot be read.
        security_bits: Option<u32>,
    } = "key-too-weak", Some(66);
    /// The certificate is not valid any longer.
    Expired {
        /// notAfter.
        not_after: OffsetDateTime,
    } = "expired", Some(10);
    /// An EC key that spells out its curve.
    ExplicitCurve = "explicit-curve", Some(94);
    /// Extensions need version 3.
    ExtensionsWithoutVersion3 = "extensions-without-v3", Some(93);
    /// No name is the one that was asked for.
    HostMismatch {
        /// The name.
        host: String,
        /// The names of the certificate.
        names: Vec<String>,
    } = "host-mismatch", Some(62);
    /// An IP address that is not among the certificate's.
    IpMismatch {
        /// The address.
        host: String,
        /// The names of the certificate.
        names: Vec<String>,
    } = "ip-mismatch", Some(64);
    /// It signed another certificate and is no CA.
    InvalidCa = "not-a-ca", Some(79);
    /// The issuer's name is empty.
    IssuerEmpty = "issuer-empty", Some(83);
    /// No certificate of its issuer in the trust bundle, nor in what the peer sends.
    IssuerMissing {
        /// The issuer.
        issuer: String,
        /// Why certificates of that name are not it.
        near: Option<NearMiss>,
    } = "issuer-missing", Some(20);
    /// It is in the trust bundle, but its own issuer is not.
    IssuerOfAnchorMissing {
        /// The issuer.
        issuer: String,
    } = "anchor-not-self-signed", Some(2);
    /// The key of a CA is too weak.
    IssuerKeyWeak {
        /// Bits of security; None for a key that cannot be read.
        security_bits: Option<u32>,
    } = "ca-key-too-weak", Some(67);
    /// keyUsage is missing on a CA.
    KeyUsageMissing = "key-usage-missing", Some(92);
    /// A name that a CA above it excludes.
    NameExcluded {
        /// The name.
        name: String,
        /// The CA.
        ca: String,
    } = "name-excluded", Some(48);
    /// A name that a CA above it does not permit.
    NameNotPermitted {
        /// The name.
        name: String,
        /// The CA.
        ca: String,
    } = "name-not-permitted", Some(47);
    /// A subtree with a minimum or maximum, which RFC 5280 does not allow.
    NameConstraintBounds = "name-constraint-bounds", Some(49);
    /// A kind of name that no constraint can be checked for.
    NameConstraintKind = "name-constraint-kind", Some(51);
    /// A name, or a constraint, that cannot be read as one.
    NameSyntax {
        /// The name.
        name: String,
    } = "name-syntax", Some(53);
    /// The certificate is not valid yet.
    NotYetValid {
        /// notBefore.
        not_before: OffsetDateTime,
    } = "not-yet-valid", Some(9);
    /// More CAs below it than its pathLenConstraint allows.
    PathLength {
        /// pathLenConstraint.
        most: u64,
        /// CAs below it.
        found: u64,
    } = "path-length", Some(25);
    /// pathLenConstraint without keyCertSign.
    PathLengthWithoutCertSign = "path-length-without-cert-sign", Some(81);
    /// pathLenConstraint on what is no CA.
    PathLengthWithoutCa = "path-length-without-ca", Some(80);
    /// A proxy certificate (RFC 3820).
    Proxy = "proxy-certificate", Some(40);
    /// It may not be used for this.
    PurposeMismatch {
        /// What it is to be used for.
        purpose: Purpose,
        /// What stands against it.
        because: PurposeProblem,
    } = "unsuitable-purpose", Some(26);
    /// It says what IP addresses or autonomous systems it is for (RFC 3779), and zpki does not check
    /// whether its issuers have them.
    ResourcesUnknown = "resources-unknown", None;
    /// It was revoked.
    Revoked = "revoked", Some(23);
    /// It is self-signed and not in the trust bundle.
    SelfSigned = "self-signed", Some(18);
    /// The path ends at a self-signed certificate that is not in the trust bundle.
    SelfSignedInChain = "self-signed-in-chain", Some(19);
    /// The two signature algorithms of the certificate differ.
    SignatureAlgorithmsDiffer = "signature-algorithms-differ", Some(78);
    /// The signature is not by the issuer's key.
    SignatureInvalid = "signature-invalid", Some(7);
    /// The signature cannot be checked here.
    SignatureUnknown = "signature-unknown", None;
    /// Signed with an algorithm that is too weak.
    SignatureWeak {
        /// Bits of security; None for an algorithm that nobody knows.
        security_bits: Option<u32>,
    } = "signature-too-weak", Some(68);
    /// The subject's name is empty.
    SubjectEmpty = "subject-empty", Some(84);
    /// The subject's name is empty, and subjectAltName is not critical.
    SubjectAltNameNotCritical = "san-not-critical", Some(88);
    /// subjectAltName has no names.
    SubjectAltNameEmpty = "san-empty", Some(87);
    /// No subjectKeyIdentifier on a CA.
    SubjectKeyIdentifierMissing = "ski-missing", Some(86);
    /// More names and constraints than OpenSSL compares.
    TooManyNames = "too-many-names", Some(1);
    /// The public key cannot be read.
    Unspecified = "key-unreadable", Some(1);
    /// The path ends with no anchor, and nothing can be said of its only signature.
    UnverifiedLeaf = "signature-unverified", Some(21);
}

/// Why a certificate with the name of the issuer is not it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NearMiss {
    /// Its subjectKeyIdentifier, or its serial number and issuer, is not what authorityKeyIdentifier
    /// says: it is an older or newer CA of the same name.
    AuthorityKeyIdentifier,
    /// One of the two has an extension that cannot be read, or twice.
    Extension {
        /// Its OID.
        oid: String,
    },
    /// Its key is of another kind than the signature.
    KeyType,
}

/// What makes a certificate unsuitable for its purpose.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PurposeProblem {
    /// extendedKeyUsage is there and lacks it.
    ExtendedKeyUsage,
    /// An extension cannot be read.
    Extension,
    /// keyUsage has none of the bits that are needed.
    KeyUsage,
    /// Netscape's certificate type says otherwise.
    NetscapeType,
}

impl Reason {
    /// Whether the consumer refuses the path for this; false when it is only not known whether it does.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        !matches!(
            self.rule,
            Rule::CrlSignatureUnknown | Rule::ResourcesUnknown | Rule::SignatureUnknown
        )
    }
}

/// Security level 2 of OpenSSL.
const ENOUGH_BITS: u32 = super::strength::ENOUGH_BITS;

fn weak(f: &mut Formatter<'_>, what: &str, security_bits: Option<u32>) -> fmt::Result {
    match security_bits {
        Some(bits) => write!(
            f,
            "{what} has {bits} bits of security, and {ENOUGH_BITS} are needed"
        ),
        None => write!(f, "{what} is of a kind that OpenSSL does not read"),
    }
}

impl Display for Rule {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::AuthorityKeyIdentifierMissing => {
                f.write_str("it has no authorityKeyIdentifier with a key identifier")
            }
            Self::BasicConstraintsNotCritical => f.write_str("basicConstraints are not critical"),
            Self::CertSignMissing => {
                f.write_str("it signed a certificate, and its keyUsage lacks keyCertSign")
            }
            Self::CertSignWithoutCa => {
                f.write_str("keyUsage has keyCertSign, and basicConstraints do not say CA:TRUE")
            }
            Self::ChainTooLong => f.write_str("the path has more than 100 issuers"),
            Self::CriticalExtension { oid } => {
                write!(f, "the critical extension {oid} is not known")
            }
            Self::CrlCriticalExtension => {
                f.write_str("the CRL has a critical extension that is not known")
            }
            Self::CrlExpired { next_update } => {
                write!(f, "the CRL expired (nextUpdate {})", show(*next_update))
            }
            Self::CrlMissing { issuer } => write!(f, "there is no CRL of `{issuer}`"),
            Self::CrlNotYetValid { this_update } => {
                write!(
                    f,
                    "the CRL is not valid yet (thisUpdate {})",
                    show(*this_update)
                )
            }
            Self::CrlScope => f.write_str("the CRL is not for this kind of certificate"),
            Self::CrlSignature => f.write_str("the CRL is not signed by the issuer's key"),
            Self::CrlSignMissing => f.write_str("the issuer's keyUsage lacks cRLSign"),
            Self::CrlSignatureUnknown => {
                f.write_str("zpki cannot check a signature of the CRL's algorithm")
            }
            Self::EndEntityKeyWeak { security_bits } | Self::IssuerKeyWeak { security_bits } => {
                weak(f, "its key", *security_bits)
            }
            Self::Expired { not_after } => write!(f, "it expired (notAfter {})", show(*not_after)),
            Self::ExplicitCurve => f.write_str(
                "its EC key spells out the parameters of its curve instead of naming it",
            ),
            Self::ExtensionsWithoutVersion3 => {
                f.write_str("it has extensions, and its version is not 3")
            }
            Self::HostMismatch { host, names } | Self::IpMismatch { host, names } => {
                write!(f, "it is not for `{}`, but for ", Plain(host))?;
                if names.is_empty() {
                    f.write_str("no name at all")
                } else {
                    f.write_str(&joined(names, ", "))
                }
            }
            Self::InvalidCa => {
                f.write_str("it signed a certificate, and its basicConstraints do not say CA:TRUE")
            }
            Self::IssuerEmpty => f.write_str("its issuer has no name"),
            Self::IssuerMissing { issuer, near } => {
                write!(
                    f,
                    "the certificate of its issuer `{issuer}` is neither in the trust bundle nor in the chain"
                )?;
                match near {
                    None => Ok(()),
                    Some(NearMiss::AuthorityKeyIdentifier) => f.write_str(
                        "; there is one of that name, but not the one that its authorityKeyIdentifier names",
                    ),
                    Some(NearMiss::Extension { oid }) => write!(
                        f,
                        "; there is one of that name, but the extension {oid} of one of the two cannot be read or is there twice"
                    ),
                    Some(NearMiss::KeyType) => f.write_str(
                        "; there is one of that name, but its key is of another kind than the signature",
                    ),
                }
            }
            Self::IssuerOfAnchorMissing { issuer } => write!(
                f,
                "it is in the trust bundle, but is not self-signed, and the certificate of its issuer `{issuer}` is not there"
            ),
            Self::KeyUsageMissing => f.write_str("it is a CA without keyUsage"),
            Self::NameExcluded { name, ca } => {
                write!(
                    f,
                    "`{}` is excluded by the name constraints of `{ca}`",
                    Plain(name)
                )
            }
            Self::NameNotPermitted { name, ca } => write!(
                f,
                "`{}` is not permitted by the name constraints of `{ca}`",
                Plain(name)
            ),
            Self::NameConstraintBounds => {
                f.write_str("a name constraint above it has a minimum or a maximum")
            }
            Self::NameConstraintKind => {
                f.write_str("a name constraint above it is of a kind that cannot be checked")
            }
            Self::NameSyntax { name } => write!(
                f,
                "`{}`, or a name constraint for it, is not well-formed",
                Plain(name)
            ),
            Self::NotYetValid { not_before } => {
                write!(f, "it is not valid yet (notBefore {})", show(*not_before))
            }
            Self::PathLength { most, found } => write!(
                f,
                "its pathLenConstraint allows {most} CAs below it, and there are {found}"
            ),
            Self::PathLengthWithoutCertSign => {
                f.write_str("it has a pathLenConstraint, and its keyUsage lacks keyCertSign")
            }
            Self::PathLengthWithoutCa => f.write_str("it has a pathLenConstraint, and is no CA"),
            Self::Proxy => f.write_str("it is a proxy certificate"),
            Self::PurposeMismatch { purpose, because } => {
                let wanted = purpose.extended_key_usage();
                match because {
                    PurposeProblem::ExtendedKeyUsage => {
                        write!(f, "its extendedKeyUsage lacks {wanted}")
                    }
                    PurposeProblem::Extension => write!(
                        f,
                        "one of its extensions cannot be read, so that it is good for nothing, {wanted} included"
                    ),
                    PurposeProblem::KeyUsage => {
                        write!(f, "its keyUsage has no bit that {wanted} needs")
                    }
                    PurposeProblem::NetscapeType => {
                        write!(f, "its Netscape certificate type does not allow {wanted}")
                    }
                }
            }
            Self::ResourcesUnknown => f.write_str(
                "zpki cannot check the IP addresses or autonomous systems that it is for",
            ),
            Self::Revoked => f.write_str("it was revoked"),
            Self::SelfSigned => f.write_str("it is self-signed, and not in the trust bundle"),
            Self::SelfSignedInChain => {
                f.write_str("it is self-signed, and the trust bundle does not have it")
            }
            Self::SignatureAlgorithmsDiffer => {
                f.write_str("its two signature algorithms are not the same")
            }
            Self::SignatureInvalid => f.write_str("it is not signed by the key of its issuer"),
            Self::SignatureUnknown => {
                f.write_str("zpki cannot check a signature of this algorithm")
            }
            Self::SignatureWeak { security_bits } => weak(f, "its signature", *security_bits),
            Self::SubjectEmpty => f.write_str("its subject has no name"),
            Self::SubjectAltNameNotCritical => {
                f.write_str("its subject has no name, and subjectAltName is not critical")
            }
            Self::SubjectAltNameEmpty => f.write_str("its subjectAltName has no names"),
            Self::SubjectKeyIdentifierMissing => {
                f.write_str("it is a CA without subjectKeyIdentifier")
            }
            Self::TooManyNames => f.write_str(
                "it has more names than can be compared with the name constraints above it",
            ),
            Self::Unspecified => f.write_str("its public key cannot be read"),
            Self::UnverifiedLeaf => {
                f.write_str("without its issuer's certificate its signature cannot be checked")
            }
        }
    }
}

impl Rule {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::CrlExpired { .. } => "have the CA sign a fresh CRL",
            Self::CrlMissing { .. } => "put a CRL of every CA of the path into crl-file",
            Self::CrlNotYetValid { .. } | Self::NotYetValid { .. } => {
                "compare the clocks of the two hosts; if they are right, wait or issue it again"
            }
            Self::CrlSignature | Self::CrlScope | Self::CrlCriticalExtension => {
                "take the CRL that the issuer of this certificate signs for it"
            }
            Self::CrlSignatureUnknown | Self::SignatureUnknown => {
                "let `openssl verify` check it; zpki checks RSA, ECDSA with P-256, P-384 and P-521, and Ed25519"
            }
            Self::Expired { .. } => "issue a new certificate",
            Self::EndEntityKeyWeak { .. } | Self::IssuerKeyWeak { .. } => {
                "make a new key: ecdsa-p256, ed25519, or RSA with 2048 bits or more"
            }
            Self::HostMismatch { .. } | Self::IpMismatch { .. } => {
                "ask for one of its names, or issue it for this one; HAProxy compares names only with dNSName entries and common names, never with iPAddress entries"
            }
            Self::IssuerMissing { .. } => {
                "put the root of the path into the trust bundle (ca-file), and the intermediates behind the certificate"
            }
            Self::IssuerOfAnchorMissing { .. } => {
                "put the root above it into the trust bundle too: an intermediate alone is no trust anchor"
            }
            Self::NameExcluded { .. } | Self::NameNotPermitted { .. } => {
                "issue it for names that its CA may vouch for, or by another CA"
            }
            Self::PurposeMismatch { .. } => {
                "issue it for this purpose; on a CA of the path, leave extendedKeyUsage out"
            }
            Self::ResourcesUnknown => {
                "let `openssl verify` check it, or issue it without the extensions of RFC 3779"
            }
            Self::Revoked => "issue a new certificate with a new key",
            Self::SelfSigned | Self::SelfSignedInChain => {
                "if you trust it, put it into the trust bundle (ca-file)"
            }
            Self::SignatureInvalid => {
                "take the certificate of the CA that signed it: two CAs of the same name differ in their keys"
            }
            Self::SignatureWeak { .. } => "have it signed with SHA-256 or better",
            Self::CriticalExtension { .. } => {
                "have it issued without this extension, or with one that is not critical"
            }
            Self::InvalidCa => {
                "have what it signed issued by a CA, or put the CA's own certificate in its place"
            }
            Self::PathLength { .. } => {
                "have the end entity's certificate issued by a CA that may, further up the path"
            }
            _ => "have its issuer make it again in the form that RFC 5280 asks for",
        }
    }
}
