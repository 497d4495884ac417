//! What there is in a PKI directory: all that `plan` and `apply` decide on, of one state of it.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::directory::View;
use super::error::Error;
use super::hooks::{self, Owed};
use super::init::RELEASED;
use super::log;
use crate::audit;
use crate::domain::certificate::RevocationList;
use crate::domain::cluster::{Cluster, Entry};
use crate::domain::name::EntryName;
use crate::domain::revocation::{Revocation, RevocationReason, by_serial_number, restore_record};
use crate::domain::role::Role;
use crate::domain::serial_number::SerialNumber;
use crate::domain::validity::Validity;
use crate::plan::authority::is_self_signed;
use crate::plan::entry::{Held, HeldKey, Revoked};
use crate::store;
use crate::store::layout::{
    self, CA_CERTIFICATE, CA_CHAIN, CA_FILE, CLIENTS, CRL, CRL_FILE, HostFolder, LOG_FILE,
    PREVIOUS, SERVERS,
};
use crate::store::snapshot::FileKind;
use crate::verify::issued::Trust;
use crate::x509;
use crate::x509::certificate::ParsedCertificate;
use crate::x509::crl;
use crate::x509::path_certificate::PathCertificate;
use crate::x509::path_crl::PathCrl;
use crate::x509::pem::{self, Block};
use crate::x509::private_key::PrivateKey;

/// One state of a PKI directory.
#[derive(Debug)]
pub(super) struct State {
    pub(super) cluster: Cluster,
    pub(super) ca: Ca,
    /// The record of revocations, as it stands in `ca/crl.pem`.
    pub(super) crl: KeptCrl,
    /// What the CRL says, by serial number; and those of former CAs, of keys that are compromised: a key is
    /// no safer under another CA.
    revoked: HashMap<SerialNumber, Revoked>,
    /// For each entry of the cluster, in its order.
    pub(super) held: Vec<HeldEntry>,
    /// Commands that are owed.
    pub(super) hooks: Vec<Owed>,
    /// Host folders that zpki.toml does not name any more.
    pub(super) strangers: Vec<Stranger>,
    /// The numbers of the parts of the log that were put aside.
    pub(super) former_logs: Vec<u32>,
    /// The folders that `zpki issue` made for clients.
    pub(super) issued: Vec<Stranger>,
    /// Every file and directory that was looked at and is there.
    found: HashMap<PathBuf, Found>,
}

/// A host folder that zpki.toml does not name any more.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Stranger {
    pub(super) name: EntryName,
    pub(super) role: Role,
    /// That of the certificate in it.
    pub(super) serial_number: Option<SerialNumber>,
    /// Where it goes when it is put away.
    pub(super) retired: PathBuf,
}

/// The CA's certificate, and those above it.
#[derive(Debug)]
pub(super) struct Ca {
    pub(super) certificate: ParsedCertificate,
    /// For an intermediate CA: what a host sends behind its own certificate, from the issuing CA
    /// upwards.
    pub(super) intermediates: Vec<ParsedCertificate>,
    /// The same as PEM.
    pub(super) chain_pem: String,
    /// What peers trust: the CA itself, or the root above it.
    pub(super) roots: Vec<ParsedCertificate>,
}

/// The private key and the certificate in a host folder.
#[derive(Debug)]
pub(super) struct HeldEntry {
    pub(super) key: Key,
    pub(super) certificate: Option<ParsedCertificate>,
    /// Whether the certificate is not as the CA signed it.
    is_altered: bool,
}

/// A private key, or what is in its place.
#[derive(Debug)]
pub(super) enum Key {
    Missing,
    Unusable(String),
    Usable(Box<PrivateKey>),
}

/// A file or directory as it is.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) mode: u32,
    /// Nothing for a directory.
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

impl State {
    /// Reads all of it.
    pub(super) fn read(view: &View<'_>) -> Result<Self, Error> {
        Self::of(view.cluster()?, view)
    }

