//! The rules for the shortest path there is: an end entity's certificate that a self-signed CA of
//! the trust bundle has signed.

use std::fmt::{self, Display, Formatter};

use time::OffsetDateTime;

use crate::domain::host::Host;
use crate::domain::name_constraints::NameConstraints;
use crate::domain::role::ExtendedKeyUsage;
use crate::domain::validity::{Validity, show};
use crate::x509::certificate::ParsedCertificate;

/// A certificate that was verified: its key, its path to the CA, its names and its purposes.
#[derive(Clone, Debug)]
pub struct VerifiedPath(ParsedCertificate);

impl VerifiedPath {
    /// The end entity's certificate.
    #[must_use]
    pub fn certificate(&self) -> &ParsedCertificate {
        &self.0
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
    /// Not valid now, or not within the CA's validity.
    Validity {
        /// The dates, shown.
        dates: String,
    },
}

/// Judges a certificate that `issuer` is said to have signed.
///
/// # Errors
/// Every rule that it breaks.
pub fn verify_issued(
    certificate: ParsedCertificate,
    issuer: &ParsedCertificate,
    expected: &Expected<'_>,
) -> Result<VerifiedPath, Vec<Refusal>> {
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
        signature(&certificate, issuer),
    ]
    .into_iter()
    .filter_map(Result::err)
    .collect();
    if refusals.is_empty() {
        Ok(VerifiedPath(certificate))
    } else {
        Err(refusals)
    }
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
    let valid_now = |validity: Validity| validity.not_before <= now && now < validity.not_after;
    let within = issuers.not_before <= own.not_before && own.not_after <= issuers.not_after;
    if valid_now(own) && valid_now(issuers) && within {
        Ok(())
    } else {
        let dates = format!("{} to {}", show(own.not_before), show(own.not_after));
        Err(Refusal::Validity { dates })
    }
}

fn signature(certificate: &ParsedCertificate, issuer: &ParsedCertificate) -> Rule {
    hold(
        certificate.is_signed_by(issuer) == Some(true),
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
            Self::Validity { dates } => {
                write!(
                    f,
                    "it is not valid now or not within the CA's validity ({dates})"
                )
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
    use crate::x509::issue::{Authority, CaTemplate, EndEntityTemplate, Subject};
    use crate::x509::pem;
    use crate::x509::private_key::PrivateKey;
    use crate::x509::testing::openssl;

    const NOW: OffsetDateTime = datetime!(2027-01-01 0:00 UTC);
    const CA_VALIDITY: Validity = Validity {
        not_before: datetime!(2020-01-01 0:00 UTC),
        not_after: datetime!(2090-01-01 0:00 UTC),
    };
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

    fn subject(common_name: &str) -> Subject {
        Subject {
            organization: "test".to_owned(),
            common_name: common_name.to_owned(),
        }
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
        certificate: ParsedCertificate,
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
        match verify_issued(certificate.clone(), issuer.certificate(), &expected) {
            Ok(path) => {
                assert_eq!(path.certificate(), &certificate);
                Vec::new()
            }
            Err(refusals) => refusals.iter().map(ToString::to_string).collect(),
        }
    }

    /// The verdict on what `template` becomes.
    fn verdict_on(template: &EndEntityTemplate) -> Vec<String> {
        let (ca, key) = (ca(), key());
        let certificate = ca.issue(template, &key).unwrap();
        verdict(certificate, &key, &ca, |_| {})
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
            verdict(certificate, &key(), &ca, |_| {}),
            ["its public key is not the one that it was made for"]
        );
    }

    #[test]
    fn the_issuer_must_be_the_ca_by_name_key_and_signature() {
        let (ca, twin, key) = (ca(), ca(), key());
        let judge = |other: &Authority| {
            let certificate = other.issue(&template(), &key).unwrap();
            verdict(certificate, &key, &ca, |_| {})
        };
        let renamed = authority("other CA", same(ca.key()), CA_VALIDITY);
        assert_eq!(judge(&renamed), ["its issuer is not the CA's subject"]);
        assert_eq!(judge(&twin), [FOREIGN_KEY_IDENTIFIER, UNSIGNED]);
    }

    #[test]
    fn one_wrong_bit_of_the_signature_is_one_too_many() {
        let (ca, key) = (ca(), key());
        let mut der = ca.issue(&template(), &key).unwrap().der;
        *der.last_mut().unwrap() ^= 1;
        let damaged = ParsedCertificate::from_der(&der).unwrap();
        assert_eq!(verdict(damaged, &key, &ca, |_| {}), [UNSIGNED]);
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
            verdict(certificate, &key, &ca, |expected| {
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
            let path = verify_issued(certificate.clone(), ca.certificate(), &expected);
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
            assert_eq!(verdict(certificate.clone(), &key, &ca, change), refusals);
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
            let refusals = verdict(certificate, &key, &ca, |_| {});
            assert_eq!(refusals.len(), refused, "{validity:?}: {refusals:?}");
        }
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
        let itself = ca.certificate().clone();
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
        verdict(certificate, key, ca, |expected| expected.now = now)
    }
}
