//! `zpki import`: directories as `zato ca create ...` makes them, with the openssl commands that it
//! runs (zato/cli/ca_create_ca.py and zato/cli/__init__.py), and what zpki says of them.

use std::fs;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::sandbox::{Run, Sandbox};

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Import {
    schema: u32,
    at: String,
    changed: bool,
    source: String,
    file: String,
    cluster: String,
    servers: Vec<String>,
    clients: Vec<String>,
    certificates: Vec<Found>,
    private_keys: u32,
    findings: Vec<Finding>,
    next_steps: Vec<NextStep>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Found {
    file: String,
    kind: String,
    subject: String,
    serial_number: String,
    not_before: String,
    not_after: String,
    signature_algorithm: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Finding {
    severity: String,
    id: String,
    about: String,
    why: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NextStep {
    what: String,
    commands: Vec<String>,
}

/// What `zato ca create ca` writes into its openssl configuration, as far as certificates show it.
const CONFIGURATION: &str = "\
dir = zato-ca
[ ca ]
default_ca = CA_default
[ CA_default ]
serial = $dir/ca-material/ca-serial
database = $dir/ca-material/ca-certindex
new_certs_dir = $dir
certificate = $dir/ca-material/ca-cert.pem
private_key = $dir/ca-material/ca-key.pem
default_days = 3650
default_md = sha1
preserve = no
policy = policy_match
[ policy_match ]
countryName = match
stateOrProvinceName = match
organizationName = match
organizationalUnitName = supplied
commonName = supplied
[ req ]
default_md = sha1
string_mask = nombstr
prompt = no
distinguished_name = name
[ name ]
O = My Company
OU = @UNIT@
L = My Town
ST = My State
C = US
CN = @NAME@
[ v3_ca ]
basicConstraints = CA:TRUE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always,issuer:always
[ v3_server ]
basicConstraints = CA:FALSE
subjectKeyIdentifier = hash
extendedKeyUsage = serverAuth
[ v3_client_server ]
basicConstraints = CA:FALSE
subjectKeyIdentifier = hash
extendedKeyUsage = serverAuth,clientAuth
";

/// `zato ca create ca`; the key is smaller than Zato's, for it takes a while to make.
const CREATE_CA: &str = "\
set -e
d=zato-ca
mkdir -p $d/ca-material
printf 01 >$d/ca-material/ca-serial
printf %s \"$(openssl rand -hex 16)\" >$d/ca-material/ca-password
: >$d/ca-material/ca-certindex
echo 'unique_subject = no' >$d/ca-material/ca-certindex.attr
sed 's/@UNIT@/Sample CA/; s/@NAME@/Sample CA/' conf >$d/ca-material/openssl-template.conf
openssl req -batch -new -x509 -newkey rsa:2048 -extensions v3_ca -keyout $d/ca-material/ca-key.pem \\
    -out $d/ca-material/ca-cert.pem -days 3650 -config $d/ca-material/openssl-template.conf \\
    -passout file:$d/ca-material/ca-password
mkdir $d/out-csr $d/out-cert $d/out-priv $d/out-pub
: >$d/.zato-ca-dir
";

/// `zato ca create server` and the like: PREFIX, OU, extensions, time.
const CREATE: &str = "\
set -e
d=zato-ca
sed \"s/@UNIT@/$2/; s/@NAME@/localhost/\" conf >current
openssl req -batch -new -nodes -out $d/out-csr/$1-csr-$4.pem -keyout $d/out-priv/$1-priv-$4.pem \\
    -newkey rsa:2048 -config current
openssl pkey -in $d/out-priv/$1-priv-$4.pem -pubout -out $d/out-pub/$1-pub-$4.pem
openssl ca -batch -passin file:$d/ca-material/ca-password -config current \\
    -out $d/out-cert/$1-cert-$4.pem -extensions $3 -in $d/out-csr/$1-csr-$4.pem
rm -f $d/[0-9A-F]*.pem
chmod 640 $d/out-priv/$1-priv-$4.pem
";

const TIME: &str = "2024-05-06_07-08-09";

fn create(sandbox: &Sandbox, prefix: &str, unit: &str, extensions: &str) {
    let script = format!("exec 2>&1; {CREATE}");
    sandbox.tool("sh", &["-c", &script, "sh", prefix, unit, extensions, TIME]);
}

/// A CA, two servers and an agent, as Zato makes them.
fn zatos() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file("conf", CONFIGURATION);
    sandbox.tool("sh", &["-c", &format!("exec 2>&1; {CREATE_CA}")]);
    create(&sandbox, "prod-server1", "prod:server1", "v3_client_server");
    create(&sandbox, "prod-server2", "prod:server2", "v3_client_server");
    create(&sandbox, "lb-agent", "zato-lb-agent", "v3_server");
    sandbox
}

const SERVERS: [&str; 2] = [
    "--server=server1=10.0.0.11:17010",
    "--server=server2=10.0.0.12:17010,server2.prod.internal",
];

fn import<'a>(sandbox: &'a Sandbox, args: &[&str]) -> Run<'a> {
    sandbox.args([&["-C", "pki", "import", "zato-ca"], args].concat())
}

