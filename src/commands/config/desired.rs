//! What the configuration files are to say, and the files that they name: out of a PKI directory, or,
//! on a host that has none, out of a host folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::refusal::Refusal;
use crate::commands::directory::{PkiDirectory, haproxy_files};
use crate::commands::error::Error;
use crate::commands::host_folder;
use crate::commands::state::first_certificate;
use crate::config::haproxy::{self, read_servers};
use crate::config::server_conf::read_server_conf;
use crate::domain::crypto::Crypto;
use crate::domain::name::EntryName;
use crate::domain::role::Role;
use crate::domain::server_line::{ServerLine, TlsOptions};
use crate::domain::settings::Backend;
use crate::store::layout::{
    CRL_FILE, HAPROXY_LINES, HostFolder, KEY_CERT, PUBLIC, SECRET, SERVER_CA_CERTIFICATES,
    SERVER_CERTIFICATE, SERVER_PRIVATE_KEY, SERVER_PUBLIC_KEY, SERVER_SETTINGS, TRUST_BUNDLE,
};
use crate::system::System;

/// What the files are to say.
#[derive(Debug)]
pub(super) struct Desired {
    /// The server lines; None when a server's own folder is all that there is.
    pub(super) load_balancer: Option<LoadBalancer>,
    /// Each server; of a server's own folder one, with the name that its certificate has.
    pub(super) servers: Vec<Server>,
}

/// HAProxy's side.
#[derive(Debug)]
pub(super) struct LoadBalancer {
    /// The backend that has the servers.
    pub(super) backend: Backend,
    /// Each server's line.
    pub(super) lines: Vec<ServerLine>,
    /// Its configuration, if zpki.toml says where that is.
    pub(super) config: Option<PathBuf>,
    /// Its host folder.
    folder: PathBuf,
}

/// A server.
#[derive(Debug)]
pub(super) struct Server {
    /// Its name, if it is known.
    pub(super) name: Option<EntryName>,
    /// Its `[crypto]`.
    pub(super) crypto: Crypto,
    /// Its server.conf, if zpki.toml says where that is.
    pub(super) conf: Option<PathBuf>,
    /// Its host folder.
    folder: PathBuf,
}

/// A file of a host folder, and where it is read.
#[derive(Debug)]
pub(super) struct HostFile {
    /// Where it is kept.
    pub(super) source: PathBuf,
    /// Where it is read.
    pub(super) target: PathBuf,
    /// Its mode.
    pub(super) mode: u32,
}

impl Desired {
    /// What a PKI directory says.
    pub(super) fn of_directory(directory: &PkiDirectory) -> Result<Self, Error> {
        let cluster = directory.read(|view| view.cluster())?;
        let settings = &cluster.settings().load_balancer;
        let files = haproxy_files(directory.path(), settings)
            .map_err(|invalid| Error::HaproxyPath { invalid })?;
        let folder = |name: &EntryName, role| {
            let folder = HostFolder::of(name, role).directory();
            directory.path().join(folder)
        };
        let servers = cluster.settings().servers.iter().map(|server| Server {
            name: Some(server.name.clone()),
            crypto: host_folder::crypto(settings.client_certificate),
            conf: server
                .conf
                .as_ref()
                .map(|conf| directory.path().join(conf.as_path())),
            folder: folder(&server.name, Role::Server),
        });
        let config = settings.config.as_ref();
        Ok(Self {
            load_balancer: Some(LoadBalancer {
                backend: settings.backend.clone(),
                lines: cluster.server_lines(&files),
                config: config.map(|config| directory.path().join(config.as_path())),
                folder: folder(&EntryName::load_balancer(), Role::LoadBalancer),
            }),
            servers: servers.collect(),
        })
    }

    /// Whether there are servers of these names.
    pub(super) fn knows(&self, names: &[EntryName]) -> Result<(), Error> {
        let of_lines = self.load_balancer.iter().flat_map(|it| &it.lines);
        let known: Vec<&EntryName> = of_lines.map(|line| &line.name).collect();
        // A server's own folder knows of no other.
        let is_ours = self.load_balancer.is_some();
        let names = if is_ours { names } else { &[] };
        match names.iter().find(|name| !known.contains(name)) {
            Some(name) => Err(Error::UnknownServer {
                name: name.to_string(),
                known: known.into_iter().cloned().collect(),
            }),
            None => Ok(()),
        }
    }

    /// What a host folder says: that of the load-balancer, or that of a server.
    pub(super) fn of_host_folder(folder: &Path, system: &System) -> Result<Self, Error> {
        let folder = system.locate(folder);
        let lines = folder.join(HAPROXY_LINES);
        let settings = folder.join(SERVER_SETTINGS);
        let read = |path: &Path| {
            let read = system.read_named(path);
            read.map_err(|error| Error::input(path, error))
        };
        if system.exists(&lines) {
            let bytes = read(&lines)?;
            return Ok(Self {
                load_balancer: Some(LoadBalancer::of_lines(&bytes, &lines, folder)?),
                servers: Vec::new(),
            });
        }
        if system.exists(&settings) {
            let bytes = read(&settings)?;
            let not_ours = Error::Config(Refusal::NotOurs { path: settings });
            let crypto = crypto_of(&bytes).ok_or(not_ours)?;
            let certificate = folder.join(SERVER_CERTIFICATE);
            let is_there = system.exists(&certificate);
            let certificate = is_there.then(|| read(&certificate)).transpose()?;
            let server = Server {
                name: certificate.and_then(|bytes| certified(&bytes)),
                crypto,
                conf: None,
                folder,
            };
            return Ok(Self {
                load_balancer: None,
                servers: vec![server],
            });
        }
        Err(Error::Config(Refusal::NoHostFolder { path: folder }))
    }
}

