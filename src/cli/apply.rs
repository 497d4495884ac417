//! From the arguments of `plan`, `apply`, `renew`, `rekey` and `server` to their requests.

use std::path::Path;

use super::args::Global;
use super::args::apply::{Apply, CaKey, Renew};
use super::args::server::ServerCommand;
use super::{init, passphrase};
use crate::commands::apply::{Request, Writing};
use crate::commands::ca_key::CaKeyAccess;
use crate::commands::error::Error;
use crate::commands::reconcile::{Selection, Task};
use crate::commands::server::Edit;
use crate::system::System;

/// The entries that are named, or all.
pub(super) fn selection(names: Vec<String>) -> Selection {
    if names.is_empty() {
        Selection::All
    } else {
        Selection::Only(names.into_iter().collect())
    }
}

pub(super) fn apply(
    arguments: Apply,
    global: &Global,
    system: &mut System,
) -> Result<Request, Error> {
    Ok(Request {
        task: Task::Apply,
        selection: selection(arguments.only),
        edit: None,
        writing: writing(&arguments.ca_key, arguments.force, global, system)?,
        exec: arguments.hook.exec,
    })
}

/// `renew`, or `rekey` where keys are to be new.
pub(super) fn renew(
    arguments: Renew,
    new_keys: bool,
    global: &Global,
    system: &mut System,
) -> Result<Request, Error> {
    let force = arguments.force;
    Ok(Request {
        task: match new_keys {
            true => Task::Rekey { force },
            false => Task::Renew { force },
        },
        selection: selection(arguments.names),
        edit: None,
        writing: writing(&arguments.ca_key, force, global, system)?,
        exec: arguments.hook.exec,
    })
}

/// `server add` and `server remove`, and whether the exit status is to tell of changes.
pub(super) fn server(
    command: ServerCommand,
    global: &Global,
    system: &mut System,
) -> Result<(Request, bool), Error> {
    let (edit, applied) = match command {
        ServerCommand::Add { server, applied } => {
            (Edit::Add(Box::new(init::server(&server))), applied)
        }
        ServerCommand::Remove { name, applied } => (Edit::Remove(name), applied),
    };
    let request = Request {
        task: Task::Apply,
        selection: Selection::All,
        edit: Some(edit),
        writing: writing(&applied.ca_key, applied.force, global, system)?,
        exec: applied.hook.exec,
    };
    Ok((request, applied.exit_code))
}

/// What goes for every run that signs and writes.
pub(super) fn writing(
    flags: &CaKey,
    force: bool,
    global: &Global,
    system: &mut System,
) -> Result<Writing, Error> {
    writing_beside(None, flags, force, global, system)
}

/// The same, where `input` is read too, which may be standard input.
pub(super) fn writing_beside(
    input: Option<&Path>,
    flags: &CaKey,
    force: bool,
    global: &Global,
    system: &mut System,
) -> Result<Writing, Error> {
    let findings = passphrase::finding(&flags.passphrase, system);
    Ok(Writing {
        ca_key: CaKeyAccess {
            file: flags.ca_key.clone(),
            passphrase: passphrase::given(&flags.passphrase, false, input, system)?,
            may_ask: !global.non_interactive,
        },
        force,
        lock_timeout: global.lock_timeout.duration().unsigned_abs(),
        findings: findings.into_iter().collect(),
    })
}
