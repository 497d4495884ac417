//! The bytes of a file, taken apart: PEM with any number of blocks, or DER, one after another.
//!
//! What it is shows from the bytes, never from a name. Other readers lose a certificate in silence
//! that stands behind a byte order mark, on the line of another block's end, or behind a block that is
//! damaged; and that may be the one that has expired. Here each block is one of the three: found, an
//! error with its line, or not inspected. Blocks that may be private keys are not decoded.

use std::collections::HashSet;
use std::fmt::{self, Display, Formatter};

use crate::domain::digest::Digest;
use crate::domain::expiry::ReadReason;
use crate::x509::dated::{self, Dated, Reading};
use crate::x509::error::Error;
use crate::x509::kind::{self, Kind};
use crate::x509::pem::{self, Oddity, Outline};

/// Everything in a file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Contents {
    /// Certificates and CRLs, in the order of the file; one that is there twice comes once.
    pub found: Vec<Found>,
    /// What should have been one and could not be read, in the order of the file.
    pub errors: Vec<Damaged>,
    /// What has no date: keys, requests, key stores.
    pub not_inspected: Vec<NotInspected>,
}

/// A certificate or a CRL, and where it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// Which block (PEM) or object (DER) of the file, from 1; every block counts.
    pub index: usize,
    /// The line of its BEGIN, from 1; None for DER.
    pub line: Option<usize>,
    /// What it is.
    pub dated: Dated,
    /// What others make of it.
    pub note: Option<Note>,
}

/// A block that is damaged, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Damaged {
    /// Which block of the file, from 1; None when the file as a whole is meant.
    pub index: Option<usize>,
    /// The line at fault, from 1.
    pub line: Option<usize>,
    /// Why.
    pub reason: ReadReason,
    /// The same in words, without file and line; what to do about it where that is not plain.
    pub message: String,
}

/// A thing without a date, and where it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NotInspected {
    /// The line of its BEGIN; None for DER and for key stores.
    pub line: Option<usize>,
    /// What it is.
    pub kind: NotInspectedKind,
}

/// What is recognised and has no date that is looked at.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum NotInspectedKind {
    /// A certification request.
    Csr,
    /// A Java key store (JKS).
    Jks,
    /// A private or public key, or its parameters.
    Key,
    /// PKCS#7 or CMS, which may hold certificates.
    Pkcs7,
    /// A PKCS#12 key store.
    Pkcs12,
    /// A PEM block of another kind.
    Other,
}

/// What others make of a certificate that zpki reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Note {
    /// OpenSSL, and HAProxy with it, refuses it or does not see it.
    OpensslRejects(&'static str),
    /// Something stands behind it in its block or file.
    TrailingData,
}

impl NotInspectedKind {
    /// What the bytes of a file are by how they begin, when nothing in them is looked at: a key store,
    /// PKCS#7 or a key, as DER.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match Kind::of(bytes)? {
            Kind::Certificate | Kind::Crl | Kind::Request => None,
            kind => Some(not_inspected(kind)),
        }
    }

    /// Whether certificates can be in it.
    #[must_use]
    pub fn may_hold_certificates(self) -> bool {
        match self {
            Self::Jks | Self::Pkcs7 | Self::Pkcs12 => true,
            Self::Csr | Self::Key | Self::Other => false,
        }
    }
}

impl Display for NotInspectedKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Csr => "it is a certification request",
            Self::Jks => "it is a Java key store, which is not opened",
            Self::Key => "it is a key",
            Self::Other => "it is PEM of another kind",
            Self::Pkcs7 => "it is PKCS#7, which is not opened",
            Self::Pkcs12 => "it is a PKCS#12 key store, which is not opened",
        })
    }
}

impl Display for Note {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpensslRejects(because) => write!(f, "openssl_rejects: {because}"),
            Self::TrailingData => f.write_str("trailing_data: something stands behind it"),
        }
    }
}

