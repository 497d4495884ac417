//! Name constraints: what zpki issues keeps to them, and what others sign with the CA's key against
//! them is refused, so they bind.

use webpki::Error;

use super::pki::{Pki, small_cluster};
use super::rustls_webpki::{Judge, server_auth};

const DOMAINS: &str = r#"permitted_domains = ["prod.internal"]"#;
const BOTH: &str = r#"permitted_domains = ["prod.internal"]
permitted_networks = ["10.0.0.0/8", "fd00::/8"]"#;

fn constrained(constraints: &str) -> Pki {
    let cluster = small_cluster("ecdsa-p256").replace("[ca]", &format!("[ca]\n{constraints}"));
    Pki::of(&match constraints {
        DOMAINS => cluster.replace(r#", "10.0.0.1"]"#, "]"),
        _ => cluster,
    })
}

#[test]
fn they_are_critical_and_leave_no_kind_of_host_open() {
    let shown = |constraints| {
        let pki = constrained(constraints);
        pki.openssl("x509 -in ca/ca.cert.pem -noout -ext nameConstraints")
    };
    assert_eq!(
        shown(DOMAINS),
        "\
X509v3 Name Constraints: critical
    Permitted:
      DNS:prod.internal
    Excluded:
      IP:0.0.0.0/0.0.0.0
      IP:0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0
"
    );
    assert_eq!(
        shown(BOTH),
        "\
X509v3 Name Constraints: critical
    Permitted:
      DNS:prod.internal
      IP:10.0.0.0/255.0.0.0
      IP:FD00:0:0:0:0:0:0:0/FF00:0:0:0:0:0:0:0
"
    );
}

#[test]
fn what_is_issued_within_them_is_taken() {
    for constraints in [DOMAINS, BOTH] {
        let pki = constrained(constraints);
        let verify = "verify -x509_strict -auth_level 2 -CRLfile ca/crl.pem -crl_check_all -CAfile ca/ca.cert.pem";
        let server = "servers/server1/zato-server-cert.pem";
        pki.openssl(&format!("{verify} -purpose sslserver {server}"));
        pki.openssl(&format!(
            "{verify} -purpose sslclient load-balancer/key-cert.pem"
        ));
        let judge = Judge::of(&pki);
        assert_eq!(judge.verdict(&pki.path(server), server_auth()), Ok(()));
    }
}

#[test]
fn what_is_signed_by_hand_against_them_is_refused() {
    let (permitted, excluded) = ("permitted subtree violation", "excluded subtree violation");
    for (constraints, host, reason) in [
        (DOMAINS, "DNS:server2.prod.internal", None),
        (DOMAINS, "DNS:server2.test.internal", Some(permitted)),
        (DOMAINS, "DNS:prod.internal.example", Some(permitted)),
        (DOMAINS, "IP:10.0.0.2", Some(excluded)),
        (DOMAINS, "IP:fd00::2", Some(excluded)),
        (BOTH, "DNS:server2.prod.internal", None),
        (BOTH, "IP:10.255.0.2", None),
        (BOTH, "IP:fd00::2", None),
        (BOTH, "DNS:server2.test.internal", Some(permitted)),
        (BOTH, "IP:11.0.0.2", Some(permitted)),
        (BOTH, "IP:fe80::2", Some(permitted)),
    ] {
        let pki = constrained(constraints);
        let by_hand = sign_by_hand(&pki, host);
        let verify = format!("verify -CAfile ca/ca.cert.pem -purpose sslserver {by_hand}");
        let verdict = Judge::of(&pki).verdict(by_hand.as_ref(), server_auth());
        match reason {
            None => {
                pki.openssl(&verify);
                assert_eq!(verdict, Ok(()), "{host}");
            }
            Some(reason) => {
                let said = pki.openssl_refuses(&verify);
                assert!(said.contains(reason), "{host}: {said}");
                assert_eq!(verdict, Err(Error::NameConstraintViolation), "{host}");
            }
        }
    }
}

/// A certificate that the openssl command signs with the CA's key.
fn sign_by_hand(pki: &Pki, host: &str) -> String {
    let path = |name: &str| pki.put(name, "").to_str().unwrap().to_owned();
    let (key, request, certificate) = (path("key.pem"), path("request.pem"), path("by-hand.pem"));
    let extensions = format!(
        "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n\
         extendedKeyUsage=serverAuth\nsubjectAltName={host}\n"
    );
    let extensions = pki.put("extensions", &extensions);
    pki.openssl(&format!(
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {key}"
    ));
    pki.openssl(&format!(
        "req -new -key {key} -subj /CN=by-hand -out {request}"
    ));
    pki.openssl(&format!(
        "x509 -req -in {request} -CA ca/ca.cert.pem -CAkey ca/ca.key.pem -days 1 -extfile {} -out {certificate}",
        extensions.display()
    ));
    certificate
}
