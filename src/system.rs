//! The one door to the outside: clock, randomness, environment, streams, terminal, signals and the
//! files that users name. Everything else takes what it needs as a value, so a whole run can be
//! repeated in a test with a [`System`] made for it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ring::rand::{SecureRandom, SystemRandom};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::domain::key_algorithm::KeyAlgorithm;
use crate::domain::progress::{Interrupted, Progress};
use crate::domain::serial_number::{RANDOM_OCTETS, SerialNumber};
use crate::x509::error::Error;
use crate::x509::passphrase::Passphrase;
use crate::x509::private_key::PrivateKey;

pub mod interruption;
mod progress;
mod terminal;
pub mod validator;

use interruption::Interruption;

/// What a run sees of the world.
pub struct System {
    /// The instant of the run: read once, and by who writes when it is his turn. None when the clock
    /// shows a date outside 1970 to 9999.
    pub now: Option<OffsetDateTime>,
    /// When the run began, for how long it has taken; None where no time passes.
    pub started: Option<Instant>,
    /// Where this program is.
    pub program: PathBuf,
    /// Environment variables.
    pub environment: BTreeMap<OsString, OsString>,
    /// The current directory; None when it was removed.
    pub current_directory: Option<PathBuf>,
    /// Files that are about to be written, by their absolute paths: whoever reads one is given these
    /// bytes, and nobody else may read it.
    pub planned: BTreeMap<PathBuf, Zeroizing<Vec<u8>>>,
    /// The user, for the log.
    pub user: String,
    /// Keys and random numbers.
    pub entropy: Box<dyn Entropy>,
    /// Standard input.
    pub stdin: Box<dyn Read>,
    /// Standard output: the product.
    pub stdout: Box<dyn Write>,
    /// Standard error: what is said to a person.
    pub stderr: Box<dyn Write>,
    /// Whether standard error is a terminal.
    pub stderr_is_terminal: bool,
    /// Whether standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// Who answers questions; None without a terminal.
    pub prompt: Option<Box<dyn Prompt>>,
    /// Who is told of long work.
    pub progress: Box<dyn Progress>,
    /// The signal that ends the run.
    pub interruption: Arc<Interruption>,
}

/// Keys, serial numbers and salts. Neither ring nor rcgen takes a generator from outside, so this
/// is where tests put keys of their own.
pub trait Entropy: Sync {
    /// A new private key.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    fn private_key(&self, algorithm: KeyAlgorithm) -> Result<PrivateKey, Error>;

    /// Fills `octets`.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    fn fill(&self, octets: &mut [u8]) -> Result<(), Error>;

    /// A new serial number.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    fn serial_number(&self) -> Result<SerialNumber, Error> {
        let mut octets = [0; RANDOM_OCTETS];
        self.fill(&mut octets)?;
        Ok(SerialNumber::from_random(octets))
    }
}

/// Why a question has no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// Ctrl-C, or the end of the input.
    Interrupted,
    /// The terminal failed.
    Io(io::Error),
}

/// Whether an answer will do; the reason when it will not.
pub type Check<'a> = &'a dyn Fn(&str) -> Result<(), String>;

