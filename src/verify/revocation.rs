//! Revocation by CRL (`check_revocation`), with X509_V_FLAG_CRL_CHECK and CRL_CHECK_ALL, as HAProxy sets
//! them for `crl-file`: every certificate of the path, the trust anchor included, needs a CRL of its
//! issuer that is valid.

use std::collections::HashSet;

use time::OffsetDateTime;

use super::path::Path;
use super::reason::{Reason, Rule};
use crate::x509::extensions::{ALL_REASONS, DistributionPoint, GeneralName, KeyUsage};
use crate::x509::path_certificate::PathCertificate;
use crate::x509::path_crl::{PathCrl, REMOVE_FROM_CRL};

pub(super) fn check(
    path: &Path<'_>,
    crls: &[PathCrl],
    at: OffsetDateTime,
    reasons: &mut Vec<Reason>,
) {
    for depth in 0..path.certificates.len() {
        let subject = Subject { path, depth, at };
        let reason = |rule| Reason { rule, depth };
        reasons.extend(subject.check(crls).into_iter().map(reason));
    }
}

/// One certificate of the path.
struct Subject<'a, 'p> {
    path: &'p Path<'a>,
    depth: usize,
    at: OffsetDateTime,
}

/// How well a CRL fits, best last (`CRL_SCORE_*`): without critical extensions, of the right scope, valid,
/// signed by the next certificate of the path.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Score {
    without_critical: bool,
    in_scope: bool,
    valid: bool,
    by_next: bool,
}

/// A CRL that is of the certificate's issuer.
struct Fit<'c, 'p> {
    crl: &'c PathCrl,
    score: Score,
    /// The certificate that it is checked with.
    signer: &'p PathCertificate,
    /// The reasons that it and those before it tell of.
    covered: u16,
}

impl Subject<'_, '_> {
    fn check(&self, crls: &[PathCrl]) -> Vec<Rule> {
        if self.certificate().extensions.proxy {
            return Vec::new();
        }
        let mut rules = Vec::new();
        let mut covered = 0;
        // Each CRL that is taken tells of one reason more at least.
        while covered != ALL_REASONS {
            let Some(fit) = self.best(crls, covered) else {
                rules.push(self.missing());
                break;
            };
            rules.extend(self.broken(&fit));
            if !fit.score.in_scope {
                break;
            }
            covered = fit.covered;
        }
        rules
    }

    /// What there is against a CRL, and whether it has the certificate.
    fn broken(&self, fit: &Fit<'_, '_>) -> impl Iterator<Item = Rule> {
        let Fit {
            crl, score, signer, ..
        } = *fit;
        let signature = match crl.signed() {
            Some(signed) => signed.is_by(&signer.public_key_der),
            None => Some(false),
        };
        let dates = (!score.valid).then(|| date_problem(crl, self.at)).flatten();
        let signature = match signature {
            Some(true) => None,
            Some(false) => Some(Rule::CrlSignature),
            None => Some(Rule::CrlSignatureUnknown),
        };
        let entry = crl.revoked.get(&self.certificate().serial_octets);
        let is_revoked = entry.is_some_and(|reason| *reason != REMOVE_FROM_CRL);
        let broken = [
            (!crl.delta && !signer.may(KeyUsage::CRL_SIGN)).then_some(Rule::CrlSignMissing),
            (!crl.delta && !score.in_scope).then_some(Rule::CrlScope),
            dates,
            signature,
            crl.unknown_critical.then_some(Rule::CrlCriticalExtension),
            is_revoked.then_some(Rule::Revoked),
        ];
        broken.into_iter().flatten()
    }

    fn missing(&self) -> Rule {
        Rule::CrlMissing {
            issuer: self.certificate().issuer.shown.clone(),
        }
    }

