//! What the extensions of a path's certificates must say (`check_extensions`): critical ones, CA or not,
//! purpose, path length; and for a strict verifier the form that RFC 5280 gives them.

use super::path::Path;
use super::policy::{Policy, Purpose};
use super::reason::{PurposeProblem, Reason, Rule};
use crate::x509::extensions::KeyUsage;
use crate::x509::path_certificate::PathCertificate;

pub(super) fn check(path: &Path<'_>, policy: Policy, reasons: &mut Vec<Reason>) {
    let length = path.certificates.len();
    // Certificates below that are not self-issued, but for the end entity's.
    let mut issuers_below = 0;
    for (depth, &certificate) in path.certificates.iter().enumerate() {
        let position = Position { depth, length };
        let broken = [
            critical(certificate),
            proxy(certificate),
            authority(certificate, position, policy),
            curve(certificate, position),
        ];
        let mut broken: Vec<Rule> = broken.into_iter().flatten().collect();
        if policy.is_strict() && length > 1 {
            broken.extend(strict(certificate, position));
        }
        broken.extend(purpose(certificate, position, policy));
        broken.extend(path_length(certificate, position, issuers_below));
        if depth > 0 && !certificate.is_self_issued() {
            issuers_below += 1;
        }
        let reason = |rule| Reason { rule, depth };
        reasons.extend(broken.into_iter().map(reason));
    }
}

/// OpenSSL asks last of all whether issuers have the resources of the end entity (RFC 3779).
pub(super) fn check_resources(path: &Path<'_>, reasons: &mut Vec<Reason>) {
    if path.certificates[0].extensions.resources {
        let rule = Rule::ResourcesUnknown;
        reasons.push(Reason { rule, depth: 0 });
    }
}

/// Where a certificate stands in its path.
#[derive(Clone, Copy, Debug)]
struct Position {
    depth: usize,
    length: usize,
}

impl Position {
    fn is_last(self) -> bool {
        self.depth + 1 == self.length
    }
}

fn critical(certificate: &PathCertificate) -> Option<Rule> {
    let oid = certificate.extensions.unknown_critical.clone()?;
    Some(Rule::CriticalExtension { oid })
}

fn proxy(certificate: &PathCertificate) -> Option<Rule> {
    certificate.extensions.proxy.then_some(Rule::Proxy)
}

/// How sure it is that a certificate is a CA's (`X509_check_ca`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ca {
    No,
    /// basicConstraints say so.
    Said,
    /// Nothing says otherwise: a self-signed certificate of version 1, one with keyCertSign, or one with
    /// Netscape's type.
    Tolerated,
}

fn ca(certificate: &PathCertificate) -> Ca {
    let extensions = &certificate.extensions;
    if extensions.invalid.is_some() || !certificate.may(KeyUsage::KEY_CERT_SIGN) {
        return Ca::No;
    }
    let is_old_root = certificate.version == 1 && certificate.self_signed;
    match extensions.basic_constraints {
        Some(constraints) if constraints.ca => Ca::Said,
        Some(_) => Ca::No,
        None if is_old_root || extensions.key_usage.is_some() => Ca::Tolerated,
        None if extensions.netscape_type.is_some_and(is_netscape_ca) => Ca::Tolerated,
        None => Ca::No,
    }
}

const NETSCAPE_SSL_CLIENT: u8 = 0x80;
const NETSCAPE_SSL_SERVER: u8 = 0x40;
const NETSCAPE_SSL_CA: u8 = 0x04;

fn is_netscape_ca(types: u8) -> bool {
    const ANY_CA: u8 = 0x07;
    types & ANY_CA != 0
}

/// Whether a certificate that issued another is a CA's: an intermediate must say so, a trust anchor may
/// be tolerated.
fn authority(certificate: &PathCertificate, position: Position, policy: Policy) -> Option<Rule> {
    let ca = ca(certificate);
    let is_refused = if position.depth == 0 {
        policy.is_strict() && ca == Ca::Tolerated
    } else {
        let must_say_so = !position.is_last() || policy.is_strict();
        ca == Ca::No || (must_say_so && ca != Ca::Said)
    };
    is_refused.then_some(Rule::InvalidCa)
}

fn curve(certificate: &PathCertificate, position: Position) -> Option<Rule> {
    if position.length == 1 {
        return None;
    }
    match certificate.key {
        None => Some(Rule::Unspecified),
        Some(key) => key.explicit_curve.then_some(Rule::ExplicitCurve),
    }
}

