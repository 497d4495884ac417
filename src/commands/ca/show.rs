//! `zpki ca show`: what there is to know of the CA, without its private key being opened.

use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;
use time::OffsetDateTime;

use super::super::directory::{PkiDirectory, View};
use super::super::error::Error;
use super::super::state::{self, Ca};
use crate::domain::certificate::{Certificate, KeyIdentifier};
use crate::domain::cluster::Cluster;
use crate::domain::digest::Digest;
use crate::domain::name::ClusterName;
use crate::domain::validity::{Lifetime, Status, Validity};
use crate::store::error::Kind;
use crate::store::layout::{self, CA_CERTIFICATE, CA_CHAIN, CA_FILE, CRL};
use crate::x509::certificate::ParsedCertificate;
use crate::x509::profile::check_renewable;
use crate::x509::{pem, private_key};

/// The CA.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CaReport {
    /// Version of this report's form.
    pub schema: u32,
    /// The instant of the run.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Always false: nothing is written.
    pub changed: bool,
    /// The PKI directory.
    pub directory: String,
    /// The cluster's name.
    pub cluster: ClusterName,
    /// Its certificate's file, relative to the directory.
    pub file: String,
    /// What its dates say now.
    pub status: Status,
    /// So many seconds until notAfter; negative once it is past.
    pub remaining_seconds: i64,
    /// Its certificate.
    pub certificate: Certificate,
    /// Why `ca renew` does not renew it; None when it does.
    pub not_renewable: Option<String>,
    /// Its private key.
    pub key: Key,
    /// What peers trust.
    pub trust_bundle: Vec<Above>,
    /// What a host sends behind its own certificate, and the root above that; empty for a
    /// self-signed CA.
    pub chain: Vec<Above>,
    /// The record of revocations; None when it is not there.
    pub crl: Option<Record>,
    /// Until when it issues certificates of full length; None without entries.
    pub runway: Option<Runway>,
    /// How many certificates of its inventory are by this CA, valid and not revoked.
    pub live_certificates: usize,
}

/// Where the CA's private key is, and whether.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// The file: relative to the directory, unless zpki.toml has it elsewhere.
    pub file: String,
    /// Whether it is there.
    pub state: KeyState,
    /// Whether it is encrypted; None when that cannot be seen.
    pub encrypted: Option<bool>,
    /// How it is encrypted, such as `PBES2, AES-256-CBC, PBKDF2-SHA256, 600000 iterations`.
    pub encryption: Option<String>,
}

/// Whether a private key is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// It is not there.
    Missing,
    /// It is there.
    Present,
    /// Something is there that is no private key.
    Unreadable,
    /// This user may not read it.
    Closed,
}

/// A CA that is trusted, or leads to one that is.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Above {
    /// Subject.
    pub subject: String,
    /// notBefore and notAfter.
    #[serde(flatten)]
    pub validity: Validity,
    /// SHA-256 of the DER.
    pub fingerprint: Digest,
}

/// The CRL.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Its file, relative to the directory.
    pub file: String,
    /// CRL number.
    pub crl_number: Option<String>,
    /// thisUpdate.
    #[serde(with = "time::serde::rfc3339")]
    pub this_update: OffsetDateTime,
    /// nextUpdate.
    #[serde(with = "time::serde::rfc3339::option")]
    pub next_update: Option<OffsetDateTime>,
    /// The keyid of authorityKeyIdentifier, by which it is known to be this CA's.
    pub authority_key_identifier: Option<KeyIdentifier>,
    /// How many certificates are revoked.
    pub entries: usize,
}

/// The end of what a CA can do in full.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Runway {
    /// The last instant at which a certificate of the longest lifetime is not cut short.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    /// The longest lifetime that zpki.toml has.
    pub lifetime: Lifetime,
}

