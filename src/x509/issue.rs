//! Signing certificates.
//!
//! rcgen encodes them. One thing it cannot do is name the issuer: it reads the CA's subject into a
//! map, so that of two OU or DC the earlier is lost and the certificate names an issuer that does
//! not exist (rcgen issues 81 and 300). So rcgen is given a key that only records what is to be
//! signed; the issuer is replaced by the CA's own subject, octet for octet; and the result is
//! signed with the real key. Every certificate and CRL takes this one way, but for a new CA, which
//! names itself.

use std::cell::RefCell;
use std::net::{Ipv4Addr, Ipv6Addr};

use rcgen::{
    CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, KeyIdMethod, KeyUsagePurpose, PublicKeyData, SanType, SigningKey,
};

use super::certificate::ParsedCertificate;
use super::der;
use super::error::Error;
use super::private_key::PrivateKey;
use super::public_key::SubjectKey;
use crate::domain::host::{DnsName, Host};
use crate::domain::name_constraints::NameConstraints;
use crate::domain::role::ExtendedKeyUsage;
use crate::domain::serial_number::SerialNumber;
use crate::domain::validity::Validity;

/// Subject of a certificate that zpki makes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Subject {
    /// O.
    pub organization: String,
    /// CN: at most 64 characters.
    pub common_name: String,
}

/// What a CA certificate is to say besides its key.
#[derive(Clone, Debug)]
pub struct CaTemplate {
    /// Subject, and issuer.
    pub subject: Subject,
    /// Serial number.
    pub serial_number: SerialNumber,
    /// notBefore and notAfter.
    pub validity: Validity,
    /// What it may vouch for.
    pub name_constraints: NameConstraints,
}

/// What a CA's next certificate is to say; its subject and its key stay.
#[derive(Clone, Debug)]
pub struct RenewalTemplate {
    /// Serial number: not the one of any certificate before.
    pub serial_number: SerialNumber,
    /// notBefore and notAfter.
    pub validity: Validity,
    /// What it may vouch for.
    pub name_constraints: NameConstraints,
}

/// What an end entity's certificate is to say besides its key.
#[derive(Clone, Debug)]
pub struct EndEntityTemplate {
    /// Subject.
    pub subject: Subject,
    /// Serial number.
    pub serial_number: SerialNumber,
    /// notBefore and notAfter.
    pub validity: Validity,
    /// subjectAltName.
    pub hosts: Vec<Host>,
    /// extendedKeyUsage.
    pub extended_key_usage: ExtendedKeyUsage,
}

/// A CA that can sign: a certificate and the private key that belongs to it.
#[derive(Debug)]
pub struct Authority {
    certificate: ParsedCertificate,
    key: PrivateKey,
    /// What rcgen is told of it.
    params: CertificateParams,
}

impl Authority {
    /// Makes a self-signed CA: basicConstraints CA:TRUE without pathLen, keyCertSign and cRLSign,
    /// no extendedKeyUsage.
    ///
    /// # Errors
    /// When rcgen or ring refuse.
    pub fn self_signed(template: &CaTemplate, key: PrivateKey) -> Result<Self, Error> {
        let mut params = ca_params(
            &template.serial_number,
            &template.validity,
            &template.name_constraints,
        )?;
        params.distinguished_name = distinguished_name(&template.subject);
        let der = params
            .self_signed(&key)
            .map_err(Error::signing)?
            .der()
            .to_vec();
        Self::new(ParsedCertificate::from_der(&der)?, key)
    }

