//! One line for each problem: stable from day to day but for what remains, so that two mails of cron
//! can be compared, and nothing at all when all is well.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};
use std::path::Path;

use super::super::Rendered;
use super::super::text::{Table, Verbosity, push};
use super::problem::{Place, Problem, name, problems};
use crate::audit::expiry::NEVER;
use crate::commands::expiry::report::{ExpiryReport, Located};
use crate::domain::expiry::Reason;
use crate::domain::finding::Severity;
use crate::domain::remaining::Remaining;
use crate::domain::text::{PathText, Plain};
use crate::domain::validity::rfc3339_of;
use crate::scan::read::ReadError;

/// The problems, which are what was asked for and so in quiet text too; in verbose text every
/// certificate and CRL. Notes are for who is there to read them.
pub(in crate::cli) fn text(
    report: &ExpiryReport,
    verbosity: Verbosity,
    is_terminal: bool,
) -> Rendered {
    let mut rendered = Rendered::default();
    let at = report.at.unix_timestamp();
    for problem in problems(report) {
        push(
            &mut rendered.stdout,
            format_args!("{}\n", Line { problem, at }),
        );
    }
    if verbosity == Verbosity::Verbose {
        if !rendered.stdout.is_empty() {
            rendered.stdout.push('\n');
        }
        rendered.stdout += &table(report);
    }
    let is_quiet = verbosity == Verbosity::Quiet;
    if verbosity == Verbosity::Verbose || (is_terminal && !is_quiet) {
        rendered.stderr = notes(report);
    }
    rendered
}

/// A problem on one line.
struct Line<'a> {
    problem: Problem<'a>,
    at: i64,
}

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.problem.label())?;
        match self.problem {
            Problem::Item(item) => {
                let when = When { item, at: self.at };
                write!(f, "{} {} {when}", Place::of(item), whose(item))?;
                named_by(f, &item.source.referenced_by)
            }
            Problem::Error(error) => {
                unreadable(f, error)?;
                named_by(f, &error.referenced_by)
            }
            Problem::Finding(finding) => {
                write!(
                    f,
                    "{} {}: {}",
                    Plain(&finding.about),
                    finding.id,
                    Plain(&finding.why)
                )
            }
        }
    }
}

fn unreadable(f: &mut Formatter<'_>, error: &ReadError) -> fmt::Result {
    let (path, reason) = (shown(&error.path), error.reason.code());
    write!(f, "{path} {reason}")?;
    if error.message.replace(' ', "_") == reason {
        return Ok(());
    }
    f.write_str(": ")?;
    if let Some(index) = error.index {
        write!(f, "block {index}, ")?;
    }
    if let Some(line) = error.line {
        write!(f, "line {line}: ")?;
    }
    Plain(&error.message).fmt(f)
}

fn shown(path: &Path) -> String {
    Plain(&PathText(path).to_string()).to_string()
}

/// The first of the lines that name the file: one is enough to find it.
fn named_by(f: &mut Formatter<'_>, references: &[String]) -> fmt::Result {
    match references {
        [] => Ok(()),
        [first, ..] => write!(f, ", named by {}", Plain(first)),
    }
}

/// Its name, so that each line has one.
fn whose(item: Located<'_>) -> Cow<'static, str> {
    match name(item) {
        name if name.is_empty() => "(no subject)".into(),
        name => name,
    }
}

/// When it runs out, or ran out, or begins.
struct When<'a> {
    item: Located<'a>,
    at: i64,
}

impl Display for When<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let dated = &self.item.dated;
        let from_now = |seconds: i64| Relative(seconds.saturating_sub(self.at));
        let begin = rfc3339_of(dated.not_before);
        let end = dated.not_after.map(|end| (rfc3339_of(end), from_now(end)));
        match (self.item.reason, end) {
            (Some(Reason::NotYetValid), _) | (_, None) => {
                write!(
                    f,
                    "not valid before {begin} ({})",
                    from_now(dated.not_before)
                )
            }
            (Some(Reason::Inverted), Some((end, _))) => {
                write!(f, "inverted: it ends {end}, before it begins {begin}")
            }
            (Some(Reason::Expired | Reason::Superseded), Some((end, ago))) => {
                write!(f, "expired {end} ({ago})")
            }
            (Some(Reason::CaRunway), Some((end, left))) => write!(
                f,
                "expires {end} ({left}), sooner than what it is to issue (ca_runway)"
            ),
            (Some(Reason::Remaining(_)) | None, Some((end, left))) => {
                write!(f, "expires {end} ({left})")
            }
        }
    }
}

/// `in 9d`, or `3d 4h ago`.
struct Relative(i64);

impl Display for Relative {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0 > 0 {
            f.write_str("in ")?;
        }
        Remaining(self.0).fmt(f)
    }
}

fn table(report: &ExpiryReport) -> String {
    let mut table = Table::new(
        &["STATUS", "NOT AFTER", "REMAINING", "FILE", "SUBJECT"],
        Verbosity::Normal,
    );
    let mut items: Vec<Located<'_>> = report.items().collect();
    items.sort_by_key(|item| std::cmp::Reverse(item.state.severity()));
    for item in items {
        let not_after = item.dated.not_after;
        let remaining = item.remaining(report.at);
        let remaining = match (not_after, remaining) {
            (Some(NEVER), _) | (None, _) | (_, None) => "never".to_owned(),
            (_, Some(remaining)) => Remaining(remaining).to_string(),
        };
        table.row(
            [
                item.state.code().to_owned(),
                not_after.map_or_else(|| "-".to_owned(), rfc3339_of),
                remaining,
                Place::of(item).to_string(),
                whose(item).into_owned(),
            ],
            || [],
        );
    }
    table.draw()
}

fn notes(report: &ExpiryReport) -> String {
    let mut text = String::new();
    let notes = report
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Ok);
    for note in notes {
        let (about, why) = (Plain(&note.about), Plain(&note.why));
        push(&mut text, format_args!("note: {about}: {why}\n"));
    }
    for item in report.items() {
        if let Some(note) = &item.note {
            push(
                &mut text,
                format_args!("note: {}: {note}\n", Place::of(item)),
            );
        }
    }
    text
}
