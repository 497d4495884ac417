use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;

use rustix::fs::{XattrFlags, getxattr, setxattr};
use tempfile::TempDir;
use time::Duration;
use time::macros::datetime;

use super::*;
use crate::store::error::Kind;
use crate::store::fault::Step;
use crate::store::testing::{Listing, listing};

const NOW: OffsetDateTime = datetime!(2026-03-01 12:00:07 UTC);

/// Files of others, in two directories.
struct Others(TempDir);

impl Others {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let others = Self(dir);
        for directory in ["haproxy", "server1"] {
            fs::create_dir(others.path(directory)).unwrap();
        }
        others.write("haproxy/zato.config", 0o644, "old lines");
        others.write("haproxy/key.pem", 0o600, "old key");
        others.write("server1/server.conf", 0o640, "old settings");
        others.write("server1/gone.pem", 0o644, "gone");
        others
    }

    fn path(&self, below: &str) -> PathBuf {
        // Where temporary directories are may be a link.
        self.0.path().canonicalize().unwrap().join(below)
    }

    fn write(&self, path: &str, mode: u32, text: &str) {
        fs::write(self.path(path), text).unwrap();
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(self.path(path), mode).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    fn listing(&self) -> Listing {
        listing(self.0.path())
    }

    fn replacement(&self, path: &str, from: Option<&str>, to: Option<&str>) -> Replacement {
        let bytes = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
        Replacement {
            path: self.path(path),
            from: from.map(bytes),
            to: to.map(bytes),
            access: Access::Kept,
            has_backup: false,
        }
    }

    /// A bit of everything: replaced with and without a backup, made in a directory that is missing,
    /// removed.
    fn all(&self) -> Vec<Replacement> {
        let settings = self.replacement(
            "server1/server.conf",
            Some("old settings"),
            Some("settings"),
        );
        let key = self.replacement("server1/tls/new/key.pem", None, Some("key"));
        vec![
            self.replacement("haproxy/key.pem", Some("old key"), Some("key")),
            Replacement {
                access: Access::Like {
                    owner_of: self.path("server1/server.conf"),
                    mode: 0o600,
                },
                ..key
            },
            self.replacement("server1/gone.pem", Some("gone"), None),
            Replacement {
                has_backup: true,
                ..settings
            },
            Replacement {
                has_backup: true,
                ..self.replacement("haproxy/zato.config", Some("old lines"), Some("lines"))
            },
        ]
    }

    /// The files that [`Self::all`] names.
    fn paths(&self) -> Vec<PathBuf> {
        self.all().into_iter().map(|it| it.path).collect()
    }

    fn run(&self, faults: &Faults) -> Result<Vec<Backup>, Error> {
        begin_with(&self.all(), NOW, Links::Refused, faults)?.keep()
    }

    fn recover(&self, faults: &Faults) -> Result<Vec<Recovered>, Error> {
        let paths = self.paths();
        let paths: Vec<_> = paths.iter().map(PathBuf::as_path).collect();
        recovery::recover_with(&paths, faults)
    }

    fn open(&self) -> Option<Open> {
        let paths = self.paths();
        let paths: Vec<_> = paths.iter().map(PathBuf::as_path).collect();
        open_at(&paths).unwrap()
    }

    /// That `wanted` is refused and nothing has changed; why.
    fn refused(&self, wanted: &[Replacement], links: Links, faults: &Faults) -> Error {
        let before = self.listing();
        let error = begin_with(wanted, NOW, links, faults).unwrap_err();
        assert_eq!(self.listing(), before, "{error}");
        error
    }

    /// Without the name of the directory that all is in.
    fn shown(&self, error: &Error) -> String {
        let directory = self.path("");
        error.to_string().replace(directory.to_str().unwrap(), "")
    }
}

fn listed(entries: &[(&str, &str)]) -> Listing {
    let owned = |(path, what): &(&str, &str)| ((*path).to_owned(), (*what).to_owned());
    entries.iter().map(owned).collect()
}

fn new_files() -> Listing {
    listed(&[
        ("haproxy", "0755 directory"),
        ("haproxy/key.pem", "0600 key"),
        ("haproxy/zato.config", "0644 lines"),
        (
            "haproxy/zato.config.zpki-20260301T120007Z",
            "0644 old lines",
        ),
        ("server1", "0755 directory"),
        ("server1/server.conf", "0640 settings"),
        (
            "server1/server.conf.zpki-20260301T120007Z",
            "0640 old settings",
        ),
        ("server1/tls", "0755 directory"),
        ("server1/tls/new", "0755 directory"),
        ("server1/tls/new/key.pem", "0600 key"),
    ])
}

