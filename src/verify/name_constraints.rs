//! Name constraints (RFC 5280 4.2.1.10) as OpenSSL holds them (`check_name_constraints`,
//! `NAME_CONSTRAINTS_check`): of every certificate against every CA above it.

use super::path::Path;
use super::reason::{Reason, Rule};
use crate::x509::distinguished_name::DistinguishedName;
use crate::x509::extensions::{GeneralName, GeneralSubtree, NameConstraints};
use crate::x509::path_certificate::PathCertificate;

/// The most comparisons of names and constraints (`NAME_CHECK_MAX`).
const MOST_COMPARISONS: usize = 1 << 20;

pub(super) fn check(path: &Path<'_>, reasons: &mut Vec<Reason>) {
    let certificates = &path.certificates;
    for (depth, &certificate) in certificates.iter().enumerate().rev() {
        if depth > 0 && certificate.is_self_issued() {
            continue;
        }
        for ca in certificates[depth + 1..].iter().rev() {
            if let Some(constraints) = &ca.extensions.name_constraints
                && let Err(violation) = certificate_within(certificate, depth, constraints)
            {
                let rule = violation.into_rule(ca);
                reasons.push(Reason { rule, depth });
            }
        }
    }
}

/// What a name does to constraints.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Violation {
    Bounds,
    Excluded(String),
    Kind,
    NotPermitted(String),
    Syntax(String),
    TooMany,
}

impl Violation {
    fn into_rule(self, ca: &PathCertificate) -> Rule {
        let ca = ca.subject.shown.clone();
        match self {
            Self::Bounds => Rule::NameConstraintBounds,
            Self::Excluded(name) => Rule::NameExcluded { name, ca },
            Self::Kind => Rule::NameConstraintKind,
            Self::NotPermitted(name) => Rule::NameNotPermitted { name, ca },
            Self::Syntax(name) => Rule::NameSyntax { name },
            Self::TooMany => Rule::TooManyNames,
        }
    }
}

fn certificate_within(
    certificate: &PathCertificate,
    depth: usize,
    constraints: &NameConstraints,
) -> Result<(), Violation> {
    let subject = &certificate.subject;
    let alt_name = certificate.extensions.subject_alt_name.as_ref();
    let alt_names = alt_name.map_or(&[][..], |alt_name| &alt_name.names);
    let names = subject.attributes + alt_names.len();
    let subtrees = constraints.permitted.len() + constraints.excluded.len();
    if names.saturating_mul(subtrees) > MOST_COMPARISONS {
        return Err(Violation::TooMany);
    }
    if !subject.is_empty() {
        name_within(Name::Directory(subject), constraints)?;
        for email in &subject.email_addresses {
            if !email.is_ia5 {
                return Err(Violation::Syntax(shown(&email.octets)));
            }
            name_within(Name::Rfc822(&email.octets), constraints)?;
        }
    }
    alt_names
        .iter()
        .try_for_each(|name| name_within(Name::of(name), constraints))?;
    let has_dns_name = alt_names
        .iter()
        .any(|name| matches!(name, GeneralName::Dns(_)));
    if depth == 0 && !has_dns_name {
        for common_name in &subject.common_names {
            if let Some(host) = host_of_common_name(common_name)? {
                name_within(Name::Dns(host), constraints)?;
            }
        }
    }
    Ok(())
}

/// A common name counts as a host name when it looks like one with two labels or more (`cn2dnsid`).
fn host_of_common_name(common_name: &[u8]) -> Result<Option<&[u8]>, Violation> {
    let end = common_name.iter().rposition(|octet| *octet != 0);
    let name = &common_name[..end.map_or(0, |last| last + 1)];
    if name.contains(&0) {
        return Err(Violation::Syntax(shown(name)));
    }
    let mut has_labels = false;
    for (at, octet) in name.iter().enumerate() {
        let is_inner = at > 0 && at + 1 < name.len();
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => {}
            b'-' if is_inner => {}
            b'.' if is_inner && !matches!(name[at + 1], b'.' | b'-') && name[at - 1] != b'-' => {
                has_labels = true;
            }
            _ => return Ok(None),
        }
    }
    Ok(has_labels.then_some(name))
}

