//! Where the blocks of a file stand, found in one pass and without decoding anything.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Oddity;
use super::line::{Line, Lines};
use crate::x509::error::Error;

/// A PEM block as it stands in its file, with its base64 not decoded yet.
#[derive(Debug)]
pub struct Outline<'a> {
    /// What stands after BEGIN, such as `CERTIFICATE`; after END where a BEGIN line is missing.
    pub label: &'a str,
    /// The BEGIN line, counted from 1; the END line where there is no other.
    pub line: usize,
    /// The END line.
    pub end_line: usize,
    /// Why OpenSSL, and HAProxy with it, does not read this block, though zpki does.
    pub oddity: Option<Oddity>,
    pub(super) headers: Vec<(String, String)>,
    flaw: Option<Flaw<'a>>,
    /// From the first line of base64 to the last.
    base64: &'a [u8],
    /// The line that `base64` begins with.
    base64_line: usize,
}

/// What is wrong with the boundaries of a block.
#[derive(Clone, Copy, Debug)]
enum Flaw<'a> {
    BeginLine,
    BeginMissing,
    EndMismatch { end: &'a str },
    EndMissing,
}

impl<'a> Outline<'a> {
    /// What is wrong with its boundaries, or with what stands within bad ones.
    #[must_use]
    pub fn flaw(&self) -> Option<Error> {
        let label = || self.label.to_owned();
        let error = match self.flaw? {
            Flaw::BeginLine => return Some(self.begin_line()),
            Flaw::BeginMissing => Error::PemBeginMissing {
                label: label(),
                line: self.line,
            },
            Flaw::EndMismatch { end } => Error::PemEndMismatch {
                label: label(),
                end: end.to_owned(),
                line: self.end_line,
            },
            Flaw::EndMissing => Error::PemEndMissing {
                label: label(),
                line: self.line,
            },
        };
        Some(self.bad_line().unwrap_or(error))
    }

    fn begin_line(&self) -> Error {
        Error::PemBeginLine {
            label: self.label.to_owned(),
            line: self.line,
        }
    }

    /// The label of its END line, where that is another.
    #[must_use]
    pub fn other_end(&self) -> Option<&'a str> {
        match self.flaw {
            Some(Flaw::EndMismatch { end }) => Some(end),
            _ => None,
        }
    }

    /// Whether it has headers (RFC 1421 4.4), which OpenSSL forgives in no certificate.
    #[must_use]
    pub fn has_headers(&self) -> bool {
        !self.headers.is_empty()
    }

    /// Decodes it, whatever its boundaries are. Not for secrets: nothing is wiped.
    ///
    /// # Errors
    /// [`Error::PemBase64`] and [`Error::PemEmpty`].
    pub fn decode(&self) -> Result<Vec<u8>, Error> {
        let (mut characters, mut octets) = (Vec::new(), Vec::new());
        self.decode_into(&mut characters, &mut octets)?;
        Ok(octets)
    }

    /// The same, with the memory for it, which is taken once and not moved.
    pub(super) fn decode_into(
        &self,
        characters: &mut Vec<u8>,
        octets: &mut Vec<u8>,
    ) -> Result<(), Error> {
        characters.reserve_exact(self.base64.len());
        for line in Lines::of(self.base64) {
            characters.extend_from_slice(line.text.trim_ascii());
        }
        if characters.is_empty() {
            return Err(Error::PemEmpty {
                label: self.label.to_owned(),
                line: self.line,
            });
        }
        if STANDARD.decode_vec(&*characters, octets).is_ok() {
            return Ok(());
        }
        if let Some(error) = self.bad_line() {
            return Err(error);
        }
        // Blanks within lines are rare: they are only looked for when there is something.
        octets.clear();
        characters.retain(|octet| !octet.is_ascii_whitespace());
        let decoded = STANDARD.decode_vec(&*characters, octets);
        decoded.map_err(|_| self.not_base64(self.end_line - 1))
    }

    /// The first line that cannot be base64.
    fn bad_line(&self) -> Option<Error> {
        let is_bad = |line: &Line<'_>| !line.text.trim_ascii().iter().all(is_base64);
        let bad = Lines::of(self.base64).find(is_bad)?;
        Some(self.not_base64(self.base64_line + bad.number - 1))
    }

    fn not_base64(&self, line: usize) -> Error {
        Error::PemBase64 {
            label: self.label.to_owned(),
            line,
        }
    }
}

/// Finds the blocks of a text. A file that is UTF-16, or base64 alone, has none.
pub fn outlines(bytes: &[u8]) -> impl Iterator<Item = Outline<'_>> {
    let text = super::without_mark(bytes);
    Outlines {
        text,
        lines: Lines::of(text),
        open: None,
    }
}

struct Outlines<'a> {
    text: &'a [u8],
    lines: Lines<'a>,
    open: Option<Open<'a>>,
}

impl<'a> Iterator for Outlines<'a> {
    type Item = Outline<'a>;

    fn next(&mut self) -> Option<Outline<'a>> {
        while let Some(line) = self.lines.next() {
            let found = match Boundary::read(line.text) {
                Some(begin) if begin.is_begin => {
                    let oddity = begin.indentation().or_else(|| line.oddity());
                    self.begin(&line, &begin, oddity)
                }
                Some(end) => Some(self.end(&line, &end)),
                None => {
                    if let Some(open) = &mut self.open {
                        open.read(&line);
                    }
                    None
                }
            };
            if found.is_some() {
                return found;
            }
        }
        self.abandon()
    }
}

