//! `zpki list`: the entries of the cluster and the certificate that each uses.

use std::collections::{BTreeSet, HashMap};

use rayon::prelude::*;
use serde::Serialize;
use time::OffsetDateTime;

use super::directory::{PkiDirectory, View};
use super::error::Error;
use super::state;
use crate::domain::certificate::AltName;
use crate::domain::cluster::Cluster;
use crate::domain::name::{ClusterName, EntryName};
use crate::domain::revocation::Revocation;
use crate::domain::role::Role;
use crate::domain::serial_number::SerialNumber;
use crate::domain::validity::{RenewWithin, Status, Validity};

/// The entries of a cluster.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListReport {
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
    /// The CA, the entries of zpki.toml in its order, then whatever else the inventory has.
    pub entries: Vec<Listed>,
}

/// One entry.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Its name.
    pub name: EntryName,
    /// Its role; None when zpki.toml does not name it.
    pub role: Option<Role>,
    /// The certificate that it uses; None when it has none.
    pub certificate: Option<ListedCertificate>,
}

/// The certificate that an entry uses.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedCertificate {
    /// What its dates say now.
    pub status: Status,
    /// Its entry on the CRL; None when it has none.
    pub revocation: Option<Revocation>,
    /// notBefore and notAfter.
    #[serde(flatten)]
    pub validity: Validity,
    /// Serial number.
    pub serial_number: SerialNumber,
    /// The key algorithm.
    pub key_algorithm: String,
    /// subjectAltName.
    pub subject_alt_name: Vec<AltName>,
}

/// Lists the entries.
///
/// # Errors
/// When the directory cannot be read.
pub fn run(directory: &PkiDirectory, now: Option<OffsetDateTime>) -> Result<ListReport, Error> {
    let at = now.ok_or(Error::NoClock)?;
    directory.read(|view| {
        let cluster = view.cluster()?;
        Ok(ListReport {
            schema: 1,
            at,
            changed: false,
            directory: directory.path().display().to_string(),
            cluster: cluster.settings().name.clone(),
            entries: entries(view, &cluster, at)?,
        })
    })
}

fn entries(view: &View<'_>, cluster: &Cluster, at: OffsetDateTime) -> Result<Vec<Listed>, Error> {
    let default = cluster.settings().certificates.renew_within;
    let ca = (EntryName::ca(), Some(Role::Ca), default);
    let named = cluster.entries().iter();
    let named = named.map(|entry| (entry.name.clone(), Some(entry.role), entry.renew_within));
    let mut wanted: Vec<_> = std::iter::once(ca).chain(named).collect();
    let known: BTreeSet<EntryName> = wanted.iter().map(|(name, ..)| name.clone()).collect();
    let issued = view.issued_names()?.into_iter();
    let others = issued.filter(|name| !known.contains(name));
    wanted.extend(others.map(|name| (name, None, default)));
    let revocations = state::revocations(view)?;
    let listed: Vec<_> = wanted
        .into_par_iter()
        .map(|(name, role, renew_within)| listed(view, name, role, renew_within, &revocations, at))
        .collect();
    // Of several errors always the same one: the first.
    listed.into_iter().collect()
}

fn listed(
    view: &View<'_>,
    name: EntryName,
    role: Option<Role>,
    renew_within: RenewWithin,
    revocations: &HashMap<SerialNumber, Revocation>,
    at: OffsetDateTime,
) -> Result<Listed, Error> {
    let certificate = state::in_use(&name, role, revocations, view)?.map(|in_use| {
        let details = in_use.details;
        ListedCertificate {
            status: details.validity.status(at, renew_within),
            revocation: revocations.get(&details.serial_number).cloned(),
            validity: details.validity,
            serial_number: details.serial_number,
            key_algorithm: details.public_key.algorithm,
            subject_alt_name: details.subject_alt_name,
        }
    });
    Ok(Listed {
        name,
        role,
        certificate,
    })
}
