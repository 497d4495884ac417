//! Certificates as path validation (RFC 5280 6) sees them. Unlike [`ParsedCertificate`], which refuses what
//! cannot be shown whole, this reads whatever OpenSSL reads: what is wrong with an extension is for a rule
//! to say.

use x509_parser::certificate::{X509Certificate, X509CertificateParser};
use x509_parser::nom::Parser;

use super::certificate::{ParsedCertificate, date};
use super::der::{self, Element};
use super::digest::sha256;
use super::distinguished_name::DistinguishedName;
use super::error::Error;
use super::extensions::Extensions;
use super::name;
use super::signature::Signed;
use super::strength::{KeyStrength, SignatureStrength};
use crate::domain::digest::Digest;
use crate::domain::serial_number::SerialNumber;
use crate::domain::validity::Validity;

/// A certificate of a certification path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PathCertificate {
    /// The DER.
    pub der: Vec<u8>,
    /// SHA-256 of the DER.
    pub fingerprint: Digest,
    /// Version: 1 to 3.
    pub version: u32,
    /// Serial number.
    pub serial_number: SerialNumber,
    /// Its octets as they stand, by which OpenSSL tells 255 from -1.
    pub serial_octets: Vec<u8>,
    /// Issuer.
    pub issuer: DistinguishedName,
    /// Subject.
    pub subject: DistinguishedName,
    /// notBefore and notAfter.
    pub validity: Validity,
    /// SubjectPublicKeyInfo's DER.
    pub public_key_der: Vec<u8>,
    /// The public key, weighed; None for one that OpenSSL cannot read.
    pub key: Option<KeyStrength>,
    /// The signature algorithm that is signed with the rest, weighed.
    pub signature: Option<SignatureStrength>,
    /// That which stands beside the signature, weighed.
    pub outer_signature: Option<SignatureStrength>,
    /// Whether these two are the same, octet for octet.
    pub signatures_agree: bool,
    /// The extensions.
    pub extensions: Extensions,
    /// Whether subject and issuer are the same name, and the authorityKeyIdentifier and the signature
    /// algorithm are what the key's own would be. Nobody has looked at the signature.
    pub self_signed: bool,
}

impl PathCertificate {
    /// Reads one certificate; what stands behind it is not looked at.
    ///
    /// # Errors
    /// [`Error::CertificateDamaged`] for bytes that are no certificate.
    pub fn from_der(bytes: &[u8]) -> Result<Self, Error> {
        // The extensions are read here, not there.
        let mut parser = X509CertificateParser::new().with_deep_parse_extensions(false);
        let (rest, certificate) = parser.parse(bytes).map_err(|_| damaged())?;
        let der = &bytes[..bytes.len() - rest.len()];
        let [issuer, subject] = [certificate.issuer(), certificate.subject()].map(name::show);
        Self::read(&certificate, der, sha256(der), issuer, subject)
    }

    /// Reads one certificate once for both views of it: path validation's, and the one that is shown.
    ///
    /// # Errors
    /// Those of [`ParsedCertificate::from_der`], and of [`Self::from_der`].
    pub fn both_from_der(der: &[u8]) -> Result<(Self, ParsedCertificate), Error> {
        let (parsed, certificate) = ParsedCertificate::read(der)?;
        let details = &parsed.details;
        let (issuer, subject) = (details.issuer.clone(), details.subject.clone());
        let read = Self::read(&certificate, der, details.fingerprint, issuer, subject)?;
        Ok((read, parsed))
    }

    /// Reads what x509-parser has taken apart; issuer and subject are these, shown.
    fn read(
        certificate: &X509Certificate<'_>,
        der: &[u8],
        fingerprint: Digest,
        issuer: String,
        subject: String,
    ) -> Result<Self, Error> {
        let outer = Element::first(der).and_then(|(outer, _)| outer.exactly());
        let [signed, outer_algorithm, _] = outer.ok_or_else(damaged)?;
        let outer_algorithm = outer_algorithm.whole;
        let inner_algorithm = inner_algorithm(&signed).ok_or_else(damaged)?;
        let extensions = Extensions::read(certificate.extensions());
        let public_key_der = certificate.public_key().raw.to_vec();
        let mut read = Self {
            fingerprint,
            version: certificate.version().0 + 1,
            serial_number: SerialNumber::from_octets(certificate.raw_serial()),
            serial_octets: certificate.raw_serial().to_vec(),
            issuer: DistinguishedName::shown_as(issuer, certificate.issuer().as_raw())?,
            subject: DistinguishedName::shown_as(subject, certificate.subject().as_raw())?,
            validity: Validity {
                not_before: date(certificate.validity().not_before),
                not_after: date(certificate.validity().not_after),
            },
            key: KeyStrength::of(&public_key_der),
            public_key_der,
            signature: SignatureStrength::of(inner_algorithm),
            outer_signature: SignatureStrength::of(outer_algorithm),
            signatures_agree: inner_algorithm == outer_algorithm,
            extensions,
            self_signed: false,
            der: der.to_vec(),
        };
        read.self_signed =
            read.is_self_issued() && read.identifies(&read) && read.could_have_signed(&read);
        Ok(read)
    }

