//! What a value can be refused for. Every type of this layer has one constructor (`FromStr` or
//! `TryFrom`), and all of them answer with [`Invalid`]: the words are made here, once, and the
//! place (a flag, a line of zpki.toml) is added by whoever knows it.

use std::fmt::{self, Display, Formatter};

use super::text::Quoted;

/// A value that its type refuses, with what was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Invalid {
    /// The host of an address has a character that HAProxy's agent does not read.
    AddressHost {
        /// The address as given.
        address: String,
        /// The first character that is refused.
        character: char,
    },
    /// An IPv6 address: Zato's load-balancer agent cannot read one on a server line.
    AddressIsIpv6 {
        /// The address as given.
        address: String,
    },
    /// The port is no number from 1 to 65535.
    AddressPort {
        /// The address as given.
        address: String,
        /// What stands after the colon.
        port: String,
    },
    /// An address needs `HOST:PORT`.
    AddressWithoutPort {
        /// The address as given.
        address: String,
    },
    /// One of a fixed list of words was expected.
    Choice {
        /// What the list is of, such as `key algorithm`.
        what: &'static str,
        /// What was given.
        value: String,
        /// The words that are taken.
        choices: &'static [&'static str],
    },
    /// An instant that cannot be read.
    Instant {
        /// What was given.
        text: String,
    },
    /// A duration that cannot be read.
    Duration {
        /// What was given.
        text: String,
    },
    /// A duration that is readable and out of range.
    DurationRange {
        /// What was given.
        text: String,
        /// The smallest one taken.
        least: &'static str,
        /// The largest one taken.
        most: &'static str,
    },
    /// A path that is none of a file.
    FilePath {
        /// The path as given.
        path: String,
        /// What is wrong with it.
        because: &'static str,
    },
    /// A host name has a label that is empty: `a..b`, `.a`, or nothing at all.
    HostEmptyLabel {
        /// The name as given.
        host: String,
    },
    /// An IP address in brackets.
    HostInBrackets {
        /// The name as given.
        host: String,
    },
    /// A host name has a character that no host name has (RFC 952, RFC 1123 2.1).
    HostCharacter {
        /// The name as given.
        host: String,
        /// The first character that is refused.
        character: char,
    },
    /// A label begins or ends with a hyphen.
    HostHyphen {
        /// The name as given.
        host: String,
        /// The label.
        label: String,
    },
    /// A label of more than 63 octets (RFC 1035 2.3.4).
    HostLabelTooLong {
        /// The label, as an A-label.
        label: String,
    },
    /// A number for the last label: it looks like an IPv4 address and is none.
    HostLooksLikeAddress {
        /// The name as given.
        host: String,
    },
    /// A name of more than 253 octets (RFC 1035 2.3.4).
    HostTooLong {
        /// Its length in octets, as A-labels.
        length: usize,
    },
    /// A trailing dot: HAProxy's `verifyhost` never matches such a name.
    HostTrailingDot {
        /// The name as given.
        host: String,
    },
    /// Unicode that IDNA (UTS 46) does not take.
    HostUnicode {
        /// The name as given.
        host: String,
    },
    /// A `*` elsewhere than as the whole left-most label (RFC 6125 6.4.3).
    HostWildcard {
        /// The name as given.
        host: String,
    },
    /// A name has a character that the load-balancer agent does not read.
    NameCharacter {
        /// What is named: `server`, `cluster`.
        what: &'static str,
        /// The name as given.
        name: String,
        /// The first character that is refused.
        character: char,
    },
    /// `--` within a name: Zato's web console splits there.
    NameDoubleHyphen {
        /// The name as given.
        name: String,
    },
    /// An empty name.
    NameEmpty {
        /// What is named.
        what: &'static str,
    },
    /// A name that begins with neither letter nor digit.
    NameLeading {
        /// What is named.
        what: &'static str,
        /// The name as given.
        name: String,
    },
    /// A name that zpki uses itself.
    NameReserved {
        /// The name as given.
        name: String,
    },
    /// A name longer than its limit.
    NameTooLong {
        /// What is named.
        what: &'static str,
        /// Its length in characters.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// A network that is not `ADDRESS/PREFIX`.
    Network {
        /// What was given.
        text: String,
    },
    /// Options of a server line that would break the line or its meaning.
    Options {
        /// What was given.
        text: String,
        /// What is wrong with it.
        because: &'static str,
    },
    /// A path that cannot stand on an HAProxy line.
    Path {
        /// The path as given.
        path: String,
        /// What is wrong with it.
        because: &'static str,
    },
    /// A pattern for paths that cannot match as it stands.
    Pattern {
        /// The pattern as given.
        text: String,
        /// What is wrong with it.
        because: &'static str,
    },
    /// A permitted domain with a wildcard: it covers what is below it as it is.
    PermittedWildcard {
        /// The domain as given.
        domain: String,
    },
    /// A percentage that is not from 1 to 99.
    Percentage {
        /// What was given.
        text: String,
    },
    /// A path that cannot stand in the files of systemd, cron and Nagios.
    PlainPath {
        /// The path as given.
        path: String,
        /// What is wrong with it.
        because: &'static str,
    },
    /// A serial number that is not hexadecimal.
    SerialNumber {
        /// What was given.
        text: String,
    },
    /// A file that node_exporter's textfile collector would not read.
    Textfile {
        /// What was given.
        path: String,
    },
    /// A threshold that is neither a duration nor a percentage nor one of each.
    Threshold {
        /// What was given.
        text: String,
    },
}

