//! Certificates and CRLs of any form, good and bad, that the openssl command makes from a description.
//!
//! A description is a value: two that are equal give the same certificate, so that a case may say
//! `leaf().by(&root())` and trust `root()`. Keys are made once in a run, by their names.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};

use time::macros::format_description;
use time::{Duration, OffsetDateTime};

use crate::e2e::process::{run, tool};

/// The instant of every case: when this run began, in whole seconds.
pub(super) static NOW: LazyLock<OffsetDateTime> = LazyLock::new(|| {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(0).expect("0 is a nanosecond")
});

/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;

/// What a certificate is to be. Dates are in seconds from [`NOW`].
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Certificate {
    subject: &'static str,
    key: &'static str,
    /// None for a certificate that signs itself.
    issuer: Option<Box<Self>>,
    not_before: i64,
    not_after: i64,
    /// Names and values as in openssl's configuration files; without any it is of version 1.
    extensions: Vec<(&'static str, &'static str)>,
    /// Options of `openssl ca` for the signature.
    signature: &'static [&'static str],
}

/// What a CRL is to be.
#[derive(Clone, Debug)]
pub(super) struct Crl {
    issuer: Certificate,
    this_update: i64,
    next_update: i64,
    revoked: Vec<Certificate>,
}

/// A trust anchor as RFC 5280 wants it.
pub(super) fn root() -> Certificate {
    Certificate {
        subject: "/CN=root",
        key: "p256-root",
        issuer: None,
        not_before: -DAY,
        not_after: 30 * DAY,
        extensions: vec![
            ("basicConstraints", "critical,CA:TRUE"),
            ("keyUsage", "critical,keyCertSign,cRLSign"),
            ("subjectKeyIdentifier", "hash"),
            ("authorityKeyIdentifier", "none"),
        ],
        signature: &["-md", "sha256"],
    }
}

/// A CA below [`root`].
pub(super) fn intermediate() -> Certificate {
    root()
        .named("/CN=intermediate")
        .key("p256-intermediate")
        .by(&root())
        .with("authorityKeyIdentifier", "keyid")
}

/// A server's certificate, signed by [`root`].
pub(super) fn leaf() -> Certificate {
    Certificate {
        extensions: vec![
            ("basicConstraints", "critical,CA:FALSE"),
            ("keyUsage", "critical,digitalSignature"),
            ("extendedKeyUsage", "serverAuth"),
            ("subjectAltName", "DNS:server1.example.com"),
            ("subjectKeyIdentifier", "hash"),
            ("authorityKeyIdentifier", "keyid"),
        ],
        ..root().named("/CN=leaf").key("p256-leaf").by(&root())
    }
}

impl Certificate {
    pub(super) fn named(mut self, subject: &'static str) -> Self {
        self.subject = subject;
        self
    }

    /// The name of its key begins with the kind of key: see [`key_options`].
    pub(super) fn key(mut self, key: &'static str) -> Self {
        self.key = key;
        self
    }

    pub(super) fn by(mut self, issuer: &Self) -> Self {
        self.issuer = Some(Box::new(issuer.clone()));
        self
    }

    pub(super) fn self_signed(mut self) -> Self {
        self.issuer = None;
        self.without("authorityKeyIdentifier")
    }

    pub(super) fn not_before(mut self, seconds: i64) -> Self {
        self.not_before = seconds;
        self
    }

    pub(super) fn not_after(mut self, seconds: i64) -> Self {
        self.not_after = seconds;
        self
    }

    /// Sets an extension.
    pub(super) fn with(mut self, extension: &'static str, value: &'static str) -> Self {
        self.extensions.retain(|(name, _)| *name != extension);
        self.extensions.push((extension, value));
        self
    }

    pub(super) fn without(mut self, extension: &'static str) -> Self {
        self.extensions.retain(|(name, _)| *name != extension);
        // openssl adds the two key identifiers unless it is told not to.
        if extension.ends_with("KeyIdentifier") {
            self.extensions.push((extension, "none"));
        }
        self
    }

