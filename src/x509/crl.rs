//! Signing and reading certificate revocation lists (RFC 5280 5).

use rcgen::CertificateRevocationListParams;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::certificate::date;
use super::error::Error;
use super::issue::Authority;
use super::name;
use crate::domain::certificate::{KeyIdentifier, RevocationList};
use crate::domain::serial_number::SerialNumber;
use crate::domain::validity::Validity;

/// What a CRL is to say.
#[derive(Clone, Debug)]
pub struct CrlTemplate {
    /// thisUpdate and nextUpdate, as notBefore and notAfter.
    pub updates: Validity,
    /// CRL number: greater than that of every CRL before it.
    pub number: u64,
}

/// Where the issuer stands in a TBSCertList (RFC 5280 5.1: version, signature, issuer).
const ISSUER_OF_CRL: usize = 2;

impl Authority {
    /// Signs a CRL without entries; DER.
    ///
    /// # Errors
    /// When rcgen or ring refuse.
    pub fn revocation_list(&self, template: &CrlTemplate) -> Result<Vec<u8>, Error> {
        let params = CertificateRevocationListParams {
            this_update: template.updates.not_before,
            next_update: template.updates.not_after,
            crl_number: template.number.into(),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: self.key_identifier_method(),
        };
        self.sign(ISSUER_OF_CRL, |issuer| params.signed_by(issuer).map(drop))
    }
}

/// A CRL as a PEM block.
#[must_use]
pub fn to_pem(der: &[u8]) -> String {
    super::pem::encode("X509 CRL", der)
}

/// Reads a CRL.
///
/// # Errors
/// For bytes that are no CRL, or have something behind it.
pub fn read(der: &[u8]) -> Result<RevocationList, Error> {
    let because = "it is no CertificateList (RFC 5280 5.1)";
    let (rest, list) =
        CertificateRevocationList::from_der(der).map_err(|_| Error::CrlDamaged { because })?;
    if !rest.is_empty() {
        return Err(Error::TrailingData {
            what: "CRL",
            octets: rest.len(),
        });
    }
    let identifier =
        list.extensions()
            .iter()
            .find_map(|extension| match extension.parsed_extension() {
                ParsedExtension::AuthorityKeyIdentifier(identifier) => {
                    identifier.key_identifier.as_ref()
                }
                _ => None,
            });
    Ok(RevocationList {
        issuer: name::show(list.issuer()),
        this_update: date(list.last_update()),
        next_update: list.next_update().map(date),
        crl_number: list.crl_number().map(ToString::to_string),
        authority_key_identifier: identifier.map(|id| KeyIdentifier(id.0.to_vec())),
        revoked: list
            .iter_revoked_certificates()
            .map(|revoked| SerialNumber::from_octets(revoked.raw_serial()))
            .collect(),
    })
}
