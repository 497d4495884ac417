//! Commands that follow a change (`--exec`). Certificates that nobody was told of expire in the memory
//! of those who use them, so a command is owed from the change on until it has succeeded:
//! `.zpki/pending/NAME.CHANGE` holds it, and every run that writes tries it again. CHANGE tells one change
//! from the next: a command that began before the second one has not told anybody of that.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::directory::{PkiDirectory, View};
use super::error::Error;
use crate::domain::cluster::Cluster;
use crate::domain::finding::Finding;
use crate::domain::name::EntryName;
use crate::store::file::File;
use crate::store::layout::{HostFolder, PENDING, SECRET};
use crate::store::transaction::{Change, Transaction};
use crate::system::System;
use crate::x509::digest::sha256;

/// A command that was run.
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
    command: Zeroizing<Vec<u8>>,
}

impl Owed {
    /// That it is owed no more.
    fn settled(&self) -> Change {
        Change::Delete {
            path: self.path.clone(),
            before: sha256(&self.command),
        }
    }

    /// That it is owed.
    pub(super) fn pending(&self) -> Finding {
        Finding::warning(
            "hook-pending",
            &self.name,
            format!(
                "the command that follows its last change has not succeeded yet: {}",
                String::from_utf8_lossy(&self.command)
            ),
            format!(
                "`zpki apply` runs it again, until it succeeds or {} is removed",
                self.path.display()
            ),
        )
    }
}

/// Everything that is owed.
pub(super) fn owed(view: &View<'_>) -> Result<Vec<Owed>, Error> {
    let mut owed = Vec::new();
    for file in view.list(Path::new(PENDING))? {
        let path = Path::new(PENDING).join(&file);
        if let (Some(name), Some(command)) = (entry_of(&path), view.bytes(&path)?) {
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

/// A word for a change that no other has.
pub(super) fn change(now: OffsetDateTime, system: &System) -> Result<String, Error> {
    let mut octets = [0; 4];
    system.entropy.fill(&mut octets)?;
    let random = u32::from_be_bytes(octets);
    Ok(format!("{}-{random:08x}", now.unix_timestamp()))
}

/// That `command` is owed for `name` from this change on, besides what else is. The same command, owed
/// from an earlier change on, need not be run twice.
pub(super) fn owe<'a>(
    name: &EntryName,
    command: &'a str,
    change: &str,
    owed: &'a [Owed],
) -> impl Iterator<Item = Change> + use<'a> {
    let path = Path::new(PENDING).join(format!("{name}.{change}"));
    let put = Change::Put {
        file: File::new(path, SECRET, command),
        before: None,
    };
    let name = name.clone();
    let is_same = move |it: &&Owed| it.name == name && *it.command == command.as_bytes();
    let same = owed.iter().filter(is_same);
    same.map(Owed::settled).chain([put])
}

/// That nothing is owed any more for an entry that is no more.
pub(super) fn forget<'a>(
    name: &'a EntryName,
    owed: &'a [Owed],
) -> impl Iterator<Item = Change> + use<'a> {
    let of_name = owed.iter().filter(move |it| it.name == *name);
    of_name.map(Owed::settled)
}

/// Runs what is owed, each command with the name of its entry and its folder in the environment.
///
/// # Errors
/// When the directory cannot be read. That a command fails is none, nor that its success cannot be
/// noted: it is told, and stays owed.
pub(super) fn run(
    cluster: &Cluster,
    directory: &PkiDirectory,
    lock_timeout: Duration,
    system: &mut System,
) -> Result<Vec<HookReport>, Error> {
    let mut reports: Vec<HookReport> = Vec::new();
    let mut done = Vec::new();
    for Owed {
        name,
        path,
        command,
    } in directory.read(owed)?
    {
        let text = String::from_utf8_lossy(&command).into_owned();
        let file = path.display().to_string();
        let folder = cluster
            .entry(name.as_str())
            .map(|entry| HostFolder::of(&entry.name, entry.role).directory());
        let folder = folder.map(|folder| directory.path().join(folder));
        let variables = [
            ("ZPKI_DIR", Some(directory.path().as_os_str().to_owned())),
            ("ZPKI_NAME", Some(OsString::from(name.as_str()))),
            ("ZPKI_FOLDER", folder.map(PathBuf::into_os_string)),
        ];
        let failure = system.run(&text, &variables);
        if failure.is_none() {
            done.push(path);
        }
        reports.push(HookReport {
            name,
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
    Ok(reports)
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
        changes: left.map(Owed::settled).collect(),
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
pub(super) fn findings(reports: &[HookReport]) -> Vec<Finding> {
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
