//! What an HAProxy configuration and the server.conf files behind it say, against each other: whether
//! both ends of a line fit. The certificates that they name are for `verify`.

use crate::domain::finding::{Finding, Severity};
use crate::domain::haproxy_tls::{Bind, Proxy, Server, Sni, TlsVersion, Verify};
use crate::domain::role::ClientCertificate;
use crate::domain::server_conf::{CryptoSettings, ServerConf};

/// A server line, where it stands, and the server at its other end.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The configuration that has it.
    pub file: &'a str,
    /// Its section.
    pub proxy: &'a Proxy,
    /// The line.
    pub server: &'a Server,
    /// The server.conf of the server that it leads to, and its settings; None when nobody gave it.
    pub peer: Option<(&'a str, &'a ServerConf)>,
}

impl Line<'_> {
    /// The file and the line.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}", self.file, self.server.line)
    }

    /// The names that HAProxy compares with the certificate. For a request that is the SNI that it sends,
    /// else `verifyhost`; for a health check it is `check-sni`, else `verifyhost`.
    #[must_use]
    pub fn checked_names(&self) -> Vec<String> {
        let options = &self.server.options;
        let verifyhost = options.verifyhost.as_ref();
        let request = match &options.sni {
            Some(Sni::Constant(name)) => Some(name),
            Some(Sni::Expression(_)) => None,
            None => verifyhost,
        };
        let check = options.check_sni.as_ref().or(verifyhost);
        let mut names: Vec<String> = request
            .into_iter()
            .chain(check.filter(|_| options.check))
            .cloned()
            .collect();
        names.dedup();
        names
    }

    /// Whether HAProxy looks at the server's certificate at all.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.server.options.ssl && self.server.verify == Verify::Required
    }

    fn finding(&self, severity: Severity, id: &'static str, why: &str, next: &str) -> Finding {
        Finding {
            severity,
            id,
            about: format!("{}: {}", self.place(), self.server.name),
            why: why.to_owned(),
            next: Some(next.to_owned()),
        }
    }

    /// What is to be said of the line by itself, and with its server.
    #[must_use]
    pub fn check(&self) -> Vec<Finding> {
        let by_itself = if self.server.options.ssl {
            vec![
                self.unverified(),
                self.without_ca_file(),
                self.nameless(),
                self.without_check_sni(),
                self.too_old(),
                self.name_in_path(),
                self.name_in_checked_name(),
            ]
        } else {
            Vec::new()
        };
        let with_peer = self.peer.map(|(_, conf)| {
            let crypto = conf.crypto.as_ref();
            vec![self.tls(crypto), self.client_certificate(crypto)]
        });
        let found = by_itself.into_iter().chain(with_peer.into_iter().flatten());
        found.flatten().collect()
    }

    fn unverified(&self) -> Option<Finding> {
        (self.server.verify == Verify::None).then(|| {
            self.finding(
                Severity::Warning,
                "verify-none",
                "HAProxy takes any certificate, and so any server, for this one",
                "write `verify required ca-file PATH`",
            )
        })
    }

    fn without_ca_file(&self) -> Option<Finding> {
        let lacks = self.is_verified() && self.server.options.ca_file.is_none();
        lacks.then(|| {
            self.finding(
                Severity::Critical,
                "ca-file-missing",
                "`verify required` without `ca-file`: HAProxy does not start",
                "add `ca-file PATH`",
            )
        })
    }

    fn nameless(&self) -> Option<Finding> {
        let options = &self.server.options;
        let is_open = self.is_verified() && options.sni.is_none() && options.verifyhost.is_none();
        is_open.then(|| {
            let auto = if options.sni_auto == Some(false) {
                ""
            } else {
                "; and from 3.3 on, without `no-sni-auto`, every request gets a 503"
            };
            self.finding(
                Severity::Warning,
                "name-unchecked",
                &format!(
                    "HAProxy checks no name: any server certificate of this CA passes for this server{auto}"
                ),
                "add `sni str(NAME) check-sni NAME verifyhost NAME`",
            )
        })
    }

    fn without_check_sni(&self) -> Option<Finding> {
        let options = &self.server.options;
        let is_nameless = options.check_sni.is_none() && options.verifyhost.is_none();
        (options.check && options.sni.is_some() && is_nameless).then(|| {
            self.finding(
                Severity::Warning,
                "check-sni-missing",
                "health checks send no SNI, so that they do not see what a request sees: the server is UP while requests get a 503",
                "add `check-sni NAME`, with the name of `sni`",
            )
        })
    }

    /// Servers speak TLS 1.2 at the least.
    fn too_old(&self) -> Option<Finding> {
        let max = self.server.options.versions.max?;
        (max < TlsVersion::Tls12).then(|| {
            self.finding(
                Severity::Critical,
                "no-common-version",
                "it allows no version of TLS that the server speaks: 1.2 or 1.3",
                "leave out `ssl-max-ver`, or `force-...`",
            )
        })
    }

    /// The name by which Zato's agent knows the server; it replaces that wherever it stands on the line
    /// when the server is renamed.
    fn short_name(&self) -> &str {
        let name = &self.server.name;
        name.split_once("--").map_or(name, |(_, short)| short)
    }

    fn name_in_path(&self) -> Option<Finding> {
        let options = &self.server.options;
        let files = [&options.ca_file, &options.crt, &options.crl_file];
        let mut files = files.into_iter().flatten();
        let file = files.find(|file| file.written.contains(self.short_name()))?;
        Some(self.finding(
            Severity::Warning,
            "name-in-path",
            &format!(
                "its name stands in the path {}: renaming it in Zato's web console would change the path",
                file.written
            ),
            "choose a path without it",
        ))
    }

    fn name_in_checked_name(&self) -> Option<Finding> {
        let names = self.checked_names();
        let name = names.iter().find(|name| name.contains(self.short_name()))?;
        Some(Finding::note(
            "name-in-verifyhost",
            format!("{}: {}", self.place(), self.server.name),
            format!(
                "its name stands in {name}: renaming it in Zato's web console changes that too"
            ),
        ))
    }

    /// Both ends must speak TLS, or neither.
    fn tls(&self, crypto: Option<&CryptoSettings>) -> Option<Finding> {
        let uses_tls = crypto.is_some_and(speaks_tls);
        match (self.server.options.ssl, uses_tls) {
            (false, true) => Some(self.finding(
                Severity::Critical,
                "ssl-missing",
                "the server speaks TLS (use_tls), and the line has no `ssl`: it is UP, and requests get a 502",
                "add `ssl verify required ca-file PATH`",
            )),
            (true, false) => Some(self.finding(
                Severity::Critical,
                "use-tls-missing",
                "the line has `ssl`, and the server does not speak TLS (use_tls): it is DOWN",
                "set use_tls=True in [crypto], and restart the server",
            )),
            (true, true) | (false, false) => None,
        }
    }

    /// What the server asks for must be sent, and a check must show when it is refused.
    fn client_certificate(&self, crypto: Option<&CryptoSettings>) -> Option<Finding> {
        let asked = asked_for(crypto.filter(|crypto| speaks_tls(crypto))?);
        let options = &self.server.options;
        if !options.ssl || !asked.is_sent() {
            return None;
        }
        if options.crt.is_none() {
            return (asked == ClientCertificate::Required).then(|| {
                self.finding(
                    Severity::Critical,
                    "crt-missing",
                    "the server asks for a certificate (tls_client_certs=required), and the line has no `crt`: with TLS 1.3 it is UP, and requests get a 502",
                    "add `crt PATH`, a file with private key and certificate",
                )
            });
        }
        (options.check && !self.proxy.health_check.is_layer7()).then(|| {
            self.finding(
                Severity::Warning,
                "no-layer7-check",
                "the server asks for a certificate, and its check waits for no response: with TLS 1.3 it stays UP when it refuses the load-balancer's, while requests get a 502",
                "add `option httpchk GET /zato/ping` to the backend, without a ZATO comment",
            )
        })
    }
}

