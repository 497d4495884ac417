//! What an entry needs: nothing, its certificate put back, a new one, or a new key too.

use std::collections::HashSet;

use time::{Duration, OffsetDateTime};

use super::reason::Reason;
use crate::domain::certificate::Certificate;
use crate::domain::cluster::Entry;
use crate::domain::host::Host;
use crate::domain::key_algorithm::KeyAlgorithm;
use crate::domain::name::{ClusterName, EntryName};
use crate::domain::order::Terms;
use crate::domain::revocation::{Revocation, RevocationReason};
use crate::domain::role::ExtendedKeyUsage;
use crate::domain::serial_number::SerialNumber;
use crate::domain::validity::{Lifetime, NoValidity, RenewWithin, Validity};
use crate::x509::certificate::ParsedCertificate;

/// What is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a, R> {
    /// The instant.
    pub now: OffsetDateTime,
    /// The CA's certificate.
    pub ca: &'a ParsedCertificate,
    /// The CA's validity, as it will be when this run has renewed it.
    pub ca_validity: Validity,
    /// The cluster's name: the organization in every subject.
    pub cluster: &'a ClusterName,
    /// What the CRL says of a serial number.
    pub revoked: R,
}

/// What the CRL says of a certificate, as far as the key goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Revoked {
    /// Its key is not safe any more.
    Compromised,
    /// For another reason.
    Otherwise,
}

impl Revoked {
    /// What an entry of the CRL says.
    #[must_use]
    pub fn of(revocation: &Revocation) -> Self {
        match revocation.reason {
            RevocationReason::KeyCompromise => Self::Compromised,
            _ => Self::Otherwise,
        }
    }
}

/// The private key in an entry's host folder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HeldKey<'a> {
    /// There is none.
    Missing,
    /// There is something, which is none.
    Unusable(&'a str),
    /// There is one.
    Usable {
        /// Its algorithm.
        algorithm: KeyAlgorithm,
        /// SubjectPublicKeyInfo, DER.
        public_key_der: &'a [u8],
    },
}

/// What a certificate should be.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Its common name.
    pub name: &'a EntryName,
    /// Its host names and addresses.
    pub hosts: &'a [Host],
    /// Its purposes.
    pub extended_key_usage: ExtendedKeyUsage,
    /// How long the next one is to be valid.
    pub lifetime: Lifetime,
    /// When it is due.
    pub renew_within: RenewWithin,
}

impl<'a> From<&'a Entry> for Wanted<'a> {
    fn from(entry: &'a Entry) -> Self {
        Self {
            name: &entry.name,
            hosts: &entry.hosts,
            extended_key_usage: entry.extended_key_usage,
            lifetime: entry.lifetime,
            renew_within: entry.renew_within,
        }
    }
}

impl<'a> From<&'a Terms> for Wanted<'a> {
    fn from(terms: &'a Terms) -> Self {
        Self {
            name: &terms.name,
            hosts: &terms.hosts,
            extended_key_usage: terms.extended_key_usage,
            lifetime: terms.lifetime,
            renew_within: terms.renew_within,
        }
    }
}

/// What there is of an entry.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// The entry.
    pub entry: &'a Entry,
    /// The private key in its host folder.
    pub key: HeldKey<'a>,
    /// The certificate there.
    pub certificate: Option<&'a ParsedCertificate>,
    /// Whether that says that it is by the CA and is not: an octet of it is another.
    pub is_altered: bool,
}

/// What is to be done about an entry's key and certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Need {
    /// Both are right.
    Nothing,
    /// The first key and certificate.
    Issue,
    /// A new certificate for the key that is there.
    Renew(Vec<Reason>),
    /// A new key, and a certificate for it.
    Rekey(Vec<Reason>),
    /// A certificate that was issued for this key and is right.
    Restore(Box<ParsedCertificate>, Vec<Reason>),
}

impl Need {
    /// Whether a certificate is to be signed.
    #[must_use]
    pub fn signs(&self) -> bool {
        matches!(self, Self::Issue | Self::Rekey(_) | Self::Renew(_))
    }
}

