//! What comes into zpki by way of others: its crates, their licences, and why each is there.

use std::collections::BTreeSet;

use crate::e2e::process::{run, tool};

/// Licences, versions that are there twice, and sources, by the rules of deny.toml. It reads the crates of
/// every platform, which tests/install-tools has fetched: no network is needed.
#[test]
fn cargo_deny_finds_nothing() {
    run(tool("cargo-deny")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["--locked", "--offline", "check"])
        .args(["bans", "licenses", "sources"]));
}

#[test]
fn contributing_says_of_each_direct_dependency_why_it_is_there() {
    let manifest: toml::Table = include_str!("../Cargo.toml").parse().unwrap();
    let direct: BTreeSet<&str> = ["dependencies", "dev-dependencies"]
        .iter()
        .flat_map(|table| manifest[*table].as_table().unwrap().keys())
        .map(String::as_str)
        .collect();
    let contributing = include_str!("../CONTRIBUTING.md");
    let (_, section) = contributing.split_once("## Dependencies\n").unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| "));
    let rows = rows.filter_map(|row| row.split_once(" | "));
    let told: BTreeSet<&str> = rows
        .inspect(|(names, why)| assert!(why.len() > 10, "{names}: {why}"))
        .flat_map(|(names, _)| names.split(", "))
        .collect();
    assert_eq!(told, direct);
}
