//! Commands that judge a file of others before it is put in place (`--validate`). Whatever such a command
//! does, the run goes on: it may be missing, fail, hang, print without end, or leave processes behind.

use std::ffi::OsStr;
use std::io::{self, PipeReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::System;
use super::interruption::Interruption;

/// What is kept of the output, 64 KiB: more than anybody reads, and nothing to a small machine.
const LONGEST: usize = 64 << 10;

/// How long to sleep before the command is looked at again.
const PAUSE: Duration = Duration::from_millis(5);

/// How long the rest of the output is waited for when every process is dead that could be found: one that
/// has left its group may hold the pipe open for ever.
const SETTLED: Duration = Duration::from_secs(1);

/// What a shell answers when it cannot execute a program, and when there is none of that name.
const NOT_EXECUTED: [i32; 2] = [126, 127];

/// What a command says of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It ended with status 0.
    Accepted,
    /// The run was asked to end meanwhile.
    Interrupted,
    /// It could not be started, or the program that it names.
    NotRun {
        /// What the operating system or the shell says.
        because: String,
    },
    /// It ended with another status.
    Refused {
        /// Which one.
        status: ExitStatus,
        /// What it has said.
        output: Output,
    },
    /// It had not ended at the limit.
    TimedOut {
        /// How long it was given.
        limit: Duration,
        /// What it had said.
        output: Output,
    },
}

/// What a command has written to standard output and standard error, as it came.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Output {
    /// The end of it, at most 64 KiB; from the beginning of a line on, if there is one.
    pub text: String,
    /// How many octets came before that.
    pub left_out: u64,
}

impl System {
    /// Runs a command with the shell, which is to say by its status whether it accepts what `variables`
    /// lead it to. It gets this program's environment without the passphrase of the CA's key, and nothing
    /// to read. At `limit` it is killed, and so is what it has left behind when it ends, unless that has
    /// left its process group. An interruption ends it too, and the run goes on to tell of it.
    #[must_use]
    pub fn validate(
        &self,
        command: &OsStr,
        variables: &[(&str, &OsStr)],
        limit: Duration,
    ) -> Verdict {
        let variables = variables.iter();
        let variables: Vec<_> = variables
            .map(|(name, value)| (*name, Some((*value).to_owned())))
            .collect();
        let command = self.shell(command, &variables);
        let interruption = &*self.interruption;
        let verdict = interruption.while_running(|| judge(command, limit, interruption));
        // It may have come when the command had just ended.
        match interruption.is_requested() {
            true => Verdict::Interrupted,
            false => verdict,
        }
    }
}

fn judge(command: Command, limit: Duration, interruption: &Interruption) -> Verdict {
    let not_run = |error: io::Error| Verdict::NotRun {
        because: error.to_string(),
    };
    let (mut child, listener) = match start(command) {
        Ok(started) => started,
        Err(error) => return not_run(error),
    };
    let end = wait(&child, limit, interruption);
    // The child is not reaped yet, so its group is nobody else's.
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    let status = child.wait();
    let output = listener.output();
    match (end, status) {
        (Ok(End::Interrupted), _) => Verdict::Interrupted,
        (Ok(End::TimedOut), _) => Verdict::TimedOut { limit, output },
        (Ok(End::Exited), Ok(status)) => verdict(status, output),
        (Err(error), _) | (_, Err(error)) => not_run(error),
    }
}

fn verdict(status: ExitStatus, output: Output) -> Verdict {
    if status.success() {
        return Verdict::Accepted;
    }
    match status.code() {
        Some(code) if NOT_EXECUTED.contains(&code) => Verdict::NotRun {
            because: because(status, &output),
        },
        _ => Verdict::Refused { status, output },
    }
}

/// The shell's own words, or the status when it has none.
fn because(status: ExitStatus, output: &Output) -> String {
    match output.text.trim() {
        "" => status.to_string(),
        words => words.to_owned(),
    }
}

fn start(mut command: Command) -> io::Result<(Child, Listener)> {
    let (reader, writer) = io::pipe()?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0);
    let listener = Listener::start(reader)?;
    let child = command.spawn()?;
    Ok((child, listener))
}

/// Why the command is waited for no longer.
enum End {
    Exited,
    Interrupted,
    TimedOut,
}

fn wait(child: &Child, limit: Duration, interruption: &Interruption) -> io::Result<End> {
    let started = Instant::now();
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    loop {
        if waitid(WaitId::Pid(Pid::from_child(child)), options)?.is_some() {
            return Ok(End::Exited);
        }
        if interruption.is_requested() {
            return Ok(End::Interrupted);
        }
        let waited = started.elapsed();
        if waited >= limit {
            return Ok(End::TimedOut);
        }
        thread::sleep(PAUSE.min(limit - waited));
    }
}

