//! `zpki ca passphrase`: another passphrase for the CA's private key, a first one, or none. The key
//! itself stays.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::super::ca_key::{CaKeyAccess, OpenedKey};
use super::super::certificate_authority::key_pem;
use super::super::directory::{PkiDirectory, View};
use super::super::error::{Error, Usage};
use super::super::log::{self, Event};
use super::super::state::Ca;
use crate::domain::finding::Finding;
use crate::domain::name::EntryName;
use crate::store::file::File;
use crate::store::layout::{CA_KEY, LOG_FILE, SECRET};
use crate::store::replace;
use crate::store::snapshot::FileKind;
use crate::store::transaction::{Change, Transaction};
use crate::system::System;
use crate::x509;
use crate::x509::digest::sha256;
use crate::x509::passphrase::Passphrase;
use crate::x509::pem;
use crate::x509::private_key::PrivateKey;

/// What is asked for.
#[derive(Debug)]
pub struct Request {
    /// How the key is come by as it is.
    pub ca_key: CaKeyAccess,
    /// What is to open it from then on.
    pub new: NewPassphrase,
    /// How long to wait for another run.
    pub lock_timeout: Duration,
    /// What there was to say while the request was read.
    pub findings: Vec<Finding>,
}

/// What is to open a key.
#[derive(Debug)]
pub enum NewPassphrase {
    /// What someone types at the terminal, twice.
    Ask,
    /// This.
    Given(Passphrase),
    /// Nothing: the key is not encrypted.
    None,
}

/// What was done.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PassphraseReport {
    /// Version of this report's form.
    pub schema: u32,
    /// The instant of the run.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Whether anything was written.
    pub changed: bool,
    /// What became of the passphrase.
    pub passphrase: Became,
    /// The file of the key.
    pub key_file: String,
    /// How the key was encrypted before; None for one in the clear.
    pub before: Option<String>,
    /// Whether it is encrypted now.
    pub encrypted: bool,
    /// What to know besides.
    pub findings: Vec<Finding>,
}

/// What became of a passphrase.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Became {
    /// There was one, and there is another, or the same again.
    Changed,
    /// There was none, and there is none.
    None,
    /// There was one, and there is none.
    Removed,
    /// There was none, and there is one.
    Set,
}

impl Became {
    fn of(before: bool, after: bool) -> Self {
        match (before, after) {
            (true, true) => Self::Changed,
            (true, false) => Self::Removed,
            (false, true) => Self::Set,
            (false, false) => Self::None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::None => "none",
            Self::Removed => "removed",
            Self::Set => "set",
        }
    }
}

/// Writes the key anew.
///
/// # Errors
/// When the key cannot be opened, is not the CA's, or cannot be written. Nothing has changed then, unless
/// the error says so.
pub fn run(
    mut request: Request,
    directory: &PkiDirectory,
    system: &mut System,
) -> Result<PassphraseReport, Error> {
    let mut at = system.now.ok_or(Error::NoClock)?;
    let (cluster, ca) = directory.read(|view| Ok((view.cluster()?, Ca::read(view)?)))?;
    let may_ask = request.ca_key.may_ask;
    let opened = request.ca_key.open_key(&cluster, directory, system)?;
    if opened.key.public_key_der() != ca.certificate.public_key_der {
        let subject = ca.certificate.details.subject;
        return Err(x509::error::Error::KeyMismatch { subject }.into());
    }
    let new = request.new.settle(may_ask, system)?;
    let text = encoded(&opened.key, new.as_ref(), system)?;
    let became = Became::of(opened.encryption.is_some(), new.is_some());
    let changed = text.as_bytes() != opened.bytes.as_slice();
    if changed {
        system.interruption.defer();
        at = write(&opened, &text, became, &request, directory, system)?;
    }
    let mut findings = request.findings;
    findings.extend(remarks(became, changed, &opened.path));
    Ok(PassphraseReport {
        schema: 1,
        at,
        changed,
        passphrase: became,
        key_file: opened.path.display().to_string(),
        before: opened.encryption,
        encrypted: new.is_some(),
        findings,
    })
}

impl NewPassphrase {
    /// What was given without asking.
    pub(super) fn given(&self) -> Option<&Passphrase> {
        match self {
            Self::Given(passphrase) => Some(passphrase),
            Self::Ask | Self::None => None,
        }
    }

    /// The passphrase; it is asked for only here, when the old one was right.
    pub(super) fn settle(
        &mut self,
        may_ask: bool,
        system: &mut System,
    ) -> Result<Option<Passphrase>, Error> {
        match std::mem::replace(self, Self::None) {
            Self::Given(passphrase) => Ok(Some(passphrase)),
            Self::None => Ok(None),
            Self::Ask => {
                let prompt = system.prompt.as_deref_mut().filter(|_| may_ask);
                let prompt = prompt.ok_or(Error::Usage(Usage::NoNewPassphrase))?;
                let question = "New passphrase of the CA's private key";
                Ok(Some(prompt.new_passphrase(question)?))
            }
        }
    }
}

