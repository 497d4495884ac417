//! The cases that the load-balancer can be asked about, put to it: one HAProxy with a backend for each,
//! whose server is another HAProxy's that presents what the case says. They talk over sockets in
//! directories of their own, so that no port is taken.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use zpki::verify::policy::Policy;

use super::{Case, Expected, Files, HOST_MISMATCH, all};
use crate::e2e::process::{Process, background, find, wait_for};
use crate::e2e::statistics;

#[test]
fn haproxy_judges_the_cases_of_now_as_they_say() {
    let cases: Vec<Case> = all().into_iter().filter(is_for_haproxy).collect();
    assert!(cases.len() >= 40, "{} cases", cases.len());
    let verdicts = Haproxy::start(&cases).verdicts();
    let wrong: Vec<String> = cases
        .iter()
        .zip(verdicts)
        .filter(|(case, verdict)| !verdict.starts_with(expected(case)))
        .map(|(case, verdict)| format!("{}: {verdict}, not {}", case.name, expected(case)))
        .collect();
    let shown = wrong.join("\n");
    assert!(
        wrong.is_empty(),
        "{} of {} cases:\n{shown}",
        wrong.len(),
        cases.len()
    );
}

fn is_for_haproxy(case: &Case) -> bool {
    case.policy == Policy::HaproxyServer && case.presentable && case.is_lasting()
}

/// The result of HAProxy's check, and how what it says about it begins.
fn expected(case: &Case) -> &'static str {
    match &case.expected {
        Expected::Accepted | Expected::Unknown => "L6OK",
        mismatch if *mismatch == HOST_MISMATCH => {
            "L6RSP Server presented an SSL certificate different from the configured one"
        }
        Expected::Refused { .. } => "L6RSP SSL handshake failure",
    }
}

/// Both HAProxys, until it is dropped.
struct Haproxy {
    _servers: Process,
    _load_balancer: Process,
    statistics: PathBuf,
    /// How many servers there are.
    servers: usize,
    _files: Vec<Files>,
    _directory: TempDir,
}

impl Haproxy {
    fn start(cases: &[Case]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let files: Vec<Files> = cases.iter().map(Files::of).collect();
        let mut servers = DEFAULTS.to_owned();
        let mut load_balancer = format!(
            "{GLOBAL}    stats socket {}\n{DEFAULTS}",
            path("statistics").display()
        );
        for (number, (case, files)) in cases.iter().zip(&files).enumerate() {
            let socket = path(&number.to_string());
            servers += &frontend(number, &socket, files);
            load_balancer += &backend(number, &socket, files, case);
        }
        fs::write(path("servers.cfg"), servers).unwrap();
        fs::write(path("load-balancer.cfg"), load_balancer).unwrap();
        fs::write(path("openssl.cnf"), SECURITY_LEVEL_0).unwrap();

        let haproxy = |configuration: &str| {
            let mut command = background(&find("haproxy"));
            command.arg("-db").arg("-f").arg(path(configuration));
            command
        };
        let with_weak = &mut haproxy("servers.cfg");
        with_weak.env("OPENSSL_CONF", path("openssl.cnf"));
        let servers = Process::start(with_weak, path("servers.log"));
        let last = path(&(cases.len() - 1).to_string());
        wait_for(
            || last.exists().then_some(()),
            || format!("servers:\n{}", servers.output()),
        );
        let load_balancer =
            Process::start(&mut haproxy("load-balancer.cfg"), path("load-balancer.log"));
        let statistics = path("statistics");
        wait_for(
            || statistics.exists().then_some(()),
            || load_balancer.output(),
        );
        Self {
            _servers: servers,
            _load_balancer: load_balancer,
            statistics,
            servers: cases.len(),
            _files: files,
            _directory: directory,
        }
    }

    /// What came of the first check of each server.
    fn verdicts(&self) -> Vec<String> {
        let servers = || {
            let rows = statistics::show_stat(&self.statistics);
            let servers: Vec<_> = rows
                .iter()
                .filter(|row| row["svname"] == "server")
                .collect();
            assert_eq!(servers.len(), self.servers);
            let verdicts: Vec<String> = servers.iter().map(|row| verdict(row)).collect();
            let is_checked = !verdicts.iter().any(|verdict| verdict.starts_with("INI"));
            is_checked.then_some(verdicts)
        };
        wait_for(servers, || "the first checks".to_owned())
    }
}

fn verdict(row: &BTreeMap<String, String>) -> String {
    // A check that runs just now puts `* ` before the result of the last one.
    let check = row["check_status"].trim_start_matches("* ");
    format!("{check} {}", row["last_chk"]).trim_end().to_owned()
}

/// A server that presents the leaf of a case and what is sent behind it.
fn frontend(number: usize, socket: &Path, files: &Files) -> String {
    let crt = files.path("crt.pem");
    let parts = ["key.pem", "leaf.pem", "sent.pem"].map(|file| fs::read(files.path(file)).unwrap());
    fs::write(&crt, parts.concat()).unwrap();
    let (socket, crt) = (socket.display(), crt.display());
    format!("frontend f{number}\n    bind unix@{socket} ssl crt {crt}\n")
}

fn backend(number: usize, socket: &Path, files: &Files, case: &Case) -> String {
    let path = |file| files.path(file).display().to_string();
    let mut options = format!("ssl verify required ca-file {}", path(case.ca_file()));
    if case.crls.is_some() {
        options += &format!(" crl-file {}", path("crl-file.pem"));
    }
    if let Some(host) = case.host {
        options += &format!(" verifyhost {host}");
    }
    let socket = socket.display();
    format!("backend b{number}\n    server server unix@{socket} {CHECK} {options}\n")
}

/// One check decides; they all start within the time that [`GLOBAL`] allows.
const CHECK: &str = "check inter 1h rise 1 fall 1";

const GLOBAL: &str = "\
global
    max-spread-checks 2s
";

/// Time enough for a busy machine.
const DEFAULTS: &str = "\
defaults
    mode http
    timeout connect 20s
    timeout client 20s
    timeout server 20s
    timeout check 20s
";

/// For the servers, so that they load the weak certificates that the load-balancer must refuse.
const SECURITY_LEVEL_0: &str = "\
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = server
[server]
CipherString = DEFAULT@SECLEVEL=0
";
