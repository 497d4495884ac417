//! `zpki ca import`: a CA that was made elsewhere, self-signed or an intermediate, becomes the
//! cluster's.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::super::ca_key::{CaKeyAccess, OpenedKey, private_key_block};
use super::super::directory::{PkiDirectory, View};
use super::super::error::{Error, Usage};
use super::super::extra_crls;
use super::super::init::{FORCE, trusted_clock};
use super::super::log::{self, Event};
use super::super::next_steps::NextStep;
use super::super::state::{self, Ca, KeptCrl};
use super::passphrase::{NewPassphrase, encoded};
use super::show::{Above, Key, live};
use crate::domain::certificate::RevocationList;
use crate::domain::cluster::Cluster;
use crate::domain::digest::Digest;
use crate::domain::finding::Finding;
use crate::domain::name::{ClusterName, EntryName};
use crate::domain::revocation::by_serial_number;
use crate::domain::serial_number::SerialNumber;
use crate::domain::text::{Quoted, ShellWord};
use crate::domain::validity::{Validity, show};
use crate::plan::authority::{crl_number, crl_updates};
use crate::store::error::Kind;
use crate::store::file::{Bytes, Directory, File};
use crate::store::layout::{
    self, CA_CERTIFICATE, CA_CHAIN, CA_FILE, CA_KEY, CLOSED_DIRECTORY, CRL, LOG_FILE, PREVIOUS,
    PUBLIC, SECRET,
};
use crate::store::transaction::{Change, Transaction};
use crate::system::System;
use crate::x509::certificate::ParsedCertificate;
use crate::x509::crl::{self, CrlTemplate};
use crate::x509::digest::sha256;
use crate::x509::error::Error as KeyError;
use crate::x509::issue::Authority;
use crate::x509::passphrase::Passphrase;
use crate::x509::path_crl::PathCrl;
use crate::x509::pem;
use crate::x509::private_key::PrivateKey;
use crate::x509::profile::has_name_constraints;

mod candidate;
mod refusal;

pub use refusal::Refusal;

/// What is to be imported.
#[derive(Debug)]
pub struct Request {
    /// The file of the CA's certificate, and perhaps of those above it.
    pub certificate: PathBuf,
    /// The file of its private key.
    pub key: PathBuf,
    /// A file with the certificates above it.
    pub chain: Option<PathBuf>,
    /// Its CRL.
    pub crl: Option<PathBuf>,
    /// What opens the private key; None for the passphrase that it is to have, or to ask.
    pub key_passphrase: Option<Passphrase>,
    /// What is to open it here.
    pub stored: NewPassphrase,
    /// Whether passphrases may be asked for at the terminal.
    pub may_ask: bool,
    /// Whether to replace a CA whose certificates are in use, and to believe a clock that seems wrong.
    pub force: bool,
    /// How long to wait for another run.
    pub lock_timeout: Duration,
    /// What there was to say while the request was read.
    pub findings: Vec<Finding>,
}

/// What was imported.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CaImportReport {
    /// Version of this report's form.
    pub schema: u32,
    /// The instant of the run.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Whether anything was written.
    pub changed: bool,
    /// The PKI directory.
    pub directory: String,
    /// The cluster's name.
    pub cluster: ClusterName,
    /// Subject.
    pub subject: String,
    /// Serial number.
    pub serial_number: SerialNumber,
    /// notBefore and notAfter.
    #[serde(flatten)]
    pub validity: Validity,
    /// The key algorithm.
    pub key_algorithm: String,
    /// SHA-256 of the DER.
    pub fingerprint: Digest,
    /// The CAs above it, the root last; empty for a self-signed one.
    pub chain: Vec<Above>,
    /// Where its private key is.
    pub key_file: String,
    /// Whether its private key is encrypted there.
    pub key_encrypted: bool,
    /// Where the files of the CA before it are, or a key that was not its own, relative to the directory.
    pub previous: Option<String>,
    /// What to know besides.
    pub findings: Vec<Finding>,
    /// What to do next, in this order.
    pub next_steps: Vec<NextStep>,
}

