//! What an HAProxy configuration says about TLS, as values: who presents which certificate, and
//! what it is verified against.
//!
//! Each value is what HAProxy makes of the line: `default-server`, `defaults` and `global` are
//! taken in, and each path is the one that HAProxy opens.

use std::collections::BTreeSet;

/// The proxies of a configuration, in the order of the file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HaproxyTls {
    /// `backend`, `frontend` and `listen`; other sections have no part in it.
    pub proxies: Vec<Proxy>,
    /// What `global`, and sections that are no proxies, name for TLS.
    pub other_files: Vec<(FileUse, FileReference)>,
    /// `crt-base`, for the lines of a crt-list.
    pub crt_base: Option<String>,
}

impl HaproxyTls {
    /// Every file that a line names for TLS. HAProxy loads those of a proxy that is `disabled` as well,
    /// and does not start without them.
    pub fn files(&self) -> impl Iterator<Item = (FileUse, &FileReference)> {
        let of_proxies = self.proxies.iter().flat_map(|proxy| {
            let binds = proxy.binds.iter().flat_map(Bind::files);
            binds.chain(proxy.servers.iter().flat_map(|it| it.options.files()))
        });
        let others = self.other_files.iter().map(|(used, file)| (*used, file));
        of_proxies.chain(others)
    }
}

/// What a line names a file for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FileUse {
    /// `ca-file`, `ca-verify-file`, `ca-sign-file`: a trust bundle, or a directory of certificates.
    CaFile,
    /// `crl-file`.
    CrlFile,
    /// `crt`: a private key and its certificate; on `bind` lines also a directory of them.
    Crt,
    /// `crt-list`: a file that names certificates.
    CrtList,
}

/// A `backend`, `frontend` or `listen` section.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Proxy {
    /// The line that it begins on, from 1.
    pub line: usize,
    /// Which of the three.
    pub kind: ProxyKind,
    /// Its name.
    pub name: String,
    /// Whether it is `disabled` as a whole.
    pub disabled: bool,
    /// How the servers are checked.
    pub health_check: HealthCheck,
    /// Its `bind` lines that have `ssl`.
    pub binds: Vec<Bind>,
    /// Its `server` lines, with and without `ssl`.
    pub servers: Vec<Server>,
}

/// The kind of a section.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProxyKind {
    /// `backend`: has servers.
    Backend,
    /// `frontend`: has binds.
    Frontend,
    /// `listen`: has both.
    Listen,
}

impl ProxyKind {
    /// The keyword.
    #[must_use]
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Backend => "backend",
            Self::Frontend => "frontend",
            Self::Listen => "listen",
        }
    }

    /// Whether `bind` lines count in it.
    #[must_use]
    pub fn has_binds(self) -> bool {
        self != Self::Backend
    }

    /// Whether `server` lines are allowed in it.
    #[must_use]
    pub fn has_servers(self) -> bool {
        self != Self::Frontend
    }
}

/// What the servers of a proxy are asked when one has `check`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum HealthCheck {
    /// Nothing: a connection is made, and under `check-ssl` or `ssl` a handshake (layers 4 and 6).
    /// With TLS 1.3 this does not show that a server refuses the client certificate.
    #[default]
    Connection,
    /// `option external-check`: a command decides.
    External,
    /// A response is waited for (layer 7).
    Response {
        /// The option, such as `httpchk`.
        option: String,
    },
}

impl HealthCheck {
    /// Whether a server must respond to be UP.
    #[must_use]
    pub fn is_layer7(&self) -> bool {
        matches!(self, Self::Response { .. })
    }
}

/// A `server` line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Server {
    /// Its line, from 1.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// Its address, as it is written.
    pub address: String,
    /// `verify`, or what the configuration says for lines without it (`ssl-server-verify`):
    /// [`Verify::None`] or [`Verify::Required`].
    pub verify: Verify,
    /// Its other options.
    pub options: ServerTls,
}

/// What a `server` line and a `default-server` line may both say.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ServerTls {
    /// `ssl`: connections to it use TLS. Under `no-ssl` this is false, though HAProxy then loads
    /// the files all the same.
    pub ssl: bool,
    /// `check`.
    pub check: bool,
    /// `check-ssl`: health checks use TLS even when the port or the address is another one.
    pub check_ssl: bool,
    /// `disabled`: down until someone enables it.
    pub disabled: bool,
    /// `verify`, as far as lines say it.
    pub verify: Option<Verify>,
    /// `ca-file`: what the server's certificate is verified against.
    pub ca_file: Option<FileReference>,
    /// `crl-file`.
    pub crl_file: Option<FileReference>,
    /// `crt`: the certificate that is sent to the server. The last one counts.
    pub crt: Option<FileReference>,
    /// `verifyhost`: the name that the certificate must have when no SNI is sent.
    pub verifyhost: Option<String>,
    /// `sni`: the name that is sent, and then also the one that is verified.
    pub sni: Option<Sni>,
    /// `check-sni`: the name that health checks send.
    pub check_sni: Option<String>,
    /// `sni-auto` or `no-sni-auto`, which HAProxy knows from 3.3 on. Without either, 3.3 and later
    /// send the Host header; earlier ones send nothing.
    pub sni_auto: Option<bool>,
    /// `alpn`.
    pub alpn: Option<String>,
    /// The protocol versions.
    pub versions: TlsVersions,
}

