//! `zpki issue`: certificates that zpki.toml does not name, judged by OpenSSL and Python.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::sandbox::{NOW, Run, Sandbox, Tree};

/// A run of `zpki issue` in `demo`.
fn issue<'a>(sandbox: &'a Sandbox, args: &[&str]) -> Run<'a> {
    sandbox.args([&["-C", "demo", "issue"], args].concat())
}

/// A server's certificate, as most tests ask for it.
const APP: [&str; 7] = [
    "app",
    "--role=server",
    "--host=app.prod.internal",
    "--host=10.0.0.9",
    "--out=out",
    "--format",
    "pem",
];

/// That a run is refused and nothing in the sandbox has changed.
#[track_caller]
fn refused(sandbox: &Sandbox, args: &[&str], status: i32, stderr: &str) {
    refused_run(sandbox, issue(sandbox, args), status, stderr);
}

#[track_caller]
fn refused_run(sandbox: &Sandbox, run: Run<'_>, status: i32, stderr: &str) {
    let before = sandbox.tree();
    run.run().status(status).stderr(stderr);
    same_tree(sandbox, &before);
}

#[track_caller]
fn same_tree(sandbox: &Sandbox, before: &Tree) {
    // The lock is made by the first who writes.
    let shown = |tree: &Tree| {
        let tree = format!("{tree:?}");
        let lines = tree.lines().filter(|line| !line.contains(".zpki"));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(shown(&sandbox.tree()), shown(before));
}

/// That openssl takes a certificate of demo's CA strictly; the chain is that of its file.
#[track_caller]
fn openssl_takes(sandbox: &Sandbox, file: &str, purpose: &str) {
    let verify = [
        "verify",
        "-x509_strict",
        "-purpose",
        purpose,
        "-CAfile",
        "demo/ca/ca.cert.pem",
        file,
    ];
    assert_eq!(sandbox.tool("openssl", &verify), format!("{file}: OK\n"));
}

/// What the log has of `issue`, with its origin.
fn logged(sandbox: &Sandbox) -> Vec<(String, Option<String>)> {
    let log = sandbox.read("demo/ca/log.jsonl");
    let lines = log.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| line[key].as_str().map(str::to_owned);
        (text("name").unwrap(), text("origin"))
    });
    lines.filter(|(_, origin)| origin.is_some()).collect()
}

#[test]
fn a_servers_certificate_goes_where_it_is_wanted() {
    let sandbox = Sandbox::with_demo();
    let before = sandbox.tree();
    let (out, ends) = ("[root]/out", "2027-11-23 12:00:00 UTC");
    issue(&sandbox, &APP).run().stdout(format!(
        "\
DONE   NAME  NOT AFTER                FILES
issue  app   {ends}  {out}/app.key.pem {out}/app.cert.pem

next:
  1. before {ends}, run the same command with --force: what zpki.toml does not name is not renewed by `zpki apply`
"
    ));
    assert_eq!(
        sandbox.tree().changes_since(&before, "demo"),
        [
            "+ ca/issued/app",
            "+ ca/issued/app/[serial].pem",
            "~ ca/log.jsonl"
        ]
    );
    assert_eq!(
        sandbox.tree().modes("out"),
        "0700 /\n0644 app.cert.pem\n0600 app.key.pem\n0644 ca.cert.pem\n"
    );
    assert_eq!(
        logged(&sandbox),
        [("app".to_owned(), Some("request".to_owned()))]
    );
    assert_eq!(
        sandbox.read("out/ca.cert.pem"),
        sandbox.read("demo/ca/ca-file.pem")
    );
    openssl_takes(&sandbox, "out/app.cert.pem", "sslserver");
    let names = sandbox.tool(
        "openssl",
        &[
            "x509",
            "-in",
            "out/app.cert.pem",
            "-noout",
            "-ext",
            "subjectAltName",
        ],
    );
    assert!(
        names.contains("DNS:app.prod.internal, IP Address:10.0.0.9"),
        "{names}"
    );
    let listed = sandbox.args(["-C", "demo", "list"]).run().product();
    assert!(listed.contains("app.prod.internal 10.0.0.9"), "{listed}");
    let shown = sandbox.args(["-C", "demo", "show", "app"]).run().product();
    assert!(shown.contains("CN=app"), "{shown}");
    let expiry = sandbox
        .args(["-C", "demo", "expiry", "-v", "--output=json"])
        .run()
        .product();
    assert!(expiry.contains("ca/issued/app/"), "{expiry}");
    let plan = sandbox.args(["-C", "demo", "plan"]).run().product();
    assert_eq!(plan, "nothing to do\n");
}

#[test]
fn asked_again_nothing_is_made() {
    let sandbox = Sandbox::with_demo();
    issue(&sandbox, &APP).run().product();
    let before = sandbox.tree();
    issue(&sandbox, &APP).run().stdout("unchanged\n");
    issue(&sandbox, &[&APP[..], &["--exit-code"]].concat())
        .run()
        .stdout("unchanged\n");
    same_tree(&sandbox, &before);
    // What is public and was lost is put back, for the same certificate.
    fs::remove_file(sandbox.path("out/app.cert.pem")).unwrap();
    fs::remove_file(sandbox.path("out/ca.cert.pem")).unwrap();
    issue(&sandbox, &[&APP[..], &["--exit-code"]].concat())
        .run()
        .status(10)
        .stdout_with("keep  app");
    same_tree(&sandbox, &before);
}

#[test]
fn python_loads_what_it_is_given() {
    let sandbox = Sandbox::with_demo();
    issue(&sandbox, &APP).run().product();
    let haproxy = [
        "edge",
        "--role=server",
        "--host=edge.prod.internal",
        "--out=out",
        "--format=key-cert",
    ];
    issue(&sandbox, &haproxy).run().product();
    let full = [
        "full",
        "--role=server",
        "--host=full.prod.internal",
        "--out=out",
        "--format=fullchain",
    ];
    issue(&sandbox, &full).run().product();
    assert_eq!(
        sandbox.tree().modes("out"),
        "0700 /\n0644 app.cert.pem\n0600 app.key.pem\n0644 ca.cert.pem\n0600 edge.pem\n0644 full.fullchain.pem\n0600 full.key.pem\n"
    );
    let script = "\
import ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('out/app.cert.pem', 'out/app.key.pem')
context.load_cert_chain('out/edge.pem')
context.load_cert_chain('out/full.fullchain.pem', 'out/full.key.pem')
context.load_verify_locations('out/ca.cert.pem')
print(len(context.get_ca_certs()))
";
    assert_eq!(sandbox.tool("python3", &["-c", script]), "1\n");
    for again in [haproxy, full] {
        issue(&sandbox, &again).run().stdout("unchanged\n");
    }
}

