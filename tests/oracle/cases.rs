//! The rules of path validation, one case each and one for each side of a boundary: what `zpki check`
//! says of it, what `openssl verify` does, and what a HAProxy does that connects to such a server.
//!
//! The tables state what is right, and the oracles have the last word: a case where zpki differs from
//! one of them fails.

mod constraints;
mod dates;
mod directories;
mod extensions;
mod live;
mod names;
mod paths;
mod revocation;
mod strength;
mod strict;

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use serde_json::Value;
use time::OffsetDateTime;
use zpki::verify::policy::{Policy, Purpose};

use super::forge::{Certificate, Crl, Forge, NOW, leaf, root};
use crate::e2e::process::tool;
use crate::sandbox::Sandbox;

/// What is judged, and how it must end.
struct Case {
    /// A sentence, with `_` for each blank.
    name: &'static str,
    leaf: Certificate,
    /// What is sent behind it.
    sent: Vec<Certificate>,
    trusted: Vec<Certificate>,
    /// The files of the directory that HAProxy gets as its ca-file, of which it reads what is trusted;
    /// none where it gets a file.
    ca_directory: Vec<(&'static str, Vec<Certificate>)>,
    crls: Option<Vec<Crl>>,
    host: Option<&'static str>,
    policy: Policy,
    expected: Expected,
    /// Whether a TLS server can have such a certificate at all.
    presentable: bool,
}

/// How a verdict ends.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Expected {
    Accepted,
    Refused {
        /// Of zpki's rule.
        id: &'static str,
        depth: u64,
    },
    /// zpki cannot tell; the oracles accept it.
    Unknown,
}

/// [`leaf`] below [`root`], which HAProxy trusts; it has no more to say, and is accepted.
fn case(name: &'static str) -> Case {
    Case {
        name,
        leaf: leaf(),
        sent: Vec::new(),
        trusted: vec![root()],
        ca_directory: Vec::new(),
        crls: None,
        host: None,
        policy: Policy::HaproxyServer,
        expected: Expected::Accepted,
        presentable: true,
    }
}

impl Case {
    fn leaf(mut self, leaf: Certificate) -> Self {
        self.leaf = leaf;
        self
    }

    fn sent(mut self, sent: impl IntoIterator<Item = Certificate>) -> Self {
        self.sent = sent.into_iter().collect();
        self
    }

    fn trusted(mut self, trusted: impl IntoIterator<Item = Certificate>) -> Self {
        self.trusted = trusted.into_iter().collect();
        self
    }

    fn ca_directory(
        mut self,
        files: impl IntoIterator<Item = (&'static str, Vec<Certificate>)>,
    ) -> Self {
        self.ca_directory = files.into_iter().collect();
        self
    }

    fn crls(mut self, crls: impl IntoIterator<Item = Crl>) -> Self {
        self.crls = Some(crls.into_iter().collect());
        self
    }

    fn host(mut self, host: &'static str) -> Self {
        self.host = Some(host);
        self
    }

    fn by_a_server(mut self) -> Self {
        self.policy = Policy::ServerClient;
        self
    }

    fn strictly(mut self) -> Self {
        self.policy = Policy::Strict(Purpose::Server);
        self
    }

    fn not_presentable(mut self) -> Self {
        self.presentable = false;
        self
    }

    fn refused(mut self, id: &'static str, depth: u64) -> Self {
        self.expected = Expected::Refused { id, depth };
        self
    }

    fn unknown(mut self) -> Self {
        self.expected = Expected::Unknown;
        self
    }

    /// What HAProxy gets as its ca-file.
    fn ca_file(&self) -> &'static str {
        match self.ca_directory.as_slice() {
            [] => "ca-file.pem",
            _ => "ca-directory",
        }
    }

    /// Whether the verdict of now is the verdict of the next hour: no date lies in it.
    fn is_lasting(&self) -> bool {
        let certificates = self.sent.iter().chain(&self.trusted).chain([&self.leaf]);
        let crls = self.crls.iter().flatten().flat_map(Crl::dates);
        let mut dates = certificates.flat_map(Certificate::dates).chain(crls);
        dates.all(|seconds| !(1..3600).contains(&seconds))
    }
}

