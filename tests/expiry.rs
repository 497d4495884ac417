//! `zpki expiry` as its users run it: from cron (silence, stable lines, exit statuses), by hand, and
//! for programs that read JSON.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, SerialNumber,
};
use rustix::fs::{CWD, FileType, Mode};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use crate::e2e::process::tool;
use crate::sandbox::{NOW, PROGRAM, Sandbox};

/// A certificate of its own, as PEM: `CN=name`, valid until so many days after [`NOW`], out of a
/// lifetime of so many.
pub(crate) fn certificate(name: &str, days_left: i64, lifetime: i64) -> String {
    made(name, days_left, lifetime, IsCa::ExplicitNoCa)
}

fn made(name: &str, days_left: i64, lifetime: i64, is_ca: IsCa) -> String {
    let not_after = NOW + Duration::days(days_left);
    between(name, not_after - Duration::days(lifetime), not_after, is_ca)
}

fn between(
    name: &str,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
    is_ca: IsCa,
) -> String {
    let mut params = CertificateParams::new([format!("{name}.example")]).unwrap();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from(0x10e1_u64));
    (params.not_before, params.not_after) = (not_before, not_after);
    params.is_ca = is_ca;
    params
        .self_signed(&KeyPair::generate().unwrap())
        .unwrap()
        .pem()
}

/// A CRL, as PEM, that a next one should have replaced so many days after [`NOW`].
fn crl(days_left: i64) -> String {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::CrlSign];
    let issuer = Issuer::new(params, KeyPair::generate().unwrap());
    let next_update = NOW + Duration::days(days_left);
    let crl = CertificateRevocationListParams {
        this_update: next_update - Duration::days(30),
        next_update,
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    crl.signed_by(&issuer).unwrap().pem().unwrap()
}

#[test]
fn all_is_well_in_silence() {
    let sandbox = Sandbox::with_demo();
    sandbox.args(["-C", "demo", "expiry"]).run();
    sandbox
        .args(["-C", "demo", "expiry"])
        .env("ZPKI_DIR", "x")
        .run_program();
    sandbox.file("certs/a.pem", certificate("a", 300, 365));
    sandbox.args(["expiry", "certs"]).run();
    sandbox.args(["expiry", "certs/a.pem", "-q"]).run();
}

#[test]
fn what_runs_out_is_told_in_quiet_text_too() {
    let sandbox = Sandbox::new();
    sandbox.file("a.pem", certificate("a", -3, 365));
    sandbox
        .args(["expiry", "a.pem", "-q"])
        .run()
        .status(2)
        .stdout("CRIT [root]/a.pem:1 CN=a expired 2026-11-20T12:00:00Z (3d ago)\n");
}

#[test]
fn a_pki_directory_is_told_of_worst_first() {
    let sandbox = Sandbox::with_demo();
    let at = |at: &str| {
        let outcome = sandbox.args(["-C", "demo", "expiry", "--at", at]).run();
        let (status, text) = outcome.answer();
        (
            status,
            text.replace(sandbox.path("").to_str().unwrap(), "/"),
        )
    };
    assert_eq!(at("2027-10-24T12:00:00Z"), (0, String::new()));
    let (status, text) = at("2027-10-24T12:00:01Z");
    assert_eq!(status, 1);
    assert_eq!(
        text,
        "WARN /demo/load-balancer/key-cert.pem:6 O=demo,CN=load-balancer expires 2027-11-23T12:00:00Z (in 29d)\n\
         WARN /demo/servers/server1/zato-server-cert.pem:1 O=demo,CN=server1 expires 2027-11-23T12:00:00Z (in 29d)\n\
         WARN /demo/servers/server2/zato-server-cert.pem:1 O=demo,CN=server2 expires 2027-11-23T12:00:00Z (in 29d)\n"
    );
    let (status, text) = at("2027-11-23T12:00:00Z");
    assert_eq!((status, text.lines().count()), (2, 4));
    assert_eq!(
        text.lines().next().unwrap(),
        "CRIT /demo/load-balancer/key-cert.pem:6 O=demo,CN=load-balancer expired 2027-11-23T12:00:00Z (0m ago)"
    );
    // Without [revocation] nobody reads the CRL.
    assert!(
        text.lines()
            .last()
            .unwrap()
            .starts_with("WARN /demo/ca/crl.pem:1 CRL of O=demo,CN=demo cluster CA")
    );
}

