//! What zpki reads out of a configuration, and what HAProxy makes of it: `haproxy -c` names the
//! lines that it refuses, the files that it does not find, and the servers that would be verified
//! against nothing.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tempfile::TempDir;
use zpki::config::haproxy::read_configuration;
use zpki::config::haproxy::reason::Reason;
use zpki::config::problem::Reading;
use zpki::domain::haproxy_tls::{
    FileReference, HaproxyTls, HealthCheck, Server, TlsVersion, Verify,
};

use crate::e2e::process::tool;

/// The variables that both see.
const ENVIRONMENT: [(&str, &str); 3] = [("A", "a"), ("EMPTY", ""), ("WORDS", "two words")];

fn read(text: &str) -> Reading<HaproxyTls, Reason> {
    let environment = BTreeMap::from(ENVIRONMENT);
    read_configuration(text.as_bytes(), &|name| {
        environment.get(name).map(|value| (*value).to_owned())
    })
}

/// The lines that HAProxy refuses, each once.
fn refused(reading: &Reading<HaproxyTls, Reason>) -> Vec<usize> {
    let problems = reading.problems.iter();
    let refused = problems.filter(|problem| problem.reason.is_refused());
    let mut lines: Vec<usize> = refused.map(|problem| problem.line).collect();
    lines.dedup();
    lines
}

/// What HAProxy says of a configuration: each alert and warning, with its line where it has one.
struct Said(Vec<(Option<usize>, String)>);

impl Said {
    fn of(text: &str) -> Self {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("haproxy.cfg"), text).unwrap();
        let mut haproxy = tool("haproxy");
        let output = haproxy
            .args(["-c", "-f", "haproxy.cfg"])
            .env_clear()
            .envs(ENVIRONMENT)
            .current_dir(&directory)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let mut said = String::from_utf8_lossy(&output.stderr).into_owned();
        for kind in ["[ALERT]", "[NOTICE]", "[WARNING]"] {
            said = said.replace(&format!("\n{kind}"), &format!("\n\0{kind}"));
        }
        Self(said.split('\0').map(numbered).collect())
    }

    /// The lines of messages with `text`, each once.
    fn lines_with(&self, text: &str) -> Vec<usize> {
        let said = self.0.iter().filter(|(_, message)| message.contains(text));
        let mut lines: Vec<usize> = said.filter_map(|(line, _)| *line).collect();
        lines.sort_unstable();
        lines.dedup();
        lines
    }

    /// The files that were not found.
    fn files(&self) -> Vec<String> {
        self.0
            .iter()
            .filter_map(|(_, message)| missing_file(message))
            .collect()
    }
}

fn numbered(message: &str) -> (Option<usize>, String) {
    let number = message
        .split_once("[haproxy.cfg:")
        .and_then(|(_, rest)| rest.split_once(']')?.0.parse().ok());
    (number, message.to_owned())
}

fn missing_file(message: &str) -> Option<String> {
    let markers = [
        ("Couldn't open the ca-file '", "' (No such file"),
        (
            "unable to stat SSL certificate from file '",
            "' : No such file",
        ),
        ("cannot open file '", "' : No such file"),
    ];
    markers.iter().find_map(|(before, behind)| {
        let (_, rest) = message.split_once(before)?;
        Some(rest.split_once(behind)?.0.to_owned())
    })
}

const DEFAULTS: &str =
    "defaults\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n";

/// Every file of a configuration, as HAProxy would open it.
fn files(tls: &HaproxyTls) -> Vec<String> {
    let of_server = |server: &Server| {
        let options = server.options.clone();
        [options.ca_file, options.crl_file, options.crt]
    };
    let proxies = || tls.proxies.iter();
    let servers = proxies()
        .flat_map(|proxy| &proxy.servers)
        .flat_map(of_server);
    let binds = proxies()
        .flat_map(|proxy| proxy.binds.clone())
        .flat_map(|bind| {
            let several = bind.crt.into_iter().chain(bind.crt_list).map(Some);
            several.chain([bind.ca_file, bind.ca_verify_file, bind.crl_file])
        });
    let all = servers.chain(binds).flatten();
    all.map(|file: FileReference| file.path).collect()
}

