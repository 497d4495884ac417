//! What the CA needs: its certificate renewed, a fresh CRL.

use time::{Duration, OffsetDateTime};

use super::reason::Reason;
use crate::domain::certificate::RevocationList;
use crate::domain::cluster::Cluster;
use crate::domain::validity::{Lifetime, NoValidity, RenewWithin, Validity};
use crate::x509::certificate::ParsedCertificate;
use crate::x509::profile::{NotRenewable, check_renewable};

/// A CRL is signed again when less than this of its lifetime is left: four months of a year, in which
/// somebody will run `apply`.
pub const CRL_RENEW_WITHIN: RenewWithin = RenewWithin::Percentage(33);

/// Whether the CA is to be renewed: it has less left than the longest lifetime and its renewal window
/// together, so that what it issues would be cut short, and a renewal would give it a tenth of its
/// lifetime more at least. Only a self-signed CA can renew itself, and only of one whose next
/// certificate says all that the present one says zpki makes that unasked.
///
/// # Errors
/// When `now` is so far off that no date can be written.
pub fn ca(
    cluster: &Cluster,
    ca: &ParsedCertificate,
    now: OffsetDateTime,
) -> Result<Option<(Validity, Reason)>, NoValidity> {
    let Some((remaining, needed)) = runway(cluster, ca, now) else {
        return Ok(None);
    };
    let settings = &cluster.settings().ca;
    let next = Validity::starting(now, settings.lifetime, None)?;
    let gain = next.not_after - ca.details.validity.not_after;
    let is_due = gain >= settings.lifetime.duration() / 10
        && check_renewable(ca, &settings.name_constraints).is_ok();
    Ok(is_due.then_some((next, Reason::CaRunway { remaining, needed })))
}

/// What a CA that is not for zpki to renew has left, and what it should have to issue and renew a
/// certificate of the longest lifetime, when that is more; and why it is not renewed.
#[must_use]
pub fn foreign_runway(
    cluster: &Cluster,
    ca: &ParsedCertificate,
    now: OffsetDateTime,
) -> Option<(Reason, NotRenewable)> {
    let (remaining, needed) = runway(cluster, ca, now)?;
    let why = check_renewable(ca, &cluster.settings().ca.name_constraints).err()?;
    Some((Reason::CaRunway { remaining, needed }, why))
}

/// What the CA has left and what it needs, when that is more.
fn runway(
    cluster: &Cluster,
    ca: &ParsedCertificate,
    now: OffsetDateTime,
) -> Option<(Duration, Duration)> {
    let needed = cluster.longest_term()?;
    let remaining = ca.details.validity.not_after - now;
    (remaining < needed).then_some((remaining, needed))
}

/// Whether the CA's certificate is by its own key.
#[must_use]
pub fn is_self_signed(ca: &ParsedCertificate) -> bool {
    ca.subject_der == ca.issuer_der
}