/// Reads what a command prints, so that it never waits for a reader.
struct Listener {
    tail: Arc<Mutex<Tail>>,
    /// Hangs up when there is no more to read.
    open: Receiver<()>,
}

impl Listener {
    fn start(mut reader: PipeReader) -> io::Result<Self> {
        let tail = Arc::new(Mutex::new(Tail::default()));
        let (done, open) = mpsc::channel::<()>();
        let kept = Arc::clone(&tail);
        thread::Builder::new()
            .name("validator".to_owned())
            .spawn(move || {
                let _done = done;
                let mut chunk = vec![0; LONGEST];
                loop {
                    match reader.read(&mut chunk) {
                        Ok(0) => break,
                        Ok(length) => locked(&kept).push(&chunk[..length]),
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(_) => break,
                    }
                }
            })?;
        Ok(Self { tail, open })
    }

    /// What has come, up to the end of it if that comes soon.
    fn output(self) -> Output {
        let _ = self.open.recv_timeout(SETTLED);
        locked(&self.tail).output()
    }
}

fn locked(tail: &Mutex<Tail>) -> std::sync::MutexGuard<'_, Tail> {
    tail.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The last octets of many.
#[derive(Default)]
struct Tail {
    octets: Vec<u8>,
    left_out: u64,
}

impl Tail {
    /// `more` is at most [`LONGEST`].
    fn push(&mut self, more: &[u8]) {
        self.octets.extend_from_slice(more);
        self.cut(self.octets.len().saturating_sub(LONGEST));
    }

    fn cut(&mut self, length: usize) {
        self.octets.drain(..length);
        self.left_out += length as u64;
    }

    fn output(&mut self) -> Output {
        if self.left_out > 0 {
            let line = self.octets.iter().position(|octet| *octet == b'\n');
            self.cut(line.map_or(0, |line| line + 1));
        }
        Output {
            text: String::from_utf8_lossy(&self.octets).into_owned(),
            left_out: self.left_out,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs;
    use std::os::unix::process::ExitStatusExt;
    use std::path::{Path, PathBuf};

    use signal_hook::consts::SIGINT;

    use super::super::{OperatingSystem, progress};
    use super::*;

    /// Long enough for anything that ends by itself.
    const AMPLE: Duration = Duration::from_secs(60);

    fn system() -> System {
        let interruption = Arc::new(Interruption::default());
        System {
            now: None,
            started: None,
            program: PathBuf::from("zpki"),
            environment: std::env::vars_os().collect(),
            planned: Default::default(),
            current_directory: None,
            user: String::new(),
            entropy: Box::new(OperatingSystem::default()),
            stdin: Box::new(io::empty()),
            stdout: Box::new(io::sink()),
            stderr: Box::new(io::sink()),
            stderr_is_terminal: false,
            stdout_is_terminal: false,
            prompt: None,
            progress: Box::new(progress::Bar::new(Arc::clone(&interruption), false)),
            interruption,
        }
    }

    fn validate(command: &str, limit: Duration) -> Verdict {
        system().validate(OsStr::new(command), &[], limit)
    }

    fn wait_for(path: &Path) {
        let started = Instant::now();
        while !path.exists() {
            assert!(started.elapsed() < AMPLE, "{}", path.display());
            thread::sleep(PAUSE);
        }
    }

    /// Waits until the process whose number is in the file at `path` has ended.
    fn wait_for_end(path: &Path) {
        let pid = fs::read_to_string(path).unwrap();
        let status = PathBuf::from(format!("/proc/{}/stat", pid.trim()));
        let started = Instant::now();
        // What is killed and not reaped yet by its new parent is dead all the same.
        let is_alive = || fs::read_to_string(&status).is_ok_and(|stat| !stat.contains(") Z "));
        while is_alive() {
            assert!(started.elapsed() < AMPLE, "{pid} is still there");
            thread::sleep(PAUSE);
        }
    }

    #[test]
    fn a_command_accepts_by_its_status_and_its_output_is_kept_to_itself() {
        assert_eq!(validate("echo all is well", AMPLE), Verdict::Accepted);
        let command = "echo no; echo 'line 7' >&2; exit 3";
        let Verdict::Refused { status, output } = validate(command, AMPLE) else {
            panic!();
        };
        assert_eq!(status.code(), Some(3));
        assert_eq!((&*output.text, output.left_out), ("no\nline 7\n", 0));
    }

    #[test]
    fn it_gets_its_variables_and_no_secret_and_nothing_to_read() {
        let mut system = system();
        let variables = &mut system.environment;
        for name in super::super::SECRETS {
            variables.insert(name.into(), "secret".into());
        }
        variables.insert("JUDGED_FILE".into(), "/inherited".into());
        let command = r#"cat; echo "$JUDGED_FILE ${ZPKI_CA_PASSPHRASE-none} ${ZPKI_CA_PASSPHRASE_FILE-none}"; exit 1"#;
        let variables = [("JUDGED_FILE", OsStr::new("/the copy"))];
        let Verdict::Refused { output, .. } =
            system.validate(OsStr::new(command), &variables, AMPLE)
        else {
            panic!();
        };
        assert_eq!(output.text, "/the copy none none\n");
    }

    #[test]
    fn a_program_that_is_missing_or_no_program_is_told_from_one_that_refuses() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "no program").unwrap();
        for (command, words) in [
            ("/no/such/program -c", "not found"),
            (file.to_str().unwrap(), "ermission denied"),
            ("exit 127", "exit status: 127"),
        ] {
            let Verdict::NotRun { because } = validate(command, AMPLE) else {
                panic!("{command}");
            };
            assert!(because.contains(words), "{because}");
        }
    }

