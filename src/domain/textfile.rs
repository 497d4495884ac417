//! Where metrics are put for node_exporter.

use std::path::Path;
use std::str::FromStr;

use super::error::Invalid;

/// A file that node_exporter's textfile collector reads: its name ends in `.prom`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TextfilePath(String);

impl FromStr for TextfilePath {
    type Err = Invalid;

    fn from_str(path: &str) -> Result<Self, Invalid> {
        if path.ends_with(".prom") {
            Ok(Self(path.to_owned()))
        } else {
            Err(Invalid::Textfile {
                path: path.to_owned(),
            })
        }
    }
}

impl AsRef<Path> for TextfilePath {
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_nobody_would_read_is_refused() {
        for good in ["zpki.prom", "/var/lib/prometheus/node-exporter/a.b.prom"] {
            let path: TextfilePath = good.parse().unwrap();
            assert_eq!(path.as_ref(), Path::new(good));
        }
        for bad in ["", "/tmp/", "zpki", "zpki.prom.tmp", "zpki.PROM", "a.prom/"] {
            let error = bad.parse::<TextfilePath>().unwrap_err();
            let message = format!("the path `{bad}` does not end in `.prom`");
            assert_eq!(error.to_string(), message);
            assert!(error.hint().contains("node_exporter"));
        }
    }
}
