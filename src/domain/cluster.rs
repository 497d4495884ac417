//! A cluster: settings that fit together, and the entries that follow from them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};
use std::hash::Hash;

use time::Duration;

use super::host::{DnsName, Host};
use super::key_algorithm::KeyAlgorithm;
use super::name::{EntryName, as_labels};
use super::name_constraints::NameConstraints;
use super::role::{ExtendedKeyUsage, Role};
use super::server_line::{ServerLine, TlsOptions};
use super::settings::{AbsolutePath, Overrides, ServerSettings, Settings};
use super::validity::{Lifetime, RenewWithin};

/// Settings that were checked against each other. There is no other way to make one than
/// [`Cluster::new`], so whoever has one need not ask again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cluster {
    settings: Settings,
    entries: Vec<Entry>,
}

/// A named certificate of the cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Its name: file name and common name.
    pub name: EntryName,
    /// What it is for.
    pub role: Role,
    /// Key algorithm.
    pub key_algorithm: KeyAlgorithm,
    /// How long its certificates are valid.
    pub lifetime: Lifetime,
    /// When they are due.
    pub renew_within: RenewWithin,
    /// extendedKeyUsage.
    pub extended_key_usage: ExtendedKeyUsage,
    /// subjectAltName: what the settings say, and a name of its own where they give none.
    pub hosts: Vec<Host>,
    /// A dNSName that only this entry has. HAProxy checks it (`verifyhost`), and without one it
    /// would take any server's certificate for any other's.
    pub own_name: DnsName,
    /// Those of `hosts` that nobody gave, but were chosen here.
    pub chosen: Vec<Host>,
}

/// Where a setting stands in zpki.toml, such as `servers[1].hosts[0]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyPath(pub Vec<Key>);

/// One step of a [`KeyPath`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Key {
    /// A key of a table.
    Name(&'static str),
    /// An element of an array, from 0.
    Index(usize),
}

/// Two settings that do not fit together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Misfit {
    /// The setting to change.
    pub at: KeyPath,
    /// What is wrong with it.
    pub reason: MisfitReason,
}

/// What is wrong with a setting, given the others.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MisfitReason {
    /// An entry name with a dot is a host name to HAProxy (it compares `verifyhost` with the
    /// common name too), so it must be one of the entry's own.
    DottedNameIsNoHost {
        /// The entry.
        name: EntryName,
    },
    /// Two entries with one name, or with names that differ only in case.
    DuplicateName {
        /// The name.
        name: EntryName,
        /// The entry that has it.
        other: EntryName,
    },
    /// A certificate cannot outlive its CA.
    LifetimeAboveCa {
        /// The lifetime.
        lifetime: Lifetime,
        /// The CA's.
        ca: Lifetime,
    },
    /// No host name can be made of the entry's name.
    NoOwnName {
        /// The entry.
        name: EntryName,
        /// What was tried.
        tried: String,
    },
    /// A cluster without servers.
    NoServers,
    /// The CA's name constraints forbid the host name.
    NotPermitted {
        /// The entry.
        name: EntryName,
        /// The host.
        host: Host,
        /// The constraints.
        name_constraints: NameConstraints,
    },
    /// Another entry's certificate matches the default host name of the entry.
    OwnNameTaken {
        /// The entry.
        name: EntryName,
        /// The host name.
        host: DnsName,
    },
    /// Always due: the certificate would be renewed at each run.
    RenewWithinTooLong {
        /// The window.
        renew_within: RenewWithin,
        /// The lifetime.
        lifetime: Lifetime,
    },
}

impl Cluster {
    /// Checks the settings against each other and works out the entries.
    ///
    /// A server without hosts gets the host of its address. The name of an entry's own is the first
    /// of its hosts that is no wildcard and that no other entry's certificate matches. Without one,
    /// it is put in front of the hosts: the entry's name where that is a host name with a dot, else
    /// `NAME.DOMAIN`, DOMAIN being the first permitted domain or `CLUSTER.internal`.
    ///
    /// # Errors
    /// Every misfit, each at the setting to change.
    pub fn new(settings: Settings) -> Result<Self, Vec<Misfit>> {
        let mut misfits = Vec::new();
        let load_balancer = EntryName::load_balancer();
        let mut wanted = wanted_entries(&settings, &load_balancer);
        check_lifetimes(&settings, &wanted, &mut misfits);
        check_names(&settings, &mut wanted, &mut misfits);
        let mut owners = Owners::of(&wanted);
        let entries: Vec<Entry> = wanted
            .iter()
            .enumerate()
            .filter_map(|(index, wanted)| {
                resolve(&settings, index, wanted, &mut owners)
                    .map_err(|found| misfits.extend(found))
                    .ok()
            })
            .collect();
        if misfits.is_empty() {
            Ok(Self { settings, entries })
        } else {
            Err(misfits)
        }
    }

    /// The settings it was made of.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The settings with every default host written out, so that they stay what they are when a
    /// default changes.
    #[must_use]
    pub fn explicit_settings(&self) -> Settings {
        let mut settings = self.settings.clone();
        let mut hosts = self.entries.iter().map(|entry| entry.hosts.clone());
        let slots = std::iter::once(&mut settings.load_balancer.hosts)
            .chain(settings.servers.iter_mut().map(|server| &mut server.hosts))
            .chain(settings.clients.iter_mut().map(|client| &mut client.hosts));
        slots.for_each(|slot| *slot = hosts.next().unwrap_or_default());
        settings
    }

