//! Building a certification path as OpenSSL does (`build_chain`): trusted issuers first, then what the
//! peer sent, and never back again.
//!
//! An issuer is chosen by name, key identifier and kind of key, not by its signature. Of several, the
//! first that is valid at the time is taken, or else the one that was valid last. A path that later fails
//! a rule is not tried over another issuer. This is what bounds the work: a path has 101 issuers at most,
//! and each of its certificates is checked once.

use std::collections::HashMap;

use time::OffsetDateTime;

use super::reason::{NearMiss, Reason, Rule};
use crate::x509::path_certificate::PathCertificate;

/// OpenSSL's default for the most issuers of a path (`X509_VERIFY_PARAM_get_depth`), and one more, at
/// which it finds the path too long.
const LONGEST: usize = 101;

/// Certificates in the order in which they were given, found by subject.
#[derive(Debug, Default)]
pub struct Pool<'a> {
    by_subject: HashMap<&'a [u8], Vec<&'a PathCertificate>>,
}

impl<'a> Pool<'a> {
    /// Those of a trust bundle, or those that a peer sent.
    #[must_use]
    pub fn new(certificates: impl IntoIterator<Item = &'a PathCertificate>) -> Self {
        let mut by_subject: HashMap<&[u8], Vec<&PathCertificate>> = HashMap::new();
        for certificate in certificates {
            let subject = certificate.subject.canonical.as_slice();
            by_subject.entry(subject).or_default().push(certificate);
        }
        Self { by_subject }
    }

    fn named(&self, subject: &[u8]) -> &[&'a PathCertificate] {
        self.by_subject.get(subject).map_or(&[], Vec::as_slice)
    }

    /// Of the likely issuers that `is_free`, the first that is valid at `at`, or else the one that
    /// expires last.
    fn issuer_of(
        &self,
        certificate: &PathCertificate,
        at: OffsetDateTime,
        is_free: impl Fn(&PathCertificate) -> bool,
    ) -> Option<&'a PathCertificate> {
        let mut nearest: Option<&PathCertificate> = None;
        for candidate in self.named(&certificate.issuer.canonical) {
            if !candidate.is_likely_issuer_of(certificate) || !is_free(candidate) {
                continue;
            }
            let validity = candidate.validity;
            if validity.not_before <= at && at < validity.not_after {
                return Some(candidate);
            }
            if nearest.is_none_or(|nearest| validity.not_after > nearest.validity.not_after) {
                nearest = Some(candidate);
            }
        }
        nearest
    }

    fn contains(&self, certificate: &PathCertificate) -> bool {
        let named = self.named(&certificate.subject.canonical);
        named.iter().any(|other| other.der == certificate.der)
    }
}

/// A path, from the end entity's certificate up.
#[derive(Clone, Debug)]
pub struct Path<'a> {
    /// The end entity's first.
    pub certificates: Vec<&'a PathCertificate>,
    /// How many of them, from the first, the peer sent; the others are of the trust bundle.
    pub untrusted: usize,
    /// Whether it ends at a trust anchor.
    pub is_anchored: bool,
}

impl<'a> Path<'a> {
    /// Builds the path of `leaf`; what keeps it from a trust anchor goes to `reasons`.
    pub(super) fn build(
        leaf: &'a PathCertificate,
        sent: &Pool<'a>,
        trusted: &Pool<'a>,
        at: OffsetDateTime,
        partial_chain: bool,
        reasons: &mut Vec<Reason>,
    ) -> Self {
        let mut builder = Builder {
            path: Self {
                certificates: vec![leaf],
                untrusted: 1,
                is_anchored: false,
            },
            sent,
            trusted,
            at,
            partial_chain,
        };
        builder.extend();
        builder.accept_leaf_itself();
        if !builder.path.is_anchored {
            reasons.push(builder.failure());
        }
        builder.path
    }

    /// The certificate at the far end.
    fn top(&self) -> &'a PathCertificate {
        self.certificates[self.certificates.len() - 1]
    }
}

