//! Name constraints (RFC 5280 4.2.1.10): what a CA may vouch for.

use std::collections::HashSet;
use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;
use std::str::FromStr;

use serde::Serialize;

use super::error::Invalid;
use super::host::{DnsName, Host};
use super::text::{joined, serialize_as_text};

/// A network in prefix notation, host bits cleared.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

serialize_as_text!(Network);

impl FromStr for Network {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::Network {
            text: text.to_owned(),
        };
        let (address, prefix) = text.split_once('/').ok_or_else(invalid)?;
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let prefix: u8 = prefix.parse().map_err(|_| invalid())?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        if prefix > widest {
            return Err(invalid());
        }
        Ok(Self {
            address: masked(address, prefix),
            prefix,
        })
    }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

impl Network {
    /// Whether `address` lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4() && masked(address, self.prefix) == self.address
    }

    /// The network address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The length of the prefix in bits.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.prefix
    }
}

impl Display for Network {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// What a CA may vouch for. Empty: anything. When only domains or only networks are permitted,
/// the other kind is excluded whole, for a constraint on names says nothing of addresses.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct NameConstraints {
    /// Permitted dNSName subtrees.
    pub permitted_domains: Vec<DnsName>,
    /// Permitted iPAddress subtrees.
    pub permitted_networks: Vec<Network>,
}

impl NameConstraints {
    /// Whether anything is constrained.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.permitted_domains.is_empty() && self.permitted_networks.is_empty()
    }

    /// Whether they permit the same, in whatever order.
    #[must_use]
    pub fn are_those_of(&self, other: &Self) -> bool {
        let domains = |it: &Self| -> HashSet<_> { it.permitted_domains.iter().cloned().collect() };
        let networks =
            |it: &Self| -> HashSet<_> { it.permitted_networks.iter().copied().collect() };
        domains(self) == domains(other) && networks(self) == networks(other)
    }

    /// Whether the CA may vouch for `host`.
    #[must_use]
    pub fn permit(&self, host: &Host) -> bool {
        self.is_empty()
            || match host {
                Host::Dns(name) => self
                    .permitted_domains
                    .iter()
                    .any(|domain| name.is_within(domain)),
                Host::Ip(address) => self
                    .permitted_networks
                    .iter()
                    .any(|network| network.contains(*address)),
            }
    }
}

/// What is permitted, for an error.
impl Display for NameConstraints {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let or_none = |list: String| {
            if list.is_empty() {
                "none".to_owned()
            } else {
                list
            }
        };
        write!(
            f,
            "permitted_domains: {}; permitted_networks: {}",
            or_none(joined(&self.permitted_domains, ", ")),
            or_none(joined(&self.permitted_networks, ", "))
        )
    }
}

/// A permitted domain: as a host name, with leading dots stripped, and no wildcard.
///
/// # Errors
/// As a [`DnsName`].
pub fn permitted_domain(text: &str) -> Result<DnsName, Invalid> {
    let name: DnsName = text.trim_start_matches('.').parse()?;
    if name.is_wildcard() {
        return Err(Invalid::PermittedWildcard {
            domain: text.to_owned(),
        });
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Host {
        text.parse().unwrap()
    }

    #[test]
    fn host_bits_are_cleared_and_prefixes_checked() {
        assert_eq!(
            "10.1.2.3/8".parse::<Network>().unwrap().to_string(),
            "10.0.0.0/8"
        );
        assert_eq!(
            "fd00::1/8".parse::<Network>().unwrap().to_string(),
            "fd00::/8"
        );
        assert_eq!(
            "10.1.2.3/0".parse::<Network>().unwrap().to_string(),
            "0.0.0.0/0"
        );
        for bad in [
            "10.0.0.0",
            "10.0.0.0/33",
            "fd00::/129",
            "x/8",
            "10.0.0.0/-1",
            "/",
        ] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn permitted_domains_lose_leading_dots() {
        assert_eq!(
            permitted_domain(".prod.internal").unwrap().as_str(),
            "prod.internal"
        );
        assert!(permitted_domain("*.prod.internal").is_err());
    }

    #[test]
    fn only_one_kind_permitted_excludes_the_other() {
        let anything = NameConstraints::default();
        assert!(anything.permit(&host("a.example")) && anything.permit(&host("10.0.0.1")));
        let domains = NameConstraints {
            permitted_domains: vec!["prod.internal".parse().unwrap()],
            permitted_networks: vec![],
        };
        assert!(domains.permit(&host("a.prod.internal")));
        assert!(!domains.permit(&host("a.test.internal")));
        assert!(!domains.permit(&host("10.0.0.1")));
        let networks = NameConstraints {
            permitted_domains: vec![],
            permitted_networks: vec!["10.0.0.0/8".parse().unwrap()],
        };
        assert!(networks.permit(&host("10.9.9.9")));
        assert!(!networks.permit(&host("11.0.0.1")) && !networks.permit(&host("fd00::1")));
        assert!(!networks.permit(&host("a.prod.internal")));
        assert_eq!(
            networks.to_string(),
            "permitted_domains: none; permitted_networks: 10.0.0.0/8"
        );
    }
}
