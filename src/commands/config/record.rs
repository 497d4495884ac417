//! What `config apply --rolling` has under way: which servers it has disabled on their lines. The word
//! `disabled` on any other line is its user's.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::commands::error::Error;
use crate::domain::name::EntryName;
use crate::store::exchange::{Access, Replacement};
use crate::store::layout::PUBLIC;
use crate::system::System;

/// The record that stands beside HAProxy's configuration from the first server to the last.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Record {
    /// Where it stands.
    path: PathBuf,
    /// The configuration.
    config: PathBuf,
    /// What it holds; None when there is none.
    bytes: Option<Zeroizing<Vec<u8>>>,
    disabled: BTreeSet<String>,
}

/// Its form.
#[derive(Deserialize, Serialize)]
struct Content {
    schema: u32,
    disabled: BTreeSet<String>,
}

impl Record {
    /// The record beside `config`.
    pub(super) fn read(config: &Path, system: &System) -> Result<Self, Error> {
        let record = Self::none(config);
        if !system.exists(&record.path) {
            return Ok(record);
        }
        let bytes = super::read(&record.path, system)?;
        let content: Content =
            serde_json::from_slice(&bytes).map_err(|error| Error::Unreadable {
                path: record.path.clone(),
                line: None,
                because: error.to_string(),
                hint: "take `disabled` off the server lines yourself, and remove it".to_owned(),
            })?;
        Ok(Self {
            bytes: Some(bytes),
            disabled: content.disabled,
            ..record
        })
    }

    fn none(config: &Path) -> Self {
        let name = config.file_name().unwrap_or_default().to_string_lossy();
        Self {
            path: config.with_file_name(format!(".{name}.zpki-rolling")),
            config: config.to_owned(),
            bytes: None,
            disabled: BTreeSet::new(),
        }
    }

    /// Whether a switch is under way.
    pub(super) fn exists(&self) -> bool {
        self.bytes.is_some()
    }

    /// Whether the server was disabled by zpki.
    pub(super) fn has(&self, name: &EntryName) -> bool {
        self.disabled.contains(name.as_str())
    }

    /// The record with `name` disabled, or not.
    pub(super) fn with(&self, name: &EntryName, is_disabled: bool) -> Self {
        let mut disabled = self.disabled.clone();
        match is_disabled {
            true => disabled.insert(name.to_string()),
            false => disabled.remove(name.as_str()),
        };
        self.holding(disabled)
    }

    fn holding(&self, disabled: BTreeSet<String>) -> Self {
        let content = Content {
            schema: 1,
            disabled: disabled.clone(),
        };
        let bytes = serde_json::to_vec(&content).expect("names are text");
        Self {
            bytes: Some(bytes.into()),
            disabled,
            ..self.clone()
        }
    }

    /// That the switch is over.
    pub(super) fn ended(&self) -> Self {
        Self::none(&self.config)
    }

    /// That it is over for the servers that are meant, all of them if `only` is empty. It stays while one
    /// of the others is disabled.
    pub(super) fn ended_for(&self, only: &[EntryName]) -> Self {
        let is_left = |name: &&String| !only.iter().any(|it| it.as_str() == *name);
        let left: BTreeSet<String> = self.disabled.iter().filter(is_left).cloned().collect();
        match only.is_empty() || left.is_empty() {
            true => self.ended(),
            false => self.holding(left),
        }
    }

    /// That `next` stands in its place.
    pub(super) fn replaced_by(&self, next: &Self) -> Replacement {
        Replacement {
            path: self.path.clone(),
            from: self.bytes.clone(),
            to: next.bytes.clone(),
            access: Access::Like {
                owner_of: self.config.clone(),
                mode: PUBLIC,
            },
            has_backup: false,
        }
    }
}
