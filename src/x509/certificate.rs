//! Reading certificates (RFC 5280 4).

use std::net::IpAddr;

use x509_parser::asn1_rs::{Oid, oid};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, NameConstraints, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

use super::der::Element;
use super::digest::sha256;
use super::error::Error;
use super::signature::Signed;
use super::{name, public_key};
use crate::domain::certificate::{AltName, BasicConstraints, Certificate, KeyIdentifier};
use crate::domain::serial_number::SerialNumber;
use crate::domain::validity::Validity;

/// A certificate as it is stored and as it is understood.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ParsedCertificate {
    /// The DER.
    pub der: Vec<u8>,
    /// The subject's DER: it must equal the issuer's of whatever this certificate signed.
    pub subject_der: Vec<u8>,
    /// The issuer's DER.
    pub issuer_der: Vec<u8>,
    /// The SubjectPublicKeyInfo's DER.
    pub public_key_der: Vec<u8>,
    /// What it says.
    pub details: Certificate,
}

impl ParsedCertificate {
    /// Whether `der` is one value from its first octet to its last: what is cut off or grown is not, and to
    /// find that out takes next to no time.
    #[must_use]
    pub fn is_whole(der: &[u8]) -> bool {
        Element::first(der).is_some_and(|(_, rest)| rest.is_empty())
    }

    /// Reads one certificate.
    ///
    /// # Errors
    /// For bytes that are no certificate, or have something behind it.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        Self::read(der).map(|(read, _)| read)
    }

    /// [`Self::from_der`], and the certificate as x509-parser has it.
    pub(super) fn read(der: &[u8]) -> Result<(Self, X509Certificate<'_>), Error> {
        let (rest, certificate) = X509Certificate::from_der(der)
            .map_err(|_| damaged("it is no X.509 certificate (RFC 5280 4.1)"))?;
        if !rest.is_empty() {
            return Err(Error::TrailingData {
                what: "certificate",
                octets: rest.len(),
            });
        }
        let read = Self {
            subject_der: certificate.subject().as_raw().to_vec(),
            issuer_der: certificate.issuer().as_raw().to_vec(),
            public_key_der: certificate.public_key().raw.to_vec(),
            details: details(&certificate, der)?,
            der: der.to_vec(),
        };
        Ok((read, certificate))
    }

    /// The certificate as a PEM block.
    #[must_use]
    pub fn to_pem(&self) -> String {
        super::pem::encode("CERTIFICATE", &self.der)
    }

    /// Whether the signature on this certificate is by the key of `issuer`; None when the
    /// algorithm is one that cannot be checked here.
    #[must_use]
    pub fn is_signed_by(&self, issuer: &Self) -> Option<bool> {
        Signed::of(&self.der)?.is_by(&issuer.public_key_der)
    }
}

fn damaged(because: &'static str) -> Error {
    Error::CertificateDamaged { because }
}

fn details(certificate: &X509Certificate<'_>, der: &[u8]) -> Result<Certificate, Error> {
    let subject = certificate.subject();
    let mut details = Certificate {
        subject: name::show(subject),
        issuer: name::show(certificate.issuer()),
        common_name: name::common_name(subject),
        serial_number: SerialNumber::from_octets(certificate.raw_serial()),
        validity: Validity {
            not_before: date(certificate.validity().not_before),
            not_after: date(certificate.validity().not_after),
        },
        subject_alt_name: Vec::new(),
        public_key: public_key::describe(certificate.public_key().raw),
        signature_algorithm: signature_algorithm(&certificate.signature_algorithm.algorithm),
        basic_constraints: None,
        key_usage: None,
        extended_key_usage: None,
        name_constraints: None,
        subject_key_identifier: None,
        authority_key_identifier: None,
        fingerprint: sha256(der),
    };
    for extension in certificate.iter_extensions() {
        read_extension(extension.parsed_extension(), &mut details)?;
    }
    Ok(details)
}