/// The form of RFC 5280, in OpenSSL's order.
fn strict(certificate: &PathCertificate, position: Position) -> impl Iterator<Item = Rule> {
    let extensions = &certificate.extensions;
    let constraints = extensions.basic_constraints;
    let is_ca = certificate.is_ca();
    let has_path_len = constraints.is_some_and(|it| it.path_len.is_some());
    // A certificate without keyUsage has no bit set here, though elsewhere it may do everything.
    let says_cert_sign = certificate.says(KeyUsage::KEY_CERT_SIGN);
    let says_crl_sign = certificate.says(KeyUsage::CRL_SIGN);
    let alt_name = extensions.subject_alt_name.as_ref();
    let is_nameless = certificate.subject.is_empty();
    let identifier = extensions.authority_key_identifier.as_ref();
    let names_key = identifier.is_some_and(|it| it.key_identifier.is_some());
    let is_version_3 = certificate.version >= 3;
    let nameless_and_needed = is_ca || says_crl_sign || alt_name.is_none();
    [
        (has_path_len && !is_ca, Rule::PathLengthWithoutCa),
        (
            has_path_len && !says_cert_sign,
            Rule::PathLengthWithoutCertSign,
        ),
        (
            is_ca && constraints.is_some_and(|it| !it.critical),
            Rule::BasicConstraintsNotCritical,
        ),
        (
            is_ca && extensions.key_usage.is_none(),
            Rule::KeyUsageMissing,
        ),
        (!is_ca && says_cert_sign, Rule::CertSignWithoutCa),
        (certificate.issuer.is_empty(), Rule::IssuerEmpty),
        (is_nameless && nameless_and_needed, Rule::SubjectEmpty),
        (
            is_nameless && alt_name.is_some_and(|it| !it.critical),
            Rule::SubjectAltNameNotCritical,
        ),
        (
            alt_name.is_some_and(|it| it.names.is_empty()),
            Rule::SubjectAltNameEmpty,
        ),
        (
            !certificate.signatures_agree,
            Rule::SignatureAlgorithmsDiffer,
        ),
        (
            is_version_3 && !position.is_last() && !names_key,
            Rule::AuthorityKeyIdentifierMissing,
        ),
        (
            is_version_3 && is_ca && extensions.subject_key_identifier.is_none(),
            Rule::SubjectKeyIdentifierMissing,
        ),
        (
            !is_version_3 && extensions.count > 0,
            Rule::ExtensionsWithoutVersion3,
        ),
    ]
    .into_iter()
    .filter_map(|(is_broken, rule)| is_broken.then_some(rule))
}

/// Whether a certificate may be used for the purpose: the end entity's by itself, a CA's for those below
/// it, the trust anchor's included (`X509_check_purpose`).
fn purpose(certificate: &PathCertificate, position: Position, policy: Policy) -> Option<Rule> {
    let purpose = policy.purpose();
    let because = purpose_problem(certificate, position, purpose)?;
    // Who is not strict takes what cannot be read.
    if because == PurposeProblem::Extension && !policy.is_strict() {
        return None;
    }
    Some(Rule::PurposeMismatch { purpose, because })
}

fn purpose_problem(
    certificate: &PathCertificate,
    position: Position,
    purpose: Purpose,
) -> Option<PurposeProblem> {
    let extensions = &certificate.extensions;
    if extensions.invalid.is_some() {
        return Some(PurposeProblem::Extension);
    }
    let allowed = extensions
        .extended_key_usage
        .is_none_or(|usage| match purpose {
            Purpose::Client => usage.client_auth,
            Purpose::Server => usage.server_auth,
        });
    if !allowed {
        return Some(PurposeProblem::ExtendedKeyUsage);
    }
    let (key_usage, netscape_type) = match (position.depth, purpose) {
        (0, Purpose::Client) => (
            KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_AGREEMENT,
            NETSCAPE_SSL_CLIENT,
        ),
        (0, Purpose::Server) => (
            KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT | KeyUsage::KEY_AGREEMENT,
            NETSCAPE_SSL_SERVER,
        ),
        _ => return ca_problem(certificate),
    };
    if !certificate.may(key_usage) {
        return Some(PurposeProblem::KeyUsage);
    }
    let types = extensions.netscape_type;
    let is_of_type = types.is_none_or(|types| types & netscape_type != 0);
    (!is_of_type).then_some(PurposeProblem::NetscapeType)
}

/// What is no CA is unsuitable too: OpenSSL says so a second time.
fn ca_problem(certificate: &PathCertificate) -> Option<PurposeProblem> {
    let extensions = &certificate.extensions;
    let by_type = extensions.basic_constraints.is_none()
        && extensions.key_usage.is_none()
        && !(certificate.version == 1 && certificate.self_signed);
    let types = extensions.netscape_type;
    match ca(certificate) {
        Ca::No => Some(PurposeProblem::KeyUsage),
        Ca::Tolerated if by_type && types.is_none_or(|types| types & NETSCAPE_SSL_CA == 0) => {
            Some(PurposeProblem::NetscapeType)
        }
        Ca::Said | Ca::Tolerated => None,
    }
}

/// pathLenConstraint counts from the second CA on.
fn path_length(
    certificate: &PathCertificate,
    position: Position,
    issuers_below: u64,
) -> Option<Rule> {
    let most = certificate.extensions.basic_constraints?.path_len?;
    (position.depth > 1 && issuers_below > most).then_some(Rule::PathLength {
        most,
        found: issuers_below,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::testing::root;

    #[test]
    fn without_key_usage_no_bit_is_set_for_a_strict_verifier() {
        let mut certificate = root();
        certificate.extensions.key_usage = None;
        certificate.extensions.basic_constraints = None;
        let position = Position {
            depth: 0,
            length: 2,
        };
        let said: Vec<Rule> = strict(&certificate, position).collect();
        assert_eq!(said, [Rule::AuthorityKeyIdentifierMissing]);
    }

    #[test]
    fn nobody_knows_here_whether_issuers_have_the_resources_of_an_end_entity() {
        let mut certificate = root();
        certificate.extensions.resources = true;
        let path = Path {
            certificates: vec![&certificate],
            untrusted: 0,
            is_anchored: true,
        };
        let mut reasons = Vec::new();
        check_resources(&path, &mut reasons);
        let rule = Rule::ResourcesUnknown;
        assert_eq!(reasons, [Reason { rule, depth: 0 }]);
        assert!(!reasons[0].is_refusal());
    }
}
