//! What `expiry` finds and reads, on disks as they are: with pipes, circles, and files that change
//! while they are read.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, OFlags};
use tempfile::TempDir;

use zpki::domain::expiry::ReadReason;
use zpki::domain::pattern::Exclusion;
use zpki::scan::read::{ReadError, Reading, read_each};
use zpki::scan::walk::{Root, Source, Walk, walk};

/// A directory with files that contain their own names.
struct Tree(TempDir);

impl Tree {
    fn new(files: &[&str]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        files.iter().for_each(|file| tree.file(file, file));
        tree
    }

    fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(below)
    }

    fn file(&self, below: impl AsRef<Path>, contents: impl AsRef<[u8]>) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }

    fn link(&self, below: &str, target: impl AsRef<Path>) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    fn pipe(&self, below: &str) {
        let path = self.path(below);
        rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    }

    fn walk(&self, roots: &[&str]) -> Walk {
        self.walk_without(roots, &[])
    }

    fn walk_without(&self, roots: &[&str], exclusions: &[&str]) -> Walk {
        let roots: Vec<Root> = roots.iter().map(|root| self.root(root, None)).collect();
        let exclusions: Vec<Exclusion> = exclusions
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        walk(&roots, &exclusions)
    }

    fn root(&self, below: &str, referenced_by: Option<&str>) -> Root {
        // Not `join`, which would lose the difference between a directory and what is in it.
        let path = [self.0.path().as_os_str(), OsStr::new(below)].join(OsStr::new("/"));
        Root {
            path: path.into(),
            referenced_by: referenced_by.map(str::to_owned),
        }
    }

    fn source(&self, below: &str, is_named: bool) -> Source {
        Source {
            path: self.path(below).into(),
            aliases: Vec::new(),
            referenced_by: Vec::new(),
            is_named,
        }
    }

    /// A path without that of the tree.
    fn below(&self, path: &Path) -> String {
        let below = path.strip_prefix(self.0.path()).unwrap();
        below.to_str().unwrap().to_owned()
    }

    fn found(&self, walk: &Walk) -> Vec<String> {
        let sources = walk.sources.iter();
        sources.map(|source| self.below(&source.path)).collect()
    }

    fn errors(&self, walk: &Walk) -> Vec<(String, ReadReason, String)> {
        let error =
            |error: &ReadError| (self.below(&error.path), error.reason, error.message.clone());
        walk.errors.iter().map(error).collect()
    }
}

/// Reads everything; whatever ends with a full stop makes sense.
fn read(sources: Vec<Source>) -> Vec<Reading<Vec<u8>>> {
    read_by(
        sources,
        |_, bytes| bytes.to_vec(),
        |bytes| bytes.ends_with(b"."),
    )
}

fn read_by<T: Send>(
    sources: Vec<Source>,
    work: impl Fn(&Source, &[u8]) -> T + Sync,
    makes_sense: impl Fn(&T) -> bool + Sync,
) -> Vec<Reading<T>> {
    let readings = read_each(sources, work, makes_sense);
    readings.map(|(_, reading)| reading).collect()
}

fn read_one(source: Source) -> Reading<Vec<u8>> {
    read(vec![source]).remove(0)
}

fn reason<T: std::fmt::Debug>(reading: Reading<T>) -> (ReadReason, String) {
    match reading {
        Reading::Failed(error) => (error.reason, error.message),
        other => panic!("{other:?}"),
    }
}

/// What hangs must fail, not hang.
fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    let worker = thread::spawn(move || sender.send(work()));
    match receiver.recv_timeout(limit) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("took longer than {limit:?}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(worker.join().unwrap_err())
        }
    }
}

const SOON: Duration = Duration::from_secs(5);

