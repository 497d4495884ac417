//! Every file of a PKI directory: its name and its mode, here and nowhere else.
//!
//! Directories that hold private keys are 0700 and the keys 0600, so that a key is safe behind two
//! doors; what is public is 0644, for HAProxy and monitoring run as other users.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use crate::domain::name::{EntryName, LOAD_BALANCER};
use crate::domain::role::Role;
use crate::domain::serial_number::SerialNumber;
use crate::domain::settings::{CaSettings, FilePath, Settings};

use super::STATE;
use super::generation::GENERATION;
use super::lock::LOCK;

/// Mode of a file that anyone may read.
pub const PUBLIC: u32 = 0o644;
/// Mode of a private key.
pub const SECRET: u32 = 0o600;
/// Mode of a command that is owed. No other file of a PKI directory is one that can be executed: a file
/// of root's that whoever owns the directory renames to a command is none.
pub const COMMAND: u32 = 0o500;
/// The bits of [`COMMAND`] that no other file has.
pub const EXECUTABLE: u32 = 0o111;
/// Mode of the log: who did what is not everyone's business.
pub const LOG: u32 = 0o640;
/// Mode of a directory that holds no secrets.
pub const OPEN_DIRECTORY: u32 = 0o755;
/// Mode of a directory that holds private keys.
pub const CLOSED_DIRECTORY: u32 = 0o700;

/// The desired state.
pub const CLUSTER_FILE: &str = "zpki.toml";
/// The CA's directory.
pub const CA: &str = "ca";
/// The issuing CA's certificate.
pub const CA_CERTIFICATE: &str = "ca/ca.cert.pem";
/// The CA's private key, unless it is kept elsewhere: see [`ca_key`].
pub const CA_KEY: &str = "ca/ca.key.pem";
/// The trust bundle.
pub const CA_FILE: &str = "ca/ca-file.pem";
/// Under an imported intermediate: what leads to its root, and that.
pub const CA_CHAIN: &str = "ca/chain.pem";
/// The record of revocations.
pub const CRL: &str = "ca/crl.pem";
/// The inventory: every certificate ever issued.
pub const ISSUED: &str = "ca/issued";
/// Who issued, renewed and revoked what, when and why.
pub const LOG_FILE: &str = "ca/log.jsonl";
/// The files of CAs that were replaced.
pub const PREVIOUS: &str = "ca/previous";
/// Host folders of servers.
pub const SERVERS: &str = "servers";
/// Host folders of clients.
pub const CLIENTS: &str = "clients";

/// Host folders of entries that zpki.toml names no more.
pub const RETIRED: &str = "retired";

/// What zpki keeps for itself, and every run that writes needs.
pub const OWN: [&str; 3] = [STATE, LOCK, GENERATION];

/// The commands that are owed, within `.zpki`.
pub const PENDING: &str = ".zpki/pending";

/// Whether the file at `path` is a command that is owed.
#[must_use]
pub fn is_command(path: &Path) -> bool {
    path.starts_with(PENDING)
}

/// The files of the CA, each with its mode.
pub const CA_FILES: [(&str, u32); 5] = [
    (CA_CERTIFICATE, PUBLIC),
    (CA_KEY, SECRET),
    (CA_FILE, PUBLIC),
    (CRL, PUBLIC),
    (LOG_FILE, LOG),
];

/// What must not be there where a PKI directory is to be made; the settings last, for where only
/// they are left there is a way on.
pub const TOP_LEVEL: [&str; 5] = [CA, LOAD_BALANCER, SERVERS, CLIENTS, CLUSTER_FILE];

/// What a backup holds, each with everything below it.
pub const KEPT: [&str; 7] = [
    CLUSTER_FILE,
    CA,
    LOAD_BALANCER,
    SERVERS,
    CLIENTS,
    RETIRED,
    PENDING,
];

