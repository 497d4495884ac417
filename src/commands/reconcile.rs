//! What a PKI directory needs so that it is what zpki.toml says: shown by `plan`, done by `apply`.
//!
//! Two steps, so that `plan` needs no key: first each key and certificate is judged; then what every
//! file should be is worked out and compared with what it is. Of what is still to be signed nobody
//! knows the bytes, so those files are left out of the comparison until it is.

mod carry_out;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::directory::{View, haproxy_files};
use super::error::Error;
use super::extra_crls;
use super::hooks::Owed;
use super::host_folder::{self, Identity, Shared, server_settings};
use super::init::FORCE;
use super::issuance::clamped;
use super::state::{
    Key, State, Stranger, compromised, first_certificate, haproxy_crl, issued, issued_by,
};
use crate::config::diff;
use crate::domain::cluster::{Cluster, Entry};
use crate::domain::finding::{Finding, Severity};
use crate::domain::name::EntryName;
use crate::domain::revocation::Revocation;
use crate::domain::role::Role;
use crate::domain::serial_number::SerialNumber;
use crate::domain::server_line::ServerLine;
use crate::domain::text::joined;
use crate::domain::validity::{Lifetime, Validity, show};
use crate::plan::authority;
use crate::plan::entry::{Need, Rules, decide, has_other_lifetime};
use crate::plan::reason::Reason;
use crate::store::file::{Bytes, Directory, File};
use crate::store::layout::{
    self, CA_CERTIFICATE, CA_FILE, CLUSTER_FILE, CRL, HostFolder, PUBLIC, SECRET,
};
use crate::store::snapshot::FileKind;
use crate::store::transaction::Change;
use crate::x509::certificate::ParsedCertificate;
use crate::x509::digest::sha256;
use crate::x509::profile::{check_renewable, has_name_constraints};

pub use carry_out::SignedCrl;
pub(super) use carry_out::{Besides, Done};

/// One thing that is to be done, or was.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// What.
    pub action: Verb,
    /// The entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<EntryName>,
    /// The file or directory, relative to the PKI directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Why; more than one reason may hold.
    pub reasons: Vec<Reason>,
    /// What of a text that is no secret would change, as `diff -u` shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// What is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// A first key and certificate.
    Issue,
    /// A new key and certificate.
    Rekey,
    /// A new certificate for the same key.
    Renew,
    /// A new certificate for the CA's key.
    RenewCa,
    /// A certificate of the inventory is put in its place.
    Restore,
    /// A host folder is put away.
    Retire,
    /// A mode is put right.
    SetMode,
    /// A fresh CRL.
    SignCrl,
    /// A file is written.
    Write,
}

/// What is to be done of all that could be.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Whatever makes the directory what zpki.toml says.
    Apply,
    /// A fresh CRL, valid for so long, or as long as zpki.toml says.
    Crl {
        /// From now to nextUpdate.
        lifetime: Option<Lifetime>,
    },
    /// New keys, and certificates for them.
    Rekey {
        /// Also where none is due.
        force: bool,
    },
    /// New certificates for the keys that there are.
    Renew {
        /// Also where none is due.
        force: bool,
    },
    /// A new certificate for the CA's key.
    RenewCa {
        /// Also where it would gain nothing.
        force: bool,
    },
    /// A CRL with these entries besides those that it has; without any, the one that there is, where
    /// it belongs.
    Revoke {
        /// What is revoked now.
        revoked: Vec<NewRevocation>,
    },
}

/// An entry that the CRL gets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewRevocation {
    /// Whose certificate it is, where that is known.
    pub name: Option<EntryName>,
    /// The entry.
    pub revocation: Revocation,
}

/// Which entries are looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Selection {
    /// All of them, what is to be retired, and the CA.
    All,
    /// These entries, or host folders to be retired, alone.
    Only(BTreeSet<String>),
}

