//! Why a CA is not imported.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use time::OffsetDateTime;

use crate::domain::name::EntryName;
use crate::domain::serial_number::MOST_OCTETS;
use crate::domain::text::Quoted;
use crate::domain::validity::show;

/// Why a CA is not imported.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// It ends before a tenth of a certificate's lifetime is over.
    EndsTooSoon {
        /// notAfter.
        not_after: OffsetDateTime,
    },
    /// It expired.
    Expired {
        /// notAfter.
        not_after: OffsetDateTime,
    },
    /// The key in the other file is that of none of its certificates.
    KeyMismatch {
        /// The file of the key.
        key: PathBuf,
    },
    /// There is another CA, and what it issued is in use.
    LiveCertificates {
        /// How many.
        count: usize,
        /// The other CA's subject.
        subject: String,
    },
    /// It has no subjectKeyIdentifier, by which HAProxy finds the issuer of a CRL.
    NoKeyIdentifier,
    /// It is no CA's.
    NotACa,
    /// It is not valid yet.
    NotYetValid {
        /// notBefore.
        not_before: OffsetDateTime,
    },
    /// Nothing leads from it to a self-signed root.
    NoPath {
        /// The issuer that was not found.
        issuer: String,
        /// Where it was looked for, besides the certificate's own file.
        chain: Option<PathBuf>,
    },
    /// Its extendedKeyUsage does not allow what is issued here.
    Purpose {
        /// The purpose that it lacks.
        missing: &'static str,
    },
    /// It has its own name as its issuer's, and is not signed with its own key.
    SelfIssued,
    /// Its serial number is longer than any may be.
    SerialNumberLength {
        /// Its octets.
        octets: usize,
    },
    /// The inventory has another certificate of a CA with its serial number.
    SerialNumberTaken {
        /// That certificate.
        path: PathBuf,
    },
    /// keyUsage lacks something.
    Usage {
        /// What.
        missing: &'static str,
    },
    /// A certificate by it would be refused.
    WouldBeRefused {
        /// For whom.
        name: EntryName,
        /// Why.
        why: String,
    },
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::EndsTooSoon { not_after } => write!(
                f,
                "it ends on {}, too soon for a certificate of the lifetime that zpki.toml has",
                show(*not_after)
            ),
            Self::Expired { not_after } => write!(f, "it expired on {}", show(*not_after)),
            Self::KeyMismatch { key } => write!(
                f,
                "the private key in {} is not that of a certificate in this file",
                Quoted(&key.display().to_string())
            ),
            Self::LiveCertificates { count, subject } => write!(
                f,
                "certificates of the present CA, {}, are in use ({count})",
                Quoted(subject)
            ),
            Self::NoKeyIdentifier => f.write_str("it has no subjectKeyIdentifier"),
            Self::NotACa => f.write_str("it is no CA's (basicConstraints)"),
            Self::NotYetValid { not_before } => {
                write!(f, "it is not valid before {}", show(*not_before))
            }
            Self::NoPath { issuer, .. } => write!(
                f,
                "nothing leads to a self-signed root: the certificate of {} is lacking",
                Quoted(issuer)
            ),
            Self::Purpose { missing } => {
                write!(f, "its extendedKeyUsage does not allow {missing}")
            }
            Self::SelfIssued => {
                f.write_str("it names itself as its issuer, and is not signed with its own key")
            }
            Self::SerialNumberLength { octets } => write!(
                f,
                "its serial number has {octets} octets, and at most {MOST_OCTETS} are allowed (RFC 5280 4.1.2.2)"
            ),
            Self::SerialNumberTaken { path } => write!(
                f,
                "another certificate of a CA has its serial number: {}",
                Quoted(&path.display().to_string())
            ),
            Self::Usage { missing } => write!(f, "its keyUsage lacks {missing}"),
            Self::WouldBeRefused { name, why } => {
                write!(
                    f,
                    "a certificate by it for `{name}` would be refused: {why}"
                )
            }
        }
    }
}

impl Refusal {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::EndsTooSoon { .. } | Self::Expired { .. } => {
                "have it renewed where it was made".to_owned()
            }
            Self::KeyMismatch { .. } => {
                "name the private key of this CA: its public half is that of the certificate"
                    .to_owned()
            }
            Self::LiveCertificates { .. } => {
                "give --force to replace it: until `zpki apply` has run and every host has its new \
                 files, HAProxy and servers with old and new files refuse each other"
                    .to_owned()
            }
            Self::NoPath { chain: None, .. } => {
                "give --chain FILE with the CAs above it and their root".to_owned()
            }
            Self::NoPath { .. } => "add it to the file that --chain names".to_owned(),
            Self::NotYetValid { .. } => "set the clock, or wait".to_owned(),
            Self::WouldBeRefused { .. } => {
                "have a CA made that is good for this cluster, or change zpki.toml".to_owned()
            }
            Self::SerialNumberLength { .. } => {
                "have it made with a shorter serial number".to_owned()
            }
            Self::SerialNumberTaken { .. } => {
                "have it made with a serial number of its own: the inventory keeps every certificate under it"
                    .to_owned()
            }
            Self::NoKeyIdentifier
            | Self::NotACa
            | Self::Purpose { .. }
            | Self::SelfIssued
            | Self::Usage { .. } => {
                "have a CA made with basicConstraints CA:TRUE, keyUsage keyCertSign and cRLSign, a \
                 subjectKeyIdentifier, and no extendedKeyUsage"
                    .to_owned()
            }
        }
    }
}
