//! `zpki log`.

use clap::Args;

use crate::domain::validity::Instant;

/// `zpki log`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Log {
    /// Only what was done to the entry of this name
    #[arg(value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,

    /// Only what was done from then on, RFC 3339 or a date
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) since: Option<Instant>,
}
