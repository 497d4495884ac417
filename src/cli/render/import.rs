//! `zpki import`: what was found, what is wrong with it, and what to do next.

use super::Rendered;
use super::text::{Table, Verbosity, findings, push};
use crate::commands::import::ImportReport;
use crate::domain::text::{Plain, joined};
use crate::domain::validity::show as date;

/// `zpki import`.
pub(in crate::cli) fn import(report: &ImportReport, verbosity: Verbosity) -> Rendered {
    if verbosity == Verbosity::Quiet {
        return Rendered::default();
    }
    let mut table = Table::new(
        &["CERTIFICATE", "SERIAL NUMBER", "NOT AFTER", "SIGNED WITH"],
        Verbosity::Normal,
    );
    for found in &report.certificates {
        let algorithm = found.signature_algorithm.as_deref().unwrap_or("-");
        table.row(
            [
                Plain(&found.file).to_string(),
                found.serial_number.to_string(),
                date(found.validity.not_after),
                Plain(algorithm).to_string(),
            ],
            || [],
        );
    }
    let keys = match report.private_keys {
        1 => "1 private key".to_owned(),
        count => format!("{count} private keys"),
    };
    let mut stdout = format!(
        "{} has these certificates, and {keys}; none of them is taken over\n\n{}\n\
         wrote {}: cluster {}, servers {}",
        Plain(&report.source),
        table.draw(),
        Plain(&report.file),
        report.cluster,
        joined(&report.servers, ", ")
    );
    if !report.clients.is_empty() {
        push(
            &mut stdout,
            format_args!(", clients {}", joined(&report.clients, ", ")),
        );
    }
    stdout.push_str("\n\nnext:\n");
    for (number, step) in report.next_steps.iter().enumerate() {
        let what = Plain(&step.what);
        push(&mut stdout, format_args!("  {}. {what}\n", number + 1));
        for command in &step.commands {
            push(&mut stdout, format_args!("       {}\n", Plain(command)));
        }
    }
    Rendered {
        stdout,
        stderr: findings(&report.findings),
        changed: report.changed,
        ..Rendered::default()
    }
}