fn refused(wanted: &[Replacement]) -> Error {
    begin(wanted, NOW, Links::Refused).unwrap_err()
}

#[test]
fn all_files_are_replaced_and_what_is_kept_stays() {
    let others = Others::new();
    let in_place = begin(&others.all(), NOW, Links::Refused).unwrap();
    assert_eq!(others.read("haproxy/zato.config"), "lines");
    assert_eq!(others.read("server1/tls/new/key.pem"), "key");
    let backups = in_place.keep().unwrap();
    assert_eq!(others.listing(), new_files());
    let backup = |path: &str| Backup {
        of: others.path(path.split_once(".zpki-").unwrap().0),
        path: others.path(path),
        time: NOW,
    };
    let expected = [
        backup("server1/server.conf.zpki-20260301T120007Z"),
        backup("haproxy/zato.config.zpki-20260301T120007Z"),
    ];
    assert_eq!(backups, expected);
    assert_eq!(others.open(), None);
    assert_eq!(others.recover(&Faults::default()).unwrap(), []);
}

#[test]
fn what_is_undone_or_dropped_is_the_very_same_files_as_before() {
    let others = Others::new();
    let before = others.listing();
    let inodes = || {
        ["haproxy/zato.config", "server1/gone.pem"].map(|path| {
            let found = fs::metadata(others.path(path)).unwrap();
            (found.ino(), found.nlink())
        })
    };
    let old = inodes();
    begin(&others.all(), NOW, Links::Refused)
        .unwrap()
        .undo()
        .unwrap();
    assert_eq!((others.listing(), inodes()), (before.clone(), old));
    drop(begin(&others.all(), NOW, Links::Refused).unwrap());
    assert_eq!((others.listing(), inodes()), (before, old));
}

#[test]
fn what_changes_nothing_writes_nothing() {
    let others = Others::new();
    let changed = || fs::metadata(others.path("haproxy")).unwrap().mtime_nsec();
    let before = (others.listing(), changed());
    let wanted = [
        others.replacement("haproxy/zato.config", Some("old lines"), Some("old lines")),
        others.replacement("missing/file", None, None),
    ];
    let in_place = begin(&wanted, NOW, Links::Refused).unwrap();
    assert_eq!(in_place.keep().unwrap(), []);
    begin(&wanted, NOW, Links::Refused).unwrap().undo().unwrap();
    assert_eq!((others.listing(), changed()), before);
}

#[test]
fn a_disk_that_fails_at_any_step_leaves_all_old_or_all_new() {
    let (mut undone, mut committed) = (0, 0);
    for step in 0.. {
        let others = Others::new();
        let before = others.listing();
        let faults = Faults::fail_at(step, ErrorKind::StorageFull);
        let outcome = others.run(&faults);
        if !faults.struck() {
            outcome.unwrap();
            break;
        }
        match outcome {
            Ok(_) => panic!("step {step} failed and nobody noticed"),
            Err(error) if error.committed() => {
                committed += 1;
                others.recover(&Faults::default()).unwrap();
                assert_eq!(others.listing(), new_files(), "step {step}");
            }
            Err(error) => {
                undone += 1;
                assert!(!matches!(error, Error::NotTakenBack { .. }), "step {step}");
                assert_eq!(error.kind(), Kind::Io);
                assert_eq!(others.listing(), before, "step {step}: {error}");
            }
        }
    }
    assert!(undone > 50 && committed > 8, "{undone}, {committed}");
}

#[test]
fn a_crash_at_any_step_leaves_whole_files_and_is_recovered_from() {
    let (mut old, mut new) = (0, 0);
    for step in 0.. {
        let others = Others::new();
        let before = others.listing();
        let faults = Faults::crash_at(step);
        let outcome = others.run(&faults);
        if !faults.struck() {
            outcome.unwrap();
            break;
        }
        assert!(outcome.is_err(), "step {step}");
        for (path, texts) in [
            ("haproxy/key.pem", ["old key", "key"]),
            ("haproxy/zato.config", ["old lines", "lines"]),
            ("server1/server.conf", ["old settings", "settings"]),
        ] {
            assert!(texts.contains(&&*others.read(path)), "step {step}: {path}");
        }
        let open = others.open();
        assert!(open.as_ref().is_none_or(|open| !open.is_running));
        let recovered = others.recover(&Faults::default()).unwrap();
        assert!(recovered.len() <= 1);
        let outcome = recovered.first().map(|recovered| recovered.outcome);
        assert_eq!(
            open.is_some(),
            outcome == Some(Outcome::TakenBack),
            "step {step}"
        );
        if let Some(recovered) = recovered.first() {
            assert_eq!(recovered.files, others.paths());
            assert_eq!(recovered.time, NOW);
        }
        assert_eq!(others.open(), None);
        assert_eq!(others.recover(&Faults::default()).unwrap(), []);
        if others.listing() == before {
            old += 1;
            assert_ne!(outcome, Some(Outcome::Finished), "step {step}");
            others.run(&Faults::default()).unwrap();
        } else {
            new += 1;
            assert_ne!(outcome, Some(Outcome::TakenBack), "step {step}");
        }
        assert_eq!(others.listing(), new_files(), "step {step}");
    }
    assert!(old > 50 && new > 8, "{old}, {new}");
}

