//! zpki.toml as data: the desired state, each value of its own type. Whether the values fit
//! together is decided by [`Cluster`](super::cluster::Cluster).

use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;

use super::address::Address;
use super::error::Invalid;
use super::host::Host;
use super::key_algorithm::KeyAlgorithm;
use super::name::{ClusterName, EntryName};
use super::name_constraints::NameConstraints;
use super::role::ClientCertificate;
use super::server_line::ServerOptions;
use super::text::serialize_as_text;
use super::validity::{Lifetime, RenewWithin};

/// What zpki.toml says.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Settings {
    /// `[cluster] name`.
    pub name: ClusterName,
    /// `[ca]`.
    pub ca: CaSettings,
    /// `[certificates]`: the defaults of every entry.
    pub certificates: CertificateSettings,
    /// `[load_balancer]`.
    pub load_balancer: LoadBalancerSettings,
    /// `[[servers]]`.
    pub servers: Vec<ServerSettings>,
    /// `[[clients]]`.
    pub clients: Vec<ClientSettings>,
    /// `[revocation]`.
    pub revocation: RevocationSettings,
}

impl Settings {
    /// Whether it says where a real configuration is.
    #[must_use]
    pub fn names_configurations(&self) -> bool {
        let confs = self.servers.iter().map(|server| &server.conf);
        confs
            .chain([&self.load_balancer.config])
            .any(Option::is_some)
    }
}

/// `[ca]`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct CaSettings {
    /// `key_algorithm`.
    pub key_algorithm: KeyAlgorithm,
    /// `lifetime`.
    pub lifetime: Lifetime,
    /// `permitted_domains`, `permitted_networks`.
    pub name_constraints: NameConstraints,
    /// `key_file`: where its private key is kept; without it, in the PKI directory.
    pub key_file: Option<FilePath>,
}

/// `[certificates]`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct CertificateSettings {
    /// `key_algorithm`.
    pub key_algorithm: KeyAlgorithm,
    /// `lifetime`.
    pub lifetime: Lifetime,
    /// `renew_within`.
    pub renew_within: RenewWithin,
}

/// What an entry says differently from `[certificates]`.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Overrides {
    /// `key_algorithm`.
    pub key_algorithm: Option<KeyAlgorithm>,
    /// `lifetime`.
    pub lifetime: Option<Lifetime>,
    /// `renew_within`.
    pub renew_within: Option<RenewWithin>,
}

/// `[load_balancer]`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct LoadBalancerSettings {
    /// `hosts`: subjectAltName of its certificate.
    pub hosts: Vec<Host>,
    /// `client_certificate`: what the servers ask of it.
    pub client_certificate: ClientCertificate,
    /// `terminates_tls`: it also serves client applications, so serverAuth too.
    pub terminates_tls: bool,
    /// `backend`: the HAProxy backend that holds the server lines.
    pub backend: Backend,
    /// `ca_file`, `crt`, `crl_file`: as HAProxy sees them on its own host; without them, the host
    /// folder's own files.
    pub ca_file: Option<AbsolutePath>,
    /// See `ca_file`.
    pub crt: Option<AbsolutePath>,
    /// See `ca_file`.
    pub crl_file: Option<AbsolutePath>,
    /// `verifyhost`: whether the server lines check the server's name.
    pub verifyhost: bool,
    /// `config`: HAProxy's real configuration, on this host.
    pub config: Option<FilePath>,
    /// Its own key algorithm and dates.
    pub overrides: Overrides,
}

/// One of `[[servers]]`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ServerSettings {
    /// `name`.
    pub name: EntryName,
    /// `address`: as HAProxy reaches it.
    pub address: Address,
    /// `hosts`: subjectAltName; empty means a default (see
    /// [`Cluster`](super::cluster::Cluster)).
    pub hosts: Vec<Host>,
    /// `options`: what stands on its line besides TLS.
    pub options: ServerOptions,
    /// `calls_servers`: it calls its peers, so clientAuth too.
    pub calls_servers: bool,
    /// `conf`: its real server.conf, on this host.
    pub conf: Option<FilePath>,
    /// Its own key algorithm and dates.
    pub overrides: Overrides,
}

/// One of `[[clients]]`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ClientSettings {
    /// `name`.
    pub name: EntryName,
    /// `hosts`: subjectAltName.
    pub hosts: Vec<Host>,
    /// Its own key algorithm and dates.
    pub overrides: Overrides,
}

/// `[revocation]`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct RevocationSettings {
    /// `enabled`: HAProxy checks the CRL (`crl-file` on the server lines).
    pub enabled: bool,
    /// `lifetime`: from thisUpdate to nextUpdate.
    pub lifetime: Lifetime,
    /// `extra_crls`: files with the CRLs of the CAs above, each of which HAProxy wants once it checks
    /// any.
    pub extra_crls: Vec<FilePath>,
}

impl Default for CaSettings {
    fn default() -> Self {
        Self {
            key_algorithm: KeyAlgorithm::default(),
            lifetime: Lifetime::default_ca(),
            name_constraints: NameConstraints::default(),
            key_file: None,
        }
    }
}

impl Default for CertificateSettings {
    fn default() -> Self {
        Self {
            key_algorithm: KeyAlgorithm::default(),
            lifetime: Lifetime::default_end_entity(),
            renew_within: RenewWithin::default(),
        }
    }
}