/// Answers questions at a terminal.
pub trait Prompt {
    /// A line of text, or the default when it is empty; an answer that `check` refuses is asked
    /// for again, with the reason.
    ///
    /// # Errors
    /// [`NoAnswer`].
    fn text(&mut self, question: &str, default: &str, check: Check<'_>)
    -> Result<String, NoAnswer>;

    /// One of several choices, each a word, a colon and its meaning; the index of it.
    ///
    /// # Errors
    /// [`NoAnswer`].
    fn choose(
        &mut self,
        question: &str,
        choices: &[&str],
        default: usize,
    ) -> Result<usize, NoAnswer>;

    /// Yes or no.
    ///
    /// # Errors
    /// [`NoAnswer`].
    fn confirm(&mut self, question: &str, default: bool) -> Result<bool, NoAnswer>;

    /// A new passphrase, hidden and typed twice.
    ///
    /// # Errors
    /// [`NoAnswer`].
    fn new_passphrase(&mut self, question: &str) -> Result<Passphrase, NoAnswer>;

    /// A passphrase that exists, hidden and typed once.
    ///
    /// # Errors
    /// [`NoAnswer`].
    fn passphrase(&mut self, question: &str) -> Result<Passphrase, NoAnswer>;

    /// Says something between two questions, in whole lines.
    ///
    /// # Errors
    /// [`NoAnswer`].
    fn say(&mut self, text: &str) -> Result<(), NoAnswer>;
}

/// The variable that may hold the passphrase of the CA's private key.
pub const PASSPHRASE_VARIABLE: &str = "ZPKI_CA_PASSPHRASE";
/// The variable that may name the file that holds it.
pub const PASSPHRASE_FILE_VARIABLE: &str = "ZPKI_CA_PASSPHRASE_FILE";

/// What no other program gets to see.
const SECRETS: [&str; 2] = [PASSPHRASE_VARIABLE, PASSPHRASE_FILE_VARIABLE];

/// The file that is standard input.
pub const STDIN: &str = "-";

/// How often something is looked at that is waited for.
const BETWEEN: Duration = Duration::from_millis(100);

/// How long one connection is waited for, and each part of an answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Opening a pipe waits for its other end without it.
const NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();

/// A file that users name is at most this long: 64 MiB, more than any configuration or bundle.
const LONGEST_FILE: usize = 64 << 20;

impl System {
    /// The world as it is.
    #[must_use]
    pub fn real() -> Self {
        // There will be keys and passphrases in this memory: no core file gets it, and no other process of
        // this user may look into it. The commands that this one runs are free of that again.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
        let interruption = Arc::new(Interruption::default());
        let terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
        let is_dumb = is_dumb(std::env::var_os("TERM").as_deref());
        let prompt = terminal.then(|| -> Box<dyn Prompt> {
            Box::new(terminal::Dialogue::new(is_dumb, Arc::clone(&interruption)))
        });
        // Where handlers cannot be had, signals end the process as they always do.
        drop(interruption.listen());
        Self {
            now: clock(),
            started: Some(Instant::now()),
            program: std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/usr/bin/zpki")),
            environment: std::env::vars_os().collect(),
            current_directory: std::env::current_dir().ok(),
            planned: BTreeMap::new(),
            user: user(),
            entropy: Box::new(OperatingSystem::default()),
            stdin: Box::new(io::stdin()),
            stdout: Box::new(io::stdout()),
            stderr: Box::new(io::stderr()),
            stderr_is_terminal: io::stderr().is_terminal(),
            stdout_is_terminal: io::stdout().is_terminal(),
            prompt,
            progress: Box::new(progress::Bar::new(
                Arc::clone(&interruption),
                io::stderr().is_terminal() && !is_dumb,
            )),
            interruption,
        }
    }

    /// Makes this the instant of the run, which has waited for others: what it writes must not look older
    /// than what they wrote before it.
    pub fn begin_anew(&mut self) {
        if self.started.is_some() {
            self.now = clock();
        }
    }

    /// How long the run has taken.
    #[must_use]
    pub fn elapsed(&self) -> Option<Duration> {
        self.started.map(|started| started.elapsed())
    }

    /// Whether standard error is a terminal that understands more than text.
    #[must_use]
    pub fn stderr_has_colours(&self) -> bool {
        self.stderr_is_terminal && !is_dumb(self.variable("TERM"))
    }

    /// Shows no progress from here on.
    pub fn hide_progress(&mut self) {
        let interruption = Arc::clone(&self.interruption);
        self.progress = Box::new(progress::Bar::new(interruption, false));
    }

    /// An environment variable that is set and not empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// Where a path that the user named leads: from the current directory on.
    #[must_use]
    pub fn locate(&self, path: &Path) -> PathBuf {
        match &self.current_directory {
            Some(current) => current.join(path),
            None => path.to_owned(),
        }
    }

    /// Reads a file that the user named; `-` is standard input.
    ///
    /// # Errors
    /// When it cannot be read, is no file, or is longer than 64 MiB.
    pub fn read(&mut self, path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
        if path == Path::new(STDIN) {
            return read_whole(&mut self.stdin, 0);
        }
        let located = self.locate(path);
        match self.planned.get(&located) {
            Some(planned) => Ok(planned.clone()),
            None => read_file(std::fs::File::open(located)?),
        }
    }

