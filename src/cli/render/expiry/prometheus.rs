//! `zpki expiry --output prometheus`: the text format, under the names that dashboards and rules for
//! x509-certificate-exporter have.
//!
//! For node_exporter's textfile collector, which drops a whole file for one label that is no UTF-8 and
//! loses one of two equal series. So labels are escaped, certificates that only their fingerprints tell
//! apart get a `discriminator`, and what has no date has no series: any number in its place would be
//! some rule's "expired since 1970".

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::path::Path;

use crate::cli::render::text::push;
use crate::commands::expiry::report::{ExpiryReport, Located};
use crate::domain::expiry::{PathRole, State};
use crate::domain::finding::Severity;
use crate::domain::text::{Hex, PathText, is_unsafe};
use crate::x509::dated::Dated;

/// Above so many certificates and CRLs, only those that are not well have series of their own: 10,000
/// cost node_exporter more than a second at each scrape.
const MANY: usize = 1_000;

/// The report. `all`: every certificate has its series, however many there are. `seconds`: how long it
/// took to find out.
///
/// What is superseded is counted and has no series: it has expired, and is no problem.
pub(in crate::cli) fn prometheus(report: &ExpiryReport, all: bool, seconds: Option<f64>) -> String {
    let all = all || report.items().count() <= MANY;
    let shown = report
        .items()
        .filter(|item| item.state != State::Superseded && (all || item.state != State::Ok));
    let (crls, certificates): (Vec<_>, Vec<_>) =
        shown.partition(|item| item.dated.role == PathRole::Crl);
    let mut text = Exposition(String::new());
    text.certificates(&labelled(&certificates), report.at.unix_timestamp());
    text.errors(report);
    text.crls(&labelled(&crls), report.at.unix_timestamp());
    text.scan(report, seconds);
    text.0
}

type Labelled<'a> = [(String, Located<'a>)];

/// The text so far.
struct Exposition(String);

impl Exposition {
    /// One family of gauges; nothing when there are none.
    fn family<L: Display, V: Display>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, V)>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_some() {
            push(
                &mut self.0,
                format_args!("# HELP {name} {help}\n# TYPE {name} gauge\n"),
            );
        }
        for (labels, value) in samples {
            push(&mut self.0, format_args!("{name}{labels} {value}\n"));
        }
    }

    fn certificates(&mut self, labelled: &Labelled<'_>, at: i64) {
        let dated = || labelled.iter().map(|(labels, item)| (labels, &item.dated));
        let ends = || dated().filter_map(|(labels, dated)| Some((labels, dated, dated.not_after?)));
        self.family(
            "x509_cert_not_before",
            "notBefore of the certificate, in seconds since 1970.",
            dated().map(|(labels, dated)| (labels, dated.not_before)),
        );
        self.family(
            "x509_cert_not_after",
            "notAfter of the certificate, in seconds since 1970.",
            ends().map(|(labels, _, not_after)| (labels, not_after)),
        );
        self.family(
            "x509_cert_expired",
            "1 if the certificate had expired when it was looked at.",
            ends().map(|(labels, _, not_after)| (labels, u8::from(not_after <= at))),
        );
        self.family(
            "zpki_cert_renew_after_timestamp_seconds",
            "When two thirds of the lifetime of an end entity's certificate are over.",
            ends()
                .filter(|(_, dated, _)| dated.role == PathRole::Leaf)
                .filter_map(|(labels, dated, _)| Some((labels, renew_after(dated)?))),
        );
    }

    fn errors(&mut self, report: &ExpiryReport) {
        // Two blocks of one file may be damaged in one way.
        let mut seen = HashSet::new();
        let with = |mut labels: Labels, reason| {
            labels.add("reason", reason);
            labels.finish()
        };
        let errors = report.errors.iter();
        let errors = errors.map(|error| with(Labels::of_file(&error.path), error.reason.code()));
        // Without a certificate there is no series that an alert could come from.
        let findings = report.findings.iter();
        let unknown = findings.filter(|finding| finding.severity == Severity::Unknown);
        let unknown = unknown.map(|finding| with(Labels(String::new()), finding.id));
        let labels = errors.chain(unknown);
        self.family(
            "x509_cert_error",
            "1 for each file that could not be read, or not whole, and for a run that cannot say.",
            labels
                .filter(|labels| seen.insert(labels.clone()))
                .map(|labels| (labels, 1)),
        );
        self.family(
            "x509_read_errors",
            "What could not be read: files, directories, and blocks of files.",
            [("", report.errors.len())],
        );
    }

    fn crls(&mut self, labelled: &Labelled<'_>, at: i64) {
        let dated = || labelled.iter().map(|(labels, item)| (labels, &item.dated));
        self.family(
            "x509_crl_this_update",
            "thisUpdate of the CRL, in seconds since 1970.",
            dated().map(|(labels, dated)| (labels, dated.not_before)),
        );
        self.family(
            "x509_crl_next_update",
            "nextUpdate of the CRL, in seconds since 1970.",
            dated().filter_map(|(labels, dated)| Some((labels, dated.not_after?))),
        );
        self.family(
            "x509_crl_number",
            "cRLNumber of the CRL.",
            dated()
                .map(|(labels, dated)| (labels, dated.serial_decimal()))
                .filter(|(_, number)| !number.is_empty()),
        );
        self.family(
            "x509_crl_stale",
            "1 if nextUpdate of the CRL was past when it was looked at.",
            dated().map(|(labels, dated)| {
                let is_stale = dated.not_after.is_some_and(|it| it <= at);
                (labels, u8::from(is_stale))
            }),
        );
    }

    fn scan(&mut self, report: &ExpiryReport, seconds: Option<f64>) {
        let summary = &report.summary;
        let states = [
            ("ok", summary.ok),
            ("superseded", summary.superseded),
            ("warning", summary.warning),
            ("critical", summary.critical),
            ("expired", summary.expired),
            ("not_yet_valid", summary.not_yet_valid),
            ("unreadable", summary.unreadable),
        ];
        self.family(
            "zpki_certificates",
            "How many certificates and CRLs there are in each state.",
            states.map(|(state, count)| (format!("{{state=\"{state}\"}}"), count)),
        );
        self.family(
            "zpki_scan_duration_seconds",
            "How long the last run took.",
            seconds.map(|seconds| ("", seconds)),
        );
        self.family(
            "zpki_scan_timestamp_seconds",
            "When the last run looked, in seconds since 1970.",
            [("", report.at.unix_timestamp())],
        );
    }
}

