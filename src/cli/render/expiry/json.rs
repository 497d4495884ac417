//! The report as one JSON object, or as a line for each certificate. A hundred thousand of them are
//! no text to be held whole: they are made on all processors, a window at a time, and written. Nor
//! are they taken down one by one afterwards, for the run ends then.

use std::borrow::Cow;
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rayon::prelude::*;
use serde::Serialize;
use time::OffsetDateTime;

use super::super::super::exit::Status;
use super::super::Stream;
use super::super::json::{SERIALIZES, harmless};
use crate::commands::expiry::report::{ExpiryReport, InspectedFile, Item, Located, Summary};
use crate::domain::digest::Digest;
use crate::domain::expiry::{PathRole, ReadReason, Reason, State};
use crate::domain::finding::Severity;
use crate::domain::serial_number::SerialNumber;
use crate::domain::text::PathText;
use crate::domain::threshold::Thresholds;
use crate::domain::validity::rfc3339_of;
use crate::system::STDIN;

/// Files whose certificates are made into JSON before they are written.
const WINDOW: usize = 4096;
/// Those that a processor takes at a time.
const SHARE: usize = 128;

/// One object: what belongs to the run first, then a line for each item.
pub(in crate::cli) fn object(report: ExpiryReport) -> Stream {
    let report = ManuallyDrop::new(report);
    Box::new(move |out| {
        let head = to_json(&Head::of(&report));
        let head = head.strip_suffix('}').unwrap_or(&head);
        write!(out, "{head},\"items\":[")?;
        write_items(&report, out, ",\n")?;
        let (errors, findings) = (errors(&report), to_json(&report.findings));
        writeln!(
            out,
            "],\n\"errors\":{},\n\"findings\":{findings}}}",
            to_json(&errors)
        )
    })
}

/// A line for each certificate and CRL, then for each error and finding, then one with the summary.
pub(in crate::cli) fn lines(report: ExpiryReport) -> Stream {
    let report = ManuallyDrop::new(report);
    Box::new(move |out| {
        write_items(&report, out, "\n")?;
        if !report.files.is_empty() {
            writeln!(out)?;
        }
        for error in errors(&report) {
            writeln!(out, "{{\"error\":{}}}", to_json(&error))?;
        }
        for finding in &report.findings {
            writeln!(out, "{{\"finding\":{}}}", to_json(finding))?;
        }
        writeln!(out, "{}", to_json(&Head::of(&report)))
    })
}

/// The items, each behind the other with `separator` between.
fn write_items(report: &ExpiryReport, out: &mut dyn Write, separator: &str) -> io::Result<()> {
    let at = report.at.unix_timestamp();
    let mut is_first = true;
    for window in report.files.chunks(WINDOW) {
        let shares = window.par_chunks(SHARE).map(|share| {
            let mut json = Vec::with_capacity(1024 * share.len());
            let mut issuer = Issuer::default();
            for item in share.iter().flat_map(InspectedFile::located) {
                json.extend_from_slice(separator.as_bytes());
                let object = ItemObject::of(item, issuer.shown(item.item()), at);
                serde_json::to_writer(&mut json, &object).expect(SERIALIZES);
            }
            harmless(json)
        });
        for share in shares.collect::<Vec<_>>() {
            let leading = if is_first { separator.len() } else { 0 };
            out.write_all(&share.as_bytes()[leading..])?;
            is_first = false;
        }
    }
    Ok(())
}

fn to_json(value: &impl Serialize) -> String {
    harmless(serde_json::to_vec(value).expect(SERIALIZES))
}

/// What belongs to the run.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    schema: u32,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// Always false: nothing that is looked at is written.
    changed: bool,
    status: Severity,
    thresholds: &'a Thresholds,
    summary: SummaryObject,
}

impl<'a> Head<'a> {
    fn of(report: &'a ExpiryReport) -> Self {
        Self {
            schema: 1,
            at: report.at,
            changed: false,
            status: report.status,
            thresholds: &report.thresholds,
            summary: SummaryObject {
                counts: report.summary,
                exit: Status::of_severity(report.status).code(),
            },
        }
    }
}

