//! What `config apply --rolling` has under way: which servers it has disabled on their lines. The word
//! `disabled` on any other line is its user's.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
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
    /// When the switch was begun: the time of all its backups, whichever run makes them.
    begun: Option<OffsetDateTime>,
}

/// Its form.
#[derive(Deserialize, Serialize)]
struct Content {
    schema: u32,
    #[serde(with = "time::serde::rfc3339")]
    begun: OffsetDateTime,
    disabled: BTreeSet<String>,
}

/// The version of its form.
const SCHEMA: u32 = 1;

impl Record {
    /// The record beside `config`.
    pub(super) fn read(config: &Path, system: &System) -> Result<Self, Error> {
        let record = Self::none(config);
        if !system.exists(&record.path) {
            return Ok(record);
        }
        let bytes = super::read(&record.path, system)?;
        let unreadable = |because| Error::Unreadable {
            path: record.path.clone(),
            line: None,
            because,
            hint: "take `disabled` off the server lines yourself, and remove it".to_owned(),
        };
        let content: Content = serde_json::from_slice(&bytes)
            .map_err(|_| unreadable("it is not what zpki writes there".to_owned()))?;
        if content.schema != SCHEMA {
            return Err(unreadable(
                "another version of zpki has written it".to_owned(),
            ));
        }
        Ok(Self {
            bytes: Some(bytes),
            disabled: content.disabled,
            begun: Some(content.begun),
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
            begun: None,
        }
    }

    /// When the switch was begun that is under way.
    pub(super) fn begun(&self) -> Option<OffsetDateTime> {
        self.begun
    }

    /// The record of a switch that what follows is no part of.
    pub(super) fn without_time(self) -> Self {
        Self {
            begun: None,
            ..self
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

    /// The record with `name` disabled, or not, of a switch that has begun by `now`.
    pub(super) fn with(&self, name: &EntryName, is_disabled: bool, now: OffsetDateTime) -> Self {
        let mut disabled = self.disabled.clone();
        match is_disabled {
            true => disabled.insert(name.to_string()),
            false => disabled.remove(name.as_str()),
        };
        self.holding(disabled, self.begun.unwrap_or(now))
    }

    fn holding(&self, disabled: BTreeSet<String>, begun: OffsetDateTime) -> Self {
        let content = Content {
            schema: SCHEMA,
            begun,
            disabled: disabled.clone(),
        };
        let bytes =
            serde_json::to_vec(&content).expect("names are text, and it is no year above 9999");
        Self {
            bytes: Some(bytes.into()),
            disabled,
            begun: Some(begun),
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
        match self.begun.filter(|_| !only.is_empty() && !left.is_empty()) {
            None => self.ended(),
            Some(begun) => self.holding(left, begun),
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
