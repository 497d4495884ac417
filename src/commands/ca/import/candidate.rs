//! The CA that is to be imported: read, put together with what is above it, and judged as its
//! certificates will be.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::Refusal;
use crate::commands::error::Error;
use crate::commands::issuance::Issuer;
use crate::commands::state::Ca;
use crate::domain::cluster::Cluster;
use crate::domain::key_algorithm::KeyAlgorithm;
use crate::domain::serial_number::MOST_OCTETS;
use crate::domain::validity::{NoValidity, Validity};
use crate::system::System;
use crate::x509::certificate::ParsedCertificate;
use crate::x509::issue::Authority;
use crate::x509::path_certificate::PathCertificate;
use crate::x509::pem;
use crate::x509::private_key::PrivateKey;

/// The certificates of a file: PEM with whatever else, or DER.
pub(super) fn certificates(
    path: &Path,
    system: &mut System,
) -> Result<Vec<ParsedCertificate>, Error> {
    let bytes = system
        .read(path)
        .map_err(|error| Error::input(path, error))?;
    let unreadable = |line, because: String| Error::Unreadable {
        path: path.to_owned(),
        line,
        because,
        hint: "name a file with certificates, PEM or DER".to_owned(),
    };
    let blocks = pem::scan(&bytes);
    if blocks.is_empty() {
        let certificate = ParsedCertificate::from_der(&bytes);
        return Ok(vec![
            certificate.map_err(|error| unreadable(None, error.to_string()))?,
        ]);
    }
    let mut certificates = Vec::new();
    for block in blocks {
        let block = block.map_err(|error| unreadable(error.line(), error.to_string()))?;
        if matches!(&*block.label, "CERTIFICATE" | "X509 CERTIFICATE") {
            let certificate = ParsedCertificate::from_der(&block.contents);
            certificates.push(
                certificate.map_err(|error| unreadable(Some(block.line), error.to_string()))?,
            );
        }
    }
    match certificates.is_empty() {
        true => Err(unreadable(None, "there is no certificate in it".to_owned())),
        false => Ok(certificates),
    }
}

/// The CA whose key this is, with what leads to its root.
pub(super) fn assemble(
    mut own: Vec<ParsedCertificate>,
    key: &PrivateKey,
    key_file: &Path,
    chain: Option<(PathBuf, Vec<ParsedCertificate>)>,
) -> Result<Ca, Vec<Refusal>> {
    let position = own
        .iter()
        .position(|it| it.public_key_der == key.public_key_der());
    let Some(position) = position else {
        let key = key_file.to_owned();
        return Err(vec![Refusal::KeyMismatch { key }]);
    };
    let certificate = own.swap_remove(position);
    if certificate.issuer_der == certificate.subject_der {
        return match certificate.is_signed_by(&certificate) {
            Some(false) => Err(vec![Refusal::SelfIssued]),
            _ => Ok(Ca::of(certificate, Vec::new())),
        };
    }
    let (file, above) = match chain {
        Some((file, above)) => (Some(file), above),
        None => (None, Vec::new()),
    };
    own.extend(above);
    let above = path_to_root(&certificate, &own).map_err(|issuer| {
        vec![Refusal::NoPath {
            issuer,
            chain: file,
        }]
    })?;
    Ok(Ca::of(certificate, above))
}

/// More CAs are above no one.
const DEEPEST: usize = 16;

/// The certificates above `certificate`, the root last; or the issuer that was not found.
fn path_to_root(
    certificate: &ParsedCertificate,
    pool: &[ParsedCertificate],
) -> Result<Vec<ParsedCertificate>, String> {
    let path_certificate = |it: &ParsedCertificate| PathCertificate::from_der(&it.der).ok();
    let mut above: Vec<ParsedCertificate> = Vec::new();
    loop {
        let last = above.last().unwrap_or(certificate);
        if last.issuer_der == last.subject_der {
            return Ok(above);
        }
        let Some(subject) = path_certificate(last).filter(|_| above.len() < DEEPEST) else {
            return Err(last.details.issuer.clone());
        };
        let is_issuer = |it: &&ParsedCertificate| {
            let likely = path_certificate(it).is_some_and(|it| it.is_likely_issuer_of(&subject));
            likely && last.is_signed_by(it) != Some(false)
        };
        // Of several a root, for the shortest way; of these the one that lasts longest.
        let mut issuers: Vec<_> = pool.iter().filter(is_issuer).collect();
        let end = |it: &ParsedCertificate| Reverse(it.details.validity.not_after);
        issuers.sort_by_key(|it| (it.issuer_der != it.subject_der, end(it)));
        match issuers.first() {
            Some(issuer) => above.push((*issuer).clone()),
            None => return Err(last.details.issuer.clone()),
        }
    }
}

