//! Every command in the README prints what the README says.

use std::process::Command;

/// A command of the README and what it prints on standard output.
struct Example {
    command: String,
    output: String,
}

#[test]
fn every_example_prints_what_the_readme_says() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let examples = examples(include_str!("../README.md"));
    assert!(examples.len() >= 2);
    for example in examples {
        let arguments = example
            .command
            .strip_prefix("cargo run --release -- ")
            .or_else(|| example.command.strip_prefix("zpki "))
            .unwrap_or_else(|| panic!("not a command of ours: {}", example.command));
        let output = Command::new(env!("CARGO_BIN_EXE_zpki"))
            .args(arguments.split(' '))
            .current_dir(&root)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", example.command);
        let printed = String::from_utf8(output.stdout).unwrap();
        let printed = printed.replace(root.to_str().unwrap(), "/srv");
        assert_eq!(
            without_dates(&printed),
            without_dates(&example.output),
            "{}",
            example.command
        );
    }
}

#[test]
fn the_main_job_and_the_tests_are_one_command_each() {
    let readme = include_str!("../README.md");
    assert!(readme.contains("$ cargo run --release -- init demo --cluster demo"));
    assert!(readme.contains("\n    make test\n"));
}

/// The fenced blocks marked `console`: `$ ` begins a command, what follows is its output.
fn examples(text: &str) -> Vec<Example> {
    let blocks = text.split("```console\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap());
    blocks
        .map(|block| {
            let (command, output) = block.split_once('\n').unwrap();
            let command = command.strip_prefix("$ ").unwrap().to_owned();
            Example {
                command,
                output: output.to_owned(),
            }
        })
        .collect()
}

/// The digits of dates and times, which differ from run to run, made equal.
fn without_dates(text: &str) -> String {
    let words = text.split_inclusive([' ', '\n']);
    words
        .map(|word| {
            let date = word.trim_end();
            let is_date = date.len() == 10 && date.chars().filter(|c| *c == '-').count() == 2;
            let is_time = date.len() == 8 && date.chars().filter(|c| *c == ':').count() == 2;
            if is_date || is_time {
                word.replace(|c: char| c.is_ascii_digit(), "0")
            } else {
                word.to_owned()
            }
        })
        .collect()
}
