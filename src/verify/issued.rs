//! What zpki asks of the certificates that it has signed: that they say what was asked for, to the
//! letter, and that those who will be shown them accept them.

use std::fmt::{self, Display, Formatter};

use time::OffsetDateTime;

use super::path::Pool;
use super::policy::{NameMatching, Policy, Purpose};
use super::reason::{self, Reason};
use super::signatures::CheckedSignatures;
use super::verdict::{Context, judge};
use crate::domain::host::Host;
use crate::domain::name_constraints::NameConstraints;
use crate::domain::role::ExtendedKeyUsage;
use crate::domain::text::Quoted;
use crate::domain::validity::{Validity, show};
use crate::x509::certificate::ParsedCertificate;
use crate::x509::error::Error;
use crate::x509::path_certificate::PathCertificate;

/// A certificate that was verified: its key, its path to the CA, its names and its purposes.
#[derive(Clone, Debug)]
pub struct VerifiedPath {
    certificate: ParsedCertificate,
    objections: Vec<Refusal>,
}

impl VerifiedPath {
    /// The end entity's certificate.
    #[must_use]
    pub fn certificate(&self) -> &ParsedCertificate {
        &self.certificate
    }

    /// What a strict verifier, and nobody else, has against the form of the CAs above it. It says the same of
    /// everything that they sign, so that an existing CA is taken for what it is.
    #[must_use]
    pub fn objections(&self) -> &[Refusal] {
        &self.objections
    }
}

/// What the peers of a cluster judge its certificates with, and who issues them.
#[derive(Debug)]
pub struct Trust {
    issuer: ParsedCertificate,
    issuer_of_path: PathCertificate,
    intermediates: Vec<PathCertificate>,
    trust_bundle: Vec<PathCertificate>,
    signatures: CheckedSignatures,
}

impl Trust {
    /// A CA that issues; the certificates that are sent with those that it issues, in their order;
    /// and the trust bundle. A self-signed issuer is sent with none and is in the trust bundle
    /// itself, an intermediate CA the other way round.
    ///
    /// # Errors
    /// [`Error::CertificateDamaged`] for an issuer that cannot be read.
    pub fn new(
        issuer: &ParsedCertificate,
        intermediates: Vec<PathCertificate>,
        trust_bundle: Vec<PathCertificate>,
    ) -> Result<Self, Error> {
        Ok(Self {
            issuer_of_path: PathCertificate::from_der(&issuer.der)?,
            issuer: issuer.clone(),
            intermediates,
            trust_bundle,
            signatures: CheckedSignatures::default(),
        })
    }

    /// The trust in one self-signed CA.
    ///
    /// # Errors
    /// Those of [`Self::new`].
    pub fn in_root(root: &ParsedCertificate) -> Result<Self, Error> {
        Self::new(
            root,
            Vec::new(),
            vec![PathCertificate::from_der(&root.der)?],
        )
    }
}

/// What the certificate is to be good for.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The instant at which it is judged.
    pub now: OffsetDateTime,
    /// The public key that it is for: a SubjectPublicKeyInfo, to the octet.
    pub public_key_der: &'a [u8],
    /// The names that it must have, all of them and no others.
    pub hosts: &'a [Host],
    /// The purposes that it must allow, all of them and no others.
    pub extended_key_usage: ExtendedKeyUsage,
    /// What the CA may vouch for.
    pub name_constraints: &'a NameConstraints,
}

/// The rule that a certificate breaks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// authorityKeyIdentifier is not the CA's subjectKeyIdentifier.
    AuthorityKeyIdentifier,
    /// It cannot be read.
    Damaged,
    /// It is a CA, or does not say that it is none.
    BasicConstraints,
    /// extendedKeyUsage lacks a purpose.
    ExtendedKeyUsage {
        /// The purpose.
        missing: &'static str,
    },
    /// Its issuer is not the CA's subject, octet for octet.
    Issuer,
    /// keyUsage lacks digitalSignature.
    KeyUsage,
    /// A name is outside the CA's name constraints.
    NameConstraints {
        /// The name.
        host: Host,
    },
    /// Its names are not those asked for.
    Names,
    /// Its public key is not the one that it was made for.
    PublicKey,
    /// Not signed by the CA.
    Signature,
    /// extendedKeyUsage allows a purpose that nobody asked for: a server's certificate with
    /// clientAuth would pass for the load-balancer.
    UnaskedPurpose {
        /// The purpose.
        purpose: String,
    },
    /// The CA is not valid yet: the clock is behind, or was ahead when the CA was made.
    TooEarly {
        /// The CA's notBefore.
        not_before: OffsetDateTime,
        /// What the clock says.
        now: OffsetDateTime,
    },
    /// Not valid now, or not within the CA's validity.
    Validity {
        /// The dates, shown.
        dates: String,
    },
    /// One of those who will be shown it does not accept it, or might not.
    Verdict {
        /// Who.
        policy: Policy,
        /// The subject of the certificate that is the reason, where it is not this one.
        subject: Option<String>,
        /// Why.
        reason: Reason,
    },
}

