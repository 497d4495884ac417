//! `zpki export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::commands::export::Format;

/// `zpki export`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Export {
    /// An entry of zpki.toml, or a client that has a folder
    #[arg(value_name = "NAME")]
    pub(in crate::cli) name: String,

    /// In which form
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub(in crate::cli) format: FormatName,

    /// The file to make: 0600 with a private key in it, else 0644 [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,

    /// File whose first line is the passphrase of the PKCS#12 file; `-` is standard input [default: asked
    /// for on a terminal]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) p12_passphrase_file: Option<PathBuf>,
}

/// A form.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(in crate::cli) enum FormatName {
    /// Private key, certificate, intermediates: HAProxy's crt
    KeyCert,
    /// Certificate, intermediates
    Fullchain,
    /// Private key, certificate, intermediates and root in a PKCS#12 file, under a passphrase
    P12,
    /// A Secret of Kubernetes, of type kubernetes.io/tls, with tls.crt, tls.key and ca.crt
    K8sSecret,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Fullchain => Self::Fullchain,
            FormatName::K8sSecret => Self::K8sSecret,
            FormatName::KeyCert => Self::KeyCert,
            FormatName::P12 => Self::P12,
        }
    }
}
