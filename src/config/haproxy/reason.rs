//! What can be wrong with a line of an HAProxy configuration.

use std::fmt::{self, Display, Formatter};

use crate::domain::text::{Quoted, joined};
use crate::domain::words::FaultKind;

/// Why a line, or a word of it, was not read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reason {
    /// Two `defaults` sections have the name that a section asks for.
    AmbiguousDefaults {
        /// The name.
        name: String,
        /// The lines of the two.
        lines: [usize; 2],
    },
    /// `ca-base` or `crt-base` for a second time.
    AlreadySpecified {
        /// Which one.
        keyword: String,
    },
    /// `.if`: what stands up to its `.endif` is not read.
    Condition,
    /// Words that cannot be told apart.
    Fault(FaultKind),
    /// A keyword without its argument.
    MissingArgument {
        /// The keyword.
        keyword: String,
    },
    /// `no` or `default` before a keyword that does not take it.
    Negated {
        /// The keyword.
        keyword: String,
    },
    /// The last line has no line feed.
    NoLineEnd,
    /// A keyword that means nothing, or nothing good, in its section.
    OutOfPlace {
        /// The keyword.
        keyword: String,
        /// The section.
        section: &'static str,
    },
    /// A line before the first section.
    OutOfSection,
    /// A byte 0.
    StrayNul,
    /// More words than HAProxy reads.
    TooManyWords,
    /// A word that the line has no place for.
    UnexpectedWord {
        /// The word.
        word: String,
    },
    /// `from` with a name that no `defaults` section has.
    UnknownDefaults {
        /// The name.
        name: String,
    },
    /// An option that is not known here. A later HAProxy may know it, and an argument for it.
    UnknownKeyword {
        /// The option.
        keyword: String,
        /// The kind of line.
        line: &'static str,
    },
    /// An argument that its keyword does not take.
    UnknownValue {
        /// The keyword.
        keyword: String,
        /// The argument.
        value: String,
        /// What it takes.
        known: &'static [&'static str],
    },
    /// A keyword that HAProxy has and that is not read here, though it changes what others mean.
    Unsupported {
        /// The keyword.
        keyword: String,
        /// What is therefore not known.
        because: &'static str,
    },
}

impl Reason {
    /// Whether HAProxy refuses the whole configuration for it. Otherwise HAProxy, or a later
    /// version of it, may understand what was not understood here.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        match self {
            Self::Condition | Self::UnknownKeyword { .. } | Self::Unsupported { .. } => false,
            // A `bind` in a `backend` is loaded, and then ignored with a warning.
            Self::OutOfPlace { keyword, section } => {
                (keyword.as_str(), *section) != ("bind", "backend")
            }
            Self::Fault(kind) => matches!(
                kind,
                FaultKind::BraceOpen
                    | FaultKind::EscapeUnfinished
                    | FaultKind::QuoteOpen
                    | FaultKind::VariableName
            ),
            _ => true,
        }
    }
}

impl Display for Reason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::AmbiguousDefaults { name, lines } => write!(
                f,
                "two defaults sections have the name {}, on lines {} and {}",
                Quoted(name),
                lines[0],
                lines[1]
            ),
            Self::AlreadySpecified { keyword } => {
                write!(f, "`{keyword}` was given on an earlier line")
            }
            Self::Condition => write!(f, "what a condition holds, up to its `.endif`, is not read"),
            Self::Fault(kind) => fault(kind, f),
            Self::MissingArgument { keyword } => {
                write!(f, "{} lacks its argument", Quoted(keyword))
            }
            Self::Negated { keyword } => {
                write!(f, "`no` and `default` do not go with {}", Quoted(keyword))
            }
            Self::NoLineEnd => write!(f, "the last line does not end with a line feed"),
            Self::OutOfPlace { keyword, section } => {
                write!(f, "`{keyword}` has no place in a `{section}` section")
            }
            Self::OutOfSection => write!(f, "the line stands before the first section"),
            Self::StrayNul => write!(f, "the line has a NUL byte"),
            Self::TooManyWords => write!(f, "the line has more than {MAX_WORDS} words"),
            Self::UnexpectedWord { word } => write!(f, "{} is one word too many", Quoted(word)),
            Self::UnknownDefaults { name } => {
                write!(f, "no defaults section has the name {}", Quoted(name))
            }
            Self::UnknownKeyword { keyword, line } => {
                write!(f, "{} is no option of `{line}`", Quoted(keyword))
            }
            Self::UnknownValue {
                keyword,
                value,
                known,
            } => write!(
                f,
                "`{keyword}` does not take {}, but one of: {}",
                Quoted(value),
                joined(known, ", ")
            ),
            Self::Unsupported { keyword, because } => write!(f, "`{keyword}`: {because}"),
        }
    }
}

fn fault(kind: &FaultKind, f: &mut Formatter<'_>) -> fmt::Result {
    match kind {
        FaultKind::BraceOpen => write!(f, "the brace of a variable is not closed"),
        FaultKind::EscapeUnfinished => write!(f, "`\\x` lacks its two hexadecimal digits"),
        FaultKind::NotUtf8 => write!(f, "the line is not UTF-8"),
        FaultKind::QuoteOpen => write!(f, "a quote is not closed"),
        FaultKind::TrailingBackslash => write!(f, "the line ends with a backslash"),
        FaultKind::VariableName => write!(f, "no variable's name follows the `$`"),
        FaultKind::VariableOfHaproxy { name } => {
            write!(f, "only HAProxy knows the variable {}", Quoted(name))
        }
        FaultKind::WordExpansion { name } => {
            write!(f, "{} is expanded to several words", Quoted(name))
        }
        FaultKind::WordTooLong => write!(f, "variables make a word of the line too long"),
    }
}

/// How many words HAProxy 2.6 reads of a line.
pub(in crate::config) const MAX_WORDS: usize = 64;
