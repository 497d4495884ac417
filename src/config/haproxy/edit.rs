//! Server lines of somebody else's configuration, edited in place.
//!
//! What changes is zpki's own options, and `disabled` where that is asked for; every other byte of
//! the file stays. New options stand behind the last option of others and before any comment, so
//! that taking them out again gives the bytes that were there before.

use std::cell::Cell;
use std::ops::Range;

use super::reason;
use super::section::find_section;
use super::{Line, block_servers, lines, sort, tls_words};
use crate::config::unreadable::{Reason, Unreadable};
use crate::domain::name::EntryName;
use crate::domain::server_line::{ServerOption, TlsOptions, options};
use crate::domain::settings::Backend;
use crate::domain::words::{FaultKind, Split, Word, split, split_expanding};

/// Where the server lines stand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Scope {
    /// The section `backend NAME` or `listen NAME` of any HAProxy configuration, with the markers
    /// of Zato's agent or without. A server has the agent's prefix in its name, or has not.
    Section(Backend),
    /// Between `# ZATO begin backend NAME` and `# ZATO end backend NAME`, on lines that Zato's
    /// agent can read.
    Zato(Backend),
}

impl Scope {
    /// The backend.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        match self {
            Self::Section(backend) | Self::Zato(backend) => backend,
        }
    }
}

/// What the line of one server should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wanted {
    /// The server.
    pub name: EntryName,
    /// Its TLS options; none takes out those that it has.
    pub tls: Option<TlsOptions>,
    /// Whether it has the option `disabled`; none leaves that as it is.
    pub disabled: Option<bool>,
}

/// A configuration, edited.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Edited {
    /// The whole new file.
    pub text: Vec<u8>,
    /// The lines of the servers that were asked for, in the order of the file.
    pub lines: Vec<EditedLine>,
    /// The servers that were asked for and have no line, in the order in which they were.
    pub absent: Vec<EntryName>,
    /// The lines of other servers, which were left alone.
    pub unknown: Vec<UnknownLine>,
}

/// The line of a server that was asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EditedLine {
    /// Its number, from 1.
    pub number: usize,
    /// The server.
    pub name: EntryName,
    /// Whether it is another than before.
    pub is_changed: bool,
}

/// The line of a server that nobody asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnknownLine {
    /// Its number, from 1.
    pub number: usize,
    /// The server's name as HAProxy has it.
    pub name: String,
}

/// Edits the lines of the servers that are `wanted`. A line that has what is wanted stays as it
/// is, wherever on it the options stand and however they are quoted.
///
/// ```
/// use zpki::config::haproxy::{Scope, Wanted, edit};
///
/// let text = b"backend apps\n  server app1 10.0.0.11:17010 ssl verify none check # mine\n";
/// let wanted = Wanted { name: "app1".parse()?, tls: None, disabled: Some(true) };
/// let edited = edit(text, &Scope::Section("apps".parse()?), &[wanted]).unwrap();
/// assert_eq!(
///     edited.text,
///     b"backend apps\n  server app1 10.0.0.11:17010 check disabled # mine\n"
/// );
/// # Ok::<(), zpki::domain::error::Invalid>(())
/// ```
///
/// # Errors
/// Everything that keeps the lines from being edited, in the order of the file.
pub fn edit(text: &[u8], scope: &Scope, wanted: &[Wanted]) -> Result<Edited, Vec<Unreadable>> {
    let lines = lines(text);
    let (servers, mut unreadable) = match scope {
        Scope::Section(backend) => section_servers(&lines, backend, wanted),
        Scope::Zato(backend) => zato_servers(&lines, backend, wanted),
    };
    let mut changes = Vec::new();
    let mut edited = Vec::new();
    let mut unknown = Vec::new();
    for Server { line, name, wanted } in servers {
        let number = line.number;
        let Some(wanted) = wanted else {
            unknown.push(UnknownLine { number, name });
            continue;
        };
        match edit_line(line, wanted) {
            Ok(line_changes) => {
                edited.push(EditedLine {
                    number,
                    name: wanted.name.clone(),
                    is_changed: !line_changes.is_empty(),
                });
                changes.extend(line_changes);
            }
            Err(reason) => unreadable.push(line.refused(scope.backend(), reason)),
        }
    }
    if !unreadable.is_empty() {
        sort(&mut unreadable);
        return Err(unreadable);
    }
    let has_line = |name: &EntryName| edited.iter().any(|line| line.name == *name);
    let names = wanted.iter().map(|wanted| &wanted.name);
    Ok(Edited {
        text: changed(text, &changes),
        absent: names.filter(|name| !has_line(name)).cloned().collect(),
        lines: edited,
        unknown,
    })
}

