//! How a value from outside is shown to a person: quoted, and with nothing in it that a terminal
//! would act on.

use std::fmt::{self, Display, Formatter, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Shows text in backticks; control characters, backticks' neighbours in mischief (bidirectional
/// overrides and the like) and over-long text are made harmless.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a str);

/// Characters shown of a value; the rest is cut, for a 100 MB value has no place in a message.
const SHOWN: usize = 80;

impl Quoted<'static> {
    /// One character, in backticks.
    #[must_use]
    pub fn character(character: char) -> impl Display {
        QuotedCharacter(character)
    }
}

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('`')?;
        for (count, character) in self.0.chars().enumerate() {
            if count == SHOWN {
                f.write_str("...")?;
                break;
            }
            write_safe(f, character)?;
        }
        f.write_char('`')
    }
}

struct QuotedCharacter(char);

impl Display for QuotedCharacter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0 == ' ' {
            return f.write_str("a space");
        }
        f.write_char('`')?;
        write_safe(f, self.0)?;
        f.write_char('`')
    }
}

/// Text as one line for a terminal, whole: what `Quoted` does, without quotes and without a cut.
#[derive(Clone, Copy, Debug)]
pub struct Plain<'a>(pub &'a str);

impl Display for Plain<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.chars().any(is_unsafe) {
            let mut characters = self.0.chars();
            characters.try_for_each(|character| write_safe(f, character))
        } else {
            f.write_str(self.0)
        }
    }
}

/// Whether a terminal acts on it, be it as one character of C0 or C1, or turns text around, begins a line
/// or shows nothing for it.
#[must_use]
pub fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn write_safe(f: &mut Formatter<'_>, character: char) -> fmt::Result {
    if is_unsafe(character) {
        write!(f, "{}", character.escape_default())
    } else {
        f.write_char(character)
    }
}

/// A path, whole: octets that are no UTF-8 as `\xff`, all else as it is. For a terminal, [`Plain`] it.
#[derive(Clone, Copy, Debug)]
pub struct PathText<'a>(pub &'a Path);

impl Display for PathText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for chunk in self.0.as_os_str().as_bytes().utf8_chunks() {
            f.write_str(chunk.valid())?;
            for octet in chunk.invalid() {
                write!(f, "\\x{octet:02x}")?;
            }
        }
        Ok(())
    }
}

/// Text as one word of a POSIX shell: in single quotes where it needs any.
#[derive(Clone, Copy, Debug)]
pub struct ShellWord<'a>(pub &'a str);

impl Display for ShellWord<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_alphanumeric() || "/._-+@%=:,".contains(c);
        if self.0.chars().all(plain) {
            f.write_str(self.0)
        } else {
            write!(f, "'{}'", self.0.replace('\'', r"'\''"))
        }
    }
}

/// Octets in lower-case hexadecimal.
#[derive(Clone, Copy, Debug)]
pub struct Hex<'a>(pub &'a [u8]);

impl Display for Hex<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        const AT_ONCE: usize = 16;
        self.0.chunks(AT_ONCE).try_for_each(|octets| {
            let mut text = [0; 2 * AT_ONCE];
            for (digits, octet) in text.chunks_exact_mut(2).zip(octets) {
                digits[0] = DIGITS[usize::from(octet >> 4)];
                digits[1] = DIGITS[usize::from(octet & 15)];
            }
            f.write_str(str::from_utf8(&text[..2 * octets.len()]).map_err(|_| fmt::Error)?)
        })
    }
}

/// The items as one line of text.
#[must_use]
pub fn joined<T: Display>(items: &[T], separator: &str) -> String {
    let mut text = String::new();
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            text.push_str(separator);
        }
        write!(text, "{item}").expect("a String takes everything");
    }
    text
}

/// Makes a type serialize as the text that its `Display` writes.
macro_rules! serialize_as_text {
    ($($name:ty),+) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )+};
}
pub(super) use serialize_as_text;

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn nothing_reaches_a_terminal_raw() {
        assert_eq!(Quoted("a\u{1b}[2Jb\n").to_string(), r"`a\u{1b}[2Jb\n`");
        assert_eq!(Quoted("x\u{202e}y").to_string(), r"`x\u{202e}y`");
        assert_eq!(Plain("grün\t").to_string(), r"grün\t");
        // U+009B begins an escape sequence by itself.
        for character in [
            '\u{7f}', '\u{9b}', '\u{61c}', '\u{2028}', '\u{2066}', '\u{feff}',
        ] {
            let shown = Plain(&character.to_string()).to_string();
            assert_eq!(shown, character.escape_unicode().to_string());
        }
        assert_eq!(Quoted::character(' ').to_string(), "a space");
    }

    #[test]
    fn a_path_is_shown_whole() {
        let path = |octets: &'static [u8]| PathText(Path::new(OsStr::from_bytes(octets)));
        assert_eq!(path(b"/a/gr\xc3\xbcn\n").to_string(), "/a/grün\n");
        assert_eq!(
            path(b"/\xff\xc3a\xe2\x82").to_string(),
            r"/\xff\xc3a\xe2\x82"
        );
    }

    #[test]
    fn a_word_is_quoted_where_a_shell_would_act_on_it() {
        for (text, word) in [
            ("/srv/pki-1.0/a@b%c", "/srv/pki-1.0/a@b%c"),
            ("/srv/our pki", "'/srv/our pki'"),
            ("it's $HOME", r"'it'\''s $HOME'"),
        ] {
            assert_eq!(ShellWord(text).to_string(), word);
        }
    }

    #[test]
    fn a_long_value_is_cut() {
        assert_eq!(
            Quoted(&"x".repeat(300)).to_string().len(),
            SHOWN + "``...".len()
        );
    }
}