/// A third of its lifetime before notAfter.
fn renew_after(dated: &Dated) -> Option<i64> {
    let not_after = dated.not_after?;
    let lifetime = not_after.saturating_sub(dated.not_before);
    (lifetime > 0).then(|| not_after - lifetime / 3)
}

/// The items with their labels, no two alike.
fn labelled<'a>(items: &[Located<'a>]) -> Vec<(String, Located<'a>)> {
    let plain: Vec<String> = items.iter().map(|item| labels(*item).finish()).collect();
    let mut times: HashMap<&str, usize> = HashMap::new();
    for labels in &plain {
        *times.entry(labels).or_default() += 1;
    }
    let mut seen = HashSet::new();
    let mut labelled = Vec::with_capacity(items.len());
    for (item, plain) in items.iter().zip(&plain) {
        let labels = if times[plain.as_str()] == 1 {
            plain.clone()
        } else {
            let mut labels = labels(*item);
            let discriminator = Hex(&item.dated.fingerprint.0[..4]).to_string();
            labels.add("discriminator", &discriminator);
            labels.finish()
        };
        if seen.insert(labels.clone()) {
            labelled.push((labels, *item));
        }
    }
    labelled
}

/// The attributes of a name that have labels.
const ATTRIBUTES: [&str; 6] = ["C", "ST", "L", "O", "OU", "CN"];

fn labels(item: Located<'_>) -> Labels {
    let dated = &item.dated;
    let mut labels = Labels::of_file(&item.source.path);
    let number = match dated.role {
        PathRole::Crl => "crl_number",
        _ => "serial_number",
    };
    labels.add(number, &dated.serial_decimal());
    for keyword in ATTRIBUTES {
        let value = dated.issuer_attribute(keyword).unwrap_or_default();
        labels.add(&format!("issuer_{keyword}"), &value);
    }
    for keyword in ATTRIBUTES {
        let value = dated.subject_attribute(keyword).unwrap_or_default();
        labels.add(&format!("subject_{keyword}"), &value);
    }
    labels
}

/// Labels as they stand behind a metric's name.
struct Labels(String);

impl Labels {
    fn of_file(path: &Path) -> Self {
        let mut labels = Self(String::new());
        let name = path.file_name().map_or(path, Path::new);
        labels.add("filename", &PathText(name).to_string());
        labels.add("filepath", &PathText(path).to_string());
        labels
    }

