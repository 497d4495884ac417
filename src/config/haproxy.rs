//! HAProxy's server lines in the form that Zato's load-balancer agent keeps them in zato.config:
//!
//! ```text
//! # ZATO begin backend bck_http_plain
//!
//!     server http_plain--server1 10.0.0.11:17010 check # ZATO backend bck_http_plain:server--server1
//!
//! # ZATO end backend bck_http_plain
//! ```
//!
//! The agent and its web console read less than HAProxy does, so a line that only HAProxy reads is
//! refused. [`read_configuration`] reads what HAProxy reads.

mod bind;
mod configuration;
mod crt_list;
mod edit;
mod environment;
mod global;
mod health_check;
mod options;
pub mod reason;
mod section;
mod server;
pub mod statistics;

pub use configuration::read_configuration;
pub use crt_list::read_crt_list;
pub use edit::{Edited, EditedLine, Scope, UnknownLine, Wanted, edit};

use std::borrow::Cow;

use super::unreadable::{Reason, SourceLine, Unreadable};
use crate::domain::address::Address;
use crate::domain::error::Invalid;
use crate::domain::host::DnsName;
use crate::domain::name::EntryName;
use crate::domain::server_line::{ServerLine, ServerOptions, TlsOptions};
use crate::domain::settings::{AbsolutePath, Backend};
use crate::domain::words::split;

/// A server as a zato.config has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FoundServer {
    /// The number of its line, from 1.
    pub line: usize,
    /// Its name, without the agent's prefix.
    pub name: EntryName,
    /// Where HAProxy reaches it.
    pub address: Address,
    /// Its options, without those for TLS.
    pub options: ServerOptions,
    /// The TLS options that were taken out, each with its argument.
    pub tls: Vec<String>,
}

/// The servers in the block of `backend`, in the order of the file. Other lines of the file do not
/// matter, whatever their bytes, nor do the comments within the block.
///
/// # Errors
/// Everything that is wrong with the block and its server lines, in the order of the file.
pub fn read_servers(text: &[u8], backend: &Backend) -> Result<Vec<FoundServer>, Vec<Unreadable>> {
    let (servers, unreadable) = block_servers(&lines(text), backend);
    if unreadable.is_empty() {
        Ok(servers)
    } else {
        Err(unreadable)
    }
}

/// The servers in the block of `backend` that can be read, and everything that cannot, each in the
/// order of the file.
fn block_servers(lines: &[Line<'_>], backend: &Backend) -> (Vec<FoundServer>, Vec<Unreadable>) {
    let (block, mut unreadable) = find_block(lines, backend);
    let mut servers: Vec<FoundServer> = Vec::new();
    let block = block.unwrap_or_default();
    for line in block.iter().filter(|line| line.has_server(backend)) {
        match read_server(line, backend).and_then(|server| unlike(&servers, server)) {
            Ok(server) => servers.push(server),
            Err(reasons) => {
                unreadable.extend(
                    reasons
                        .into_iter()
                        .map(|reason| line.refused(backend, reason)),
                );
            }
        }
    }
    sort(&mut unreadable);
    (servers, unreadable)
}

/// Into the order of the file.
fn sort(unreadable: &mut [Unreadable]) {
    unreadable.sort_by_key(|unreadable| unreadable.at.as_ref().map(|at| at.number));
}

/// One line of the file.
#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    /// Where `bytes` begin in the file.
    start: usize,
    /// Without indentation and line end.
    bytes: &'a [u8],
}

fn lines(text: &[u8]) -> Vec<Line<'_>> {
    let mut next = 0;
    text.split(|byte| *byte == b'\n')
        .zip(1..)
        .map(|(bytes, number)| {
            let indented = bytes.trim_ascii_start();
            let start = next + bytes.len() - indented.len();
            next += bytes.len() + 1;
            Line {
                number,
                start,
                bytes: indented.trim_ascii_end(),
            }
        })
        .collect()
}

/// The backends that Zato's agent has marked, as the file names them.
pub fn backends(text: &[u8]) -> impl Iterator<Item = String> {
    let lines = lines(text).into_iter();
    lines.filter_map(|line| line.begun_backend())
}