#[test]
fn pkcs12_has_a_passphrase() {
    let sandbox = Sandbox::with_demo();
    let p12 = ["win", "--role=client", "--out=out", "--format=p12"];
    refused(
        &sandbox,
        &p12,
        64,
        "\
zpki: error: cannot issue `win`
  because: a PKCS#12 file needs a passphrase, and nobody can be asked for it
  hint: give it: --p12-passphrase-file FILE
",
    );
    let empty = [&p12[..], &["--p12-passphrase-file=-"]].concat();
    let before = sandbox.tree();
    issue(&sandbox, &empty)
        .stdin("\n")
        .run()
        .status(64)
        .stderr_with("the passphrase from `-` is empty");
    same_tree(&sandbox, &before);
    sandbox
        .file("passphrase", "correct horse\n")
        .mode("passphrase", 0o600);
    let given = [&p12[..], &["--p12-passphrase-file=passphrase"]].concat();
    issue(&sandbox, &given).run().product();
    assert_eq!(
        sandbox.tree().modes("out"),
        "0700 /\n0644 ca.cert.pem\n0600 win.p12\n"
    );
    let read = [
        "pkcs12",
        "-in",
        "out/win.p12",
        "-passin",
        "file:passphrase",
        "-nodes",
    ];
    let text = sandbox.tool("openssl", &read);
    assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 2, "{text}");
    assert_eq!(text.matches("BEGIN PRIVATE KEY").count(), 1);
    assert!(text.contains("friendlyName: win"), "{text}");
    // Nothing is made, so nobody is asked.
    issue(&sandbox, &p12).run().stdout("unchanged\n");
    issue(&sandbox, &given).run().stdout("unchanged\n");
    refused(
        &sandbox,
        &[&APP[..], &["--p12-passphrase-file=passphrase"]].concat(),
        64,
        "\
zpki: error: cannot issue `app`
  because: --p12-passphrase-file goes with --format p12 only
  hint: leave it out, or give --format p12
",
    );
}

/// What is asked for is a file that this passphrase opens.
#[test]
fn pkcs12_is_not_unchanged_under_another_passphrase() {
    let sandbox = Sandbox::with_demo();
    for (file, passphrase) in [("first", "correct horse\n"), ("second", "battery staple\n")] {
        sandbox.file(file, passphrase).mode(file, 0o600);
    }
    let p12 = |file: &'static str| {
        let file = ["--p12-passphrase-file", file];
        [
            &["win", "--role=client", "--out=out", "--format=p12"],
            &file[..],
        ]
        .concat()
    };
    issue(&sandbox, &p12("first")).run().product();
    refused(
        &sandbox,
        &p12("second"),
        77,
        "\
zpki: error: cannot issue `win`
  at: [root]/out/win.p12
  because: wrong passphrase or damaged file
  hint: give the one that it was made with; or replace it, with a new key: --force
",
    );
    let forced = [&p12("second")[..], &["--force"]].concat();
    issue(&sandbox, &forced).run().product();
    issue(&sandbox, &p12("second")).run().stdout("unchanged\n");
    let read = [
        "pkcs12",
        "-in",
        "out/win.p12",
        "-passin",
        "file:second",
        "-nodes",
    ];
    sandbox.tool("openssl", &read);
}

#[test]
fn a_passphrase_that_others_may_read_is_told() {
    let sandbox = Sandbox::with_demo();
    sandbox.file("passphrase", "correct horse\n");
    let warning = "others than its owner may read the passphrase of the PKCS#12 file";
    let p12 = ["--format=p12", "--p12-passphrase-file=passphrase"];
    issue(
        &sandbox,
        &[&["win", "--role=client", "--out=out"], &p12[..]].concat(),
    )
    .run()
    .stdout_with("issue  win")
    .stderr_with(warning);
    let export = |out| {
        let args = ["-C", "demo", "export", "server1", out];
        sandbox.args([&args, &p12[..]].concat()).run()
    };
    export("--out=1.p12")
        .stdout_with("1.p12")
        .stderr_with(warning);
    sandbox.mode("passphrase", 0o600);
    export("--out=2.p12").stdout_with("2.p12");
}

#[test]
fn the_pki_directory_is_no_place_to_hand_out_to() {
    let sandbox = Sandbox::with_demo();
    fs::create_dir(sandbox.path("beside")).unwrap();
    std::os::unix::fs::symlink(sandbox.path("demo/ca"), sandbox.path("beside/link")).unwrap();
    for out in ["demo", "demo/ca/issued", "demo/new/deep", "beside/link/new"] {
        let args = [&APP[..4], &["--out", out]].concat();
        refused(
            &sandbox,
            &args,
            64,
            &format!(
                "\
zpki: error: cannot issue `app`
  because: `[root]/{out}` is inside the PKI directory, where zpki keeps its own files only
  hint: name another directory: --out; a client needs none, for it has a host folder
"
            ),
        );
    }
}

/// Once what is missing is made, `..` behind it leads back.
#[test]
fn a_way_up_from_what_is_not_there_leads_nowhere() {
    let sandbox = Sandbox::with_demo();
    for out in [
        "nope/../demo/servers/server1",
        "nope/../new",
        "beside/nope/..",
    ] {
        let args = [&APP[..4], &["--out", out]].concat();
        refused(
            &sandbox,
            &args,
            74,
            &format!(
                "\
zpki: error: cannot issue `app`
  because: cannot open `[root]/{out}`
  because: no such file or directory
  hint: check the path
"
            ),
        );
    }
}

#[test]
fn nothing_is_replaced_without_force() {
    let sandbox = Sandbox::with_demo();
    issue(&sandbox, &APP).run().product();
    let stderr = |file: &str| {
        format!(
            "\
zpki: error: cannot issue `app`
  at: [root]/out/{file}
  because: there is another file already, and it would be lost
  hint: name another directory: --out; or replace it: --force
"
        )
    };
    let other = [
        "app",
        "--role=server",
        "--host=b.prod.internal",
        "--out=out",
    ];
    refused(&sandbox, &other, 73, &stderr("app.key.pem"));
    let other_key = [&APP[..], &["--key-algorithm=ed25519"]].concat();
    refused(&sandbox, &other_key, 73, &stderr("app.key.pem"));
    let key = sandbox.read("out/app.key.pem");
    issue(&sandbox, &[&other[..], &["--force"]].concat())
        .run()
        .stdout_with("issue  app");
    assert_ne!(sandbox.read("out/app.key.pem"), key);
    openssl_takes(&sandbox, "out/app.cert.pem", "sslserver");
    assert_eq!(
        sandbox.tree().modes("out"),
        "0700 /\n0644 app.cert.pem\n0600 app.key.pem\n0644 ca.cert.pem\n"
    );
    sandbox.file("foreign/ca.cert.pem", "another CA\n");
    let foreign = ["b", "--role=server", "--host=b", "--out=foreign"];
    let stderr = stderr("ca.cert.pem").replace("/out/", "/foreign/");
    refused(&sandbox, &foreign, 73, &stderr.replace("`app`", "`b`"));
    assert_eq!(
        sandbox.tree().modes("foreign"),
        "0755 /\n0644 ca.cert.pem\n"
    );
}

#[test]
fn what_is_due_is_issued_again() {
    let sandbox = Sandbox::with_demo();
    let short = [&APP[..], &["--lifetime=90d"]].concat();
    issue(&sandbox, &short).run().product();
    let later = NOW + Duration::days(70);
    issue(&sandbox, &short).now(later).run().status(73).stderr(
        "\
zpki: error: cannot issue `app`
  at: [root]/out/app.key.pem
  because: the certificate that is there is due (remaining 20 of 90 days, due below 30), and a new one would replace it
  hint: issue it again, and what else is due: --force
",
    );
    issue(&sandbox, &short)
        .now(NOW + Duration::days(91))
        .run()
        .status(73)
        .stderr_with("is due (expired on 2027-02-21 12:00:00 UTC)");
    let key = sandbox.read("out/app.key.pem");
    issue(&sandbox, &[&short[..], &["--force"]].concat())
        .now(later)
        .run()
        .stdout_with("issue  app");
    assert_ne!(sandbox.read("out/app.key.pem"), key);
    assert_eq!(
        fs::read_dir(sandbox.path("demo/ca/issued/app"))
            .unwrap()
            .count(),
        2
    );
    issue(&sandbox, &short)
        .now(later)
        .run()
        .stdout("unchanged\n");
}