    #[test]
    fn one_that_is_killed_refuses() {
        let Verdict::Refused { status, .. } = validate("kill -9 $$", AMPLE) else {
            panic!();
        };
        assert_eq!(status.signal(), Some(9));
    }

    #[test]
    fn one_that_hangs_is_killed_at_the_limit_with_all_of_its_processes() {
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        let command = format!(
            "trap '' TERM INT; echo waiting; sh -c 'echo $$ > {0}; exec sleep 1000' & wait",
            pid.display()
        );
        let limit = Duration::from_secs(1);
        let started = Instant::now();
        let Verdict::TimedOut { limit: of, output } = validate(&command, limit) else {
            panic!();
        };
        assert!(started.elapsed() >= limit && started.elapsed() < AMPLE);
        assert_eq!((of, &*output.text), (limit, "waiting\n"));
        wait_for_end(&pid);
    }

    #[test]
    fn of_megabytes_the_end_is_kept() {
        let command =
            "yes 'a line that is long enough' | head -c 50000000; echo; echo the end; exit 1";
        let Verdict::Refused { output, .. } = validate(command, AMPLE) else {
            panic!();
        };
        assert!(output.text.ends_with("\nthe end\n"));
        assert!(output.text.starts_with("a line that is long enough\n"));
        let length = output.text.len();
        assert!(length <= LONGEST && length > LONGEST - 100, "{length}");
        assert_eq!(output.left_out + length as u64, 50_000_000 + 1 + 8);
    }

    #[test]
    fn one_that_prints_without_end_is_killed_at_the_limit() {
        let Verdict::TimedOut { output, .. } = validate("yes", Duration::from_millis(300)) else {
            panic!();
        };
        assert!(output.text.ends_with("y\n") && output.text.len() <= LONGEST);
    }

    #[test]
    fn output_without_a_line_feed_is_kept_too() {
        let command = "head -c 100000 /dev/zero | tr '\\0' x; exit 1";
        let Verdict::Refused { output, .. } = validate(command, AMPLE) else {
            panic!();
        };
        assert_eq!(output.text, "x".repeat(LONGEST));
        assert_eq!(output.left_out, 100_000 - LONGEST as u64);
    }

    #[test]
    fn one_that_leaves_a_process_with_its_output_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        // In its group it is killed; out of it, it ends when the directory goes.
        let left = dir.path().join("left");
        let gone = dir.path().join("gone");
        let (left, gone) = (left.as_path(), gone.as_path());
        let command = format!(
            "sh -c 'echo $$ > {}; exec sleep 1000' & \
             setsid sh -c 'echo $$ > {}; while test -d {}; do sleep 0.1; done' & \
             while ! test -s {0} || ! test -s {1}; do sleep 0.01; done; echo done; exit 1",
            left.display(),
            gone.display(),
            dir.path().display()
        );
        let started = Instant::now();
        let Verdict::Refused { output, .. } = validate(&command, AMPLE) else {
            panic!();
        };
        assert!(started.elapsed() < AMPLE);
        assert_eq!(output.text, "done\n");
        wait_for_end(left);
        let pid = fs::read_to_string(gone).unwrap();
        assert!(Path::new("/proc").join(pid.trim()).exists());
    }

    #[test]
    fn an_interruption_ends_it() {
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        let system = system();
        let interruption = Arc::clone(&system.interruption);
        let command = OsString::from(format!("echo $$ > {}; exec sleep 1000", pid.display()));
        let verdict = thread::scope(|scope| {
            scope.spawn(|| {
                wait_for(&pid);
                interruption.receive(SIGINT, false);
            });
            system.validate(&command, &[], AMPLE)
        });
        assert_eq!(verdict, Verdict::Interrupted);
        assert_eq!(system.interruption.exit_status(), 130);
        wait_for_end(&pid);
    }
}
