//! `zpki check --haproxy --server-conf`: the real configuration files of a cluster, with each thing that
//! can be wrong in them made wrong.

use std::fs;

use serde::Deserialize;
use serde_json::Value;

use crate::sandbox::{DEMO, Sandbox};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Report {
    schema: u32,
    at: String,
    changed: bool,
    status: String,
    files: Vec<String>,
    servers: Vec<Server>,
    findings: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Server {
    file: String,
    line: usize,
    name: String,
    address: String,
    server_conf: Option<String>,
    verdicts: Vec<Value>,
}

const ZATO_CONFIG: &str = "zato.config";
const SERVER_CONF: &str = "server1/config/repo/server.conf";

/// A cluster of two servers whose files are where the documentation puts them.
fn site() -> Sandbox {
    let sandbox = Sandbox::with_demo();
    for (server, port) in [("server1", 17010), ("server2", 17011)] {
        let folder = sandbox.path(format!("demo/servers/{server}"));
        let repo = sandbox.path(format!("{server}/config/repo"));
        fs::create_dir_all(&repo).unwrap();
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            // A copy keeps the mode.
            fs::copy(entry.path(), repo.join(entry.file_name())).unwrap();
        }
        let crypto = sandbox.read(format!("demo/servers/{server}/server.conf"));
        let text = format!("[main]\ngunicorn_bind=127.0.0.1:{port}\n\n{crypto}");
        fs::write(repo.join("server.conf"), text).unwrap();
    }
    let lines = sandbox.read("demo/load-balancer/haproxy.cfg");
    let lines = lines.split_once("# ZATO begin").unwrap().1;
    sandbox.file(
        ZATO_CONFIG,
        format!(
            "backend bck_http_plain\n    mode http\n    option httpchk GET /zato/ping\n\n# ZATO begin{lines}"
        ),
    );
    sandbox
}

const FILES: [&str; 6] = [
    "--haproxy",
    ZATO_CONFIG,
    "--server-conf",
    SERVER_CONF,
    "--server-conf",
    "server2/config/repo/server.conf",
];

fn check(sandbox: &Sandbox) -> (i32, Report) {
    let args = [&["check", "--output", "json"], &FILES[..]].concat();
    let (status, text) = sandbox.args(args).run().answer();
    let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    (status, report)
}

/// The findings that are no notes, as `severity id place`.
fn findings(report: &Report) -> Vec<String> {
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let problems = report.findings.iter();
    let problems = problems.filter(|finding| finding["severity"] != "ok");
    problems
        .map(|finding| {
            let about = text(finding, "about");
            let place = about.split(": ").next().unwrap();
            let (severity, id) = (text(finding, "severity"), text(finding, "id"));
            format!("{severity} {id} {place}")
        })
        .collect()
}

