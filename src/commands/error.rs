//! Why a command failed, as data; `cli/render/error.rs` lays it out.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::{ca, config, export, import, revoke};
use crate::config::unreadable::Unreadable;
use crate::domain::cluster::{Key, KeyPath, Misfit};
use crate::domain::error::{Invalid, nearest};
use crate::domain::host::Host;
use crate::domain::name::EntryName;
use crate::domain::name_constraints::NameConstraints;
use crate::domain::order;
use crate::domain::progress::Interrupted;
use crate::domain::revocation::restore_record;
use crate::domain::serial_number::SerialNumber;
use crate::domain::settings::Settings;
use crate::domain::text::{Plain, Quoted, ShellWord, joined};
use crate::domain::threshold::Threshold;
use crate::domain::validity::{NoValidity, show};
use crate::plan;
use crate::store;
use crate::store::cluster_file::Problem;
use crate::store::layout::{CA_CERTIFICATE, CLUSTER_FILE};
use crate::system::NoAnswer;
use crate::verify::issued::Refusal;
use crate::x509;
use crate::x509::profile::NotRenewable;

/// Why a command failed.
#[derive(Debug)]
pub enum Error {
    /// The passphrase does not open the CA's private key.
    CaKeyPassphrase {
        /// The key's file.
        path: PathBuf,
    },
    /// A passphrase does not open the PKCS#12 file that is there.
    Pkcs12Passphrase {
        /// The file.
        path: PathBuf,
    },
    /// The CA ends before a tenth of the wanted lifetime is over.
    CaEndsTooSoon {
        /// Its notAfter.
        not_after: OffsetDateTime,
    },
    /// The CA's next certificate would say less than the present one.
    CaNotRenewable {
        /// What would be lost.
        why: NotRenewable,
    },
    /// A CA is not imported.
    CaImport {
        /// The file of its certificate.
        path: PathBuf,
        /// Everything that is wrong with it.
        refusals: Vec<ca::import::Refusal>,
    },
    /// The clock contradicts what was issued before.
    ClockContradicted {
        /// How.
        why: String,
        /// What makes this command believe it.
        flag: &'static str,
    },
    /// The clock is before the program's release, or shows a date that no certificate can have.
    ClockSuspect {
        /// What it says; None outside 1970 to 9999.
        now: Option<OffsetDateTime>,
        /// When the program was released.
        released: OffsetDateTime,
        /// What makes this command believe it.
        flag: &'static str,
    },
    /// zpki.toml is wrong.
    ClusterFile {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong with it.
        problems: Vec<Problem>,
    },
    /// zpki.toml is a directory, a FIFO or the like.
    ClusterFileIrregular {
        /// Where it is.
        path: PathBuf,
    },
    /// A configuration is not edited.
    Config(config::refusal::Refusal),
    /// The last question was answered with no.
    Declined,
    /// Nothing is exported.
    Export(export::Refusal),
    /// The CRLs of the CAs above are not what HAProxy needs.
    ExtraCrl {
        /// The CRL's file; None when one is lacking.
        path: Option<PathBuf>,
        /// What is wrong.
        because: String,
    },
    /// A zato.config cannot be read.
    HaproxyFile {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong with it.
        problems: Vec<Unreadable>,
    },
    /// A path cannot stand on an HAProxy line.
    HaproxyPath {
        /// What is wrong with it.
        invalid: Invalid,
    },
    /// Nothing is imported.
    Import(import::Refusal),
    /// A file that the user named cannot be read.
    Input {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The run was asked to end.
    Interrupted,
    /// What was asked for does not fit together.
    Misfits {
        /// What was asked for.
        settings: Box<Settings>,
        /// The zato.config that the servers come from; None when they were given by name.
        haproxy_file: Option<PathBuf>,
        /// What does not fit.
        misfits: Vec<Misfit>,
    },
    /// A manifest cannot be fulfilled as it is.
    Manifest {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong with it.
        problems: Vec<Problem>,
    },
    /// A certificate cannot be renewed for the key that there is.
    NeedsNewKey {
        /// The entry.
        name: EntryName,
        /// Why it takes a new key.
        reasons: Vec<plan::reason::Reason>,
    },
    /// A certificate runs out, and its file would be lost for a new one.
    IsDue {
        /// The file.
        path: PathBuf,
        /// Since when.
        reason: plan::reason::Reason,
    },
    /// The inventory has nothing of a name, whose certificates were to be revoked.
    NothingIssued {
        /// The name.
        name: EntryName,
        /// The certificate in its host folder.
        installed: Option<PathBuf>,
    },
    /// Neither an entry nor a file.
    NeitherEntryNorFile {
        /// The name.
        name: EntryName,
        /// The PKI directory that was looked in.
        directory: PathBuf,
    },
    /// There is a zpki.toml, and no CA.
    NoCa {
        /// The PKI directory.
        directory: PathBuf,
    },
    /// The CA's private key is needed, and is not there.
    NoCaKey {
        /// Where it was looked for.
        path: PathBuf,
        /// Where there is one that was left behind.
        left_behind: Option<PathBuf>,
    },
    /// An entry of zpki.toml that has no certificate.
    NoCertificate {
        /// The entry.
        name: EntryName,
    },
    /// The clock shows a date outside 1970 to 9999.
    NoClock,
    /// There is no record of revocations.
    NoCrl {
        /// Where it should be.
        path: PathBuf,
        /// Whether HAProxy has a CRL.
        at_haproxy: bool,
    },
    /// The record of revocations of a CA that is imported is not there, and was not given.
    NoCrlGiven {
        /// Where it should be.
        path: PathBuf,
        /// Another file that has a CRL of this CA.
        copy: Option<PathBuf>,
    },
    /// There is no zpki.toml.
    NotAPkiDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// A name in use is outside the name constraints that the CA is to get.
    NotPermitted {
        /// Whose it is.
        name: EntryName,
        /// The host.
        host: Host,
        /// The constraints.
        name_constraints: NameConstraints,
    },
    /// What was asked for does not fit the cluster.
    OrderRefused {
        /// The certificate's name.
        name: EntryName,
        /// Everything that stands against it.
        refusals: Vec<order::Refusal>,
    },
    /// Standard output cannot be written.
    Output {
        /// Why.
        error: io::Error,
        /// Whether the command has changed something all the same.
        changed: bool,
    },
    /// The CA's private key has another passphrase, and the log has no line of it.
    PassphraseNotLogged {
        /// Why.
        error: store::error::Error,
    },
    /// A certificate for the key of the request was revoked, for the key is not safe.
    RequestKeyCompromised {
        /// Its serial number.
        serial_number: SerialNumber,
    },
    /// There is a server of that name, and it is another one.
    ServerExists {
        /// The name.
        name: EntryName,
    },
    /// A certificate that is not revoked.
    Revocation(revoke::Refusal),
    /// The disk.
    Store(store::error::Error),
    /// The terminal.
    Terminal {
        /// Why.
        error: io::Error,
    },
    /// What a change would make of zpki.toml does not fit together.
    Unfit {
        /// Everything that would be wrong with it.
        problems: Vec<Problem>,
    },
    /// No entry of that name.
    UnknownEntry {
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<EntryName>,
        /// Whether certificates were issued to it all the same.
        was_issued: bool,
    },
    /// No server of that name.
    UnknownServer {
        /// The name.
        name: String,
        /// The names of the servers.
        known: Vec<EntryName>,
    },
    /// A certification request with the CA's own key.
    RequestOfCaKey,
    /// A file that holds nothing that can be understood.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The line of the block at fault, if it is one.
        line: Option<usize>,
        /// Why.
        because: String,
        /// What to do about it.
        hint: String,
    },
    /// A certificate that was just made would be refused.
    Unverified {
        /// For whom.
        name: EntryName,
        /// The rules that it breaks.
        refusals: Vec<Refusal>,
    },
    /// The command line says too little, or two things at once.
    Usage(Usage),
    /// A file stands where another is to be.
    WouldReplace {
        /// The file.
        path: PathBuf,
        /// Whether it is outside of the PKI directory.
        is_outside: bool,
    },
    /// Keys and certificates.
    X509(x509::error::Error),
}

