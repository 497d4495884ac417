//! Modes and owners of files.

use std::path::{Path, PathBuf};

use crate::domain::finding::{Finding, Severity};

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

/// What is wrong with the modes and owners of `observed`, when `owner` owns the PKI directory.
///
/// A secret that others can read is critical, and so is whatever others can write; any other mode is a
/// warning. An owner that is not the directory's is one too, for whoever renews the certificates could
/// not write there: but root can, and may have given the files of a host to the user who reads them.
#[must_use]
pub fn check(observed: &[Observed], owner: u32) -> Vec<Finding> {
    let findings = observed
        .iter()
        .flat_map(|file| [mode(file), foreign(file, owner)]);
    findings.flatten().collect()
}

fn mode(file: &Observed) -> Option<Finding> {
    let Observed {
        path,
        mode,
        expected,
        ..
    } = file;
    if mode == expected {
        return None;
    }
    let about = shown(path);
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
        about: about.clone(),
        why: format!("its mode is {mode:04o}, and {expected:04o} is expected"),
        next: Some(format!("chmod {expected:04o} {about}")),
    })
}

fn foreign(file: &Observed, owner: u32) -> Option<Finding> {
    let is_given_away = owner == ROOT && file.is_of_host;
    (file.owner != owner && !is_given_away).then(|| {
        Finding::warning(
            "owner-differs",
            shown(&file.path),
            format!(
                "user {} owns it, and user {owner} the PKI directory",
                file.owner
            ),
            format!("chown {owner} {}", shown(&file.path)),
        )
    })
}

/// A path as a shell takes it: that of the PKI directory itself is empty.
fn shown(path: &Path) -> String {
    let shown = if path == Path::new("") {
        Path::new(".")
    } else {
        path
    };
    shown.display().to_string()
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
        words(&check(&[file], ROOT))
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
    fn the_directory_itself_has_a_name_for_the_shell() {
        let root = Observed {
            path: "".into(),
            mode: 0o777,
            expected: 0o755,
            owner: 7,
            is_of_host: false,
        };
        let told = check(&[root], ROOT);
        let next: Vec<_> = told.iter().filter_map(|it| it.next.as_deref()).collect();
        assert_eq!(next, ["chmod 0755 .", "chown 0 ."]);
        assert!(told.iter().all(|it| it.about == "."));
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
            words(&check(&[file], of_directory))
        };
        assert_eq!(told(false, 7, ROOT), ["Warning owner-differs"]);
        assert_eq!(told(true, 7, ROOT), [""; 0]);
        assert_eq!(told(true, 7, 8), ["Warning owner-differs"]);
        assert_eq!(told(true, ROOT, 8), ["Warning owner-differs"]);
        assert_eq!(told(true, 8, 8), [""; 0]);
    }
}