impl Refusal {
    /// Whether it is that the certificate of a CA is written as RFC 5280 does not have it, which a strict
    /// verifier alone minds: easy-rsa and `openssl req -x509` make such CAs.
    fn is_about_form_of_ca(&self) -> bool {
        let Self::Verdict { policy, reason, .. } = self else {
            return false;
        };
        let is_form = matches!(
            reason.rule,
            reason::Rule::BasicConstraintsNotCritical | reason::Rule::KeyUsageMissing
        );
        matches!(policy, Policy::Strict(_)) && reason.depth > 0 && is_form
    }

    /// Whether it is the time at which it was made that is wrong.
    #[must_use]
    pub fn is_by_time(&self) -> bool {
        match self {
            Self::TooEarly { .. } | Self::Validity { .. } => true,
            Self::Verdict { reason, .. } => matches!(
                reason.rule,
                reason::Rule::Expired { .. } | reason::Rule::NotYetValid { .. }
            ),
            _ => false,
        }
    }

    /// Whether it is the CA's certificate, or one above it, that does not allow a name.
    #[must_use]
    pub fn is_by_name_constraints(&self) -> bool {
        let Self::Verdict { reason, .. } = self else {
            return false;
        };
        matches!(
            reason.rule,
            reason::Rule::NameExcluded { .. } | reason::Rule::NameNotPermitted { .. }
        )
    }
}

/// Judges a certificate that the issuer is said to have signed: by the letter first, then as its
/// peers do. Its signature is checked once.
///
/// # Errors
/// Every rule that it breaks; what its peers say only when it breaks none. [`Refusal::Damaged`] alone for
/// what is no certificate.
pub fn verify_issued(
    der: &[u8],
    trust: &Trust,
    expected: &Expected<'_>,
) -> Result<VerifiedPath, Vec<Refusal>> {
    let (end_entity, certificate) =
        PathCertificate::both_from_der(der).map_err(|_| vec![Refusal::Damaged])?;
    let issuer = &trust.issuer;
    let hosts = certificate.details.hosts();
    let refusals: Vec<Refusal> = [
        public_key(&certificate, expected.public_key_der),
        issuer_name(&certificate, issuer),
        authority_key_identifier(&certificate, issuer),
        basic_constraints(&certificate),
        key_usage(&certificate),
        extended_key_usage(&certificate, expected.extended_key_usage),
        names(&certificate, &hosts, expected.hosts),
        name_constraints(hosts, expected.name_constraints),
        validity(&certificate, issuer, expected.now),
        signature(&end_entity, trust),
    ]
    .into_iter()
    .filter_map(Result::err)
    .collect();
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let verdicts = verdicts(&end_entity, trust, expected).into_iter();
    let (objections, refusals): (Vec<_>, Vec<_>) = verdicts.partition(Refusal::is_about_form_of_ca);
    match refusals.is_empty() {
        true => Ok(VerifiedPath {
            certificate,
            objections,
        }),
        false => Err(refusals),
    }
}

/// What the peers say: each reason once.
fn verdicts(end_entity: &PathCertificate, trust: &Trust, expected: &Expected<'_>) -> Vec<Refusal> {
    let sent = Pool::new(&trust.intermediates);
    let trusted = Pool::new(&trust.trust_bundle);
    let mut found: Vec<(Policy, Option<String>, Reason)> = Vec::new();
    for policy in policies(expected.extended_key_usage) {
        let context = Context {
            sent: &sent,
            trusted: &trusted,
            crls: None,
            hosts: &asked_for(policy, expected.hosts),
            at: expected.now,
            signatures: &trust.signatures,
        };
        let verdict = judge(end_entity, policy, &context);
        for reason in verdict.reasons {
            if found.iter().all(|(_, _, known)| *known != reason) {
                let above = verdict.path.certificates.get(reason.depth);
                let above = above.filter(|_| reason.depth > 0);
                let subject = above.map(|certificate| certificate.subject.shown.clone());
                found.push((policy, subject, reason));
            }
        }
    }
    let refusal = |(policy, subject, reason)| Refusal::Verdict {
        policy,
        subject,
        reason,
    };
    found.into_iter().map(refusal).collect()
}

