//! `zpki config`: the real configuration of HAProxy and of the servers, edited in place.
//!
//! The files belong to others, so only what zpki owns changes in them ([`crate::config`]), all files of a
//! run change or none, and there is a way back ([`crate::store::exchange`]). [`Prepared`] is a change that
//! has been worked out and not made: [`Prepared::report`] shows it (`config diff`), [`apply`] makes it at
//! once, [`rolling`] server by server while requests go on.

pub mod apply;
pub mod refusal;
pub mod report;
pub mod rollback;
pub mod rolling;
pub mod validation;

mod desired;
mod lines;
mod next;
mod record;
mod targets;

use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use zeroize::Zeroizing;

use self::desired::{Desired, HostFile};
use self::lines::Lines;
use self::next::Invocation;
use self::record::Record;
use self::refusal::Refusal;
use self::report::{Change, ConfigReport, FileReport, Kind};
use self::targets::{ServerTarget, Targets};
use super::directory::PkiDirectory;
use super::error::Error;
use crate::config::diff::unified;
use crate::config::server_conf;
use crate::domain::error::Invalid;
use crate::domain::finding::Finding;
use crate::domain::name::EntryName;
use crate::domain::role::Role;
use crate::domain::settings::Backend;
use crate::domain::text::joined;
use crate::store::exchange::{self, Access, Backup, Links, Outcome, Replacement};
use crate::store::layout::{HostFolder, SECRET};
use crate::system::System;

/// What is to be edited.
#[derive(Clone, Debug)]
pub struct Request {
    /// A host folder, where there is no PKI directory.
    pub from: Option<PathBuf>,
    /// HAProxy's configuration.
    pub haproxy: Option<PathBuf>,
    /// The backend that has the servers, where the configuration is none of Zato's, or zpki.toml does not
    /// say it.
    pub backend: Option<Backend>,
    /// Configurations of servers.
    pub server_confs: Vec<ServerConfFile>,
    /// The servers that are meant; all of them if it is empty.
    pub only: Vec<EntryName>,
    /// Whether TLS is to be taken out again.
    pub disable: bool,
    /// Whether the files of the host folders go to where the configurations name them.
    pub install: bool,
    /// Whether a file may be a link to elsewhere.
    pub links: Links,
}

impl Request {
    fn installs(&self) -> bool {
        self.install && !self.disable
    }
}

/// That zpki.toml names configurations.
///
/// # Errors
/// [`Refusal::NoneInClusterFile`], or when it cannot be read.
pub fn check_named(directory: &PkiDirectory) -> Result<(), Error> {
    let cluster = directory.read(|view| view.cluster())?;
    match cluster.settings().names_configurations() {
        true => Ok(()),
        false => Err(Error::Config(Refusal::NoneInClusterFile)),
    }
}

/// A server.conf, and whose it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerConfFile {
    /// The server; None where it is the only one.
    pub name: Option<EntryName>,
    /// The file.
    pub path: PathBuf,
}

/// `FILE` or `NAME=FILE`.
impl std::str::FromStr for ServerConfFile {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (name, path) = match text.split_once('=') {
            Some((name, path)) if !name.contains('/') => (Some(name.parse()?), path),
            _ => (None, text),
        };
        if path.is_empty() {
            return Err(Invalid::FilePath {
                path: path.to_owned(),
                because: "is empty",
            });
        }
        Ok(Self {
            name,
            path: path.into(),
        })
    }
}

/// A change that has been worked out.
#[derive(Debug)]
pub struct Prepared {
    files: Vec<FileEdit>,
    /// How the server lines are edited, where they are.
    lines: Option<Lines>,
    /// The switch that was begun server by server, and ends with this change.
    record: Option<Record>,
    /// The servers that are meant; all of them if it is empty.
    only: Vec<EntryName>,
    links: Links,
    invocation: Invocation,
    findings: Vec<Finding>,
    /// How many of the findings are of killed runs; they come first.
    recovered: usize,
    at: OffsetDateTime,
}

