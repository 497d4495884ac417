//! A whole HAProxy configuration, read for its TLS.
//!
//! Read is what decides about certificates: `server`, `default-server` and `bind` lines, what
//! `global` and `defaults` say about them, and how servers are checked. Other keywords are passed
//! over. How HAProxy takes each of these was measured on HAProxy 2.6.12; `tests/oracle` compares.

use std::collections::BTreeMap;

use super::bind;
use super::global::Global;
use super::health_check::CheckSettings;
use super::options::Options;
use super::reason::{MAX_WORDS, Reason};
use super::server;
use crate::config::problem::{Line, Problem, Reading};
use crate::domain::haproxy_tls::{HaproxyTls, Proxy, ProxyKind, Server, ServerTls};
use crate::domain::words::{FaultKind, Lookup, Split, Word, split_expanding};

/// Reads a configuration. `environment` finds the variables that HAProxy is started with.
///
/// ```
/// use zpki::config::haproxy::read_configuration;
///
/// let text = b"backend apps\n  server app1 10.0.0.11:17010 ssl ca-file \"$TLS/ca.pem\"\n";
/// let tls = |name: &str| (name == "TLS").then(|| "/etc/tls".to_owned());
/// let reading = read_configuration(text, &tls);
/// let server = &reading.value.proxies[0].servers[0];
/// assert_eq!(server.options.ca_file.as_ref().unwrap().path, "/etc/tls/ca.pem");
/// assert!(reading.problems.is_empty());
/// ```
#[must_use]
pub fn read_configuration(text: &[u8], environment: Lookup<'_>) -> Reading<HaproxyTls, Reason> {
    let mut reader = Reader::new(environment);
    let mut last = None;
    for line in Line::all(text) {
        reader.read_line(line);
        last = Some(line);
    }
    if let Some(last) = last.filter(|_| !text.is_empty() && !text.ends_with(b"\n")) {
        reader.problems.push(last.problem(None, Reason::NoLineEnd));
    }
    reader.finish()
}

struct Reader<'a> {
    global: Global<'a>,
    section: Section,
    /// Of the section that is being read.
    settings: Settings,
    defaults: Vec<Defaults>,
    /// The first and the last `defaults` section of a name.
    defaults_by_name: BTreeMap<String, [usize; 2]>,
    proxies: Vec<Proxy>,
    /// How many `.if` are open.
    conditions: usize,
    problems: Vec<Problem<Reason>>,
}

/// The section that is being read: the last of its kind.
#[derive(Clone, Copy, PartialEq)]
enum Section {
    None,
    Global,
    Defaults,
    Proxy(ProxyKind),
    Other,
}

/// What a proxy inherits from its `defaults`.
#[derive(Clone, Default)]
struct Settings {
    check: CheckSettings,
    default_server: ServerTls,
    disabled: bool,
}

struct Defaults {
    line: usize,
    settings: Settings,
}

/// Sections that are no proxies (2.6 to 3.4); some have `bind` and `server` lines of their own.
const OTHER_SECTIONS: &[&str] = &[
    "acme",
    "cache",
    "crt-store",
    "fcgi-app",
    "http-errors",
    "log-forward",
    "log-profile",
    "mailers",
    "peers",
    "program",
    "resolvers",
    "ring",
    "traces",
    "userlist",
];

/// Whether a line with this keyword begins a section.
pub(super) fn begins_section(keyword: &str) -> bool {
    matches!(
        keyword,
        "backend" | "defaults" | "frontend" | "global" | "listen"
    ) || OTHER_SECTIONS.contains(&keyword)
}

/// Lines of other keywords are passed over, in whatever encoding they are.
const READ: &[&str] = &[
    "backend",
    "bind",
    "ca-base",
    "crt-base",
    "default-path",
    "default-server",
    "defaults",
    "frontend",
    "listen",
    "option",
    "presetenv",
    "resetenv",
    "server",
    "server-template",
    "setenv",
    "unsetenv",
];

impl<'a> Reader<'a> {
    fn new(environment: Lookup<'a>) -> Self {
        Self {
            global: Global::new(environment),
            section: Section::None,
            settings: Settings::default(),
            defaults: Vec::new(),
            defaults_by_name: BTreeMap::new(),
            proxies: Vec::new(),
            conditions: 0,
            problems: Vec::new(),
        }
    }

    fn finish(mut self) -> Reading<HaproxyTls, Reason> {
        self.close_section();
        for proxy in &mut self.proxies {
            for server in &mut proxy.servers {
                // HAProxy asks for `ssl-server-verify` when it has read everything.
                server.verify = server.options.verify.unwrap_or(self.global.server_verify);
            }
        }
        Reading {
            value: HaproxyTls {
                proxies: self.proxies,
                other_files: self.global.files,
                crt_base: self.global.crt_base,
            },
            problems: self.problems,
        }
    }