/// Whether a certificate, which is right, was issued for another lifetime than is wanted now: it stays until it
/// is due. One that ends with its CA may have been cut short.
#[must_use]
pub fn has_other_lifetime(
    certificate: &ParsedCertificate,
    wanted: Lifetime,
    ca: &Validity,
    now: OffsetDateTime,
) -> bool {
    let validity = &certificate.details.validity;
    // It begins a while before it is issued, or with its CA.
    let longest = Validity::starting(now, wanted, None).map(|next| next.lifetime());
    let fits = |longest| (wanted.duration()..=longest).contains(&validity.lifetime());
    validity.not_after != ca.not_after && longest.is_ok_and(|longest| !fits(longest))
}

/// Decides what `held` needs. `issued` gives what the inventory has of the entry, as it was signed; it
/// is asked only when what is installed is not right.
///
/// # Errors
/// What `issued` answers.
pub fn decide<R, E>(
    held: &Held<'_>,
    rules: &Rules<'_, R>,
    issued: impl FnOnce() -> Result<Vec<ParsedCertificate>, E>,
) -> Result<Need, E>
where
    R: Fn(&SerialNumber) -> Option<Revoked>,
{
    let (algorithm, public_key_der) = match held.key {
        HeldKey::Usable {
            algorithm,
            public_key_der,
        } => (algorithm, public_key_der),
        HeldKey::Missing if held.certificate.is_none() && issued()?.is_empty() => {
            return Ok(Need::Issue);
        }
        HeldKey::Missing => return Ok(Need::Rekey(vec![Reason::KeyMissing])),
        HeldKey::Unusable(why) => {
            return Ok(Need::Rekey(vec![Reason::KeyUnusable(why.to_owned())]));
        }
    };
    let wanted = held.entry.key_algorithm;
    if algorithm != wanted {
        let found = algorithm;
        return Ok(Need::Rekey(vec![Reason::KeyAlgorithm { found, wanted }]));
    }
    let faults = match held.certificate {
        None => vec![Reason::CertificateMissing],
        Some(certificate) if certificate.public_key_der != public_key_der => {
            let why = "it is for another key".to_owned();
            vec![Reason::CertificateUnusable(why)]
        }
        Some(_) if held.is_altered => {
            let why = "it is not as the CA signed it".to_owned();
            vec![Reason::CertificateUnusable(why)]
        }
        Some(certificate) => faults(certificate, &held.entry.into(), rules),
    };
    if faults.is_empty() {
        return Ok(Need::Nothing);
    }
    let mut issued = issued()?;
    issued.retain(|certificate| certificate.public_key_der == public_key_der);
    let is_another = |certificate: &ParsedCertificate| certificate.public_key_der != public_key_der;
    let is_strange = issued.is_empty() && held.certificate.is_some_and(is_another);
    if is_strange || public_key_der == rules.ca.public_key_der {
        // Nobody knows whose it is: it may well be another entry's.
        return Ok(Need::Rekey(faults));
    }
    let is_compromised = |certificate: &ParsedCertificate| {
        (rules.revoked)(&certificate.details.serial_number) == Some(Revoked::Compromised)
    };
    if issued.iter().any(is_compromised) {
        return Ok(Need::Rekey(vec![Reason::KeyCompromised]));
    }
    let right = issued
        .into_iter()
        .filter(|certificate| self::faults(certificate, &held.entry.into(), rules).is_empty());
    if let Some(newest) = right.max_by_key(|it| it.details.validity.not_before) {
        return Ok(Need::Restore(Box::new(newest), faults));
    }
    let is_revoked = |reason: &Reason| matches!(reason, Reason::Revoked | Reason::KeyCompromised);
    Ok(if faults.iter().any(is_revoked) {
        Need::Rekey(faults)
    } else {
        Need::Renew(faults)
    })
}

