//! Pure decisions: what is to be made, and why. Nothing here reads a clock, a disk or a random
//! number, so every decision is a test of one line.

pub mod establish;
