//! From the arguments of `zpki ca` to their requests, and to what is said of them.

use super::args::Global;
use super::args::OutputFormat;
use super::args::ca::{CaCommand, Renew};
use super::render::Rendered;
use super::{apply, carry_out};
use crate::commands::apply::Request;
use crate::commands::error::Error;
use crate::commands::reconcile::{Selection, Task};
use crate::system::System;

pub(super) fn run(
    command: CaCommand,
    format: OutputFormat,
    global: &Global,
    system: &mut System,
) -> Result<Rendered, Error> {
    match command {
        CaCommand::Renew(arguments) => {
            let exit_code = arguments.exit_code;
            let request = renew(arguments, global, system)?;
            carry_out(request, exit_code, format, global, system)
        }
    }
}

/// What is tried, in the user's words.
pub(super) fn attempt(command: &CaCommand) -> String {
    match command {
        CaCommand::Renew(_) => "renew the CA",
    }
    .to_owned()
}

fn renew(arguments: Renew, global: &Global, system: &mut System) -> Result<Request, Error> {
    let force = arguments.force;
    Ok(Request {
        task: Task::RenewCa { force },
        selection: Selection::All,
        writing: apply::writing(&arguments.ca_key, force, global, system)?,
        exec: arguments.hook.exec,
        edit: None,
    })
}
