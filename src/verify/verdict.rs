//! The verdict of one consumer on one certificate.

use time::OffsetDateTime;

use super::path::{Path, Pool};
use super::policy::{NameMatching, Policy};
use super::reason::Reason;
use super::signatures::CheckedSignatures;
use super::{extensions, name_constraints, names, revocation, signatures, strength};
use crate::x509::path_certificate::PathCertificate;
use crate::x509::path_crl::PathCrl;

/// What a consumer has to judge with.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The certificates that the peer sends beside its own, in their order.
    pub sent: &'a Pool<'a>,
    /// The trust bundle (HAProxy's `ca-file`).
    pub trusted: &'a Pool<'a>,
    /// The CRLs (HAProxy's `crl-file`); None where revocation is not looked at.
    pub crls: Option<&'a [PathCrl]>,
    /// The names that the certificate must have, all of them; none are checked when it is empty.
    pub hosts: &'a [String],
    /// The instant.
    pub at: OffsetDateTime,
    /// Signatures that were checked before.
    pub signatures: &'a CheckedSignatures,
}

/// What a consumer says.
#[derive(Clone, Debug)]
pub struct Verdict<'a> {
    /// Who says it.
    pub policy: Policy,
    /// The path it found.
    pub path: Path<'a>,
    /// Everything against it, in the order in which OpenSSL looks; the first is what it answers.
    pub reasons: Vec<Reason>,
}

/// How a verdict ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It is accepted.
    Accepted,
    /// It is refused.
    Refused,
    /// Nothing speaks against it, but something cannot be checked here.
    Unknown,
}

impl Verdict<'_> {
    /// How it ends.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        if self.reasons.is_empty() {
            Outcome::Accepted
        } else if self.reasons.iter().any(Reason::is_refusal) {
            Outcome::Refused
        } else {
            Outcome::Unknown
        }
    }
}

/// Judges the certificate `leaf` as the consumer `policy` does (`X509_verify_cert`). Its checks go on
/// after the first that fails, so that all reasons are told.
#[must_use]
pub fn judge<'a>(leaf: &'a PathCertificate, policy: Policy, context: &Context<'a>) -> Verdict<'a> {
    let mut reasons = Vec::new();
    let partial_chain = policy.is_strict();
    strength::check_end_entity_key(leaf, &mut reasons);
    let Context {
        sent, trusted, at, ..
    } = *context;
    let path = Path::build(leaf, sent, trusted, at, partial_chain, &mut reasons);
    extensions::check(&path, policy, &mut reasons);
    strength::check_path(&path, &mut reasons);
    let matching = policy.name_matching();
    let end_entity = path.certificates[0];
    let check_names = |reasons: &mut Vec<Reason>| {
        names::check(end_entity, context.hosts, matching, reasons);
    };
    if matching == NameMatching::Openssl {
        check_names(&mut reasons);
    }
    if let Some(crls) = context.crls {
        revocation::check(&path, crls, at, &mut reasons);
    }
    signatures::check(&path, at, partial_chain, context.signatures, &mut reasons);
    if matching == NameMatching::Haproxy {
        check_names(&mut reasons);
    }
    name_constraints::check(&path, &mut reasons);
    extensions::check_resources(&path, &mut reasons);
    Verdict {
        policy,
        path,
        reasons,
    }
}
