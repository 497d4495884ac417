//! Signatures and dates, from the trust anchor down (`internal_verify`).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use time::OffsetDateTime;

use super::path::Path;
use super::reason::{Reason, Rule};
use crate::domain::digest::Digest;
use crate::x509::extensions::KeyUsage;
use crate::x509::path_certificate::PathCertificate;

/// Signatures that were checked, so that many paths below one CA, or many policies for one path, cost one
/// check of each.
#[derive(Debug, Default)]
pub struct CheckedSignatures(Mutex<HashMap<(Digest, Digest), Option<bool>>>);

impl CheckedSignatures {
    /// Whether `issuer` signed `subject`; None when that cannot be checked here.
    pub(super) fn is_signed_by(
        &self,
        subject: &PathCertificate,
        issuer: &PathCertificate,
    ) -> Option<bool> {
        let pair = (subject.fingerprint, issuer.fingerprint);
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(checked) = lock().get(&pair) {
            return *checked;
        }
        let checked = if subject.signatures_agree {
            let signed = subject.signed();
            signed.map_or(Some(false), |signed| signed.is_by(&issuer.public_key_der))
        } else {
            Some(false)
        };
        lock().insert(pair, checked);
        checked
    }
}

pub(super) fn check(
    path: &Path<'_>,
    at: OffsetDateTime,
    partial_chain: bool,
    signatures: &CheckedSignatures,
    reasons: &mut Vec<Reason>,
) {
    let certificates = &path.certificates;
    let last = certificates.len() - 1;
    let top = certificates[last];
    // What ends a path and was not issued by itself has no signature that could be checked, and OpenSSL
    // looks at its dates only where it may be a trust anchor.
    let is_looked_at = top.is_likely_issuer_of(top) || partial_chain;
    if is_looked_at {
        check_dates(top, last, at, reasons);
    } else if last == 0 {
        let rule = Rule::UnverifiedLeaf;
        reasons.push(Reason { rule, depth: 0 });
        check_dates(top, last, at, reasons);
    }
    for depth in (0..last).rev() {
        let (subject, issuer) = (certificates[depth], certificates[depth + 1]);
        if !issuer.may(KeyUsage::KEY_CERT_SIGN) {
            let rule = Rule::CertSignMissing;
            reasons.push(Reason {
                rule,
                depth: depth + 1,
            });
        }
        let rule = match signatures.is_signed_by(subject, issuer) {
            Some(true) => None,
            Some(false) => Some(Rule::SignatureInvalid),
            None => Some(Rule::SignatureUnknown),
        };
        reasons.extend(rule.map(|rule| Reason { rule, depth }));
        check_dates(subject, depth, at, reasons);
    }
}

/// A certificate is expired at notAfter itself, though RFC 5280 4.1.2.5 calls that instant valid.
fn check_dates(
    certificate: &PathCertificate,
    depth: usize,
    at: OffsetDateTime,
    reasons: &mut Vec<Reason>,
) {
    let not_before = certificate.validity.not_before;
    let not_after = certificate.validity.not_after;
    if at < not_before {
        let rule = Rule::NotYetValid { not_before };
        reasons.push(Reason { rule, depth });
    }
    if not_after <= at {
        let rule = Rule::Expired { not_after };
        reasons.push(Reason { rule, depth });
    }
}
