//! Signing and reading certificate revocation lists (RFC 5280 5).

use rcgen::{CertificateRevocationListParams, RevokedCertParams};
use time::OffsetDateTime;
use x509_parser::asn1_rs::Oid;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::certificate::date;
use super::date::{GENERALIZED_TIME, UTC_TIME, seconds};
use super::dated;
use super::der::{self, Element};
use super::error::Error;
use super::form;
use super::issue::Authority;
use super::name;
use crate::domain::certificate::{KeyIdentifier, RevocationList};
use crate::domain::revocation::{Revocation, RevocationReason};
use crate::domain::serial_number::SerialNumber;
use crate::domain::validity::Validity;

/// What a CRL is to say.
#[derive(Clone, Debug)]
pub struct CrlTemplate {
    /// thisUpdate and nextUpdate, as notBefore and notAfter.
    pub updates: Validity,
    /// CRL number: greater than that of every CRL before it.
    pub number: u128,
    /// Its entries, in any order.
    pub revoked: Vec<Revocation>,
}

/// Where the issuer stands in a TBSCertList (RFC 5280 5.1: version, signature, issuer).
const ISSUER_OF_CRL: usize = 2;

impl Authority {
    /// Signs a CRL, its entries in the order of their dates, then of their serial numbers; DER.
    ///
    /// # Errors
    /// [`Error::NotACrlIssuer`]; when rcgen or ring refuse.
    pub fn revocation_list(&self, template: &CrlTemplate) -> Result<Vec<u8>, Error> {
        let details = &self.certificate().details;
        let usage = details.key_usage.as_ref();
        if usage.is_some_and(|usage| !usage.contains(&"cRLSign")) {
            return Err(Error::NotACrlIssuer {
                subject: details.subject.clone(),
            });
        }
        let mut revoked: Vec<&Revocation> = template.revoked.iter().collect();
        revoked.sort_by_key(|entry| (entry.revoked_at, &entry.serial_number));
        let params = CertificateRevocationListParams {
            this_update: template.updates.not_before,
            next_update: template.updates.not_after,
            crl_number: serial_number(template.number),
            issuing_distribution_point: None,
            revoked_certs: revoked.into_iter().map(entry_params).collect(),
            key_identifier_method: self.key_identifier_method(),
        };
        self.sign(ISSUER_OF_CRL, |issuer| params.signed_by(issuer).map(drop))
    }
}

fn entry_params(revocation: &Revocation) -> RevokedCertParams {
    let serial_number = revocation.serial_number.octets();
    RevokedCertParams {
        serial_number: rcgen::SerialNumber::from_slice(serial_number),
        revocation_time: revocation.revoked_at,
        reason_code: Some(encoded(revocation.reason)),
        invalidity_date: None,
    }
}

/// rcgen leaves `Unspecified` out, as RFC 5280 5.3.1 asks.
fn encoded(reason: RevocationReason) -> rcgen::RevocationReason {
    match reason {
        RevocationReason::Unspecified => rcgen::RevocationReason::Unspecified,
        RevocationReason::KeyCompromise => rcgen::RevocationReason::KeyCompromise,
        RevocationReason::CaCompromise => rcgen::RevocationReason::CaCompromise,
        RevocationReason::AffiliationChanged => rcgen::RevocationReason::AffiliationChanged,
        RevocationReason::Superseded => rcgen::RevocationReason::Superseded,
        RevocationReason::CessationOfOperation => rcgen::RevocationReason::CessationOfOperation,
        RevocationReason::CertificateHold => rcgen::RevocationReason::CertificateHold,
        RevocationReason::RemoveFromCrl => rcgen::RevocationReason::RemoveFromCrl,
        RevocationReason::PrivilegeWithdrawn => rcgen::RevocationReason::PrivilegeWithdrawn,
        RevocationReason::AaCompromise => rcgen::RevocationReason::AaCompromise,
    }
}

/// The reason for a code (RFC 5280 5.3.1); 7 and those above 10 are none.
#[must_use]
pub fn reason_of_code(code: u8) -> Option<RevocationReason> {
    Some(match code {
        0 => RevocationReason::Unspecified,
        1 => RevocationReason::KeyCompromise,
        2 => RevocationReason::CaCompromise,
        3 => RevocationReason::AffiliationChanged,
        4 => RevocationReason::Superseded,
        5 => RevocationReason::CessationOfOperation,
        6 => RevocationReason::CertificateHold,
        8 => RevocationReason::RemoveFromCrl,
        9 => RevocationReason::PrivilegeWithdrawn,
        10 => RevocationReason::AaCompromise,
        _ => return None,
    })
}

