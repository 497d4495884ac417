//! `zpki ca`: the CA shown, renewed, given another passphrase, and brought from elsewhere.

use time::Duration;

use crate::sandbox::{DEMO, NOW, Run, Sandbox};

fn ca<'a>(sandbox: &'a Sandbox, args: &[&str]) -> Run<'a> {
    sandbox.args([&["-C", "demo", "ca"], args].concat())
}

/// What of demo is not as it was, when `zpki ca` is run with `args`.
fn changed_by(sandbox: &Sandbox, args: &[&str]) -> Vec<String> {
    let before = sandbox.tree();
    ca(sandbox, args).run().product();
    sandbox.tree().changes_since(&before, "demo")
}

/// The run is refused with this, and every file is what it was.
#[track_caller]
fn refused(sandbox: &Sandbox, args: &[&str], status: i32, stderr: &str) {
    let before = sandbox.tree();
    ca(sandbox, args).run().status(status).stderr(stderr);
    assert_eq!(sandbox.tree().changes_since(&before, ""), [""; 0]);
}

/// What `openssl x509` says of a certificate.
fn x509(sandbox: &Sandbox, file: &str, what: &[&str]) -> String {
    let args = [&["x509", "-in", file, "-noout"], what].concat();
    sandbox.tool("openssl", &args)
}

/// That `openssl verify` takes a certificate under this trust bundle.
fn verifies(sandbox: &Sandbox, bundle: &str, certificate: &str) {
    let args = ["verify", "-x509_strict", "-CAfile", bundle, certificate];
    sandbox.tool("openssl", &args);
}

const LEAVES: [&str; 3] = [
    "demo/load-balancer/key-cert.pem",
    "demo/servers/server1/zato-server-cert.pem",
    "demo/servers/server2/zato-server-cert.pem",
];

