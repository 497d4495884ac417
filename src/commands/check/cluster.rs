//! `zpki check` in a PKI directory: everything, in both directions.

use std::collections::{BTreeMap, HashMap, hash_map};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Serialize;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::input::{Contents, Located, crls_of, key_problem, private_keys};
use super::verdict::{Judge, Source, VerdictReport};
use super::{because, shown, worst_first};
use crate::audit::entry::Installed;
use crate::audit::files::Observed;
use crate::audit::{authority, entry, files, revocation};
use crate::commands::directory::{PkiDirectory, View};
use crate::commands::error::Error;
use crate::commands::init::RELEASED;
use crate::commands::{extra_crls, hooks, state};
use crate::domain::cluster::{Cluster, Entry};
use crate::domain::finding::{Finding, Severity};
use crate::domain::name::{ClusterName, EntryName};
use crate::domain::revocation::restore_record;
use crate::domain::role::Role;
use crate::domain::text::ShellWord;
use crate::domain::validity::Validity;
use crate::store::layout::{
    self, CA, CA_CERTIFICATE, CA_CHAIN, CA_FILE, CA_FILES, CA_KEY, CLIENTS, CLOSED_DIRECTORY,
    CLUSTER_FILE, CRL, CRL_FILE, HostFolder, ISSUED, LOG_FILE, OPEN_DIRECTORY, OWN, PENDING,
    PREVIOUS, PUBLIC, RETIRED, SERVER_PUBLIC_KEY, SERVERS,
};
use crate::store::snapshot::FileKind;
use crate::system::System;
use crate::verify::policy::Policy;
use crate::x509::certificate::ParsedCertificate;
use crate::x509::crl;
use crate::x509::path_certificate::PathCertificate;
use crate::x509::path_crl::PathCrl;
use crate::x509::pem::{self, Block};
use crate::x509::profile::check_renewable;

/// What there is to say of a cluster.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterReport {
    /// Version of this report's form.
    pub schema: u32,
    /// The instant that was judged for.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Always false: nothing is written.
    pub changed: bool,
    /// The worst of the findings.
    pub status: Severity,
    /// The PKI directory.
    pub directory: String,
    /// The cluster's name.
    pub cluster: ClusterName,
    /// The entries of zpki.toml, in its order, and then the clients that `zpki issue` made folders for.
    pub entries: Vec<EntryReport>,
    /// Everything that was found, worst first.
    pub findings: Vec<Finding>,
}

/// What its consumers say of an entry.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryReport {
    /// Its name.
    pub name: EntryName,
    /// Its role.
    pub role: Role,
    /// The file of its certificate, relative to the directory.
    pub file: String,
    /// What each consumer says; empty when there is no certificate to judge.
    pub verdicts: Vec<VerdictReport>,
}

/// Checks a PKI directory, for `at` or for now.
///
/// # Errors
/// When there is no zpki.toml, it is wrong, or there is no clock.
pub fn run(
    at: Option<OffsetDateTime>,
    directory: &PkiDirectory,
    system: &System,
) -> Result<ClusterReport, Error> {
    let is_now = at.is_none();
    let at = at.or(system.now).ok_or(Error::NoClock)?;
    let installation = directory.read(Installation::read)?;
    let mut inspection = Inspection {
        directory: directory.path(),
        at,
        installation: &installation,
        judge: Judge::at(at),
        revoked: HashMap::new(),
        keys: HashMap::new(),
        findings: installation.findings.clone(),
    };
    inspection.authority();
    inspection.still_passing();
    let entries = installation.cluster.entries().iter();
    let mut entries: Vec<_> = entries.map(|entry| inspection.entry(entry)).collect();
    let clients = installation.clients.iter();
    entries.extend(clients.map(|name| inspection.client(name)));
    if is_now {
        inspection.clock();
    }
    let mut findings = inspection.findings;
    let status = worst_first(&mut findings);
    Ok(ClusterReport {
        schema: 1,
        at,
        changed: false,
        status,
        directory: shown(directory.path()),
        cluster: installation.cluster.settings().name.clone(),
        entries,
        findings,
    })
}

/// Everything that is looked at, of one state of the directory.
struct Installation {
    cluster: Cluster,
    /// The files that could be read.
    files: BTreeMap<PathBuf, Zeroizing<Vec<u8>>>,
    /// What the inventory has of each name; None when that could not be read.
    issued: BTreeMap<EntryName, Option<Vec<PathCertificate>>>,
    /// The clients that have a folder and are not in zpki.toml.
    clients: Vec<EntryName>,
    /// The CRLs of the CAs above, as HAProxy should have them behind the CA's own.
    extra_crls: String,
    /// What was found while reading.
    findings: Vec<Finding>,
}

