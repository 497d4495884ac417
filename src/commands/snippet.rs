//! `zpki snippet`: the lines for HAProxy and for server.conf, as `init` wrote them into the host
//! folders.

use serde::Serialize;
use time::OffsetDateTime;

use super::directory::{PkiDirectory, View, haproxy_files};
use super::error::Error;
use super::host_folder::server_settings;
use crate::config::{haproxy, snippet};
use crate::domain::role::Role;

/// Which lines.
#[derive(Clone, Debug)]
pub enum Request {
    /// The server lines of every server.
    Haproxy {
        /// Whether to write the plain lines, which check no name, whatever zpki.toml says.
        no_verifyhost: bool,
    },
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
    /// The lines that matter: one for each server, or the settings of `[crypto]`.
    pub lines: Vec<String>,
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
    let (text, lines) = directory.read(|view| match request {
        Request::Haproxy { no_verifyhost } => haproxy_lines(view, directory, *no_verifyhost),
        Request::Server { name } => server_lines(view, name),
    })?;
    Ok(SnippetReport {
        schema: 1,
        at: now,
        changed: false,
        text,
        lines,
    })
}

fn haproxy_lines(
    view: &View<'_>,
    directory: &PkiDirectory,
    no_verifyhost: bool,
) -> Result<(String, Vec<String>), Error> {
    let cluster = view.cluster()?;
    let files = haproxy_files(directory.path(), &cluster.settings().load_balancer)
        .map_err(|invalid| Error::HaproxyPath { invalid })?;
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
    let setting = |line: &&str| !line.is_empty() && !line.starts_with(['#', '[']);
    let lines = text.lines().filter(setting).map(str::to_owned).collect();
    Ok((text, lines))
}
