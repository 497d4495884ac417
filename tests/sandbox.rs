//! A directory of its own, and runs of zpki in it: in this process with a world made for the test,
//! or as the real program where exit codes, modes, pipes and closed streams count.
//!
//! What a test does not state must be so: status 0, nothing on standard output, nothing on standard
//! error. In both, the sandbox's own path reads `[root]` and every serial number `[serial]`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt::{self, Debug, Formatter};
use std::fs;
use std::io::{self, Cursor, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::panicking;

use tempfile::TempDir;
use time::OffsetDateTime;
use time::macros::datetime;
use zpki::domain::progress::Quiet;
use zpki::system::interruption::Interruption;
use zpki::system::{OperatingSystem, System};
use zpki::x509::digest::sha256;

/// The instant of every run that states no other.
pub(crate) const NOW: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);

/// A directory that is gone when the test ends.
pub(crate) struct Sandbox {
    directory: TempDir,
    root: PathBuf,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self::of(tempfile::tempdir().unwrap())
    }

    /// One in memory where there is such a file system: for tests of many runs.
    pub(crate) fn in_memory() -> Self {
        tempfile::tempdir_in("/dev/shm").map_or_else(|_| Self::new(), Self::of)
    }

    fn of(directory: TempDir) -> Self {
        let root = fs::canonicalize(directory.path()).unwrap();
        Self { directory, root }
    }

    /// One with the PKI of a cluster in `demo`: two servers, a CA key in the clear.
    pub(crate) fn with_demo() -> Self {
        let sandbox = Self::new();
        sandbox.args(DEMO).run().product();
        sandbox
    }

    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// Makes a file, and the directories above it, with the modes that a umask of 022 leaves.
    pub(crate) fn file(&self, relative: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> &Self {
        let path = self.path(&relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
        let parents = relative.as_ref().ancestors().skip(1);
        for parent in parents.filter(|parent| *parent != Path::new("")) {
            self.mode(parent, 0o755);
        }
        self.mode(relative, 0o644)
    }

    pub(crate) fn mode(&self, relative: impl AsRef<Path>, mode: u32) -> &Self {
        fs::set_permissions(self.path(relative), fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    pub(crate) fn read(&self, relative: impl AsRef<Path>) -> String {
        fs::read_to_string(self.path(relative)).unwrap()
    }

    /// A run of `zpki` with these arguments, in the sandbox's directory.
    pub(crate) fn args<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Run<'_> {
        Run {
            sandbox: self,
            args: args.into_iter().map(Into::into).collect(),
            stdin: Vec::new(),
            environment: BTreeMap::new(),
            now: Some(NOW),
            umask: None,
        }
    }

    /// Every path below the sandbox's directory.
    pub(crate) fn tree(&self) -> Tree {
        let mut tree = Tree(BTreeMap::new());
        tree.visit(&self.root, &self.root);
        tree
    }

    /// What a program beside zpki prints when it is run here.
    pub(crate) fn tool(&self, program: &str, args: &[&str]) -> String {
        let output = Command::new(program)
            .args(args)
            .current_dir(&self.root)
            .output()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            output.status.success(),
            "{program} {args:?}: {}",
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    /// `text` without what differs between two runs.
    fn normalised(&self, text: &str) -> String {
        let root = self.root.to_str().unwrap();
        without_serials(&text.replace(root, "[root]"))
    }
}

/// The README's first command, without a question.
pub(crate) const DEMO: [&str; 11] = [
    "init",
    "demo",
    "--cluster",
    "demo",
    "--server",
    "server1=127.0.0.1:17010",
    "--server",
    "server2=127.0.0.1:17011",
    "--client-certificate",
    "required",
    "--no-ca-passphrase",
];

/// A run that is about to be made.
pub(crate) struct Run<'a> {
    sandbox: &'a Sandbox,
    args: Vec<OsString>,
    stdin: Vec<u8>,
    environment: BTreeMap<OsString, OsString>,
    now: Option<OffsetDateTime>,
    umask: Option<&'static str>,
}

impl<'a> Run<'a> {
    pub(crate) fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.stdin = bytes.as_ref().to_vec();
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .insert(name.into(), value.as_ref().to_owned());
        self
    }

    /// None is a clock outside 1970 to 9999.
    pub(crate) fn now(mut self, now: impl Into<Option<OffsetDateTime>>) -> Self {
        self.now = now.into();
        self
    }

    /// For the real program only.
    pub(crate) fn umask(mut self, umask: &'static str) -> Self {
        self.umask = Some(umask);
        self
    }

    /// Runs it in this process.
    pub(crate) fn run(self) -> Outcome<'a> {
        assert!(self.umask.is_none(), "only a process has a umask");
        let (stdout, stderr) = (Captured::default(), Captured::default());
        let mut system = System {
            now: self.now,
            started: None,
            program: PROGRAM.into(),
            environment: self.environment,
            current_directory: Some(self.sandbox.root.clone()),
            planned: BTreeMap::new(),
            user: "tester (uid 1000)".to_owned(),
            entropy: Box::new(OperatingSystem::default()),
            stdin: Box::new(Cursor::new(self.stdin)),
            stdout: Box::new(stdout.clone()),
            stderr: Box::new(stderr.clone()),
            stderr_is_terminal: false,
            stdout_is_terminal: false,
            prompt: None,
            progress: Box::new(Quiet),
            interruption: Arc::new(Interruption::default()),
        };
        let args = std::iter::once("zpki".into()).chain(self.args);
        let status = zpki::cli::run(args, &mut system);
        let (stdout, stderr) = (stdout.take(), stderr.take());
        Outcome::new(self.sandbox, i32::from(status.code()), &stdout, &stderr)
    }

    /// Runs the real program. Its clock is the real one.
    pub(crate) fn run_program(self) -> Outcome<'a> {
        let mut child = self
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that does not read its input may be gone already.
        drop(child.stdin.take().unwrap().write_all(&self.stdin));
        let output = child.wait_with_output().unwrap();
        let status = output.status.code().expect("it ends by itself");
        Outcome::new(self.sandbox, status, &output.stdout, &output.stderr)
    }

    /// The real program, for tests that have streams of their own to give it.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("sh");
        let umask = self.umask.unwrap_or("022");
        command
            .arg("-c")
            .arg(format!("umask {umask}; exec \"$0\" \"$@\""))
            .arg(PROGRAM)
            .args(&self.args)
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.sandbox.root);
        command
    }
}