/// Reads and judges everything, then writes it in one transaction.
///
/// # Errors
/// [`Error::CaImport`] with all that is wrong with the CA; [`Error::ExtraCrl`]; when something cannot be
/// read. Nothing has changed then.
pub fn run(
    mut request: Request,
    directory: &PkiDirectory,
    system: &mut System,
) -> Result<CaImportReport, Error> {
    let at = trusted_clock(system, request.force, FORCE)?;
    let cluster = directory.read(|view| view.cluster())?;
    let home = directory
        .path()
        .join(layout::ca_key(&cluster.settings().ca));
    let opened = open_key(&request, system)?;
    let mut import = judged(&request, opened, cluster, at, system)?;
    // What there is to refuse or to ask is refused and asked before others have to wait.
    let before = directory.read(|view| import.survey(&request, view))?;
    let key = match before.key {
        Some(_) => None,
        None => Some(import.new_key(&mut request, system)?),
    };
    let Written {
        changed,
        previous,
        key,
        key_encrypted,
    } = import.write(key, &mut request, directory, system)?;
    let written = key.map(|path| directory.path().join(path));
    let mut findings = std::mem::take(&mut request.findings);
    findings.extend(import.findings());
    let details = import.ca.certificate.details.clone();
    let mut next_steps = Vec::new();
    if changed {
        next_steps.extend(
            written
                .as_deref()
                .and_then(|it| move_key(it, &home, system)),
        );
        next_steps.push(issue(directory.path()));
    }
    Ok(CaImportReport {
        schema: 1,
        at: import.at,
        changed,
        directory: directory.path().display().to_string(),
        cluster: import.cluster.settings().name.clone(),
        chain: import.ca.above().into_iter().map(Above::of).collect(),
        next_steps,
        key_file: written.unwrap_or(home).display().to_string(),
        key_encrypted,
        previous,
        findings,
        subject: details.subject,
        serial_number: details.serial_number,
        validity: details.validity,
        key_algorithm: details.public_key.algorithm,
        fingerprint: details.fingerprint,
    })
}

/// The CA, put together and found to be good for the cluster.
fn judged(
    request: &Request,
    opened: OpenedKey,
    cluster: Cluster,
    at: OffsetDateTime,
    system: &mut System,
) -> Result<Import, Error> {
    let own = candidate::certificates(&request.certificate, system)?;
    let chain = match &request.chain {
        Some(path) => Some((path.clone(), candidate::certificates(path, system)?)),
        None => None,
    };
    let ca = candidate::assemble(own, &opened.key, &request.key, chain)
        .map_err(|refusals| request.refused(refusals))?;
    let refusals = candidate::check(&ca, at);
    if !refusals.is_empty() {
        return Err(request.refused(refusals));
    }
    let given = match &request.crl {
        Some(path) => read_crls(path, &ca.certificate, system)?,
        None => Vec::new(),
    };
    let authority = Authority::new(ca.certificate.clone(), opened.key)?;
    let passphrases = [request.key_passphrase.as_ref(), request.stored.given()];
    let (refusals, objections) = candidate::rehearse(&ca, &authority, &cluster, at, system)?;
    if !refusals.is_empty() {
        return Err(request.refused(refusals));
    }
    Ok(Import {
        ca,
        authority,
        objections,
        key_file: opened.bytes,
        passphrases: passphrases.into_iter().flatten().cloned().collect(),
        given,
        cluster,
        at,
    })
}

impl Request {
    fn refused(&self, refusals: Vec<Refusal>) -> Error {
        Error::CaImport {
            path: self.certificate.clone(),
            refusals,
        }
    }
}

