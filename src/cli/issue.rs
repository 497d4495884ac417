//! From the arguments of `issue` to its request.

use std::path::Path;

use super::apply::writing_beside;
use super::args::Global;
use super::args::issue::Issue;
use super::passphrase;
use crate::commands::error::Error;
use crate::commands::issue::{Request, RequestWish, Wish};
use crate::domain::order::{Format, Order};
use crate::domain::text::Plain;
use crate::system::{STDIN, System};

/// What is tried, in the user's words.
pub(super) fn attempt(arguments: &Issue) -> String {
    match (&arguments.name, &arguments.csr, &arguments.from) {
        (Some(name), ..) => format!("issue `{name}`"),
        (None, Some(file), _) | (None, None, Some(file)) => {
            format!(
                "issue what `{}` asks for",
                Plain(&file.display().to_string())
            )
        }
        (None, None, None) => "issue a certificate".to_owned(),
    }
}

pub(super) fn request(
    arguments: Issue,
    global: &Global,
    system: &mut System,
) -> Result<Request, Error> {
    let format = arguments.format.unwrap_or_default();
    let p12_passphrase_file = arguments.p12_passphrase_file.as_deref();
    let input = arguments.csr.as_deref().or(arguments.from.as_deref());
    let stdin = Some(Path::new(STDIN));
    if p12_passphrase_file == stdin && input == stdin {
        return Err(passphrase::stdin_twice(
            "a file to read, the passphrase of the PKCS#12 file",
        ));
    }
    let is_sealed = format == Format::P12;
    let p12_passphrase = passphrase::for_p12(p12_passphrase_file, is_sealed, system)?;
    let readable = p12_passphrase_file.and_then(|file| passphrase::finding_of_p12(file, system));
    let input = input
        .filter(|it| Some(*it) == stdin)
        .or(p12_passphrase_file);
    let mut writing = writing_beside(
        input,
        &arguments.ca_key,
        arguments.trust_clock,
        global,
        system,
    )?;
    writing.findings.extend(readable);
    Ok(Request {
        out: arguments.out.clone(),
        replace: arguments.force,
        wish: wish(arguments),
        format,
        p12_passphrase,
        writing,
    })
}

fn wish(arguments: Issue) -> Wish {
    const REQUIRED: &str = "clap requires it where there is no manifest";
    if let Some(file) = arguments.from {
        return Wish::Manifest { file };
    }
    let role = arguments.role.expect(REQUIRED);
    match arguments.csr {
        Some(file) => Wish::Request(RequestWish {
            file,
            name: arguments.name,
            role,
            hosts: arguments.hosts,
            lifetime: arguments.lifetime,
        }),
        None => Wish::One(Order {
            name: arguments.name.expect(REQUIRED),
            role,
            hosts: arguments.hosts,
            key_algorithm: arguments.key_algorithm,
            lifetime: arguments.lifetime,
        }),
    }
}