#[test]
fn renew_changes_the_trust_bundles_and_no_other_file_of_a_host() {
    let sandbox = Sandbox::with_demo();
    let before = sandbox.tree();
    sandbox.file("old.pem", sandbox.read("demo/ca/ca.cert.pem"));
    sandbox.file("leaf.pem", sandbox.read(LEAVES[1]));
    let later = NOW + Duration::days(200);
    let told = ca(&sandbox, &["renew"]).now(later).run().product();
    assert!(
        told.contains("renew-ca  ca    2037-06-08 12:00:00 UTC  asked for"),
        "{told}"
    );
    assert_eq!(
        sandbox.tree().changes_since(&before, "demo"),
        [
            "~ ca/ca-file.pem",
            "~ ca/ca.cert.pem",
            "+ ca/issued/ca/[serial].pem",
            "~ ca/log.jsonl",
            "~ load-balancer/ca.cert.pem",
            "~ servers/server1/zato-server-ca-certs.pem",
            "~ servers/server2/zato-server-ca-certs.pem",
        ]
    );
    for what in [["-subject"], ["-pubkey"], ["-issuer"]] {
        let [old, new] = ["old.pem", "demo/ca/ca.cert.pem"].map(|file| x509(&sandbox, file, &what));
        assert_eq!(old, new);
    }
    // Old and new go together, whichever side is renewed first.
    sandbox
        .args(["-C", "demo", "renew", "--all", "--force"])
        .now(later)
        .run()
        .product();
    let at = later.unix_timestamp().to_string();
    for bundle in ["old.pem", "demo/ca/ca-file.pem"] {
        for leaf in ["leaf.pem"].iter().chain(&LEAVES) {
            let args = [
                "verify",
                "-x509_strict",
                "-attime",
                &at,
                "-CAfile",
                bundle,
                leaf,
            ];
            sandbox.tool("openssl", &args);
        }
    }
    let plan = sandbox.args(["-C", "demo", "plan"]).now(later);
    plan.run().stdout("nothing to do\n");
    let check = sandbox.args(["-C", "demo", "check"]).now(later);
    check.run().product();
    let log = sandbox.read("demo/ca/log.jsonl");
    assert!(log.contains(r#""action":"renew-ca""#), "{log}");
}

#[test]
fn renew_is_done_each_time_but_not_twice_within_the_hour() {
    let sandbox = Sandbox::with_demo();
    let renew = |minutes: i64, args: &[&str]| {
        let run = ca(&sandbox, &[&["renew", "--exit-code"], args].concat());
        run.now(NOW + Duration::minutes(minutes)).run()
    };
    renew(59, &[]).stdout("unchanged\n");
    renew(60, &[]).status(10).stdout_with("renew-ca  ca");
    renew(61, &[]).stdout("unchanged\n");
    renew(61, &["--force"])
        .status(10)
        .stdout_with("renew-ca  ca");
    renew(24 * 60, &[]).status(10).stdout_with("renew-ca  ca");
}

#[test]
fn renew_puts_in_the_name_constraints_of_zpki_toml_that_allow_every_name() {
    let sandbox = Sandbox::with_demo();
    let text = sandbox.read("demo/zpki.toml");
    let with = |constraints: &str| {
        assert!(text.contains("[ca]\n"), "{text}");
        let text = text.replace("[ca]\n", &format!("[ca]\n{constraints}\n"));
        sandbox.file("demo/zpki.toml", text);
    };
    with("permitted_domains = [\"demo.internal\"]\npermitted_networks = [\"127.0.0.0/8\"]");
    assert_eq!(changed_by(&sandbox, &["renew"]).len(), 7);
    let constraints = x509(
        &sandbox,
        "demo/ca/ca.cert.pem",
        &["-ext", "nameConstraints"],
    );
    assert!(constraints.contains("critical") && constraints.contains("DNS:demo.internal"));
    for leaf in LEAVES {
        verifies(&sandbox, "demo/load-balancer/ca.cert.pem", leaf);
    }
    ca(&sandbox, &["renew"]).run().stdout("unchanged\n");
    // Until it is renewed, the CA allows no more than it did, whatever zpki.toml says.
    let outside = text.replace("\"127.0.0.1\"]", "\"127.0.0.1\", \"other.example\"]");
    sandbox.file("demo/zpki.toml", outside);
    sandbox
        .args(["-C", "demo", "plan"])
        .run()
        .stdout_with("renew   server1  name added: other.example")
        .stderr_with("warning: ca/ca.cert.pem: its name constraints are not those of zpki.toml\n");
    sandbox
        .args(["-C", "demo", "apply"])
        .run()
        .status(78)
        .stderr_with(
            "  hint: renew the CA with the name constraints of zpki.toml: zpki ca renew\n",
        );
    assert_eq!(changed_by(&sandbox, &["renew"]).len(), 7);
    sandbox.args(["-C", "demo", "apply"]).run().product();
    // A certificate that still stands for a name outside, though no entry has it.
    with("permitted_domains = [\"demo.internal\"]\npermitted_networks = [\"127.0.0.0/8\"]");
    refused(
        &sandbox,
        &["renew", "--force"],
        78,
        "zpki: error: cannot renew the CA\n  because: `other.example` of `server1` is outside the name \
         constraints (permitted_domains: demo.internal; permitted_networks: 127.0.0.0/8)\n  \
         hint: permit it in [ca] of zpki.toml, or revoke the certificate that has it\n",
    );
}

#[test]
fn renew_runs_a_command_for_each_host_folder() {
    let sandbox = Sandbox::with_demo();
    let told = ca(&sandbox, &["renew", "--force", "--exec", "true"])
        .run()
        .product();
    for name in ["load-balancer", "server1", "server2"] {
        assert!(told.contains(&format!("ran for {name}: true\n")), "{told}");
    }
}

#[test]
fn renew_opens_the_key_or_writes_nothing() {
    let sandbox = Sandbox::new();
    let encrypted = DEMO.iter().filter(|it| **it != "--no-ca-passphrase");
    let variable = "ZPKI_CA_PASSPHRASE";
    sandbox.args(encrypted).env(variable, "old").run().product();
    let before = sandbox.tree();
    ca(&sandbox, &["renew", "--force"]).run().status(64).stderr(
        "zpki: error: cannot renew the CA\n  because: the CA's private key is encrypted, and nobody can \
         be asked for its passphrase\n  hint: give it: --ca-passphrase-file FILE, or ZPKI_CA_PASSPHRASE\n",
    );
    ca(&sandbox, &["renew", "--force"])
        .env(variable, "wrong")
        .run()
        .status(77)
        .stderr_with("because: wrong passphrase or damaged file\n");
    assert_eq!(sandbox.tree().changes_since(&before, ""), [""; 0]);
    let renew = ca(&sandbox, &["renew", "--force", "-q"]);
    renew.env(variable, "old").run();
    assert_eq!(sandbox.tree().changes_since(&before, "demo").len(), 7);
}