#[test]
fn pipes_sockets_and_devices_are_passed_over_unless_they_are_named() {
    let tree = Tree::new(&["a.pem"]);
    tree.pipe("fifo.pem");
    let _socket = UnixListener::bind(tree.path("sock.pem")).unwrap();
    tree.link("zero.pem", "/dev/zero");
    within(SOON, move || {
        let found = tree.walk(&[""]);
        assert_eq!(tree.found(&found), ["a.pem"]);
        assert_eq!((found.errors, found.skipped), (vec![], 3));

        let found = tree.walk(&["fifo.pem", "sock.pem", "zero.pem"]);
        let error = |path: &str, what| {
            let message = format!("is {what}, not a regular file");
            (path.to_owned(), ReadReason::NotRegular, message)
        };
        let expected = [
            error("fifo.pem", "a named pipe"),
            error("sock.pem", "a socket"),
            error("zero.pem", "a device"),
        ];
        assert_eq!(tree.errors(&found), expected);
        assert_eq!((found.sources, found.skipped), (vec![], 0));
    });
}

/// They may have come since the directory was listed.
#[test]
fn the_reader_itself_waits_for_nothing() {
    let tree = Tree::new(&["sub/a"]);
    tree.pipe("fifo");
    let _socket = UnixListener::bind(tree.path("sock")).unwrap();
    tree.link("zero", "/dev/zero");
    within(SOON, move || {
        for (name, what) in [
            ("fifo", "a named pipe"),
            ("sock", "a socket or a device"),
            ("sub", "a directory"),
            ("zero", "a device"),
        ] {
            assert_eq!(read_one(tree.source(name, false)), Reading::Skipped);
            let message = format!("is {what}, not a regular file");
            let expected = (ReadReason::NotRegular, message);
            assert_eq!(reason(read_one(tree.source(name, true))), expected);
        }
    });
}

#[test]
fn circles_of_links_end() {
    let tree = Tree::new(&["a.pem", "sub/b.pem"]);
    tree.link("loop", ".");
    tree.link("loop2", "sub/../loop");
    tree.link("sub/up", "..");
    tree.link("dangling", "nowhere");
    tree.link("dangling2", "a.pem/x");
    tree.link("self", "self");
    let found = within(SOON, move || {
        let found = tree.walk(&[""]);
        assert_eq!(tree.found(&found), ["a.pem", "sub/b.pem"]);
        let expected = |reason| {
            [
                ("dangling", "is a link to `nowhere`, which is not there"),
                ("dangling2", "is a link to `a.pem/x`, which is not there"),
                ("self", "is a link that leads back to itself"),
            ]
            .map(|(path, message)| (path.to_owned(), reason, message.to_owned()))
        };
        assert_eq!(tree.errors(&found), expected(ReadReason::BrokenSymlink));
        assert_eq!(
            tree.errors(&tree.walk(&["self", "dangling2", "dangling"])),
            expected(ReadReason::NotFound)
        );
        found
    });
    assert!(found.sources.iter().all(|source| source.aliases.is_empty()));
    assert_eq!(found.skipped, 0);
}

#[test]
fn links_to_directories_are_followed_after_what_is_really_there() {
    let outside = Tree::new(&["x.pem", "deep/y.pem"]);
    let tree = Tree::new(&["z/a.pem"]);
    tree.link("out", outside.0.path());
    tree.link("b", "z");
    assert_eq!(
        tree.found(&tree.walk(&[""])),
        ["out/deep/y.pem", "out/x.pem", "z/a.pem"]
    );
    assert_eq!(tree.found(&tree.walk(&["b"])), ["b/a.pem"]);
}