impl Selection {
    fn has(&self, name: &EntryName) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(name.as_str()),
        }
    }

    /// That each name is one that there is something of.
    fn check(&self, state: &State, view: &View<'_>) -> Result<(), Error> {
        let Self::Only(names) = self else {
            return Ok(());
        };
        let entries = state.cluster.entries().iter().map(|entry| &entry.name);
        let strangers = state.strangers.iter().map(|stranger| &stranger.name);
        let known: Vec<EntryName> = entries.chain(strangers).cloned().collect();
        let unknown = names
            .iter()
            .find(|name| known.iter().all(|known| known.as_str() != name.as_str()));
        match unknown {
            Some(name) => Err(Error::UnknownEntry {
                was_issued: was_issued(name, view)?,
                name: name.clone(),
                known,
            }),
            None => Ok(()),
        }
    }
}

/// Whether the inventory has a certificate of that name.
pub(super) fn was_issued(name: &str, view: &View<'_>) -> Result<bool, Error> {
    let Some(name) = EntryName::of_inventory(name) else {
        return Ok(false);
    };
    Ok(!view.list(&layout::issued_directory(&name))?.is_empty())
}

/// What a PKI directory needs.
#[derive(Debug)]
pub(super) struct Reconciliation {
    state: State,
    now: OffsetDateTime,
    task: Task,
    selection: Selection,
    /// The server lines, as they should be.
    lines: Vec<ServerLine>,
    /// The CA's next validity, if it is to be renewed.
    ca: Option<(Validity, Reason)>,
    /// Why a fresh CRL is to be signed, if it is.
    crl: Option<Reason>,
    /// The CRLs of the CAs above, which HAProxy has behind the CA's own; None when they are no good, and
    /// nothing of them is to be written.
    extra_crls: Option<String>,
    /// Why those are not what HAProxy needs.
    not_fresh: Option<Error>,
    /// What each entry needs, in the order of the cluster; nothing for those not selected.
    needs: Vec<Need>,
    /// Those that `renew` leaves to others.
    skipped: Vec<Skipped>,
    /// The host folders that are put away.
    retired: Vec<Stranger>,
    /// What differs, of what does not wait for a signature.
    differences: Vec<Difference>,
}

/// A file that is not what it should be.
#[derive(Debug)]
struct Difference {
    reason: Reason,
    change: Change,
    diff: Option<String>,
}

impl Reconciliation {
    /// Compares `state`, which was read from `view`, with what `task` makes of it.
    pub(super) fn of(
        state: State,
        view: &View<'_>,
        task: Task,
        selection: Selection,
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        selection.check(&state, view)?;
        let everything = task == Task::Apply && selection == Selection::All;
        let certificate = &state.ca.certificate;
        let ca = match task {
            Task::Apply if everything => authority::ca(&state.cluster, certificate, now)?,
            Task::RenewCa { force } => renewal_of_ca(&state, force, now)?,
            _ => None,
        };
        if ca.is_some() {
            check_live_names(&state, view, now)?;
        }
        let validity = |(validity, _): &(Validity, Reason)| *validity;
        let ca_validity = ca.as_ref().map_or(certificate.details.validity, validity);
        let crl = match task {
            Task::Apply if everything => authority::crl(&state.crl.list, &ca_validity, now),
            Task::Crl { .. } => Some(Reason::Forced),
            Task::Revoke { ref revoked } if !revoked.is_empty() => Some(Reason::Revocations),
            _ => None,
        };
        let needs = needs(&state, view, &task, &selection, ca_validity, now)?.into_iter();
        let (needs, skipped): (Vec<Need>, Vec<_>) = needs.unzip();
        let files = haproxy_files(view.path(), &state.cluster.settings().load_balancer)
            .map_err(|invalid| Error::HaproxyPath { invalid })?;
        let lines = state.cluster.server_lines(&files);
        let strangers = state.strangers.iter();
        let retired = strangers.filter(|it| task == Task::Apply && selection.has(&it.name));
        let retired = retired.cloned().collect();
        let revocation = &state.cluster.settings().revocation;
        let is_read = state.found(&haproxy_crl()).is_some();
        let extra_crls = extra_crls::read(revocation, &state.ca, view, Some(now));
        let (extra_crls, not_fresh) = match extra_crls {
            Ok(extra_crls) => (Some(extra_crls), None),
            Err(error) if !is_read && task == Task::Apply => return Err(error),
            // What HAProxy has is no better than what has expired, but than what is not valid yet; and nothing
            // else waits for somebody else's CRL.
            Err(error) if is_read => {
                let stale = extra_crls::read(revocation, &state.ca, view, None).ok();
                let stale = stale.filter(|text| extra_crls::have_begun(text, now));
                (stale, Some(error))
            }
            Err(error) => (None, Some(error)),
        };
        let mut reconciliation = Self {
            extra_crls,
            not_fresh,
            retired,
            state,
            now,
            task,
            selection,
            lines,
            ca,
            crl,
            needs,
            skipped: skipped.into_iter().flatten().collect(),
            differences: Vec::new(),
        };
        let known = Known {
            trust_bundle: match reconciliation.ca {
                Some(_) => None,
                None => Some(trust_bundle(&reconciliation.state.ca.roots)),
            },
            crl: match reconciliation.crl {
                Some(_) => None,
                None => reconciliation.crl_in_place(),
            },
            identity: |index| reconciliation.identity_in_place(index),
        };
        reconciliation.differences = reconciliation.compare(&known);
        for difference in &mut reconciliation.differences {
            difference.look_at_link(view)?;
        }
        Ok(reconciliation)
    }

