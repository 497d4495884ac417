//! The wizard, from the first question to the last.

use std::fs;
use std::path::Path;

use tempfile::tempdir;

use super::pty::{CTRL_C, CTRL_D, Terminal, WIDE, at_terminal};
use super::{ZPKI, assert_whole, names};
use crate::e2e::process::tool;

const CLUSTER: &str = "Name of the cluster [prod]:";
const SERVER: &str = "Name of the server [server1]:";
const ADDRESS: &str = "Address of server1, as HAProxy reaches it [127.0.0.1:17010]:";
const HOSTS: &str = "Host names of server1, separated by spaces [server1.prod.internal 127.0.0.1]:";
const ANOTHER: &str = "Another server? [y/N]";
const LOAD_BALANCER: &str =
    "Host names of the load-balancer, separated by spaces [load-balancer.prod.internal]:";
const CLIENT_CERTIFICATE: &str = "Client certificate of the load-balancer:
> none: servers ask for no certificate
  optional: one that is sent is checked
  required: no connection without one";
const CA_LIFETIME: &str = "Lifetime of the CA [10y]:";
const LIFETIME: &str = "Lifetime of the certificates [1y]:";
const ENCRYPT: &str = "Encrypt the CA's private key with a passphrase? [Y/n]";
const PASSPHRASE: &str = "Passphrase of the CA's private key:";
const ONCE_MORE: &str = "Once more:";
const MAKE_IT: &str = "Make it? [Y/n]";

/// Each question of the shortest dialogue, with the answer that leads to the next one.
pub(super) const QUESTIONS: [(&str, &str); 13] = [
    (CLUSTER, "\r"),
    (SERVER, "\r"),
    (ADDRESS, "\r"),
    (HOSTS, "\r"),
    (ANOTHER, "\r"),
    (LOAD_BALANCER, "\r"),
    (CLIENT_CERTIFICATE, "\r"),
    (CA_LIFETIME, "\r"),
    (LIFETIME, "\r"),
    (ENCRYPT, "\r"),
    (PASSPHRASE, "correct horse\r"),
    (ONCE_MORE, "correct horse\r"),
    (MAKE_IT, "\r"),
];

/// Answers the first `count` questions.
pub(super) fn answer_first(count: usize, terminal: &mut Terminal) {
    for (question, keys) in &QUESTIONS[..count] {
        terminal.press_at(question, keys);
    }
}

/// What is on the screen, with the directory of the test called DIR.
fn screen(terminal: &Terminal, directory: &Path) -> String {
    let directory = fs::canonicalize(directory).unwrap();
    terminal
        .screen()
        .replace(directory.to_str().unwrap(), "DIR")
}

