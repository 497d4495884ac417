//! `zpki config`: the real files of others, edited in place, with a way back.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::Value;
use time::Duration;

use crate::sandbox::{NOW, Run, Sandbox};

const SERVER_CONF: &str = "\
[main]
gunicorn_bind=127.0.0.1:17010

[crypto] # ours
use_tls=False
tls_version=TLSv1
tls_ciphers=EECDH+AES:EDH+AES:AES256-SHA:!aNULL
tls_client_certs=optional
priv_key_location=zato-server-priv-key.pem
pub_key_location=zato-server-pub-key.pem
cert_location=zato-server-cert.pem
ca_certs_location=zato-server-ca-certs.pem

[odb]\t
pool_size=1
";

/// HAProxy's configuration as Zato makes it, for the servers of [`Sandbox::with_demo`].
pub(crate) fn zato_config() -> String {
    let line = |name: &str, port| {
        format!(
            "    server http_plain--{name} 127.0.0.1:{port} check inter 2s rise 2 fall 2 # ZATO backend bck_http_plain:server--{name}\n"
        )
    };
    format!(
        "\
global
    log 127.0.0.1:514 local0 debug # ZATO global:log

defaults
    timeout connect 15000 # ZATO defaults:timeout connect
    timeout client 15000 # ZATO defaults:timeout client
    timeout server 15000 # ZATO defaults:timeout server

backend bck_http_plain
    mode http
    balance roundrobin

# ZATO begin backend bck_http_plain

{}{}
# ZATO end backend bck_http_plain

frontend front_http_plain
    mode http
    default_backend bck_http_plain
    bind 127.0.0.1:11223 # ZATO frontend front_http_plain:bind
",
        line("server1", 17010),
        line("server2", 17011)
    )
}

/// The PKI directory `demo`, and the real files beside it: `zato.config`, `server1/server.conf` and
/// `server2/server.conf`.
fn cluster() -> Sandbox {
    let sandbox = Sandbox::with_demo();
    sandbox.file("zato.config", zato_config());
    sandbox.file("server1/server.conf", SERVER_CONF);
    sandbox.file("server2/server.conf", SERVER_CONF.replace("17010", "17011"));
    sandbox
}

const ALL: [&str; 6] = [
    "--haproxy",
    "zato.config",
    "--server-conf",
    "server1=server1/server.conf",
    "--server-conf",
    "server2=server2/server.conf",
];

fn config<'a>(sandbox: &'a Sandbox, args: &[&str]) -> Run<'a> {
    let path = std::env::var("PATH").unwrap();
    sandbox
        .args([&["-C", "demo", "config"], args].concat())
        .env("PATH", path)
        .env("TMPDIR", sandbox.path(""))
}

fn apply<'a>(sandbox: &'a Sandbox, args: &[&str]) -> Run<'a> {
    config(sandbox, &[&["apply", "--yes"], args].concat())
}

/// The run is refused, and every file is what it was.
#[track_caller]
fn refused(sandbox: &Sandbox, args: &[&str], status: i32, stderr: &str) {
    let before = sandbox.tree();
    let outcome = config(sandbox, args).run().status(status);
    outcome.stdout("").stderr(stderr);
    assert_eq!(sandbox.tree(), before);
}

/// The same, of which only a part of what is said counts.
#[track_caller]
fn refused_with(sandbox: &Sandbox, args: &[&str], status: i32, part: &str) {
    let before = sandbox.tree();
    let outcome = config(sandbox, args).run().status(status);
    outcome.stdout("").stderr_with(part);
    assert_eq!(sandbox.tree(), before);
}

fn mode(sandbox: &Sandbox, file: &str) -> u32 {
    let found = fs::metadata(sandbox.path(file)).unwrap();
    found.permissions().mode() & 0o7777
}

