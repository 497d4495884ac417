//! A certificate that is asked for besides those of zpki.toml, and what a cluster makes of it.

use std::collections::{HashMap, HashSet};
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use super::cluster::{Cluster, Entry, MisfitReason};
use super::error::Invalid;
use super::host::{DnsName, Host};
use super::key_algorithm::KeyAlgorithm;
use super::name::EntryName;
use super::role::{ExtendedKeyUsage, Role};
use super::validity::{Lifetime, RenewWithin};

/// What is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Order {
    /// The name of the certificate.
    pub name: EntryName,
    /// What it is for.
    pub role: Role,
    /// Its host names and addresses.
    pub hosts: Vec<Host>,
    /// Its key algorithm; None is that of `[certificates]`.
    pub key_algorithm: Option<KeyAlgorithm>,
    /// Its lifetime; None is that of `[certificates]`.
    pub lifetime: Option<Lifetime>,
}

/// The files in which a certificate is handed over.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// The certificate with its chain, and the private key beside it.
    Fullchain,
    /// The private key, the certificate and its chain in one file: HAProxy's `crt`.
    KeyCert,
    /// All of it in a PKCS#12 file, under a passphrase.
    P12,
    /// The certificate, with its chain under an intermediate CA, and the private key beside it.
    #[default]
    Pem,
}

impl Format {
    /// The words for them, in the order of the documentation.
    pub const NAMES: &'static [&'static str] = &["pem", "key-cert", "fullchain", "p12"];

    /// As it is given.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fullchain => "fullchain",
            Self::KeyCert => "key-cert",
            Self::P12 => "p12",
            Self::Pem => "pem",
        }
    }
}

impl FromStr for Format {
    type Err = Invalid;

    fn from_str(value: &str) -> Result<Self, Invalid> {
        match value {
            "fullchain" => Ok(Self::Fullchain),
            "key-cert" => Ok(Self::KeyCert),
            "p12" => Ok(Self::P12),
            "pem" => Ok(Self::Pem),
            _ => Err(Invalid::Choice {
                what: "format",
                value: value.to_owned(),
                choices: Self::NAMES,
            }),
        }
    }
}

/// An order that the cluster can fulfil, with every default written out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Terms {
    /// The name of the certificate.
    pub name: EntryName,
    /// What it is for.
    pub role: Role,
    /// The purposes that follow.
    pub extended_key_usage: ExtendedKeyUsage,
    /// Its host names and addresses, each once.
    pub hosts: Vec<Host>,
    /// The one of them that was chosen by zpki.
    pub chosen: Option<DnsName>,
    /// Its key algorithm.
    pub key_algorithm: KeyAlgorithm,
    /// Its lifetime.
    pub lifetime: Lifetime,
    /// When it is due.
    pub renew_within: RenewWithin,
}

/// Why an order cannot be fulfilled.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// It does not fit the cluster's settings.
    Misfit(MisfitReason),
    /// zpki.toml has an entry of that name.
    Named {
        /// The entry's name.
        name: EntryName,
    },
    /// A server whose certificate would have no name.
    NoHosts {
        /// The certificate's name.
        name: EntryName,
    },
}

/// The names of a cluster, to look those of orders up in: made once for all of them.
#[derive(Debug)]
pub struct Register<'a> {
    cluster: &'a Cluster,
    /// By name, in lower case: where letter case does not count, they would be one folder.
    names: HashMap<String, &'a EntryName>,
    /// Entries that are connected to, by the DNS names of their certificates.
    owners: HashMap<&'a str, &'a EntryName>,
    /// The same, by the domain that each name is directly in.
    within: HashMap<&'a str, &'a EntryName>,
}

impl<'a> Register<'a> {
    /// The names of `cluster`.
    #[must_use]
    pub fn of(cluster: &'a Cluster) -> Self {
        let entries = cluster.entries();
        let key = |entry: &'a Entry| (entry.name.as_str().to_ascii_lowercase(), &entry.name);
        let mut register = Self {
            cluster,
            names: entries.iter().map(key).collect(),
            owners: HashMap::new(),
            within: HashMap::new(),
        };
        for entry in entries
            .iter()
            .filter(|it| it.extended_key_usage.server_auth)
        {
            for name in entry.hosts.iter().filter_map(Host::as_dns) {
                register.owners.insert(name.as_str(), &entry.name);
                if let Some((_, domain)) = name.as_str().split_once('.') {
                    register.within.insert(domain, &entry.name);
                }
            }
        }
        register
    }

