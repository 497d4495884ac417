//! `zpki ca`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::CaPassphrase;
use super::apply::{CaKey, Change};

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
    /// Make a new certificate for the CA's key
    ///
    /// No certificate that the CA has issued needs to change: subject and key stay, and so each of them is
    /// valid under the new certificate as under the old. The trust bundles change, here and in the host
    /// folders. The name constraints of zpki.toml are put in, after every name in use was tried against
    /// them. Asked for again within the hour, with nothing to gain, it changes nothing. The certificate
    /// of a CA that zpki did not make is renewed only when nothing that it says would be lost.
    Renew(Renew),
    /// Change the passphrase of the CA's private key, set a first one, or take it away
    ///
    /// The key stays; its file is written anew, encrypted as every OpenSSL reads it. On a terminal the
    /// passphrases are asked for, the new one twice. Copies of the file, such as backups, still open with
    /// the old passphrase.
    Passphrase(Passphrase),
    /// Take a CA that was made elsewhere, self-signed or an intermediate, for the cluster's
    ///
    /// The PKI directory needs a zpki.toml, written by `zpki import` or by hand; `zpki apply` then issues the
    /// certificates of its entries. CERT and KEY are as openssl, easy-rsa or cfssl write them, encrypted
    /// or not. Name, key and key identifier stay to the octet. Everything is checked before anything is
    /// written: one certificate for each entry of zpki.toml is signed, and judged as HAProxy and the
    /// servers will judge it. Of an intermediate CA each host gets the chain, and in its trust bundle the
    /// root; with revocation enabled, [revocation] extra_crls must name a CRL of each CA above, for
    /// HAProxy wants them all. Where there is another CA, its key and its CRL go to ca/previous; of a
    /// CA that comes back from there, what it had revoked stays revoked. Where CERT is the renewed
    /// certificate of the same CA, the certificates that it issued stay good, and KEY may be the key that
    /// is there. Where key_file in [ca] of zpki.toml names KEY, the key stays there.
    Import(Import),
}

/// `zpki ca renew`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Renew {
    /// How it is done.
    #[command(flatten)]
    pub(in crate::cli) change: Change,

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

/// `zpki ca import`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Import {
    /// The CA's certificate, PEM or DER, and perhaps those above it
    #[arg(value_name = "CERT")]
    pub(in crate::cli) certificate: PathBuf,

    /// Its private key
    #[arg(value_name = "KEY")]
    pub(in crate::cli) key: PathBuf,

    /// The certificates above an intermediate CA, up to a self-signed root
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) chain: Option<PathBuf>,

    /// The CA's CRL; what it revokes is added to the record of what is revoked
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) crl: Option<PathBuf>,

    /// File whose first line opens KEY; `-` is standard input [default: what is to open it here]
    #[arg(long, value_name = "FILE", help_heading = super::PASSPHRASE)]
    pub(in crate::cli) key_passphrase_file: Option<PathBuf>,

    /// The passphrase that is to open the key in the PKI directory.
    #[command(flatten)]
    pub(in crate::cli) passphrase: CaPassphrase,

    /// Leave the CA's private key unencrypted in the PKI directory
    #[arg(long, conflicts_with = "ca_passphrase_file", help_heading = super::PASSPHRASE)]
    pub(in crate::cli) no_ca_passphrase: bool,

    /// Also where certificates of another CA are in use; and believe a clock that is behind this
    /// program's release
    #[arg(long)]
    pub(in crate::cli) force: bool,
}
