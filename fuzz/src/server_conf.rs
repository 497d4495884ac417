//! `[crypto]` edited in a server.conf of anybody's: only what is said to change does, once, and reads
//! as it should.

use std::collections::BTreeMap;

use zpki::config::problem::Problem;
use zpki::config::server_conf::edit::{ChangedKey, Edited, Wanted, edit};
use zpki::config::server_conf::read_server_conf;
use zpki::config::server_conf::reason::Reason;
use zpki::domain::crypto::Crypto;
use zpki::domain::role::ClientCertificate;
use zpki::domain::server_conf::CryptoSettings;

use super::assert_harmless;

/// The input is an octet that says which certificates clients need and how files are named, and the
/// file.
pub fn run(bytes: &[u8]) {
    let Some((choice, file)) = bytes.split_first() else {
        return;
    };
    for problem in &read_server_conf(file).problems {
        assert_told(file, problem);
    }
    let crypto = crypto(*choice);
    let tls = Wanted::Tls(&crypto);
    if let Some(to_tls) = edited(file, tls) {
        assert_says(&to_tls.text, &crypto);
        let to_plain = edited(&to_tls.text, Wanted::Plain).expect("zpki wrote it");
        let changes: Vec<_> = to_plain
            .changes
            .iter()
            .map(|it| (it.key, &*it.to))
            .collect();
        assert_eq!(changes, [("use_tls", "False")]);
        let again = edited(&to_plain.text, tls).expect("zpki wrote it");
        assert_says(&again.text, &crypto);
    }
    edited(file, Wanted::Plain);
}

fn crypto(choice: u8) -> Crypto {
    let name = |file: &str| match choice >> 2 & 7 {
        0..4 => file.to_owned(),
        4 => format!("our, own/{file}"),
        5 => format!("it's {file} # not"),
        6 => format!("'\"{file}\""),
        _ => format!(" %({file}"),
    };
    let client_certificate = match choice & 3 {
        0 => ClientCertificate::None,
        1 => ClientCertificate::Optional,
        _ => ClientCertificate::Required,
    };
    Crypto {
        client_certificate,
        private_key: name("priv-key.pem"),
        public_key: name("pub-key.pem"),
        certificate: name("cert.pem"),
        ca_certificates: name("ca-certs.pem"),
    }
}

fn assert_told(file: &[u8], problem: &Problem<Reason>) {
    assert_harmless(problem);
    let lines = file.split(|octet| *octet == b'\n').count();
    assert!((1..=lines).contains(&problem.line), "{problem:?}");
}

/// The file edited, if it can be; and once more, which changes nothing.
fn edited(file: &[u8], wanted: Wanted<'_>) -> Option<Edited> {
    let edited = match edit(file, wanted) {
        Ok(edited) => edited,
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in &problems {
                assert_told(file, problem);
                assert_harmless(problem.reason.hint().expect("there is something to do"));
            }
            return None;
        }
    };
    assert_eq!(edited.changes.is_empty(), edited.text == file);
    assert_kept(file, &edited);
    let again = edit(&edited.text, wanted).expect("zpki wrote it");
    assert_eq!(again.changes, []);
    assert_eq!(again.text, edited.text);
    Some(edited)
}

/// The lines that stay are there, in their order; of one that changes, what is before the value and
/// behind it stays.
fn assert_kept(before: &[u8], edited: &Edited) {
    let changes: BTreeMap<usize, &ChangedKey> =
        edited.changes.iter().map(|it| (it.line, it)).collect();
    assert_eq!(changes.len(), edited.changes.len());
    let mut old = lines(before).peekable();
    for (line, number) in lines(&edited.text).zip(1..) {
        match changes.get(&number) {
            Some(change) if change.from.is_none() => assert!(has_key(line, change.key)),
            Some(change) => {
                let first = old.next().expect("there was a value");
                assert!(has_key(first, change.key) && has_key(line, change.key));
                let equals = line.iter().position(|octet| *octet == b'=');
                let equals = equals.expect("a key has a value");
                assert_eq!(first[..=equals], line[..=equals]);
                let line_ends = change.from.as_deref().unwrap_or_default().matches('\n');
                let last = line_ends.fold(first, |_, _| old.next().expect("the value ends"));
                let comment = comment_behind(&line[equals + 1..], &change.to);
                assert!(last.ends_with(comment), "{}", line.escape_ascii());
            }
            None if old.peek() == Some(&line) => drop(old.next()),
            // A new section, with a blank line before it.
            None => assert!(line.is_empty() || line == b"[crypto]"),
        }
    }
    assert_eq!(old.next(), None);
}

/// The comment behind a value, whose quotes are its own.
fn comment_behind<'a>(text: &'a [u8], value: &str) -> &'a [u8] {
    let start = text
        .windows(value.len().max(1))
        .position(|it| it == value.as_bytes());
    let behind = &text[start.unwrap_or_default() + value.len()..];
    let comment = behind.iter().position(|octet| *octet == b'#');
    comment.map_or(b"", |at| &behind[at..])
}

/// The lines without their ends, and without what marks a file as UTF-8.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let lines = text.split_inclusive(|octet| *octet == b'\n');
    lines.map(|line| match line.strip_suffix(b"\n") {
        Some(line) => line.strip_suffix(b"\r").unwrap_or(line),
        // A carriage return alone ends no line here.
        None => line,
    })
}

/// Whether the line begins with the key, behind white space of Python's and a quote.
fn has_key(line: &[u8], key: &str) -> bool {
    let start = line.iter().position(u8::is_ascii_alphabetic);
    start.is_some_and(|start| line[start..].starts_with(key.as_bytes()))
}

/// The server would read what is wanted. A line that is not UTF-8 ends it at its start, and may be
/// edited all the same.
fn assert_says(text: &[u8], crypto: &Crypto) {
    if str::from_utf8(text).is_err() {
        return;
    }
    let reading = read_server_conf(text);
    let CryptoSettings {
        use_tls,
        tls_protocol,
        tls_ciphers,
        tls_client_certs,
        priv_key_location,
        pub_key_location,
        cert_location,
        ca_certs_location,
        line: _,
        tls_version: _,
    } = reading.value.crypto.expect("zpki wrote it");
    assert_eq!(use_tls.map(|it| it.value), Some(true));
    let client_certificate = tls_client_certs.map(|it| it.value);
    assert_eq!(client_certificate, Some(crypto.client_certificate));
    assert!(tls_protocol.is_some() && tls_ciphers.is_some());
    for (found, wanted) in [
        (priv_key_location, &crypto.private_key),
        (pub_key_location, &crypto.public_key),
        (cert_location, &crypto.certificate),
        (ca_certs_location, &crypto.ca_certificates),
    ] {
        assert_eq!(found.map(|it| it.value).as_ref(), Some(wanted));
    }
}
