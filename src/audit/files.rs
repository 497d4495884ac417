//! Modes and owners of files.

use std::path::{Path, PathBuf};

use crate::domain::finding::{Finding, Severity};
use crate::domain::text::ShellWord;

/// A file or directory, and what it should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Observed {
    /// Relative to the PKI directory.
    pub path: PathBuf,
    /// Its permission bits.
    pub mode: u32,
    /// Those that it should have.
    pub expected: u32,
    /// The numeric user that owns it.
    pub owner: u32,
    /// Whether it is what a host gets, and so may be the user's who reads it there.
    pub is_of_host: bool,
}

/// The user who can write whatever the owner is.
const ROOT: u32 = 0;

/// What is wrong with the modes and owners of `observed`, when `owner` owns the PKI directory at `directory`.
///
/// A secret that others can read is critical, and so is whatever others can write; any other mode is a
/// warning. An owner that is not the directory's is one too, for whoever renews the certificates could
/// not write there: but root can, and may have given the files of a host to the user who reads them.
#[must_use]
pub fn check(observed: &[Observed], owner: u32, directory: &Path) -> Vec<Finding> {
    let findings = observed
        .iter()
        .flat_map(|file| [mode(file, directory), foreign(file, owner, directory)]);
    findings.flatten().collect()
}

fn mode(file: &Observed, directory: &Path) -> Option<Finding> {
    let Observed {
        path,
        mode,
        expected,
        ..
    } = file;
    if mode == expected {
        return None;
    }
    let about = path.display();
    let is_secret = expected & 0o077 == 0;
    let (severity, id) = if is_secret && mode & 0o077 != 0 {
        (Severity::Critical, "secret-readable")
    } else if mode & 0o022 != 0 {
        (Severity::Critical, "writable-by-others")
    } else {
        (Severity::Warning, "mode-differs")
    };
    Some(Finding {
        severity,
        id,
        about: about.to_string(),
        why: format!("its mode is {mode:04o}, and {expected:04o} is expected"),
        next: Some(with_path(&format!("chmod {expected:04o}"), path, directory)),
    })
}

/// A command for the file at `path`, wherever it is run.
fn with_path(command: &str, path: &Path, directory: &Path) -> String {
    let path: PathBuf = directory.join(path).components().collect();
    format!("{command} {}", ShellWord(&path.display().to_string()))
}

fn foreign(file: &Observed, owner: u32, directory: &Path) -> Option<Finding> {
    let is_given_away = owner == ROOT && file.is_of_host;
    (file.owner != owner && !is_given_away).then(|| {
        Finding::warning(
            "owner-differs",
            file.path.display(),
            format!(
                "user {} owns it, and user {owner} the PKI directory",
                file.owner
            ),
            with_path(&format!("chown {owner}"), &file.path, directory),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(mode: u32, expected: u32) -> Vec<String> {
        let file = Observed {
            path: "servers/server1/key.pem".into(),
            mode,
            expected,
            owner: ROOT,
            is_of_host: true,
        };
        words(&check(&[file], ROOT, Path::new("/pki")))
    }

    fn words(findings: &[Finding]) -> Vec<String> {
        let findings = findings.iter();
        findings
            .map(|finding| format!("{:?} {}", finding.severity, finding.id))
            .collect()
    }

    #[test]
    fn a_secret_that_others_can_read_is_critical() {
        assert_eq!(told(0o600, 0o600), [""; 0]);
        assert_eq!(told(0o640, 0o600), ["Critical secret-readable"]);
        assert_eq!(told(0o400, 0o600), ["Warning mode-differs"]);
        assert_eq!(told(0o666, 0o644), ["Critical writable-by-others"]);
        assert_eq!(told(0o775, 0o755), ["Critical writable-by-others"]);
        assert_eq!(told(0o700, 0o755), ["Warning mode-differs"]);
        assert_eq!(told(0o755, 0o700), ["Critical secret-readable"]);
    }

    #[test]
    fn the_next_step_works_wherever_it_is_done() {
        let next = |path: &str| {
            let file = Observed {
                path: path.into(),
                mode: 0o777,
                expected: 0o755,
                owner: 7,
                is_of_host: false,
            };
            let findings = check(&[file], ROOT, Path::new("/my pki"));
            let next = findings.into_iter().filter_map(|finding| finding.next);
            next.collect::<Vec<_>>()
        };
        assert_eq!(next("."), ["chmod 0755 '/my pki'", "chown 0 '/my pki'"]);
        assert_eq!(
            next("ca"),
            ["chmod 0755 '/my pki/ca'", "chown 0 '/my pki/ca'"]
        );
        assert_eq!(
            next("/vault/key"),
            ["chmod 0755 /vault/key", "chown 0 /vault/key"]
        );
    }

    #[test]
    fn another_owner_is_a_warning_but_where_root_gave_a_file_to_its_host() {
        let told = |is_of_host, of_file, of_directory| {
            let file = Observed {
                path: "key.pem".into(),
                mode: 0o600,
                expected: 0o600,
                owner: of_file,
                is_of_host,
            };
            words(&check(&[file], of_directory, Path::new("/pki")))
        };
        assert_eq!(told(false, 7, ROOT), ["Warning owner-differs"]);
        assert_eq!(told(true, 7, ROOT), [""; 0]);
        assert_eq!(told(true, 7, 8), ["Warning owner-differs"]);
        assert_eq!(told(true, ROOT, 8), ["Warning owner-differs"]);
        assert_eq!(told(true, 8, 8), [""; 0]);
    }
}