    /// What the cluster makes of `order`.
    ///
    /// A server has the hosts that it is given. Who connects gets `NAME.DOMAIN` before them when no host
    /// name is among them, as an entry of zpki.toml does.
    ///
    /// # Errors
    /// Everything that stands against it.
    pub fn terms(&self, order: &Order) -> Result<Terms, Vec<Refusal>> {
        let settings = self.cluster.settings();
        let mut refusals = Vec::new();
        let folder = order.name.as_str().to_ascii_lowercase();
        refusals.extend(self.names.get(&folder).map(|name| Refusal::Named {
            name: (*name).clone(),
        }));
        let chosen = match self.chosen(order) {
            Ok(chosen) => chosen,
            Err(refusal) => {
                refusals.push(refusal);
                None
            }
        };
        let hosts = hosts(order, chosen.as_ref());
        let misfits = self.misfits(order, &hosts).into_iter();
        refusals.extend(misfits.map(Refusal::Misfit));
        if !refusals.is_empty() {
            return Err(refusals);
        }
        let defaults = &settings.certificates;
        Ok(Terms {
            name: order.name.clone(),
            role: order.role,
            extended_key_usage: self.extended_key_usage(order.role),
            hosts,
            chosen,
            key_algorithm: order.key_algorithm.unwrap_or(defaults.key_algorithm),
            lifetime: order.lifetime.unwrap_or(defaults.lifetime),
            renew_within: defaults.renew_within,
        })
    }

    /// A host of `terms`, and the entry whose certificate matches it too: for HAProxy's `verifyhost` the
    /// one would be as good as the other.
    #[must_use]
    pub fn shared(&self, terms: &Terms) -> Option<(DnsName, &'a EntryName)> {
        let is_server = terms.extended_key_usage.server_auth;
        let names = terms.hosts.iter().filter_map(Host::as_dns);
        let mut shared = names.filter(|_| is_server).filter_map(|name| {
            let owner = self.owner(name)?;
            Some((name.clone(), owner))
        });
        shared.next()
    }

    fn owner(&self, name: &DnsName) -> Option<&'a EntryName> {
        let text = name.as_str();
        let domain = text.split_once('.').map(|(_, domain)| domain);
        let wildcard = domain.map(|domain| format!("*.{domain}"));
        let covered = domain.filter(|_| name.is_wildcard());
        let exact = self.owners.get(text);
        exact
            .or_else(|| self.owners.get(wildcard?.as_str()))
            .or_else(|| self.within.get(covered?))
            .copied()
    }

    fn extended_key_usage(&self, role: Role) -> ExtendedKeyUsage {
        match role {
            Role::Ca | Role::Client => ExtendedKeyUsage::CLIENT,
            Role::LoadBalancer => ExtendedKeyUsage {
                server_auth: self.cluster.settings().load_balancer.terminates_tls,
                client_auth: true,
            },
            Role::Server => ExtendedKeyUsage::SERVER,
        }
    }

    /// The host name that is given to who has none.
    fn chosen(&self, order: &Order) -> Result<Option<DnsName>, Refusal> {
        let name = &order.name;
        if order.role == Role::Server {
            return match order.hosts.is_empty() {
                true => Err(Refusal::NoHosts { name: name.clone() }),
                false => Ok(None),
            };
        }
        let mut names = order.hosts.iter().filter_map(Host::as_dns);
        if names.any(|name| !name.is_wildcard()) {
            return Ok(None);
        }
        let host = self.cluster.default_host(name).map_err(Refusal::Misfit)?;
        Ok(Some(host))
    }

    fn misfits(&self, order: &Order, hosts: &[Host]) -> Vec<MisfitReason> {
        let settings = self.cluster.settings();
        let name = &order.name;
        let mut misfits = Vec::new();
        let is_name = |host: &Host| host.to_string().eq_ignore_ascii_case(name.as_str());
        // `verifyhost` matches the common name too.
        if name.as_str().contains('.') && !hosts.iter().any(is_name) {
            misfits.push(MisfitReason::DottedNameIsNoHost { name: name.clone() });
        }
        let name_constraints = &settings.ca.name_constraints;
        let refused = hosts.iter().filter(|host| !name_constraints.permit(host));
        misfits.extend(refused.map(|host| MisfitReason::NotPermitted {
            name: name.clone(),
            host: host.clone(),
            name_constraints: name_constraints.clone(),
        }));
        let Some(lifetime) = order.lifetime else {
            return misfits;
        };
        let (ca, renew_within) = (settings.ca.lifetime, settings.certificates.renew_within);
        if lifetime > ca {
            misfits.push(MisfitReason::LifetimeAboveCa { lifetime, ca });
        }
        if renew_within.of(lifetime.duration()) >= lifetime.duration() {
            misfits.push(MisfitReason::RenewWithinTooLong {
                renew_within,
                lifetime,
            });
        }
        misfits
    }
}

