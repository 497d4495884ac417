//! Bad input: a clear error, the right exit status, and nothing written or lost.

use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;

use time::macros::datetime;

use crate::sandbox::{DEMO, Run, Sandbox};

/// Everything that `init` needs but servers.
const INIT: [&str; 4] = ["init", "demo", "--cluster=demo", "--no-ca-passphrase"];

const A_NAME: &str =
    "a name is letters, digits, `.`, `-` and `_`, without `--`, and begins with a letter or digit";
const AN_ADDRESS: &str = "an address is HOST:PORT, such as 10.0.0.11:17010";
const A_HOST: &str =
    "a host name is labels of letters, digits and inner hyphens, such as server1.prod.internal";
const A_DURATION: &str =
    "a duration is a number and a unit, such as 90d, 12h or 1y6w (s, m, h, d, w, y)";

/// The run is refused with this, and every file is what it was.
#[track_caller]
fn refused(sandbox: &Sandbox, run: Run<'_>, status: i32, stderr: &str) {
    let before = sandbox.tree();
    run.run().status(status).stdout("").stderr(stderr);
    assert_eq!(sandbox.tree(), before);
}

/// A flag of `init` is refused as it is read.
#[track_caller]
fn flag(flag: &str, value: &str, because: &str, hint: &str) {
    let sandbox = Sandbox::new();
    let shown = match value {
        "" => "''",
        value => value,
    };
    let stderr = format!(
        "\
zpki: error: cannot read the command line
  at: {flag} {shown}
  because: {because}
  hint: {hint}
"
    );
    let argument = format!("{flag}={value}");
    let args = INIT.into_iter().chain(["--server=a=h.x:1", &argument]);
    refused(&sandbox, sandbox.args(args), 64, &stderr);
}

/// What was asked for does not fit together.
#[track_caller]
fn misfit(flags: &[&str], reasons: &str) {
    let sandbox = Sandbox::new();
    let stderr = format!("zpki: error: cannot make the PKI of `demo`\n{reasons}");
    refused(&sandbox, sandbox.args([&INIT, flags].concat()), 64, &stderr);
}

/// A zpki.toml is refused by `init --config`, and by whatever reads it.
#[track_caller]
fn cluster_file(text: impl AsRef<[u8]>, reasons: &str) {
    let sandbox = Sandbox::new();
    sandbox.file("pki/zpki.toml", text);
    let at = |place: &str| reasons.replace("[file]", place);
    let init = [
        "init",
        "demo",
        "--config=pki/zpki.toml",
        "--no-ca-passphrase",
    ];
    let stderr = format!("zpki: error: cannot make a PKI\n{}", at("pki/zpki.toml"));
    refused(&sandbox, sandbox.args(init), 78, &stderr);
    let stderr = format!(
        "zpki: error: cannot list the entries\n{}",
        at("[root]/pki/zpki.toml")
    );
    refused(&sandbox, sandbox.args(["-C", "pki", "list"]), 78, &stderr);
}

/// A zato.config is refused.
#[track_caller]
fn zato_config(text: &str, reasons: &str) {
    for text in [text.to_owned(), text.replace('\n', "\r\n")] {
        let sandbox = Sandbox::new();
        sandbox.file("zato.config", text);
        let stderr = format!("zpki: error: cannot make the PKI of `demo`\n{reasons}");
        let args = INIT.into_iter().chain(["--from-haproxy=zato.config"]);
        refused(&sandbox, sandbox.args(args), 65, &stderr);
    }
}

#[test]
fn a_name_that_is_no_file_name() {
    let server = |name: &str, because: &str, hint: &str| {
        flag("--server", &format!("{name}=10.0.0.1:1"), because, hint);
    };
    server(
        "../x",
        "`/` is not allowed in the entry name `../x`",
        A_NAME,
    );
    server("", "the entry name is empty", A_NAME);
    server(
        "a b",
        "a space is not allowed in the entry name `a b`",
        A_NAME,
    );
    server("ü", "`ü` is not allowed in the entry name `ü`", A_NAME);
    server(
        ".a",
        "the entry name `.a` begins with neither a letter nor a digit",
        A_NAME,
    );
    server(
        "-a",
        "the entry name `-a` begins with neither a letter nor a digit",
        A_NAME,
    );
    server("a--b", "the name `a--b` contains `--`", A_NAME);
    server("ca", "the name `ca` is zpki's own", "choose another name");
    server(
        "Load-Balancer",
        "the name `Load-Balancer` is zpki's own",
        "choose another name",
    );
    server(
        &"x".repeat(300),
        "the entry name has 300 characters, more than 64",
        "choose a name of at most 64 characters",
    );
}

#[test]
fn a_cluster_name_that_cannot_be_one() {
    let long = "x".repeat(38);
    for (name, shown, because, hint) in [
        ("", "''", "the cluster name is empty", A_NAME),
        (
            "a/b",
            "a/b",
            "`/` is not allowed in the cluster name `a/b`",
            A_NAME,
        ),
        (
            &long,
            &long,
            "the cluster name has 38 characters, more than 37",
            "choose a name of at most 37 characters",
        ),
    ] {
        let sandbox = Sandbox::new();
        let stderr = format!(
            "\
zpki: error: cannot read the command line
  at: --cluster {shown}
  because: {because}
  hint: {hint}
"
        );
        refused(
            &sandbox,
            sandbox.args(["init", "--cluster", name]),
            64,
            &stderr,
        );
    }
}

