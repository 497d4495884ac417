//! A cluster that runs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::process::{Process, background, find, python, wait_for};
use super::site::{FRONTEND_PORT, SERVERS, Site};
use super::statistics::{READ_TIMEOUT, read_answer, show_stat};

/// HAProxy and the servers of a site. They end when it is dropped, before the files of the site go.
pub(super) struct Cluster {
    servers: BTreeMap<&'static str, Process>,
    haproxy: Option<Process>,
    site: Site,
}

impl Cluster {
    /// Starts the servers, then HAProxy; returns when HAProxy has checked each server.
    pub(super) fn start(site: Site) -> Self {
        let mut servers: BTreeMap<_, _> = SERVERS
            .into_iter()
            .map(|name| (name, start_server(&site, name)))
            .collect();
        for (name, server) in &mut servers {
            server.wait_for_output(&format!("{name} is ready"));
        }
        let cluster = Self {
            servers,
            haproxy: Some(start_haproxy(&site)),
            site,
        };
        cluster.wait_until_checked();
        cluster
    }

    /// A shell's command that has HAProxy read its files again: a new worker takes over from the old one.
    pub(super) fn reload_command(&self) -> String {
        let haproxy = self.haproxy.as_ref().expect("it runs");
        format!("kill -USR2 {}", haproxy.id())
    }

    /// Ends `server` and starts it again, so that it reads its server.conf.
    pub(super) fn restart_server(&mut self, name: &'static str) {
        drop(self.servers.remove(name));
        let mut server = start_server(&self.site, name);
        server.wait_for_output(&format!("{name} is ready"));
        self.servers.insert(name, server);
    }

    /// Ends `server`.
    pub(super) fn end_server(&mut self, name: &str) {
        drop(self.servers.remove(name));
    }

    /// Ends HAProxy and starts it again, so that it reads its files; returns when it has checked each
    /// server.
    pub(super) fn restart_haproxy(&mut self) {
        drop(self.haproxy.take());
        self.haproxy = Some(start_haproxy(&self.site));
        self.wait_until_checked();
    }

    /// Ends HAProxy and the servers, and leaves their files.
    pub(super) fn end(self) -> Site {
        self.site
    }

    /// The files that the cluster runs on.
    pub(super) fn site(&self) -> &Site {
        &self.site
    }

    /// What HAProxy thinks of `server`, its status and the result of its last check: `UP L6OK`.
    pub(super) fn health(&self, server: &str) -> String {
        self.stats()[server].clone()
    }

    /// Whether HAProxy sends requests to `server`: `UP` or `DOWN`. For when the result of the check
    /// depends on what HAProxy happens to notice first.
    pub(super) fn status(&self, server: &str) -> String {
        let health = self.health(server);
        health.split(' ').next().unwrap().to_owned()
    }

    /// Waits until the health of `server` is `health`.
    pub(super) fn wait_until(&self, server: &str, health: &str) {
        let is_so = || (self.health(server) == health).then_some(());
        wait_for(is_so, || {
            format!("{health}, {server} is {}", self.health(server))
        });
    }

    /// Waits until `server` has said `text`: why it or HAProxy refused.
    pub(super) fn wait_for_log(&mut self, server: &str, text: &str) {
        let server = self.servers.get_mut(server).unwrap();
        server.wait_for_output(text);
    }

    /// Who answers requests: the names of the servers, or the statuses that HAProxy gives instead,
    /// each one once.
    pub(super) fn answers(&self) -> String {
        let answer = |_| match self.get("/") {
            (200, name) => name,
            (status, _) => status.to_string(),
        };
        let answers: BTreeSet<String> = (0..6).map(answer).collect();
        Vec::from_iter(answers).join(" ")
    }

    /// Status and body of HAProxy's answer to a request for `path`.
    pub(super) fn get(&self, path: &str) -> (u16, String) {
        get(self.site.host(), path)
    }

    fn wait_until_checked(&self) {
        let socket = self.site.stats_socket();
        wait_for(
            || UnixStream::connect(&socket).ok(),
            || "HAProxy's statistics socket".to_owned(),
        );
        let checked =
            || (!self.stats().values().any(|health| health.ends_with("INI"))).then_some(());
        wait_for(checked, || format!("checks: {:?}", self.stats()));
    }

    /// The health of each server, out of HAProxy's `show stat`.
    fn stats(&self) -> BTreeMap<String, String> {
        let rows = show_stat(&self.site.stats_socket());
        let health = |row: BTreeMap<String, String>| {
            let name = row["svname"].strip_prefix("http_plain--")?;
            // A check that runs just now puts `* ` before the result of the last one.
            let check = row["check_status"].trim_start_matches("* ");
            Some((name.to_owned(), format!("{} {check}", row["status"])))
        };
        rows.into_iter().filter_map(health).collect()
    }
}

/// Status and body of the answer of the HAProxy of `host` to a request for `path`.
pub(super) fn get(host: Ipv4Addr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect((host, FRONTEND_PORT)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    stream.set_read_timeout(Some(READ_TIMEOUT)).unwrap();
    let answer = read_answer(stream);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// Starts one server of `site`, gunicorn with the settings of its server.conf.
pub(super) fn start_server(site: &Site, name: &str) -> Process {
    let launcher = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/server.py");
    let mut command = background(&python());
    command
        .arg(launcher)
        .arg(site.server_file(name, "server.conf"));
    Process::start(&mut command, site.path(&format!("{name}.log")))
}

fn start_haproxy(site: &Site) -> Process {
    let mut command = background(&find("haproxy"));
    // A master and its worker, for reloads; both in the foreground.
    command.args(["-W", "-db", "-f"]).arg(site.zato_config());
    Process::start(&mut command, site.path("haproxy.log"))
}