fn read_extension(extension: &ParsedExtension<'_>, details: &mut Certificate) -> Result<(), Error> {
    match extension {
        ParsedExtension::AuthorityKeyIdentifier(identifier) => {
            let keyid = identifier.key_identifier.as_ref();
            details.authority_key_identifier = keyid.map(|id| KeyIdentifier(id.0.to_vec()));
        }
        ParsedExtension::BasicConstraints(constraints) => {
            details.basic_constraints = Some(BasicConstraints {
                ca: constraints.ca,
                path_len: constraints.path_len_constraint,
            });
        }
        ParsedExtension::ExtendedKeyUsage(usage) => {
            details.extended_key_usage = Some(extended_key_usage(usage));
        }
        ParsedExtension::KeyUsage(usage) => details.key_usage = Some(key_usage(usage)),
        ParsedExtension::NameConstraints(constraints) => {
            details.name_constraints = Some(name_constraints(constraints));
        }
        ParsedExtension::SubjectAlternativeName(names) => {
            details.subject_alt_name = names.general_names.iter().map(name::alt_name).collect();
        }
        ParsedExtension::SubjectKeyIdentifier(identifier) => {
            details.subject_key_identifier = Some(KeyIdentifier(identifier.0.to_vec()));
        }
        ParsedExtension::ParseError { .. } => {
            return Err(damaged("one of its extensions cannot be read"));
        }
        _ => {}
    }
    Ok(())
}

pub(super) fn date(time: ASN1Time) -> time::OffsetDateTime {
    time.to_datetime()
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(octets)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from))
        .ok()
}

fn key_usage(usage: &x509_parser::extensions::KeyUsage) -> Vec<&'static str> {
    let bits = [
        (usage.digital_signature(), "digitalSignature"),
        (usage.non_repudiation(), "nonRepudiation"),
        (usage.key_encipherment(), "keyEncipherment"),
        (usage.data_encipherment(), "dataEncipherment"),
        (usage.key_agreement(), "keyAgreement"),
        (usage.key_cert_sign(), "keyCertSign"),
        (usage.crl_sign(), "cRLSign"),
        (usage.encipher_only(), "encipherOnly"),
        (usage.decipher_only(), "decipherOnly"),
    ];
    bits.into_iter()
        .filter_map(|(set, name)| set.then_some(name))
        .collect()
}

fn extended_key_usage(usage: &x509_parser::extensions::ExtendedKeyUsage<'_>) -> Vec<String> {
    let known = [
        (usage.any, "anyExtendedKeyUsage"),
        (usage.server_auth, "serverAuth"),
        (usage.client_auth, "clientAuth"),
        (usage.code_signing, "codeSigning"),
        (usage.email_protection, "emailProtection"),
        (usage.time_stamping, "timeStamping"),
        (usage.ocsp_signing, "OCSPSigning"),
    ];
    let known = known
        .into_iter()
        .filter(|(set, _)| *set)
        .map(|(_, name)| name.to_owned());
    known
        .chain(usage.other.iter().map(|oid| oid.to_id_string()))
        .collect()
}

fn name_constraints(constraints: &NameConstraints<'_>) -> Vec<String> {
    let subtree = |kind: &str, base: &GeneralName<'_>| format!("{kind} {}", subtree_base(base));
    let permitted = constraints.permitted_subtrees.iter().flatten();
    let excluded = constraints.excluded_subtrees.iter().flatten();
    permitted
        .map(|tree| subtree("permitted", &tree.base))
        .chain(excluded.map(|tree| subtree("excluded", &tree.base)))
        .collect()
}

/// In nameConstraints an iPAddress is an address and a mask (RFC 5280 4.2.1.10).
fn subtree_base(base: &GeneralName<'_>) -> AltName {
    if let GeneralName::IPAddress(octets) = base
        && octets.len() % 2 == 0
        && let (start, mask) = octets.split_at(octets.len() / 2)
        && let (Some(start), Some(mask)) = (address(start), address(mask))
    {
        return AltName::Other(format!("IP:{start}/{mask}"));
    }
    name::alt_name(base)
}

/// The names that OpenSSL shows; another algorithm's OID.
fn signature_algorithm(oid: &Oid<'_>) -> String {
    let known = match oid.as_bytes() {
        oid!(raw 1.2.840.10045.4.3.2) => "ecdsa-with-SHA256",
        oid!(raw 1.2.840.10045.4.3.3) => "ecdsa-with-SHA384",
        oid!(raw 1.2.840.10045.4.3.4) => "ecdsa-with-SHA512",
        oid!(raw 1.2.840.113549.1.1.5) => "sha1WithRSAEncryption",
        oid!(raw 1.2.840.113549.1.1.10) => "rsassaPss",
        oid!(raw 1.2.840.113549.1.1.11) => "sha256WithRSAEncryption",
        oid!(raw 1.2.840.113549.1.1.12) => "sha384WithRSAEncryption",
        oid!(raw 1.2.840.113549.1.1.13) => "sha512WithRSAEncryption",
        oid!(raw 1.3.101.112) => "ED25519",
        _ => return oid.to_id_string(),
    };
    known.to_owned()
}
