//! `zpki expiry` as monitoring reads it.

#![cfg_attr(
    not(test),
    expect(dead_code, reason = "the command that prints it comes next")
)]

pub(in crate::cli) mod nagios;
pub(in crate::cli) mod problem;
pub(in crate::cli) mod prometheus;
#[cfg(test)]
mod testing;
