//! `zpki backup`: the whole PKI directory in one file, as one state of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use super::directory::{PkiDirectory, View};
use super::error::Error;
use crate::domain::finding::{Finding, Severity};
use crate::store::file::{Directory, File, Tree};
use crate::store::layout::{self, CA_CERTIFICATE, CA_KEY, CLUSTER_FILE, KEPT, Named, is_command};
use crate::store::snapshot::FileKind;
use crate::store::{Store, archive};
use crate::system::{STDIN, System};
use crate::x509::pem;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Request {
    /// The file to make; None: standard output.
    pub file: Option<PathBuf>,
    /// How long to wait for another run that writes.
    pub lock_timeout: Duration,
}

/// What was backed up.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupReport {
    /// Version of this report's form.
    pub schema: u32,
    /// The instant of the run.
    #[serde(with = "time::serde::rfc3339::option")]
    pub at: Option<OffsetDateTime>,
    /// Always true: `backup` makes a file or fails.
    pub changed: bool,
    /// The worst of the findings.
    pub status: Severity,
    /// The PKI directory, absolute.
    pub directory: String,
    /// The file that was made, absolute; `-` for standard output.
    pub file: String,
    /// How many files it holds.
    pub files: usize,
    /// Its length.
    pub octets: u64,
    /// The CA's private key in it.
    pub ca_key: CaKey,
    /// What is not in it.
    pub findings: Vec<Finding>,
}

/// How the CA's private key is in a backup.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaKey {
    /// Not at all: it is kept elsewhere.
    Absent,
    /// Encrypted.
    Encrypted,
    /// In the clear.
    NotEncrypted,
}

/// An archive that is still to be written to standard output.
#[derive(Debug)]
pub struct Archive {
    tree: Tree,
    modified: i64,
}

impl Archive {
    /// Writes it.
    ///
    /// # Errors
    /// What `out` answers.
    pub fn write(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        archive::write(&self.tree, self.modified, out)
    }
}

/// Takes a backup; when it is to go to standard output, it is handed back to be written.
///
/// # Errors
/// When the directory cannot be read as a whole, or the file is there already or cannot be written.
pub fn run(
    request: &Request,
    directory: &PkiDirectory,
    system: &System,
) -> Result<(BackupReport, Option<Archive>), Error> {
    let path = request.file.as_deref().map(|path| system.locate(path));
    if let Some(path) = &path {
        archive::expect_nothing(path)?;
    }
    let Collected {
        tree,
        ca_key,
        mut findings,
    } = collect(request, directory, system)?;
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let modified = system.now.map_or(0, OffsetDateTime::unix_timestamp);
    if let Some(path) = &path {
        archive::save(path, &tree, modified)?;
    }
    let report = BackupReport {
        schema: 1,
        at: system.now,
        changed: true,
        status: findings
            .first()
            .map_or(Severity::Ok, |finding| finding.severity),
        directory: directory.path().display().to_string(),
        file: path
            .as_ref()
            .map_or_else(|| STDIN.to_owned(), |path| path.display().to_string()),
        files: tree.files.len(),
        octets: archive::length(&tree),
        ca_key,
        findings,
    };
    let archive = path.is_none().then_some(Archive { tree, modified });
    Ok((report, archive))
}

/// What a directory holds.
struct Collected {
    tree: Tree,
    ca_key: CaKey,
    findings: Vec<Finding>,
}

/// Nobody writes meanwhile, so that it is one state even if it takes long to read.
fn collect(
    request: &Request,
    directory: &PkiDirectory,
    system: &System,
) -> Result<Collected, Error> {
    directory.read(|view| cluster_file(view).map(drop))?;
    let store = Store::at(directory.path());
    let _writer = store.lock(request.lock_timeout, &*system.progress)?;
    directory.read(|view| {
        let mut collection = Collection {
            view,
            tree: Tree::default(),
            findings: Vec::new(),
        };
        let cluster = view.cluster().ok();
        let named = cluster.map(|cluster| layout::named(cluster.settings()));
        let named = named.unwrap_or_default();
        collection.strangers(&named)?;
        for path in KEPT {
            system.progress.check()?;
            collection.take(Path::new(path))?;
        }
        for Named { path, .. } in &named {
            collection.take_named(path)?;
        }
        let Collection { tree, findings, .. } = collection;
        expect_ca(&tree, view)?;
        Ok(Collected {
            ca_key: ca_key(view, &tree),
            tree,
            findings,
        })
    })
}

/// A zpki.toml with mistakes in it is backed up as well; without one, this is no PKI directory.
fn cluster_file(view: &View<'_>) -> Result<(), Error> {
    match view.metadata(Path::new(CLUSTER_FILE))? {
        Some(_) => Ok(()),
        None => Err(Error::NotAPkiDirectory {
            path: view.path().to_owned(),
        }),
    }
}

/// Without these two nothing could be restored.
fn expect_ca(tree: &Tree, view: &View<'_>) -> Result<(), Error> {
    let has = |path: &&str| tree.files.iter().any(|file| file.path == Path::new(path));
    match [CLUSTER_FILE, CA_CERTIFICATE]
        .into_iter()
        .find(|path| !has(path))
    {
        None => Ok(()),
        Some(path) => {
            let (found, hint) = match view.kind(Path::new(path))? {
                None if path == CA_CERTIFICATE => (
                    "nothing is there",
                    "put it there, from the CA's certificate in ca/issued/ca or from a backup",
                ),
                None => ("nothing is there", "put it there, from a backup"),
                Some(FileKind::Directory) => ("a directory is there", FILE_INSTEAD),
                Some(FileKind::File | FileKind::Other) => (
                    "a symbolic link or another special file is there",
                    FILE_INSTEAD,
                ),
            };
            Err(Error::Unreadable {
                path: view.path().join(path),
                line: None,
                because: format!("{found}, and a backup without it could not be restored"),
                hint: hint.to_owned(),
            })
        }
    }
}