/// Opens the private key: with its own passphrase, or with the one that it is to have.
fn open_key(request: &Request, system: &mut System) -> Result<OpenedKey, Error> {
    let path = system.locate(&request.key);
    let own = request.key_passphrase.as_ref();
    let mut access = CaKeyAccess {
        file: None,
        passphrase: own.or_else(|| request.stored.given()).cloned(),
        may_ask: request.may_ask,
    };
    let mut opened = access.open_file(path.clone(), system);
    let may_ask = own.is_none() && request.may_ask && system.prompt.is_some();
    if matches!(opened, Err(Error::CaKeyPassphrase { .. })) && may_ask {
        access.passphrase = None;
        opened = access.open_file(path, system);
    }
    opened.map_err(|error| match error {
        Error::NoCaKey { .. } => Error::input(&request.key, std::io::ErrorKind::NotFound.into()),
        Error::Usage(Usage::NoPassphrase) => Error::Usage(Usage::NoKeyPassphrase),
        error => error,
    })
}

/// The CRLs of the CA in a file, if all that they say can be said again. HAProxy's has those of the CAs
/// above too.
fn read_crls(
    path: &Path,
    ca: &ParsedCertificate,
    system: &mut System,
) -> Result<Vec<RevocationList>, Error> {
    let bytes = system
        .read(path)
        .map_err(|error| Error::input(path, error))?;
    let unreadable = |because: String, hint: String| Error::Unreadable {
        path: path.to_owned(),
        line: None,
        because,
        hint,
    };
    let of = |error: crate::x509::error::Error| unreadable(error.to_string(), error.hint());
    let blocks: Result<Vec<_>, _> = pem::scan(&bytes).into_iter().collect();
    let mut crls = blocks.map_err(of)?;
    crls.retain(|block| block.label.ends_with("CRL"));
    let mut crls: Vec<_> = crls.iter().map(|block| block.contents.as_slice()).collect();
    if crls.is_empty() {
        crls.push(bytes.as_slice());
    }
    let mut lists = Vec::new();
    for der in crls {
        PathCrl::from_der(der).map_err(of)?;
        if state::is_crl_by(ca, der) {
            lists.push(crl::read_to_sign_again(der).map_err(of)?);
        }
    }
    if lists.is_empty() {
        return Err(unreadable(
            format!("it is not signed by {}", Quoted(&ca.details.subject)),
            "name the CRL of the CA that is imported".to_owned(),
        ));
    }
    Ok(lists)
}

/// What is imported.
struct Import {
    /// What a strict verifier has against the CA.
    objections: Vec<String>,
    ca: Ca,
    authority: Authority,
    /// What is in the file of its key.
    key_file: Zeroizing<Vec<u8>>,
    /// What may open the key in its place.
    passphrases: Vec<Passphrase>,
    /// Its own CRLs, of the file that was given.
    given: Vec<RevocationList>,
    cluster: Cluster,
    at: OffsetDateTime,
}

/// What there is before.
struct Before {
    ca: Option<Ca>,
    /// Whether that is the same CA: name, key and key identifier.
    is_same: bool,
    /// The CRL in its place, if the CA to be imported has signed it.
    crl: Option<KeptCrl>,
    /// Those that it signed before it was replaced by another.
    former_crls: Vec<KeptCrl>,
    /// The key in its place, if that is the CA's. One that cannot be compared, for it is closed to this
    /// user or encrypted and no passphrase that was given opens it, is taken for that of the CA in its
    /// place.
    key: Option<Key>,
}

/// The private key as it is to be written.
struct NewKey {
    text: Zeroizing<String>,
    is_encrypted: bool,
}

/// What was written.
struct Written {
    /// Whether anything was.
    changed: bool,
    /// Where what was replaced is.
    previous: Option<String>,
    /// Where the key was written to, if it was.
    key: Option<&'static str>,
    /// Whether the key is encrypted.
    key_encrypted: bool,
}

