//! `zpki ca`: the CA itself. That it is renewed is a task of [`apply`](super::apply).

pub mod passphrase;
pub mod show;