#[track_caller]
fn json(sandbox: &Sandbox, args: &[&str]) -> Import {
    let args = [args, &["--output=json"]].concat();
    let text = import(sandbox, &args).run().stderr("").product();
    let parsed: Import = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}"));
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_value(&parsed).unwrap(), value);
    parsed
}

/// The run is refused with this, and every file is what it was.
#[track_caller]
fn refused(sandbox: &Sandbox, args: &[&str], status: i32, stderr: &str) {
    let before = sandbox.tree();
    let outcome = import(sandbox, args).run().status(status);
    outcome.stdout("").stderr(stderr);
    assert_eq!(sandbox.tree(), before);
}

/// Severity and id of what is said of a file.
fn said<'a>(report: &'a Import, file: &str) -> Vec<(&'a str, &'a str)> {
    let about = report.findings.iter().filter(|it| it.about == file);
    about
        .map(|it| (it.severity.as_str(), it.id.as_str()))
        .collect()
}

#[test]
fn what_is_unusable_is_said_of_each_file() {
    let sandbox = zatos();
    let report = json(&sandbox, &SERVERS);
    assert_eq!((report.schema, report.changed), (1, true));
    assert_eq!(report.at, "2026-11-23T12:00:00Z");
    assert_eq!(report.source, "zato-ca");
    assert_eq!(
        report.file,
        sandbox.path("pki/zpki.toml").display().to_string()
    );
    assert_eq!(report.cluster, "prod");
    assert_eq!(report.servers, ["server1", "server2"]);
    assert!(report.clients.is_empty());
    assert_eq!(report.private_keys, 4);

    let found: Vec<_> = report
        .certificates
        .iter()
        .map(|it| {
            (
                it.file.as_str(),
                it.kind.as_str(),
                it.serial_number.as_str(),
            )
        })
        .collect();
    let certificate = |prefix: &str| format!("out-cert/{prefix}-cert-{TIME}.pem");
    let [lb, one, two] = ["lb-agent", "prod-server1", "prod-server2"].map(certificate);
    let [(ca, "ca", _), agent, server1, server2] = found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(ca, "ca-material/ca-cert.pem");
    let serials = [1, 2, 3].map(|number| format!("{number:032x}"));
    assert_eq!(
        agent,
        (lb.as_str(), "load-balancer-agent", serials[2].as_str())
    );
    assert_eq!(server1, (one.as_str(), "server", serials[0].as_str()));
    assert_eq!(server2, (two.as_str(), "server", serials[1].as_str()));
    for found in &report.certificates {
        let algorithm = found.signature_algorithm.as_deref().unwrap();
        assert!(
            algorithm.to_ascii_lowercase().contains("sha1"),
            "{algorithm}"
        );
        assert!(found.not_before < found.not_after && found.subject.contains("CN="));
    }

    assert_eq!(said(&report, ca), [("ok", "signature-weak")]);
    let weak = ("critical", "signature-weak");
    let nameless = ("warning", "no-subject-alt-name");
    assert_eq!(
        said(&report, &one),
        [weak, nameless, ("warning", "serial-number-1")]
    );
    assert_eq!(said(&report, &two), [weak, nameless]);
    assert_eq!(said(&report, &lb), [weak, nameless]);
    let key = said(&report, "ca-material/ca-key.pem");
    assert_eq!(key, [("critical", "passphrase-beside-key")]);
    let passphrase = sandbox.read("zato-ca/ca-material/ca-password");
    let text = serde_json::to_string(&report).unwrap();
    assert!(text.contains("ca-material/ca-password, which opens it, and others"));
    assert!(!text.contains(&passphrase), "the passphrase is not shown");
    let key = format!("out-priv/prod-server1-priv-{TIME}.pem");
    assert_eq!(said(&report, &key), [("critical", "secret-readable")]);
    let refused = report
        .findings
        .iter()
        .filter(|it| it.severity == "critical");
    refused.for_each(|it| assert!(it.next.is_some(), "{it:?}"));

    // OpenSSL agrees: at its level 2 it refuses the server's certificate.
    let verify = format!(
        "openssl verify -auth_level 2 -CAfile zato-ca/ca-material/ca-cert.pem zato-ca/{one} 2>&1 || true"
    );
    let verdict = sandbox.tool("sh", &["-c", &verify]);
    assert!(verdict.contains("digest algorithm too weak"), "{verdict}");
}