#[test]
fn a_client_has_a_host_folder() {
    let sandbox = Sandbox::with_demo();
    issue(&sandbox, &["cron", "--role=client"])
        .run()
        .stderr(
            "\
note: cron: host names by default: cron.demo.internal
warning: cron: its certificate allows clientAuth, and servers check no name: it passes for the load-balancer
  hint: keep its private key as safe as the load-balancer's
",
        )
        .stdout_with("rsync -pog --chown=zato:zato [root]/demo/clients/cron/*.pem HOST:DIRECTORY/");
    assert_eq!(
        sandbox.tree().modes("demo/clients"),
        "0755 /\n0700 cron/\n0644 cron/ca.cert.pem\n0644 cron/client.cert.pem\n0600 cron/client.key.pem\n"
    );
    openssl_takes(&sandbox, "demo/clients/cron/client.cert.pem", "sslclient");
    issue(&sandbox, &["cron", "--role=client"])
        .run()
        .stdout("unchanged\n");
    let before = sandbox.tree();
    issue(
        &sandbox,
        &["cron", "--role=client", "--host=other.internal"],
    )
    .run()
    .status(73)
    .stderr(
        "\
zpki: error: cannot issue `cron`
  at: clients/cron/client.key.pem
  because: there is another file already, and it would be lost
  hint: replace it: --force
",
    );
    same_tree(&sandbox, &before);
}

/// Names `cron` in zpki.toml, or not.
fn name_cron(sandbox: &Sandbox, named: bool) {
    let text = sandbox.read("demo/zpki.toml");
    let client = "\n[[clients]]\nname = \"cron\"\n";
    let text = match named {
        true => text + client,
        false => text.replace(client, ""),
    };
    sandbox.file("demo/zpki.toml", text);
}

fn plan(sandbox: &Sandbox) -> String {
    sandbox.args(["-C", "demo", "plan"]).run().product()
}

#[test]
fn apply_leaves_alone_what_was_asked_for() {
    let sandbox = Sandbox::with_demo();
    issue(&sandbox, &["cron", "--role=client"]).run().product();
    assert_eq!(plan(&sandbox), "nothing to do\n");
    sandbox
        .args(["-C", "demo", "apply"])
        .run()
        .stdout("unchanged\n");
    assert!(sandbox.path("demo/clients/cron/client.key.pem").exists());
    // Nor does it, without a log, know whose a folder is.
    fs::remove_file(sandbox.path("demo/ca/log.jsonl")).unwrap();
    assert_eq!(plan(&sandbox), "nothing to do\n");
}

#[test]
fn the_trust_bundle_of_an_issued_client_follows_the_ca() {
    let sandbox = Sandbox::with_demo();
    issue(&sandbox, &["cron", "--role=client"]).run().product();
    let bundle = "demo/clients/cron/ca.cert.pem";
    let former = sandbox.read(bundle);
    let before = sandbox.tree();
    let later = NOW + Duration::days(1);
    let renew = sandbox.args(["-C", "demo", "ca", "renew"]).now(later);
    renew.run().product();
    assert_ne!(sandbox.read(bundle), former);
    assert_eq!(sandbox.read(bundle), sandbox.read("demo/ca/ca-file.pem"));
    let changes = sandbox.tree().changes_since(&before, "demo/clients");
    assert_eq!(changes, ["~ cron/ca.cert.pem"]);
    assert_eq!(plan(&sandbox), "nothing to do\n");
    fs::write(sandbox.path(bundle), former).unwrap();
    let planned = plan(&sandbox);
    let line = "write   clients/cron/ca.cert.pem  differs\n";
    assert!(planned.contains(line), "{planned}");
    // What somebody took away is not missed.
    fs::remove_file(sandbox.path(bundle)).unwrap();
    assert_eq!(plan(&sandbox), "nothing to do\n");
}

#[test]
fn the_trust_bundle_that_was_handed_out_follows_the_renewed_ca_and_no_other() {
    let sandbox = Sandbox::with_demo();
    issue(&sandbox, &APP).run().product();
    let later = NOW + Duration::days(1);
    let renew = sandbox.args(["-C", "demo", "ca", "renew"]).now(later);
    renew.run().product();
    let before = sandbox.tree();
    let next = ["next", "--role=server", "--host=next", "--out=out"];
    issue(&sandbox, &next).now(later).run().product();
    assert_eq!(
        sandbox.tree().changes_since(&before, "out"),
        ["~ ca.cert.pem", "+ next.cert.pem", "+ next.key.pem"]
    );
    assert_eq!(
        sandbox.read("out/ca.cert.pem"),
        sandbox.read("demo/ca/ca-file.pem")
    );
    openssl_takes(&sandbox, "out/app.cert.pem", "sslserver");
    // Another CA's, or what somebody has added, is theirs.
    let renewed = sandbox.read("out/ca.cert.pem");
    let other = Sandbox::with_demo().read("demo/ca/ca-file.pem");
    for bundle in [
        &other,
        &format!("{renewed}{other}"),
        &format!("# ours\n{renewed}"),
    ] {
        fs::write(sandbox.path("out/ca.cert.pem"), bundle).unwrap();
        let last = ["last", "--role=server", "--host=last", "--out=out"];
        let stderr = "\
zpki: error: cannot issue `last`
  at: [root]/out/ca.cert.pem
  because: there is another file already, and it would be lost
  hint: name another directory: --out; or replace it: --force
";
        refused_run(&sandbox, issue(&sandbox, &last).now(later), 73, stderr);
    }
}

