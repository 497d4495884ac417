//! `zpki ca`: the CA itself. That it is renewed is a task of [`apply`](super::apply).

pub mod import;
pub mod passphrase;
pub mod show;
