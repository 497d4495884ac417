//! Whether a CA's next certificate, as zpki makes it, would say all that the present one says. Of a
//! CA that zpki has made it does. Of one that was made elsewhere something might be lost, and whoever
//! relies on that would find out when nothing connects any more.

use std::fmt::{self, Display, Formatter};

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::certificate::ParsedCertificate;
use crate::domain::host::DnsName;
use crate::domain::name_constraints::{NameConstraints, Network, permitted_domain};
use crate::domain::text::{Quoted, joined};

/// Why a CA's certificate is not renewed with its own key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NotRenewable {
    /// Its basicConstraints or keyUsage say something else than zpki's.
    Differs {
        /// The extension.
        extension: &'static str,
    },
    /// It has an extension that the next one would not have, or has it critical or not where zpki
    /// does otherwise.
    Extension {
        /// Its name, or its OID.
        extension: String,
    },
    /// It lacks an extension that zpki's have.
    Lacks {
        /// Its name.
        extension: &'static str,
    },
    /// It was made elsewhere with name constraints that are not those of zpki.toml.
    NameConstraints {
        /// Those that it has.
        found: Vec<String>,
    },
    /// Another CA signed it.
    NotSelfSigned,
}

/// OID, name, and whether it is critical, of what [`super::issue`] gives a CA.
const OWN: [(&str, &str, bool); 4] = [
    ("2.5.29.19", BASIC_CONSTRAINTS, true),
    ("2.5.29.15", KEY_USAGE, true),
    ("2.5.29.14", "subjectKeyIdentifier", false),
    (NAME_CONSTRAINTS, "nameConstraints", true),
];
const BASIC_CONSTRAINTS: &str = "basicConstraints";
const KEY_USAGE: &str = "keyUsage";
const NAME_CONSTRAINTS: &str = "2.5.29.30";

/// Whether [`Authority::renewed`](super::issue::Authority::renewed) would give `ca` a certificate that
/// has all that it has now: subject, set of extensions, and which of them are critical. Its name
/// constraints become `next`, those of zpki.toml, if zpki has made the CA; another's must be these
/// already.
///
/// # Errors
/// The first thing that would be lost.
pub fn check_renewable(ca: &ParsedCertificate, next: &NameConstraints) -> Result<(), NotRenewable> {
    if ca.issuer_der != ca.subject_der {
        return Err(NotRenewable::NotSelfSigned);
    }
    extensions(ca)?;
    let details = &ca.details;
    let plain = details
        .basic_constraints
        .is_some_and(|it| it.ca && it.path_len.is_none());
    if !plain {
        let extension = BASIC_CONSTRAINTS;
        return Err(NotRenewable::Differs { extension });
    }
    if details.key_usage.as_deref() != Some(&["keyCertSign", "cRLSign"]) {
        let extension = KEY_USAGE;
        return Err(NotRenewable::Differs { extension });
    }
    let found = details.name_constraints.clone().unwrap_or_default();
    let readable = name_constraints(&found);
    let may_become = match &readable {
        Some(_) if has_name_of_zpkis(ca) => true,
        Some(constraints) => constraints.are_those_of(next),
        None => false,
    };
    match may_become {
        true => Ok(()),
        false => Err(NotRenewable::NameConstraints { found }),
    }
}

/// Whether the name constraints of `ca` are those that zpki makes of `wanted`.
#[must_use]
pub fn has_name_constraints(ca: &ParsedCertificate, wanted: &NameConstraints) -> bool {
    let found = ca.details.name_constraints.as_deref().unwrap_or_default();
    name_constraints(found).is_some_and(|found| found.are_those_of(wanted))
}

/// Exactly those that zpki gives, but for nameConstraints, which may be there.
fn extensions(ca: &ParsedCertificate) -> Result<(), NotRenewable> {
    let certificate = X509Certificate::from_der(&ca.der);
    let extensions = certificate.as_ref().map(|(_, it)| it.extensions());
    let found = extensions.unwrap_or_default().iter();
    let found: Vec<(String, bool)> = found
        .map(|extension| (extension.oid.to_id_string(), extension.critical))
        .collect();
    for (id, critical) in &found {
        let own = OWN.iter().find(|(own, ..)| own == id);
        if own.is_none_or(|(_, _, own)| own != critical) {
            let extension = own.map_or_else(|| name(id), |(_, name, _)| name).to_owned();
            return Err(NotRenewable::Extension { extension });
        }
    }
    let is_lacking = |id: &str| id != NAME_CONSTRAINTS && found.iter().all(|(it, _)| it != id);
    match OWN.into_iter().find(|(id, ..)| is_lacking(id)) {
        Some((_, extension, _)) => Err(NotRenewable::Lacks { extension }),
        None => Ok(()),
    }
}

/// Those that CAs made by other programs often have.
fn name(id: &str) -> &str {
    match id {
        "1.3.6.1.5.5.7.1.1" => "authorityInfoAccess",
        "2.5.29.17" => "subjectAltName",
        "2.5.29.31" => "cRLDistributionPoints",
        "2.5.29.32" => "certificatePolicies",
        "2.5.29.35" => "authorityKeyIdentifier",
        "2.5.29.37" => "extendedKeyUsage",
        "2.16.840.1.113730.1.1" => "nsCertType",
        "2.16.840.1.113730.1.13" => "nsComment",
        other => other,
    }
}