impl Display for Invalid {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddressHost { address, character } => write!(
                f,
                "{} is not allowed in the host of the address {}",
                Quoted::character(*character),
                Quoted(address)
            ),
            Self::AddressIsIpv6 { address } => write!(
                f,
                "the address {} is IPv6, which Zato's load-balancer agent cannot read on a server line",
                Quoted(address)
            ),
            Self::AddressPort { address, port } => write!(
                f,
                "the port of {} is {}, not a number from 1 to 65535",
                Quoted(address),
                Quoted(port)
            ),
            Self::AddressWithoutPort { address } => {
                write!(f, "the address {} has no port", Quoted(address))
            }
            Self::Choice { what, value, .. } => write!(f, "unknown {what} {}", Quoted(value)),
            Self::Instant { text } => write!(f, "{} is not an instant", Quoted(text)),
            Self::Duration { text } => write!(f, "{} is not a duration", Quoted(text)),
            Self::DurationRange { text, least, most } => {
                write!(f, "{} is not between {least} and {most}", Quoted(text))
            }
            Self::HostEmptyLabel { host } if host.is_empty() => write!(f, "the host name is empty"),
            Self::HostEmptyLabel { host } => {
                write!(f, "the host name {} has an empty label", Quoted(host))
            }
            Self::HostInBrackets { host } => {
                write!(f, "{} is an IP address in brackets", Quoted(host))
            }
            Self::HostCharacter { host, character } => write!(
                f,
                "{} is not allowed in the host name {}",
                Quoted::character(*character),
                Quoted(host)
            ),
            Self::HostHyphen { host, label } => write!(
                f,
                "the label {} of the host name {} begins or ends with `-`",
                Quoted(label),
                Quoted(host)
            ),
            Self::HostLabelTooLong { label } => write!(
                f,
                "the host name label {} has {} octets, more than 63",
                Quoted(label),
                label.len()
            ),
            Self::HostLooksLikeAddress { host } => {
                write!(
                    f,
                    "{} is neither an IPv4 address nor a host name",
                    Quoted(host)
                )
            }
            Self::HostTooLong { length } => {
                write!(f, "the host name has {length} octets, more than 253")
            }
            Self::HostTrailingDot { host } => {
                write!(f, "the host name {} ends with a dot", Quoted(host))
            }
            Self::HostUnicode { host } => {
                write!(
                    f,
                    "the host name {} cannot be converted to A-labels",
                    Quoted(host)
                )
            }
            Self::HostWildcard { host } => {
                write!(
                    f,
                    "`*` is not the whole left-most label of {}",
                    Quoted(host)
                )
            }
            Self::NameCharacter {
                what,
                name,
                character,
            } => write!(
                f,
                "{} is not allowed in the {what} name {}",
                Quoted::character(*character),
                Quoted(name)
            ),
            Self::NameDoubleHyphen { name } => write!(f, "the name {} contains `--`", Quoted(name)),
            Self::NameEmpty { what } => write!(f, "the {what} name is empty"),
            Self::NameLeading { what, name } => write!(
                f,
                "the {what} name {} begins with neither a letter nor a digit",
                Quoted(name)
            ),
            Self::NameReserved { name } => write!(f, "the name {} is zpki's own", Quoted(name)),
            Self::NameTooLong {
                what,
                length,
                limit,
            } => {
                write!(
                    f,
                    "the {what} name has {length} characters, more than {limit}"
                )
            }
            Self::Network { text } => write!(f, "{} is not a network", Quoted(text)),
            Self::Options { text, because } => {
                write!(f, "the options {} {because}", Quoted(text))
            }
            Self::Pattern { text, because } => write!(f, "the pattern {} {because}", Quoted(text)),
            Self::FilePath { path, because }
            | Self::Path { path, because }
            | Self::PlainPath { path, because } => {
                write!(f, "the path {} {because}", Quoted(path))
            }
            Self::PermittedWildcard { domain } => {
                write!(f, "the permitted domain {} has a wildcard", Quoted(domain))
            }
            Self::Percentage { text } => {
                write!(f, "{} is not a percentage from 1% to 99%", Quoted(text))
            }
            Self::SerialNumber { text } => {
                write!(f, "{} is not a serial number in hexadecimal", Quoted(text))
            }
            Self::Textfile { path } => {
                write!(f, "the path {} does not end in `.prom`", Quoted(path))
            }
            Self::Threshold { text } => {
                write!(f, "{} is not a threshold", Quoted(text))
            }
        }
    }
}

