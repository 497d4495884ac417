//! `zpki export`: the key and the certificates of an entry in the form that another program takes.

use std::fmt::{self, Debug, Display, Formatter};
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::directory::{PkiDirectory, View};
use super::error::Error;
use super::host_folder::joined;
use super::issue::ask_p12_passphrase;
use crate::domain::error::nearest;
use crate::domain::finding::Finding;
use crate::domain::name::EntryName;
use crate::domain::role::Role;
use crate::domain::serial_number::SerialNumber;
use crate::domain::text::{Plain, Quoted};
use crate::domain::validity::Validity;
use crate::store::layout::{CA_CERTIFICATE, CA_CHAIN, HostFolder, PUBLIC, SECRET};
use crate::store::{self, output};
use crate::system::System;
use crate::x509;
use crate::x509::certificate::ParsedCertificate;
use crate::x509::passphrase::Passphrase;
use crate::x509::pem::{self, Block};
use crate::x509::pkcs12::{self, Contents, Salts};
use crate::x509::private_key::PrivateKey;

/// The forms there are.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// The certificate and what leads to its root, without the root.
    Fullchain,
    /// A Secret of Kubernetes, of type `kubernetes.io/tls`.
    K8sSecret,
    /// The private key, then what `Fullchain` has: HAProxy's `crt`.
    KeyCert,
    /// All of it, and the root, in a PKCS#12 file, under a passphrase.
    P12,
}

impl Format {
    /// Whether the private key is in it.
    #[must_use]
    pub fn holds_key(self) -> bool {
        match self {
            Self::Fullchain => false,
            Self::K8sSecret | Self::KeyCert | Self::P12 => true,
        }
    }
}

/// What to export.
#[derive(Debug)]
pub struct Request {
    /// An entry of zpki.toml, or a folder below clients/.
    pub name: String,
    /// In which form.
    pub format: Format,
    /// Into which file; None for standard output.
    pub out: Option<PathBuf>,
    /// The passphrase of a PKCS#12 file, when it is not to be asked for.
    pub p12_passphrase: Option<Passphrase>,
    /// Whether it may be asked for at the terminal.
    pub may_ask: bool,
    /// What there was to say while the request was read.
    pub findings: Vec<Finding>,
}

/// What was exported.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportReport {
    /// Version of this report's form.
    pub schema: u32,
    /// The instant of the run.
    #[serde(with = "time::serde::rfc3339::option")]
    pub at: Option<OffsetDateTime>,
    /// Whether a file was written.
    pub changed: bool,
    /// The entry.
    pub name: EntryName,
    /// Its role.
    pub role: Role,
    /// The form.
    pub format: Format,
    /// Whether the private key is in it.
    pub holds_private_key: bool,
    /// The certificate's serial number.
    pub serial_number: SerialNumber,
    /// Its notBefore and notAfter.
    #[serde(flatten)]
    pub validity: Validity,
    /// How many certificates stand behind it.
    pub intermediates: usize,
    /// The file; None for standard output.
    pub file: Option<String>,
    /// What would be in the file, where there is none: with a private key in it, a secret. In JSON, Base64
    /// for PKCS#12, and for the others their text.
    pub content: Option<Content>,
    /// What to watch.
    pub findings: Vec<Finding>,
}

/// What is exported, which may be a secret: wiped in the end, and not shown by `Debug`.
#[derive(Clone)]
pub enum Content {
    /// Octets.
    Binary(Zeroizing<Vec<u8>>),
    /// Text.
    Text(Zeroizing<String>),
}

impl Content {
    /// What it is as a file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Binary(octets) => octets,
            Self::Text(text) => text.as_bytes(),
        }
    }
}

impl Debug for Content {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets", self.bytes().len())
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Binary(octets) => serializer.serialize_str(&pem::base64(octets)),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// Why nothing is exported.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The CA's key does not leave the PKI directory.
    CaKey,
    /// Private key and certificate are not of one pair.
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the private key.
        key: PathBuf,
    },
    /// The host folder lacks something.
    Missing {
        /// What.
        what: &'static str,
        /// Where it should be.
        path: PathBuf,
    },
    /// The file has something else in it.
    Occupied {
        /// The file.
        path: PathBuf,
    },
    /// A private key would be shown on a terminal.
    Terminal,
    /// Neither an entry nor a client's folder.
    Unknown {
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<EntryName>,
    },
}

