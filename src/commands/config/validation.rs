//! What is checked before anything is replaced: HAProxy's new text by HAProxy itself, a server's by the
//! rules of its server, together with the files that both name.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::Prepared;
use super::refusal::Refusal;
use crate::commands::check::configuration::{self, ConfigurationReport};
use crate::commands::error::Error;
use crate::domain::finding::{Finding, Severity};
use crate::store::scratch::Scratch;
use crate::system::System;
use crate::system::validator::Verdict;

/// Who checks the new text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Validation {
    /// `haproxy -c` and zpki's own check; or, in place of `haproxy -c`, a command of the user's.
    By {
        /// The command; the copy is at `$ZPKI_FILE`.
        command: String,
    },
    /// Nobody.
    Skipped,
}

/// How HAProxy checks a configuration; Debian has it where few users look.
pub const HAPROXY: &str = r#"PATH=$PATH:/usr/sbin haproxy -c -f "$ZPKI_FILE""#;

/// How long a validator may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The variable that has the path of the copy.
const FILE_VARIABLE: &str = "ZPKI_FILE";

/// Lines of a validator's output that are told.
const SHOWN: usize = 12;

impl Validation {
    /// Judges everything that changes; what there is to say when nobody does.
    ///
    /// # Errors
    /// [`Refusal`]; nothing was changed.
    pub(super) fn judge(
        &self,
        prepared: &Prepared,
        system: &mut System,
    ) -> Result<Option<Finding>, Error> {
        if *self == Self::Skipped {
            return Ok(Some(Finding::warning(
                "not-validated",
                "--no-validate",
                "nobody has checked the new text",
                "check it: haproxy -c -f FILE, zpki check --haproxy FILE --server-conf FILE",
            )));
        }
        if let Some(haproxy) = prepared.haproxy().filter(|it| it.is_change()) {
            let text = haproxy.to_judge.as_deref().unwrap_or(&haproxy.after);
            self.judge_haproxy(&haproxy.path, text, system)?;
        }
        judge_both_ends(prepared, system)?;
        Ok(None)
    }

    /// Lets HAProxy check a text that is to stand at `path`.
    pub(super) fn judge_haproxy(
        &self,
        path: &Path,
        text: &[u8],
        system: &mut System,
    ) -> Result<(), Error> {
        let Self::By { command } = self else {
            return Ok(());
        };
        let above = system.variable("TMPDIR").map(Path::new);
        let above = above.unwrap_or_else(|| Path::new("/tmp"));
        let name = path.file_name().unwrap_or_default();
        let scratch = match follows_file(text) {
            true => Scratch::beside(path, text)?,
            false => Scratch::new(above, name, text)?,
        };
        let variables = [(FILE_VARIABLE, scratch.path().as_os_str())];
        let refusal = match system.validate(OsStr::new(command), &variables, LIMIT) {
            Verdict::Accepted => return Ok(()),
            Verdict::NotRun { because } => Refusal::ValidatorNotRun {
                command: command.clone(),
                because,
            },
            Verdict::Refused { status, output } => Refusal::Validation {
                path: path.to_owned(),
                command: command.clone(),
                ended: status.to_string(),
                output: told(&output.text, scratch.path(), path),
            },
            Verdict::TimedOut { limit, .. } => Refusal::ValidatorHangs {
                command: command.clone(),
                limit,
            },
            Verdict::Interrupted => return Err(Error::Interrupted),
        };
        Err(Error::Config(refusal))
    }
}

/// Whether relative paths of the configuration begin where it stands (`default-path config`).
fn follows_file(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let mut lines = text.lines().map(str::split_whitespace);
    lines.any(|mut words| {
        words.next() == Some("default-path") && matches!(words.next(), Some("config" | "parent"))
    })
}

/// The last lines of what a validator has printed, with the file's own path in place of the copy's.
fn told(output: &str, copy: &Path, path: &Path) -> String {
    let output = output.replace(&*copy.to_string_lossy(), &path.to_string_lossy());
    let lines: Vec<&str> = output
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(SHOWN)..].join("\n")
}

/// Checks both ends of each line as they would be. What was wrong before is not this run's.
fn judge_both_ends(prepared: &Prepared, system: &mut System) -> Result<(), Error> {
    let request = configuration::Request {
        haproxy: prepared
            .haproxy()
            .map(|it| it.path.clone())
            .into_iter()
            .collect(),
        server_confs: prepared.servers().map(|it| it.path.clone()).collect(),
        at: None,
    };
    let before = configuration::run(&request, system)?;
    system.planned = planned(prepared);
    let after = configuration::run(&request, system);
    system.planned = BTreeMap::new();
    let is_new =
        |finding: &Finding| finding.severity == Severity::Critical && !says(&before, finding);
    let mut findings: Vec<Finding> = after?.findings.into_iter().filter(is_new).collect();
    let is_missing = |finding: &&mut Finding| finding.id == "file-missing";
    for finding in findings.iter_mut().filter(is_missing) {
        finding.next = Some("copy it there, or give --install, which does".to_owned());
    }
    if findings.is_empty() {
        Ok(())
    } else {
        Err(Error::Config(Refusal::Judged { findings }))
    }
}

fn says(report: &ConfigurationReport, finding: &Finding) -> bool {
    let mut found = report.findings.iter();
    found.any(|it| it.id == finding.id && it.about == finding.about)
}

/// The files as they would be.
fn planned(prepared: &Prepared) -> BTreeMap<PathBuf, Zeroizing<Vec<u8>>> {
    let files = prepared.files.iter().flat_map(|file| {
        let installs = file.installs.iter();
        let installs = installs.map(|it| (it.target.clone(), it.after.clone()));
        installs.chain([(file.path.clone(), file.after.clone())])
    });
    files.collect()
}
