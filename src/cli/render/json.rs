//! One JSON object for every command.

use std::io::{self, ErrorKind, Write};

use clap_complete::Shell;
use serde::Serialize;
use time::OffsetDateTime;

use crate::domain::text::is_unsafe;

/// The report as one JSON object, indented, with a line end.
pub(in crate::cli) fn object<R: Serialize>(report: &R) -> String {
    let mut json = Vec::new();
    serde_json::to_writer_pretty(Harmless(&mut json), report).expect(SERIALIZES);
    json.push(b'\n');
    String::from_utf8(json).expect(SERIALIZES)
}

/// Why a report becomes JSON.
pub(in crate::cli) const SERIALIZES: &str = "a report has only strings, numbers and lists";

/// What JSON is written through: it may go to a terminal, and JSON itself escapes only what is below U+0020.
/// All else that is unsafe there can stand in strings alone, and is the same escaped.
pub(in crate::cli) struct Harmless<W>(pub(in crate::cli) W);

impl<W: Write> Write for Harmless<W> {
    /// `octets` is text: each string comes in whole pieces.
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if octets.iter().all(|octet| *octet < 0x7f) {
            return self.0.write(octets);
        }
        let text = str::from_utf8(octets).map_err(|_| ErrorKind::InvalidData)?;
        let mut rest = text;
        while let Some(at) = rest.find(|c| is_unsafe(c) && c != '\n') {
            let (before, character) = rest.split_at(at);
            let character = character.chars().next().unwrap_or_default();
            write!(self.0, "{before}\\u{:04x}", u32::from(character))?;
            rest = &rest[at + character.len_utf8()..];
        }
        self.0.write_all(rest.as_bytes())?;
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
