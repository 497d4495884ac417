//! `zpki revoke` and `zpki crl`: what comes onto the CRL, what is refused, and what stays as it is.

use std::fs;
use std::process::Command;

use serde::Deserialize;
use serde_json::{Value, json};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use zpki::domain::revocation::{Revocation, RevocationReason};
use zpki::domain::serial_number::SerialNumber;
use zpki::domain::validity::Validity;
use zpki::x509::certificate::ParsedCertificate;
use zpki::x509::crl::{self, CrlTemplate};
use zpki::x509::issue::Authority;
use zpki::x509::pem;
use zpki::x509::private_key::PrivateKey;

use crate::sandbox::{DEMO, NOW, Outcome, Sandbox, same};

const CRL: &str = "demo/ca/crl.pem";

/// A run in `demo`, at [`NOW`]; words are split at blanks.
fn zpki<'a>(sandbox: &'a Sandbox, words: &str) -> Outcome<'a> {
    zpki_at(sandbox, words, NOW)
}

fn zpki_at<'a>(sandbox: &'a Sandbox, words: &str, now: OffsetDateTime) -> Outcome<'a> {
    let words = words.split(' ').filter(|word| !word.is_empty());
    sandbox
        .args(["-C", "demo"].into_iter().chain(words))
        .now(now)
        .run()
}

/// It must succeed, whatever it says.
fn done(sandbox: &Sandbox, words: &str) {
    zpki(sandbox, words).product();
}

/// `demo`, whose HAProxy reads the CRL.
fn with_revocation() -> Sandbox {
    let sandbox = Sandbox::with_demo();
    enable_revocation(&sandbox);
    sandbox
}

fn enable_revocation(sandbox: &Sandbox) {
    let settings = sandbox.read("demo/zpki.toml");
    let enabled = settings.replace("# enabled = false", "enabled = true");
    assert_ne!(settings, enabled);
    fs::write(sandbox.path("demo/zpki.toml"), enabled).unwrap();
    done(sandbox, "apply");
}

/// The serial number of what is installed for a server.
fn installed(sandbox: &Sandbox, server: &str) -> String {
    serial_of(
        sandbox,
        &format!("demo/servers/{server}/zato-server-cert.pem"),
    )
}

fn serial_of(sandbox: &Sandbox, file: &str) -> String {
    certificate(&sandbox.read(file))
        .details
        .serial_number
        .to_string()
}

fn certificate(text: &str) -> ParsedCertificate {
    let blocks = pem::scan(text.as_bytes()).into_iter().flatten();
    let mut blocks = blocks.filter(|block| block.label == "CERTIFICATE");
    ParsedCertificate::from_der(&blocks.next().unwrap().contents).unwrap()
}

/// The entries of the CRL: `SERIAL reason`, in its order.
fn entries(sandbox: &Sandbox) -> Vec<String> {
    let list = record(sandbox);
    let entries = list.revoked.iter();
    entries
        .map(|entry| format!("{} {}", entry.serial_number, entry.reason))
        .collect()
}

fn record(sandbox: &Sandbox) -> zpki::domain::certificate::RevocationList {
    let block = pem::scan(sandbox.read(CRL).as_bytes()).remove(0).unwrap();
    crl::read(&block.contents).unwrap()
}

/// A run that must be refused, and change nothing.
#[track_caller]
fn refused(sandbox: &Sandbox, words: &str, status: i32, stderr: &str) {
    refused_at(sandbox, words, NOW, status, stderr);
}

#[track_caller]
fn refused_at(sandbox: &Sandbox, words: &str, now: OffsetDateTime, status: i32, stderr: &str) {
    let before = sandbox.tree();
    zpki_at(sandbox, words, now).status(status).stderr(stderr);
    assert!(sandbox.tree() == before, "something was written");
}

/// A run that must change nothing, and say so; its standard output.
#[track_caller]
fn unchanged(sandbox: &Sandbox, words: &str, now: OffsetDateTime) -> String {
    let before = sandbox.tree();
    let said = zpki_at(sandbox, words, now).product();
    assert!(sandbox.tree() == before, "something was written");
    said
}

const NOT_ENABLED: &str = "\
warning: zpki.toml: the revocation is recorded, and nobody reads the CRL: HAProxy's lines have no crl-file
  hint: set enabled = true in [revocation] of zpki.toml, run `zpki apply`, put the new server lines in place of those in zato.config, and reload HAProxy
";

/// `apply` makes a certificate, which is not the one that was to be revoked.
#[test]
fn a_name_of_which_the_inventory_was_lost_is_revoked_by_its_file() {
    let sandbox = Sandbox::with_demo();
    fs::remove_dir_all(sandbox.path("demo/ca/issued/server1")).unwrap();
    let revoke = |subject: &str| {
        let args = ["-C", "demo", "revoke", subject, "--force"];
        sandbox.args(args).run()
    };
    let file = "demo/servers/server1/zato-server-cert.pem";
    revoke("server1").status(66).stderr(format!(
        "zpki: error: cannot revoke `server1`\n  because: ca/issued has no certificate of `server1`\n  \
         hint: name the certificate that is installed: zpki revoke [root]/{file}\n"
    ));
    fs::rename(sandbox.path(file), sandbox.path("copy.pem")).unwrap();
    revoke("server1").status(66).stderr_with(
        "  hint: name a copy of its certificate, or restore ca/issued from a backup\n",
    );
    revoke("copy.pem").product();
}

#[test]
fn a_superseded_certificate_is_revoked_and_haproxy_gets_the_crl() {
    let sandbox = with_revocation();
    let old = installed(&sandbox, "server1");
    done(&sandbox, "rekey server1 --force");
    zpki(&sandbox, "revoke server1 --superseded").stdout(
        "\
OUTCOME  NAME     SERIAL                            NOT AFTER                REASON
revoked  server1  [serial]  2027-11-23 12:00:00 UTC  superseded

DONE      WHAT        NOT AFTER                WHY
sign-crl  ca/crl.pem  2027-11-23 12:00:00 UTC  certificates revoked

next:
  1. copy the PEM files of [root]/demo/load-balancer to where HAProxy reads them, unless it reads them there, and reload it
",
    );
    assert_eq!(entries(&sandbox), [format!("{old} superseded")]);
    same(
        "crl",
        &sandbox.read("demo/load-balancer/crl.pem"),
        &sandbox.read(CRL),
    );
    assert_eq!(
        unchanged(&sandbox, "revoke server1 --superseded", NOW),
        "unchanged\n"
    );
    let again = unchanged(&sandbox, &format!("revoke {old}"), NOW + Duration::days(1));
    assert!(
        again.contains(&format!("already-revoked  server1  {old}")),
        "{again}"
    );
    assert!(again.ends_with("\nunchanged\n"), "{again}");
    let said = zpki(&sandbox, "plan").product();
    assert_eq!(said, "nothing to do\n");
}

#[test]
fn without_revocation_enabled_it_is_recorded_and_that_nobody_reads_it_is_said() {
    let sandbox = Sandbox::with_demo();
    done(&sandbox, "rekey server1 --force");
    zpki(
        &sandbox,
        "revoke server1 --superseded --reason cessationOfOperation",
    )
    .stdout(
        "\
OUTCOME  NAME     SERIAL                            NOT AFTER                REASON
revoked  server1  [serial]  2027-11-23 12:00:00 UTC  cessationOfOperation

DONE      WHAT        NOT AFTER                WHY
sign-crl  ca/crl.pem  2027-11-23 12:00:00 UTC  certificates revoked
",
    )
    .stderr(NOT_ENABLED);
    assert_eq!(entries(&sandbox).len(), 1);
    assert!(!sandbox.path("demo/load-balancer/crl.pem").exists());
    enable_revocation(&sandbox);
    same(
        "crl",
        &sandbox.read("demo/load-balancer/crl.pem"),
        &sandbox.read(CRL),
    );
    let lines = sandbox.read("demo/load-balancer/haproxy.cfg");
    assert!(lines.contains(" crl-file "), "{lines}");
}

