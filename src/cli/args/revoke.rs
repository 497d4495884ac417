//! `zpki revoke`.

use std::path::PathBuf;

use clap::Args;

use super::apply::Change;
use super::words;
use crate::domain::revocation::RevocationReason;

/// `zpki revoke`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Revoke {
    /// The name of an entry; a serial number, or 8 digits or more that no other begins with; or a
    /// certificate's file
    #[arg(value_name = "NAME|SERIAL|FILE")]
    pub(in crate::cli) subject: PathBuf,

    /// Why [default: superseded with --superseded, else unspecified]
    #[arg(long, value_name = "REASON", value_parser = words::<RevocationReason>(RevocationReason::NAMES))]
    pub(in crate::cli) reason: Option<RevocationReason>,

    /// Of NAME, all valid certificates but the one that is installed
    #[arg(long, conflicts_with = "all")]
    pub(in crate::cli) superseded: bool,

    /// Of NAME, all valid certificates
    #[arg(long)]
    pub(in crate::cli) all: bool,

    /// Also what is installed, and what has expired; and believe a clock that contradicts what was
    /// issued before
    #[arg(long)]
    pub(in crate::cli) force: bool,

    /// How it is done.
    #[command(flatten)]
    pub(in crate::cli) change: Change,
}

/// What to do when a key is in other hands, as `--help` and the man page show it.
pub(in crate::cli) const RUNBOOK: &str = "\
A key leaked:

A server's key
  1. zpki rekey NAME --force
  2. copy its new files to its host; the server reads them at its next
     connection
  3. zpki revoke NAME --superseded --reason keyCompromise
  4. copy load-balancer/crl.pem to where HAProxy reads it, and reload HAProxy
  When every minute counts, begin with
     zpki revoke NAME --reason keyCompromise --force
  and step 4, which take the server down; steps 1 and 2 bring it back.

The load-balancer's key, or a client's
  1. zpki rekey load-balancer --force
  2. copy its new files to where HAProxy reads them, and reload HAProxy
  3. zpki revoke load-balancer --superseded --reason keyCompromise
  Servers read no CRL: whoever has the old key passes there until its
  certificate expires. Let nobody but the load-balancer reach their ports; to
  shut the old key out before it expires, replace the CA, as below.

The CA's key
  No CRL helps: whoever has the key signs certificates and CRLs alike.
  1. zpki init NEW --config zpki.toml
     makes a new CA, and every key and certificate anew
  2. add NEW/ca/ca-file.pem to the trust bundle of each server
  3. add it to HAProxy's ca-file, and NEW/ca/crl.pem to its crl-file, if it has
     one; reload HAProxy
  4. copy each server's new key and certificate to its host
  5. put the new key-cert.pem in place of HAProxy's, and reload it
  6. take the old CA and its CRL out of HAProxy's files, and reload it
  7. take the old CA out of the trust bundle of each server
  In this order no request fails. While somebody uses the key against you, do
  all of it at once, and take the requests that fail meanwhile.";