impl Import {
    /// Looks at what there is: that no certificate in use is cut off unasked, and that HAProxy will
    /// have every CRL that it needs.
    fn survey(&self, request: &Request, view: &View<'_>) -> Result<Before, Error> {
        let settings = self.cluster.settings();
        extra_crls::read(&settings.revocation, &self.ca, view, Some(self.at))?;
        let ca = match Ca::read(view) {
            Ok(ca) => Some(ca),
            Err(Error::NoCa { .. }) => None,
            Err(error) => return Err(error),
        };
        let own = &self.ca.certificate;
        let identifier = |it: &ParsedCertificate| it.details.subject_key_identifier.clone();
        let has_its_crl = ca.as_ref().is_some_and(|ca| self.signs_as(&ca.certificate));
        let is_same = ca.as_ref().is_some_and(|ca| {
            self.signs_as(&ca.certificate) && identifier(&ca.certificate) == identifier(own)
        });
        if let Some(ca) = ca.as_ref().filter(|_| !is_same && !request.force) {
            let count = live(&ca.certificate, view, self.at)?;
            let subject = ca.certificate.details.subject.clone();
            if count > 0 {
                return Err(request.refused(vec![Refusal::LiveCertificates { count, subject }]));
            }
        }
        let crl = match has_its_crl {
            true => self.crl_in_place(view)?,
            false => None,
        };
        let path = layout::issued(&EntryName::ca(), &own.details.serial_number);
        let issued = view.bytes(&path)?;
        let issued = issued.and_then(|bytes| state::first_certificate(&bytes));
        if issued.is_some_and(|it| it.der != own.der) {
            return Err(request.refused(vec![Refusal::SerialNumberTaken { path }]));
        }
        let path = layout::ca_key(&settings.ca);
        let key = match self.is_own_key(path, view)?.unwrap_or(is_same) {
            true => Some(Key::read(path, view)?),
            false => None,
        };
        Ok(Before {
            crl,
            former_crls: self.former_crls(view)?,
            ca,
            is_same,
            key,
        })
    }

    /// Whether the key at `path` is the CA's; None where that cannot be seen.
    fn is_own_key(&self, path: &Path, view: &View<'_>) -> Result<Option<bool>, Error> {
        let bytes = match view.bytes(path) {
            Err(error) if error.kind() == Kind::Permission => return Ok(None),
            bytes => bytes?,
        };
        let Some(bytes) = bytes else {
            return Ok(Some(false));
        };
        if *bytes == *self.key_file {
            return Ok(Some(true));
        }
        let Some(Ok(block)) = private_key_block(&bytes) else {
            return Ok(Some(false));
        };
        for passphrase in std::iter::once(None).chain(self.passphrases.iter().map(Some)) {
            match PrivateKey::from_pem(&block, passphrase) {
                Ok(key) => {
                    let own = self.authority.key().public_key_der();
                    return Ok(Some(key.public_key_der() == own));
                }
                Err(
                    KeyError::KeyEncrypted
                    | KeyError::KeyEncryption { .. }
                    | KeyError::PassphraseWrong,
                ) => {}
                Err(_) => return Ok(Some(false)),
            }
        }
        Ok(None)
    }

    /// Its key, encrypted as it is asked for.
    fn new_key(&self, request: &mut Request, system: &mut System) -> Result<NewKey, Error> {
        let passphrase = request.stored.settle(request.may_ask, system)?;
        Ok(NewKey {
            text: encoded(self.authority.key(), passphrase.as_ref(), system)?,
            is_encrypted: passphrase.is_some(),
        })
    }

