//! Verdicts as reports have them: with the files that the certificates of a path stand in.

use serde::Serialize;
use time::OffsetDateTime;

use super::input::Located;
use crate::domain::digest::Digest;
use crate::domain::finding::{Finding, Severity};
use crate::domain::serial_number::SerialNumber;
use crate::domain::validity::Validity;
use crate::verify::path::Pool;
use crate::verify::policy::{Policy, Purpose};
use crate::verify::reason::{Reason, Rule};
use crate::verify::signatures::CheckedSignatures;
use crate::verify::verdict::{Context, Outcome, Verdict, judge};
use crate::x509::path_certificate::PathCertificate;
use crate::x509::path_crl::PathCrl;

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

/// Certificates that one side sends, and what the other side has to judge them with.
#[derive(Clone, Copy)]
pub(super) struct Encounter<'a> {
    /// What is sent, the end entity's certificate first.
    pub(super) sent: &'a [Located],
    pub(super) trusted: &'a [Located],
    /// None where revocation is not looked at.
    pub(super) crls: Option<&'a [PathCrl]>,
    pub(super) hosts: &'a [String],
    pub(super) at: OffsetDateTime,
    pub(super) signatures: &'a CheckedSignatures,
}

impl Encounter<'_> {
    /// The verdicts of `policies`, of which the first decides; and what is to be found in them: what
    /// decides is critical or unknown, what only another says is a warning.
    pub(super) fn judged_by(&self, policies: &[Policy]) -> (Vec<VerdictReport>, Vec<Finding>) {
        let Some((leaf, behind)) = self.sent.split_first() else {
            return (Vec::new(), Vec::new());
        };
        let context = Context {
            sent: &pool(behind),
            trusted: &pool(self.trusted),
            crls: self.crls,
            hosts: self.hosts,
            at: self.at,
            signatures: self.signatures,
        };
        let mut findings = Vec::new();
        let mut told: Vec<Reason> = Vec::new();
        let policies = policies.iter().enumerate();
        let reports = policies.map(|(number, policy)| {
            let decides = number == 0;
            let verdict = judge(&leaf.certificate, *policy, &context);
            findings.extend(verdict_findings(&verdict, decides, &told, self));
            told.extend(verdict.reasons.iter().cloned());
            verdict_report(&verdict, decides, self.hosts, self)
        });
        (reports.collect(), findings)
    }

    /// What `policy` says, which decides, and a strict verifier's second opinion.
    pub(super) fn with_second_opinion(&self, policy: Policy) -> (Vec<VerdictReport>, Vec<Finding>) {
        self.judged_by(&[policy, Policy::Strict(policy.purpose())])
    }

    /// Where a certificate of a path stands.
    fn place_of(&self, certificate: &PathCertificate) -> &Located {
        let is_it = |located: &&Located| std::ptr::eq(&raw const located.certificate, certificate);
        let mut all = self.sent.iter().chain(self.trusted);
        all.find(is_it)
            .expect("a path is made of the certificates that were read")
    }
}

/// Judges for one instant, and checks each signature once.
pub(super) struct Judge {
    at: OffsetDateTime,
    signatures: CheckedSignatures,
}

impl Judge {
    pub(super) fn at(at: OffsetDateTime) -> Self {
        Self {
            at,
            signatures: CheckedSignatures::default(),
        }
    }

    /// What `policy` says of what is sent, which decides, and a strict verifier's second opinion; what is
    /// to be found in them goes to `findings`. Without a trust bundle, which is told where it is read,
    /// nobody accepts anything.
    pub(super) fn verdicts(
        &self,
        policy: Policy,
        (sent, trusted): (&[Located], &[Located]),
        hosts: &[String],
        crls: Option<&[PathCrl]>,
        findings: &mut Vec<Finding>,
    ) -> Vec<VerdictReport> {
        if trusted.is_empty() {
            return Vec::new();
        }
        let encounter = Encounter {
            sent,
            trusted,
            crls,
            hosts,
            at: self.at,
            signatures: &self.signatures,
        };
        let (reports, found) = encounter.with_second_opinion(policy);
        findings.extend(found);
        reports
    }
}

fn pool(certificates: &[Located]) -> Pool<'_> {
    Pool::new(certificates.iter().map(|located| &located.certificate))
}

fn verdict_report(
    verdict: &Verdict<'_>,
    decides: bool,
    hosts: &[String],
    encounter: &Encounter<'_>,
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
        path: links(verdict, encounter),
        reasons: verdict.reasons.iter().map(reason_report).collect(),
    }
}

fn links(verdict: &Verdict<'_>, encounter: &Encounter<'_>) -> Vec<Link> {
    let path = &verdict.path;
    let last = path.certificates.len() - 1;
    let certificates = path.certificates.iter().enumerate();
    certificates
        .map(|(depth, certificate)| {
            let place = encounter.place_of(certificate);
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
    encounter: &Encounter<'_>,
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
            about: encounter.place_of(certificate).shown(),
            why: if reason.is_refusal() {
                format!("{} refuses it: {}", verdict.policy, reason.rule)
            } else {
                format!(
                    "whether {} accepts it is not known: {}",
                    verdict.policy, reason.rule
                )
            },
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
