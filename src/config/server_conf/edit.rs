//! Changes of `[crypto]` in somebody's server.conf, in place: every byte stays but the values that
//! change and the keys that are added.

use std::iter;

use super::grammar::{self, Entry, Value};
use super::reason::Reason;
use super::{
    BYTE_ORDER_MARK, Key, LINE_SEPARATORS, Position, Reader, Source, TLS_CIPHERS, TLS_PROTOCOL,
    boolean, is_interpolated,
};
use crate::config::problem::Problem;
use crate::domain::crypto::Crypto;

/// What `[crypto]` is to say.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// The server speaks TLS, with these settings. A `tls_protocol` that works is kept, and so are
    /// `tls_ciphers`.
    Tls(&'a Crypto),
    /// The server does not speak TLS. The other keys stay as they are.
    Plain,
}

/// The text as it is to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Edited {
    /// The file.
    pub text: Vec<u8>,
    /// What is new in it, from its first line to its last. Without any the text is the old one.
    pub changes: Vec<ChangedKey>,
}

/// A key of `[crypto]` that has another value than before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChangedKey {
    /// Its line in the new text, from 1.
    pub line: usize,
    /// The key.
    pub key: &'static str,
    /// The old value, without its quotes; none for a key that was added.
    pub from: Option<String>,
    /// The new value, without its quotes.
    pub to: String,
}

/// Edits a server.conf. A value that says the same already is left alone, in whatever form. A file
/// without `use_tls` is plain already.
///
/// Bytes that are not UTF-8 may stand in comments, and in values that are not read here.
///
/// # Errors
/// Everything in the file that `ConfigObj` refuses, and everything about the keys to be edited that
/// cannot be judged or written.
///
/// ```
/// use zpki::config::server_conf::edit::{Wanted, edit};
///
/// let text = b"[crypto]\nuse_tls = yes # since May\ncert_location = cert.pem\n";
/// let edited = edit(text, Wanted::Plain).unwrap();
/// let expected = "[crypto]\nuse_tls = False # since May\ncert_location = cert.pem\n";
/// assert_eq!(edited.text, expected.as_bytes());
/// assert_eq!((edited.changes[0].line, edited.changes[0].key), (2, "use_tls"));
/// ```
pub fn edit(text: &[u8], wanted: Wanted<'_>) -> Result<Edited, Vec<Problem<Reason>>> {
    let body = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mark = &text[..text.len() - body.len()];
    let file = File::read(body);
    let patches = file.patches(&wanted.settings(), wanted.adds_keys())?;
    Ok(apply(mark, body, patches))
}

/// A key, and the value that it is to have.
struct Setting {
    key: &'static str,
    to: String,
    /// Whether a value says the same as the wanted one.
    is_met: fn(has: &str, to: &str) -> bool,
}

impl Setting {
    fn new(key: &'static str, to: &str, is_met: fn(&str, &str) -> bool) -> Self {
        let to = to.to_owned();
        Self { key, to, is_met }
    }

    fn text(key: &'static str, to: &str) -> Self {
        Self::new(key, to, |has, to| has == to)
    }

    fn use_tls(to: &str) -> Self {
        Self::new("use_tls", to, |has, to| boolean(has) == boolean(to))
    }
}

impl Wanted<'_> {
    /// In the order in which they are added.
    fn settings(self) -> Vec<Setting> {
        let Self::Tls(crypto) = self else {
            return vec![Setting::use_tls("False")];
        };
        let works = |has: &str, _: &str| TLS_PROTOCOLS.contains(&has);
        let client_certificate = crypto.client_certificate.to_string();
        vec![
            Setting::use_tls("True"),
            Setting::new("tls_protocol", TLS_PROTOCOL, works),
            Setting::new("tls_ciphers", TLS_CIPHERS, |has, _| !has.is_empty()),
            Setting::new(
                "tls_client_certs",
                &client_certificate,
                str::eq_ignore_ascii_case,
            ),
            Setting::text("priv_key_location", &crypto.private_key),
            Setting::text("pub_key_location", &crypto.public_key),
            Setting::text("cert_location", &crypto.certificate),
            Setting::text("ca_certs_location", &crypto.ca_certificates),
        ]
    }

    /// A server without the keys does not speak TLS.
    fn adds_keys(self) -> bool {
        matches!(self, Self::Tls(_))
    }
}

