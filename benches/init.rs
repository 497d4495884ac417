//! What `zpki init` costs, and what a start.
//!
//! `zpki init` for a thousand servers runs as a process, against the limit that the machine sets: a
//! loop in here that makes as many keys, signs as many octets as often, and writes the same octets
//! into as many files and directories with the same modes, with as many threads and, on disk, with
//! the same one sync at its end. It parses, encodes, checks and reports nothing. They take turns,
//! so that whatever else the machine does slows each; medians are compared.
//!
//! zpki writes no certificate that it has not verified, and to verify a P-256 signature takes two to three
//! times as long as to make one: a second loop, which does that too, shows how much of zpki's time it is.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hint::black_box;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};

use crate::measure::{
    DISK, MEMORY, Row, Table, median, milliseconds, run, scratch, time, zpki, zpki_size,
};

const SERVERS: usize = 1000;
const ROUNDS_IN_MEMORY: usize = 25;
const ROUNDS_ON_DISK: usize = 5;
const STARTS: usize = 101;
const OPENSSL_CERTIFICATES: usize = 24;

pub(crate) fn rows(table: &mut Table) {
    let memory = scratch(MEMORY);
    let disk = scratch(DISK);
    let work = Work::of_init(memory.path());
    init_in_memory(&work, memory.path(), table);
    init_on_disk(&work, disk.path(), table);
    start("--version", 5, zpki().arg("--version"), table);
    list(memory.path(), table);
    size(table);
}

fn init_in_memory(work: &Work, directory: &Path, table: &mut Table) {
    let target = directory.join("cluster");
    let zpki = || init(&work.cluster_file, &target);
    let bare = || work.do_it(&target, Signatures::Made);
    let verifying = || work.do_it(&target, Signatures::Verified);
    let ways: [&dyn Fn(); 3] = [&zpki, &bare, &verifying];
    let [zpki, bare, verifying] = race(ways, &target, ROUNDS_IN_MEMORY, || {});
    let rate = |limit: Duration| limit.as_secs_f64() / zpki.as_secs_f64();
    let shown = |rate: f64| format!("{rate:.2} of its rate");
    table.row(&Row {
        what: "init, 1,000 servers, in memory",
        zpki: milliseconds(zpki),
        beside: format!("the bare work: {}", milliseconds(bare)),
        ratio: shown(rate(bare)),
        required: Some(("at least 0.50", rate(bare) >= 0.5)),
    });
    table.row(&Row {
        what: "init, 1,000 servers, in memory",
        zpki: milliseconds(zpki),
        beside: format!("and signatures verified: {}", milliseconds(verifying)),
        ratio: shown(rate(verifying)),
        required: None,
    });
    let (rate, by_zpki) = (openssl(directory), SERVERS as f64 / zpki.as_secs_f64());
    table.row(&Row {
        what: "certificates of that",
        zpki: format!("{by_zpki:.0}/s"),
        beside: format!("genpkey, req, x509 of openssl: {rate:.0}/s"),
        ratio: format!("{:.0} times its rate", by_zpki / rate),
        required: None,
    });
}

fn init_on_disk(work: &Work, directory: &Path, table: &mut Table) {
    let target = directory.join("cluster");
    let sync = |root: &Path| rustix::fs::syncfs(File::open(root).unwrap()).unwrap();
    let zpki = || init(&work.cluster_file, &target);
    let bare = || {
        work.do_it(&target, Signatures::Made);
        sync(&target);
    };
    // What one has left to be written is not the other's to wait for.
    let clear = || sync(directory);
    let [zpki, bare] = race([&zpki, &bare], &target, ROUNDS_ON_DISK, clear);
    let times = zpki.as_secs_f64() / bare.as_secs_f64();
    table.row(&Row {
        what: "init, 1,000 servers, on disk and durable",
        zpki: milliseconds(zpki),
        beside: format!("the bare work: {}", milliseconds(bare)),
        ratio: format!("{times:.2} times as long"),
        required: Some(("at most 1.50", times <= 1.5)),
    });
}

