//! `zpki expiry`: what runs out, and when.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use time::OffsetDateTime;

use super::directory::PkiDirectory;
use super::error::{Error, Usage};
use super::init::RELEASED;
use crate::audit::expiry::{Placed, Rules, clock_is_suspect, superseded};
use crate::config::monitoring::{self, Integration};
use crate::domain::expiry::{PathRole, ReadReason, Reason, State};
use crate::domain::finding::{Finding, Severity};
use crate::domain::pattern::Exclusion;
use crate::domain::plain_path::PlainPath;
use crate::domain::textfile::TextfilePath;
use crate::domain::threshold::Thresholds;
use crate::domain::validity::{Span, show};
use crate::scan::decode::{Contents, NotInspectedKind, decode};
use crate::scan::read::{ReadError, Reading, read_each};
use crate::scan::walk::{Root, Source, walk};
use crate::store::textfile;
use crate::system::{STDIN, System};
use report::{ExpiryReport, Item, Summary};

mod configuration;
mod installation;
pub mod report;

/// What to look at, and what to say of it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Files, directories, globs, `-`. With no configuration either: the PKI directory.
    pub inputs: Vec<PathBuf>,
    /// HAProxy configurations, for the files that they name.
    pub haproxy: Vec<PathBuf>,
    /// server.conf files, for the files that they name.
    pub server_confs: Vec<PathBuf>,
    /// What to leave out of directories.
    pub exclusions: Vec<Exclusion>,
    /// The instant; None for now.
    pub at: Option<OffsetDateTime>,
    /// From when on something is told.
    pub thresholds: Thresholds,
    /// How far ahead of this clock an issuer's may be.
    pub grace: Span,
    /// Whether it is well that nothing is found.
    pub allow_empty: bool,
}

impl Request {
    fn is_about_the_installation(&self) -> bool {
        self.inputs.is_empty() && self.haproxy.is_empty() && self.server_confs.is_empty()
    }
}

/// Looks at everything that was asked for.
///
/// # Errors
/// When there is no clock; without inputs, when there is no PKI directory or its zpki.toml is wrong.
/// What cannot be read otherwise stands in the report.
pub fn run(
    request: &Request,
    directory: &PkiDirectory,
    system: &mut System,
) -> Result<ExpiryReport, Error> {
    let at = request.at.or(system.now).ok_or(Error::NoClock)?;
    let rules = Rules {
        at: at.unix_timestamp(),
        thresholds: request.thresholds,
        grace: request.grace.duration().whole_seconds(),
    };
    let mut inventory = Inventory::default();
    if request.is_about_the_installation() {
        let installation = directory.read(installation::read)?;
        inventory = installation.judge(&rules);
    } else {
        inventory.collect(request, system);
        inventory.judge(&rules);
    }
    Ok(inventory.report(request, at, &rules))
}

/// Puts metrics where node_exporter reads them.
///
/// # Errors
/// [`Error::Store`]; what was there stays then.
pub fn publish(metrics: &str, path: &TextfilePath, system: &System) -> Result<(), Error> {
    let path = system.locate(path.as_ref());
    Ok(textfile::write(&path, metrics.as_bytes())?)
}

/// What makes another program run `expiry`, or tell of what it finds, for the PKI directory.
///
/// # Errors
/// When a path cannot stand in that program's files.
pub fn print(
    integration: Integration,
    directory: &PkiDirectory,
    system: &System,
) -> Result<String, Error> {
    let plain = |path: &Path| {
        PlainPath::try_from(path).map_err(|invalid| Error::Usage(Usage::Path { invalid }))
    };
    let (program, directory) = (plain(&system.program)?, plain(directory.path())?);
    Ok(monitoring::print(integration, &program, &directory))
}

/// Everything that was found.
#[derive(Default)]
struct Inventory {
    items: Vec<Item>,
    errors: Vec<ReadError>,
    findings: Vec<Finding>,
    files: usize,
    skipped: usize,
    not_inspected: usize,
}

