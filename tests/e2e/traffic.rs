//! What zpki writes works.

use super::cluster::Cluster;
use super::process::{run, tool};
use super::site::Site;

#[test]
fn traffic_flows_without_client_certificates_with_p256() {
    traffic_flows("none", "ecdsa-p256");
}

#[test]
fn traffic_flows_without_client_certificates_with_rsa() {
    traffic_flows("none", "rsa-2048");
}

#[test]
fn traffic_flows_without_client_certificates_with_ed25519() {
    traffic_flows("none", "ed25519");
}

#[test]
fn traffic_flows_with_optional_client_certificates_with_p256() {
    traffic_flows("optional", "ecdsa-p256");
}

#[test]
fn traffic_flows_with_optional_client_certificates_with_rsa() {
    traffic_flows("optional", "rsa-2048");
}

#[test]
fn traffic_flows_with_optional_client_certificates_with_ed25519() {
    traffic_flows("optional", "ed25519");
}

#[test]
fn traffic_flows_with_required_client_certificates_with_p256() {
    traffic_flows("required", "ecdsa-p256");
}

#[test]
fn traffic_flows_with_required_client_certificates_with_rsa() {
    traffic_flows("required", "rsa-2048");
}

#[test]
fn traffic_flows_with_required_client_certificates_with_ed25519() {
    traffic_flows("required", "ed25519");
}

#[test]
fn a_layer_7_check_is_up_with_the_load_balancers_certificate() {
    let site = Site::init(&["--client-certificate", "required"]);
    site.check_with_requests();
    let cluster = Cluster::start(site);
    assert_eq!(cluster.health("server1"), "UP L7OK");
    assert_eq!(cluster.health("server2"), "UP L7OK");
    assert_eq!(cluster.answers(), "server1 server2");
}

#[test]
fn traffic_flows_when_the_servers_are_given_by_flags() {
    let cluster = Cluster::start(Site::init_by_flags(&["--client-certificate", "required"]));
    assert_eq!(cluster.health("server1"), "UP L6OK");
    assert_eq!(cluster.health("server2"), "UP L6OK");
    assert_eq!(cluster.answers(), "server1 server2");
}

#[test]
fn haproxy_accepts_the_lines_without_a_warning() {
    for mode in ["none", "optional", "required"] {
        let site = Site::init(&["--client-certificate", mode]);
        let said = run(tool("haproxy").arg("-c").arg("-f").arg(site.zato_config()));
        // Nothing at all from HAProxy 3.0 on.
        assert_eq!(
            said.replace("Configuration file is valid\n", ""),
            "",
            "{mode}"
        );
    }
}

fn traffic_flows(client_certificate: &str, key_algorithm: &str) {
    let cluster = Cluster::start(Site::init(&[
        "--client-certificate",
        client_certificate,
        "--key-algorithm",
        key_algorithm,
    ]));
    assert_eq!(cluster.health("server1"), "UP L6OK");
    assert_eq!(cluster.health("server2"), "UP L6OK");
    assert_eq!(cluster.answers(), "server1 server2");
    assert_eq!(cluster.get("/zato/ping"), (200, "pong".to_owned()));
}

#[test]
fn traffic_flows_with_the_old_certificates_when_the_ca_was_renewed() {
    let cluster = Cluster::start(Site::init(&["--client-certificate", "required"]));
    assert_eq!(cluster.answers(), "server1 server2");
    let site = cluster.end();
    let certificates = |site: &Site| {
        [
            "load-balancer/key-cert.pem",
            "servers/server1/zato-server-cert.pem",
        ]
        .map(|file| std::fs::read(site.path("demo").join(file)).unwrap())
    };
    let (old, anchor) = (certificates(&site), site.anchor());
    site.zpki(&["ca", "renew", "--force"]);
    assert_eq!(certificates(&site), old);
    assert_ne!(site.anchor(), anchor);
    site.install_trust_bundles();
    let cluster = Cluster::start(site);
    for server in ["server1", "server2"] {
        assert_eq!(cluster.health(server), "UP L6OK");
    }
    assert_eq!(cluster.answers(), "server1 server2");
}

#[test]
fn traffic_flows_under_an_intermediate_ca_with_required_client_certificates() {
    traffic_flows_under_an_intermediate_ca("required");
}

#[test]
fn traffic_flows_under_an_intermediate_ca_with_optional_client_certificates() {
    traffic_flows_under_an_intermediate_ca("optional");
}

fn traffic_flows_under_an_intermediate_ca(client_certificate: &str) {
    let site = Site::init(&["--client-certificate", client_certificate]);
    site.import_intermediate_ca();
    let cluster = Cluster::start(site);
    for server in ["server1", "server2"] {
        assert_eq!(cluster.health(server), "UP L6OK");
    }
    assert_eq!(cluster.answers(), "server1 server2");
    // With revocation HAProxy has a CRL for each CA of the path.
    let site = cluster.end();
    site.enable_revocation_up_to_the_root();
    let lines = std::fs::read_to_string(site.zato_config()).unwrap();
    assert_eq!(lines.matches(" crl-file ").count(), 2, "{lines}");
    let cluster = Cluster::start(site);
    for server in ["server1", "server2"] {
        assert_eq!(cluster.health(server), "UP L6OK");
    }
    assert_eq!(cluster.answers(), "server1 server2");
}
