//! Random clusters: what zpki.toml says of one, and how it is edited.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::select;

/// What zpki.toml says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cluster {
    ca_algorithm: &'static str,
    /// Hours.
    pub(super) ca_lifetime: i64,
    is_constrained: bool,
    /// Hours.
    crl_lifetime: i64,
    pub(super) uses_revocation: bool,
    pub(super) client_certificate: &'static str,
    pub(super) terminates_tls: bool,
    pub(super) verifyhost: bool,
    pub(super) load_balancer: Entry,
    pub(super) servers: Vec<Entry>,
    pub(super) clients: Vec<Entry>,
}

/// One that gets a certificate.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) hosts: Vec<String>,
    pub(super) algorithm: &'static str,
    term: Term,
    /// For a server.
    pub(super) calls_servers: bool,
}

/// A lifetime, and how long before its end a certificate is due.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Term {
    hours: i64,
    percentage: i64,
    /// Whether that is written as a length of time.
    as_span: bool,
}

/// How zpki.toml is edited; what it names, it names by a number that is taken modulo how many there are.
#[derive(Clone, Debug)]
pub(super) enum Edit {
    AddClient(usize),
    AddServer(usize),
    Algorithm(usize, &'static str),
    CallsServers(usize),
    CaLifetime(i64),
    ClientCertificate(&'static str),
    CrlLifetime(i64),
    Host(usize, u8),
    RemoveClient(usize),
    RemoveServer(usize),
    Revocation,
    Term(usize, i64, i64, bool),
    TerminatesTls,
    Verifyhost,
}

const ALGORITHMS: [&str; 3] = ["ecdsa-p256", "ecdsa-p384", "ed25519"];
const CLIENT_CERTIFICATE: [&str; 3] = ["none", "optional", "required"];
const HOURS: [i64; 7] = [1, 6, 48, 24 * 30, 24 * 90, 24 * 365, 24 * 730];
const CA_HOURS: [i64; 4] = [24 * 2, 24 * 60, 24 * 730, 24 * 3650];
const PERCENTAGES: [i64; 6] = [1, 10, 33, 50, 90, 99];

pub(super) fn clusters() -> impl Strategy<Value = Cluster> {
    let authority = (
        select(&ALGORITHMS[..]),
        select(&CA_HOURS[..]),
        any::<bool>(),
        select(&HOURS[..]),
    );
    let settings = (
        any::<bool>(),
        select(&CLIENT_CERTIFICATE[..]),
        any::<bool>(),
        any::<bool>(),
    );
    let entries = (
        entry(),
        prop::collection::vec(entry(), 1..=6),
        prop::collection::vec(entry(), 0..=2),
    );
    (authority, settings, entries).prop_map(|(authority, settings, entries)| {
        let (load_balancer, mut servers, mut clients) = entries;
        name(&mut servers, "server");
        name(&mut clients, "client");
        Cluster {
            ca_algorithm: authority.0,
            ca_lifetime: authority.1,
            is_constrained: authority.2,
            crl_lifetime: authority.3,
            uses_revocation: settings.0,
            client_certificate: settings.1,
            terminates_tls: settings.2,
            verifyhost: settings.3,
            load_balancer: load_balancer.named("load-balancer"),
            servers,
            clients,
        }
    })
}

fn entry() -> impl Strategy<Value = Entry> {
    let term = (select(&HOURS[..]), select(&PERCENTAGES[..]), any::<bool>());
    let entry = (select(&ALGORITHMS[..]), term, any::<bool>());
    entry.prop_map(|(algorithm, term, calls_servers)| Entry {
        name: String::new(),
        hosts: Vec::new(),
        algorithm,
        term: Term {
            hours: term.0,
            percentage: term.1,
            as_span: term.2,
        },
        calls_servers,
    })
}

fn name(entries: &mut [Entry], prefix: &str) {
    for (number, entry) in entries.iter_mut().enumerate() {
        *entry = entry.clone().named(&format!("{prefix}{number}"));
    }
}

pub(super) fn edits() -> impl Strategy<Value = Edit> {
    let any = any::<usize>;
    prop_oneof![
        (0..9usize).prop_map(Edit::AddClient),
        (0..9usize).prop_map(Edit::AddServer),
        (any(), select(&ALGORITHMS[..])).prop_map(|(it, to)| Edit::Algorithm(it, to)),
        any().prop_map(Edit::CallsServers),
        select(&CA_HOURS[..]).prop_map(Edit::CaLifetime),
        select(&CLIENT_CERTIFICATE[..]).prop_map(Edit::ClientCertificate),
        select(&HOURS[..]).prop_map(Edit::CrlLifetime),
        (any(), 1..5u8).prop_map(|(it, number)| Edit::Host(it, number)),
        any().prop_map(Edit::RemoveClient),
        any().prop_map(Edit::RemoveServer),
        Just(Edit::Revocation),
        (
            any(),
            select(&HOURS[..]),
            select(&PERCENTAGES[..]),
            proptest::bool::ANY
        )
            .prop_map(|(it, hours, percentage, as_span)| Edit::Term(
                it, hours, percentage, as_span
            )),
        Just(Edit::TerminatesTls),
        Just(Edit::Verifyhost),
    ]
}

impl Entry {
    fn named(self, name: &str) -> Self {
        Self {
            hosts: vec![format!("{name}.demo.internal")],
            name: name.to_owned(),
            ..self
        }
    }
}

impl Cluster {
    /// The load-balancer, the servers and the clients.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        let load_balancer = std::iter::once(&self.load_balancer);
        load_balancer.chain(&self.servers).chain(&self.clients)
    }

    /// The lifetime of an entry's certificate in seconds: none outlives the CA.
    pub(super) fn lifetime(&self, entry: &Entry) -> i64 {
        entry.term.hours.min(self.ca_lifetime) * 3_600
    }

    /// How many seconds before its end a certificate of this entry is due, which is valid for so many.
    pub(super) fn window(&self, entry: &Entry, lifetime: i64) -> i64 {
        let of = match entry.term.as_span {
            true => self.lifetime(entry),
            false => lifetime,
        };
        (of * entry.term.percentage + 99) / 100
    }

    pub(super) fn crl_lifetime(&self) -> i64 {
        self.crl_lifetime.min(self.ca_lifetime) * 3_600
    }

    pub(super) fn edit(&mut self, edit: &Edit) {
        let new = |name: String| {
            let term = Term {
                hours: 24 * 90,
                percentage: 33,
                as_span: false,
            };
            let entry = Entry {
                name: String::new(),
                hosts: Vec::new(),
                algorithm: "ecdsa-p256",
                term,
                calls_servers: false,
            };
            entry.named(&name)
        };
        match *edit {
            Edit::AddClient(number) => add(&mut self.clients, new(format!("client{number}"))),
            Edit::AddServer(number) => add(&mut self.servers, new(format!("server{number}"))),
            Edit::Algorithm(number, to) => self.entry(number).algorithm = to,
            Edit::CallsServers(number) => {
                let count = self.servers.len();
                let server = &mut self.servers[number % count];
                server.calls_servers = !server.calls_servers;
            }
            Edit::CaLifetime(hours) => self.ca_lifetime = hours,
            Edit::ClientCertificate(to) => self.client_certificate = to,
            Edit::CrlLifetime(hours) => self.crl_lifetime = hours,
            Edit::Host(number, last) => {
                let host = format!("10.0.0.{last}");
                let hosts = &mut self.entry(number).hosts;
                match hosts.iter().position(|it| *it == host) {
                    Some(at) => drop(hosts.remove(at)),
                    None => hosts.push(host),
                }
            }
            Edit::RemoveClient(number) if !self.clients.is_empty() => {
                self.clients.remove(number % self.clients.len());
            }
            Edit::RemoveServer(number) if self.servers.len() > 1 => {
                self.servers.remove(number % self.servers.len());
            }
            Edit::RemoveClient(_) | Edit::RemoveServer(_) => {}
            Edit::Revocation => self.uses_revocation = !self.uses_revocation,
            Edit::Term(number, hours, percentage, as_span) => {
                self.entry(number).term = Term {
                    hours,
                    percentage,
                    as_span,
                };
            }
            Edit::TerminatesTls => self.terminates_tls = !self.terminates_tls,
            Edit::Verifyhost => self.verifyhost = !self.verifyhost,
        }
    }

    fn entry(&mut self, number: usize) -> &mut Entry {
        let count = 1 + self.servers.len() + self.clients.len();
        let load_balancer = std::iter::once(&mut self.load_balancer);
        let others = self.servers.iter_mut().chain(&mut self.clients);
        load_balancer.chain(others).nth(number % count).unwrap()
    }

    /// As a person writes it.
    pub(super) fn zpki_toml(&self) -> String {
        let mut text = format!(
            "[cluster]\nname = \"demo\"\n\n[ca]\nkey_algorithm = \"{}\"\nlifetime = \"{}h\"\n",
            self.ca_algorithm, self.ca_lifetime
        );
        if self.is_constrained {
            text +=
                "permitted_domains = [\"demo.internal\"]\npermitted_networks = [\"10.0.0.0/8\"]\n";
        }
        // The defaults are never used; they must fit all the same.
        text += "\n[certificates]\nlifetime = \"1h\"\n\n[load_balancer]\n";
        let _ = writeln!(
            text,
            "client_certificate = \"{}\"\nterminates_tls = {}\nverifyhost = {}",
            self.client_certificate, self.terminates_tls, self.verifyhost
        );
        text += &self.common(&self.load_balancer);
        let (enabled, lifetime) = (self.uses_revocation, self.crl_lifetime());
        let _ = writeln!(
            text,
            "\n[revocation]\nenabled = {enabled}\nlifetime = \"{lifetime}s\""
        );
        for (number, server) in self.servers.iter().enumerate() {
            let (name, calls) = (&server.name, server.calls_servers);
            let _ = writeln!(
                text,
                "\n[[servers]]\nname = \"{name}\"\naddress = \"10.0.1.{number}:17010\"\ncalls_servers = {calls}",
            );
            text += &self.common(server);
        }
        for client in &self.clients {
            let _ = writeln!(text, "\n[[clients]]\nname = \"{}\"", client.name);
            text += &self.common(client);
        }
        text
    }

    fn common(&self, entry: &Entry) -> String {
        let lifetime = self.lifetime(entry);
        let renew_within = match entry.term.as_span {
            true => format!("{}s", self.window(entry, lifetime)),
            false => format!("{}%", entry.term.percentage),
        };
        format!(
            "hosts = {:?}\nkey_algorithm = \"{}\"\nlifetime = \"{lifetime}s\"\nrenew_within = \"{renew_within}\"\n",
            entry.hosts, entry.algorithm
        )
    }
}

fn add(entries: &mut Vec<Entry>, new: Entry) {
    if entries.iter().all(|entry| entry.name != new.name) {
        entries.push(new);
    }
}
