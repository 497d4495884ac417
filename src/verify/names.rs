//! Whether a certificate is for the name that was asked for: as HAProxy's `verifyhost` has it, and as
//! OpenSSL (RFC 6125) does.

use std::collections::HashSet;
use std::net::IpAddr;

use super::policy::NameMatching;
use super::reason::{Reason, Rule};
use crate::x509::extensions::GeneralName;
use crate::x509::path_certificate::PathCertificate;

pub(super) fn check(
    leaf: &PathCertificate,
    hosts: &[String],
    matching: NameMatching,
    reasons: &mut Vec<Reason>,
) {
    let plain = Plain::of(leaf, matching);
    for host in hosts {
        let address: Option<IpAddr> = host.parse().ok();
        let matches = match (matching, address) {
            (NameMatching::Haproxy, _) => plain.has(host) || haproxy_matches(leaf, host),
            (NameMatching::Openssl, Some(address)) => plain.addresses.contains(&address),
            (NameMatching::Openssl, None) => plain.has(host) || openssl_matches(leaf, host),
        };
        if !matches {
            let (host, names) = (host.clone(), names_of(leaf));
            let rule = match (matching, address) {
                (NameMatching::Openssl, Some(_)) => Rule::IpMismatch { host, names },
                _ => Rule::HostMismatch { host, names },
            };
            reasons.push(Reason { rule, depth: 0 });
        }
    }
}

/// What a certificate has of names that match themselves. Where many names are asked for, a request may have
/// brought as many, and to try each on each would take for ever.
struct Plain {
    /// In lower case.
    names: HashSet<Vec<u8>>,
    addresses: HashSet<IpAddr>,
}

impl Plain {
    fn of(leaf: &PathCertificate, matching: NameMatching) -> Self {
        let is_plain = |name: &&[u8]| !name.contains(&0) && !name.contains(&b'*');
        let names: Vec<&[u8]> = match matching {
            NameMatching::Haproxy => haproxy_names(leaf).collect(),
            NameMatching::Openssl => openssl_names(leaf),
        };
        let names = names.into_iter().filter(is_plain);
        Self {
            names: names.map(<[u8]>::to_ascii_lowercase).collect(),
            addresses: addresses(leaf).collect(),
        }
    }

    fn has(&self, host: &str) -> bool {
        self.names.contains(host.to_ascii_lowercase().as_bytes())
    }
}

fn alt_names(leaf: &PathCertificate) -> &[GeneralName] {
    let alt_name = leaf.extensions.subject_alt_name.as_ref();
    alt_name.map_or(&[], |alt_name| &alt_name.names)
}

fn dns_names(leaf: &PathCertificate) -> impl Iterator<Item = &[u8]> {
    alt_names(leaf).iter().filter_map(|name| match name {
        GeneralName::Dns(name) => Some(name.as_slice()),
        _ => None,
    })
}

fn addresses(leaf: &PathCertificate) -> impl Iterator<Item = IpAddr> {
    alt_names(leaf).iter().filter_map(|name| match name {
        GeneralName::Ip(octets) => <[u8; 4]>::try_from(octets.as_slice())
            .map(IpAddr::from)
            .or_else(|_| <[u8; 16]>::try_from(octets.as_slice()).map(IpAddr::from))
            .ok(),
        _ => None,
    })
}

/// The names that a person would compare with.
fn names_of(leaf: &PathCertificate) -> Vec<String> {
    let shown = |octets: &[u8]| String::from_utf8_lossy(octets).escape_debug().to_string();
    let common_names = leaf.subject.common_names.iter();
    dns_names(leaf)
        .map(|name| format!("DNS:{}", shown(name)))
        .chain(addresses(leaf).map(|address| format!("IP:{address}")))
        .chain(common_names.map(|name| format!("CN={}", shown(name))))
        .collect()
}

/// HAProxy's `ssl_sock_srv_verifycbk`: the dNSName entries, then every common name, whatever else there
/// is; never an iPAddress.
fn haproxy_names(leaf: &PathCertificate) -> impl Iterator<Item = &[u8]> {
    let common_names = leaf.subject.common_names.iter().map(Vec::as_slice);
    // An entry of a subjectAltName that cannot be read whole is not looked at.
    dns_names(leaf).chain(common_names)
}

