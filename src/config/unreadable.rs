//! Why the server lines of a zato.config cannot be read: where, what, and what to do next.

use std::fmt::{self, Display, Formatter};

use super::haproxy::reason::{self, MAX_WORDS};
use crate::domain::error::Invalid;
use crate::domain::name::EntryName;
use crate::domain::settings::Backend;
use crate::domain::text::{Plain, Quoted};

/// One thing that keeps the server lines from being read. Its `Display` is the reason; the place
/// is for whoever knows the file's name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unreadable {
    /// The backend whose servers are looked for.
    pub backend: Backend,
    /// The line; none when something is missing from the whole file.
    pub at: Option<SourceLine>,
    /// What is wrong.
    pub reason: Reason,
}

/// A line of someone's file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SourceLine {
    /// Its number, from 1.
    pub number: usize,
    /// Its text without indentation and line end; what is not UTF-8 in it is replaced.
    pub text: String,
}

/// What is wrong with a line, or with the file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reason {
    /// A word that ends with a backslash: with a space behind it, it would not end there.
    BackslashAtEnd {
        /// The word.
        word: String,
    },
    /// A begin marker without its end marker.
    BlockNotClosed,
    /// No marker of the backend in the file.
    BlockNotFound {
        /// The backends that the file has blocks for, as it names them.
        others: Vec<String>,
    },
    /// An end marker without its begin marker.
    BlockNotOpened,
    /// A second block for the same backend.
    BlockTwice {
        /// The line where the first one begins.
        first: usize,
    },
    /// A block that holds no server line.
    BlockWithoutServers,
    /// A backslash at the end: neither HAProxy nor Zato's agent knows continuation lines.
    Continuation,
    /// A name that an earlier server has, or one that differs from it only in case.
    DuplicateName {
        /// The name.
        name: EntryName,
        /// The earlier server's.
        other: EntryName,
        /// The earlier server's line.
        line: usize,
    },
    /// A word that is empty, or is when its variables are. HAProxy passes over what is behind it.
    EmptyWord {
        /// The word as it is written.
        word: String,
    },
    /// A line without `NAME HOST:PORT`.
    Incomplete,
    /// A keyword that is not `server`.
    Keyword {
        /// What stands there.
        keyword: String,
    },
    /// What HAProxy itself refuses.
    Misread(reason::Reason),
    /// With zpki's options the line would have more words than HAProxy reads.
    NoRoom,
    /// `no-ssl` on a line that is to have `ssl`.
    NoSsl,
    /// The bytes are not UTF-8.
    NotUtf8,
    /// A server's name without the prefix that the agent gives it.
    Prefix {
        /// The name as it stands there.
        name: String,
    },
    /// No `backend` or `listen` section of that name in the file.
    SectionNotFound {
        /// Those that the file has.
        others: Vec<String>,
    },
    /// A second section of that name.
    SectionTwice {
        /// The line where the first one begins.
        first: usize,
    },
    /// A second line for one server, whose name may stand there with and without prefix.
    ServerTwice {
        /// The server.
        name: EntryName,
        /// The line of the first.
        line: usize,
    },
    /// The address is a Unix socket, which has no port.
    UnixSocket {
        /// The address.
        address: String,
    },
    /// A name, an address or options that are none.
    Value {
        /// What is wrong with it.
        invalid: Invalid,
    },
    /// A ZATO comment that belongs to another server or backend, or with text behind it.
    ZatoComment {
        /// What stands behind `# ZATO `.
        found: String,
        /// What the line's name asks for.
        expected: String,
    },
    /// No ZATO comment.
    ZatoCommentMissing,
    /// More than one ZATO comment.
    ZatoCommentTwice,
}

