//! What a run of the program does to its directory, call by call, as strace saw it.
//!
//! strace leaves out the calls that change no file, by their names; each of the others has to be known here.
//! So a later version that uses a call of another kind fails, and does not pass untested.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use tempfile::NamedTempFile;

use super::Scenario;

/// A call that had an effect.
#[derive(Debug)]
pub(super) struct Traced {
    /// The lines of the log on which it began and ended; other threads may have come in between.
    pub(super) began: usize,
    pub(super) ended: usize,
    pub(super) call: Call,
}

/// The paths are relative to the directory of the run.
#[derive(Debug)]
pub(super) enum Call {
    Link {
        from: PathBuf,
        to: PathBuf,
    },
    MakeDirectory {
        path: PathBuf,
        mode: u32,
    },
    /// Opens a file for writing that is made if it is missing.
    Open {
        path: PathBuf,
        mode: u32,
    },
    /// Opens a new file that has no name yet; the path is one that nothing else has.
    OpenUnnamed {
        path: PathBuf,
        mode: u32,
    },
    Remove {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    /// Tells the user something.
    Say,
    SetMode {
        path: PathBuf,
        mode: u32,
    },
    Sync {
        path: PathBuf,
    },
    SyncAll,
    /// Adds to the end of a file.
    Write {
        path: PathBuf,
        bytes: Vec<u8>,
    },
}

/// What changes no file, and no name of one.
const HARMLESS: &str = "access,arch_prctl,brk,capget,clock_nanosleep,clone,clone3,close,close_range,dup,dup2,dup3,\
                        epoll_create1,epoll_ctl,epoll_wait,eventfd2,execve,exit,exit_group,faccessat,\
                        faccessat2,fcntl,fgetxattr,flock,fork,fstat,fstatfs,futex,getcwd,getdents64,getegid,\
                        geteuid,getgid,getpid,getppid,getrandom,getrlimit,gettid,getuid,ioctl,kill,lstat,madvise,\
                        mprotect,mremap,munmap,newfstatat,pipe,pipe2,poll,ppoll,prctl,pread64,prlimit64,\
                        pselect6,read,readlink,readlinkat,readv,recvfrom,recvmsg,restart_syscall,rseq,\
                        rt_sigaction,rt_sigprocmask,rt_sigreturn,rt_sigtimedwait,sched_getaffinity,\
                        sched_yield,sendto,set_robust_list,set_tid_address,setpgid,sigaltstack,socket,\
                        socketpair,stat,statfs,statx,sysinfo,tgkill,timerfd_create,uname,vfork,wait4,waitid";

/// How files are opened without a consequence that would have to be known here.
const FLAGS: [&str; 15] = [
    "O_CLOEXEC",
    "O_CREAT",
    "O_DIRECTORY",
    "O_EXCL",
    "O_LARGEFILE",
    "O_NOATIME",
    "O_NOCTTY",
    "O_NOFOLLOW",
    "O_NONBLOCK",
    "O_PATH",
    "O_RDONLY",
    "O_RDWR",
    "O_TMPFILE",
    "O_TRUNC",
    "O_WRONLY",
];

/// Runs the command of `scenario`, with these options of strace besides.
pub(super) fn record(scenario: &Scenario, options: &[&str]) -> Vec<Traced> {
    let log = NamedTempFile::new().unwrap();
    let harmless: Vec<_> = HARMLESS.split(',').map(|it| format!("?{it}")).collect();
    let trace = format!("trace=!{}", harmless.join(","));
    let path = log.path().to_str().unwrap();
    let own = ["-y", "-xx", "-s", "100000000", "-o", path, "-e", &trace];
    let status = scenario.strace(&[&own, options].concat()).status().unwrap();
    assert!(status.success(), "{:?}: {status}", scenario.command);
    let top = scenario.path("").components().collect();
    Reader::new(top).read(&fs::read_to_string(log.path()).unwrap())
}

struct Reader {
    top: PathBuf,
    umask: u32,
    /// What each descriptor was opened as, for whoever names it through /proc.
    opened: HashMap<String, PathBuf>,
}

/// A line of the log, or both halves of one.
struct Line<'a> {
    name: &'a str,
    arguments: Vec<&'a str>,
    result: &'a str,
}

impl Reader {
    fn new(top: PathBuf) -> Self {
        Self {
            top,
            umask: umask(),
            opened: HashMap::new(),
        }
    }

