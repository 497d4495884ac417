//! Reports for people: a table or a few lines on standard output, notes on standard error.

use std::fmt::Write as _;
use std::path::Path;

use super::super::args::Global;
use super::Rendered;
use crate::commands::init::InitReport;
use crate::commands::list::{ListReport, Listed, ListedCertificate};
use crate::commands::next_steps::NextStep;
use crate::commands::show::{Object, ShowReport, Shown};
use crate::commands::snippet::SnippetReport;
use crate::domain::certificate::{
    AltName, Certificate, CertificationRequest, PrivateKeyDescription, PublicKey, RevocationList,
};
use crate::domain::cluster::Cluster;
use crate::domain::finding::{Finding, Severity};
use crate::domain::revocation::Revocation;
use crate::domain::text::{Plain, joined};
use crate::domain::validity::show as date;

/// How much is said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::cli) enum Verbosity {
    /// Errors only.
    Quiet,
    /// What is needed.
    Normal,
    /// Serial numbers and key algorithms too.
    Verbose,
}

impl Verbosity {
    pub(in crate::cli) fn of(global: &Global) -> Self {
        match (global.quiet, global.verbose) {
            (true, _) => Self::Quiet,
            (false, true) => Self::Verbose,
            (false, false) => Self::Normal,
        }
    }
}

/// `zpki init`.
pub(in crate::cli) fn init(report: &InitReport, verbosity: Verbosity) -> Rendered {
    if verbosity == Verbosity::Quiet {
        return Rendered::default();
    }
    let mut table = Table::new(&["NAME", "ROLE", "NOT AFTER", "HOSTS"], verbosity);
    for made in &report.certificates {
        table.row(
            [
                made.name.to_string(),
                made.role.to_string(),
                date(made.validity.not_after),
                joined(&made.hosts, " "),
            ],
            || {
                [
                    made.serial_number.to_string(),
                    made.key_algorithm.to_string(),
                ]
            },
        );
    }
    let key = if report.ca_key_encrypted {
        "encrypted"
    } else {
        "not encrypted"
    };
    let mut stdout = format!(
        "made the PKI of `{}` in {} (the CA's private key is {key})\n\n{}\n",
        report.cluster,
        Plain(&report.directory),
        table.draw()
    );
    next_steps(&report.next_steps, &mut stdout);
    Rendered {
        stdout,
        stderr: findings(&report.findings),
        ..Rendered::default()
    }
}

/// What to do next, in this order.
pub(super) fn next_steps(steps: &[NextStep], text: &mut String) {
    text.push_str("next:\n");
    for (number, step) in steps.iter().enumerate() {
        let what = Plain(&step.what);
        push(text, format_args!("  {}. {what}\n", number + 1));
        for command in &step.commands {
            push(text, format_args!("       {}\n", Plain(command)));
        }
    }
}

/// What the wizard is about to make.
pub(in crate::cli) fn summary(directory: &Path, cluster: &Cluster, encrypted: bool) -> String {
    let settings = cluster.settings();
    let mut table = Table::new(&["NAME", "ADDRESS", "HOSTS"], Verbosity::Normal);
    let mut servers = settings.servers.iter();
    for entry in cluster.entries() {
        let server = servers
            .as_slice()
            .first()
            .filter(|server| server.name == entry.name);
        let address = server.map(|server| server.address.to_string());
        if address.is_some() {
            servers.next();
        }
        let hosts = joined(&entry.hosts, " ");
        table.row(
            [entry.name.to_string(), address.unwrap_or_default(), hosts],
            || [],
        );
    }
    format!(
        "\nThis will be made in {}:\n\n{}\n\
         CA                  {}, {}, private key {}\n\
         certificates        {}, {}\n\
         client certificate  {}\n\n",
        Plain(&directory.to_string_lossy()),
        table.draw(),
        settings.ca.key_algorithm,
        settings.ca.lifetime,
        if encrypted {
            "encrypted"
        } else {
            "not encrypted"
        },
        settings.certificates.key_algorithm,
        settings.certificates.lifetime,
        settings.load_balancer.client_certificate,
    )
}

/// `zpki list`.
pub(in crate::cli) fn list(report: &ListReport, verbosity: Verbosity) -> Rendered {
    let mut table = Table::new(&["NAME", "ROLE", "STATUS", "NOT AFTER", "HOSTS"], verbosity);
    for entry in &report.entries {
        let (cells, more) = listed(entry);
        table.row(cells, || more);
    }
    Rendered::product(&table.draw())
}

fn listed(entry: &Listed) -> ([String; 5], [String; 2]) {
    let name = entry.name.to_string();
    let role = entry
        .role
        .map_or_else(|| "-".to_owned(), |role| role.to_string());
    match &entry.certificate {
        Some(certificate) => {
            let hosts = certificate
                .subject_alt_name
                .iter()
                .map(host)
                .collect::<Vec<_>>();
            (
                [
                    name,
                    role,
                    status(certificate),
                    date(certificate.validity.not_after),
                    hosts.join(" "),
                ],
                [
                    certificate.serial_number.to_string(),
                    certificate.key_algorithm.clone(),
                ],
            )
        }
        None => {
            let none = || "-".to_owned();
            (
                [name, role, "missing".to_owned(), none(), none()],
                [none(), none()],
            )
        }
    }
}

