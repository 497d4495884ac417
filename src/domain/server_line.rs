//! HAProxy's server line, as values: `server NAME HOST:PORT options # ZATO ...`.
//!
//! A line holds options of three owners: HAProxy's user (`check inter 2s`), zpki ([`TlsOptions`])
//! and Zato's agent (the trailing comment). zpki touches only its own, so it must split a line
//! exactly as HAProxy does.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use super::address::Address;
use super::error::Invalid;
use super::host::DnsName;
use super::name::EntryName;
use super::settings::{AbsolutePath, Backend};
use super::text::serialize_as_text;

/// One server line of the cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerLine {
    /// The backend it belongs to.
    pub backend: Backend,
    /// The server.
    pub name: EntryName,
    /// Where HAProxy reaches it.
    pub address: Address,
    /// Options that are not zpki's.
    pub options: ServerOptions,
    /// zpki's options.
    pub tls: TlsOptions,
}

/// zpki's options of a server line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsOptions {
    /// `ca-file`: the trust bundle that the server's certificate is verified against.
    pub ca_file: AbsolutePath,
    /// `crt`: the load-balancer's private key and certificate.
    pub crt: Option<AbsolutePath>,
    /// `crl-file`.
    pub crl_file: Option<AbsolutePath>,
    /// The name that the server's certificate must have, as `sni`, `check-sni` and `verifyhost`.
    pub verifyhost: Option<DnsName>,
}

/// What stands on a server line between the port and Zato's comment, without zpki's options:
/// words as they were written, and a comment of the user's own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerOptions {
    words: String,
    comment: Option<String>,
}

serialize_as_text!(ServerOptions);

/// Zato's own default.
impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            words: "check inter 2s rise 2 fall 2".to_owned(),
            comment: None,
        }
    }
}

impl FromStr for ServerOptions {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (options, tls) = Self::without_tls(text)?;
        if !tls.is_empty() {
            return Err(Invalid::Options {
                text: text.to_owned(),
                because: "contain TLS options, which zpki writes itself",
            });
        }
        Ok(options)
    }
}

impl ServerOptions {
    /// The options of a line that may have TLS options of zpki's already, and those.
    ///
    /// # Errors
    /// [`Invalid::Options`] for text that cannot stand on one line before Zato's comment.
    pub fn without_tls(text: &str) -> Result<(Self, Vec<String>), Invalid> {
        let refused = |because| Invalid::Options {
            text: text.to_owned(),
            because,
        };
        if text.chars().any(|c| c.is_control() && c != '\t') {
            return Err(refused("contain a control character"));
        }
        let Split {
            words,
            comment,
            complete,
        } = split(text);
        if !complete {
            return Err(refused(UNFINISHED));
        }
        let (kept, owned) = sorted(&words);
        let kept: Vec<&str> = kept
            .iter()
            .map(|word| &text[word.start..word.end])
            .collect();
        let owned = owned
            .iter()
            .filter_map(|option| Some((option.first()?, option.last()?)));
        let owned = owned
            .map(|(first, last)| text[first.start..last.end].to_owned())
            .collect();
        // A backslash before a tab is one of its own; before the space that is written it is not.
        if kept.iter().any(|word| !split(word).complete) {
            return Err(refused(UNFINISHED));
        }
        let options = Self {
            words: kept.join(" "),
            comment: comment.map(|at| text[at..].trim_end().to_owned()),
        };
        if options.has_zato_mark() {
            return Err(refused(
                "contain `# ZATO `, the mark of Zato's load-balancer agent",
            ));
        }
        Ok((options, owned))
    }

    /// Whether the agent would see its mark in these options when they stand on a line: it makes
    /// tabs into spaces, and a space follows the options.
    fn has_zato_mark(&self) -> bool {
        format!("{self} ").replace('\t', " ").contains("# ZATO ")
    }

    /// The words.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.words
    }

    /// The user's own comment, from its `#` on.
    #[must_use]
    pub fn comment(&self) -> Option<&str> {
        self.comment.as_deref()
    }
}