#[test]
fn the_folder_of_an_issued_client_is_looked_after() {
    let sandbox = Sandbox::with_demo();
    issue(&sandbox, &["cron", "--role=client"]).run().product();
    let zpki = |args: &[&'static str]| sandbox.args([&["-C", "demo"], args].concat()).run();
    zpki(&["check"]).product();
    sandbox
        .mode("demo/clients/cron/client.key.pem", 0o644)
        .mode("demo/clients/cron", 0o755);
    zpki(&["check"])
        .status(2)
        .stdout_with("clients/cron/client.key.pem");
    let planned = plan(&sandbox);
    for line in [
        "set-mode  clients/cron                 mode 0755, not 0700\n",
        "set-mode  clients/cron/client.key.pem  mode 0644, not 0600\n",
    ] {
        assert!(planned.contains(line), "{planned}");
    }
    zpki(&["apply"]).product();
    assert_eq!(
        sandbox.tree().modes("demo/clients/cron"),
        "0700 /\n0644 ca.cert.pem\n0644 client.cert.pem\n0600 client.key.pem\n"
    );
    assert_eq!(plan(&sandbox), "nothing to do\n");
    // A key that belongs to another certificate, and a certificate that was revoked.
    let key = sandbox.read("demo/clients/cron/client.key.pem");
    let other = sandbox.read("demo/servers/server1/zato-server-priv-key.pem");
    fs::write(sandbox.path("demo/clients/cron/client.key.pem"), other).unwrap();
    zpki(&["check"])
        .status(2)
        .stdout_with("clients/cron/client.key.pem");
    fs::write(sandbox.path("demo/clients/cron/client.key.pem"), key).unwrap();
    zpki(&["revoke", "cron", "--force"]).product();
    zpki(&["check"])
        .status(1)
        .stdout_with("/demo issue cron --role client --force");
    // What is on its host only is not missed here.
    fs::remove_file(sandbox.path("demo/clients/cron/client.key.pem")).unwrap();
    assert_eq!(plan(&sandbox), "nothing to do\n");
}

/// A log grows for years; that it is long stops nobody, and what it said counts as before.
#[test]
fn a_long_log_is_put_aside_and_still_read() {
    let sandbox = Sandbox::with_demo();
    name_cron(&sandbox, true);
    sandbox.args(["-C", "demo", "apply"]).run().product();
    let log = sandbox.path("demo/ca/log.jsonl");
    let line = "{\"at\":\"2026-11-23T12:00:00Z\",\"action\":\"sign-crl\",\"by\":\"a\"}\n";
    let grow = || {
        let text = fs::read_to_string(&log).unwrap();
        fs::write(&log, text + &line.repeat((16 << 20) / line.len() + 1)).unwrap();
    };
    grow();
    let long = sandbox.read("demo/ca/log.jsonl");
    issue(&sandbox, &APP).run().product();
    assert_eq!(sandbox.read("demo/ca/log.1.jsonl"), long);
    assert_eq!(sandbox.read("demo/ca/log.jsonl").lines().count(), 1);
    let modes = sandbox.tree().modes("demo/ca");
    assert!(
        modes.contains("0640 log.1.jsonl\n0640 log.jsonl\n"),
        "{modes}"
    );
    grow();
    let later = ["-C", "demo", "renew", "server1", "--force"];
    sandbox.args(later).run().product();
    assert!(sandbox.path("demo/ca/log.2.jsonl").exists());
    let told = |name: &str| {
        let told = sandbox.args(["-C", "demo", "log", name]).run().product();
        told.lines()
            .skip(1)
            .map(|line| line.split_whitespace().nth(3).unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(told("app"), ["issue"]);
    assert_eq!(told("server1"), ["issue", "renew"]);
    // That zpki.toml named this client stands in the oldest part.
    name_cron(&sandbox, false);
    let planned = plan(&sandbox);
    assert!(planned.contains("retire  cron"), "{planned}");
    let backup = ["-C", "demo", "backup", "demo.tar", "-q"];
    sandbox.args(backup).run().stdout("");
    sandbox
        .args(["restore", "demo.tar", "copy", "-q"])
        .run()
        .stdout("");
    assert_eq!(sandbox.read("copy/ca/log.1.jsonl"), long);
}

#[test]
fn apply_retires_a_client_that_zpki_toml_named() {
    let sandbox = Sandbox::with_demo();
    name_cron(&sandbox, true);
    sandbox.args(["-C", "demo", "apply"]).run().product();
    assert!(sandbox.path("demo/clients/cron").exists());
    name_cron(&sandbox, false);
    // What is asked for elsewhere under the same name makes no difference.
    issue(&sandbox, &["cron", "--role=client", "--out=out"])
        .run()
        .product();
    let planned = plan(&sandbox);
    assert!(planned.contains("retire"), "{planned}");
    sandbox.args(["-C", "demo", "apply"]).run().product();
    assert!(!sandbox.path("demo/clients/cron").exists());
    let retired = sandbox.tree().modes("demo/retired");
    assert!(
        retired.contains("0600 cron-[serial]/client.key.pem"),
        "{retired}"
    );
    // And from then on the name is free.
    issue(&sandbox, &["cron", "--role=client"]).run().product();
    assert_eq!(plan(&sandbox), "nothing to do\n");
}

#[test]
fn what_does_not_fit_is_refused() {
    let sandbox = Sandbox::new();
    let init = [
        "init",
        "demo",
        "--cluster=demo",
        "--server=server1=10.0.0.1:17010",
        "--permitted-domain=prod.internal",
        "--permitted-network=10.0.0.0/8",
        "--no-ca-passphrase",
        "-q",
    ];
    sandbox.args(init).run().stdout("");
    let because =
        |name: &str, reasons: &str| format!("zpki: error: cannot issue `{name}`\n  {reasons}");
    refused(
        &sandbox,
        &["Server1", "--role=server", "--host=a.prod.internal", "--out=out"],
        73,
        &because("Server1", "\
  because: `server1` is an entry of zpki.toml
  hint: make its next certificate with `zpki renew server1` or `zpki rekey server1`, change it in zpki.toml, or choose another name
"),
    );
    refused(
        &sandbox,
        &["app", "--role=server", "--out=out"],
        64,
        &because(
            "app",
            "\
  because: `app` is a server and has no host name
  hint: say under which names it is reached: --host, or hosts in a manifest
",
        ),
    );
    refused(
        &sandbox,
        &["app", "--role=server", "--host=app.test", "--out=out", "--lifetime=20y"],
        64,
        &because("app", "\
  because: `app.test` of `app` is outside the CA's name constraints (permitted_domains: prod.internal; permitted_networks: 10.0.0.0/8)
  hint: permit its domain (permitted_domains), or give another host name
  because: the lifetime 20y is longer than the CA's, 10y
  hint: give a lifetime of at most 10y, or the CA a longer one
"),
    );
    refused(
        &sandbox,
        &["app", "--role=load-balancer"],
        64,
        &because(
            "app",
            "\
  because: `app` is no client, so it has no folder in the PKI directory
  hint: say where its files are to go: --out DIR
",
        ),
    );
    let before = sandbox.tree();
    for args in [
        &["app", "--out=out"][..],
        &["--role=server", "--out=out"],
        &["app", "--role=ca", "--out=out"],
        &["app", "--role=server", "--host=a_b", "--out=out"],
        &[
            "ca",
            "--role=server",
            "--host=ca.prod.internal",
            "--out=out",
        ],
        &[
            "app",
            "--role=server",
            "--host=a.prod.internal",
            "--format=p12",
        ],
        &["app", "--from=m.toml"],
    ] {
        assert_eq!(issue(&sandbox, args).run().status_alone(), 64, "{args:?}");
    }
    same_tree(&sandbox, &before);
}

#[test]
fn a_certificate_does_not_outlive_the_ca() {
    let sandbox = Sandbox::with_demo();
    let late = NOW + Duration::days(9 * 365 + 200);
    let run = |args: &[&'static str], now: OffsetDateTime| {
        let args = [&APP[..], args].concat();
        sandbox
            .args([&["-C", "demo", "issue"], &args[..]].concat())
            .now(now)
    };
    run(&["--trust-clock"], late)
        .run()
        .stdout_with("2036-11-20 12:00:00 UTC")
        .stderr(
            "\
warning: app: its certificate ends with the CA, on 2036-11-20 12:00:00 UTC, before its lifetime of 1y is over
  hint: renew the CA: zpki ca renew
",
        );
    let before = sandbox.tree();
    run(
        &["--host=c", "--force"],
        NOW + Duration::days(10 * 365 - 20),
    )
    .run()
    .status(74)
    .stderr_with("the CA ends on 2036-11-20 12:00:00 UTC, too soon");
    same_tree(&sandbox, &before);
}

#[test]
fn a_clock_that_cannot_be_right_is_refused() {
    let sandbox = Sandbox::with_demo();
    let later = NOW + Duration::days(2000);
    for now in [NOW - Duration::days(400), later] {
        // To replace files is not to believe the clock.
        for force in [&[][..], &["--force"]] {
            let before = sandbox.tree();
            let run = issue(&sandbox, &[&APP[..], force].concat()).now(now).run();
            run.status(74)
                .stderr_with("set the clock, or give --trust-clock if it is right");
            same_tree(&sandbox, &before);
        }
    }
    let trusted = [&APP[..], &["--trust-clock"]].concat();
    issue(&sandbox, &trusted).now(later).run().product();
}

#[test]
fn what_is_not_valid_yet_is_issued_again() {
    let sandbox = Sandbox::with_demo();
    let ahead = NOW + Duration::hours(20);
    issue(&sandbox, &APP).now(ahead).run().product();
    let before = sandbox.tree();
    issue(&sandbox, &APP).run().status(73).stderr_with(
        "the certificate that is there is due (not valid before 2026-11-24 07:00:00 UTC), and a new",
    );
    same_tree(&sandbox, &before);
    let forced = [&APP[..], &["--force"]].concat();
    issue(&sandbox, &forced).run().product();
    issue(&sandbox, &APP).run().stdout("unchanged\n");
}

#[test]
fn a_clock_that_is_behind_what_was_issued_elsewhere_is_refused() {
    let sandbox = Sandbox::with_demo();
    let ahead = NOW + Duration::days(100);
    issue(&sandbox, &APP).now(ahead).run().product();
    let other = ["other", "--role=client", "--out=other"];
    // Its notBefore is an hour before it was issued, and a day is let pass.
    let allowed = ahead - Duration::hours(25);
    let before = sandbox.tree();
    let run = |args: &[&str], now| {
        sandbox
            .args([&["-C", "demo"], args].concat())
            .now(now)
            .run()
    };
    let issuing = [&["issue"], &other[..]].concat();
    for args in [
        &issuing[..],
        &["server", "add", "server3=127.0.0.1:17012"],
        &["revoke", "app"],
    ] {
        for now in [NOW, allowed - Duration::SECOND] {
            run(args, now).status(74).stderr_with(
                ", and a certificate was issued that begins on 2027-03-03 11:00:00 UTC",
            );
        }
    }
    same_tree(&sandbox, &before);
    run(&issuing, allowed).product();
    // A clock that was said to be right is believed from then on.
    issue(&sandbox, &[&APP[..], &["--force"]].concat())
        .now(ahead)
        .run()
        .product();
    let client = ["third", "--role=client", "--out=third"];
    issue(&sandbox, &[&client[..], &["--trust-clock"]].concat())
        .run()
        .product();
    run(&["revoke", "other"], NOW).product();
}

#[test]
fn names_that_verifyhost_cannot_tell_apart_are_said() {
    let sandbox = Sandbox::with_demo();
    issue(
        &sandbox,
        &[
            "app",
            "--role=server",
            "--host=*.demo.internal",
            "--out=out",
        ],
    )
    .run()
    .stdout_with("issue  app")
    .stderr_with(
        "warning: app: its certificate matches `*.demo.internal`, and so does that of `server",
    );
    issue(
        &sandbox,
        &["ip", "--role=server", "--host=10.0.0.1", "--out=out"],
    )
    .run()
    .stdout_with("issue  ip")
    .stderr(
        "\
warning: ip: its certificate has addresses only, which HAProxy's verifyhost never matches
  hint: give it a host name too: --host
",
    );
}

#[test]
fn a_full_or_closed_directory_leaves_nothing_issued() {
    let sandbox = Sandbox::with_demo();
    sandbox.file("file", "no directory");
    let args = ["app", "--role=server", "--host=a.internal", "--out=file"];
    let before = sandbox.tree();
    let status = issue(&sandbox, &args).run().status_alone();
    assert_eq!(status, 74);
    same_tree(&sandbox, &before);
    // The PKI directory cannot be changed: what was put outside goes away again.
    sandbox.file("demo/ca/issued/app", "in the way");
    let before = sandbox.tree();
    let status = issue(&sandbox, &APP).run().status_alone();
    assert_ne!(status, 0);
    same_tree(&sandbox, &before);
    assert!(!sandbox.path("out").exists());
}

/// A run that is killed when the inventory knows of its certificate has not lost the key, and the next one
/// needs no other.
#[test]
fn what_a_killed_run_has_left_is_put_in_place() {
    let sandbox = Sandbox::with_demo();
    issue(&sandbox, &APP).run().product();
    let whole = sandbox.tree();
    let stages = ["app.key.pem", "app.cert.pem", "ca.cert.pem"]
        .map(|name| (format!("out/{name}"), format!("out/.{name}.4711.tmp")));
    let kill = || {
        for (file, stage) in &stages {
            fs::rename(sandbox.path(file), sandbox.path(stage)).unwrap();
        }
    };
    kill();
    let ends = "2027-11-23 12:00:00 UTC";
    issue(&sandbox, &APP)
        .run()
        .stdout_with(&format!("keep  app   {ends}"));
    assert_eq!(sandbox.tree(), whole);
    issue(&sandbox, &APP).run().stdout("unchanged\n");
    // What is not asked for again gets another certificate, and nothing stays of the first.
    kill();
    let other = [&APP[..3], &["--out=out"]].concat();
    issue(&sandbox, &other).run().stdout_with("issue  app");
    openssl_takes(&sandbox, "out/app.cert.pem", "sslserver");
    assert_eq!(
        sandbox.tree().modes("out"),
        "0700 /\n0644 app.cert.pem\n0600 app.key.pem\n0644 ca.cert.pem\n"
    );
}

/// Files that cannot be replaced are found out before the inventory knows of a certificate.
#[test]
fn what_stands_in_the_way_leaves_nothing_issued() {
    let sandbox = Sandbox::with_demo();
    sandbox.file("out/app.key.pem/file", "in the way");
    let before = sandbox.tree();
    for force in [&[][..], &["--force"]] {
        let status = issue(&sandbox, &[&APP[..], force].concat())
            .run()
            .status_alone();
        assert_eq!(status, 73);
        same_tree(&sandbox, &before);
    }
}

/// A certification request that openssl makes, in `request.pem`, its key in `request.key`.
fn request(sandbox: &Sandbox, options: &[&str]) {
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    request_for(sandbox, &key, options);
}

fn request_for(sandbox: &Sandbox, key: &[&str], options: &[&str]) {
    let request = [
        "req",
        "-new",
        "-nodes",
        "-keyout",
        "request.key",
        "-out",
        "request.pem",
    ];
    let subject = ["-subj", "/O=Evil/CN=admin"];
    sandbox.tool("openssl", &[&request, key, &subject, options].concat());
}

const NAMES: [&str; 2] = [
    "-addext",
    "subjectAltName=DNS:App.prod.internal,DNS:b.prod.internal,IP:10.0.0.9",
];

#[test]
fn a_request_gives_its_key_and_its_names_and_nothing_else() {
    let sandbox = Sandbox::with_demo();
    let ca = [
        "-addext",
        "basicConstraints=CA:TRUE",
        "-addext",
        "keyUsage=keyCertSign",
    ];
    request(&sandbox, &[&NAMES[..], &ca].concat());
    let csr = ["--csr=request.pem", "--role=server"];
    let product = issue(&sandbox, &csr).run().product();
    assert!(
        product.starts_with("-----BEGIN CERTIFICATE-----\n"),
        "{product}"
    );
    assert_eq!(product.matches("BEGIN").count(), 1);
    sandbox.file("app.pem", &product);
    openssl_takes(&sandbox, "app.pem", "sslserver");
    let text = sandbox.tool("openssl", &["x509", "-in", "app.pem", "-noout", "-text"]);
    for part in [
        "Subject: O = demo, CN = app.prod.internal",
        "DNS:app.prod.internal, DNS:b.prod.internal, IP Address:10.0.0.9",
        "CA:FALSE",
    ] {
        assert!(text.contains(part), "no {part}: {text}");
    }
    assert!(!text.contains("Evil"), "{text}");
    assert!(!text.contains("Certificate Sign"), "{text}");
    let key = |args: &[&str]| sandbox.tool("openssl", args);
    assert_eq!(
        key(&["x509", "-in", "app.pem", "-noout", "-pubkey"]),
        key(&["pkey", "-in", "request.key", "-pubout"])
    );
    // The same again, also from standard input, is the same certificate.
    let before = sandbox.tree();
    issue(&sandbox, &csr).run().stdout(&product);
    let bytes = sandbox.read("request.pem");
    issue(&sandbox, &["--csr=-", "--role=server", "-q"])
        .stdin(bytes)
        .run()
        .stdout(&product);
    same_tree(&sandbox, &before);
    // Into a directory: no key, and public.
    issue(
        &sandbox,
        &[&csr[..], &["--out=out", "--format=fullchain"]].concat(),
    )
    .run()
    .stdout_with("keep  app.prod.internal");
    assert_eq!(
        sandbox.tree().modes("out"),
        "0755 /\n0644 app.prod.internal.fullchain.pem\n0644 ca.cert.pem\n"
    );
    assert_eq!(sandbox.read("out/app.prod.internal.fullchain.pem"), product);
}

#[test]
fn a_request_may_be_given_other_names() {
    let sandbox = Sandbox::with_demo();
    request(&sandbox, &["-addext", "subjectAltName=email:a@b.example"]);
    let named = [
        "mail",
        "--csr=request.pem",
        "--role=server",
        "--host=mail.prod.internal",
    ];
    let product = issue(&sandbox, &named).run().product();
    sandbox.file("mail.pem", product);
    let text = sandbox.tool("openssl", &["x509", "-in", "mail.pem", "-noout", "-text"]);
    assert!(text.contains("CN = mail"), "{text}");
    assert!(text.contains("DNS:mail.prod.internal"), "{text}");
    assert!(!text.contains("a@b.example"), "{text}");
}

#[test]
fn a_request_that_is_no_good_is_refused() {
    let sandbox = Sandbox::with_demo();
    let csr = ["--csr=request.pem", "--role=server"];
    let refused = |args: &[&str], status: i32, part: &str| {
        let before = sandbox.tree();
        issue(&sandbox, args).run().status(status).stderr_with(part);
        same_tree(&sandbox, &before);
    };
    refused(&csr, 66, "at: request.pem");
    sandbox.file("request.pem", "nothing\n");
    refused(&csr, 65, "it has no certification request");
    request(
        &sandbox,
        &["-addext", "subjectAltName=DNS:a.internal,email:a@b.example"],
    );
    refused(&csr, 65, "a@b.example");
    request(&sandbox, &["-addext", "subjectAltName=DNS:a_b.internal"]);
    refused(&csr, 65, "a_b.internal");
    request(&sandbox, &[]);
    refused(&csr, 64, "it has no host name to be named after");
    refused(
        &["a", csr[0], csr[1]],
        64,
        "`a` is a server and has no host name",
    );
    request(&sandbox, &["-addext", "subjectAltName=DNS:*.internal"]);
    refused(&csr, 64, "is no name for a certificate");
    request(&sandbox, &NAMES);
    refused(
        &[&csr[..], &["--out=out", "--format=p12"]].concat(),
        64,
        "--format p12 has the private key in it",
    );
    refused(
        &["server1", csr[0], csr[1], "--host=a"],
        73,
        "is an entry of zpki.toml",
    );
    let pem = sandbox.read("request.pem");
    sandbox.file("request.pem", pem.repeat(2));
    refused(&csr, 65, "it has a second certification request");
    request_for(&sandbox, &["-newkey", "rsa:1024"], &NAMES);
    refused(&csr, 65, "rsa-1024");
    // One octet of the signature is another.
    request(&sandbox, &NAMES);
    sandbox.tool(
        "openssl",
        &[
            "req",
            "-in",
            "request.pem",
            "-outform",
            "DER",
            "-out",
            "request.der",
        ],
    );
    let mut der = fs::read(sandbox.path("request.der")).unwrap();
    *der.last_mut().unwrap() ^= 1;
    sandbox.file("request.pem", der);
    refused(&csr, 65, "is not signed with its own key");
}

#[test]
fn the_ca_s_own_key_gets_no_certificate() {
    let sandbox = Sandbox::with_demo();
    let request = [
        "req",
        "-new",
        "-key",
        "demo/ca/ca.key.pem",
        "-subj",
        "/CN=x",
        "-addext",
        "subjectAltName=DNS:x.internal",
        "-out",
        "x.csr",
    ];
    sandbox.tool("openssl", &request);
    let stderr = "\
zpki: error: cannot issue what `x.csr` asks for
  because: the key of the request is the CA's own, which is nobody else's
  hint: make a new key, and a request with it
";
    refused(&sandbox, &["--csr=x.csr", "--role=server"], 73, stderr);
}

#[test]
fn a_key_that_is_not_safe_gets_no_certificate() {
    let sandbox = Sandbox::with_demo();
    request(&sandbox, &NAMES);
    let csr = ["--csr=request.pem", "--role=server"];
    issue(&sandbox, &csr).run().product();
    let revoke = [
        "-C",
        "demo",
        "revoke",
        "app.prod.internal",
        "--reason=keyCompromise",
    ];
    sandbox.args(revoke).run().product();
    let other = ["other", csr[0], csr[1]];
    for args in [&csr[..], &other] {
        let before = sandbox.tree();
        issue(&sandbox, args)
            .run()
            .status(73)
            .stderr_with("the key of the request is not safe: certificate [serial]");
        same_tree(&sandbox, &before);
    }
}

#[test]
fn what_was_revoked_is_issued_again() {
    let sandbox = Sandbox::with_demo();
    issue(&sandbox, &APP).run().product();
    sandbox
        .args(["-C", "demo", "revoke", "app"])
        .run()
        .product();
    let before = sandbox.tree();
    let status = issue(&sandbox, &APP).run().status_alone();
    assert_eq!(status, 73);
    same_tree(&sandbox, &before);
    issue(&sandbox, &[&APP[..], &["--force"]].concat())
        .run()
        .stdout_with("issue  app");
}

#[test]
fn under_an_intermediate_ca_the_chain_comes_along() {
    let sandbox = Sandbox::with_demo();
    let script = "\
set -e
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout root.key -out root.pem -subj /CN=root -days 4000 -addext keyUsage=critical,keyCertSign,cRLSign
openssl x509 -x509toreq -in demo/ca/ca.cert.pem -signkey demo/ca/ca.key.pem -out sub.csr
printf 'basicConstraints=critical,CA:TRUE\\nkeyUsage=critical,keyCertSign,cRLSign\\nsubjectKeyIdentifier=hash\\nauthorityKeyIdentifier=keyid\\n' >ca.ext
openssl x509 -req -in sub.csr -CA root.pem -CAkey root.key -set_serial 2 -days 4000 -extfile ca.ext -out demo/ca/ca.cert.pem
cp root.pem demo/ca/chain.pem
";
    sandbox.tool("sh", &["-c", &format!("({script}) 2>&1")]);
    sandbox.file("passphrase", "pw\n").mode("passphrase", 0o600);
    // That CA is valid from now on, by the clock of this machine.
    let run = |args: &[&str]| {
        let args = [
            &[
                "-C",
                "demo",
                "issue",
                "app",
                "--role=server",
                "--host=app.internal",
            ],
            args,
        ];
        sandbox.args(args.concat()).run_program().product()
    };
    for (format, file) in [
        ("pem", "app.cert.pem"),
        ("key-cert", "app.pem"),
        ("fullchain", "app.fullchain.pem"),
        ("p12", "app.p12"),
    ] {
        let out = format!("--out={format}");
        let format_flag = format!("--format={format}");
        match format {
            "p12" => run(&[&out, &format_flag, "--p12-passphrase-file=passphrase"]),
            _ => run(&[&out, &format_flag]),
        };
        let file = format!("{format}/{file}");
        if format == "p12" {
            let read = [
                "pkcs12",
                "-in",
                &file,
                "-passin",
                "file:passphrase",
                "-nokeys",
            ];
            sandbox.file("p12.pem", sandbox.tool("openssl", &read));
        }
        let pem = if format == "p12" { "p12.pem" } else { &file };
        let certificates = sandbox.read(pem).matches("BEGIN CERTIFICATE").count();
        assert_eq!(certificates, if format == "p12" { 3 } else { 2 }, "{file}");
        // HAProxy would load it from beside NAME.pem, and it has no key.
        let bundle = sandbox.path(format!("{format}/ca.cert.pem"));
        assert_eq!(bundle.exists(), format != "key-cert");
        if bundle.exists() {
            assert_eq!(
                fs::read_to_string(bundle).unwrap(),
                sandbox.read("root.pem")
            );
        }
        let verify = [
            "verify",
            "-x509_strict",
            "-purpose",
            "sslserver",
            "-CAfile",
            "root.pem",
            "-untrusted",
            pem,
            pem,
        ];
        assert_eq!(sandbox.tool("openssl", &verify), format!("{pem}: OK\n"));
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Report {
    schema: u32,
    at: String,
    changed: bool,
    directory: String,
    cluster: String,
    certificates: Vec<Certificate>,
    findings: Vec<Finding>,
    next_steps: Vec<NextStep>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Certificate {
    name: String,
    role: String,
    issued: bool,
    key_algorithm: String,
    serial_number: String,
    not_before: String,
    not_after: String,
    hosts: Vec<String>,
    file: String,
    files: Vec<String>,
    pem: Option<String>,
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

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NextStep {
    what: String,
    commands: Vec<String>,
}

fn report(sandbox: &Sandbox, args: &[&str]) -> Report {
    let json = issue(sandbox, &[args, &["--output=json"]].concat())
        .run()
        .product();
    serde_json::from_str(&json).unwrap()
}

#[test]
fn the_report_is_json() {
    let sandbox = Sandbox::with_demo();
    let first = report(&sandbox, &APP);
    assert_eq!((first.schema, first.changed), (1, true));
    assert_eq!(first.at, "2026-11-23T12:00:00Z");
    assert_eq!(first.cluster, "demo");
    assert_eq!(Path::new(&first.directory), sandbox.path("demo"));
    assert_eq!(first.findings.len(), 0);
    assert_eq!(first.next_steps.len(), 1);
    assert!(first.next_steps[0].what.contains("--force"));
    assert_eq!(first.next_steps[0].commands.len(), 0);
    let [made] = &first.certificates[..] else {
        panic!("{first:?}");
    };
    assert_eq!(
        (&*made.name, &*made.role, made.issued),
        ("app", "server", true)
    );
    assert_eq!(made.key_algorithm, "ecdsa-p256");
    assert_eq!(made.not_before, "2026-11-23T11:00:00Z");
    assert_eq!(made.not_after, "2027-11-23T12:00:00Z");
    assert_eq!(made.hosts, ["app.prod.internal", "10.0.0.9"]);
    assert_eq!(
        made.file,
        format!("ca/issued/app/{}.pem", made.serial_number)
    );
    assert!(sandbox.path("demo").join(&made.file).exists());
    assert_eq!(made.pem, None);
    assert_eq!(
        made.files,
        ["out/app.key.pem", "out/app.cert.pem"].map(|it| sandbox.path(it).display().to_string())
    );
    let second = report(&sandbox, &APP);
    assert!(!second.changed && !second.certificates[0].issued);
    assert_eq!(second.certificates[0].serial_number, made.serial_number);
    request(&sandbox, &NAMES);
    let csr = report(&sandbox, &["--csr=request.pem", "--role=client"]);
    let warning = &csr.findings[0];
    assert_eq!(
        (&*warning.severity, &*warning.id, &*warning.about),
        ("warning", "passes-for-load-balancer", "app.prod.internal")
    );
    assert!(warning.why.contains("clientAuth") && warning.next.is_some());
    let pem = csr.certificates[0].pem.as_deref().unwrap();
    assert!(pem.contains("BEGIN CERTIFICATE"));
    assert!(csr.certificates[0].files.is_empty());
}

#[test]
fn a_manifest_is_one_transaction() {
    let sandbox = Sandbox::with_demo();
    sandbox.file(
        "many.toml",
        r#"
[[certificate]]
name = "app1"
role = "server"
hosts = ["app1.prod.internal", "10.0.0.1"]
key_algorithm = "ed25519"
lifetime = "90d"

[[certificate]]
name = "cron"
role = "client"
"#,
    );
    sandbox.file(
        "more.csv",
        "name,role,hosts\r\napp2,server,app2.prod.internal 10.0.0.2\r\n",
    );
    let first = report(&sandbox, &["--from=many.toml", "--out=out"]);
    let names: Vec<_> = first
        .certificates
        .iter()
        .map(|it| (&*it.name, &*it.key_algorithm))
        .collect();
    assert_eq!(names, [("app1", "ed25519"), ("cron", "ecdsa-p256")]);
    issue(&sandbox, &["--from=more.csv", "--out=out"])
        .run()
        .product();
    assert_eq!(
        sandbox.tree().modes("out"),
        "0700 /\n0644 app1.cert.pem\n0600 app1.key.pem\n0644 app2.cert.pem\n0600 app2.key.pem\n0644 ca.cert.pem\n0644 cron.cert.pem\n0600 cron.key.pem\n"
    );
    openssl_takes(&sandbox, "out/app1.cert.pem", "sslserver");
    openssl_takes(&sandbox, "out/app2.cert.pem", "sslserver");
    openssl_takes(&sandbox, "out/cron.cert.pem", "sslclient");
    let before = sandbox.tree();
    for manifest in ["--from=many.toml", "--from=more.csv"] {
        issue(&sandbox, &[manifest, "--out=out"])
            .run()
            .stdout("unchanged\n");
    }
    same_tree(&sandbox, &before);
    // One that is new is made, and the others stay.
    let text = sandbox.read("more.csv") + "app3,server,app3.prod.internal\n";
    sandbox.file("more.csv", text);
    let third = report(&sandbox, &["--from=more.csv", "--out=out"]);
    let issued: Vec<_> = third.certificates.iter().map(|it| it.issued).collect();
    assert_eq!(issued, [false, true]);
}

#[test]
fn clients_of_a_manifest_may_have_host_folders() {
    let sandbox = Sandbox::with_demo();
    sandbox.file(
        "clients.csv",
        "name,role,hosts\na,client,\nb,client,b.prod.internal\n",
    );
    issue(&sandbox, &["--from=clients.csv"]).run().product();
    for name in ["a", "b"] {
        openssl_takes(
            &sandbox,
            &format!("demo/clients/{name}/client.cert.pem"),
            "sslclient",
        );
    }
    assert_eq!(plan(&sandbox), "nothing to do\n");
}

#[test]
fn a_manifest_is_checked_before_anything_is_signed() {
    let sandbox = Sandbox::with_demo();
    sandbox.file(
        "many.csv",
        "name,role,hosts\napp1,server,app1.internal\nserver1,server,a.internal\napp2,server,\n",
    );
    refused(
        &sandbox,
        &["--from=many.csv", "--out=out"],
        65,
        "\
zpki: error: cannot issue what `many.csv` asks for
  at: many.csv:3: server1,server,a.internal
  because: `server1` is an entry of zpki.toml
  hint: make its next certificate with `zpki renew server1` or `zpki rekey server1`, change it in zpki.toml, or choose another name
  at: many.csv:4: app2,server,
  because: `app2` is a server and has no host name
  hint: say under which names it is reached: --host, or hosts in a manifest
",
    );
    sandbox.file(
        "many.toml",
        "[[certificate]]\nname = \"a\"\nrole = \"server\"\nhosts = \"a.internal\"\naddress = \"10.0.0.1\"\n",
    );
    refused(
        &sandbox,
        &["--from=many.toml", "--out=out"],
        65,
        "\
zpki: error: cannot issue what `many.toml` asks for
  at: many.toml:4: hosts = \"a.internal\"
  because: expected a list of strings, found a string
  hint: write it like this: hosts = [\"app1.prod.internal\", \"10.0.0.21\"]
  at: many.toml:5: address = \"10.0.0.1\"
  because: unknown key `address` in [[certificate]]
  hint: one of: name, role, hosts, key_algorithm, lifetime
",
    );
    sandbox.file("good.csv", "name,role,hosts\napp1,server,app1.internal\n");
    refused(
        &sandbox,
        &["--from=good.csv"],
        64,
        "\
zpki: error: cannot issue what `good.csv` asks for
  because: `app1` is no client, so it has no folder in the PKI directory
  hint: say where its files are to go: --out DIR
",
    );
    // One file that is in the way of one certificate is in the way of all.
    sandbox.file(
        "good.csv",
        "name,role,hosts\napp1,server,app1.internal\napp2,server,app2.internal\n",
    );
    sandbox.file("out/app2.key.pem", "somebody's");
    refused(
        &sandbox,
        &["--from=good.csv", "--out=out"],
        73,
        "\
zpki: error: cannot issue what `good.csv` asks for
  at: [root]/out/app2.key.pem
  because: there is another file already, and it would be lost
  hint: name another directory: --out; or replace it: --force
",
    );
}

#[test]
fn the_umask_changes_nothing() {
    let sandbox = Sandbox::with_demo();
    issue(&sandbox, &APP).umask("000").run_program().product();
    let mode = |path: &str| {
        fs::metadata(sandbox.path(path))
            .unwrap()
            .permissions()
            .mode()
            & 0o7777
    };
    assert_eq!(
        ["out", "out/app.key.pem", "out/app.cert.pem"].map(mode),
        [0o700, 0o600, 0o644]
    );
}

#[test]
fn the_ca_key_opens_with_its_passphrase_only() {
    let sandbox = Sandbox::new();
    let init = [
        "init",
        "demo",
        "--cluster=demo",
        "--server=server1=10.0.0.1:17010",
        "-q",
    ];
    sandbox
        .args(init)
        .env("ZPKI_CA_PASSPHRASE", "secret")
        .run()
        .stdout("");
    refused(
        &sandbox,
        &APP,
        64,
        "\
zpki: error: cannot issue `app`
  because: the CA's private key is encrypted, and nobody can be asked for its passphrase
  hint: give it: --ca-passphrase-file FILE, or ZPKI_CA_PASSPHRASE
",
    );
    let wrong = issue(&sandbox, &APP).env("ZPKI_CA_PASSPHRASE", "wrong");
    let before = sandbox.tree();
    assert_eq!(wrong.run().status_alone(), 77);
    same_tree(&sandbox, &before);
    issue(&sandbox, &APP)
        .env("ZPKI_CA_PASSPHRASE", "secret")
        .run()
        .product();
    // Nothing is signed, so nothing is opened.
    issue(&sandbox, &APP).run().stdout("unchanged\n");
}

/// Dates have whole seconds, so that they do not tell which of two is the newer.
#[test]
fn the_newest_of_one_second_is_the_one_made_last() {
    let sandbox = Sandbox::with_demo();
    let file = "demo/servers/server1/zato-server-cert.pem";
    for again in 0..8 {
        let renew = ["-C", "demo", "renew", "server1", "--force"];
        sandbox.args(renew).run().product();
        let superseded = ["-C", "demo", "revoke", "server1", "--superseded"];
        sandbox.args(superseded).run().product();
        let installed = serial_number(&sandbox, file);
        fs::remove_file(sandbox.path(file)).unwrap();
        assert_eq!(in_use(&sandbox, "server1"), installed, "{again}");
        sandbox.args(["-C", "demo", "apply"]).run().product();
    }
}

/// The serial number of a certificate's file.
fn serial_number(sandbox: &Sandbox, file: &str) -> String {
    let printed = sandbox.tool("openssl", &["x509", "-in", file, "-noout", "-serial"]);
    let digits = printed.trim().strip_prefix("serial=").unwrap();
    digits.to_lowercase()
}

/// The serial number of the certificate that `list` and `show` have for an entry; it is not revoked.
fn in_use(sandbox: &Sandbox, name: &str) -> String {
    let list = ["-C", "demo", "list", "--output", "json"];
    let listed: Value = serde_json::from_str(&sandbox.args(list).run().product()).unwrap();
    let mut entries = listed["entries"].as_array().unwrap().iter();
    let certificate = &entries.find(|it| it["name"] == name).unwrap()["certificate"];
    assert!(certificate["revocation"].is_null(), "{certificate}");
    let serial_number = certificate["serialNumber"].as_str().unwrap();
    let show = ["-C", "demo", "show", name];
    let shown = sandbox.args(show).run().product();
    assert!(shown.contains(serial_number), "{shown}");
    serial_number.to_owned()
}

/// A host that was added to zpki.toml and taken out again leaves a newer certificate that nobody uses.
#[test]
fn an_entry_uses_the_certificate_that_was_restored() {
    let sandbox = Sandbox::with_demo();
    let file = "demo/servers/server1/zato-server-cert.pem";
    let first = serial_number(&sandbox, file);
    let settings = sandbox.read("demo/zpki.toml");
    let host = "\"server1.demo.internal\"";
    let more = settings.replace(host, &format!("{host}, \"more.demo.internal\""));
    for (settings, at) in [(more, NOW), (settings, NOW + Duration::HOUR)] {
        sandbox.file("demo/zpki.toml", settings);
        let apply = sandbox.args(["-C", "demo", "apply"]);
        apply.now(at).run().product();
    }
    assert_eq!(serial_number(&sandbox, file), first);
    assert_eq!(in_use(&sandbox, "server1"), first);

    let superseded = ["-C", "demo", "revoke", "server1", "--superseded"];
    sandbox.args(superseded).run().product();
    assert_eq!(in_use(&sandbox, "server1"), first);
    fs::remove_dir_all(sandbox.path("demo/servers")).unwrap();
    assert_eq!(in_use(&sandbox, "server1"), first);
}

#[test]
fn a_client_that_zpki_toml_does_not_name_uses_what_is_in_its_folder() {
    let sandbox = Sandbox::with_demo();
    let client = ["-C", "demo", "issue", "app", "--role", "client"];
    let file = "demo/clients/app/client.cert.pem";
    sandbox.args(client).run().product();
    let (first, text) = (serial_number(&sandbox, file), sandbox.read(file));
    let again = sandbox.args(client.into_iter().chain(["--force"]));
    again.now(NOW + Duration::days(300)).run().product();
    let second = serial_number(&sandbox, file);
    assert_ne!(second, first);
    assert_eq!(in_use(&sandbox, "app"), second);
    fs::write(sandbox.path(file), text).unwrap();
    assert_eq!(in_use(&sandbox, "app"), first);
}
