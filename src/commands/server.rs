//! `zpki server add` and `zpki server remove`: zpki.toml with one server more or less.

use std::path::Path;

use super::directory::View;
use super::error::Error;
use super::reconcile::{Action, Verb, was_issued};
use crate::config::diff;
use crate::domain::cluster::Cluster;
use crate::domain::finding::Finding;
use crate::domain::name::EntryName;
use crate::domain::settings::ServerSettings;
use crate::domain::text::joined;
use crate::plan::reason::Reason;
use crate::store::cluster_file::{self, Problem};
use crate::store::file::File;
use crate::store::layout::{CLUSTER_FILE, PUBLIC};
use crate::store::transaction::Change;
use crate::x509::digest::sha256;

/// A change of zpki.toml, which keeps whatever else stands there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Edit {
    /// A server more.
    Add(Box<ServerSettings>),
    /// A server less.
    Remove(EntryName),
}

/// The cluster as zpki.toml will describe it, and what becomes of the file.
#[derive(Debug)]
pub(super) struct Edited {
    pub(super) cluster: Cluster,
    /// How, and what is told of it; None when the file is so already.
    pub(super) change: Option<(Change, Action)>,
    /// Whether what zpki.toml says is to be applied: not when there was nothing to take out of it.
    pub(super) applies: bool,
    pub(super) findings: Vec<Finding>,
}

impl Edit {
    /// What it makes of the zpki.toml of `view`.
    pub(super) fn carry_out(&self, view: &View<'_>) -> Result<Edited, Error> {
        let cluster = view.cluster()?;
        let path = Path::new(CLUSTER_FILE);
        let bytes = view.bytes(path)?.unwrap_or_default();
        let mode = view.metadata(path)?.map_or(PUBLIC, |found| found.mode);
        let text = String::from_utf8_lossy(&bytes);
        let (text, findings) = match self {
            Self::Add(server) => add(&text, &cluster, server)?,
            Self::Remove(name) => remove(&text, name, &cluster, view)?,
        };
        let Some(text) = text else {
            return Ok(Edited {
                cluster,
                change: None,
                applies: matches!(self, Self::Add(_)),
                findings,
            });
        };
        let action = Action {
            action: Verb::Write,
            name: None,
            path: Some(CLUSTER_FILE.to_owned()),
            reasons: vec![Reason::Forced],
            diff: Some(diff::unified(&bytes, text.as_bytes())),
        };
        Ok(Edited {
            cluster: parsed(&text)?,
            change: Some((put(&bytes, text, mode), action)),
            applies: true,
            findings,
        })
    }
}

fn put(old: &[u8], text: String, mode: u32) -> Change {
    Change::Put {
        file: File::new(CLUSTER_FILE, mode, text),
        before: Some(sha256(old)),
    }
}

type Text = (Option<String>, Vec<Finding>);

/// With the hosts that it gets by default written out, so that they stay what they are when a default
/// changes.
fn add(text: &str, cluster: &Cluster, server: &ServerSettings) -> Result<Text, Error> {
    let servers = &cluster.settings().servers;
    if let Some(known) = servers.iter().find(|known| known.name == server.name) {
        let is_same = known.address == server.address
            && (server.hosts.is_empty() || known.hosts == server.hosts);
        return match is_same {
            true => Ok((None, Vec::new())),
            false => Err(Error::ServerExists {
                name: server.name.clone(),
            }),
        };
    }
    let with = |server: &ServerSettings| cluster_file::add_server(text, server).map_err(unfit);
    let edited = with(server)?;
    let cluster = parsed(&edited)?;
    let entry = cluster.entry(server.name.as_str());
    let Some(entry) = entry.filter(|entry| !entry.chosen.is_empty()) else {
        return Ok((Some(edited), Vec::new()));
    };
    let server = ServerSettings {
        hosts: entry.hosts.clone(),
        ..server.clone()
    };
    let chosen = format!("host names by default: {}", joined(&entry.chosen, ", "));
    let finding = Finding::note("default-hosts", &entry.name, chosen);
    Ok((Some(with(&server)?), vec![finding]))
}

/// A name that never was one is a slip of the pen; one that is removed already is as it should be.
fn remove(text: &str, name: &EntryName, cluster: &Cluster, view: &View<'_>) -> Result<Text, Error> {
    if let Some(text) = cluster_file::remove_server(text, name).map_err(unfit)? {
        return Ok((Some(text), Vec::new()));
    }
    let is_another = cluster.entry(name.as_str()).is_some();
    if is_another || !was_issued(name.as_str(), view)? {
        let servers = cluster.settings().servers.iter();
        return Err(Error::UnknownServer {
            name: name.to_string(),
            known: servers.map(|server| server.name.clone()).collect(),
        });
    }
    let why = "zpki.toml names no server of that name any more";
    let finding = Finding::note("no-such-server", name, why);
    Ok((None, vec![finding]))
}

fn parsed(text: &str) -> Result<Cluster, Error> {
    cluster_file::parse(text.as_bytes()).map_err(unfit)
}

fn unfit(problems: Vec<Problem>) -> Error {
    Error::Unfit { problems }
}