    /// The cluster, as zpki.toml describes it.
    pub(super) fn cluster(&self) -> &Cluster {
        &self.state.cluster
    }

    /// The instant that was judged for.
    pub(super) fn now(&self) -> OffsetDateTime {
        self.now
    }

    /// The CA's certificate, as it is.
    pub(super) fn ca(&self) -> &ParsedCertificate {
        &self.state.ca.certificate
    }

    /// Refuses to act by a clock that contradicts what was issued before.
    pub(super) fn check_clock(&self, force: bool) -> Result<(), Error> {
        self.state.check_clock(self.now, force, FORCE)
    }

    /// What is worth knowing, and is not for `apply` to change.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let retired = self.retired.iter().map(|retirement| {
            Finding::note(
                "retired-not-revoked",
                &retirement.name,
                format!(
                    "its certificate stays valid until it expires or is revoked: zpki revoke {}",
                    retirement.name
                ),
            )
        });
        let mut findings = self.findings_of_ca();
        findings.extend(retired.chain(self.crl_cut_short()));
        findings.extend(self.not_fresh());
        findings.extend(self.skipped.iter().map(Skipped::finding));
        findings.extend(self.clamped());
        findings
    }

    /// That HAProxy lacks a fresh CRL of a CA above.
    fn not_fresh(&self) -> Option<Finding> {
        let is_about_it = matches!(
            self.task,
            Task::Apply | Task::Crl { .. } | Task::Revoke { .. }
        );
        let error = self.not_fresh.as_ref().filter(|_| is_about_it)?;
        let why = match self.extra_crls {
            Some(_) => error.to_string(),
            None => format!("{error}; {} stays as it is", haproxy_crl().display()),
        };
        Some(Finding {
            severity: Severity::Critical,
            id: "extra-crls",
            about: error.place().unwrap_or_default(),
            why,
            next: error.hint(),
        })
    }

    /// Certificates that end before their lifetime is over.
    fn clamped(&self) -> Vec<Finding> {
        let ca = self.ca.as_ref().map(|(validity, _)| validity);
        let ca = ca.unwrap_or_else(|| &self.ca().details.validity);
        let entries = self.state.cluster.entries().iter().zip(&self.needs);
        let signed = entries.filter(|(_, need)| need.signs());
        let clamped = signed.filter_map(|(entry, _)| {
            let validity = Validity::starting(self.now, entry.lifetime, Some(ca)).ok()?;
            clamped(&entry.name, validity, entry.lifetime, self.now)
        });
        clamped.collect()
    }

    /// The commands that are owed.
    pub(super) fn owed_hooks(&self) -> &[Owed] {
        &self.state.hooks
    }

    /// A CRL does not outlive its CA, whatever was asked for.
    fn crl_cut_short(&self) -> Option<Finding> {
        let not_after = self.ca().details.validity.not_after;
        let Task::Crl {
            lifetime: Some(lifetime),
        } = self.task
        else {
            return None;
        };
        (not_after - self.now < lifetime.duration()).then(|| {
            let why = format!("it ends with the CA, on {}", show(not_after));
            Finding::note("crl-cut-short", CRL, why)
        })
    }

    /// What is worth knowing of the CA.
    fn findings_of_ca(&self) -> Vec<Finding> {
        let cluster = &self.state.cluster;
        let runway = match self.task {
            Task::Apply if self.selection == Selection::All => {
                authority::foreign_runway(cluster, self.ca(), self.now)
            }
            _ => None,
        };
        let runway = runway.map(|(reason, why)| {
            Finding::warning(
                reason.id(),
                CA_CERTIFICATE,
                format!("{reason}; zpki does not renew it: {why}"),
                "have it renewed where it was made, then: zpki ca import",
            )
        });
        let constraints = self.constraints_differ().then(|| {
            Finding::warning(
                "ca-name-constraints",
                CA_CERTIFICATE,
                "its name constraints are not those of zpki.toml",
                "put them in, now or with its next renewal: zpki ca renew",
            )
        });
        runway.into_iter().chain(constraints).collect()
    }

    /// Whether the CA has other name constraints than zpki.toml has for it. One that was made elsewhere
    /// has its own.
    fn constraints_differ(&self) -> bool {
        let wanted = &self.state.cluster.settings().ca.name_constraints;
        let is_about_it = self.task == Task::Apply && self.selection == Selection::All;
        is_about_it
            && self.ca.is_none()
            && check_renewable(self.ca(), wanted).is_ok()
            && !has_name_constraints(self.ca(), wanted)
    }

    /// Whether the CA's private key is needed.
    pub(super) fn signs(&self) -> bool {
        self.ca.is_some() || self.crl.is_some() || self.needs.iter().any(Need::signs)
    }

    /// Everything that is to be done, the CA first.
    pub(super) fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        let ca = |action, path: &str, reason: &Reason| Action {
            action,
            name: Some(EntryName::ca()),
            path: Some(path.to_owned()),
            reasons: vec![reason.clone()],
            diff: None,
        };
        if let Some((_, reason)) = &self.ca {
            actions.push(ca(Verb::RenewCa, CA_CERTIFICATE, reason));
        }
        if let Some(reason) = &self.crl {
            actions.push(ca(Verb::SignCrl, CRL, reason));
        }
        let entries = self.state.cluster.entries().iter().zip(&self.needs);
        actions.extend(entries.filter_map(|(entry, need)| action(entry, need)));
        actions.extend(self.retired.iter().map(Stranger::action));
        // That a certificate is missing was said of the entry.
        let entries = self.state.cluster.entries().iter().zip(&self.needs);
        let restored = entries.filter(|(_, need)| matches!(need, Need::Restore(..)));
        let restored: BTreeSet<_> = restored
            .map(|(entry, _)| HostFolder::of(&entry.name, entry.role).certificate())
            .collect();
        let is_said = |it: &&Difference| {
            it.reason == Reason::FileMissing && restored.contains(it.change.path())
        };
        let differences = self.differences.iter().filter(|it| !is_said(it));
        actions.extend(differences.map(Difference::action));
        actions
    }

    /// What zpki.toml says of the next certificates, and not of those that there are.
    pub(super) fn later(&self) -> Vec<Finding> {
        let settings = &self.state.cluster.settings().ca;
        let ca = self.ca();
        let found = &ca.details.public_key.algorithm;
        let is_another = *found != settings.key_algorithm.to_string();
        let key = is_another.then(|| {
            let why = format!(
                "[ca] key_algorithm = \"{}\" takes effect with the next CA: the key of this one is {found}, and a renewal keeps it",
                settings.key_algorithm
            );
            Finding::note("takes-effect-later", CLUSTER_FILE, why)
        });
        let validity = &ca.details.validity;
        let entries = self.state.entries().zip(&self.needs);
        let kept = entries.filter(|((entry, _), need)| {
            **need == Need::Nothing && self.selection.has(&entry.name)
        });
        let others = kept.filter(|((entry, held), _)| {
            let certificate = held.certificate.as_ref();
            certificate.is_some_and(|it| has_other_lifetime(it, entry.lifetime, validity, self.now))
        });
        let names: Vec<_> = others.map(|((entry, _), _)| &entry.name).collect();
        let lifetime = names.split_first().map(|(first, others)| {
            let others = match others.len() {
                0 => String::new(),
                count => format!(" and {count} more"),
            };
            Finding {
                next: Some("to have it now: zpki renew --all --force".to_owned()),
                ..Finding::note(
                    "takes-effect-later",
                    CLUSTER_FILE,
                    format!(
                        "another lifetime takes effect with the next certificate of {first}{others}"
                    ),
                )
            }
        });
        key.into_iter().chain(lifetime).collect()
    }

    /// The identity of an entry that needs no signature.
    fn identity_in_place(&self, index: usize) -> Option<Identity<'_>> {
        let entry = &self.state.cluster.entries()[index];
        let held = &self.state.held[index];
        let Key::Usable(key) = &held.key else {
            return None;
        };
        let certificate = match &self.needs[index] {
            Need::Nothing => held.certificate.as_ref()?,
            Need::Restore(certificate, _) => certificate,
            Need::Issue | Need::Rekey(_) | Need::Renew(_) => return None,
        };
        let chain = &self.state.ca.chain_pem;
        Some(Identity::in_place(entry, key, certificate, chain))
    }

    fn crl_in_place(&self) -> Option<Bytes> {
        let found = self.state.found(Path::new(CRL))?;
        Some(found.bytes.to_vec().into())
    }

    /// What differs from what it should be, as far as that is known.
    fn compare<'b, I>(&self, known: &Known<I>) -> Vec<Difference>
    where
        I: Fn(usize) -> Option<Identity<'b>> + Sync,
    {
        let settings = self.state.cluster.settings();
        let revocation = settings.revocation.enabled;
        let shared = Shared {
            trust_bundle: known.trust_bundle.clone(),
            crl: known
                .crl
                .as_ref()
                .zip(self.extra_crls.as_ref())
                .filter(|_| revocation)
                .map(|(own, extra)| [&**own, extra.as_bytes()].concat().into()),
            server_lines: &self.lines,
            server_settings: server_settings(settings.load_balancer.client_certificate).into(),
        };
        let count = self.needs.len();
        let indices = (0..count).into_par_iter();
        let mut differences: Vec<_> = indices
            .flat_map_iter(|index| self.differences_of(index, known, &shared))
            .collect();
        if self.task == Task::Apply && self.selection == Selection::All {
            let issued = self.state.issued.iter();
            differences.extend(issued.flat_map(|it| self.differences_of_issued(&it.name, it.role)));
        }
        if self.selection == Selection::All {
            let files = self.authority_files(known).into_iter();
            differences.extend(files.filter_map(|file| self.difference(file)));
        }
        differences
    }

    /// What differs in one host folder, of that which the task is about.
    fn differences_of<'b, I>(
        &self,
        index: usize,
        known: &Known<I>,
        shared: &Shared<'_>,
    ) -> Vec<Difference>
    where
        I: Fn(usize) -> Option<Identity<'b>>,
    {
        let entry = &self.state.cluster.entries()[index];
        let need = &self.needs[index];
        if !self.selection.has(&entry.name) {
            return Vec::new();
        }
        let (with_identity, with_shared) = match self.task {
            Task::Apply => (true, true),
            Task::Crl { .. } | Task::RenewCa { .. } | Task::Revoke { .. } => (false, true),
            Task::Rekey { .. } | Task::Renew { .. } => {
                (*need != Need::Nothing, *need == Need::Issue)
            }
        };
        let identity = (known.identity)(index);
        let mut files = Vec::new();
        if with_identity {
            files.extend(identity.iter().flat_map(Identity::files));
        }
        if with_shared {
            files.extend(shared.files(&entry.name, entry.role));
        }
        files.retain(|file| self.is_about(file, entry));
        let mut differences = Vec::new();
        if self.task == Task::Apply {
            let is_compared = |path: &Path| files.iter().any(|file| file.path == path);
            differences.extend(self.modes(&entry.name, entry.role, is_compared));
        }
        differences.extend(files.into_iter().filter_map(|file| self.difference(file)));
        if *need == Need::Issue && identity.is_none() {
            // That a new entry has none of its files goes without saying.
            differences.retain(|difference| difference.reason != Reason::FileMissing);
        }
        differences
    }

    /// What differs in a folder that `issue` made, of what takes no signature and may be known: modes, and
    /// what stands behind a certificate of the present CA. Its trust bundle is one of the
    /// [CA's files](Self::authority_files).
    fn differences_of_issued(&self, name: &EntryName, role: Role) -> Vec<Difference> {
        let folder = HostFolder::of(name, role);
        let certificate = self.state.found(&folder.certificate()).and_then(|found| {
            let certificate = first_certificate(&found.bytes)?;
            let is_by_ca = certificate.is_signed_by(self.ca()) == Some(true);
            let pem = certificate.to_pem() + &self.state.ca.chain_pem;
            is_by_ca.then(|| File::new(folder.certificate(), PUBLIC, pem))
        });
        let compared = |path: &Path| {
            certificate.as_ref().is_some_and(|file| file.path == path)
                || path == folder.trust_bundle()
        };
        let mut differences = self.modes(name, role, compared);
        differences.extend(certificate.and_then(|file| self.difference(file)));
        differences
    }

    /// The modes that are wrong in a host folder: its own, and those of files that are not compared.
    fn modes(
        &self,
        name: &EntryName,
        role: Role,
        is_compared: impl Fn(&Path) -> bool,
    ) -> Vec<Difference> {
        let Directory { path, mode } = host_folder::directory(name, role);
        let files = HostFolder::of(name, role).files().iter();
        let files = files.map(|(name, mode)| (path.join(name), *mode));
        let files = files.filter(|(path, _)| !is_compared(path));
        let expected = std::iter::once((path.clone(), mode)).chain(files);
        let differences = expected.filter_map(|(path, mode)| {
            let found = self.state.found(&path)?.mode;
            Difference::of_mode(path, found, mode)
        });
        differences.collect()
    }

    /// Whether the task is about a file of a host folder: renewing the CA changes trust bundles, and a
    /// CRL itself alone.
    fn is_about(&self, file: &File, entry: &Entry) -> bool {
        let folder = HostFolder::of(&entry.name, entry.role);
        match self.task {
            Task::Apply | Task::Rekey { .. } | Task::Renew { .. } => true,
            Task::Crl { .. } | Task::Revoke { .. } => {
                file.path.file_name() == folder.revocation_file().map(OsStr::new)
            }
            Task::RenewCa { .. } => file.path == folder.trust_bundle(),
        }
    }

    /// What the CA's directory has, besides what its own actions write, and the trust bundles that went
    /// elsewhere.
    fn authority_files<I>(&self, known: &Known<I>) -> Vec<File> {
        let public = |path: &Path, bytes: &Option<Bytes>| {
            bytes.clone().map(|bytes| File::new(path, PUBLIC, bytes))
        };
        let (bundle, crl) = match self.task {
            Task::Apply => (true, true),
            Task::Crl { .. } | Task::Revoke { .. } => (false, true),
            Task::RenewCa { .. } => (true, false),
            Task::Rekey { .. } | Task::Renew { .. } => (false, false),
        };
        let issued = self.state.issued.iter();
        let issued = issued.map(|it| HostFolder::of(&it.name, it.role).trust_bundle());
        // What somebody took away is not missed.
        let issued = issued.filter(|path| self.state.found(path).is_some());
        let bundles = std::iter::once(PathBuf::from(CA_FILE)).chain(issued);
        let bundles = bundles.filter(|_| bundle);
        let bundles = bundles.filter_map(|path| public(&path, &known.trust_bundle));
        let crl = public(Path::new(CRL), &known.crl).filter(|_| crl);
        bundles.chain(crl).collect()
    }

    fn difference(&self, file: File) -> Option<Difference> {
        let Some(found) = self.state.found(&file.path) else {
            return Some(Difference {
                reason: Reason::FileMissing,
                diff: None,
                change: Change::Put { file, before: None },
            });
        };
        if *found.bytes == *file.bytes {
            return Difference::of_mode(file.path, found.mode, file.mode);
        }
        let is_text = file.mode != SECRET;
        Some(Difference {
            reason: Reason::Differs,
            diff: is_text.then(|| diff::unified(&found.bytes, &file.bytes)),
            change: Change::Put {
                before: Some(sha256(&found.bytes)),
                file,
            },
        })
    }
}

