//! `zpki import`: from what `zato ca create ...` made to a zpki.toml, and why what it made is of no
//! use. Names are taken over, and nothing else: no key, no certificate, no passphrase.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use super::error::Error;
use super::init::servers_of;
use super::new_directory::write;
use super::next_steps::NextStep;
use crate::config::haproxy::FoundServer;
use crate::domain::address::Address;
use crate::domain::cluster::Cluster;
use crate::domain::error::nearest;
use crate::domain::finding::Finding;
use crate::domain::host::Host;
use crate::domain::name::{ClusterName, EntryName};
use crate::domain::server_line::ServerOptions;
use crate::domain::settings::{
    Backend, CaSettings, CertificateSettings, ClientSettings, LoadBalancerSettings, Overrides,
    RevocationSettings, ServerSettings, Settings,
};
use crate::domain::text::{Quoted, ShellWord, joined};
use crate::store::cluster_file;
use crate::store::file::File;
use crate::store::layout::{self, CLUSTER_FILE, PUBLIC};
use crate::store::target::Target;
use crate::system::System;
use zato::Directory;

mod judge;
mod zato;

pub use zato::{Found, Kind};

/// What to import, and what the certificates do not say.
#[derive(Clone, Debug)]
pub struct Request {
    /// What `zato ca create ca` made.
    pub source: PathBuf,
    /// The PKI directory, absolute.
    pub directory: PathBuf,
    /// The cluster's name; None for that in the certificates.
    pub cluster: Option<ClusterName>,
    /// Addresses of servers, and their host names.
    pub servers: Vec<GivenServer>,
    /// Those that only call the servers: the scheduler.
    pub clients: Vec<EntryName>,
    /// The zato.config that has the other addresses.
    pub haproxy_file: Option<PathBuf>,
    /// The backend in it.
    pub backend: Backend,
    /// How long to wait for another run, in a directory that exists.
    pub lock_timeout: Duration,
}

/// What was given of a server.
#[derive(Clone, Debug)]
pub struct GivenServer {
    /// Its name.
    pub name: EntryName,
    /// Its address.
    pub address: Address,
    /// Its host names; empty for a default.
    pub hosts: Vec<Host>,
}

/// What was found, and what was made of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportReport {
    /// Version of this report's form.
    pub schema: u32,
    /// The instant of the run.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Always true: `import` writes a zpki.toml or fails.
    pub changed: bool,
    /// What was read.
    pub source: String,
    /// The zpki.toml that was written.
    pub file: String,
    /// The cluster's name.
    pub cluster: ClusterName,
    /// The servers in it.
    pub servers: Vec<EntryName>,
    /// The clients in it.
    pub clients: Vec<EntryName>,
    /// The certificates that were found, in the order of their files.
    pub certificates: Vec<Found>,
    /// How many private keys were found. None is taken over.
    pub private_keys: usize,
    /// What is unusable or in danger, and why, in the order of the files.
    pub findings: Vec<Finding>,
    /// What to do next, in this order.
    pub next_steps: Vec<NextStep>,
}

/// Why nothing is imported.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// A certificate is of something whose name cannot be that of an entry.
    Name {
        /// The file of the certificate.
        path: PathBuf,
        /// What is wrong with the name.
        because: String,
    },
    /// Servers whose addresses nothing says.
    NoAddress {
        /// Their names.
        names: Vec<EntryName>,
        /// The configuration that does not have them, if one was given.
        haproxy_file: Option<PathBuf>,
    },
    /// Nothing says the name of the cluster.
    NoCluster {
        /// Those that the certificates say.
        found: Vec<String>,
    },
    /// No certificate of a server is there.
    NoServers {
        /// The directory.
        path: PathBuf,
    },
    /// It is no directory of `zato ca create`.
    NotZatos {
        /// The directory.
        path: PathBuf,
    },
    /// A name that was given, and of which there is no certificate.
    Unknown {
        /// The flag that gives it.
        flag: &'static str,
        /// The name.
        name: EntryName,
        /// The names that there are.
        known: Vec<EntryName>,
    },
}