    /// The first of the certificate's distribution points that this CRL is for.
    fn distribution_point(&self, crl: &PathCrl) -> Option<&DistributionPoint> {
        let names = crl.scope.distribution_point.as_ref();
        let names: Option<HashSet<&GeneralName>> = names.map(|names| names.iter().collect());
        let is_named = |point: &&DistributionPoint| {
            let pair = names.as_ref().zip(point.names.as_ref());
            pair.is_none_or(|(names, own)| own.iter().any(|own| names.contains(own)))
        };
        let points = &self.certificate().extensions.distribution_points;
        let mut points = points.iter().filter(|point| !point.other_issuer);
        points.find(is_named)
    }

    fn certificate(&self) -> &PathCertificate {
        self.path.certificates[self.depth]
    }

    /// The next certificate of the path; for the last one, itself.
    fn issuer(&self) -> &PathCertificate {
        let last = self.path.certificates.len() - 1;
        self.path.certificates[last.min(self.depth + 1)]
    }

    /// Who signed the CRL by its authorityKeyIdentifier: the next certificate of the path, or else one
    /// further up that has the name (`crl_akid_check`).
    fn signer(&self, crl: &PathCrl) -> Option<&PathCertificate> {
        let identifier = crl.authority_key_identifier.as_ref();
        let is_meant = |it: &&PathCertificate| {
            identifier.is_none_or(|identifier| it.is_identified_by(identifier))
        };
        let above = self.path.certificates.iter().skip(self.depth + 2).copied();
        let mut above = above.filter(|it| it.subject.is_same_as(&crl.issuer));
        let next = Some(self.issuer()).filter(is_meant);
        next.or_else(|| above.find(is_meant))
    }

    /// The CRL that fits best, of equals the newest, when those before it told of the reasons `covered`.
    fn best<'s>(&'s self, crls: &'s [PathCrl], covered: u16) -> Option<Fit<'s, 's>> {
        let mut best: Option<Fit<'_, '_>> = None;
        for fit in crls.iter().filter_map(|crl| self.fit(crl, covered)) {
            let rank = |it: &Fit<'_, '_>| (it.score, it.crl.this_update);
            if best.as_ref().is_none_or(|best| rank(&fit) > rank(best)) {
                best = Some(fit);
            }
        }
        best
    }

    /// None for a CRL of another issuer, one that OpenSSL does not look into, and one that tells of no
    /// other reasons than those `covered`.
    fn fit<'s>(&'s self, crl: &'s PathCrl, covered: u16) -> Option<Fit<'s, 's>> {
        let certificate = self.certificate();
        let signer = self.signer(crl)?;
        let scope = &crl.scope;
        let is_unfit = scope.invalid || scope.special;
        if is_unfit || !certificate.issuer.is_same_as(&crl.issuer) {
            return None;
        }
        let is_ca = certificate.is_ca();
        let other_kind =
            scope.only_attribute || (scope.only_user && is_ca) || (scope.only_ca && !is_ca);
        let point = self.distribution_point(crl);
        let in_scope = !other_kind && (scope.distribution_point.is_none() || point.is_some());
        let reasons = match point {
            _ if !in_scope => covered,
            Some(point) => covered | point.reasons,
            None => ALL_REASONS,
        };
        if in_scope && reasons == covered {
            return None;
        }
        Some(Fit {
            crl,
            signer,
            covered: reasons,
            score: Score {
                without_critical: !crl.unknown_critical,
                in_scope,
                valid: date_problem(crl, self.at).is_none(),
                by_next: std::ptr::eq(signer, self.issuer()),
            },
        })
    }
}

/// A CRL is expired at nextUpdate itself, like a certificate at notAfter.
fn date_problem(crl: &PathCrl, at: OffsetDateTime) -> Option<Rule> {
    let this_update = crl.this_update;
    if at < this_update {
        return Some(Rule::CrlNotYetValid { this_update });
    }
    let next_update = crl.next_update?;
    (next_update <= at).then_some(Rule::CrlExpired { next_update })
}

#[cfg(test)]
mod tests {

