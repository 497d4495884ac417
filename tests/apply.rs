//! `plan`, `apply`, `renew` and `rekey`: what is to be done, done once, and nothing else.

use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use crate::sandbox::{DEMO, NOW, Sandbox};

/// What `plan` prints for `demo`, whose exit status is 0.
fn plan(sandbox: &Sandbox) -> String {
    plan_at(sandbox, NOW)
}

fn plan_at(sandbox: &Sandbox, now: OffsetDateTime) -> String {
    sandbox
        .args(["-C", "demo", "plan"])
        .now(now)
        .run()
        .product()
}

fn apply_at(sandbox: &Sandbox, now: OffsetDateTime) -> String {
    sandbox
        .args(["-C", "demo", "apply"])
        .now(now)
        .run()
        .product()
}

/// The lines of a plan, each with one space between its columns; without its heading and its diffs.
fn actions(plan: &str) -> Vec<String> {
    let lines = plan.lines().skip(1).take_while(|line| !line.is_empty());
    lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// Replaces `old` in demo's zpki.toml, which must have it.
fn edit(sandbox: &Sandbox, old: &str, new: &str) {
    let text = sandbox.read("demo/zpki.toml");
    assert!(text.contains(old), "{text}");
    sandbox.file("demo/zpki.toml", text.replace(old, new));
}

/// What `apply` changed, when `change` was made before; that a second run changes nothing, byte for
/// byte, is held too.
fn applied(sandbox: &Sandbox, now: OffsetDateTime) -> Vec<String> {
    let before = sandbox.tree();
    apply_at(sandbox, now);
    let after = sandbox.tree();
    sandbox
        .args(["-C", "demo", "apply"])
        .now(now)
        .run()
        .stdout("unchanged\n");
    assert_eq!(format!("{:?}", sandbox.tree()), format!("{after:?}"));
    assert_eq!(plan_at(sandbox, now), "nothing to do\n");
    after.changes_since(&before, "demo")
}

#[test]
fn nothing_is_to_be_done_after_init_whatever_the_settings() {
    for more in [
        &[][..],
        &[
            "--key-algorithm",
            "ed25519",
            "--ca-key-algorithm",
            "ecdsa-p384",
        ],
        &[
            "--permitted-domain",
            "demo.internal",
            "--permitted-network",
            "127.0.0.0/8",
        ],
        &[
            "--lifetime",
            "7d",
            "--ca-lifetime",
            "30d",
            "--no-verifyhost",
        ],
    ] {
        let sandbox = Sandbox::new();
        sandbox.args(DEMO.iter().chain(more)).run().product();
        let before = sandbox.tree();
        assert_eq!(plan(&sandbox), "nothing to do\n", "{more:?}");
        assert_eq!(format!("{:?}", sandbox.tree()), format!("{before:?}"));
        sandbox
            .args(["-C", "demo", "apply", "--exit-code"])
            .run()
            .stdout("unchanged\n");
        assert_eq!(format!("{:?}", sandbox.tree()), format!("{before:?}"));
    }
}

#[test]
fn a_new_entry_gets_a_key_and_a_certificate() {
    let sandbox = Sandbox::with_demo();
    let text = sandbox.read("demo/zpki.toml")
        + "\n[[servers]]\nname = \"server3\"\naddress = \"127.0.0.1:17012\"\n";
    sandbox.file("demo/zpki.toml", text);
    assert_eq!(
        actions(&plan(&sandbox)),
        [
            "issue server3 new entry",
            "write load-balancer/haproxy.cfg differs"
        ]
    );
    assert_eq!(
        applied(&sandbox, NOW),
        [
            "+ ca/issued/server3",
            "+ ca/issued/server3/[serial].pem",
            "~ ca/log.jsonl",
            "~ load-balancer/haproxy.cfg",
            "+ servers/server3",
            "+ servers/server3/server.conf",
            "+ servers/server3/zato-server-ca-certs.pem",
            "+ servers/server3/zato-server-cert.pem",
            "+ servers/server3/zato-server-priv-key.pem",
            "+ servers/server3/zato-server-pub-key.pem",
        ]
    );
    let modes = sandbox.tree().modes("demo/servers/server3");
    assert_eq!(
        modes,
        "0700 /\n0644 server.conf\n0644 zato-server-ca-certs.pem\n0644 zato-server-cert.pem\n\
         0600 zato-server-priv-key.pem\n0644 zato-server-pub-key.pem\n"
    );
    sandbox.args(["-C", "demo", "check"]).run().product();
}

#[test]
fn what_a_client_is_issued_goes_where_its_owner_knows() {
    let sandbox = Sandbox::with_demo();
    let text = sandbox.read("demo/zpki.toml");
    sandbox.file("demo/zpki.toml", text + "\n[[clients]]\nname = \"cron\"\n");
    let applied = apply_at(&sandbox, NOW);
    let (_, next) = applied.split_once("\nnext:\n").unwrap();
    let copy = format!(
        "  1. copy the PEM files of cron to where they are read\n       \
         rsync -pog --chown=zato:zato {}/*.pem HOST:DIRECTORY/\n",
        sandbox.path("demo/clients/cron").display()
    );
    assert_eq!(next, copy);
}

#[test]
fn a_name_that_is_added_or_removed_changes_one_file() {
    let sandbox = Sandbox::with_demo();
    let key = sandbox.read("demo/servers/server1/zato-server-priv-key.pem");
    edit(
        &sandbox,
        r#"hosts = ["server1.demo.internal", "127.0.0.1"]"#,
        r#"hosts = ["server1.demo.internal", "10.0.0.1"]"#,
    );
    assert_eq!(
        actions(&plan(&sandbox)),
        ["renew server1 name added: 10.0.0.1; name removed: 127.0.0.1"]
    );
    assert_eq!(
        applied(&sandbox, NOW),
        [
            "+ ca/issued/server1/[serial].pem",
            "~ ca/log.jsonl",
            "~ servers/server1/zato-server-cert.pem",
        ]
    );
    assert_eq!(
        sandbox.read("demo/servers/server1/zato-server-priv-key.pem"),
        key
    );
    let text = sandbox.tool(
        "openssl",
        &[
            "x509",
            "-in",
            "demo/servers/server1/zato-server-cert.pem",
            "-noout",
            "-ext",
            "subjectAltName",
        ],
    );
    assert!(
        text.contains("DNS:server1.demo.internal, IP Address:10.0.0.1"),
        "{text}"
    );
}

#[test]
fn another_key_algorithm_takes_a_new_key() {
    let sandbox = Sandbox::with_demo();
    edit(
        &sandbox,
        "address = \"127.0.0.1:17011\"",
        "address = \"127.0.0.1:17011\"\nkey_algorithm = \"ed25519\"",
    );
    assert_eq!(
        actions(&plan(&sandbox)),
        ["rekey server2 key algorithm changed: ecdsa-p256 to ed25519"]
    );
    assert_eq!(
        applied(&sandbox, NOW),
        [
            "+ ca/issued/server2/[serial].pem",
            "~ ca/log.jsonl",
            "~ servers/server2/zato-server-cert.pem",
            "~ servers/server2/zato-server-priv-key.pem",
            "~ servers/server2/zato-server-pub-key.pem",
        ]
    );
    sandbox.args(["-C", "demo", "check"]).run().product();
}

#[test]
fn a_certificate_is_due_from_one_instant_on() {
    let sandbox = Sandbox::with_demo();
    // 33 % of the lifetime, which begins an hour before.
    let lifetime = Duration::days(365) + Duration::HOUR;
    let window = Duration::seconds((lifetime.whole_seconds() * 33 + 99) / 100);
    let due = NOW + Duration::days(365) - window;
    assert_eq!(plan_at(&sandbox, due - Duration::SECOND), "nothing to do\n");
    assert_eq!(plan_at(&sandbox, due), "nothing to do\n");
    let why = "remaining 120 of 365 days, due below 121";
    assert_eq!(
        actions(&plan_at(&sandbox, due + Duration::SECOND)),
        [
            format!("sign-crl ca/crl.pem {why}"),
            format!("renew load-balancer {why}"),
            format!("renew server1 {why}"),
            format!("renew server2 {why}"),
        ]
    );
    let changes = applied(&sandbox, due + Duration::SECOND);
    assert_eq!(
        changes,
        [
            "~ ca/crl.pem",
            "+ ca/issued/load-balancer/[serial].pem",
            "+ ca/issued/server1/[serial].pem",
            "+ ca/issued/server2/[serial].pem",
            "~ ca/log.jsonl",
            "~ load-balancer/key-cert.pem",
            "~ servers/server1/zato-server-cert.pem",
            "~ servers/server2/zato-server-cert.pem",
        ]
    );
}

#[test]
fn a_file_that_is_missing_comes_back_without_the_ca_key() {
    let sandbox = Sandbox::with_demo();
    let before = sandbox.tree();
    for file in [
        "servers/server1/zato-server-cert.pem",
        "servers/server1/zato-server-pub-key.pem",
        "servers/server2/server.conf",
        "load-balancer/ca.cert.pem",
        "load-balancer/haproxy.cfg",
        "ca/ca-file.pem",
    ] {
        std::fs::remove_file(sandbox.path("demo").join(file)).unwrap();
    }
    let key = sandbox.path("demo/ca/ca.key.pem");
    std::fs::rename(&key, sandbox.path("ca.key.pem")).unwrap();
    assert_eq!(
        actions(&plan(&sandbox)),
        [
            "restore server1 certificate missing",
            "write load-balancer/ca.cert.pem file missing",
            "write load-balancer/haproxy.cfg file missing",
            "write servers/server1/zato-server-pub-key.pem file missing",
            "write servers/server2/server.conf file missing",
            "write ca/ca-file.pem file missing",
        ]
    );
    applied(&sandbox, NOW);
    std::fs::rename(sandbox.path("ca.key.pem"), &key).unwrap();
    assert_eq!(sandbox.tree().changes_since(&before, "demo"), [""; 0]);
}

/// Changes one octet in the middle of the signature of a PEM file's first certificate.
fn alter(sandbox: &Sandbox, path: &str) {
    let text = sandbox.read(path);
    let block = pem::parse(&text).unwrap();
    let mut der = block.contents().to_vec();
    let last = der.len() - 3;
    der[last] ^= 1;
    let line_ending = pem::LineEnding::LF;
    let config = pem::EncodeConfig::new().set_line_ending(line_ending);
    sandbox.file(
        path,
        pem::encode_config(&pem::Pem::new("CERTIFICATE", der), config),
    );
}

#[test]
fn a_certificate_of_which_one_octet_is_another_is_put_back() {
    let sandbox = Sandbox::with_demo();
    let before = sandbox.tree();
    let path = "demo/servers/server1/zato-server-cert.pem";
    alter(&sandbox, path);
    sandbox
        .mode("demo/servers/server1", 0o700)
        .mode("demo/servers", 0o755);
    let why = "certificate unusable: it is not as the CA signed it";
    assert_eq!(
        actions(&plan(&sandbox))[0],
        format!("restore server1 {why}")
    );
    applied(&sandbox, NOW);
    assert_eq!(sandbox.tree().changes_since(&before, "demo"), [""; 0]);

    // What was altered in the inventory is not put back, and does not make what is right wrong.
    let issued = std::fs::read_dir(sandbox.path("demo/ca/issued/server1")).unwrap();
    let issued = issued.last().unwrap().unwrap().file_name();
    let issued = format!("demo/ca/issued/server1/{}", issued.to_str().unwrap());
    alter(&sandbox, &issued);
    assert_eq!(plan(&sandbox), "nothing to do\n");
    std::fs::remove_file(sandbox.path(path)).unwrap();
    assert_eq!(
        actions(&plan(&sandbox)),
        ["renew server1 certificate missing"]
    );
    applied(&sandbox, NOW);
    sandbox.args(["-C", "demo", "check"]).run().status_alone();
}

#[test]
fn a_crl_that_is_due_with_its_ca_is_signed_for_the_renewed_one() {
    let sandbox = Sandbox::new();
    let more = ["--lifetime", "7d", "--ca-lifetime", "30d"];
    sandbox.args(DEMO.iter().chain(&more)).run().product();
    let now = NOW + Duration::days(29);
    sandbox
        .args(["-C", "demo", "apply", "--force"])
        .now(now)
        .run()
        .product();
    assert_eq!(plan_at(&sandbox, now), "nothing to do\n");
    let crl = sandbox.tool(
        "openssl",
        &["crl", "-in", "demo/ca/crl.pem", "-noout", "-nextupdate"],
    );
    assert_eq!(crl, "nextUpdate=Jan 21 12:00:00 2027 GMT\n");
}

#[test]
fn what_was_edited_by_hand_is_shown_before_it_is_replaced() {
    let sandbox = Sandbox::with_demo();
    let before = sandbox.tree();
    let conf = sandbox.read("demo/servers/server1/server.conf");
    sandbox.file(
        "demo/servers/server1/server.conf",
        conf.replace("use_tls=True", "use_tls=False"),
    );
    sandbox.file("demo/servers/server1/notes.txt", "mine");
    sandbox.mode("demo/servers/server1", 0o700);
    sandbox.mode("demo/servers", 0o755);
    let plan = plan(&sandbox);
    assert_eq!(
        actions(&plan),
        ["write servers/server1/server.conf differs"]
    );
    assert!(
        plan.contains("\n  -use_tls=False\n  +use_tls=True\n"),
        "{plan}"
    );
    let changes = applied(&sandbox, NOW);
    assert_eq!(changes, ["~ servers/server1/server.conf"]);
    // What zpki did not write stays.
    assert_eq!(
        sandbox.tree().changes_since(&before, "demo"),
        ["+ servers/server1/notes.txt"]
    );
}

#[test]
fn a_private_key_never_stands_in_a_diff() {
    let sandbox = Sandbox::with_demo();
    let path = "demo/load-balancer/key-cert.pem";
    let text = sandbox.read(path);
    sandbox
        .file(path, format!("# by hand\n{text}"))
        .mode(path, 0o600);
    let plan = sandbox
        .args(["-C", "demo", "plan", "--output", "json"])
        .run()
        .product();
    let body = text.lines().nth(1).unwrap();
    assert!(
        plan.contains(r#""path": "load-balancer/key-cert.pem""#),
        "{plan}"
    );
    assert!(!plan.contains(body) && !plan.contains("\"diff\""), "{plan}");
}

#[test]
fn a_wrong_mode_is_put_right_and_nothing_is_rewritten() {
    let sandbox = Sandbox::with_demo();
    let before = sandbox.tree();
    let key = "demo/servers/server1/zato-server-priv-key.pem";
    sandbox.mode(key, 0o644);
    sandbox.mode("demo/load-balancer", 0o755);
    let written = std::fs::metadata(sandbox.path(key))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(
        actions(&plan(&sandbox)),
        [
            "set-mode load-balancer mode 0755, not 0700",
            "set-mode servers/server1/zato-server-priv-key.pem mode 0644, not 0600",
        ]
    );
    applied(&sandbox, NOW);
    assert_eq!(sandbox.tree().changes_since(&before, "demo"), [""; 0]);
    let after = std::fs::metadata(sandbox.path(key))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(written, after);
}

#[test]
fn an_entry_that_is_removed_goes_to_retired_with_its_key() {
    let sandbox = Sandbox::with_demo();
    let key = sandbox.read("demo/servers/server2/zato-server-priv-key.pem");
    let text = sandbox.read("demo/zpki.toml");
    let (before, after) = text.split_once("[[servers]]\nname = \"server2\"").unwrap();
    let (_, after) = after.split_once("\n\n").unwrap();
    sandbox.file("demo/zpki.toml", format!("{before}{after}"));
    sandbox
        .args(["-C", "demo", "plan"])
        .run()
        .stderr("note: server2: its certificate stays valid until it expires or is revoked: zpki revoke server2\n")
        .answer();
    let changes = applied(&sandbox, NOW);
    assert_eq!(
        changes,
        [
            "~ ca/log.jsonl",
            "~ load-balancer/haproxy.cfg",
            "+ retired",
            "+ retired/server2-[serial]",
            "+ retired/server2-[serial]/server.conf",
            "+ retired/server2-[serial]/zato-server-ca-certs.pem",
            "+ retired/server2-[serial]/zato-server-cert.pem",
            "+ retired/server2-[serial]/zato-server-priv-key.pem",
            "+ retired/server2-[serial]/zato-server-pub-key.pem",
            "- servers/server2",
            "- servers/server2/server.conf",
            "- servers/server2/zato-server-ca-certs.pem",
            "- servers/server2/zato-server-cert.pem",
            "- servers/server2/zato-server-priv-key.pem",
            "- servers/server2/zato-server-pub-key.pem",
        ]
    );
    let retired = std::fs::read_dir(sandbox.path("demo/retired")).unwrap();
    let folder = retired.map(|entry| entry.unwrap().path()).next().unwrap();
    let kept = std::fs::read_to_string(folder.join("zato-server-priv-key.pem")).unwrap();
    assert_eq!(kept, key);
    let modes = sandbox.tree().modes("demo/retired");
    assert!(
        modes.starts_with("0700 /\n0700 server2-[serial]/\n"),
        "{modes}"
    );
}

#[test]
fn only_what_is_named_is_looked_at() {
    let sandbox = Sandbox::with_demo();
    edit(&sandbox, r#""127.0.0.1"]"#, r#""10.0.0.1"]"#);
    std::fs::remove_file(sandbox.path("demo/load-balancer/haproxy.cfg")).unwrap();
    let before = sandbox.tree();
    sandbox
        .args(["-C", "demo", "apply", "--only", "server1"])
        .run()
        .product();
    assert_eq!(
        sandbox.tree().changes_since(&before, "demo"),
        [
            "+ ca/issued/server1/[serial].pem",
            "~ ca/log.jsonl",
            "~ servers/server1/zato-server-cert.pem",
        ]
    );
    sandbox
        .args(["-C", "demo", "apply", "--only", "server7"])
        .run()
        .status(66)
        .stderr(
            "zpki: error: cannot apply zpki.toml\n  because: zpki.toml has no entry `server7`\n  \
             hint: did you mean `server2`?  `zpki list` shows the entries\n",
        );
}

#[test]
fn what_zpki_toml_does_not_name_is_renewed_by_who_issued_it() {
    let sandbox = Sandbox::with_demo();
    sandbox
        .args(["-C", "demo", "renew", "ca"])
        .run()
        .status(66)
        .stderr_with("hint: the CA has a command of its own: zpki ca renew\n");
    let issue = [
        "issue",
        "agent",
        "--role",
        "client",
        "--host",
        "agent.demo.internal",
    ];
    sandbox
        .args(["-C", "demo"].iter().chain(&issue))
        .run()
        .product();
    let before = sandbox.tree();
    for command in [
        &["renew", "agent"][..],
        &["rekey", "agent"],
        &["apply", "--only", "agent"],
    ] {
        sandbox.args(["-C", "demo"].iter().chain(command)).run().status(66).stderr_with(
            "\
  because: zpki.toml has no entry `agent`
  hint: its certificates are renewed by issuing another (zpki issue agent), or by adding it to zpki.toml; `zpki show agent` shows the newest
",
        );
    }
    assert_eq!(sandbox.tree().changes_since(&before, "demo"), [""; 0]);
}

#[test]
fn a_key_that_is_lost_or_damaged_is_made_anew() {
    let sandbox = Sandbox::with_demo();
    std::fs::remove_file(sandbox.path("demo/servers/server1/zato-server-priv-key.pem")).unwrap();
    let damaged = "demo/servers/server2/zato-server-priv-key.pem";
    sandbox.file(damaged, "nothing").mode(damaged, 0o600);
    sandbox
        .mode("demo/servers/server2", 0o700)
        .mode("demo/servers", 0o755);
    assert_eq!(
        actions(&plan(&sandbox)),
        [
            "rekey server1 private key missing",
            "rekey server2 private key unusable: there is none in the file",
        ]
    );
    // `renew` keeps keys, and so cannot help.
    let before = sandbox.tree();
    sandbox
        .args(["-C", "demo", "renew", "server1"])
        .run()
        .status(73)
        .stderr(
            "zpki: error: cannot renew the certificates\n  because: the key of `server1` cannot be kept: \
             private key missing\n  hint: give it a new key: zpki rekey server1\n",
        );
    assert_eq!(sandbox.tree().changes_since(&before, "demo"), [""; 0]);
    applied(&sandbox, NOW);
    sandbox.args(["-C", "demo", "check"]).run().product();
}

#[test]
fn renew_makes_one_file_new_and_rekey_the_key_too() {
    let sandbox = Sandbox::with_demo();
    for command in ["renew", "rekey"] {
        for names in [&["server1"][..], &["--all"], &[]] {
            sandbox
                .args(["-C", "demo", command].iter().chain(names))
                .run()
                .stdout("unchanged\n");
        }
    }
    let before = sandbox.tree();
    sandbox
        .args(["-C", "demo", "renew", "server1", "--force"])
        .run()
        .product();
    let renewed = sandbox.tree();
    assert_eq!(
        renewed.changes_since(&before, "demo"),
        [
            "+ ca/issued/server1/[serial].pem",
            "~ ca/log.jsonl",
            "~ servers/server1/zato-server-cert.pem",
        ]
    );
    sandbox
        .args(["-C", "demo", "rekey", "--all", "--force", "--exit-code"])
        .run()
        .status(10)
        .stdout_with("rekey  load-balancer");
    assert_eq!(
        sandbox.tree().changes_since(&renewed, "demo"),
        [
            "+ ca/issued/load-balancer/[serial].pem",
            "+ ca/issued/server1/[serial].pem",
            "+ ca/issued/server2/[serial].pem",
            "~ ca/log.jsonl",
            "~ load-balancer/key-cert.pem",
            "~ servers/server1/zato-server-cert.pem",
            "~ servers/server1/zato-server-priv-key.pem",
            "~ servers/server1/zato-server-pub-key.pem",
            "~ servers/server2/zato-server-cert.pem",
            "~ servers/server2/zato-server-priv-key.pem",
            "~ servers/server2/zato-server-pub-key.pem",
        ]
    );
    sandbox.args(["-C", "demo", "check"]).run().product();
}

#[test]
fn the_ca_renews_itself_before_it_cuts_certificates_short() {
    let sandbox = Sandbox::with_demo();
    let leaf = sandbox.read("demo/servers/server1/zato-server-cert.pem");
    sandbox.file("leaf.pem", leaf);
    let in_nine_years = NOW + Duration::days(365 * 9);
    sandbox
        .args(["-C", "demo", "apply"])
        .now(in_nine_years)
        .run()
        .status(74)
        .stderr(
            "zpki: error: cannot apply zpki.toml\n  because: the clock cannot be believed: it says \
             2035-11-21 12:00:00 UTC: 3 of 3 certificates would have expired\n  \
             hint: set the clock, or give --force if it is right\n",
        );
    let report = sandbox
        .args(["-C", "demo", "apply", "--force"])
        .now(in_nine_years)
        .run()
        .product();
    assert!(report.contains("renew-ca  ca"), "{report}");
    assert_eq!(plan_at(&sandbox, in_nine_years), "nothing to do\n");
    // What was signed before is signed by the new certificate's key too.
    sandbox.tool(
        "openssl",
        &[
            "verify",
            "-x509_strict",
            "-no_check_time",
            "-CAfile",
            "demo/ca/ca-file.pem",
            "leaf.pem",
        ],
    );
    sandbox.tool(
        "openssl",
        &[
            "verify",
            "-x509_strict",
            "-attime",
            &in_nine_years.unix_timestamp().to_string(),
            "-CAfile",
            "demo/load-balancer/ca.cert.pem",
            "demo/servers/server1/zato-server-cert.pem",
        ],
    );
}

#[test]
fn a_clock_that_is_behind_is_not_believed() {
    let sandbox = Sandbox::with_demo();
    sandbox
        .args(["-C", "demo", "renew", "--all", "--force"])
        .now(NOW + Duration::days(30))
        .run()
        .product();
    edit(&sandbox, r#""127.0.0.1"]"#, r#""10.0.0.1"]"#);
    let before = sandbox.tree();
    sandbox
        .args(["-C", "demo", "apply"])
        .now(NOW + Duration::days(2))
        .run()
        .status(74)
        .stderr_with("and a certificate was issued that begins on 2026-12-23 11:00:00 UTC");
    assert_eq!(sandbox.tree().changes_since(&before, "demo"), [""; 0]);
}

#[test]
fn an_encrypted_ca_key_is_opened_only_to_sign() {
    let sandbox = Sandbox::new();
    let mut init: Vec<_> = DEMO.to_vec();
    init.pop();
    sandbox
        .file("passphrase", "a long one\n")
        .mode("passphrase", 0o600);
    sandbox.file("wrong", "another\n").mode("wrong", 0o600);
    init.extend(["--ca-passphrase-file", "passphrase"]);
    sandbox.args(init).run().product();
    sandbox
        .args(["-C", "demo", "apply"])
        .run()
        .stdout("unchanged\n");
    edit(&sandbox, r#""127.0.0.1"]"#, r#""10.0.0.1"]"#);
    let before = sandbox.tree();
    sandbox
        .args(["-C", "demo", "apply"])
        .run()
        .status(64)
        .stderr(
            "zpki: error: cannot apply zpki.toml\n  because: the CA's private key is encrypted, and \
             nobody can be asked for its passphrase\n  \
             hint: give it: --ca-passphrase-file FILE, or ZPKI_CA_PASSPHRASE\n",
        );
    sandbox
        .args(["-C", "demo", "apply", "--ca-passphrase-file", "wrong"])
        .run()
        .status(77)
        .stderr_with("at: [root]/demo/ca/ca.key.pem\n  because: wrong passphrase or damaged file");
    assert_eq!(sandbox.tree().changes_since(&before, "demo"), [""; 0]);
    sandbox
        .args(["-C", "demo", "apply"])
        .env("ZPKI_CA_PASSPHRASE", "a long one")
        .run()
        .product();
    assert_eq!(plan(&sandbox), "nothing to do\n");
}

#[test]
fn a_ca_key_that_was_not_moved_where_zpki_toml_has_it_is_found() {
    let sandbox = Sandbox::with_demo();
    let (told, vault) = (
        "# key_file = \"/mnt/vault/ca.key.pem\"",
        "../vault/ca.key.pem",
    );
    edit(&sandbox, told, &format!("key_file = \"{vault}\""));
    edit(&sandbox, r#""127.0.0.1"]"#, r#""10.0.0.1"]"#);
    let before = sandbox.tree();
    sandbox
        .args(["-C", "demo", "apply"])
        .run()
        .status(66)
        .stderr(
            "zpki: error: cannot apply zpki.toml\n  at: [root]/demo/../vault/ca.key.pem\n  \
         because: the CA's private key is not there\n  \
         hint: zpki.toml has it there (key_file in [ca]), and one was left behind: \
         mv -n [root]/demo/ca/ca.key.pem [root]/demo/../vault/ca.key.pem\n",
        );
    assert_eq!(sandbox.tree().changes_since(&before, "demo"), [""; 0]);
}

#[test]
fn without_the_ca_key_nothing_is_signed_and_its_place_is_said() {
    let sandbox = Sandbox::with_demo();
    let key = sandbox.path("demo/ca/ca.key.pem");
    std::fs::rename(&key, sandbox.path("elsewhere.pem")).unwrap();
    edit(&sandbox, r#""127.0.0.1"]"#, r#""10.0.0.1"]"#);
    let before = sandbox.tree();
    sandbox
        .args(["-C", "demo", "apply"])
        .run()
        .status(66)
        .stderr(
            "zpki: error: cannot apply zpki.toml\n  at: [root]/demo/ca/ca.key.pem\n  \
             because: the CA's private key is not there\n  \
             hint: say where it is: --ca-key FILE, or key_file in [ca] of zpki.toml\n",
        );
    sandbox
        .args([
            "-C",
            "demo",
            "apply",
            "--ca-key",
            "demo/servers/server1/zato-server-priv-key.pem",
        ])
        .run()
        .status(65)
        .stderr_with("because: the private key does not belong to the certificate");
    assert_eq!(sandbox.tree().changes_since(&before, "demo"), [""; 0]);
    sandbox
        .args(["-C", "demo", "apply", "--ca-key", "elsewhere.pem"])
        .run()
        .product();
    assert_eq!(plan(&sandbox), "nothing to do\n");
}

#[test]
fn a_ca_or_a_record_that_is_lost_is_never_made_anew_in_silence() {
    let sandbox = Sandbox::with_demo();
    std::fs::rename(sandbox.path("demo/ca/crl.pem"), sandbox.path("crl.pem")).unwrap();
    let before = sandbox.tree();
    for command in ["plan", "apply"] {
        sandbox
            .args(["-C", "demo", command])
            .run()
            .status(66)
            .stderr_with("because: the record of revocations is missing");
    }
    std::fs::rename(sandbox.path("crl.pem"), sandbox.path("demo/ca/crl.pem")).unwrap();
    std::fs::rename(sandbox.path("demo/ca"), sandbox.path("ca")).unwrap();
    for command in ["plan", "apply"] {
        sandbox
            .args(["-C", "demo", command])
            .run()
            .status(66)
            .stderr_with("because: there is no CA in [root]/demo");
    }
    std::fs::rename(sandbox.path("ca"), sandbox.path("demo/ca")).unwrap();
    std::fs::rename(sandbox.path("demo/ca/crl.pem"), sandbox.path("crl.pem")).unwrap();
    assert_eq!(sandbox.tree().changes_since(&before, "demo"), [""; 0]);
}

#[test]
fn a_command_follows_each_change_and_is_owed_until_it_succeeds() {
    let sandbox = Sandbox::with_demo();
    let hook = format!(
        "echo \"$ZPKI_NAME $ZPKI_FOLDER ${{ZPKI_CA_PASSPHRASE-none}}\" >> {}; test -e {}",
        sandbox.path("ran").display(),
        sandbox.path("works").display()
    );
    let apply = || sandbox.args(["-C", "demo", "renew", "server1", "--force", "--exec", &hook]);
    apply()
        .env("ZPKI_CA_PASSPHRASE", "secret")
        .run()
        .status(1)
        .stderr_with("warning: server1: its new files are in place, and the command that should follow failed (exit status: 1)")
        .stdout_with("renew  server1");
    let folder = sandbox.path("demo/servers/server1");
    assert_eq!(
        sandbox.read("ran"),
        format!("server1 {} none\n", folder.display())
    );
    let pending = sandbox.tree().modes("demo/.zpki/pending");
    assert!(pending.starts_with("0700 /\n0500 server1."), "{pending}");
    let (status, findings) = sandbox.args(["-C", "demo", "check"]).run().answer();
    assert!(
        status == 1 && findings.contains("hook-pending"),
        "{findings}"
    );
    let pending = format!(
        "warning: server1: the command that follows its last change has not succeeded yet: {hook}\n  \
         hint: `zpki apply` runs it again, until it succeeds or .zpki/pending/server1."
    );
    sandbox
        .args(["-C", "demo", "plan", "--exit-code"])
        .run()
        .stdout("nothing to do\n")
        .stderr_with(&pending.replace(&*sandbox.path("").to_string_lossy(), "[root]/"));
    // A run that has nothing to do tries it again all the same.
    sandbox.file("works", "");
    sandbox.args(["-C", "demo", "apply"]).run().stdout(
        format!("unchanged\nran for server1: {hook}\n")
            .replace(&*sandbox.path("").to_string_lossy(), "[root]/"),
    );
    assert_eq!(sandbox.tree().modes("demo/.zpki/pending"), "0700 /\n");
    sandbox
        .args(["-C", "demo", "apply"])
        .run()
        .stdout("unchanged\n");
    assert_eq!(sandbox.read("ran").lines().count(), 2);
}

/// Whatever it is: the CA's, another entry's, somebody's. What was there is replaced, for it has no business
/// there.
#[test]
fn a_key_that_was_never_this_entry_s_gets_no_certificate() {
    let sandbox = Sandbox::with_demo();
    let place = "demo/servers/server1/zato-server-priv-key.pem";
    for other in [
        "demo/ca/ca.key.pem",
        "demo/servers/server2/zato-server-priv-key.pem",
    ] {
        std::fs::copy(sandbox.path(other), sandbox.path(place)).unwrap();
        let planned = plan(&sandbox);
        assert!(
            planned.contains("rekey   server1  certificate unusable: it is for another key"),
            "{planned}"
        );
        applied(&sandbox, NOW);
        assert_ne!(sandbox.read(place), sandbox.read(other));
    }
}

#[test]
fn what_was_changed_by_hand_is_shown_as_it_is_replaced() {
    let sandbox = Sandbox::with_demo();
    let place = "demo/servers/server1/server.conf";
    let text = sandbox.read(place);
    sandbox.file(place, text.clone() + "# mine\n");
    let said = apply_at(&sandbox, NOW);
    assert!(
        said.contains("\nservers/server1/server.conf:\n") && said.contains("\n  -# mine\n"),
        "{said}"
    );
    assert_eq!(sandbox.read(place), text);
}

#[test]
fn a_wrong_ca_key_is_named() {
    let sandbox = Sandbox::with_demo();
    let before = sandbox.tree();
    let key = "demo/servers/server1/zato-server-priv-key.pem";
    sandbox
        .args(["-C", "demo", "renew", "server1", "--force", "--ca-key", key])
        .run()
        .status(65)
        .stderr_with("  at: [root]/demo/servers/server1/zato-server-priv-key.pem\n");
    assert_eq!(sandbox.tree().changes_since(&before, "demo"), [""; 0]);
}

#[test]
fn name_constraints_are_the_same_in_any_order() {
    let sandbox = Sandbox::new();
    let init = [
        "--permitted-domain",
        "a.internal",
        "--permitted-domain",
        "demo.internal",
        "--permitted-network",
        "127.0.0.0/8",
    ];
    sandbox.args(DEMO.iter().chain(&init)).run().product();
    edit(
        &sandbox,
        r#"["a.internal", "demo.internal"]"#,
        r#"["demo.internal", "a.internal"]"#,
    );
    sandbox
        .args(["-C", "demo", "plan"])
        .run()
        .stdout("nothing to do\n");
}

/// As an unset variable gives it: it would succeed, and nobody be told of anything.
#[test]
fn an_empty_command_is_none() {
    let sandbox = Sandbox::with_demo();
    let before = sandbox.tree();
    sandbox
        .args(["-C", "demo", "renew", "server1", "--force", "--exec", ""])
        .run()
        .status(64)
        .stderr_with("a value is required for `--exec <COMMAND>`");
    assert_eq!(sandbox.tree().changes_since(&before, "demo"), [""; 0]);
}

#[test]
fn a_command_that_can_never_succeed_can_be_forgotten() {
    let sandbox = Sandbox::with_demo();
    let renew = [
        "-C", "demo", "renew", "server2", "--force", "--exec", "false",
    ];
    sandbox
        .args(renew)
        .run()
        .status(1)
        .stdout_with("renew")
        .stderr_with(", or until .zpki/pending/server2.");
    // Nor is it owed for what is no more.
    sandbox
        .args(["-C", "demo", "server", "remove", "server2"])
        .run()
        .product();
    assert_eq!(sandbox.tree().modes("demo/.zpki/pending"), "0700 /\n");
}

#[test]
fn what_is_owed_for_a_server_that_becomes_a_client_does_not_block_its_next_command() {
    let sandbox = Sandbox::with_demo();
    let renew = [
        "-C", "demo", "renew", "server2", "--force", "--exec", "false",
    ];
    let failed = sandbox.args(renew).run();
    failed.status(1).stdout_with("renew").stderr_with("server2");
    let text = sandbox.read("demo/zpki.toml");
    let (before, server) = text
        .rsplit_once("[[servers]]\nname = \"server2\"\n")
        .unwrap();
    let (_, after) = server.split_once("\n\n").unwrap_or((server, ""));
    let text = format!("{before}{after}\n[[clients]]\nname = \"server2\"\n");
    sandbox.file("demo/zpki.toml", text);
    let owed = || {
        let pending = sandbox.tree().modes("demo/.zpki/pending");
        pending.lines().filter(|it| it.contains("server2.")).count()
    };
    let apply = ["-C", "demo", "apply", "--exec", "false"];
    let failed = sandbox.args(apply).run();
    failed.status(1).stdout_with("retire  server2").stderr_with(
        "server2: its new files are in place, and the command that should follow failed",
    );
    assert_eq!(owed(), 1);
}

#[test]
fn renew_says_what_it_leaves_to_rekey() {
    let sandbox = Sandbox::with_demo();
    let address = "address = \"127.0.0.1:17010\"";
    edit(
        &sandbox,
        address,
        &format!("{address}\nkey_algorithm = \"ecdsa-p384\""),
    );
    let later = NOW + Duration::days(300);
    let before = sandbox.tree();
    sandbox.args(["-C", "demo", "renew"]).now(later).run().stdout_with("load-balancer").stderr_with(
        "warning: server1: it needs a new key, and is not renewed: key algorithm changed: ecdsa-p256 to ecdsa-p384",
    );
    let changes = sandbox
        .tree()
        .changes_since(&before, "demo/servers/server1");
    assert_eq!(changes, [""; 0]);
}

#[test]
fn a_certificate_that_ends_with_the_ca_is_said_to() {
    let sandbox = Sandbox::with_demo();
    let later = NOW + Duration::days(3500);
    sandbox
        .args(["-C", "demo", "rekey", "server1", "--force"])
        .now(later)
        .run()
        .stdout_with("rekey")
        .stderr_with("warning: server1: its certificate ends with the CA, on 2036-11-20 12:00:00 UTC, before its lifetime of 1y is over\n");
}

#[test]
fn what_is_retired_takes_no_other_s_place() {
    let sandbox = Sandbox::with_demo();
    let issued = std::fs::read_dir(sandbox.path("demo/ca/issued/server2")).unwrap();
    let file = issued.last().unwrap().unwrap().file_name();
    let serial = file.to_str().unwrap().strip_suffix(".pem").unwrap();
    let taken = format!("demo/retired/server2-{serial}");
    sandbox.file(format!("{taken}/mine"), "mine");
    sandbox
        .args(["-C", "demo", "server", "remove", "server2"])
        .run()
        .product();
    assert_eq!(sandbox.read(format!("{taken}/mine")), "mine");
    assert!(
        sandbox
            .path(format!("{taken}-2/zato-server-priv-key.pem"))
            .exists()
    );
}

#[test]
fn a_command_is_owed_anew_when_its_entry_changes_while_it_runs() {
    let sandbox = Sandbox::with_demo();
    // The first one has told nobody of what the second run changes.
    let program = crate::sandbox::PROGRAM;
    let second = format!(
        "test -e once || {{ touch once; {program} -C demo rekey server1 --force -q --exec false || true; }}"
    );
    let renew = [
        "-C", "demo", "renew", "server1", "--force", "--exec", &second,
    ];
    sandbox.args(renew).run_program().product();
    let owed = sandbox.tree().modes("demo/.zpki/pending");
    assert_eq!(owed.matches("0500 server1.").count(), 1, "{owed}");
    // By the same clock as the program's.
    sandbox
        .args(["-C", "demo", "plan", "--only", "server1"])
        .run_program()
        .stdout("nothing to do\n")
        .stderr_with("has not succeeded yet: false\n");
}

#[test]
fn another_command_does_not_take_the_place_of_one_that_is_owed() {
    let sandbox = Sandbox::with_demo();
    let renew = |command: &'static str| {
        let renew = [
            "-C", "demo", "renew", "server1", "--force", "--exec", command,
        ];
        sandbox.args(renew).run()
    };
    renew("cd $ZPKI_DIR/.. && test -e works && echo first >> ran")
        .status(1)
        .stdout_with("renew")
        .stderr_with("failed");
    // The same once more is owed once.
    renew("cd $ZPKI_DIR/.. && test -e works && echo first >> ran")
        .status(1)
        .stdout_with("renew")
        .stderr_with("failed");
    sandbox.file("works", "");
    renew("cd $ZPKI_DIR/.. && echo second >> ran").product();
    let ran = sandbox.read("ran");
    let mut ran: Vec<&str> = ran.lines().collect();
    ran.sort_unstable();
    assert_eq!(ran, ["first", "second"]);
    assert_eq!(sandbox.tree().modes("demo/.zpki/pending"), "0700 /\n");
}

#[test]
fn a_command_that_another_run_has_done_too_is_done() {
    let sandbox = Sandbox::with_demo();
    let hook = "rm -f $ZPKI_DIR/.zpki/pending/$ZPKI_NAME.*";
    let renew = ["-C", "demo", "renew", "server1", "--force", "--exec", hook];
    sandbox.args(renew).run().status(0).product();
    assert_eq!(sandbox.tree().modes("demo/.zpki/pending"), "0700 /\n");
}

/// What a link leads to may be anybody's secret.
#[test]
fn a_link_in_a_host_folder_is_told_and_not_looked_into() {
    let sandbox = Sandbox::with_demo();
    sandbox.file("secret", "the other's own\n");
    let conf = sandbox.path("demo/servers/server1/server.conf");
    std::fs::remove_file(&conf).unwrap();
    std::os::unix::fs::symlink(sandbox.path("secret"), &conf).unwrap();
    let before = sandbox.tree();
    let planned = plan(&sandbox);
    let line = "write servers/server1/server.conf a symbolic link, which `apply` refuses to replace: remove it first";
    assert_eq!(actions(&planned), [line]);
    assert!(!planned.contains("own"), "{planned}");
    sandbox
        .args(["-C", "demo", "apply"])
        .run()
        .status(73)
        .stderr_with("demo/servers/server1/server.conf` is not a regular file");
    assert_eq!(sandbox.tree().changes_since(&before, "demo"), [""; 0]);
    std::fs::remove_file(&conf).unwrap();
    applied(&sandbox, NOW);
}

#[test]
fn plan_says_what_takes_effect_later() {
    let sandbox = Sandbox::with_demo();
    edit(&sandbox, "lifetime = \"1y\"", "lifetime = \"2y\"");
    let of_ca = "\n# No certificate can outlive it";
    let key = format!("key_algorithm = \"ecdsa-p256\"{of_ca}");
    edit(
        &sandbox,
        &key,
        &format!("key_algorithm = \"rsa-3072\"{of_ca}"),
    );
    let plan = |args: &[&str]| sandbox.args([&["-C", "demo", "plan"], args].concat()).run();
    plan(&[]).stdout("nothing to do\n").stderr(
        "\
note: zpki.toml: [ca] key_algorithm = \"rsa-3072\" takes effect with the next CA: the key of this one is ecdsa-p256, and a renewal keeps it
note: zpki.toml: another lifetime takes effect with the next certificate of load-balancer and 2 more
  hint: to have it now: zpki renew --all --force
",
    );
    plan(&["--only", "server1"])
        .stdout("nothing to do\n")
        .stderr_with("another lifetime takes effect with the next certificate of server1\n");
    sandbox
        .args(["-C", "demo", "renew", "--all", "--force"])
        .run()
        .product();
    edit(
        &sandbox,
        "key_algorithm = \"rsa-3072\"",
        "key_algorithm = \"ecdsa-p256\"",
    );
    plan(&[]).stdout("nothing to do\n");
}

/// No fault of zpki's: --force believed the clock.
#[test]
fn a_wrong_clock_is_named_when_force_believed_it() {
    let sandbox = Sandbox::with_demo();
    let before = sandbox.tree();
    sandbox
        .args(["-C", "demo", "renew", "--all", "--force"])
        .now(NOW - Duration::days(3000))
        .run()
        .status(74)
        .stderr_with(
            "set the clock; if it is right, the CA, or one above it, has to be renewed first",
        );
    assert_eq!(sandbox.tree().changes_since(&before, "demo"), [""; 0]);
}

#[test]
fn plan_says_since_when_a_ca_is_expired() {
    let sandbox = Sandbox::with_demo();
    let planned = sandbox
        .args(["-C", "demo", "plan", "--at", "2040-01-01"])
        .run()
        .product();
    assert!(planned.contains("expired 1137 days ago"), "{planned}");
}

#[test]
fn what_somebody_put_beside_the_host_folders_stays() {
    let sandbox = Sandbox::with_demo();
    sandbox.file("demo/servers/notes.txt", "mine");
    sandbox.file("demo/servers/old/key.pem", "mine");
    sandbox.file("demo/clients/notes.txt", "mine");
    std::os::unix::fs::symlink("server1", sandbox.path("demo/servers/link")).unwrap();
    let before = sandbox.tree();
    assert_eq!(plan(&sandbox), "nothing to do\n");
    edit(&sandbox, r#""127.0.0.1"]"#, r#""10.0.0.1"]"#);
    applied(&sandbox, NOW);
    let changes = sandbox.tree().changes_since(&before, "demo");
    let theirs = [
        "servers/notes.txt",
        "servers/old",
        "servers/link",
        "clients",
    ];
    let touched = changes
        .iter()
        .filter(|it| theirs.iter().any(|path| it[2..].starts_with(path)));
    assert_eq!(touched.count(), 0, "{changes:?}");
}

#[test]
fn the_exit_status_tells_changes_where_it_is_asked_to() {
    let sandbox = Sandbox::with_demo();
    let status = |args: &[&str]| {
        let args = ["-C", "demo"].iter().chain(args);
        sandbox.args(args).run().status_alone()
    };
    assert_eq!(status(&["plan", "--exit-code"]), 0);
    edit(&sandbox, r#""127.0.0.1"]"#, r#""10.0.0.1"]"#);
    assert_eq!(status(&["plan"]), 0);
    assert_eq!(status(&["plan", "--exit-code"]), 10);
    assert_eq!(status(&["apply", "--exit-code"]), 10);
    assert_eq!(status(&["apply", "--exit-code"]), 0);
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Plan {
    schema: u32,
    at: String,
    changed: bool,
    directory: String,
    cluster: String,
    actions: Vec<Action>,
    findings: Vec<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Applied {
    schema: u32,
    at: String,
    changed: bool,
    directory: String,
    cluster: String,
    actions: Vec<Action>,
    certificates: Vec<serde_json::Value>,
    hooks: Vec<Hook>,
    findings: Vec<serde_json::Value>,
    next_steps: Vec<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Action {
    action: String,
    name: Option<String>,
    path: Option<String>,
    reasons: Vec<Reason>,
    diff: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    id: String,
    why: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hook {
    name: String,
    command: String,
    #[expect(dead_code, reason = "it has no fixed name")]
    file: String,
    failure: Option<String>,
}

#[test]
fn the_json_says_what_was_done_and_why() {
    let sandbox = Sandbox::with_demo();
    edit(
        &sandbox,
        r#"["server1.demo.internal", "127.0.0.1"]"#,
        r#"["server1.demo.internal"]"#,
    );
    let conf = sandbox.read("demo/servers/server2/server.conf");
    sandbox.file("demo/servers/server2/server.conf", conf + "# mine\n");
    sandbox
        .mode("demo/servers/server2", 0o700)
        .mode("demo/servers", 0o755);
    let json = |args: &[&str]| {
        let args = ["-C", "demo", "--output", "json"].iter().chain(args);
        sandbox.args(args).run().product()
    };
    let plan: Plan = serde_json::from_str(&json(&["plan"])).unwrap();
    assert_eq!(
        (plan.schema, plan.changed, plan.findings.len()),
        (1, false, 0)
    );
    assert_eq!(
        (plan.at.as_str(), plan.cluster.as_str()),
        ("2026-11-23T12:00:00Z", "demo")
    );
    assert_eq!(plan.directory, sandbox.path("demo").display().to_string());
    let [renew, write] = &*plan.actions else {
        panic!("{plan:?}");
    };
    assert_eq!(
        (renew.action.as_str(), renew.name.as_deref()),
        ("renew", Some("server1"))
    );
    assert_eq!(renew.path.as_deref(), Some("servers/server1"));
    assert_eq!(renew.reasons[0].id, "host-removed");
    assert_eq!(renew.reasons[0].why, "name removed: 127.0.0.1");
    assert_eq!(
        (write.action.as_str(), write.reasons[0].id.as_str()),
        ("write", "differs")
    );
    assert!(
        write.diff.as_ref().unwrap().ends_with("-# mine\n"),
        "{write:?}"
    );
    assert!(renew.diff.is_none() && write.name.is_none());

    let applied: Applied = serde_json::from_str(&json(&["apply", "--exec", "true"])).unwrap();
    assert_eq!(
        (applied.schema, applied.changed, applied.findings.len()),
        (1, true, 0)
    );
    assert_eq!(
        (applied.at, applied.cluster, applied.directory),
        (plan.at, plan.cluster, plan.directory)
    );
    assert_eq!(applied.actions.len(), 2);
    assert_eq!(applied.certificates[0]["name"], "server1");
    assert_eq!(applied.next_steps.len(), 3);
    let hooks: Vec<_> = applied
        .hooks
        .iter()
        .map(|hook| (hook.name.as_str(), hook.command.as_str()))
        .collect();
    assert_eq!(hooks, [("server1", "true"), ("server2", "true")]);
    assert!(applied.hooks.iter().all(|hook| hook.failure.is_none()));

    let again: Applied = serde_json::from_str(&json(&["apply"])).unwrap();
    assert!(!again.changed && again.actions.is_empty() && again.certificates.is_empty());
    assert!(again.next_steps.is_empty() && again.hooks.is_empty());
}
