//! Names of clusters and of their entries.
//!
//! An entry's name becomes a file name, a common name and, on HAProxy's side, part of a server
//! line that Zato's load-balancer agent reads back. The agent's grammar is the narrowest of the
//! three, so it is the one held here: letters, digits, `.`, `-` and `_`. Its web console splits
//! names at `--`, so that is refused too.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use super::error::Invalid;
use super::text::serialize_as_text;

/// The name of a cluster: at most 37 characters, so that the CA's common name
/// (`NAME cluster CA 2026-11-23 3f9a`) stays within the 64 of RFC 5280's `ub-common-name`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClusterName(String);

/// The name of an entry: at most 64 characters (`ub-common-name`).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EntryName(String);

serialize_as_text!(ClusterName, EntryName);

const CLUSTER_NAME_LIMIT: usize = 37;
const ENTRY_NAME_LIMIT: usize = 64;

/// The names of the two entries that every cluster has.
pub const CA: &str = "ca";
/// See [`CA`].
pub const LOAD_BALANCER: &str = "load-balancer";

impl FromStr for ClusterName {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        check_grammar("cluster", name, CLUSTER_NAME_LIMIT)?;
        Ok(Self(name.to_owned()))
    }
}

impl FromStr for EntryName {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        check_grammar("entry", name, ENTRY_NAME_LIMIT)?;
        let is = |reserved: &str| name.eq_ignore_ascii_case(reserved);
        if is(CA) || is(LOAD_BALANCER) {
            return Err(Invalid::NameReserved {
                name: name.to_owned(),
            });
        }
        Ok(Self(name.to_owned()))
    }
}

fn check_grammar(what: &'static str, name: &str, limit: usize) -> Result<(), Invalid> {
    let owned = || name.to_owned();
    let length = name.chars().count();
    if name.is_empty() {
        return Err(Invalid::NameEmpty { what });
    }
    if length > limit {
        return Err(Invalid::NameTooLong {
            what,
            length,
            limit,
        });
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if let Some(character) = name.chars().find(|c| !allowed(*c)) {
        return Err(Invalid::NameCharacter {
            what,
            name: owned(),
            character,
        });
    }
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(Invalid::NameLeading {
            what,
            name: owned(),
        });
    }
    if name.contains("--") {
        return Err(Invalid::NameDoubleHyphen { name: owned() });
    }
    Ok(())
}

impl ClusterName {
    /// The name as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl EntryName {
    /// The name of the load-balancer's entry.
    #[must_use]
    pub fn load_balancer() -> Self {
        Self(LOAD_BALANCER.to_owned())
    }

    /// The name under which the CA's own certificates stand in the inventory.
    #[must_use]
    pub fn ca() -> Self {
        Self(CA.to_owned())
    }

    /// A name that the inventory may have: an entry's, or one of zpki's own.
    #[must_use]
    pub fn of_inventory(name: &str) -> Option<Self> {
        match name {
            CA => Some(Self::ca()),
            LOAD_BALANCER => Some(Self::load_balancer()),
            name => name.parse().ok(),
        }
    }

    /// The name as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as a DNS label (RFC 1123), as Kubernetes names its objects: what has no place in one
    /// becomes a hyphen.
    #[must_use]
    pub fn dns_label(&self) -> String {
        const LONGEST: usize = 63;
        let label = |character: char| match character.to_ascii_lowercase() {
            character if character.is_ascii_alphanumeric() => character,
            _ => '-',
        };
        let label: String = self.0.chars().take(LONGEST).map(label).collect();
        label.trim_matches('-').to_owned()
    }

    /// Whether two names would be the same folder on a file system that ignores case.
    #[must_use]
    pub fn same_folder(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Display for ClusterName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Display for EntryName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `name` as labels of a host name: lower case, `_` as `-`, no hyphen at the ends of a label.
#[must_use]
pub fn as_labels(name: &str) -> String {
    name.to_ascii_lowercase()
        .replace('_', "-")
        .split('.')
        .map(|label| label.trim_matches('-'))
        .filter(|label| !label.is_empty())
        .collect::<Vec<_>>()
        .join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dns_label_has_only_what_one_may_have() {
        for (name, label) in [
            ("server1", "server1"),
            ("Server_1.prod", "server-1-prod"),
            ("a_", "a"),
        ] {
            assert_eq!(name.parse::<EntryName>().unwrap().dns_label(), label);
        }
        let long: EntryName = ("a".repeat(62) + ".b").parse().unwrap();
        assert_eq!(long.dns_label(), "a".repeat(62));
    }

    #[test]
    fn what_the_agent_reads_is_a_name() {
        for name in ["server1", "app-1.prod.internal", "A_b", "1"] {
            assert_eq!(name.parse::<EntryName>().unwrap().as_str(), name);
        }
        assert_eq!(
            "x".repeat(64).parse::<EntryName>().unwrap().as_str().len(),
            64
        );
        assert_eq!(
            "x".repeat(37)
                .parse::<ClusterName>()
                .unwrap()
                .as_str()
                .len(),
            37
        );
    }

    #[test]
    fn what_is_no_file_name_is_no_name() {
        let message = |name: &str| name.parse::<EntryName>().unwrap_err().to_string();
        assert_eq!(message(""), "the entry name is empty");
        assert_eq!(
            message("../x"),
            "`/` is not allowed in the entry name `../x`"
        );
        assert_eq!(
            message("a\0b"),
            r"`\u{0}` is not allowed in the entry name `a\u{0}b`"
        );
        assert_eq!(
            message("a\nb"),
            r"`\n` is not allowed in the entry name `a\nb`"
        );
        assert_eq!(
            message(&"x".repeat(300)),
            "the entry name has 300 characters, more than 64"
        );
        assert_eq!(
            message(".hidden"),
            "the entry name `.hidden` begins with neither a letter nor a digit"
        );
        assert_eq!(
            message("-rf"),
            "the entry name `-rf` begins with neither a letter nor a digit"
        );
        assert_eq!(message("a--b"), "the name `a--b` contains `--`");
        assert_eq!(message("CA"), "the name `CA` is zpki's own");
        assert_eq!(
            message("Load-Balancer"),
            "the name `Load-Balancer` is zpki's own"
        );
    }

    #[test]
    fn a_name_becomes_labels() {
        assert_eq!(as_labels("Server_1"), "server-1");
        assert_eq!(as_labels("a_.-b.c-"), "a.b.c");
    }
}
