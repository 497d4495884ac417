//! `zpki check --haproxy FILE --server-conf FILE`: the real configuration files, the files that they
//! name, and whether both ends of each line fit.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use serde::Serialize;
use time::OffsetDateTime;

use super::input::{Contents, Located, TrustBundle, crls, key_problem};
use super::verdict::{Encounter, Source, VerdictReport};
use super::{shown, worst_first};
use crate::audit::configuration::{self, Line, asked_for, speaks_tls};
use crate::commands::error::Error;
use crate::config::haproxy::{self, read_configuration};
use crate::config::problem::Problem;
use crate::config::server_conf::{self, read_server_conf};
use crate::domain::finding::{Finding, Severity};
use crate::domain::haproxy_tls::{FileReference, HaproxyTls, Server};
use crate::domain::server_conf::{CryptoSettings, ServerConf, Setting};
use crate::system::System;
use crate::verify::policy::Policy;
use crate::verify::signatures::CheckedSignatures;
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
        signatures: CheckedSignatures::default(),
        findings: Vec::new(),
    };
    let mut configurations = Vec::new();
    for path in &request.haproxy {
        configurations.push((path, inspection.haproxy(path)?));
    }
    let mut peers = BTreeMap::new();
    for path in &request.server_confs {
        peers.insert(path.clone(), inspection.server_conf(path)?);
    }
    let mut servers = Vec::new();
    let mut anchors = Anchors::default();
    for (path, haproxy) in &configurations {
        inspection.proxies(path, haproxy, &peers, &mut servers, &mut anchors);
    }
    inspection.findings.extend(anchors.shared());
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
    signatures: CheckedSignatures,
    findings: Vec<Finding>,
}

type Peers = BTreeMap<PathBuf, ServerConf>;

