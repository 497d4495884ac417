//! The programs beside zpki, found, run and ended.

use std::env;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{panicking, sleep};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How long anything that is waited for may take, on a machine that is busy with other tests.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// How much of a program's output is shown with a failure: what went wrong once goes wrong again
/// with every check.
const LINES_SHOWN: usize = 60;

/// A program in a process group of its own, until it is dropped. Its output goes to a log.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a command that [`background`] made.
    pub(crate) fn start(command: &mut Command, log: PathBuf) -> Self {
        let output = File::create(&log).unwrap();
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// The number that it can be signalled by.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub(crate) fn output(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until it has said `text`.
    pub(crate) fn wait_for_output(&mut self, text: &str) {
        wait_for(
            || self.output().contains(text).then_some(()),
            || format!("`{text}` in {}", self.log.display()),
        );
    }

    /// Waits until it ends by itself; returns its exit status.
    pub(crate) fn wait_for_end(&mut self) -> Option<i32> {
        let ended = || self.child.try_wait().unwrap();
        wait_for(ended, || "the end of a program".to_owned()).code()
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "cargo shows it with the failure")]
    fn drop(&mut self) {
        if panicking() {
            let output = self.output();
            let beginning: Vec<&str> = output.lines().take(LINES_SHOWN).collect();
            eprintln!("{}:\n{}\n", self.log.display(), beginning.join("\n"));
        }
        // An error means that the whole group has ended already.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// A command for a [`Process`]. It dies with the thread that starts it, so a test run that is killed
/// leaves no program behind either.
pub(crate) fn background(program: &Path) -> Command {
    let mut command = tool("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// A command for one of the programs that tests/install-tools installs.
pub(crate) fn tool(program: &str) -> Command {
    Command::new(find(program))
}

/// Where one of the programs is that tests/install-tools installs.
pub(crate) fn find(program: &str) -> PathBuf {
    // Debian keeps HAProxy in a directory that a user's PATH often lacks.
    let path = format!("{}:/usr/sbin:/sbin", env::var("PATH").unwrap_or_default());
    let kept = ["bin", "debian/usr/bin", "debian/usr/sbin"];
    env::split_paths(&path)
        .chain(kept.map(|directory| test_tools().join(directory)))
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("`{program}` is missing: run `make test`"))
}

/// The Python that has the packages of tests/requirements.txt.
pub(crate) fn python() -> PathBuf {
    let python = test_tools().join("venv/bin/python");
    let shown = python.display();
    assert!(python.is_file(), "{shown} is missing: run `make test`");
    python
}

/// What tests/install-tools keeps under the target directory.
fn test_tools() -> PathBuf {
    target().join("test-tools")
}

/// The target directory.
pub(crate) fn target() -> PathBuf {
    let below = Path::new(env!("CARGO_TARGET_TMPDIR"));
    below.parent().unwrap().to_owned()
}

/// Runs `command` to its end; returns what it wrote to both streams. It must succeed.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(output.status.success(), "{command:?} failed:\n{said}");
    said
}

/// Asks `probe` again and again until it gives a value; fails with `wanted` when it never does.
pub(crate) fn wait_for<T>(
    mut probe: impl FnMut() -> Option<T>,
    wanted: impl FnOnce() -> String,
) -> T {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(
            start.elapsed() < DEADLINE,
            "waited {DEADLINE:?} for {}",
            wanted()
        );
        sleep(pause);
        pause = (2 * pause).min(Duration::from_millis(20));
    }
}