#[test]
fn a_file_with_several_names_is_listed_once() {
    let tree = Tree::new(&["m.pem", "sub/n.pem"]);
    tree.link("link.pem", "m.pem");
    tree.link("sub/link.pem", "../m.pem");
    fs::hard_link(tree.path("m.pem"), tree.path("hard.pem")).unwrap();
    let listed = |roots: &[&str]| {
        let found = tree.walk(roots);
        assert_eq!(found.errors, []);
        let one = |source: &Source| {
            let aliases = source.aliases.iter().map(|alias| tree.below(alias));
            let path = tree.below(&source.path);
            (path, aliases.collect::<Vec<_>>().join(" "), source.is_named)
        };
        found.sources.iter().map(one).collect::<Vec<_>>()
    };
    let source =
        |path: &str, aliases: &str, is_named| (path.to_owned(), aliases.to_owned(), is_named);
    assert_eq!(
        listed(&[""]),
        [
            source("hard.pem", "link.pem m.pem sub/link.pem", false),
            source("sub/n.pem", "", false)
        ]
    );
    assert_eq!(
        listed(&["", "m.pem", "link.pem", "m.pem"]),
        [
            source("link.pem", "hard.pem m.pem sub/link.pem", true),
            source("sub/n.pem", "", false)
        ]
    );
    assert_eq!(
        listed(&["sub", "sub", "sub/../sub"]),
        [
            source("sub/../sub/link.pem", "sub/link.pem", false),
            source("sub/../sub/n.pem", "sub/n.pem", false)
        ]
    );
}