/// What is wrong with the certificate by itself.
pub(super) fn check(ca: &Ca, now: OffsetDateTime) -> Vec<Refusal> {
    let details = &ca.certificate.details;
    let Validity {
        not_before,
        not_after,
    } = details.validity;
    let mut refusals = Vec::new();
    if !details.is_ca() {
        refusals.push(Refusal::NotACa);
    }
    for missing in ["keyCertSign", "cRLSign"] {
        let usage = details.key_usage.as_ref();
        if usage.is_some_and(|usage| !usage.contains(&missing)) {
            refusals.push(Refusal::Usage { missing });
        }
    }
    if let Some(purposes) = &details.extended_key_usage {
        let allows = |purpose: &str| purposes.iter().any(|it| it == purpose);
        let missing = ["serverAuth", "clientAuth"]
            .into_iter()
            .filter(|purpose| !allows(purpose) && !allows("anyExtendedKeyUsage"));
        refusals.extend(missing.map(|missing| Refusal::Purpose { missing }));
    }
    if details.subject_key_identifier.is_none() {
        refusals.push(Refusal::NoKeyIdentifier);
    }
    let octets = details.serial_number.octets().len();
    if octets > MOST_OCTETS {
        refusals.push(Refusal::SerialNumberLength { octets });
    }
    if not_after <= now {
        refusals.push(Refusal::Expired { not_after });
    }
    if now < not_before {
        refusals.push(Refusal::NotYetValid { not_before });
    }
    refusals
}

/// What is wrong with certificates that it would issue: one for each entry is signed for a key that is
/// thrown away, and judged as its peers will judge it; and what a strict verifier has against the CA.
pub(super) fn rehearse(
    ca: &Ca,
    authority: &Authority,
    cluster: &Cluster,
    now: OffsetDateTime,
    system: &System,
) -> Result<(Vec<Refusal>, Vec<String>), Error> {
    let trust = ca.trust()?;
    let issuer = Issuer {
        authority,
        trust: &trust,
        cluster,
        now,
    };
    let entropy = &*system.entropy;
    let key = entropy.private_key(KeyAlgorithm::EcdsaP256)?;
    let own = &ca.certificate.details.validity;
    let mut refusals: Vec<Refusal> = Vec::new();
    let mut objections: Vec<String> = Vec::new();
    let mut add = |refusal: Refusal| {
        let reason = |refusal: &Refusal| match refusal {
            Refusal::WouldBeRefused { why, .. } => why.clone(),
            other => other.to_string(),
        };
        if refusals.iter().all(|it| reason(it) != reason(&refusal)) {
            refusals.push(refusal);
        }
    };
    for entry in cluster.entries() {
        let validity = match Validity::starting(now, entry.lifetime, Some(own)) {
            Ok(validity) => validity,
            Err(NoValidity::IssuerEndsTooSoon { not_after }) => {
                add(Refusal::EndsTooSoon { not_after });
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        match issuer.certify(&entry.into(), validity, &key, entropy) {
            Ok(path) => objections.extend(path.objections().iter().map(ToString::to_string)),
            Err(Error::Unverified { name, refusals }) => {
                for why in refusals {
                    let (name, why) = (name.clone(), why.to_string());
                    add(Refusal::WouldBeRefused { name, why });
                }
            }
            Err(error) => return Err(error),
        }
    }
    objections.sort();
    objections.dedup();
    Ok((refusals, objections))
}