impl std::error::Error for Invalid {}

impl Invalid {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::AddressHost { .. } => {
                "an address is HOST:PORT, HOST an IPv4 address or letters, digits, `.`, `-` and `_`".into()
            }
            Self::AddressIsIpv6 { .. } => "give the server's IPv4 address or its host name".into(),
            Self::AddressPort { .. } | Self::AddressWithoutPort { .. } => {
                "an address is HOST:PORT, such as 10.0.0.11:17010".into()
            }
            Self::Choice { value, choices, .. } => choice_hint(value, choices),
            Self::Instant { .. } => {
                "an instant is a date with or without a time (RFC 3339), such as 2027-01-31 or 2027-01-31T12:00:00Z".into()
            }
            Self::Duration { .. } => {
                "a duration is a number and a unit, such as 90d, 12h or 1y6w (s, m, h, d, w, y)".into()
            }
            Self::DurationRange { least, most, .. } => format!("give one from {least} to {most}"),
            Self::HostInBrackets { .. } => "write the IP address without brackets".into(),
            Self::HostLooksLikeAddress { .. } => "an IPv4 address is four decimal numbers from 0 to 255, none with a zero in front".into(),
            Self::HostTrailingDot { .. } => "leave out the last dot".into(),
            Self::HostWildcard { .. } => "a wildcard is `*.` and a domain, such as *.prod.internal".into(),
            Self::HostCharacter { .. }
            | Self::HostEmptyLabel { .. }
            | Self::HostHyphen { .. }
            | Self::HostLabelTooLong { .. }
            | Self::HostTooLong { .. }
            | Self::HostUnicode { .. } => {
                "a host name is labels of letters, digits and inner hyphens, such as server1.prod.internal".into()
            }
            Self::NameCharacter { .. }
            | Self::NameDoubleHyphen { .. }
            | Self::NameEmpty { .. }
            | Self::NameLeading { .. } => {
                "a name is letters, digits, `.`, `-` and `_`, without `--`, and begins with a letter or digit".into()
            }
            Self::NameReserved { .. } => "choose another name".into(),
            Self::NameTooLong { limit, .. } => format!("choose a name of at most {limit} characters"),
            Self::Network { .. } => "a network is ADDRESS/PREFIX, such as 10.0.0.0/8 or fd00::/8".into(),
            Self::Options { .. } => {
                "give what stands between the port and the comment, such as: check inter 2s rise 2 fall 2".into()
            }
            Self::FilePath { .. } => {
                "give the path of a file, absolute or relative to the PKI directory".into()
            }
            Self::Path { .. } => "give an absolute path, such as /etc/haproxy/tls/ca.cert.pem".into(),
            Self::Pattern { .. } => {
                "a pattern has `*`, `?`, `[a-z]`, `{a,b}` and `**/`; a `\\` makes what follows it an ordinary character".into()
            }
            Self::PermittedWildcard { domain } => format!(
                "a permitted domain covers every name below it: write {}",
                domain.trim_start_matches(['*', '.'])
            ),
            Self::Percentage { .. } => "give a percentage such as 33%, or a time such as 30d".into(),
            Self::PlainPath { .. } => "name it by an absolute path of letters, digits, spaces and the usual signs, such as a symbolic link to it".into(),
            Self::SerialNumber { .. } => "a serial number is 1 to 40 hexadecimal digits, as `zpki list` shows it".into(),
            Self::Textfile { .. } => "node_exporter's textfile collector reads only files whose names end in .prom: give one in its directory, such as /var/lib/prometheus/node-exporter/zpki.prom".into(),
            Self::Threshold { .. } => "give what has to remain: a time such as 30d, a share of the lifetime such as 25%, or 30d,25% for the lesser of both".into(),
        }
    }
}

/// What to do about a `value` that is none of `choices`.
#[must_use]
pub fn choice_hint(value: &str, choices: &[&str]) -> String {
    let all = format!("one of: {}", choices.join(", "));
    match nearest(value, choices) {
        Some(near) => format!("did you mean `{near}`?  {all}"),
        None => all,
    }
}

/// The word of `choices` that `value` was probably meant to be.
#[must_use]
pub fn nearest<'a>(value: &str, choices: &[&'a str]) -> Option<&'a str> {
    choices
        .iter()
        .map(|choice| {
            (
                strsim::jaro_winkler(&value.to_ascii_lowercase(), choice),
                *choice,
            )
        })
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, choice)| choice)
}