    fn read(mut self, log: &str) -> Vec<Traced> {
        let mut begun: HashMap<&str, (usize, &str)> = HashMap::new();
        let mut calls = Vec::new();
        for (ended, line) in log.lines().enumerate() {
            let (process, rest) = line.split_once(' ').unwrap();
            let rest = rest.trim_start();
            // A signal, an end, or a thread that the end of the program has cut off; had that one changed
            // anything, the disk of the model would not hold what the real one does.
            let is_an_end = rest.ends_with("<detached ...>");
            if is_an_end || rest.starts_with("+++") || rest.starts_with("---") {
                continue;
            }
            if let Some(first) = rest.strip_suffix(" <unfinished ...>") {
                begun.insert(process, (ended, first));
                continue;
            }
            let (began, whole) = match rest.split_once(" resumed>") {
                Some((_, second)) => {
                    let (began, first) = begun.remove(process).unwrap();
                    (began, format!("{first}{second}"))
                }
                None => (ended, rest.to_owned()),
            };
            let line = Line::parse(&whole);
            if line.result.starts_with('-') || line.result.starts_with('?') {
                continue;
            }
            calls.extend(self.call(&line).map(|call| Traced { began, ended, call }));
        }
        calls
    }

    /// What a call that succeeded has done here; None where it has changed nothing.
    fn call(&mut self, line: &Line<'_>) -> Option<Call> {
        let argument = |index: usize| line.arguments[index];
        let mode = |index: usize| u32::from_str_radix(argument(index), 8).unwrap();
        match line.name {
            "chmod" => self.set_mode(self.path(argument(0)), mode(1)),
            "fchmod" => self.set_mode(opened(argument(0)), mode(1)),
            "fchmodat" | "fchmodat2" => self.set_mode(self.path_at(line, 0), mode(2)),
            "fdatasync" | "fsync" => self
                .inside(&opened(argument(0)))
                .map(|path| Call::Sync { path }),
            "linkat" => self.both(self.path_at(line, 0), self.path_at(line, 2), |from, to| {
                Call::Link { from, to }
            }),
            "lseek" => {
                let is_here = self.inside(&opened(argument(0))).is_some();
                assert!(
                    !is_here,
                    "a file is not written from its beginning to its end: {line}"
                );
                None
            }
            "mkdir" => self.make_directory(self.path(argument(0)), mode(1)),
            "mkdirat" => self.make_directory(self.path_at(line, 0), mode(2)),
            "mmap" => {
                let is_file = argument(4).contains('<');
                let is_shared = argument(3).contains("MAP_SHARED");
                let is_here = is_file && self.inside(&opened(argument(4))).is_some();
                assert!(
                    !(is_here && is_shared),
                    "a file is changed through its memory: {line}"
                );
                None
            }
            "open" => self.open(self.path(argument(0)), line, 1),
            "openat" | "openat2" => self.open(self.path_at(line, 0), line, 2),
            "rename" => self.rename(self.path(argument(0)), self.path(argument(1))),
            "renameat" | "renameat2" => {
                let is_known = line
                    .arguments
                    .get(4)
                    .is_none_or(|it| *it == "RENAME_NOREPLACE");
                assert!(is_known, "{line}");
                self.rename(self.path_at(line, 0), self.path_at(line, 2))
            }
            "rmdir" | "unlink" => self.remove(self.path(argument(0))),
            "sync" | "syncfs" => Some(Call::SyncAll),
            "unlinkat" => self.remove(self.path_at(line, 0)),
            "write" if argument(0).starts_with("1<") => Some(Call::Say),
            "write" => self.inside(&opened(argument(0))).map(|path| {
                let mut bytes = string(argument(1));
                bytes.truncate(line.result.parse().unwrap());
                Call::Write { path, bytes }
            }),
            unknown => panic!(
                "the program uses the system call `{unknown}`, of which tests/crash/ does not know what a loss \
                 of power does to it: put it into HARMLESS or into the model"
            ),
        }
    }

    fn set_mode(&self, path: PathBuf, mode: u32) -> Option<Call> {
        self.inside(&path).map(|path| Call::SetMode { path, mode })
    }

    fn make_directory(&self, path: PathBuf, mode: u32) -> Option<Call> {
        let mode = mode & !self.umask;
        self.inside(&path)
            .map(|path| Call::MakeDirectory { path, mode })
    }