/// Configurations that name one file. HAProxy does not find it, and says where it looked.
const ONE_FILE: &[&str] = &[
    "backend b\n server s h:1 ssl ca-file /n/ca\n",
    "backend b\n server s h:1 ssl ca-file n/ca\n",
    "backend b\n server s h:1 ssl verify none crt n/crt\n",
    "backend b\n server s h:1 ssl verify none crl-file n/crl\n",
    "frontend f\n bind :1 ssl crt n/crt\n",
    "frontend f\n bind :1 ssl crt-list n/list\n",
    "frontend f\n bind :1 ssl ca-verify-file n/ca\n",
    // In the order of the file; a later global has no part.
    "backend b\n server s h:1 ssl ca-file n/ca\nglobal\n ca-base /base\n",
    "backend b\n server s h:1 ssl verify none crt n/crt\nglobal\n crt-base /base\n",
    // Each keyword with its own base, without one, and with names that look special.
    "global\n ca-base /ca\n crt-base /crt\nbackend b\n server s h:1 ssl ca-file n\n",
    "global\n ca-base /ca/\n crt-base /crt\nbackend b\n server s h:1 ssl ca-file ./n\n",
    "global\n ca-base ca\n crt-base /crt\nbackend b\n server s h:1 ssl ca-file ../n\n",
    "global\n ca-base /ca\nbackend b\n server s h:1 ssl ca-file @system-ca\n",
    "global\n ca-base /ca\nbackend b\n server s h:1 ssl ca-file @n\n",
    "global\n ca-base /ca\nbackend b\n server s h:1 ssl ca-file /n\n",
    "global\n ca-base /ca\n crt-base /crt\nbackend b\n server s h:1 ssl verify none crl-file n\n",
    "global\n ca-base /ca\n crt-base /crt\nbackend b\n server s h:1 ssl verify none crt n\n",
    "global\n ca-base /ca\n crt-base /crt\nbackend b\n server s h:1 ssl verify none crt @n\n",
    "global\n ca-base /ca\n crt-base /crt\nfrontend f\n bind :1 ssl crt n\n",
    "global\n ca-base /ca\n crt-base /crt\nfrontend f\n bind :1 ssl crt-list n\n",
    "global\n ca-base /ca\n crt-base /crt\nfrontend f\n bind :1 ssl ca-file n\n",
    "global\n ca-base /ca\n crt-base /crt\nfrontend f\n bind :1 ssl ca-verify-file n\n",
    "global\n ca-base /ca\n crt-base /crt\nfrontend f\n bind :1 ssl crl-file n\n",
    "global\n ca-base /ca x\nbackend b\n server s h:1 ssl ca-file n\n",
    "global\n ca-base /ca\n ca-base /other\nbackend b\n server s h:1 ssl ca-file n\n",
    // Quotes, variables, and global's own.
    "backend b\n server s h:1 ssl ca-file \"/n/$A/${A}/${NONE-a b}/$NONE/${EMPTY-x}\"\n",
    "backend b\n server s h:1 ssl ca-file '/n/$A'\n",
    "backend b\n server s h:1 ssl ca-file /n/$A\n",
    "global\n setenv A b\nbackend b\n server s h:1 ssl ca-file \"/n/$A\"\n",
    "global\n setenv A b c\nbackend b\n server s h:1 ssl ca-file \"/n/$A\"\n",
    "global\n presetenv A b\n presetenv B c\nbackend b\n server s h:1 ssl ca-file \"/n/$A$B\"\n",
    "global\n unsetenv B A\nbackend b\n server s h:1 ssl ca-file \"/n/$A\"\n",
    "global\n setenv B b\n resetenv A\nbackend b\n server s h:1 ssl ca-file \"/n/$A$B\"\n",
    "global\n resetenv B\nbackend b\n server s h:1 ssl ca-file \"/n/$A$B\"\n",
    "global\n setenv B \"$A$A\"\nbackend b\n server s h:1 ssl ca-file \"/n/$B\"\n",
    "global\n setenv DIR /n\n ca-base \"$DIR\"\nbackend b\n server s h:1 ssl ca-file ca\n",
    // Inheritance: the last value counts.
    "backend b\n default-server ssl verify none crt /n\n server s h:1\n",
    "backend b\n default-server ssl verify none crt /m\n default-server crt /n\n server s h:1\n",
    "backend b\n default-server ssl verify none crt /m\n server s h:1 crt /n\n",
    "backend b\n server s h:1 ssl verify none crt /m crt /n\n",
    "backend b\n server s h:1 ssl verify none crt /n\n default-server crt /m\n",
    "backend b\n server s h:1 \"s\"sl 'verify' none crt '/n'x\\ y\"z\"\n",
    "backend b\n server s h:1 ssl verify none crt /n#x\n",
    "backend b\r\n server s h:1 ssl verify none crt /n\r\n",
    "backend b\n server s h:1 ssl verify none crt /n\\\n",
];

