//! The names that a certificate vouches for: subjectAltName entries (RFC 5280 4.2.1.6).

use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;
use std::str::FromStr;

use super::error::Invalid;
use super::text::serialize_as_text;

/// A dNSName: lower-case A-labels, no trailing dot, no underscore; a wildcard only as the whole
/// left-most label.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DnsName(String);

/// One subjectAltName entry.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Host {
    /// A dNSName.
    Dns(DnsName),
    /// An iPAddress. HAProxy's `verifyhost` never matches one (measured on 2.6 to 3.4).
    Ip(IpAddr),
}

serialize_as_text!(DnsName, Host);

impl FromStr for DnsName {
    type Err = Invalid;

    fn from_str(host: &str) -> Result<Self, Invalid> {
        let owned = || host.to_owned();
        if host.ends_with('.') && host.len() > 1 {
            return Err(Invalid::HostTrailingDot { host: owned() });
        }
        let base = match host.strip_prefix("*.") {
            Some(base) => base,
            None if host.contains('*') => return Err(Invalid::HostWildcard { host: owned() }),
            None => host,
        };
        if base.contains('*') {
            return Err(Invalid::HostWildcard { host: owned() });
        }
        let ascii = to_a_labels(base).ok_or_else(|| Invalid::HostUnicode { host: owned() })?;
        for label in ascii.split('.') {
            check_label(host, label)?;
        }
        let name = if base.len() == host.len() {
            ascii
        } else {
            format!("*.{ascii}")
        };
        if name.len() > 253 {
            return Err(Invalid::HostTooLong { length: name.len() });
        }
        if ends_in_a_number(&name) {
            return Err(Invalid::HostLooksLikeAddress { host: owned() });
        }
        Ok(Self(name))
    }
}

/// Whether the last label is a number, decimal or hexadecimal. `inet_aton` reads an IPv4 address from such a
/// name, HAProxy by it: it goes to 8.0.0.1 for `010.0.0.1`, and to 127.0.0.1 for `127.1` and `0x7f.1`.
pub(super) fn ends_in_a_number(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()),
    }
}

/// IDNA (UTS 46) only where there is something to convert: an ASCII name is checked label by
/// label, with an error that names the character.
fn to_a_labels(host: &str) -> Option<String> {
    if host.is_ascii() {
        Some(host.to_ascii_lowercase())
    } else {
        idna::domain_to_ascii(host).ok()
    }
}

fn check_label(host: &str, label: &str) -> Result<(), Invalid> {
    let host = || host.to_owned();
    if label.is_empty() {
        return Err(Invalid::HostEmptyLabel { host: host() });
    }
    if let Some(character) = label
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && *c != '-')
    {
        return Err(Invalid::HostCharacter {
            host: host(),
            character,
        });
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(Invalid::HostHyphen {
            host: host(),
            label: label.to_owned(),
        });
    }
    if label.len() > 63 {
        return Err(Invalid::HostLabelTooLong {
            label: label.to_owned(),
        });
    }
    Ok(())
}

impl FromStr for Host {
    type Err = Invalid;

    fn from_str(host: &str) -> Result<Self, Invalid> {
        if let Ok(address) = host.parse() {
            return Ok(Self::Ip(address));
        }
        if host.starts_with('[') {
            return Err(Invalid::HostInBrackets {
                host: host.to_owned(),
            });
        }
        host.parse().map(Self::Dns)
    }
}

impl DnsName {
    /// The name in A-labels.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the left-most label is `*`.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// Whether this name is `domain` or below it; a wildcard is where its base is.
    #[must_use]
    pub fn is_within(&self, domain: &Self) -> bool {
        let base = self.0.strip_prefix("*.").unwrap_or(&self.0);
        base == domain.0
            || base
                .strip_suffix(&domain.0)
                .is_some_and(|front| front.ends_with('.'))
    }
}

impl Host {
    /// The dNSName, if it is one.
    #[must_use]
    pub fn as_dns(&self) -> Option<&DnsName> {
        match self {
            Self::Dns(name) => Some(name),
            Self::Ip(_) => None,
        }
    }
}

impl Display for DnsName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Display for Host {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => name.fmt(f),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dns(name: &str) -> DnsName {
        name.parse().unwrap()
    }

    #[test]
    fn names_are_lower_case_a_labels() {
        assert_eq!(
            dns("Server1.PROD.internal").as_str(),
            "server1.prod.internal"
        );
        assert_eq!(dns("grün.example").as_str(), "xn--grn-ioa.example");
        assert_eq!(dns("*.Prod.internal").as_str(), "*.prod.internal");
        assert_eq!(dns("localhost").as_str(), "localhost");
        assert_eq!("10.0.0.1".parse(), Ok(Host::Ip([10, 0, 0, 1].into())));
        assert_eq!("fd00::1".parse::<Host>().unwrap().to_string(), "fd00::1");
    }

    #[test]
    fn what_is_no_host_name_is_refused_with_the_reason() {
        let message = |host: &str| host.parse::<Host>().unwrap_err().to_string();
        assert_eq!(
            message("my_host.internal"),
            "`_` is not allowed in the host name `my_host.internal`"
        );
        assert_eq!(
            message("my host"),
            "a space is not allowed in the host name `my host`"
        );
        assert_eq!(
            message("a.internal."),
            "the host name `a.internal.` ends with a dot"
        );
        assert_eq!(
            message("a..internal"),
            "the host name `a..internal` has an empty label"
        );
        assert_eq!(message(""), "the host name is empty");
        assert_eq!(message("."), "the host name `.` has an empty label");
        let long = "x".repeat(64);
        assert_eq!(
            message(&long),
            format!("the host name label `{long}` has 64 octets, more than 63")
        );
        assert_eq!(
            message(&"x.".repeat(150)[..299]),
            "the host name has 299 octets, more than 253"
        );
        assert_eq!(message("[::1]"), "`[::1]` is an IP address in brackets");
        assert_eq!(
            message("10.0.0.256"),
            "`10.0.0.256` is neither an IPv4 address nor a host name"
        );
        for number in ["010.0.0.1", "127.1", "8", "0x10", "a.0X7F", "0x", "*.0x1"] {
            let expected = format!("`{number}` is neither an IPv4 address nor a host name");
            assert_eq!(message(number), expected);
        }
        assert_eq!(message("*"), "`*` is not the whole left-most label of `*`");
        assert_eq!(
            message("s*v.example"),
            "`*` is not the whole left-most label of `s*v.example`"
        );
        assert_eq!(
            message("*.*.example"),
            "`*` is not the whole left-most label of `*.*.example`"
        );
        assert_eq!(
            message("-a.example"),
            "the label `-a` of the host name `-a.example` begins or ends with `-`"
        );
        assert!("\u{200d}.example".parse::<Host>().is_err());
    }

    #[test]
    fn within_a_domain_means_at_a_label_boundary() {
        let domain = dns("prod.internal");
        assert!(dns("prod.internal").is_within(&domain));
        assert!(dns("a.b.prod.internal").is_within(&domain));
        assert!(dns("*.prod.internal").is_within(&domain));
        assert!(!dns("aprod.internal").is_within(&domain));
        assert!(!dns("*.internal").is_within(&domain));
    }
}