/// What is known of the bytes that files should have.
struct Known<I> {
    trust_bundle: Option<Bytes>,
    crl: Option<Bytes>,
    /// The key and certificate of an entry, by its place in the cluster.
    identity: I,
}

pub(super) fn trust_bundle(roots: &[ParsedCertificate]) -> Bytes {
    let roots: String = roots.iter().map(ParsedCertificate::to_pem).collect();
    roots.into()
}

/// The CA's next validity, for someone who asks for it: none when it was renewed within the hour and
/// nothing would change.
fn renewal_of_ca(
    state: &State,
    force: bool,
    now: OffsetDateTime,
) -> Result<Option<(Validity, Reason)>, Error> {
    let settings = &state.cluster.settings().ca;
    let certificate = &state.ca.certificate;
    check_renewable(certificate, &settings.name_constraints)
        .map_err(|why| Error::CaNotRenewable { why })?;
    let next = Validity::starting(now, settings.lifetime, None)?;
    let found = certificate.details.validity;
    let is_near = |one: OffsetDateTime, other: OffsetDateTime| (one - other).abs() < Duration::HOUR;
    let gains_nothing = is_near(next.not_before, found.not_before)
        && is_near(next.not_after, found.not_after)
        && has_name_constraints(certificate, &settings.name_constraints);
    Ok((force || !gains_nothing).then_some((next, Reason::Forced)))
}