/// Whether a backup can hold something at `path`. What begins with a dot is being written, or is an
/// editor's.
#[must_use]
pub fn is_kept(path: &Path) -> bool {
    let Some(kept) = KEPT.into_iter().find(|kept| path.starts_with(kept)) else {
        return false;
    };
    let below = path.strip_prefix(kept).unwrap_or(path);
    !below
        .iter()
        .any(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// A part of the log that was put aside when it had grown long; the first one is the oldest.
#[must_use]
pub fn former_log(number: u32) -> PathBuf {
    format!("{CA}/log.{number}.jsonl").into()
}

/// The number of such a part, by its name in ca/.
#[must_use]
pub fn former_log_number(name: &OsStr) -> Option<u32> {
    let number = name
        .to_str()?
        .strip_prefix("log.")?
        .strip_suffix(".jsonl")?;
    let number: u32 = number.parse().ok()?;
    (former_log(number).file_name() == Some(name)).then_some(number)
}

/// A file that zpki.toml names, in the PKI directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Named {
    /// Its path there.
    pub path: PathBuf,
    /// The widest mode that it may have.
    pub mode: u32,
}

/// The files in the PKI directory that zpki.toml names, and that are not where zpki has its own: the CA's
/// private key, and the CRLs of the CAs above.
#[must_use]
pub fn named(settings: &Settings) -> Vec<Named> {
    let key = settings.ca.key_file.iter().map(|path| (path, SECRET));
    let crls = &settings.revocation.extra_crls;
    let all = key.chain(crls.iter().map(|path| (path, PUBLIC)));
    let is_plain = |part: Component<'_>| match part {
        Component::Normal(name) => !name.as_encoded_bytes().starts_with(b"."),
        _ => false,
    };
    all.map(|(path, mode)| Named {
        path: path.as_path().components().collect(),
        mode,
    })
    .filter(|named| named.path.components().all(is_plain) && !is_kept(&named.path))
    .collect()
}

/// The widest mode that zpki gives to what stands at `path`.
#[must_use]
pub fn widest_mode(path: &Path, is_directory: bool) -> u32 {
    let folders = [SERVERS, CLIENTS, RETIRED].map(Path::new);
    let is_folder = path == Path::new(LOAD_BALANCER)
        || folders
            .iter()
            .any(|above| *path != **above && path.starts_with(above));
    let is_pending = is_command(path);
    if is_directory {
        let is_closed = is_folder || is_pending;
        return if is_closed {
            CLOSED_DIRECTORY
        } else {
            OPEN_DIRECTORY
        };
    }
    let secrets = [CA_KEY, KEY_CERT, SERVER_PRIVATE_KEY, CLIENT_PRIVATE_KEY];
    let name = path.file_name();
    let is_secret = secrets
        .iter()
        .any(|secret| Path::new(secret).file_name() == name);
    match () {
        () if is_secret || is_pending => SECRET,
        () if path == Path::new(LOG_FILE) || name.and_then(former_log_number).is_some() => LOG,
        () => PUBLIC,
    }
}

/// Where the private key of the CA is kept: a path that is joined to that of the PKI directory.
#[must_use]
pub fn ca_key(ca: &CaSettings) -> &Path {
    let elsewhere = ca.key_file.as_ref().map(FilePath::as_path);
    elsewhere.unwrap_or_else(|| Path::new(CA_KEY))
}

/// Where a file of the CA's is kept once that is replaced, in a folder of [`PREVIOUS`].
#[must_use]
pub fn former_ca(folder: &OsStr, file: &str) -> PathBuf {
    let name = Path::new(file).file_name().unwrap_or_default();
    Path::new(PREVIOUS).join(folder).join(name)
}

/// Where a certificate stands in the inventory.
#[must_use]
pub fn issued(name: &EntryName, serial_number: &SerialNumber) -> PathBuf {
    let file = format!("{serial_number}.pem");
    [ISSUED, name.as_str(), &file].join("/").into()
}

/// Whether a file of the inventory has the name of a certificate: an editor's backup beside it is
/// none.
#[must_use]
pub fn is_issued(file: &OsStr) -> bool {
    serial_number_of(file).is_some()
}

/// The serial number that a file of the inventory is named for.
#[must_use]
pub fn serial_number_of(file: &OsStr) -> Option<SerialNumber> {
    let serial_number = file.to_str()?.strip_suffix(".pem")?;
    serial_number.parse().ok()
}

/// Where the certificates of an entry stand in the inventory.
#[must_use]
pub fn issued_directory(name: &EntryName) -> PathBuf {
    [ISSUED, name.as_str()].join("/").into()
}

/// Where a host folder goes that zpki.toml names no more: beside those of the same name that went
/// before, told apart by the serial number of the certificate in it.
#[must_use]
pub fn retired(name: &EntryName, serial_number: Option<&SerialNumber>) -> PathBuf {
    let folder = match serial_number {
        Some(serial_number) => format!("{name}-{serial_number}"),
        None => name.to_string(),
    };
    Path::new(RETIRED).join(folder)
}

/// The file outside of the PKI directory that holds a private key, unless [`key_cert`] or [`pkcs12`] does.
#[must_use]
pub fn private_key(name: &EntryName) -> PathBuf {
    format!("{name}.key.pem").into()
}

/// The one with a certificate and what it is sent with.
#[must_use]
pub fn certificate(name: &EntryName) -> PathBuf {
    format!("{name}.cert.pem").into()
}

/// The same, under the name that programs know which want the chain.
#[must_use]
pub fn fullchain(name: &EntryName) -> PathBuf {
    format!("{name}.fullchain.pem").into()
}

/// The one with private key, certificate and chain.
#[must_use]
pub fn key_cert(name: &EntryName) -> PathBuf {
    format!("{name}.pem").into()
}

