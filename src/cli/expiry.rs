//! `zpki expiry`: from arguments to a request, and its answer in the form that was asked for.

use std::path::{Path, PathBuf};

use clap::builder::styling::Style;

use super::args::{Expiry, IntegrationName, OutputFormat};
use super::render::error::failure;
use super::render::json::Template;
use super::render::text::Verbosity;
use super::render::{Rendered, expiry as render};
use crate::commands::directory::PkiDirectory;
use crate::commands::error::{Error, Usage};
use crate::commands::expiry::{self, Request};
use crate::config::monitoring::Integration;
use crate::domain::finding::Severity;
use crate::domain::threshold::Thresholds;
use crate::system::{STDIN, System};

/// Runs it, writes the metrics if that is asked for, and renders the report.
pub(super) fn run(
    arguments: Expiry,
    format: OutputFormat,
    verbosity: Verbosity,
    directory: &PkiDirectory,
    system: &mut System,
) -> Result<Rendered, Error> {
    if let Some(integration) = arguments.print {
        let text = expiry::print(integration.into(), directory, system)?;
        let report = Template::new(text, system.now);
        return Ok(super::render::report(format, &report, |it| {
            Rendered::product(&it.text)
        }));
    }
    let (textfile, all) = (arguments.textfile.clone(), arguments.all);
    if all && textfile.is_none() && format != OutputFormat::Prometheus {
        return Err(Error::Usage(Usage::AllWithoutMetrics));
    }
    let exit_zero = arguments.exit_zero;
    let report = expiry::run(&request(arguments)?, directory, system)?;
    let metrics = |report| render::prometheus::prometheus(report, all, seconds(system));
    let published = textfile.as_ref().map_or(Ok(()), |path| {
        expiry::publish(&metrics(&report), path, system)
    });
    let mut severity = report.status;
    let mut rendered = match format {
        OutputFormat::Json => Rendered::streamed(render::json::object(report)),
        OutputFormat::Jsonl => Rendered::streamed(render::json::lines(report)),
        OutputFormat::Nagios => Rendered::product(&render::nagios::nagios(&report)),
        OutputFormat::Prometheus if textfile.is_some() => Rendered::default(),
        OutputFormat::Prometheus => Rendered::product(&metrics(&report)),
        OutputFormat::Pem | OutputFormat::Text => {
            render::text::text(&report, verbosity, system.stderr_is_terminal)
        }
    };
    if let Err(error) = published {
        // What was found is worth no less for that.
        severity = severity.max(Severity::Unknown);
        rendered.stderr += &failure("write the metrics", &error, Style::new());
    }
    rendered.severity = if exit_zero { Severity::Ok } else { severity };
    Ok(rendered)
}

fn seconds(system: &System) -> Option<f64> {
    system.elapsed().map(|elapsed| elapsed.as_secs_f64())
}

impl From<IntegrationName> for Integration {
    fn from(name: IntegrationName) -> Self {
        match name {
            IntegrationName::Cron => Self::Cron,
            IntegrationName::Nagios => Self::Nagios,
            IntegrationName::PrometheusRules => Self::PrometheusRules,
            IntegrationName::Systemd => Self::Systemd,
        }
    }
}

/// What the arguments ask for.
fn request(arguments: Expiry) -> Result<Request, Error> {
    let Expiry { warn, crit, .. } = arguments;
    if crit.is_wider_than(warn) {
        return Err(Error::Usage(Usage::Thresholds { warn, crit }));
    }
    standard_input_once(&arguments)?;
    Ok(Request {
        inputs: arguments.inputs,
        haproxy: arguments.haproxy,
        server_confs: arguments.server_conf,
        exclusions: arguments.exclude,
        at: arguments.at.map(|at| at.0),
        thresholds: Thresholds { warn, crit },
        grace: arguments.grace,
        allow_empty: arguments.allow_empty,
    })
}

/// Whoever reads standard input second has nothing, and nothing names no file that has expired.
fn standard_input_once(arguments: &Expiry) -> Result<(), Error> {
    let is_stdin = |path: &PathBuf| path == Path::new(STDIN);
    let of_inputs = arguments.inputs.iter().any(is_stdin).then_some("INPUT");
    let of = |paths: &[PathBuf], flag| vec![flag; paths.iter().filter(|it| is_stdin(it)).count()];
    let sources: Vec<&str> = of_inputs
        .into_iter()
        .chain(of(&arguments.haproxy, "--haproxy"))
        .chain(of(&arguments.server_conf, "--server-conf"))
        .collect();
    if sources.len() < 2 {
        return Ok(());
    }
    Err(Error::Usage(Usage::Twice {
        what: "standard input",
        sources: sources.join(", "),
    }))
}

/// What a failure says was tried.
pub(super) fn attempt(arguments: &Expiry) -> String {
    match arguments.inputs.as_slice() {
        [] if arguments.haproxy.is_empty() && arguments.server_conf.is_empty() => {
            "see what runs out in the PKI directory".to_owned()
        }
        _ => "see what runs out".to_owned(),
    }
}