#[test]
fn a_name_with_a_control_character_is_shown_harmless() {
    for (character, shown) in [("\n", r"\n"), ("\0", r"\u{0}"), ("\u{1b}", r"\u{1b}")] {
        let sandbox = Sandbox::new();
        let argument = format!("--server=a{character}b=10.0.0.1:1");
        let stderr = format!(
            "\
zpki: error: cannot read the command line
  at: --server a{shown}b=10.0.0.1:1
  because: `{shown}` is not allowed in the entry name `a{shown}b`
  hint: {A_NAME}
"
        );
        let args = INIT.into_iter().chain([argument.as_str()]);
        refused(&sandbox, sandbox.args(args), 64, &stderr);
    }
}

#[test]
fn a_server_without_an_address() {
    let example = "such as server1=10.0.0.11:17010,server1.prod.internal";
    let no_equals = "there is no `=` between name and address";
    flag("--server", "server1", no_equals, example);
    flag("--server", "", no_equals, example);
    flag("--server", "a=", "the address `` has no port", AN_ADDRESS);
}

#[test]
fn an_address_without_a_port_or_with_one_that_is_none() {
    let address = |address: &str, because: &str, hint: &str| {
        flag("--server", &format!("a={address}"), because, hint);
    };
    address("10.0.0.1", "the address `10.0.0.1` has no port", AN_ADDRESS);
    for port in ["0", "70000", "65536", "-1", "http", ""] {
        let because =
            format!("the port of `10.0.0.1:{port}` is `{port}`, not a number from 1 to 65535");
        address(&format!("10.0.0.1:{port}"), &because, AN_ADDRESS);
    }
    let ipv6 = "is IPv6, which Zato's load-balancer agent cannot read on a server line";
    let instead = "give the server's IPv4 address or its host name";
    address(
        "[::1]:80",
        &format!("the address `[::1]:80` {ipv6}"),
        instead,
    );
    address("::1", &format!("the address `::1` {ipv6}"), instead);
    address(
        "a b:80",
        "a space is not allowed in the host of the address `a b:80`",
        "an address is HOST:PORT, HOST an IPv4 address or letters, digits, `.`, `-` and `_`",
    );
}

#[test]
fn a_host_name_that_is_none() {
    let long = "x".repeat(64);
    for (host, because, hint) in [
        (
            "a_b.c",
            "`_` is not allowed in the host name `a_b.c`".to_owned(),
            A_HOST,
        ),
        (
            "a b.c",
            "a space is not allowed in the host name `a b.c`".to_owned(),
            A_HOST,
        ),
        (
            "a.b.",
            "the host name `a.b.` ends with a dot".to_owned(),
            "leave out the last dot",
        ),
        (
            "a..b",
            "the host name `a..b` has an empty label".to_owned(),
            A_HOST,
        ),
        (
            ".a",
            "the host name `.a` has an empty label".to_owned(),
            A_HOST,
        ),
        ("", "the host name is empty".to_owned(), A_HOST),
        (
            &long,
            format!("the host name label `{long}` has 64 octets, more than 63"),
            A_HOST,
        ),
        (
            "[10.0.0.1]",
            "`[10.0.0.1]` is an IP address in brackets".to_owned(),
            "write the IP address without brackets",
        ),
        (
            "[fd00::1]",
            "`[fd00::1]` is an IP address in brackets".to_owned(),
            "write the IP address without brackets",
        ),
        (
            "a.*.c",
            "`*` is not the whole left-most label of `a.*.c`".to_owned(),
            "a wildcard is `*.` and a domain, such as *.prod.internal",
        ),
        (
            "10.0.0.300",
            "`10.0.0.300` is neither an IPv4 address nor a host name".to_owned(),
            "an IPv4 address is four decimal numbers from 0 to 255, none with a zero in front",
        ),
        (
            "-a.c",
            "the label `-a` of the host name `-a.c` begins or ends with `-`".to_owned(),
            A_HOST,
        ),
    ] {
        flag("--lb", host, &because, hint);
        flag("--server", &format!("a=h.x:1,{host}"), &because, hint);
    }
}

#[test]
fn a_unicode_host_name_becomes_a_labels() {
    let sandbox = Sandbox::new();
    let args = INIT
        .into_iter()
        .chain(["--server=a=h.x:1,grün.Example", "-q"]);
    sandbox.args(args).run();
    let toml = sandbox.read("demo/zpki.toml");
    assert!(toml.contains("hosts = [\"xn--grn-ioa.example\"]"), "{toml}");
}

#[test]
fn a_lifetime_that_is_none() {
    for name in ["--lifetime", "--ca-lifetime"] {
        for value in ["0", "0s", "-1d", "59s", "10000y", "101y"] {
            let because = format!("`{value}` is not between 1m and 100y");
            flag(name, value, &because, "give one from 1m to 100y");
        }
        for value in ["1 fortnight", "1", "y", "1.5y", "", "99999999999999999999y"] {
            flag(
                name,
                value,
                &format!("`{value}` is not a duration"),
                A_DURATION,
            );
        }
    }
    flag(
        "--lock-timeout",
        "soon",
        "`soon` is not a duration",
        A_DURATION,
    );
}