impl Line<'_> {
    /// The backend whose block begins here.
    fn begun_backend(&self) -> Option<String> {
        let name = self.bytes.strip_prefix(b"# ZATO begin backend ")?;
        Some(String::from_utf8_lossy(name).into_owned())
    }

    /// Whether it is a server's, even in a form that is refused: lines that only resemble one must
    /// not be passed over in silence.
    fn has_server(&self, backend: &Backend) -> bool {
        let text = self.text();
        let keyword = text.split_whitespace().next().unwrap_or_default();
        !text.starts_with('#')
            && (keyword.to_ascii_lowercase().starts_with("server")
                || text.contains(&format!("{ZATO_MARK}{}", zato_comment(backend, ""))))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes).into_owned()
    }

    fn refused(&self, backend: &Backend, reason: Reason) -> Unreadable {
        Unreadable {
            backend: backend.clone(),
            at: Some(SourceLine {
                number: self.number,
                text: self.text(),
            }),
            reason,
        }
    }
}

/// The lines of the first whole block, and what is wrong with the markers.
fn find_block<'a, 'b>(
    lines: &'b [Line<'a>],
    backend: &Backend,
) -> (Option<&'b [Line<'a>]>, Vec<Unreadable>) {
    let (begin, end) = (begin_marker(backend), end_marker(backend));
    let mut unreadable = Vec::new();
    let mut first: Option<usize> = None;
    let mut open: Option<usize> = None;
    let mut block = None;
    for (index, line) in lines.iter().enumerate() {
        if line.bytes == begin.as_bytes() {
            if let Some(open) = open.replace(index) {
                unreadable.push(lines[open].refused(backend, Reason::BlockNotClosed));
            }
            match first {
                Some(first) => {
                    unreadable.push(line.refused(backend, Reason::BlockTwice { first }));
                }
                None => first = Some(line.number),
            }
        } else if line.bytes == end.as_bytes() {
            match open.take() {
                Some(open) => block = block.or(Some(open..index)),
                None => unreadable.push(line.refused(backend, Reason::BlockNotOpened)),
            }
        }
    }
    if let Some(open) = open {
        unreadable.push(lines[open].refused(backend, Reason::BlockNotClosed));
    }
    if block.is_none() && unreadable.is_empty() {
        unreadable.push(not_found(lines, backend));
    }
    let block = block.map(|block| &lines[block]);
    if let Some([begin, within @ ..]) = block
        && !within.iter().any(|line| line.has_server(backend))
    {
        unreadable.push(begin.refused(backend, Reason::BlockWithoutServers));
    }
    (block, unreadable)
}

fn not_found(lines: &[Line<'_>], backend: &Backend) -> Unreadable {
    let others = lines.iter().filter_map(Line::begun_backend).collect();
    Unreadable {
        backend: backend.clone(),
        at: None,
        reason: Reason::BlockNotFound { others },
    }
}

/// Reads one server line; name, address and options are each judged.
fn read_server(line: &Line<'_>, backend: &Backend) -> Result<FoundServer, Vec<Reason>> {
    let written = Written::of(line).map_err(|reason| vec![reason])?;
    let options = ServerOptions::without_tls(written.options).map_err(value);
    match (written.name(backend), written.address(), options) {
        (Ok(name), Ok(address), Ok((options, tls))) => Ok(FoundServer {
            line: line.number,
            name,
            address,
            options,
            tls,
        }),
        (name, address, options) => Err([name.err(), address.err(), options.err()]
            .into_iter()
            .flatten()
            .collect()),
    }
}

/// The parts of a server line as they are written.
struct Written<'a> {
    name: &'a str,
    address: &'a str,
    options: &'a str,
    zato_comment: &'a str,
}

impl<'a> Written<'a> {
    fn of(line: &Line<'a>) -> Result<Self, Reason> {
        let text = str::from_utf8(line.bytes).map_err(|_| Reason::NotUtf8)?;
        let keyword = text.split_whitespace().next().unwrap_or_default();
        if keyword != "server" {
            return Err(Reason::Keyword {
                keyword: keyword.to_owned(),
            });
        }
        if text.ends_with('\\') {
            return Err(Reason::Continuation);
        }
        let (front, zato_comment) = text
            .split_once(ZATO_MARK)
            .ok_or(Reason::ZatoCommentMissing)?;
        if zato_comment.contains(ZATO_MARK) {
            return Err(Reason::ZatoCommentTwice);
        }
        let words = split(front).words;
        let [_, name, address, ..] = words.as_slice() else {
            return Err(Reason::Incomplete);
        };
        Ok(Self {
            name: &front[name.start..name.end],
            address: &front[address.start..address.end],
            options: &front[address.end..],
            zato_comment,
        })
    }

