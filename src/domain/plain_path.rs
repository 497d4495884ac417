//! Paths that may stand in the files of systemd, cron and Nagios.

use std::path::Path;

use super::error::Invalid;

/// An absolute path without what those files and a shell cannot all say: quotes, backslashes, `$`, `;`
/// and control characters. Spaces and `%` are quoted where they must be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PlainPath(String);

impl PlainPath {
    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&Path> for PlainPath {
    type Error = Invalid;

    fn try_from(path: &Path) -> Result<Self, Invalid> {
        let refused = |because| Invalid::PlainPath {
            path: path.to_string_lossy().into_owned(),
            because,
        };
        let text = path.to_str().ok_or_else(|| refused("is not UTF-8"))?;
        if !path.is_absolute() {
            return Err(refused("is not absolute"));
        }
        let is_special = |c: char| c.is_control() || "\"'`\\$;".contains(c);
        if text.chars().any(is_special) {
            return Err(refused(
                "has a character that a systemd unit, a crontab or Nagios acts on",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn what_some_file_could_not_say_is_refused() {
        for good in ["/srv/our pki/100%", "/usr/bin/zpki", "/", "/ü(1)&|#*~"] {
            let path = PlainPath::try_from(Path::new(good)).unwrap();
            assert_eq!(path.as_str(), good);
        }
        for bad in [
            &b"pki"[..],
            b"",
            b"/a\nb",
            b"/a\xff",
            b"/it's",
            b"/a\"b",
            br"/a\b",
            b"/$HOME",
            b"/a;b",
            b"/`a`",
        ] {
            let path = Path::new(OsStr::from_bytes(bad));
            PlainPath::try_from(path).unwrap_err();
        }
        let error = PlainPath::try_from(Path::new("/it's")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the path `/it's` has a character that a systemd unit, a crontab or Nagios acts on"
        );
    }
}