/// Takes the bytes of a file apart. Empty contents say that there is nothing of interest.
#[must_use]
pub fn decode(bytes: &[u8]) -> Contents {
    let mut decoder = Decoder::default();
    let rest = decoder.read_der(bytes);
    // PEM may stand behind DER as well.
    if decoder.contents.found.is_empty() || !rest.is_empty() {
        decoder.read_pem(bytes);
    }
    let mut contents = decoder.contents;
    if contents.is_empty() {
        let error = pem::not_pem(bytes);
        contents
            .errors
            .extend(error.map(|it| damaged(&it, None, None)));
    } else if pem::has_utf_16(bytes) {
        // Put behind something that was read.
        let error = damaged(&Error::PemUtf16, None, None);
        contents.errors.push(error);
    }
    contents
}

impl Contents {
    /// Whether there is nothing of interest.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty() && self.errors.is_empty() && self.not_inspected.is_empty()
    }
}

#[derive(Default)]
struct Decoder {
    contents: Contents,
    /// Those that were kept, once there are two.
    seen: HashSet<Digest>,
    /// Blocks or objects so far.
    count: usize,
}

impl Decoder {
    /// One object after another, until something is none; answers with that.
    fn read_der<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut rest = bytes;
        while let Some(kind) = Kind::of(rest) {
            self.count += 1;
            let length = match kind {
                Kind::Certificate => self.keep_der(dated::certificate(rest)),
                Kind::Crl => self.keep_der(dated::crl(rest)),
                other => {
                    let kind = not_inspected(other);
                    let one = NotInspected { line: None, kind };
                    self.contents.not_inspected.push(one);
                    None
                }
            };
            let Some(length) = length.or_else(|| kind::length(rest)) else {
                return rest;
            };
            rest = rest[length..].trim_ascii_start();
        }
        if let (Some(last), false) = (self.contents.found.last_mut(), rest.is_empty()) {
            last.note.get_or_insert(Note::TrailingData);
        }
        rest
    }

    /// Answers with the length of what was read.
    fn keep_der(&mut self, reading: Result<Reading, Error>) -> Option<usize> {
        match reading {
            Ok(reading) => {
                let note = reading.openssl_rejects.map(Note::OpensslRejects);
                let length = reading.length;
                self.keep(reading.dated, None, note);
                Some(length)
            }
            Err(error) => {
                self.refuse(&error, None);
                None
            }
        }
    }

    fn read_pem(&mut self, bytes: &[u8]) {
        for outline in pem::outlines(bytes) {
            self.count += 1;
            match Label::of(outline.label) {
                Label::Dated(kind) => self.read_block(&outline, kind),
                // Part of a key, perhaps, and what is left of a certificate: it is not decoded.
                Label::NotInspected(_) if outline.other_end().is_some_and(is_dated) => {
                    if let Some(error) = outline.flaw() {
                        self.refuse(&error, error.line());
                    }
                }
                Label::NotInspected(kind) => {
                    let line = Some(outline.line);
                    let one = NotInspected { line, kind };
                    self.contents.not_inspected.push(one);
                }
            }
        }
    }

    fn read_block(&mut self, outline: &Outline<'_>, block: Block) {
        let flaw = outline.flaw();
        if let Some(error) = &flaw {
            self.refuse(error, error.line());
            // What ends as a key may be one. Otherwise the end is only misspelt.
            if outline.other_end().is_none_or(is_key) {
                return;
            }
        }
        let reading = outline.decode().and_then(|octets| {
            let reading = match block {
                Block::Crl => dated::crl(&octets),
                Block::Certificate | Block::Trusted => dated::certificate(&octets),
            };
            reading.map(|reading| (reading.length < octets.len(), reading))
        });
        match reading {
            Ok((goes_on, reading)) => {
                let oddity = outline.oddity.map(Oddity::because);
                let headers = outline.has_headers().then_some("it has headers");
                let is_padded = outline.label.trim() != outline.label;
                let padding = is_padded.then_some("there are blanks around its label");
                let rejects = oddity.or(headers).or(padding).or(reading.openssl_rejects);
                let rejects = rejects.map(Note::OpensslRejects);
                // OpenSSL's own data stand behind a trusted certificate.
                let is_odd = goes_on && block != Block::Trusted;
                let note = rejects.or_else(|| is_odd.then_some(Note::TrailingData));
                self.keep(reading.dated, Some(outline.line), note);
            }
            // One error for each block.
            Err(_) if flaw.is_some() => {}
            Err(error) => self.refuse(&error, error.line().or(Some(outline.line))),
        }
    }

    fn keep(&mut self, dated: Dated, line: Option<usize>, note: Option<Note>) {
        if self.is_new(dated.fingerprint) {
            let index = self.count;
            self.contents.found.push(Found {
                index,
                line,
                dated,
                note,
            });
        }
    }

    /// Most files have one certificate, for which no set is needed.
    fn is_new(&mut self, fingerprint: Digest) -> bool {
        match self.contents.found.as_slice() {
            [] => true,
            [only] => {
                let first = only.dated.fingerprint;
                self.seen.extend([first, fingerprint]);
                first != fingerprint
            }
            _ => self.seen.insert(fingerprint),
        }
    }

    fn refuse(&mut self, error: &Error, line: Option<usize>) {
        let error = damaged(error, Some(self.count), line);
        self.contents.errors.push(error);
    }
}

