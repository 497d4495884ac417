//! Certification paths, as `openssl verify` sees them: by libssl's defaults, which HAProxy has, and
//! by the strict rules, which Python 3.13 has.

use std::fs;

use super::pki::{ALGORITHMS, Pki, end_entities, small_cluster};

const PLAIN: &str = "verify -auth_level 2";
const STRICT: &str = "verify -auth_level 2 -x509_strict -check_ss_sig";

#[test]
fn every_certificate_is_good_for_its_purposes_and_for_no_others() {
    let pki = Pki::of_cluster();
    for entity in end_entities() {
        let file = &entity.certificate;
        for (purpose, meant) in [
            ("sslserver", entity.server_auth),
            ("sslclient", entity.client_auth),
        ] {
            for rules in [PLAIN, STRICT] {
                let words = format!("{rules} -CAfile ca/ca-file.pem -purpose {purpose} {file}");
                if meant {
                    assert_eq!(pki.openssl(&words), format!("{file}: OK\n"));
                } else {
                    let said = pki.openssl_refuses(&words);
                    assert!(said.contains("unsuitable certificate purpose"), "{said}");
                }
            }
        }
    }
}

#[test]
fn a_ca_of_every_algorithm_signs_what_openssl_takes() {
    for algorithm in ALGORITHMS {
        let pki = Pki::of_algorithm(algorithm);
        let server =
            "-purpose sslserver -verify_hostname server1.prod.internal -verify_ip 10.0.0.1";
        let server = format!("{server} servers/server1/zato-server-cert.pem");
        let load_balancer = "-purpose sslclient load-balancer/key-cert.pem";
        for rules in [PLAIN, STRICT] {
            let rules =
                format!("{rules} -CRLfile ca/crl.pem -crl_check_all -CAfile ca/ca.cert.pem");
            pki.openssl(&format!("{rules} {server}"));
            pki.openssl(&format!("{rules} {load_balancer}"));
        }
    }
}

#[test]
fn a_name_that_was_not_asked_for_is_refused() {
    let pki = Pki::of_cluster();
    let verify = format!("{STRICT} -CAfile ca/ca.cert.pem");
    let file = "servers/ecdsa-p256/zato-server-cert.pem";
    for name in [
        "-verify_hostname ecdsa-p256.prod.internal",
        "-verify_hostname one.apps.prod.internal",
        "-verify_ip 10.0.0.1",
        "-verify_ip fd00::1",
    ] {
        pki.openssl(&format!("{verify} {name} {file}"));
    }
    for (name, reason) in [
        (
            "-verify_hostname ecdsa-p384.prod.internal",
            "hostname mismatch",
        ),
        ("-verify_ip 10.0.0.2", "IP address mismatch"),
    ] {
        let said = pki.openssl_refuses(&format!("{verify} {name} {file}"));
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
fn another_cluster_of_the_same_name_does_not_vouch_for_it() {
    let (pki, other) = (
        Pki::of(&small_cluster("ecdsa-p256")),
        Pki::of(&small_cluster("ecdsa-p256")),
    );
    let ca = other.path("ca/ca.cert.pem");
    let file = "servers/server1/zato-server-cert.pem";
    let said = pki.openssl_refuses(&format!("{PLAIN} -CAfile {} {file}", ca.display()));
    assert!(
        said.contains("unable to get local issuer certificate"),
        "{said}"
    );
}

#[test]
fn every_copy_of_a_certificate_is_the_same() {
    let pki = Pki::of_cluster();
    let ca = pki.read("ca/ca.cert.pem");
    assert_eq!(pki.read(&pki.issued("ca")), ca);
    assert_eq!(pki.read("ca/ca-file.pem"), ca);
    for entity in end_entities() {
        let issued = pki.read(&pki.issued(entity.name));
        let key = pki.openssl(&format!("pkey -in {}", entity.key));
        let expected = if entity.name == "load-balancer" {
            key + &issued
        } else {
            issued
        };
        assert_eq!(pki.read(&entity.certificate), expected, "{}", entity.name);
        let folder = pki.path(&entity.certificate);
        let trust_bundle = fs::read_dir(folder.parent().unwrap())
            .unwrap()
            .find_map(|file| {
                let file = file.unwrap();
                let name = file.file_name().into_string().unwrap();
                ["ca.cert.pem", "zato-server-ca-certs.pem"]
                    .contains(&name.as_str())
                    .then(|| fs::read_to_string(file.path()).unwrap())
            });
        assert_eq!(trust_bundle.as_ref(), Some(&ca), "{}", entity.name);
    }
}
