//! What a certificate is for, and what follows: keyUsage and extendedKeyUsage.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

/// What an entry of the cluster is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The issuing CA.
    Ca,
    /// A direct caller of the servers, such as the scheduler.
    Client,
    /// HAProxy, as the servers' client.
    LoadBalancer,
    /// A Python server.
    Server,
}

impl Role {
    /// The words for the roles that certificates are asked for in, in the order of the documentation.
    pub const NAMES: &'static [&'static str] = &["server", "load-balancer", "client"];
}

impl std::str::FromStr for Role {
    type Err = super::error::Invalid;

    /// A CA is not asked for: there is one.
    fn from_str(value: &str) -> Result<Self, Self::Err> {
        match value {
            "client" => Ok(Self::Client),
            "load-balancer" => Ok(Self::LoadBalancer),
            "server" => Ok(Self::Server),
            _ => Err(super::error::Invalid::Choice {
                what: "role",
                value: value.to_owned(),
                choices: Self::NAMES,
            }),
        }
    }
}

/// Purposes that extendedKeyUsage may name (RFC 5280 4.2.1.12). OpenSSL refuses an end entity
/// whose extension lacks the one it is used for; a CA has no extension, which permits all.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct ExtendedKeyUsage {
    /// serverAuth.
    pub server_auth: bool,
    /// clientAuth.
    pub client_auth: bool,
}

impl ExtendedKeyUsage {
    /// For an entry that is connected to.
    pub const SERVER: Self = Self {
        server_auth: true,
        client_auth: false,
    };
    /// For an entry that connects.
    pub const CLIENT: Self = Self {
        server_auth: false,
        client_auth: true,
    };
    /// For an entry that does both.
    pub const BOTH: Self = Self {
        server_auth: true,
        client_auth: true,
    };
}

impl Display for Role {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ca => "ca",
            Self::Client => "client",
            Self::LoadBalancer => "load-balancer",
            Self::Server => "server",
        })
    }
}

/// What servers ask of a client that connects, as `tls_client_certs` in server.conf has it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientCertificate {
    /// No certificate is asked for.
    #[default]
    None,
    /// Asked for, and checked when one is sent.
    Optional,
    /// A connection without one is refused.
    Required,
}

impl ClientCertificate {
    /// The words of server.conf, in the order of the variants.
    pub const NAMES: &'static [&'static str] = &["none", "optional", "required"];

    /// Whether HAProxy is to send its certificate (`crt` on the server line).
    #[must_use]
    pub fn is_sent(self) -> bool {
        self != Self::None
    }
}

impl Display for ClientCertificate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize])
    }
}

impl std::str::FromStr for ClientCertificate {
    type Err = super::error::Invalid;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        match value {
            "none" => Ok(Self::None),
            "optional" => Ok(Self::Optional),
            "required" => Ok(Self::Required),
            _ => Err(super::error::Invalid::Choice {
                what: "client certificate mode",
                value: value.to_owned(),
                choices: Self::NAMES,
            }),
        }
    }
}
