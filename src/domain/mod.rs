//! Pure values and rules: what a name, a lifetime, a role or a cluster is. Imports nothing else of
//! the program, reads no clock and no disk.
//!
//! A value that exists is right: each type has one constructor, which answers with
//! [`error::Invalid`] otherwise. Start at [`settings`] (zpki.toml as data) and [`cluster`]
//! (settings that fit together).

pub mod address;
pub mod certificate;
pub mod cluster;
pub mod crypto;
pub mod digest;
pub mod error;
pub mod expiry;
pub mod finding;
pub mod haproxy_tls;
pub mod host;
pub mod key_algorithm;
pub mod name;
pub mod name_constraints;
pub mod order;
pub mod pattern;
pub mod plain_path;
pub mod progress;
pub mod remaining;
pub mod revocation;
pub mod role;
pub mod serial_number;
pub mod server_conf;
pub mod server_line;
pub mod settings;
pub mod text;
pub mod textfile;
pub mod threshold;
pub mod validity;
pub mod words;
