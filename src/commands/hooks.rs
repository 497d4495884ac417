//! Commands that follow a change (`--exec`). Certificates that nobody was told of expire in the memory
//! of those who use them, so a command is owed from the change on until it has succeeded:
//! `.zpki/pending/NAME.CHANGE` holds it, and every run that writes tries it again. CHANGE tells one change
//! from the next: a command that began before the second one has not told anybody of that.
//!
//! Each is owed by the user who gave it, and nobody else's run tries it: root writes in PKI directories of
//! others, who can put files there.

use std::ffi::OsString;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use super::directory::{PkiDirectory, View};
use super::error::Error;
use crate::domain::cluster::Cluster;
use crate::domain::finding::Finding;
use crate::domain::name::EntryName;
use crate::store::command::{Command, Foreign};
use crate::store::file::File;
use crate::store::layout::{COMMAND, HostFolder, PENDING};
use crate::store::transaction::{Change, Transaction};
use crate::system::System;
use crate::x509::digest::sha256;

/// A command that was run, or that this run was given and did not run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HookReport {
    /// The entry whose host folder changed.
    pub name: EntryName,
    /// The command.
    pub command: String,
    /// What holds it until it has succeeded, relative to the PKI directory.
    pub file: String,
    /// How it failed; None when it succeeded, and nothing is owed any more.
    pub failure: Option<String>,
}

/// What is owed for an entry.
#[derive(Debug)]
pub(super) struct Owed {
    pub(super) name: EntryName,
    /// Its file, relative to the PKI directory.
    path: PathBuf,
    command: Command,
}

impl Owed {
    /// That it is owed no more; None when what is in its file is not known.
    fn settled(&self) -> Option<Change> {
        let before = match &self.command {
            Command::Own(command) => sha256(command),
            Command::Foreign { digest, .. } => (*digest)?,
        };
        Some(Change::Delete {
            path: self.path.clone(),
            before,
        })
    }

    /// That it is owed.
    pub(super) fn pending(&self) -> Finding {
        match &self.command {
            Command::Own(command) => Finding::warning(
                "hook-pending",
                &self.name,
                format!(
                    "the command that follows its last change has not succeeded yet: {}",
                    String::from_utf8_lossy(command)
                ),
                format!(
                    "`zpki apply` runs it again, until it succeeds or {} is removed",
                    self.path.display()
                ),
            ),
            Command::Foreign { because, .. } => {
                not_run("hook-not-run", &self.name, because, &self.path)
            }
        }
    }

    /// That it is owed for an entry that is no more: there is no folder to give it.
    fn without_entry(&self) -> Finding {
        Finding::warning(
            "hook-not-run",
            &self.name,
            "a command is owed, and is not run: zpki.toml has no such entry any more",
            format!("remove {}", self.path.display()),
        )
    }
}

/// That this user does not run what is in the file at `path`.
fn not_run(id: &'static str, about: impl Display, because: &Foreign, path: &Path) -> Finding {
    let path = path.display();
    let next = match because {
        Foreign::User(user) => format!(
            "`zpki apply` runs it when user {user} starts it; if it is not wanted, remove {path}"
        ),
        _ => format!("remove {path}; if the command is wanted, run it by hand"),
    };
    let why = format!("a command that is owed is not run by this user: {because}");
    Finding::warning(id, about, why, next)
}

/// What there is to say of the file at `path`, which is called `about`; None when it is gone.
pub(super) fn found(
    view: &View<'_>,
    path: &Path,
    id: &'static str,
    about: impl Display,
) -> Option<Finding> {
    Some(match view.command(path)? {
        Command::Own(_) => Finding::warning(
            id,
            about,
            "the certificate of this entry was changed, and the command that should follow has not succeeded yet",
            "run the command again, or reload its host by hand",
        ),
        Command::Foreign { because, .. } => not_run(id, about, &because, path),
    })
}

/// Everything that is owed.
pub(super) fn owed(view: &View<'_>) -> Result<Vec<Owed>, Error> {
    let mut owed = Vec::new();
    for file in view.list(Path::new(PENDING))? {
        let path = Path::new(PENDING).join(&file);
        if let (Some(name), Some(command)) = (entry_of(&path), view.command(&path)) {
            owed.push(Owed {
                name,
                path,
                command,
            });
        }
    }
    Ok(owed)
}

/// That the command in a file of a backup is not owed where that is restored. Who made the backup says
/// nothing about what is run there.
pub(super) fn not_restored(file: &File) -> Option<Finding> {
    Some(Finding::warning(
        "hook-not-restored",
        entry_of(&file.path)?,
        format!(
            "a command was owed when the backup was made, and is not restored: {}",
            String::from_utf8_lossy(&file.bytes)
        ),
        "see what it does; if it is still wanted, run it by hand",
    ))
}

/// For which entry a command is owed, by the name of its file.
fn entry_of(path: &Path) -> Option<EntryName> {
    let (name, _) = path.file_name()?.to_str()?.rsplit_once('.')?;
    EntryName::of_inventory(name)
}

/// A command that a run was given, and the word for its change, which no other has.
#[derive(Debug)]
pub(super) struct Given {
    command: String,
    change: String,
}

impl Given {
    pub(super) fn new(
        command: String,
        now: OffsetDateTime,
        system: &System,
    ) -> Result<Self, Error> {
        let mut octets = [0; 4];
        system.entropy.fill(&mut octets)?;
        let random = u32::from_be_bytes(octets);
        Ok(Self {
            command,
            change: format!("{}-{random:08x}", now.unix_timestamp()),
        })
    }

