//! `zpki config apply --rolling`: the first switch of a running cluster, one server after the other, so
//! that no request fails.
//!
//! For each server: its line is `disabled` and HAProxy reloaded, so that it gets no requests; its
//! server.conf is edited and it is restarted; its line is enabled and HAProxy reloaded. Only when it
//! answers does the next one follow. Every other order that was measured lost requests by the hundred. A
//! run that stops leaves its server disabled and the others as they are; the same command goes on there.

use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use super::apply::{FollowUp, Restarted, exchange, note};
use super::record::Record;
use super::refusal::Refusal;
use super::report::{CommandReport, ConfigReport};
use super::validation::Validation;
use super::{FileEdit, Lines, Prepared};
use crate::commands::error::Error;
use crate::config::haproxy::statistics::{self, QUESTION, ServerStatus};
use crate::config::haproxy::{EditedLine, Wanted, read_configuration};
use crate::domain::haproxy_tls::Server;
use crate::domain::name::EntryName;
use crate::store::exchange::{Backup, Replacement};
use crate::system::System;

/// How the switch is made.
#[derive(Clone, Debug)]
pub struct Rolling {
    /// Who checks the new text.
    pub validation: Validation,
    /// What makes HAProxy read its configuration again.
    pub reload: String,
    /// What restarts a server, whose name is in `$ZPKI_NAME`.
    pub restart: String,
    /// What succeeds once a server answers, in place of HAProxy's statistics.
    pub probe: Option<String>,
    /// How long requests that are under way may take when their server gets no more of them.
    pub drain: Duration,
    /// How long a server may take to come up.
    pub limit: Duration,
}

/// How long a response is waited for from a server that is up: where no requests come, none fails.
const ANSWER: Duration = Duration::from_secs(2);

/// Switches the servers whose line or server.conf changes.
///
/// # Errors
/// Any. Servers before the one that it stops at are switched, those behind it are as they were.
pub fn run(
    prepared: &Prepared,
    rolling: &Rolling,
    system: &mut System,
) -> Result<ConfigReport, Error> {
    let (Some(haproxy), Some(lines), Some(record)) =
        (prepared.haproxy(), &prepared.lines, &prepared.record)
    else {
        return Err(Error::Config(Refusal::NoTargets));
    };
    let mut report = prepared.report();
    if prepared.replacements().is_empty() {
        return Ok(report);
    }
    let socket = statistics::socket(&haproxy.before);
    if socket.is_none() && rolling.probe.is_none() {
        let path = haproxy.path.clone();
        return Err(Error::Config(Refusal::NoStatistics { path }));
    }
    let unchecked = rolling.validation.judge(prepared, system)?;
    report.findings.extend(unchecked);
    let mut switch = Switch {
        prepared,
        rolling,
        haproxy,
        lines,
        socket,
        text: haproxy.before.clone(),
        record: record.clone(),
        switched: Vec::new(),
        backups: Vec::new(),
        commands: Vec::new(),
    };
    let is_due = |line: &&EditedLine| {
        line.is_changed || switch.conf_of(&line.name).is_some_and(FileEdit::is_edit)
    };
    let due: Vec<&EntryName> = lines
        .found
        .iter()
        .filter(is_due)
        .map(|it| &it.name)
        .collect();
    system.progress.start("switching servers", due.len());
    for name in due {
        if let Err(interrupted) = system.progress.advance() {
            return Err(match switch.switched[..] {
                [] => interrupted.into(),
                _ => Error::Config(Refusal::Stopped { name: None }),
            });
        }
        switch.server(name, system).map_err(|error| match error {
            Error::Interrupted => Error::Config(Refusal::Stopped {
                name: Some(name.clone()),
            }),
            error => error,
        })?;
    }
    switch.end(system)?;
    report.changed = true;
    report.commands = switch.commands;
    report.next_steps = Vec::new();
    note(&mut report, &switch.backups);
    Ok(report)
}

