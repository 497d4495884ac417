//! Which certificates are to be revoked, and which of them are.

use std::collections::{HashMap, HashSet};

use memchr::memmem;
use rayon::prelude::*;
use time::OffsetDateTime;

use super::refusal::{Live, Refusal};
use super::subject::Subject;
use super::{Considered, Outcome, Request, Which};
use crate::commands::directory::View;
use crate::commands::error::Error;
use crate::commands::reconcile::NewRevocation;
use crate::commands::state::{
    State, certificates, first_certificate, former_crls, inventory, issued,
};
use crate::domain::finding::Finding;
use crate::domain::name::EntryName;
use crate::domain::revocation::{Revocation, RevocationReason};
use crate::domain::serial_number::SerialNumber;
use crate::domain::text::Quoted;
use crate::domain::validity::show;
use crate::store::file::File;
use crate::store::layout::{self, HostFolder, PUBLIC};
use crate::store::transaction::Change;
use crate::x509::certificate::ParsedCertificate;
use crate::x509::digest::sha256;
use crate::x509::pem;

/// Everything that a request is about.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) considered: Vec<Considered>,
    /// What the inventory had lost, and gets back.
    pub(super) inventory: Vec<Change>,
    /// What was found while looking.
    pub(super) findings: Vec<Finding>,
}

/// A certificate, and whose it is.
struct Candidate {
    name: Option<EntryName>,
    certificate: ParsedCertificate,
}

impl Choice {
    /// Looks for what `request` means.
    pub(super) fn of(
        subject: &Subject,
        request: &Request,
        state: &State,
        view: &View<'_>,
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        let search = Search {
            request,
            reason: request.reason.unwrap_or(match request.which {
                Which::Superseded => RevocationReason::Superseded,
                Which::All | Which::One => RevocationReason::Unspecified,
            }),
            state,
            view,
            installed: installed(state),
            now,
        };
        let mut candidates = match subject {
            Subject::File(certificate) => vec![search.of_file(certificate)?],
            Subject::Issued(name, serial_number) => vec![search.of_inventory(name, serial_number)?],
            Subject::Name(name) => search.of_name(name)?,
            Subject::Unlisted(serial_number) => return search.on_the_crl(serial_number),
        };
        let mut findings = match (search.reason, subject) {
            (RevocationReason::KeyCompromise, _) => {
                let (twins, unread) = search.twins(&candidates)?;
                candidates.extend(twins);
                unread
            }
            (_, Subject::Name(name)) => {
                let (_, damaged) = inventory(name, view)?;
                let damaged = damaged.iter();
                damaged
                    .map(|path| unread(&path.display().to_string()))
                    .collect()
            }
            _ => Vec::new(),
        };
        if let (Subject::Name(name), Which::All | Which::Superseded) = (subject, request.which) {
            findings.extend(search.by_other_cas(name)?);
        }
        let considered: Vec<_> = candidates.iter().map(|it| search.consider(it)).collect();
        search.check_installed(&considered)?;
        let lost = candidates.iter().zip(&considered);
        let lost = lost.filter(|(_, it)| it.outcome == Outcome::Revoked);
        let inventory = lost.map(|(candidate, _)| search.lost(candidate));
        let inventory: Vec<_> = inventory.collect::<Result<_, Error>>()?;
        Ok(Self {
            inventory: inventory.into_iter().flatten().collect(),
            considered,
            findings,
        })
    }

    /// The entries that the CRL is to get.
    pub(super) fn revoked(&self) -> Vec<NewRevocation> {
        let new = self.considered.iter();
        let new = new.filter(|it| it.outcome == Outcome::Revoked);
        let new = new.filter_map(|it| {
            Some(NewRevocation {
                name: it.name.clone(),
                revocation: Revocation {
                    serial_number: it.serial_number.clone(),
                    revoked_at: it.revoked_at?,
                    reason: it.reason?,
                },
            })
        });
        new.collect()
    }
}

/// The entries by the serial numbers of what is in their host folders.
fn installed(state: &State) -> HashMap<SerialNumber, EntryName> {
    let held = state.entries().filter_map(|(entry, held)| {
        let certificate = held.certificate.as_ref()?;
        let serial_number = certificate.details.serial_number.clone();
        state
            .ca
            .is_named_by(certificate)
            .then(|| (serial_number, entry.name.clone()))
    });
    held.collect()
}

struct Search<'a> {
    request: &'a Request,
    reason: RevocationReason,
    state: &'a State,
    view: &'a View<'a>,
    installed: HashMap<SerialNumber, EntryName>,
    now: OffsetDateTime,
}

