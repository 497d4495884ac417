//! Which files are meant, and whose they are.

use std::path::{Path, PathBuf};

use super::desired::{Desired, LoadBalancer, Server};
use super::refusal::Refusal;
use super::{Request, ServerConfFile};
use crate::commands::error::Error;
use crate::domain::name::EntryName;
use crate::system::System;

/// The files that are meant, and what each is to say.
pub(super) struct Targets<'a> {
    pub(super) haproxy: Option<(PathBuf, &'a LoadBalancer)>,
    pub(super) servers: Vec<ServerTarget<'a>>,
}

/// A server.conf, and whose it is.
pub(super) struct ServerTarget<'a> {
    pub(super) path: PathBuf,
    /// As it was given; else as zpki.toml has it.
    pub(super) name: Option<EntryName>,
    pub(super) server: &'a Server,
}

impl<'a> Targets<'a> {
    /// Those of the command line; without any, those of zpki.toml.
    pub(super) fn of(
        request: &Request,
        desired: &'a Desired,
        system: &System,
    ) -> Result<Self, Error> {
        let is_named = request.haproxy.is_some() || !request.server_confs.is_empty();
        let load_balancer = desired.load_balancer.as_ref();
        let is_meant = |target: &ServerTarget<'_>| {
            let name = target.name.as_ref();
            request.only.is_empty() || name.is_some_and(|it| request.only.contains(it))
        };
        let mut targets = if is_named {
            let mut servers = Vec::new();
            for ServerConfFile { name, path } in &request.server_confs {
                let server = server_of(name.as_ref(), path, desired)?;
                servers.push(ServerTarget {
                    path: system.locate(path),
                    name: name.clone().or_else(|| server.name.clone()),
                    server,
                });
            }
            let haproxy = request.haproxy.as_ref().map(|path| {
                let not_for_this = || Error::Config(Refusal::NotForThis { path: path.clone() });
                Ok::<_, Error>((system.locate(path), load_balancer.ok_or_else(not_for_this)?))
            });
            Self {
                haproxy: haproxy.transpose()?,
                servers,
            }
        } else {
            let config = load_balancer.and_then(|it| Some((it.config.clone()?, it)));
            let confs = desired.servers.iter().filter_map(|server| {
                Some(ServerTarget {
                    path: server.conf.clone()?,
                    name: server.name.clone(),
                    server,
                })
            });
            Self {
                haproxy: config,
                servers: confs.collect(),
            }
        };
        targets.servers.retain(is_meant);
        if targets.haproxy.is_none() && targets.servers.is_empty() {
            return Err(Error::Config(Refusal::NoTargets));
        }
        targets.each_once()?;
        Ok(targets)
    }

    /// Each file that is written.
    pub(super) fn paths(&self, request: &Request) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        let mut installed = Vec::new();
        if let Some((path, load_balancer)) = &self.haproxy {
            paths.push(path.clone());
            installed.extend(load_balancer.files());
        }
        for ServerTarget { path, server, .. } in &self.servers {
            paths.push(path.clone());
            installed.extend(server.files(path));
        }
        let installed = installed.into_iter().map(|file| file.target);
        paths.extend(installed.filter(|_| request.installs()));
        paths
    }

    fn each_once(&self) -> Result<(), Error> {
        let twice = |what: String| Err(Error::Config(Refusal::Twice { what }));
        for (index, target) in self.servers.iter().enumerate() {
            let earlier = &self.servers[..index];
            let path = || target.path.display().to_string();
            if earlier.iter().any(|other| other.path == target.path) {
                return twice(path());
            }
            if earlier.iter().any(|other| other.name == target.name) {
                return twice(target.name.as_ref().map_or_else(path, ToString::to_string));
            }
        }
        Ok(())
    }
}

/// The server whose configuration is at `path`.
fn server_of<'a>(
    name: Option<&EntryName>,
    path: &Path,
    desired: &'a Desired,
) -> Result<&'a Server, Error> {
    let known = || desired.servers.iter().filter_map(|it| it.name.clone());
    match (name, &desired.servers[..]) {
        (_, []) => Err(Error::Config(Refusal::NotForThis {
            path: path.to_owned(),
        })),
        (None, [only]) => Ok(only),
        // A server's own folder.
        (Some(name), [only]) if desired.load_balancer.is_none() => match &only.name {
            Some(certified) if certified != name => Err(Error::Config(Refusal::NotThisServers {
                path: path.to_owned(),
                name: name.clone(),
                certified: certified.clone(),
            })),
            _ => Ok(only),
        },
        (None, _) => Err(Error::Config(Refusal::WhichServer {
            path: path.to_owned(),
            known: known().collect(),
        })),
        (Some(name), servers) => {
            let server = servers.iter().find(|it| it.name.as_ref() == Some(name));
            server.ok_or_else(|| Error::UnknownServer {
                name: name.to_string(),
                known: known().collect(),
            })
        }
    }
}
