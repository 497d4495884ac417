//! HAProxy loading the files, by `haproxy -c`.

use std::process::Stdio;

use crate::e2e::process::tool;

use super::pki::{ALGORITHMS, Pki, small_cluster};

#[test]
fn haproxy_loads_the_server_lines_with_crt_ca_file_and_crl_file() {
    let pki = Pki::of_cluster();
    let lines = pki.read("load-balancer/haproxy.cfg");
    let servers: Vec<_> = server_lines(&lines).collect();
    assert_eq!(servers.len(), 7);
    let folder = pki.path("load-balancer");
    for line in &servers {
        for (option, file) in [
            ("crt", "key-cert.pem"),
            ("ca-file", "ca.cert.pem"),
            ("crl-file", "crl.pem"),
        ] {
            let option = format!(" {option} {}/{file} ", folder.display());
            assert!(line.contains(&option), "{option} in {line}");
        }
    }
    assert_eq!(check(&pki, ""), None);
}

#[test]
fn haproxy_loads_the_key_cert_pem_of_every_algorithm_on_both_sides() {
    for algorithm in ALGORITHMS {
        let pki = Pki::of_algorithm(algorithm);
        let folder = pki.path("load-balancer").display().to_string();
        let bind = format!(
            "bind 127.0.0.1:27443 ssl crt {folder}/key-cert.pem ca-file {folder}/ca.cert.pem verify required crl-file {folder}/crl.pem"
        );
        assert_eq!(check(&pki, &bind), None, "{algorithm}");
    }
}

#[test]
fn haproxy_refuses_a_key_cert_pem_whose_halves_do_not_fit() {
    let (pki, other) = (Pki::of_cluster(), Pki::of(&small_cluster("ecdsa-p256")));
    let both = pki.read("load-balancer/key-cert.pem");
    let (key, _) = both.split_at(both.find("-----BEGIN CERTIFICATE").unwrap());
    let mixed = format!("{key}{}", other.read(&other.issued("load-balancer")));
    let mixed = pki.put("mixed.pem", &mixed);
    let bind = format!("bind 127.0.0.1:27443 ssl crt {}", mixed.display());
    let said = check(&pki, &bind).unwrap();
    assert!(
        said.contains("inconsistencies between private key and certificate"),
        "{said}"
    );
}

/// What HAProxy has against a configuration with the printed server lines and with `bind`; None for
/// nothing at all.
fn check(pki: &Pki, bind: &str) -> Option<String> {
    let bind = if bind.is_empty() {
        "bind 127.0.0.1:27080"
    } else {
        bind
    };
    let printed = pki.read("load-balancer/haproxy.cfg");
    let servers: Vec<_> = server_lines(&printed).collect();
    let configuration = format!(
        "\
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend front_http_plain
    {bind}
    default_backend bck_http_plain
backend bck_http_plain
    {}
",
        servers.join("\n    ")
    );
    let file = pki.put("haproxy.cfg", &configuration);
    let mut haproxy = tool("haproxy");
    let output = haproxy
        .args(["-c", "-f"])
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (!output.status.success() || said != "Configuration file is valid\n").then_some(said)
}

fn server_lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| line.starts_with("server "))
}