/// The protocols in which servers and `HAProxy` understand each other. With others the server ends
/// at its start, or no handshake succeeds.
const TLS_PROTOCOLS: [&str; 4] = [TLS_PROTOCOL, "TLS", "SSLv23", "TLSv1_2"];

/// A server.conf without its byte order mark.
struct File<'a> {
    body: &'a [u8],
    lines: Vec<Source<'a>>,
    /// Where each line begins, and where the last one ends.
    offsets: Vec<usize>,
    reader: Reader,
}

/// New bytes in place of old ones.
struct Patch {
    /// The first byte of the old ones.
    start: usize,
    /// The first byte behind them.
    end: usize,
    /// What is written before the line of the key, when that line is new.
    lead: String,
    text: String,
    key: &'static str,
    from: Option<String>,
    to: String,
}

impl<'a> File<'a> {
    fn read(body: &'a [u8]) -> Self {
        let lines = body.split_inclusive(|byte| *byte == b'\n');
        let ends = lines.scan(0, |end, line| {
            *end += line.len();
            Some(*end)
        });
        let mut reader = Reader::default();
        reader.read(Source::all(body).collect());
        Self {
            body,
            lines: Source::all(body).collect(),
            offsets: iter::once(0).chain(ends).collect(),
            reader,
        }
    }

