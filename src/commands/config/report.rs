//! What was changed in files of others, or would be.

use serde::Serialize;
use time::OffsetDateTime;

use crate::commands::next_steps::NextStep;
use crate::domain::finding::Finding;
use crate::domain::name::EntryName;

/// What was changed, or would be.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigReport {
    /// Version of this report's form.
    pub schema: u32,
    /// The instant of the run.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Whether anything was written.
    pub changed: bool,
    /// Each file that the run is about.
    pub files: Vec<FileReport>,
    /// The commands that were run, in this order.
    pub commands: Vec<CommandReport>,
    /// What to know besides.
    pub findings: Vec<Finding>,
    /// What to do next, in this order.
    pub next_steps: Vec<NextStep>,
}

impl ConfigReport {
    /// Whether anything was changed, or would be.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.files.iter().any(|file| file.change != Change::None)
    }
}

/// A file.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileReport {
    /// Where it is.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// The server whose it is, if it is known and one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<EntryName>,
    /// What becomes of it.
    pub change: Change,
    /// The change of a configuration, as `diff -u` shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
    /// Where the old text was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<String>,
}

/// What a file is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// HAProxy's configuration.
    Haproxy,
    /// A private key, certificate, trust bundle or CRL that a configuration names.
    Material,
    /// A server's configuration.
    ServerConf,
}

/// What becomes of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Its text changes.
    Edit,
    /// It comes from a host folder.
    Install,
    /// Nothing.
    None,
    /// It gets back an earlier text.
    RollBack,
}

/// A command that was run.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandReport {
    /// The command.
    pub command: String,
    /// The server that it was run for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<EntryName>,
}
