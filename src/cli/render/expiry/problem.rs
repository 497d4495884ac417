//! What is to be told, worst first: the order and the words that all outputs for people share.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt::{self, Display, Formatter};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use time::OffsetDateTime;

use crate::audit::expiry::NEVER;
use crate::commands::expiry::report::{ExpiryReport, Located};
use crate::domain::expiry::{PathRole, Reason, State};
use crate::domain::finding::{Finding, Severity};
use crate::domain::remaining::Remaining;
use crate::domain::text::{PathText, Plain};
use crate::scan::read::ReadError;

/// One thing that is not well.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) enum Problem<'a> {
    /// What could not be read.
    Error(&'a ReadError),
    /// What is not about one file.
    Finding(&'a Finding),
    /// A certificate or a CRL.
    Item(Located<'a>),
}

/// Everything that is not well: the worst first, then by path and place. When the clock is to be
/// doubted, that alone is told.
pub(in crate::cli) fn problems(report: &ExpiryReport) -> Vec<Problem<'_>> {
    if report.clock_is_suspect {
        return report
            .findings
            .iter()
            .map(Problem::Finding)
            .take(1)
            .collect();
    }
    let items = report.items().map(Problem::Item);
    let errors = report.errors.iter().map(Problem::Error);
    let findings = report.findings.iter().map(Problem::Finding);
    let mut problems: Vec<_> = items.chain(errors).chain(findings).collect();
    problems.retain(|problem| problem.severity() != Severity::Ok);
    problems.sort_by(|one, other| one.key().cmp(&other.key()));
    problems
}

impl<'a> Problem<'a> {
    /// How bad it is.
    pub(in crate::cli) fn severity(self) -> Severity {
        match self {
            Self::Error(error) => error.reason.severity(),
            Self::Finding(finding) => finding.severity,
            Self::Item(item) => item.state.severity(),
        }
    }

    /// `CRIT` and the like.
    pub(super) fn label(self) -> &'static str {
        match self.severity() {
            Severity::Ok => "OK",
            Severity::Warning => "WARN",
            Severity::Unknown => "UNKN",
            Severity::Critical => "CRIT",
        }
    }

    /// What it is about, and in brackets what is wrong, as one line.
    pub(in crate::cli) fn line(self, at: OffsetDateTime) -> String {
        match self {
            Self::Error(error) => {
                let place = Place {
                    path: &error.path,
                    line: error.line,
                    index: error.index.unwrap_or(1),
                };
                format!(
                    "{place} ({}: {})",
                    error.reason.code(),
                    Plain(&error.message)
                )
            }
            Self::Finding(finding) => {
                format!("{} ({})", Plain(&finding.about), Plain(&finding.why))
            }
            Self::Item(item) => line(item, at),
        }
    }

    fn key(self) -> (Reverse<Severity>, &'a [u8], usize) {
        let (about, index) = match self {
            Self::Error(error) => (error.path.as_os_str().as_bytes(), error.index.unwrap_or(0)),
            Self::Finding(finding) => (finding.about.as_bytes(), 0),
            Self::Item(item) => (item.source.path.as_os_str().as_bytes(), item.index),
        };
        (Reverse(self.severity()), about, index)
    }
}

/// A certificate or a CRL, and in brackets how it stands, as one line.
pub(in crate::cli) fn line(item: Located<'_>, at: OffsetDateTime) -> String {
    let place = Place::of(item);
    let space = if name(item).is_empty() { "" } else { " " };
    format!("{place}{space}{} ({})", name(item), Standing { item, at })
}

/// Whose it is.
pub(super) fn name(item: Located<'_>) -> Cow<'static, str> {
    match item.dated.role {
        PathRole::Crl => format!("CRL of {}", item.dated.issuer()).into(),
        _ => item.dated.subject().into(),
    }
}

/// `FILE:LINE`; of a DER file with several, `FILE#INDEX`.
pub(super) struct Place<'a> {
    path: &'a Path,
    line: Option<usize>,
    index: usize,
}

impl<'a> Place<'a> {
    pub(super) fn of(item: Located<'a>) -> Self {
        Self {
            path: &item.source.path,
            line: item.line,
            index: item.index,
        }
    }
}

impl Display for Place<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Plain(&PathText(self.path).to_string()).fmt(f)?;
        match (self.line, self.index) {
            (Some(line), _) => write!(f, ":{line}"),
            (None, 0 | 1) => Ok(()),
            (None, index) => write!(f, "#{index}"),
        }
    }
}

/// How a certificate or a CRL stands, in words.
struct Standing<'a> {
    item: Located<'a>,
    at: OffsetDateTime,
}

impl Display for Standing<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let dated = &self.item.dated;
        let at = self.at.unix_timestamp();
        let until = |seconds: i64| Remaining(seconds.saturating_sub(at));
        match (self.item.reason, dated.not_after) {
            (Some(Reason::Inverted), _) => f.write_str("notAfter is before notBefore"),
            (Some(Reason::NotYetValid), _) => {
                write!(f, "not valid yet, but in {}", until(dated.not_before))
            }
            (_, None | Some(NEVER)) => f.write_str("never expires"),
            (_, Some(not_after)) if not_after <= at || self.item.state == State::Expired => {
                write!(f, "expired {}", until(not_after))
            }
            (Some(Reason::CaRunway), Some(not_after)) => {
                let left = until(not_after);
                write!(f, "expires in {left}, before what it would issue")
            }
            (_, Some(not_after)) => write!(f, "expires in {}", until(not_after)),
        }
    }
}