    /// What makes the settings true, in the order of the file.
    fn patches(
        &self,
        settings: &[Setting],
        adds_keys: bool,
    ) -> Result<Vec<Patch>, Vec<Problem<Reason>>> {
        let mut problems = self.obstacles(settings, adds_keys);
        if !problems.is_empty() {
            return Err(problems);
        }
        let room = Room::find(self, settings);
        let mut patches: Vec<Patch> = Vec::new();
        let mut lead = room.lead.as_str();
        for setting in settings {
            let patch = match self.key(setting.key) {
                Some(key) if (setting.is_met)(&key.value.text, &setting.to) => continue,
                Some(key) => self.replacement(setting, key),
                None if adds_keys => self.addition(setting, &room, std::mem::take(&mut lead)),
                None => continue,
            };
            match patch {
                Ok(patch) => patches.push(patch),
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            problems.sort_by_key(|problem| problem.line);
            return Err(problems);
        }
        // Behind a value that ends the file, keys are added; the sort is stable, and they keep their
        // order.
        patches.sort_by_key(|patch| (patch.start, patch.from.is_none()));
        Ok(patches)
    }

    /// A key of the section.
    fn key(&self, name: &str) -> Option<&Key> {
        self.reader.crypto.iter().find(|key| key.name == name)
    }

    /// Why the file cannot be edited.
    fn obstacles(&self, settings: &[Setting], adds_keys: bool) -> Vec<Problem<Reason>> {
        let is_edited = |name: &str| settings.iter().any(|setting| setting.key == name);
        let problems = self.reader.problems.iter();
        let mut problems: Vec<_> = problems
            .filter(|problem| match &problem.reason {
                // It is replaced, or not looked at.
                Reason::UnknownValue { .. } => false,
                Reason::Interpolation { key } | Reason::List { key } | Reason::Unclear { key } => {
                    is_edited(key)
                }
                _ => true,
            })
            .cloned()
            .collect();
        if adds_keys {
            let sections = self.reader.crypto_sections.iter();
            let sections = sections.filter(|(name, _)| is_edited(name));
            problems.extend(sections.map(|(name, line)| self.wrong_kind(*line, name, "key")));
            let key = self.reader.outermost.get("crypto");
            let key = key.filter(|_| self.reader.conf.crypto.is_none());
            problems.extend(key.map(|line| self.wrong_kind(*line, "crypto", "section")));
        }
        problems.sort_by_key(|problem| problem.line);
        problems
    }

    fn wrong_kind(&self, line: usize, name: &str, needed: &'static str) -> Problem<Reason> {
        let name = name.to_owned();
        self.problem(line, Reason::WrongKind { name, needed })
    }

    fn problem(&self, line: usize, reason: Reason) -> Problem<Reason> {
        self.lines[line - 1].line.problem(None, reason)
    }

    fn unwritable(&self, line: usize, setting: &Setting) -> Problem<Reason> {
        let key = setting.key.to_owned();
        let value = setting.to.clone();
        self.problem(line, Reason::Unwritable { key, value })
    }

    fn replacement(&self, setting: &Setting, key: &Key) -> Result<Patch, Problem<Reason>> {
        let (start, end) = (key.value.place.start, key.value.place.end);
        let quotes = grammar::quotes(&self.text(start.line)[start.byte..]);
        let behind = &self.text(end.line)[end.byte..];
        let mut text = written(&setting.to, quotes, behind)
            .ok_or_else(|| self.unwritable(start.line, setting))?;
        if key.value.text.is_empty() && behind.starts_with('#') {
            text.push(' ');
        }
        Ok(Patch {
            start: self.offset(start),
            end: self.offset(end),
            lead: String::new(),
            text,
            key: setting.key,
            from: Some(key.value.text.clone()),
            to: setting.to.clone(),
        })
    }

    fn addition(
        &self,
        setting: &Setting,
        room: &Room,
        lead: &str,
    ) -> Result<Patch, Problem<Reason>> {
        let value = written(&setting.to, "", "")
            .ok_or_else(|| self.unwritable(room.behind.max(1), setting))?;
        let Room {
            indentation,
            equals,
            line_end,
            ..
        } = room;
        let line = format!("{indentation}{}{equals}{value}", setting.key);
        let (lead, text) = match room.is_terminated {
            true => (lead.to_owned(), line + line_end),
            false => (format!("{lead}{line_end}"), line),
        };
        let at = self.offsets[room.behind];
        Ok(Patch {
            start: at,
            end: at,
            lead,
            text,
            key: setting.key,
            from: None,
            to: setting.to.clone(),
        })
    }

    fn text(&self, line: usize) -> &str {
        &self.lines[line - 1].text
    }

    fn offset(&self, place: Position) -> usize {
        self.offsets[place.line - 1] + place.byte
    }

    /// The end of a line, or of the nearest one before it that has an end.
    fn line_end(&self, line: usize) -> &'static str {
        let end = self.offsets[line];
        let terminated = self.body[..end].iter().rposition(|byte| *byte == b'\n');
        match terminated.is_some_and(|at| self.body[..at].ends_with(b"\r")) {
            true => "\r\n",
            false => "\n",
        }
    }
}

/// Where keys are added, and in what form.
struct Room {
    /// The line before them; 0 when there is none.
    behind: usize,
    /// What is added before the first one.
    lead: String,
    indentation: String,
    /// The sign, with the blanks around it.
    equals: String,
    line_end: &'static str,
    /// Whether the line before them has an end. Otherwise the file is left without one.
    is_terminated: bool,
}

impl Room {
    /// Behind the last of the keys, else at the beginning of the section, else a new section.
    fn find(file: &File<'_>, settings: &[Setting]) -> Self {
        let keys = settings.iter().filter_map(|setting| file.key(setting.key));
        let last = keys.max_by_key(|key| key.value.place.start.line);
        let section = file.reader.conf.crypto.as_ref().map(|crypto| crypto.line);
        let behind = last.map(|key| key.value.place.end.line).or(section);
        let behind_all = file.offsets.len() - 1;
        let mut room = Self::behind(file, behind.unwrap_or(behind_all));
        if let Some(key) = last.or_else(|| file.reader.crypto.first()) {
            room.resemble(file, key);
        } else if let Some(section) = section {
            room.indentation = indentation(file.text(section)).to_owned();
        } else {
            room.lead = room.new_section(file);
        }
        room
    }

