//! zpki.toml: what is wrong with it is said, what is written is read, and a server that is added and
//! removed leaves the very same bytes.

use zpki::domain::cluster::Cluster;
use zpki::domain::server_line::ServerOptions;
use zpki::domain::settings::{Overrides, ServerSettings};
use zpki::store::cluster_file::{Problem, Reason, add_server, parse, remove_server, render};

use super::assert_harmless;

/// The input is a server to add, each of its settings on a line, a NUL, and the file.
pub fn run(bytes: &[u8]) {
    let Some(nul) = bytes.iter().position(|octet| *octet == 0) else {
        return;
    };
    let (head, file) = (&bytes[..nul], &bytes[nul + 1..]);
    let parsed = parse(file);
    match &parsed {
        Ok(cluster) => assert_written_is_read(cluster),
        Err(problems) => assert_told(file, problems),
    }
    let Ok(text) = str::from_utf8(file) else {
        return assert!(parsed.is_err());
    };
    let head = String::from_utf8_lossy(head);
    add(text, &server(&head), parsed.as_ref().ok());
    if let Ok(cluster) = &parsed {
        remove_each(text, cluster);
    }
}

fn assert_written_is_read(cluster: &Cluster) {
    let written = render(cluster.settings());
    let again = parse(written.as_bytes()).expect("zpki wrote it");
    assert_eq!(again.settings(), cluster.settings());
}

fn assert_told(file: &[u8], problems: &[Problem]) {
    assert!(!problems.is_empty());
    let lines = file.iter().filter(|octet| **octet == b'\n').count() + 1;
    let mut before = None;
    for problem in problems {
        assert_harmless(problem);
        assert_harmless(problem.hint());
        assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)));
        assert!(before <= problem.line, "they are in the order of the file");
        before = problem.line;
        let source = problem.source.as_deref().unwrap_or_default();
        assert!(!source.contains(char::is_control), "{source:?}");
    }
}

/// A server with those of the settings that are valid.
fn server(head: &str) -> ServerSettings {
    let mut lines = head.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let default = || "new".parse().expect("it is a name");
    ServerSettings {
        name: line().parse().unwrap_or_else(|_| default()),
        address: line()
            .parse()
            .unwrap_or_else(|_| "new.lan:17010".parse().expect("it is an address")),
        hosts: line().split(' ').flat_map(str::parse).collect(),
        options: line().parse().unwrap_or_else(|_| ServerOptions::default()),
        calls_servers: line() == "calls",
        conf: line().parse().ok(),
        overrides: Overrides {
            key_algorithm: line().parse().ok(),
            lifetime: line().parse().ok(),
            renew_within: line().parse().ok(),
        },
    }
}

fn add(text: &str, server: &ServerSettings, before: Option<&Cluster>) {
    let added = match add_server(text, server) {
        Ok(added) => added,
        Err(problems) => {
            assert!(before.is_none());
            return assert_told(text.as_bytes(), &problems);
        }
    };
    assert!(is_within(text, &added), "{added}");
    match (before, parse(added.as_bytes())) {
        (None, _) => {}
        (Some(before), Ok(after)) => {
            let mut expected = before.settings().clone();
            expected.servers.push(server.clone());
            assert_eq!(*after.settings(), expected);
        }
        (Some(_), Err(problems)) => assert_misfits(&added, &problems),
    }
    let known = remove_server(text, &server.name).expect("it was read");
    if known.is_none() {
        let removed = remove_server(&added, &server.name).expect("zpki wrote it");
        assert_eq!(removed.as_deref(), Some(text), "from {added:?}");
    }
}

/// Each value is one, and only together they are wrong.
fn assert_misfits(text: &str, problems: &[Problem]) {
    assert_told(text.as_bytes(), problems);
    let are_misfits = problems
        .iter()
        .all(|problem| matches!(problem.reason, Reason::Misfit(_)));
    assert!(are_misfits, "{problems:?}");
}

fn remove_each(text: &str, cluster: &Cluster) {
    for server in &cluster.settings().servers {
        let left = remove_server(text, &server.name).expect("it was read");
        let left = left.expect("it is there");
        assert!(is_within(&left, text), "{left}");
        match parse(left.as_bytes()) {
            Ok(after) => {
                let mut expected = cluster.settings().clone();
                expected.servers.retain(|known| known.name != server.name);
                assert_eq!(*after.settings(), expected);
            }
            Err(problems) => assert_misfits(&left, &problems),
        }
    }
}

/// Whether `longer` is `text` with something put in.
fn is_within(text: &str, longer: &str) -> bool {
    let mut longer = longer.bytes();
    text.bytes().all(|octet| longer.any(|other| other == octet))
}
