//! What a consumer will say of a certificate. The rules are OpenSSL's, as libssl and HAProxy apply
//! them; each is one function of [`rules`].
//!
//! Whatever zpki issues is judged here before it is written: a [`rules::VerifiedPath`] can be had
//! in no other way, and the host folders are made of those alone.

pub mod rules;
