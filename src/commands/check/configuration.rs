//! `zpki check --haproxy FILE --server-conf FILE`: the real configuration files, the files that they
//! name, and whether both ends of each line fit.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::input::{Contents, Located, TrustBundle, crls_of, key_problem, private_keys};
use super::verdict::{Judge, Source, VerdictReport};
use super::{because, shown, worst_first};
use crate::audit::configuration::{self, Line, asked_for, speaks_tls};
use crate::commands::error::Error;
use crate::config::haproxy::{self, read_configuration, read_crt_list};
use crate::config::problem::Problem;
use crate::config::server_conf::{self, read_server_conf};
use crate::domain::finding::{Finding, Severity};
use crate::domain::haproxy_tls::{Bind, FileReference, HaproxyTls, Server, Verify};
use crate::domain::server_conf::{CryptoSettings, ServerConf, Setting};
use crate::domain::validity::{Validity, show};
use crate::system::System;
use crate::verify::policy::Policy;
use crate::x509::path_crl::PathCrl;

/// What to check.
#[derive(Clone, Debug)]
pub struct Request {
    /// HAProxy configurations.
    pub haproxy: Vec<PathBuf>,
    /// server.conf files.
    pub server_confs: Vec<PathBuf>,
    /// The instant; None for now.
    pub at: Option<OffsetDateTime>,
}

/// What there is to say.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationReport {
    /// Version of this report's form.
    pub schema: u32,
    /// The instant that was judged for.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Always false: nothing is written.
    pub changed: bool,
    /// The worst of the findings.
    pub status: Severity,
    /// The files that were read.
    pub files: Vec<String>,
    /// The server lines with `ssl`.
    pub servers: Vec<ServerReport>,
    /// Everything that was found, worst first.
    pub findings: Vec<Finding>,
}

/// What both ends of a server line say.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerReport {
    /// The file of the line.
    pub file: String,
    /// The line.
    pub line: usize,
    /// The server's name on it.
    pub name: String,
    /// The server's address on it.
    pub address: String,
    /// The server.conf at the other end; None when none was given.
    pub server_conf: Option<String>,
    /// HAProxy's verdict on the server, then the server's on the load-balancer.
    pub verdicts: Vec<VerdictReport>,
}

/// Checks configuration files.
///
/// # Errors
/// When one of them cannot be read, or there is no clock.
pub fn run(request: &Request, system: &mut System) -> Result<ConfigurationReport, Error> {
    let at = request.at.or(system.now).ok_or(Error::NoClock)?;
    let mut inspection = Inspection {
        at,
        system,
        judge: Judge::at(at),
        trust_bundles: BTreeMap::new(),
        met: BTreeSet::new(),
        findings: Vec::new(),
    };
    let mut configurations = Vec::new();
    for path in &request.haproxy {
        configurations.push((path, inspection.haproxy(path)?));
    }
    let mut peers = Vec::new();
    for path in &request.server_confs {
        peers.push(inspection.peer(path)?);
    }
    let mut servers = Vec::new();
    let mut anchors = Anchors::default();
    for (path, haproxy) in &configurations {
        inspection.proxies(path, haproxy, &peers, &mut servers, &mut anchors);
    }
    inspection.findings.extend(anchors.shared());
    inspection.strays(&peers, &servers, &request.haproxy);
    let mut findings = inspection.findings;
    let status = worst_first(&mut findings);
    let files = request.haproxy.iter().chain(&request.server_confs);
    Ok(ConfigurationReport {
        schema: 1,
        at,
        changed: false,
        status,
        files: files.map(|path| shown(path)).collect(),
        servers,
        findings,
    })
}

/// A server: its server.conf, and the files that it names.
struct Peer {
    file: String,
    conf: ServerConf,
    /// Its own certificate, and what it sends behind it.
    own: Vec<Located>,
    /// Whose certificates it accepts.
    accepted: Vec<Located>,
}