    /// Reads what there is for `cluster`, which zpki.toml may not describe yet.
    pub(super) fn of(cluster: Cluster, view: &View<'_>) -> Result<Self, Error> {
        let ca = Ca::read(view)?;
        if !ca.leads_to_a_root() {
            return Err(Error::Unreadable {
                path: view.path().join(CA_CHAIN),
                line: None,
                because: "nothing in it leads from the CA to a self-signed root".to_owned(),
                hint: "restore it from a backup, or import the CA again: zpki ca import".to_owned(),
            });
        }
        let crl = read_crl(&ca.certificate, view)?;
        let read = cluster
            .entries()
            .par_iter()
            .map(|entry| HeldEntry::read(entry, &ca.certificate, view));
        let read: Vec<_> = read.collect::<Result<_, Error>>()?;
        let mut found = HashMap::new();
        let mut held = Vec::with_capacity(read.len());
        for (entry, files) in read {
            held.push(entry);
            found.extend(files);
        }
        for path in [CA_CERTIFICATE, CA_FILE, CRL, LOG_FILE] {
            let path = Path::new(path);
            found.extend(Found::read(path, view)?.map(|it| (path.to_owned(), it)));
        }
        let log = found.get(Path::new(LOG_FILE));
        let former_logs = log::former(view)?;
        let (strangers, issued) = strangers(&cluster, log, &former_logs, view)?;
        for Stranger { name, role, .. } in &issued {
            let directory = HostFolder::of(name, *role).directory();
            let files = HostFolder::of(name, *role).files().iter();
            let files = files.map(|(file, _)| directory.join(file));
            // What else than a file stands there is somebody's own.
            for path in files {
                if view.kind(&path)? == Some(FileKind::File) {
                    found.extend(Found::read(&path, view)?.map(|it| (path, it)));
                }
            }
            let metadata = view.metadata(&directory)?;
            found.extend(metadata.map(|it| (directory, Found::directory(it.mode))));
        }
        let revoked = by_serial_number(&crl.list.revoked).into_values();
        let mut revoked: HashMap<_, _> = revoked
            .map(|it| (it.serial_number.clone(), Revoked::of(it)))
            .collect();
        for serial_number in compromised_before(view)? {
            revoked.insert(serial_number, Revoked::Compromised);
        }
        Ok(Self {
            revoked,
            hooks: hooks::owed(view)?,
            strangers,
            issued,
            former_logs,
            cluster,
            ca,
            crl,
            held,
            found,
        })
    }

    /// What the CRL says of a serial number.
    pub(super) fn revoked(&self, serial_number: &SerialNumber) -> Option<Revoked> {
        self.revoked.get(serial_number).copied()
    }

    /// A file or directory that was looked at.
    pub(super) fn found(&self, path: &Path) -> Option<&Found> {
        self.found.get(path)
    }

    /// Refuses to act by a clock that contradicts what was issued before: it would make certificates
    /// that nobody takes when it is put right, or renew everything at once. `flag` is what sets `force`.
    ///
    /// What was issued is: what host folders have, the CA, and the last certificate that the log tells of,
    /// which is written with each. The inventory is not read, for it may hold a hundred thousand files: a
    /// certificate that a clock which was ahead made, and after which a run that was forced made another,
    /// holds nobody up any more, nor does one when the log was taken away. `check` reads all of them.
    pub(super) fn check_clock(
        &self,
        now: OffsetDateTime,
        force: bool,
        flag: &'static str,
    ) -> Result<(), Error> {
        let validity = |certificate: &ParsedCertificate| certificate.details.validity;
        let held = self.held.iter();
        let live: Vec<_> = held
            .filter_map(|held| held.certificate.as_ref().map(validity))
            .collect();
        let mut issued = live.clone();
        issued.push(validity(&self.ca.certificate));
        let log = self.found(Path::new(LOG_FILE));
        let last = log.and_then(|log| log::last_not_before(&log.bytes));
        issued.extend(last.map(|begins| Validity {
            not_before: begins,
            not_after: begins,
        }));
        match audit::authority::clock(now, RELEASED, &issued, &live) {
            Some(finding) if !force => Err(Error::ClockContradicted {
                why: finding.why,
                flag,
            }),
            _ => Ok(()),
        }
    }