impl<'a> Outlines<'a> {
    /// Opens a block; answers with the one that was open.
    fn begin(
        &mut self,
        line: &Line<'a>,
        begin: &Boundary<'a>,
        oddity: Option<Oddity>,
    ) -> Option<Outline<'a>> {
        let abandoned = self.abandon();
        self.open = Some(Open {
            label: begin.label,
            line: line.number,
            part: Part::Start,
            headers: Vec::new(),
            base64: None,
            goes_on: !begin.rest.trim_ascii().is_empty(),
            oddity,
        });
        abandoned
    }

    fn end(&mut self, line: &Line<'a>, end: &Boundary<'a>) -> Outline<'a> {
        let is_glued = !end.rest.trim_ascii().is_empty();
        let found = match self.open.take() {
            Some(mut open) => {
                open.note(end.indentation());
                open.note(is_glued.then_some(Oddity::Glued));
                let flaw =
                    (open.label != end.label).then_some(Flaw::EndMismatch { end: end.label });
                open.close(self.text, line.number, flaw)
            }
            None => Outline {
                label: end.label,
                line: line.number,
                end_line: line.number,
                oddity: None,
                headers: Vec::new(),
                flaw: Some(Flaw::BeginMissing),
                base64: &[],
                base64_line: line.number,
            },
        };
        if let Some(begin) = Boundary::read(end.rest).filter(|boundary| boundary.is_begin) {
            self.begin(line, &begin, Some(Oddity::Glued));
        }
        found
    }

    /// A block that is open and will not be closed.
    fn abandon(&mut self) -> Option<Outline<'a>> {
        let open = self.open.take()?;
        let line = open.line;
        Some(open.close(self.text, line, Some(Flaw::EndMissing)))
    }
}

/// A block whose END line has not come yet.
struct Open<'a> {
    label: &'a str,
    line: usize,
    part: Part,
    headers: Vec<(String, String)>,
    base64: Option<Base64>,
    /// Whether something follows the dashes of its BEGIN line.
    goes_on: bool,
    oddity: Option<Oddity>,
}

/// Where the lines of base64 are.
struct Base64 {
    start: usize,
    end: usize,
    line: usize,
}

/// What the next line of a block may be.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Start,
    Headers,
    Base64,
}

impl<'a> Open<'a> {
    fn read(&mut self, line: &Line<'a>) {
        let text = line.text.trim_ascii();
        match self.part {
            Part::Base64 if text.is_empty() => self.note(Some(Oddity::BlankLine)),
            Part::Base64 => self.read_base64(line),
            Part::Start | Part::Headers if text.is_empty() => self.part = Part::Base64,
            Part::Start | Part::Headers => self.read_header(line, text),
        }
    }

    fn read_header(&mut self, line: &Line<'a>, text: &'a [u8]) {
        let text_or_odd = String::from_utf8_lossy(text);
        if let Some((name, value)) = text_or_odd.split_once(':') {
            self.part = Part::Headers;
            let header = (name.trim_end().to_owned(), value.trim_start().to_owned());
            self.headers.push(header);
        } else if self.part == Part::Headers
            && line.text.first().is_some_and(u8::is_ascii_whitespace)
        {
            // A header that goes on (RFC 1421 4.4).
            if let Some((_, value)) = self.headers.last_mut() {
                value.push_str(&text_or_odd);
            }
        } else {
            self.note((self.part == Part::Headers).then_some(Oddity::Headers));
            self.part = Part::Base64;
            self.read_base64(line);
        }
    }

    fn read_base64(&mut self, line: &Line<'a>) {
        let base64 = self.base64.get_or_insert(Base64 {
            start: line.start,
            end: line.start,
            line: line.number,
        });
        base64.end = line.start + line.text.len();
    }

    fn note(&mut self, oddity: Option<Oddity>) {
        self.oddity = self.oddity.or(oddity);
    }

    fn close(self, text: &'a [u8], end_line: usize, flaw: Option<Flaw<'a>>) -> Outline<'a> {
        let (base64, base64_line) = match self.base64 {
            Some(Base64 { start, end, line }) => (&text[start..end], line),
            None => (&[][..], self.line),
        };
        Outline {
            label: self.label,
            line: self.line,
            end_line,
            oddity: self.oddity,
            headers: self.headers,
            flaw: self.goes_on.then_some(Flaw::BeginLine).or(flaw),
            base64,
            base64_line,
        }
    }
}

pub(super) fn is_base64(octet: &u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=' | b' ' | b'\t')
}

/// A BEGIN or END line, taken apart.
struct Boundary<'a> {
    is_begin: bool,
    indented: bool,
    label: &'a str,
    /// What follows the dashes.
    rest: &'a [u8],
}

impl<'a> Boundary<'a> {
    /// None for a line that only mentions one: a boundary stands first on its line.
    fn read(line: &'a [u8]) -> Option<Self> {
        const DASHES: &[u8] = b"-----";
        let start = line.iter().position(|octet| *octet > b' ')?;
        let after = line[start..].strip_prefix(DASHES)?;
        let (is_begin, after) = match after.strip_prefix(b"BEGIN ") {
            Some(after) => (true, after),
            None => (false, after.strip_prefix(b"END ")?),
        };
        let length = after.windows(5).position(|octets| octets == DASHES)?;
        let (label, rest) = after.split_at(length);
        let label = str::from_utf8(label)
            .ok()
            .filter(|label| !label.contains(|c: char| c.is_control()))?;
        Some(Self {
            is_begin,
            indented: start > 0,
            label,
            rest: &rest[5..],
        })
    }

    fn indentation(&self) -> Option<Oddity> {
        self.indented.then_some(Oddity::Indented)
    }
}
