//! Old files that are kept beside those that have replaced them: `NAME.zpki-20260101T120000Z`, and `-2`,
//! `-3` behind it for those of the same second.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

use super::Links;
use super::place::Place;
use crate::store::error::Error;
use crate::store::fault::Faults;
use crate::store::root::Root;

const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// What a file held before an exchange.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Backup {
    /// The file, as it was named: perhaps through links.
    pub of: PathBuf,
    /// Where that is.
    pub path: PathBuf,
    /// When it was replaced.
    pub time: OffsetDateTime,
}

/// The backups of the file at `file`, through links, the newest first.
///
/// # Errors
/// [`Error::DanglingLink`]; [`Error::Io`].
pub fn backups(file: &Path) -> Result<Vec<Backup>, Error> {
    let place = Place::of(file, Links::Followed)?;
    if !place.missing.is_empty() {
        return Ok(Vec::new());
    }
    let root = Root::open(&place.directory, &Faults::default()).map_err(Error::of_others)?;
    let names = root.list(Path::new("")).map_err(Error::of_others)?;
    let mut found: Vec<_> = names
        .iter()
        .filter_map(|name| {
            let (time, number) = parse(name, &place.name)?;
            let path = root.shown(Path::new(name));
            let of = file.to_owned();
            Some((time, number, Backup { of, path, time }))
        })
        .collect();
    found.sort_by_key(|(time, number, _)| std::cmp::Reverse((*time, *number)));
    Ok(found.into_iter().map(|(.., backup)| backup).collect())
}

/// What the backup of `file` is called.
pub(super) fn name(file: &Path, time: OffsetDateTime) -> String {
    let time = time.to_offset(UtcOffset::UTC).format(TIME);
    let time = time.expect("a date has all parts of the format");
    format!("{}.zpki-{time}", file.display())
}

/// `name`, or the first `name-2`, `name-3`, ... that nothing has.
pub(super) fn free_name(root: &Root, name: &str) -> Result<PathBuf, Error> {
    let numbered = (2_u32..).map(|number| format!("{name}-{number}"));
    for name in std::iter::once(name.to_owned()).chain(numbered) {
        let name = PathBuf::from(name);
        if !root.is_taken(&name)? {
            return Ok(name);
        }
    }
    unreachable!("a directory has fewer names than there are numbers")
}

/// When it was made and which one it is of that second, if it is a backup of `file`.
fn parse(name: &OsStr, file: &Path) -> Option<(OffsetDateTime, u32)> {
    let suffix = name.to_str()?.strip_prefix(file.to_str()?)?;
    let suffix = suffix.strip_prefix(".zpki-")?;
    let (time, number) = match suffix.split_once('-') {
        Some((time, number)) => (time, number.parse().ok().filter(|number| *number > 1)?),
        None => (suffix, 1),
    };
    let time = PrimitiveDateTime::parse(time, TIME).ok()?;
    Some((time.assume_utc(), number))
}
