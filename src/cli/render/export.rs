//! `zpki export`: the product itself, or where it is.

use std::io;

use super::super::args::OutputFormat;
use super::Rendered;
use super::json::Harmless;
use super::text::{Verbosity, findings};
use crate::commands::export::{ExportReport, Format};
use crate::domain::text::Plain;
use crate::domain::validity::show as date;

/// `zpki export`. What may be a key is written as it is, without another copy in memory.
pub(in crate::cli) fn export(
    report: ExportReport,
    format: OutputFormat,
    verbosity: Verbosity,
) -> Rendered {
    let changed = report.changed;
    let rendered = match (format, &report.content) {
        (OutputFormat::Json, _) => Rendered::streamed(Box::new(move |out| {
            serde_json::to_writer_pretty(Harmless(&mut *out), &report).map_err(io::Error::from)?;
            out.write_all(b"\n")
        })),
        (_, Some(_)) => Rendered::streamed(Box::new(move |out| {
            let content = report.content.as_ref();
            out.write_all(content.map_or(&[], |content| content.bytes()))
        })),
        _ => said(&report, verbosity),
    };
    Rendered {
        changed,
        ..rendered
    }
}

/// What was written, and where.
fn said(report: &ExportReport, verbosity: Verbosity) -> Rendered {
    if verbosity == Verbosity::Quiet {
        return Rendered::default();
    }
    let file = report.file.as_deref().unwrap_or_default();
    let verb = if report.changed {
        "wrote"
    } else {
        "unchanged:"
    };
    let what = match report.format {
        Format::Fullchain => "certificate",
        Format::K8sSecret => "Secret with private key and certificate",
        Format::KeyCert | Format::P12 => "private key and certificate",
    };
    let more = match report.intermediates {
        0 => String::new(),
        1 => ", 1 intermediate".to_owned(),
        count => format!(", {count} intermediates"),
    };
    let stdout = format!(
        "{verb} {}: {what} of `{}`{more}, until {}\n",
        Plain(file),
        report.name,
        date(report.validity.not_after)
    );
    Rendered {
        stdout,
        stderr: findings(&report.findings),
        ..Rendered::default()
    }
}