impl ServerTls {
    fn files(&self) -> impl Iterator<Item = (FileUse, &FileReference)> {
        let named = [
            (FileUse::CaFile, &self.ca_file),
            (FileUse::CrlFile, &self.crl_file),
            (FileUse::Crt, &self.crt),
        ];
        let named = named.into_iter();
        named.filter_map(|(used, file)| Some((used, file.as_ref()?)))
    }
}

/// A `bind` line that has `ssl`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Bind {
    /// Its line, from 1.
    pub line: usize,
    /// Its addresses, as they are written.
    pub address: String,
    /// `crt`: certificates that are presented, each a file or a directory.
    pub crt: Vec<FileReference>,
    /// `crt-list`: files that list certificates.
    pub crt_list: Vec<FileReference>,
    /// `verify`: what is asked of clients.
    pub verify: Verify,
    /// `ca-file`: what client certificates are verified against, and whose names are sent.
    pub ca_file: Option<FileReference>,
    /// `ca-verify-file`: what they are verified against without names being sent.
    pub ca_verify_file: Option<FileReference>,
    /// `ca-sign-file`: the CA that certificates are generated with.
    pub ca_sign_file: Option<FileReference>,
    /// `crl-file`.
    pub crl_file: Option<FileReference>,
    /// `ca-ignore-err`: errors of verification above the client's certificate that are let pass.
    pub ca_ignore_err: Option<String>,
    /// `crt-ignore-err`: the same for the client's certificate.
    pub crt_ignore_err: Option<String>,
    /// `alpn`.
    pub alpn: Option<String>,
    /// The protocol versions.
    pub versions: TlsVersions,
}

impl Bind {
    fn files(&self) -> impl Iterator<Item = (FileUse, &FileReference)> {
        let single = [
            (FileUse::CaFile, &self.ca_file),
            (FileUse::CaFile, &self.ca_verify_file),
            (FileUse::CaFile, &self.ca_sign_file),
            (FileUse::CrlFile, &self.crl_file),
        ];
        let crt = self.crt.iter().map(|file| (FileUse::Crt, file));
        let lists = self.crt_list.iter().map(|file| (FileUse::CrtList, file));
        let single = single.into_iter();
        crt.chain(lists)
            .chain(single.filter_map(|(used, file)| Some((used, file.as_ref()?))))
    }
}

/// A file that a line names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileReference {
    /// The line that names it, from 1: the `default-server` line for what is inherited.
    pub line: usize,
    /// What is written there.
    pub written: String,
    /// What HAProxy opens: behind `ca-base` or `crt-base` when it is relative. Without either it is
    /// still relative, to the directory that HAProxy is started in. `@system-ca`, without a
    /// `ca-base`, is the system's trust store and no file.
    pub path: String,
}

/// `sni`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Sni {
    /// `str(NAME)`: the same name for every connection.
    Constant(String),
    /// An expression that depends on the connection.
    Expression(String),
}

/// `verify`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Verify {
    /// Nothing is verified.
    #[default]
    None,
    /// A client may send no certificate; one that it sends is verified. On `bind` lines only.
    Optional,
    /// A certificate is needed, and verified.
    Required,
}

/// The protocol versions that a line allows.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TlsVersions {
    /// `ssl-min-ver`, or `force-...`.
    pub min: Option<TlsVersion>,
    /// `ssl-max-ver`, or `force-...`.
    pub max: Option<TlsVersion>,
    /// `no-sslv3`, `no-tlsv10` and so on. HAProxy heeds them only when neither of the others is
    /// given.
    pub without: BTreeSet<TlsVersion>,
}

/// A protocol version.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum TlsVersion {
    /// SSLv3.
    Ssl3,
    /// TLSv1.0.
    Tls10,
    /// TLSv1.1.
    Tls11,
    /// TLSv1.2.
    Tls12,
    /// TLSv1.3.
    Tls13,
}

impl TlsVersion {
    /// Each version, as `ssl-min-ver` and as `no-...` name it.
    pub const NAMES: [(&'static str, &'static str, Self); 5] = [
        ("SSLv3", "sslv3", Self::Ssl3),
        ("TLSv1.0", "tlsv10", Self::Tls10),
        ("TLSv1.1", "tlsv11", Self::Tls11),
        ("TLSv1.2", "tlsv12", Self::Tls12),
        ("TLSv1.3", "tlsv13", Self::Tls13),
    ];
}

impl TlsVersions {
    /// These, and the defaults where they say nothing.
    pub fn take_defaults(&mut self, defaults: &Self) {
        self.min = self.min.or(defaults.min);
        self.max = self.max.or(defaults.max);
        self.without.extend(&defaults.without);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_fill_in_what_is_not_said() {
        let mut versions = TlsVersions {
            min: Some(TlsVersion::Tls12),
            ..TlsVersions::default()
        };
        versions.take_defaults(&TlsVersions {
            min: Some(TlsVersion::Tls13),
            max: Some(TlsVersion::Tls13),
            without: [TlsVersion::Ssl3].into(),
        });
        assert_eq!(versions.min, Some(TlsVersion::Tls12));
        assert_eq!(versions.max, Some(TlsVersion::Tls13));
        assert_eq!(versions.without, [TlsVersion::Ssl3].into());
    }

    #[test]
    fn a_connection_is_no_layer_7_check() {
        assert!(!HealthCheck::default().is_layer7());
        assert!(!HealthCheck::External.is_layer7());
        let option = "httpchk".to_owned();
        assert!(HealthCheck::Response { option }.is_layer7());
    }
}