/// Who trusts which anchors: clients of the load-balancer, and servers their clients.
#[derive(Default)]
struct Anchors {
    /// The anchors of a bind's ca-file, each with the line.
    clients: Vec<(String, Vec<Located>)>,
    /// The anchors of a server's ca_certs, each with the file.
    servers: Vec<(String, Vec<Located>)>,
}

impl Anchors {
    /// Servers check no name, so a client application with a certificate for the load-balancer's frontend
    /// passes for the load-balancer where both trust one CA.
    fn shared(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (bind, clients) in &self.clients {
            let is_shared = |(_, servers): &&(String, Vec<Located>)| {
                let mut anchors = servers.iter().map(|it| &it.certificate.public_key_der);
                anchors.any(|key| {
                    clients
                        .iter()
                        .any(|it| it.certificate.public_key_der == *key)
                })
            };
            if let Some((server, _)) = self.servers.iter().find(is_shared) {
                findings.push(Finding {
                    severity: Severity::Critical,
                    id: "shared-client-anchor",
                    about: bind.clone(),
                    why: format!(
                        "its clients and {server} have a CA in common: servers check no name, so each of these clients passes for the load-balancer"
                    ),
                    next: Some("let client applications have their certificates from another PKI directory".to_owned()),
                });
            }
        }
        findings
    }
}

/// The check as it goes on.
struct Inspection<'a> {
    at: OffsetDateTime,
    system: &'a mut System,
    judge: Judge,
    /// Those that were read: a thousand lines may name one.
    trust_bundles: BTreeMap<PathBuf, Vec<Located>>,
    /// The server.conf files that a line leads to.
    met: BTreeSet<String>,
    findings: Vec<Finding>,
}

/// Problems of one file that are told.
const MOST_PROBLEMS: usize = 10;
/// Characters of a line that are shown.
const SHOWN_OF_A_LINE: usize = 120;