/// The medians of several ways to make `target`, in turns; before each, `clear` clears the way.
fn race<const WAYS: usize>(
    ways: [&dyn Fn(); WAYS],
    target: &Path,
    rounds: usize,
    clear: impl Fn(),
) -> [Duration; WAYS] {
    let mut times = [const { Vec::new() }; WAYS];
    for _ in 0..rounds {
        for (way, times) in ways.iter().zip(&mut times) {
            clear();
            times.push(time(way));
            fs::remove_dir_all(target).unwrap();
        }
    }
    times.map(median)
}

fn init(cluster_file: &Path, target: &Path) {
    let mut command = zpki();
    let command = command.arg("init").arg(target).arg("--no-ca-passphrase");
    run(command.arg("--config").arg(cluster_file));
}

fn list(directory: &Path, table: &mut Table) {
    let target = directory.join("small");
    crate::measure::init(&target, 2);
    start(
        "list, 2 servers",
        10,
        zpki().arg("list").arg("-C").arg(target),
        table,
    );
}

fn start(what: &str, limit: u64, command: &mut Command, table: &mut Table) {
    let taken = median((0..STARTS).map(|_| time(|| run(command))));
    table.row(&Row {
        what,
        zpki: milliseconds(taken),
        required: Some((
            &format!("at most {limit} ms"),
            taken <= Duration::from_millis(limit),
        )),
        ..Row::default()
    });
}

fn size(table: &mut Table) {
    let size = zpki_size();
    table.row(&Row {
        what: "the program, stripped",
        zpki: format!("{:.2} MB", size as f64 / 1e6),
        required: Some(("at most 8 MB", size <= 8_000_000)),
        ..Row::default()
    });
}

/// What zpki replaces: `openssl` in a loop, with no other file. Certificates in a second.
fn openssl(directory: &Path) -> f64 {
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let (ca, ca_key, extensions) = (path("ca.pem"), path("ca.key"), path("extensions"));
    let p256 = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let new_key = |key: &str| openssl_command(&["genpkey", "-out", key], &p256);
    new_key(&ca_key);
    let subject = ["-subj", "/CN=CA", "-days", "3650"];
    openssl_command(&["req", "-x509", "-key", &ca_key, "-out", &ca], &subject);
    fs::write(&extensions, "subjectAltName=DNS:server1.bench.internal\n").unwrap();
    let whole = time(|| {
        for number in 0..OPENSSL_CERTIFICATES {
            let file = |kind: &str| path(&format!("{number}.{kind}"));
            let (key, request, certificate) = (file("key"), file("csr"), file("pem"));
            new_key(&key);
            let subject = ["-subj", "/CN=server1"];
            openssl_command(&["req", "-new", "-key", &key, "-out", &request], &subject);
            let issuer = ["-CA", &ca, "-CAkey", &ca_key, "-extfile", &extensions];
            let files = ["x509", "-req", "-in", &request, "-out", &certificate];
            openssl_command(&files, &issuer);
        }
    });
    OPENSSL_CERTIFICATES as f64 / whole.as_secs_f64()
}

fn openssl_command(command: &[&str], more: &[&str]) {
    run(Command::new("openssl")
        .args(command)
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null()));
}

/// What `init` does for [`SERVERS`] servers, with everything but the doing of it left out.
struct Work {
    cluster_file: PathBuf,
    /// The octets that are signed for each certificate; each has a key of its own.
    certificates: Vec<usize>,
    /// Parents first.
    folders: Vec<Folder>,
}

#[derive(Clone, Copy, PartialEq)]
enum Signatures {
    Made,
    Verified,
}

struct Folder {
    /// Relative to the PKI directory, which is the first.
    path: PathBuf,
    mode: u32,
    holds_folders: bool,
    files: Vec<(PathBuf, u32, Vec<u8>)>,
}

