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
mod next;
mod record;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use zeroize::Zeroizing;

use self::desired::{Desired, HostFile, LoadBalancer, Server};
use self::next::Invocation;
use self::record::Record;
use self::refusal::Refusal;
use self::report::{Change, ConfigReport, FileReport, Kind};
use super::directory::PkiDirectory;
use super::error::Error;
use crate::config::diff::unified;
use crate::config::haproxy::{Edited, EditedLine, Scope, UnknownLine, Wanted, backends, edit};
use crate::config::server_conf;
use crate::domain::error::Invalid;
use crate::domain::finding::Finding;
use crate::domain::name::EntryName;
use crate::domain::server_line::TlsOptions;
use crate::domain::settings::Backend;
use crate::domain::text::{Quoted, joined};
use crate::store::exchange::{self, Access, Links, Outcome, Replacement};
use crate::store::layout::SECRET;
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
/// [`Refusal::NoTargets`], or when it cannot be read.
pub fn check_named(directory: &PkiDirectory) -> Result<(), Error> {
    let cluster = directory.read(|view| view.cluster())?;
    match cluster.settings().names_configurations() {
        true => Ok(()),
        false => Err(Error::Config(Refusal::NoTargets)),
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
    installs: Vec<Install>,
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
            record = Some(Record::read(&path, system)?);
            let mut edited = Lines::new(&path, &before, load_balancer, request, record.as_ref());
            let Edited {
                text,
                lines: changed,
                absent,
                unknown,
            } = edited.edit(&before, &edited.wanted)?;
            edited.compare(&before, changed)?;
            if request.only.is_empty() {
                findings.extend(of_lines(&path, &absent, &unknown));
            }
            let installs = match request.installs() {
                true => installs(load_balancer.files(), kept_in, system)?,
                false => Vec::new(),
            };
            let to_judge = match request.installs() {
                true => Some(edited.edit(&before, &edited.kept)?.text),
                false => None,
            };
            lines = Some(edited);
            files.push(FileEdit {
                path,
                kind: Kind::Haproxy,
                server: None,
                before,
                after: text.into(),
                to_judge,
                change: Change::Edit,
                installs,
            });
        }
        for (path, server) in targets.servers {
            files.push(FileEdit::of_server(path, server, request, kept_in, system)?);
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
            next_steps: next::switch(self, None),
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
        path: PathBuf,
        server: &Server,
        request: &Request,
        kept_in: Option<&PkiDirectory>,
        system: &System,
    ) -> Result<Self, Error> {
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
            true => installs(server.files(&path), kept_in, system)?,
            false => Vec::new(),
        };
        Ok(Self {
            path,
            kind: Kind::ServerConf,
            server: server.name.clone(),
            before,
            after: edited.text.into(),
            to_judge: None,
            change: Change::Edit,
            installs,
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
            replacements.push(self.replaced_by(&self.after, true));
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

/// The files that are meant, and what each is to say.
struct Targets<'a> {
    haproxy: Option<(PathBuf, &'a LoadBalancer)>,
    servers: Vec<(PathBuf, &'a Server)>,
}

impl<'a> Targets<'a> {
    /// Those of the command line; without any, those of zpki.toml.
    fn of(request: &Request, desired: &'a Desired, system: &System) -> Result<Self, Error> {
        let is_named = request.haproxy.is_some() || !request.server_confs.is_empty();
        let load_balancer = desired.load_balancer.as_ref();
        let is_meant = |server: &Server| {
            let name = server.name.as_ref();
            request.only.is_empty() || name.is_some_and(|it| request.only.contains(it))
        };
        let targets = if is_named {
            let mut servers = Vec::new();
            for ServerConfFile { name, path } in &request.server_confs {
                let server = server_of(name.as_ref(), path, desired)?;
                if is_meant(server) {
                    servers.push((system.locate(path), server));
                }
            }
            let haproxy = request.haproxy.as_ref().map(|path| {
                let not_for_this = || Error::Config(Refusal::NotForThis { path: path.clone() });
                Ok::<_, Error>((system.locate(path), load_balancer.ok_or_else(not_for_this)?))
            });
            Self {
                haproxy: haproxy.transpose()?,
                servers,
            }
        } else {
            let config = load_balancer.and_then(|it| Some((it.config.clone()?, it)));
            let confs = desired.servers.iter().filter(|server| is_meant(server));
            Self {
                haproxy: config,
                servers: confs
                    .filter_map(|it| Some((it.conf.clone()?, it)))
                    .collect(),
            }
        };
        if targets.haproxy.is_none() && targets.servers.is_empty() {
            return Err(Error::Config(Refusal::NoTargets));
        }
        targets.each_once()?;
        Ok(targets)
    }

    /// Each file that is written.
    fn paths(&self, request: &Request) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        let mut installed = Vec::new();
        if let Some((path, load_balancer)) = &self.haproxy {
            paths.push(path.clone());
            installed.extend(load_balancer.files());
        }
        for (path, server) in &self.servers {
            paths.push(path.clone());
            installed.extend(server.files(path));
        }
        let installed = installed.into_iter().map(|file| file.target);
        paths.extend(installed.filter(|_| request.installs()));
        paths
    }

    fn each_once(&self) -> Result<(), Error> {
        let twice = |what: String| Err(Error::Config(Refusal::Twice { what }));
        for (index, (path, server)) in self.servers.iter().enumerate() {
            let earlier = &self.servers[..index];
            if earlier.iter().any(|(other, _)| other == path) {
                return twice(path.display().to_string());
            }
            if earlier.iter().any(|(_, other)| other.name == server.name) {
                let name = server.name.as_ref().map(ToString::to_string);
                return twice(name.unwrap_or_else(|| path.display().to_string()));
            }
        }
        Ok(())
    }
}

/// The server whose configuration is at `path`.
fn server_of<'a>(
    name: Option<&EntryName>,
    path: &Path,
    desired: &'a Desired,
) -> Result<&'a Server, Error> {
    let known = || desired.servers.iter().filter_map(|it| it.name.clone());
    match (name, &desired.servers[..]) {
        (_, []) => Err(Error::Config(Refusal::NotForThis {
            path: path.to_owned(),
        })),
        // A server's own folder does not say its name.
        (Some(_), [only]) if only.name.is_none() => Ok(only),
        (None, [only]) => Ok(only),
        (None, _) => Err(Error::Config(Refusal::WhichServer {
            path: path.to_owned(),
            known: known().collect(),
        })),
        (Some(name), servers) => {
            let server = servers.iter().find(|it| it.name.as_ref() == Some(name));
            server.ok_or_else(|| Error::UnknownServer {
                name: name.to_string(),
                known: known().collect(),
            })
        }
    }
}

/// How the server lines of a configuration are edited.
#[derive(Debug)]
struct Lines {
    path: PathBuf,
    scope: Scope,
    /// What each is to say.
    wanted: Vec<Wanted>,
    /// The same while the files are not yet where the lines name them.
    kept: Vec<Wanted>,
    /// The lines that were found.
    found: Vec<EditedLine>,
    /// Those of them that have TLS and are to lose it, or are to get it.
    switched: BTreeSet<usize>,
}

impl Lines {
    fn new(
        path: &Path,
        text: &[u8],
        load_balancer: &LoadBalancer,
        request: &Request,
        record: Option<&Record>,
    ) -> Self {
        let is_meant = |name: &EntryName| request.only.is_empty() || request.only.contains(name);
        let lines = load_balancer
            .lines
            .iter()
            .filter(|(name, _)| is_meant(name));
        let wanted = |tls: &dyn Fn(&TlsOptions) -> TlsOptions| {
            let wanted = lines.clone().map(|(name, options)| Wanted {
                name: name.clone(),
                tls: (!request.disable).then(|| tls(options)),
                // What the switch has disabled is enabled again; all else is the user's.
                disabled: record.and_then(|it| it.has(name).then_some(false)),
            });
            wanted.collect()
        };
        Self {
            path: path.to_owned(),
            scope: scope(text, request.backend.as_ref(), &load_balancer.backend),
            wanted: wanted(&TlsOptions::clone),
            kept: match request.installs() {
                true => wanted(&|tls| load_balancer.with_kept_files(tls)),
                false => wanted(&TlsOptions::clone),
            },
            found: Vec::new(),
            switched: BTreeSet::new(),
        }
    }

    /// Notes which lines were found, and which of them change from plain to TLS or back.
    fn compare(&mut self, text: &[u8], found: Vec<EditedLine>) -> Result<(), Error> {
        let plain = self.wanted.iter().map(|wanted| Wanted {
            name: wanted.name.clone(),
            tls: None,
            disabled: None,
        });
        let plain: Vec<Wanted> = plain.collect();
        let without = self.edit(text, &plain)?;
        let has_tls = without.lines.iter().filter(|line| line.is_changed);
        let has_tls: BTreeSet<usize> = has_tls.map(|line| line.number).collect();
        let is_wanted = |line: &EditedLine| {
            let mut wanted = self.wanted.iter();
            wanted.any(|it| it.name == line.name && it.tls.is_some())
        };
        let switched = found
            .iter()
            .filter(|line| is_wanted(line) != has_tls.contains(&line.number));
        self.switched = switched.map(|line| line.number).collect();
        self.found = found;
        Ok(())
    }

    /// The lines that change from plain to TLS, or back.
    fn switched(&self) -> impl Iterator<Item = &EditedLine> {
        self.found
            .iter()
            .filter(|line| self.switched.contains(&line.number))
    }

    fn edit(&self, text: &[u8], wanted: &[Wanted]) -> Result<Edited, Error> {
        edit(text, &self.scope, wanted).map_err(|problems| Error::HaproxyFile {
            path: self.path.clone(),
            problems,
        })
    }
}

/// What there is to say of lines that were not edited.
fn of_lines(path: &Path, absent: &[EntryName], unknown: &[UnknownLine]) -> Vec<Finding> {
    let path = path.display();
    let absent = absent.iter().map(|name| {
        Finding::warning(
            "server-line-missing",
            name,
            format!("{path} has no line for it"),
            format!(
                "add it there (zpki snippet haproxy shows the line), or: zpki server remove {name}"
            ),
        )
    });
    let unknown = unknown.iter().map(|line| {
        let why = format!(
            "the server {} is none of this cluster's: its line is left alone",
            Quoted(&line.name)
        );
        Finding::note(
            "server-line-unknown",
            format!("{path}:{}", line.number),
            why,
        )
    });
    absent.chain(unknown).collect()
}

/// A block that Zato's agent has marked is edited as the agent can read it, any other section as HAProxy
/// can.
fn scope(text: &[u8], named: Option<&Backend>, of_cluster: &Backend) -> Scope {
    let is_marked = |backend: &Backend| backends(text).any(|it| it == backend.to_string());
    match named {
        Some(backend) if !is_marked(backend) => Scope::Section(backend.clone()),
        backend => Scope::Zato(backend.unwrap_or(of_cluster).clone()),
    }
}

/// The files of a host folder, each with what stands where it is to go.
fn installs(
    files: Vec<HostFile>,
    kept_in: Option<&PkiDirectory>,
    system: &System,
) -> Result<Vec<Install>, Error> {
    let bytes = desired::read_all(&files, kept_in, system)?;
    let install = |(file, after): (HostFile, Zeroizing<Vec<u8>>)| {
        let HostFile { target, mode, .. } = file;
        let is_there = system.exists(&target);
        let before = is_there.then(|| read(&target, system)).transpose()?;
        let is_open = mode == SECRET && system.is_readable_by_others(&target);
        Ok(Install {
            is_change: is_open || before.as_ref() != Some(&after),
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
