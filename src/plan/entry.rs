//! What an entry needs: nothing, its certificate put back, a new one, or a new key too.

use time::{Duration, OffsetDateTime};

use super::reason::Reason;
use crate::domain::certificate::Certificate;
use crate::domain::cluster::Entry;
use crate::domain::host::Host;
use crate::domain::key_algorithm::KeyAlgorithm;
use crate::domain::name::{ClusterName, EntryName};
use crate::domain::order::Terms;
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

/// Decides what `held` needs. `issued` gives what the inventory has of the entry; it is asked only
/// when what is installed is not right.
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
        Some(certificate) => faults(certificate, &held.entry.into(), rules),
    };
    if faults.is_empty() {
        return Ok(Need::Nothing);
    }
    let mut issued = issued()?;
    issued.retain(|certificate| certificate.public_key_der == public_key_der);
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
    let added = wanted.iter().filter(|host| !found.contains(host));
    let removed = found.iter().filter(|host| !wanted.contains(host));
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