/// A name ends at its first NUL, for HAProxy compares C strings.
fn haproxy_matches(leaf: &PathCertificate, host: &str) -> bool {
    haproxy_names(leaf).any(|name| {
        let end = name.iter().position(|octet| *octet == 0);
        haproxy_pattern_matches(&name[..end.unwrap_or(name.len())], host.as_bytes())
    })
}

/// `ssl_sock_srv_hostcheck`: one `*` anywhere in the left-most label stands for any characters, or none.
fn haproxy_pattern_matches(pattern: &[u8], host: &[u8]) -> bool {
    if pattern.eq_ignore_ascii_case(host) {
        return true;
    }
    let first_dot = |name: &[u8]| name.iter().position(|octet| *octet == b'.');
    let (Some(pattern_dot), Some(host_dot)) = (first_dot(pattern), first_dot(host)) else {
        return false;
    };
    let (label, rest) = pattern.split_at(pattern_dot);
    let (host_label, host_rest) = host.split_at(host_dot);
    let mut stars = (0..label.len()).filter(|at| label[*at] == b'*');
    let (Some(star), None) = (stars.next(), stars.next()) else {
        return false;
    };
    let (prefix, suffix) = (&label[..star], &label[star + 1..]);
    rest.eq_ignore_ascii_case(host_rest)
        && host_label.len() + 1 >= label.len()
        && host_label[..prefix.len()].eq_ignore_ascii_case(prefix)
        && host_label[host_label.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
}

/// `X509_check_host`: the dNSName entries, and common names only where there are none.
fn openssl_names(leaf: &PathCertificate) -> Vec<&[u8]> {
    let names: Vec<_> = dns_names(leaf).collect();
    match names.is_empty() {
        true => leaf
            .subject
            .common_names
            .iter()
            .map(Vec::as_slice)
            .collect(),
        false => names,
    }
}

fn openssl_matches(leaf: &PathCertificate, host: &str) -> bool {
    let mut names = openssl_names(leaf).into_iter();
    names.any(|name| openssl_pattern_matches(name, host.as_bytes()))
}

/// `equal_wildcard`.
fn openssl_pattern_matches(pattern: &[u8], host: &[u8]) -> bool {
    let is_subdomain = host.len() > 1 && host[0] == b'.';
    if is_subdomain {
        // A host `.example.com` asks for any name below it.
        return pattern.len() >= host.len()
            && is_equal(&pattern[pattern.len() - host.len()..], host);
    }
    match valid_star(pattern) {
        Some(star) => wildcard_matches(&pattern[..star], &pattern[star + 1..], host),
        None => is_equal(pattern, host),
    }
}

/// Equal but for case; a NUL in the pattern never matches.
fn is_equal(pattern: &[u8], host: &[u8]) -> bool {
    !pattern.contains(&0) && pattern.eq_ignore_ascii_case(host)
}

/// Where the one legal wildcard of a pattern is (`valid_star`): at the start or end of the first label,
/// which is no A-label, of a well-formed name with two dots or more behind it.
fn valid_star(pattern: &[u8]) -> Option<usize> {
    let mut labels = pattern.split(|octet| *octet == b'.');
    let first = labels.next()?;
    let star = first.iter().position(|octet| *octet == b'*')?;
    let is_edge = star == 0 || star + 1 == first.len();
    let is_a_label = first[..star].len() >= 4 && first[..4].eq_ignore_ascii_case(b"xn--");
    let (prefix, suffix) = (&first[..star], &first[star + 1..]);
    let ends_well = |label: &[u8]| label.last() != Some(&b'-');
    let starts_well = |label: &[u8]| label.first() != Some(&b'-');
    let is_inner = |label: &[u8]| {
        let is_inner = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'-';
        label.iter().all(is_inner)
    };
    let first_well_formed = is_inner(prefix)
        && is_inner(suffix)
        && starts_well(prefix)
        && ends_well(prefix)
        && ends_well(suffix);
    let others: Vec<&[u8]> = labels.collect();
    let is_well_formed = |label: &&[u8]| {
        !label.is_empty() && is_inner(label) && starts_well(label) && ends_well(label)
    };
    let legal = is_edge
        && !is_a_label
        && first_well_formed
        && others.len() >= 2
        && others.iter().all(is_well_formed);
    legal.then_some(star)
}

/// `wildcard_match`: what the star stands for is part of one label.
fn wildcard_matches(prefix: &[u8], suffix: &[u8], host: &[u8]) -> bool {
    if host.len() < prefix.len() + suffix.len() {
        return false;
    }
    let (start, end) = (prefix.len(), host.len() - suffix.len());
    if !is_equal(prefix, &host[..start]) || !is_equal(suffix, &host[end..]) {
        return false;
    }
    let matched = &host[start..end];
    let is_whole_label = prefix.is_empty() && suffix.first() == Some(&b'.');
    if is_whole_label && matched.is_empty() {
        return false;
    }
    let is_a_label =
        host.len() - start >= 4 && host[start..start + 4].eq_ignore_ascii_case(b"xn--");
    if !is_whole_label && is_a_label {
        return false;
    }
    let is_literal_star = matched == b"*";
    let inner = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'-';
    is_literal_star || matched.iter().all(inner)
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::x509::extensions::SubjectAltName;
    use crate::x509::testing::root;

    #[test]
    fn many_names_are_found_among_as_many() {
        let hosts: Vec<String> = (0..40_000).map(|it| format!("a{it}.example.com")).collect();
        let addresses = (0..40_000_u32).map(|it| IpAddr::from(it.to_be_bytes()).to_string());
        let mut leaf = root();
        let names = hosts
            .iter()
            .map(|host| GeneralName::Dns(host.to_uppercase().into()));
        let octets = (0..40_000_u32).map(|it| GeneralName::Ip(it.to_be_bytes().into()));
        leaf.extensions.subject_alt_name = Some(SubjectAltName {
            names: names.chain(octets).collect(),
            critical: false,
        });
        let mut reasons = Vec::new();
        check(&leaf, &hosts, NameMatching::Haproxy, &mut reasons);
        let all: Vec<_> = hosts.iter().cloned().chain(addresses).collect();
        check(&leaf, &all, NameMatching::Openssl, &mut reasons);
        assert_eq!(reasons, []);
        // An address is no name to HAProxy, and a name is none of the addresses.
        let wrong = ["0.0.0.1".to_owned(), "b.example.com".to_owned()];
        check(&leaf, &wrong, NameMatching::Haproxy, &mut reasons);
        check(&leaf, &wrong[1..], NameMatching::Openssl, &mut reasons);
        assert_eq!(reasons.len(), 3);
    }

    #[test]
    fn verifyhost_takes_a_star_anywhere_in_the_first_label() {
        for (pattern, host, matches) in [
            ("a.example", "A.Example", true),
            ("a.example.", "a.example", false),
            ("*.example", "a.example", true),
            ("*.example", ".example", true),
            ("*.example", "b.a.example", false),
            ("s*v.example", "sv.example", true),
            ("s*v.example", "srv.example", true),
            ("s*v.example", "s.example", false),
            ("s*.*.example", "srv.a.example", false),
            ("**.example", "a.example", false),
            ("*", "a", false),
            ("*.com", "example.com", true),
            ("10.0.0.1", "10.0.0.1", true),
        ] {
            let verdict = haproxy_pattern_matches(pattern.as_bytes(), host.as_bytes());
            assert_eq!(verdict, matches, "{pattern} {host}");
        }
    }

    #[test]
    fn openssl_takes_a_star_at_an_edge_of_the_first_of_three_labels() {
        for (pattern, host, matches) in [
            ("a.example.com", "A.Example.com", true),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", ".example.com", true),
            ("*.example.com", "b.a.example.com", false),
            ("*.com", "example.com", false),
            ("s*.example.com", "srv.example.com", true),
            ("*v.example.com", "srv.example.com", true),
            ("s*v.example.com", "srv.example.com", false),
            ("xn--a*.example.com", "xn--ab.example.com", false),
            ("*.example.com", "xn--ab.example.com", true),
            ("x*.example.com", "xn--ab.example.com", true),
            ("*-a.example.com", "b-a.example.com", true),
            ("a-*.example.com", "a-b.example.com", false),
            ("*.exa_mple.com", "a.exa_mple.com", false),
            ("a.example.com\0", "a.example.com", false),
            ("a.example.com", ".example.com", true),
        ] {
            let verdict = openssl_pattern_matches(pattern.as_bytes(), host.as_bytes());
            assert_eq!(verdict, matches, "{pattern} {host}");
        }
    }
}
