//! PKI directories for the judges.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use tempfile::TempDir;

use crate::e2e::process::{run, tool};

/// Every key algorithm.
pub(super) const ALGORITHMS: [&str; 6] = [
    "ecdsa-p256",
    "ecdsa-p384",
    "ed25519",
    "rsa-2048",
    "rsa-3072",
    "rsa-4096",
];

/// A PKI directory that `zpki init` made.
pub(super) struct Pki {
    directory: PathBuf,
    /// For what else the test writes, and for the PKI directory itself when no other test has it.
    scratch: TempDir,
}

/// One of its certificates, with what it is for. Paths are relative to the PKI directory.
pub(super) struct EndEntity {
    pub(super) name: &'static str,
    pub(super) key_algorithm: &'static str,
    pub(super) server_auth: bool,
    pub(super) client_auth: bool,
    pub(super) hosts: Vec<String>,
    pub(super) certificate: String,
    pub(super) key: String,
}

/// What encrypts the CA's key in [`Pki::of_algorithm`].
pub(super) const PASSPHRASE: &str = "correct horse";

impl Pki {
    /// The PKI that a zpki.toml describes, for this test alone; the CA's key is not encrypted.
    pub(super) fn of(cluster_file: &str) -> Self {
        let pki = Self::without_directory();
        pki.init(cluster_file, |init| init.arg("--no-ca-passphrase"));
        pki
    }

    /// The PKI of [`CLUSTER`], which all tests share: to make RSA keys takes long.
    pub(super) fn of_cluster() -> Self {
        Self::shared("cluster", |pki| {
            pki.init(CLUSTER, |init| init.arg("--no-ca-passphrase"));
        })
    }

    /// The PKI of a small cluster whose CA and load-balancer have keys of this algorithm, shared
    /// too. The CA's key is encrypted.
    pub(super) fn of_algorithm(key_algorithm: &'static str) -> Self {
        Self::shared(key_algorithm, |pki| {
            let passphrase = pki.put("passphrase", &format!("{PASSPHRASE}\nnot this line\n"));
            run(Command::new("chmod").arg("600").arg(&passphrase));
            pki.init(&small_cluster(key_algorithm), |init| {
                init.arg("--ca-passphrase-file").arg(passphrase)
            });
        })
    }

    fn shared(name: &'static str, make: impl FnOnce(&Self)) -> Self {
        static MADE: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
        let mut pki = Self::without_directory();
        pki.directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("oracle")
            .join(name);
        let mut made = MADE.lock().unwrap();
        if !made.contains(name) {
            // An earlier run has left its own, to be looked at.
            let _ = fs::remove_dir_all(&pki.directory);
            make(&pki);
            made.insert(name);
        }
        pki
    }

    fn without_directory() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("pki");
        Self { directory, scratch }
    }

    fn init(&self, cluster_file: &str, more: impl FnOnce(&mut Command) -> &mut Command) {
        let wanted = self.put("wanted.toml", cluster_file);
        let mut init = Command::new(env!("CARGO_BIN_EXE_zpki"));
        init.env_clear().arg("init").arg(&self.directory);
        run(more(init.arg("--config").arg(wanted)));
    }

    /// A file or directory of the PKI directory.
    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.directory.join(relative)
    }

    /// The text of a file of the PKI directory.
    pub(super) fn read(&self, relative: &str) -> String {
        fs::read_to_string(self.path(relative)).unwrap()
    }

    /// Writes a file that is gone with this value; its path.
    pub(super) fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.scratch.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The one certificate that was issued to an entry, as the inventory has it.
    pub(super) fn issued(&self, name: &str) -> String {
        let directory = format!("ca/issued/{name}");
        let files: Vec<_> = fs::read_dir(self.path(&directory)).unwrap().collect();
        assert_eq!(files.len(), 1, "{directory}");
        let file = files[0].as_ref().unwrap().file_name();
        format!("{directory}/{}", file.to_str().unwrap())
    }

    /// Runs zpki in the PKI directory, words split at blanks.
    pub(super) fn zpki(&self, words: &str) {
        let mut zpki = Command::new(env!("CARGO_BIN_EXE_zpki"));
        zpki.env_clear().arg("-C").arg(&self.directory);
        run(zpki.args(words.split(' ')));
    }

    /// What openssl says; it must succeed. Words are split at blanks, and paths are relative to the
    /// PKI directory.
    pub(super) fn openssl(&self, words: &str) -> String {
        run(&mut self.openssl_command(words))
    }

    /// What openssl says; it must fail.
    pub(super) fn openssl_refuses(&self, words: &str) -> String {
        let output = self.openssl_command(words).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!output.status.success(), "openssl {words} succeeds: {said}");
        said
    }

    fn openssl_command(&self, words: &str) -> Command {
        let mut command = tool("openssl");
        command
            .args(words.split(' '))
            .current_dir(self.path(""))
            .stdin(Stdio::null());
        command
    }
}

