//! What can be wrong with a line of a server.conf.

use std::fmt::{self, Display, Formatter};

use crate::domain::text::{Quoted, joined};

/// Why a line, or its value, was not read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reason {
    /// A key that its section has already.
    DuplicateKey {
        /// The key.
        key: String,
        /// The line of the first one.
        first: usize,
    },
    /// A section that there is already.
    DuplicateSection {
        /// Its name.
        name: String,
        /// The line of the first one.
        first: usize,
    },
    /// A value with `%(NAME)s`, which stands for another one.
    Interpolation {
        /// The key.
        key: String,
    },
    /// A character that ends a line for ConfigObj only.
    LineSeparator,
    /// A comma outside quotes makes a list of the value.
    List {
        /// The key.
        key: String,
    },
    /// Quotes that are not closed or have text behind them, or nothing between two commas.
    Malformed {
        /// The key.
        key: String,
    },
    /// A section whose brackets do not fit, or that is deeper than the one before it allows.
    Nesting,
    /// Neither `[section]` nor `key = value`.
    NotAKey,
    /// ConfigObj decodes the file before it reads it.
    NotUtf8,
    /// A value with quotes and commas, of which ConfigObj may make a list.
    Unclear {
        /// The key.
        key: String,
    },
    /// A value that its key does not take.
    UnknownValue {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What it takes.
        known: &'static [&'static str],
    },
    /// A value that is to be written, and that no quotes keep as it is.
    Unwritable {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// A name that is to be added, and that something else has already.
    WrongKind {
        /// The name.
        name: String,
        /// What it has to be: a key or a section.
        needed: &'static str,
    },
}

impl Reason {
    /// Whether the server does not start because of it. Otherwise it may understand what was not
    /// understood here.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        !matches!(
            self,
            Self::Interpolation { .. }
                | Self::LineSeparator
                | Self::List { .. }
                | Self::Unclear { .. }
                | Self::Unwritable { .. }
                | Self::WrongKind { .. }
        )
    }

    /// What to do about it; none when the message says that.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::DuplicateKey { first, .. } => {
                format!("keep one of them: remove this line, or line {first}")
            }
            Self::DuplicateSection { first, .. } => {
                format!("move its keys into the section on line {first}, and remove this one")
            }
            Self::Interpolation { .. } => "write the value itself".into(),
            Self::LineSeparator => {
                "take out of the line whatever is neither text nor blank, such as a form feed"
                    .into()
            }
            Self::List { .. } => "put quotes around the value if the comma belongs to it".into(),
            Self::Malformed { .. } => {
                "put quotes around the whole value, and nothing but a comment behind them".into()
            }
            Self::Nesting => "write `[name]`, or `[[name]]` within a section".into(),
            Self::NotAKey => "write `key = value`, or put a `#` before the line".into(),
            Self::NotUtf8 => "write this line in UTF-8".into(),
            Self::Unclear { .. } => "put one pair of quotes around the whole value".into(),
            Self::UnknownValue { .. } => return None,
            Self::Unwritable { .. } => {
                "choose a name without line ends, `%(...)s`, and several kinds of quotes".into()
            }
            Self::WrongKind { .. } => "give it another name".into(),
        })
    }
}

impl Display for Reason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateKey { key, first } => {
                write!(f, "the key {} is on line {first} already", Quoted(key))
            }
            Self::DuplicateSection { name, first } => {
                write!(f, "the section {} is on line {first} already", Quoted(name))
            }
            Self::Interpolation { key } => {
                write!(f, "the value of {} stands for another one", Quoted(key))
            }
            Self::LineSeparator => {
                write!(f, "the line has a character that ends it for ConfigObj")
            }
            Self::List { key } => write!(f, "the value of {} is a list", Quoted(key)),
            Self::Malformed { key } => {
                write!(f, "the quotes or commas of {} do not fit", Quoted(key))
            }
            Self::Nesting => write!(f, "the section's brackets do not fit"),
            Self::NotAKey => write!(f, "the line is neither a section nor `key = value`"),
            Self::NotUtf8 => write!(f, "the line is not UTF-8"),
            Self::Unclear { key } => {
                write!(f, "the value of {} has both quotes and commas", Quoted(key))
            }
            Self::UnknownValue { key, value, known } => write!(
                f,
                "`{key}` does not take {}, but one of: {}",
                Quoted(value),
                joined(known, ", ")
            ),
            Self::Unwritable { key, value } => {
                write!(f, "no quotes make {} a value of `{key}`", Quoted(value))
            }
            Self::WrongKind { name, needed } => {
                write!(f, "{} has to be a {needed}", Quoted(name))
            }
        }
    }
}
