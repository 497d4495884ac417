//! `zpki check` for people: one line when all is well, else a block for each problem, worst first.

use super::Rendered;
use super::text::{Verbosity, push};
use crate::commands::check::CheckReport;
use crate::commands::check::cluster::ClusterReport;
use crate::commands::check::configuration::ConfigurationReport;
use crate::commands::check::verdict::{Link, OutcomeReport, VerdictReport};
use crate::domain::finding::{Finding, Severity};
use crate::domain::text::{Plain, joined};

/// A file; `with_path` draws the certification path below the problems, as on a terminal.
pub(in crate::cli) fn file(report: &CheckReport, with_path: bool) -> Rendered {
    let refused = first_refused(report.verdicts.iter()).filter(|_| with_path);
    let mut rendered = rendered(&report.findings, report.status, refused, &accepted(report));
    rendered.stderr = notes(&report.findings);
    rendered
}

/// A cluster; `with_path` draws the first path that is refused. Notes are for who wants to know more.
pub(in crate::cli) fn cluster(
    report: &ClusterReport,
    with_path: bool,
    verbosity: Verbosity,
) -> Rendered {
    let verdicts = report.entries.iter().flat_map(|entry| &entry.verdicts);
    let refused = first_refused(verdicts);
    let well = format!(
        "ok: {}: {} certificates, and all that belongs to them",
        Plain(&report.directory),
        report.entries.len()
    );
    let refused = refused.filter(|_| with_path);
    let mut rendered = rendered(&report.findings, report.status, refused, &well);
    if verbosity == Verbosity::Verbose {
        rendered.stderr = notes(&report.findings);
    }
    rendered
}

/// Configuration files; `with_path` draws the first path that is refused. Notes are for who wants to know
/// more.
pub(in crate::cli) fn configuration(
    report: &ConfigurationReport,
    with_path: bool,
    verbosity: Verbosity,
) -> Rendered {
    let verdicts = report.servers.iter().flat_map(|server| &server.verdicts);
    let judged = verdicts.clone().filter(|verdict| verdict.decides).count();
    let well = format!(
        "ok: {}: server lines with TLS: {}; verdicts: {judged}, none against",
        Plain(&joined(&report.files, ", ")),
        report.servers.len(),
    );
    let refused = first_refused(verdicts).filter(|_| with_path);
    let mut rendered = rendered(&report.findings, report.status, refused, &well);
    if verbosity == Verbosity::Verbose {
        rendered.stderr = notes(&report.findings);
    }
    rendered
}

/// The first verdict with something against the path.
fn first_refused<'a>(
    mut verdicts: impl Iterator<Item = &'a VerdictReport>,
) -> Option<&'a VerdictReport> {
    verdicts.find(|verdict| !verdict.reasons.is_empty())
}

fn notes(findings: &[Finding]) -> String {
    let mut text = String::new();
    let notes = findings.iter().filter(|it| it.severity == Severity::Ok);
    for note in notes {
        let (about, why) = (Plain(&note.about), Plain(&note.why));
        push(&mut text, format_args!("note: {about}: {why}\n"));
    }
    text
}

fn rendered(
    findings: &[Finding],
    status: Severity,
    refused: Option<&VerdictReport>,
    well: &str,
) -> Rendered {
    let mut stdout = String::new();
    let problems = findings.iter().filter(|it| it.severity != Severity::Ok);
    problems.for_each(|finding| problem(&mut stdout, finding));
    if status == Severity::Ok {
        push(&mut stdout, format_args!("{well}\n"));
    } else if let Some(verdict) = refused {
        path(&mut stdout, verdict);
    }
    Rendered {
        stdout,
        severity: status,
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

/// Who accepts it.
fn accepted(report: &CheckReport) -> String {
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
    let (file, accepting) = (Plain(&report.file), joined(&accepting, " and "));
    format!("ok: {file}: {accepting} {verb} it")
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
