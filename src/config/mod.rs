//! Other programs' configuration as text: what zpki reads out of it and what it writes for it.

pub mod diff;
pub mod haproxy;
pub mod monitoring;
pub mod problem;
pub mod server_conf;
pub mod snippet;
mod template;
pub mod unreadable;