/// Reads what Zato made, and writes a zpki.toml.
///
/// # Errors
/// [`Refusal`]; when something is in the way of the zpki.toml; when something cannot be read.
pub fn run(request: &Request, system: &mut System) -> Result<ImportReport, Error> {
    let at = system.now.ok_or(Error::NoClock)?;
    let target = Target::survey(&request.directory, &layout::TOP_LEVEL)?;
    let source = Directory::read(&request.source, system)?;
    let listed = match &request.haproxy_file {
        Some(path) => servers_of(path, &request.backend, system)?,
        None => Vec::new(),
    };
    let given = request.servers.iter().map(|server| &server.name);
    let listed_names = listed.iter().map(|server| &server.name);
    let known: Vec<EntryName> = given
        .chain(listed_names)
        .chain(&request.clients)
        .cloned()
        .collect();
    let mut names = names(&source, request.cluster.as_ref(), &known)?;
    let cluster = cluster(request, &mut names)?;
    let names: Vec<EntryName> = names.into_iter().map(|named| named.name).collect();
    known_only(request, &names)?;
    let settings = settings(request, cluster, &names, &listed)?;
    let mut findings = judge::findings(&source, at);
    findings.extend(not_imported(&listed, &settings.servers));

    let cluster = Cluster::new(settings.clone()).map_err(|misfits| Error::Misfits {
        settings: Box::new(settings.clone()),
        haproxy_file: request.haproxy_file.clone(),
        misfits,
    })?;
    let text = cluster_file::render(&cluster.explicit_settings());
    system.interruption.defer();
    let tree = vec![File::new(CLUSTER_FILE, PUBLIC, text)].into();
    write(&target, tree, request.lock_timeout, system)?;
    let file = target.path().join(CLUSTER_FILE);
    Ok(ImportReport {
        schema: 1,
        at,
        changed: true,
        source: request.source.display().to_string(),
        next_steps: next_steps(target.path(), &file),
        file: file.display().to_string(),
        cluster: settings.name,
        servers: settings.servers.into_iter().map(|it| it.name).collect(),
        clients: settings.clients.into_iter().map(|it| it.name).collect(),
        private_keys: source.keys.len(),
        certificates: source.certificates.into_iter().map(Found::from).collect(),
        findings,
    })
}

/// A name, and the cluster that the certificate says it is in.
struct Named {
    name: EntryName,
    cluster: Option<String>,
}

/// Everything that has a certificate like a server's, each once.
fn names(
    source: &Directory,
    cluster: Option<&ClusterName>,
    known: &[EntryName],
) -> Result<Vec<Named>, Error> {
    let mut names: Vec<Named> = Vec::new();
    for certificate in &source.certificates {
        if certificate.kind != Kind::Server {
            continue;
        }
        let (cluster, name) = certificate.named(cluster, known);
        let name: EntryName = name.parse().map_err(|invalid| {
            Error::Import(Refusal::Name {
                path: source.path.join(&certificate.file),
                because: format!("{invalid}"),
            })
        })?;
        if names.iter().all(|named| named.name != name) {
            names.push(Named { name, cluster });
        }
    }
    if names.is_empty() {
        let path = source.path.clone();
        return Err(Error::Import(Refusal::NoServers { path }));
    }
    Ok(names)
}

/// The cluster's name: as given, or as all certificates say.
fn cluster(request: &Request, names: &mut [Named]) -> Result<ClusterName, Error> {
    if let Some(given) = &request.cluster {
        return Ok(given.clone());
    }
    let mut found: Vec<String> = names
        .iter_mut()
        .filter_map(|named| named.cluster.take())
        .collect();
    found.sort();
    found.dedup();
    match found.as_slice() {
        [one] => one
            .parse()
            .map_err(|_| Error::Import(Refusal::NoCluster { found })),
        _ => Err(Error::Import(Refusal::NoCluster { found })),
    }
}

/// A name that is given and not there is a slip of the pen.
fn known_only(request: &Request, names: &[EntryName]) -> Result<(), Error> {
    let servers = request
        .servers
        .iter()
        .map(|server| ("--server", &server.name));
    let clients = request.clients.iter().map(|name| ("--client", name));
    let mut given = servers.chain(clients);
    match given.find(|(_, name)| !names.contains(name)) {
        None => Ok(()),
        Some((flag, name)) => Err(Error::Import(Refusal::Unknown {
            flag,
            name: name.clone(),
            known: names.to_vec(),
        })),
    }
}

fn settings(
    request: &Request,
    name: ClusterName,
    names: &[EntryName],
    listed: &[FoundServer],
) -> Result<Settings, Error> {
    let servers = || names.iter().filter(|name| !request.clients.contains(name));
    let found: Vec<Option<ServerSettings>> = servers()
        .map(|name| server(request, name, listed))
        .collect();
    let without = servers().zip(&found).filter(|(_, found)| found.is_none());
    let without: Vec<EntryName> = without.map(|(name, _)| name.clone()).collect();
    if !without.is_empty() {
        return Err(Error::Import(Refusal::NoAddress {
            names: without,
            haproxy_file: request.haproxy_file.clone(),
        }));
    }
    let client = |name: &EntryName| ClientSettings {
        name: name.clone(),
        hosts: Vec::new(),
        overrides: Overrides::default(),
    };
    Ok(Settings {
        name,
        ca: CaSettings::default(),
        certificates: CertificateSettings::default(),
        load_balancer: LoadBalancerSettings {
            backend: request.backend.clone(),
            ..LoadBalancerSettings::default()
        },
        servers: found.into_iter().flatten().collect(),
        clients: request.clients.iter().map(client).collect(),
        revocation: RevocationSettings::default(),
    })
}