/// What is wrong with a command line that could be parsed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Usage {
    /// Metrics of every certificate, where no metrics are written.
    AllWithoutMetrics,
    /// An archive and a report on one standard output.
    ArchiveAndReport,
    /// An archive on a terminal.
    ArchiveOnTerminal,
    /// What is handed over would be put into the PKI directory.
    OutInside {
        /// The directory that was given.
        path: PathBuf,
    },
    /// The passphrase is empty.
    EmptyPassphrase {
        /// Where it came from.
        from: String,
    },
    /// A name for a certificate whose consumer checks none.
    HostOfClient,
    /// Flags that are needed where nobody can be asked.
    Missing {
        /// The flags, each with what it is for.
        flags: Vec<&'static str>,
    },
    /// The certificate of a request has no name.
    NoName {
        /// What is wrong with its first host name, if it has one.
        invalid: Option<Invalid>,
    },
    /// A certificate that has no host folder.
    NoOut {
        /// Its name.
        name: EntryName,
    },
    /// A PKCS#12 file needs a passphrase, and nobody can be asked.
    NoP12Passphrase,
    /// A file with the private key, which a request does not have.
    NoPrivateKey {
        /// The format of the file.
        format: &'static str,
    },
    /// The key to import is encrypted, its passphrase was not given, and nobody can be asked.
    NoKeyPassphrase,
    /// No new passphrase was given, and nobody can be asked.
    NoNewPassphrase,
    /// The CA's key is encrypted, its passphrase was not given, and nobody can be asked.
    NoPassphrase,
    /// An output format that the command does not have.
    OutputFormat {
        /// The format.
        format: &'static str,
        /// Those that it has.
        formats: &'static str,
    },
    /// The passphrase of a PKCS#12 file that is not asked for.
    P12PassphraseForNothing,
    /// The passphrase is not UTF-8.
    PassphraseNotUtf8 {
        /// Where it came from.
        from: String,
    },
    /// A path that cannot stand where it is to be printed.
    Path {
        /// What is wrong with it.
        invalid: Invalid,
    },
    /// A purpose for a policy that has its own.
    PurposeWithoutStrict,
    /// Critical is to be said before warning.
    Thresholds {
        /// `--warn`.
        warn: Threshold,
        /// `--crit`.
        crit: Threshold,
    },
    /// Two directories, or two sources of a passphrase.
    Twice {
        /// What is given twice.
        what: &'static str,
        /// Where.
        sources: String,
    },
}

