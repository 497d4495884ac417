//! `zpki export`: what other programs take, and what never leaves.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::e2e::process::tool;
use crate::sandbox::{PROGRAM, Run, Sandbox};

const KEY: &str = "demo/servers/server1/zato-server-priv-key.pem";
const CERTIFICATE: &str = "demo/servers/server1/zato-server-cert.pem";

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Export {
    schema: u32,
    at: Option<String>,
    changed: bool,
    name: String,
    role: String,
    format: String,
    holds_private_key: bool,
    serial_number: String,
    not_before: String,
    not_after: String,
    intermediates: usize,
    file: Option<String>,
    content: Option<String>,
    findings: Vec<Finding>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Finding {
    severity: String,
    id: String,
    about: String,
    why: String,
    next: Option<String>,
}

fn export<'a>(sandbox: &'a Sandbox, args: &[&str]) -> Run<'a> {
    sandbox.args([&["-C", "demo", "export"], args].concat())
}

fn json(sandbox: &Sandbox, args: &[&str]) -> Export {
    let text = export(sandbox, &[args, &["--output=json"]].concat())
        .run()
        .stderr("")
        .product();
    let parsed: Export = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}"));
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_value(&parsed).unwrap(), value);
    parsed
}

/// The run is refused with this, and every file is what it was.
#[track_caller]
fn refused(sandbox: &Sandbox, args: &[&str], status: i32, stderr: &str) {
    let before = sandbox.tree();
    let outcome = export(sandbox, args).run().status(status);
    outcome.stdout("").stderr(stderr);
    assert_eq!(sandbox.tree(), before);
}

fn mode(sandbox: &Sandbox, file: &str) -> u32 {
    let found = fs::metadata(sandbox.path(file)).unwrap();
    found.permissions().mode() & 0o7777
}

#[test]
fn key_cert_is_what_haproxy_loads() {
    let sandbox = Sandbox::with_demo();
    let text = export(&sandbox, &["server1", "--format=key-cert"])
        .run()
        .stderr("")
        .product();
    assert_eq!(text, sandbox.read(KEY) + &sandbox.read(CERTIFICATE));
    sandbox.file("site.pem", text);
    let configuration = "\
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend front
    bind 127.0.0.1:18443 ssl crt site.pem
    default_backend back
backend back
";
    sandbox.file("haproxy.cfg", configuration);
    let mut haproxy = tool("haproxy");
    let loaded = haproxy
        .args(["-c", "-f", "haproxy.cfg"])
        .current_dir(sandbox.path(""))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&loaded.stderr);
    assert!(loaded.status.success(), "{said}");

    // The load-balancer's is the file that it has.
    let text = export(&sandbox, &["load-balancer", "--format=key-cert"])
        .run()
        .product();
    assert_eq!(text, sandbox.read("demo/load-balancer/key-cert.pem"));
}

#[test]
fn fullchain_has_no_key_and_no_root() {
    let sandbox = Sandbox::with_demo();
    let args = ["server1", "--format=fullchain"];
    let text = export(&sandbox, &args).run().product();
    assert_eq!(text, sandbox.read(CERTIFICATE));

    let (leaf, intermediate) = under_an_intermediate(&sandbox);
    let text = export(&sandbox, &args).run().product();
    assert_eq!(text, leaf.clone() + &intermediate);
    sandbox.file("fullchain.pem", &text);
    let verified = sandbox.tool(
        "openssl",
        &[
            "verify",
            "-CAfile",
            "root.pem",
            "-untrusted",
            "fullchain.pem",
            "fullchain.pem",
        ],
    );
    assert_eq!(verified, "fullchain.pem: OK\n");

    // What is installed with its chain already does not get it twice.
    sandbox.file(CERTIFICATE, leaf.clone() + &intermediate);
    assert_eq!(export(&sandbox, &args).run().product(), text);
    let report = json(&sandbox, &["server1", "--format=key-cert"]);
    assert_eq!(report.intermediates, 1);
    assert_eq!(
        report.content.unwrap(),
        sandbox.read(KEY) + &leaf + &intermediate
    );
}

