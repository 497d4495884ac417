//! `zpki init`: what it writes, what it says, and what it leaves alone.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};

use serde_json::Value;

use crate::sandbox::{DEMO, PROGRAM, Sandbox, golden, without_serials};

/// A cluster of two servers, but for the passphrase.
const CLUSTER: [&str; 7] = [
    "init",
    "demo",
    "--cluster=demo",
    "--server=server1=127.0.0.1:17010",
    "--server=server2=127.0.0.1:17011",
    "--client-certificate=required",
    "--non-interactive",
];

const NOTES: &str = "\
note: load-balancer: host names by default: load-balancer.demo.internal
note: server1: host names by default: server1.demo.internal, 127.0.0.1
note: server2: host names by default: server2.demo.internal, 127.0.0.1
";

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&CLUSTER, more].concat()
}

#[test]
fn the_command_of_the_readme_says_what_it_made_and_what_to_do_next() {
    let sandbox = Sandbox::new();
    sandbox
        .args(DEMO)
        .run()
        .stdout(
            "\
made the PKI of `demo` in [root]/demo (the CA's private key is not encrypted)

NAME           ROLE           NOT AFTER                HOSTS
ca             ca             2036-11-20 12:00:00 UTC
load-balancer  load-balancer  2027-11-23 12:00:00 UTC  load-balancer.demo.internal
server1        server         2027-11-23 12:00:00 UTC  server1.demo.internal 127.0.0.1
server2        server         2027-11-23 12:00:00 UTC  server2.demo.internal 127.0.0.1

next:
  1. copy each server's PEM files into its config/repo, owned by the user it runs as
       rsync -pog --chown=zato:zato [root]/demo/servers/server1/*.pem HOST:/opt/zato/server/config/repo/
  2. put the settings of [root]/demo/servers/server1/server.conf into [crypto] of each server.conf, \
and restart the server
  3. let the user that starts HAProxy read its files, if that is not root
       chown -R zato: [root]/demo/load-balancer
  4. put the server lines of [root]/demo/load-balancer/haproxy.cfg in place of those in \
zato.config, check, and reload HAProxy
       haproxy -c -f zato.config
  5. or have zpki do it, on the hosts where these files are: it shows the change, has it \
checked, and keeps the old files (--from FOLDER in place of -C where only a host's folder is)
       zpki -C [root]/demo config apply --install --haproxy \
/opt/zato/lb/config/repo/zato.config --server-conf \
server1=/opt/zato/server1/config/repo/server.conf --server-conf \
server2=/opt/zato/server2/config/repo/server.conf
  6. keep [root]/demo/ca/ca.key.pem off every other host, and back up [root]/demo
",
        )
        .stderr(NOTES);
}

#[test]
fn every_path_has_its_mode_whatever_the_umask() {
    for umask in ["000", "022", "077"] {
        let sandbox = Sandbox::new();
        sandbox.args(DEMO).umask(umask).run_program().product();
        golden("init/modes.txt", &sandbox.tree().modes(""));
        let again = Sandbox::new();
        again.file("demo/README", "ours");
        again.args(DEMO).umask(umask).run_program().product();
        let modes = again.tree().modes("");
        let ours = modes.lines().find(|line| line.ends_with("README")).unwrap();
        golden("init/modes.txt", &modes.replace(&format!("{ours}\n"), ""));
    }
}

#[test]
fn zpki_toml_is_as_committed() {
    let sandbox = Sandbox::with_demo();
    golden("init/zpki.toml", &sandbox.read("demo/zpki.toml"));
}

#[test]
fn quiet_says_nothing_and_verbose_more() {
    let sandbox = Sandbox::new();
    sandbox.args(DEMO).run().product();
    let quiet = [&DEMO[..1], &["quiet", "-q"], &DEMO[2..]].concat();
    sandbox.args(quiet).run();
    assert_eq!(
        sandbox.tree().modes("quiet"),
        sandbox.tree().modes("demo"),
        "-q changes what is said, not what is made"
    );
    let verbose = [&DEMO[..1], &["verbose", "-v"], &DEMO[2..]].concat();
    let text = without_serials(&sandbox.args(verbose).run().product());
    let table: Vec<&str> = text.lines().skip(2).take(5).collect();
    assert_eq!(
        table.join("\n"),
        "\
NAME           ROLE           NOT AFTER                HOSTS                            SERIAL NUMBER                     KEY
ca             ca             2036-11-20 12:00:00 UTC                                   [serial]  ecdsa-p256
load-balancer  load-balancer  2027-11-23 12:00:00 UTC  load-balancer.demo.internal      [serial]  ecdsa-p256
server1        server         2027-11-23 12:00:00 UTC  server1.demo.internal 127.0.0.1  [serial]  ecdsa-p256
server2        server         2027-11-23 12:00:00 UTC  server2.demo.internal 127.0.0.1  [serial]  ecdsa-p256"
    );
}

#[test]
fn the_log_has_a_line_for_each_certificate() {
    let sandbox = Sandbox::with_demo();
    let log = without_serials(&sandbox.read("demo/ca/log.jsonl"));
    let line = |name: &str, not_after: &str| {
        format!(
            "{{\"at\":\"2026-11-23T12:00:00Z\",\"action\":\"issue\",\"by\":\"tester (uid 1000)\",\
             \"name\":\"{name}\",\"serialNumber\":\"[serial]\",\
             \"notBefore\":\"2026-11-23T11:00:00Z\",\"notAfter\":\"{not_after}\"}}\n"
        )
    };
    let year = "2027-11-23T12:00:00Z";
    let expected = [
        line("ca", "2036-11-20T12:00:00Z"),
        line("load-balancer", year),
        line("server1", year),
        line("server2", year),
    ];
    assert_eq!(log, expected.concat());
}

#[test]
fn serial_numbers_are_random_and_the_same_everywhere() {
    let sandbox = Sandbox::new();
    let json = sandbox
        .args(with(&["--no-ca-passphrase", "--output=json"]))
        .run()
        .product();
    let report: Value = serde_json::from_str(&json).unwrap();
    let mut serials = Vec::new();
    for made in report["certificates"].as_array().unwrap() {
        let serial = made["serialNumber"].as_str().unwrap().to_owned();
        let (name, file) = (
            made["name"].as_str().unwrap(),
            made["file"].as_str().unwrap(),
        );
        let issued = format!("demo/ca/issued/{name}/{serial}.pem");
        assert!(
            sandbox
                .read(format!("demo/{file}"))
                .ends_with(&sandbox.read(&issued))
        );
        assert!(sandbox.read("demo/ca/log.jsonl").contains(&serial));
        let shown = sandbox.tool("openssl", &["x509", "-noout", "-serial", "-in", &issued]);
        assert_eq!(shown.trim().to_lowercase(), format!("serial={serial}"));
        serials.push(serial);
    }
    serials.sort();
    serials.dedup();
    assert_eq!(serials.len(), 4);
}

#[test]
fn each_client_certificate_mode_has_its_lines() {
    for mode in ["none", "optional", "required"] {
        let sandbox = Sandbox::new();
        let mut args = with(&[
            "--no-ca-passphrase",
            "--ca-file=/tls/ca.pem",
            "--crt=/tls/lb.pem",
        ]);
        let flag = format!("--client-certificate={mode}");
        args[5] = &flag;
        sandbox.args(args).run().product();
        let haproxy = sandbox.read("demo/load-balancer/haproxy.cfg");
        golden(&format!("init/haproxy.{mode}.cfg"), &haproxy);
        let settings = sandbox.read("demo/servers/server1/server.conf");
        golden(&format!("init/server.{mode}.conf"), &settings);
        assert_eq!(settings, sandbox.read("demo/servers/server2/server.conf"));
        for (snippet, text) in [("haproxy", haproxy), ("server server2", settings)] {
            let args = ["-C", "demo", "snippet"].into_iter();
            sandbox
                .args(args.chain(snippet.split(' ')))
                .run()
                .stdout(text);
        }
    }
}

#[test]
fn a_plain_line_is_made_with_a_warning() {
    let sandbox = Sandbox::new();
    let args = with(&[
        "--no-ca-passphrase",
        "--no-verifyhost",
        "--ca-file=/tls/ca.pem",
    ]);
    let text = sandbox.args(args).run();
    text.stderr(format!(
        "{NOTES}\
warning: load-balancer: the server lines check no name: any server certificate of this CA passes \
for any server, and HAProxy from 3.3 on answers every request with 503
  hint: leave out --no-verifyhost (or verifyhost = false) unless a line must be plain
"
    ))
    .product();
    let lines = sandbox.read("demo/load-balancer/haproxy.cfg");
    let line = lines
        .lines()
        .find(|line| line.contains("--server1 "))
        .unwrap();
    assert_eq!(
        line.trim_start()
            .replace(sandbox.path("").to_str().unwrap(), "[root]/"),
        "server http_plain--server1 127.0.0.1:17010 check inter 2s rise 2 fall 2 ssl verify \
         required ca-file /tls/ca.pem crt [root]/demo/load-balancer/key-cert.pem \
         # ZATO backend bck_http_plain:server--server1"
    );
    let toml = sandbox.read("demo/zpki.toml");
    assert!(toml.contains("\nverifyhost = false\n"), "{toml}");
}

/// As Zato makes it; the first line had TLS by hand.
const ZATO_CONFIG: &str = "\
global
    log 127.0.0.1:514 local0 debug # ZATO global:log

backend bck_http_plain
    mode http
    balance roundrobin

# ZATO begin backend bck_http_plain

    server http_plain--server1 10.0.0.11:17010 check inter 5s weight 3 ssl verify none # ZATO backend bck_http_plain:server--server1


    server http_plain--server2 app2.prod:17011 check inter 2s rise 2 fall 2 # ZATO backend bck_http_plain:server--server2

# ZATO end backend bck_http_plain

frontend front_http_plain
    bind 0.0.0.0:11223 # ZATO frontend front_http_plain:bind
";

#[test]
fn servers_are_taken_out_of_a_zato_config() {
    for (file, text) in [
        ("zato.config", ZATO_CONFIG.to_owned()),
        ("crlf.config", ZATO_CONFIG.replace('\n', "\r\n")),
    ] {
        let sandbox = Sandbox::new();
        sandbox.file(file, &text);
        let args = [
            "init",
            "pki",
            "--cluster=demo",
            "--no-ca-passphrase",
            "--from-haproxy",
            file,
        ];
        sandbox
            .args(args)
            .run()
            .stderr(format!(
                "\
warning: server1: its line ({file}:10) has TLS options already, which are replaced: ssl, verify none
  hint: HAProxy trusts the new CA from its reload on: leave the server's old files in place until then
note: load-balancer: host names by default: load-balancer.demo.internal
note: server1: host names by default: server1.demo.internal, 10.0.0.11
note: server2: host names by default: app2.prod
"
            ))
            .product();
        let lines = sandbox.read("pki/load-balancer/haproxy.cfg");
        let root = sandbox.path("pki").display().to_string();
        let lines: Vec<String> = lines
            .lines()
            .filter(|line| line.trim_start().starts_with("server "))
            .map(|line| line.trim_start().replace(&root, "[pki]"))
            .collect();
        assert_eq!(
            lines,
            [
                "server http_plain--server1 10.0.0.11:17010 check inter 5s weight 3 ssl verify required \
                 ca-file [pki]/load-balancer/ca.cert.pem sni str(server1.demo.internal) check-sni \
                 server1.demo.internal verifyhost server1.demo.internal \
                 # ZATO backend bck_http_plain:server--server1",
                "server http_plain--server2 app2.prod:17011 check inter 2s rise 2 fall 2 ssl verify \
                 required ca-file [pki]/load-balancer/ca.cert.pem sni str(app2.prod) check-sni \
                 app2.prod verifyhost app2.prod # ZATO backend bck_http_plain:server--server2",
            ]
        );
        assert_eq!(sandbox.read(file), text, "the file itself is left alone");
    }
}

#[test]
fn the_servers_may_come_from_standard_input() {
    let sandbox = Sandbox::new();
    let args = [
        "init",
        "pki",
        "--cluster=demo",
        "--no-ca-passphrase",
        "--from-haproxy=-",
        "-q",
    ];
    sandbox.args(args).stdin(ZATO_CONFIG).run();
    assert!(
        sandbox
            .read("pki/zpki.toml")
            .contains("address = \"app2.prod:17011\"")
    );
}

#[test]
fn a_lost_ca_is_made_anew_from_the_zpki_toml_that_is_left() {
    let sandbox = Sandbox::with_demo();
    let toml = sandbox.read("demo/zpki.toml") + "# ours\n";
    sandbox.file("pki/zpki.toml", &toml);
    let args = [
        "init",
        "pki",
        "--config",
        "pki/zpki.toml",
        "--no-ca-passphrase",
        "-q",
    ];
    sandbox.args(args).run();
    assert_eq!(sandbox.read("pki/zpki.toml"), toml);
    let (anew, before) = (sandbox.tree().modes("pki"), sandbox.tree().modes("demo"));
    assert_eq!(anew, before);
}

#[test]
fn a_zpki_toml_from_elsewhere_is_copied_as_it_is() {
    let sandbox = Sandbox::with_demo();
    let toml = sandbox.read("demo/zpki.toml").replace("\"1y\"", "\"90d\"") + "# ours\n";
    sandbox.file("elsewhere.toml", &toml);
    let args = [
        "init",
        "pki",
        "--config",
        "elsewhere.toml",
        "--no-ca-passphrase",
    ];
    let said = sandbox.args(args).run().product();
    assert!(
        said.contains("server1        server         2027-02-21 12:00:00 UTC"),
        "{said}"
    );
    assert_eq!(sandbox.read("pki/zpki.toml"), toml);
    assert_eq!(sandbox.read("elsewhere.toml"), toml);
}

#[test]
fn settings_beside_a_zpki_toml_are_refused() {
    for (flag, shown) in [
        ("--cluster=x", "--cluster <NAME>"),
        ("--server=a=h.x:1", "--server <NAME=ADDRESS[,HOST...]>"),
        ("--from-haproxy=x", "--from-haproxy <FILE>"),
        ("--lb=x", "--lb <HOST>"),
        ("--client-certificate=none", "--client-certificate <MODE>"),
        ("--key-algorithm=ed25519", "--key-algorithm <ALGORITHM>"),
        ("--lifetime=1y", "--lifetime <DURATION>"),
        (
            "--ca-key-algorithm=ed25519",
            "--ca-key-algorithm <ALGORITHM>",
        ),
        ("--ca-lifetime=1y", "--ca-lifetime <DURATION>"),
        ("--permitted-domain=x", "--permitted-domain <DOMAIN>"),
        (
            "--permitted-network=10.0.0.0/8",
            "--permitted-network <NETWORK>",
        ),
        ("--backend=x", "--backend <NAME>"),
        ("--ca-file=/x", "--ca-file <PATH>"),
        ("--crt=/x", "--crt <PATH>"),
        ("--no-verifyhost", "--no-verifyhost"),
    ] {
        let sandbox = Sandbox::new();
        let before = sandbox.tree();
        sandbox
            .args(["init", "--config=zpki.toml", "--no-ca-passphrase", flag])
            .run()
            .status(64)
            .stderr(format!(
                "\
zpki: error: cannot read the command line
  because: the argument `--config <FILE>` cannot be used with `{shown}`
  hint: leave out one of the two
"
            ));
        assert_eq!(sandbox.tree(), before);
    }
}

#[test]
fn the_directory_comes_from_the_argument_from_c_or_from_the_environment() {
    let by_argument = Sandbox::with_demo();
    let flags = &DEMO[2..];
    let same = |sandbox: &Sandbox| {
        assert_eq!(sandbox.tree().modes(""), by_argument.tree().modes(""));
    };
    let by_flag = Sandbox::new();
    by_flag
        .args([&["-C", "demo", "init"], flags].concat())
        .run()
        .product();
    same(&by_flag);
    let by_environment = Sandbox::new();
    let init = [&["init"], flags].concat();
    by_environment
        .args(&init)
        .env("ZPKI_DIR", "demo")
        .run()
        .product();
    same(&by_environment);
    let here = Sandbox::new();
    here.args(&init).run().product();
    assert_eq!(
        here.tree().modes(""),
        by_argument.tree().modes("demo").replacen("0755 /\n", "", 1)
    );
}

#[test]
fn the_argument_wins_over_the_environment_and_not_over_c() {
    let sandbox = Sandbox::new();
    sandbox
        .args(DEMO)
        .env("ZPKI_DIR", "elsewhere")
        .run()
        .product();
    assert!(sandbox.path("demo/ca").exists() && !sandbox.path("elsewhere").exists());
    let before = sandbox.tree();
    let both = [&["-C", "a", "init", "b"], &DEMO[2..]].concat();
    sandbox.args(both).run().status(64).stderr(
        "\
zpki: error: cannot make the PKI of `demo`
  because: the directory is given twice: b, -C a
  hint: give one
",
    );
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn other_files_in_the_directory_are_left_alone() {
    let sandbox = Sandbox::new();
    sandbox
        .file("demo/README", "ours")
        .file("demo/.git/config", "ours");
    sandbox.mode("demo", 0o750).mode("demo/README", 0o604);
    sandbox.args(DEMO).run().product();
    let tree = sandbox.tree().modes("demo");
    for line in ["0750 /", "0604 README", "0755 ca/", "0600 ca/ca.key.pem"] {
        assert!(tree.lines().any(|found| found == line), "{line} in\n{tree}");
    }
    assert_eq!(sandbox.read("demo/README"), "ours");
    assert_eq!(sandbox.read("demo/.git/config"), "ours");
}

#[test]
fn a_line_that_loses_its_client_certificate_is_warned_of() {
    let sandbox = Sandbox::new();
    let line = "server http_plain--a 10.0.0.1:1 check ssl verify none crt /old.pem weight 3 \
                # ZATO backend bck_http_plain:server--a";
    let config =
        format!("# ZATO begin backend bck_http_plain\n{line}\n# ZATO end backend bck_http_plain\n");
    sandbox.file("zato.config", config);
    let init = |directory, mode| {
        let args = [
            "init",
            directory,
            "--cluster=demo",
            "--no-ca-passphrase",
            "--from-haproxy=zato.config",
            mode,
            "--output=json",
        ];
        sandbox.args(args).run().product()
    };
    let dropped = r#""id": "crt-dropped""#;
    let replaced = "which are replaced: ssl, verify none, crt /old.pem";
    let without = init("without", "--client-certificate=none");
    assert!(
        without.contains(dropped) && without.contains(replaced),
        "{without}"
    );
    let with = init("with", "--client-certificate=required");
    assert!(!with.contains(dropped) && with.contains(replaced), "{with}");
}

#[test]
fn nothing_of_a_pki_that_is_there_is_touched() {
    for name in ["zpki.toml", "ca", "load-balancer", "servers", "clients"] {
        for is_file in [true, false] {
            let sandbox = Sandbox::new();
            if is_file {
                sandbox.file(format!("demo/{name}"), "ours");
            } else {
                sandbox.file(format!("demo/{name}/file"), "ours");
            }
            let before = sandbox.tree();
            let way_on = match name {
                "zpki.toml" => {
                    "or, to make the PKI anew that it is left of, give --config [root]/demo/zpki.toml"
                }
                _ => "or move it out of the way",
            };
            let separator = if name == "zpki.toml" { ';' } else { ',' };
            sandbox.args(DEMO).run().status(73).stderr(format!(
                "\
zpki: error: cannot make the PKI of `demo`
  because: `[root]/demo/{name}` already exists
  hint: choose another place{separator} {way_on}
"
            ));
            assert_eq!(sandbox.tree(), before);
        }
    }
}

#[test]
fn the_state_of_a_run_that_was_killed_is_no_pki_but_a_file_of_its_name_is_in_the_way() {
    let sandbox = Sandbox::new();
    sandbox.file("demo/.zpki/lock", "");
    sandbox
        .mode("demo/.zpki", 0o700)
        .mode("demo/.zpki/lock", 0o600);
    sandbox.args(DEMO).run().product();
    golden("init/modes.txt", &sandbox.tree().modes(""));

    let sandbox = Sandbox::new();
    sandbox.file("demo/.zpki", "ours");
    let before = sandbox.tree();
    sandbox.args(DEMO).run().status(74).stderr(
        "\
zpki: error: cannot make the PKI of `demo`
  because: cannot create `[root]/demo/.zpki/lock`
  because: not a directory
  hint: a part of the path is a file: choose another place, or move it out of the way
",
    );
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_second_run_is_refused_before_anything_is_asked_or_read() {
    let sandbox = Sandbox::with_demo();
    let before = sandbox.tree();
    let args = [
        "init",
        "demo",
        "--from-haproxy=missing",
        "--ca-passphrase-file=missing",
    ];
    sandbox.args(args).run().status(73).stderr(
        "\
zpki: error: cannot make a PKI
  because: `[root]/demo/ca` already exists
  hint: choose another place, or move it out of the way
",
    );
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_name_outside_the_name_constraints_is_refused_before_anything_is_signed() {
    let sandbox = Sandbox::new();
    let before = sandbox.tree();
    let args = [
        "init",
        "--cluster=demo",
        "--server=s1=10.0.0.1:1,s1.prod.internal,10.0.0.1",
        "--server=s2=10.0.0.2:1,s2.test.internal",
        "--lb=lb.prod.internal",
        "--permitted-domain=.Prod.internal",
        "--permitted-network=10.1.2.3/16",
        "--no-ca-passphrase",
    ];
    sandbox.args(args).run().status(64).stderr(
        "\
zpki: error: cannot make the PKI of `demo`
  at: --server s1=10.0.0.1:1
  because: `10.0.0.1` of `s1` is outside the CA's name constraints \
(permitted_domains: prod.internal; permitted_networks: 10.1.0.0/16)
  hint: permit its network (permitted_networks), or leave the address out of its hosts
  at: --server s2=10.0.0.2:1
  because: `s2.test.internal` of `s2` is outside the CA's name constraints \
(permitted_domains: prod.internal; permitted_networks: 10.1.0.0/16)
  hint: permit its domain (permitted_domains), or give another host name
",
    );
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn name_constraints_stand_in_the_ca_and_hold_for_openssl() {
    let sandbox = Sandbox::new();
    let args = with(&[
        "--no-ca-passphrase",
        "--permitted-domain=prod.internal",
        "-q",
    ]);
    sandbox.args(args).run();
    let text = sandbox.tool(
        "openssl",
        &["x509", "-noout", "-text", "-in", "demo/ca/ca.cert.pem"],
    );
    assert!(text.contains("Name Constraints: critical"), "{text}");
    assert!(text.contains("DNS:prod.internal"), "{text}");
    for leaf in [
        "load-balancer/key-cert.pem",
        "servers/server1/zato-server-cert.pem",
    ] {
        let leaf = format!("demo/{leaf}");
        let args = [
            "verify",
            "-x509_strict",
            "-no_check_time",
            "-CAfile",
            "demo/ca/ca.cert.pem",
            &leaf,
        ];
        assert_eq!(sandbox.tool("openssl", &args), format!("{leaf}: OK\n"));
    }
}

#[test]
fn a_passphrase_has_five_sources_and_openssl_opens_the_key() {
    for source in ["file", "stdin", "variable", "file variable", "crlf"] {
        let sandbox = Sandbox::new();
        sandbox
            .file("secret", "a b ü\nnot this\n")
            .mode("secret", 0o600);
        sandbox.file("crlf", "a b ü\r\n").mode("crlf", 0o600);
        let run = |more: &[&str]| sandbox.args(with(more));
        let run = match source {
            "file" => run(&["--ca-passphrase-file=secret"]),
            "stdin" => run(&["--ca-passphrase-file=-"]).stdin("a b ü\n"),
            "variable" => run(&[]).env("ZPKI_CA_PASSPHRASE", "a b ü"),
            "crlf" => run(&["--ca-passphrase-file=crlf"]),
            _ => run(&[]).env("ZPKI_CA_PASSPHRASE_FILE", "secret"),
        };
        let said = run.run().stderr(NOTES).product();
        assert!(
            said.contains("(the CA's private key is encrypted)"),
            "{said}"
        );
        let key = sandbox.read("demo/ca/ca.key.pem");
        assert!(
            key.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"),
            "{source}"
        );
        let open = [
            "pkey",
            "-in",
            "demo/ca/ca.key.pem",
            "-passin",
            "pass:a b ü",
            "-pubout",
        ];
        let of_certificate = ["x509", "-in", "demo/ca/ca.cert.pem", "-noout", "-pubkey"];
        assert_eq!(
            sandbox.tool("openssl", &open),
            sandbox.tool("openssl", &of_certificate)
        );
    }
}

#[test]
fn a_passphrase_file_that_others_may_read_is_warned_of() {
    let warning = "\
warning: secret: others than its owner may read the passphrase of the CA's private key
  hint: take the permission away: chmod 600
";
    for (mode, said) in [(0o640, warning), (0o604, warning), (0o600, ""), (0o400, "")] {
        let sandbox = Sandbox::new();
        sandbox.file("secret", "secret\n").mode("secret", mode);
        let outcome = sandbox.args(with(&["--ca-passphrase-file=secret"])).run();
        outcome.stderr(format!("{said}{NOTES}")).product();
        let toml = Sandbox::with_demo();
        toml.file("secret", "secret\n").mode("secret", mode);
        let args = [
            "init",
            "pki",
            "--config=demo/zpki.toml",
            "--ca-passphrase-file=secret",
        ];
        toml.args(args).run().stderr(said).product();
    }
}

#[test]
fn a_passphrase_that_will_not_do_is_refused() {
    let of = |because: &str, hint: &str| {
        format!(
            "zpki: error: cannot make the PKI of `demo`\n  because: {because}\n  hint: {hint}\n"
        )
    };
    let twice = |sources: &str| {
        of(
            &format!("the CA passphrase is given twice: {sources}"),
            "give one",
        )
    };
    let empty = |source: &str| {
        of(
            &format!("the passphrase from `{source}` is empty"),
            "put the passphrase on the first line; for a key without one, `init` has --no-ca-passphrase",
        )
    };
    let not_utf8 = |source: &str| {
        of(
            &format!("the passphrase from `{source}` is not UTF-8"),
            "choose a passphrase of UTF-8 text",
        )
    };
    let sandbox = Sandbox::new();
    sandbox
        .file("empty", "")
        .file("blank", "\r\nsecret")
        .file("latin", b"gr\xfcn\n");
    sandbox.file("secret", "secret");
    let before = sandbox.tree();
    let run = |more: &[&str]| sandbox.args(with(more));
    let variable = "ZPKI_CA_PASSPHRASE";
    let file_variable = "ZPKI_CA_PASSPHRASE_FILE";
    for (run, stderr) in [
        (
            run(&["--ca-passphrase-file=secret"]).env(variable, "x"),
            twice("--ca-passphrase-file, ZPKI_CA_PASSPHRASE"),
        ),
        (
            run(&["--no-ca-passphrase"]).env(file_variable, "secret"),
            twice("--no-ca-passphrase, ZPKI_CA_PASSPHRASE_FILE"),
        ),
        (
            run(&[]).env(file_variable, "secret").env(variable, "x"),
            twice("ZPKI_CA_PASSPHRASE, ZPKI_CA_PASSPHRASE_FILE"),
        ),
        (run(&["--ca-passphrase-file=empty"]), empty("empty")),
        (run(&["--ca-passphrase-file=blank"]), empty("blank")),
        (run(&["--ca-passphrase-file=-"]), empty("-")),
        (run(&["--ca-passphrase-file=latin"]), not_utf8("latin")),
        (
            run(&[]).env(
                variable,
                <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff"),
            ),
            not_utf8(variable),
        ),
        (
            run(&[]).env(variable, ""),
            of(
                "not given, and nobody can be asked: --ca-passphrase-file FILE (or --no-ca-passphrase)",
                "see `zpki init --help`, or run it on a terminal to be asked",
            ),
        ),
    ] {
        run.run().status(64).stderr(stderr);
        assert_eq!(sandbox.tree(), before);
    }
}

#[test]
fn the_ca_key_is_shown_with_its_passphrase_only() {
    let sandbox = Sandbox::new();
    sandbox.file("secret", "secret\n").mode("secret", 0o600);
    sandbox.file("wrong", "Secret\n");
    sandbox
        .args(with(&["--ca-passphrase-file=secret", "-q"]))
        .run();
    let show = ["show", "demo/ca/ca.key.pem"];
    let encryption = "\
private key (line 1)
  encryption              PBES2, AES-256-CBC, PBKDF2-SHA256, 600000 iterations
";
    sandbox.args(show).run().stdout(encryption);
    let shown = sandbox
        .args(show)
        .env("ZPKI_CA_PASSPHRASE_FILE", "secret")
        .run()
        .product();
    assert!(shown.starts_with(&format!(
        "{encryption}  publicKey               ecdsa-p256\n"
    )));
    for format in ["text", "json", "pem"] {
        let args = [
            &show[..],
            &["--ca-passphrase-file=wrong", "--output", format],
        ]
        .concat();
        sandbox.args(args).run().status(77).stderr(
            "\
zpki: error: cannot show `demo/ca/ca.key.pem`
  because: wrong passphrase or damaged file
  hint: try the passphrase with `openssl pkey -in FILE -noout`
",
        );
    }
}

#[test]
fn no_private_key_is_ever_printed() {
    let sandbox = Sandbox::with_demo();
    for format in ["text", "json", "pem"] {
        let args = [
            "show",
            "demo/load-balancer/key-cert.pem",
            "--output",
            format,
        ];
        let shown = sandbox.args(args).run().product();
        assert!(!shown.contains("PRIVATE KEY"), "{shown}");
    }
    let args = ["show", "demo/load-balancer/key-cert.pem", "--output=pem"];
    let certificate = sandbox.read("demo/load-balancer/key-cert.pem");
    let certificate = &certificate[certificate.find("-----BEGIN CERTIFICATE").unwrap()..];
    sandbox
        .args(args)
        .run()
        .stdout(certificate)
        .stderr("note: a private key is left out\n");
}

#[test]
fn lifetimes_begin_an_hour_ago_or_a_tenth_of_themselves() {
    for (lifetime, not_before, not_after) in [
        ("1y", "2026-11-23 11:00:00 UTC", "2027-11-23 12:00:00 UTC"),
        ("5h", "2026-11-23 11:30:00 UTC", "2026-11-23 17:00:00 UTC"),
        ("1m", "2026-11-23 11:59:54 UTC", "2026-11-23 12:01:00 UTC"),
        ("10y", "2026-11-23 11:00:00 UTC", "2036-11-20 12:00:00 UTC"),
    ] {
        let sandbox = Sandbox::new();
        sandbox
            .args(with(&["--no-ca-passphrase", "-q", "--lifetime", lifetime]))
            .run();
        let shown = sandbox
            .args(["-C", "demo", "show", "server1"])
            .run()
            .product();
        let line = |name: &str, date: &str| format!("\n  {name:24}{date}\n");
        assert!(
            shown.contains(&line("notBefore", not_before)),
            "{lifetime}: {shown}"
        );
        assert!(
            shown.contains(&line("notAfter", not_after)),
            "{lifetime}: {shown}"
        );
    }
}

#[test]
fn every_key_algorithm_is_judged_by_openssl() {
    for (algorithm, words) in [
        ("ecdsa-p256", "prime256v1"),
        ("ecdsa-p384", "secp384r1"),
        ("ed25519", "ED25519"),
        ("rsa-2048", "(2048 bit)"),
        ("rsa-3072", "(3072 bit)"),
    ] {
        let sandbox = Sandbox::new();
        let flags = [
            "--no-ca-passphrase",
            "-q",
            "--key-algorithm",
            algorithm,
            "--ca-key-algorithm",
            algorithm,
        ];
        sandbox.args(with(&flags)).run();
        let leaf = "demo/servers/server2/zato-server-cert.pem";
        let text = sandbox.tool("openssl", &["x509", "-noout", "-text", "-in", leaf]);
        assert!(text.contains(words), "{text}");
        let args = [
            "verify",
            "-x509_strict",
            "-no_check_time",
            "-CAfile",
            "demo/ca/ca.cert.pem",
            leaf,
        ];
        assert_eq!(sandbox.tool("openssl", &args), format!("{leaf}: OK\n"));
    }
}

#[test]
fn a_thousand_notes_are_cut_and_json_has_all() {
    let servers: Vec<String> = (1..=9)
        .map(|n| format!("--server=s{n}=10.0.0.{n}:1"))
        .collect();
    let sandbox = Sandbox::new();
    let args = |directory: &'static str| {
        let args = ["init", directory, "--cluster=demo", "--no-ca-passphrase"];
        args.into_iter().map(str::to_owned).chain(servers.clone())
    };
    sandbox
        .args(args("text"))
        .run()
        .stderr(
            "\
note: load-balancer: host names by default: load-balancer.demo.internal
note: s1: host names by default: s1.demo.internal, 10.0.0.1
note: s2: host names by default: s2.demo.internal, 10.0.0.2
  and 7 more (--output json shows all)
",
        )
        .product();
    let json = sandbox
        .args(args("json").chain(["--output=json".to_owned()]))
        .run()
        .product();
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["findings"].as_array().unwrap().len(), 10);
}

#[test]
fn a_step_can_be_copied_into_a_shell() {
    let sandbox = Sandbox::new();
    let directory = "it's $HOME\u{1b}";
    let said = sandbox
        .args(
            [
                &["init", directory, "--ca-file=/ca", "--crt=/crt"],
                &DEMO[2..],
            ]
            .concat(),
        )
        .run()
        .product();
    let root = sandbox.path("");
    let step = format!(r"back up '{}it'\''s $HOME\u{{1b}}'", root.display());
    assert!(said.contains(&step), "{said}");
    assert!(!said.contains('\u{1b}'), "nothing reaches a terminal raw");
}

/// `init` makes the key where it makes everything, and says where it has to go.
#[test]
fn a_ca_key_that_is_to_be_kept_elsewhere_is_to_be_moved() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "zpki.toml",
        "[cluster]\nname = \"demo\"\n[ca]\nkey_file = \"../vault/it's.pem\"\n\
         [[servers]]\nname = \"server1\"\naddress = \"127.0.0.1:17010\"\nhosts = [\"server1.lan\"]\n\
         [load_balancer]\nhosts = [\"lb.lan\"]\n",
    );
    let init = ["init", "demo", "--config=zpki.toml", "--no-ca-passphrase"];
    let (status, text) = sandbox.args(init).run().answer();
    assert_eq!(status, 0);
    let root = sandbox.path("").display().to_string();
    let text = text.replace(root.trim_end_matches('/'), "[root]");
    let steps = r#"
  6. move the CA's key to where zpki.toml has it
       mv -n [root]/demo/ca/ca.key.pem '[root]/demo/../vault/it'\''s.pem'
  7. keep '[root]/demo/../vault/it'\''s.pem' off every other host, and back up [root]/demo
"#;
    assert!(text.ends_with(steps), "{text}");
    assert!(sandbox.path("demo/ca/ca.key.pem").exists());
    assert!(!sandbox.path("vault").exists());
}

/// Root makes it, and somebody else is to keep it.
#[test]
fn in_somebody_s_directory_everything_is_theirs() {
    const NOBODY: u32 = 65_534;
    let sandbox = Sandbox::new();
    sandbox.mode("", 0o755);
    let demo = sandbox.path("demo");
    fs::create_dir(&demo).unwrap();
    chown(&demo, Some(NOBODY), Some(NOBODY)).unwrap();
    let renew = ["-C", "demo", "renew", "server1", "--force", "-q"];
    let by_nobody = || {
        let user = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
        sandbox.tool("setpriv", &[&user, &[PROGRAM][..], &renew].concat());
    };
    let all = ["-c", "find demo ! -user 65534 -o ! -group 65534"];
    sandbox.args(DEMO).run_program().product();
    assert_eq!(sandbox.tool("sh", &all), "");
    by_nobody();

    // What is missing is made again, and the log goes on.
    fs::remove_dir_all(demo.join(".zpki")).unwrap();
    sandbox.args(renew).run_program().product();
    assert_eq!(sandbox.tool("sh", &all), "");
    by_nobody();
    assert_eq!(fs::metadata(demo.join(".zpki")).unwrap().uid(), NOBODY);
    let check = ["-C", "demo", "check"];
    sandbox
        .args(check)
        .run_program()
        .stdout_with("ok: ")
        .stderr("");
}

#[test]
fn however_the_directory_is_spelt_the_lines_are_the_same() {
    let sandbox = Sandbox::new();
    sandbox.file("real/notes", "");
    symlink("real", sandbox.path("link")).unwrap();
    let init = ["init", "link/demo"].into_iter();
    sandbox
        .args(init.chain(DEMO.into_iter().skip(2)))
        .run()
        .product();
    for spelling in [
        "link/demo",
        "real/demo",
        "real/../link/./demo",
        "link/demo/",
    ] {
        let plan = sandbox.args(["-C", spelling, "plan"]);
        plan.run().stdout("nothing to do\n");
    }
    // Moved, with a link left behind, it has another name.
    fs::rename(sandbox.path("real"), sandbox.path("moved")).unwrap();
    symlink("moved", sandbox.path("real")).unwrap();
    let plan = sandbox.args(["-C", "link/demo", "plan"]);
    plan.run()
        .stdout_with("[root]/moved/demo/load-balancer/ca.cert.pem");
}