    /// Each entry, with what there is of it.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Entry, &HeldEntry)> {
        self.cluster.entries().iter().zip(&self.held)
    }
}

impl Ca {
    pub(super) fn read(view: &View<'_>) -> Result<Self, Error> {
        let path = Path::new(CA_CERTIFICATE);
        let missing = || Error::NoCa {
            directory: view.path().to_owned(),
        };
        let bytes = view.bytes(path)?.ok_or_else(missing)?;
        let certificate = certificates(&bytes, &view.path().join(path))?
            .into_iter()
            .next()
            .ok_or_else(missing)?;
        if is_self_signed(&certificate) {
            return Ok(Self::of(certificate, Vec::new()));
        }
        let path = Path::new(CA_CHAIN);
        let above = match view.bytes(path)? {
            Some(bytes) => certificates(&bytes, &view.path().join(path))?,
            None => Vec::new(),
        };
        Ok(Self::of(certificate, above))
    }

    /// A CA, and what leads from it to its root, that included; of a self-signed one, nothing.
    pub(super) fn of(certificate: ParsedCertificate, above: Vec<ParsedCertificate>) -> Self {
        if is_self_signed(&certificate) {
            return Self {
                roots: vec![certificate.clone()],
                intermediates: Vec::new(),
                chain_pem: String::new(),
                certificate,
            };
        }
        let (roots, mut intermediates): (Vec<_>, Vec<_>) =
            above.into_iter().partition(is_self_signed);
        intermediates.insert(0, certificate.clone());
        Self {
            chain_pem: intermediates
                .iter()
                .map(ParsedCertificate::to_pem)
                .collect(),
            intermediates,
            certificate,
            roots,
        }
    }

    /// The CAs above it, the root last; none for a self-signed one.
    pub(super) fn above(&self) -> Vec<&ParsedCertificate> {
        let roots = self.roots.iter().filter(|_| self.is_intermediate());
        self.intermediates.iter().skip(1).chain(roots).collect()
    }

    /// Whether a certificate says that it is by this CA: what is on the CA's CRL, or bound by what it may vouch
    /// for, is nobody else's.
    pub(super) fn is_named_by(&self, certificate: &ParsedCertificate) -> bool {
        let own = &self.certificate;
        certificate.issuer_der == own.subject_der
            && certificate.details.authority_key_identifier == own.details.subject_key_identifier
    }

    /// Whether another CA signed it.
    pub(super) fn is_intermediate(&self) -> bool {
        !is_self_signed(&self.certificate)
    }

    /// Whether each certificate is signed by the one above it, up to a root: what hosts are given is of
    /// no use otherwise.
    fn leads_to_a_root(&self) -> bool {
        let path: Vec<_> = std::iter::once(&self.certificate)
            .chain(self.above())
            .collect();
        let is_signed = |pair: &[&ParsedCertificate]| pair[0].is_signed_by(pair[1]) != Some(false);
        !self.roots.is_empty() && path.windows(2).all(is_signed)
    }

    /// What peers judge by.
    pub(super) fn trust(&self) -> Result<Trust, Error> {
        let all = |certificates: &[ParsedCertificate]| -> Result<Vec<_>, x509::error::Error> {
            let certificates = certificates.iter();
            certificates
                .map(|it| PathCertificate::from_der(&it.der))
                .collect()
        };
        let (intermediates, roots) = (all(&self.intermediates)?, all(&self.roots)?);
        Ok(Trust::new(&self.certificate, intermediates, roots)?)
    }
}

