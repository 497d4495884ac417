//! Doing what a PKI directory needs: signing, and one transaction.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::slice;

use rayon::prelude::*;
use serde::Serialize;
use time::OffsetDateTime;

use super::{Action, Known, NewRevocation, Reconciliation, Task, trust_bundle};
use crate::commands::certificate_authority;
use crate::commands::error::Error;
use crate::commands::hooks::{self, Given};
use crate::commands::host_folder::{self, Identity};
use crate::commands::issuance::{AT_ONCE, Issuer, Made, made};
use crate::commands::log::{self, Event};
use crate::commands::state::Key;
use crate::domain::cluster::Entry;
use crate::domain::name::EntryName;
use crate::domain::text::joined;
use crate::domain::validity::Validity;
use crate::plan::authority::{crl_number, crl_updates};
use crate::plan::entry::Need;
use crate::store::Writer;
use crate::store::file::{Bytes, Directory, File};
use crate::store::layout::{
    self, CA_CERTIFICATE, CLOSED_DIRECTORY, HostFolder, LOG_FILE, PENDING, PUBLIC, RETIRED,
};
use crate::store::transaction::{Change, Transaction};
use crate::system::System;
use crate::verify::issued::{Trust, VerifiedPath};
use crate::x509::crl::{self, CrlTemplate};
use crate::x509::digest::sha256;
use crate::x509::issue::{Authority, RenewalTemplate};
use crate::x509::private_key::PrivateKey;

/// What goes with a reconciliation into the same transaction.
#[derive(Debug, Default)]
pub(in crate::commands) struct Besides {
    /// What becomes of other files, such as zpki.toml.
    pub(in crate::commands) changes: Vec<Change>,
    /// What is told of that.
    pub(in crate::commands) actions: Vec<Action>,
    /// The command that each changed host folder owes from then on.
    pub(in crate::commands) hook: Option<String>,
}

/// What was done.
#[derive(Debug, Default)]
pub(in crate::commands) struct Done<'a> {
    /// The certificates that were made: the CA's, then those of entries.
    pub(in crate::commands) made: Vec<Made>,
    /// The CRL that was signed.
    pub(in crate::commands) crl: Option<SignedCrl>,
    /// The entries whose host folders have changed.
    pub(in crate::commands) changed: Vec<&'a Entry>,
    /// The files that have changed, relative to the PKI directory.
    pub(in crate::commands) files: Vec<PathBuf>,
    /// The command that is owed for them.
    pub(in crate::commands) given: Option<Given>,
}

/// A CRL that was signed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedCrl {
    /// CRL number. A string as elsewhere: a CA that was imported may have come to 20 octets, of which readers
    /// of JSON numbers keep 53 bits.
    pub crl_number: String,
    /// thisUpdate.
    #[serde(with = "time::serde::rfc3339")]
    pub this_update: OffsetDateTime,
    /// nextUpdate: from then on, HAProxy refuses every server.
    #[serde(with = "time::serde::rfc3339")]
    pub next_update: OffsetDateTime,
    /// How many entries it has.
    pub entries: usize,
}

/// A certificate that was just signed.
struct Signed {
    /// Its private key, if that is new too.
    key: Option<PrivateKey>,
    path: VerifiedPath,
}