/// The real program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_zpki");

/// A stream whose bytes can be had afterwards.
#[derive(Clone, Default)]
struct Captured(Rc<RefCell<Vec<u8>>>);

impl Captured {
    fn take(&self) -> Vec<u8> {
        self.0.take()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A run that was made. What is not stated of it by its end is held to be 0, empty and empty.
pub(crate) struct Outcome<'a> {
    sandbox: &'a Sandbox,
    status: Option<i32>,
    stdout: Option<String>,
    stderr: Option<String>,
}

impl<'a> Outcome<'a> {
    pub(crate) fn new(sandbox: &'a Sandbox, status: i32, stdout: &[u8], stderr: &[u8]) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self {
            sandbox,
            status: Some(status),
            stdout: Some(text(stdout)),
            stderr: Some(text(stderr)),
        }
    }

    #[track_caller]
    pub(crate) fn status(mut self, expected: i32) -> Self {
        let status = self.status.take().expect("it is stated once");
        let stderr = self.stderr.as_deref().unwrap_or_default();
        assert_eq!(status, expected, "status; stderr: {stderr}");
        self
    }

    #[track_caller]
    pub(crate) fn stdout(mut self, expected: impl AsRef<str>) -> Self {
        let stdout = self.stdout.take().expect("it is stated once");
        same(
            "stdout",
            &self.sandbox.normalised(&stdout),
            expected.as_ref(),
        );
        self
    }

    #[track_caller]
    pub(crate) fn stderr(mut self, expected: impl AsRef<str>) -> Self {
        let stderr = self.stderr.take().expect("it is stated once");
        same(
            "stderr",
            &self.sandbox.normalised(&stderr),
            expected.as_ref(),
        );
        self
    }

    /// For the rest of what is on standard error, when only a part of it counts here.
    #[track_caller]
    pub(crate) fn stderr_with(mut self, part: &str) -> Self {
        let stderr = self.stderr.take().expect("it is stated once");
        let stderr = self.sandbox.normalised(&stderr);
        assert!(stderr.contains(part), "no {part:?} in stderr:\n{stderr}");
        self
    }

    /// For the rest of what is on standard output, when only a part of it counts here.
    #[track_caller]
    pub(crate) fn stdout_with(mut self, part: &str) -> Self {
        let stdout = self.stdout.take().expect("it is stated once");
        let stdout = self.sandbox.normalised(&stdout);
        assert!(stdout.contains(part), "no {part:?} in stdout:\n{stdout}");
        self
    }

    /// Its exit status and standard output, as a check has them.
    #[track_caller]
    pub(crate) fn answer(mut self) -> (i32, String) {
        let stated = "it is stated once";
        (
            self.status.take().expect(stated),
            self.stdout.take().expect(stated),
        )
    }

    /// Its exit status, standard output and standard error, as they are.
    #[track_caller]
    pub(crate) fn all(mut self) -> (i32, [String; 2]) {
        let stated = "it is stated once";
        let said = [self.stdout.take(), self.stderr.take()];
        (
            self.status.take().expect(stated),
            said.map(|it| it.expect(stated)),
        )
    }