impl Display for Unreadable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let backend = &self.backend;
        match &self.reason {
            Reason::BackslashAtEnd { word } => {
                write!(f, "the word {} ends with a backslash", Quoted(word))
            }
            Reason::BlockNotClosed => write!(f, "the block of the backend `{backend}` has no end"),
            Reason::BlockNotFound { .. } => {
                write!(f, "there is no block of the backend `{backend}`")
            }
            Reason::BlockNotOpened => {
                write!(f, "no block of the backend `{backend}` is open here")
            }
            Reason::BlockTwice { first } => write!(
                f,
                "the backend `{backend}` has a block already, on line {first}"
            ),
            Reason::BlockWithoutServers => {
                write!(f, "the block of the backend `{backend}` has no server line")
            }
            Reason::Continuation => write!(f, "the line ends with a backslash"),
            Reason::DuplicateName { name, other, line } if name == other => {
                write!(f, "the server name `{name}` is on line {line} already")
            }
            Reason::DuplicateName { name, other, line } => write!(
                f,
                "the server name `{name}` differs only in case from `{other}` on line {line}"
            ),
            Reason::EmptyWord { word } => write!(
                f,
                "the word {} is empty or may be, and HAProxy reads nothing behind an empty word",
                Quoted(word)
            ),
            Reason::Incomplete => write!(f, "the line lacks a server name or an address"),
            Reason::Keyword { keyword } => write!(f, "{} is not `server`", Quoted(keyword)),
            Reason::Misread(reason) => reason.fmt(f),
            Reason::NoRoom => write!(
                f,
                "with zpki's options the line would have more than {MAX_WORDS} words, and HAProxy \
                 reads no more"
            ),
            Reason::NoSsl => write!(
                f,
                "the line has `no-ssl`, the opposite of what it is to have"
            ),
            Reason::NotUtf8 => write!(f, "the line is not UTF-8"),
            Reason::Prefix { name } => write!(
                f,
                "the server name {} does not begin with `{}`",
                Quoted(name),
                backend.server_prefix()
            ),
            Reason::SectionNotFound { .. } => {
                write!(f, "there is no section `backend {backend}`")
            }
            Reason::SectionTwice { first } => write!(
                f,
                "the backend `{backend}` has a section already, on line {first}"
            ),
            Reason::ServerTwice { name, line } => {
                write!(f, "the server `{name}` has a line already, line {line}")
            }
            Reason::UnixSocket { address } => write!(f, "{} is a Unix socket", Quoted(address)),
            Reason::Value { invalid } => invalid.fmt(f),
            Reason::ZatoComment { found, expected } => write!(
                f,
                "the ZATO comment is {}, not {}",
                Quoted(found),
                Quoted(expected)
            ),
            Reason::ZatoCommentMissing => write!(f, "the line has no ZATO comment"),
            Reason::ZatoCommentTwice => write!(f, "the line has `# ZATO ` more than once"),
        }
    }
}

impl std::error::Error for Unreadable {}

impl Unreadable {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        let backend = &self.backend;
        match &self.reason {
            Reason::BackslashAtEnd { .. } => "write the word in single quotes".into(),
            Reason::BlockNotClosed => {
                format!("put `# ZATO end backend {backend}` behind the last server line")
            }
            Reason::BlockNotFound { others } => missing_block_hint(backend, others),
            Reason::BlockNotOpened => {
                format!("put `# ZATO begin backend {backend}` before the first server line")
            }
            Reason::BlockTwice { .. } => "keep one of them: a backend has one block".into(),
            Reason::BlockWithoutServers => "add the servers to the block first".into(),
            Reason::Continuation => "write the server on one line, as HAProxy wants it".into(),
            Reason::DuplicateName { .. } => "give each server a name of its own".into(),
            Reason::EmptyWord { .. } => "take the word out, or write what it stands for".into(),
            Reason::Misread(_) => "mend the line first: `haproxy -c` refuses it too".into(),
            Reason::NoRoom => "put options that all servers have on a `default-server` line".into(),
            Reason::NoSsl => "take `no-ssl` out of the line".into(),
            Reason::NotUtf8 => "write this line in UTF-8".into(),
            Reason::SectionNotFound { others } if others.is_empty() => {
                format!("the servers stand in a section that begins with `backend {backend}`")
            }
            Reason::SectionNotFound { others } => {
                format!("the file has: {}", quoted_names(others))
            }
            Reason::SectionTwice { .. } => "give each section a name of its own".into(),
            Reason::ServerTwice { name, .. } => format!(
                "keep one line for it: HAProxy's name of it is `{}{name}` or `{name}`",
                backend.server_prefix()
            ),
            Reason::UnixSocket { .. } => "give the server an address HOST:PORT".into(),
            Reason::Value { invalid } => invalid.hint(),
            Reason::ZatoComment { expected, .. } => {
                format!("end the line with `# ZATO {}`", Plain(expected))
            }
            Reason::Incomplete
            | Reason::Keyword { .. }
            | Reason::Prefix { .. }
            | Reason::ZatoCommentMissing
            | Reason::ZatoCommentTwice => format!(
                "Zato's load-balancer agent reads `server {}NAME HOST:PORT OPTIONS \
                 # ZATO backend {backend}:server--NAME`",
                backend.server_prefix()
            ),
        }
    }
}

fn missing_block_hint(backend: &Backend, others: &[String]) -> String {
    if others.is_empty() {
        return format!(
            "a zato.config has the servers between `# ZATO begin backend {backend}` and \
             `# ZATO end backend {backend}`"
        );
    }
    format!("the file has blocks of: {}", quoted_names(others))
}

fn quoted_names(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| Quoted(name).to_string()).collect();
    names.join(", ")
}
