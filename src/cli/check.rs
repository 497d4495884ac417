//! `zpki check`: from arguments to a request.

use time::OffsetDateTime;

use super::args::{Check, PolicyName, PurposeName};
use crate::commands::check::{Request, configuration};
use crate::commands::error::{Error, Usage};
use crate::verify::policy::{Policy, Purpose};

/// What is to be checked.
pub(super) enum Subject {
    /// One certificate.
    File(Request),
    /// The PKI directory, for an instant or for now.
    Cluster(Option<OffsetDateTime>),
    /// Configuration files.
    Configuration(configuration::Request),
}

/// What the arguments ask for.
pub(super) fn subject(arguments: Check) -> Result<Subject, Error> {
    let policy = policy(&arguments)?;
    let at = arguments.at.map(|at| at.0);
    if !arguments.haproxy.is_empty() || !arguments.server_conf.is_empty() {
        return Ok(Subject::Configuration(configuration::Request {
            haproxy: arguments.haproxy,
            server_confs: arguments.server_conf,
            at,
        }));
    }
    let (Some(file), Some(ca_file)) = (arguments.file, arguments.ca_file) else {
        return Ok(Subject::Cluster(at));
    };
    Ok(Subject::File(Request {
        file,
        ca_file,
        untrusted: arguments.untrusted,
        crl_file: arguments.crl_file,
        hosts: arguments.hosts,
        policy,
        at,
    }))
}

/// What a failure says was tried.
pub(super) fn attempt(arguments: &Check) -> String {
    match &arguments.file {
        Some(file) => format!("check `{}`", file.display()),
        None if arguments.haproxy.is_empty() && arguments.server_conf.is_empty() => {
            "check the PKI directory".to_owned()
        }
        None => "check the configuration".to_owned(),
    }
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