    /// The load-balancer, the servers and the clients, in the order of zpki.toml.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry called `name`.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.name.as_str() == name)
    }

    /// The host name that an entry called `name` gets when its hosts hold none of its own.
    ///
    /// # Errors
    /// [`MisfitReason::NoOwnName`] when that cannot be a host name.
    pub fn default_host(&self, name: &EntryName) -> Result<DnsName, MisfitReason> {
        default_host(&self.settings, name).map_err(|tried| MisfitReason::NoOwnName {
            name: name.clone(),
            tried,
        })
    }

    /// How long a CA must last yet so that it can issue a certificate of the longest lifetime and
    /// renew it once; None without entries.
    #[must_use]
    pub fn longest_term(&self) -> Option<Duration> {
        let terms = self.entries.iter().map(|entry| {
            let lifetime = entry.lifetime.duration();
            lifetime + entry.renew_within.of(lifetime)
        });
        terms.max()
    }

    /// The server lines for HAProxy, which finds its files where `files` says.
    #[must_use]
    pub fn server_lines(&self, files: &HaproxyFiles) -> Vec<ServerLine> {
        let load_balancer = &self.settings.load_balancer;
        let servers = self.settings.servers.iter();
        let entries = self
            .entries
            .iter()
            .filter(|entry| entry.role == Role::Server);
        servers
            .zip(entries)
            .map(|(server, entry)| ServerLine {
                backend: load_balancer.backend.clone(),
                name: server.name.clone(),
                address: server.address.clone(),
                options: server.options.clone(),
                tls: TlsOptions {
                    ca_file: files.ca_file.clone(),
                    crt: load_balancer
                        .client_certificate
                        .is_sent()
                        .then(|| files.crt.clone()),
                    crl_file: self
                        .settings
                        .revocation
                        .enabled
                        .then(|| files.crl_file.clone()),
                    verifyhost: load_balancer.verifyhost.then(|| entry.own_name.clone()),
                },
            })
            .collect()
    }
}

/// Where HAProxy finds its files.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HaproxyFiles {
    /// `ca-file`.
    pub ca_file: AbsolutePath,
    /// `crt`.
    pub crt: AbsolutePath,
    /// `crl-file`.
    pub crl_file: AbsolutePath,
}

/// An entry before its hosts are settled.
struct Wanted<'a> {
    name: &'a EntryName,
    role: Role,
    /// The hosts that the settings give; for a server without any, the host of its address.
    hosts: Cow<'a, [Host]>,
    given: bool,
    extended_key_usage: ExtendedKeyUsage,
    overrides: &'a Overrides,
    /// Whether an entry before this one has the same name.
    duplicate: bool,
    /// Its table in zpki.toml, and which of several it is.
    table: (&'static str, Option<usize>),
}

fn wanted_entries<'a>(settings: &'a Settings, name: &'a EntryName) -> Vec<Wanted<'a>> {
    let load_balancer = &settings.load_balancer;
    let mut wanted = vec![Wanted {
        name,
        role: Role::LoadBalancer,
        hosts: Cow::Borrowed(&load_balancer.hosts),
        given: !load_balancer.hosts.is_empty(),
        extended_key_usage: ExtendedKeyUsage {
            server_auth: load_balancer.terminates_tls,
            client_auth: true,
        },
        overrides: &load_balancer.overrides,
        duplicate: false,
        table: ("load_balancer", None),
    }];
    wanted.extend(
        settings
            .servers
            .iter()
            .enumerate()
            .map(|(index, server)| Wanted {
                name: &server.name,
                role: Role::Server,
                hosts: server_hosts(server, &settings.ca.name_constraints),
                given: !server.hosts.is_empty(),
                extended_key_usage: ExtendedKeyUsage {
                    server_auth: true,
                    client_auth: server.calls_servers,
                },
                overrides: &server.overrides,
                duplicate: false,
                table: ("servers", Some(index)),
            }),
    );
    wanted.extend(
        settings
            .clients
            .iter()
            .enumerate()
            .map(|(index, client)| Wanted {
                name: &client.name,
                role: Role::Client,
                hosts: Cow::Borrowed(&client.hosts),
                given: !client.hosts.is_empty(),
                extended_key_usage: ExtendedKeyUsage::CLIENT,
                overrides: &client.overrides,
                duplicate: false,
                table: ("clients", Some(index)),
            }),
    );
    wanted
}

fn server_hosts<'a>(server: &'a ServerSettings, constraints: &NameConstraints) -> Cow<'a, [Host]> {
    if server.hosts.is_empty() {
        let host = server.address.certifiable_host();
        host.into_iter()
            .filter(|host| constraints.permit(host))
            .collect()
    } else {
        Cow::Borrowed(&server.hosts)
    }
}

impl Wanted<'_> {
    fn at(&self, keys: &[Key]) -> KeyPath {
        let (table, index) = self.table;
        let path = [Key::Name(table)].into_iter();
        let path = path.chain(index.map(Key::Index));
        KeyPath(path.chain(keys.iter().copied()).collect())
    }

    /// The first of its hosts that only its own certificate matches.
    fn own_host(&self, index: usize, owners: &Owners<'_>) -> Option<&DnsName> {
        let names = self.hosts.iter().filter_map(Host::as_dns);
        names
            .filter(|name| !name.is_wildcard())
            .find(|name| owners.only(index, name))
    }
}

