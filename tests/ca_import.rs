//! `zpki ca import`: CAs that openssl made, as companies have them, become a cluster's.

use std::fs;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use zpki::domain::certificate::RevocationList;
use zpki::domain::revocation::{Revocation, RevocationReason};
use zpki::domain::serial_number::SerialNumber;
use zpki::domain::validity::{Validity, show};
use zpki::x509::certificate::ParsedCertificate;
use zpki::x509::crl::{self, CrlTemplate};
use zpki::x509::issue::Authority;
use zpki::x509::pem;
use zpki::x509::private_key::PrivateKey;

use crate::sandbox::{DEMO, Outcome, Run, Sandbox};

/// openssl dates what it makes by the real clock.
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc() + Duration::MINUTE
}

fn zpki<'a>(sandbox: &'a Sandbox, args: &[&str]) -> Run<'a> {
    let args = [&["-C", "demo"], args].concat();
    sandbox.args(args).now(now())
}

const CLUSTER: &str = "\
[cluster]
name = \"demo\"

[load_balancer]
client_certificate = \"required\"

[[servers]]
name = \"server1\"
address = \"127.0.0.1:17010\"

[[servers]]
name = \"server2\"
address = \"127.0.0.1:17011\"
";

/// A directory with a zpki.toml that a person wrote, and no CA.
fn fresh() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file("demo/zpki.toml", CLUSTER);
    sandbox
}

const P256: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
const USAGE: &str = "keyUsage=critical,keyCertSign,cRLSign";
const BASIC: &str = "basicConstraints=critical,CA:TRUE";
const IDENTIFIER: &str = "subjectKeyIdentifier=hash";

/// A self-signed CA in NAME.crt and NAME.key.
fn root_with(sandbox: &Sandbox, name: &str, key: &[&str], subject: &str, extensions: &[&str]) {
    let config = "[req]\ndistinguished_name=dn\nstring_mask=MASK:0x2006\n[dn]\n";
    sandbox.file("openssl.cnf", config);
    let (certificate, private) = (format!("{name}.crt"), format!("{name}.key"));
    let mut args = vec![
        "req",
        "-x509",
        "-nodes",
        "-days",
        "3650",
        "-config",
        "openssl.cnf",
    ];
    args.extend([
        "-subj",
        subject,
        "-out",
        &certificate,
        "-keyout",
        &private,
        "-newkey",
    ]);
    args.extend(key);
    for extension in extensions {
        args.extend(["-addext", extension]);
    }
    sandbox.tool("openssl", &args);
}

fn root(sandbox: &Sandbox, name: &str) {
    let subject = format!("/O=Example/CN=Example {name}");
    root_with(sandbox, name, P256, &subject, &[BASIC, USAGE, IDENTIFIER]);
}

/// An intermediate CA in NAME.crt and NAME.key, by ISSUER.
fn intermediate(sandbox: &Sandbox, name: &str, issuer: &str, extensions: &str) {
    let file = |end: &str| format!("{name}.{end}");
    let (request, key, certificate) = (file("csr"), file("key"), file("crt"));
    let subject = format!("/O=Example/CN=Example {name}");
    let mut args = vec!["req", "-new", "-nodes", "-subj", &subject, "-out", &request];
    args.extend(["-keyout", &key, "-newkey"]);
    args.extend(P256);
    sandbox.tool("openssl", &args);
    let with = format!("{IDENTIFIER}\nauthorityKeyIdentifier=keyid:always\n{extensions}\n");
    sandbox.file("extensions", with);
    let (ca, ca_key) = (format!("{issuer}.crt"), format!("{issuer}.key"));
    let mut args = vec![
        "x509",
        "-req",
        "-days",
        "1825",
        "-in",
        &request,
        "-out",
        &certificate,
    ];
    args.extend(["-CA", &ca, "-CAkey", &ca_key, "-extfile", "extensions"]);
    sandbox.tool("openssl", &args);
}

fn plain_intermediate(sandbox: &Sandbox, name: &str, issuer: &str) {
    let extensions = format!("basicConstraints=critical,CA:TRUE,pathlen:0\n{USAGE}");
    intermediate(sandbox, name, issuer, &extensions);
}

/// A CRL of NAME, in NAME.crl.
fn crl(sandbox: &Sandbox, name: &str, days: &str) {
    dated_crl(sandbox, name, &["-crldays", days]);
}

fn dated_crl(sandbox: &Sandbox, name: &str, dates: &[&str]) {
    sandbox.file("index.txt", "").file("crlnumber", "01\n");
    let config =
        "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\n";
    sandbox.file("crl.cnf", config);
    let file = |end: &str| format!("{name}.{end}");
    let (certificate, key, list) = (file("crt"), file("key"), file("crl"));
    let args = ["ca", "-gencrl", "-config", "crl.cnf"];
    let files = ["-cert", &certificate, "-keyfile", &key, "-out", &list];
    sandbox.tool("openssl", &[&args[..], dates, &files].concat());
}

fn certificate(sandbox: &Sandbox, file: &str) -> ParsedCertificate {
    let bytes = fs::read(sandbox.path(file)).unwrap();
    let blocks = pem::scan(&bytes).into_iter().flatten();
    let block = blocks
        .into_iter()
        .find(|block| block.label == "CERTIFICATE");
    ParsedCertificate::from_der(&block.unwrap().contents).unwrap()
}

const LEAVES: [&str; 3] = [
    "demo/load-balancer/key-cert.pem",
    "demo/servers/server1/zato-server-cert.pem",
    "demo/servers/server2/zato-server-cert.pem",
];

/// `openssl verify`, with what a host sends and what its peer trusts.
fn verifies(sandbox: &Sandbox, leaf: &str, more: &[&str]) {
    let args = ["verify", "-x509_strict", "-auth_level", "2"];
    let files = ["-CAfile", "demo/ca/ca-file.pem", "-untrusted", leaf, leaf];
    sandbox.tool("openssl", &[&args[..], more, &files].concat());
}

/// Imports NAME, and lets `apply` issue: twice, the second time without a change.
fn import_and_apply(sandbox: &Sandbox, args: &[&str]) {
    zpki(sandbox, &[&["ca", "import"], args].concat())
        .run()
        .product();
    zpki(sandbox, &["apply"]).run().product();
    let before = sandbox.tree();
    zpki(sandbox, &["apply"]).run().stdout("unchanged\n");
    zpki(sandbox, &[&["ca", "import"], args].concat())
        .run()
        .product();
    assert_eq!(sandbox.tree().changes_since(&before, "demo"), [""; 0]);
}

#[track_caller]
fn refused(sandbox: &Sandbox, args: &[&str], status: i32, part: &str) {
    let before = sandbox.tree();
    let outcome: Outcome<'_> = zpki(sandbox, &[&["ca", "import"], args].concat()).run();
    outcome.status(status).stderr_with(part);
    assert_eq!(sandbox.tree().changes_since(&before, ""), [""; 0]);
}

