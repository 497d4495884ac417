//! `zpki ca`.

use clap::{Args, Subcommand};

use super::apply::{CaKey, Hook};

/// `zpki ca`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Ca {
    /// What of it.
    #[command(subcommand)]
    pub(in crate::cli) what: CaCommand,
}

/// What can be done with the CA.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum CaCommand {
    /// Make a new certificate for the CA's key
    ///
    /// No certificate that the CA has issued needs to change: subject and key stay, and so each of them is
    /// valid under the new certificate as under the old. The trust bundles change, here and in the host
    /// folders. The name constraints of zpki.toml are put in, after every name in use was tried against
    /// them. Asked for again within the hour, with nothing to gain, it changes nothing. The certificate
    /// of a CA that zpki did not make is renewed only when nothing that it says would be lost.
    Renew(Renew),
}

/// `zpki ca renew`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Renew {
    /// Exit with 10 when something was changed
    #[arg(long)]
    pub(in crate::cli) exit_code: bool,

    /// What to run afterwards.
    #[command(flatten)]
    pub(in crate::cli) hook: Hook,

    /// The CA's private key.
    #[command(flatten)]
    pub(in crate::cli) ca_key: CaKey,

    /// Also within the hour after the last time; and believe a clock that contradicts what was issued
    /// before
    #[arg(long)]
    pub(in crate::cli) force: bool,
}
