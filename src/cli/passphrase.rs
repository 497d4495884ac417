//! Where a passphrase comes from: a file, the environment, standard input; never an argument.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::args::CaPassphrase;
use crate::commands::error::{Error, Usage};
use crate::domain::finding::Finding;
use crate::system::{
    PASSPHRASE_FILE_VARIABLE as FILE_VARIABLE, PASSPHRASE_VARIABLE as VARIABLE, STDIN, System,
};
use crate::x509::passphrase::Passphrase;

const FLAG: &str = "--ca-passphrase-file";
/// The flag for none at all.
const NONE_FLAG: &str = "--no-ca-passphrase";

/// The passphrase that was given, if one was; `none` says that `--no-ca-passphrase` was, `input` what
/// else is read.
///
/// # Errors
/// For two sources, for one that cannot be read, and for an empty passphrase.
pub(super) fn given(
    flags: &CaPassphrase,
    none: bool,
    input: Option<&Path>,
    system: &mut System,
) -> Result<Option<Passphrase>, Error> {
    if input == Some(Path::new(STDIN)) && file(flags, system).as_deref() == input {
        return Err(stdin_twice("a file to read, the passphrase"));
    }
    let variable = system.variable(VARIABLE).map(ToOwned::to_owned);
    let sources: Vec<&str> = [
        (flags.ca_passphrase_file.is_some(), FLAG),
        (none, NONE_FLAG),
        (variable.is_some(), VARIABLE),
        (system.variable(FILE_VARIABLE).is_some(), FILE_VARIABLE),
    ]
    .into_iter()
    .filter_map(|(given, source)| given.then_some(source))
    .collect();
    if sources.len() > 1 {
        let what = "the CA passphrase";
        return Err(Error::Usage(Usage::Twice {
            what,
            sources: sources.join(", "),
        }));
    }
    if let Some(variable) = variable {
        let text = variable.into_string().map_err(|_| not_utf8(VARIABLE))?;
        return passphrase(text, VARIABLE).map(Some);
    }
    match file(flags, system) {
        Some(path) => from_file(&path, system).map(Some),
        None => Ok(None),
    }
}

/// The passphrase in a file that another flag than `--ca-passphrase-file` names.
///
/// # Errors
/// When it cannot be read, when it is empty, and when both are to come from standard input.
pub(super) fn other(
    path: &Path,
    flags: &CaPassphrase,
    system: &mut System,
) -> Result<Passphrase, Error> {
    let is_stdin = |path: &Path| path == Path::new(STDIN);
    if is_stdin(path) && file(flags, system).is_some_and(|file| is_stdin(&file)) {
        return Err(Error::Usage(Usage::Twice {
            what: "standard input",
            sources: "two passphrases".to_owned(),
        }));
    }
    from_file(path, system)
}

/// The passphrase of a PKCS#12 file, from the file that `--p12-passphrase-file` names.
///
/// # Errors
/// When it cannot be read, when it is empty, and when `is_wanted` says that no PKCS#12 file is made.
pub(super) fn for_p12(
    path: Option<&Path>,
    is_wanted: bool,
    system: &mut System,
) -> Result<Option<Passphrase>, Error> {
    if path.is_some() && !is_wanted {
        return Err(Error::Usage(Usage::P12PassphraseForNothing));
    }
    path.map(|path| from_file(path, system)).transpose()
}

/// What there is to say of the file that the passphrase comes from, if it comes from one.
pub(super) fn finding(flags: &CaPassphrase, system: &System) -> Option<Finding> {
    finding_of(&file(flags, system)?, system)
}

/// What there is to say of a file that holds a passphrase.
pub(super) fn finding_of(path: &Path, system: &System) -> Option<Finding> {
    readable(path, "the CA's private key", system)
}

/// The same of the passphrase of a PKCS#12 file.
pub(super) fn finding_of_p12(path: &Path, system: &System) -> Option<Finding> {
    readable(path, "the PKCS#12 file", system)
}

fn readable(path: &Path, opens: &str, system: &System) -> Option<Finding> {
    system.is_readable_by_others(path).then(|| {
        Finding::warning(
            "passphrase-readable",
            path.display(),
            format!("others than its owner may read the passphrase of {opens}"),
            "take the permission away: chmod 600",
        )
    })
}

/// Two things that are to be read from standard input.
pub(super) fn stdin_twice(sources: &str) -> Error {
    Error::Usage(Usage::Twice {
        what: "standard input",
        sources: sources.to_owned(),
    })
}

fn file(flags: &CaPassphrase, system: &System) -> Option<PathBuf> {
    let variable = || system.variable(FILE_VARIABLE).map(PathBuf::from);
    flags.ca_passphrase_file.clone().or_else(variable)
}

/// The first line of the file, without its line end.
pub(super) fn from_file(path: &Path, system: &mut System) -> Result<Passphrase, Error> {
    let bytes = system
        .read(path)
        .map_err(|error| Error::input(path, error))?;
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let from = path.to_string_lossy();
    let text = std::str::from_utf8(line).map_err(|_| not_utf8(&from))?;
    passphrase(text.to_owned(), &from)
}

fn passphrase(text: String, from: &str) -> Result<Passphrase, Error> {
    Passphrase::new(Zeroizing::new(text)).map_err(|_| {
        Error::Usage(Usage::EmptyPassphrase {
            from: from.to_owned(),
        })
    })
}

fn not_utf8(from: &str) -> Error {
    Error::Usage(Usage::PassphraseNotUtf8 {
        from: from.to_owned(),
    })
}