#[test]
fn what_is_installed_is_revoked_only_when_that_is_forced_and_then_rekeyed() {
    let sandbox = with_revocation();
    refused(
        &sandbox,
        "revoke server1",
        73,
        "\
zpki: error: cannot revoke `server1`
  because: the certificate [serial] is installed for `server1`: once it is revoked, who reads the CRL refuses it
  hint: rekey first (zpki rekey server1 --force), put the new files in place on the host, then revoke [serial]; or give --force, and rekey at once
",
    );
    refused(
        &sandbox,
        "revoke server1 --all",
        73,
        "\
zpki: error: cannot revoke `server1`
  because: the certificate [serial] is installed for `server1`: once it is revoked, who reads the CRL refuses it
  hint: rekey first (zpki rekey server1 --force), put the new files in place on the host, then revoke [serial]; or give --force, and rekey at once
",
    );
    let old = installed(&sandbox, "server1");
    zpki(&sandbox, "revoke server1 --force").stdout(
        "\
OUTCOME  NAME     SERIAL                            NOT AFTER                REASON
revoked  server1  [serial]  2027-11-23 12:00:00 UTC  unspecified

DONE      WHAT        NOT AFTER                WHY
sign-crl  ca/crl.pem  2027-11-23 12:00:00 UTC  certificates revoked

next:
  1. make a new key and certificate for server1, whose installed certificate is revoked, and copy them to the host
       zpki -C [root]/demo rekey server1
  2. copy the PEM files of [root]/demo/load-balancer to where HAProxy reads them, unless it reads them there, and reload it
",
    );
    assert_eq!(entries(&sandbox), [format!("{old} unspecified")]);
    let again = unchanged(&sandbox, "revoke server1", NOW);
    assert!(
        again.contains("zpki -C") && again.contains(" rekey server1"),
        "{again}"
    );
    done(&sandbox, "rekey server1");
    assert_ne!(installed(&sandbox, "server1"), old);
    assert_eq!(zpki(&sandbox, "plan").product(), "nothing to do\n");
}

#[test]
fn list_and_show_say_that_the_newest_certificate_is_revoked() {
    let sandbox = Sandbox::with_demo();
    let serial = installed(&sandbox, "server1");
    let statuses = |words: &str| {
        let report: Value = serde_json::from_str(&zpki(&sandbox, words).product()).unwrap();
        let of = |name: &str| {
            let entries = report["entries"].as_array().unwrap();
            let entry = entries.iter().find(|entry| entry["name"] == name).unwrap();
            entry["certificate"].clone()
        };
        [of("server1"), of("load-balancer")]
    };
    let [server, other] = statuses("list --output json");
    assert_eq!(
        (&server["revocation"], &other["revocation"]),
        (&Value::Null, &Value::Null)
    );
    done(&sandbox, "revoke server1 --force --reason keyCompromise");
    let [server, other] = statuses("list --output json");
    let revocation = json!({
        "serialNumber": serial,
        "revokedAt": "2026-11-23T12:00:00Z",
        "reason": "keyCompromise",
    });
    assert_eq!(
        (&server["revocation"], &server["status"]),
        (&revocation, &json!("valid"))
    );
    assert_eq!(other["revocation"], Value::Null);
    let listed = zpki(&sandbox, "list").product();
    let listed: Vec<Vec<&str>> = listed
        .lines()
        .map(|line| line.split_whitespace().take(3).collect())
        .collect();
    assert!(
        listed.contains(&vec!["server1", "server", "revoked"]),
        "{listed:?}"
    );
    assert!(
        listed.contains(&vec!["load-balancer", "load-balancer", "valid"]),
        "{listed:?}"
    );
    let shown = zpki(&sandbox, "show server1").product();
    assert!(
        shown.contains(
            "  status                  revoked on 2026-11-23 12:00:00 UTC, keyCompromise\n"
        ),
        "{shown}"
    );
    let shown = zpki(&sandbox, "show server1 --output json").product();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["objects"][0]["revocation"], revocation);
}

#[test]
fn of_several_valid_certificates_one_has_to_be_named() {
    let sandbox = with_revocation();
    let first = installed(&sandbox, "server1");
    let later = NOW + Duration::HOUR;
    zpki_at(&sandbox, "rekey server1 --force", later).product();
    let second = installed(&sandbox, "server1");
    refused_at(
        &sandbox,
        "revoke server1",
        later,
        64,
        "\
zpki: error: cannot revoke `server1`
  because: `server1` has 2 valid certificates
  because: [serial], from 2026-11-23 12:00:00 UTC to 2027-11-23 13:00:00 UTC, installed
  because: [serial], from 2026-11-23 11:00:00 UTC to 2027-11-23 12:00:00 UTC
  hint: name one by its serial number; or give --superseded, for all but the one that is installed, or --all
",
    );
    zpki_at(&sandbox, "revoke server1 --all --force", later).product();
    let mut all = [
        format!("{first} unspecified"),
        format!("{second} unspecified"),
    ];
    all.sort();
    assert_eq!(entries(&sandbox), all);
}

#[test]
fn a_serial_number_is_taken_in_every_form_that_tools_print() {
    let sandbox = with_revocation();
    let mut revoked = Vec::new();
    let forms: [fn(&str) -> String; 4] = [
        |serial| serial[..8].to_owned(),
        |serial| serial.to_uppercase(),
        |serial| {
            let octets: Vec<&str> = (0..16).map(|at| &serial[2 * at..2 * at + 2]).collect();
            octets.join(":")
        },
        |serial| format!("{}:{}", &serial[..4], &serial[4..11]),
    ];
    for form in forms {
        let serial = installed(&sandbox, "server1");
        done(&sandbox, "rekey server1 --force");
        done(&sandbox, &format!("revoke {}", form(&serial)));
        revoked.push(format!("{serial} unspecified"));
        revoked.sort();
        assert_eq!(entries(&sandbox), revoked);
    }
    let prefix = &installed(&sandbox, "server1")[..7];
    refused(
        &sandbox,
        &format!("revoke {prefix}"),
        66,
        &format!(
            "\
zpki: error: cannot revoke `{prefix}`
  because: the inventory has no certificate with the serial number `{prefix}`
  hint: give more or all of its digits; or the certificate's file, if ca/issued has lost it
"
        ),
    );
}

#[test]
fn a_serial_number_that_two_begin_with_is_refused() {
    let sandbox = Sandbox::with_demo();
    // Two that openssl made in the CA's name, into the inventory of a name of their own.
    for serial in ["0xabcdef0123", "0xabcdef0199"] {
        sign_by_openssl(&sandbox, serial, "app", 30);
    }
    refused(
        &sandbox,
        "revoke 00000000",
        64,
        "\
zpki: error: cannot revoke `00000000`
  because: 2 serial numbers begin with that
  because: [serial] of app
  because: [serial] of app
  hint: give more of its digits
",
    );
    // The number itself, as openssl prints it.
    zpki(&sandbox, "revoke AB:CD:EF:01:99").product();
    assert_eq!(
        entries(&sandbox),
        ["0000000000000000000000abcdef0199 unspecified"]
    );
}

/// A certificate of the CA for `name`, made by openssl with its clock at [`NOW`] or before; it goes to the
/// inventory.
fn sign_by_openssl(sandbox: &Sandbox, serial: &str, name: &str, days: i32) -> String {
    let file = made_by_openssl(sandbox, "demo", serial, name, days);
    let serial: SerialNumber = serial.trim_start_matches("0x").parse().unwrap();
    let issued = format!("demo/ca/issued/{name}/{serial}.pem");
    sandbox.file(&issued, sandbox.read(file));
    issued
}

