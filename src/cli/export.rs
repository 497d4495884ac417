//! From the arguments of `export` to its request.

use super::args::{Export, Global};
use super::passphrase;
use crate::commands::error::Error;
use crate::commands::export::{Format, Request};
use crate::system::System;

pub(super) fn request(
    arguments: Export,
    global: &Global,
    system: &mut System,
) -> Result<Request, Error> {
    let format = Format::from(arguments.format);
    let file = arguments.p12_passphrase_file.as_deref();
    let readable = file.and_then(|file| passphrase::finding_of_p12(file, system));
    Ok(Request {
        findings: readable.into_iter().collect(),
        name: arguments.name,
        format,
        out: arguments.out,
        p12_passphrase: passphrase::for_p12(file, format == Format::P12, system)?,
        may_ask: !global.non_interactive,
    })
}