    /// The agent has the name twice on the line, and its web console fails when they differ.
    fn name(&self, backend: &Backend) -> Result<EntryName, Reason> {
        let Some(name) = self.name.strip_prefix(&backend.server_prefix()) else {
            return Err(Reason::Prefix {
                name: self.name.to_owned(),
            });
        };
        let expected = zato_comment(backend, name);
        if self.zato_comment != expected {
            return Err(Reason::ZatoComment {
                found: self.zato_comment.to_owned(),
                expected,
            });
        }
        name.parse().map_err(value)
    }

    fn address(&self) -> Result<Address, Reason> {
        let socket = ["/", "abns@", "fd@", "sockpair@", "unix@"];
        if socket.iter().any(|start| self.address.starts_with(start)) {
            return Err(Reason::UnixSocket {
                address: self.address.to_owned(),
            });
        }
        self.address.parse().map_err(value)
    }
}

fn value(invalid: Invalid) -> Reason {
    Reason::Value { invalid }
}

/// `server`, unless an earlier one has its name; names that differ only in case would share a
/// folder on some file systems.
fn unlike(earlier: &[FoundServer], server: FoundServer) -> Result<FoundServer, Vec<Reason>> {
    match earlier
        .iter()
        .find(|other| other.name.same_folder(&server.name))
    {
        Some(other) => Err(vec![Reason::DuplicateName {
            name: server.name,
            other: other.name.clone(),
            line: other.line,
        }]),
        None => Ok(server),
    }
}

/// What stands before everything that Zato's agent says about a line.
const ZATO_MARK: &str = "# ZATO ";

/// What the agent says about a server line, behind the mark.
fn zato_comment(backend: &Backend, name: &str) -> String {
    format!("backend {backend}:server--{name}")
}

/// The line before the server lines of `backend`.
#[must_use]
pub fn begin_marker(backend: &Backend) -> String {
    format!("{ZATO_MARK}begin backend {backend}")
}

/// The line behind the server lines of `backend`.
#[must_use]
pub fn end_marker(backend: &Backend) -> String {
    format!("{ZATO_MARK}end backend {backend}")
}

/// The server line for zato.config: one line, without indentation and line end. The agent wants
/// its comment last and to the byte.
#[must_use]
pub fn server_line(line: &ServerLine) -> String {
    let ServerLine {
        backend,
        name,
        address,
        options,
        tls,
    } = line;
    let mut text = format!("server {}{name} {address}", backend.server_prefix());
    if !options.words().is_empty() {
        text.extend([" ", options.words()]);
    }
    text.extend([" ", &tls_words(tls)]);
    if let Some(comment) = options.comment() {
        text.extend([" ", comment]);
    }
    text.extend([" ", ZATO_MARK, &zato_comment(backend, name.as_str())]);
    text
}

/// The name is given three times: `sni` alone would leave the health check without a name, and
/// from HAProxy 3.3 on `verifyhost` alone yields to the client's Host header.
fn tls_words(tls: &TlsOptions) -> String {
    let mut words = format!("ssl verify required ca-file {}", quoted(&tls.ca_file));
    if let Some(crt) = &tls.crt {
        words.extend([" crt ", &quoted(crt)]);
    }
    if let Some(crl_file) = &tls.crl_file {
        words.extend([" crl-file ", &quoted(crl_file)]);
    }
    if let Some(name) = tls.verifyhost.as_ref().map(DnsName::as_str) {
        words.extend([
            " sni str(",
            name,
            ") check-sni ",
            name,
            " verifyhost ",
            name,
        ]);
    }
    words
}