fn check_lifetimes(settings: &Settings, wanted: &[Wanted<'_>], misfits: &mut Vec<Misfit>) {
    let ca = settings.ca.lifetime;
    let defaults = &settings.certificates;
    let at = |keys: &[Key]| KeyPath(keys.to_vec());
    let mut check = |path: &dyn Fn(&'static str) -> KeyPath, overrides: &Overrides, own: bool| {
        let lifetime = overrides.lifetime.unwrap_or(defaults.lifetime);
        let renew_within = overrides.renew_within.unwrap_or(defaults.renew_within);
        if (own || overrides.lifetime.is_some()) && lifetime > ca {
            let reason = MisfitReason::LifetimeAboveCa { lifetime, ca };
            misfits.push(Misfit {
                at: path("lifetime"),
                reason,
            });
        }
        let changed = own || overrides.lifetime.is_some() || overrides.renew_within.is_some();
        if changed && renew_within.of(lifetime.duration()) >= lifetime.duration() {
            let key = if overrides.renew_within.is_some() || own {
                "renew_within"
            } else {
                "lifetime"
            };
            let reason = MisfitReason::RenewWithinTooLong {
                renew_within,
                lifetime,
            };
            misfits.push(Misfit {
                at: path(key),
                reason,
            });
        }
    };
    check(
        &|key| at(&[Key::Name("certificates"), Key::Name(key)]),
        &Overrides::default(),
        true,
    );
    for wanted in wanted {
        check(&|key| wanted.at(&[Key::Name(key)]), wanted.overrides, false);
    }
    let revocation = settings.revocation.lifetime;
    if settings.revocation.enabled && revocation > ca {
        let reason = MisfitReason::LifetimeAboveCa {
            lifetime: revocation,
            ca,
        };
        misfits.push(Misfit {
            at: at(&[Key::Name("revocation"), Key::Name("lifetime")]),
            reason,
        });
    }
}

fn check_names(settings: &Settings, wanted: &mut [Wanted<'_>], misfits: &mut Vec<Misfit>) {
    if settings.servers.is_empty() {
        misfits.push(Misfit {
            at: KeyPath(vec![Key::Name("servers")]),
            reason: MisfitReason::NoServers,
        });
    }
    let mut seen = HashMap::with_capacity(wanted.len());
    for entry in wanted {
        if let Some(other) = seen.insert(lower_case(entry.name), entry.name) {
            entry.duplicate = true;
            let reason = MisfitReason::DuplicateName {
                name: entry.name.clone(),
                other: other.clone(),
            };
            misfits.push(Misfit {
                at: entry.at(&[Key::Name("name")]),
                reason,
            });
        }
    }
}

/// Which entries' certificates match a DNS name: by subjectAltName, or by common name, which
/// HAProxy compares with `verifyhost` as well (measured). An entry whose name is another's has no
/// part in it: its name is what has to change first.
struct Owners<'a> {
    names: HashMap<Cow<'a, str>, Owner>,
    /// Of wildcards, by the domain below which they match.
    wildcards: HashMap<&'a str, Owner>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Owner {
    One(usize),
    Several,
}

impl<'a> Owners<'a> {
    fn of(wanted: &'a [Wanted<'_>]) -> Self {
        let mut owners = Self {
            // A name and a host for each is what most clusters have.
            names: HashMap::with_capacity(2 * wanted.len()),
            wildcards: HashMap::new(),
        };
        let entries = wanted.iter().enumerate();
        for (index, entry) in entries.filter(|(_, entry)| !entry.duplicate) {
            note(&mut owners.names, lower_case(entry.name), index);
            for name in entry.hosts.iter().filter_map(Host::as_dns) {
                match name.as_str().strip_prefix("*.") {
                    Some(domain) => note(&mut owners.wildcards, domain, index),
                    None => note(&mut owners.names, name.as_str().into(), index),
                }
            }
        }
        owners
    }

    /// Whether no other entry's certificate matches `name`, which is no wildcard.
    fn only(&self, index: usize, name: &DnsName) -> bool {
        let name = name.as_str();
        let wildcard = name
            .split_once('.')
            .and_then(|(_, domain)| self.wildcards.get(domain));
        let owners = self.names.get(name).into_iter().chain(wildcard);
        owners.copied().all(|owner| owner == Owner::One(index))
    }
}

/// Notes that `name` is one of the entry at `index`.
fn note<N: Eq + Hash>(owners: &mut HashMap<N, Owner>, name: N, index: usize) {
    let owner = owners.entry(name).or_insert(Owner::One(index));
    if *owner != Owner::One(index) {
        *owner = Owner::Several;
    }
}

/// A name as DNS and some file systems compare it.
fn lower_case(name: &EntryName) -> Cow<'_, str> {
    let name = name.as_str();
    if name.bytes().any(|octet| octet.is_ascii_uppercase()) {
        name.to_ascii_lowercase().into()
    } else {
        name.into()
    }
}

fn resolve(
    settings: &Settings,
    index: usize,
    wanted: &Wanted<'_>,
    owners: &mut Owners<'_>,
) -> Result<Entry, Vec<Misfit>> {
    if wanted.duplicate {
        return Err(not_permitted(settings, wanted, &wanted.hosts));
    }
    let given = wanted.own_host(index, owners).cloned();
    let mut hosts = wanted.hosts.to_vec();
    let own_name = match given {
        Some(own_name) => Ok(own_name),
        None => default_own_name(settings, index, wanted, owners)
            .inspect(|own_name| hosts.insert(0, Host::Dns(own_name.clone()))),
    };
    let mut misfits = not_permitted(settings, wanted, &hosts);
    match own_name.and_then(|own_name| check_dots(wanted, &hosts).map(|()| own_name)) {
        Ok(own_name) if misfits.is_empty() => {
            let mut distinct = Vec::with_capacity(hosts.len());
            for host in hosts {
                if !distinct.contains(&host) {
                    distinct.push(host);
                }
            }
            let is_chosen = |host: &&Host| !wanted.given || !wanted.hosts.contains(host);
            let chosen = distinct.iter().filter(is_chosen).cloned().collect();
            Ok(entry(settings, wanted, distinct, own_name, chosen))
        }
        Ok(_) => Err(misfits),
        Err(reason) => {
            let at = wanted.at(&[Key::Name("name")]);
            misfits.push(Misfit { at, reason });
            Err(misfits)
        }
    }
}

