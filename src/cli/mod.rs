//! The command line: arguments in, a command's report out as text or JSON, and an exit status.

pub mod exit;

mod apply;
mod args;
mod backup;
mod ca;
mod check;
mod config;
mod expiry;
mod export;
mod init;
mod issue;
mod passphrase;
mod render;
mod revoke;
mod wizard;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::builder::styling::Style;
use clap::{CommandFactory, Parser};

use crate::commands;
use crate::commands::apply::ApplyReport;
use crate::commands::directory::PkiDirectory;
use crate::commands::error::{Error, Usage};
use crate::domain::finding::Severity;
use crate::system::System;
use args::{Arguments, Color, Command, Global, OutputFormat, SnippetOf};
use exit::Status;
use render::Rendered;

/// Runs zpki.
pub fn run(arguments: impl IntoIterator<Item = OsString>, system: &mut System) -> Status {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return refused(&error, system),
    };
    let attempt = Attempt {
        what: render::error::attempt(&arguments.command),
        style: style(&arguments.global, system),
        is_check: matches!(arguments.command, Command::Check(_) | Command::Expiry(_)),
        is_plugin: arguments.global.output == OutputFormat::Nagios,
    };
    if arguments.global.quiet {
        system.hide_progress();
    }
    let result = dispatch(arguments, system);
    system.progress.end();
    finish(&attempt, result, system)
}

/// What a failure says of the run, and how.
struct Attempt {
    /// What was tried, in the user's words.
    what: String,
    /// How the word `error` is shown.
    style: Style,
    /// Whether it is a check, whose failures are unknowns.
    is_check: bool,
    /// Whether monitoring reads standard output.
    is_plugin: bool,
}

fn style(global: &Global, system: &System) -> Style {
    let coloured = match global.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => system.stderr_has_colours() && system.variable("NO_COLOR").is_none(),
    };
    if coloured {
        render::error::ERROR
    } else {
        Style::new()
    }
}

/// Whether what is printed is coloured.
fn is_coloured(global: &Global, system: &System) -> bool {
    match global.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            let is_terminal = system.stdout_is_terminal && system.stderr_has_colours();
            is_terminal && system.variable("NO_COLOR").is_none()
        }
    }
}

/// The command line, described: what completions and man pages are made of.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
}

/// `--help` and `--version` are no errors, and go to standard output.
fn refused(error: &clap::Error, system: &mut System) -> Status {
    if error.use_stderr() {
        let text = render::error::usage(error);
        drop(system.stderr.write_all(text.as_bytes()));
        return Status::Usage;
    }
    let text = error.render().to_string();
    let attempt = Attempt {
        what: "print the help".to_owned(),
        style: Style::new(),
        is_check: false,
        is_plugin: false,
    };
    finish(&attempt, Ok(Rendered::product(&text)), system)
}