impl Work {
    /// Taken from what zpki makes.
    fn of_init(directory: &Path) -> Self {
        let cluster_file = directory.join("zpki.toml");
        fs::write(&cluster_file, settings()).unwrap();
        let target = directory.join("cluster");
        init(&cluster_file, &target);
        let mut folders = Vec::new();
        read(&target, Path::new(""), &mut folders);
        fs::remove_dir_all(&target).unwrap();
        let issued = folders
            .iter()
            .filter(|folder| folder.path.starts_with("ca/issued"));
        let certificates = issued.flat_map(|folder| &folder.files);
        Self {
            cluster_file,
            certificates: certificates.map(|(.., pem)| signed_octets(pem)).collect(),
            folders,
        }
    }

    /// All of it, as fast as it can be.
    fn do_it(&self, target: &Path, signatures: Signatures) {
        let random = SystemRandom::new();
        let generate = || EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random);
        let ca = generate().unwrap();
        let ca = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, ca.as_ref(), &random);
        let ca = ca.unwrap();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, ca.public_key());
        let (outer, inner): (Vec<_>, Vec<_>) =
            self.folders.iter().partition(|folder| folder.holds_folders);
        outer.iter().for_each(|folder| folder.make(target));
        on_all_processors(&self.certificates, |octets| {
            black_box(generate().unwrap());
            let signed = vec![0; *octets];
            let signature = black_box(ca.sign(&random, &signed).unwrap());
            if signatures == Signatures::Verified {
                public.verify(&signed, signature.as_ref()).unwrap();
            }
        });
        on_all_processors(&inner, |folder| folder.make(target));
    }
}

impl Folder {
    fn make(&self, target: &Path) {
        let path = target.join(&self.path);
        DirBuilder::new().mode(self.mode).create(&path).unwrap();
        for (name, mode, octets) in &self.files {
            let mut options = OpenOptions::new();
            let options = options.write(true).create_new(true).mode(*mode);
            let mut file = options.open(target.join(name)).unwrap();
            file.write_all(octets).unwrap();
        }
    }
}

fn on_all_processors<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let take = || items.get(next.fetch_add(1, Ordering::Relaxed));
    thread::scope(|scope| {
        for _ in 0..processors() {
            scope.spawn(|| {
                while let Some(item) = take() {
                    work(item);
                }
            });
        }
    });
}

fn read(target: &Path, path: &Path, folders: &mut Vec<Folder>) {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let absolute = target.join(path);
    let index = folders.len();
    folders.push(Folder {
        path: path.to_owned(),
        mode: mode(&absolute),
        holds_folders: false,
        files: Vec::new(),
    });
    for entry in fs::read_dir(&absolute).unwrap() {
        let name = entry.unwrap().file_name();
        let (path, absolute) = (path.join(&name), absolute.join(&name));
        if absolute.is_dir() {
            folders[index].holds_folders = true;
            read(target, &path, folders);
        } else {
            let file = (path, mode(&absolute), fs::read(&absolute).unwrap());
            folders[index].files.push(file);
        }
    }
}

/// The length of a certificate's TBSCertificate.
fn signed_octets(certificate: &[u8]) -> usize {
    let (_, pem) = x509_parser::pem::parse_x509_pem(certificate).unwrap();
    let certificate = pem.parse_x509().unwrap();
    certificate.tbs_certificate.as_ref().len()
}

fn settings() -> String {
    let head =
        "[cluster]\nname = \"bench\"\n\n[load_balancer]\nclient_certificate = \"required\"\n";
    let server = |number: usize| {
        let address = format!("10.0.{}.{}", number / 250, 1 + number % 250);
        format!(
            "\n[[servers]]\nname = \"server{number}\"\naddress = \"{address}:17010\"\n\
             hosts = [\"server{number}.bench.internal\", \"{address}\"]\n"
        )
    };
    (1..=SERVERS)
        .map(server)
        .fold(head.to_owned(), |text, server| text + &server)
}

/// As many threads as zpki has.
fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
