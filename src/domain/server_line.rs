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
use super::words::{Split, Word, split};

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

impl TlsOptions {
    /// The options of a line that zpki wrote, each as [`ServerOptions::without_tls`] gives it; None when
    /// they are not whole.
    #[must_use]
    pub fn read(options: &[String]) -> Option<Self> {
        let value = |keyword: &str| {
            options.iter().find_map(|option| {
                let mut words = split(option).words.into_iter();
                let is_it = words.next()?.value == keyword;
                words.next().filter(|_| is_it).map(|word| word.value)
            })
        };
        let path = |keyword| value(keyword).map(|path| path.parse()).transpose().ok();
        let verifyhost = value("verifyhost").map(|name| name.parse()).transpose();
        Some(Self {
            ca_file: path("ca-file")??,
            crt: path("crt")?,
            crl_file: path("crl-file")?,
            verifyhost: verifyhost.ok()?,
        })
    }
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
        let split_text = split(text);
        if !split_text.is_complete() {
            return Err(refused(UNFINISHED));
        }
        let Split { words, comment, .. } = split_text;
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
        if kept.iter().any(|word| !split(word).is_complete()) {
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

/// An option of a server line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ServerOption<'a> {
    /// Its keyword, and its argument if it has one.
    pub words: &'a [Word],
    /// Whether it is one of zpki's.
    pub is_tls: bool,
    /// Whether it lacks the argument that it takes.
    pub is_cut_off: bool,
}

/// The options that `words` are, those behind a server's name and address.
#[must_use]
pub fn options(words: &[Word]) -> Vec<ServerOption<'_>> {
    let mut options = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let own = OWNED.iter().find(|(name, _)| *name == word.value);
        let with_argument =
            own.map_or_else(|| takes_argument(&word.value), |(_, argument)| *argument);
        let end = at + 1 + usize::from(with_argument);
        options.push(ServerOption {
            words: &words[at..end.min(words.len())],
            is_tls: own.is_some(),
            is_cut_off: end > words.len(),
        });
        at = end;
    }
    options
}

/// The words that are not zpki's, and zpki's options, each with its argument.
fn sorted(words: &[Word]) -> (Vec<&Word>, Vec<&[Word]>) {
    let (owned, kept): (Vec<_>, Vec<_>) = options(words).into_iter().partition(|o| o.is_tls);
    (
        kept.into_iter().flat_map(|option| option.words).collect(),
        owned.into_iter().map(|option| option.words).collect(),
    )
}

/// Whether `word` is an option of a server line that takes one argument and is none of zpki's.
#[must_use]
pub fn takes_argument(word: &str) -> bool {
    WITH_ARGUMENT.contains(&word) || word.starts_with("set-proxy-v2-tlv-fmt(")
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn what_zpki_wrote_reads_back() {
        let line = "check ssl verify required ca-file '/a b/ca' crt /x crl-file /y sni str(a.b) check-sni a.b verifyhost a.b";
        let (_, options) = ServerOptions::without_tls(line).unwrap();
        let expected = TlsOptions {
            ca_file: "/a b/ca".parse().unwrap(),
            crt: Some("/x".parse().unwrap()),
            crl_file: Some("/y".parse().unwrap()),
            verifyhost: Some("a.b".parse().unwrap()),
        };
        assert_eq!(TlsOptions::read(&options), Some(expected));
        for incomplete in ["ssl verify required", "ssl ca-file", "ssl ca-file ca.pem"] {
            let (_, options) = ServerOptions::without_tls(incomplete).unwrap();
            assert_eq!(TlsOptions::read(&options), None, "{incomplete}");
        }
    }

    #[test]
    fn an_option_at_the_end_may_lack_its_argument() {
        for (text, is_cut_off) in [("check inter", true), ("ssl", false), ("inter ssl", false)] {
            let words = split(text).words;
            assert_eq!(options(&words).last().unwrap().is_cut_off, is_cut_off);
        }
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