#[test]
fn a_file_in_a_directory_that_was_made_leads_to_all_files_of_a_killed_exchange() {
    for step in 0.. {
        let others = Others::new();
        let before = others.listing();
        let faults = Faults::crash_at(step);
        let outcome = others.run(&faults);
        if !faults.struck() {
            outcome.unwrap();
            break;
        }
        recover(&[&others.path("server1/tls/new/key.pem")]).unwrap();
        // A record that stands alone in the deciding directory is all that is out of sight from here.
        let mut found = others.listing();
        found.retain(|path, _| !path.starts_with("haproxy/.zpki-exchange"));
        assert!(
            found == before || found == new_files(),
            "step {step}: {found:?}"
        );
        others.recover(&Faults::default()).unwrap();
        let found = others.listing();
        assert!(
            found == before || found == new_files(),
            "step {step}: {found:?}"
        );
    }
}

#[test]
fn any_file_of_a_killed_exchange_leads_to_all_of_them() {
    let old = Others::new().listing();
    for which in 0..Others::new().all().len() {
        let others = killed_in_place();
        recover(&[&others.paths()[which]]).unwrap();
        assert_eq!(others.listing(), old, "{which}");
        let others = killed_when_kept();
        recover(&[&others.paths()[which]]).unwrap();
        assert_eq!(others.listing(), new_files(), "{which}");
    }
}

/// All files are in place, and the run was killed before it kept them.
fn killed_in_place() -> Others {
    static STEPS: OnceLock<usize> = OnceLock::new();
    killed_after(&STEPS, |others, faults| {
        begin_with(&others.all(), NOW, Links::Refused, faults).is_ok()
    })
}

/// The run was killed right after it kept the files.
fn killed_when_kept() -> Others {
    static STEPS: OnceLock<usize> = OnceLock::new();
    killed_after(&STEPS, |others, faults| {
        let outcome = others.run(faults);
        outcome.is_err_and(|error| error.committed())
    })
}

/// The run was killed after the fewest steps for which `is_there` says so.
fn killed_after(steps: &OnceLock<usize>, is_there: fn(&Others, &Faults) -> bool) -> Others {
    let fewest = || {
        let is_there = |step: &usize| is_there(&Others::new(), &Faults::crash_at(*step));
        (0..).find(is_there).unwrap()
    };
    let others = Others::new();
    let faults = Faults::crash_at(*steps.get_or_init(fewest));
    assert!(is_there(&others, &faults));
    others
}

#[test]
fn a_crash_of_the_recovery_at_any_step_is_recovered_from() {
    let old = Others::new().listing();
    for (killed, outcome, expected) in [
        (killed_in_place as fn() -> Others, Outcome::TakenBack, old),
        (killed_when_kept, Outcome::Finished, new_files()),
    ] {
        for step in 0.. {
            let others = killed();
            let faults = Faults::crash_at(step);
            let first = others.recover(&faults);
            if !faults.struck() {
                assert_eq!(first.unwrap()[0].outcome, outcome);
                assert!(step > 8);
                break;
            }
            first.unwrap_err();
            others.recover(&Faults::default()).unwrap();
            assert_eq!(others.listing(), expected, "step {step}");
        }
    }
}

#[test]
fn a_crash_while_it_is_taken_back_is_recovered_from() {
    let mut steps = 0;
    for step in 0.. {
        let others = Others::new();
        let before = others.listing();
        let faults = Faults::crash_at(step);
        let Ok(in_place) = begin_with(&others.all(), NOW, Links::Refused, &faults) else {
            continue;
        };
        match in_place.undo() {
            Ok(()) => break,
            Err(error) => assert!(matches!(error, Error::NotTakenBack { .. }), "{error}"),
        }
        steps += 1;
        others.recover(&Faults::default()).unwrap();
        assert_eq!(others.listing(), before, "step {step}");
    }
    assert!(steps > 15, "{steps}");
}

