//! Dates and durations: how they are read and shown, and what they say of a certificate.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use serde::Serialize;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::error::Invalid;
use super::text::serialize_as_text;

/// A whole number of seconds as people write them: `10y`, `90d`, `1d12h`. A year is 365 days, a
/// week 7 days, as in Prometheus.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Span(Duration);

/// How long a certificate is to be valid: from one minute to 100 years.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Lifetime(Span);

/// The time before notAfter from which a certificate is due for renewal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RenewWithin {
    /// A share of the certificate's own lifetime, from 1 to 99 percent.
    Percentage(u8),
    /// A fixed time.
    Span(Span),
}

serialize_as_text!(Lifetime, RenewWithin, Span);

const UNITS: [(char, i64); 6] = [
    ('y', 365 * 86_400),
    ('w', 7 * 86_400),
    ('d', 86_400),
    ('h', 3_600),
    ('m', 60),
    ('s', 1),
];

impl FromStr for Span {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::Duration {
            text: text.to_owned(),
        };
        let mut seconds: i64 = 0;
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let number: i64 = rest[..digits].parse().map_err(|_| invalid())?;
            let unit = rest[digits..].chars().next().ok_or_else(invalid)?;
            let (_, factor) = UNITS
                .iter()
                .find(|(name, _)| *name == unit)
                .ok_or_else(invalid)?;
            seconds = number
                .checked_mul(*factor)
                .and_then(|part| seconds.checked_add(part))
                .ok_or_else(invalid)?;
            rest = &rest[digits + 1..];
        }
        if text.is_empty() {
            Err(invalid())
        } else {
            Ok(Self(Duration::seconds(seconds)))
        }
    }
}

/// The shortest exact form: 8760h is shown as `1y`.
impl Display for Span {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut seconds = self.0.whole_seconds();
        if seconds == 0 {
            return f.write_str("0s");
        }
        for (unit, factor) in UNITS.into_iter().filter(|(unit, _)| *unit != 'w') {
            if seconds >= factor {
                write!(f, "{}{unit}", seconds / factor)?;
                seconds %= factor;
            }
        }
        Ok(())
    }
}

impl Span {
    /// So many days.
    #[must_use]
    pub const fn days(days: i64) -> Self {
        Self(Duration::days(days))
    }

    /// The length of time.
    #[must_use]
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for Lifetime {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let out_of_range = || Invalid::DurationRange {
            text: text.to_owned(),
            least: "1m",
            most: "100y",
        };
        if text
            .strip_prefix('-')
            .is_some_and(|positive| positive.parse::<Span>().is_ok())
            || text == "0"
        {
            return Err(out_of_range());
        }
        let span: Span = text.parse()?;
        let range = Duration::minutes(1)..=Duration::days(365 * 100);
        if range.contains(&span.0) {
            Ok(Self(span))
        } else {
            Err(out_of_range())
        }
    }
}

impl Display for Lifetime {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Lifetime {
    /// The default of a CA: it outlives nine generations of its certificates.
    #[must_use]
    pub fn default_ca() -> Self {
        Self(Span(Duration::days(3650)))
    }

    /// The default of everything else, CRLs too: long enough for a yearly routine, short enough
    /// that the routine is not forgotten.
    #[must_use]
    pub fn default_end_entity() -> Self {
        Self(Span(Duration::days(365)))
    }

    /// The length of time.
    #[must_use]
    pub fn duration(self) -> Duration {
        self.0.0
    }
}

impl FromStr for RenewWithin {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let Some(number) = text.strip_suffix('%') else {
            return text.parse().map(Self::Span);
        };
        match number.parse() {
            Ok(percent) if (1..=99).contains(&percent) => Ok(Self::Percentage(percent)),
            _ => Err(Invalid::Percentage {
                text: text.to_owned(),
            }),
        }
    }
}

impl Display for RenewWithin {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percentage(percent) => write!(f, "{percent}%"),
            Self::Span(span) => span.fmt(f),
        }
    }
}

/// A third of the lifetime: room for a failed attempt or a long holiday at any lifetime.
impl Default for RenewWithin {
    fn default() -> Self {
        Self::Percentage(33)
    }
}

impl RenewWithin {
    /// The window for a certificate of this lifetime; percentages round up to whole seconds.
    #[must_use]
    pub fn of(self, lifetime: Duration) -> Duration {
        match self {
            Self::Percentage(percent) => {
                let hundredths = lifetime.whole_seconds() * i64::from(percent);
                Duration::seconds(hundredths / 100 + i64::from(hundredths % 100 > 0))
            }
            Self::Span(span) => span.0,
        }
    }
}