/// That the CA's name constraints, as zpki.toml has them, allow every name in use: what it issued to others
/// than the entries too.
fn check_live_names(state: &State, view: &View<'_>, now: OffsetDateTime) -> Result<(), Error> {
    let name_constraints = &state.cluster.settings().ca.name_constraints;
    for name in view
        .issued_names()?
        .iter()
        .filter(|_| !name_constraints.is_empty())
    {
        let live = issued(name, view)?.into_iter().filter(|certificate| {
            let details = &certificate.details;
            let is_revoked = state.revoked(&details.serial_number).is_some();
            let is_live = now < details.validity.not_after && !is_revoked;
            is_live && !details.is_ca() && state.ca.is_named_by(certificate)
        });
        let hosts = live.flat_map(|certificate| certificate.details.hosts());
        if let Some(host) = hosts
            .into_iter()
            .find(|host| !name_constraints.permit(host))
        {
            return Err(Error::NotPermitted {
                name: name.clone(),
                host,
                name_constraints: name_constraints.clone(),
            });
        }
    }
    Ok(())
}

fn needs(
    state: &State,
    view: &View<'_>,
    task: &Task,
    selection: &Selection,
    ca_validity: Validity,
    now: OffsetDateTime,
) -> Result<Vec<(Need, Option<Skipped>)>, Error> {
    let rules = Rules {
        now,
        ca: &state.ca.certificate,
        ca_validity,
        cluster: &state.cluster.settings().name,
        revoked: |serial: &SerialNumber| state.revoked(serial),
    };
    let entries: Vec<_> = state.entries().collect();
    if matches!(
        task,
        Task::Crl { .. } | Task::RenewCa { .. } | Task::Revoke { .. }
    ) {
        // What entries need is none of their business, nor is a damaged file of the inventory.
        return Ok(entries.iter().map(|_| (Need::Nothing, None)).collect());
    }
    let compromised = compromised(state, view)?;
    let needs = entries.par_iter().map(|(entry, held)| {
        if !selection.has(&entry.name) {
            return Ok((Need::Nothing, None));
        }
        let need = decide(&held.of(entry), &rules, || {
            let mut issued = issued_by(rules.ca, &entry.name, view)?;
            issued.extend(held.share_key(&compromised).cloned());
            Ok::<_, Error>(issued)
        })?;
        let skipped = Skipped::of(&need, entry, task, selection);
        Ok((need_for(task, need, entry, selection)?, skipped))
    });
    needs.collect()
}

