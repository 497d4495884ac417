//! Server lines edited in a file of anybody's: only what is zpki's changes, once, and goes without a
//! trace.

use zpki::config::haproxy::{Edited, Scope, Wanted, edit, read_configuration, read_servers};
use zpki::config::unreadable::Unreadable;
use zpki::domain::server_line::{ServerOption, TlsOptions, options};
use zpki::domain::words::split_expanding;

use super::assert_harmless;

/// The input is an octet that says what is wanted, and the file.
pub fn run(bytes: &[u8]) {
    let Some((choice, file)) = bytes.split_first() else {
        return;
    };
    let scope = if choice & 1 == 0 {
        Scope::Zato("bck_http_plain".parse().expect("it is a name"))
    } else {
        Scope::Section("apps".parse().expect("it is a name"))
    };
    read(file, &scope);
    let wanted = wanted(*choice);
    match edit(file, &scope, &wanted) {
        Ok(edited) => {
            assert_only_ours_differs(file, &edited, &wanted);
            assert_same_servers(file, &edited, &scope, &wanted);
            assert_done(&edited, &scope, &wanted);
        }
        Err(problems) => assert_told(file, &problems),
    }
    assert_no_trace(file, &scope, &wanted);
}

/// The servers that the seeds have, too.
const NAMES: [&str; 4] = ["s1", "s2", "s3", "a-B.c_9"];

fn wanted(choice: u8) -> Vec<Wanted> {
    let is = |bit: u8| choice & bit != 0;
    let directory = ["/tls/", "/a b/", "/tls/$X/", "/it's\\/#"][usize::from(choice >> 6)];
    let path = |name: &str| format!("{directory}{name}").parse().expect("it is a path");
    let tls = TlsOptions {
        ca_file: path("ca.pem"),
        crt: is(4).then(|| path("key-cert.pem")),
        crl_file: is(4).then(|| path("crl.pem")),
        verifyhost: is(8).then(|| "a.internal".parse().expect("it is a name")),
    };
    let disabled = is(16).then_some(is(32));
    let wanted = NAMES.map(|name| Wanted {
        name: name.parse().expect("it is a name"),
        tls: is(2).then(|| tls.clone()),
        disabled,
    });
    wanted.into()
}

/// Whoever only reads the file says what is wrong with it.
fn read(file: &[u8], scope: &Scope) {
    if let Err(problems) = read_servers(file, scope.backend()) {
        assert_told(file, &problems);
    }
    let environment = |name: &str| (name == "X").then(|| "a  'b'".to_owned());
    for problem in read_configuration(file, &environment).problems {
        assert_harmless(&problem);
        assert!((1..=count_lines(file)).contains(&problem.line));
    }
}

fn assert_told(file: &[u8], problems: &[Unreadable]) {
    assert!(!problems.is_empty());
    let mut before = 0;
    for problem in problems {
        assert_harmless(problem);
        assert_harmless(problem.hint());
        let line = problem.at.as_ref().map_or(before, |at| at.number);
        assert!(before <= line && line <= count_lines(file), "{problems:?}");
        before = line;
    }
}

fn count_lines(file: &[u8]) -> usize {
    file.split(|octet| *octet == b'\n').count()
}

/// Every octet of other lines stays, and on the lines of the servers every word of others.
fn assert_only_ours_differs(file: &[u8], edited: &Edited, wanted: &[Wanted]) {
    let [old, new] = [file, &edited.text].map(|text| text.split(|octet| *octet == b'\n'));
    assert_eq!(old.clone().count(), new.clone().count());
    for ((number, old), new) in (1..).zip(old).zip(new) {
        let Some(line) = edited.lines.iter().find(|line| line.number == number) else {
            assert_eq!(old, new);
            continue;
        };
        assert_eq!(line.is_changed, old != new);
        let wanted = wanted.iter().find(|wanted| wanted.name == line.name);
        let wanted = wanted.expect("it was asked for");
        let owns_disabled = wanted.disabled.is_some();
        let (parts, tls) = taken_apart(new, owns_disabled);
        assert_eq!(parts, taken_apart(old, owns_disabled).0);
        assert_eq!(TlsOptions::read(&tls), wanted.tls, "{tls:?}");
        assert_eq!(wanted.tls.is_some(), !tls.is_empty());
    }
}

/// A server line as HAProxy takes it.
#[derive(Debug, Eq, PartialEq)]
struct Parts {
    /// Up to the address.
    head: Vec<u8>,
    /// The options of others, as they are written.
    others: Vec<Vec<u8>>,
    /// What stands behind the words.
    tail: Vec<u8>,
}

/// A line without the words that are zpki's, and those of them that are TLS options.
fn taken_apart(line: &[u8], owns_disabled: bool) -> (Parts, Vec<String>) {
    // Octets stay where they are.
    let ascii = |octet: &u8| char::from(if octet.is_ascii() { *octet } else { b'x' });
    let text: String = line.iter().map(ascii).collect();
    let words = split_expanding(&text, &|_| Some(String::new())).words;
    let place = |option: &ServerOption<'_>| {
        let (first, last) = (&option.words[0], &option.words[option.words.len() - 1]);
        first.start..last.end
    };
    let (mut others, mut tls) = (Vec::new(), Vec::new());
    for option in options(&words[3..]) {
        if option.is_tls {
            tls.push(text[place(&option)].to_owned());
        } else if !(owns_disabled && option.words[0].value == "disabled") {
            others.push(line[place(&option)].to_vec());
        }
    }
    let parts = Parts {
        head: line[..words[2].end].to_vec(),
        others,
        tail: line[words[words.len() - 1].end..].to_vec(),
    };
    (parts, tls)
}

/// Zato's agent finds the same servers with the same options.
fn assert_same_servers(file: &[u8], edited: &Edited, scope: &Scope, wanted: &[Wanted]) {
    if matches!(scope, Scope::Section(_)) || wanted[0].disabled.is_some() {
        return;
    }
    let servers = |text: &[u8]| {
        let servers = read_servers(text, scope.backend()).expect("it was edited");
        let each = servers.into_iter();
        let each = each.map(|it| (it.line, it.name, it.address, it.options));
        each.collect::<Vec<_>>()
    };
    assert_eq!(servers(&edited.text), servers(file));
}

/// Once more, and nothing changes.
fn assert_done(edited: &Edited, scope: &Scope, wanted: &[Wanted]) {
    let again = edit(&edited.text, scope, wanted).expect("zpki wrote it");
    assert_eq!(again.text, edited.text);
    assert!(again.lines.iter().all(|line| !line.is_changed));
    assert_eq!(again.absent, edited.absent);
    assert_eq!(again.unknown, edited.unknown);
}

/// What is put in can be taken out: a file without such options is what it was.
fn assert_no_trace(file: &[u8], scope: &Scope, wanted: &[Wanted]) {
    let bare = |wanted: &Wanted| Wanted {
        tls: None,
        disabled: Some(false),
        ..wanted.clone()
    };
    let bare: Vec<Wanted> = wanted.iter().map(bare).collect();
    let Ok(original) = edit(file, scope, &bare) else {
        return;
    };
    let Ok(edited) = edit(&original.text, scope, wanted) else {
        return;
    };
    let back = edit(&edited.text, scope, &bare).expect("zpki wrote it");
    assert_eq!(back.text, original.text);
}
