//! Reports made by hand.

use std::env;
use std::ffi::OsStr;
use std::ops::{Deref, DerefMut};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use time::macros::datetime;

use crate::commands::expiry::report::{ExpiryReport, InspectedFile, Item, Summary};
use crate::domain::digest::Digest;
use crate::domain::expiry::{PathRole, ReadReason, Reason, State};
use crate::domain::finding::Severity;
use crate::domain::threshold::{Bound, Thresholds};
use crate::domain::validity::Span;
use crate::scan::read::ReadError;
use crate::scan::walk::Source;
use crate::x509::dated::{Dated, Identity};

pub(super) const AT: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);
pub(super) const HOUR: i64 = 3_600;
pub(super) const DAY: i64 = 24 * HOUR;

/// An item that is alone in its file.
#[derive(Clone)]
pub(super) struct Alone(InspectedFile);

impl Deref for Alone {
    type Target = Item;

    fn deref(&self) -> &Item {
        &self.0.items[0]
    }
}

impl DerefMut for Alone {
    fn deref_mut(&mut self) -> &mut Item {
        &mut self.0.items[0]
    }
}

pub(super) fn files(items: Vec<Alone>) -> Vec<InspectedFile> {
    items.into_iter().map(|alone| alone.0).collect()
}

pub(super) fn report(items: Vec<Alone>, errors: Vec<ReadError>) -> ExpiryReport {
    let count = |is: &dyn Fn(&Item) -> bool| items.iter().filter(|it| is(it)).count();
    let state = |state| count(&|item| item.state == state);
    let is_crl = |item: &Item| item.dated.role == PathRole::Crl;
    let severities = items.iter().map(|item| item.state.severity());
    ExpiryReport {
        at: AT,
        status: severities
            .chain(errors.iter().map(|error| error.reason.severity()))
            .max()
            .unwrap_or(Severity::Unknown),
        thresholds: Thresholds::default(),
        clock_is_suspect: false,
        summary: Summary {
            files: items.len() + errors.len(),
            certificates: count(&|item| !is_crl(item)),
            crls: count(&is_crl),
            ok: state(State::Ok),
            superseded: state(State::Superseded),
            warning: state(State::Warning),
            critical: state(State::Critical),
            expired: state(State::Expired),
            not_yet_valid: state(State::NotYetValid),
            unreadable: errors.len(),
            ..Summary::default()
        },
        files: files(items),
        errors,
        findings: Vec::new(),
    }
}

/// The certificate of `common_name` for 90 days, of which `remaining` seconds remain; its state by the
/// default thresholds.
pub(super) fn certificate(path: &[u8], common_name: &str, remaining: i64) -> Alone {
    let (state, reason) = match remaining {
        ..=0 => (State::Expired, Some(Reason::Expired)),
        _ if remaining < 9 * DAY => (
            State::Critical,
            Some(Reason::Remaining(Bound::Percentage(10))),
        ),
        _ if remaining < 22 * DAY + 12 * HOUR => (
            State::Warning,
            Some(Reason::Remaining(Bound::Duration(Span::days(30)))),
        ),
        _ => (State::Ok, None),
    };
    let not_after = AT.unix_timestamp() + remaining;
    let source = Source {
        path: Path::new(OsStr::from_bytes(path)).into(),
        aliases: Vec::new(),
        referenced_by: Vec::new(),
        is_named: false,
    };
    let item = Item {
        index: 1,
        line: Some(27),
        dated: Dated {
            role: PathRole::Leaf,
            not_before: not_after - 90 * DAY,
            not_after: Some(not_after),
            identity: Identity::new(
                &[0x12, 0x67],
                &demo_ca(),
                &name(&[("CN", common_name)]),
                &[],
            ),
            fingerprint: Digest([0xab; 32]),
        },
        note: None,
        state,
        reason,
    };
    Alone(InspectedFile {
        source,
        items: [item].into(),
    })
}

/// A CRL of 30 days, with the number 7.
pub(super) fn crl(path: &[u8], remaining: i64) -> Alone {
    let mut crl = certificate(path, "", remaining);
    crl.dated.role = PathRole::Crl;
    crl.dated.identity = Identity::new(&[7], &demo_ca(), &[], &[]);
    crl.dated.not_before = AT.unix_timestamp() + remaining - 30 * DAY;
    crl
}

pub(super) fn unreadable(
    path: &[u8],
    index: usize,
    reason: ReadReason,
    message: &str,
) -> ReadError {
    ReadError {
        path: OsStr::from_bytes(path).into(),
        index: Some(index),
        line: Some(31),
        reason,
        message: message.to_owned(),
        referenced_by: Vec::new(),
    }
}

/// The issuer of all of them.
pub(super) fn demo_ca() -> Box<[u8]> {
    name(&[("O", "demo"), ("CN", "demo CA")])
}

/// The DER of a name, one attribute in each set.
pub(super) fn name(attributes: &[(&str, &str)]) -> Box<[u8]> {
    let sets = attributes.iter().flat_map(|(keyword, value)| {
        let kind = match *keyword {
            "CN" => 3,
            "O" => 10,
            other => panic!("{other}"),
        };
        let pair = [element(6, &[0x55, 4, kind]), element(12, value.as_bytes())];
        element(0x31, &element(0x30, &pair.concat()))
    });
    element(0x30, &sets.collect::<Vec<_>>()).into()
}

fn element(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[tag, 0x82, length[0], length[1]][..], value].concat()
}

/// A program that `make test` provides, as Debian's packages call it.
pub(super) fn program(name: &str) -> PathBuf {
    let binary = env::current_exe().unwrap();
    let unpacked = binary
        .ancestors()
        .map(|directory| directory.join("test-tools/debian/usr/bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(unpacked)
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("`{name}` is missing: run `make test`"))
}