/// The record of revocations. Without it nobody knows any more what was revoked, so that one is not
/// made anew in silence; nor is one carried on that the CA has not signed, or an older one than HAProxy's.
pub(super) fn read_crl(ca: &ParsedCertificate, view: &View<'_>) -> Result<KeptCrl, Error> {
    let path = view.path().join(CRL);
    let Some(record) = kept_crl(view)? else {
        let at_haproxy = has_haproxy_crl(view);
        return Err(Error::NoCrl { path, at_haproxy });
    };
    if !record.is_by(ca) {
        return Err(Error::Unreadable {
            path,
            line: None,
            because: "it is not signed by the CA of this cluster".to_owned(),
            hint: restore_record(has_haproxy_crl(view)),
        });
    }
    let haproxy = haproxy_crl();
    let bytes = view.bytes(&haproxy)?.unwrap_or_default();
    let lists = pem::scan(&bytes).into_iter().flatten();
    let own = lists.filter(|block| is_crl_by(ca, &block.contents));
    let newest = own
        .filter_map(|block| crl::read(&block.contents).ok()?.number())
        .max();
    match newest.filter(|number| Some(*number) > record.list.number()) {
        Some(number) => Err(Error::Unreadable {
            path,
            line: None,
            because: format!(
                "it is older than the first CRL in {}, whose number is {number}",
                haproxy.display()
            ),
            hint: "put that CRL in its place: nothing else knows what was revoked since".to_owned(),
        }),
        None => Ok(record),
    }
}

/// HAProxy's CRLs: the CA's own, and those of the CAs above.
pub(super) fn haproxy_crl() -> PathBuf {
    HostFolder::of(&EntryName::load_balancer(), Role::LoadBalancer)
        .directory()
        .join(CRL_FILE)
}

/// Whether there is that file, of which nothing more is known.
pub(super) fn has_haproxy_crl(view: &View<'_>) -> bool {
    matches!(view.metadata(&haproxy_crl()), Ok(Some(_)))
}

/// Whether a CRL of this CA is in that file.
pub(super) fn haproxy_has_crl_by(ca: &ParsedCertificate, view: &View<'_>) -> bool {
    let bytes = view.bytes(&haproxy_crl()).ok().flatten();
    let blocks = bytes.map(|bytes| pem::scan(&bytes)).unwrap_or_default();
    let mut blocks = blocks.into_iter().flatten();
    blocks.any(|block| is_crl_by(ca, &block.contents))
}

/// Whether a CRL is by a CA, as far as its signature can be checked.
pub(super) fn is_crl_by(ca: &ParsedCertificate, der: &[u8]) -> bool {
    let (Ok(list), Ok(ca)) = (PathCrl::from_der(der), PathCertificate::from_der(&ca.der)) else {
        return false;
    };
    let signed = list.signed().and_then(|it| it.is_by(&ca.public_key_der));
    list.issuer.is_same_as(&ca.subject) && signed != Some(false)
}

/// The record of revocations, for those who only look.
pub(super) fn crl_if_any(view: &View<'_>) -> Result<Option<RevocationList>, Error> {
    Ok(kept_crl(view)?.map(|crl| crl.list))
}

fn kept_crl(view: &View<'_>) -> Result<Option<KeptCrl>, Error> {
    let Some(bytes) = view.bytes(Path::new(CRL))? else {
        return Ok(None);
    };
    let restore = restore_record(has_haproxy_crl(view));
    KeptCrl::of(&bytes, view.path().join(CRL), &restore).map(Some)
}

/// A CRL that stands in the PKI directory, alone in its file.
#[derive(Debug)]
pub(super) struct KeptCrl {
    pub(super) path: PathBuf,
    pub(super) list: RevocationList,
    block: Block,
}