/// Whether a fresh CRL is to be signed: `crl`, which the CA has signed, is not valid yet though the CA is; or
/// less than a third of it is left and it ends before the CA does. However little a fresh one would gain,
/// without it HAProxy refuses every server until the CA ends too. `ca_validity` is the CA's as it will be when
/// this run has renewed it.
#[must_use]
pub fn crl(crl: &RevocationList, ca_validity: &Validity, now: OffsetDateTime) -> Option<Reason> {
    let ca_ends = ca_validity.not_after;
    if ca_ends <= now {
        return None;
    }
    if now < crl.this_update && ca_validity.not_before <= now {
        return Some(Reason::NotYetValid(crl.this_update));
    }
    let next_update = crl.next_update?;
    let lifetime = next_update - crl.this_update;
    let below = CRL_RENEW_WITHIN.of(lifetime);
    let remaining = next_update - now;
    if remaining >= below || ca_ends <= next_update {
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

/// thisUpdate and nextUpdate of a CRL that is signed `now`, as long as `lifetime` or the CA lasts, be
/// that ever so short: what is to be revoked is to be revoked to the end.
///
/// # Errors
/// When the CA has expired.
pub fn crl_updates(
    lifetime: Lifetime,
    ca: &Validity,
    now: OffsetDateTime,
) -> Result<Validity, NoValidity> {
    if ca.not_after <= now {
        return Err(NoValidity::IssuerEndsTooSoon {
            not_after: ca.not_after,
        });
    }
    let Validity {
        not_before,
        not_after,
    } = Validity::starting(now, lifetime, None)?;
    Ok(Validity {
        not_before: not_before.max(ca.not_before),
        not_after: not_after.min(ca.not_after),
    })
}

/// The number of a CRL that follows `last`: the time, so that it grows even when the record of the
/// last one is lost, and in any case more than the last one's (RFC 5280 5.2.3).
///
/// # Errors
/// For a clock before 1970.
pub fn crl_number(last: Option<u128>, now: OffsetDateTime) -> Result<u128, NoValidity> {
    let time = u128::try_from(now.unix_timestamp()).map_err(|_| NoValidity::OutOfRange)?;
    Ok(last.map_or(time, |last| time.max(last.saturating_add(1))))
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;
    use crate::domain::key_algorithm::KeyAlgorithm;
    use crate::domain::name_constraints::NameConstraints;
    use crate::domain::serial_number::SerialNumber;
    use crate::domain::settings::{
        CaSettings, CertificateSettings, LoadBalancerSettings, Overrides, RevocationSettings,
        ServerSettings, Settings,
    };
    use crate::x509::issue::{Authority, CaTemplate, Subject};
    use crate::x509::private_key::PrivateKey;

    const NOW: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);
    const CA_ENDS: OffsetDateTime = datetime!(2036-11-20 12:00 UTC);
    const SECOND: Duration = Duration::SECOND;
    const DAY: Duration = Duration::DAY;

    fn ca_until(not_after: OffsetDateTime) -> ParsedCertificate {
        let template = CaTemplate {
            subject: Subject {
                organization: "test".to_owned(),
                common_name: "test CA".to_owned(),
            },
            serial_number: SerialNumber::from_octets(&[1]),
            validity: Validity {
                not_before: NOW,
                not_after,
            },
            name_constraints: NameConstraints::default(),
        };
        let key = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap();
        let authority = Authority::self_signed(&template, key).unwrap();
        authority.certificate().clone()
    }

    /// A CRL of `ca`, of 100 days from [`NOW`].
    fn crl_of(ca: &ParsedCertificate) -> RevocationList {
        RevocationList {
            issuer: ca.details.subject.clone(),
            this_update: NOW,
            next_update: Some(NOW + Duration::days(100)),
            crl_number: Some("1".to_owned()),
            authority_key_identifier: ca.details.subject_key_identifier.clone(),
            revoked: Vec::new(),
        }
    }

    /// Certificates of 100 days that are due 10 days before their end, by a CA of so many days.
    fn cluster(ca_days: i64) -> Cluster {
        let server = ServerSettings {
            name: "server1".parse().unwrap(),
            address: "10.0.0.1:17010".parse().unwrap(),
            hosts: Vec::new(),
            options: Default::default(),
            calls_servers: false,
            conf: None,
            overrides: Overrides::default(),
        };
        Cluster::new(Settings {
            name: "prod".parse().unwrap(),
            ca: CaSettings {
                lifetime: format!("{ca_days}d").parse().unwrap(),
                ..CaSettings::default()
            },
            certificates: CertificateSettings {
                lifetime: "100d".parse().unwrap(),
                renew_within: "10d".parse().unwrap(),
                ..CertificateSettings::default()
            },
            load_balancer: LoadBalancerSettings::default(),
            servers: vec![server],
            clients: Vec::new(),
            revocation: RevocationSettings::default(),
        })
        .unwrap()
    }

    /// When the CA has so much left, is it renewed?
    fn is_renewed(ca_days: i64, wanted_days: i64, left: Duration) -> bool {
        let ca = ca_until(NOW + Duration::days(ca_days));
        let now = ca.details.validity.not_after - left;
        let decided = super::ca(&cluster(wanted_days), &ca, now).unwrap();
        if let Some((validity, reason)) = &decided {
            assert_eq!(validity.not_after, now + Duration::days(wanted_days));
            let needed = 110 * DAY;
            assert_eq!(
                *reason,
                Reason::CaRunway {
                    remaining: left,
                    needed
                }
            );
        }
        decided.is_some()
    }

    #[test]
    fn a_ca_is_renewed_when_it_cannot_issue_and_renew_the_longest_certificate() {
        assert!(!is_renewed(1000, 1000, 110 * DAY + SECOND));
        assert!(!is_renewed(1000, 1000, 110 * DAY));
        assert!(is_renewed(1000, 1000, 110 * DAY - SECOND));
        assert!(is_renewed(1000, 1000, SECOND));
        assert!(is_renewed(1000, 1000, -SECOND));
    }

    #[test]
    fn a_ca_is_renewed_only_for_a_tenth_of_its_lifetime_more() {
        // A CA of 100 days can never issue 100 days and renew them in ten.
        assert!(!is_renewed(100, 100, 90 * DAY + SECOND));
        assert!(is_renewed(100, 100, 90 * DAY));
        // One that is to become shorter has more left than a new one would have.
        assert!(!is_renewed(1000, 100, 109 * DAY));
    }

    #[test]
    fn only_a_self_signed_ca_renews_itself() {
        let mut ca = ca_until(CA_ENDS);
        let now = ca.details.validity.not_after - DAY;
        assert!(super::ca(&cluster(1000), &ca, now).unwrap().is_some());
        ca.issuer_der.push(0);
        assert!(!is_self_signed(&ca));
        assert_eq!(super::ca(&cluster(1000), &ca, now), Ok(None));
    }

    #[test]
    fn a_crl_goes_by_the_validity_that_the_ca_will_have() {
        let ca = ca_until(NOW + Duration::days(100));
        let list = crl_of(&ca);
        let now = NOW + Duration::days(99);
        assert_eq!(crl(&list, &ca.details.validity, now), None);
        let renewed = Validity::starting(now, Lifetime::default_ca(), None).unwrap();
        let reason = crl(&list, &renewed, now);
        assert_eq!(reason.map(|it| it.id()), Some("due"));
    }

    #[test]
    fn a_crl_without_an_end_is_never_due() {
        let ca = ca_until(CA_ENDS);
        let mut list = crl_of(&ca);
        list.next_update = None;
        assert_eq!(crl(&list, &ca.details.validity, NOW), None);
    }

    #[test]
    fn a_crl_that_is_not_valid_yet_is_signed_again_as_soon_as_the_ca_is_valid() {
        let ca = ca_until(CA_ENDS);
        let mut list = crl_of(&ca);
        list.this_update = NOW + DAY;
        for next_update in [None, Some(NOW + 100 * DAY)] {
            list.next_update = next_update;
            let at = |at| crl(&list, &ca.details.validity, at);
            let expected = Some(Reason::NotYetValid(NOW + DAY));
            assert_eq!(at(NOW - SECOND), None);
            assert_eq!(at(NOW), expected);
            assert_eq!(at(NOW + DAY - SECOND), expected);
            assert_eq!(at(NOW + DAY), None);
        }
        let updates = crl_updates("1y".parse().unwrap(), &ca.details.validity, NOW);
        assert!(updates.unwrap().not_before <= NOW);
    }

    #[test]
    fn a_crl_is_due_when_less_than_a_third_is_left() {
        let ca = ca_until(CA_ENDS);
        let list = crl_of(&ca);
        let due = NOW + Duration::days(67);
        assert_eq!(crl(&list, &ca.details.validity, due - SECOND), None);
        assert_eq!(crl(&list, &ca.details.validity, due), None);
        let expected = Reason::Due {
            remaining: Duration::days(33) - SECOND,
            lifetime: Duration::days(100),
            below: Duration::days(33),
        };
        assert_eq!(
            crl(&list, &ca.details.validity, due + SECOND),
            Some(expected)
        );
        let ends = list.next_update.unwrap();
        let at = |at| crl(&list, &ca.details.validity, at);
        assert!(matches!(at(ends - SECOND), Some(Reason::Due { .. })));
        assert_eq!(at(ends), Some(Reason::Expired(ends)));
        assert_eq!(at(ends + SECOND), Some(Reason::Expired(ends)));
    }

    /// Short of a CA that lasts a second longer, HAProxy would refuse every server in that second.
    #[test]
    fn a_crl_lasts_as_long_as_its_ca() {
        let late = NOW + Duration::days(99);
        let ends = NOW + Duration::days(100);
        let at = |ca_ends, at| {
            let ca = ca_until(ca_ends);
            crl(&crl_of(&ca), &ca.details.validity, at).is_some()
        };
        assert!(!at(ends, late));
        assert!(at(ends + SECOND, late));
        assert!(at(
            ends + Duration::days(5),
            ends + Duration::days(5) - SECOND
        ));
        // No CRL of an expired CA helps anybody.
        assert!(!at(ends + Duration::days(5), ends + Duration::days(5)));
    }

    #[test]
    fn the_last_crl_of_a_ca_may_be_short() {
        let ca = Validity {
            not_before: datetime!(2020-01-01 0:00 UTC),
            not_after: CA_ENDS,
        };
        let year = "1y".parse().unwrap();
        let updates = crl_updates(year, &ca, CA_ENDS - SECOND).unwrap();
        assert_eq!(updates.not_before, CA_ENDS - SECOND - Duration::HOUR);
        assert_eq!(updates.not_after, CA_ENDS);
        let not_after = CA_ENDS;
        let ended = Err(NoValidity::IssuerEndsTooSoon { not_after });
        assert_eq!(crl_updates(year, &ca, CA_ENDS), ended);
        let young = Validity {
            not_before: NOW,
            ..ca
        };
        let updates = crl_updates(year, &young, NOW).unwrap();
        assert_eq!(updates.not_before, NOW);
        assert_eq!(updates.not_after, NOW + Duration::days(365));
    }

    #[test]
    fn each_number_is_greater_than_the_last() {
        let time = u128::try_from(NOW.unix_timestamp()).unwrap();
        assert_eq!(crl_number(None, NOW), Ok(time));
        assert_eq!(crl_number(Some(time - 1), NOW), Ok(time));
        assert_eq!(crl_number(Some(time), NOW), Ok(time + 1));
        assert_eq!(crl_number(Some(time + 7), NOW), Ok(time + 8));
        let foreign = 0xffff_ffff_ffff_ffff_ffff;
        assert_eq!(crl_number(Some(foreign), NOW), Ok(foreign + 1));
        let before_1970 = datetime!(1969-12-31 23:59:59 UTC);
        assert_eq!(crl_number(None, before_1970), Err(NoValidity::OutOfRange));
    }
}
