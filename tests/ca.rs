//! `zpki ca`: the CA shown, renewed, given another passphrase, and brought from elsewhere.

use std::fs;
use std::process::Command;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::Duration;

use crate::sandbox::{DEMO, NOW, Run, Sandbox};

fn ca<'a>(sandbox: &'a Sandbox, args: &[&str]) -> Run<'a> {
    sandbox.args([&["-C", "demo", "ca"], args].concat())
}

/// What of demo is not as it was, when `zpki ca` is run with `args`.
fn changed_by(sandbox: &Sandbox, args: &[&str]) -> Vec<String> {
    let before = sandbox.tree();
    ca(sandbox, args).run().product();
    sandbox.tree().changes_since(&before, "demo")
}

/// The run is refused with this, and every file is what it was.
#[track_caller]
fn refused(sandbox: &Sandbox, args: &[&str], status: i32, stderr: &str) {
    let before = sandbox.tree();
    ca(sandbox, args).run().status(status).stderr(stderr);
    assert_eq!(sandbox.tree().changes_since(&before, ""), [""; 0]);
}

/// What `openssl x509` says of a certificate.
fn x509(sandbox: &Sandbox, file: &str, what: &[&str]) -> String {
    let args = [&["x509", "-in", file, "-noout"], what].concat();
    sandbox.tool("openssl", &args)
}

/// That `openssl verify` takes a certificate under this trust bundle.
fn verifies(sandbox: &Sandbox, bundle: &str, certificate: &str) {
    let args = ["verify", "-x509_strict", "-CAfile", bundle, certificate];
    sandbox.tool("openssl", &args);
}

const LEAVES: [&str; 3] = [
    "demo/load-balancer/key-cert.pem",
    "demo/servers/server1/zato-server-cert.pem",
    "demo/servers/server2/zato-server-cert.pem",
];

