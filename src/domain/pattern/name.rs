//! A pattern for one name of a path.

/// A character, or an octet that is part of none: names of files need not be UTF-8.
type Character = u32;

/// What an octet outside UTF-8 is counted from: above every character.
const OCTETS: Character = 0x11_0000;

/// What one name must look like.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct NamePattern(Vec<Token>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Token {
    /// `*`: any number of characters.
    Any,
    /// The character itself.
    Character(Character),
    /// `[a-z]`: one of these, or none of them.
    Class {
        ranges: Vec<(Character, Character)>,
        is_negated: bool,
    },
    /// `?`: one character.
    One,
}

impl NamePattern {
    /// Reads a pattern in which `{` and `}` are characters like any other; says what is wrong with
    /// it otherwise.
    pub(super) fn parse(mut text: &[u8]) -> Result<Self, &'static str> {
        let mut tokens = Vec::new();
        while let Some((character, rest)) = split_first(text) {
            text = rest;
            let token = match u8::try_from(character) {
                Ok(b'*') => Token::Any,
                Ok(b'?') => Token::One,
                Ok(b'[') => {
                    let (class, rest) = class(text)?;
                    text = rest;
                    class
                }
                Ok(b'\\') => Token::Character(escaped(&mut text)?),
                _ => Token::Character(character),
            };
            tokens.push(token);
        }
        Ok(Self(tokens))
    }

    /// The only name that it matches, if there is only one.
    pub(super) fn literal(&self) -> Option<Vec<u8>> {
        let mut name = Vec::new();
        for token in &self.0 {
            match token {
                Token::Character(character) => push(&mut name, *character),
                _ => return None,
            }
        }
        Some(name)
    }

    /// Whether a name looks like this. A `*` that was too short is made longer, and only the last
    /// one: the time is the product of both lengths at most.
    pub(super) fn matches(&self, mut name: &[u8]) -> bool {
        let mut at = 0;
        let mut last_any = None;
        loop {
            let token = self.0.get(at);
            match (token, split_first(name)) {
                (None, None) => return true,
                (Some(Token::Any), _) => {
                    at += 1;
                    last_any = Some((at, name));
                    continue;
                }
                (Some(token), Some((character, rest))) if token.takes(character) => {
                    at += 1;
                    name = rest;
                    continue;
                }
                _ => {}
            }
            let Some((after, taken_from)) = last_any else {
                return false;
            };
            let Some((_, rest)) = split_first(taken_from) else {
                return false;
            };
            (at, name, last_any) = (after, rest, Some((after, rest)));
        }
    }
}

impl Token {
    fn takes(&self, character: Character) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Character(own) => *own == character,
            Self::Class { ranges, is_negated } => {
                let is_in =
                    |(first, last): &(Character, Character)| (*first..=*last).contains(&character);
                ranges.iter().any(is_in) != *is_negated
            }
        }
    }
}

/// Reads from behind a `[` to behind its `]`. The first character is a member even if it is a `]`.
fn class(mut text: &[u8]) -> Result<(Token, &[u8]), &'static str> {
    const UNCLOSED: &str = "has a `[` without its `]`";
    let is_negated = matches!(text.first(), Some(b'!' | b'^'));
    if is_negated {
        text = &text[1..];
    }
    let mut ranges = Vec::new();
    loop {
        if text.first() == Some(&b']') && !ranges.is_empty() {
            return Ok((Token::Class { ranges, is_negated }, &text[1..]));
        }
        if text.starts_with(b"[:") {
            return Err("has a named class of characters such as `[:alpha:]`");
        }
        let first = member(&mut text).ok_or(UNCLOSED)??;
        let last = match text {
            [b'-', b']', ..] | [] => first,
            [b'-', rest @ ..] => {
                text = rest;
                member(&mut text).ok_or(UNCLOSED)??
            }
            _ => first,
        };
        if first > last {
            return Err("has a range that ends before it begins");
        }
        ranges.push((first, last));
    }
}

fn member(text: &mut &[u8]) -> Option<Result<Character, &'static str>> {
    let (character, rest) = split_first(text)?;
    *text = rest;
    Some(if character == Character::from(b'\\') {
        escaped(text)
    } else {
        Ok(character)
    })
}

fn escaped(text: &mut &[u8]) -> Result<Character, &'static str> {
    let (character, rest) = split_first(text).ok_or("ends with a `\\` that nothing follows")?;
    *text = rest;
    Ok(character)
}