/// What is said when `from` reads `to` in a file of the site.
#[track_caller]
fn said(file: &str, from: &str, to: &str, status: i32, expected: &[&str]) {
    let sandbox = site();
    let text = sandbox.read(file);
    assert!(text.contains(from), "{from} is not in {file}");
    fs::write(sandbox.path(file), text.replacen(from, to, 1)).unwrap();
    let before = sandbox.tree();
    let (code, report) = check(&sandbox);
    let root = sandbox.path("").display().to_string();
    let found: Vec<String> = findings(&report)
        .iter()
        .map(|finding| finding.replace(&root, ""))
        .collect();
    assert_eq!(found, expected, "{report:#?}");
    assert_eq!(code, status);
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_cluster_that_fits_is_well_in_one_line() {
    let sandbox = site();
    sandbox
        .args([&["check"], &FILES[..]].concat())
        .run()
        .stdout(format!(
            "ok: {ZATO_CONFIG}, {SERVER_CONF}, server2/config/repo/server.conf: server lines with TLS: 2; verdicts: 4, none against\n"
        ));
    let (status, report) = check(&sandbox);
    assert_eq!((status, report.status.as_str()), (0, "ok"));
    assert_eq!((report.schema, report.changed), (1, false));
    assert_eq!(report.at, "2026-11-23T12:00:00Z");
    assert_eq!(report.files.len(), 3);
    let server = &report.servers[0];
    assert_eq!(
        (server.file.as_str(), server.line, server.name.as_str()),
        (ZATO_CONFIG, 7, "http_plain--server1")
    );
    assert_eq!(server.address, "127.0.0.1:17010");
    assert_eq!(server.server_conf.as_deref(), Some(SERVER_CONF));
    let policies = server.verdicts.iter().map(|verdict| {
        assert_eq!(verdict["outcome"], "accepted");
        verdict["policy"].as_str().unwrap()
    });
    assert_eq!(
        policies.collect::<Vec<_>>(),
        ["haproxy-server", "strict", "server-client", "strict"]
    );
}

#[test]
fn a_line_that_says_too_little_is_told() {
    let line = "zato.config:7";
    let of = |id: &str| format!("critical {id} {line}");
    said(
        ZATO_CONFIG,
        " ssl verify",
        " verify",
        2,
        &[&of("ssl-missing")],
    );
    let unverified = format!("warning verify-none {line}");
    said(
        ZATO_CONFIG,
        "verify required",
        "verify none",
        1,
        &[&unverified],
    );
    let old = of("no-common-version");
    said(
        ZATO_CONFIG,
        "verify required",
        "ssl-max-ver TLSv1.1 verify required",
        2,
        &[&old],
    );
    let name = " sni str(server1.demo.internal) check-sni server1.demo.internal verifyhost server1.demo.internal";
    let nameless = format!("warning name-unchecked {line}");
    said(ZATO_CONFIG, name, "", 1, &[&nameless]);
    let unseen = format!("warning check-sni-missing {line}");
    said(
        ZATO_CONFIG,
        " check-sni server1.demo.internal verifyhost server1.demo.internal",
        "",
        1,
        &[&unseen],
    );
    let unchecked = ["6", "7"].map(|line| format!("warning no-layer7-check zato.config:{line}"));
    let unchecked: Vec<&str> = unchecked.iter().map(String::as_str).collect();
    said(
        ZATO_CONFIG,
        "    option httpchk GET /zato/ping\n",
        "",
        1,
        &unchecked,
    );
}

#[test]
fn the_name_that_is_sent_counts_more_than_verifyhost() {
    let expected = ["critical host-mismatch server1/config/repo/zato-server-cert.pem:1"];
    let from = "sni str(server1.demo.internal)";
    said(
        ZATO_CONFIG,
        from,
        "sni str(server2.demo.internal)",
        2,
        &expected,
    );
    said(
        ZATO_CONFIG,
        "verifyhost server1.",
        "verifyhost other.",
        0,
        &[],
    );
}

#[test]
fn a_server_conf_that_does_not_fit_its_line_is_told() {
    let line = "zato.config:7";
    let missing = format!("critical use-tls-missing {line}");
    said(SERVER_CONF, "use_tls=True", "use_tls=False", 2, &[&missing]);
    let section = format!("critical tls-protocol-missing {SERVER_CONF}:10");
    said(SERVER_CONF, "tls_protocol=", "tls_version=", 2, &[&section]);
    let protocol = format!("critical tls-protocol-unusable {SERVER_CONF}:15");
    said(
        SERVER_CONF,
        "tls_protocol=TLS_SERVER",
        "tls_protocol=TLSv1",
        2,
        &[&protocol],
    );
    let ciphers = format!("critical tls-ciphers-missing {SERVER_CONF}:10");
    said(SERVER_CONF, "\ntls_ciphers=", "\n# ", 2, &[&ciphers]);
    let location = format!("critical location-missing {SERVER_CONF}:10");
    said(SERVER_CONF, "\nca_certs_location=", "\n# ", 2, &[&location]);
    let file = "server1/config/repo/nowhere.pem";
    said(
        SERVER_CONF,
        "cert_location=zato-server-cert.pem",
        "cert_location=nowhere.pem",
        2,
        &[&format!("critical file-missing {file}")],
    );
}

#[test]
fn files_that_a_line_names_are_looked_at() {
    let sandbox = site();
    let crt = "demo/load-balancer/key-cert.pem";
    sandbox.mode(crt, 0o640);
    let (status, report) = check(&sandbox);
    let readable = format!("critical secret-readable {}", sandbox.path(crt).display());
    assert_eq!(status, 2);
    assert!(findings(&report).contains(&readable), "{report:#?}");

    let sandbox = site();
    fs::copy(sandbox.path("demo/ca/ca.cert.pem"), sandbox.path(crt)).unwrap();
    let (_, report) = check(&sandbox);
    let path = sandbox.path(crt).display().to_string();
    let found = findings(&report);
    assert!(
        found.contains(&format!("critical key-missing {path}")),
        "{found:#?}"
    );

    let sandbox = site();
    fs::remove_file(sandbox.path("demo/load-balancer/ca.cert.pem")).unwrap();
    let (_, report) = check(&sandbox);
    let path = sandbox.path("demo/load-balancer/ca.cert.pem");
    let missing = format!("critical file-missing {}", path.display());
    assert_eq!(findings(&report), [missing]);
}

#[test]
fn clients_of_a_frontend_that_pass_for_the_load_balancer_are_critical() {
    let sandbox = site();
    let bind = |directory: &str| {
        let root = sandbox.path(directory).display().to_string();
        format!(
            "frontend applications\n    bind 127.0.0.1:21223 ssl crt {root}/load-balancer/key-cert.pem verify required ca-file {root}/ca/ca-file.pem\n\n"
        )
    };
    let lines = sandbox.read(ZATO_CONFIG);
    sandbox.file(ZATO_CONFIG, bind("demo") + &lines);
    let (status, report) = check(&sandbox);
    assert_eq!(status, 2);
    assert_eq!(
        findings(&report),
        ["critical shared-client-anchor zato.config:2"]
    );

    let mut args = DEMO.to_vec();
    args[1] = "applications";
    sandbox.args(args).run().product();
    sandbox.file(ZATO_CONFIG, bind("applications") + &lines);
    assert_eq!(check(&sandbox).0, 0);
}

/// HAProxy compares `check-sni` in health checks, and `verifyhost` where no name is sent.
#[test]
fn every_name_that_haproxy_compares_is_compared() {
    let expected = ["critical host-mismatch server1/config/repo/zato-server-cert.pem:1"];
    let check_sni = "check-sni server1.demo.internal";
    said(
        ZATO_CONFIG,
        check_sni,
        "check-sni other.internal",
        2,
        &expected,
    );
    let plain = "sni str(server1.demo.internal) check-sni server1.demo.internal verifyhost server1.demo.internal";
    said(
        ZATO_CONFIG,
        plain,
        "verifyhost other.internal",
        2,
        &expected,
    );
    let sent = "sni ssl_fc_sni verifyhost other.internal";
    said(ZATO_CONFIG, plain, sent, 2, &expected);
}

/// A CRL in the place of each file that something else should be in.
#[test]
fn a_file_that_holds_something_else_is_told() {
    for (file, id) in [
        ("server1/config/repo/zato-server-cert.pem", "file-damaged"),
        (
            "server1/config/repo/zato-server-priv-key.pem",
            "key-missing",
        ),
        (
            "server1/config/repo/zato-server-ca-certs.pem",
            "file-damaged",
        ),
    ] {
        let sandbox = site();
        fs::write(sandbox.path(file), sandbox.read("demo/ca/crl.pem")).unwrap();
        let (status, report) = check(&sandbox);
        let expected = format!("critical {id} {file}");
        assert_eq!(
            (status, findings(&report)),
            (2, vec![expected]),
            "{report:#?}"
        );
    }
}

#[test]
fn a_server_conf_alone_is_checked_with_its_files() {
    let sandbox = site();
    let args = ["check", "--server-conf", SERVER_CONF];
    assert_eq!(sandbox.args(args).run().answer().0, 0);
    let certificate = "server1/config/repo/zato-server-cert.pem";
    fs::remove_file(sandbox.path(certificate)).unwrap();
    let (status, text) = sandbox.args(args).run().answer();
    assert_eq!(status, 2);
    assert!(
        text.starts_with(&format!("critical: {certificate}: ")),
        "{text}"
    );
}

#[test]
fn a_server_conf_that_no_line_leads_to_is_told() {
    said(
        SERVER_CONF,
        "gunicorn_bind=127.0.0.1:17010",
        "gunicorn_bind=10.0.0.9:9999",
        3,
        &[
            "unknown server-conf-unknown zato.config:7",
            &format!("warning server-conf-unmatched {SERVER_CONF}"),
        ],
    );
    // On every host, a port tells the server while one line has it.
    let everywhere = "gunicorn_bind=0.0.0.0:17010";
    said(
        SERVER_CONF,
        "gunicorn_bind=127.0.0.1:17010",
        everywhere,
        0,
        &[],
    );
    let sandbox = site();
    let text = sandbox
        .read(ZATO_CONFIG)
        .replace("127.0.0.1:17011", "10.0.0.2:17010");
    fs::write(sandbox.path(ZATO_CONFIG), text).unwrap();
    let text = sandbox.read(SERVER_CONF).replace("127.0.0.1:", "0.0.0.0:");
    fs::create_dir(sandbox.path("any")).unwrap();
    for entry in fs::read_dir(sandbox.path("server1/config/repo")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), sandbox.path("any").join(entry.file_name())).unwrap();
    }
    fs::write(sandbox.path("any/server.conf"), text).unwrap();
    let args = [
        "check",
        "--haproxy",
        ZATO_CONFIG,
        "--server-conf",
        "any/server.conf",
    ];
    let (status, text) = sandbox.args(args).run().answer();
    assert_eq!(status, 3, "{text}");
    assert!(!text.contains("host-mismatch"), "{text}");
}