    /// Its exit status, whatever it said.
    #[track_caller]
    pub(crate) fn status_alone(mut self) -> i32 {
        (self.stdout, self.stderr) = (None, None);
        self.status.take().expect("it is stated once")
    }

    /// Success: its standard output as it is, whatever was said on standard error.
    #[track_caller]
    pub(crate) fn product(mut self) -> String {
        self.stderr = self.stderr.take().filter(|_| self.status != Some(0));
        self.stdout.take().expect("it is stated once")
    }
}

impl Drop for Outcome<'_> {
    fn drop(&mut self) {
        if panicking() {
            return;
        }
        let stderr = self.stderr.take().unwrap_or_default();
        if let Some(status) = self.status.take() {
            assert_eq!(status, 0, "status; stderr: {stderr}");
        }
        same("stderr", &stderr, "");
        same("stdout", &self.stdout.take().unwrap_or_default(), "");
    }
}

#[track_caller]
pub(crate) fn same(what: &str, found: &str, expected: &str) {
    assert!(
        found == expected,
        "{what} differs.\n--- expected\n{expected}\n--- found\n{found}\n---"
    );
}

/// Every run of 32 hexadecimal digits becomes `[serial]`.
pub(crate) fn without_serials(text: &str) -> String {
    let is_digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    let mut shown = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_digit) {
        let digits = rest[start..].chars().take_while(|c| is_digit(*c)).count();
        let (before, after) = rest.split_at(start);
        let (word, after) = after.split_at(digits);
        shown += before;
        shown += if digits == 32 { "[serial]" } else { word };
        rest = after;
    }
    shown + rest
}

/// Paths, each with its type, its mode and what is in it.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Tree(BTreeMap<PathBuf, String>);

impl Tree {
    fn visit(&mut self, root: &Path, directory: &Path) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let found = fs::symlink_metadata(&path).unwrap();
            let mode = found.permissions().mode() & 0o7777;
            let is_directory = found.is_dir();
            let is = if is_directory {
                format!("{mode:04o} /")
            } else if found.is_symlink() {
                format!("link to {}", fs::read_link(&path).unwrap().display())
            } else if found.file_type().is_fifo() || found.file_type().is_socket() {
                format!("{mode:04o} special")
            } else {
                format!("{mode:04o} {}", sha256(&fs::read(&path).unwrap()))
            };
            self.0
                .insert(path.strip_prefix(root).unwrap().to_owned(), is);
            if is_directory {
                self.visit(root, &path);
            }
        }
    }

    /// What of the PKI directory `directory` is not as it was: `+ path`, `- path`, `~ path`, in the order
    /// of the paths; zpki's own state is left out.
    pub(crate) fn changes_since(&self, before: &Self, directory: &str) -> Vec<String> {
        let paths: BTreeSet<_> = before.0.keys().chain(self.0.keys()).collect();
        let mut changes = Vec::new();
        for path in paths {
            let Ok(shown) = path.strip_prefix(directory) else {
                continue;
            };
            let sign = match (before.0.get(path), self.0.get(path)) {
                (None, _) => '+',
                (_, None) => '-',
                (was, is) if was != is => '~',
                _ => continue,
            };
            if !shown.starts_with(".zpki") {
                let shown = without_serials(&shown.display().to_string());
                changes.push(format!("{sign} {shown}"));
            }
        }
        changes
    }

    /// The paths below `directory`, each behind its mode; `/` ends a directory's name.
    pub(crate) fn modes(&self, directory: &str) -> String {
        let mut text = String::new();
        for (path, is) in &self.0 {
            let Ok(path) = path.strip_prefix(directory) else {
                continue;
            };
            let (mode, kind) = is.split_once(' ').unwrap();
            let slash = if kind == "/" { "/" } else { "" };
            let path = without_serials(&path.display().to_string());
            text += &format!("{mode} {path}{slash}\n");
        }
        text
    }
}

impl Debug for Tree {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|(path, is)| writeln!(f, "{} {is}", path.display()))
    }
}

impl Drop for Sandbox {
    /// A directory without permissions can be removed only once it has them again.
    fn drop(&mut self) {
        let _ = Command::new("chmod")
            .args(["-R", "u+rwx"])
            .arg(self.directory.path())
            .output();
    }
}

/// Compares `found` with a file below tests/golden, or with `BLESS=1` writes it.
#[track_caller]
pub(crate) fn golden(file: &str, found: &str) {
    same_as_committed(&format!("tests/golden/{file}"), found);
}

/// Compares `found` with a file of the repository, or with `BLESS=1` writes it.
#[track_caller]
pub(crate) fn same_as_committed(file: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, found).unwrap();
        return;
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == found,
        "{file} is stale; with BLESS=1 the test rewrites it.\n--- found\n{found}\n---"
    );
}