impl Installation {
    fn read(view: &View<'_>) -> Result<Self, Error> {
        let cluster = view.cluster()?;
        let mut installation = Self {
            files: BTreeMap::new(),
            issued: BTreeMap::new(),
            clients: Vec::new(),
            findings: Vec::new(),
            extra_crls: extra_crls::as_they_are(&cluster.settings().revocation, view),
            cluster,
        };
        let issued = view.issued_names()?;
        installation.clients = installation.unnamed_clients(view, &issued);
        let mut expected = expected_files(&installation.cluster);
        for name in &installation.clients {
            // What is wanted of a client may be on its host only.
            let folder = folder(&HostFolder::of(name, Role::Client));
            let is_there = |it: &Expected| matches!(view.kind(&it.path), Ok(Some(_)));
            expected.extend(folder.into_iter().filter(is_there));
        }
        let owner = view.metadata(Path::new(""))?.map(|found| found.owner);
        let mut observed = Vec::new();
        for item in &expected {
            installation.look(view, item, &mut observed);
        }
        let kept = installation.unnamed(view).into_iter();
        let kept = kept.chain(issued.iter().map(layout::issued_directory));
        let kept = kept.chain(OWN.into_iter().chain([PENDING]).map(PathBuf::from));
        observed.extend(kept.filter_map(|path| at_most(view, path)));
        let owner = owner.unwrap_or_default();
        installation
            .findings
            .extend(files::check(&observed, owner, view.path()));
        if let Some(chain) = view.bytes(Path::new(CA_CHAIN))? {
            installation.files.insert(CA_CHAIN.into(), chain);
        }
        for name in issued {
            let certificates = installation.inventory(view, &name);
            installation.issued.insert(name, certificates);
        }
        installation.former_cas(view);
        installation.hooks_and_passphrases(view);
        installation.unknown_entries(view);
        Ok(installation)
    }

    /// Reads a file, or looks at a directory.
    fn look(&mut self, view: &View<'_>, expected: &Expected, observed: &mut Vec<Observed>) {
        let path = &expected.path;
        let metadata = match view.metadata(path) {
            Ok(Some(metadata)) => metadata,
            Ok(None) => return self.missing(view, expected),
            Err(error) => return self.unreadable(path, &error.into()),
        };
        if metadata.is_directory != expected.is_directory {
            let wanted = if expected.is_directory {
                "a directory"
            } else {
                "a file"
            };
            self.findings.push(Finding {
                severity: Severity::Critical,
                id: "file-kind",
                about: shown(path),
                why: format!("{wanted} should be there, and it is none"),
                next: Some("restore it from a backup".to_owned()),
            });
            return;
        }
        // Elsewhere the key may be another user's, and even its owner may be unable to write it.
        let is_kept_elsewhere = *path == self.ca_key() && path != Path::new(CA_KEY);
        // The PKI directory may have been there, and closed to more than it need be.
        let is_closed = *path == Path::new(HERE) && metadata.mode & 0o022 == 0;
        if !is_closed && (!is_kept_elsewhere || metadata.mode & 0o077 != 0) {
            observed.push(Observed {
                path: path.clone(),
                mode: metadata.mode,
                expected: expected.mode,
                owner: metadata.owner,
                is_of_host: expected.is_of_host,
            });
        }
        if metadata.is_directory {
            return;
        }
        match view.bytes(path) {
            Ok(Some(bytes)) => _ = self.files.insert(path.clone(), bytes),
            Ok(None) => self.missing(view, expected),
            Err(error) => self.unreadable(path, &error.into()),
        }
    }

    fn missing(&mut self, view: &View<'_>, expected: &Expected) {
        let path = &expected.path;
        // The CA's key may well be kept where nobody can read it but to sign.
        if *path == self.ca_key() {
            return;
        }
        if path == Path::new(LOG_FILE) {
            self.findings.push(Finding::warning(
                "file-missing",
                LOG_FILE,
                "it is not there: nothing else tells who issued, renewed and revoked what, and why",
                "restore it from a backup; the next change begins a new one",
            ));
            return;
        }
        let next = if path == Path::new(CRL) {
            restore_record(state::has_haproxy_crl(view))
        } else if expected.is_made_again() {
            format!("make it again: {}", zpki(view.path(), "apply"))
        } else {
            "restore it from a backup".to_owned()
        };
        self.findings.push(Finding {
            severity: Severity::Critical,
            id: "file-missing",
            about: shown(path),
            why: "it is not there".to_owned(),
            next: Some(next),
        });
    }

    fn unreadable(&mut self, path: &Path, error: &Error) {
        self.findings.push(Finding {
            severity: Severity::Unknown,
            id: "file-unreadable",
            about: shown(path),
            why: because(error),
            next: Some("let a user who may read it run the check; it should be a file".to_owned()),
        });
    }

