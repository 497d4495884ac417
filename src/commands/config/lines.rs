//! The server lines of HAProxy's configuration: what each is to say, and what was found.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::Request;
use super::desired::LoadBalancer;
use super::record::Record;
use crate::commands::error::Error;
use crate::config::haproxy::{
    Edited, EditedLine, Scope, Wanted, backends, edit, read_configuration,
};
use crate::domain::finding::Finding;
use crate::domain::haproxy_tls::Server;
use crate::domain::name::EntryName;
use crate::domain::server_line::TlsOptions;
use crate::domain::settings::Backend;
use crate::domain::text::Quoted;

/// How the server lines of a configuration are edited.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    pub(super) scope: Scope,
    /// What each is to say.
    pub(super) wanted: Vec<Wanted>,
    /// The same while the files are not yet where the lines name them.
    pub(super) kept: Vec<Wanted>,
    /// The lines that were found.
    pub(super) found: Vec<EditedLine>,
    /// Whether its backend has more than one server, be they meant or not.
    pub(super) has_others: bool,
    /// Those of them that have TLS and are to lose it, or are to get it.
    switched: BTreeSet<usize>,
    /// Servers that the file has under another name than zpki.toml, each with that of zpki.toml.
    renamed: BTreeMap<EntryName, EntryName>,
}

impl Lines {
    /// How the lines of `text`, which stands at `path`, are edited; the new text; and what there is to say.
    pub(super) fn read(
        path: &Path,
        text: &[u8],
        load_balancer: &LoadBalancer,
        request: &Request,
        record: &Record,
    ) -> Result<(Self, Vec<u8>, Vec<Finding>), Error> {
        let mut lines = Self::new(path, text, load_balancer, request, record);
        let mut edited = lines.edit(text, &lines.wanted)?;
        let mut findings = lines.recognise(text, &edited, load_balancer, record);
        if !findings.is_empty() {
            edited = lines.edit(text, &lines.wanted)?;
        }
        if request.only.is_empty() {
            findings.extend(of_others(path, &edited));
        }
        lines.compare(text, edited.lines)?;
        Ok((lines, edited.text, findings))
    }

    fn new(
        path: &Path,
        text: &[u8],
        load_balancer: &LoadBalancer,
        request: &Request,
        record: &Record,
    ) -> Self {
        let is_meant = |name: &EntryName| request.only.is_empty() || request.only.contains(name);
        let lines = load_balancer.lines.iter().filter(|it| is_meant(&it.name));
        let wanted = |tls: &dyn Fn(&TlsOptions) -> TlsOptions| {
            let wanted = lines.clone().map(|line| Wanted {
                name: line.name.clone(),
                tls: (!request.disable).then(|| tls(&line.tls)),
                disabled: disabled(&line.name, record),
            });
            wanted.collect()
        };
        Self {
            path: path.to_owned(),
            scope: scope(text, request.backend.as_ref(), &load_balancer.backend),
            wanted: wanted(&TlsOptions::clone),
            kept: match request.installs() {
                true => wanted(&|tls| load_balancer.with_kept_files(tls)),
                false => wanted(&TlsOptions::clone),
            },
            found: Vec::new(),
            has_others: false,
            switched: BTreeSet::new(),
            renamed: BTreeMap::new(),
        }
    }

    /// Takes a line that nobody wants for that of a server that has none, where the address says so: Zato's
    /// web console renames servers, and everything on the line that has the name in it.
    fn recognise(
        &mut self,
        text: &[u8],
        edited: &Edited,
        load_balancer: &LoadBalancer,
        record: &Record,
    ) -> Vec<Finding> {
        let proxies = read_configuration(text, &|_| None).value.proxies;
        let servers = proxies.iter().flat_map(|proxy| &proxy.servers);
        let is_unknown = |server: &&Server| {
            let mut unknown = edited.unknown.iter();
            unknown.any(|line| line.number == server.line)
        };
        let unknown: Vec<&Server> = servers.filter(is_unknown).collect();
        let prefix = self.scope.backend().server_prefix();
        let mut findings = Vec::new();
        for absent in &edited.absent {
            let lines = load_balancer.lines.iter().filter(|it| it.name == *absent);
            let addresses: Vec<String> = lines.map(|it| it.address.to_string()).collect();
            let same: Vec<_> = unknown
                .iter()
                .filter(|server| addresses.contains(&server.address))
                .collect();
            let [server] = same[..] else { continue };
            let name = server.name.strip_prefix(&prefix).unwrap_or(&server.name);
            let Ok(name) = name.parse::<EntryName>() else {
                continue;
            };
            for wanted in self.wanted.iter_mut().chain(&mut self.kept) {
                if wanted.name == *absent {
                    wanted.name = name.clone();
                    wanted.disabled = disabled(&name, record);
                }
            }
            findings.push(Finding::warning(
                "server-renamed",
                format!("{}:{}", self.path.display(), server.line),
                format!("`{name}` has the address of `{absent}`, and is taken for it"),
                format!("give it its old name again, or name it `{name}` in zpki.toml too"),
            ));
            self.renamed.insert(name, absent.clone());
        }
        findings
    }