#[test]
fn haproxy_looks_for_files_where_the_reader_says() {
    for text in ONE_FILE {
        let text = format!("{text}{}", DEFAULTS);
        let files = files(&read(&text).value);
        assert_eq!(Said::of(&text).files(), files, "{text}");
        assert_eq!(files.len(), 1, "{text}");
    }
}

/// What HAProxy says of a server that it would verify against nothing.
const NO_CA_FILE: &str = "no CA file specified";

fn is_unverified(server: &Server) -> bool {
    let options = &server.options;
    (options.ssl || options.check_ssl)
        && server.verify == Verify::Required
        && options.ca_file.is_none()
}

/// Configurations with servers that HAProxy would verify against nothing, and others.
const VERIFIED_AGAINST: &[&str] = &[
    "backend b\n server s h:1 ssl\n server t h:1\n server u h:1 check-ssl\n server v h:1 ssl verify none\n",
    "backend b\n server s h:1 ssl no-ssl\n server t h:1 no-ssl ssl\n server u h:1 check-ssl no-check-ssl\n",
    "backend b\n default-server ssl\n server s h:1\n server t h:1 verify none\n",
    "backend b\n server s h:1\n default-server ssl\n server t h:1\n default-server no-ssl\n server u h:1\n",
    "backend b\n default-server ssl verify none\n server s h:1\n server t h:1 verify required\n",
    "backend b\n server s h:1 ssl\nglobal\n ssl-server-verify none\n",
    "global\n ssl-server-verify none\nbackend b\n server s h:1 ssl\n server t h:1 ssl verify required\n",
    "global\n ssl-server-verify none\n ssl-server-verify required\nbackend b\n server s h:1 ssl\n",
    "defaults a\n default-server ssl\ndefaults b from a\ndefaults c\nbackend x from a\n server s h:1\nbackend y from b\n server t h:1\nbackend z\n server u h:1\n",
    "defaults a\n default-server ssl\nbackend x\n server s h:1\nbackend y\n default-server no-ssl\n server t h:1\n",
    "defaults\n default-server ssl\ndefaults\nbackend x\n server s h:1\n",
    "defaults from\n default-server ssl\ndefaults\nbackend x from from\n server s h:1\n",
    "defaults a b\n default-server ssl\nbackend x\n server s h:1\n",
    "backend b\n '' server s h:1 ssl\n server t h:1 '' ssl\n server u h:1 \"$NONE\" ssl\n server v h:1 ssl\n",
    "backend b\n server s h:1 ssl#x\n # server t h:1 ssl\n\x0bserver u h:1\x0cssl\n server v h:1 # ssl\n",
    "backend b\n server s h:1 cookie ssl\n server t h:1 weight 1 ssl\n server u h:1 source 1.2.3.4 interface lo ssl\n",
    "backend b\n server s h:1 ssl disabled\nlisten l\n disabled\n bind :1\n server t h:1 ssl\n",
];

#[test]
fn haproxy_misses_the_ca_file_of_the_same_servers() {
    for text in VERIFIED_AGAINST {
        let reading = read(text);
        assert_eq!(reading.problems, [], "{text}");
        // HAProxy does not look into a proxy that is disabled.
        let proxies = reading.value.proxies.iter().filter(|proxy| !proxy.disabled);
        let servers = proxies
            .flat_map(|proxy| &proxy.servers)
            .filter(|server| is_unverified(server));
        let lines: Vec<usize> = servers.map(|server| server.line).collect();
        assert_eq!(Said::of(text).lines_with(NO_CA_FILE), lines, "{text}");
    }
}