    /// The names in a directory; when it cannot be read, that is told, and there are none.
    fn list(&mut self, view: &View<'_>, directory: &Path) -> Option<Vec<OsString>> {
        match view.list(directory) {
            Ok(names) => Some(names),
            Err(error) => {
                self.unreadable(directory, &error.into());
                None
            }
        }
    }

    /// What stands in ca/, and in folders that zpki.toml does not name. Nobody knows what should be there.
    fn unnamed(&mut self, view: &View<'_>) -> Vec<PathBuf> {
        let in_ca = self.list(view, Path::new(CA)).unwrap_or_default();
        let mut all: Vec<_> = in_ca.iter().map(|name| Path::new(CA).join(name)).collect();
        for above in [SERVERS, CLIENTS, RETIRED, PREVIOUS].map(Path::new) {
            all.push(above.to_owned());
            for name in self.list(view, above).unwrap_or_default() {
                let folder = above.join(&name);
                if !self.is_host_folder(&folder) {
                    let files = self.files(view, &folder);
                    all.push(folder);
                    all.extend(files);
                }
            }
        }
        all
    }

    /// Whether it is the host folder of an entry of zpki.toml.
    fn is_host_folder(&self, path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str());
        let entry = name.and_then(|name| self.cluster.entry(name));
        entry.is_some_and(|it| HostFolder::of(&it.name, it.role).directory() == path)
    }

    /// What stands in a directory; nothing in what is none.
    fn files(&mut self, view: &View<'_>, directory: &Path) -> Vec<PathBuf> {
        if !matches!(view.kind(directory), Ok(Some(FileKind::Directory))) {
            return Vec::new();
        }
        let names = self.list(view, directory).unwrap_or_default();
        names.iter().map(|name| directory.join(name)).collect()
    }

    /// The certificates that were issued for a name; None when that is not known.
    fn inventory(&mut self, view: &View<'_>, name: &EntryName) -> Option<Vec<PathCertificate>> {
        let directory = layout::issued_directory(name);
        let names = self.list(view, &directory)?;
        let mut certificates = Vec::new();
        for file in names.into_iter().filter(|file| layout::is_issued(file)) {
            let path = directory.join(file);
            let bytes = match view.bytes(&path) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => continue,
                Err(error) => {
                    self.unreadable(&path, &error.into());
                    continue;
                }
            };
            match Contents::of(&bytes, &path, Source::Sent) {
                Ok(contents) => {
                    let read = contents.certificates.into_iter();
                    let read: Vec<_> = read.map(|located| located.certificate).collect();
                    self.findings.extend(misnamed(&path, &read));
                    certificates.extend(read);
                }
                Err(error) => self.findings.push(damaged(&path, &error)),
            }
        }
        Some(certificates)
    }

    /// The CRLs of CAs that were replaced, which tell of compromised keys.
    fn former_cas(&mut self, view: &View<'_>) {
        for folder in self.list(view, Path::new(PREVIOUS)).unwrap_or_default() {
            let path = layout::former_ca(&folder, CRL);
            let certificate = layout::former_ca(&folder, CA_CERTIFICATE);
            match state::former_crl(&folder, view) {
                Ok(Some(_)) => {}
                Ok(None) if matches!(view.kind(&certificate), Ok(None)) => {}
                Ok(None) => self.findings.push(Finding::warning(
                    "former-crl-missing",
                    shown(&path),
                    "it is not there: nothing tells of the keys that were compromised under this CA",
                    "restore it from a backup",
                )),
                Err(Error::Unreadable { because, hint, .. }) => self.findings.push(Finding {
                    severity: Severity::Critical,
                    id: "file-damaged",
                    about: shown(&path),
                    why: because,
                    next: Some(hint),
                }),
                Err(error) => self.unreadable(&path, &error),
            }
        }
    }

    /// Hooks that are owed, and a passphrase beside the key that it opens.
    fn hooks_and_passphrases(&mut self, view: &View<'_>) {
        for name in self.list(view, Path::new(PENDING)).unwrap_or_default() {
            let path = Path::new(PENDING).join(name);
            let found = hooks::found(view, &path, "hook-pending", shown(&path));
            self.findings.extend(found);
        }
        let in_ca = self.list(view, Path::new(CA)).unwrap_or_default();
        self.left_behind(&in_ca);
        for name in in_ca {
            let is_passphrase = name.to_string_lossy().to_ascii_lowercase().contains("pass");
            if is_passphrase {
                self.findings.push(Finding::warning(
                    "passphrase-beside-key",
                    shown(&Path::new(CA).join(name)),
                    "by its name it is a passphrase, and whoever copies this directory has it with the key",
                    "keep it elsewhere, and give it with --ca-passphrase-file",
                ));
            }
        }
    }

    /// The CA's private key in its usual place, when zpki.toml has it in another.
    fn left_behind(&mut self, in_ca: &[OsString]) {
        let key = self.ca_key();
        let usual = Path::new(CA_KEY);
        if key != usual && in_ca.iter().any(|name| usual.file_name() == Some(name)) {
            self.findings.push(Finding::warning(
                "ca-key-left-behind",
                CA_KEY,
                format!(
                    "zpki.toml has the CA's private key elsewhere ({}), and whoever copies this directory has this one",
                    shown(&key)
                ),
                "move it there, or if it is there already, remove it here",
            ));
        }
    }

    /// Clients that have a folder and certificates, and are not in zpki.toml.
    fn unnamed_clients(&mut self, view: &View<'_>, issued: &[EntryName]) -> Vec<EntryName> {
        let names = self.list(view, Path::new(CLIENTS)).unwrap_or_default();
        let names = names.iter().filter_map(|name| name.to_str()?.parse().ok());
        let is_unnamed = |name: &EntryName| {
            let entry = self.cluster.entry(name.as_str());
            entry.is_none_or(|entry| entry.role != Role::Client) && issued.contains(name)
        };
        names.filter(is_unnamed).collect()
    }

    /// Host folders of servers that zpki.toml does not name.
    fn unknown_entries(&mut self, view: &View<'_>) {
        for name in self.list(view, Path::new(SERVERS)).unwrap_or_default() {
            let known = name.to_str().and_then(|name| self.cluster.entry(name));
            if known.is_none_or(|entry| entry.role != Role::Server) {
                self.findings.push(Finding::warning(
                    "unknown-entry",
                    shown(&Path::new(SERVERS).join(name)),
                    "zpki.toml has no server of this name, and its certificate is as good as those of the others",
                    "remove the folder, here and on its host, or add the server to zpki.toml",
                ));
            }
        }
    }

    /// Where the CA's key is.
    fn ca_key(&self) -> PathBuf {
        layout::ca_key(&self.cluster.settings().ca).to_owned()
    }

    /// What was issued to an entry; None when that is not known.
    fn issued_to(&self, name: &EntryName) -> Option<&[PathCertificate]> {
        match self.issued.get(name) {
            Some(found) => found.as_deref(),
            None => Some(&[]),
        }
    }

    /// Who else a certificate was issued to that was not to `name`.
    fn another(&self, name: &EntryName, certificate: &PathCertificate) -> Option<&EntryName> {
        let has = |issued: &Option<Vec<PathCertificate>>| {
            let mut issued = issued.iter().flatten();
            issued.any(|issued| issued.der == certificate.der)
        };
        if self.issued.get(name).is_some_and(has) {
            return None;
        }
        let mut others = self.issued.iter();
        others.find_map(|(other, issued)| has(issued).then_some(other))
    }

    fn certificates(&self, path: &Path, source: Source) -> Result<Contents, Option<Error>> {
        let bytes = self.files.get(path).ok_or(None)?;
        Contents::of(bytes, path, source).map_err(Some)
    }
}