#[test]
fn renew_changes_the_trust_bundles_and_no_other_file_of_a_host() {
    let sandbox = Sandbox::with_demo();
    let before = sandbox.tree();
    sandbox.file("old.pem", sandbox.read("demo/ca/ca.cert.pem"));
    sandbox.file("leaf.pem", sandbox.read(LEAVES[1]));
    let later = NOW + Duration::days(200);
    let told = ca(&sandbox, &["renew"]).now(later).run().product();
    assert!(
        told.contains("renew-ca  ca    2037-06-08 12:00:00 UTC  asked for"),
        "{told}"
    );
    assert_eq!(
        sandbox.tree().changes_since(&before, "demo"),
        [
            "~ ca/ca-file.pem",
            "~ ca/ca.cert.pem",
            "+ ca/issued/ca/[serial].pem",
            "~ ca/log.jsonl",
            "~ load-balancer/ca.cert.pem",
            "~ servers/server1/zato-server-ca-certs.pem",
            "~ servers/server2/zato-server-ca-certs.pem",
        ]
    );
    for what in [["-subject"], ["-pubkey"], ["-issuer"]] {
        let [old, new] = ["old.pem", "demo/ca/ca.cert.pem"].map(|file| x509(&sandbox, file, &what));
        assert_eq!(old, new);
    }
    // Old and new go together, whichever side is renewed first.
    sandbox
        .args(["-C", "demo", "renew", "--all", "--force"])
        .now(later)
        .run()
        .product();
    let at = later.unix_timestamp().to_string();
    for bundle in ["old.pem", "demo/ca/ca-file.pem"] {
        for leaf in ["leaf.pem"].iter().chain(&LEAVES) {
            let args = [
                "verify",
                "-x509_strict",
                "-attime",
                &at,
                "-CAfile",
                bundle,
                leaf,
            ];
            sandbox.tool("openssl", &args);
        }
    }
    let plan = sandbox.args(["-C", "demo", "plan"]).now(later);
    plan.run().stdout("nothing to do\n");
    let check = sandbox.args(["-C", "demo", "check"]).now(later);
    check.run().product();
    let log = sandbox.read("demo/ca/log.jsonl");
    assert!(log.contains(r#""action":"renew-ca""#), "{log}");
}

#[test]
fn renew_is_done_each_time_but_not_twice_within_the_hour() {
    let sandbox = Sandbox::with_demo();
    let renew = |minutes: i64, args: &[&str]| {
        let run = ca(&sandbox, &[&["renew", "--exit-code"], args].concat());
        run.now(NOW + Duration::minutes(minutes)).run()
    };
    renew(59, &[]).stdout("unchanged\n");
    renew(60, &[]).status(10).stdout_with("renew-ca  ca");
    renew(61, &[]).stdout("unchanged\n");
    renew(61, &["--force"])
        .status(10)
        .stdout_with("renew-ca  ca");
    renew(24 * 60, &[]).status(10).stdout_with("renew-ca  ca");
}

#[test]
fn renew_puts_in_the_name_constraints_of_zpki_toml_that_allow_every_name() {
    let sandbox = Sandbox::with_demo();
    let text = sandbox.read("demo/zpki.toml");
    let with = |constraints: &str| {
        assert!(text.contains("[ca]\n"), "{text}");
        let text = text.replace("[ca]\n", &format!("[ca]\n{constraints}\n"));
        sandbox.file("demo/zpki.toml", text);
    };
    with("permitted_domains = [\"demo.internal\"]\npermitted_networks = [\"127.0.0.0/8\"]");
    assert_eq!(changed_by(&sandbox, &["renew"]).len(), 7);
    let constraints = x509(
        &sandbox,
        "demo/ca/ca.cert.pem",
        &["-ext", "nameConstraints"],
    );
    assert!(constraints.contains("critical") && constraints.contains("DNS:demo.internal"));
    for leaf in LEAVES {
        verifies(&sandbox, "demo/load-balancer/ca.cert.pem", leaf);
    }
    ca(&sandbox, &["renew"]).run().stdout("unchanged\n");
    // Until it is renewed, the CA allows no more than it did, whatever zpki.toml says.
    let outside = text.replace("\"127.0.0.1\"]", "\"127.0.0.1\", \"other.example\"]");
    sandbox.file("demo/zpki.toml", outside);
    sandbox
        .args(["-C", "demo", "plan"])
        .run()
        .stdout_with("renew   server1  name added: other.example")
        .stderr_with("warning: ca/ca.cert.pem: its name constraints are not those of zpki.toml\n");
    sandbox
        .args(["-C", "demo", "apply"])
        .run()
        .status(78)
        .stderr_with(
            "  hint: renew the CA with the name constraints of zpki.toml: zpki ca renew\n",
        );
    assert_eq!(changed_by(&sandbox, &["renew"]).len(), 7);
    sandbox.args(["-C", "demo", "apply"]).run().product();
    // A certificate that still stands for a name outside, though no entry has it.
    with("permitted_domains = [\"demo.internal\"]\npermitted_networks = [\"127.0.0.0/8\"]");
    refused(
        &sandbox,
        &["renew", "--force"],
        78,
        "zpki: error: cannot renew the CA\n  because: `other.example` of `server1` is outside the name \
         constraints (permitted_domains: demo.internal; permitted_networks: 127.0.0.0/8)\n  \
         hint: permit it in [ca] of zpki.toml, or revoke the certificate that has it\n",
    );
}

#[test]
fn renew_runs_a_command_for_each_host_folder() {
    let sandbox = Sandbox::with_demo();
    let told = ca(&sandbox, &["renew", "--force", "--exec", "true"])
        .run()
        .product();
    for name in ["load-balancer", "server1", "server2"] {
        assert!(told.contains(&format!("ran for {name}: true\n")), "{told}");
    }
}

#[test]
fn renew_opens_the_key_or_writes_nothing() {
    let sandbox = Sandbox::new();
    let encrypted = DEMO.iter().filter(|it| **it != "--no-ca-passphrase");
    let variable = "ZPKI_CA_PASSPHRASE";
    sandbox.args(encrypted).env(variable, "old").run().product();
    let before = sandbox.tree();
    ca(&sandbox, &["renew", "--force"]).run().status(64).stderr(
        "zpki: error: cannot renew the CA\n  because: the CA's private key is encrypted, and nobody can \
         be asked for its passphrase\n  hint: give it: --ca-passphrase-file FILE, or ZPKI_CA_PASSPHRASE\n",
    );
    ca(&sandbox, &["renew", "--force"])
        .env(variable, "wrong")
        .run()
        .status(77)
        .stderr_with("because: wrong passphrase or damaged file\n");
    assert_eq!(sandbox.tree().changes_since(&before, ""), [""; 0]);
    let renew = ca(&sandbox, &["renew", "--force", "-q"]);
    renew.env(variable, "old").run();
    assert_eq!(sandbox.tree().changes_since(&before, "demo").len(), 7);
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Show {
    schema: u32,
    at: String,
    changed: bool,
    directory: String,
    cluster: String,
    file: String,
    status: String,
    remaining_seconds: i64,
    certificate: Certificate,
    not_renewable: Option<String>,
    key: Key,
    trust_bundle: Vec<Above>,
    chain: Vec<Above>,
    crl: Option<Crl>,
    runway: Option<Runway>,
    live_certificates: usize,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Certificate {
    subject: String,
    issuer: String,
    common_name: Option<String>,
    serial_number: String,
    not_before: String,
    not_after: String,
    subject_alt_name: Vec<String>,
    public_key: PublicKey,
    signature_algorithm: String,
    basic_constraints: Option<BasicConstraints>,
    key_usage: Option<Vec<String>>,
    extended_key_usage: Option<Vec<String>>,
    name_constraints: Option<Vec<String>>,
    subject_key_identifier: Option<String>,
    authority_key_identifier: Option<String>,
    fingerprint: String,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PublicKey {
    algorithm: String,
    fingerprint: String,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BasicConstraints {
    ca: bool,
    path_len: Option<u32>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Key {
    file: String,
    state: String,
    encrypted: Option<bool>,
    encryption: Option<String>,
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
struct Crl {
    file: String,
    crl_number: Option<String>,
    this_update: String,
    next_update: Option<String>,
    authority_key_identifier: Option<String>,
    entries: usize,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Runway {
    until: String,
    lifetime: String,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Passphrase {
    schema: u32,
    at: String,
    changed: bool,
    passphrase: String,
    key_file: String,
    before: Option<String>,
    encrypted: bool,
    findings: Vec<Finding>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Finding {
    severity: String,
    id: String,
    about: String,
    why: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The report as JSON, read back.
fn json<R: DeserializeOwned + Serialize>(sandbox: &Sandbox, args: &[&str]) -> R {
    let run = ca(sandbox, &[args, &["--output=json"]].concat());
    let text = run.run().product();
    let parsed: R = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_value(&parsed).unwrap(), value);
    parsed
}

#[test]
fn show_tells_everything_of_the_ca_without_its_key() {
    let sandbox = Sandbox::with_demo();
    let shown = ca(&sandbox, &["show"]).run().product();
    let details = x509(&sandbox, "demo/ca/ca.cert.pem", &["-serial"]);
    let serial = details.trim().trim_start_matches("serial=").to_lowercase();
    let fields: Vec<(&str, &str)> = shown.lines().map(|line| line.split_at(24)).collect();
    let field = |name: &str| {
        let field = fields.iter().find(|(found, _)| found.trim() == name);
        field.unwrap_or_else(|| panic!("no {name} in {shown}")).1
    };
    assert!(field("subject").starts_with("O=demo,CN=demo cluster CA 2026-11-23 "));
    assert_eq!(field("serialNumber"), serial);
    assert_eq!(field("notAfter"), "2036-11-20 12:00:00 UTC (3650d)");
    assert_eq!(field("status"), "valid");
    assert_eq!(field("key algorithm"), "ecdsa-p256");
    assert_eq!(field("nameConstraints"), "none");
    assert_eq!(field("private key"), "ca/ca.key.pem (not encrypted)");
    assert!(field("trust bundle").ends_with("(until 2036-11-20 12:00:00 UTC)"));
    let number = NOW.unix_timestamp();
    assert_eq!(
        field("CRL"),
        format!(
            "ca/crl.pem: number {number}, thisUpdate 2026-11-23 11:00:00 UTC, nextUpdate \
             2027-11-23 12:00:00 UTC, revoked 0"
        )
    );
    assert_eq!(
        field("runway"),
        "until 2035-11-21 12:00:00 UTC certificates of the longest lifetime (1y) are not cut short"
    );
    assert_eq!(field("live certificates"), "3");

    // Without the key, and without what is not needed for it.
    fs::remove_file(sandbox.path("demo/ca/ca.key.pem")).unwrap();
    fs::remove_file(sandbox.path("demo/ca/crl.pem")).unwrap();
    let report: Show = json(&sandbox, &["show"]);
    assert_eq!((report.schema, report.changed), (1, false));
    assert_eq!(report.key.state, "missing");
    assert_eq!(report.key.encrypted, None);
    assert!(report.crl.is_none() && report.chain.is_empty() && report.not_renewable.is_none());
    assert_eq!(report.certificate.serial_number, serial);
    assert_eq!(report.remaining_seconds, 3650 * 86_400);
    assert_eq!(
        report.trust_bundle[0].fingerprint,
        report.certificate.fingerprint
    );
    assert_eq!(report.live_certificates, 3);
    assert_eq!(report.runway.unwrap().until, "2035-11-21T12:00:00Z");
}

#[test]
fn show_counts_what_was_renewed_and_not_what_expired() {
    let sandbox = Sandbox::with_demo();
    let renew = ["-C", "demo", "renew", "server1", "--force"];
    let later = NOW + Duration::days(100);
    sandbox.args(renew).now(later).run().product();
    let live = |days: i64| {
        let run = ca(&sandbox, &["show"]).now(NOW + Duration::days(days));
        let shown = run.run().product();
        shown
            .lines()
            .last()
            .unwrap()
            .replace("live certificates       ", "")
    };
    assert_eq!([live(100), live(365), live(465)], ["4", "1", "0"]);
}

#[test]
fn show_needs_a_ca() {
    let sandbox = Sandbox::with_demo();
    fs::remove_file(sandbox.path("demo/ca/ca.cert.pem")).unwrap();
    ca(&sandbox, &["show"])
        .run()
        .status(66)
        .stderr_with("because: there is no CA in [root]/demo\n");
}

/// demo, whose CA's key has this passphrase.
fn with_passphrase(passphrase: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let encrypted = DEMO.iter().filter(|it| **it != "--no-ca-passphrase");
    let init = sandbox
        .args(encrypted)
        .env("ZPKI_CA_PASSPHRASE", passphrase);
    init.run().product();
    for (file, text) in [
        ("old", passphrase),
        ("new", "new horse"),
        ("wrong", "wrong"),
    ] {
        sandbox.file(file, format!("{text}\n")).mode(file, 0o600);
    }
    sandbox
}

/// The public half of a private key, as openssl reads it with a passphrase.
fn public_key(sandbox: &Sandbox, file: &str, passphrase: &str) -> String {
    let passphrase = format!("pass:{passphrase}");
    let args = ["pkey", "-in", file, "-pubout", "-passin", &passphrase];
    sandbox.tool("openssl", &args)
}

const KEY: &str = "demo/ca/ca.key.pem";

#[test]
fn passphrase_changes_sets_and_removes() {
    let sandbox = with_passphrase("old horse");
    let public = public_key(&sandbox, KEY, "old horse");
    let certificate = x509(&sandbox, "demo/ca/ca.cert.pem", &["-pubkey"]);
    assert_eq!(public, certificate);
    let old = sandbox.read(KEY);
    let before = sandbox.tree();
    let change = [
        "passphrase",
        "--ca-passphrase-file=old",
        "--new-ca-passphrase-file=new",
    ];
    ca(&sandbox, &change)
        .run()
        .stdout("changed the passphrase of [root]/demo/ca/ca.key.pem\n")
        .stderr(
            "note: [root]/demo/ca/ca.key.pem: copies of it, such as backups, still open with the old \
             passphrase\n",
        );
    let changes = ["~ ca/ca.key.pem", "~ ca/log.jsonl"];
    assert_eq!(sandbox.tree().changes_since(&before, "demo"), changes);
    assert_eq!(public_key(&sandbox, KEY, "new horse"), public);
    assert!(
        sandbox
            .read(KEY)
            .starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    );
    assert!(!sandbox.tree().modes("demo/ca").contains("0644 ca.key.pem"));
    // The same again is encrypted again.
    let again = [
        "passphrase",
        "--ca-passphrase-file=new",
        "--new-ca-passphrase-file=new",
    ];
    let once = sandbox.read(KEY);
    let report: Passphrase = json(&sandbox, &again);
    assert!(report.changed && report.passphrase == "changed" && report.encrypted);
    assert_eq!(
        report.before.as_deref(),
        Some("PBES2, AES-256-CBC, PBKDF2-SHA256, 600000 iterations")
    );
    assert_ne!(sandbox.read(KEY), once);
    let remove = [
        "passphrase",
        "--ca-passphrase-file=new",
        "--no-ca-passphrase",
    ];
    ca(&sandbox, &remove)
        .run()
        .stdout("took the passphrase of [root]/demo/ca/ca.key.pem away\n")
        .stderr_with("warning: [root]/demo/ca/ca.key.pem: whoever reads it can issue certificates");
    assert_eq!(public_key(&sandbox, KEY, ""), public);
    let before = sandbox.tree();
    ca(&sandbox, &["passphrase", "--no-ca-passphrase"])
        .run()
        .stdout("unchanged\n");
    assert_eq!(sandbox.tree().changes_since(&before, ""), [""; 0]);
    let set = ["passphrase", "--new-ca-passphrase-file=-"];
    ca(&sandbox, &set)
        .stdin("new horse\n")
        .run()
        .stdout("set a passphrase for [root]/demo/ca/ca.key.pem\n")
        .stderr_with("still open without a passphrase");
    assert_eq!(public_key(&sandbox, KEY, "new horse"), public);
    // Neither a passphrase nor what it encrypted before is left anywhere.
    let log = sandbox.read("demo/ca/log.jsonl");
    let reasons: Vec<&str> = log
        .lines()
        .filter(|line| line.contains(r#""action":"ca-passphrase""#))
        .map(|line| line.rsplit_once(r#""reason":"#).unwrap().1)
        .collect();
    assert_eq!(
        reasons,
        [
            r#""changed"}"#,
            r#""changed"}"#,
            r#""removed"}"#,
            r#""set"}"#
        ]
    );
    let body = old.lines().nth(1).unwrap();
    for text in [body, "horse"] {
        let grep = Command::new("grep")
            .args(["-rqF", text])
            .arg(sandbox.path("demo"))
            .status();
        assert_eq!(grep.unwrap().code(), Some(1), "{text}");
    }
    let renew = ca(&sandbox, &["renew", "--force", "--ca-passphrase-file=new"]);
    renew.run().product();
}

#[test]
fn passphrase_turns_old_encryption_into_the_usual_one() {
    let sandbox = Sandbox::with_demo();
    let plain = sandbox.read(KEY);
    sandbox
        .file("plain", plain)
        .file("new", "new horse\n")
        .mode("new", 0o600);
    let public = public_key(&sandbox, KEY, "");
    for (how, scheme) in [
        (
            &["ec", "-aes256", "-passout", "pass:old"][..],
            "Proc-Type 4, AES-256-CBC",
        ),
        (&["ec"], ""),
        (
            &[
                "pkcs8", "-topk8", "-v2", "des3", "-iter", "1", "-passout", "pass:old",
            ],
            "PBES2, DES-EDE3-CBC",
        ),
    ] {
        let args = [how, &["-in", "plain", "-out", KEY]].concat();
        sandbox.tool("openssl", &args);
        let args = [
            "passphrase",
            "--new-ca-passphrase-file=new",
            "--output=json",
        ];
        let run = ca(&sandbox, &args).env("ZPKI_CA_PASSPHRASE", "old");
        let report: Passphrase = serde_json::from_str(&run.run().product()).unwrap();
        let before = report.before.unwrap_or_default();
        assert!(
            report.changed && before.starts_with(scheme),
            "{how:?}: {before}"
        );
        assert_eq!(public_key(&sandbox, KEY, "new horse"), public);
        let shown: Show = json(&sandbox, &["show"]);
        let encryption = shown.key.encryption.unwrap();
        assert_eq!(
            encryption,
            "PBES2, AES-256-CBC, PBKDF2-SHA256, 600000 iterations"
        );
    }
}

#[test]
fn passphrase_changes_a_key_that_is_kept_elsewhere() {
    let sandbox = with_passphrase("old horse");
    let public = public_key(&sandbox, KEY, "old horse");
    let vault = sandbox.path("vault");
    fs::create_dir(&vault).unwrap();
    fs::rename(sandbox.path(KEY), vault.join("key.pem")).unwrap();
    sandbox.mode("vault/key.pem", 0o400);
    let before = sandbox.tree();
    let change = [
        "passphrase",
        "--ca-passphrase-file=old",
        "--new-ca-passphrase-file=new",
        "-q",
    ];
    ca(
        &sandbox,
        &[&change[..], &["--ca-key=vault/key.pem"]].concat(),
    )
    .run();
    let after = sandbox.tree();
    assert_eq!(after.changes_since(&before, "demo"), ["~ ca/log.jsonl"]);
    assert_eq!(after.changes_since(&before, "vault"), ["~ key.pem"]);
    assert_eq!(sandbox.tree().modes("vault"), "0755 /\n0400 key.pem\n");
    assert_eq!(public_key(&sandbox, "vault/key.pem", "new horse"), public);
    let text = sandbox.read("demo/zpki.toml");
    let key_file = format!("[ca]\nkey_file = \"{}\"\n", vault.join("key.pem").display());
    sandbox.file("demo/zpki.toml", text.replace("[ca]\n", &key_file));
    let back = [
        "passphrase",
        "--ca-passphrase-file=new",
        "--new-ca-passphrase-file=old",
        "-q",
    ];
    ca(&sandbox, &back).run();
    assert_eq!(public_key(&sandbox, "vault/key.pem", "old horse"), public);
    assert_eq!(sandbox.tree().modes("vault"), "0755 /\n0400 key.pem\n");
}

/// What would fail only after the key was replaced is found out before.
#[test]
fn passphrase_leaves_a_key_elsewhere_when_the_log_cannot_be_written() {
    let sandbox = with_passphrase("old horse");
    fs::create_dir(sandbox.path("vault")).unwrap();
    fs::rename(sandbox.path(KEY), sandbox.path("vault/key.pem")).unwrap();
    let log = sandbox.path("demo/ca/log.jsonl");
    fs::remove_file(&log).unwrap();
    std::os::unix::fs::symlink("nowhere", &log).unwrap();
    refused(
        &sandbox,
        &[
            "passphrase",
            "--ca-key=vault/key.pem",
            "--ca-passphrase-file=old",
            "--new-ca-passphrase-file=new",
        ],
        73,
        "zpki: error: cannot change the passphrase of the CA's private key\n  because: \
         `[root]/demo/ca/log.jsonl` is a symbolic link to something that does not exist\n  hint: \
         remove the link, or make what it points to\n",
    );
    assert_eq!(sandbox.tree().modes("vault"), "0755 /\n0600 key.pem\n");
    public_key(&sandbox, "vault/key.pem", "old horse");
}

#[test]
fn passphrase_is_refused_with_nothing_written() {
    let sandbox = with_passphrase("old horse");
    let cannot = "zpki: error: cannot change the passphrase of the CA's private key\n";
    let old = "--ca-passphrase-file=old";
    let new = "--new-ca-passphrase-file=new";
    refused(
        &sandbox,
        &["passphrase", "--ca-passphrase-file=wrong", new],
        77,
        &format!(
            "{cannot}  at: [root]/demo/ca/ca.key.pem\n  because: wrong passphrase or damaged file\n  \
             hint: try the passphrase with `openssl pkey -in FILE -noout`\n"
        ),
    );
    refused(
        &sandbox,
        &["passphrase", new],
        64,
        &format!(
            "{cannot}  because: the CA's private key is encrypted, and nobody can be asked for its \
             passphrase\n  hint: give it: --ca-passphrase-file FILE, or ZPKI_CA_PASSPHRASE\n"
        ),
    );
    refused(
        &sandbox,
        &["passphrase", old],
        64,
        &format!(
            "{cannot}  because: the new passphrase was not given, and nobody can be asked for it\n  \
             hint: give it: --new-ca-passphrase-file FILE; or --no-ca-passphrase for a key that is not \
             encrypted\n"
        ),
    );
    refused(
        &sandbox,
        &[
            "passphrase",
            "--ca-passphrase-file=-",
            "--new-ca-passphrase-file=-",
        ],
        64,
        &format!(
            "{cannot}  because: standard input is given twice: two passphrases\n  hint: give one\n"
        ),
    );
    sandbox.file("empty", "\n").mode("empty", 0o600);
    refused(
        &sandbox,
        &["passphrase", old, "--new-ca-passphrase-file=empty"],
        64,
        &format!(
            "{cannot}  because: the passphrase from `empty` is empty\n  hint: put the passphrase on the \
             first line; for a key without one, `init` has --no-ca-passphrase\n"
        ),
    );
    // Another CA's key is not taken for this one's.
    sandbox.tool(
        "openssl",
        &["genpkey", "-algorithm", "ed25519", "-out", "other.pem"],
    );
    let other = ["passphrase", new, "--ca-key=other.pem"];
    let before = sandbox.tree();
    ca(&sandbox, &other).run().status(74).stderr_with(
        "the private key does not belong to the certificate of `O=demo,CN=demo cluster CA",
    );
    assert_eq!(sandbox.tree().changes_since(&before, ""), [""; 0]);
}