/// Gives server1 a certificate of an intermediate CA; returns both, as zpki writes them.
fn under_an_intermediate(sandbox: &Sandbox) -> (String, String) {
    let script = "\
set -e
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout root.key -out root.pem -subj /CN=root -days 9
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout sub.key -out sub.csr -subj /CN=sub
printf 'basicConstraints=critical,CA:TRUE\\n' >ca.ext
openssl x509 -req -in sub.csr -CA root.pem -CAkey root.key -set_serial 2 -days 9 -extfile ca.ext -out sub.pem
openssl req -new -key demo/servers/server1/zato-server-priv-key.pem -subj /CN=server1 -out leaf.csr
openssl x509 -req -in leaf.csr -CA sub.pem -CAkey sub.key -set_serial 3 -days 9 -out leaf.pem
cp sub.pem demo/ca/ca.cert.pem
cat root.pem sub.pem >demo/ca/chain.pem
cp leaf.pem demo/servers/server1/zato-server-cert.pem
";
    sandbox.tool("sh", &["-c", &format!("({script}) 2>&1")]);
    (sandbox.read("leaf.pem"), sandbox.read("sub.pem"))
}

#[test]
fn a_secret_has_the_three_files_in_base64() {
    let sandbox = Sandbox::with_demo();
    let text = export(&sandbox, &["server1", "--format=k8s-secret"])
        .run()
        .stderr("")
        .product();
    let lines: Vec<&str> = text.lines().collect();
    let [head @ .., certificate, key, anchors] = &lines[..] else {
        panic!("{text}")
    };
    assert_eq!(
        head,
        [
            "apiVersion: v1",
            "kind: Secret",
            "type: kubernetes.io/tls",
            "metadata:",
            "  name: \"server1\"",
            "data:"
        ]
    );
    for (line, name, file) in [
        (certificate, "  tls.crt: ", CERTIFICATE),
        (key, "  tls.key: ", KEY),
        (
            anchors,
            "  ca.crt: ",
            "demo/servers/server1/zato-server-ca-certs.pem",
        ),
    ] {
        let base64 = line.strip_prefix(name).unwrap();
        sandbox.file("base64", base64);
        let decoded = sandbox.tool("base64", &["-d", "base64"]);
        assert_eq!(decoded, sandbox.read(file), "{name}");
    }
}

#[test]
fn a_file_is_made_once_with_its_mode_and_never_replaced() {
    let sandbox = Sandbox::with_demo();
    let until = "until 2027-11-23 12:00:00 UTC";
    for (format, file, expected, what) in [
        (
            "key-cert",
            "site.pem",
            0o600,
            "private key and certificate of `server1`",
        ),
        ("fullchain", "chain.pem", 0o644, "certificate of `server1`"),
        (
            "k8s-secret",
            "secret.yaml",
            0o600,
            "Secret with private key and certificate of `server1`",
        ),
    ] {
        let args = ["server1", "--format", format, "--out", file];
        let before = sandbox.tree();
        let wrote = format!("wrote [root]/{file}: {what}, {until}\n");
        export(&sandbox, &args).run().stdout(wrote);
        assert_eq!(mode(&sandbox, file), expected);
        let written = sandbox.tree();
        assert_ne!(written, before);
        let unchanged = format!("unchanged: [root]/{file}: {what}, {until}\n");
        export(&sandbox, &args).run().stdout(unchanged);
        export(&sandbox, &[&args[..], &["-q"]].concat()).run();
        assert_eq!(sandbox.tree(), written);
        let stderr = format!(
            "\
zpki: error: cannot export `server2`
  at: [root]/{file}
  because: it exists, and has something else in it
  hint: move it away, or give another file with --out
"
        );
        let args = ["server2", "--format", format, "--out", file];
        refused(&sandbox, &args, 73, &stderr);
    }
    let umask = ["server2", "--format=fullchain", "--out=strict.pem"];
    let outcome = export(&sandbox, &umask).umask("077").run_program();
    assert!(outcome.product().starts_with("wrote "));
    assert_eq!(mode(&sandbox, "strict.pem"), 0o644);
}