    /// That it is owed for `name` from this change on, besides what else is. The same command, owed from an
    /// earlier change on, need not be run twice.
    pub(super) fn owe<'a>(
        &'a self,
        name: &EntryName,
        owed: &'a [Owed],
    ) -> impl Iterator<Item = Change> + use<'a> {
        let put = Change::Put {
            file: File::new(self.path(name), COMMAND, self.command.as_str()),
            before: None,
        };
        let name = name.clone();
        let is_same = move |it: &&Owed| match &it.command {
            Command::Own(own) => it.name == name && **own == *self.command.as_bytes(),
            Command::Foreign { .. } => false,
        };
        let same = owed.iter().filter(is_same);
        same.filter_map(Owed::settled).chain([put])
    }

    fn path(&self, name: &EntryName) -> PathBuf {
        Path::new(PENDING).join(format!("{name}.{}", self.change))
    }

    /// That it is not run though this run was given it.
    fn not_run(&self, it: &Owed, because: &Foreign) -> Option<HookReport> {
        (it.path == self.path(&it.name)).then(|| HookReport {
            name: it.name.clone(),
            command: self.command.clone(),
            file: it.path.display().to_string(),
            failure: Some(format!("it was not run: {because}")),
        })
    }
}

/// That nothing is owed any more for an entry that is no more, as far as this user may read it.
pub(super) fn forget<'a>(
    name: &'a EntryName,
    owed: &'a [Owed],
) -> impl Iterator<Item = Change> + use<'a> {
    let of_name = owed.iter().filter(move |it| it.name == *name);
    of_name.filter_map(Owed::settled)
}

/// What became of all that is owed.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// The commands that were run, and those that this run was given and did not run.
    pub(super) reports: Vec<HookReport>,
    /// What there is to say of them, and of those that were not.
    pub(super) findings: Vec<Finding>,
}

/// Runs what this user owes, what this run was `given` too, each command with the name of its entry and its
/// folder in the environment.
///
/// # Errors
/// When the directory cannot be read. That a command fails is none, nor that its success cannot be
/// noted: it is told, and stays owed.
pub(super) fn run(
    given: Option<&Given>,
    cluster: &Cluster,
    directory: &PkiDirectory,
    lock_timeout: Duration,
    system: &mut System,
) -> Result<Run, Error> {
    let mut reports: Vec<HookReport> = Vec::new();
    let mut findings = Vec::new();
    let mut done = Vec::new();
    for it in directory.read(owed)? {
        let command = match &it.command {
            Command::Own(command) => command,
            Command::Foreign { because, .. } => {
                match given.and_then(|given| given.not_run(&it, because)) {
                    Some(report) => reports.push(report),
                    None => findings.push(it.pending()),
                }
                continue;
            }
        };
        let Some(entry) = cluster.entry(it.name.as_str()) else {
            findings.push(it.without_entry());
            continue;
        };
        let text = String::from_utf8_lossy(command).into_owned();
        let file = it.path.display().to_string();
        let folder = HostFolder::of(&entry.name, entry.role).directory();
        let folder = directory.path().join(folder);
        let variables = [
            ("ZPKI_DIR", Some(directory.path().as_os_str().to_owned())),
            ("ZPKI_NAME", Some(OsString::from(it.name.as_str()))),
            ("ZPKI_FOLDER", Some(folder.into_os_string())),
        ];
        let failure = system.run(&text, &variables);
        if failure.is_none() {
            done.push(it.path);
        }
        reports.push(HookReport {
            name: it.name,
            command: text,
            file,
            failure,
        });
    }
    // The change that they follow is made, whatever becomes of this.
    if let Err(error) = note(&done, directory, lock_timeout, system) {
        let succeeded = reports.iter_mut().filter(|it| it.failure.is_none());
        succeeded
            .for_each(|it| it.failure = Some(format!("that it succeeded was not noted: {error}")));
    }
    findings.extend(self::findings(&reports));
    Ok(Run { reports, findings })
}

/// That nothing is owed any more of what has succeeded.
fn note(
    done: &[PathBuf],
    directory: &PkiDirectory,
    lock_timeout: Duration,
    system: &mut System,
) -> Result<(), Error> {
    if done.is_empty() {
        return Ok(());
    }
    let writer = directory.lock(lock_timeout, system)?;
    // What another run has done too, or what is owed anew, is gone by now.
    let left = directory.read(owed)?;
    let left = left.iter().filter(|it| done.contains(&it.path));
    let transaction = Transaction {
        changes: left.filter_map(Owed::settled).collect(),
        ..Transaction::default()
    };
    Ok(writer.commit(&transaction, &*system.progress)?)
}

/// That what is owed cannot be read.
pub(super) fn unread(error: &Error) -> Finding {
    Finding::warning(
        "hook-pending",
        PENDING,
        format!("commands may be owed, and it cannot be read: {error}"),
        "mend it and run `zpki apply`",
    )
}

/// What there is to say of those that failed.
fn findings(reports: &[HookReport]) -> Vec<Finding> {
    let failed = reports.iter().filter_map(|report| {
        let failure = report.failure.as_ref()?;
        Some(Finding::warning(
            "hook-failed",
            &report.name,
            format!("its new files are in place, and the command that should follow failed ({failure}): {}", report.command),
            format!(
                "mend it and run `zpki apply`: it is tried again until it succeeds, or until {} is removed",
                report.file
            ),
        ))
    });
    failed.collect()
}