/// Every case there is.
fn all() -> Vec<Case> {
    [
        constraints::cases(),
        dates::cases(),
        directories::cases(),
        extensions::cases(),
        names::cases(),
        paths::cases(),
        revocation::cases(),
        strength::cases(),
        strict::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn there_is_a_case_for_each_rule_and_its_boundary() {
    let cases = all();
    let mut names: Vec<_> = cases.iter().map(|case| case.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), cases.len(), "two cases have the same name");
    assert!(cases.len() >= 60, "{} cases", cases.len());
}

#[test]
fn dates_are_judged_as_openssl_does() {
    judge(&dates::cases());
}

#[test]
fn of_a_directory_as_ca_file_is_trusted_what_haproxy_reads() {
    judge(&directories::cases());
}

#[test]
fn extensions_are_judged_as_openssl_does() {
    judge(&extensions::cases());
}

#[test]
fn name_constraints_are_judged_as_openssl_does() {
    judge(&constraints::cases());
}

#[test]
fn names_are_judged_as_openssl_does_but_for_haproxy() {
    judge(&names::cases());
}

#[test]
fn paths_are_built_as_openssl_does() {
    judge(&paths::cases());
}

#[test]
fn revocation_is_judged_as_openssl_does() {
    judge(&revocation::cases());
}

#[test]
fn strength_is_judged_as_openssl_does() {
    judge(&strength::cases());
}

#[test]
fn the_strict_rules_are_those_of_openssl() {
    judge(&strict::cases());
}

/// Asks zpki and openssl about each case, and tells all of those that went wrong.
fn judge(cases: &[Case]) {
    let wrong: Vec<String> = cases.iter().filter_map(problem).collect();
    let shown = wrong.join("\n");
    assert!(wrong.is_empty(), "{} cases:\n{shown}", wrong.len());
}

/// What went wrong, if anything did.
fn problem(case: &Case) -> Option<String> {
    let files = Files::of(case);
    let zpki = files.ask_zpki(case);
    let openssl = files.ask_openssl(case);
    let Case { name, expected, .. } = case;
    if zpki.said != expected.to_string() {
        let said = zpki.said;
        return Some(format!(
            "{name}: not {expected}, zpki says {said}, openssl {openssl:?}"
        ));
    }
    // What HAProxy makes of names is not for the openssl command to say.
    let is_of_haproxy = *expected == HOST_MISMATCH && case.policy == Policy::HaproxyServer;
    let foretold = zpki.openssl;
    (openssl != foretold && !is_of_haproxy)
        .then(|| format!("{name}: zpki foretells {foretold:?}, openssl says {openssl:?}"))
}

/// The certificate is for another name.
const HOST_MISMATCH: Expected = Expected::Refused {
    id: "host-mismatch",
    depth: 0,
};

/// What zpki says.
struct Answer {
    /// As [`Expected`] is shown.
    said: String,
    /// The number and depth of openssl's error, as zpki foretells them.
    openssl: Option<(u64, u64)>,
}

impl Display for Expected {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("accepted"),
            Self::Refused { id, depth } => write!(f, "refused: {id} at {depth}"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// A case in files.
struct Files {
    sandbox: Sandbox,
}

impl Files {
    fn of(case: &Case) -> Self {
        let sandbox = Sandbox::new();
        let mut forge = Forge::shared()
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut bundle = |certificates: &[Certificate]| -> String {
            let certificates = certificates.iter();
            certificates.map(|it| forge.certificate(it)).collect()
        };
        let leaf = std::slice::from_ref(&case.leaf);
        sandbox
            .file("leaf.pem", bundle(leaf))
            .file("sent.pem", bundle(&case.sent))
            .file("ca-file.pem", bundle(&case.trusted));
        for (name, certificates) in &case.ca_directory {
            sandbox.file(format!("ca-directory/{name}"), bundle(certificates));
        }
        let key = forge.private_key(&case.leaf);
        sandbox.file("key.pem", key);
        if let Some(crls) = &case.crls {
            let crls: String = crls.iter().map(|crl| forge.crl(crl)).collect();
            sandbox.file("crl-file.pem", crls);
        }
        Self { sandbox }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.sandbox.path(file)
    }

    fn ask_zpki(&self, case: &Case) -> Answer {
        let mut args = vec!["check", "leaf.pem", "--ca-file", case.ca_file()];
        args.extend(["--output", "json", "--as"]);
        args.extend(match case.policy {
            Policy::HaproxyServer => ["haproxy-server"].as_slice(),
            Policy::ServerClient => &["server-client"],
            Policy::Strict(Purpose::Server) => &["strict"],
            Policy::Strict(Purpose::Client) => &["strict", "--purpose", "client"],
        });
        if !case.sent.is_empty() {
            args.extend(["--untrusted", "sent.pem"]);
        }
        if case.crls.is_some() {
            args.extend(["--crl-file", "crl-file.pem"]);
        }
        if let Some(host) = case.host {
            args.extend(["--host", host]);
        }
        let (status, report) = self.sandbox.args(args).now(*NOW).run().answer();
        let report: Value = serde_json::from_str(&report).unwrap();
        let verdict = &report["verdicts"][0];
        let first = &verdict["reasons"][0];
        let depth = first["depth"].as_u64();
        let (id, number) = (first["id"].as_str(), first["opensslError"].as_u64());
        let outcome = verdict["outcome"].as_str().unwrap();
        Answer {
            said: match (outcome, status) {
                // Certificates that are left out are worth a warning.
                ("accepted", 0 | 1) | ("unknown", 3) => outcome.to_owned(),
                ("refused", 2) => format!("refused: {} at {}", id.unwrap(), depth.unwrap()),
                _ => format!("{outcome}, with status {status}"),
            },
            openssl: number.zip(depth),
        }
    }

    fn ask_openssl(&self, case: &Case) -> Option<(u64, u64)> {
        let mut args = vec!["-purpose", purpose(case.policy)];
        if case.policy.is_strict() {
            args.extend(["-x509_strict", "-partial_chain"]);
            let host = case.host.map(|host| ["-verify_hostname", host]);
            args.extend(host.iter().flatten());
        }
        if !case.sent.is_empty() {
            args.extend(["-untrusted", "sent.pem"]);
        }
        if case.crls.is_some() {
            args.extend(["-crl_check_all", "-CRLfile", "crl-file.pem"]);
        }
        args.extend(["-CAfile", "ca-file.pem", "leaf.pem"]);
        openssl_verify(&self.path(""), *NOW, &args)
    }
}

/// The number and depth of the first error that `openssl verify` prints; None when it accepts.
pub(crate) fn openssl_verify(
    directory: &Path,
    at: OffsetDateTime,
    args: &[&str],
) -> Option<(u64, u64)> {
    let output = tool("openssl")
        .current_dir(directory)
        .args(["verify", "-auth_level", "2", "-no-CApath", "-no-CAstore"])
        .args(["-attime", &at.unix_timestamp().to_string()])
        .args(args)
        .output()
        .unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    if output.status.success() {
        return None;
    }
    Some(first_error(&said).unwrap_or_else(|| panic!("openssl verify {args:?}: {said}")))
}

fn purpose(policy: Policy) -> &'static str {
    match policy.purpose() {
        Purpose::Client => "sslclient",
        Purpose::Server => "sslserver",
    }
}

/// Of `error 10 at 0 depth lookup: certificate has expired`.
fn first_error(said: &str) -> Option<(u64, u64)> {
    let line = said.lines().find_map(|line| line.strip_prefix("error "))?;
    let mut words = line.split(' ');
    let number = words.next()?.parse().ok()?;
    let depth = words.nth(1)?.parse().ok()?;
    Some((number, depth))
}
