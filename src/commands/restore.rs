//! `zpki restore`: a PKI directory from a backup, all of it or nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use super::error::Error;
use super::hooks::not_restored;
use super::new_directory::write;
use super::next_steps::{NextStep, after_restore};
use crate::domain::finding::Finding;
use crate::domain::name::ClusterName;
use crate::store::Store;
use crate::store::archive::{self, Unusable};
use crate::store::cluster_file;
use crate::store::file::{File, Tree};
use crate::store::layout::{CLUSTER_FILE, is_command};
use crate::store::target::Target;
use crate::system::System;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Request {
    /// The backup; `-` is standard input.
    pub file: PathBuf,
    /// Where the PKI directory is to be, absolute.
    pub directory: PathBuf,
    /// How long to wait for another run that writes there.
    pub lock_timeout: Duration,
}

/// What was restored.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreReport {
    /// Version of this report's form.
    pub schema: u32,
    /// The instant of the run.
    #[serde(with = "time::serde::rfc3339::option")]
    pub at: Option<OffsetDateTime>,
    /// Always true: `restore` makes everything or fails.
    pub changed: bool,
    /// The PKI directory, absolute.
    pub directory: String,
    /// The cluster's name; None when the zpki.toml that was backed up is wrong.
    pub cluster: Option<ClusterName>,
    /// How many files there are.
    pub files: usize,
    /// The commands that were owed, which are not restored.
    pub findings: Vec<Finding>,
    /// What to do next.
    pub next_steps: Vec<NextStep>,
}

/// Restores a PKI directory.
///
/// # Errors
/// Any; nothing is left behind then.
pub fn run(request: &Request, system: &mut System) -> Result<RestoreReport, Error> {
    let target = target(request, system)?;
    let (tree, commands) = without_commands(read(&request.file, system)?);
    let settings = tree
        .files
        .iter()
        .find(|file| file.path == Path::new(CLUSTER_FILE))
        .and_then(|file| cluster_file::parse(&file.bytes).ok());
    let report = RestoreReport {
        schema: 1,
        at: system.now,
        changed: true,
        directory: target.path().display().to_string(),
        cluster: settings.map(|cluster| cluster.settings().name.clone()),
        files: tree.files.len(),
        findings: commands.iter().filter_map(not_restored).collect(),
        next_steps: after_restore(target.path()),
    };
    write(&target, tree, request.lock_timeout, system)?;
    Ok(report)
}

/// What is restored, and what was owed when the backup was made.
fn without_commands(tree: Tree) -> (Tree, Vec<File>) {
    let Tree {
        mut directories,
        files,
    } = tree;
    directories.retain(|directory| !is_command(&directory.path));
    let (commands, files) = files.into_iter().partition(|file| is_command(&file.path));
    (Tree { directories, files }, commands)
}

/// What a killed run has left there is put in order first; nothing else is made.
fn target(request: &Request, system: &System) -> Result<Target, Error> {
    let store = Store::at(&request.directory);
    if store.is_changing()? {
        drop(store.lock(request.lock_timeout, &*system.progress)?);
    }
    Ok(Target::survey_empty(&request.directory)?)
}

fn read(path: &Path, system: &mut System) -> Result<Tree, Error> {
    let mut input = system
        .open(path)
        .map_err(|error| Error::input(path, error))?;
    archive::read(&mut *input).map_err(|unusable| match unusable {
        Unusable::Io(error) => Error::input(path, error),
        unusable => Error::Unreadable {
            path: path.to_owned(),
            line: None,
            because: unusable.to_string(),
            hint: "copy it again, or take another file that `zpki backup` made".to_owned(),
        },
    })
}