/// Exports the certificate of an entry, and for most formats its private key.
///
/// # Errors
/// [`Refusal`]; when the host folder cannot be read; when the file cannot be written.
pub fn run(
    request: &Request,
    directory: &PkiDirectory,
    system: &mut System,
) -> Result<ExportReport, Error> {
    let holds_key = request.format.holds_key();
    if holds_key && request.out.is_none() && system.stdout_is_terminal {
        return Err(Error::Export(Refusal::Terminal));
    }
    let material = directory.read(|view| Material::read(view, request))?;
    let content = match request.format {
        Format::Fullchain => Content::Text(Zeroizing::new(material.fullchain())),
        Format::K8sSecret => Content::Text(material.secret()),
        Format::KeyCert => Content::Text(joined(&[&material.key_pem(), &material.fullchain()])),
        Format::P12 => Content::Binary(material.pkcs12(request, system)?),
    };
    let mut report = ExportReport {
        schema: 1,
        at: system.now,
        changed: false,
        name: material.name,
        role: material.role,
        format: request.format,
        holds_private_key: holds_key,
        serial_number: material.certificate.details.serial_number,
        validity: material.certificate.details.validity,
        intermediates: material.chain.len(),
        file: None,
        content: None,
        findings: request.findings.clone(),
    };
    match &request.out {
        None => report.content = Some(content),
        Some(out) => {
            let path = system.locate(out);
            report.changed = write(&path, holds_key, content.bytes())?;
            report
                .findings
                .extend(readable_by_others(&path, holds_key, system));
            report.file = Some(path.display().to_string());
        }
    }
    Ok(report)
}

fn write(path: &Path, holds_key: bool, bytes: &[u8]) -> Result<bool, Error> {
    let mode = if holds_key { SECRET } else { PUBLIC };
    output::write(path, mode, bytes).map_err(|error| match error {
        store::Error::Exists { path } => Error::Export(Refusal::Occupied { path }),
        error => error.into(),
    })
}

/// A file that was there already keeps its mode.
fn readable_by_others(path: &Path, holds_key: bool, system: &System) -> Option<Finding> {
    (holds_key && system.is_readable_by_others(path)).then(|| {
        Finding::warning(
            "mode-too-open",
            path.display(),
            "it has a private key in it, and others may read it",
            "chmod 600 it; if they have read it, the key is theirs too",
        )
    })
}

/// What belongs to one entry.
struct Material {
    name: EntryName,
    role: Role,
    /// None where it is not asked for.
    key: Option<PrivateKey>,
    certificate: ParsedCertificate,
    /// What leads to the root, without it: the certificate's issuer first.
    chain: Vec<ParsedCertificate>,
    /// The root, if the chain ends at one.
    root: Option<ParsedCertificate>,
    /// What this host trusts; nothing where it is not asked for.
    anchors: Vec<ParsedCertificate>,
}

impl Material {
    fn read(view: &View<'_>, request: &Request) -> Result<Self, Error> {
        let (name, role) = entry(view, &request.name)?;
        let folder = HostFolder::of(&name, role);
        let path = folder.certificate();
        let missing = |what, path: &Path| {
            Error::Export(Refusal::Missing {
                what,
                path: view.path().join(path),
            })
        };
        let mut certificates = certificates(view, &path)?.into_iter();
        let certificate = certificates
            .next()
            .ok_or_else(|| missing("certificate", &path))?;
        let mut pool: Vec<ParsedCertificate> = certificates.collect();
        for file in [CA_CERTIFICATE, CA_CHAIN] {
            pool.extend(self::certificates(view, Path::new(file))?);
        }
        let chain = chain(&certificate, &pool);
        let root = root(chain.last().unwrap_or(&certificate), &pool);
        let key = if request.format.holds_key() {
            let file = folder.private_key();
            let key = private_key(view, &file)?.ok_or_else(|| missing("private key", &file))?;
            if key.public_key_der() != certificate.public_key_der {
                return Err(Error::Export(Refusal::Mismatch {
                    certificate: view.path().join(path),
                    key: view.path().join(file),
                }));
            }
            Some(key)
        } else {
            None
        };
        let anchors = match request.format {
            Format::K8sSecret => {
                let bundle = folder.trust_bundle();
                let anchors = self::certificates(view, &bundle)?;
                if anchors.is_empty() {
                    return Err(missing("trust bundle", &bundle));
                }
                anchors
            }
            Format::Fullchain | Format::KeyCert | Format::P12 => Vec::new(),
        };
        Ok(Self {
            name,
            role,
            key,
            certificate,
            chain,
            root,
            anchors,
        })
    }

