//! What goes into each host folder: exactly the files that one host needs.

use zeroize::Zeroizing;

use crate::config::snippet;
use crate::domain::cluster::Entry;
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
use crate::x509::certificate::ParsedCertificate;
use crate::x509::private_key::PrivateKey;

/// A certificate with its private key, for a named entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity<'a> {
    name: &'a EntryName,
    role: Role,
    key: &'a PrivateKey,
    certificate: &'a ParsedCertificate,
    /// What is sent behind the certificate, PEM.
    chain: &'a str,
}

/// What every host folder of the cluster shares.
#[derive(Debug)]
pub(super) struct Shared<'a> {
    /// The trust bundle, PEM; None when it is not known yet.
    pub(super) trust_bundle: Option<Bytes>,
    /// The CRL, PEM, when the cluster uses revocation and it is known.
    pub(super) crl: Option<Bytes>,
    /// The server lines for HAProxy.
    pub(super) server_lines: &'a [ServerLine],
    /// The `[crypto]` section, the same for each server.
    pub(super) server_settings: Bytes,
}

impl<'a> Identity<'a> {
    /// One that was just made.
    pub(super) fn issued(
        entry: &'a Entry,
        key: &'a PrivateKey,
        path: &'a VerifiedPath,
        chain: &'a str,
    ) -> Self {
        Self::in_place(entry, key, path.certificate(), chain)
    }

    /// One that was found in its place, or in the inventory, and is right.
    pub(super) fn in_place(
        entry: &'a Entry,
        key: &'a PrivateKey,
        certificate: &'a ParsedCertificate,
        chain: &'a str,
    ) -> Self {
        Self::of(&entry.name, entry.role, key, certificate, chain)
    }

    /// One of what zpki.toml need not name.
    pub(super) fn of(
        name: &'a EntryName,
        role: Role,
        key: &'a PrivateKey,
        certificate: &'a ParsedCertificate,
        chain: &'a str,
    ) -> Self {
        Self {
            name,
            role,
            key,
            certificate,
            chain,
        }
    }

    /// The host folder, and the certificate's own file in the inventory.
    pub(super) fn tree(&self, shared: &Shared<'_>) -> Tree {
        let inventory = self.inventory();
        let mut files = self.files_with(&inventory.bytes);
        files.extend(shared.files(self.name, self.role));
        files.push(inventory);
        Tree {
            directories: vec![directory(self.name, self.role)],
            files,
        }
    }

    /// The files that hold the private key or the certificate, the key first.
    pub(super) fn files(&self) -> Vec<File> {
        self.files_with(&self.certificate.to_pem().into())
    }

    /// The same, where the certificate is PEM already.
    fn files_with(&self, certificate: &Bytes) -> Vec<File> {
        let key = self.key.to_pem();
        let folder = HostFolder::of(self.name, self.role);
        let file = |name: &str, mode, bytes: Bytes| File::new(folder.file(name), mode, bytes);
        match self.role {
            Role::Server => vec![
                file(SERVER_PRIVATE_KEY, SECRET, secret(key)),
                file(SERVER_CERTIFICATE, PUBLIC, self.with_chain(certificate)),
                file(SERVER_PUBLIC_KEY, PUBLIC, self.key.public_key_pem().into()),
            ],
            Role::Client => vec![
                file(CLIENT_PRIVATE_KEY, SECRET, secret(key)),
                file(CLIENT_CERTIFICATE, PUBLIC, self.with_chain(certificate)),
            ],
            Role::Ca | Role::LoadBalancer => {
                let key_cert = [key.as_bytes(), certificate, self.chain.as_bytes()].concat();
                vec![file(KEY_CERT, SECRET, key_cert.into())]
            }
        }
    }

    /// The certificate with what is sent behind it.
    fn with_chain(&self, certificate: &Bytes) -> Bytes {
        match self.chain {
            "" => certificate.clone(),
            chain => [certificate, chain.as_bytes()].concat().into(),
        }
    }

    /// The certificate in the inventory, without what is above it.
    pub(super) fn inventory(&self) -> File {
        let path = layout::issued(self.name, &self.certificate.details.serial_number);
        File::new(path, PUBLIC, self.certificate.to_pem())
    }
}

/// A private key as what a file holds, of which no second copy is made.
fn secret(mut key: Zeroizing<String>) -> Bytes {
    std::mem::take(&mut *key).into()
}

/// Texts one behind the other, with room for all from the start: growing would leave a copy of a key
/// behind.
pub(super) fn joined(parts: &[&str]) -> Zeroizing<String> {
    let length = parts.iter().map(|part| part.len()).sum();
    let mut text = Zeroizing::new(String::with_capacity(length));
    parts.iter().for_each(|part| text.push_str(part));
    text
}

/// The directory of a host folder.
pub(super) fn directory(name: &EntryName, role: Role) -> Directory {
    Directory {
        path: HostFolder::of(name, role).directory(),
        mode: CLOSED_DIRECTORY,
    }
}

impl Shared<'_> {
    /// What a host folder has besides its key and certificate.
    pub(super) fn files(&self, name: &EntryName, role: Role) -> Vec<File> {
        let folder = HostFolder::of(name, role);
        let public =
            |name: &str, bytes: &Bytes| File::new(folder.file(name), PUBLIC, bytes.clone());
        let bundle = |name| self.trust_bundle.iter().map(move |it| public(name, it));
        match role {
            Role::Server => bundle(SERVER_CA_CERTIFICATES)
                .chain([public(SERVER_SETTINGS, &self.server_settings)])
                .collect(),
            Role::Client => bundle(TRUST_BUNDLE).collect(),
            // The lines are rendered only here: there are many, and others issue meanwhile.
            Role::Ca | Role::LoadBalancer => bundle(TRUST_BUNDLE)
                .chain([public(
                    HAPROXY_LINES,
                    &snippet::haproxy(self.server_lines).into(),
                )])
                .chain(self.crl.iter().map(|crl| public(CRL_FILE, crl)))
                .collect(),
        }
    }
}

/// The `[crypto]` section of every server: file names as its host folder has them.
pub(super) fn server_settings(client_certificate: ClientCertificate) -> String {
    snippet::server_conf(&crypto(client_certificate))
}

/// What every server's `[crypto]` says.
pub(super) fn crypto(client_certificate: ClientCertificate) -> Crypto {
    Crypto {
        client_certificate,
        private_key: SERVER_PRIVATE_KEY.to_owned(),
        public_key: SERVER_PUBLIC_KEY.to_owned(),
        certificate: SERVER_CERTIFICATE.to_owned(),
        ca_certificates: SERVER_CA_CERTIFICATES.to_owned(),
    }
}