    /// The name in zpki.toml of a server that is called `name` on its line.
    pub(super) fn entry<'a>(&'a self, name: &'a EntryName) -> &'a EntryName {
        self.renamed.get(name).unwrap_or(name)
    }

    /// Notes which lines were found, and which of them change from plain to TLS or back.
    fn compare(&mut self, text: &[u8], found: Vec<EditedLine>) -> Result<(), Error> {
        let plain = self.wanted.iter().map(|wanted| Wanted {
            name: wanted.name.clone(),
            tls: None,
            disabled: None,
        });
        let plain: Vec<Wanted> = plain.collect();
        let without = self.edit(text, &plain)?;
        let has_tls = without.lines.iter().filter(|line| line.is_changed);
        let has_tls: BTreeSet<usize> = has_tls.map(|line| line.number).collect();
        let is_wanted = |line: &EditedLine| {
            let mut wanted = self.wanted.iter();
            wanted.any(|it| it.name == line.name && it.tls.is_some())
        };
        let switched = found
            .iter()
            .filter(|line| is_wanted(line) != has_tls.contains(&line.number));
        self.switched = switched.map(|line| line.number).collect();
        let backend = self.scope.backend().to_string();
        let proxies = read_configuration(text, &|_| None).value.proxies;
        let of_backend = proxies.iter().filter(|proxy| proxy.name == backend);
        let servers = of_backend.map(|proxy| proxy.servers.len());
        self.has_others = servers.sum::<usize>() > 1;
        self.found = found;
        Ok(())
    }

    /// The lines that change from plain to TLS, or back.
    pub(super) fn switched(&self) -> impl Iterator<Item = &EditedLine> {
        self.found
            .iter()
            .filter(|line| self.switched.contains(&line.number))
    }

    /// The whole file, edited.
    pub(super) fn edit(&self, text: &[u8], wanted: &[Wanted]) -> Result<Edited, Error> {
        edit(text, &self.scope, wanted).map_err(|problems| Error::HaproxyFile {
            path: self.path.clone(),
            problems,
        })
    }
}

/// What a switch has disabled is enabled again; all else is the user's.
fn disabled(name: &EntryName, record: &Record) -> Option<bool> {
    record.has(name).then_some(false)
}

/// What there is to say of lines that were not edited.
fn of_others(path: &Path, edited: &Edited) -> Vec<Finding> {
    let path = path.display();
    let absent = edited.absent.iter().map(|name| {
        Finding::warning(
            "server-line-missing",
            name,
            format!("{path} has no line for it"),
            format!(
                "add it there (zpki snippet haproxy shows the line), or: zpki server remove {name}"
            ),
        )
    });
    let unknown = edited.unknown.iter().map(|line| {
        let why = format!(
            "the server {} is none of this cluster's: its line is left alone",
            Quoted(&line.name)
        );
        Finding::note(
            "server-line-unknown",
            format!("{path}:{}", line.number),
            why,
        )
    });
    absent.chain(unknown).collect()
}

/// A block that Zato's agent has marked is edited as the agent can read it, any other section as HAProxy
/// can.
fn scope(text: &[u8], named: Option<&Backend>, of_cluster: &Backend) -> Scope {
    let is_marked = |backend: &Backend| backends(text).any(|it| it == backend.to_string());
    match named {
        Some(backend) if !is_marked(backend) => Scope::Section(backend.clone()),
        backend => Scope::Zato(backend.unwrap_or(of_cluster).clone()),
    }
}
