//! Keys and certificates for entries, each verified before anything is written of it.

use rayon::prelude::*;
use serde::Serialize;
use time::OffsetDateTime;

use super::error::Error;
use super::host_folder::{Identity, Shared};
use super::new_directory::Take;
use crate::domain::cluster::{Cluster, Entry};
use crate::domain::finding::Finding;
use crate::domain::host::Host;
use crate::domain::key_algorithm::KeyAlgorithm;
use crate::domain::name::EntryName;
use crate::domain::role::Role;
use crate::domain::serial_number::SerialNumber;
use crate::domain::validity::{Lifetime, Validity, show};
use crate::plan::entry::Wanted;
use crate::plan::establish::Issuance;
use crate::store::file::Tree;
use crate::store::layout::HostFolder;
use crate::system::{Entropy, System};
use crate::verify::issued::{Expected, Trust, VerifiedPath, verify_issued};
use crate::x509::issue::{Authority, EndEntityTemplate, Subject};
use crate::x509::public_key::SubjectKey;

/// One certificate that was made.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Made {
    /// The entry.
    pub name: EntryName,
    /// Its role.
    pub role: Role,
    /// Its key algorithm.
    pub key_algorithm: KeyAlgorithm,
    /// Serial number.
    pub serial_number: SerialNumber,
    /// notBefore and notAfter.
    #[serde(flatten)]
    pub validity: Validity,
    /// Its host names and addresses.
    pub hosts: Vec<Host>,
    /// The file that holds it, relative to the directory.
    pub file: String,
}

/// Who issues, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Issuer<'a> {
    pub(super) authority: &'a Authority,
    /// What the peers judge with.
    pub(super) trust: &'a Trust,
    pub(super) cluster: &'a Cluster,
    pub(super) now: OffsetDateTime,
}

/// What a processor takes from the others at a time: rayon's own, larger portions let all but one
/// wait at the end, where that one is held up by something else.
pub(super) const AT_ONCE: usize = 4;

impl Issuer<'_> {
    /// A key and a verified certificate for each issuance, on all processors; `take` gets the files of
    /// each.
    pub(super) fn issue_all(
        &self,
        issuances: &[Issuance<'_>],
        shared: &Shared<'_>,
        system: &System,
        take: Take<'_>,
    ) -> Result<Vec<Made>, Error> {
        let (entropy, progress) = (&*system.entropy, &*system.progress);
        // And a step for the end of all.
        progress.start("making keys and certificates", issuances.len() + 1);
        let issue = |Issuance { entry, validity }: &Issuance<'_>| -> Result<(Made, Tree), Error> {
            progress.advance()?;
            let key = entropy.private_key(entry.key_algorithm)?;
            let path = self.certify(&(*entry).into(), *validity, &key, entropy)?;
            let tree = Identity::issued(entry, &key, &path, "").tree(shared);
            Ok((made(entry, &path), tree))
        };
        let write = |issued: Vec<(Made, Tree)>| -> Result<Vec<Made>, Error> {
            let written = issued.into_iter();
            let written = written.map(|(made, tree)| take(tree).map(|()| made));
            written.collect()
        };
        // To sign one and write it by turns costs more: each drives the other out of the caches.
        let some = issuances.par_iter().with_max_len(AT_ONCE);
        let issued = some.try_fold(Vec::new, |mut some, issuance| {
            some.push(issue(issuance)?);
            Ok::<_, Error>(some)
        });
        let made: Vec<Vec<Made>> = issued
            .map(|some| write(some?))
            .collect::<Result<_, Error>>()?;
        Ok(made.into_iter().flatten().collect())
    }

    /// A certificate as `wanted` for `key`, verified.
    pub(super) fn certify(
        &self,
        wanted: &Wanted<'_>,
        validity: Validity,
        key: &dyn SubjectKey,
        entropy: &dyn Entropy,
    ) -> Result<VerifiedPath, Error> {
        let settings = self.cluster.settings();
        let template = EndEntityTemplate {
            subject: Subject {
                organization: settings.name.as_str().to_owned(),
                common_name: wanted.name.as_str().to_owned(),
            },
            serial_number: entropy.serial_number()?,
            validity,
            hosts: wanted.hosts.to_vec(),
            extended_key_usage: wanted.extended_key_usage,
        };
        let der = self.authority.issue(&template, key)?;
        let expected = Expected {
            now: self.now,
            public_key_der: key.public_key_der(),
            hosts: wanted.hosts,
            extended_key_usage: wanted.extended_key_usage,
            name_constraints: &settings.ca.name_constraints,
        };
        verify_issued(&der, self.trust, &expected).map_err(|refusals| Error::Unverified {
            name: wanted.name.clone(),
            refusals,
        })
    }
}

/// What is told of a certificate.
pub(super) fn made(entry: &Entry, path: &VerifiedPath) -> Made {
    let details = &path.certificate().details;
    let file = HostFolder::of(&entry.name, entry.role).certificate();
    Made {
        name: entry.name.clone(),
        role: entry.role,
        key_algorithm: entry.key_algorithm,
        serial_number: details.serial_number.clone(),
        validity: details.validity,
        hosts: entry.hosts.clone(),
        file: file.to_string_lossy().into_owned(),
    }
}

/// That a certificate ends before its lifetime is over, for its CA does.
pub(super) fn clamped(
    name: &EntryName,
    validity: Validity,
    lifetime: Lifetime,
    now: OffsetDateTime,
) -> Option<Finding> {
    let is_clamped = validity.not_after < now.truncate_to_second() + lifetime.duration();
    is_clamped.then(|| {
        Finding::warning(
            "clamped",
            name,
            format!(
                "its certificate ends with the CA, on {}, before its lifetime of {lifetime} is over",
                show(validity.not_after)
            ),
            "renew the CA: zpki ca renew",
        )
    })
}