/// One reason of a failure: where, why, and what to do.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Reason {
    /// File, line or flag, and its text when there is one.
    pub at: Option<String>,
    /// The cause, and the causes of that.
    pub because: Vec<String>,
    /// What to do next.
    pub hint: Option<String>,
}

impl Error {
    /// A file that the user named.
    #[must_use]
    pub fn input(path: &Path, error: io::Error) -> Self {
        Self::Input {
            path: path.to_owned(),
            error,
        }
    }

    /// Every reason, in the order of the input.
    #[must_use]
    pub fn reasons(&self) -> Vec<Reason> {
        match self {
            Self::CaImport { path, refusals } => refusals
                .iter()
                .map(|refusal| Reason {
                    at: Some(path.display().to_string()),
                    because: vec![refusal.to_string()],
                    hint: Some(refusal.hint()),
                })
                .collect(),
            Self::Config(refusal) => refusal.reasons(),
            Self::ClusterFile { path, problems } | Self::Manifest { path, problems } => problems
                .iter()
                .map(|problem| cluster_file_reason(path, problem))
                .collect(),
            Self::Unfit { problems } => problems
                .iter()
                .map(|problem| Reason {
                    at: problem.source.clone(),
                    because: vec![problem.reason.to_string()],
                    hint: Some(problem.hint()),
                })
                .collect(),
            Self::HaproxyFile { path, problems } => problems
                .iter()
                .map(|problem| haproxy_reason(path, problem))
                .collect(),
            Self::Misfits {
                settings,
                haproxy_file,
                misfits,
            } => misfits
                .iter()
                .map(|misfit| misfit_reason(settings, haproxy_file.as_deref(), misfit))
                .collect(),
            Self::OrderRefused { refusals, .. } => refusals
                .iter()
                .map(|refusal| Reason {
                    at: None,
                    because: vec![refusal.to_string()],
                    hint: Some(refusal.hint()),
                })
                .collect(),
            Self::Unverified { name, refusals } => refusals
                .iter()
                .map(|refusal| Reason {
                    at: Some(format!("the certificate for `{name}`")),
                    because: vec![refusal.to_string()],
                    hint: Some(unverified_hint(refusal).to_owned()),
                })
                .collect(),
            other => vec![Reason {
                at: other.place(),
                because: other.causes(),
                hint: other.hint(),
            }],
        }
    }

