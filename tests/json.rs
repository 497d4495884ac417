//! `--output json`: one object for each command, read back into structs of the tests' own. A field
//! that is renamed, added or left out is a failing test.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::sandbox::{DEMO, Sandbox};

const AT: &str = "2026-11-23T12:00:00Z";

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Init {
    schema: u32,
    at: String,
    changed: bool,
    directory: String,
    cluster: String,
    ca_key_encrypted: bool,
    certificates: Vec<Made>,
    findings: Vec<Finding>,
    next_steps: Vec<NextStep>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NextStep {
    what: String,
    commands: Vec<String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Made {
    name: String,
    role: String,
    key_algorithm: String,
    serial_number: String,
    not_before: String,
    not_after: String,
    hosts: Vec<String>,
    file: String,
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

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct List {
    schema: u32,
    at: String,
    changed: bool,
    directory: String,
    cluster: String,
    entries: Vec<Listed>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Listed {
    name: String,
    role: Option<String>,
    certificate: Option<ListedCertificate>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListedCertificate {
    status: String,
    revocation: Option<Revocation>,
    not_before: String,
    not_after: String,
    serial_number: String,
    key_algorithm: String,
    subject_alt_name: Vec<String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Show {
    schema: u32,
    at: Option<String>,
    changed: bool,
    subject: String,
    folder: Option<String>,
    objects: Vec<Object>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(
    tag = "type",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
#[expect(
    clippy::large_enum_variant,
    reason = "a boxed struct could not deny unknown fields beside the tag"
)]
enum Object {
    Certificate {
        line: Option<u32>,
        status: Option<String>,
        revocation: Option<Revocation>,
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
        pem: Option<String>,
    },
    CertificationRequest {
        line: Option<u32>,
        subject: String,
        subject_alt_name: Vec<String>,
        public_key: PublicKey,
        signature_valid: Option<bool>,
        pem: Option<String>,
    },
    PrivateKey {
        line: Option<u32>,
        encrypted: bool,
        encryption: Option<String>,
        public_key: Option<PublicKey>,
        pem: Option<String>,
    },
    PublicKey {
        line: Option<u32>,
        algorithm: String,
        fingerprint: String,
        pem: Option<String>,
    },
    RevocationList {
        line: Option<u32>,
        issuer: String,
        this_update: String,
        next_update: Option<String>,
        crl_number: Option<String>,
        authority_key_identifier: Option<String>,
        revoked: Vec<Revocation>,
        pem: Option<String>,
    },
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Revocation {
    serial_number: String,
    revoked_at: String,
    reason: String,
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
struct Snippet {
    schema: u32,
    at: Option<String>,
    changed: bool,
    text: String,
    lines: Vec<String>,
    notes: Vec<String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Completions {
    schema: u32,
    at: Option<String>,
    changed: bool,
    shell: String,
    script: String,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Template {
    schema: u32,
    at: Option<String>,
    changed: bool,
    text: String,
}

#[test]
fn init_says_what_was_made() {
    let sandbox = Sandbox::new();
    let init: Init = json(&sandbox, &DEMO);
    assert_eq!((init.schema, init.at.as_str(), init.changed), (1, AT, true));
    assert_eq!(init.directory, sandbox.path("demo").to_str().unwrap());
    assert_eq!(init.cluster, "demo");
    assert!(!init.ca_key_encrypted);
    let at = |path| sandbox.path(path).display().to_string();
    let server = at("demo/servers/server1");
    let commands: Vec<&[String]> = init.next_steps.iter().map(|step| &*step.commands).collect();
    let copy =
        format!("rsync -pog --chown=zato:zato {server}/*.pem HOST:/opt/zato/server/config/repo/");
    let chown = format!("chown -R zato: {}", at("demo/load-balancer"));
    let check = "haproxy -c -f zato.config".to_owned();
    let conf = |name: &str| format!("{name}=/opt/zato/{name}/config/repo/server.conf");
    let edit = format!(
        "zpki -C {} config apply --install --haproxy /opt/zato/lb/config/repo/zato.config \
         --server-conf {} --server-conf {}",
        at("demo"),
        conf("server1"),
        conf("server2")
    );
    assert_eq!(
        commands,
        [&[copy][..], &[], &[chown], &[check], &[edit], &[]]
    );
    assert!(init.next_steps.iter().all(|step| !step.what.is_empty()));

    let made = |made: &Made| (made.name.clone(), made.role.clone(), made.file.clone());
    let expected = [
        ("ca", "ca", "ca/ca.cert.pem"),
        (
            "load-balancer",
            "load-balancer",
            "load-balancer/key-cert.pem",
        ),
        ("server1", "server", "servers/server1/zato-server-cert.pem"),
        ("server2", "server", "servers/server2/zato-server-cert.pem"),
    ];
    let expected = expected.map(|(name, role, file)| (name.into(), role.into(), file.into()));
    assert_eq!(
        init.certificates.iter().map(made).collect::<Vec<_>>(),
        expected
    );

    let [ca, _, server1, _] = &init.certificates[..] else {
        panic!()
    };
    assert_eq!(ca.not_before, "2026-11-23T11:00:00Z");
    assert_eq!(ca.not_after, "2036-11-20T12:00:00Z");
    assert_eq!(server1.not_after, "2027-11-23T12:00:00Z");
    assert_eq!(server1.key_algorithm, "ecdsa-p256");
    assert_eq!(server1.hosts, ["server1.demo.internal", "127.0.0.1"]);
    init.certificates
        .iter()
        .for_each(|made| serial(&made.serial_number));

    let [finding, ..] = &init.findings[..] else {
        panic!()
    };
    assert_eq!(
        (finding.severity.as_str(), finding.id.as_str()),
        ("ok", "default-hosts")
    );
    assert_eq!(
        (finding.about.as_str(), &finding.next),
        ("load-balancer", &None)
    );
}

#[test]
fn a_warning_says_what_to_do() {
    let sandbox = Sandbox::new();
    sandbox.file("secret", "secret").mode("secret", 0o644);
    let args = [&DEMO[..10], &["--ca-passphrase-file=secret"]].concat();
    let init: Init = json(&sandbox, &args);
    assert!(init.ca_key_encrypted);
    let finding = &init.findings[0];
    assert_eq!(finding.severity, "warning");
    assert_eq!(
        (finding.id.as_str(), finding.about.as_str()),
        ("passphrase-readable", "secret")
    );
    assert_eq!(
        finding.next.as_deref(),
        Some("take the permission away: chmod 600")
    );
}

#[test]
fn list_has_the_ca_the_entries_and_what_else_was_issued() {
    let sandbox = Sandbox::with_demo();
    let list: List = json(&sandbox, &["-C", "demo", "list"]);
    assert_eq!(
        (list.schema, list.at.as_str(), list.changed),
        (1, AT, false)
    );
    assert_eq!(
        (list.directory, list.cluster.as_str()),
        (demo(&sandbox), "demo")
    );
    let names: Vec<&str> = list
        .entries
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    assert_eq!(names, ["ca", "load-balancer", "server1", "server2"]);
    let server1 = &list.entries[2];
    assert_eq!(server1.role.as_deref(), Some("server"));
    let certificate = server1.certificate.as_ref().unwrap();
    assert_eq!(certificate.status, "valid");
    assert_eq!(certificate.not_before, "2026-11-23T11:00:00Z");
    assert_eq!(certificate.not_after, "2027-11-23T12:00:00Z");
    assert_eq!(certificate.key_algorithm, "ecdsa-p256");
    assert_eq!(
        certificate.subject_alt_name,
        ["DNS:server1.demo.internal", "IP:127.0.0.1"]
    );
    serial(&certificate.serial_number);

    let renamed = sandbox
        .read("demo/zpki.toml")
        .replace("\"server2\"", "\"server3\"");
    sandbox.file("demo/zpki.toml", renamed);
    let list: List = json(&sandbox, &["-C", "demo", "list"]);
    let [.., server3, server2] = &list.entries[..] else {
        panic!()
    };
    assert_eq!(
        (server3.name.as_str(), server3.certificate.is_some()),
        ("server3", false)
    );
    assert_eq!((server2.name.as_str(), &server2.role), ("server2", &None));
    assert!(server2.certificate.is_some());
}

#[test]
fn a_status_is_what_the_dates_say() {
    use time::macros::datetime;
    let sandbox = Sandbox::with_demo();
    for (now, expected) in [
        (datetime!(2026-11-23 10:59:59 UTC), "not-yet-valid"),
        (datetime!(2026-11-23 11:00:00 UTC), "valid"),
        (datetime!(2027-11-23 11:59:59 UTC), "expires-soon"),
        (datetime!(2027-11-23 12:00:00 UTC), "expired"),
    ] {
        let args = ["-C", "demo", "list", "--output=json"];
        let text = sandbox.args(args).now(now).run().product();
        let list: List = read_back(&text);
        let certificate = list.entries[2].certificate.as_ref().unwrap();
        assert_eq!(certificate.status, expected, "at {now}");
    }
}

#[test]
fn show_of_an_entry_is_its_certificate() {
    let sandbox = Sandbox::with_demo();
    let show: Show = json(&sandbox, &["-C", "demo", "show", "server1"]);
    assert_eq!(
        (show.schema, show.at.as_deref(), show.changed),
        (1, Some(AT), false)
    );
    assert_eq!(show.subject, "server1");
    assert_eq!(show.folder.unwrap(), demo(&sandbox) + "/servers/server1");
    let [
        Object::Certificate {
            line: None,
            status: Some(status),
            subject,
            common_name,
            serial_number,
            public_key,
            signature_algorithm,
            basic_constraints: Some(constraints),
            key_usage,
            extended_key_usage,
            name_constraints: None,
            fingerprint,
            pem: Some(pem),
            ..
        },
    ] = &show.objects[..]
    else {
        panic!("{:?}", show.objects)
    };
    assert_eq!(
        (status.as_str(), subject.as_str()),
        ("valid", "O=demo,CN=server1")
    );
    assert_eq!(common_name.as_deref(), Some("server1"));
    assert_eq!((constraints.ca, constraints.path_len), (false, None));
    assert_eq!(key_usage.as_deref().unwrap(), ["digitalSignature"]);
    assert_eq!(extended_key_usage.as_deref().unwrap(), ["serverAuth"]);
    assert_eq!(signature_algorithm, "ecdsa-with-SHA256");
    assert_eq!(public_key.algorithm, "ecdsa-p256");
    assert_eq!((public_key.fingerprint.len(), fingerprint.len()), (64, 64));
    assert_eq!(
        *pem,
        sandbox.read("demo/servers/server1/zato-server-cert.pem")
    );
    serial(serial_number);
}

#[test]
fn show_of_a_file_has_each_object_with_its_line() {
    let sandbox = Sandbox::with_demo();
    let key = "demo/servers/server1/zato-server-priv-key.pem";
    sandbox.tool(
        "openssl",
        &[
            "req",
            "-new",
            "-key",
            key,
            "-subj",
            "/CN=a",
            "-out",
            "request.pem",
        ],
    );
    let files = [
        "demo/load-balancer/key-cert.pem",
        "demo/servers/server1/zato-server-pub-key.pem",
        "demo/ca/crl.pem",
        "request.pem",
    ];
    let all: Vec<String> = files.iter().map(|file| sandbox.read(file)).collect();
    sandbox.file("all.pem", all.concat());
    let show: Show = json(&sandbox, &["show", "all.pem"]);
    assert_eq!((show.subject.as_str(), &show.folder), ("all.pem", &None));
    let [
        Object::PrivateKey {
            line: Some(1),
            encrypted: false,
            encryption: None,
            public_key: Some(of_private_key),
            pem: None,
        },
        Object::Certificate {
            public_key: of_certificate,
            ..
        },
        Object::PublicKey { algorithm, .. },
        Object::RevocationList {
            this_update,
            next_update,
            crl_number,
            revoked,
            ..
        },
        Object::CertificationRequest {
            subject,
            signature_valid: Some(true),
            ..
        },
    ] = &show.objects[..]
    else {
        panic!("{:#?}", show.objects)
    };
    assert_eq!(of_private_key.fingerprint, of_certificate.fingerprint);
    assert_eq!(algorithm, "ecdsa-p256");
    assert_eq!(this_update, "2026-11-23T11:00:00Z");
    assert_eq!(next_update.as_deref(), Some("2027-11-23T12:00:00Z"));
    assert_eq!(crl_number.as_deref(), Some("1795435200"));
    assert!(revoked.is_empty());
    assert_eq!(subject, "CN=a");
}

#[test]
fn show_has_each_entry_of_a_crl() {
    let sandbox = Sandbox::with_demo();
    sandbox.file(
        "index",
        "R\t400101000000Z\t261123120001Z,keyCompromise\tFF01\tunknown\t/CN=a\n",
    );
    let ca = "[ca]\ndefault_ca=ca\ndatabase=index\ndefault_md=sha256\ndefault_crl_days=30\n";
    sandbox.file("ca.cnf", ca);
    let words = "ca -config ca.cnf -gencrl -keyfile demo/ca/ca.key.pem -cert demo/ca/ca.cert.pem -out crl.pem";
    sandbox.tool("openssl", &words.split(' ').collect::<Vec<_>>());
    let show: Show = json(&sandbox, &["show", "crl.pem"]);
    let [Object::RevocationList { revoked, .. }] = &show.objects[..] else {
        panic!("{:#?}", show.objects)
    };
    let [entry] = &revoked[..] else {
        panic!("{revoked:#?}")
    };
    assert_eq!(entry.serial_number, "0000000000000000000000000000ff01");
    assert_eq!(entry.revoked_at, "2026-11-23T12:00:01Z");
    assert_eq!(entry.reason, "keyCompromise");
    let output = sandbox.args(["show", "crl.pem"]).run().product();
    let line = format!(
        "  {:24}0000000000000000000000000000ff01  2026-11-23 12:00:01 UTC  keyCompromise\n",
        ""
    );
    assert!(output.contains(&line), "{output}");
}

#[test]
fn the_snippets_have_the_text_and_its_lines() {
    let sandbox = Sandbox::with_demo();
    let haproxy: Snippet = json(&sandbox, &["-C", "demo", "snippet", "haproxy"]);
    assert_eq!(
        (haproxy.schema, haproxy.at.as_deref(), haproxy.changed),
        (1, Some(AT), false)
    );
    assert_eq!(haproxy.text, sandbox.read("demo/load-balancer/haproxy.cfg"));
    assert_eq!(haproxy.lines.len(), 2);
    assert!(
        haproxy
            .lines
            .iter()
            .all(|line| haproxy.text.contains(&format!("    {line}\n")))
    );
    assert!(haproxy.lines[0].starts_with("server http_plain--server1 "));

    let server: Snippet = json(&sandbox, &["-C", "demo", "snippet", "server", "server1"]);
    assert_eq!(
        server.text,
        sandbox.read("demo/servers/server1/server.conf")
    );
    assert_eq!(
        server.lines[..2],
        ["use_tls=True", "tls_protocol=TLS_SERVER"]
    );
    assert!(server.lines.iter().all(|line| line.contains('=')));

    let frontend = ["-C", "demo", "snippet", "frontend"].into_iter();
    let frontend = frontend.chain(["--client-certificate=required"]);
    let frontend: Snippet = json(&sandbox, &frontend.collect::<Vec<_>>());
    assert_eq!(frontend.lines[0], "frontend front_tls_required");
    let mut lines = frontend.lines.iter();
    assert!(lines.all(|line| frontend.text.contains(line)));
    let bind = format!(
        "bind 0.0.0.0:41223 ssl crt {root}/key-cert.pem verify required ca-file {root}/applications.ca.pem",
        root = sandbox.path("demo/load-balancer").display()
    );
    assert_eq!(frontend.lines.last(), Some(&bind));

    let agent: Snippet = json(&sandbox, &["-C", "demo", "snippet", "lb-agent"]);
    assert!(agent.text.ends_with("}\n"), "{}", agent.text);
    let keys: BTreeMap<String, Value> = serde_json::from_str(&agent.text).unwrap();
    assert_eq!(keys["is_tls_enabled"], false);
    assert_eq!(keys["ca_certs"], "./zato-lba-ca-certs.pem");
    assert_eq!(agent.lines[0], "\"is_tls_enabled\": false");
    assert_eq!(agent.lines.len(), keys.len());
    let [note] = &agent.notes[..] else {
        panic!("{:?}", agent.notes)
    };
    assert_eq!((haproxy.notes.len(), frontend.notes.len()), (0, 0));
    sandbox
        .args(["-C", "demo", "snippet", "lb-agent"])
        .run()
        .stdout(agent.text)
        .stderr(format!("note: {note}\n"));

    let plain: Snippet = json(
        &sandbox,
        &["-C", "demo", "snippet", "haproxy", "--no-verifyhost"],
    );
    assert!(
        plain
            .lines
            .iter()
            .all(|line| !line.contains("verifyhost") && !line.contains("sni"))
    );
}

#[test]
fn what_runs_expiry_is_its_text() {
    let sandbox = Sandbox::with_demo();
    let print = ["-C", "demo", "expiry", "--print", "cron"];
    let template: Template = json(&sandbox, &print);
    assert_eq!((template.schema, template.changed), (1, false));
    assert_eq!(template.at.as_deref(), Some(AT));
    assert_eq!(sandbox.args(print).run().product(), template.text);
    let nagios = [&print[..], &["--output", "nagios"]].concat();
    sandbox.args(nagios).run().status(64).stderr(
        "zpki: error: cannot see what runs out in the PKI directory
  because: this command has no output format `nagios`
  hint: it has text and json
",
    );
}

#[test]
fn the_completions_are_the_script() {
    let sandbox = Sandbox::new();
    let completions: Completions = json(&sandbox, &["completions", "bash"]);
    assert_eq!((completions.schema, completions.changed), (1, false));
    assert_eq!(
        (completions.shell.as_str(), completions.at.as_deref()),
        ("bash", Some(AT))
    );
    sandbox
        .args(["completions", "bash"])
        .run()
        .stdout(completions.script);
}

#[test]
fn without_a_clock_what_needs_none_still_answers() {
    let sandbox = Sandbox::with_demo();
    let args = ["-C", "demo", "show", "ca", "--output=json"];
    let show: Show = read_back(&sandbox.args(args).now(None).run().product());
    let [Object::Certificate { status: None, .. }] = &show.objects[..] else {
        panic!("{:?}", show.objects)
    };
    let args = ["-C", "demo", "snippet", "haproxy", "--output=json"];
    let snippet: Snippet = read_back(&sandbox.args(args).now(None).run().product());
    assert_eq!(snippet.at, None);
}

#[test]
fn a_failure_leaves_standard_output_empty() {
    let sandbox = Sandbox::with_demo();
    sandbox.file("broken/zpki.toml", "[cluster");
    for (args, status) in [
        (&["-C", "nowhere", "list"][..], 66),
        (&["-C", "broken", "list"], 78),
        (&["-C", "broken", "snippet", "haproxy"], 78),
        (&["-C", "demo", "show", "nothing"], 66),
        (&["-C", "demo", "snippet", "server", "nothing"], 66),
        (&["show", "demo/zpki.toml"], 65),
        (&["init", "demo"], 73),
        (&["init", "new"], 64),
        (&["completions", "ksh"], 64),
    ] {
        let before = sandbox.tree();
        let args = [args, &["--output=json"]].concat();
        let outcome = sandbox.args(args).run();
        outcome
            .status(status)
            .stdout("")
            .stderr_with("zpki: error: cannot ");
        assert_eq!(sandbox.tree(), before);
    }
}

#[test]
fn what_is_said_to_a_person_is_not_said_beside_json() {
    let sandbox = Sandbox::new();
    let run = sandbox
        .args(DEMO.iter().chain(&["--output=json"]).copied())
        .run();
    // Drop compares standard error with nothing: the findings are in the object.
    run.stderr("").product();
}

/// The report of a command that succeeds, read back.
#[track_caller]
fn json<T: DeserializeOwned + Serialize>(sandbox: &Sandbox, args: &[&str]) -> T {
    let args = [args, &["--output=json"]].concat();
    read_back(&sandbox.args(args).run().stderr("").product())
}

/// `T` has every field of the text, and no field that the text has not.
#[track_caller]
fn read_back<T: DeserializeOwned + Serialize>(text: &str) -> T {
    assert!(text.ends_with("}\n"), "one object and a line end");
    let parsed: T = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
    let value: Value = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_value(&parsed).unwrap(), value);
    parsed
}

fn demo(sandbox: &Sandbox) -> String {
    sandbox.path("demo").to_str().unwrap().to_owned()
}

#[track_caller]
fn serial(text: &str) {
    let is_digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    assert!(text.len() == 32 && text.chars().all(is_digit), "{text}");
}
