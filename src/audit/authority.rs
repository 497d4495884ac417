//! The CA, its CRL, and whether the clock can be believed.

use time::{Duration, OffsetDateTime};

use crate::domain::cluster::Cluster;
use crate::domain::finding::{Finding, Severity};
use crate::domain::revocation::restore_record;
use crate::domain::validity::{Validity, show};
use crate::x509::extensions::KeyUsage;
use crate::x509::path_certificate::PathCertificate;
use crate::x509::path_crl::PathCrl;

/// When the CA can no longer issue a certificate of the longest lifetime and its renewal window: from
/// then on new certificates are cut short. `renewal` is how it gets a certificate that ends later.
#[must_use]
pub fn runway(
    cluster: &Cluster,
    ca: &PathCertificate,
    at: OffsetDateTime,
    renewal: &str,
) -> Option<Finding> {
    let longest = cluster.longest_term()?;
    let not_after = ca.validity.not_after;
    let runway = not_after.checked_sub(longest)?;
    (runway <= at && at < not_after).then(|| {
        Finding::warning(
            "ca-runway",
            "ca/ca.cert.pem",
            format!(
                "the CA ends on {}, before a certificate made now would have been renewed once",
                show(not_after)
            ),
            renewal,
        )
    })
}

/// The CA's own dates. `renewal` is how it gets a certificate that ends later.
#[must_use]
pub fn dates(ca: &PathCertificate, at: OffsetDateTime, renewal: &str) -> Option<Finding> {
    let Validity {
        not_before,
        not_after,
    } = ca.validity;
    let (id, why, next) = if at < not_before {
        (
            "ca-not-yet-valid",
            format!("the CA is not valid before {}", show(not_before)),
            "set the clock, or wait",
        )
    } else if not_after <= at {
        (
            "ca-expired",
            format!(
                "the CA expired on {}: nothing that it signed is accepted",
                show(not_after)
            ),
            renewal,
        )
    } else {
        return None;
    };
    Some(Finding {
        severity: Severity::Critical,
        id,
        about: "ca/ca.cert.pem".to_owned(),
        why,
        next: Some(next.to_owned()),
    })
}

/// That it is a CA at all.
#[must_use]
pub fn is_one(ca: &PathCertificate) -> Option<Finding> {
    let may_sign = ca.is_ca() && ca.may(KeyUsage::KEY_CERT_SIGN);
    (!may_sign).then(|| Finding {
        severity: Severity::Critical,
        id: "not-a-ca",
        about: "ca/ca.cert.pem".to_owned(),
        why: format!("the certificate of `{}` is no CA's", ca.subject.shown),
        next: Some("restore the CA's certificate from a backup".to_owned()),
    })
}

/// What is wrong with the record of revocations; critical where HAProxy looks at it. `sign` is the command
/// that signs a fresh one.
#[must_use]
pub fn crl(
    crl: &PathCrl,
    ca: &PathCertificate,
    in_use: bool,
    at: OffsetDateTime,
    sign: &str,
) -> Vec<Finding> {
    let severity = if in_use {
        Severity::Critical
    } else {
        Severity::Warning
    };
    let finding = |id, why: String| Finding {
        severity,
        id,
        about: "ca/crl.pem".to_owned(),
        why,
        next: Some(format!("sign a fresh one: {sign}")),
    };
    let mut findings = Vec::new();
    let signed = crl
        .signed()
        .and_then(|signed| signed.is_by(&ca.public_key_der));
    if !crl.issuer.is_same_as(&ca.subject) || signed == Some(false) {
        findings.push(Finding {
            next: Some(restore_record(in_use)),
            ..finding("crl-signature", "it is not signed by the CA".to_owned())
        });
    }
    if !ca.may(KeyUsage::CRL_SIGN) {
        findings.push(Finding {
            next: Some("use a CA whose keyUsage has cRLSign".to_owned()),
            ..finding("key-usage-no-crl-sign", "the CA may sign no CRL".to_owned())
        });
    }
    if at < crl.this_update {
        let why = format!("it is not valid before {}", show(crl.this_update));
        findings.push(finding("crl-not-yet-valid", why));
    }
    if let Some(next_update) = crl.next_update
        && next_update <= at
    {
        let why = format!("it expired on {} (nextUpdate)", show(next_update));
        findings.push(finding("crl-expired", why));
    }
    findings
}

/// A clock that is behind what it saw before, or far ahead: no verdict of it can be trusted.
#[must_use]
pub fn clock(
    at: OffsetDateTime,
    released: OffsetDateTime,
    issued: &[Validity],
    live: &[Validity],
) -> Option<Finding> {
    let newest = issued.iter().map(|validity| validity.not_before).max();
    let expired = live
        .iter()
        .filter(|validity| validity.not_after <= at)
        .count();
    let why = if at < released {
        format!("it says {}, before this program was made", show(at))
    } else if let Some(newest) = newest
        && at < newest - Duration::DAY
    {
        format!(
            "it says {}, and a certificate was issued that begins on {}",
            show(at),
            show(newest)
        )
    } else if live.len() >= 2 && expired * 2 > live.len() {
        format!(
            "it says {}: {expired} of {} certificates would have expired",
            show(at),
            live.len()
        )
    } else {
        return None;
    };
    Some(Finding {
        severity: Severity::Unknown,
        id: "clock-suspect",
        about: "the clock".to_owned(),
        why,
        next: Some("set the clock; if it is right, renew what has expired".to_owned()),
    })
}
