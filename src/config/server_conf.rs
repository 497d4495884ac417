//! Zato's server.conf, read for its TLS: `[crypto]`, and where the server listens.
//!
//! Zato reads it with ConfigObj: keys and sections are case-sensitive, one that is given twice ends
//! the server at its start, `#` begins a comment even within a word, a comma makes a list, and
//! quotes mend both. `tests/oracle` compares with ConfigObj itself.

pub mod edit;
mod grammar;
pub mod reason;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use self::grammar::{Entry, Value};
use self::reason::Reason;
use super::problem::{Line, Problem, Reading};
use crate::domain::role::ClientCertificate;
use crate::domain::server_conf::{CryptoSettings, ServerConf, Setting};

/// Reads a server.conf.
///
/// ```
/// let text = b"[crypto]\nuse_tls = True\ncert_location = 'my cert.pem' # ours\n";
/// let reading = zpki::config::server_conf::read_server_conf(text);
/// let crypto = reading.value.crypto.unwrap();
/// assert!(crypto.use_tls.unwrap().value);
/// assert_eq!(crypto.cert_location.unwrap().value, "my cert.pem");
/// ```
#[must_use]
pub fn read_server_conf(text: &[u8]) -> Reading<ServerConf, Reason> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mut reader = Reader::default();
    let (lines, others): (Vec<_>, Vec<_>) =
        Source::all(text).partition(|source| !source.is_damaged());
    for source in others {
        reader.problem(source.line, Reason::NotUtf8);
    }
    reader.read(lines);
    Reading {
        value: reader.conf,
        problems: reader.problems,
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A line and its text.
struct Source<'a> {
    line: Line<'a>,
    /// Without the line end. Owned when the line is not UTF-8: what is not is then replaced.
    text: Cow<'a, str>,
}

impl<'a> Source<'a> {
    fn all(text: &'a [u8]) -> impl Iterator<Item = Self> {
        // One at the end of the file has no line feed behind it: it ends a line by itself.
        let lone_return = text.ends_with(b"\r").then(|| Line::all(text).count());
        Line::all(text).map(move |line| {
            let bytes = match line.bytes.strip_suffix(b"\r") {
                Some(bytes) if lone_return != Some(line.number) => bytes,
                _ => line.bytes,
            };
            let text = String::from_utf8_lossy(bytes);
            Self { line, text }
        })
    }

    /// Whether the line is not UTF-8.
    fn is_damaged(&self) -> bool {
        matches!(self.text, Cow::Owned(_))
    }

    /// Whether `part` of the line may be what is not UTF-8.
    fn damages(&self, part: &str) -> bool {
        self.is_damaged() && part.contains(char::REPLACEMENT_CHARACTER)
    }
}

#[derive(Default)]
struct Reader {
    conf: ServerConf,
    /// The sections around the line, the outermost first. Their number is the depth.
    sections: Vec<Section>,
    /// What the file has outside sections.
    outermost: Names,
    /// The keys of `[crypto]` that have a text, in the order of the file.
    crypto: Vec<Key>,
    /// The sections within `[crypto]`.
    crypto_sections: Names,
    problems: Vec<Problem<Reason>>,
}

/// The keys and sections within a section, each with its line.
type Names = BTreeMap<String, usize>;

#[derive(Default)]
struct Section {
    name: String,
    names: Names,
}

/// A key, its value, and where that stands.
struct Key {
    name: String,
    value: Text,
}

/// The text of a value.
struct Text {
    text: String,
    /// Where it stands, with its quotes.
    place: Range<Position>,
    /// Whether it is not UTF-8.
    damaged: bool,
}

/// A place within the file.
#[derive(Clone, Copy)]
struct Position {
    /// The line, from 1.
    line: usize,
    /// The byte of the line, from 0.
    byte: usize,
}

/// What ends a line for ConfigObj, besides the line feed and a carriage return before it: what
/// Python's `splitlines` knows.
const LINE_SEPARATORS: [char; 9] = [
    '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}',
];

impl Reader {
    fn problem(&mut self, line: Line<'_>, reason: Reason) {
        self.problems.push(line.problem(None, reason));
    }