    /// Writes everything, if anything differs. What another run did meanwhile counts, so that all is
    /// decided again; only then a key may have to be written that was in its place before.
    fn write(
        &mut self,
        key: Option<NewKey>,
        request: &mut Request,
        directory: &PkiDirectory,
        system: &mut System,
    ) -> Result<Written, Error> {
        system.interruption.defer();
        let writer = directory.lock(request.lock_timeout, system)?;
        self.at = trusted_clock(system, request.force, FORCE)?;
        let before = directory.read(|view| self.survey(request, view))?;
        let key = match (&before.key, key) {
            (Some(_), _) => None,
            (None, Some(key)) => Some(key),
            (None, None) => Some(self.new_key(request, system)?),
        };
        let text = key.as_ref().map(|key| key.text.as_str());
        let (transaction, previous) =
            directory.read(|view| self.transaction(&before, text, view, system))?;
        let changed = !transaction.changes.is_empty();
        if changed {
            writer.commit(&transaction, &*system.progress)?;
        }
        let key_encrypted = match (&key, &before.key) {
            (Some(key), _) => key.is_encrypted,
            (None, found) => found
                .as_ref()
                .and_then(|it| it.encrypted)
                .unwrap_or_default(),
        };
        Ok(Written {
            changed,
            previous,
            key_encrypted,
            key: key.map(|_| CA_KEY),
        })
    }

    /// All that is written, and where the CA before it goes.
    fn transaction(
        &self,
        before: &Before,
        key: Option<&str>,
        view: &View<'_>,
        system: &System,
    ) -> Result<(Transaction, Option<String>), Error> {
        let mut transaction = Transaction::default();
        let replaced = before.ca.as_ref().filter(|_| !before.is_same);
        let previous = match (replaced, key) {
            (Some(ca), _) => put_away(ca, &CA_OWN, view, &mut transaction)?,
            (None, Some(_)) if self.is_own_key(Path::new(CA_KEY), view)? != Some(true) => {
                put_away(&self.ca, &[(CA_KEY, SECRET)], view, &mut transaction)?
            }
            (None, _) => None,
        };
        let mut files = Vec::new();
        files.extend(key.map(|key| File::new(CA_KEY, SECRET, key)));
        files.extend(self.public_files());
        files.extend(self.crl(before)?.map(|crl| File::new(CRL, PUBLIC, crl)));
        if !self.ca.is_intermediate()
            && let Some(found) = view.bytes(Path::new(CA_CHAIN))?
        {
            transaction.changes.push(Change::Delete {
                path: CA_CHAIN.into(),
                before: sha256(&found),
            });
        }
        for file in files {
            let found = view.bytes(&file.path)?;
            if found.as_ref().is_none_or(|found| **found != *file.bytes) {
                let before = found.map(|found| sha256(&found));
                transaction.changes.push(Change::Put { file, before });
            }
        }
        if !transaction.changes.is_empty() {
            let log = self.log(replaced, view, system)?;
            transaction.changes.extend(log);
        }
        Ok((transaction, previous))
    }

    /// Its certificate, to be issued by, to be trusted and to be kept; and what is above it.
    fn public_files(&self) -> Vec<File> {
        let pem = |all: &mut dyn Iterator<Item = &ParsedCertificate>| -> String {
            all.map(ParsedCertificate::to_pem).collect()
        };
        let certificate = &self.ca.certificate;
        let serial_number = &certificate.details.serial_number;
        let chain = pem(&mut self.ca.above().into_iter());
        let mut files = vec![
            File::new(CA_CERTIFICATE, PUBLIC, certificate.to_pem()),
            File::new(CA_FILE, PUBLIC, pem(&mut self.ca.roots.iter())),
            File::new(
                layout::issued(&EntryName::ca(), serial_number),
                PUBLIC,
                certificate.to_pem(),
            ),
        ];
        if !chain.is_empty() {
            files.push(File::new(CA_CHAIN, PUBLIC, chain));
        }
        files
    }

    fn log(
        &self,
        replaced: Option<&Ca>,
        view: &View<'_>,
        system: &System,
    ) -> Result<Vec<Change>, Error> {
        let details = &self.ca.certificate.details;
        let reason = replaced.map(|ca| {
            let serial_number = &ca.certificate.details.serial_number;
            format!("in place of {serial_number}")
        });
        let event = Event {
            action: "ca-import",
            name: Some(&EntryName::ca()),
            serial_number: Some(&details.serial_number),
            validity: Some(details.validity),
            reason,
            origin: None,
        };
        let old = view.bytes(Path::new(LOG_FILE))?;
        let old = old.as_ref().map(|old| old.as_slice());
        let former = log::former(view)?;
        Ok(log::changes(
            old,
            &former,
            vec![event],
            self.at,
            &system.user,
        ))
    }