/// A name of one of the kinds that constraints are for.
#[derive(Clone, Copy, Debug)]
enum Name<'a> {
    Directory(&'a DistinguishedName),
    Dns(&'a [u8]),
    Ip(&'a [u8]),
    Other(u8, &'a [u8]),
    Rfc822(&'a [u8]),
    Uri(&'a [u8]),
}

impl<'a> Name<'a> {
    fn of(name: &'a GeneralName) -> Self {
        match name {
            GeneralName::Directory(name) => Self::Directory(name),
            GeneralName::Dns(octets) => Self::Dns(octets),
            GeneralName::Ip(octets) => Self::Ip(octets),
            GeneralName::Other(tag, octets) => Self::Other(*tag, octets),
            GeneralName::Rfc822(octets) => Self::Rfc822(octets),
            GeneralName::Uri(octets) => Self::Uri(octets),
        }
    }

    /// Whether a constraint on `base` is one on names of this kind.
    fn is_of_kind_of(self, base: &GeneralName) -> bool {
        match (self, base) {
            (Self::Directory(_), GeneralName::Directory(_))
            | (Self::Dns(_), GeneralName::Dns(_))
            | (Self::Ip(_), GeneralName::Ip(_))
            | (Self::Rfc822(_), GeneralName::Rfc822(_))
            | (Self::Uri(_), GeneralName::Uri(_)) => true,
            (Self::Other(tag, name), GeneralName::Other(base_tag, base)) => {
                tag == *base_tag && (tag != OTHER_NAME || type_id(name) == type_id(base))
            }
            _ => false,
        }
    }

    /// Whether it lies in the subtree `base`, which is of its kind.
    fn is_within(self, base: &GeneralName) -> Result<bool, Violation> {
        match (self, base) {
            (Self::Directory(name), GeneralName::Directory(base)) => {
                Ok(name.canonical.starts_with(&base.canonical))
            }
            (Self::Dns(name), GeneralName::Dns(base)) => Ok(dns_within(name, base)),
            (Self::Ip(name), GeneralName::Ip(base)) => ip_within(name, base),
            (Self::Rfc822(name), GeneralName::Rfc822(base)) => email_within(name, base),
            (Self::Uri(name), GeneralName::Uri(base)) => uri_within(name, base),
            _ => Err(Violation::Kind),
        }
    }

    fn shown(self) -> String {
        match self {
            Self::Directory(name) => name.shown.clone(),
            Self::Ip(octets) => shown_ip(octets),
            Self::Other(..) => "a name of another kind".to_owned(),
            Self::Dns(octets) | Self::Rfc822(octets) | Self::Uri(octets) => shown(octets),
        }
    }
}

const OTHER_NAME: u8 = 0;

/// The type-id that an otherName begins with.
fn type_id(other_name: &[u8]) -> Option<&[u8]> {
    let length = usize::from(*other_name.get(1)?);
    other_name.get(..2 + length)
}

fn shown(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

fn shown_ip(octets: &[u8]) -> String {
    use std::net::IpAddr;
    let address = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    let address = address.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from));
    address.map_or_else(
        |_| "an IP address of a wrong length".to_owned(),
        |address| address.to_string(),
    )
}

/// `nc_match`: if there are permitted subtrees of its kind, one must have it; no excluded one may.
fn name_within(name: Name<'_>, constraints: &NameConstraints) -> Result<(), Violation> {
    let of_kind = |subtree: &&GeneralSubtree| name.is_of_kind_of(&subtree.base);
    let mut permitted = None;
    for subtree in constraints.permitted.iter().filter(of_kind) {
        if !subtree.bounds_valid {
            return Err(Violation::Bounds);
        }
        if permitted != Some(true) {
            permitted = Some(name.is_within(&subtree.base)?);
        }
    }
    if permitted == Some(false) {
        return Err(Violation::NotPermitted(name.shown()));
    }
    for subtree in constraints.excluded.iter().filter(of_kind) {
        if !subtree.bounds_valid {
            return Err(Violation::Bounds);
        }
        if name.is_within(&subtree.base)? {
            return Err(Violation::Excluded(name.shown()));
        }
    }
    Ok(())
}

/// The base itself and, label by label, what is below it; an empty base has everything.
fn dns_within(name: &[u8], base: &[u8]) -> bool {
    let Some(above) = name.len().checked_sub(base.len()) else {
        return false;
    };
    if base.is_empty() {
        return true;
    }
    let is_at_label = above == 0 || base[0] == b'.' || name[above - 1] == b'.';
    is_at_label && name[above..].eq_ignore_ascii_case(base)
}

fn ip_within(name: &[u8], base: &[u8]) -> Result<bool, Violation> {
    if !matches!(name.len(), 4 | 16) || !matches!(base.len(), 8 | 32) {
        return Err(Violation::Syntax(shown_ip(name)));
    }
    if name.len() * 2 != base.len() {
        return Ok(false);
    }
    let (network, mask) = base.split_at(name.len());
    let mut octets = name.iter().zip(network).zip(mask);
    Ok(octets.all(|((name, network), mask)| name & mask == network & mask))
}

fn email_within(name: &[u8], base: &[u8]) -> Result<bool, Violation> {
    let split = |address: &[u8]| address.iter().rposition(|octet| *octet == b'@');
    let syntax = || Violation::Syntax(shown(name));
    let at = split(name).ok_or_else(syntax)?;
    let (mailbox, host) = (&name[..at], &name[at + 1..]);
    let Some(base_at) = split(base) else {
        if base.first() == Some(&b'.') {
            return Ok(ends_with(name, base));
        }
        return Ok(host.eq_ignore_ascii_case(base));
    };
    let (base_mailbox, base_host) = (&base[..base_at], &base[base_at + 1..]);
    if !base_mailbox.is_empty() {
        if base_mailbox.len() != mailbox.len() {
            return Ok(false);
        }
        if base_mailbox.contains(&0) || mailbox.contains(&0) {
            return Err(syntax());
        }
        if base_mailbox != mailbox {
            return Ok(false);
        }
    }
    Ok(host.eq_ignore_ascii_case(base_host))
}

/// Whether it is longer than `base` and ends with it.
fn ends_with(name: &[u8], base: &[u8]) -> bool {
    name.len() > base.len() && name[name.len() - base.len()..].eq_ignore_ascii_case(base)
}

/// Constraints on URIs are on the host in them.
fn uri_within(name: &[u8], base: &[u8]) -> Result<bool, Violation> {
    let syntax = || Violation::Syntax(shown(name));
    let colon = name.iter().position(|octet| *octet == b':');
    let colon = colon.ok_or_else(syntax)?;
    let host = name[colon..].strip_prefix(b"://").ok_or_else(syntax)?;
    // A port ends the host, wherever in the rest a colon is; without one, a slash does.
    let end = host.iter().position(|octet| *octet == b':');
    let end = end.or_else(|| host.iter().position(|octet| *octet == b'/'));
    let host = &host[..end.unwrap_or(host.len())];
    if host.is_empty() {
        return Err(syntax());
    }
    if base.first() == Some(&b'.') {
        return Ok(ends_with(host, base));
    }
    Ok(host.eq_ignore_ascii_case(base))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(
        name: &GeneralName,
        permitted: &[&GeneralName],
        excluded: &[&GeneralName],
    ) -> Result<(), Violation> {
        let subtrees = |bases: &[&GeneralName]| {
            let subtree = |base: &&GeneralName| GeneralSubtree {
                base: (*base).clone(),
                bounds_valid: true,
            };
            bases.iter().map(subtree).collect()
        };
        let constraints = NameConstraints {
            permitted: subtrees(permitted),
            excluded: subtrees(excluded),
        };
        name_within(Name::of(name), &constraints)
    }

    fn dns(name: &str) -> GeneralName {
        GeneralName::Dns(name.into())
    }

    #[test]
    fn a_domain_has_itself_and_what_is_below_it() {
        for (name, base, within) in [
            ("a.example", "a.example", true),
            ("b.a.example", "a.example", true),
            ("B.A.Example", "a.example", true),
            ("ba.example", "a.example", false),
            ("example", "a.example", false),
            ("b.a.example", ".a.example", true),
            ("a.example", ".a.example", false),
            ("anything", "", true),
        ] {
            let expected = if within {
                Ok(())
            } else {
                Err(Violation::NotPermitted(name.to_owned()))
            };
            assert_eq!(
                verdict(&dns(name), &[&dns(base)], &[]),
                expected,
                "{name} {base}"
            );
            let expected = if within {
                Err(Violation::Excluded(name.to_owned()))
            } else {
                Ok(())
            };
            assert_eq!(
                verdict(&dns(name), &[], &[&dns(base)]),
                expected,
                "{name} {base}"
            );
        }
    }

    #[test]
    fn constraints_on_one_kind_leave_the_others_free() {
        let ip = GeneralName::Ip(vec![10, 0, 0, 1]);
        assert_eq!(verdict(&ip, &[&dns("a.example")], &[]), Ok(()));
        let network = GeneralName::Ip(vec![10, 0, 0, 0, 255, 0, 0, 0]);
        assert_eq!(verdict(&ip, &[&network], &[]), Ok(()));
        let other = GeneralName::Ip(vec![11, 0, 0, 0, 255, 0, 0, 0]);
        assert_eq!(
            verdict(&ip, &[&other], &[]),
            Err(Violation::NotPermitted("10.0.0.1".to_owned()))
        );
        assert_eq!(verdict(&ip, &[&other, &network], &[]), Ok(()));
    }

    #[test]
    fn email_addresses_match_by_mailbox_host_or_domain() {
        let email = |text: &str| GeneralName::Rfc822(text.into());
        let name = email("Ops@Mail.example");
        for (base, within) in [
            ("Ops@mail.example", true),
            ("ops@mail.example", false),
            ("@mail.example", true),
            ("mail.example", true),
            ("example", false),
            (".example", true),
        ] {
            assert_eq!(
                verdict(&name, &[&email(base)], &[]).is_ok(),
                within,
                "{base}"
            );
        }
        assert_eq!(
            verdict(&email("no mailbox"), &[&email("a")], &[]),
            Err(Violation::Syntax("no mailbox".to_owned()))
        );
    }

    #[test]
    fn of_a_uri_only_the_host_counts() {
        let uri = |text: &str| GeneralName::Uri(text.into());
        for (name, base, within) in [
            ("https://a.example/path", "a.example", true),
            ("https://a.example:8443/", "a.example", true),
            ("https://a.example", ".example", true),
            ("https://a.example", "example", false),
        ] {
            assert_eq!(
                verdict(&uri(name), &[&uri(base)], &[]).is_ok(),
                within,
                "{name}"
            );
        }
        for bad in ["mailto:a@example", "https:///path", "example"] {
            let syntax = Err(Violation::Syntax(bad.to_owned()));
            assert_eq!(verdict(&uri(bad), &[&uri("a")], &[]), syntax);
        }
    }

    #[test]
    fn only_a_common_name_with_labels_is_a_host() {
        for (name, is_host) in [
            (&b"a.example"[..], true),
            (b"a.example\0\0", true),
            (b"a_b.example", true),
            (b"example", false),
            (b"a.example.", false),
            (b"-a.example", false),
            (b"a..example", false),
            (b"a-.example", false),
            (b"Example CA", false),
        ] {
            assert_eq!(host_of_common_name(name).unwrap().is_some(), is_host);
        }
        assert!(host_of_common_name(b"a.exam\0ple").is_err());
    }
}
