//! `zpki backup` and `zpki restore` for people.

use super::Rendered;
use super::text::{Verbosity, findings, next_steps};
use crate::commands::backup::{BackupReport, CaKey};
use crate::commands::restore::RestoreReport;
use crate::domain::text::Plain;

/// `zpki backup`. What is missing in it is said even to who wants to hear nothing.
pub(in crate::cli) fn backup(report: &BackupReport, verbosity: Verbosity) -> Rendered {
    let keys = match report.ca_key {
        CaKey::Absent => {
            "it holds private keys, but not the CA's, which is kept elsewhere: back that up too"
        }
        CaKey::Encrypted => {
            "it holds private keys: keep it as safe as the directory itself (the CA's key in it is encrypted)"
        }
        CaKey::NotEncrypted => {
            "it holds private keys, the CA's among them and not encrypted: whoever reads it can make certificates"
        }
    };
    let file = match report.file.as_str() {
        "-" => "standard output",
        file => file,
    };
    let said = format!(
        "backed up {} to {}: {} files, {} octets\n{keys}\n",
        Plain(&report.directory),
        Plain(file),
        report.files,
        report.octets,
    );
    let is_quiet = verbosity == Verbosity::Quiet;
    let told = report
        .findings
        .iter()
        .filter(|it| !is_quiet || it.next.is_some());
    let told: Vec<_> = told.cloned().collect();
    Rendered {
        stdout: if is_quiet { String::new() } else { said },
        stderr: findings(&told),
        ..Rendered::default()
    }
}

/// `zpki restore`. Commands that came with the backup are told even to who wants to hear nothing.
pub(in crate::cli) fn restore(report: &RestoreReport, verbosity: Verbosity) -> Rendered {
    let stderr = findings(&report.findings);
    if verbosity == Verbosity::Quiet {
        return Rendered {
            stderr,
            ..Rendered::default()
        };
    }
    let of = match &report.cluster {
        Some(cluster) => format!("the PKI of `{cluster}`"),
        None => "a PKI whose zpki.toml is wrong".to_owned(),
    };
    let mut stdout = format!(
        "restored {of} in {}: {} files\n\n",
        Plain(&report.directory),
        report.files,
    );
    next_steps(&report.next_steps, &mut stdout);
    Rendered {
        stdout,
        stderr,
        ..Rendered::default()
    }
}
