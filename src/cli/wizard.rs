//! The questions of `zpki init` on a terminal.
//!
//! What a flag says is not asked. An answer that would not do is refused on the spot, by the rules
//! that the settings are checked by later: the wizard has none of its own.

use std::fmt::Display;
use std::path::Path;

use super::args::Init;
use super::render;
use crate::commands::error::Error;
use crate::domain::address::Address;
use crate::domain::cluster::{Cluster, Entry, Key, Misfit};
use crate::domain::error::Invalid;
use crate::domain::host::Host;
use crate::domain::name::EntryName;
use crate::domain::role::ClientCertificate;
use crate::domain::server_line::ServerOptions;
use crate::domain::settings::{Overrides, ServerSettings, Settings};
use crate::domain::text::{Plain, joined};
use crate::system::Prompt;
use crate::x509::passphrase::Passphrase;

/// Asks for whatever the flags do not say, and puts it into `settings`.
///
/// # Errors
/// When the flags do not fit together, which is found before the first question; when the person
/// asked gives up.
pub(super) fn complete(
    settings: &mut Settings,
    flags: &Init,
    directory: &Path,
    prompt: &mut dyn Prompt,
) -> Result<(), Error> {
    make_room(settings, flags);
    refuse_misfits(settings, flags)?;
    prompt.say(&introduction(directory))?;
    ask(settings, flags, prompt)
}

/// Of two lifetimes, lets the one that is not given yet make room for the other.
fn make_room(settings: &mut Settings, flags: &Init) {
    let (ca, certificates) = (settings.ca.lifetime, settings.certificates.lifetime);
    if flags.ca_lifetime.is_none() {
        settings.ca.lifetime = ca.max(certificates);
    }
    if flags.lifetime.is_none() {
        settings.certificates.lifetime = certificates.min(ca);
    }
}

/// What the flags say and no answer could make fit is refused before the first question; so are
/// name constraints under which no server could have a name.
fn refuse_misfits(settings: &Settings, flags: &Init) -> Result<(), Error> {
    let mut settings = settings.clone();
    if settings.servers.is_empty() {
        settings.servers.push(default_server(1));
    }
    let mut misfits = Cluster::new(settings.clone()).err().unwrap_or_default();
    if flags.load_balancer.is_empty() {
        misfits.retain(|misfit| misfit.at.0.first() != Some(&Key::Name("load_balancer")));
    }
    if misfits.is_empty() {
        return Ok(());
    }
    Err(Error::Misfits {
        settings: Box::new(settings),
        haproxy_file: flags.from_haproxy.clone(),
        misfits,
    })
}

/// Asks for whatever the flags do not say.
fn ask(settings: &mut Settings, flags: &Init, prompt: &mut dyn Prompt) -> Result<(), Error> {
    if flags.cluster.is_none() {
        let check = |answer: &str| {
            let name = answer.parse().map_err(spoken)?;
            let trial = settings.clone();
            servers_fit(Settings { name, ..trial }).map(drop)
        };
        settings.name = parsed(prompt.text("Name of the cluster", "prod", &check)?)?;
    }
    if settings.servers.is_empty() {
        ask_servers(prompt, settings)?;
    }
    if flags.load_balancer.is_empty() {
        ask_load_balancer(prompt, settings)?;
    }
    if flags.client_certificate.is_none() {
        settings.load_balancer.client_certificate = ask_client_certificate(prompt)?;
    }
    if flags.ca_lifetime.is_none() {
        let default = settings.ca.lifetime.to_string();
        let with = |lifetime| {
            let mut trial = settings.clone();
            trial.ca.lifetime = lifetime;
            if flags.lifetime.is_none() {
                trial.certificates.lifetime = trial.certificates.lifetime.min(lifetime);
            }
            trial
        };
        let check = |answer: &str| fits(with(answer.parse().map_err(spoken)?)).map(drop);
        let answer = prompt.text("Lifetime of the CA", &default, &check)?;
        *settings = with(parsed(answer)?);
    }
    if flags.lifetime.is_none() {
        let default = settings.certificates.lifetime.to_string();
        let check = |answer: &str| {
            let mut trial = settings.clone();
            trial.certificates.lifetime = answer.parse().map_err(spoken)?;
            fits(trial).map(drop)
        };
        let answer = prompt.text("Lifetime of the certificates", &default, &check)?;
        settings.certificates.lifetime = parsed(answer)?;
    }
    Ok(())
}

