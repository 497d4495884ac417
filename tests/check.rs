//! `zpki check FILE`, the command: what it prints, how it ends, and what it is given.

use serde::Deserialize;

use crate::e2e::process::tool;
use crate::sandbox::{Run, Sandbox};

const SERVER: &str = "demo/servers/server1/zato-server-cert.pem";
const SERVER_KEY: &str = "demo/servers/server1/zato-server-priv-key.pem";
const OTHER_KEY: &str = "demo/servers/server2/zato-server-priv-key.pem";
const LOAD_BALANCER: &str = "demo/load-balancer/key-cert.pem";
const CA: &str = "demo/ca/ca.cert.pem";
const CRL: &str = "demo/ca/crl.pem";
const HOST: &str = "server1.demo.internal";
const NO_HOST: &str =
    "no name was checked: give the name that the consumer connects to with --host";

/// A check of `file` for [`HOST`], against the CA of the cluster.
fn check<'a>(sandbox: &'a Sandbox, file: &str, more: &[&str]) -> Run<'a> {
    let args = ["check", file, "--ca-file", CA, "--host", HOST];
    sandbox.args([&args, more].concat())
}

/// A check against another trust bundle.
fn check_against<'a>(sandbox: &'a Sandbox, ca_file: &str) -> Run<'a> {
    sandbox.args(["check", SERVER, "--ca-file", ca_file, "--host", HOST])
}