/// `NAME cluster CA 2026-11-23 3f9a`.
fn has_name_of_zpkis(ca: &ParsedCertificate) -> bool {
    let name = ca.details.common_name.as_deref().unwrap_or_default();
    let Some((cluster, rest)) = name.rsplit_once(" cluster CA ") else {
        return false;
    };
    let is = |text: &str, form: &str| {
        let fits = |(c, form): (char, char)| match form {
            '0' => c.is_ascii_digit(),
            'f' => c.is_ascii_hexdigit(),
            other => c == other,
        };
        text.len() == form.len() && text.chars().zip(form.chars()).all(fits)
    };
    !cluster.is_empty() && is(rest, "0000-00-00 ffff")
}

/// What zpki would have made these of; None for what it never writes.
fn name_constraints(found: &[String]) -> Option<NameConstraints> {
    let mut constraints = NameConstraints::default();
    let mut excluded = Vec::new();
    for subtree in found {
        if let Some(base) = subtree.strip_prefix("permitted DNS:") {
            let domain: DnsName = permitted_domain(base)
                .ok()
                .filter(|it| it.as_str() == base)?;
            constraints.permitted_domains.push(domain);
        } else if let Some(base) = subtree.strip_prefix("permitted IP:") {
            constraints.permitted_networks.push(network(base)?);
        } else {
            excluded.push(subtree.strip_prefix("excluded ")?);
        }
    }
    let mut expected = Vec::new();
    if !constraints.is_empty() && constraints.permitted_domains.is_empty() {
        expected.push("DNS:");
    }
    if !constraints.is_empty() && constraints.permitted_networks.is_empty() {
        expected.extend(["IP:0.0.0.0/0.0.0.0", "IP:::/::"]);
    }
    (excluded == expected).then_some(constraints)
}

/// `10.0.0.0/255.0.0.0`, if its mask is a prefix and no host bit is set.
fn network(base: &str) -> Option<Network> {
    let (address, mask) = base.split_once('/')?;
    let mask: std::net::IpAddr = mask.parse().ok()?;
    let (ones, is_prefix) = match mask {
        std::net::IpAddr::V4(mask) => {
            let bits = mask.to_bits();
            (
                bits.leading_ones(),
                bits.leading_ones() == bits.count_ones(),
            )
        }
        std::net::IpAddr::V6(mask) => {
            let bits = mask.to_bits();
            (
                bits.leading_ones(),
                bits.leading_ones() == bits.count_ones(),
            )
        }
    };
    let network: Network = format!("{address}/{ones}").parse().ok()?;
    (is_prefix && network.address().to_string() == address).then_some(network)
}