/// The switch, as far as it has come.
struct Switch<'a> {
    prepared: &'a Prepared,
    rolling: &'a Rolling,
    haproxy: &'a FileEdit,
    lines: &'a Lines,
    /// Where HAProxy is asked for its statistics.
    socket: Option<String>,
    /// HAProxy's configuration as it stands.
    text: Zeroizing<Vec<u8>>,
    record: Record,
    /// The servers that were switched.
    switched: Vec<&'a EntryName>,
    backups: Vec<Backup>,
    commands: Vec<CommandReport>,
}

impl<'a> Switch<'a> {
    fn conf_of(&self, name: &EntryName) -> Option<&'a FileEdit> {
        let entry = self.lines.entry(name);
        let mut servers = self.prepared.servers();
        servers.find(|it| it.server.as_ref() == Some(entry))
    }

    /// A command for a server knows it as zpki.toml does.
    fn restarted(&self, name: &'a EntryName) -> Restarted<'a> {
        let lines = self.lines;
        Restarted {
            name: Some(lines.entry(name)),
            conf: self.conf_of(name).map(|conf| &*conf.path),
        }
    }

    fn server(&mut self, name: &'a EntryName, system: &mut System) -> Result<(), Error> {
        if self.is_disabled_by_user(name)? {
            self.set_line(name, None, system)?;
            self.restart(name, system)?;
            self.switched.push(name);
            return Ok(());
        }
        self.check_another(name, system)?;
        self.set_line(name, Some(true), system)?;
        self.wait_for_maintenance(name, system)?;
        system.wait(self.rolling.drain)?;
        self.restart(name, system)?;
        self.wait_for_port(name, system)?;
        self.set_line(name, Some(false), system)?;
        if let Err(error) = self.wait_for_haproxy(name, system) {
            // HAProxy would go on to send it requests.
            self.set_line(name, Some(true), system)?;
            return Err(error);
        }
        self.switched.push(name);
        Ok(())
    }

    /// Whether it gets no requests because its user has said so, and stays without them.
    fn is_disabled_by_user(&self, name: &EntryName) -> Result<bool, Error> {
        let text = |disabled| {
            let wanted = self.wanted(name, disabled);
            Ok::<_, Error>(self.lines.edit(&self.text, &wanted)?.text)
        };
        Ok(!self.record.has(name) && text(None)? == text(Some(true))?)
    }

    /// Puts its server.conf in place, and restarts it.
    fn restart(&mut self, name: &'a EntryName, system: &mut System) -> Result<(), Error> {
        let conf = self.conf_of(name);
        let replacements = conf.map(FileEdit::replacements).unwrap_or_default();
        let restart = FollowUp {
            restart: Some((&self.rolling.restart, &[self.restarted(name)])),
            reload: None,
        };
        self.exchange(&replacements, &restart, system)
            .map_err(|error| not_restarted(name, error))
    }

    /// What its line is to say.
    fn wanted(&self, name: &EntryName, disabled: Option<bool>) -> Vec<Wanted> {
        let wanted = self.lines.wanted.iter().filter(|it| it.name == *name);
        let wanted = wanted.map(|wanted| Wanted {
            disabled,
            ..wanted.clone()
        });
        wanted.collect()
    }

    /// Disables a server's line, or enables it, or leaves that as it is, and has HAProxy read it.
    fn set_line(
        &mut self,
        name: &EntryName,
        disabled: Option<bool>,
        system: &mut System,
    ) -> Result<(), Error> {
        let wanted = self.wanted(name, disabled);
        let text = Zeroizing::new(self.lines.edit(&self.text, &wanted)?.text);
        let now = self.prepared.at;
        let record = self.record.with(name, disabled == Some(true), now);
        let mut replacements = vec![
            Replacement {
                from: Some(self.text.clone()),
                // The way back leads to where the whole switch began.
                ..self.haproxy.replaced_by(&text, !self.record.exists())
            },
            self.record.replaced_by(&record),
        ];
        if self.text == self.haproxy.before {
            replacements.extend(self.haproxy.installed());
        }
        let reload = FollowUp {
            restart: None,
            reload: Some(&self.rolling.reload),
        };
        self.exchange(&replacements, &reload, system)?;
        (self.text, self.record) = (text, record);
        Ok(())
    }

    /// What is left: files of servers that need no restart, and the record.
    fn end(&mut self, system: &mut System) -> Result<(), Error> {
        let is_left = |it: &&FileEdit| {
            let mut switched = self.switched.iter().map(|name| self.lines.entry(name));
            !switched.any(|entry| it.server.as_ref() == Some(entry))
        };
        let left: Vec<&FileEdit> = self.prepared.servers().filter(is_left).collect();
        let mut replacements: Vec<_> = left.iter().flat_map(|it| it.replacements()).collect();
        let is_read = self.text != self.haproxy.before;
        let installed = match is_read {
            true => Vec::new(),
            false => self.haproxy.installed(),
        };
        let reload = (!installed.is_empty()).then_some(&*self.rolling.reload);
        replacements.extend(installed);
        let ended = || {
            let ended = self.record.ended_for(&self.prepared.only);
            self.record.replaced_by(&ended)
        };
        replacements.extend(self.record.exists().then(ended));
        let edited = left.iter().filter(|it| it.is_edit());
        let edited: Vec<_> = edited.map(|it| Restarted::of(it)).collect();
        let follow_up = FollowUp {
            restart: Some((&self.rolling.restart, &edited)),
            reload,
        };
        self.exchange(&replacements, &follow_up, system)
    }

    fn exchange(
        &mut self,
        replacements: &[Replacement],
        follow_up: &FollowUp<'_>,
        system: &mut System,
    ) -> Result<(), Error> {
        let (backups, commands) = exchange(replacements, self.prepared, follow_up, system)?;
        self.backups.extend(backups);
        self.commands.extend(commands);
        Ok(())
    }

    /// The server of the line, as HAProxy's configuration has it.
    fn found(&self, name: &EntryName) -> Option<Server> {
        let backend = self.lines.scope.backend();
        let line = self.lines.found.iter().find(|line| line.name == *name)?;
        let proxies = read_configuration(&self.text, &|_| None).value.proxies;
        let mut proxies = proxies.into_iter();
        let proxy = proxies.find(|proxy| proxy.name == backend.to_string())?;
        let mut servers = proxy.servers.into_iter();
        servers.find(|server| server.line == line.number)
    }

    /// Where HAProxy is asked about a server, and the server as its configuration has it; None where a
    /// probe of the user's is asked instead.
    fn statistics(&self, name: &EntryName) -> Option<(&str, Server)> {
        let socket = self
            .socket
            .as_deref()
            .filter(|_| self.rolling.probe.is_none());
        Some((socket?, self.found(name)?))
    }

    /// That somebody else takes the requests that this server gets. Where there is nobody else at all,
    /// that was told.
    fn check_another(&self, name: &EntryName, system: &System) -> Result<(), Error> {
        let (Some((socket, server)), true) = (self.statistics(name), self.lines.has_others) else {
            return Ok(());
        };
        let backend = self.lines.scope.backend().to_string();
        // HAProxy may just have been reloaded, and still have to check them.
        let is_safe = system.wait_until(self.rolling.limit, || {
            let answer = system.ask(Path::new(socket), QUESTION).unwrap_or_default();
            let status = statistics::server(&answer, &backend, &server.name);
            let is_in_use = status.is_some_and(|it| it.is_up() || it.is_unchecked());
            !is_in_use || statistics::has_another(&answer, &backend, &server.name)
        })?;
        match is_safe {
            true => Ok(()),
            false => Err(Error::Config(Refusal::NoOther { name: name.clone() })),
        }
    }

    /// Waits until HAProxy sends it no more requests: some commands reload it behind one's back.
    fn wait_for_maintenance(&self, name: &EntryName, system: &System) -> Result<(), Error> {
        let Some((socket, server)) = self.statistics(name) else {
            return Ok(());
        };
        let backend = self.lines.scope.backend().to_string();
        let mut status = Err("HAProxy was not asked".to_owned());
        let is_out = system.wait_until(self.rolling.limit, || {
            status = ask(socket, &backend, &server.name, system);
            matches!(&status, Ok(status) if status.is_in_maintenance())
        })?;
        let because = match status {
            _ if is_out => return Ok(()),
            Ok(status) => format!("HAProxy says {}", status.status),
            Err(because) => because,
        };
        let name = name.clone();
        Err(Error::Config(Refusal::NotDisabled { name, because }))
    }

    /// Waits until the server takes connections again.
    fn wait_for_port(&self, name: &EntryName, system: &System) -> Result<(), Error> {
        let Some(server) = self.found(name) else {
            return Ok(());
        };
        let address = server.address;
        let listens = system.wait_until(self.rolling.limit, || system.connects(&address))?;
        match listens {
            true => Ok(()),
            false => Err(not_up(name, format!("it takes no connection at {address}"))),
        }
    }

    /// Waits until HAProxy calls the server up, and sees it answer.
    fn wait_for_haproxy(&self, name: &'a EntryName, system: &System) -> Result<(), Error> {
        if let Some(probe) = &self.rolling.probe {
            let variables = self.restarted(name).variables();
            let mut failure = None;
            let answers = system.wait_until(self.rolling.limit, || {
                failure = system.run(probe, &variables);
                failure.is_none()
            })?;
            let failure = failure.unwrap_or_default();
            return match answers {
                true => Ok(()),
                false => Err(not_up(name, format!("the probe fails: {failure}"))),
            };
        }
        let Some((socket, server)) = self.statistics(name) else {
            return Ok(());
        };
        let backend = self.lines.scope.backend().to_string();
        let mut status = Err("HAProxy does not know it".to_owned());
        let is_up = system.wait_until(self.rolling.limit, || {
            status = ask(socket, &backend, &server.name, system);
            matches!(&status, Ok(status) if status.is_up() || status.is_unchecked())
        })?;
        match status {
            Ok(_) if is_up => {}
            Ok(status) => {
                let check = status.check.unwrap_or_else(|| "no result yet".to_owned());
                let because = format!("HAProxy says {}, health check: {check}", status.status);
                return Err(not_up(name, because));
            }
            Err(because) => return Err(not_up(name, because)),
        }
        // With TLS 1.3 a server that refuses HAProxy's certificate is up all the same.
        let mut errors = 0;
        system.wait_until(ANSWER, || {
            let status = ask(socket, &backend, &server.name, system);
            let status = status.ok();
            errors = status.as_ref().map_or(0, |it| it.errors);
            errors > 0 || status.is_some_and(|it| it.responses > 0)
        })?;
        match errors {
            0 => Ok(()),
            _ => Err(not_up(
                name,
                "it is up, and requests to it fail: does it refuse HAProxy's certificate?"
                    .to_owned(),
            )),
        }
    }
}

fn ask(socket: &str, backend: &str, name: &str, system: &System) -> Result<ServerStatus, String> {
    let answer = system.ask(Path::new(socket), QUESTION);
    let answer = answer.map_err(|error| format!("{socket} does not answer: {error}"))?;
    statistics::server(&answer, backend, name)
        .ok_or_else(|| format!("{socket} says nothing of {name}"))
}

fn not_up(name: &EntryName, because: String) -> Error {
    Error::Config(Refusal::NotUp {
        name: name.clone(),
        because,
    })
}

fn not_restarted(name: &EntryName, error: Error) -> Error {
    match error {
        Error::Config(Refusal::FollowUp { failed, .. }) => {
            not_up(name, format!("{failed}; its old files are back"))
        }
        error => error,
    }
}