/// Says what there is to say.
///
/// # Errors
/// When there is no CA, or a file that everything hangs on cannot be read.
pub fn run(directory: &PkiDirectory, now: Option<OffsetDateTime>) -> Result<CaReport, Error> {
    let at = now.ok_or(Error::NoClock)?;
    directory.read(|view| {
        let cluster = view.cluster()?;
        let ca = Ca::read(view)?;
        let certificate = &ca.certificate;
        let details = &certificate.details;
        let validity = details.validity;
        let settings = &cluster.settings().ca;
        Ok(CaReport {
            schema: 1,
            at,
            changed: false,
            directory: directory.path().display().to_string(),
            cluster: cluster.settings().name.clone(),
            file: CA_CERTIFICATE.to_owned(),
            status: validity.status(at, cluster.settings().certificates.renew_within),
            remaining_seconds: (validity.not_after - at).whole_seconds(),
            not_renewable: check_renewable(certificate, &settings.name_constraints)
                .err()
                .map(|why| why.to_string()),
            key: Key::read(layout::ca_key(settings), view)?,
            trust_bundle: above(Path::new(CA_FILE), view)?,
            chain: match ca.is_intermediate() {
                true => above(Path::new(CA_CHAIN), view)?,
                false => Vec::new(),
            },
            crl: Record::read(view)?,
            runway: Runway::of(&cluster, validity),
            live_certificates: live(certificate, view, at)?,
            certificate: details.clone(),
        })
    })
}

impl Key {
    /// What there is, as far as this user may see it.
    pub(super) fn read(path: &Path, view: &View<'_>) -> Result<Self, Error> {
        let mut key = Self {
            file: path.display().to_string(),
            state: KeyState::Present,
            encrypted: None,
            encryption: None,
        };
        let bytes = match view.bytes(path) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                key.state = KeyState::Missing;
                return Ok(key);
            }
            Err(error) if error.kind() == Kind::Permission => {
                key.state = KeyState::Closed;
                return Ok(key);
            }
            Err(error) => return Err(error.into()),
        };
        let blocks = pem::scan(&bytes).into_iter().flatten();
        let mut keys = blocks.filter(|block| block.label.ends_with("PRIVATE KEY"));
        let found = keys.next().map(|block| private_key::describe(&block, None));
        match found {
            Some(Ok(found)) => {
                key.encrypted = Some(found.encrypted);
                key.encryption = found.encryption;
            }
            Some(Err(_)) | None => key.state = KeyState::Unreadable,
        }
        Ok(key)
    }
}

impl Record {
    fn read(view: &View<'_>) -> Result<Option<Self>, Error> {
        let Some(list) = state::crl_if_any(view)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            file: CRL.to_owned(),
            crl_number: list.crl_number,
            this_update: list.this_update,
            next_update: list.next_update,
            authority_key_identifier: list.authority_key_identifier,
            entries: list.revoked.len(),
        }))
    }
}

impl Runway {
    fn of(cluster: &Cluster, ca: Validity) -> Option<Self> {
        let lifetimes = cluster.entries().iter().map(|entry| entry.lifetime);
        let lifetime = lifetimes.max()?;
        let until = ca.not_after.checked_sub(lifetime.duration())?;
        Some(Self { until, lifetime })
    }
}

/// The certificates of a file of the CA's.
fn above(path: &Path, view: &View<'_>) -> Result<Vec<Above>, Error> {
    let Some(bytes) = view.bytes(path)? else {
        return Ok(Vec::new());
    };
    let certificates = state::certificates(&bytes, &view.path().join(path))?;
    Ok(certificates.iter().map(Above::of).collect())
}

impl Above {
    pub(super) fn of(certificate: &ParsedCertificate) -> Self {
        let details = &certificate.details;
        Self {
            subject: details.subject.clone(),
            validity: details.validity,
            fingerprint: details.fingerprint,
        }
    }
}

/// How many certificates hang on `ca`: by it, valid, not revoked, and no CA's.
pub(super) fn live(
    ca: &ParsedCertificate,
    view: &View<'_>,
    at: OffsetDateTime,
) -> Result<usize, Error> {
    let crl = state::crl_if_any(view)?;
    let revoked: std::collections::HashSet<_> = crl
        .iter()
        .flat_map(|crl| crl.revoked.iter().map(|it| &it.serial_number))
        .collect();
    let names = view.issued_names()?;
    let counts = names.par_iter().map(|name| {
        let issued = state::issued(name, view)?.into_iter();
        let is_live = |certificate: &ParsedCertificate| {
            let details = &certificate.details;
            let validity = details.validity;
            let is_by_ca = certificate.issuer_der == ca.subject_der
                && details.authority_key_identifier == ca.details.subject_key_identifier;
            is_by_ca
                && validity.not_before <= at
                && at < validity.not_after
                && !details.is_ca()
                && !revoked.contains(&details.serial_number)
        };
        Ok::<usize, Error>(issued.filter(is_live).count())
    });
    counts.sum()
}
