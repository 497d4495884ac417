//! `zpki issue`: certificates that zpki.toml does not name.
//!
//! They stand in the inventory as all others do, and nowhere else but in the directory that they are
//! wanted in; only a client's may go to a host folder, which `zpki apply` leaves alone. Nobody renews
//! them but who asks for them again.

mod files;
mod wish;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::apply::Writing;
use super::directory::{PkiDirectory, View};
use super::error::{Error, Usage};
use super::host_folder;
use super::init::trusted_clock;
use super::issuance::{AT_ONCE, Issuer, clamped};
use super::log::{self, Event, REQUEST};
use super::next_steps::{self, NextStep};
use super::reconcile::trust_bundle;
use super::state::{Key, State, certificates, compromised, issued};
use crate::domain::finding::Finding;
use crate::domain::host::Host;
use crate::domain::name::{ClusterName, EntryName};
use crate::domain::order::{Format, Register, Terms};
use crate::domain::progress::Part;
use crate::domain::role::Role;
use crate::domain::serial_number::SerialNumber;
use crate::domain::text::ShellWord;
use crate::domain::validity::Validity;
use crate::plan::entry::{Rules, Wanted, faults};
use crate::plan::establish::caller;
use crate::plan::reason::Reason;
use crate::store::file::{Bytes, Directory, File};
use crate::store::handout::{Handout, Outgoing, Target, is_inside};
use crate::store::layout::{self, HostFolder, LOG_FILE, PUBLIC, TRUST_BUNDLE};
use crate::store::transaction::{Change, Transaction};
use crate::store::{self, Writer};
use crate::system::{Entropy, System};
use crate::verify::issued::Trust;
use crate::x509::certificate::ParsedCertificate;
use crate::x509::csr;
use crate::x509::digest::sha256;
use crate::x509::issue::Authority;
use crate::x509::passphrase::Passphrase;
use crate::x509::pkcs12;
use crate::x509::private_key::PrivateKey;
use crate::x509::public_key::SubjectKey;

use files::{Handed, Place, Sealing};
use wish::Orders;

pub use wish::{RequestWish, Wish};

/// The flag of `issue` for a clock that seems wrong, for its `--force` replaces files.
const TRUST_CLOCK: &str = "--trust-clock";

/// What is to be issued, and where to.
#[derive(Debug)]
pub struct Request {
    /// What.
    pub wish: Wish,
    /// A directory that is not zpki's; None is a client's host folder, or standard output for the
    /// certificate that a request asks for.
    pub out: Option<PathBuf>,
    /// The files there.
    pub format: Format,
    /// The passphrase of PKCS#12 files, when it is not to be asked for.
    pub p12_passphrase: Option<Passphrase>,
    /// Whether to replace files that are there.
    pub replace: bool,
    /// What goes for every run that writes.
    pub writing: Writing,
}

/// What was issued.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IssueReport {
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
    /// The certificates, in the order in which they were asked for.
    pub certificates: Vec<Issued>,
    /// What to know besides.
    pub findings: Vec<Finding>,
    /// What to do next, in this order.
    pub next_steps: Vec<NextStep>,
}

/// One certificate that was asked for.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Issued {
    /// Its name.
    pub name: EntryName,
    /// What it is for.
    pub role: Role,
    /// Whether it was made in this run; otherwise there was one that is as it should be.
    pub issued: bool,
    /// Its key algorithm.
    pub key_algorithm: String,
    /// Serial number.
    pub serial_number: SerialNumber,
    /// notBefore and notAfter.
    #[serde(flatten)]
    pub validity: Validity,
    /// Its host names and addresses.
    pub hosts: Vec<Host>,
    /// Its file in the inventory, relative to the PKI directory.
    pub file: String,
    /// The files that it was handed over in, that with the private key first.
    pub files: Vec<String>,
    /// The certificate and its chain, when it was handed over in none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pem: Option<String>,
}