/// The run cannot be made, and nothing is written.
#[track_caller]
fn refused(sandbox: &Sandbox, run: Run<'_>, status: i32, because: &str) {
    let before = sandbox.tree();
    let because = format!("zpki: error: cannot {because}");
    run.run().status(status).stderr(because);
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn all_well_is_one_line() {
    let sandbox = Sandbox::with_demo();
    let before = sandbox.tree();
    check(&sandbox, SERVER, &[]).run().stdout(format!(
        "ok: {SERVER}: HAProxy and a strict verifier accept it\n"
    ));
    check(&sandbox, SERVER, &["--as", "haproxy-server"])
        .run()
        .stdout(format!("ok: {SERVER}: HAProxy accepts it\n"));
    check(&sandbox, SERVER, &["--crl-file", CRL])
        .run()
        .stdout(format!(
            "ok: {SERVER}: HAProxy and a strict verifier accept it\n"
        ));
    sandbox
        .args(["check", LOAD_BALANCER, "--ca-file", CA])
        .run()
        .stdout(format!(
            "ok: {LOAD_BALANCER}: a server and a strict verifier accept it\n"
        ));
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_server_without_a_name_to_check_is_noted() {
    let sandbox = Sandbox::with_demo();
    sandbox
        .args(["check", SERVER, "--ca-file", CA])
        .run()
        .stdout(format!(
            "ok: {SERVER}: HAProxy and a strict verifier accept it\n"
        ))
        .stderr(format!("note: {SERVER}: {NO_HOST}\n"));
}

#[test]
fn a_name_that_nobody_checks_is_a_warning() {
    let sandbox = Sandbox::with_demo();
    check(&sandbox, LOAD_BALANCER, &[]).run().status(1).stdout(
        "\
warning: demo/load-balancer/key-cert.pem: no name was checked: the certificate is a client's, and servers check no name (host-of-client)
  next: leave out --host, or say with --as who checks it
",
    );
}

#[test]
fn a_problem_names_the_certificate_the_rule_and_what_to_do() {
    let sandbox = Sandbox::with_demo();
    let before = sandbox.tree();
    check(&sandbox, SERVER, &["--host", "server2.demo.internal"])
        .run()
        .status(2)
        .stdout(
            "\
critical: demo/servers/server1/zato-server-cert.pem:1: O=demo,CN=server1: HAProxy refuses it: it is not for `server2.demo.internal`, but for DNS:server1.demo.internal, IP:127.0.0.1, CN=server1 (host-mismatch)
  next: ask for one of its names, or issue it for this one; HAProxy compares names only with dNSName entries and common names, never with iPAddress entries
",
        );
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn several_problems_are_all_told_in_openssls_order() {
    let sandbox = Sandbox::with_demo();
    check(&sandbox, SERVER, &["--as", "strict", "--purpose", "client", "--host", "10.0.0.1", "--at", "2030-01-01"])
        .run()
        .status(2)
        .stdout(
            "\
critical: demo/servers/server1/zato-server-cert.pem:1: O=demo,CN=server1: a strict verifier refuses it: its extendedKeyUsage lacks clientAuth (unsuitable-purpose)
  next: issue it for this purpose; on a CA of the path, leave extendedKeyUsage out
critical: demo/servers/server1/zato-server-cert.pem:1: O=demo,CN=server1: a strict verifier refuses it: it is not for `10.0.0.1`, but for DNS:server1.demo.internal, IP:127.0.0.1, CN=server1 (ip-mismatch)
  next: ask for one of its names, or issue it for this one; HAProxy compares names only with dNSName entries and common names, never with iPAddress entries
critical: demo/servers/server1/zato-server-cert.pem:1: O=demo,CN=server1: a strict verifier refuses it: it expired (notAfter 2027-11-23 12:00:00 UTC) (expired)
  next: issue a new certificate
",
        );
}

#[test]
fn what_only_a_strict_verifier_refuses_is_a_warning() {
    let sandbox = Sandbox::with_demo();
    check(&sandbox, SERVER, &["--host", "server1"])
        .run()
        .status(1)
        .stdout(
            "\
warning: demo/servers/server1/zato-server-cert.pem:1: O=demo,CN=server1: a strict verifier refuses it: it is not for `server1`, but for DNS:server1.demo.internal, IP:127.0.0.1, CN=server1 (host-mismatch)
  next: ask for one of its names, or issue it for this one; HAProxy compares names only with dNSName entries and common names, never with iPAddress entries
",
        );
    // The one that decides has no second opinion beside it.
    check(
        &sandbox,
        SERVER,
        &["--host", "server1", "--as", "haproxy-server"],
    )
    .run()
    .stdout(format!("ok: {SERVER}: HAProxy accepts it\n"));
}

#[test]
fn a_key_beside_the_certificate_must_be_its_own() {
    let sandbox = Sandbox::with_demo();
    let (certificate, key) = (sandbox.read(SERVER), sandbox.read(OTHER_KEY));
    let own = sandbox.read(SERVER_KEY);
    sandbox
        .file("mixed.pem", certificate.clone() + &key)
        .file("key-first.pem", own + &certificate);
    check(&sandbox, "mixed.pem", &[]).run().status(2).stdout(
        "\
critical: mixed.pem:14: the private key does not belong to the certificate of `O=demo,CN=server1` (key-mismatch)
  next: put the certificate that was issued for this key beside it
",
    );
    check(&sandbox, "key-first.pem", &[])
        .run()
        .stdout("ok: key-first.pem: HAProxy and a strict verifier accept it\n");
}

#[test]
fn a_key_that_nobody_can_load_is_critical() {
    let sandbox = Sandbox::with_demo();
    sandbox.tool(
        "openssl",
        &[
            "pkey", "-in", SERVER_KEY, "-aes256", "-passout", "pass:x", "-out", "key.pem",
        ],
    );
    let certificate = sandbox.read(SERVER);
    sandbox.file(
        "encrypted.pem",
        certificate.clone() + &sandbox.read("key.pem"),
    );
    check(&sandbox, "encrypted.pem", &[]).run().status(2).stdout(
        "\
critical: encrypted.pem:14: the private key is encrypted: neither HAProxy nor a server can load it (key-encrypted)
  next: write it in the clear (openssl pkey), readable by its owner alone
",
    );
    let empty = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    sandbox.file("damaged.pem", certificate + empty);
    let (status, said) = check(&sandbox, "damaged.pem", &[]).run().answer();
    assert_eq!(status, 2);
    assert!(said.contains("(key-damaged)"), "{said}");
}

#[test]
fn a_damaged_block_behind_the_certificate_is_a_warning() {
    let sandbox = Sandbox::with_demo();
    let (certificate, ca) = (sandbox.read(SERVER), sandbox.read(CA));
    let (half, _) = ca.split_at(ca.len() / 2);
    sandbox.file("cut-off.pem", certificate + half);
    check(&sandbox, "cut-off.pem", &[]).run().status(1).stdout(
        "\
warning: cut-off.pem:14: the PEM block `CERTIFICATE` has no END line; HAProxy leaves it out without a word (damaged-block)
  next: put the whole block in, or take it out
",
    );
    // With --as one policy decides, and this is a note.
    let as_haproxy = ["--as", "haproxy-server", "--host", HOST];
    check(&sandbox, "cut-off.pem", &as_haproxy)
        .run()
        .stdout("ok: cut-off.pem: HAProxy accepts it\n")
        .stderr("note: cut-off.pem:14: the PEM block `CERTIFICATE` has no END line; HAProxy leaves it out without a word\n");
}

#[test]
fn a_block_that_haproxy_does_not_read_is_not_passed() {
    let sandbox = Sandbox::with_demo();
    let (pem, ca) = (sandbox.read(SERVER), sandbox.read(CA));
    let odd = |pem: &str| {
        [
            pem.replacen("\nM", "\nX: y\n\nM", 1),
            pem.replacen("\nM", "\n\nM", 1)
                .replacen("-----BEGIN", " -----BEGIN", 1),
            pem.replace("-----END CERTIFICATE-----", "-----END CERTIFICATE-----x"),
            pem.replace('\n', "\r"),
            format!("{}{pem}", pem.trim_end()),
        ]
    };
    for (leaf, bundle) in odd(&pem).iter().zip(odd(&ca)) {
        sandbox.file("leaf.pem", leaf).file("bundle.pem", bundle);
        for file in ["leaf.pem", "bundle.pem"] {
            let server = "backend b\n server s 127.0.0.1:1 ssl verify required ca-file";
            let timeouts =
                "defaults\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n";
            sandbox.file("haproxy.cfg", format!("{timeouts}{server} {file}\n"));
            let mut haproxy = tool("haproxy");
            haproxy
                .args(["-c", "-f", "haproxy.cfg"])
                .current_dir(sandbox.path(""));
            let takes = haproxy.output().unwrap().status.success();
            assert!(!takes, "{leaf}");
        }
        let refused = "because: HAProxy and servers do not read the PEM block `CERTIFICATE`: ";
        check(&sandbox, "leaf.pem", &[])
            .run()
            .status(3)
            .stderr_with(refused);
        check_against(&sandbox, "bundle.pem")
            .run()
            .status(3)
            .stderr_with(refused);
    }
}

#[test]
fn a_certificate_comes_as_pem_as_der_or_through_a_pipe() {
    let sandbox = Sandbox::with_demo();
    sandbox.tool(
        "openssl",
        &["x509", "-in", SERVER, "-outform", "DER", "-out", "leaf.der"],
    );
    check(&sandbox, "leaf.der", &[])
        .run()
        .stdout("ok: leaf.der: HAProxy and a strict verifier accept it\n");
    let certificate = sandbox.read(SERVER);
    check(&sandbox, "-", &[])
        .stdin(&certificate)
        .run()
        .stdout("ok: -: HAProxy and a strict verifier accept it\n");
    let windows = format!(
        "\u{feff}text around\r\n{}",
        certificate.replace('\n', "\r\n")
    );
    check(&sandbox, "-", &[])
        .stdin(windows)
        .run()
        .stdout("ok: -: HAProxy and a strict verifier accept it\n");
}

#[test]
fn what_cannot_be_read_is_unknown() {
    let sandbox = Sandbox::with_demo();
    sandbox
        .file("empty", "")
        .file("text", "no certificate\n")
        .file("directory/file", "");
    let no_certificate = "  because: it has no certificate
  hint: give a file with a CERTIFICATE block (PEM) or a certificate in DER
";
    let file = |file: &str, rest: &str| {
        let run = check(&sandbox, file, &[]);
        refused(
            &sandbox,
            run,
            3,
            &format!("check `{file}`\n  at: {file}\n{rest}"),
        );
    };
    file("empty", no_certificate);
    file("text", no_certificate);
    file(SERVER_KEY, no_certificate);
    file(
        "nowhere",
        "  because: no such file or directory
  hint: check the path; file arguments are relative to the current directory
",
    );
    file(
        "directory",
        "  because: is a directory
  hint: name a file, not a directory
",
    );
    refused(
        &sandbox,
        check(&sandbox, SERVER, &["--crl-file", "empty"]),
        3,
        &format!(
            "\
check `{SERVER}`
  at: empty
  because: it has no CRL
  hint: give a file with an X509 CRL block (PEM) or a CRL in DER
"
        ),
    );
}

#[test]
fn a_file_without_permission_is_unknown() {
    let sandbox = Sandbox::with_demo();
    sandbox.mode(SERVER, 0);
    let run = check(&sandbox, SERVER, &[]).run();
    if std::fs::read(sandbox.path(SERVER)).is_ok() {
        // Nothing is hidden from root.
        run.stdout(format!(
            "ok: {SERVER}: HAProxy and a strict verifier accept it\n"
        ));
    } else {
        run.status(3).stderr_with("because: permission denied");
    }
}

#[test]
fn a_ca_file_that_haproxy_does_not_start_with_is_told() {
    let sandbox = Sandbox::with_demo();
    let ca = sandbox.read(CA);
    let (half, _) = ca.split_at(ca.len() / 2);
    sandbox
        .file("empty", "")
        .file("broken.pem", format!("{ca}{half}"));
    sandbox.tool(
        "openssl",
        &["x509", "-in", CA, "-outform", "DER", "-out", "ca.der"],
    );
    let ca_file = |file: &str, rest: &str| {
        let run = check_against(&sandbox, file);
        refused(&sandbox, run, 3, &format!("check `{SERVER}`\n{rest}"));
    };
    ca_file(
        "empty",
        "  at: empty
  because: it has no certificate
  hint: give a file with a CERTIFICATE block (PEM) or a certificate in DER
",
    );
    ca_file(
        "broken.pem",
        "  at: broken.pem:13
  because: the PEM block `CERTIFICATE` has no END line
  hint: the file is damaged or was cut off: get it again
",
    );
    check_against(&sandbox, "ca.der").run().status(2).stdout(
        "\
critical: ca.der: it is DER, and neither HAProxy nor a server starts with such a trust bundle (ca-file-der)
  next: make it PEM: openssl x509 -inform DER
",
    );
}

#[test]
fn a_directory_as_ca_file_is_read_as_haproxy_reads_it() {
    let sandbox = Sandbox::with_demo();
    let (ca, leaf) = (sandbox.read(CA), sandbox.read(SERVER));
    let accepted = format!("ok: {SERVER}: HAProxy and a strict verifier accept it\n");
    for name in ["a.pem", "a.crt", "a.cer", "a.crl"] {
        let directory = name.replace('.', "-");
        sandbox
            .file(format!("{directory}/{name}"), &ca)
            .file(format!("{directory}/README"), "nothing to read");
        check_against(&sandbox, &directory).run().stdout(&accepted);
    }
    for name in ["a.txt", "a", "a.PEM", ".a.pem"] {
        let directory = format!("not-{}", name.replace('.', "-"));
        sandbox.file(format!("{directory}/{name}"), &ca);
        let because = format!(
            "check `{SERVER}`
  at: {directory}
  because: none of its files has a certificate for HAProxy to read
  hint: of a directory it reads PEM files that end in .cer, .crl, .crt or .pem
"
        );
        refused(&sandbox, check_against(&sandbox, &directory), 3, &because);
    }
    sandbox
        .file("more/a.pem", &ca)
        .file("more/b.pem", ca.clone() + &leaf)
        .file("more/c.pem", "nothing");
    check_against(&sandbox, "more").run().status(1).stdout(
        "\
warning: more/b.pem: HAProxy reads the first certificate of a file in a directory, and leaves out that on line 13 (ca-file-left-out)
  next: put each certificate into a PEM file of its own, or all of them into one ca-file
warning: more/c.pem: it has no certificate: HAProxy leaves it out (ca-file-left-out)
  next: put each certificate into a PEM file of its own, or all of them into one ca-file
",
    );
    sandbox.file("second/a.pem", leaf + &ca);
    let (status, said) = check_against(&sandbox, "second").run().answer();
    assert_eq!(status, 2);
    assert!(said.contains("(issuer-missing)"), "{said}");
}

#[test]
fn wrong_usage_is_neither_good_nor_bad_news() {
    let sandbox = Sandbox::with_demo();
    let usage = |more: &[&str], because: &str| {
        let run = sandbox.args([&["check", SERVER, "--ca-file", CA], more].concat());
        refused(&sandbox, run, 64, because);
    };
    let purpose = format!(
        "check `{SERVER}`
  because: --purpose goes with --as strict only: the other policies have their purposes
  hint: leave out --purpose, or give --as strict
"
    );
    let host = format!(
        "check `{SERVER}`
  because: --host does not go with --as server-client: servers check no name
  hint: leave out --host
"
    );
    usage(&["--as", "haproxy-server", "--purpose", "server"], &purpose);
    usage(&["--as", "server-client", "--host", HOST], &host);
    usage(
        &["--purpose", "client"],
        "read the command line
  because: the following required arguments were not provided: --as <POLICY>
  hint: see `zpki --help`, or `zpki COMMAND --help`
",
    );
    usage(
        &["--at", "tomorrow"],
        "read the command line
  at: --at tomorrow
  because: `tomorrow` is not an instant
  hint: an instant is a date with or without a time (RFC 3339), such as 2027-01-31 or 2027-01-31T12:00:00Z
",
    );
}

#[test]
fn the_instant_may_be_given() {
    let sandbox = Sandbox::with_demo();
    for (at, status) in [
        ("2026-11-23T11:00:00Z", 0),
        ("2026-11-23T10:59:59Z", 2),
        ("2027-11-23T11:59:59Z", 0),
        ("2027-11-23T12:00:00Z", 2),
        ("2027-11-23T13:59:59+02:00", 0),
        ("2027-11-23", 0),
        ("2027-11-24", 2),
    ] {
        let (found, said) = check(&sandbox, SERVER, &["--at", at])
            .now(None)
            .run()
            .answer();
        assert_eq!(found, status, "{at}: {said}");
    }
    let without_clock = check(&sandbox, SERVER, &[]).now(None).run();
    without_clock.status(3).stderr_with("clock");
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    schema: u32,
    at: String,
    changed: bool,
    status: String,
    file: String,
    verdicts: Vec<Verdict>,
    findings: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Verdict {
    policy: String,
    purpose: String,
    decides: bool,
    outcome: String,
    hosts: Vec<String>,
    path: Vec<Link>,
    reasons: Vec<Reason>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Link {
    depth: usize,
    subject: String,
    issuer: String,
    serial_number: String,
    not_before: String,
    not_after: String,
    fingerprint: String,
    source: String,
    file: String,
    line: Option<usize>,
    trust_anchor: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Reason {
    id: String,
    depth: usize,
    openssl_error: Option<u32>,
    why: String,
    next: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Finding {
    severity: String,
    id: String,
    about: String,
    why: String,
    next: Option<String>,
}

#[test]
fn json_has_all_of_it() {
    let sandbox = Sandbox::with_demo();
    let more = ["--output", "json", "--at", "2028-01-01"];
    let (status, text) = check(&sandbox, SERVER, &more).run().answer();
    let report: Report = serde_json::from_str(&text).unwrap();
    assert_eq!(status, 2);
    assert_eq!((report.schema, report.changed), (1, false));
    assert_eq!(report.at, "2028-01-01T00:00:00Z");
    assert_eq!(
        (report.status.as_str(), report.file.as_str()),
        ("critical", SERVER)
    );

    let [haproxy, strict] = report.verdicts.as_slice() else {
        panic!("{:?}", report.verdicts)
    };
    assert_eq!(
        (haproxy.policy.as_str(), haproxy.decides),
        ("haproxy-server", true)
    );
    assert_eq!((strict.policy.as_str(), strict.decides), ("strict", false));
    for verdict in [haproxy, strict] {
        assert_eq!(verdict.purpose, "server");
        assert_eq!(verdict.outcome, "refused");
        assert_eq!(verdict.hosts, [HOST]);
        let [reason] = verdict.reasons.as_slice() else {
            panic!("{:?}", verdict.reasons)
        };
        assert_eq!((reason.id.as_str(), reason.depth), ("expired", 0));
        assert_eq!(reason.openssl_error, Some(10));
        assert_eq!(reason.why, "it expired (notAfter 2027-11-23 12:00:00 UTC)");
        assert_eq!(reason.next, "issue a new certificate");
    }
    path_is_that_of_server1(&haproxy.path);

    let [finding] = report.findings.as_slice() else {
        panic!("{:?}", report.findings)
    };
    assert_eq!(
        (finding.severity.as_str(), finding.id.as_str()),
        ("critical", "expired")
    );
    assert_eq!(finding.about, format!("{SERVER}:1: O=demo,CN=server1"));
    assert!(finding.why.starts_with("HAProxy refuses it: it expired"));
    assert_eq!(finding.next.as_deref(), Some("issue a new certificate"));
}

fn path_is_that_of_server1(path: &[Link]) {
    let [leaf, root] = path else {
        panic!("{path:?}")
    };
    assert_eq!((leaf.depth, root.depth), (0, 1));
    assert_eq!(leaf.subject, "O=demo,CN=server1");
    assert_eq!(leaf.issuer, root.subject);
    assert_eq!(root.issuer, root.subject);
    assert_eq!(
        (leaf.source.as_str(), root.source.as_str()),
        ("sent", "trust-bundle")
    );
    assert_eq!((leaf.file.as_str(), root.file.as_str()), (SERVER, CA));
    assert_eq!((leaf.line, root.line), (Some(1), Some(1)));
    assert_eq!((leaf.trust_anchor, root.trust_anchor), (false, true));
    assert_eq!(leaf.not_before, "2026-11-23T11:00:00Z");
    assert_eq!(leaf.not_after, "2027-11-23T12:00:00Z");
    assert_eq!((leaf.serial_number.len(), leaf.fingerprint.len()), (32, 64));
}