impl Search<'_> {
    /// What there is to be named instead, when the inventory was lost.
    fn nothing_issued(&self, name: &EntryName) -> Result<Error, Error> {
        let entry = self.state.cluster.entry(name.as_str());
        let installed = entry.map(|it| HostFolder::of(name, it.role).certificate());
        let installed = match installed {
            Some(path) if self.view.bytes(&path)?.is_some() => Some(self.view.path().join(path)),
            _ => None,
        };
        let name = name.clone();
        Ok(Error::NothingIssued { name, installed })
    }

    /// Of a name what is valid, if that is one certificate, or as many as were asked for. When none is:
    /// what was revoked of it, or its newest.
    fn of_name(&self, name: &EntryName) -> Result<Vec<Candidate>, Error> {
        if *name == EntryName::ca() {
            return Err(Refusal::Ca.into());
        }
        let own = issued(name, self.view)?;
        let (mut own, foreign): (Vec<_>, Vec<_>) = own
            .into_iter()
            .partition(|certificate| self.state.ca.is_named_by(certificate));
        if let Some(foreign) = foreign.first().filter(|_| own.is_empty()) {
            return Err(not_by_ca(foreign));
        }
        own.sort_by_key(|certificate| std::cmp::Reverse(certificate.details.validity.not_before));
        if own.is_empty() {
            return Err(self.nothing_issued(name)?);
        }
        let (live, dead): (Vec<_>, Vec<_>) = own
            .into_iter()
            .partition(|certificate| self.is_live(certificate));
        let chosen = match self.request.which {
            Which::Superseded => self.superseded(name, live)?,
            Which::All | Which::One if live.is_empty() => self.of_the_dead(dead),
            Which::One if !self.is_one(&live) => {
                return Err(Refusal::SeveralLive {
                    name: name.clone(),
                    live: live.iter().map(|it| self.live(it)).collect(),
                }
                .into());
            }
            Which::All | Which::One => live,
        };
        let chosen = chosen.into_iter().map(|certificate| Candidate {
            name: Some(name.clone()),
            certificate,
        });
        Ok(chosen.collect())
    }

    /// What is valid of a name by other CAs, and on none of their CRLs that were kept.
    fn by_other_cas(&self, name: &EntryName) -> Result<Vec<Finding>, Error> {
        let former = former_crls(self.view)?;
        let revoked = former.iter().flat_map(|crl| &crl.list.revoked);
        let revoked: HashSet<_> = revoked.map(|it| &it.serial_number).collect();
        let mut issued = issued(name, self.view)?;
        issued.retain(|it| {
            let is_revoked = revoked.contains(&it.details.serial_number);
            !self.state.ca.is_named_by(it) && !self.is_expired(it) && !is_revoked
        });
        let issued = issued.iter();
        Ok(issued.map(|it| by_another_ca(name, it)).collect())
    }

    /// Whether they are one certificate; or one key, where it is the key that counts.
    fn is_one(&self, live: &[ParsedCertificate]) -> bool {
        let is_same = |one: &[ParsedCertificate]| one[0].public_key_der == one[1].public_key_der;
        let by_key = self.reason == RevocationReason::KeyCompromise;
        live.len() == 1 || by_key && live.windows(2).all(is_same)
    }

    fn superseded(
        &self,
        name: &EntryName,
        live: Vec<ParsedCertificate>,
    ) -> Result<Vec<ParsedCertificate>, Error> {
        if !self.installed.values().any(|installed| installed == name) {
            return Err(Refusal::NothingInstalled { name: name.clone() }.into());
        }
        let live = live.into_iter();
        Ok(live.filter(|it| !self.is_installed(it)).collect())
    }

    fn of_the_dead(&self, dead: Vec<ParsedCertificate>) -> Vec<ParsedCertificate> {
        let (expired, revoked): (Vec<_>, Vec<_>) = dead
            .into_iter()
            .partition(|certificate| self.is_expired(certificate));
        match self.request.which {
            _ if !revoked.is_empty() => revoked,
            Which::All => expired,
            Which::One | Which::Superseded => expired.into_iter().take(1).collect(),
        }
    }

    fn of_inventory(
        &self,
        name: &EntryName,
        serial_number: &SerialNumber,
    ) -> Result<Candidate, Error> {
        if *name == EntryName::ca() {
            return Err(Refusal::Ca.into());
        }
        let path = layout::issued(name, serial_number);
        let bytes = self.view.bytes(&path)?.unwrap_or_default();
        let issued = certificates(&bytes, &self.view.path().join(path))?.into_iter();
        let mut issued = issued.filter(|it| it.details.serial_number == *serial_number);
        let certificate = issued.next().ok_or_else(|| Refusal::Unlisted {
            serial_number: self.request.subject.display().to_string(),
        })?;
        if !self.state.ca.is_named_by(&certificate) {
            return Err(not_by_ca(&certificate));
        }
        Ok(Candidate {
            name: Some(name.clone()),
            certificate,
        })
    }

    /// A certificate from anywhere is revoked when the CA has signed it.
    fn of_file(&self, certificate: &ParsedCertificate) -> Result<Candidate, Error> {
        let ca = &self.state.ca.certificate;
        let is_of_ca = certificate.subject_der == ca.subject_der
            && certificate.public_key_der == ca.public_key_der;
        if is_of_ca {
            return Err(Refusal::Ca.into());
        }
        let is_signed =
            certificate.issuer_der == ca.subject_der && certificate.is_signed_by(ca) == Some(true);
        if !is_signed {
            return Err(not_by_ca(certificate));
        }
        let name = certificate.details.common_name.as_deref();
        let name = name.and_then(EntryName::of_inventory);
        Ok(Candidate {
            name: name.filter(|name| *name != EntryName::ca()),
            certificate: certificate.clone(),
        })
    }

    /// A serial number that only the CRL knows.
    fn on_the_crl(&self, serial_number: &SerialNumber) -> Result<Choice, Error> {
        let recorded = self.recorded(serial_number);
        let recorded = recorded.ok_or_else(|| Refusal::Unlisted {
            serial_number: self.request.subject.display().to_string(),
        })?;
        Ok(Choice {
            considered: vec![Considered {
                name: None,
                serial_number: serial_number.clone(),
                not_after: None,
                outcome: Outcome::AlreadyRevoked,
                revoked_at: Some(recorded.revoked_at),
                reason: Some(recorded.reason),
                installed_for: None,
                client_auth: false,
            }],
            inventory: Vec::new(),
            findings: Vec::new(),
        })
    }

    /// Every other unexpired certificate for the key of one of `candidates`, whosever it is, once, were it
    /// filed under several names; and what of the inventory could not be looked at.
    fn twins(&self, candidates: &[Candidate]) -> Result<(Vec<Candidate>, Vec<Finding>), Error> {
        let mut files = Vec::new();
        for name in self.view.issued_names()? {
            let directory = layout::issued_directory(&name);
            let own = self.view.list(&directory)?.into_iter();
            let own = own.filter(|file| layout::is_issued(file));
            files.extend(own.map(|file| (name.clone(), directory.join(file))));
        }
        let keys: Vec<_> = candidates
            .iter()
            .map(|it| memmem::Finder::new(&it.certificate.public_key_der))
            .collect();
        let looked_at = files.into_par_iter().map(|(name, path)| {
            let bytes = self.view.bytes(&path)?.unwrap_or_default();
            let block = pem::scan(&bytes).into_iter().next();
            let Some(Ok(block)) = block else {
                return Ok(Some(Err(unread(&path.display().to_string()))));
            };
            let has_key = keys.iter().any(|key| key.find(&block.contents).is_some());
            if !has_key && ParsedCertificate::is_whole(&block.contents) {
                return Ok(None);
            }
            let certificate = ParsedCertificate::from_der(&block.contents);
            let certificate = certificate.map_err(|_| unread(&path.display().to_string()));
            let name = Some(name);
            Ok(Some(
                certificate.map(|certificate| Candidate { name, certificate }),
            ))
        });
        let looked_at: Vec<_> = looked_at.collect::<Result<_, Error>>()?;
        let (mut twins, mut unread) = (Vec::new(), Vec::new());
        let serial_number = |it: &Candidate| it.certificate.details.serial_number.clone();
        let mut known: HashSet<_> = candidates.iter().map(serial_number).collect();
        for found in looked_at.into_iter().flatten() {
            match found {
                Ok(twin)
                    if self.is_twin(&twin, candidates) && known.insert(serial_number(&twin)) =>
                {
                    twins.push(twin);
                }
                Ok(_) => {}
                Err(finding) => unread.push(finding),
            }
        }
        Ok((twins, unread))
    }

    fn is_twin(&self, found: &Candidate, candidates: &[Candidate]) -> bool {
        let certificate = &found.certificate;
        let mut others = candidates.iter().map(|it| &it.certificate);
        let has_key = others.any(|it| it.public_key_der == certificate.public_key_der);
        let is_ca = found.name == Some(EntryName::ca());
        has_key && !is_ca && !self.is_expired(certificate) && self.state.ca.is_named_by(certificate)
    }

    /// What becomes of a certificate.
    fn consider(&self, candidate: &Candidate) -> Considered {
        let details = &candidate.certificate.details;
        let recorded = self.recorded(&details.serial_number);
        let (outcome, revoked_at, reason) = match recorded {
            Some(entry) => (
                Outcome::AlreadyRevoked,
                Some(entry.revoked_at),
                Some(entry.reason),
            ),
            None if self.is_expired(&candidate.certificate) && !self.request.writing.force => {
                (Outcome::Expired, None, None)
            }
            None => (
                Outcome::Revoked,
                Some(self.now.truncate_to_second()),
                Some(self.reason),
            ),
        };
        let purposes = details.extended_key_usage.as_ref();
        Considered {
            name: candidate.name.clone(),
            serial_number: details.serial_number.clone(),
            not_after: Some(details.validity.not_after),
            outcome,
            revoked_at,
            reason,
            installed_for: self.installed.get(&details.serial_number).cloned(),
            client_auth: purposes.is_none_or(|has| has.iter().any(|it| it == "clientAuth")),
        }
    }

    /// Refuses to revoke what a host uses, unless that was asked for.
    fn check_installed(&self, considered: &[Considered]) -> Result<(), Error> {
        let revoked = considered
            .iter()
            .filter(|it| it.outcome == Outcome::Revoked);
        let installed = revoked.filter_map(|it| {
            let name = it.installed_for.clone()?;
            Some((name, it.serial_number.clone()))
        });
        let installed: Vec<_> = installed.collect();
        if installed.is_empty() || self.request.writing.force {
            return Ok(());
        }
        Err(Refusal::Installed { installed }.into())
    }

    /// A certificate that the inventory has lost, or has no more than a damaged copy of, is put there, so
    /// that it is known whose key was revoked.
    fn lost(&self, candidate: &Candidate) -> Result<Option<Change>, Error> {
        let Some(name) = &candidate.name else {
            return Ok(None);
        };
        let certificate = &candidate.certificate;
        let path = layout::issued(name, &certificate.details.serial_number);
        let found = self.view.bytes(&path)?;
        let listed = found.as_ref().and_then(|bytes| first_certificate(bytes));
        Ok(match listed {
            Some(listed) if listed.der == certificate.der => None,
            _ => Some(Change::Put {
                file: File::new(path, PUBLIC, certificate.to_pem()),
                before: found.map(|bytes| sha256(&bytes)),
            }),
        })
    }

    fn recorded(&self, serial_number: &SerialNumber) -> Option<&Revocation> {
        self.state.revoked(serial_number)?;
        let mut record = self.state.crl.list.revoked.iter();
        record.find(|entry| entry.serial_number == *serial_number)
    }

    fn is_live(&self, certificate: &ParsedCertificate) -> bool {
        let serial_number = &certificate.details.serial_number;
        !self.is_expired(certificate) && self.state.revoked(serial_number).is_none()
    }

    fn is_expired(&self, certificate: &ParsedCertificate) -> bool {
        certificate.details.validity.not_after <= self.now
    }

    fn is_installed(&self, certificate: &ParsedCertificate) -> bool {
        self.installed
            .contains_key(&certificate.details.serial_number)
    }

    fn live(&self, certificate: &ParsedCertificate) -> Live {
        let details = &certificate.details;
        Live {
            serial_number: details.serial_number.clone(),
            validity: details.validity,
            installed: self.is_installed(certificate),
        }
    }
}

fn not_by_ca(certificate: &ParsedCertificate) -> Error {
    let issuer = certificate.details.issuer.clone();
    Refusal::NotByCa { issuer }.into()
}

fn by_another_ca(name: &EntryName, certificate: &ParsedCertificate) -> Finding {
    let details = &certificate.details;
    Finding::warning(
        "by-another-ca",
        format!("{name} {}", details.serial_number),
        format!(
            "it is valid until {}, and not by this CA, but by {}: it cannot be on this CA's CRL",
            show(details.validity.not_after),
            Quoted(&details.issuer)
        ),
        "have the CA that issued it revoke it, or take that CA out of every trust bundle",
    )
}

fn unread(path: &str) -> Finding {
    Finding::warning(
        "inventory-damaged",
        path,
        "it could not be read, and so may be a certificate that this is about too",
        "restore it from a backup, and revoke again",
    )
}
