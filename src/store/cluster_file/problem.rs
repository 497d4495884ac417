//! What can be wrong with a zpki.toml, and where.

use std::fmt::{self, Display, Formatter};

use crate::domain::cluster::MisfitReason;
use crate::domain::error::{Invalid, choice_hint};
use crate::domain::text::{Plain, Quoted};

use super::manifest::Fault;
use super::schema::{TABLES, TableSchema};

/// One thing that is wrong with a zpki.toml.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// The line, from 1; none when the file as a whole lacks something.
    pub line: Option<usize>,
    /// That line, trimmed, cut if it is long, and safe to show on a terminal.
    pub source: Option<String>,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong with a zpki.toml.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reason {
    /// What is wrong with a manifest.
    Manifest(Fault),
    /// A value that does not fit the others.
    Misfit(MisfitReason),
    /// A key that must be there is not.
    Missing {
        /// The table it belongs to.
        table: &'static TableSchema,
        /// The key.
        key: &'static str,
    },
    /// The file is not UTF-8, as TOML has to be.
    NotUtf8 {
        /// The first byte of the line that is none.
        byte: u8,
        /// Its column, from 1.
        column: usize,
    },
    /// The file is not TOML.
    Syntax {
        /// The column, in characters, from 1.
        column: usize,
        /// What is wrong there, in the TOML parser's words.
        message: String,
    },
    /// A key that its table does not have.
    UnknownKey {
        /// The table.
        table: &'static TableSchema,
        /// The key.
        key: String,
    },
    /// A key before the first table.
    UnknownTopLevelKey {
        /// The key.
        key: String,
    },
    /// A table that zpki.toml does not have.
    UnknownTable {
        /// Its name.
        name: String,
    },
    /// A value that its type refuses.
    Value(Invalid),
    /// A string where a list belongs, and the like.
    WrongType {
        /// What belongs there.
        expected: &'static str,
        /// What stands there.
        found: &'static str,
        /// A line that would be right.
        example: String,
    },
}

impl Display for Problem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl std::error::Error for Problem {}

impl Problem {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        self.reason.hint()
    }
}

impl Reason {
    /// Whether this is something that the file has too much, while all that it needs was read.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(
            self,
            Self::UnknownKey { .. } | Self::UnknownTopLevelKey { .. } | Self::UnknownTable { .. }
        )
    }
}

impl Display for Reason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest(fault) => fault.fmt(f),
            Self::Misfit(reason) => reason.fmt(f),
            Self::Missing { table, key } => write!(f, "{} has no `{key}`", table.header()),
            Self::NotUtf8 { byte, column } => {
                write!(f, "byte 0x{byte:02x} at column {column} is not UTF-8")
            }
            Self::Syntax { column, message } => {
                write!(f, "not TOML at column {column}: {}", Plain(message))
            }
            Self::UnknownKey { table, key } => {
                write!(f, "unknown key {} in {}", Quoted(key), table.header())
            }
            Self::UnknownTopLevelKey { key } => {
                write!(f, "unknown key {} outside of the tables", Quoted(key))
            }
            Self::UnknownTable { name } => write!(f, "unknown table {}", Quoted(name)),
            Self::Value(invalid) => invalid.fmt(f),
            Self::WrongType {
                expected, found, ..
            } => write!(f, "expected {expected}, found {found}"),
        }
    }
}

impl Reason {
    fn hint(&self) -> String {
        match self {
            Self::Manifest(fault) => fault.hint(),
            Self::Misfit(reason) => reason.hint(),
            Self::Missing { table, key } => {
                format!("add to {}: {}", table.header(), table.example(key))
            }
            Self::NotUtf8 { .. } => "save the file as UTF-8".into(),
            Self::Syntax { message, .. } if message.starts_with("duplicate key") => {
                "give each table and each key once; every server has a [[servers]] of its own"
                    .into()
            }
            Self::Syntax { .. } => {
                "a line is a [table], a [[table]], or key = value with text in double quotes".into()
            }
            Self::UnknownKey { table, key } => {
                let is_elsewhere = TABLES.iter().any(|known| known.name == table.name);
                let place = is_elsewhere.then(|| place_hint(key)).flatten();
                place.unwrap_or_else(|| choice_hint(key, &table.key_names()))
            }
            Self::UnknownTable { name: key } | Self::UnknownTopLevelKey { key } => {
                place_hint(key).unwrap_or_else(|| choice_hint(key, &TABLES.map(|table| table.name)))
            }
            Self::Value(invalid) => invalid.hint(),
            Self::WrongType { example, .. } => format!("write it like this: {example}"),
        }
    }
}

/// Where a key that is known elsewhere belongs.
fn place_hint(key: &str) -> Option<String> {
    if let Some(table) = TABLES.iter().find(|table| table.name == key) {
        return Some(format!("`{key}` is a table of its own: {}", table.header()));
    }
    let owners: Vec<String> = TABLES
        .iter()
        .filter(|table| table.has(key))
        .map(|table| table.header())
        .collect();
    let (last, others) = owners.split_last()?;
    Some(if others.is_empty() {
        format!("`{key}` belongs to {last}")
    } else {
        format!("`{key}` belongs to {} or {last}", others.join(", "))
    })
}

/// A reason and the byte of the file that it is about.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) at: Option<usize>,
    pub(super) reason: Reason,
}

/// The problems in line order, each with its line.
pub(super) fn in_line_order(text: &str, mut found: Vec<Found>) -> Vec<Problem> {
    let lines = Lines::of(text);
    found.sort_by_key(|found| found.at);
    let problems = found.into_iter().map(|Found { at, reason }| {
        let line = at.map(|at| lines.number(at));
        let source = line.map(|number| shown(lines.text(number)));
        Problem {
            line,
            source,
            reason,
        }
    });
    problems.collect()
}

/// A problem for each line that is not UTF-8.
pub(super) fn not_utf8(bytes: &[u8]) -> Vec<Problem> {
    let lines = (1..).zip(bytes.split(|byte| *byte == b'\n'));
    let problems = lines.filter_map(|(number, line)| {
        let valid = std::str::from_utf8(line).err()?.valid_up_to();
        let text = String::from_utf8_lossy(line);
        Some(Problem {
            line: Some(number),
            source: Some(shown(&text)),
            reason: Reason::NotUtf8 {
                byte: line[valid],
                column: String::from_utf8_lossy(&line[..valid]).chars().count() + 1,
            },
        })
    });
    problems.collect()
}

/// Where the lines of a text begin, so that finding one takes no walk through the text.
pub(super) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let after_newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            text,
            starts: std::iter::once(0).chain(after_newlines).collect(),
        }
    }

    /// The number, from 1, of the line with the byte `at`.
    pub(super) fn number(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    /// The column, in characters from 1, of the byte `at`.
    pub(super) fn column(&self, at: usize) -> usize {
        let start = self.starts[self.number(at) - 1];
        let before = self.text[start..].char_indices();
        before.take_while(|(offset, _)| start + offset < at).count() + 1
    }

    pub(super) fn text(&self, number: usize) -> &'a str {
        let end = self.starts.get(number).copied();
        &self.text[self.starts[number - 1]..end.unwrap_or(self.text.len())]
    }
}

/// Characters shown of a line: enough for any that a person wrote.
const SHOWN: usize = 160;

/// A line as an error shows it: trimmed, cut if it is long, and safe on a terminal.
pub(super) fn shown(line: &str) -> String {
    let line = line.trim_start_matches('\u{feff}').trim();
    match line.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{}...", Plain(&line[..cut])),
        None => Plain(line).to_string(),
    }
}
