//! zpki.toml: from text to [`Cluster`], and from [`Settings`] to text.
//!
//! A person edits this file, so reading it does not stop at the first mistake: whatever is wrong
//! is reported in one run, each thing with its line, and no mistake hides or causes another. That
//! takes three steps, of which each needs the one before to have found nothing: TOML, then every
//! value by itself, then the values together.

mod edit;
pub mod manifest;
mod problem;
mod render;
mod schema;
mod section;

use toml::de::{self, DeTable};

use crate::domain::cluster::{Cluster, Key, KeyPath, Misfit, MisfitReason};
use crate::domain::name_constraints::{NameConstraints, permitted_domain};
use crate::domain::settings::{
    CaSettings, CertificateSettings, ClientSettings, LoadBalancerSettings, Overrides,
    RevocationSettings, ServerSettings, Settings,
};

pub use edit::{add_server, remove_server};
pub use problem::{Problem, Reason};
pub use render::render;
pub use schema::TableSchema;

use problem::{Found, Lines, in_line_order, not_utf8};
use section::{Node, Section, check_top_level};

/// Reads a zpki.toml.
///
/// # Errors
/// Every problem of the file, in line order. While there are values that cannot be read, problems
/// that only show when the values are taken together are not among them.
pub fn parse(bytes: &[u8]) -> Result<Cluster, Vec<Problem>> {
    let text = std::str::from_utf8(bytes).map_err(|_| not_utf8(bytes))?;
    read(text).map_err(|found| in_line_order(text, found))
}

fn read(text: &str) -> Result<Cluster, Vec<Found>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(syntax(text, &errors));
    }
    let root = document.get_ref();
    let mut found = Vec::new();
    let settings = settings(root, &mut found);
    let all_read = found.iter().all(|found| found.reason.is_unknown());
    let Some(settings) = settings.filter(|_| all_read) else {
        return Err(found);
    };
    match Cluster::new(settings) {
        Ok(cluster) if found.is_empty() => return Ok(cluster),
        Ok(_) => {}
        Err(misfits) => {
            let place = |misfit| placed(root, misfit);
            found.extend(misfits.into_iter().map(place));
        }
    }
    Err(found)
}

/// What is not TOML: of each line the first mistake, for the others may well follow from it.
fn syntax(text: &str, errors: &[de::Error]) -> Vec<Found> {
    let lines = Lines::of(text);
    // At the end of the file, the last line is the one to look at.
    let last = text.trim_end().len();
    let place = |error: &de::Error| error.span().map_or(last, |span| span.start.min(last));
    let mut errors: Vec<_> = errors.iter().map(|error| (place(error), error)).collect();
    errors.sort_by_key(|(at, _)| *at);
    errors.dedup_by_key(|(at, _)| lines.number(*at));
    let errors = errors.into_iter();
    errors
        .map(|(at, error)| Found {
            at: Some(at),
            reason: Reason::Syntax {
                column: lines.column(at),
                message: without_noise(error.message()).to_owned(),
            },
        })
        .collect()
}

/// The parser's message without the expectations that tell a person nothing.
fn without_noise(message: &str) -> &str {
    [", expected literal string", ", expected nothing"]
        .into_iter()
        .find_map(|noise| message.strip_suffix(noise))
        .unwrap_or(message)
}

/// A misfit at its key, or at the nearest table around it that the file has.
fn placed(root: &DeTable<'_>, Misfit { at: path, reason }: Misfit) -> Found {
    Found {
        at: start_of(root, &path),
        reason: Reason::Misfit(reason),
    }
}

fn start_of(root: &DeTable<'_>, KeyPath(path): &KeyPath) -> Option<usize> {
    let mut path = path.iter();
    let Some(Key::Name(table)) = path.next() else {
        return None;
    };
    let mut node = root.get(*table)?;
    for key in path {
        let inner = match key {
            Key::Index(index) => node.get_ref().get(*index),
            Key::Name(name) => node.get_ref().get(*name),
        };
        let Some(inner) = inner else { break };
        node = inner;
    }
    Some(node.span().start)
}

