//! `zpki log`: a table of what was done, the newest last.

use super::Rendered;
use super::text::{Table, Verbosity, findings};
use crate::commands::log::report::{Event, LogReport};
use crate::domain::text::Plain;
use crate::domain::validity::show as date;

const HEADINGS: [&str; 7] = [
    "WHEN",
    "ACTION",
    "NAME",
    "SERIAL NUMBER",
    "NOT AFTER",
    "BY",
    "REASON",
];

/// `zpki log`.
pub(in crate::cli) fn log(report: &LogReport) -> Rendered {
    let mut table = Table::new(&HEADINGS, Verbosity::Normal);
    for event in &report.events {
        table.row(cells(event), || []);
    }
    let stdout = if report.events.is_empty() {
        String::new()
    } else {
        table.draw()
    };
    let mut stderr = findings(&report.findings);
    if stdout.is_empty() && stderr.is_empty() {
        stderr += "note: the log has no such event\n";
    }
    Rendered {
        stdout,
        stderr,
        ..Rendered::default()
    }
}

fn cells(event: &Event) -> [String; 7] {
    let word = |text: &str| Plain(text).to_string();
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let optional = |text: &Option<String>| or_none(text.as_deref().map(word));
    [
        date(event.at),
        word(&event.action),
        optional(&event.name),
        optional(&event.serial_number),
        or_none(event.not_after.map(date)),
        word(&event.by),
        optional(&event.reason),
    ]
}