#[test]
fn a_lifetime_above_the_ca_s() {
    misfit(
        &["--server=a=h.x:1", "--lifetime=11y"],
        "  at: --lifetime 11y
  because: the lifetime 11y is longer than the CA's, 10y
  hint: give a lifetime of at most 10y, or the CA a longer one
",
    );
    misfit(
        &["--server=a=h.x:1", "--ca-lifetime=90d"],
        "  at: --lifetime 1y
  because: the lifetime 1y is longer than the CA's, 90d
  hint: give a lifetime of at most 90d, or the CA a longer one
",
    );
}

#[test]
fn a_word_that_is_not_one_of_the_words() {
    let algorithms = "one of: ecdsa-p256, ecdsa-p384, ed25519, rsa-2048, rsa-3072, rsa-4096";
    flag(
        "--key-algorithm",
        "ecdsa-p265",
        "unknown value `ecdsa-p265`",
        &format!("did you mean `ecdsa-p256`?  {algorithms}"),
    );
    flag(
        "--ca-key-algorithm",
        "dsa",
        "unknown value `dsa`",
        algorithms,
    );
    flag(
        "--client-certificate",
        "maybe",
        "unknown value `maybe`",
        "one of: none, optional, required",
    );
    flag(
        "--client-certificate",
        "",
        "it has no value",
        "one of: none, optional, required",
    );
    flag(
        "--output",
        "xml",
        "unknown value `xml`",
        "one of: text, json, jsonl, nagios, pem, prometheus",
    );
}

#[test]
fn other_flags_of_init_that_have_impossible_values() {
    let network = "a network is ADDRESS/PREFIX, such as 10.0.0.0/8 or fd00::/8";
    let path = "give an absolute path, such as /etc/haproxy/tls/ca.cert.pem";
    for value in ["10.0.0.0", "10.0.0.0/33", "prod.internal", ""] {
        let because = format!("`{value}` is not a network");
        flag("--permitted-network", value, &because, network);
    }
    flag(
        "--permitted-domain",
        "a_b",
        "`_` is not allowed in the host name `a_b`",
        A_HOST,
    );
    flag(
        "--ca-file",
        "tls/ca.pem",
        "the path `tls/ca.pem` is not absolute",
        path,
    );
    flag("--crt", "", "the path `` is not absolute", path);
    flag(
        "--backend",
        "a b",
        "a space is not allowed in the backend name `a b`",
        A_NAME,
    );
}

#[test]
fn a_command_line_that_cannot_be_read() {
    let help = "see `zpki --help`, or `zpki COMMAND --help`";
    for (args, because, hint) in [
        (
            &["ini"][..],
            "unrecognized subcommand `ini`",
            "did you mean `init`?",
        ),
        (
            &["init", "--clister=x"],
            "unexpected argument `--clister` found",
            "did you mean `--cluster`?",
        ),
        (&["init", "a", "b"], "unexpected argument `b` found", help),
        (
            &["init", "--cluster"],
            "a value is required for `--cluster <NAME>` but none was supplied",
            help,
        ),
        (&["snippet"], "no command was given", help),
        (
            &["show"],
            "the following required arguments were not provided: <NAME|FILE|->",
            help,
        ),
        (
            &["list", "-q", "-v"],
            "the argument `--quiet` cannot be used with `--verbose`",
            "leave out one of the two",
        ),
        (
            &["init", "--server=a=h.x:1", "--from-haproxy=x"],
            "the argument `--server <NAME=ADDRESS[,HOST...]>` cannot be used with `--from-haproxy <FILE>`",
            "leave out one of the two",
        ),
        (
            &["init", "--no-ca-passphrase", "--ca-passphrase-file=x"],
            "the argument `--no-ca-passphrase` cannot be used with `--ca-passphrase-file <FILE>`",
            "leave out one of the two",
        ),
    ] {
        let sandbox = Sandbox::new();
        let stderr = format!(
            "zpki: error: cannot read the command line\n  because: {because}\n  hint: {hint}\n"
        );
        refused(&sandbox, sandbox.args(args.to_vec()), 64, &stderr);
    }
}

#[test]
fn without_a_terminal_every_flag_that_is_missing_is_named() {
    let hint = "see `zpki init --help`, or run it on a terminal to be asked";
    let cluster = "--cluster NAME";
    let server = "--server NAME=ADDRESS (or --from-haproxy FILE)";
    let passphrase = "--ca-passphrase-file FILE (or --no-ca-passphrase)";
    for (args, missing) in [
        (&["init"][..], format!("{cluster}, {server}, {passphrase}")),
        (
            &["init", "--no-ca-passphrase"],
            format!("{cluster}, {server}"),
        ),
        (
            &["init", "--server=a=h.x:1", "--no-ca-passphrase"],
            cluster.to_owned(),
        ),
        (&["init", "--config=zpki.toml"], passphrase.to_owned()),
    ] {
        let sandbox = Sandbox::new();
        let stderr = format!(
            "\
zpki: error: cannot make a PKI
  because: not given, and nobody can be asked: {missing}
  hint: {hint}
"
        );
        refused(&sandbox, sandbox.args(args.to_vec()), 64, &stderr);
    }
}

#[test]
fn server_names_that_are_not_unique() {
    misfit(
        &[
            "--server=a=h.x:1",
            "--server=b=h.y:1",
            "--server=a=h.z:1",
            "--server=B=i.z:1",
        ],
        "  at: --server a=h.z:1
  because: there are two entries named `a`
  hint: give each server and client a name of its own
  at: --server B=i.z:1
  because: the names `b` and `B` differ only in case
  hint: give each server and client a name of its own
",
    );
}

