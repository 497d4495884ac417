//! `zpki revoke`: a certificate is to be taken for valid no more. The CRL is the record, and there is
//! no second list; what is on it stays as it is.

mod choice;
mod refusal;
mod subject;

use std::path::PathBuf;

use serde::Serialize;
use time::OffsetDateTime;

use super::apply::{ApplyReport, Writing, finish};
use super::directory::PkiDirectory;
use super::error::Error;
use super::init::{FORCE, trusted_clock};
use super::next_steps;
use super::reconcile::{Besides, Reconciliation, Selection, Task};
use super::state::State;
use crate::audit::revocation::still_passes;
use crate::domain::cluster::Cluster;
use crate::domain::finding::Finding;
use crate::domain::name::EntryName;
use crate::domain::revocation::RevocationReason;
use crate::domain::serial_number::SerialNumber;
use crate::domain::validity::show;
use crate::system::System;
use choice::Choice;
use subject::Subject;

pub use refusal::{Live, Refusal};

/// What is to be revoked, and why.
#[derive(Debug)]
pub struct Request {
    /// The name of an entry, a serial number or the beginning of one, or a certificate's file.
    pub subject: PathBuf,
    /// Which certificates of an entry.
    pub which: Which,
    /// Why; `superseded` for those that are, else `unspecified`.
    pub reason: Option<RevocationReason>,
    /// What goes for every run that writes. Its `force` also goes for what is installed, and for what
    /// has expired.
    pub writing: Writing,
    /// A command to run for each entry whose host folder has changed.
    pub exec: Option<String>,
}

/// Which certificates of an entry that has several.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Which {
    /// All that are valid.
    All,
    /// The only one that is valid.
    #[default]
    One,
    /// All that are valid but the one that is installed.
    Superseded,
}

/// What was revoked.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RevokeReport {
    /// What was done besides.
    #[serde(flatten)]
    pub done: ApplyReport,
    /// Each certificate that the request was about.
    pub revocations: Vec<Considered>,
}

/// A certificate that was to be revoked.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Considered {
    /// Whose it is; None when that is not known.
    pub name: Option<EntryName>,
    /// Serial number.
    pub serial_number: SerialNumber,
    /// notAfter; None for what is known from the CRL alone.
    #[serde(with = "time::serde::rfc3339::option")]
    pub not_after: Option<OffsetDateTime>,
    /// What became of it.
    pub outcome: Outcome,
    /// revocationDate; None where it was not revoked.
    #[serde(with = "time::serde::rfc3339::option")]
    pub revoked_at: Option<OffsetDateTime>,
    /// Why it was revoked, according to the CRL.
    pub reason: Option<RevocationReason>,
    /// The entry in whose host folder it is.
    pub installed_for: Option<EntryName>,
    /// Whether a server takes it for a client's.
    #[serde(skip)]
    pub client_auth: bool,
}

/// What became of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was on the CRL before.
    AlreadyRevoked,
    /// It has expired, and nothing was done.
    Expired,
    /// It is on the CRL now.
    Revoked,
}

/// Revokes certificates, and signs the CRL that says so.
///
/// # Errors
/// A [`Refusal`], and those of every run that signs and writes; nothing has changed then, unless the
/// error says so.
pub fn run(
    request: Request,
    directory: &PkiDirectory,
    system: &mut System,
) -> Result<RevokeReport, Error> {
    let subject = Subject::find(&request, directory, system)?;
    let writer = directory.lock(request.writing.lock_timeout, system)?;
    let now = trusted_clock(system, request.writing.force, FORCE)?;
    let (choice, reconciliation) = directory.read(|view| {
        let state = State::read(view)?;
        let choice = Choice::of(&subject, &request, &state, view, now)?;
        let revoked = choice.revoked();
        let task = Task::Revoke { revoked };
        let reconciliation = Reconciliation::of(state, view, task, Selection::All, now)?;
        Ok((choice, reconciliation))
    })?;
    let findings = findings(&choice, &request, reconciliation.cluster(), now);
    let besides = Besides {
        hook: request.exec,
        changes: choice.inventory,
        actions: Vec::new(),
    };
    let writing = request.writing;
    let mut done = finish(&reconciliation, besides, writing, writer, directory, system)?;
    done.findings.extend(findings);
    let is_revoked = |it: &&Considered| it.outcome != Outcome::Expired;
    let revoked = choice.considered.iter().filter(is_revoked);
    let mut without: Vec<EntryName> = revoked.filter_map(|it| it.installed_for.clone()).collect();
    without.sort();
    without.dedup();
    let rekey = next_steps::rekey(&without, directory.path());
    done.next_steps.splice(0..0, rekey);
    Ok(RevokeReport {
        done,
        revocations: choice.considered,
    })
}

/// What there is to say of it.
fn findings(
    choice: &Choice,
    request: &Request,
    cluster: &Cluster,
    now: OffsetDateTime,
) -> Vec<Finding> {
    let asked = request.reason;
    let mut findings = choice.findings.clone();
    let revoked: Vec<&Considered> = choice
        .considered
        .iter()
        .filter(|it| it.outcome != Outcome::Expired)
        .collect();
    if !revoked.is_empty() && !cluster.settings().revocation.enabled {
        findings.push(Finding::warning(
            "revocation-not-enabled",
            "zpki.toml",
            "the revocation is recorded, and nobody reads the CRL: HAProxy's lines have no crl-file",
            "set enabled = true in [revocation] of zpki.toml, run `zpki apply`, put the new server lines in place of those in zato.config, and reload HAProxy",
        ));
    }
    for considered in &choice.considered {
        let about = considered.about();
        match (considered.outcome, considered.not_after) {
            (Outcome::AlreadyRevoked, _) => findings.extend(other_reason(considered, asked)),
            (Outcome::Expired, Some(not_after)) => {
                findings.push(expired(&about, not_after, considered, asked));
            }
            (Outcome::Expired, None) | (Outcome::Revoked, _) => {}
        }
        let until = considered.not_after.filter(|until| now < *until);
        if let Some(until) = until.filter(|_| considered.client_auth) {
            findings.push(still_passes(about, until, considered.reason));
        }
    }
    findings
}

/// The reason of an entry of the CRL stays what it is.
fn other_reason(considered: &Considered, asked: Option<RevocationReason>) -> Option<Finding> {
    let (asked, reason) = (asked?, considered.reason?);
    if asked == reason {
        return None;
    }
    let (id, about) = ("reason-not-changed", considered.about());
    let why = format!(
        "it was revoked before, for the reason {reason}, and what is on the CRL is never changed"
    );
    Some(match asked {
        RevocationReason::KeyCompromise => Finding::warning(
            id,
            about,
            format!("{why}: its key is not barred"),
            "make a new key wherever it is used: zpki rekey NAME --force",
        ),
        _ => Finding::note(id, about, why),
    })
}

fn expired(
    about: &str,
    not_after: OffsetDateTime,
    considered: &Considered,
    asked: Option<RevocationReason>,
) -> Finding {
    let why = format!("expired on {}: nothing to revoke", show(not_after));
    if asked != Some(RevocationReason::KeyCompromise) {
        return Finding::note("expired", about, why);
    }
    Finding::warning(
        "expired",
        about,
        format!("{why}; but its key is not barred, and `zpki renew` may use it again"),
        format!(
            "bar it: zpki revoke {} --reason keyCompromise --force",
            considered.serial_number
        ),
    )
}

impl Considered {
    /// What to call it.
    #[must_use]
    pub fn about(&self) -> String {
        match &self.name {
            Some(name) => format!("{name} {}", self.serial_number),
            None => self.serial_number.to_string(),
        }
    }
}
