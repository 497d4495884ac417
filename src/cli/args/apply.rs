//! `zpki plan`, `apply`, `renew` and `rekey`.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, Args};

use super::CaPassphrase;
use super::config::{self, Making};
use crate::domain::validity::Instant;

/// `zpki plan`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Plan {
    /// Look at these entries alone, and at nothing of the CA (repeatable)
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(in crate::cli) only: Vec<String>,

    /// Exit with 10 when there is something to do
    #[arg(long)]
    pub(in crate::cli) exit_code: bool,

    /// The instant to judge for, RFC 3339 or a date [default: now]
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) at: Option<Instant>,
}

/// `zpki apply`.
#[derive(Args, Debug)]
#[command(mut_args(with_config))]
pub(in crate::cli) struct Apply {
    /// Look at these entries alone, and at nothing of the CA (repeatable)
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(in crate::cli) only: Vec<String>,

    /// How it is done.
    #[command(flatten)]
    pub(in crate::cli) change: Change,

    /// Believe a clock that contradicts what was issued before
    #[arg(long)]
    pub(in crate::cli) force: bool,

    /// Then do what `zpki config apply --install` does, for the files that zpki.toml names
    #[arg(long)]
    pub(in crate::cli) config: bool,

    /// How that is done.
    #[command(flatten)]
    pub(in crate::cli) making: Making,
}

/// What says how the configuration is changed needs the flag that has it changed.
fn with_config(argument: Arg) -> Arg {
    match argument.get_help_heading() {
        Some(config::CHANGE) => argument
            .help_heading("With --config: checks, and what follows the change")
            .requires("config"),
        _ => argument,
    }
}

/// `zpki renew` and `zpki rekey`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Renew {
    /// The entries [default: all of them]
    #[arg(value_name = "NAME", conflicts_with = "all")]
    pub(in crate::cli) names: Vec<String>,

    /// All entries
    #[arg(long)]
    pub(in crate::cli) all: bool,

    /// Also those that are not due; and believe a clock that contradicts what was issued before
    #[arg(long)]
    pub(in crate::cli) force: bool,

    /// How it is done.
    #[command(flatten)]
    pub(in crate::cli) change: Change,
}

/// How a change is made.
#[derive(Args, Debug)]
pub(in crate::cli) struct Change {
    /// Exit with 10 when something was changed
    #[arg(long)]
    pub(in crate::cli) exit_code: bool,

    /// Run this with the shell for each entry whose files have changed, with ZPKI_NAME and ZPKI_FOLDER in
    /// its environment; until it has succeeded, every later run of the same user tries it again
    #[arg(long, value_name = "COMMAND", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) exec: Option<String>,

    /// The CA's private key.
    #[command(flatten)]
    pub(in crate::cli) ca_key: CaKey,
}

/// Where the CA's private key is, and what opens it.
#[derive(Args, Debug)]
pub(in crate::cli) struct CaKey {
    /// The file of the CA's private key [default: key_file in [ca] of zpki.toml, else ca/ca.key.pem]
    #[arg(long, value_name = "FILE", help_heading = super::PASSPHRASE)]
    pub(in crate::cli) ca_key: Option<PathBuf>,

    /// What opens it.
    #[command(flatten)]
    pub(in crate::cli) passphrase: CaPassphrase,
}
