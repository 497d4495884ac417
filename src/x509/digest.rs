//! SHA-256.

use ring::digest;

use crate::domain::digest::Digest;

/// The SHA-256 digest of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Digest {
    let digest = digest::digest(&digest::SHA256, bytes);
    let mut octets = [0; 32];
    octets.copy_from_slice(digest.as_ref());
    Digest(octets)
}
