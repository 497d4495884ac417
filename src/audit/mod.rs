//! What fits and what does not, and what runs out: pure findings, for `check` and `expiry` to tell.

pub mod authority;
pub mod configuration;
pub mod entry;
pub mod expiry;
pub mod files;
pub mod revocation;