    /// A PKCS#12 file: the one that is there, if it is of this certificate, its chain and the passphrase,
    /// for one that is made anew would differ.
    fn pkcs12(&self, request: &Request, system: &mut System) -> Result<Zeroizing<Vec<u8>>, Error> {
        let asked;
        let passphrase = match &request.p12_passphrase {
            Some(given) => given,
            None => {
                asked = ask_p12_passphrase(request.may_ask, system)?;
                &asked
            }
        };
        let chain: Vec<_> = self.chain.iter().chain(&self.root).collect();
        let contents = Contents {
            friendly_name: self.name.as_str(),
            key: self.key.as_ref().expect("the form holds it"),
            certificate: &self.certificate,
            chain: &chain,
        };
        let mut octets = [0; Salts::OCTETS];
        system.entropy.fill(&mut octets)?;
        let salts = Salts::from_random(octets);
        let out = request.out.as_deref();
        if let Some(found) = out.and_then(|out| system.read_named(out).ok())
            && pkcs12::is_of(&found, &contents, passphrase, &salts)?
        {
            return Ok(found);
        }
        Ok(Zeroizing::new(pkcs12::encode(
            &contents, passphrase, &salts,
        )?))
    }

    fn key_pem(&self) -> Zeroizing<String> {
        self.key
            .as_ref()
            .map(PrivateKey::to_pem)
            .unwrap_or_default()
    }

    fn fullchain(&self) -> String {
        let all = std::iter::once(&self.certificate).chain(&self.chain);
        all.map(ParsedCertificate::to_pem).collect()
    }

    fn secret(&self) -> Zeroizing<String> {
        let anchors: String = self.anchors.iter().map(ParsedCertificate::to_pem).collect();
        let head = format!(
            "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\nmetadata:\n  name: \"{}\"\ndata:\n",
            self.name.dns_label()
        );
        let key = pem::base64(self.key_pem().as_bytes());
        let public = |text: &str| pem::base64(text.as_bytes());
        joined(&[
            &head,
            "  tls.crt: ",
            &public(&self.fullchain()),
            "\n  tls.key: ",
            &key,
            "\n  ca.crt: ",
            &public(&anchors),
            "\n",
        ])
    }
}

/// The entry of that name, or the client of whom there is a folder alone.
fn entry(view: &View<'_>, name: &str) -> Result<(EntryName, Role), Error> {
    let cluster = view.cluster()?;
    if let Some(entry) = cluster.entry(name) {
        return Ok((entry.name.clone(), entry.role));
    }
    if name == EntryName::ca().as_str() {
        return Err(Error::Export(Refusal::CaKey));
    }
    if let Ok(client) = name.parse::<EntryName>() {
        let folder = HostFolder::of(&client, Role::Client).directory();
        let found = view.metadata(&folder)?;
        if found.is_some_and(|found| found.is_directory) {
            return Ok((client, Role::Client));
        }
    }
    let entries = cluster.entries().iter();
    Err(Error::Export(Refusal::Unknown {
        name: name.to_owned(),
        known: entries.map(|entry| entry.name.clone()).collect(),
    }))
}

/// From `certificate` to its root, which is left out: each signed by the next.
fn chain(certificate: &ParsedCertificate, pool: &[ParsedCertificate]) -> Vec<ParsedCertificate> {
    let mut chain: Vec<ParsedCertificate> = Vec::new();
    loop {
        let last = chain.last().unwrap_or(certificate);
        let next = pool.iter().find(|issuer| {
            issuer.subject_der == last.issuer_der
                && issuer.subject_der != issuer.issuer_der
                && last.is_signed_by(issuer) != Some(false)
                && !chain.contains(issuer)
        });
        match next {
            Some(next) => chain.push(next.clone()),
            None => return chain,
        }
    }
}

