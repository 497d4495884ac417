//! `zpki log`: what was done, by whom and when.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::sandbox::{PROGRAM, Sandbox};

const LOG: &str = "demo/ca/log.jsonl";

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Log {
    schema: u32,
    at: Option<String>,
    changed: bool,
    directory: String,
    events: Vec<Event>,
    findings: Vec<Finding>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Event {
    at: String,
    action: String,
    by: String,
    name: Option<String>,
    serial_number: Option<String>,
    not_before: Option<String>,
    not_after: Option<String>,
    reason: Option<String>,
    command: Option<String>,
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

/// Reads a report back: `T` has every field of it and no other.
fn read_back(text: &str) -> Log {
    let parsed: Log = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let value: Value = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_value(&parsed).unwrap(), value);
    parsed
}

/// A demo whose log has lines of later commands too.
fn with_more(lines: &[&str]) -> Sandbox {
    let sandbox = Sandbox::with_demo();
    let mut log = sandbox.read(LOG);
    for line in lines {
        writeln!(log, "{line}").unwrap();
    }
    sandbox.file(LOG, log);
    sandbox.mode(LOG, 0o640);
    sandbox
}

const REVOKED: &str = r#"{"at":"2026-12-01T08:00:00Z","action":"revoke","by":"root (uid 0)","name":"server1","serialNumber":"4a","reason":"keyCompromise","ticket":{"number":7}}"#;
const SIGNED: &str = r#"{"at":"2026-12-01T08:00:01Z","action":"sign-crl","by":"root (uid 0)","notAfter":"2027-12-01T08:00:01Z","command":"zpki crl"}"#;

#[test]
fn what_was_done_is_a_table_with_the_newest_last() {
    let sandbox = with_more(&[REVOKED, SIGNED]);
    let before = sandbox.tree();
    let issued = "2026-11-23 12:00:00 UTC  issue   ";
    let table = sandbox.args(["-C", "demo", "log"]).run().product();
    let lines: Vec<&str> = table.lines().collect();
    let [heading, ca, .., server2, revoked, signed] = &lines[..] else {
        panic!("{table}")
    };
    assert!(heading.starts_with("WHEN "), "{heading}");
    for (line, beginning) in [(ca, "  ca  "), (server2, "  server2  ")] {
        assert!(line.starts_with(issued), "{line}");
        assert!(line.contains(beginning), "{line}");
        assert!(line.ends_with("UTC  tester (uid 1000)  -"), "{line}");
    }
    let words = |line: &str| {
        line.split("  ")
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        words(heading),
        [
            "WHEN",
            "ACTION",
            "NAME",
            "SERIAL NUMBER",
            "NOT AFTER",
            "BY",
            "REASON"
        ]
    );
    let when = "2026-12-01 08:00:00 UTC";
    assert_eq!(
        words(revoked),
        [
            when,
            "revoke",
            "server1",
            "4a",
            "-",
            "root (uid 0)",
            "keyCompromise"
        ]
    );
    let (when, until) = ("2026-12-01 08:00:01 UTC", "2027-12-01 08:00:01 UTC");
    assert_eq!(
        words(signed),
        [when, "sign-crl", "-", "-", until, "root (uid 0)", "-"]
    );
    assert_eq!(lines.len(), 7);
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn the_json_has_what_the_lines_have() {
    let sandbox = with_more(&[SIGNED]);
    let args = ["-C", "demo", "log", "--output=json"];
    let log = read_back(&sandbox.args(args).run().stderr("").product());
    assert_eq!((log.schema, log.changed), (1, false));
    assert_eq!(log.at.as_deref(), Some("2026-11-23T12:00:00Z"));
    assert_eq!(log.directory, sandbox.path("demo").display().to_string());
    assert!(log.findings.is_empty());
    let [ca, load_balancer, server1, _, signed] = &log.events[..] else {
        panic!("{:?}", log.events)
    };
    for (event, name) in [
        (ca, "ca"),
        (load_balancer, "load-balancer"),
        (server1, "server1"),
    ] {
        assert_eq!(event.name.as_deref(), Some(name));
        assert_eq!(
            (event.action.as_str(), event.by.as_str()),
            ("issue", "tester (uid 1000)")
        );
        let serial = event.serial_number.as_deref().unwrap();
        assert!(
            sandbox
                .path(format!("demo/ca/issued/{name}/{serial}.pem"))
                .exists()
        );
        assert!(event.not_before < event.not_after);
        assert_eq!((&event.reason, &event.command), (&None, &None));
    }
    assert_eq!(signed.command.as_deref(), Some("zpki crl"));

    // What a later release writes beside that is kept.
    let sandbox = with_more(&[REVOKED]);
    let text = sandbox.args(args).run().product();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["events"][4]["ticket"]["number"], 7);
}

#[test]
fn a_name_and_an_instant_narrow_it() {
    let sandbox = with_more(&[REVOKED, SIGNED]);
    let count = |args: &[&str]| {
        let args = [&["-C", "demo", "log", "--output=json"], args].concat();
        read_back_loosely(&sandbox.args(args).run().product())
    };
    assert_eq!(count(&[]), 6);
    assert_eq!(count(&["server1"]), 2);
    assert_eq!(count(&["server1", "--since", "2026-11-24"]), 1);
    assert_eq!(count(&["--since", "2026-12-01T08:00:01Z"]), 1);
    sandbox
        .args(["-C", "demo", "log", "sever1"])
        .run()
        .stderr("note: the log has no such event\n");
    sandbox
        .args(["-C", "demo", "log", "--since", "yesterday"])
        .run()
        .status(64)
        .stderr(
            "\
zpki: error: cannot read the command line
  at: --since yesterday
  because: `yesterday` is not an instant
  hint: an instant is a date with or without a time (RFC 3339), such as 2027-01-31 or 2027-01-31T12:00:00Z
",
        );
}

fn read_back_loosely(text: &str) -> usize {
    let value: Value = serde_json::from_str(text).unwrap();
    value["events"].as_array().unwrap().len()
}

#[test]
fn a_line_that_is_damaged_is_named_and_hides_no_other() {
    let sandbox = with_more(&[
        "{\"at\":",
        REVOKED,
        r#"{"at":"2026-12-01T08:00:00Z","by":"x"}"#,
    ]);
    let outcome = sandbox.args(["-C", "demo", "log", "server1"]).run();
    let (status, table) = outcome
        .stderr(
            "\
warning: ca/log.jsonl:5: it is not JSON, or was cut off
  hint: see who writes to the log beside zpki; a backup may have the line
warning: ca/log.jsonl:7: it is no event of the log: it has no `action`
  hint: see who writes to the log beside zpki; a backup may have the line
",
        )
        .answer();
    assert_eq!((status, table.lines().count()), (1, 3));
    let args = ["-C", "demo", "log", "--output=json"];
    let (status, text) = sandbox.args(args).run().answer();
    assert_eq!(status, 1);
    let value: Value = serde_json::from_str(&text).unwrap();
    let finding: Finding = serde_json::from_value(value["findings"][1].clone()).unwrap();
    assert_eq!(
        (finding.severity.as_str(), finding.id.as_str()),
        ("warning", "log-line")
    );
    assert_eq!(finding.about, "ca/log.jsonl:7");
    assert!(finding.why.contains("action") && finding.next.is_some());
}

#[test]
fn what_is_in_a_line_does_not_act_on_the_terminal() {
    let evil = r#"{"at":"2026-12-01T08:00:00Z","action":"issue","by":"\u001b[2Jroot\nroot","name":"a\u202eb"}"#;
    let sandbox = with_more(&[evil]);
    let table = sandbox
        .args(["-C", "demo", "log", "--since=2026-12-01"])
        .run()
        .product();
    assert_eq!(table.lines().count(), 2);
    assert!(table.contains(r"\u{1b}[2Jroot\nroot"), "{table}");
    assert!(table.contains(r"a\u{202e}b"), "{table}");
}

#[test]
fn a_missing_log_is_empty_and_a_missing_directory_is_not() {
    let sandbox = Sandbox::with_demo();
    std::fs::remove_file(sandbox.path(LOG)).unwrap();
    let note = "note: ca/log.jsonl: there is no log\n";
    sandbox.args(["-C", "demo", "log"]).run().stderr(note);
    let args = ["-C", "demo", "log", "--output=json"];
    let log = read_back(&sandbox.args(args).run().product());
    assert!(log.events.is_empty());
    assert_eq!(log.findings[0].id, "log-missing");
    sandbox
        .args(["-C", "nowhere", "log"])
        .run()
        .status(66)
        .stderr(
            "\
zpki: error: cannot show the log
  at: [root]/nowhere
  because: this is no PKI directory: it has no zpki.toml
  hint: name a PKI directory with -C or ZPKI_DIR, or make one with `zpki init`
",
        );
}

#[test]
fn who_may_not_read_the_log_is_told_so() {
    let sandbox = Sandbox::with_demo();
    std::fs::set_permissions(sandbox.path(""), PermissionsExt::from_mode(0o755)).unwrap();
    let output = Command::new("setpriv")
        .args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "--",
            PROGRAM,
        ])
        .args(["-C", "demo", "log"])
        .current_dir(sandbox.path(""))
        .env_clear()
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(77), "{stderr}");
    assert!(output.stdout.is_empty());
    assert!(stderr.contains("demo/ca/log.jsonl"), "{stderr}");
    assert!(stderr.contains("because: permission denied"), "{stderr}");
}

#[test]
fn a_long_log_is_no_long_wait() {
    let sandbox = Sandbox::with_demo();
    let line = sandbox.read(LOG).lines().next().unwrap().to_owned() + "\n";
    sandbox.file(LOG, line.repeat(100_000));
    let began = Instant::now();
    let table = sandbox.args(["-C", "demo", "log"]).run().product();
    // Without optimisation, and beside other tests.
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(table.lines().count(), 100_001);
}
