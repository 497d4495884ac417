//! `zpki check FILE`: what a consumer will say of a certificate, and why.

use std::path::{Path, PathBuf};

use serde::Serialize;
use time::OffsetDateTime;

use super::error::Error;
use crate::domain::digest::Digest;
use crate::domain::finding::{Finding, Severity};
use crate::domain::serial_number::SerialNumber;
use crate::domain::validity::Validity;
use crate::system::System;
use crate::verify::path::Pool;
use crate::verify::policy::{Policy, Purpose};
use crate::verify::reason::{Reason, Rule};
use crate::verify::signatures::CheckedSignatures;
use crate::verify::verdict::{Context, Outcome, Verdict, judge};
use crate::x509::path_certificate::PathCertificate;

pub mod cluster;
pub mod configuration;
mod input;

use input::{Chain, Located, TrustBundle};

/// What to check.
#[derive(Clone, Debug)]
pub struct Request {
    /// A certificate, with whatever its owner sends behind it, and perhaps its private key.
    pub file: PathBuf,
    /// The trust bundle: a file, or a directory of files.
    pub ca_file: PathBuf,
    /// More certificates that the owner sends.
    pub untrusted: Vec<PathBuf>,
    /// CRLs; None where the consumer looks at none.
    pub crl_file: Option<PathBuf>,
    /// The names that the certificate must have.
    pub hosts: Vec<String>,
    /// The one consumer that decides; None for the one that the certificate calls for, and a strict
    /// verifier's second opinion.
    pub policy: Option<Policy>,
    /// The instant; None for now.
    pub at: Option<OffsetDateTime>,
}

/// What there is to say.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    /// Version of this report's form.
    pub schema: u32,
    /// The instant that was judged for.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Always false: nothing is written.
    pub changed: bool,
    /// The worst of the findings.
    pub status: Severity,
    /// The file.
    pub file: String,
    /// What each consumer says; the one that decides first.
    pub verdicts: Vec<VerdictReport>,
    /// Everything that was found, worst first.
    pub findings: Vec<Finding>,
}

/// What one consumer says.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerdictReport {
    /// The consumer.
    pub policy: &'static str,
    /// The consumer, for a sentence.
    #[serde(skip)]
    pub consumer: Policy,
    /// What the certificate is used for.
    pub purpose: Purpose,
    /// Whether this verdict decides; another is a second opinion.
    pub decides: bool,
    /// How it ends.
    pub outcome: OutcomeReport,
    /// The names that were asked for.
    pub hosts: Vec<String>,
    /// The path, from the end entity's certificate up.
    pub path: Vec<Link>,
    /// Everything against it, in OpenSSL's order: the first is what OpenSSL answers.
    pub reasons: Vec<ReasonReport>,
}

/// How a verdict ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeReport {
    /// It is accepted.
    Accepted,
    /// It is refused.
    Refused,
    /// Nothing speaks against it, but a signature cannot be checked here.
    Unknown,
}

/// A certificate of the path.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// 0 is the end entity's.
    pub depth: usize,
    /// Subject.
    pub subject: String,
    /// Issuer.
    pub issuer: String,
    /// Serial number.
    pub serial_number: SerialNumber,
    /// notBefore and notAfter.
    #[serde(flatten)]
    pub validity: Validity,
    /// SHA-256 of the DER.
    pub fingerprint: Digest,
    /// Where it comes from.
    pub source: Source,
    /// The file that has it.
    pub file: String,
    /// The line of its PEM block; None for DER.
    pub line: Option<usize>,
    /// Whether the path ends here, at a trust anchor.
    pub trust_anchor: bool,
}

/// Where a certificate comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The file that is checked, or one that its owner sends besides.
    Sent,
    /// The trust bundle.
    TrustBundle,
}

/// One reason.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReasonReport {
    /// The rule.
    pub id: &'static str,
    /// The certificate that breaks it.
    pub depth: usize,
    /// OpenSSL's number for it.
    pub openssl_error: Option<u32>,
    /// What was found, and what was expected.
    pub why: String,
    /// What to do next.
    pub next: &'static str,
}

/// Checks a file.
///
/// # Errors
/// When one of the files cannot be read or understood, or there is no clock.
pub fn run(request: &Request, system: &mut System) -> Result<CheckReport, Error> {
    let at = request.at.or(system.now).ok_or(Error::NoClock)?;
    let chain = Chain::read(request, system)?;
    let bundle = TrustBundle::read(&request.ca_file, system)?;
    let crl_file = request.crl_file.as_deref();
    let crls = crl_file.map(|path| input::crls(path, system)).transpose()?;
    let pools = (
        Pool::new(chain.sent().map(|located| &located.certificate)),
        Pool::new(
            bundle
                .certificates
                .iter()
                .map(|located| &located.certificate),
        ),
    );
    let signatures = CheckedSignatures::default();
    let context = Context {
        sent: &pools.0,
        trusted: &pools.1,
        crls: crls.as_deref(),
        hosts: &request.hosts,
        at,
        signatures: &signatures,
    };
    let deciding = request.policy.unwrap_or_else(|| called_for(chain.leaf()));
    let second = match request.policy {
        Some(_) => None,
        None => Some(Policy::Strict(deciding.purpose())),
    };
    let places = Places {
        sent: &chain.certificates,
        trusted: &bundle.certificates,
    };
    let mut findings = chain.findings();
    findings.extend(bundle.findings);
    let (verdicts, found) = opinions(chain.leaf(), deciding, second, &context, &places);
    findings.extend(found);
    findings.extend(unchecked_names(request, deciding));
    let status = worst_first(&mut findings);
    Ok(CheckReport {
        schema: 1,
        at,
        changed: false,
        status,
        file: request.file.display().to_string(),
        verdicts,
        findings,
    })
}

