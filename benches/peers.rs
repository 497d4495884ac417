//! What zpki is compared with: other programs that issue a server certificate, each with a P-256 key by a
//! P-256 CA, and zpki doing the same.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::measure::{init, run, zpki};

/// A program that issues server certificates, in a directory of its own.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) who: &'static str,
    /// Makes a CA.
    pub(crate) begin: fn(&Path),
    /// Makes the key and the certificate of this number; whether it says that it has.
    pub(crate) issue: fn(&Path, usize) -> bool,
    /// Where the CA's certificate is.
    pub(crate) ca: &'static str,
    /// Where the key and the certificate of a number are.
    pub(crate) pair: fn(usize) -> [String; 2],
}

pub(crate) const ZPKI: Peer = Peer {
    who: "zpki issue",
    begin: |directory| init(&directory.join("cluster"), 1),
    issue: by_zpki,
    ca: "cluster/ca/ca.cert.pem",
    pair: |number| ["key", "cert"].map(|what| format!("out/app{number}.{what}.pem")),
};

pub(crate) const OPENSSL: Peer = Peer {
    who: "openssl req -x509 -CA",
    begin: make_ca,
    issue: by_openssl,
    ca: "ca.pem",
    pair: |number| ["key", "pem"].map(|what| format!("app{number}.{what}")),
};

pub(crate) const CERTTOOL: Peer = Peer {
    who: "certtool",
    issue: by_certtool,
    ..OPENSSL
};

pub(crate) const CFSSL: Peer = Peer {
    who: "cfssl gencert, cfssljson",
    issue: by_cfssl,
    pair: |number| ["-key", ""].map(|what| format!("app{number}{what}.pem")),
    ..OPENSSL
};

pub(crate) const MKCERT: Peer = Peer {
    who: "mkcert",
    // It makes its CA when there is none.
    begin: |directory| assert!(by_mkcert(directory, usize::MAX)),
    issue: by_mkcert,
    ca: "rootCA.pem",
    ..OPENSSL
};

pub(crate) const EASY_RSA: Peer = Peer {
    who: "easyrsa build-server-full",
    begin: make_easy_rsa_ca,
    issue: by_easy_rsa,
    ca: "pki/ca.crt",
    pair: |number| {
        let name = format!("app{number}");
        [
            format!("pki/private/{name}.key"),
            format!("pki/issued/{name}.crt"),
        ]
    },
};

fn succeeds(command: &mut Command) -> bool {
    command.status().unwrap().success()
}

fn by_zpki(directory: &Path, number: usize) -> bool {
    let words = format!(
        "-C cluster issue app{number} --role server --host app{number}.bench.internal --host 10.1.0.1 --out out"
    );
    succeeds(zpki().current_dir(directory).args(words.split(' ')))
}

/// A P-256 CA: `ca.pem` and `ca.key`.
fn make_ca(directory: &Path) {
    let words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=bench \
                 -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
                 -keyout ca.key -out ca.pem";
    run(quiet("openssl", directory).args(words.split_whitespace()));
}

fn by_openssl(directory: &Path, number: usize) -> bool {
    let words = format!(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -CA ca.pem -CAkey ca.key \
         -subj /O=bench/CN=app{number} -addext subjectAltName=DNS:app{number}.bench.internal,IP:10.1.0.1 \
         -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=serverAuth \
         -keyout app{number}.key -out app{number}.pem"
    );
    succeeds(quiet("openssl", directory).args(words.split_whitespace()))
}

fn by_certtool(directory: &Path, number: usize) -> bool {
    let template = format!(
        "organization = bench\ncn = app{number}\ndns_name = app{number}.bench.internal\n\
         ip_address = 10.1.0.1\nexpiration_days = 365\nsigning_key\ntls_www_server\n"
    );
    fs::write(directory.join("template"), template).unwrap();
    let words =
        format!("--generate-privkey --key-type=ecdsa --curve=secp256r1 --outfile app{number}.key");
    let made = succeeds(quiet("certtool", directory).args(words.split_whitespace()));
    let words = format!(
        "--generate-certificate --template template --load-privkey app{number}.key \
         --load-ca-certificate ca.pem --load-ca-privkey ca.key --outfile app{number}.pem"
    );
    made && succeeds(quiet("certtool", directory).args(words.split_whitespace()))
}

fn by_cfssl(directory: &Path, number: usize) -> bool {
    let request = format!(
        r#"{{"CN":"app{number}","key":{{"algo":"ecdsa","size":256}},"names":[{{"O":"bench"}}],
            "hosts":["app{number}.bench.internal","10.1.0.1"]}}"#
    );
    let file = format!("request{number}.json");
    fs::write(directory.join(&file), request).unwrap();
    let words = "gencert -loglevel=5 -ca=ca.pem -ca-key=ca.key";
    let mut cfssl = quiet("cfssl", directory);
    cfssl
        .args(words.split(' '))
        .arg(file)
        .stdout(Stdio::piped());
    let mut cfssl = cfssl.spawn().unwrap();
    let mut json = quiet("cfssljson", directory);
    json.args(["-bare", &format!("app{number}")]);
    let written = succeeds(json.stdin(cfssl.stdout.take().unwrap()));
    cfssl.wait().unwrap().success() && written
}

fn by_mkcert(directory: &Path, number: usize) -> bool {
    let words = format!(
        "-ecdsa -key-file app{number}.key -cert-file app{number}.pem app{number}.bench.internal 10.1.0.1"
    );
    let mut mkcert = quiet("mkcert", directory);
    succeeds(mkcert.env("CAROOT", directory).args(words.split(' ')))
}

fn make_easy_rsa_ca(directory: &Path) {
    run(&mut easy_rsa(directory, "init-pki"));
    run(&mut easy_rsa(directory, "--req-cn=bench build-ca nopass"));
}

fn by_easy_rsa(directory: &Path, number: usize) -> bool {
    let names = format!("--subject-alt-name=DNS:app{number}.bench.internal,IP:10.1.0.1");
    let words = format!("{names} build-server-full app{number} nopass");
    succeeds(&mut easy_rsa(directory, &words))
}

fn easy_rsa(directory: &Path, words: &str) -> Command {
    let mut command = quiet("/usr/share/easy-rsa/easyrsa", directory);
    command
        .env("EASYRSA_ALGO", "ec")
        .env("EASYRSA_CURVE", "prime256v1")
        .arg("--batch")
        .args(words.split(' '));
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
