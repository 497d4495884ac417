//! Other programs' configuration as text: what zpki reads out of it and what it writes for it.

pub mod haproxy;
pub mod problem;
pub mod server_conf;
pub mod snippet;
pub mod unreadable;
