//! A line of HAProxy's configuration, split into words as HAProxy does it (its configuration
//! manual, 2.2 and 2.3; what the manual leaves open was measured on HAProxy 2.6).

/// One word of a configuration line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Word {
    /// Where it begins, in bytes, quotes included.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// What HAProxy takes it for: quotes and backslashes resolved, and environment variables where
    /// they were asked for.
    pub value: String,
}

/// A configuration line, split.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Split {
    /// The words before the comment.
    pub words: Vec<Word>,
    /// Where the comment begins: the first `#` that is neither quoted nor escaped, even within a
    /// word.
    pub comment: Option<usize>,
    /// What is wrong with the line, in its order.
    pub faults: Vec<Fault>,
}

impl Split {
    /// Whether every quote was closed and every escape was whole.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let only_bytes = |fault: &Fault| fault.kind == FaultKind::NotUtf8;
        self.faults.iter().all(only_bytes)
    }
}

/// Something that keeps a word from being read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// Where it is, in bytes.
    pub at: usize,
    /// What it is.
    pub kind: FaultKind,
}

/// What is wrong with a word.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FaultKind {
    /// `${NAME` without its `}`.
    BraceOpen,
    /// `\x` without two hexadecimal digits.
    EscapeUnfinished,
    /// Escapes that make a value which is no UTF-8. HAProxy takes it.
    NotUtf8,
    /// A quote that is not closed.
    QuoteOpen,
    /// A backslash at the end of the line: HAProxy takes it for itself, and knows no continuation.
    TrailingBackslash,
    /// `$` before what begins no name, within double quotes.
    VariableName,
    /// A variable that HAProxy sets for itself (`HAPROXY_...`, `.FILE`).
    VariableOfHaproxy {
        /// Its name.
        name: String,
    },
    /// Variables that make a word longer than [`LONGEST`]: a value may repeat another.
    WordTooLong,
    /// `${NAME[*]}` whose value has more than one word.
    WordExpansion {
        /// The variable.
        name: String,
    },
}

/// The longest value, in bytes, that variables may make: as much as HAProxy's own buffer has.
pub const LONGEST: usize = 16 * 1024;

/// How an environment variable is found.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Splits a line: white space separates words; `'...'` takes all literally; within `"..."` and
/// outside quotes a backslash escapes some characters and is itself before the others.
/// Environment variables stay as they are written.
#[must_use]
pub fn split(line: &str) -> Split {
    Scanner::new(line, None).split()
}

/// Splits a line as [`split`] does; within `"..."`, `$NAME`, `${NAME}` and `${NAME-default}` are
/// expanded. A variable that is not set is empty.
#[must_use]
pub fn split_expanding(line: &str, lookup: Lookup<'_>) -> Split {
    Scanner::new(line, Some(lookup)).split()
}

struct Scanner<'a> {
    line: &'a str,
    at: usize,
    lookup: Option<Lookup<'a>>,
    faults: Vec<Fault>,
}

impl<'a> Scanner<'a> {
    fn new(line: &'a str, lookup: Option<Lookup<'a>>) -> Self {
        Self {
            line,
            at: 0,
            lookup,
            faults: Vec::new(),
        }
    }

