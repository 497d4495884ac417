//! `zpki check`: from arguments to a request.

use super::args::{Check, PolicyName, PurposeName};
use crate::commands::check::Request;
use crate::commands::error::{Error, Usage};
use crate::verify::policy::{Policy, Purpose};

/// What the arguments ask for.
pub(super) fn request(arguments: Check) -> Result<Request, Error> {
    Ok(Request {
        policy: policy(&arguments)?,
        file: arguments.file,
        ca_file: arguments.ca_file,
        untrusted: arguments.untrusted,
        crl_file: arguments.crl_file,
        hosts: arguments.hosts,
        at: arguments.at.map(|at| at.0),
    })
}

/// The other two policies have their purposes, and servers check no name.
fn policy(arguments: &Check) -> Result<Option<Policy>, Error> {
    let policy = arguments.policy.map(|name| match name {
        PolicyName::HaproxyServer => Policy::HaproxyServer,
        PolicyName::ServerClient => Policy::ServerClient,
        PolicyName::Strict => Policy::Strict(match arguments.purpose {
            Some(PurposeName::Client) => Purpose::Client,
            Some(PurposeName::Server) | None => Purpose::Server,
        }),
    });
    let is_strict = policy.is_some_and(Policy::is_strict);
    if arguments.purpose.is_some() && !is_strict {
        return Err(Error::Usage(Usage::PurposeWithoutStrict));
    }
    if policy == Some(Policy::ServerClient) && !arguments.hosts.is_empty() {
        return Err(Error::Usage(Usage::HostOfClient));
    }
    Ok(policy)
}
