//! A zpki.toml with one server more or less, and every other byte as it was.
//!
//! The file belongs to the person who edits it, so it is not written anew: the text is cut and spliced
//! at the places that the TOML reader gives. Comments, order, spacing and line ends stay by themselves.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::domain::name::EntryName;
use crate::domain::server_line::ServerOptions;
use crate::domain::settings::ServerSettings;

use super::problem::{Problem, in_line_order};
use super::schema;
use super::section::{Node, Section};
use super::syntax;

/// `text` with `server` behind the last server, in the form in which the servers stand: a `[[servers]]`
/// of its own, or one more in the list. Whether it fits the others shows when the result is read.
///
/// # Errors
/// What makes it impossible to tell where the servers are.
pub fn add_server(text: &str, server: &ServerSettings) -> Result<String, Vec<Problem>> {
    let root = read(text)?;
    let text = Text(text);
    Ok(match servers(&root) {
        None => text.with_table(text.0.len(), server),
        Some([]) => text.with_first(&root, server),
        Some([.., last]) if text.is_inline(last) => text.with_element(last, server),
        Some([.., last]) => text.with_table(text.below(last), server),
    })
}

/// `text` without the server `name`, together with the comment that stands directly above it; `None`
/// when there is no such server.
///
/// # Errors
/// What makes it impossible to tell where the servers are.
pub fn remove_server(text: &str, name: &EntryName) -> Result<Option<String>, Vec<Problem>> {
    let root = read(text)?;
    let text = Text(text);
    let servers = servers(&root).unwrap_or_default();
    let is_it = |server: &Node<'_>| {
        let found = server.get_ref().get("name").map(|name| name.get_ref());
        found.and_then(DeValue::as_str) == Some(name.as_str())
    };
    Ok(servers.iter().position(is_it).map(|index| {
        if text.is_inline(&servers[index]) {
            text.without_element(servers, index)
        } else {
            text.without_table(&root, &servers[index])
        }
    }))
}

/// The file as TOML, with servers that are a list of tables.
fn read(text: &str) -> Result<DeTable<'_>, Vec<Problem>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut found = syntax(text, &errors);
    let root = document.into_inner();
    if found.is_empty() {
        let mut ignored = Vec::new();
        Section::each(&root, &schema::SERVERS, &mut ignored, |_| Some(()));
        found.extend(ignored.into_iter().filter(|it| !it.reason.is_unknown()));
    }
    if found.is_empty() {
        Ok(root)
    } else {
        Err(in_line_order(text, found))
    }
}

fn servers<'a, 'i>(root: &'a DeTable<'i>) -> Option<&'a [Node<'i>]> {
    let servers = root.get(schema::SERVERS.name)?.get_ref();
    servers.as_array().map(|servers| &**servers)
}

/// Where a value ends that stands behind a key: a table is as long as what is in it.
fn end_of(text: Text<'_>, node: &Node<'_>) -> usize {
    let inner: Vec<&Node<'_>> = match node.get_ref() {
        DeValue::Table(table) if !text.is_inline(node) => table.values().collect(),
        DeValue::Array(list) if list.iter().any(|it| it.get_ref().is_table()) => {
            list.iter().filter(|it| !text.is_inline(it)).collect()
        }
        _ => Vec::new(),
    };
    let ends = inner.into_iter().map(|node| end_of(text, node));
    ends.fold(node.span().end, usize::max)
}

/// What is cut out, and what takes its place.
type Cut = (Range<usize>, String);