/// What openssl reads out of a PKCS#12 file with the passphrase in a file.
fn pkcs12(sandbox: &Sandbox, file: &str) -> String {
    let read = ["pkcs12", "-in", file, "-passin", "file:secret", "-nodes"];
    sandbox.tool("openssl", &read)
}

#[test]
fn pkcs12_has_everything_up_to_the_root_under_a_passphrase() {
    let sandbox = Sandbox::with_demo();
    let (leaf, intermediate) = under_an_intermediate(&sandbox);
    for (file, text) in [("secret", "correct horse\n"), ("other", "battery staple\n")] {
        sandbox.file(file, text).mode(file, 0o600);
    }
    let p12 = ["server1", "--format=p12", "--out=server1.p12"];
    let no_passphrase = "\
zpki: error: cannot export `server1`
  because: a PKCS#12 file needs a passphrase, and nobody can be asked for it
  hint: give it: --p12-passphrase-file FILE
";
    refused(&sandbox, &p12, 64, no_passphrase);
    let given = [&p12[..], &["--p12-passphrase-file=secret"]].concat();
    let made = export(&sandbox, &given).run().product();
    assert!(
        made.contains("/server1.p12: private key and certificate of `server1`, 1 intermediate, "),
        "{made}"
    );
    assert_eq!(mode(&sandbox, "server1.p12"), 0o600);
    let text = pkcs12(&sandbox, "server1.p12");
    let root = sandbox.read("root.pem");
    let certificates = [&leaf, &intermediate, &root].map(|pem| text.find(pem.as_str()));
    assert!(
        certificates.iter().all(Option::is_some) && certificates.is_sorted(),
        "{text}"
    );
    assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 3);
    assert!(text.contains(&sandbox.read(KEY)) && text.contains("friendlyName: server1"));

    let before = sandbox.tree();
    let again = export(&sandbox, &given).run().product();
    assert!(again.starts_with("unchanged: "), "{again}");
    assert_eq!(sandbox.tree(), before);
    let occupied = "\
zpki: error: cannot export `server1`
  at: [root]/server1.p12
  because: it exists, and has something else in it
  hint: move it away, or give another file with --out
";
    let other = [&p12[..], &["--p12-passphrase-file=other"]].concat();
    refused(&sandbox, &other, 73, occupied);
}

#[test]
fn pkcs12_goes_into_a_pipe_and_into_json() {
    let sandbox = Sandbox::new();
    sandbox.args(crate::sandbox::DEMO).run_program().product();
    sandbox
        .file("secret", "correct horse\n")
        .mode("secret", 0o600);
    let command =
        format!("{PROGRAM} -C demo export load-balancer --format p12 --p12-passphrase-file secret");
    sandbox.tool("sh", &["-c", &format!("{command} >lb.p12")]);
    assert_eq!(
        pkcs12(&sandbox, "lb.p12")
            .matches("BEGIN CERTIFICATE")
            .count(),
        2
    );
    let read = "import base64, json, sys; sys.stdout.buffer.write(base64.b64decode(json.load(sys.stdin)['content']))";
    let command = format!("{command} --output json | python3 -c \"{read}\" >json.p12");
    sandbox.tool("sh", &["-c", &command]);
    assert_eq!(
        pkcs12(&sandbox, "json.p12")
            .matches("BEGIN PRIVATE KEY")
            .count(),
        1
    );
}