    /// An empty label is none.
    fn add(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        let separator = if self.0.is_empty() { "{" } else { "," };
        push(&mut self.0, format_args!("{separator}{name}=\""));
        for character in value.chars() {
            match character {
                '\\' => self.0.push_str(r"\\"),
                '"' => self.0.push_str("\\\""),
                '\n' => self.0.push_str(r"\n"),
                // It may go to a terminal, and the format has no other escapes.
                other if is_unsafe(other) => {
                    push(&mut self.0, format_args!(r"\{}", other.escape_unicode()));
                }
                other => self.0.push(other),
            }
        }
        self.0.push('"');
    }

    fn finish(mut self) -> String {
        if !self.0.is_empty() {
            self.0.push('}');
        }
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::process::{Child, Command, Stdio};
    use std::thread;
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::super::testing::{
        Alone, DAY, HOUR, certificate, crl, demo_ca, name, program, report, unreadable,
    };
    use super::*;
    use crate::domain::digest::Digest;
    use crate::domain::expiry::{ReadReason, Reason};
    use crate::x509::dated::Identity;

    #[test]
    fn every_family_comes_once_and_in_order() {
        let items = vec![
            certificate(b"/etc/haproxy/a.pem", "a", 60 * DAY),
            certificate(b"/etc/haproxy/b.pem", "b", -HOUR),
            crl(b"/etc/haproxy/crl.pem", 20 * DAY),
        ];
        let errors = vec![
            unreadable(b"/d/x.pem", 2, ReadReason::BadPem, "bad base64"),
            unreadable(b"/d/x.pem", 4, ReadReason::BadPem, "bad base64"),
        ];
        let text = prometheus(&report(items, errors), false, Some(0.25));
        check(&text);
        assert_eq!(text, EVERYTHING);
    }

    const EVERYTHING: &str = r#"# HELP x509_cert_not_before notBefore of the certificate, in seconds since 1970.
# TYPE x509_cert_not_before gauge
x509_cert_not_before{filename="a.pem",filepath="/etc/haproxy/a.pem",serial_number="4711",issuer_O="demo",issuer_CN="demo CA",subject_CN="a"} 1792843200
x509_cert_not_before{filename="b.pem",filepath="/etc/haproxy/b.pem",serial_number="4711",issuer_O="demo",issuer_CN="demo CA",subject_CN="b"} 1787655600
# HELP x509_cert_not_after notAfter of the certificate, in seconds since 1970.
# TYPE x509_cert_not_after gauge
x509_cert_not_after{filename="a.pem",filepath="/etc/haproxy/a.pem",serial_number="4711",issuer_O="demo",issuer_CN="demo CA",subject_CN="a"} 1800619200
x509_cert_not_after{filename="b.pem",filepath="/etc/haproxy/b.pem",serial_number="4711",issuer_O="demo",issuer_CN="demo CA",subject_CN="b"} 1795431600
# HELP x509_cert_expired 1 if the certificate had expired when it was looked at.
# TYPE x509_cert_expired gauge
x509_cert_expired{filename="a.pem",filepath="/etc/haproxy/a.pem",serial_number="4711",issuer_O="demo",issuer_CN="demo CA",subject_CN="a"} 0
x509_cert_expired{filename="b.pem",filepath="/etc/haproxy/b.pem",serial_number="4711",issuer_O="demo",issuer_CN="demo CA",subject_CN="b"} 1
# HELP zpki_cert_renew_after_timestamp_seconds When two thirds of the lifetime of an end entity's certificate are over.
# TYPE zpki_cert_renew_after_timestamp_seconds gauge
zpki_cert_renew_after_timestamp_seconds{filename="a.pem",filepath="/etc/haproxy/a.pem",serial_number="4711",issuer_O="demo",issuer_CN="demo CA",subject_CN="a"} 1798027200
zpki_cert_renew_after_timestamp_seconds{filename="b.pem",filepath="/etc/haproxy/b.pem",serial_number="4711",issuer_O="demo",issuer_CN="demo CA",subject_CN="b"} 1792839600
# HELP x509_cert_error 1 for each file that could not be read, or not whole, and for a run that cannot say.
# TYPE x509_cert_error gauge
x509_cert_error{filename="x.pem",filepath="/d/x.pem",reason="bad_pem"} 1
# HELP x509_read_errors What could not be read: files, directories, and blocks of files.
# TYPE x509_read_errors gauge
x509_read_errors 2
# HELP x509_crl_this_update thisUpdate of the CRL, in seconds since 1970.
# TYPE x509_crl_this_update gauge
x509_crl_this_update{filename="crl.pem",filepath="/etc/haproxy/crl.pem",crl_number="7",issuer_O="demo",issuer_CN="demo CA"} 1794571200
# HELP x509_crl_next_update nextUpdate of the CRL, in seconds since 1970.
# TYPE x509_crl_next_update gauge
x509_crl_next_update{filename="crl.pem",filepath="/etc/haproxy/crl.pem",crl_number="7",issuer_O="demo",issuer_CN="demo CA"} 1797163200
# HELP x509_crl_number cRLNumber of the CRL.
# TYPE x509_crl_number gauge
x509_crl_number{filename="crl.pem",filepath="/etc/haproxy/crl.pem",crl_number="7",issuer_O="demo",issuer_CN="demo CA"} 7
# HELP x509_crl_stale 1 if nextUpdate of the CRL was past when it was looked at.
# TYPE x509_crl_stale gauge
x509_crl_stale{filename="crl.pem",filepath="/etc/haproxy/crl.pem",crl_number="7",issuer_O="demo",issuer_CN="demo CA"} 0
# HELP zpki_certificates How many certificates and CRLs there are in each state.
# TYPE zpki_certificates gauge
zpki_certificates{state="ok"} 1
zpki_certificates{state="superseded"} 0
zpki_certificates{state="warning"} 1
zpki_certificates{state="critical"} 0
zpki_certificates{state="expired"} 1
zpki_certificates{state="not_yet_valid"} 0
zpki_certificates{state="unreadable"} 2
# HELP zpki_scan_duration_seconds How long the last run took.
# TYPE zpki_scan_duration_seconds gauge
zpki_scan_duration_seconds 0.25
# HELP zpki_scan_timestamp_seconds When the last run looked, in seconds since 1970.
# TYPE zpki_scan_timestamp_seconds gauge
zpki_scan_timestamp_seconds 1795435200
"#;

    #[test]
    fn without_a_date_there_is_no_series() {
        let mut endless = crl(b"/d/crl.pem", 20 * DAY);
        endless.dated.not_after = None;
        endless.dated.identity = Identity::new(&[], &demo_ca(), &[], &[]);
        let text = prometheus(&report(vec![endless], Vec::new()), false, None);
        check(&text);
        assert!(!text.contains("x509_cert_not"), "{text}");
        assert!(!text.contains("x509_crl_next_update"), "{text}");
        assert!(!text.contains("x509_crl_number"), "{text}");
        assert!(!text.contains("zpki_scan_duration_seconds"), "{text}");
        assert!(text.contains("x509_crl_stale{filename=\"crl.pem\",filepath=\"/d/crl.pem\",issuer_O=\"demo\",issuer_CN=\"demo CA\"} 0\n"), "{text}");
    }

    #[test]
    fn only_an_end_entity_is_renewed() {
        let mut root = certificate(b"/d/ca.pem", "ca", 60 * DAY);
        root.dated.role = PathRole::Root;
        let mut inverted = certificate(b"/d/a.pem", "a", 60 * DAY);
        inverted.dated.not_before = inverted.dated.not_after.unwrap() + 1;
        let text = prometheus(&report(vec![root, inverted], Vec::new()), false, None);
        check(&text);
        assert_eq!(series(&text, "x509_cert_not_after").len(), 2);
        assert!(!text.contains("zpki_cert_renew_after"), "{text}");
    }

    #[test]
    fn what_only_a_fingerprint_tells_apart_gets_a_discriminator() {
        let mut twin = certificate(b"/d/a.pem", "a", 50 * DAY);
        twin.dated.fingerprint = Digest([0xcd; 32]);
        let items = vec![
            certificate(b"/d/a.pem", "a", 60 * DAY),
            twin,
            // Another path, whose text is the same.
            certificate(b"/d/\xff.pem", "a", 60 * DAY),
            certificate(br"/d/\xff.pem", "a", 60 * DAY),
            certificate(b"/d/b.pem", "a", 60 * DAY),
        ];
        let text = prometheus(&report(items, Vec::new()), false, None);
        check(&text);
        for family in ["x509_cert_not_before", "x509_cert_not_after"] {
            let labels = series(&text, family);
            let discriminators: Vec<_> = labels
                .iter()
                .map(|labels| labels.split_once("discriminator=").map(|(_, rest)| rest))
                .collect();
            let both = [Some("\"abababab\"}"), Some("\"cdcdcdcd\"}")];
            assert_eq!(discriminators[..2], both);
            assert_eq!(discriminators[2..], [both[0], None], "{text}");
        }
    }

    #[test]
    fn both_dates_have_the_same_labels() {
        let text = prometheus(&odd(), false, None);
        let of = |family| series(&text, family);
        assert_eq!(of("x509_cert_not_before"), of("x509_cert_not_after"));
        assert_eq!(of("x509_cert_expired"), of("x509_cert_not_after"));
    }

    #[test]
    fn of_many_only_those_that_are_not_well_have_series() {
        let mut items: Vec<_> = (0..MANY - 1)
            .map(|number| certificate(format!("/d/{number}").as_bytes(), "a", 60 * DAY))
            .collect();
        items.push(certificate(b"/d/due", "a", 10 * DAY));
        let count = |items: &Vec<Alone>, all| {
            let text = prometheus(&report(items.clone(), Vec::new()), all, None);
            series(&text, "x509_cert_not_after").len()
        };
        assert_eq!(count(&items, false), MANY);
        items.push(crl(b"/d/crl", -DAY));
        assert_eq!(count(&items, false), 1);
        assert_eq!(count(&items, true), MANY);
        let text = prometheus(&report(items, Vec::new()), false, None);
        assert!(text.contains("zpki_certificates{state=\"ok\"} 999\n"));
        assert_eq!(series(&text, "x509_crl_next_update").len(), 1);
    }

    #[test]
    fn what_is_superseded_raises_no_alarm() {
        let mut old = certificate(b"/d/old.pem", "a", -DAY);
        old.state = State::Superseded;
        old.reason = Some(Reason::Superseded);
        let text = prometheus(&report(vec![old], Vec::new()), true, None);
        assert!(series(&text, "x509_cert_not_after").is_empty());
        assert!(text.contains("zpki_certificates{state=\"superseded\"} 1\n"));
    }

    /// Names and paths with everything that could break a line.
    fn odd() -> ExpiryReport {
        let paths: [&[u8]; 6] = [
            b"/d/quote\".pem",
            br"/d/back\slash\n.pem",
            b"/d/new\nline.pem",
            b"/d/\xff\xfe latin.pem",
            b"/d/\r\t\x01\x7f control.pem",
            "/d/grün {}=,#\u{2028}.pem".as_bytes(),
        ];
        let items = paths.map(|path| {
            let mut item = certificate(path, "", 60 * DAY);
            let subject = name(&[("O", ""), ("CN", "a\"b\\c}"), ("CN", "second")]);
            item.dated.identity = Identity::new(&[0x12, 0x67], &demo_ca(), &subject, &[]);
            item
        });
        let errors = vec![unreadable(b"/d/\xff\"\n\\", 1, ReadReason::BadDer, "bad")];
        report(items.into(), errors)
    }

    #[test]
    fn node_exporter_serves_every_series_of_the_oddest_names() {
        let text = prometheus(&odd(), false, Some(1.5));
        check(&text);
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("zpki.prom"), &text).unwrap();
        let exporter = NodeExporter::start(directory.path());
        let served = exporter.metrics();
        assert!(
            served.contains("node_textfile_scrape_error 0\n"),
            "{served}"
        );
        let samples = |text: &str| -> Vec<String> {
            let of_ours = |line: &&str| line.starts_with("x509_") || line.starts_with("zpki_");
            let mut lines: Vec<_> = text.lines().filter(of_ours).map(canonical).collect();
            lines.sort();
            lines
        };
        assert_eq!(samples(&served), samples(&text));
        assert_eq!(series(&served, "x509_cert_not_after").len(), 6);
    }

