//! What runs out in a PKI directory: what its hosts have, the CA, its CRL, and the newest certificate
//! of each name that was not revoked. Superseded ones are no problem.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::{Holdings, Inventory};
use crate::audit::authority::longest_term;
use crate::audit::expiry::Rules;
use crate::commands::directory::View;
use crate::commands::error::Error;
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
    self, CA_CERTIFICATE, CA_FILE, CRL, CRL_FILE, HostFolder, PENDING, issued_directory,
};
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
    reader.authority();
    reader.host_folders(&cluster);
    let revoked = reader.revoked();
    for name in view.issued_names()? {
        reader.newest(&name, &revoked)?;
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
        let term = longest_term(&self.cluster).map(|term| term.whole_seconds());
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
    fn authority(&mut self) {
        for path in [CA_CERTIFICATE, CA_FILE, CRL].map(Path::new) {
            match self.file(path) {
                Fate::Read => {}
                Fate::Closed => self.unreadable(path, ReadReason::PermissionDenied),
                Fate::Missing if path == Path::new(CA_FILE) => {}
                Fate::Missing => self.unreadable(path, ReadReason::NotFound),
            }
        }
    }

    /// The files of each host that have a date.
    fn host_folders(&mut self, cluster: &Cluster) {
        let mut closed = 0;
        for entry in cluster.entries() {
            let folder = HostFolder::of(&entry.name, entry.role);
            let mut files = vec![folder.certificate(), folder.trust_bundle()];
            if entry.role == Role::LoadBalancer {
                files.push(folder.directory().join(CRL_FILE));
            }
            let fates: Vec<Fate> = files.iter().map(|path| self.file(path)).collect();
            closed += usize::from(fates.contains(&Fate::Closed));
        }
        if closed > 0 {
            let why = format!(
                "this user may not enter {closed} host folders: what was issued last (ca/issued) was looked at in place of what is in them"
            );
            let about = self.view.path().display();
            self.inventory
                .findings
                .push(Finding::note("host_folders_closed", about, why));
        }
    }

    fn file(&mut self, path: &Path) -> Fate {
        let bytes = match self.view.bytes(path) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Fate::Missing,
            Err(error) if error.kind() == Kind::Permission => return Fate::Closed,
            Err(_) => {
                self.unreadable(path, ReadReason::ReadFailed);
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

    /// The newest certificate that was issued to `name` and not revoked.
    fn newest(&mut self, name: &EntryName, revoked: &HashSet<Vec<u8>>) -> Result<(), Error> {
        let directory = issued_directory(name);
        let mut newest: Option<(PathBuf, Found)> = None;
        let age = |found: &Found| (found.dated.not_before, found.dated.not_after);
        for file in self.view.list(&directory)? {
            if !layout::is_issued(&file) {
                continue;
            }
            let path = directory.join(file);
            let Some(bytes) = self.view.bytes(&path)? else {
                continue;
            };
            let mut contents = decode(&bytes);
            for found in std::mem::take(&mut contents.found) {
                let is_revoked = revoked.contains(found.dated.identity.serial_octets());
                let is_newer = newest.as_ref().is_none_or(|(_, it)| age(it) < age(&found));
                if !is_revoked && is_newer {
                    newest = Some((path.clone(), found));
                }
            }
            if !contents.errors.is_empty() {
                self.add(&path, contents);
            }
        }
        if let Some((path, found)) = newest {
            let contents = Contents {
                found: vec![found],
                ..Contents::default()
            };
            self.add(&path, contents);
        }
        Ok(())
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
            let about = self.located(&Path::new(PENDING).join(name));
            self.inventory.findings.push(Finding::warning(
                "hook_pending",
                about.display(),
                "the certificate of this entry was changed, and the command that should follow has not succeeded yet",
                "run the command again, or reload its host by hand",
            ));
        }
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