/// A configuration, and what it is to say.
#[derive(Debug)]
struct FileEdit {
    path: PathBuf,
    kind: Kind,
    /// The server whose it is, if it is known and one's.
    server: Option<EntryName>,
    before: Zeroizing<Vec<u8>>,
    after: Zeroizing<Vec<u8>>,
    /// What is to be checked in place of `after` while the files that it names are not yet there.
    to_judge: Option<Vec<u8>>,
    /// What is done to its text.
    change: Change,
    /// Whether the old text is kept: of a switch, that from before it.
    has_backup: bool,
    installs: Vec<Install>,
    /// Whether this run has written it already, or what HAProxy reads where it is kept.
    is_written: bool,
}

/// A file of a host folder, for where a configuration names it.
#[derive(Debug)]
struct Install {
    target: PathBuf,
    mode: u32,
    /// What stands there.
    before: Option<Zeroizing<Vec<u8>>>,
    after: Zeroizing<Vec<u8>>,
    /// Whether it is another file, or one that others can read.
    is_change: bool,
}

impl Prepared {
    /// Reads the files, and works out what changes in them. What a killed run has begun is told of; where
    /// `recovers` says so, it is taken back first.
    ///
    /// # Errors
    /// When a file cannot be read, or cannot be edited; when it is not clear which files are meant.
    pub fn new(
        request: &Request,
        recovers: bool,
        directory: &PkiDirectory,
        system: &System,
    ) -> Result<Self, Error> {
        let at = system.now.ok_or(Error::NoClock)?;
        let desired = match &request.from {
            Some(folder) => Desired::of_host_folder(folder, system)?,
            None => Desired::of_directory(directory)?,
        };
        desired.knows(&request.only)?;
        let kept_in = request.from.is_none().then_some(directory);
        let targets = Targets::of(request, &desired, system)?;
        let mut findings = left_behind(&targets.paths(request), recovers)?;
        let recovered = findings.len();
        let mut files = Vec::new();
        let (mut lines, mut record) = (None, None);
        if let Some((path, load_balancer)) = targets.haproxy {
            let before = read(&path, system)?;
            let of_switch = Record::read(&path, system)?;
            let (edited, after, told) =
                Lines::read(&path, &before, load_balancer, request, &of_switch)?;
            findings.extend(told);
            let installs = match request.installs() {
                true => installs(load_balancer.files(), &path, kept_in, system)?,
                false => Vec::new(),
            };
            let to_judge = match request.installs() {
                true => Some(edited.edit(&before, &edited.kept)?.text),
                false => None,
            };
            (lines, record) = (Some(edited), Some(of_switch));
            files.push(FileEdit {
                path,
                kind: Kind::Haproxy,
                server: None,
                before,
                after: after.into(),
                to_judge,
                change: Change::Edit,
                has_backup: true,
                installs,
                is_written: false,
            });
        }
        for target in targets.servers {
            files.push(FileEdit::of_server(target, request, kept_in, system)?);
        }
        if let Some(begun) = record.as_ref().and_then(Record::begun) {
            for file in &mut files {
                let backups = exchange::backups(&file.path)?;
                file.has_backup = !backups.iter().any(|backup| is_of(backup, begun));
            }
        }
        Ok(Self {
            files,
            lines,
            record,
            only: request.only.clone(),
            links: request.links,
            invocation: Invocation::of(request, directory.path(), system),
            findings,
            recovered,
            at,
        })
    }

    /// The same, in a run that has `written` these files of the PKI directory.
    #[must_use]
    pub fn after_writing(mut self, written: &[PathBuf], directory: &PkiDirectory) -> Self {
        let folder = HostFolder::of(&EntryName::load_balancer(), Role::LoadBalancer).directory();
        let is_pem = |it: &PathBuf| it.extension().is_some_and(|it| it == "pem");
        let is_haproxys = written
            .iter()
            .any(|it| it.starts_with(&folder) && is_pem(it));
        for file in &mut self.files {
            let is_own = written
                .iter()
                .any(|it| directory.path().join(it) == file.path);
            file.is_written = is_own || (file.kind == Kind::Haproxy && is_haproxys);
        }
        self
    }

