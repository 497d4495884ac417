//! The certificate that is installed for an entry, against zpki.toml and the inventory.

use std::collections::{BTreeSet, HashMap, HashSet};

use time::OffsetDateTime;

use crate::domain::cluster::Entry;
use crate::domain::finding::Finding;
use crate::domain::host::Host;
use crate::domain::name::EntryName;
use crate::domain::text::joined;
use crate::x509::certificate::ParsedCertificate;
use crate::x509::extensions::GeneralName;
use crate::x509::path_certificate::PathCertificate;

/// A certificate where a host finds it.
#[derive(Clone, Copy, Debug)]
pub struct Installed<'a> {
    /// Whose it is.
    pub entry: &'a Entry,
    /// File, line and subject.
    pub about: &'a str,
    /// The certificate.
    pub certificate: &'a PathCertificate,
    /// What the inventory has of the entry; None when that could not be read.
    pub issued: Option<&'a [PathCertificate]>,
    /// By the inventory, who else the certificate was issued to when it was not to the entry.
    pub issued_to_another: Option<&'a EntryName>,
    /// What is on the CRL, by the octets of serial numbers.
    pub revoked: &'a HashMap<Vec<u8>, u8>,
    /// The instant.
    pub at: OffsetDateTime,
}

/// What does not fit.
#[must_use]
pub fn check(installed: &Installed<'_>) -> Vec<Finding> {
    [
        hosts(installed),
        own_name(installed),
        purposes(installed),
        inventory(
            installed.about,
            installed.certificate,
            installed.issued,
            installed.issued_to_another,
            installed.revoked,
            installed.at,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn hosts(installed: &Installed<'_>) -> Option<Finding> {
    let parsed = ParsedCertificate::from_der(&installed.certificate.der).ok()?;
    let shown =
        |hosts: &[Host]| -> BTreeSet<String> { hosts.iter().map(Host::to_string).collect() };
    let (found, wanted) = (
        shown(&parsed.details.hosts()),
        shown(&installed.entry.hosts),
    );
    let list = |names: &BTreeSet<String>| joined(&names.iter().collect::<Vec<_>>(), ", ");
    (found != wanted).then(|| {
        Finding::warning(
            "hosts-differ",
            installed.about,
            format!(
                "it is for {}, and zpki.toml says {}",
                list(&found),
                list(&wanted)
            ),
            "issue a certificate for the names of zpki.toml",
        )
    })
}

/// Zato's agent replaces a renamed server's name wherever it stands on the line.
fn own_name(installed: &Installed<'_>) -> Option<Finding> {
    let Entry { name, own_name, .. } = installed.entry;
    let is_on_line = installed.certificate.extensions.extended_key_usage;
    let is_server = is_on_line.is_some_and(|usage| usage.server_auth);
    (is_server && own_name.as_str().contains(name.as_str())).then(|| {
        Finding::note(
            "name-in-verifyhost",
            name,
            format!(
                "its name stands in verifyhost {own_name}: renaming it in Zato's web console changes that too"
            ),
        )
    })
}

/// A purpose that nobody asked for: with clientAuth a server passes for the load-balancer, for servers
/// check no name. One that is missing is for the consumer to say.
fn purposes(installed: &Installed<'_>) -> Option<Finding> {
    let wanted = installed.entry.extended_key_usage;
    let found = installed.certificate.extensions.extended_key_usage;
    let has = |of: fn(bool, bool) -> bool| {
        found.is_none_or(|found| of(found.server_auth, found.client_auth))
    };
    let unasked = if has(|_, client| client) && !wanted.client_auth {
        "clientAuth"
    } else if has(|server, _| server) && !wanted.server_auth {
        "serverAuth"
    } else {
        return None;
    };
    Some(Finding::warning(
        "unasked-purpose",
        installed.about,
        format!("its extendedKeyUsage allows {unasked}, which zpki.toml does not ask for"),
        "issue it again",
    ))
}

/// What the inventory says of a certificate that is installed, be it an entry's or not; the fields are those
/// of [`Installed`].
#[must_use]
pub fn inventory(
    about: &str,
    certificate: &PathCertificate,
    issued: Option<&[PathCertificate]>,
    issued_to_another: Option<&EntryName>,
    revoked: &HashMap<Vec<u8>, u8>,
    at: OffsetDateTime,
) -> Option<Finding> {
    let issued = issued?;
    if let Some(another) = issued_to_another {
        return Some(Finding::warning(
            "issued-to-another",
            about,
            format!(
                "it was issued to `{another}` (serial number {})",
                certificate.serial_number
            ),
            "install the certificate that was issued for it",
        ));
    }
    if !issued.iter().any(|issued| issued.der == certificate.der) {
        return Some(Finding::warning(
            "not-in-inventory",
            about,
            format!(
                "ca/issued does not have it (serial number {})",
                certificate.serial_number
            ),
            "install the certificate that was issued for it; if it is this cluster's own, from a backup, put a copy there, or it can be neither listed nor revoked",
        ));
    }
    let begun = |certificate: &PathCertificate| certificate.validity.not_before;
    let is_newer = |issued: &&PathCertificate| {
        let is_revoked = revoked.contains_key(&issued.serial_octets);
        // One that is not valid yet would help nobody.
        let is_newer = begun(certificate) < begun(issued) && begun(issued) <= at;
        is_newer && !is_revoked && replaces(issued, certificate)
    };
    let newer = issued.iter().find(is_newer)?;
    Some(Finding::warning(
        "superseded",
        about,
        format!(
            "a newer one was issued (serial number {})",
            newer.serial_number
        ),
        "install the newer one",
    ))
}

/// Whether one certificate does for the other: it is by the same CA, for the same names and purposes. One
/// that is not was made for what zpki.toml no longer says, and `apply` has restored the other.
fn replaces(one: &PathCertificate, other: &PathCertificate) -> bool {
    let names = |certificate: &PathCertificate| -> HashSet<GeneralName> {
        let names = &certificate.extensions.subject_alt_name;
        let names = names.iter().flat_map(|it| it.names.iter().cloned());
        names.collect()
    };
    let (extensions, others) = (&one.extensions, &other.extensions);
    one.issuer.canonical == other.issuer.canonical
        && extensions.authority_key_identifier == others.authority_key_identifier
        && extensions.extended_key_usage == others.extended_key_usage
        && names(one) == names(other)
}
