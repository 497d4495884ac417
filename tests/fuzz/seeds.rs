//! What libFuzzer begins with: the corpora of other tests, what zpki itself makes, and certificates,
//! requests and CRLs of which most have a signature that the target makes. No key is a file of this
//! repository, so they are made anew in each run.

use std::fs;

use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::stack::Stack;
use openssl::x509::extension::{BasicConstraints, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509NameBuilder, X509ReqBuilder};
use zpki::x509::pem;

use super::Named;
use super::targets::judges::Case;
use super::targets::{der, judge, signer};
use crate::oracle::graphs;
use crate::sandbox::Sandbox;
use crate::{haproxy_edit, server_conf_edit};

/// The seeds of a target.
pub(super) fn seeds(target: &str) -> Vec<Named> {
    let inputs = match target {
        "crl" => crls().iter().flat_map(|crl| forms(crl)).collect(),
        "csr" => requests().iter().flat_map(|it| forms(it)).collect(),
        "haproxy" => haproxy(),
        "judge" => graphs::cases(60)
            .flat_map(|case| [described(&case), resigned(&case)])
            .collect(),
        "pem" => pem_files(),
        "scan" | "show" => files(),
        "server_conf" => server_confs(),
        "zpki_toml" => zpki_tomls(),
        other => panic!("{other} has no seeds"),
    };
    let name = |(at, input)| (format!("seed {at}"), input);
    inputs.into_iter().enumerate().map(name).collect()
}

fn haproxy() -> Vec<Vec<u8>> {
    const TLS_WITH_ALL: u8 = 2 | 4 | 8;
    const DISABLED: u8 = 16 | 32;
    let files = haproxy_edit::files().into_iter().enumerate();
    let inputs = files.map(|(at, (is_section, file))| {
        let choice = [TLS_WITH_ALL, TLS_WITH_ALL | DISABLED, 16, TLS_WITH_ALL | 64][at % 4];
        [&[choice | u8::from(is_section)], &file[..]].concat()
    });
    inputs.collect()
}

fn server_confs() -> Vec<Vec<u8>> {
    let files = server_conf_edit::corpus().into_iter().enumerate();
    let inputs = files.map(|(at, (_, file))| [&[at as u8], &file[..]].concat());
    inputs.collect()
}

/// Files in which the servers stand in every way, and a server to add to each.
fn zpki_tomls() -> Vec<Vec<u8>> {
    const A: &str = r#"{ name = "a", address = "a:1" }"#;
    const B: &str = r#"{name="b",address="b:1"}"#;
    let list = |list: &str| {
        let list = list.replace("{A}", A).replace("{B}", B);
        format!("servers = {list} # the servers\ncluster = {{ name = 'x' }}\n")
    };
    let lists = [
        "[]",
        "[{A} ,{B},]",
        "[\n  {A}, # one\n\n  # two\n  {B} # too\n]",
        "[\r\n\t{A} # one\r\n\t,\r\n]",
    ];
    let own = include_str!("../golden/init/zpki.toml").to_owned();
    let tables = "cluster.name = '''\nx'''\n# mine\n[[servers]] # really\nname = 'a'\n\
                  address = 'a:1'\nhosts = [\n \"a.lan\", # one\n]\noptions = 'check # c'\n\n# not\n\n\
                  [[servers]]\nname = \"b\"\naddress = \"b:1\"\nlifetime = '90d'\n# end\n[ca]\n\
                  lifetime = \"10y\"\n[[clients]]\nname = 'c'";
    let files = [
        own.clone(),
        own.replace('\n', "\r\n"),
        tables.to_owned(),
        String::new(),
    ];
    let files = files.into_iter().chain(lists.map(list));
    let servers = [
        "",
        "server9\n10.0.0.9:17010\nserver9.lan 10.0.0.9\ncheck weight 5\ncalls\n/srv/server.conf\ned25519\n90d\n30%",
    ];
    let inputs = files.flat_map(|file| servers.map(|server| format!("{server}\0{file}")));
    inputs.map(String::into_bytes).collect()
}

/// Every file of a PKI directory that zpki makes.
fn files_of_zpki() -> Vec<Vec<u8>> {
    let sandbox = Sandbox::with_demo();
    let mut files = Vec::new();
    let mut directories = vec![sandbox.path("demo")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|it| it == "pem") {
                files.push(fs::read(path).unwrap());
            }
        }
    }
    assert!(files.len() >= 10);
    files
}