    pub(super) fn version_1(mut self) -> Self {
        self.extensions.clear();
        self
    }

    pub(super) fn signature(mut self, options: &'static [&'static str]) -> Self {
        self.signature = options;
        self
    }

    /// Its dates and those of its issuers.
    pub(super) fn dates(&self) -> Vec<i64> {
        let issuer = self.issuer.iter().flat_map(|issuer| issuer.dates());
        [self.not_before, self.not_after]
            .into_iter()
            .chain(issuer)
            .collect()
    }
}

impl Crl {
    /// A CRL that is valid and revokes nothing.
    pub(super) fn by(issuer: &Certificate) -> Self {
        Self {
            issuer: issuer.clone(),
            this_update: -DAY,
            next_update: DAY,
            revoked: Vec::new(),
        }
    }

    pub(super) fn this_update(mut self, seconds: i64) -> Self {
        self.this_update = seconds;
        self
    }

    pub(super) fn next_update(mut self, seconds: i64) -> Self {
        self.next_update = seconds;
        self
    }

    pub(super) fn revokes(mut self, certificate: &Certificate) -> Self {
        self.revoked.push(certificate.clone());
        self
    }

    pub(super) fn dates(&self) -> [i64; 2] {
        [self.this_update, self.next_update]
    }
}

/// Makes what is described, in a directory that all tests share; a run leaves it to be looked at, and
/// the next one begins anew.
pub(super) struct Forge {
    directory: PathBuf,
    /// The files of the certificates that were made.
    made: HashMap<Certificate, PathBuf>,
}