/// `path` as one word of HAProxy's configuration: in single quotes where it needs any, for in
/// double quotes `$` expands.
#[must_use]
pub fn quoted(path: &AbsolutePath) -> Cow<'_, str> {
    let bare = |octet: u8| octet.is_ascii_alphanumeric() || b"/._-+,:@%=~".contains(&octet);
    let path = path.as_str();
    if path.bytes().all(bare) {
        path.into()
    } else {
        format!("'{}'", path.replace('\'', r"'\''")).into()
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::fs;
    use std::path::Path;
    use std::process::{Command, Output};

    use proptest::prelude::*;

    use super::*;

    fn backend() -> Backend {
        Backend::default()
    }

    /// A zato.config whose block holds `lines`; the block's first line is line 5.
    fn zato_config(lines: &str) -> String {
        format!(
            "global\n\nbackend bck_http_plain\n# ZATO begin backend bck_http_plain\n{lines}\n\
             # ZATO end backend bck_http_plain\n\nfrontend front_http_plain\n"
        )
    }

    fn read(lines: &str) -> Vec<FoundServer> {
        read_servers(zato_config(lines).as_bytes(), &backend()).unwrap()
    }

    /// Line number, reason and hint of everything that is wrong.
    fn refused(text: impl AsRef<[u8]>) -> Vec<(usize, String, String)> {
        read_servers(text.as_ref(), &backend())
            .unwrap_err()
            .iter()
            .map(|unreadable| {
                let number = unreadable.at.as_ref().map_or(0, |at| at.number);
                (number, unreadable.to_string(), unreadable.hint())
            })
            .collect()
    }

    /// The reasons for refusing `line`, which stands alone in the block.
    fn reasons(line: &str) -> Vec<String> {
        let refused = refused(zato_config(line));
        assert!(refused.iter().all(|(number, ..)| *number == 5));
        refused.into_iter().map(|(_, reason, _)| reason).collect()
    }

    const ZATO: &str = "    server http_plain--server1 127.0.0.1:17010 check inter 2s rise 2 fall 2 # ZATO backend bck_http_plain:server--server1";

    #[test]
    fn the_line_that_zato_makes_is_read() {
        assert_eq!(
            read(ZATO),
            [FoundServer {
                line: 5,
                name: "server1".parse().unwrap(),
                address: "127.0.0.1:17010".parse().unwrap(),
                options: ServerOptions::default(),
                tls: vec![],
            }]
        );
    }

    #[test]
    fn layout_comments_and_other_lines_do_not_matter() {
        let text = format!(
            "\n\t#{ZATO}\n  \n\tserver\thttp_plain--a-b.c_d app_1:1 # ZATO backend bck_http_plain:server--a-b.c_d \n\
             balance leastconn\n{ZATO}\n"
        );
        for text in [text.clone(), text.replace('\n', "\r\n")] {
            let servers = read(&text);
            let names: Vec<_> = servers
                .iter()
                .map(|server| {
                    (
                        server.line,
                        server.name.as_str(),
                        server.options.to_string(),
                    )
                })
                .collect();
            assert_eq!(
                names,
                [
                    (8, "a-b.c_d", String::new()),
                    (10, "server1", "check inter 2s rise 2 fall 2".to_owned())
                ]
            );
        }
    }

    #[test]
    fn markers_may_have_carriage_returns_and_indentation() {
        let text = zato_config(ZATO)
            .replace("# ZATO", "  # ZATO")
            .replace('\n', "\r\n");
        assert_eq!(read_servers(text.as_bytes(), &backend()).unwrap().len(), 1);
    }

    #[test]
    fn a_line_with_tls_is_taken_and_its_tls_options_are_taken_out() {
        let servers = read(
            "server http_plain--s 10.0.0.1:1 check ssl verify required ca-file '/a b' weight 3 # mine # ZATO backend bck_http_plain:server--s",
        );
        assert!(!servers[0].tls.is_empty());
        assert_eq!(servers[0].options.to_string(), "check weight 3 # mine");
    }

    #[test]
    fn other_encodings_matter_only_within_a_server_line() {
        let latin1 = |text: &str| -> Vec<u8> {
            text.chars()
                .map(|c| u8::try_from(u32::from(c)).unwrap())
                .collect()
        };
        let text = zato_config(&format!("# ü\n{ZATO}")).replace("global", "# für\nglobal");
        assert_eq!(read_servers(&latin1(&text), &backend()).unwrap().len(), 1);
        let text = zato_config(&ZATO.replace("check", "check cookie ü"));
        assert_eq!(
            refused(latin1(&text)),
            [(
                5,
                "the line is not UTF-8".to_owned(),
                "write this line in UTF-8".to_owned()
            )]
        );
    }

    #[test]
    fn the_block_of_the_backend_is_needed_whole_and_once() {
        let (begin, end) = (begin_marker(&backend()), end_marker(&backend()));
        let one =
            |number, reason: &str, hint: &str| vec![(number, reason.to_owned(), hint.to_owned())];
        assert_eq!(
            refused(""),
            one(
                0,
                "there is no block of the backend `bck_http_plain`",
                "a zato.config has the servers between `# ZATO begin backend bck_http_plain` and `# ZATO end backend bck_http_plain`"
            )
        );
        assert_eq!(
            refused(format!("{begin}2\n{end}2\n{begin}3\x1b\n")),
            one(
                0,
                "there is no block of the backend `bck_http_plain`",
                r"the file has blocks of: `bck_http_plain2`, `bck_http_plain3\u{1b}`"
            )
        );
        assert_eq!(
            refused(format!("{begin}\n{ZATO}\n")),
            one(
                1,
                "the block of the backend `bck_http_plain` has no end",
                "put `# ZATO end backend bck_http_plain` behind the last server line"
            )
        );
        assert_eq!(
            refused(format!("{ZATO}\n{end}\n")),
            one(
                2,
                "no block of the backend `bck_http_plain` is open here",
                "put `# ZATO begin backend bck_http_plain` before the first server line"
            )
        );
        assert_eq!(
            refused(format!("{begin}\n#{ZATO}\n{end}\n")),
            one(
                1,
                "the block of the backend `bck_http_plain` has no server line",
                "add the servers to the block first"
            )
        );
        assert_eq!(
            refused(format!("{begin}\n{ZATO}\n{end}\n{begin}\n{ZATO}\n{end}\n")),
            one(
                4,
                "the backend `bck_http_plain` has a block already, on line 1",
                "keep one of them: a backend has one block"
            )
        );
    }

    #[test]
    fn all_problems_of_a_file_come_in_one_run_in_its_order() {
        let (begin, end) = (begin_marker(&backend()), end_marker(&backend()));
        let bad =
            "server http_plain--CA [::1]:17010 'check # ZATO backend bck_http_plain:server--CA";
        let numbers: Vec<_> = refused(format!("{end}\n{begin}\nSERVER\n{bad}\n{end}\n{begin}\n"))
            .into_iter()
            .map(|(number, reason, _)| (number, reason))
            .collect();
        let expected = [
            (1, "no block of the backend `bck_http_plain` is open here"),
            (3, "`SERVER` is not `server`"),
            (4, "the name `CA` is zpki's own"),
            (
                4,
                "the address `[::1]:17010` is IPv6, which Zato's load-balancer agent cannot read on a server line",
            ),
            (
                4,
                "the options ` 'check ` leave a quote open or a backslash escape unfinished",
            ),
            (
                6,
                "the backend `bck_http_plain` has a block already, on line 2",
            ),
            (6, "the block of the backend `bck_http_plain` has no end"),
        ];
        assert_eq!(
            numbers,
            expected.map(|(number, reason)| (number, reason.to_owned()))
        );
    }

    #[test]
    fn an_error_has_the_line_itself() {
        let text = zato_config("\tSERVER x\x1b\r");
        let unreadable = read_servers(text.as_bytes(), &backend()).unwrap_err();
        assert_eq!(
            unreadable[0].at,
            Some(SourceLine {
                number: 5,
                text: "SERVER x\x1b".to_owned()
            })
        );
    }

    #[test]
    fn what_the_agent_cannot_read_is_refused_with_the_reason() {
        let with = |from: &str, to: &str| reasons(&ZATO.replacen(from, to, 1));
        assert_eq!(with("server ", "SERVER "), ["`SERVER` is not `server`"]);
        assert_eq!(with("server ", "sever "), ["`sever` is not `server`"]);
        assert_eq!(
            reasons("server-template http_plain-- 3 app:17010"),
            ["`server-template` is not `server`"]
        );
        assert_eq!(
            reasons("server http_plain--server1 127.0.0.1:17010 \\\n check inter 2s"),
            ["the line ends with a backslash"]
        );
        assert_eq!(
            with("127.0.0.1:17010", "[::1]:17010"),
            [
                "the address `[::1]:17010` is IPv6, which Zato's load-balancer agent cannot read on a server line"
            ]
        );
        assert_eq!(with(":17010", ""), ["the address `127.0.0.1` has no port"]);
        assert_eq!(
            with(":17010", ":0"),
            ["the port of `127.0.0.1:0` is `0`, not a number from 1 to 65535"]
        );
        assert_eq!(
            with("127.0.0.1:17010", "/run/app.sock"),
            ["`/run/app.sock` is a Unix socket"]
        );
        assert_eq!(
            with("127.0.0.1:17010", "unix@/run/app.sock"),
            ["`unix@/run/app.sock` is a Unix socket"]
        );
        assert_eq!(
            with("127.0.0.1", "\"$HOST\""),
            ["`\"` is not allowed in the host of the address `\"$HOST\":17010`"]
        );
        assert_eq!(
            with("http_plain--server1", "server1"),
            ["the server name `server1` does not begin with `http_plain--`"]
        );
        assert_eq!(
            with(":server--server1", ":server--server2"),
            [
                "the ZATO comment is `backend bck_http_plain:server--server2`, not `backend bck_http_plain:server--server1`"
            ]
        );
        assert_eq!(
            reasons(&format!("{ZATO} # more")),
            [
                "the ZATO comment is `backend bck_http_plain:server--server1 # more`, not `backend bck_http_plain:server--server1`"
            ]
        );
        assert_eq!(
            with("check", "check # ZATO x"),
            ["the line has `# ZATO ` more than once"]
        );
        assert_eq!(with("# ZATO", "# zato"), ["the line has no ZATO comment"]);
        assert_eq!(
            reasons("server http_plain--server1 # ZATO backend bck_http_plain:server--server1"),
            ["the line lacks a server name or an address"]
        );
        assert_eq!(
            reasons(&ZATO.replace("server1", "a--b")),
            ["the name `a--b` contains `--`"]
        );
        assert_eq!(
            reasons(&ZATO.replace("server1", "../x")),
            ["`/` is not allowed in the entry name `../x`"]
        );
        assert_eq!(
            reasons(&ZATO.replace("server1", "")),
            ["the entry name is empty"]
        );
        assert_eq!(
            with("check", "'check"),
            [
                "the options ` 'check inter 2s rise 2 fall 2 ` leave a quote open or a backslash escape unfinished"
            ]
        );
    }

    #[test]
    fn the_hint_shows_the_form_that_is_read() {
        let hints: Vec<_> = refused(zato_config("server"))
            .into_iter()
            .map(|(_, _, hint)| hint)
            .collect();
        assert_eq!(
            hints,
            [
                "Zato's load-balancer agent reads `server http_plain--NAME HOST:PORT OPTIONS # ZATO backend bck_http_plain:server--NAME`"
            ]
        );
        let refused = refused(zato_config(&ZATO.replacen("127.0.0.1:17010", "app", 1)));
        assert_eq!(
            refused[0].2,
            "an address is HOST:PORT, such as 10.0.0.11:17010"
        );
    }

    #[test]
    fn a_name_is_taken_once() {
        let twice = format!("{ZATO}\n{ZATO}\n{}", ZATO.replace("server1", "Server1"));
        assert_eq!(
            refused(zato_config(&twice)),
            [
                (
                    6,
                    "the server name `server1` is on line 5 already".to_owned(),
                    "give each server a name of its own".to_owned()
                ),
                (
                    7,
                    "the server name `Server1` differs only in case from `server1` on line 5"
                        .to_owned(),
                    "give each server a name of its own".to_owned()
                )
            ]
        );
    }

    #[test]
    fn another_backend_has_its_own_prefix_and_markers() {
        let other: Backend = "apps".parse().unwrap();
        let text = format!(
            "{}\nserver apps--s h:1 # ZATO backend apps:server--s\n{}",
            begin_marker(&other),
            end_marker(&other)
        );
        assert_eq!(
            read_servers(text.as_bytes(), &other).unwrap()[0]
                .name
                .as_str(),
            "s"
        );
    }

    fn path(path: &str) -> AbsolutePath {
        path.parse().unwrap()
    }

    fn example() -> ServerLine {
        ServerLine {
            backend: backend(),
            name: "server1".parse().unwrap(),
            address: "10.0.0.11:17010".parse().unwrap(),
            options: ServerOptions::default(),
            tls: TlsOptions {
                ca_file: path("/tls/ca.cert.pem"),
                crt: None,
                crl_file: None,
                verifyhost: None,
            },
        }
    }

    #[test]
    fn a_line_has_its_options_then_tls_then_comments() {
        assert_eq!(
            server_line(&example()),
            "server http_plain--server1 10.0.0.11:17010 check inter 2s rise 2 fall 2 \
             ssl verify required ca-file /tls/ca.cert.pem \
             # ZATO backend bck_http_plain:server--server1"
        );
        let mut line = example();
        line.options = "weight 3 # rack 2".parse().unwrap();
        line.tls = TlsOptions {
            ca_file: path("/tls/a b.pem"),
            crt: Some(path("/tls/key-cert.pem")),
            crl_file: Some(path("/tls/crl.pem")),
            verifyhost: Some("server1.prod.internal".parse().unwrap()),
        };
        assert_eq!(
            server_line(&line),
            "server http_plain--server1 10.0.0.11:17010 weight 3 ssl verify required \
             ca-file '/tls/a b.pem' crt /tls/key-cert.pem crl-file /tls/crl.pem \
             sni str(server1.prod.internal) check-sni server1.prod.internal \
             verifyhost server1.prod.internal # rack 2 # ZATO backend bck_http_plain:server--server1"
        );
        let bare = ServerLine {
            options: "".parse().unwrap(),
            ..example()
        };
        assert!(server_line(&bare).contains("10.0.0.11:17010 ssl verify"));
    }

    #[test]
    fn a_path_is_quoted_where_haproxy_would_read_something_else() {
        assert_eq!(
            quoted(&path("/opt/a_b-c.d/x+y,z:1@2%3=~")),
            "/opt/a_b-c.d/x+y,z:1@2%3=~"
        );
        assert_eq!(quoted(&path("/a b")), "'/a b'");
        assert_eq!(quoted(&path("/a#b")), "'/a#b'");
        assert_eq!(quoted(&path("/$HOME")), "'/$HOME'");
        assert_eq!(quoted(&path(r"/a\b")), r"'/a\b'");
        assert_eq!(quoted(&path("/it's")), r"'/it'\''s'");
        assert_eq!(quoted(&path("/grün")), "'/grün'");
    }

    prop_compose! {
        fn any_path()(rest in r#"[a-c '"\\#$%ü{}\[\]ZATO/]{0,12}"#) -> AbsolutePath {
            let path = format!("/{rest}");
            path.parse().unwrap_or_else(|_| self::path("/plain"))
        }
    }

    prop_compose! {
        fn any_options()(
            words in prop::collection::vec(
                prop::sample::select(vec![
                    "check", "inter 2s", "cookie 'a b'", r#"cookie "\$x #\"""#, r"weight\ 1", r"\# \'",
                ]),
                0..4,
            ),
            comment in prop::option::of(r#"# [a-c #'"\\ZATO]{0,8}"#),
        ) -> ServerOptions {
            let text = format!("{} {}", words.join(" "), comment.unwrap_or_default());
            text.parse().unwrap_or_default()
        }
    }

    prop_compose! {
        fn any_line()(
            name in "[a-z][a-z0-9._]{0,8}",
            options in any_options(),
            ca_file in any_path(),
            crt in prop::option::of(any_path()),
            crl_file in prop::option::of(any_path()),
            verifyhost in prop::option::of("[a-z]{1,5}\\.internal"),
        ) -> ServerLine {
            ServerLine {
                name: name.parse().unwrap_or_else(|_| "server1".parse().unwrap()),
                options,
                tls: TlsOptions {
                    ca_file,
                    crt,
                    crl_file,
                    verifyhost: verifyhost.map(|name| name.parse().unwrap()),
                },
                ..example()
            }
        }
    }

    fn tls_values(tls: &TlsOptions) -> Vec<String> {
        let mut values = vec!["ssl", "verify", "required", "ca-file", tls.ca_file.as_str()];
        values.extend(tls.crt.iter().flat_map(|crt| ["crt", crt.as_str()]));
        values.extend(
            tls.crl_file
                .iter()
                .flat_map(|crl| ["crl-file", crl.as_str()]),
        );
        let mut values: Vec<String> = values.into_iter().map(str::to_owned).collect();
        if let Some(name) = &tls.verifyhost {
            values.push("sni".to_owned());
            values.push(format!("str({name})"));
            values.extend(
                ["check-sni", name.as_str(), "verifyhost", name.as_str()].map(str::to_owned),
            );
        }
        values
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(line in any_line()) {
            let text = server_line(&line);
            let read = read(&text);
            prop_assert_eq!(read.len(), 1);
            prop_assert_eq!(&read[0].name, &line.name);
            prop_assert_eq!(&read[0].address, &line.address);
            prop_assert_eq!(&read[0].options, &line.options);
            prop_assert!(!read[0].tls.is_empty());
            prop_assert_eq!(text.matches(ZATO_MARK).count(), 1);

            let mut expected = split(line.options.words()).words;
            let values: Vec<String> = split(&text).words.into_iter().skip(3).map(|word| word.value).collect();
            let expected: Vec<String> = expected.drain(..).map(|word| word.value).chain(tls_values(&line.tls)).collect();
            prop_assert_eq!(values, expected);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut text = format!("{}\nserver ", begin_marker(&backend())).into_bytes();
            text.extend(bytes);
            text.extend(format!("\n{}\n", end_marker(&backend())).into_bytes());
            if let Ok(servers) = read_servers(&text, &backend()) {
                prop_assert!(!servers.is_empty());
            }
        }
    }

    /// What the real HAProxy says of a proxy with `lines`; it does not bind the port.
    fn haproxy_check(directory: &Path, lines: &str) -> Output {
        let config = directory.join("haproxy.cfg");
        let text = format!(
            "defaults\n  mode http\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n\
             listen all\n  bind 127.0.0.1:11223\n{lines}"
        );
        fs::write(&config, text).unwrap();
        Command::new("haproxy")
            .env("HOME", "/expanded")
            .args(["-c", "-f"])
            .arg(config)
            .output()
            .expect("haproxy is installed")
    }

    /// A self-signed certificate and its key, in one file.
    fn key_cert(directory: &Path) -> String {
        let output = Command::new("openssl")
            .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test -keyout - -out -".split(' '))
            .current_dir(directory)
            .output()
            .expect("openssl is installed");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn haproxy_opens_the_files_whatever_their_paths() {
        let directory = tempfile::tempdir().unwrap();
        let pem = key_cert(directory.path());
        let names = [
            "plain",
            "a b",
            "a  b ",
            "c#d",
            "# e",
            "$HOME",
            "${HOME}",
            "f'g",
            "''",
            "h\"i",
            "\"j\"",
            r"k\l",
            r"m\",
            r"n\ o",
            r"\x41",
            "%s",
            "ü",
            "p,q;r",
            "[s]*?",
            "~!@^&()|<>`",
            "# ZATO",
            "ssl",
        ];
        let mut lines = String::new();
        for (number, name) in names.iter().enumerate() {
            let folder = directory.path().join(name);
            fs::create_dir(&folder).unwrap();
            let file = folder.join(name);
            fs::write(&file, &pem).unwrap();
            let file = path(file.to_str().unwrap());
            let line = ServerLine {
                name: format!("server{number}").parse().unwrap(),
                options: format!("check cookie 'it # {number}' # it's \"mine\"")
                    .parse()
                    .unwrap(),
                tls: TlsOptions {
                    ca_file: file.clone(),
                    crt: Some(file.clone()),
                    // HAProxy takes a certificate here too; that the file is found is the point.
                    crl_file: Some(file),
                    verifyhost: Some("server1.prod.internal".parse().unwrap()),
                },
                ..example()
            };
            writeln!(lines, "{}", server_line(&line)).unwrap();
        }
        let output = haproxy_check(directory.path(), &lines);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{output:?}\n{lines}");
        assert!(!said.contains("WARNING"), "{said}");
    }

    const WORDS: &str = r##"/plain
/a\ b
/a\qb
/a\$b
/a$HOME
/a\'b
/a\"b
/a\#b
/a\\b
/a\x41\x7eb
/a#b
/"b"#c
"/a b#c"
"/a\qb"
"/a\$b"
"/a\'b"
"/a\ b"
"/a\#b"
"/a\\b"
"/a\"b"
"/a'b"
'/a\qb'
'/a\\b'
'/a'\''b'
'/a$HOME'
'/a"b'
'/a' 'b'
/a'b c'd
/a[b]{c}"##;

    /// HAProxy names the file that it does not find, and so shows how it reads a word.
    #[test]
    fn haproxy_splits_words_as_this_program_does() {
        let words: Vec<&str> = WORDS.lines().chain(["/a\u{a0}b", "/a\u{b}b"]).collect();
        let directory = tempfile::tempdir().unwrap();
        let lines: String = words
            .iter()
            .enumerate()
            .map(|(number, word)| format!("server s{number} 127.0.0.1:1 ssl ca-file {word}\n"))
            .collect();
        let output = haproxy_check(directory.path(), &lines);
        let said = String::from_utf8_lossy(&output.stderr);
        let read: Vec<&str> = said
            .split("Couldn't open the ca-file '")
            .skip(1)
            .map(|rest| rest.split("' (No such file").next().unwrap())
            .collect();
        let ours: Vec<String> = words
            .iter()
            .map(|word| split(word).words[0].value.clone())
            .collect();
        assert_eq!(read, ours, "{said}");
    }
}
