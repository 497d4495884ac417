//! Revocations (RFC 5280 5.3): which certificate, since when, and why.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use serde::Serialize;
use time::OffsetDateTime;

use super::error::Invalid;
use super::serial_number::SerialNumber;
use super::text::serialize_as_text;

/// Why a certificate was revoked (RFC 5280 5.3.1), in the order of the codes.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum RevocationReason {
    /// No reason is given.
    #[default]
    Unspecified,
    /// The private key is, or may be, in other hands.
    KeyCompromise,
    /// The private key of a CA is.
    CaCompromise,
    /// A name in the certificate is no longer right.
    AffiliationChanged,
    /// Another certificate has taken its place.
    Superseded,
    /// What it was made for is no more.
    CessationOfOperation,
    /// Revoked until further notice. Read, but not offered: zpki takes no revocation back.
    CertificateHold,
    /// No longer revoked, or expired: only for delta CRLs, and so read, but not offered.
    RemoveFromCrl,
    /// It allows what its holder may no longer do.
    PrivilegeWithdrawn,
    /// Attributes that were certified are known to be wrong. Read, but not offered: zpki issues no
    /// attribute certificates.
    AaCompromise,
}

serialize_as_text!(RevocationReason);

impl RevocationReason {
    /// The reasons that a certificate can be revoked for, in the order of the documentation.
    pub const OFFERED: [Self; 7] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::CaCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::PrivilegeWithdrawn,
    ];

    /// The words for them, in the same order.
    pub const NAMES: &'static [&'static str] = &[
        "unspecified",
        "keyCompromise",
        "cACompromise",
        "affiliationChanged",
        "superseded",
        "cessationOfOperation",
        "privilegeWithdrawn",
    ];
}

impl FromStr for RevocationReason {
    type Err = Invalid;

    fn from_str(value: &str) -> Result<Self, Invalid> {
        let index = Self::NAMES.iter().position(|name| *name == value);
        index
            .map(|index| Self::OFFERED[index])
            .ok_or_else(|| Invalid::Choice {
                what: "reason for revocation",
                value: value.to_owned(),
                choices: Self::NAMES,
            })
    }
}

/// RFC 5280's own words.
impl Display for RevocationReason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::CaCompromise => "cACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::CertificateHold => "certificateHold",
            Self::RemoveFromCrl => "removeFromCRL",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
            Self::AaCompromise => "aACompromise",
        })
    }
}

/// What to do when the record of revocations, which is the CA's own CRL, is gone or not to be believed;
/// `at_haproxy` is whether load-balancer/crl.pem has it too.
#[must_use]
pub fn restore_record(at_haproxy: bool) -> String {
    let from = match at_haproxy {
        true => "a backup, or from load-balancer/crl.pem",
        false => "a backup",
    };
    format!("restore it from {from}: nothing else knows what was revoked")
}

/// One entry of a CRL.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Revocation {
    /// Serial number of the certificate.
    pub serial_number: SerialNumber,
    /// revocationDate, in whole seconds.
    #[serde(with = "time::serde::rfc3339")]
    pub revoked_at: OffsetDateTime,
    /// reasonCode; a CRL that gives none says `unspecified`.
    pub reason: RevocationReason,
}

/// The entries of CRLs, one for each serial number: of several that for a compromised key counts, else the
/// first.
#[must_use]
pub fn by_serial_number<'a>(
    entries: impl IntoIterator<Item = &'a Revocation>,
) -> HashMap<&'a SerialNumber, &'a Revocation> {
    let mut found = HashMap::new();
    for entry in entries {
        match found.entry(&entry.serial_number) {
            Entry::Vacant(place) => _ = place.insert(entry),
            Entry::Occupied(mut place) => {
                let is_compromised = |it: &Revocation| it.reason == RevocationReason::KeyCompromise;
                if is_compromised(entry) && !is_compromised(place.get()) {
                    place.insert(entry);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn of_two_entries_for_one_serial_number_that_for_a_compromised_key_counts() {
        use RevocationReason::{CaCompromise, KeyCompromise, Superseded};
        let entry = |octet, reason| Revocation {
            serial_number: SerialNumber::from_octets(&[octet]),
            revoked_at: datetime!(2026-11-23 12:00 UTC),
            reason,
        };
        let entries = [
            entry(1, KeyCompromise),
            entry(1, Superseded),
            entry(2, Superseded),
            entry(2, KeyCompromise),
            entry(3, CaCompromise),
            entry(3, Superseded),
        ];
        let found = by_serial_number(&entries);
        let of = |octet| {
            let found = found.get(&SerialNumber::from_octets(&[octet]));
            found.map(|entry| entry.reason)
        };
        assert_eq!(of(1), Some(KeyCompromise));
        assert_eq!(of(2), Some(KeyCompromise));
        assert_eq!(of(3), Some(CaCompromise));
        assert_eq!(of(4), None);
    }

    #[test]
    fn names_read_back() {
        let names: Vec<String> = RevocationReason::OFFERED
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(names, RevocationReason::NAMES);
        for (name, reason) in names.iter().zip(RevocationReason::OFFERED) {
            assert_eq!(name.parse(), Ok(reason));
        }
    }

    #[test]
    fn what_only_other_cas_write_is_not_offered() {
        for reason in [
            RevocationReason::AaCompromise,
            RevocationReason::CertificateHold,
            RevocationReason::RemoveFromCrl,
        ] {
            let word = reason.to_string();
            let error = word.parse::<RevocationReason>().unwrap_err();
            let message = format!("unknown reason for revocation `{word}`");
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn a_misspelt_reason_gets_a_suggestion() {
        let error = "caCompromise".parse::<RevocationReason>().unwrap_err();
        assert!(error.hint().starts_with("did you mean `cACompromise`?"));
    }
}