fn entry(
    settings: &Settings,
    wanted: &Wanted<'_>,
    hosts: Vec<Host>,
    own_name: DnsName,
    chosen: Vec<Host>,
) -> Entry {
    let defaults = &settings.certificates;
    let overrides = wanted.overrides;
    Entry {
        name: wanted.name.clone(),
        role: wanted.role,
        key_algorithm: overrides.key_algorithm.unwrap_or(defaults.key_algorithm),
        lifetime: overrides.lifetime.unwrap_or(defaults.lifetime),
        renew_within: overrides.renew_within.unwrap_or(defaults.renew_within),
        extended_key_usage: wanted.extended_key_usage,
        hosts,
        own_name,
        chosen,
    }
}

/// The misfits of `hosts`: those that the settings give, and the one that may have been put in
/// front of them for the entry's name.
fn not_permitted(settings: &Settings, wanted: &Wanted<'_>, hosts: &[Host]) -> Vec<Misfit> {
    let name_constraints = &settings.ca.name_constraints;
    let added = hosts.len() - wanted.hosts.len();
    let refused = hosts
        .iter()
        .enumerate()
        .filter(|(_, host)| !name_constraints.permit(host));
    let misfits = refused.map(|(at, host)| Misfit {
        at: match at.checked_sub(added) {
            Some(at) => wanted.at(&[Key::Name("hosts"), Key::Index(at)]),
            None => wanted.at(&[Key::Name("name")]),
        },
        reason: MisfitReason::NotPermitted {
            name: wanted.name.clone(),
            host: host.clone(),
            name_constraints: name_constraints.clone(),
        },
    });
    misfits.collect()
}

fn check_dots(wanted: &Wanted<'_>, hosts: &[Host]) -> Result<(), MisfitReason> {
    let name = wanted.name;
    let is_host = |host: &Host| host.to_string().eq_ignore_ascii_case(name.as_str());
    if name.as_str().contains('.') && !hosts.iter().any(is_host) {
        return Err(MisfitReason::DottedNameIsNoHost { name: name.clone() });
    }
    Ok(())
}

/// The name that an entry gets when its hosts hold none of its own. From here on it is taken: two
/// names can become one host name, as `app_1` and `app-1` do.
fn default_own_name(
    settings: &Settings,
    index: usize,
    wanted: &Wanted<'_>,
    owners: &mut Owners<'_>,
) -> Result<DnsName, MisfitReason> {
    let name = wanted.name;
    let own = default_host(settings, name).map_err(|tried| MisfitReason::NoOwnName {
        name: name.clone(),
        tried,
    })?;
    if !owners.only(index, &own) {
        return Err(MisfitReason::OwnNameTaken {
            name: name.clone(),
            host: own,
        });
    }
    note(&mut owners.names, own.as_str().to_owned().into(), index);
    Ok(own)
}

/// The host name that an entry's name makes; the text that was tried when it is none.
fn default_host(settings: &Settings, name: &EntryName) -> Result<DnsName, String> {
    let name = name.as_str();
    if name.contains('.')
        && let Ok(own) = name.parse()
    {
        return Ok(own);
    }
    let domain = match settings.ca.name_constraints.permitted_domains.first() {
        Some(domain) => domain.as_str().to_owned(),
        None => format!("{}.internal", as_labels(settings.name.as_str())),
    };
    let tried = format!("{}.{domain}", as_labels(name));
    tried.parse().map_err(|_| tried)
}

impl Display for KeyPath {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (position, key) in self.0.iter().enumerate() {
            match key {
                Key::Name(name) if position == 0 => f.write_str(name)?,
                Key::Name(name) => write!(f, ".{name}")?,
                Key::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl Display for MisfitReason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::DottedNameIsNoHost { name } => {
                write!(
                    f,
                    "`{name}` looks like a host name and is none of its hosts"
                )
            }
            Self::DuplicateName { name, other } if name == other => {
                write!(f, "there are two entries named `{name}`")
            }
            Self::DuplicateName { name, other } => {
                write!(f, "the names `{other}` and `{name}` differ only in case")
            }
            Self::LifetimeAboveCa { lifetime, ca } => {
                write!(f, "the lifetime {lifetime} is longer than the CA's, {ca}")
            }
            Self::NoOwnName { name, tried } => {
                write!(
                    f,
                    "`{name}` has no host name of its own, and `{tried}` cannot be one"
                )
            }
            Self::NoServers => f.write_str("the cluster has no servers"),
            Self::NotPermitted {
                name,
                host,
                name_constraints,
            } => write!(
                f,
                "`{host}` of `{name}` is outside the CA's name constraints ({name_constraints})"
            ),
            Self::OwnNameTaken { name, host } => {
                write!(
                    f,
                    "the default host name of `{name}`, `{host}`, matches another entry's certificate"
                )
            }
            Self::RenewWithinTooLong {
                renew_within,
                lifetime,
            } => {
                write!(
                    f,
                    "renewal within {renew_within} of a lifetime of {lifetime} would never end"
                )
            }
        }
    }
}

