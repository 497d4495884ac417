//! One JSON object for every command.

use clap_complete::Shell;
use serde::Serialize;
use time::OffsetDateTime;

/// The report as one JSON object, indented, with a line end.
pub(in crate::cli) fn object<R: Serialize>(report: &R) -> String {
    let mut text = serde_json::to_string_pretty(report)
        .expect("a report has only strings, numbers and UTF-8 paths");
    text.push('\n');
    text
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
