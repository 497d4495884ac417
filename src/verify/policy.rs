//! Whose verdict is asked for. Each consumer is OpenSSL with its own parameters.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

/// A consumer of certificates.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// HAProxy that verifies a server: `ssl verify required ca-file PATH [verifyhost NAME]`.
    HaproxyServer,
    /// A server that verifies the load-balancer's client certificate. It checks no name.
    ServerClient,
    /// A client or server with OpenSSL's X509_STRICT and PARTIAL_CHAIN, as Python's default context has
    /// them from 3.13 on.
    Strict(Purpose),
}

/// What the end entity's certificate is used for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// By a TLS client.
    Client,
    /// By a TLS server.
    #[default]
    Server,
}

/// How the consumer compares names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NameMatching {
    /// As HAProxy's `verifyhost` does.
    Haproxy,
    /// As OpenSSL's X509_check_host and X509_check_ip do (RFC 6125).
    Openssl,
}

impl Policy {
    /// What the certificate is used for.
    #[must_use]
    pub fn purpose(self) -> Purpose {
        match self {
            Self::HaproxyServer => Purpose::Server,
            Self::ServerClient => Purpose::Client,
            Self::Strict(purpose) => purpose,
        }
    }

    /// Whether X509_V_FLAG_X509_STRICT and X509_V_FLAG_PARTIAL_CHAIN are on: more rules of RFC 5280 are
    /// held, and any certificate of the trust bundle is a trust anchor.
    #[must_use]
    pub fn is_strict(self) -> bool {
        matches!(self, Self::Strict(_))
    }

    /// How it compares names.
    #[must_use]
    pub fn name_matching(self) -> NameMatching {
        match self {
            Self::HaproxyServer => NameMatching::Haproxy,
            Self::ServerClient | Self::Strict(_) => NameMatching::Openssl,
        }
    }
}

/// The consumer, in a sentence: `HAProxy refuses it`.
impl Display for Policy {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HaproxyServer => "HAProxy",
            Self::ServerClient => "a server",
            Self::Strict(_) => "a strict verifier",
        })
    }
}

impl Purpose {
    /// The extendedKeyUsage that stands for it.
    #[must_use]
    pub fn extended_key_usage(self) -> &'static str {
        match self {
            Self::Client => "clientAuth",
            Self::Server => "serverAuth",
        }
    }
}
