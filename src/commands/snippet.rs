//! `zpki snippet`: the lines for HAProxy and for server.conf, as `init` wrote them into the host
//! folders; a front-end for client applications; the keys for lb-agent.conf.

use serde::Serialize;
use time::OffsetDateTime;

use super::directory::{PkiDirectory, View, haproxy_files};
use super::error::Error;
use super::host_folder::server_settings;
use crate::config::{haproxy, snippet};
use crate::domain::cluster::{Cluster, HaproxyFiles};
use crate::domain::role::{ClientCertificate, Role};

/// Which lines.
#[derive(Clone, Debug)]
pub enum Request {
    /// A front-end of HAProxy for client applications.
    Frontend {
        /// What it asks of them.
        client_certificate: ClientCertificate,
    },
    /// The server lines of every server.
    Haproxy {
        /// Whether to write the plain lines, which check no name, whatever zpki.toml says.
        no_verifyhost: bool,
    },
    /// The keys of lb-agent.conf, which are the same for every cluster.
    LbAgent,
    /// The `[crypto]` section of one server.
    Server {
        /// Its name.
        name: String,
    },
}

/// The lines.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SnippetReport {
    /// Version of this report's form.
    pub schema: u32,
    /// The instant of the run.
    #[serde(with = "time::serde::rfc3339::option")]
    pub at: Option<OffsetDateTime>,
    /// Always false: nothing is written.
    pub changed: bool,
    /// The text to paste, complete, with comments.
    pub text: String,
    /// The lines that matter: one for each server, those of the front-end, or one for each setting.
    pub lines: Vec<String>,
    /// What is to be known besides.
    pub notes: Vec<&'static str>,
}

/// Writes the lines.
///
/// # Errors
/// When the directory cannot be read, or there is no such server.
pub fn run(
    request: &Request,
    directory: &PkiDirectory,
    now: Option<OffsetDateTime>,
) -> Result<SnippetReport, Error> {
    let mut notes = Vec::new();
    let (text, lines) = match request {
        Request::Frontend { client_certificate } => {
            directory.read(|view| frontend_lines(view, directory, *client_certificate))?
        }
        Request::Haproxy { no_verifyhost } => {
            directory.read(|view| haproxy_lines(view, directory, *no_verifyhost))?
        }
        Request::LbAgent => {
            notes.push(NO_TLS_OF_THE_AGENT);
            lb_agent_lines()
        }
        Request::Server { name } => directory.read(|view| server_lines(view, name))?,
    };
    Ok(SnippetReport {
        schema: 1,
        at: now,
        changed: false,
        text,
        lines,
        notes,
    })
}

/// Zato 3.2's agent, read.
const NO_TLS_OF_THE_AGENT: &str = "the load-balancer agent's own TLS does not work on a modern system: it asks for TLS 1.0, which \
     OpenSSL 3 refuses, and for ssl.wrap_socket, which Python has no more since 3.12; keep \
     is_tls_enabled false there";

fn frontend_lines(
    view: &View<'_>,
    directory: &PkiDirectory,
    client_certificate: ClientCertificate,
) -> Result<(String, Vec<String>), Error> {
    let cluster = view.cluster()?;
    let settings = cluster.settings();
    let files = files(directory, &cluster)?;
    let crl_file = files.crl_file.beside(APPLICATIONS_CRL);
    let text = snippet::frontend(&snippet::Frontend {
        backend: &settings.load_balancer.backend,
        client_certificate,
        crt: &files.crt,
        terminates_tls: settings.load_balancer.terminates_tls,
        ca_file: &files.ca_file.beside(APPLICATIONS_CA),
        crl_file: settings.revocation.enabled.then_some(&crl_file),
    });
    let lines = statements(&text).collect();
    Ok((text, lines))
}

/// Beside HAProxy's own ca-file, and not that: an application whose certificate is of the cluster's CA
/// passes for the load-balancer.
const APPLICATIONS_CA: &str = "applications.ca.pem";

/// Beside HAProxy's own crl-file.
const APPLICATIONS_CRL: &str = "applications.crl.pem";

fn lb_agent_lines() -> (String, Vec<String>) {
    let text = snippet::lb_agent();
    let keys = text.lines().filter(|line| line.contains(':'));
    let lines = keys.map(|line| line.trim().trim_end_matches(',').to_owned());
    let lines = lines.collect();
    (text, lines)
}

fn files(directory: &PkiDirectory, cluster: &Cluster) -> Result<HaproxyFiles, Error> {
    haproxy_files(directory.path(), &cluster.settings().load_balancer)
        .map_err(|invalid| Error::HaproxyPath { invalid })
}

/// The lines that are neither empty nor comments.
fn statements(text: &str) -> impl Iterator<Item = String> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned)
}

fn haproxy_lines(
    view: &View<'_>,
    directory: &PkiDirectory,
    no_verifyhost: bool,
) -> Result<(String, Vec<String>), Error> {
    let cluster = view.cluster()?;
    let files = files(directory, &cluster)?;
    let mut lines = cluster.server_lines(&files);
    if no_verifyhost {
        lines.iter_mut().for_each(|line| line.tls.verifyhost = None);
    }
    let text = snippet::haproxy(&lines);
    Ok((text, lines.iter().map(haproxy::server_line).collect()))
}

fn server_lines(view: &View<'_>, name: &str) -> Result<(String, Vec<String>), Error> {
    let cluster = view.cluster()?;
    let servers = || {
        cluster
            .entries()
            .iter()
            .filter(|entry| entry.role == Role::Server)
    };
    if !servers().any(|entry| entry.name.as_str() == name) {
        let known = servers().map(|entry| entry.name.clone()).collect();
        return Err(Error::UnknownServer {
            name: name.to_owned(),
            known,
        });
    }
    let text = server_settings(cluster.settings().load_balancer.client_certificate);
    let is_setting = |line: &String| !line.starts_with('[');
    let lines = statements(&text).filter(is_setting).collect();
    Ok((text, lines))
}
