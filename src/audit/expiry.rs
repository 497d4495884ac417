//! When a certificate or a CRL is told of: its own dates against thresholds, what a CA has to
//! outlive, what a newer certificate has replaced, and whether the clock can be believed.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::Path;

use time::Duration;

use crate::domain::expiry::{PathRole, Reason, State};
use crate::domain::threshold::{Threshold, Thresholds};
use crate::domain::validity::Span;
use crate::x509::dated::Dated;

/// What is asked of everything in a run.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The instant, in seconds since 1970.
    pub at: i64,
    /// From when on it is told.
    pub thresholds: Thresholds,
    /// How far ahead of this clock an issuer's may be, in seconds.
    pub grace: i64,
}

/// 9999-12-31T23:59:59Z: no end that is known (RFC 5280 4.1.2.5).
pub const NEVER: i64 = 253_402_300_799;

/// A CRL has this long at most before it is told of, when a threshold has no percentage: a month is
/// longer than most CRLs last.
const CRL_MOST: Span = Span::days(7);

impl Rules {
    /// How `dated` stands, whatever stands beside it; `runway` is how long a CA must last yet, in
    /// seconds.
    #[must_use]
    pub fn judge(&self, dated: &Dated, runway: Option<i64>) -> (State, Option<Reason>) {
        let Some(not_after) = dated.not_after else {
            return self.begun(dated.not_before);
        };
        if not_after < dated.not_before {
            return (State::Critical, Some(Reason::Inverted));
        }
        if self.at >= not_after {
            return (State::Expired, Some(Reason::Expired));
        }
        if self.at < dated.not_before || not_after == NEVER {
            return self.begun(dated.not_before);
        }
        let remaining = not_after - self.at;
        let lifetime = Duration::seconds(not_after - dated.not_before);
        for (state, threshold) in [
            (State::Critical, self.thresholds.crit),
            (State::Warning, self.thresholds.warn),
        ] {
            let (window, bound) = threshold_for(dated.role, threshold).of(lifetime);
            if remaining < window.whole_seconds() {
                return (state, Some(Reason::Remaining(bound)));
            }
        }
        if runway.is_some_and(|runway| remaining < runway) {
            return (State::Warning, Some(Reason::CaRunway));
        }
        (State::Ok, None)
    }

    /// How something stands that has no end that counts.
    fn begun(&self, not_before: i64) -> (State, Option<Reason>) {
        let early = not_before.saturating_sub(self.at);
        match early {
            ..=0 => (State::Ok, None),
            early if early <= self.grace => (State::Warning, Some(Reason::NotYetValid)),
            _ => (State::NotYetValid, Some(Reason::NotYetValid)),
        }
    }

    /// The shortest time that passes between the second threshold and the end.
    #[must_use]
    pub fn critical_window(&self, dated: &Dated) -> Option<Duration> {
        let lifetime = dated.not_after?.checked_sub(dated.not_before)?;
        let threshold = threshold_for(dated.role, self.thresholds.crit);
        Some(threshold.of(Duration::seconds(lifetime.max(0))).0)
    }

    /// How long a CA of anybody's must last yet: as long as what it issues, and the time in which that
    /// is told of; at most a third of its own lifetime, for what is always on is not read.
    #[must_use]
    pub fn runway(&self, ca: &Dated, longest_issued: Option<i64>) -> Option<i64> {
        const YEAR: i64 = 365 * 86_400;
        let own = ca.not_after?.checked_sub(ca.not_before)?;
        let issued = Duration::seconds(longest_issued.unwrap_or(YEAR));
        let (window, _) = self.thresholds.warn.of(issued);
        let wanted = issued.whole_seconds().checked_add(window.whole_seconds())?;
        Some(wanted.min(own / 3))
    }
}

/// What a threshold is for a certificate, or for a CRL.
#[must_use]
pub fn threshold_for(role: PathRole, threshold: Threshold) -> Threshold {
    match role {
        PathRole::Crl => threshold.at_most(CRL_MOST),
        PathRole::Intermediate | PathRole::Leaf | PathRole::Root => threshold,
    }
}

/// A certificate in a directory.
#[derive(Clone, Copy, Debug)]
pub struct Placed<'a> {
    /// Its file.
    pub path: &'a Path,
    /// What it is.
    pub dated: &'a Dated,
    /// How it stands by itself.
    pub state: State,
    /// Whether a configuration names its file.
    pub is_referenced: bool,
}