/// The settings; when something is wrong, they are incomplete, or there are none, and `found`
/// says what.
fn settings(root: &DeTable<'_>, found: &mut Vec<Found>) -> Option<Settings> {
    check_top_level(root, found);
    check_servers(root, found);
    let name = Section::find(root, &schema::CLUSTER, found)
        .and_then(|mut cluster| cluster.required("name"));
    let ca = Section::find(root, &schema::CA, found).map(ca);
    let certificates = Section::find(root, &schema::CERTIFICATES, found).map(certificates);
    let load_balancer = Section::find(root, &schema::LOAD_BALANCER, found).map(load_balancer);
    let servers = Section::each(root, &schema::SERVERS, found, server);
    let clients = Section::each(root, &schema::CLIENTS, found, client);
    let revocation = Section::find(root, &schema::REVOCATION, found).map(revocation);
    Some(Settings {
        name: name?,
        ca: ca?,
        certificates: certificates?,
        load_balancer: load_balancer?,
        servers,
        clients,
        revocation: revocation?,
    })
}

/// A file without servers is told so even when its other values are wrong too.
fn check_servers(root: &DeTable<'_>, found: &mut Vec<Found>) {
    let servers = root.get(schema::SERVERS.name);
    let is_empty =
        |servers: &Node<'_>| servers.get_ref().as_array().is_some_and(|it| it.is_empty());
    if servers.is_none_or(is_empty) {
        found.push(Found {
            at: servers.map(|servers| servers.span().start),
            reason: Reason::Misfit(MisfitReason::NoServers),
        });
    }
}

fn ca(mut table: Section<'_>) -> CaSettings {
    let default = CaSettings::default();
    CaSettings {
        key_algorithm: table
            .value("key_algorithm")
            .unwrap_or(default.key_algorithm),
        lifetime: table.value("lifetime").unwrap_or(default.lifetime),
        name_constraints: NameConstraints {
            permitted_domains: table.list("permitted_domains", permitted_domain),
            permitted_networks: table.list("permitted_networks", str::parse),
        },
        key_file: table.value("key_file"),
    }
}

fn certificates(mut table: Section<'_>) -> CertificateSettings {
    let default = CertificateSettings::default();
    let own = overrides(&mut table);
    CertificateSettings {
        key_algorithm: own.key_algorithm.unwrap_or(default.key_algorithm),
        lifetime: own.lifetime.unwrap_or(default.lifetime),
        renew_within: own.renew_within.unwrap_or(default.renew_within),
    }
}

fn load_balancer(mut table: Section<'_>) -> LoadBalancerSettings {
    let default = LoadBalancerSettings::default();
    LoadBalancerSettings {
        hosts: table.list("hosts", str::parse),
        client_certificate: table
            .value("client_certificate")
            .unwrap_or(default.client_certificate),
        terminates_tls: table
            .flag("terminates_tls")
            .unwrap_or(default.terminates_tls),
        backend: table.value("backend").unwrap_or(default.backend),
        ca_file: table.value("ca_file"),
        crt: table.value("crt"),
        crl_file: table.value("crl_file"),
        verifyhost: table.flag("verifyhost").unwrap_or(default.verifyhost),
        config: table.value("config"),
        overrides: overrides(&mut table),
    }
}

fn server(table: &mut Section<'_>) -> Option<ServerSettings> {
    // Each value is read before the first that is missing ends this.
    let name = table.required("name");
    let address = table.required("address");
    let hosts = table.list("hosts", str::parse);
    let options = table.value("options").unwrap_or_default();
    let calls_servers = table.flag("calls_servers").unwrap_or_default();
    let conf = table.value("conf");
    let overrides = overrides(table);
    Some(ServerSettings {
        name: name?,
        address: address?,
        hosts,
        options,
        calls_servers,
        conf,
        overrides,
    })
}

fn client(table: &mut Section<'_>) -> Option<ClientSettings> {
    let name = table.required("name");
    let hosts = table.list("hosts", str::parse);
    let overrides = overrides(table);
    Some(ClientSettings {
        name: name?,
        hosts,
        overrides,
    })
}

fn revocation(mut table: Section<'_>) -> RevocationSettings {
    let default = RevocationSettings::default();
    RevocationSettings {
        enabled: table.flag("enabled").unwrap_or(default.enabled),
        lifetime: table.value("lifetime").unwrap_or(default.lifetime),
        extra_crls: table.list("extra_crls", str::parse),
    }
}

fn overrides(table: &mut Section<'_>) -> Overrides {
    Overrides {
        key_algorithm: table.value("key_algorithm"),
        lifetime: table.value("lifetime"),
        renew_within: table.value("renew_within"),
    }
}

#[cfg(test)]
mod tests {
    use super::schema::TABLES;
    use super::*;

    /// The problems as `line: source: message (hint)`.
    #[track_caller]
    fn problems(text: &str) -> Vec<String> {
        let problems = parse(text.as_bytes()).unwrap_err();
        problems.iter().map(shown).collect()
    }

