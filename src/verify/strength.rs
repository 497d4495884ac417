//! The strength of keys and signatures (`check_auth_level`), at security level 2.

use super::path::Path;
use super::reason::{Reason, Rule};
use crate::x509::path_certificate::PathCertificate;

/// Bits of security at level 2.
pub(super) const ENOUGH_BITS: u32 = 112;

/// What is said first of all, before a path is looked for.
pub(super) fn check_end_entity_key(leaf: &PathCertificate, reasons: &mut Vec<Reason>) {
    if !is_key_strong(leaf) {
        let security_bits = leaf.key.map(|key| key.security_bits);
        reasons.push(Reason {
            rule: Rule::EndEntityKeyWeak { security_bits },
            depth: 0,
        });
    }
}

/// Each issuer's key, and each signature but that of the last certificate: nobody looks at that.
pub(super) fn check_path(path: &Path<'_>, reasons: &mut Vec<Reason>) {
    let last = path.certificates.len() - 1;
    for (depth, certificate) in path.certificates.iter().enumerate() {
        if depth > 0 && !is_key_strong(certificate) {
            let security_bits = certificate.key.map(|key| key.security_bits);
            let rule = Rule::IssuerKeyWeak { security_bits };
            reasons.push(Reason { rule, depth });
        }
        let security_bits = certificate.outer_signature.map(|it| it.security_bits);
        if depth < last && security_bits.is_none_or(|bits| bits < ENOUGH_BITS) {
            let rule = Rule::SignatureWeak { security_bits };
            reasons.push(Reason { rule, depth });
        }
    }
}

fn is_key_strong(certificate: &PathCertificate) -> bool {
    let key = certificate.key;
    key.is_some_and(|key| key.security_bits >= ENOUGH_BITS)
}
