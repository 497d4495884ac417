//! ca/log.jsonl: who did what, when and why. It holds no secrets.

use rayon::prelude::*;
use serde::Serialize;
use time::OffsetDateTime;

use super::issuance::Made;
use crate::domain::name::EntryName;
use crate::domain::serial_number::SerialNumber;
use crate::domain::validity::{Validity, rfc3339};

pub mod report;

/// One line.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LogLine<'a> {
    at: &'a str,
    action: &'a str,
    by: &'a str,
    #[serde(flatten)]
    event: Event<'a>,
}

/// What was done, of which what does not apply is left out.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event<'a> {
    #[serde(skip)]
    pub(super) action: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a EntryName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) serial_number: Option<&'a SerialNumber>,
    #[serde(flatten)]
    pub(super) validity: Option<Validity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

/// What the log is told of one certificate.
pub(super) fn certificate<'a>(
    action: &'a str,
    made: &'a Made,
    reason: Option<String>,
) -> Event<'a> {
    Event {
        action,
        name: Some(&made.name),
        serial_number: Some(&made.serial_number),
        validity: Some(made.validity),
        reason,
    }
}

/// A line for each certificate of a new cluster.
pub(super) fn issued(certificates: &[Made], now: OffsetDateTime, by: &str) -> String {
    let at = &rfc3339(now);
    let lines = certificates
        .par_iter()
        .map(|made| line(certificate("issue", made, None), at, by));
    lines.collect()
}

/// A line for each event, behind what the log has already.
pub(super) fn continued(
    old: &[u8],
    events: Vec<Event<'_>>,
    now: OffsetDateTime,
    by: &str,
) -> Vec<u8> {
    let at = &rfc3339(now);
    let mut log = old.to_vec();
    if log.last().is_some_and(|last| *last != b'\n') {
        log.push(b'\n');
    }
    for event in events {
        log.extend(line(event, at, by).into_bytes());
    }
    log
}

fn line(event: Event<'_>, at: &str, by: &str) -> String {
    let action = event.action;
    let line = LogLine {
        at,
        action,
        by,
        event,
    };
    let json = serde_json::to_string(&line);
    json.expect("a log line has only strings and dates") + "\n"
}
