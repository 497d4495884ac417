//! The switch of a running cluster to mutual TLS, without a hand edit, and the way back.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::cluster::{Cluster, get};
use super::process::{background, wait_for};
use super::site::{SERVERS, Site};

/// Plain HTTP, running, with a PKI that nobody uses yet.
fn plain_cluster() -> Cluster {
    let site = Site::without_pki();
    site.make_plain_servers();
    let zato_config = site.zato_config();
    site.init_pki(
        "demo",
        &["--from-haproxy", zato_config.to_str().unwrap()],
        &["--client-certificate", "required"],
    );
    Cluster::start(site)
}

/// Has the test restart the server, which is its own: the request is taken away when that is done.
fn restart_by_the_test(site: &Site) -> String {
    format!(
        "echo \"$ZPKI_NAME\" > {request}.new && mv {request}.new {request}; \
         while test -e {request}; do sleep 0.02; done",
        request = site.path("restart").display()
    )
}

/// `zpki config` for all files of the cluster; `restart` restarts a server.
fn config_with(cluster: &Cluster, arguments: &[&str], restart: &str) -> Command {
    config_by(cluster, arguments, &cluster.reload_command(), restart)
}

/// The same; `reload` reloads HAProxy.
fn config_by(cluster: &Cluster, arguments: &[&str], reload: &str, restart: &str) -> Command {
    let site = cluster.site();
    let mut command = background(Path::new(env!("CARGO_BIN_EXE_zpki")));
    command
        .arg("-C")
        .arg(site.path("demo"))
        .args(["--yes", "config"])
        .args(arguments)
        .arg("--haproxy")
        .arg(site.zato_config())
        .args(["--reload", reload])
        .args(["--restart", restart])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for server in SERVERS {
        let file = site.server_file(server, "server.conf");
        let value = format!("{server}={}", file.display());
        command.args(["--server-conf", &value]);
    }
    command
}

fn config(cluster: &Cluster, arguments: &[&str]) -> Command {
    config_with(cluster, arguments, &restart_by_the_test(cluster.site()))
}

/// An exit status, and what was said.
type Outcome = (Option<i32>, String);

/// Runs zpki to its end, and restarts servers for it.
fn run(cluster: &mut Cluster, command: &mut Command) -> Outcome {
    let mut zpki = command.spawn().unwrap();
    let request = cluster.site().path("restart");
    let is_over = |zpki: &mut Child| zpki.try_wait().unwrap().is_some();
    while !is_over(&mut zpki) {
        if let Ok(name) = fs::read_to_string(&request) {
            let name = SERVERS.into_iter().find(|it| *it == name.trim());
            cluster.restart_server(name.expect("a server of the cluster"));
            fs::remove_file(&request).unwrap();
        }
        thread::sleep(Duration::from_millis(10));
    }
    let output = zpki.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

/// The same, while requests go on; and their answers.
fn run_under_load(cluster: &mut Cluster, command: &mut Command) -> (Outcome, Vec<(u16, String)>) {
    let (host, is_over) = (cluster.site().host(), AtomicBool::new(false));
    thread::scope(|scope| {
        let requests = scope.spawn(|| {
            let mut answers = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                answers.push(get(host, "/"));
            }
            answers
        });
        let outcome = run(cluster, command);
        is_over.store(true, Ordering::Relaxed);
        (outcome, requests.join().unwrap())
    })
}

/// The real files: HAProxy's and the servers'.
fn texts(site: &Site) -> Vec<String> {
    let mut files = vec![site.zato_config()];
    files.extend(SERVERS.map(|server| site.server_file(server, "server.conf")));
    let read = files.iter().map(|file| fs::read_to_string(file).unwrap());
    read.collect()
}

const SWITCH: [&str; 4] = ["apply", "--install", "--rolling", "--drain=1s"];

#[test]
fn a_running_cluster_is_switched_to_mutual_tls_and_no_request_fails() {
    let mut cluster = plain_cluster();
    let plain = texts(cluster.site());
    assert_eq!(cluster.answers(), "server1 server2");
    assert_eq!(cluster.health("server1"), "UP L4OK");

    let mut command = config(&cluster, &SWITCH);
    let ((status, said), answers) = run_under_load(&mut cluster, &mut command);
    assert_eq!(status, Some(0), "{said}");
    let failed: Vec<_> = answers
        .iter()
        .filter(|(status, _)| *status != 200)
        .collect();
    assert!(failed.is_empty(), "{failed:?} of {}", answers.len());
    // Each server answered while the other was restarted.
    assert!(answers.len() > 100, "{}", answers.len());
    assert_eq!(cluster.health("server1"), "UP L6OK");
    assert_eq!(cluster.health("server2"), "UP L6OK");
    assert_eq!(cluster.answers(), "server1 server2");
    cluster.site().zpki(&["check"]);
    let switched = texts(cluster.site());
    assert!(!switched[0].contains(" disabled "), "{}", switched[0]);

    let mut again = config(&cluster, &SWITCH);
    let (status, said) = run(&mut cluster, &mut again);
    assert_eq!((status, &*said), (Some(0), "unchanged\n"));

    let mut back = config(&cluster, &["rollback"]);
    let (status, said) = run(&mut cluster, &mut back);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(texts(cluster.site()), plain);
    cluster.wait_until("server1", "UP L4OK");
    cluster.wait_until("server2", "UP L4OK");
    assert_eq!(cluster.answers(), "server1 server2");
}

/// A switch of which the restart of server2 fails.
fn stop_at_server2(cluster: &mut Cluster) {
    let restart = restart_by_the_test(cluster.site());
    let failing = format!("test \"$ZPKI_NAME\" != server2 || exit 5; {restart}");
    let mut failing = config_with(cluster, &SWITCH, &failing);
    let (status, said) = run(cluster, &mut failing);
    assert_eq!(status, Some(2), "{said}");
}

