//! The texts that an engineer pastes: server lines and front-ends for zato.config, `[crypto]` for
//! server.conf, keys for lb-agent.conf. Their words are in `templates/`.

use minijinja::context;

use super::haproxy::{begin_marker, end_marker, quoted, server_line};
use super::server_conf::{TLS_CIPHERS, TLS_PROTOCOL};
use super::template::{FRONTEND, HAPROXY, LB_AGENT, SERVER_CONF, render};
use crate::domain::crypto::Crypto;
use crate::domain::role::ClientCertificate;
use crate::domain::server_line::ServerLine;
use crate::domain::settings::{AbsolutePath, Backend};

/// The block of server lines of one backend, with comments that say what to do with it. Empty for
/// no lines.
#[must_use]
pub fn haproxy(lines: &[ServerLine]) -> String {
    let Some(first) = lines.first() else {
        return String::new();
    };
    let tls = || lines.iter().map(|line| &line.tls);
    render(
        HAPROXY,
        context! {
            backend => first.backend.to_string(),
            begin_marker => begin_marker(&first.backend),
            crl_file => tls().any(|tls| tls.crl_file.is_some()),
            crt => tls().any(|tls| tls.crt.is_some()),
            end_marker => end_marker(&first.backend),
            lines => lines.iter().map(server_line).collect::<Vec<_>>(),
            verifyhost => tls().all(|tls| tls.verifyhost.is_some()),
        },
    )
}

/// The `[crypto]` section of one server, complete.
///
/// ConfigObj reads the file: the file names must be without `,` (a list), `#` (a comment) and `%`
/// (interpolation).
#[must_use]
pub fn server_conf(crypto: &Crypto) -> String {
    render(
        SERVER_CONF,
        context! {
            ca_certificates => crypto.ca_certificates.as_str(),
            certificate => crypto.certificate.as_str(),
            client_certificate => crypto.client_certificate.to_string(),
            private_key => crypto.private_key.as_str(),
            public_key => crypto.public_key.as_str(),
            tls_ciphers => TLS_CIPHERS,
            tls_protocol => TLS_PROTOCOL,
        },
    )
}

/// A front-end of `HAProxy` for client applications that speak TLS.
#[derive(Clone, Debug)]
pub struct Frontend<'a> {
    /// Where requests go.
    pub backend: &'a Backend,
    /// What is asked of the applications.
    pub client_certificate: ClientCertificate,
    /// `crt`: key and certificate of the load-balancer.
    pub crt: &'a AbsolutePath,
    /// Whether that certificate is one that applications accept (`terminates_tls`).
    pub terminates_tls: bool,
    /// `ca-file`: what the applications' certificates are verified against. Without
    /// [`client_certificate`](Self::client_certificate) none is.
    pub ca_file: &'a AbsolutePath,
    /// `crl-file`: the CRL of the applications' CA.
    pub crl_file: Option<&'a AbsolutePath>,
}

/// The front-end, complete, with comments that say what to do with it. Its port is that of Zato's
/// documentation.
#[must_use]
pub fn frontend(frontend: &Frontend<'_>) -> String {
    let mode = frontend.client_certificate;
    let verify = mode != ClientCertificate::None;
    let crl_file = frontend.crl_file.filter(|_| verify);
    let port = match mode {
        ClientCertificate::None => 21223,
        ClientCertificate::Optional => 31223,
        ClientCertificate::Required => 41223,
    };
    let mut bind = format!("bind 0.0.0.0:{port} ssl crt {}", quoted(frontend.crt));
    if verify {
        bind += &format!(" verify {mode} ca-file {}", quoted(frontend.ca_file));
    }
    if let Some(crl_file) = crl_file {
        bind += &format!(" crl-file {}", quoted(crl_file));
    }
    render(
        FRONTEND,
        context! {
            backend => frontend.backend.to_string(),
            bind,
            client_certificate => mode.to_string(),
            crl_file => crl_file.is_some(),
            name => format!("front_tls_{mode}"),
            terminates_tls => frontend.terminates_tls,
            verify,
        },
    )
}