#[test]
fn init_makes_the_replacement_of_what_was_imported() {
    let sandbox = zatos();
    let said = import(&sandbox, &SERVERS).run().product();
    assert!(
        said.starts_with(
            "zato-ca has these certificates, and 4 private keys; none of them is taken over\n"
        ),
        "{said}"
    );
    let next = said.split("next:\n").nth(1).unwrap();
    let path = |name: &str| sandbox.path(name).display().to_string();
    let command = format!(
        "zpki -C {} init --config {}",
        path("pki"),
        path("pki/zpki.toml")
    );
    assert!(next.contains(&command), "{next}");
    assert_eq!(
        sandbox.tree().modes("pki"),
        "0755 /\n0700 .zpki/\n0600 .zpki/generation\n0600 .zpki/lock\n0644 zpki.toml\n"
    );

    let words: Vec<&str> = command
        .split(' ')
        .skip(1)
        .chain(["--no-ca-passphrase", "-q"])
        .collect();
    sandbox.args(words).run();
    let hosts = sandbox.args(["-C", "pki", "list"]).run().product();
    assert!(hosts.contains("server2.prod.internal"), "{hosts}");
    let certificate = "pki/servers/server1/zato-server-cert.pem";
    let verified = sandbox.tool(
        "openssl",
        &[
            "verify",
            "-x509_strict",
            "-CAfile",
            "pki/ca/ca.cert.pem",
            certificate,
        ],
    );
    assert_eq!(verified, format!("{certificate}: OK\n"));
    let lines = sandbox
        .args(["-C", "pki", "snippet", "haproxy"])
        .run()
        .product();
    assert!(lines.contains("10.0.0.12:17010"), "{lines}");
}

#[test]
fn haproxy_knows_the_addresses() {
    let sandbox = zatos();
    let configuration = "\
backend bck_http_plain
# ZATO begin backend bck_http_plain
    server http_plain--server1 10.0.0.11:17010 check inter 5s weight 3 # ZATO backend bck_http_plain:server--server1
    server http_plain--server2 10.0.0.12:17010 check # ZATO backend bck_http_plain:server--server2
    server http_plain--server3 10.0.0.13:17010 check # ZATO backend bck_http_plain:server--server3
# ZATO end backend bck_http_plain
";
    sandbox.file("zato.config", configuration);
    let given = "--server=server2=app2:17011";
    let report = json(&sandbox, &["--from-haproxy=zato.config", given]);
    assert_eq!(report.servers, ["server1", "server2"]);
    assert_eq!(said(&report, "server3"), [("warning", "not-imported")]);
    let settings = sandbox.read("pki/zpki.toml");
    for setting in [
        "address = \"10.0.0.11:17010\"",
        "check inter 5s weight 3",
        "address = \"app2:17011\"",
    ] {
        assert!(settings.contains(setting), "{setting}: {settings}");
    }
    assert!(!settings.contains("10.0.0.12:17010"), "{settings}");
}