/// PEM and DER of every kind.
fn files() -> Vec<Vec<u8>> {
    let mut files = files_of_zpki();
    files.extend(crls());
    files.extend(requests());
    let cases = graphs::cases(20);
    files.extend(
        cases.flat_map(|case| [case.to_string().into_bytes(), case.certificates[0].clone()]),
    );
    let key = p256();
    let cipher = openssl::symm::Cipher::aes_256_cbc();
    files.push(
        key.private_key_to_pem_pkcs8_passphrase(cipher, b"x")
            .unwrap(),
    );
    let traditional = key.ec_key().unwrap();
    files.push(traditional.private_key_to_pem().unwrap());
    files.push(
        traditional
            .private_key_to_pem_passphrase(cipher, b"x")
            .unwrap(),
    );
    files.push(key.public_key_to_pem().unwrap());
    files.push(rsa().private_key_to_der().unwrap());
    files
}

/// Files in every shape that some reader loses a block of.
fn pem_files() -> Vec<Vec<u8>> {
    const BLOCK: &str = "-----BEGIN A-----\nAAECAwQF\nBgcICQ==\n-----END A-----\n";
    let mut files = files_of_zpki();
    let shapes = [
        BLOCK.replace('\n', "\r\n"),
        BLOCK.replace('\n', "\r"),
        format!("\u{feff}{BLOCK}"),
        format!("{}{BLOCK}", BLOCK.trim_end()),
        BLOCK.replace("END A", "END B") + BLOCK,
        format!("-----BEGIN A-----\nAAEC\n{BLOCK}"),
        BLOCK.replace(
            "\nAA",
            "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES,\n  01\n\nAA",
        ),
        BLOCK.replace("\nBg", "\n\n  Bg c"),
        BLOCK.replace("-----BEGIN", " \t-----BEGIN"),
        format!("{BLOCK}-----END A-----\n"),
        "MIIBOjCB7aADAgECAhRh3Xud5yPdYhuFHU2BrVrv3gYZ4TAFBgMrZXAwEjEQMA4GMIIB".to_owned(),
    ];
    files.extend(shapes.map(String::into_bytes));
    files.extend(graphs::cases(5).map(|case| case.to_string().into_bytes()));
    files
}

/// DER of CRLs: zpki's, and those of random graphs.
fn crls() -> Vec<Vec<u8>> {
    let sandbox = Sandbox::with_demo();
    let revoke = [
        "-C",
        "demo",
        "revoke",
        "server1",
        "--reason",
        "superseded",
        "--force",
    ];
    assert_eq!(sandbox.args(revoke).run().status_alone(), 0);
    let own = pem::scan(&fs::read(sandbox.path("demo/ca/crl.pem")).unwrap());
    let own = own
        .into_iter()
        .map(|block| block.unwrap().contents.to_vec());
    let crls = graphs::cases(40).flat_map(|case| case.crls.unwrap_or_default());
    own.chain(crls).collect()
}

/// DER of certification requests.
fn requests() -> Vec<Vec<u8>> {
    let names: [&[&str]; 5] = [
        &[],
        &["leaf.example.com"],
        &["*.example.com", "10.0.0.1", "fd00::1"],
        &["a_b", "ops@example.com"],
        &["xn--bcher-kva.example.com", "leaf.example.com"],
    ];
    let keys = [signer::key().clone(), p256(), rsa()];
    let requests = names
        .iter()
        .flat_map(|names| keys.iter().map(|key| request(key, names)));
    requests.collect()
}