#[test]
fn what_a_killed_run_has_left_is_to_be_recovered_first() {
    let others = killed_in_place();
    let before = others.listing();
    let wanted = [others.replacement("server1/server.conf", Some("settings"), Some("mine"))];
    let error = refused(&wanted);
    assert_eq!(
        others.shown(&error),
        "an earlier run that changed files in `server1` was cut short"
    );
    assert_eq!(error.kind(), Kind::Refused);
    let below = [others.replacement("server1/tls/new/other", None, Some("mine"))];
    assert!(matches!(refused(&below), Error::CutShort { .. }));
    assert_eq!(others.listing(), before);
    let open = others.open().unwrap();
    assert_eq!((open.files, open.is_running), (others.paths(), false));
}

#[test]
fn what_is_not_as_it_was_read_is_refused_and_nothing_is_touched() {
    let others = Others::new();
    fs::create_dir(others.path("haproxy/directory")).unwrap();
    symlink("nowhere", others.path("haproxy/dangling")).unwrap();
    symlink("../server1/server.conf", others.path("haproxy/out")).unwrap();
    let long = "-".repeat(LONGEST + 1);
    let conf = "server1/server.conf";
    let twice = || others.replacement(conf, Some("old settings"), Some("a"));
    let one = |path, from, to| vec![others.replacement(path, from, Some(to))];
    let cases = [
        (
            one(conf, Some("older"), "new"),
            "`server1/server.conf` was changed by somebody else",
        ),
        (
            one(conf, None, "new"),
            "`server1/server.conf` was changed by somebody else",
        ),
        (
            one("server1/a", Some("a"), "new"),
            "`server1/a` was changed by somebody else",
        ),
        (
            one("no/where/a", Some("a"), "new"),
            "`no/where/a` was changed by somebody else",
        ),
        (
            one("haproxy/directory", None, "new"),
            "`haproxy/directory` is not a regular file",
        ),
        (
            one("haproxy/dangling", None, "new"),
            "`haproxy/dangling` is a symbolic link to something that does not exist",
        ),
        (
            one("haproxy/out", Some("old settings"), "new"),
            "`haproxy/out` is a link out of its directory, to `server1/server.conf`",
        ),
        (
            one(conf, Some("old settings"), &long),
            "cannot write `server1/server.conf`",
        ),
        (
            vec![twice(), twice()],
            "two of the files to be written are `server1/server.conf`",
        ),
        (
            one("haproxy/..", None, "new"),
            "`haproxy/..` is not a regular file",
        ),
        (
            one("server1/server.conf/a", None, "new"),
            "cannot open `server1/server.conf`",
        ),
        (one("no/../a", None, "new"), "cannot open `no/..`"),
    ];
    for (wanted, message) in cases {
        let mut all = vec![others.replacement("haproxy/new", None, Some("new"))];
        all.extend(wanted);
        let error = others.refused(&all, Links::Refused, &Faults::default());
        assert_eq!(others.shown(&error), message);
        let is_io = matches!(error, Error::Io { .. });
        assert_eq!(
            error.kind(),
            if is_io { Kind::Io } else { Kind::Refused },
            "{message}"
        );
    }
    let name = std::ffi::OsStr::from_bytes(b"\xff");
    let mut wanted = others.replacement("server1/a", None, Some("a"));
    wanted.path.set_file_name(name);
    let error = others.refused(&[wanted], Links::Refused, &Faults::default());
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "path contains invalid UTF-8 characters");
}

#[test]
fn a_link_is_followed_when_it_stays_in_its_directory_or_may_lead_out_of_it() {
    let others = Others::new();
    symlink("server.conf", others.path("server1/inside")).unwrap();
    symlink("../server1/server.conf", others.path("haproxy/out")).unwrap();
    let change = |path, from, to, links| {
        let replacement = Replacement {
            has_backup: true,
            ..others.replacement(path, Some(from), Some(to))
        };
        begin(&[replacement], NOW, links).unwrap().keep().unwrap()
    };
    change("server1/inside", "old settings", "1", Links::Refused);
    assert_eq!(others.read("server1/server.conf"), "1");
    let kept = change("haproxy/out", "1", "2", Links::Followed);
    assert_eq!(others.read("server1/server.conf"), "2");
    assert_eq!(
        kept[0].path,
        others.path("server1/server.conf.zpki-20260301T120007Z-2")
    );
    assert_eq!(backups(&others.path("haproxy/out")).unwrap()[0], kept[0]);
    for link in ["server1/inside", "haproxy/out"] {
        assert!(others.path(link).is_symlink());
    }
    // A directory that is reached through a link is no link of the file.
    symlink("server1", others.path("current")).unwrap();
    change("current/server.conf", "2", "3", Links::Refused);
    assert_eq!(others.read("server1/server.conf"), "3");
}