#[test]
fn a_ca_is_told_of_as_long_before_as_its_certificates_last() {
    let sandbox = Sandbox::with_demo();
    let runway = |at: &str| {
        let (status, text) = sandbox
            .args(["-C", "demo", "expiry", "--at", at])
            .run()
            .answer();
        let line = text.lines().find(|line| line.contains("ca.cert.pem"));
        (status, line.map(str::to_owned))
    };
    // Ten years, less one of the certificates, less a third of it.
    let before = "2035-07-23T12:00:00Z";
    let (_, line) = runway(before);
    assert_eq!(line, None);
    let (_, line) = runway("2035-07-24T12:00:00Z");
    let line = line.unwrap();
    assert!(
        line.contains("WARN")
            && line.ends_with("(in 485d), sooner than what it is to issue (ca_runway)"),
        "{line}"
    );
}

#[test]
fn what_a_bundle_hides_is_found() {
    let sandbox = Sandbox::new();
    let bundle = certificate("good", 300, 365) + &certificate("old", -3, 365);
    sandbox.file(
        "bundle.pem",
        bundle.replace(
            "-----END CERTIFICATE-----\n-----",
            "-----END CERTIFICATE----------",
        ),
    );
    sandbox
        .args(["expiry", "bundle.pem"])
        .run()
        .status(2)
        .stdout("CRIT [root]/bundle.pem:10 CN=old expired 2026-11-20T12:00:00Z (3d ago)\n");
}

#[test]
fn thresholds_are_durations_percentages_or_the_lesser() {
    let sandbox = Sandbox::new();
    sandbox.file("a.pem", certificate("a", 40, 400));
    let status = |flags: &[&str]| {
        let args = [&["expiry", "a.pem"], flags].concat();
        sandbox.args(args).run().answer().0
    };
    assert_eq!(status(&[]), 0);
    assert_eq!(status(&["--warn", "41d"]), 1);
    assert_eq!(status(&["--warn", "40d"]), 0);
    assert_eq!(status(&["--warn", "11%"]), 1);
    assert_eq!(status(&["--warn", "10%"]), 0);
    assert_eq!(status(&["--warn", "min(60d,11%)"]), 1);
    assert_eq!(status(&["--warn", "60d,10%"]), 0);
    assert_eq!(status(&["--warn", "60d", "--crit", "41d"]), 2);
    assert_eq!(
        status(&["--warn", "60d", "--crit", "41d", "--exit-zero"]),
        0
    );
}

#[test]
fn usage_errors_never_look_like_a_finding() {
    let sandbox = Sandbox::new();
    sandbox.file("a.pem", certificate("a", 40, 400));
    sandbox
        .args(["expiry", "a.pem", "--warn", "soon"])
        .run()
        .status(64)
        .stderr(
            "zpki: error: cannot read the command line\n  \
               at: --warn soon\n  \
               because: `soon` is not a threshold\n  \
               hint: give what has to remain: a time such as 30d, a share of the lifetime such as 25%, or 30d,25% for the lesser of both\n",
        );
    sandbox
        .args(["expiry", "a.pem", "--crit", "60d", "--warn", "30d"])
        .run()
        .status(64)
        .stderr(
            "zpki: error: cannot see what runs out\n  \
               because: --crit 60d begins before --warn 30d\n  \
               hint: give a --crit that is less than --warn\n",
        );
    sandbox
        .args(["expiry", "a.pem", "--output", "pem"])
        .run()
        .status(64)
        .stderr(
            "zpki: error: cannot see what runs out\n  \
               because: this command has no output format `pem`\n  \
               hint: it has text, json, jsonl, nagios and prometheus\n",
        );
    sandbox
        .args(["expiry", "a.pem", "--all"])
        .run()
        .status(64)
        .stderr(
            "zpki: error: cannot see what runs out\n  \
               because: --all goes with --textfile or --output prometheus only\n  \
               hint: leave it out, or give --textfile PATH\n",
        );
    sandbox
        .args(["expiry", "-", "--haproxy", "-"])
        .run()
        .status(64)
        .stderr(
            "zpki: error: cannot see what runs out\n  \
               because: standard input is given twice: INPUT, --haproxy\n  \
               hint: give one\n",
        );
    for args in [
        &["expiry", "--frobnicate"][..],
        &["expiry", "--at", "tomorrow"],
        &["list", "--output", "nagios"],
        &["expiry", "--exclude", "[a"],
        &["expiry", "--textfile", "zpki.txt"],
        &["expiry", "--print", "cron", "--warn", "60d"],
        &["expiry", "--print", "cron", "--exit-zero"],
        &["expiry", "--print", "prometheus-rules", "--all"],
    ] {
        let outcome = sandbox.args(args.iter().copied()).run();
        outcome.status(64).stderr_with("zpki: error: ");
    }
}

