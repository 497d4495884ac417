//! End to end: what `zpki init` writes, put where an administrator would put it, carries traffic
//! between a real HAProxy and real gunicorn servers, and what must be refused is refused.
//!
//! A [`site::Site`] is a cluster at rest, files that a test may tamper with; starting it gives a
//! [`cluster::Cluster`], whose health and answers are compared. Both are needed: with TLS 1.3 HAProxy
//! shows a server as up although every request to it fails for want of a client certificate.

mod cluster;
mod frontends;
pub(crate) mod process;
mod refusals;
mod site;
pub(crate) mod statistics;
mod switch;
mod traffic;