    /// A CA that exists. rcgen would take any certificate for one; here it must say so, and the
    /// key must be its own.
    ///
    /// # Errors
    /// When the certificate is no CA's, may not sign, has no subjectKeyIdentifier, or belongs to
    /// another key.
    pub fn new(certificate: ParsedCertificate, key: PrivateKey) -> Result<Self, Error> {
        let details = &certificate.details;
        if certificate.public_key_der != key.public_key_der() {
            return Err(Error::KeyMismatch {
                subject: details.subject.clone(),
            });
        }
        let may = |usage| {
            details
                .key_usage
                .as_ref()
                .is_none_or(|usages| usages.contains(&usage))
        };
        let identifier = details.subject_key_identifier.as_ref();
        let Some(identifier) = identifier.filter(|_| details.is_ca() && may("keyCertSign")) else {
            return Err(Error::NotACa {
                subject: details.subject.clone(),
            });
        };
        let mut params = CertificateParams::default();
        params.key_identifier_method = KeyIdMethod::PreSpecified(identifier.0.clone());
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // Whatever stands here, its subject is put in its place.
        params.distinguished_name = DistinguishedName::new();
        Ok(Self {
            certificate,
            key,
            params,
        })
    }

    /// Its certificate.
    #[must_use]
    pub fn certificate(&self) -> &ParsedCertificate {
        &self.certificate
    }

    /// Its private key.
    #[must_use]
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// Its next certificate, self-signed with the same key. Subject and subjectKeyIdentifier are its
    /// own to the octet, so that whatever it signed before is valid under the new certificate too;
    /// the rest is as in [`Self::self_signed`].
    ///
    /// # Errors
    /// [`Error::NotSelfSigned`] for an intermediate CA, whose next certificate another CA signs;
    /// when rcgen or ring refuse.
    pub fn renewed(&self, template: &RenewalTemplate) -> Result<ParsedCertificate, Error> {
        let own = &self.certificate;
        if own.issuer_der != own.subject_der || own.is_signed_by(own) == Some(false) {
            return Err(Error::NotSelfSigned {
                subject: own.details.subject.clone(),
            });
        }
        let mut params = ca_params(
            &template.serial_number,
            &template.validity,
            &template.name_constraints,
        )?;
        params.key_identifier_method = self.key_identifier_method();
        let der = self.sign_named(&[ISSUER_OF_CERTIFICATE, SUBJECT], |recorder| {
            params.self_signed(&recorder).map(drop)
        })?;
        ParsedCertificate::from_der(&der)
    }

    /// Itself, under the next certificate that [`Self::renewed`] makes.
    ///
    /// # Errors
    /// Those of [`Self::renewed`].
    pub fn renew(self, template: &RenewalTemplate) -> Result<Self, Error> {
        Self::new(self.renewed(template)?, self.key)
    }

    /// Signs an end entity's certificate for `subject_key`: CA:FALSE,
    /// digitalSignature (and keyEncipherment for RSA), authorityKeyIdentifier with the CA's own
    /// key identifier and nothing else, so that a CA renewed with its key stays transparent. What it
    /// returns is DER that nobody has judged yet.
    ///
    /// # Errors
    /// When rcgen or ring refuse.
    pub fn issue(
        &self,
        template: &EndEntityTemplate,
        subject_key: &dyn SubjectKey,
    ) -> Result<Vec<u8>, Error> {
        let mut params = params(&template.serial_number, &template.validity);
        params.distinguished_name = distinguished_name(&template.subject);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if subject_key.is_rsa() {
            params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
        }
        params.extended_key_usages = purposes(template.extended_key_usage);
        params.subject_alt_names = alt_names(&template.hosts)?;
        params.use_authority_key_identifier_extension = true;
        self.sign(ISSUER_OF_CERTIFICATE, |issuer| {
            params.signed_by(&subject_key, issuer).map(drop)
        })
    }

    /// Lets `encode` encode a certificate or CRL, puts the CA's own subject in the place of its
    /// issuer and signs it.
    pub(super) fn sign(
        &self,
        issuer_at: usize,
        encode: impl FnOnce(&rcgen::Issuer<'_, &Recorder<'_>>) -> Result<(), rcgen::Error>,
    ) -> Result<Vec<u8>, Error> {
        self.sign_named(&[issuer_at], |recorder| {
            encode(&rcgen::Issuer::from_params(&self.params, recorder))
        })
    }