#[test]
fn every_line_that_names_a_file_is_known() {
    let tree = Tree::new(&["certs/a.pem", "certs/b.pem", "c.pem"]);
    tree.link("link.pem", "certs/a.pem");
    tree.link("certs/dangling", "nowhere");
    let roots = [
        tree.root("link.pem", Some("h.cfg:9")),
        tree.root("certs", Some("h.cfg:10")),
        tree.root("certs/a.pem", Some("h.cfg:10")),
        tree.root("certs/a.pem", Some("h.cfg:2")),
        tree.root("gone.pem", Some("h.cfg:3")),
        tree.root("gone.pem", Some("h.cfg:4")),
        tree.root("", None),
    ];
    let found = walk(&roots, &[]);
    let lines = |source: &Source| (tree.below(&source.path), source.referenced_by.join(" "));
    let lines: Vec<_> = found.sources.iter().map(lines).collect();
    let line = |path: &str, lines: &str| (path.to_owned(), lines.to_owned());
    assert_eq!(
        lines,
        [
            line("c.pem", ""),
            line("certs/a.pem", "h.cfg:9 h.cfg:10 h.cfg:2"),
            line("certs/b.pem", "h.cfg:10"),
        ]
    );
    let lines = |error: &ReadError| (tree.below(&error.path), error.referenced_by.join(" "));
    let lines: Vec<_> = found.errors.iter().map(lines).collect();
    let expected = [
        line("certs/dangling", "h.cfg:10"),
        line("gone.pem", "h.cfg:3 h.cfg:4"),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn what_is_named_must_be_there() {
    let tree = Tree::new(&["a.pem"]);
    let found = tree.walk(&["gone", "a.pem/b", "a*b", "a[", "{a.pem,x}"]);
    assert_eq!(tree.found(&found), ["a.pem"]);
    let missing =
        |path: &str, message: &str| (path.to_owned(), ReadReason::NotFound, message.to_owned());
    let pattern = format!("{}/a[", tree.0.path().display());
    let impossible =
        format!("no such file or directory, and the pattern `{pattern}` has a `[` without its `]`");
    assert_eq!(
        tree.errors(&found),
        [
            missing("a*b", "nothing matches this pattern"),
            missing("a.pem/b", "no such file or directory"),
            missing("a[", &impossible),
            missing("gone", "no such file or directory"),
        ]
    );
    // HAProxy takes the names in its configuration as they are.
    let found = walk(&[tree.root("*", Some("h.cfg:1"))], &[]);
    assert_eq!(
        tree.errors(&found),
        [missing("*", "no such file or directory")]
    );
    let nothing = Root {
        path: PathBuf::new(),
        referenced_by: None,
    };
    assert_eq!(walk(&[nothing], &[]).errors[0].reason, ReadReason::NotFound);
}

#[test]
fn names_are_octets() {
    let tree = Tree::new(&[]);
    let names: [&[u8]; 6] = [
        b"\xff.pem",
        b"a\nb.pem",
        b"-rf.pem",
        b"|;$().pem",
        b" ",
        b"[x]*",
    ];
    names
        .iter()
        .for_each(|name| tree.file(OsStr::from_bytes(name), "."));
    let expected: BTreeSet<&OsStr> = names.iter().map(|name| OsStr::from_bytes(name)).collect();
    let found = tree.walk(&[""]).sources;
    assert!(
        found
            .iter()
            .map(|source| source.path.file_name().unwrap())
            .eq(expected)
    );
    let readings = read(found.clone());
    assert_eq!(readings, vec![Reading::Done(b".".to_vec()); names.len()]);
    // What is there by that very name is no pattern.
    assert_eq!(tree.found(&tree.walk(&["[x]*"])), ["[x]*"]);
    let globbed = walk(
        &[Root {
            path: tree.path(OsStr::from_bytes(b"\xff*")),
            referenced_by: None,
        }],
        &[],
    );
    assert_eq!(globbed.sources.len(), 1);
    assert!(
        globbed.sources[0]
            .path
            .ends_with(OsStr::from_bytes(names[0]))
    );
}

#[test]
fn files_as_long_as_disks_are_not_read() {
    const MEBIBYTE: u64 = 1 << 20;
    let tree = Tree::new(&[]);
    let sparse = |name: &str, beginning: &[u8], length: u64| {
        let mut file = File::create(tree.path(name)).unwrap();
        file.write_all(beginning).unwrap();
        file.set_len(length).unwrap();
    };
    sparse("huge", b"", 20 * 1024 * MEBIBYTE);
    sparse(
        "huge.pem",
        b"# mine\n-----BEGIN CERTIFICATE-----",
        20 * 1024 * MEBIBYTE,
    );
    sparse("huge.der", b"\x30\x84", 16 * MEBIBYTE + 1);
    sparse("large", b"", 16 * MEBIBYTE);
    sparse("larger", b"", 16 * MEBIBYTE + 1);
    let started = Instant::now();
    let length = |name, is_named| {
        let source = vec![tree.source(name, is_named)];
        read_by(source, |_, bytes| bytes.len() as u64, |_| true).remove(0)
    };
    let too_large = |limit: u64| {
        let message = format!("is longer than {limit} MiB");
        (ReadReason::TooLarge, message)
    };
    assert_eq!(length("huge", false), Reading::Skipped);
    assert_eq!(length("larger", false), Reading::Skipped);
    assert_eq!(reason(length("huge.pem", false)), too_large(16));
    assert_eq!(reason(length("huge.der", false)), too_large(16));
    assert_eq!(reason(length("huge", true)), too_large(1024));
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    assert_eq!(length("large", false), Reading::Done(16 * MEBIBYTE));
    assert_eq!(length("larger", true), Reading::Done(16 * MEBIBYTE + 1));
}

/// Makes directories in each other, deeper than a path is long.
fn bury(tree: &Tree, top: &str) {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut directory = rustix::fs::open(tree.0.path(), flags, Mode::empty()).unwrap();
    for name in [top].into_iter().chain([&*"d".repeat(20); 300]) {
        rustix::fs::mkdirat(&directory, name, Mode::RWXU).unwrap();
        directory = rustix::fs::openat(&directory, name, flags, Mode::empty()).unwrap();
    }
}

#[test]
fn what_lies_deeper_than_a_path_is_long_is_said_not_to_be_walked() {
    let tree = Tree::new(&["a.pem", "z.pem"]);
    bury(&tree, "deep");
    let walker = thread::Builder::new().stack_size(128 << 10).spawn(move || {
        let found = tree.walk(&[""]);
        assert_eq!(tree.found(&found), ["a.pem", "z.pem"]);
        assert_eq!(found.errors.len(), 1);
        assert_eq!(found.errors[0].reason, ReadReason::WalkError);
        assert_eq!(found.errors[0].message, "the path is too long");
        // One directory after the other is entered only if something in it can match.
        assert_eq!(
            tree.walk(&["*/*.pem"]).errors[0].reason,
            ReadReason::NotFound
        );
        assert_eq!(
            tree.walk(&["**/x.pem"]).errors[0].reason,
            ReadReason::WalkError
        );
        assert_eq!(tree.walk_without(&[""], &["deep"]).errors, []);
    });
    walker.unwrap().join().unwrap();
}

#[test]
fn names_that_are_too_long_are_said() {
    let tree = Tree::new(&["a.pem"]);
    let long = "x".repeat(256);
    let found = tree.walk(&[&long]);
    let expected = (
        long.clone(),
        ReadReason::WalkError,
        "the path is too long".to_owned(),
    );
    assert_eq!(tree.errors(&found), [expected]);
    // Braces are no name.
    let braces = format!("{{a.pem,{}}}", "x".repeat(250));
    assert_eq!(tree.found(&tree.walk(&[&braces])), ["a.pem"]);
    let (failed, _) = reason(read_one(tree.source(&long, true)));
    assert_eq!(failed, ReadReason::WalkError);
}

#[test]
fn the_kernels_own_files_are_read_only_when_they_are_named() {
    let tree = Tree::new(&["a.pem"]);
    tree.link("proc", "/proc");
    let found = tree.walk(&[""]);
    assert_eq!(tree.found(&found), ["a.pem"]);
    assert_eq!((found.errors, found.skipped), (vec![], 1));
    let named = Root {
        path: "/proc/self/status".into(),
        referenced_by: None,
    };
    let found = walk(&[named], &[]).sources;
    assert!(
        matches!(&read(found.clone())[..], [Reading::Done(bytes)] if bytes.starts_with(b"Name:"))
    );
}

#[test]
fn globs_find_what_a_shell_finds() {
    let tree = Tree::new(&[
        ".dot.pem",
        "a.pem",
        "b.key",
        "live/x.org/cert.pem",
        "live/x.org/key.pem",
        "live/y.org/cert.pem",
        "live/y.org/old/cert.pem",
    ]);
    tree.link("link", "live");
    tree.link("live/loop", "..");
    tree.link("live/z.org", "nowhere");
    let all_live = [
        "live/x.org/cert.pem",
        "live/x.org/key.pem",
        "live/y.org/cert.pem",
        "live/y.org/old/cert.pem",
    ];
    let cases: &[(&str, &[&str])] = &[
        ("*.pem", &[".dot.pem", "a.pem"]),
        ("[ab].*", &["a.pem", "b.key"]),
        ("?.pem", &["a.pem"]),
        ("{a.pem,b.*,c}", &["a.pem", "b.key"]),
        (
            "live/*/cert.pem",
            &["live/x.org/cert.pem", "live/y.org/cert.pem"],
        ),
        (
            "l*/{x,y}.org/c*",
            &["link/x.org/cert.pem", "link/y.org/cert.pem"],
        ),
        ("link/*.org/key.pem", &["link/x.org/key.pem"]),
        ("live/**/old/*", &["live/y.org/old/cert.pem"]),
        (
            "live/y.org/**",
            &["live/y.org/cert.pem", "live/y.org/old/cert.pem"],
        ),
        ("live/*/", &all_live[..]),
        ("**/key.pem", &["live/x.org/key.pem"]),
        ("*/../a.pem", &["link/../a.pem"]),
    ];
    for (glob, expected) in cases {
        let found = tree.walk(&[glob]);
        let mut names = tree.found(&found);
        names.retain(|name| !name.starts_with("live/loop"));
        assert_eq!(names, *expected, "{glob}");
        assert!(
            found.sources.iter().all(|source| !source.is_named),
            "{glob}"
        );
    }
    let found = tree.walk(&["live/*.org"]);
    let broken = ReadReason::BrokenSymlink;
    assert_eq!(found.errors.len(), 1);
    assert_eq!(found.errors[0].reason, broken);
    // Nothing is asked for that is below a link to nothing.
    assert_eq!(tree.walk(&["live/*.org/cert.pem"]).errors, []);
}

#[test]
fn what_is_excluded_is_not_entered() {
    let tree = Tree::new(&[
        "a.pem",
        "a.pem.bak",
        "archive/b.pem",
        "sub/archive/c.pem",
        "sub/d.pem",
    ]);
    tree.link("sub/dangling", "nowhere");
    let whole = |below: &str| format!("{}/{below}", tree.0.path().display());
    let cases: &[(&[&str], &[&str], usize)] = &[
        (&["archive"], &["a.pem", "a.pem.bak", "sub/d.pem"], 2),
        (&["arch*/", "*.bak"], &["a.pem", "sub/d.pem"], 3),
        (
            &["archive/*"],
            &[
                "a.pem",
                "a.pem.bak",
                "archive/b.pem",
                "sub/archive/c.pem",
                "sub/d.pem",
            ],
            0,
        ),
        (&["**/archive/*"], &["a.pem", "a.pem.bak", "sub/d.pem"], 2),
        (
            &[&whole("archive")],
            &["a.pem", "a.pem.bak", "sub/archive/c.pem", "sub/d.pem"],
            1,
        ),
        (&["*"], &[], 4),
    ];
    for (exclusions, expected, skipped) in cases {
        let found = tree.walk_without(&[""], exclusions);
        assert_eq!(tree.found(&found), *expected, "{exclusions:?}");
        assert_eq!(found.skipped, *skipped, "{exclusions:?}");
    }
    assert_eq!(tree.walk_without(&[""], &["dang*"]).errors, []);
    // Several roots make no more of it.
    assert_eq!(
        tree.walk_without(&["", "sub", "*"], &["archive"]).skipped,
        2
    );
    let globbed = tree.walk_without(&["*/*.pem"], &["archive"]);
    assert_eq!(tree.found(&globbed), ["sub/d.pem"]);
}

#[test]
fn what_the_command_line_names_is_not_excluded() {
    let tree = Tree::new(&["archive/a.pem", "archive/b.key", "b.pem"]);
    let exclusions = ["archive", "*.key", "b.pem"];
    let found = tree.walk_without(&["archive", "b.pem"], &exclusions);
    assert_eq!(tree.found(&found), ["archive/a.pem", "b.pem"]);
    let roots = [
        tree.root("archive", Some("h.cfg:1")),
        tree.root("b.pem", Some("h.cfg:2")),
    ];
    let exclusions = exclusions.map(|text| text.parse().unwrap());
    let found = walk(&roots, &exclusions);
    assert_eq!(
        (found.sources, found.errors, found.skipped),
        (vec![], vec![], 2)
    );
}

#[test]
fn what_comes_and_goes_as_directories_are_walked_is_no_error() {
    let tree = Tree::new(&["a.pem"]);
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                tree.file("sub/deep/b.pem", "b.");
                tree.link("sub/link", "deep/b.pem");
                fs::remove_file(tree.path("sub/link")).unwrap();
                fs::remove_dir_all(tree.path("sub")).unwrap();
            }
        });
        for _ in 0..300 {
            let found = tree.walk(&[""]);
            assert_eq!(found.errors, []);
            assert_eq!(tree.found(&found)[0], "a.pem");
        }
        is_done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_file_that_is_gone_is_an_error_if_it_was_named() {
    let tree = Tree::new(&[]);
    assert_eq!(read_one(tree.source("gone", false)), Reading::Gone);
    let missing = (ReadReason::NotFound, "no such file or directory".to_owned());
    assert_eq!(reason(read_one(tree.source("gone", true))), missing);
    // It may have been on its way.
    tree.file("a", ".");
    for is_named in [false, true] {
        let sources = vec![tree.source("a", false), tree.source("b", is_named)];
        let work = |source: &Source, bytes: &[u8]| {
            if source.path.ends_with("a") {
                tree.file("b", "b.");
            }
            bytes.to_vec()
        };
        let readings = read_by(sources, work, |_| true);
        assert_eq!(readings[1], Reading::Done(b"b.".to_vec()));
        fs::remove_file(tree.path("b")).unwrap();
    }
}