#[test]
fn an_address_that_nothing_says_is_asked_for() {
    let sandbox = zatos();
    let hint = "  hint: give --server NAME=ADDRESS for each, or --from-haproxy FILE; for one that only \
                calls the servers, such as the scheduler, --client NAME\n";
    let stderr = |at: &str, names: &str| {
        format!(
            "zpki: error: cannot import `zato-ca`\n{at}  because: nothing says the address of {names}\n{hint}"
        )
    };
    refused(&sandbox, &[], 64, &stderr("", "server1, server2"));
    refused(&sandbox, &SERVERS[..1], 64, &stderr("", "server2"));
    let line = "# ZATO begin backend bck_http_plain\n# ZATO end backend bck_http_plain\n";
    sandbox.file("zato.config", format!("backend bck_http_plain\n{line}"));
    let args = ["--from-haproxy=zato.config"];
    let before = sandbox.tree();
    let outcome = import(&sandbox, &args).run();
    assert_ne!(outcome.status_alone(), 0);
    assert_eq!(sandbox.tree(), before);

    let stderr = "\
zpki: error: cannot import `zato-ca`
  because: there is no certificate of `server9`, which --server gives
  hint: did you mean `server2`?  there are: server1, server2
";
    let slip = [SERVERS[0], SERVERS[1], "--server=server9=10.0.0.9:1"];
    refused(&sandbox, &slip, 64, stderr);
}

#[test]
fn a_scheduler_becomes_a_client() {
    let sandbox = zatos();
    create(
        &sandbox,
        "prod-scheduler1",
        "prod:scheduler1",
        "v3_client_server",
    );
    let report = json(&sandbox, &[SERVERS[0], SERVERS[1], "--client=scheduler1"]);
    assert_eq!(report.servers, ["server1", "server2"]);
    assert_eq!(report.clients, ["scheduler1"]);
    let settings = sandbox.read("pki/zpki.toml");
    assert!(
        settings.contains("[[clients]]\nname = \"scheduler1\""),
        "{settings}"
    );
}

#[test]
fn a_unit_of_ones_own_leaves_the_name_to_the_file() {
    let sandbox = zatos();
    create(
        &sandbox,
        "prod-eu-server3",
        "Operations",
        "v3_client_server",
    );
    let server = "--server=server3=10.0.0.13:17010";
    // As --server calls it; without that, behind the name of the cluster.
    let args = [SERVERS[0], SERVERS[1], server, "--cluster=prod"];
    assert_eq!(
        json(&sandbox, &args).servers,
        ["server3", "server1", "server2"]
    );
    fs::remove_dir_all(sandbox.path("pki")).unwrap();
    let stderr = "\
zpki: error: cannot import `zato-ca`
  because: nothing says the address of eu-server3
  hint: give --server NAME=ADDRESS for each, or --from-haproxy FILE; for one that only calls the \
          servers, such as the scheduler, --client NAME
";
    let args = [SERVERS[0], SERVERS[1], "--cluster=prod"];
    refused(&sandbox, &args, 64, stderr);
}

#[test]
fn the_name_of_the_cluster_is_asked_for_where_certificates_differ() {
    let sandbox = zatos();
    create(&sandbox, "test-server3", "test:server3", "v3_client_server");
    let args = [SERVERS[0], SERVERS[1], "--server=server3=10.0.0.13:17010"];
    let stderr = "\
zpki: error: cannot import `zato-ca`
  because: the certificates say of the cluster `prod`, `test`
  hint: give --cluster NAME
";
    refused(&sandbox, &args, 64, stderr);
    let report = json(&sandbox, &[&args[..], &["--cluster=new"]].concat());
    assert_eq!(report.cluster, "new");
    assert_eq!(report.servers.len(), 3);
}