/// The one place where HAProxy's answer is no help: `no-ssl` on the line itself turns TLS off, but
/// TLS could be turned on later by the runtime API, so the files are asked for all the same.
#[test]
fn haproxy_prepares_a_server_that_takes_back_the_default_ssl() {
    let text = "backend b\n default-server ssl\n server s h:1 no-ssl\n";
    assert!(!read(text).value.proxies[0].servers[0].options.ssl);
    assert_eq!(Said::of(text).lines_with(NO_CA_FILE), [3]);
}

/// Configurations in which lines are refused while they are read.
const REFUSED: &[&str] = &[
    "backend b\n server s h:1 ssl verify none crt 'a\n server t h:1 \"x\n server u h:1 \\xg1\n",
    "backend b\n server s h:1 \"$\"\n server t h:1 \"$1\"\n server u h:1 \"${A\"\n server v h:1 \"${-a}\"\n",
    "backend b\n server s h:1 '\r'\n server t h:1 check\r\n",
    "backend b\n server s h:1 ssl verify optional\n server t h:1 ssl verify\n server u h:1 ssl verify NONE\n",
    "backend b\n server s h:1 ssl-min-ver tlsv1.2\n server t h:1 ssl-max-ver TLSv1.4\n server u h:1 ssl-min-ver SSLv3\n",
    "backend b\n server s h:1 sni\n server t h:1 sni ''\n server u h:1 verifyhost\n server v h:1 check-sni\n server w h:1 alpn ''\n server x h:1 ca-file\n server y h:1 crt\n server z h:1 inter\n",
    "backend b\n server\n server s\n server s ''\n",
    "frontend f\n bind\n bind :1 ssl crt\n bind :1 verify x\n bind :1 crt-list\n bind :1 alpn\n bind :1 ca-ignore-err\n",
    "frontend f\n server s h:1\n",
    "defaults\n server s h:1\n bind :1\n",
    " server s h:1\n",
    "backend b\n server s h:1\n\n no server t h:1\n no option httpchk\n default option tcp-check\n no option redispatch\n",
    "defaults x\nbackend q from z\n",
    "defaults x\ndefaults x\nbackend q from x\n",
    "defaults from y\n",
    "backend\n",
    "listen l :1\n",
    "global\n ca-base\n crt-base ''\n setenv A\n presetenv A ''\n unsetenv\n resetenv\n",
    "global\n ssl-server-verify optional\n ca-base /a b\n ca-base /a\n ca-base /b\n",
    "backend b\n server s h:1",
    "backend b\n server s h:1\n# x",
    ".else\n",
    ".if 0\n server s h:1 'x\n.endif\n.notice x\n",
    "backend b\n server s h:1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 check\n server t h:1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 weight 1 check backup\n",
];