#[test]
fn nothing_found_is_not_well() {
    let sandbox = Sandbox::new();
    sandbox.file("empty/readme.txt", "nothing\n");
    sandbox.args(["expiry", "empty"]).run().status(3).stdout(
        "UNKN everything that was given no_certificate_found: no certificate was found in 1 files\n",
    );
    sandbox.args(["expiry", "empty", "--allow-empty"]).run();
    sandbox.file("links/readme.txt", "nothing\n");
    symlink("none", sandbox.path("links/a.pem")).unwrap();
    sandbox.args(["expiry", "links"]).run().status(3).stdout(
        "UNKN everything that was given no_certificate_found: no certificate was found in 1 files\n\
         WARN [root]/links/a.pem broken_symlink: is a link to `none`, which is not there\n",
    );
    sandbox.file("key.pem", KeyPair::generate().unwrap().serialize_pem());
    sandbox.args(["expiry", "key.pem"]).run().status(3).stdout(
        "UNKN [root]/key.pem no_certificate_found: it is a key, and there is no certificate and no CRL in it\n",
    );
    sandbox
        .args(["expiry", "missing.pem"])
        .run()
        .status(3)
        .stdout("UNKN [root]/missing.pem not_found: no such file or directory\n");
    sandbox.args(["expiry"]).run().status(3).stderr(
        "zpki: error: cannot see what runs out in the PKI directory\n  \
           at: [root]\n  \
           because: this is no PKI directory: it has no zpki.toml\n  \
           hint: name a PKI directory with -C or ZPKI_DIR, or make one with `zpki init`\n",
    );
}

#[test]
fn a_broken_zpki_toml_is_unknown() {
    let sandbox = Sandbox::with_demo();
    sandbox.file("demo/zpki.toml", "[cluster\n");
    let outcome = sandbox.args(["-C", "demo", "expiry"]).run();
    outcome.status(3).stderr_with("demo/zpki.toml:1");
}

#[test]
fn dates_that_cannot_be_are_findings() {
    let sandbox = Sandbox::new();
    let future = between(
        "future",
        NOW + Duration::HOUR,
        NOW + Duration::days(90),
        IsCa::NoCa,
    );
    let near = between(
        "near",
        NOW + Duration::minutes(5),
        NOW + Duration::days(90),
        IsCa::NoCa,
    );
    let inverted = between("inverted", NOW, NOW - Duration::days(9), IsCa::NoCa);
    sandbox
        .file("1.pem", future)
        .file("2.pem", near)
        .file("3.pem", inverted);
    sandbox.args(["expiry", "."]).run().status(2).stdout(
        "CRIT [root]/1.pem:1 CN=future not valid before 2026-11-23T13:00:00Z (in 60m)\n\
         CRIT [root]/3.pem:1 CN=inverted inverted: it ends 2026-11-14T12:00:00Z, before it begins 2026-11-23T12:00:00Z\n\
         WARN [root]/2.pem:1 CN=near not valid before 2026-11-23T12:05:00Z (in 5m)\n",
    );
}