const FILE_INSTEAD: &str =
    "put a regular file in its place, such as a copy of what a symbolic link leads to";

/// The key where zpki.toml has it, and one that is left where it would be otherwise.
fn ca_key(view: &View<'_>, tree: &Tree) -> CaKey {
    let cluster = view.cluster().ok();
    let ca = cluster.map(|cluster| cluster.settings().ca.clone());
    let ca = ca.unwrap_or_default();
    let places = [layout::ca_key(&ca), Path::new(CA_KEY)];
    let files = tree.files.iter();
    let keys: Vec<_> = files
        .filter(|file| places.contains(&&*file.path))
        .flat_map(|file| pem::scan(&file.bytes))
        .flatten()
        .filter(|block| block.label.ends_with("PRIVATE KEY"))
        .collect();
    if keys.is_empty() {
        CaKey::Absent
    } else if keys.iter().all(is_encrypted) {
        CaKey::Encrypted
    } else {
        CaKey::NotEncrypted
    }
}

/// As PKCS#8, or as RFC 1421 has it, which OpenSSL wrote of old.
fn is_encrypted(key: &pem::Block) -> bool {
    let is_old = key.headers.iter().any(|(name, _)| name == "DEK-Info");
    is_old || key.label == "ENCRYPTED PRIVATE KEY"
}

/// A directory that is being read.
struct Collection<'a> {
    view: &'a View<'a>,
    tree: Tree,
    findings: Vec<Finding>,
}

impl Collection<'_> {
    /// What others keep beside zpki's own files, and those that zpki.toml names.
    fn strangers(&mut self, named: &[Named]) -> Result<(), Error> {
        for name in self.view.list(Path::new(""))? {
            let name = Path::new(&name);
            let is_kept = KEPT.iter().any(|kept| Path::new(kept) == name);
            if is_kept || named.iter().any(|it| it.path == name) {
                continue;
            }
            let why = match named.iter().any(|it| it.path.starts_with(name)) {
                true => "it is not zpki's, and only what zpki.toml names is in the backup",
                false => "it is not zpki's, and not in the backup",
            };
            let finding = Finding::note("not-zpki-s", name.display(), why);
            self.findings.push(finding);
        }
        Ok(())
    }

    /// Takes a file that is not where zpki has its own, and the directories above it.
    fn take_named(&mut self, path: &Path) -> Result<(), Error> {
        let mut above: Vec<_> = path.ancestors().skip(1).collect();
        above.retain(|directory| *directory != Path::new(""));
        for directory in above.into_iter().rev() {
            match (self.view.kind(directory)?, self.view.metadata(directory)?) {
                (Some(FileKind::Directory), Some(metadata)) => {
                    let path = directory.to_owned();
                    let is_new = self.tree.directories.iter().all(|it| it.path != path);
                    let mode = metadata.mode;
                    let directories = &mut self.tree.directories;
                    directories.extend(is_new.then_some(Directory { path, mode }));
                }
                (Some(_), _) => {
                    self.left_out(path, LINK, NO_LINK);
                    return Ok(());
                }
                (None, _) => return Ok(()),
            }
        }
        let is_new = self.tree.files.iter().all(|it| it.path != path);
        match is_new {
            true => self.take(path),
            false => Ok(()),
        }
    }

    /// Takes what is at `path`, with all that is below it.
    fn take(&mut self, path: &Path) -> Result<(), Error> {
        let (Some(kind), Some(metadata)) = (self.view.kind(path)?, self.view.metadata(path)?)
        else {
            return self.take_dangling(path);
        };
        if !archive::can_hold(path) {
            let why = "no backup can hold a name like this";
            self.left_out(path, why, "rename it");
            return Ok(());
        }
        let (path, mode) = (path.to_owned(), metadata.mode);
        match kind {
            FileKind::Directory => {
                let names = self.view.list(&path)?;
                self.tree.directories.push(Directory {
                    path: path.clone(),
                    mode,
                });
                names
                    .into_iter()
                    .try_for_each(|name| self.take(&path.join(name)))?;
            }
            FileKind::File => match self.view.own_bytes(&path) {
                Ok(None) => {}
                Ok(Some(bytes)) => {
                    let bytes = bytes.into();
                    self.tree.files.push(File { path, mode, bytes });
                }
                // It is another user's, and nothing of the PKI.
                Err(_) if is_command(&path) => {
                    self.left_out(&path, "it cannot be read", NO_LINK);
                }
                Err(error) => return Err(error.into()),
            },
            FileKind::Other => self.left_out(&path, LINK, NO_LINK),
        }
        Ok(())
    }

    /// A link to nowhere, or nothing.
    fn take_dangling(&mut self, path: &Path) -> Result<(), Error> {
        if self.view.kind(path)?.is_some() {
            self.left_out(path, LINK, NO_LINK);
        }
        Ok(())
    }

    fn left_out(&mut self, path: &Path, why: &str, next: &str) {
        self.findings.push(Finding::warning(
            "left-out",
            path.display(),
            format!("it is not in the backup: {why}"),
            if is_command(path) {
                "remove it, or let the user whose command it is run `zpki apply`"
            } else {
                next
            },
        ));
    }
}

const LINK: &str = "it is a symbolic link or another special file, not what it leads to";
const NO_LINK: &str = "put a regular file in its place, or back it up by other means";