/// Which expired certificates have been replaced: a valid one with the same names, in another file
/// of the same directory, or of one that has it in its `archive/` or the like. What a configuration names is in use,
/// whatever stands beside it.
#[must_use]
pub fn superseded<'a>(all: impl Iterator<Item = Placed<'a>> + Clone) -> Vec<bool> {
    let names = |placed: &Placed<'a>| {
        let identity = &placed.dated.identity;
        (identity.subject(), identity.subject_alt_name())
    };
    let mut valid: HashMap<_, Vec<&Path>> = HashMap::new();
    let is_leaf = |placed: &Placed<'a>| placed.dated.role == PathRole::Leaf;
    let candidates = all
        .clone()
        .filter(|it| is_leaf(it) && it.state == State::Expired && !it.is_referenced);
    for placed in candidates {
        valid.entry(names(&placed)).or_default();
    }
    if valid.is_empty() {
        return all.map(|_| false).collect();
    }
    let is_valid = |state| matches!(state, State::Ok | State::Warning | State::Critical);
    for placed in all.clone().filter(|it| is_leaf(it) && is_valid(it.state)) {
        if let Some(paths) = valid.get_mut(&names(&placed)) {
            paths.push(placed.path);
        }
    }
    let is_replaced = |placed: Placed<'a>| {
        let may_be = is_leaf(&placed) && placed.state == State::Expired && !placed.is_referenced;
        let newer = valid.get(&names(&placed)).filter(|_| may_be);
        newer.is_some_and(|newer| newer.iter().any(|path| stands_beside(path, placed.path)))
    };
    all.map(is_replaced).collect()
}

/// Where old certificates are put away. Any other directory is in use for all that is known.
const ARCHIVES: [&str; 8] = [
    "archive", "archived", "backup", "backups", "bak", "expired", "old", "previous",
];

/// Whether `newer` is another file in the directory of `old`, or in the one that has its archive.
fn stands_beside(newer: &Path, old: &Path) -> bool {
    let is_archive = |name: &OsStr| ARCHIVES.iter().any(|it| name.eq_ignore_ascii_case(it));
    let below = |newer: &Path, old: &Path| {
        let first = old.strip_prefix(newer).ok()?.iter().next();
        Some(first.is_none_or(is_archive))
    };
    let parents = newer.parent().zip(old.parent());
    newer != old && parents.and_then(|(newer, old)| below(newer, old)) == Some(true)
}

/// Certificates from which on a clock can be doubted.
const FEWEST: usize = 10;

