//! Every command in the README is run, in the order of the page, and prints what the page says.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::config::zato_config;
use crate::sandbox::PROGRAM;

const README: &str = include_str!("../README.md");

/// Commands that are carried out elsewhere, and where: what they print is not shown.
const ELSEWHERE: &[(&str, &str)] = &[
    ("make test", "in here"),
    ("make deb", "before the tests"),
    ("cargo install --locked --path .", "package"),
    ("sudo dpkg -i target/debian/zpki_*.deb", "package"),
    ("sudo zpki init /etc/zpki", "package"),
    (
        "sudo systemctl enable --now zpki-apply.timer zpki-expiry.timer",
        "package",
    ),
];

/// A command of the README, and what it writes to both streams. A line `...` is any number of lines.
struct Example {
    command: String,
    output: String,
}

#[test]
fn every_example_prints_what_the_readme_says() {
    let host = Host::new();
    let mut wrong = Vec::new();
    for example in examples() {
        if ELSEWHERE
            .iter()
            .any(|(command, _)| *command == example.command)
        {
            assert_eq!(example.output, "");
            continue;
        }
        let printed = host.run(&example.command);
        if !matches(&without_dates(&example.output), &without_dates(&printed)) {
            wrong.push(format!("$ {}\n{printed}", example.command));
        }
    }
    assert!(wrong.is_empty(), "in fact:\n{}", wrong.join("\n"));
    for (file, beginning) in [
        (".local/share/bash-completion/completions/zpki", "_zpki() {"),
        (".config/fish/completions/zpki.fish", "# Print an optspec"),
        (".zsh/completions/_zpki", "#compdef zpki"),
        (".local/share/man/man1/zpki-init.1", ".ie"),
    ] {
        let text = fs::read_to_string(host.root().join("home").join(file)).unwrap();
        assert!(text.starts_with(beginning), "{file}: {text:.80}");
    }
}

#[test]
fn the_main_job_and_the_tests_are_one_command_each() {
    let commands: Vec<String> = examples().map(|example| example.command).collect();
    assert!(commands[0].starts_with("cargo run --release -- init demo --cluster demo"));
    assert!(commands.contains(&"make test".to_owned()));
}

#[test]
fn no_command_hides_in_another_kind_of_block() {
    let mut fences = README.lines().filter(|line| line.starts_with("```"));
    while let Some(begin) = fences.next() {
        assert!(["```console", "```text"].contains(&begin), "{begin}");
        assert_eq!(fences.next(), Some("```"));
    }
    let mut fenced = false;
    for line in README.lines() {
        fenced ^= line.starts_with("```");
        assert!(fenced || !line.starts_with("    "), "{line}");
    }
}

