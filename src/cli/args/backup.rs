//! `zpki backup` and `zpki restore`.

use std::path::PathBuf;

use clap::Args;

/// `zpki backup`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Backup {
    /// The file to make; `-` is standard output
    #[arg(value_name = "FILE|-")]
    pub(in crate::cli) file: PathBuf,
}

/// `zpki restore`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Restore {
    /// A file that `zpki backup` made; `-` is standard input
    #[arg(value_name = "FILE|-")]
    pub(in crate::cli) file: PathBuf,

    /// The directory to make [default: the PKI directory of -C]
    #[arg(value_name = "DIR")]
    pub(in crate::cli) target: Option<PathBuf>,
}
