//! `zpki config`.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

use crate::commands::config::ServerConfFile;
use crate::domain::name::EntryName;
use crate::domain::settings::Backend;
use crate::domain::validity::Span;

/// `zpki config`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Config {
    /// What.
    #[command(subcommand)]
    pub(in crate::cli) what: ConfigCommand,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ConfigCommand {
    /// Show what would change in HAProxy's configuration and in server.conf, as `diff -u` does
    ///
    /// On `server` lines of the cluster's backend it is the TLS options; in [crypto] of server.conf use_tls,
    /// tls_client_certs, tls_protocol and the four locations of files. Every other byte stays. The files are
    /// those that the flags name; without any, those of `config` in [load_balancer] and `conf` in
    /// [[servers]] of zpki.toml.
    Diff(Diff),
    /// Change HAProxy's configuration and server.conf in place: all of the files, or none
    ///
    /// Shows the change, asks, has the new text checked, keeps each old file beside the new one as
    /// NAME.zpki-TIME, and puts the new ones in place with their owner, mode, ACL and SELinux label. When
    /// --restart or --reload fails, the old files are put back. A run that was killed is taken back by the
    /// next one. Twice, the second run changes nothing.
    ///
    /// The first switch to TLS of a cluster that carries traffic loses requests in every order but one, which
    /// is what --rolling does: server by server, disabled on its line while it is changed and restarted.
    /// When a server does not come up the run stops there, and the same command goes on from there.
    Apply(Apply),
    /// Undo the last change of HAProxy's configuration and of server.conf
    ///
    /// Each file gets back the text that it had before the last change of any of them; one that had no part in
    /// that stays. After the same checks, and with backups of its own: a second rollback undoes the first.
    /// Files that --install has put in place stay.
    Rollback(Rollback),
}

/// Which files.
#[derive(Args, Debug)]
pub(in crate::cli) struct Files {
    /// HAProxy's configuration
    #[arg(long, value_name = "FILE", help_heading = FILES)]
    pub(in crate::cli) haproxy: Option<PathBuf>,

    /// A server's configuration; NAME= may be left out where there is one server (repeatable)
    #[arg(long = "server-conf", value_name = "[NAME=]FILE", help_heading = FILES)]
    pub(in crate::cli) server_confs: Vec<ServerConfFile>,

    /// Follow a file that is a symbolic link out of its directory
    #[arg(long, help_heading = FILES)]
    pub(in crate::cli) follow: bool,
}

/// What they are to say.
#[derive(Args, Debug)]
pub(in crate::cli) struct Target {
    /// The files.
    #[command(flatten)]
    pub(in crate::cli) files: Files,

    /// Take lines and settings from a host folder, on a host without the PKI directory
    #[arg(long, value_name = "DIR", help_heading = FILES)]
    pub(in crate::cli) from: Option<PathBuf>,

    /// The backend or listen section that has the servers [default: backend in [load_balancer] of zpki.toml,
    /// between the marks of Zato's agent]
    #[arg(long, value_name = "NAME", help_heading = FILES)]
    pub(in crate::cli) backend: Option<Backend>,

    /// These servers alone (repeatable)
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(in crate::cli) only: Vec<EntryName>,

    /// Also put the files of the host folders where the configurations name them
    #[arg(long)]
    pub(in crate::cli) install: bool,

    /// Take the TLS options out again, and set use_tls=False
    #[arg(long, conflicts_with = "install")]
    pub(in crate::cli) disable: bool,
}

/// `zpki config diff`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Diff {
    /// What they are to say.
    #[command(flatten)]
    pub(in crate::cli) target: Target,

    /// Exit with 10 when something would change
    #[arg(long)]
    pub(in crate::cli) exit_code: bool,
}

/// `zpki config apply`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Apply {
    /// What they are to say.
    #[command(flatten)]
    pub(in crate::cli) target: Target,

    /// How it is done.
    #[command(flatten)]
    pub(in crate::cli) making: Making,

    /// Switch one server after the other, so that no request fails
    #[arg(long, requires_all = ["reload", "restart"], help_heading = ROLLING)]
    pub(in crate::cli) rolling: bool,

    /// What succeeds once the server $ZPKI_NAME answers [default: HAProxy's `stats socket` says so]
    #[arg(long, value_name = "COMMAND", value_parser = NonEmptyStringValueParser::new(), requires = "rolling", help_heading = ROLLING)]
    pub(in crate::cli) probe: Option<String>,

    /// How long requests that are under way may take before their server is restarted
    #[arg(long, value_name = "DURATION", default_value = "2s", requires = "rolling", help_heading = ROLLING)]
    pub(in crate::cli) drain: Span,

    /// How long a server may take to come up
    #[arg(long, value_name = "DURATION", default_value = "60s", requires = "rolling", help_heading = ROLLING)]
    pub(in crate::cli) up_timeout: Span,

    /// Exit with 10 when something was changed
    #[arg(long)]
    pub(in crate::cli) exit_code: bool,
}

/// How a change is made.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = CHANGE)]
pub(in crate::cli) struct Making {
    /// What checks the new text of HAProxy's configuration, in a copy at $ZPKI_FILE
    #[arg(long, value_name = "COMMAND", default_value = crate::commands::config::validation::HAPROXY, value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) validate: String,

    /// Check nothing
    #[arg(long, conflicts_with = "validate")]
    pub(in crate::cli) no_validate: bool,

    /// How to make HAProxy read its files again, such as 'systemctl reload haproxy'
    #[arg(long, value_name = "COMMAND", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) reload: Option<String>,

    /// What restarts the server $ZPKI_NAME
    #[arg(long, value_name = "COMMAND", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) restart: Option<String>,
}

/// `zpki config rollback`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Rollback {
    /// The files.
    #[command(flatten)]
    pub(in crate::cli) files: Files,

    /// List the backups, and change nothing
    #[arg(long, conflicts_with_all = ["validate", "no_validate", "reload", "restart", "exit_code"])]
    pub(in crate::cli) list: bool,

    /// How it is done.
    #[command(flatten)]
    pub(in crate::cli) making: Making,

    /// Exit with 10 when something was changed
    #[arg(long)]
    pub(in crate::cli) exit_code: bool,
}

pub(super) const CHANGE: &str = "Checks, and what follows the change";
const FILES: &str = "Files";
const ROLLING: &str = "One server after the other";
