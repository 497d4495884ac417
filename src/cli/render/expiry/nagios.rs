//! `zpki expiry --output nagios`: the monitoring plugins' own form, on standard output.
//!
//! A status line with performance data, then one problem a line. A `|` begins performance data wherever
//! it stands, so no name may bring one in; agents such as NRPE cut the first line at 1 KiB, and Nagios
//! the whole at 8 KiB, so neither grows with names.

use std::fmt::{self, Display, Formatter};

use time::Duration;

use super::problem::{Problem, line, problems};
use crate::audit::expiry::threshold_for;
use crate::cli::render::text::push;
use crate::commands::error::Error;
use crate::commands::expiry::report::{ExpiryReport, Item, Located};
use crate::domain::expiry::{ReadReason, Reason, State};
use crate::domain::finding::Severity;
use crate::domain::text::Plain;
use crate::domain::threshold::Threshold;

/// Octets of the first line, without its end.
const LONGEST_FIRST: usize = 1023;

/// Octets of each line after it: [`SHOWN`] of them stay below Nagios' 8 KiB with the first.
const LONGEST: usize = 340;

/// Problems that have a line.
const SHOWN: usize = 20;

/// The report.
pub(in crate::cli) fn nagios(report: &ExpiryReport) -> String {
    let problems = problems(report);
    let status = word(report.status);
    let head = format!("ZPKI {status} - {}", Counts(report, &problems));
    let data = performance(report);
    let room = LONGEST_FIRST.saturating_sub(head.len() + " | ".len() + data.len());
    let first = cut(&first(report, &problems), room);
    let mut text = format!("{head}{first} | {data}\n");
    for problem in problems.iter().take(SHOWN) {
        let line = safe(&format!("{} {}", problem.label(), problem.line(report.at)));
        push(&mut text, format_args!("{}\n", cut(&line, LONGEST)));
    }
    if problems.len() > SHOWN {
        let more = problems.len() - SHOWN;
        push(&mut text, format_args!("... and {more} more\n"));
    }
    text
}

/// A run that failed: what it wanted to know is unknown. `what` is what was tried.
pub(in crate::cli) fn failure(what: &str, error: &Error) -> String {
    let reasons = error.reasons();
    let mut text = format!("ZPKI UNKNOWN - cannot {}", Plain(what));
    for reason in &reasons {
        let because = reason.because.join(": ");
        push(&mut text, format_args!(": because {}", Plain(&because)));
        if let Some(at) = &reason.at {
            push(&mut text, format_args!(" (at {})", Plain(at)));
        }
    }
    let mut text = cut(&safe(&text), LONGEST_FIRST);
    text.push('\n');
    text
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "OK",
        Severity::Warning => "WARNING",
        Severity::Unknown => "UNKNOWN",
        Severity::Critical => "CRITICAL",
    }
}

/// One line with nothing in it that ends it or begins performance data.
fn safe(text: &str) -> String {
    Plain(text).to_string().replace('|', r"\x7c")
}

/// The text, or its beginning.
fn cut(text: &str, longest: usize) -> String {
    const MARK: &str = "...";
    if text.len() <= longest {
        text.to_owned()
    } else if longest < MARK.len() {
        String::new()
    } else {
        let end = text.floor_char_boundary(longest - MARK.len());
        format!("{}{MARK}", &text[..end])
    }
}

/// How many problems there are of each kind; when there are none, what was looked at.
struct Counts<'a>(&'a ExpiryReport, &'a [Problem<'a>]);

impl Display for Counts<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(report, problems) = self;
        let count = |is: &dyn Fn(&Problem<'_>) -> bool| problems.iter().filter(|it| is(it)).count();
        let items = |is: &dyn Fn(&Item) -> bool| {
            count(&|problem| matches!(problem, Problem::Item(item) if is(item)))
        };
        let below = |state| {
            items(&|item| item.state == state && matches!(item.reason, Some(Reason::Remaining(_))))
        };
        let errors = |link: bool| {
            count(
                &|problem| matches!(problem, Problem::Error(error) if link == (error.reason == ReadReason::BrokenSymlink)),
            )
        };
        let (warn, crit) = (report.thresholds.warn, report.thresholds.crit);
        let counts = [
            (items(&|it| it.reason == Some(Reason::Expired)), "expired"),
            (
                items(&|it| it.reason == Some(Reason::NotYetValid)),
                "not valid yet",
            ),
            (
                items(&|it| it.reason == Some(Reason::Inverted)),
                "with notAfter before notBefore",
            ),
            (below(State::Critical), &format!("expire < {crit}")),
            (below(State::Warning), &format!("expire < {warn}")),
            (
                items(&|it| it.reason == Some(Reason::CaRunway)),
                "too short for what it would issue",
            ),
            (errors(false), "unreadable"),
            (errors(true), "dangling"),
            (
                count(&|problem| matches!(problem, Problem::Finding(_))),
                "other",
            ),
        ];
        let mut separator = "";
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{separator}{count} {what}")?;
            separator = ", ";
        }
        if separator.is_empty() {
            let summary = &report.summary;
            let plural = |count| if count == 1 { "" } else { "s" };
            let (certificates, crls) = (summary.certificates, summary.crls);
            write!(
                f,
                "{certificates} certificate{}, {crls} CRL{}",
                plural(certificates),
                plural(crls)
            )?;
        }
        Ok(())
    }
}

