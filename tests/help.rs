//! `-h` and `--help` of every command, as committed under tests/golden/help.

use crate::sandbox::{Sandbox, golden, same};

/// Every command, as a person types it.
pub(crate) const COMMANDS: &[&[&str]] = &[
    &[],
    &["apply"],
    &["backup"],
    &["ca"],
    &["ca", "import"],
    &["ca", "passphrase"],
    &["ca", "renew"],
    &["ca", "show"],
    &["check"],
    &["completions"],
    &["config"],
    &["config", "apply"],
    &["config", "diff"],
    &["config", "rollback"],
    &["crl"],
    &["expiry"],
    &["export"],
    &["import"],
    &["init"],
    &["issue"],
    &["list"],
    &["log"],
    &["plan"],
    &["rekey"],
    &["renew"],
    &["restore"],
    &["revoke"],
    &["server"],
    &["server", "add"],
    &["server", "remove"],
    &["show"],
    &["snippet"],
    &["snippet", "frontend"],
    &["snippet", "haproxy"],
    &["snippet", "lb-agent"],
    &["snippet", "server"],
];

/// Commands whose `-h` is shorter than their `--help`.
const WITH_A_SUMMARY: &[&[&str]] = &[
    &["apply"],
    &["backup"],
    &["ca", "import"],
    &["ca", "passphrase"],
    &["ca", "renew"],
    &["ca", "show"],
    &["check"],
    &["config", "apply"],
    &["config", "diff"],
    &["config", "rollback"],
    &["crl"],
    &["expiry"],
    &["export"],
    &["import"],
    &["init"],
    &["issue"],
    &["plan"],
    &["rekey"],
    &["renew"],
    &["restore"],
    &["revoke"],
    &["server", "add"],
    &["server", "remove"],
];

#[test]
fn the_help_is_as_committed() {
    for &command in COMMANDS {
        let name = [&["zpki"][..], command].concat().join("-");
        let (short, long) = (help(command, "-h"), help(command, "--help"));
        golden(&format!("help/{name}.txt"), &long);
        if WITH_A_SUMMARY.contains(&command) {
            golden(&format!("help/{name}.short.txt"), &short);
        } else {
            same(&name, &short, &long);
        }
    }
}

#[test]
fn every_command_is_in_the_list() {
    let mut found = Vec::new();
    fn visit(command: &clap::Command, path: &[String], found: &mut Vec<Vec<String>>) {
        found.push(path.to_vec());
        for below in command.get_subcommands() {
            visit(
                below,
                &[path, &[below.get_name().to_owned()]].concat(),
                found,
            );
        }
    }
    visit(&zpki::cli::command(), &[], &mut found);
    found.sort();
    assert_eq!(found, COMMANDS);
}

#[test]
fn help_is_a_command_too() {
    let sandbox = Sandbox::new();
    sandbox.args(["help"]).run().stdout(help(&[], "--help"));
    sandbox
        .args(["help", "init"])
        .run()
        .stdout(help(&["init"], "--help"));
    sandbox
        .args(["help", "snippet", "server"])
        .run()
        .stdout(help(&["snippet", "server"], "--help"));
    sandbox.args(["help", "inti"]).run().status(64).stderr(
        "\
zpki: error: cannot read the command line
  because: unrecognized subcommand `inti`
  hint: see `zpki --help`, or `zpki COMMAND --help`
",
    );
}

#[test]
fn without_a_command_the_error_says_where_to_look() {
    Sandbox::new().args([""; 0]).run().status(64).stderr(
        "\
zpki: error: cannot read the command line
  because: no command was given
  hint: see `zpki --help`, or `zpki COMMAND --help`
",
    );
}

#[test]
fn the_version_is_one_line() {
    let version = format!("zpki {}\n", env!("CARGO_PKG_VERSION"));
    Sandbox::new().args(["--version"]).run().stdout(version);
}

/// As the real program writes it where there is no terminal, whose width would shape it.
fn help(command: &[&str], flag: &str) -> String {
    let sandbox = Sandbox::new();
    let args = command.iter().chain([&flag]).copied();
    sandbox.args(args).run_program().product()
}