#[test]
fn what_has_ended_is_told_without_a_server_conf_too() {
    let sandbox = site();
    let args = ["check", "--haproxy", ZATO_CONFIG, "--at"];
    let at = |instant| {
        sandbox
            .args([&args[..], &[instant]].concat())
            .run()
            .answer()
    };
    assert_eq!(at("2027-11-22").0, 0);
    let (status, text) = at("2027-11-24");
    assert_eq!(status, 2);
    assert!(
        text.contains("key-cert.pem:6: O=demo,CN=load-balancer: it expired"),
        "{text}"
    );
}

#[test]
fn a_bind_with_which_haproxy_does_not_start_is_critical() {
    let sandbox = site();
    let root = sandbox.path("demo").display().to_string();
    let crt = format!("crt {root}/load-balancer/key-cert.pem");
    let lines = sandbox.read(ZATO_CONFIG);
    for (options, expected) in [
        ("ssl".to_owned(), "critical crt-missing zato.config:2"),
        (
            format!("ssl {crt} verify required"),
            "critical ca-file-missing zato.config:2",
        ),
        (
            format!(
                "ssl {crt} verify required ca-file {root}/ca/ca-file.pem ca-verify-file /nowhere.pem"
            ),
            "critical file-missing /nowhere.pem",
        ),
        (
            format!("ssl crt {root}/ca/issued"),
            "critical file-unreadable",
        ),
    ] {
        let bind = format!("frontend f\n    bind 127.0.0.1:21223 {options}\n\n");
        fs::write(sandbox.path(ZATO_CONFIG), bind + &lines).unwrap();
        let (_, report) = check(&sandbox);
        let found = findings(&report);
        let is_told = found.iter().any(|finding| finding.starts_with(expected));
        let is_unknown = expected.ends_with("unreadable") && report.status != "ok";
        assert!(is_told || is_unknown, "{options}: {found:#?}");
    }
}

