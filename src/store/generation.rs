//! The number by which a reader knows that a transaction has passed under it.

use std::path::Path;

use super::error::Error;
use super::root::Root;

pub(super) const GENERATION: &str = ".zpki/generation";

/// What a new PKI directory begins with.
pub(super) const FIRST: &[u8] = b"0\n";

/// The numbers of a change that is under way, and of its end, before they are in place.
const PREPARED: [&str; 2] = [".zpki/generation.begin", ".zpki/generation.end"];
const NEXT: &str = ".zpki/generation.next";
const MODE: u32 = 0o600;

/// The number; 0 when there is none.
pub(super) fn read(root: &Root) -> Result<u64, Error> {
    let bytes = root.read(Path::new(GENERATION))?;
    let text = bytes.as_deref().map(|bytes| String::from_utf8_lossy(bytes));
    Ok(text.map_or(0, |text| text.trim().parse().unwrap_or(0)))
}

/// Writes what [`begin`] and [`end`] put in place, so that a disk that is full by then does not stop a
/// change that is committed.
pub(super) fn prepare(root: &Root) -> Result<(), Error> {
    let number = read(root)?;
    for (path, step) in PREPARED.into_iter().zip(1..) {
        write(root, path, number.wrapping_add(step))?;
    }
    Ok(())
}

/// Removes what was prepared.
pub(super) fn discard(root: &Root) -> Result<(), Error> {
    PREPARED
        .iter()
        .try_for_each(|path| root.remove(Path::new(path)))
}

/// Changes the number before the first rename of a change that was prepared.
pub(super) fn begin(root: &Root) -> Result<(), Error> {
    root.rename(Path::new(PREPARED[0]), Path::new(GENERATION))
}

/// Changes it after the last.
pub(super) fn end(root: &Root) -> Result<(), Error> {
    root.rename(Path::new(PREPARED[1]), Path::new(GENERATION))
}

/// Changes the number, with nothing prepared.
pub(super) fn bump(root: &Root) -> Result<(), Error> {
    let number = read(root)?.wrapping_add(1);
    write(root, NEXT, number)?;
    root.rename(Path::new(NEXT), Path::new(GENERATION))
}

/// Writes a number beside its place: a reader is to see the old one or the new one, never a mixture.
/// Nothing is synced: no reader outlives a power failure.
fn write(root: &Root, path: &str, number: u64) -> Result<(), Error> {
    let text = format!("{number}\n");
    root.write_stage_of(
        Path::new(path),
        Path::new(GENERATION),
        MODE,
        text.as_bytes(),
    )?;
    Ok(())
}