impl Reconciliation {
    /// Signs with `authority`, which must be there if anything [is signed](Self::signs), and makes all
    /// changes in one transaction.
    pub(in crate::commands) fn carry_out(
        &self,
        authority: Option<Authority>,
        besides: Besides,
        writer: Writer,
        system: &System,
    ) -> Result<Done<'_>, Error> {
        system.interruption.defer();
        let authority = match (authority, &self.ca) {
            (Some(authority), Some((validity, _))) => {
                Some(self.renew_ca(authority, *validity, system)?)
            }
            (authority, _) => authority,
        };
        let signed = match &authority {
            Some(authority) => self.sign(authority, system)?,
            None => self.needs.iter().map(|_| None).collect(),
        };
        let (crl, signed_crl) = match (&self.crl, &authority) {
            (Some(_), Some(authority)) => self
                .sign_crl(authority)
                .map(|(bytes, signed)| (Some(bytes), Some(signed)))?,
            _ => (None, None),
        };
        let chain = &self.state.ca.chain_pem;
        let renewed = authority.as_ref().filter(|_| self.ca.is_some());
        let roots = renewed.map(|authority| slice::from_ref(authority.certificate()));
        let known = Known {
            trust_bundle: Some(trust_bundle(roots.unwrap_or(&self.state.ca.roots))),
            crl: crl.or_else(|| self.crl_in_place()),
            identity: |index: usize| match &signed[index] {
                Some(signed) => Some(self.identity(index, signed, chain)),
                None => self.identity_in_place(index),
            },
        };
        let mut transaction = Transaction::default();
        let mut all_made = Vec::new();
        if let Some(authority) = renewed {
            transaction.changes.extend(self.ca_files(authority));
            all_made.push(certificate_authority::made(authority, &self.state.cluster));
        }
        let differences = self.compare(&known).into_iter();
        transaction.changes.extend(differences.map(|it| it.change));
        let entries = self.state.cluster.entries().iter();
        for (index, (entry, signed)) in entries.zip(&signed).enumerate() {
            if let Some(signed) = signed {
                let inventory = self.identity(index, signed, chain).inventory();
                transaction.changes.push(new(inventory));
                all_made.push(made(entry, &signed.path));
            }
        }
        self.retire(&mut transaction);
        transaction.changes.extend(besides.changes);
        let log = self.log(&all_made, system);
        transaction.changes.extend(log.into_iter().flatten());
        let changed = self.folders_of(&transaction);
        transaction.directories.extend(
            changed
                .iter()
                .map(|entry| host_folder::directory(&entry.name, entry.role)),
        );
        let given = besides.hook.map(|hook| Given::new(hook, self.now, system));
        let given = given.transpose()?;
        if let Some(given) = &given {
            // What was owed for a folder that is put away is forgotten with it, were there another of its name.
            let retired: HashSet<_> = self.retired.iter().map(|it| &it.name).collect();
            let owed = changed.iter().flat_map(|entry| {
                let is_forgotten = retired.contains(&entry.name);
                let owed = if is_forgotten {
                    &[]
                } else {
                    &*self.state.hooks
                };
                given.owe(&entry.name, owed)
            });
            transaction.changes.extend(owed);
            transaction.directories.push(closed(PENDING));
        }
        writer.commit(&transaction, &*system.progress)?;
        Ok(Done {
            made: all_made,
            crl: signed_crl,
            changed,
            files: transaction
                .changes
                .iter()
                .map(|it| it.path().to_owned())
                .collect(),
            given,
        })
    }

    fn renew_ca(
        &self,
        authority: Authority,
        validity: Validity,
        system: &System,
    ) -> Result<Authority, Error> {
        Ok(authority.renew(&RenewalTemplate {
            serial_number: system.entropy.serial_number()?,
            validity,
            name_constraints: self.state.cluster.settings().ca.name_constraints.clone(),
        })?)
    }

    /// The CA's next certificate, in its place and in the inventory.
    fn ca_files(&self, authority: &Authority) -> [Change; 2] {
        let certificate = authority.certificate();
        let pem = certificate.to_pem();
        let path = Path::new(CA_CERTIFICATE);
        let found = self.state.found(path);
        let inventory = layout::issued(&EntryName::ca(), &certificate.details.serial_number);
        [
            Change::Put {
                file: File::new(path, PUBLIC, pem.as_str()),
                before: found.map(|found| sha256(&found.bytes)),
            },
            new(File::new(inventory, PUBLIC, pem)),
        ]
    }

    /// The entries in whose host folders something is changed.
    fn folders_of(&self, transaction: &Transaction) -> Vec<&Entry> {
        let changes = transaction.changes.iter();
        let folders: HashSet<_> = changes.filter_map(|it| it.path().parent()).collect();
        let entries = self.state.cluster.entries().iter();
        let is_changed = |entry: &&Entry| {
            let folder = HostFolder::of(&entry.name, entry.role).directory();
            folders.contains(folder.as_path())
        };
        entries.filter(is_changed).collect()
    }

    /// The certificates that entries need, on all processors.
    fn sign(&self, authority: &Authority, system: &System) -> Result<Vec<Option<Signed>>, Error> {
        let (entropy, progress) = (&*system.entropy, &*system.progress);
        let trust = match self.ca {
            Some(_) => Trust::in_root(authority.certificate())?,
            None => self.state.ca.trust()?,
        };
        let issuer = Issuer {
            authority,
            trust: &trust,
            cluster: &self.state.cluster,
            now: self.now,
        };
        let count = self.needs.iter().filter(|need| need.signs()).count();
        progress.start("making certificates", count);
        let entries = self.state.cluster.entries();
        let indices = (0..entries.len()).into_par_iter().with_max_len(AT_ONCE);
        let sign = |index: usize| {
            let entry = &entries[index];
            let key = match &self.needs[index] {
                Need::Nothing | Need::Restore(..) => return Ok(None),
                Need::Renew(_) => None,
                Need::Issue | Need::Rekey(_) => Some(entropy.private_key(entry.key_algorithm)?),
            };
            progress.advance()?;
            let validity = Validity::starting(
                self.now,
                entry.lifetime,
                Some(&authority.certificate().details.validity),
            )?;
            let path = issuer.certify(
                &entry.into(),
                validity,
                self.key(index, key.as_ref()),
                entropy,
            )?;
            Ok(Some(Signed { key, path }))
        };
        indices.map(sign).collect()
    }

    /// The private key of an entry: a new one, or that in its host folder.
    fn key<'a>(&'a self, index: usize, new: Option<&'a PrivateKey>) -> &'a PrivateKey {
        match (new, &self.state.held[index].key) {
            (Some(new), _) => new,
            (None, Key::Usable(key)) => key,
            (None, Key::Missing | Key::Unusable(_)) => {
                unreachable!("only what has a key is renewed")
            }
        }
    }

    fn identity<'a>(&'a self, index: usize, signed: &'a Signed, chain: &'a str) -> Identity<'a> {
        let entry = &self.state.cluster.entries()[index];
        let key = self.key(index, signed.key.as_ref());
        Identity::issued(entry, key, &signed.path, chain)
    }

    /// The record of revocations, with nothing lost, for another while.
    fn sign_crl(&self, authority: &Authority) -> Result<(Bytes, SignedCrl), Error> {
        let record = self.state.crl.to_sign_again()?;
        let ca = &authority.certificate().details.validity;
        let lifetime = match self.task {
            Task::Crl {
                lifetime: Some(lifetime),
            } => lifetime,
            _ => self.state.cluster.settings().revocation.lifetime,
        };
        let number = crl_number(record.number(), self.now)?;
        let revoked = self.revoked().iter().map(|new| new.revocation.clone());
        let template = CrlTemplate {
            updates: crl_updates(lifetime, ca, self.now)?,
            number,
            revoked: record.revoked.into_iter().chain(revoked).collect(),
        };
        let signed = SignedCrl {
            crl_number: number.to_string(),
            this_update: template.updates.not_before,
            next_update: template.updates.not_after,
            entries: template.revoked.len(),
        };
        let der = authority.revocation_list(&template)?;
        Ok((crl::to_pem(&der).into(), signed))
    }

    /// What is revoked now.
    fn revoked(&self) -> &[NewRevocation] {
        match &self.task {
            Task::Revoke { revoked } => revoked,
            _ => &[],
        }
    }

    /// Puts host folders away, whole, private keys and all.
    fn retire(&self, transaction: &mut Transaction) {
        for retirement in &self.retired {
            let from = HostFolder::of(&retirement.name, retirement.role).directory();
            let to = retirement.retired.clone();
            transaction.changes.push(Change::MoveDirectory { from, to });
            let owed = hooks::forget(&retirement.name, &self.state.hooks);
            transaction.changes.extend(owed);
        }
        if !self.retired.is_empty() {
            transaction.directories.push(closed(RETIRED));
        }
    }

    /// The log, with what was done.
    fn log(&self, made: &[Made], system: &System) -> Option<Vec<Change>> {
        let mut events = Vec::new();
        let mut made = made.iter();
        if let Some((_, reason)) = &self.ca {
            let made = made.next()?;
            events.push(log::certificate("renew-ca", made, Some(reason.to_string())));
        }
        for need in &self.needs {
            let (action, reasons) = match need {
                Need::Issue => ("issue", None),
                Need::Rekey(reasons) => ("rekey", Some(joined(reasons, "; "))),
                Need::Renew(reasons) => ("renew", Some(joined(reasons, "; "))),
                Need::Nothing | Need::Restore(..) => continue,
            };
            events.push(log::certificate(action, made.next()?, reasons));
        }
        events.extend(self.revoked().iter().map(|new| Event {
            action: "revoke",
            name: new.name.as_ref(),
            serial_number: Some(&new.revocation.serial_number),
            reason: Some(new.revocation.reason.to_string()),
            ..Event::default()
        }));
        events.extend(self.crl.as_ref().map(|reason| Event {
            action: "sign-crl",
            reason: Some(reason.to_string()),
            ..Event::default()
        }));
        events.extend(self.retired.iter().map(|retirement| Event {
            action: "retire",
            name: Some(&retirement.name),
            serial_number: retirement.serial_number.as_ref(),
            ..Event::default()
        }));
        if events.is_empty() {
            return None;
        }
        let found = self.state.found(Path::new(LOG_FILE));
        let old = found.map(|found| found.bytes.as_slice());
        let former = &self.state.former_logs;
        Some(log::changes(old, former, events, self.now, &system.user))
    }
}

fn closed(path: &str) -> Directory {
    Directory {
        path: path.into(),
        mode: CLOSED_DIRECTORY,
    }
}

fn new(file: File) -> Change {
    Change::Put { file, before: None }
}