fn dispatch(arguments: Arguments, system: &mut System) -> Result<Rendered, Error> {
    let Arguments { global, command } = arguments;
    let format = format(&global, &command)?;
    let verbosity = render::text::Verbosity::of(&global);
    match command {
        Command::Backup(arguments) => backup::backup(arguments, &global, format, verbosity, system),
        Command::Init(arguments) => {
            let request = init::request(*arguments, &global, system)?;
            let report = commands::init::run(request, system)?;
            let rendered = render::report(format, &report, |report| {
                render::text::init(report, verbosity)
            });
            Ok(Rendered {
                changed: report.changed,
                ..rendered
            })
        }
        Command::Plan(arguments) => {
            let directory = directory(&global, system)?;
            let selection = apply::selection(arguments.only);
            let at = arguments.at.map(|at| at.0).or(system.now);
            let report = commands::plan::run(&selection, at, &directory)?;
            Ok(Rendered {
                has_changes: arguments.exit_code && !report.actions.is_empty(),
                ..render::report(format, &report, render::apply::plan)
            })
        }
        Command::Apply(arguments) => {
            let making = config::making(&arguments);
            if making.is_some() {
                commands::config::check_named(&directory(&global, system)?)?;
            }
            let requested = apply::apply(arguments, &global, system)?;
            let (mut report, exit_code) = carried_out(requested, &global, system)?;
            if let Some(making) = making
                && let Err(error) = config::follow(&mut report, &making, &global, system)
            {
                // What zpki.toml says is done all the same, and has to be told.
                if format != OutputFormat::Json && report.changed {
                    let Rendered { stdout, stderr, .. } = applied(&report, format, &global);
                    drop(system.stdout.write_all(stdout.as_bytes()));
                    drop(system.stderr.write_all(stderr.as_bytes()));
                }
                return Err(error);
            }
            Ok(outcome(
                applied(&report, format, &global),
                &report,
                exit_code,
            ))
        }
        Command::Renew(arguments) => {
            let requested = apply::renew(arguments, false, &global, system)?;
            carry_out(requested, format, &global, system)
        }
        Command::Rekey(arguments) => {
            let requested = apply::renew(arguments, true, &global, system)?;
            carry_out(requested, format, &global, system)
        }
        Command::Revoke(arguments) => {
            let exit_code = arguments.change.exit_code;
            let request = revoke::revoke(arguments, &global, system)?;
            let directory = directory(&global, system)?;
            let report = commands::revoke::run(request, &directory, system)?;
            let rendered = render::report(format, &report, |report| {
                render::revoke::revoke(report, verbosity)
            });
            Ok(outcome(rendered, &report.done, exit_code))
        }
        Command::Crl(arguments) => {
            let requested = revoke::crl(arguments, &global, system)?;
            carry_out(requested, format, &global, system)
        }
        Command::Ca(arguments) => ca::run(arguments.what, format, &global, system),
        Command::Check(arguments) => {
            let with_path = system.stdout_is_terminal;
            let (rendered, severity) = match check::subject(arguments)? {
                check::Subject::File(request) => {
                    let report = commands::check::run(&request, system)?;
                    let text = |report: &_| render::check::file(report, with_path);
                    (render::report(format, &report, text), report.status)
                }
                check::Subject::Cluster(at) => {
                    let directory = directory(&global, system)?;
                    let report = commands::check::cluster::run(at, &directory, system)?;
                    let text = |report: &_| render::check::cluster(report, with_path, verbosity);
                    (render::report(format, &report, text), report.status)
                }
                check::Subject::Configuration(request) => {
                    let report = commands::check::configuration::run(&request, system)?;
                    let text =
                        |report: &_| render::check::configuration(report, with_path, verbosity);
                    (render::report(format, &report, text), report.status)
                }
            };
            Ok(Rendered {
                severity,
                ..rendered
            })
        }
        Command::Config(arguments) => config::run(arguments.what, format, &global, system),
        Command::Expiry(arguments) => {
            let directory = directory(&global, system)?;
            expiry::run(arguments, format, verbosity, &directory, system)
        }
        Command::Export(arguments) => {
            let request = export::request(arguments, &global, system)?;
            let directory = directory(&global, system)?;
            let report = commands::export::run(&request, &directory, system)?;
            Ok(render::export::export(report, format, verbosity))
        }
        Command::Import(arguments) => {
            let request = commands::import::Request {
                source: arguments.source,
                directory: absolute(named_directory(&global, system), system)?,
                cluster: arguments.cluster,
                servers: arguments.servers.into_iter().map(Into::into).collect(),
                clients: arguments.clients,
                haproxy_file: arguments.from_haproxy,
                backend: arguments.backend.unwrap_or_default(),
                lock_timeout: global.lock_timeout.duration().unsigned_abs(),
            };
            let report = commands::import::run(&request, system)?;
            let rendered = render::report(format, &report, |report| {
                render::import::import(report, verbosity)
            });
            Ok(Rendered {
                changed: report.changed,
                ..rendered
            })
        }
        Command::Issue(arguments) => {
            let exit_code = arguments.exit_code;
            let request = issue::request(*arguments, &global, system)?;
            let directory = directory(&global, system)?;
            let report = commands::issue::run(request, &directory, system)?;
            Ok(Rendered {
                changed: report.changed,
                has_changes: exit_code && report.changed,
                ..render::report(format, &report, |report| {
                    render::issue::issue(report, verbosity)
                })
            })
        }
        Command::List => {
            let directory = directory(&global, system)?;
            let report = commands::list::run(&directory, system.now)?;
            Ok(render::report(format, &report, |report| {
                render::text::list(report, verbosity)
            }))
        }
        Command::Log(arguments) => {
            let request = commands::log::report::Request {
                name: arguments.name,
                since: arguments.since.map(|since| since.0),
            };
            let directory = directory(&global, system)?;
            let report = commands::log::report::run(&request, &directory, system.now)?;
            Ok(Rendered {
                severity: report.severity(),
                ..render::report(format, &report, render::log::log)
            })
        }
        Command::Restore(arguments) => {
            backup::restore(arguments, &global, format, verbosity, system)
        }
        Command::Server(arguments) => {
            let requested = apply::server(arguments.what, &global, system)?;
            carry_out(requested, format, &global, system)
        }
        Command::Show(arguments) => {
            let passphrase = passphrase::given(
                &arguments.passphrase,
                false,
                Some(&arguments.subject),
                system,
            )?;
            let request = commands::show::Request {
                subject: arguments.subject,
                passphrase,
            };
            let directory = directory(&global, system)?;
            let report = commands::show::run(&request, &directory, system)?;
            if format == OutputFormat::Pem {
                return Ok(render::text::pem(&report));
            }
            Ok(render::report(format, &report, render::text::show))
        }
        Command::Snippet(arguments) => {
            let request = match arguments.what {
                SnippetOf::Frontend { client_certificate } => {
                    commands::snippet::Request::Frontend { client_certificate }
                }
                SnippetOf::Haproxy { no_verifyhost } => {
                    commands::snippet::Request::Haproxy { no_verifyhost }
                }
                SnippetOf::LbAgent => commands::snippet::Request::LbAgent,
                SnippetOf::Server { name } => commands::snippet::Request::Server { name },
            };
            let directory = directory(&global, system)?;
            let report = commands::snippet::run(&request, &directory, system.now)?;
            Ok(render::report(format, &report, render::text::snippet))
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut self::command(), "zpki", &mut script);
            let script = String::from_utf8_lossy(&script).into_owned();
            let report = render::json::Completions::new(shell, script, system.now);
            Ok(render::report(format, &report, |report| {
                Rendered::product(&report.script)
            }))
        }
    }
}