/// The backups of a file, the oldest first.
fn backups(sandbox: &Sandbox, file: &str) -> Vec<String> {
    let path = sandbox.path(file);
    let name = path.file_name().unwrap().to_str().unwrap();
    let entries = fs::read_dir(path.parent().unwrap()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_backup = |other: &String| other.starts_with(&format!("{name}.zpki-"));
    let mut names: Vec<String> = names.filter(is_backup).collect();
    names.sort();
    names
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Report {
    schema: u32,
    #[serde(rename = "at")]
    _at: String,
    changed: bool,
    files: Vec<File>,
    commands: Vec<Value>,
    findings: Vec<Value>,
    next_steps: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    path: String,
    kind: String,
    server: Option<String>,
    change: String,
    diff: Option<String>,
    backup: Option<String>,
}

fn json(run: Run<'_>) -> Report {
    let text = run.run().stderr("").product();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What the lines of zato.config have once they have TLS; HAProxy reads its files where zpki keeps them.
fn tls_options(sandbox: &Sandbox, server: &str) -> String {
    let folder = sandbox.path("demo/load-balancer").display().to_string();
    let name = format!("{server}.demo.internal");
    format!(
        "ssl verify required ca-file {folder}/ca.cert.pem crt {folder}/key-cert.pem \
         sni str({name}) check-sni {name} verifyhost {name}"
    )
}

fn with_tls(sandbox: &Sandbox) -> String {
    let mut text = zato_config();
    for server in ["server1", "server2"] {
        let mark = format!(" # ZATO backend bck_http_plain:server--{server}\n");
        text = text.replace(&mark, &format!(" {}{mark}", tls_options(sandbox, server)));
    }
    text
}

fn server_conf_with_tls() -> String {
    SERVER_CONF
        .replace("use_tls=False", "use_tls=True")
        .replace("tls_client_certs=optional", "tls_client_certs=required")
        .replace("ca-certs.pem\n", "ca-certs.pem\ntls_protocol=TLS_SERVER\n")
}

#[test]
fn a_diff_is_a_patch_and_changes_nothing() {
    let sandbox = cluster();
    let before = sandbox.tree();
    let args = [&["diff"], &ALL[..]].concat();
    let patch = config(&sandbox, &args).run().product();
    let with_status = [&args[..], &["--exit-code"]].concat();
    let outcome = config(&sandbox, &with_status).run().status(10);
    let root = sandbox.path("").display().to_string();
    let shown = patch.replace(root.trim_end_matches('/'), "[root]");
    outcome
        .stdout(&shown)
        .stderr_with("switch one server after the other");
    assert_eq!(sandbox.tree(), before);
    sandbox.file("patch", &patch);
    let root = sandbox.path("");
    sandbox.tool(
        "patch",
        &["-p0", "-d", "/", "-i", root.join("patch").to_str().unwrap()],
    );
    assert_eq!(sandbox.read("zato.config"), with_tls(&sandbox));
    assert_eq!(sandbox.read("server1/server.conf"), server_conf_with_tls());
    let outcome = config(&sandbox, &with_status).run();
    outcome.stdout("nothing to change\n");
}

#[test]
fn everything_is_installed_changed_and_kept_beside() {
    let sandbox = cluster();
    sandbox.mode("server1/server.conf", 0o640);
    sandbox.file("server1/zato-server-priv-key.pem", "an old key");
    let report = json(apply(
        &sandbox,
        &[&ALL[..], &["--install", "--output=json"]].concat(),
    ));
    assert!(report.changed && report.schema == 1);
    assert_eq!(sandbox.read("zato.config"), with_tls(&sandbox));
    assert_eq!(sandbox.read("server1/server.conf"), server_conf_with_tls());
    assert_eq!(mode(&sandbox, "server1/server.conf"), 0o640);
    for file in ["priv-key", "pub-key", "cert", "ca-certs"] {
        let file = format!("zato-server-{file}.pem");
        let (kept, installed) = (
            format!("demo/servers/server2/{file}"),
            format!("server2/{file}"),
        );
        assert_eq!(sandbox.read(&kept), sandbox.read(&installed));
        assert_eq!(mode(&sandbox, &kept), mode(&sandbox, &installed));
    }
    assert_eq!(mode(&sandbox, "server1/zato-server-priv-key.pem"), 0o600);
    let [haproxy, server1, ..] = &report.files[..] else {
        panic!("{report:?}");
    };
    assert_eq!((&*haproxy.kind, &*haproxy.change), ("haproxy", "edit"));
    assert_eq!(
        haproxy.path,
        sandbox.path("zato.config").display().to_string()
    );
    assert!(haproxy.diff.as_ref().unwrap().contains("verifyhost"));
    assert_eq!(server1.server.as_deref(), Some("server1"));
    let backup = haproxy.backup.as_ref().unwrap();
    assert_eq!(fs::read_to_string(backup).unwrap(), zato_config());
    let material = report.files.iter().filter(|file| file.kind == "material");
    let changes: Vec<&str> = material.map(|file| &*file.change).collect();
    assert_eq!(changes, ["install"; 8]);
    assert!(report.commands.is_empty());
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0]["id"], "switch-at-once");
    assert_eq!(report.next_steps.len(), 2);
    assert_eq!(backups(&sandbox, "server1/server.conf").len(), 1);
    // No key is left beside another.
    assert!(backups(&sandbox, "server1/zato-server-priv-key.pem").is_empty());

    let before = sandbox.tree();
    let again = [&ALL[..], &["--install", "--exit-code"]].concat();
    apply(&sandbox, &again).run().stdout("unchanged\n");
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_key_that_others_can_read_is_closed() {
    let sandbox = cluster();
    let args = [&ALL[..], &["--install"]].concat();
    apply(&sandbox, &args).run().product();
    sandbox.mode("server1/zato-server-priv-key.pem", 0o644);
    let outcome = apply(&sandbox, &args).run();
    outcome.stdout("installed [root]/server1/zato-server-priv-key.pem\n");
    assert_eq!(mode(&sandbox, "server1/zato-server-priv-key.pem"), 0o600);
}

#[test]
fn tls_is_taken_out_again() {
    let sandbox = cluster();
    let install = [&ALL[..], &["--install"]].concat();
    apply(&sandbox, &install).run().product();
    apply(&sandbox, &[&ALL[..], &["--disable"]].concat())
        .run()
        .product();
    assert_eq!(sandbox.read("zato.config"), zato_config());
    let plain = server_conf_with_tls().replace("use_tls=True", "use_tls=False");
    assert_eq!(sandbox.read("server1/server.conf"), plain);
}

#[test]
fn a_rollback_gives_every_byte_back_and_can_be_rolled_back() {
    let sandbox = cluster();
    sandbox.file("server1/server.conf", SERVER_CONF.replace('\n', "\r\n"));
    let original = [
        sandbox.read("zato.config"),
        sandbox.read("server1/server.conf"),
    ];
    refused(
        &sandbox,
        &[&["rollback", "--yes"], &ALL[..]].concat(),
        66,
        "zpki: error: cannot roll the configuration back\n\
         \x20 at: [root]/zato.config\n\
         \x20 because: it has no backup\n\
         \x20 hint: `zpki config apply` makes one beside each file that it changes\n",
    );
    apply(&sandbox, &[&ALL[..], &["--install"]].concat())
        .run()
        .product();
    let changed = [
        sandbox.read("zato.config"),
        sandbox.read("server1/server.conf"),
    ];
    let rollback = [&["rollback", "--yes"], &ALL[..]].concat();
    let said = config(&sandbox, &rollback).run().product();
    assert!(said.starts_with("rolled back "), "{said}");
    let back = [
        sandbox.read("zato.config"),
        sandbox.read("server1/server.conf"),
    ];
    assert_eq!(back, original);
    config(&sandbox, &rollback).run().product();
    let again = [
        sandbox.read("zato.config"),
        sandbox.read("server1/server.conf"),
    ];
    assert_eq!(again, changed);
    let list = config(&sandbox, &["rollback", "--list", "--haproxy=zato.config"])
        .run()
        .product();
    assert_eq!(list.matches("2026-11-23 12:00:00 UTC").count(), 3, "{list}");
}

#[test]
fn without_a_terminal_nothing_is_changed_unasked() {
    let sandbox = cluster();
    refused(
        &sandbox,
        &[&["apply"], &ALL[..]].concat(),
        64,
        "zpki: error: cannot change the configuration\n\
         \x20 because: not confirmed, and nobody can be asked\n\
         \x20 hint: give --yes to make the change unasked\n",
    );
}

#[test]
fn what_haproxy_refuses_is_not_written() {
    let sandbox = cluster();
    let broken = zato_config().replace("balance roundrobin", "balance roundrobbin");
    sandbox.file("zato.config", broken);
    refused_with(
        &sandbox,
        &["apply", "--yes", "--haproxy=zato.config"],
        2,
        "[root]/zato.config:11]",
    );
    let unchecked = ["apply", "--yes", "--haproxy=zato.config", "--no-validate"];
    let outcome = config(&sandbox, &unchecked).run();
    outcome
        .stderr_with("nobody has checked the new text")
        .product();
    assert!(sandbox.read("zato.config").contains("verifyhost"));
}

#[test]
fn a_validator_that_is_missing_fails_or_says_much_stops_the_change() {
    let sandbox = cluster();
    let with = |command| {
        [
            "apply",
            "--yes",
            "--haproxy=zato.config",
            "--validate",
            command,
        ]
    };
    refused_with(&sandbox, &with("no-such-validator"), 3, "could not be run");
    refused_with(
        &sandbox,
        &with("cat \"$ZPKI_FILE\" | tail -1; false"),
        2,
        "# ZATO frontend front_http_plain:bind",
    );
    refused_with(
        &sandbox,
        &with("head -c 9000000 /dev/zero | tr '\\0' x; exit 7"),
        2,
        "exit status: 7",
    );
    apply(&sandbox, &with("grep -q verifyhost \"$ZPKI_FILE\"")[2..])
        .run()
        .product();
}

#[test]
fn files_that_a_server_would_not_start_with_stop_the_change() {
    let sandbox = cluster();
    let args = [
        "apply",
        "--yes",
        "--server-conf",
        "server1=server1/server.conf",
    ];
    refused_with(
        &sandbox,
        &args,
        2,
        "  hint: copy it there, or give --install, which does\n",
    );
}

#[test]
fn when_what_should_follow_fails_the_old_files_are_back() {
    let sandbox = cluster();
    let install = [&["apply", "--yes"], &ALL[..], &["--install"]].concat();
    let reload = "grep -q verifyhost zato.config && exit 9 || touch reloaded";
    let cd = format!("cd {}; {reload}", sandbox.path("").display());
    let args = [&install[..], &["--reload", &cd]].concat();
    let before = sandbox.tree();
    let outcome = config(&sandbox, &args).run().status(74);
    outcome
        .stdout("")
        .stderr_with("  because: the old files are back\n");
    // HAProxy was reloaded with the old text.
    fs::remove_file(sandbox.path("reloaded")).unwrap();
    assert_eq!(sandbox.tree(), before);
    // Each server that may have read a new file reads the old one.
    let restart = format!(
        "cd {}; echo \"$ZPKI_NAME\" $(grep use_tls \"$ZPKI_FILE\") >> restarted; test \"$ZPKI_NAME\" != server2",
        sandbox.path("").display()
    );
    let args = [&install[..], &["--restart", &restart, "--reload=true"]].concat();
    let outcome = config(&sandbox, &args).run().status(74);
    outcome.stdout("").stderr_with(
        " failed for `server2`: exit status: 1\n  because: the old files are back\n  because: with them too, `",
    );
    assert_eq!(
        sandbox.read("restarted"),
        "server1 use_tls=True\nserver2 use_tls=True\nserver1 use_tls=False\nserver2 use_tls=False\n"
    );
    fs::remove_file(sandbox.path("restarted")).unwrap();
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_file_that_somebody_changes_meanwhile_is_left_to_them() {
    let sandbox = cluster();
    let file = sandbox.path("zato.config");
    let validator = format!("echo '# mine' >> {}", file.display());
    let args = [&ALL[..], &["--install", "--validate", &validator]].concat();
    let before = sandbox.tree();
    let outcome = apply(&sandbox, &args).run().status(73);
    outcome.stdout("").stderr_with("zato.config");
    sandbox.file("zato.config", zato_config());
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_link_is_followed_only_when_it_is_asked_for() {
    let sandbox = cluster();
    fs::rename(sandbox.path("zato.config"), sandbox.path("server1/real")).unwrap();
    symlink("server1/real", sandbox.path("zato.config")).unwrap();
    let args = ["apply", "--yes", "--haproxy=zato.config"];
    refused_with(&sandbox, &args, 73, "--follow");
    config(&sandbox, &[&args[..], &["--follow"]].concat())
        .run()
        .product();
    assert_eq!(sandbox.read("server1/real"), with_tls(&sandbox));
    assert_eq!(
        fs::read_link(sandbox.path("zato.config")).unwrap(),
        Path::new("server1/real")
    );
    let rollback = ["rollback", "--yes", "--follow", "--haproxy=zato.config"];
    config(&sandbox, &rollback).run().product();
    assert_eq!(sandbox.read("server1/real"), zato_config());
}

#[test]
fn zpki_toml_may_name_the_files() {
    let sandbox = cluster();
    refused(
        &sandbox,
        &["diff"],
        64,
        "zpki: error: cannot show the change of the configuration\n\
         \x20 because: no configuration was named\n\
         \x20 hint: give --haproxy FILE and --server-conf NAME=FILE, or put config in [load_balancer] and conf in [[servers]] of zpki.toml\n",
    );
    let settings = sandbox.read("demo/zpki.toml");
    let settings = settings
        .replace(
            "# config = \"/opt/zato/lb/config/repo/zato.config\"",
            "config = \"../zato.config\"",
        )
        .replace(
            "name = \"server1\"",
            "name = \"server1\"\nconf = \"../server1/server.conf\"",
        );
    sandbox.file("demo/zpki.toml", settings);
    let report = json(config(&sandbox, &["diff", "--output=json"]).env("PATH", ""));
    let kinds: Vec<&str> = report.files.iter().map(|file| &*file.kind).collect();
    assert_eq!(kinds, ["haproxy", "server-conf"]);
    assert!(!report.changed);
    let path = std::env::var("PATH").unwrap();
    let both = sandbox
        .args(["-C", "demo", "--yes", "apply", "--config", "--exit-code"])
        .env("PATH", path);
    both.run()
        .status(10)
        .stderr_with("--rolling")
        .stdout_with("changed [root]/demo/../zato.config");
    assert_eq!(sandbox.read("zato.config"), with_tls(&sandbox));
}

#[test]
fn apply_with_the_configuration_needs_to_know_where_that_is() {
    let sandbox = cluster();
    let before = sandbox.tree();
    let outcome = sandbox
        .args(["-C", "demo", "--yes", "apply", "--config"])
        .run();
    outcome.status(64).stderr(
        "zpki: error: cannot apply zpki.toml and change the configuration\n\
         \x20 because: zpki.toml names no configuration\n\
         \x20 hint: put config in [load_balancer] and conf in [[servers]] of zpki.toml, or leave out --config and run `zpki config apply --haproxy FILE --server-conf NAME=FILE`\n",
    );
    assert_eq!(sandbox.tree(), before);
}

/// A crontab that has forgotten `--config` would never reload HAProxy.
#[test]
fn what_needs_another_flag_is_refused_without_it() {
    const ROLLING: &str = "--reload <COMMAND> --restart <COMMAND> --rolling";
    let sandbox = cluster();
    let before = sandbox.tree();
    for (args, missing) in [
        (&["apply", "--reload=touch r"][..], "--config"),
        (&["apply", "--restart=touch r"], "--config"),
        (&["apply", "--validate=touch r"], "--config"),
        (&["apply", "--no-validate"], "--config"),
        (&["config", "apply", "--drain=1s"], ROLLING),
        (&["config", "apply", "--up-timeout=1s"], ROLLING),
        (&["config", "apply", "--probe=true"], ROLLING),
    ] {
        let outcome = sandbox
            .args(["-C", "demo", "--yes"].iter().chain(args).copied())
            .run();
        outcome.status(64).stderr(format!(
            "zpki: error: cannot read the command line\n\
             \x20 because: the following required arguments were not provided: {missing}\n\
             \x20 hint: see `zpki --help`, or `zpki COMMAND --help`\n"
        ));
    }
    for flag in [
        "--reload=true",
        "--restart=true",
        "--validate=true",
        "--no-validate",
        "--exit-code",
    ] {
        config(&sandbox, &["rollback", "--list", flag])
            .run()
            .status(64)
            .stderr_with("cannot be used with");
    }
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_host_folder_is_enough() {
    let sandbox = cluster();
    sandbox.file("other/server.conf", "[crypto]\nuse_tls=True\n");
    let with_load_balancer = ["--from=demo/load-balancer", "--haproxy=zato.config"];
    let apply_from = |args: &[&str]| {
        let args = [&["config", "apply", "--yes"], args].concat();
        let path = std::env::var("PATH").unwrap();
        sandbox.args(args).env("PATH", path)
    };
    apply_from(&with_load_balancer).run().product();
    assert_eq!(sandbox.read("zato.config"), with_tls(&sandbox));
    let server = [
        "--from=demo/servers/server1",
        "--server-conf=server1/server.conf",
        "--install",
    ];
    apply_from(&server).run().product();
    assert_eq!(sandbox.read("server1/server.conf"), server_conf_with_tls());
    assert_eq!(
        sandbox.read("server1/zato-server-priv-key.pem"),
        sandbox.read("demo/servers/server1/zato-server-priv-key.pem")
    );
    for (args, status, part) in [
        (
            ["--from=demo/servers/server1", "--haproxy=zato.config"],
            64,
            "goes with the load-balancer's folder",
        ),
        (
            [
                "--from=demo/load-balancer",
                "--server-conf=server1/server.conf",
            ],
            64,
            "with a server's",
        ),
        (
            ["--from=other", "--server-conf=server1/server.conf"],
            65,
            "not what zpki writes there",
        ),
        (
            ["--from=demo", "--haproxy=zato.config"],
            66,
            "this is no host folder",
        ),
    ] {
        let before = sandbox.tree();
        let outcome = apply_from(&args).run().status(status);
        outcome.stdout("").stderr_with(part);
        assert_eq!(sandbox.tree(), before);
    }
}

#[test]
fn the_host_folder_of_another_server_is_refused() {
    let sandbox = cluster();
    let apply_from = |more: &[&str]| {
        let args = ["config", "apply", "--yes", "--install"];
        let from = ["--from=demo/servers/server1"];
        let path = std::env::var("PATH").unwrap();
        let args = [&args[..], &from, more].concat();
        sandbox.args(args).env("PATH", path)
    };
    let before = sandbox.tree();
    let named = "--server-conf=server2=server2/server.conf";
    for more in [&[named][..], &[named, "--only=server2"]] {
        let outcome = apply_from(more).run().status(64);
        outcome.stdout("").stderr(
            "zpki: error: cannot change the configuration\n\
             \x20 at: server2/server.conf\n\
             \x20 because: it is given as that of `server2`, and the certificate of the host folder is that of `server1`\n\
             \x20 hint: give the folder of `server2`, or say server1=FILE if the file is that server's\n",
        );
        assert_eq!(sandbox.tree(), before);
    }
    apply_from(&["--server-conf=server1=server1/server.conf"])
        .run()
        .product();
    assert_eq!(sandbox.read("server1/server.conf"), server_conf_with_tls());
}

#[test]
fn haproxys_own_files_go_to_where_its_lines_name_them() {
    let sandbox = Sandbox::new();
    let target = sandbox.path("etc/tls").display().to_string();
    let paths = [
        format!("--ca-file={target}/ca.pem"),
        format!("--crt={target}/lb.pem"),
    ];
    let init = [
        "init",
        "demo",
        "--cluster=demo",
        "--server=server1=127.0.0.1:17010",
        "--server=server2=127.0.0.1:17011",
        "--client-certificate=required",
        "--no-ca-passphrase",
        &paths[0],
        &paths[1],
    ];
    sandbox.args(init).run().product();
    sandbox.file("zato.config", zato_config());
    apply(&sandbox, &["--haproxy=zato.config", "--install"])
        .run()
        .product();
    assert_eq!(
        sandbox.read("etc/tls/lb.pem"),
        sandbox.read("demo/load-balancer/key-cert.pem")
    );
    assert_eq!(mode(&sandbox, "etc/tls/lb.pem"), 0o600);
    assert_eq!(
        sandbox.read("etc/tls/ca.pem"),
        sandbox.read("demo/load-balancer/ca.cert.pem")
    );
    assert!(
        sandbox
            .read("zato.config")
            .contains(&format!("crt {target}/lb.pem "))
    );
}

#[test]
fn any_backend_can_be_named() {
    let sandbox = cluster();
    let haproxy = "\
defaults
  mode http
  timeout connect 1s
  timeout client 1s
  timeout server 1s

listen apps
  bind 127.0.0.1:17099
  server server1 127.0.0.1:17010 check # one
  server other 127.0.0.1:17012 check
";
    sandbox.file("haproxy.cfg", haproxy);
    let args = ["--haproxy=haproxy.cfg", "--backend=apps"];
    let outcome = apply(&sandbox, &args).run();
    outcome
        .stderr_with("warning: server2: [root]/haproxy.cfg has no line for it")
        .product();
    let expected = haproxy.replace(
        " # one",
        &format!(" {} # one", tls_options(&sandbox, "server1")),
    );
    assert_eq!(sandbox.read("haproxy.cfg"), expected);
    refused_with(
        &sandbox,
        &["diff", "--haproxy=haproxy.cfg"],
        65,
        "haproxy.cfg",
    );
}

#[test]
fn one_server_alone_can_be_meant() {
    let sandbox = cluster();
    apply(&sandbox, &["--haproxy=zato.config", "--only=server2"])
        .run()
        .product();
    let expected =
        with_tls(&sandbox).replace(&format!(" {}", tls_options(&sandbox, "server1")), "");
    assert_eq!(sandbox.read("zato.config"), expected);
    let all = [&ALL[..], &["--install", "--only=server2"]].concat();
    let report = json(apply(&sandbox, &[&["--output=json"], &all[..]].concat()));
    let others = report
        .files
        .iter()
        .filter(|file| file.path.contains("server1"));
    assert_eq!(others.count(), 0, "{report:?}");
    assert_eq!(sandbox.read("server1/server.conf"), SERVER_CONF);
    assert!(
        sandbox
            .read("server2/server.conf")
            .contains("use_tls=True\n")
    );
    let unknown = ["diff", "--haproxy=zato.config", "--only=server3"];
    refused_with(&sandbox, &unknown, 66, "there is no server `server3`");
}

#[test]
fn the_commands_for_the_switch_by_hand_disable_a_server_and_enable_it() {
    let sandbox = cluster();
    let plain = "\
global
    maxconn 10
defaults
    timeout connect 5s
    timeout client 5s
    timeout server 5s
listen apps
    bind 127.0.0.1:11223
    server server1 127.0.0.1:17010 check # mine
\tserver\tserver2\t127.0.0.1:17011
";
    sandbox.file("haproxy.cfg", plain);
    let all = [
        "diff",
        "--output=json",
        "--haproxy=haproxy.cfg",
        "--backend=apps",
    ];
    let report = json(config(&sandbox, &all));
    // The first step is --rolling.
    for step in &report.next_steps[1..] {
        for command in step["commands"].as_array().unwrap() {
            let command = command.as_str().unwrap();
            if command.starts_with("sed ") {
                let shell = Command::new("sh").args(["-c", command]).status();
                assert!(shell.unwrap().success(), "{command}");
            } else if let Some((_, arguments)) = command.split_once(" --only ") {
                let (name, _) = arguments.split_once(' ').unwrap();
                let line = |text: &str| {
                    let mut lines = text.lines();
                    lines.find(|line| line.contains(name)).unwrap().to_owned()
                };
                let disabled = line(&sandbox.read("haproxy.cfg"));
                let words: Vec<&str> = disabled.split_whitespace().collect();
                assert_eq!(words[3], "disabled", "{disabled}");
                let only = format!("--only={name}");
                apply(
                    &sandbox,
                    &["--haproxy=haproxy.cfg", "--backend=apps", &only],
                )
                .run()
                .product();
                assert!(line(&sandbox.read("haproxy.cfg")).contains(" disabled"));
            }
        }
    }
    let switched = sandbox.read("haproxy.cfg");
    assert!(!switched.contains("disabled"), "{switched}");
    assert_eq!(switched.matches(" ssl ").count(), 2, "{switched}");
}

#[test]
fn a_backup_is_told_however_its_file_was_named() {
    let sandbox = cluster();
    symlink(sandbox.path("server1"), sandbox.path("linked")).unwrap();
    let names = [
        "--haproxy=./zato.config",
        "--server-conf=server1=linked/server.conf",
    ];
    let report = json(apply(
        &sandbox,
        &[&["--output=json", "--install"], &names[..]].concat(),
    ));
    let edits = report.files.iter().filter(|file| file.change == "edit");
    let told: Vec<_> = edits.map(|file| file.backup.as_deref().unwrap()).collect();
    assert_eq!(told.len(), 2);
    for (told, of) in told.iter().zip(["zato.config", "server1/server.conf"]) {
        let prefix = sandbox.path(format!("{of}.zpki-"));
        assert!(told.starts_with(prefix.to_str().unwrap()), "{told}");
        assert!(Path::new(told).exists());
    }
}

/// A cluster whose servers take connections, as long as the listeners are there.
pub(crate) fn listening_cluster() -> (Sandbox, [TcpListener; 2]) {
    let sandbox = cluster();
    let listeners = ["server1", "server2"].map(|name| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let old = if name == "server1" { "17010" } else { "17011" };
        let port = listener.local_addr().unwrap().port().to_string();
        for file in ["zato.config", &format!("{name}/server.conf")] {
            let text = sandbox
                .read(file)
                .replace(&format!(":{old}"), &format!(":{port}"));
            sandbox.file(file, text);
        }
        listener
    });
    (sandbox, listeners)
}

/// What switches it server by server, where `restart` restarts a server.
pub(crate) fn rolling(restart: &str) -> Vec<&str> {
    let rolling = ["--install", "--rolling", "--reload=true", "--probe=true"];
    let rolling = [&ALL[..], &rolling, &["--drain=0s", "--restart", restart]];
    rolling.concat()
}

/// The options of a server's line.
fn options(sandbox: &Sandbox, server: &str) -> Vec<String> {
    let text = sandbox.read("zato.config");
    let mut lines = text.lines();
    let is_it = |line: &&str| line.contains(&format!("server http_plain--{server} "));
    let words = lines.find(is_it).unwrap().split(' ');
    words.map(str::to_owned).collect()
}

#[test]
fn a_record_of_a_rolling_switch_that_is_damaged_is_told_of() {
    let sandbox = cluster();
    for text in ["", "{\"schema\":1,\"begun\":\"soon\",\"disabled\":[]}"] {
        sandbox.file(".zato.config.zpki-rolling", text);
        refused_with(
            &sandbox,
            &["apply", "--yes", "--haproxy=zato.config"],
            65,
            "zato.config.zpki-rolling\n  because: it is not what zpki writes there\n  hint: take `disabled` off",
        );
    }
}

#[test]
fn what_its_user_has_disabled_stays_so_in_a_rolling_switch() {
    let (sandbox, _listeners) = listening_cluster();
    let text = sandbox.read("zato.config").replace(
        "fall 2 # ZATO backend bck_http_plain:server--server1",
        "fall 2 disabled # ZATO backend bck_http_plain:server--server1",
    );
    sandbox.file("zato.config", &text);
    apply(&sandbox, &rolling("true")).run().product();
    let [server1, server2] = ["server1", "server2"].map(|name| options(&sandbox, name));
    let has = |options: &[String], option: &str| options.iter().any(|it| it == option);
    assert!(has(&server1, "ssl") && has(&server1, "disabled"));
    assert!(has(&server2, "ssl") && !has(&server2, "disabled"));
    let conf = sandbox.read("server1/server.conf");
    assert!(conf.contains("use_tls=True\n"), "{conf}");
    assert!(!sandbox.path(".zato.config.zpki-rolling").exists());
    let rollback = [&["rollback", "--yes"], &ALL[..]].concat();
    config(&sandbox, &rollback).run().product();
    assert_eq!(sandbox.read("zato.config"), text);
}

#[test]
fn a_server_is_the_only_one_when_its_backend_has_no_other() {
    let only = "warning: server1: it is the only server: requests fail while it is restarted\n";
    let meant = [&rolling("true")[..], &["--only=server1"]].concat();
    let (sandbox, _listeners) = listening_cluster();
    let (_, [_, stderr]) = apply(&sandbox, &meant).run().all();
    assert!(!stderr.contains(only), "{stderr}");
    assert!(options(&sandbox, "server1").iter().any(|it| it == "ssl"));
    let (sandbox, _listeners) = listening_cluster();
    let text = sandbox.read("zato.config");
    let lines = text.split_inclusive('\n');
    let without = lines.filter(|line| !line.contains("server http_plain--server2 "));
    sandbox.file("zato.config", without.collect::<String>());
    let (_, [_, stderr]) = apply(&sandbox, &meant).run().all();
    assert!(stderr.contains(only), "{stderr}");
}

#[test]
fn a_switch_that_is_interrupted_between_servers_says_what_it_leaves() {
    let (sandbox, _listeners) = listening_cluster();
    // The shell's parent is zpki.
    let interrupted = rolling("kill -TERM $PPID; sleep 0.5");
    let args = [
        &["-C", "demo", "config", "apply", "--yes"],
        &interrupted[..],
    ]
    .concat();
    let path = std::env::var("PATH").unwrap();
    let mut interrupted = sandbox.args(args).env("PATH", &path).command();
    let output = interrupted.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(143));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "zpki: error: cannot change the configuration\n\
         \x20 because: interrupted between two servers: some are switched, the others are as they were\n\
         \x20 hint: run the same command again: it goes on where it stopped\n",
    );
    let has_tls = ["server1", "server2"]
        .map(|name| options(&sandbox, name).iter().any(|option| option == "ssl"));
    assert_eq!(has_tls, [true, false]);
    apply(&sandbox, &rolling("true")).run().product();
    assert_eq!(
        sandbox
            .read("server2/server.conf")
            .matches("use_tls=True")
            .count(),
        1
    );
}

#[test]
fn a_change_of_one_server_does_not_end_the_switch_of_another() {
    let (sandbox, _listeners) = listening_cluster();
    let failing = rolling("test \"$ZPKI_NAME\" = server1");
    let outcome = apply(&sandbox, &failing).run().status(2);
    outcome.stdout("").stderr_with("`server2` is not up");
    let has = |option: &str| options(&sandbox, "server2").iter().any(|it| it == option);
    assert!(has("disabled"));
    let of_other = ["--haproxy=zato.config", "--only=server1"];
    let said = apply(&sandbox, &of_other).run().product();
    assert_eq!(said, "unchanged\n");
    assert!(has("disabled"));
    apply(&sandbox, &rolling("true")).run().product();
    assert!(has("ssl") && !has("disabled"));
    assert!(!sandbox.path(".zato.config.zpki-rolling").exists());
}

#[test]
fn it_must_be_clear_whose_a_file_is() {
    let sandbox = cluster();
    refused(
        &sandbox,
        &["diff", "--server-conf=server1/server.conf"],
        64,
        "zpki: error: cannot show the change of the configuration\n\
         \x20 at: server1/server.conf\n\
         \x20 because: which server's it is, is not known\n\
         \x20 hint: say it: --server-conf NAME=server1/server.conf, with one of: server1, server2\n",
    );
    let twice = [
        "diff",
        "--server-conf=server1=server1/server.conf",
        "--server-conf=server1=server2/server.conf",
    ];
    refused_with(&sandbox, &twice, 64, "`server1` is given twice");
    let same = [
        "diff",
        "--server-conf=server1=server1/server.conf",
        "--server-conf=server2=server1/server.conf",
    ];
    refused_with(&sandbox, &same, 64, "is given twice");
}

#[test]
fn a_server_conf_that_its_server_refuses_is_left_alone() {
    let sandbox = cluster();
    sandbox.file(
        "server1/server.conf",
        format!("{SERVER_CONF}\n[crypto]\nuse_tls=True\n"),
    );
    refused_with(
        &sandbox,
        &[
            "apply",
            "--yes",
            "--server-conf=server1=server1/server.conf",
        ],
        65,
        "server1/server.conf:17: [crypto]",
    );
}

#[test]
fn a_continued_line_is_refused_with_its_place() {
    let sandbox = cluster();
    let text = zato_config().replace(
        "rise 2 fall 2 # ZATO backend bck_http_plain:server--server1",
        "\\\n rise 2",
    );
    sandbox.file("zato.config", text);
    refused_with(
        &sandbox,
        &["apply", "--yes", "--haproxy=zato.config"],
        65,
        "[root]/zato.config:15:",
    );
}

#[test]
fn a_killed_run_is_taken_back_by_the_next() {
    let sandbox = cluster();
    let original = sandbox.tree();
    let path = std::env::var("PATH").unwrap();
    // The shell's parent is zpki, which has put every file in place by then.
    let reload = ["--reload", "kill -9 $PPID"];
    let args = [
        &["-C", "demo", "config", "apply", "--yes", "--install"],
        &ALL[..],
        &reload,
    ]
    .concat();
    let mut killed = sandbox.args(args).env("PATH", &path).command();
    let status = killed.stdin(Stdio::null()).status().unwrap();
    assert!(!status.success());
    assert_eq!(sandbox.read("zato.config"), with_tls(&sandbox));
    let state = sandbox.tree();
    let diff = [&["diff"], &ALL[..]].concat();
    let outcome = config(&sandbox, &diff).run();
    outcome
        .stderr_with("a run that was killed has left files here half changed")
        .product();
    assert_eq!(sandbox.tree(), state);
    let before_all = ["apply", "--haproxy=zato.config"];
    let outcome = config(&sandbox, &before_all).run().status(64);
    outcome.stdout("").stderr_with("not confirmed");
    assert_eq!(sandbox.tree(), original);
}

/// Zato's web console renames a server everywhere on its line, names of hosts included.
#[test]
fn a_server_that_was_renamed_is_known_by_its_address() {
    let sandbox = cluster();
    apply(&sandbox, &["--haproxy=zato.config"]).run().product();
    let renamed = with_tls(&sandbox).replace("server1", "serverX");
    sandbox.file("zato.config", &renamed);
    let outcome = apply(&sandbox, &["--haproxy=zato.config"]).run();
    outcome
        .stderr_with("`serverX` has the address of `server1`, and is taken for it")
        .product();
    let mended = with_tls(&sandbox)
        .replace("http_plain--server1", "http_plain--serverX")
        .replace("server--server1", "server--serverX");
    assert_eq!(sandbox.read("zato.config"), mended);
    let outcome = apply(&sandbox, &["--haproxy=zato.config"]).run();
    outcome.stdout("unchanged\n").stderr_with("is taken for it");
}

#[test]
fn a_rollback_undoes_one_change_and_no_more() {
    let sandbox = cluster();
    let install = [&ALL[..], &["--install"]].concat();
    apply(&sandbox, &install).run().product();
    let both = sandbox.read("server1/server.conf");
    let later = |minutes| NOW + Duration::minutes(minutes);
    let plain = ["--haproxy=zato.config", "--disable"];
    apply(&sandbox, &plain).now(later(1)).run().product();
    assert_eq!(sandbox.read("zato.config"), zato_config());
    let rollback = [&["rollback", "--yes", "--output=json"], &ALL[..]].concat();
    let report = json(config(&sandbox, &rollback).now(later(2)));
    let changes: Vec<&str> = report.files.iter().map(|file| &*file.change).collect();
    assert_eq!(changes, ["roll-back", "none", "none"]);
    assert_eq!(sandbox.read("zato.config"), with_tls(&sandbox));
    assert_eq!(sandbox.read("server1/server.conf"), both);
}

#[test]
fn installed_files_belong_to_whom_the_configuration_belongs_to() {
    let sandbox = cluster();
    let owner = |file: &str| fs::metadata(sandbox.path(file)).unwrap().uid();
    let own = owner("zato.config");
    // Only root gives files away; for others everything is their own.
    let other = if own == 0 { 65534 } else { own };
    let give = |file: &str, to| chown(sandbox.path(file), Some(to), None).unwrap();
    give("server1/server.conf", other);
    let install = [&ALL[..], &["--install"]].concat();
    apply(&sandbox, &install).run().product();
    let key = "server1/zato-server-priv-key.pem";
    assert_eq!((owner(key), owner("server1/server.conf")), (other, other));
    give(key, own);
    let said = apply(&sandbox, &install).run().product();
    let expected = match own == other {
        true => "unchanged\n".to_owned(),
        false => format!("installed {}\n", sandbox.path(key).display()),
    };
    assert_eq!(said, expected);
    assert_eq!(owner(key), other);
    assert_eq!(mode(&sandbox, key), 0o600);
}

#[test]
fn what_zpki_toml_says_is_told_when_the_configuration_is_refused() {
    let sandbox = cluster();
    let settings = sandbox.read("demo/zpki.toml");
    let settings = settings.replace(
        "# config = \"/opt/zato/lb/config/repo/zato.config\"",
        "config = \"../zato.config\"",
    );
    let settings = settings.replace(
        "\"server1.demo.internal\",",
        "\"server1.demo.internal\", \"a.lan\",",
    );
    sandbox.file("demo/zpki.toml", settings);
    let args = [
        "-C",
        "demo",
        "--yes",
        "apply",
        "--config",
        "--validate=false",
    ];
    let outcome = sandbox.args(args).run().status(2);
    outcome
        .stdout_with("server1")
        .stderr_with("zpki: error: cannot apply zpki.toml and change the configuration\n");
    assert_eq!(sandbox.read("zato.config"), zato_config());
    let again = sandbox.args(["-C", "demo", "plan"]).run();
    again.stdout("nothing to do\n");
}

/// `apply --config` in the PKI directory of [`cluster`], which HAProxy reads its files in, so many days later.
fn apply_both<'a>(sandbox: &'a Sandbox, days: i64, follow_up: &[&str]) -> Run<'a> {
    let args = [&["-C", "demo", "--yes", "apply", "--config"], follow_up].concat();
    let path = std::env::var("PATH").unwrap();
    let run = sandbox.args(args).env("PATH", path);
    run.now(NOW + Duration::days(days))
}

