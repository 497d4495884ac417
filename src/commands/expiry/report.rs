//! What `expiry` has to say, as plain data.

use std::ops::Deref;

use serde::Serialize;
use time::OffsetDateTime;

use crate::domain::expiry::{Reason, State};
use crate::domain::finding::{Finding, Severity};
use crate::domain::threshold::Thresholds;
use crate::scan::decode::{Found, Note};
use crate::scan::read::ReadError;
use crate::scan::walk::Source;
use crate::x509::dated::Dated;

/// What there is to say.
#[derive(Clone, Debug)]
pub struct ExpiryReport {
    /// The instant that was judged for.
    pub at: OffsetDateTime,
    /// The worst of it.
    pub status: Severity,
    /// What was asked for.
    pub thresholds: Thresholds,
    /// How many of each.
    pub summary: Summary,
    /// Whether it is rather the clock than each certificate; then only that is told.
    pub clock_is_suspect: bool,
    /// Every file with a certificate or a CRL, by path.
    pub files: Vec<InspectedFile>,
    /// What could not be read, by path and place.
    pub errors: Vec<ReadError>,
    /// What is not about one file: the clock, hooks that are owed, what was left out.
    pub findings: Vec<Finding>,
}

/// How many of each.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Files that were read.
    pub files: usize,
    /// Files that were not: excluded, or no regular files.
    pub skipped: usize,
    /// Keys, requests and key stores, which have no date that is looked at.
    pub not_inspected: usize,
    /// Certificates.
    pub certificates: usize,
    /// CRLs.
    pub crls: usize,
    /// Certificates and CRLs, by state.
    pub ok: usize,
    /// Expired, and another one of the same names has taken their place.
    pub superseded: usize,
    /// Below the first threshold.
    pub warning: usize,
    /// Below the second one.
    pub critical: usize,
    /// Expired.
    pub expired: usize,
    /// Not valid yet.
    pub not_yet_valid: usize,
    /// What could not be read.
    pub unreadable: usize,
}

impl Summary {
    /// The count of a state.
    pub(super) fn of(&mut self, state: State) -> &mut usize {
        match state {
            State::Critical => &mut self.critical,
            State::Expired => &mut self.expired,
            State::NotYetValid => &mut self.not_yet_valid,
            State::Ok => &mut self.ok,
            State::Superseded => &mut self.superseded,
            State::Warning => &mut self.warning,
        }
    }
}

/// A file and what is in it. There may be a hundred thousand of them, so that each is held as tightly
/// as it can be.
#[derive(Clone, Debug)]
pub struct InspectedFile {
    /// The file.
    pub source: Source,
    /// Its certificates and CRLs, in its order.
    pub items: Box<[Item]>,
}

/// A certificate or a CRL.
#[derive(Clone, Debug)]
pub struct Item {
    /// Which block of it, from 1.
    pub index: usize,
    /// The line of its BEGIN, from 1.
    pub line: Option<usize>,
    /// What it is.
    pub dated: Dated,
    /// What others make of it.
    pub note: Option<Note>,
    /// How it stands.
    pub state: State,
    /// Why; None when all is well.
    pub reason: Option<Reason>,
}

/// A certificate or a CRL, and its file.
#[derive(Clone, Copy, Debug)]
pub struct Located<'a> {
    /// The file.
    pub source: &'a Source,
    item: &'a Item,
}

impl<'a> Located<'a> {
    /// It alone, for as long as the report is there.
    #[must_use]
    pub fn item(self) -> &'a Item {
        self.item
    }
}

impl Deref for Located<'_> {
    type Target = Item;

    fn deref(&self) -> &Item {
        self.item
    }
}

impl InspectedFile {
    /// Each item with its file.
    pub fn located(&self) -> impl Iterator<Item = Located<'_>> + Clone {
        let source = &self.source;
        self.items.iter().map(move |item| Located { source, item })
    }
}

impl ExpiryReport {
    /// Every certificate and CRL, by path and place.
    pub fn items(&self) -> impl Iterator<Item = Located<'_>> + Clone {
        self.files.iter().flat_map(InspectedFile::located)
    }
}

impl Item {
    /// One that was found, and not judged yet.
    pub(super) fn of(found: Found) -> Self {
        Self {
            index: found.index,
            line: found.line,
            dated: found.dated,
            note: found.note,
            state: State::Ok,
            reason: None,
        }
    }

    /// Seconds until it runs out, negative afterwards; None for a CRL without an end.
    #[must_use]
    pub fn remaining(&self, at: OffsetDateTime) -> Option<i64> {
        Some(self.dated.not_after?.saturating_sub(at.unix_timestamp()))
    }
}
