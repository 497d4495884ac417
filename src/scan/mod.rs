//! What `expiry` reads: files and directories of anybody's, and the certificates and CRLs in them.
//!
//! A file is judged by what is in it, never by its name. Nothing that is found is passed over in
//! silence: it is a certificate or a CRL, something that has no date and is said to be not
//! inspected, or an error.

pub mod decode;
pub mod read;
mod readers;
pub mod walk;

pub use readers::threads;