#[test]
fn haproxy_refuses_the_same_lines() {
    let mut wrong = Vec::new();
    for text in REFUSED {
        let text = text.replace(" h:1", " 127.0.0.1:1");
        let lines = refused(&read(&text));
        let said = Said::of(&text);
        if said.lines_with("[ALERT]") != lines {
            wrong.push(format!("{text}\n{lines:?}\n{:?}", said.0));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Configurations whose protocol versions leave nothing over, and others.
const VERSIONS: &[&str] = &[
    "backend b\n server s h:1 ssl verify none ssl-min-ver TLSv1.3 ssl-max-ver TLSv1.2\n",
    "backend b\n server s h:1 ssl verify none ssl-max-ver TLSv1.2 force-tlsv13\n server t h:1 ssl verify none force-tlsv13 ssl-max-ver TLSv1.2\n",
    "global\n ssl-default-server-options ssl-min-ver TLSv1.3\nbackend b\n server s h:1 ssl verify none ssl-max-ver TLSv1.2\n",
    "backend b\n server s h:1 ssl verify none ssl-max-ver TLSv1.2\nglobal\n ssl-default-server-options ssl-min-ver TLSv1.3\n",
    "global\n ssl-default-server-options ssl-min-ver TLSv1.3\nbackend b\n server s h:1 ssl-max-ver TLSv1.2\n server t h:1 ssl verify none ssl-max-ver TLSv1.2 ssl-min-ver TLSv1.2\n server u h:1 check-ssl verify none ssl-max-ver TLSv1.2\n",
    "global\n ssl-default-server-options ssl-min-ver TLSv1.3\ndefaults\n default-server ssl verify none\nbackend b\n server s h:1 ssl-max-ver TLSv1.2\n",
    "global\n ssl-default-server-options ssl-min-ver TLSv1.3\n ssl-default-server-options ssl-min-ver TLSv1.1\nbackend b\n server s h:1 ssl verify none ssl-max-ver TLSv1.2\n",
    "global\n ssl-default-server-options force-tlsv13\nbackend b\n default-server ssl-min-ver TLSv1.1\n server s h:1 ssl verify none ssl-max-ver TLSv1.2\n",
    "global\n ssl-default-server-options ssl-min-ver TLSv1.3 no-tls-tickets\nbackend b\n default-server ssl-max-ver TLSv1.2\n server s h:1 ssl verify none\n",
    "backend b\n server s h:1 ssl verify none no-sslv3 no-tlsv10 no-tlsv11 no-tlsv12 no-tlsv13\n server t h:1 ssl verify none no-tlsv12 no-tlsv13 ssl-min-ver TLSv1.2\n",
];

#[test]
fn haproxy_allows_the_same_versions() {
    for text in VERSIONS {
        let reading = read(text);
        assert_eq!(reading.problems, [], "{text}");
        let nothing_left = |server: &&Server| {
            let (options, versions) = (&server.options, &server.options.versions);
            let empty = match (versions.min, versions.max) {
                (None, None) => versions.without.len() == TlsVersion::NAMES.len(),
                (min, max) => max.is_some_and(|max| min.is_some_and(|min| min > max)),
            };
            (options.ssl || options.check_ssl) && empty
        };
        let servers = reading
            .value
            .proxies
            .iter()
            .flat_map(|proxy| &proxy.servers);
        let lines: Vec<usize> = servers
            .filter(nothing_left)
            .map(|server| server.line)
            .collect();
        let said = Said::of(text).lines_with("all SSL/TLS versions are disabled");
        assert_eq!(said, lines, "{text}");
    }
}

/// Whether `http-check` rules have an `option httpchk` is all that HAProxy says about checks.
#[test]
fn haproxy_takes_the_last_option_for_a_check() {
    for options in [
        "",
        "option httpchk",
        "option httpchk\n option tcp-check",
        "option ssl-hello-chk\n option httpchk",
        "option httpchk\n option redis-check",
        "option httpchk\n option httplog",
    ] {
        for text in [
            format!("backend b\n {options}\n http-check expect status 200\n server s h:1\n"),
            format!(
                "defaults\n {options}\nbackend b\n http-check expect status 200\n server s h:1\n"
            ),
            format!(
                "defaults\n option httpchk\nbackend b\n {options}\n http-check expect status 200\n"
            ),
        ] {
            let reading = read(&text);
            let option = "httpchk".to_owned();
            let http = reading.value.proxies[0].health_check == HealthCheck::Response { option };
            let said = Said::of(&text);
            let ignored = said
                .0
                .iter()
                .any(|(_, message)| message.contains("so the rules are ignored"));
            assert_eq!(ignored, !http, "{text}");
        }
    }
}

/// HAProxy reads a word on each of many lines as the reader does, or refuses it as the reader does.
/// It stops at the fiftieth.
#[test]
fn haproxy_reads_the_same_words() {
    let words = prop::collection::vec(r#"[ab$ '"\\#{}\-A_.x4n\[\]*\t\r]{0,12}"#, 45);
    let mut runner = TestRunner::new(Config {
        cases: 40,
        failure_persistence: None,
        ..Config::default()
    });
    let tested = runner.run(&words, |words| {
        let words = words.iter();
        let lines: String = words
            .map(|word| format!(" server s 127.0.0.1:1 ssl ca-file /nowhere/{word}\n"))
            .collect();
        let text = format!("backend b\n{lines}");
        let (mut ours, said) = (outcomes(&text), Said::of(&text));
        let theirs = said
            .0
            .iter()
            .filter_map(|(line, message)| Some(((*line)?, missing_file(message))));
        let theirs: BTreeMap<usize, Option<String>> = theirs.collect();
        for line in words_of_haproxy(&text) {
            ours.remove(&line);
        }
        for (line, ours) in ours {
            prop_assert_eq!(
                theirs.get(&line),
                Some(&ours),
                "{:?}",
                text.lines().nth(line - 1)
            );
        }
        Ok(())
    });
    tested.unwrap();
}

/// For each line that was read the file it names, for each that is refused none.
fn outcomes(text: &str) -> BTreeMap<usize, Option<String>> {
    let reading = read(text);
    let refused = reading
        .problems
        .iter()
        .filter(|problem| problem.reason.is_refused());
    let refused = refused.map(|problem| (problem.line, None));
    let servers = reading
        .value
        .proxies
        .iter()
        .flat_map(|proxy| &proxy.servers);
    let files = servers.map(|server| {
        let file = server.options.ca_file.as_ref();
        (server.line, file.map(|file| file.path.clone()))
    });
    files.chain(refused).collect()
}

/// The lines with variables that only HAProxy knows.
fn words_of_haproxy(text: &str) -> Vec<usize> {
    let problems = read(text).problems.into_iter();
    let unknown = problems.filter(|problem| {
        matches!(problem.reason, Reason::Fault(_)) && !problem.reason.is_refused()
    });
    unknown.map(|problem| problem.line).collect()
}

/// Sections, defaults and inheritance in any order: HAProxy misses the ca-file of the same servers.
#[test]
fn haproxy_inherits_as_the_reader_does() {
    // `no-ssl` on a server line: see the test above.
    let words = [
        "ssl",
        "check-ssl",
        "no-check-ssl",
        "verify none",
        "verify required",
        "check",
        "weight 1",
        "''",
        "# x",
        "'ssl'",
        "no-ssl",
    ];
    let options = |words: &[&'static str]| {
        let words = prop::sample::select(words.to_vec());
        prop::collection::vec(words, 0..4).prop_map(|options| options.join(" "))
    };
    let (of_server, of_default) = (options(&words[..words.len() - 1]), options(&words));
    let line = prop_oneof![
        4 => of_server.prop_map(|options| format!(" server NAME 127.0.0.1:1 {options}")),
        2 => of_default.prop_map(|options| format!(" default-server {options}")),
        2 => prop::sample::select(vec!["backend NAME", "backend NAME from one", "listen NAME from two"])
            .prop_map(str::to_owned),
        1 => prop::sample::select(vec!["defaults", "defaults NAME", "defaults NAME from one"])
            .prop_map(str::to_owned),
        1 => prop::sample::select(vec!["none", "required"])
            .prop_map(|verify| format!("global\n ssl-server-verify {verify}\nbackend NAME")),
    ];
    let mut runner = TestRunner::new(Config {
        cases: 100,
        failure_persistence: None,
        ..Config::default()
    });
    let tested = runner.run(&prop::collection::vec(line, 0..25), |lines| {
        let head = "defaults one\n default-server ssl\ndefaults two\n default-server check-ssl verify none\ndefaults\nbackend first".to_owned();
        let numbered = [head].into_iter().chain(lines).enumerate();
        let lines = numbered.map(|(number, line)| line.replace("NAME", &format!("n{number}")));
        let text = format!("{}\n", lines.collect::<Vec<_>>().join("\n"));
        let reading = read(&text);
        let servers = reading.value.proxies.iter().flat_map(|proxy| &proxy.servers);
        let lines: Vec<usize> = servers.filter(|server| is_unverified(server)).map(|server| server.line).collect();
        let said = Said::of(&text);
        // What is refused keeps HAProxy from looking at what the rest comes to.
        let refused = refused(&reading);
        let expected = if refused.is_empty() { lines } else { refused };
        prop_assert_eq!(said.lines_with("[ALERT]"), expected, "{}", text);
        Ok(())
    });
    tested.unwrap();
}