/// Those who will be shown a certificate of these purposes.
fn policies(usage: ExtendedKeyUsage) -> impl Iterator<Item = Policy> {
    let server = [Policy::HaproxyServer, Policy::Strict(Purpose::Server)];
    let client = [Policy::ServerClient, Policy::Strict(Purpose::Client)];
    let server = usage.server_auth.then_some(server);
    let client = usage.client_auth.then_some(client);
    server.into_iter().chain(client).flatten()
}

/// The names by which a consumer asks for it: a client's certificate by none, and nobody's by a
/// pattern. HAProxy's `verifyhost` matches no address.
fn asked_for(policy: Policy, hosts: &[Host]) -> Vec<String> {
    let is_asked_for = |host: &&Host| match host {
        _ if policy.purpose() == Purpose::Client => false,
        Host::Dns(name) => !name.is_wildcard(),
        Host::Ip(_) => policy.name_matching() == NameMatching::Openssl,
    };
    let hosts = hosts.iter().filter(is_asked_for);
    hosts.map(ToString::to_string).collect()
}

type Rule = Result<(), Refusal>;

fn hold(holds: bool, refusal: Refusal) -> Rule {
    if holds { Ok(()) } else { Err(refusal) }
}

fn public_key(certificate: &ParsedCertificate, expected: &[u8]) -> Rule {
    hold(certificate.public_key_der == expected, Refusal::PublicKey)
}

/// OpenSSL compares names in canonical form; what zpki issues must be equal without it.
fn issuer_name(certificate: &ParsedCertificate, issuer: &ParsedCertificate) -> Rule {
    hold(
        certificate.issuer_der == issuer.subject_der,
        Refusal::Issuer,
    )
}

fn authority_key_identifier(certificate: &ParsedCertificate, issuer: &ParsedCertificate) -> Rule {
    let named = &certificate.details.authority_key_identifier;
    let own = &issuer.details.subject_key_identifier;
    hold(
        named.is_some() && named == own,
        Refusal::AuthorityKeyIdentifier,
    )
}

fn basic_constraints(certificate: &ParsedCertificate) -> Rule {
    let constraints = certificate.details.basic_constraints;
    hold(
        constraints.is_some_and(|constraints| !constraints.ca),
        Refusal::BasicConstraints,
    )
}

fn key_usage(certificate: &ParsedCertificate) -> Rule {
    let usages = certificate.details.key_usage.as_deref().unwrap_or_default();
    hold(usages.contains(&"digitalSignature"), Refusal::KeyUsage)
}

fn extended_key_usage(certificate: &ParsedCertificate, expected: ExtendedKeyUsage) -> Rule {
    let usages = certificate
        .details
        .extended_key_usage
        .as_deref()
        .unwrap_or_default();
    let has = |purpose: &str| usages.iter().any(|usage| usage == purpose);
    let mut wanted = Vec::new();
    wanted.extend(expected.server_auth.then_some("serverAuth"));
    wanted.extend(expected.client_auth.then_some("clientAuth"));
    if let Some(missing) = wanted.iter().find(|purpose| !has(purpose)) {
        return Err(Refusal::ExtendedKeyUsage { missing });
    }
    match usages
        .iter()
        .find(|usage| !wanted.contains(&usage.as_str()))
    {
        Some(purpose) => Err(Refusal::UnaskedPurpose {
            purpose: purpose.clone(),
        }),
        None => Ok(()),
    }
}

/// Other kinds of names than a host's are none that anybody asked for.
fn names(certificate: &ParsedCertificate, hosts: &[Host], expected: &[Host]) -> Rule {
    let others = certificate.details.subject_alt_name.len() - hosts.len();
    hold(hosts == expected && others == 0, Refusal::Names)
}

fn name_constraints(hosts: Vec<Host>, constraints: &NameConstraints) -> Rule {
    let mut hosts = hosts.into_iter();
    match hosts.find(|host| !constraints.permit(host)) {
        Some(host) => Err(Refusal::NameConstraints { host }),
        None => Ok(()),
    }
}

