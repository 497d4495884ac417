//! The files that `check` is given, read: certificates with the places where they stand.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::verdict::Source;
use super::{Request, shown};
use crate::commands::error::Error;
use crate::domain::finding::{Finding, Severity};
use crate::system::System;
use crate::x509;
use crate::x509::path_certificate::PathCertificate;
use crate::x509::path_crl::PathCrl;
use crate::x509::pem::{self, Block};
use crate::x509::private_key::PrivateKey;

/// A certificate, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Located {
    pub(super) certificate: PathCertificate,
    pub(super) source: Source,
    pub(super) file: String,
    /// The line of its PEM block; None for DER.
    pub(super) line: Option<usize>,
}

impl Located {
    /// File, line and subject.
    pub(super) fn shown(&self) -> String {
        let subject = &self.certificate.subject.shown;
        match self.line {
            Some(line) => format!("{}:{line}: {subject}", self.file),
            None => format!("{}: {subject}", self.file),
        }
    }
}

/// What the owner of a certificate sends, and what was found beside it.
#[derive(Debug)]
pub(super) struct Chain {
    /// The end entity's certificate first.
    pub(super) certificates: Vec<Located>,
    findings: Vec<Finding>,
}

impl Chain {
    /// Reads the file that is checked, and those sent besides.
    pub(super) fn read(request: &Request, system: &mut System) -> Result<Self, Error> {
        let Contents {
            mut certificates,
            keys,
            mut findings,
        } = Contents::read(&request.file, Source::Sent, system)?;
        let leaf = &certificates[0];
        findings.extend(keys.iter().filter_map(|key| key_problem(key, leaf)));
        for path in &request.untrusted {
            let contents = Contents::read(path, Source::Sent, system)?;
            certificates.extend(contents.certificates);
            findings.extend(contents.findings);
        }
        Ok(Self {
            certificates,
            findings,
        })
    }

    pub(super) fn leaf(&self) -> &PathCertificate {
        &self.certificates[0].certificate
    }

    pub(super) fn findings(&self) -> Vec<Finding> {
        self.findings.clone()
    }
}

/// A trust bundle, and what of it is left out.
#[derive(Debug, Default)]
pub(super) struct TrustBundle {
    pub(super) certificates: Vec<Located>,
    pub(super) findings: Vec<Finding>,
}

impl TrustBundle {
    /// A file, or a directory of files.
    pub(super) fn read(path: &Path, system: &mut System) -> Result<Self, Error> {
        match system.list(path) {
            Ok(names) => Self::of_directory(path, names, system),
            Err(_) => Self::of_file(path, system),
        }
    }

    fn of_file(path: &Path, system: &mut System) -> Result<Self, Error> {
        let Contents {
            certificates,
            mut findings,
            ..
        } = Contents::read(path, Source::TrustBundle, system)?;
        let is_der = certificates.iter().any(|located| located.line.is_none());
        let der = || Finding {
            severity: Severity::Critical,
            id: "ca-file-der",
            about: shown(path),
            why: "it is DER, and neither HAProxy nor a server starts with such a trust bundle"
                .to_owned(),
            next: Some("make it PEM: openssl x509 -inform DER".to_owned()),
        };
        findings.extend(is_der.then(der));
        Ok(Self {
            certificates,
            findings,
        })
    }

    /// As HAProxy reads a directory: of the files with one of [`CA_ENDINGS`], in the order of their
    /// names, the first certificate; what is no PEM is left out.
    fn of_directory(path: &Path, names: Vec<OsString>, system: &mut System) -> Result<Self, Error> {
        let mut bundle = Self::default();
        let files = names.into_iter().map(|name| path.join(name));
        for file in files.filter(|file| has_ca_ending(file)) {
            let left_out = match Contents::read(&file, Source::Sent, system) {
                Err(Error::Unreadable { because, .. }) => {
                    Some(format!("{because}: HAProxy leaves it out"))
                }
                Err(error) => return Err(error),
                Ok(contents) => bundle.add_first(contents),
            };
            let warning = |why| {
                let next = "put each certificate into a PEM file of its own, or all of them into one ca-file";
                Finding::warning("ca-file-left-out", shown(&file), why, next)
            };
            bundle.findings.extend(left_out.map(warning));
        }
        if bundle.certificates.is_empty() {
            return Err(Error::Unreadable {
                path: path.to_owned(),
                line: None,
                because: "none of its files has a certificate for HAProxy to read".to_owned(),
                hint: "of a directory it reads PEM files that end in .cer, .crl, .crt or .pem"
                    .to_owned(),
            });
        }
        Ok(bundle)
    }