#[test]
fn a_wrong_clock_is_one_line() {
    let sandbox = Sandbox::new();
    for number in 0..12 {
        let name = format!("{number:02}");
        sandbox.file(format!("{name}.pem"), certificate(&name, 300, 365));
    }
    sandbox.args(["expiry", "."]).run();
    sandbox.args(["expiry", ".", "--at", "2100-01-01"]).run().status(3).stdout(
        "UNKN clock? clock_suspect: at 2100-01-01 00:00:00 UTC 12 of 12 certificates are expired and 0 not valid yet\n",
    );
    sandbox.args(["expiry", "."]).now(datetime!(2001-01-01 0:00 UTC)).run().status(3).stdout(
        "UNKN clock? clock_suspect: it says 2001-01-01 00:00:00 UTC, before this program was made\n",
    );
    // Metrics that say nothing else of it would pass for good ones.
    let metrics = ["expiry", ".", "--at", "2100-01-01", "--output=prometheus"];
    let (status, text) = sandbox.args(metrics).run().answer();
    assert_eq!(status, 3);
    let alarm = "\nx509_cert_error{reason=\"clock_suspect\"} 1\n";
    assert!(text.contains(alarm), "{text}");
    let outcome = sandbox.args(["expiry", "."]).now(None).run();
    outcome.status(3).stderr_with("the clock");
}

#[test]
fn old_crls_say_nothing_about_the_clock() {
    let sandbox = Sandbox::new();
    let old = certificate("old", -3, 365);
    for number in 0..10 {
        let name = format!("{number:02}");
        let good = certificate(&name, 300, 365);
        sandbox.file(
            format!("{name}.pem"),
            if number < 5 { old.clone() } else { good },
        );
        sandbox.file(format!("{name}.crl"), crl(-20 - number));
    }
    let (status, text) = sandbox.args(["expiry", "."]).run().answer();
    assert_eq!((status, text.lines().count()), (2, 15), "{text}");
}

#[test]
fn a_newer_sibling_supersedes_unless_a_configuration_names_the_old_one() {
    let sandbox = Sandbox::new();
    sandbox.file("certs/a.pem", certificate("a", 300, 365));
    sandbox.file("certs/archive/a.pem", certificate("a", -10, 365));
    sandbox.args(["expiry", "certs"]).run();
    sandbox.file(
        "haproxy.cfg",
        format!(
            "backend b\n  server s 127.0.0.1:1 ssl verify none crt {}\n",
            sandbox.path("certs/archive/a.pem").display()
        ),
    );
    sandbox.args(["expiry", "certs", "--haproxy", "haproxy.cfg"]).run().status(2).stdout(
        "CRIT [root]/certs/archive/a.pem:1 CN=a expired 2026-11-13T12:00:00Z (10d ago), named by haproxy.cfg:2\n",
    );
    sandbox
        .args(["expiry", "certs", "--exclude", "archive"])
        .run();
}