/// What an administrator looks at first.
fn first(report: &ExpiryReport, problems: &[Problem<'_>]) -> String {
    match (problems.first(), earliest(report)) {
        (Some(problem), _) => safe(&format!("; first: {}", problem.line(report.at))),
        (None, Some(item)) => safe(&format!("; next: {}", line(item, report.at))),
        (None, None) => String::new(),
    }
}

/// What runs out before all else.
fn earliest(report: &ExpiryReport) -> Option<Located<'_>> {
    let counted = report
        .items()
        .filter(|item| item.state != State::Superseded && item.dated.not_after.is_some());
    counted.min_by_key(|item| item.dated.not_after)
}

/// The performance data, as the guidelines of the monitoring plugins have it: labels that do not depend
/// on what was found, and thresholds that are ranges, so that `30:` is "alert below 30".
fn performance(report: &ExpiryReport) -> String {
    let summary = &report.summary;
    let mut text = format!(
        "'certs'={};;;0 'expired'={};;0;0 'not_yet_valid'={};;0;0 'critical'={};;0;0 \
         'warning'={};0;;0 'unreadable'={};;;0",
        summary.certificates,
        summary.expired,
        summary.not_yet_valid,
        summary.critical,
        summary.warning,
        summary.unreadable,
    );
    if let Some(item) = earliest(report)
        && let Some(remaining) = item.remaining(report.at)
    {
        let range = |threshold| threshold_days(&item, threshold);
        push(
            &mut text,
            format_args!(
                " 'min_remaining_days'={};{};{};;",
                Days::new(remaining),
                range(report.thresholds.warn),
                range(report.thresholds.crit)
            ),
        );
    }
    text
}

/// The threshold that this very certificate is measured by, which depends on its lifetime.
fn threshold_days(item: &Item, threshold: Threshold) -> String {
    let threshold = threshold_for(item.dated.role, threshold);
    let lifetime = item.dated.not_after.unwrap_or_default();
    let lifetime = lifetime.saturating_sub(item.dated.not_before);
    if lifetime <= 0 {
        return String::new();
    }
    let (least, _) = threshold.of(Duration::seconds(lifetime));
    let days = Days::new(least.whole_seconds()).to_string();
    let days = days.trim_end_matches('0').trim_end_matches('.');
    format!("{days}:")
}

/// Days with two decimals, towards minus infinity, so that no more is shown than there is.
struct Days {
    hundredths: i128,
}

impl Days {
    fn new(seconds: i64) -> Self {
        Self {
            hundredths: (i128::from(seconds) * 100).div_euclid(86_400),
        }
    }
}

impl Display for Days {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sign = if self.hundredths < 0 { "-" } else { "" };
        let hundredths = self.hundredths.unsigned_abs();
        write!(f, "{sign}{}.{:02}", hundredths / 100, hundredths % 100)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use proptest::prelude::*;

    use super::super::testing::{DAY, HOUR, certificate, crl, files, report, unreadable};
    use super::*;
    use crate::domain::finding::Finding;

    #[test]
    fn all_is_well_in_one_line() {
        let items = vec![
            certificate(b"/etc/haproxy/a.pem", "a", 60 * DAY),
            certificate(b"/etc/haproxy/b.pem", "b", 50 * DAY + HOUR),
        ];
        assert_eq!(
            nagios(&report(items, Vec::new())),
            "ZPKI OK - 2 certificates, 0 CRLs; next: /etc/haproxy/b.pem:27 CN=b (expires in 50d) | \
             'certs'=2;;;0 'expired'=0;;0;0 'not_yet_valid'=0;;0;0 'critical'=0;;0;0 \
             'warning'=0;0;;0 'unreadable'=0;;;0 'min_remaining_days'=50.04;22.5:;9:;;\n"
        );
    }