/// An entry that `renew` passes over, for it does not make keys.
#[derive(Debug)]
struct Skipped {
    name: EntryName,
    /// Why a new key is needed; none for one that has none yet.
    reasons: Vec<Reason>,
}

impl Skipped {
    fn of(need: &Need, entry: &Entry, task: &Task, selection: &Selection) -> Option<Self> {
        let is_of_all = matches!(task, Task::Renew { .. }) && *selection == Selection::All;
        let reasons = match need {
            Need::Issue => Vec::new(),
            Need::Rekey(reasons) => reasons.clone(),
            Need::Nothing | Need::Renew(_) | Need::Restore(..) => return None,
        };
        is_of_all.then(|| Self {
            name: entry.name.clone(),
            reasons,
        })
    }

    fn finding(&self) -> Finding {
        let why = match self.reasons.as_slice() {
            [] => "it has no certificate yet, and is not made by renewing".to_owned(),
            reasons => format!(
                "it needs a new key, and is not renewed: {}",
                joined(reasons, "; ")
            ),
        };
        let next = format!("zpki rekey {}", self.name);
        Finding::warning("not-renewed", &self.name, why, next)
    }
}

/// What of an entry's need `task` sees to.
fn need_for(task: &Task, need: Need, entry: &Entry, selection: &Selection) -> Result<Need, Error> {
    Ok(match (task, need) {
        (Task::Apply, need) => need,
        (Task::Crl { .. } | Task::RenewCa { .. } | Task::Revoke { .. }, _) => Need::Nothing,
        (Task::Renew { force: true }, Need::Nothing | Need::Restore(..)) => {
            Need::Renew(vec![Reason::Forced])
        }
        (Task::Rekey { force: true }, Need::Nothing) => Need::Rekey(vec![Reason::Forced]),
        (Task::Rekey { .. }, Need::Renew(reasons) | Need::Restore(_, reasons)) => {
            Need::Rekey(reasons)
        }
        (Task::Renew { .. }, Need::Issue | Need::Rekey(_)) if *selection == Selection::All => {
            Need::Nothing
        }
        (Task::Renew { .. }, Need::Rekey(reasons)) => {
            return Err(Error::NeedsNewKey {
                name: entry.name.clone(),
                reasons,
            });
        }
        (Task::Rekey { .. } | Task::Renew { .. }, need) => need,
    })
}

