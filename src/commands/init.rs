//! `zpki init`: from nothing to a CA, a certificate for each entry, and the lines for HAProxy and
//! server.conf.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;
use time::macros::datetime;

use super::directory::haproxy_files;
use super::error::Error;
use super::host_folder::{Shared, server_settings};
use super::issuance::{Issuer, Made};
use super::new_directory::write_as_made;
use super::next_steps::{self, NextStep};
use super::{certificate_authority, log};
use crate::config::haproxy;
use crate::domain::cluster::Cluster;
use crate::domain::finding::Finding;
use crate::domain::name::ClusterName;
use crate::domain::server_line::{ServerLine, TlsOptions};
use crate::domain::settings::{Backend, Settings};
use crate::plan::establish::establish;
use crate::store::file::{Bytes, File};
use crate::store::layout::{self, CLUSTER_FILE, LOG, LOG_FILE, PUBLIC};
use crate::store::target::{Target, is_same_file};
use crate::store::{Store, cluster_file};
use crate::system::System;
use crate::verify::issued::Trust;
use crate::x509::crl::{self, CrlTemplate};
use crate::x509::passphrase::Passphrase;

/// What `init` is asked for.
#[derive(Debug)]
pub struct Request {
    /// The directory to make.
    pub directory: PathBuf,
    /// What the cluster is to be.
    pub source: Source,
    /// What there was to say while the request was read.
    pub findings: Vec<Finding>,
    /// What encrypts the CA key; None for a key in the clear.
    pub passphrase: Option<Passphrase>,
    /// Whether to believe a clock that is behind the program's own release.
    pub force: bool,
    /// How long to wait for another run, in a directory that exists.
    pub lock_timeout: Duration,
}

/// Where the settings come from.
#[derive(Debug)]
pub enum Source {
    /// From a zpki.toml, which is copied as it is.
    ClusterFile(PathBuf),
    /// From flags or the wizard.
    Settings {
        /// What they say.
        settings: Box<Settings>,
        /// The zato.config that the servers come from, if they come from one.
        haproxy_file: Option<PathBuf>,
    },
}

impl Source {
    fn cluster_file(&self) -> Option<&Path> {
        match self {
            Self::ClusterFile(path) => Some(path),
            Self::Settings { .. } => None,
        }
    }

    /// The configuration that HAProxy runs with, if the servers come from one.
    fn running(&self) -> Option<PathBuf> {
        match self {
            Self::Settings { haproxy_file, .. } => haproxy_file.clone(),
            _ => None,
        }
    }
}

/// What `init` made.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InitReport {
    /// Version of this report's form.
    pub schema: u32,
    /// The instant of the run.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Always true: `init` makes everything or fails.
    pub changed: bool,
    /// The PKI directory, absolute.
    pub directory: String,
    /// The cluster's name.
    pub cluster: ClusterName,
    /// Whether the CA's private key is encrypted.
    pub ca_key_encrypted: bool,
    /// The CA, the load-balancer, the servers and the clients, in that order.
    pub certificates: Vec<Made>,
    /// What was chosen for the user, and what to watch.
    pub findings: Vec<Finding>,
    /// What to do next, in this order.
    pub next_steps: Vec<NextStep>,
}

/// No clock was right before this program was written: one that says so would make certificates
/// that are expired when it is put right.
pub const RELEASED: OffsetDateTime = datetime!(2026-11-23 0:00 UTC);

/// Makes the PKI of a cluster.
///
/// # Errors
/// Any; nothing is left behind then.
pub fn run(request: Request, system: &mut System) -> Result<InitReport, Error> {
    let target = target(
        &request.directory,
        request.source.cluster_file(),
        request.lock_timeout,
        system,
    )?;
    let now = trusted_clock(system, request.force, FORCE)?;
    let running = request.source.running().map(|path| system.locate(&path));
    let Settled { cluster, text } = settle(request.source, &target, system)?;
    let haproxy_files = haproxy_files(target.path(), &cluster.settings().load_balancer)
        .map_err(|invalid| Error::HaproxyPath { invalid })?;
    let mut distinguisher = [0; 2];
    system.entropy.fill(&mut distinguisher)?;
    let plan = establish(&cluster, now, u16::from_be_bytes(distinguisher))?;
    let mut findings = request.findings;
    findings.extend(plan.findings.iter().cloned());
    let lines = cluster.server_lines(&haproxy_files);
    findings.extend(names_in_paths(&lines));

    system.interruption.defer();
    let authority = certificate_authority::make(&plan, &cluster, system)?;
    let updates = CrlTemplate {
        updates: plan.crl_updates,
        number: plan.crl_number,
        revoked: Vec::new(),
    };
    let crl = crl::to_pem(&authority.revocation_list(&updates)?);
    let shared = Shared {
        trust_bundle: Some(authority.certificate().to_pem().into()),
        crl: cluster
            .settings()
            .revocation
            .enabled
            .then(|| crl.as_str().into()),
        server_lines: &lines,
        server_settings: server_settings(cluster.settings().load_balancer.client_certificate)
            .into(),
    };
    let issuer = Issuer {
        authority: &authority,
        trust: &Trust::in_root(authority.certificate())?,
        cluster: &cluster,
        now,
    };
    let passphrase = request.passphrase.as_ref();
    let mut files = certificate_authority::files(&authority, passphrase, &crl, system)?;
    files.extend(text.map(|text| File::new(CLUSTER_FILE, PUBLIC, text)));
    let certificates = write_as_made(&target, request.lock_timeout, system, |take| {
        let mut certificates = issuer.issue_all(&plan.issuances, &shared, system, take)?;
        certificates.insert(0, certificate_authority::made(&authority, &cluster));
        let log = log::issued(&certificates, now, &system.user);
        files.push(File::new(LOG_FILE, LOG, log));
        take(files.into())?;
        Ok(certificates)
    })?;
    Ok(InitReport {
        schema: 1,
        at: now,
        changed: true,
        directory: target.path().display().to_string(),
        cluster: cluster.settings().name.clone(),
        ca_key_encrypted: passphrase.is_some(),
        certificates,
        findings,
        next_steps: next_steps::of(&cluster, target.path(), &haproxy_files, running.as_deref()),
    })
}

