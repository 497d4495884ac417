//! What a consumer will say of a certificate: OpenSSL's verdict, with the certificate and the rule.
//!
//! HAProxy, and the servers behind it, leave certificates to OpenSSL and tell nothing but "SSL handshake
//! failure". [`verdict::judge`] takes the same steps as OpenSSL 3.0 (`crypto/x509/x509_vfy.c`) under the
//! defaults of libssl (security level 2), in the same order and under the same names, one module each:
//!
//! | | OpenSSL | |
//! |---|---|---|
//! | 1 | `check_key_level` | `strength`: the end entity's key |
//! | 2 | `build_chain` | [`path`]: the one path that is looked at |
//! | 3 | `check_extensions` | `extensions`: critical ones, CA, purpose, path length, form |
//! | 4 | `check_auth_level` | `strength`: issuers' keys, and signatures |
//! | 5 | `check_id` | `names` |
//! | 6 | `check_revocation` | `revocation` |
//! | 7 | `internal_verify` | [`signatures`]: signatures and dates |
//! | 8 | `check_name_constraints` | `name_constraints` |
//!
//! HAProxy compares names itself, when OpenSSL has found the end entity's signature and dates good: for it
//! step 5 comes between 7 and 8.
//!
//! Unlike OpenSSL it goes on after the first objection; the first [`reason::Reason`] is OpenSSL's.
//!
//! `tests/oracle/graphs` compares it with OpenSSL on random graphs of certificates. Where it cannot say
//! the same it never accepts more:
//!
//! - It does not check the resources of RFC 3779, nor some kinds of signatures, and says that it does not
//!   know.
//! - Extensions in BER that is not DER, and names with an empty relative distinguished name, are damaged.
//! - A CRL entry with a certificateIssuer is taken for one of the CRL's own issuer; several CRLs for some
//!   reasons each are not put to use.
//!
//! [`issued`] is what zpki asks of the certificates that it has signed itself, before they are written.

mod extensions;
mod name_constraints;
mod names;
mod revocation;
mod strength;

pub mod issued;
pub mod path;
pub mod policy;
pub mod reason;
pub mod signatures;
pub mod verdict;