/// A file or directory that a cluster has.
struct Expected {
    path: PathBuf,
    mode: u32,
    is_directory: bool,
    /// Whether it is a host folder, or in one.
    is_of_host: bool,
}

impl Expected {
    fn file(path: impl Into<PathBuf>, mode: u32) -> Self {
        Self {
            path: path.into(),
            mode,
            is_directory: false,
            is_of_host: false,
        }
    }

    fn directory(path: impl Into<PathBuf>, mode: u32) -> Self {
        Self {
            is_directory: true,
            ..Self::file(path, mode)
        }
    }

    /// Whether `apply` makes it of what else there is.
    fn is_made_again(&self) -> bool {
        self.is_of_host
            || [CA_FILE, SERVERS]
                .iter()
                .any(|it| self.path == Path::new(it))
    }
}

/// The PKI directory.
const HERE: &str = ".";

/// A command for the PKI directory at `directory`, as a shell takes it.
fn zpki(directory: &Path, arguments: &str) -> String {
    let directory = directory.display().to_string();
    format!("zpki -C {} {arguments}", ShellWord(&directory))
}

fn expected_files(cluster: &Cluster) -> Vec<Expected> {
    let mut expected = vec![
        Expected::directory(HERE, OPEN_DIRECTORY),
        Expected::directory(CA, OPEN_DIRECTORY),
        Expected::directory(ISSUED, OPEN_DIRECTORY),
        Expected::directory(SERVERS, OPEN_DIRECTORY),
        Expected::file(CLUSTER_FILE, PUBLIC),
    ];
    let key = layout::ca_key(&cluster.settings().ca);
    let place = |path| {
        if path == CA_KEY { key } else { Path::new(path) }
    };
    expected.extend(CA_FILES.map(|(path, mode)| Expected::file(place(path), mode)));
    for entry in cluster.entries() {
        let host = HostFolder::of(&entry.name, entry.role);
        let directory = host.directory();
        let has_crl = cluster.settings().revocation.enabled && entry.role == Role::LoadBalancer;
        let crl = has_crl.then(|| Expected {
            is_of_host: true,
            ..Expected::file(directory.join(CRL_FILE), PUBLIC)
        });
        expected.extend(folder(&host).into_iter().chain(crl));
    }
    expected
}

