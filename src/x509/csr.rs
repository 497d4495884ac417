//! Certification requests (RFC 2986): what is asked for, and what of it zpki would issue.
//!
//! Of a request only its public key and its names are ever used. Extensions are not copied: a
//! request for CA:TRUE is a request all the same, and its answer is an end entity certificate.

use std::ops::RangeInclusive;

use rcgen::{PublicKeyData, SubjectPublicKeyInfo};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::{OID_PKCS1_SHA1WITHRSA, OID_X509_EXT_SUBJECT_ALT_NAME};
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Version;

use crate::domain::certificate::{AltName, CertificationRequest};
use crate::domain::host::Host;

use super::error::Error;
use super::name;
use super::public_key::{self, SubjectKey};
use super::signature::Signed;

/// A certification request, read. Not necessarily one that a certificate is issued for: that is
/// what [`Self::hosts`] and [`Self::public_key`] decide.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    description: CertificationRequest,
    public_key_der: Vec<u8>,
}

/// The public key of a request that proved itself, to issue a certificate for it.
#[derive(Debug)]
pub struct RequestedKey {
    info: SubjectPublicKeyInfo,
    der: Vec<u8>,
    is_rsa: bool,
}

/// RSA keys that zpki issues certificates for: what OpenSSL's security level 2 takes, and what ring
/// can check a signature of.
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;

impl Request {
    /// Reads the DER of a request, and checks its signature.
    ///
    /// # Errors
    /// [`Error::RequestDamaged`], [`Error::TrailingData`]. A wrong signature is not an error here.
    pub fn read(der: &[u8]) -> Result<Self, Error> {
        let (rest, request) = X509CertificationRequest::from_der(der)
            .map_err(|_| damaged("it is no PKCS#10 (RFC 2986)"))?;
        if !rest.is_empty() {
            return Err(Error::TrailingData {
                what: "certification request",
                octets: rest.len(),
            });
        }
        let info = &request.certification_request_info;
        if info.version != X509Version::V1 {
            return Err(damaged("its version is unknown"));
        }
        let public_key_der = info.subject_pki.raw.to_vec();
        Ok(Self {
            description: CertificationRequest {
                subject: name::show(&info.subject),
                subject_alt_name: subject_alt_name(&request)?,
                public_key: public_key::describe(&public_key_der),
                signature_valid: signature_valid(der, &request),
            },
            public_key_der,
        })
    }

    /// What the request says.
    #[must_use]
    pub fn description(&self) -> &CertificationRequest {
        &self.description
    }

    /// The names asked for, each a valid host name. A request without any has none: the subject is
    /// not looked at.
    ///
    /// # Errors
    /// [`Error::RequestName`] for the first that is not valid: one left out silently would be
    /// missed on the day of the outage.
    pub fn hosts(&self) -> Result<Vec<Host>, Error> {
        self.description.subject_alt_name.iter().map(host).collect()
    }

    /// The public key, to issue a certificate for it.
    ///
    /// # Errors
    /// [`Error::RequestKey`] for a key that is weak or of no algorithm of zpki's;
    /// [`Error::RequestSignature`] unless the request proves that its maker has the private key.
    pub fn public_key(&self) -> Result<RequestedKey, Error> {
        let unsupported = || Error::RequestKey {
            algorithm: self.description.public_key.algorithm.clone(),
        };
        let rsa_bits = public_key::rsa_bits(&self.public_key_der);
        if rsa_bits.is_some_and(|bits| !RSA_BITS.contains(&bits)) {
            return Err(unsupported());
        }
        let info =
            SubjectPublicKeyInfo::from_der(&self.public_key_der).map_err(|_| unsupported())?;
        // rcgen encodes the key anew; what it would change is nothing it knows.
        if info.subject_public_key_info() != self.public_key_der {
            return Err(unsupported());
        }
        match self.description.signature_valid {
            Some(true) => Ok(RequestedKey {
                info,
                der: self.public_key_der.clone(),
                is_rsa: rsa_bits.is_some(),
            }),
            Some(false) => Err(Error::RequestSignature { checked: true }),
            None => Err(Error::RequestSignature { checked: false }),
        }
    }

    /// The SubjectPublicKeyInfo, as it stands in the request.
    #[must_use]
    pub fn public_key_der(&self) -> &[u8] {
        &self.public_key_der
    }
}

impl PublicKeyData for RequestedKey {
    fn der_bytes(&self) -> &[u8] {
        self.info.der_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.info.algorithm()
    }
}

