//! The integration tests: one crate, so that they share their helpers and link once.

#![allow(
    clippy::disallowed_methods,
    reason = "the doors of src/system.rs and src/store/ are the program's, not its tests'"
)]

mod apply;
mod backup;
mod bad_input;
mod ca;
mod ca_import;
mod check;
mod check_cluster;
mod check_configuration;
mod check_hostile;
mod config;
mod crash;
mod e2e;
mod expiry;
mod expiry_files;
mod expiry_json;
mod expiry_monitoring;
mod expiry_shapes;
mod export;
mod fuzz;
mod haproxy_edit;
mod help;
mod import;
mod init;
mod issue;
mod json;
mod layers;
mod lifecycle;
mod log;
mod man;
mod misuse;
mod oracle;
mod package;
mod pipeline;
mod pipes;
mod random;
mod readme;
mod revoke;
mod sandbox;
mod server;
mod server_conf_edit;
mod side_by_side;
mod supply_chain;
mod terminal;