/// What there is to say when no name was checked.
fn unchecked_names(request: &Request, deciding: Policy) -> Option<Finding> {
    let file = request.file.display();
    match (deciding, request.hosts.is_empty()) {
        (Policy::ServerClient, false) => Some(Finding::warning(
            "host-of-client",
            file,
            "no name was checked: the certificate is a client's, and servers check no name",
            "leave out --host, or say with --as who checks it",
        )),
        (Policy::HaproxyServer | Policy::Strict(Purpose::Server), true) => Some(Finding::note(
            "no-host",
            file,
            "no name was checked: give the name that the consumer connects to with --host",
        )),
        _ => None,
    }
}

/// Puts the findings in order; the worst severity there is.
fn worst_first(findings: &mut [Finding]) -> Severity {
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let worst = findings.first();
    worst.map_or(Severity::Ok, |finding| finding.severity)
}

/// The verdict that decides, and a second opinion.
fn opinions<'a>(
    leaf: &'a PathCertificate,
    deciding: Policy,
    second: Option<Policy>,
    context: &Context<'a>,
    places: &Places<'_>,
) -> (Vec<VerdictReport>, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut told: Vec<Reason> = Vec::new();
    let policies = [Some(deciding), second].into_iter().flatten();
    let reports = policies.map(|policy| {
        let decides = policy == deciding;
        // No server checks the name of the load-balancer.
        let is_named = deciding != Policy::ServerClient;
        let hosts = if is_named { context.hosts } else { &[] };
        let verdict = judge(leaf, policy, &Context { hosts, ..*context });
        findings.extend(verdict_findings(&verdict, decides, &told, places));
        told.extend(verdict.reasons.iter().cloned());
        verdict_report(&verdict, decides, hosts, places)
    });
    (reports.collect(), findings)
}

/// The consumer that a certificate is made for: HAProxy, unless it is good for a client only.
fn called_for(leaf: &PathCertificate) -> Policy {
    match leaf.extensions.extended_key_usage {
        Some(usage) if usage.client_auth && !usage.server_auth => Policy::ServerClient,
        _ => Policy::HaproxyServer,
    }
}

/// Where certificates come from.
struct Places<'a> {
    sent: &'a [Located],
    trusted: &'a [Located],
}

impl Places<'_> {
    fn of(&self, certificate: &PathCertificate) -> &Located {
        let is_it = |located: &&Located| std::ptr::eq(&raw const located.certificate, certificate);
        let mut all = self.sent.iter().chain(self.trusted);
        all.find(is_it)
            .expect("a path is made of the certificates that were read")
    }
}

fn verdict_report(
    verdict: &Verdict<'_>,
    decides: bool,
    hosts: &[String],
    places: &Places<'_>,
) -> VerdictReport {
    VerdictReport {
        policy: match verdict.policy {
            Policy::HaproxyServer => "haproxy-server",
            Policy::ServerClient => "server-client",
            Policy::Strict(_) => "strict",
        },
        consumer: verdict.policy,
        purpose: verdict.policy.purpose(),
        decides,
        outcome: match verdict.outcome() {
            Outcome::Accepted => OutcomeReport::Accepted,
            Outcome::Refused => OutcomeReport::Refused,
            Outcome::Unknown => OutcomeReport::Unknown,
        },
        hosts: hosts.to_vec(),
        path: links(verdict, places),
        reasons: verdict.reasons.iter().map(reason_report).collect(),
    }
}

fn links(verdict: &Verdict<'_>, places: &Places<'_>) -> Vec<Link> {
    let path = &verdict.path;
    let last = path.certificates.len() - 1;
    let certificates = path.certificates.iter().enumerate();
    certificates
        .map(|(depth, certificate)| {
            let place = places.of(certificate);
            Link {
                depth,
                subject: certificate.subject.shown.clone(),
                issuer: certificate.issuer.shown.clone(),
                serial_number: certificate.serial_number.clone(),
                validity: certificate.validity,
                fingerprint: certificate.fingerprint,
                source: place.source,
                file: place.file.clone(),
                line: place.line,
                trust_anchor: path.is_anchored && depth == last,
            }
        })
        .collect()
}

fn reason_report(reason: &Reason) -> ReasonReport {
    ReasonReport {
        id: reason.rule.id(),
        depth: reason.depth,
        openssl_error: reason.rule.openssl_error(),
        why: reason.rule.to_string(),
        next: reason.rule.hint(),
    }
}

/// What decides is critical; what only the other verifier says is a warning.
fn verdict_findings(
    verdict: &Verdict<'_>,
    decides: bool,
    told: &[Reason],
    places: &Places<'_>,
) -> Vec<Finding> {
    let finding = |reason: &Reason| {
        let certificate = verdict.path.certificates[reason.depth];
        let severity = match (decides, reason.is_refusal()) {
            (true, true) => Severity::Critical,
            (true, false) => Severity::Unknown,
            (false, _) => Severity::Warning,
        };
        Finding {
            severity,
            id: reason.rule.id(),
            about: places.of(certificate).shown(),
            why: format!("{} refuses it: {}", verdict.policy, reason.rule),
            next: Some(reason.rule.hint().to_owned()),
        }
    };
    let is_new = |reason: &&Reason| !told.contains(reason) && !follows(reason);
    let new = verdict.reasons.iter().filter(is_new);
    new.map(finding).collect()
}

/// What OpenSSL says too once there is no issuer.
fn follows(reason: &Reason) -> bool {
    matches!(reason.rule, Rule::UnverifiedLeaf)
}

/// The file as a user names it.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
