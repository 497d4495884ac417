//! What is to be done, or was: a line for each action, with its reasons.

use super::Rendered;
use super::text::{Table, Verbosity, findings, push};
use crate::commands::apply::ApplyReport;
use crate::commands::plan::PlanReport;
use crate::commands::reconcile::{Action, Verb};
use crate::domain::text::{Plain, joined};
use crate::domain::validity::show as date;

/// `zpki plan`.
pub(in crate::cli) fn plan(report: &PlanReport) -> Rendered {
    if report.actions.is_empty() {
        return Rendered {
            stdout: "nothing to do\n".to_owned(),
            stderr: findings(&report.findings),
            ..Rendered::default()
        };
    }
    let mut table = Table::new(&["ACTION", "WHAT", "WHY"], Verbosity::Normal);
    for action in &report.actions {
        let verb = word(action.action).to_owned();
        table.row([verb, what(action), why(action)], || []);
    }
    let mut stdout = table.draw();
    differences(&report.actions, &mut stdout);
    Rendered {
        stdout,
        stderr: findings(&report.findings),
        ..Rendered::default()
    }
}

/// `zpki apply`, `renew`, `rekey`, and what else does a part of it.
pub(in crate::cli) fn apply(report: &ApplyReport, verbosity: Verbosity) -> Rendered {
    let stderr = findings(&report.findings);
    if verbosity == Verbosity::Quiet {
        return Rendered {
            stderr: match report.hooks.iter().any(|hook| hook.failure.is_some()) {
                true => stderr,
                false => String::new(),
            },
            ..Rendered::default()
        };
    }
    let mut stdout = match (report.actions.is_empty(), report.changed) {
        (false, _) => done(report, verbosity),
        (true, false) => "unchanged\n".to_owned(),
        // The configuration alone.
        (true, true) => String::new(),
    };
    for hook in report.hooks.iter().filter(|hook| hook.failure.is_none()) {
        let command = Plain(&hook.command);
        push(
            &mut stdout,
            format_args!("ran for {}: {command}\n", hook.name),
        );
    }
    if let Some(config) = &report.config {
        super::config::list(config, &mut stdout);
    }
    if !report.next_steps.is_empty() {
        stdout.push('\n');
        super::text::next_steps(&report.next_steps, &mut stdout);
    }
    Rendered {
        stdout,
        stderr,
        ..Rendered::default()
    }
}

fn done(report: &ApplyReport, verbosity: Verbosity) -> String {
    let mut table = Table::new(&["DONE", "WHAT", "NOT AFTER", "WHY"], verbosity);
    let mut certificates = report.certificates.iter();
    for action in &report.actions {
        let made = signs(action.action).then(|| certificates.next()).flatten();
        let crl = report.crl.as_ref();
        let crl = crl.filter(|_| action.action == Verb::SignCrl);
        let not_after = made.map(|made| date(made.validity.not_after));
        let not_after = not_after.or_else(|| crl.map(|crl| date(crl.next_update)));
        let serial_number = made.map(|made| made.serial_number.to_string());
        let algorithm = made.map(|made| made.key_algorithm.to_string());
        table.row(
            [
                word(action.action).to_owned(),
                what(action),
                not_after.unwrap_or_default(),
                why(action),
            ],
            || [serial_number, algorithm].map(Option::unwrap_or_default),
        );
    }
    let mut text = table.draw();
    differences(&report.actions, &mut text);
    text
}

/// Whether a certificate is made.
fn signs(verb: Verb) -> bool {
    matches!(
        verb,
        Verb::Issue | Verb::Rekey | Verb::Renew | Verb::RenewCa
    )
}

fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Issue => "issue",
        Verb::Rekey => "rekey",
        Verb::Renew => "renew",
        Verb::RenewCa => "renew-ca",
        Verb::Restore => "restore",
        Verb::Retire => "retire",
        Verb::SetMode => "set-mode",
        Verb::SignCrl => "sign-crl",
        Verb::Write => "write",
    }
}

fn what(action: &Action) -> String {
    let name = action.name.as_ref().map(ToString::to_string);
    let path = action.path.as_ref().map(|path| Plain(path).to_string());
    match action.action {
        Verb::SignCrl => path.or(name),
        _ => name.or(path),
    }
    .unwrap_or_default()
}

fn why(action: &Action) -> String {
    Plain(&joined(&action.reasons, "; ")).to_string()
}

/// What is in a file that should not be, and the other way round.
fn differences(actions: &[Action], text: &mut String) {
    for action in actions {
        let (Some(diff), Some(path)) = (&action.diff, &action.path) else {
            continue;
        };
        push(text, format_args!("\n{}:\n", Plain(path)));
        for line in diff.lines() {
            push(text, format_args!("  {}\n", Plain(line)));
        }
    }
}