fn made_by_openssl(sandbox: &Sandbox, pki: &str, serial: &str, name: &str, days: i32) -> String {
    let (request, file) = (format!("{name}.csr"), format!("{name}-{serial}.pem"));
    let subject = format!("/O=demo/CN={name}");
    sandbox.tool(
        "openssl",
        &[
            "req", "-new", "-newkey", "ed25519", "-nodes", "-keyout", "app.key", "-subj", &subject,
            "-out", &request,
        ],
    );
    sandbox.file(
        "ext",
        "authorityKeyIdentifier=keyid\nextendedKeyUsage=serverAuth\n",
    );
    let (ca, key) = (
        format!("{pki}/ca/ca.cert.pem"),
        format!("{pki}/ca/ca.key.pem"),
    );
    let end = NOW + Duration::days(days.into());
    let format = time::macros::format_description!("[year][month][day]000000Z");
    let end = end.format(format).unwrap();
    // `openssl x509` has no dates before 3.4, `openssl ca` has.
    sandbox.file("index", "");
    sandbox.file("serial", serial.trim_start_matches("0x").to_owned() + "\n");
    sandbox.file(
        "cnf",
        "[ca]\ndefault_ca=ca\n[ca]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=any\nunique_subject=no\n[any]\nO=supplied\nCN=supplied\n",
    );
    sandbox.tool(
        "openssl",
        &[
            "ca",
            "-batch",
            "-config",
            "cnf",
            "-cert",
            &ca,
            "-keyfile",
            &key,
            "-in",
            &request,
            "-notext",
            "-startdate",
            "20260101000000Z",
            "-enddate",
            &end,
            "-extfile",
            "ext",
            "-out",
            &file,
        ],
    );
    file
}

#[test]
fn a_certificate_that_the_inventory_has_lost_is_revoked_by_its_file() {
    let sandbox = with_revocation();
    let old = installed(&sandbox, "server1");
    let inventory = format!("demo/ca/issued/server1/{old}.pem");
    let lost = sandbox.read(&inventory);
    done(&sandbox, "rekey server1 --force");
    fs::remove_file(sandbox.path(&inventory)).unwrap();
    refused(
        &sandbox,
        &format!("revoke {old}"),
        66,
        "\
zpki: error: cannot revoke `[serial]`
  because: the inventory has no certificate with the serial number `[serial]`
  hint: give more or all of its digits; or the certificate's file, if ca/issued has lost it
",
    );
    sandbox.file("lost.pem", &lost);
    done(&sandbox, "revoke lost.pem --reason keyCompromise");
    assert_eq!(entries(&sandbox), [format!("{old} keyCompromise")]);
    // It is known again, or its key could come back.
    same("inventory", &sandbox.read(&inventory), &lost);
    assert!(unchanged(&sandbox, "revoke lost.pem", NOW).ends_with("unchanged\n"));
    // What only the CRL knows is revoked, too.
    fs::remove_file(sandbox.path(&inventory)).unwrap();
    let said = unchanged(&sandbox, &format!("revoke {old}"), NOW);
    assert!(
        said.contains(&format!(
            "already-revoked  -     {old}  -          keyCompromise"
        )),
        "{said}"
    );
}

#[test]
fn a_file_is_taken_as_pem_with_a_key_as_der_and_from_standard_input() {
    let sandbox = with_revocation();
    let key_cert = sandbox.read("demo/load-balancer/key-cert.pem");
    done(&sandbox, "rekey load-balancer --force");
    sandbox.file("old.pem", &key_cert);
    done(&sandbox, "revoke old.pem");
    assert_eq!(entries(&sandbox).len(), 1);

    let old = certificate(&sandbox.read("demo/servers/server1/zato-server-cert.pem"));
    done(&sandbox, "rekey server1 --force");
    sandbox.file("old.der", &old.der);
    done(&sandbox, "revoke old.der");
    assert_eq!(entries(&sandbox).len(), 2);

    let old = sandbox.read("demo/servers/server2/zato-server-cert.pem");
    done(&sandbox, "rekey server2 --force");
    sandbox
        .args(["-C", "demo", "revoke", "-"])
        .stdin(old)
        .run()
        .product();
    assert_eq!(entries(&sandbox).len(), 3);
}

#[test]
fn what_another_ca_signed_is_refused_whatever_it_says() {
    let sandbox = Sandbox::with_demo();
    let mut other = DEMO;
    other[1] = "other";
    sandbox.args(other).run().product();
    let foreign = "other/servers/server1/zato-server-cert.pem";
    let stderr = |issuer: &str| {
        format!(
            "\
zpki: error: cannot revoke `{foreign}`
  because: it is not by this CA, but by `{issuer}`
  hint: have the CA that issued it revoke it
"
        )
    };
    let issuer = certificate(&sandbox.read("other/ca/ca.cert.pem"))
        .details
        .subject;
    refused(&sandbox, &format!("revoke {foreign}"), 65, &stderr(&issuer));
    // The name of the CA, and another's signature.
    sandbox.tool(
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ed25519",
            "-nodes",
            "-keyout",
            "k",
            "-subj",
            "/CN=x",
            "-out",
            "forged.pem",
        ],
    );
    let ours = certificate(&sandbox.read("demo/ca/ca.cert.pem"))
        .details
        .subject;
    let name = ours.split("CN=").nth(1).unwrap();
    sandbox.tool(
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ed25519",
            "-nodes",
            "-keyout",
            "k",
            "-subj",
            &format!("/O=demo/CN={name}"),
            "-out",
            "fake.pem",
        ],
    );
    sandbox.tool(
        "openssl",
        &[
            "req", "-new", "-newkey", "ed25519", "-nodes", "-keyout", "l", "-subj", "/CN=x",
            "-out", "r",
        ],
    );
    sandbox.tool(
        "openssl",
        &[
            "x509",
            "-req",
            "-in",
            "r",
            "-CA",
            "fake.pem",
            "-CAkey",
            "k",
            "-out",
            "forged.pem",
        ],
    );
    let before = sandbox.tree();
    zpki(&sandbox, "revoke forged.pem")
        .status(65)
        .stderr_with("it is not by this CA");
    zpki(&sandbox, "revoke demo/zpki.toml")
        .status(65)
        .stderr_with("it has no PEM block");
    zpki(&sandbox, "revoke demo/ca/ca.key.pem")
        .status(65)
        .stderr_with("it has no certificate");
    zpki(&sandbox, "revoke nobody")
        .status(66)
        .stderr_with("`nobody` is no entry, no serial number and no file");
    zpki(&sandbox, "revoke no/where.pem")
        .status(66)
        .stderr_with("no file");
    zpki(&sandbox, "revoke demo/servers")
        .status(66)
        .stderr_with("is a directory");
    zpki(
        &sandbox,
        "revoke demo/servers/server1/zato-server-cert.pem --all",
    )
    .status(64)
    .stderr_with("--superseded and --all go with a name");
    zpki(&sandbox, "revoke server1 --all --superseded")
        .status(64)
        .stderr_with("cannot be used with");
    zpki(&sandbox, "revoke server1 --reason certificateHold")
        .status(64)
        .stderr_with("unknown value `certificateHold`");
    assert!(sandbox.tree() == before);
}

