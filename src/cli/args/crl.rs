//! `zpki crl`.

use clap::Args;

use super::apply::{CaKey, Hook};
use crate::domain::validity::Lifetime;

/// `zpki crl`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Crl {
    /// How long it is valid [default: lifetime in [revocation] of zpki.toml, else 1y]
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) lifetime: Option<Lifetime>,

    /// Exit with 10 when something was changed: whenever it is signed
    #[arg(long)]
    pub(in crate::cli) exit_code: bool,

    /// What to run afterwards.
    #[command(flatten)]
    pub(in crate::cli) hook: Hook,

    /// The CA's private key.
    #[command(flatten)]
    pub(in crate::cli) ca_key: CaKey,

    /// Believe a clock that contradicts what was issued before
    #[arg(long)]
    pub(in crate::cli) force: bool,
}
