//! Input made to do harm, to the real program: an exit status of the README, soon, in little memory, and
//! nothing written. What `check` is given is in tests/check_hostile.rs, archives in src/store/archive.rs.

use std::fs;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::e2e::process::find;
use crate::sandbox::{PROGRAM, Sandbox};

/// For an unoptimised build on a busy machine, in seconds; none takes a tenth of it.
const SECONDS: &str = "120";

/// What a process may allocate: 1 GB, in KiB.
const MEMORY: &str = "1000000";

/// Runs the real program within these limits; it is refused with `status` and says `part`, and nothing has
/// changed.
#[track_caller]
fn refused(sandbox: &Sandbox, line: &str, status: i32, part: &str) {
    let before = sandbox.tree();
    let (found, said) = bounded(sandbox, line);
    let beginning: String = said.chars().take(2_000).collect();
    assert_eq!(found, status, "{line}: {beginning}");
    assert!(said.contains(part), "{line}: no {part:?} in {beginning}");
    assert!(
        said.len() < 1_000_000,
        "{line}: {} octets are said",
        said.len()
    );
    assert_eq!(sandbox.tree(), before, "{line}");
}

fn bounded(sandbox: &Sandbox, line: &str) -> (i32, String) {
    let output = Command::new("sh")
        .args(["-c", r#"ulimit -d "$0" && exec "$@""#, MEMORY])
        .arg(find("timeout"))
        .args(["--signal=KILL", SECONDS, PROGRAM])
        .args(line.split_whitespace())
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap())
        .env("ZPKI_CA_PASSPHRASE", "secret")
        .current_dir(sandbox.path(""))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap_or(-1), said)
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .map(|at| &text[at..text.len().min(at + 64)])
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// An element in DER.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let length = match u16::try_from(length) {
        Ok(length @ 0..0x80) => vec![length as u8],
        Ok(length @ 0x80..0x100) => vec![0x81, length as u8],
        Ok(length) => [&[0x82][..], &length.to_be_bytes()].concat(),
        Err(_) => [&[0x84][..], &(length as u32).to_be_bytes()].concat(),
    };
    [&[tag][..], &length, content].concat()
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    der(0x30, &parts.concat())
}

#[test]
fn a_zpki_toml() {
    let sandbox = Sandbox::with_demo();
    let good = sandbox.read("demo/zpki.toml");
    let many =
        |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<String>();
    let cases = [
        (
            "x = \"".to_owned() + &"y".repeat(10_000_000) + "\"\n",
            "unknown key `x`",
        ),
        ("x = ".to_owned() + &"[".repeat(100_000), "recursion"),
        ("x = ".to_owned() + &"{a=".repeat(100_000), "recursion"),
        ("a.".repeat(100_000) + "a = 1\n", "recursion"),
        (format!("[{}a]\n", "a.".repeat(100_000)), "recursion"),
        (
            format!("x = [{}]\n", "1,".repeat(1_000_000)),
            "unknown key `x`",
        ),
        (
            many(10_000, &|n| format!("key{n} = 1\n")),
            "unknown key `key0`",
        ),
        (
            many(10_000, &|_| {
                "[[servers]]\nname = \"s\"\naddress = \"10.0.0.1:1\"\n".to_owned()
            }),
            "there are two entries named `s`",
        ),
        ("\0".to_owned(), "not TOML"),
    ];
    for (more, part) in cases {
        sandbox.file("demo/zpki.toml", format!("{good}\n{more}"));
        refused(&sandbox, "-C demo apply", 78, part);
    }
    for name in [
        "../../evil",
        "/evil",
        "..",
        ".",
        "a/b",
        "a\\\\b",
        "ca",
        "CA",
        "load-balancer",
    ] {
        sandbox.file(
            "demo/zpki.toml",
            good.replace("\"server1\"", &format!("\"{name}\"")),
        );
        refused(&sandbox, "-C demo apply", 78, "name = ");
    }
    for path in ["a\\u0000b", "a\\u001bb"] {
        let text = good.replace("[ca]\n", &format!("[ca]\nkey_file = \"{path}\"\n"));
        sandbox.file("demo/zpki.toml", text);
        refused(&sandbox, "-C demo apply", 78, "key_file = ");
    }
    sandbox.file("demo/zpki.toml", [0xff; 100].as_slice());
    refused(&sandbox, "-C demo apply", 78, "UTF-8");
    let long = fs::File::create(sandbox.path("demo/zpki.toml")).unwrap();
    long.set_len(1 << 40).unwrap();
    drop(long);
    let (status, said) = bounded(&sandbox, "-C demo plan");
    assert_eq!(status, 74, "{said}");
    fs::remove_file(sandbox.path("demo/zpki.toml")).unwrap();
}

/// Each request is made by OpenSSL for the same key.
fn request(sandbox: &Sandbox, extensions: &[&str]) {
    let key = [
        "ecparam",
        "-name",
        "prime256v1",
        "-genkey",
        "-noout",
        "-out",
        "key.pem",
    ];
    sandbox.tool("openssl", &key);
    request_for(sandbox, extensions);
}

