//! What was revoked: a line for each certificate, then what was done.

use super::Rendered;
use super::apply::apply;
use super::text::{Table, Verbosity};
use crate::commands::revoke::{Considered, Outcome, RevokeReport};
use crate::domain::validity::show as date;

/// `zpki revoke`.
pub(in crate::cli) fn revoke(report: &RevokeReport, verbosity: Verbosity) -> Rendered {
    let rendered = apply(&report.done, verbosity);
    if verbosity == Verbosity::Quiet || report.revocations.is_empty() {
        return rendered;
    }
    let headings = ["OUTCOME", "NAME", "SERIAL", "NOT AFTER", "REASON"];
    let mut table = Table::new(&headings, Verbosity::Normal);
    for considered in &report.revocations {
        table.row(cells(considered), || []);
    }
    Rendered {
        stdout: format!("{}\n{}", table.draw(), rendered.stdout),
        ..rendered
    }
}

fn cells(considered: &Considered) -> [String; 5] {
    let none = || "-".to_owned();
    let outcome = match considered.outcome {
        Outcome::AlreadyRevoked => "already-revoked",
        Outcome::Expired => "expired",
        Outcome::Revoked => "revoked",
    };
    let name = considered.name.as_ref();
    [
        outcome.to_owned(),
        name.map_or_else(none, ToString::to_string),
        considered.serial_number.to_string(),
        considered.not_after.map_or_else(none, date),
        considered.reason.map_or_else(none, |it| it.to_string()),
    ]
}