/// What is suggested for a server, counted from 1.
fn default_server(number: usize) -> ServerSettings {
    let port = u16::try_from(17009 + number).unwrap_or(17010);
    ServerSettings {
        name: format!("server{number}")
            .parse()
            .expect("it is letters and digits"),
        address: format!("127.0.0.1:{port}")
            .parse()
            .expect("it is an address and a port above 0"),
        hosts: Vec::new(),
        options: ServerOptions::default(),
        calls_servers: false,
        conf: None,
        overrides: Overrides::default(),
    }
}

fn ask_servers(prompt: &mut dyn Prompt, settings: &mut Settings) -> Result<(), Error> {
    loop {
        let server = ask_server(prompt, settings)?;
        settings.servers.push(server);
        if !prompt.confirm("Another server?", false)? {
            return Ok(());
        }
    }
}

fn ask_server(prompt: &mut dyn Prompt, settings: &Settings) -> Result<ServerSettings, Error> {
    let with = |server: ServerSettings| {
        let mut trial = settings.clone();
        trial.servers.push(server);
        trial
    };
    let first = default_server(settings.servers.len() + 1);

    let check = |answer: &str| {
        let name = answer.parse().map_err(spoken)?;
        servers_fit(with(ServerSettings {
            name,
            ..first.clone()
        }))
        .map(drop)
    };
    let name: EntryName =
        parsed(prompt.text("Name of the server", first.name.as_str(), &check)?)?;

    let check = |answer: &str| reason(answer.parse::<Address>());
    let question = format!("Address of {name}, as HAProxy reaches it");
    let address = parsed(prompt.text(&question, &first.address.to_string(), &check)?)?;

    let server = ServerSettings {
        name,
        address,
        ..first
    };
    let default = match servers_fit(with(server.clone())) {
        Ok(Some(cluster)) => cluster
            .entry(server.name.as_str())
            .map(shown_hosts)
            .unwrap_or_default(),
        Ok(None) | Err(_) => String::new(),
    };
    let check = |answer: &str| {
        let hosts = hosts(answer).map_err(spoken)?;
        servers_fit(with(ServerSettings {
            hosts,
            ..server.clone()
        }))
        .map(drop)
    };
    let question = format!("Host names of {}, separated by spaces", server.name);
    let answer = prompt.text(&question, &default, &check)?;
    Ok(ServerSettings {
        hosts: hosts(&answer).map_err(unusable)?,
        ..server.clone()
    })
}

fn ask_load_balancer(prompt: &mut dyn Prompt, settings: &mut Settings) -> Result<(), Error> {
    let default = fits(settings.clone()).ok();
    let default = default.and_then(|cluster| cluster.entries().first().map(shown_hosts));
    let check = |answer: &str| {
        let mut trial = settings.clone();
        trial.load_balancer.hosts = hosts(answer).map_err(spoken)?;
        fits(trial).map(drop)
    };
    let question = "Host names of the load-balancer, separated by spaces";
    let answer = prompt.text(question, &default.unwrap_or_default(), &check)?;
    settings.load_balancer.hosts = hosts(&answer).map_err(unusable)?;
    Ok(())
}

fn ask_client_certificate(prompt: &mut dyn Prompt) -> Result<ClientCertificate, Error> {
    let modes = [
        ClientCertificate::None,
        ClientCertificate::Optional,
        ClientCertificate::Required,
    ];
    let choices = [
        "none: servers ask for no certificate",
        "optional: one that is sent is checked",
        "required: no connection without one",
    ];
    let chosen = prompt.choose("Client certificate of the load-balancer", &choices, 0)?;
    Ok(modes[chosen])
}