    fn causes(&self) -> Vec<String> {
        if let Self::Revocation(refusal) = self {
            return refusal.causes();
        }
        let mut causes = vec![self.to_string()];
        let mut source: Option<&(dyn std::error::Error + 'static)> = match self {
            Self::PassphraseNotLogged { error } => Some(error),
            Self::Store(error) => std::error::Error::source(error),
            _ => None,
        };
        while let Some(error) = source {
            causes.push(words(error));
            source = error.source();
        }
        causes
    }

    pub(super) fn place(&self) -> Option<String> {
        match self {
            Self::CaKeyPassphrase { path }
            | Self::ClusterFileIrregular { path }
            | Self::Input { path, .. }
            | Self::IsDue { path, .. }
            | Self::NoCaKey { path, .. }
            | Self::NoCrl { path, .. }
            | Self::NoCrlGiven { path, .. }
            | Self::NotAPkiDirectory { path }
            | Self::Pkcs12Passphrase { path }
            | Self::WouldReplace { path, .. } => Some(path.display().to_string()),
            Self::CaNotRenewable { .. } => Some(CA_CERTIFICATE.to_owned()),
            Self::ExtraCrl { path, .. } => Some(path.as_ref().map_or_else(
                || "[revocation] extra_crls".to_owned(),
                |path| path.display().to_string(),
            )),
            Self::Export(refusal) => refusal.place().map(|path| path.display().to_string()),
            Self::Import(refusal) => refusal.place().map(|path| path.display().to_string()),
            Self::Unreadable { path, line, .. } => Some(at_line(path, *line, None)),
            Self::Output { .. } => Some("standard output".to_owned()),
            _ => None,
        }
    }