/// notBefore and notAfter (RFC 5280 4.1.2.5), in whole seconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Validity {
    /// The first instant at which the certificate is valid.
    #[serde(with = "time::serde::rfc3339")]
    pub not_before: OffsetDateTime,
    /// The instant at which it is valid no more: OpenSSL, and so HAProxy, refuses at equality
    /// (measured), although RFC 5280 calls it inclusive.
    #[serde(with = "time::serde::rfc3339")]
    pub not_after: OffsetDateTime,
}

/// What a validity says at an instant.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// now >= notAfter.
    Expired,
    /// Valid, and within its renewal window.
    ExpiresSoon,
    /// now < notBefore.
    NotYetValid,
    /// Valid, and not due.
    Valid,
}

/// Why no validity could be given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoValidity {
    /// The issuer has less than a tenth of the wanted lifetime left.
    IssuerEndsTooSoon {
        /// The issuer's notAfter.
        not_after: OffsetDateTime,
    },
    /// The clock is so far off that no date of a certificate could be written (RFC 5280 4.1.2.5
    /// ends with the year 9999).
    OutOfRange,
}

/// How long before now a certificate begins, so that a peer whose clock is behind takes it.
const BACKDATED: Duration = Duration::HOUR;

impl Validity {
    /// The validity of a certificate made `now`: from an hour ago, or a tenth of the lifetime if
    /// that is less, and never before the issuer's, to `now` + `lifetime`, or the issuer's end.
    ///
    /// # Errors
    /// [`NoValidity`] when less than a tenth of the lifetime would be left of it, or the dates
    /// cannot be written.
    pub fn starting(
        now: OffsetDateTime,
        lifetime: Lifetime,
        issuer: Option<&Self>,
    ) -> Result<Self, NoValidity> {
        let now = now.truncate_to_second();
        let tenth: Duration = lifetime.duration() / 10;
        let not_before = now.checked_sub(BACKDATED.min(Duration::seconds(tenth.whole_seconds())));
        let not_after = now.checked_add(lifetime.duration());
        let (Some(mut not_before), Some(mut not_after)) = (not_before, not_after) else {
            return Err(NoValidity::OutOfRange);
        };
        if not_before.year() < 1950 || not_after.year() > 9999 {
            return Err(NoValidity::OutOfRange);
        }
        if let Some(issuer) = issuer {
            not_before = not_before.max(issuer.not_before);
            not_after = not_after.min(issuer.not_after);
            if not_after - now < tenth {
                return Err(NoValidity::IssuerEndsTooSoon {
                    not_after: issuer.not_after,
                });
            }
        }
        Ok(Self {
            not_before,
            not_after,
        })
    }

    /// From notBefore to notAfter.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.not_after - self.not_before
    }

    /// What is to be said of the certificate at `now`.
    #[must_use]
    pub fn status(&self, now: OffsetDateTime, renew_within: RenewWithin) -> Status {
        if now >= self.not_after {
            Status::Expired
        } else if now < self.not_before {
            Status::NotYetValid
        } else if self.not_after - now < renew_within.of(self.lifetime()) {
            Status::ExpiresSoon
        } else {
            Status::Valid
        }
    }
}

impl Display for Status {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "expired",
            Self::ExpiresSoon => "expires-soon",
            Self::NotYetValid => "not-yet-valid",
            Self::Valid => "valid",
        })
    }
}

/// An instant as a person gives it: RFC 3339, or a date alone, which is its first second in UTC.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Instant(pub OffsetDateTime);

impl FromStr for Instant {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let whole = if text.contains(['T', 't', ' ']) {
            text.to_owned()
        } else {
            format!("{text}T00:00:00Z")
        };
        OffsetDateTime::parse(&whole, &Rfc3339)
            .map(|at| Self(at.to_offset(time::UtcOffset::UTC)))
            .map_err(|_| Invalid::Instant {
                text: text.to_owned(),
            })
    }
}

