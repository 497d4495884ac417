//! The CA itself: made, and written down.

use zeroize::Zeroizing;

use super::error::Error;
use super::issuance::Made;
use crate::domain::cluster::Cluster;
use crate::domain::name::EntryName;
use crate::domain::role::Role;
use crate::plan::establish::Establishment;
use crate::store::file::File;
use crate::store::layout::{self, CA_CERTIFICATE, CA_FILE, CA_KEY, CRL, PUBLIC, SECRET};
use crate::system::System;
use crate::x509::issue::{Authority, CaTemplate, Subject};
use crate::x509::passphrase::Passphrase;
use crate::x509::private_key::PrivateKey;

/// A new key and a self-signed certificate.
pub(super) fn make(
    plan: &Establishment<'_>,
    cluster: &Cluster,
    system: &System,
) -> Result<Authority, Error> {
    let settings = cluster.settings();
    let key = system.entropy.private_key(settings.ca.key_algorithm)?;
    let template = CaTemplate {
        subject: Subject {
            organization: settings.name.to_string(),
            common_name: plan.ca_common_name.clone(),
        },
        serial_number: system.entropy.serial_number()?,
        validity: plan.ca_validity,
        name_constraints: settings.ca.name_constraints.clone(),
    };
    Ok(Authority::self_signed(&template, key)?)
}

/// The files of `ca/` but for the log and what is issued to others. `crl` is PEM.
pub(super) fn files(
    authority: &Authority,
    passphrase: Option<&Passphrase>,
    crl: &str,
    system: &System,
) -> Result<Vec<File>, Error> {
    let certificate = authority.certificate().to_pem();
    let key = key_pem(authority.key(), passphrase, system)?;
    let public = |path: &str, text: &str| File::new(path, PUBLIC, text);
    let serial_number = &authority.certificate().details.serial_number;
    let inventory = layout::issued(&EntryName::ca(), serial_number);
    Ok(vec![
        public(CA_CERTIFICATE, &certificate),
        public(CA_FILE, &certificate),
        public(CRL, crl),
        File::new(CA_KEY, SECRET, key.as_str()),
        File::new(inventory, PUBLIC, certificate),
    ])
}

/// A private key as it is written: encrypted, unless there is no passphrase.
pub(super) fn key_pem(
    key: &PrivateKey,
    passphrase: Option<&Passphrase>,
    system: &System,
) -> Result<Zeroizing<String>, Error> {
    let Some(passphrase) = passphrase else {
        return Ok(key.to_pem());
    };
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    system.entropy.fill(&mut salt)?;
    system.entropy.fill(&mut iv)?;
    Ok(Zeroizing::new(key.to_encrypted_pem(passphrase, salt, iv)?))
}

/// The CA's own certificate, as one that was made.
pub(super) fn made(authority: &Authority, cluster: &Cluster) -> Made {
    let details = &authority.certificate().details;
    Made {
        name: EntryName::ca(),
        role: Role::Ca,
        key_algorithm: cluster.settings().ca.key_algorithm,
        serial_number: details.serial_number.clone(),
        validity: details.validity,
        hosts: Vec::new(),
        file: CA_CERTIFICATE.to_owned(),
    }
}