#[derive(Serialize)]
struct SummaryObject {
    #[serde(flatten)]
    counts: Summary,
    /// The exit status without `--exit-zero`.
    exit: u8,
}

/// The issuer of the last item, as text: one has often issued all that stand beside each other.
#[derive(Default)]
struct Issuer<'a> {
    der: &'a [u8],
    shown: String,
}

impl<'a> Issuer<'a> {
    fn shown(&mut self, item: &'a Item) -> &str {
        let der = item.dated.identity.issuer();
        if der != self.der {
            (self.der, self.shown) = (der, item.dated.issuer());
        }
        &self.shown
    }
}

/// A certificate or a CRL.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemObject<'a> {
    source: &'static str,
    path: Cow<'a, str>,
    /// Base64 of a path that is no UTF-8.
    path_bytes: Option<String>,
    index: usize,
    line: Option<usize>,
    kind: &'static str,
    role: PathRole,
    status: State,
    reason: Option<Reason>,
    not_before: String,
    not_after: Option<String>,
    not_after_unix: Option<i64>,
    remaining_seconds: Option<i64>,
    lifetime_seconds: Option<i64>,
    serial_number: SerialNumber,
    subject: String,
    issuer: &'a str,
    dns_names: Vec<String>,
    fingerprint: Digest,
    note: Option<String>,
    aliases: Vec<Cow<'a, str>>,
    referenced_by: &'a [String],
}

impl<'a> ItemObject<'a> {
    fn of(item: Located<'a>, issuer: &'a str, at: i64) -> Self {
        let (source, item) = (item.source, item.item());
        let dated = &item.dated;
        let (path, path_bytes) = path_of(&source.path);
        let from = |start: i64| Some(dated.not_after?.saturating_sub(start));
        Self {
            source: if &*source.path == Path::new(STDIN) {
                "stdin"
            } else {
                "file"
            },
            path,
            path_bytes,
            index: item.index,
            line: item.line,
            kind: match dated.role {
                PathRole::Crl => "crl",
                PathRole::Intermediate | PathRole::Leaf | PathRole::Root => "certificate",
            },
            role: dated.role,
            status: item.state,
            reason: item.reason,
            not_before: rfc3339_of(dated.not_before),
            not_after: dated.not_after.map(rfc3339_of),
            not_after_unix: dated.not_after,
            remaining_seconds: from(at),
            lifetime_seconds: from(dated.not_before),
            serial_number: SerialNumber::from_octets(dated.identity.serial_octets()),
            subject: dated.subject(),
            issuer,
            dns_names: dated.dns_names(),
            fingerprint: dated.fingerprint,
            note: item.note.as_ref().map(ToString::to_string),
            aliases: source.aliases.iter().map(|path| path_of(path).0).collect(),
            referenced_by: &source.referenced_by,
        }
    }
}

/// What could not be read.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorObject<'a> {
    path: Cow<'a, str>,
    path_bytes: Option<String>,
    index: Option<usize>,
    line: Option<usize>,
    severity: Severity,
    reason: ReadReason,
    message: &'a str,
    referenced_by: &'a [String],
}

fn errors(report: &ExpiryReport) -> Vec<ErrorObject<'_>> {
    let objects = report.errors.iter().map(|error| {
        let (path, path_bytes) = path_of(&error.path);
        ErrorObject {
            path,
            path_bytes,
            index: error.index,
            line: error.line,
            severity: error.reason.severity(),
            reason: error.reason,
            message: &error.message,
            referenced_by: &error.referenced_by,
        }
    });
    objects.collect()
}

/// A path as text, and its octets in base64 when the text is not the whole truth.
fn path_of(path: &Path) -> (Cow<'_, str>, Option<String>) {
    match path.to_str() {
        Some(text) => (Cow::Borrowed(text), None),
        None => {
            let octets = path.as_os_str().as_encoded_bytes();
            let shown = PathText(path).to_string();
            (Cow::Owned(shown), Some(STANDARD.encode(octets)))
        }
    }
}