    fn read_line(&mut self, line: Line<'_>) {
        if let Some(at) = line.bytes.iter().position(|byte| *byte == 0) {
            let problem = line.problem(Some(at + 1), Reason::StrayNul);
            return self.problems.push(problem);
        }
        let Some(words) = self.words(line) else {
            return;
        };
        match words.as_slice() {
            [] => {}
            [first, ..] if first.value.starts_with('.') => self.directive(line, first),
            _ if self.conditions > 0 => {}
            [no, keyword, ..] if matches!(no.value.as_str(), "no" | "default") => {
                self.negated(line, keyword, words.get(2));
            }
            [keyword, rest @ ..] => {
                if !self.begin_section(line, keyword, rest) {
                    self.read_keyword(line, keyword, rest);
                }
            }
        }
    }

    /// The words of a line, up to the first that is empty: there HAProxy 2.6 sees the end of the
    /// line. None for a line that cannot be split.
    fn words(&mut self, line: Line<'_>) -> Option<Vec<Word>> {
        let text = String::from_utf8_lossy(line.bytes);
        let environment = &self.global.environment;
        let split = split_expanding(&text, &|name| environment.get(name));
        let utf8 = is_utf8_before_comment(line.bytes, &split);
        let Split {
            mut words, faults, ..
        } = split;
        let is_fault = |kind: &FaultKind| {
            // A backslash at the end is one of its own, for HAProxy too.
            !matches!(kind, FaultKind::NotUtf8 | FaultKind::TrailingBackslash)
        };
        // HAProxy too stops at the first.
        if let Some(fault) = faults.iter().find(|fault| is_fault(&fault.kind)) {
            let column = utf8.then_some(fault.at + 1);
            let problem = line.problem(column, Reason::Fault(fault.kind.clone()));
            self.problems.push(problem);
            return None;
        }
        let has_utf8_values = faults.iter().all(|fault| fault.kind != FaultKind::NotUtf8);
        if !(utf8 && has_utf8_values) {
            let first = words.first().map_or("", |word| word.value.as_str());
            if READ.contains(&first) {
                let problem = line.problem(None, Reason::Fault(FaultKind::NotUtf8));
                self.problems.push(problem);
            }
            return None;
        }
        if let Some(word) = words.get(MAX_WORDS) {
            let problem = line.problem(Some(word.start + 1), Reason::TooManyWords);
            self.problems.push(problem);
            words.truncate(MAX_WORDS);
        }
        let end = words.iter().position(|word| word.value.is_empty());
        words.truncate(end.unwrap_or(words.len()));
        Some(words)
    }

    /// `.if` and its like (HAProxy's configuration manual, 2.4).
    fn directive(&mut self, line: Line<'_>, first: &Word) {
        match first.value.as_str() {
            ".if" => {
                if self.conditions == 0 {
                    self.problem(line, first, Reason::Condition);
                }
                self.conditions += 1;
            }
            ".endif" if self.conditions > 0 => self.conditions -= 1,
            _ if self.conditions > 0 => {}
            ".diag" | ".notice" | ".warning" => {}
            _ => {
                let word = first.value.clone();
                self.problem(line, first, Reason::UnexpectedWord { word });
            }
        }
    }

    /// `no` or `default` before `keyword`: neither can take back what is read here.
    fn negated(&mut self, line: Line<'_>, keyword: &Word, argument: Option<&Word>) {
        let refused = match (keyword.value.as_str(), argument) {
            ("option", Some(option)) if CheckSettings::has(&option.value) => option,
            ("option", _) => return,
            (other, _) if READ.contains(&other) => keyword,
            _ => return,
        };
        let reason = Reason::Negated {
            keyword: refused.value.clone(),
        };
        self.problem(line, refused, reason);
    }

    fn problem(&mut self, line: Line<'_>, word: &Word, reason: Reason) {
        let problem = line.problem(Some(word.start + 1), reason);
        self.problems.push(problem);
    }

    /// Whether `keyword` begins a section.
    fn begin_section(&mut self, line: Line<'_>, keyword: &Word, rest: &[Word]) -> bool {
        let kind = match keyword.value.as_str() {
            "backend" => ProxyKind::Backend,
            "frontend" => ProxyKind::Frontend,
            "listen" => ProxyKind::Listen,
            "defaults" => {
                self.close_section();
                self.begin_defaults(line, keyword, rest);
                return true;
            }
            other => {
                let global = other == "global";
                if !global && !OTHER_SECTIONS.contains(&other) {
                    return false;
                }
                self.close_section();
                self.section = if global {
                    Section::Global
                } else {
                    Section::Other
                };
                if other == "crt-store" {
                    let reason = Reason::Unsupported {
                        keyword: other.to_owned(),
                        because: "which files its certificates are is not known",
                    };
                    self.problem(line, keyword, reason);
                }
                return true;
            }
        };
        self.close_section();
        self.begin_proxy(line, kind, keyword, rest);
        true
    }

