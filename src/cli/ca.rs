//! From the arguments of `zpki ca` to their requests, and to what is said of them.

use super::args::Global;
use super::args::OutputFormat;
use super::args::ca::{CaCommand, Import, Passphrase, Renew};
use super::render::text::Verbosity;
use super::render::{self, Rendered};
use super::{apply, carry_out, directory};
use crate::commands::ca;
use crate::commands::ca::passphrase::{self, NewPassphrase};
use crate::commands::error::Error;
use crate::commands::reconcile::{Selection, Task};
use crate::domain::text::Plain;
use crate::system::System;

pub(super) fn run(
    command: CaCommand,
    format: OutputFormat,
    global: &Global,
    system: &mut System,
) -> Result<Rendered, Error> {
    let verbosity = Verbosity::of(global);
    match command {
        CaCommand::Show => {
            let directory = directory(global, system)?;
            let report = ca::show::run(&directory, system.now)?;
            Ok(render::report(format, &report, render::ca::show))
        }
        CaCommand::Passphrase(arguments) => {
            let request = new_passphrase(&arguments, global, system)?;
            let directory = directory(global, system)?;
            let report = passphrase::run(request, &directory, system)?;
            let text = |report: &_| render::ca::passphrase(report, verbosity);
            Ok(Rendered {
                changed: report.changed,
                ..render::report(format, &report, text)
            })
        }
        CaCommand::Import(arguments) => {
            let request = import(arguments, global, system)?;
            let directory = directory(global, system)?;
            let report = ca::import::run(request, &directory, system)?;
            let text = |report: &_| render::ca::import(report, verbosity);
            Ok(Rendered {
                changed: report.changed,
                ..render::report(format, &report, text)
            })
        }
        CaCommand::Renew(arguments) => {
            let Renew { change, force } = arguments;
            let task = Task::RenewCa { force };
            let requested = apply::request(task, Selection::All, change, force, global, system)?;
            carry_out(requested, format, global, system)
        }
    }
}

/// What is tried, in the user's words.
pub(super) fn attempt(command: &CaCommand) -> String {
    match command {
        CaCommand::Import(import) => {
            let certificate = import.certificate.display().to_string();
            return format!("import the CA `{}`", Plain(&certificate));
        }
        CaCommand::Passphrase(_) => "change the passphrase of the CA's private key",
        CaCommand::Renew(_) => "renew the CA",
        CaCommand::Show => "show the CA",
    }
    .to_owned()
}

fn new_passphrase(
    arguments: &Passphrase,
    global: &Global,
    system: &mut System,
) -> Result<passphrase::Request, Error> {
    let file = arguments.new_ca_passphrase_file.as_deref();
    let readable = file.and_then(|file| super::passphrase::finding_of(file, system));
    let new = match file {
        _ if arguments.no_ca_passphrase => NewPassphrase::None,
        Some(file) => {
            let old = &arguments.ca_key.passphrase;
            NewPassphrase::Given(super::passphrase::other(file, old, system)?)
        }
        None => NewPassphrase::Ask,
    };
    let writing = apply::writing(&arguments.ca_key, false, global, system)?;
    Ok(passphrase::Request {
        ca_key: writing.ca_key,
        new,
        lock_timeout: writing.lock_timeout,
        findings: writing.findings.into_iter().chain(readable).collect(),
    })
}

fn import(
    arguments: Import,
    global: &Global,
    system: &mut System,
) -> Result<ca::import::Request, Error> {
    let flags = &arguments.passphrase;
    let file = arguments.key_passphrase_file.as_deref();
    let key_passphrase = match file {
        Some(file) => Some(super::passphrase::other(file, flags, system)?),
        None => None,
    };
    let readable = file.and_then(|file| super::passphrase::finding_of(file, system));
    let none = arguments.no_ca_passphrase;
    let stored = match super::passphrase::given(flags, none, None, system)? {
        _ if none => NewPassphrase::None,
        Some(passphrase) => NewPassphrase::Given(passphrase),
        None => NewPassphrase::Ask,
    };
    let findings = super::passphrase::finding(flags, system);
    Ok(ca::import::Request {
        certificate: arguments.certificate,
        key: arguments.key,
        chain: arguments.chain,
        crl: arguments.crl,
        key_passphrase,
        stored,
        may_ask: !global.non_interactive,
        force: arguments.force,
        lock_timeout: global.lock_timeout.duration().unsigned_abs(),
        findings: findings.into_iter().chain(readable).collect(),
    })
}