/// The key as it is to be written, which opens again and is the same key.
pub(super) fn encoded(
    key: &PrivateKey,
    passphrase: Option<&Passphrase>,
    system: &System,
) -> Result<Zeroizing<String>, Error> {
    let text = key_pem(key, passphrase, system)?;
    let block = pem::scan(text.as_bytes()).swap_remove(0)?;
    let again = PrivateKey::from_pem(&block, passphrase)?;
    if again.public_key_der() == key.public_key_der() {
        Ok(text)
    } else {
        let because = "what was written is not the same key";
        Err(x509::error::Error::KeyDamaged { because }.into())
    }
}

/// The key and the line in the log: in one transaction, where the key is in the PKI directory; else
/// the log is changed only when the key is, and everything that may fail is done before. Answers when that
/// was.
fn write(
    opened: &OpenedKey,
    text: &Zeroizing<String>,
    became: Became,
    request: &Request,
    directory: &PkiDirectory,
    system: &mut System,
) -> Result<OffsetDateTime, Error> {
    let writer = directory.lock(request.lock_timeout, system)?;
    let at = system.now.ok_or(Error::NoClock)?;
    let (inside, mut transaction) = directory.read(|view| {
        let inside = inside(&opened.path, view)?;
        let transaction = Transaction {
            changes: log(became, at, view, system)?,
            ..Transaction::default()
        };
        Ok((inside, transaction))
    })?;
    let before = sha256(&opened.bytes);
    let progress = &*system.progress;
    if let Some((path, mode)) = inside {
        let key = Change::Put {
            file: File::new(path, mode, text.as_str()),
            before: Some(before),
        };
        transaction.changes.insert(0, key);
        writer.commit(&transaction, progress)?;
        return Ok(at);
    }
    let key = replace::stage(&opened.path, &before, text.as_bytes())?;
    let mut log = writer.stage(&transaction, progress)?;
    let key = key.put()?;
    let logged = key.sync().and_then(|()| log.commit());
    logged.map_err(|error| Error::PassphraseNotLogged { error })?;
    Ok(at)
}

/// Where in the PKI directory a file is, and its mode: in the key's usual place without what others may
/// do with it. None for one elsewhere, or behind a link.
fn inside(path: &Path, view: &View<'_>) -> Result<Option<(PathBuf, u32)>, Error> {
    let Ok(path) = path.strip_prefix(view.path()) else {
        return Ok(None);
    };
    let mut parents = path.ancestors().skip(1);
    let is_plain = path
        .components()
        .all(|it| matches!(it, Component::Normal(_)));
    let is_own = |parent: &Path| -> Result<bool, Error> {
        let is_root = parent == Path::new("");
        Ok(is_root || view.kind(parent)? == Some(FileKind::Directory))
    };
    if !is_plain
        || view.kind(path)? != Some(FileKind::File)
        || !parents.try_fold(true, |all, parent| Ok::<_, Error>(all && is_own(parent)?))?
    {
        return Ok(None);
    }
    let mode = view.metadata(path)?.map_or(SECRET, |found| found.mode);
    let mask = if path == Path::new(CA_KEY) {
        0o700
    } else {
        0o777
    };
    Ok(Some((path.to_owned(), mode & mask)))
}

fn log(
    became: Became,
    at: OffsetDateTime,
    view: &View<'_>,
    system: &System,
) -> Result<Vec<Change>, Error> {
    let old = view.bytes(Path::new(LOG_FILE))?;
    let event = Event {
        action: "ca-passphrase",
        name: Some(&EntryName::ca()),
        reason: Some(became.word().to_owned()),
        ..Event::default()
    };
    let old = old.as_ref().map(|old| old.as_slice());
    let former = log::former(view)?;
    Ok(log::changes(old, &former, vec![event], at, &system.user))
}

fn remarks(became: Became, changed: bool, path: &Path) -> Option<Finding> {
    match became {
        Became::Removed => Some(Finding::warning(
            "ca-key-not-encrypted",
            path.display(),
            "whoever reads it can issue certificates of this cluster",
            "give it a passphrase again: zpki ca passphrase",
        )),
        Became::Changed if changed => Some(Finding::note(
            "old-copies",
            path.display(),
            "copies of it, such as backups, still open with the old passphrase",
        )),
        Became::Set => Some(Finding::note(
            "old-copies",
            path.display(),
            "copies of it, such as backups, still open without a passphrase",
        )),
        Became::Changed | Became::None => None,
    }
}