impl Inspection<'_> {
    fn haproxy(&mut self, path: &Path) -> Result<HaproxyTls, Error> {
        let bytes = self.read(path)?;
        let environment = &self.system.environment;
        let variable = |name: &str| {
            let value = environment.get(OsStr::new(name))?;
            value.to_str().map(str::to_owned)
        };
        let reading = read_configuration(&bytes, &variable);
        self.not_understood(path, &reading.problems, haproxy::reason::Reason::is_refused);
        Ok(reading.value)
    }

    fn peer(&mut self, path: &Path) -> Result<Peer, Error> {
        let bytes = self.read(path)?;
        let reading = read_server_conf(&bytes);
        let is_refused = server_conf::reason::Reason::is_refused;
        self.not_understood(path, &reading.problems, is_refused);
        let (file, conf) = (shown(path), reading.value);
        self.findings
            .extend(configuration::server_conf(&file, &conf));
        let crypto = conf.crypto.as_ref().filter(|crypto| speaks_tls(crypto));
        let (own, accepted) = match crypto {
            Some(crypto) => self.server_files(&file, crypto),
            None => Default::default(),
        };
        Ok(Peer {
            file,
            conf,
            own,
            accepted,
        })
    }

    /// What was given and has no part in what was checked.
    fn strays(&mut self, peers: &[Peer], servers: &[ServerReport], haproxy: &[PathBuf]) {
        let is_stray = |peer: &&Peer| !haproxy.is_empty() && !self.met.contains(&peer.file);
        let strays: Vec<&Peer> = peers.iter().filter(is_stray).collect();
        for peer in strays {
            self.findings.push(Finding::warning(
                "server-conf-unmatched",
                &peer.file,
                "no server line with its address (gunicorn_bind) was found, or several were, so that it is compared with none",
                "give the configuration that leads to it; where servers have one port on many hosts, its path must have the server's name",
            ));
        }
        if servers.is_empty() && !haproxy.is_empty() {
            let files: Vec<String> = haproxy.iter().map(|path| shown(path)).collect();
            self.findings.push(Finding::warning(
                "nothing-to-check",
                files.join(", "),
                "no server line has `ssl`",
                "if the servers speak TLS, add `ssl verify required ca-file PATH`",
            ));
        }
        let is_open = |server: &&ServerReport| !peers.is_empty() && server.server_conf.is_none();
        for server in servers.iter().filter(is_open) {
            self.findings.push(Finding {
                severity: Severity::Unknown,
                id: "server-conf-unknown",
                about: format!("{}:{}: {}", server.file, server.line, server.name),
                why: "none of the server.conf files that were given binds its address, or more than one might: the other end was not checked".to_owned(),
                next: Some("give its server.conf too".to_owned()),
            });
        }
    }

    fn read(&mut self, path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.system
            .read(path)
            .map_err(|error| Error::input(path, error))
    }

    /// A file that a configuration names.
    fn named(&mut self, path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
        let read = self.system.read_named(path);
        read.map_err(|error| Error::input(path, error))
    }

    /// What a file says that its own program refuses, or that cannot be judged.
    fn not_understood<R: Display>(
        &mut self,
        path: &Path,
        problems: &[Problem<R>],
        is_refused: impl Fn(&R) -> bool,
    ) {
        let findings = problems.iter().take(MOST_PROBLEMS).map(|problem| {
            let (severity, id, next) = if is_refused(&problem.reason) {
                let next = "mend the line: the program that reads the file does not start with it";
                (Severity::Critical, "line-refused", next)
            } else {
                let next = "look at the line yourself: what it leads to was not checked";
                (Severity::Unknown, "not-understood", next)
            };
            Finding {
                severity,
                id,
                about: format!("{}:{}", path.display(), problem.line),
                why: format!("{problem}: {}", cut(&problem.text)),
                next: Some(next.to_owned()),
            }
        });
        self.findings.extend(findings);
        if problems.len() > MOST_PROBLEMS {
            self.findings.push(Finding {
                severity: Severity::Unknown,
                id: "not-understood",
                about: shown(path),
                why: format!("and {} more lines", problems.len() - MOST_PROBLEMS),
                next: Some("let the program that reads the file check it first".to_owned()),
            });
        }
    }

    fn proxies(
        &mut self,
        path: &Path,
        haproxy: &HaproxyTls,
        peers: &[Peer],
        servers: &mut Vec<ServerReport>,
        anchors: &mut Anchors,
    ) {
        let file = shown(path);
        let lines = haproxy.proxies.iter().flat_map(|proxy| &proxy.servers);
        let addresses: Vec<&str> = lines.map(|server| server.address.as_str()).collect();
        for proxy in haproxy.proxies.iter().filter(|proxy| !proxy.disabled) {
            for bind in &proxy.binds {
                self.bind(&file, bind, anchors);
            }
            for server in &proxy.servers {
                let peer = peer_of(server, peers, &addresses);
                self.met.extend(peer.map(|peer| peer.file.clone()));
                let line = Line {
                    file: &file,
                    proxy,
                    server,
                    peer: peer.map(|peer| (peer.file.as_str(), &peer.conf)),
                };
                self.findings.extend(line.check());
                if server.options.ssl {
                    servers.push(self.line(&line, peer, anchors));
                }
            }
        }
    }

    /// A `bind` line, and the files that it names. Nobody here judges its certificates but for their
    /// dates: which CA its clients trust is not known.
    fn bind(&mut self, file: &str, bind: &Bind, anchors: &mut Anchors) {
        self.findings.extend(configuration::bind(file, bind));
        for crt in &bind.crt {
            let certificates = self.key_certs(file, crt);
            self.dates(&certificates);
        }
        for list in &bind.crt_list {
            self.crt_list(file, list);
        }
        if let Some(crl_file) = &bind.crl_file {
            self.crls(file, crl_file);
        }
        let mut trusted = Vec::new();
        for ca_file in [&bind.ca_file, &bind.ca_verify_file].into_iter().flatten() {
            trusted.extend(self.anchors(file, ca_file));
        }
        self.dates(&trusted);
        if bind.verify != Verify::None {
            let place = format!("{file}:{}: bind {}", bind.line, bind.address);
            anchors.clients.push((place, trusted));
        }
    }

    /// Certificates that are not valid now.
    fn dates(&mut self, certificates: &[Located]) {
        for located in certificates {
            let Validity {
                not_before,
                not_after,
            } = located.certificate.validity;
            let (id, why) = if not_after <= self.at {
                (
                    "expired",
                    format!("it expired (notAfter {})", show(not_after)),
                )
            } else if self.at < not_before {
                let why = format!("it is not valid yet (notBefore {})", show(not_before));
                ("not-yet-valid", why)
            } else {
                continue;
            };
            self.findings.push(Finding {
                severity: Severity::Critical,
                id,
                about: located.shown(),
                why,
                next: Some("put a certificate there that is valid".to_owned()),
            });
        }
    }

    /// The certificates at both ends of a line.
    fn line(
        &mut self,
        line: &Line<'_>,
        peer: Option<&Peer>,
        anchors: &mut Anchors,
    ) -> ServerReport {
        let options = &line.server.options;
        let trusted = match &options.ca_file {
            Some(ca_file) => self.anchors(line.file, ca_file),
            None => Vec::new(),
        };
        let crls = options.crl_file.as_ref().map(|it| self.crls(line.file, it));
        let sent = match &options.crt {
            Some(crt) => self.key_cert(line.file, crt.line, Path::new(&crt.path)),
            None => Vec::new(),
        };
        let crypto = peer.and_then(|peer| peer.conf.crypto.as_ref());
        let crypto = crypto.filter(|crypto| speaks_tls(crypto));
        let mut verdicts = Vec::new();
        match peer.zip(crypto) {
            Some((peer, crypto)) => {
                if line.is_verified() {
                    let hosts = line.checked_names();
                    let (policy, crls) = (Policy::HaproxyServer, crls.as_deref());
                    let (ends, findings) = ((&peer.own[..], &trusted[..]), &mut self.findings);
                    verdicts.extend(self.judge.verdicts(policy, ends, &hosts, crls, findings));
                }
                if asked_for(crypto).is_sent() {
                    let (policy, accepted) = (Policy::ServerClient, &peer.accepted);
                    let (ends, findings) = ((&sent[..], &accepted[..]), &mut self.findings);
                    verdicts.extend(self.judge.verdicts(policy, ends, &[], None, findings));
                    anchors.servers.push((peer.file.clone(), accepted.clone()));
                }
            }
            // Nobody is there to judge them, but their dates tell something.
            None => {
                self.dates(&trusted);
                self.dates(&sent);
            }
        }
        ServerReport {
            file: line.file.to_owned(),
            line: line.server.line,
            name: line.server.name.clone(),
            address: line.server.address.clone(),
            server_conf: line.peer.map(|(file, _)| file.to_owned()),
            verdicts,
        }
    }

    /// A server's own certificates, and those that it accepts.
    fn server_files(
        &mut self,
        file: &str,
        crypto: &CryptoSettings,
    ) -> (Vec<Located>, Vec<Located>) {
        let directory = Path::new(file).parent().unwrap_or_else(|| Path::new(""));
        let locate = |setting: &Option<Setting<String>>| {
            setting
                .as_ref()
                .map(|it| (it.line, directory.join(&it.value)))
        };
        let own = match locate(&crypto.cert_location) {
            Some((line, path)) => self.certificates(file, line, &path, Source::Sent),
            None => Contents::default(),
        };
        if let Some((line, path)) = locate(&crypto.priv_key_location) {
            self.private_key(file, line, &path, own.certificates.first());
        }
        let accepted = match locate(&crypto.ca_certs_location) {
            Some((line, path)) => self.certificates(file, line, &path, Source::TrustBundle),
            None => Contents::default(),
        };
        (own.certificates, accepted.certificates)
    }

    /// A file with a private key, which belongs to the certificate `leaf`.
    fn private_key(&mut self, file: &str, line: usize, path: &Path, leaf: Option<&Located>) {
        let bytes = match self.named(path) {
            Ok(bytes) => bytes,
            Err(error) => return self.unusable(file, line, path, &error),
        };
        let keys = private_keys(&bytes, path);
        if keys.is_empty() {
            self.findings.push(Finding {
                severity: Severity::Critical,
                id: "key-missing",
                about: shown(path),
                why: format!("{file}:{line} names it, and it has no private key"),
                next: Some("put the private key there that belongs to the certificate".to_owned()),
            });
            return;
        }
        self.secret(file, line, path);
        let leaf = leaf.into_iter();
        let problems = leaf.flat_map(|leaf| keys.iter().filter_map(|key| key_problem(key, leaf)));
        self.findings.extend(problems);
    }

    /// A bind's `crt`: a file, or a directory of them.
    fn key_certs(&mut self, file: &str, crt: &FileReference) -> Vec<Located> {
        let path = Path::new(&crt.path);
        let Ok(names) = self.system.list(path) else {
            return self.key_cert(file, crt.line, path);
        };
        let is_other = |name: &OsString| {
            let ending = Path::new(name).extension().and_then(OsStr::to_str);
            ending.is_some_and(|ending| ["issuer", "key", "ocsp", "sctl"].contains(&ending))
        };
        let names: Vec<_> = names.into_iter().filter(|name| !is_other(name)).collect();
        if names.is_empty() {
            let error = Error::input(path, io::Error::other("the directory has no certificates"));
            self.unusable(file, crt.line, path, &error);
        }
        let paths = names.into_iter().map(|name| path.join(name));
        paths
            .flat_map(|path| self.key_cert(file, crt.line, &path))
            .collect()
    }

    /// HAProxy's `crt`: private key and certificate in one file, or the key in one beside it.
    fn key_cert(&mut self, file: &str, line: usize, path: &Path) -> Vec<Located> {
        let contents = self.certificates(file, line, path, Source::Sent);
        if let Some(leaf) = contents.certificates.first() {
            let beside = key_beside(path);
            let is_beside = contents.keys.is_empty() && self.system.exists(&beside);
            let key_file = if is_beside { &beside } else { path };
            self.private_key(file, line, key_file, Some(leaf));
        }
        contents.certificates
    }

    /// A `crt-list` has a `crt` on each line, before its options and names.
    fn crt_list(&mut self, file: &str, list: &FileReference) {
        let path = Path::new(&list.path);
        let bytes = match self.named(path) {
            Ok(bytes) => bytes,
            Err(error) => return self.unusable(file, list.line, path, &error),
        };
        for crt in read_crt_list(&bytes, None) {
            if crt.path.starts_with('/') {
                let certificates = self.key_cert(&list.path, crt.line, Path::new(&crt.path));
                self.dates(&certificates);
            } else {
                self.findings.push(Finding {
                    severity: Severity::Unknown,
                    id: "not-understood",
                    about: format!("{}:{}", list.path, crt.line),
                    why: format!("where `{}` is depends on crt-base", crt.written),
                    next: Some("name it by its absolute path".to_owned()),
                });
            }
        }
    }

    /// A private key is nobody else's to read.
    fn secret(&mut self, file: &str, line: usize, path: &Path) {
        if self.system.is_readable_by_others(path) {
            self.findings.push(Finding {
                severity: Severity::Critical,
                id: "secret-readable",
                about: shown(path),
                why: format!(
                    "{file}:{line} names it, it holds a private key, and others can read it"
                ),
                next: Some(format!("chmod 0600 {}", path.display())),
            });
        }
    }

    fn certificates(&mut self, file: &str, line: usize, path: &Path, source: Source) -> Contents {
        let contents = self.named(path);
        match contents.and_then(|bytes| Contents::of(&bytes, path, source)) {
            Ok(contents) => {
                self.findings.extend(contents.findings.iter().cloned());
                contents
            }
            Err(error) => {
                self.unusable(file, line, path, &error);
                Contents::default()
            }
        }
    }

    fn anchors(&mut self, file: &str, ca_file: &FileReference) -> Vec<Located> {
        if ca_file.path == "@system-ca" {
            self.findings.push(Finding {
                severity: Severity::Unknown,
                id: "system-ca",
                about: format!("{file}:{}", ca_file.line),
                why: "what the system's trust store has is not looked at".to_owned(),
                next: Some("name a ca-file with the cluster's own CA alone".to_owned()),
            });
            return Vec::new();
        }
        let path = Path::new(&ca_file.path);
        if let Some(read) = self.trust_bundles.get(path) {
            return read.clone();
        }
        let read = self.trust_bundle(file, ca_file.line, path);
        self.trust_bundles.insert(path.to_owned(), read.clone());
        read
    }

    fn trust_bundle(&mut self, file: &str, line: usize, path: &Path) -> Vec<Located> {
        let is_directory = self.system.list(path).is_ok();
        if let Some(error) = self.named(path).err().filter(|_| !is_directory) {
            self.unusable(file, line, path, &error);
            return Vec::new();
        }
        match TrustBundle::read(path, self.system) {
            Ok(bundle) => {
                self.findings.extend(bundle.findings);
                bundle.certificates
            }
            Err(error) => {
                self.unusable(file, line, path, &error);
                Vec::new()
            }
        }
    }

    fn crls(&mut self, file: &str, crl_file: &FileReference) -> Vec<PathCrl> {
        let path = Path::new(&crl_file.path);
        let crls = self.named(path);
        let crls = crls.and_then(|bytes| crls_of(&bytes, path));
        crls.unwrap_or_else(|error| {
            self.unusable(file, crl_file.line, path, &error);
            Vec::new()
        })
    }

    /// A file that is named and of no use: missing or damaged is critical, for its program fails too;
    /// what only this user may not read is unknown.
    fn unusable(&mut self, file: &str, line: usize, path: &Path, error: &Error) {
        let (severity, id) = match error {
            Error::Input { error, .. } if error.kind() == io::ErrorKind::NotFound => {
                (Severity::Critical, "file-missing")
            }
            Error::Input { .. } => (Severity::Unknown, "file-unreadable"),
            _ => (Severity::Critical, "file-damaged"),
        };
        self.findings.push(Finding {
            severity,
            id,
            about: shown(path),
            why: format!("{file}:{line} names it: {}", because(error)),
            next: Some("put the right file there, or mend the line".to_owned()),
        });
    }
}

