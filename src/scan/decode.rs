//! The bytes of a file, taken apart: PEM with any number of blocks, or DER, one after another.

use crate::domain::expiry::ReadReason;
use crate::x509::dated::Dated;

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

/// Takes the bytes of a file apart.
#[must_use]
pub fn decode(bytes: &[u8]) -> Contents {
    let _ = bytes;
    Contents::default()
}