/// A cluster with each role, and a server for each key algorithm. The CA's is P-256.
pub(super) const CLUSTER: &str = r#"
[cluster]
name = "prod"

[load_balancer]
hosts = ["lb.prod.internal"]
client_certificate = "required"
terminates_tls = true

[[servers]]
name = "ecdsa-p256"
address = "10.0.0.1:17010"
hosts = ["ecdsa-p256.prod.internal", "*.apps.prod.internal", "10.0.0.1", "fd00::1"]

[[servers]]
name = "ecdsa-p384"
address = "10.0.0.2:17010"
hosts = ["ecdsa-p384.prod.internal"]
key_algorithm = "ecdsa-p384"

[[servers]]
name = "ed25519"
address = "10.0.0.3:17010"
hosts = ["ed25519.prod.internal"]
key_algorithm = "ed25519"

[[servers]]
name = "rsa-2048"
address = "10.0.0.4:17010"
hosts = ["rsa-2048.prod.internal"]
key_algorithm = "rsa-2048"

[[servers]]
name = "rsa-3072"
address = "10.0.0.5:17010"
hosts = ["rsa-3072.prod.internal"]
key_algorithm = "rsa-3072"

[[servers]]
name = "rsa-4096"
address = "10.0.0.6:17010"
hosts = ["rsa-4096.prod.internal"]
key_algorithm = "rsa-4096"

[[servers]]
name = "caller"
address = "10.0.0.7:17010"
hosts = ["caller.prod.internal"]
calls_servers = true

[[clients]]
name = "scheduler"
hosts = ["scheduler.prod.internal"]

[revocation]
enabled = true
"#;

/// The certificates of [`CLUSTER`].
pub(super) fn end_entities() -> Vec<EndEntity> {
    let server = |name, key_algorithm| EndEntity {
        name,
        key_algorithm,
        server_auth: true,
        client_auth: false,
        hosts: vec![format!("DNS:{name}.prod.internal")],
        certificate: format!("servers/{name}/zato-server-cert.pem"),
        key: format!("servers/{name}/zato-server-priv-key.pem"),
    };
    let mut entities: Vec<_> = ALGORITHMS.map(|name| server(name, name)).into();
    let more = ["DNS:*.apps.prod.internal", "IP Address:10.0.0.1"];
    entities[0].hosts.extend(more.map(str::to_owned));
    entities[0]
        .hosts
        .push("IP Address:FD00:0:0:0:0:0:0:1".to_owned());
    entities.push(EndEntity {
        client_auth: true,
        ..server("caller", "ecdsa-p256")
    });
    entities.push(EndEntity {
        client_auth: true,
        hosts: vec!["DNS:lb.prod.internal".to_owned()],
        certificate: "load-balancer/key-cert.pem".to_owned(),
        key: "load-balancer/key-cert.pem".to_owned(),
        ..server("load-balancer", "ecdsa-p256")
    });
    entities.push(EndEntity {
        server_auth: false,
        client_auth: true,
        certificate: "clients/scheduler/client.cert.pem".to_owned(),
        key: "clients/scheduler/client.key.pem".to_owned(),
        ..server("scheduler", "ecdsa-p256")
    });
    entities
}

/// A small cluster whose CA and load-balancer have keys of this algorithm.
pub(super) fn small_cluster(key_algorithm: &str) -> String {
    format!(
        r#"
[cluster]
name = "prod"

[ca]
key_algorithm = "{key_algorithm}"

[load_balancer]
hosts = ["lb.prod.internal"]
client_certificate = "required"
key_algorithm = "{key_algorithm}"

[[servers]]
name = "server1"
address = "10.0.0.1:17010"
hosts = ["server1.prod.internal", "10.0.0.1"]

[revocation]
enabled = true
"#
    )
}
