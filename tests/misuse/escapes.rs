//! What a terminal would act on never gets there: escape sequences, their one-character forms (U+0080 to
//! U+009F), and what turns the direction of text around, wherever a name, a path, a file of others or an
//! argument has them.

use std::ffi::OsString;
use std::fs;

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, IsCa, Issuer, KeyIdMethod, KeyPair, SanType, SerialNumber,
};

use crate::sandbox::{NOW, Sandbox};

/// Clears a screen, rings, sets a title, deletes, begins a sequence in one character, and reverses what
/// follows, in four ways.
const EVIL: &str = "\u{1b}[2J\u{7}\u{1b}]0;x\u{7f}\u{9b}31m\u{202e}\u{2066}\u{61c}\u{2028}";

fn evil(before: &str) -> String {
    format!("{before}{EVIL}")
}

/// The name of a file: one more line, too.
fn file() -> String {
    format!("file{EVIL}\r\nroot.pem")
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, evil(name));
    params
        .distinguished_name
        .push(DnType::OrganizationName, format!("{EVIL}\n"));
    params.not_before = NOW - time::Duration::DAY;
    params.not_after = NOW + time::Duration::DAY;
    params
}

/// A PKI directory and files of others, all with such text wherever it can stand.
fn hostile() -> Sandbox {
    let sandbox = Sandbox::with_demo();
    let key = KeyPair::generate().unwrap();
    let mut ca = params("ca");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&key).unwrap().pem();
    let issuer = Issuer::from_params(&ca, &key);
    let mut leaf = params("leaf");
    let dns = Ia5String::try_from("a\u{1b}[2J\u{7f}\u{7}.example").unwrap();
    leaf.subject_alt_names = vec![
        SanType::DnsName(dns.clone()),
        SanType::Rfc822Name(dns.clone()),
        SanType::URI(dns),
    ];
    let leaf_pem = leaf.signed_by(&key, &issuer).unwrap().pem();
    let crl = CertificateRevocationListParams {
        this_update: NOW,
        next_update: NOW + time::Duration::DAY,
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let crl_pem = crl.signed_by(&issuer).unwrap().pem().unwrap();
    let mut request = params("request");
    request.subject_alt_names = leaf.subject_alt_names.clone();
    let request = request.serialize_request(&key).unwrap().pem().unwrap();
    sandbox
        .file("ca.pem", &ca_pem)
        .file("ca.key", key.serialize_pem())
        .file("leaf.pem", &leaf_pem)
        .file("crl.pem", crl_pem)
        .file("request.pem", request)
        .file("text", evil("-----BEGIN ") + "-----\nx\n")
        .file(
            format!("folder/{}", file()),
            leaf_pem + &evil("-----BEGIN CERTIFICATE-----\n"),
        )
        .file("folder/ca.pem", ca_pem)
        .file(
            "list.csv",
            format!("name,role,hosts\n{EVIL},{EVIL},{EVIL}\n"),
        )
        .file(
            "list.toml",
            format!(
                "[[certificate]]\nname = '{}'\nrole = 'x'\n{EVIL} =\n",
                evil("n")
            ),
        )
        .file("haproxy.cfg", haproxy())
        .file("server.conf", server_conf())
        .file(
            "broken.cfg",
            format!("backend apps\n server {EVIL} 1 ssl \"{EVIL}\n"),
        )
        .file(
            "broken.conf",
            format!("[crypto]\nuse_tls={EVIL}\n[crypto]\n{EVIL}\n"),
        )
        .file(
            "broken/zpki.toml",
            format!("[cluster]\nname = \"{}\"\n{EVIL}\n", escaped()),
        )
        .file("wrong/zpki.toml", wrong());
    let log = sandbox.read("demo/ca/log.jsonl");
    let line = format!(
        r#"{{"at":"2026-11-23T12:00:00Z","action":"{0}","by":"{0}","name":"{0}","why":"{0}"}}"#,
        escaped()
    );
    sandbox.file("demo/ca/log.jsonl", format!("{log}{line}\n{EVIL}\n"));
    let folder = "demo/servers/server1/server.conf";
    let text = sandbox.read(folder) + EVIL + "\r\n";
    sandbox
        .file(folder, text)
        .mode("demo/servers", 0o755)
        .mode("demo/servers/server1", 0o700);
    sandbox.file(format!("demo/servers/server2/{}", file()), EVIL);
    sandbox.mode("demo/servers/server2", 0o700);
    sandbox
}

/// As JSON and TOML write it.
fn escaped() -> String {
    EVIL.chars()
        .map(|c| format!("\\u{:04x}", u32::from(c)))
        .collect()
}

/// A zpki.toml in which every text is like this.
fn wrong() -> String {
    let text = escaped();
    let sandbox = Sandbox::with_demo();
    let mut wrong = String::new();
    for line in sandbox.read("demo/zpki.toml").lines() {
        let line = match line.split_once(" = \"") {
            Some((key, _)) if !line.starts_with('#') => format!("{key} = \"{text}\" # {EVIL}"),
            _ => line.to_owned(),
        };
        wrong += &format!("{line}\n");
    }
    wrong + &format!("[ca]\nkey_file = \"{text}\"\n[\"{text}\"]\n\"{text}\" = 1\n")
}