/// What is wrong with a certificate that should be as `wanted`; nothing when it can stay.
pub fn faults<R>(
    certificate: &ParsedCertificate,
    wanted: &Wanted<'_>,
    rules: &Rules<'_, R>,
) -> Vec<Reason>
where
    R: Fn(&SerialNumber) -> Option<Revoked>,
{
    let details = &certificate.details;
    let revoked = (rules.revoked)(&details.serial_number).map(|revoked| match revoked {
        Revoked::Compromised => Reason::KeyCompromised,
        Revoked::Otherwise => Reason::Revoked,
    });
    let is_by_ca = certificate.issuer_der == rules.ca.subject_der
        && details.authority_key_identifier == rules.ca.details.subject_key_identifier;
    let mut faults = Vec::new();
    faults.extend(revoked);
    faults.extend((!is_by_ca).then_some(Reason::CaChanged));
    faults.extend(subject(details, wanted.name, rules.cluster));
    faults.extend(hosts(details, wanted.hosts));
    faults.extend(purposes(details, wanted.extended_key_usage));
    faults.extend(early(&details.validity, rules));
    faults.extend(due(&details.validity, wanted, rules));
    faults
}

fn subject(details: &Certificate, name: &EntryName, cluster: &ClusterName) -> Option<Reason> {
    // As x509::issue writes it: both are made of characters that need no escape.
    let subject = format!("O={cluster},CN={name}");
    (details.subject != subject).then_some(Reason::Subject)
}

fn hosts(details: &Certificate, wanted: &[Host]) -> Vec<Reason> {
    let found = details.hosts();
    let known: HashSet<&Host> = found.iter().collect();
    let asked_for: HashSet<&Host> = wanted.iter().collect();
    let added = wanted.iter().filter(|host| !known.contains(host));
    let removed = found.iter().filter(|host| !asked_for.contains(host));
    let added = added.cloned().map(Reason::HostAdded);
    added
        .chain(removed.cloned().map(Reason::HostRemoved))
        .collect()
}

fn purposes(details: &Certificate, wanted: ExtendedKeyUsage) -> Option<Reason> {
    let found = details.extended_key_usage.as_deref().unwrap_or_default();
    let has = |purpose: &str| found.iter().any(|found| found == purpose);
    let fits = has("serverAuth") == wanted.server_auth && has("clientAuth") == wanted.client_auth;
    (!fits).then_some(Reason::Purposes)
}

/// Whether a certificate is not valid yet, and a new one would be: none is before its CA.
fn early<R>(validity: &Validity, rules: &Rules<'_, R>) -> Option<Reason> {
    let is_early = rules.now < validity.not_before && rules.ca_validity.not_before <= rules.now;
    is_early.then_some(Reason::NotYetValid(validity.not_before))
}