/// Where HAProxy looks for the key of a `crt` that has none.
fn key_beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".key");
    beside.into()
}

/// The server that a line leads to: the one that binds its port on its host; or the one that binds it on
/// every host, if that can be no other: it is the only line with this port, or the path of the
/// server.conf has the server's name.
fn peer_of<'p>(server: &Server, peers: &'p [Peer], addresses: &[&str]) -> Option<&'p Peer> {
    let (host, port) = server.address.rsplit_once(':')?;
    let bind_of = |peer: &'p Peer| {
        let bind = peer.conf.gunicorn_bind.as_ref()?;
        bind.value.rsplit_once(':').filter(|(_, own)| *own == port)
    };
    let binds_host = |peer: &&'p Peer| bind_of(peer).is_some_and(|(own, _)| own == host);
    if let Some(peer) = peers.iter().find(binds_host) {
        return Some(peer);
    }
    let binds_all = |peer: &&'p Peer| {
        bind_of(peer).is_some_and(|(own, _)| matches!(own, "" | "0.0.0.0" | "*" | "[::]"))
    };
    let everywhere: Vec<&Peer> = peers.iter().filter(binds_all).collect();
    let has_port = |address: &&&str| address.rsplit_once(':').is_some_and(|(_, it)| it == port);
    if let [only] = &everywhere[..]
        && addresses.iter().filter(has_port).take(2).count() == 1
    {
        return Some(only);
    }
    let name = server
        .name
        .split_once("--")
        .map_or(&*server.name, |it| it.1);
    let is_named = |peer: &&Peer| {
        let mut parts = Path::new(&peer.file).components();
        parts.any(|part| part.as_os_str() == name)
    };
    let mut named = everywhere.into_iter().filter(is_named);
    named.next().filter(|_| named.next().is_none())
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(SHOWN_OF_A_LINE) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.to_owned(),
    }
}