fn haproxy() -> String {
    format!(
        "global # {EVIL}\n\nbackend apps # {EVIL}\n\
         \x20   server server1 127.0.0.1:17010 check # {EVIL}\n# {EVIL}\n\
         \x20   server server2 127.0.0.1:17011 ssl verify required ca-file \"{EVIL}\" crt {EVIL}\n"
    )
}

fn server_conf() -> String {
    format!(
        "[main] # {EVIL}\ngunicorn_bind=127.0.0.1:17010\n[crypto]\n# {EVIL}\nuse_tls=True\n\
         tls_client_certs={EVIL}\npriv_key_location={EVIL}\ncert_location={EVIL}\n\
         ca_certs_location={EVIL}\n"
    )
}

/// Runs a command line in which `EVIL` and `FILE` are what they say, as text and as JSON; nothing that
/// either says acts on a terminal. How much was said that had the evil in it, made harmless.
fn said(sandbox: &Sandbox, line: &str) -> usize {
    let word = |word: &str| OsString::from(word.replace("EVIL", EVIL).replace("FILE", &file()));
    let words: Vec<OsString> = line.split(' ').map(word).collect();
    let mut told = 0;
    for more in [&["--verbose"][..], &["--output=json"], &[]] {
        let more = more.iter().map(OsString::from);
        let run = sandbox.args(more.chain(words.clone()));
        let run = run.env("PATH", std::env::var("PATH").unwrap());
        let (status, said) = run.run().all();
        assert!(STATUSES.contains(&status), "{line}: {status}");
        for text in &said {
            let acts = |c: &char| {
                let is_layout = *c == '\n';
                let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}'
                    | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
                (c.is_control() && !is_layout) || turns
            };
            let found = text.chars().find(acts);
            assert_eq!(found, None, "{line}: {text}");
            assert!(
                text.lines().all(|line| line != "root.pem"),
                "{line}: {text}"
            );
            told += usize::from(text.contains("202e"));
        }
    }
    told
}

/// The same of each line, every one of which has to tell of what was evil.
fn all_tell(sandbox: &Sandbox, lines: &[&str]) {
    let silent = lines.iter().filter(|line| said(sandbox, line) == 0);
    assert_eq!(silent.collect::<Vec<_>>(), [&""; 0], "nothing is told");
}

/// Those that the README has.
const STATUSES: [i32; 14] = [0, 1, 2, 3, 10, 64, 65, 66, 73, 74, 75, 77, 78, 130];

#[test]
fn not_from_an_argument() {
    let sandbox = Sandbox::with_demo();
    let lines = [
        "list --output EVIL",
        "list --color=EVIL",
        "list --lock-timeout EVIL",
        "completions EVIL",
        "-C EVIL list",
        "-C EVIL plan",
        "-C EVIL apply",
        "-C EVIL check",
        "-C EVIL expiry",
        "-C EVIL log",
        "-C EVIL ca show",
        "-C EVIL backup out",
        "init EVIL --cluster x --server s=1.2.3.4:5 --no-ca-passphrase",
        "init new --cluster EVIL --server s=1.2.3.4:5 --no-ca-passphrase",
        "init new --cluster x --server EVIL=1.2.3.4:5 --no-ca-passphrase",
        "init new --cluster x --server s=EVIL --no-ca-passphrase",
        "init new --cluster x --server s=1.2.3.4:5,EVIL --no-ca-passphrase",
        "init new --cluster x --server s=1.2.3.4:5 --no-ca-passphrase --ca-file EVIL",
        "init new --cluster x --server s=1.2.3.4:5 --no-ca-passphrase --crt EVIL",
        "init new --cluster x --server s=1.2.3.4:5 --no-ca-passphrase --lifetime EVIL",
        "init new --cluster x --from-haproxy EVIL --no-ca-passphrase",
        "init new --config EVIL --no-ca-passphrase",
        "init new --cluster x --server s=1.2.3.4:5 --ca-passphrase-file EVIL",
        "-C demo show EVIL",
        "-C demo revoke EVIL",
        "-C demo revoke server1 --reason EVIL",
        "-C demo renew EVIL",
        "-C demo rekey EVIL",
        "-C demo log --since EVIL",
        "-C demo apply --only EVIL",
        "-C demo server add EVIL=1.2.3.4:5",
        "-C demo server remove EVIL",
        "-C demo snippet server EVIL",
        "-C demo export EVIL --format key-cert",
        "-C demo issue EVIL --role client",
        "-C demo issue x --role server --host EVIL --out out",
        "-C demo issue x --role client --out EVIL",
        "-C demo issue --csr EVIL --role client",
        "-C demo issue --from EVIL --out out",
        "-C demo ca import EVIL EVIL",
        "-C demo backup EVIL/EVIL",
        "restore EVIL EVIL",
        "import EVIL",
        "check EVIL --ca-file EVIL",
        "check demo/ca/ca.cert.pem --ca-file demo/ca/ca.cert.pem --host EVIL",
        "check demo/ca/ca.cert.pem --ca-file demo/ca/ca.cert.pem --at EVIL",
        "check --haproxy EVIL",
        "check --server-conf EVIL",
        "expiry EVIL",
        "expiry demo --warn EVIL",
        "expiry --haproxy EVIL --server-conf EVIL=EVIL",
        "-C demo config diff --haproxy EVIL",
        "-C demo config diff --server-conf EVIL=EVIL",
        "-C demo --yes config apply --haproxy EVIL",
        "-C demo config rollback --haproxy EVIL",
        "config apply --from EVIL --haproxy EVIL",
    ];
    all_tell(&sandbox, &lines);
    // These have nothing to say of it, or leave it out.
    let lines = [
        "EVIL",
        "show --EVIL",
        "help EVIL",
        "-C demo log EVIL",
        "-C demo list EVIL",
        "-C demo ca renew --ca-key EVIL",
        "expiry demo --exclude EVIL",
        "expiry demo --textfile EVIL/EVIL.prom",
    ];
    lines.iter().for_each(|line| _ = said(&sandbox, line));
}

