//! Modes and owners of files.

use std::path::PathBuf;

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
}

/// What is wrong with the modes and owners of `observed`, when `owner` owns the PKI directory.
///
/// A secret that others can read is critical, and so is whatever others can write; any other mode is a
/// warning. An owner that is not the
/// directory's is one too: whoever renews the certificates could not write there.
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
        next: Some(format!("chmod {expected:04o} {about}")),
    })
}

fn foreign(file: &Observed, owner: u32) -> Option<Finding> {
    (file.owner != owner).then(|| {
        Finding::warning(
            "owner-differs",
            file.path.display(),
            format!(
                "user {} owns it, and user {owner} the PKI directory",
                file.owner
            ),
            format!("chown {owner} {}", file.path.display()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(mode: u32, expected: u32, owner: u32) -> Vec<String> {
        let file = Observed {
            path: "servers/server1/key.pem".into(),
            mode,
            expected,
            owner,
        };
        let findings = check(&[file], 0).into_iter();
        findings
            .map(|finding| format!("{:?} {}", finding.severity, finding.id))
            .collect()
    }

    #[test]
    fn a_secret_that_others_can_read_is_critical() {
        assert_eq!(told(0o600, 0o600, 0), [""; 0]);
        assert_eq!(told(0o640, 0o600, 0), ["Critical secret-readable"]);
        assert_eq!(told(0o400, 0o600, 0), ["Warning mode-differs"]);
        assert_eq!(told(0o666, 0o644, 0), ["Critical writable-by-others"]);
        assert_eq!(told(0o775, 0o755, 0), ["Critical writable-by-others"]);
        assert_eq!(told(0o700, 0o755, 0), ["Warning mode-differs"]);
        assert_eq!(told(0o755, 0o700, 0), ["Critical secret-readable"]);
    }

    #[test]
    fn another_owner_is_a_warning() {
        assert_eq!(told(0o600, 0o600, 7), ["Warning owner-differs"]);
    }
}
