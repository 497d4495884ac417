//! `zpki check` for people: one line when all is well, else a block for each problem, worst first.

use super::Rendered;
use super::text::push;
use crate::commands::check::{CheckReport, Link, OutcomeReport, VerdictReport};
use crate::domain::finding::{Finding, Severity};
use crate::domain::text::{Plain, joined};

/// The report; `with_path` draws the certification path below the problems, as on a terminal.
pub(in crate::cli) fn check(report: &CheckReport, with_path: bool) -> Rendered {
    let mut stdout = String::new();
    let is_note = |finding: &&Finding| finding.severity == Severity::Ok;
    for finding in report.findings.iter().filter(|finding| !is_note(finding)) {
        problem(&mut stdout, finding);
    }
    if report.status == Severity::Ok {
        all_well(&mut stdout, report);
    } else if with_path && let Some(verdict) = report.verdicts.first() {
        path(&mut stdout, verdict);
    }
    let mut stderr = String::new();
    for note in report.findings.iter().filter(is_note) {
        let (about, why) = (Plain(&note.about), Plain(&note.why));
        push(&mut stderr, format_args!("note: {about}: {why}\n"));
    }
    Rendered {
        stdout,
        stderr,
        severity: report.status,
        ..Rendered::default()
    }
}

fn problem(text: &mut String, finding: &Finding) {
    let label = match finding.severity {
        Severity::Ok => "ok",
        Severity::Warning => "warning",
        Severity::Unknown => "unknown",
        Severity::Critical => "critical",
    };
    let (about, why) = (Plain(&finding.about), Plain(&finding.why));
    push(
        text,
        format_args!("{label}: {about}: {why} ({})\n", finding.id),
    );
    if let Some(next) = &finding.next {
        push(text, format_args!("  next: {}\n", Plain(next)));
    }
}

fn all_well(text: &mut String, report: &CheckReport) {
    let accepting = report.verdicts.iter();
    let accepting: Vec<String> = accepting
        .filter(|verdict| verdict.outcome == OutcomeReport::Accepted)
        .map(|verdict| verdict.consumer.to_string())
        .collect();
    let verb = if accepting.len() == 1 {
        "accepts"
    } else {
        "accept"
    };
    let accepting = joined(&accepting, " and ");
    push(
        text,
        format_args!("ok: {}: {accepting} {verb} it\n", Plain(&report.file)),
    );
}

/// The certificates from the end entity's up, those at fault marked.
fn path(text: &mut String, verdict: &VerdictReport) {
    push(
        text,
        format_args!("\nthe path that {} takes:\n", verdict.consumer),
    );
    for link in &verdict.path {
        let is_at_fault = verdict
            .reasons
            .iter()
            .any(|reason| reason.depth == link.depth);
        let mark = if is_at_fault { "  <- here" } else { "" };
        let anchor = if link.trust_anchor {
            " (trust anchor)"
        } else {
            ""
        };
        let indent = 2 * link.depth.min(DEEPEST);
        push(
            text,
            format_args!(
                "  {}{:indent$}{} {}{anchor}, {}{mark}\n",
                link.depth,
                "",
                if link.depth == 0 {
                    ""
                } else {
                    "\u{2514}\u{2500}"
                },
                Plain(&link.subject),
                place(link),
            ),
        );
    }
}

/// Where the drawing goes no further to the right.
const DEEPEST: usize = 20;

fn place(link: &Link) -> String {
    match link.line {
        Some(line) => format!("{}:{line}", Plain(&link.file)),
        None => Plain(&link.file).to_string(),
    }
}
