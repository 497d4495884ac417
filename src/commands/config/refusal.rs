//! Why a configuration is not edited.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::commands::error::Reason;
use crate::config::problem::Problem;
use crate::config::server_conf;
use crate::domain::finding::Finding;
use crate::domain::name::EntryName;
use crate::domain::text::{Plain, Quoted, ShellWord, joined};

/// Why nothing was edited, or why what was edited is as it was.
#[derive(Debug)]
pub enum Refusal {
    /// What should follow the change failed; the old files are back.
    FollowUp {
        /// The command.
        failed: FailedCommand,
        /// The restarts and the reload that failed with the old files.
        back: Vec<FailedCommand>,
    },
    /// A host folder lacks a file.
    HostFileMissing {
        /// The file.
        path: PathBuf,
    },
    /// What the files would say after the change is wrong.
    Judged {
        /// Everything that would be.
        findings: Vec<Finding>,
    },
    /// There is no backup to go back to.
    NoBackup {
        /// The file.
        path: PathBuf,
    },
    /// A directory that is no host folder.
    NoHostFolder {
        /// The directory.
        path: PathBuf,
    },
    /// No other server is up that could take a server's requests.
    NoOther {
        /// The server.
        name: EntryName,
    },
    /// Nobody can be asked.
    NotConfirmed,
    /// A server is disabled on its line, and HAProxy does not know it.
    NotDisabled {
        /// The server.
        name: EntryName,
        /// What HAProxy says.
        because: String,
    },
    /// A host folder of another kind of host.
    NotForThis {
        /// The file that it does not go with.
        path: PathBuf,
    },
    /// The host folder of another server.
    NotThisServers {
        /// The file that it does not go with.
        path: PathBuf,
        /// Whose that is, as it was given.
        name: EntryName,
        /// Whose certificate the folder has.
        certified: EntryName,
    },
    /// A file of a host folder that zpki has not written like this.
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// What should follow failed, after files that stay.
    NotRead {
        /// The commands; there is one at least.
        failed: Vec<FailedCommand>,
    },
    /// There is no way to see that a server is up.
    NoStatistics {
        /// HAProxy's configuration.
        path: PathBuf,
    },
    /// No file was named.
    NoTargets,
    /// zpki.toml names no configuration, and the command takes none from elsewhere.
    NoneInClusterFile,
    /// A server does not come up; it is disabled again.
    NotUp {
        /// The server.
        name: EntryName,
        /// What was waited for.
        because: String,
    },
    /// A server.conf that cannot be edited.
    ServerConf {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong with it.
        problems: Vec<Problem<server_conf::reason::Reason>>,
    },
    /// The run was asked to end while it switched servers.
    Stopped {
        /// The server that it was at, which is disabled; None when it was between two.
        name: Option<EntryName>,
    },
    /// One server has two files, or one file is two servers'.
    Twice {
        /// The server, or the file.
        what: String,
    },
    /// The validator refuses the new text.
    Validation {
        /// The file.
        path: PathBuf,
        /// The command.
        command: String,
        /// How it ended.
        ended: String,
        /// The last of what it printed.
        output: String,
    },
    /// The validator does not end.
    ValidatorHangs {
        /// The command.
        command: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The validator could not be run.
    ValidatorNotRun {
        /// The command.
        command: String,
        /// Why.
        because: String,
    },
    /// Which server's it is, is not known.
    WhichServer {
        /// The file.
        path: PathBuf,
        /// The servers that there are.
        known: Vec<EntryName>,
    },
}

/// A command that failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FailedCommand {
    /// The command.
    pub command: String,
    /// The server that it was run for; None for HAProxy, and where the name is not known.
    pub server: Option<EntryName>,
    /// How it failed.
    pub failure: String,
}

impl Display for FailedCommand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed", Quoted(&self.command))?;
        if let Some(server) = &self.server {
            write!(f, " for `{server}`")?;
        }
        write!(f, ": {}", self.failure)
    }
}

