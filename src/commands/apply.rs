//! `zpki apply`, and what does a part of it: `renew`, `rekey`, `ca renew`, `crl`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use super::ca_key::CaKeyAccess;
use super::config::report::ConfigReport;
use super::directory::PkiDirectory;
use super::error::Error;
use super::hooks::{self, HookReport};
use super::init::{FORCE, trusted_clock};
use super::issuance::Made;
use super::next_steps::{self, NextStep};
use super::reconcile::{Action, Besides, Done, Reconciliation, Selection, SignedCrl, Task};
use super::server::Edit;
use super::state::State;
use crate::domain::finding::Finding;
use crate::domain::name::ClusterName;
use crate::store::Writer;
use crate::system::System;

/// What is to be done.
#[derive(Debug)]
pub struct Request {
    /// What of all that could be.
    pub task: Task,
    /// Of which entries.
    pub selection: Selection,
    /// What becomes of zpki.toml first.
    pub edit: Option<Edit>,
    /// What goes for every run that writes.
    pub writing: Writing,
    /// A command to run for each entry whose host folder has changed.
    pub exec: Option<String>,
}

/// What goes for every run that signs and writes.
#[derive(Debug, Default)]
pub struct Writing {
    /// How the CA's key is come by, should anything be signed.
    pub ca_key: CaKeyAccess,
    /// Whether to believe a clock that seems wrong.
    pub force: bool,
    /// How long to wait for another run.
    pub lock_timeout: Duration,
    /// What there was to say while the request was read.
    pub findings: Vec<Finding>,
}

/// What was done.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplyReport {
    /// Version of this report's form.
    pub schema: u32,
    /// The instant of the run.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Whether anything was written.
    pub changed: bool,
    /// The PKI directory.
    pub directory: String,
    /// The cluster's name.
    pub cluster: ClusterName,
    /// What was done, and why.
    pub actions: Vec<Action>,
    /// The certificates that were made.
    pub certificates: Vec<Made>,
    /// The CRL, if one was signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crl: Option<SignedCrl>,
    /// The commands that were run.
    pub hooks: Vec<HookReport>,
    /// What was changed in the real configuration, if that was asked for too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<ConfigReport>,
    /// What to know besides.
    pub findings: Vec<Finding>,
    /// What to do next, in this order.
    pub next_steps: Vec<NextStep>,
    /// The files that were written, relative to the PKI directory.
    #[serde(skip)]
    pub written: Vec<PathBuf>,
}

/// Does what `plan` shows, or a part of it, in one transaction; then runs the commands that are owed.
///
/// # Errors
/// Any; nothing has changed then, unless the error says so.
pub fn run(
    mut request: Request,
    directory: &PkiDirectory,
    system: &mut System,
) -> Result<ApplyReport, Error> {
    let writer = directory.lock(request.writing.lock_timeout, system)?;
    let now = trusted_clock(system, request.writing.force, FORCE)?;
    let (edited, reconciliation) = directory.read(|view| {
        let edit = request.edit.as_ref();
        let edited = edit.map(|edit| edit.carry_out(view)).transpose()?;
        let cluster = match &edited {
            Some(edited) => edited.cluster.clone(),
            None => view.cluster()?,
        };
        let state = State::of(cluster, view)?;
        let task = request.task.clone();
        let selection = match &edited {
            Some(edited) if !edited.applies => Selection::Only(BTreeSet::new()),
            _ => request.selection.clone(),
        };
        let reconciliation = Reconciliation::of(state, view, task, selection, now)?;
        Ok((edited, reconciliation))
    })?;
    let mut besides = Besides {
        hook: request.exec,
        ..Besides::default()
    };
    if let Some(edited) = edited {
        request.writing.findings.extend(edited.findings);
        let (changes, actions): (Vec<_>, Vec<_>) = edited.change.into_iter().unzip();
        (besides.changes, besides.actions) = (changes, actions);
    }
    finish(
        &reconciliation,
        besides,
        request.writing,
        writer,
        directory,
        system,
    )
}

/// Carries out what was found to be needed, runs the commands that are owed, and reports.
pub(super) fn finish(
    reconciliation: &Reconciliation,
    besides: Besides,
    writing: Writing,
    writer: Writer,
    directory: &PkiDirectory,
    system: &mut System,
) -> Result<ApplyReport, Error> {
    let Writing {
        mut ca_key,
        force,
        lock_timeout,
        mut findings,
    } = writing;
    let mut actions = besides.actions.clone();
    actions.extend(reconciliation.actions());
    findings.extend(reconciliation.findings());
    let cluster = reconciliation.cluster();
    let done = if actions.is_empty() {
        drop(writer);
        Done::default()
    } else {
        reconciliation.check_clock(force)?;
        let authority = match reconciliation.signs() {
            true => Some(ca_key.open(reconciliation.ca(), cluster, directory, system)?),
            false => None,
        };
        reconciliation.carry_out(authority, besides, writer, system)?
    };
    let given = done.given.as_ref();
    let hooks = hooks::run(given, cluster, directory, lock_timeout, system);
    let hooks = hooks.unwrap_or_else(|error| {
        // What was done is done, and has to be told.
        findings.push(hooks::unread(&error));
        hooks::Run::default()
    });
    findings.extend(hooks.findings);
    Ok(ApplyReport {
        schema: 1,
        at: reconciliation.now(),
        changed: !actions.is_empty(),
        directory: directory.path().display().to_string(),
        cluster: cluster.settings().name.clone(),
        actions,
        next_steps: next_steps::after(&done, cluster, directory.path()),
        certificates: done.made,
        crl: done.crl,
        hooks: hooks.reports,
        config: None,
        findings,
        written: done.files,
    })
}