fn request(key: &PKey<Private>, names: &[&str]) -> Vec<u8> {
    let mut request = X509ReqBuilder::new().unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject
        .append_entry_by_nid(Nid::ORGANIZATIONNAME, "demo")
        .unwrap();
    subject
        .append_entry_by_nid(Nid::COMMONNAME, "leaf")
        .unwrap();
    request.set_subject_name(&subject.build()).unwrap();
    request.set_pubkey(key).unwrap();
    let mut extensions = Stack::new().unwrap();
    if !names.is_empty() {
        let mut alternatives = SubjectAlternativeName::new();
        for name in names {
            match name {
                ip if ip.parse::<std::net::IpAddr>().is_ok() => alternatives.ip(ip),
                email if email.contains('@') => alternatives.email(email),
                dns => alternatives.dns(dns),
            };
        }
        let context = request.x509v3_context(None);
        extensions
            .push(alternatives.build(&context).unwrap())
            .unwrap();
        // What it asks for and does not get.
        extensions
            .push(BasicConstraints::new().ca().build().unwrap())
            .unwrap();
        extensions
            .push(KeyUsage::new().key_cert_sign().build().unwrap())
            .unwrap();
    }
    request.add_extensions(&extensions).unwrap();
    let is_ed25519 = key.id() == openssl::pkey::Id::ED25519;
    let digest = if is_ed25519 {
        MessageDigest::null()
    } else {
        MessageDigest::sha256()
    };
    request.sign(key, digest).unwrap();
    request.build().to_der().unwrap()
}

fn p256() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn rsa() -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()
}

/// An object in each form that [`signer::read`] reads.
fn forms(object: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![[&[signer::OCTETS_AS_THEY_ARE], object].concat()];
    for (form, notation) in [
        (signer::NOTATION, notation(object)),
        (signer::SIGNED, unsigned(object)),
    ] {
        forms.extend(notation.map(|notation| [&[form], &notation[..]].concat()));
    }
    forms
}

/// The notation of one object; none where that would not be it again.
fn notation(object: &[u8]) -> Option<Vec<u8>> {
    let notation = der::notation(object)?;
    let again = der::take(&mut &notation[..]);
    (again.as_deref() == Some(object)).then_some(notation)
}

/// The notation of what is signed of an object, with the key and the algorithm of [`signer`].
fn unsigned(object: &[u8]) -> Option<Vec<u8>> {
    let (_, parts, _) = der::split(object)?;
    let (tag, signed, behind) = der::split(parts)?;
    let algorithm = first(behind)?;
    let mut content = Vec::new();
    let mut rest = signed;
    while !rest.is_empty() {
        let field = first(rest)?;
        rest = &rest[field.len()..];
        if field == algorithm {
            content.extend(signer::ED25519);
        } else if is_public_key(field) {
            content.extend(signer::key().public_key_to_der().unwrap());
        } else {
            content.extend(field);
        }
    }
    notation(&der::element(tag, &content))
}

/// The first element, whole.
fn first(der: &[u8]) -> Option<&[u8]> {
    let (_, _, behind) = der::split(der)?;
    Some(&der[..der.len() - behind.len()])
}

/// A SEQUENCE of a SEQUENCE and a BIT STRING.
fn is_public_key(field: &[u8]) -> bool {
    let tags = || {
        let (outer, content, _) = der::split(field)?;
        let (algorithm, _, behind) = der::split(content)?;
        let (key, _, behind) = der::split(behind)?;
        Some(([outer, algorithm, key], behind.is_empty()))
    };
    tags() == Some(([0x30, 0x30, 0x03], true))
}

/// A case as an input of the target `judge`.
fn described(case: &Case) -> Vec<u8> {
    input(case, 0, notation)
}

/// The same, signed by [`signer`].
fn resigned(case: &Case) -> Vec<u8> {
    input(case, judge::UNSIGNED, unsigned)
}

fn input(case: &Case, form: u8, notation: fn(&[u8]) -> Option<Vec<u8>>) -> Vec<u8> {
    let host = judge::HOSTS
        .iter()
        .position(|host| *host == case.host.as_deref());
    let mut input = vec![host.unwrap_or_default() as u8];
    let mut push = |what: u8, object: &[u8]| {
        let notation = notation(object);
        input.extend(
            notation
                .into_iter()
                .flat_map(|it| [vec![form | what], it].concat()),
        );
    };
    for (at, certificate) in case.certificates.iter().enumerate() {
        let is_in = |pool: &[usize], bit| if pool.contains(&at) { bit } else { 0 };
        let place = is_in(&case.sent, judge::SENT) | is_in(&case.trusted, judge::TRUSTED);
        push(place, certificate);
    }
    for crl in case.crls.iter().flatten() {
        push(judge::CRL, crl);
    }
    input
}