    /// The same, made server by server.
    #[must_use]
    pub fn for_rolling(mut self) -> Self {
        let lines = self.lines.as_ref().filter(|lines| !lines.has_others);
        if let Some([only]) = lines.map(|lines| &lines.found[..]) {
            self.findings.push(Finding::warning(
                "only-server",
                &only.name,
                "it is the only server: requests fail while it is restarted",
                "add a second server first, if none may fail",
            ));
        }
        self
    }

    /// The time that the backups of this change have: all those of a switch have one.
    fn backup_time(&self) -> OffsetDateTime {
        let begun = self.record.as_ref().and_then(Record::begun);
        begun.unwrap_or(self.at)
    }

    /// What would change.
    #[must_use]
    pub fn report(&self) -> ConfigReport {
        ConfigReport {
            schema: 1,
            at: self.at,
            changed: false,
            files: self.files.iter().flat_map(FileEdit::reports).collect(),
            commands: Vec::new(),
            findings: self.findings.clone(),
            next_steps: next::switch(self),
        }
    }

    /// What there is to say of killed runs.
    #[must_use]
    pub fn recovered(&self) -> &[Finding] {
        &self.findings[..self.recovered]
    }

    /// What changes on disk.
    fn replacements(&self) -> Vec<Replacement> {
        let mut replacements: Vec<_> = self.files.iter().flat_map(FileEdit::replacements).collect();
        if let Some(record) = &self.record {
            let ended = record.ended_for(&self.only);
            replacements.extend((ended != *record).then(|| record.replaced_by(&ended)));
        }
        replacements
    }

    /// HAProxy's configuration.
    fn haproxy(&self) -> Option<&FileEdit> {
        self.files.iter().find(|file| file.kind == Kind::Haproxy)
    }

    /// The configurations of servers.
    fn servers(&self) -> impl Iterator<Item = &FileEdit> {
        self.files
            .iter()
            .filter(|file| file.kind == Kind::ServerConf)
    }
}

impl FileEdit {
    fn of_server(
        target: ServerTarget<'_>,
        request: &Request,
        kept_in: Option<&PkiDirectory>,
        system: &System,
    ) -> Result<Self, Error> {
        let ServerTarget { path, name, server } = target;
        let before = read(&path, system)?;
        let wanted = match request.disable {
            true => server_conf::edit::Wanted::Plain,
            false => server_conf::edit::Wanted::Tls(&server.crypto),
        };
        let edited = server_conf::edit::edit(&before, wanted).map_err(|problems| {
            Error::Config(Refusal::ServerConf {
                path: path.clone(),
                problems,
            })
        })?;
        let installs = match request.installs() {
            true => installs(server.files(&path), &path, kept_in, system)?,
            false => Vec::new(),
        };
        Ok(Self {
            path,
            kind: Kind::ServerConf,
            server: name,
            before,
            after: edited.text.into(),
            to_judge: None,
            change: Change::Edit,
            has_backup: true,
            installs,
            is_written: false,
        })
    }

    /// Whether its text changes.
    fn is_edit(&self) -> bool {
        self.before != self.after
    }

    /// Whether it changes, or a file that it names.
    fn is_change(&self) -> bool {
        self.is_edit() || self.installs.iter().any(|it| it.is_change)
    }

    /// Whether who reads it is to be told of its change: a server finds a new certificate by itself.
    fn is_told_of(&self) -> bool {
        match self.kind {
            Kind::Haproxy => self.is_change(),
            _ => self.is_edit(),
        }
    }

    /// Whether who reads it is to be told, though it does not change any more.
    fn is_only_written(&self) -> bool {
        self.is_written && !self.is_told_of()
    }

