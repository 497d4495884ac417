//! A CRL described, right or wrong, and its encoding.

use super::certificate::{Extension, Name, date};
use super::encoding::{INTEGER, bit_string, constructed, element, integer, sequence};
use super::keys::{Digest, KeyName, Keys, algorithm};

/// What a CRL says, and who signed it.
#[derive(Clone, Debug)]
pub(super) struct Crl {
    pub(super) issuer: Name,
    pub(super) signer: KeyName,
    /// In seconds from [`AT`](crate::fuzz::targets::judges::AT).
    pub(super) this_update: i64,
    pub(super) next_update: Option<i64>,
    pub(super) revoked: Vec<Revoked>,
    pub(super) extensions: Vec<Extension>,
}

/// An entry of a CRL.
#[derive(Clone, Debug)]
pub(super) struct Revoked {
    /// The octets of an INTEGER.
    pub(super) serial: &'static [u8],
    pub(super) extensions: Vec<Extension>,
}

impl Crl {
    /// The DER.
    pub(super) fn encoded(&self, keys: &Keys) -> Vec<u8> {
        let algorithm = algorithm(self.signer, Digest::Usual);
        let revoked = self.revoked.iter().map(Revoked::encoded);
        let extensions = self.extensions.iter().map(Extension::encoded);
        let has_extensions = !self.extensions.is_empty();
        let fields = [
            Some(integer(1)),
            Some(algorithm.clone()),
            Some(self.issuer.encoded()),
            Some(date(self.this_update)),
            self.next_update.map(date),
            (!self.revoked.is_empty()).then(|| sequence(revoked)),
            has_extensions.then(|| constructed(0, [sequence(extensions)])),
        ];
        let signed = sequence(fields.into_iter().flatten());
        let signature = keys.sign(self.signer, Digest::Usual, &signed);
        sequence([signed, algorithm, bit_string(&signature)])
    }
}

impl Revoked {
    fn encoded(&self) -> Vec<u8> {
        let extensions = self.extensions.iter().map(Extension::encoded);
        let has_extensions = !self.extensions.is_empty();
        let fields = [
            Some(element(INTEGER, self.serial)),
            Some(date(-1)),
            has_extensions.then(|| sequence(extensions)),
        ];
        sequence(fields.into_iter().flatten())
    }
}