    /// Opens a file that the user named, to read it piece by piece; `-` is standard input.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(&mut self, path: &Path) -> io::Result<Box<dyn Read + '_>> {
        if path == Path::new(STDIN) {
            return Ok(Box::new(&mut self.stdin));
        }
        Ok(Box::new(std::fs::File::open(self.locate(path))?))
    }

    /// Reads a file that a configuration names: a file, and nothing else, so that nobody waits for the
    /// other end of a pipe.
    ///
    /// # Errors
    /// When it cannot be read, is no file, or is longer than 64 MiB.
    pub fn read_named(&self, path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
        let located = self.locate(path);
        if let Some(planned) = self.planned.get(&located) {
            return Ok(planned.clone());
        }
        let is_special = |metadata: &std::fs::Metadata| !metadata.is_file() && !metadata.is_dir();
        let special = || io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file");
        if std::fs::metadata(&located).is_ok_and(|metadata| is_special(&metadata)) {
            return Err(special());
        }
        // It may have become a pipe by now.
        let mut options = std::fs::OpenOptions::new();
        let file = options.read(true).custom_flags(NONBLOCK).open(located)?;
        if is_special(&file.metadata()?) {
            return Err(special());
        }
        read_file(file)
    }

    /// The names of the files in a directory that the user named, sorted; those that begin with a dot
    /// are left out.
    ///
    /// # Errors
    /// When it is no directory, or cannot be read.
    pub fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let entries = std::fs::read_dir(self.locate(path))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            if entry.path().is_file() && !name.as_encoded_bytes().starts_with(b".") {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Runs a command with the shell, its output on standard error, for standard output is the product's;
    /// the answer is how it failed. It gets this program's environment without the passphrase of the
    /// CA's key, and `variables`; one that is none is not inherited either.
    pub fn run(&self, command: &str, variables: &[(&str, Option<OsString>)]) -> Option<String> {
        let output = io::stderr().as_fd().try_clone_to_owned();
        let status = self
            .shell(OsStr::new(command), variables)
            .stdin(Stdio::null())
            .stdout(output.map_or_else(|_| Stdio::null(), Stdio::from))
            .status();
        match status {
            Ok(status) if status.success() => None,
            Ok(status) => Some(status.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }

    /// The shell with a command, and the environment that such a command gets.
    fn shell(&self, command: &OsStr, variables: &[(&str, Option<OsString>)]) -> Command {
        let inherited = self.environment.iter();
        let inherited = inherited.filter(|(name, _)| SECRETS.iter().all(|secret| *name != secret));
        let is_given = |name: &OsString| variables.iter().any(|(given, _)| name == given);
        let inherited = inherited.filter(|(name, _)| !is_given(name));
        let given = variables
            .iter()
            .filter_map(|(name, value)| Some((name, value.as_ref()?)));
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(command);
        shell.env_clear().envs(inherited).envs(given);
        shell
    }

    /// Waits.
    ///
    /// # Errors
    /// [`Interrupted`] when the run is to end meanwhile.
    pub fn wait(&self, time: Duration) -> Result<(), Interrupted> {
        self.wait_until(time, || false).map(drop)
    }

    /// Asks again and again, until the answer is yes or the time is over; the last answer.
    ///
    /// # Errors
    /// [`Interrupted`] when the run is to end meanwhile.
    pub fn wait_until(
        &self,
        limit: Duration,
        mut is_so: impl FnMut() -> bool,
    ) -> Result<bool, Interrupted> {
        let begin = Instant::now();
        loop {
            if is_so() {
                return Ok(true);
            }
            if self.interruption.is_requested() {
                return Err(Interrupted);
            }
            let Some(left) = limit.checked_sub(begin.elapsed()) else {
                return Ok(false);
            };
            std::thread::sleep(left.min(BETWEEN));
        }
    }

    /// Whether something listens at `HOST:PORT`.
    #[must_use]
    pub fn connects(&self, address: &str) -> bool {
        let Ok(addresses) = address.to_socket_addrs() else {
            return false;
        };
        let mut addresses = addresses.into_iter();
        addresses.any(|address| TcpStream::connect_timeout(&address, PATIENCE).is_ok())
    }

    /// What a Unix socket answers to a question, all of it.
    ///
    /// # Errors
    /// When it cannot be asked, or is silent for a second.
    pub fn ask(&self, socket: &Path, question: &str) -> io::Result<String> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(question.as_bytes())?;
        let answer = read_whole(stream, 0)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Whether anything is there.
    #[must_use]
    pub fn exists(&self, path: &Path) -> bool {
        let located = self.locate(path);
        self.planned.contains_key(&located) || std::fs::symlink_metadata(located).is_ok()
    }

    /// The user and group whom a file belongs to, by their numbers.
    #[must_use]
    pub fn owner(&self, path: &Path) -> Option<(u32, u32)> {
        use std::os::unix::fs::MetadataExt;
        let file = std::fs::metadata(self.locate(path)).ok()?;
        Some((file.uid(), file.gid()))
    }

    /// Whether this user may give files to others.
    #[must_use]
    pub fn may_give_away(&self) -> bool {
        rustix::process::geteuid().is_root()
    }

    /// Whether it is a file that its group or anyone may read.
    #[must_use]
    pub fn is_readable_by_others(&self, path: &Path) -> bool {
        use std::os::unix::fs::PermissionsExt;
        let located = self.locate(path);
        let is_open = |file: std::fs::Metadata| file.permissions().mode() & 0o044 != 0;
        !self.planned.contains_key(&located)
            && std::fs::metadata(located).is_ok_and(|file| file.is_file() && is_open(file))
    }
}

fn read_file(file: std::fs::File) -> io::Result<Zeroizing<Vec<u8>>> {
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let length = usize::try_from(metadata.len()).unwrap_or(LONGEST_FILE);
    read_whole(file, length)
}

/// Everything that `reader` has, which may be a key: a buffer that has become too small is wiped.
fn read_whole(mut reader: impl Read, expected: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let room = |length: usize| Zeroizing::new(vec![0; length.min(LONGEST_FILE + 1)]);
    let mut buffer = room(expected.saturating_add(1).max(8 << 10));
    let mut length = 0;
    loop {
        if length > LONGEST_FILE {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if length == buffer.len() {
            let mut larger = room(2 * length);
            larger[..length].copy_from_slice(&buffer);
            buffer = larger;
        }
        match reader.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(length);
    Ok(buffer)
}

/// Whether a terminal of this name only prints, as Emacs' shell does.
fn is_dumb(name: Option<&OsStr>) -> bool {
    name.is_none_or(|name| name == "dumb")
}

/// Within what a certificate can say and zpki can count: 1970 to 9999.
fn clock() -> Option<OffsetDateTime> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    let now = OffsetDateTime::from_unix_timestamp(seconds.try_into().ok()?).ok()?;
    (now.year() <= 9999).then_some(now)
}

fn user() -> String {
    let name = ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()));
    let uid = rustix::process::getuid().as_raw();
    name.map_or_else(
        || format!("uid {uid}"),
        |name| format!("{name} (uid {uid})"),
    )
}

/// The operating system's generator.
#[derive(Debug)]
pub struct OperatingSystem(SystemRandom);

impl Default for OperatingSystem {
    fn default() -> Self {
        Self(SystemRandom::new())
    }
}

impl Entropy for OperatingSystem {
    fn private_key(&self, algorithm: KeyAlgorithm) -> Result<PrivateKey, Error> {
        PrivateKey::generate(algorithm)
    }

    fn fill(&self, octets: &mut [u8]) -> Result<(), Error> {
        self.0.fill(octets).map_err(|_| Error::NoRandomness)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_read_whatever_was_expected() {
        let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        for expected in [0, 10, bytes.len(), usize::MAX] {
            assert_eq!(*read_whole(&*bytes, expected).unwrap(), bytes);
        }
    }

    #[test]
    fn what_has_no_end_is_too_long() {
        let error = read_whole(io::repeat(b'x'), 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