#[test]
fn the_ca_is_not_revoked_and_what_to_do_is_said() {
    let sandbox = Sandbox::with_demo();
    let serial = serial_of(&sandbox, "demo/ca/ca.cert.pem");
    for subject in ["ca", &serial, &serial[..12], "demo/ca/ca.cert.pem"] {
        let shown = if subject == serial {
            "[serial]"
        } else {
            subject
        };
        refused(
            &sandbox,
            &format!("revoke {subject} --force"),
            64,
            &format!(
                "\
zpki: error: cannot revoke `{shown}`
  because: it is the CA
  hint: no CRL of a CA takes back the CA itself: make a new CA, and take this one out of every trust bundle; see \"a key leaked\" in `zpki revoke --help`
"
            ),
        );
    }
    assert_eq!(entries(&sandbox), [""; 0]);
}

/// A compromised key is that of every certificate that was made for it, whosever name that is.
#[test]
fn a_compromised_key_takes_its_twins_with_it_and_is_renewed_no_more() {
    let sandbox = with_revocation();
    let first = installed(&sandbox, "server1");
    done(&sandbox, "renew server1 --force");
    let second = installed(&sandbox, "server1");
    // Somebody copied the key to another server, and had a certificate made for it.
    let files = ["zato-server-priv-key.pem", "zato-server-pub-key.pem"];
    for file in files {
        let key = sandbox.read(format!("demo/servers/server1/{file}"));
        fs::write(sandbox.path(format!("demo/servers/server2/{file}")), key).unwrap();
    }
    fs::remove_file(sandbox.path("demo/servers/server2/zato-server-cert.pem")).unwrap();
    done(&sandbox, "renew server2");
    let twin = installed(&sandbox, "server2");

    let before = sandbox.tree();
    zpki(&sandbox, "revoke server1 --reason keyCompromise")
        .status(73)
        .stderr_with("zpki rekey server1 server2 --force");
    assert!(sandbox.tree() == before);

    done(&sandbox, "revoke server1 --reason keyCompromise --force");
    let mut all = [&first, &second, &twin].map(|serial| format!("{serial} keyCompromise"));
    all.sort();
    assert_eq!(entries(&sandbox), all);
    for name in ["server1", "server2"] {
        refused(
            &sandbox,
            &format!("renew {name} --force"),
            73,
            &format!(
                "\
zpki: error: cannot renew the certificates
  because: the key of `{name}` cannot be kept: key compromised
  hint: give it a new key: zpki rekey {name}
"
            ),
        );
    }
    let log = sandbox.read("demo/ca/log.jsonl");
    let revoked = log
        .lines()
        .filter(|line| line.contains(r#""action":"revoke""#));
    let names: Vec<&str> = revoked
        .map(|line| {
            line.split(r#""name":""#)
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap()
        })
        .collect();
    assert_eq!(names, ["server1", "server1", "server2"]);

    let key = |name: &str| sandbox.read(format!("demo/servers/{name}/zato-server-priv-key.pem"));
    let leaked = key("server1");
    done(&sandbox, "apply");
    assert!(key("server1") != leaked && key("server2") != leaked);

    // The key comes back, to a server that never had a certificate for it.
    for file in files {
        let path = sandbox.path(format!("demo/servers/server2/{file}"));
        match file {
            "zato-server-priv-key.pem" => fs::write(path, &leaked).unwrap(),
            _ => fs::remove_file(path).unwrap(),
        }
    }
    let twin = format!("demo/ca/issued/server2/{twin}.pem");
    fs::remove_file(sandbox.path(twin)).unwrap();
    let plan = "ACTION  WHAT     WHY\nrekey   server2  key compromised\n";
    assert_eq!(zpki(&sandbox, "plan").product(), plan);
}

#[test]
fn a_twin_that_is_filed_under_two_names_is_revoked_once() {
    let sandbox = with_revocation();
    let first = installed(&sandbox, "server1");
    done(&sandbox, "renew server1 --force");
    let second = installed(&sandbox, "server1");
    let twin = sandbox.read(format!("demo/ca/issued/server1/{first}.pem"));
    sandbox.file(format!("demo/ca/issued/other/{first}.pem"), twin);
    done(
        &sandbox,
        &format!("revoke {second} --reason keyCompromise --force"),
    );
    let mut all = [&first, &second].map(|serial| format!("{serial} keyCompromise"));
    all.sort();
    assert_eq!(entries(&sandbox), all);
}

#[test]
fn the_superseded_certificate_of_a_leaked_key_goes_and_the_new_one_stays() {
    let sandbox = with_revocation();
    let old = installed(&sandbox, "server1");
    done(&sandbox, "rekey server1 --force");
    done(
        &sandbox,
        "revoke server1 --superseded --reason keyCompromise",
    );
    assert_eq!(entries(&sandbox), [format!("{old} keyCompromise")]);
    done(&sandbox, "renew server1 --force");
    assert_eq!(zpki(&sandbox, "plan").product(), "nothing to do\n");
}

#[test]
fn a_renewal_for_a_leaked_key_is_not_spared() {
    let sandbox = with_revocation();
    let old = installed(&sandbox, "server1");
    done(&sandbox, "renew server1 --force");
    let before = sandbox.tree();
    let leaked = "revoke server1 --superseded --reason keyCompromise";
    zpki(&sandbox, leaked)
        .status(73)
        .stderr_with("rekey first (zpki rekey server1 --force)");
    assert!(sandbox.tree() == before);
    let new = installed(&sandbox, "server1");
    done(&sandbox, "rekey server1 --force");
    done(&sandbox, leaked);
    let mut both = [old, new].map(|serial| format!("{serial} keyCompromise"));
    both.sort();
    assert_eq!(entries(&sandbox), both);
}

#[test]
fn the_certificate_of_a_server_that_was_removed_is_revoked_by_its_name() {
    let sandbox = with_revocation();
    let old = installed(&sandbox, "server2");
    let settings = sandbox.read("demo/zpki.toml");
    let (kept, _) = settings.split_at(settings.rfind("[[servers]]").unwrap());
    fs::write(sandbox.path("demo/zpki.toml"), kept).unwrap();
    let said = zpki(&sandbox, "apply");
    said.stderr("note: server2: its certificate stays valid until it expires or is revoked: zpki revoke server2\n")
        .product();
    done(&sandbox, "revoke server2 --reason cessationOfOperation");
    assert_eq!(entries(&sandbox), [format!("{old} cessationOfOperation")]);
}

#[test]
fn superseded_needs_something_that_is_installed() {
    let sandbox = Sandbox::with_demo();
    sign_by_openssl(&sandbox, "0xabcdef0123", "app", 30);
    refused(
        &sandbox,
        "revoke app --superseded",
        64,
        "\
zpki: error: cannot revoke `app`
  because: no certificate of `app` is installed, so that none is superseded
  hint: name a serial number, or give --all
",
    );
    done(&sandbox, "revoke app --all");
    assert_eq!(
        entries(&sandbox),
        ["0000000000000000000000abcdef0123 unspecified"]
    );
    let said = unchanged(&sandbox, "revoke app --all", NOW);
    assert!(
        said.starts_with("OUTCOME ") && said.ends_with("\nunchanged\n"),
        "{said}"
    );
}

#[test]
fn an_expired_certificate_needs_no_revocation() {
    let sandbox = with_revocation();
    sign_by_openssl(&sandbox, "0xabcdef0123", "app", -1);
    let before = sandbox.tree();
    zpki(&sandbox, "revoke app")
        .stdout(
            "\
OUTCOME  NAME  SERIAL                            NOT AFTER                REASON
expired  app   [serial]  2026-11-22 00:00:00 UTC  -

unchanged
",
        )
        .stderr("note: app [serial]: expired on 2026-11-22 00:00:00 UTC: nothing to revoke\n");
    zpki(&sandbox, "revoke abcdef0123 --reason keyCompromise")
        .stdout(
            "\
OUTCOME  NAME  SERIAL                            NOT AFTER                REASON
expired  app   [serial]  2026-11-22 00:00:00 UTC  -

unchanged
",
        )
        .stderr(
            "\
warning: app [serial]: expired on 2026-11-22 00:00:00 UTC: nothing to revoke; but its key is not barred, and `zpki renew` may use it again
  hint: bar it: zpki revoke [serial] --reason keyCompromise --force
",
        );
    assert!(sandbox.tree() == before);
    done(&sandbox, "revoke app --reason keyCompromise --force");
    assert_eq!(
        entries(&sandbox),
        ["0000000000000000000000abcdef0123 keyCompromise"]
    );
}

/// One second before notAfter, at it, and after.
#[test]
fn a_certificate_is_expired_at_not_after() {
    let sandbox = with_revocation();
    let old = installed(&sandbox, "server1");
    done(&sandbox, "rekey server1 --force");
    let end = datetime!(2027-11-23 12:00 UTC);
    for at in [end, end + Duration::SECOND] {
        let said = unchanged(&sandbox, &format!("revoke {old}"), at);
        assert!(said.contains("\nexpired  server1  "), "{said}");
    }
    let just_before = zpki_at(&sandbox, &format!("revoke {old}"), end - Duration::SECOND);
    just_before.product();
    assert_eq!(entries(&sandbox), [format!("{old} unspecified")]);
}

#[test]
fn the_reason_of_an_entry_is_never_changed() {
    let sandbox = with_revocation();
    let old = installed(&sandbox, "server1");
    done(&sandbox, "rekey server1 --force");
    done(&sandbox, "revoke server1 --superseded");
    let before = sandbox.tree();
    let about = |reason: &str| {
        zpki(&sandbox, &format!("revoke {old} --reason {reason}")).stdout(
            "\
OUTCOME          NAME     SERIAL                            NOT AFTER                REASON
already-revoked  server1  [serial]  2027-11-23 12:00:00 UTC  superseded

unchanged
",
        )
    };
    about("superseded");
    about("privilegeWithdrawn").stderr("note: server1 [serial]: it was revoked before, for the reason superseded, and what is on the CRL is never changed\n");
    about("keyCompromise").stderr(
        "\
warning: server1 [serial]: it was revoked before, for the reason superseded, and what is on the CRL is never changed: its key is not barred
  hint: make a new key wherever it is used: zpki rekey NAME --force
",
    );
    assert!(sandbox.tree() == before);
}

#[test]
fn that_servers_still_take_a_revoked_client_is_said_by_revoke_and_by_check() {
    let sandbox = with_revocation();
    let old = serial_of(&sandbox, "demo/load-balancer/key-cert.pem");
    let check = |now| {
        let (status, said) = zpki_at(&sandbox, "check", now).answer();
        let about = said
            .lines()
            .find(|line| line.contains("revoked-still-passes"));
        (status, about.map(|line| line.replace(&old, "OLD")))
    };
    done(&sandbox, "rekey load-balancer --force");
    assert_eq!(check(NOW), (0, None));
    zpki(&sandbox, "revoke load-balancer --superseded --reason keyCompromise -v")
        .stderr(
            "\
warning: load-balancer [serial]: servers read no CRL: where they ask for a certificate, this one passes until it expires, on 2027-11-23 12:00:00 UTC
  hint: rekey its entry; to shut it out before then, make a new CA and let the servers trust that one alone
",
        )
        .product();
    let told = "warning: load-balancer OLD: servers read no CRL: where they ask for a certificate, this one passes until it expires, on 2027-11-23 12:00:00 UTC (revoked-still-passes)";
    assert_eq!(check(NOW), (1, Some(told.to_owned())));
    let end = datetime!(2027-11-23 12:00 UTC);
    assert_eq!(check(end - Duration::SECOND).1, Some(told.to_owned()));
    assert_eq!(check(end).1, None);
}

#[test]
fn a_client_that_was_only_superseded_is_told_of_and_asks_for_nothing() {
    let sandbox = with_revocation();
    done(&sandbox, "rekey load-balancer --force");
    let said = zpki(&sandbox, "revoke load-balancer --superseded");
    said.stderr("note: load-balancer [serial]: servers read no CRL: where they ask for a certificate, this one passes until it expires, on 2027-11-23 12:00:00 UTC\n").product();
    let (status, _) = zpki(&sandbox, "check").answer();
    assert_eq!(status, 0);
}

#[test]
fn a_wrong_passphrase_writes_nothing() {
    let sandbox = Sandbox::new();
    let mut init = DEMO.to_vec();
    *init.last_mut().unwrap() = "--ca-passphrase-file=right";
    sandbox
        .file("right", "correct horse\n")
        .mode("right", 0o600);
    sandbox
        .file("wrong", "battery staple\n")
        .mode("wrong", 0o600);
    sandbox.args(init).run().product();
    let given = |words: &str| format!("{words} --ca-passphrase-file=wrong");
    for words in ["revoke server1 --force", "crl"] {
        let before = sandbox.tree();
        let outcome = zpki(&sandbox, &given(words)).status(77);
        outcome.stderr_with("passphrase");
        zpki(&sandbox, words)
            .status(64)
            .stderr_with("--ca-passphrase-file FILE");
        assert!(sandbox.tree() == before, "{words}");
    }
    zpki(
        &sandbox,
        "revoke server1 --force --ca-passphrase-file=right",
    )
    .product();
    assert_eq!(entries(&sandbox).len(), 1);
    // Nothing is to be signed, so nobody is asked.
    unchanged(&sandbox, "revoke server1", NOW);
}

#[test]
fn without_the_cas_key_nothing_is_written_and_with_it_from_elsewhere_it_is() {
    let sandbox = Sandbox::with_demo();
    fs::rename(sandbox.path("demo/ca/ca.key.pem"), sandbox.path("key")).unwrap();
    let before = sandbox.tree();
    let hint = "say where it is: --ca-key FILE, or key_file in [ca] of zpki.toml";
    for words in ["revoke server1 --force", "crl"] {
        zpki(&sandbox, words).status(66).stderr_with(hint);
    }
    zpki(
        &sandbox,
        "revoke server1 --force --ca-key demo/load-balancer/key-cert.pem",
    )
    .status(65)
    .stderr_with("the private key does not belong to the certificate of");
    assert!(sandbox.tree() == before);
    done(&sandbox, "revoke server1 --force --ca-key key");
    assert_eq!(entries(&sandbox).len(), 1);
}

#[test]
fn revoking_goes_on_to_the_last_day_of_the_ca() {
    let sandbox = with_revocation();
    let ends = datetime!(2036-11-20 12:00 UTC);
    let words = "revoke server1 --force";
    zpki_at(&sandbox, words, ends - Duration::HOUR).product();
    assert_eq!(record(&sandbox).next_update, Some(ends));
    let before = sandbox.tree();
    for words in ["revoke server2 --force", "crl --force"] {
        zpki_at(&sandbox, words, ends)
            .status(74)
            .stderr_with("2036-11-20 12:00:00 UTC");
    }
    assert!(sandbox.tree() == before);
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Report {
    schema: u32,
    at: String,
    changed: bool,
    directory: String,
    cluster: String,
    actions: Vec<Value>,
    certificates: Vec<Value>,
    crl: Option<Signed>,
    hooks: Vec<Hook>,
    findings: Vec<Finding>,
    next_steps: Vec<Value>,
    #[serde(default)]
    revocations: Vec<Considered>,
}

#[derive(Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Signed {
    crl_number: String,
    this_update: String,
    next_update: String,
    entries: usize,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Hook {
    name: String,
    command: String,
    #[expect(dead_code, reason = "it has no fixed name")]
    file: String,
    failure: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Finding {
    severity: String,
    id: String,
    about: String,
    why: String,
    next: Option<String>,
}

#[derive(Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Considered {
    name: Option<String>,
    serial_number: String,
    not_after: Option<String>,
    outcome: String,
    revoked_at: Option<String>,
    reason: Option<String>,
    installed_for: Option<String>,
}

fn json(sandbox: &Sandbox, words: &str, status: i32) -> Report {
    let (found, text) = zpki(sandbox, &format!("{words} --output json")).answer();
    assert_eq!(found, status, "{text}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_json_says_what_became_of_each_certificate() {
    let sandbox = with_revocation();
    let old = installed(&sandbox, "server1");
    let words = "revoke server1 --force --reason keyCompromise --exit-code --exec true";
    let report = json(&sandbox, words, 10);
    let considered = |outcome: &str| Considered {
        name: Some("server1".to_owned()),
        serial_number: old.clone(),
        not_after: Some("2027-11-23T12:00:00Z".to_owned()),
        outcome: outcome.to_owned(),
        revoked_at: Some("2026-11-23T12:00:00Z".to_owned()),
        reason: Some("keyCompromise".to_owned()),
        installed_for: Some("server1".to_owned()),
    };
    let directory = sandbox.path("demo").display().to_string();
    assert_eq!(
        (
            report.schema,
            report.at.as_str(),
            report.directory,
            report.cluster.as_str()
        ),
        (1, "2026-11-23T12:00:00Z", directory, "demo")
    );
    assert!(report.changed && report.certificates.is_empty());
    assert_eq!(report.revocations, [considered("revoked")]);
    let actions: Vec<_> = report
        .actions
        .iter()
        .map(|it| (&it["action"], &it["path"]))
        .collect();
    assert_eq!(
        format!("{actions:?}"),
        r#"[(String("sign-crl"), String("ca/crl.pem"))]"#
    );
    let signed = report.crl.unwrap();
    assert_eq!(
        signed,
        Signed {
            crl_number: (NOW.unix_timestamp() + 1).to_string(),
            this_update: "2026-11-23T11:00:00Z".to_owned(),
            next_update: "2027-11-23T12:00:00Z".to_owned(),
            entries: 1,
        }
    );
    let hooks: Vec<_> = report
        .hooks
        .iter()
        .map(|it| (&*it.name, &*it.command, &it.failure))
        .collect();
    assert_eq!(hooks, [("load-balancer", "true", &None)]);
    assert_eq!(report.next_steps.len(), 2);

    let report = json(
        &sandbox,
        "revoke server1 --exit-code --reason superseded",
        0,
    );
    assert!(!report.changed && report.crl.is_none());
    assert_eq!(report.revocations, [considered("already-revoked")]);
    let finding = &report.findings[0];
    assert_eq!(
        (
            &*finding.severity,
            &*finding.id,
            &*finding.about,
            &finding.next
        ),
        (
            "ok",
            "reason-not-changed",
            &*format!("server1 {old}"),
            &None
        )
    );
    assert!(
        finding
            .why
            .starts_with("it was revoked before, for the reason keyCompromise")
    );
}

#[test]
fn a_fresh_crl_has_the_entries_of_the_last_and_the_next_number() {
    let sandbox = with_revocation();
    done(&sandbox, "rekey server1 --force");
    done(&sandbox, "revoke server1 --superseded");
    let before = record(&sandbox);
    let later = NOW + Duration::days(100);
    zpki_at(&sandbox, "crl --lifetime 30d", later).stdout(
        "\
DONE      WHAT        NOT AFTER                WHY
sign-crl  ca/crl.pem  2027-04-02 12:00:00 UTC  asked for

next:
  1. copy the PEM files of [root]/demo/load-balancer to where HAProxy reads them, unless it reads them there, and reload it
",
    );
    let after = record(&sandbox);
    assert_eq!(after.revoked, before.revoked);
    assert_eq!(after.this_update, later - Duration::HOUR);
    assert_eq!(after.next_update, Some(later + Duration::days(30)));
    let number = |list: &zpki::domain::certificate::RevocationList| -> i64 {
        list.crl_number.as_ref().unwrap().parse().unwrap()
    };
    assert_eq!(number(&after), later.unix_timestamp());
    same(
        "crl",
        &sandbox.read("demo/load-balancer/crl.pem"),
        &sandbox.read(CRL),
    );
    // Twice within a second.
    let report = |report: Report| -> i64 { report.crl.unwrap().crl_number.parse().unwrap() };
    let first = report(json(&sandbox, "crl", 0));
    let second = report(json(&sandbox, "crl --exit-code", 10));
    assert_eq!(first, number(&after) + 1);
    assert_eq!(second, first + 1);
    let cut = json(&sandbox, "crl --lifetime 20y", 0);
    let finding = &cut.findings[0];
    assert_eq!(
        (&*finding.id, &*finding.why),
        (
            "crl-cut-short",
            "it ends with the CA, on 2036-11-20 12:00:00 UTC"
        )
    );
    assert_eq!(cut.crl.unwrap().next_update, "2036-11-20T12:00:00Z");
}

#[test]
fn a_crl_is_not_signed_by_a_clock_that_contradicts_what_was_issued() {
    let sandbox = Sandbox::with_demo();
    sign_by_openssl(&sandbox, "0xabcdef0123", "app", 30);
    let before = sandbox.tree();
    let past = NOW - Duration::days(2);
    for words in ["crl", "revoke app"] {
        zpki_at(&sandbox, words, past)
            .status(74)
            .stderr_with("set the clock, or give --force");
    }
    assert!(sandbox.tree() == before);
    zpki_at(&sandbox, "crl --force", past).product();
}

#[test]
fn what_a_clock_that_was_ahead_has_made_is_made_again() {
    let sandbox = with_revocation();
    let ahead = NOW + Duration::hours(20);
    zpki_at(&sandbox, "rekey server1 --force", ahead).product();
    zpki_at(&sandbox, "crl", ahead).product();
    let number = record(&sandbox).number();
    let (status, _) = zpki(&sandbox, "check").answer();
    assert_eq!(status, 2);
    let (status, planned) = zpki(&sandbox, "plan --exit-code").answer();
    assert_eq!(status, 10);
    let planned: Vec<_> = planned
        .lines()
        .filter(|it| it.contains("not valid"))
        .collect();
    assert_eq!(
        planned,
        [
            "sign-crl  ca/crl.pem  not valid before 2026-11-24 07:00:00 UTC",
            "renew     server1     not valid before 2026-11-24 07:00:00 UTC",
        ]
    );
    let key = sandbox.read("demo/servers/server1/zato-server-priv-key.pem");
    done(&sandbox, "apply");
    assert_eq!(
        sandbox.read("demo/servers/server1/zato-server-priv-key.pem"),
        key
    );
    assert!(record(&sandbox).number() > number);
    let (status, said) = zpki(&sandbox, "check").answer();
    assert_eq!(status, 0, "{said}");
    zpki(&sandbox, "apply").stdout("unchanged\n");
}

/// One second before the last third begins, at that instant, and after.
#[test]
fn apply_signs_a_fresh_crl_when_a_third_is_left() {
    let sandbox = with_revocation();
    let list = record(&sandbox);
    let next_update = list.next_update.unwrap();
    let lifetime = (next_update - list.this_update).whole_seconds();
    let third = Duration::seconds((lifetime * 33 + 99) / 100);
    let due = next_update - third;
    let plan = |at| {
        let said = zpki_at(&sandbox, "plan", at).product();
        let signs = said.lines().find(|line| line.starts_with("sign-crl"));
        signs.map(str::to_owned)
    };
    assert_eq!(plan(due - Duration::SECOND), None);
    assert_eq!(plan(due), None);
    let why = "sign-crl  ca/crl.pem     remaining 120 of 365 days, due below 121";
    assert_eq!(plan(due + Duration::SECOND).as_deref(), Some(why));
    let expired = "expired on 2027-11-23 12:00:00 UTC";
    let is_expired = |at| plan(at).unwrap().ends_with(expired);
    assert!(!is_expired(next_update - Duration::SECOND));
    assert!(is_expired(next_update));
    zpki_at(&sandbox, "apply", due + Duration::SECOND).product();
    assert_eq!(plan(due + Duration::SECOND), None);
    let after = record(&sandbox).next_update.unwrap();
    assert_eq!(after, due + Duration::SECOND + Duration::days(365));
}

/// What zpki cannot write again is not lost in silence.
#[test]
fn a_crl_that_says_more_than_zpki_writes_is_not_signed_again() {
    let sandbox = Sandbox::with_demo();
    sandbox.file(
        "index",
        "R\t400101000000Z\t261101000000Z,holdInstruction,1.2.840.10040.2.2\t07\tunknown\t/CN=a\n",
    );
    sandbox.file("number", "0A\n");
    sandbox.file(
        "cnf",
        "[ca]\ndefault_ca=c\n[c]\ndatabase=index\ncrlnumber=number\ndefault_md=sha256\ndefault_crl_days=30\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n",
    );
    sandbox.tool(
        "openssl",
        &[
            "ca",
            "-config",
            "cnf",
            "-gencrl",
            "-cert",
            "demo/ca/ca.cert.pem",
            "-keyfile",
            "demo/ca/ca.key.pem",
            "-out",
            CRL,
        ],
    );
    let stderr = |what: &str| {
        format!(
            "\
zpki: error: cannot {what}
  at: [root]/demo/ca/crl.pem:1
  because: the CRL's entry [serial] has the extension holdInstructionCode
  hint: zpki would lose it: of an entry it writes serial number, date and reason; have the CRL signed without it where it was made
"
        )
    };
    refused(&sandbox, "crl", 65, &stderr("sign a CRL"));
    refused(
        &sandbox,
        "revoke server1 --force",
        65,
        &stderr("revoke `server1`"),
    );
    fs::remove_file(sandbox.path(CRL)).unwrap();
    let none = "restore it from a backup: nothing else knows what was revoked";
    let before = sandbox.tree();
    zpki(&sandbox, "revoke server1 --force")
        .status(66)
        .stderr_with(none);
    zpki(&sandbox, "crl").status(66).stderr_with(none);
    assert!(sandbox.tree() == before);
}

/// HAProxy has a CRL only where revocation is enabled.
#[test]
fn a_lost_record_is_not_looked_for_where_none_is() {
    let sandbox = Sandbox::with_demo();
    let backup = "hint: restore it from a backup: nothing else knows what was revoked\n";
    for (text, status) in [(Some("damaged\n"), 65), (None, 66)] {
        match text {
            Some(text) => _ = sandbox.file(CRL, text),
            None => fs::remove_file(sandbox.path(CRL)).unwrap(),
        }
        let before = sandbox.tree();
        zpki(&sandbox, "crl").status(status).stderr_with(backup);
        assert!(sandbox.tree() == before);
    }
}

#[test]
fn check_says_how_to_replace_what_is_revoked() {
    let sandbox = Sandbox::with_demo();
    zpki(&sandbox, "revoke server1 --force").status_alone();
    let directory = sandbox.path("demo").display().to_string();
    let command = format!(
        "next: give it a new key and certificate: zpki -C {directory} rekey server1 --force\n"
    );
    let (_, said) = zpki(&sandbox, "check").answer();
    assert!(said.contains(&command), "{said}");
}

/// A damaged file of somebody else's inventory hinders no revocation, and might be a twin.
#[test]
fn a_damaged_certificate_of_the_inventory_is_told_of() {
    let sandbox = with_revocation();
    let other = format!(
        "demo/ca/issued/server2/{}.pem",
        installed(&sandbox, "server2")
    );
    fs::write(sandbox.path(&other), "nothing").unwrap();
    let report = json(&sandbox, "revoke server1 --force --reason keyCompromise", 0);
    let finding = &report.findings[0];
    assert_eq!(
        (
            &*finding.severity,
            &*finding.id,
            format!("demo/{}", finding.about)
        ),
        ("warning", "inventory-damaged", other)
    );
    assert_eq!(report.revocations.len(), 1);
    let said = json(&sandbox, "revoke server1 --force", 0);
    assert!(
        !said
            .findings
            .iter()
            .any(|finding| finding.id == "inventory-damaged")
    );
}

/// The record is what the CA has signed last, or nothing is built on it.
#[test]
fn a_crl_that_is_not_the_ca_s_last_is_no_record() {
    let sandbox = with_revocation();
    done(&sandbox, "rekey server1 --force");
    let older = sandbox.read(CRL);
    done(
        &sandbox,
        "revoke server1 --superseded --reason keyCompromise",
    );
    let record = sandbox.read(CRL);
    let haproxy = sandbox.read("demo/load-balancer/crl.pem");
    sandbox
        .args([
            "init",
            "other",
            "--cluster",
            "other",
            "--server",
            "a=10.0.0.1:1",
            "--no-ca-passphrase",
        ])
        .run()
        .product();
    let mut der = pem::scan(record.as_bytes())
        .remove(0)
        .unwrap()
        .contents
        .to_vec();
    *der.last_mut().unwrap() ^= 1;
    let flipped = crl::to_pem(&der);
    let foreign = sandbox.read("other/ca/crl.pem");
    let not_signed = "because: it is not signed by the CA of this cluster\n  hint: restore it from a backup, or from load-balancer/crl.pem";
    let not_last =
        "because: it is older than the first CRL in load-balancer/crl.pem, whose number is ";
    for (found, because) in [
        (&foreign, not_signed),
        (&flipped, not_signed),
        (&older, not_last),
    ] {
        sandbox.file(CRL, found);
        let before = sandbox.tree();
        for command in [
            "plan",
            "apply",
            "crl",
            "revoke server2 --force",
            "rekey server1 --force",
        ] {
            zpki(&sandbox, command).status(65).stderr_with(because);
        }
        assert!(sandbox.tree() == before);
        let (_, said) = zpki(&sandbox, "check").answer();
        assert!(
            !said.contains("zpki crl") && !said.contains("copy ca/crl.pem"),
            "{said}"
        );
    }
    // Signed again, a second one would be lost.
    for second in [&record, &older, &foreign] {
        sandbox.file(CRL, format!("{record}{second}"));
        let before = sandbox.tree();
        for command in ["plan", "apply", "crl", "revoke server2 --force"] {
            zpki(&sandbox, command).status(65).stderr_with(
                "because: it has more than one CRL\n  hint: leave only the CA's own in it, of several \
                 the newest\n",
            );
        }
        assert!(sandbox.tree() == before);
        let (status, said) = zpki(&sandbox, "check").answer();
        assert!(
            status == 2 && said.contains("ca/crl.pem: it has more than one CRL"),
            "{said}"
        );
    }
    assert_eq!(sandbox.read("demo/load-balancer/crl.pem"), haproxy);
    // What HAProxy has is the way back.
    sandbox.file(CRL, haproxy);
    assert_eq!(zpki(&sandbox, "plan").product(), "nothing to do\n");
}

/// One old, damaged file does not keep what is installed from being revoked and replaced.
#[test]
fn a_damaged_certificate_of_the_same_name_hinders_nothing() {
    let sandbox = with_revocation();
    let old = installed(&sandbox, "server1");
    done(&sandbox, "rekey server1 --force");
    let new = installed(&sandbox, "server1");
    let path = format!("demo/ca/issued/server1/{old}.pem");
    let text = sandbox.read(&path);
    let lines: Vec<&str> = text.lines().collect();
    sandbox.file(&path, [&lines[..3], &lines[4..]].concat().join("\n"));
    assert_eq!(zpki(&sandbox, "plan").product(), "nothing to do\n");
    zpki(&sandbox, &format!("revoke {old}"))
        .status(65)
        .stderr_with("restore it from a backup");
    let leaked = format!("revoke {new} --reason keyCompromise --force");
    let report = json(&sandbox, &leaked, 0);
    assert!(
        report
            .findings
            .iter()
            .any(|it| it.id == "inventory-damaged")
    );
    assert_eq!(entries(&sandbox), [format!("{new} keyCompromise")]);
    done(&sandbox, "rekey server1");
    assert_ne!(installed(&sandbox, "server1"), new);
    let report = json(&sandbox, "revoke server1 --superseded", 0);
    assert!(
        report
            .findings
            .iter()
            .any(|it| it.id == "inventory-damaged")
    );
    // Revoked by a copy of it, the inventory has it again.
    sandbox.file("copy.pem", &text);
    done(&sandbox, "revoke copy.pem --reason keyCompromise");
    assert_eq!(sandbox.read(&path), text);
}

#[test]
fn a_compromised_key_is_no_safer_under_another_ca() {
    let sandbox = with_revocation();
    let key = sandbox.read("demo/servers/server1/zato-server-priv-key.pem");
    done(&sandbox, "revoke server1 --reason keyCompromise --force");
    let make = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "3650",
        "-keyout",
        "new.key",
        "-out",
        "new.pem",
        "-subj",
        "/CN=new",
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign",
        "-set_serial",
        "77",
    ];
    sandbox.tool("openssl", &make);
    let later = OffsetDateTime::now_utc() + Duration::hours(1);
    zpki_at(
        &sandbox,
        "ca import new.pem new.key --force --no-ca-passphrase",
        later,
    )
    .product();
    let planned = zpki_at(&sandbox, "plan", later).product();
    let of_server1 = planned
        .lines()
        .find(|line| line.contains(" server1 "))
        .unwrap();
    assert!(
        of_server1.starts_with("rekey") && of_server1.contains("key compromised"),
        "{planned}"
    );
    sandbox.file("leaked.key", key);
    let request = [
        "req",
        "-new",
        "-key",
        "leaked.key",
        "-subj",
        "/CN=x",
        "-addext",
        "subjectAltName=DNS:x.prod.internal",
        "-out",
        "x.csr",
    ];
    sandbox.tool("openssl", &request);
    let before = sandbox.tree();
    zpki_at(&sandbox, "issue --csr x.csr --role server", later)
        .status(73)
        .stderr_with("revoked");
    assert!(sandbox.tree() == before);
    // Without that record nobody knows of it, which is not passed over.
    let former = fs::read_dir(sandbox.path("demo/ca/previous")).unwrap();
    let path = former.last().unwrap().unwrap().path().join("crl.pem");
    let kept = fs::read(&path).unwrap();
    fs::write(&path, &kept[..kept.len() / 2]).unwrap();
    let before = sandbox.tree();
    for command in ["plan", "apply", "issue --csr x.csr --role server"] {
        zpki_at(&sandbox, command, later).status(65).stderr_with(
            "hint: restore it from a backup: it may tell of compromised keys; without one, move it out",
        );
    }
    assert!(sandbox.tree() == before);
    let (status, said) = zpki_at(&sandbox, "check", later).answer();
    assert!(
        status == 2 && said.contains("it may tell of compromised keys"),
        "{said}"
    );
    fs::remove_file(&path).unwrap();
    let (_, said) = zpki_at(&sandbox, "check", later).answer();
    assert!(
        said.contains("nothing tells of the keys that were compromised under this CA"),
        "{said}"
    );
    fs::write(&path, &kept).unwrap();
    zpki_at(&sandbox, "apply", later).product();
    assert_ne!(
        sandbox.read("demo/servers/server1/zato-server-priv-key.pem"),
        sandbox.read("leaked.key")
    );
}

#[test]
fn ten_thousand_entries_stay_as_they_are() {
    let sandbox = with_revocation();
    let revoked = many(&sandbox, 10_000);
    let before = std::time::Instant::now();
    done(&sandbox, "revoke server1 --force");
    let taken = before.elapsed();
    let list = record(&sandbox);
    assert_eq!(list.revoked.len(), 10_001);
    let mut kept = list.revoked;
    let newest = kept.pop().unwrap();
    assert_eq!(
        newest.serial_number.to_string(),
        installed(&sandbox, "server1")
    );
    assert_eq!(kept, revoked);
    // A debug build on a busy machine; released it is a tenth of that.
    assert!(taken.as_secs() < 10, "{taken:?}");
}

/// Signs a CRL with so many entries in the CA's name, and has `apply` give it to HAProxy.
fn many(sandbox: &Sandbox, count: u32) -> Vec<Revocation> {
    let block = |file: &str| pem::scan(sandbox.read(file).as_bytes()).remove(0).unwrap();
    let key = PrivateKey::from_pem(&block("demo/ca/ca.key.pem"), None).unwrap();
    let authority = Authority::new(certificate(&sandbox.read("demo/ca/ca.cert.pem")), key).unwrap();
    let reasons = RevocationReason::OFFERED.into_iter().cycle();
    let revoked: Vec<_> = (0..count)
        .zip(reasons)
        .map(|(number, reason)| Revocation {
            serial_number: SerialNumber::from_octets(
                &(0x4000_0000_0000 + u64::from(number)).to_be_bytes(),
            ),
            revoked_at: NOW - Duration::days(300) + Duration::minutes(number.into()),
            reason,
        })
        .collect();
    let template = CrlTemplate {
        updates: Validity {
            not_before: NOW - Duration::HOUR,
            not_after: NOW + Duration::days(365),
        },
        number: 9_000_000_000,
        revoked: revoked.clone(),
    };
    let der = authority.revocation_list(&template).unwrap();
    fs::write(sandbox.path(CRL), crl::to_pem(&der)).unwrap();
    done(sandbox, "apply");
    revoked
}

/// What is on the CRL is refused, the rest is not.
#[test]
fn openssl_refuses_what_is_revoked_and_nothing_else() {
    let sandbox = with_revocation();
    done(&sandbox, "revoke server1 --force --reason keyCompromise");
    let verify = |file: &str| {
        let at = NOW.unix_timestamp().to_string();
        let output = Command::new("openssl")
            .args([
                "verify",
                "-crl_check_all",
                "-attime",
                &at,
                "-CAfile",
                "demo/ca/ca.cert.pem",
            ])
            .args(["-CRLfile", "demo/load-balancer/crl.pem", file])
            .current_dir(sandbox.path(""))
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    };
    let (good, said) = verify("demo/servers/server1/zato-server-cert.pem");
    assert!(
        !good && said.contains("error 23 at 0 depth lookup: certificate revoked"),
        "{said}"
    );
    for file in [
        "demo/servers/server2/zato-server-cert.pem",
        "demo/load-balancer/key-cert.pem",
    ] {
        let (good, said) = verify(file);
        assert!(good, "{said}");
    }
    let text = sandbox.tool("openssl", &["crl", "-in", CRL, "-noout", "-text"]);
    let serial = installed(&sandbox, "server1").to_uppercase();
    let entry = format!(
        "\
Revoked Certificates:
    Serial Number: {serial}
        Revocation Date: Nov 23 12:00:00 2026 GMT
        CRL entry extensions:
            X509v3 CRL Reason Code: 
                Key Compromise
"
    );
    assert!(text.contains(&entry), "{text}");
}