/// The self-signed certificate that has signed `last`.
fn root(last: &ParsedCertificate, pool: &[ParsedCertificate]) -> Option<ParsedCertificate> {
    let mut pool = pool.iter();
    let root = pool.find(|root| {
        root.subject_der == last.issuer_der
            && root.subject_der == root.issuer_der
            && last.is_signed_by(root) != Some(false)
    });
    root.cloned()
}

/// The certificates in a file, in its order; none when there is no file.
fn certificates(view: &View<'_>, path: &Path) -> Result<Vec<ParsedCertificate>, Error> {
    let blocks = blocks(view, path)?;
    let certificates = blocks.iter().filter(|block| block.label == "CERTIFICATE");
    certificates
        .map(|block| {
            ParsedCertificate::from_der(&block.contents)
                .map_err(|error| unreadable(view, path, Some(block.line), &error))
        })
        .collect()
}

fn private_key(view: &View<'_>, path: &Path) -> Result<Option<PrivateKey>, Error> {
    let blocks = blocks(view, path)?;
    let key = blocks
        .iter()
        .find(|block| block.label.ends_with("PRIVATE KEY"));
    key.map(|block| {
        PrivateKey::from_pem(block, None)
            .map_err(|error| unreadable(view, path, Some(block.line), &error))
    })
    .transpose()
}

fn blocks(view: &View<'_>, path: &Path) -> Result<Vec<Block>, Error> {
    let bytes = view.bytes(path)?.unwrap_or_default();
    let blocks = pem::scan(&bytes).into_iter();
    blocks
        .map(|block| block.map_err(|error| unreadable(view, path, None, &error)))
        .collect()
}

fn unreadable(
    view: &View<'_>,
    path: &Path,
    line: Option<usize>,
    error: &x509::error::Error,
) -> Error {
    Error::Unreadable {
        path: view.path().join(path),
        line: error.line().or(line),
        because: error.to_string(),
        hint: "`zpki check` says what is wrong with the folder; restore it from a backup"
            .to_owned(),
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::CaKey => f.write_str("the private key of the CA does not leave its directory"),
            Self::Mismatch { key, .. } => write!(
                f,
                "the private key in {} is not of this certificate",
                Quoted(&key.display().to_string())
            ),
            Self::Missing { what, .. } => write!(f, "there is no {what}"),
            Self::Occupied { .. } => f.write_str("it exists, and has something else in it"),
            Self::Terminal => {
                f.write_str("standard output is a terminal, and it would show the private key")
            }
            Self::Unknown { name, .. } => write!(f, "there is no entry {}", Quoted(name)),
        }
    }
}

impl Refusal {
    /// The file it is about.
    #[must_use]
    pub fn place(&self) -> Option<&Path> {
        match self {
            Self::Mismatch {
                certificate: path, ..
            }
            | Self::Missing { path, .. }
            | Self::Occupied { path } => Some(path),
            Self::CaKey | Self::Terminal | Self::Unknown { .. } => None,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::CaKey => {
                "`zpki show ca --output pem` prints its certificate, which everyone may have"
                    .to_owned()
            }
            Self::Mismatch { .. } => {
                "`zpki check` says what is wrong with the folder; restore it from a backup"
                    .to_owned()
            }
            Self::Missing { path, .. } => format!(
                "is {} complete?  restore it from a backup, or issue the certificate again",
                Plain(&path.parent().unwrap_or(path).display().to_string())
            ),
            Self::Occupied { .. } => "move it away, or give another file with --out".to_owned(),
            Self::Terminal => {
                "give a file with --out, which only you can read then, or a pipe".to_owned()
            }
            Self::Unknown { name, known } => {
                let known: Vec<&str> = known.iter().map(EntryName::as_str).collect();
                match nearest(name, &known) {
                    Some(near) => format!("did you mean `{near}`?  `zpki list` shows the entries"),
                    None => "`zpki list` shows the entries".to_owned(),
                }
            }
        }
    }
}
