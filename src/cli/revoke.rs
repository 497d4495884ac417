//! From the arguments of `revoke` and `crl` to their requests.

use super::apply::{Requested, request, writing};
use super::args::Global;
use super::args::crl::Crl;
use super::args::revoke::Revoke;
use crate::commands::error::Error;
use crate::commands::reconcile::{Selection, Task};
use crate::commands::revoke::{Request, Which};
use crate::system::System;

pub(super) fn revoke(
    arguments: Revoke,
    global: &Global,
    system: &mut System,
) -> Result<Request, Error> {
    Ok(Request {
        subject: arguments.subject,
        which: match (arguments.superseded, arguments.all) {
            (true, _) => Which::Superseded,
            (false, true) => Which::All,
            (false, false) => Which::One,
        },
        reason: arguments.reason,
        writing: writing(&arguments.change.ca_key, arguments.force, global, system)?,
        exec: arguments.change.exec,
    })
}

pub(super) fn crl(
    arguments: Crl,
    global: &Global,
    system: &mut System,
) -> Result<Requested, Error> {
    let Crl {
        lifetime,
        change,
        force,
    } = arguments;
    let task = Task::Crl { lifetime };
    request(task, Selection::All, change, force, global, system)
}
