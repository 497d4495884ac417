//! `zpki show`: what a certificate, request, CRL or key says.

use std::path::{Path, PathBuf};

use serde::Serialize;
use time::OffsetDateTime;

use super::directory::{PkiDirectory, View};
use super::error::Error;
use super::state;
use crate::domain::certificate::{
    Certificate, CertificationRequest, PrivateKeyDescription, PublicKey, RevocationList,
};
use crate::domain::name::EntryName;
use crate::domain::revocation::Revocation;
use crate::domain::role::Role;
use crate::domain::text::ShellWord;
use crate::domain::validity::{RenewWithin, Status};
use crate::scan::decode::NotInspectedKind;
use crate::store::layout::HostFolder;
use crate::system::System;
use crate::x509::certificate::ParsedCertificate;
use crate::x509::passphrase::Passphrase;
use crate::x509::pem::{self, Block};
use crate::x509::private_key;
use crate::x509::{self, crl, csr, public_key};

/// What to show.
#[derive(Debug)]
pub struct Request {
    /// The name of an entry, a file, or `-`.
    pub subject: PathBuf,
    /// What opens an encrypted private key.
    pub passphrase: Option<Passphrase>,
}

/// What it says.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShowReport {
    /// Version of this report's form.
    pub schema: u32,
    /// The instant of the run.
    #[serde(with = "time::serde::rfc3339::option")]
    pub at: Option<OffsetDateTime>,
    /// Always false: nothing is written.
    pub changed: bool,
    /// The entry or file.
    pub subject: String,
    /// For an entry: where its host folder is.
    pub folder: Option<String>,
    /// What was found, in the order of the file.
    pub objects: Vec<Shown>,
}

/// One object.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// The line that its PEM block begins at; None for DER and for entries.
    pub line: Option<usize>,
    /// What it says.
    #[serde(flatten)]
    pub object: Object,
    /// It again, as PEM; None for a private key, which is never shown.
    pub pem: Option<String>,
}

/// What an object says.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Object {
    /// A certificate.
    Certificate {
        /// What its dates say now; None without a clock.
        status: Option<Status>,
        /// Its entry on the cluster's CRL; None when it has none, and for what is in a file.
        revocation: Option<Revocation>,
        /// What it says.
        #[serde(flatten)]
        certificate: Box<Certificate>,
    },
    /// A certification request.
    CertificationRequest(CertificationRequest),
    /// A private key.
    PrivateKey(PrivateKeyDescription),
    /// A public key.
    PublicKey(PublicKey),
    /// A CRL.
    RevocationList(RevocationList),
}

/// Shows an entry of the PKI directory, or a file.
///
/// # Errors
/// When there is neither, when the file holds nothing that can be understood, or when the
/// passphrase does not open its key.
pub fn run(
    request: &Request,
    directory: &PkiDirectory,
    system: &mut System,
) -> Result<ShowReport, Error> {
    let shown = match entry(&request.subject, directory, system.now)? {
        Some(found) => found,
        None => (None, file(request, directory, system)?),
    };
    let (folder, objects) = shown;
    Ok(ShowReport {
        schema: 1,
        at: system.now,
        changed: false,
        subject: request.subject.display().to_string(),
        folder,
        objects,
    })
}

type Found = (Option<String>, Vec<Shown>);

/// The certificate that an entry of that name uses, if there is one.
fn entry(
    subject: &Path,
    directory: &PkiDirectory,
    now: Option<OffsetDateTime>,
) -> Result<Option<Found>, Error> {
    let Some(name) = subject.to_str().and_then(EntryName::of_inventory) else {
        return Ok(None);
    };
    let found = directory.read(|view| find(view, &name, directory.path(), now));
    match found {
        Err(Error::NotAPkiDirectory { .. }) => Ok(None),
        found => found,
    }
}

fn find(
    view: &View<'_>,
    name: &EntryName,
    directory: &Path,
    now: Option<OffsetDateTime>,
) -> Result<Option<Found>, Error> {
    let cluster = view.cluster()?;
    let entry = cluster.entry(name.as_str());
    let role = entry
        .map(|entry| entry.role)
        .or_else(|| (*name == EntryName::ca()).then_some(Role::Ca));
    let mut revocations = state::revocations(view)?;
    let Some(in_use) = state::in_use(name, role, &revocations, view)? else {
        let name = name.clone();
        return entry.map_or(Ok(None), |_| Err(Error::NoCertificate { name }));
    };
    let default = cluster.settings().certificates.renew_within;
    let renew_within = entry.map_or(default, |entry| entry.renew_within);
    let folder = role.filter(|role| *role != Role::Ca);
    let folder = folder.map(|role| {
        directory
            .join(HostFolder::of(name, role).directory())
            .display()
            .to_string()
    });
    let revocation = revocations.remove(&in_use.details.serial_number);
    Ok(Some((
        folder,
        vec![certificate(in_use, None, now, renew_within, revocation)],
    )))
}

fn certificate(
    certificate: ParsedCertificate,
    line: Option<usize>,
    now: Option<OffsetDateTime>,
    renew_within: RenewWithin,
    revocation: Option<Revocation>,
) -> Shown {
    let pem = Some(certificate.to_pem());
    let status = now.map(|now| certificate.details.validity.status(now, renew_within));
    let certificate = Box::new(certificate.details);
    Shown {
        line,
        object: Object::Certificate {
            status,
            revocation,
            certificate,
        },
        pem,
    }
}