/// A server line that was found.
struct Server<'a> {
    line: Line<'a>,
    /// The server's name as HAProxy has it.
    name: String,
    wanted: Option<&'a Wanted>,
}

fn zato_servers<'a>(
    lines: &[Line<'a>],
    backend: &Backend,
    wanted: &'a [Wanted],
) -> (Vec<Server<'a>>, Vec<Unreadable>) {
    let (servers, unreadable) = block_servers(lines, backend);
    let servers = servers.into_iter().map(|server| Server {
        line: lines[server.line - 1],
        name: format!("{}{}", backend.server_prefix(), server.name),
        wanted: wanted.iter().find(|wanted| wanted.name == server.name),
    });
    (servers.collect(), unreadable)
}

fn section_servers<'a>(
    lines: &[Line<'a>],
    backend: &Backend,
    wanted: &'a [Wanted],
) -> (Vec<Server<'a>>, Vec<Unreadable>) {
    let (section, mut unreadable) = find_section(lines, backend);
    let prefix = backend.server_prefix();
    let mut servers: Vec<Server<'a>> = Vec::new();
    for line in section {
        let Some(name) = server_name(line) else {
            continue;
        };
        let entry = name.strip_prefix(&prefix).unwrap_or(&name);
        let wanted = wanted.iter().find(|wanted| wanted.name.as_str() == entry);
        let is_same = |earlier: &&Server<'_>| {
            let earlier = earlier.wanted.map(|wanted| &wanted.name);
            earlier.is_some() && earlier == wanted.map(|wanted| &wanted.name)
        };
        if let (Some(wanted), Some(earlier)) = (wanted, servers.iter().find(is_same)) {
            let reason = Reason::ServerTwice {
                name: wanted.name.clone(),
                line: earlier.line.number,
            };
            unreadable.push(line.refused(backend, reason));
        } else {
            servers.push(Server {
                line: *line,
                name,
                wanted,
            });
        }
    }
    (servers, unreadable)
}

/// HAProxy's name of the server, if that is what the line is about.
fn server_name(line: &Line<'_>) -> Option<String> {
    let text = line.text();
    match split_as_haproxy(&text).words.as_slice() {
        [keyword, name, ..] if keyword.value == "server" => {
            // What variables make of it is HAProxy's to know.
            let written = &text[name.start..name.end];
            let name = if is_literal(written) {
                &name.value
            } else {
                written
            };
            Some(name.to_owned())
        }
        _ => None,
    }
}

/// The words where HAProxy has them, with every variable empty.
fn split_as_haproxy(text: &str) -> Split {
    split_expanding(text, &|_| Some(String::new()))
}

/// Whether what a word stands for does not depend on the environment, and is text.
fn is_literal(word: &str) -> bool {
    let is_asked = Cell::new(false);
    let split = split_expanding(word, &|_| {
        is_asked.set(true);
        None
    });
    split.faults.is_empty() && !is_asked.get()
}

/// A range of the file and what takes its place.
struct Change {
    range: Range<usize>,
    text: String,
}

/// `text` after `changes`, which are in its order and apart from each other.
fn changed(text: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut new = Vec::with_capacity(text.len());
    let mut copied = 0;
    for Change { range, text: added } in changes {
        new.extend(&text[copied..range.start]);
        new.extend(added.bytes());
        copied = range.end;
    }
    new.extend(&text[copied..]);
    new
}

/// What is to change on the line of a server, in its order.
fn edit_line(line: Line<'_>, wanted: &Wanted) -> Result<Vec<Change>, Reason> {
    let text = text_before_comment(line)?;
    let words = split_as_haproxy(text).words;
    let [_, _, address, rest @ ..] = words.as_slice() else {
        return Err(missing_argument("server"));
    };
    if words.len() > reason::MAX_WORDS {
        return Err(Reason::Misread(reason::Reason::TooManyWords));
    }
    let options = readable_options(text, address, rest)?;
    let plan = Plan::new(text, &options, wanted)?;
    let (added, removed) = plan.words();
    if words.len() + added - removed > reason::MAX_WORDS {
        return Err(Reason::NoRoom);
    }
    Ok(plan.changes(line.start, address, &options))
}

