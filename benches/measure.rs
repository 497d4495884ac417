//! What every bench measures with, and the table that it prints.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub(crate) const MEMORY: &str = "/dev/shm";
pub(crate) const DISK: &str = env!("CARGO_TARGET_TMPDIR");

const ZPKI: &str = env!("CARGO_BIN_EXE_zpki");

/// The rows of all benches, in Markdown: `benches/run` puts them into the README.
pub(crate) struct Table {
    all_met: bool,
}

/// What was measured, beside what, and what is required of it.
#[derive(Default)]
pub(crate) struct Row<'a> {
    pub(crate) what: &'a str,
    pub(crate) zpki: String,
    /// The limit that the machine sets, or what another program does: which, and its figure.
    pub(crate) beside: String,
    pub(crate) ratio: String,
    /// In words, and whether it is met.
    pub(crate) required: Option<(&'a str, bool)>,
}

impl Table {
    pub(crate) fn begin() -> Self {
        let head = Row {
            what: "measured",
            zpki: "zpki".to_owned(),
            beside: "beside it".to_owned(),
            ratio: "ratio".to_owned(),
            required: None,
        };
        print(&head, "required");
        println!("|---|---|---|---|---|");
        Self { all_met: true }
    }

    pub(crate) fn row(&mut self, row: &Row<'_>) {
        let required = match row.required {
            Some((words, true)) => format!("{words}: ok"),
            Some((words, false)) => format!("{words}: MISSED"),
            None => String::new(),
        };
        self.all_met &= row.required.is_none_or(|(_, met)| met);
        print(row, &required);
    }

    /// 1 when a requirement is not met. An empty line says that no row is missing.
    pub(crate) fn end(self) -> ExitCode {
        println!();
        if self.all_met {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

fn print(row: &Row<'_>, required: &str) {
    let Row {
        what,
        zpki,
        beside,
        ratio,
        ..
    } = row;
    println!("| {what:52} | {zpki:9} | {beside:36} | {ratio:20} | {required:27} |");
}

/// How long `work` takes.
pub(crate) fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// The middle one: what else the machine does touches it least.
pub(crate) fn median(times: impl IntoIterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.into_iter().collect();
    times.sort();
    times[times.len() / 2]
}

pub(crate) fn milliseconds(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1e3;
    let decimals = if milliseconds < 10.0 { 1 } else { 0 };
    format!("{milliseconds:.decimals$} ms")
}

/// The most memory that a command has in use, in MiB, as the kernel counts it for the process that waits.
pub(crate) fn peak_memory(command: &Command) -> f64 {
    let script = "import resource, subprocess, sys\n\
                  subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)\n\
                  print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let output = Command::new("python3")
        .args(["-c", script])
        .arg(command.get_program())
        .args(command.get_args())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let kibibytes: f64 = String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    kibibytes / 1024.0
}

/// The program itself, which says nothing.
pub(crate) fn zpki() -> Command {
    let mut command = Command::new(ZPKI);
    command
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

pub(crate) fn zpki_size() -> u64 {
    fs::metadata(ZPKI).unwrap().len()
}

pub(crate) fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

/// Makes the PKI directory of a cluster with this many servers.
pub(crate) fn init(directory: &Path, servers: usize) {
    let servers = (1..=servers).flat_map(|number| {
        let address = format!("10.0.{}.{}:17010", number / 250, number % 250 + 1);
        ["--server".to_owned(), format!("server{number}={address}")]
    });
    let mut zpki = zpki();
    zpki.args(["init", "--cluster", "bench", "--no-ca-passphrase"]);
    run(zpki.args(servers).arg(directory));
}

pub(crate) fn scratch(directory: &str) -> TempDir {
    tempfile::tempdir_in(directory).unwrap_or_else(|error| panic!("{directory}: {error}"))
}
