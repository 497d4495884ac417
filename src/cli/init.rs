//! From the flags of `zpki init`, and on a terminal from the wizard's answers, to one request.

use super::args::{Global, Init, ServerArgument};
use super::{new_directory, passphrase, wizard};
use crate::commands::error::{Error, Usage};
use crate::commands::init::{self, Request, Source};
use crate::config::haproxy::FoundServer;
use crate::domain::finding::Finding;
use crate::domain::name_constraints::NameConstraints;
use crate::domain::server_line::ServerOptions;
use crate::domain::settings::{
    CaSettings, CertificateSettings, LoadBalancerSettings, Overrides, RevocationSettings,
    ServerSettings, Settings,
};
use crate::domain::validity::Lifetime;
use crate::system::System;

/// The request that the flags and answers make.
///
/// # Errors
/// When something is in the way of the directory, something is missing and nobody can be asked, or
/// the person asked gives up.
pub(super) fn request(
    arguments: Init,
    global: &Global,
    system: &mut System,
) -> Result<Request, Error> {
    let directory = new_directory(arguments.target.as_deref(), global, system)?;
    let lock_timeout = global.lock_timeout.duration().unsigned_abs();
    let cluster_file = arguments.config.as_deref();
    init::target(&directory, cluster_file, lock_timeout, system)?;

    let input = arguments
        .config
        .as_deref()
        .or(arguments.from_haproxy.as_deref());
    let no_passphrase = arguments.no_ca_passphrase;
    let given = passphrase::given(&arguments.passphrase, no_passphrase, input, system)?;
    let undecided = given.is_none() && !arguments.no_ca_passphrase;
    let force = arguments.force;
    let mut draft = Draft {
        findings: passphrase::finding(&arguments.passphrase, system)
            .into_iter()
            .collect(),
        servers: Vec::new(),
        arguments,
    };
    draft.take_servers(system)?;
    let from_settings = draft.arguments.config.is_none();
    let prompted = from_settings && draft.is_incomplete();
    let can_ask = system.prompt.is_some() && !global.non_interactive;
    if !can_ask {
        draft.refuse_to_guess(from_settings, undecided)?;
    }
    let mut settings = draft.settings();
    let mut prompt = system.prompt.take().filter(|_| can_ask);
    if let Some(prompt) = prompt.as_deref_mut().filter(|_| prompted) {
        wizard::complete(&mut settings, &draft.arguments, &directory, prompt)?;
    }
    let passphrase = match prompt.as_deref_mut().filter(|_| undecided) {
        Some(prompt) => wizard::ask_passphrase(prompt)?,
        None => given,
    };
    if let Some(prompt) = prompt.as_deref_mut().filter(|_| prompted) {
        wizard::confirm(
            prompt,
            &directory,
            &settings,
            draft.arguments.from_haproxy.as_deref(),
            passphrase.is_some(),
            global.yes,
        )?;
    }
    Ok(Request {
        directory,
        source: match draft.arguments.config {
            Some(path) => Source::ClusterFile(path),
            None => Source::Settings {
                settings: Box::new(settings),
                haproxy_file: draft.arguments.from_haproxy,
            },
        },
        findings: draft.findings,
        passphrase,
        force,
        lock_timeout,
    })
}

/// What the flags say so far.
struct Draft {
    arguments: Init,
    servers: Vec<ServerSettings>,
    findings: Vec<Finding>,
}

impl Draft {
    /// The servers of `--server`, or of `--from-haproxy`.
    fn take_servers(&mut self, system: &mut System) -> Result<(), Error> {
        let backend = self.arguments.backend.clone().unwrap_or_default();
        let Some(path) = &self.arguments.from_haproxy else {
            self.servers = self.arguments.servers.iter().map(server).collect();
            return Ok(());
        };
        for found in init::servers_of(path, &backend, system)? {
            let sends = self
                .arguments
                .client_certificate
                .unwrap_or_default()
                .is_sent();
            let place = format!("{}:{}", path.display(), found.line);
            self.findings.extend(tls_findings(&found, &place, sends));
            self.servers.push(ServerSettings {
                name: found.name,
                address: found.address,
                hosts: Vec::new(),
                options: found.options,
                calls_servers: false,
                conf: None,
                overrides: Overrides::default(),
            });
        }
        Ok(())
    }