/// The blocks marked `console`: `$ ` begins a command, what follows is its output.
fn examples() -> impl Iterator<Item = Example> {
    let blocks = README.split("```console\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap());
    blocks.flat_map(|block| {
        let block = block.strip_prefix("$ ").unwrap();
        block.split("\n$ ").map(|example| {
            let (command, output) = example.split_once('\n').unwrap_or((example, ""));
            Example {
                command: command.to_owned(),
                output: output.trim_end_matches('\n').to_owned(),
            }
        })
    })
}

/// Whether `printed` is what `expected` says.
fn matches(expected: &str, printed: &str) -> bool {
    let expected: Vec<&str> = expected.lines().collect();
    let printed: Vec<&str> = printed.lines().collect();
    let mut parts = expected.split(|line| *line == "...");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = printed.strip_prefix(first) else {
        return false;
    };
    let mut last = first;
    let mut elided = false;
    for part in parts {
        elided = true;
        last = part;
        let mut places = 0..=rest.len().saturating_sub(part.len());
        let Some(place) = places.find(|place| rest[*place..].starts_with(part)) else {
            return false;
        };
        rest = &rest[place + part.len()..];
    }
    // After a last `...` anything may follow.
    rest.is_empty() || (elided && last.is_empty())
}

#[test]
fn an_example_matches_what_it_says_and_nothing_else() {
    for (expected, printed, holds) in [
        ("a\nb", "a\nb", true),
        ("a\nb", "a", false),
        ("a", "a\nb", false),
        ("", "", true),
        ("", "a", false),
        ("a\n...", "a\nb\nc", true),
        ("a\n...", "b", false),
        ("...\nc", "a\nb\nc", true),
        ("...\nb", "a\nb\nc", false),
        ("a\n...\nc\n...\ne", "a\nb\nc\nd\ne", true),
        ("a\n...\nx\n...\ne", "a\nb\nc\nd\ne", false),
    ] {
        assert_eq!(
            matches(expected, printed),
            holds,
            "{expected:?} {printed:?}"
        );
    }
}

/// A host as the README has it: HAProxy's configuration and the servers', and nothing of zpki.
struct Host {
    directory: TempDir,
    programs: TempDir,
}

impl Host {
    fn new() -> Self {
        let host = Self {
            directory: tempfile::tempdir().unwrap(),
            programs: tempfile::tempdir().unwrap(),
        };
        symlink(PROGRAM, host.programs.path().join("zpki")).unwrap();
        // No systemd runs here.
        let systemctl = host.programs.path().join("systemctl");
        fs::write(&systemctl, "#!/bin/sh\n[ \"$*\" = 'reload haproxy' ]\n").unwrap();
        fs::set_permissions(&systemctl, fs::Permissions::from_mode(0o755)).unwrap();
        let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("man");
        symlink(manual, host.root().join("man")).unwrap();
        fs::write(host.root().join("zato.config"), zato_config()).unwrap();
        for (server, address) in [
            ("server1", "127.0.0.1:17010"),
            ("server2", "127.0.0.1:17011"),
        ] {
            fs::create_dir(host.root().join(server)).unwrap();
            let settings = host.root().join(server).join("server.conf");
            fs::write(
                settings,
                format!("[main]\ngunicorn_bind={address}\n\n[crypto]\nuse_tls=False\n"),
            )
            .unwrap();
        }
        host
    }

    fn root(&self) -> PathBuf {
        self.directory.path().canonicalize().unwrap()
    }

    /// What a command writes to both streams; the host's directory is /srv, and zpki is installed.
    fn run(&self, command: &str) -> String {
        let command = command.replace("cargo run --release -- ", "zpki ");
        let path = std::env::var("PATH").unwrap();
        let output = Command::new("sh")
            .arg("-c")
            .arg(format!("exec 2>&1\n{command}"))
            .current_dir(self.root())
            .env_clear()
            .env("HOME", self.root().join("home"))
            .env(
                "PATH",
                format!("{}:{path}:/usr/sbin", self.programs.path().display()),
            )
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let shown = |path: &Path| path.to_str().unwrap().to_owned();
        printed
            .replace(&shown(&self.root()), "/srv")
            .replace(PROGRAM, "/usr/bin/zpki")
            .trim_end_matches('\n')
            .to_owned()
    }
}

/// The digits of dates and times, which differ from run to run, made equal; and the number that the
/// second backup of one second has in its name left out.
fn without_dates(text: &str) -> String {
    let text = (2..9).fold(text.to_owned(), |text, number| {
        text.replace(&format!("Z-{number})"), "Z)")
    });
    let words = text.split_inclusive([' ', '\n']);
    words
        .map(|word| {
            if is_dated(word) {
                word.replace(|c: char| c.is_ascii_digit(), "0")
            } else {
                word.to_owned()
            }
        })
        .collect()
}

/// Whether a date, a time, both as in the name of a backup, or a number of days is in `word`.
fn is_dated(word: &str) -> bool {
    let shape: String = word
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    // Of nine days the last second has passed, or it has not: `(in 9d)`, `(in 8d)`.
    ["0000-00-00", "00:00:00", "00000000T000000Z", "0d)"]
        .iter()
        .any(|date| shape.contains(date))
}