    fn shown(problem: &Problem) -> String {
        let line = problem
            .line
            .map_or_else(|| "-".into(), |line| line.to_string());
        let source = problem.source.as_deref().unwrap_or("-");
        format!("{line}: {source}: {problem} ({})", problem.hint())
    }

    const SMALL: &str = r#"
        [cluster]
        name = "demo"

        [[servers]]
        name = "server1"
        address = "127.0.0.1:17010"
    "#;

    #[test]
    fn what_is_unknown_does_not_hide_what_does_not_fit() {
        let text = format!("{SMALL}\nadress = 1\n[[servers]]\nname = 'SERVER1'\naddress = 'a:1'\n");
        let problems = problems(&text);
        let found: Vec<&str> = problems.iter().map(|problem| &problem[..2]).collect();
        assert_eq!(found, ["9:", "11"], "{problems:#?}");
    }

    #[test]
    fn every_problem_is_reported_once_with_its_line() {
        let text = r#"
owner = "ops"

[cluster]
nmae = "prod"
lifetime = "1y"

[ca]
key_algorithm = "ecdsa-p265"
lifetime = "10000y"
permitted_domains = ["prod.internal", "*.test.internal", 7]
permitted_networks = "10.0.0.0/8"

[certificates]
lifetime = 90
renew_within = "0%"

[loadbalancer]
hosts = ["lb"]

[load_balancer]
hosts = [
    "lb.prod.internal",
    "my_lb.prod.internal",   # an underscore
]
client_certificate = "requried"
terminates_tls = "yes"
crt = "tls/key-cert.pem"
backend = ""
address = "10.0.0.1:443"

[[servers]]
name = "../server1"
address = "10.0.0.11"
options = "check ssl verify none"

[[servers]]
adress = "10.0.0.12:17010"
name = "server2"
lifetime = "1 fortnight"

[[servers]]
name = "server3"
address = "10.0.0.13:70000"
calls_servers = 1
hosts = ["[::1]"]

[[clients]]
hosts = ["scheduler."]

[revocation]
enabled = 2026-01-01
crl_file = "/tls/crl.pem"
servers = []
"#;
        let expected = r#"
2: owner = "ops": unknown key `owner` outside of the tables (one of: cluster, ca, certificates, load_balancer, servers, clients, revocation)
4: [cluster]: [cluster] has no `name` (add to [cluster]: name = "prod")
5: nmae = "prod": unknown key `nmae` in [cluster] (did you mean `name`?  one of: name)
6: lifetime = "1y": unknown key `lifetime` in [cluster] (`lifetime` belongs to [ca], [certificates], [load_balancer], [[servers]], [[clients]] or [revocation])
9: key_algorithm = "ecdsa-p265": unknown key algorithm `ecdsa-p265` (did you mean `ecdsa-p256`?  one of: ecdsa-p256, ecdsa-p384, ed25519, rsa-2048, rsa-3072, rsa-4096)
10: lifetime = "10000y": `10000y` is not between 1m and 100y (give one from 1m to 100y)
11: permitted_domains = ["prod.internal", "*.test.internal", 7]: the permitted domain `*.test.internal` has a wildcard (a permitted domain covers every name below it: write test.internal)
11: permitted_domains = ["prod.internal", "*.test.internal", 7]: expected a string, found an integer (write it like this: permitted_domains = ["prod.internal"])
12: permitted_networks = "10.0.0.0/8": expected a list of strings, found a string (write it like this: permitted_networks = ["10.0.0.0/8"])
15: lifetime = 90: expected a string, found an integer (write it like this: lifetime = "1y")
16: renew_within = "0%": `0%` is not a percentage from 1% to 99% (give a percentage such as 33%, or a time such as 30d)
18: [loadbalancer]: unknown table `loadbalancer` (did you mean `load_balancer`?  one of: cluster, ca, certificates, load_balancer, servers, clients, revocation)
24: "my_lb.prod.internal",   # an underscore: `_` is not allowed in the host name `my_lb.prod.internal` (a host name is labels of letters, digits and inner hyphens, such as server1.prod.internal)
26: client_certificate = "requried": unknown client certificate mode `requried` (did you mean `required`?  one of: none, optional, required)
27: terminates_tls = "yes": expected true or false, found a string (write it like this: terminates_tls = true)
28: crt = "tls/key-cert.pem": the path `tls/key-cert.pem` is not absolute (give an absolute path, such as /etc/haproxy/tls/ca.cert.pem)
29: backend = "": the backend name is empty (a name is letters, digits, `.`, `-` and `_`, without `--`, and begins with a letter or digit)
30: address = "10.0.0.1:443": unknown key `address` in [load_balancer] (`address` belongs to [[servers]])
33: name = "../server1": `/` is not allowed in the entry name `../server1` (a name is letters, digits, `.`, `-` and `_`, without `--`, and begins with a letter or digit)
34: address = "10.0.0.11": the address `10.0.0.11` has no port (an address is HOST:PORT, such as 10.0.0.11:17010)
35: options = "check ssl verify none": the options `check ssl verify none` contain TLS options, which zpki writes itself (give what stands between the port and the comment, such as: check inter 2s rise 2 fall 2)
37: [[servers]]: [[servers]] has no `address` (add to [[servers]]: address = "10.0.0.11:17010")
38: adress = "10.0.0.12:17010": unknown key `adress` in [[servers]] (did you mean `address`?  one of: name, address, hosts, options, calls_servers, conf, key_algorithm, lifetime, renew_within)
40: lifetime = "1 fortnight": `1 fortnight` is not a duration (a duration is a number and a unit, such as 90d, 12h or 1y6w (s, m, h, d, w, y))
44: address = "10.0.0.13:70000": the port of `10.0.0.13:70000` is `70000`, not a number from 1 to 65535 (an address is HOST:PORT, such as 10.0.0.11:17010)
45: calls_servers = 1: expected true or false, found an integer (write it like this: calls_servers = true)
46: hosts = ["[::1]"]: `[::1]` is an IP address in brackets (write the IP address without brackets)
48: [[clients]]: [[clients]] has no `name` (add to [[clients]]: name = "scheduler")
49: hosts = ["scheduler."]: the host name `scheduler.` ends with a dot (leave out the last dot)
52: enabled = 2026-01-01: expected true or false, found a date (write it like this: enabled = true)
53: crl_file = "/tls/crl.pem": unknown key `crl_file` in [revocation] (`crl_file` belongs to [load_balancer])
54: servers = []: unknown key `servers` in [revocation] (`servers` is a table of its own: [[servers]])
"#;
        let expected: Vec<&str> = expected.trim().lines().collect();
        assert_eq!(problems(text), expected);
    }

