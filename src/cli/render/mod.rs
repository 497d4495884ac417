//! Reports as text and JSON: the same structs, so that the text never knows more than the JSON.

pub(super) mod apply;
pub(super) mod backup;
pub(super) mod ca;
pub(super) mod check;
pub(super) mod config;
pub(super) mod error;
pub(super) mod expiry;
pub(super) mod export;
pub(super) mod import;
pub(super) mod issue;
pub(super) mod json;
pub(super) mod log;
pub(super) mod revoke;
pub(super) mod text;

use std::io::{self, Write};

use serde::Serialize;

use super::args::OutputFormat;
use crate::domain::finding::Severity;

/// What a run says.
#[derive(Default)]
pub(super) struct Rendered {
    /// The product.
    pub(super) stdout: String,
    /// More of it, which is too much to be held as one text.
    pub(super) stream: Option<Stream>,
    /// What is said to a person.
    pub(super) stderr: String,
    /// What is said to a person before that, once all of the product is written.
    pub(super) when_written: String,
    /// Whether the command has changed something.
    pub(super) changed: bool,
    /// Whether the exit status is to say that changes are pending or were made.
    pub(super) has_changes: bool,
    /// The worst that there is to say.
    pub(super) severity: Severity,
}

/// What writes itself, piece by piece.
pub(super) type Stream = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()>>;

impl Rendered {
    /// A product that is too much to be held as one text.
    pub(super) fn streamed(stream: Stream) -> Self {
        Self {
            stream: Some(stream),
            ..Self::default()
        }
    }

    /// The product alone.
    pub(super) fn product(text: &str) -> Self {
        Self {
            stdout: text.to_owned(),
            ..Self::default()
        }
    }
}

/// The report as JSON, or as `text` draws it.
pub(super) fn report<R: Serialize>(
    format: OutputFormat,
    report: &R,
    text: impl FnOnce(&R) -> Rendered,
) -> Rendered {
    match format {
        OutputFormat::Json => Rendered::product(&json::object(report)),
        _ => text(report),
    }
}