    /// Puts the settings where they belong.
    fn close_section(&mut self) {
        let settings = std::mem::take(&mut self.settings);
        match self.section {
            Section::Defaults => {
                if let Some(defaults) = self.defaults.last_mut() {
                    defaults.settings = settings;
                }
            }
            Section::Proxy(_) => {
                if let Some(proxy) = self.proxies.last_mut() {
                    proxy.disabled = settings.disabled;
                    proxy.health_check = settings.check.finish();
                }
            }
            Section::None | Section::Global | Section::Other => {}
        }
        self.section = Section::None;
    }

    /// `defaults [NAME] [from DEFAULTS]`. Without `from` it inherits nothing.
    fn begin_defaults(&mut self, line: Line<'_>, keyword: &Word, rest: &[Word]) {
        let (name, rest) = match rest {
            [from, _, ..] if from.value == "from" => (None, rest),
            [name, rest @ ..] => (Some(name), rest),
            [] => (None, rest),
        };
        let from = rest.first().filter(|word| word.value == "from");
        self.settings = match from {
            Some(_) => self.named_defaults(line, keyword, rest.get(1)),
            None => Settings::default(),
        };
        let index = self.defaults.len();
        self.defaults.push(Defaults {
            line: line.number,
            settings: Settings::default(),
        });
        if let Some(name) = name {
            let both = self.defaults_by_name.entry(name.value.clone());
            both.or_insert([index, index])[1] = index;
        }
        self.section = Section::Defaults;
    }

    /// `backend NAME [from DEFAULTS]`. Without `from` it inherits from the `defaults` before it.
    fn begin_proxy(&mut self, line: Line<'_>, kind: ProxyKind, keyword: &Word, rest: &[Word]) {
        if rest.is_empty() {
            let reason = Reason::MissingArgument {
                keyword: keyword.value.clone(),
            };
            self.problem(line, keyword, reason);
        }
        let name = rest.first().map_or("", |name| name.value.as_str());
        let has_from = rest.get(1).is_some_and(|word| word.value == "from");
        self.settings = if has_from {
            self.named_defaults(line, keyword, rest.get(2))
        } else {
            let last = self.defaults.last();
            last.map(|defaults| defaults.settings.clone())
                .unwrap_or_default()
        };
        if let Some(word) = rest.get(if has_from { 3 } else { 1 }) {
            let reason = Reason::UnexpectedWord {
                word: word.value.clone(),
            };
            self.problem(line, word, reason);
        }
        self.proxies.push(Proxy {
            line: line.number,
            kind,
            name: name.to_owned(),
            disabled: false,
            health_check: CheckSettings::default().finish(),
            binds: Vec::new(),
            servers: Vec::new(),
        });
        self.section = Section::Proxy(kind);
    }

    fn named_defaults(&mut self, line: Line<'_>, keyword: &Word, name: Option<&Word>) -> Settings {
        let Some(name) = name else {
            let reason = Reason::MissingArgument {
                keyword: "from".to_owned(),
            };
            self.problem(line, keyword, reason);
            return Settings::default();
        };
        let reason = match self.defaults_by_name.get(&name.value) {
            Some([first, last]) if first == last => return self.defaults[*last].settings.clone(),
            Some(both) => Reason::AmbiguousDefaults {
                name: name.value.clone(),
                lines: both.map(|index| self.defaults[index].line),
            },
            None => Reason::UnknownDefaults {
                name: name.value.clone(),
            },
        };
        self.problem(line, name, reason);
        Settings::default()
    }

    /// Reads a line within its section.
    fn read_keyword(&mut self, line: Line<'_>, keyword: &Word, rest: &[Word]) {
        match self.section {
            Section::None => self.problem(line, keyword, Reason::OutOfSection),
            Section::Global => {
                let mut options = Options::new(line, rest, &mut self.problems);
                self.global.read(keyword, &mut options);
            }
            Section::Defaults => self.read_settings(line, keyword, rest, None),
            Section::Proxy(kind) => self.read_settings(line, keyword, rest, Some(kind)),
            Section::Other
                if matches!(keyword.value.as_str(), "bind" | "default-server" | "server") =>
            {
                let mut options = Options::new(line, rest, &mut self.problems);
                self.global.read_files(&mut options);
            }
            Section::Other => {}
        }
    }

