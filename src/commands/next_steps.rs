//! What there is to do when zpki is done.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use serde::Serialize;
use time::OffsetDateTime;

use super::reconcile::Done;
use crate::domain::cluster::{Cluster, Entry, HaproxyFiles};
use crate::domain::name::EntryName;
use crate::domain::role::Role;
use crate::domain::settings::AbsolutePath;
use crate::domain::text::{ShellWord, joined};
use crate::domain::validity::show;
use crate::store::layout::{
    self, CA_KEY, CRL_FILE, HAPROXY_LINES, HostFolder, KEY_CERT, SERVER_SETTINGS, TRUST_BUNDLE,
};

/// One thing to do.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NextStep {
    /// What it is.
    pub what: String,
    /// Commands that do it, or show how, for a shell. Their user is `zato`, and HOST is the host.
    pub commands: Vec<String>,
}

/// The steps from a PKI directory to a cluster that talks TLS. `files` is where HAProxy finds its
/// own; `running` is the configuration of an HAProxy that carries traffic already.
pub(super) fn of(
    cluster: &Cluster,
    directory: &Path,
    files: &HaproxyFiles,
    running: Option<&Path>,
) -> Vec<NextStep> {
    let at = |path: PathBuf| ShellWord(&directory.join(path).display().to_string()).to_string();
    let of = |name: &EntryName, role| at(HostFolder::of(name, role).directory());
    let load_balancer = of(&EntryName::load_balancer(), Role::LoadBalancer);
    let mut steps = Vec::new();
    if running.is_some() {
        steps.push(step(
            "the cluster carries traffic: do all that follows for one server at a time, its line \
             `disabled` and HAProxy reloaded before it is restarted; in another order requests fail",
            [],
        ));
    }
    for server in cluster.settings().servers.iter().take(1) {
        let folder = of(&server.name, Role::Server);
        steps.push(step(
            "copy each server's PEM files into its config/repo, owned by the user it runs as",
            [format!(
                "{COPY} {folder}/*.pem HOST:/opt/zato/server/config/repo/"
            )],
        ));
        steps.push(step(
            format!(
                "put the settings of {folder}/{SERVER_SETTINGS} into [crypto] of each server.conf, and restart the server"
            ),
            [],
        ));
    }
    for client in &cluster.settings().clients {
        let folder = of(&client.name, Role::Client);
        let what = format!("copy the files of {} to where it reads them", client.name);
        steps.push(step(what, [for_reader(&folder)]));
    }
    steps.push(for_haproxy(cluster, files, &load_balancer));
    steps.push(for_lines(&load_balancer));
    steps.push(in_place(cluster, directory, running));
    let ca = &cluster.settings().ca;
    let key = at(layout::ca_key(ca).to_owned());
    if ca.key_file.is_some() {
        steps.push(step(
            "move the CA's key to where zpki.toml has it",
            [format!("mv -n {} {key}", at(CA_KEY.into()))],
        ));
    }
    let directory = directory.display().to_string();
    let directory = ShellWord(&directory);
    let what = format!("keep {key} off every other host, and back up {directory}");
    steps.push(step(what, []));
    steps
}

/// What is to be done on the hosts whose host folders have changed.
pub(super) fn after(done: &Done<'_>, cluster: &Cluster, directory: &Path) -> Vec<NextStep> {
    let folder = |entry: &Entry| {
        let path = directory.join(HostFolder::of(&entry.name, entry.role).directory());
        ShellWord(&path.display().to_string()).to_string()
    };
    let has = |entry: &Entry, is_it: fn(&str) -> bool| {
        let folder = HostFolder::of(&entry.name, entry.role).directory();
        let files = done.files.iter();
        let mut names = files.filter_map(|file| file.strip_prefix(&folder).ok()?.to_str());
        names.any(is_it)
    };
    let of = |wanted: fn(Role) -> bool, is_it: fn(&str) -> bool| -> Vec<&Entry> {
        let entries = done.changed.iter().copied();
        entries
            .filter(|entry| wanted(entry.role) && has(entry, is_it))
            .collect()
    };
    let is_pem = |name: &str| name.ends_with(".pem");
    let mut steps = Vec::new();
    let renewed = of(|role| role == Role::Server, is_pem);
    if let Some(first) = renewed.first() {
        let what = format!(
            "copy the PEM files of {} to where they are used; a server reads them at its next connection",
            Named(&renewed)
        );
        let to = "HOST:/opt/zato/server/config/repo/";
        steps.push(step(what, [format!("{COPY} {}/*.pem {to}", folder(first))]));
    }
    let clients = of(|role| role == Role::Client, is_pem);
    if let Some(first) = clients.first() {
        let what = format!(
            "copy the PEM files of {} to where they are read",
            Named(&clients)
        );
        steps.push(step(what, [for_reader(&folder(first))]));
    }
    let servers = of(|role| role == Role::Server, |name| name == SERVER_SETTINGS);
    if let Some(first) = servers.first() {
        let what = format!(
            "put the settings of {}/{SERVER_SETTINGS} into [crypto] of the server.conf of {}, and restart the server",
            folder(first),
            Named(&servers)
        );
        steps.push(step(what, []));
    }
    if let Some(load_balancer) = of(|role| role == Role::LoadBalancer, is_pem).first() {
        let what = format!(
            "copy the PEM files of {} to where HAProxy reads them, unless it reads them there, and reload it",
            folder(load_balancer)
        );
        steps.push(step(what, []));
    }
    let lines = of(
        |role| role == Role::LoadBalancer,
        |name| name == HAPROXY_LINES,
    );
    steps.extend(lines.first().map(|entry| for_lines(&folder(entry))));
    let is_edit = !lines.is_empty() || !servers.is_empty();
    if is_edit || (!steps.is_empty() && cluster.settings().names_configurations()) {
        steps.push(in_place(cluster, directory, None));
    }
    steps
}