impl Display for ServerOptions {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)?;
        match &self.comment {
            Some(comment) if self.words.is_empty() => f.write_str(comment),
            Some(comment) => write!(f, " {comment}"),
            None => Ok(()),
        }
    }
}

const UNFINISHED: &str = "leave a quote open or a backslash escape unfinished";

/// zpki's own options, and whether each takes an argument.
const OWNED: [(&str, bool); 8] = [
    ("ca-file", true),
    ("check-sni", true),
    ("crl-file", true),
    ("crt", true),
    ("sni", true),
    ("ssl", false),
    ("verify", true),
    ("verifyhost", true),
];

/// Options of others that take one argument (HAProxy's configuration manual, 5.2, of 2.6 to 3.4):
/// in `cookie ssl`, `ssl` is a cookie.
const WITH_ARGUMENT: &[&str] = &[
    "addr",
    "agent-addr",
    "agent-inter",
    "agent-port",
    "agent-send",
    "alpn",
    "cc",
    "check-alpn",
    "check-proto",
    "ciphers",
    "ciphersuites",
    "client-sigalgs",
    "cookie",
    "curves",
    "downinter",
    "error-limit",
    "fall",
    "fastinter",
    "guid",
    "hash-key",
    "id",
    "idle-ping",
    "init-addr",
    "init-state",
    "inter",
    "interface",
    "log-bufsize",
    "log-proto",
    "max-reuse",
    "maxconn",
    "maxqueue",
    "minconn",
    "namespace",
    "npn",
    "observe",
    "on-error",
    "on-marked-down",
    "on-marked-up",
    "pool-conn-name",
    "pool-low-conn",
    "pool-max-conn",
    "pool-purge-delay",
    "port",
    "proto",
    "proxy-v2-options",
    "redir",
    "renegotiate",
    "resolve-net",
    "resolve-opts",
    "resolve-prefer",
    "resolvers",
    "rise",
    "shard",
    "sigalgs",
    "slowstart",
    "socks4",
    "source",
    "ssl-max-ver",
    "ssl-min-ver",
    "tcp-md5sig",
    "tcp-ut",
    "track",
    "usesrc",
    "weight",
    "ws",
];

/// The words that are not zpki's, and zpki's options, each with its argument.
fn sorted(words: &[Word]) -> (Vec<&Word>, Vec<&[Word]>) {
    let (mut kept, mut owned) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let own = OWNED.iter().find(|(name, _)| *name == word.value);
        let with_argument =
            own.map_or_else(|| takes_argument(&word.value), |(_, argument)| *argument);
        let end = (at + 1 + usize::from(with_argument)).min(words.len());
        match own {
            Some(_) => owned.push(&words[at..end]),
            None => kept.extend(&words[at..end]),
        }
        at = end;
    }
    (kept, owned)
}

fn takes_argument(word: &str) -> bool {
    WITH_ARGUMENT.contains(&word) || word.starts_with("set-proxy-v2-tlv-fmt(")
}

/// One word of a configuration line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Word {
    /// Where it begins, in bytes, quotes included.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// What HAProxy takes it for: quotes and backslashes resolved. Environment variables are not
    /// expanded.
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
    /// Whether every quote was closed and every escape was whole.
    pub complete: bool,
}

/// Splits a line as HAProxy does (its configuration manual, 2.2): white space separates words;
/// `'...'` takes all literally; within `"..."` and outside quotes a backslash escapes some
/// characters and is itself before the others.
#[must_use]
pub fn split(line: &str) -> Split {
    let mut split = Split {
        words: Vec::new(),
        comment: None,
        complete: true,
    };
    let mut at = 0;
    loop {
        match line.as_bytes().get(at) {
            None => return split,
            Some(byte) if is_space(*byte) => at += 1,
            Some(b'#') => {
                split.comment = Some(at);
                return split;
            }
            Some(_) => {
                let (word, complete) = word_at(line, at);
                at = word.end;
                split.words.push(word);
                split.complete &= complete;
            }
        }
    }
}

