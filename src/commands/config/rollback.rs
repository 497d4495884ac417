//! `zpki config rollback`: the last change of any of the files is undone; those that had no part in it stay. That
//! is a change too, with backups of its own, so that a second rollback undoes the first.

use std::path::PathBuf;

use serde::Serialize;
use time::OffsetDateTime;

use super::next::Invocation;
use super::record::Record;
use super::refusal::Refusal;
use super::report::{Change, Kind};
use super::{FileEdit, Prepared, Request, is_of, left_behind, read};
use crate::commands::directory::PkiDirectory;
use crate::commands::error::Error;
use crate::domain::finding::Finding;
use crate::domain::name::EntryName;
use crate::domain::settings::FilePath;
use crate::store::exchange::{self, Backup};
use crate::system::System;

/// The backups that there are.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupsReport {
    /// Version of this report's form.
    pub schema: u32,
    /// The instant of the run.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Always false: nothing is written.
    pub changed: bool,
    /// The backups of each file, the newest first.
    pub files: Vec<FileBackups>,
}

/// The backups of a file.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileBackups {
    /// The file.
    pub path: String,
    /// The newest first.
    pub backups: Vec<BackupReport>,
}

/// A backup.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupReport {
    /// Where it is.
    pub path: String,
    /// When the file was changed.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// A file that the request is about.
struct Named {
    path: PathBuf,
    kind: Kind,
    server: Option<EntryName>,
}

/// Those of the command line, else those of zpki.toml.
fn files(
    request: &Request,
    directory: &PkiDirectory,
    system: &System,
) -> Result<Vec<Named>, Error> {
    let haproxy = |path| Named {
        path,
        kind: Kind::Haproxy,
        server: None,
    };
    let conf = |path, server| Named {
        path,
        kind: Kind::ServerConf,
        server,
    };
    let named = request.haproxy.iter();
    let named = named.map(|path| haproxy(system.locate(path)));
    let confs = request.server_confs.iter();
    let confs = confs.map(|it| conf(system.locate(&it.path), it.name.clone()));
    let named: Vec<Named> = named.chain(confs).collect();
    if !named.is_empty() {
        return Ok(named);
    }
    let cluster = directory.read(|view| view.cluster())?;
    let located = |path: &FilePath| directory.path().join(path.as_path());
    let config = cluster.settings().load_balancer.config.iter();
    let config = config.map(|path| haproxy(located(path)));
    let servers = cluster.settings().servers.iter();
    let confs = servers.filter_map(|server| {
        let path = located(server.conf.as_ref()?);
        Some(conf(path, Some(server.name.clone())))
    });
    let files: Vec<Named> = config.chain(confs).collect();
    match files.is_empty() {
        true => Err(Error::Config(Refusal::NoTargets)),
        false => Ok(files),
    }
}

/// The backups of each file.
///
/// # Errors
/// When no file is named, or a directory cannot be read.
pub fn list(
    request: &Request,
    directory: &PkiDirectory,
    system: &System,
) -> Result<BackupsReport, Error> {
    let files = files(request, directory, system)?.into_iter();
    let backups = files.map(|Named { path, .. }| {
        let backups = exchange::backups(&path)?.into_iter();
        let report = |Backup { path, time, .. }: Backup| BackupReport {
            path: path.display().to_string(),
            at: time,
        };
        Ok(FileBackups {
            path: path.display().to_string(),
            backups: backups.map(report).collect(),
        })
    });
    Ok(BackupsReport {
        schema: 1,
        at: system.now.ok_or(Error::NoClock)?,
        changed: false,
        files: backups.collect::<Result<_, Error>>()?,
    })
}

/// The way back, worked out: to what each file held before the last change of any of them. A file that had no
/// part in that change stays as it is.
///
/// # Errors
/// When no file has a backup, or one cannot be read.
pub fn prepare(
    request: &Request,
    directory: &PkiDirectory,
    system: &System,
) -> Result<Prepared, Error> {
    let files = files(request, directory, system)?;
    let paths: Vec<PathBuf> = files.iter().map(|it| it.path.clone()).collect();
    let mut findings = left_behind(&paths, true)?;
    let recovered = findings.len();
    let backups = paths.iter().map(|path| exchange::backups(path));
    let backups: Vec<Vec<Backup>> = backups.collect::<Result<_, _>>()?;
    let newest = backups.iter().filter_map(|of_file| of_file.first());
    let newest = newest.map(|backup| backup.time).max();
    let newest = newest.ok_or_else(|| {
        Error::Config(Refusal::NoBackup {
            path: paths[0].clone(),
        })
    })?;
    let (mut edits, mut record) = (Vec::new(), None);
    for (Named { path, kind, server }, backups) in files.into_iter().zip(backups) {
        let before = read(&path, system)?;
        let after = match backups.first().filter(|backup| is_of(backup, newest)) {
            Some(backup) => read(&backup.path, system)?,
            None => before.clone(),
        };
        if kind == Kind::Haproxy {
            record = Some(Record::read(&path, system)?);
        }
        edits.push(FileEdit {
            before,
            after,
            path,
            kind,
            server,
            to_judge: None,
            change: Change::RollBack,
            has_backup: true,
            installs: Vec::new(),
            is_written: false,
        });
    }
    let is_open = record.as_ref().is_some_and(Record::exists);
    if is_open && !edits.iter().any(|file| file.kind == Kind::ServerConf) {
        findings.push(Finding::warning(
            "switch-open",
            edits[0].path.display(),
            "a switch server by server was stopped: servers that speak TLS by now get plain requests",
            "name their server.conf too, so that they go back with it",
        ));
    }
    let record = record.map(Record::without_time);
    Ok(Prepared {
        files: edits,
        lines: None,
        record,
        only: Vec::new(),
        links: request.links,
        invocation: Invocation::default(),
        recovered,
        findings,
        at: system.now.ok_or(Error::NoClock)?,
    })
}
