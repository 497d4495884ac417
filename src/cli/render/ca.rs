//! `zpki ca`: what there is to know of the CA, and what became of it.

use super::Rendered;
use super::text::{Verbosity, findings, next_steps, push};
use crate::commands::ca::import::CaImportReport;
use crate::commands::ca::passphrase::{Became, PassphraseReport};
use crate::commands::ca::show::{Above, CaReport, Key, KeyState, Record, Runway};
use crate::domain::remaining::Remaining;
use crate::domain::text::Plain;
use crate::domain::validity::show as date;

/// Width of the names of fields.
const FIELD: usize = 24;

/// `zpki ca show`.
pub(in crate::cli) fn show(report: &CaReport) -> Rendered {
    let certificate = &report.certificate;
    let validity = certificate.validity;
    let none = || "none".to_owned();
    let constraints = certificate.name_constraints.as_ref();
    let identifier = certificate.subject_key_identifier.as_ref();
    let mut fields = vec![
        ("subject", certificate.subject.clone()),
        ("serialNumber", certificate.serial_number.to_string()),
        ("notBefore", date(validity.not_before)),
        (
            "notAfter",
            format!(
                "{} ({})",
                date(validity.not_after),
                Remaining(report.remaining_seconds)
            ),
        ),
        ("status", report.status.to_string()),
        ("key algorithm", certificate.public_key.algorithm.clone()),
        ("fingerprint", certificate.fingerprint.to_string()),
        (
            "subjectKeyIdentifier",
            identifier.map_or_else(none, ToString::to_string),
        ),
        (
            "nameConstraints",
            constraints.map_or_else(none, |constraints| constraints.join(", ")),
        ),
        ("certificate", report.file.clone()),
        ("private key", key(&report.key)),
    ];
    if !report.chain.is_empty() {
        fields.insert(1, ("issuer", certificate.issuer.clone()));
    }
    fields.extend(several("trust bundle", &report.trust_bundle));
    fields.extend(several("chain", &report.chain));
    fields.push(("CRL", report.crl.as_ref().map_or_else(none, crl)));
    fields.push(("runway", report.runway.as_ref().map_or_else(none, runway)));
    fields.push(("live certificates", report.live_certificates.to_string()));
    if let Some(why) = &report.not_renewable {
        fields.push(("ca renew", format!("no: {why}")));
    }
    let mut stdout = String::new();
    for (name, value) in fields {
        push(
            &mut stdout,
            format_args!("{name:FIELD$}{}\n", Plain(&value)),
        );
    }
    Rendered::product(&stdout)
}

fn key(key: &Key) -> String {
    let state = match (key.state, &key.encryption) {
        (KeyState::Missing, _) => "not there".to_owned(),
        (KeyState::Closed, _) => "not to be read by this user".to_owned(),
        (KeyState::Unreadable, _) => "no private key that can be read".to_owned(),
        (KeyState::Present, Some(encryption)) => format!("encrypted: {encryption}"),
        (KeyState::Present, None) => "not encrypted".to_owned(),
    };
    format!("{} ({state})", key.file)
}

/// A line for each, the name on the first.
fn several(name: &'static str, all: &[Above]) -> Vec<(&'static str, String)> {
    let names = std::iter::once(name).chain(std::iter::repeat(""));
    let values = all
        .iter()
        .map(|it| format!("{} (until {})", it.subject, date(it.validity.not_after)));
    names.zip(values).collect()
}

fn crl(crl: &Record) -> String {
    let number = crl.crl_number.as_deref().unwrap_or("none");
    let next_update = crl.next_update.map_or_else(|| "none".to_owned(), date);
    format!(
        "{}: number {number}, thisUpdate {}, nextUpdate {next_update}, revoked {}",
        crl.file,
        date(crl.this_update),
        crl.entries
    )
}

fn runway(runway: &Runway) -> String {
    format!(
        "until {} certificates of the longest lifetime ({}) are not cut short",
        date(runway.until),
        runway.lifetime
    )
}

/// `zpki ca passphrase`.
pub(in crate::cli) fn passphrase(report: &PassphraseReport, verbosity: Verbosity) -> Rendered {
    if verbosity == Verbosity::Quiet {
        return Rendered::default();
    }
    let file = Plain(&report.key_file);
    let stdout = match report.passphrase {
        _ if !report.changed => "unchanged\n".to_owned(),
        Became::Changed => format!("changed the passphrase of {file}\n"),
        Became::None => format!("wrote {file} anew, not encrypted\n"),
        Became::Removed => format!("took the passphrase of {file} away\n"),
        Became::Set => format!("set a passphrase for {file}\n"),
    };
    Rendered {
        stdout,
        stderr: findings(&report.findings),
        ..Rendered::default()
    }
}

/// `zpki ca import`.
pub(in crate::cli) fn import(report: &CaImportReport, verbosity: Verbosity) -> Rendered {
    if verbosity == Verbosity::Quiet {
        return Rendered::default();
    }
    let mut stdout = String::new();
    if report.changed {
        push(
            &mut stdout,
            format_args!(
                "the CA of `{}` is {} (until {})\n",
                report.cluster,
                Plain(&report.subject),
                date(report.validity.not_after)
            ),
        );
        for above in &report.chain {
            push(
                &mut stdout,
                format_args!(
                    "  under {} (until {})\n",
                    Plain(&above.subject),
                    date(above.validity.not_after)
                ),
            );
        }
        let encrypted = match report.key_encrypted {
            true => "encrypted",
            false => "not encrypted",
        };
        push(
            &mut stdout,
            format_args!(
                "its private key is in {} ({encrypted})\n",
                Plain(&report.key_file)
            ),
        );
        if let Some(previous) = &report.previous {
            push(
                &mut stdout,
                format_args!("what stood in its place is in {}\n", Plain(previous)),
            );
        }
        stdout.push('\n');
        next_steps(&report.next_steps, &mut stdout);
    } else {
        stdout.push_str("unchanged\n");
    }
    Rendered {
        stdout,
        stderr: findings(&report.findings),
        ..Rendered::default()
    }
}