/// Each host once, the chosen one first.
fn hosts(order: &Order, chosen: Option<&DnsName>) -> Vec<Host> {
    let mut seen = HashSet::new();
    let chosen = chosen.cloned().map(Host::Dns).into_iter();
    let hosts = chosen.chain(order.hosts.iter().cloned());
    hosts.filter(|host| seen.insert(host.clone())).collect()
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misfit(reason) => reason.fmt(f),
            Self::Named { name } => write!(f, "`{name}` is an entry of zpki.toml"),
            Self::NoHosts { name } => write!(f, "`{name}` is a server and has no host name"),
        }
    }
}

impl Refusal {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Misfit(reason) => reason.hint(),
            Self::Named { name } => format!(
                "make its next certificate with `zpki renew {name}` or `zpki rekey {name}`, change it in zpki.toml, or choose another name"
            ),
            Self::NoHosts { .. } => {
                "say under which names it is reached: --host, or hosts in a manifest".to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::{
        CaSettings, CertificateSettings, LoadBalancerSettings, Overrides, RevocationSettings,
        ServerSettings, Settings,
    };

    fn cluster() -> Cluster {
        let server = |name: &str, host: &str| ServerSettings {
            name: name.parse().unwrap(),
            address: "10.0.0.1:17010".parse().unwrap(),
            hosts: vec![host.parse().unwrap()],
            options: Default::default(),
            calls_servers: false,
            conf: None,
            overrides: Overrides::default(),
        };
        let mut ca = CaSettings::default();
        ca.name_constraints.permitted_domains = vec!["prod.internal".parse().unwrap()];
        ca.name_constraints.permitted_networks = vec!["10.0.0.0/8".parse().unwrap()];
        Cluster::new(Settings {
            name: "demo".parse().unwrap(),
            ca,
            certificates: CertificateSettings::default(),
            load_balancer: LoadBalancerSettings::default(),
            servers: vec![
                server("server1", "server1.prod.internal"),
                server("server2", "server2.deep.prod.internal"),
            ],
            clients: Vec::new(),
            revocation: RevocationSettings::default(),
        })
        .unwrap()
    }

    fn order(name: &str, role: Role, hosts: &[&str]) -> Order {
        Order {
            name: name.parse().unwrap(),
            role,
            hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(),
            key_algorithm: None,
            lifetime: None,
        }
    }

    fn hosts_of(order: &Order) -> String {
        let cluster = cluster();
        let terms = Register::of(&cluster).terms(order).unwrap();
        crate::domain::text::joined(&terms.hosts, " ")
    }

    fn refusals(order: &Order) -> Vec<String> {
        let cluster = cluster();
        let refusals = Register::of(&cluster).terms(order).unwrap_err();
        refusals.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn who_connects_has_a_name_of_its_own() {
        let hosts = |role, given: &[&str]| hosts_of(&order("cron", role, given));
        assert_eq!(hosts(Role::Client, &[]), "cron.prod.internal");
        assert_eq!(
            hosts(Role::LoadBalancer, &["*.prod.internal", "10.0.0.1"]),
            "cron.prod.internal *.prod.internal 10.0.0.1"
        );
        assert_eq!(
            hosts(Role::Client, &["10.0.0.1", "a.prod.internal", "10.0.0.1"]),
            "10.0.0.1 a.prod.internal"
        );
        assert_eq!(hosts(Role::Server, &["10.0.0.1"]), "10.0.0.1");
    }

    #[test]
    fn what_does_not_fit_is_refused_with_every_reason() {
        assert_eq!(
            refusals(&order("SERVER1", Role::Server, &[])),
            [
                "`server1` is an entry of zpki.toml",
                "`SERVER1` is a server and has no host name"
            ]
        );
        let mut outside = order("a.b", Role::Server, &["a.test", "192.168.0.1"]);
        outside.lifetime = Some("20y".parse().unwrap());
        let constraints = "outside the CA's name constraints (permitted_domains: prod.internal; permitted_networks: 10.0.0.0/8)";
        assert_eq!(
            refusals(&outside),
            [
                "`a.b` looks like a host name and is none of its hosts".to_owned(),
                format!("`a.test` of `a.b` is {constraints}"),
                format!("`192.168.0.1` of `a.b` is {constraints}"),
                "the lifetime 20y is longer than the CA's, 10y".to_owned(),
            ]
        );
    }

    #[test]
    fn a_name_that_another_certificate_matches_is_found() {
        let cluster = cluster();
        let register = Register::of(&cluster);
        let owner = |role, host: &str| {
            let terms = register.terms(&order("a", role, &[host])).unwrap();
            register.shared(&terms).map(|(_, owner)| owner.to_string())
        };
        let server = |host| owner(Role::Server, host);
        assert_eq!(server("server1.prod.internal").as_deref(), Some("server1"));
        assert_eq!(server("*.deep.prod.internal").as_deref(), Some("server2"));
        assert_eq!(server("server3.prod.internal"), None);
        assert_eq!(server("*.other.prod.internal"), None);
        assert_eq!(owner(Role::Client, "server1.prod.internal"), None);
    }
}
