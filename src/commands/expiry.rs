//! `zpki expiry`: what runs out, and when.

pub mod report;