/// The text, asked for its lines.
#[derive(Clone, Copy)]
struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    /// `text` with a table for `server` at `at`, which begins a line or ends the text.
    fn with_table(self, at: usize, server: &ServerSettings) -> String {
        let end = self.line_end();
        let mut lines = vec![String::new(), schema::SERVERS.header()];
        lines.extend(pairs(server));
        // The last line of a file may have no end: then the new one has none either.
        let block = if self.0[..at].is_empty() || self.0[..at].ends_with('\n') {
            lines.join(end) + end
        } else {
            format!("{end}{}", lines.join(end))
        };
        self.cut([(at..at, block)])
    }

    /// `text` without the table `server`, the comment directly above it, and one empty line above that,
    /// which kept it apart.
    fn without_table(self, root: &DeTable<'_>, server: &Node<'_>) -> String {
        let header = server.span().start;
        let end = self.next_line(end_of(self, server));
        let before = self.end_before(root, header);
        let floor = before.map_or(0, |before| self.next_line(before));
        let mut start = self.with_comment(self.line(header), floor);
        if let Some(above) = self.line_above(start, floor)
            && self.trimmed(above).is_empty()
        {
            start = above;
        }
        // The last line of a file may have no end: then what is the last one now has none either.
        if !self.0[..end].ends_with('\n') {
            start -= self.last_line_end(start);
        }
        self.cut([(start..end, String::new())])
    }

    /// The end of the last value or header above `at`.
    fn end_before(self, root: &DeTable<'_>, at: usize) -> Option<usize> {
        fn ends(text: Text<'_>, node: &Node<'_>, found: &mut Vec<usize>) {
            found.push(node.span().end);
            match node.get_ref() {
                DeValue::Table(table) if !text.is_inline(node) => {
                    table.values().for_each(|node| ends(text, node, found));
                }
                DeValue::Array(list) => list.iter().for_each(|node| ends(text, node, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        root.values().for_each(|node| ends(self, node, &mut found));
        found.into_iter().filter(|end| *end <= at).max()
    }

    /// The place for a table below `server`: behind the comment lines that follow it directly, unless
    /// they belong to what comes next.
    fn below(self, server: &Node<'_>) -> usize {
        let end = self.next_line(end_of(self, server));
        let mut below = end;
        while below < self.0.len() && self.trimmed(below).starts_with('#') {
            below = self.next_line(below);
        }
        let is_apart = below == self.0.len() || self.trimmed(below).is_empty();
        if is_apart { below } else { end }
    }

    /// `text` with `server` in its list, which is empty.
    fn with_first(self, root: &DeTable<'_>, server: &ServerSettings) -> String {
        let list = root.get(schema::SERVERS.name);
        let at = list.map_or(self.0.len(), |list| list.span().start + 1);
        // Behind the blanks there, for whoever is removed takes those behind it along.
        let at = at + blanks(&self.0[at..]);
        self.cut([(at..at, element(server))])
    }

    /// `text` with `server` behind `last` in the list.
    fn with_element(self, last: &Node<'_>, server: &ServerSettings) -> String {
        let end = last.span().end;
        let line = self.line(last.span().start);
        let indent = &self.0[line..last.span().start];
        let indent = if indent.trim().is_empty() { indent } else { "" };
        let new = element(server);
        let comma = self.comma(end);
        let after = comma.unwrap_or(end);
        // A line of its own, which goes again as it came: the list ends on a line below.
        let below = self.next_line(after);
        let line_end = self.line_end();
        let cuts = match (self.rest_is_comment(after), comma.is_some()) {
            (true, true) => vec![(below..below, format!("{indent}{new},{line_end}"))],
            (true, false) => vec![
                (end..end, ",".into()),
                (below..below, format!("{indent}{new}{line_end}")),
            ],
            (false, true) => vec![(after..after, format!(" {new},"))],
            (false, false) => vec![(end..end, format!(", {new}"))],
        };
        self.cut(cuts)
    }

    /// `text` without one of the list: with its lines, if it has them for itself, and the comment on
    /// them and directly above them.
    fn without_element(self, servers: &[Node<'_>], index: usize) -> String {
        let Range { start, end } = servers[index].span();
        let before = index
            .checked_sub(1)
            .map(|before| servers[before].span().end);
        // Behind the comma before it, and behind the one after it.
        let before = before.and_then(|end| self.comma(end));
        let comma = self.comma(end);
        let after = comma.unwrap_or(end);
        let is_last = index + 1 == servers.len();
        let mut cuts = Vec::new();
        let line = self.line(start);
        let is_first_on_line = self.0[line..start].trim().is_empty();
        let joined = before.filter(|before| is_last && self.0[*before..start].trim().is_empty());
        if is_first_on_line && self.rest_is_comment(after) {
            let floor = before.map_or(0, |before| self.next_line(before));
            cuts.push(self.with_comment(line, floor)..self.next_line(after));
        } else if let Some(before) = joined {
            cuts.push(before..after);
        } else {
            cuts.push(start..after + blanks(&self.0[after..]));
        }
        // Where there is no comma behind the last one, there shall be none behind the new last one.
        if let Some(before) = before.filter(|_| comma.is_none()) {
            cuts.insert(0, before - 1..before);
        }
        self.cut(cuts.into_iter().map(|range| (range, String::new())))
    }

    fn is_inline(self, table: &Node<'_>) -> bool {
        self.0[table.span().start..].starts_with('{')
    }

    /// What is behind the comma that follows at `at`, after comments and white space, if there is one.
    fn comma(self, at: usize) -> Option<usize> {
        let mut rest = self.0[at..].trim_start();
        while rest.starts_with('#') {
            rest = rest
                .split_once('\n')
                .map_or("", |(_, below)| below)
                .trim_start();
        }
        let behind = rest.strip_prefix(',')?;
        Some(self.0.len() - behind.len())
    }

    /// Whether nothing but a comment follows on the line with `at`.
    fn rest_is_comment(self, at: usize) -> bool {
        let rest = self.0[at..self.next_line(at)].trim();
        rest.is_empty() || rest.starts_with('#')
    }

    /// The first of the comment lines that stand directly above the line `at`, not above `floor`.
    fn with_comment(self, at: usize, floor: usize) -> usize {
        let mut start = at;
        while let Some(above) = self.line_above(start, floor)
            && self.trimmed(above).starts_with('#')
        {
            start = above;
        }
        start
    }

    /// Makes cuts, which are in order and apart.
    fn cut(self, cuts: impl IntoIterator<Item = Cut>) -> String {
        let mut result = String::with_capacity(self.0.len());
        let mut kept = 0;
        for (range, new) in cuts {
            result += &self.0[kept..range.start];
            result += &new;
            kept = range.end;
        }
        result + &self.0[kept..]
    }

    /// CRLF where the file has it.
    fn line_end(self) -> &'static str {
        match self.0.split_once('\n') {
            Some((first, _)) if first.ends_with('\r') => "\r\n",
            _ => "\n",
        }
    }

    /// How long the line end right before `at` is.
    fn last_line_end(self, at: usize) -> usize {
        let before = &self.0[..at];
        let without = before.strip_suffix('\n').unwrap_or(before);
        let without = without.strip_suffix('\r').unwrap_or(without);
        before.len() - without.len()
    }

    /// Where the line with the byte `at` begins.
    fn line(self, at: usize) -> usize {
        self.0[..at].rfind('\n').map_or(0, |end| end + 1)
    }

    /// Where the line after that with the byte `at` begins, or the text ends.
    fn next_line(self, at: usize) -> usize {
        let end = self.0[at..].find('\n');
        end.map_or(self.0.len(), |end| at + end + 1)
    }

    /// The line above that which begins at `at`, if it is not above `floor`.
    fn line_above(self, at: usize, floor: usize) -> Option<usize> {
        (at > floor).then(|| self.line(at - 1))
    }

    /// The line that begins at `at`, trimmed.
    fn trimmed(self, at: usize) -> &'a str {
        self.0[at..self.next_line(at)].trim()
    }
}

/// How many blanks `text` begins with.
fn blanks(text: &str) -> usize {
    text.len() - text.trim_start_matches([' ', '\t']).len()
}

/// What zpki.toml says of a server, as `key = value`; what is the default is left out.
fn pairs(server: &ServerSettings) -> Vec<String> {
    let ServerSettings {
        name,
        address,
        hosts,
        options,
        calls_servers,
        conf,
        overrides,
    } = server;
    let hosts: toml::value::Array = hosts.iter().map(|host| host.to_string().into()).collect();
    let own = |key, value: Option<String>| value.map(|value| (key, value.into()));
    let pairs: [Option<(&str, toml::Value)>; 9] = [
        Some(("name", name.to_string().into())),
        Some(("address", address.to_string().into())),
        (!hosts.is_empty()).then(|| ("hosts", hosts.into())),
        (*options != ServerOptions::default()).then(|| ("options", options.to_string().into())),
        calls_servers.then(|| ("calls_servers", true.into())),
        own("conf", conf.as_ref().map(ToString::to_string)),
        own(
            "key_algorithm",
            overrides.key_algorithm.map(|it| it.to_string()),
        ),
        own("lifetime", overrides.lifetime.map(|it| it.to_string())),
        own(
            "renew_within",
            overrides.renew_within.map(|it| it.to_string()),
        ),
    ];
    let pairs = pairs.into_iter().flatten();
    pairs
        .map(|(key, value)| format!("{key} = {value}"))
        .collect()
}

/// A server as one of a list.
fn element(server: &ServerSettings) -> String {
    format!("{{ {} }}", pairs(server).join(", "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::super::render::tests::{any_server, any_settings};
    use super::super::{render, settings};
    use super::*;
    use crate::domain::settings::Overrides;

    fn server(name: &str) -> ServerSettings {
        ServerSettings {
            name: name.parse().unwrap(),
            address: format!("{name}:17010").parse().unwrap(),
            hosts: vec![],
            options: ServerOptions::default(),
            calls_servers: false,
            conf: None,
            overrides: Overrides::default(),
        }
    }

    /// The servers that a text has.
    fn servers_of(text: &str) -> Vec<ServerSettings> {
        let root = DeTable::parse(text).unwrap().into_inner();
        let mut found = Vec::new();
        let read = settings(&root, &mut found).unwrap_or_else(|| panic!("{found:?}"));
        read.servers
    }

    fn removed(text: &str, name: &str) -> String {
        remove_server(text, &name.parse().unwrap())
            .unwrap()
            .unwrap()
    }

    const TABLES: &str = r#"# Ours. "[[servers]]" is no table here.
[cluster]
name = "prod"   # as ever

# Three of them:

# The first.
# It is old.
[[servers]] # really
name = "a"
address = "a:17010" # by name
# lifetime = "1y"

# Not of b.

[[servers]]
address = '''b:17010'''
name = "b"
hosts = [
    "b.lan",  # a comment
]
# For c.
  [[servers]]
  name = "c"
  address = "c:17010"

# The scheduler.
[[clients]]
name = "scheduler"
options = """
# no comment

"""
"#;

    #[test]
    fn a_server_goes_with_its_own_comment_and_nothing_else() {
        for (name, gone) in [
            (
                "a",
                &[
                    "",
                    "# The first.",
                    "# It is old.",
                    "[[servers]] # really",
                    r#"name = "a""#,
                    r#"address = "a:17010" # by name"#,
                ][..],
            ),
            (
                "b",
                &[
                    "",
                    "[[servers]]",
                    "address = '''b:17010'''",
                    r#"name = "b""#,
                    "hosts = [",
                    r#"    "b.lan",  # a comment"#,
                    "]",
                ],
            ),
            (
                "c",
                &[
                    "# For c.",
                    "  [[servers]]",
                    r#"  name = "c""#,
                    r#"  address = "c:17010""#,
                ],
            ),
        ] {
            let gone = format!("{}\n", gone.join("\n"));
            assert_eq!(TABLES.matches(&gone).count(), 1, "{gone}");
            let expected = TABLES.replace(&gone, "");
            assert_eq!(removed(TABLES, name), expected);
            let windows = removed(&TABLES.replace('\n', "\r\n"), name);
            assert_eq!(windows, expected.replace('\n', "\r\n"));
        }
        assert_eq!(remove_server(TABLES, &"d".parse().unwrap()), Ok(None));
    }

    #[test]
    fn a_server_comes_behind_the_last_one() {
        let text = add_server(TABLES, &server("d")).unwrap();
        let (before, after) = TABLES.split_once("\n# The scheduler").unwrap();
        let new = "\n[[servers]]\nname = \"d\"\naddress = \"d:17010\"\n";
        assert_eq!(text, format!("{before}{new}\n# The scheduler{after}"));
        let lists = [
            ("[{A}]", "[{A}, {D}]"),
            ("[{A} ,{B},]", "[{A} ,{B}, {D},]"),
            ("[ {A}, {B} ]", "[ {A}, {B}, {D} ]"),
            ("[\n  {A},\n\t{B}\n]", "[\n  {A},\n\t{B},\n\t{D}\n]"),
            (
                "[\n  {A}, # one, [two]\n  {B} # two\n  # none\n]",
                "[\n  {A}, # one, [two]\n  {B}, # two\n  {D}\n  # none\n]",
            ),
            ("[\n  {A},\n]", "[\n  {A},\n  {D},\n]"),
            ("[\n  {A}, # one\n]", "[\n  {A}, # one\n  {D},\n]"),
            ("[\n  {A} # one\n  ,\n]", "[\n  {A} # one\n  ,\n  {D},\n]"),
            ("[{A},\n {B}]", "[{A},\n {B}, {D}]"),
        ];
        for (list, expected) in lists {
            let before = file(list);
            let after = add_server(&before, &server("d")).unwrap();
            assert_eq!(after, file(expected), "{list}");
            assert_eq!(removed(&after, "d"), before, "{list}");
        }
        assert_eq!(
            add_server(&file("[]"), &server("d")).unwrap(),
            file("[{D}]")
        );
    }

    /// A file with a list of servers, in which `{A}` stands for one.
    fn file(list: &str) -> String {
        let list = list
            .replace("{A}", r#"{ name = "a", address = "a:1" }"#)
            .replace("{B}", r#"{name="b",address="b:1"}"#)
            .replace("{D}", r#"{ name = "d", address = "d:17010" }"#);
        format!("servers = {list} # the servers\ncluster = {{ name = 'x' }}\n")
    }

    #[test]
    fn one_of_a_list_goes_with_its_lines() {
        for (name, list, expected) in [
            ("a", "[{A}, {B}]", "[{B}]"),
            ("b", "[{A}, {B}]", "[{A}]"),
            ("a", "[ {A}, ]", "[ ]"),
            ("a", "[{A}]", "[]"),
            (
                "a",
                "[ # here\n  # one\n  {A}, # too\n  {B}\n]",
                "[ # here\n  {B}\n]",
            ),
            (
                "b",
                "[\n  {A}, # one\n\n  # two\n  {B} # too\n]",
                "[\n  {A} # one\n\n]",
            ),
            ("b", "[\n  {A}, # one\n  {B},\n]", "[\n  {A}, # one\n]"),
            ("b", "[{A}, # one\n {B}]", "[{A} # one\n ]"),
        ] {
            assert_eq!(removed(&file(list), name), file(expected), "{list}");
        }
    }

    #[test]
    fn one_more_in_a_list_goes_as_it_came() {
        for list in [
            "[\r\n\t{A} # one\n]",
            "[\n{A}, # one\r\n]",
            "[\r\n{A}\n]",
            "[]",
            "[ ]",
            "[ \t# none\n]",
            "[\n]",
        ] {
            let text = file(list);
            let added = add_server(&text, &server("b")).unwrap();
            assert_eq!(removed(&added, "b"), text, "{added:?}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_edited() {
        for (text, line) in [
            ("[[servers]\n", 1),
            ("\nservers = 1\n", 2),
            ("[servers]\n", 1),
        ] {
            let problems = add_server(text, &server("a")).unwrap_err();
            assert_eq!(problems[0].line, Some(line), "{text}");
            let name = "a".parse().unwrap();
            assert_eq!(remove_server(text, &name), Err(problems));
        }
        let text = "[cluster]\nname = \"x\"\n";
        let added = add_server(text, &server("a")).unwrap();
        assert_eq!(servers_of(&added), [server("a")]);
        assert_eq!(removed(&added, "a"), text);
    }

    /// Files as people leave them.
    fn any_text() -> impl Strategy<Value = String> {
        let tables = (
            select(vec![
                "cluster.name = 'x'\n",
                "[cluster]\nname = \"x\"\n",
                "# x\n\ncluster.name = '''\nx'''\n",
            ]),
            any_block("a"),
            any_block("b"),
            any_block("c"),
            select(vec![
                "",
                "[ca]\n",
                "\n# The CA.\n[ca]\nlifetime = \"10y\"",
                "# end",
            ]),
            any::<(bool, bool)>(),
        );
        let text = tables.prop_map(|(head, a, b, c, tail, (trimmed, windows))| {
            let text = format!("{head}{a}{b}{c}{tail}");
            let text = if trimmed { text.trim_end() } else { &text };
            let line_end = if windows { "\r\n" } else { "\n" };
            text.replace('\n', line_end)
        });
        prop_oneof![3 => text, 1 => any_settings().prop_map(|settings| render(&settings))]
    }

    fn any_block(name: &'static str) -> impl Strategy<Value = String> {
        let above = select(vec![
            "",
            "\n",
            "\n\n",
            "# mine\n",
            "\n# mine\n",
            "\n# not\n\n",
            " \n",
        ]);
        let below = select(vec!["", "# lifetime = \"1y\"\n", " # own\n\n", "\n"]);
        (above, below).prop_map(move |(above, below)| {
            format!("{above}[[servers]]\nname = \"{name}\"\naddress = \"{name}:1\"\n{below}")
        })
    }

    proptest! {
        #[test]
        fn what_is_added_looks_like_what_init_writes(
            mut settings in any_settings(),
            server in any_server(),
        ) {
            let added = add_server(&render(&settings), &server).unwrap();
            settings.servers.push(server);
            prop_assert_eq!(added, render(&settings));
        }

        #[test]
        fn what_is_added_and_removed_leaves_the_very_same_bytes(
            text in any_text(),
            server in any_server(),
        ) {
            let before = servers_of(&text);
            prop_assume!(before.iter().all(|known| known.name != server.name));
            let added = add_server(&text, &server).unwrap();
            let mut expected = before;
            expected.push(server.clone());
            prop_assert_eq!(servers_of(&added), expected);
            if text.contains("\r\n") {
                prop_assert_eq!(added.matches('\n').count(), added.matches("\r\n").count());
            }
            let again = remove_server(&added, &server.name).unwrap();
            prop_assert_eq!(again, Some(text));
        }

        #[test]
        fn what_is_removed_is_one_server_and_no_line_of_another(text in any_text()) {
            let servers = servers_of(&text);
            for gone in &servers {
                let left = removed(&text, gone.name.as_str());
                let first = servers.iter().position(|server| server.name == gone.name).unwrap();
                let mut expected = servers.clone();
                expected.remove(first);
                prop_assert_eq!(servers_of(&left), expected);
                for comment in ["# not", "# The CA.", "# end"] {
                    prop_assert_eq!(left.matches(comment).count(), text.matches(comment).count());
                }
                prop_assert!(left.lines().all(|line| text.lines().any(|known| known == line)));
            }
        }
    }
}