#[test]
fn every_file_that_a_configuration_names_is_read() {
    let sandbox = Sandbox::with_demo();
    for name in ["ca", "crt", "list", "bind", "server"] {
        sandbox.file(format!("tls/{name}.pem"), certificate(name, -1, 90));
    }
    let root = sandbox.path("tls").display().to_string();
    sandbox.file(
        "tls/crt-list",
        format!("# a comment\n{root}/list.pem [alpn h2] a.example\n"),
    );
    sandbox.file(
        "haproxy.cfg",
        format!(
            "frontend f\n  bind :1 ssl crt {root}/bind.pem crt-list {root}/crt-list\n\
             backend b\n  server s 127.0.0.1:1 ssl verify required ca-file {root}/ca.pem crt {root}/crt.pem crl-file {root}/none.pem\n"
        ),
    );
    sandbox.file(
        "repo/server.conf",
        "[crypto]\nuse_tls=True\ncert_location=../tls/server.pem\npriv_key_location=key.pem\n",
    );
    let args = [
        "expiry",
        "--haproxy",
        "haproxy.cfg",
        "--server-conf",
        "repo/server.conf",
    ];
    let (status, text) = sandbox.args(args).run().answer();
    let told: Vec<String> = text
        .lines()
        .map(|line| line.replace(&root, "tls"))
        .collect();
    assert_eq!(status, 2);
    let expired = |name: &str, file: &str, by: &str| {
        format!("CRIT {file}:1 CN={name} expired 2026-11-22T12:00:00Z (24h ago), named by {by}")
    };
    let repo = sandbox.path("repo").display().to_string();
    assert_eq!(
        told,
        [
            expired(
                "server",
                &format!("{repo}/../tls/server.pem"),
                "repo/server.conf:3"
            ),
            expired("bind", "tls/bind.pem", "haproxy.cfg:2"),
            expired("ca", "tls/ca.pem", "haproxy.cfg:4"),
            expired("crt", "tls/crt.pem", "haproxy.cfg:4"),
            expired("list", "tls/list.pem", "tls/crt-list:2"),
            "UNKN tls/none.pem not_found: no such file or directory, named by haproxy.cfg:4"
                .to_owned(),
        ]
    );
}

#[test]
fn files_that_no_proxy_in_use_names_are_read_too() {
    let sandbox = Sandbox::new();
    let names = [
        "chain", "client", "disabled", "list", "log", "peer", "ring", "sign", "stats",
    ];
    for name in names {
        sandbox.file(format!("tls/{name}.pem"), certificate(name, -1, 90));
    }
    let root = sandbox.path("tls").display().to_string();
    sandbox.file("tls/crt-list", "list.pem\n");
    sandbox.file(
        "haproxy.cfg",
        format!(
            "global\n  crt-base {root}\n  ca-base {root}\n  issuers-chain-path {root}/chain.pem\n\
             \u{20} httpclient.ssl.ca-file client.pem\n  stats socket :1 ssl crt stats.pem\n\
             peers p\n  bind :1 ssl crt peer.pem\n\
             ring r\n  server s h:1 ssl ca-file ring.pem\n\
             log-forward l\n  bind :1 ssl crt log.pem\n\
             frontend f\n  bind :1 ssl crt-list {root}/crt-list ca-sign-file sign.pem\n\
             frontend d\n  disabled\n  bind :1 ssl crt disabled.pem\n"
        ),
    );
    let (status, text) = sandbox
        .args(["expiry", "--haproxy", "haproxy.cfg"])
        .run()
        .answer();
    assert_eq!(status, 2);
    let told = text.lines().map(|line| line.split(' ').nth(2).unwrap());
    let expected = names.map(|name| format!("CN={name}"));
    assert_eq!(told.collect::<Vec<_>>(), expected, "{text}");
}