    /// Lets `encode` encode something, puts the CA's own subject in each of these places and signs
    /// it.
    fn sign_named(
        &self,
        named_at: &[usize],
        encode: impl FnOnce(&Recorder<'_>) -> Result<(), rcgen::Error>,
    ) -> Result<Vec<u8>, Error> {
        let recorder = Recorder {
            key: &self.key,
            to_be_signed: RefCell::default(),
        };
        encode(&recorder).map_err(Error::signing)?;
        let recorded = recorder.to_be_signed.into_inner();
        let incomplete = || Error::Signing {
            because: "rcgen encoded no SEQUENCE".to_owned(),
        };
        let mut parts = der::elements(&recorded).ok_or_else(incomplete)?;
        let algorithm = *parts.get(named_at[0] - 1).ok_or_else(incomplete)?;
        for at in named_at {
            *parts.get_mut(*at).ok_or_else(incomplete)? = &self.certificate.subject_der;
        }
        let to_be_signed = der::wrapped(der::SEQUENCE, &parts);
        let signature = self.key.sign(&to_be_signed).map_err(Error::signing)?;
        let signature = der::wrapped(der::BIT_STRING, &[&[0], &signature]);
        Ok(der::wrapped(
            der::SEQUENCE,
            &[&to_be_signed, algorithm, &signature],
        ))
    }

    /// The CA's subjectKeyIdentifier as it stands in its certificate: derived again from the key
    /// it would differ for a CA that OpenSSL made, and HAProxy would not find the issuer.
    pub(super) fn key_identifier_method(&self) -> KeyIdMethod {
        self.params.key_identifier_method.clone()
    }
}

/// Where the issuer stands in a TBSCertificate (RFC 5280 4.1: version, serialNumber, signature,
/// issuer, validity, subject); the AlgorithmIdentifier stands before it.
const ISSUER_OF_CERTIFICATE: usize = 3;

/// Where the subject stands: behind the issuer and the validity.
const SUBJECT: usize = 5;

/// A key that signs nothing and keeps what it was to sign.
pub(super) struct Recorder<'a> {
    key: &'a PrivateKey,
    to_be_signed: RefCell<Vec<u8>>,
}

impl PublicKeyData for &Recorder<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.key.der_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        PublicKeyData::algorithm(self.key)
    }
}

impl SigningKey for &Recorder<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        *self.to_be_signed.borrow_mut() = message.to_vec();
        Ok(vec![0])
    }
}

/// Everything that rcgen would choose itself (1975 to 4096, a serial number derived from the key, a
/// subject) is set here or by the caller.
fn params(serial_number: &SerialNumber, validity: &Validity) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.serial_number = Some(rcgen::SerialNumber::from_slice(serial_number.octets()));
    params.not_before = validity.not_before;
    params.not_after = validity.not_after;
    params
}

fn ca_params(
    serial_number: &SerialNumber,
    validity: &Validity,
    name_constraints: &NameConstraints,
) -> Result<CertificateParams, Error> {
    let mut params = params(serial_number, validity);
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = constraints(name_constraints)?;
    Ok(params)
}

fn distinguished_name(subject: &Subject) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, &*subject.organization);
    name.push(DnType::CommonName, &*subject.common_name);
    name
}

fn purposes(usage: ExtendedKeyUsage) -> Vec<ExtendedKeyUsagePurpose> {
    let server = usage
        .server_auth
        .then_some(ExtendedKeyUsagePurpose::ServerAuth);
    let client = usage
        .client_auth
        .then_some(ExtendedKeyUsagePurpose::ClientAuth);
    server.into_iter().chain(client).collect()
}

fn alt_names(hosts: &[Host]) -> Result<Vec<SanType>, Error> {
    let alt_name = |host: &Host| match host {
        Host::Dns(name) => Ok(SanType::DnsName(
            name.as_str().try_into().map_err(Error::signing)?,
        )),
        Host::Ip(address) => Ok(SanType::IpAddress(*address)),
    };
    hosts.iter().map(alt_name).collect()
}