/// A server as it was given, with the rest from its line.
fn server(request: &Request, name: &EntryName, listed: &[FoundServer]) -> Option<ServerSettings> {
    let given = request.servers.iter().find(|server| server.name == *name);
    let line = listed.iter().find(|server| server.name == *name);
    let address = given.map(|given| &given.address);
    Some(ServerSettings {
        name: name.clone(),
        address: address.or_else(|| line.map(|line| &line.address))?.clone(),
        hosts: given.map(|given| given.hosts.clone()).unwrap_or_default(),
        options: line.map_or_else(ServerOptions::default, |line| line.options.clone()),
        calls_servers: false,
        conf: None,
        overrides: Overrides::default(),
    })
}

/// Servers that HAProxy has and that have no certificate.
fn not_imported(listed: &[FoundServer], servers: &[ServerSettings]) -> Vec<Finding> {
    let is_imported = |found: &FoundServer| servers.iter().any(|server| server.name == found.name);
    listed
        .iter()
        .filter(|found| !is_imported(found))
        .map(|found| {
            Finding::warning(
                "not-imported",
                &found.name,
                "HAProxy's configuration has it, and there is no certificate of it here",
                "add it to zpki.toml, if HAProxy is to talk TLS to it too",
            )
        })
        .collect()
}

fn next_steps(directory: &Path, file: &Path) -> Vec<NextStep> {
    let word = |path: &Path| ShellWord(&path.display().to_string()).to_string();
    vec![
        NextStep {
            what: "look through zpki.toml: names, addresses, what servers ask of the load-balancer"
                .to_owned(),
            commands: Vec::new(),
        },
        NextStep {
            what: "make a new CA and new certificates; it says how to install them".to_owned(),
            commands: vec![format!(
                "zpki -C {} init --config {}",
                word(directory),
                word(file)
            )],
        },
        NextStep {
            what: "when no host uses the old files any more, delete them, the old CA's key first"
                .to_owned(),
            commands: Vec::new(),
        },
    ]
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { because, .. } => f.write_str(because),
            Self::NoAddress { names, .. } => {
                write!(f, "nothing says the address of {}", joined(names, ", "))
            }
            Self::NoCluster { found } if found.is_empty() => {
                f.write_str("the certificates do not say the name of the cluster")
            }
            Self::NoCluster { found } => {
                let found: Vec<String> =
                    found.iter().map(|name| Quoted(name).to_string()).collect();
                write!(
                    f,
                    "the certificates say of the cluster {}",
                    found.join(", ")
                )
            }
            Self::NoServers { .. } => f.write_str("it has no certificate of a server"),
            Self::NotZatos { .. } => f.write_str(
                "`zato ca create` did not make it: it has neither `ca-material` nor `out-cert`",
            ),
            Self::Unknown { flag, name, .. } => {
                write!(f, "there is no certificate of `{name}`, which {flag} gives")
            }
        }
    }
}

impl Refusal {
    /// The file or directory it is about.
    #[must_use]
    pub fn place(&self) -> Option<&Path> {
        match self {
            Self::Name { path, .. } | Self::NoServers { path } | Self::NotZatos { path } => {
                Some(path)
            }
            Self::NoAddress { haproxy_file, .. } => haproxy_file.as_deref(),
            Self::NoCluster { .. } | Self::Unknown { .. } => None,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Name { .. } => {
                "move its certificate out of out-cert, and add the server to zpki.toml under another name".to_owned()
            }
            Self::NoAddress { .. } => {
                "give --server NAME=ADDRESS for each, or --from-haproxy FILE; for one that only calls the servers, such as the scheduler, --client NAME".to_owned()
            }
            Self::NoCluster { .. } => "give --cluster NAME".to_owned(),
            Self::NoServers { .. } => {
                "`zpki init` makes the PKI of a cluster that has none".to_owned()
            }
            Self::NotZatos { .. } => {
                "name the directory that was given to `zato ca create ca`".to_owned()
            }
            Self::Unknown { name, known, .. } => {
                let words: Vec<&str> = known.iter().map(EntryName::as_str).collect();
                match nearest(name.as_str(), &words) {
                    Some(near) => format!("did you mean `{near}`?  there are: {}", joined(known, ", ")),
                    None => format!("there are: {}", joined(known, ", ")),
                }
            }
        }
    }
}