/// As certbot and HAProxy's administrators do it: the new file is moved over the old one.
#[test]
fn a_file_that_is_replaced_is_the_old_or_the_new_one() {
    const SCANS: usize = 200;
    const REPLACEMENTS: usize = 10_000;
    let tree = Tree::new(&[]);
    let contents = [vec![b'o'; 5_000], vec![b'n'; 70_000]].map(|mut bytes| {
        bytes.push(b'.');
        bytes
    });
    tree.file("ours/old", &contents[0]);
    tree.file("ours/new", &contents[1]);
    tree.file("certs/a.pem", &contents[0]);
    let scans = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut count = 0;
            while count < REPLACEMENTS || scans.load(Ordering::Relaxed) < SCANS {
                let next = ["ours/new", "ours/old"][count % 2];
                fs::hard_link(tree.path(next), tree.path("ours/next")).unwrap();
                fs::rename(tree.path("ours/next"), tree.path("certs/a.pem")).unwrap();
                count += 1;
            }
        });
        for scan in 0..SCANS {
            let root = ["certs/a.pem", "certs"][scan % 2];
            let found = tree.walk(&[root]);
            assert_eq!(found.errors, []);
            for reading in read(found.sources) {
                assert!(
                    contents
                        .iter()
                        .any(|whole| reading == Reading::Done(whole.clone()))
                );
            }
            scans.fetch_add(1, Ordering::Relaxed);
        }
    });
}