impl KeptCrl {
    /// The CRL in the file at `path`; `restore` is what to do when it is damaged.
    fn of(bytes: &[u8], path: PathBuf, restore: &str) -> Result<Self, Error> {
        let block = only_crl(bytes, &path, restore)?;
        match crl::read(&block.contents) {
            Ok(list) => Ok(Self { path, list, block }),
            Err(error) => Err(unreadable(&path, Some(block.line), &error, restore)),
        }
    }

    /// Whether it is by a CA, as far as its signature can be checked.
    pub(super) fn is_by(&self, ca: &ParsedCertificate) -> bool {
        is_crl_by(ca, &self.block.contents)
    }

    /// What it says, when nothing of it would be lost by signing it again.
    pub(super) fn to_sign_again(&self) -> Result<RevocationList, Error> {
        crl::read_to_sign_again(&self.block.contents).map_err(|error| {
            let line = Some(self.block.line);
            unreadable(&self.path, line, &error, &error.hint())
        })
    }
}

/// The CRLs of the CAs that were replaced, each as it was then.
pub(super) fn former_crls(view: &View<'_>) -> Result<Vec<KeptCrl>, Error> {
    let former = view.list(Path::new(PREVIOUS))?;
    let read = former.iter().map(|folder| former_crl(folder, view));
    read.filter_map(Result::transpose).collect()
}

/// That of one folder; None when there is none in it.
pub(super) fn former_crl(folder: &OsStr, view: &View<'_>) -> Result<Option<KeptCrl>, Error> {
    let path = layout::former_ca(folder, CRL);
    let Some(bytes) = view.bytes(&path)? else {
        return Ok(None);
    };
    KeptCrl::of(&bytes, view.path().join(path), RESTORE_FORMER).map(Some)
}

/// Keys that are compromised stay so under another CA, and this CRL alone may tell of them.
const RESTORE_FORMER: &str = "restore it from a backup: it may tell of compromised keys; without one, move it out of this directory";

/// The serial numbers of certificates of former CAs whose keys were compromised.
fn compromised_before(view: &View<'_>) -> Result<Vec<SerialNumber>, Error> {
    let mut compromised = Vec::new();
    for former in former_crls(view)? {
        let revoked = former.list.revoked.into_iter();
        let of_key = revoked.filter(|it| it.reason == RevocationReason::KeyCompromise);
        compromised.extend(of_key.map(|it| it.serial_number));
    }
    Ok(compromised)
}

/// The revocations on record, by serial number, for those who only look.
pub(super) fn revocations(view: &View<'_>) -> Result<HashMap<SerialNumber, Revocation>, Error> {
    let revoked = crl_if_any(view)?.map_or_else(Vec::new, |crl| crl.revoked);
    let revoked = by_serial_number(&revoked).into_values();
    Ok(revoked
        .map(|revocation| (revocation.serial_number.clone(), revocation.clone()))
        .collect())
}

/// The certificate that an entry uses: the one in its host folder; where that has none, the newest that was
/// issued and is not revoked, or else the newest. One that zpki.toml does not name may be a client.
pub(super) fn in_use(
    name: &EntryName,
    role: Option<Role>,
    revocations: &HashMap<SerialNumber, Revocation>,
    view: &View<'_>,
) -> Result<Option<ParsedCertificate>, Error> {
    match installed(name, role.unwrap_or(Role::Client), view) {
        None => view.newest(name, |serial_number| {
            revocations.contains_key(serial_number)
        }),
        installed => Ok(installed),
    }
}

/// The certificate in a host folder. One that cannot be read is none: not everybody may enter the folder.
fn installed(name: &EntryName, role: Role, view: &View<'_>) -> Option<ParsedCertificate> {
    if role == Role::Ca {
        return None;
    }
    let bytes = view.bytes(&HostFolder::of(name, role).certificate());
    first_certificate(&bytes.ok()??)
}

