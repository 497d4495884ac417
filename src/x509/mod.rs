//! Bytes to values and back: the only layer that names rcgen, x509-parser, ring, base64, pkcs8,
//! aws-lc-rs and the ciphers.

pub mod certificate;
pub mod crl;
pub mod csr;
mod date;
pub mod dated;
mod der;
pub mod digest;
pub mod distinguished_name;
mod encryption;
pub mod error;
pub mod extensions;
mod form;
pub mod issue;
pub mod kind;
pub mod name;
pub mod passphrase;
pub mod path_certificate;
pub mod path_crl;
mod pbes1;
pub mod pem;
pub mod pkcs12;
pub mod private_key;
pub mod profile;
pub mod public_key;
pub mod signature;
pub mod strength;
#[cfg(test)]
pub(crate) mod testing;
mod traditional;