impl Inventory {
    /// Reads what the user names, and what the configurations name.
    fn collect(&mut self, request: &Request, system: &mut System) {
        let is_stdin = |path: &&PathBuf| path.as_path() == Path::new(STDIN);
        if request.inputs.iter().any(|path| is_stdin(&path)) {
            self.standard_input(system);
        }
        let inputs = request.inputs.iter().filter(|path| !is_stdin(path));
        // Without `.` in the middle, so that a file has one name in every output.
        let located = |path: &Path| system.locate(path).components().collect();
        let mut roots: Vec<Root> = inputs.map(|path| Root::new(located(path))).collect();
        for path in &request.haproxy {
            configuration::haproxy(path, system, &mut roots, &mut self.errors);
        }
        for path in &request.server_confs {
            configuration::server_conf(path, system, &mut roots, &mut self.errors);
        }
        let found = walk(&roots, &request.exclusions);
        self.errors.extend(found.errors);
        self.skipped += found.skipped;
        let readings = read_each(
            &found.sources,
            |_, bytes| decode(bytes),
            |contents| contents.errors.is_empty(),
        );
        for (source, reading) in found.sources.into_iter().zip(readings) {
            match reading {
                Reading::Done(contents) => self.add(source, contents),
                Reading::Failed(error) => self.errors.push(*error),
                Reading::Gone => {}
                Reading::Skipped => self.skipped += 1,
            }
        }
    }

    fn standard_input(&mut self, system: &mut System) {
        let source = Source::named(PathBuf::from(STDIN));
        match system.read(Path::new(STDIN)) {
            Ok(bytes) => self.add(source, decode(&bytes)),
            Err(error) => self.errors.push(ReadError::of_io(&source, &error)),
        }
    }

    /// Takes what a file holds.
    fn add(&mut self, source: Source, contents: Contents) {
        if source.is_named && contents.found.is_empty() && contents.errors.is_empty() {
            let kinds = contents.not_inspected.iter().map(|it| it.kind);
            self.errors.push(nothing_in(&source, kinds.min()));
        }
        self.add_some(source, contents);
    }

    /// Takes what is not met elsewhere of what a file holds.
    fn add_some(&mut self, source: Source, contents: Contents) {
        self.files += 1;
        self.not_inspected += contents.not_inspected.len();
        let errors = contents.errors.into_iter();
        self.errors
            .extend(errors.map(|damaged| ReadError::of_damaged(&source, damaged)));
        let source = Arc::new(source);
        self.items
            .extend(contents.found.into_iter().map(|found| Item {
                source: Arc::clone(&source),
                index: found.index,
                line: found.line,
                dated: found.dated,
                note: found.note,
                state: State::Ok,
                reason: None,
            }));
    }

    /// How each stands, by itself and beside the others.
    fn judge(&mut self, rules: &Rules) {
        let mut longest: HashMap<&[u8], i64> = HashMap::new();
        for dated in self.items.iter().map(|item| &item.dated) {
            if let (PathRole::Leaf, Some(not_after)) = (dated.role, dated.not_after) {
                let lifetime = not_after.saturating_sub(dated.not_before);
                let known = longest.entry(&dated.issuer).or_default();
                *known = lifetime.max(*known);
            }
        }
        let judged = self.items.iter().map(|item| {
            let dated = &item.dated;
            let runway = match dated.role {
                PathRole::Root | PathRole::Intermediate => {
                    rules.runway(dated, longest.get(&*dated.subject).copied())
                }
                PathRole::Crl | PathRole::Leaf => None,
            };
            rules.judge(dated, runway)
        });
        let judged: Vec<_> = judged.collect();
        for (item, (state, reason)) in self.items.iter_mut().zip(judged) {
            (item.state, item.reason) = (state, reason);
        }
        let placed = self.items.iter().map(|item| Placed {
            path: &item.source.path,
            dated: &item.dated,
            state: item.state,
            is_referenced: !item.source.referenced_by.is_empty(),
        });
        let superseded = superseded(placed);
        for (item, is_superseded) in self.items.iter_mut().zip(superseded) {
            if is_superseded {
                (item.state, item.reason) = (State::Superseded, Some(Reason::Superseded));
            }
        }
    }