    use time::macros::datetime;

    use super::*;
    use crate::x509::extensions::AuthorityKeyIdentifier;
    use crate::x509::testing::{root, unsigned_crl};

    fn names(host: &str) -> Option<Vec<GeneralName>> {
        Some(vec![GeneralName::Uri(host.into())])
    }

    fn point(host: &str) -> DistributionPoint {
        DistributionPoint {
            names: names(host),
            reasons: ALL_REASONS,
            other_issuer: false,
        }
    }

    fn path(certificates: Vec<&PathCertificate>) -> Path<'_> {
        Path {
            certificates,
            untrusted: 0,
            is_anchored: true,
        }
    }

    fn leaf<'a, 'p>(path: &'p Path<'a>) -> Subject<'a, 'p> {
        Subject {
            path,
            depth: 0,
            at: datetime!(2026-01-01 0:00 UTC),
        }
    }

    #[test]
    fn a_crl_for_a_distribution_point_is_for_certificates_that_name_it() {
        let mut certificate = root();
        certificate.extensions.distribution_points = vec![point("http:a"), point("http:b")];
        let path = path(vec![&certificate]);
        let subject = leaf(&path);
        for (host, is_named) in [("http:b", true), ("http:c", false)] {
            let mut crl = unsigned_crl(&[1], &[]);
            crl.scope.distribution_point = names(host);
            assert_eq!(subject.distribution_point(&crl).is_some(), is_named);
        }
    }

    #[test]
    fn a_crl_that_tells_of_no_further_reason_is_not_taken_again() {
        let mut certificate = root();
        certificate.extensions.distribution_points = vec![DistributionPoint {
            reasons: 0x06,
            ..point("http:a")
        }];
        let path = path(vec![&certificate]);
        let subject = leaf(&path);
        let mut crls = [unsigned_crl(&[1], &[]), unsigned_crl(&[1], &[])];
        for crl in &mut crls {
            crl.issuer = certificate.subject.clone();
        }
        crls[1].scope.distribution_point = names("http:b");
        let taken = |covered| {
            let fit = subject.best(&crls, covered)?;
            Some((std::ptr::eq(fit.crl, &crls[0]), fit.covered))
        };
        assert_eq!(taken(0), Some((true, 0x06)));
        // The other is of another scope, which is what OpenSSL says then.
        assert_eq!(taken(0x06), Some((false, 0x06)));
        assert!(subject.best(&crls[..1], 0x06).is_none());
    }

    #[test]
    fn many_distribution_points_are_looked_for_among_as_many_names() {
        let numbers = 0..40_000;
        let points = numbers.clone().map(|it| point(&format!("http:a{it}")));
        let mut certificate = root();
        certificate.extensions.distribution_points = points.collect();
        let path = path(vec![&certificate]);
        let subject = leaf(&path);
        let mut crl = unsigned_crl(&[1], &[]);
        let uri = |it| GeneralName::Uri(format!("http:b{it}").into());
        crl.scope.distribution_point = Some(numbers.map(uri).collect());
        assert_eq!(subject.distribution_point(&crl), None);
    }

    #[test]
    fn a_crl_may_be_signed_by_an_older_certificate_of_the_same_name_further_up() {
        let (mut next, above) = (root(), root());
        next.extensions.subject_key_identifier = Some(vec![4]);
        let path = path(vec![&above, &next, &above]);
        let subject = leaf(&path);
        let mut crl = unsigned_crl(&[1], &[]);
        crl.issuer = above.subject.clone();
        crl.authority_key_identifier = Some(AuthorityKeyIdentifier {
            key_identifier: above.extensions.subject_key_identifier.clone(),
            ..AuthorityKeyIdentifier::default()
        });
        assert!(std::ptr::eq(subject.signer(&crl).unwrap(), &above));
        assert!(!subject.fit(&crl, 0).unwrap().score.by_next);
    }
}
