//! Why a certificate is not revoked.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use crate::commands::error::Error;
use crate::domain::name::EntryName;
use crate::domain::serial_number::SerialNumber;
use crate::domain::text::{Plain, Quoted};
use crate::domain::validity::{Validity, show};

/// Why a certificate is not revoked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// It is the CA's own.
    Ca,
    /// It is in a host folder.
    Installed {
        /// The entries, each with the serial number of its certificate.
        installed: Vec<(EntryName, SerialNumber)>,
    },
    /// It is by another CA, whose CRL it would have to be on.
    NotByCa {
        /// Its issuer.
        issuer: String,
    },
    /// No certificate of a name is installed, so that none is superseded.
    NothingInstalled {
        /// The name.
        name: EntryName,
    },
    /// `--superseded` and `--all` go with a name.
    OnlyWithName,
    /// Several serial numbers begin with what was given.
    SeveralBegin {
        /// They.
        found: Vec<(EntryName, SerialNumber)>,
    },
    /// A name has several valid certificates.
    SeveralLive {
        /// The name.
        name: EntryName,
        /// They, the newest first.
        live: Vec<Live>,
    },
    /// No name, no serial number of the inventory, and no file.
    Unknown {
        /// What was given.
        subject: PathBuf,
    },
    /// A serial number that the inventory does not have.
    Unlisted {
        /// It, or its beginning, as given.
        serial_number: String,
    },
}

/// A certificate that is valid.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Live {
    /// Serial number.
    pub serial_number: SerialNumber,
    /// notBefore and notAfter.
    pub validity: Validity,
    /// Whether it is in the host folder.
    pub installed: bool,
}

impl Refusal {
    /// It in words, and a line for each certificate that it is about.
    #[must_use]
    pub fn causes(&self) -> Vec<String> {
        let mut causes = vec![self.to_string()];
        match self {
            Self::SeveralBegin { found } => {
                let found = found.iter();
                causes.extend(found.map(|(name, serial)| format!("{serial} of {name}")));
            }
            Self::SeveralLive { live, .. } => causes.extend(live.iter().map(Live::to_string)),
            _ => {}
        }
        causes
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Ca => {
                "no CRL of a CA takes back the CA itself: make a new CA, and take this one out of every trust bundle; see \"a key leaked\" in `zpki revoke --help`".to_owned()
            }
            Self::Installed { installed } => {
                let names = installed.iter().map(|(name, _)| name.as_str());
                let mut names: Vec<&str> = names.collect();
                names.dedup();
                let serials = installed.iter().map(|(_, serial)| serial.to_string());
                let serials: Vec<String> = serials.collect();
                format!(
                    "rekey first (zpki rekey {} --force), put the new files in place on the host, then revoke {}; or give --force, and rekey at once",
                    names.join(" "),
                    serials.join(" and ")
                )
            }
            Self::NotByCa { .. } => "have the CA that issued it revoke it".to_owned(),
            Self::NothingInstalled { .. } => {
                "name a serial number, or give --all".to_owned()
            }
            Self::OnlyWithName => "leave it out, or give the entry's name".to_owned(),
            Self::SeveralBegin { .. } => "give more of its digits".to_owned(),
            Self::SeveralLive { .. } => {
                "name one by its serial number; or give --superseded, for all but the one that is installed, or --all".to_owned()
            }
            Self::Unknown { .. } => {
                "give an entry's name, a serial number (8 digits or more of it), or a certificate's file; `zpki list --verbose` shows what each entry uses".to_owned()
            }
            Self::Unlisted { .. } => {
                "give more or all of its digits; or the certificate's file, if ca/issued has lost it".to_owned()
            }
        }
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ca => f.write_str("it is the CA"),
            Self::Installed { installed } => {
                for (position, (name, serial)) in installed.iter().enumerate() {
                    let separator = if position == 0 { "" } else { ", " };
                    write!(
                        f,
                        "{separator}the certificate {serial} is installed for `{name}`"
                    )?;
                }
                f.write_str(": once it is revoked, who reads the CRL refuses it")
            }
            Self::NotByCa { issuer } => {
                write!(f, "it is not by this CA, but by {}", Quoted(issuer))
            }
            Self::NothingInstalled { name } => write!(
                f,
                "no certificate of `{name}` is installed, so that none is superseded"
            ),
            Self::OnlyWithName => f.write_str("--superseded and --all go with a name"),
            Self::SeveralBegin { found } => {
                write!(f, "{} serial numbers begin with that", found.len())
            }
            Self::SeveralLive { name, live } => {
                write!(f, "`{name}` has {} valid certificates", live.len())
            }
            Self::Unknown { subject } => write!(
                f,
                "{} is no entry, no serial number and no file",
                Quoted(&subject.display().to_string())
            ),
            Self::Unlisted { serial_number } => write!(
                f,
                "the inventory has no certificate with the serial number {}",
                Quoted(serial_number)
            ),
        }
    }
}

impl Display for Live {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Validity {
            not_before,
            not_after,
        } = self.validity;
        let installed = if self.installed { ", installed" } else { "" };
        write!(
            f,
            "{}, from {} to {}{installed}",
            Plain(&self.serial_number.to_string()),
            show(not_before),
            show(not_after)
        )
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Revocation(refusal)
    }
}
