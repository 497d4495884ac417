//! zpki bootstraps and keeps the PKI of an HAProxy load-balancer and the Python servers behind it.
//!
//! The layers, each importing only what stands to its left (`tests/layers.rs` holds it):
//!
//! ```text
//! domain <- x509 <- verify <- { plan, audit, config, store, scan } <- commands <- cli <- main
//!                   system (the door to the outside) is used by commands, cli and main
//! ```
//!
//! Start reading at [`cli::run`], which runs a command and renders its report; at
//! [`commands::init`], which shows how the layers work together; or at [`domain::cluster`], which
//! is what it is all about.

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        reason = "tests make files and run other programs"
    )
)]

pub mod audit;
pub mod cli;
pub mod commands;
pub mod config;
pub mod domain;
pub mod plan;
#[expect(
    clippy::disallowed_methods,
    reason = "this is the layer that reads anybody's files"
)]
pub mod scan;
#[expect(
    clippy::disallowed_methods,
    reason = "this is the layer that reads and writes files"
)]
pub mod store;
#[expect(clippy::disallowed_methods, reason = "this is the door to the outside")]
pub mod system;
pub mod verify;
pub mod x509;