/// C's `isspace`, which HAProxy asks.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn word_at(line: &str, start: usize) -> (Word, bool) {
    let bytes = line.as_bytes();
    let mut value = Vec::new();
    let mut quote = None;
    let mut complete = true;
    let mut end = start;
    while let Some(&byte) = bytes.get(end) {
        end += 1;
        match (quote, byte) {
            (None, _) if is_space(byte) || byte == b'#' => {
                end -= 1;
                break;
            }
            (None, b'\'' | b'"') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            (None | Some(b'"'), b'\\') => match escape(&bytes[end..], quote.is_some()) {
                Some((escaped, length)) => {
                    value.push(escaped);
                    end += length;
                }
                None => complete = false,
            },
            _ => value.push(byte),
        }
    }
    let word = Word {
        start,
        end,
        value: String::from_utf8_lossy(&value).into_owned(),
    };
    (word, complete && quote.is_none())
}

/// What a backslash before `rest` stands for, and how many bytes of `rest` belong to it; nothing
/// when HAProxy would refuse it.
fn escape(rest: &[u8], in_double_quotes: bool) -> Option<(u8, usize)> {
    Some(match *rest.first()? {
        byte @ (b' ' | b'"' | b'#' | b'\'' | b'\\') => (byte, 1),
        b'$' if in_double_quotes => (b'$', 1),
        b'n' => (b'\n', 1),
        b'r' => (b'\r', 1),
        b't' => (b'\t', 1),
        b'x' => {
            let digit = |at: usize| char::from(*rest.get(at)?).to_digit(16);
            (u8::try_from(digit(1)? * 16 + digit(2)?).ok()?, 3)
        }
        _ => (b'\\', 0),
    })
}

#[cfg(test)]
mod tests {
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
        assert!(!split("'a").complete && !split("a\\").complete && !split(r"\xg1").complete);
        assert_eq!(
            values(r#"/a\b \$c "\$d" \t \x41\#"#),
            [r"/a\b", r"\$c", "$d", "\t", "A#"]
        );
    }

    #[test]
    fn tls_options_are_taken_out_and_the_rest_stays_as_written() {
        let line = r#"check inter 2s ssl verify required ca-file "/a b" weight 10 crt /x sni str(a) check-sni a verifyhost a cookie ssl # mine"#;
        let (options, tls) = ServerOptions::without_tls(line).unwrap();
        let expected = [
            "ssl",
            "verify required",
            r#"ca-file "/a b""#,
            "crt /x",
            "sni str(a)",
            "check-sni a",
            "verifyhost a",
        ];
        assert_eq!(tls, expected);
        assert_eq!(
            options.to_string(),
            "check inter 2s weight 10 cookie ssl # mine"
        );
        assert_eq!(options.words(), "check inter 2s weight 10 cookie ssl");
        let (options, tls) = ServerOptions::without_tls("# only a comment").unwrap();
        assert!(tls.is_empty());
        assert_eq!(options.to_string(), "# only a comment");
    }

    #[test]
    fn options_that_would_break_the_line_are_refused() {
        let message = |text: &str| text.parse::<ServerOptions>().unwrap_err().to_string();
        assert_eq!(
            message("check ssl"),
            "the options `check ssl` contain TLS options, which zpki writes itself"
        );
        assert_eq!(
            message("a\nb"),
            r"the options `a\nb` contain a control character"
        );
        assert_eq!(
            message("check \\"),
            r"the options `check \` leave a quote open or a backslash escape unfinished"
        );
        assert!(message("\\\tcheck").ends_with(UNFINISHED));
        for mark in ["a # ZATO x", "a # ZATO", "a # ZATO\tx", r"a \# ssl ZATO x"] {
            let refusal = ServerOptions::without_tls(mark).unwrap_err().to_string();
            assert!(
                refusal.ends_with("contain `# ZATO `, the mark of Zato's load-balancer agent"),
                "{refusal}"
            );
        }
    }
}