/// So many names are told.
const NAMED: usize = 10;

impl Refusal {
    /// Each reason, with its place.
    pub(in crate::commands) fn reasons(&self) -> Vec<Reason> {
        match self {
            Self::Judged { findings } => findings
                .iter()
                .map(|finding| Reason {
                    at: Some(finding.about.clone()),
                    because: vec![finding.why.clone()],
                    hint: finding.next.clone(),
                })
                .collect(),
            Self::ServerConf { path, problems } => problems
                .iter()
                .map(|problem| Reason {
                    at: Some(format!(
                        "{}:{}: {}",
                        path.display(),
                        problem.line,
                        Plain(&problem.text)
                    )),
                    because: vec![problem.to_string()],
                    hint: problem.reason.hint(),
                })
                .collect(),
            other => vec![Reason {
                at: other.place().map(|path| path.display().to_string()),
                because: other.causes(),
                hint: Some(other.hint()),
            }],
        }
    }

    fn place(&self) -> Option<&Path> {
        match self {
            Self::HostFileMissing { path }
            | Self::NoBackup { path }
            | Self::NoHostFolder { path }
            | Self::NoStatistics { path }
            | Self::NotForThis { path }
            | Self::NotOurs { path }
            | Self::NotThisServers { path, .. }
            | Self::Validation { path, .. }
            | Self::WhichServer { path, .. } => Some(path),
            _ => None,
        }
    }

    fn causes(&self) -> Vec<String> {
        let mut causes = vec![self.to_string()];
        match self {
            Self::FollowUp { back, .. } => {
                causes.push("the old files are back".to_owned());
                causes.extend(back.iter().map(|failed| format!("with them too, {failed}")));
            }
            Self::NotRead { .. } => {
                causes.push("the new files are in place, and were not read".to_owned());
            }
            Self::Validation { output, .. } => {
                causes.extend(output.lines().map(str::to_owned));
                causes.push("no configuration was changed".to_owned());
            }
            _ => {}
        }
        causes
    }

