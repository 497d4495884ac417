//! `zpki check` in a PKI directory: each thing that can be wrong there, made wrong.

use std::fs;
use std::os::unix::fs::chown;

use serde::Deserialize;
use time::Duration;
use time::macros::datetime;
use zpki::x509::path_certificate::PathCertificate;

use crate::sandbox::{NOW, Sandbox};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Report {
    schema: u32,
    at: String,
    changed: bool,
    status: String,
    directory: String,
    cluster: String,
    entries: Vec<Entry>,
    findings: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    role: String,
    file: String,
    verdicts: Vec<Verdict>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Verdict {
    policy: String,
    purpose: String,
    decides: bool,
    outcome: String,
    hosts: Vec<String>,
    path: Vec<serde_json::Value>,
    reasons: Vec<serde_json::Value>,
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

/// What is said of `demo`, and how the run ends.
fn check(sandbox: &Sandbox, more: &[&str]) -> (i32, Report) {
    let args = ["-C", "demo", "check", "--output", "json"];
    let outcome = sandbox.args([&args, more].concat()).run();
    let (status, text) = outcome.answer();
    let report: Report =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    for finding in &report.findings {
        assert!(!finding.why.is_empty(), "{finding:?}");
        assert_eq!(
            finding.next.is_some(),
            finding.severity != "ok",
            "{finding:?}"
        );
    }
    (status, report)
}

/// The findings that are no notes, as `severity id about`, the place cut off behind the file.
fn findings(report: &Report) -> Vec<String> {
    let problems = report.findings.iter().filter(|it| it.severity != "ok");
    problems
        .map(|it| {
            let about = it.about.split(':').next().unwrap_or_default();
            format!("{} {} {about}", it.severity, it.id)
        })
        .collect()
}

/// What is said of a demo in which `change` was made; nothing else changes.
#[track_caller]
fn said(change: impl FnOnce(&Sandbox), more: &[&str], status: i32, expected: &[&str]) {
    let sandbox = Sandbox::with_demo();
    change(&sandbox);
    let before = sandbox.tree();
    let (code, report) = check(&sandbox, more);
    assert_eq!(findings(&report), expected, "{report:#?}");
    assert_eq!(code, status);
    assert_eq!(sandbox.tree(), before);
}

/// Does what a next step says, in the PKI directory or from anywhere, and asks again.
#[track_caller]
fn done(sandbox: &Sandbox, next: &str) -> Vec<String> {
    let command = next.rsplit_once(": ").map_or(next, |(_, command)| command);
    let here = sandbox.path("demo").display().to_string();
    let words: Vec<_> = command.split(' ').collect();
    match words.as_slice() {
        ["zpki", "-C", directory, command @ ..] if *directory == here => {
            let args = [&["-C", "demo"], command].concat();
            sandbox.args(args).run().product();
        }
        ["chmod" | "chown", _, path] if path.starts_with(&here) => {
            sandbox.tool(words[0], &words[1..]);
        }
        _ => panic!("{next}"),
    }
    findings(&check(sandbox, &[]).1)
}

/// The only finding that is no note.
#[track_caller]
fn only(sandbox: &Sandbox) -> (String, String) {
    let (_, report) = check(sandbox, &[]);
    let all = findings(&report);
    assert_eq!(all.len(), 1, "{report:#?}");
    let mut problems = report.findings.into_iter();
    let problem = problems.find(|it| it.severity != "ok").unwrap();
    (all[0].clone(), problem.next.unwrap())
}

/// Writes a file that is there, and changes no mode.
fn rewrite(sandbox: &Sandbox, file: &str, text: &str) {
    fs::write(sandbox.path(file), text).unwrap();
}

const CERTIFICATE_1: &str = "demo/servers/server1/zato-server-cert.pem";
const CERTIFICATE_2: &str = "demo/servers/server2/zato-server-cert.pem";

#[test]
fn a_new_cluster_is_well_in_one_line() {
    let sandbox = Sandbox::with_demo();
    sandbox
        .args(["-C", "demo", "check"])
        .run()
        .stdout("ok: [root]/demo: 3 certificates, and all that belongs to them\n");
    let (status, report) = check(&sandbox, &[]);
    assert_eq!((status, report.status.as_str()), (0, "ok"));
    assert_eq!((report.schema, report.changed), (1, false));
    assert_eq!(report.at, "2026-11-23T12:00:00Z");
    assert_eq!(report.cluster, "demo");
    assert!(report.directory.ends_with("/demo"));
    let entries = report.entries.iter();
    let shown = |entry: &Entry| format!("{} {} {}", entry.name, entry.role, entry.file);
    assert_eq!(
        entries.map(shown).collect::<Vec<_>>(),
        [
            "load-balancer load-balancer load-balancer/key-cert.pem",
            "server1 server servers/server1/zato-server-cert.pem",
            "server2 server servers/server2/zato-server-cert.pem",
        ]
    );
}

/// What `init` writes is what `check` would have written.
#[test]
fn every_kind_of_new_cluster_is_well() {
    let algorithms = ["ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048"];
    for (number, algorithm) in algorithms.into_iter().enumerate() {
        let sandbox = Sandbox::new();
        let mode = ["none", "optional", "required"][number % 3];
        sandbox.file(
            "zpki.toml",
            format!(
                "[cluster]\nname = \"demo\"\n\
                 [ca]\nkey_algorithm = \"{algorithm}\"\npermitted_domains = [\"prod.internal\"]\n\
                 [certificates]\nkey_algorithm = \"{algorithm}\"\n\
                 [load_balancer]\nclient_certificate = \"{mode}\"\nterminates_tls = true\n\
                 [revocation]\nenabled = true\n\
                 [[servers]]\nname = \"one\"\naddress = \"one.prod.internal:1\"\n\
                 [[servers]]\nname = \"two\"\naddress = \"two.prod.internal:1\"\ncalls_servers = true\n\
                 [[clients]]\nname = \"scheduler\"\n"
            ),
        );
        let args = [
            "init",
            "demo",
            "--config",
            "zpki.toml",
            "--no-ca-passphrase",
        ];
        sandbox.args(args).run().product();
        let (status, report) = check(&sandbox, &[]);
        assert_eq!((status, findings(&report)), (0, vec![]), "{algorithm}");
        assert_eq!(report.entries.len(), 4);
    }
}

#[test]
fn each_side_is_judged_as_the_other_will_see_it() {
    let sandbox = Sandbox::with_demo();
    let (_, report) = check(&sandbox, &[]);
    let shown = |verdict: &Verdict| {
        assert!(verdict.reasons.is_empty(), "{verdict:?}");
        assert_eq!(verdict.path.len(), 2);
        format!(
            "{} {} {} {} {}",
            verdict.policy,
            verdict.purpose,
            verdict.decides,
            verdict.outcome,
            verdict.hosts.join(",")
        )
    };
    let verdicts = |entry: &Entry| entry.verdicts.iter().map(shown).collect::<Vec<_>>();
    assert_eq!(
        verdicts(&report.entries[0]),
        [
            "server-client client true accepted ",
            "strict client false accepted ",
        ]
    );
    assert_eq!(
        verdicts(&report.entries[1]),
        [
            "haproxy-server server true accepted server1.demo.internal",
            "strict server false accepted server1.demo.internal",
        ]
    );
}

/// As root may have made them in the directory of somebody who could not renew there then.
#[test]
fn what_is_zpki_s_own_is_to_belong_to_the_owner_of_the_directory() {
    let give = |sandbox: &Sandbox, path: &str| {
        chown(sandbox.path(path), Some(65_534), Some(65_534)).unwrap();
    };
    let own = |sandbox: &Sandbox| {
        for path in ["demo/.zpki", "demo/.zpki/lock", "demo/.zpki/generation"] {
            give(sandbox, path);
        }
    };
    let expected = [".zpki", ".zpki/lock", ".zpki/generation"];
    let expected = expected.map(|path| format!("warning owner-differs {path}"));
    said(own, &[], 1, &expected.each_ref().map(String::as_str));
    let one = |sandbox: &Sandbox| {
        give(sandbox, "demo/.zpki/generation");
        fs::remove_file(sandbox.path("demo/.zpki/lock")).unwrap();
    };
    said(one, &[], 1, &[&expected[2]]);
    // What is owed is the user's who has to run it.
    let owed = |sandbox: &Sandbox| {
        sandbox
            .file("demo/.zpki/pending/server1", "[]")
            .mode("demo/.zpki/pending", 0o700);
        give(sandbox, "demo/.zpki/pending/server1");
    };
    said(
        owed,
        &[],
        1,
        &["warning hook-pending .zpki/pending/server1"],
    );
}

#[test]
fn the_notes_are_for_who_wants_to_know_more() {
    let sandbox = Sandbox::with_demo();
    let note = |server: &str| {
        format!(
            "note: {server}: its name stands in verifyhost {server}.demo.internal: renaming it in Zato's web console changes that too\n"
        )
    };
    sandbox
        .args(["-C", "demo", "check", "--verbose"])
        .run()
        .stdout("ok: [root]/demo: 3 certificates, and all that belongs to them\n")
        .stderr([note("server1"), note("server2")].concat());
}

#[test]
fn a_file_that_is_missing_is_told_once() {
    for (file, id) in [
        ("servers/server1/zato-server-priv-key.pem", "file-missing"),
        ("servers/server1/zato-server-cert.pem", "file-missing"),
        ("servers/server1/zato-server-ca-certs.pem", "file-missing"),
        ("load-balancer/key-cert.pem", "file-missing"),
        ("load-balancer/ca.cert.pem", "file-missing"),
        ("ca/ca.cert.pem", "file-missing"),
        ("ca/ca-file.pem", "file-missing"),
    ] {
        let remove = |sandbox: &Sandbox| {
            fs::remove_file(sandbox.path(format!("demo/{file}"))).unwrap();
        };
        said(remove, &[], 2, &[&format!("critical {id} {file}")]);
    }
}

#[test]
fn what_apply_makes_again_is_made_by_apply() {
    for file in [
        "ca/ca-file.pem",
        "load-balancer/ca.cert.pem",
        "load-balancer/key-cert.pem",
        "servers/server1/server.conf",
        "servers/server1/zato-server-ca-certs.pem",
        "servers/server1/zato-server-cert.pem",
        "servers/server1/zato-server-priv-key.pem",
        "servers/server1/zato-server-pub-key.pem",
    ] {
        let sandbox = Sandbox::with_demo();
        fs::remove_file(sandbox.path(format!("demo/{file}"))).unwrap();
        let (finding, next) = only(&sandbox);
        assert_eq!(finding, format!("critical file-missing {file}"));
        assert_eq!(done(&sandbox, &next), [""; 0], "{next}");
    }
    for (file, id) in [
        ("zato-server-ca-certs.pem", "trust-bundle-differs"),
        ("zato-server-pub-key.pem", "public-key-differs"),
    ] {
        let sandbox = Sandbox::with_demo();
        let from = file.replace("ca-certs", "cert");
        let other = sandbox.read(format!("demo/servers/server2/{from}"));
        rewrite(&sandbox, &format!("demo/servers/server1/{file}"), &other);
        let (_, report) = check(&sandbox, &[]);
        let mut findings = report.findings.into_iter();
        let next = findings.find(|it| it.id == id).unwrap().next.unwrap();
        assert_eq!(done(&sandbox, &next), [""; 0], "{next}");
    }
}

/// Takes a file of demo's away, asks what is wrong and what to do, and puts it back: then nothing is.
#[track_caller]
fn without(sandbox: &Sandbox, file: &str) -> (String, String) {
    let (place, kept) = (sandbox.path(format!("demo/{file}")), sandbox.path("kept"));
    fs::rename(&place, &kept).unwrap();
    let told = only(sandbox);
    fs::rename(&kept, &place).unwrap();
    assert_eq!(findings(&check(sandbox, &[]).1), [""; 0]);
    told
}

/// TLS needs none, and the next change begins another.
#[test]
fn a_log_that_is_gone_is_a_warning() {
    let sandbox = Sandbox::with_demo();
    let (finding, next) = without(&sandbox, "ca/log.jsonl");
    assert_eq!(finding, "warning file-missing ca/log.jsonl");
    assert_eq!(
        next,
        "restore it from a backup; the next change begins a new one"
    );
    fs::remove_file(sandbox.path("demo/ca/log.jsonl")).unwrap();
    let renew = ["-C", "demo", "renew", "server1", "--force"];
    sandbox.args(renew).run().product();
    assert_eq!(findings(&check(&sandbox, &[]).1), [""; 0]);
}

#[test]
fn a_record_of_revocations_that_is_gone_is_restored_and_not_made_again() {
    let sandbox = Sandbox::with_demo();
    let (finding, next) = without(&sandbox, "ca/crl.pem");
    assert_eq!(finding, "critical file-missing ca/crl.pem");
    let expected = "restore it from a backup: nothing else knows what was revoked";
    assert_eq!(next, expected);
}

/// A demo that has a host folder and a CA that were put away, and a command that is owed.
fn with_what_was_put_away() -> Sandbox {
    let sandbox = Sandbox::with_demo();
    let run = |args: &[&str]| {
        let args = [&["-C", "demo"], args].concat();
        sandbox.args(args).run().product();
    };
    run(&["server", "remove", "server2", "--yes"]);
    let mut other = crate::sandbox::DEMO.to_vec();
    other[1] = "other";
    sandbox.args(other).run().product();
    run(&[
        "ca",
        "import",
        "other/ca/ca.cert.pem",
        "other/ca/ca.key.pem",
        "--no-ca-passphrase",
        "--force",
    ]);
    run(&["apply"]);
    sandbox
        .file("demo/ca/log.1.jsonl", "")
        .mode("demo/ca/log.1.jsonl", 0o640)
        .file("demo/.zpki/pending/server1.1", "true")
        .mode("demo/.zpki", 0o700)
        .mode("demo/.zpki/pending", 0o700)
        .mode("demo/.zpki/pending/server1.1", 0o500);
    sandbox
}

/// The one name in a directory.
fn below(sandbox: &Sandbox, directory: &str) -> String {
    let mut names = fs::read_dir(sandbox.path(directory)).unwrap();
    let name = names.next().unwrap().unwrap().file_name();
    format!("{directory}/{}", name.to_str().unwrap())
}

#[test]
fn what_was_put_away_is_no_wider_than_what_is_in_use() {
    let sandbox = with_what_was_put_away();
    let owed = "warning hook-pending .zpki/pending/server1.1";
    assert_eq!(findings(&check(&sandbox, &[]).1), [owed]);
    let retired = below(&sandbox, "demo/retired");
    let previous = below(&sandbox, "demo/ca/previous");
    let place = |directory: &str, file: &str| format!("{directory}/{file}");
    for (path, mode, id) in [
        (
            place(&retired, "zato-server-priv-key.pem"),
            0o640,
            "secret-readable",
        ),
        (
            place(&retired, "zato-server-cert.pem"),
            0o666,
            "writable-by-others",
        ),
        (retired, 0o755, "secret-readable"),
        ("demo/retired".to_owned(), 0o775, "writable-by-others"),
        (place(&previous, "ca.key.pem"), 0o604, "secret-readable"),
        (place(&previous, "crl.pem"), 0o664, "writable-by-others"),
        (previous, 0o777, "writable-by-others"),
        ("demo/ca/previous".to_owned(), 0o770, "writable-by-others"),
        (
            "demo/ca/log.1.jsonl".to_owned(),
            0o662,
            "writable-by-others",
        ),
        (
            "demo/ca/issued/server1".to_owned(),
            0o775,
            "writable-by-others",
        ),
        ("demo/.zpki".to_owned(), 0o777, "writable-by-others"),
        ("demo/.zpki/lock".to_owned(), 0o666, "writable-by-others"),
        ("demo/.zpki/pending".to_owned(), 0o770, "secret-readable"),
    ] {
        let before = fs::metadata(sandbox.path(&path)).unwrap().permissions();
        sandbox.mode(&path, mode);
        let (_, report) = check(&sandbox, &[]);
        let about = path.strip_prefix("demo/").unwrap();
        let expected = format!("critical {id} {about}");
        assert_eq!(findings(&report), [expected.as_str(), owed]);
        let next = report.findings[0].next.as_ref().unwrap();
        assert_eq!(done(&sandbox, next), [owed], "{next}");
        fs::set_permissions(sandbox.path(&path), before).unwrap();
    }
}

#[test]
fn a_key_that_others_can_read_is_critical_in_a_folder_without_an_entry_too() {
    let sandbox = Sandbox::with_demo();
    let key = "servers/gone/zato-server-priv-key.pem";
    sandbox.file(format!("demo/{key}"), "a key");
    assert_eq!(
        findings(&check(&sandbox, &[]).1),
        [
            "critical secret-readable servers/gone",
            &format!("critical secret-readable {key}"),
            "warning unknown-entry servers/gone",
        ]
    );
}

#[test]
fn the_next_step_for_a_mode_or_an_owner_works_from_anywhere() {
    for path in [".", "ca", "ca/issued", "ca/crl.pem", "servers/server1"] {
        let sandbox = Sandbox::with_demo();
        sandbox.mode(format!("demo/{path}"), 0o777);
        let (_, next) = only(&sandbox);
        assert_eq!(done(&sandbox, &next), [""; 0], "{next}");
    }
    let sandbox = Sandbox::with_demo();
    chown(sandbox.path("demo/ca/crl.pem"), Some(65_534), None).unwrap();
    let (_, next) = only(&sandbox);
    assert_eq!(done(&sandbox, &next), [""; 0], "{next}");
}

#[test]
fn the_ca_key_may_be_elsewhere() {
    let remove = |sandbox: &Sandbox| {
        fs::remove_file(sandbox.path("demo/ca/ca.key.pem")).unwrap();
    };
    said(remove, &[], 0, &[]);
}

#[test]
fn a_key_that_others_can_read_is_critical_and_another_mode_a_warning() {
    let key = "servers/server1/zato-server-priv-key.pem";
    said(
        |sandbox| _ = sandbox.mode(format!("demo/{key}"), 0o640),
        &[],
        2,
        &[&format!("critical secret-readable {key}")],
    );
    said(
        |sandbox| _ = sandbox.mode("demo/load-balancer", 0o755),
        &[],
        2,
        &["critical secret-readable load-balancer"],
    );
    said(
        |sandbox| _ = sandbox.mode("demo/ca/ca-file.pem", 0o600),
        &[],
        1,
        &["warning mode-differs ca/ca-file.pem"],
    );
    for path in [".", "ca/ca-file.pem", "ca", "ca/issued", "servers"] {
        let mode = if path.ends_with("pem") { 0o664 } else { 0o775 };
        said(
            |sandbox| _ = sandbox.mode(format!("demo/{path}"), mode),
            &[],
            2,
            &[&format!("critical writable-by-others {path}")],
        );
    }
}

/// `init` keeps the mode of a directory that was there.
#[test]
fn a_pki_directory_may_be_closed_to_others() {
    for mode in [0o700, 0o750, 0o755] {
        said(|sandbox| _ = sandbox.mode("demo", mode), &[], 0, &[]);
    }
}

#[test]
fn the_certificate_of_another_server_breaks_every_rule_that_it_should() {
    said(
        |sandbox| rewrite(sandbox, CERTIFICATE_2, &sandbox.read(CERTIFICATE_1)),
        &[],
        2,
        &[
            "critical key-mismatch servers/server2/zato-server-priv-key.pem",
            "critical host-mismatch servers/server2/zato-server-cert.pem",
            "warning public-key-differs servers/server2/zato-server-pub-key.pem",
            "warning hosts-differ servers/server2/zato-server-cert.pem",
            "warning issued-to-another servers/server2/zato-server-cert.pem",
        ],
    );
}

#[test]
fn a_certificate_that_the_inventory_has_lost_is_not_in_it() {
    said(
        |sandbox| fs::remove_dir_all(sandbox.path("demo/ca/issued/server2")).unwrap(),
        &[],
        1,
        &["warning not-in-inventory servers/server2/zato-server-cert.pem"],
    );
}

/// What is there, and readable, and something else.
#[test]
fn a_file_that_holds_something_else_is_told() {
    let crl = |sandbox: &Sandbox| sandbox.read("demo/ca/crl.pem");
    let key = |sandbox: &Sandbox| sandbox.read("demo/servers/server2/zato-server-priv-key.pem");
    type Text = fn(&Sandbox) -> String;
    let cases: [(&str, Text, i32, &str); 9] = [
        (
            "servers/server1/zato-server-cert.pem",
            crl,
            2,
            "critical file-damaged",
        ),
        (
            "servers/server1/zato-server-ca-certs.pem",
            crl,
            2,
            "critical file-damaged",
        ),
        (
            "servers/server1/zato-server-priv-key.pem",
            crl,
            2,
            "critical key-missing",
        ),
        (
            "servers/server1/zato-server-pub-key.pem",
            key,
            1,
            "warning public-key-differs",
        ),
        ("load-balancer/ca.cert.pem", crl, 2, "critical file-damaged"),
        ("ca/ca-file.pem", crl, 2, "critical file-damaged"),
        ("ca/ca.cert.pem", crl, 2, "critical file-damaged"),
        ("ca/ca.key.pem", key, 2, "critical key-mismatch"),
        ("ca/crl.pem", |_| String::new(), 2, "critical file-damaged"),
    ];
    for (file, text, status, expected) in cases {
        said(
            |sandbox| rewrite(sandbox, &format!("demo/{file}"), &text(sandbox)),
            &[],
            status,
            &[&format!("{expected} {file}")],
        );
    }
}

#[test]
fn a_directory_in_the_place_of_a_file_is_critical() {
    let file = "servers/server1/zato-server-cert.pem";
    let replace = |sandbox: &Sandbox| {
        let path = sandbox.path(format!("demo/{file}"));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
    };
    said(replace, &[], 2, &[&format!("critical file-kind {file}")]);
}

#[test]
fn a_file_of_the_inventory_with_another_name_is_a_warning() {
    let other = format!("{}.pem", "0123456789abcdef".repeat(2));
    let rename = |sandbox: &Sandbox| {
        let directory = sandbox.path("demo/ca/issued/server1");
        let file = fs::read_dir(&directory).unwrap().next().unwrap().unwrap();
        fs::rename(file.path(), directory.join(&other)).unwrap();
    };
    let expected = format!("warning serial-differs ca/issued/server1/{other}");
    said(rename, &[], 1, &[&expected]);
}

#[test]
fn a_host_folder_that_zpki_toml_does_not_name_is_a_warning() {
    let add = |sandbox: &Sandbox| {
        fs::create_dir(sandbox.path("demo/servers/old")).unwrap();
        sandbox.mode("demo/servers/old", 0o700);
    };
    said(add, &[], 1, &["warning unknown-entry servers/old"]);
}

#[test]
fn a_foreign_ca_in_every_trust_bundle_is_a_warning() {
    let add = |sandbox: &Sandbox| {
        let mut args = crate::sandbox::DEMO.to_vec();
        args[1] = "other";
        sandbox.args(args).run().product();
        let foreign = sandbox.read("other/ca/ca.cert.pem");
        for bundle in [
            "ca/ca-file.pem",
            "load-balancer/ca.cert.pem",
            "servers/server1/zato-server-ca-certs.pem",
            "servers/server2/zato-server-ca-certs.pem",
        ] {
            let bundle = format!("demo/{bundle}");
            rewrite(sandbox, &bundle, &(sandbox.read(&bundle) + &foreign));
        }
    };
    said(add, &[], 1, &["warning foreign-anchor ca/ca-file.pem"]);
}

#[test]
fn a_damaged_certificate_is_critical() {
    let damage = |sandbox: &Sandbox| {
        let text = sandbox.read(CERTIFICATE_1);
        rewrite(sandbox, CERTIFICATE_1, &text[..text.len() / 2]);
    };
    let expected = ["critical file-damaged servers/server1/zato-server-cert.pem"];
    said(damage, &[], 2, &expected);
}

#[test]
fn what_zpki_toml_says_now_is_compared_with_what_was_issued() {
    let rename = |sandbox: &Sandbox| {
        let text = sandbox.read("demo/zpki.toml");
        let text = text.replace("\"server1.demo.internal\"", "\"one.demo.internal\"");
        sandbox.file("demo/zpki.toml", text);
    };
    let file = "servers/server1/zato-server-cert.pem";
    said(
        rename,
        &[],
        2,
        &[
            &format!("critical host-mismatch {file}"),
            &format!("warning hosts-differ {file}"),
        ],
    );
}

#[test]
fn a_purpose_that_nobody_asks_for_is_a_warning() {
    let sandbox = Sandbox::new();
    let settings =
        "[cluster]\nname = \"demo\"\n[[servers]]\nname = \"server1\"\naddress = \"10.0.0.1:1\"\n";
    sandbox.file("zpki.toml", format!("{settings}calls_servers = true\n"));
    let args = [
        "init",
        "demo",
        "--config",
        "zpki.toml",
        "--no-ca-passphrase",
    ];
    sandbox.args(args).run().product();
    sandbox.file("demo/zpki.toml", settings);
    let (status, report) = check(&sandbox, &[]);
    let expected = ["warning unasked-purpose servers/server1/zato-server-cert.pem"];
    assert_eq!(
        (status, findings(&report)),
        (1, expected.map(str::to_owned).to_vec())
    );
}

#[test]
fn a_trust_bundle_that_trusts_more_is_a_warning() {
    let add = |sandbox: &Sandbox| {
        let mut args = crate::sandbox::DEMO.to_vec();
        args[1] = "other";
        sandbox.args(args).run().product();
        let bundle = "demo/servers/server1/zato-server-ca-certs.pem";
        let both = sandbox.read(bundle) + &sandbox.read("other/ca/ca.cert.pem");
        rewrite(sandbox, bundle, &both);
    };
    let expected = ["warning trust-bundle-differs servers/server1/zato-server-ca-certs.pem"];
    said(add, &[], 1, &expected);
}

/// A server is given a newer certificate, and its host the older one again.
fn supersede(sandbox: &Sandbox) {
    let older = sandbox.read(CERTIFICATE_1);
    let renew = sandbox.args(["-C", "demo", "renew", "server1", "--force"]);
    renew.now(NOW + Duration::HOUR).run().product();
    rewrite(sandbox, CERTIFICATE_1, &older);
}

/// Half a day later, when all that was made is valid.
const LATER: [&str; 2] = ["--at", "2026-11-24T00:00:00Z"];

#[test]
fn a_newer_certificate_in_the_inventory_should_be_installed() {
    let expected = ["warning superseded servers/server1/zato-server-cert.pem"];
    said(supersede, &LATER, 1, &expected);
}

#[test]
fn a_newer_certificate_that_is_no_replacement_need_not_be_installed() {
    let revoked = |sandbox: &Sandbox| {
        supersede(sandbox);
        let revoke = ["-C", "demo", "revoke", "server1", "--superseded"];
        sandbox.args(revoke).run().product();
    };
    let by_another_ca = |sandbox: &Sandbox| {
        let mut args = crate::sandbox::DEMO.to_vec();
        args[1] = "younger";
        let later = NOW + Duration::HOUR;
        sandbox.args(args).now(later).run().product();
        let issued = fs::read_dir(sandbox.path("younger/ca/issued/server1")).unwrap();
        let file = issued.last().unwrap().unwrap();
        let name = file.file_name().into_string().unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        sandbox.file(format!("demo/ca/issued/server1/{name}"), text);
    };
    said(revoked, &LATER, 0, &[]);
    said(by_another_ca, &LATER, 0, &[]);
    for (setting, other) in [
        ("\"server1.demo.internal\"", "\"other.demo.internal\""),
        (
            "address = \"127.0.0.1:17010\"",
            "address = \"127.0.0.1:17010\"\ncalls_servers = true",
        ),
    ] {
        let restored = |sandbox: &Sandbox| {
            let settings = sandbox.read("demo/zpki.toml");
            let changed = settings.replace(setting, other);
            assert_ne!(changed, settings);
            for (settings, at) in [(changed, NOW + Duration::HOUR), (settings, NOW)] {
                rewrite(sandbox, "demo/zpki.toml", &settings);
                let apply = sandbox.args(["-C", "demo", "apply"]);
                apply.now(at).run().product();
            }
        };
        said(restored, &LATER, 0, &[]);
    }
}

#[test]
fn everything_that_ends_is_told_on_its_day() {
    let second_before = "2027-11-23T11:59:59Z";
    let at = "2027-11-23T12:00:00Z";
    said(|_| {}, &["--at", second_before], 0, &[]);
    said(
        |_| {},
        &["--at", at],
        2,
        &[
            "critical expired load-balancer/key-cert.pem",
            "critical expired servers/server1/zato-server-cert.pem",
            "critical expired servers/server2/zato-server-cert.pem",
            "warning crl-expired ca/crl.pem",
        ],
    );
}

#[test]
fn the_ca_is_to_be_replaced_before_certificates_are_cut_short() {
    let sandbox = Sandbox::with_demo();
    let runway = |at: &str| {
        let (_, report) = check(&sandbox, &["--at", at]);
        findings(&report).contains(&"warning ca-runway ca/ca.cert.pem".to_owned())
    };
    // The CA ends on 2036-11-20; 365 days and 33 % of them before that is a night in July 2035.
    assert!(!runway("2035-07-24"));
    assert!(runway("2035-07-25"));
    let (_, report) = check(&sandbox, &["--at", "2036-11-21"]);
    assert!(findings(&report).contains(&"critical ca-expired ca/ca.cert.pem".to_owned()));
}

#[test]
fn near_its_end_and_after_it_the_ca_is_renewed() {
    for (before, at, id, how, command) in [
        (
            datetime!(2035-07-24 0:00 UTC),
            datetime!(2035-07-25 0:00 UTC),
            "ca-runway",
            "renew it",
            "ca renew",
        ),
        (
            datetime!(2036-01-01 0:00 UTC),
            datetime!(2036-11-21 0:00 UTC),
            "ca-expired",
            "if the clock is right, renew it",
            "ca renew --force",
        ),
    ] {
        let sandbox = Sandbox::with_demo();
        let run = |args: &[&str], now| {
            let args = [&["-C", "demo"], args].concat();
            sandbox.args(args).now(now).run()
        };
        run(&["renew", "--all", "--force"], before).product();
        let ask = || {
            let (_, text) = run(&["check", "--output", "json"], at).answer();
            let report: Report = serde_json::from_str(&text).unwrap();
            let mut findings = report.findings.into_iter();
            findings.find(|finding| finding.id == id)
        };
        let here = sandbox.path("demo");
        let expected = format!("{how}: zpki -C {} {command}", here.display());
        assert_eq!(ask().unwrap().next.unwrap(), expected);
        let command: Vec<_> = command.split(' ').collect();
        run(&command, at).product();
        assert!(ask().is_none());
    }
}

#[test]
fn an_expired_crl_is_critical_where_haproxy_looks_at_it() {
    let sandbox = Sandbox::new();
    let settings = "[cluster]\nname = \"demo\"\n[certificates]\nlifetime = \"2y\"\n[revocation]\nenabled = true\n[[servers]]\nname = \"server1\"\naddress = \"10.0.0.1:1\"\n";
    sandbox.file("zpki.toml", settings);
    let args = [
        "init",
        "demo",
        "--config",
        "zpki.toml",
        "--no-ca-passphrase",
    ];
    sandbox.args(args).run().product();
    let (status, report) = check(&sandbox, &["--at", "2027-11-23T11:59:59Z"]);
    assert_eq!((status, findings(&report)), (0, vec![]));
    let (status, report) = check(&sandbox, &["--at", "2027-11-23T12:00:00Z"]);
    assert_eq!(status, 2);
    assert_eq!(
        findings(&report),
        [
            "critical crl-expired ca/crl.pem",
            // HAProxy wants a CRL for the CA itself, too.
            "critical crl-expired servers/server1/zato-server-cert.pem",
            "critical crl-expired load-balancer/ca.cert.pem",
        ]
    );
}

#[test]
fn a_clock_that_cannot_be_right_is_told() {
    let sandbox = Sandbox::with_demo();
    let before = datetime!(2026-11-20 12:00 UTC);
    let args = ["-C", "demo", "check", "--output", "json"];
    let (status, text) = sandbox.args(args).now(before).run().answer();
    let report: Report = serde_json::from_str(&text).unwrap();
    assert_eq!(status, 2);
    assert!(findings(&report).contains(&"unknown clock-suspect the clock".to_owned()));
    // For another instant than now, the clock is not asked.
    let (_, report) = check(&sandbox, &["--at", "2026-11-20"]);
    assert!(!findings(&report).contains(&"unknown clock-suspect the clock".to_owned()));
}

#[test]
fn a_hook_that_is_owed_and_a_passphrase_beside_the_key_are_warnings() {
    said(
        |sandbox| {
            sandbox
                .file("demo/.zpki/pending/server1.1", "")
                .mode("demo/.zpki/pending", 0o700);
        },
        &[],
        1,
        &["warning hook-pending .zpki/pending/server1.1"],
    );
    said(
        |sandbox| _ = sandbox.file("demo/ca/Passphrase.txt", "secret\n"),
        &[],
        1,
        &["warning passphrase-beside-key ca/Passphrase.txt"],
    );
}

#[test]
fn what_cannot_be_read_is_unknown_and_never_well() {
    let sandbox = Sandbox::with_demo();
    sandbox
        .args(["-C", "nowhere", "check"])
        .run()
        .status(3)
        .stderr(
            "zpki: error: cannot check the PKI directory
  at: [root]/nowhere
  because: this is no PKI directory: it has no zpki.toml
  hint: name a PKI directory with -C or ZPKI_DIR, or make one with `zpki init`
",
        );
    sandbox.file("demo/zpki.toml", "[cluster]\n");
    let run = sandbox.args(["-C", "demo", "check"]).run();
    run.status(3).stderr_with("[cluster] has no `name`");
}

#[test]
fn what_is_installed_is_what_was_issued() {
    let sandbox = Sandbox::with_demo();
    let text = sandbox.read(CERTIFICATE_1);
    let blocks = zpki::x509::pem::scan(text.as_bytes());
    let certificate = PathCertificate::from_der(&blocks[0].as_ref().unwrap().contents).unwrap();
    let issued = format!("demo/ca/issued/server1/{}.pem", certificate.serial_number);
    assert_eq!(sandbox.read(issued), text);
}

/// With `[ca] key_file`, the key is looked for there and nowhere else.
#[test]
fn a_ca_key_that_is_kept_elsewhere_is_judged_where_it_is() {
    let elsewhere = |place: &'static str, mode: u32| {
        move |sandbox: &Sandbox| {
            fs::create_dir(sandbox.path("vault")).unwrap();
            let old = sandbox.path("demo/ca/ca.key.pem");
            fs::rename(old, sandbox.path("vault/ca.key.pem")).unwrap();
            sandbox.mode("vault/ca.key.pem", mode);
            let root = sandbox.path("").display().to_string();
            let place = place.replace("ROOT", root.trim_end_matches('/'));
            let settings = sandbox.read("demo/zpki.toml").replace(
                "# key_file = \"/mnt/vault/ca.key.pem\"",
                &format!("key_file = \"{place}\""),
            );
            rewrite(sandbox, "demo/zpki.toml", &settings);
        }
    };
    said(elsewhere("ROOT/vault/ca.key.pem", 0o600), &[], 0, &[]);
    said(elsewhere("../vault/ca.key.pem", 0o400), &[], 0, &[]);
    // Not mounted just now.
    said(elsewhere("/nowhere/ca.key.pem", 0o600), &[], 0, &[]);
    let readable = ["critical secret-readable ../vault/ca.key.pem"];
    said(elsewhere("../vault/ca.key.pem", 0o640), &[], 2, &readable);
    let another = |sandbox: &Sandbox| {
        elsewhere("../vault/ca.key.pem", 0o600)(sandbox);
        let key = sandbox.read("demo/load-balancer/key-cert.pem");
        rewrite(sandbox, "vault/ca.key.pem", &key);
    };
    let differs = ["critical key-mismatch ../vault/ca.key.pem"];
    said(another, &[], 2, &differs);
    let copied = |sandbox: &Sandbox| {
        elsewhere("../vault/ca.key.pem", 0o600)(sandbox);
        let (from, to) = ("vault/ca.key.pem", "demo/ca/ca.key.pem");
        fs::copy(sandbox.path(from), sandbox.path(to)).unwrap();
    };
    said(
        copied,
        &[],
        1,
        &["warning ca-key-left-behind ca/ca.key.pem"],
    );
}

#[test]
fn a_path_in_zpki_toml_that_is_no_file_is_told() {
    let sandbox = Sandbox::with_demo();
    let settings = sandbox
        .read("demo/zpki.toml")
        .replace(
            "# key_file = \"/mnt/vault/ca.key.pem\"",
            "key_file = \"vault/\"",
        )
        .replace(
            "# extra_crls = [\"ca/root.crl.pem\"]",
            "extra_crls = [\"ca/root.crl.pem\", \"\"]",
        );
    rewrite(&sandbox, "demo/zpki.toml", &settings);
    let before = sandbox.tree();
    let list = sandbox.args(["-C", "demo", "list"]).run();
    list.status(78).stderr(
        "\
zpki: error: cannot list the entries
  at: [root]/demo/zpki.toml:19: key_file = \"vault/\"
  because: the path `vault/` names a directory, not a file
  hint: give the path of a file, absolute or relative to the PKI directory
  at: [root]/demo/zpki.toml:54: extra_crls = [\"ca/root.crl.pem\", \"\"]
  because: the path `` is empty
  hint: give the path of a file, absolute or relative to the PKI directory
",
    );
    assert_eq!(sandbox.tree(), before);
}

/// Two hosts that came to one key, and what is to be done about it.
#[test]
fn a_key_of_two_hosts_is_a_warning() {
    let copied = |sandbox: &Sandbox| {
        for file in ["priv-key", "pub-key", "cert"] {
            let place =
                |server| sandbox.path(format!("demo/servers/{server}/zato-server-{file}.pem"));
            fs::copy(place("server1"), place("server2")).unwrap();
        }
        // A certificate with its own names, for the key that is there.
        sandbox.args(["-C", "demo", "apply"]).run().product();
    };
    let expected = ["warning shared-key servers/server2/zato-server-cert.pem"];
    said(copied, &[], 1, &expected);
    let mended = |sandbox: &Sandbox| {
        copied(sandbox);
        let rekey = ["-C", "demo", "rekey", "server2", "--force"];
        sandbox.args(rekey).run().product();
    };
    said(mended, &[], 0, &[]);
}