/// Puts this in place of what zpki.toml says.
fn set(sandbox: &Sandbox, replaced: &[[&str; 2]]) {
    let mut settings = sandbox.read("demo/zpki.toml");
    for [old, new] in replaced {
        assert!(settings.contains(old), "{old}");
        settings = settings.replace(old, new);
    }
    sandbox.file("demo/zpki.toml", settings);
}

const NAMES_HAPROXY: [&str; 2] = [
    "# config = \"/opt/zato/lb/config/repo/zato.config\"",
    "config = \"../zato.config\"",
];

#[test]
fn a_reload_follows_files_that_haproxy_reads_where_they_are_kept() {
    let sandbox = cluster();
    let conf = [
        "name = \"server1\"",
        "name = \"server1\"\nconf = \"../server1/server.conf\"",
    ];
    set(&sandbox, &[NAMES_HAPROXY, conf]);
    let runs = sandbox.path("runs").display().to_string();
    let reload = format!("--reload=echo reload >> {runs}");
    let restart = format!("--restart=echo restart >> {runs}");
    let both = [&*reload, &restart];
    apply_both(&sandbox, 0, &both).run().product();
    assert_eq!(sandbox.read("runs"), "restart\nreload\n");
    apply_both(&sandbox, 0, &both).run().stdout("unchanged\n");
    assert_eq!(sandbox.read("runs"), "restart\nreload\n");
    // The certificates are due.
    let certificate = sandbox.read("server1/zato-server-cert.pem");
    let outcome = apply_both(&sandbox, 300, &["--reload=exit 9"]).run();
    outcome
        .status(74)
        .stdout_with("renew     load-balancer")
        .stderr_with("  because: the new files are in place, and were not read\n");
    assert_eq!(sandbox.read("server1/zato-server-cert.pem"), certificate);
    // A server finds its new certificate by itself.
    apply_both(&sandbox, 300, &both).run().product();
    assert_eq!(sandbox.read("runs"), "restart\nreload\n");
    assert_ne!(sandbox.read("server1/zato-server-cert.pem"), certificate);
    apply_both(&sandbox, 600, &both).run().product();
    assert_eq!(sandbox.read("runs"), "restart\nreload\nreload\n");
    assert_eq!(backups(&sandbox, "zato.config").len(), 1);
}