    /// Reads a line of a proxy, or of `defaults`.
    fn read_settings(
        &mut self,
        line: Line<'_>,
        keyword: &Word,
        rest: &[Word],
        proxy: Option<ProxyKind>,
    ) {
        let has_binds = proxy.is_some_and(ProxyKind::has_binds);
        let has_servers = proxy.is_some_and(ProxyKind::has_servers);
        match keyword.value.as_str() {
            "bind" if has_binds => self.read_bind(line, keyword, rest),
            "server" if has_servers => self.read_server(line, keyword, rest),
            "server-template" if has_servers => {
                let reason = Reason::Unsupported {
                    keyword: keyword.value.clone(),
                    because: "its servers are not read",
                };
                self.problem(line, keyword, reason);
            }
            "default-server" if proxy != Some(ProxyKind::Frontend) => {
                let mut options = Options::new(line, rest, &mut self.problems);
                let inherited = &mut self.settings.default_server;
                server::read_options(inherited, &mut options, &self.global);
            }
            "bind" | "default-server" | "server" | "server-template" => {
                let reason = Reason::OutOfPlace {
                    keyword: keyword.value.clone(),
                    section: proxy.map_or("defaults", ProxyKind::keyword),
                };
                self.problem(line, keyword, reason);
            }
            "disabled" => self.settings.disabled = true,
            "enabled" => self.settings.disabled = false,
            other => self.settings.check.read(other, rest),
        }
    }

    fn read_server(&mut self, line: Line<'_>, keyword: &Word, rest: &[Word]) {
        let mut options = Options::new(line, rest, &mut self.problems);
        let Some(name) = options.text(keyword) else {
            return;
        };
        let Some(address) = options.text(keyword) else {
            return;
        };
        let mut tls = self.settings.default_server.clone();
        server::read_options(&mut tls, &mut options, &self.global);
        if let Some(proxy) = self.proxies.last_mut() {
            proxy.servers.push(Server {
                line: line.number,
                name,
                address,
                verify: self.global.server_verify,
                options: tls,
            });
        }
    }

    fn read_bind(&mut self, line: Line<'_>, keyword: &Word, rest: &[Word]) {
        let mut options = Options::new(line, rest, &mut self.problems);
        let Some(address) = options.text(keyword) else {
            return;
        };
        let bind = bind::read_options(address, &mut options, &self.global);
        if let Some(proxy) = self.proxies.last_mut() {
            proxy.binds.extend(bind);
        }
    }
}