#[test]
fn not_from_a_file() {
    let sandbox = hostile();
    let lines = [
        "show ca.pem",
        "show leaf.pem",
        "show crl.pem",
        "show request.pem",
        "show folder/FILE",
        "check leaf.pem --ca-file ca.pem",
        "check leaf.pem --ca-file ca.pem --crl-file crl.pem --as haproxy-server --host x.example",
        "check leaf.pem --ca-file demo/ca/ca.cert.pem",
        "check folder/FILE --ca-file folder/FILE",
        "check --haproxy haproxy.cfg",
        "check --haproxy broken.cfg",
        "check --server-conf server.conf",
        "check --server-conf broken.conf",
        "expiry folder",
        "expiry leaf.pem ca.pem crl.pem text",
        "expiry --haproxy haproxy.cfg --server-conf server.conf",
        "init new --config broken/zpki.toml --no-ca-passphrase",
        "init new --config wrong/zpki.toml --no-ca-passphrase",
        "-C broken plan",
        "-C wrong plan",
        "-C wrong check",
        "-C demo plan",
        "-C demo log",
        "-C demo issue --from list.csv --out out",
        "-C demo issue --from list.toml --out out",
        "-C demo config diff --haproxy broken.cfg --backend apps",
        "-C demo config diff --server-conf server1=broken.conf",
        "-C demo backup demo.tar",
        "-C demo apply",
    ];
    all_tell(&sandbox, &lines);
    let lines = [
        "expiry --haproxy broken.cfg --server-conf broken.conf",
        "init new --cluster x --from-haproxy haproxy.cfg --no-ca-passphrase",
        "-C demo check",
        "-C demo ca import ca.pem ca.key --force --no-ca-passphrase",
        "-C demo issue --csr request.pem --role client",
        "-C demo --yes config apply --haproxy haproxy.cfg --backend apps --validate cat<haproxy.cfg;false",
        "import folder --cluster x",
    ];
    lines.iter().for_each(|line| _ = said(&sandbox, line));
    for format in ["nagios", "prometheus", "jsonl"] {
        let words = [
            "expiry", "folder", "leaf.pem", "crl.pem", "ca.pem", "--output", format,
        ];
        let (_, [stdout, _]) = sandbox.args(words).run().all();
        let acts = |c: char| c.is_control() && c != '\n';
        assert!(!stdout.contains(acts), "{format}: {stdout}");
        assert!(stdout.contains("1b"), "{format}: {stdout}");
    }
}

/// The command of a hook stands in a file until it has succeeded, and is told of.
#[test]
fn not_from_a_command_that_is_owed() {
    let sandbox = Sandbox::with_demo();
    let hook = "-C demo rekey --all --force --exec it='EVIL';false";
    assert!(said(&sandbox, hook) > 0);
    all_tell(&sandbox, &["-C demo plan"]);
    assert_eq!(said(&sandbox, "-C demo backup owed.tar"), 0);
    all_tell(&sandbox, &["restore owed.tar copy"]);
    for line in ["-C demo check", "-C demo expiry"] {
        said(&sandbox, line);
    }
    assert!(said(&sandbox, "-C demo apply") > 0);
}

/// Somebody else's archive.
#[test]
fn not_from_a_backup() {
    let sandbox = Sandbox::new();
    sandbox.file(format!("folder/{}", file()), "x");
    let tar = ["--format=ustar", "-cf", "evil.tar", "-C", "folder", "."];
    sandbox.tool("tar", &tar);
    assert_eq!(
        said(&sandbox, "restore evil.tar new"),
        0,
        "it is refused before a name is read"
    );
    let name = file();
    sandbox.tool(
        "tar",
        &["--format=ustar", "-cf", "named.tar", "-C", "folder", &name],
    );
    assert!(said(&sandbox, "restore named.tar new") > 0);
    fs::remove_dir_all(sandbox.path("folder")).unwrap();
}
