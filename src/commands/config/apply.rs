//! `zpki config apply`: all files of the run change or none, and what follows the change belongs to it.

use std::ffi::OsString;
use std::path::Path;

use super::refusal::{FailedCommand, Refusal};
use super::report::{CommandReport, ConfigReport};
use super::validation::Validation;
use super::{FileEdit, Prepared, next};
use crate::commands::error::Error;
use crate::domain::finding::Finding;
use crate::domain::name::EntryName;
use crate::store::exchange::{self, Backup, Replacement};
use crate::system::System;

/// How the change is made.
#[derive(Clone, Debug)]
pub struct Making {
    /// Who checks the new text.
    pub validation: Validation,
    /// What makes HAProxy read its files again.
    pub reload: Option<String>,
    /// What restarts a server, whose name is in `$ZPKI_NAME`.
    pub restart: Option<String>,
}

/// Makes the change.
///
/// # Errors
/// Any; the files are as they were then, but for those that an earlier part of the run has written.
pub fn run(
    prepared: &Prepared,
    making: &Making,
    system: &mut System,
) -> Result<ConfigReport, Error> {
    let mut report = prepared.report();
    report.next_steps = next::after(prepared, making);
    // These files stay, whatever becomes of the others.
    let written = Readers::of(prepared, FileEdit::is_only_written);
    report.commands = written.follow_up(making).run(system)?;
    let replacements = prepared.replacements();
    if replacements.is_empty() {
        return Ok(report);
    }
    let unchecked = making.validation.judge(prepared, system)?;
    report.findings.extend(unchecked);
    report.findings.extend(at_once(prepared));
    let changed = Readers::of(prepared, FileEdit::is_told_of);
    let follow_up = changed.follow_up(making);
    let (backups, commands) = exchange(&replacements, prepared, &follow_up, system)?;
    report.changed = true;
    report.commands.extend(commands);
    note(&mut report, &backups);
    Ok(report)
}

/// That requests fail meanwhile, if the cluster carries traffic.
fn at_once(prepared: &Prepared) -> Option<Finding> {
    let line = prepared.lines.as_ref()?.switched().next()?;
    Some(Finding::warning(
        "switch-at-once",
        &line.name,
        "HAProxy and the servers were changed at once: requests fail until all of them have read that",
        "switch them one after the other (--rolling); `zpki config diff` shows the steps",
    ))
}

/// Who has to read files again.
struct Readers<'a> {
    servers: Vec<Restarted<'a>>,
    has_haproxy: bool,
}

impl<'a> Readers<'a> {
    fn of(prepared: &'a Prepared, is_meant: fn(&FileEdit) -> bool) -> Self {
        let servers = prepared.servers().filter(|it| is_meant(it));
        Self {
            servers: servers.map(Restarted::of).collect(),
            has_haproxy: prepared.haproxy().is_some_and(is_meant),
        }
    }

    fn follow_up<'b>(&'b self, making: &'b Making) -> FollowUp<'b> {
        let restart = making.restart.as_deref();
        FollowUp {
            restart: restart.map(|it| (it, &self.servers[..])),
            reload: making.reload.as_deref().filter(|_| self.has_haproxy),
        }
    }
}

/// What belongs to a change: the files stay only when it has succeeded.
#[derive(Debug, Default)]
pub(super) struct FollowUp<'a> {
    /// A command, and the servers that it is run for.
    pub(super) restart: Option<(&'a str, &'a [Restarted<'a>])>,
    /// A command for HAProxy.
    pub(super) reload: Option<&'a str>,
}

/// A server that has to read its configuration again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Restarted<'a> {
    /// Its name, if it is known.
    pub(super) name: Option<&'a EntryName>,
    /// Its configuration, if that is on this host.
    pub(super) conf: Option<&'a Path>,
}

impl<'a> Restarted<'a> {
    pub(super) fn of(file: &'a FileEdit) -> Self {
        Self {
            name: file.server.as_ref(),
            conf: Some(&file.path),
        }
    }

    /// What a command that is run for it finds in its environment.
    pub(super) fn variables(&self) -> [(&'static str, Option<OsString>); 2] {
        let name = self.name.map(|name| OsString::from(name.as_str()));
        let conf = self.conf.map(|conf| conf.as_os_str().to_owned());
        [("ZPKI_NAME", name), ("ZPKI_FILE", conf)]
    }
}

/// Puts files in place, and runs what follows; on failure the old ones are back, in the memory of servers
/// and HAProxy too.
pub(super) fn exchange(
    replacements: &[Replacement],
    prepared: &Prepared,
    follow_up: &FollowUp<'_>,
    system: &mut System,
) -> Result<(Vec<Backup>, Vec<CommandReport>), Error> {
    system.interruption.defer();
    let in_place = exchange::begin(replacements, prepared.backup_time(), prepared.links)?;
    let steps = follow_up.steps();
    for (index, step) in steps.iter().enumerate() {
        let Some(failure) = step.run(system) else {
            continue;
        };
        in_place.undo()?;
        // Who has read the new files, or was to, reads the old ones.
        let back = steps[..=index].iter().filter_map(|step| {
            let failure = step.run(system)?;
            Some(step.failed(failure))
        });
        let back = back.collect();
        return Err(Error::Config(Refusal::FollowUp {
            failed: step.failed(failure),
            back,
        }));
    }
    let reports = steps.iter().map(Step::report);
    Ok((in_place.keep()?, reports.collect()))
}

/// A command, and the server that it is run for.
#[derive(Clone, Copy)]
struct Step<'a> {
    command: &'a str,
    server: Option<&'a Restarted<'a>>,
}

impl Step<'_> {
    /// How it failed.
    fn run(&self, system: &System) -> Option<String> {
        let variables = self.server.map(Restarted::variables);
        system.run(self.command, variables.as_ref().map_or(&[], |it| &it[..]))
    }

    fn report(&self) -> CommandReport {
        CommandReport {
            command: self.command.to_owned(),
            server: self.server.and_then(|server| server.name).cloned(),
        }
    }

    fn failed(&self, failure: String) -> FailedCommand {
        FailedCommand {
            command: self.command.to_owned(),
            server: self.server.and_then(|server| server.name).cloned(),
            failure,
        }
    }
}

impl<'a> FollowUp<'a> {
    /// Runs what follows files that are in place already, and stay there.
    fn run(&self, system: &System) -> Result<Vec<CommandReport>, Error> {
        let steps = self.steps();
        let failed = steps.iter().filter_map(|step| {
            let failure = step.run(system)?;
            Some(step.failed(failure))
        });
        let failed: Vec<FailedCommand> = failed.collect();
        match failed.is_empty() {
            true => Ok(steps.iter().map(Step::report).collect()),
            false => Err(Error::Config(Refusal::NotRead { failed })),
        }
    }

    /// What is run, in this order.
    fn steps(&self) -> Vec<Step<'a>> {
        let restarts = self.restart.into_iter().flat_map(|(command, servers)| {
            let server = |server| Step {
                command,
                server: Some(server),
            };
            servers.iter().map(server)
        });
        let reload = self.reload.map(|command| Step {
            command,
            server: None,
        });
        restarts.chain(reload).collect()
    }
}

/// Where the old texts are.
pub(super) fn note(report: &mut ConfigReport, backups: &[Backup]) {
    for backup in backups {
        let of = backup.of.display().to_string();
        let of_file = report.files.iter_mut().filter(|it| it.path == of);
        of_file.for_each(|it| it.backup = Some(backup.path.display().to_string()));
    }
}
