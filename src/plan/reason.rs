//! Why something is to be made, changed or put away.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use time::{Duration, OffsetDateTime};

use crate::domain::host::Host;
use crate::domain::key_algorithm::KeyAlgorithm;
use crate::domain::validity::show;

/// One reason for one action.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reason {
    /// The certificate in place is by another CA than the cluster's, or by another key of it.
    CaChanged,
    /// The certificate is not in its place.
    CertificateMissing,
    /// What is in the certificate's place is none of this entry's: why.
    CertificateUnusable(String),
    /// The CA has less left than it needs to issue and renew a certificate of the longest lifetime.
    CaRunway {
        /// What is left of it.
        remaining: Duration,
        /// What it needs.
        needed: Duration,
    },
    /// Less is left than its renewal window.
    Due {
        /// What is left.
        remaining: Duration,
        /// Its lifetime.
        lifetime: Duration,
        /// The window.
        below: Duration,
    },
    /// A file is not what zpki.toml and the certificates make it.
    Differs,
    /// A file that is there no more, or not yet.
    FileMissing,
    /// It expired.
    Expired(OffsetDateTime),
    /// It was asked for.
    Forced,
    /// A host name or address was added.
    HostAdded(Host),
    /// A host name or address was removed.
    HostRemoved(Host),
    /// Another key algorithm is wanted.
    KeyAlgorithm {
        /// That of the key in place.
        found: KeyAlgorithm,
        /// That of zpki.toml.
        wanted: KeyAlgorithm,
    },
    /// A symbolic link, which is not zpki's to replace.
    Link,
    /// A certificate for this key was revoked because the key is not safe.
    KeyCompromised,
    /// The private key is not in its place.
    KeyMissing,
    /// What is in the private key's place cannot be used.
    KeyUnusable(String),
    /// A file or directory with a mode that it should not have.
    Mode {
        /// What it has.
        found: u32,
        /// What it should have.
        wanted: u32,
    },
    /// zpki.toml names it, and nothing was made for it yet.
    NewEntry,
    /// It is not valid yet: it was made by a clock that was ahead.
    NotYetValid(OffsetDateTime),
    /// The purposes (extendedKeyUsage) are not those that its role and settings call for.
    Purposes,
    /// zpki.toml names it no more.
    Removed,
    /// Certificates are revoked now.
    Revocations,
    /// The certificate in place was revoked.
    Revoked,
    /// The subject is not what the entry's and the cluster's names make it.
    Subject,
}

impl Reason {
    /// A stable word for programs.
    #[must_use]
    pub fn id(&self) -> &'static str {
        match self {
            Self::CaChanged => "ca-changed",
            Self::CertificateMissing => "certificate-missing",
            Self::CertificateUnusable(_) => "certificate-unusable",
            Self::CaRunway { .. } => "ca-runway",
            Self::Due { .. } => "due",
            Self::Differs => "differs",
            Self::FileMissing => "file-missing",
            Self::Expired(_) => "expired",
            Self::Forced => "forced",
            Self::HostAdded(_) => "host-added",
            Self::HostRemoved(_) => "host-removed",
            Self::KeyAlgorithm { .. } => "key-algorithm",
            Self::Link => "link",
            Self::KeyCompromised => "key-compromised",
            Self::KeyMissing => "key-missing",
            Self::KeyUnusable(_) => "key-unusable",
            Self::Mode { .. } => "mode",
            Self::NewEntry => "new-entry",
            Self::NotYetValid(_) => "not-yet-valid",
            Self::Purposes => "purposes",
            Self::Removed => "removed",
            Self::Revocations => "revocations",
            Self::Revoked => "revoked",
            Self::Subject => "subject",
        }
    }
}

