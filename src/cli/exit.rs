//! Exit statuses: one table for the whole program. 0 to 3 are the monitoring plugins' own, the rest
//! are those of sysexits.h.

use std::io;

use crate::commands::error::Error;
use crate::commands::{ca, config, export, import, revoke};
use crate::domain::finding::Severity;
use crate::domain::order;
use crate::store::error::Kind;
use crate::verify::issued::Refusal as Refused;
use crate::x509;

/// How a run ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    /// Done, or all well.
    Success,
    /// Something should be looked at.
    Warning,
    /// Something does not work.
    Critical,
    /// Something could not be checked.
    Unknown,
    /// Changes are pending, or were made, and the status was to say so.
    Changes,
    /// Wrong usage.
    Usage,
    /// Input that cannot be understood.
    Data,
    /// An input file is missing or unreadable.
    NoInput,
    /// Refused to overwrite.
    Exists,
    /// I/O error, or the system failed otherwise.
    Io,
    /// Locked by another run.
    Locked,
    /// Wrong passphrase, or no permission.
    Permission,
    /// zpki.toml is wrong.
    Config,
    /// Ended by a signal: 128 and its number.
    Signal(u8),
}

impl Status {
    /// The number that the process exits with.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
            Self::Changes => 10,
            Self::Usage => 64,
            Self::Data => 65,
            Self::NoInput => 66,
            Self::Exists => 73,
            Self::Io => 74,
            Self::Locked => 75,
            Self::Permission => 77,
            Self::Config => 78,
            Self::Signal(code) => code,
        }
    }

    /// How a run ends with `error`; `signal` is the status of the signal that may have ended it.
    #[must_use]
    pub fn of(error: &Error, signal: u8) -> Self {
        match error {
            Error::Unverified { refusals, .. }
                if refusals.iter().all(Refused::is_by_name_constraints) =>
            {
                Self::Config
            }
            Error::CaImport { refusals, .. } => Self::of_ca_import(refusals),
            Error::ExtraCrl { .. } => Self::Config,
            Error::ClusterFile { .. }
            | Error::ClusterFileIrregular { .. }
            | Error::NotPermitted { .. } => Self::Config,
            Error::CaNotRenewable { .. }
            | Error::IsDue { .. }
            | Error::NeedsNewKey { .. }
            | Error::RequestKeyCompromised { .. }
            | Error::RequestOfCaKey
            | Error::ServerExists { .. }
            | Error::WouldReplace { .. } => Self::Exists,
            Error::Config(refusal) => Self::of_config(refusal, signal),
            Error::Export(refusal) => Self::of_export(refusal),
            Error::Import(refusal) => Self::of_import(refusal),
            Error::OrderRefused { refusals, .. } => Self::of_order(refusals),
            Error::HaproxyFile { .. } | Error::Manifest { .. } | Error::Unreadable { .. } => {
                Self::Data
            }
            Error::HaproxyPath { .. }
            | Error::Misfits { .. }
            | Error::Unfit { .. }
            | Error::Usage(_) => Self::Usage,
            Error::Input { error, .. } if error.kind() == io::ErrorKind::PermissionDenied => {
                Self::Permission
            }
            Error::Input { .. }
            | Error::NeitherEntryNorFile { .. }
            | Error::NoCa { .. }
            | Error::NoCaKey { .. }
            | Error::NoCertificate { .. }
            | Error::NothingIssued { .. }
            | Error::NoCrl { .. }
            | Error::NoCrlGiven { .. }
            | Error::NotAPkiDirectory { .. }
            | Error::UnknownEntry { .. }
            | Error::UnknownServer { .. } => Self::NoInput,
            Error::Revocation(refusal) => Self::of_revocation(refusal),
            Error::Declined | Error::Interrupted => Self::Signal(signal),
            Error::CaEndsTooSoon { .. }
            | Error::ClockContradicted { .. }
            | Error::ClockSuspect { .. }
            | Error::NoClock
            | Error::Output { .. }
            | Error::PassphraseNotLogged { .. }
            | Error::Terminal { .. }
            | Error::Unverified { .. } => Self::Io,
            Error::Store(error) => Self::of_store(error.kind(), signal),
            Error::CaKeyPassphrase { .. }
            | Error::Pkcs12Passphrase { .. }
            | Error::X509(x509::error::Error::PassphraseWrong) => Self::Permission,
            Error::X509(_) => Self::Io,
        }
    }

    /// What zpki.toml names is not overwritten; all else is wrong usage.
    fn of_order(refusals: &[order::Refusal]) -> Self {
        let is_named = |refusal: &order::Refusal| matches!(refusal, order::Refusal::Named { .. });
        match refusals.iter().any(is_named) {
            true => Self::Exists,
            false => Self::Usage,
        }
    }

    /// Whether the run has something to say on standard output: it was done, or a check came to its
    /// end.
    #[must_use]
    pub fn has_product(self) -> bool {
        matches!(
            self,
            Self::Success | Self::Warning | Self::Critical | Self::Unknown | Self::Changes
        )
    }

    /// How a check ends.
    #[must_use]
    pub fn of_severity(severity: Severity) -> Self {
        match severity {
            Severity::Ok => Self::Success,
            Severity::Warning => Self::Warning,
            Severity::Critical => Self::Critical,
            Severity::Unknown => Self::Unknown,
        }
    }

    /// How a check ends that failed: whatever could not be read is unknown, and only wrong usage and a
    /// signal are told from that.
    #[must_use]
    pub fn of_check(error: &Error, signal: u8) -> Self {
        match Self::of(error, signal) {
            status @ (Self::Usage | Self::Signal(_)) => status,
            _ => Self::Unknown,
        }
    }

    fn of_export(refusal: &export::Refusal) -> Self {
        use export::Refusal;
        match refusal {
            Refusal::CaKey | Refusal::Terminal => Self::Usage,
            Refusal::Mismatch { .. } => Self::Data,
            Refusal::Missing { .. } | Refusal::Unknown { .. } => Self::NoInput,
            Refusal::Occupied { .. } => Self::Exists,
        }
    }

    fn of_config(refusal: &config::refusal::Refusal, signal: u8) -> Self {
        use config::refusal::Refusal;
        match refusal {
            Refusal::Judged { .. }
            | Refusal::NoOther { .. }
            | Refusal::NotDisabled { .. }
            | Refusal::NotUp { .. }
            | Refusal::Validation { .. } => Self::Critical,
            Refusal::ValidatorHangs { .. } | Refusal::ValidatorNotRun { .. } => Self::Unknown,
            Refusal::NoStatistics { .. }
            | Refusal::NoTargets
            | Refusal::NoneInClusterFile
            | Refusal::NotConfirmed
            | Refusal::NotForThis { .. }
            | Refusal::NotThisServers { .. }
            | Refusal::Twice { .. }
            | Refusal::WhichServer { .. } => Self::Usage,
            Refusal::NotOurs { .. } | Refusal::ServerConf { .. } => Self::Data,
            Refusal::HostFileMissing { .. }
            | Refusal::NoBackup { .. }
            | Refusal::NoHostFolder { .. } => Self::NoInput,
            Refusal::FollowUp { .. } | Refusal::NotRead { .. } => Self::Io,
            Refusal::Stopped { .. } => Self::Signal(signal),
        }
    }

    fn of_ca_import(refusals: &[ca::import::Refusal]) -> Self {
        use ca::import::Refusal as Of;
        match refusals {
            [Of::LiveCertificates { .. }] => Self::Exists,
            [Of::NoPath { chain: None, .. }] => Self::NoInput,
            _ => Self::Data,
        }
    }

    fn of_import(refusal: &import::Refusal) -> Self {
        use import::Refusal as Of;
        match refusal {
            Of::NoAddress { .. } | Of::NoCluster { .. } | Of::Unknown { .. } => Self::Usage,
            Of::Name { .. } | Of::NoServers { .. } | Of::NotZatos { .. } => Self::Data,
        }
    }

    /// What was asked for is not clear or not possible, is not to be done without --force, or was not
    /// found.
    fn of_revocation(refusal: &revoke::Refusal) -> Self {
        use revoke::Refusal;
        match refusal {
            Refusal::Ca
            | Refusal::NothingInstalled { .. }
            | Refusal::OnlyWithName
            | Refusal::SeveralBegin { .. }
            | Refusal::SeveralLive { .. } => Self::Usage,
            Refusal::Installed { .. } => Self::Exists,
            Refusal::NotByCa { .. } => Self::Data,
            Refusal::Unknown { .. } | Refusal::Unlisted { .. } => Self::NoInput,
        }
    }

    fn of_store(kind: Kind, signal: u8) -> Self {
        match kind {
            Kind::Interrupted => Self::Signal(signal),
            Kind::Io => Self::Io,
            Kind::Locked => Self::Locked,
            Kind::Permission => Self::Permission,
            Kind::Refused => Self::Exists,
        }
    }
}