    #[test]
    fn misfits_are_reported_at_their_lines() {
        let text = r#"
[cluster]
name = "prod"
[ca]
lifetime = "1y"
permitted_domains = ["prod.internal"]
[certificates]
lifetime = "30d"
[load_balancer]
hosts = [
    "lb.prod.internal",
    "lb.test.internal",
]
[[servers]]
name = "server1"
address = "10.0.0.11:17010"
lifetime = "2y"
[[servers]]
name = "Server1"
address = "10.0.0.12:17010"
[[clients]]
name = "app.lan"
"#;
        let constraints = "permitted_domains: prod.internal; permitted_networks: none";
        let outside = |host: &str, name: &str| {
            format!(
                "`{host}` of `{name}` is outside the CA's name constraints ({constraints}) (permit its domain (permitted_domains), or give another host name)"
            )
        };
        assert_eq!(
            problems(text),
            [
                format!(
                    r#"12: "lb.test.internal",: {}"#,
                    outside("lb.test.internal", "load-balancer")
                ),
                r#"17: lifetime = "2y": the lifetime 2y is longer than the CA's, 1y (give a lifetime of at most 1y, or the CA a longer one)"#.into(),
                r#"19: name = "Server1": the names `server1` and `Server1` differ only in case (give each server and client a name of its own)"#.into(),
                format!(r#"22: name = "app.lan": {}"#, outside("app.lan", "app.lan")),
            ]
        );
    }

    #[test]
    fn a_misfit_of_a_value_that_is_not_in_the_file_is_at_its_table() {
        let misfit = "the lifetime 1y is longer than the CA's, 1d (give a lifetime of at most 1d, or the CA a longer one)";
        let short = format!("{SMALL}\n[ca]\nlifetime = \"1d\"");
        assert_eq!(problems(&short), [format!("-: -: {misfit}")]);
        let with_table = format!("[certificates]\nkey_algorithm = \"ed25519\"\n{short}");
        assert_eq!(
            problems(&with_table),
            [format!("1: [certificates]: {misfit}")]
        );
    }

    #[test]
    fn a_file_with_nothing_in_it_lacks_a_name_and_servers() {
        let no_servers = "the cluster has no servers (name at least one server and its address)";
        let no_name = r#"[cluster] has no `name` (add to [cluster]: name = "prod")"#;
        for nothing in ["", "\n\n", "# nothing", "\u{feff}"] {
            let expected = [format!("-: -: {no_servers}"), format!("-: -: {no_name}")];
            assert_eq!(problems(nothing), expected);
        }
        assert_eq!(
            problems("servers = []\ncluster = {}"),
            [
                format!("1: servers = []: {no_servers}"),
                format!("2: cluster = {{}}: {no_name}")
            ]
        );
    }

    #[test]
    fn something_else_in_place_of_a_table_is_the_only_problem_it_causes() {
        assert_eq!(
            problems("cluster = \"a\"\nservers = [{ name = \"a\", address = \"a.lan:1\" }, 5]"),
            [
                r#"1: cluster = "a": expected a table, found a string (write it like this: [cluster])"#,
                r#"2: servers = [{ name = "a", address = "a.lan:1" }, 5]: expected a table, found an integer (write it like this: [[servers]])"#
            ]
        );
        assert_eq!(
            problems("[[ca]]\n[cluster]\nname = \"a\"\n[servers]\nname = \"b\""),
            [
                "1: [[ca]]: expected a table, found a list of tables (write it like this: [ca])",
                "4: [servers]: expected a list of tables, found a table (write it like this: [[servers]])"
            ]
        );
    }

    #[test]
    fn tables_may_be_written_in_every_way_that_toml_has() {
        let plain = parse(SMALL.as_bytes()).unwrap();
        for same in [
            "cluster.name = 'demo'\nservers = [{ name = 'server1', address = '127.0.0.1:17010' }]",
            "cluster = { name = 'demo' }\n[[servers]]\naddress = '''127.0.0.1:17010'''\nname = \"server\\u0031\"",
            "[[servers]]\n\"name\" = 'server1'\n'address'='127.0.0.1:17010'\n[\"cluster\"]\nname='demo'",
            &SMALL.replace('\n', "\r\n"),
            &format!("\u{feff}{SMALL}"),
        ] {
            assert_eq!(parse(same.as_bytes()).as_ref(), Ok(&plain), "{same}");
        }
    }

    #[test]
    fn problems_of_dotted_keys_and_inline_tables_have_their_lines() {
        let text = "cluster.nam = 'demo'
certificates = { lifetime = '1x' }
servers = [
  { name = 'a', address = 'a' },
  { name = 'b' },
]
load_balancer.hosts.x = 1";
        assert_eq!(
            problems(text),
            [
                "1: cluster.nam = 'demo': [cluster] has no `name` (add to [cluster]: name = \"prod\")",
                "1: cluster.nam = 'demo': unknown key `nam` in [cluster] (did you mean `name`?  one of: name)",
                "2: certificates = { lifetime = '1x' }: `1x` is not a duration (a duration is a number and a unit, such as 90d, 12h or 1y6w (s, m, h, d, w, y))",
                "4: { name = 'a', address = 'a' },: the address `a` has no port (an address is HOST:PORT, such as 10.0.0.11:17010)",
                "5: { name = 'b' },: [[servers]] has no `address` (add to [[servers]]: address = \"10.0.0.11:17010\")",
                "7: load_balancer.hosts.x = 1: expected a list of strings, found a table (write it like this: hosts = [\"lb.prod.internal\"])",
            ]
        );
        let text = "cluster.name = 'demo'
servers = [
  { name = 'a', address = 'a.lan:1' },
  { name = 'A', address = 'b.lan:1' },
]";
        assert_eq!(
            problems(text),
            [
                "4: { name = 'A', address = 'b.lan:1' },: the names `a` and `A` differ only in case (give each server and client a name of its own)"
            ]
        );
    }

    #[test]
    fn what_is_not_toml_is_reported_with_line_and_column() {
        let hint = "a line is a [table], a [[table]], or key = value with text in double quotes";
        for (text, problem) in [
            (
                "[cluster]\nname = grün",
                "2: name = grün: not TOML at column 8: string values must be quoted",
            ),
            (
                "[ca]\r\n'grün' = 'x' 1\r\n",
                "2: 'grün' = 'x' 1: not TOML at column 14: unexpected key or value, expected newline, `#`",
            ),
            (
                "[ca]\n'grün' = 01",
                "2: 'grün' = 01: not TOML at column 10: unexpected leading zero",
            ),
            (
                "[cluster\nname = 'x'",
                "1: [cluster: not TOML at column 9: unclosed table, expected `]`",
            ),
            (
                "a = [\n  1,\n\n",
                "2: 1,: not TOML at column 5: unclosed array, expected `]`",
            ),
            (
                "a = \"\u{1b}[2J\"",
                r#"1: a = "\u{1b}[2J": not TOML at column 6: invalid basic string, expected non-double-quote visible characters, `\`"#,
            ),
        ] {
            assert_eq!(problems(text), [format!("{problem} ({hint})")]);
        }
    }

    #[test]
    fn every_line_that_is_not_toml_is_reported_once() {
        let text = "[cluster]\nname = grün, blau\n[ca]\nlifetime = 10y\nkey_algorithm = ''x'\n";
        let problems = problems(text);
        let lines: Vec<&str> = problems.iter().map(|problem| &problem[..2]).collect();
        assert_eq!(lines, ["2:", "4:", "5:"], "{problems:#?}");
    }

    #[test]
    fn a_key_or_a_table_that_is_there_twice_is_reported_at_the_second() {
        let hint = "give each table and each key once; every server has a [[servers]] of its own";
        assert_eq!(
            problems("[cluster]\nname = 'a'\nname = 'b'"),
            [format!(
                "3: name = 'b': not TOML at column 1: duplicate key ({hint})"
            )]
        );
        assert_eq!(
            problems("[servers]\nname = 'a'\n[servers]\nname = 'b'"),
            [
                format!("3: [servers]: not TOML at column 2: duplicate key ({hint})"),
                format!("4: name = 'b': not TOML at column 1: duplicate key ({hint})"),
            ]
        );
    }

    #[test]
    fn each_line_that_is_not_utf_8_is_reported() {
        let text = b"[cluster]\nname = 'd\xc3\xa9m\xe9'\r\n# ok\n# \xff\xff";
        let problems = parse(text).unwrap_err();
        let shown: Vec<_> = problems.iter().map(shown).collect();
        assert_eq!(
            shown,
            [
                "2: name = 'dém\u{fffd}': byte 0xe9 at column 12 is not UTF-8 (save the file as UTF-8)",
                "4: # \u{fffd}\u{fffd}: byte 0xff at column 3 is not UTF-8 (save the file as UTF-8)",
            ]
        );
    }

    #[test]
    fn nothing_of_the_file_reaches_a_terminal_raw_or_whole() {
        let text = format!("\"\\u001b[2J\u{202e}\" = \"{}\"", "x".repeat(100_000));
        let problems = parse(text.as_bytes()).unwrap_err();
        let unknown = problems.last().unwrap();
        assert_eq!(
            unknown.to_string(),
            r"unknown key `\u{1b}[2J\u{202e}` outside of the tables"
        );
        let source = unknown.source.as_ref().unwrap();
        assert!(source.starts_with(r#""\u001b[2J\u{202e}" = "xxx"#));
        assert!(source.ends_with("x..."));
        assert!(source.len() < 200);
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_crash() {
        for deep in [
            format!("a = {}", "[".repeat(100_000)),
            format!("{} = 1", ["a"; 100_000].join(".")),
            format!("[{}]", ["a"; 100_000].join(".")),
        ] {
            assert!(parse(deep.as_bytes()).is_err());
        }
    }

    /// A file with every table and key of the schema, as the examples have them, but `changed`.
    fn examples(changed: Option<(&TableSchema, &str)>) -> String {
        let mut text = String::new();
        for table in TABLES {
            text += &format!("{}\n", table.header());
            for (key, value) in table.keys {
                let value = match changed {
                    Some(changed) if changed == (table, *key) => "1.5",
                    _ => value,
                };
                text += &format!("{key} = {value}\n");
            }
        }
        text
    }

    #[test]
    fn every_example_of_the_schema_is_right() {
        assert_eq!(parse(examples(None).as_bytes()).err(), None);
    }

    #[test]
    fn every_key_of_the_schema_is_read() {
        for table in TABLES {
            for (key, _) in table.keys {
                let text = examples(Some((table, key)));
                let line = format!("{key} = 1.5");
                let number = text.lines().position(|text| text == line).unwrap() + 1;
                let shown = problems(&text).join("\n");
                assert!(shown.starts_with(&format!("{number}: {line}: expected ")));
                let end = format!("found a float (write it like this: {})", table.example(key));
                assert!(shown.ends_with(&end), "{shown}");
                assert_eq!(shown.lines().count(), 1);
            }
        }
    }
}
