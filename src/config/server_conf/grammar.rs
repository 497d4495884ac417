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
    Malformed,
    /// Quotes and commas together: a list, if ConfigObj can find one.
    Unclear,
}

/// Whether ConfigObj passes the line over.
pub(super) fn is_blank(line: &str) -> bool {
    let text = line.trim_start_matches(is_space);
    text.is_empty() || text.starts_with('#')
}

/// White space, as Python sees it.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\u{1f}'
}

/// A line that is not blank; none when it is neither section nor key.
pub(super) fn entry(line: &str) -> Option<Entry<'_>> {
    section(line.trim_start_matches(is_space)).or_else(|| key(line))
}

/// A name that has none but brackets before it, or else one that begins with the last of them.
fn section(line: &str) -> Option<Entry<'_>> {
    let within = line.trim_start_matches(|c| c == '[' || is_space(c));
    let brackets = &line[..line.len() - within.len()];
    let opened = brackets.matches('[').count();
    if !line.starts_with('[') {
        return None;
    }
    named_section(within, opened).or_else(|| {
        let last = brackets.rfind('[').filter(|last| *last > 0)?;
        named_section(&line[last..], opened - 1)
    })
}

/// The name ends where the rest is nothing but brackets and a comment, and not before.
fn named_section(name: &str, opened: usize) -> Option<Entry<'_>> {
    let first = name.chars().next()?;
    let mut at = first.len_utf8();
    while let Some(found) = name[at..].find(']') {
        let start = name[..at + found].trim_end_matches(is_space).len().max(at);
        let behind = name[start..].trim_start_matches(|c| c == ']' || is_space(c));
        let end = name.len() - behind.len();
        let is_name = !is_quote(first) || is_quoted(&name[..start], first);
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

/// A key in quotes, or up to the first `=`. What begins like neither may still have white space
/// before it, and then that is where the key begins.
fn key(line: &str) -> Option<Entry<'_>> {
    let text = line.trim_start_matches(is_space);
    let equals = match text.chars().next().filter(|c| is_quote(*c)) {
        Some(quote) => quoted_key_end(text, quote),
        None => text.find('=').filter(|at| *at > 0),
    };
    if let Some(equals) = equals {
        return Some(Entry::Key {
            key: unquoted(text[..equals].trim_end_matches(is_space)),
            value: text[equals + 1..].trim_start_matches(is_space),
        });
    }
    let (space, first) = line[..line.len() - text.len()].char_indices().next_back()?;
    let equals = space + line[space..].find('=')?;
    let end = line[..equals].trim_end_matches(is_space).len();
    Some(Entry::Key {
        key: &line[space..end.max(space + first.len_utf8())],
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
    match quotes(text) {
        "" => plain(text),
        triple if triple.len() == 3 => {
            let within = &text[triple.len()..];
            closes(within, triple).unwrap_or(Value::Open(triple))
        }
        quote => quoted(text, quote),
    }
}

/// The quotes that a value begins with; none is empty.
pub(super) fn quotes(text: &str) -> &'static str {
    let mut known = ["\"\"\"", "'''", "\"", "'"].into_iter();
    known
        .find(|quotes| text.starts_with(quotes))
        .unwrap_or_default()
}

/// A value that begins with a quote. The quote that ends it has nothing but a comment behind it;
/// others belong to the value.
fn quoted<'a>(text: &'a str, quote: &str) -> Value<'a> {
    let mut first_end = None;
    for (at, _) in text.match_indices(quote).skip(1) {
        let behind = text[at + 1..].trim_start_matches(is_space);
        // ConfigObj looks for a list first, and finds one even beyond a `#`.
        if behind.starts_with(',') {
            return Value::Unclear;
        }
        if is_blank(behind) {
            first_end = first_end.or(Some(at));
        }
    }
    first_end.map_or(Value::Malformed, |at| Value::Text(&text[1..at]))
}

/// A value that begins without a quote.
fn plain(text: &str) -> Value<'_> {
    let text = text.split('#').next().unwrap_or_default();
    let mut elements = text.split(',');
    if !text.contains(',') {
        return Value::Text(text.trim_end_matches(is_space));
    }
    if text.trim_matches(is_space) == "," {
        return Value::List;
    }
    if text.contains(is_quote) {
        return Value::Unclear;
    }
    // Only behind the last comma may there be nothing.
    elements.next_back();
    match elements.any(|element| element.trim_matches(is_space).is_empty()) {
        true => Value::Malformed,
        false => Value::List,
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
    Value::Malformed
}

/// The line on which a text of several lines ends: what of it belongs to the text. None when it
/// goes on.
pub(super) fn closes<'a>(line: &'a str, quotes: &str) -> Option<Value<'a>> {
    line.contains(quotes).then(|| last_triple(line, quotes))
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
        assert_eq!(section("[['a]"), Some((1, 1, "['a")));
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
        assert_eq!(pair("  'a = b"), Some((" 'a", "b")));
        assert_eq!(pair(" = b"), Some((" ", "b")));
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
            ("'''a''' b", Value::Malformed),
            ("a, b", Value::List),
            ("a,", Value::List),
            (",", Value::List),
            (", a", Value::Malformed),
            ("a,, b", Value::Malformed),
            ("a, , b #", Value::Malformed),
            ("'a', \"b\" # c", Value::Unclear),
            ("'a' # 'b', c", Value::Unclear),
            ("a, 'b", Value::Unclear),
            ("'a", Value::Malformed),
            ("'a' b", Value::Malformed),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
        assert_eq!(closes("a", "'''"), None);
        assert_eq!(closes("a''' # b", "'''"), Some(Value::Text("a")));
        assert_eq!(closes("a''' b", "'''"), Some(Value::Malformed));
    }
}
