//! What a Zato server's server.conf says about TLS, as values: whether the server speaks it, with
//! which files, and what it asks of clients.

use super::role::ClientCertificate;

/// The settings of a server.conf that have to do with TLS. What is missing from the file is none.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ServerConf {
    /// `[main] gunicorn_bind`: `HOST:PORT`.
    pub gunicorn_bind: Option<Setting<String>>,
    /// `[crypto]`.
    pub crypto: Option<CryptoSettings>,
}

/// A value, and where it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Setting<T> {
    /// Its line, from 1.
    pub line: usize,
    /// The value, without its quotes and its comment.
    pub value: T,
}

/// `[crypto]`. Relative files resolve against the directory of server.conf.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CryptoSettings {
    /// The line of the section, from 1.
    pub line: usize,
    /// `use_tls`.
    pub use_tls: Option<Setting<bool>>,
    /// `tls_protocol`: the end of the name of one of Python's `ssl.PROTOCOL_...`. Zato 3.2 and 3.3
    /// do not start without it.
    pub tls_protocol: Option<Setting<String>>,
    /// `tls_version`: what Zato's template has in place of `tls_protocol`, and nothing reads.
    pub tls_version: Option<Setting<String>>,
    /// `tls_ciphers`.
    pub tls_ciphers: Option<Setting<String>>,
    /// `tls_client_certs`, in any case of letters.
    pub tls_client_certs: Option<Setting<ClientCertificate>>,
    /// `priv_key_location`.
    pub priv_key_location: Option<Setting<String>>,
    /// `pub_key_location`: not used for TLS.
    pub pub_key_location: Option<Setting<String>>,
    /// `cert_location`.
    pub cert_location: Option<Setting<String>>,
    /// `ca_certs_location`.
    pub ca_certs_location: Option<Setting<String>>,
}