#[test]
fn nobody_waits_for_a_configuration_that_is_a_pipe() {
    let sandbox = Sandbox::new();
    rustix::fs::mknodat(CWD, sandbox.path("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    for flag in ["--haproxy", "--server-conf"] {
        sandbox
            .args(["expiry", flag, "pipe"])
            .run()
            .status(3)
            .stdout("UNKN [root]/pipe read_failed: it is no regular file\n");
    }
}

#[test]
fn a_configuration_that_cannot_be_read_is_unknown() {
    let sandbox = Sandbox::new();
    sandbox.file("a.pem", certificate("a", 300, 365));
    sandbox.file(
        "haproxy.cfg",
        "backend b\n  server s 127.0.0.1:1 ssl frobnicate\n",
    );
    let (status, text) = sandbox
        .args(["expiry", "a.pem", "--haproxy", "haproxy.cfg"])
        .run()
        .answer();
    assert_eq!(status, 3);
    let path = sandbox.path("haproxy.cfg");
    let beginning = format!("UNKN {} not_understood: line 2: ", path.display());
    assert!(text.starts_with(&beginning), "{text}");
    let args = ["expiry", "a.pem", "--haproxy", "-"];
    let (status, text) = sandbox.args(args).stdin("x\n").run().answer();
    assert_eq!(status, 3);
    assert!(text.starts_with("UNKN - not_understood: "), "{text}");
    sandbox
        .args(["expiry", "a.pem", "--server-conf", "none.conf"])
        .run()
        .status(3)
        .stdout("UNKN [root]/none.conf not_found: no such file or directory\n");
}

#[test]
fn standard_input_is_an_input() {
    let sandbox = Sandbox::new();
    let pem = certificate("a", 20, 365);
    sandbox
        .args(["expiry", "-"])
        .stdin(&pem)
        .run()
        .status(1)
        .stdout("WARN -:1 CN=a expires 2026-12-13T12:00:00Z (in 20d)\n");
    sandbox
        .args(["expiry", "-"])
        .run()
        .status(3)
        .stdout("UNKN - no_certificate_found: there is no certificate and no CRL in it\n");
}

#[test]
fn a_verbose_run_shows_everything() {
    let sandbox = Sandbox::new();
    sandbox.file("a.pem", certificate("a", 300, 365));
    sandbox.file("b.pem", certificate("b", 5, 365));
    let (status, text) = sandbox.args(["expiry", ".", "-v"]).run().answer();
    assert_eq!(status, 2);
    let root = sandbox.path("").display().to_string();
    let lines = text.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.join(" ").replace(&root, "")
    });
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [
            "CRIT b.pem:1 CN=b expires 2026-11-28T12:00:00Z (in 5d)",
            "",
            "STATUS NOT AFTER REMAINING FILE SUBJECT",
            "critical 2026-11-28T12:00:00Z 5d b.pem:1 CN=b",
            "ok 2027-09-19T12:00:00Z 300d a.pem:1 CN=a",
        ]
    );
}

#[test]
fn a_plugin_has_its_answer_on_standard_output_whatever_happens() {
    let sandbox = Sandbox::with_demo();
    let nagios = |directory| {
        let args = ["-C", directory, "expiry", "--output=nagios"];
        sandbox.args(args).run()
    };
    let (status, text) = nagios("demo").answer();
    assert_eq!((status, text.lines().count()), (0, 1));
    assert!(
        text.starts_with("ZPKI OK - 4 certificates, 1 CRL; next: "),
        "{text}"
    );
    let outcome = nagios("none").status(3).stdout(
        "ZPKI UNKNOWN - cannot see what runs out in the PKI directory: because this is no PKI directory: it has no zpki.toml (at [root]/none)\n",
    );
    outcome.stderr_with("this is no PKI directory");
}

#[test]
fn metrics_go_to_standard_output_or_to_a_file() {
    let sandbox = Sandbox::with_demo();
    let prometheus = ["-C", "demo", "expiry", "--output=prometheus"];
    let metrics = sandbox.args(prometheus).run().product();
    assert!(metrics.contains("\nx509_cert_not_after{"), "{metrics}");
    let textfile = [&prometheus[..], &["--textfile", "zpki.prom"]].concat();
    sandbox.args(textfile).run();
    assert_eq!(sandbox.read("zpki.prom"), metrics);
    let modes = sandbox.tree().modes("");
    assert!(modes.contains("0644 zpki.prom\n"), "{modes}");
    // With text beside it, and when all is well that is nothing.
    let both = ["-C", "demo", "expiry", "--textfile", "zpki.prom"];
    sandbox.args(both).run();
    let at = [&both[..], &["--at", "2027-01-01"]].concat();
    sandbox.args(at).run().status(64).stderr_with("--at");
}

#[test]
fn metrics_of_a_run_that_found_nothing_raise_an_alarm() {
    let sandbox = Sandbox::new();
    sandbox.file("empty/readme.txt", "nothing\n");
    let args = ["expiry", "empty", "--output", "prometheus"];
    let metrics = |args: &[&str]| sandbox.args(args.iter().copied()).run().answer();
    let (status, text) = metrics(&args);
    assert_eq!(status, 3);
    let alarm = "\nx509_cert_error{reason=\"no_certificate_found\"} 1\n";
    assert!(text.contains(alarm), "{text}");
    let (status, text) = metrics(&[&args[..], &["--allow-empty"]].concat());
    assert_eq!(status, 0);
    assert!(!text.contains("x509_cert_error"), "{text}");
}