    pub(super) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::CaKeyPassphrase { .. } => x509::error::Error::PassphraseWrong.hint(),
            Self::Pkcs12Passphrase { .. } => {
                "give the one that it was made with; or replace it, with a new key: --force"
                    .to_owned()
            }
            Self::CaEndsTooSoon { .. } => {
                "renew the CA first: zpki ca renew; or give a shorter lifetime".to_owned()
            }
            Self::CaNotRenewable { .. } => {
                "have it renewed where it was made, then: zpki ca import CERT KEY".to_owned()
            }
            Self::ClockSuspect { now: None, .. } | Self::NoClock => {
                "set the clock to a date from 1970 to 9999".to_owned()
            }
            Self::ClockContradicted { flag, .. } | Self::ClockSuspect { flag, .. } => {
                format!("set the clock, or give {flag} if it is right")
            }
            Self::ClusterFileIrregular { .. } => {
                "put the zpki.toml of the cluster there, a regular file or a link to one".to_owned()
            }
            Self::Export(refusal) => refusal.hint(),
            Self::ExtraCrl { .. } => {
                "name a fresh CRL of each CA above in extra_crls, or leave out [revocation] enabled"
                    .to_owned()
            }
            Self::HaproxyPath { .. } => {
                "choose another directory, or say where HAProxy sees its files: --ca-file and --crt"
                    .to_owned()
            }
            Self::Import(refusal) => refusal.hint(),
            Self::Input { error, .. } => input_hint(error.kind())?.to_owned(),
            Self::NeedsNewKey { name, .. } => format!("give it a new key: zpki rekey {name}"),
            Self::NeitherEntryNorFile { .. } => "`zpki list` shows the entries".to_owned(),
            Self::NoCertificate { .. } => "`zpki apply` makes it".to_owned(),
            Self::NothingIssued {
                installed: Some(path),
                ..
            } => {
                let path = path.display().to_string();
                format!(
                    "name the certificate that is installed: zpki revoke {}",
                    ShellWord(&path)
                )
            }
            Self::NothingIssued { .. } => {
                "name a copy of its certificate, or restore ca/issued from a backup".to_owned()
            }
            Self::NoCa { directory } => format!(
                "restore it from a backup; or take one that was made elsewhere: zpki ca import CERT KEY; or make a new CA and every certificate anew, in another directory: zpki init DIR --config {}",
                Plain(&directory.join(CLUSTER_FILE).display().to_string())
            ),
            Self::NoCaKey {
                path,
                left_behind: Some(left_behind),
            } => {
                let word = |path: &Path| ShellWord(&path.display().to_string()).to_string();
                format!(
                    "zpki.toml has it there (key_file in [ca]), and one was left behind: mv -n {} {}",
                    word(left_behind),
                    word(path)
                )
            }
            Self::NoCaKey { .. } => {
                "say where it is: --ca-key FILE, or key_file in [ca] of zpki.toml".to_owned()
            }
            Self::NoCrl { at_haproxy, .. } => restore_record(*at_haproxy),
            Self::NoCrlGiven { copy, .. } => {
                let copy = copy.as_ref().map(|copy| copy.display().to_string());
                format!(
                    "give a copy of it: --crl {}; nothing else knows what was revoked",
                    ShellWord(copy.as_deref().unwrap_or("FILE"))
                )
            }
            Self::NotAPkiDirectory { .. } => {
                "name a PKI directory with -C or ZPKI_DIR, or make one with `zpki init`".to_owned()
            }
            Self::NotPermitted { .. } => {
                "permit it in [ca] of zpki.toml, or revoke the certificate that has it".to_owned()
            }
            Self::Output { changed: true, .. } => {
                "what was asked for is done, and `zpki list` shows it".to_owned()
            }
            Self::Output { .. } => {
                "make room where it is written to, or write it elsewhere".to_owned()
            }
            Self::Revocation(refusal) => refusal.hint(),
            Self::Store(store::error::Error::Exists { path }) if path.ends_with(CLUSTER_FILE) => {
                format!(
                    "choose another place; or, to make the PKI anew that it is left of, give --config {}",
                    Plain(&path.display().to_string())
                )
            }
            Self::ServerExists { .. } => {
                "edit it in zpki.toml and run `zpki apply`; `zpki list` shows the entries"
                    .to_owned()
            }
            Self::PassphraseNotLogged { error } => format!(
                "the new passphrase opens the key; for the next run that writes: {}",
                error.hint()
            ),
            Self::Store(error) => error.hint(),
            Self::UnknownEntry { name, .. } if *name == EntryName::ca().as_str() => {
                "the CA has a command of its own: zpki ca renew".to_owned()
            }
            Self::UnknownEntry {
                name,
                was_issued: true,
                ..
            } => format!(
                "its certificates are renewed by issuing another (zpki issue {name}), or by adding it to zpki.toml; `zpki show {name}` shows the newest"
            ),
            Self::UnknownEntry { name, known, .. } | Self::UnknownServer { name, known } => {
                let known: Vec<&str> = known.iter().map(EntryName::as_str).collect();
                match nearest(name, &known) {
                    Some(near) => format!("did you mean `{near}`?  `zpki list` shows the entries"),
                    None => "`zpki list` shows the entries".to_owned(),
                }
            }
            Self::RequestKeyCompromised { .. } | Self::RequestOfCaKey => {
                "make a new key, and a request with it".to_owned()
            }
            Self::Unreadable { hint, .. } => hint.clone(),
            Self::Usage(usage) => usage.hint(),
            Self::IsDue { .. } => "issue it again, and what else is due: --force".to_owned(),
            Self::WouldReplace {
                is_outside: true, ..
            } => "name another directory: --out; or replace it: --force".to_owned(),
            Self::WouldReplace { .. } => "replace it: --force".to_owned(),
            Self::X509(error) => error.hint(),
            _ => return None,
        };
        Some(hint)
    }
}

/// The CA's certificate may say less than zpki.toml now does; all else should never happen.
fn unverified_hint(refusal: &Refusal) -> &'static str {
    if refusal.is_by_name_constraints() {
        "renew the CA with the name constraints of zpki.toml: zpki ca renew"
    } else if refusal.is_by_time() {
        "set the clock; if it is right, the CA, or one above it, has to be renewed first"
    } else {
        "this is a defect of zpki: please report it"
    }
}

fn input_hint(kind: io::ErrorKind) -> Option<&'static str> {
    match kind {
        io::ErrorKind::FileTooLarge => Some("a file may have at most 64 MiB"),
        io::ErrorKind::IsADirectory => Some("name a file, not a directory"),
        io::ErrorKind::NotADirectory | io::ErrorKind::NotFound => {
            Some("check the path; file arguments are relative to the current directory")
        }
        io::ErrorKind::PermissionDenied => Some("run as a user who may read it"),
        _ => None,
    }
}

