//! What the years after `zpki init` cost: `make bench`.
//!
//! `plan` and `apply` with nothing to do, for a thousand entries; and a thousand server certificates
//! issued from a manifest, against what others take for each of a few: the openssl command, certtool,
//! cfssl and easy-rsa, each in a loop, with a P-256 key and certificate by a P-256 CA. zpki runs as a
//! process, checks what it made and makes it durable; the others do neither. All take turns, so that
//! whatever else the machine does slows all of them; medians are compared.
//!
//! Its exit status is 1 when a requirement is not met.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the doors of src/system.rs and src/store/ are the program's, not its bench's"
)]

mod measure;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use measure::{median, time};

const ENTRIES: usize = 1000;
const ROUNDS: usize = 9;
const ISSUED: usize = 1000;
const ROUNDS_OF_ISSUING: usize = 7;
/// By each of the others in a round; easy-rsa, which takes a fifth of a second, makes fewer.
const BY_OTHERS: usize = 7;
const BY_EASY_RSA: usize = 2;

const ZPKI: &str = env!("CARGO_BIN_EXE_zpki");
const MEMORY: &str = "/dev/shm";
const DISK: &str = env!("CARGO_TARGET_TMPDIR");

fn main() -> ExitCode {
    let mut verdicts = nothing_to_do();
    let times = issue("memory", MEMORY).by_the_fastest();
    verdicts.push(row(
        "zpki's rate by the fastest's, in memory",
        &format!("{times:.0}"),
        "at least 50",
        times >= 50.0,
    ));
    let times = issue("disk", DISK).by_the_fastest();
    verdicts.push(row(
        "zpki's rate by the fastest's, on disk",
        &format!("{times:.1}"),
        "above 1",
        times > 1.0,
    ));
    if verdicts.contains(&false) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn nothing_to_do() -> Vec<bool> {
    let scratch = scratch(MEMORY);
    let directory = scratch.path().join("cluster");
    // With the load-balancer.
    init(&directory, ENTRIES - 1);
    println!("{ENTRIES} entries in memory ({MEMORY}), nothing to do, {ROUNDS} rounds; medians");
    let verdicts = ["plan", "apply"].map(|command| {
        let taken = median((0..ROUNDS).map(|_| {
            let mut zpki = zpki();
            zpki.args([command, "--exit-code", "-C"]).arg(&directory);
            time(|| run(&mut zpki))
        }));
        let shown = format!("{:.0} ms", taken.as_secs_f64() * 1e3);
        let limit = Duration::from_millis(200);
        row(
            &format!("zpki {command}"),
            &shown,
            "below 200",
            taken < limit,
        )
    });
    verdicts.into()
}

/// Certificates in a second.
struct Rates {
    zpki: f64,
    others: Vec<f64>,
}

impl Rates {
    fn by_the_fastest(&self) -> f64 {
        self.zpki / self.others.iter().copied().fold(0.0, f64::max)
    }
}

/// Another program that issues.
struct Other {
    who: &'static str,
    /// In a round.
    count: usize,
    begin: fn(&Path),
    /// Makes the certificate of this number.
    issue: fn(&Path, usize),
}

const OTHERS: [Other; 4] = [
    Other {
        who: "openssl req -x509 -CA",
        count: BY_OTHERS,
        begin: make_ca,
        issue: by_openssl,
    },
    Other {
        who: "certtool",
        count: BY_OTHERS,
        begin: make_ca,
        issue: by_certtool,
    },
    Other {
        who: "cfssl gencert | cfssljson",
        count: BY_OTHERS,
        begin: make_ca,
        issue: by_cfssl,
    },
    Other {
        who: "easyrsa build-server-full",
        count: BY_EASY_RSA,
        begin: make_easy_rsa_ca,
        issue: by_easy_rsa,
    },
];

fn issue(what: &str, place: &str) -> Rates {
    println!(
        "\nserver certificates in a second, {what} ({place}), {ROUNDS_OF_ISSUING} rounds; medians"
    );
    let scratches = OTHERS.map(|other| {
        let scratch = scratch(place);
        (other.begin)(scratch.path());
        scratch
    });
    let mut by_zpki = Vec::new();
    let mut by_others = OTHERS.map(|_| Vec::new());
    for round in 0..ROUNDS_OF_ISSUING {
        by_zpki.push(from_manifest(place));
        let others = OTHERS.iter().zip(&scratches);
        for ((other, scratch), times) in others.zip(&mut by_others) {
            let mut numbers = round * other.count..(round + 1) * other.count;
            let issue = |number| (other.issue)(scratch.path(), number);
            times.push(time(|| numbers.by_ref().for_each(issue)));
        }
    }
    let shown = |who: &str, count: usize, times: Vec<Duration>| {
        let rate = count as f64 / median(times).as_secs_f64();
        println!("{who:64}  {rate:.1}");
        rate
    };
    Rates {
        zpki: shown("zpki issue --from, a thousand at once", ISSUED, by_zpki),
        others: OTHERS
            .into_iter()
            .zip(by_others)
            .map(|(other, times)| shown(other.who, other.count, times))
            .collect(),
    }
}

fn from_manifest(place: &str) -> Duration {
    let scratch = scratch(place);
    let directory = scratch.path().join("cluster");
    init(&directory, 1);
    let manifest = scratch.path().join("manifest.csv");
    let mut text = "name,role,hosts\n".to_owned();
    for number in 0..ISSUED {
        let _ = writeln!(
            text,
            "app{number},server,app{number}.bench.internal 10.1.0.1"
        );
    }
    fs::write(&manifest, text).unwrap();
    let out = scratch.path().join("out");
    let mut zpki = zpki();
    zpki.arg("issue").arg("-C").arg(&directory);
    zpki.arg("--from").arg(&manifest).arg("--out").arg(&out);
    let taken = time(|| run(&mut zpki));
    let inventory = directory.join("ca/issued");
    assert_eq!(fs::read_dir(inventory).unwrap().count(), ISSUED + 3);
    // Key and certificate of each, and the trust bundle.
    assert_eq!(fs::read_dir(out).unwrap().count(), 2 * ISSUED + 1);
    taken
}

/// A P-256 CA for the others: `ca.pem` and `ca.key`.
fn make_ca(directory: &Path) {
    let words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=bench \
                 -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
                 -keyout ca.key -out ca.pem";
    run(quiet("openssl", directory).args(words.split_whitespace()));
}

fn by_openssl(directory: &Path, number: usize) {
    let words = format!(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -CA ca.pem -CAkey ca.key \
         -subj /O=bench/CN=app{number} -addext subjectAltName=DNS:app{number}.bench.internal,IP:10.1.0.1 \
         -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=serverAuth \
         -keyout app{number}.key -out app{number}.pem"
    );
    run(quiet("openssl", directory).args(words.split_whitespace()));
}

fn by_certtool(directory: &Path, number: usize) {
    let template = format!(
        "organization = bench\ncn = app{number}\ndns_name = app{number}.bench.internal\n\
         ip_address = 10.1.0.1\nexpiration_days = 365\nsigning_key\ntls_www_server\n"
    );
    fs::write(directory.join("template"), template).unwrap();
    let words =
        format!("--generate-privkey --key-type=ecdsa --curve=secp256r1 --outfile app{number}.key");
    run(quiet("certtool", directory).args(words.split_whitespace()));
    let words = format!(
        "--generate-certificate --template template --load-privkey app{number}.key \
         --load-ca-certificate ca.pem --load-ca-privkey ca.key --outfile app{number}.pem"
    );
    run(quiet("certtool", directory).args(words.split_whitespace()));
}

fn by_cfssl(directory: &Path, number: usize) {
    let request = format!(
        r#"{{"CN":"app{number}","key":{{"algo":"ecdsa","size":256}},"names":[{{"O":"bench"}}],
            "hosts":["app{number}.bench.internal","10.1.0.1"]}}"#
    );
    fs::write(directory.join("request.json"), request).unwrap();
    let words = "gencert -loglevel=5 -ca=ca.pem -ca-key=ca.key request.json";
    let mut cfssl = quiet("cfssl", directory);
    cfssl.args(words.split(' ')).stdout(Stdio::piped());
    let mut cfssl = cfssl.spawn().unwrap();
    let mut json = quiet("cfssljson", directory);
    json.args(["-bare", &format!("app{number}")]);
    run(json.stdin(cfssl.stdout.take().unwrap()));
    assert!(cfssl.wait().unwrap().success());
}

