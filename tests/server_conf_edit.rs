//! `[crypto]` in somebody's server.conf, edited: a corpus under tests/corpus/server_conf (each folder
//! with `before.conf`, and `tls.conf` and `plain.conf` where that is another text), and properties of
//! random files. `BLESS=1 cargo test corpus` writes what is expected.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use zpki::config::problem::Problem;
use zpki::config::server_conf::edit::{ChangedKey, Edited, Wanted, edit};
use zpki::config::server_conf::read_server_conf;
use zpki::config::server_conf::reason::Reason;
use zpki::domain::crypto::Crypto;
use zpki::domain::role::ClientCertificate;

/// What the tests want.
pub(crate) fn crypto() -> Crypto {
    Crypto {
        client_certificate: ClientCertificate::Required,
        private_key: "zato-server-priv-key.pem".to_owned(),
        public_key: "zato-server-pub-key.pem".to_owned(),
        certificate: "zato-server-cert.pem".to_owned(),
        ca_certificates: "zato-server-ca-certs.pem".to_owned(),
    }
}

/// The files of the corpus, each with its folder.
pub(crate) fn corpus() -> Vec<(PathBuf, Vec<u8>)> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/server_conf");
    let folders = fs::read_dir(corpus).unwrap();
    let mut files: Vec<_> = folders
        .map(|folder| {
            let folder = folder.unwrap().path();
            let text = fs::read(folder.join("before.conf")).unwrap();
            (folder, text)
        })
        .collect();
    files.sort();
    assert!(files.len() >= 50, "{}", files.len());
    files
}

fn tls(text: &[u8]) -> Edited {
    edit(text, Wanted::Tls(&crypto())).unwrap()
}

fn plain(text: &[u8]) -> Edited {
    edit(text, Wanted::Plain).unwrap()
}

#[test]
fn each_file_of_the_corpus_becomes_what_it_should_byte_for_byte() {
    for (folder, before) in corpus() {
        let (to_tls, to_plain) = (tls(&before), plain(&before));
        expect(&folder.join("tls.conf"), &before, &to_tls);
        expect(&folder.join("plain.conf"), &before, &to_plain);
        let shown = folder.display();
        assert_eq!(tls(&to_tls.text).changes, [], "{shown}");
        assert_eq!(tls(&to_tls.text).text, to_tls.text, "{shown}");
        assert_eq!(plain(&to_plain.text).text, to_plain.text, "{shown}");
        let back = plain(&to_tls.text);
        let [change] = &back.changes[..] else {
            panic!("{shown}: {:?}", back.changes)
        };
        assert_eq!((change.key, change.to.as_str()), ("use_tls", "False"));
        assert_kept(&to_tls.text, &back);
    }
}

/// Compares with the file, which is there when the text changes; or with `BLESS=1` writes it.
fn expect(file: &Path, before: &[u8], edited: &Edited) {
    let changed = edited.text != before;
    assert_eq!(changed, !edited.changes.is_empty(), "{}", file.display());
    if std::env::var_os("BLESS").is_some() {
        match changed {
            true => fs::write(file, &edited.text).unwrap(),
            false if file.exists() => fs::remove_file(file).unwrap(),
            false => (),
        }
    }
    assert_eq!(file.exists(), changed, "{}", file.display());
    if changed {
        let expected = fs::read(file).unwrap();
        let shown = |text: &[u8]| text.escape_ascii().to_string().replace("\\n", "\\n\n");
        assert_eq!(shown(&edited.text), shown(&expected), "{}", file.display());
    }
}