#[test]
fn a_passphrase_for_nothing_is_refused() {
    let sandbox = Sandbox::with_demo();
    sandbox
        .file("secret", "correct horse\n")
        .mode("secret", 0o600);
    let args = [
        "server1",
        "--format=key-cert",
        "--out=a",
        "--p12-passphrase-file=secret",
    ];
    let stderr = "\
zpki: error: cannot export `server1`
  because: --p12-passphrase-file goes with --format p12 only
  hint: leave it out, or give --format p12
";
    refused(&sandbox, &args, 64, stderr);
    let args = [
        "server1",
        "--format=p12",
        "--out=a",
        "--p12-passphrase-file=nowhere",
    ];
    let before = sandbox.tree();
    export(&sandbox, &args)
        .run()
        .status(66)
        .stderr_with("nowhere");
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_copy_that_others_can_read_is_said_to_be_so() {
    let sandbox = Sandbox::with_demo();
    let args = ["server1", "--format=key-cert", "--out=site.pem"];
    export(&sandbox, &args).run().product();
    sandbox.mode("site.pem", 0o644);
    let said = export(&sandbox, &args).run().stderr(
        "\
warning: [root]/site.pem: it has a private key in it, and others may read it
  hint: chmod 600 it; if they have read it, the key is theirs too
",
    );
    assert!(said.product().starts_with("unchanged: "));
}

#[test]
fn the_json_is_the_product_only_where_there_is_no_file() {
    let sandbox = Sandbox::with_demo();
    let args = ["server1", "--format=key-cert"];
    let report = json(&sandbox, &args);
    assert_eq!((report.schema, report.changed), (1, false));
    assert_eq!(report.at.as_deref(), Some("2026-11-23T12:00:00Z"));
    assert_eq!(
        (report.name.as_str(), report.role.as_str()),
        ("server1", "server")
    );
    assert_eq!(
        (report.format.as_str(), report.holds_private_key),
        ("key-cert", true)
    );
    assert_eq!(report.not_before, "2026-11-23T11:00:00Z");
    assert_eq!(report.not_after, "2027-11-23T12:00:00Z");
    assert!(report.file.is_none() && report.findings.is_empty());
    let key_cert = sandbox.read(KEY) + &sandbox.read(CERTIFICATE);
    assert_eq!(report.content.as_deref(), Some(key_cert.as_str()));
    let issued = format!("demo/ca/issued/server1/{}.pem", report.serial_number);
    assert_eq!(sandbox.read(issued), sandbox.read(CERTIFICATE));

    for changed in [true, false] {
        let report = json(&sandbox, &[&args[..], &["--out=site.pem"]].concat());
        assert_eq!((report.changed, report.content), (changed, None));
        let file = sandbox.path("site.pem").display().to_string();
        assert_eq!(report.file, Some(file));
    }
    assert_eq!(sandbox.read("site.pem"), key_cert);
}

#[test]
fn a_key_of_another_certificate_is_not_exported() {
    let sandbox = Sandbox::with_demo();
    let other = sandbox.read("demo/servers/server2/zato-server-priv-key.pem");
    sandbox.file(KEY, other);
    let stderr = "\
zpki: error: cannot export `server1`
  at: [root]/demo/servers/server1/zato-server-cert.pem
  because: the private key in `[root]/demo/servers/server1/zato-server-priv-key.pem` is not of this certificate
  hint: `zpki check` says what is wrong with the folder; restore it from a backup
";
    for format in ["key-cert", "k8s-secret"] {
        let args = ["server1", "--format", format, "--out=site.pem"];
        refused(&sandbox, &args, 65, stderr);
    }
    // A chain needs no key.
    let args = ["server1", "--format=fullchain", "--out=chain.pem"];
    export(&sandbox, &args).run().product();
}

#[test]
fn what_is_damaged_or_missing_is_not_exported() {
    let sandbox = Sandbox::with_demo();
    let args = ["server1", "--format=key-cert", "--out=site.pem"];
    sandbox.file(KEY, "-----BEGIN PRIVATE KEY-----\n");
    let stderr = "\
zpki: error: cannot export `server1`
  at: [root]/demo/servers/server1/zato-server-priv-key.pem:1
  because: the PEM block `PRIVATE KEY` has no END line
  hint: `zpki check` says what is wrong with the folder; restore it from a backup
";
    refused(&sandbox, &args, 65, stderr);
    fs::remove_file(sandbox.path(KEY)).unwrap();
    let stderr = "\
zpki: error: cannot export `server1`
  at: [root]/demo/servers/server1/zato-server-priv-key.pem
  because: there is no private key
  hint: is [root]/demo/servers/server1 complete?  restore it from a backup, or issue the certificate again
";
    refused(&sandbox, &args, 66, stderr);
}

#[test]
fn what_is_no_entry_is_not_exported() {
    let sandbox = Sandbox::with_demo();
    let args = |name: &'static str| [name, "--format=key-cert", "--out=site.pem"];
    let stderr = "\
zpki: error: cannot export `sever1`
  because: there is no entry `sever1`
  hint: did you mean `server1`?  `zpki list` shows the entries
";
    refused(&sandbox, &args("sever1"), 66, stderr);
    let stderr = "\
zpki: error: cannot export `../ca`
  because: there is no entry `../ca`
  hint: `zpki list` shows the entries
";
    refused(&sandbox, &args("../ca"), 66, stderr);
    let stderr = "\
zpki: error: cannot export `ca`
  because: the private key of the CA does not leave its directory
  hint: `zpki show ca --output pem` prints its certificate, which everyone may have
";
    refused(&sandbox, &args("ca"), 64, stderr);
    let outcome = export(&sandbox, &["server1"]).run().status(64);
    outcome.stderr_with("--format <FORMAT>");
}

#[test]
fn a_client_that_has_a_folder_alone_is_exported_too() {
    let sandbox = Sandbox::with_demo();
    for (from, to) in [
        (KEY, "client.key.pem"),
        (CERTIFICATE, "client.cert.pem"),
        ("demo/ca/ca.cert.pem", "ca.cert.pem"),
    ] {
        sandbox.file(Path::new("demo/clients/batch").join(to), sandbox.read(from));
    }
    let report = json(&sandbox, &["batch", "--format=k8s-secret"]);
    assert_eq!(
        (report.name.as_str(), report.role.as_str()),
        ("batch", "client")
    );
}

#[test]
fn a_private_key_is_not_shown_on_a_terminal() {
    let sandbox = Sandbox::new();
    sandbox.args(crate::sandbox::DEMO).run_program().product();
    let on_terminal = |args: &str| {
        let command = format!("{PROGRAM} -C demo export {args}");
        let output = Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .current_dir(sandbox.path(""))
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), said)
    };
    for format in [
        "key-cert",
        "k8s-secret",
        "p12",
        "key-cert --output=json --yes",
    ] {
        let (status, said) = on_terminal(&format!("server1 --format {format}"));
        assert_eq!(status, Some(64), "{said}");
        assert!(said.contains("it would show the private key"), "{said}");
        assert!(said.contains("hint: give a file with --out"), "{said}");
        assert!(!said.contains("BEGIN"), "{said}");
    }
    let (status, said) = on_terminal("server1 --format fullchain");
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("BEGIN CERTIFICATE"), "{said}");
}

#[test]
fn who_may_not_enter_the_folder_is_told_so() {
    let sandbox = Sandbox::with_demo();
    sandbox.mode("", 0o755);
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
        .args([
            PROGRAM,
            "-C",
            "demo",
            "export",
            "server1",
            "--format=key-cert",
        ])
        .current_dir(sandbox.path(""))
        .env_clear()
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(77), "{stderr}");
    assert!(output.stdout.is_empty());
    assert!(stderr.contains("because: permission denied"), "{stderr}");
}
