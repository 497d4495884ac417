//! `server add` and `server remove`: zpki.toml with one server more or less, and what follows.

use crate::sandbox::Sandbox;

#[test]
fn a_server_is_added_with_all_that_belongs_to_it() {
    let sandbox = Sandbox::with_demo();
    let text = sandbox.read("demo/zpki.toml");
    let before = sandbox.tree();
    sandbox
        .args(["-C", "demo", "server", "add", "server3=127.0.0.1:17012"])
        .run()
        .stderr("note: server3: host names by default: server3.demo.internal, 127.0.0.1\n")
        .stdout_with("issue  server3                    2027-11-23 12:00:00 UTC  new entry\n");
    assert_eq!(
        sandbox.tree().changes_since(&before, "demo"),
        [
            "+ ca/issued/server3",
            "+ ca/issued/server3/[serial].pem",
            "~ ca/log.jsonl",
            "~ load-balancer/haproxy.cfg",
            "+ servers/server3",
            "+ servers/server3/server.conf",
            "+ servers/server3/zato-server-ca-certs.pem",
            "+ servers/server3/zato-server-cert.pem",
            "+ servers/server3/zato-server-priv-key.pem",
            "+ servers/server3/zato-server-pub-key.pem",
            "~ zpki.toml",
        ]
    );
    let added = "\n[[servers]]\nname = \"server3\"\naddress = \"127.0.0.1:17012\"\n\
                 hosts = [\"server3.demo.internal\", \"127.0.0.1\"]\n";
    assert_eq!(sandbox.read("demo/zpki.toml").replacen(added, "", 1), text);

    let after = sandbox.tree();
    for again in [
        "server3=127.0.0.1:17012",
        "server3=127.0.0.1:17012,server3.demo.internal,127.0.0.1",
    ] {
        sandbox
            .args(["-C", "demo", "server", "add", again])
            .run()
            .stdout("unchanged\n");
    }
    sandbox
        .args(["-C", "demo", "server", "add", "server3=127.0.0.1:17099"])
        .run()
        .status(73)
        .stderr(
            "zpki: error: cannot add the server `server3`\n  because: there is a server `server3` already, \
             with another address or other host names\n  hint: edit it in zpki.toml and run `zpki apply`; \
             `zpki list` shows the entries\n",
        );
    assert_eq!(format!("{:?}", sandbox.tree()), format!("{after:?}"));
    sandbox.args(["-C", "demo", "check"]).run().product();
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_written() {
    let sandbox = Sandbox::with_demo();
    let before = sandbox.tree();
    let add = |server: &str| sandbox.args(["-C", "demo", "server", "add", server]).run();
    add("SERVER1=127.0.0.1:17012").status(64).stderr(
        "zpki: error: cannot add the server `SERVER1`\n  at: name = \"SERVER1\"\n  \
         because: the names `server1` and `SERVER1` differ only in case\n  \
         hint: give each server and client a name of its own\n",
    );
    add("app.one=127.0.0.1:17012,other.internal")
        .status(64)
        .stderr_with("`app.one` looks like a host name and is none of its hosts");
    add("server3").status(64).stderr_with(
        "there is no `=` between name and address\n  hint: such as server1=10.0.0.11:17010,",
    );
    add("server3=127.0.0.1")
        .status(64)
        .stderr_with("has no port");
    sandbox
        .args([
            "-C",
            "demo",
            "server",
            "add",
            "server3=127.0.0.1:17012",
            "--ca-key",
            "none.pem",
        ])
        .run()
        .status(66)
        .stderr_with("at: [root]/none.pem\n  because: the CA's private key is not there");
    assert_eq!(sandbox.tree().changes_since(&before, "demo"), [""; 0]);
}

/// What is pending is not applied because of a slip of the pen.
#[test]
fn a_server_that_never_was_is_not_removed() {
    let sandbox = Sandbox::with_demo();
    sandbox.mode("demo/servers/server1", 0o755);
    let before = sandbox.tree();
    for (name, hint) in [
        (
            "server3",
            "did you mean `server2`?  `zpki list` shows the entries",
        ),
        ("cron", "`zpki list` shows the entries"),
    ] {
        sandbox
            .args(["-C", "demo", "server", "remove", name])
            .run()
            .status(66)
            .stderr(format!(
                "zpki: error: cannot remove the server `{name}`\n  \
                 because: there is no server `{name}`\n  hint: {hint}\n"
            ));
        assert_eq!(sandbox.tree().changes_since(&before, "demo"), [""; 0]);
    }
}

#[test]
fn a_server_is_removed_and_its_folder_is_kept() {
    let sandbox = Sandbox::with_demo();
    let text = sandbox.read("demo/zpki.toml");
    sandbox
        .args(["-C", "demo", "server", "remove", "server2", "--exit-code"])
        .run()
        .status(10)
        .stdout_with("retire  server2                               entry removed\n")
        .stderr_with("note: server2: its certificate stays valid until it expires or is revoked");
    let modes = sandbox.tree().modes("demo/retired");
    assert!(
        modes.contains("0600 server2-[serial]/zato-server-priv-key.pem"),
        "{modes}"
    );
    let edited = sandbox.read("demo/zpki.toml");
    assert!(!edited.contains("name = \"server2\"") && edited.len() < text.len());
    let lines = sandbox.read("demo/load-balancer/haproxy.cfg");
    assert!(
        !lines.contains("server2") && lines.contains("server1"),
        "{lines}"
    );

    // Once more there is nothing to do, and nothing else is done either.
    sandbox.mode("demo/servers/server1", 0o755);
    let before = sandbox.tree();
    let again = ["-C", "demo", "server", "remove", "server2", "--exit-code"];
    sandbox
        .args(again)
        .run()
        .stdout("unchanged\n")
        .stderr("note: server2: zpki.toml names no server of that name any more\n");
    assert_eq!(sandbox.tree().changes_since(&before, "demo"), [""; 0]);
    sandbox.mode("demo/servers/server1", 0o700);

    // The last one stays: a cluster without servers is none.
    let before = sandbox.tree();
    sandbox
        .args(["-C", "demo", "server", "remove", "server1"])
        .run()
        .status(64)
        .stderr_with("because: the cluster has no servers");
    assert_eq!(sandbox.tree().changes_since(&before, "demo"), [""; 0]);

    // Added again, it gets a key of its own, and what was retired stays.
    sandbox
        .args(["-C", "demo", "server", "add", "server2=127.0.0.1:17011"])
        .run()
        .product();
    assert_eq!(sandbox.tree().modes("demo/retired"), modes);
    sandbox.args(["-C", "demo", "check"]).run().product();
}