/// Refused at notAfter itself, as OpenSSL does.
fn validity(
    certificate: &ParsedCertificate,
    issuer: &ParsedCertificate,
    now: OffsetDateTime,
) -> Rule {
    let own = certificate.details.validity;
    let issuers = issuer.details.validity;
    if now < issuers.not_before {
        let not_before = issuers.not_before;
        return Err(Refusal::TooEarly { not_before, now });
    }
    let valid_now = |validity: Validity| validity.not_before <= now && now < validity.not_after;
    let within = issuers.not_before <= own.not_before && own.not_after <= issuers.not_after;
    if valid_now(own) && valid_now(issuers) && within {
        Ok(())
    } else {
        let dates = format!("{} to {}", show(own.not_before), show(own.not_after));
        Err(Refusal::Validity { dates })
    }
}

fn signature(end_entity: &PathCertificate, trust: &Trust) -> Rule {
    let issuer = &trust.issuer_of_path;
    hold(
        trust.signatures.is_signed_by(end_entity, issuer) == Some(true),
        Refusal::Signature,
    )
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::AuthorityKeyIdentifier => {
                f.write_str("its authorityKeyIdentifier is not the CA's subjectKeyIdentifier")
            }
            Self::BasicConstraints => f.write_str("its basicConstraints do not say CA:FALSE"),
            Self::Damaged => f.write_str("it cannot be read"),
            Self::ExtendedKeyUsage { missing } => write!(f, "its extendedKeyUsage lacks {missing}"),
            Self::Issuer => f.write_str("its issuer is not the CA's subject"),
            Self::KeyUsage => f.write_str("its keyUsage lacks digitalSignature"),
            Self::NameConstraints { host } => {
                write!(f, "`{host}` is outside the CA's name constraints")
            }
            Self::Names => f.write_str("its subjectAltName is not what was asked for"),
            Self::UnaskedPurpose { purpose } => {
                write!(
                    f,
                    "its extendedKeyUsage has {purpose}, which nobody asked for"
                )
            }
            Self::PublicKey => f.write_str("its public key is not the one that it was made for"),
            Self::Signature => f.write_str("it is not signed by the CA"),
            Self::TooEarly { not_before, now } => write!(
                f,
                "the CA is not valid before {}, and by the clock it is {}",
                show(*not_before),
                show(*now)
            ),
            Self::Validity { dates } => {
                write!(
                    f,
                    "it is not valid now or not within the CA's validity ({dates})"
                )
            }
            Self::Verdict {
                policy,
                subject,
                reason,
            } => {
                let refuses = if reason.is_refusal() {
                    "would refuse"
                } else {
                    "might refuse"
                };
                write!(f, "{policy} {refuses} it")?;
                if let Some(subject) = subject {
                    write!(f, " for {}", Quoted(subject))?;
                }
                write!(f, ": {}", reason.rule)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use time::Duration;
    use time::macros::datetime;

    use super::*;
    use crate::domain::key_algorithm::KeyAlgorithm;
    use crate::domain::serial_number::{RANDOM_OCTETS, SerialNumber};
    use crate::x509::issue::{Authority, CaTemplate, EndEntityTemplate};
    use crate::x509::pem;
    use crate::x509::private_key::PrivateKey;
    use crate::x509::testing::{VALIDITY as CA_VALIDITY, openssl, subject};

    const NOW: OffsetDateTime = datetime!(2027-01-01 0:00 UTC);
    const VALIDITY: Validity = Validity {
        not_before: datetime!(2026-01-01 0:00 UTC),
        not_after: datetime!(2028-01-01 0:00 UTC),
    };

    fn key() -> PrivateKey {
        PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap()
    }

    fn same(key: &PrivateKey) -> PrivateKey {
        let block = pem::scan(key.to_pem().as_bytes()).remove(0).unwrap();
        PrivateKey::from_pem(&block, None).unwrap()
    }

    fn serial_number() -> SerialNumber {
        SerialNumber::from_random([7; RANDOM_OCTETS])
    }

    fn authority(common_name: &str, key: PrivateKey, validity: Validity) -> Authority {
        let template = CaTemplate {
            subject: subject(common_name),
            serial_number: serial_number(),
            validity,
            name_constraints: NameConstraints::default(),
        };
        Authority::self_signed(&template, key).unwrap()
    }

    fn ca() -> Authority {
        authority("test CA", key(), CA_VALIDITY)
    }

    fn hosts(hosts: &[&str]) -> Vec<Host> {
        hosts.iter().map(|host| host.parse().unwrap()).collect()
    }

    fn template() -> EndEntityTemplate {
        EndEntityTemplate {
            subject: subject("server1"),
            serial_number: serial_number(),
            validity: VALIDITY,
            hosts: hosts(&["a.internal", "10.0.0.1"]),
            extended_key_usage: ExtendedKeyUsage::SERVER,
        }
    }

    /// What is said against a certificate that is to be a server's, for `a.internal` and `10.0.0.1`.
    fn verdict(
        certificate: &[u8],
        key: &PrivateKey,
        issuer: &Authority,
        change: impl FnOnce(&mut Expected<'_>),
    ) -> Vec<String> {
        let wanted = hosts(&["a.internal", "10.0.0.1"]);
        let mut expected = Expected {
            now: NOW,
            public_key_der: key.public_key_der(),
            hosts: &wanted,
            extended_key_usage: ExtendedKeyUsage::SERVER,
            name_constraints: &NameConstraints::default(),
        };
        change(&mut expected);
        let trust = Trust::in_root(issuer.certificate()).unwrap();
        match verify_issued(certificate, &trust, &expected) {
            Ok(path) => {
                assert_eq!(path.certificate().der, certificate);
                Vec::new()
            }
            Err(refusals) => refusals.iter().map(ToString::to_string).collect(),
        }
    }

    /// The verdict on what `template` becomes.
    fn verdict_on(template: &EndEntityTemplate) -> Vec<String> {
        let (ca, key) = (ca(), key());
        let certificate = ca.issue(template, &key).unwrap();
        verdict(&certificate, &key, &ca, |_| {})
    }

    const UNSIGNED: &str = "it is not signed by the CA";
    const FOREIGN_KEY_IDENTIFIER: &str =
        "its authorityKeyIdentifier is not the CA's subjectKeyIdentifier";
    const NOT_CA_FALSE: &str = "its basicConstraints do not say CA:FALSE";
    const NO_DIGITAL_SIGNATURE: &str = "its keyUsage lacks digitalSignature";
    const OTHER_NAMES: &str = "its subjectAltName is not what was asked for";

    #[test]
    fn what_was_asked_for_is_verified() {
        assert_eq!(verdict_on(&template()), [""; 0]);
    }

    #[test]
    fn the_key_must_be_its_own() {
        let (ca, own) = (ca(), key());
        let certificate = ca.issue(&template(), &own).unwrap();
        assert_eq!(
            verdict(&certificate, &key(), &ca, |_| {}),
            ["its public key is not the one that it was made for"]
        );
    }

    #[test]
    fn the_issuer_must_be_the_ca_by_name_key_and_signature() {
        let (ca, twin, key) = (ca(), ca(), key());
        let judge = |other: &Authority| {
            let certificate = other.issue(&template(), &key).unwrap();
            verdict(&certificate, &key, &ca, |_| {})
        };
        let renamed = authority("other CA", same(ca.key()), CA_VALIDITY);
        assert_eq!(judge(&renamed), ["its issuer is not the CA's subject"]);
        assert_eq!(judge(&twin), [FOREIGN_KEY_IDENTIFIER, UNSIGNED]);
    }

    #[test]
    fn one_wrong_bit_of_the_signature_is_one_too_many() {
        let (ca, key) = (ca(), key());
        let mut der = ca.issue(&template(), &key).unwrap();
        *der.last_mut().unwrap() ^= 1;
        assert_eq!(verdict(&der, &key, &ca, |_| {}), [UNSIGNED]);
    }

    #[test]
    fn the_purposes_must_be_those_asked_for_and_no_others() {
        let judge = |given, wanted| {
            let (ca, key) = (ca(), key());
            let template = EndEntityTemplate {
                extended_key_usage: given,
                ..template()
            };
            let certificate = ca.issue(&template, &key).unwrap();
            verdict(&certificate, &key, &ca, |expected| {
                expected.extended_key_usage = wanted;
            })
        };
        let (server, client) = (ExtendedKeyUsage::SERVER, ExtendedKeyUsage::CLIENT);
        let both = ExtendedKeyUsage::BOTH;
        let no_server = ["its extendedKeyUsage lacks serverAuth"];
        let no_client = ["its extendedKeyUsage lacks clientAuth"];
        assert_eq!(judge(client, server), no_server);
        assert_eq!(judge(server, client), no_client);
        assert_eq!(judge(server, both), no_client);
        assert_eq!(judge(client, both), no_server);
        assert_eq!(judge(both, both), [""; 0]);
        let unasked = |purpose| {
            [format!(
                "its extendedKeyUsage has {purpose}, which nobody asked for"
            )]
        };
        assert_eq!(judge(both, server), unasked("clientAuth"));
        assert_eq!(judge(both, client), unasked("serverAuth"));
    }

    #[test]
    fn the_names_must_be_those_asked_for_and_no_others() {
        for names in [
            &["a.internal"][..],
            &["a.internal", "10.0.0.2"],
            &["a.internal", "10.0.0.1", "b.internal"],
            &["10.0.0.1", "a.internal"],
        ] {
            let template = EndEntityTemplate {
                hosts: hosts(names),
                ..template()
            };
            assert_eq!(verdict_on(&template), [OTHER_NAMES], "{names:?}");
        }
    }

    #[test]
    fn every_name_must_be_within_the_name_constraints() {
        let (ca, key) = (ca(), key());
        let certificate = ca.issue(&template(), &key).unwrap();
        let judge = |permitted_domains: &[&str], permitted_networks: &[&str]| {
            let domains = permitted_domains.iter().map(|it| it.parse().unwrap());
            let networks = permitted_networks.iter().map(|it| it.parse().unwrap());
            let constraints = NameConstraints {
                permitted_domains: domains.collect(),
                permitted_networks: networks.collect(),
            };
            let wanted = hosts(&["a.internal", "10.0.0.1"]);
            let expected = Expected {
                now: NOW,
                public_key_der: key.public_key_der(),
                hosts: &wanted,
                extended_key_usage: ExtendedKeyUsage::SERVER,
                name_constraints: &constraints,
            };
            let trust = Trust::in_root(ca.certificate()).unwrap();
            let path = verify_issued(&certificate, &trust, &expected);
            path.map(drop)
        };
        let outside = |host: &str| {
            let host = host.parse().unwrap();
            Err(vec![Refusal::NameConstraints { host }])
        };
        assert_eq!(judge(&["internal"], &["10.0.0.0/8"]), Ok(()));
        assert_eq!(
            judge(&["b.internal"], &["10.0.0.0/8"]),
            outside("a.internal")
        );
        assert_eq!(judge(&["internal"], &["10.1.0.0/16"]), outside("10.0.0.1"));
        assert_eq!(judge(&["internal"], &[]), outside("10.0.0.1"));
        let refusal = outside("a.internal").unwrap_err().remove(0);
        assert_eq!(
            refusal.to_string(),
            "`a.internal` is outside the CA's name constraints"
        );
    }

    #[test]
    fn it_is_valid_from_not_before_to_the_second_before_not_after() {
        let (ca, key) = (ca(), key());
        let certificate = ca.issue(&template(), &key).unwrap();
        let dates = "it is not valid now or not within the CA's validity \
                     (2026-01-01 00:00:00 UTC to 2028-01-01 00:00:00 UTC)";
        let second = Duration::SECOND;
        for (now, refusals) in [
            (VALIDITY.not_before - second, &[dates][..]),
            (VALIDITY.not_before, &[]),
            (VALIDITY.not_after - second, &[]),
            (VALIDITY.not_after, &[dates]),
        ] {
            let change = |expected: &mut Expected<'_>| expected.now = now;
            assert_eq!(verdict(&certificate, &key, &ca, change), refusals);
        }
    }

    #[test]
    fn it_is_never_valid_outside_the_cas_own_validity() {
        let second = Duration::SECOND;
        let Validity {
            not_before,
            not_after,
        } = VALIDITY;
        for (ca_from, ca_until, refused) in [
            (not_before, not_after, 0),
            (not_before + second, not_after, 1),
            (not_before, not_after - second, 1),
            // Expired itself.
            (not_before, NOW, 1),
        ] {
            let validity = Validity {
                not_before: ca_from,
                not_after: ca_until,
            };
            let (ca, key) = (authority("test CA", key(), validity), key());
            let certificate = ca.issue(&template(), &key).unwrap();
            let refusals = verdict(&certificate, &key, &ca, |_| {});
            assert_eq!(refusals.len(), refused, "{validity:?}: {refusals:?}");
        }
    }

    #[test]
    fn before_the_cas_not_before_the_clock_is_what_is_told() {
        let second = Duration::SECOND;
        let (ca, key) = (ca(), key());
        let certificate = ca.issue(&template(), &key).unwrap();
        let not_before = CA_VALIDITY.not_before;
        let change = |expected: &mut Expected<'_>| expected.now = not_before - second;
        assert_eq!(
            verdict(&certificate, &key, &ca, change),
            [
                "the CA is not valid before 2020-01-01 00:00:00 UTC, and by the clock it is \
              2019-12-31 23:59:59 UTC"
            ]
        );
    }

    #[test]
    fn what_zpki_would_never_encode_is_refused_too() {
        let (ca, key) = (ca(), key());
        let sound = [
            "basicConstraints=critical,CA:FALSE",
            "keyUsage=critical,digitalSignature",
            "extendedKeyUsage=serverAuth",
            "authorityKeyIdentifier=keyid",
            "subjectAltName=DNS:a.internal,IP:10.0.0.1",
        ];
        assert_eq!(made_by_openssl(&ca, &key, sound), [""; 0]);
        for (index, extension, refusal) in [
            (0, "", NOT_CA_FALSE),
            (0, "basicConstraints=critical,CA:TRUE", NOT_CA_FALSE),
            (1, "", NO_DIGITAL_SIGNATURE),
            (1, "keyUsage=critical,keyAgreement", NO_DIGITAL_SIGNATURE),
            (2, "", "its extendedKeyUsage lacks serverAuth"),
            (3, "authorityKeyIdentifier=none", FOREIGN_KEY_IDENTIFIER),
            (4, "", OTHER_NAMES),
            (
                4,
                "subjectAltName=DNS:a.internal,IP:10.0.0.1,email:a@a.internal",
                OTHER_NAMES,
            ),
        ] {
            let mut extensions = sound;
            extensions[index] = extension;
            assert_eq!(
                made_by_openssl(&ca, &key, extensions),
                [refusal],
                "{extension}"
            );
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let (ca, key) = (ca(), key());
        let itself = &ca.certificate().der;
        assert_eq!(
            verdict(itself, &key, &ca, |expected| expected.now =
                CA_VALIDITY.not_after),
            [
                "its public key is not the one that it was made for",
                FOREIGN_KEY_IDENTIFIER,
                NOT_CA_FALSE,
                NO_DIGITAL_SIGNATURE,
                "its extendedKeyUsage lacks serverAuth",
                OTHER_NAMES,
                "it is not valid now or not within the CA's validity \
                 (2020-01-01 00:00:00 UTC to 2090-01-01 00:00:00 UTC)",
            ]
        );
    }

    /// A CA below `root`, with these extensions, which the openssl command makes.
    fn intermediate(root: &Authority, extensions: &str, options: &str) -> Authority {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let key = key();
        let own_key = file("key.pem", &key.to_pem());
        let request = ["req", "-new", "-key", &own_key, "-subj", "/CN=below"];
        let request = openssl(&request, b"");
        let words = format!(
            "x509 -req -days 9000 -CA {} -CAkey {} -extfile {} {options}",
            file("ca.pem", &root.certificate().to_pem()),
            file("ca-key.pem", &root.key().to_pem()),
            file("extensions", extensions)
        );
        let words: Vec<&str> = words.split_whitespace().collect();
        let certificate = openssl(&words, &request);
        let block = pem::scan(&certificate).remove(0).unwrap();
        Authority::new(ParsedCertificate::from_der(&block.contents).unwrap(), key).unwrap()
    }

    const BELOW: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n\
                         subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";

    /// What is said against a certificate for `usage` below a CA below a root.
    fn verdict_below(
        issuer: &Authority,
        usage: ExtendedKeyUsage,
        sent: &[&Authority],
        trusted: &[&Authority],
    ) -> Vec<String> {
        let key = key();
        let validity = Validity {
            not_before: issuer.certificate().details.validity.not_before,
            not_after: issuer.certificate().details.validity.not_after,
        };
        let wanted = hosts(&["a.internal", "10.0.0.1", "*.internal"]);
        let template = EndEntityTemplate {
            extended_key_usage: usage,
            hosts: wanted.clone(),
            validity,
            ..template()
        };
        let certificate = issuer.issue(&template, &key).unwrap();
        let of_path = |authorities: &[&Authority]| {
            let certificates = authorities.iter().map(|it| it.certificate());
            let read = certificates.map(|it| PathCertificate::from_der(&it.der).unwrap());
            read.collect::<Vec<_>>()
        };
        let trust = Trust::new(issuer.certificate(), of_path(sent), of_path(trusted)).unwrap();
        let expected = Expected {
            now: validity.not_before,
            public_key_der: key.public_key_der(),
            hosts: &wanted,
            extended_key_usage: usage,
            name_constraints: &NameConstraints::default(),
        };
        match verify_issued(&certificate, &trust, &expected) {
            Ok(_) => Vec::new(),
            Err(refusals) => refusals.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_path_over_an_intermediate_ca_is_judged_to_its_root() {
        let root = ca();
        let below = intermediate(&root, BELOW, "");
        for usage in [
            ExtendedKeyUsage::SERVER,
            ExtendedKeyUsage::CLIENT,
            ExtendedKeyUsage::BOTH,
        ] {
            let judge = |sent: &[&Authority], trusted: &[&Authority]| {
                verdict_below(&below, usage, sent, trusted)
            };
            assert_eq!(judge(&[&below], &[&root]), [""; 0]);
            assert_eq!(judge(&[], &[&root, &below]), [""; 0]);
            let refusals = judge(&[], &[&root]);
            assert!(!refusals.is_empty(), "{usage:?}");
            for refusal in refusals {
                assert!(refusal.contains(" would refuse it: "), "{refusal}");
            }
        }
    }

    #[test]
    fn a_trust_bundle_without_the_root_is_not_enough_for_haproxy() {
        let root = ca();
        let below = intermediate(&root, BELOW, "");
        let refusals = verdict_below(&below, ExtendedKeyUsage::SERVER, &[], &[&below]);
        let [refusal] = &refusals[..] else {
            panic!("{refusals:?}")
        };
        assert!(refusal.starts_with("HAProxy would refuse it for `CN=below`: "));
        let refusals = verdict_below(&below, ExtendedKeyUsage::CLIENT, &[], &[&below]);
        let [refusal] = &refusals[..] else {
            panic!("{refusals:?}")
        };
        assert!(refusal.starts_with("a server would refuse it for `CN=below`: "));
    }

    #[test]
    fn whatever_is_wrong_above_the_issuer_is_told() {
        let root = ca();
        let constrained = format!("{BELOW}nameConstraints=critical,permitted;DNS:prod.internal\n");
        let for_clients = format!("{BELOW}extendedKeyUsage=clientAuth\n");
        for (extensions, options, expected) in [
            (
                constrained.as_str(),
                "",
                &[
                    "HAProxy would refuse it: `a.internal` is not permitted by the name constraints of `CN=below`",
                ][..],
            ),
            (
                &for_clients,
                "",
                &["HAProxy would refuse it for `CN=below`: its extendedKeyUsage lacks serverAuth"],
            ),
            (
                BELOW,
                "-sha1",
                &[
                    "HAProxy would refuse it for `CN=below`: its signature has 63 bits of security, \
                     and 112 are needed",
                    "HAProxy might refuse it for `CN=below`: zpki cannot check a signature of this \
                     algorithm",
                ],
            ),
        ] {
            let below = intermediate(&root, extensions, options);
            let server = ExtendedKeyUsage::SERVER;
            let refusals = verdict_below(&below, server, &[&below], &[&root]);
            assert_eq!(refusals, expected);
        }
    }

    /// The verdict on a certificate with these extensions, which the openssl command signs.
    fn made_by_openssl(ca: &Authority, key: &PrivateKey, extensions: [&str; 5]) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let key_file = file("key.pem", &key.to_pem());
        let ca_file = file("ca.pem", &ca.certificate().to_pem());
        let ca_key = file("ca-key.pem", &ca.key().to_pem());
        let extensions = file("extensions", &extensions.join("\n"));
        let request = openssl(&["req", "-new", "-key", &key_file, "-subj", "/CN=a"], b"");
        let certificate = openssl(
            &[
                "x509",
                "-req",
                "-days",
                "2",
                "-CA",
                &ca_file,
                "-CAkey",
                &ca_key,
                "-extfile",
                &extensions,
            ],
            &request,
        );
        let block = pem::scan(&certificate).remove(0).unwrap();
        let certificate = ParsedCertificate::from_der(&block.contents).unwrap();
        let now = certificate.details.validity.not_before;
        verdict(&block.contents, key, ca, |expected| expected.now = now)
    }
}