/// The line up to its comment, if HAProxy reads it.
fn text_before_comment(line: Line<'_>) -> Result<&str, Reason> {
    let (text, is_utf8) = match str::from_utf8(line.bytes) {
        Ok(text) => (text, true),
        Err(error) => {
            let (valid, _) = line.bytes.split_at(error.valid_up_to());
            (str::from_utf8(valid).unwrap_or_default(), false)
        }
    };
    let Split {
        comment, faults, ..
    } = split_as_haproxy(text);
    if comment.is_none() && !is_utf8 {
        return Err(Reason::NotUtf8);
    }
    let text = &text[..comment.unwrap_or(text.len())];
    if comment.is_none() && text.ends_with('\\') {
        return Err(Reason::Continuation);
    }
    if text.contains('\0') {
        return Err(Reason::Misread(reason::Reason::StrayNul));
    }
    let is_refused = |kind: &FaultKind| {
        !matches!(
            kind,
            FaultKind::NotUtf8 | FaultKind::VariableOfHaproxy { .. }
        )
    };
    match faults.into_iter().find(|fault| is_refused(&fault.kind)) {
        Some(fault) => Err(Reason::Misread(reason::Reason::Fault(fault.kind))),
        None => Ok(text),
    }
}

fn missing_argument(keyword: &str) -> Reason {
    Reason::Misread(reason::Reason::MissingArgument {
        keyword: keyword.to_owned(),
    })
}

/// The options that `words` are, if more can stand behind each of them and be read.
fn readable_options<'a>(
    text: &str,
    address: &Word,
    words: &'a [Word],
) -> Result<Vec<ServerOption<'a>>, Reason> {
    let written = |word: &Word| text[word.start..word.end].to_owned();
    let is_open = |word: &&Word| !split(&written(word)).is_complete();
    if let Some(word) = [address].into_iter().chain(words).find(is_open) {
        return Err(Reason::BackslashAtEnd {
            word: written(word),
        });
    }
    if let Some(word) = words.iter().find(|word| word.value.is_empty()) {
        return Err(Reason::EmptyWord {
            word: written(word),
        });
    }
    let options = options(words);
    match options.last() {
        Some(last) if last.is_cut_off => Err(missing_argument(&last.words[0].value)),
        _ => Ok(options),
    }
}

/// What is to become of a line's options.
struct Plan<'a> {
    /// Taken out, in the order of the line.
    removed: Vec<ServerOption<'a>>,
    /// Put in.
    added: String,
}

impl<'a> Plan<'a> {
    fn new(text: &str, options: &[ServerOption<'a>], wanted: &Wanted) -> Result<Self, Reason> {
        let is = |option: &ServerOption<'_>, keyword| option.words[0].value == keyword;
        if wanted.tls.is_some() && options.iter().any(|option| is(option, "no-ssl")) {
            return Err(Reason::NoSsl);
        }
        let tls = wanted.tls.as_ref().map(tls_words).unwrap_or_default();
        let has_tls = has_tls(text, options, &tls);
        let is_disabled = options
            .iter()
            .rfind(|option| is(option, "disabled") || is(option, "enabled"))
            .is_some_and(|option| is(option, "disabled"));
        let is_removed = |option: &&ServerOption<'_>| {
            (option.is_tls && !has_tls)
                || (wanted.disabled == Some(false) && is(option, "disabled"))
        };
        let mut added = String::new();
        if wanted.disabled == Some(true) && !is_disabled {
            added.push_str(" disabled");
        }
        if !has_tls && !tls.is_empty() {
            added.push(' ');
            added.push_str(&tls);
        }
        Ok(Self {
            removed: options.iter().filter(is_removed).copied().collect(),
            added,
        })
    }

    /// How many more words the line will have, and how many fewer.
    fn words(&self) -> (usize, usize) {
        let removed = self.removed.iter().map(|option| option.words.len());
        (split(&self.added).words.len(), removed.sum())
    }