/// What is wrong with a file that has several CRLs, where one alone has to be.
pub(super) const SEVERAL_CRLS: &str = "it has more than one CRL";
/// What to do about it.
pub(super) const LEAVE_ONE_CRL: &str = "leave only the CA's own in it, of several the newest";

/// The CRL of a file that has no other: which of several counts is not for zpki to say, and all but one
/// would be lost when it is signed again.
fn only_crl(bytes: &[u8], path: &Path, restore: &str) -> Result<Block, Error> {
    let mut blocks = pem::scan(bytes).into_iter();
    let first = match blocks.next() {
        Some(Ok(block)) => block,
        Some(Err(error)) => return Err(unreadable(path, error.line(), &error, restore)),
        None => {
            return Err(Error::Unreadable {
                path: path.to_owned(),
                line: None,
                because: "it has no PEM block".to_owned(),
                hint: restore.to_owned(),
            });
        }
    };
    let second = blocks.find(|block| block.as_ref().map_or(true, |it| it.label.ends_with("CRL")));
    match second {
        None => Ok(first),
        Some(Err(error)) => Err(unreadable(path, error.line(), &error, restore)),
        Some(Ok(second)) => Err(Error::Unreadable {
            path: path.to_owned(),
            line: Some(second.line),
            because: SEVERAL_CRLS.to_owned(),
            hint: LEAVE_ONE_CRL.to_owned(),
        }),
    }
}

/// The certificates of a file, in its order.
pub(super) fn certificates(bytes: &[u8], path: &Path) -> Result<Vec<ParsedCertificate>, Error> {
    let blocks = pem::scan(bytes).into_iter().map(|block| {
        let block = block.map_err(|error| unreadable(path, error.line(), &error, RESTORE))?;
        ParsedCertificate::from_der(&block.contents)
            .map_err(|error| unreadable(path, Some(block.line), &error, RESTORE))
    });
    blocks.collect()
}

const RESTORE: &str = "restore it from a backup";

fn unreadable(path: &Path, line: Option<usize>, error: &x509::error::Error, hint: &str) -> Error {
    Error::Unreadable {
        path: path.to_owned(),
        line,
        because: error.to_string(),
        hint: hint.to_owned(),
    }
}

/// Host folders that something was issued for and zpki.toml does not name: those that it named once, and
/// those that `zpki issue` made for clients. What else stands there is somebody's own.
fn strangers(
    cluster: &Cluster,
    log: Option<&Found>,
    former_logs: &[u32],
    view: &View<'_>,
) -> Result<(Vec<Stranger>, Vec<Stranger>), Error> {
    let mut strangers = Vec::new();
    for (directory, role) in [(SERVERS, Role::Server), (CLIENTS, Role::Client)] {
        let names = view.list(Path::new(directory))?;
        let known = cluster.entries().iter().filter(|entry| entry.role == role);
        let known: HashSet<&EntryName> = known.map(|entry| &entry.name).collect();
        let names = names.iter().filter_map(|name| name.to_str()?.parse().ok());
        for name in names.filter(|name| !known.contains(name)) {
            let folder = HostFolder::of(&name, role).directory();
            let is_folder = view.kind(&folder)? == Some(FileKind::Directory);
            if !is_folder || view.list(&layout::issued_directory(&name))?.is_empty() {
                continue;
            }
            let certificate = view.bytes(&HostFolder::of(&name, role).certificate())?;
            let certificate = certificate.and_then(|bytes| first_certificate(&bytes));
            let serial_number = certificate.map(|it| it.details.serial_number);
            let retired = layout::retired(&name, serial_number.as_ref());
            strangers.push(Stranger {
                retired: free(&retired, view)?,
                serial_number,
                name,
                role,
            });
        }
    }
    if strangers.iter().all(|it| it.role == Role::Server) {
        return Ok((strangers, Vec::new()));
    }
    let former = former_logs
        .iter()
        .map(|number| view.bytes(&layout::former_log(*number)));
    let former: Vec<_> = former.collect::<Result<_, _>>()?;
    let parts = former.iter().flatten().map(|part| part.as_slice());
    let parts = parts.chain(log.map(|log| log.bytes.as_slice()));
    let log = log::Origins::of(&parts.collect::<Vec<_>>());
    Ok(strangers.into_iter().partition(|stranger| {
        let serial_number = stranger.serial_number.as_ref();
        stranger.role == Role::Server || log.was_named(&stranger.name, serial_number)
    }))
}

