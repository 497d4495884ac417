//! `zpki config`: from the arguments to a change that is shown, confirmed and made.

use std::io::Write;

use super::args::config::{Apply, ConfigCommand, Diff, Files, Making, Rollback, Target};
use super::args::{Global, OutputFormat};
use super::render::text::Verbosity;
use super::render::{self, Rendered};
use super::{directory, is_coloured};
use crate::commands::apply::ApplyReport;
use crate::commands::config::apply::{self, Making as How};
use crate::commands::config::refusal::Refusal;
use crate::commands::config::report::ConfigReport;
use crate::commands::config::rolling::{self, Rolling};
use crate::commands::config::validation::Validation;
use crate::commands::config::{Prepared, Request, rollback};
use crate::commands::error::Error;
use crate::store::exchange::Links;
use crate::system::System;

/// What is tried, in the user's words.
pub(super) fn attempt(command: &ConfigCommand) -> &'static str {
    match command {
        ConfigCommand::Apply(_) => "change the configuration",
        ConfigCommand::Diff(_) => "show the change of the configuration",
        ConfigCommand::Rollback(_) => "roll the configuration back",
    }
}

pub(super) fn run(
    command: ConfigCommand,
    format: OutputFormat,
    global: &Global,
    system: &mut System,
) -> Result<Rendered, Error> {
    match command {
        ConfigCommand::Diff(Diff { target, exit_code }) => {
            let (is_coloured, is_terminal) =
                (is_coloured(global, system), system.stdout_is_terminal);
            let directory = directory(global, system)?;
            let prepared = Prepared::new(&request(target), false, &directory, system)?;
            let report = prepared.report();
            Ok(Rendered {
                has_changes: exit_code && report.has_changes(),
                ..render::report(format, &report, |report| {
                    render::config::diff(report, is_coloured, is_terminal)
                })
            })
        }
        ConfigCommand::Apply(arguments) => change(arguments, format, global, system),
        ConfigCommand::Rollback(Rollback {
            files,
            list,
            making,
            exit_code,
        }) => {
            let directory = directory(global, system)?;
            let request = of_files(files);
            if list {
                let report = rollback::list(&request, &directory, system)?;
                return Ok(render::report(format, &report, render::config::backups));
            }
            let prepared = rollback::prepare(&request, &directory, system)?;
            let report = make(&prepared, global, system, |system| {
                apply::run(&prepared, &how(making), system)
            })?;
            Ok(changed(&report, exit_code, format, global))
        }
    }
}

/// `zpki config apply`.
fn change(
    arguments: Apply,
    format: OutputFormat,
    global: &Global,
    system: &mut System,
) -> Result<Rendered, Error> {
    let Apply {
        target,
        making,
        rolling,
        probe,
        drain,
        up_timeout,
        exit_code,
    } = arguments;
    let directory = directory(global, system)?;
    let prepared = Prepared::new(&request(target), true, &directory, system)?;
    let prepared = if rolling {
        prepared.for_rolling()
    } else {
        prepared
    };
    let how = how(making);
    let report = make(&prepared, global, system, |system| match (rolling, how) {
        (
            true,
            How {
                validation,
                reload: Some(reload),
                restart: Some(restart),
            },
        ) => {
            let rolling = Rolling {
                validation,
                reload,
                restart,
                probe,
                drain: drain.duration().unsigned_abs(),
                limit: up_timeout.duration().unsigned_abs(),
            };
            rolling::run(&prepared, &rolling, system)
        }
        (_, how) => apply::run(&prepared, &how, system),
    })?;
    Ok(changed(&report, exit_code, format, global))
}

/// How `zpki apply --config` changes the configuration; None without `--config`.
pub(super) fn making(arguments: &super::args::apply::Apply) -> Option<How> {
    arguments.config.then(|| how(arguments.making.clone()))
}

/// What `zpki apply --config` does when what zpki.toml says is done.
pub(super) fn follow(
    report: &mut ApplyReport,
    making: &How,
    global: &Global,
    system: &mut System,
) -> Result<(), Error> {
    let directory = directory(global, system)?;
    let request = Request {
        from: None,
        haproxy: None,
        backend: None,
        server_confs: Vec::new(),
        only: Vec::new(),
        disable: false,
        install: true,
        links: Links::Refused,
    };
    let prepared = Prepared::new(&request, true, &directory, system)?;
    let prepared = prepared.after_writing(&report.written, &directory);
    let config = make(&prepared, global, system, |system| {
        apply::run(&prepared, making, system)
    })?;
    report.changed |= config.changed;
    report.next_steps.clone_from(&config.next_steps);
    report.findings.extend(config.findings.iter().cloned());
    report.config = Some(config);
    Ok(())
}

fn changed(
    report: &ConfigReport,
    exit_code: bool,
    format: OutputFormat,
    global: &Global,
) -> Rendered {
    let verbosity = Verbosity::of(global);
    Rendered {
        changed: report.changed,
        has_changes: exit_code && report.changed,
        ..render::report(format, report, |report| {
            render::config::changed(report, verbosity)
        })
    }
}

/// Makes a change once it is confirmed. What a killed run had begun is told even when this one fails.
fn make(
    prepared: &Prepared,
    global: &Global,
    system: &mut System,
    change: impl FnOnce(&mut System) -> Result<ConfigReport, Error>,
) -> Result<ConfigReport, Error> {
    let made = confirm(prepared, global, system).and_then(|()| change(system));
    made.inspect_err(|_| {
        let told = render::text::findings(prepared.recovered());
        // Without a standard error nobody is there to be told.
        drop(system.stderr.write_all(told.as_bytes()));
    })
}

/// Shows the change at the terminal, and asks whether to make it.
fn confirm(prepared: &Prepared, global: &Global, system: &mut System) -> Result<(), Error> {
    let report = prepared.report();
    if !report.has_changes() || global.yes {
        return Ok(());
    }
    let is_coloured = is_coloured(global, system);
    let prompt = system.prompt.as_mut().filter(|_| !global.non_interactive);
    let Some(prompt) = prompt else {
        return Err(Error::Config(Refusal::NotConfirmed));
    };
    let Rendered { stdout, stderr, .. } = render::config::diff(&report, is_coloured, true);
    prompt.say(&format!("{stdout}{stderr}"))?;
    match prompt.confirm("Change them?", false)? {
        true => Ok(()),
        false => Err(Error::Declined),
    }
}

fn request(target: Target) -> Request {
    Request {
        from: target.from,
        backend: target.backend,
        only: target.only,
        disable: target.disable,
        install: target.install,
        ..of_files(target.files)
    }
}

fn of_files(files: Files) -> Request {
    Request {
        from: None,
        haproxy: files.haproxy,
        backend: None,
        server_confs: files.server_confs,
        only: Vec::new(),
        disable: false,
        install: false,
        links: if files.follow {
            Links::Followed
        } else {
            Links::Refused
        },
    }
}

fn how(making: Making) -> How {
    How {
        validation: match making.no_validate {
            true => Validation::Skipped,
            false => Validation::By {
                command: making.validate,
            },
        },
        reload: making.reload,
        restart: making.restart,
    }
}