    fn read(&mut self, mut lines: Vec<Source<'_>>) {
        lines.retain(|source| {
            let is_one_line = !source.text.contains(LINE_SEPARATORS);
            if !is_one_line {
                self.problem(source.line, Reason::LineSeparator);
            }
            is_one_line
        });
        let mut rest = lines.as_slice();
        while let [source, behind @ ..] = rest {
            rest = self.read_line(source, behind);
        }
        self.problems.sort_by_key(|problem| problem.line);
    }

    /// Reads a line; answers with the lines behind it that are left.
    fn read_line<'s, 'a>(
        &mut self,
        source: &Source<'a>,
        behind: &'s [Source<'a>],
    ) -> &'s [Source<'a>] {
        let Source { line, text } = source;
        if grammar::is_blank(text) {
            return behind;
        }
        match grammar::entry(text) {
            Some(Entry::Section { name: part, .. } | Entry::Key { key: part, .. })
                if source.damages(part) =>
            {
                self.problem(*line, Reason::NotUtf8);
            }
            Some(Entry::Section {
                opened,
                closed,
                name,
            }) => self.begin_section(*line, (opened, closed), name),
            Some(Entry::Key { key, value }) => match grammar::value(value) {
                Value::Open(quotes) => {
                    if let Some((text, behind)) = continued(source, value, quotes, behind) {
                        self.read_key(*line, key, Some(text));
                        return behind;
                    }
                    self.malformed(*line, key);
                }
                Value::Malformed => self.malformed(*line, key),
                Value::List => self.read_key(*line, key, None),
                Value::Text(text) => {
                    self.read_key(*line, key, Some(on_one_line(source, value, text)))
                }
                Value::Unclear => self.unclear(*line, key),
            },
            None => self.problem(*line, Reason::NotAKey),
        }
        behind
    }

    fn malformed(&mut self, line: Line<'_>, key: &str) {
        let key = key.to_owned();
        self.problem(line, Reason::Malformed { key });
    }

    fn begin_section(&mut self, line: Line<'_>, (opened, closed): (usize, usize), name: &str) {
        if opened != closed || opened > self.sections.len() + 1 {
            return self.problem(line, Reason::Nesting);
        }
        self.sections.truncate(opened - 1);
        if let Some(first) = self.claim(line, name) {
            let name = name.to_owned();
            self.problem(line, Reason::DuplicateSection { name, first });
            // What follows belongs to no section that is read.
            return self.sections.push(Section::default());
        }
        if opened == 2 && self.sections[0].name == "crypto" {
            self.crypto_sections.insert(name.to_owned(), line.number);
        }
        self.sections.push(Section {
            name: name.to_owned(),
            names: Names::new(),
        });
        if opened == 1 && name == "crypto" {
            self.conf.crypto = Some(CryptoSettings {
                line: line.number,
                ..CryptoSettings::default()
            });
        }
    }

    /// Claims a name in the section around the line, or answers with the line that has it already.
    fn claim(&mut self, line: Line<'_>, name: &str) -> Option<usize> {
        let section = self.sections.last_mut();
        let names = section.map_or(&mut self.outermost, |section| &mut section.names);
        let first = *names.entry(name.to_owned()).or_insert(line.number);
        (first != line.number).then_some(first)
    }

    /// ConfigObj may take the key or refuse the line, so another one like it may be the second or not.
    /// Outside sections it is claimed: then a section of its name is refused either way.
    fn unclear(&mut self, line: Line<'_>, key: &str) {
        if self.sections.is_empty() {
            self.claim(line, key);
        }
        if self.target(key).is_some() {
            let key = key.to_owned();
            self.problem(line, Reason::Unclear { key });
        }
    }

    /// Reads a key and its value; a list has none.
    fn read_key(&mut self, line: Line<'_>, key: &str, value: Option<Text>) {
        if let Some(first) = self.claim(line, key) {
            let key = key.to_owned();
            return self.problem(line, Reason::DuplicateKey { key, first });
        }
        if let Some(target) = self.target(key) {
            let refused = match &value {
                None => Some(Reason::List {
                    key: key.to_owned(),
                }),
                Some(value) => target.set(line.number, key, value).err(),
            };
            if let Some(reason) = refused {
                self.problem(line, reason);
            }
        }
        if let ([section], Some(value)) = (self.sections.as_slice(), value)
            && section.name == "crypto"
        {
            let name = key.to_owned();
            self.crypto.push(Key { name, value });
        }
    }

    /// Where the value of `key` goes in the section around the line; none for what is not read.
    fn target(&mut self, key: &str) -> Option<Target<'_>> {
        let [section] = self.sections.as_slice() else {
            return None;
        };
        target(&mut self.conf, &section.name, key)
    }
}