#[test]
fn a_directory_that_has_become_a_link_is_not_followed() {
    let others = killed_in_place();
    fs::rename(others.path("server1"), others.path("elsewhere")).unwrap();
    symlink("elsewhere", others.path("server1")).unwrap();
    let before = others.listing();
    let error = recover(&[&others.path("haproxy/zato.config")]).unwrap_err();
    assert_eq!(others.shown(&error), "cannot open `server1`");
    assert_eq!(others.listing(), before);
    fs::remove_file(others.path("server1")).unwrap();
    fs::rename(others.path("elsewhere"), others.path("server1")).unwrap();
    recover(&[&others.path("haproxy/zato.config")]).unwrap();
    assert_eq!(others.listing(), Others::new().listing());
}

#[test]
fn a_killed_exchange_is_found_through_a_link() {
    let others = Others::new();
    symlink("../server1/server.conf", others.path("haproxy/out")).unwrap();
    let before = others.listing();
    let wanted = [others.replacement("haproxy/out", Some("old settings"), Some("new"))];
    for step in 0.. {
        let faults = Faults::crash_at(step);
        let begun = begin_with(&wanted, NOW, Links::Followed, &faults);
        let is_done = begun.is_ok();
        drop(begun);
        recover(&[&wanted[0].path]).unwrap();
        assert_eq!(others.listing(), before, "step {step}");
        if is_done {
            break;
        }
    }
}

#[test]
fn what_somebody_changes_before_the_rename_is_refused_and_kept() {
    let others = Others::new();
    let before = others.listing();
    let planned_on = others.all();
    others.write("server1/server.conf", 0o640, "by hand");
    let error = others.refused(&planned_on, Links::Refused, &Faults::default());
    assert!(matches!(error, Error::Changed { .. }), "{error}");
    others.write("server1/server.conf", 0o640, "old settings");
    fs::create_dir_all(others.path("server1/tls/new")).unwrap();
    others.write("server1/tls/new/key.pem", 0o600, "by hand");
    let error = others.refused(&planned_on, Links::Refused, &Faults::default());
    assert!(matches!(error, Error::Changed { .. }), "{error}");
    fs::remove_dir_all(others.path("server1/tls")).unwrap();
    assert_eq!(others.listing(), before);
}

#[test]
fn what_somebody_has_changed_since_is_not_overwritten_when_it_is_taken_back() {
    for path in [
        "server1/server.conf",
        "server1/tls/new/key.pem",
        "server1/gone.pem",
    ] {
        let others = Others::new();
        let old = others.listing();
        let in_place = begin(&others.all(), NOW, Links::Refused).unwrap();
        let aside = others.path("aside");
        fs::write(&aside, "by hand").unwrap();
        fs::rename(&aside, others.path(path)).unwrap();
        let found = others.listing();
        let error = in_place.undo().unwrap_err();
        let Error::NotTakenBack { source } = &error else {
            panic!("{error}");
        };
        assert_eq!(
            others.shown(source),
            format!(
                "`{path}` was changed by hand, and the unfinished change of an earlier run would overwrite it"
            )
        );
        assert_eq!(others.listing(), found);
        let error = others.recover(&Faults::default()).unwrap_err();
        assert!(matches!(error, Error::Conflict { .. }), "{error}");
        assert_eq!(others.listing(), found);
        fs::rename(others.path(path), &aside).unwrap();
        others.recover(&Faults::default()).unwrap();
        assert_eq!(fs::read_to_string(&aside).unwrap(), "by hand");
        fs::remove_file(&aside).unwrap();
        assert_eq!(others.listing(), old);
    }
}

#[test]
fn a_directory_into_which_somebody_has_put_something_stays() {
    let others = Others::new();
    let in_place = begin(&others.all(), NOW, Links::Refused).unwrap();
    others.write("server1/tls/mine", 0o644, "mine");
    in_place.undo().unwrap();
    assert_eq!(others.read("server1/tls/mine"), "mine");
    assert!(!others.path("server1/tls/new").exists());
    assert!(!others.path("server1/tls").join(EXCHANGE).exists());
}