fn cluster_file_reason(path: &Path, problem: &Problem) -> Reason {
    Reason {
        at: Some(at_line(path, problem.line, problem.source.as_deref())),
        because: vec![problem.reason.to_string()],
        hint: Some(problem.hint()),
    }
}

fn haproxy_reason(path: &Path, problem: &Unreadable) -> Reason {
    let line = problem.at.as_ref();
    Reason {
        at: Some(at_line(
            path,
            line.map(|line| line.number),
            line.map(|line| line.text.as_str()),
        )),
        because: vec![problem.to_string()],
        hint: Some(problem.hint()),
    }
}

fn at_line(path: &Path, line: Option<usize>, text: Option<&str>) -> String {
    let path = path.display();
    match (line, text) {
        (Some(line), Some(text)) if !text.is_empty() => format!("{path}:{line}: {}", Plain(text)),
        (Some(line), _) => format!("{path}:{line}"),
        (None, _) => path.to_string(),
    }
}

/// A misfit of what was asked for by flags or answers: the place is the flag.
fn misfit_reason(settings: &Settings, haproxy_file: Option<&Path>, misfit: &Misfit) -> Reason {
    Reason {
        at: Some(flag(settings, haproxy_file, &misfit.at)),
        because: vec![misfit.reason.to_string()],
        hint: Some(misfit.reason.hint()),
    }
}