/// A text that ends on its line; `value` is the rest of the line that it begins.
fn on_one_line(source: &Source<'_>, value: &str, text: &str) -> Text {
    let line = source.line.number;
    let start = source.text.len() - value.len();
    let end = start + text.len() + 2 * grammar::quotes(value).len();
    Text {
        text: text.to_owned(),
        place: Position { line, byte: start }..Position { line, byte: end },
        damaged: source.damages(text),
    }
}

/// A text that goes on behind its line, and the lines behind that; `value` is the rest of the line
/// that it begins.
fn continued<'s, 'a>(
    source: &Source<'a>,
    value: &str,
    quotes: &str,
    behind: &'s [Source<'a>],
) -> Option<(Text, &'s [Source<'a>])> {
    let start = Position {
        line: source.line.number,
        byte: source.text.len() - value.len(),
    };
    let mut text = value[quotes.len()..].to_owned();
    let mut damaged = source.damages(&text);
    for (at, source) in behind.iter().enumerate() {
        text.push('\n');
        let (part, is_last) = match grammar::closes(&source.text, quotes) {
            None => (&*source.text, false),
            Some(Value::Text(part)) => (part, true),
            Some(_) => return None,
        };
        text.push_str(part);
        damaged |= source.damages(part);
        if is_last {
            let end = Position {
                line: source.line.number,
                byte: part.len() + quotes.len(),
            };
            let place = start..end;
            let text = Text {
                text,
                place,
                damaged,
            };
            return Some((text, &behind[at + 1..]));
        }
    }
    None
}

/// Where a value goes.
enum Target<'a> {
    Boolean(&'a mut Option<Setting<bool>>),
    ClientCertificate(&'a mut Option<Setting<ClientCertificate>>),
    Text(&'a mut Option<Setting<String>>),
}

fn target<'a>(conf: &'a mut ServerConf, section: &str, key: &str) -> Option<Target<'a>> {
    if (section, key) == ("main", "gunicorn_bind") {
        return Some(Target::Text(&mut conf.gunicorn_bind));
    }
    let crypto = conf.crypto.as_mut().filter(|_| section == "crypto")?;
    Some(Target::Text(match key {
        "use_tls" => return Some(Target::Boolean(&mut crypto.use_tls)),
        "tls_client_certs" => {
            return Some(Target::ClientCertificate(&mut crypto.tls_client_certs));
        }
        "ca_certs_location" => &mut crypto.ca_certs_location,
        "cert_location" => &mut crypto.cert_location,
        "priv_key_location" => &mut crypto.priv_key_location,
        "pub_key_location" => &mut crypto.pub_key_location,
        "tls_ciphers" => &mut crypto.tls_ciphers,
        "tls_protocol" => &mut crypto.tls_protocol,
        "tls_version" => &mut crypto.tls_version,
        _ => return None,
    }))
}

impl Target<'_> {
    /// Sets the value, or says why it is none that is understood.
    fn set(self, line: usize, key: &str, value: &Text) -> Result<(), Reason> {
        if value.damaged {
            return Err(Reason::NotUtf8);
        }
        let value = value.text.as_str();
        if is_interpolated(value) {
            let key = key.to_owned();
            return Err(Reason::Interpolation { key });
        }
        let unknown = |known| Reason::UnknownValue {
            key: key.to_owned(),
            value: value.to_owned(),
            known,
        };
        match self {
            Self::Boolean(target) => {
                let value = boolean(value).ok_or_else(|| unknown(BOOLEANS))?;
                *target = Some(Setting { line, value });
            }
            Self::ClientCertificate(target) => {
                let lower = value.to_ascii_lowercase();
                let value = lower
                    .parse()
                    .map_err(|_| unknown(ClientCertificate::NAMES))?;
                *target = Some(Setting { line, value });
            }
            Self::Text(target) => {
                let value = value.to_owned();
                *target = Some(Setting { line, value });
            }
        }
        Ok(())
    }
}

/// The words of ConfigObj's `as_bool`; each true one stands before its false one.
const BOOLEANS: &[&str] = &["true", "false", "yes", "no", "on", "off", "1", "0"];

fn boolean(value: &str) -> Option<bool> {
    let mut words = BOOLEANS.iter();
    let at = words.position(|word| value.eq_ignore_ascii_case(word))?;
    Some(at % 2 == 0)
}