    fn behind(file: &File<'_>, line: usize) -> Self {
        let text = &file.body[..file.offsets[line]];
        Self {
            behind: line,
            lead: String::new(),
            indentation: String::new(),
            equals: "=".to_owned(),
            line_end: file.line_end(line),
            is_terminated: text.is_empty() || text.ends_with(b"\n"),
        }
    }

    /// Takes its form from a key.
    fn resemble(&mut self, file: &File<'_>, key: &Key) {
        let start = key.value.place.start;
        let head = &file.text(start.line)[..start.byte];
        let blank = |text: &str| match text.ends_with(grammar::is_space) {
            true => " ",
            false => "",
        };
        let name = head.trim_end_matches(grammar::is_space);
        let name = name.strip_suffix('=').unwrap_or(name);
        self.indentation = indentation(head).to_owned();
        self.equals = format!("{}={}", blank(name), blank(head));
    }

    /// The header at the end of the file, with a blank line before it.
    fn new_section(&self, file: &File<'_>) -> String {
        let last = file.lines.last().map_or("", |source| &source.text);
        let blank = match last.trim_matches(grammar::is_space) {
            "" => "",
            _ => self.line_end,
        };
        match self.is_terminated {
            true => format!("{blank}[crypto]{}", self.line_end),
            false => format!("{}{blank}[crypto]", self.line_end),
        }
    }
}

fn indentation(line: &str) -> &str {
    &line[..line.len() - line.trim_start_matches(grammar::is_space).len()]
}

/// The value as it stands in a file before what is `behind` it on the line: in the quotes that the
/// old one had, unless they were for several lines; or else without any where that will do. None when
/// `ConfigObj` cannot hold it.
fn written(value: &str, quotes: &str, behind: &str) -> Option<String> {
    if is_interpolated(value) || value.contains('\n') || value.contains(LINE_SEPARATORS) {
        return None;
    }
    let kept = Some(quotes).filter(|quotes| quotes.len() == 1);
    let known = ["", "\"", "'", "\"\"\"", "'''"].into_iter();
    let forms = kept.into_iter().chain(known);
    let forms = forms.filter(|quotes| quotes.is_empty() || !value.contains(quotes));
    let mut forms = forms.map(|quotes| format!("{quotes}{value}{quotes}"));
    forms.find(|form| {
        let line = format!("key={form}{behind}");
        matches!(
            grammar::entry(&line),
            Some(Entry::Key { value: read, .. }) if grammar::value(read) == Value::Text(value)
        )
    })
}