fn asked(terminal: &Terminal) -> Vec<String> {
    let screen = terminal.screen();
    let questions = [
        "Name of",
        "Address of",
        "Host names of",
        "Another",
        "Client cert",
        "Lifetime of",
        "Encrypt",
        "Passphrase",
        "Make it",
    ];
    let is_question = |line: &&str| questions.iter().any(|question| line.starts_with(question));
    screen
        .lines()
        .filter(is_question)
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn a_dialogue_leads_from_an_empty_directory_to_a_pki() {
    let dir = tempdir().unwrap();
    let mut terminal = Terminal::zpki(dir.path(), &["init", "demo"]);
    terminal.answer(CLUSTER, "demo");
    terminal.answer("Name of the server [server1]:", "web1");
    terminal.answer(
        "Address of web1, as HAProxy reaches it [127.0.0.1:17010]:",
        "10.0.0.11:17010",
    );
    terminal.answer(
        "Host names of web1, separated by spaces [web1.demo.internal 10.0.0.11]:",
        "web1.example.org,10.0.0.11",
    );
    terminal.press_at(ANOTHER, "y");
    terminal.answer("Name of the server [server2]:", "");
    terminal.answer(
        "Address of server2, as HAProxy reaches it [127.0.0.1:17011]:",
        "web2.example.org:17010",
    );
    terminal.answer(
        "Host names of server2, separated by spaces [web2.example.org]:",
        "",
    );
    terminal.press_at(ANOTHER, "n");
    terminal.answer(
        "Host names of the load-balancer, separated by spaces [load-balancer.demo.internal]:",
        "lb.example.org",
    );
    terminal.press_at(CLIENT_CERTIFICATE, "\x1b[B");
    terminal.press_at(
        "  none: servers ask for no certificate
> optional: one that is sent is checked
  required: no connection without one",
        "\x1b[B",
    );
    terminal.press_at("> required: no connection without one", "\r");
    terminal.answer(CA_LIFETIME, "5y");
    terminal.answer(LIFETIME, "90d");
    terminal.press_at(ENCRYPT, "y");
    terminal.answer(PASSPHRASE, "correct horse");
    terminal.answer(ONCE_MORE, "correct horse");
    terminal.asks(MAKE_IT);
    assert_eq!(
        screen(&terminal, dir.path()).trim_end(),
        "\
This makes a PKI in DIR/demo.
Enter takes the answer in brackets. Nothing is written before the last answer; Ctrl-C leaves everything as it is.

Name of the cluster: demo
Name of the server: web1
Address of web1, as HAProxy reaches it: 10.0.0.11:17010
Host names of web1, separated by spaces: web1.example.org,10.0.0.11
Another server? yes
Name of the server: server2
Address of server2, as HAProxy reaches it: web2.example.org:17010
Host names of server2, separated by spaces: web2.example.org
Another server? no
Host names of the load-balancer, separated by spaces: lb.example.org
Client certificate of the load-balancer: required
Lifetime of the CA: 5y
Lifetime of the certificates: 90d
Encrypt the CA's private key with a passphrase? yes
Passphrase of the CA's private key: [hidden]

This will be made in DIR/demo:

NAME           ADDRESS                 HOSTS
load-balancer                          lb.example.org
web1           10.0.0.11:17010         web1.example.org 10.0.0.11
server2        web2.example.org:17010  web2.example.org

CA                  ecdsa-p256, 5y, private key encrypted
certificates        ecdsa-p256, 90d
client certificate  required

Make it? [Y/n]"
    );
    assert_eq!(names(dir.path()), [""; 0]);
    terminal.press("y");
    assert_eq!(terminal.end(), 0);
    assert!(
        terminal
            .screen()
            .contains("Make it? yes\nmade the PKI of `demo` in ")
    );
    assert!(
        !terminal.transcript().contains("horse"),
        "{}",
        terminal.transcript()
    );
    assert_eq!(names(dir.path()), ["demo"]);
    assert_whole(&dir.path().join("demo"), 2);
    let key = dir.path().join("demo/ca/ca.key.pem");
    let opened = tool("openssl")
        .args(["pkey", "-noout", "-passin", "pass:correct horse", "-in"])
        .arg(&key)
        .status();
    assert!(opened.unwrap().success());
}

#[test]
fn enter_takes_every_default() {
    let dir = tempdir().unwrap();
    let mut terminal = Terminal::zpki(dir.path(), &["-C", "demo", "init"]);
    answer_first(QUESTIONS.len(), &mut terminal);
    assert_eq!(terminal.end(), 0, "{}", terminal.screen());
    let target = dir.path().join("demo");
    assert_whole(&target, 1);
    let settings = fs::read_to_string(target.join("zpki.toml")).unwrap();
    for line in [
        r#"name = "prod""#,
        r#"lifetime = "10y""#,
        r#"lifetime = "1y""#,
        r#"client_certificate = "none""#,
        r#"hosts = ["load-balancer.prod.internal"]"#,
        r#"name = "server1""#,
        r#"address = "127.0.0.1:17010""#,
        r#"hosts = ["server1.prod.internal", "127.0.0.1"]"#,
    ] {
        let found = settings.lines().any(|found| found.starts_with(line));
        assert!(found, "{line} in\n{settings}");
    }
}

#[test]
fn a_wrong_answer_is_refused_on_the_spot_with_its_reason() {
    let dir = tempdir().unwrap();
    let mut terminal = Terminal::zpki(
        dir.path(),
        &["init", "demo", "--permitted-domain", "prod.internal"],
    );
    wrong(
        &mut terminal,
        CLUSTER,
        "bad name",
        "error: a space is not allowed in the cluster name `bad name`\n\
         hint: a name is letters, digits, `.`, `-` and `_`, without `--`, and begins with a letter or digit",
    );
    terminal.press("\r");
    terminal.press_at(SERVER, "\r");
    wrong(
        &mut terminal,
        ADDRESS,
        "10.0.0.1",
        "error: the address `10.0.0.1` has no port\n\
         hint: an address is HOST:PORT, such as 10.0.0.11:17010",
    );
    wrong(
        &mut terminal,
        ADDRESS,
        "10.0.0.1:0",
        "error: the port of `10.0.0.1:0` is `0`, not a number from 1 to 65535\n\
         hint: an address is HOST:PORT, such as 10.0.0.11:17010",
    );
    terminal.press("\r");
    const HOSTS: &str = "Host names of server1, separated by spaces [server1.prod.internal]:";
    wrong(
        &mut terminal,
        HOSTS,
        "a_b",
        "error: `_` is not allowed in the host name `a_b`\n\
         hint: a host name is labels of letters, digits and inner hyphens, such as server1.prod.internal",
    );
    wrong(
        &mut terminal,
        HOSTS,
        "a.prod.internal a.example.org",
        "error: `a.example.org` of `server1` is outside the CA's name constraints \
         (permitted_domains: prod.internal; permitted_networks: none)\n\
         hint: permit its domain (permitted_domains), or give another host name",
    );
    terminal.press("\r");
    terminal.press_at(ANOTHER, "y");
    wrong(
        &mut terminal,
        "Name of the server [server2]:",
        "server1",
        "error: there are two entries named `server1`\n\
         hint: give each server and client a name of its own",
    );
    terminal.press("\r");
    terminal.answer(
        "Address of server2, as HAProxy reaches it [127.0.0.1:17011]:",
        "",
    );
    terminal.answer(
        "Host names of server2, separated by spaces [server2.prod.internal]:",
        "",
    );
    terminal.press_at(ANOTHER, "n");
    terminal.press_at(LOAD_BALANCER, "\r");
    terminal.press_at(CLIENT_CERTIFICATE, "\r");
    wrong(
        &mut terminal,
        CA_LIFETIME,
        "1 fortnight",
        "error: `1 fortnight` is not a duration\n\
         hint: a duration is a number and a unit, such as 90d, 12h or 1y6w (s, m, h, d, w, y)",
    );
    terminal.press("\r");
    wrong(
        &mut terminal,
        LIFETIME,
        "20y",
        "error: the lifetime 20y is longer than the CA's, 10y\n\
         hint: give a lifetime of at most 10y, or the CA a longer one",
    );
    terminal.press("\r");
    terminal.press_at(ENCRYPT, "y");
    wrong(&mut terminal, PASSPHRASE, "", "error: it is empty");
    terminal.press("correct horse\r");
    terminal.answer(ONCE_MORE, "wrong horse");
    terminal.asks(&format!("error: the two differ\n{PASSPHRASE}"));
    terminal.press(CTRL_C);
    assert_eq!(terminal.end(), 130);
    assert!(!terminal.transcript().contains("horse"));
    assert_eq!(names(dir.path()), [""; 0]);
}

/// Gives an answer that is refused, and asked for again.
fn wrong(terminal: &mut Terminal, question: &str, answer: &str, reason: &str) {
    terminal.answer(question, answer);
    terminal.asks(&format!("{reason}\n{question}"));
}

#[test]
fn what_the_flags_say_is_not_asked() {
    let dir = tempdir().unwrap();
    let flags = [
        "init",
        "demo",
        "--server=web1=10.0.0.1:17010",
        "--lb=lb.example.org",
        "--lifetime=30d",
        "--client-certificate=required",
        "--no-ca-passphrase",
    ];
    let mut terminal = Terminal::zpki(dir.path(), &flags);
    terminal.press_at(CLUSTER, "\r");
    terminal.press_at(CA_LIFETIME, "\r");
    terminal.press_at(MAKE_IT, "\r");
    assert_eq!(terminal.end(), 0);
    assert_eq!(
        asked(&terminal),
        [
            "Name of the cluster: prod",
            "Lifetime of the CA: 10y",
            "Make it? yes"
        ]
    );
    assert_whole(&dir.path().join("demo"), 1);
}

#[test]
fn flags_that_leave_little_room_change_the_defaults() {
    let dir = tempdir().unwrap();
    let flags = ["init", "demo", "--ca-lifetime=30d", "--no-ca-passphrase"];
    let mut terminal = Terminal::zpki(dir.path(), &flags);
    answer_first(7, &mut terminal);
    terminal.asks("Lifetime of the certificates [30d]:");
    drop(terminal);
    let flags = ["init", "demo", "--lifetime=20y", "--no-ca-passphrase"];
    let mut terminal = Terminal::zpki(dir.path(), &flags);
    answer_first(7, &mut terminal);
    terminal.answer("Lifetime of the CA [20y]:", "1y");
    terminal.asks(
        "error: the lifetime 20y is longer than the CA's, 1y\n\
         hint: give a lifetime of at most 1y, or the CA a longer one\n\
         Lifetime of the CA [20y]:",
    );
}

#[test]
fn flags_that_no_answer_can_make_fit_are_refused_before_the_first_question() {
    let dir = tempdir().unwrap();
    for (flags, reason) in [
        (
            vec!["--permitted-network=10.0.0.0/8"],
            "`server1.cluster.internal` of `server1` is outside the CA's name constraints",
        ),
        (
            vec![
                "--permitted-domain=prod.internal",
                "--server=a=10.0.0.1:1,a.example.org",
            ],
            "`a.example.org` of `a` is outside the CA's name constraints",
        ),
        (
            vec!["--lifetime=2y", "--ca-lifetime=1y"],
            "the lifetime 2y is longer than the CA's, 1y",
        ),
    ] {
        let arguments = [&["init", "demo"], flags.as_slice()].concat();
        let mut terminal = Terminal::zpki(dir.path(), &arguments);
        assert_eq!(terminal.end(), 64);
        assert!(terminal.screen().contains(reason), "{}", terminal.screen());
        assert_eq!(asked(&terminal), [""; 0]);
    }
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn whoever_declines_has_nothing_made() {
    let dir = tempdir().unwrap();
    let mut terminal = Terminal::zpki(dir.path(), &["init", "a/b/demo"]);
    answer_first(12, &mut terminal);
    terminal.press_at(MAKE_IT, "n");
    assert_eq!(terminal.end(), 130);
    let end = "Make it? no\n\
               zpki: error: cannot make a PKI\n  because: not confirmed; nothing was made";
    assert!(
        terminal.screen().trim_end().ends_with(end),
        "{}",
        terminal.screen()
    );
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn a_directory_that_is_one_already_is_refused_before_the_first_question() {
    let dir = tempdir().unwrap();
    fs::create_dir(dir.path().join("demo")).unwrap();
    fs::write(dir.path().join("demo/zpki.toml"), "mine").unwrap();
    let mut terminal = Terminal::zpki(dir.path(), &["init", "demo"]);
    assert_eq!(terminal.end(), 73);
    assert_eq!(
        screen(&terminal, dir.path()).trim_end(),
        "zpki: error: cannot make a PKI\n  because: `DIR/demo/zpki.toml` already exists\n  \
         hint: choose another place; or, to make the PKI anew that it is left of, give --config DIR/demo/zpki.toml"
    );
    assert_eq!(names(&dir.path().join("demo")), ["zpki.toml"]);
}

#[test]
fn servers_of_a_zato_config_are_not_asked_for() {
    let dir = tempdir().unwrap();
    let config = "backend bck_http_plain\n# ZATO begin backend bck_http_plain\n    \
                  server http_plain--server1 127.0.0.1:17010 check inter 2s rise 2 fall 2 # ZATO backend bck_http_plain:server--server1\n\
                  # ZATO end backend bck_http_plain\n";
    fs::write(dir.path().join("zato.config"), config).unwrap();
    let mut terminal = Terminal::zpki(dir.path(), &["init", "demo", "--from-haproxy=zato.config"]);
    terminal.press_at(CLUSTER, "\r");
    terminal.press_at(LOAD_BALANCER, "\r");
    terminal.press_at(CLIENT_CERTIFICATE, "\r");
    terminal.press_at(CA_LIFETIME, "\r");
    terminal.press_at(LIFETIME, "\r");
    terminal.press_at(ENCRYPT, "n");
    terminal.asks(MAKE_IT);
    let row = "server1        127.0.0.1:17010  server1.prod.internal 127.0.0.1";
    assert!(terminal.screen().contains(row), "{}", terminal.screen());
    terminal.press("y");
    assert_eq!(terminal.end(), 0);
    assert_whole(&dir.path().join("demo"), 1);
}

#[test]
fn only_the_passphrase_is_asked_when_all_else_is_given() {
    let dir = tempdir().unwrap();
    let flags = [
        "init",
        "demo",
        "--cluster=prod",
        "--server=web1=10.0.0.1:17010",
    ];
    let mut terminal = Terminal::zpki(dir.path(), &flags);
    answer_passphrase(&mut terminal);
    assert_eq!(terminal.end(), 0);
    assert_eq!(
        asked(&terminal),
        [
            "Encrypt the CA's private key with a passphrase? yes",
            "Passphrase of the CA's private key: [hidden]"
        ]
    );
    assert_whole(&dir.path().join("demo"), 1);
}

fn answer_passphrase(terminal: &mut Terminal) {
    for (question, keys) in &QUESTIONS[9..12] {
        terminal.press_at(question, keys);
    }
}

#[test]
fn yes_takes_the_confirmation_as_given() {
    let dir = tempdir().unwrap();
    let mut terminal = Terminal::zpki(dir.path(), &["init", "demo", "--yes"]);
    answer_first(12, &mut terminal);
    assert_eq!(terminal.end(), 0);
    assert!(terminal.screen().contains("This will be made in "));
    assert!(!terminal.screen().contains("Make it?"));
}

#[test]
fn a_passphrase_that_is_given_is_not_asked_for() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("passphrase"), "correct horse\n").unwrap();
    let flags = ["init", "demo", "--ca-passphrase-file=passphrase"];
    let mut terminal = Terminal::zpki(dir.path(), &flags);
    answer_first(9, &mut terminal);
    terminal.press_at(MAKE_IT, "\r");
    assert_eq!(terminal.end(), 0);
    assert!(!terminal.transcript().contains("Passphrase of"));
    assert!(terminal.screen().contains("private key is encrypted"));
}

#[test]
fn nobody_is_asked_where_the_flags_say_so() {
    let dir = tempdir().unwrap();
    let mut terminal = Terminal::zpki(dir.path(), &["init", "demo", "--non-interactive"]);
    assert_eq!(terminal.end(), 64);
    assert_eq!(
        terminal.screen().trim_end(),
        "zpki: error: cannot make a PKI\n  because: not given, and nobody can be asked: \
         --cluster NAME, --server NAME=ADDRESS (or --from-haproxy FILE), \
         --ca-passphrase-file FILE (or --no-ca-passphrase)\n  \
         hint: see `zpki init --help`, or run it on a terminal to be asked"
    );
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn in_40_columns_nothing_stays_on_the_screen_but_the_answers() {
    let dir = tempdir().unwrap();
    let mut command = at_terminal(dir.path());
    command.args([ZPKI, "init", "demo"]);
    let mut terminal = Terminal::start(&mut command, (40, 40));
    terminal.answer(CLUSTER, "bad name");
    terminal.asks(
        "error: a space is not allowed in the\ncluster name `bad name`\n\
         hint: a name is letters, digits, `.`,\n`-` and `_`, without `--`, and begins\nwith a letter or digit\n\
         Name of the cluster [prod]:",
    );
    terminal.press("\r");
    terminal.press_at(SERVER, "\r");
    terminal.press_at(ADDRESS, "\r");
    terminal.press_at(HOSTS, "\r");
    terminal.press_at(ANOTHER, "\r");
    terminal.press_at(LOAD_BALANCER, "\r");
    terminal.press_at(CLIENT_CERTIFICATE, "\x1b[B");
    terminal.press_at(
        "> optional: one that is sent is checked\n  required: no connection without one",
        "\r",
    );
    terminal.press_at(CA_LIFETIME, "\r");
    terminal.press_at(LIFETIME, "\r");
    terminal.press_at(ENCRYPT, "y");
    terminal.answer(PASSPHRASE, "a");
    terminal.answer(ONCE_MORE, "b");
    terminal.asks(&format!("error: the two differ\n{PASSPHRASE}"));
    terminal.press(CTRL_C);
    assert_eq!(terminal.end(), 130);
    let screen = terminal.screen();
    let answers = screen.split_once("as it\nis.\n\n").unwrap().1;
    assert_eq!(
        answers.trim_end(),
        "Name of the cluster: prod\n\
         Name of the server: server1\n\
         Address of server1, as HAProxy reaches it: 127.0.0.1:17010\n\
         Host names of server1, separated by spaces: server1.prod.internal 127.0.0.1\n\
         Another server? no\n\
         Host names of the load-balancer, separated by spaces: load-balancer.prod.internal\n\
         Client certificate of the load-balancer: optional\n\
         Lifetime of the CA: 10y\n\
         Lifetime of the certificates: 1y\n\
         Encrypt the CA's private key with a passphrase? yes\n\
         error: the two differ\n\
         Passphrase of the CA's private key:"
    );
}

#[test]
fn arrows_and_backspace_edit_an_answer() {
    let dir = tempdir().unwrap();
    let mut terminal = Terminal::zpki(dir.path(), &["init", "demo"]);
    terminal.answer(CLUSTER, "demu\x7fp\x1b[D\x1b[D\x7f\x7fli\x1b[C\x1b[Cs");
    terminal.asks(SERVER);
    assert!(
        terminal.screen().contains("Name of the cluster: limps\n"),
        "{}",
        terminal.screen()
    );
}

#[test]
fn pasted_lines_answer_one_question_each() {
    let dir = tempdir().unwrap();
    let mut terminal = Terminal::zpki(dir.path(), &["init", "demo"]);
    terminal.asks(CLUSTER);
    terminal.press("demo\rweb1\r10.0.0.1:17010\rweb1.example.org 10.0.0.1\r");
    terminal.asks(ANOTHER);
    assert_eq!(
        asked(&terminal)[..4],
        [
            "Name of the cluster: demo",
            "Name of the server: web1",
            "Address of web1, as HAProxy reaches it: 10.0.0.1:17010",
            "Host names of web1, separated by spaces: web1.example.org 10.0.0.1"
        ]
    );
}

#[test]
fn the_end_of_input_answers_nothing() {
    let dir = tempdir().unwrap();
    let mut terminal = Terminal::zpki(dir.path(), &["init", "demo"]);
    for (question, keys) in QUESTIONS {
        terminal.asks(question);
        terminal.press(CTRL_D);
        if question == PASSPHRASE {
            terminal.asks(&format!("error: it is empty\n{PASSPHRASE}"));
        } else if question == ONCE_MORE {
            terminal.asks(&format!("error: the two differ\n{PASSPHRASE}"));
            terminal.press(keys);
            terminal.asks(question);
        }
        terminal.press(keys);
    }
    assert_eq!(terminal.end(), 0);
    assert_whole(&dir.path().join("demo"), 1);
}

#[test]
fn a_dumb_terminal_gets_plain_lines() {
    let dir = tempdir().unwrap();
    let mut command = at_terminal(dir.path());
    command.args([ZPKI, "init", "demo"]).env("TERM", "dumb");
    let mut terminal = Terminal::start(&mut command, WIDE);
    let mut answer = |question: &str, answer: &str| {
        terminal.says(question);
        terminal.press(&format!("{answer}\r"));
    };
    answer(CLUSTER, "1 2");
    answer(
        "\nerror: a space is not allowed in the cluster name `1 2`\n\
         hint: a name is letters, digits, `.`, `-` and `_`, without `--`, and begins with a letter or digit\n\
         Name of the cluster [prod]:",
        "",
    );
    answer(SERVER, "");
    answer(ADDRESS, "");
    answer(HOSTS, "");
    answer("Another server? [no]:", "");
    answer(LOAD_BALANCER, "");
    answer(
        "required: no connection without one\nClient certificate of the load-balancer [none]:",
        "all",
    );
    answer(
        "error: it is one of: none, optional, required\nClient certificate of the load-balancer [none]:",
        "required",
    );
    answer(CA_LIFETIME, "");
    answer(LIFETIME, "");
    answer(
        "Encrypt the CA's private key with a passphrase? [yes]:",
        "y",
    );
    terminal.answer(PASSPHRASE, "correct horse");
    terminal.answer(ONCE_MORE, "correct horse");
    terminal.says("Make it? [yes]:");
    terminal.press(CTRL_D);
    assert_eq!(terminal.end(), 130);
    let transcript = terminal.transcript();
    assert!(
        !transcript.contains('\x1b') && !transcript.contains("horse"),
        "{transcript:?}"
    );
    let end = "Make it? [yes]: \nzpki: error: cannot make a PKI\n  \
               because: interrupted; nothing was left behind";
    assert!(
        terminal.screen().trim_end().ends_with(end),
        "{}",
        terminal.screen()
    );
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn a_terminal_of_two_rows_is_no_place_for_menus() {
    let dir = tempdir().unwrap();
    let mut command = at_terminal(dir.path());
    command.args([ZPKI, "init", "demo", "--no-ca-passphrase"]);
    let mut terminal = Terminal::start(&mut command, (2, 200));
    for _ in 0..9 {
        terminal.press("\r");
    }
    terminal.says("Make it? [yes]:");
    terminal.press("\r");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn no_colour_and_no_question_where_standard_error_is_a_file() {
    let dir = tempdir().unwrap();
    let mut command = at_terminal(dir.path());
    command.args(["sh", "-c", r#"exec "$0" init demo 2>said"#, ZPKI]);
    let mut terminal = Terminal::start(&mut command, WIDE);
    terminal.press("prod\r");
    assert_eq!(terminal.end(), 64);
    let said = fs::read_to_string(dir.path().join("said")).unwrap();
    assert!(said.starts_with("zpki: error: cannot make a PKI\n  because: not given, and nobody"));
    assert!(!said.contains('\x1b'), "{said:?}");
    assert_eq!(names(dir.path()), ["said"]);
}

#[test]
fn colour_is_only_where_it_is_wanted() {
    let dir = tempdir().unwrap();
    let coloured = |arguments: &[&str], no_color: Option<&str>| {
        let mut command = at_terminal(dir.path());
        command
            .arg(ZPKI)
            .args(["init", "demo", "--non-interactive"])
            .args(arguments);
        no_color.map(|value| command.env("NO_COLOR", value));
        let mut terminal = Terminal::start(&mut command, WIDE);
        assert_eq!(terminal.end(), 64);
        terminal.transcript().contains('\x1b')
    };
    assert!(coloured(&[], None));
    assert!(!coloured(&[], Some("1")));
    assert!(!coloured(&["--color=never"], None));
    assert!(coloured(&["--color=always"], Some("1")));
    // The wizard itself has none, with or without.
    let mut terminal = Terminal::zpki(dir.path(), &["init", "demo", "--color=always"]);
    terminal.asks(CLUSTER);
    assert!(
        !terminal.transcript().contains("\x1b["),
        "{:?}",
        terminal.transcript()
    );
}