/// The same, as PKCS#12.
#[must_use]
pub fn pkcs12(name: &EntryName) -> PathBuf {
    format!("{name}.p12").into()
}

/// A host folder: the files that one host needs, and no others. Names are those that the consumer
/// has by default: server.conf's, or HAProxy's words.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HostFolder<'a> {
    name: &'a EntryName,
    role: Role,
}

impl<'a> HostFolder<'a> {
    /// The host folder of an entry.
    #[must_use]
    pub fn of(name: &'a EntryName, role: Role) -> Self {
        Self { name, role }
    }

    /// The folder itself.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        match self.role {
            Role::Server => [SERVERS, self.name.as_str()].join("/").into(),
            Role::Client => [CLIENTS, self.name.as_str()].join("/").into(),
            Role::Ca | Role::LoadBalancer => LOAD_BALANCER.into(),
        }
    }

    /// The file called `name` in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        match self.role {
            Role::Server => [SERVERS, self.name.as_str(), name].join("/").into(),
            Role::Client => [CLIENTS, self.name.as_str(), name].join("/").into(),
            Role::Ca | Role::LoadBalancer => [LOAD_BALANCER, name].join("/").into(),
        }
    }

    /// The files in it that every cluster has, each with its mode.
    #[must_use]
    pub fn files(&self) -> &'static [(&'static str, u32)] {
        match self.role {
            Role::Server => &[
                (SERVER_PRIVATE_KEY, SECRET),
                (SERVER_PUBLIC_KEY, PUBLIC),
                (SERVER_CERTIFICATE, PUBLIC),
                (SERVER_CA_CERTIFICATES, PUBLIC),
                (SERVER_SETTINGS, PUBLIC),
            ],
            Role::Client => &[
                (CLIENT_PRIVATE_KEY, SECRET),
                (CLIENT_CERTIFICATE, PUBLIC),
                (TRUST_BUNDLE, PUBLIC),
            ],
            Role::Ca | Role::LoadBalancer => &[
                (KEY_CERT, SECRET),
                (TRUST_BUNDLE, PUBLIC),
                (HAPROXY_LINES, PUBLIC),
            ],
        }
    }

    /// The file that it has besides when the cluster uses revocation.
    #[must_use]
    pub fn revocation_file(&self) -> Option<&'static str> {
        match self.role {
            Role::Ca | Role::LoadBalancer => Some(CRL_FILE),
            Role::Client | Role::Server => None,
        }
    }

    /// The trust bundle of this host.
    #[must_use]
    pub fn trust_bundle(&self) -> PathBuf {
        self.file(match self.role {
            Role::Server => SERVER_CA_CERTIFICATES,
            Role::Ca | Role::Client | Role::LoadBalancer => TRUST_BUNDLE,
        })
    }

    /// The file that holds the private key, and for the load-balancer the certificate too.
    #[must_use]
    pub fn private_key(&self) -> PathBuf {
        self.file(match self.role {
            Role::Server => SERVER_PRIVATE_KEY,
            Role::Client => CLIENT_PRIVATE_KEY,
            Role::Ca | Role::LoadBalancer => KEY_CERT,
        })
    }

    /// The file that holds the certificate, and for the load-balancer the private key too.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.file(match self.role {
            Role::Server => SERVER_CERTIFICATE,
            Role::Client => CLIENT_CERTIFICATE,
            Role::Ca | Role::LoadBalancer => KEY_CERT,
        })
    }
}

/// Private key, certificate, intermediates: HAProxy's `crt`.
pub const KEY_CERT: &str = "key-cert.pem";
/// Trust bundle of the load-balancer and of clients: HAProxy's `ca-file`.
pub const TRUST_BUNDLE: &str = "ca.cert.pem";
/// HAProxy's `crl-file`.
pub const CRL_FILE: &str = "crl.pem";
/// The server lines.
pub const HAPROXY_LINES: &str = "haproxy.cfg";
/// server.conf's `priv_key_location`.
pub const SERVER_PRIVATE_KEY: &str = "zato-server-priv-key.pem";
/// server.conf's `pub_key_location`.
pub const SERVER_PUBLIC_KEY: &str = "zato-server-pub-key.pem";
/// server.conf's `cert_location`.
pub const SERVER_CERTIFICATE: &str = "zato-server-cert.pem";
/// server.conf's `ca_certs_location`.
pub const SERVER_CA_CERTIFICATES: &str = "zato-server-ca-certs.pem";
/// The `[crypto]` section.
pub const SERVER_SETTINGS: &str = "server.conf";
/// A client's private key.
pub const CLIENT_PRIVATE_KEY: &str = "client.key.pem";
/// A client's certificate.
pub const CLIENT_CERTIFICATE: &str = "client.cert.pem";
