//! The files that configurations name, each with the line that names it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::config::haproxy::{read_configuration, read_crt_list};
use crate::config::problem::Problem;
use crate::config::server_conf::read_server_conf;
use crate::domain::expiry::ReadReason;
use crate::domain::haproxy_tls::FileUse;
use crate::scan::read::ReadError;
use crate::scan::walk::{Root, Source};
use crate::system::{STDIN, System};

/// What configurations name.
#[derive(Default)]
pub(super) struct Named {
    pub(super) roots: Vec<Root>,
    /// What of them could not be read or understood.
    pub(super) errors: Vec<ReadError>,
}

/// What HAProxy's configuration at `path` names: certificates, trust bundles, CRLs, lists.
pub(super) fn haproxy(path: &Path, system: &mut System, found: &mut Named) {
    let Some(bytes) = configuration(path, system, found) else {
        return;
    };
    let variable = |name: &str| {
        let value = system.environment.get(OsStr::new(name))?;
        value.to_str().map(str::to_owned)
    };
    let reading = read_configuration(&bytes, &variable);
    let problems = reading.problems.iter();
    found
        .errors
        .extend(problems.map(|problem| not_understood(shown(path, system), problem)));
    for (used, file) in reading.value.files() {
        let reference = reference(path, file.line);
        let named = Path::new(&file.path);
        match used {
            FileUse::CaFile if file.path == "@system-ca" => {}
            FileUse::CaFile | FileUse::CrlFile | FileUse::Crt => {
                found
                    .roots
                    .push(Root::referenced(system.locate(named), reference));
            }
            FileUse::CrtList => {
                let crt_base = reading.value.crt_base.as_deref();
                crt_list(named, crt_base, reference, system, found);
            }
        }
    }
}

/// What a server.conf at `path` names that has a date: keys have none, and may be nobody else's to
/// read.
pub(super) fn server_conf(path: &Path, system: &mut System, found: &mut Named) {
    let Some(bytes) = configuration(path, system, found) else {
        return;
    };
    let reading = read_server_conf(&bytes);
    let problems = reading.problems.iter();
    found
        .errors
        .extend(problems.map(|problem| not_understood(shown(path, system), problem)));
    let directory = system.locate(path.parent().unwrap_or_else(|| Path::new("")));
    let crypto = reading.value.crypto.unwrap_or_default();
    let named = [&crypto.cert_location, &crypto.ca_certs_location];
    for setting in named.into_iter().flatten() {
        let located = directory.join(&setting.value);
        found
            .roots
            .push(Root::referenced(located, reference(path, setting.line)));
    }
}

fn crt_list(
    path: &Path,
    crt_base: Option<&str>,
    referenced_by: String,
    system: &mut System,
    found: &mut Named,
) {
    let source = Source {
        referenced_by: vec![referenced_by],
        ..Source::named(system.locate(path))
    };
    let bytes = match system.read_named(path) {
        Ok(bytes) => bytes,
        Err(error) => return found.errors.push(ReadError::of_io(&source, &error)),
    };
    for crt in read_crt_list(&bytes, crt_base) {
        let located = system.locate(Path::new(&crt.path));
        found
            .roots
            .push(Root::referenced(located, reference(path, crt.line)));
    }
}

/// The bytes of a configuration; of a file, and not of a pipe that nobody may ever write to.
fn configuration(
    path: &Path,
    system: &mut System,
    found: &mut Named,
) -> Option<zeroize::Zeroizing<Vec<u8>>> {
    let read = if path == Path::new(STDIN) {
        system.read(path)
    } else {
        system.read_named(path)
    };
    let source = Source::named(shown(path, system));
    read.map_err(|error| found.errors.push(ReadError::of_io(&source, &error)))
        .ok()
}

/// What a configuration is called in errors.
fn shown(path: &Path, system: &System) -> PathBuf {
    if path == Path::new(STDIN) {
        path.to_owned()
    } else {
        system.locate(path)
    }
}

/// A line that may name a file: which one is not known.
fn not_understood<R: std::fmt::Display>(path: PathBuf, problem: &Problem<R>) -> ReadError {
    ReadError {
        path,
        index: None,
        line: Some(problem.line),
        reason: ReadReason::NotUnderstood,
        message: problem.to_string(),
        referenced_by: Vec::new(),
    }
}

fn reference(path: &Path, line: usize) -> String {
    format!("{}:{line}", path.display())
}