    proptest! {
        #[test]
        fn whatever_the_names_a_label_ends_where_it_should(path: Vec<u8>, subject: String, remaining: i64) {
            let report = report(vec![certificate(&path, &subject, remaining / 2)], Vec::new());
            let text = prometheus(&report, false, None);
            let samples = text.split_terminator('\n').filter(|line| !line.starts_with('#'));
            for sample in samples {
                let (series, value) = sample.rsplit_once(' ').unwrap();
                prop_assert!(value.parse::<i64>().is_ok(), "{sample:?}");
                let labels = series.split_once('{').map(|(_, rest)| values(rest));
                prop_assert!(labels.is_none_or(|it| it.is_some()), "{sample:?}");
            }
        }
    }

    /// Reads labels as the text format has them, from behind the `{`; None when they are none.
    fn values(mut text: &str) -> Option<Vec<String>> {
        let mut values = Vec::new();
        loop {
            let (_, rest) = text.split_once("=\"")?;
            let mut characters = rest.chars();
            let mut value = String::new();
            loop {
                match characters.next()? {
                    '"' => break,
                    '\\' => value.push(match characters.next()? {
                        'n' => '\n',
                        same @ ('"' | '\\') => same,
                        _ => return None,
                    }),
                    other => value.push(other),
                }
            }
            values.push(value);
            match characters.next()? {
                ',' => text = characters.as_str(),
                '}' if characters.as_str().is_empty() => return Some(values),
                _ => return None,
            }
        }
    }

