//! What fits and what does not, in a PKI directory as it stands: pure findings, for `check` to tell.

pub mod authority;
pub mod configuration;
pub mod entry;
pub mod files;