impl SubjectKey for RequestedKey {
    fn public_key_der(&self) -> &[u8] {
        &self.der
    }

    fn is_rsa(&self) -> bool {
        self.is_rsa
    }
}

fn damaged(because: &'static str) -> Error {
    Error::RequestDamaged { because }
}

/// The entries of every subjectAltName extension asked for. One that cannot be read is an error,
/// not an empty list.
fn subject_alt_name(request: &X509CertificationRequest<'_>) -> Result<Vec<AltName>, Error> {
    let mut names = Vec::new();
    for attribute in request.certification_request_info.iter_attributes() {
        let ParsedCriAttribute::ExtensionRequest(requested) = attribute.parsed_attribute() else {
            continue;
        };
        for extension in &requested.extensions {
            if extension.oid != OID_X509_EXT_SUBJECT_ALT_NAME {
                continue;
            }
            let ParsedExtension::SubjectAlternativeName(extension) = extension.parsed_extension()
            else {
                return Err(damaged("its subjectAltName is damaged"));
            };
            names.extend(extension.general_names.iter().map(name::alt_name));
        }
    }
    Ok(names)
}

/// None for what cannot be checked here, and for SHA-1, which proves nothing.
fn signature_valid(der: &[u8], request: &X509CertificationRequest<'_>) -> Option<bool> {
    if request.signature_algorithm.algorithm == OID_PKCS1_SHA1WITHRSA {
        return None;
    }
    Signed::of(der)?.is_by(request.certification_request_info.subject_pki.raw)
}

