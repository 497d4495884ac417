//! `zpki log`: what ca/log.jsonl says, and what was put aside of it, line by line.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::commands::directory::{PkiDirectory, View};
use crate::commands::error::Error;
use crate::domain::finding::{Finding, Severity};
use crate::store::layout::{self, CLUSTER_FILE, LOG_FILE};

/// Which events.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Those of an entry of this name only.
    pub name: Option<String>,
    /// Those from this instant on only.
    pub since: Option<OffsetDateTime>,
}

/// What the log says.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogReport {
    /// Version of this report's form.
    pub schema: u32,
    /// The instant of the run.
    #[serde(with = "time::serde::rfc3339::option")]
    pub at: Option<OffsetDateTime>,
    /// Always false: nothing is written.
    pub changed: bool,
    /// The PKI directory.
    pub directory: String,
    /// The events, the newest last.
    pub events: Vec<Event>,
    /// The lines that cannot be read; or that there is no log.
    pub findings: Vec<Finding>,
}

/// One line of the log.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What was done: `issue`, or another word, also of a later release.
    pub action: String,
    /// By whom.
    pub by: String,
    /// To the entry of this name.
    pub name: Option<String>,
    /// The serial number of its certificate.
    pub serial_number: Option<String>,
    /// The certificate's notBefore.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub not_before: Option<OffsetDateTime>,
    /// The certificate's notAfter.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub not_after: Option<OffsetDateTime>,
    /// Why it was done.
    pub reason: Option<String>,
    /// The command that did it.
    pub command: Option<String>,
    /// What else the line says, as a later release may write it.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl LogReport {
    /// The worst that there is to say.
    #[must_use]
    pub fn severity(&self) -> Severity {
        let severities = self.findings.iter().map(|finding| finding.severity);
        severities.max().unwrap_or_default()
    }
}

/// Reads the log.
///
/// # Errors
/// When there is no PKI directory, or the log cannot be read.
pub fn run(
    request: &Request,
    directory: &PkiDirectory,
    now: Option<OffsetDateTime>,
) -> Result<LogReport, Error> {
    let (events, findings) = directory.read(|view| read(view, request))?;
    Ok(LogReport {
        schema: 1,
        at: now,
        changed: false,
        directory: directory.path().display().to_string(),
        events,
        findings,
    })
}

type Read = (Vec<Event>, Vec<Finding>);

fn read(view: &View<'_>, request: &Request) -> Result<Read, Error> {
    let former = super::former(view)?;
    let mut parts: Vec<PathBuf> = former.into_iter().map(layout::former_log).collect();
    parts.push(LOG_FILE.into());
    let (mut all, mut findings, mut is_there) = (Vec::new(), Vec::new(), false);
    for part in parts {
        if let Some(bytes) = view.bytes(&part)? {
            let (events, of_part) = events(&bytes, &part, request);
            all.extend(events);
            findings.extend(of_part);
            is_there = true;
        }
    }
    if is_there {
        return Ok((all, findings));
    }
    if view.metadata(Path::new(CLUSTER_FILE))?.is_none() {
        let path = view.path().to_owned();
        return Err(Error::NotAPkiDirectory { path });
    }
    let finding = Finding::note("log-missing", LOG_FILE, "there is no log");
    Ok((Vec::new(), vec![finding]))
}

/// The events that are asked for, and the lines that are none.
fn events(bytes: &[u8], file: &Path, request: &Request) -> Read {
    let lines: Vec<(usize, &[u8])> = bytes
        .split(|octet| *octet == b'\n')
        .zip(1..)
        .filter(|(line, _)| !line.trim_ascii().is_empty())
        .map(|(line, number)| (number, line))
        .collect();
    let read = lines.into_par_iter().map(|(number, line)| {
        serde_json::from_slice::<Event>(line).map_err(|error| damaged(file, number, line, &error))
    });
    let wanted = read.filter(|event| event.as_ref().map_or(true, |event| request.wants(event)));
    wanted.collect::<Vec<_>>().into_iter().fold(
        (Vec::new(), Vec::new()),
        |(mut events, mut findings), read| {
            match read {
                Ok(event) => events.push(event),
                Err(finding) => findings.push(finding),
            }
            (events, findings)
        },
    )
}

impl Request {
    fn wants(&self, event: &Event) -> bool {
        let is_named = self.name.is_none() || self.name == event.name;
        is_named && self.since.is_none_or(|since| event.at >= since)
    }
}

fn damaged(file: &Path, number: usize, line: &[u8], error: &serde_json::Error) -> Finding {
    let why = if error.is_data() {
        format!("it is no event of the log: {}", what_is_wrong(line))
    } else {
        "it is not JSON, or was cut off".to_owned()
    };
    Finding::warning(
        "log-line",
        format!("{}:{number}", file.display()),
        why,
        "see who writes to the log beside zpki; a backup may have the line",
    )
}

