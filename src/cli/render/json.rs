//! One JSON object for every command.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write};

use clap_complete::Shell;
use serde::Serialize;
use time::OffsetDateTime;

use crate::domain::text::is_unsafe;

/// The report as one JSON object, indented, with a line end.
pub(in crate::cli) fn object<R: Serialize>(report: &R) -> String {
    let mut json = serde_json::to_vec_pretty(report).expect(SERIALIZES);
    json.push(b'\n');
    harmless(json)
}

/// Why a report becomes JSON.
pub(in crate::cli) const SERIALIZES: &str = "a report has only strings, numbers and lists";

/// JSON that may go to a terminal.
pub(in crate::cli) fn harmless(json: Vec<u8>) -> String {
    let json = String::from_utf8(json).expect(SERIALIZES);
    match escaped(&json) {
        Cow::Borrowed(_) => json,
        Cow::Owned(escaped) => escaped,
    }
}

/// JSON itself escapes only what is below U+0020. All else that a terminal acts on can stand in strings
/// alone, and is the same escaped.
fn escaped(json: &str) -> Cow<'_, str> {
    const DELETE: u8 = 0x7f;
    if json.is_ascii() && !json.as_bytes().contains(&DELETE) {
        return json.into();
    }
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if is_unsafe(character) && character != '\n' {
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped.into()
}

/// What JSON that is not to be held in memory is made [`harmless`] by.
pub(in crate::cli) struct Harmless<W>(pub(in crate::cli) W);

impl<W: Write> Write for Harmless<W> {
    /// `octets` is text: each string comes in whole pieces.
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let text = str::from_utf8(octets).map_err(|_| ErrorKind::InvalidData)?;
        self.0.write_all(escaped(text).as_bytes())?;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// `zpki completions`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct Completions {
    schema: u32,
    #[serde(with = "time::serde::rfc3339::option")]
    at: Option<OffsetDateTime>,
    changed: bool,
    shell: String,
    pub(in crate::cli) script: String,
}

impl Completions {
    pub(in crate::cli) fn new(shell: Shell, script: String, at: Option<OffsetDateTime>) -> Self {
        Self {
            schema: 1,
            at,
            changed: false,
            shell: shell.to_string(),
            script,
        }
    }
}

/// `zpki expiry --print`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct Template {
    schema: u32,
    #[serde(with = "time::serde::rfc3339::option")]
    at: Option<OffsetDateTime>,
    changed: bool,
    pub(in crate::cli) text: String,
}

impl Template {
    pub(in crate::cli) fn new(text: String, at: Option<OffsetDateTime>) -> Self {
        Self {
            schema: 1,
            at,
            changed: false,
            text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_the_same_escaped() {
        let texts = [
            "grün\u{1b}[2J\n",
            "\u{7f}\u{9b}31m\u{202e}x\u{2066}\u{feff}",
            "\u{10ffff}",
        ];
        let json = object(&texts);
        assert!(!json.contains(|c| is_unsafe(c) && c != '\n'), "{json}");
        assert!(
            json.contains(r"\u007f\u009b31m\u202ex\u2066\ufeff"),
            "{json}"
        );
        assert!(json.contains("grün"), "{json}");
        let read: Vec<String> = serde_json::from_str(&json).unwrap();
        assert_eq!(read, texts);
    }
}