fn host(name: &AltName) -> Result<Host, Error> {
    match name {
        AltName::Dns(dns) => match dns.parse() {
            Ok(dns) => Ok(Host::Dns(dns)),
            Err(invalid) => Err(Error::RequestName {
                name: name.to_string(),
                invalid: Some(invalid),
            }),
        },
        AltName::Ip(address) => Ok(Host::Ip(*address)),
        AltName::Other(other) => Err(Error::RequestName {
            name: other.clone(),
            invalid: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{CertificateParams, Issuer, SerialNumber};
    use time::macros::datetime;

    use crate::domain::key_algorithm::KeyAlgorithm;
    use crate::domain::name_constraints::NameConstraints;
    use crate::domain::role::ExtendedKeyUsage;
    use crate::domain::serial_number::SerialNumber as DomainSerialNumber;
    use crate::domain::validity::Validity;
    use crate::x509::certificate::ParsedCertificate;
    use crate::x509::digest::sha256;
    use crate::x509::issue::{Authority, CaTemplate, EndEntityTemplate, Subject};
    use crate::x509::pem;
    use crate::x509::private_key::PrivateKey;
    use crate::x509::testing::openssl;

    use super::*;

    /// A request that openssl makes for `key`, as DER.
    fn made(key: &[u8], options: &str) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        fs::write(&path, key).unwrap();
        let request = [
            "req",
            "-new",
            "-outform",
            "DER",
            "-key",
            path.to_str().unwrap(),
            "-subj",
            "/O=prod/CN=a",
        ];
        let options: Vec<&str> = options.split_whitespace().collect();
        openssl(&[&request[..], &options].concat(), b"")
    }

    fn genpkey(options: &str) -> Vec<u8> {
        let options: Vec<&str> = options.split(' ').collect();
        openssl(&[&["genpkey", "-algorithm"], &options[..]].concat(), b"")
    }

    fn key(algorithm: KeyAlgorithm) -> PrivateKey {
        PrivateKey::generate(algorithm).unwrap()
    }

    fn p256(options: &str) -> Request {
        Request::read(&made(
            key(KeyAlgorithm::EcdsaP256).to_pem().as_bytes(),
            options,
        ))
        .unwrap()
    }

    fn hosts(names: &str) -> Result<Vec<String>, String> {
        let hosts = p256(&format!("-addext subjectAltName={names}")).hosts();
        hosts
            .map(|hosts| hosts.iter().map(ToString::to_string).collect())
            .map_err(|error| error.to_string())
    }

    /// A certificate for the key of the request, signed by a CA of each algorithm; answers with the
    /// public key that openssl finds in it.
    fn public_key_after_issuing(request: &Request, ca: KeyAlgorithm) -> String {
        let ca = key(ca);
        let issuer = Issuer::new(CertificateParams::default(), &ca);
        let mut certificate = CertificateParams::default();
        certificate.serial_number = Some(SerialNumber::from(1));
        let certificate = certificate
            .signed_by(&request.public_key().unwrap(), &issuer)
            .unwrap();
        let public = openssl(&["x509", "-noout", "-pubkey"], certificate.pem().as_bytes());
        String::from_utf8(public).unwrap()
    }

    #[test]
    fn a_request_says_who_and_what() {
        let key = key(KeyAlgorithm::EcdsaP256);
        let names =
            "-addext subjectAltName=DNS:Server1.prod.internal,IP:10.0.0.1,IP:fd00::1,email:a@b";
        let request = Request::read(&made(key.to_pem().as_bytes(), names)).unwrap();
        let description = request.description();
        assert_eq!(description.subject, "O=prod,CN=a");
        let names: Vec<String> = description
            .subject_alt_name
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            names,
            [
                "DNS:Server1.prod.internal",
                "IP:10.0.0.1",
                "IP:fd00::1",
                "email:a@b"
            ]
        );
        assert_eq!(description.public_key.algorithm, "ecdsa-p256");
        assert_eq!(
            description.public_key.fingerprint,
            sha256(key.public_key_der())
        );
        assert_eq!(description.signature_valid, Some(true));
        assert_eq!(request.public_key_der(), key.public_key_der());
    }

    #[test]
    fn its_names_are_host_names_or_an_error() {
        assert_eq!(
            hosts("DNS:Server1.prod.internal,DNS:*.a,IP:10.0.0.1").unwrap(),
            ["server1.prod.internal", "*.a", "10.0.0.1"]
        );
        let asks = |what: &str| {
            Err(format!(
                "the certification request asks for an impossible name: {what}"
            ))
        };
        assert_eq!(
            hosts("DNS:a..b"),
            asks("the host name `a..b` has an empty label")
        );
        assert_eq!(
            hosts("DNS:ok.internal,DNS:*.*.x"),
            asks("`*` is not the whole left-most label of `*.*.x`")
        );
        assert_eq!(
            hosts("DNS:a_b"),
            asks("`_` is not allowed in the host name `a_b`")
        );
        // The character that the name has, though not as it would be shown.
        let escape = p256("-addext subjectAltName=DNS:a\u{1b}[31m.b");
        assert_eq!(
            escape.hosts().unwrap_err().to_string(),
            "the certification request asks for an impossible name: `\\u{1b}` is not allowed in the host name `a\\u{1b}[31m.b`"
        );
        let shown = escape.description().subject_alt_name[0].to_string();
        assert_eq!(shown, "DNS:a\\u{1b}[31m.b");
        assert_eq!(
            hosts("DNS:10.0.0.1"),
            asks("`10.0.0.1` is neither an IPv4 address nor a host name")
        );
        assert_eq!(
            hosts("URI:http://a"),
            Err(
                "the certification request asks for `URI:http://a`, which is no host name"
                    .to_owned()
            )
        );
    }

    #[test]
    fn an_empty_name_is_refused() {
        let mut der = made(
            key(KeyAlgorithm::EcdsaP256).to_pem().as_bytes(),
            "-addext subjectAltName=DNS:x,DNS:y",
        );
        // `DNS:x,DNS:y` becomes `DNS:` and a name of four octets.
        let names = der
            .windows(6)
            .position(|octets| octets == b"\x82\x01x\x82\x01y")
            .unwrap();
        der[names + 1..names + 6].copy_from_slice(b"\0\x82\x02xy");
        let request = Request::read(&der).unwrap();
        assert_eq!(
            request.hosts().unwrap_err().to_string(),
            "the certification request asks for an impossible name: the host name is empty"
        );
        assert_eq!(
            request.public_key().unwrap_err(),
            Error::RequestSignature { checked: true }
        );
    }

    #[test]
    fn a_request_without_names_has_none() {
        assert_eq!(p256("").hosts(), Ok(vec![]));
    }

    #[test]
    fn openssls_default_digest_does_not_choose_the_curve() {
        let p384 = key(KeyAlgorithm::EcdsaP384);
        let with_sha256 = Request::read(&made(p384.to_pem().as_bytes(), "-sha256")).unwrap();
        let p256 = key(KeyAlgorithm::EcdsaP256);
        let with_sha384 = Request::read(&made(p256.to_pem().as_bytes(), "-sha384")).unwrap();
        for ca in [
            KeyAlgorithm::EcdsaP256,
            KeyAlgorithm::Rsa2048,
            KeyAlgorithm::Ed25519,
        ] {
            assert_eq!(
                public_key_after_issuing(&with_sha256, ca),
                p384.public_key_pem()
            );
            assert_eq!(
                public_key_after_issuing(&with_sha384, ca),
                p256.public_key_pem()
            );
        }
    }

    #[test]
    fn requests_for_each_algorithm_are_answered() {
        for algorithm in [
            KeyAlgorithm::Ed25519,
            KeyAlgorithm::Rsa2048,
            KeyAlgorithm::Rsa3072,
        ] {
            let key = key(algorithm);
            let request = Request::read(&made(key.to_pem().as_bytes(), "")).unwrap();
            assert_eq!(
                request.description().public_key.algorithm,
                algorithm.to_string()
            );
            let issued = public_key_after_issuing(&request, KeyAlgorithm::EcdsaP384);
            assert_eq!(issued, key.public_key_pem());
        }
    }

    #[test]
    fn a_request_to_be_a_ca_is_a_request_like_others() {
        let key = key(KeyAlgorithm::EcdsaP256);
        let read = |options: &str| {
            let request = made(key.to_pem().as_bytes(), options);
            Request::read(&request).unwrap()
        };
        let names = "-addext subjectAltName=DNS:a.internal";
        let ca = "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign -addext tlsfeature=status_request";
        assert_eq!(read(&format!("{names} {ca}")), read(names));
    }

    #[test]
    fn octets_after_the_request_are_refused() {
        let mut der = made(key(KeyAlgorithm::EcdsaP256).to_pem().as_bytes(), "");
        der.extend(b"\0\0");
        let error = Request::read(&der).unwrap_err();
        assert_eq!(
            error.to_string(),
            "other octets follow the certification request (2)"
        );
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let key = key(KeyAlgorithm::EcdsaP256);
        for der in [&b""[..], b"\x30\x82", key.public_key_der()] {
            let error = Request::read(der).unwrap_err();
            assert_eq!(
                error.to_string(),
                "the certification request cannot be read: it is no PKCS#10 (RFC 2986)"
            );
        }
    }

    /// What a CA of zpki's answers the request with.
    fn answered(request: &Request) -> (Authority, ParsedCertificate) {
        let serial = |octet| DomainSerialNumber::from_octets(&[octet]);
        let subject = |common_name: &str| Subject {
            organization: "test".to_owned(),
            common_name: common_name.to_owned(),
        };
        let validity = Validity {
            not_before: datetime!(2020-01-01 0:00 UTC),
            not_after: datetime!(2090-01-01 0:00 UTC),
        };
        let template = CaTemplate {
            subject: subject("test CA"),
            serial_number: serial(1),
            validity,
            name_constraints: NameConstraints::default(),
        };
        let ca = Authority::self_signed(&template, key(KeyAlgorithm::EcdsaP256)).unwrap();
        let template = EndEntityTemplate {
            subject: subject("b"),
            serial_number: serial(2),
            validity,
            hosts: request.hosts().unwrap(),
            extended_key_usage: ExtendedKeyUsage::SERVER,
        };
        let der = ca.issue(&template, &request.public_key().unwrap()).unwrap();
        (ca, ParsedCertificate::from_der(&der).unwrap())
    }

    #[test]
    fn whatever_a_request_asks_for_its_answer_is_an_end_entitys() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cnf");
        let configuration = "[req]\ndistinguished_name=dn\nattributes=attributes\nprompt=no\n\
             [dn]\nCN=a\n[attributes]\nchallengePassword=secret\nunstructuredName=x\n";
        fs::write(&path, configuration).unwrap();
        let options = format!(
            "-config {} -addext subjectAltName=DNS:a.internal,IP:10.0.0.1 \
             -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign,cRLSign \
             -addext subjectKeyIdentifier=hash -addext extendedKeyUsage=clientAuth,codeSigning \
             -addext 1.2.3.4=critical,ASN1:UTF8String:x -addext nameConstraints=permitted;DNS:b",
            path.to_str().unwrap()
        );
        for (key, usage) in [
            (
                key(KeyAlgorithm::EcdsaP384).to_pem().as_bytes().to_vec(),
                "Digital Signature",
            ),
            (
                key(KeyAlgorithm::Rsa2048).to_pem().as_bytes().to_vec(),
                "Digital Signature, Key Encipherment",
            ),
        ] {
            let request = Request::read(&made(&key, &options)).unwrap();
            let (ca, certificate) = answered(&request);
            assert_eq!(certificate.is_signed_by(ca.certificate()), Some(true));
            assert_eq!(certificate.public_key_der, request.public_key_der());
            let text = openssl(
                &["x509", "-noout", "-text", "-certopt", "ext_dump"],
                certificate.to_pem().as_bytes(),
            );
            let text = String::from_utf8(text).unwrap();
            let extensions = text.split_once("X509v3 extensions:\n").unwrap().1;
            let names: Vec<&str> = extensions
                .lines()
                .filter_map(|line| line.strip_prefix("            "))
                .filter(|line| !line.starts_with(' '))
                .map(|line| {
                    line.trim_end_matches(" critical")
                        .trim_end_matches([':', ' '])
                })
                .collect();
            assert_eq!(
                names,
                [
                    "X509v3 Authority Key Identifier",
                    "X509v3 Subject Alternative Name",
                    "X509v3 Key Usage",
                    "X509v3 Extended Key Usage",
                    "X509v3 Subject Key Identifier",
                    "X509v3 Basic Constraints"
                ],
                "{text}"
            );
            for expected in [
                "DNS:a.internal, IP Address:10.0.0.1\n",
                &format!("{usage}\n"),
                "TLS Web Server Authentication\n",
                "CA:FALSE\n",
                "Subject: O = test, CN = b\n",
            ] {
                assert!(text.contains(expected), "{expected}: {text}");
            }
        }
    }

    #[test]
    fn a_request_signed_by_another_key_is_not_answered() {
        let mut der = made(key(KeyAlgorithm::EcdsaP256).to_pem().as_bytes(), "");
        let name = der.windows(4).position(|octets| octets == b"prod").unwrap();
        der[name] = b'P';
        let request = Request::read(&der).unwrap();
        assert_eq!(request.description().signature_valid, Some(false));
        let error = request.public_key().unwrap_err();
        assert_eq!(
            error.to_string(),
            "the certification request is not signed with its own key"
        );
    }

    #[test]
    fn weak_and_unknown_keys_are_not_answered() {
        for (options, name) in [
            ("RSA -pkeyopt rsa_keygen_bits:1024", "rsa-1024"),
            ("EC -pkeyopt ec_paramgen_curve:P-521", "ecdsa-p521"),
            ("EC -pkeyopt ec_paramgen_curve:P-224", "1.3.132.0.33"),
            ("EC -pkeyopt ec_paramgen_curve:P-192", "1.2.840.10045.3.1.1"),
            ("EC -pkeyopt ec_paramgen_curve:secp256k1", "1.3.132.0.10"),
            (
                "EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit",
                "1.2.840.10045.2.1",
            ),
            ("ED448", "1.3.101.113"),
            ("RSA -pkeyopt rsa_keygen_bits:2047", "rsa-2047"),
            (
                "RSA-PSS -pkeyopt rsa_keygen_bits:2048",
                "1.2.840.113549.1.1.10",
            ),
        ] {
            let request = Request::read(&made(&genpkey(options), "")).unwrap();
            let error = request.public_key().unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("the certification request is for a key of the algorithm `{name}`")
            );
        }
    }

    #[test]
    fn a_signature_that_cannot_be_checked_proves_nothing() {
        let rsa = key(KeyAlgorithm::Rsa2048).to_pem();
        let pss = made(
            rsa.as_bytes(),
            "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:max",
        );
        let sha1 = made(rsa.as_bytes(), "-sha1");
        for request in [
            p256("-sha1"),
            Request::read(&sha1).unwrap(),
            Request::read(&pss).unwrap(),
        ] {
            assert_eq!(request.description().signature_valid, None);
            let error = request.public_key().unwrap_err();
            assert_eq!(
                error.to_string(),
                "the signature of the certification request cannot be checked"
            );
        }
    }

    #[test]
    fn a_damaged_request_never_panics() {
        let der = made(
            key(KeyAlgorithm::EcdsaP256).to_pem().as_bytes(),
            "-addext subjectAltName=DNS:a.internal,IP:10.0.0.1",
        );
        for position in 0..der.len() {
            for octet in [0, 1, 0x30, 0x7f, 0x80, 0xff] {
                let mut damaged = der.clone();
                damaged[position] = octet;
                if let Ok(request) = Request::read(&damaged) {
                    let _ = (request.hosts(), request.public_key());
                }
            }
        }
    }

    #[test]
    fn a_request_in_pem_is_read_through_the_scanner() {
        let der = made(key(KeyAlgorithm::EcdsaP256).to_pem().as_bytes(), "");
        let text = pem::encode("CERTIFICATE REQUEST", &der);
        let blocks = pem::scan(text.as_bytes());
        assert!(Request::read(&blocks[0].as_ref().unwrap().contents).is_ok());
    }
}
