//! `zpki check FILE`: what a consumer will say of a certificate, and why.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use time::OffsetDateTime;

use super::error::Error;
use crate::domain::finding::{Finding, Severity};
use crate::system::System;
use crate::verify::policy::{Policy, Purpose};
use crate::verify::signatures::CheckedSignatures;
use crate::x509::path_certificate::PathCertificate;

pub mod cluster;
pub mod configuration;
mod input;
pub mod verdict;

use input::{Chain, TrustBundle};
use verdict::{Encounter, VerdictReport};

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
    let deciding = request.policy.unwrap_or_else(|| called_for(chain.leaf()));
    // No server checks the name of the load-balancer.
    let is_named = deciding != Policy::ServerClient;
    let encounter = Encounter {
        sent: &chain.certificates,
        trusted: &bundle.certificates,
        crls: crls.as_deref(),
        hosts: if is_named { &request.hosts } else { &[] },
        at,
        signatures: &CheckedSignatures::default(),
    };
    let mut findings = chain.findings();
    findings.extend(bundle.findings);
    let (verdicts, found) = match request.policy {
        Some(policy) => encounter.judged_by(&[policy]),
        None => encounter.with_second_opinion(deciding),
    };
    findings.extend(found);
    findings.extend(unchecked_names(request, deciding));
    if request.policy.is_some() {
        let warnings = findings.iter_mut();
        let warnings = warnings.filter(|finding| finding.severity == Severity::Warning);
        // One policy decides, and other remarks are notes.
        warnings.for_each(|finding| finding.severity = Severity::Ok);
    }
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

/// Puts the findings in order, each once; the worst severity there is.
fn worst_first(findings: &mut Vec<Finding>) -> Severity {
    let mut told = HashSet::new();
    findings.retain(|finding| told.insert(finding.clone()));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let worst = findings.first();
    worst.map_or(Severity::Ok, |finding| finding.severity)
}

/// The consumer that a certificate is made for: HAProxy, unless it is good for a client only.
fn called_for(leaf: &PathCertificate) -> Policy {
    match leaf.extensions.extended_key_usage {
        Some(usage) if usage.client_auth && !usage.server_auth => Policy::ServerClient,
        _ => Policy::HaproxyServer,
    }
}

/// Why a file could not be understood.
fn because(error: &Error) -> String {
    let reasons = error.reasons().into_iter();
    let causes = reasons.flat_map(|reason| reason.because);
    causes.collect::<Vec<_>>().join(": ")
}

/// The file as a user names it.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
