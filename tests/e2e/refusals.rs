//! What must not work does not, and for the right reason.
//!
//! Each test starts its own processes, for a TLS session that is resumed is not verified again.

use super::cluster::{Cluster, start_server};
use super::site::Site;

#[test]
fn a_server_with_a_certificate_of_another_ca_is_refused() {
    let site = Site::init(&["--client-certificate", "none"]);
    let foreign = Site::init(&["--client-certificate", "none"]);
    site.take_certificate("server1", &foreign, "server1");
    let mut cluster = Cluster::start(site);
    assert_eq!(cluster.health("server1"), "DOWN L6RSP");
    assert_eq!(cluster.health("server2"), "UP L6OK");
    assert_eq!(cluster.answers(), "server2");
    cluster.wait_for_log("server1", "ALERT_UNKNOWN_CA");
}

#[test]
fn a_server_with_the_certificate_of_another_server_is_refused() {
    let site = Site::init(&["--client-certificate", "none"]);
    site.take_certificate("server1", &site, "server2");
    let cluster = Cluster::start(site);
    assert_eq!(cluster.health("server1"), "DOWN L6RSP");
    assert_eq!(cluster.health("server2"), "UP L6OK");
    assert_eq!(cluster.answers(), "server2");
}

#[test]
fn a_server_with_the_certificate_of_another_server_is_accepted_without_verifyhost() {
    let site = Site::init(&["--client-certificate", "none", "--no-verifyhost"]);
    site.take_certificate("server1", &site, "server2");
    let cluster = Cluster::start(site);
    assert_eq!(cluster.health("server1"), "UP L6OK");
    assert_eq!(cluster.health("server2"), "UP L6OK");
    assert_eq!(cluster.answers(), "server1 server2");
}

#[test]
fn a_server_is_refused_while_its_certificate_is_expired() {
    let site = Site::init(&["--client-certificate", "none"]);
    site.sign_anew("server1", -1);
    let mut cluster = Cluster::start(site);
    assert_eq!(cluster.health("server1"), "DOWN L6RSP");
    assert_eq!(cluster.health("server2"), "UP L6OK");
    assert_eq!(cluster.answers(), "server2");
    cluster.wait_for_log("server1", "ALERT_CERTIFICATE_EXPIRED");

    cluster.site().sign_anew("server1", 1);
    cluster.wait_until("server1", "UP L6OK");
    assert_eq!(cluster.answers(), "server1 server2");
}

#[test]
fn a_server_with_a_revoked_certificate_is_refused_until_it_has_a_new_one() {
    let site = Site::init(&["--client-certificate", "required"]);
    site.enable_revocation();
    let mut cluster = Cluster::start(site);
    assert_eq!(cluster.health("server1"), "UP L6OK");
    assert_eq!(cluster.answers(), "server1 server2");

    let leaked = ["revoke", "server1", "--force", "--reason=keyCompromise"];
    cluster.site().zpki(&leaked);
    cluster.restart_haproxy();
    assert_eq!(cluster.health("server1"), "DOWN L6RSP");
    assert_eq!(cluster.health("server2"), "UP L6OK");
    assert_eq!(cluster.answers(), "server2");
    cluster.wait_for_log("server1", "ALERT_CERTIFICATE_REVOKED");

    let other = ["revoke", "server2", "--force"];
    cluster.site().zpki(&other);
    cluster.restart_haproxy();
    assert_eq!(cluster.health("server2"), "DOWN L6RSP");
    assert_eq!(cluster.answers(), "503");

    // With nothing but its new key and certificate, a server is back.
    cluster.site().zpki(&["rekey", "server1"]);
    cluster.site().install_server("server1");
    cluster.wait_until("server1", "UP L6OK");
    assert_eq!(cluster.answers(), "server1");
}