#[test]
fn a_server_whose_name_is_a_host_name_and_not_its_own() {
    misfit(
        &["--server=app.prod=h.x:1"],
        "  at: --server app.prod=h.x:1
  because: `app.prod` looks like a host name and is none of its hosts
  hint: add `app.prod` to its hosts, or choose a name without dots
",
    );
}

#[test]
fn a_misfit_of_a_zato_config_is_placed_there() {
    let sandbox = Sandbox::new();
    sandbox.file("zato.config", zato(&[line("app.prod", "h.x:1")]));
    let stderr = "\
zpki: error: cannot make the PKI of `demo`
  at: zato.config: server app.prod
  because: `app.prod` looks like a host name and is none of its hosts
  hint: add `app.prod` to its hosts, or choose a name without dots
";
    let args = INIT.into_iter().chain(["--from-haproxy=zato.config"]);
    refused(&sandbox, sandbox.args(args), 64, stderr);
}

#[test]
fn every_problem_of_a_zpki_toml_has_its_line() {
    cluster_file(
        "\
colour = \"red\"

[cluster]
nam = \"prod\"

[ca]
key_algorithm = \"ecdsa-p265\"
lifetime = 10

[load_balancer]
hosts = \"lb\"
client_certificate = \"yes\"
renew_within = \"100%\"

[servers_]

[[servers]]
name = \"../x\"
address = \"10.0.0.1\"
hosts = [\"a_b\", \"c\", \"d.\"]

[[servers]]
name = \"a\\u0000\"
adress = \"10.0.0.1:1\"

[[servers]]
name = \"b\"
address = \"10.0.0.1:70000\"
lifetime = \"1 fortnight\"
calls_servers = \"no\"
",
        "  at: [file]:1: colour = \"red\"
  because: unknown key `colour` outside of the tables
  hint: one of: cluster, ca, certificates, load_balancer, servers, clients, revocation
  at: [file]:3: [cluster]
  because: [cluster] has no `name`
  hint: add to [cluster]: name = \"prod\"
  at: [file]:4: nam = \"prod\"
  because: unknown key `nam` in [cluster]
  hint: did you mean `name`?  one of: name
  at: [file]:7: key_algorithm = \"ecdsa-p265\"
  because: unknown key algorithm `ecdsa-p265`
  hint: did you mean `ecdsa-p256`?  one of: ecdsa-p256, ecdsa-p384, ed25519, rsa-2048, rsa-3072, rsa-4096
  at: [file]:8: lifetime = 10
  because: expected a string, found an integer
  hint: write it like this: lifetime = \"10y\"
  at: [file]:11: hosts = \"lb\"
  because: expected a list of strings, found a string
  hint: write it like this: hosts = [\"lb.prod.internal\"]
  at: [file]:12: client_certificate = \"yes\"
  because: unknown client certificate mode `yes`
  hint: one of: none, optional, required
  at: [file]:13: renew_within = \"100%\"
  because: `100%` is not a percentage from 1% to 99%
  hint: give a percentage such as 33%, or a time such as 30d
  at: [file]:15: [servers_]
  because: unknown table `servers_`
  hint: did you mean `servers`?  one of: cluster, ca, certificates, load_balancer, servers, clients, revocation
  at: [file]:18: name = \"../x\"
  because: `/` is not allowed in the entry name `../x`
  hint: a name is letters, digits, `.`, `-` and `_`, without `--`, and begins with a letter or digit
  at: [file]:19: address = \"10.0.0.1\"
  because: the address `10.0.0.1` has no port
  hint: an address is HOST:PORT, such as 10.0.0.11:17010
  at: [file]:20: hosts = [\"a_b\", \"c\", \"d.\"]
  because: `_` is not allowed in the host name `a_b`
  hint: a host name is labels of letters, digits and inner hyphens, such as server1.prod.internal
  at: [file]:20: hosts = [\"a_b\", \"c\", \"d.\"]
  because: the host name `d.` ends with a dot
  hint: leave out the last dot
  at: [file]:22: [[servers]]
  because: [[servers]] has no `address`
  hint: add to [[servers]]: address = \"10.0.0.11:17010\"
  at: [file]:23: name = \"a\\u0000\"
  because: `\\u{0}` is not allowed in the entry name `a\\u{0}`
  hint: a name is letters, digits, `.`, `-` and `_`, without `--`, and begins with a letter or digit
  at: [file]:24: adress = \"10.0.0.1:1\"
  because: unknown key `adress` in [[servers]]
  hint: did you mean `address`?  one of: name, address, hosts, options, calls_servers, conf, key_algorithm, lifetime, renew_within
  at: [file]:28: address = \"10.0.0.1:70000\"
  because: the port of `10.0.0.1:70000` is `70000`, not a number from 1 to 65535
  hint: an address is HOST:PORT, such as 10.0.0.11:17010
  at: [file]:29: lifetime = \"1 fortnight\"
  because: `1 fortnight` is not a duration
  hint: a duration is a number and a unit, such as 90d, 12h or 1y6w (s, m, h, d, w, y)
  at: [file]:30: calls_servers = \"no\"
  because: expected true or false, found a string
  hint: write it like this: calls_servers = true
",
    );
}

#[test]
fn settings_of_a_zpki_toml_that_do_not_fit_have_their_line() {
    cluster_file(
        "\
[cluster]
name = \"prod\"
[ca]
lifetime = \"5y\"
permitted_domains = [\"prod.internal\"]
[certificates]
lifetime = \"6y\"
[[servers]]
name = \"a\"
address = \"10.0.0.1:1\"
hosts = [\"a.prod.internal\", \"10.0.0.1\"]
[[servers]]
name = \"A\"
address = \"10.0.0.2:1\"
lifetime = \"7y\"
",
        "  at: [file]:7: lifetime = \"6y\"
  because: the lifetime 6y is longer than the CA's, 5y
  hint: give a lifetime of at most 5y, or the CA a longer one
  at: [file]:11: hosts = [\"a.prod.internal\", \"10.0.0.1\"]
  because: `10.0.0.1` of `a` is outside the CA's name constraints (permitted_domains: prod.internal; permitted_networks: none)
  hint: permit its network (permitted_networks), or leave the address out of its hosts
  at: [file]:13: name = \"A\"
  because: the names `a` and `A` differ only in case
  hint: give each server and client a name of its own
  at: [file]:15: lifetime = \"7y\"
  because: the lifetime 7y is longer than the CA's, 5y
  hint: give a lifetime of at most 5y, or the CA a longer one
",
    );
}

#[test]
fn a_file_that_is_no_zpki_toml() {
    cluster_file(
        b"[cluster]\nname = \"gr\xfcn\"\n# \xff\n",
        "  at: [file]:2: name = \"gr\u{fffd}n\"
  because: byte 0xfc at column 11 is not UTF-8
  hint: save the file as UTF-8
  at: [file]:3: # \u{fffd}
  because: byte 0xff at column 3 is not UTF-8
  hint: save the file as UTF-8
",
    );
    cluster_file(
        "[cluster]\nname = \"prod\n",
        "  at: [file]:2: name = \"prod
  because: not TOML at column 13: invalid basic string, expected `\"`
  hint: a line is a [table], a [[table]], or key = value with text in double quotes
",
    );
    cluster_file(
        "[cluster]\nname = \"a\"\nname = \"b\"\n",
        "  at: [file]:3: name = \"b\"
  because: not TOML at column 1: duplicate key
  hint: give each table and each key once; every server has a [[servers]] of its own
",
    );
    cluster_file(
        "",
        "  at: [file]
  because: the cluster has no servers
  hint: name at least one server and its address
  at: [file]
  because: [cluster] has no `name`
  hint: add to [cluster]: name = \"prod\"
",
    );
}

/// A server line as Zato writes it.
fn line(name: &str, address: &str) -> String {
    format!(
        "    server http_plain--{name} {address} check # ZATO backend bck_http_plain:server--{name}\n"
    )
}

fn zato(lines: &[String]) -> String {
    let lines = lines.concat();
    format!(
        "backend bck_http_plain\n# ZATO begin backend bck_http_plain\n{lines}\
         # ZATO end backend bck_http_plain\n"
    )
}

#[test]
fn a_zato_config_without_the_block_or_with_two() {
    zato_config(
        "backend bck_http_plain\n",
        "  at: zato.config
  because: there is no block of the backend `bck_http_plain`
  hint: a zato.config has the servers between `# ZATO begin backend bck_http_plain` \
and `# ZATO end backend bck_http_plain`
",
    );
    zato_config(
        &zato(&[line("a", "10.0.0.1:1")]).repeat(2),
        "  at: zato.config:6: # ZATO begin backend bck_http_plain
  because: the backend `bck_http_plain` has a block already, on line 2
  hint: keep one of them: a backend has one block
",
    );
    zato_config(
        &zato(&[line("a", "10.0.0.1:1")]).replace("# ZATO end backend bck_http_plain\n", ""),
        "  at: zato.config:2: # ZATO begin backend bck_http_plain
  because: the block of the backend `bck_http_plain` has no end
  hint: put `# ZATO end backend bck_http_plain` behind the last server line
",
    );
    zato_config(
        &zato(&[]),
        "  at: zato.config:2: # ZATO begin backend bck_http_plain
  because: the block of the backend `bck_http_plain` has no server line
  hint: add the servers to the block first
",
    );
}

#[test]
fn every_line_of_a_zato_config_that_cannot_be_read_is_named() {
    zato_config(
        &zato(&[
            line("a", "10.0.0.1"),
            "    server http_plain--b 10.0.0.2:1\n".to_owned(),
            line("c", "10.0.0.3:1"),
            line("C", "10.0.0.4:1"),
            line("ca", "10.0.0.5:1"),
        ]),
        "  at: zato.config:3: server http_plain--a 10.0.0.1 check # ZATO backend bck_http_plain:server--a
  because: the address `10.0.0.1` has no port
  hint: an address is HOST:PORT, such as 10.0.0.11:17010
  at: zato.config:4: server http_plain--b 10.0.0.2:1
  because: the line has no ZATO comment
  hint: Zato's load-balancer agent reads `server http_plain--NAME HOST:PORT OPTIONS # ZATO backend bck_http_plain:server--NAME`
  at: zato.config:6: server http_plain--C 10.0.0.4:1 check # ZATO backend bck_http_plain:server--C
  because: the server name `C` differs only in case from `c` on line 5
  hint: give each server a name of its own
  at: zato.config:7: server http_plain--ca 10.0.0.5:1 check # ZATO backend bck_http_plain:server--ca
  because: the name `ca` is zpki's own
  hint: choose another name
",
    );
}

#[test]
fn an_input_file_that_is_missing_or_no_file() {
    let missing = "no such file or directory";
    let check = "check the path; file arguments are relative to the current directory";
    for (flag, what) in [
        ("--from-haproxy", "make the PKI of `demo`"),
        ("--ca-passphrase-file", "make the PKI of `demo`"),
        ("--config", "make a PKI"),
    ] {
        for (value, because, hint) in [
            ("nowhere", missing, check),
            (
                "directory",
                "is a directory",
                "name a file, not a directory",
            ),
            ("file/below", "not a directory", check),
        ] {
            let sandbox = Sandbox::new();
            sandbox.file("directory/x", "").file("file", "");
            let args = match flag {
                "--from-haproxy" => vec!["--cluster=demo", "--no-ca-passphrase"],
                "--config" => vec!["--no-ca-passphrase"],
                _ => vec!["--cluster=demo", "--server=a=h.x:1"],
            };
            let stderr = format!(
                "zpki: error: cannot {what}\n  at: {value}\n  because: {because}\n  hint: {hint}\n"
            );
            let args = [&["init", "demo", flag, value], &args[..]].concat();
            refused(&sandbox, sandbox.args(args), 66, &stderr);
        }
    }
}

#[test]
fn a_target_that_is_a_file_or_below_one() {
    let sandbox = Sandbox::new();
    sandbox.file("demo", "ours");
    let stderr = "\
zpki: error: cannot make the PKI of `demo`
  because: `[root]/demo` already exists
  hint: choose another place, or move it out of the way
";
    refused(&sandbox, sandbox.args(DEMO), 73, stderr);
    let stderr = "\
zpki: error: cannot make the PKI of `demo`
  because: cannot look at `[root]/demo/pki`
  because: not a directory
  hint: a part of the path is a file: choose another place, or move it out of the way
";
    let args = [&["init", "demo/pki"], &DEMO[2..]].concat();
    refused(&sandbox, sandbox.args(args), 74, stderr);
}

#[test]
fn a_target_that_is_a_dangling_link() {
    let sandbox = Sandbox::new();
    symlink("nowhere", sandbox.path("demo")).unwrap();
    let stderr = "\
zpki: error: cannot make the PKI of `demo`
  because: `[root]/demo` is a symbolic link to something that does not exist
  hint: remove the link, or make what it points to
";
    refused(&sandbox, sandbox.args(DEMO), 73, stderr);
}

#[test]
fn a_link_in_the_place_of_one_of_our_names_is_not_followed() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("demo")).unwrap();
    symlink("nowhere", sandbox.path("demo/ca")).unwrap();
    let stderr = "\
zpki: error: cannot make the PKI of `demo`
  because: `[root]/demo/ca` already exists
  hint: choose another place, or move it out of the way
";
    refused(&sandbox, sandbox.args(DEMO), 73, stderr);
}

#[test]
fn a_target_path_that_no_haproxy_line_can_hold() {
    let sandbox = Sandbox::new();
    let stderr = r"zpki: error: cannot make the PKI of `demo`
  because: the path `[root]/a\nb/load-balancer/ca.cert.pem` contains a control character, which no HAProxy line can hold
  hint: choose another directory, or say where HAProxy sees its files: --ca-file and --crt
";
    let args = [&["init", "a\nb"], &DEMO[2..]].concat();
    refused(&sandbox, sandbox.args(args), 64, stderr);
}

#[test]
fn a_directory_that_is_no_pki_directory() {
    for directory in ["nowhere", "file", "empty"] {
        let sandbox = Sandbox::new();
        sandbox.file("file", "").file("empty/x", "");
        for (command, what) in [
            (&["list"][..], "list the entries"),
            (
                &["snippet", "frontend", "--client-certificate=none"],
                "print a front-end for client applications",
            ),
            (&["snippet", "haproxy"], "print the lines for HAProxy"),
            (&["snippet", "server", "a"], "print the lines for `a`"),
        ] {
            let stderr = format!(
                "\
zpki: error: cannot {what}
  at: [root]/{directory}
  because: this is no PKI directory: it has no zpki.toml
  hint: name a PKI directory with -C or ZPKI_DIR, or make one with `zpki init`
"
            );
            refused(
                &sandbox,
                sandbox.args(command.to_vec()).env("ZPKI_DIR", directory),
                66,
                &stderr,
            );
            let args = [&["-C", directory], command].concat();
            refused(&sandbox, sandbox.args(args), 66, &stderr);
        }
    }
}

#[test]
fn a_name_that_is_no_entry() {
    let sandbox = Sandbox::with_demo();
    let server = |name| sandbox.args(["-C", "demo", "snippet", "server", name]);
    for (name, hint) in [
        (
            "server3",
            "did you mean `server2`?  `zpki list` shows the entries",
        ),
        ("x", "`zpki list` shows the entries"),
        ("load-balancer", "`zpki list` shows the entries"),
        ("../x", "`zpki list` shows the entries"),
    ] {
        let stderr = format!(
            "\
zpki: error: cannot print the lines for `{name}`
  because: there is no server `{name}`
  hint: {hint}
"
        );
        refused(&sandbox, server(name), 66, &stderr);
    }
    let stderr = "\
zpki: error: cannot show `server3`
  because: `server3` is neither an entry of [root]/demo nor a file
  hint: `zpki list` shows the entries
";
    refused(
        &sandbox,
        sandbox.args(["-C", "demo", "show", "server3"]),
        66,
        stderr,
    );
}

/// It is read and not written, so that nothing is in the way.
#[test]
fn a_zpki_toml_that_is_no_regular_file_is_wrong() {
    let sandbox = Sandbox::with_demo();
    let place = sandbox.path("demo/zpki.toml");
    fs::remove_file(&place).unwrap();
    for kind in ["pipe", "directory"] {
        match kind {
            "pipe" => _ = sandbox.tool("mkfifo", &["demo/zpki.toml"]),
            _ => {
                fs::remove_file(&place).unwrap();
                fs::create_dir(&place).unwrap();
            }
        }
        for (command, what) in [("plan", "plan"), ("apply", "apply zpki.toml")] {
            let stderr = format!(
                "zpki: error: cannot {what}\n  at: [root]/demo/zpki.toml\n  \
                   because: it is not a regular file\n  \
                   hint: put the zpki.toml of the cluster there, a regular file or a link to one\n"
            );
            refused(&sandbox, sandbox.args(["-C", "demo", command]), 78, &stderr);
        }
    }
}

#[test]
fn a_file_that_show_cannot_read() {
    let sandbox = Sandbox::with_demo();
    let pem = sandbox.read("demo/ca/ca.cert.pem");
    sandbox.tool(
        "openssl",
        &[
            "pkcs12",
            "-export",
            "-nokeys",
            "-in",
            "demo/ca/ca.cert.pem",
            "-out",
            "a store.p12",
            "-passout",
            "pass:",
        ],
    );
    sandbox.tool(
        "openssl",
        &[
            "crl2pkcs7",
            "-nocrl",
            "-certfile",
            "demo/ca/ca.cert.pem",
            "-outform",
            "DER",
            "-out",
            "certs.p7b",
        ],
    );
    sandbox
        .file("text", "hello\n")
        .file("empty", "")
        .file("java.jks", b"\xfe\xed\xfe\xed\0\0\0\x02")
        .file("cut.pem", &pem[..200])
        .file("damaged.pem", pem.replacen("MII", "MIJ", 1));
    let none = "it has no PEM block and is not DER of a certificate, request or CRL";
    let name = "name a file with one of these, or with a key as PEM";
    for (file, because, hint) in [
        ("text", none, name),
        ("empty", none, name),
        (
            "a store.p12",
            "it is a PKCS#12 key store, which is not opened",
            "take its certificates out as PEM: openssl pkcs12 -nokeys -in 'a store.p12'",
        ),
        (
            "certs.p7b",
            "it is PKCS#7, which is not opened",
            "take its certificates out as PEM: openssl pkcs7 -inform DER -print_certs -in certs.p7b",
        ),
        (
            "java.jks",
            "it is a Java key store, which is not opened",
            "take its certificates out as PEM: keytool -list -rfc -keystore java.jks",
        ),
        (
            "cut.pem",
            "the PEM block `CERTIFICATE` has no END line",
            "the file is damaged or was cut off: get it again",
        ),
    ] {
        let line = if because.starts_with("the PEM block") {
            ":1"
        } else {
            ""
        };
        let stderr = format!(
            "zpki: error: cannot show `{file}`\n  at: {file}{line}\n  because: {because}\n  hint: {hint}\n"
        );
        refused(&sandbox, sandbox.args(["show", file]), 65, &stderr);
    }
    let before = sandbox.tree();
    let outcome = sandbox
        .args(["show", "damaged.pem"])
        .run()
        .status(65)
        .stdout("");
    outcome.stderr_with("at: damaged.pem:1\n  because: not a certificate: it is no X.509 certificate (RFC 5280 4.1)\n");
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn an_inventory_that_is_damaged_is_an_error_and_not_a_gap() {
    let sandbox = Sandbox::with_demo();
    let whole = sandbox.read("demo/servers/server1/zato-server-cert.pem");
    let shell = |script: &str| sandbox.tool("sh", &["-c", script]);
    let der = "openssl x509 -in demo/servers/server1/zato-server-cert.pem -outform DER";
    let twice = shell(&format!("({der}; {der}) | base64"));
    let length = shell(&format!("{der} | wc -c"));
    fs::remove_dir_all(sandbox.path("demo/servers/server1")).unwrap();
    let block = |base64: &str| {
        format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
    };
    for (contents, line, because) in [
        (
            "-----BEGIN CERTIFICATE-----\n".to_owned(),
            ":1",
            "the PEM block `CERTIFICATE` has no END line",
        ),
        (
            whole.replacen('M', "*", 1),
            ":2",
            "the PEM block `CERTIFICATE` is not base64",
        ),
        (
            block("MAA="),
            ":1",
            "not a certificate: it is no X.509 certificate (RFC 5280 4.1)",
        ),
        (
            block(twice.trim_end()),
            ":1",
            &format!("other octets follow the certificate ({})", length.trim()),
        ),
        (String::new(), "", "it has no PEM block"),
    ] {
        sandbox.file("demo/ca/issued/server1/00.pem", contents);
        let stderr = format!(
            "\
zpki: error: cannot list the entries
  at: [root]/demo/ca/issued/server1/00.pem{line}
  because: {because}
  hint: restore it from a backup
"
        );
        refused(&sandbox, sandbox.args(["-C", "demo", "list"]), 65, &stderr);
    }
}

#[test]
fn of_several_damaged_files_it_is_always_the_first_that_is_named() {
    let sandbox = Sandbox::with_demo();
    for name in ["server2", "load-balancer", "stranger", "server1"] {
        sandbox.file(format!("demo/ca/issued/{name}/00.pem"), "");
        sandbox.file(format!("demo/ca/issued/{name}/01.pem"), "");
    }
    for folders in ["demo/servers", "demo/load-balancer"] {
        fs::remove_dir_all(sandbox.path(folders)).unwrap();
    }
    let stderr = "\
zpki: error: cannot list the entries
  at: [root]/demo/ca/issued/load-balancer/00.pem
  because: it has no PEM block
  hint: restore it from a backup
";
    for _ in 0..8 {
        refused(&sandbox, sandbox.args(["-C", "demo", "list"]), 65, stderr);
    }
}

#[test]
fn a_format_that_the_command_does_not_have() {
    let sandbox = Sandbox::with_demo();
    let stderr = "\
zpki: error: cannot list the entries
  because: this command has no output format `pem`
  hint: it has text and json
";
    refused(
        &sandbox,
        sandbox.args(["-C", "demo", "list", "--output=pem"]),
        64,
        stderr,
    );
}

#[test]
fn a_clock_that_no_certificate_can_have() {
    let stderr = "\
zpki: error: cannot make the PKI of `demo`
  because: the clock shows a date that no certificate can have
  hint: set the clock to a date from 1970 to 9999
";
    for force in [&[][..], &["--force"]] {
        let sandbox = Sandbox::new();
        let args = [&DEMO, force].concat();
        refused(&sandbox, sandbox.args(args).now(None), 74, stderr);
    }
}

#[test]
fn a_clock_before_the_release_is_believed_only_with_force() {
    let sandbox = Sandbox::new();
    let now = datetime!(2026-11-22 23:59:59 UTC);
    let stderr = "\
zpki: error: cannot make the PKI of `demo`
  because: the clock says 2026-11-22 23:59:59 UTC, before this program was released (2026-11-23)
  hint: set the clock, or give --force if it is right
";
    refused(&sandbox, sandbox.args(DEMO).now(now), 74, stderr);
    let forced = DEMO.into_iter().chain(["--force"]);
    let said = sandbox.args(forced).now(now).run().product();
    assert!(
        said.contains("server1        server         2027-11-22 23:59:59 UTC"),
        "{said}"
    );
    let at_release = Sandbox::new();
    at_release
        .args(DEMO)
        .now(datetime!(2026-11-23 0:00 UTC))
        .run()
        .product();
}

#[test]
fn a_clock_at_the_ends_of_time_makes_no_half_of_a_pki() {
    let epoch = Sandbox::new();
    let forced = || DEMO.into_iter().chain(["--force"]);
    let stderr = "\
zpki: error: cannot make the PKI of `demo`
  because: the clock shows a date that no certificate can have
  hint: set the clock to a date from 1970 to 9999
";
    let end = Sandbox::new();
    let now = datetime!(9999-12-31 23:59:59 UTC);
    refused(&end, end.args(forced()).now(now), 74, stderr);
    let now = datetime!(1970-01-01 0:00 UTC);
    epoch.args(forced()).now(now).run().product();
    let text = epoch.tool(
        "openssl",
        &["x509", "-noout", "-startdate", "-in", "demo/ca/ca.cert.pem"],
    );
    assert_eq!(text, "notBefore=Dec 31 23:00:00 1969 GMT\n");
}

#[test]
fn listing_without_a_clock_is_refused_and_showing_is_not() {
    let sandbox = Sandbox::with_demo();
    let stderr = "\
zpki: error: cannot list the entries
  because: the clock shows a date that no certificate can have
  hint: set the clock to a date from 1970 to 9999
";
    refused(
        &sandbox,
        sandbox.args(["-C", "demo", "list"]).now(None),
        74,
        stderr,
    );
    sandbox
        .args(["-C", "demo", "show", "ca"])
        .now(None)
        .run()
        .product();
}

#[test]
fn text_that_is_not_utf8_is_refused_where_utf8_is_needed() {
    let sandbox = Sandbox::new();
    let name = std::ffi::OsString::from_vec(b"gr\xfcn".to_vec());
    let args = [
        std::ffi::OsString::from("init"),
        "--cluster".into(),
        name.clone(),
    ];
    let stderr = "\
zpki: error: cannot read the command line
  because: invalid UTF-8 was detected in one or more arguments
  hint: only the names of files and directories may be other than UTF-8
";
    refused(&sandbox, sandbox.args(args), 64, stderr);
    let args = ["init".into(), name]
        .into_iter()
        .chain(DEMO[2..].iter().map(Into::into));
    let stderr = "\
zpki: error: cannot make the PKI of `demo`
  because: the path `[root]/gr\u{fffd}n/load-balancer/ca.cert.pem` is not UTF-8, which no HAProxy line can hold
  hint: choose another directory, or say where HAProxy sees its files: --ca-file and --crt
";
    refused(&sandbox, sandbox.args(args), 64, stderr);
}