/// What a line of JSON lacks to be an [`Event`].
fn what_is_wrong(line: &[u8]) -> String {
    let Ok(fields) = serde_json::from_slice::<Map<String, Value>>(line) else {
        return "it is not a JSON object".to_owned();
    };
    let missing = NEEDED.iter().find(|name| !fields.contains_key(**name));
    if let Some(name) = missing {
        return format!("it has no `{name}`");
    }
    let is_text = |name: &str| match fields.get(name) {
        Some(Value::Null) => !NEEDED.contains(&name),
        value => value.is_none_or(Value::is_string),
    };
    if let Some(name) = TEXTS.iter().find(|name| !is_text(name)) {
        return format!("its `{name}` is not text");
    }
    let is_instant = |name: &str| {
        let text = fields.get(name).and_then(Value::as_str);
        text.is_none_or(|text| OffsetDateTime::parse(text, &Rfc3339).is_ok())
    };
    match INSTANTS.iter().find(|name| !is_instant(name)) {
        Some(name) => format!("its `{name}` is not an instant such as 2026-11-23T12:00:00Z"),
        None => "it has a field twice".to_owned(),
    }
}

/// Without which a line is no event.
const NEEDED: [&str; 3] = ["at", "action", "by"];
/// Whose values are text.
const TEXTS: [&str; 9] = [
    "at",
    "action",
    "by",
    "name",
    "serialNumber",
    "notBefore",
    "notAfter",
    "reason",
    "command",
];
/// Whose text is an instant, RFC 3339.
const INSTANTS: [&str; 3] = ["at", "notBefore", "notAfter"];

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn each_line_is_an_event_or_a_finding_with_its_number() {
        let log = b"\
{\"at\":\"2026-11-23T12:00:00Z\",\"action\":\"issue\",\"by\":\"a\",\"name\":\"server1\"}\r
\n{\"at\":\"2026-11-23T12:00:00Z\",\"action\":\"issue\"}
{\"at\":\"yesterday\",\"action\":\"issue\",\"by\":\"a\"}
[]
{\"at\":\"2026-11-24T12:00:00Z\",\"action\":\"ca-renew\",\"by\":\"b\",\"ticket\":7}
\xff
{\"at\":\"2026-11-24T12:00:00Z\",\"acti";
        let (events, findings) = events(log, Path::new(LOG_FILE), &Request::default());
        let actions: Vec<&str> = events.iter().map(|event| event.action.as_str()).collect();
        assert_eq!(actions, ["issue", "ca-renew"]);
        assert_eq!(events[1].more["ticket"], 7);
        let places: Vec<&str> = findings.iter().map(|it| it.about.as_str()).collect();
        let expected = [3, 4, 5, 7, 8].map(|line| format!("ca/log.jsonl:{line}"));
        assert_eq!(places, expected);
        let why: Vec<&str> = findings.iter().map(|it| it.why.as_str()).collect();
        assert_eq!(
            why,
            [
                "it is no event of the log: it has no `by`",
                "it is no event of the log: its `at` is not an instant such as 2026-11-23T12:00:00Z",
                "it is no event of the log: it is not a JSON object",
                "it is not JSON, or was cut off",
                "it is not JSON, or was cut off",
            ]
        );
    }

    #[test]
    fn the_field_that_is_wrong_is_named() {
        let whole = "\"at\":\"2026-11-23T12:00:00Z\",\"action\":\"issue\",\"by\":\"a\"";
        for (more, expected) in [
            ("\"name\":7", "its `name` is not text"),
            ("\"serialNumber\":[]", "its `serialNumber` is not text"),
            (
                "\"notAfter\":\"soon\"",
                "its `notAfter` is not an instant such as 2026-11-23T12:00:00Z",
            ),
            ("\"by\":\"b\"", "it has a field twice"),
        ] {
            let line = format!("{{{whole},{more}}}");
            let (events, findings) =
                events(line.as_bytes(), Path::new(LOG_FILE), &Request::default());
            assert!(events.is_empty(), "{line}");
            let expected = format!("it is no event of the log: {expected}");
            assert_eq!(findings[0].why, expected, "{line}");
        }
    }

    #[test]
    fn a_name_and_an_instant_leave_the_others_out() {
        let line = |at: &str, name: &str| {
            format!("{{\"at\":\"{at}\",\"action\":\"issue\",\"by\":\"a\",\"name\":\"{name}\"}}\n")
        };
        let log = line("2026-11-23T12:00:00Z", "a")
            + &line("2026-11-24T12:00:00Z", "b")
            + &line("2026-11-24T13:00:00+01:00", "a");
        let count =
            |request: &Request| events(log.as_bytes(), Path::new(LOG_FILE), request).0.len();
        let since = Some(datetime!(2026-11-24 12:00 UTC));
        let name = Some("a".to_owned());
        let all = Request::default();
        assert_eq!(count(&all), 3);
        assert_eq!(
            count(&Request {
                since,
                ..all.clone()
            }),
            2
        );
        assert_eq!(
            count(&Request {
                name: name.clone(),
                ..all
            }),
            2
        );
        assert_eq!(count(&Request { name, since }), 1);
    }
}
