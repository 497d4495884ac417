//! `zpki crl`.

use clap::Args;

use super::apply::Change;
use crate::domain::validity::Lifetime;

/// `zpki crl`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Crl {
    /// How long it is valid [default: lifetime in [revocation] of zpki.toml, else 1y]
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) lifetime: Option<Lifetime>,

    /// How it is done.
    #[command(flatten)]
    pub(in crate::cli) change: Change,

    /// Believe a clock that contradicts what was issued before
    #[arg(long)]
    pub(in crate::cli) force: bool,
}