/// Nothing tells the servers: they read no CRL.
#[test]
fn a_load_balancer_with_a_revoked_certificate_still_passes() {
    let site = Site::init(&["--client-certificate", "required"]);
    site.enable_revocation();
    let leaked = [
        "revoke",
        "load-balancer",
        "--force",
        "--reason=keyCompromise",
    ];
    site.zpki(&leaked);
    let cluster = Cluster::start(site);
    assert_eq!(cluster.health("server1"), "UP L6OK");
    assert_eq!(cluster.answers(), "server1 server2");
}

/// In TLS 1.3 the client has finished its handshake before the server looks at its certificate: the
/// check succeeds, the requests do not.
#[test]
fn a_load_balancer_without_a_certificate_gets_no_answer_where_one_is_required() {
    let site = Site::init(&["--client-certificate", "required"]);
    site.remove_crt();
    let mut cluster = Cluster::start(site);
    assert_eq!(cluster.health("server1"), "UP L6OK");
    assert_eq!(cluster.health("server2"), "UP L6OK");
    assert_no_answer(&cluster);
    cluster.wait_for_log("server1", "PEER_DID_NOT_RETURN_A_CERTIFICATE");
}

#[test]
fn a_layer_7_check_is_down_without_the_load_balancers_certificate() {
    let site = Site::init(&["--client-certificate", "required"]);
    site.remove_crt();
    site.check_with_requests();
    let mut cluster = Cluster::start(site);
    assert_eq!(cluster.status("server1"), "DOWN");
    assert_eq!(cluster.status("server2"), "DOWN");
    assert_eq!(cluster.answers(), "503");
    cluster.wait_for_log("server1", "PEER_DID_NOT_RETURN_A_CERTIFICATE");
}

#[test]
fn a_load_balancer_with_a_certificate_of_another_ca_gets_no_answer_where_one_is_required() {
    let site = Site::init(&["--client-certificate", "required"]);
    let foreign = Site::init(&["--client-certificate", "required"]);
    site.take_load_balancer_certificate(&foreign);
    let mut cluster = Cluster::start(site);
    assert_eq!(cluster.health("server1"), "UP L6OK");
    assert_eq!(cluster.health("server2"), "UP L6OK");
    assert_no_answer(&cluster);
    cluster.wait_for_log("server1", "CERTIFICATE_VERIFY_FAILED");
}

#[test]
fn a_layer_7_check_is_down_with_a_load_balancer_certificate_of_another_ca() {
    let site = Site::init(&["--client-certificate", "required"]);
    let foreign = Site::init(&["--client-certificate", "required"]);
    site.take_load_balancer_certificate(&foreign);
    site.check_with_requests();
    let mut cluster = Cluster::start(site);
    assert_eq!(cluster.status("server1"), "DOWN");
    assert_eq!(cluster.status("server2"), "DOWN");
    assert_eq!(cluster.answers(), "503");
    cluster.wait_for_log("server1", "CERTIFICATE_VERIFY_FAILED");
}

/// The check only opens a connection, so HAProxy sees nothing wrong.
#[test]
fn plain_http_gets_no_answer_from_a_server_with_tls() {
    let site = Site::init(&["--client-certificate", "none"]);
    site.remove_ssl();
    let mut cluster = Cluster::start(site);
    assert_eq!(cluster.health("server1"), "UP L4OK");
    assert_eq!(cluster.health("server2"), "UP L4OK");
    assert_no_answer(&cluster);
    cluster.wait_for_log("server1", "HTTP_REQUEST");
}

#[test]
fn a_server_without_tls_protocol_ends() {
    let site = Site::init(&["--client-certificate", "none"]);
    site.remove_setting("server1", "tls_protocol");
    let mut server = start_server(&site, "server1");
    assert_eq!(server.wait_for_end(), Some(1));
    assert_eq!(server.output(), "\nError: tls_protocol\n");
}

/// HAProxy says 502 when the server ends the connection after the request was sent, and 503 when that
/// was before, again and again: which of the two is a matter of time.
#[track_caller]
fn assert_no_answer(cluster: &Cluster) {
    let answers = cluster.answers();
    assert!(
        ["502", "502 503", "503"].contains(&answers.as_str()),
        "{answers}"
    );
}