fn make_easy_rsa_ca(directory: &Path) {
    easy_rsa(directory, "init-pki");
    easy_rsa(directory, "--req-cn=bench build-ca nopass");
}

fn by_easy_rsa(directory: &Path, number: usize) {
    let names = format!("--subject-alt-name=DNS:app{number}.bench.internal,IP:10.1.0.1");
    let words = format!("{names} build-server-full app{number} nopass");
    easy_rsa(directory, &words);
}

fn easy_rsa(directory: &Path, words: &str) {
    let mut command = quiet("/usr/share/easy-rsa/easyrsa", directory);
    command
        .env("EASYRSA_ALGO", "ec")
        .env("EASYRSA_CURVE", "prime256v1")
        .arg("--batch")
        .args(words.split(' '));
    run(&mut command);
}

fn init(directory: &Path, servers: usize) {
    let servers = (1..=servers).flat_map(|number| {
        let address = format!("10.0.{}.{}:17010", number / 250, number % 250 + 1);
        ["--server".to_owned(), format!("server{number}={address}")]
    });
    let mut zpki = zpki();
    zpki.args(["init", "--cluster", "bench", "--no-ca-passphrase"]);
    run(zpki.args(servers).arg(directory));
}

fn zpki() -> Command {
    let mut command = Command::new(ZPKI);
    command
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// One of the others, in `directory`.
fn quiet(program: &str, directory: &Path) -> Command {
    let mut command = Command::new(find(program));
    command
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn find(program: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("`{program}` is missing: run `make bench`"))
}

fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

fn scratch(directory: &str) -> TempDir {
    tempfile::tempdir_in(directory).unwrap_or_else(|error| panic!("{directory}: {error}"))
}

fn row(what: &str, figure: &str, requirement: &str, met: bool) -> bool {
    let verdict = if met { "ok" } else { "MISSED" };
    println!("{what:64}  {figure:10}{requirement:16}{verdict}");
    met
}
