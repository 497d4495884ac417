//! What becomes of a PKI when zpki does not come to its end: it is [stopped], or the power is [cut](power_cut).
//! Here is what both have in common: what is run, on what, and what is asked afterwards.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;
use zpki::domain::progress::Quiet;
use zpki::store::{Store, exchange};

use self::image::Image;
use crate::e2e::process::find;
use crate::sandbox::{PROGRAM, Sandbox};

mod disk;
mod image;
mod power_cut;
mod stopped;
mod trace;

const INIT: &str = "init demo --cluster demo --server server1=127.0.0.1:17010 \
                    --client-certificate required --no-ca-passphrase";
const ADD_SERVER: &str = "-C demo server add server2=127.0.0.1:17011";
const REMOVE_SERVER: &str = "-C demo server remove server2";
const ISSUE: &str = "-C demo issue app --role client";
const ISSUE_OUT: &str = "-C demo issue other --role server --host other.lan --out out";

/// What does not come to its end: a command, in a directory that is as it was before each time.
struct Scenario {
    sandbox: Sandbox,
    /// TMPDIR, which is no part of what is compared: what a killed run leaves there, nobody removes.
    temporary: Sandbox,
    command: Vec<String>,
    before: Image,
    /// The paths that begin so change together.
    unit: &'static str,
}

impl Scenario {
    /// After `setting_up`, each a command line in the PKI directory `demo`.
    fn new(setting_up: &[&str], command: &str) -> Self {
        let sandbox = Sandbox::in_memory();
        let scenario = Self {
            before: Image::read(&sandbox.path("")),
            command: words(command),
            unit: "demo",
            sandbox,
            temporary: Sandbox::in_memory(),
        };
        for command in setting_up {
            let status = scenario.zpki(&words(command)).status().unwrap();
            assert!(status.success(), "{command}");
        }
        scenario.begun_here()
    }

    /// `config apply` on real files beside the PKI directory.
    fn config_apply() -> Self {
        let command = "-C demo --yes config apply --install --haproxy haproxy.cfg --backend apps \
                       --server-conf server1=repo/server.conf --validate true";
        let scenario = Self::new(&[INIT], command);
        scenario.sandbox.file(HAPROXY_CFG, HAPROXY);
        scenario.sandbox.file(SERVER_CONF, CONF);
        Self {
            unit: "",
            ..scenario.begun_here()
        }
    }

    /// `ca passphrase`, with the new one in a file.
    fn ca_passphrase() -> Self {
        let command = "-C demo ca passphrase --ca-passphrase-file new --new-ca-passphrase-file new";
        let scenario = Self::new(&[INIT], command);
        scenario.sandbox.file("new", "secret\n");
        scenario.begun_here()
    }

    /// The same for a key that is where only this command writes.
    fn ca_passphrase_elsewhere() -> Self {
        let scenario = Self::ca_passphrase();
        let key = scenario.sandbox.read("demo/ca/ca.key.pem");
        fs::remove_file(scenario.path("demo/ca/ca.key.pem")).unwrap();
        scenario.sandbox.file("vault/key.pem", key);
        scenario.sandbox.mode("vault/key.pem", 0o600);
        let command = scenario.command.join(" ") + " --ca-key vault/key.pem";
        scenario.begun_here().followed_by(&command)
    }

    /// From what there is now.
    fn begun_here(self) -> Self {
        Self {
            before: Image::read(&self.path("")),
            ..self
        }
    }

    /// With another command in place of its own.
    fn followed_by(self, command: &str) -> Self {
        Self {
            command: words(command),
            ..self
        }
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.sandbox.path(relative)
    }

    fn go_back(&self) {
        self.before.write(&self.path(""));
    }

    /// A command line. Its paths are the same in each round.
    fn zpki(&self, arguments: &[String]) -> Command {
        self.quiet(Command::new(PROGRAM), arguments)
    }

    /// The command, under strace.
    fn strace(&self, arguments: &[&str]) -> Command {
        let mut strace = Command::new(find("strace"));
        strace.args(["-f", "-qq"]).args(arguments).arg(PROGRAM);
        self.quiet(strace, &self.command)
    }

    fn quiet(&self, mut command: Command, arguments: &[String]) -> Command {
        command
            .args(arguments)
            .current_dir(self.path(""))
            .env("TMPDIR", self.temporary.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// What the next run begins with: to finish, or to take back, what the last one has left.
    fn recover(&self) -> Result<(), String> {
        let shown = |error: zpki::store::Error| format!("{error:?}");
        let demo = self.path("demo");
        if demo.exists() {
            Store::at(&demo)
                .lock(Duration::ZERO, &Quiet)
                .map_err(shown)?;
        }
        let files = [HAPROXY_CFG, SERVER_CONF].map(|it| self.path(it));
        let files: Vec<_> = files.iter().map(PathBuf::as_path).collect();
        exchange::recover(&files).map(drop).map_err(shown)
    }

    /// What `check` says of the PKI directory; None where there is none.
    fn findings(&self) -> Option<BTreeSet<String>> {
        if !self.path("demo/zpki.toml").exists() {
            return None;
        }
        let check = ["-C", "demo", "check", "--output=json"];
        let run = self.sandbox.args(check).now(now()).run();
        let (status, report) = run.stderr_with("").answer();
        let Ok(report) = serde_json::from_str::<Value>(&report) else {
            return Some([format!("no report, but status {status}")].into());
        };
        let findings = report["findings"].as_array().unwrap();
        let shown = |finding: &Value| format!("{} {}", finding["severity"], finding["id"]);
        Some(findings.iter().map(shown).collect())
    }

    /// Stages and journals, of which there is to be none.
    fn left(&self) -> Vec<PathBuf> {
        let mut left = Vec::new();
        visit(&self.path(""), &mut |path| {
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            let is_state = path.components().any(|it| it.as_os_str() == ".zpki");
            let is_known = ["lock", "generation", ".zpki", "pending"].contains(&name);
            if (is_state && !is_known) || (!is_state && name.starts_with('.')) {
                left.push(path.to_owned());
            }
        });
        left
    }

    /// The serial numbers of the inventory, in which each certificate has one of its own.
    fn serials(&self) -> BTreeSet<PathBuf> {
        let mut serials = BTreeSet::new();
        visit(&self.path("demo/ca/issued"), &mut |path| {
            if path.extension().is_some_and(|it| it == "pem") {
                let serial = path.file_name().unwrap().into();
                assert!(serials.insert(serial), "{}", path.display());
            }
        });
        assert!(!serials.is_empty());
        serials
    }
}

const HAPROXY_CFG: &str = "haproxy.cfg";
const HAPROXY: &str = "backend apps\n    server server1 127.0.0.1:17010 check\n";

const SERVER_CONF: &str = "repo/server.conf";
const CONF: &str = "[main]\ngunicorn_bind=127.0.0.1:17010\n\n[crypto]\nuse_tls=False\n";

/// The clock of the real program, for runs in this process that come after one of that.
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

fn visit(directory: &Path, seen: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        seen(&path);
        if path.is_dir() {
            visit(&path, seen);
        }
    }
}