    fn is_incomplete(&self) -> bool {
        self.arguments.cluster.is_none() || self.servers.is_empty()
    }

    /// Where nobody can be asked, every flag that is missing is named at once.
    fn refuse_to_guess(&self, settings: bool, passphrase: bool) -> Result<(), Error> {
        let mut flags = Vec::new();
        if settings && self.arguments.cluster.is_none() {
            flags.push("--cluster NAME");
        }
        if settings && self.servers.is_empty() {
            flags.push("--server NAME=ADDRESS (or --from-haproxy FILE)");
        }
        if passphrase {
            flags.push("--ca-passphrase-file FILE (or --no-ca-passphrase)");
        }
        if flags.is_empty() {
            Ok(())
        } else {
            Err(Error::Usage(Usage::Missing { flags }))
        }
    }

    /// What the flags say, with defaults for the rest.
    fn settings(&self) -> Settings {
        let flags = &self.arguments;
        let mut settings = blank();
        settings.servers.clone_from(&self.servers);
        settings.ca = CaSettings {
            key_algorithm: flags.ca_key_algorithm.unwrap_or_default(),
            lifetime: flags.ca_lifetime.unwrap_or_else(Lifetime::default_ca),
            name_constraints: NameConstraints {
                permitted_domains: flags.permitted_domains.clone(),
                permitted_networks: flags.permitted_networks.clone(),
            },
            key_file: None,
        };
        settings.certificates = CertificateSettings {
            key_algorithm: flags.key_algorithm.unwrap_or_default(),
            lifetime: flags.lifetime.unwrap_or_else(Lifetime::default_end_entity),
            ..CertificateSettings::default()
        };
        settings.load_balancer = LoadBalancerSettings {
            hosts: flags.load_balancer.clone(),
            client_certificate: flags.client_certificate.unwrap_or_default(),
            backend: flags.backend.clone().unwrap_or_default(),
            ca_file: flags.ca_file.clone(),
            crt: flags.crt.clone(),
            verifyhost: !flags.no_verifyhost,
            ..LoadBalancerSettings::default()
        };
        if let Some(cluster) = &flags.cluster {
            settings.name = cluster.clone();
        }
        settings
    }
}

/// What becomes of the TLS options that a line has already.
fn tls_findings(found: &FoundServer, place: &str, sends: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !found.tls.is_empty() {
        let why = format!(
            "its line ({place}) has TLS options already, which are replaced: {}",
            found.tls.join(", ")
        );
        findings.push(Finding::warning(
            "had-tls",
            &found.name,
            why,
            "HAProxy trusts the new CA from its reload on: leave the server's old files in place until then",
        ));
    }
    if !sends && found.tls.iter().any(|option| option.starts_with("crt ")) {
        findings.push(Finding::warning(
            "crt-dropped",
            &found.name,
            format!("its line ({place}) sends a client certificate, and the new one sends none"),
            "give --client-certificate optional or required, if the servers ask for one",
        ));
    }
    findings
}

/// A name for settings that have none yet; never written.
const UNNAMED: &str = "cluster";

fn blank() -> Settings {
    Settings {
        name: UNNAMED.parse().expect("it is letters"),
        ca: CaSettings::default(),
        certificates: CertificateSettings::default(),
        load_balancer: LoadBalancerSettings::default(),
        servers: Vec::new(),
        clients: Vec::new(),
        revocation: RevocationSettings::default(),
    }
}

pub(super) fn server(argument: &ServerArgument) -> ServerSettings {
    ServerSettings {
        name: argument.name.clone(),
        address: argument.address.clone(),
        hosts: argument.hosts.clone(),
        options: ServerOptions::default(),
        calls_servers: false,
        conf: None,
        overrides: Overrides::default(),
    }
}