/// Whether the words of the line are UTF-8; its comment does not matter.
fn is_utf8_before_comment(bytes: &[u8], split: &Split) -> bool {
    match str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => split
            .comment
            .is_some_and(|comment| comment <= error.valid_up_to()),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::haproxy_tls::{
        Bind, FileReference, HealthCheck, Sni, TlsVersion, TlsVersions, Verify,
    };

    fn environment(name: &str) -> Option<String> {
        (name == "TLS").then(|| "/etc/tls".to_owned())
    }

    fn reading(text: impl AsRef<[u8]>) -> Reading<HaproxyTls, Reason> {
        read_configuration(text.as_ref(), &environment)
    }

    fn proxies(text: &str) -> Vec<Proxy> {
        let reading = reading(text);
        assert_eq!(reading.problems, [], "{text}");
        reading.value.proxies
    }

    /// The servers of all proxies.
    fn servers(text: &str) -> Vec<Server> {
        let proxies = proxies(text).into_iter();
        proxies.flat_map(|proxy| proxy.servers).collect()
    }

    /// The one server of a backend, with these options.
    fn server(options: &str) -> Server {
        let text = format!("backend b\n server s 127.0.0.1:1 {options}\n");
        servers(&text).pop().unwrap()
    }

    /// The one bind of a frontend, with these options.
    fn bind(options: &str) -> Option<Bind> {
        let text = format!("frontend f\n bind :1 {options}\n");
        proxies(&text).pop().unwrap().binds.pop()
    }

    /// Line, column, message of all problems.
    fn problems(text: impl AsRef<[u8]>) -> Vec<(usize, usize, String)> {
        let problems = reading(text).problems.into_iter();
        let each = |problem: Problem<Reason>| {
            let column = problem.column.unwrap_or_default();
            (problem.line, column, problem.to_string())
        };
        problems.map(each).collect()
    }

    fn file(line: usize, path: &str) -> FileReference {
        FileReference {
            line,
            written: path.to_owned(),
            path: path.to_owned(),
        }
    }

    #[test]
    fn the_lines_of_a_zato_config_are_read() {
        let text = "\
global
    log 127.0.0.1:514 local0 debug # ZATO global:log
    stats socket /run/haproxy-stat.sock # ZATO global:stats_socket

defaults
    log global
    option httpclose
    timeout connect 15000 # ZATO defaults:timeout connect
    errorfile 503 /opt/zato/503.http

backend bck_http_plain
    mode http
    balance roundrobin
    option httpchk GET /zato/ping

# ZATO begin backend bck_http_plain

    server http_plain--server1 127.0.0.1:17010 check inter 2s rise 2 fall 2 ssl verify required ca-file '/a b/ca.pem' crt /lb.pem crl-file /crl.pem sni str(server1.internal) check-sni server1.internal verifyhost server1.internal # ZATO backend bck_http_plain:server--server1

# ZATO end backend bck_http_plain

frontend front_http_plain
    mode http
    default_backend bck_http_plain
    option httplog # ZATO frontend front_http_plain:option log-http-requests
    bind 0.0.0.0:11223 # ZATO frontend front_http_plain:bind
    maxconn 200 # ZATO frontend front_http_plain:maxconn
    monitor-uri /zato-lb-alive # ZATO frontend front_http_plain:monitor-uri
";
        let name = || Some("server1.internal".to_owned());
        let option = "httpchk".to_owned();
        let backend = Proxy {
            line: 11,
            kind: ProxyKind::Backend,
            name: "bck_http_plain".to_owned(),
            disabled: false,
            health_check: HealthCheck::Response { option },
            binds: vec![],
            servers: vec![Server {
                line: 18,
                name: "http_plain--server1".to_owned(),
                address: "127.0.0.1:17010".to_owned(),
                verify: Verify::Required,
                options: ServerTls {
                    ssl: true,
                    check: true,
                    verify: Some(Verify::Required),
                    ca_file: Some(file(18, "/a b/ca.pem")),
                    crt: Some(file(18, "/lb.pem")),
                    crl_file: Some(file(18, "/crl.pem")),
                    sni: name().map(Sni::Constant),
                    check_sni: name(),
                    verifyhost: name(),
                    ..ServerTls::default()
                },
            }],
        };
        for text in [text.to_owned(), text.replace('\n', "\r\n")] {
            let read = proxies(&text);
            assert_eq!(read.len(), 2);
            assert_eq!(read[0], backend);
            assert_eq!(read[1].kind, ProxyKind::Frontend);
            assert_eq!(read[1].binds, []);
        }
    }

    #[test]
    fn a_server_has_the_options_that_its_line_gives() {
        let plain = server("check inter 2s source 10.0.0.1 usesrc clientip backup");
        assert!(plain.options.check && !plain.options.ssl);
        assert_eq!(plain.verify, Verify::Required);
        let options =
            server("ssl alpn h2,http/1.1 check-ssl no-check disabled no-sni-auto").options;
        assert_eq!(options.alpn.unwrap(), "h2,http/1.1");
        assert!(options.check_ssl && !options.check && options.disabled);
        assert_eq!(options.sni_auto, Some(false));
        assert_eq!(
            server("verify none verify required").verify,
            Verify::Required
        );
        assert!(!server("ssl no-ssl").options.ssl && server("no-ssl ssl").options.ssl);
        assert_eq!(server("crt /a crt /b").options.crt, Some(file(2, "/b")));
        assert_eq!(server("cookie ssl weight 1").options, ServerTls::default());
        assert_eq!(server("'' ssl").options, ServerTls::default());
        assert_eq!(server(r#""$NONE" ssl"#).options, ServerTls::default());
    }

    #[test]
    fn only_a_plain_str_is_a_constant_name() {
        let sni = |expression: &str| server(&format!("sni {expression}")).options.sni.unwrap();
        assert_eq!(sni("str(a.b-c)"), Sni::Constant("a.b-c".to_owned()));
        for other in [
            "req.hdr(host)",
            "str(a),lower",
            "str()",
            "str(a)str(b)",
            "'str(\"a\")'",
        ] {
            assert!(matches!(sni(other), Sni::Expression(_)), "{other}");
        }
    }

    #[test]
    fn a_bind_is_read_when_it_has_ssl() {
        assert_eq!(bind("crt /a"), None);
        let line = "ssl crt /a crt /b crt-list /l ca-file /c ca-verify-file /v ca-sign-file /s \
                    crl-file /r verify optional ca-ignore-err all crt-ignore-err 10,20 alpn h2 mode 600";
        assert_eq!(
            bind(line).unwrap(),
            Bind {
                line: 2,
                address: ":1".to_owned(),
                crt: vec![file(2, "/a"), file(2, "/b")],
                crt_list: vec![file(2, "/l")],
                verify: Verify::Optional,
                ca_file: Some(file(2, "/c")),
                ca_verify_file: Some(file(2, "/v")),
                ca_sign_file: Some(file(2, "/s")),
                crl_file: Some(file(2, "/r")),
                ca_ignore_err: Some("all".to_owned()),
                crt_ignore_err: Some("10,20".to_owned()),
                alpn: Some("h2".to_owned()),
                versions: TlsVersions::default(),
            }
        );
    }

    #[test]
    fn a_default_server_holds_for_the_lines_behind_it() {
        let text = "\
defaults
  default-server ssl verify required ca-file /d crt /d
backend b
  server one h:1
  default-server ca-file /b no-ssl
  server two h:1 crt /two
  server three h:1 ssl verify none
defaults
backend c
  server four h:1
";
        let servers = servers(text);
        let file_of = |file: &Option<FileReference>| {
            let file = file.as_ref()?;
            Some((file.line, file.path.clone()))
        };
        let files: Vec<_> = servers
            .iter()
            .map(|server| {
                let options = &server.options;
                (
                    options.ssl,
                    file_of(&options.ca_file),
                    file_of(&options.crt),
                )
            })
            .collect();
        let at = |line, path: &str| Some((line, path.to_owned()));
        assert_eq!(
            files,
            [
                (true, at(2, "/d"), at(2, "/d")),
                (false, at(5, "/b"), at(6, "/two")),
                (true, at(5, "/b"), at(2, "/d")),
                (false, None, None),
            ]
        );
        assert_eq!(servers[2].verify, Verify::None);
    }

    #[test]
    fn defaults_are_found_by_name_or_by_place() {
        let text = "\
defaults a
  default-server ssl
  option httpchk
  disabled
defaults b from a
  option tcp-check
defaults c
backend last
  server s h:1
backend named from b
  enabled
  server s h:1
listen other from a
  server s h:1
";
        let read: Vec<_> = proxies(text)
            .iter()
            .map(|proxy| {
                let layer7 = proxy.health_check.is_layer7();
                (proxy.servers[0].options.ssl, proxy.disabled, layer7)
            })
            .collect();
        assert_eq!(
            read,
            [
                (false, false, false),
                (true, false, false),
                (true, true, true)
            ]
        );
    }

    #[test]
    fn relative_paths_stand_behind_the_base_that_was_given_before() {
        let text = "\
backend early
  server s h:1 ca-file a crt b
global
  ca-base /ca
  crt-base crt/
backend b
  server s h:1 ca-file a crt b crl-file ./c
  server t h:1 ca-file /a crt /b crl-file @system-ca
frontend f
  bind :1 ssl crt b crt-list l ca-file a ca-verify-file v crl-file c
";
        let proxies = proxies(text);
        let path = |file: &Option<FileReference>| file.as_ref().unwrap().path.clone();
        let early = &proxies[0].servers[0].options;
        assert_eq!([path(&early.ca_file), path(&early.crt)], ["a", "b"]);
        let paths: Vec<_> = proxies[1]
            .servers
            .iter()
            .map(|server| &server.options)
            .map(|tls| [path(&tls.ca_file), path(&tls.crt), path(&tls.crl_file)])
            .collect();
        assert_eq!(paths[0], ["/ca/a", "crt//b", "/ca/./c"]);
        assert_eq!(paths[1], ["/a", "/b", "/ca/@system-ca"]);
        let bind = &proxies[2].binds[0];
        assert_eq!(bind.crt[0].path, "crt//b");
        assert_eq!(bind.crt[0].written, "b");
        assert_eq!(bind.crt_list[0].path, "l");
        let files = [&bind.ca_file, &bind.ca_verify_file, &bind.crl_file];
        assert_eq!(files.map(path), ["/ca/a", "/ca/v", "/ca/c"]);
    }

    #[test]
    fn ssl_server_verify_is_asked_at_the_end_and_versions_at_once() {
        let text = "\
backend b
  server early h:1 ssl
global
  ssl-server-verify none
  ssl-default-server-options ssl-min-ver TLSv1.2 no-sslv3 no-tls-tickets
  ssl-default-bind-options force-tlsv13
listen l
  bind :1 ssl
  server late h:1 ssl ssl-max-ver TLSv1.2
  server plain h:1
  server other h:1 ssl-min-ver TLSv1.3 ssl verify required
";
        let proxies = proxies(text);
        let versions = |min, max, without: &[TlsVersion]| TlsVersions {
            min,
            max,
            without: without.iter().copied().collect(),
        };
        let (v2, v3) = (Some(TlsVersion::Tls12), Some(TlsVersion::Tls13));
        assert_eq!(proxies[0].servers[0].verify, Verify::None);
        assert_eq!(
            proxies[0].servers[0].options.versions,
            TlsVersions::default()
        );
        assert_eq!(proxies[1].binds[0].versions, versions(v3, v3, &[]));
        let [late, plain, other] = proxies[1].servers.as_slice() else {
            panic!("three servers")
        };
        assert_eq!(late.options.versions, versions(v2, v2, &[TlsVersion::Ssl3]));
        assert_eq!(plain.options.versions, TlsVersions::default());
        assert_eq!(
            other.options.versions,
            versions(v3, None, &[TlsVersion::Ssl3])
        );
        assert_eq!(other.verify, Verify::Required);
    }

    #[test]
    fn a_check_is_of_layer_7_when_it_waits_for_a_response() {
        for (lines, expected) in [
            ("", false),
            ("http-check expect status 200", false),
            ("option httpchk", true),
            ("option httpchk GET /zato/ping", true),
            ("option httpchk\n option ssl-hello-chk", false),
            ("option ssl-hello-chk\n option httpchk", true),
            ("option tcp-check", false),
            ("option tcp-check\n tcp-check connect ssl", false),
            ("option tcp-check\n tcp-check expect string x", true),
            ("tcp-check expect string x", false),
            ("option external-check", false),
            ("option redis-check", true),
        ] {
            let text = format!("backend b\n {lines}\n server s h:1\n");
            let proxy = proxies(&text).pop().unwrap();
            assert_eq!(proxy.health_check.is_layer7(), expected, "{lines}");
        }
    }

    #[test]
    fn variables_are_those_of_haproxy_and_of_global() {
        let text = r#"
global
  setenv DIR "$TLS/lb"
  presetenv TLS /other
  presetenv MORE /more
backend b
  server s h:1 ca-file "$DIR/ca.pem" crt "${TLS}/${NAME-lb}.pem" crl-file '$TLS'
global
  unsetenv TLS
  resetenv DIR
backend c
  server s h:1 ca-file "$DIR/ca.pem" crt "/x$TLS$MORE"
"#;
        let paths: Vec<_> = servers(text)
            .into_iter()
            .map(|server| {
                (
                    server.options.ca_file.unwrap().path,
                    server.options.crt.unwrap().path,
                )
            })
            .collect();
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            paths,
            [
                pair("/etc/tls/lb/ca.pem", "/etc/tls/lb.pem"),
                pair("/etc/tls/lb/ca.pem", "/x"),
            ]
        );
    }

    /// Line, column and message of a problem, and whether HAProxy refuses it.
    type Expected = (usize, usize, &'static str, bool);

    /// What HAProxy refuses, and what only this reader does not understand.
    const WRONG: &[(&str, &[Expected])] = &[
        (
            "server s h:1\n",
            &[(1, 1, "the line stands before the first section", true)],
        ),
        (
            "backend b\n server s h:1 crt 'a\n server t h:1 ssl",
            &[
                (2, 19, "a quote is not closed", true),
                (3, 0, "the last line does not end with a line feed", true),
            ],
        ),
        (
            "backend b\n server s h:1 foo ssl verify optional sni\n",
            &[
                (2, 15, "`foo` is no option of `server`", false),
                (
                    2,
                    30,
                    "`verify` does not take `optional`, but one of: none, required",
                    true,
                ),
                (2, 39, "`sni` lacks its argument", true),
            ],
        ),
        (
            "backend b\n server s\n server\n server s h:1 ca-file '' ssl\n",
            &[
                (2, 2, "`server` lacks its argument", true),
                (3, 2, "`server` lacks its argument", true),
                (4, 15, "`ca-file` lacks its argument", true),
            ],
        ),
        (
            "backend b\n server-template s 1-3 h:1 ssl\n server t h:1 \\\n",
            &[
                (2, 2, "`server-template`: its servers are not read", false),
                (3, 15, r"`\` is no option of `server`", false),
            ],
        ),
        (
            "frontend f\n server s h:1\n bind :1 ssl verify no sni x\n bind\n",
            &[
                (2, 2, "`server` has no place in a `frontend` section", true),
                (
                    3,
                    21,
                    "`verify` does not take `no`, but one of: none, optional, required",
                    true,
                ),
                (3, 24, "`sni` is no option of `bind`", false),
                (3, 28, "`x` is no option of `bind`", false),
                (4, 2, "`bind` lacks its argument", true),
            ],
        ),
        (
            "defaults\n server s h:1\nbackend b\n bind :1 ssl\n",
            &[
                (2, 2, "`server` has no place in a `defaults` section", true),
                (4, 2, "`bind` has no place in a `backend` section", false),
            ],
        ),
        (
            "defaults a\ndefaults a\nbackend b from a\nbackend c from d\nbackend e from\nbackend\nbackend f g\n",
            &[
                (
                    3,
                    16,
                    "two defaults sections have the name `a`, on lines 1 and 2",
                    true,
                ),
                (4, 16, "no defaults section has the name `d`", true),
                (5, 1, "`from` lacks its argument", true),
                (6, 1, "`backend` lacks its argument", true),
                (7, 11, "`g` is one word too many", true),
            ],
        ),
        (
            "global\n ca-base /a\n ca-base /b\n crt-base /a b\n default-path current\n default-path config\n",
            &[
                (3, 2, "`ca-base` was given on an earlier line", true),
                (4, 14, "`b` is one word too many", true),
                (
                    6,
                    2,
                    "`default-path`: where relative paths lead is not known",
                    false,
                ),
            ],
        ),
        (
            "global\n setenv A\n ssl-server-verify optional\n ssl-default-bind-options verify none\n",
            &[
                (2, 2, "`setenv` lacks its argument", true),
                (
                    3,
                    20,
                    "`ssl-server-verify` does not take `optional`, but one of: none, required",
                    true,
                ),
                (
                    4,
                    27,
                    "`verify` is no option of `ssl-default-bind-options`",
                    false,
                ),
                (
                    4,
                    34,
                    "`none` is no option of `ssl-default-bind-options`",
                    false,
                ),
            ],
        ),
        (
            "backend b\n no option httpchk\n no option redispatch\n no server s h:1\n",
            &[
                (2, 12, "`no` and `default` do not go with `httpchk`", true),
                (4, 5, "`no` and `default` do not go with `server`", true),
            ],
        ),
        (
            "crt-store web\n load crt a\n.if defined(A)\n .if 1\nbackend b\n .endif\n server s h:1 'x\n.endif\n.else\n",
            &[
                (
                    1,
                    1,
                    "`crt-store`: which files its certificates are is not known",
                    false,
                ),
                (
                    3,
                    1,
                    "what a condition holds, up to its `.endif`, is not read",
                    false,
                ),
                (7, 15, "a quote is not closed", true),
                (9, 1, "`.else` is one word too many", true),
            ],
        ),
        (
            "backend b\n server s h:1 crt \"$.FILE\"\n server s h:1 crt \"$1\"\n",
            &[
                (2, 20, "only HAProxy knows the variable `.FILE`", false),
                (3, 20, "no variable's name follows the `$`", true),
            ],
        ),
    ];

    #[test]
    fn all_problems_come_in_one_run_each_with_its_place() {
        for (text, expected) in WRONG {
            let found = reading(text).problems.into_iter();
            let found: Vec<_> = found
                .map(|problem| {
                    let column = problem.column.unwrap_or_default();
                    let refused = problem.reason.is_refused();
                    (problem.line, column, problem.to_string(), refused)
                })
                .collect();
            let expected: Vec<_> = expected
                .iter()
                .map(|(line, column, message, refused)| {
                    (*line, *column, (*message).to_owned(), *refused)
                })
                .collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_problem_hides_nothing_else() {
        let reading = reading(
            "backend b\n server s h:1 foo ssl crt\n server t h:1 ssl 'a\nlisten l\n server u h:1 ssl",
        );
        assert_eq!(reading.problems.len(), 4);
        let names: Vec<_> = reading
            .value
            .proxies
            .iter()
            .flat_map(|proxy| &proxy.servers)
            .map(|server| (server.name.as_str(), server.options.ssl))
            .collect();
        assert_eq!(names, [("s", true), ("u", true)]);
    }

    #[test]
    fn bytes_matter_only_where_they_are_read() {
        let text = b"defaults\n errorfile 503 /\xff\nbackend b # \xfc\n server s h:1 # \xfc\n server t h:1 crt /\xfc\n server u h:1 crt /\\xff\n server v h:1 \x00\n";
        assert_eq!(
            problems(text),
            [
                (5, 0, "the line is not UTF-8".to_owned()),
                (6, 0, "the line is not UTF-8".to_owned()),
                (7, 15, "the line has a NUL byte".to_owned()),
            ]
        );
        assert_eq!(reading(text).value.proxies[0].servers.len(), 1);
    }

    #[test]
    fn more_words_than_haproxy_reads_are_said() {
        let line = |pairs: usize| {
            format!(
                "backend b\n server s h:1 {}check\n",
                "weight 1 ".repeat(pairs)
            )
        };
        assert!(server(&"weight 1 ".repeat(30)).name == "s");
        assert_eq!(problems(line(30)), []);
        assert_eq!(
            problems(line(31)),
            [
                (2, 292, "the line has more than 64 words".to_owned()),
                (2, 285, "`weight` lacks its argument".to_owned()),
            ]
        );
    }

    #[test]
    fn a_variable_that_repeats_itself_has_an_end() {
        let mut text = "global\n setenv A aaaaaaaaaaaaaaaa\n".to_owned();
        for _ in 0..1000 {
            writeln!(text, r#" setenv A "$A$A$A$A""#).unwrap();
        }
        let problems = problems(text);
        assert!(problems.len() > 900);
        assert_eq!(problems[0].2, "variables make a word of the line too long");
    }

    /// They would take minutes if anything were read again for each of their pieces.
    #[test]
    fn long_texts_are_read_in_one_pass() {
        let pieces = [
            "'",
            "\"$",
            "\"${A",
            "\\",
            " x",
            "foo ",
            "#",
            "\r",
            "\"$TLS\"",
            "ssl\n",
            "${",
            "'' ",
            "backend b\n",
            "defaults a\n",
            ".if\n",
            "server s h:1 foo\n",
        ];
        for piece in pieces {
            for start in ["", "backend b\nserver s h:1 ", "global\nresetenv "] {
                let text = format!("{start}{}", piece.repeat(20_000));
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
            words in prop::collection::vec(
                prop::sample::select(vec![
                    "\n", "\n", "backend", "defaults", "global", "listen", "from", "a", "server",
                    "default-server", "bind", "ssl", "verify", "none", "crt", "/a", "'", "\"$A", "}",
                    "setenv", "A", ".if", ".endif", "no", "option", "httpchk", "ca-base", "\\", "#",
                ]),
                0..60,
            ),
        ) {
            let text = words.join(" ");
            let reading = reading(&text);
            let mut lines: Vec<usize> = reading.problems.iter().map(|problem| problem.line).collect();
            prop_assert!(lines.is_sorted());
            lines.extend(reading.value.proxies.iter().map(|proxy| proxy.line));
            let count = text.lines().count();
            prop_assert!(lines.iter().all(|line| (1..=count.max(1)).contains(line)));
        }
    }
}