/// The lines that stay are there, in their order, and the others are those that are said to change.
fn assert_kept(before: &[u8], edited: &Edited) {
    let changes: BTreeMap<usize, &ChangedKey> = edited
        .changes
        .iter()
        .map(|change| (change.line, change))
        .collect();
    assert_eq!(changes.len(), edited.changes.len());
    let mut before = lines(before).peekable();
    for (line, number) in lines(&edited.text).zip(1..) {
        match changes.get(&number) {
            Some(change) if change.from.is_none() => assert!(has_key(line, change.key)),
            Some(change) => {
                let old = before.next().unwrap();
                assert!(has_key(old, change.key) && has_key(line, change.key));
                let head = old.iter().position(|byte| *byte == b'=').unwrap();
                assert_eq!(old[..=head], line[..=head]);
                let comment = |line: &[u8]| {
                    let at = line.iter().position(|byte| *byte == b'#');
                    at.map(|at| line[at..].to_owned())
                };
                assert_eq!(comment(old), comment(line));
            }
            None if before.peek() == Some(&line) => drop(before.next()),
            // A new section, with a blank line before it.
            None => assert!(line.is_empty() || line == b"[crypto]"),
        }
    }
    assert_eq!(before.next(), None);
}

/// The lines without their ends, and without what marks a file as UTF-8.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    lines.map(|line| {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        line.strip_suffix(b"\r").unwrap_or(line)
    })
}

fn has_key(line: &[u8], key: &str) -> bool {
    let line = line.trim_ascii_start();
    let quotes = line.iter().take_while(|byte| b"'\"".contains(byte)).count();
    line[quotes..].starts_with(key.as_bytes())
}

/// Lines of which any order, and any choice, is a file.
const LINES: &[&[u8]] = &[
    b"",
    b" \t ",
    b"# caf\xe9",
    b"\t# [crypto]",
    b"use_tls = False # off",
    b"tls_version=TLSv1",
    b"tls_protocol\t=\tTLSv1 ",
    b"tls_ciphers=A:B",
    b"  tls_client_certs = 'none' # \xff",
    b"priv_key_location=\"a, b.pem\" # comma",
    b"'pub_key_location' = a.pem",
    b"cert_location=",
    b"ca_certs_location=zato-server-ca-certs.pem  ",
    b"vault=a, b",
    b"owner=Andr\xe9",
    b"note='''x''' # y",
    b"[crypto]",
    b"  [[theirs]] # use_tls",
    b"[main] # \xfe",
    b"[odb]",
];

/// Files with any of the lines, each once.
fn files() -> impl Strategy<Value = Vec<u8>> {
    let lines = prop::sample::subsequence(LINES, 0..=LINES.len()).prop_shuffle();
    let line_ends = prop_oneof![Just(&b"\n"[..]), Just(&b"\r\n"[..])];
    (lines, line_ends, any::<[bool; 3]>()).prop_map(|(mut lines, end, [mark, first, last])| {
        if first {
            lines.sort_by_key(|line| *line != b"[crypto]");
        }
        let mut text = lines.join(end);
        if last {
            text.extend_from_slice(end);
        }
        if mark {
            text.splice(..0, *b"\xef\xbb\xbf");
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_what_is_said_to_change_does(before in files()) {
        let Ok(to_tls) = edit(&before, Wanted::Tls(&crypto())) else {
            // A section within one that there is none of.
            let problems = read_server_conf(&before).problems;
            let is_nesting = |problem: &Problem<Reason>| problem.reason == Reason::Nesting;
            prop_assert!(problems.iter().any(is_nesting));
            return Ok(());
        };
        assert_kept(&before, &to_tls);
        let ended = before.ends_with(b"\n") || lines(&before).next().is_none();
        prop_assert_eq!(ended, to_tls.text.ends_with(b"\n"));
        prop_assert_eq!(tls(&to_tls.text), Edited { text: to_tls.text.clone(), changes: vec![] });
        let to_plain = plain(&to_tls.text);
        assert_kept(&to_tls.text, &to_plain);
        prop_assert_eq!(to_plain.changes.len(), 1);
        prop_assert_eq!(&tls(&to_plain.text).text, &to_tls.text);
        assert_kept(&before, &plain(&before));
    }

    #[test]
    fn no_bytes_make_the_editor_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = edit(&bytes, Wanted::Tls(&crypto()));
        let _ = edit(&bytes, Wanted::Plain);
    }
}
