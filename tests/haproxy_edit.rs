//! Server lines edited in place: byte for byte on a corpus, and as HAProxy and Zato's agent read
//! the result.

mod corpus;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use zpki::config::haproxy::{Edited, Scope, Wanted, edit};
use zpki::domain::server_line::TlsOptions;

use crate::e2e::process::tool;
use corpus::{CORPUS, Case, Frame};

/// The servers that every case asks for.
const NAMES: [&str; 4] = ["s1", "s2", "s3", "a-B.c_9"];

/// Where the files are that the corpus names.
const TLS: &str = "/tls/";

const HEAD: &str = "\
# für alle
global
    ca-base /tls
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
";

impl Frame {
    fn scope(self) -> Scope {
        match self {
            Self::Zato => Scope::Zato("bck_http_plain".parse().unwrap()),
            Self::Section | Self::File => Scope::Section("apps".parse().unwrap()),
        }
    }

    fn around(self, lines: &str) -> String {
        match self {
            Self::Zato => format!(
                "{HEAD}backend more\n    server s1 127.0.0.1:1\nbackend bck_http_plain\n\
                 # ZATO begin backend bck_http_plain\n{lines}# ZATO end backend bck_http_plain\n\
                 frontend front_http_plain\n    bind 127.0.0.1:11223\n"
            ),
            Self::Section => format!(
                "{HEAD}backend apps2\n    server s1 127.0.0.1:1\nbackend apps\n{lines}\
                 listen more\n    bind 127.0.0.1:11223\n    server s1 127.0.0.1:1\n"
            ),
            Self::File => format!("{HEAD}{lines}"),
        }
    }

    /// The whole file, for `lines` as the corpus has them.
    fn file(self, lines: &str) -> String {
        let mut text = self.around(lines);
        for name in NAMES.into_iter().chain(["other"]) {
            let comment = format!("# ZATO backend bck_http_plain:server--{name}");
            text = text.replace(&format!("<{name}>"), &tls_text(name));
            for end in [" ", "\n"] {
                text = text.replace(&format!("# ZATO {name}{end}"), &format!("{comment}{end}"));
            }
        }
        text
    }
}

/// The corpus in its forms, before and after, and whether it is of another than Zato's.
pub(crate) fn files() -> Vec<(bool, Vec<u8>)> {
    let files = CORPUS.iter().flat_map(|case| {
        let texts = [case.before, case.secured].map(|lines| case.frame.file(lines));
        let files = texts
            .iter()
            .flat_map(|text| forms(text))
            .collect::<Vec<_>>();
        files
            .into_iter()
            .map(|file| (case.frame != Frame::Zato, file))
    });
    files.collect()
}

/// The name that a server's certificate has.
fn host(name: &str) -> String {
    format!("{name}.internal").to_lowercase().replace('_', "-")
}

/// zpki's options as they are documented.
fn tls_text(name: &str) -> String {
    let host = host(name);
    format!(
        "ssl verify required ca-file /tls/ca.pem crt /tls/key-cert.pem crl-file /tls/crl.pem \
         sni str({host}) check-sni {host} verifyhost {host}"
    )
}

fn tls(directory: &str, name: &str) -> TlsOptions {
    let path = |file: &str| format!("{directory}{file}").parse().unwrap();
    TlsOptions {
        ca_file: path("ca.pem"),
        crt: Some(path("key-cert.pem")),
        crl_file: Some(path("crl.pem")),
        verifyhost: Some(host(name).parse().unwrap()),
    }
}

/// `file` with every server as it is to be with these files, or without TLS.
fn edited(case: &Case, file: &[u8], directory: Option<&str>) -> Edited {
    let wanted = NAMES.map(|name| Wanted {
        name: name.parse().unwrap(),
        tls: directory.map(|directory| tls(directory, name)),
        disabled: None,
    });
    edit(file, &case.frame.scope(), &wanted)
        .unwrap_or_else(|problems| panic!("{}: {problems:?}", case.about))
}

/// The forms that a text may come in: as it is; with carriage returns; with a byte order mark and
/// no line feed at its end; with Latin-1 in its first comment.
fn forms(text: &str) -> [Vec<u8>; 4] {
    let (front, back) = text.split_once('ü').unwrap();
    [
        text.as_bytes().to_vec(),
        text.replace('\n', "\r\n").into_bytes(),
        format!("\u{feff}{}", text.strip_suffix('\n').unwrap()).into_bytes(),
        [front.as_bytes(), b"\xfc", back.as_bytes()].concat(),
    ]
}

fn compare(case: &Case, found: &[u8], expected: &[u8]) {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(text(found), text(expected), "{}", case.about);
    assert_eq!(found, expected, "{}", case.about);
}