const ACL: &str = "system.posix_acl_access";
const LABEL: &str = "security.selinux";

/// An access control list in the kernel's form: the owner, one more user, the group, the mask, others.
fn acl(user: u32) -> Vec<u8> {
    let nobody = u32::MAX;
    let entries: [(u16, u16, u32); 5] = [
        (0x01, 6, nobody),
        (0x02, 4, user),
        (0x04, 0, nobody),
        (0x10, 4, nobody),
        (0x20, 0, nobody),
    ];
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = [0; 256];
    let length = getxattr(path, name, &mut value[..]).ok()?;
    Some(value[..length].to_vec())
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn owner_group_mode_access_control_list_and_label_are_kept() {
    let others = Others::new();
    let path = others.path("server1/server.conf");
    let own = fs::metadata(&path).unwrap();
    // Only root may give a file away, or label it where there is no policy that lets others do so.
    let owner = match is_root() {
        true => (1234, 1235),
        false => (own.uid(), own.gid()),
    };
    chown(&path, Some(owner.0), Some(owner.1)).unwrap();
    setxattr(&path, ACL, &acl(1236), XattrFlags::empty()).unwrap();
    let label = b"system_u:object_r:etc_t:s0\0".to_vec();
    if is_root() {
        setxattr(&path, LABEL, &label, XattrFlags::empty()).unwrap();
    }
    let label = attribute(&path, LABEL);
    begin(&others.all(), NOW, Links::Refused)
        .unwrap()
        .keep()
        .unwrap();
    assert_eq!(others.read("server1/server.conf"), "settings");
    let backup = others.path("server1/server.conf.zpki-20260301T120007Z");
    for path in [path, backup] {
        let found = fs::metadata(&path).unwrap();
        assert_eq!((found.uid(), found.gid()), owner);
        assert_eq!(found.mode() & 0o7777, 0o640);
        assert_eq!(attribute(&path, ACL), Some(acl(1236)));
        assert_eq!(attribute(&path, LABEL), label);
    }
    // What is made belongs to whom the settings belong to, and nobody else may read it.
    for (path, mode) in [
        ("server1/tls", 0o755),
        ("server1/tls/new", 0o755),
        ("server1/tls/new/key.pem", 0o600),
    ] {
        let found = fs::metadata(others.path(path)).unwrap();
        assert_eq!((found.uid(), found.gid()), owner, "{path}");
        assert_eq!(found.mode() & 0o7777, mode, "{path}");
        assert_eq!(attribute(&others.path(path), ACL), None, "{path}");
    }
}

#[test]
fn unusual_modes_are_kept_whatever_the_old_file_was() {
    for mode in [0o400, 0o444, 0o600, 0o660, 0o666, 0o755] {
        let others = Others::new();
        others.write("server1/server.conf", mode, "old settings");
        begin(&others.all(), NOW, Links::Refused)
            .unwrap()
            .keep()
            .unwrap();
        let found = &others.listing()["server1/server.conf"];
        assert_eq!(*found, format!("{mode:04o} settings"));
    }
}

#[test]
fn what_a_directory_hands_down_lets_nobody_read_a_key() {
    let others = Others::new();
    let directory = others.path("server1");
    let default = "system.posix_acl_default";
    setxattr(&directory, default, &acl(1236), XattrFlags::empty()).unwrap();
    let like = |mode| Access::Like {
        owner_of: others.path("server1/server.conf"),
        mode,
    };
    let wanted = [
        others.replacement("server1/server.conf", Some("old settings"), Some("new")),
        Replacement {
            access: like(0o640),
            ..others.replacement("server1/key.pem", None, Some("key"))
        },
    ];
    begin(&wanted, NOW, Links::Refused).unwrap().keep().unwrap();
    for Replacement { path, .. } in &wanted {
        assert_eq!(attribute(path, ACL), None, "{}", path.display());
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o7777, 0o640);
    }
}

