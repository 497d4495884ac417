//! One file per command (`apply`, `backup`, `ca`, `check`, `config`, ...): a request in, a report out. No
//! command parses arguments, prints, or knows of a terminal; each is given a
//! [`System`](crate::system::System) and returns plain data that the text and the JSON are drawn
//! from. The other files are what they work with.

pub mod apply;
pub mod backup;
pub mod ca;
pub mod ca_key;
pub mod check;
pub mod config;
pub mod directory;
pub mod error;
pub mod expiry;
pub mod export;
pub mod hooks;
pub mod import;
pub mod init;
pub mod issuance;
pub mod issue;
pub mod list;
pub mod log;
mod new_directory;
pub mod next_steps;
pub mod plan;
pub mod reconcile;
pub mod restore;
pub mod revoke;
pub mod server;
pub mod show;
pub mod snippet;

mod certificate_authority;
mod extra_crls;
mod host_folder;
mod state;