fn flag(settings: &Settings, haproxy_file: Option<&Path>, path: &KeyPath) -> String {
    match path.0.as_slice() {
        [Key::Name("servers"), Key::Index(index), ..] => {
            match (settings.servers.get(*index), haproxy_file) {
                (Some(server), Some(file)) => {
                    format!("{}: server {}", file.display(), server.name)
                }
                (Some(server), None) => format!("--server {}={}", server.name, server.address),
                (None, _) => "--server".to_owned(),
            }
        }
        [Key::Name("servers")] => "--server".to_owned(),
        [Key::Name("load_balancer"), ..] => "--lb".to_owned(),
        [Key::Name("certificates"), ..] => format!("--lifetime {}", settings.certificates.lifetime),
        _ => path.to_string(),
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::CaImport { refusals, .. } => write!(f, "{} problems", refusals.len()),
            Self::CaKeyPassphrase { .. } | Self::Pkcs12Passphrase { .. } => {
                x509::error::Error::PassphraseWrong.fmt(f)
            }
            Self::CaEndsTooSoon { not_after } => write!(
                f,
                "the CA ends on {}, too soon for a certificate of this lifetime",
                show(*not_after)
            ),
            Self::CaNotRenewable { why } => {
                write!(f, "zpki does not renew this certificate: {why}")
            }
            Self::ClockContradicted { why, .. } => write!(f, "the clock cannot be believed: {why}"),
            Self::ClockSuspect {
                now: Some(now),
                released,
                ..
            } => write!(
                f,
                "the clock says {}, before this program was released ({})",
                show(*now),
                released.date()
            ),
            Self::ClockSuspect { now: None, .. } | Self::NoClock => {
                f.write_str("the clock shows a date that no certificate can have")
            }
            Self::ClusterFile { problems, .. } => write!(f, "{} problems", problems.len()),
            Self::ClusterFileIrregular { .. } => f.write_str("it is not a regular file"),
            Self::Config(refusal) => refusal.fmt(f),
            Self::Declined => f.write_str("not confirmed; nothing was made"),
            Self::Export(refusal) => refusal.fmt(f),
            Self::ExtraCrl { because, .. } => f.write_str(because),
            Self::HaproxyFile { problems, .. } => write!(f, "{} problems", problems.len()),
            Self::HaproxyPath { invalid } => invalid.fmt(f),
            Self::Import(refusal) => refusal.fmt(f),
            Self::Input { error, .. } | Self::Output { error, .. } | Self::Terminal { error } => {
                f.write_str(&words(error))
            }
            Self::Interrupted => f.write_str("interrupted; nothing was left behind"),
            Self::Manifest { problems, .. } => write!(f, "{} problems", problems.len()),
            Self::Misfits { misfits, .. } => write!(f, "{} problems", misfits.len()),
            Self::NeedsNewKey { name, reasons } => write!(
                f,
                "the key of `{name}` cannot be kept: {}",
                joined(reasons, "; ")
            ),
            Self::NeitherEntryNorFile { name, directory } => write!(
                f,
                "`{name}` is neither an entry of {} nor a file",
                directory.display()
            ),
            Self::NotAPkiDirectory { .. } => {
                f.write_str("this is no PKI directory: it has no zpki.toml")
            }
            Self::NotPermitted {
                name,
                host,
                name_constraints,
            } => write!(
                f,
                "`{host}` of `{name}` is outside the name constraints ({name_constraints})"
            ),
            Self::OrderRefused { name, .. } => write!(f, "`{name}` does not fit the cluster"),
            Self::RequestKeyCompromised { serial_number } => write!(
                f,
                "the key of the request is not safe: certificate {serial_number}, which it has, was revoked for that"
            ),
            Self::ServerExists { name } => write!(
                f,
                "there is a server `{name}` already, with another address or other host names"
            ),
            Self::Revocation(refusal) => refusal.fmt(f),
            Self::PassphraseNotLogged { .. } => {
                f.write_str("the passphrase is changed, and ca/log.jsonl has no line of it")
            }
            Self::Store(error) => error.fmt(f),
            Self::Unfit { problems } => write!(f, "{} problems", problems.len()),
            Self::UnknownEntry { name, .. } => {
                write!(f, "zpki.toml has no entry {}", Quoted(name))
            }
            Self::UnknownServer { name, .. } => write!(f, "there is no server {}", Quoted(name)),
            Self::NoCa { directory } => write!(
                f,
                "there is no CA in {}",
                Plain(&directory.display().to_string())
            ),
            Self::NoCaKey { .. } => f.write_str("the CA's private key is not there"),
            Self::NoCertificate { name } => write!(f, "`{name}` has no certificate"),
            Self::NothingIssued { name, .. } => {
                write!(f, "ca/issued has no certificate of `{name}`")
            }
            Self::NoCrl { .. } | Self::NoCrlGiven { .. } => {
                f.write_str("the record of revocations is missing")
            }
            Self::RequestOfCaKey => {
                f.write_str("the key of the request is the CA's own, which is nobody else's")
            }
            Self::Unreadable { because, .. } => f.write_str(because),
            Self::Unverified { name, .. } => {
                write!(f, "the certificate for `{name}` would be refused")
            }
            Self::Usage(usage) => usage.fmt(f),
            Self::IsDue { reason, .. } => write!(
                f,
                "the certificate that is there is due ({reason}), and a new one would replace it"
            ),
            Self::WouldReplace { .. } => {
                f.write_str("there is another file already, and it would be lost")
            }
            Self::X509(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

/// The words of the operating system, without the number.
fn words(error: &(dyn std::error::Error + 'static)) -> String {
    let text = match error.downcast_ref::<io::Error>() {
        // Without words of its own.
        Some(error) if error.kind() == io::ErrorKind::NotFound && error.get_ref().is_none() => {
            "no such file or directory".to_owned()
        }
        _ => error.to_string(),
    };
    let words = text.split(" (os error").next().unwrap_or_default();
    let mut characters = words.chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}

impl Display for Usage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::ArchiveAndReport => {
                f.write_str("standard output has the backup, and can have no report as JSON too")
            }
            Self::ArchiveOnTerminal => {
                f.write_str("standard output is a terminal, which cannot show a backup")
            }
            Self::OutInside { path } => write!(
                f,
                "{} is inside the PKI directory, where zpki keeps its own files only",
                Quoted(&path.display().to_string())
            ),
            Self::EmptyPassphrase { from } => {
                write!(f, "the passphrase from {} is empty", Quoted(from))
            }
            Self::Missing { flags } => {
                write!(
                    f,
                    "not given, and nobody can be asked: {}",
                    flags.join(", ")
                )
            }
            Self::HostOfClient => {
                f.write_str("--host does not go with --as server-client: servers check no name")
            }
            Self::NoName {
                invalid: Some(invalid),
            } => {
                write!(
                    f,
                    "its first host name is no name for a certificate: {invalid}"
                )
            }
            Self::NoName { invalid: None } => f.write_str("it has no host name to be named after"),
            Self::NoOut { name } => write!(
                f,
                "`{name}` is no client, so it has no folder in the PKI directory"
            ),
            Self::NoP12Passphrase => {
                f.write_str("a PKCS#12 file needs a passphrase, and nobody can be asked for it")
            }
            Self::AllWithoutMetrics => {
                f.write_str("--all goes with --textfile or --output prometheus only")
            }
            Self::P12PassphraseForNothing => {
                f.write_str("--p12-passphrase-file goes with --format p12 only")
            }
            Self::NoPrivateKey { format } => write!(
                f,
                "--format {format} has the private key in it, which a request does not have"
            ),
            Self::NoPassphrase => f.write_str(
                "the CA's private key is encrypted, and nobody can be asked for its passphrase",
            ),
            Self::NoKeyPassphrase => f.write_str(
                "the private key is encrypted, and nobody can be asked for its passphrase",
            ),
            Self::NoNewPassphrase => {
                f.write_str("the new passphrase was not given, and nobody can be asked for it")
            }
            Self::PurposeWithoutStrict => f.write_str(
                "--purpose goes with --as strict only: the other policies have their purposes",
            ),
            Self::OutputFormat { format, .. } => {
                write!(f, "this command has no output format `{format}`")
            }
            Self::PassphraseNotUtf8 { from } => {
                write!(f, "the passphrase from {} is not UTF-8", Quoted(from))
            }
            Self::Path { invalid } => invalid.fmt(f),
            Self::Thresholds { warn, crit } => {
                write!(f, "--crit {crit} begins before --warn {warn}")
            }
            Self::Twice { what, sources } => write!(f, "{what} is given twice: {sources}"),
        }
    }
}

impl Usage {
    fn hint(&self) -> String {
        match self {
            Self::ArchiveAndReport => "name a file, or leave out --output".to_owned(),
            Self::ArchiveOnTerminal => {
                "name a file, or pipe the backup into another program".to_owned()
            }
            Self::OutInside { .. } => {
                "name another directory: --out; a client needs none, for it has a host folder".into()
            }
            Self::EmptyPassphrase { .. } => {
                "put the passphrase on the first line; for a key without one, `init` has --no-ca-passphrase".to_owned()
            }
            Self::Missing { .. } => {
                "see `zpki init --help`, or run it on a terminal to be asked".to_owned()
            }
            Self::HostOfClient => "leave out --host".into(),
            Self::NoName { .. } => "give the name: zpki issue NAME --csr FILE".into(),
            Self::NoOut { .. } => "say where its files are to go: --out DIR".into(),
            Self::NoP12Passphrase => "give it: --p12-passphrase-file FILE".into(),
            Self::AllWithoutMetrics => "leave it out, or give --textfile PATH".into(),
            Self::P12PassphraseForNothing => "leave it out, or give --format p12".into(),
            Self::NoPrivateKey { .. } => "give --format pem or fullchain".into(),
            Self::NoPassphrase => "give it: --ca-passphrase-file FILE, or ZPKI_CA_PASSPHRASE".into(),
            Self::NoKeyPassphrase => "give it: --key-passphrase-file FILE".into(),
            Self::NoNewPassphrase => {
                "give it: --new-ca-passphrase-file FILE; or --no-ca-passphrase for a key that is not encrypted".into()
            }
            Self::PurposeWithoutStrict => "leave out --purpose, or give --as strict".into(),
            Self::OutputFormat { formats, .. } => format!("it has {formats}"),
            Self::PassphraseNotUtf8 { .. } => "choose a passphrase of UTF-8 text".to_owned(),
            Self::Path { invalid } => invalid.hint(),
            Self::Thresholds { .. } => "give a --crit that is less than --warn".to_owned(),
            Self::Twice { .. } => "give one".to_owned(),
        }
    }
}

impl From<Interrupted> for Error {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

impl From<store::error::Error> for Error {
    fn from(error: store::error::Error) -> Self {
        match error {
            store::error::Error::Interrupted => Self::Interrupted,
            error => Self::Store(error),
        }
    }
}

impl From<x509::error::Error> for Error {
    fn from(error: x509::error::Error) -> Self {
        Self::X509(error)
    }
}

impl From<NoAnswer> for Error {
    fn from(no_answer: NoAnswer) -> Self {
        match no_answer {
            NoAnswer::Interrupted => Self::Interrupted,
            NoAnswer::Io(error) => Self::Terminal { error },
        }
    }
}

impl From<NoValidity> for Error {
    fn from(no_validity: NoValidity) -> Self {
        match no_validity {
            NoValidity::IssuerEndsTooSoon { not_after } => Self::CaEndsTooSoon { not_after },
            NoValidity::OutOfRange => Self::NoClock,
        }
    }
}
