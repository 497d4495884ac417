//! What runs out in a PKI directory: what its hosts have, the CA, its CRL, and the newest certificate
//! of each name that was not revoked. Superseded ones are no problem.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use super::{Holdings, Inventory};
use crate::audit::expiry::Rules;
use crate::commands::directory::View;
use crate::commands::error::Error;
use crate::commands::{extra_crls, hooks};
use crate::domain::cluster::Cluster;
use crate::domain::digest::Digest;
use crate::domain::expiry::{PathRole, ReadReason, Reason, State};
use crate::domain::finding::Finding;
use crate::domain::name::EntryName;
use crate::domain::role::Role;
use crate::scan::decode::{Contents, Found, decode};
use crate::scan::read::ReadError;
use crate::scan::walk::Source;
use crate::store::error::Kind;
use crate::store::layout::{
    self, CA_CERTIFICATE, CA_CHAIN, CA_FILE, CRL, CRL_FILE, HostFolder, ISSUED, PENDING,
    issued_directory,
};
use crate::x509::dated::Dated;
use crate::x509::path_crl::PathCrl;
use crate::x509::pem;

/// What was found in a PKI directory.
pub(super) struct Installation {
    cluster: Cluster,
    inventory: Inventory,
}

/// Reads one state of the directory.
pub(super) fn read(view: &View<'_>) -> Result<Installation, Error> {
    let cluster = view.cluster()?;
    let mut reader = Reader {
        view,
        inventory: Inventory::default(),
        met: HashSet::new(),
    };
    reader.authority(&cluster);
    let lacking = reader.host_folders(&cluster);
    let issued = reader.issued();
    for (name, path, fate) in lacking {
        match fate {
            _ if issued.contains(name) => {}
            Fate::Closed => reader.unreadable(&path, ReadReason::PermissionDenied),
            Fate::Missing | Fate::Read => reader.unreadable(&path, ReadReason::NotFound),
        }
    }
    reader.hooks();
    Ok(Installation {
        cluster,
        inventory: reader.inventory,
    })
}

impl Installation {
    /// How everything stands.
    pub(super) fn judge(mut self, rules: &Rules) -> Inventory {
        let term = self.cluster.longest_term().map(|term| term.whole_seconds());
        let is_crl_in_use = self.cluster.settings().revocation.enabled;
        for item in self.inventory.items_mut() {
            let runway = match item.dated.role {
                PathRole::Root | PathRole::Intermediate => term,
                PathRole::Crl | PathRole::Leaf => None,
            };
            (item.state, item.reason) = rules.judge(&item.dated, runway);
            if item.dated.role == PathRole::Crl && !is_crl_in_use {
                // Nobody reads it, so that nothing is down, and nothing will be.
                (item.state, item.reason) = match item.reason {
                    None | Some(Reason::Remaining(_)) => (State::Ok, None),
                    reason => (State::Warning, reason),
                };
            }
        }
        self.inventory
    }
}

struct Reader<'a> {
    view: &'a View<'a>,
    inventory: Inventory,
    /// Each certificate and CRL is told once, for the file that was read first.
    met: HashSet<Digest>,
}

/// What became of a file.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Fate {
    /// This user may not read it.
    Closed,
    Missing,
    Read,
}

