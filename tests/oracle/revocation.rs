//! CRLs, as `openssl crl` and `openssl verify` see them.

use std::process::Command;

use time::OffsetDateTime;

use super::fields::date;
use super::pki::{ALGORITHMS, Pki, end_entities, small_cluster};
use crate::e2e::process::{python, run};

#[test]
fn the_crl_of_every_ca_is_signed_by_it_and_names_its_key() {
    for algorithm in ALGORITHMS {
        let pki = Pki::of_algorithm(algorithm);
        let said = pki.openssl("crl -in ca/crl.pem -CAfile ca/ca.cert.pem -noout");
        assert_eq!(said, "verify OK\n");

        let number = number(&pki);
        let text = pki.openssl("crl -in ca/crl.pem -noout -text");
        let extensions = format!(
            "\
        CRL extensions:
            X509v3 Authority Key Identifier: 
                {}
            X509v3 CRL Number: 
                {number}
No Revoked Certificates.
",
            key_identifier(&pki)
        );
        assert!(text.contains(&extensions), "{text}");
        assert!(
            text.contains("Version 2 (0x1)") && !text.contains("sha1"),
            "{text}"
        );
    }
}

#[test]
fn it_is_numbered_by_the_time_and_dated_from_an_hour_ago_to_a_year_from_now() {
    let now = || OffsetDateTime::now_utc().unix_timestamp();
    let before = now();
    let pki = Pki::of(&small_cluster("ecdsa-p256"));
    let number = number(&pki);
    assert!((before..=now()).contains(&number), "{number}");

    let dates = pki.openssl("crl -in ca/crl.pem -noout -lastupdate -nextupdate -dateopt iso_8601");
    let [this_update, next_update] = [0, 1].map(|line| date(dates.lines().nth(line).unwrap()));
    assert_eq!(this_update.unix_timestamp(), number - 3600);
    assert_eq!(next_update.unix_timestamp(), number + 365 * 86_400);
}

#[test]
fn every_chain_stands_with_the_crl_and_falls_with_one_of_another_ca() {
    let (pki, other) = (Pki::of_cluster(), Pki::of(&small_cluster("ecdsa-p256")));
    let verify = "verify -x509_strict -crl_check_all -CAfile ca/ca.cert.pem -CRLfile";
    for entity in end_entities() {
        pki.openssl(&format!("{verify} ca/crl.pem {}", entity.certificate));
    }
    let wrong = other.path("ca/crl.pem").display().to_string();
    let file = "servers/caller/zato-server-cert.pem";
    let said = pki.openssl_refuses(&format!("{verify} {wrong} {file}"));
    assert!(said.contains("unable to get certificate CRL"), "{said}");
}

#[test]
fn the_load_balancer_gets_the_crl_only_when_it_is_used() {
    let with = Pki::of_cluster();
    assert_eq!(with.read("load-balancer/crl.pem"), with.read("ca/crl.pem"));
    let without =
        Pki::of(&small_cluster("ecdsa-p256").replace("enabled = true", "enabled = false"));
    assert!(without.path("ca/crl.pem").exists());
    assert!(!without.path("load-balancer/crl.pem").exists());
    let lines = without.read("load-balancer/haproxy.cfg");
    assert!(!lines.contains("crl-file"), "{lines}");
}

/// By CAs of every algorithm, for every reason.
#[test]
fn openssl_reads_the_reason_of_every_entry_and_refuses_what_is_revoked() {
    for algorithm in ["ecdsa-p256", "ed25519", "rsa-2048"] {
        let pki = Pki::of(&small_cluster(algorithm));
        let said = [
            ("keyCompromise", "Key Compromise"),
            ("cACompromise", "CA Compromise"),
            ("affiliationChanged", "Affiliation Changed"),
            ("superseded", "Superseded"),
            ("cessationOfOperation", "Cessation Of Operation"),
            ("privilegeWithdrawn", "Privilege Withdrawn"),
        ];
        for (reason, shown) in said {
            pki.zpki("rekey server1 --force");
            pki.zpki(&format!("revoke server1 --superseded --reason {reason}"));
            let text = pki.openssl("crl -in ca/crl.pem -noout -text");
            assert!(text.contains(shown), "{reason}: {text}");
        }
        pki.zpki("revoke server1 --force");
        let said = pki.openssl("crl -in ca/crl.pem -CAfile ca/ca.cert.pem -noout");
        assert_eq!(said, "verify OK\n");
        let text = pki.openssl("crl -in ca/crl.pem -noout -text");
        assert_eq!(text.matches("Serial Number:").count(), 7);
        assert_eq!(text.matches("CRL Reason Code").count(), 6);
        let verify =
            "verify -x509_strict -crl_check_all -CAfile ca/ca.cert.pem -CRLfile ca/crl.pem";
        let server = "servers/server1/zato-server-cert.pem";
        let said = pki.openssl_refuses(&format!("{verify} {server}"));
        assert!(
            said.contains("error 23 at 0 depth lookup: certificate revoked"),
            "{said}"
        );
        pki.openssl(&format!("{verify} load-balancer/key-cert.pem"));
    }
}

/// As an application in Python checks it, which loads the CRL like a CA.
#[test]
fn python_refuses_what_is_revoked_and_nothing_else() {
    let pki = Pki::of(&small_cluster("ecdsa-p256"));
    let answer = |pki: &Pki| {
        let folder = pki.path("servers/server1");
        run(Command::new(python())
            .args(["-c", HANDSHAKE])
            .args([pki.path("ca/ca.cert.pem"), pki.path("ca/crl.pem")])
            .arg(folder.join("zato-server-cert.pem"))
            .arg(folder.join("zato-server-priv-key.pem")))
    };
    assert_eq!(answer(&pki), "accepted\n");
    pki.zpki("revoke server1 --force --reason keyCompromise");
    assert_eq!(answer(&pki), "23 certificate revoked\n");
    pki.zpki("rekey server1");
    assert_eq!(answer(&pki), "accepted\n");
}

/// A TLS handshake in memory; what the client says of the server.
const HANDSHAKE: &str = "
import ssl, sys
ca, crl, certificate, key = sys.argv[1:]
client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
client.check_hostname = False
client.load_verify_locations(ca)
client.load_verify_locations(crl)
client.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain(certificate, key)
one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
ends = [client.wrap_bio(one, other), server.wrap_bio(other, one, server_side=True)]
done = set()
try:
    while len(done) < 2:
        for end in ends:
            try:
                end.do_handshake()
                done.add(end)
            except ssl.SSLWantReadError:
                pass
    print('accepted')
except ssl.SSLCertVerificationError as error:
    print(error.verify_code, error.verify_message)
";

fn number(pki: &Pki) -> i64 {
    let shown = pki.openssl("crl -in ca/crl.pem -noout -crlnumber");
    let digits = shown.trim_end().strip_prefix("crlNumber=0x").unwrap();
    i64::from_str_radix(digits, 16).unwrap()
}

/// The CA's, as openssl shows it.
fn key_identifier(pki: &Pki) -> String {
    let shown = pki.openssl("x509 -in ca/ca.cert.pem -noout -ext subjectKeyIdentifier");
    shown.lines().nth(1).unwrap().trim().to_owned()
}
