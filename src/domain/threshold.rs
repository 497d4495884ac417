//! From when on a certificate that runs out is told: a duration, a share of its lifetime, or the
//! lesser of both.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use serde::Serialize;
use time::Duration;

use super::error::Invalid;
use super::validity::{RenewWithin, Span};

/// What has to remain of a lifetime: `30d`, `25%`, `min(30d,25%)`, which may also be written
/// `30d,25%`. Durations alone are always on for short lifetimes, percentages alone for long ones.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Threshold {
    /// A fixed time.
    Duration(Span),
    /// The lesser of both.
    Lesser(Span, u8),
    /// A share of the lifetime, from 1 to 99 percent.
    Percentage(u8),
}

/// Which part of a threshold was undershot; its `Display` is `30d` or `25%`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bound {
    /// The duration.
    Duration(Span),
    /// The share of the lifetime.
    Percentage(u8),
}

/// The thresholds of a run.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Thresholds {
    /// Below this, a warning.
    pub warn: Threshold,
    /// Below this, critical.
    pub crit: Threshold,
}

/// Renewal is due at a third of the lifetime: a quarter leaves it time to be done before anybody is
/// told, so that a healthy fleet is silent at any lifetime.
impl Default for Thresholds {
    fn default() -> Self {
        Self {
            warn: Threshold::Lesser(Span::days(30), 25),
            crit: Threshold::Lesser(Span::days(14), 10),
        }
    }
}

impl Threshold {
    /// The time before the end of a lifetime, and what it comes from.
    #[must_use]
    pub fn of(self, lifetime: Duration) -> (Duration, Bound) {
        let share = |percent| {
            let share = RenewWithin::Percentage(percent).of(lifetime);
            (share, Bound::Percentage(percent))
        };
        let fixed = |span: Span| (span.duration(), Bound::Duration(span));
        match self {
            Self::Duration(span) => fixed(span),
            Self::Lesser(span, percent) if share(percent).0 < span.duration() => share(percent),
            Self::Lesser(span, _) => fixed(span),
            Self::Percentage(percent) => share(percent),
        }
    }

    /// The same, and never more than `most` where it is a duration alone.
    #[must_use]
    pub fn at_most(self, most: Span) -> Self {
        match self {
            Self::Duration(span) => Self::Duration(span.min(most)),
            Self::Lesser(..) | Self::Percentage(_) => self,
        }
    }

    /// Whether it is met before `other` is, at every lifetime. A duration and a percentage cannot be
    /// told apart.
    #[must_use]
    pub fn is_wider_than(self, other: Self) -> bool {
        match (self, other) {
            (Self::Duration(own), Self::Duration(other)) => own > other,
            (Self::Percentage(own), Self::Percentage(other)) => own > other,
            (Self::Lesser(own, share), Self::Lesser(other, other_share)) => {
                own > other && share > other_share
            }
            _ => false,
        }
    }

    fn parts(self) -> (Option<Span>, Option<u8>) {
        match self {
            Self::Duration(span) => (Some(span), None),
            Self::Lesser(span, percentage) => (Some(span), Some(percentage)),
            Self::Percentage(percentage) => (None, Some(percentage)),
        }
    }
}

impl FromStr for Threshold {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::Threshold {
            text: text.to_owned(),
        };
        let inner = text
            .strip_prefix("min(")
            .map_or(Some(text), |rest| rest.strip_suffix(')'))
            .ok_or_else(invalid)?;
        let (mut span, mut percentage) = (None, None);
        for part in inner.split(',') {
            let is_again = match part.trim().parse().map_err(|_| invalid())? {
                RenewWithin::Percentage(percent) => percentage.replace(percent).is_some(),
                RenewWithin::Span(duration) => span.replace(duration).is_some(),
            };
            if is_again {
                return Err(invalid());
            }
        }
        match (span, percentage) {
            (Some(span), None) => Ok(Self::Duration(span)),
            (Some(span), Some(percentage)) => Ok(Self::Lesser(span, percentage)),
            (None, Some(percentage)) => Ok(Self::Percentage(percentage)),
            (None, None) => Err(invalid()),
        }
    }
}

impl Display for Threshold {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duration(span) => span.fmt(f),
            Self::Lesser(span, percentage) => write!(f, "min({span},{percentage}%)"),
            Self::Percentage(percentage) => write!(f, "{percentage}%"),
        }
    }
}

/// A list of its parts, the lesser of which counts.
impl Serialize for Threshold {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (span, percentage) = self.parts();
        let span = span.map(|span| span.to_string());
        serializer.collect_seq(
            span.into_iter()
                .chain(percentage.map(|it| format!("{it}%"))),
        )
    }
}

impl Display for Bound {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duration(span) => span.fmt(f),
            Self::Percentage(percentage) => write!(f, "{percentage}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threshold(text: &str) -> Threshold {
        text.parse().unwrap()
    }

    #[test]
    fn every_form_is_read_and_shown() {
        for (text, shown) in [
            ("30d", "30d"),
            ("25%", "25%"),
            ("min(30d,25%)", "min(30d,25%)"),
            ("min(25%, 30d)", "min(30d,25%)"),
            ("12h,5%", "min(12h,5%)"),
        ] {
            assert_eq!(threshold(text).to_string(), shown);
            assert_eq!(threshold(shown), threshold(text));
        }
    }

    #[test]
    fn what_is_no_threshold_is_refused() {
        for bad in [
            "",
            "30",
            "30d,",
            "30d,20d",
            "5%,6%",
            "min(30d",
            "min()",
            "max(30d,25%)",
            "0%",
            "100%",
            "-1d",
            "30d)",
        ] {
            assert!(bad.parse::<Threshold>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_lesser_part_counts() {
        let both = threshold("min(30d,25%)");
        let days = Duration::days;
        assert_eq!(
            both.of(days(397)),
            (days(30), Bound::Duration("30d".parse().unwrap()))
        );
        assert_eq!(both.of(days(40)), (days(10), Bound::Percentage(25)));
        assert_eq!(
            threshold("25%").of(days(3650)).0,
            days(912) + Duration::hours(12)
        );
        assert_eq!(threshold("30d").of(days(7)).0, days(30));
    }

    #[test]
    fn only_a_duration_alone_is_cut() {
        let week = "7d".parse().unwrap();
        assert_eq!(threshold("30d").at_most(week), threshold("7d"));
        assert_eq!(threshold("1d").at_most(week), threshold("1d"));
        assert_eq!(
            threshold("min(30d,25%)").at_most(week),
            threshold("min(30d,25%)")
        );
    }

    #[test]
    fn thresholds_compare_where_they_can() {
        assert!(threshold("30d").is_wider_than(threshold("14d")));
        assert!(!threshold("30d").is_wider_than(threshold("30d")));
        assert!(!threshold("30d").is_wider_than(threshold("10%")));
        assert!(threshold("min(30d,25%)").is_wider_than(threshold("min(14d,10%)")));
        assert!(!threshold("min(30d,5%)").is_wider_than(threshold("min(14d,10%)")));
    }

    #[test]
    fn json_has_a_list() {
        let json = serde_json::to_string(&Thresholds::default()).unwrap();
        assert_eq!(json, r#"{"warn":["30d","25%"],"crit":["14d","10%"]}"#);
    }
}