fn damaged(error: &Error, index: Option<usize>, line: Option<usize>) -> Damaged {
    let reason = match error {
        Error::CertificateDamaged { .. } => ReadReason::BadDer,
        Error::CrlDamaged { .. } => ReadReason::BadCrl,
        Error::DateDamaged { .. } => ReadReason::BadTime,
        _ => ReadReason::BadPem,
    };
    let message = match error {
        Error::PemBeginLine { .. } | Error::PemUtf16 | Error::PemWithoutBoundaries => {
            format!("{error}: {}", error.hint())
        }
        _ => error.to_string(),
    };
    Damaged {
        index,
        line,
        reason,
        message,
    }
}

/// What the label of a PEM block promises.
#[derive(Clone, Copy)]
enum Label {
    Dated(Block),
    /// It is never decoded: it may be a private key.
    NotInspected(NotInspectedKind),
}

/// A block that is decoded.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Block {
    Certificate,
    Crl,
    /// A certificate, and what OpenSSL trusts it for.
    Trusted,
}

impl Label {
    /// The labels are those of OpenSSL's pem.h.
    fn of(label: &str) -> Self {
        let kind = match label.trim() {
            "CERTIFICATE" | "X509 CERTIFICATE" => return Self::Dated(Block::Certificate),
            "TRUSTED CERTIFICATE" => return Self::Dated(Block::Trusted),
            "X509 CRL" => return Self::Dated(Block::Crl),
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => NotInspectedKind::Csr,
            "CMS" | "PKCS7" | "PKCS #7 SIGNED DATA" => NotInspectedKind::Pkcs7,
            label if is_key(label) => NotInspectedKind::Key,
            _ => NotInspectedKind::Other,
        };
        Self::NotInspected(kind)
    }
}

/// Whether what has this label is decoded.
fn is_dated(label: &str) -> bool {
    matches!(Label::of(label), Label::Dated(_))
}

/// Whether a label is that of a key, or of its parameters.
fn is_key(label: &str) -> bool {
    let label = label.trim();
    label.ends_with(" KEY") || label.ends_with(" PARAMETERS")
}

fn not_inspected(kind: Kind) -> NotInspectedKind {
    match kind {
        Kind::Jks => NotInspectedKind::Jks,
        Kind::Key => NotInspectedKind::Key,
        Kind::Pkcs7 => NotInspectedKind::Pkcs7,
        Kind::Pkcs12 => NotInspectedKind::Pkcs12,
        Kind::Request => NotInspectedKind::Csr,
        Kind::Certificate | Kind::Crl => NotInspectedKind::Other,
    }
}
