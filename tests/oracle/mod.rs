//! What `zpki init` writes and what `zpki check` says, judged by others: the openssl command,
//! rustls-webpki and HAProxy; and field by field as openssl shows it.
//!
//! [`pki::Pki`] is a PKI directory that the real program made; every judge is also shown something
//! that it must refuse, so that its consent means something. [`forge::Forge`] makes what zpki would
//! not, for [`cases`].

pub(crate) mod cases;
mod chains;
mod constraints;
mod fields;
mod forge;
pub(crate) mod graphs;
mod haproxy;
mod haproxy_configuration;
mod keys;
mod pki;
mod pkilint;
mod revocation;
mod rustls_webpki;
mod server_conf;
