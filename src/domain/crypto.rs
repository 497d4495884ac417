//! `[crypto]` of a server's server.conf, as values.

use super::role::ClientCertificate;

/// The settings of `[crypto]` that zpki owns. File names resolve against the server's config/repo
/// directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Crypto {
    /// `tls_client_certs`.
    pub client_certificate: ClientCertificate,
    /// `priv_key_location`.
    pub private_key: String,
    /// `pub_key_location`: not used for TLS; Zato signs with it elsewhere.
    pub public_key: String,
    /// `cert_location`.
    pub certificate: String,
    /// `ca_certs_location`: must hold a certificate even when client certificates are not asked
    /// for, or every handshake fails (measured on Zato 3.2).
    pub ca_certificates: String,
}