/// What may be closed to more than it need be, and is to be no wider than zpki makes it. What is not there is
/// made again, and who may not look is told so of what is in it.
fn at_most(view: &View<'_>, path: PathBuf) -> Option<Observed> {
    let metadata = view.metadata(&path).ok()??;
    let widest = layout::widest_mode(&path, metadata.is_directory);
    let is_wider = metadata.mode & !widest != 0;
    Some(Observed {
        mode: metadata.mode,
        expected: if is_wider { widest } else { metadata.mode },
        owner: metadata.owner,
        is_of_host: [SERVERS, CLIENTS, RETIRED]
            .iter()
            .any(|above| path.parent().is_some_and(|it| it.starts_with(above))),
        path,
    })
}

/// A host folder and what every one of its kind has.
fn folder(host: &HostFolder<'_>) -> Vec<Expected> {
    let directory = host.directory();
    let files = host.files().iter();
    let files = files.map(|(name, mode)| Expected::file(directory.join(name), *mode));
    let folder = Expected::directory(directory.clone(), CLOSED_DIRECTORY);
    let all = std::iter::once(folder).chain(files);
    all.map(|it| Expected {
        is_of_host: true,
        ..it
    })
    .collect()
}

fn damaged(path: &Path, error: &Error) -> Finding {
    Finding {
        severity: Severity::Critical,
        id: "file-damaged",
        about: shown(path),
        why: because(error),
        next: Some("restore it from a backup, or make the certificate again".to_owned()),
    }
}

/// The check as it goes on.
struct Inspection<'a> {
    directory: &'a Path,
    at: OffsetDateTime,
    installation: &'a Installation,
    judge: Judge,
    /// What ca/crl.pem has revoked.
    revoked: HashMap<Vec<u8>, u8>,
    /// The public keys so far, and the certificate that each was in first.
    keys: HashMap<Vec<u8>, String>,
    findings: Vec<Finding>,
}