    #[test]
    fn problems_come_worst_first() {
        let mut early = certificate(b"/d/early.pem", "early", 60 * DAY);
        early.state = State::NotYetValid;
        early.reason = Some(Reason::NotYetValid);
        early.dated.not_before = early.dated.not_after.unwrap() - 57 * DAY;
        let mut root = certificate(b"/d/ca.pem", "root", 200 * DAY);
        root.state = State::Warning;
        root.reason = Some(Reason::CaRunway);
        let mut inverted = certificate(b"/d/inverted.pem", "inverted", -DAY);
        inverted.reason = Some(Reason::Inverted);
        let items = vec![
            certificate(b"/d/a.pem", "a", 9 * DAY + HOUR),
            certificate(b"/d/b.pem", "b", -3 * DAY - 4 * HOUR),
            certificate(b"/d/c.pem", "c", 40 * HOUR),
            root,
            crl(b"/d/crl.pem", -3 * HOUR),
            early,
            inverted,
            certificate(b"/d/ok.pem", "ok", 60 * DAY),
        ];
        let errors = vec![
            unreadable(b"/d/x.pem", 2, ReadReason::BadPem, "bad base64"),
            unreadable(
                b"/d/link.pem",
                1,
                ReadReason::BrokenSymlink,
                "leads nowhere",
            ),
        ];
        let mut report = report(items, errors);
        let finding = Finding::warning("hook-pending", "reload", "still owed", "see the log");
        report.findings = vec![finding, Finding::note("note", "x", "no problem")];
        assert_eq!(
            nagios(&report),
            "ZPKI CRITICAL - 2 expired, 1 not valid yet, 1 with notAfter before notBefore, \
             1 expire < min(14d,10%), 1 expire < min(30d,25%), 1 too short for what it would issue, \
             1 unreadable, 1 dangling, 1 other; \
             first: /d/b.pem:27 CN=b (expired 3d 4h ago) | \
             'certs'=7;;;0 'expired'=3;;0;0 'not_yet_valid'=1;;0;0 'critical'=1;;0;0 \
             'warning'=2;0;;0 'unreadable'=2;;;0 'min_remaining_days'=-3.17;22.5:;9:;;\n\
             CRIT /d/b.pem:27 CN=b (expired 3d 4h ago)\n\
             CRIT /d/c.pem:27 CN=c (expires in 40h)\n\
             CRIT /d/crl.pem:27 CRL of O=demo,CN=demo CA (expired 3h ago)\n\
             CRIT /d/early.pem:27 CN=early (not valid yet, but in 3d)\n\
             CRIT /d/inverted.pem:27 CN=inverted (notAfter is before notBefore)\n\
             UNKN /d/x.pem:31 (bad_pem: bad base64)\n\
             WARN /d/a.pem:27 CN=a (expires in 9d)\n\
             WARN /d/ca.pem:27 CN=root (expires in 200d, before what it would issue)\n\
             WARN /d/link.pem:31 (broken_symlink: leads nowhere)\n\
             WARN reload (still owed)\n"
        );
    }

    #[test]
    fn unknown_is_worse_than_a_warning_and_better_than_critical() {
        let error = || vec![unreadable(b"/x", 1, ReadReason::PermissionDenied, "no")];
        let due = |remaining| vec![certificate(b"/a", "a", remaining)];
        let first = |items, errors| nagios(&report(items, errors));
        assert!(first(due(10 * DAY), error()).starts_with("ZPKI UNKNOWN - 1 expire < "));
        assert!(first(due(DAY), error()).starts_with("ZPKI CRITICAL - 1 expire < "));
        assert!(first(due(10 * DAY), Vec::new()).starts_with("ZPKI WARNING - 1 expire < "));
        let nothing = first(Vec::new(), Vec::new());
        assert!(nothing.starts_with("ZPKI UNKNOWN - 0 certificates, 0 CRLs | 'certs'=0;;;0 "));
        assert!(nothing.ends_with("'unreadable'=0;;;0\n"), "{nothing}");
    }

    #[test]
    fn no_name_brings_in_performance_data_or_a_line_end() {
        let item = certificate(b"/d/a|b=1\n\xff.pem", "x|y\r\n\u{202e}z", -DAY);
        let message = "un|fit\nOK - all is well | 'certs'=0";
        let errors = vec![unreadable(b"/d/\x1b[2J|", 1, ReadReason::BadDer, message)];
        let text = nagios(&report(vec![item], errors));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(text.matches('|').count(), 1, "{text}");
        assert_eq!(
            lines[1],
            r"CRIT /d/a\x7cb=1\n\xff.pem:27 CN=x\x7cy\r\n\u{202e}z (expired 24h ago)"
        );
        assert!(lines[2].starts_with(r"UNKN /d/\u{1b}[2J\x7c:31 (bad_der: un\x7cfit\nOK"));
    }