/// A task that writes, and its report.
fn carry_out(
    requested: apply::Requested,
    format: OutputFormat,
    global: &Global,
    system: &mut System,
) -> Result<Rendered, Error> {
    let (report, exit_code) = carried_out(requested, global, system)?;
    Ok(outcome(
        applied(&report, format, global),
        &report,
        exit_code,
    ))
}

/// What a task has done, and whether the exit status is to tell of changes.
fn carried_out(
    (request, exit_code): apply::Requested,
    global: &Global,
    system: &mut System,
) -> Result<(ApplyReport, bool), Error> {
    let directory = directory(global, system)?;
    let report = commands::apply::run(request, &directory, system)?;
    Ok((report, exit_code))
}

fn applied(report: &ApplyReport, format: OutputFormat, global: &Global) -> Rendered {
    let verbosity = render::text::Verbosity::of(global);
    render::report(format, report, |report| {
        render::apply::apply(report, verbosity)
    })
}

/// How a task that writes ends: with a warning when a command that should follow failed.
fn outcome(rendered: Rendered, report: &ApplyReport, exit_code: bool) -> Rendered {
    let failed = report.hooks.iter().any(|hook| hook.failure.is_some());
    Rendered {
        changed: report.changed,
        has_changes: exit_code && report.changed,
        severity: if failed {
            Severity::Warning
        } else {
            Severity::Ok
        },
        ..rendered
    }
}

