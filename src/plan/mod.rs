//! Pure decisions: what is to be made, and why. Nothing here reads a clock, a disk or a random
//! number, so every decision is a test of one line.
//!
//! [`establish`] decides for a new cluster, [`authority`] and [`entry`] for one that exists.

pub mod authority;
pub mod entry;
pub mod establish;
pub mod reason;