    /// Takes the first certificate; what there is to say about the rest.
    fn add_first(&mut self, contents: Contents) -> Option<String> {
        let mut certificates = contents.certificates.into_iter();
        let first = certificates.next()?;
        if first.line.is_none() {
            return Some("it is DER: HAProxy leaves it out".to_owned());
        }
        self.certificates.push(Located {
            source: Source::TrustBundle,
            ..first
        });
        let rest = certificates.next()?.line?;
        Some(format!(
            "HAProxy reads the first certificate of a file in a directory, and leaves out that on line {rest}"
        ))
    }
}

/// The endings of the files of a directory that HAProxy reads (`ca-file DIR`).
const CA_ENDINGS: [&str; 4] = ["cer", "crl", "crt", "pem"];

fn has_ca_ending(file: &Path) -> bool {
    let ending = file.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| CA_ENDINGS.contains(&ending))
}

/// The CRLs of a file.
pub(super) fn crls(path: &Path, system: &mut System) -> Result<Vec<PathCrl>, Error> {
    let bytes = system
        .read(path)
        .map_err(|error| Error::input(path, error))?;
    crls_of(&bytes, path)
}

/// The CRLs that `bytes` are, which stand at `path`.
pub(super) fn crls_of(bytes: &[u8], path: &Path) -> Result<Vec<PathCrl>, Error> {
    let blocks = pem::scan(bytes);
    if blocks.is_empty() {
        if !is_der(bytes) {
            return Err(without_crl(path));
        }
        let crl = PathCrl::from_der(bytes).map_err(|error| unreadable(path, None, &error))?;
        return Ok(vec![crl]);
    }
    let mut crls = Vec::new();
    for block in blocks {
        let block = block.map_err(|error| unreadable(path, error.line(), &error))?;
        if block.label == "X509 CRL" {
            if let Some(error) = block.refused() {
                return Err(unreadable(path, error.line(), &error));
            }
            let crl = PathCrl::from_der(&block.contents);
            crls.push(crl.map_err(|error| unreadable(path, Some(block.line), &error))?);
        }
    }
    if crls.is_empty() {
        return Err(without_crl(path));
    }
    Ok(crls)
}

/// What a file holds.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) certificates: Vec<Located>,
    pub(super) keys: Vec<(PathBuf, Block)>,
    pub(super) findings: Vec<Finding>,
}

impl Contents {
    /// What a file is that the user named.
    fn read(path: &Path, source: Source, system: &mut System) -> Result<Self, Error> {
        let bytes = system
            .read(path)
            .map_err(|error| Error::input(path, error))?;
        Self::of(&bytes, path, source)
    }

    /// What `bytes` are, which stand at `path`.
    pub(super) fn of(bytes: &[u8], path: &Path, source: Source) -> Result<Self, Error> {
        let located = |certificate, line| Located {
            certificate,
            source,
            file: shown(path),
            line,
        };
        let mut contents = Self {
            certificates: Vec::new(),
            keys: Vec::new(),
            findings: Vec::new(),
        };
        let blocks = pem::scan(bytes);
        if blocks.is_empty() {
            if !is_der(bytes) {
                return Err(without_certificate(path));
            }
            let certificate =
                PathCertificate::from_der(bytes).map_err(|error| unreadable(path, None, &error))?;
            contents.certificates.push(located(certificate, None));
            return Ok(contents);
        }
        for block in blocks {
            let line = block.as_ref().ok().map(|block| block.line);
            if let Err(error) = contents.add(block, path, &located) {
                let line = error.line().or(line);
                // HAProxy does not start with a ca-file of which it cannot read all.
                if contents.certificates.is_empty() || source == Source::TrustBundle {
                    return Err(unreadable(path, line, &error));
                }
                contents.findings.push(damaged(path, line, &error));
            }
        }
        if contents.certificates.is_empty() {
            return Err(without_certificate(path));
        }
        Ok(contents)
    }