/// Whether a certificate runs out: less than its renewal window is left of it, and a new one would
/// last longer by a tenth of its lifetime at least. Otherwise it is the CA that has to be renewed.
fn due<R>(validity: &Validity, wanted: &Wanted<'_>, rules: &Rules<'_, R>) -> Option<Reason> {
    let now = rules.now;
    if validity.not_after <= now {
        return Some(Reason::Expired(validity.not_after));
    }
    let lifetime = validity.lifetime();
    let below = wanted.renew_within.of(lifetime);
    let remaining = validity.not_after - now;
    let next = Validity::starting(now, wanted.lifetime, Some(&rules.ca_validity));
    let gain = match next {
        Ok(next) => next.not_after - validity.not_after,
        Err(NoValidity::IssuerEndsTooSoon { .. } | NoValidity::OutOfRange) => Duration::ZERO,
    };
    (remaining < below && gain >= lifetime / 10).then_some(Reason::Due {
        remaining,
        lifetime,
        below,
    })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use time::macros::datetime;

    use super::*;
    use crate::domain::host::Host;
    use crate::domain::name_constraints::NameConstraints;
    use crate::domain::role::Role;
    use crate::domain::validity::RenewWithin;
    use crate::x509::issue::{Authority, CaTemplate, EndEntityTemplate, Subject};
    use crate::x509::private_key::PrivateKey;

    const START: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);
    const END: OffsetDateTime = datetime!(2027-03-03 12:00 UTC);
    const SECOND: Duration = Duration::SECOND;
    const DAY: Duration = Duration::DAY;

    /// A certificate that is issued: by default what the entry wants, for 100 days from START.
    #[derive(Clone, Copy)]
    struct Issued<'a> {
        serial: u8,
        name: &'a str,
        organization: &'a str,
        hosts: &'a [&'a str],
        server_auth: bool,
        client_auth: bool,
        from: OffsetDateTime,
        days: i64,
    }

    const ISSUED: Issued<'_> = Issued {
        serial: 1,
        name: "server1",
        organization: "prod",
        hosts: &["server1.prod.internal", "10.0.0.1"],
        server_auth: true,
        client_auth: false,
        from: START,
        days: 100,
    };

    /// An entry that wants Ed25519 and 100 days, due 10 days before the end; and its surroundings.
    struct Scene {
        ca: Authority,
        ca_validity: Validity,
        cluster: ClusterName,
        entry: Entry,
        key: PrivateKey,
        now: OffsetDateTime,
        is_altered: bool,
        revoked: Vec<(u8, Revoked)>,
    }

    fn serial_number(octet: u8) -> SerialNumber {
        SerialNumber::from_random([octet; 16])
    }

    fn key() -> PrivateKey {
        PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap()
    }

    fn authority(name: &str) -> Authority {
        let template = CaTemplate {
            subject: Subject {
                organization: "prod".to_owned(),
                common_name: name.to_owned(),
            },
            serial_number: serial_number(99),
            validity: Validity {
                not_before: START,
                not_after: START + Duration::days(3650),
            },
            name_constraints: NameConstraints::default(),
        };
        Authority::self_signed(&template, key()).unwrap()
    }

    fn hosts(hosts: &[&str]) -> Vec<Host> {
        hosts.iter().map(|host| host.parse().unwrap()).collect()
    }

    impl Scene {
        fn new() -> Self {
            let ca = authority("prod CA");
            Self {
                ca_validity: ca.certificate().details.validity,
                ca,
                cluster: "prod".parse().unwrap(),
                entry: Entry {
                    name: "server1".parse().unwrap(),
                    role: Role::Server,
                    key_algorithm: KeyAlgorithm::Ed25519,
                    lifetime: "100d".parse().unwrap(),
                    renew_within: "10d".parse().unwrap(),
                    extended_key_usage: ExtendedKeyUsage {
                        server_auth: true,
                        client_auth: false,
                    },
                    hosts: hosts(ISSUED.hosts),
                    own_name: "server1.prod.internal".parse().unwrap(),
                    chosen: Vec::new(),
                },
                key: key(),
                now: START,
                is_altered: false,
                revoked: Vec::new(),
            }
        }

        fn issue(&self, issued: &Issued<'_>) -> ParsedCertificate {
            self.issue_by(&self.ca, &self.key, issued)
        }

        fn issue_by(
            &self,
            ca: &Authority,
            key: &PrivateKey,
            issued: &Issued<'_>,
        ) -> ParsedCertificate {
            let template = EndEntityTemplate {
                subject: Subject {
                    organization: issued.organization.to_owned(),
                    common_name: issued.name.to_owned(),
                },
                serial_number: serial_number(issued.serial),
                validity: Validity {
                    not_before: issued.from,
                    not_after: issued.from + Duration::days(issued.days),
                },
                hosts: hosts(issued.hosts),
                extended_key_usage: ExtendedKeyUsage {
                    server_auth: issued.server_auth,
                    client_auth: issued.client_auth,
                },
            };
            ParsedCertificate::from_der(&ca.issue(&template, key).unwrap()).unwrap()
        }

        fn usable(&self) -> HeldKey<'_> {
            HeldKey::Usable {
                algorithm: self.key.algorithm(),
                public_key_der: self.key.public_key_der(),
            }
        }

        fn need(
            &self,
            key: HeldKey<'_>,
            certificate: Option<&ParsedCertificate>,
            inventory: &[ParsedCertificate],
        ) -> Need {
            let held = Held {
                entry: &self.entry,
                key,
                certificate,
                is_altered: self.is_altered,
            };
            let rules = Rules {
                now: self.now,
                ca: self.ca.certificate(),
                ca_validity: self.ca_validity,
                cluster: &self.cluster,
                revoked: |serial: &SerialNumber| {
                    let mut revoked = self.revoked.iter();
                    let found = revoked.find(|(octet, _)| serial_number(*octet) == *serial);
                    found.map(|(_, revoked)| *revoked)
                },
            };
            let issued = || Ok::<_, Infallible>(inventory.to_vec());
            decide(&held, &rules, issued).unwrap()
        }

        /// What is needed with this certificate in place and in the inventory.
        fn with(&self, certificate: &ParsedCertificate) -> String {
            let inventory = [certificate.clone()];
            told(&self.need(self.usable(), Some(certificate), &inventory))
        }

        /// The same, for one that is issued as this says.
        fn with_issued(&self, issued: &Issued<'_>) -> String {
            self.with(&self.issue(issued))
        }
    }

    fn told(need: &Need) -> String {
        let (verb, reasons) = match need {
            Need::Nothing => return "nothing".to_owned(),
            Need::Issue => return "issue".to_owned(),
            Need::Renew(reasons) => ("renew".to_owned(), reasons),
            Need::Rekey(reasons) => ("rekey".to_owned(), reasons),
            Need::Restore(certificate, reasons) => {
                let serial = &certificate.details.serial_number;
                let number = (1..99).find(|octet| serial_number(*octet) == *serial);
                (format!("restore {}", number.unwrap()), reasons)
            }
        };
        let reasons: Vec<_> = reasons.iter().map(Reason::id).collect();
        format!("{verb}: {}", reasons.join(" "))
    }

    #[test]
    fn each_thing_that_is_wrong_with_a_certificate_is_a_reason() {
        let issued = ISSUED;
        let scene = Scene::new();
        for (issued, expected) in [
            (issued, "nothing"),
            (
                Issued {
                    hosts: &["server1.prod.internal"],
                    ..issued
                },
                "renew: host-added",
            ),
            (
                Issued {
                    hosts: &["server1.prod.internal", "10.0.0.1", "10.0.0.2"],
                    ..issued
                },
                "renew: host-removed",
            ),
            (
                Issued {
                    hosts: &["10.0.0.1", "server1.prod.internal"],
                    ..issued
                },
                "nothing",
            ),
            (
                Issued {
                    hosts: &["other.prod.internal"],
                    ..issued
                },
                "renew: host-added host-added host-removed",
            ),
            (
                Issued {
                    client_auth: true,
                    ..issued
                },
                "renew: purposes",
            ),
            (
                Issued {
                    server_auth: false,
                    client_auth: true,
                    ..issued
                },
                "renew: purposes",
            ),
            (
                Issued {
                    name: "server2",
                    ..issued
                },
                "renew: subject",
            ),
            (
                Issued {
                    organization: "test",
                    ..issued
                },
                "renew: subject",
            ),
            (
                Issued {
                    organization: "test",
                    client_auth: true,
                    hosts: &["server1.prod.internal"],
                    ..issued
                },
                "renew: subject host-added purposes",
            ),
        ] {
            assert_eq!(scene.with_issued(&issued), expected);
        }
    }

    #[test]
    fn a_certificate_is_due_below_its_window_and_expired_at_its_end() {
        let mut scene = Scene::new();
        let certificate = scene.issue(&ISSUED);
        for (now, expected) in [
            (START, "nothing"),
            (END - 10 * DAY - SECOND, "nothing"),
            (END - 10 * DAY, "nothing"),
            (END - 10 * DAY + SECOND, "renew: due"),
            (END - SECOND, "renew: due"),
            (END, "renew: expired"),
            (END + SECOND, "renew: expired"),
        ] {
            scene.now = now;
            assert_eq!(scene.with(&certificate), expected, "{now}");
        }
    }

    #[test]
    fn a_certificate_that_is_not_valid_yet_is_renewed_as_soon_as_the_ca_is_valid() {
        let mut scene = Scene::new();
        let certificate = scene.issue(&Issued {
            from: START + DAY,
            ..ISSUED
        });
        for (now, expected) in [
            (START - SECOND, "nothing"),
            (START, "renew: not-yet-valid"),
            (START + DAY - SECOND, "renew: not-yet-valid"),
            (START + DAY, "nothing"),
        ] {
            scene.now = now;
            assert_eq!(scene.with(&certificate), expected, "{now}");
        }
        // The one before it will do.
        scene.now = START;
        let older = scene.issue(&Issued {
            serial: 2,
            ..ISSUED
        });
        let inventory = [older, certificate.clone()];
        let need = scene.need(scene.usable(), Some(&certificate), &inventory);
        assert_eq!(told(&need), "restore 2: not-yet-valid");
    }

    #[test]
    fn a_window_in_percent_is_of_the_certificates_own_lifetime() {
        let mut scene = Scene::new();
        scene.entry.renew_within = RenewWithin::Percentage(50);
        let half = Issued { days: 50, ..ISSUED };
        for (issued, days, expected) in [
            (ISSUED, 50, "nothing"),
            (ISSUED, 51, "renew: due"),
            (half, 25, "nothing"),
            (half, 26, "renew: due"),
        ] {
            scene.now = START + Duration::days(days);
            assert_eq!(scene.with_issued(&issued), expected, "{days} days");
        }
    }

    #[test]
    fn a_renewal_gives_a_tenth_of_the_lifetime_at_least() {
        let mut scene = Scene::new();
        scene.entry.renew_within = RenewWithin::Percentage(99);
        let certificate = scene.issue(&ISSUED);
        for (now, expected) in [
            (START + 2 * DAY, "nothing"),
            (START + 10 * DAY - SECOND, "nothing"),
            (START + 10 * DAY, "renew: due"),
        ] {
            scene.now = now;
            assert_eq!(scene.with(&certificate), expected, "{now}");
        }
        // The same holds of a CA that cuts it short.
        scene.now = END - DAY;
        for (ca_ends, expected) in [
            (END, "nothing"),
            (END + 10 * DAY - SECOND, "nothing"),
            (END + 10 * DAY, "renew: due"),
        ] {
            scene.ca_validity.not_after = ca_ends;
            assert_eq!(scene.with(&certificate), expected, "{ca_ends}");
        }
        // What has expired is renewed whatever that gives.
        scene.now = END;
        scene.ca_validity.not_after = END + DAY;
        assert_eq!(scene.with(&certificate), "renew: expired");
    }

    #[test]
    fn what_is_revoked_gets_a_new_key() {
        let mut scene = Scene::new();
        let certificate = scene.issue(&ISSUED);
        for (serial, revoked, expected) in [
            (1, Revoked::Otherwise, "rekey: revoked"),
            (1, Revoked::Compromised, "rekey: key-compromised"),
            (2, Revoked::Otherwise, "nothing"),
        ] {
            scene.revoked = vec![(serial, revoked)];
            assert_eq!(scene.with(&certificate), expected);
        }
        // Of several reasons one is enough.
        scene.revoked = vec![(1, Revoked::Otherwise)];
        scene.now = END;
        assert_eq!(scene.with(&certificate), "rekey: revoked expired");
    }

    #[test]
    fn a_key_that_was_compromised_is_never_certified_again() {
        let mut scene = Scene::new();
        let old = scene.issue(&ISSUED);
        let new = scene.issue(&Issued {
            serial: 2,
            client_auth: true,
            ..ISSUED
        });
        let inventory = [old, new.clone()];
        let need = |scene: &Scene| told(&scene.need(scene.usable(), Some(&new), &inventory[..1]));
        assert_eq!(need(&scene), "restore 1: purposes");
        scene.revoked = vec![(1, Revoked::Otherwise)];
        assert_eq!(need(&scene), "renew: purposes");
        scene.revoked = vec![(1, Revoked::Compromised)];
        assert_eq!(need(&scene), "rekey: key-compromised");
    }

    #[test]
    fn by_another_ca_or_another_key_of_it() {
        let scene = Scene::new();
        for name in ["prod CA", "other CA"] {
            let other = authority(name);
            let certificate = scene.issue_by(&other, &scene.key, &ISSUED);
            assert_eq!(scene.with(&certificate), "renew: ca-changed", "{name}");
        }
    }

    #[test]
    fn what_was_issued_and_is_right_is_restored() {
        let mut scene = Scene::new();
        scene.now = START + DAY;
        let right = scene.issue(&ISSUED);
        let newer = scene.issue(&Issued {
            serial: 2,
            from: START + SECOND,
            ..ISSUED
        });
        let wrong = scene.issue(&Issued {
            serial: 3,
            from: START + DAY,
            client_auth: true,
            ..ISSUED
        });
        let others = scene.issue_by(
            &scene.ca,
            &key(),
            &Issued {
                serial: 4,
                from: START + DAY,
                ..ISSUED
            },
        );
        let need = |installed: Option<&ParsedCertificate>, inventory: &[&ParsedCertificate]| {
            let inventory: Vec<_> = inventory.iter().map(|it| (*it).clone()).collect();
            told(&scene.need(scene.usable(), installed, &inventory))
        };
        for (installed, inventory, expected) in [
            (None, &[][..], "renew: certificate-missing"),
            (None, &[&right], "restore 1: certificate-missing"),
            (None, &[&newer, &right], "restore 2: certificate-missing"),
            (
                None,
                &[&right, &newer, &wrong, &others],
                "restore 2: certificate-missing",
            ),
            (None, &[&wrong, &others], "renew: certificate-missing"),
            (Some(&wrong), &[&right, &wrong], "restore 1: purposes"),
            (Some(&wrong), &[&wrong], "renew: purposes"),
            (Some(&others), &[&right], "restore 1: certificate-unusable"),
            (Some(&others), &[&others], "rekey: certificate-unusable"),
        ] {
            assert_eq!(need(installed, inventory), expected);
        }
    }

    #[test]
    fn an_altered_certificate_is_replaced_by_what_was_signed() {
        let mut scene = Scene::new();
        let certificate = scene.issue(&ISSUED);
        assert_eq!(scene.with(&certificate), "nothing");
        scene.is_altered = true;
        assert_eq!(scene.with(&certificate), "restore 1: certificate-unusable");
        let need = scene.need(scene.usable(), Some(&certificate), &[]);
        assert_eq!(told(&need), "renew: certificate-unusable");
    }

    #[test]
    fn without_a_key_there_is_a_new_one() {
        let scene = Scene::new();
        let certificate = scene.issue(&ISSUED);
        let inventory = [certificate.clone()];
        let another = HeldKey::Usable {
            algorithm: KeyAlgorithm::EcdsaP256,
            public_key_der: scene.key.public_key_der(),
        };
        let installed = Some(&certificate);
        for (key, installed, inventory, expected) in [
            (HeldKey::Missing, None, &[][..], "issue"),
            (HeldKey::Missing, None, &inventory, "rekey: key-missing"),
            (HeldKey::Missing, installed, &[], "rekey: key-missing"),
            (HeldKey::Unusable("torn"), None, &[], "rekey: key-unusable"),
            (
                HeldKey::Unusable("torn"),
                installed,
                &inventory,
                "rekey: key-unusable",
            ),
            (another, installed, &inventory, "rekey: key-algorithm"),
            (another, None, &[], "rekey: key-algorithm"),
        ] {
            assert_eq!(told(&scene.need(key, installed, inventory)), expected);
        }
    }

    #[test]
    fn the_inventory_is_asked_only_when_something_is_wrong() {
        let scene = Scene::new();
        let certificate = scene.issue(&ISSUED);
        let held = Held {
            entry: &scene.entry,
            key: scene.usable(),
            certificate: Some(&certificate),
            is_altered: false,
        };
        let rules = Rules {
            now: START,
            ca: scene.ca.certificate(),
            ca_validity: scene.ca_validity,
            cluster: &scene.cluster,
            revoked: |_: &SerialNumber| None,
        };
        assert_eq!(decide(&held, &rules, || Err("asked")), Ok(Need::Nothing));
        let held = Held {
            certificate: None,
            ..held
        };
        assert_eq!(decide(&held, &rules, || Err("asked")), Err("asked"));
    }

    #[test]
    fn what_signs_needs_the_ca_key() {
        let scene = Scene::new();
        let certificate = Box::new(scene.issue(&ISSUED));
        assert!(Need::Issue.signs());
        assert!(Need::Renew(Vec::new()).signs());
        assert!(Need::Rekey(Vec::new()).signs());
        assert!(!Need::Restore(certificate, Vec::new()).signs());
        assert!(!Need::Nothing.signs());
    }
}
