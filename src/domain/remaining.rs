//! How long something lasts still, or since when it has not, as a person says it.

use std::fmt::{self, Display, Formatter};

/// So many seconds until an instant; negative once it is past, and 0 is past too, as at notAfter a
/// certificate is expired.
///
/// `9d`, `40h`, `90m` until it, which promise no more than there is; `3d 4h ago`, `40h ago`, `90m ago`
/// after it. Whoever knows that an instant stands for "never" says so instead.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Remaining(pub i64);

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

impl Display for Remaining {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let seconds = self.0.unsigned_abs();
        match (seconds / DAY, seconds % DAY / HOUR) {
            (0 | 1, _) if seconds < 2 * HOUR => write!(f, "{}m", seconds / MINUTE),
            (0 | 1, _) => write!(f, "{}h", seconds / HOUR),
            (days, hours) if self.0 < 0 && hours > 0 => write!(f, "{days}d {hours}h"),
            (days, _) => write!(f, "{days}d"),
        }?;
        if self.0 > 0 {
            Ok(())
        } else {
            f.write_str(" ago")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_becomes_finer_towards_the_end() {
        let (minute, hour, day) = (60, 3_600, 86_400);
        for (seconds, shown) in [
            (365 * day, "365d"),
            (10 * day - 1, "9d"),
            (2 * day, "2d"),
            (2 * day - 1, "47h"),
            (2 * hour, "2h"),
            (2 * hour - 1, "119m"),
            (1, "0m"),
            (0, "0m ago"),
            (-1, "0m ago"),
            (-2 * hour + minute, "119m ago"),
            (-3 * hour, "3h ago"),
            (-2 * day + 1, "47h ago"),
            (-2 * day, "2d ago"),
            (-3 * day - 4 * hour - 5, "3d 4h ago"),
        ] {
            assert_eq!(Remaining(seconds).to_string(), shown);
        }
    }

    #[test]
    fn no_instant_is_too_far_away() {
        assert_eq!(Remaining(i64::MAX).to_string(), "106751991167300d");
        assert_eq!(Remaining(i64::MIN).to_string(), "106751991167300d 15h ago");
    }
}
