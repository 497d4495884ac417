//! `zpki backup` and `zpki restore`: from what was typed to a request, and to what is said.

use std::io;
use std::path::Path;

use super::args::backup::{Backup, Restore};
use super::args::{Global, OutputFormat};
use super::render::{self, Rendered, text::Verbosity};
use super::{directory, new_directory};
use crate::commands::error::{Error, Usage};
use crate::commands::{backup, restore};
use crate::system::{STDIN, System};

/// Takes a backup. On standard output there is the archive and nothing else: what is said of it goes to
/// standard error.
pub(super) fn backup(
    arguments: Backup,
    global: &Global,
    format: OutputFormat,
    verbosity: Verbosity,
    system: &System,
) -> Result<Rendered, Error> {
    let is_stdout = arguments.file == Path::new(STDIN);
    if is_stdout && system.stdout_is_terminal {
        return Err(Error::Usage(Usage::ArchiveOnTerminal));
    }
    if is_stdout && format != OutputFormat::Text {
        return Err(Error::Usage(Usage::ArchiveAndReport));
    }
    let request = backup::Request {
        file: (!is_stdout).then_some(arguments.file),
        lock_timeout: global.lock_timeout.duration().unsigned_abs(),
    };
    let directory = directory(global, system)?;
    let (report, archive) = backup::run(&request, &directory, system)?;
    let mut rendered = render::report(format, &report, |report| {
        render::backup::backup(report, verbosity)
    });
    rendered.severity = report.status;
    let Some(archive) = archive else {
        rendered.changed = true;
        return Ok(rendered);
    };
    rendered.when_written = std::mem::take(&mut rendered.stdout);
    rendered.stream = Some(Box::new(move |out| {
        let written = archive.write(out).and_then(|()| out.flush());
        // Half a backup is none: a reader that goes away is no success here.
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => io::Error::other("the reader went away"),
            _ => error,
        })
    }));
    Ok(rendered)
}

/// Restores a backup.
pub(super) fn restore(
    arguments: Restore,
    global: &Global,
    format: OutputFormat,
    verbosity: Verbosity,
    system: &mut System,
) -> Result<Rendered, Error> {
    let request = restore::Request {
        directory: new_directory(arguments.target.as_deref(), global, system)?,
        file: arguments.file,
        lock_timeout: global.lock_timeout.duration().unsigned_abs(),
    };
    let report = restore::run(&request, system)?;
    let rendered = render::report(format, &report, |report| {
        render::backup::restore(report, verbosity)
    });
    Ok(Rendered {
        changed: true,
        ..rendered
    })
}