fn request_for(sandbox: &Sandbox, extensions: &[&str]) {
    let new = [
        "req",
        "-new",
        "-key",
        "key.pem",
        "-subj",
        "/CN=a",
        "-out",
        "request.pem",
    ];
    sandbox.tool("openssl", &[&new[..], extensions].concat());
}

#[test]
fn a_request() {
    let sandbox = Sandbox::with_demo();
    let issue = "-C demo issue --csr request.pem --role server";
    // A NUL ends the name for whoever reads it in C.
    let nul = ["-addext", "subjectAltName=DER:300c820a61002e6578616d706c65"];
    request(&sandbox, &nul);
    refused(&sandbox, issue, 65, r"a\u{0}.example");
    let escape = ["-addext", "subjectAltName=DER:300c820a611b2e6578616d706c65"];
    request_for(&sandbox, &escape);
    refused(&sandbox, issue, 65, r"a\u{1b}.example");
    let explicit = "ecparam -name prime256v1 -param_enc explicit -genkey -noout -out key.pem";
    sandbox.tool("openssl", &explicit.split(' ').collect::<Vec<_>>());
    request_for(&sandbox, &["-addext", "subjectAltName=DNS:a.example"]);
    refused(&sandbox, issue, 65, "for a key of the algorithm");
    for request in [
        vec![0x30; 16 << 20],
        [&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff][..], &[0; 100]].concat(),
        sequence(&vec![der(2, &[1]); 100_000]),
        // Deeper than any stack.
        (0..10_000).fold(Vec::new(), |inner, _| der(0x30, &inner)),
    ] {
        sandbox.file("request.pem", pem("CERTIFICATE REQUEST", &request));
        refused(&sandbox, issue, 65, "it is no PKCS#10");
    }
    sandbox.file("request.pem", vec![b'-'; 65 << 20]);
    refused(&sandbox, issue, 66, "file too large");
}

/// What it asks for besides, and however often: it gets a certificate as everybody does.
#[test]
fn a_request_that_wants_more() {
    let sandbox = Sandbox::with_demo();
    let names: Vec<String> = (0..10_000).map(|n| format!("DNS:h{n}.example")).collect();
    let text = format!(
        "[req]\nprompt=no\ndistinguished_name=d\nreq_extensions=e\n[d]\nCN=a\n[e]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n1.2.3.4=critical,DER:0500\nsubjectAltName={}\n",
        names.join(",")
    );
    sandbox.file("many.cnf", text);
    request(&sandbox, &["-config", "many.cnf"]);
    let (status, said) = bounded(
        &sandbox,
        "-C demo issue --csr request.pem --role client --out out",
    );
    assert_eq!(status, 0, "{said}");
    let made = fs::read_dir(sandbox.path("out")).unwrap();
    let made = made.map(|it| it.unwrap().file_name().into_string().unwrap());
    let made = made
        .into_iter()
        .find(|it| it.ends_with(".cert.pem") && !it.starts_with("ca."))
        .unwrap();
    let shown = sandbox.tool(
        "openssl",
        &["x509", "-noout", "-text", "-in", &format!("out/{made}")],
    );
    assert!(shown.contains("CA:FALSE"), "{shown}");
    assert!(!shown.contains("Certificate Sign") && !shown.contains("1.2.3.4"));
    assert_eq!(shown.matches("DNS:").count(), 10_000);
}

const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
const HMAC_SHA_256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 9];
const SCRYPT: &[u8] = &[0x2b, 6, 1, 4, 1, 0xda, 0x47, 4, 11];
const AES_256_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42];
const PBE_SHA1_3DES: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1, 3];

fn integer(value: u64) -> Vec<u8> {
    let octets = value.to_be_bytes();
    let zeros = octets.iter().take_while(|it| **it == 0).count().min(7);
    let sign = if octets[zeros] & 0x80 == 0 {
        &[][..]
    } else {
        &[0]
    };
    der(2, &[sign, &octets[zeros..]].concat())
}

/// An EncryptedPrivateKeyInfo (RFC 5958 3) of 64 octets by this scheme.
fn encrypted(scheme: &[u8], parameters: &[Vec<u8>]) -> String {
    let algorithm = sequence(&[der(6, scheme), sequence(parameters)]);
    pem(
        "ENCRYPTED PRIVATE KEY",
        &sequence(&[algorithm, der(4, &[7; 64])]),
    )
}

fn pbes2(derivation: &[u8], parameters: &[Vec<u8>]) -> String {
    let derivation = sequence(&[der(6, derivation), sequence(parameters)]);
    let cipher = sequence(&[der(6, AES_256_CBC), der(4, &[1; 16])]);
    encrypted(PBES2, &[derivation, cipher])
}

