//! A finding: one thing that has to be said about the cluster, for a person and for a program.

use serde::Serialize;

/// How bad a finding is. The order is that in which several are told: the last is the worst.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing; nothing has to be done.
    #[default]
    Ok,
    /// Something will go wrong, or does for some consumers.
    Warning,
    /// It could not be checked.
    Unknown,
    /// It does not work, or soon will not.
    Critical,
}

/// One thing that has to be said.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// A stable identifier, such as `default-hosts`.
    pub id: &'static str,
    /// What it is about: an entry or a file.
    pub about: String,
    /// What was found.
    pub why: String,
    /// What to do next; empty when nothing need be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Finding {
    /// A finding that asks for nothing.
    #[must_use]
    pub fn note(id: &'static str, about: impl ToString, why: impl Into<String>) -> Self {
        Self {
            severity: Severity::Ok,
            id,
            about: about.to_string(),
            why: why.into(),
            next: None,
        }
    }

    /// A finding that should be acted on.
    #[must_use]
    pub fn warning(
        id: &'static str,
        about: impl ToString,
        why: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            id,
            about: about.to_string(),
            why: why.into(),
            next: Some(next.into()),
        }
    }
}
