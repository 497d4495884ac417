//! ca/log.jsonl: who did what, when and why. It holds no secrets.

use std::collections::HashMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
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
    /// Where the wish came from, when it was not zpki.toml.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) origin: Option<&'a str>,
}

/// The origin of what was asked for on the command line or in a manifest: zpki.toml never named it.
pub(super) const REQUEST: &str = "request";

/// What is looked for in a line that was read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read {
    action: String,
    name: Option<String>,
    serial_number: Option<String>,
    origin: Option<String>,
}

/// Which certificates zpki.toml called for, as the log has it.
#[derive(Debug)]
pub(super) struct Origins {
    /// By name and serial number.
    certificates: HashMap<(String, String), bool>,
    /// The last of each name.
    last: HashMap<String, bool>,
}

impl Origins {
    /// Reads the log. A line that cannot be read says nothing.
    pub(super) fn of(log: &[u8]) -> Self {
        let lines = log.split(|byte| *byte == b'\n');
        let lines = lines.filter_map(|line| serde_json::from_slice::<Read>(line).ok());
        let mut origins = Self {
            certificates: HashMap::new(),
            last: HashMap::new(),
        };
        for line in lines.filter(|it| matches!(&*it.action, "issue" | "rekey" | "renew")) {
            let (Some(name), Some(serial_number)) = (line.name, line.serial_number) else {
                continue;
            };
            let named = line.origin.is_none();
            origins.last.insert(name.clone(), named);
            origins.certificates.insert((name, serial_number), named);
        }
        origins
    }

    /// Whether zpki.toml named `name` when the certificate with `serial_number` was made, or else the last
    /// one. What the log does not know was not named.
    pub(super) fn was_named(&self, name: &EntryName, serial_number: Option<&SerialNumber>) -> bool {
        let name = name.to_string();
        let named = match serial_number {
            Some(serial_number) => self.certificates.get(&(name, serial_number.to_string())),
            None => self.last.get(&name),
        };
        named.copied().unwrap_or_default()
    }
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
        origin: None,
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