    fn open(&mut self, path: PathBuf, line: &Line<'_>, flags: usize) -> Option<Call> {
        let (descriptor, _) = line.result.split_once('<').unwrap();
        let is_unnamed = line.arguments[flags].contains("O_TMPFILE");
        let path = if is_unnamed {
            opened(line.result)
        } else {
            path
        };
        self.opened.insert(descriptor.to_owned(), path.clone());
        let path = self.inside(&path)?;
        let is_structure = line.arguments[flags].starts_with('{');
        let given = line.arguments[flags].trim_start_matches("{flags=");
        let given: Vec<_> = given.split('|').collect();
        let is_known = given.iter().all(|flag| FLAGS.contains(flag));
        assert!(
            is_known,
            "a file is opened in a way that is not known: {line}"
        );
        let mode = |umask: u32| {
            let given = u32::from_str_radix(line.arguments[flags + 1], 8).unwrap();
            given & !umask
        };
        if is_unnamed {
            let mode = mode(self.umask);
            return Some(Call::OpenUnnamed { path, mode });
        }
        if !given.contains(&"O_CREAT") {
            assert!(!given.contains(&"O_TRUNC"), "{line}");
            return None;
        }
        // What is there would have to be made empty.
        assert!(given.contains(&"O_EXCL") && !is_structure, "{line}");
        let mode = mode(self.umask);
        Some(Call::Open { path, mode })
    }

    fn rename(&self, from: PathBuf, to: PathBuf) -> Option<Call> {
        self.both(from, to, |from, to| Call::Rename { from, to })
    }

    fn remove(&self, path: PathBuf) -> Option<Call> {
        self.inside(&path).map(|path| Call::Remove { path })
    }

    fn both(&self, from: PathBuf, to: PathBuf, call: fn(PathBuf, PathBuf) -> Call) -> Option<Call> {
        match (self.inside(&from), self.inside(&to)) {
            (Some(from), Some(to)) => Some(call(from, to)),
            (None, None) => None,
            _ => panic!("out of the directory or into it: {from:?}, {to:?}"),
        }
    }

    fn inside(&self, path: &Path) -> Option<PathBuf> {
        path.strip_prefix(&self.top).ok().map(Path::to_owned)
    }

    /// A path that is an argument of its own.
    fn path(&self, argument: &str) -> PathBuf {
        self.whole(Path::new(""), argument)
    }

    /// A path that is relative to the directory in the argument before it.
    fn path_at(&self, line: &Line<'_>, index: usize) -> PathBuf {
        self.whole(&opened(line.arguments[index]), line.arguments[index + 1])
    }

    fn whole(&self, directory: &Path, argument: &str) -> PathBuf {
        let given = PathBuf::from(OsString::from_vec(string(argument)));
        if let Ok(descriptor) = given.strip_prefix("/proc/self/fd") {
            return self.opened[descriptor.to_str().unwrap()].clone();
        }
        let path: PathBuf = directory.join(given).components().collect();
        let is_plain = path.components().all(|it| it != Component::ParentDir);
        assert!(is_plain && path.is_absolute(), "{}", path.display());
        path
    }
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Self {
        let parts = line.rsplit_once(" = ").and_then(|(call, result)| {
            let (name, arguments) = call.trim_end().strip_suffix(')')?.split_once('(')?;
            // Strings are all in hexadecimal digits, so that nothing in them is taken for something else.
            let arguments = arguments.split(", ").collect();
            Some(Self {
                name,
                arguments,
                result,
            })
        });
        parts.unwrap_or_else(|| panic!("a line of strace's that is not understood: {line}"))
    }
}

impl std::fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}({}) = {}",
            self.name,
            self.arguments.join(", "),
            self.result
        )
    }
}

/// The path that strace gives with a descriptor, `7<...>`. A file whose name is gone is of no consequence; one
/// that has none yet is `#` and its inode.
fn opened(argument: &str) -> PathBuf {
    let text = argument.split_once('<').map_or("", |(_, text)| text);
    let path = |text| PathBuf::from(OsString::from_vec(unescape(text)));
    let is_unnamed = |it: &PathBuf| it.file_name().is_some_and(|it| it.as_bytes()[0] == b'#');
    match text.strip_suffix(">(deleted)").map(path) {
        Some(gone) => Some(gone).filter(is_unnamed).unwrap_or_default(),
        None => text.strip_suffix('>').map(path).unwrap_or_default(),
    }
}

fn string(argument: &str) -> Vec<u8> {
    let text = argument
        .strip_prefix('"')
        .and_then(|it| it.strip_suffix('"'));
    unescape(text.unwrap_or_else(|| panic!("strace gives less than the whole of {argument}")))
}

/// The bytes of `\x41\x42`.
fn unescape(text: &str) -> Vec<u8> {
    let digits = text.split("\\x").skip(1);
    digits
        .map(|it| u8::from_str_radix(it, 16).unwrap())
        .collect()
}

/// What this process and those that it starts take from the mode of a new file.
fn umask() -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let umask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    u32::from_str_radix(umask.unwrap().trim(), 8).unwrap()
}