impl Default for LoadBalancerSettings {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            client_certificate: ClientCertificate::default(),
            terminates_tls: false,
            backend: Backend::default(),
            ca_file: None,
            crt: None,
            crl_file: None,
            verifyhost: true,
            config: None,
            overrides: Overrides::default(),
        }
    }
}

impl Default for RevocationSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            lifetime: Lifetime::default_end_entity(),
            extra_crls: Vec::new(),
        }
    }
}

/// The name of an HAProxy backend, by the grammar that HAProxy has for it. Clones share it, for every
/// server line has one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Backend(Arc<str>);

serialize_as_text!(AbsolutePath, Backend, FilePath);

/// `bck_http_plain`: the one that Zato makes.
impl Default for Backend {
    fn default() -> Self {
        Self("bck_http_plain".into())
    }
}

impl FromStr for Backend {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        let what = "backend";
        if name.is_empty() {
            return Err(Invalid::NameEmpty { what });
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        match name.chars().find(|c| !allowed(*c)) {
            Some(character) => Err(Invalid::NameCharacter {
                what,
                name: name.to_owned(),
                character,
            }),
            None => Ok(Self(name.into())),
        }
    }
}

impl Display for Backend {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Backend {
    /// What Zato's agent puts before a server's name on its line: `http_plain--` for
    /// `bck_http_plain`.
    #[must_use]
    pub fn server_prefix(&self) -> String {
        format!("{}--", self.0.strip_prefix("bck_").unwrap_or(&self.0))
    }
}

/// An absolute path that can stand on an HAProxy line. Clones share it, for every server line has some.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AbsolutePath(Arc<str>);

impl FromStr for AbsolutePath {
    type Err = Invalid;

    fn from_str(path: &str) -> Result<Self, Invalid> {
        let refused = |because| {
            Err(Invalid::Path {
                path: path.to_owned(),
                because,
            })
        };
        if !path.starts_with('/') {
            return refused("is not absolute");
        }
        if path.chars().any(char::is_control) {
            return refused("contains a control character, which no HAProxy line can hold");
        }
        if path.ends_with('/') {
            return refused("names a directory, not a file");
        }
        if path.contains("# ZATO ") {
            return refused(
                "contains `# ZATO `, which Zato's load-balancer agent takes for its own mark",
            );
        }
        Ok(Self(path.into()))
    }
}

impl Display for AbsolutePath {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AbsolutePath {
    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The file `name` in the same directory.
    #[must_use]
    pub fn beside(&self, name: &str) -> Self {
        let directory = self
            .0
            .rsplit_once('/')
            .map_or("", |(directory, _)| directory);
        Self(format!("{directory}/{name}").into())
    }
}

/// The path of a file that zpki reads on this host: absolute, or relative to the PKI directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FilePath(String);

impl FromStr for FilePath {
    type Err = Invalid;

    fn from_str(path: &str) -> Result<Self, Invalid> {
        let refused = |because| {
            Err(Invalid::FilePath {
                path: path.to_owned(),
                because,
            })
        };
        if path.is_empty() {
            return refused("is empty");
        }
        if path.chars().any(char::is_control) {
            return refused("contains a control character");
        }
        let (_, name) = path.rsplit_once('/').unwrap_or(("", path));
        if matches!(name, "" | "." | "..") {
            return refused("names a directory, not a file");
        }
        Ok(Self(path.to_owned()))
    }
}

impl Display for FilePath {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FilePath {
    /// The path, to be joined to that of the PKI directory.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_file_is_no_directory() {
        for (bad, because) in [
            ("", "the path `` is empty"),
            ("a\tb", r"the path `a\tb` contains a control character"),
            ("keys/", "the path `keys/` names a directory, not a file"),
            ("/", "the path `/` names a directory, not a file"),
            ("..", "the path `..` names a directory, not a file"),
            ("a/.", "the path `a/.` names a directory, not a file"),
        ] {
            let error = bad.parse::<FilePath>().unwrap_err();
            assert_eq!(error.to_string(), because);
        }
        for good in [
            "/mnt/vault/ca.key.pem",
            "../keys/ca key.pem",
            "ca/ä",
            "...",
            "/a//b",
        ] {
            let path: FilePath = good.parse().unwrap();
            assert_eq!(path.as_path(), Path::new(good));
            assert_eq!(path.to_string(), good);
        }
    }

    #[test]
    fn a_path_on_a_line_is_absolute_and_whole() {
        for bad in ["tls/ca.pem", "", "/", "/tls/", "/a\nb", "/a # ZATO b"] {
            assert!(bad.parse::<AbsolutePath>().is_err(), "{bad}");
        }
        let path: AbsolutePath = "/etc/tls/ca.pem".parse().unwrap();
        assert_eq!(path.beside("crl.pem").as_str(), "/etc/tls/crl.pem");
    }

    #[test]
    fn the_agents_prefix_comes_from_the_backend() {
        assert_eq!(Backend::default().server_prefix(), "http_plain--");
        assert_eq!(
            "other".parse::<Backend>().unwrap().server_prefix(),
            "other--"
        );
        assert!("a b".parse::<Backend>().is_err());
        assert!("".parse::<Backend>().is_err());
    }
}
