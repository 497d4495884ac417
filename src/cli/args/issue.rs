//! `zpki issue`.

use std::path::PathBuf;

use clap::Args;

use super::apply::CaKey;
use super::words;
use crate::domain::host::Host;
use crate::domain::key_algorithm::KeyAlgorithm;
use crate::domain::name::EntryName;
use crate::domain::order::Format;
use crate::domain::role::Role;
use crate::domain::validity::Lifetime;

/// `zpki issue`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Issue {
    /// The name of the certificate; with --csr, by default its first host name
    #[arg(
        value_name = "NAME",
        required_unless_present_any = ["csr", "from"],
        conflicts_with = "from"
    )]
    pub(in crate::cli) name: Option<EntryName>,

    /// What it is for
    #[arg(
        long,
        value_name = "ROLE",
        value_parser = words::<Role>(Role::NAMES),
        required_unless_present = "from",
        conflicts_with = "from"
    )]
    pub(in crate::cli) role: Option<Role>,

    /// A host name or address of it (repeatable); with --csr, by default those of the request
    #[arg(long = "host", value_name = "HOST", conflicts_with = "from")]
    pub(in crate::cli) hosts: Vec<Host>,

    /// Its key algorithm [default: that of [certificates] in zpki.toml]
    #[arg(
        long,
        value_name = "ALGORITHM",
        value_parser = words::<KeyAlgorithm>(KeyAlgorithm::NAMES),
        conflicts_with_all = ["csr", "from"]
    )]
    pub(in crate::cli) key_algorithm: Option<KeyAlgorithm>,

    /// Its lifetime [default: that of [certificates] in zpki.toml]
    #[arg(
        long,
        value_name = "DURATION",
        allow_hyphen_values = true,
        conflicts_with = "from"
    )]
    pub(in crate::cli) lifetime: Option<Lifetime>,

    /// Issue for the key of this certification request (PKCS#10); `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    pub(in crate::cli) csr: Option<PathBuf>,

    /// Issue everything that this manifest lists: `[[certificate]]` with name, role and hosts, perhaps
    /// key_algorithm and lifetime, or in a file named .csv lines of name,role,hosts
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) from: Option<PathBuf>,

    /// The directory for its files, made if it is missing [default: clients/NAME in the PKI directory for
    /// a client, standard output with --csr]
    #[arg(long, value_name = "DIR", help_heading = FILES)]
    pub(in crate::cli) out: Option<PathBuf>,

    /// The files: NAME.key.pem and NAME.cert.pem, NAME.pem with both (HAProxy's `crt`), NAME.key.pem and
    /// NAME.fullchain.pem, or NAME.p12; and beside all but NAME.pem ca.cert.pem [default: pem]
    #[arg(
        long,
        value_name = "FORMAT",
        value_parser = words::<Format>(Format::NAMES),
        requires = "out",
        help_heading = FILES
    )]
    pub(in crate::cli) format: Option<Format>,

    /// File whose first line is the passphrase of NAME.p12; `-` is standard input
    #[arg(long, value_name = "FILE", requires = "format", help_heading = FILES)]
    pub(in crate::cli) p12_passphrase_file: Option<PathBuf>,

    /// Replace files that are there: those of what is due, and those that are in the way
    #[arg(long)]
    pub(in crate::cli) force: bool,

    /// Believe a clock that contradicts what was issued before
    #[arg(long)]
    pub(in crate::cli) trust_clock: bool,

    /// Exit with 10 when something was changed
    #[arg(long)]
    pub(in crate::cli) exit_code: bool,

    /// The CA's private key.
    #[command(flatten)]
    pub(in crate::cli) ca_key: CaKey,
}

const FILES: &str = "Files";
