//! The PKI directory that a command works on, read.

use std::cmp::Ordering;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rayon::prelude::*;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::error::Error;
use super::log;
use crate::domain::cluster::{Cluster, HaproxyFiles};
use crate::domain::error::Invalid;
use crate::domain::name::EntryName;
use crate::domain::role::Role;
use crate::domain::serial_number::SerialNumber;
use crate::domain::settings::{AbsolutePath, LoadBalancerSettings};
use crate::store::command::Command;
use crate::store::layout::{
    self, CA_CERTIFICATE, CLUSTER_FILE, CRL_FILE, HostFolder, ISSUED, KEY_CERT, LOG_FILE,
    TRUST_BUNDLE, issued_directory,
};
use crate::store::snapshot::{FileKind, Metadata};
use crate::store::target;
use crate::store::{self, Snapshot, Store, Writer, cluster_file};
use crate::system::System;
use crate::x509::certificate::ParsedCertificate;
use crate::x509::{dated, pem};

/// A PKI directory, open for reading.
#[derive(Debug)]
pub struct PkiDirectory {
    path: PathBuf,
    store: Store,
}

impl PkiDirectory {
    /// The directory at `path`, under the name that `init` wrote into HAProxy's lines: without symbolic links.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        let path = target::resolved(&path).unwrap_or(path);
        Self {
            store: Store::at(&path),
            path,
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Becomes its writer; nobody else writes until the answer is dropped. The run's instant is this one.
    ///
    /// # Errors
    /// When another run holds it for longer than `timeout`, or there is no directory.
    pub fn lock(&self, timeout: Duration, system: &mut System) -> Result<Writer, Error> {
        // Only a PKI directory gets a lock file.
        self.read(|view| view.cluster().map(drop))?;
        let writer = self.store.lock(timeout, &*system.progress)?;
        system.begin_anew();
        Ok(writer)
    }

    /// Reads one state of it, whatever a writer does meanwhile.
    ///
    /// # Errors
    /// What `read` answers, and when there is no directory or no one state can be seen.
    pub fn read<T>(&self, mut read: impl FnMut(&View<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let result = self.store.read(|snapshot| {
            let path = &self.path;
            read(&View { path, snapshot })
        });
        match result {
            Err(Error::Store(store::Error::Io { path, source, .. }))
                if path == self.path && is_no_directory(source.kind()) =>
            {
                Err(Error::NotAPkiDirectory { path })
            }
            result => result,
        }
    }
}

fn is_no_directory(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::NotADirectory | io::ErrorKind::NotFound)
}

/// One state of a PKI directory.
#[derive(Debug)]
pub struct View<'a> {
    path: &'a Path,
    snapshot: &'a Snapshot,
}

impl View<'_> {
    /// Where the directory is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.path
    }

    /// The cluster that zpki.toml describes.
    ///
    /// # Errors
    /// When there is none, or it is wrong.
    pub fn cluster(&self) -> Result<Cluster, Error> {
        let bytes = self.snapshot.bytes(Path::new(CLUSTER_FILE));
        let bytes = bytes.map_err(|error| match error {
            store::Error::NotAFile { path } => Error::ClusterFileIrregular { path },
            error => error.into(),
        })?;
        let bytes = bytes.ok_or_else(|| Error::NotAPkiDirectory {
            path: self.path.to_owned(),
        })?;
        cluster_file::parse(&bytes).map_err(|problems| Error::ClusterFile {
            path: self.path.join(CLUSTER_FILE),
            problems,
        })
    }

    /// The bytes of a file of the directory; None when there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn bytes(&self, path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, store::Error> {
        self.snapshot.bytes(path)
    }

    /// The bytes of a regular file that is not a link; None when there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn own_bytes(&self, path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, store::Error> {
        self.snapshot.own_bytes(path)
    }

    /// The command in a file; None when nothing stands there.
    #[must_use]
    pub fn command(&self, path: &Path) -> Option<Command> {
        self.snapshot.command(path)
    }

    /// What stands at a path, itself and not what it leads to; None when there is nothing.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn kind(&self, path: &Path) -> Result<Option<FileKind>, store::Error> {
        self.snapshot.kind(path)
    }

    /// What a file or directory is; None when there is none.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn metadata(&self, path: &Path) -> Result<Option<Metadata>, store::Error> {
        self.snapshot.metadata(path)
    }

    /// The names in a directory, sorted, without those that begin with a dot.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn list(&self, directory: &Path) -> Result<Vec<OsString>, store::Error> {
        self.snapshot.list(directory)
    }

    /// The names in the inventory, sorted.
    ///
    /// # Errors
    /// When the inventory cannot be read.
    pub fn issued_names(&self) -> Result<Vec<EntryName>, Error> {
        let names = self.snapshot.list(Path::new(ISSUED))?;
        let known = names.iter().filter_map(|name| name.to_str());
        Ok(known.filter_map(EntryName::of_inventory).collect())
    }

    /// The newest certificate that was issued to `name` and is not revoked, or else the newest: that with
    /// the latest notBefore, of such the one that lasts longest, and of those, made within a second, the
    /// last by the log. Of the CA it is the one in its place: one that was made elsewhere may be older than
    /// the one before it.
    ///
    /// # Errors
    /// When a certificate of the inventory cannot be read.
    pub fn newest(
        &self,
        name: &EntryName,
        is_revoked: impl Fn(&SerialNumber) -> bool,
    ) -> Result<Option<ParsedCertificate>, Error> {
        if *name == EntryName::ca()
            && let Some(bytes) = self.snapshot.bytes(Path::new(CA_CERTIFICATE))?
            && let Ok(ca) = certificate(&bytes, Path::new(CA_CERTIFICATE))
        {
            return Ok(Some(ca));
        }
        let directory = issued_directory(name);
        let mut files = self.snapshot.list(&directory)?;
        files.retain(|file| layout::is_issued(file));
        let (revoked, live): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| {
            layout::serial_number_of(file).is_some_and(|serial_number| is_revoked(&serial_number))
        });
        let files = if live.is_empty() { revoked } else { live };
        let issued = files.into_par_iter().filter_map(|file| {
            let path = directory.join(file);
            self.issued(path).transpose()
        });
        // The leftmost error, and all that is equally new.
        let newest = issued
            .map(|one| one.map(|one| vec![one]))
            .reduce_with(|ones, others| {
                let (mut ones, others) = (ones?, others?);
                match ones[0].age.cmp(&others[0].age) {
                    Ordering::Less => Ok(others),
                    Ordering::Greater => Ok(ones),
                    Ordering::Equal => {
                        ones.extend(others);
                        Ok(ones)
                    }
                }
            });
        let newest = match newest.transpose()? {
            Some(ones) => self.last_logged(ones)?,
            None => None,
        };
        newest
            .map(|newest| certificate(&newest.bytes, &self.path.join(newest.path)))
            .transpose()
    }

    /// The certificate that the log names last for the first time, which is when it was made.
    fn last_logged(&self, mut ones: Vec<Issued>) -> Result<Option<Issued>, store::Error> {
        if ones.len() < 2 {
            return Ok(ones.pop());
        }
        let former = log::former(self)?.into_iter().map(layout::former_log);
        let mut text = Vec::new();
        for path in former.chain([LOG_FILE.into()]) {
            if let Some(bytes) = self.snapshot.bytes(&path)? {
                text.extend_from_slice(&bytes);
            }
        }
        let text = String::from_utf8_lossy(&text);
        let made = |one: &Issued| {
            let serial_number = one.path.file_stem()?.to_str()?;
            text.find(serial_number)
        };
        Ok(ones.into_iter().max_by_key(made))
    }

    /// A file of the inventory; None when it is gone.
    fn issued(&self, path: PathBuf) -> Result<Option<Issued>, Error> {
        let Some(bytes) = self.snapshot.bytes(&path)? else {
            return Ok(None);
        };
        let age = match quick_age(&bytes) {
            Some(age) => age,
            // What the quick reader does not take, the thorough one explains.
            None => {
                let validity = certificate(&bytes, &self.path.join(&path))?
                    .details
                    .validity;
                let seconds = OffsetDateTime::unix_timestamp;
                (seconds(validity.not_before), seconds(validity.not_after))
            }
        };
        Ok(Some(Issued { path, age, bytes }))
    }
}

