//! What `global` says for the lines of other sections.

use super::environment::Environment;
use super::options::Options;
use crate::domain::haproxy_tls::{FileReference, FileUse, TlsVersions, Verify};
use crate::domain::words::{Lookup, Word};

use super::reason::Reason;

/// Settings of `global`. They hold for the lines that follow, but for `ssl-server-verify`, which
/// HAProxy asks at the end.
pub(super) struct Global<'a> {
    pub(super) environment: Environment<'a>,
    /// `ca-base`: for `ca-file`, `ca-verify-file` and `crl-file`.
    pub(super) ca_base: Option<String>,
    /// `crt-base`: for `crt` and what a crt-list names; not for `crt-list`.
    pub(super) crt_base: Option<String>,
    /// `ssl-server-verify`.
    pub(super) server_verify: Verify,
    /// `ssl-default-server-options`.
    pub(super) server_versions: TlsVersions,
    /// `ssl-default-bind-options`.
    pub(super) bind_versions: TlsVersions,
    /// What is named for TLS outside of proxies.
    pub(super) files: Vec<(FileUse, FileReference)>,
}

impl<'a> Global<'a> {
    pub(super) fn new(outer: Lookup<'a>) -> Self {
        Self {
            environment: Environment::new(outer),
            ca_base: None,
            crt_base: None,
            server_verify: Verify::Required,
            server_versions: TlsVersions::default(),
            bind_versions: TlsVersions::default(),
            files: Vec::new(),
        }
    }

    /// Reads a line of `global` that begins with `keyword`.
    pub(super) fn read(&mut self, keyword: &Word, options: &mut Options<'_>) {
        match keyword.value.as_str() {
            "ca-base" => base(&mut self.ca_base, keyword, options),
            "crt-base" => base(&mut self.crt_base, keyword, options),
            "httpclient.ssl.ca-file" => {
                let file = options.file(keyword, self.ca_base.as_deref());
                self.files.extend(file.map(|file| (FileUse::CaFile, file)));
            }
            "issuers-chain-path" => {
                let file = options.file(keyword, None);
                self.files.extend(file.map(|file| (FileUse::CaFile, file)));
            }
            "stats" => self.read_files(options),
            "default-path" => default_path(keyword, options),
            "presetenv" | "resetenv" | "setenv" | "unsetenv" => self.variables(keyword, options),
            "ssl-default-bind-options" => {
                default_options(&mut self.bind_versions, BIND_OPTIONS, keyword, options);
            }
            "ssl-default-server-options" => {
                default_options(&mut self.server_versions, SERVER_OPTIONS, keyword, options);
            }
            "ssl-server-verify" => {
                let values = [Verify::None, Verify::Required];
                let verify = options.choice(keyword, &["none", "required"], values);
                self.server_verify = verify.unwrap_or(self.server_verify);
            }
            _ => {}
        }
    }

    /// Reads no more of a line like those of proxies than the files that it names.
    pub(super) fn read_files(&mut self, options: &mut Options<'_>) {
        let (ca_base, crt_base) = (self.ca_base.as_deref(), self.crt_base.as_deref());
        while let Some(keyword) = options.next() {
            let (used, base) = match keyword.value.as_str() {
                "ca-file" | "ca-sign-file" | "ca-verify-file" => (FileUse::CaFile, ca_base),
                "crl-file" => (FileUse::CrlFile, ca_base),
                "crt" | "default-crt" => (FileUse::Crt, crt_base),
                "crt-list" => (FileUse::CrtList, None),
                _ => continue,
            };
            let file = options.file(keyword, base);
            self.files.extend(file.map(|file| (used, file)));
        }
    }

    fn variables(&mut self, keyword: &Word, options: &mut Options<'_>) {
        let environment = &mut self.environment;
        if keyword.value == "resetenv" {
            let names = std::iter::from_fn(|| options.next());
            return environment.reset(names.map(|name| name.value.as_str()));
        }
        let Some(name) = options.text(keyword) else {
            return;
        };
        if keyword.value == "unsetenv" {
            environment.unset(&name);
            while let Some(name) = options.next() {
                environment.unset(&name.value);
            }
        } else if let Some(value) = options.text(keyword) {
            match keyword.value.as_str() {
                "presetenv" => environment.preset(&name, &value),
                _ => environment.set(&name, &value),
            }
        }
    }
}

/// A base with a word behind it is refused, and then not set (HAProxy 2.6).
fn base(base: &mut Option<String>, keyword: &Word, options: &mut Options<'_>) {
    let Some(directory) = options.text(keyword) else {
        return;
    };
    if !options.end() {
        return;
    }
    if base.is_some() {
        let keyword_text = keyword.value.clone();
        options.refuse(
            keyword,
            Reason::AlreadySpecified {
                keyword: keyword_text,
            },
        );
        return;
    }
    *base = Some(directory);
}

/// `current` is what holds without the line.
fn default_path(keyword: &Word, options: &mut Options<'_>) {
    if options.next().is_some_and(|word| word.value == "current") {
        return;
    }
    let reason = Reason::Unsupported {
        keyword: keyword.value.clone(),
        because: "where relative paths lead is not known",
    };
    options.refuse(keyword, reason);
}

const BIND_OPTIONS: &[&str] = &[
    "no-renegotiate",
    "no-tls-tickets",
    "prefer-client-ciphers",
    "renegotiate",
    "strict-sni",
    "tls-tickets",
];

const SERVER_OPTIONS: &[&str] = &[
    "no-renegotiate",
    "no-tls-tickets",
    "renegotiate",
    "tls-tickets",
];

fn default_options(
    versions: &mut TlsVersions,
    others: &[&str],
    keyword: &Word,
    options: &mut Options<'_>,
) {
    let line = match keyword.value.as_str() {
        "ssl-default-bind-options" => "ssl-default-bind-options",
        _ => "ssl-default-server-options",
    };
    while let Some(option) = options.next() {
        if !options.version(option, versions) && !others.contains(&option.value.as_str()) {
            options.unknown(option, line);
        }
    }
}
