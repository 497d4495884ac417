//! `zpki expiry` as text for people and cron, as JSON, and as monitoring reads it.

pub(in crate::cli) mod json;
pub(in crate::cli) mod nagios;
pub(in crate::cli) mod problem;
pub(in crate::cli) mod prometheus;
#[cfg(test)]
mod testing;
pub(in crate::cli) mod text;