impl Display for NotRenewable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Differs { extension } => {
                write!(
                    f,
                    "its {extension} is not as zpki makes it, and would be changed"
                )
            }
            Self::Extension { extension } => write!(
                f,
                "it was not made by zpki: its extension {extension} would be lost or changed"
            ),
            Self::Lacks { extension } => {
                write!(f, "it was not made by zpki: it has no {extension}")
            }
            Self::NameConstraints { found } if found.is_empty() => f.write_str(
                "it was not made by zpki and has no name constraints, and zpki.toml has some",
            ),
            Self::NameConstraints { found } => write!(
                f,
                "it was not made by zpki, and its name constraints are not those of zpki.toml: {}",
                Quoted(&joined(found, ", "))
            ),
            Self::NotSelfSigned => f.write_str("another CA signed it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::super::issue::{Authority, CaTemplate, RenewalTemplate, Subject};
    use super::super::pem;
    use super::super::private_key::PrivateKey;
    use super::super::testing::openssl;
    use super::*;
    use crate::domain::key_algorithm::KeyAlgorithm;
    use crate::domain::serial_number::{RANDOM_OCTETS, SerialNumber};
    use crate::domain::validity::Validity;

    const VALIDITY: Validity = Validity {
        not_before: datetime!(2026-01-01 0:00 UTC),
        not_after: datetime!(2036-01-01 0:00 UTC),
    };

    fn constraints(domains: &[&str], networks: &[&str]) -> NameConstraints {
        NameConstraints {
            permitted_domains: domains.iter().map(|it| it.parse().unwrap()).collect(),
            permitted_networks: networks.iter().map(|it| it.parse().unwrap()).collect(),
        }
    }

    fn own(common_name: &str, name_constraints: NameConstraints) -> Authority {
        let template = CaTemplate {
            subject: Subject {
                organization: "demo".to_owned(),
                common_name: common_name.to_owned(),
            },
            serial_number: SerialNumber::from_random([1; RANDOM_OCTETS]),
            validity: VALIDITY,
            name_constraints,
        };
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        Authority::self_signed(&template, key).unwrap()
    }

    const OWN_NAME: &str = "demo cluster CA 2026-11-23 3f9a";

    #[test]
    fn what_zpki_made_is_renewed_with_other_constraints_and_again() {
        let all = [
            constraints(&[], &[]),
            constraints(&["demo.internal"], &[]),
            constraints(&[], &["10.0.0.0/8", "fd00::/8"]),
            constraints(&["demo.internal", "example.org"], &["127.0.0.0/8"]),
        ];
        for before in &all {
            let ca = own(OWN_NAME, before.clone());
            for next in &all {
                assert_eq!(check_renewable(ca.certificate(), next), Ok(()));
                let renewed = ca.renewed(&RenewalTemplate {
                    serial_number: SerialNumber::from_random([2; RANDOM_OCTETS]),
                    validity: VALIDITY,
                    name_constraints: next.clone(),
                });
                assert_eq!(check_renewable(&renewed.unwrap(), before), Ok(()));
            }
        }
    }

    #[test]
    fn anothers_constraints_are_not_replaced() {
        let before = constraints(&["demo.internal"], &["10.0.0.0/8"]);
        let ca = own("Example CA 2026", before.clone());
        assert_eq!(check_renewable(ca.certificate(), &before), Ok(()));
        for next in [constraints(&[], &[]), constraints(&["demo.internal"], &[])] {
            let error = check_renewable(ca.certificate(), &next).unwrap_err();
            assert_eq!(
                error.to_string(),
                "it was not made by zpki, and its name constraints are not those of zpki.toml: \
                 `permitted DNS:demo.internal, permitted IP:10.0.0.0/255.0.0.0`"
            );
        }
    }

    /// A self-signed certificate by the openssl command, with these extensions only.
    fn foreign(common_name: &str, extensions: &[&str]) -> ParsedCertificate {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("config");
        let text = "[req]\ndistinguished_name=dn\n[dn]\n".to_owned();
        std::fs::write(&config, text).unwrap();
        let subject = format!("/O=demo/CN={common_name}");
        let mut arguments = vec![
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-nodes",
            "-keyout",
            "/dev/null",
        ];
        arguments.extend(["-pkeyopt", "ec_paramgen_curve:P-256", "-days", "3650"]);
        arguments.extend(["-subj", &subject, "-config", config.to_str().unwrap()]);
        for extension in extensions {
            arguments.extend(["-addext", extension]);
        }
        let pem = openssl(&arguments, b"");
        ParsedCertificate::from_der(&pem::scan(&pem).remove(0).unwrap().contents).unwrap()
    }

    const BASIC: &str = "basicConstraints=critical,CA:TRUE";
    const USAGE: &str = "keyUsage=critical,keyCertSign,cRLSign";
    const IDENTIFIER: &str = "subjectKeyIdentifier=hash";

    #[test]
    fn of_a_ca_made_elsewhere_nothing_is_lost_in_silence() {
        let none = NameConstraints::default();
        let same = foreign("Example CA", &[BASIC, USAGE, IDENTIFIER]);
        assert_eq!(check_renewable(&same, &none), Ok(()));
        let lost = "it was not made by zpki: its extension";
        for (extensions, why) in [
            (
                &[
                    BASIC,
                    USAGE,
                    IDENTIFIER,
                    "authorityKeyIdentifier=keyid:always",
                ][..],
                format!("{lost} authorityKeyIdentifier would be lost or changed"),
            ),
            (
                &[BASIC, USAGE, IDENTIFIER, "1.2.3.4=DER:0500"],
                format!("{lost} 1.2.3.4 would be lost or changed"),
            ),
            (
                &[BASIC, "keyUsage=keyCertSign,cRLSign", IDENTIFIER],
                format!("{lost} keyUsage would be lost or changed"),
            ),
            (
                &[
                    "basicConstraints=critical,CA:TRUE,pathlen:0",
                    USAGE,
                    IDENTIFIER,
                ],
                "its basicConstraints is not as zpki makes it, and would be changed".to_owned(),
            ),
            (
                &[
                    BASIC,
                    "keyUsage=critical,keyCertSign,cRLSign,digitalSignature",
                    IDENTIFIER,
                ],
                "its keyUsage is not as zpki makes it, and would be changed".to_owned(),
            ),
            (
                &[BASIC, IDENTIFIER],
                "it was not made by zpki: it has no keyUsage".to_owned(),
            ),
        ] {
            for name in ["Example CA", OWN_NAME] {
                let error = check_renewable(&foreign(name, extensions), &none).unwrap_err();
                assert_eq!(error.to_string(), why);
            }
        }
        // Constraints that zpki never writes are nobody's to replace.
        for odd in [
            "nameConstraints=critical,permitted;email:example.org",
            "nameConstraints=critical,permitted;DNS:.example.org",
            "nameConstraints=critical,permitted;DNS:example.org",
            "nameConstraints=critical,permitted;IP:10.0.0.1/255.0.0.0",
            "nameConstraints=critical,excluded;DNS:example.org",
        ] {
            let ca = foreign(OWN_NAME, &[BASIC, USAGE, IDENTIFIER, odd]);
            let error = check_renewable(&ca, &none).unwrap_err();
            assert!(
                matches!(error, NotRenewable::NameConstraints { .. }),
                "{odd}"
            );
        }
    }
}
