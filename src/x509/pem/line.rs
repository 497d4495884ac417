//! Lines, whatever ends them.

use memchr::memchr2;

use super::Oddity;

/// A line without its end.
pub(super) struct Line<'a> {
    /// Counted from 1.
    pub(super) number: usize,
    /// Where it begins in its text.
    pub(super) start: usize,
    pub(super) text: &'a [u8],
    carriage_return: bool,
}

impl Line<'_> {
    pub(super) fn oddity(&self) -> Option<Oddity> {
        self.carriage_return.then_some(Oddity::CarriageReturn)
    }
}

/// The lines of a text; they end in LF, CRLF or CR.
pub(super) struct Lines<'a> {
    text: &'a [u8],
    start: usize,
    number: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a [u8]) -> Self {
        Self {
            text,
            start: 0,
            number: 0,
        }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let start = self.start;
        let rest = &self.text[start..];
        if rest.is_empty() {
            return None;
        }
        let length = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let (text, end) = rest.split_at(length);
        let (carriage_return, skipped) = match end {
            [b'\r', b'\n', ..] => (false, 2),
            [b'\r', ..] => (true, 1),
            [_, ..] => (false, 1),
            [] => (false, 0),
        };
        self.start += text.len() + skipped;
        self.number += 1;
        Some(Line {
            number: self.number,
            start,
            text,
            carriage_return,
        })
    }
}
