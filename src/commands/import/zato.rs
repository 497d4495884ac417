//! What `zato ca create ca`, `server`, `scheduler`, `lb_agent` and `web_admin` leave in a directory
//! (zato/cli/ca_create_*.py and zato/cli/__init__.py):
//!
//! ```text
//! ca-material/ca-cert.pem, ca-key.pem     the CA, its key encrypted
//! ca-material/ca-password                 the passphrase, in the clear
//! out-cert/PREFIX-cert-TIME.pem           text, then the certificate
//! out-priv/PREFIX-priv-TIME.pem           its key, not encrypted
//! ```
//!
//! PREFIX is `CLUSTER-NAME` for a server or a scheduler, whose OU is `CLUSTER:NAME`; else `lb-agent` or
//! `web-admin`. TIME is `2026-11-23_12-00-00`.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use zeroize::Zeroizing;

use super::Refusal;
use crate::commands::error::Error;
use crate::domain::finding::Finding;
use crate::domain::name::{ClusterName, EntryName};
use crate::domain::serial_number::SerialNumber;
use crate::domain::validity::Validity;
use crate::system::System;
use crate::x509::certificate::ParsedCertificate;
use crate::x509::dated;
use crate::x509::passphrase::Passphrase;
use crate::x509::path_certificate::PathCertificate;
use crate::x509::pem::{self, Block};
use crate::x509::private_key::PrivateKey;

const CA_MATERIAL: &str = "ca-material";
const CERTIFICATES: &str = "out-cert";
/// The directories that are read.
const DIRECTORIES: [&str; 3] = [CA_MATERIAL, CERTIFICATES, "out-priv"];
/// The file with the passphrase of the CA's key.
const PASSPHRASE: &str = "ca-material/ca-password";

/// What there is in the directory.
pub(super) struct Directory {
    pub(super) path: PathBuf,
    pub(super) certificates: Vec<Certificate>,
    pub(super) keys: Vec<Key>,
    /// The file that has the passphrase, and whether others may read it.
    pub(super) passphrase: Option<bool>,
    /// What could not be read.
    pub(super) findings: Vec<Finding>,
}

/// A certificate, and where it stands.
pub(super) struct Certificate {
    /// Relative to the directory.
    pub(super) file: PathBuf,
    pub(super) kind: Kind,
    pub(super) certificate: PathCertificate,
    /// The algorithm of its signature, in words.
    pub(super) signature_algorithm: Option<String>,
    organizational_unit: Option<String>,
}

/// Whose a certificate is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The CA's.
    Ca,
    /// Of the agent that configures HAProxy.
    LoadBalancerAgent,
    /// Of a server, or of a scheduler, whose certificates are alike.
    Server,
    /// Of the web console.
    WebAdmin,
}

/// A private key, and where it stands.
pub(super) struct Key {
    /// Relative to the directory.
    pub(super) file: PathBuf,
    /// Its public half; None when it cannot be read.
    pub(super) public_key_der: Option<Vec<u8>>,
    /// Whether it is encrypted, and if so, whether the passphrase beside it opens it.
    pub(super) encryption: Encryption,
    /// Whether others than its owner may read it.
    pub(super) readable_by_others: bool,
}

/// How a key is protected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Encryption {
    None,
    Opened,
    Closed,
}

/// A certificate, as the report has it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// Its file, relative to the directory.
    pub file: String,
    /// Whose it is.
    pub kind: Kind,
    /// Its subject.
    pub subject: String,
    /// Its serial number.
    pub serial_number: SerialNumber,
    /// notBefore and notAfter.
    #[serde(flatten)]
    pub validity: Validity,
    /// The algorithm of its signature; None when it cannot be read.
    pub signature_algorithm: Option<String>,
}

impl From<Certificate> for Found {
    fn from(found: Certificate) -> Self {
        Self {
            file: found.file.display().to_string(),
            kind: found.kind,
            subject: found.certificate.subject.shown,
            serial_number: found.certificate.serial_number,
            validity: found.certificate.validity,
            signature_algorithm: found.signature_algorithm,
        }
    }
}

impl Directory {
    /// Reads everything in it.
    ///
    /// # Errors
    /// When it is no such directory, or cannot be listed.
    pub(super) fn read(path: &Path, system: &System) -> Result<Self, Error> {
        // A directory that is not there is another mistake than one of something else.
        system
            .list(path)
            .map_err(|error| Error::input(path, error))?;
        let mut directory = Self {
            path: path.to_owned(),
            certificates: Vec::new(),
            keys: Vec::new(),
            passphrase: None,
            findings: Vec::new(),
        };
        let passphrase = directory.read_passphrase(system);
        let mut is_zatos = false;
        for name in DIRECTORIES {
            let below = path.join(name);
            let files = match system.list(&below) {
                Ok(files) => files,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(Error::input(&below, error)),
            };
            is_zatos |= name != DIRECTORIES[2];
            for file in files {
                directory.read_file(&Path::new(name).join(file), passphrase.as_ref(), system);
            }
        }
        if !is_zatos {
            let path = path.to_owned();
            return Err(Error::Import(Refusal::NotZatos { path }));
        }
        Ok(directory)
    }

    fn read_passphrase(&mut self, system: &System) -> Option<Passphrase> {
        let path = self.path.join(PASSPHRASE);
        if !system.exists(&path) {
            return None;
        }
        self.passphrase = Some(system.is_readable_by_others(&path));
        let bytes = system.read_named(&path).ok()?;
        let line = bytes.split(|octet| *octet == b'\n').next()?;
        let text = str::from_utf8(line).ok()?.trim_end_matches('\r');
        Passphrase::new(Zeroizing::new(text.to_owned())).ok()
    }