/// A `tls_protocol` that speaks TLS 1.2 and 1.3 (Python 3).
pub(super) const TLS_PROTOCOL: &str = "TLS_SERVER";

/// `tls_ciphers`: for TLS 1.2; those of TLS 1.3 are not chosen there.
pub(super) const TLS_CIPHERS: &str = "\
    ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:\
    ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:\
    ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:\
    DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305";

/// Whether the value has a `%(NAME)s`.
fn is_interpolated(value: &str) -> bool {
    let mut names = value.split("%(").skip(1);
    names.any(|rest| {
        let name = rest.split_once(')');
        name.is_some_and(|(_, behind)| behind.starts_with('s'))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reading(text: impl AsRef<[u8]>) -> Reading<ServerConf, Reason> {
        read_server_conf(text.as_ref())
    }

    /// The values of a file without problems.
    fn conf(text: &str) -> ServerConf {
        let reading = reading(text);
        assert_eq!(reading.problems, [], "{text}");
        reading.value
    }

    /// Line and message of each problem, and whether the server does not start.
    fn problems(text: impl AsRef<[u8]>) -> Vec<(usize, String, bool)> {
        let problems = reading(text).problems.into_iter();
        let each = |problem: Problem<Reason>| {
            let refused = problem.reason.is_refused();
            (problem.line, problem.to_string(), refused)
        };
        problems.map(each).collect()
    }

    fn at<T>(line: usize, value: T) -> Option<Setting<T>> {
        Some(Setting { line, value })
    }

    fn text(line: usize, value: &str) -> Option<Setting<String>> {
        at(line, value.to_owned())
    }

    const ZATO: &str = "\
[main]
gunicorn_bind=0.0.0.0:17010
gunicorn_worker_class=gevent

[crypto]
use_tls=False
tls_version=TLSv1
tls_ciphers=EECDH+AES:EDH+AES:-SHA1:!aNULL # no comma
tls_client_certs=optional
priv_key_location=zato-server-priv-key.pem
pub_key_location=zato-server-pub-key.pem
cert_location=zato-server-cert.pem
ca_certs_location=zato-server-ca-certs.pem

[odb]
use_tls=1
";

    #[test]
    fn the_sections_of_zatos_template_are_read() {
        let expected = ServerConf {
            gunicorn_bind: text(2, "0.0.0.0:17010"),
            crypto: Some(CryptoSettings {
                line: 5,
                use_tls: at(6, false),
                tls_protocol: None,
                tls_version: text(7, "TLSv1"),
                tls_ciphers: text(8, "EECDH+AES:EDH+AES:-SHA1:!aNULL"),
                tls_client_certs: at(9, ClientCertificate::Optional),
                priv_key_location: text(10, "zato-server-priv-key.pem"),
                pub_key_location: text(11, "zato-server-pub-key.pem"),
                cert_location: text(12, "zato-server-cert.pem"),
                ca_certs_location: text(13, "zato-server-ca-certs.pem"),
            }),
        };
        assert_eq!(conf(ZATO), expected);
        assert_eq!(conf(&ZATO.replace('\n', "\r\n")), expected);
        assert_eq!(conf(&format!("\u{feff}{ZATO}")), expected);
        assert_eq!(conf(""), ServerConf::default());
    }

    #[test]
    fn a_boolean_is_one_of_configobjs_words() {
        for (word, expected) in [
            ("True", true),
            ("yes", true),
            ("ON", true),
            ("'1'", true),
            ("False", false),
            ("no", false),
            ("off", false),
            ("0", false),
        ] {
            let conf = conf(&format!("[crypto]\nuse_tls = {word}\n"));
            assert_eq!(conf.crypto.unwrap().use_tls, at(2, expected), "{word}");
        }
    }

    #[test]
    fn case_matters_for_keys_and_sections_and_not_for_what_is_asked_of_clients() {
        let conf = conf("[Crypto]\nuse_tls=1\n[crypto]\nUse_TLS=1\ntls_client_certs=REQUIRED\n");
        let crypto = conf.crypto.unwrap();
        assert_eq!((crypto.line, crypto.use_tls), (3, None));
        assert_eq!(crypto.tls_client_certs, at(5, ClientCertificate::Required));
    }

    #[test]
    fn only_the_section_itself_counts() {
        let text = "cert_location=a\n[x]\n[[crypto]]\ncert_location=b\n[crypto]\n[[y]]\n\
                    cert_location=c\n[main]\n";
        assert_eq!(conf(text).crypto.unwrap().cert_location, None);
    }

    #[test]
    fn a_text_of_several_lines_hides_what_looks_like_a_key() {
        let conf = conf(
            "[a]\nb='''x\n[crypto]\nuse_tls=1\n''' # y\n[crypto]\ncert_location=\"\"\"a\nb\"\"\"\n",
        );
        let crypto = conf.crypto.unwrap();
        assert_eq!((crypto.line, crypto.use_tls), (6, None));
        assert_eq!(crypto.cert_location, text(7, "a\nb"));
    }

    const WRONG: &str = "\
[crypto]
use_tls=maybe
use_tls=True
tls_client_certs=all
cert_location=a, b
ca_certs_location=%(here)s/ca.pem
priv_key_location='a
pub_key_location=100%
tls_ciphers=a,,b
nonsense
[main]
[crypto]
tls_protocol=TLS
[[a]
[[[b]]]
[d]
x='''
";

    #[test]
    fn all_problems_come_in_one_run_each_with_its_line() {
        let expected: &[(usize, &str, bool)] = &[
            (
                2,
                "`use_tls` does not take `maybe`, but one of: true, false, yes, no, on, off, 1, 0",
                true,
            ),
            (3, "the key `use_tls` is on line 2 already", true),
            (
                4,
                "`tls_client_certs` does not take `all`, but one of: none, optional, required",
                true,
            ),
            (5, "the value of `cert_location` is a list", false),
            (
                6,
                "the value of `ca_certs_location` stands for another one",
                false,
            ),
            (
                7,
                "the quotes or commas of `priv_key_location` do not fit",
                true,
            ),
            (9, "the quotes or commas of `tls_ciphers` do not fit", true),
            (10, "the line is neither a section nor `key = value`", true),
            (12, "the section `crypto` is on line 1 already", true),
            (14, "the section's brackets do not fit", true),
            (15, "the section's brackets do not fit", true),
            (17, "the quotes or commas of `x` do not fit", true),
        ];
        let expected: Vec<_> = expected
            .iter()
            .map(|(line, message, refused)| (*line, (*message).to_owned(), *refused))
            .collect();
        assert_eq!(problems(WRONG), expected);
        let crypto = reading(WRONG).value.crypto.unwrap();
        assert_eq!(crypto.pub_key_location, text(8, "100%"));
        assert_eq!(crypto.tls_protocol, None);
    }

    #[test]
    fn quotes_and_commas_together_are_not_understood_where_they_matter() {
        let text = "[crypto]\ncert_location='a', 'b'\ncert_location='a'\nx='a', 'b'\n";
        let message = "the value of `cert_location` has both quotes and commas".to_owned();
        assert_eq!(problems(text), [(2, message, false)]);
    }

    #[test]
    fn bytes_that_configobj_reads_differently_are_said() {
        let text = b"[crypto]\n# \xff\n# \x0c use_tls=1\nuse_tls=1\n";
        assert_eq!(
            problems(text),
            [
                (2, "the line is not UTF-8".to_owned(), true),
                (
                    3,
                    "the line has a character that ends it for ConfigObj".to_owned(),
                    false
                ),
            ]
        );
        assert_eq!(reading(text).value.crypto.unwrap().use_tls, at(4, true));
    }

    /// They would take minutes if anything were read again for each of their pieces.
    #[test]
    fn long_texts_are_read_in_one_pass() {
        let pieces = [
            "'", "''' ", "\"\"\"\n", "[", "] ", "= ", ",'", " ", "%(", "a=''' ", "[a]\n", "a='b\n",
        ];
        for piece in pieces {
            for start in ["", "a='", "a='''", "[crypto]\ncert_location="] {
                let text = format!("{start}{}{}", piece.repeat(20_000), " ".repeat(20_000));
                reading(&text);
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            reading(&bytes);
        }

        #[test]
        fn no_words_make_the_reader_panic(
            text in r#"([\[\]=,#"' \n]|\[crypto\]\n|use_tls|'''|ü){0,60}"#,
        ) {
            let count = text.lines().count().max(1);
            for problem in reading(&text).problems {
                prop_assert!((1..=count).contains(&problem.line));
            }
        }
    }
}