/// The command that does in place what the steps before it describe. What zpki.toml does not say is where
/// Zato has it.
fn in_place(cluster: &Cluster, directory: &Path, running: Option<&Path>) -> NextStep {
    let settings = cluster.settings();
    let word = |path: &str| ShellWord(path).to_string();
    let mut command = format!(
        "zpki -C {} config apply --install",
        word(&directory.display().to_string())
    );
    if !settings.names_configurations() {
        let running = running.map(|path| path.display().to_string());
        let config = running
            .as_deref()
            .unwrap_or("/opt/zato/lb/config/repo/zato.config");
        command += &format!(" --haproxy {}", word(config));
        for server in settings.servers.iter().take(NAMED) {
            let name = &server.name;
            command += &format!(" --server-conf {name}=/opt/zato/{name}/config/repo/server.conf");
        }
        if settings.servers.len() > NAMED {
            command += " ...";
        }
    }
    if running.is_some() {
        command += " --rolling --reload COMMAND --restart COMMAND";
    }
    step(
        "or have zpki do it, on the hosts where these files are: it shows the change, has it checked, and \
         keeps the old files (--from FOLDER in place of -C where only a host's folder is)",
        [command],
    )
}

/// Names of entries, the first few.
struct Named<'a>(&'a [&'a Entry]);

impl Display for Named<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let names: Vec<&EntryName> = self.0.iter().take(NAMED).map(|entry| &entry.name).collect();
        f.write_str(&joined(&names, ", "))?;
        match self.0.len() - names.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

fn for_lines(folder: &str) -> NextStep {
    step(
        format!(
            "put the server lines of {folder}/{HAPROXY_LINES} in place of those in zato.config, check, and reload HAProxy"
        ),
        ["haproxy -c -f zato.config".to_owned()],
    )
}

/// What is to be done for `revoked`, in whose host folders there are revoked certificates.
pub(super) fn rekey(revoked: &[EntryName], directory: &Path) -> Option<NextStep> {
    let (names, path) = (joined(revoked, ", "), directory.display().to_string());
    let command = format!(
        "zpki -C {} rekey {}",
        ShellWord(&path),
        joined(revoked, " ")
    );
    (!revoked.is_empty()).then(|| {
        let what = format!(
            "make a new key and certificate for {names}, whose installed certificate is revoked, and copy them to the host"
        );
        step(what, [command])
    })
}

/// So many hosts are named one by one.
const NAMED: usize = 5;

/// The steps from a restored PKI directory to one that works.
pub(super) fn after_restore(directory: &Path) -> Vec<NextStep> {
    let word = |path: &Path| ShellWord(&path.display().to_string()).to_string();
    let folder = HostFolder::of(&EntryName::load_balancer(), Role::LoadBalancer).directory();
    let folder = word(&directory.join(folder));
    vec![
        step(
            "everything belongs to the user who ran this: give others what was theirs, such as its \
             files to the user that starts HAProxy",
            [format!("chown -R zato: {folder}")],
        ),
        step(
            "see that all is well",
            [format!("zpki -C {} check", word(directory))],
        ),
    ]
}

/// Keeps modes, sets the owner.
const COPY: &str = "rsync -pog --chown=zato:zato";

fn step(what: impl Into<String>, commands: impl Into<Vec<String>>) -> NextStep {
    NextStep {
        what: what.into(),
        commands: commands.into(),
    }
}

/// HAProxy reads its files as the user that starts it, before it drops privileges.
fn for_haproxy(cluster: &Cluster, files: &HaproxyFiles, folder: &str) -> NextStep {
    let settings = &cluster.settings().load_balancer;
    let elsewhere = [&settings.ca_file, &settings.crt, &settings.crl_file];
    if elsewhere.iter().all(|path| path.is_none()) {
        return step(
            "let the user that starts HAProxy read its files, if that is not root",
            [format!("chown -R zato: {folder}")],
        );
    }
    let copy = |name: &str, target: &AbsolutePath| {
        format!("{COPY} {folder}/{name} HOST:{}", ShellWord(target.as_str()))
    };
    let mut commands = vec![copy(TRUST_BUNDLE, &files.ca_file)];
    if settings.client_certificate.is_sent() {
        commands.push(copy(KEY_CERT, &files.crt));
    }
    if cluster.settings().revocation.enabled {
        commands.push(copy(CRL_FILE, &files.crl_file));
    }
    step(
        "copy HAProxy's files to where its lines name them, owned by the user that starts it",
        commands,
    )
}

/// What was issued to a host folder, and has to get to where it is used.
pub(super) fn copy(folder: &ShellWord<'_>) -> NextStep {
    step(
        "copy the PEM files of each folder to where they are read",
        [for_reader(&folder.to_string())],
    )
}

/// The command that copies a client's files: only its owner knows where to.
fn for_reader(folder: &str) -> String {
    format!("{COPY} {folder}/*.pem HOST:DIRECTORY/")
}

/// When to ask again for what zpki.toml does not name.
pub(super) fn again(ends: OffsetDateTime) -> NextStep {
    step(
        format!(
            "before {}, run the same command with --force: what zpki.toml does not name is not renewed by `zpki apply`",
            show(ends)
        ),
        [],
    )
}