/// Nothing is left to change beside the PKI directory.
#[test]
fn a_reload_follows_a_crl_that_haproxy_reads_where_it_is_kept() {
    let sandbox = cluster();
    let revocation = [
        "# enabled = false\n# lifetime = \"1y\"",
        "enabled = true\nlifetime = \"30d\"",
    ];
    set(&sandbox, &[NAMES_HAPROXY, revocation]);
    apply_both(&sandbox, 0, &["--reload=true"]).run().product();
    sandbox.args(["-C", "demo", "crl"]).run().product();
    let said = apply_both(&sandbox, 29, &["--reload=true"]).run().product();
    assert!(said.contains("sign-crl"), "{said}");
    assert!(!said.contains("renew"), "{said}");
    assert!(said.ends_with("\nran true\n"), "{said}");
    let outcome = apply_both(&sandbox, 58, &[]).run();
    outcome.stdout_with("\nnext:\n  1. reload HAProxy\n");
    let before = sandbox.read("demo/load-balancer/crl.pem");
    let outcome = apply_both(&sandbox, 87, &["--reload=exit 9"]).run();
    outcome.status(74).stdout_with("sign-crl").stderr(
        "zpki: error: cannot apply zpki.toml and change the configuration\n\
         \x20 because: `exit 9` failed: exit status: 9\n\
         \x20 because: the new files are in place, and were not read\n\
         \x20 hint: mend what the command says, and run it by hand: no later run does so unless it changes a file\n",
    );
    assert_ne!(sandbox.read("demo/load-balancer/crl.pem"), before);
    assert_eq!(backups(&sandbox, "zato.config").len(), 1);
}

#[test]
fn relative_paths_of_a_configuration_are_found_from_its_copy() {
    let sandbox = cluster();
    sandbox.file("lb/503.http", "HTTP/1.0 503 Service Unavailable\r\n\r\n");
    let text = zato_config()
        .replacen("global\n", "global\n    default-path config\n", 1)
        .replacen("defaults\n", "defaults\n    errorfile 503 503.http\n", 1);
    sandbox.file("lb/zato.config", text);
    apply(&sandbox, &["--haproxy=lb/zato.config"])
        .run()
        .product();
    let names: Vec<_> = fs::read_dir(sandbox.path("lb")).unwrap().collect();
    assert_eq!(names.len(), 3, "the file, its backup and the error file");
}