/// Whether `use_tls` is on.
#[must_use]
pub fn speaks_tls(crypto: &CryptoSettings) -> bool {
    crypto.use_tls.as_ref().is_some_and(|setting| setting.value)
}

/// What a server asks of its clients.
#[must_use]
pub fn asked_for(crypto: &CryptoSettings) -> ClientCertificate {
    let asked = crypto.tls_client_certs.as_ref();
    asked.map_or(ClientCertificate::None, |setting| setting.value)
}

/// What is to be said of a server.conf by itself.
#[must_use]
pub fn server_conf(file: &str, conf: &ServerConf) -> Vec<Finding> {
    let Some(crypto) = conf.crypto.as_ref().filter(|crypto| speaks_tls(crypto)) else {
        return Vec::new();
    };
    let missing = |id, what: String, next: String| Finding {
        severity: Severity::Critical,
        id,
        about: format!("{file}:{}", crypto.line),
        why: format!("use_tls is on, and there is no {what}"),
        next: Some(next),
    };
    let mut findings = Vec::new();
    if crypto.tls_protocol.is_none() {
        findings.push(missing(
            "tls-protocol-missing",
            "tls_protocol: Zato 3.2 and 3.3 do not start (their own template has tls_version, which nothing reads)".to_owned(),
            "add tls_protocol=TLS_SERVER to [crypto]".to_owned(),
        ));
    }
    findings.extend(protocol(file, crypto));
    if crypto.tls_ciphers.is_none() {
        findings.push(missing(
            "tls-ciphers-missing",
            "tls_ciphers: the server does not start".to_owned(),
            "add tls_ciphers to [crypto], as Zato's template has it".to_owned(),
        ));
    }
    for (key, location) in [
        ("priv_key_location", &crypto.priv_key_location),
        ("cert_location", &crypto.cert_location),
        ("ca_certs_location", &crypto.ca_certs_location),
    ] {
        if location.is_none() {
            let next = format!("add {key}=FILE to [crypto]");
            findings.push(missing("location-missing", key.to_owned(), next));
        }
    }
    findings
}