#[test]
fn metrics_that_cannot_be_written_are_unknown_and_what_was_found_is_told() {
    let sandbox = Sandbox::new();
    sandbox.file("a.pem", certificate("a", 20, 365));
    let args = ["expiry", "a.pem", "--textfile", "none/zpki.prom"];
    let outcome = sandbox
        .args(args)
        .run()
        .status(3)
        .stdout("WARN [root]/a.pem:1 CN=a expires 2026-12-13T12:00:00Z (in 20d)\n");
    outcome.stderr_with("zpki: error: cannot write the metrics");
    assert_eq!(sandbox.tree().modes(""), "0644 a.pem\n");
}

#[test]
fn templates_name_this_program_and_the_pki_directory() {
    let sandbox = Sandbox::with_demo();
    let print = |what| {
        let args = ["-C", "demo", "expiry", "--print", what];
        sandbox.args(args).run().product()
    };
    let command = format!("{PROGRAM} -C {} expiry", sandbox.path("demo").display());
    for what in ["cron", "nagios", "systemd"] {
        assert!(print(what).contains(&command), "{what}");
    }
    assert!(print("prometheus-rules").contains("x509_cert_not_after"));
    sandbox
        .args(["-C", "it's", "expiry", "--print", "cron"])
        .run()
        .status(64)
        .stderr_with("has a character that a systemd unit, a crontab or Nagios acts on");
}

#[test]
fn the_time_zone_changes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.file("a.pem", certificate("a", 20, 365));
    let run = |zone: &str| {
        let args = [
            "expiry",
            ".",
            "--output",
            "json",
            "--at",
            "2026-11-23T12:00:00Z",
        ];
        sandbox.args(args).env("TZ", zone).run_program().answer()
    };
    let zones = ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"].map(run);
    assert_eq!(zones[0].0, 1);
    assert_eq!(zones[0], zones[1]);
    assert_eq!(zones[0], zones[2]);
}

/// Another user than the owner of the files.
const NOBODY: [&str; 4] = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];