/// A place that nothing stands at: `path`, or else with a number behind it.
pub(super) fn free(path: &Path, view: &View<'_>) -> Result<PathBuf, Error> {
    let mut free = path.to_owned();
    let mut count = 1;
    while view.kind(&free)?.is_some() {
        count += 1;
        free = format!("{}-{count}", path.display()).into();
    }
    Ok(free)
}

type Files = Vec<(PathBuf, Found)>;

impl HeldEntry {
    fn read(
        entry: &Entry,
        ca: &ParsedCertificate,
        view: &View<'_>,
    ) -> Result<(Self, Files), Error> {
        let folder = HostFolder::of(&entry.name, entry.role);
        let directory = folder.directory();
        let mut files = Vec::new();
        if let Some(metadata) = view.metadata(&directory)? {
            files.push((directory.clone(), Found::directory(metadata.mode)));
            let names = folder.files().iter().map(|(name, _)| *name);
            for name in names.chain(folder.revocation_file()) {
                let path = directory.join(name);
                files.extend(Found::read(&path, view)?.map(|found| (path, found)));
            }
        }
        let bytes = |path: &Path| {
            let mut files = files.iter();
            let found = files.find(|(found, _)| found == path);
            found.map(|(_, found)| found.bytes.as_slice())
        };
        let certificate = bytes(&folder.certificate()).and_then(first_certificate);
        let held = Self {
            key: Key::read(bytes(&folder.private_key())),
            is_altered: match &certificate {
                Some(certificate) => is_altered(certificate, &entry.name, ca, view)?,
                None => false,
            },
            certificate,
        };
        Ok((held, files))
    }

    /// As `plan` sees it.
    pub(super) fn of<'a>(&'a self, entry: &'a Entry) -> Held<'a> {
        Held {
            entry,
            key: match &self.key {
                Key::Missing => HeldKey::Missing,
                Key::Unusable(why) => HeldKey::Unusable(why),
                Key::Usable(key) => HeldKey::Usable {
                    algorithm: key.algorithm(),
                    public_key_der: key.public_key_der(),
                },
            },
            certificate: self.certificate.as_ref(),
            is_altered: self.is_altered,
        }
    }

    /// Those of `certificates` that are for the key in this host folder.
    pub(super) fn share_key<'a>(
        &self,
        certificates: &'a [ParsedCertificate],
    ) -> impl Iterator<Item = &'a ParsedCertificate> {
        let key = match &self.key {
            Key::Usable(key) => Some(key.public_key_der()),
            Key::Missing | Key::Unusable(_) => None,
        };
        certificates
            .iter()
            .filter(move |certificate| key == Some(certificate.public_key_der.as_slice()))
    }
}

/// Whether a certificate says that it is by `ca` and is not as that signed it. What equals the
/// inventory's copy is: that takes a tenth of the time of a signature.
fn is_altered(
    certificate: &ParsedCertificate,
    name: &EntryName,
    ca: &ParsedCertificate,
    view: &View<'_>,
) -> Result<bool, store::Error> {
    if certificate.issuer_der != ca.subject_der {
        return Ok(false);
    }
    let path = layout::issued(name, &certificate.details.serial_number);
    let issued = view.bytes(&path)?;
    let is_known = issued.is_some_and(|issued| *issued == *certificate.to_pem().as_bytes());
    Ok(!is_known && certificate.is_signed_by(ca) == Some(false))
}

