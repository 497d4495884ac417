//! Failures, in one layout: what failed, where, why, and what to do next.
//!
//! ```text
//! zpki: error: cannot make the cluster
//!   at: zpki.toml:14: key_algorithm = "ecdsa-p265"
//!   because: unknown key algorithm `ecdsa-p265`
//!   hint: did you mean `ecdsa-p256`?
//! ```

use std::error::Error as _;
use std::fmt::Write as _;

use clap::builder::styling::{AnsiColor, Style};
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::super::args::server::ServerCommand;
use super::super::args::{BadServer, Command, SnippetOf};
use crate::commands::error::{Error, Reason};
use crate::domain::error::{Invalid, choice_hint};
use crate::domain::text::{Plain, Quoted};

/// What a command tries to do, in the user's words.
pub(in crate::cli) fn attempt(command: &Command) -> String {
    match command {
        Command::Apply(apply) if apply.config => {
            "apply zpki.toml and change the configuration".to_owned()
        }
        Command::Apply(_) => "apply zpki.toml".to_owned(),
        Command::Plan(_) => "plan".to_owned(),
        Command::Rekey(_) => "make new keys".to_owned(),
        Command::Renew(_) => "renew the certificates".to_owned(),
        Command::Backup(_) => "back up the PKI directory".to_owned(),
        Command::Revoke(revoke) => {
            let subject = revoke.subject.display().to_string();
            format!("revoke `{}`", Plain(&subject))
        }
        Command::Crl(_) => "sign a CRL".to_owned(),
        Command::Ca(ca) => super::super::ca::attempt(&ca.what),
        Command::Check(check) => super::super::check::attempt(check),
        Command::Config(config) => super::super::config::attempt(&config.what).to_owned(),
        Command::Completions { .. } => "print the completions".to_owned(),
        Command::Expiry(expiry) => super::super::expiry::attempt(expiry),
        Command::Export(export) => format!("export `{}`", Plain(&export.name)),
        Command::Import(import) => {
            format!("import `{}`", Plain(&import.source.display().to_string()))
        }
        Command::Init(init) => match &init.cluster {
            Some(cluster) => format!("make the PKI of `{cluster}`"),
            None => "make a PKI".to_owned(),
        },
        Command::Issue(issue) => super::super::issue::attempt(issue),
        Command::List => "list the entries".to_owned(),
        Command::Log(_) => "show the log".to_owned(),
        Command::Restore(restore) => {
            format!("restore `{}`", Plain(&restore.file.display().to_string()))
        }
        Command::Server(server) => match &server.what {
            ServerCommand::Add { server, .. } => format!("add the server `{}`", server.name),
            ServerCommand::Remove { name, .. } => format!("remove the server `{name}`"),
        },
        Command::Show(show) => format!("show `{}`", Plain(&show.subject.display().to_string())),
        Command::Snippet(snippet) => match &snippet.what {
            SnippetOf::Frontend { .. } => "print a front-end for client applications".to_owned(),
            SnippetOf::Haproxy { .. } => "print the lines for HAProxy".to_owned(),
            SnippetOf::LbAgent => "print the keys of lb-agent.conf".to_owned(),
            SnippetOf::Server { name } => format!("print the lines for `{}`", Plain(name)),
        },
    }
}

/// A failed command.
pub(in crate::cli) fn failure(what: &str, error: &Error, style: Style) -> String {
    layout(&format!("cannot {what}"), &error.reasons(), style)
}

/// How the word `error` is shown where colour is wanted.
pub(in crate::cli) const ERROR: Style = AnsiColor::Red.on_default().bold();

/// A command line that clap refuses.
pub(in crate::cli) fn usage(error: &clap::Error) -> String {
    layout(
        "cannot read the command line",
        &[usage_reason(error)],
        Style::new(),
    )
}

fn layout(what: &str, reasons: &[Reason], style: Style) -> String {
    let mut text = format!("zpki: {style}error{style:#}: {}\n", Plain(what));
    for reason in reasons.iter().take(SHOWN) {
        let mut line = |label: &str, content: &str| {
            writeln!(text, "  {label}: {}", Plain(content)).expect("a String takes everything");
        };
        if let Some(at) = &reason.at {
            line("at", at);
        }
        reason
            .because
            .iter()
            .for_each(|cause| line("because", cause));
        if let Some(hint) = &reason.hint {
            line("hint", hint);
        }
    }
    if reasons.len() > SHOWN {
        writeln!(text, "  ... and {} more", reasons.len() - SHOWN)
            .expect("a String takes everything");
    }
    text
}

/// As many reasons as a person mends in one go; a file that was made to do harm has millions.
const SHOWN: usize = 100;

fn usage_reason(error: &clap::Error) -> Reason {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    let argument = context(ContextKind::InvalidArg);
    let value = context(ContextKind::InvalidValue);
    let at = argument.map(|argument| {
        let flag = argument.split(' ').next().unwrap_or_default();
        match value.as_deref() {
            Some("") => format!("{flag} ''"),
            Some(value) => format!("{flag} {value}"),
            None => argument,
        }
    });
    let cause = error.source();
    if let Some(invalid) = cause.and_then(|cause| cause.downcast_ref::<Invalid>()) {
        return Reason {
            at,
            because: vec![invalid.to_string()],
            hint: Some(invalid.hint()),
        };
    }
    if let Some(bad) = cause.and_then(|cause| cause.downcast_ref::<BadServer>()) {
        return Reason {
            at,
            because: vec![bad.to_string()],
            hint: Some(bad.hint()),
        };
    }
    if let (Some(value), Some(ContextValue::Strings(words))) =
        (&value, error.get(ContextKind::ValidValue))
        && !words.is_empty()
    {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let because = match value.as_str() {
            "" => "it has no value".to_owned(),
            value => format!("unknown value {}", Quoted(value)),
        };
        return Reason {
            at,
            because: vec![because],
            hint: Some(choice_hint(value, &words)),
        };
    }
    let suggestion = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand];
    let suggestion = suggestion.into_iter().find_map(context);
    let hint = match (suggestion, error.kind()) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, ErrorKind::ArgumentConflict) => "leave out one of the two".to_owned(),
        (None, ErrorKind::InvalidUtf8) => {
            "only the names of files and directories may be other than UTF-8".to_owned()
        }
        (None, _) => "see `zpki --help`, or `zpki COMMAND --help`".to_owned(),
    };
    Reason {
        at: None,
        because: vec![because(error)],
        hint: Some(hint),
    }
}

/// The first line of clap's own message, without its label.
fn because(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "no command was given".to_owned();
    }
    let text = error.to_string();
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let message = paragraph.strip_prefix("error: ").unwrap_or(paragraph);
    let words: Vec<&str> = message.split_whitespace().collect();
    words.join(" ").replace('\'', "`")
}