#[test]
fn a_company_ca_issues_what_openssl_takes() {
    let all = [
        BASIC,
        USAGE,
        IDENTIFIER,
        "authorityKeyIdentifier=keyid:always",
    ];
    for (subject, key, form) in [
        (
            "/DC=com/DC=example/O=Example/OU=one/OU=two/CN=Example CA/emailAddress=ca@example.com",
            P256,
            &["ec"][..],
        ),
        (
            "/C=DE/O=Ex\u{e4}mple+OU=joined/CN=Ex\u{e4}mple CA",
            &["rsa:4096"],
            &["rsa", "-traditional", "-aes256", "-passout", "pass:horse"],
        ),
        (
            "/CN=a/CN=b",
            &["ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
            &["pkcs8", "-topk8", "-passout", "pass:horse"],
        ),
        ("/CN=Ed", &["ed25519"], &["pkey"]),
        (
            "/CN=DES",
            P256,
            &[
                "ec",
                "-des",
                "-passout",
                "pass:horse",
                "-provider",
                "legacy",
                "-provider",
                "default",
            ],
        ),
        (
            "/CN=3DES",
            P256,
            &[
                "pkcs8",
                "-topk8",
                "-v1",
                "PBE-SHA1-3DES",
                "-passout",
                "pass:horse",
            ],
        ),
        (
            "/CN=MD5-DES",
            P256,
            &[
                "pkcs8",
                "-topk8",
                "-v1",
                "PBE-MD5-DES",
                "-passout",
                "pass:horse",
                "-provider",
                "legacy",
                "-provider",
                "default",
            ],
        ),
    ] {
        let sandbox = fresh();
        root_with(&sandbox, "company", key, subject, &all);
        sandbox.tool(
            "openssl",
            &[form, &["-in", "company.key", "-out", "ca.key"]].concat(),
        );
        sandbox
            .file("passphrase", "horse\n")
            .mode("passphrase", 0o600);
        import_and_apply(
            &sandbox,
            &[
                "company.crt",
                "ca.key",
                "--key-passphrase-file=passphrase",
                "--no-ca-passphrase",
            ],
        );
        let company = certificate(&sandbox, "company.crt");
        assert_eq!(certificate(&sandbox, "demo/ca/ca.cert.pem"), company);
        for leaf in LEAVES {
            let leaf_certificate = certificate(&sandbox, leaf);
            assert_eq!(
                leaf_certificate.issuer_der, company.subject_der,
                "{subject}"
            );
            assert_eq!(
                leaf_certificate.details.authority_key_identifier,
                company.details.subject_key_identifier
            );
            verifies(
                &sandbox,
                leaf,
                &["-crl_check_all", "-CRLfile", "demo/ca/crl.pem"],
            );
        }
        zpki(&sandbox, &["check"]).run().product();
        zpki(&sandbox, &["expiry"]).run();
        assert!(!sandbox.path("demo/ca/chain.pem").exists());
        // It is not renewed by zpki: what it says besides would be lost.
        zpki(&sandbox, &["ca", "renew", "--force"]).run().status(73).stderr(
            "zpki: error: cannot renew the CA\n  at: ca/ca.cert.pem\n  because: zpki does not renew this \
             certificate: it was not made by zpki: its extension authorityKeyIdentifier would be lost or \
             changed\n  hint: have it renewed where it was made, then: zpki ca import CERT KEY\n",
        );
    }
}

#[test]
fn what_import_writes_has_its_modes_and_its_log() {
    let sandbox = fresh();
    root(&sandbox, "company");
    let before = sandbox.tree();
    zpki(&sandbox, &["ca", "import", "company.crt", "company.key", "--no-ca-passphrase"])
        .run()
        .stdout_with("its private key is in [root]/demo/ca/ca.key.pem (not encrypted)\n\nnext:\n  1. have it issue");
    assert_eq!(
        sandbox.tree().modes("demo/ca"),
        "0755 /\n0644 ca-file.pem\n0644 ca.cert.pem\n0600 ca.key.pem\n0644 crl.pem\n0755 issued/\n\
         0755 issued/ca/\n0644 issued/ca/SERIAL.pem\n0640 log.jsonl\n"
            .replace(
                "SERIAL",
                &certificate(&sandbox, "company.crt")
                    .details
                    .serial_number
                    .to_string()
            )
    );
    assert_eq!(sandbox.tree().changes_since(&before, "demo").len(), 9);
    let log = sandbox.read("demo/ca/log.jsonl");
    assert!(
        log.contains(r#""action":"ca-import","by":"tester (uid 1000)","name":"ca""#),
        "{log}"
    );
    let other = zpki(&sandbox, &["log"]).run().product();
    assert!(other.contains("ca-import"), "{other}");
}

#[test]
fn an_intermediate_ca_needs_a_path_to_its_root() {
    let sandbox = fresh();
    root(&sandbox, "root");
    root(&sandbox, "other");
    plain_intermediate(&sandbox, "issuing", "root");
    let import = ["issuing.crt", "issuing.key", "--no-ca-passphrase"];
    let lacking = "because: nothing leads to a self-signed root: the certificate of \
                   `O=Example,CN=Example root` is lacking\n";
    refused(&sandbox, &import, 66, lacking);
    let wrong = [&import[..], &["--chain=other.crt"]].concat();
    refused(&sandbox, &wrong, 65, lacking);
    let right = [&import[..], &["--chain=root.crt"]].concat();
    import_and_apply(&sandbox, &right);
    let (issuing, root) = (sandbox.read("issuing.crt"), sandbox.read("root.crt"));
    assert_eq!(sandbox.read("demo/ca/chain.pem"), root);
    for bundle in [
        "ca/ca-file.pem",
        "load-balancer/ca.cert.pem",
        "servers/server1/zato-server-ca-certs.pem",
    ] {
        assert_eq!(sandbox.read(format!("demo/{bundle}")), root);
    }
    for leaf in LEAVES {
        assert!(sandbox.read(leaf).ends_with(&issuing));
        verifies(&sandbox, leaf, &[]);
    }
    zpki(&sandbox, &["check"]).run().product();
    zpki(&sandbox, &["expiry"]).run();
    let shown = zpki(&sandbox, &["ca", "show"]).run().product();
    assert!(
        shown.contains("chain                   O=Example,CN=Example root (until "),
        "{shown}"
    );
    assert!(
        shown.contains("ca renew                no: another CA signed it\n"),
        "{shown}"
    );
    let full = zpki(&sandbox, &["export", "server1", "--format=fullchain"])
        .run()
        .product();
    assert_eq!(full, sandbox.read(LEAVES[1]));
    zpki(&sandbox, &["ca", "renew"])
        .run()
        .status(73)
        .stderr_with("another CA signed it");
    zpki(&sandbox, &["renew", "--all", "--force"])
        .run()
        .product();
    for leaf in LEAVES {
        verifies(&sandbox, leaf, &[]);
    }
}

/// What `issue` put into a host folder is the CA's as much as an entry's certificate.
#[test]
fn the_client_of_issue_follows_its_ca_or_is_told_of() {
    let sandbox = fresh();
    root(&sandbox, "root");
    plain_intermediate(&sandbox, "issuing", "root");
    let import = [
        "issuing.crt",
        "issuing.key",
        "--no-ca-passphrase",
        "--chain=root.crt",
    ];
    import_and_apply(&sandbox, &import);
    zpki(&sandbox, &["issue", "cron", "--role=client"])
        .run()
        .product();
    zpki(&sandbox, &["check"]).run().product();
    // The intermediate is renewed: the same key and name.
    let renew = [
        "x509",
        "-req",
        "-days=1700",
        "-in=issuing.csr",
        "-out=issuing.crt",
        "-CA=root.crt",
        "-CAkey=root.key",
        "-extfile=extensions",
    ];
    let renew: Vec<&str> = renew.iter().flat_map(|it| it.split('=')).collect();
    sandbox.tool("openssl", &renew);
    zpki(&sandbox, &[&["ca", "import"], &import[..]].concat())
        .run()
        .product();
    let planned = zpki(&sandbox, &["plan"]).run().product();
    let file = "clients/cron/client.cert.pem";
    let line = format!("write   {file}");
    assert!(planned.contains(&line), "{planned}");
    zpki(&sandbox, &["apply"]).run().product();
    let leaf = format!("demo/{file}");
    assert!(sandbox.read(&leaf).ends_with(&sandbox.read("issuing.crt")));
    verifies(&sandbox, &leaf, &["-purpose", "sslclient"]);
    zpki(&sandbox, &["check"]).run().product();
    zpki(&sandbox, &["plan"]).run().stdout("nothing to do\n");
    // Under another CA nobody takes it any more.
    root(&sandbox, "other");
    let import = [
        "ca",
        "import",
        "other.crt",
        "other.key",
        "--no-ca-passphrase",
        "--force",
    ];
    zpki(&sandbox, &import).run().product();
    zpki(&sandbox, &["apply"]).run().product();
    let (status, found) = zpki(&sandbox, &["check"]).run().answer();
    assert_eq!(status, 2);
    assert!(found.contains(file), "{found}");
}

#[test]
fn what_is_no_key_in_pem_is_said_to_be_none() {
    let sandbox = fresh();
    root(&sandbox, "root");
    let der = [
        "ec", "-in", "root.key", "-outform", "DER", "-out", "root.der",
    ];
    sandbox.tool("openssl", &der);
    let import = |key| ["root.crt", key, "--no-ca-passphrase"];
    refused(
        &sandbox,
        &import("root.der"),
        65,
        "root.der\n  because: it is not PEM; DER, by its first octet\n  \
         hint: convert it: openssl pkey -inform DER -in FILE -out NEW\n",
    );
    sandbox.tool(
        "sh",
        &["-c", "openssl pkey -inform DER -in root.der -out new.pem"],
    );
    zpki(
        &sandbox,
        &[&["ca", "import"], &import("new.pem")[..]].concat(),
    )
    .run()
    .product();
    sandbox.file("text", "no key\n");
    let hint = "it has no PEM block\n  hint: name the file of the CA's private key, in PEM\n";
    refused(&sandbox, &import("text"), 65, hint);
    let absent = "at: absent\n  because: no such file or directory\n";
    refused(&sandbox, &import("absent"), 66, absent);
}

#[test]
fn a_chain_that_is_lost_empties_no_trust_bundle() {
    let sandbox = fresh();
    root(&sandbox, "root");
    root(&sandbox, "other");
    plain_intermediate(&sandbox, "issuing", "root");
    let import = [
        "issuing.crt",
        "issuing.key",
        "--chain=root.crt",
        "--no-ca-passphrase",
    ];
    import_and_apply(&sandbox, &import);
    let before = sandbox.tree();
    for chain in ["", &sandbox.read("issuing.crt"), &sandbox.read("other.crt")] {
        sandbox.file("demo/ca/chain.pem", chain);
        for command in ["plan", "apply"] {
            zpki(&sandbox, &[command]).run().status(65).stderr_with(
                "  at: [root]/demo/ca/chain.pem\n  because: nothing in it leads from the CA to a self-signed \
                 root\n  hint: restore it from a backup, or import the CA again: zpki ca import\n",
            );
        }
        let status = zpki(&sandbox, &["check"]).run().status_alone();
        assert_ne!(status, 0, "{chain}");
    }
    zpki(&sandbox, &[&["ca", "import"], &import[..]].concat())
        .run()
        .product();
    assert_eq!(
        sandbox.tree().changes_since(&before, "demo"),
        ["~ ca/log.jsonl"]
    );
    zpki(&sandbox, &["apply"]).run().stdout("unchanged\n");
}

#[test]
fn a_chain_of_several_may_stand_in_any_order_and_in_the_same_file() {
    let sandbox = fresh();
    root(&sandbox, "root");
    intermediate(&sandbox, "policy", "root", &format!("{BASIC}\n{USAGE}"));
    plain_intermediate(&sandbox, "issuing", "policy");
    let all = ["root", "issuing", "policy"].map(|name| sandbox.read(format!("{name}.crt")));
    sandbox.file("all.crt", all.concat());
    import_and_apply(&sandbox, &["all.crt", "issuing.key", "--no-ca-passphrase"]);
    assert_eq!(
        sandbox.read("demo/ca/chain.pem"),
        [&*all[2], &*all[0]].concat()
    );
    for leaf in LEAVES {
        assert!(sandbox.read(leaf).ends_with(&[&*all[1], &*all[2]].concat()));
        verifies(&sandbox, leaf, &[]);
    }
    zpki(&sandbox, &["check"]).run().product();
}

#[test]
fn revocation_under_an_intermediate_needs_the_crls_above() {
    let sandbox = fresh();
    root(&sandbox, "root");
    root(&sandbox, "other");
    plain_intermediate(&sandbox, "issuing", "root");
    for name in ["root", "other"] {
        crl(&sandbox, name, "30");
    }
    let import = [
        "issuing.crt",
        "issuing.key",
        "--chain=root.crt",
        "--no-ca-passphrase",
    ];
    let enabled = |extra: &str| {
        let text = format!("{CLUSTER}\n[revocation]\nenabled = true\n{extra}");
        sandbox.file("demo/zpki.toml", text);
    };
    enabled("");
    let lacking = "  at: [revocation] extra_crls\n  because: there is no CRL of `O=Example,CN=Example \
                   root`: with a crl-file HAProxy wants one for every CA of the path, and takes every \
                   server down that lacks one\n  hint: name a fresh CRL";
    refused(&sandbox, &import, 78, lacking);
    enabled("extra_crls = [\"../absent.crl\"]\n");
    refused(&sandbox, &import, 78, "because: it is not there\n");
    enabled("extra_crls = [\"/dev/zero\"]\n");
    refused(
        &sandbox,
        &import,
        78,
        "at: /dev/zero\n  because: it is not a regular file\n  hint: name a fresh CRL of each CA above in extra_crls",
    );
    enabled("extra_crls = [\"../other.crl\"]\n");
    refused(
        &sandbox,
        &import,
        78,
        "because: it is by `O=Example,CN=Example other`, and not signed by",
    );
    sandbox.tool(
        "openssl",
        &[
            "crl", "-in", "root.crl", "-outform", "DER", "-out", "root.der",
        ],
    );
    enabled("extra_crls = [\"../root.der\"]\n");
    import_and_apply(&sandbox, &import);
    let both = sandbox.read("demo/load-balancer/crl.pem");
    assert_eq!(
        both,
        sandbox.read("demo/ca/crl.pem") + &sandbox.read("root.crl")
    );
    for leaf in LEAVES {
        verifies(
            &sandbox,
            leaf,
            &["-crl_check_all", "-CRLfile", "demo/load-balancer/crl.pem"],
        );
    }
    zpki(&sandbox, &["check"]).run().product();
    let soon = sandbox.args(["-C", "demo", "expiry"]);
    let (status, said) = soon.now(now() + Duration::days(25)).run().answer();
    assert!(status == 1 && said.contains("root.der"), "{status} {said}");
    // One that has expired is said, and keeps nothing else from being done.
    let later = now() + Duration::days(31);
    let before = sandbox.tree();
    let apply = sandbox.args(["-C", "demo", "apply"]).now(later).run();
    apply
        .status(0)
        .stdout("unchanged\n")
        .stderr_with("(nextUpdate)\n");
    assert_eq!(sandbox.tree().changes_since(&before, "demo"), [""; 0]);
    let revoke = [
        "-C",
        "demo",
        "revoke",
        "server1",
        "--force",
        "--reason=keyCompromise",
    ];
    let revoke = sandbox.args(revoke).now(later).run();
    revoke
        .status(0)
        .stdout_with("sign-crl")
        .stderr_with("critical: ");
    assert_eq!(
        sandbox.read("demo/load-balancer/crl.pem"),
        sandbox.read("demo/ca/crl.pem") + &sandbox.read("root.crl")
    );
    let rekey = ["-C", "demo", "rekey", "server1"];
    sandbox.args(rekey).now(later).run().product();
    // One that is gone: the CRL is signed all the same, and HAProxy's stays.
    fs::rename(sandbox.path("root.der"), sandbox.path("gone.der")).unwrap();
    let haproxy = sandbox.read("demo/load-balancer/crl.pem");
    let signed = sandbox.args(["-C", "demo", "crl"]).now(later).run();
    signed
        .status(0)
        .stdout_with("sign-crl")
        .stderr_with("it is not there; load-balancer/crl.pem stays as it is\n");
    assert_eq!(sandbox.read("demo/load-balancer/crl.pem"), haproxy);
    fs::rename(sandbox.path("gone.der"), sandbox.path("root.der")).unwrap();
    // What has nothing to do with it goes on.
    let renew = ["-C", "demo", "renew", "server1", "--force"];
    sandbox.args(renew).now(later).run().product();
    // A fresh one is put in place.
    crl(&sandbox, "root", "300");
    fs::copy(sandbox.path("root.crl"), sandbox.path("root.der")).unwrap();
    let plan = sandbox
        .args(["-C", "demo", "plan"])
        .now(later)
        .run()
        .product();
    assert!(plan.contains("load-balancer/crl.pem  differs"), "{plan}");
    sandbox
        .args(["-C", "demo", "apply"])
        .now(later)
        .run()
        .product();
    assert!(
        sandbox
            .read("demo/load-balancer/crl.pem")
            .ends_with(&sandbox.read("root.crl"))
    );
}

#[test]
fn a_crl_of_a_ca_above_that_is_not_valid_yet_is_not_given_to_haproxy() {
    let sandbox = fresh();
    root(&sandbox, "root");
    plain_intermediate(&sandbox, "issuing", "root");
    let text = format!("{CLUSTER}\n[revocation]\nenabled = true\nextra_crls = [\"../root.crl\"]\n");
    sandbox.file("demo/zpki.toml", text);
    let early = || {
        let utc = |at: OffsetDateTime| {
            let (year, month, day) = at.to_calendar_date();
            format!("{year}{:02}{day:02}000000Z", u8::from(month))
        };
        let (begins, ends) = (
            utc(now() + Duration::days(2)),
            utc(now() + Duration::days(30)),
        );
        let dates = ["-crl_lastupdate", &begins, "-crl_nextupdate", &ends];
        dated_crl(&sandbox, "root", &dates);
    };
    let import = [
        "issuing.crt",
        "issuing.key",
        "--chain=root.crt",
        "--no-ca-passphrase",
    ];
    early();
    refused(
        &sandbox,
        &import,
        78,
        "because: it is not valid yet (thisUpdate ",
    );
    crl(&sandbox, "root", "30");
    import_and_apply(&sandbox, &import);
    // What HAProxy has is better: it stays, and nothing else waits.
    early();
    let before = sandbox.tree();
    let apply = zpki(&sandbox, &["apply"]).run();
    apply
        .status(0)
        .stdout("unchanged\n")
        .stderr_with("load-balancer/crl.pem stays as it is\n");
    assert_eq!(sandbox.tree().changes_since(&before, "demo"), [""; 0]);
    let haproxy = sandbox.read("demo/load-balancer/crl.pem");
    let signed = zpki(&sandbox, &["crl"]).run();
    signed
        .status(0)
        .stdout_with("sign-crl")
        .stderr_with("it is not valid yet (thisUpdate ");
    assert_eq!(sandbox.read("demo/load-balancer/crl.pem"), haproxy);
    // Where HAProxy has none, apply is refused.
    fs::remove_file(sandbox.path("demo/load-balancer/crl.pem")).unwrap();
    let before = sandbox.tree();
    let apply = zpki(&sandbox, &["apply"]).run();
    apply
        .status(78)
        .stderr_with("because: it is not valid yet (thisUpdate ");
    assert_eq!(sandbox.tree().changes_since(&before, "demo"), [""; 0]);
}

#[test]
fn what_is_no_ca_for_this_cluster_is_refused_with_every_reason() {
    let sandbox = fresh();
    let none = "--no-ca-passphrase";
    for (name, extensions, parts) in [
        (
            "leaf",
            &["basicConstraints=critical,CA:FALSE", IDENTIFIER][..],
            &["it is no CA's (basicConstraints)"][..],
        ),
        (
            "nocrl",
            &[BASIC, "keyUsage=critical,keyCertSign", IDENTIFIER],
            &["its keyUsage lacks cRLSign"],
        ),
        (
            "nosign",
            &[BASIC, "keyUsage=critical,digitalSignature", IDENTIFIER],
            &[
                "its keyUsage lacks keyCertSign",
                "its keyUsage lacks cRLSign",
            ],
        ),
        (
            "purpose",
            &[BASIC, USAGE, IDENTIFIER, "extendedKeyUsage=serverAuth"],
            &["its extendedKeyUsage does not allow clientAuth"],
        ),
        ("noid", &[BASIC, USAGE], &["it has no subjectKeyIdentifier"]),
        (
            "names",
            &[
                BASIC,
                USAGE,
                IDENTIFIER,
                "nameConstraints=critical,permitted;DNS:example.org",
            ],
            &["a certificate by it for `load-balancer` would be refused: "],
        ),
    ] {
        let extensions: Vec<&str> = match name {
            "noid" => [extensions, &["subjectKeyIdentifier=none"]].concat(),
            _ => extensions.to_vec(),
        };
        root_with(&sandbox, name, P256, "/CN=Example", &extensions);
        for part in parts {
            refused(
                &sandbox,
                &[&format!("{name}.crt"), &format!("{name}.key"), none],
                65,
                part,
            );
        }
    }
    root(&sandbox, "company");
    refused(
        &sandbox,
        &["company.crt", "leaf.key", none],
        65,
        "because: the private key in `leaf.key` is not that of",
    );
    refused(
        &sandbox,
        &["absent.crt", "company.key", none],
        66,
        "at: absent.crt\n",
    );
    refused(
        &sandbox,
        &["company.crt", "absent.key", none],
        66,
        "at: absent.key\n",
    );
    refused(
        &sandbox,
        &["company.key", "company.key", none],
        65,
        "because: there is no certificate in it\n",
    );
    refused(
        &sandbox,
        &["company.crt", "company.key"],
        64,
        "because: the new passphrase was not given",
    );
    let p521 = ["ec", "-pkeyopt", "ec_paramgen_curve:P-521"];
    root_with(
        &sandbox,
        "p521",
        &p521,
        "/CN=Example",
        &[BASIC, USAGE, IDENTIFIER],
    );
    refused(
        &sandbox,
        &["p521.crt", "p521.key", none],
        65,
        "which zpki does not use",
    );
    // pathlen:0 above it, and a signature that nobody takes.
    let zero = "basicConstraints=critical,CA:TRUE,pathlen:0";
    root_with(
        &sandbox,
        "short",
        P256,
        "/CN=Short",
        &[zero, USAGE, IDENTIFIER],
    );
    plain_intermediate(&sandbox, "deep", "short");
    refused(
        &sandbox,
        &["deep.crt", "deep.key", "--chain=short.crt", none],
        65,
        "would be refused: ",
    );
    let args = ["ca", "import", "company.crt", "company.key", none];
    let long_after = now() + Duration::days(3651);
    let run = sandbox
        .args([&["-C", "demo"], &args[..]].concat())
        .now(long_after)
        .run();
    run.status(65).stderr_with("because: it expired on ");
    let soon = now() + Duration::days(3640);
    let run = sandbox
        .args([&["-C", "demo"], &args[..]].concat())
        .now(soon)
        .run();
    run.status(65)
        .stderr_with("too soon for a certificate of the lifetime that zpki.toml has");
    let outside = Sandbox::new();
    root(&outside, "company");
    fs::create_dir(outside.path("demo")).unwrap();
    zpki(&outside, &args)
        .run()
        .status(66)
        .stderr_with("it has no zpki.toml");
}

#[test]
fn a_sha_1_root_is_warned_of_and_a_sha_1_intermediate_refused() {
    let refuses = fresh();
    root(&refuses, "root");
    plain_intermediate(&refuses, "issuing", "root");
    let args = [
        "x509",
        "-req",
        "-sha1",
        "-days",
        "100",
        "-in",
        "issuing.csr",
        "-out",
        "weak.crt",
    ];
    let by = [
        "-CA",
        "root.crt",
        "-CAkey",
        "root.key",
        "-extfile",
        "extensions",
    ];
    refuses.tool("openssl", &[&args[..], &by].concat());
    let import = [
        "weak.crt",
        "issuing.key",
        "--chain=root.crt",
        "--no-ca-passphrase",
    ];
    refused(
        &refuses,
        &import,
        65,
        "its signature has 63 bits of security, and 112 are needed",
    );

    let sandbox = fresh();
    root_with(
        &sandbox,
        "old",
        &["rsa:2048", "-sha1"],
        "/CN=Old",
        &[BASIC, USAGE, IDENTIFIER],
    );
    zpki(
        &sandbox,
        &["ca", "import", "old.crt", "old.key", "--no-ca-passphrase"],
    )
    .run()
    .stdout_with("the CA of `demo` is CN=Old")
    .stderr_with("warning: ca/ca.cert.pem: its own signature is made with SHA-1");
}

#[test]
fn a_ca_that_is_in_use_is_replaced_only_with_force() {
    let sandbox = Sandbox::new();
    let init = sandbox.args(DEMO).now(now());
    init.run().product();
    root(&sandbox, "company");
    let import = ["company.crt", "company.key", "--no-ca-passphrase"];
    refused(
        &sandbox,
        &import,
        73,
        "are in use (3)\n  hint: give --force to replace it: until `zpki apply` has run",
    );
    let old = certificate(&sandbox, "demo/ca/ca.cert.pem")
        .details
        .serial_number;
    let files = ["ca.cert.pem", "ca.key.pem", "crl.pem"];
    let kept = files.map(|file| sandbox.read(format!("demo/ca/{file}")));
    let before = sandbox.tree();
    let forced = [&["ca", "import"], &import[..], &["--force"]].concat();
    let told = zpki(&sandbox, &forced).run().product();
    assert!(
        told.contains(&format!(
            "what stood in its place is in ca/previous/{old}\n"
        )),
        "{told}"
    );
    let new = certificate(&sandbox, "company.crt").details.serial_number;
    let changes = sandbox.tree().changes_since(&before, "demo");
    let serial = |text: &str| text.replace("NEW", &new.to_string());
    assert_eq!(
        changes,
        [
            "~ ca/ca-file.pem",
            "~ ca/ca.cert.pem",
            "~ ca/ca.key.pem",
            "~ ca/crl.pem",
            "+ ca/issued/ca/NEW.pem",
            "~ ca/log.jsonl",
            "+ ca/previous",
            "+ ca/previous/[serial]",
            "+ ca/previous/[serial]/ca.cert.pem",
            "+ ca/previous/[serial]/ca.key.pem",
            "+ ca/previous/[serial]/crl.pem",
        ]
        .map(serial)
    );
    let modes = sandbox.tree().modes("demo/ca/previous");
    assert_eq!(
        modes,
        "0700 /\n0700 [serial]/\n0644 [serial]/ca.cert.pem\n0600 [serial]/ca.key.pem\n0644 [serial]/crl.pem\n"
    );
    let found = files.map(|file| sandbox.read(format!("demo/ca/previous/{old}/{file}")));
    assert_eq!(found, kept);
    let plan = zpki(&sandbox, &["plan"]).run().product();
    for name in ["load-balancer", "server1", "server2"] {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let expected = format!("renew {name} CA changed");
        assert!(plan.lines().any(|line| words(line) == expected), "{plan}");
    }
    zpki(&sandbox, &["apply"]).run().product();
    for leaf in LEAVES {
        verifies(&sandbox, leaf, &[]);
    }
    zpki(&sandbox, &["check"]).run().product();
    let listed = zpki(&sandbox, &["list", "--verbose"]).run().product();
    assert!(
        listed.lines().nth(1).unwrap().contains(&new.to_string()),
        "{listed}"
    );
    let shown = zpki(&sandbox, &["show", "ca"]).run().product();
    assert!(shown.contains("O=Example,CN=Example company"), "{shown}");
    let expiry = zpki(&sandbox, &["expiry", "-v"]).run().product();
    assert!(!expiry.contains("demo cluster CA"), "{expiry}");
    // The same again is nothing new; and the old one can come back from where it is kept.
    zpki(&sandbox, &[&["ca", "import"], &import[..]].concat())
        .run()
        .stdout("unchanged\n");
    let [certificate, key, crl] = files.map(|file| format!("demo/ca/previous/{old}/{file}"));
    let crl = format!("--crl={crl}");
    let back = [
        "ca",
        "import",
        &certificate,
        &key,
        &crl,
        "--no-ca-passphrase",
        "--force",
    ];
    zpki(&sandbox, &back).run().product();
    assert_eq!(sandbox.read("demo/ca/ca.cert.pem"), kept[0]);
}

/// The trust bundles alone would shut out every host that has its certificate of the former CA.
#[test]
fn check_leads_from_a_ca_that_was_imported_to_apply() {
    let sandbox = Sandbox::new();
    sandbox.args(DEMO).now(now()).run().product();
    root(&sandbox, "company");
    import(&sandbox, &COMPANY);
    let (status, [told, _]) = zpki(&sandbox, &["check"]).run().all();
    let here = sandbox.path("demo");
    let next = format!("next: write it again: zpki -C {} apply\n", here.display());
    assert_eq!(status, 1, "{told}");
    assert_eq!(told.matches(&next).count(), 3, "{told}");
    assert!(!told.contains("copy "), "{told}");
    zpki(&sandbox, &["apply"]).run().product();
    zpki(&sandbox, &["check"]).run().product();
}

#[test]
fn check_has_an_intermediate_ca_renewed_where_it_was_made() {
    let sandbox = fresh();
    root(&sandbox, "company");
    plain_intermediate(&sandbox, "issuing", "company");
    let chain = ["issuing.crt", "issuing.key", "--chain", "company.crt"];
    let more = ["--no-ca-passphrase", "-q"];
    import_and_apply(&sandbox, &[&chain[..], &more].concat());
    let ended = ["check", "--at", "2100-01-01"];
    let (_, [told, _]) = zpki(&sandbox, &ended).run().all();
    let here = sandbox.path("demo");
    let next = format!(
        "(ca-expired)\n  next: have it renewed where it was made, then: zpki -C {} ca import CERT KEY\n",
        here.display()
    );
    assert!(told.contains(&next), "{told}");
}

#[test]
fn the_renewed_certificate_of_the_same_ca_changes_no_leaf() {
    let sandbox = fresh();
    root(&sandbox, "root");
    plain_intermediate(&sandbox, "issuing", "root");
    sandbox
        .file("passphrase", "horse\n")
        .mode("passphrase", 0o600);
    let stored = "--ca-passphrase-file=passphrase";
    zpki(
        &sandbox,
        &[
            "ca",
            "import",
            "issuing.crt",
            "issuing.key",
            "--chain=root.crt",
            stored,
        ],
    )
    .run()
    .product();
    zpki(&sandbox, &["apply", stored]).run().product();
    let request = "issuing.csr";
    let args = [
        "x509",
        "-req",
        "-days",
        "3000",
        "-in",
        request,
        "-out",
        "renewed.crt",
    ];
    let by = [
        "-CA",
        "root.crt",
        "-CAkey",
        "root.key",
        "-extfile",
        "extensions",
    ];
    sandbox.tool("openssl", &[&args[..], &by].concat());
    let before = sandbox.tree();
    // With the key that is in its place, which stays as it is.
    zpki(
        &sandbox,
        &[
            "ca",
            "import",
            "renewed.crt",
            "demo/ca/ca.key.pem",
            "--chain=root.crt",
            stored,
        ],
    )
    .run()
    .stdout_with("its private key is in [root]/demo/ca/ca.key.pem (encrypted)\n");
    let serial = certificate(&sandbox, "renewed.crt").details.serial_number;
    let inventory = format!("+ ca/issued/ca/{serial}.pem");
    assert_eq!(
        sandbox.tree().changes_since(&before, "demo"),
        ["~ ca/ca.cert.pem", &inventory, "~ ca/log.jsonl"]
    );
    // Only what is sent behind the certificates changes.
    let plan = zpki(&sandbox, &["plan"]).run().product();
    assert!(
        !plan.contains("renew") && plan.contains("zato-server-cert.pem  differs"),
        "{plan}"
    );
    zpki(&sandbox, &["apply"]).run().product();
    for leaf in LEAVES {
        verifies(&sandbox, leaf, &[]);
    }
}

#[test]
fn its_crl_becomes_the_record() {
    let sandbox = fresh();
    root(&sandbox, "company");
    sandbox.file(
        "index.txt",
        "R\t360101000000Z\t260101000000Z,keyCompromise\t0BAD\tunknown\t/CN=lost\n",
    );
    sandbox.file("crlnumber", "7FFFFFFFFF\n");
    let config =
        "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\n";
    sandbox.file("crl.cnf", config);
    let args = [
        "ca",
        "-gencrl",
        "-config",
        "crl.cnf",
        "-crldays",
        "30",
        "-cert",
        "company.crt",
    ];
    sandbox.tool(
        "openssl",
        &[
            &args[..],
            &["-keyfile", "company.key", "-out", "company.crl"],
        ]
        .concat(),
    );
    root(&sandbox, "other");
    crl(&sandbox, "other", "30");
    let import = ["company.crt", "company.key", "--no-ca-passphrase"];
    let wrong = [&import[..], &["--crl=other.crl"]].concat();
    refused(
        &sandbox,
        &wrong,
        65,
        "because: it is not signed by `O=Example,CN=Example company`\n",
    );
    import_and_apply(&sandbox, &[&import[..], &["--crl=company.crl"]].concat());
    let text = sandbox.tool(
        "openssl",
        &["crl", "-in", "demo/ca/crl.pem", "-noout", "-text"],
    );
    assert!(
        text.contains("Serial Number: 0BAD") && text.contains("Key Compromise"),
        "{text}"
    );
    let number = sandbox.tool(
        "openssl",
        &["crl", "-in", "demo/ca/crl.pem", "-noout", "-crlnumber"],
    );
    assert_eq!(number, "crlNumber=0x8000000000\n");
}

const CRL: &str = "demo/ca/crl.pem";

fn record(sandbox: &Sandbox) -> RevocationList {
    let text = sandbox.read(CRL);
    let block = pem::scan(text.as_bytes()).remove(0).unwrap();
    crl::read(&block.contents).unwrap()
}

/// What the record says, in its order.
fn entries(sandbox: &Sandbox) -> Vec<(SerialNumber, RevocationReason)> {
    let revoked = record(sandbox).revoked.into_iter();
    revoked.map(|it| (it.serial_number, it.reason)).collect()
}

/// A CRL of NAME with these entries, of serial number and reason.
fn crl_with(
    sandbox: &Sandbox,
    name: &str,
    number: u128,
    revoked: impl IntoIterator<Item = (u32, RevocationReason)>,
) -> String {
    let key = sandbox.read(format!("{name}.key"));
    let key = PrivateKey::from_pem(&pem::scan(key.as_bytes()).remove(0).unwrap(), None);
    let ca = certificate(sandbox, &format!("{name}.crt"));
    let revoked = revoked
        .into_iter()
        .map(|(serial_number, reason)| Revocation {
            serial_number: SerialNumber::from_octets(&serial_number.to_be_bytes()),
            revoked_at: (now() - Duration::HOUR).replace_nanosecond(0).unwrap(),
            reason,
        });
    let template = CrlTemplate {
        updates: Validity {
            not_before: (now() - Duration::HOUR).replace_nanosecond(0).unwrap(),
            not_after: (now() + Duration::DAY).replace_nanosecond(0).unwrap(),
        },
        number,
        revoked: revoked.collect(),
    };
    let authority = Authority::new(ca, key.unwrap()).unwrap();
    crl::to_pem(&authority.revocation_list(&template).unwrap())
}

/// The demo cluster with revocation enabled, its CA in own.crt and own.key.
fn with_revocation() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.args(DEMO).now(now()).run().product();
    let settings = sandbox.read("demo/zpki.toml");
    let enabled = settings.replace("# enabled = false", "enabled = true");
    sandbox.file("demo/zpki.toml", enabled);
    zpki(&sandbox, &["apply"]).run().product();
    for (from, to) in [("ca.cert.pem", "own.crt"), ("ca.key.pem", "own.key")] {
        let from = sandbox.path(format!("demo/ca/{from}"));
        fs::copy(from, sandbox.path(to)).unwrap();
    }
    sandbox
}

const OWN: [&str; 4] = ["own.crt", "own.key", "--no-ca-passphrase", "--force"];
const COMPANY: [&str; 4] = [
    "company.crt",
    "company.key",
    "--no-ca-passphrase",
    "--force",
];

fn import(sandbox: &Sandbox, args: &[&str]) -> String {
    zpki(sandbox, &[&["ca", "import"], args].concat())
        .run()
        .product()
}

#[test]
fn what_a_ca_revoked_before_it_was_replaced_is_revoked_when_it_comes_back() {
    let sandbox = with_revocation();
    zpki(&sandbox, &["rekey", "server1", "--force"])
        .run()
        .product();
    zpki(&sandbox, &["revoke", "server1", "--superseded"])
        .run()
        .product();
    let before = record(&sandbox);
    assert_eq!(before.revoked.len(), 1);
    root(&sandbox, "company");
    import(&sandbox, &COMPANY);
    assert_eq!(entries(&sandbox), []);
    zpki(&sandbox, &["apply"]).run().product();
    // With what was given besides.
    let given = crl_with(&sandbox, "own", 7, [(7, RevocationReason::Unspecified)]);
    sandbox.file("own.crl", given);
    import(&sandbox, &[&OWN[..], &["--crl=own.crl"]].concat());
    let after = record(&sandbox);
    assert_eq!(after.revoked.len(), 2);
    assert!(after.revoked.contains(&before.revoked[0]));
    assert!(after.number() > before.number());
    zpki(&sandbox, &["apply"]).run().product();
    assert_eq!(record(&sandbox).revoked, after.revoked);
    assert_eq!(import(&sandbox, &OWN), "unchanged\n");
    // And once more.
    import(&sandbox, &COMPANY);
    import(&sandbox, &OWN);
    assert_eq!(record(&sandbox).revoked, after.revoked);
}

/// What a former CA has issued stays valid for whoever trusts that CA, and is on no CRL of this one.
#[test]
fn what_a_former_ca_issued_and_did_not_revoke_is_told_when_the_superseded_are_revoked() {
    let sandbox = with_revocation();
    let file = "demo/servers/server1/zato-server-cert.pem";
    zpki(&sandbox, &["rekey", "server1", "--force"])
        .run()
        .product();
    zpki(&sandbox, &["revoke", "server1", "--superseded"])
        .run()
        .product();
    let former = certificate(&sandbox, file).details;
    root(&sandbox, "company");
    import(&sandbox, &COMPANY);
    zpki(&sandbox, &["apply"]).run().product();
    let before = sandbox.tree();
    for which in ["--superseded", "--superseded --reason=keyCompromise"] {
        let args: Vec<&str> = ["revoke", "server1"]
            .into_iter()
            .chain(which.split(' '))
            .collect();
        zpki(&sandbox, &args)
            .run()
            .stdout("unchanged\n")
            .stderr(format!(
                "\
warning: server1 [serial]: it is valid until {}, and not by this CA, but by `{}`: it cannot be on this CA's CRL
  hint: have the CA that issued it revoke it, or take that CA out of every trust bundle
",
                show(former.validity.not_after),
                former.issuer
            ));
    }
    assert!(sandbox.tree() == before);
    let run = zpki(&sandbox, &["revoke", "server1", "--superseded"]);
    run.now(former.validity.not_after)
        .run()
        .stdout("unchanged\n");
}

#[test]
fn a_ca_whose_kept_crl_is_gone_or_damaged_does_not_come_back_without_it() {
    let sandbox = with_revocation();
    let kept = sandbox.read(CRL);
    root(&sandbox, "company");
    import(&sandbox, &COMPANY);
    let folder = fs::read_dir(sandbox.path("demo/ca/previous")).unwrap();
    let path = folder.last().unwrap().unwrap().path().join("crl.pem");
    fs::write(&path, "none").unwrap();
    refused(
        &sandbox,
        &OWN,
        65,
        "/crl.pem\n  because: it has no PEM block\n",
    );
    fs::remove_file(&path).unwrap();
    // HAProxy's is as it was: `apply` has not run.
    refused(
        &sandbox,
        &OWN,
        66,
        "/crl.pem\n  because: the record of revocations is missing\n  hint: give a copy of it: --crl \
         [root]/demo/load-balancer/crl.pem; nothing else knows what was revoked\n",
    );
    zpki(&sandbox, &["apply"]).run().product();
    refused(&sandbox, &OWN, 66, "hint: give a copy of it: --crl FILE;");
    sandbox.file("kept.crl", kept);
    import(&sandbox, &[&OWN[..], &["--crl=kept.crl"]].concat());
}

#[test]
fn a_lost_record_of_the_same_ca_is_not_made_anew_in_silence() {
    let sandbox = with_revocation();
    zpki(&sandbox, &["rekey", "server1", "--force"])
        .run()
        .product();
    zpki(&sandbox, &["revoke", "server1", "--superseded"])
        .run()
        .product();
    let revoked = entries(&sandbox);
    fs::remove_file(sandbox.path(CRL)).unwrap();
    let missing =
        "at: [root]/demo/ca/crl.pem\n  because: the record of revocations is missing\n  hint: ";
    let hint = |copy| {
        format!("{missing}give a copy of it: --crl {copy}; nothing else knows what was revoked\n")
    };
    let copy = "demo/load-balancer/crl.pem";
    refused(
        &sandbox,
        &OWN,
        66,
        &hint("[root]/demo/load-balancer/crl.pem"),
    );
    fs::rename(sandbox.path(copy), sandbox.path("copy.crl")).unwrap();
    refused(&sandbox, &OWN, 66, &hint("FILE"));
    import(&sandbox, &[&OWN[..], &["--crl=copy.crl"]].concat());
    assert_eq!(entries(&sandbox), revoked);
}

#[test]
fn a_new_revocation_is_not_lost_to_entries_that_are_there_twice() {
    use RevocationReason::{KeyCompromise, Superseded};
    let sandbox = with_revocation();
    let serial_number = |number: u32| SerialNumber::from_octets(&number.to_be_bytes());
    let number = record(&sandbox).number().unwrap();
    let twice = [(1, Superseded), (1, KeyCompromise)];
    sandbox.file(CRL, crl_with(&sandbox, "own", number + 1, twice));
    zpki(&sandbox, &["apply"]).run().product();
    assert_eq!(import(&sandbox, &OWN), "unchanged\n");
    let given = [(1, Superseded), (2, Superseded)];
    sandbox.file("own.crl", crl_with(&sandbox, "own", 1, given));
    let with_crl = [&OWN[..], &["--crl=own.crl"]].concat();
    import(&sandbox, &with_crl);
    let expected = [
        (serial_number(1), KeyCompromise),
        (serial_number(2), Superseded),
    ];
    assert_eq!(entries(&sandbox), expected);
    assert_eq!(import(&sandbox, &with_crl), "unchanged\n");
    // That a key is compromised is no less new.
    sandbox.file(
        "own.crl",
        crl_with(&sandbox, "own", 1, [(2, KeyCompromise)]),
    );
    import(&sandbox, &with_crl);
    assert_eq!(entries(&sandbox)[1], (serial_number(2), KeyCompromise));
    // Nor is a greater number: the next CRL must follow it.
    let number = record(&sandbox).number().unwrap() + 1_000_000_000;
    sandbox.file("own.crl", crl_with(&sandbox, "own", number, []));
    import(&sandbox, &with_crl);
    assert!(record(&sandbox).number() > Some(number));
    assert_eq!(import(&sandbox, &with_crl), "unchanged\n");
}

#[test]
fn twenty_thousand_revocations_are_taken_in_no_time() {
    let sandbox = with_revocation();
    let revoked = (0..20_000).map(|number| (number, RevocationReason::Superseded));
    sandbox.file("own.crl", crl_with(&sandbox, "own", 1, revoked));
    let before = std::time::Instant::now();
    import(&sandbox, &[&OWN[..], &["--crl=own.crl"]].concat());
    let taken = before.elapsed();
    assert_eq!(record(&sandbox).revoked.len(), 20_000);
    // A debug build on a busy machine.
    assert!(taken.as_secs() < 10, "{taken:?}");
}

/// A CA like that of [`root`], with a serial number of its own.
fn root_numbered(sandbox: &Sandbox, name: &str, serial_number: &str) {
    let key = [P256, &["-set_serial", serial_number]].concat();
    let subject = format!("/O=Example/CN=Example {name}");
    root_with(sandbox, name, &key, &subject, &[BASIC, USAGE, IDENTIFIER]);
}

#[test]
fn a_serial_number_of_more_than_20_octets_is_refused() {
    let sandbox = fresh();
    for (name, octets) in [("longer", 21), ("longest", 150)] {
        root_numbered(&sandbox, name, &format!("0x7f{}", "ab".repeat(octets - 1)));
        let [certificate, key] = ["crt", "key"].map(|end| format!("{name}.{end}"));
        let because = format!(
            "its serial number has {octets} octets, and at most 20 are allowed (RFC 5280 4.1.2.2)\n"
        );
        let import = [&*certificate, &key, "--no-ca-passphrase"];
        refused(&sandbox, &import, 65, &because);
    }
    root_numbered(&sandbox, "company", &format!("0x7f{}", "ab".repeat(19)));
    import_and_apply(&sandbox, &COMPANY[..3]);
}

#[test]
fn a_ca_with_the_serial_number_of_another_does_not_take_its_place_in_the_inventory() {
    let sandbox = fresh();
    for name in ["company", "other"] {
        root_numbered(&sandbox, name, "1");
    }
    import(&sandbox, &COMPANY);
    refused(
        &sandbox,
        &["other.crt", "other.key", "--no-ca-passphrase", "--force"],
        65,
        "because: another certificate of a CA has its serial number: \
         `ca/issued/ca/[serial].pem`\n  hint: have it made with a serial number of \
         its own",
    );
}

const KEY: &str = "demo/ca/ca.key.pem";

#[test]
fn a_key_that_is_not_the_ca_s_makes_way_for_it() {
    let sandbox = fresh();
    for name in ["company", "other"] {
        root(&sandbox, name);
    }
    import(&sandbox, &COMPANY);
    let serial = certificate(&sandbox, "company.crt").details.serial_number;
    let right = sandbox.read(KEY);
    let encrypted = |name: &str, passphrase: &str| {
        let (from, to) = (format!("{name}.key"), format!("{name}.encrypted"));
        let args = [
            "pkcs8", "-topk8", "-in", &from, "-out", &to, "-passout", passphrase,
        ];
        sandbox.tool("openssl", &args);
        sandbox.read(to)
    };
    let theirs = encrypted("other", "pass:horse");
    sandbox.file("horse", "horse\n").mode("horse", 0o600);
    let opened = ["company.crt", "company.key", "--ca-passphrase-file=horse"];
    let cases = [
        ("garbage".to_owned(), &COMPANY[..]),
        (sandbox.read("other.key"), &COMPANY[..]),
        (theirs.clone(), &opened[..]),
    ];
    for (number, (wrong, args)) in (1..).zip(cases) {
        let folder = match number {
            1 => format!("ca/previous/{serial}"),
            _ => format!("ca/previous/{serial}-{number}"),
        };
        sandbox.file(KEY, &wrong).mode(KEY, 0o600);
        let told = import(&sandbox, args);
        assert!(
            told.contains(&format!("what stood in its place is in {folder}\n")),
            "{told}"
        );
        assert_eq!(sandbox.read(format!("demo/{folder}/ca.key.pem")), wrong);
        assert_eq!(
            sandbox.tree().modes(&format!("demo/{folder}")),
            "0700 /\n0600 ca.key.pem\n"
        );
        if args == COMPANY {
            assert_eq!(sandbox.read(KEY), right);
        } else {
            let own = ["pkey", "-in", KEY, "-passin", "pass:horse", "-pubout"];
            let company = ["pkey", "-in", "company.key", "-pubout"];
            assert_eq!(
                sandbox.tool("openssl", &own),
                sandbox.tool("openssl", &company)
            );
        }
        assert_eq!(import(&sandbox, args), "unchanged\n");
    }
    // Whose an encrypted key is cannot be seen without its passphrase.
    for kept in [theirs, encrypted("company", "pass:donkey")] {
        sandbox.file(KEY, &kept).mode(KEY, 0o600);
        assert_eq!(import(&sandbox, &COMPANY), "unchanged\n");
        assert_eq!(sandbox.read(KEY), kept);
    }
}

/// Each decides on what the other has left.
#[test]
fn of_two_imports_at_once_certificate_and_key_are_one_ca_s() {
    let sandbox = fresh();
    for name in ["company", "other"] {
        root(&sandbox, name);
    }
    import(&sandbox, &COMPANY);
    let lock = fs::File::open(sandbox.path("demo/.zpki/lock")).unwrap();
    lock.lock().unwrap();
    let other = ["other.crt", "other.key", "--no-ca-passphrase", "--force"];
    let mut runs = Vec::new();
    for args in [other, COMPANY] {
        let args = [&["-C", "demo", "ca", "import"], &args[..]].concat();
        let mut command = sandbox.args(args).command();
        runs.push(command.stdout(std::process::Stdio::null()).spawn().unwrap());
        // So that it waits for the lock, and for the first one first.
        std::thread::sleep(std::time::Duration::from_secs(2));
    }
    drop(lock);
    for mut run in runs {
        assert!(run.wait().unwrap().success());
    }
    let of_key = sandbox.tool("openssl", &["pkey", "-in", KEY, "-pubout"]);
    let args = ["x509", "-in", "demo/ca/ca.cert.pem", "-noout", "-pubkey"];
    assert_eq!(of_key, sandbox.tool("openssl", &args));
}

#[test]
fn the_key_stays_where_zpki_toml_has_it() {
    let sandbox = fresh();
    root(&sandbox, "company");
    let key_file = sandbox.path("company.key");
    let text = format!("{CLUSTER}\n[ca]\nkey_file = \"{}\"\n", key_file.display());
    sandbox.file("demo/zpki.toml", text);
    zpki(&sandbox, &["ca", "import", "company.crt", "company.key"])
        .run()
        .stdout_with("its private key is in [root]/company.key (not encrypted)\n");
    assert!(!sandbox.path("demo/ca/ca.key.pem").exists());
    zpki(&sandbox, &["apply"]).run().product();
    verifies(&sandbox, LEAVES[1], &[]);
}

#[test]
fn the_key_that_zpki_toml_has_elsewhere_is_to_be_moved_there() {
    let sandbox = fresh();
    root(&sandbox, "company");
    let text = format!("{CLUSTER}\n[ca]\nkey_file = \"../vault.pem\"\n");
    sandbox
        .file("demo/zpki.toml", text)
        .file("vault.pem", "another's");
    zpki(&sandbox, &["ca", "import", "company.crt", "company.key", "--no-ca-passphrase"])
        .run()
        .stdout_with(
            "next:\n  1. move the CA's key to where zpki.toml has it, and the key of the CA before out of its \
             way\n       mv -n [root]/demo/../vault.pem [root]/demo/../vault.previous\n       \
             mv -n [root]/demo/ca/ca.key.pem [root]/demo/../vault.pem\n  2. have it issue",
        );
    assert_eq!(sandbox.read("vault.pem"), "another's");
}

/// easy-rsa's basicConstraints are not critical, and the CA that `openssl req -x509` makes has no keyUsage:
/// nobody but a strict verifier minds.
#[test]
fn a_ca_is_taken_as_easy_rsa_and_openssl_make_it() {
    let sandbox = fresh();
    let easyrsa = "EASYRSA_BATCH=1 EASYRSA_REQ_CN=Company /usr/share/easy-rsa/easyrsa";
    let make = format!("({easyrsa} init-pki && {easyrsa} build-ca nopass) 2>&1");
    sandbox.tool("sh", &["-c", &make]);
    let plain = "openssl req -x509 -newkey rsa:2048 -nodes -keyout plain.key -out plain.crt -days 3650 -subj /CN=Plain 2>&1";
    sandbox.tool("sh", &["-c", plain]);
    for (certificate, key, why) in [
        (
            "pki/ca.crt",
            "pki/private/ca.key",
            "basicConstraints are not critical",
        ),
        ("plain.crt", "plain.key", "it is a CA without keyUsage"),
    ] {
        let import = [
            "ca",
            "import",
            certificate,
            key,
            "--no-ca-passphrase",
            "--force",
        ];
        let imported = zpki(&sandbox, &import).run();
        imported
            .status(0)
            .stdout_with("the CA of `demo` is ")
            .stderr_with(why);
        zpki(&sandbox, &["apply"]).run().product();
        for leaf in LEAVES {
            sandbox.tool(
                "openssl",
                &["verify", "-CAfile", "demo/ca/ca-file.pem", leaf],
            );
        }
        let (status, said) = zpki(&sandbox, &["check"]).run().answer();
        assert!(status == 1 && said.contains(why), "{status} {said}");
    }
}

#[test]
fn files_are_read_as_other_programs_write_them() {
    // easy-rsa has the certificate as text first, and `openssl ecparam` the curve before the key.
    let sandbox = fresh();
    let curve = ["ecparam", "-name", "secp384r1", "-genkey", "-out", "ca.key"];
    sandbox.tool("openssl", &curve);
    assert!(
        sandbox
            .read("ca.key")
            .starts_with("-----BEGIN EC PARAMETERS-----\n")
    );
    let args = [
        "req",
        "-x509",
        "-days",
        "3650",
        "-key",
        "ca.key",
        "-subj",
        "/CN=Easy-RSA CA",
    ];
    let usage = ["-addext", USAGE, "-text", "-out", "ca.crt"];
    sandbox.tool("openssl", &[&args[..], &usage].concat());
    assert!(sandbox.read("ca.crt").starts_with("Certificate:\n"));
    import_and_apply(&sandbox, &["ca.crt", "ca.key", "--no-ca-passphrase"]);
    // Stored is the certificate alone.
    assert!(
        sandbox
            .read("demo/ca/ca.cert.pem")
            .starts_with("-----BEGIN CERTIFICATE-----\n")
    );
    verifies(&sandbox, LEAVES[0], &[]);
    // DER, and both keys and certificates in one file.
    let other = fresh();
    root(&other, "company");
    let both = other.read("company.key") + &other.read("company.crt");
    other.file("both.pem", both);
    other.tool(
        "openssl",
        &[
            "x509",
            "-in",
            "company.crt",
            "-outform",
            "DER",
            "-out",
            "ca.der",
        ],
    );
    import_and_apply(&other, &["ca.der", "both.pem", "--no-ca-passphrase"]);
    zpki(
        &other,
        &["ca", "import", "both.pem", "both.pem", "--no-ca-passphrase"],
    )
    .run()
    .stdout("unchanged\n");
}

#[test]
fn an_expired_root_is_refused_with_the_ca_below_it() {
    let sandbox = fresh();
    root(&sandbox, "root");
    plain_intermediate(&sandbox, "issuing", "root");
    let short = [
        "x509",
        "-in",
        "root.crt",
        "-signkey",
        "root.key",
        "-days",
        "1",
        "-out",
        "short.crt",
    ];
    sandbox.tool("openssl", &short);
    let import = [
        "issuing.crt",
        "issuing.key",
        "--no-ca-passphrase",
        "--chain=short.crt",
    ];
    let at = now() + Duration::days(2);
    let before = sandbox.tree();
    let args = [&["-C", "demo", "ca", "import"], &import[..]].concat();
    let run = sandbox.args(args).now(at).run();
    run.status(65).stderr_with("would be refused: ");
    assert_eq!(sandbox.tree().changes_since(&before, ""), [""; 0]);
    // While it is valid, that it ends first is told; and of two the later is taken.
    zpki(&sandbox, &[&["ca", "import"], &import[..]].concat())
        .run()
        .stdout_with("  under O=Example,CN=Example root (until ")
        .stderr_with("warning: ca/chain.pem: `O=Example,CN=Example root` ends on ");
    let both = sandbox.read("short.crt") + &sandbox.read("root.crt");
    sandbox.file("short.crt", both);
    zpki(&sandbox, &[&["ca", "import"], &import[..]].concat())
        .run()
        .product();
    assert_eq!(sandbox.read("demo/ca/chain.pem"), sandbox.read("root.crt"));
}

#[test]
fn a_ca_that_says_no_more_than_zpkis_own_is_renewed_too() {
    let sandbox = fresh();
    root(&sandbox, "company");
    import_and_apply(
        &sandbox,
        &["company.crt", "company.key", "--no-ca-passphrase"],
    );
    let leaf = sandbox.read(LEAVES[1]);
    zpki(&sandbox, &["ca", "renew", "--force"]).run().product();
    assert_eq!(sandbox.read(LEAVES[1]), leaf);
    for leaf in LEAVES {
        verifies(
            &sandbox,
            leaf,
            &["-crl_check_all", "-CRLfile", "demo/ca/crl.pem"],
        );
    }
    zpki(&sandbox, &["plan"]).run().stdout("nothing to do\n");
    zpki(&sandbox, &["check"]).run().product();
}

#[test]
fn the_names_of_what_a_former_ca_issued_do_not_bind_the_next() {
    let sandbox = Sandbox::new();
    sandbox.args(DEMO).now(now()).run().product();
    let issue = [
        "issue",
        "app",
        "--role=client",
        "--host=app.example",
        "--out=app",
    ];
    zpki(&sandbox, &issue)
        .run()
        .stdout_with("issue  app")
        .stderr_with("clientAuth");
    let constraints = "nameConstraints=critical,permitted;DNS:demo.internal,\
                       permitted;IP:127.0.0.0/255.0.0.0";
    let extensions = [BASIC, USAGE, IDENTIFIER, constraints];
    root_with(
        &sandbox,
        "company",
        P256,
        "/O=Example/CN=company",
        &extensions,
    );
    let text = sandbox.read("demo/zpki.toml");
    let constraints =
        "[ca]\npermitted_domains = [\"demo.internal\"]\npermitted_networks = [\"127.0.0.0/8\"]\n";
    sandbox.file("demo/zpki.toml", text.replace("[ca]\n", constraints));
    import(&sandbox, &COMPANY);
    zpki(&sandbox, &["apply"]).run().product();
    zpki(&sandbox, &["ca", "renew"]).run().product();
}

#[test]
fn passphrases_open_the_key_and_encrypt_it_anew() {
    let sandbox = fresh();
    root(&sandbox, "company");
    let encrypt = [
        "pkcs8",
        "-topk8",
        "-in",
        "company.key",
        "-out",
        "ca.key",
        "-passout",
        "pass:old",
    ];
    sandbox.tool("openssl", &encrypt);
    for name in ["old", "new"] {
        sandbox.file(name, name).mode(name, 0o600);
    }
    let import = ["company.crt", "ca.key"];
    let stored = "--ca-passphrase-file=new";
    refused(
        &sandbox,
        &[&import[..], &["--no-ca-passphrase"]].concat(),
        64,
        "hint: give it: --key-passphrase-file FILE\n",
    );
    refused(
        &sandbox,
        &[&import[..], &[stored]].concat(),
        77,
        "at: [root]/ca.key\n  because: wrong passphrase",
    );
    let both = [
        &["ca", "import"],
        &import[..],
        &["--key-passphrase-file=old", stored],
    ]
    .concat();
    zpki(&sandbox, &both).run().product();
    let open = [
        "pkey",
        "-in",
        "demo/ca/ca.key.pem",
        "-noout",
        "-passin",
        "pass:new",
    ];
    sandbox.tool("openssl", &open);
    let log = sandbox.read("demo/ca/log.jsonl");
    assert!(!log.contains("new") && !log.contains("old"), "{log}");
    // One passphrase may do for both.
    let sandbox_2 = fresh();
    fs::copy(sandbox.path("ca.key"), sandbox_2.path("ca.key")).unwrap();
    fs::copy(sandbox.path("company.crt"), sandbox_2.path("company.crt")).unwrap();
    let run = zpki(&sandbox_2, &[&["ca", "import"], &import[..]].concat());
    run.env("ZPKI_CA_PASSPHRASE", "old").run().product();
}

#[test]
fn plan_never_renews_it_and_says_when_it_runs_out() {
    let sandbox = fresh();
    let all = [
        BASIC,
        USAGE,
        IDENTIFIER,
        "authorityKeyIdentifier=keyid:always",
    ];
    root_with(&sandbox, "company", P256, "/CN=Company", &all);
    import_and_apply(
        &sandbox,
        &["company.crt", "company.key", "--no-ca-passphrase"],
    );
    let plan = |days: i64| {
        let at = (now() + Duration::days(days)).date().to_string();
        zpki(&sandbox, &["plan", "--at", &at]).run()
    };
    plan(3100).stderr("").answer();
    plan(3200)
        .stderr_with(
            "a certificate of the longest lifetime with its renewal needs 485 days; zpki does not renew it: \
             it was not made by zpki: its extension authorityKeyIdentifier would be lost or changed\n  hint: \
             have it renewed where it was made, then: zpki ca import\n",
        )
        .answer();
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Import {
    schema: u32,
    at: String,
    changed: bool,
    directory: String,
    cluster: String,
    subject: String,
    serial_number: String,
    not_before: String,
    not_after: String,
    key_algorithm: String,
    fingerprint: String,
    chain: Vec<Above>,
    key_file: String,
    key_encrypted: bool,
    previous: Option<String>,
    findings: Vec<Value>,
    next_steps: Vec<NextStep>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Above {
    subject: String,
    not_before: String,
    not_after: String,
    fingerprint: String,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NextStep {
    what: String,
    commands: Vec<String>,
}

#[test]
fn the_report_is_json_too() {
    let sandbox = fresh();
    root(&sandbox, "root");
    plain_intermediate(&sandbox, "issuing", "root");
    let args = [
        "ca",
        "import",
        "issuing.crt",
        "issuing.key",
        "--chain=root.crt",
    ];
    let read = |changed: bool| {
        let run = zpki(
            &sandbox,
            &[&args[..], &["--no-ca-passphrase", "--output=json"]].concat(),
        );
        let text = run.run().product();
        let report: Import = serde_json::from_str(&text).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_value(&report).unwrap(), value);
        assert_eq!(
            (report.schema, report.changed, report.key_encrypted),
            (1, changed, false)
        );
        assert_eq!(report.chain[0].subject, "O=Example,CN=Example root");
        assert_eq!(report.subject, "O=Example,CN=Example issuing");
        assert!(report.previous.is_none());
        report
    };
    let report = read(true);
    assert_eq!(report.next_steps.len(), 1);
    assert!(report.next_steps[0].commands[0].ends_with("/demo apply"));
    assert!(read(false).next_steps.is_empty());
}