fn action(entry: &Entry, need: &Need) -> Option<Action> {
    let (action, reasons) = match need {
        Need::Nothing => return None,
        Need::Issue => (Verb::Issue, vec![Reason::NewEntry]),
        Need::Rekey(reasons) => (Verb::Rekey, reasons.clone()),
        Need::Renew(reasons) => (Verb::Renew, reasons.clone()),
        Need::Restore(_, reasons) => (Verb::Restore, reasons.clone()),
    };
    let folder = HostFolder::of(&entry.name, entry.role).directory();
    Some(Action {
        action,
        name: Some(entry.name.clone()),
        path: Some(folder.display().to_string()),
        reasons,
        diff: None,
    })
}

impl Stranger {
    fn action(&self) -> Action {
        let folder = HostFolder::of(&self.name, self.role).directory();
        Action {
            action: Verb::Retire,
            name: Some(self.name.clone()),
            path: Some(folder.display().to_string()),
            reasons: vec![Reason::Removed],
            diff: None,
        }
    }
}

impl Difference {
    /// What a link leads to is somebody else's, and not to be shown.
    fn look_at_link(&mut self, view: &View<'_>) -> Result<(), Error> {
        let is_read = self.reason == Reason::Differs;
        if is_read && view.kind(self.change.path())? == Some(FileKind::Other) {
            self.reason = Reason::Link;
            self.diff = None;
        }
        Ok(())
    }

    fn of_mode(path: PathBuf, found: u32, wanted: u32) -> Option<Self> {
        (found != wanted).then(|| Self {
            reason: Reason::Mode { found, wanted },
            diff: None,
            change: Change::SetMode {
                path,
                before: found,
                mode: wanted,
            },
        })
    }

    fn action(&self) -> Action {
        let verb = match self.reason {
            Reason::Mode { .. } => Verb::SetMode,
            _ => Verb::Write,
        };
        let path = self.change.path();
        Action {
            action: verb,
            name: None,
            path: Some(path.display().to_string()),
            reasons: vec![self.reason.clone()],
            diff: self.diff.clone(),
        }
    }
}