/// Whether the clock is to be doubted, and not so many certificates: more than nine of ten are
/// expired, or not valid yet.
#[must_use]
pub fn clock_is_suspect(certificates: usize, expired: usize, not_yet_valid: usize) -> bool {
    let is_most = |some: usize| some * 10 > certificates * 9;
    certificates >= FEWEST && (is_most(expired) || is_most(not_yet_valid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::digest::Digest;
    use crate::x509::dated::Identity;

    const DAY: i64 = 86_400;

    fn dated(role: PathRole, not_before: i64, not_after: i64) -> Dated {
        Dated {
            role,
            not_before,
            not_after: Some(not_after),
            identity: Identity::new(&[], &[], &[1], &[]),
            fingerprint: Digest([0; 32]),
        }
    }

    fn leaf(not_before: i64, not_after: i64) -> Dated {
        dated(PathRole::Leaf, not_before, not_after)
    }

    fn rules(at: i64) -> Rules {
        Rules {
            at,
            thresholds: Thresholds::default(),
            grace: 300,
        }
    }

    fn remaining(text: &str) -> Option<Reason> {
        let (_, bound) = text.parse::<Threshold>().unwrap().of(Duration::ZERO);
        Some(Reason::Remaining(bound))
    }

    #[test]
    fn every_boundary_has_two_sides() {
        let year = leaf(0, 397 * DAY);
        let state = |at| rules(at).judge(&year, None);
        assert_eq!(state(-301), (State::NotYetValid, Some(Reason::NotYetValid)));
        assert_eq!(state(-300), (State::Warning, Some(Reason::NotYetValid)));
        assert_eq!(state(0), (State::Ok, None));
        assert_eq!(state(367 * DAY), (State::Ok, None));
        assert_eq!(state(367 * DAY + 1), (State::Warning, remaining("30d")));
        assert_eq!(state(383 * DAY), (State::Warning, remaining("30d")));
        assert_eq!(state(383 * DAY + 1), (State::Critical, remaining("14d")));
        assert_eq!(state(397 * DAY - 1), (State::Critical, remaining("14d")));
        assert_eq!(state(397 * DAY), (State::Expired, Some(Reason::Expired)));
    }

    #[test]
    fn a_short_lifetime_is_told_of_by_its_share() {
        let week = leaf(0, 7 * DAY);
        let state = |at| rules(at).judge(&week, None);
        assert_eq!(state(7 * DAY - 42 * 3600), (State::Ok, None));
        assert_eq!(
            state(7 * DAY - 42 * 3600 + 1),
            (State::Warning, remaining("25%"))
        );
        assert_eq!(
            state(7 * DAY - 60_480 + 1),
            (State::Critical, remaining("10%"))
        );
    }

    #[test]
    fn impossible_lifetimes_are_findings() {
        let state = |not_before, not_after| rules(5).judge(&leaf(not_before, not_after), None).0;
        assert_eq!(state(9, 8), State::Critical);
        assert_eq!(state(9000, 9000), State::NotYetValid);
        assert_eq!(state(5, 5), State::Expired);
        assert_eq!(state(-62_167_219_200, -1), State::Expired);
        assert_eq!(
            rules(5).judge(&leaf(i64::MAX, i64::MIN), None),
            (State::Critical, Some(Reason::Inverted))
        );
    }

    #[test]
    fn what_never_ends_is_fine_once_it_has_begun() {
        let forever = leaf(0, NEVER);
        assert_eq!(rules(NEVER - 1).judge(&forever, None), (State::Ok, None));
        assert_eq!(rules(NEVER).judge(&forever, None).0, State::Expired);
        let without_end = Dated {
            not_after: None,
            ..dated(PathRole::Crl, 1000, 0)
        };
        assert_eq!(rules(1000).judge(&without_end, None).0, State::Ok);
        assert_eq!(rules(999).judge(&without_end, None).0, State::Warning);
        assert_eq!(rules(0).judge(&without_end, None).0, State::NotYetValid);
    }

    #[test]
    fn a_crl_has_a_week_where_only_days_are_said() {
        let thresholds = Thresholds {
            warn: "30d".parse().unwrap(),
            crit: "1d".parse().unwrap(),
        };
        let rules = |at| Rules {
            at,
            thresholds,
            grace: 0,
        };
        let crl = dated(PathRole::Crl, 0, 31 * DAY);
        assert_eq!(rules(24 * DAY).judge(&crl, None).0, State::Ok);
        assert_eq!(
            rules(24 * DAY + 1).judge(&crl, None),
            (State::Warning, remaining("7d"))
        );
    }

    #[test]
    fn a_ca_outlives_what_it_issues() {
        let ca = dated(PathRole::Root, 0, 3650 * DAY);
        let state = |at, longest| {
            let rules = rules(at);
            rules.judge(&ca, rules.runway(&ca, longest))
        };
        let runway = (State::Warning, Some(Reason::CaRunway));
        assert_eq!(state((3650 - 395) * DAY, None), (State::Ok, None));
        assert_eq!(state((3650 - 395) * DAY + 1, None), runway);
        let quarter = 90 * DAY + 90 * DAY / 4;
        assert_eq!(
            state(3650 * DAY - quarter, Some(90 * DAY)),
            (State::Ok, None)
        );
        assert_eq!(state(3650 * DAY - quarter + 1, Some(90 * DAY)), runway);
        let short = dated(PathRole::Root, 0, 90 * DAY);
        assert_eq!(rules(0).runway(&short, None), Some(30 * DAY));
    }

    #[test]
    fn what_stands_beside_a_newer_one_is_superseded() {
        let (old, new) = (leaf(0, 1), leaf(0, 100 * DAY));
        let is_superseded = |newer: &str, path: &str, is_referenced| {
            let placed = |path, dated, state, is_referenced| Placed {
                path: Path::new(path),
                dated,
                state,
                is_referenced,
            };
            let all = [
                placed(newer, &new, State::Ok, false),
                placed(path, &old, State::Expired, is_referenced),
            ];
            superseded(all.into_iter())[1]
        };
        assert!(is_superseded("/a/new.pem", "/a/old.pem", false));
        assert!(is_superseded("/a/x.pem", "/a/archive/x.pem", false));
        assert!(is_superseded("/a/x.pem", "/a/Old/2025/x.pem", false));
        assert!(!is_superseded("/a/x.pem", "/a/live/x.pem", false));
        assert!(!is_superseded("/a/x.pem", "/a/live/old/x.pem", false));
        assert!(!is_superseded("/a/new.pem", "/a/old.pem", true));
        assert!(!is_superseded("/a/staged/x.pem", "/a/x.pem", false));
        assert!(!is_superseded("/b/x.pem", "/a/x.pem", false));
        assert!(!is_superseded("/a/x.pem", "/a/x.pem", false));
    }

    #[test]
    fn a_clock_is_doubted_only_by_many() {
        assert!(!clock_is_suspect(9, 9, 0));
        assert!(clock_is_suspect(10, 10, 0));
        assert!(!clock_is_suspect(10, 9, 0));
        assert!(clock_is_suspect(100, 0, 91));
        assert!(!clock_is_suspect(100, 50, 50));
    }
}