    fn report(mut self, request: &Request, at: OffsetDateTime, rules: &Rules) -> ExpiryReport {
        self.errors
            .sort_by(|a, b| (&a.path, a.index, a.line).cmp(&(&b.path, b.index, b.line)));
        let summary = self.summary();
        if self.items.is_empty() && self.errors.is_empty() && !request.allow_empty {
            self.findings.push(Finding {
                severity: Severity::Unknown,
                id: "no_certificate_found",
                about: "everything that was given".to_owned(),
                why: format!("no certificate was found in {} files", summary.files),
                next: Some("give the files; if none is expected, --allow-empty".to_owned()),
            });
        }
        let clock = clock(&summary, at, request.at.is_none());
        let is_suspect = clock.is_some();
        self.findings.extend(clock);
        self.findings.extend(short_lived(&self.items, rules));
        self.findings
            .sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let states = self.items.iter().map(|item| item.state.severity());
        let errors = self.errors.iter().map(|error| error.reason.severity());
        let findings = self.findings.iter().map(|finding| finding.severity);
        let status = if is_suspect {
            Severity::Unknown
        } else {
            let all = states.chain(errors).chain(findings);
            all.max().unwrap_or(Severity::Ok)
        };
        ExpiryReport {
            at,
            status,
            thresholds: request.thresholds,
            summary,
            clock_is_suspect: is_suspect,
            items: self.items,
            errors: self.errors,
            findings: self.findings,
        }
    }

    fn summary(&self) -> Summary {
        let mut summary = Summary {
            files: self.files,
            skipped: self.skipped,
            not_inspected: self.not_inspected,
            unreadable: self.errors.len(),
            ..Summary::default()
        };
        for item in &self.items {
            let of_its_kind = match item.dated.role {
                PathRole::Crl => &mut summary.crls,
                _ => &mut summary.certificates,
            };
            *of_its_kind += 1;
            *summary.of(item.state) += 1;
        }
        summary
    }
}

/// A file that was named, and what it has in place of a certificate.
fn nothing_in(source: &Source, kind: Option<NotInspectedKind>) -> ReadError {
    let what = kind.map_or_else(
        || "there is no certificate and no CRL in it".to_owned(),
        |kind| format!("{kind}, and there is no certificate and no CRL in it"),
    );
    ReadError {
        path: source.path.to_path_buf(),
        index: None,
        line: None,
        reason: ReadReason::NoCertificateFound,
        message: what,
        referenced_by: source.referenced_by.clone(),
    }
}

/// That it is rather the clock: then it is told once, and not for each certificate.
fn clock(summary: &Summary, at: OffsetDateTime, is_now: bool) -> Option<Finding> {
    let Summary {
        certificates,
        expired,
        not_yet_valid,
        ..
    } = *summary;
    let why = if is_now && at < RELEASED {
        format!("it says {}, before this program was made", show(at))
    } else if clock_is_suspect(certificates, expired, not_yet_valid) {
        format!(
            "at {} {expired} of {certificates} certificates are expired and {not_yet_valid} not valid yet",
            show(at)
        )
    } else {
        return None;
    };
    Some(Finding {
        severity: Severity::Unknown,
        id: "clock_suspect",
        about: "clock?".to_owned(),
        why,
        next: Some("set the clock; if it is right, see --output json".to_owned()),
    })
}

/// How often it has to be run, if that is more than once a day.
fn short_lived(items: &[Item], rules: &Rules) -> Option<Finding> {
    let windows = items
        .iter()
        .filter_map(|item| Some((rules.critical_window(&item.dated)?, item)));
    let (window, item) = windows.min_by_key(|(window, _)| *window)?;
    let is_short = window.is_positive() && window < time::Duration::DAY;
    is_short.then(|| {
        let minutes = window.whole_minutes();
        Finding::note(
            "short_lived",
            item.source.path.display(),
            format!("between critical and expired there are {minutes} minutes: run it more often than that"),
        )
    })
}