/// Runs zpki as nobody, in the sandbox.
fn as_nobody(sandbox: &Sandbox, args: &[&str]) -> (i32, String, String) {
    assert!(
        rustix::process::geteuid().is_root(),
        "only root can become nobody"
    );
    sandbox.mode("", 0o755);
    let output = tool("setpriv")
        .args(NOBODY)
        .arg(PROGRAM)
        .args(args)
        .current_dir(sandbox.path(""))
        .env_clear()
        .output()
        .unwrap();
    let text = |bytes| {
        String::from_utf8(bytes)
            .unwrap()
            .replace(sandbox.path("").to_str().unwrap(), "/")
    };
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn who_may_not_enter_the_host_folders_has_the_answer_of_the_inventory() {
    let sandbox = Sandbox::with_demo();
    let at = |at| as_nobody(&sandbox, &["-C", "demo", "expiry", "--at", at]);
    assert_eq!(at("2027-10-01"), (0, String::new(), String::new()));
    let (status, text, _) = at("2027-11-20");
    assert_eq!((status, text.lines().count()), (2, 3), "{text}");
    assert!(text.contains("CRIT /demo/ca/issued/server1/"), "{text}");
    let (_, _, notes) = as_nobody(&sandbox, &["-C", "demo", "expiry", "-v"]);
    assert!(notes.contains("may not enter 3 host folders"), "{notes}");
}

#[test]
fn what_was_not_opened_is_said() {
    let sandbox = Sandbox::new();
    sandbox.file("certs/a.pem", certificate("a", 300, 365));
    sandbox.file("certs/keys.jks", b"\xfe\xed\xfe\xed\0\0\0\x02");
    sandbox.args(["expiry", "certs"]).run();
    let args = ["expiry", "certs", "--output", "json"];
    let (status, text) = sandbox.args(args).run().answer();
    assert_eq!(status, 0);
    assert!(
        text.contains("1 key stores or PKCS#7 files were not opened"),
        "{text}"
    );
}

#[test]
fn a_host_without_any_certificate_is_unknown() {
    let sandbox = Sandbox::with_demo();
    let told = || sandbox.args(["-C", "demo", "expiry"]).run();
    let remove = |path| fs::remove_dir_all(sandbox.path(path)).unwrap();
    remove("demo/servers/server1");
    told();
    remove("demo/ca/issued/server1");
    told().status(3).stdout(
        "UNKN [root]/demo/servers/server1/zato-server-cert.pem not_found: it is not there\n",
    );
    remove("demo/ca/issued");
    let (status, text, _) = as_nobody(&sandbox, &["-C", "demo", "expiry"]);
    assert_eq!(status, 3);
    assert_eq!(
        text,
        "UNKN /demo/load-balancer/key-cert.pem permission_denied\n\
         UNKN /demo/servers/server1/zato-server-cert.pem not_found: it is not there\n\
         UNKN /demo/servers/server2/zato-server-cert.pem permission_denied\n"
    );
}

#[test]
fn an_inventory_that_cannot_be_read_hides_nothing_else() {
    let sandbox = Sandbox::with_demo();
    sandbox.file(
        "demo/servers/server1/zato-server-cert.pem",
        certificate("old", -3, 365),
    );
    let stray = "demo/ca/issued/server2/00000000000000000000000000000001.pem";
    let shown = "demo/ca/issued/server2/[serial].pem";
    let told = |why: &str| {
        let text = format!(
            "CRIT [root]/demo/servers/server1/zato-server-cert.pem:1 CN=old expired 2026-11-20T12:00:00Z (3d ago)\n\
             UNKN [root]/{shown} {why}\n"
        );
        let outcome = sandbox.args(["-C", "demo", "expiry"]).run();
        outcome.status(2).stdout(text);
    };
    sandbox.file(stray, "garbage");
    told("no_certificate_found: there is no certificate and no CRL in it");
    fs::remove_file(sandbox.path(stray)).unwrap();
    fs::create_dir(sandbox.path(stray)).unwrap();
    told("read_failed: it cannot be read");
}

#[test]
fn what_may_not_be_read_is_unknown_and_the_rest_is_judged() {
    let sandbox = Sandbox::new();
    sandbox
        .file("certs/a.pem", certificate("a", -1, 365))
        .mode("certs/a.pem", 0o600);
    sandbox.file("certs/b.pem", certificate("b", 20, 365));
    sandbox
        .file("certs/closed/c.pem", certificate("c", 300, 365))
        .mode("certs/closed", 0o700);
    let (status, text, stderr) = as_nobody(
        &sandbox,
        &["expiry", "certs", "--at", "2026-11-23T12:00:00Z"],
    );
    assert_eq!(status, 3);
    assert_eq!(
        text,
        "UNKN /certs/a.pem permission_denied\n\
         UNKN /certs/closed permission_denied\n\
         WARN /certs/b.pem:1 CN=b expires 2026-12-13T12:00:00Z (in 20d)\n"
    );
    assert_eq!(stderr, "");
}

#[test]
fn few_file_descriptors_are_enough() {
    let sandbox = Sandbox::new();
    for number in 0..200 {
        let name = format!("{number:03}");
        sandbox.file(
            format!("{}/{name}.pem", number % 7),
            certificate(&name, 300, 365),
        );
    }
    let script = "ulimit -n 32; exec \"$0\" expiry . --output jsonl | tail -n 1";
    let output = Command::new("bash")
        .args(["-c", script, PROGRAM])
        .current_dir(sandbox.path(""))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(r#""certificates":200,"#), "{text}");
    assert!(text.contains(r#""unreadable":0,"#), "{text}");
}

#[test]
fn the_kernels_own_files_are_not_read_even_when_they_are_named() {
    let sandbox = Sandbox::new();
    sandbox.args(["expiry", "/proc"]).run().status(3).stdout(
        "UNKN everything that was given no_certificate_found: no certificate was found in 0 files\n",
    );
}