    fn add(
        &mut self,
        block: Result<Block, x509::error::Error>,
        path: &Path,
        located: &impl Fn(PathCertificate, Option<usize>) -> Located,
    ) -> Result<(), x509::error::Error> {
        let block = block?;
        match block.label.as_str() {
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
                block.refused().map_or(Ok(()), Err)?;
                let certificate = PathCertificate::from_der(&block.contents)?;
                if block.contents.len() > certificate.der.len() {
                    self.findings.push(trust_settings(path, block.line));
                }
                self.certificates
                    .push(located(certificate, Some(block.line)));
            }
            label if label.ends_with("PRIVATE KEY") => self.keys.push((path.to_owned(), block)),
            _ => {}
        }
        Ok(())
    }
}

/// The private keys that `bytes` hold, which stand at `path`.
pub(super) fn private_keys(bytes: &[u8], path: &Path) -> Vec<(PathBuf, Block)> {
    let blocks = pem::scan(bytes).into_iter().filter_map(Result::ok);
    let keys = blocks.filter(|block| block.label.ends_with("PRIVATE KEY"));
    keys.map(|block| (path.to_owned(), block)).collect()
}

/// HAProxy ignores, without a word, whatever comes after the first certificate and cannot be read; so may
/// others.
fn damaged(path: &Path, line: Option<usize>, error: &x509::error::Error) -> Finding {
    Finding::warning(
        "damaged-block",
        at(path, line),
        format!("{error}; HAProxy leaves it out without a word"),
        "put the whole block in, or take it out",
    )
}

/// OpenSSL's own block, in which the certificate is followed by what it is trusted for.
fn trust_settings(path: &Path, line: usize) -> Finding {
    Finding {
        severity: Severity::Unknown,
        id: "trust-settings",
        about: at(path, Some(line)),
        why: "something stands behind the certificate, such as the trust settings of `openssl x509 -trustout`, which zpki does not look at".to_owned(),
        next: Some("write it without them: openssl x509 -in FILE".to_owned()),
    }
}

fn at(path: &Path, line: Option<usize>) -> String {
    match line {
        Some(line) => format!("{}:{line}", shown(path)),
        None => shown(path),
    }
}

/// What is wrong with a private key that stands beside a certificate.
pub(super) fn key_problem((path, block): &(PathBuf, Block), leaf: &Located) -> Option<Finding> {
    let finding = |severity, id, why: String, next: &str| {
        Some(Finding {
            severity,
            id,
            about: at(path, Some(block.line)),
            why,
            next: Some(next.to_owned()),
        })
    };
    let key = block
        .refused()
        .map_or_else(|| PrivateKey::from_pem(block, None), Err);
    match key {
        Ok(key) if key.public_key_der() == leaf.certificate.public_key_der => None,
        Ok(_) => finding(
            Severity::Critical,
            "key-mismatch",
            format!(
                "the private key does not belong to the certificate of `{}`",
                leaf.certificate.subject.shown
            ),
            "put the certificate that was issued for this key beside it",
        ),
        Err(
            error @ (x509::error::Error::KeyEncrypted | x509::error::Error::KeyEncryption { .. }),
        ) => finding(
            Severity::Critical,
            "key-encrypted",
            format!("{error}: neither HAProxy nor a server can load it"),
            "write it in the clear (openssl pkey), readable by its owner alone",
        ),
        Err(error @ x509::error::Error::KeyAlgorithm { .. }) => finding(
            Severity::Unknown,
            "key-unknown",
            format!("{error}: whether it belongs to the certificate is not known"),
            "compare `openssl pkey -pubout` with `openssl x509 -pubkey`",
        ),
        Err(error) => finding(
            Severity::Critical,
            "key-damaged",
            error.to_string(),
            "restore it from a backup, or make a new key and certificate",
        ),
    }
}

fn unreadable(path: &Path, line: Option<usize>, error: &x509::error::Error) -> Error {
    Error::Unreadable {
        path: path.to_owned(),
        line,
        because: error.to_string(),
        hint: error.hint(),
    }
}

/// Whether it could be: all that is read here is a SEQUENCE.
fn is_der(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x30)
}

fn without_crl(path: &Path) -> Error {
    Error::Unreadable {
        path: path.to_owned(),
        line: None,
        because: "it has no CRL".to_owned(),
        hint: "give a file with an X509 CRL block (PEM) or a CRL in DER".to_owned(),
    }
}

fn without_certificate(path: &Path) -> Error {
    Error::Unreadable {
        path: path.to_owned(),
        line: None,
        because: "it has no certificate".to_owned(),
        hint: "give a file with a CERTIFICATE block (PEM) or a certificate in DER".to_owned(),
    }
}
