//! What there is to do beside the files: how to switch a cluster that carries traffic, and who has to
//! read the files again.

use std::path::Path;

use super::apply::Making;
use super::{FileEdit, Prepared, Request};
use crate::commands::next_steps::NextStep;
use crate::domain::text::{ShellWord, joined};
use crate::system::System;

/// What a server line begins with, up to its address, for sed. What stands right behind that is in no
/// comment, whatever follows.
const HEAD: &str = r"\s*server\s\+\S\+\s\+\S\+";

/// What `--restart` is for servers of Zato, which keep their server.conf in config/repo.
const ZATO_OF_FILE: &str =
    r#"zato stop "${ZPKI_FILE%/config/repo/*}"; zato start "${ZPKI_FILE%/config/repo/*}""#;

/// The same for one of them.
fn zato(conf: &Path) -> String {
    let server = conf.ancestors().nth(3).unwrap_or(conf);
    let server = word(server);
    format!("zato stop {server}; zato start {server}")
}

/// How this run was called, for commands that are called like it.
#[derive(Debug, Default)]
pub(super) struct Invocation {
    /// `zpki -C DIR config apply`, or `zpki config apply --from DIR`.
    command: String,
    /// The files that it is about.
    files: String,
}

impl Invocation {
    pub(super) fn of(request: &Request, directory: &Path, system: &System) -> Self {
        let located = |path: &Path| word(&system.locate(path));
        let mut command = match &request.from {
            Some(folder) => format!("zpki config apply --from {}", located(folder)),
            None => format!("zpki -C {} config apply", word(directory)),
        };
        if let Some(backend) = &request.backend {
            command += &format!(" --backend {backend}");
        }
        for (flag, is_given) in [
            (" --disable", request.disable),
            (" --install", request.install),
        ] {
            command += if is_given { flag } else { "" };
        }
        let mut files = String::new();
        if let Some(path) = &request.haproxy {
            files += &format!(" --haproxy {}", located(path));
        }
        for conf in &request.server_confs {
            let name = conf.name.as_ref().map(|name| format!("{name}="));
            files += &format!(
                " --server-conf {}{}",
                name.unwrap_or_default(),
                located(&conf.path)
            );
        }
        Self { command, files }
    }
}

/// The only order in which no request fails while a cluster gets TLS or loses it.
pub(super) fn switch(prepared: &Prepared) -> Vec<NextStep> {
    let (Some(haproxy), Some(lines)) = (prepared.haproxy(), &prepared.lines) else {
        return Vec::new();
    };
    let Invocation { command, files } = &prepared.invocation;
    let reload = "systemctl reload haproxy".to_owned();
    let mut steps = Vec::new();
    for line in lines.switched() {
        let (name, number, config) = (&line.name, line.number, word(&haproxy.path));
        let conf = prepared
            .servers()
            .find(|it| it.server.as_ref() == Some(lines.entry(name)));
        let mut commands = vec![
            format!(r"sed -i '{number}s/^{HEAD}/& disabled/' {config}"),
            reload.clone(),
        ];
        if let Some(conf) = conf {
            let path = word(&conf.path);
            commands.push(format!(
                "{command} --only {name} --server-conf {name}={path}"
            ));
            commands.push(zato(&conf.path));
        }
        commands.push(format!("{command} --only {name} --haproxy {config}"));
        commands.push(format!(
            r"sed -i '{number}s/^\({HEAD}\) disabled/\1/' {config}"
        ));
        commands.push(reload.clone());
        let what = match conf {
            Some(_) => format!("or by hand, for {name}"),
            None => format!(
                "or by hand, for {name}: its own host edits its server.conf and restarts it between the two reloads"
            ),
        };
        steps.push(NextStep { what, commands });
    }
    if !steps.is_empty() {
        let all = NextStep {
            what: "while requests go on, switch one server after the other: in any other order some fail"
                .to_owned(),
            commands: vec![format!(
                "{command}{files} --rolling --reload {} --restart {}",
                ShellWord(&reload),
                ShellWord(ZATO_OF_FILE)
            )],
        };
        steps.insert(0, all);
    }
    steps
}

/// Who has to read the new files, where no command of this run has told them.
pub(super) fn after(prepared: &Prepared, making: &Making) -> Vec<NextStep> {
    let mut steps = Vec::new();
    let is_new = |it: &FileEdit| it.is_told_of() || it.is_only_written();
    let edited = prepared.servers().filter(|it| is_new(it));
    let edited: Vec<String> = edited
        .map(|it| match &it.server {
            Some(name) => name.to_string(),
            None => format!("the server of {}", it.path.display()),
        })
        .collect();
    if making.restart.is_none() && !edited.is_empty() {
        steps.push(NextStep {
            what: format!("restart {}", joined(&edited, ", ")),
            commands: Vec::new(),
        });
    }
    if making.reload.is_none() && prepared.haproxy().is_some_and(is_new) {
        steps.push(NextStep {
            what: "reload HAProxy".to_owned(),
            commands: Vec::new(),
        });
    }
    steps
}

fn word(path: &Path) -> String {
    ShellWord(&path.display().to_string()).to_string()
}