    fn reports(&self) -> Vec<FileReport> {
        let is_edit = self.is_edit();
        let report = |path: &Path, kind, change, diff| FileReport {
            path: path.display().to_string(),
            kind,
            server: self.server.clone(),
            change,
            diff,
            backup: None,
        };
        let change = if is_edit { self.change } else { Change::None };
        let diff = is_edit.then(|| unified(&self.before, &self.after));
        let own = report(&self.path, self.kind, change, diff);
        let installs = self.installs.iter().map(|install| {
            let change = match install.is_change {
                true => Change::Install,
                false => Change::None,
            };
            report(&install.target, Kind::Material, change, None)
        });
        std::iter::once(own).chain(installs).collect()
    }

    fn replacements(&self) -> Vec<Replacement> {
        let mut replacements = self.installed();
        if self.is_edit() {
            replacements.push(self.replaced_by(&self.after, self.has_backup));
        }
        replacements
    }

    /// Its text, replaced.
    fn replaced_by(&self, text: &[u8], has_backup: bool) -> Replacement {
        Replacement {
            path: self.path.clone(),
            from: Some(self.before.clone()),
            to: Some(text.to_owned().into()),
            access: Access::Kept,
            has_backup,
        }
    }

    /// The files that change of those that it names.
    fn installed(&self) -> Vec<Replacement> {
        let changes = self.installs.iter().filter(|it| it.is_change);
        let replaced = changes.map(|install| Replacement {
            path: install.target.clone(),
            from: install.before.clone(),
            to: Some(install.after.clone()),
            access: Access::Like {
                owner_of: self.path.clone(),
                mode: install.mode,
            },
            has_backup: false,
        });
        replaced.collect()
    }
}

/// Whether a backup was made in a change of this time; its name has seconds.
fn is_of(backup: &Backup, time: OffsetDateTime) -> bool {
    backup.time.unix_timestamp() == time.unix_timestamp()
}

/// What an earlier run has begun and not ended; taken back, where `recovers` says so.
fn left_behind(files: &[PathBuf], recovers: bool) -> Result<Vec<Finding>, Error> {
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    if !recovers {
        let open = exchange::open_at(&files)?;
        let open = open.map(|open| {
            let (why, next) = match open.is_running {
                true => (
                    "another run is changing files here",
                    "look again when it has ended",
                ),
                false => (
                    "a run that was killed has left files here half changed",
                    "`zpki config apply` takes them back first",
                ),
            };
            Finding::warning("change-open", open.directory.display(), why, next)
        });
        return Ok(open.into_iter().collect());
    }
    let recovered = exchange::recover(&files)?;
    let told = recovered.iter().map(|it| {
        let files: Vec<_> = it.files.iter().map(|file| file.display()).collect();
        let outcome = match it.outcome {
            Outcome::Finished => "it was finished",
            Outcome::TakenBack => "the old files are back",
        };
        Finding::warning(
            "change-recovered",
            joined(&files, ", "),
            format!("a run that was killed had begun to change this: {outcome}"),
            "HAProxy or a server may have read the others: reload or restart it",
        )
    });
    Ok(told.collect())
}

/// The files of a host folder, each with what stands where it is to go. They belong to whom the
/// configuration at `owner` belongs to, for that is who reads them.
fn installs(
    files: Vec<HostFile>,
    owner: &Path,
    kept_in: Option<&PkiDirectory>,
    system: &System,
) -> Result<Vec<Install>, Error> {
    let bytes = desired::read_all(&files, kept_in, system)?;
    let install = |(file, after): (HostFile, Zeroizing<Vec<u8>>)| {
        let HostFile { target, mode, .. } = file;
        let is_there = system.exists(&target);
        let before = is_there.then(|| read(&target, system)).transpose()?;
        let is_open = mode == SECRET && system.is_readable_by_others(&target);
        let is_anothers = system.may_give_away() && system.owner(&target) != system.owner(owner);
        Ok(Install {
            is_change: is_open || is_anothers || before.as_ref() != Some(&after),
            target,
            mode,
            before,
            after,
        })
    };
    files.into_iter().zip(bytes).map(install).collect()
}

fn read(path: &Path, system: &System) -> Result<Zeroizing<Vec<u8>>, Error> {
    let read = system.read_named(path);
    read.map_err(|error| Error::input(path, error))
}
