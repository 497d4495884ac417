//! What was issued: a line for each certificate, or the certificate itself.

use super::Rendered;
use super::text::{Table, Verbosity, findings, next_steps};
use crate::commands::issue::{IssueReport, Issued};
use crate::domain::text::Plain;
use crate::domain::validity::show as date;

/// `zpki issue`.
pub(in crate::cli) fn issue(report: &IssueReport, verbosity: Verbosity) -> Rendered {
    let is_quiet = verbosity == Verbosity::Quiet;
    let stderr = match is_quiet {
        true => String::new(),
        false => findings(&report.findings),
    };
    let pem: String = report
        .certificates
        .iter()
        .filter_map(|it| it.pem.as_deref())
        .collect();
    let stdout = match () {
        () if !pem.is_empty() => pem,
        () if is_quiet => String::new(),
        () if !report.changed => "unchanged\n".to_owned(),
        () => done(report, verbosity),
    };
    Rendered {
        stdout,
        stderr,
        ..Rendered::default()
    }
}

fn done(report: &IssueReport, verbosity: Verbosity) -> String {
    let mut table = Table::new(&["DONE", "NAME", "NOT AFTER", "FILES"], verbosity);
    for issued in &report.certificates {
        table.row(
            [
                word(issued).to_owned(),
                issued.name.to_string(),
                date(issued.validity.not_after),
                files(issued),
            ],
            || {
                [
                    issued.serial_number.to_string(),
                    issued.key_algorithm.clone(),
                ]
            },
        );
    }
    let mut text = table.draw();
    if !report.next_steps.is_empty() {
        text.push('\n');
        next_steps(&report.next_steps, &mut text);
    }
    text
}

fn word(issued: &Issued) -> &'static str {
    if issued.issued { "issue" } else { "keep" }
}

fn files(issued: &Issued) -> String {
    Plain(&issued.files.join(" ")).to_string()
}