    fn split(mut self) -> Split {
        let mut words = Vec::new();
        let mut comment = None;
        while let Some(byte) = self.peek() {
            match byte {
                _ if is_space(byte) => self.at += 1,
                b'#' => {
                    comment = Some(self.at);
                    break;
                }
                _ => words.push(self.word()),
            }
        }
        self.faults.sort_by_key(|fault| fault.at);
        Split {
            words,
            comment,
            faults: self.faults,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a str {
        // Within a character there is nothing that any rule looks for.
        self.line.get(self.at..).unwrap_or_default()
    }

    fn fault(&mut self, at: usize, kind: FaultKind) {
        self.faults.push(Fault { at, kind });
    }

    fn word(&mut self) -> Word {
        let start = self.at;
        let mut value = Vec::new();
        let mut quote: Option<(u8, usize)> = None;
        while let Some(byte) = self.peek() {
            match (quote.map(|(quote, _)| quote), byte) {
                (_, b'\r') => break,
                (None, _) if is_space(byte) || byte == b'#' => break,
                (None, b'\'' | b'"') => quote = Some((byte, self.at)),
                (Some(open), _) if open == byte => quote = None,
                (None | Some(b'"'), b'\\') => {
                    self.escape(quote.is_some(), &mut value);
                    continue;
                }
                (Some(b'"'), b'$') if self.lookup.is_some() => {
                    self.variable(&mut value);
                    continue;
                }
                _ => value.push(byte),
            }
            self.at += 1;
        }
        let end = self.at;
        if let Some((_, at)) = quote {
            self.fault(at, FaultKind::QuoteOpen);
        }
        // Behind a word, and not behind other white space, a carriage return ends the line.
        if self.peek() == Some(b'\r') {
            self.at = self.line.len();
        }
        Word {
            start,
            end,
            value: self.text(start, value),
        }
    }

    fn text(&mut self, start: usize, value: Vec<u8>) -> String {
        String::from_utf8(value).unwrap_or_else(|error| {
            self.fault(start, FaultKind::NotUtf8);
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        })
    }

    /// A backslash and what it escapes.
    fn escape(&mut self, in_double_quotes: bool, value: &mut Vec<u8>) {
        let at = self.at;
        match escape(&self.line.as_bytes()[at + 1..], in_double_quotes) {
            Ok((byte, length)) => {
                value.push(byte);
                self.at += 1 + length;
            }
            Err(kind) => {
                value.push(b'\\');
                self.at += 1;
                self.fault(at, kind);
            }
        }
    }

    /// A `$` within double quotes, and the name behind it.
    fn variable(&mut self, value: &mut Vec<u8>) {
        let at = self.at;
        match self.expand() {
            Ok(text) if value.len() + text.len() > LONGEST => {
                self.fault(at, FaultKind::WordTooLong);
            }
            Ok(text) => value.extend(text.into_bytes()),
            Err(kind) => self.fault(at, kind),
        }
    }

    fn expand(&mut self) -> Result<String, FaultKind> {
        self.at += 1;
        let in_braces = self.take("{");
        let name = self.name();
        if name.is_empty() {
            return Err(FaultKind::VariableName);
        }
        let of_haproxy = || FaultKind::VariableOfHaproxy { name: name.into() };
        let mut set = self.lookup.and_then(|lookup| lookup(name));
        if name.starts_with('.') || (set.is_none() && name.starts_with("HAPROXY_")) {
            return Err(of_haproxy());
        }
        if in_braces {
            let every_word = self.take("[*]");
            let default = self.default_value()?;
            set = set.or_else(|| default.map(str::to_owned));
            if every_word && set.iter().any(|set| set.bytes().any(is_space)) {
                return Err(FaultKind::WordExpansion { name: name.into() });
            }
        }
        Ok(set.unwrap_or_default())
    }

    fn take(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// A dot begins the names that HAProxy sets for itself, and ends every other.
    fn name(&mut self) -> &'a str {
        let rest = self.rest();
        let first = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'.');
        let more = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let length = match rest.bytes().next() {
            Some(byte) if first(byte) => 1 + rest.bytes().skip(1).take_while(more).count(),
            _ => 0,
        };
        self.at += length;
        &rest[..length]
    }

    /// What stands behind the name in braces: `}`, or `-` and a value that nothing is resolved in.
    fn default_value(&mut self) -> Result<Option<&'a str>, FaultKind> {
        let has_default = self.take("-");
        let rest = self.rest();
        let end = match rest.find('}') {
            Some(end) if has_default || end == 0 => end,
            _ => return Err(FaultKind::BraceOpen),
        };
        self.at += end + 1;
        Ok(has_default.then_some(&rest[..end]))
    }
}