impl Reader<'_> {
    fn authority(&mut self, cluster: &Cluster) {
        let own = [CA_CERTIFICATE, CA_FILE, CA_CHAIN, CRL].map(PathBuf::from);
        let extra = extra_crls::files(&cluster.settings().revocation);
        for path in own.into_iter().chain(extra) {
            let path = path.as_path();
            match self.file(path) {
                Fate::Read => {}
                Fate::Closed => self.unreadable(path, ReadReason::PermissionDenied),
                Fate::Missing if [CA_CHAIN, CA_FILE].map(Path::new).contains(&path) => {}
                Fate::Missing => self.unreadable(path, ReadReason::NotFound),
            }
        }
    }

    /// The files of each host that have a date. Answers with the certificates that are not there, or
    /// that this user may not read.
    fn host_folders<'c>(&mut self, cluster: &'c Cluster) -> Vec<(&'c EntryName, PathBuf, Fate)> {
        let mut closed = 0;
        let mut lacking = Vec::new();
        for entry in cluster.entries() {
            let folder = HostFolder::of(&entry.name, entry.role);
            let mut files = vec![folder.certificate(), folder.trust_bundle()];
            if entry.role == Role::LoadBalancer {
                files.push(folder.directory().join(CRL_FILE));
            }
            let fates: Vec<Fate> = files.iter().map(|path| self.file(path)).collect();
            closed += usize::from(fates.contains(&Fate::Closed));
            if fates[0] != Fate::Read {
                lacking.push((&entry.name, files.swap_remove(0), fates[0]));
            }
        }
        if closed > 0 {
            let why = format!(
                "this user may not enter {closed} host folders: what was issued last (ca/issued) was looked at in place of what is in them"
            );
            let about = self.view.path().display();
            self.inventory
                .findings
                .push(Finding::note("host-folders-closed", about, why));
        }
        lacking
    }

    fn file(&mut self, path: &Path) -> Fate {
        let bytes = match self.view.bytes(path) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Fate::Missing,
            Err(error) if error.kind() == Kind::Permission => return Fate::Closed,
            Err(error) => {
                self.refuse(path, &error.into());
                return Fate::Read;
            }
        };
        self.add(path, decode(&bytes));
        Fate::Read
    }

    fn add(&mut self, path: &Path, mut contents: Contents) {
        let source = Source::named(self.located(path));
        if contents.found.is_empty() {
            return self.inventory.add(source, Holdings::of(contents));
        }
        let met = &mut self.met;
        contents
            .found
            .retain(|found| met.insert(found.dated.fingerprint));
        self.inventory.add_some(source, Holdings::of(contents));
    }

    /// The newest certificate of each name in the inventory; answers with the names that have one.
    fn issued(&mut self) -> BTreeSet<EntryName> {
        let revoked = self.revoked();
        let names = match self.view.issued_names() {
            Ok(names) => names,
            Err(error) => {
                self.refuse(Path::new(ISSUED), &error);
                Vec::new()
            }
        };
        // Of the CA it is the one in its place; another may be newer that was there before.
        let is_found = |name: &EntryName| *name != EntryName::ca() && self.newest(name, &revoked);
        names.into_iter().filter(is_found).collect()
    }

    /// Looks at the newest certificate that was issued to `name` and not revoked, if there is one.
    fn newest(&mut self, name: &EntryName, revoked: &HashSet<Vec<u8>>) -> bool {
        let directory = issued_directory(name);
        let files = match self.view.list(&directory) {
            Ok(files) => files,
            Err(error) => {
                self.refuse(&directory, &error.into());
                return false;
            }
        };
        let mut newest: Option<(PathBuf, Found)> = None;
        for file in files.into_iter().filter(|file| layout::is_issued(file)) {
            let path = directory.join(file);
            let bytes = match self.view.bytes(&path) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => continue,
                Err(error) => {
                    self.refuse(&path, &error.into());
                    continue;
                }
            };
            let mut contents = decode(&bytes);
            let found = std::mem::take(&mut contents.found);
            if found.is_empty() || !contents.errors.is_empty() {
                self.add(&path, contents);
            }
            for found in found {
                let is_revoked = revoked.contains(found.dated.identity.serial_octets());
                // Of two of the same second it is the one that is installed.
                let age = |found: &Found| {
                    let Dated {
                        not_before,
                        not_after,
                        fingerprint,
                        ..
                    } = &found.dated;
                    (*not_before, *not_after, self.met.contains(fingerprint))
                };
                let is_newer = newest.as_ref().is_none_or(|(_, it)| age(it) < age(&found));
                if !is_revoked && is_newer {
                    newest = Some((path.clone(), found));
                }
            }
        }
        let Some((path, found)) = newest else {
            return false;
        };
        let contents = Contents {
            found: vec![found],
            ..Contents::default()
        };
        self.add(&path, contents);
        true
    }

    /// The serial numbers on the CA's CRL.
    fn revoked(&self) -> HashSet<Vec<u8>> {
        let bytes = self.view.bytes(Path::new(CRL)).ok().flatten();
        let blocks = bytes.map(|bytes| pem::scan(&bytes)).unwrap_or_default();
        let blocks = blocks.into_iter().flatten();
        let crls = blocks.filter_map(|block| PathCrl::from_der(&block.contents).ok());
        crls.flat_map(|crl| crl.revoked.into_keys()).collect()
    }

    /// Certificates that were changed and of which a host does not know yet.
    fn hooks(&mut self) {
        // Who may not look there is no one who could run them.
        let owed = self.view.list(Path::new(PENDING)).unwrap_or_default();
        for name in owed {
            let path = Path::new(PENDING).join(name);
            let about = self.located(&path);
            let found = hooks::found(self.view, &path, "hook-pending", about.display());
            self.inventory.findings.extend(found);
        }
    }

    /// Takes note of what cannot be read, and lets the rest be judged.
    fn refuse(&mut self, path: &Path, error: &Error) {
        let reason = match error {
            Error::Store(error) if error.kind() == Kind::Permission => ReadReason::PermissionDenied,
            _ => ReadReason::ReadFailed,
        };
        self.unreadable(path, reason);
    }

    fn unreadable(&mut self, path: &Path, reason: ReadReason) {
        let message = match reason {
            ReadReason::NotFound => "it is not there",
            ReadReason::PermissionDenied => "permission denied",
            _ => "it cannot be read",
        };
        self.inventory.errors.push(ReadError {
            path: self.located(path),
            index: None,
            line: None,
            reason,
            message: message.to_owned(),
            referenced_by: Vec::new(),
        });
    }

    fn located(&self, path: &Path) -> PathBuf {
        self.view.path().join(path)
    }
}
