//! What goes into each host folder: exactly the files that one host needs.

use crate::config::snippet;
use crate::domain::crypto::Crypto;
use crate::domain::name::EntryName;
use crate::domain::role::{ClientCertificate, Role};
use crate::domain::server_line::ServerLine;
use crate::store::file::{Bytes, Directory, File, Tree};
use crate::store::layout::{
    self, CLIENT_CERTIFICATE, CLIENT_PRIVATE_KEY, CLOSED_DIRECTORY, CRL_FILE, HAPROXY_LINES,
    HostFolder, KEY_CERT, PUBLIC, SECRET, SERVER_CA_CERTIFICATES, SERVER_CERTIFICATE,
    SERVER_PRIVATE_KEY, SERVER_PUBLIC_KEY, SERVER_SETTINGS, TRUST_BUNDLE,
};
use crate::verify::issued::VerifiedPath;
use crate::x509::private_key::PrivateKey;

/// A verified certificate with its private key, for a named entry.
#[derive(Debug)]
pub(super) struct Identity<'a> {
    pub(super) name: &'a EntryName,
    pub(super) role: Role,
    pub(super) key: PrivateKey,
    pub(super) path: VerifiedPath,
}

/// What every host folder of the cluster shares.
#[derive(Debug)]
pub(super) struct Shared<'a> {
    /// The trust bundle, PEM.
    pub(super) trust_bundle: Bytes,
    /// The CRL, PEM, when the cluster uses revocation.
    pub(super) crl: Option<Bytes>,
    /// The server lines for HAProxy.
    pub(super) server_lines: &'a [ServerLine],
    /// The `[crypto]` section, the same for each server.
    pub(super) server_settings: Bytes,
}

impl Identity<'_> {
    /// The host folder, and the certificate's own file in the inventory.
    pub(super) fn tree(&self, shared: &Shared<'_>) -> Tree {
        let certificate = self.path.certificate().to_pem().into();
        let mut files = self.host_folder(shared, &certificate);
        let serial_number = &self.path.certificate().details.serial_number;
        let inventory = layout::issued(self.name, serial_number);
        files.push(File::new(inventory, PUBLIC, certificate));
        Tree {
            directories: vec![Directory {
                path: HostFolder::of(self.name, self.role).directory(),
                mode: CLOSED_DIRECTORY,
            }],
            files,
        }
    }

    fn host_folder(&self, shared: &Shared<'_>, certificate: &Bytes) -> Vec<File> {
        let key = self.key.to_pem();
        let directory = HostFolder::of(self.name, self.role).directory();
        let file = |name: &str, mode, bytes: Bytes| File::new(directory.join(name), mode, bytes);
        let public = |name: &str, bytes: &Bytes| file(name, PUBLIC, bytes.clone());
        match self.role {
            Role::Server => vec![
                file(SERVER_PRIVATE_KEY, SECRET, key.as_str().into()),
                file(SERVER_PUBLIC_KEY, PUBLIC, self.key.public_key_pem().into()),
                public(SERVER_CERTIFICATE, certificate),
                public(SERVER_CA_CERTIFICATES, &shared.trust_bundle),
                public(SERVER_SETTINGS, &shared.server_settings),
            ],
            Role::Client => vec![
                file(CLIENT_PRIVATE_KEY, SECRET, key.as_str().into()),
                public(CLIENT_CERTIFICATE, certificate),
                public(TRUST_BUNDLE, &shared.trust_bundle),
            ],
            Role::Ca | Role::LoadBalancer => {
                // With room for both from the start: growing would leave a copy of the key behind.
                let mut key_cert = Vec::with_capacity(key.len() + certificate.len());
                key_cert.extend_from_slice(key.as_bytes());
                key_cert.extend_from_slice(certificate);
                let crl = shared.crl.iter().map(|crl| public(CRL_FILE, crl));
                [
                    file(KEY_CERT, SECRET, key_cert.into()),
                    public(TRUST_BUNDLE, &shared.trust_bundle),
                    // Only here: many lines are rendered while others issue.
                    file(
                        HAPROXY_LINES,
                        PUBLIC,
                        snippet::haproxy(shared.server_lines).into(),
                    ),
                ]
                .into_iter()
                .chain(crl)
                .collect()
            }
        }
    }
}

/// The `[crypto]` section of every server: file names as its host folder has them.
pub(super) fn server_settings(client_certificate: ClientCertificate) -> String {
    snippet::server_conf(&Crypto {
        client_certificate,
        private_key: SERVER_PRIVATE_KEY.to_owned(),
        public_key: SERVER_PUBLIC_KEY.to_owned(),
        certificate: SERVER_CERTIFICATE.to_owned(),
        ca_certificates: SERVER_CA_CERTIFICATES.to_owned(),
    })
}