/// C's `isspace`, which HAProxy asks.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// What a backslash before `rest` stands for, and how many bytes of `rest` belong to it.
fn escape(rest: &[u8], in_double_quotes: bool) -> Result<(u8, usize), FaultKind> {
    let first = rest.first().ok_or(FaultKind::TrailingBackslash)?;
    Ok(match *first {
        byte @ (b' ' | b'"' | b'#' | b'\'' | b'\\') => (byte, 1),
        b'$' if in_double_quotes => (b'$', 1),
        b'n' => (b'\n', 1),
        b'r' => (b'\r', 1),
        b't' => (b'\t', 1),
        b'x' => (
            hexadecimal(&rest[1..]).ok_or(FaultKind::EscapeUnfinished)?,
            3,
        ),
        _ => (b'\\', 0),
    })
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(line: &str) -> Vec<String> {
        split(line)
            .words
            .into_iter()
            .map(|word| word.value)
            .collect()
    }

    #[test]
    fn words_are_split_as_haproxy_does() {
        assert_eq!(values("  check\tinter 2s "), ["check", "inter", "2s"]);
        assert_eq!(
            values(r#"crt '/a b' crt "/c d" crt /e\ f"#),
            ["crt", "/a b", "crt", "/c d", "crt", "/e f"]
        );
        assert_eq!(values(r#"a'b c'd "x\"y" 'x\y'"#), ["ab cd", "x\"y", r"x\y"]);
        assert_eq!(values("a '#b' c # d"), ["a", "#b", "c"]);
        assert_eq!(split("ab#c").comment, Some(2));
        assert_eq!(
            values(r#"/a\b \$c "\$d" \t \x41\#"#),
            [r"/a\b", r"\$c", "$d", "\t", "A#"]
        );
        assert_eq!(values("'' \"$HOME\""), ["", "$HOME"]);
        assert_eq!(values("\ra \rb\t\rc\rd 'e"), ["a", "b", "c"]);
    }

    fn faults(line: &str) -> Vec<Fault> {
        split_expanding(line, &environment).faults
    }

    fn environment(name: &str) -> Option<String> {
        match name {
            "EMPTY" => Some(String::new()),
            "LONG" => Some("x".repeat(LONGEST / 2)),
            "NAME" => Some("name".to_owned()),
            "WORDS" => Some("two words".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn what_haproxy_refuses_has_a_place() {
        let fault = |at, kind| vec![Fault { at, kind }];
        assert_eq!(faults("a 'b c"), fault(2, FaultKind::QuoteOpen));
        assert_eq!(faults("a b\"c"), fault(3, FaultKind::QuoteOpen));
        assert_eq!(faults("'a\rb'"), fault(0, FaultKind::QuoteOpen));
        assert_eq!(faults(r"a \xg1"), fault(2, FaultKind::EscapeUnfinished));
        assert_eq!(faults(r"a\x4"), fault(1, FaultKind::EscapeUnfinished));
        assert_eq!(faults(r"a \"), fault(2, FaultKind::TrailingBackslash));
        assert_eq!(faults(r"a \xff"), fault(2, FaultKind::NotUtf8));
        assert!(split(r"\xff").is_complete());
        for brace in ["${NAME", "${NAME b}", "${NAME-b", "${NAME[*}"] {
            assert_eq!(
                faults(&format!("\"{brace}\"")),
                fault(1, FaultKind::BraceOpen)
            );
        }
        for name in ["$", "$1", "${-x}", "$-", "$ü"] {
            assert_eq!(
                faults(&format!("\"{name}\"")),
                fault(1, FaultKind::VariableName)
            );
        }
    }

    #[test]
    fn variables_are_expanded_within_double_quotes() {
        let line = r#""/$NAME" '$NAME' $NAME "${NAME}b" "${NONE-a 'b}" "${EMPTY-c}" "$NONE/d" "\$NAME" "$NAME[*]" "${NAME[*]}" "$NAME.pem""#;
        let split = split_expanding(line, &environment);
        assert_eq!(split.faults, []);
        let values: Vec<String> = split.words.into_iter().map(|word| word.value).collect();
        assert_eq!(
            values,
            [
                "/name", "$NAME", "$NAME", "nameb", "a 'b", "", "/d", "$NAME", "name[*]", "name",
                "name.pem"
            ]
        );
    }

    #[test]
    fn variables_that_only_haproxy_knows_are_said() {
        let kinds = |line: &str| -> Vec<FaultKind> {
            faults(line).into_iter().map(|fault| fault.kind).collect()
        };
        let of_haproxy = |name: &str| FaultKind::VariableOfHaproxy { name: name.into() };
        assert_eq!(kinds(r#""$.FILE""#), [of_haproxy(".FILE")]);
        assert_eq!(
            kinds(r#""${HAPROXY_CFGFILES}""#),
            [of_haproxy("HAPROXY_CFGFILES")]
        );
        let name = "WORDS".to_owned();
        assert_eq!(
            kinds(r#""${WORDS[*]}""#),
            [FaultKind::WordExpansion { name }]
        );
        assert_eq!(kinds(r#""$LONG$LONG$NAME""#), [FaultKind::WordTooLong]);
    }

    proptest! {
        #[test]
        fn a_word_lies_within_its_line(line in r#"[a-c $'"\\#{}\[\]*üNAME-]{0,40}"#) {
            let mut end = 0;
            for word in split_expanding(&line, &environment).words {
                prop_assert!(end <= word.start && word.start < word.end);
                prop_assert!(line.get(word.start..word.end).is_some());
                end = word.end;
            }
        }
    }
}
