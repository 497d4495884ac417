//! Why what Zato's CA made is of no use: each certificate and key by itself, then beside the others.

use std::collections::HashMap;
use std::path::Path;

use time::OffsetDateTime;

use super::zato::{Certificate, Directory, Encryption, Key, Kind};
use crate::domain::finding::{Finding, Severity};
use crate::domain::validity::show;

/// Bits of security at OpenSSL's level 2, which servers and HAProxy of today ask for.
const ENOUGH_BITS: u32 = 112;

const REPLACED: &str = "`zpki init` issues what replaces it";

/// What is to be said, in the order of the files.
pub(super) fn findings(directory: &Directory, at: OffsetDateTime) -> Vec<Finding> {
    let mut findings = directory.findings.clone();
    for certificate in &directory.certificates {
        findings.extend(of_certificate(certificate, directory, at));
    }
    for key in &directory.keys {
        findings.extend(of_key(key, directory));
    }
    findings
}

fn of_certificate(found: &Certificate, directory: &Directory, at: OffsetDateTime) -> Vec<Finding> {
    let findings = [
        signature(found),
        key_strength(found),
        names(found),
        serial_number(found, directory),
        expired(found, at),
        private_key(found, directory),
    ];
    findings.into_iter().flatten().collect()
}

fn signature(found: &Certificate) -> Option<Finding> {
    let certificate = &found.certificate;
    let bits = certificate.outer_signature.map(|it| it.security_bits);
    if bits.is_some_and(|bits| bits >= ENOUGH_BITS) {
        return None;
    }
    let algorithm = found
        .signature_algorithm
        .as_deref()
        .unwrap_or("a way that cannot be read");
    if certificate.self_signed {
        let why = format!("it is signed with {algorithm}; nobody looks at a root's own signature");
        return Some(Finding::note("signature-weak", about(&found.file), why));
    }
    let why = format!(
        "it is signed with {algorithm}, which OpenSSL 3, and so HAProxy and the servers, refuses"
    );
    Some(refused("signature-weak", &found.file, why))
}

fn key_strength(found: &Certificate) -> Option<Finding> {
    let bits = found.certificate.key.map(|key| key.security_bits);
    let is_weak = bits.is_none_or(|bits| bits < ENOUGH_BITS);
    is_weak.then(|| {
        let why = "its key is too weak for OpenSSL 3, or of a kind that it cannot read";
        refused("key-weak", &found.file, why.to_owned())
    })
}

fn names(found: &Certificate) -> Option<Finding> {
    let has_names = found.certificate.extensions.subject_alt_name.is_some();
    (found.kind != Kind::Ca && !has_names).then(|| {
        Finding::warning(
            "no-subject-alt-name",
            about(&found.file),
            format!(
                "it has no subjectAltName, and its subject ({}) is the name of no server: whoever checks names cannot tell it from the others",
                found.certificate.subject.shown
            ),
            REPLACED,
        )
    })
}

/// Two certificates of one CA with one serial number cannot be revoked apart.
fn serial_number(found: &Certificate, directory: &Directory) -> Option<Finding> {
    let certificate = &found.certificate;
    let same = directory.certificates.iter().find(|other| {
        other.certificate.serial_octets == certificate.serial_octets
            && other.certificate.issuer.is_same_as(&certificate.issuer)
            && other.certificate.der != certificate.der
    });
    if let Some(same) = same {
        let why = format!(
            "its serial number is {}, as that of {} is: they cannot be revoked apart",
            certificate.serial_number,
            same.file.display()
        );
        return Some(Finding::warning(
            "serial-number-twice",
            about(&found.file),
            why,
            REPLACED,
        ));
    }
    (certificate.serial_number.octets() == [1]).then(|| {
        let why = "its serial number is 1: every CA that Zato makes begins to count there";
        Finding::warning("serial-number-1", about(&found.file), why, REPLACED)
    })
}

fn expired(found: &Certificate, at: OffsetDateTime) -> Option<Finding> {
    let not_after = found.certificate.validity.not_after;
    (at >= not_after).then(|| {
        let why = format!("it expired on {}", show(not_after));
        refused("expired", &found.file, why)
    })
}

/// A CA without its key can issue nothing; what Zato made of it goes on as long as it lasts.
fn private_key(found: &Certificate, directory: &Directory) -> Option<Finding> {
    let public_key = Some(&found.certificate.public_key_der);
    let has_key = directory
        .keys
        .iter()
        .any(|key| key.public_key_der.as_ref() == public_key || may_be_of(key, found));
    (!has_key).then(|| {
        let why = "its private key is not here";
        Finding::note("no-private-key", about(&found.file), why)
    })
}

/// A key of the CA that cannot be opened is taken for that of its certificate.
fn may_be_of(key: &Key, found: &Certificate) -> bool {
    key.encryption == Encryption::Closed
        && found.kind == Kind::Ca
        && key.file.parent() == found.file.parent()
}

fn of_key(key: &Key, directory: &Directory) -> Vec<Finding> {
    let findings = [
        passphrase(key, directory),
        readable(key),
        without_certificate(key, directory),
    ];
    findings.into_iter().flatten().collect()
}

fn passphrase(key: &Key, directory: &Directory) -> Option<Finding> {
    let readable_by_others = directory.passphrase?;
    if key.encryption == Encryption::None {
        return None;
    }
    let opens = match key.encryption {
        Encryption::Opened => "which opens it",
        _ => "perhaps its own",
    };
    let who = if readable_by_others {
        ", and others than its owner may read that"
    } else {
        ""
    };
    Some(Finding {
        severity: Severity::Critical,
        id: "passphrase-beside-key",
        about: about(&key.file),
        why: format!("a passphrase stands beside it in ca-material/ca-password, {opens}{who}"),
        next: Some(
            "take the CA for known to whoever could read the directory or its backups".to_owned(),
        ),
    })
}

fn readable(key: &Key) -> Option<Finding> {
    (key.readable_by_others && key.encryption == Encryption::None).then(|| Finding {
        severity: Severity::Critical,
        id: "secret-readable",
        about: about(&key.file),
        why: "others than its owner may read this private key".to_owned(),
        next: Some(format!("chmod 600 it until it is replaced; {REPLACED}")),
    })
}

fn without_certificate(key: &Key, directory: &Directory) -> Option<Finding> {
    let public_key = key.public_key_der.as_ref()?;
    let owners: HashMap<&Vec<u8>, &Path> = directory
        .certificates
        .iter()
        .map(|found| (&found.certificate.public_key_der, found.file.as_path()))
        .collect();
    (!owners.contains_key(public_key)).then(|| {
        Finding::warning(
            "key-without-certificate",
            about(&key.file),
            "no certificate here is of this private key",
            "delete it, if nobody uses it",
        )
    })
}

fn refused(id: &'static str, file: &Path, why: String) -> Finding {
    Finding {
        severity: Severity::Critical,
        id,
        about: about(file),
        why,
        next: Some(REPLACED.to_owned()),
    }
}

fn about(file: &Path) -> String {
    file.display().to_string()
}
