//! The lines of a file as ConfigObj 5 reads them (its `configobj/__init__.py`, by behaviour).

/// A line that says something.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Entry<'a> {
    /// `[[name]]`.
    Section {
        opened: usize,
        closed: usize,
        name: &'a str,
    },
    /// `key = value`; the value still has its quotes and its comment.
    Key { key: &'a str, value: &'a str },
}

/// What a value is.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Value<'a> {
    Text(&'a str),
    /// Text that goes on until the line that has these quotes.
    Open(&'static str),
    List,
    /// A list with nothing between two commas.
    EmptyElement,
    QuoteOpen,
}

/// Whether ConfigObj passes the line over.
pub(super) fn is_blank(line: &str) -> bool {
    let line = line.trim_matches(is_space);
    line.is_empty() || line.starts_with('#')
}

/// White space, as Python sees it.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\u{1f}'
}

/// A line that is not blank; none when it is neither section nor key.
pub(super) fn entry(line: &str) -> Option<Entry<'_>> {
    let line = line.trim_start_matches(is_space);
    section(line).or_else(|| key(line))
}

fn section(line: &str) -> Option<Entry<'_>> {
    let name = line.trim_start_matches(|c| c == '[' || is_space(c));
    let opened = line[..line.len() - name.len()].matches('[').count();
    let quote = name.chars().next().filter(|c| is_quote(*c));
    // The name ends where the rest is nothing but brackets and a comment, and not before.
    let mut at = name.chars().next().filter(|_| opened > 0)?.len_utf8();
    while let Some(found) = name[at..].find(']') {
        let start = name[..at + found].trim_end_matches(is_space).len().max(at);
        let behind = name[start..].trim_start_matches(|c| c == ']' || is_space(c));
        let end = name.len() - behind.len();
        let is_name = match quote {
            Some(quote) => is_quoted(&name[..start], quote),
            None => true,
        };
        if is_name && (behind.is_empty() || behind.starts_with('#')) {
            return Some(Entry::Section {
                opened,
                closed: name[start..end].matches(']').count(),
                name: unquoted(&name[..start]),
            });
        }
        at = end;
    }
    None
}

/// Quotes with something between them.
fn is_quoted(text: &str, quote: char) -> bool {
    let within = text.strip_prefix(quote);
    let within = within.and_then(|text| text.strip_suffix(quote));
    within.is_some_and(|text| !text.trim_matches(is_space).is_empty())
}

fn key(line: &str) -> Option<Entry<'_>> {
    let quote = line.chars().next().filter(|c| is_quote(*c));
    let equals = match quote {
        Some(quote) => quoted_key_end(line, quote)?,
        None => line.find('=').filter(|at| *at > 0)?,
    };
    Some(Entry::Key {
        key: unquoted(line[..equals].trim_end_matches(is_space)),
        value: line[equals + 1..].trim_start_matches(is_space),
    })
}

/// Where the `=` behind a quoted key is.
fn quoted_key_end(line: &str, quote: char) -> Option<usize> {
    let mut closing = line.match_indices(quote).skip(1);
    closing.find_map(|(at, _)| {
        let behind = line[at + 1..].trim_start_matches(is_space);
        behind.starts_with('=').then(|| line.len() - behind.len())
    })
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'')
}

/// Without the quotes around it.
fn unquoted(text: &str) -> &str {
    let strip = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    strip('"').or_else(|| strip('\'')).unwrap_or(text)
}

/// Reads a value that begins without white space.
pub(super) fn value(text: &str) -> Value<'_> {
    let triple = ["\"\"\"", "'''"]
        .into_iter()
        .find(|quotes| text.starts_with(quotes));
    if let Some(quotes) = triple {
        return match text[3..].split_once(quotes) {
            None => Value::Open(quotes),
            Some((text, behind)) if is_blank(behind) => Value::Text(text),
            Some(_) => last_triple(&text[3..], quotes),
        };
    }
    match element(text) {
        Some((text, behind)) if is_blank(behind) => Value::Text(text),
        Some(("", ",")) => Value::List,
        Some(("", _)) if text.starts_with(',') => Value::EmptyElement,
        Some((_, behind)) => list(behind),
        None => Value::QuoteOpen,
    }
}

/// The text before triple quotes that only a comment follows, when they are not the first ones.
fn last_triple<'a>(text: &'a str, quotes: &str) -> Value<'a> {
    let mut at = 0;
    while let Some(found) = text[at..].find(quotes) {
        let end = at + found;
        if is_blank(&text[end + quotes.len()..]) {
            return Value::Text(&text[..end]);
        }
        at = end + 1;
    }
    Value::QuoteOpen
}