/// A CRL as a PEM block.
#[must_use]
pub fn to_pem(der: &[u8]) -> String {
    super::pem::encode("X509 CRL", der)
}

/// Reads a CRL.
///
/// # Errors
/// For bytes that are no CRL, or have something behind it; and for an entry whose reason is none.
pub fn read(der: &[u8]) -> Result<RevocationList, Error> {
    let list = parse(der)?;
    let identifier =
        list.extensions()
            .iter()
            .find_map(|extension| match extension.parsed_extension() {
                ParsedExtension::AuthorityKeyIdentifier(identifier) => {
                    identifier.key_identifier.as_ref()
                }
                _ => None,
            });
    let entries = entries(der).ok_or_else(damaged)?;
    Ok(RevocationList {
        issuer: name::show(list.issuer()),
        this_update: date(list.last_update()),
        next_update: list.next_update().map(date),
        crl_number: list.crl_number().map(ToString::to_string),
        authority_key_identifier: identifier.map(|id| KeyIdentifier(id.0.to_vec())),
        revoked: entries.iter().map(Entry::read).collect::<Result<_, _>>()?,
    })
}

/// Reads a CRL that is to be signed again with its entries.
///
/// # Errors
/// Those of [`read`], and [`Error::CrlUnkept`] where anything of it would be lost or changed: a
/// scope, a serial number that is negative, an entry that says more than date and reason.
pub fn read_to_sign_again(der: &[u8]) -> Result<RevocationList, Error> {
    let list = read(der)?;
    for extension in parse(der)?.extensions() {
        let id = extension.oid.to_id_string();
        if !KEPT_OR_IMMATERIAL.contains(&id.as_str()) {
            return Err(Error::CrlUnkept {
                serial_number: None,
                what: format!("the extension {}", extension_name(&id)),
            });
        }
    }
    if list.number() == Some(u128::MAX) {
        return Err(Error::CrlUnkept {
            serial_number: None,
            what: "a cRLNumber that another can follow".to_owned(),
        });
    }
    let entries = entries(der).ok_or_else(damaged)?;
    match entries.iter().find_map(Entry::unkept) {
        Some(error) => Err(error),
        None => Ok(list),
    }
}

/// Big-endian, and no octet more than it takes; rcgen keeps it from being negative.
fn serial_number(number: u128) -> rcgen::SerialNumber {
    let octets = number.to_be_bytes();
    let significant = octets.iter().position(|octet| *octet != 0);
    rcgen::SerialNumber::from_slice(&octets[significant.unwrap_or(octets.len() - 1)..])
}

/// authorityKeyIdentifier and cRLNumber, which each CRL of zpki's has; and issuerAltName and
/// authorityInfoAccess, which say nothing of what is revoked.
const KEPT_OR_IMMATERIAL: [&str; 4] = ["2.5.29.35", "2.5.29.20", "2.5.29.18", "1.3.6.1.5.5.7.1.1"];
const REASON_CODE: &str = "2.5.29.21";

/// The name of an extension of CRLs or their entries that would be lost, or its OID.
fn extension_name(id: &str) -> &str {
    match id {
        "2.5.29.23" => "holdInstructionCode",
        "2.5.29.24" => "invalidityDate",
        "2.5.29.27" => "deltaCRLIndicator",
        "2.5.29.28" => "issuingDistributionPoint",
        "2.5.29.29" => "certificateIssuer",
        "2.5.29.46" => "freshestCRL",
        other => other,
    }
}

fn parse(der: &[u8]) -> Result<CertificateRevocationList<'_>, Error> {
    let (rest, list) = CertificateRevocationList::from_der(der).map_err(|_| damaged())?;
    if !dated::is_readable_crl(der) {
        return Err(damaged());
    }
    if rest.is_empty() {
        Ok(list)
    } else {
        Err(Error::TrailingData {
            what: "CRL",
            octets: rest.len(),
        })
    }
}

fn damaged() -> Error {
    Error::CrlDamaged {
        because: "it is no CertificateList (RFC 5280 5.1)",
    }
}

/// An entry as it stands in the CRL. x509-parser passes over the extensions of one that it cannot
/// read, and then says that no reason was given.
struct Entry<'a> {
    serial: &'a [u8],
    date: Element<'a>,
    /// The dotted OID and the value of each.
    extensions: Vec<(String, &'a [u8])>,
}