impl Forge {
    /// The one of this run.
    pub(super) fn shared() -> &'static Mutex<Self> {
        static FORGE: LazyLock<Mutex<Forge>> = LazyLock::new(|| Mutex::new(Forge::new()));
        &FORGE
    }

    fn new() -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("oracle/forge");
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("ca.cnf"), CONFIGURATION).unwrap();
        Self {
            directory,
            made: HashMap::new(),
        }
    }

    /// The certificate, as PEM.
    pub(super) fn certificate(&mut self, certificate: &Certificate) -> String {
        fs::read_to_string(self.file(certificate)).unwrap()
    }

    /// The certificate's private key, as PEM.
    pub(super) fn private_key(&mut self, certificate: &Certificate) -> String {
        fs::read_to_string(self.key(certificate.key)).unwrap()
    }

    /// The CRL, as PEM.
    pub(super) fn crl(&mut self, crl: &Crl) -> String {
        let issuer = self.file(&crl.issuer);
        let key = self.key(crl.issuer.key);
        let revoked: Vec<String> = crl
            .revoked
            .iter()
            .map(|certificate| self.revoked_line(certificate))
            .collect();
        fs::write(self.directory.join("index.txt"), revoked.concat()).unwrap();
        let file = self.directory.join("crl.pem");
        run(self
            .ca()
            .arg("-gencrl")
            .arg("-cert")
            .arg(issuer)
            .arg("-keyfile")
            .arg(key)
            .args(["-crl_lastupdate", &shown(crl.this_update)])
            .args(["-crl_nextupdate", &shown(crl.next_update)])
            .arg("-out")
            .arg(&file));
        fs::read_to_string(file).unwrap()
    }

    /// A line of openssl's database.
    fn revoked_line(&mut self, certificate: &Certificate) -> String {
        let file = self.file(certificate);
        let serial = run(self
            .openssl()
            .args(["x509", "-noout", "-serial", "-in"])
            .arg(file));
        let serial = serial.trim().strip_prefix("serial=").unwrap().to_owned();
        // The database has years of two digits.
        let (end, at) = (&shown(DAY)[2..], &shown(-DAY)[2..]);
        format!("R\t{end}\t{at}\t{serial}\tunknown\t/CN=revoked\n")
    }

    fn file(&mut self, certificate: &Certificate) -> PathBuf {
        if let Some(file) = self.made.get(certificate) {
            return file.clone();
        }
        let signer = match &certificate.issuer {
            None => vec!["-selfsign".into()],
            Some(issuer) => vec!["-cert".into(), self.file(issuer)],
        };
        let number = self.made.len();
        let file = self.directory.join(format!("certificate-{number}.pem"));
        self.make(certificate, &signer, &file);
        self.made.insert(certificate.clone(), file.clone());
        file
    }

    fn make(&self, certificate: &Certificate, signer: &[PathBuf], file: &Path) {
        let key = self.key(certificate.key);
        let lines: Vec<String> = certificate
            .extensions
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        let sections = lines.concat() + SECTIONS;
        let extensions = if lines.is_empty() { "" } else { &sections };
        fs::write(self.directory.join("extensions"), extensions).unwrap();
        fs::write(self.directory.join("index.txt"), "").unwrap();
        let signing = certificate.issuer.as_deref().unwrap_or(certificate);
        run(self
            .ca()
            .args(["-batch", "-notext", "-preserveDN"])
            .args(["-subj", certificate.subject, "-extfile", "extensions"])
            .args(["-startdate", &shown(certificate.not_before)])
            .args(["-enddate", &shown(certificate.not_after)])
            .args(certificate.signature)
            .args(signer)
            .arg("-keyfile")
            .arg(self.key(signing.key))
            .arg("-in")
            .arg(key.with_extension("csr"))
            .arg("-out")
            .arg(file));
    }

    /// A private key; beside it lies a request, for `openssl ca` takes nothing else.
    fn key(&self, name: &str) -> PathBuf {
        let key = self.directory.join(format!("{name}.key"));
        if !key.exists() {
            run(self
                .openssl()
                .arg("genpkey")
                .args(key_options(name))
                .arg("-out")
                .arg(&key));
            run(self
                .openssl()
                .args(["req", "-new", "-config", "ca.cnf", "-subj", "/CN=any"])
                .arg("-key")
                .arg(&key)
                .arg("-out")
                .arg(key.with_extension("csr")));
        }
        key
    }

    fn ca(&self) -> Command {
        let mut command = self.openssl();
        command.args(["ca", "-config", "ca.cnf"]);
        command
    }

    fn openssl(&self) -> Command {
        let mut command = tool("openssl");
        command.current_dir(&self.directory);
        command
    }
}

/// What kind of key the first part of its name means, to `openssl genpkey`.
fn key_options(name: &str) -> [&'static str; 4] {
    let (kind, _) = name.split_once('-').expect("KIND-NAME");
    let [algorithm, option] = match kind {
        "p224" => ["EC", "ec_paramgen_curve:P-224"],
        "p256" => ["EC", "ec_paramgen_curve:P-256"],
        "p384" => ["EC", "ec_paramgen_curve:P-384"],
        "p521" => ["EC", "ec_paramgen_curve:P-521"],
        "ed25519" => return ["-algorithm", "ED25519", "-outform", "PEM"],
        "rsa1024" => ["RSA", "rsa_keygen_bits:1024"],
        "rsa2048" => ["RSA", "rsa_keygen_bits:2048"],
        _ => panic!("a key of no kind: {name}"),
    };
    ["-algorithm", algorithm, "-pkeyopt", option]
}

/// As openssl takes dates.
fn shown(seconds: i64) -> String {
    let date = *NOW + Duration::seconds(seconds);
    let form = format_description!("[year][month][day][hour][minute][second]Z");
    date.format(form).unwrap()
}

const CONFIGURATION: &str = "\
[ca]
default_ca = any
[any]
database = index.txt
new_certs_dir = .
policy = policy
unique_subject = no
rand_serial = yes
default_md = sha256
[policy]
CN = optional
[req]
distinguished_name = req
";

/// What values of extensions refer to.
const SECTIONS: &str = "\
[within_example_inc]
O = Example Inc
";
