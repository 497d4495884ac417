//! From the arguments of `plan`, `apply`, `renew`, `rekey` and `server` to their requests.

use std::path::Path;

use super::args::Global;
use super::args::apply::{Apply, CaKey, Change, Renew};
use super::args::server::{Applied, ServerCommand};
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

/// What is to be done, and whether the exit status is to tell of changes.
pub(super) type Requested = (Request, bool);

pub(super) fn apply(
    arguments: Apply,
    global: &Global,
    system: &mut System,
) -> Result<Requested, Error> {
    let (selection, force) = (selection(arguments.only), arguments.force);
    request(
        Task::Apply,
        selection,
        arguments.change,
        force,
        global,
        system,
    )
}

/// `renew`, or `rekey` where keys are to be new.
pub(super) fn renew(
    arguments: Renew,
    new_keys: bool,
    global: &Global,
    system: &mut System,
) -> Result<Requested, Error> {
    let force = arguments.force;
    let task = match new_keys {
        true => Task::Rekey { force },
        false => Task::Renew { force },
    };
    let selection = selection(arguments.names);
    request(task, selection, arguments.change, force, global, system)
}

/// `server add` and `server remove`.
pub(super) fn server(
    command: ServerCommand,
    global: &Global,
    system: &mut System,
) -> Result<Requested, Error> {
    let (edit, applied) = match command {
        ServerCommand::Add { server, applied } => {
            (Edit::Add(Box::new(init::server(&server))), applied)
        }
        ServerCommand::Remove { name, applied } => (Edit::Remove(name), applied),
    };
    let Applied { change, force } = applied;
    let (request, exit_code) = request(Task::Apply, Selection::All, change, force, global, system)?;
    let edit = Some(edit);
    Ok((Request { edit, ..request }, exit_code))
}

/// A task, made as the flags for it say.
pub(super) fn request(
    task: Task,
    selection: Selection,
    change: Change,
    force: bool,
    global: &Global,
    system: &mut System,
) -> Result<Requested, Error> {
    let request = Request {
        task,
        selection,
        edit: None,
        writing: writing(&change.ca_key, force, global, system)?,
        exec: change.exec,
    };
    Ok((request, change.exit_code))
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