/// The first character, and what follows it.
fn split_first(text: &[u8]) -> Option<(Character, &[u8])> {
    let first = *text.first()?;
    let length = match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => 1,
    };
    let character = text
        .get(..length)
        .and_then(|octets| str::from_utf8(octets).ok())
        .and_then(|character| character.chars().next());
    Some(match character {
        Some(character) => (character.into(), &text[length..]),
        None => (OCTETS + Character::from(first), &text[1..]),
    })
}

fn push(name: &mut Vec<u8>, character: Character) {
    match char::from_u32(character) {
        Some(character) => {
            name.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        // Only octets stand above the characters.
        None => name.extend(u8::try_from(character - OCTETS)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &[u8]) -> NamePattern {
        NamePattern::parse(text).unwrap()
    }

    #[test]
    fn names_match() {
        type Names<'a> = &'a [&'a [u8]];
        let cases: &[(&[u8], Names<'_>, Names<'_>)] = &[
            (b"a.pem", &[b"a.pem"], &[b"a-pem", b"a.pem2", b"", b"A.pem"]),
            (b"*", &[b"", b"a", b".a", b"\xff\n"], &[]),
            (
                b"*.pem",
                &[b".pem", b"a.pem", b"a.pem.pem"],
                &[b"a.pem.bak"],
            ),
            (b"a*b*c", &[b"abc", b"axbxbxc"], &[b"abcd", b"acb"]),
            (b"a**", &[b"a", b"abc"], &[b"ba"]),
            (b"?", &[b"a", "\u{e9}".as_bytes(), b"\xff"], &[b"", b"ab"]),
            (
                b"??",
                &["\u{e9}x".as_bytes(), b"\xff\xfe"],
                &["\u{e9}".as_bytes()],
            ),
            (b"[a-c]x", &[b"ax", b"cx"], &[b"dx", b"x", b"a"]),
            (b"[!a-c]x", &[b"dx", b"\xffx"], &[b"bx", b"x"]),
            (b"[^a]", &[b"b"], &[b"a"]),
            (b"[]a]", &[b"]", b"a"], &[b"b"]),
            (b"[!]]", &[b"a"], &[b"]"]),
            (b"[a-]", &[b"a", b"-"], &[b"b"]),
            (b"[\\]-a]", &[b"]", b"a", b"^"], &[b"b", b"-"]),
            (
                "[\u{e0}-\u{e9}]".as_bytes(),
                &["\u{e8}".as_bytes()],
                &[b"e", b"\xe8"],
            ),
            (b"[\x80-\xff]", &[b"\xff"], &[b"\x7f", "\u{e9}".as_bytes()]),
            (b"\\*\\?\\[\\\\", &[b"*?[\\"], &[b"aa[\\"]),
            (b"{a,b}", &[b"{a,b}"], &[b"a"]),
            (b"x\xff*", &[b"x\xff", b"x\xffy"], &[b"x\xfe"]),
            (b"!a", &[b"!a"], &[b"b"]),
        ];
        for (text, taken, refused) in cases {
            let shown = text.escape_ascii();
            for name in *taken {
                assert!(
                    pattern(text).matches(name),
                    "{shown}: {}",
                    name.escape_ascii()
                );
            }
            for name in *refused {
                assert!(
                    !pattern(text).matches(name),
                    "{shown}: {}",
                    name.escape_ascii()
                );
            }
        }
    }

    #[test]
    fn what_matches_one_name_says_it() {
        for (text, name) in [
            (&b"a.pem"[..], Some(&b"a.pem"[..])),
            (b"\\*\xff", Some(b"*\xff")),
            ("\u{e9}".as_bytes(), Some("\u{e9}".as_bytes())),
            (b"", Some(b"")),
            (b"a?", None),
            (b"[a]", None),
        ] {
            assert_eq!(pattern(text).literal().as_deref(), name);
        }
    }

    #[test]
    fn impossible_patterns_are_refused() {
        for (text, because) in [
            (&b"a["[..], "has a `[` without its `]`"),
            (b"[]", "has a `[` without its `]`"),
            (b"[!", "has a `[` without its `]`"),
            (b"[a-", "has a `[` without its `]`"),
            (b"[z-a]", "has a range that ends before it begins"),
            (b"a\\", "ends with a `\\` that nothing follows"),
            (b"[a\\", "ends with a `\\` that nothing follows"),
            (
                b"[[:alpha:]]",
                "has a named class of characters such as `[:alpha:]`",
            ),
        ] {
            assert_eq!(NamePattern::parse(text).unwrap_err(), because);
        }
    }

    #[test]
    fn no_name_takes_long() {
        let text = "*a".repeat(100);
        let name = "a".repeat(255) + "b";
        assert!(!pattern(text.as_bytes()).matches(name.as_bytes()));
    }
}