struct Builder<'a, 'p> {
    path: Path<'a>,
    sent: &'p Pool<'a>,
    trusted: &'p Pool<'a>,
    at: OffsetDateTime,
    partial_chain: bool,
}

impl<'a> Builder<'a, '_> {
    /// Looks for issuers until there is a trust anchor, or none is found.
    fn extend(&mut self) {
        let mut peer_is_asked = true;
        while !self.path.is_anchored {
            let was_trusted = self.extend_by_trusted();
            if was_trusted {
                // Once an issuer is of the trust bundle, so are all above it.
                peer_is_asked = false;
                if self.path.is_anchored || !self.path.top().self_signed {
                    continue;
                }
            }
            if !peer_is_asked || !self.extend_by_sent() {
                break;
            }
        }
    }

    /// Adds the issuer that the trust bundle has; or, in place of a self-signed certificate that the
    /// peer sent, the same one of the trust bundle.
    fn extend_by_trusted(&mut self) -> bool {
        let top = self.path.top();
        let length = self.path.certificates.len();
        if length > LONGEST {
            return false;
        }
        let Some(issuer) = self.trusted.issuer_of(top, self.at, |_| true) else {
            return false;
        };
        if !top.self_signed {
            self.path.certificates.push(issuer);
        } else if top.der == issuer.der {
            self.path.certificates[length - 1] = issuer;
            self.path.untrusted = self.path.untrusted.min(length - 1);
        } else {
            // It only looks like the trust anchor.
            return false;
        }
        self.path.is_anchored = issuer.self_signed || self.partial_chain;
        true
    }

    /// Adds an issuer that the peer sent.
    fn extend_by_sent(&mut self) -> bool {
        let top = self.path.top();
        let length = self.path.certificates.len();
        if top.self_signed || length > LONGEST {
            return false;
        }
        // No certificate is taken twice, but for one that seems to be its own issuer.
        let may_repeat = length == 1 && top.is_self_issued();
        let is_free = |candidate: &PathCertificate| {
            let is_it = |member: &&PathCertificate| member.fingerprint == candidate.fingerprint;
            may_repeat || !self.path.certificates.iter().any(is_it)
        };
        let Some(issuer) = self.sent.issuer_of(top, self.at, is_free) else {
            return false;
        };
        self.path.certificates.push(issuer);
        self.path.untrusted += 1;
        true
    }

    /// With PARTIAL_CHAIN an end entity's certificate in the trust bundle is its own anchor.
    fn accept_leaf_itself(&mut self) {
        let Path {
            certificates,
            untrusted,
            is_anchored,
        } = &mut self.path;
        let is_all_sent = certificates.len() == *untrusted && certificates.len() <= LONGEST;
        let is_open = self.partial_chain && !*is_anchored && is_all_sent;
        if is_open && self.trusted.contains(certificates[0]) {
            *untrusted = 0;
            *is_anchored = true;
        }
    }

    fn failure(&self) -> Reason {
        let Path {
            certificates,
            untrusted,
            ..
        } = &self.path;
        let top = self.path.top();
        let rule = if certificates.len() > LONGEST {
            Rule::ChainTooLong
        } else if top.self_signed && top.extensions.invalid.is_none() {
            match certificates.len() {
                1 => Rule::SelfSigned,
                _ => Rule::SelfSignedInChain,
            }
        } else if *untrusted < certificates.len() {
            Rule::IssuerOfAnchorMissing {
                issuer: top.issuer.shown.clone(),
            }
        } else {
            Rule::IssuerMissing {
                issuer: top.issuer.shown.clone(),
                near: self.near_miss(top),
            }
        };
        Reason {
            rule,
            depth: certificates.len() - 1,
        }
    }

    /// Why a certificate of the issuer's name was not taken for it.
    fn near_miss(&self, certificate: &PathCertificate) -> Option<NearMiss> {
        let pools = [self.trusted, self.sent].into_iter();
        let mut named = pools.flat_map(|pool| pool.named(&certificate.issuer.canonical));
        let candidate = named.find(|candidate| !candidate.is_likely_issuer_of(certificate))?;
        let invalid = candidate.extensions.invalid.as_ref();
        let identifier = certificate.extensions.authority_key_identifier.as_ref();
        Some(
            if let Some(oid) = invalid.or(certificate.extensions.invalid.as_ref()) {
                NearMiss::Extension { oid: oid.clone() }
            } else if identifier.is_some_and(|identifier| !candidate.is_identified_by(identifier)) {
                NearMiss::AuthorityKeyIdentifier
            } else {
                NearMiss::KeyType
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;
    use crate::domain::key_algorithm::KeyAlgorithm;
    use crate::domain::name_constraints::NameConstraints;
    use crate::domain::role::ExtendedKeyUsage;
    use crate::domain::serial_number::{RANDOM_OCTETS, SerialNumber};
    use crate::domain::validity::Validity;
    use crate::x509::issue::{Authority, CaTemplate, EndEntityTemplate, Subject};
    use crate::x509::private_key::PrivateKey;

    const AT: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);

    /// Three CAs of one name with keys of their own, and a certificate of each: CA, its certificate, the
    /// next CA, and so on.
    static CERTIFICATES: LazyLock<Vec<PathCertificate>> = LazyLock::new(|| {
        let subject = |name: &str| Subject {
            organization: "test".to_owned(),
            common_name: name.to_owned(),
        };
        let validity = Validity {
            not_before: datetime!(2026-01-01 0:00 UTC),
            not_after: datetime!(2027-01-01 0:00 UTC),
        };
        let key = || PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let twins = (0..3).flat_map(|number| {
            let serial_number = SerialNumber::from_random([number; RANDOM_OCTETS]);
            let template = CaTemplate {
                subject: subject("CA"),
                serial_number: serial_number.clone(),
                validity,
                name_constraints: NameConstraints::default(),
            };
            let ca = Authority::self_signed(&template, key()).unwrap();
            let template = EndEntityTemplate {
                subject: subject("server1"),
                serial_number,
                validity,
                hosts: vec!["server1.test".parse().unwrap()],
                extended_key_usage: ExtendedKeyUsage::SERVER,
            };
            let leaf = ca.issue(&template, &key()).unwrap();
            [ca.certificate().der.clone(), leaf]
        });
        let read = |der: Vec<u8>| PathCertificate::from_der(&der).unwrap();
        twins.map(read).collect()
    });

    proptest! {
        /// Whatever is sent and trusted, in whatever order and however often.
        #[test]
        fn a_path_is_made_of_likely_issuers_and_ends_at_an_anchor_or_with_a_reason(
            leaf in 0..6_usize,
            sent in prop::collection::vec(0..6_usize, 0..12),
            trusted in prop::collection::vec(0..6_usize, 0..12),
            partial_chain: bool,
        ) {
            let pool = |numbers: &[usize]| Pool::new(numbers.iter().map(|at| &CERTIFICATES[*at]));
            let (leaf, sent, trusts) = (&CERTIFICATES[leaf], pool(&sent), pool(&trusted));
            let mut reasons = Vec::new();
            let path = Path::build(leaf, &sent, &trusts, AT, partial_chain, &mut reasons);
            prop_assert_eq!(&path.certificates[0].der, &leaf.der);
            for pair in path.certificates.windows(2) {
                prop_assert!(pair[1].is_likely_issuer_of(pair[0]));
            }
            prop_assert!(path.certificates.len() <= 3);
            prop_assert!(path.untrusted <= path.certificates.len());
            prop_assert_eq!(reasons.is_empty(), path.is_anchored);
            if path.is_anchored {
                prop_assert!(trusts.contains(path.top()) || trusts.contains(leaf));
            }
            // Its own CA anchors a certificate, wherever else its twins are.
            let own = path.certificates.len() == 2 && trusts.contains(path.top());
            let is_leaf = leaf.subject.shown.ends_with("server1");
            let trusted_ca = trusted.iter().any(|at| CERTIFICATES[*at].is_likely_issuer_of(leaf));
            if is_leaf && trusted_ca {
                prop_assert!(path.is_anchored && own);
            }
        }
    }
}