    /// Whether subject and issuer are the same name (RFC 5280 6.1: self-issued).
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.subject.is_same_as(&self.issuer)
    }

    /// Whether this could be the issuer of `subject` (`ossl_x509_likely_issued`): by name, key
    /// identifier and kind of key, without looking at the signature.
    #[must_use]
    pub fn is_likely_issuer_of(&self, subject: &Self) -> bool {
        self.subject.is_same_as(&subject.issuer)
            && self.extensions.invalid.is_none()
            && subject.extensions.invalid.is_none()
            && subject.identifies(self)
            && self.could_have_signed(subject)
    }

    /// Whether the authorityKeyIdentifier, if there is one, fits `issuer` (`X509_check_akid`).
    fn identifies(&self, issuer: &Self) -> bool {
        let identifier = self.extensions.authority_key_identifier.as_ref();
        identifier.is_none_or(|identifier| issuer.is_identified_by(identifier))
    }

    /// Whether an authorityKeyIdentifier can mean this certificate: each of its parts does not
    /// contradict.
    #[must_use]
    pub fn is_identified_by(&self, identifier: &super::extensions::AuthorityKeyIdentifier) -> bool {
        let own = self.extensions.subject_key_identifier.as_ref();
        let key = identifier.key_identifier.as_ref();
        let key_fits = key.zip(own).is_none_or(|(named, own)| named == own);
        let serial = identifier.serial_number.as_ref();
        let serial_fits = serial.is_none_or(|serial| *serial == self.serial_octets);
        let issuer = identifier.issuer.as_ref();
        let issuer_fits = issuer.is_none_or(|issuer| issuer.is_same_as(&self.issuer));
        key_fits && serial_fits && issuer_fits
    }

    fn could_have_signed(&self, subject: &Self) -> bool {
        match (self.key, subject.signature) {
            (Some(key), Some(signature)) => signature.fits(key.key_type),
            _ => false,
        }
    }

    /// Whether keyUsage, if there is one, has one of `usages`.
    #[must_use]
    pub fn may(&self, usages: u8) -> bool {
        let usage = self.extensions.key_usage;
        usage.is_none_or(|usage| usage.allows(usages))
    }

    /// Whether keyUsage is there and has one of `usages`.
    #[must_use]
    pub fn says(&self, usages: u8) -> bool {
        let usage = self.extensions.key_usage;
        usage.is_some_and(|usage| usage.allows(usages))
    }

    /// Whether basicConstraints says that it is a CA.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        let constraints = self.extensions.basic_constraints;
        constraints.is_some_and(|constraints| constraints.ca)
    }

    /// What is signed, and how, ready to be checked against a key.
    #[must_use]
    pub fn signed(&self) -> Option<Signed<'_>> {
        Signed::of(&self.der)
    }

    /// The certificate as a PEM block.
    #[must_use]
    pub fn to_pem(&self) -> String {
        super::pem::encode("CERTIFICATE", &self.der)
    }
}

fn damaged() -> Error {
    Error::CertificateDamaged {
        because: "it is no X.509 certificate (RFC 5280 4.1)",
    }
}

/// The AlgorithmIdentifier within a TBSCertificate: behind the version, if that is there, and the serial
/// number.
fn inner_algorithm<'a>(signed: &Element<'a>) -> Option<&'a [u8]> {
    let mut algorithm = None;
    for field in signed.each() {
        let field = field?;
        if field.tag == der::SEQUENCE {
            algorithm.get_or_insert(field.whole);
        }
    }
    algorithm.filter(|_| signed.tag == der::SEQUENCE)
}

#[cfg(test)]
mod tests {
    use super::super::extensions::AuthorityKeyIdentifier;
    use super::super::testing::root;
    use super::*;

    #[test]
    fn what_is_read_once_for_both_is_what_each_reads() {
        let root = root();
        let parsed = ParsedCertificate::from_der(&root.der).unwrap();
        let both = PathCertificate::both_from_der(&root.der).unwrap();
        assert_eq!(both, (root, parsed));
    }

    #[test]
    fn a_negative_serial_number_is_not_the_positive_one() {
        let mut certificate = root();
        let mut is_identified_by = |own: &[u8], named: &[u8]| {
            certificate.serial_octets = own.to_vec();
            certificate.is_identified_by(&AuthorityKeyIdentifier {
                serial_number: Some(named.to_vec()),
                ..AuthorityKeyIdentifier::default()
            })
        };
        assert!(is_identified_by(&[0, 0xff], &[0, 0xff]));
        assert!(!is_identified_by(&[0xff], &[0, 0xff]));
    }
}