/// Whether `init` could make its directory, asked before the first question. What a killed run has
/// left there is put in order first; nothing else is made.
///
/// # Errors
/// [`Error::Store`] when something is in the way.
pub fn target(
    directory: &Path,
    cluster_file: Option<&Path>,
    lock_timeout: Duration,
    system: &System,
) -> Result<Target, Error> {
    let store = Store::at(directory);
    if store.is_changing()? {
        drop(store.lock(lock_timeout, &*system.progress)?);
    }
    let mut ours = layout::TOP_LEVEL.to_vec();
    if is_its_own(cluster_file, directory, system) {
        ours.retain(|name| *name != CLUSTER_FILE);
    }
    Ok(Target::survey(directory, &ours)?)
}

/// Whether the zpki.toml to read is that of the directory itself: the CA was lost, and the cluster is
/// to be made anew from what is left.
fn is_its_own(cluster_file: Option<&Path>, directory: &Path, system: &System) -> bool {
    let own = directory.join(CLUSTER_FILE);
    cluster_file.is_some_and(|path| is_same_file(&system.locate(path), &own))
}

/// The flag that most commands have for a clock that seems wrong.
pub(super) const FORCE: &str = "--force";

/// The instant of the run, if the clock can be believed.
pub(super) fn trusted_clock(
    system: &System,
    force: bool,
    flag: &'static str,
) -> Result<OffsetDateTime, Error> {
    match system.now {
        Some(now) if now >= RELEASED || force => Ok(now),
        now => Err(Error::ClockSuspect {
            now,
            released: RELEASED,
            flag,
        }),
    }
}

/// A cluster, and its zpki.toml.
struct Settled {
    cluster: Cluster,
    /// The text of zpki.toml, unless that is in its place already.
    text: Option<Bytes>,
}

fn settle(source: Source, target: &Target, system: &mut System) -> Result<Settled, Error> {
    let own = is_its_own(source.cluster_file(), target.path(), system);
    match source {
        Source::ClusterFile(path) => {
            let bytes = system
                .read(&path)
                .map_err(|error| Error::input(&path, error))?;
            let cluster = cluster_file::parse(&bytes)
                .map_err(|problems| Error::ClusterFile { path, problems })?;
            Ok(Settled {
                cluster,
                text: (!own).then(|| bytes.into()),
            })
        }
        Source::Settings {
            settings,
            haproxy_file,
        } => {
            let misfit = |misfits| Error::Misfits {
                settings: settings.clone(),
                haproxy_file,
                misfits,
            };
            let cluster = Cluster::new(*settings.clone()).map_err(misfit)?;
            let text = cluster_file::render(&cluster.explicit_settings());
            Ok(Settled {
                cluster,
                text: Some(text.into()),
            })
        }
    }
}

/// Zato's agent replaces a renamed server's name wherever it stands on the line, paths included.
fn names_in_paths(lines: &[ServerLine]) -> Vec<Finding> {
    let named = lines.iter().filter_map(|line| {
        let TlsOptions {
            ca_file,
            crt,
            crl_file,
            ..
        } = &line.tls;
        let mut paths = [Some(ca_file), crt.as_ref(), crl_file.as_ref()]
            .into_iter()
            .flatten();
        let path = paths.find(|path| path.as_str().contains(line.name.as_str()))?;
        Some((&line.name, path))
    });
    named
        .map(|(name, path)| {
            Finding::warning(
                "name-in-path",
                name,
                format!("its name stands in the path {path}: renaming it in Zato's web console would change the path"),
                "choose a directory without it, or say where HAProxy sees its files: --ca-file and --crt",
            )
        })
        .collect()
}

/// Servers as a real zato.config has them.
///
/// # Errors
/// When the file cannot be read, or its block cannot be understood.
pub fn servers_of(
    path: &Path,
    backend: &Backend,
    system: &mut System,
) -> Result<Vec<haproxy::FoundServer>, Error> {
    let bytes = system
        .read(path)
        .map_err(|error| Error::input(path, error))?;
    haproxy::read_servers(&bytes, backend).map_err(|problems| Error::HaproxyFile {
        path: path.to_owned(),
        problems,
    })
}