impl Display for Reason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::CaChanged => f.write_str("CA changed"),
            Self::CertificateMissing => f.write_str("certificate missing"),
            Self::CertificateUnusable(why) => write!(f, "certificate unusable: {why}"),
            Self::CaRunway { remaining, .. } if remaining.is_negative() => {
                write!(f, "expired {} ago", Days(-*remaining))
            }
            Self::CaRunway { remaining, needed } => write!(
                f,
                "remaining {}, and a certificate of the longest lifetime with its renewal needs {}",
                Days(*remaining),
                Days(*needed)
            ),
            Self::Due {
                remaining,
                lifetime,
                below,
            } => {
                let unit = Unit::for_all([*lifetime, *below]);
                write!(
                    f,
                    "remaining {} of {} {}, due below {}",
                    unit.floor(*remaining),
                    unit.round(*lifetime),
                    unit.name(),
                    unit.ceil(*below)
                )
            }
            Self::Differs => f.write_str("differs"),
            Self::FileMissing => f.write_str("file missing"),
            Self::Expired(at) => write!(f, "expired on {}", show(*at)),
            Self::Forced => f.write_str("asked for"),
            Self::HostAdded(host) => write!(f, "name added: {host}"),
            Self::HostRemoved(host) => write!(f, "name removed: {host}"),
            Self::KeyAlgorithm { found, wanted } => {
                write!(f, "key algorithm changed: {found} to {wanted}")
            }
            Self::Link => {
                f.write_str("a symbolic link, which `apply` refuses to replace: remove it first")
            }
            Self::KeyCompromised => f.write_str("key compromised"),
            Self::KeyMissing => f.write_str("private key missing"),
            Self::KeyUnusable(why) => write!(f, "private key unusable: {why}"),
            Self::Mode { found, wanted } => write!(f, "mode {found:04o}, not {wanted:04o}"),
            Self::NewEntry => f.write_str("new entry"),
            Self::NotYetValid(at) => write!(f, "not valid before {}", show(*at)),
            Self::Purposes => f.write_str("purposes changed"),
            Self::Removed => f.write_str("entry removed"),
            Self::Revocations => f.write_str("certificates revoked"),
            Self::Revoked => f.write_str("revoked"),
            Self::Subject => f.write_str("name of the cluster changed"),
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut reason = serializer.serialize_struct("Reason", 2)?;
        reason.serialize_field("id", self.id())?;
        reason.serialize_field("why", &self.to_string())?;
        reason.end()
    }
}

/// A length of time in whole days, or hours or minutes where it is short.
struct Days(Duration);

impl Display for Days {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let unit = Unit::for_all([self.0]);
        write!(f, "{} {}", unit.round(self.0), unit.name())
    }
}

/// The largest unit of which each of several lengths has at least two.
#[derive(Clone, Copy)]
enum Unit {
    Seconds = 1,
    Minutes = 60,
    Hours = 3_600,
    Days = 86_400,
}

impl Unit {
    fn for_all<const N: usize>(lengths: [Duration; N]) -> Self {
        let least = lengths.into_iter().min().unwrap_or_default();
        let units = [Self::Days, Self::Hours, Self::Minutes];
        let fits = |unit: &Self| least.whole_seconds() >= 2 * *unit as i64;
        units.into_iter().find(fits).unwrap_or(Self::Seconds)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Minutes => "minutes",
            Self::Hours => "hours",
            Self::Days => "days",
        }
    }

    /// What is left is never overstated.
    fn floor(self, length: Duration) -> i64 {
        length.whole_seconds().div_euclid(self as i64)
    }

    /// As a percentage of a lifetime is rounded.
    fn ceil(self, length: Duration) -> i64 {
        -(-length.whole_seconds()).div_euclid(self as i64)
    }

    /// To the nearest; a lifetime has an hour more than what was asked for, for peers whose clock is
    /// behind.
    fn round(self, length: Duration) -> i64 {
        (length.whole_seconds() + self as i64 / 2) / self as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(remaining: Duration, lifetime: Duration, below: Duration) -> String {
        let reason = Reason::Due {
            remaining,
            lifetime,
            below,
        };
        reason.to_string()
    }

    #[test]
    fn what_is_due_is_told_in_the_unit_that_fits() {
        let (days, hours, minutes) = (Duration::days, Duration::hours, Duration::minutes);
        assert_eq!(
            due(
                days(110) + hours(23),
                days(365) + hours(1),
                days(120) + hours(11)
            ),
            "remaining 110 of 365 days, due below 121"
        );
        assert_eq!(
            due(hours(20), days(3), days(1)),
            "remaining 20 of 72 hours, due below 24"
        );
        assert_eq!(
            due(minutes(-3), hours(2), minutes(39)),
            "remaining -3 of 120 minutes, due below 39"
        );
    }

    #[test]
    fn a_ca_that_has_expired_has_no_days_left() {
        let needed = Duration::days(486);
        let shown = |remaining| Reason::CaRunway { remaining, needed }.to_string();
        let expected = "remaining 30 days, and a certificate of the longest lifetime with its renewal needs 486 days";
        assert_eq!(shown(Duration::days(30)), expected);
        assert_eq!(shown(-Duration::days(1133)), "expired 1133 days ago");
    }

    #[test]
    fn a_reason_is_a_word_and_a_sentence() {
        let reason = Reason::Mode {
            found: 0o644,
            wanted: 0o600,
        };
        assert_eq!(
            serde_json::to_string(&reason).unwrap(),
            r#"{"id":"mode","why":"mode 0644, not 0600"}"#
        );
    }
}