/// The kind that is not permitted at all is excluded whole: an empty dNSName, `0.0.0.0/0` and
/// `::/0` match everything.
fn constraints(constraints: &NameConstraints) -> Result<Option<rcgen::NameConstraints>, Error> {
    if constraints.is_empty() {
        return Ok(None);
    }
    let domain = |name: &DnsName| GeneralSubtree::DnsName(name.as_str().to_owned());
    let network =
        |address, prefix| GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, prefix));
    let domains = constraints.permitted_domains.iter().map(domain);
    let networks = constraints.permitted_networks.iter();
    let networks = networks.map(|permitted| network(permitted.address(), permitted.prefix()));
    let mut excluded = Vec::new();
    if constraints.permitted_domains.is_empty() {
        excluded.push(GeneralSubtree::DnsName(String::new()));
    }
    if constraints.permitted_networks.is_empty() {
        excluded.push(network(Ipv4Addr::UNSPECIFIED.into(), 0));
        excluded.push(network(Ipv6Addr::UNSPECIFIED.into(), 0));
    }
    Ok(Some(rcgen::NameConstraints {
        permitted_subtrees: domains.chain(networks).collect(),
        excluded_subtrees: excluded,
    }))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use time::macros::datetime;

    use super::*;
    use crate::domain::key_algorithm::KeyAlgorithm;
    use crate::domain::serial_number::RANDOM_OCTETS;
    use crate::x509::pem;
    use crate::x509::testing::{openssl, openssl_succeeds, subject};

    const VALIDITY: Validity = Validity {
        not_before: datetime!(2026-01-01 0:00 UTC),
        not_after: datetime!(2036-01-01 0:00 UTC),
    };

    fn serial(octet: u8) -> SerialNumber {
        SerialNumber::from_random([octet; RANDOM_OCTETS])
    }

    fn authority(name_constraints: NameConstraints) -> Authority {
        let template = CaTemplate {
            subject: subject("test CA"),
            serial_number: serial(1),
            validity: VALIDITY,
            name_constraints,
        };
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        Authority::self_signed(&template, key).unwrap()
    }

    fn issue(authority: &Authority, hosts: &[&str]) -> ParsedCertificate {
        let template = EndEntityTemplate {
            subject: subject("server1"),
            serial_number: serial(2),
            validity: VALIDITY,
            hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(),
            extended_key_usage: ExtendedKeyUsage::SERVER,
        };
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        ParsedCertificate::from_der(&authority.issue(&template, &key).unwrap()).unwrap()
    }

    /// Whether `openssl verify -x509_strict` takes the certificate.
    fn openssl_takes(authority: &Authority, certificate: &ParsedCertificate) -> bool {
        openssl_takes_under(authority.certificate(), certificate)
    }

    fn openssl_takes_under(ca: &ParsedCertificate, certificate: &ParsedCertificate) -> bool {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        fs::write(&path, ca.to_pem()).unwrap();
        let ca = path;
        let ca = ca.to_str().unwrap();
        let arguments = [
            "verify",
            "-x509_strict",
            "-auth_level",
            "2",
            "-purpose",
            "sslserver",
            "-CAfile",
            ca,
        ];
        openssl_succeeds(&arguments, certificate.to_pem().as_bytes())
    }

    /// A CA that the openssl command makes.
    fn foreign_authority(subject: &str) -> Authority {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        openssl(
            &[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "3650",
                "-subj",
                subject,
                "-keyout",
                &path("key"),
                "-out",
                &path("cert"),
                "-addext",
                "keyUsage=critical,keyCertSign,cRLSign",
            ],
            b"",
        );
        let block = |name: &str| {
            pem::scan(&fs::read(Path::new(&path(name))).unwrap())
                .remove(0)
                .unwrap()
        };
        let certificate = ParsedCertificate::from_der(&block("cert").contents).unwrap();
        Authority::new(
            certificate,
            PrivateKey::from_pem(&block("key"), None).unwrap(),
        )
        .unwrap()
    }

    #[test]
    fn openssl_takes_what_is_issued() {
        let authority = authority(NameConstraints::default());
        assert!(openssl_takes(
            &authority,
            &issue(&authority, &["a.internal", "10.0.0.1", "fd00::1"])
        ));
    }

    #[test]
    fn the_issuers_name_is_the_cas_own_to_the_octet() {
        for subject in [
            "/DC=com/DC=example/CN=Example CA",
            "/O=Example/OU=one/OU=two/CN=a/CN=b",
            "/O=Example+OU=joined/CN=Multi CA",
            "/emailAddress=ca@example.com/CN=Mail CA",
        ] {
            let authority = foreign_authority(subject);
            let certificate = issue(&authority, &["a.internal"]);
            assert_eq!(
                certificate.issuer_der,
                authority.certificate().subject_der,
                "{subject}"
            );
            assert_eq!(
                certificate.is_signed_by(authority.certificate()),
                Some(true)
            );
            assert!(openssl_takes(&authority, &certificate), "{subject}");
        }
    }

    #[test]
    fn a_ca_made_elsewhere_is_found_by_its_own_key_identifier() {
        let authority = foreign_authority("/CN=Foreign CA");
        let certificate = issue(&authority, &["a.internal"]);
        let named = certificate.details.authority_key_identifier;
        assert_eq!(
            named,
            authority.certificate().details.subject_key_identifier
        );
    }

    #[test]
    fn every_field_is_what_the_template_says() {
        let authority = authority(NameConstraints::default());
        let details = issue(&authority, &["a.internal", "10.0.0.1"]).details;
        assert_eq!(details.serial_number, serial(2));
        assert_eq!(details.validity, VALIDITY);
        assert_eq!(details.subject, "O=test,CN=server1");
        assert_eq!(
            details.hosts(),
            ["a.internal".parse().unwrap(), "10.0.0.1".parse().unwrap()]
        );
        assert_eq!(
            details.key_usage.as_deref(),
            Some(&["digitalSignature"][..])
        );
        assert_eq!(
            details.extended_key_usage,
            Some(vec!["serverAuth".to_owned()])
        );
        assert_eq!(details.basic_constraints.unwrap().path_len, None);
        assert!(!details.is_ca());
        let ca = &authority.certificate().details;
        assert!(ca.is_ca());
        assert_eq!(
            ca.key_usage.as_deref(),
            Some(&["keyCertSign", "cRLSign"][..])
        );
        assert_eq!(
            (
                &ca.extended_key_usage,
                ca.basic_constraints.unwrap().path_len
            ),
            (&None, None)
        );
    }

    #[test]
    fn an_rsa_key_may_be_encrypted_to() {
        let authority = authority(NameConstraints::default());
        let template = EndEntityTemplate {
            subject: subject("server1"),
            serial_number: serial(2),
            validity: VALIDITY,
            hosts: vec!["a.internal".parse().unwrap()],
            extended_key_usage: ExtendedKeyUsage::BOTH,
        };
        let key = PrivateKey::generate(KeyAlgorithm::Rsa2048).unwrap();
        let der = authority.issue(&template, &key).unwrap();
        let details = ParsedCertificate::from_der(&der).unwrap().details;
        assert_eq!(
            details.key_usage.unwrap(),
            ["digitalSignature", "keyEncipherment"]
        );
        assert_eq!(
            details.extended_key_usage.unwrap(),
            ["serverAuth", "clientAuth"]
        );
    }

    #[test]
    fn openssl_holds_the_name_constraints() {
        let domains = NameConstraints {
            permitted_domains: vec!["prod.internal".parse().unwrap()],
            permitted_networks: vec![],
        };
        let networks = NameConstraints {
            permitted_domains: vec![],
            permitted_networks: vec!["10.0.0.0/8".parse().unwrap()],
        };
        let both = NameConstraints {
            permitted_domains: domains.permitted_domains.clone(),
            permitted_networks: networks.permitted_networks.clone(),
        };
        for (constraints, host, taken) in [
            (&domains, "a.prod.internal", true),
            (&domains, "a.test.internal", false),
            (&domains, "10.0.0.1", false),
            (&domains, "fd00::1", false),
            (&networks, "10.0.0.1", true),
            (&networks, "11.0.0.1", false),
            (&networks, "fd00::1", false),
            (&networks, "a.prod.internal", false),
            (&both, "10.0.0.1", true),
            (&both, "a.prod.internal", true),
        ] {
            assert_eq!(
                constraints.permit(&host.parse().unwrap()),
                taken,
                "{constraints} {host}"
            );
            let authority = authority(constraints.clone());
            let certificate = issue(&authority, &[host]);
            assert_eq!(
                openssl_takes(&authority, &certificate),
                taken,
                "{constraints} {host}"
            );
        }
    }

    fn renewal(name_constraints: NameConstraints) -> RenewalTemplate {
        RenewalTemplate {
            serial_number: serial(9),
            validity: Validity {
                not_before: datetime!(2026-06-01 0:00 UTC),
                not_after: datetime!(2046-01-01 0:00 UTC),
            },
            name_constraints,
        }
    }

    #[test]
    fn what_a_ca_signed_is_valid_under_its_next_certificate() {
        let own = authority(NameConstraints::default());
        for old in [
            own,
            foreign_authority("/O=Example/OU=one/OU=two/CN=Example CA"),
            foreign_authority("/O=Example+OU=joined/emailAddress=ca@example.com"),
        ] {
            let leaf = issue(&old, &["a.internal"]);
            let template = renewal(NameConstraints::default());
            let new = old.renewed(&template).unwrap();
            let subject = &old.certificate().details.subject;
            assert!(openssl_takes_under(&new, &leaf), "{subject}");
            assert_eq!(new.subject_der, old.certificate().subject_der);
            assert_eq!(new.issuer_der, old.certificate().subject_der);
            assert_eq!(new.public_key_der, old.certificate().public_key_der);
            let (before, details) = (&old.certificate().details, &new.details);
            assert_eq!(
                details.subject_key_identifier,
                before.subject_key_identifier
            );
            assert_eq!(details.serial_number, serial(9));
            assert_eq!(details.validity, template.validity);
            assert_eq!(
                details.key_usage.as_deref(),
                Some(&["keyCertSign", "cRLSign"][..])
            );
            assert_eq!(details.basic_constraints.unwrap().path_len, None);
            assert!(details.is_ca());
            assert_eq!(new.is_signed_by(&new), Some(true));
        }
    }

    #[test]
    fn a_cas_next_certificate_has_its_own_name_constraints() {
        let old = authority(NameConstraints::default());
        let [inside, outside] =
            ["a.prod.internal", "a.test.internal"].map(|host| issue(&old, &[host]));
        let constraints = NameConstraints {
            permitted_domains: vec!["prod.internal".parse().unwrap()],
            permitted_networks: vec![],
        };
        let new = old.renewed(&renewal(constraints)).unwrap();
        assert!(openssl_takes_under(&new, &inside));
        assert!(!openssl_takes_under(&new, &outside));
    }

    #[test]
    fn an_intermediate_ca_does_not_renew_itself() {
        let mut intermediate = authority(NameConstraints::default());
        intermediate.certificate.issuer_der = foreign_authority("/CN=root").certificate.subject_der;
        let template = renewal(NameConstraints::default());
        let error = intermediate.renewed(&template).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the certificate of `O=test,CN=test CA` is not self-signed"
        );
    }

    #[test]
    fn what_is_no_ca_signs_nothing() {
        let authority = authority(NameConstraints::default());
        let leaf = issue(&authority, &["a.internal"]);
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let error = Authority::new(leaf, key).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the private key does not belong to the certificate of `O=test,CN=server1`"
        );
        let leaf_key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let template = EndEntityTemplate {
            subject: subject("server1"),
            serial_number: serial(3),
            validity: VALIDITY,
            hosts: vec!["a.internal".parse().unwrap()],
            extended_key_usage: ExtendedKeyUsage::SERVER,
        };
        let leaf = authority.issue(&template, &leaf_key).unwrap();
        let leaf = ParsedCertificate::from_der(&leaf).unwrap();
        let error = Authority::new(leaf, leaf_key).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the certificate of `O=test,CN=server1` is no CA's"
        );
    }
}