/// The line on which a text of several lines ends: what of it belongs to the text. None when it
/// goes on.
pub(super) fn closes<'a>(line: &'a str, quotes: &str) -> Option<Value<'a>> {
    line.contains(quotes).then(|| last_triple(line, quotes))
}

/// What is left of a list: `,` and elements, then perhaps a comment.
fn list(mut rest: &str) -> Value<'_> {
    while let Some(behind) = rest.trim_start_matches(is_space).strip_prefix(',') {
        let behind = behind.trim_start_matches(is_space);
        if is_blank(behind) {
            return Value::List;
        }
        match element(behind) {
            Some(("", _)) if behind.starts_with(',') => return Value::EmptyElement,
            Some((_, behind)) if is_blank(behind) => return Value::List,
            Some((_, behind)) => rest = behind,
            None => return Value::QuoteOpen,
        }
    }
    Value::QuoteOpen
}

/// The first element, and what stands behind it: a comma, a comment, nothing. None for quotes
/// without an end.
fn element(text: &str) -> Option<(&str, &str)> {
    let Some(quote) = text.chars().next().filter(|c| is_quote(*c)) else {
        let end = text.find([',', '#']).unwrap_or(text.len());
        return Some((text[..end].trim_end_matches(is_space), &text[end..]));
    };
    let mut closing = text.match_indices(quote).skip(1);
    closing.find_map(|(at, _)| {
        let behind = text[at + 1..].trim_start_matches(is_space);
        let ends = behind.is_empty() || behind.starts_with([',', '#']);
        ends.then(|| (&text[1..at], behind))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_has_a_name_in_brackets() {
        let section = |line| match entry(line) {
            Some(Entry::Section {
                opened,
                closed,
                name,
            }) => Some((opened, closed, name)),
            _ => None,
        };
        assert_eq!(section("[crypto]"), Some((1, 1, "crypto")));
        assert_eq!(section("  [ crypto ] # x ]"), Some((1, 1, "crypto")));
        assert_eq!(section("[[a] ]"), Some((2, 2, "a")));
        assert_eq!(section("[[a]"), Some((2, 1, "a")));
        assert_eq!(section("['a # ]b']"), Some((1, 1, "a # ]b")));
        assert_eq!(section("[a]b]"), Some((1, 1, "a]b")));
        for other in ["[a", "[]", "[ ]", "['']", "[a] b", "a]", "crypto"] {
            assert_eq!(section(other), None, "{other}");
        }
    }

    #[test]
    fn a_key_ends_at_the_first_equals_sign() {
        let pair = |line| match entry(line) {
            Some(Entry::Key { key, value }) => Some((key, value)),
            _ => None,
        };
        assert_eq!(pair(" a b = c = d "), Some(("a b", "c = d ")));
        assert_eq!(pair("'a=b' = c"), Some(("a=b", "c")));
        assert_eq!(pair("a="), Some(("a", "")));
        for other in ["=a", "a", "'a", "'a' b = c"] {
            assert_eq!(pair(other), None, "{other}");
        }
    }

    #[test]
    fn a_value_has_quotes_and_a_comment() {
        for (text, expected) in [
            ("", Value::Text("")),
            ("# x", Value::Text("")),
            ("a b ", Value::Text("a b")),
            ("a#b", Value::Text("a")),
            ("a # b, c", Value::Text("a")),
            ("a'b\"", Value::Text("a'b\"")),
            ("\"a, b # c\" # d", Value::Text("a, b # c")),
            ("'a'b'", Value::Text("a'b")),
            ("''", Value::Text("")),
            ("'''a'''", Value::Text("a")),
            ("\"\"\"a\"b\"\"\" # c", Value::Text("a\"b")),
            ("'''a", Value::Open("'''")),
            ("'''a''' b", Value::QuoteOpen),
            ("a, b", Value::List),
            ("a,", Value::List),
            (",", Value::List),
            (", a", Value::EmptyElement),
            ("a,, b", Value::EmptyElement),
            ("'a', \"b\" # c", Value::List),
            ("a, 'b", Value::QuoteOpen),
            ("'a", Value::QuoteOpen),
            ("'a' b", Value::QuoteOpen),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
        assert_eq!(closes("a", "'''"), None);
        assert_eq!(closes("a''' # b", "'''"), Some(Value::Text("a")));
        assert_eq!(closes("a''' b", "'''"), Some(Value::QuoteOpen));
    }
}