    fn hint(&self) -> String {
        match self {
            Self::FollowUp { .. } => "mend what the command says, and run this again".to_owned(),
            Self::HostFileMissing { .. } => {
                "`zpki apply` makes it; to a host without the PKI directory, copy the whole folder"
                    .to_owned()
            }
            Self::Judged { .. } | Self::ServerConf { .. } => String::new(),
            Self::NoBackup { .. } => {
                "`zpki config apply` makes one beside each file that it changes".to_owned()
            }
            Self::NoHostFolder { .. } => {
                "name the load-balancer's folder, or that of a server: --from DIR/load-balancer, --from DIR/servers/NAME".to_owned()
            }
            Self::NoOther { .. } => {
                "bring another server up first, then run the same command again".to_owned()
            }
            Self::NotDisabled { .. } => {
                "see whether --reload does reload HAProxy; then run the same command again: it goes on where it stopped".to_owned()
            }
            Self::NotConfirmed => "give --yes to make the change unasked".to_owned(),
            Self::NotForThis { .. } => {
                "--haproxy goes with the load-balancer's folder, --server-conf with a server's"
                    .to_owned()
            }
            Self::NotOurs { .. } => "copy the folder again from the PKI directory".to_owned(),
            Self::NotThisServers { name, certified, .. } => format!(
                "give the folder of `{name}`, or say {certified}=FILE if the file is that server's"
            ),
            Self::NotRead { .. } => {
                "mend what the command says, and run it by hand: no later run does so unless it changes a file"
                    .to_owned()
            }
            Self::NoStatistics { .. } => {
                "add `stats socket /run/haproxy.sock` to its global section, or say what tells that a server answers: --probe COMMAND".to_owned()
            }
            Self::NoTargets => {
                "give --haproxy FILE and --server-conf NAME=FILE, or put config in [load_balancer] and conf in [[servers]] of zpki.toml".to_owned()
            }
            Self::NoneInClusterFile => {
                "put config in [load_balancer] and conf in [[servers]] of zpki.toml, or leave out --config and run `zpki config apply --haproxy FILE --server-conf NAME=FILE`".to_owned()
            }
            Self::Stopped { .. } => "run the same command again: it goes on where it stopped".to_owned(),
            Self::NotUp { name, .. } => format!(
                "see the log of `{name}` and HAProxy's; then run the same command again: it goes on where it stopped"
            ),
            Self::Twice { .. } => "give each server.conf once, as NAME=FILE".to_owned(),
            Self::Validation { .. } => {
                "mend what it says; with --no-validate the file is written all the same".to_owned()
            }
            Self::ValidatorHangs { .. } | Self::ValidatorNotRun { .. } => {
                "say what checks the copy at $ZPKI_FILE: --validate COMMAND; or leave it unchecked: --no-validate"
                    .to_owned()
            }
            Self::WhichServer { path, known } => {
                let path = path.display().to_string();
                let named: Vec<_> = known.iter().take(NAMED).collect();
                format!(
                    "say it: --server-conf NAME={}, with one of: {}",
                    ShellWord(&path),
                    joined(&named, ", ")
                )
            }
        }
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::FollowUp { failed, .. } => failed.fmt(f),
            Self::HostFileMissing { .. } => f.write_str("the host folder lacks this file"),
            Self::Judged { findings } => write!(f, "{} problems", findings.len()),
            Self::NoBackup { .. } => f.write_str("it has no backup"),
            Self::NoHostFolder { .. } => {
                f.write_str("this is no host folder: it has neither haproxy.cfg nor server.conf")
            }
            Self::NoOther { name } => write!(
                f,
                "no server but `{name}` is up: requests would fail while it is restarted"
            ),
            Self::NotDisabled { name, because } => write!(
                f,
                "`{name}` is disabled on its line, and HAProxy has not taken it out of service ({because}); the servers are as they were"
            ),
            Self::NotConfirmed => f.write_str("not confirmed, and nobody can be asked"),
            Self::NotForThis { .. } => {
                f.write_str("the host folder is not that of the host that has this file")
            }
            Self::NotOurs { .. } => f.write_str("it is not what zpki writes there"),
            Self::NotThisServers {
                name, certified, ..
            } => write!(
                f,
                "it is given as that of `{name}`, and the certificate of the host folder is that of `{certified}`"
            ),
            Self::NotRead { failed } => f.write_str(&joined(failed, "; ")),
            Self::NoStatistics { .. } => f.write_str(
                "it has no `stats socket` that tells when a server is up, and no --probe was given",
            ),
            Self::NoTargets => f.write_str("no configuration was named"),
            Self::NoneInClusterFile => f.write_str("zpki.toml names no configuration"),
            Self::NotUp { name, because } => write!(
                f,
                "`{name}` is not up ({because}); HAProxy sends it no requests, and the others are as they were"
            ),
            Self::ServerConf { problems, .. } => write!(f, "{} problems", problems.len()),
            Self::Stopped { name: Some(name) } => write!(
                f,
                "interrupted: HAProxy sends `{name}` no requests, and the others are as they were"
            ),
            Self::Stopped { name: None } => f.write_str(
                "interrupted between two servers: some are switched, the others are as they were",
            ),
            Self::Twice { what } => write!(f, "{} is given twice", Quoted(what)),
            Self::Validation { command, ended, .. } => {
                write!(f, "{} refuses the new text: {ended}", Quoted(command))
            }
            Self::ValidatorHangs { command, limit } => write!(
                f,
                "{} has not ended after {} seconds; no configuration was changed",
                Quoted(command),
                limit.as_secs()
            ),
            Self::ValidatorNotRun { command, because } => write!(
                f,
                "{} could not be run, so the new text was not checked, and no configuration was changed: {because}",
                Quoted(command)
            ),
            Self::WhichServer { .. } => f.write_str("which server's it is, is not known"),
        }
    }
}