/// The entries; None for what is no TBSCertList to the end.
fn entries(der: &[u8]) -> Option<Vec<Entry<'_>>> {
    let list = Element::tagged(der, der::SEQUENCE)?.elements()?;
    let mut fields = list.first()?.fields();
    // Only a CRL of version 1 has none.
    let _ = fields.take(der::INTEGER);
    let (_algorithm, _issuer) = (fields.take(der::SEQUENCE)?, fields.take(der::SEQUENCE)?);
    let _this_update = fields.take_one_of(&TIME)?;
    let _next_update = fields.take_one_of(&TIME);
    let entries = match fields.take(der::SEQUENCE) {
        Some(entries) => entries.elements()?.iter().map(Entry::of).collect(),
        None => Some(Vec::new()),
    };
    let _extensions = fields.take(der::constructed(0));
    entries.filter(|_| fields.is_empty())
}

const TIME: [u8; 2] = [UTC_TIME, GENERALIZED_TIME];

impl<'a> Entry<'a> {
    fn of(entry: &Element<'a>) -> Option<Self> {
        let mut fields = Some(entry).filter(|it| it.tag == der::SEQUENCE)?.fields();
        let serial = fields.take(der::INTEGER)?.content;
        let date = fields.take_one_of(&TIME)?;
        let extensions = match fields.take(der::SEQUENCE) {
            Some(extensions) => extensions.elements()?.iter().map(extension).collect(),
            None => Some(Vec::new()),
        };
        let entry = Self {
            serial,
            date,
            extensions: extensions?,
        };
        Some(entry).filter(|entry| fields.is_empty() && !entry.serial.is_empty())
    }

    fn serial_number(&self) -> SerialNumber {
        SerialNumber::from_octets(self.serial)
    }

    fn read(&self) -> Result<Revocation, Error> {
        let Element { tag, content, .. } = self.date;
        let seconds = seconds(tag, content).map_err(|_| damaged())?;
        let revoked_at = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| damaged())?;
        Ok(Revocation {
            serial_number: self.serial_number(),
            revoked_at,
            reason: self.reason().ok_or(Error::CrlDamaged {
                because: "an entry has a reason code that is none (RFC 5280 5.3.1)",
            })?,
        })
    }

    /// None for a reason that cannot be read, or is there twice.
    fn reason(&self) -> Option<RevocationReason> {
        const ENUMERATED: u8 = 10;
        let mut reasons = self.extensions.iter().filter(|(id, _)| id == REASON_CODE);
        let Some((_, value)) = reasons.next() else {
            return Some(RevocationReason::Unspecified);
        };
        match Element::tagged(value, ENUMERATED)?.content {
            [code] if reasons.next().is_none() => reason_of_code(*code),
            _ => None,
        }
    }

    /// What of it would be lost or changed, if anything.
    fn unkept(&self) -> Option<Error> {
        let foreign = self.extensions.iter().find(|(id, _)| id != REASON_CODE);
        let what = if let Some((id, _)) = foreign {
            format!("the extension {}", extension_name(id))
        } else if self.serial[0] >= 0x80 || !form::is_number(self.serial) {
            "a serial number that is negative or has too many octets".to_owned()
        } else if self.reason() == Some(RevocationReason::RemoveFromCrl) {
            "the reason removeFromCRL, which belongs on a delta CRL".to_owned()
        } else if !self.date.content.ends_with(b"Z") || ![13, 15].contains(&self.date.content.len())
        {
            "a date that is not in whole seconds of UTC".to_owned()
        } else {
            return None;
        };
        Some(Error::CrlUnkept {
            serial_number: Some(self.serial_number()),
            what,
        })
    }
}

