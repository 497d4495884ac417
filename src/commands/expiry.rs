//! `zpki expiry`: what runs out, and when.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

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
use crate::scan::decode::{Contents, Damaged, NotInspected, NotInspectedKind, decode};
use crate::scan::read::{ReadError, Reading, read_each};
use crate::scan::walk::{Root, Source, walk};
use crate::store::textfile;
use crate::system::{STDIN, System};
use crate::x509::dated::Dated;
use configuration::Named;
use report::{ExpiryReport, InspectedFile, Item, Located, Summary};

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
    inspected: Vec<InspectedFile>,
    errors: Vec<ReadError>,
    findings: Vec<Finding>,
    files: usize,
    skipped: usize,
    not_inspected: usize,
    /// Those of them that may hold certificates.
    stores: usize,
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
        let mut named = Named::default();
        named
            .roots
            .extend(inputs.map(|path| Root::new(located(path))));
        for path in &request.haproxy {
            configuration::haproxy(path, system, &mut named);
        }
        for path in &request.server_confs {
            configuration::server_conf(path, system, &mut named);
        }
        self.errors.extend(named.errors);
        let found = walk(&named.roots, &request.exclusions);
        self.errors.extend(found.errors);
        self.skipped += found.skipped;
        let readings = read_each(
            found.sources,
            |_, bytes| Holdings::of(decode(bytes)),
            Holdings::is_whole,
        );
        self.inspected.reserve(readings.size_hint().0);
        for (source, reading) in readings {
            match reading {
                Reading::Done(holdings) => self.add(source, holdings),
                Reading::Failed(error) => self.errors.push(*error),
                Reading::Gone => {}
                Reading::Skipped => self.skipped += 1,
            }
        }
    }

    fn standard_input(&mut self, system: &mut System) {
        let source = Source::named(PathBuf::from(STDIN));
        match system.read(Path::new(STDIN)) {
            Ok(bytes) => self.add(source, Holdings::of(decode(&bytes))),
            Err(error) => self.errors.push(ReadError::of_io(&source, &error)),
        }
    }

    /// Takes what a file holds.
    fn add(&mut self, source: Source, holdings: Holdings) {
        if source.is_named && holdings.items.is_empty() && holdings.is_whole() {
            let kinds = holdings.others.iter().flat_map(|it| &it.not_inspected);
            let kind = kinds.map(|it| it.kind).min();
            self.errors.push(nothing_in(&source, kind));
        }
        self.add_some(source, holdings);
    }

    /// Takes what is not met elsewhere of what a file holds.
    fn add_some(&mut self, source: Source, holdings: Holdings) {
        self.files += 1;
        if let Some(others) = holdings.others {
            self.not_inspected += others.not_inspected.len();
            let kinds = others.not_inspected.iter().map(|it| it.kind);
            self.stores += kinds.filter(|kind| kind.may_hold_certificates()).count();
            let errors = others.errors.into_iter();
            self.errors
                .extend(errors.map(|damaged| ReadError::of_damaged(&source, damaged)));
        }
        if !holdings.items.is_empty() {
            let items = holdings.items;
            self.inspected.push(InspectedFile { source, items });
        }
    }

    fn items(&self) -> impl Iterator<Item = Located<'_>> + Clone {
        self.inspected.iter().flat_map(InspectedFile::located)
    }

    fn items_mut(&mut self) -> impl Iterator<Item = &mut Item> {
        self.inspected.iter_mut().flat_map(|file| &mut file.items)
    }

    /// How each stands, by itself and beside the others.
    fn judge(&mut self, rules: &Rules) {
        let longest = self.longest_issued();
        let judged = self.items().map(|item| {
            let dated = &item.dated;
            let longest = longest.get(dated.identity.subject()).copied();
            let runway = is_ca(dated).then(|| rules.runway(dated, longest)).flatten();
            rules.judge(dated, runway)
        });
        let judged: Vec<_> = judged.collect();
        for (item, (state, reason)) in self.items_mut().zip(judged) {
            (item.state, item.reason) = (state, reason);
        }
        let placed = self.inspected.iter().flat_map(|file| {
            file.items.iter().map(|item| Placed {
                path: &file.source.path,
                dated: &item.dated,
                state: item.state,
                is_referenced: !file.source.referenced_by.is_empty(),
            })
        });
        let superseded = superseded(placed);
        for (item, is_superseded) in self.items_mut().zip(superseded) {
            if is_superseded {
                (item.state, item.reason) = (State::Superseded, Some(Reason::Superseded));
            }
        }
    }

    /// The longest lifetime of what each CA that was found has issued, by the CA's name.
    fn longest_issued(&self) -> HashMap<&[u8], i64> {
        let all = self.items().map(|item| &item.item().dated);
        let authorities = all.clone().filter(|dated| is_ca(dated));
        let mut longest: HashMap<&[u8], i64> = authorities
            .map(|dated| (dated.identity.subject(), 0))
            .collect();
        if !longest.is_empty() {
            let leaves = all.filter(|dated| dated.role == PathRole::Leaf);
            for dated in leaves {
                let known = longest.get_mut(dated.identity.issuer());
                if let Some((known, not_after)) = known.zip(dated.not_after) {
                    *known = not_after.saturating_sub(dated.not_before).max(*known);
                }
            }
        }
        longest.retain(|_, lifetime| *lifetime > 0);
        longest
    }

    fn report(mut self, request: &Request, at: OffsetDateTime, rules: &Rules) -> ExpiryReport {
        self.errors
            .sort_by(|a, b| (&a.path, a.index, a.line).cmp(&(&b.path, b.index, b.line)));
        let summary = self.summary();
        let is_unknown = |error: &ReadError| error.reason.severity() == Severity::Unknown;
        let is_told = self.errors.iter().any(is_unknown);
        if self.inspected.is_empty() && !is_told && !request.allow_empty {
            self.findings.push(Finding {
                severity: Severity::Unknown,
                id: "no_certificate_found",
                about: "everything that was given".to_owned(),
                why: format!("no certificate was found in {} files", summary.files),
                next: Some("give the files; if none is expected, --allow-empty".to_owned()),
            });
        }
        let clock = self.clock(at, request.at.is_none());
        let is_suspect = clock.is_some();
        self.findings.extend(clock);
        self.findings.extend(short_lived(self.items(), rules));
        self.findings.extend(unopened(self.stores));
        self.findings
            .sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let status = if is_suspect {
            Severity::Unknown
        } else {
            self.worst()
        };
        ExpiryReport {
            at,
            status,
            thresholds: request.thresholds,
            summary,
            clock_is_suspect: is_suspect,
            files: self.inspected,
            errors: self.errors,
            findings: self.findings,
        }
    }

    /// That it is rather the clock: then it is told once, and not for each certificate. CRLs that
    /// nobody renews say nothing about a clock.
    fn clock(&self, at: OffsetDateTime, is_now: bool) -> Option<Finding> {
        let states = self.items().filter(|item| item.dated.role != PathRole::Crl);
        let states: Vec<State> = states.map(|item| item.state).collect();
        let count = |wanted| states.iter().filter(|state| **state == wanted).count();
        let certificates = states.len();
        let (expired, not_yet_valid) = (count(State::Expired), count(State::NotYetValid));
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

    fn worst(&self) -> Severity {
        let items = self.items().map(|item| item.state.severity());
        let errors = self.errors.iter().map(|error| error.reason.severity());
        let findings = self.findings.iter().map(|finding| finding.severity);
        let all = items.chain(errors).chain(findings);
        all.max().unwrap_or(Severity::Ok)
    }

    fn summary(&self) -> Summary {
        let mut summary = Summary {
            files: self.files,
            skipped: self.skipped,
            not_inspected: self.not_inspected,
            unreadable: self.errors.len(),
            ..Summary::default()
        };
        for item in self.items() {
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

fn is_ca(dated: &Dated) -> bool {
    matches!(dated.role, PathRole::Intermediate | PathRole::Root)
}

/// What a file holds, in the form in which it is kept.
struct Holdings {
    items: Box<[Item]>,
    /// What is no certificate and no CRL; most files have nothing of the kind.
    others: Option<Box<Others>>,
}

struct Others {
    errors: Vec<Damaged>,
    not_inspected: Vec<NotInspected>,
}

impl Holdings {
    fn of(contents: Contents) -> Self {
        let Contents {
            found,
            errors,
            not_inspected,
        } = contents;
        let has_others = !errors.is_empty() || !not_inspected.is_empty();
        Self {
            items: found.into_iter().map(Item::of).collect(),
            others: has_others.then(|| {
                Box::new(Others {
                    errors,
                    not_inspected,
                })
            }),
        }
    }

    /// Whether nothing in it is damaged.
    fn is_whole(&self) -> bool {
        self.others.as_ref().is_none_or(|it| it.errors.is_empty())
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

/// How often it has to be run, if that is more than once a day.
fn short_lived<'a>(items: impl Iterator<Item = Located<'a>>, rules: &Rules) -> Option<Finding> {
    let windows = items.filter_map(|item| Some((rules.critical_window(&item.dated)?, item)));
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

/// That there may be certificates which nobody looked at.
fn unopened(stores: usize) -> Option<Finding> {
    (stores > 0).then(|| {
        let why = format!(
            "{stores} key stores or PKCS#7 files were not opened: what runs out in them is not known"
        );
        Finding::note("not_inspected", "everything that was given", why)
    })
}