impl LoadBalancer {
    /// What the server lines say that zpki has put into the load-balancer's folder.
    fn of_lines(text: &[u8], path: &Path, folder: PathBuf) -> Result<Self, Error> {
        let not_ours = || {
            Error::Config(Refusal::NotOurs {
                path: path.to_owned(),
            })
        };
        let backend = haproxy::backends(text)
            .next()
            .and_then(|name| name.parse::<Backend>().ok())
            .ok_or_else(not_ours)?;
        let servers = read_servers(text, &backend).map_err(|problems| Error::HaproxyFile {
            path: path.to_owned(),
            problems,
        })?;
        let lines = servers.into_iter().map(|server| {
            Some(ServerLine {
                backend: backend.clone(),
                tls: TlsOptions::read(&server.tls)?,
                name: server.name,
                address: server.address,
                options: server.options,
            })
        });
        Ok(Self {
            lines: lines.collect::<Option<_>>().ok_or_else(not_ours)?,
            backend,
            config: None,
            folder,
        })
    }

    /// Its files and where HAProxy reads them; those that it reads where they are kept are left out.
    pub(super) fn files(&self) -> Vec<HostFile> {
        let mut targets = BTreeMap::new();
        for ServerLine { tls, .. } in &self.lines {
            let named = [
                (Some(&tls.ca_file), TRUST_BUNDLE, PUBLIC),
                (tls.crt.as_ref(), KEY_CERT, SECRET),
                (tls.crl_file.as_ref(), CRL_FILE, PUBLIC),
            ];
            for (target, source, mode) in named {
                targets.extend(target.map(|target| (target.as_str(), (source, mode))));
            }
        }
        let files = targets
            .into_iter()
            .map(|(target, (source, mode))| HostFile {
                source: self.folder.join(source),
                target: target.into(),
                mode,
            });
        files.filter(|file| file.source != file.target).collect()
    }

    /// The options of a line while its files are not yet where it will name them.
    pub(super) fn with_kept_files(&self, tls: &TlsOptions) -> TlsOptions {
        let kept = |name: &str, path: &_| {
            let kept = self.folder.join(name);
            kept.to_str()
                .and_then(|kept| kept.parse().ok())
                .unwrap_or_else(|| Clone::clone(path))
        };
        TlsOptions {
            ca_file: kept(TRUST_BUNDLE, &tls.ca_file),
            crt: tls.crt.as_ref().map(|crt| kept(KEY_CERT, crt)),
            crl_file: tls
                .crl_file
                .as_ref()
                .map(|crl_file| kept(CRL_FILE, crl_file)),
            verifyhost: tls.verifyhost.clone(),
        }
    }
}

impl Server {
    /// Its files, and where the server of this server.conf reads them.
    pub(super) fn files(&self, conf: &Path) -> Vec<HostFile> {
        let directory = conf.parent().unwrap_or_else(|| Path::new(""));
        let Crypto {
            private_key,
            public_key,
            certificate,
            ca_certificates,
            ..
        } = &self.crypto;
        let files = [
            (SERVER_PRIVATE_KEY, private_key, SECRET),
            (SERVER_CERTIFICATE, certificate, PUBLIC),
            (SERVER_PUBLIC_KEY, public_key, PUBLIC),
            (SERVER_CA_CERTIFICATES, ca_certificates, PUBLIC),
        ];
        let files = files.into_iter().map(|(source, target, mode)| HostFile {
            source: self.folder.join(source),
            target: directory.join(target),
            mode,
        });
        files.collect()
    }
}

/// Whose certificate this is.
fn certified(text: &[u8]) -> Option<EntryName> {
    let certificate = first_certificate(text)?;
    certificate.details.common_name?.parse().ok()
}

/// The `[crypto]` that zpki wrote.
fn crypto_of(text: &[u8]) -> Option<Crypto> {
    let crypto = read_server_conf(text).value.crypto?;
    Some(Crypto {
        client_certificate: crypto.tls_client_certs?.value,
        private_key: crypto.priv_key_location?.value,
        public_key: crypto.pub_key_location?.value,
        certificate: crypto.cert_location?.value,
        ca_certificates: crypto.ca_certs_location?.value,
    })
}

/// The bytes of files of host folders: those of a PKI directory as one state of it.
pub(super) fn read_all(
    files: &[HostFile],
    directory: Option<&PkiDirectory>,
    system: &System,
) -> Result<Vec<Zeroizing<Vec<u8>>>, Error> {
    let missing = |path: &Path| {
        Error::Config(Refusal::HostFileMissing {
            path: path.to_owned(),
        })
    };
    let Some(directory) = directory else {
        let read = |file: &HostFile| {
            if !system.exists(&file.source) {
                return Err(missing(&file.source));
            }
            let read = system.read_named(&file.source);
            read.map_err(|error| Error::input(&file.source, error))
        };
        return files.iter().map(read).collect();
    };
    directory.read(|view| {
        let read = |file: &HostFile| {
            let path = file.source.strip_prefix(directory.path());
            let bytes = view.bytes(path.unwrap_or(&file.source))?;
            bytes.ok_or_else(|| missing(&file.source))
        };
        files.iter().map(read).collect()
    })
}