/// The dotted OID and the value of an Extension.
fn extension<'a>(extension: &Element<'a>) -> Option<(String, &'a [u8])> {
    let mut fields = Some(extension)
        .filter(|it| it.tag == der::SEQUENCE)?
        .fields();
    let id = fields.take(der::OBJECT_IDENTIFIER)?.content;
    let _critical = fields.take(der::BOOLEAN);
    let value = fields.take(der::OCTET_STRING)?.content;
    let id = Oid::new(id.into()).to_id_string();
    fields.is_empty().then_some((id, value))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;
    use time::macros::datetime;

    use super::super::certificate::ParsedCertificate;
    use super::super::der::wrapped;
    use super::super::issue::EndEntityTemplate;
    use super::super::pem;
    use super::super::private_key::PrivateKey;
    use super::super::testing::{VALIDITY, authority, openssl, openssl_fails, subject};
    use super::*;
    use crate::domain::key_algorithm::KeyAlgorithm;

    use crate::domain::role::ExtendedKeyUsage;

    fn signed(authority: &Authority, revoked: &[Revocation]) -> Vec<u8> {
        let template = CrlTemplate {
            updates: VALIDITY,
            number: 7,
            revoked: revoked.to_vec(),
        };
        authority.revocation_list(&template).unwrap()
    }

    fn entry(serial: &[u8], reason: RevocationReason) -> Revocation {
        Revocation {
            serial_number: SerialNumber::from_octets(serial),
            revoked_at: datetime!(2026-11-23 12:00:01 UTC),
            reason,
        }
    }

    /// Every reason that a complete CRL may give.
    fn reasons() -> Vec<RevocationReason> {
        let codes = (0..=10).filter_map(reason_of_code);
        codes
            .filter(|reason| *reason != RevocationReason::RemoveFromCrl)
            .collect()
    }

    fn text(der: &[u8]) -> String {
        String::from_utf8(openssl(&["crl", "-inform", "DER", "-noout", "-text"], der)).unwrap()
    }

    /// A CA and its CRL, both made by openssl: the CA's certificate, and the CRL with these lines in
    /// the place of revoked certificates.
    fn made_by_openssl(index: &str, extensions: &str) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        fs::write(path("index"), index).unwrap();
        fs::write(path("number"), "0A\n").unwrap();
        let configuration = format!(
            "[ca]\ndefault_ca=ca\ndatabase={}\ncrlnumber={}\ndefault_md=sha256\n\
             default_crl_days=30\ncrl_extensions=crl\n[crl]\nauthorityKeyIdentifier=keyid\n{extensions}\n",
            path("index"),
            path("number")
        );
        fs::write(path("cnf"), configuration).unwrap();
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        fs::write(path("key"), key.to_pem().as_bytes()).unwrap();
        let words = format!(
            "req -x509 -key {} -subj /CN=CA -out {}",
            path("key"),
            path("cert")
        );
        openssl(&words.split(' ').collect::<Vec<_>>(), b"");
        let words = format!(
            "ca -config {} -gencrl -keyfile {} -cert {}",
            path("cnf"),
            path("key"),
            path("cert")
        );
        let crl = openssl(&words.split(' ').collect::<Vec<_>>(), b"");
        let block = pem::scan(&crl).remove(0).unwrap();
        block.contents.to_vec()
    }

    fn index_line(serial: &str, reason: &str) -> String {
        format!("R\t400101000000Z\t261123120001Z{reason}\t{serial}\tunknown\t/CN={serial}\n")
    }

    #[test]
    fn openssl_reads_every_entry_as_it_was_meant() {
        let revoked: Vec<Revocation> = reasons()
            .into_iter()
            .zip(1..)
            .map(|(reason, serial)| entry(&[0x90, serial], reason))
            .collect();
        let text = text(&signed(&authority(), &revoked));
        assert_eq!(text.matches("Serial Number: 90").count(), 9);
        assert_eq!(
            text.matches("Revocation Date: Nov 23 12:00:01 2026 GMT")
                .count(),
            9
        );
        assert_eq!(text.matches("X509v3 CRL Reason Code").count(), 8);
        for reason in [
            "Key Compromise",
            "CA Compromise",
            "Affiliation Changed",
            "Superseded",
            "Cessation Of Operation",
            "Certificate Hold",
            "Privilege Withdrawn",
            "AA Compromise",
        ] {
            assert!(text.contains(reason), "{reason}: {text}");
        }
    }

    #[test]
    fn openssl_refuses_what_is_on_it_and_nothing_else() {
        let authority = authority();
        let issue = |serial: u8| {
            let template = EndEntityTemplate {
                subject: subject("server1"),
                serial_number: SerialNumber::from_octets(&[0xff, serial]),
                validity: VALIDITY,
                hosts: vec!["a.internal".parse().unwrap()],
                extended_key_usage: ExtendedKeyUsage::SERVER,
            };
            let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
            ParsedCertificate::from_der(&authority.issue(&template, &key).unwrap()).unwrap()
        };
        let (revoked, other) = (issue(1), issue(2));
        let crl = signed(
            &authority,
            &[entry(&[0xff, 1], RevocationReason::KeyCompromise)],
        );
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        fs::write(&path, authority.certificate().to_pem() + &to_pem(&crl)).unwrap();
        let path = path.to_str().unwrap();
        let arguments = ["verify", "-x509_strict", "-crl_check", "-CAfile", path];
        openssl(&arguments, other.to_pem().as_bytes());
        let said = openssl_fails(&arguments, revoked.to_pem().as_bytes());
        assert!(said.contains("certificate revoked"), "{said}");
    }

    #[test]
    fn entries_stand_in_the_order_of_dates_then_serial_numbers() {
        let at = |serial: u8, revoked_at| Revocation {
            revoked_at,
            ..entry(&[serial], RevocationReason::Unspecified)
        };
        let (early, late) = (
            datetime!(2025-01-01 0:00 UTC),
            datetime!(2026-01-01 0:00 UTC),
        );
        let entries = [at(1, late), at(9, early), at(3, early)];
        let [first, second, third] = entries.clone();
        let list = read(&signed(&authority(), &entries)).unwrap();
        assert_eq!(list.revoked, [third, second, first]);
    }

    #[test]
    fn a_crl_of_openssls_is_signed_again_with_its_entries() {
        let index = [
            index_line("FF00112233445566778899AABBCCDDEEFF001122", ",keyCompromise"),
            index_line("01", ""),
            index_line("80", ",unspecified"),
        ];
        let foreign = made_by_openssl(&index.concat(), "issuerAltName=DNS:ca");
        let list = read_to_sign_again(&foreign).unwrap();
        assert_eq!(list.crl_number.as_deref(), Some("10"));
        let serial = "FF00112233445566778899AABBCCDDEEFF001122";
        let revoked = |serial: &str, reason| Revocation {
            serial_number: serial.parse().unwrap(),
            ..entry(&[], reason)
        };
        let expected = [
            revoked("01", RevocationReason::Unspecified),
            revoked("80", RevocationReason::Unspecified),
            revoked(serial, RevocationReason::KeyCompromise),
        ];
        let again = signed(&authority(), &list.revoked);
        assert_eq!(read_to_sign_again(&again).unwrap().revoked, expected);
        let serials = |der: &[u8]| {
            let text = text(der);
            let lines = text.lines().filter(|line| line.contains("Serial Number"));
            let mut lines: Vec<String> = lines.map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(serials(&again), serials(&foreign));
    }

    #[test]
    fn what_would_be_lost_is_not_signed_again() {
        let refused = |foreign: &[u8]| {
            read(foreign).unwrap();
            read_to_sign_again(foreign).unwrap_err().to_string()
        };
        let entry = "the CRL's entry 00000000000000000000000000000001 has";
        for (reason, what) in [
            (",keyTime,20260101000000Z", "the extension invalidityDate"),
            (
                ",holdInstruction,holdInstructionReject",
                "the extension holdInstructionCode",
            ),
            (
                ",removeFromCRL",
                "the reason removeFromCRL, which belongs on a delta CRL",
            ),
        ] {
            let foreign = made_by_openssl(&index_line("01", reason), "");
            assert_eq!(refused(&foreign), format!("{entry} {what}"));
        }
        let scope = "issuingDistributionPoint=critical,@scope\n[scope]\nonlyCA=TRUE";
        assert_eq!(
            refused(&made_by_openssl("", scope)),
            "the CRL has the extension issuingDistributionPoint"
        );
    }

    /// A CRL with one entry, of a serial number and the extensions of that entry.
    fn crl_of(serial: &[u8], date: &[u8], extensions: &[u8]) -> Vec<u8> {
        let right = signed(&authority(), &[entry(&[1], RevocationReason::Unspecified)]);
        let whole = Element::tagged(&right, der::SEQUENCE).unwrap();
        let [list, algorithm, signature] = whole.elements().unwrap().try_into().unwrap();
        let [version, digest, issuer, from, to, _, own] =
            list.elements().unwrap().try_into().unwrap();
        let entry = wrapped(
            der::SEQUENCE,
            &[
                &wrapped(der::INTEGER, &[serial]),
                &wrapped(GENERALIZED_TIME, &[date]),
                extensions,
            ],
        );
        let fields = [version, digest, issuer, from, to].map(|field| field.whole);
        let entries = wrapped(der::SEQUENCE, &[&entry]);
        let fields = [&fields[..], &[&entries, own.whole]].concat();
        let list = wrapped(der::SEQUENCE, &fields);
        wrapped(der::SEQUENCE, &[&list, algorithm.whole, signature.whole])
    }

    const DATE: &[u8] = b"20261123120001Z";

    fn with_reason(code: u8, times: usize) -> Vec<u8> {
        let id = wrapped(der::OBJECT_IDENTIFIER, &[&[0x55, 0x1d, 0x15]]);
        let value = wrapped(der::OCTET_STRING, &[&[10, 1, code]]);
        let extension = wrapped(der::SEQUENCE, &[&id, &value]);
        let extensions = wrapped(der::SEQUENCE, &vec![&extension[..]; times]);
        crl_of(&[1], DATE, &extensions)
    }

    #[test]
    fn a_reason_that_is_none_is_not_passed_over() {
        let list = read(&with_reason(9, 1)).unwrap();
        assert_eq!(list.revoked[0].reason, RevocationReason::PrivilegeWithdrawn);
        let because = "not a CRL: an entry has a reason code that is none (RFC 5280 5.3.1)";
        for damaged in [
            with_reason(7, 1),
            with_reason(11, 1),
            with_reason(0xff, 1),
            with_reason(1, 2),
        ] {
            assert_eq!(read(&damaged).unwrap_err().to_string(), because);
        }
    }

    #[test]
    fn extensions_that_cannot_be_read_are_not_passed_over() {
        for extensions in [&[0x30, 2, 5, 0][..], &[5, 0], &[0x30, 3, 0x30, 1, 5]] {
            let error = read(&crl_of(&[1], DATE, extensions)).unwrap_err();
            assert_eq!(error, damaged(), "{extensions:?}");
        }
    }

    #[test]
    fn a_serial_number_or_date_that_would_change_is_not_signed_again() {
        let refused = |crl: Vec<u8>| {
            read(&crl).unwrap();
            read_to_sign_again(&crl).unwrap_err().to_string()
        };
        let said = refused(crl_of(&[0xff], DATE, &[]));
        assert!(said.ends_with("has a serial number that is negative or has too many octets"));
        let said = refused(crl_of(&[1], b"20261123120001.5Z", &[]));
        assert!(said.ends_with("has a date that is not in whole seconds of UTC"));
        let error = read(&crl_of(&[1], b"20261323120001Z", &[])).unwrap_err();
        assert_eq!(error, damaged());
    }

    #[test]
    fn a_ca_without_crlsign_signs_none() {
        let mut certificate = authority().certificate().clone();
        certificate.details.key_usage = Some(vec!["keyCertSign"]);
        let key = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap();
        certificate.public_key_der = key.public_key_der().to_vec();
        let authority = Authority::new(certificate, key).unwrap();
        let template = CrlTemplate {
            updates: VALIDITY,
            number: 1,
            revoked: Vec::new(),
        };
        assert_eq!(
            authority
                .revocation_list(&template)
                .unwrap_err()
                .to_string(),
            "the CA `O=test,CN=test CA` may not sign CRLs"
        );
    }

    #[test]
    fn ten_thousand_entries_are_kept() {
        let revoked: Vec<Revocation> = (0..10_000u32)
            .map(|number| entry(&number.to_be_bytes(), RevocationReason::Superseded))
            .collect();
        let authority = authority();
        let once = read_to_sign_again(&signed(&authority, &revoked)).unwrap();
        let again = read_to_sign_again(&signed(&authority, &once.revoked)).unwrap();
        assert_eq!(again.revoked, once.revoked);
        assert_eq!(again.revoked.len(), 10_000);
    }

    proptest! {
        #[test]
        fn entries_are_neither_lost_nor_changed(
            entries in vec((vec(any::<u8>(), 0..=20), -600_000_000i64..4_000_000_000, select(reasons())), 0..20)
        ) {
            let revoked = |(serial, seconds, reason): (Vec<u8>, i64, _)| Revocation {
                serial_number: SerialNumber::from_octets(&serial),
                revoked_at: OffsetDateTime::from_unix_timestamp(seconds).unwrap(),
                reason,
            };
            let mut entries: Vec<Revocation> = entries.into_iter().map(revoked).collect();
            let authority = authority();
            let once = signed(&authority, &entries);
            let read_once = read_to_sign_again(&once).unwrap().revoked;
            entries.sort_by_key(|entry| (entry.revoked_at, entry.serial_number.clone()));
            prop_assert_eq!(&read_once, &entries);
            prop_assert_eq!(signed(&authority, &read_once), once);
        }

        #[test]
        fn a_damaged_crl_never_makes_it_panic(at: prop::sample::Index, octet: u8) {
            let mut der = with_reason(1, 1);
            let at = at.index(der.len());
            der[at] = octet;
            let _ = read_to_sign_again(&der);
        }
    }
}
