//! `zpki plan`: what `apply` would do, and why.

use serde::Serialize;
use time::OffsetDateTime;

use super::directory::PkiDirectory;
use super::error::Error;
use super::hooks::Owed;
use super::reconcile::{Action, Reconciliation, Selection, Task};
use super::state::State;
use crate::domain::finding::Finding;
use crate::domain::name::ClusterName;

/// What there is to do.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanReport {
    /// Version of this report's form.
    pub schema: u32,
    /// The instant that was judged for.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Always false: nothing is written.
    pub changed: bool,
    /// The PKI directory.
    pub directory: String,
    /// The cluster's name.
    pub cluster: ClusterName,
    /// What `apply` would do, in its order; empty when everything is as zpki.toml says.
    pub actions: Vec<Action>,
    /// What to know besides.
    pub findings: Vec<Finding>,
}

/// Compares the PKI directory with its zpki.toml, for `at`. Neither the CA's key nor a passphrase is
/// needed.
///
/// # Errors
/// When it cannot be read, there is no CA, or a name of `selection` is unknown.
pub fn run(
    selection: &Selection,
    at: Option<OffsetDateTime>,
    directory: &PkiDirectory,
) -> Result<PlanReport, Error> {
    let at = at.ok_or(Error::NoClock)?;
    directory.read(|view| {
        let state = State::read(view)?;
        let reconciliation = Reconciliation::of(state, view, Task::Apply, selection.clone(), at)?;
        let mut findings = reconciliation.findings();
        findings.extend(reconciliation.later());
        findings.extend(reconciliation.owed_hooks().iter().map(Owed::pending));
        Ok(PlanReport {
            schema: 1,
            at,
            changed: false,
            directory: directory.path().display().to_string(),
            cluster: reconciliation.cluster().settings().name.clone(),
            actions: reconciliation.actions(),
            findings,
        })
    })
}
