//! What the CA needs: its certificate renewed, a fresh CRL.

use time::OffsetDateTime;

use super::reason::Reason;
use crate::domain::certificate::RevocationList;
use crate::domain::cluster::Cluster;
use crate::domain::validity::{Lifetime, NoValidity, RenewWithin, Validity};
use crate::x509::certificate::ParsedCertificate;

/// A CRL is signed again when less than this of its lifetime is left: four months of a year, in which
/// somebody will run `apply`.
pub const CRL_RENEW_WITHIN: RenewWithin = RenewWithin::Percentage(33);

/// Whether the CA is to be renewed: it has less left than the longest lifetime and its renewal window
/// together, so that what it issues would be cut short, and a renewal would give it a tenth of its
/// lifetime more at least. Only a self-signed CA can renew itself.
///
/// # Errors
/// When `now` is so far off that no date can be written.
pub fn ca(
    cluster: &Cluster,
    ca: &ParsedCertificate,
    now: OffsetDateTime,
) -> Result<Option<(Validity, Reason)>, NoValidity> {
    let Some(needed) = cluster.longest_term().filter(|_| is_self_signed(ca)) else {
        return Ok(None);
    };
    let lifetime = cluster.settings().ca.lifetime;
    let next = Validity::starting(now, lifetime, None)?;
    let not_after = ca.details.validity.not_after;
    let remaining = not_after - now;
    let is_due = remaining < needed && next.not_after - not_after >= lifetime.duration() / 10;
    Ok(is_due.then_some((next, Reason::CaRunway { remaining, needed })))
}

/// Whether the CA's certificate is by its own key.
#[must_use]
pub fn is_self_signed(ca: &ParsedCertificate) -> bool {
    ca.subject_der == ca.issuer_der
}

/// Whether a fresh CRL is to be signed: `crl` is by another CA, or less than a third of it is left.
#[must_use]
pub fn crl(crl: &RevocationList, ca: &ParsedCertificate, now: OffsetDateTime) -> Option<Reason> {
    if crl.authority_key_identifier != ca.details.subject_key_identifier {
        return Some(Reason::CrlByAnother);
    }
    let next_update = crl.next_update?;
    let lifetime = next_update - crl.this_update;
    let below = CRL_RENEW_WITHIN.of(lifetime);
    let remaining = next_update - now;
    let gain = ca.details.validity.not_after - next_update;
    if remaining >= below || gain < lifetime / 10 {
        return None;
    }
    Some(if next_update <= now {
        Reason::Expired(next_update)
    } else {
        Reason::Due {
            remaining,
            lifetime,
            below,
        }
    })
}

/// thisUpdate and nextUpdate of a CRL that is signed `now`, as long as `lifetime` or the CA lasts.
///
/// # Errors
/// When the CA ends too soon.
pub fn crl_updates(
    lifetime: Lifetime,
    ca: &Validity,
    now: OffsetDateTime,
) -> Result<Validity, NoValidity> {
    Validity::starting(now, lifetime, Some(ca))
}

/// The number of a CRL that follows `last`: the time, so that it grows even when the record of the
/// last one is lost, and in any case more than the last one's (RFC 5280 5.2.3).
///
/// # Errors
/// For a clock before 1970.
pub fn crl_number(last: Option<u64>, now: OffsetDateTime) -> Result<u64, NoValidity> {
    let time = u64::try_from(now.unix_timestamp()).map_err(|_| NoValidity::OutOfRange)?;
    Ok(last.map_or(time, |last| time.max(last.saturating_add(1))))
}