/// A new passphrase for the CA's private key, or none.
///
/// # Errors
/// When the person asked gives up.
pub(super) fn ask_passphrase(prompt: &mut dyn Prompt) -> Result<Option<Passphrase>, Error> {
    if !prompt.confirm("Encrypt the CA's private key with a passphrase?", true)? {
        return Ok(None);
    }
    Ok(Some(
        prompt.new_passphrase("Passphrase of the CA's private key")?,
    ))
}

fn introduction(directory: &Path) -> String {
    format!(
        "This makes a PKI in {}.\n\
         Enter takes the answer in brackets. Nothing is written before the last answer; Ctrl-C \
         leaves everything as it is.\n\n",
        Plain(&directory.display().to_string())
    )
}

/// What will be made, and one question whether to make it.
///
/// # Errors
/// [`Error::Declined`] for a no.
pub(super) fn confirm(
    prompt: &mut dyn Prompt,
    directory: &Path,
    settings: &Settings,
    haproxy_file: Option<&Path>,
    encrypted: bool,
    yes: bool,
) -> Result<(), Error> {
    let misfit = |misfits| Error::Misfits {
        settings: Box::new(settings.clone()),
        haproxy_file: haproxy_file.map(Path::to_owned),
        misfits,
    };
    let cluster = Cluster::new(settings.clone()).map_err(misfit)?;
    prompt.say(&render::text::summary(directory, &cluster, encrypted))?;
    if yes || prompt.confirm("Make it?", true)? {
        Ok(())
    } else {
        Err(Error::Declined)
    }
}

fn shown_hosts(entry: &Entry) -> String {
    joined(&entry.hosts, " ")
}

fn hosts(answer: &str) -> Result<Vec<Host>, Invalid> {
    let words = answer.split([' ', ',']).filter(|word| !word.is_empty());
    words.map(str::parse).collect()
}

/// The cluster that the answers so far make.
fn fits(settings: Settings) -> Result<Cluster, String> {
    Cluster::new(settings).map_err(|misfits| reasons(&misfits).unwrap_or_default())
}

/// Whether the servers fit; the load-balancer is not asked about yet.
fn servers_fit(settings: Settings) -> Result<Option<Cluster>, String> {
    match Cluster::new(settings) {
        Ok(cluster) => Ok(Some(cluster)),
        Err(mut misfits) => {
            misfits.retain(is_about_servers);
            reasons(&misfits).map_or(Ok(None), Err)
        }
    }
}

/// About one of the servers that there are, not about their lack.
fn is_about_servers(misfit: &Misfit) -> bool {
    matches!(
        misfit.at.0.as_slice(),
        [Key::Name("servers"), Key::Index(_), ..]
    )
}

/// What does not fit, and what to do about it.
fn reasons(misfits: &[Misfit]) -> Option<String> {
    let reasons: Vec<String> = misfits
        .iter()
        .map(|misfit| with_hint(&misfit.reason, &misfit.reason.hint()))
        .collect();
    (!reasons.is_empty()).then(|| reasons.join("\n"))
}

fn reason<T>(answer: Result<T, Invalid>) -> Result<(), String> {
    answer.map(drop).map_err(spoken)
}

fn spoken(invalid: Invalid) -> String {
    with_hint(&invalid, &invalid.hint())
}

fn with_hint(reason: &dyn Display, hint: &str) -> String {
    format!("{reason}\nhint: {hint}")
}

/// An answer that its own check has passed.
fn parsed<T: std::str::FromStr<Err = Invalid>>(answer: String) -> Result<T, Error> {
    answer.parse().map_err(unusable)
}

/// Not to be reached: each answer was checked by the rule that refuses it here.
fn unusable(invalid: Invalid) -> Error {
    Error::Terminal {
        error: std::io::Error::other(invalid),
    }
}
