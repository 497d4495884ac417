//! `zpki import`.

use std::path::PathBuf;

use clap::Args;

use super::ServerArgument;
use crate::commands::import::GivenServer;
use crate::domain::name::{ClusterName, EntryName};
use crate::domain::settings::Backend;

/// `zpki import`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Import {
    /// The directory that was given to `zato ca create ca`
    #[arg(value_name = "DIR")]
    pub(in crate::cli) source: PathBuf,

    /// Name of the cluster [default: that in the servers' certificates]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) cluster: Option<ClusterName>,

    /// The address of a server, as HAProxy reaches it, and its host names (repeatable)
    #[arg(long = "server", value_name = "NAME=ADDRESS[,HOST...]")]
    pub(in crate::cli) servers: Vec<ServerArgument>,

    /// Take the addresses out of HAProxy's configuration as Zato writes it
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) from_haproxy: Option<PathBuf>,

    /// The HAProxy backend that holds the server lines [default: bck_http_plain]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) backend: Option<Backend>,

    /// One that is no server and only calls them, such as the scheduler (repeatable)
    #[arg(long = "client", value_name = "NAME")]
    pub(in crate::cli) clients: Vec<EntryName>,
}

impl From<ServerArgument> for GivenServer {
    fn from(argument: ServerArgument) -> Self {
        Self {
            name: argument.name,
            address: argument.address,
            hosts: argument.hosts,
        }
    }
}