impl Key {
    pub(super) fn read(bytes: Option<&[u8]>) -> Self {
        let Some(bytes) = bytes else {
            return Self::Missing;
        };
        let blocks = pem::scan(bytes).into_iter().flatten();
        let mut keys = blocks.filter(|block| block.label.ends_with("PRIVATE KEY"));
        match keys.next().map(|block| PrivateKey::from_pem(&block, None)) {
            Some(Ok(key)) => Self::Usable(Box::new(key)),
            Some(Err(error)) => Self::Unusable(error.to_string()),
            None => Self::Unusable("there is none in the file".to_owned()),
        }
    }
}

/// The first certificate of a file, which a host sends as its own; one that cannot be read is none.
pub(super) fn first_certificate(bytes: &[u8]) -> Option<ParsedCertificate> {
    let mut blocks = pem::scan(bytes).into_iter().flatten();
    let block = blocks.find(|block| block.label == "CERTIFICATE")?;
    ParsedCertificate::from_der(&block.contents).ok()
}

impl Found {
    fn read(path: &Path, view: &View<'_>) -> Result<Option<Self>, store::Error> {
        let (Some(metadata), Some(bytes)) = (view.metadata(path)?, view.bytes(path)?) else {
            return Ok(None);
        };
        let mode = metadata.mode;
        Ok(Some(Self { mode, bytes }))
    }

    fn directory(mode: u32) -> Self {
        Self {
            mode,
            bytes: Zeroizing::default(),
        }
    }
}

/// What the inventory has of a name, as it was signed; of what another CA than `ca` signed, that is
/// not asked.
pub(super) fn issued_by(
    ca: &ParsedCertificate,
    name: &EntryName,
    view: &View<'_>,
) -> Result<Vec<ParsedCertificate>, Error> {
    let mut issued = issued(name, view)?;
    issued.retain(|it| it.issuer_der != ca.subject_der || it.is_signed_by(ca) != Some(false));
    Ok(issued)
}

/// What the inventory has of a name, in no order. What cannot be read of it is passed over: `check` tells
/// of it.
pub(super) fn issued(name: &EntryName, view: &View<'_>) -> Result<Vec<ParsedCertificate>, Error> {
    Ok(inventory(name, view)?.0)
}

/// What the inventory has of a name, and the files of it that cannot be read.
pub(super) fn inventory(
    name: &EntryName,
    view: &View<'_>,
) -> Result<(Vec<ParsedCertificate>, Vec<PathBuf>), Error> {
    let directory = layout::issued_directory(name);
    let (mut found, mut damaged) = (Vec::new(), Vec::new());
    for file in view.list(&directory)? {
        let path = directory.join(&file);
        let Some(bytes) = view.bytes(&path)?.filter(|_| layout::is_issued(&file)) else {
            continue;
        };
        match first_certificate(&bytes) {
            Some(certificate) => found.push(certificate),
            None => damaged.push(path),
        }
    }
    Ok((found, damaged))
}

/// The certificates of the inventory, whoever they were issued to, whose keys the CRL calls
/// compromised. One that cannot be read is passed over: `check` tells of it.
pub(super) fn compromised(state: &State, view: &View<'_>) -> Result<Vec<ParsedCertificate>, Error> {
    let mut of_crl = state.revoked.values();
    if of_crl.all(|revoked| *revoked != Revoked::Compromised) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for name in view.issued_names()? {
        let directory = layout::issued_directory(&name);
        for file in view.list(&directory)? {
            let serial_number = layout::serial_number_of(&file);
            let revoked = serial_number.and_then(|serial_number| state.revoked(&serial_number));
            if revoked == Some(Revoked::Compromised) {
                let bytes = view.bytes(&directory.join(&file))?;
                found.extend(bytes.and_then(|bytes| first_certificate(&bytes)));
            }
        }
    }
    Ok(found)
}