impl Inspection<'_> {
    /// The CA's certificate, its key, its CRL and its trust bundle.
    fn authority(&mut self) {
        let Some(located) = self.one(Path::new(CA_CERTIFICATE)) else {
            return;
        };
        let (at, cluster) = (self.at, &self.installation.cluster);
        let ca = &located.certificate;
        self.findings.extend(authority::is_one(ca));
        let renewal = self.renewal(ca);
        self.findings.extend(authority::dates(ca, at, &renewal));
        self.findings
            .extend(authority::runway(cluster, ca, at, &renewal));
        self.ca_key(&located);
        let in_use = cluster.settings().revocation.enabled;
        let crls = self.crls(Path::new(CRL));
        if crls.len() > 1 {
            self.findings.push(Finding {
                severity: Severity::Critical,
                id: "file-damaged",
                about: CRL.to_owned(),
                why: state::SEVERAL_CRLS.to_owned(),
                next: Some(state::LEAVE_ONE_CRL.to_owned()),
            });
        }
        for crl in crls {
            self.findings
                .extend(authority::crl(&crl, ca, in_use, at, &self.zpki("crl")));
            self.revoked = crl.revoked;
        }
        self.anchors(ca);
    }

    /// A command for this directory, as a shell takes it.
    fn zpki(&self, arguments: &str) -> String {
        zpki(self.directory, arguments)
    }

    /// How the CA gets a certificate that ends later.
    fn renewal(&self, ca: &PathCertificate) -> String {
        let constraints = &self.installation.cluster.settings().ca.name_constraints;
        let is_renewable = ParsedCertificate::from_der(&ca.der)
            .is_ok_and(|ca| check_renewable(&ca, constraints).is_ok());
        if !is_renewable {
            let import = self.zpki("ca import CERT KEY");
            return format!("have it renewed where it was made, then: {import}");
        }
        // All that it issued has ended with it, and so no run believes the clock.
        match ca.validity.not_after <= self.at {
            true => format!(
                "if the clock is right, renew it: {}",
                self.zpki("ca renew --force")
            ),
            false => format!("renew it: {}", self.zpki("ca renew")),
        }
    }

    /// The CA's private key is its own; one that is encrypted is not opened for that.
    fn ca_key(&mut self, ca: &Located) {
        let path = self.installation.ca_key();
        let Some(bytes) = self.installation.files.get(&path) else {
            return;
        };
        let keys = private_keys(bytes, &path);
        if keys.is_empty() {
            self.findings.push(no_key(&path));
        }
        let is_open = |key: &&(PathBuf, Block)| key.1.label != "ENCRYPTED PRIVATE KEY";
        let problems = keys.iter().filter(is_open);
        let problems = problems.filter_map(|key| key_problem(key, ca));
        self.findings.extend(problems);
    }

    /// The trust bundle has the issuing CA, or the root above it, and none that is not the cluster's.
    fn anchors(&mut self, ca: &PathCertificate) {
        let above = match ca.is_self_issued() {
            true => Vec::new(),
            false => self.all(Path::new(CA_CHAIN), Source::Sent),
        };
        let mut certificates = above.iter().map(|located| &located.certificate);
        let root = certificates.rfind(|it| it.is_self_issued());
        let (anchor, what, file) = match root {
            Some(root) => (root, "root above the issuing CA", CA_CHAIN),
            None => (ca, "issuing CA", CA_CERTIFICATE),
        };
        if root.is_none() && !ca.is_self_issued() {
            self.findings.push(Finding {
                severity: Severity::Critical,
                id: "ca-chain",
                about: CA_CHAIN.to_owned(),
                why: "nothing in it leads from the CA to a self-signed root".to_owned(),
                next: Some("restore it from a backup, or import the CA again".to_owned()),
            });
        }
        let bundle = self.all(Path::new(CA_FILE), Source::TrustBundle);
        if !bundle.is_empty() && !bundle.iter().any(|it| it.certificate.der == anchor.der) {
            self.findings.push(Finding::warning(
                "trust-bundle-differs",
                CA_FILE,
                format!("it lacks the certificate of the {what}"),
                format!("add that of {file} to it: {}", self.zpki("apply")),
            ));
        }
        let own = self.installation.issued_to(&EntryName::ca());
        let own = own.unwrap_or_default();
        let is_own = |located: &&Located| {
            let der = &located.certificate.der;
            *der == anchor.der || own.iter().any(|own| own.der == *der)
        };
        for foreign in bundle.iter().filter(|located| !is_own(located)) {
            self.findings.push(Finding::warning(
                "foreign-anchor",
                foreign.shown(),
                "it is no CA of this cluster, and whatever it signs is accepted",
                "take it out, unless it is the CA of a rotation",
            ));
        }
    }

    /// An entry: its own files, and what its consumers say.
    fn entry(&mut self, entry: &Entry) -> EntryReport {
        let folder = HostFolder::of(&entry.name, entry.role);
        let mut report = EntryReport {
            name: entry.name.clone(),
            role: entry.role,
            file: shown(&folder.certificate()),
            verdicts: Vec::new(),
        };
        self.trust_bundle(&folder.trust_bundle());
        if entry.role == Role::LoadBalancer {
            self.crl_of_haproxy(&folder.directory().join(CRL_FILE));
        }
        let sent = self.all(&folder.certificate(), Source::Sent);
        let Some(leaf) = sent.first() else {
            return report;
        };
        let command = self.zpki(&format!("rekey {} --force", entry.name));
        self.pair(&folder.private_key(), leaf, &command);
        self.public_key(entry, leaf);
        self.revocation(leaf, &command);
        self.findings.extend(entry::check(&Installed {
            entry,
            about: &leaf.shown(),
            certificate: &leaf.certificate,
            issued: self.installation.issued_to(&entry.name),
            issued_to_another: self.installation.another(&entry.name, &leaf.certificate),
            revoked: &self.revoked,
            at: self.at,
        }));
        report.verdicts = self.verdicts(entry, &sent);
        report
    }

    /// A client that zpki.toml does not name: its own files, and what the servers say.
    fn client(&mut self, name: &EntryName) -> EntryReport {
        let folder = HostFolder::of(name, Role::Client);
        let mut report = EntryReport {
            name: name.clone(),
            role: Role::Client,
            file: shown(&folder.certificate()),
            verdicts: Vec::new(),
        };
        self.trust_bundle(&folder.trust_bundle());
        let sent = self.all(&folder.certificate(), Source::Sent);
        let Some(leaf) = sent.first() else {
            return report;
        };
        let command = self.zpki(&format!("issue {name} --role client --force"));
        self.pair(&folder.private_key(), leaf, &command);
        self.revocation(leaf, &command);
        let issued = self.installation.issued_to(name);
        self.findings.extend(entry::inventory(
            &leaf.shown(),
            &leaf.certificate,
            issued,
            self.installation.another(name, &leaf.certificate),
            &self.revoked,
            self.at,
        ));
        report.verdicts = self.verdicts_of_servers(&sent);
        report
    }

    /// Whether the private key is the certificate's; `command` makes another.
    fn pair(&mut self, path: &Path, leaf: &Located, command: &str) {
        let Some(bytes) = self.installation.files.get(path) else {
            return;
        };
        let keys = private_keys(bytes, path);
        if keys.is_empty() {
            self.findings.push(no_key(path));
            return;
        }
        let problems: Vec<_> = keys
            .iter()
            .filter_map(|key| key_problem(key, leaf))
            .collect();
        if problems.is_empty() {
            self.own_key(leaf, command);
        }
        self.findings.extend(problems);
    }

    /// HAProxy should have the CRL that the CA has.
    fn crl_of_haproxy(&mut self, path: &Path) {
        let files = &self.installation.files;
        let extra = self.installation.extra_crls.as_bytes();
        let (own, wanted) = (files.get(path), files.get(Path::new(CRL)));
        let wanted = wanted.map(|crl| Zeroizing::new([crl.as_slice(), extra].concat()));
        if own.is_some() && wanted.is_some() && own != wanted.as_ref() {
            self.findings.push(Finding::warning(
                "crl-differs",
                shown(path),
                format!("it is not what {CRL} is: HAProxy does not know what was revoked since"),
                format!(
                    "write the newer one, and reload HAProxy: {}",
                    self.zpki("apply")
                ),
            ));
        }
    }

    /// A server's public key, for those who want it beside the certificate.
    fn public_key(&mut self, entry: &Entry, leaf: &Located) {
        let folder = HostFolder::of(&entry.name, entry.role);
        let path = folder.directory().join(SERVER_PUBLIC_KEY);
        let Some(bytes) = self.installation.files.get(&path) else {
            return;
        };
        let block = pem::scan(bytes).into_iter().next().and_then(Result::ok);
        if block.is_none_or(|block| *block.contents != leaf.certificate.public_key_der) {
            self.findings.push(Finding::warning(
                "public-key-differs",
                shown(&path),
                "it is not the public key of the certificate beside it",
                format!("write it again: {}", self.zpki("apply")),
            ));
        }
    }

    /// What is revoked should not be installed; where HAProxy has the CRL, it says so itself.
    fn revocation(&mut self, leaf: &Located, command: &str) {
        if self.revoked.contains_key(&leaf.certificate.serial_octets) {
            self.findings.push(Finding::warning(
                "revoked",
                leaf.shown(),
                "it was revoked (ca/crl.pem); servers read no CRL, and HAProxy only the crl-file that it was given",
                format!("give it a new key and certificate: {command}"),
            ));
        }
    }

    /// A key should be one host's: with that of another a host passes for it, whatever names are checked.
    fn own_key(&mut self, leaf: &Located, command: &str) {
        let key = leaf.certificate.public_key_der.clone();
        match self.keys.entry(key) {
            hash_map::Entry::Vacant(free) => _ = free.insert(leaf.shown()),
            hash_map::Entry::Occupied(first) => self.findings.push(Finding::warning(
                "shared-key",
                leaf.shown(),
                format!(
                    "{} has the same key: who takes over one of the hosts can pass for the other",
                    first.get()
                ),
                format!("give it a key of its own: {command}"),
            )),
        }
    }

    /// Certificates that were revoked and still pass for the load-balancer, where servers ask for one.
    fn still_passing(&mut self) {
        let settings = self.installation.cluster.settings();
        if !settings.load_balancer.client_certificate.is_sent() {
            return;
        }
        for (name, issued) in &self.installation.issued {
            for certificate in issued.iter().flatten().filter(|_| *name != EntryName::ca()) {
                if let Some(code) = self.revoked.get(&certificate.serial_octets) {
                    let reason = crl::reason_of_code(*code);
                    self.findings
                        .extend(revocation::check(name, certificate, reason, self.at));
                }
            }
        }
    }

    /// A host's trust bundle should be the cluster's.
    fn trust_bundle(&mut self, path: &Path) {
        let fingerprints = |bundle: Vec<Located>| {
            let mut all: Vec<_> = bundle.iter().map(|it| it.certificate.fingerprint).collect();
            all.sort_unstable_by_key(ToString::to_string);
            all
        };
        let own = fingerprints(self.all(path, Source::TrustBundle));
        let wanted = fingerprints(self.quietly(Path::new(CA_FILE), Source::TrustBundle));
        if !own.is_empty() && !wanted.is_empty() && own != wanted {
            self.findings.push(Finding::warning(
                "trust-bundle-differs",
                shown(path),
                format!("it does not have the certificates of {CA_FILE}, and those only"),
                format!("write it again: {}", self.zpki("apply")),
            ));
        }
    }

    /// What those say that the entry connects to, or that connect to it.
    fn verdicts(&mut self, entry: &Entry, sent: &[Located]) -> Vec<VerdictReport> {
        let cluster = &self.installation.cluster;
        let settings = cluster.settings();
        if entry.role == Role::Server {
            let load_balancer = EntryName::load_balancer();
            let folder = HostFolder::of(&load_balancer, Role::LoadBalancer);
            let trusted = self.quietly(&folder.trust_bundle(), Source::TrustBundle);
            let verifyhost = settings.load_balancer.verifyhost;
            let hosts: Vec<String> = verifyhost
                .then(|| entry.own_name.to_string())
                .into_iter()
                .collect();
            let crl = settings.revocation.enabled;
            let crls = crl.then(|| self.crls(&folder.directory().join(CRL_FILE)));
            let (policy, ends) = (Policy::HaproxyServer, (sent, &trusted[..]));
            let findings = &mut self.findings;
            return self
                .judge
                .verdicts(policy, ends, &hosts, crls.as_deref(), findings);
        }
        self.verdicts_of_servers(sent)
    }

    /// What servers say of a client's certificate.
    fn verdicts_of_servers(&mut self, sent: &[Located]) -> Vec<VerdictReport> {
        // Whatever the servers ask for today, they have to accept it when they do.
        let mut verdicts = Vec::new();
        let mut asked: Vec<Vec<u8>> = Vec::new();
        for server in self
            .installation
            .cluster
            .entries()
            .iter()
            .filter(|it| it.role == Role::Server)
        {
            let path = HostFolder::of(&server.name, Role::Server).trust_bundle();
            let Some(bytes) = self.installation.files.get(&path) else {
                continue;
            };
            // Servers with the same trust bundle say the same.
            if asked.contains(bytes) {
                continue;
            }
            asked.push(bytes.to_vec());
            let trusted = self.quietly(&path, Source::TrustBundle);
            let findings = &mut self.findings;
            let ends = (sent, &trusted[..]);
            verdicts.extend(
                self.judge
                    .verdicts(Policy::ServerClient, ends, &[], None, findings),
            );
        }
        verdicts
    }

    /// Whether the clock can be believed.
    fn clock(&mut self) {
        let issued = self.installation.issued.iter();
        let validity = |certificate: &PathCertificate| certificate.validity;
        let issued = issued.filter_map(|(_, all)| all.as_ref());
        let all: Vec<Validity> = issued.clone().flatten().map(validity).collect();
        let newest = |certificates: &Vec<PathCertificate>| {
            certificates
                .iter()
                .max_by_key(|certificate| certificate.validity.not_before)
                .map(validity)
        };
        let live: Vec<Validity> = issued.filter_map(newest).collect();
        self.findings
            .extend(authority::clock(self.at, RELEASED, &all, &live));
    }

    /// The first certificate of a file.
    fn one(&mut self, path: &Path) -> Option<Located> {
        let all = self.all(path, Source::TrustBundle);
        all.into_iter().next()
    }

    /// The certificates of a file; what is wrong with it is told.
    fn all(&mut self, path: &Path, source: Source) -> Vec<Located> {
        match self.installation.certificates(path, source) {
            Ok(contents) => {
                self.findings.extend(contents.findings);
                contents.certificates
            }
            // That it is missing was told.
            Err(None) => Vec::new(),
            Err(Some(error)) => {
                self.findings.push(damaged(path, &error));
                Vec::new()
            }
        }
    }

    /// The certificates of a file of which everything was told.
    fn quietly(&self, path: &Path, source: Source) -> Vec<Located> {
        let contents = self.installation.certificates(path, source);
        contents.map_or_else(|_| Vec::new(), |contents| contents.certificates)
    }

    /// The CRLs of a file; what is wrong with it is told.
    fn crls(&mut self, path: &Path) -> Vec<PathCrl> {
        let Some(bytes) = self.installation.files.get(path) else {
            return Vec::new();
        };
        crls_of(bytes, path).unwrap_or_else(|error| {
            let next = match path == Path::new(CRL) {
                true => "restore it from a backup: it is the record of revocations".to_owned(),
                false => format!("write it again: {}", self.zpki("apply")),
            };
            self.findings.push(Finding {
                next: Some(next),
                ..damaged(path, &error)
            });
            Vec::new()
        })
    }
}

/// A file of the inventory has the serial number of its certificate for a name.
fn misnamed(path: &Path, certificates: &[PathCertificate]) -> Option<Finding> {
    let certificate = certificates.first()?;
    let name = format!("{}.pem", certificate.serial_number);
    path.file_name().is_some_and(|own| *own != *name).then(|| {
        Finding::warning(
            "serial-differs",
            shown(path),
            format!(
                "its certificate has the serial number {}",
                certificate.serial_number
            ),
            "give the file the name of its certificate, or restore it from a backup",
        )
    })
}

fn no_key(path: &Path) -> Finding {
    Finding {
        severity: Severity::Critical,
        id: "key-missing",
        about: shown(path),
        why: "it has no private key".to_owned(),
        next: Some("restore it from a backup, or make a new key and certificate".to_owned()),
    }
}