#[test]
fn a_file_that_cannot_be_like_the_old_one_is_refused() {
    let others = Others::new();
    let path = others.path("server1/server.conf");
    setxattr(&path, ACL, &acl(1236), XattrFlags::empty()).unwrap();
    let forbidden = Faults::forbid(Step::Attribute);
    let error = others.refused(&others.all(), Links::Refused, &forbidden);
    assert_eq!(
        others.shown(&error),
        "the access control list of `server1/server.conf` cannot be kept"
    );
    assert_eq!(error.kind(), Kind::Permission);
    if is_root() {
        chown(&path, Some(1234), Some(1235)).unwrap();
        let forbidden = Faults::forbid(Step::Own);
        let error = others.refused(&others.all(), Links::Refused, &forbidden);
        assert!(
            matches!(
                error,
                Error::Foreign {
                    user: 1234,
                    group: 1235,
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!(error.kind(), Kind::Permission);
        assert!(error.hint().contains("run as root"), "{}", error.hint());
    }
}

#[test]
fn whatever_is_not_permitted_says_who_may_do_it() {
    for step in 2.. {
        let others = Others::new();
        let faults = Faults::fail_at(step, ErrorKind::PermissionDenied);
        let before = others.listing();
        match begin_with(&others.all(), NOW, Links::Refused, &faults) {
            Ok(_) => break,
            Err(Error::LocksUnsupported { .. }) => {}
            Err(error) => {
                assert_eq!(error.kind(), Kind::Permission, "step {step}: {error}");
                assert!(
                    error.hint().starts_with("run as root"),
                    "step {step}: {error}"
                );
            }
        }
        assert_eq!(others.listing(), before, "step {step}");
    }
}

#[test]
fn a_file_with_other_names_is_replaced_at_this_one() {
    let others = Others::new();
    let other = others.path("haproxy/other");
    fs::hard_link(others.path("server1/server.conf"), &other).unwrap();
    let before = others.listing();
    drop(begin(&others.all(), NOW, Links::Refused).unwrap());
    assert_eq!(others.listing(), before);
    begin(&others.all(), NOW, Links::Refused)
        .unwrap()
        .keep()
        .unwrap();
    assert_eq!(others.read("haproxy/other"), "old settings");
    assert_eq!(others.read("server1/server.conf"), "settings");
}

#[test]
fn a_file_that_is_mounted_is_refused() {
    const MOUNTED: &str = "MOUNTED_FOR_THIS_TEST";
    // In a namespace of its own the mount is nobody else's, and goes with the process.
    if let Some(path) = std::env::var_os(MOUNTED) {
        let before = listing(path.as_ref());
        let bytes = Zeroizing::new(b"old".to_vec());
        let wanted = Replacement {
            path: Path::new(&path).join("zato.config"),
            from: Some(bytes.clone()),
            to: Some(Zeroizing::new(b"new".to_vec())),
            access: Access::Kept,
            has_backup: true,
        };
        let error = refused(&[wanted]);
        assert!(matches!(error, Error::Mounted { .. }), "{error}");
        assert_eq!(listing(path.as_ref()), before);
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("zato.config"), "old").unwrap();
    let namespace: &[&str] = match is_root() {
        true => &["--mount", "--propagation", "private"],
        false => &["--user", "--map-root-user", "--mount"],
    };
    let name = "store::exchange::tests::a_file_that_is_mounted_is_refused";
    let script = r#"mount --bind "$1/zato.config" "$1/zato.config" && exec "$2" --exact "$3""#;
    let output = Command::new("unshare")
        .args(namespace)
        .args(["--", "sh", "-c", script, "sh"])
        .arg(dir.path())
        .arg(std::env::current_exe().unwrap())
        .arg(name)
        .env(MOUNTED, dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(text.contains("1 passed"), "{text}");
}

#[test]
fn the_second_run_is_refused_while_the_first_is_at_work() {
    let others = Others::new();
    let in_place = begin(&others.all(), NOW, Links::Refused).unwrap();
    let before = others.listing();
    let second = [
        others.replacement("haproxy/other", None, Some("other")),
        others.replacement("server1/server.conf", Some("settings"), Some("second")),
    ];
    let error = refused(&second);
    assert_eq!(
        others.shown(&error),
        "another zpki is changing files in `haproxy`"
    );
    assert_eq!(error.kind(), Kind::Locked);
    let error = others.recover(&Faults::default()).unwrap_err();
    assert!(matches!(error, Error::Exchanging { .. }), "{error}");
    assert!(others.open().unwrap().is_running);
    assert_eq!(others.listing(), before);
    in_place.keep().unwrap();
    begin(&second, NOW, Links::Refused).unwrap().keep().unwrap();
    assert_eq!(others.read("server1/server.conf"), "second");
}

#[test]
fn runs_at_once_never_mix_their_files() {
    let others = Others::new();
    let paths = ["haproxy/zato.config", "server1/server.conf"];
    for path in paths {
        others.write(path, 0o644, "0");
    }
    let others = &others;
    let turn = |order: [&str; 2]| {
        let texts = order.map(|path| others.read(path));
        let next = texts[0].parse::<u32>().unwrap() + 1;
        let next = next.to_string();
        let one = |(path, text): (&str, &String)| others.replacement(path, Some(text), Some(&next));
        let wanted: Vec<_> = order.into_iter().zip(&texts).map(one).collect();
        match begin(&wanted, NOW, Links::Refused) {
            Ok(in_place) => in_place.keep().map(|_| true).unwrap(),
            Err(Error::Changed { .. } | Error::Exchanging { .. }) => false,
            Err(error) => panic!("{error:?}"),
        }
    };
    let done: u32 = thread::scope(|scope| {
        let work = |order| move || (0..30).map(|_| u32::from(turn(order))).sum::<u32>();
        let orders = [paths, [paths[1], paths[0]]];
        let runs = orders.map(|order| scope.spawn(work(order)));
        runs.into_iter().map(|run| run.join().unwrap()).sum()
    });
    assert!(done > 0);
    for path in paths {
        assert_eq!(others.read(path), done.to_string());
    }
    assert_eq!(others.recover(&Faults::default()).unwrap(), []);
}

#[test]
fn backups_are_listed_the_newest_first() {
    let others = Others::new();
    let path = others.path("server1/server.conf");
    let mut text = "old settings".to_owned();
    let change = |from: &str, to: &str, time| {
        let replacement = Replacement {
            has_backup: true,
            ..others.replacement("server1/server.conf", Some(from), Some(to))
        };
        begin(&[replacement], time, Links::Refused)
            .unwrap()
            .keep()
            .unwrap()
    };
    // Eleven in one second, for 10 comes after 9; and one an hour before that, made last.
    for number in 0..11 {
        let next = number.to_string();
        change(&text, &next, NOW);
        text = next;
    }
    change(&text, "last", NOW - Duration::HOUR);
    for name in [
        "server.conf.zpki-new",
        "server.conf.zpki-20260301T120007Z-1",
        "server.conf2",
    ] {
        others.write(&format!("server1/{name}"), 0o644, "no backup");
    }
    let found = backups(&path).unwrap();
    let texts: Vec<_> = found
        .iter()
        .map(|backup| fs::read_to_string(&backup.path).unwrap())
        .collect();
    let expected = "9 8 7 6 5 4 3 2 1 0 old_settings 10".replace(' ', "\n");
    let expected: Vec<_> = expected
        .lines()
        .map(|line| line.replace('_', " "))
        .collect();
    assert_eq!(texts, expected);
    assert_eq!(found[0].time, NOW);
    assert_eq!(found[11].time, NOW - Duration::HOUR);
    assert_eq!(
        found[9].path,
        others.path("server1/server.conf.zpki-20260301T120007Z-2")
    );
    assert_eq!(backups(&others.path("no/such/file")).unwrap(), []);
}

#[test]
fn a_record_that_this_run_cannot_trust_is_refused_and_nothing_is_touched() {
    type Spoil = fn(&Others);
    let spoil: [(&str, Spoil); 3] = [
        ("cannot be used: expected", |others| {
            others.write(&format!("server1/{EXCHANGE}"), 0o600, "no record");
        }),
        ("what became of it should stand in", |others| {
            fs::remove_file(others.path("haproxy").join(EXCHANGE)).unwrap();
        }),
        ("of use to that user only", |others| {
            let record = others.path("server1").join(EXCHANGE);
            chown(record, Some(1234), None).unwrap();
        }),
    ];
    // Only root may give it away, and only root has anything to fear.
    let spoil = &spoil[..if is_root() { 3 } else { 2 }];
    for (message, spoil) in spoil {
        let others = killed_in_place();
        spoil(&others);
        let before = others.listing();
        let error = recover(&[&others.path("server1/server.conf")]).unwrap_err();
        assert!(matches!(error, Error::Record { .. }), "{error}");
        assert!(error.to_string().contains(message), "{error}");
        assert_eq!(others.listing(), before);
    }
}

#[test]
fn a_record_of_long_ago_changes_nothing_where_it_does_not_stand() {
    let others = Others::new();
    let in_place = begin(&others.all(), NOW, Links::Refused).unwrap();
    let record = others.path("haproxy").join(EXCHANGE);
    let saved = others.path("saved");
    fs::copy(&record, &saved).unwrap();
    in_place.keep().unwrap();
    fs::rename(&saved, &record).unwrap();
    recover(&[&others.path("haproxy/zato.config")]).unwrap();
    assert_eq!(others.read("server1/server.conf"), "settings");
    assert_eq!(others.read("server1/tls/new/key.pem"), "key");
}