/// The keys of Zato's lb-agent.conf that have to do with TLS, as an object of JSON.
#[must_use]
pub fn lb_agent() -> String {
    render(LB_AGENT, context! {})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::haproxy::read_servers;
    use crate::domain::server_line::{ServerOptions, TlsOptions};

    fn line(name: &str, client_certificate: ClientCertificate) -> ServerLine {
        ServerLine {
            backend: Backend::default(),
            name: name.parse().unwrap(),
            address: "10.0.0.11:17010".parse().unwrap(),
            options: ServerOptions::default(),
            tls: TlsOptions {
                ca_file: "/tls/ca.cert.pem".parse().unwrap(),
                crt: client_certificate
                    .is_sent()
                    .then(|| "/tls/key-cert.pem".parse().unwrap()),
                crl_file: None,
                verifyhost: Some(format!("{name}.prod.internal").parse().unwrap()),
            },
        }
    }

    #[test]
    fn server_lines_without_client_certificates() {
        let lines = ["server1", "server2"].map(|name| line(name, ClientCertificate::None));
        assert_eq!(
            haproxy(&lines),
            "\
# Server lines of the backend bck_http_plain, made by zpki.
#
# In zato.config, replace the server lines between these two markers by the ones below. Keep each
# on one line, its ZATO comment last and unchanged: Zato's load-balancer agent reads no other form.
# Check with `haproxy -c -f zato.config`, then reload HAProxy.

# ZATO begin backend bck_http_plain

    server http_plain--server1 10.0.0.11:17010 check inter 2s rise 2 fall 2 ssl verify required ca-file /tls/ca.cert.pem sni str(server1.prod.internal) check-sni server1.prod.internal verifyhost server1.prod.internal # ZATO backend bck_http_plain:server--server1
    server http_plain--server2 10.0.0.11:17010 check inter 2s rise 2 fall 2 ssl verify required ca-file /tls/ca.cert.pem sni str(server2.prod.internal) check-sni server2.prod.internal verifyhost server2.prod.internal # ZATO backend bck_http_plain:server--server2

# ZATO end backend bck_http_plain
"
        );
    }

    #[test]
    fn server_lines_with_client_certificates() {
        let expected = "\
# Server lines of the backend bck_http_plain, made by zpki.
#
# In zato.config, replace the server lines between these two markers by the ones below. Keep each
# on one line, its ZATO comment last and unchanged: Zato's load-balancer agent reads no other form.
# Check with `haproxy -c -f zato.config`, then reload HAProxy.
#
# With TLS 1.3, a server that refuses the load-balancer's certificate (crt) stays UP in the default
# check while requests get 502. Let the check ask for a response: add this to the backend, without
# a ZATO comment, or a save in the web console destroys it:
#     option httpchk GET /zato/ping

# ZATO begin backend bck_http_plain

    server http_plain--server1 10.0.0.11:17010 check inter 2s rise 2 fall 2 ssl verify required ca-file /tls/ca.cert.pem crt /tls/key-cert.pem sni str(server1.prod.internal) check-sni server1.prod.internal verifyhost server1.prod.internal # ZATO backend bck_http_plain:server--server1

# ZATO end backend bck_http_plain
";
        for mode in [ClientCertificate::Optional, ClientCertificate::Required] {
            assert_eq!(haproxy(&[line("server1", mode)]), expected);
        }
    }

    #[test]
    fn server_lines_without_verifyhost() {
        let mut plain = line("server1", ClientCertificate::None);
        plain.tls.verifyhost = None;
        assert_eq!(
            haproxy(&[plain]),
            "\
# Server lines of the backend bck_http_plain, made by zpki.
#
# In zato.config, replace the server lines between these two markers by the ones below. Keep each
# on one line, its ZATO comment last and unchanged: Zato's load-balancer agent reads no other form.
# Check with `haproxy -c -f zato.config`, then reload HAProxy.
#
# There is no verifyhost: any certificate of this CA passes for any server. HAProxy 3.3 and later
# answers every request with 503 unless `sni` is set.

# ZATO begin backend bck_http_plain

    server http_plain--server1 10.0.0.11:17010 check inter 2s rise 2 fall 2 ssl verify required ca-file /tls/ca.cert.pem # ZATO backend bck_http_plain:server--server1

# ZATO end backend bck_http_plain
"
        );
    }

    #[test]
    fn server_lines_with_everything() {
        let full = ServerLine {
            backend: "apps".parse().unwrap(),
            options: "check weight 3 # rack 2".parse().unwrap(),
            tls: TlsOptions {
                ca_file: "/tls of $LB/it's.pem".parse().unwrap(),
                crt: Some("/tls/key&cert<>.pem".parse().unwrap()),
                crl_file: Some("/tls/crl.pem".parse().unwrap()),
                verifyhost: None,
            },
            ..line("server1", ClientCertificate::Required)
        };
        let text = haproxy(&[full]);
        assert_eq!(
            text,
            "\
# Server lines of the backend apps, made by zpki.
#
# In zato.config, replace the server lines between these two markers by the ones below. Keep each
# on one line, its ZATO comment last and unchanged: Zato's load-balancer agent reads no other form.
# Check with `haproxy -c -f zato.config`, then reload HAProxy.
#
# There is no verifyhost: any certificate of this CA passes for any server. HAProxy 3.3 and later
# answers every request with 503 unless `sni` is set.
#
# With TLS 1.3, a server that refuses the load-balancer's certificate (crt) stays UP in the default
# check while requests get 502. Let the check ask for a response: add this to the backend, without
# a ZATO comment, or a save in the web console destroys it:
#     option httpchk GET /zato/ping
#
# HAProxy reads crl-file when it is reloaded. An expired CRL takes every server down.

# ZATO begin backend apps

    server apps--server1 10.0.0.11:17010 check weight 3 ssl verify required ca-file '/tls of $LB/it'\\''s.pem' crt '/tls/key&cert<>.pem' crl-file /tls/crl.pem # rack 2 # ZATO backend apps:server--server1

# ZATO end backend apps
"
        );
    }

    #[test]
    fn the_whole_snippet_can_be_read_like_a_zato_config() {
        let lines = ["server1", "server2"].map(|name| line(name, ClientCertificate::Required));
        let servers = read_servers(haproxy(&lines).as_bytes(), &Backend::default()).unwrap();
        let names: Vec<_> = servers.iter().map(|server| server.name.as_str()).collect();
        assert_eq!(names, ["server1", "server2"]);
    }

    #[test]
    fn no_lines_make_no_snippet() {
        assert_eq!(haproxy(&[]), "");
    }

    fn conf(client_certificate: ClientCertificate) -> String {
        server_conf(&Crypto {
            client_certificate,
            private_key: "zato-server-priv-key.pem".to_owned(),
            public_key: "zato-server-pub-key.pem".to_owned(),
            certificate: "zato-server-cert.pem".to_owned(),
            ca_certificates: "zato-server-ca-certs.pem".to_owned(),
        })
    }

    const CONF_HEAD: &str = "\
# The [crypto] section of server.conf, made by zpki for Zato 3.2 and 3.3.
#
# Put these keys in place of those in the [crypto] that server.conf has: with a second section, or
# a key given twice, the server does not start. The files go to config/repo, beside server.conf.
# Restart the server once; renewed files are used from the next connection on, without a restart.

[crypto]
use_tls=True

# Zato's template has tls_version instead, which is not read: without tls_protocol the server exits.
# Zato 2.0 on Python 2: SSLv23.
tls_protocol=TLS_SERVER

# For TLS 1.2; the ciphers of TLS 1.3 are not chosen here. The key must be there all the same.
tls_ciphers=ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305

# The certificate of whoever connects, such as the load-balancer: none, optional or required.
";

    const CONF_TAIL: &str = "
priv_key_location=zato-server-priv-key.pem
pub_key_location=zato-server-pub-key.pem
cert_location=zato-server-cert.pem

# Needed even with tls_client_certs=none: without a certificate in it every handshake fails.
ca_certs_location=zato-server-ca-certs.pem
";

    #[test]
    fn server_conf_without_client_certificates() {
        assert_eq!(
            conf(ClientCertificate::None),
            format!("{CONF_HEAD}tls_client_certs=none\n{CONF_TAIL}")
        );
    }

    #[test]
    fn server_conf_with_client_certificates() {
        for (mode, word) in [
            (ClientCertificate::Optional, "optional"),
            (ClientCertificate::Required, "required"),
        ] {
            assert_eq!(
                conf(mode),
                format!(
                    "{CONF_HEAD}\
                     # The server reads no CRL: it takes a revoked one until that expires.\n\
                     tls_client_certs={word}\n{CONF_TAIL}"
                )
            );
        }
    }

    fn frontend_of(client_certificate: ClientCertificate, crl_file: Option<&str>) -> String {
        let path = |path: &str| -> AbsolutePath { path.parse().unwrap() };
        frontend(&Frontend {
            backend: &Backend::default(),
            client_certificate,
            crt: &path("/tls/key-cert.pem"),
            terminates_tls: crl_file.is_some(),
            ca_file: &path("/tls/the ca.pem"),
            crl_file: crl_file.map(path).as_ref(),
        })
    }

    /// A text whose only difference between the modes is this.
    fn frontend_text(mode: &str, comments: &str, bind: &str) -> String {
        format!(
            "\
# A front-end for client applications, made by zpki. Certificates of theirs: {mode}.
#
# Add it to zato.config, outside the ZATO blocks and without ZATO comments: a save in the web
# console takes the TLS options off a bind line that has one. Check with
# `haproxy -c -f zato.config`, then reload HAProxy.
#
# The header X-Forwarded-Proto tells the servers of TLS, so it must not come from outside.
{comments}
frontend front_tls_{mode}
    mode http
    http-request deny if {{ req.fhdr(X-Forwarded-Proto) -m found }}
    http-request set-header X-Forwarded-Proto https
    default_backend bck_http_plain
    bind {bind}
"
        )
    }

    const NO_SERVER_AUTH: &str = "\
#
# Client applications refuse the certificate in crt, which is only for the servers. Set
# terminates_tls = true in [load_balancer] of zpki.toml, run `zpki apply`, and copy the file again.
";
    const APPLICATIONS_CA: &str = "\
#
# Put into ca-file what the applications' certificates are verified against: ca/ca-file.pem of
# another PKI directory. With this cluster's own CA each of them would pass for the load-balancer.
";
    const APPLICATIONS_CRL: &str = "\
#
# Put its ca/crl.pem into crl-file. HAProxy reads it when it is reloaded. An expired CRL keeps out
# every application that sends a certificate.
";

    #[test]
    fn a_front_end_that_asks_for_no_certificates() {
        let bind = "0.0.0.0:21223 ssl crt /tls/key-cert.pem";
        assert_eq!(
            frontend_of(ClientCertificate::None, None),
            frontend_text("none", NO_SERVER_AUTH, bind)
        );
        assert_eq!(
            frontend_of(ClientCertificate::None, Some("/tls/crl.pem")),
            frontend_text("none", "", bind)
        );
    }

    #[test]
    fn a_front_end_that_asks_for_certificates() {
        for (mode, word, port) in [
            (ClientCertificate::Optional, "optional", 31223),
            (ClientCertificate::Required, "required", 41223),
        ] {
            let bind = format!(
                "0.0.0.0:{port} ssl crt /tls/key-cert.pem verify {word} ca-file '/tls/the ca.pem'"
            );
            assert_eq!(
                frontend_of(mode, None),
                frontend_text(word, &[NO_SERVER_AUTH, APPLICATIONS_CA].concat(), &bind)
            );
            let comments = [APPLICATIONS_CA, APPLICATIONS_CRL].concat();
            let bind = format!("{bind} crl-file /tls/crl.pem");
            assert_eq!(
                frontend_of(mode, Some("/tls/crl.pem")),
                frontend_text(word, &comments, &bind)
            );
        }
    }
}