/// As Zato's web console renames it; zpki.toml, its server.conf and who restarts it know its old name.
#[test]
fn a_server_that_was_renamed_is_switched_with_the_others() {
    let mut cluster = plain_cluster();
    let file = cluster.site().zato_config();
    let renamed = fs::read_to_string(&file).unwrap();
    let renamed = renamed.replace("http_plain--server1", "http_plain--first");
    fs::write(&file, renamed.replace("server--server1", "server--first")).unwrap();
    cluster.restart_haproxy();
    let mut command = config(&cluster, &SWITCH);
    let (status, said) = run(&mut cluster, &mut command);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(cluster.health("first"), "UP L6OK");
    assert_eq!(cluster.health("server2"), "UP L6OK");
    assert_eq!(cluster.answers(), "server1 server2");
}

#[test]
fn a_switch_that_stops_goes_on_where_it_stopped() {
    let mut cluster = plain_cluster();
    let plain = texts(cluster.site());
    stop_at_server2(&mut cluster);
    let stopped = texts(cluster.site());
    let [server1, server2] = SERVERS.map(|name| {
        let mut lines = stopped[0].lines();
        let is_it = |line: &&str| line.contains(&format!("server http_plain--{name} "));
        lines.find(is_it).unwrap().to_owned()
    });
    assert!(server1.contains(" ssl ") && !server1.contains(" disabled "));
    assert!(server2.contains(" disabled "), "{server2}");
    // The server itself is as it was.
    assert_eq!(stopped[2], plain[2]);
    wait_for(
        || (cluster.status("server2") == "MAINT").then_some(()),
        || "server2 in maintenance".to_owned(),
    );
    assert_eq!(cluster.answers(), "server1");

    let mut again = config(&cluster, &SWITCH);
    let (status, said) = run(&mut cluster, &mut again);
    assert_eq!(status, Some(0), "{said}");
    assert!(!texts(cluster.site())[0].contains(" disabled "));
    assert_eq!(cluster.answers(), "server1 server2");
    let mut back = config(&cluster, &["rollback"]);
    let (status, said) = run(&mut cluster, &mut back);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(texts(cluster.site()), plain);
}

#[test]
fn a_switch_that_stops_can_be_rolled_back() {
    let mut cluster = plain_cluster();
    let plain = texts(cluster.site());
    stop_at_server2(&mut cluster);
    let mut back = config(&cluster, &["rollback"]);
    let (status, said) = run(&mut cluster, &mut back);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(texts(cluster.site()), plain);
    assert!(!cluster.site().path(".zato.config.zpki-rolling").exists());
    cluster.wait_until("server1", "UP L4OK");
    cluster.wait_until("server2", "UP L4OK");
    assert_eq!(cluster.answers(), "server1 server2");
}

/// With TLS 1.3 such a server is UP in a layer-6 check.
#[test]
fn a_server_that_refuses_the_load_balancer_is_disabled_again() {
    let mut cluster = plain_cluster();
    let restart = restart_by_the_test(cluster.site());
    let trust_bundle = cluster
        .site()
        .server_file("server1", "zato-server-ca-certs.pem");
    let certificate = cluster
        .site()
        .server_file("server1", "zato-server-cert.pem");
    // From the check of the new files on, somebody else's trust bundle is in its place.
    let broken = format!(
        "test \"$ZPKI_NAME\" = server2 || cp {} {}; {restart}",
        certificate.display(),
        trust_bundle.display()
    );
    let mut command = config_with(&cluster, &SWITCH, &broken);
    let ((status, said), answers) = run_under_load(&mut cluster, &mut command);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("requests to it fail"), "{said}");
    wait_for(
        || (cluster.status("server1") == "MAINT").then_some(()),
        || "server1 in maintenance".to_owned(),
    );
    assert!(answers.iter().any(|(status, _)| *status == 502));
    assert_eq!(cluster.answers(), "server2");
    cluster.wait_until("server2", "UP L4OK");
}

#[test]
fn the_last_server_that_answers_is_left_alone() {
    let mut cluster = plain_cluster();
    cluster.end_server("server2");
    cluster.wait_until("server2", "DOWN L4CON");
    let before = texts(cluster.site());
    let switch = [&SWITCH[..], &["--up-timeout=1s"]].concat();
    let mut command = config(&cluster, &switch);
    let ((status, said), answers) = run_under_load(&mut cluster, &mut command);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("no server but `server1` is up"), "{said}");
    assert!(answers.iter().all(|(status, _)| *status == 200));
    assert_eq!(texts(cluster.site()), before);
}

/// It would be restarted under its requests.
#[test]
fn a_server_that_haproxy_has_not_taken_out_is_not_restarted() {
    let mut cluster = plain_cluster();
    let before = texts(cluster.site());
    let switch = [&SWITCH[..], &["--up-timeout=1s"]].concat();
    let mut command = config_by(&cluster, &switch, "true", "exit 5");
    let ((status, said), answers) = run_under_load(&mut cluster, &mut command);
    assert_eq!(status, Some(2), "{said}");
    let because = "HAProxy has not taken it out of service (HAProxy says UP)";
    assert!(said.contains(because), "{said}");
    assert!(answers.iter().all(|(status, _)| *status == 200));
    let after = texts(cluster.site());
    assert_eq!(after[1..], before[1..]);

    let mut again = config(&cluster, &SWITCH);
    let (status, said) = run(&mut cluster, &mut again);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(cluster.answers(), "server1 server2");
    assert!(!texts(cluster.site())[0].contains(" disabled "));
}
