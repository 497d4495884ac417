//! Signatures for what the targets make of their inputs, by a key that is no secret: with any other,
//! a failure could not be repeated.

use std::sync::LazyLock;

use openssl::pkey::{Id, PKey, Private};
use openssl::sign::Signer;

use super::der;

/// The octets of an Ed25519 key.
const OCTETS: [u8; 32] = *b"a key that everybody knows......";

/// The AlgorithmIdentifier of Ed25519 (RFC 8410 3).
pub const ED25519: [u8; 7] = [0x30, 5, 0x06, 3, 0x2b, 0x65, 0x70];

static KEY: LazyLock<PKey<Private>> = LazyLock::new(|| {
    PKey::private_key_from_raw_bytes(&OCTETS, Id::ED25519).expect("any octets are a key")
});

/// The key.
pub fn key() -> &'static PKey<Private> {
    &KEY
}

/// What is to be signed, together with its signature: a certificate, a request or a CRL.
#[must_use]
pub fn signed(to_be_signed: &[u8]) -> Vec<u8> {
    let signer = Signer::new_without_digest(&KEY);
    let signature = signer.and_then(|mut signer| signer.sign_oneshot_to_vec(to_be_signed));
    let signature = signature.expect("Ed25519 signs anything");
    let signature = der::element(0x03, &[&[0], &*signature].concat());
    der::element(0x30, &[to_be_signed, &ED25519, &signature].concat())
}

/// DER of which a target's input is the notation, the octets, or the part that is signed.
#[must_use]
pub fn read(input: &[u8]) -> Option<Vec<u8>> {
    let (form, mut rest) = input.split_first()?;
    match form % 3 {
        SIGNED => Some(signed(&der::take(&mut rest)?)),
        NOTATION => der::take(&mut rest),
        _ => Some(rest.to_vec()),
    }
}

/// What the first octet of such an input says: it is the notation of what is to be signed.
pub const SIGNED: u8 = 0;
/// It is the notation of the whole.
pub const NOTATION: u8 = 1;
/// It is the octets of the whole.
pub const OCTETS_AS_THEY_ARE: u8 = 2;
