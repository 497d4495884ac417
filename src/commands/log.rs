//! ca/log.jsonl: who did what, and when. It holds no secrets.

use rayon::prelude::*;
use serde::Serialize;
use time::OffsetDateTime;

use super::issuance::Made;
use crate::domain::name::EntryName;
use crate::domain::serial_number::SerialNumber;
use crate::domain::validity::{Validity, rfc3339};

/// One line.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogLine<'a> {
    at: &'a str,
    action: &'a str,
    by: &'a str,
    name: &'a EntryName,
    serial_number: &'a SerialNumber,
    #[serde(flatten)]
    validity: Validity,
}

/// A line for each certificate that was issued at `now`.
pub(super) fn issued(certificates: &[Made], now: OffsetDateTime, by: &str) -> String {
    let at = &rfc3339(now);
    let lines = certificates.par_iter().map(|made| {
        let line = LogLine {
            at,
            action: "issue",
            by,
            name: &made.name,
            serial_number: &made.serial_number,
            validity: made.validity,
        };
        let json = serde_json::to_string(&line);
        json.expect("a log line has only strings and dates") + "\n"
    });
    lines.collect()
}