/// The format, if the command has it.
fn format(global: &Global, command: &Command) -> Result<OutputFormat, Error> {
    use OutputFormat::{Json, Jsonl, Nagios, Pem, Prometheus, Text};
    let (has, formats): (&[_], _) = match command {
        Command::Expiry(expiry) if expiry.print.is_none() => (
            &[Text, Json, Jsonl, Nagios, Prometheus],
            "text, json, jsonl, nagios and prometheus",
        ),
        Command::Show(_) => (&[Text, Json, Pem], "text, json and pem"),
        _ => (&[Text, Json], "text and json"),
    };
    if has.contains(&global.output) {
        return Ok(global.output);
    }
    let format = global.output.name();
    Err(Error::Usage(Usage::OutputFormat { format, formats }))
}

/// The PKI directory: `-C`, else ZPKI_DIR, else the current one.
fn directory(global: &Global, system: &System) -> Result<PkiDirectory, Error> {
    absolute(named_directory(global, system), system).map(PkiDirectory::at)
}

/// A PKI directory that is to be made: `argument`, else the one of `-C`.
fn new_directory(
    argument: Option<&Path>,
    global: &Global,
    system: &System,
) -> Result<PathBuf, Error> {
    let directory = match (argument, &global.directory) {
        (Some(argument), Some(flag)) => {
            let sources = format!("{}, -C {}", argument.display(), flag.display());
            return Err(Error::Usage(Usage::Twice {
                what: "the directory",
                sources,
            }));
        }
        (Some(argument), None) => argument.to_owned(),
        (None, _) => named_directory(global, system),
    };
    absolute(directory, system)
}

fn named_directory(global: &Global, system: &System) -> PathBuf {
    let variable = || system.variable("ZPKI_DIR").map(PathBuf::from);
    global
        .directory
        .clone()
        .or_else(variable)
        .unwrap_or_else(|| PathBuf::from("."))
}

/// `path` from the root on, as HAProxy's lines need it.
fn absolute(path: PathBuf, system: &System) -> Result<PathBuf, Error> {
    if path.is_absolute() {
        return Ok(path);
    }
    let current = system.current_directory.as_deref();
    let removed = "the current directory was removed";
    let gone = || {
        Error::input(
            Path::new("."),
            io::Error::new(io::ErrorKind::NotFound, removed),
        )
    };
    Ok(current.ok_or_else(gone)?.join(path).components().collect())
}

/// Writes what there is to say. A reader that has gone away (`| head`) is none of our business.
fn finish(attempt: &Attempt, result: Result<Rendered, Error>, system: &mut System) -> Status {
    let (rendered, status) = match result {
        Ok(rendered) => {
            let status = match Status::of_severity(rendered.severity) {
                Status::Success if rendered.has_changes => Status::Changes,
                status => status,
            };
            (rendered, status)
        }
        Err(error) => failed(attempt, &error, system),
    };
    let written = system.stdout.write_all(rendered.stdout.as_bytes());
    let written = written.and_then(|()| match rendered.stream {
        Some(stream) => stream(&mut *system.stdout),
        None => Ok(()),
    });
    let written = written.and_then(|()| system.stdout.flush());
    if written.is_ok() {
        drop(system.stderr.write_all(rendered.when_written.as_bytes()));
    }
    drop(system.stderr.write_all(rendered.stderr.as_bytes()));
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe && status.has_product() => {
            let changed = rendered.changed;
            let report = Attempt {
                what: "print the report".to_owned(),
                style: attempt.style,
                is_check: false,
                is_plugin: false,
            };
            let attempt = if changed { &report } else { attempt };
            let (rendered, status) = failed(attempt, &Error::Output { error, changed }, system);
            drop(system.stderr.write_all(rendered.stderr.as_bytes()));
            status
        }
        _ => status,
    }
}

fn failed(attempt: &Attempt, error: &Error, system: &System) -> (Rendered, Status) {
    let stderr = render::error::failure(&attempt.what, error, attempt.style);
    let signal = system.interruption.exit_status();
    let status = match attempt.is_check {
        true => Status::of_check(error, signal),
        false => Status::of(error, signal),
    };
    let is_finding = attempt.is_plugin && status == Status::Unknown;
    let stdout = is_finding.then(|| render::expiry::nagios::failure(&attempt.what, error));
    (
        Rendered {
            stdout: stdout.unwrap_or_default(),
            stderr,
            ..Rendered::default()
        },
        status,
    )
}