    /// Whether what the CA of `certificate` has signed this one has signed: they have one name and one
    /// key.
    fn signs_as(&self, certificate: &ParsedCertificate) -> bool {
        let own = &self.ca.certificate;
        certificate.subject_der == own.subject_der
            && certificate.public_key_der == own.public_key_der
    }

    /// The CRL in its place, which is this CA's; only one that is given can stand in for it.
    fn crl_in_place(&self, view: &View<'_>) -> Result<Option<KeptCrl>, Error> {
        match state::read_crl(&self.ca.certificate, view) {
            Ok(crl) => Ok(Some(crl)),
            Err(Error::NoCrl { path, .. }) => self.without_crl(path, view).map(|()| None),
            Err(error) => Err(error),
        }
    }

    /// The CRLs that this CA signed before it was replaced; they too are missed where they are gone.
    fn former_crls(&self, view: &View<'_>) -> Result<Vec<KeptCrl>, Error> {
        let mut crls = state::former_crls(view)?;
        crls.retain(|crl| crl.is_by(&self.ca.certificate));
        for folder in view.list(Path::new(PREVIOUS))? {
            let certificate = view.bytes(&layout::former_ca(&folder, CA_CERTIFICATE))?;
            let certificate = certificate.and_then(|bytes| state::first_certificate(&bytes));
            let path = view.path().join(layout::former_ca(&folder, CRL));
            let is_own = certificate.is_some_and(|it| self.signs_as(&it));
            if is_own && crls.iter().all(|crl| crl.path != path) {
                self.without_crl(path, view)?;
            }
        }
        Ok(crls)
    }

    /// Refuses to go on without the CRL at `path`, unless one was given.
    fn without_crl(&self, path: PathBuf, view: &View<'_>) -> Result<(), Error> {
        if !self.given.is_empty() {
            return Ok(());
        }
        let has_one = state::haproxy_has_crl_by(&self.ca.certificate, view);
        let copy = has_one.then(|| view.path().join(state::haproxy_crl()));
        Err(Error::NoCrlGiven { path, copy })
    }

    /// A CRL with everything that was revoked before; None when the one in its place says it.
    fn crl(&self, before: &Before) -> Result<Option<Bytes>, Error> {
        let kept = before.crl.iter().chain(&before.former_crls);
        let lists = kept.clone().map(|crl| &crl.list).chain(&self.given);
        let last = lists.clone().filter_map(|list| list.number()).max();
        let revoked = by_serial_number(lists.flat_map(|list| &list.revoked));
        let in_place = before.crl.as_ref().filter(|_| before.is_same);
        let says_it_all = in_place.is_some_and(|crl| {
            crl.list.number() == last && by_serial_number(&crl.list.revoked) == revoked
        });
        if says_it_all {
            return Ok(None);
        }
        for crl in kept {
            crl.to_sign_again()?;
        }
        let revoked = revoked.into_values().cloned().collect();
        let ca = &self.ca.certificate.details.validity;
        let lifetime = self.cluster.settings().revocation.lifetime;
        let template = CrlTemplate {
            updates: crl_updates(lifetime, ca, self.at)?,
            number: crl_number(last, self.at)?,
            revoked,
        };
        let der = self.authority.revocation_list(&template)?;
        Ok(Some(crl::to_pem(&der).into()))
    }