impl MisfitReason {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::DottedNameIsNoHost { name } if name.as_str().parse::<Host>().is_err() => {
                "choose a name without dots, or one that is a host name".into()
            }
            Self::DottedNameIsNoHost { name } => {
                format!("add `{name}` to its hosts, or choose a name without dots")
            }
            Self::DuplicateName { .. } => "give each server and client a name of its own".into(),
            Self::LifetimeAboveCa { ca, .. } => {
                format!("give a lifetime of at most {ca}, or the CA a longer one")
            }
            Self::NoOwnName { .. } | Self::OwnNameTaken { .. } => {
                "give it a host name that no other entry has, which HAProxy can check (verifyhost)"
                    .into()
            }
            Self::NoServers => "name at least one server and its address".into(),
            Self::NotPermitted {
                host: Host::Dns(_), ..
            } => "permit its domain (permitted_domains), or give another host name".into(),
            Self::NotPermitted {
                host: Host::Ip(_), ..
            } => "permit its network (permitted_networks), or leave the address out of its hosts"
                .into(),
            Self::RenewWithinTooLong { .. } => {
                "give a shorter renew_within, or a percentage such as 33%".into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::role::ClientCertificate;
    use crate::domain::settings::{
        CaSettings, CertificateSettings, ClientSettings, LoadBalancerSettings, RevocationSettings,
    };

    fn hosts(hosts: &[&str]) -> Vec<Host> {
        hosts.iter().map(|host| host.parse().unwrap()).collect()
    }

    fn server(name: &str, address: &str, given: &[&str]) -> ServerSettings {
        ServerSettings {
            name: name.parse().unwrap(),
            address: address.parse().unwrap(),
            hosts: hosts(given),
            options: Default::default(),
            calls_servers: false,
            conf: None,
            overrides: Overrides::default(),
        }
    }

    fn client(name: &str, given: &[&str]) -> ClientSettings {
        ClientSettings {
            name: name.parse().unwrap(),
            hosts: hosts(given),
            overrides: Overrides::default(),
        }
    }

    fn demo(servers: Vec<ServerSettings>) -> Settings {
        Settings {
            name: "demo".parse().unwrap(),
            ca: CaSettings::default(),
            certificates: CertificateSettings::default(),
            load_balancer: LoadBalancerSettings::default(),
            servers,
            clients: Vec::new(),
            revocation: RevocationSettings::default(),
        }
    }

    fn permitting(servers: Vec<ServerSettings>, domains: &[&str], networks: &[&str]) -> Settings {
        let mut settings = demo(servers);
        let parsed = |domain: &&str| domain.parse().unwrap();
        settings.ca.name_constraints.permitted_domains = domains.iter().map(parsed).collect();
        settings.ca.name_constraints.permitted_networks =
            networks.iter().map(|n| n.parse().unwrap()).collect();
        settings
    }

    /// Own name and hosts of the entry called `name`.
    fn names_of(cluster: &Cluster, name: &str) -> (String, Vec<String>) {
        let entry = cluster.entry(name).unwrap();
        let hosts = entry.hosts.iter().map(ToString::to_string).collect();
        (entry.own_name.to_string(), hosts)
    }

    #[track_caller]
    fn assert_names(settings: Settings, name: &str, own_name: &str, hosts: &[&str]) -> Entry {
        let cluster = Cluster::new(settings).unwrap();
        let hosts = hosts.iter().map(ToString::to_string).collect();
        assert_eq!(names_of(&cluster, name), (own_name.to_owned(), hosts));
        cluster.entry(name).unwrap().clone()
    }

    /// The misfits as `path: message`.
    fn misfits(settings: Settings) -> Vec<String> {
        let misfits = Cluster::new(settings).unwrap_err().into_iter();
        misfits
            .map(|misfit| format!("{}: {}", misfit.at, misfit.reason))
            .collect()
    }

    fn hint(settings: Settings) -> String {
        Cluster::new(settings).unwrap_err()[0].reason.hint()
    }

    #[test]
    fn the_entries_are_the_load_balancer_the_servers_and_the_clients() {
        let mut settings = demo(vec![
            server("b", "b.lan:1", &[]),
            server("a", "a.lan:1", &[]),
        ]);
        settings.clients = vec![client("scheduler", &[])];
        settings.servers[1].calls_servers = true;
        settings.load_balancer.terminates_tls = true;
        let cluster = Cluster::new(settings).unwrap();
        let entries: Vec<_> = cluster
            .entries()
            .iter()
            .map(|entry| (entry.name.as_str(), entry.role, entry.extended_key_usage))
            .collect();
        assert_eq!(
            entries,
            [
                ("load-balancer", Role::LoadBalancer, ExtendedKeyUsage::BOTH),
                ("b", Role::Server, ExtendedKeyUsage::SERVER),
                ("a", Role::Server, ExtendedKeyUsage::BOTH),
                ("scheduler", Role::Client, ExtendedKeyUsage::CLIENT),
            ]
        );
        assert!(cluster.entry("ca").is_none());
    }

    #[test]
    fn without_terminates_tls_the_load_balancer_is_a_client_only() {
        let cluster = Cluster::new(demo(vec![server("a", "a.lan:1", &[])])).unwrap();
        let load_balancer = cluster.entry("load-balancer").unwrap();
        assert_eq!(load_balancer.extended_key_usage, ExtendedKeyUsage::CLIENT);
    }

    #[test]
    fn overrides_take_the_place_of_the_defaults_one_by_one() {
        let mut settings = demo(vec![
            server("a", "a.lan:1", &[]),
            server("b", "b.lan:1", &[]),
        ]);
        settings.servers[1].overrides = Overrides {
            key_algorithm: Some(KeyAlgorithm::Ed25519),
            lifetime: Some("90d".parse().unwrap()),
            renew_within: None,
        };
        let cluster = Cluster::new(settings).unwrap();
        let of = |name| {
            let entry = cluster.entry(name).unwrap();
            (
                entry.key_algorithm,
                entry.lifetime.to_string(),
                entry.renew_within.to_string(),
            )
        };
        assert_eq!(
            of("a"),
            (KeyAlgorithm::EcdsaP256, "1y".into(), "33%".into())
        );
        assert_eq!(of("b"), (KeyAlgorithm::Ed25519, "90d".into(), "33%".into()));
    }

    #[test]
    fn a_host_that_is_given_twice_is_there_once() {
        let settings = demo(vec![server(
            "a",
            "10.0.0.1:1",
            &["a.lan", "10.0.0.1", "A.lan"],
        )]);
        assert_names(settings, "a", "a.lan", &["a.lan", "10.0.0.1"]);
    }

    #[test]
    fn a_server_without_hosts_gets_the_host_of_its_address() {
        let by_name = demo(vec![server("a", "app1.lan:17010", &[])]);
        let entry = assert_names(by_name, "a", "app1.lan", &["app1.lan"]);
        assert!(!entry.chosen.is_empty());
        let by_address = demo(vec![server("a", "10.0.0.1:17010", &[])]);
        let entry = assert_names(
            by_address,
            "a",
            "a.demo.internal",
            &["a.demo.internal", "10.0.0.1"],
        );
        assert!(!entry.chosen.is_empty());
        let no_host_name = demo(vec![server("a", "app_1:17010", &[])]);
        assert_names(no_host_name, "a", "a.demo.internal", &["a.demo.internal"]);
    }

    #[test]
    fn an_address_that_is_not_permitted_is_no_default() {
        let servers = || vec![server("a", "10.0.0.1:1", &[])];
        let own = "a.prod.internal";
        let domains = permitting(servers(), &["prod.internal"], &[]);
        assert_names(domains, "a", own, &[own]);
        let both = permitting(servers(), &["prod.internal"], &["10.0.0.0/8"]);
        assert_names(both, "a", own, &[own, "10.0.0.1"]);
    }

    #[test]
    fn given_hosts_stay_as_they_are_when_one_of_them_is_the_entrys_own() {
        let given = ["10.0.0.1", "*.lan", "app1.lan", "app1.example"];
        let settings = demo(vec![server("a", "10.0.0.1:1", &given)]);
        let entry = assert_names(settings, "a", "app1.lan", &given);
        assert_eq!(entry.chosen, []);
    }

    #[test]
    fn the_default_domain_is_the_first_permitted_one_or_made_of_the_cluster_name() {
        let servers = || vec![server("App_1", "10.0.0.1:1", &[])];
        let mut settings = demo(servers());
        settings.name = "Prod_EU-.x".parse().unwrap();
        let cluster = Cluster::new(settings).unwrap();
        let own = |name| names_of(&cluster, name).0;
        assert_eq!(own("App_1"), "app-1.prod-eu.x.internal");
        assert_eq!(own("load-balancer"), "load-balancer.prod-eu.x.internal");
        let settings = permitting(servers(), &["prod.internal", "test.internal"], &[]);
        assert_names(
            settings,
            "App_1",
            "app-1.prod.internal",
            &["app-1.prod.internal"],
        );
    }

    #[test]
    fn a_wildcard_is_no_name_of_its_own() {
        let settings = demo(vec![server("a", "10.0.0.1:1", &["*.lan"])]);
        let entry = assert_names(
            settings,
            "a",
            "a.demo.internal",
            &["a.demo.internal", "*.lan"],
        );
        assert_eq!(entry.chosen, ["a.demo.internal".parse().unwrap()]);
    }

    #[test]
    fn a_host_that_another_entry_has_is_no_name_of_its_own() {
        let servers = vec![
            server("a", "localhost:1", &[]),
            server("b", "localhost:2", &["localhost", "b.lan"]),
        ];
        let mut settings = demo(servers);
        settings.load_balancer.hosts = hosts(&["b.example", "*.example"]);
        settings.clients = vec![client("c", &["b.example"])];
        let cluster = Cluster::new(settings).unwrap();
        assert_eq!(
            names_of(&cluster, "a").1,
            ["a.demo.internal", "localhost"].map(String::from)
        );
        assert_eq!(names_of(&cluster, "b").0, "b.lan");
        assert_eq!(
            names_of(&cluster, "load-balancer").0,
            "load-balancer.demo.internal"
        );
        assert_eq!(names_of(&cluster, "c").0, "c.demo.internal");
    }

    #[test]
    fn a_host_that_anothers_wildcard_matches_is_no_name_of_its_own() {
        let servers = vec![
            server("a", "10.0.0.1:1", &["a.lan", "x.a.lan"]),
            server("b", "10.0.0.2:1", &["b.example", "*.lan"]),
        ];
        let settings = demo(servers);
        assert_names(settings, "a", "x.a.lan", &["a.lan", "x.a.lan"]);
    }

    #[test]
    fn a_host_that_is_anothers_common_name_is_no_name_of_its_own() {
        let servers = vec![
            server("a", "10.0.0.1:1", &["B.lan", "a.lan"]),
            server("b.LAN", "10.0.0.2:1", &["b.lan", "b.example"]),
        ];
        let cluster = Cluster::new(demo(servers)).unwrap();
        assert_eq!(names_of(&cluster, "a").0, "a.lan");
        assert_eq!(names_of(&cluster, "b.LAN").0, "b.example");
    }

    #[test]
    fn its_own_common_name_is_a_name_of_its_own() {
        let settings = demo(vec![server("app1", "app1:1", &["app1"])]);
        assert_names(settings, "app1", "app1", &["app1"]);
    }

    #[test]
    fn a_default_name_that_another_entry_has_is_refused() {
        let taken = |given: &[&str]| {
            let mut settings = demo(vec![
                server("a", "10.0.0.1:1", &[]),
                server("b", "10.0.0.2:1", given),
            ]);
            settings.load_balancer.hosts = hosts(&["lb.lan"]);
            settings
        };
        let expected = [
            "servers[0].name: the default host name of `a`, `a.demo.internal`, matches another entry's certificate",
        ];
        assert_eq!(misfits(taken(&["b.lan", "a.demo.internal"])), expected);
        assert_eq!(misfits(taken(&["b.lan", "*.demo.internal"])), expected);
        assert_eq!(
            hint(taken(&["a.demo.internal"])),
            "give it a host name that no other entry has, which HAProxy can check (verifyhost)"
        );
    }

    #[test]
    fn two_names_that_make_the_same_default_name_are_refused() {
        let servers = vec![
            server("app_1", "10.0.0.1:1", &[]),
            server("app-1", "10.0.0.2:1", &[]),
        ];
        assert_eq!(
            misfits(demo(servers)),
            [
                "servers[1].name: the default host name of `app-1`, `app-1.demo.internal`, matches another entry's certificate"
            ]
        );
        assert_eq!(
            misfits(demo(vec![server("load_balancer", "10.0.0.1:1", &[])])),
            [
                "servers[0].name: the default host name of `load_balancer`, `load-balancer.demo.internal`, matches another entry's certificate"
            ]
        );
    }

    #[test]
    fn a_name_with_a_dot_is_its_own_default_host() {
        let settings = demo(vec![server("App1.lan", "10.0.0.1:1", &[])]);
        assert_names(settings, "App1.lan", "app1.lan", &["app1.lan", "10.0.0.1"]);
        let outside = permitting(
            vec![server("app1.lan", "10.0.0.1:1", &[])],
            &["prod.internal"],
            &[],
        );
        assert_eq!(
            misfits(outside),
            [
                "servers[0].name: `app1.lan` of `app1.lan` is outside the CA's name constraints (permitted_domains: prod.internal; permitted_networks: none)"
            ]
        );
    }

    #[test]
    fn a_name_with_a_dot_must_be_one_of_the_entrys_hosts() {
        let dotted = |name, given: &[&str]| demo(vec![server(name, "10.0.0.1:1", given)]);
        assert_names(
            dotted("App1.lan", &["a.lan", "app1.lan"]),
            "App1.lan",
            "a.lan",
            &["a.lan", "app1.lan"],
        );
        let refused =
            ["servers[0].name: `app1.lan` looks like a host name and is none of its hosts"];
        assert_eq!(misfits(dotted("app1.lan", &["a.lan"])), refused);
        assert_eq!(
            hint(dotted("app1.lan", &["a.lan"])),
            "add `app1.lan` to its hosts, or choose a name without dots"
        );
        let mut client_only = dotted("a", &["a.lan"]);
        client_only.clients = vec![client("c.lan", &["x.lan"])];
        assert_eq!(
            misfits(client_only),
            ["clients[0].name: `c.lan` looks like a host name and is none of its hosts"]
        );
    }

    #[test]
    fn a_name_with_a_dot_that_is_no_host_name_gets_no_hint_to_add_it() {
        let settings = || demo(vec![server("app_1.lan", "10.0.0.1:1", &[])]);
        assert_eq!(
            misfits(settings()),
            ["servers[0].name: `app_1.lan` looks like a host name and is none of its hosts"]
        );
        assert_eq!(
            hint(settings()),
            "choose a name without dots, or one that is a host name"
        );
    }

    #[test]
    fn a_name_too_long_for_a_label_has_no_default_host() {
        let name = "x".repeat(64);
        let settings = || demo(vec![server(&name, "10.0.0.1:1", &[])]);
        assert_eq!(
            misfits(settings()),
            [format!(
                "servers[0].name: `{name}` has no host name of its own, and `{name}.demo.internal` cannot be one"
            )]
        );
        let mut given = settings();
        given.servers[0].hosts = hosts(&["x.lan"]);
        assert_names(given, &name, "x.lan", &["x.lan"]);
    }

    #[test]
    fn equal_names_are_one_misfit_each_and_cause_no_other() {
        let mut settings = demo(vec![
            server("a", "10.0.0.1:1", &[]),
            server("a", "10.0.0.2:1", &[]),
            server("b", "10.0.0.3:1", &["b.lan"]),
        ]);
        settings.clients = vec![client("B", &["b.lan"])];
        assert_eq!(
            misfits(settings.clone()),
            [
                "servers[1].name: there are two entries named `a`",
                "clients[0].name: the names `b` and `B` differ only in case"
            ]
        );
        assert_eq!(
            hint(settings),
            "give each server and client a name of its own"
        );
    }

    #[test]
    fn no_servers_are_a_misfit() {
        assert_eq!(
            misfits(demo(vec![])),
            ["servers: the cluster has no servers"]
        );
        assert_eq!(
            hint(demo(vec![])),
            "name at least one server and its address"
        );
    }

    #[test]
    fn with_domains_only_every_ip_address_is_refused() {
        let given = ["a.prod.internal", "10.0.0.1", "a.lan"];
        let settings = || {
            permitting(
                vec![server("a", "10.0.0.1:1", &given)],
                &["prod.internal"],
                &[],
            )
        };
        let why = "is outside the CA's name constraints (permitted_domains: prod.internal; permitted_networks: none)";
        assert_eq!(
            misfits(settings()),
            [
                format!("servers[0].hosts[1]: `10.0.0.1` of `a` {why}"),
                format!("servers[0].hosts[2]: `a.lan` of `a` {why}"),
            ]
        );
        assert_eq!(
            hint(settings()),
            "permit its network (permitted_networks), or leave the address out of its hosts"
        );
    }

    #[test]
    fn with_networks_only_no_entry_can_have_a_name() {
        let settings = || permitting(vec![server("a", "10.0.0.1:1", &[])], &[], &["10.0.0.0/8"]);
        let why = "is outside the CA's name constraints (permitted_domains: none; permitted_networks: 10.0.0.0/8)";
        assert_eq!(
            misfits(settings()),
            [
                format!(
                    "load_balancer.name: `load-balancer.demo.internal` of `load-balancer` {why}"
                ),
                format!("servers[0].name: `a.demo.internal` of `a` {why}"),
            ]
        );
        assert_eq!(
            hint(settings()),
            "permit its domain (permitted_domains), or give another host name"
        );
    }

    #[test]
    fn a_host_that_is_not_permitted_and_a_bad_name_are_both_reported() {
        let settings = permitting(
            vec![server("app1.prod.internal", "10.0.0.1:1", &["a.lan"])],
            &["prod.internal"],
            &[],
        );
        let paths: Vec<_> = Cluster::new(settings)
            .unwrap_err()
            .iter()
            .map(|misfit| misfit.at.to_string())
            .collect();
        assert_eq!(paths, ["servers[0].hosts[0]", "servers[0].name"]);
    }

    #[test]
    fn nothing_outlives_the_ca() {
        let mut settings = demo(vec![server("a", "a.lan:1", &[])]);
        settings.ca.lifetime = "30d".parse().unwrap();
        settings.revocation.enabled = true;
        settings.servers[0].overrides.lifetime = Some("31d".parse().unwrap());
        settings.load_balancer.overrides.lifetime = Some("30d".parse().unwrap());
        assert_eq!(
            misfits(settings.clone()),
            [
                "certificates.lifetime: the lifetime 1y is longer than the CA's, 30d",
                "servers[0].lifetime: the lifetime 31d is longer than the CA's, 30d",
                "revocation.lifetime: the lifetime 1y is longer than the CA's, 30d",
            ]
        );
        assert_eq!(
            hint(settings.clone()),
            "give a lifetime of at most 30d, or the CA a longer one"
        );
        settings.certificates.lifetime = "30d".parse().unwrap();
        settings.servers[0].overrides.lifetime = None;
        settings.revocation.enabled = false;
        assert!(Cluster::new(settings).is_ok());
    }

    #[test]
    fn a_renewal_window_is_shorter_than_the_lifetime() {
        let mut settings = demo(vec![
            server("a", "a.lan:1", &[]),
            server("b", "b.lan:1", &[]),
            server("c", "c.lan:1", &[]),
        ]);
        settings.certificates.renew_within = "30d".parse().unwrap();
        settings.servers[0].overrides.lifetime = Some("30d".parse().unwrap());
        settings.servers[1].overrides.lifetime = Some("2592001s".parse().unwrap());
        settings.servers[2].overrides.renew_within = Some("2y".parse().unwrap());
        assert_eq!(
            misfits(settings.clone()),
            [
                "servers[0].lifetime: renewal within 30d of a lifetime of 30d would never end",
                "servers[2].renew_within: renewal within 2y of a lifetime of 1y would never end",
            ]
        );
        assert_eq!(
            hint(settings.clone()),
            "give a shorter renew_within, or a percentage such as 33%"
        );
        settings.certificates.lifetime = "10d".parse().unwrap();
        settings.servers.truncate(1);
        settings.servers[0].overrides.lifetime = None;
        assert_eq!(
            misfits(settings),
            ["certificates.renew_within: renewal within 30d of a lifetime of 10d would never end"]
        );
    }

    #[test]
    fn explicit_settings_make_the_same_entries_with_nothing_defaulted() {
        let mut settings = permitting(
            vec![
                server("a", "10.0.0.1:1", &[]),
                server("b", "localhost:2", &["shared.prod.internal"]),
                server("c.prod.internal", "192.168.0.1:2", &[]),
            ],
            &["prod.internal"],
            &["10.0.0.0/8"],
        );
        settings.clients = vec![client("d", &["shared.prod.internal", "d.prod.internal"])];
        let cluster = Cluster::new(settings).unwrap();
        let explicit = Cluster::new(cluster.explicit_settings()).unwrap();
        let written_out: Vec<Entry> = cluster
            .entries()
            .iter()
            .cloned()
            .map(|entry| Entry {
                chosen: vec![],
                ..entry
            })
            .collect();
        assert_eq!(explicit.entries(), written_out);
        assert_eq!(explicit.explicit_settings(), cluster.explicit_settings());
        assert_ne!(explicit.settings(), cluster.settings());
    }

    fn files() -> HaproxyFiles {
        HaproxyFiles {
            ca_file: "/tls/ca.pem".parse().unwrap(),
            crt: "/tls/key-cert.pem".parse().unwrap(),
            crl_file: "/tls/crl.pem".parse().unwrap(),
        }
    }

    #[test]
    fn a_server_line_is_made_of_its_server_and_the_load_balancers_files() {
        let mut settings = demo(vec![
            server("a", "10.0.0.1:1", &[]),
            server("b", "b.lan:2", &[]),
        ]);
        settings.clients = vec![client("c", &[])];
        settings.servers[1].options = "check inter 5s".parse().unwrap();
        settings.load_balancer.backend = "bck_other".parse().unwrap();
        let lines = Cluster::new(settings).unwrap().server_lines(&files());
        assert_eq!(lines.len(), 2);
        assert_eq!(
            lines[1],
            ServerLine {
                backend: "bck_other".parse().unwrap(),
                name: "b".parse().unwrap(),
                address: "b.lan:2".parse().unwrap(),
                options: "check inter 5s".parse().unwrap(),
                tls: TlsOptions {
                    ca_file: files().ca_file,
                    crt: None,
                    crl_file: None,
                    verifyhost: Some("b.lan".parse().unwrap()),
                },
            }
        );
        let own_name = lines[0].tls.verifyhost.as_ref().map(DnsName::as_str);
        assert_eq!(own_name, Some("a.demo.internal"));
    }

    #[test]
    fn the_crt_is_on_the_line_when_servers_ask_for_a_client_certificate() {
        for (client_certificate, crt) in [
            (ClientCertificate::None, None),
            (ClientCertificate::Optional, Some(files().crt)),
            (ClientCertificate::Required, Some(files().crt)),
        ] {
            let mut settings = demo(vec![server("a", "a.lan:1", &[])]);
            settings.load_balancer.client_certificate = client_certificate;
            let lines = Cluster::new(settings).unwrap().server_lines(&files());
            assert_eq!(lines[0].tls.crt, crt, "{client_certificate}");
        }
    }

    #[test]
    fn crl_file_and_verifyhost_are_on_the_line_as_the_settings_say() {
        let mut settings = demo(vec![server("a", "a.lan:1", &[])]);
        settings.revocation.enabled = true;
        settings.load_balancer.verifyhost = false;
        let lines = Cluster::new(settings).unwrap().server_lines(&files());
        assert_eq!(lines[0].tls.crl_file, Some(files().crl_file));
        assert_eq!(lines[0].tls.verifyhost, None);
    }
}
