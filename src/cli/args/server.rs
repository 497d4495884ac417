//! `zpki server`.

use clap::{Args, Subcommand};

use super::ServerArgument;
use super::apply::Change;
use crate::domain::name::EntryName;

/// `zpki server`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Server {
    /// What is done with it.
    #[command(subcommand)]
    pub(in crate::cli) what: ServerCommand,
}

/// What can be done with a server.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ServerCommand {
    /// Add a server to zpki.toml, and do what `apply` does
    ///
    /// Comments, order and spacing of zpki.toml stay. The host names that the server gets by default are
    /// written out.
    Add {
        /// Its name, its address as HAProxy reaches it, and its host names
        #[arg(value_name = "NAME=ADDRESS[,HOST...]")]
        server: ServerArgument,

        /// How it is done.
        #[command(flatten)]
        applied: Applied,
    },
    /// Remove a server from zpki.toml, and do what `apply` does
    ///
    /// Its host folder goes to retired/, with its private key. Its certificate stays valid until it expires
    /// or is revoked.
    Remove {
        /// Its name
        #[arg(value_name = "NAME")]
        name: EntryName,

        /// How it is done.
        #[command(flatten)]
        applied: Applied,
    },
}

/// How a change is applied.
#[derive(Args, Debug)]
pub(in crate::cli) struct Applied {
    /// How it is done.
    #[command(flatten)]
    pub(in crate::cli) change: Change,

    /// Believe a clock that contradicts what was issued before
    #[arg(long)]
    pub(in crate::cli) force: bool,
}
