//! Client applications in front of HAProxy: the front-ends that zpki prints, with certificates that
//! another PKI directory issued.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use super::cluster::Cluster;
use super::process::{run, tool};
use super::site::Site;

const MODES: [&str; 3] = ["none", "optional", "required"];

/// The printed front-ends all at once, at ports of the site's own.
fn site(revocation: bool) -> Site {
    let site = Site::init(&["--client-certificate", "required"]);
    site.terminate_tls();
    if revocation {
        site.enable_revocation();
    }
    site.init_applications();
    for (mode, port) in MODES.into_iter().zip(PORTS) {
        let text = site.zpki(&["snippet", "frontend", "--client-certificate", mode]);
        site.add_frontend(&text, port);
    }
    site
}

/// Below the range that outgoing connections take theirs from.
const PORTS: [u16; 3] = [27230, 27231, 27232];

/// What a client gets: the status and the body of HAProxy's answer; nothing when the handshake fails.
fn ask(site: &Site, port: u16, certificate: Option<&str>, path: &str, header: &str) -> String {
    let mut command = tool("openssl");
    command
        .args(["s_client", "-quiet", "-verify_return_error", "-CAfile"])
        .arg(site.path("demo/ca/ca.cert.pem"))
        .arg("-connect")
        .arg(format!("{}:{port}", site.host()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(certificate) = certificate {
        command.arg("-cert").arg(site.path(certificate));
    }
    let mut client = command.spawn().unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: demo\r\n{header}Connection: close\r\n\r\n");
    // A client that was refused reads no request.
    let _ = client.stdin.take().unwrap().write_all(request.as_bytes());
    let answer = client.wait_with_output().unwrap().stdout;
    let answer = String::from_utf8(answer).unwrap();
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return String::new();
    };
    let status = head.split(' ').nth(1).unwrap();
    format!("{status} {}", body.trim())
}

const PROTO: &str = "/x-forwarded-proto";
const OURS: Option<&str> = Some("handed-out/app.pem");
const REVOKED: Option<&str> = Some("handed-out/old.pem");
/// The cluster's own: with it an application would pass for the load-balancer.
const CLUSTERS: Option<&str> = Some("demo/load-balancer/key-cert.pem");

#[test]
fn applications_come_in_by_the_front_ends_with_the_certificates_that_these_ask_for() {
    let cluster = Cluster::start(site(true));
    let site = cluster.site();
    let https = "200 https";
    for (mode, port, expected) in [
        ("none", PORTS[0], [https, https, https, https]),
        ("optional", PORTS[1], [https, https, "", ""]),
        ("required", PORTS[2], ["", https, "", ""]),
    ] {
        let answers = [None, OURS, REVOKED, CLUSTERS]
            .map(|certificate| ask(site, port, certificate, PROTO, ""));
        assert_eq!(answers, expected, "{mode}");
        let pretended = ask(site, port, OURS, PROTO, "X-Forwarded-Proto: https\r\n");
        assert!(pretended.starts_with("403 "), "{mode}: {pretended}");
    }
    assert_eq!(cluster.get(PROTO), (200, "none".to_owned()));
}

#[test]
fn haproxy_accepts_the_front_ends_without_a_warning() {
    for revocation in [false, true] {
        let site = site(revocation);
        let said = run(tool("haproxy").arg("-c").arg("-f").arg(site.zato_config()));
        assert_eq!(said.replace("Configuration file is valid\n", ""), "");
        let text = fs::read_to_string(site.zato_config()).unwrap();
        let crl_files = text.matches(" crl-file ").count();
        assert_eq!(crl_files, if revocation { 4 } else { 0 }, "{text}");
    }
}

/// Both commands exit with 0, or the test fails.
#[test]
fn zpki_has_nothing_against_its_front_ends_and_their_files_in_the_host_folder() {
    let site = site(true);
    let config = site.zato_config();
    site.zpki(&["check", "--haproxy", config.to_str().unwrap()]);
    site.zpki(&["plan", "--exit-code"]);
}
