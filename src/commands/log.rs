//! ca/log.jsonl: who did what, when and why. It holds no secrets.

use std::collections::HashMap;
use std::path::Path;

use memchr::{memchr, memmem, memrchr};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::directory::View;
use super::issuance::Made;
use crate::domain::name::EntryName;
use crate::domain::serial_number::SerialNumber;
use crate::domain::validity::{Validity, rfc3339};
use crate::store;
use crate::store::file::File;
use crate::store::layout::{self, CA, LOG, LOG_FILE};
use crate::store::transaction::Change;
use crate::x509::digest::sha256;

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
    /// Reads the log, the oldest part first. A line that cannot be read says nothing.
    pub(super) fn of(parts: &[&[u8]]) -> Self {
        let lines = parts
            .iter()
            .flat_map(|part| part.split(|byte| *byte == b'\n'));
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

/// The notBefore of the certificate that was made last, as the log has it. Only the end of the log is read.
pub(super) fn last_not_before(log: &[u8]) -> Option<OffsetDateTime> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Made {
        action: String,
        #[serde(with = "time::serde::rfc3339")]
        not_before: OffsetDateTime,
    }
    let ends = memmem::rfind_iter(log, b"\"notBefore\":");
    let mut made = ends.filter_map(|at| {
        let start = memrchr(b'\n', &log[..at]).map_or(0, |end| end + 1);
        let end = memchr(b'\n', &log[at..]).map_or(log.len(), |end| at + end);
        let made: Made = serde_json::from_slice(&log[start..end]).ok()?;
        // A CA that was imported began when it did.
        let is_own = matches!(&*made.action, "issue" | "rekey" | "renew" | "renew-ca");
        is_own.then_some(made.not_before)
    });
    made.next()
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

/// A log that is longer is put aside whole, and a new one begun: every run reads and writes it, and no file of
/// a PKI directory may have more than 64 MiB.
const LONGEST: usize = 16 << 20;

/// The numbers of the parts of the log that were put aside, the oldest first.
pub(super) fn former(view: &View<'_>) -> Result<Vec<u32>, store::Error> {
    let names = view.list(Path::new(CA))?;
    let mut numbers: Vec<u32> = names
        .iter()
        .filter_map(|it| layout::former_log_number(it))
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// What it takes to say of each event in the log, of which there is `old`, and besides it what was put aside
/// under the numbers of `former`.
pub(super) fn changes(
    old: Option<&[u8]>,
    former: &[u32],
    events: Vec<Event<'_>>,
    now: OffsetDateTime,
    by: &str,
) -> Vec<Change> {
    let bytes = old.unwrap_or_default();
    let is_long = bytes.len() > LONGEST;
    let number = former.last().map_or(1, |last| last.saturating_add(1));
    let aside = is_long.then(|| Change::Put {
        file: File::new(layout::former_log(number), LOG, bytes.to_vec()),
        before: None,
    });
    let continued = match is_long {
        true => continued(&[], events, now, by),
        false => continued(bytes, events, now, by),
    };
    let log = Change::Put {
        file: File::new(LOG_FILE, LOG, continued),
        before: old.map(sha256),
    };
    aside.into_iter().chain([log]).collect()
}

/// A line for each event, behind what the log has already.
fn continued(old: &[u8], events: Vec<Event<'_>>, now: OffsetDateTime, by: &str) -> Vec<u8> {
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

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_last_certificate_is_looked_for_from_the_end() {
        let made = |action: &str, year: u16| {
            format!("{{\"action\":\"{action}\",\"notBefore\":\"{year}-01-01T00:00:00Z\"}}\n")
        };
        let other = "{\"action\":\"revoke\",\"reason\":\"\\\"notBefore\\\":\"}\n";
        let log = made("issue", 2030) + &made("renew", 2028) + &made("ca-import", 2020);
        let expected = Some(datetime!(2028-01-01 0:00 UTC));
        for rest in ["", other, "{\"notBefore\":", "\n\n"] {
            let log = format!("{log}{rest}");
            assert_eq!(last_not_before(log.as_bytes()), expected, "{rest}");
        }
        assert_eq!(last_not_before(other.as_bytes()), None);
        assert_eq!(last_not_before(b""), None);
    }
}