impl Inspection<'_> {
    fn haproxy(&mut self, path: &Path) -> Result<HaproxyTls, Error> {
        let bytes = self.read(path)?;
        let environment = &self.system.environment;
        let variable = |name: &str| {
            let value = environment.get(std::ffi::OsStr::new(name))?;
            value.to_str().map(str::to_owned)
        };
        let reading = read_configuration(&bytes, &variable);
        self.not_understood(path, &reading.problems, haproxy::reason::Reason::is_refused);
        Ok(reading.value)
    }

    fn server_conf(&mut self, path: &Path) -> Result<ServerConf, Error> {
        let bytes = self.read(path)?;
        let reading = read_server_conf(&bytes);
        self.not_understood(
            path,
            &reading.problems,
            server_conf::reason::Reason::is_refused,
        );
        let found = configuration::server_conf(&shown(path), &reading.value);
        self.findings.extend(found);
        Ok(reading.value)
    }

    fn read(&mut self, path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, Error> {
        self.system
            .read(path)
            .map_err(|error| Error::input(path, error))
    }

    /// What a file says that its own program refuses, or that cannot be judged.
    fn not_understood<R: Display>(
        &mut self,
        path: &Path,
        problems: &[Problem<R>],
        is_refused: impl Fn(&R) -> bool,
    ) {
        let findings = problems.iter().map(|problem| {
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
                why: format!("{problem}: {}", problem.text),
                next: Some(next.to_owned()),
            }
        });
        self.findings.extend(findings);
    }

    fn proxies(
        &mut self,
        path: &Path,
        haproxy: &HaproxyTls,
        peers: &Peers,
        servers: &mut Vec<ServerReport>,
        anchors: &mut Anchors,
    ) {
        let file = shown(path);
        for proxy in haproxy.proxies.iter().filter(|proxy| !proxy.disabled) {
            for bind in &proxy.binds {
                self.findings.extend(configuration::bind(&file, bind));
                for crt in &bind.crt {
                    self.key_cert(&file, crt);
                }
                for list in &bind.crt_list {
                    self.crt_list(&file, list);
                }
                if let Some(ca_file) = &bind.ca_file {
                    let place = format!("{file}:{}: bind {}", bind.line, bind.address);
                    anchors.clients.push((place, self.anchors(&file, ca_file)));
                }
            }
            for server in &proxy.servers {
                let peer = peer_of(server, peers);
                let line = Line {
                    file: &file,
                    proxy,
                    server,
                    peer: peer.as_ref().map(|(path, conf)| (path.as_str(), *conf)),
                };
                self.findings.extend(line.check());
                if server.options.ssl {
                    servers.push(self.line(&line, anchors));
                }
            }
        }
    }

    /// The certificates at both ends of a line.
    fn line(&mut self, line: &Line<'_>, anchors: &mut Anchors) -> ServerReport {
        let options = &line.server.options;
        let trusted = match &options.ca_file {
            Some(ca_file) => self.anchors(line.file, ca_file),
            None => Vec::new(),
        };
        let crls = options.crl_file.as_ref().map(|it| self.crls(line.file, it));
        let sent = match &options.crt {
            Some(crt) => self.key_cert(line.file, crt),
            None => Vec::new(),
        };
        let mut verdicts = Vec::new();
        if let Some((file, conf)) = line.peer
            && let Some(crypto) = conf.crypto.as_ref().filter(|crypto| speaks_tls(crypto))
        {
            let (own, accepted) = self.server_files(file, crypto);
            if line.is_verified() {
                let name = line.checked_name().map(str::to_owned);
                let hosts: Vec<String> = name.into_iter().collect();
                let verdict = self.judge(
                    Policy::HaproxyServer,
                    &own,
                    &trusted,
                    &hosts,
                    crls.as_deref(),
                );
                verdicts.extend(verdict);
            }
            if asked_for(crypto).is_sent() {
                verdicts.extend(self.judge(Policy::ServerClient, &sent, &accepted, &[], None));
                anchors.servers.push((file.to_owned(), accepted));
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
        if let Some((line, path)) = locate(&crypto.priv_key_location)
            && let Some(leaf) = own.certificates.first()
        {
            let keys = self.certificates(file, line, &path, Source::Sent).keys;
            let problems = keys.iter().filter_map(|key| key_problem(key, leaf));
            self.findings.extend(problems);
            self.secret(file, line, &path);
        }
        let accepted = match locate(&crypto.ca_certs_location) {
            Some((line, path)) => self.certificates(file, line, &path, Source::TrustBundle),
            None => Contents::default(),
        };
        (own.certificates, accepted.certificates)
    }

    /// HAProxy's `crt`: private key and certificate in one file.
    fn key_cert(&mut self, file: &str, crt: &FileReference) -> Vec<Located> {
        let path = PathBuf::from(&crt.path);
        if let Ok(names) = self.system.list(&path) {
            let files = names.into_iter().map(|name| path.join(name));
            let mut all = Vec::new();
            for path in files.collect::<Vec<_>>() {
                all.extend(self.key_cert_file(file, crt.line, &path));
            }
            return all;
        }
        self.key_cert_file(file, crt.line, &path)
    }

    fn key_cert_file(&mut self, file: &str, line: usize, path: &Path) -> Vec<Located> {
        let contents = self.certificates(file, line, path, Source::Sent);
        if let Some(leaf) = contents.certificates.first() {
            if contents.keys.is_empty() && !self.system.exists(&key_beside(path)) {
                self.findings.push(Finding {
                    severity: Severity::Critical,
                    id: "key-missing",
                    about: shown(path),
                    why: format!("{file}:{line} names it as `crt`, and it has no private key: HAProxy does not start"),
                    next: Some("put the private key into the same file".to_owned()),
                });
            }
            let problems = contents
                .keys
                .iter()
                .filter_map(|key| key_problem(key, leaf));
            self.findings.extend(problems);
            self.secret(file, line, path);
        }
        contents.certificates
    }

    /// A `crt-list` has a `crt` on each line, before its options and names.
    fn crt_list(&mut self, file: &str, list: &FileReference) {
        let path = Path::new(&list.path);
        let text = match self.read(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => return self.unusable(file, list.line, path, &error),
        };
        let words = text.lines().map(|line| line.split_whitespace().next());
        for (word, line) in words.zip(1..) {
            match word {
                Some(crt) if crt.starts_with('/') => {
                    self.key_cert_file(&list.path, line, Path::new(crt));
                }
                Some(word) if !word.starts_with('#') => self.findings.push(Finding {
                    severity: Severity::Unknown,
                    id: "not-understood",
                    about: format!("{}:{line}", list.path),
                    why: format!("where `{word}` is depends on crt-base"),
                    next: Some("name it by its absolute path".to_owned()),
                }),
                _ => {}
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
        match Contents::read(path, source, self.system) {
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
        match TrustBundle::read(path, self.system) {
            Ok(bundle) => {
                self.findings.extend(bundle.findings);
                bundle.certificates
            }
            Err(error) => {
                self.unusable(file, ca_file.line, path, &error);
                Vec::new()
            }
        }
    }

    fn crls(&mut self, file: &str, crl_file: &FileReference) -> Vec<PathCrl> {
        let path = Path::new(&crl_file.path);
        crls(path, self.system).unwrap_or_else(|error| {
            self.unusable(file, crl_file.line, path, &error);
            Vec::new()
        })
    }

    /// A file that is named and of no use: missing or damaged is critical, for its program fails too;
    /// what only this user may not read is unknown.
    fn unusable(&mut self, file: &str, line: usize, path: &Path, error: &Error) {
        let (severity, id) = match error {
            Error::Input { error, .. } if error.kind() == std::io::ErrorKind::NotFound => {
                (Severity::Critical, "file-missing")
            }
            Error::Input { .. } => (Severity::Unknown, "file-unreadable"),
            _ => (Severity::Critical, "file-damaged"),
        };
        let reasons = error.reasons().into_iter();
        let because: Vec<String> = reasons.flat_map(|reason| reason.because).collect();
        self.findings.push(Finding {
            severity,
            id,
            about: shown(path),
            why: format!("{file}:{line} names it: {}", because.join(": ")),
            next: Some("put the right file there, or mend the line".to_owned()),
        });
    }

    fn judge(
        &mut self,
        policy: Policy,
        sent: &[Located],
        trusted: &[Located],
        hosts: &[String],
        crls: Option<&[PathCrl]>,
    ) -> Vec<VerdictReport> {
        // Without a trust bundle, which was told, nobody accepts anything.
        if trusted.is_empty() {
            return Vec::new();
        }
        let encounter = Encounter {
            sent,
            trusted,
            crls,
            hosts,
            at: self.at,
            signatures: &self.signatures,
        };
        let second = Policy::Strict(policy.purpose());
        let (reports, findings) = encounter.judged_by(&[policy, second]);
        self.findings.extend(findings);
        reports
    }
}

/// Where HAProxy looks for the key of a `crt` that has none.
fn key_beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".key");
    beside.into()
}

/// The server.conf of the server that a line leads to: the one that binds its port on its host, or on
/// every host. Of several, the one whose path has the server's name.
fn peer_of<'p>(server: &Server, peers: &'p Peers) -> Option<(String, &'p ServerConf)> {
    let (host, port) = server.address.rsplit_once(':')?;
    let binds = |conf: &ServerConf| {
        let bind = conf.gunicorn_bind.as_ref()?;
        let (own_host, own_port) = bind.value.rsplit_once(':')?;
        let is_any = matches!(own_host, "" | "0.0.0.0" | "*" | "[::]");
        Some(own_port == port && (is_any || own_host == host))
    };
    let fitting = peers.iter().filter(|(_, conf)| binds(conf) == Some(true));
    let fitting: Vec<_> = fitting.collect();
    let short_name = server.name.rsplit("--").next().unwrap_or(&server.name);
    let is_named = |path: &Path| path.components().any(|part| part.as_os_str() == short_name);
    let (path, conf) = match fitting[..] {
        [only] => only,
        _ => fitting.into_iter().find(|(path, _)| is_named(path))?,
    };
    Some((shown(path), conf))
}
