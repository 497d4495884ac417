//! Where HAProxy reaches a server: `HOST:PORT` as it stands on a server line.

use std::fmt::{self, Display, Formatter};
use std::net::Ipv4Addr;
use std::str::FromStr;

use super::error::Invalid;
use super::host::{Host, ends_in_a_number};
use super::text::serialize_as_text;

/// `HOST:PORT` by the grammar of Zato's load-balancer agent: HOST of letters, digits, `.`, `-` and
/// `_`; no IPv6, which the agent cannot read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Address {
    host: String,
    port: u16,
}

serialize_as_text!(Address);

impl FromStr for Address {
    type Err = Invalid;

    fn from_str(address: &str) -> Result<Self, Invalid> {
        let owned = || address.to_owned();
        if address.starts_with('[') || address.matches(':').count() > 1 {
            return Err(Invalid::AddressIsIpv6 { address: owned() });
        }
        let Some((host, port)) = address.split_once(':') else {
            return Err(Invalid::AddressWithoutPort { address: owned() });
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if let Some(character) = host.chars().find(|c| !allowed(*c)) {
            return Err(Invalid::AddressHost {
                address: owned(),
                character,
            });
        }
        if host.is_empty() {
            return Err(Invalid::HostEmptyLabel {
                host: String::new(),
            });
        }
        if ends_in_a_number(host) && host.parse::<Ipv4Addr>().is_err() {
            return Err(Invalid::HostLooksLikeAddress {
                host: host.to_owned(),
            });
        }
        let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        match port.parse::<u16>() {
            Ok(number) if digits && number > 0 => Ok(Self {
                host: host.to_owned(),
                port: number,
            }),
            _ => Err(Invalid::AddressPort {
                address: owned(),
                port: port.to_owned(),
            }),
        }
    }
}

impl Address {
    /// The host, if a certificate can name it: a name with an underscore is an address for
    /// HAProxy, and none for a certificate.
    #[must_use]
    pub fn certifiable_host(&self) -> Option<Host> {
        self.host.parse().ok()
    }
}

impl Display for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_what_the_agent_reads() {
        let address: Address = "app_1.prod:17010".parse().unwrap();
        assert_eq!(address.to_string(), "app_1.prod:17010");
        assert_eq!(address.certifiable_host(), None);
        let address: Address = "10.0.0.1:1".parse().unwrap();
        assert_eq!(
            address.certifiable_host(),
            Some(Host::Ip([10, 0, 0, 1].into()))
        );
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        let message = |address: &str| address.parse::<Address>().unwrap_err().to_string();
        assert_eq!(message("10.0.0.1"), "the address `10.0.0.1` has no port");
        let port = |shown: &str| {
            format!("the port of `h:{shown}` is `{shown}`, not a number from 1 to 65535")
        };
        for bad in ["0", "70000", "", "+1", "x"] {
            assert_eq!(message(&format!("h:{bad}")), port(bad));
        }
        assert!(message("[::1]:17010").contains("is IPv6"));
        assert!(message("::1:17010").contains("is IPv6"));
        assert_eq!(
            message("a b:1"),
            "a space is not allowed in the host of the address `a b:1`"
        );
        assert_eq!(message(":17010"), "the host name is empty");
        for number in ["010.0.0.1", "127.1", "0x7f.1", "8", "app.10", "10.0.0.256"] {
            assert_eq!(
                message(&format!("{number}:17010")),
                format!("`{number}` is neither an IPv4 address nor a host name")
            );
        }
    }
}