    fn read_file(&mut self, file: &Path, passphrase: Option<&Passphrase>, system: &System) {
        let path = self.path.join(file);
        let bytes = match system.read_named(&path) {
            Ok(bytes) => bytes,
            Err(error) => return self.unreadable(file, None, &error.to_string()),
        };
        // What is no PEM, such as the index of the CA, is none of ours.
        if pem::outlines(&bytes).next().is_none() {
            if file.starts_with(CERTIFICATES) {
                self.unreadable(file, None, "it has no PEM block");
            }
            return;
        }
        for block in pem::scan(&bytes) {
            match block {
                Ok(block) => self.read_block(file, &block, passphrase, system),
                Err(error) => self.unreadable(file, error.line(), &error.to_string()),
            }
        }
    }

    fn read_block(
        &mut self,
        file: &Path,
        block: &Block,
        passphrase: Option<&Passphrase>,
        system: &System,
    ) {
        if block.label.ends_with("CERTIFICATE") {
            match PathCertificate::from_der(&block.contents) {
                Ok(certificate) => self.certificates.push(Certificate::new(file, certificate)),
                Err(error) => self.unreadable(file, Some(block.line), &error.to_string()),
            }
        } else if block.label.ends_with("PRIVATE KEY") {
            let readable_by_others = system.is_readable_by_others(&self.path.join(file));
            let (read, encryption) = open(block, passphrase);
            if let Err(error) = &read
                && encryption != Encryption::Closed
            {
                self.unreadable(file, error.line().or(Some(block.line)), &error.to_string());
            }
            self.keys.push(Key {
                file: file.to_owned(),
                public_key_der: read.ok().map(|key| key.public_key_der().to_vec()),
                encryption,
                readable_by_others,
            });
        }
    }

    fn unreadable(&mut self, file: &Path, line: Option<usize>, because: &str) {
        let about = match line {
            Some(line) => format!("{}:{line}", file.display()),
            None => file.display().to_string(),
        };
        let next = "nothing of it is needed for the new certificates";
        self.findings
            .push(Finding::warning("unreadable", about, because, next));
    }
}

type Opened = Result<PrivateKey, crate::x509::error::Error>;

/// The key in a block, with the passphrase if it needs one.
fn open(block: &Block, passphrase: Option<&Passphrase>) -> (Opened, Encryption) {
    let is_legacy = block.headers.iter().any(|(name, _)| name == "DEK-Info");
    if block.label != "ENCRYPTED PRIVATE KEY" && !is_legacy {
        return (PrivateKey::from_pem(block, None), Encryption::None);
    }
    let opened = PrivateKey::from_pem(block, passphrase);
    let encryption = if opened.is_ok() {
        Encryption::Opened
    } else {
        Encryption::Closed
    };
    (opened, encryption)
}

impl Certificate {
    fn new(file: &Path, certificate: PathCertificate) -> Self {
        let parsed = ParsedCertificate::from_der(&certificate.der).ok();
        let dated = dated::certificate(&certificate.der).ok();
        Self {
            kind: Kind::of(file, &certificate),
            file: file.to_owned(),
            signature_algorithm: parsed.map(|parsed| parsed.details.signature_algorithm),
            organizational_unit: dated.and_then(|reading| reading.dated.subject_attribute("OU")),
            certificate,
        }
    }

    /// The cluster and the name of whom it was made for, as far as it says so. Where it was made with an
    /// OU of its own, the file is left to tell, and that alone does not say where the cluster ends.
    pub(super) fn named(
        &self,
        cluster: Option<&ClusterName>,
        known: &[EntryName],
    ) -> (Option<String>, String) {
        let prefix = prefix(&self.file);
        let unit = self.organizational_unit.as_deref();
        if let Some((cluster, name)) = unit.and_then(|unit| unit.split_once(':'))
            && format!("{cluster}-{name}") == prefix
        {
            return (Some(cluster.to_owned()), name.to_owned());
        }
        let ending = known.iter().filter_map(|name| {
            let cluster = prefix.strip_suffix(name.as_str())?.strip_suffix('-')?;
            Some((Some(cluster.to_owned()), name.to_string()))
        });
        let ending = ending.max_by_key(|(_, name)| name.len());
        let behind = |cluster: &ClusterName| {
            let rest = prefix.strip_prefix(&cluster.to_string())?;
            let name = rest.strip_prefix('-')?.to_owned();
            Some((Some(cluster.to_string()), name))
        };
        ending
            .or_else(|| cluster.and_then(behind))
            .unwrap_or_else(|| (None, prefix.to_owned()))
    }
}

impl Kind {
    fn of(file: &Path, certificate: &PathCertificate) -> Self {
        if file.starts_with(CA_MATERIAL) || certificate.is_ca() {
            return Self::Ca;
        }
        match prefix(file) {
            "lb-agent" => Self::LoadBalancerAgent,
            "web-admin" | "zato-admin" => Self::WebAdmin,
            _ => Self::Server,
        }
    }
}

/// `prod-server1` of `out-cert/prod-server1-cert-2026-11-23_12-00-00.pem`.
fn prefix(file: &Path) -> &str {
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    let stem = stem.unwrap_or_default();
    stem.rsplit_once("-cert-")
        .map_or(stem, |(prefix, _)| prefix)
}
