//! `zpki ca`.

use std::path::PathBuf;

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
    /// Show what there is to know of the CA; its private key is not opened
    ///
    /// Its certificate, where its key is and how that is encrypted, what peers trust, the CRL, how many
    /// certificates hang on it, and until when it issues certificates of full length.
    Show,
    /// Change the passphrase of the CA's private key, set a first one, or take it away
    ///
    /// The key stays; its file is written anew, encrypted as every OpenSSL reads it. On a terminal the
    /// passphrases are asked for, the new one twice. Copies of the file, such as backups, still open with
    /// the old passphrase.
    Passphrase(Passphrase),
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

/// `zpki ca passphrase`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Passphrase {
    /// File whose first line is the new passphrase; `-` is standard input
    #[arg(long, value_name = "FILE", help_heading = super::PASSPHRASE)]
    pub(in crate::cli) new_ca_passphrase_file: Option<PathBuf>,

    /// Leave the CA's private key unencrypted
    #[arg(long, conflicts_with = "new_ca_passphrase_file", help_heading = super::PASSPHRASE)]
    pub(in crate::cli) no_ca_passphrase: bool,

    /// The CA's private key as it is.
    #[command(flatten)]
    pub(in crate::cli) ca_key: CaKey,
}
