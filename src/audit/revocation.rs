//! What revoking does not reach.

use std::fmt::Display;

use time::OffsetDateTime;

use crate::domain::finding::{Finding, Severity};
use crate::domain::name::EntryName;
use crate::domain::revocation::RevocationReason;
use crate::domain::validity::show;
use crate::x509::path_certificate::PathCertificate;

/// A certificate with clientAuth that was revoked for `reason`, until it expires: servers read no CRL.
/// One whose place another has taken is told of and asks for nothing.
#[must_use]
pub fn still_passes(
    about: impl Display,
    until: OffsetDateTime,
    reason: Option<RevocationReason>,
) -> Finding {
    let why = format!(
        "servers read no CRL: where they ask for a certificate, this one passes until it expires, on {}",
        show(until)
    );
    let id = "revoked-still-passes";
    if reason == Some(RevocationReason::Superseded) {
        return Finding::note(id, about, why);
    }
    Finding {
        severity: Severity::Warning,
        id,
        about: about.to_string(),
        why,
        next: Some(
            "rekey its entry; to shut it out before then, make a new CA and let the servers trust that one alone"
                .to_owned(),
        ),
    }
}

/// Whether a certificate of `name`, revoked for `reason`, still passes at `at`.
#[must_use]
pub fn check(
    name: &EntryName,
    certificate: &PathCertificate,
    reason: Option<RevocationReason>,
    at: OffsetDateTime,
) -> Option<Finding> {
    let usage = certificate.extensions.extended_key_usage;
    let is_client = usage.is_none_or(|usage| usage.client_auth);
    let until = certificate.validity.not_after;
    let about = format!("{name} {}", certificate.serial_number);
    (is_client && at < until).then(|| still_passes(about, until, reason))
}