    #[test]
    fn no_line_is_too_long() {
        let long = format!("/{}", "ü|".repeat(2_000));
        let items = (0..207)
            .map(|number| certificate(format!("{long}{number}").as_bytes(), &long, -DAY))
            .collect();
        let text = nagios(&report(items, Vec::new()));
        let lines: Vec<_> = text.lines().collect();
        let is_short = |line: &&str| line.len() <= LONGEST_FIRST;
        assert!(lines.iter().all(is_short), "{text}");
        assert!(lines[0].contains("... | 'certs'=207;;;0 'expired'=207;;0;0 "));
        assert!(lines[0].len() > LONGEST_FIRST - 4);
        assert_eq!(lines.len(), 1 + SHOWN + 1);
        assert_eq!(lines[21], "... and 187 more");
        assert!(text.len() < 8_192, "{}", text.len());
    }

    #[test]
    fn an_odd_lifetime_has_no_threshold_and_no_end_no_days() {
        let mut odd = certificate(b"/d/a.pem", "a", DAY);
        odd.dated.not_before = odd.dated.not_after.unwrap();
        let text = nagios(&report(vec![odd], Vec::new()));
        assert!(text.contains("'min_remaining_days'=1.00;;;;\n"), "{text}");
        let mut endless = crl(b"/d/crl.pem", 60 * DAY);
        endless.dated.not_after = None;
        let text = nagios(&report(vec![endless.clone()], Vec::new()));
        assert!(!text.contains("min_remaining_days"), "{text}");
        let mut never = certificate(b"/d/a.pem", "a", 60 * DAY);
        never.dated.not_after = Some(253_402_300_799);
        let text = nagios(&report(vec![never, endless], Vec::new()));
        assert!(text.contains("CN=a (never expires) | "), "{text}");
    }

    #[test]
    fn what_is_superseded_does_not_count() {
        let mut old = certificate(b"/d/old.pem", "a", -90 * DAY);
        old.state = State::Superseded;
        old.reason = Some(Reason::Superseded);
        let new = certificate(b"/d/new.pem", "a", 60 * DAY);
        let text = nagios(&report(vec![old, new], Vec::new()));
        assert!(text.starts_with("ZPKI OK - 2 certificates, 0 CRLs; next: /d/new.pem:27"));
        assert!(text.contains("'min_remaining_days'=60.00;"), "{text}");
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn a_thresholds_range_is_of_the_certificate_or_the_crl() {
        let mut report = report(vec![crl(b"/d/crl.pem", 20 * DAY)], Vec::new());
        report.thresholds.warn = "10d".parse().unwrap();
        report.thresholds.crit = "1d12h".parse().unwrap();
        let text = nagios(&report);
        assert!(
            text.contains("'min_remaining_days'=20.00;7:;1.5:;;"),
            "{text}"
        );
        report.files = files(vec![certificate(b"/d/a.pem", "a", 80 * DAY)]);
        let text = nagios(&report);
        assert!(text.contains("=80.00;10:;1.5:;;"), "{text}");
    }

    #[test]
    fn a_failed_run_is_unknown() {
        let error = Error::input(Path::new("/d/a|\n.pem"), io::ErrorKind::NotFound.into());
        let text = failure("tell what expires", &error);
        assert_eq!(
            text,
            "ZPKI UNKNOWN - cannot tell what expires: because no such file or directory (at /d/a\\x7c\\n.pem)\n"
        );
        let long = Path::new("/").join("x".repeat(4_000));
        let error = Error::input(&long, io::ErrorKind::NotFound.into());
        let text = failure("tell what expires", &error);
        assert!(text.len() == LONGEST_FIRST + 1 && text.ends_with("...\n"));
    }

    proptest! {
        #[test]
        fn whatever_the_names_the_form_holds(path: Vec<u8>, subject: String, message: String, remaining: i64) {
            let items = vec![certificate(&path, &subject, remaining / 2)];
            let errors = vec![unreadable(&path, 1, ReadReason::BadPem, &message)];
            let text = nagios(&report(items, errors));
            let lines: Vec<_> = text.split_terminator('\n').collect();
            prop_assert!(matches!(lines.len(), 2 | 3), "{text}");
            prop_assert!(lines.iter().all(|line| !line.contains(char::is_control)));
            prop_assert!(lines[0].len() <= LONGEST_FIRST && text.matches('|').count() == 1);
        }
    }
}