/// Issues what is asked for, all of it or nothing.
///
/// # Errors
/// Any; nothing has changed then, unless the error says so.
pub fn run(
    request: Request,
    directory: &PkiDirectory,
    system: &mut System,
) -> Result<IssueReport, Error> {
    let Request {
        wish,
        out,
        format,
        p12_passphrase,
        replace,
        mut writing,
    } = request;
    if matches!(wish, Wish::Request(_)) && matches!(format, Format::KeyCert | Format::P12) {
        let format = format.name();
        return Err(Error::Usage(Usage::NoPrivateKey { format }));
    }
    let out = out.map(|out| system.locate(&out));
    if let Some(path) = out.as_ref().filter(|it| is_inside(it, directory.path())) {
        let path = path.clone();
        return Err(Error::Usage(Usage::OutInside { path }));
    }
    let orders = wish.read(system)?;
    let writer = directory.lock(writing.lock_timeout, system)?;
    let now = trusted_clock(system, writing.force, TRUST_CLOCK)?;
    let state = directory.read(State::read)?;
    let register = Register::of(&state.cluster);
    let terms = orders.terms(&register)?;
    let run = Run {
        now,
        replace,
        request: match &orders {
            Orders::Request(_, request) => Some(request),
            Orders::One(_) | Orders::Manifest(..) => None,
        },
        target: out.as_deref().map(Target::at).transpose()?,
        out: out.as_deref(),
        format,
        p12_passphrase: p12_passphrase.as_ref(),
        bundle: trust_bundle(&state.ca.roots),
        trust: state.ca.trust()?,
        state: &state,
    };
    let jobs = directory.read(|view| run.jobs(&terms, view))?;
    let bundle = run.missing_bundle()?;
    let is_new = |job: &Job<'_>| job.kept.is_none();
    let mut findings = writing.findings;
    findings.extend(run.findings(&jobs, &register)?);
    let (authority, asked) = if jobs.iter().any(is_new) {
        state.check_clock(now, writing.force, TRUST_CLOCK)?;
        let access = &mut writing.ca_key;
        let may_ask = access.may_ask;
        let authority = access.open(&state.ca.certificate, &state.cluster, directory, system)?;
        let asks = run.seals() && p12_passphrase.is_none();
        let asked = asks.then(|| ask_p12_passphrase(may_ask, system));
        (Some(authority), asked.transpose()?)
    } else {
        (None, None)
    };
    let passphrase = p12_passphrase.as_ref().or(asked.as_ref());
    let done = run.fulfil(jobs, authority.as_ref(), passphrase, system)?;
    let changed = run.write(&done, bundle, writer, system)?;
    let report = IssueReport {
        schema: 1,
        at: now,
        changed,
        directory: directory.path().display().to_string(),
        cluster: state.cluster.settings().name.clone(),
        next_steps: match changed {
            true => run.next_steps(&done, directory.path()),
            false => Vec::new(),
        },
        certificates: done
            .par_iter()
            .map(|it| run.issued(it, directory.path()))
            .collect(),
        findings,
    };
    // To wipe and free a thousand keys and what belongs to them is work too.
    done.into_par_iter().for_each(drop);
    Ok(report)
}

/// Asks for the passphrase of a PKCS#12 file, twice.
pub(super) fn ask_p12_passphrase(may_ask: bool, system: &mut System) -> Result<Passphrase, Error> {
    match system.prompt.as_deref_mut().filter(|_| may_ask) {
        Some(prompt) => Ok(prompt.new_passphrase("Passphrase of the PKCS#12 file")?),
        None => Err(Error::Usage(Usage::NoP12Passphrase)),
    }
}

/// What goes for every certificate of a run.
struct Run<'a> {
    now: OffsetDateTime,
    /// Whether files that are there are replaced.
    replace: bool,
    /// Whose key it is for, when it is not for a new one.
    request: Option<&'a csr::Request>,
    out: Option<&'a Path>,
    /// What is there.
    target: Option<Target>,
    format: Format,
    /// The passphrase of its PKCS#12 files, if it was given.
    p12_passphrase: Option<&'a Passphrase>,
    bundle: Bytes,
    /// What the peers judge by.
    trust: Trust,
    state: &'a State,
}