    /// The changes to the line that begins at `start`. What is put in stands behind the last
    /// option of others, and so before TLS options that stay at the end. What is taken out goes
    /// with the blanks before it.
    fn changes(&self, start: usize, address: &Word, options: &[ServerOption<'_>]) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut place = address.end;
        let mut end = address.end;
        for option in options {
            let next = option.words.last().map_or(end, |word| word.end);
            if self.removed.contains(option) {
                changes.push(Change {
                    range: start + end..start + next,
                    text: String::new(),
                });
            } else if !option.is_tls {
                place = next;
            }
            end = next;
        }
        if !self.added.is_empty() {
            let place = start + place;
            let index = changes.partition_point(|change| change.range.start < place);
            let change = Change {
                range: place..place,
                text: self.added.clone(),
            };
            changes.insert(index, change);
        }
        changes
    }
}

/// Whether the TLS options among those of a line are `wanted`, in any order.
fn has_tls(text: &str, found: &[ServerOption<'_>], wanted: &str) -> bool {
    let found = found.iter().filter(|option| option.is_tls);
    let mut words = found.clone().flat_map(|option| option.words);
    words.all(|word| is_literal(&text[word.start..word.end]))
        && values(found) == values(&options(&split(wanted).words))
}

/// What HAProxy takes each option for, in an order of their own.
fn values<'a>(options: impl IntoIterator<Item = &'a ServerOption<'a>>) -> Vec<Vec<&'a str>> {
    let value = |option: &ServerOption<'a>| -> Vec<&'a str> {
        option
            .words
            .iter()
            .map(|word| word.value.as_str())
            .collect()
    };
    let mut values: Vec<_> = options.into_iter().map(value).collect();
    values.sort();
    values
}

#[cfg(test)]
mod tests {
    use std::slice;

    use proptest::prelude::*;

    use super::*;

    fn backend() -> Backend {
        "apps".parse().unwrap()
    }

    fn section() -> Scope {
        Scope::Section(backend())
    }

    fn tls(ca_file: &str) -> TlsOptions {
        TlsOptions {
            ca_file: ca_file.parse().unwrap(),
            crt: None,
            crl_file: None,
            verifyhost: None,
        }
    }

    const TLS: &str = "ssl verify required ca-file /tls/ca.pem";

    fn wanted(name: &str, tls: Option<TlsOptions>, disabled: Option<bool>) -> Wanted {
        Wanted {
            name: name.parse().unwrap(),
            tls,
            disabled,
        }
    }

    fn secured(name: &str) -> Wanted {
        wanted(name, Some(tls("/tls/ca.pem")), None)
    }

    fn plain(name: &str) -> Wanted {
        wanted(name, None, None)
    }

    /// The line of the server `s` with these options, edited.
    fn options(before: &str, wanted: &Wanted) -> String {
        let head = "backend apps\n\tserver s h:1";
        let text = format!("{head}{before}\n");
        let edited = edit(text.as_bytes(), &section(), slice::from_ref(wanted))
            .unwrap_or_else(|problems| panic!("{before}: {problems:?}"));
        let new = String::from_utf8(edited.text).unwrap();
        assert_eq!(edited.lines[0].is_changed, new != text);
        let rest = new.strip_prefix(head).unwrap();
        rest.strip_suffix('\n').unwrap().to_owned()
    }

    /// Line number, reason and hint of everything that is wrong.
    fn refused(
        text: impl AsRef<[u8]>,
        scope: &Scope,
        wanted: &[Wanted],
    ) -> Vec<(usize, String, String)> {
        edit(text.as_ref(), scope, wanted)
            .unwrap_err()
            .iter()
            .map(|unreadable| {
                let number = unreadable.at.as_ref().map_or(0, |at| at.number);
                (number, unreadable.to_string(), unreadable.hint())
            })
            .collect()
    }

    /// Reason and hint for refusing the line of `s` that ends so.
    fn refused_line(rest: impl AsRef<[u8]>, wanted: &Wanted) -> (String, String) {
        let text = [b"backend apps\n server s ", rest.as_ref(), b"\n"].concat();
        let mut refused = refused(text, &section(), slice::from_ref(wanted));
        let (number, reason, hint) = refused.remove(0);
        assert_eq!((number, refused.len()), (2, 0));
        (reason, hint)
    }

    #[test]
    fn options_come_behind_those_of_others_and_before_comments() {
        for (before, after) in [
            ("", " <TLS>"),
            (" check inter 2s", " check inter 2s <TLS>"),
            (" check  # mine", " check <TLS>  # mine"),
            (" check# mine", " check <TLS># mine"),
            ("\t# ssl", " <TLS>\t# ssl"),
            (" check \t\r", " check <TLS> \t\r"),
            (" check\r check", " check <TLS>\r check"),
        ] {
            assert_eq!(options(before, &secured("s")), after.replace("<TLS>", TLS));
            assert_eq!(options(&after.replace("<TLS>", TLS), &plain("s")), before);
        }
    }

    #[test]
    fn options_that_say_the_same_stay_where_they_are() {
        for same in [
            format!(" {TLS} check # c"),
            " ca-file '/tls/ca.pem' check  verify \"required\" 'ss'l".to_owned(),
        ] {
            assert_eq!(options(&same, &secured("s")), same);
        }
        for other in [
            " ssl verify required ca-file /tls/old.pem check",
            " ssl ssl verify required ca-file /tls/ca.pem check",
            " ssl verify required ca-file /tls/ca.pem crt /tls/x.pem check",
            " ssl verify required ca-file \"/tls/${NONE-}ca.pem\" check",
            " verifyhost s ssl verify none check",
            " verify required ca-file /tls/ca.pem check",
        ] {
            assert_eq!(options(other, &secured("s")), format!(" check {TLS}"));
        }
        let path = "/tls/$NAME";
        let line = format!(" ssl verify required ca-file \"{path}\"");
        assert_eq!(
            options(&line, &wanted("s", Some(tls(path)), None)),
            format!(" ssl verify required ca-file '{path}'")
        );
    }

    #[test]
    fn disabled_is_put_in_and_taken_out_only_when_asked_for() {
        let pause = wanted("s", None, Some(true));
        let resume = wanted("s", None, Some(false));
        for (before, after) in [
            ("", " disabled"),
            (" check  # c", " check disabled  # c"),
            (" check enabled", " check enabled disabled"),
        ] {
            assert_eq!(options(before, &pause), after);
            assert_eq!(options(after, &resume), before);
        }
        assert_eq!(options(" disabled check", &pause), " disabled check");
        assert_eq!(options(" disabled check", &plain("s")), " disabled check");
        assert_eq!(options(" disabled check disabled", &resume), " check");
        assert_eq!(options(" cookie disabled", &resume), " cookie disabled");

        let tls = || Some(tls("/tls/ca.pem"));
        for (disabled, expected) in [
            (Some(true), " check disabled <TLS> # c"),
            (Some(false), " check <TLS> # c"),
        ] {
            let expected = expected.replace("<TLS>", TLS);
            for before in [
                " check # c",
                " check <TLS> # c",
                " check disabled <TLS> # c",
            ] {
                let before = before.replace("<TLS>", TLS);
                assert_eq!(options(&before, &wanted("s", tls(), disabled)), expected);
            }
        }
        assert_eq!(
            options(&format!(" {TLS} check"), &wanted("s", tls(), Some(true))),
            format!(" {TLS} check disabled")
        );
    }

    #[test]
    fn servers_without_a_line_and_lines_without_a_server_are_said() {
        let text = b"backend apps\n server b h:1\n server apps--a h:1\n server \"$X\" h:1\n \
                     server c@d h:1\n server-template t 3 h:1\n default-server no-ssl\n";
        let names = ["x", "a", "b", "y"].map(secured);
        let edited = edit(text, &section(), &names).unwrap();
        let lines: Vec<_> = edited
            .lines
            .iter()
            .map(|line| (line.number, line.name.as_str(), line.is_changed))
            .collect();
        assert_eq!(lines, [(2, "b", true), (3, "a", true)]);
        let absent: Vec<_> = edited.absent.iter().map(EntryName::as_str).collect();
        assert_eq!(absent, ["x", "y"]);
        let unknown: Vec<_> = edited
            .unknown
            .iter()
            .map(|line| (line.number, line.name.as_str()))
            .collect();
        assert_eq!(unknown, [(4, "\"$X\""), (5, "c@d")]);

        let zato = b"# ZATO begin backend apps\nserver apps--a h:1 # ZATO backend apps:server--a\n# ZATO end backend apps";
        let edited = edit(zato, &Scope::Zato(backend()), &[secured("b")]).unwrap();
        assert_eq!(edited.text, zato);
        assert_eq!(edited.lines, []);
        assert_eq!(edited.absent, ["b".parse().unwrap()]);
        assert_eq!(
            edited.unknown,
            [UnknownLine {
                number: 2,
                name: "apps--a".to_owned()
            }]
        );
    }

    #[test]
    fn a_section_is_needed_once() {
        let one =
            |number, reason: &str, hint: &str| vec![(number, reason.to_owned(), hint.to_owned())];
        assert_eq!(
            refused("", &section(), &[]),
            one(
                0,
                "there is no section `backend apps`",
                "the servers stand in a section that begins with `backend apps`"
            )
        );
        assert_eq!(
            refused(
                "frontend apps\nbackend apps2\nlisten \"b\\x1b\"\nbackend\n",
                &section(),
                &[]
            ),
            one(
                0,
                "there is no section `backend apps`",
                r"the file has: `apps2`, `b\u{1b}`"
            )
        );
        assert_eq!(
            refused(
                "backend apps\nfrontend apps\nlisten apps\n",
                &section(),
                &[]
            ),
            one(
                3,
                "the backend `apps` has a section already, on line 1",
                "give each section a name of its own"
            )
        );
    }

    #[test]
    fn a_server_has_one_line() {
        let text = "backend apps\n server a h:1\n server b h:1\n server apps--a h:1\n server b h:1\n server c h:1\n server c h:2\n";
        let expected = [(4, "a", 2), (5, "b", 3)].map(|(number, name, first)| {
            (
                number,
                format!("the server `{name}` has a line already, line {first}"),
                format!("keep one line for it: HAProxy's name of it is `apps--{name}` or `{name}`"),
            )
        });
        assert_eq!(
            refused(text, &section(), &["a", "b"].map(secured)),
            expected
        );
    }

    #[test]
    fn a_line_that_haproxy_would_misread_is_refused() {
        let mend = "mend the line first: `haproxy -c` refuses it too";
        for (rest, reason, hint) in [
            (
                "h:1 check \\",
                "the line ends with a backslash",
                "write the server on one line, as HAProxy wants it",
            ),
            (
                "h:1 check \\ \r",
                "the line ends with a backslash",
                "write the server on one line, as HAProxy wants it",
            ),
            (
                "h:1 cookie a\\\tcheck",
                r"the word `a\` ends with a backslash",
                "write the word in single quotes",
            ),
            (
                "h:1\\\tcheck",
                r"the word `h:1\` ends with a backslash",
                "write the word in single quotes",
            ),
            (
                "h:1 check '' inter 2s",
                "the word `''` is empty or may be, and HAProxy reads nothing behind an empty word",
                "take the word out, or write what it stands for",
            ),
            (
                "h:1 \"${OPTIONS[*]}\"",
                "the word `\"${OPTIONS[*]}\"` is empty or may be, and HAProxy reads nothing behind an empty word",
                "take the word out, or write what it stands for",
            ),
            ("h:1 'check", "a quote is not closed", mend),
            (
                "h:1 check \"${X\"",
                "the brace of a variable is not closed",
                mend,
            ),
            (
                "h:1 cookie \\xg",
                "`\\x` lacks its two hexadecimal digits",
                mend,
            ),
            ("h:1 a\0", "the line has a NUL byte", mend),
            ("h:1 check inter # 2s", "`inter` lacks its argument", mend),
            ("h:1 check ca-file", "`ca-file` lacks its argument", mend),
            ("# h:1", "`server` lacks its argument", mend),
            (
                "h:1 no-ssl",
                "the line has `no-ssl`, the opposite of what it is to have",
                "take `no-ssl` out of the line",
            ),
        ] {
            assert_eq!(
                refused_line(rest, &secured("s")),
                (reason.to_owned(), hint.to_owned()),
                "{rest}"
            );
        }
        assert_eq!(options(" no-ssl", &plain("s")), " no-ssl");
        // In a comment, none of that matters, nor in the name of another server.
        assert_eq!(
            options(" # 'a \\", &secured("s")),
            format!(" {TLS} # 'a \\")
        );
        let other = b"backend apps\n server t 'h:1 \\\n";
        assert_eq!(
            edit(other, &section(), &[secured("s")]).unwrap().text,
            other
        );
    }

    #[test]
    fn what_is_not_utf_8_matters_only_before_the_comment() {
        let hint = "write this line in UTF-8".to_owned();
        let reason = "the line is not UTF-8".to_owned();
        assert_eq!(
            refused_line(b"h:1 cookie \xfc # c", &secured("s")),
            (reason, hint)
        );
        let text = b"# \xff\nbackend apps\n server s h:1 # \xfc\n server \xfc h:1\n";
        let edited = edit(text, &section(), &[secured("s")]).unwrap();
        let expected = [
            b"# \xff\nbackend apps\n server s h:1 ",
            TLS.as_bytes(),
            b" # \xfc\n server \xfc h:1\n",
        ];
        assert_eq!(edited.text, expected.concat());
    }

    #[test]
    fn a_line_has_room_for_64_words() {
        let line = |words: usize| " check".repeat(words - 3);
        assert_eq!(
            options(&line(59), &secured("s")),
            format!("{} {TLS}", line(59))
        );
        let long = |words| refused_line(format!("h:1{}", line(words)), &secured("s"));
        let reason =
            "with zpki's options the line would have more than 64 words, and HAProxy reads no more";
        let hint = "put options that all servers have on a `default-server` line";
        assert_eq!(long(60), (reason.to_owned(), hint.to_owned()));
        assert_eq!(long(65).0, "the line has more than 64 words");
    }

    #[test]
    fn everything_that_is_wrong_with_a_block_comes_in_one_run() {
        let text = "# ZATO begin backend apps\n\
                    server apps--a h:1 'check # ZATO backend apps:server--a\n\
                    server apps--b [::1]:1 # ZATO backend apps:server--b\n\
                    server apps--c h:1 no-ssl # ZATO backend apps:server--c\n\
                    server apps--d h:1 # ZATO x # ZATO backend apps:server--d\n\
                    server apps--e h:1 \\\n check # ZATO backend apps:server--e\n\
                    server apps--f h:1 # ZATO backend apps:server--f\n\
                    server apps--f h:1 # ZATO backend apps:server--f\n\
                    server apps--g h:1 check\x0b # ZATO backend apps:server--g\n\
                    server f h:1 # ZATO backend apps:server--f\n\
                    # ZATO end backend apps\n# ZATO begin backend apps\n";
        let names = ["a", "b", "c", "d", "e", "f"].map(secured);
        let reasons: Vec<(usize, String)> = refused(text, &Scope::Zato(backend()), &names)
            .into_iter()
            .map(|(number, reason, _)| (number, reason))
            .collect();
        let expected = [
            (
                2,
                "the options ` 'check ` leave a quote open or a backslash escape unfinished",
            ),
            (
                3,
                "the address `[::1]:1` is IPv6, which Zato's load-balancer agent cannot read on a server line",
            ),
            (
                4,
                "the line has `no-ssl`, the opposite of what it is to have",
            ),
            (5, "the line has `# ZATO ` more than once"),
            (6, "the line ends with a backslash"),
            (7, "`check` is not `server`"),
            (9, "the server name `f` is on line 8 already"),
            (
                10,
                "the options ` check\\u{b} ` contain a control character",
            ),
            (11, "the server name `f` does not begin with `apps--`"),
            (13, "the backend `apps` has a block already, on line 1"),
            (13, "the block of the backend `apps` has no end"),
        ];
        assert_eq!(
            reasons,
            expected.map(|(number, reason)| (number, reason.to_owned()))
        );
    }

    const OPTIONS: &[&str] = &[
        "check",
        "inter 2s",
        "cookie ssl",
        "cookie 'a  b'",
        r#"cookie "\"$X""#,
        r"cookie a\ b",
        "disabled",
        "enabled",
        "ssl",
        "'ssl'",
        "verify required",
        "verify none",
        "ca-file /tls/ca.pem",
        "ca-file '/a b'",
        r"ca-file /a\ b",
        "crt \"/tls/$X\"",
        "sni str(a)",
        "check-sni a",
        "verifyhost a",
    ];

    /// What may get between the bytes of a file.
    const ACCIDENTS: &[&[u8]] = &[
        b" ",
        b"\t",
        b"\n",
        b"\r",
        b"\x0b",
        b"\0",
        b"\xff",
        b"'",
        b"\"",
        b"\\",
        b"#",
        b"# ZATO ",
        b"''",
        b" no-ssl",
        b" inter",
        b"\nserver s h:1",
        b"\nlisten apps\n",
        b"\xc3\xbc",
        b"$",
    ];

    prop_compose! {
        fn any_line()(
            indentation in prop::sample::select(vec!["", "    ", "\t"]),
            name in prop::sample::select(vec!["s", "t", "u"]),
            options in prop::collection::vec(
                (prop::sample::select(vec![" ", " ", "  ", "\t"]), prop::sample::select(OPTIONS)),
                0..8,
            ),
            tail in prop::sample::select(vec!["", " ", "  ", "\t", " # mine", "# 'mine ", " # ssl\\ "]),
            end in prop::sample::select(vec!["\n", " \n", "\r\n", "\n\n", "\n# '\n"]),
        ) -> (&'static str, String) {
            let options: String = options.into_iter().flat_map(|(blank, option)| [blank, option]).collect();
            let line = format!("{indentation}server apps--{name} h:1{options}{tail} # ZATO backend apps:server--{name}{end}");
            (name, line)
        }
    }

    prop_compose! {
        fn any_file()(
            mut lines in prop::collection::vec(any_line(), 1..4),
            accident in prop::option::weighted(
                0.3,
                (any::<prop::sample::Index>(), prop::sample::select(ACCIDENTS)),
            ),
        ) -> Vec<u8> {
            lines.sort_by_key(|(name, _)| *name);
            lines.dedup_by_key(|(name, _)| *name);
            let lines: String = lines.into_iter().map(|(_, line)| line).collect();
            let file = format!(
                "listen other\n server s h:1\nbackend apps\n# ZATO begin backend apps\n{lines}\
                 # ZATO end backend apps\nbackend more\n server s h:1 ssl"
            );
            let mut file = file.into_bytes();
            if let Some((index, bytes)) = accident {
                let index = index.index(file.len() + 1);
                file.splice(index..index, bytes.iter().copied());
            }
            file
        }
    }

    prop_compose! {
        fn any_wanted()(
            path in prop::sample::select(vec!["/tls/ca.pem", "/a b", "/tls/$X", "/it's\\", "/#"]),
            crt in any::<bool>(),
            name in any::<bool>(),
            has_tls in any::<bool>(),
            disabled in any::<Option<bool>>(),
        ) -> Wanted {
            let tls = TlsOptions {
                crt: crt.then(|| path.parse().unwrap()),
                verifyhost: name.then(|| "a".parse().unwrap()),
                ..tls(path)
            };
            wanted("s", has_tls.then_some(tls), disabled)
        }
    }

    /// A server line as HAProxy takes it.
    #[derive(Debug, PartialEq)]
    struct Parts {
        /// Up to the address.
        head: Vec<u8>,
        /// The options of others, as they are written.
        others: Vec<Vec<u8>>,
        /// What stands behind the words.
        tail: Vec<u8>,
    }

    /// A line without the words that are zpki's, and the TLS options that it has.
    fn taken_apart(line: &[u8], owns_disabled: bool) -> (Parts, Vec<String>) {
        // Bytes stay where they are.
        let ascii = |byte: &u8| char::from(if byte.is_ascii() { *byte } else { b'x' });
        let text: String = line.iter().map(ascii).collect();
        let words = split_as_haproxy(&text).words;
        let mut others = Vec::new();
        let mut tls = Vec::new();
        for option in super::options(&words[3..]) {
            let (first, last) = (&option.words[0], option.words.last().unwrap());
            if option.is_tls {
                tls.push(values([&option]).concat().join(" "));
            } else if !(owns_disabled && first.value == "disabled") {
                others.push(line[first.start..last.end].to_vec());
            }
        }
        tls.sort();
        let parts = Parts {
            head: line[..words[2].end].to_vec(),
            others,
            tail: line[words.last().unwrap().end..].to_vec(),
        };
        (parts, tls)
    }

    fn tls_values(tls: Option<&TlsOptions>) -> Vec<String> {
        let line = tls.map(tls_words).unwrap_or_default();
        taken_apart(format!("server s h:1 {line}").as_bytes(), false).1
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn only_owned_words_differ(file in any_file(), wanted in any_wanted(), zato in any::<bool>()) {
            let scope = if zato { Scope::Zato(backend()) } else { section() };
            let Ok(edited) = edit(&file, &scope, slice::from_ref(&wanted)) else {
                return Ok(());
            };
            let old: Vec<&[u8]> = file.split(|byte| *byte == b'\n').collect();
            let new: Vec<&[u8]> = edited.text.split(|byte| *byte == b'\n').collect();
            prop_assert_eq!(old.len(), new.len());
            for ((number, old), new) in (1..).zip(&old).zip(&new) {
                let line = edited.lines.iter().find(|line| line.number == number);
                prop_assert_eq!(line.is_some_and(|line| line.is_changed), old != new);
                if line.is_some() {
                    let (parts, tls) = taken_apart(new, wanted.disabled.is_some());
                    prop_assert_eq!(parts, taken_apart(old, wanted.disabled.is_some()).0);
                    prop_assert_eq!(tls, tls_values(wanted.tls.as_ref()));
                }
            }
            let again = edit(&edited.text, &scope, slice::from_ref(&wanted));
            let again = again.map_err(|problems| TestCaseError::fail(format!("{problems:?}")))?;
            prop_assert_eq!(&again.text, &edited.text);
            prop_assert!(again.lines.iter().all(|line| !line.is_changed));
        }

        #[test]
        fn what_was_put_in_is_taken_out_without_a_trace(file in any_file(), wanted in any_wanted(), zato in any::<bool>()) {
            let scope = if zato { Scope::Zato(backend()) } else { section() };
            let bare = Wanted { tls: None, disabled: Some(false), ..wanted.clone() };
            // The file may have options of its own: without them it is the one to begin with.
            let Ok(original) = edit(&file, &scope, slice::from_ref(&bare)) else {
                return Ok(());
            };
            let Ok(edited) = edit(&original.text, &scope, slice::from_ref(&wanted)) else {
                return Ok(());
            };
            let back = edit(&edited.text, &scope, slice::from_ref(&bare));
            let back = back.map_err(|problems| TestCaseError::fail(format!("{problems:?}")))?;
            prop_assert_eq!(back.text, original.text);
        }
    }
}