    /// But for what a terminal would act on: `--output prometheus` may be read at one.
    #[test]
    fn a_label_is_what_the_name_was() {
        let text = prometheus(&odd(), false, None);
        let labels = series(&text, "x509_cert_not_after");
        let read = |labels: &String| values(labels.strip_prefix('{').unwrap()).unwrap();
        let paths: Vec<_> = labels
            .iter()
            .map(|labels| read(labels)[1].clone())
            .collect();
        assert_eq!(
            paths,
            [
                "/d/quote\".pem",
                "/d/back\\slash\\n.pem",
                "/d/new\nline.pem",
                "/d/\\xff\\xfe latin.pem",
                r"/d/\u{d}\u{9}\u{1}\u{7f} control.pem",
                r"/d/grün {}=,#\u{2028}.pem",
            ]
        );
        assert_eq!(read(&labels[0])[5], "a\"b\\c}");
    }

    /// The labels in node_exporter's order, and the value as a number.
    fn canonical(line: &str) -> String {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap();
        let Some((name, labels)) = series.split_once('{') else {
            return format!("{series} {value}");
        };
        let labels = labels.strip_suffix('}').unwrap();
        // A quotation mark within a value has a backslash before it.
        let mut labels: Vec<_> = labels
            .split("\",")
            .map(|it| it.trim_end_matches('"'))
            .collect();
        labels.sort_unstable();
        format!("{name} {labels:?} {value}")
    }