#[test]
fn a_pki_directory_that_has_a_zpki_toml_is_left_alone() {
    let sandbox = zatos();
    sandbox.file("pki/zpki.toml", "# mine\n");
    let before = sandbox.tree();
    let outcome = import(&sandbox, &SERVERS).run().status(73).stdout("");
    outcome.stderr_with("because: `[root]/pki/zpki.toml` already exists\n");
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn what_zato_did_not_make_is_refused() {
    let sandbox = Sandbox::new();
    let stderr = "\
zpki: error: cannot import `zato-ca`
  at: zato-ca
  because: no such file or directory
  hint: check the path; file arguments are relative to the current directory
";
    refused(&sandbox, &SERVERS, 66, stderr);
    sandbox.file("zato-ca/readme", "");
    let stderr = "\
zpki: error: cannot import `zato-ca`
  at: zato-ca
  because: `zato ca create` did not make it: it has neither `ca-material` nor `out-cert`
  hint: name the directory that was given to `zato ca create ca`
";
    refused(&sandbox, &SERVERS, 65, stderr);
    fs::create_dir(sandbox.path("zato-ca/out-cert")).unwrap();
    let stderr = "\
zpki: error: cannot import `zato-ca`
  at: zato-ca
  because: it has no certificate of a server
  hint: `zpki init` makes the PKI of a cluster that has none
";
    refused(&sandbox, &SERVERS, 65, stderr);
}

#[test]
fn damage_loose_keys_and_numbers_used_twice_are_said() {
    let sandbox = zatos();
    // A CA that began to count again: the next certificate has the number of the first.
    sandbox.file("zato-ca/ca-material/ca-serial", "01");
    sandbox.file("zato-ca/ca-material/ca-certindex", "");
    create(&sandbox, "prod-server3", "prod:server3", "v3_client_server");
    let of = |directory: &str, kind: &str, server: &str| {
        format!("{directory}/prod-{server}-{kind}-{TIME}.pem")
    };
    let lost = of("out-priv", "priv", "server2");
    fs::remove_file(sandbox.path(format!("zato-ca/{lost}"))).unwrap();
    let loose = "out-priv/old-priv-2020-01-01_00-00-00.pem";
    sandbox.tool(
        "sh",
        &[
            "-c",
            &format!("openssl genpkey -algorithm ed25519 >zato-ca/{loose}"),
        ],
    );
    sandbox.mode(format!("zato-ca/{loose}"), 0o600);
    sandbox.file(
        "zato-ca/out-cert/cut.pem",
        "text\n-----BEGIN CERTIFICATE-----\n",
    );
    sandbox.file("zato-ca/out-cert/notes.txt", "nothing");
    let args = [SERVERS[0], SERVERS[1], "--server=server3=10.0.0.13:17010"];
    let report = json(&sandbox, &args);
    let twice = ("warning", "serial-number-twice");
    for server in ["server1", "server3"] {
        let said = said(&report, &of("out-cert", "cert", server));
        assert!(said.contains(&twice), "{server}: {said:?}");
    }
    let without = said(&report, &of("out-cert", "cert", "server2"));
    assert!(without.contains(&("ok", "no-private-key")), "{without:?}");
    assert_eq!(
        said(&report, loose),
        [("warning", "key-without-certificate")]
    );
    let unreadable = [("warning", "unreadable")];
    assert_eq!(said(&report, "out-cert/cut.pem:2"), unreadable);
    assert_eq!(said(&report, "out-cert/notes.txt"), unreadable);
}

#[test]
fn what_has_expired_is_said() {
    let sandbox = zatos();
    let later = time::macros::datetime!(2040-01-01 0:00 UTC);
    let outcome = import(&sandbox, &[&SERVERS[..], &["--output=json"]].concat())
        .now(later)
        .run();
    let report: Import = serde_json::from_str(&outcome.product()).unwrap();
    for found in &report.certificates {
        let said = said(&report, &found.file);
        assert!(
            said.contains(&("critical", "expired")),
            "{}: {said:?}",
            found.file
        );
    }
}