/// A certificate of the inventory, of which nothing but the dates was read.
struct Issued {
    path: PathBuf,
    /// notBefore and notAfter, in seconds since 1970.
    age: (i64, i64),
    bytes: Zeroizing<Vec<u8>>,
}

/// notBefore and notAfter of the certificate in a file of the inventory: there may be a hundred
/// thousand of them, and all but a few are of no other interest. None when anything is odd.
fn quick_age(bytes: &[u8]) -> Option<(i64, i64)> {
    let outline = pem::outlines(bytes).next()?;
    if outline.flaw().is_some() {
        return None;
    }
    let der = outline.decode().ok()?;
    let reading = dated::certificate(&der).ok()?;
    let is_plain = reading.length == der.len() && reading.openssl_rejects.is_none();
    let dated = reading.dated;
    Some((dated.not_before, dated.not_after.filter(|_| is_plain)?))
}

/// The one certificate in a file of the inventory.
fn certificate(bytes: &[u8], path: &Path) -> Result<ParsedCertificate, Error> {
    let unreadable = |line, because: String| Error::Unreadable {
        path: path.to_owned(),
        line,
        because,
        hint: "restore it from a backup".to_owned(),
    };
    let mut blocks = pem::scan(bytes).into_iter();
    let block = match blocks.next() {
        Some(Ok(block)) => block,
        Some(Err(error)) => return Err(unreadable(error.line(), error.to_string())),
        None => return Err(unreadable(None, "it has no PEM block".to_owned())),
    };
    ParsedCertificate::from_der(&block.contents)
        .map_err(|error| unreadable(Some(block.line), error.to_string()))
}

/// Where HAProxy finds its files: where zpki.toml says it sees them, else in the host folder.
///
/// # Errors
/// When the host folder's own path cannot stand on an HAProxy line.
pub fn haproxy_files(
    directory: &Path,
    settings: &LoadBalancerSettings,
) -> Result<HaproxyFiles, Invalid> {
    let name = EntryName::load_balancer();
    let folder = directory.join(HostFolder::of(&name, Role::LoadBalancer).directory());
    let own = |file: &str| -> Result<AbsolutePath, Invalid> {
        let path = folder.join(file);
        let because = "is not UTF-8, which no HAProxy line can hold";
        let shown = || path.to_string_lossy().into_owned();
        path.to_str()
            .ok_or_else(|| Invalid::Path {
                path: shown(),
                because,
            })?
            .parse()
    };
    let given = |path: &Option<AbsolutePath>, file| path.clone().map_or_else(|| own(file), Ok);
    let beside = |file: &str| {
        settings
            .ca_file
            .as_ref()
            .map(|ca_file| ca_file.beside(file))
    };
    Ok(HaproxyFiles {
        ca_file: given(&settings.ca_file, TRUST_BUNDLE)?,
        crt: given(&settings.crt, KEY_CERT)?,
        crl_file: given(
            &settings.crl_file.clone().or_else(|| beside(CRL_FILE)),
            CRL_FILE,
        )?,
    })
}