    /// The labels of each series of a family, in order.
    fn series(text: &str, family: &str) -> Vec<String> {
        let prefix = format!("{family}{{");
        let samples = text.lines().filter(|line| line.starts_with(&prefix));
        samples
            .map(|line| line.rsplit_once(' ').unwrap().0[family.len()..].to_owned())
            .collect()
    }

    /// What must hold for every exposition, and promtool's opinion.
    fn check(text: &str) {
        assert!(text.ends_with('\n') && !text.contains("\n\n"));
        let mut seen = HashSet::new();
        for line in text.lines() {
            let series = line.rsplit_once(' ').unwrap().0;
            assert!(line.starts_with('#') || seen.insert(series), "{line}");
        }
        let mut promtool = Command::new(program("promtool"))
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        promtool
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let output = promtool.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}\n{text}");
        assert_eq!(said, "", "{text}");
    }

    /// The real one, on a port of its own.
    struct NodeExporter {
        child: Child,
        address: String,
    }

    impl NodeExporter {
        fn start(directory: &Path) -> Self {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = free.local_addr().unwrap().to_string();
            drop(free);
            let child = Command::new(program("prometheus-node-exporter"))
                .arg(format!("--web.listen-address={address}"))
                .args(["--collector.disable-defaults", "--collector.textfile"])
                .arg(format!(
                    "--collector.textfile.directory={}",
                    directory.display()
                ))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            Self { child, address }
        }

        fn metrics(&self) -> String {
            let start = Instant::now();
            let mut stream = loop {
                match TcpStream::connect(&self.address) {
                    Ok(stream) => break stream,
                    Err(error) => {
                        assert!(start.elapsed() < Duration::from_secs(30), "{error}");
                        thread::sleep(Duration::from_millis(20));
                    }
                }
            };
            let request = "GET /metrics HTTP/1.0\r\nAccept: text/plain\r\n\r\n";
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        }
    }

    impl Drop for NodeExporter {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