/// That it is revoked matters more than its dates.
fn status(certificate: &ListedCertificate) -> String {
    match certificate.revocation {
        Some(_) => "revoked".to_owned(),
        None => certificate.status.to_string(),
    }
}

fn host(name: &AltName) -> String {
    match name {
        AltName::Dns(name) => Plain(name).to_string(),
        AltName::Ip(address) => address.to_string(),
        AltName::Other(other) => Plain(other).to_string(),
    }
}

/// `zpki snippet`.
pub(in crate::cli) fn snippet(report: &SnippetReport) -> Rendered {
    let notes = report.notes.iter();
    Rendered {
        stderr: notes.map(|note| format!("note: {note}\n")).collect(),
        ..Rendered::product(&report.text)
    }
}

/// `zpki show --output pem`: everything but private keys.
pub(in crate::cli) fn pem(report: &ShowReport) -> Rendered {
    let stdout = report
        .objects
        .iter()
        .filter_map(|shown| shown.pem.as_deref())
        .collect();
    let hidden = report
        .objects
        .iter()
        .filter(|shown| shown.pem.is_none())
        .count();
    let stderr = match hidden {
        0 => String::new(),
        1 => "note: a private key is left out\n".to_owned(),
        keys => format!("note: {keys} private keys are left out\n"),
    };
    Rendered {
        stdout,
        stderr,
        ..Rendered::default()
    }
}

/// `zpki show`.
pub(in crate::cli) fn show(report: &ShowReport) -> Rendered {
    let mut stdout = String::new();
    for (position, shown) in report.objects.iter().enumerate() {
        if position > 0 {
            stdout.push('\n');
        }
        stdout += &object(shown);
    }
    if let Some(folder) = &report.folder {
        push(
            &mut stdout,
            format_args!("{:FIELD$}{}\n", "folder", Plain(folder)),
        );
    }
    Rendered::product(&stdout)
}

/// Width of the names of fields.
const FIELD: usize = 26;

type Fields = Vec<(&'static str, String)>;

fn object(shown: &Shown) -> String {
    let (kind, fields) = match &shown.object {
        Object::Certificate {
            status,
            revocation,
            certificate,
        } => {
            let mut fields = certificate_fields(certificate);
            let status = match revocation {
                Some(Revocation {
                    revoked_at, reason, ..
                }) => Some(format!("revoked on {}, {reason}", date(*revoked_at))),
                None => status.map(|status| status.to_string()),
            };
            fields.extend(status.map(|status| ("status", status)));
            ("certificate", fields)
        }
        Object::CertificationRequest(request) => ("certification request", request_fields(request)),
        Object::PrivateKey(key) => ("private key", private_key_fields(key)),
        Object::PublicKey(key) => ("public key", public_key_fields(key)),
        Object::RevocationList(list) => ("certificate revocation list", list_fields(list)),
    };
    let mut text = match shown.line {
        Some(line) => format!("{kind} (line {line})\n"),
        None => format!("{kind}\n"),
    };
    for (name, value) in fields {
        push(
            &mut text,
            format_args!("  {name:width$}{}\n", Plain(&value), width = FIELD - 2),
        );
    }
    text
}

fn certificate_fields(certificate: &Certificate) -> Fields {
    let none = || "none".to_owned();
    let identifier = |id: &Option<crate::domain::certificate::KeyIdentifier>| {
        id.as_ref().map_or_else(none, ToString::to_string)
    };
    let mut fields = vec![
        ("subject", certificate.subject.clone()),
        ("issuer", certificate.issuer.clone()),
        ("serialNumber", certificate.serial_number.to_string()),
        ("notBefore", date(certificate.validity.not_before)),
        ("notAfter", date(certificate.validity.not_after)),
        ("subjectAltName", names(&certificate.subject_alt_name)),
    ];
    fields.extend(public_key_fields(&certificate.public_key));
    fields.push((
        "signatureAlgorithm",
        certificate.signature_algorithm.clone(),
    ));
    if let Some(constraints) = certificate.basic_constraints {
        let ca = if constraints.ca {
            "CA:TRUE"
        } else {
            "CA:FALSE"
        };
        let length = constraints
            .path_len
            .map(|length| format!(", pathlen:{length}"));
        fields.push((
            "basicConstraints",
            format!("{ca}{}", length.unwrap_or_default()),
        ));
    }
    if let Some(usage) = &certificate.key_usage {
        fields.push(("keyUsage", usage.join(", ")));
    }
    if let Some(usage) = &certificate.extended_key_usage {
        fields.push(("extendedKeyUsage", usage.join(", ")));
    }
    if let Some(constraints) = &certificate.name_constraints {
        fields.push(("nameConstraints", constraints.join(", ")));
    }
    fields.push((
        "subjectKeyIdentifier",
        identifier(&certificate.subject_key_identifier),
    ));
    fields.push((
        "authorityKeyIdentifier",
        identifier(&certificate.authority_key_identifier),
    ));
    fields.push(("fingerprint", certificate.fingerprint.to_string()));
    fields
}

fn request_fields(request: &CertificationRequest) -> Fields {
    let signature = match request.signature_valid {
        Some(true) => "valid",
        Some(false) => "invalid",
        None => "cannot be checked",
    };
    let mut fields = vec![
        ("subject", request.subject.clone()),
        ("subjectAltName", names(&request.subject_alt_name)),
        ("signature", signature.to_owned()),
    ];
    fields.extend(public_key_fields(&request.public_key));
    fields
}

fn private_key_fields(key: &PrivateKeyDescription) -> Fields {
    let encryption = key.encryption.clone().unwrap_or_else(|| "none".to_owned());
    let mut fields = vec![("encryption", encryption)];
    fields.extend(key.public_key.iter().flat_map(public_key_fields));
    fields
}

fn public_key_fields(key: &PublicKey) -> Fields {
    vec![
        ("publicKey", key.algorithm.clone()),
        ("publicKeyFingerprint", key.fingerprint.to_string()),
    ]
}

fn list_fields(list: &RevocationList) -> Fields {
    let none = || "none".to_owned();
    let mut fields = vec![
        ("issuer", list.issuer.clone()),
        ("thisUpdate", date(list.this_update)),
        ("nextUpdate", list.next_update.map_or_else(none, date)),
        ("cRLNumber", list.crl_number.clone().unwrap_or_else(none)),
        ("revoked", list.revoked.len().to_string()),
    ];
    fields.extend(list.revoked.iter().map(|entry| ("", revocation(entry))));
    fields
}

fn revocation(entry: &Revocation) -> String {
    let revoked_at = date(entry.revoked_at);
    format!("{}  {revoked_at}  {}", entry.serial_number, entry.reason)
}

fn names(names: &[AltName]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        joined(names, ", ")
    }
}