/// As an editor without temporary files does it: the file is emptied, then written.
#[test]
fn a_file_that_is_being_written_is_read_once_it_is_whole() {
    for half in ["", "ha"] {
        let tree = Tree::new(&[]);
        tree.file("a", half);
        let work = |_: &Source, bytes: &[u8]| {
            // The rest comes a moment later.
            if bytes == half.as_bytes() {
                let file = File::options().append(true).open(tree.path("a"));
                file.unwrap().write_all(b"lf.").unwrap();
            }
            bytes.to_vec()
        };
        let sources = vec![tree.source("a", false)];
        let readings = read_by(sources, work, |bytes| bytes.ends_with(b"."));
        assert_eq!(readings, [Reading::Done(format!("{half}lf.").into_bytes())]);
    }
}

#[test]
fn damaged_files_wait_together_and_are_not_read_again() {
    const FILES: usize = 2_000;
    let tree = Tree::new(&[]);
    (0..FILES).for_each(|number| tree.file(format!("{number}"), "damaged"));
    let sources = tree.walk(&[""]).sources;
    let reads = AtomicUsize::new(0);
    let work = |_: &Source, _: &[u8]| _ = reads.fetch_add(1, Ordering::Relaxed);
    let started = Instant::now();
    let readings = read_by(sources, work, |()| false);
    let elapsed = started.elapsed();
    assert_eq!(readings, vec![Reading::Done(()); FILES]);
    assert_eq!(reads.load(Ordering::Relaxed), FILES);
    assert!(elapsed < SOON, "{elapsed:?}");
}

#[test]
fn errors_say_which_lines_name_the_file() {
    let tree = Tree::new(&[]);
    let mut source = tree.source("gone", true);
    source.referenced_by = vec!["h.cfg:1".to_owned()];
    match read_one(source) {
        Reading::Failed(error) => assert_eq!(error.referenced_by, ["h.cfg:1"]),
        other => panic!("{other:?}"),
    }
}