fn file(
    request: &Request,
    directory: &PkiDirectory,
    system: &mut System,
) -> Result<Vec<Shown>, Error> {
    let path = &request.subject;
    let bytes = system.read(path).map_err(|error| {
        let absent = error.kind() == std::io::ErrorKind::NotFound;
        match path.to_str().and_then(EntryName::of_inventory) {
            Some(name) if absent => Error::NeitherEntryNorFile {
                name,
                directory: directory.path().to_owned(),
            },
            _ => Error::input(path, error),
        }
    })?;
    let blocks = pem::scan(&bytes);
    if blocks.is_empty() {
        return der(&bytes, system.now)
            .map(|shown| vec![shown])
            .ok_or_else(|| nothing_in(path, &bytes));
    }
    let unreadable = |error: x509::error::Error, line| match error {
        x509::error::Error::PassphraseWrong => Error::X509(error),
        error => Error::Unreadable {
            path: path.clone(),
            line: error.line().or(line),
            because: error.to_string(),
            hint: error.hint(),
        },
    };
    // What `openssl ecparam` writes in front of a key, which names its curve itself.
    let is_alone = |block: &Block| block.label != "EC PARAMETERS";
    let blocks = blocks.into_iter();
    blocks
        .filter(|block| block.as_ref().map_or(true, is_alone))
        .map(|block| {
            let block = block.map_err(|error| unreadable(error, None))?;
            show_block(&block, request.passphrase.as_ref(), system.now)
                .map_err(|error| unreadable(error, Some(block.line)))
        })
        .collect()
}

/// What is said of a file without PEM that is no DER to be shown.
fn nothing_in(path: &Path, bytes: &[u8]) -> Error {
    let file = path.display().to_string();
    let (because, hint) = match NotInspectedKind::of(bytes) {
        Some(kind) => (kind.to_string(), as_pem(kind, ShellWord(&file))),
        None => (
            "it has no PEM block and is not DER of a certificate, request or CRL".to_owned(),
            "name a file with one of these, or with a key as PEM".to_owned(),
        ),
    };
    Error::Unreadable {
        path: path.to_owned(),
        line: None,
        because,
        hint,
    }
}

/// How to make PEM of `file`, which can be shown.
fn as_pem(kind: NotInspectedKind, file: ShellWord<'_>) -> String {
    match kind {
        NotInspectedKind::Jks => {
            format!("take its certificates out as PEM: keytool -list -rfc -keystore {file}")
        }
        NotInspectedKind::Pkcs7 => format!(
            "take its certificates out as PEM: openssl pkcs7 -inform DER -print_certs -in {file}"
        ),
        NotInspectedKind::Pkcs12 => {
            format!("take its certificates out as PEM: openssl pkcs12 -nokeys -in {file}")
        }
        NotInspectedKind::Csr | NotInspectedKind::Key | NotInspectedKind::Other => {
            format!("make PEM of it: openssl pkey -inform DER -out KEY.pem -in {file}")
        }
    }
}

fn show_block(
    block: &Block,
    passphrase: Option<&Passphrase>,
    now: Option<OffsetDateTime>,
) -> Result<Shown, x509::error::Error> {
    let line = Some(block.line);
    let public = |label, object| Shown {
        line,
        object,
        pem: Some(pem::encode(label, &block.contents)),
    };
    match block.label.as_str() {
        "CERTIFICATE" | "X509 CERTIFICATE" => {
            let parsed = ParsedCertificate::from_der(&block.contents)?;
            Ok(certificate(parsed, line, now, RenewWithin::default(), None))
        }
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => {
            let request = csr::Request::read(&block.contents)?;
            Ok(public("CERTIFICATE REQUEST", request_object(&request)))
        }
        "X509 CRL" => {
            crl::read(&block.contents).map(|list| public("X509 CRL", Object::RevocationList(list)))
        }
        "PUBLIC KEY" => Ok(public(
            "PUBLIC KEY",
            Object::PublicKey(public_key::describe(&block.contents)),
        )),
        _ => {
            let description = private_key::describe(block, passphrase)?;
            Ok(Shown {
                line,
                object: Object::PrivateKey(description),
                pem: None,
            })
        }
    }
}

fn der(bytes: &[u8], now: Option<OffsetDateTime>) -> Option<Shown> {
    if let Ok(parsed) = ParsedCertificate::from_der(bytes) {
        return Some(certificate(parsed, None, now, RenewWithin::default(), None));
    }
    if let Ok(request) = csr::Request::read(bytes) {
        let pem = Some(pem::encode("CERTIFICATE REQUEST", bytes));
        return Some(Shown {
            line: None,
            object: request_object(&request),
            pem,
        });
    }
    let list = crl::read(bytes).ok()?;
    Some(Shown {
        line: None,
        object: Object::RevocationList(list),
        pem: Some(crl::to_pem(bytes)),
    })
}

fn request_object(request: &csr::Request) -> Object {
    Object::CertificationRequest(request.description().clone())
}
