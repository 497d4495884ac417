//! What the years after `zpki init` cost.
//!
//! `plan` and `apply` with nothing to do, for a thousand entries; and a thousand server certificates
//! issued from a manifest, against what others take for each of a few: the openssl command, certtool,
//! cfssl and easy-rsa, each in a loop, with a P-256 key and certificate by a P-256 CA. zpki runs as a
//! process, checks what it made and makes it durable; the others do neither. All take turns, so that
//! whatever else the machine does slows all of them; medians are compared.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::measure::{
    DISK, MEMORY, Row, Table, init, median, milliseconds, run, scratch, time, zpki,
};

const ENTRIES: usize = 1000;
const ROUNDS: usize = 9;
const ISSUED: usize = 1000;
const ROUNDS_OF_ISSUING: usize = 7;
/// By each of the others in a round; easy-rsa, which takes a fifth of a second, makes fewer.
const BY_OTHERS: usize = 7;
const BY_EASY_RSA: usize = 2;

pub(crate) fn rows(table: &mut Table) {
    nothing_to_do(table);
    issue("in memory", MEMORY, ("at least 50", 50.0), table);
    issue("on disk", DISK, ("at least 1", 1.0), table);
}

fn nothing_to_do(table: &mut Table) {
    let scratch = scratch(MEMORY);
    let directory = scratch.path().join("cluster");
    // With the load-balancer.
    init(&directory, ENTRIES - 1);
    for command in ["plan", "apply"] {
        let taken = median((0..ROUNDS).map(|_| {
            let mut zpki = zpki();
            zpki.args([command, "--exit-code", "-C"]).arg(&directory);
            time(|| run(&mut zpki))
        }));
        table.row(&Row {
            what: &format!("{command}, 1,000 entries, nothing to do"),
            zpki: milliseconds(taken),
            required: Some(("below 200 ms", taken < Duration::from_millis(200))),
            ..Row::default()
        });
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

/// Certificates in a second: a row for each of the others, of which the fastest decides.
fn issue(what: &str, place: &str, (required, least): (&str, f64), table: &mut Table) {
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
    let rate = |count: usize, times| count as f64 / median(times).as_secs_f64();
    let zpki = rate(ISSUED, by_zpki);
    let others = OTHERS.iter().zip(by_others);
    let mut others: Vec<(&str, f64)> = others
        .map(|(other, times)| (other.who, rate(other.count, times)))
        .collect();
    others.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    for (place, (who, rate)) in others.into_iter().enumerate() {
        let times = zpki / rate;
        table.row(&Row {
            what: &format!("issue --from, 1,000 servers, {what}"),
            zpki: format!("{zpki:.0}/s"),
            beside: format!("{who}: {rate:.1}/s"),
            ratio: format!("{times:.1} times its rate"),
            required: (place == 0).then_some((required, times >= least)),
        });
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
