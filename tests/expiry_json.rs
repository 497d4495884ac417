//! `zpki expiry --output json` and `jsonl`, read back into structs of the tests' own. A field that is
//! renamed, added or left out is a failing test.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde::Deserialize;

use crate::expiry::certificate;
use crate::sandbox::Sandbox;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Report {
    schema: u32,
    at: String,
    changed: bool,
    status: String,
    thresholds: Thresholds,
    summary: Summary,
    items: Vec<Item>,
    errors: Vec<Unreadable>,
    findings: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Thresholds {
    warn: Vec<String>,
    crit: Vec<String>,
}

#[derive(Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Summary {
    files: usize,
    skipped: usize,
    not_inspected: usize,
    certificates: usize,
    crls: usize,
    ok: usize,
    superseded: usize,
    warning: usize,
    critical: usize,
    expired: usize,
    not_yet_valid: usize,
    unreadable: usize,
    exit: u8,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Item {
    source: String,
    path: String,
    path_bytes: Option<String>,
    index: usize,
    line: Option<usize>,
    kind: String,
    role: String,
    status: String,
    reason: Option<String>,
    not_before: String,
    not_after: Option<String>,
    not_after_unix: Option<i64>,
    remaining_seconds: Option<i64>,
    lifetime_seconds: Option<i64>,
    serial_number: String,
    subject: String,
    issuer: String,
    dns_names: Vec<String>,
    fingerprint: String,
    note: Option<String>,
    aliases: Vec<String>,
    referenced_by: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Unreadable {
    path: String,
    path_bytes: Option<String>,
    index: Option<usize>,
    line: Option<usize>,
    severity: String,
    reason: String,
    message: String,
    referenced_by: Vec<String>,
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

#[test]
fn the_report_is_one_object() {
    let sandbox = Sandbox::new();
    sandbox.file("a.pem", certificate("a", 9, 90));
    std::os::unix::fs::symlink("a.pem", sandbox.path("b.pem")).unwrap();
    sandbox.file(
        "c.pem",
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    );
    sandbox.file(OsStr::from_bytes(b"\xff.pem"), certificate("z", 80, 90));
    let args = ["expiry", ".", "--output", "json"];
    let (status, text) = sandbox.args(args).run().answer();
    assert_eq!(status, 3);
    let report: Report = serde_json::from_str(&text).unwrap();
    assert_eq!((report.schema, report.changed), (1, false));
    assert_eq!(
        (&*report.at, &*report.status),
        ("2026-11-23T12:00:00Z", "unknown")
    );
    assert_eq!(report.thresholds.warn, ["30d", "25%"]);
    assert_eq!(report.thresholds.crit, ["14d", "10%"]);
    assert_eq!(
        report.summary,
        Summary {
            files: 3,
            skipped: 0,
            not_inspected: 0,
            certificates: 2,
            crls: 0,
            ok: 1,
            superseded: 0,
            warning: 1,
            critical: 0,
            expired: 0,
            not_yet_valid: 0,
            unreadable: 1,
            exit: 3
        }
    );
    let root = sandbox.path("").display().to_string();
    let [a, z] = &report.items[..] else {
        panic!("{text}")
    };
    assert_eq!(a.path, format!("{root}a.pem"));
    assert_eq!(
        (&*a.source, &a.path_bytes, a.index, a.line),
        ("file", &None, 1, Some(1))
    );
    assert_eq!(
        (&*a.kind, &*a.role, &*a.status),
        ("certificate", "leaf", "warning")
    );
    assert_eq!(a.reason.as_deref(), Some("remaining<25%"));
    assert_eq!(a.not_before, "2026-09-03T12:00:00Z");
    assert_eq!(a.not_after.as_deref(), Some("2026-12-02T12:00:00Z"));
    assert_eq!(a.not_after_unix, Some(1_796_212_800));
    assert_eq!(a.remaining_seconds, Some(9 * 86_400));
    assert_eq!(a.lifetime_seconds, Some(90 * 86_400));
    assert_eq!(a.serial_number, "000000000000000000000000000010e1");
    assert_eq!((&*a.subject, &*a.issuer), ("CN=a", "CN=a"));
    assert_eq!(a.dns_names, ["a.example"]);
    assert_eq!((a.fingerprint.len(), &a.note), (64, &None));
    assert_eq!(a.aliases, [format!("{root}b.pem")]);
    assert!(a.referenced_by.is_empty());
    assert_eq!(z.path, format!(r"{root}\xff.pem"));
    let octets = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        z.path_bytes.as_deref().unwrap(),
    );
    assert_eq!(octets.unwrap(), [root.as_bytes(), b"\xff.pem"].concat());
    assert_eq!((&*z.status, &z.reason), ("ok", &None));
    let [c] = &report.errors[..] else {
        panic!("{text}")
    };
    assert_eq!(c.path, format!("{root}c.pem"));
    assert_eq!((&c.path_bytes, c.index, c.line), (&None, Some(1), Some(2)));
    assert_eq!((&*c.severity, &*c.reason), ("unknown", "bad_pem"));
    assert!(!c.message.is_empty() && c.referenced_by.is_empty());
    assert!(report.findings.is_empty());
}

#[test]
fn an_empty_report_is_one_object_too() {
    let sandbox = Sandbox::new();
    sandbox.file("empty/readme", "");
    let (status, text) = sandbox
        .args(["expiry", "empty", "--output=json"])
        .run()
        .answer();
    let report: Report = serde_json::from_str(&text).unwrap();
    assert_eq!((status, report.items.len(), report.summary.exit), (3, 0, 3));
    let [finding] = &report.findings[..] else {
        panic!("{text}")
    };
    assert_eq!(
        (&*finding.severity, &*finding.id),
        ("unknown", "no_certificate_found")
    );
    assert!(!finding.about.is_empty() && !finding.why.is_empty() && finding.next.is_some());
}

#[test]
fn json_lines_are_objects_and_the_last_is_the_summary() {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Head {
        schema: u32,
        at: String,
        changed: bool,
        status: String,
        thresholds: Thresholds,
        summary: Summary,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Failure {
        error: Unreadable,
    }
    let sandbox = Sandbox::new();
    sandbox.file("a.pem", certificate("a", 300, 365));
    sandbox.file("b.pem", certificate("b", -1, 365));
    sandbox.file("c.pem", "-----BEGIN CERTIFICATE-----\n");
    let (status, text) = sandbox
        .args(["expiry", ".", "--output=jsonl"])
        .run()
        .answer();
    assert_eq!(status, 2);
    let lines: Vec<&str> = text.lines().collect();
    let [a, b, error, last] = lines[..] else {
        panic!("{text}")
    };
    let item = |line| serde_json::from_str::<Item>(line).unwrap();
    assert_eq!(
        (item(a).status, item(b).status),
        ("ok".to_owned(), "expired".to_owned())
    );
    let failure: Failure = serde_json::from_str(error).unwrap();
    assert_eq!(failure.error.reason, "bad_pem");
    let head: Head = serde_json::from_str(last).unwrap();
    assert_eq!(
        (head.schema, head.changed, &*head.status),
        (1, false, "critical")
    );
    assert_eq!((head.summary.certificates, head.summary.exit), (2, 2));
    assert_eq!((head.at.len(), head.thresholds.warn.len()), (20, 2));
}

#[test]
fn the_same_state_gives_the_same_bytes() {
    let sandbox = Sandbox::new();
    for number in 0..300 {
        let name = format!("{number:03}");
        sandbox.file(
            format!("{}/{name}.pem", number % 9),
            certificate(&name, 300, 365),
        );
    }
    let run = || {
        sandbox
            .args(["expiry", ".", "--output=json"])
            .run()
            .product()
    };
    let first = run();
    for _ in 0..5 {
        assert_eq!(run(), first);
    }
}