#[test]
fn every_byte_of_the_corpus_is_as_expected() {
    assert!(CORPUS.len() >= 40);
    for case in CORPUS {
        let before = case.frame.file(case.before);
        let secured = case.frame.file(case.secured);
        let plain = case.frame.file(case.plain.unwrap_or(case.before));
        let forms = forms(&before)
            .into_iter()
            .zip(forms(&secured))
            .zip(forms(&plain));
        for ((before, secured), plain) in forms {
            let applied = edited(case, &before, Some(TLS));
            compare(case, &applied.text, &secured);
            let is_changed = applied.lines.iter().any(|line| line.is_changed);
            assert_eq!(is_changed, before != secured, "{}", case.about);

            let again = edited(case, &secured, Some(TLS));
            compare(case, &again.text, &secured);
            assert!(again.lines.iter().all(|line| !line.is_changed));

            compare(case, &edited(case, &secured, None).text, &plain);
            compare(case, &edited(case, &before, None).text, &plain);
            compare(case, &edited(case, &plain, None).text, &plain);
        }
    }
}

/// That HAProxy reads the options is seen from what it says when a file is not there.
#[test]
fn haproxy_reads_what_was_edited() {
    let directory = tempfile::tempdir().unwrap();
    make_files(directory.path());
    let there = format!("{}/", directory.path().to_str().unwrap());
    let missing = format!("{there}none/");
    for case in CORPUS {
        let before = case.frame.file(case.before).replace(TLS, &there);
        let before = before.replace("ca-base /tls", &format!("ca-base {there}"));
        let secured = edited(case, before.as_bytes(), Some(&there));
        let output = haproxy(directory.path(), &secured.text);
        assert!(output.status.success(), "{}: {output:?}", case.about);

        for line_end in ["\n", "\r\n"] {
            let before = before.replace('\n', line_end);
            let lost = edited(case, before.as_bytes(), Some(&missing));
            let output = haproxy(directory.path(), &lost.text);
            let said = String::from_utf8_lossy(&output.stderr);
            let count = said.matches(&format!("{missing}ca.pem' (No such")).count();
            assert_eq!(count, lost.lines.len(), "{}: {said}", case.about);
        }
    }
}

fn make_files(directory: &Path) {
    let arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
                     -subj /CN=test -keyout - -out -";
    let made = tool("openssl")
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    // HAProxy takes a certificate for a CRL too.
    for file in ["ca.pem", "crl.pem", "key-cert.pem"] {
        fs::write(directory.join(file), &made.stdout).unwrap();
    }
}

fn haproxy(directory: &Path, text: &[u8]) -> Output {
    let file = directory.join("haproxy.cfg");
    fs::write(&file, text).unwrap();
    tool("haproxy")
        .args(["-c", "-f"])
        .arg(file)
        .env("HOME", "/home")
        .env("NAME", "name")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// The grammar of Zato's agent for a server line.
const AGENT: &str = r"
import re, sys

NAME = r'[A-Za-z0-9._-]+'
LINE = re.compile(
    r'\s*server (http_plain--(%s)) (%s):(\d+)(?: (?P<extra>.*?))? ?'
    r'# ZATO backend bck_http_plain:server--(%s)\s*' % (NAME, NAME, NAME)
)
for line in sys.stdin.read().replace('\t', ' ').split('\n'):
    line = re.sub(' +', ' ', line)
    if not line.strip().startswith('server '):
        continue
    match = LINE.fullmatch(line)
    if not match or match.group(2) != match.group(6) or line.count('# ZATO ') != 1:
        sys.exit('not read: ' + line)
    print(match.group('extra') or '')
";

#[test]
fn the_agent_reads_what_was_edited() {
    let mut text = Vec::new();
    let mut expected = Vec::new();
    for case in CORPUS.iter().filter(|case| case.frame == Frame::Zato) {
        let before = case.frame.file(case.before);
        let secured = edited(case, before.as_bytes(), Some(TLS));
        let block = secured
            .text
            .split(|byte| *byte == b'\n')
            .skip_while(|line| !line.starts_with(b"# ZATO begin"));
        text.extend(block.collect::<Vec<_>>().join(&b'\n'));
        expected.extend(
            secured
                .lines
                .iter()
                .map(|line| (case.about, tls_text(line.name.as_str()))),
        );
        expected.extend(
            secured
                .unknown
                .iter()
                .map(|_| (case.about, "ssl verify none".to_owned())),
        );
    }
    let extras = agent(&text);
    assert_eq!(extras.lines().count(), expected.len());
    for (extra, (about, tls)) in extras.lines().zip(expected) {
        let mut words = tls.split(' ');
        let has_all = words.all(|word| extra.contains(word)) || extra.contains("'.'pem");
        assert!(has_all, "{about}: {extra}");
    }
}

/// What the agent takes for the options of each server.
fn agent(text: &[u8]) -> String {
    let mut python = tool("python3")
        .args(["-c", AGENT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(text).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