fn apply(mark: &[u8], body: &[u8], patches: Vec<Patch>) -> Edited {
    let line_ends = |text: &[u8]| text.iter().filter(|byte| **byte == b'\n').count();
    let mut edited = Edited {
        text: mark.to_owned(),
        changes: Vec::new(),
    };
    let mut line = 1;
    let mut from = 0;
    for patch in patches {
        let kept = &body[from..patch.start];
        line += line_ends(kept) + line_ends(patch.lead.as_bytes());
        edited.changes.push(ChangedKey {
            line,
            key: patch.key,
            from: patch.from,
            to: patch.to,
        });
        line += line_ends(patch.text.as_bytes());
        for part in [kept, patch.lead.as_bytes(), patch.text.as_bytes()] {
            edited.text.extend_from_slice(part);
        }
        from = patch.end;
    }
    edited.text.extend_from_slice(&body[from..]);
    edited
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::role::ClientCertificate;

    fn crypto() -> Crypto {
        Crypto {
            client_certificate: ClientCertificate::None,
            private_key: "key.pem".to_owned(),
            public_key: "pub.pem".to_owned(),
            certificate: "cert.pem".to_owned(),
            ca_certificates: "ca.pem".to_owned(),
        }
    }

    /// Line, text and message of each problem; there is something to do about each.
    fn refused(text: impl AsRef<[u8]>, wanted: Wanted<'_>) -> Vec<(usize, String, String)> {
        let problems = edit(text.as_ref(), wanted).unwrap_err().into_iter();
        let each = |problem: Problem<Reason>| {
            assert_ne!(problem.reason.hint(), None, "{problem}");
            let message = problem.to_string();
            (problem.line, problem.text, message)
        };
        problems.map(each).collect()
    }

    #[test]
    fn what_configobj_refuses_is_not_edited() {
        for (text, line, message) in [
            (
                "[crypto]\nuse_tls=1\nuse_tls=1\n",
                3,
                "the key `use_tls` is on line 2 already",
            ),
            (
                "[crypto]\n[main]\na=1\n 'a' = 2\n",
                4,
                "the key `a` is on line 3 already",
            ),
            (
                "[crypto]\n[odb]\n[crypto]\n",
                3,
                "the section `crypto` is on line 1 already",
            ),
            (
                "[crypto]\nnothing\n",
                2,
                "the line is neither a section nor `key = value`",
            ),
            (
                "[crypto\n",
                1,
                "the line is neither a section nor `key = value`",
            ),
            ("[crypto]]\n", 1, "the section's brackets do not fit"),
            (
                "[crypto]\n[[[x]]]\n",
                2,
                "the section's brackets do not fit",
            ),
            (
                "[crypto]\ncert_location='a\n",
                2,
                "the quotes or commas of `cert_location` do not fit",
            ),
            (
                "[main]\nx='''\n[crypto]\n",
                2,
                "the quotes or commas of `x` do not fit",
            ),
            (
                "# a\x0cuse_tls=1\n[crypto]\n",
                1,
                "the line has a character that ends it for ConfigObj",
            ),
        ] {
            for wanted in [Wanted::Tls(&crypto()), Wanted::Plain] {
                let shown = text.lines().nth(line - 1).unwrap().trim().to_owned();
                let expected = [(line, shown, message.to_owned())];
                assert_eq!(refused(text, wanted), expected, "{text}");
            }
        }
    }

    #[test]
    fn a_value_that_cannot_be_judged_is_refused_where_it_is_edited() {
        for (line, message) in [
            (
                "cert_location=a, b",
                "the value of `cert_location` is a list",
            ),
            ("tls_ciphers=A,B", "the value of `tls_ciphers` is a list"),
            (
                "ca_certs_location=%(here)s/ca.pem",
                "the value of `ca_certs_location` stands for another one",
            ),
            (
                "priv_key_location='a', 'b'",
                "the value of `priv_key_location` has both quotes and commas",
            ),
        ] {
            let text = format!("[crypto]\n{line}\n");
            let expected = [(2, line.to_owned(), message.to_owned())];
            assert_eq!(refused(&text, Wanted::Tls(&crypto())), expected);
            assert_eq!(edit(text.as_bytes(), Wanted::Plain).unwrap().changes, []);
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_refused_where_they_matter() {
        for line in [
            &b"[caf\xe9]"[..],
            b"\xe9=1",
            b"use_tls=\xff",
            b"use_tls='''\xff'''",
        ] {
            let text = [b"[crypto]\n", line, b"\n"].concat();
            let shown = String::from_utf8_lossy(line).into_owned();
            let expected = [(2, shown, "the line is not UTF-8".to_owned())];
            assert_eq!(refused(&text, Wanted::Plain), expected);
        }
        let utf_16 = "\u{feff}[crypto]\nuse_tls=1\n".encode_utf16();
        let utf_16: Vec<u8> = utf_16.flat_map(u16::to_le_bytes).collect();
        assert_eq!(refused(utf_16, Wanted::Plain)[0].0, 1);
    }

    #[test]
    fn a_name_that_something_else_has_is_refused() {
        let wanted = Wanted::Tls(&crypto());
        for (text, line, message) in [
            ("a=1\ncrypto=2\n", 2, "`crypto` has to be a section"),
            ("crypto='a', 'b'\n", 1, "`crypto` has to be a section"),
            ("[crypto]\n[[use_tls]]\n", 2, "`use_tls` has to be a key"),
        ] {
            let problems = refused(text, wanted);
            assert_eq!((problems[0].0, problems[0].2.as_str()), (line, message));
            assert_eq!(edit(text.as_bytes(), Wanted::Plain).unwrap().changes, []);
        }
    }

    #[test]
    fn all_that_is_wrong_comes_at_once_in_the_order_of_the_file() {
        let text = "a\n[crypto]\ncert_location=a,\nuse_tls=1\nuse_tls=1\n[[tls_ciphers]]\n";
        let problems = refused(text, Wanted::Tls(&crypto()));
        let lines: Vec<usize> = problems.iter().map(|problem| problem.0).collect();
        assert_eq!(lines, [1, 3, 5, 6]);
    }

    #[test]
    fn a_value_gets_the_quotes_that_it_needs() {
        for (value, expected) in [
            ("a b.pem", "a b.pem"),
            ("it's.pem", "it's.pem"),
            ("", ""),
            (" a ", "\" a \""),
            ("a,b", "\"a,b\""),
            ("a#b", "\"a#b\""),
            ("'a'", "\"'a'\""),
            ("\"a\", b", "'\"a\", b'"),
            ("it's \"a\", b", "\"\"\"it's \"a\", b\"\"\""),
            ("100%(.pem", "100%(.pem"),
        ] {
            assert_eq!(written(value, "", "").as_deref(), Some(expected));
        }
        assert_eq!(written("a", "'", " # b").as_deref(), Some("'a'"));
        assert_eq!(written("it's, a", "'", "").as_deref(), Some("\"it's, a\""));
        // With quotes, ConfigObj would look for a list in the comment.
        assert_eq!(written("a", "'", " # 'b', c").as_deref(), Some("a"));
        for value in ["%(a)s", "a\nb", "a\rb", "'''\"\"\"#,"] {
            assert_eq!(written(value, "", ""), None, "{value:?}");
        }
    }

    #[test]
    fn a_value_that_no_quotes_keep_is_refused() {
        let crypto = Crypto {
            certificate: "%(x)s.pem".to_owned(),
            ..crypto()
        };
        let message = "no quotes make `%(x)s.pem` a value of `cert_location`";
        for (text, line, shown) in [
            ("", 1, ""),
            ("[main]\n", 1, "[main]"),
            (
                "[crypto]\ncert_location = a # b",
                2,
                "cert_location = a # b",
            ),
        ] {
            let problems = refused(text, Wanted::Tls(&crypto));
            assert_eq!(problems, [(line, shown.to_owned(), message.to_owned())]);
        }
    }

    #[test]
    fn each_change_has_its_line_in_the_new_text() {
        let text = b"[crypto]\ncert_location='''a\n''' # b\nuse_tls=off\n[odb]\n";
        let edited = edit(text, Wanted::Tls(&crypto())).unwrap();
        let changes = edited.changes.iter();
        let changes: Vec<_> = changes
            .map(|change| (change.line, change.key, change.from.as_deref()))
            .collect();
        assert_eq!(
            changes,
            [
                (2, "cert_location", Some("a\n")),
                (3, "use_tls", Some("off")),
                (4, "tls_protocol", None),
                (5, "tls_ciphers", None),
                (6, "tls_client_certs", None),
                (7, "priv_key_location", None),
                (8, "pub_key_location", None),
                (9, "ca_certs_location", None),
            ]
        );
    }
}