/// Of Python's `ssl.PROTOCOL_...`, those with which HAProxy and a server come together: TLSv1 and TLSv1_1
/// find no cipher with OpenSSL 3, TLS_CLIENT fails each handshake, and with any other the server ends.
fn protocol(file: &str, crypto: &CryptoSettings) -> Option<Finding> {
    const USABLE: [&str; 4] = ["TLS_SERVER", "TLS", "SSLv23", "TLSv1_2"];
    let protocol = crypto.tls_protocol.as_ref()?;
    (!USABLE.contains(&protocol.value.as_str())).then(|| Finding {
        severity: Severity::Critical,
        id: "tls-protocol-unusable",
        about: format!("{file}:{}", protocol.line),
        why: format!(
            "with tls_protocol={} the server does not start, or no handshake succeeds",
            protocol.value
        ),
        next: Some("write tls_protocol=TLS_SERVER (Zato 2.0: SSLv23)".to_owned()),
    })
}

/// What is to be said of a `bind ... ssl` line by itself.
#[must_use]
pub fn bind(file: &str, bind: &Bind) -> Vec<Finding> {
    let about = format!("{file}:{}: bind {}", bind.line, bind.address);
    let mut findings = Vec::new();
    let critical = |id, why: &str, next: &str| Finding {
        severity: Severity::Critical,
        id,
        about: about.clone(),
        why: why.to_owned(),
        next: Some(next.to_owned()),
    };
    if bind.crt.is_empty() && bind.crt_list.is_empty() {
        findings.push(critical(
            "crt-missing",
            "`ssl` without `crt`: HAProxy does not start",
            "add `crt PATH`, a file with private key and certificate",
        ));
    }
    if bind.verify != Verify::None && bind.ca_file.is_none() && bind.ca_verify_file.is_none() {
        findings.push(critical(
            "ca-file-missing",
            "`verify` without `ca-file`: HAProxy does not start",
            "add `ca-file PATH`",
        ));
    }
    if bind.ca_file.is_some() && bind.verify == Verify::None {
        findings.push(Finding::warning(
            "ca-file-unused",
            &about,
            "it has `ca-file`, and no `verify`: clients are asked for nothing",
            "add `verify required` or `verify optional`",
        ));
    }
    for (keyword, ignored) in [
        ("ca-ignore-err", &bind.ca_ignore_err),
        ("crt-ignore-err", &bind.crt_ignore_err),
    ] {
        if let Some(errors) = ignored {
            findings.push(Finding::warning(
                "errors-ignored",
                &about,
                format!("`{keyword} {errors}` lets clients pass whose certificates were refused"),
                "leave it out, unless a rule in the frontend looks at ssl_c_verify",
            ));
        }
    }
    findings
}