/// A certificate that is asked for, and what there is of it.
struct Job<'a> {
    terms: &'a Terms,
    place: Place,
    /// The files in its place, as far as they are there.
    found: BTreeMap<PathBuf, Zeroizing<Vec<u8>>>,
    /// What runs that were killed were about to make of the file with the private key.
    left: Vec<Zeroizing<Vec<u8>>>,
    /// The trust bundle in its host folder.
    bundle: Option<Zeroizing<Vec<u8>>>,
    /// What need not be made.
    kept: Option<Handed>,
}

/// A certificate that was asked for, and is there.
struct Done<'a> {
    job: Job<'a>,
    handed: Handed,
    issued: bool,
    /// The files that are not in their place as they should be.
    files: Vec<File>,
}

impl Job<'_> {
    /// The file with the private key, if it is in its place.
    fn with_key(&self) -> Option<&Zeroizing<Vec<u8>>> {
        let paths = self.place.paths(&self.terms.name, true);
        self.found.get(paths.first()?)
    }
}

impl Run<'_> {
    /// Whether its files are encrypted.
    fn seals(&self) -> bool {
        self.format == Format::P12 && self.out.is_some()
    }

    /// What there is of each, and that nothing is in the way.
    fn jobs<'t>(&self, terms: &'t [Terms], view: &View<'_>) -> Result<Vec<Job<'t>>, Error> {
        let jobs: Vec<_> = terms
            .par_iter()
            .map(|terms| self.job(terms, view))
            .collect();
        // Of several errors always the same one: the first.
        jobs.into_iter().collect()
    }

    fn job<'t>(&self, terms: &'t Terms, view: &View<'_>) -> Result<Job<'t>, Error> {
        let place = match (self.out, self.request, terms.role) {
            (Some(_), ..) => Place::Out(self.format),
            (None, Some(_), _) => Place::Stdout,
            (None, None, Role::Client) => Place::HostFolder,
            (None, None, _) => {
                let name = terms.name.clone();
                return Err(Error::Usage(Usage::NoOut { name }));
            }
        };
        let mut job = Job {
            terms,
            place,
            found: BTreeMap::new(),
            left: Vec::new(),
            bundle: None,
            kept: None,
        };
        if place == Place::HostFolder {
            let bundle = HostFolder::of(&terms.name, Role::Client).trust_bundle();
            job.bundle = view.bytes(&bundle)?;
        }
        let paths = place.paths(&terms.name, self.request.is_none());
        if let (Some(target), Some(with_key)) = (&self.target, paths.first()) {
            job.left = target.left(with_key)?;
        }
        for path in paths {
            let bytes = match &self.target {
                Some(target) => target.read(&path)?,
                None => view.bytes(&path)?,
            };
            job.found.extend(bytes.map(|bytes| (path, bytes)));
        }
        job.kept = self.kept(&job, view)?;
        self.check(&job, view)?;
        Ok(job)
    }

    /// The certificate that is as it should be, for the key that is in its place.
    fn kept(&self, job: &Job<'_>, view: &View<'_>) -> Result<Option<Handed>, Error> {
        let terms = job.terms;
        if let Some(request) = self.request {
            self.check_key(request.public_key_der(), view)?;
        } else if job.found.is_empty() && job.left.is_empty() {
            return Ok(None);
        }
        let mut right = issued(&terms.name, view)?;
        right.retain(|certificate| self.faults(certificate, terms).is_empty());
        if let Some(request) = self.request {
            right.retain(|it| it.public_key_der == request.public_key_der());
            return Ok(newest(right, None));
        }
        let algorithm = terms.key_algorithm.to_string();
        right.retain(|it| it.details.public_key.algorithm == algorithm);
        let with_key = job.with_key();
        if !job.place.is_readable() {
            right.retain(|it| with_key.is_some_and(|file| pkcs12::is_for(file, it)));
            let kept = newest(right, None);
            return match with_key.zip(self.p12_passphrase) {
                Some((file, passphrase)) if kept.is_some() && !pkcs12::opens(file, passphrase) => {
                    self.refuse_passphrase(job).map(|()| None)
                }
                _ => Ok(kept),
            };
        }
        // What is in its place, or else what a killed run has left: its certificate needs no other.
        let mut files = with_key.into_iter().chain(&job.left);
        Ok(files.find_map(|file| {
            let Key::Usable(key) = Key::read(Some(file)) else {
                return None;
            };
            let mut right = right.clone();
            right.retain(|it| it.public_key_der == key.public_key_der());
            newest(right, Some(key))
        }))
    }

    /// What is wrong with a certificate.
    fn faults(&self, certificate: &ParsedCertificate, terms: &Terms) -> Vec<Reason> {
        let state = self.state;
        let rules = Rules {
            now: self.now,
            ca: &state.ca.certificate,
            ca_validity: state.ca.certificate.details.validity,
            cluster: &state.cluster.settings().name,
            revoked: |serial: &SerialNumber| state.revoked(serial),
        };
        faults(certificate, &Wanted::from(terms), &rules)
    }

    /// Why what is in its place is to be issued again, if it is only that it runs out, or is not valid yet.
    fn due(&self, job: &Job<'_>, view: &View<'_>) -> Result<Option<Reason>, Error> {
        let Some(file) = job.with_key() else {
            return Ok(None);
        };
        let mut there = issued(&job.terms.name, view)?;
        match Key::read(Some(file)) {
            Key::Usable(key) => there.retain(|it| it.public_key_der == key.public_key_der()),
            _ => there.retain(|it| pkcs12::is_for(file, it)),
        }
        let newest = newest(there, None);
        let faults = newest.map(|it| self.faults(&it.certificate, job.terms));
        let only = <[Reason; 1]>::try_from(faults.unwrap_or_default()).ok();
        let is_due = |reason: &[Reason; 1]| {
            let [reason] = reason;
            matches!(
                reason,
                Reason::Due { .. } | Reason::Expired(_) | Reason::NotYetValid(_)
            )
        };
        Ok(only.filter(is_due).map(|[reason]| reason))
    }

    /// The given passphrase does not open a file: its key is out of reach, so that it takes a new one.
    fn refuse_passphrase(&self, job: &Job<'_>) -> Result<(), Error> {
        let file = layout::pkcs12(&job.terms.name);
        match self.replace {
            true => Ok(()),
            false => Err(Error::Pkcs12Passphrase {
                path: self.shown(&file),
            }),
        }
    }

    /// That the key is not the CA's, and that no certificate for it was revoked because it is not safe.
    fn check_key(&self, public_key_der: &[u8], view: &View<'_>) -> Result<(), Error> {
        if public_key_der == self.state.ca.certificate.public_key_der {
            return Err(Error::RequestOfCaKey);
        }
        let mut compromised = compromised(self.state, view)?.into_iter();
        match compromised.find(|it| it.public_key_der == public_key_der) {
            Some(certificate) => Err(Error::RequestKeyCompromised {
                serial_number: certificate.details.serial_number,
            }),
            None => Ok(()),
        }
    }

    /// That nothing is in the way of its files.
    fn check(&self, job: &Job<'_>, view: &View<'_>) -> Result<(), Error> {
        let in_the_way = match &job.kept {
            Some(_) if !job.place.is_readable() => None,
            Some(handed) => {
                let files = handed.files(job.place, job.terms, &self.state.ca, None)?;
                files.into_iter().find_map(|file| {
                    let found = job.found.get(&file.path)?;
                    (**found != *file.bytes).then_some(file.path)
                })
            }
            None => {
                let paths = job.place.paths(&job.terms.name, self.request.is_none());
                let mut paths = paths.into_iter();
                paths.find(|path| job.found.contains_key(path))
            }
        };
        match in_the_way.filter(|_| !self.replace) {
            Some(path) => Err(match self.due(job, view)? {
                Some(reason) => Error::IsDue {
                    path: self.shown(&path),
                    reason,
                },
                None => self.would_replace(&path),
            }),
            None => Ok(()),
        }
    }

    /// A path as a person would give it.
    fn shown(&self, path: &Path) -> PathBuf {
        self.out
            .map_or_else(|| path.to_owned(), |out| out.join(path))
    }

    fn would_replace(&self, path: &Path) -> Error {
        Error::WouldReplace {
            path: self.shown(path),
            is_outside: self.out.is_some(),
        }
    }

    /// The trust bundle, if it has to be put beside the others.
    fn missing_bundle(&self) -> Result<Option<Outgoing>, Error> {
        // HAProxy loads every file of a directory that its `crt` names, and this one has no key.
        let target = self
            .target
            .as_ref()
            .filter(|_| self.format != Format::KeyCert);
        let Some(target) = target else {
            return Ok(None);
        };
        let path = Path::new(TRUST_BUNDLE);
        let file = File::new(path, PUBLIC, self.bundle.clone());
        match target.read(path)? {
            Some(found) if *found == *self.bundle => Ok(None),
            Some(found) if !self.replace && !self.is_of_renewed_ca(&found) => {
                Err(self.would_replace(path))
            }
            found => Ok(Some(Outgoing {
                file,
                replace: found.is_some(),
            })),
        }
    }

    /// Whether a trust bundle is as it was handed out before the CA got another certificate for the same
    /// key: nothing is lost with it.
    fn is_of_renewed_ca(&self, bundle: &[u8]) -> bool {
        let Ok(found) = certificates(bundle, Path::new(TRUST_BUNDLE)) else {
            return false;
        };
        let is_root = |it: &ParsedCertificate| {
            let mut roots = self.state.ca.roots.iter();
            roots.any(|root| {
                (&root.subject_der, &root.public_key_der) == (&it.subject_der, &it.public_key_der)
            })
        };
        *trust_bundle(&found) == *bundle && found.iter().all(is_root)
    }

    /// What there is to say of the certificates that are to be made.
    fn findings(&self, jobs: &[Job<'_>], register: &Register<'_>) -> Result<Vec<Finding>, Error> {
        let new = || {
            jobs.iter()
                .filter(|job| job.kept.is_none())
                .map(|job| job.terms)
        };
        let mut findings: Vec<Finding> = Vec::new();
        findings.extend(new().filter_map(|terms| {
            let chosen = terms.chosen.as_ref()?;
            let why = format!("host names by default: {chosen}");
            Some(Finding::note("default-hosts", &terms.name, why))
        }));
        for terms in new() {
            let validity = self.validity(terms)?;
            findings.extend(clamped(&terms.name, validity, terms.lifetime, self.now));
        }
        let is_caller = |terms: &&Terms| terms.role == Role::Client;
        findings.extend(new().filter(is_caller).map(|terms| caller(&terms.name)));
        findings.extend(new().filter_map(|terms| {
            let (host, owner) = register.shared(terms)?;
            Some(Finding::warning(
                "shared-name",
                &terms.name,
                format!("its certificate matches `{host}`, and so does that of `{owner}`: HAProxy's verifyhost takes one for the other"),
                "give each a host name that no other has",
            ))
        }));
        findings.extend(new().filter(|terms| has_no_name(terms)).map(|terms| {
            Finding::warning(
                "no-host-name",
                &terms.name,
                "its certificate has addresses only, which HAProxy's verifyhost never matches",
                "give it a host name too: --host",
            )
        }));
        Ok(findings)
    }

    fn validity(&self, terms: &Terms) -> Result<Validity, Error> {
        let ca = &self.state.ca.certificate.details.validity;
        Ok(Validity::starting(self.now, terms.lifetime, Some(ca))?)
    }

    /// A key and a certificate for each job that needs them, on all processors.
    fn fulfil<'t>(
        &self,
        jobs: Vec<Job<'t>>,
        authority: Option<&Authority>,
        passphrase: Option<&Passphrase>,
        system: &System,
    ) -> Result<Vec<Done<'t>>, Error> {
        system.interruption.defer();
        let (entropy, progress) = (&*system.entropy, &*system.progress);
        let sealing = passphrase.map(|passphrase| Sealing {
            passphrase,
            entropy,
        });
        let count = jobs.iter().filter(|job| job.kept.is_none()).count();
        if count > 0 {
            progress.start("making keys and certificates", count);
        }
        let fulfil = |mut job: Job<'t>| {
            let kept = job.kept.take();
            let issued = kept.is_none();
            let handed = match (kept, authority) {
                (Some(kept), _) => kept,
                (None, Some(authority)) => {
                    progress.advance()?;
                    self.make(job.terms, authority, entropy)?
                }
                (None, None) => unreachable!("the CA's key is open where something is to be made"),
            };
            let is_in_place = !issued && !job.place.is_readable();
            let mut files = match is_in_place {
                true => Vec::new(),
                false => handed.files(job.place, job.terms, &self.state.ca, sealing)?,
            };
            files.retain(|file| {
                job.found
                    .get(&file.path)
                    .is_none_or(|it| **it != *file.bytes)
            });
            Ok(Done {
                job,
                handed,
                issued,
                files,
            })
        };
        let jobs = jobs.into_par_iter().with_max_len(AT_ONCE);
        jobs.map(fulfil).collect()
    }

    fn make(
        &self,
        terms: &Terms,
        authority: &Authority,
        entropy: &dyn Entropy,
    ) -> Result<Handed, Error> {
        let issuer = Issuer {
            authority,
            trust: &self.trust,
            cluster: &self.state.cluster,
            now: self.now,
        };
        let validity = self.validity(terms)?;
        let certify = |key: &dyn SubjectKey| {
            let path = issuer.certify(&terms.into(), validity, key, entropy)?;
            Ok::<_, Error>(path.certificate().clone())
        };
        Ok(match self.request {
            Some(request) => Handed {
                certificate: certify(&request.public_key()?)?,
                key: None,
            },
            None => {
                let key = entropy.private_key(terms.key_algorithm)?;
                Handed {
                    certificate: certify(&key)?,
                    key: Some(Box::new(key)),
                }
            }
        })
    }

    /// Writes all of it. What goes outside is durable before the PKI directory is changed, so that no private
    /// key is lost, and gets its name afterwards, so that no certificate is used that the inventory does
    /// not know. Answers whether there was anything to write.
    fn write(
        &self,
        done: &[Done<'_>],
        bundle: Option<Outgoing>,
        writer: Writer,
        system: &System,
    ) -> Result<bool, Error> {
        let transaction = self.transaction(done, system);
        let mut outgoing: Vec<Outgoing> = bundle.into_iter().collect();
        if self.out.is_some() {
            outgoing.par_extend(done.par_iter().flat_map_iter(|done| {
                let replace = |file: &File| done.job.found.contains_key(&file.path);
                done.files.iter().map(move |file| Outgoing {
                    replace: replace(file),
                    file: file.clone(),
                })
            }));
        }
        let changed = !outgoing.is_empty() || !transaction.changes.is_empty();
        if !changed {
            return Ok(false);
        }
        let progress = Part(&*system.progress);
        let steps = outgoing.len() + transaction.changes.len() + 1;
        system.progress.start("writing files", steps);
        let hand_out = || match self.out {
            Some(out) if !outgoing.is_empty() => {
                Handout::stage(out, &outgoing, &progress).map(Some)
            }
            _ => Ok(None),
        };
        // Each takes back what it has done, if the other one fails.
        let stage = || writer.stage(&transaction, &progress);
        let (handout, staged) = rayon::join(hand_out, stage);
        let (handout, staged) = (handout?, staged?);
        let put_in_place = || {
            // Nobody else writes until the files have their names, or would not know the stages for theirs.
            let mut staged = staged;
            let committed = staged.commit();
            let is_done = committed
                .as_ref()
                .map_or_else(store::Error::committed, |()| true);
            if let Some(handout) = handout.filter(|_| is_done) {
                handout.place()?;
            }
            committed
        };
        let (outcome, ()) = rayon::join(put_in_place, || drop((outgoing, transaction)));
        outcome?;
        Ok(true)
    }

    /// What changes in the PKI directory.
    fn transaction(&self, done: &[Done<'_>], system: &System) -> Transaction {
        let parts: Vec<_> = done.par_iter().map(|done| self.changes(done)).collect();
        let mut transaction = Transaction::default();
        for (directory, changes) in parts {
            transaction.directories.extend(directory);
            transaction.changes.extend(changes);
        }
        transaction.changes.extend(self.log(done, system));
        transaction
    }

    /// What changes for one certificate: a client's host folder, and the inventory.
    fn changes(&self, done: &Done<'_>) -> (Option<Directory>, Vec<Change>) {
        let name = &done.job.terms.name;
        let mut changes = match done.job.place {
            Place::HostFolder => self.folder(done),
            _ => Vec::new(),
        };
        let directory = (!changes.is_empty()).then(|| host_folder::directory(name, Role::Client));
        if done.issued {
            let certificate = &done.handed.certificate;
            let path = layout::issued(name, &certificate.details.serial_number);
            changes.push(Change::Put {
                file: File::new(path, PUBLIC, certificate.to_pem()),
                before: None,
            });
        }
        (directory, changes)
    }

    /// What changes in a client's host folder.
    fn folder(&self, done: &Done<'_>) -> Vec<Change> {
        let job = &done.job;
        let put = |file: &File| Change::Put {
            before: job.found.get(&file.path).map(|found| sha256(found)),
            file: file.clone(),
        };
        let bundle = HostFolder::of(&job.terms.name, Role::Client).trust_bundle();
        let found = job.bundle.as_ref();
        let is_in_place = found.is_some_and(|found| **found == *self.bundle);
        let bundle = (!is_in_place).then(|| Change::Put {
            file: File::new(bundle, PUBLIC, self.bundle.clone()),
            before: found.map(|found| sha256(found)),
        });
        done.files.iter().map(put).chain(bundle).collect()
    }

    fn log(&self, done: &[Done<'_>], system: &System) -> Vec<Change> {
        let new = done.iter().filter(|done| done.issued);
        let events: Vec<Event<'_>> = new
            .map(|done| Event {
                action: "issue",
                name: Some(&done.job.terms.name),
                serial_number: Some(&done.handed.certificate.details.serial_number),
                validity: Some(done.handed.certificate.details.validity),
                origin: Some(REQUEST),
                ..Event::default()
            })
            .collect();
        if events.is_empty() {
            return Vec::new();
        }
        let old = self.state.found(Path::new(LOG_FILE));
        let old = old.map(|found| found.bytes.as_slice());
        let former = &self.state.former_logs;
        log::changes(old, former, events, self.now, &system.user)
    }

    fn issued(&self, done: &Done<'_>, directory: &Path) -> Issued {
        let Done { job, handed, .. } = done;
        let details = &handed.certificate.details;
        let (name, place) = (&job.terms.name, job.place);
        let base = self.out.unwrap_or(directory);
        let paths = place.paths(name, self.request.is_none()).into_iter();
        let pem = || handed.certificate.to_pem() + &self.state.ca.chain_pem;
        Issued {
            name: name.clone(),
            role: job.terms.role,
            issued: done.issued,
            key_algorithm: details.public_key.algorithm.clone(),
            serial_number: details.serial_number.clone(),
            validity: details.validity,
            hosts: job.terms.hosts.clone(),
            file: layout::issued(name, &details.serial_number)
                .display()
                .to_string(),
            files: paths
                .map(|path| base.join(path).display().to_string())
                .collect(),
            pem: (place == Place::Stdout).then(pem),
        }
    }

    fn next_steps(&self, done: &[Done<'_>], directory: &Path) -> Vec<NextStep> {
        let mut steps = Vec::new();
        let first = done.iter().find(|it| it.job.place == Place::HostFolder);
        if let Some(first) = first {
            let folder = HostFolder::of(&first.job.terms.name, Role::Client).directory();
            let folder = directory.join(folder).display().to_string();
            steps.push(next_steps::copy(&ShellWord(&folder)));
        }
        let ends = done
            .iter()
            .map(|it| it.handed.certificate.details.validity.not_after);
        if let Some(ends) = ends.min() {
            steps.push(next_steps::again(ends));
        }
        steps
    }
}

/// The newest of some certificates, with their key.
fn newest(certificates: Vec<ParsedCertificate>, key: Option<Box<PrivateKey>>) -> Option<Handed> {
    let certificates = certificates.into_iter();
    let newest = certificates.max_by_key(|it| it.details.validity.not_before);
    newest.map(|certificate| Handed { key, certificate })
}

/// Whether a server's certificate has nothing that `verifyhost` could match.
fn has_no_name(terms: &Terms) -> bool {
    terms.role == Role::Server && terms.hosts.iter().all(|host| host.as_dns().is_none())
}
