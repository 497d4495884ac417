//! Commands that follow a change (`--exec`). Certificates that nobody was told of expire in the memory
//! of those who use them, so a command is owed from the change on until it has succeeded:
//! `.zpki/pending/NAME` holds it, and every run that writes tries it again.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
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
    /// How it failed; None when it succeeded, and nothing is owed any more.
    pub failure: Option<String>,
}

/// What is owed for an entry.
#[derive(Debug)]
pub(super) struct Owed {
    pub(super) name: EntryName,
    command: Zeroizing<Vec<u8>>,
}

impl Owed {
    /// That it is owed.
    pub(super) fn pending(&self) -> Finding {
        Finding::warning(
            "hook-pending",
            &self.name,
            format!(
                "the command that follows its last change has not succeeded yet: {}",
                String::from_utf8_lossy(&self.command)
            ),
            "`zpki apply` runs it again",
        )
    }
}

/// Everything that is owed.
pub(super) fn owed(view: &View<'_>) -> Result<Vec<Owed>, Error> {
    let names = view.list(Path::new(PENDING))?;
    let mut owed = Vec::new();
    for name in names
        .iter()
        .filter_map(|name| EntryName::of_inventory(name.to_str()?))
    {
        if let Some(command) = view.bytes(&place(&name))? {
            owed.push(Owed { name, command });
        }
    }
    Ok(owed)
}

fn place(name: &EntryName) -> PathBuf {
    Path::new(PENDING).join(name.as_str())
}

/// That `command` is owed for `name` from now on, in the place of what was.
pub(super) fn owe(name: &EntryName, command: &str, owed: &[Owed]) -> Option<Change> {
    let before = owed.iter().find(|owed| owed.name == *name);
    let before = before.map(|owed| owed.command.as_slice());
    (before != Some(command.as_bytes())).then(|| Change::Put {
        file: File::new(place(name), SECRET, command),
        before: before.map(sha256),
    })
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
    let mut done = Transaction::default();
    for Owed { name, command } in directory.read(owed)? {
        let text = String::from_utf8_lossy(&command).into_owned();
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
            done.changes.push(Change::Delete {
                path: place(&name),
                before: sha256(&command),
            });
        }
        reports.push(HookReport {
            name,
            command: text,
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
    done: &Transaction,
    directory: &PkiDirectory,
    lock_timeout: Duration,
    system: &System,
) -> Result<(), Error> {
    if !done.changes.is_empty() {
        let writer = directory.lock(lock_timeout, system)?;
        writer.commit(done, &*system.progress)?;
    }
    Ok(())
}

/// What there is to say of those that failed.
pub(super) fn findings(reports: &[HookReport]) -> Vec<Finding> {
    let failed = reports.iter().filter_map(|report| {
        let failure = report.failure.as_ref()?;
        Some(Finding::warning(
            "hook-failed",
            &report.name,
            format!("its new files are in place, and the command that should follow failed ({failure}): {}", report.command),
            "mend it and run `zpki apply`: it is tried again until it succeeds",
        ))
    });
    failed.collect()
}