/// Findings of one kind that are shown; a cluster of a thousand servers has as many.
const SHOWN_OF_A_KIND: usize = 3;

/// What was found, of each kind the first few.
pub(in crate::cli) fn findings(findings: &[Finding]) -> String {
    let mut text = String::new();
    for kind in findings.chunk_by(|one, other| one.id == other.id) {
        for finding in kind.iter().take(SHOWN_OF_A_KIND) {
            let label = match finding.severity {
                Severity::Ok => "note",
                Severity::Warning => "warning",
                Severity::Unknown => "unknown",
                Severity::Critical => "critical",
            };
            let (about, why) = (Plain(&finding.about), Plain(&finding.why));
            push(&mut text, format_args!("{label}: {about}: {why}\n"));
            if let Some(next) = &finding.next {
                push(&mut text, format_args!("  hint: {next}\n"));
            }
        }
        if let Some(more @ 1..) = kind.len().checked_sub(SHOWN_OF_A_KIND) {
            push(
                &mut text,
                format_args!("  and {more} more (--output json shows all)\n"),
            );
        }
    }
    text
}

/// Adds a formatted line.
pub(super) fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("a String takes everything");
}

/// Spaces between columns.
const GAP: usize = 2;

/// Columns as wide as their widest cell; the last one is not padded.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    verbosity: Verbosity,
}

impl Table {
    pub(super) fn new(headings: &[&str], verbosity: Verbosity) -> Self {
        let mut table = Self {
            rows: Vec::new(),
            verbosity,
        };
        let headings: Vec<String> = headings.iter().map(|&heading| heading.to_owned()).collect();
        table.add(headings, || ["SERIAL NUMBER", "KEY"].map(str::to_owned));
        table
    }

    /// A row; `more` are the columns of a verbose table.
    pub(super) fn row<const N: usize, const M: usize>(
        &mut self,
        cells: [String; N],
        more: impl FnOnce() -> [String; M],
    ) {
        self.add(cells.into(), more);
    }

    fn add<const M: usize>(&mut self, mut cells: Vec<String>, more: impl FnOnce() -> [String; M]) {
        if self.verbosity == Verbosity::Verbose {
            cells.extend(more());
        }
        self.rows.push(cells);
    }

    pub(super) fn draw(&self) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
        };
        let widths: Vec<usize> = (0..columns)
            .map(|column| width(column).unwrap_or(0))
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            for (cell, width) in row.iter().zip(&widths) {
                let padding = width.saturating_sub(cell.chars().count()) + GAP;
                text.push_str(cell);
                text.extend(std::iter::repeat_n(' ', padding));
            }
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
        }
        text
    }
}