/// A pipe that nobody writes to.
#[test]
fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
    let sandbox = site();
    let file = "demo/load-balancer/ca.cert.pem";
    fs::remove_file(sandbox.path(file)).unwrap();
    sandbox.tool("mkfifo", &[file]);
    let (status, report) = check(&sandbox);
    assert_eq!(status, 3);
    let expected = format!("unknown file-unreadable {}", sandbox.path(file).display());
    assert_eq!(findings(&report), [expected]);
}

#[test]
fn lines_without_tls_are_nothing_to_check() {
    let sandbox = Sandbox::new();
    sandbox.file(ZATO_CONFIG, "");
    let (status, text) = sandbox
        .args(["check", "--haproxy", ZATO_CONFIG])
        .run()
        .answer();
    assert_eq!(status, 1);
    assert!(text.contains("(nothing-to-check)"), "{text}");
}

#[test]
fn a_variable_of_the_environment_is_what_haproxy_would_make_of_it() {
    let sandbox = site();
    let directory = sandbox.path("demo/load-balancer").display().to_string();
    let text = sandbox.read(ZATO_CONFIG);
    let text = text.replace(&format!("{directory}/ca.cert.pem"), "\"$TLS/ca.cert.pem\"");
    sandbox.file(ZATO_CONFIG, text);
    let args = [&["check"], &FILES[..]].concat();
    let (status, _) = sandbox.args(args).env("TLS", &directory).run().answer();
    assert_eq!(status, 0);
    let (status, report) = check(&sandbox);
    assert_eq!(status, 2, "{report:#?}");
}

#[test]
fn what_is_refused_or_not_understood_hides_nothing() {
    said(
        ZATO_CONFIG,
        "    mode http\n",
        "    mode http\n    server broken 127.0.0.1:1 ssl ca-file \"no end\n",
        2,
        &["critical line-refused zato.config:3"],
    );
    said(
        ZATO_CONFIG,
        "    mode http\n",
        "    mode http\n    server-template web 3 127.0.0.1:1 ssl verify none\n",
        3,
        &["unknown not-understood zato.config:3"],
    );
    let sandbox = site();
    sandbox
        .args(["check", "--haproxy", "nowhere.config"])
        .run()
        .status(3)
        .stderr(
            "zpki: error: cannot check the configuration
  at: nowhere.config
  because: no such file or directory
  hint: check the path; file arguments are relative to the current directory
",
        );
}