    fn findings(&self) -> Vec<Finding> {
        let details = &self.ca.certificate.details;
        let mut findings: Vec<Finding> = Vec::new();
        findings.extend(self.objections.iter().map(|why| {
            Finding::warning(
                "ca-not-strict",
                CA_CERTIFICATE,
                format!("HAProxy and the servers take what it signs; {why}"),
                "have it made again as RFC 5280 has it when there is an occasion",
            )
        }));
        let is_sha1 = details.signature_algorithm.contains("sha1")
            || details.signature_algorithm.contains("SHA1");
        if is_sha1 {
            findings.push(Finding::warning(
                "ca-signature-sha1",
                CA_CERTIFICATE,
                "its own signature is made with SHA-1: OpenSSL does not look at that of a root, others may",
                "have it signed again with SHA-256 when there is an occasion",
            ));
        }
        let not_after = details.validity.not_after;
        let remaining = not_after - self.at;
        if let Some(needed) = self.cluster.longest_term().filter(|it| remaining < *it) {
            findings.push(Finding::warning(
                "ca-runway",
                CA_CERTIFICATE,
                format!(
                    "it ends on {}, and a certificate of the longest lifetime with its renewal needs {} days",
                    show(not_after),
                    needed.whole_days()
                ),
                "have it renewed where it was made, then: zpki ca import",
            ));
        }
        for above in self.ca.above() {
            let end = above.details.validity.not_after;
            if end < not_after {
                findings.push(Finding::warning(
                    "chain-ends-sooner",
                    CA_CHAIN,
                    format!(
                        "{} ends on {}, before the CA itself",
                        Quoted(&above.details.subject),
                        show(end)
                    ),
                    "have it renewed before then",
                ));
            }
        }
        let wanted = &self.cluster.settings().ca.name_constraints;
        if !has_name_constraints(&self.ca.certificate, wanted) {
            findings.push(Finding::note(
                "ca-name-constraints",
                CA_CERTIFICATE,
                "its name constraints are not those of zpki.toml; both hold",
            ));
        }
        findings
    }
}

/// The files of a CA that are kept when it is replaced; its certificates stay in the inventory.
const CA_OWN: [(&str, u32); 4] = [
    (CA_CERTIFICATE, PUBLIC),
    (CA_KEY, SECRET),
    (CA_CHAIN, PUBLIC),
    (CRL, PUBLIC),
];

/// Keeps those of `files` that there are in a folder named for `ca`; answers where, if anywhere.
fn put_away(
    ca: &Ca,
    files: &[(&str, u32)],
    view: &View<'_>,
    transaction: &mut Transaction,
) -> Result<Option<String>, Error> {
    let serial_number = &ca.certificate.details.serial_number;
    let folder = Path::new(PREVIOUS).join(serial_number.to_string());
    let folder = state::free(&folder, view)?;
    let name = folder.file_name().unwrap_or_default();
    for (file, mode) in files.iter().copied() {
        let Some(bytes) = view.bytes(Path::new(file))? else {
            continue;
        };
        transaction.changes.push(Change::Put {
            file: File::new(layout::former_ca(name, file), mode, bytes.to_vec()),
            before: None,
        });
    }
    if transaction.changes.is_empty() {
        return Ok(None);
    }
    for path in [PathBuf::from(PREVIOUS), folder.clone()] {
        let mode = CLOSED_DIRECTORY;
        transaction.directories.push(Directory { path, mode });
    }
    Ok(Some(folder.display().to_string()))
}

/// Where zpki.toml has the key elsewhere than it was written to.
fn move_key(written: &Path, home: &Path, system: &System) -> Option<NextStep> {
    if written == home {
        return None;
    }
    let [from, to] = [written, home].map(word);
    let mut step = NextStep {
        what: "move the CA's key to where zpki.toml has it".to_owned(),
        commands: vec![format!("mv -n {from} {to}")],
    };
    if system.exists(home) {
        step.what += ", and the key of the CA before out of its way";
        let aside = word(&home.with_extension("previous"));
        step.commands.insert(0, format!("mv -n {to} {aside}"));
    }
    Some(step)
}

fn issue(directory: &Path) -> NextStep {
    NextStep {
        what: "have it issue the certificates of the cluster".to_owned(),
        commands: vec![format!("zpki -C {} apply", word(directory))],
    }
}

fn word(path: &Path) -> String {
    ShellWord(&path.display().to_string()).to_string()
}