/// A date as every text output shows it: `2026-11-23 15:40:00 UTC`.
#[must_use]
pub fn show(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    let month = u8::from(month);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// A date as JSON has it: RFC 3339, UTC, whole seconds.
#[must_use]
pub fn rfc3339(at: OffsetDateTime) -> String {
    let whole = at.to_offset(time::UtcOffset::UTC).truncate_to_second();
    whole.format(&Rfc3339).unwrap_or_else(|_| show(at))
}

/// [`rfc3339`] of seconds since 1970; what no calendar here reaches is shown as the seconds.
#[must_use]
pub fn rfc3339_of(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds).map_or_else(|_| seconds.to_string(), rfc3339)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn lifetime(text: &str) -> Lifetime {
        text.parse().unwrap()
    }

    #[test]
    fn durations_read_and_show() {
        for (text, shown) in [
            ("10y", "10y"),
            ("90d", "90d"),
            ("1d12h", "1d12h"),
            ("8760h", "1y"),
            ("2w", "14d"),
        ] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), shown);
        }
        for bad in [
            "",
            "1",
            "1 fortnight",
            "1.5d",
            "d",
            "-1d",
            "1µ",
            "99999999999999999999y",
            "9223372036854775807y",
        ] {
            assert!(
                matches!(bad.parse::<Span>(), Err(Invalid::Duration { .. })),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_lifetime_has_its_limits() {
        let message = |text: &str| text.parse::<Lifetime>().unwrap_err().to_string();
        for bad in ["0", "0d", "-1d", "10000y", "59s"] {
            assert_eq!(message(bad), format!("`{bad}` is not between 1m and 100y"));
        }
        assert_eq!(message("1 fortnight"), "`1 fortnight` is not a duration");
    }

    #[test]
    fn a_percentage_rounds_up() {
        let third: RenewWithin = "33%".parse().unwrap();
        assert_eq!(third.of(Duration::seconds(10)), Duration::seconds(4));
        for bad in ["0%", "100%", "x%", "-5%"] {
            assert!(bad.parse::<RenewWithin>().is_err());
        }
    }

    const NOW: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);

    #[test]
    fn a_certificate_begins_a_little_before_now() {
        let year = Validity::starting(NOW, lifetime("1y"), None).unwrap();
        assert_eq!(year.not_before, datetime!(2026-11-23 11:00 UTC));
        assert_eq!(year.not_after, datetime!(2027-11-23 12:00 UTC));
        let short = Validity::starting(NOW, lifetime("10m"), None).unwrap();
        assert_eq!(short.not_before, datetime!(2026-11-23 11:59 UTC));
        let issuer = Validity {
            not_before: NOW,
            not_after: datetime!(2027-01-01 0:00 UTC),
        };
        let clamped = Validity::starting(NOW, lifetime("1y"), Some(&issuer)).unwrap();
        assert_eq!(clamped, issuer);
    }

    #[test]
    fn an_issuer_that_ends_too_soon_is_refused() {
        let wanted = lifetime("100d");
        let issuer = |not_after| Validity {
            not_before: NOW,
            not_after,
        };
        let tenth = NOW + Duration::days(10);
        assert!(Validity::starting(NOW, wanted, Some(&issuer(tenth))).is_ok());
        let refused = Validity::starting(NOW, wanted, Some(&issuer(tenth - Duration::SECOND)));
        assert_eq!(
            refused,
            Err(NoValidity::IssuerEndsTooSoon {
                not_after: tenth - Duration::SECOND
            })
        );
    }

    #[test]
    fn a_date_that_cannot_be_written_is_refused() {
        let late = datetime!(9999-06-01 0:00 UTC);
        assert_eq!(
            Validity::starting(late, lifetime("1y"), None),
            Err(NoValidity::OutOfRange)
        );
    }

    #[test]
    fn status_changes_at_the_boundary_instants() {
        let validity = Validity {
            not_before: NOW,
            not_after: NOW + Duration::days(100),
        };
        let status = |at| validity.status(at, "10d".parse().unwrap());
        let due = validity.not_after - Duration::days(10);
        assert_eq!(status(NOW - Duration::SECOND), Status::NotYetValid);
        assert_eq!(status(NOW), Status::Valid);
        assert_eq!(status(due), Status::Valid);
        assert_eq!(status(due + Duration::SECOND), Status::ExpiresSoon);
        assert_eq!(
            status(validity.not_after - Duration::SECOND),
            Status::ExpiresSoon
        );
        assert_eq!(status(validity.not_after), Status::Expired);
    }

    #[test]
    fn dates_are_utc_whatever_they_were() {
        let at = datetime!(2026-11-23 13:00:00.5 +1);
        assert_eq!(show(at), "2026-11-23 12:00:00 UTC");
        assert_eq!(rfc3339(at), "2026-11-23T12:00:00Z");
    }
}
