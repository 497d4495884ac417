//! What changes in files of others: a diff before, a list after.

use clap::builder::styling::{AnsiColor, Style};

use super::Rendered;
use super::text::{Verbosity, findings, next_steps, push};
use crate::commands::config::report::{Change, ConfigReport, FileReport};
use crate::commands::config::rollback::BackupsReport;
use crate::domain::text::Plain;
use crate::domain::validity::show;

/// `zpki config diff`: a patch, unless it is for a terminal, which gets nothing that it would act on.
pub(in crate::cli) fn diff(
    report: &ConfigReport,
    is_coloured: bool,
    is_terminal: bool,
) -> Rendered {
    let mut stdout = String::new();
    for file in &report.files {
        let path = Plain(&file.path);
        if let Some(diff) = &file.diff {
            push(&mut stdout, format_args!("--- {path}\n+++ {path}\n"));
            for line in diff.split_terminator('\n') {
                let style = if is_coloured {
                    style(line)
                } else {
                    Style::new()
                };
                push(&mut stdout, format_args!("{style}"));
                match is_terminal {
                    true => push_harmless(&mut stdout, line),
                    false => stdout.push_str(line),
                }
                push(&mut stdout, format_args!("{style:#}\n"));
            }
        }
    }
    let installed = report
        .files
        .iter()
        .filter(|it| it.change == Change::Install);
    for file in installed {
        push(&mut stdout, format_args!("install {}\n", Plain(&file.path)));
    }
    if stdout.is_empty() {
        stdout.push_str("nothing to change\n");
    }
    let mut stderr = findings(&report.findings);
    if !report.next_steps.is_empty() {
        next_steps(&report.next_steps, &mut stderr);
    }
    Rendered {
        stdout,
        stderr,
        ..Rendered::default()
    }
}

/// Text without what a terminal would act on, but for tabs.
fn push_harmless(text: &mut String, line: &str) {
    for (index, part) in line.split('\t').enumerate() {
        text.push_str(if index == 0 { "" } else { "\t" });
        push(text, format_args!("{}", Plain(part)));
    }
}

fn style(line: &str) -> Style {
    match line.as_bytes().first() {
        Some(b'+') => AnsiColor::Green.on_default(),
        Some(b'-') => AnsiColor::Red.on_default(),
        Some(b'@') => AnsiColor::Cyan.on_default(),
        _ => Style::new(),
    }
}

/// `zpki config apply` and `rollback`.
pub(in crate::cli) fn changed(report: &ConfigReport, verbosity: Verbosity) -> Rendered {
    let stderr = findings(&report.findings);
    if verbosity == Verbosity::Quiet {
        return Rendered::default();
    }
    let mut stdout = String::new();
    if report.changed {
        list(report, &mut stdout);
    } else {
        stdout.push_str("unchanged\n");
    }
    if !report.next_steps.is_empty() {
        stdout.push('\n');
        next_steps(&report.next_steps, &mut stdout);
    }
    Rendered {
        stdout,
        stderr,
        ..Rendered::default()
    }
}

/// Each file that was changed, and each command that was run.
pub(in crate::cli) fn list(report: &ConfigReport, text: &mut String) {
    for file in &report.files {
        done(file, text);
    }
    for run in &report.commands {
        let command = Plain(&run.command);
        match &run.server {
            Some(server) => push(text, format_args!("ran for {server}: {command}\n")),
            None => push(text, format_args!("ran {command}\n")),
        }
    }
}

fn done(file: &FileReport, text: &mut String) {
    let verb = match file.change {
        Change::Edit => "changed",
        Change::Install => "installed",
        Change::RollBack => "rolled back",
        Change::None => return,
    };
    push(text, format_args!("{verb} {}", Plain(&file.path)));
    if let Some(backup) = &file.backup {
        push(text, format_args!(" (before: {})", Plain(backup)));
    }
    text.push('\n');
}

/// `zpki config rollback --list`.
pub(in crate::cli) fn backups(report: &BackupsReport) -> Rendered {
    let mut stdout = String::new();
    for file in &report.files {
        push(&mut stdout, format_args!("{}\n", Plain(&file.path)));
        for backup in &file.backups {
            let (at, path) = (show(backup.at), Plain(&backup.path));
            push(&mut stdout, format_args!("  {at}  {path}\n"));
        }
        if file.backups.is_empty() {
            stdout.push_str("  no backup\n");
        }
    }
    Rendered::product(&stdout)
}