/// A file decides how long its passphrase is tried, and in how much memory.
#[test]
fn a_key_that_takes_for_ever_to_decrypt() {
    let sandbox = Sandbox::with_demo();
    let is_not_tried = |key: String| {
        sandbox
            .file("demo/ca/ca.key.pem", key)
            .mode("demo/ca/ca.key.pem", 0o600);
        refused(
            &sandbox,
            "-C demo renew server1 --force",
            65,
            "which zpki does not read",
        );
    };
    let salt = || der(4, b"salt salt");
    for iterations in [10_000_001, 2_147_483_647, 4_294_967_295] {
        is_not_tried(pbes2(PBKDF2, &[salt(), integer(iterations)]));
        is_not_tried(encrypted(PBE_SHA1_3DES, &[salt(), integer(iterations)]));
    }
    // N, r, p: too much memory, too much of it each time, too often.
    for cost in [[1 << 30, 8, 1], [1 << 14, 60_000, 1], [1 << 14, 8, 60_000]] {
        let key = pbes2(SCRYPT, &[vec![salt()], cost.map(integer).to_vec()].concat());
        is_not_tried(key);
    }
    // The most that is tried, by the hash that zpki uses too.
    let hash = sequence(&[der(6, HMAC_SHA_256), der(5, &[])]);
    let key = pbes2(PBKDF2, &[salt(), integer(10_000_000), hash]);
    sandbox
        .file("demo/ca/ca.key.pem", key)
        .mode("demo/ca/ca.key.pem", 0o600);
    refused(&sandbox, "-C demo renew server1 --force", 77, "passphrase");
}

/// As trust bundle, as certificate, as CRL and as what is to be imported.
#[test]
fn certificates() {
    let sandbox = Sandbox::with_demo();
    let good = sandbox.read("demo/ca/ca.cert.pem");
    let begin = "-----BEGIN CERTIFICATE-----\n";
    let cases = [
        ("many", good.repeat(2_000)),
        ("begins", begin.repeat(100_000)),
        (
            "deep",
            pem(
                "CERTIFICATE",
                &(0..10_000).fold(Vec::new(), |inner, _| der(0x30, &inner)),
            ),
        ),
        (
            "wide",
            pem("CERTIFICATE", &sequence(&vec![der(2, &[1]); 100_000])),
        ),
        (
            "lies",
            pem("CERTIFICATE", &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x30]),
        ),
        ("nothing", "\n".repeat(1_000_000)),
        ("headers", format!("{begin}{}\n", "a: b\n".repeat(100_000))),
    ];
    for (name, text) in cases {
        sandbox.file("evil.pem", text);
        let before = sandbox.tree();
        for line in [
            "show evil.pem",
            "check evil.pem --ca-file demo/ca/ca.cert.pem",
            "check demo/ca/ca.cert.pem --ca-file evil.pem",
            "check demo/ca/ca.cert.pem --ca-file demo/ca/ca.cert.pem --crl-file evil.pem",
            "expiry evil.pem",
            "-C demo ca import evil.pem demo/ca/ca.key.pem --force",
            "-C demo ca import demo/ca/ca.cert.pem evil.pem --force",
        ] {
            let (status, said) = bounded(&sandbox, line);
            let said: String = said.chars().take(1_000).collect();
            let is_known = [0, 1, 2, 3, 65, 73].contains(&status);
            assert!(is_known, "{name}: {line}: {status} {said}");
            assert!(!said.contains("panicked"), "{name}: {line}: {said}");
            assert_eq!(sandbox.tree(), before, "{name}: {line}");
        }
    }
}

/// What a killed run seems to have left, to be done by the next one.
#[test]
fn a_journal() {
    let sandbox = Sandbox::with_demo();
    sandbox.file("victim", "somebody else's\n");
    let digest = zpki::x509::digest::sha256(b"somebody else's\n").to_string();
    let victim = sandbox.path("victim").display().to_string();
    let leads_out = "leads out of the PKI directory";
    for (path, because) in [
        ("../victim", leads_out),
        ("ca/../../victim", leads_out),
        (&victim, leads_out),
        ("", "is empty"),
        (".", leads_out),
        ("/", leads_out),
    ] {
        let said = format!("cannot be read: the path `{path}` {because}");
        for step in [
            format!(r#"{{"change":"delete","path":"{path}","before":"{digest}"}}"#),
            format!(r#"{{"change":"move","from":"{path}","to":"x","before":"{digest}"}}"#),
            format!(r#"{{"change":"move","from":"zpki.toml","to":"{path}","before":"{digest}"}}"#),
            format!(r#"{{"change":"move-directory","from":"ca","to":"{path}"}}"#),
            format!(r#"{{"change":"set-mode","path":"{path}","before":420,"mode":511}}"#),
        ] {
            let journal = format!(r#"{{"schema":1,"directories":[],"steps":[{step}]}}"#);
            sandbox.file("demo/.zpki/journal", journal);
            sandbox.mode("demo/.zpki", 0o700).mode("demo", 0o755);
            refused(&sandbox, "-C demo renew --all", 74, &said);
        }
    }
    for (journal, because) in [
        ("{".repeat(1_000_000), "key must be a string"),
        ("[".repeat(1_000_000), "invalid type: sequence"),
        ("\0".repeat(1_000), "expected value"),
    ] {
        sandbox.file("demo/.zpki/journal", journal);
        sandbox.mode("demo/.zpki", 0o700);
        let said = format!("cannot be read: {because}");
        refused(&sandbox, "-C demo renew --all", 74, &said);
    }
}
