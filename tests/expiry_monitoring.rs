//! What `zpki expiry --print` prints, judged by the programs that it is for; and the textfile.

use std::env;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use zpki::config::monitoring::{Integration, print};
use zpki::domain::plain_path::PlainPath;
use zpki::store::textfile;

use crate::e2e::process::{run, tool};

/// A directory for the printed files, and a PKI directory and a program with every character in their
/// paths that has to be quoted somewhere.
struct Place {
    directory: TempDir,
    program: PathBuf,
    pki: PathBuf,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let odd = directory.path().join("100% our (own) & #1");
        fs::create_dir(&odd).unwrap();
        Self {
            program: odd.join("zpki"),
            pki: odd.join("pki"),
            directory,
        }
    }

    fn print(&self, integration: Integration) -> String {
        let plain = |path: &Path| PlainPath::try_from(path).unwrap();
        print(integration, &plain(&self.program), &plain(&self.pki))
    }

    /// Writes the printed files under the names that they are to have; returns where they are.
    fn written(&self, integration: Integration) -> Vec<PathBuf> {
        let text = self.print(integration);
        let files = text.split("# /etc/").skip(1).map(|file| {
            let (path, _) = file.split_once('\n').unwrap();
            let name = Path::new(path).file_name().unwrap();
            let at = self.directory.path().join(name);
            fs::write(&at, format!("# /etc/{file}")).unwrap();
            at
        });
        files.collect()
    }

    /// A program that prints its arguments, one on each line.
    fn make_program(&self) {
        fs::write(&self.program, "#!/bin/sh\nprintf '%s\\n' \"$@\"\n").unwrap();
        fs::set_permissions(&self.program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn shell(&self, line: &str) -> Vec<String> {
        self.make_program();
        let said = run(Command::new("sh").args(["-c", line]));
        said.lines().map(str::to_owned).collect()
    }

    fn pki(&self) -> &str {
        self.pki.to_str().unwrap()
    }
}

#[test]
fn systemd_takes_the_units_without_a_remark() {
    let place = Place::new();
    symlink(env!("CARGO_BIN_EXE_zpki"), &place.program).unwrap();
    let units = place.written(Integration::Systemd);
    assert_eq!(units.len(), 4);
    let said = run(tool("systemd-analyze")
        .args(["verify", "--man=no"])
        .args(&units));
    assert_eq!(said, "");
}

#[test]
fn systemd_would_remark_on_a_unit_that_is_wrong() {
    let place = Place::new();
    symlink(env!("CARGO_BIN_EXE_zpki"), &place.program).unwrap();
    let units = place.written(Integration::Systemd);
    let text = fs::read_to_string(&units[0]).unwrap();
    fs::write(&units[0], text.replace("ProtectHome=", "ProtectHouse=")).unwrap();
    let mut command = tool("systemd-analyze");
    let output = command
        .args(["verify", "--man=no"])
        .args(&units)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("ProtectHouse"), "{said}");
}

/// In tenths; 100 is no restriction at all. Most of what is left comes of running as root, whose the keys
/// are, and of reading what others may not.
const EXPOSURE: &str = "16";

#[test]
fn systemd_finds_the_services_restricted() {
    let place = Place::new();
    for unit in place.written(Integration::Systemd) {
        if unit.extension().unwrap() == "service" {
            run(tool("systemd-analyze")
                .args(["security", "--no-pager", "--offline=true"])
                .arg(format!("--threshold={EXPOSURE}"))
                .arg(unit));
        }
    }
}

#[test]
fn cron_runs_the_line() {
    let place = Place::new();
    let text = place.print(Integration::Cron);
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let [line] = lines[..] else { panic!("{text}") };
    let fields: Vec<_> = line.splitn(7, ' ').collect();
    assert_eq!(fields[..6], ["23", "6", "*", "*", "*", "root"]);
    // cron takes a bare % for the end of the line, and the backslash before the others away.
    let command = fields[6].replace(r"\%", "\0");
    assert!(!command.contains('%'), "{line}");
    let arguments = place.shell(&command.replace('\0', "%"));
    assert_eq!(arguments, ["-C", place.pki(), "expiry"]);
}

#[test]
fn nagios_takes_the_definitions_and_runs_the_command() {
    let place = Place::new();
    let [definitions] = &place.written(Integration::Nagios)[..] else {
        panic!("one file was expected");
    };
    let directory = place.directory.path();
    fs::write(directory.join("base.cfg"), NAGIOS_BASE).unwrap();
    fs::create_dir(directory.join("spool")).unwrap();
    let user = run(Command::new("id").arg("-un"));
    let group = run(Command::new("id").arg("-gn"));
    let here = directory.display();
    let main = format!(
        "log_file={here}/nagios.log\n\
         cfg_file={here}/base.cfg\n\
         cfg_file={}\n\
         object_cache_file={here}/objects.cache\n\
         precached_object_file={here}/objects.precache\n\
         status_file={here}/status.dat\n\
         temp_file={here}/nagios.tmp\n\
         temp_path={here}\n\
         check_result_path={here}/spool\n\
         lock_file={here}/nagios.pid\n\
         command_file={here}/nagios.cmd\n\
         state_retention_file={here}/retention.dat\n\
         log_archive_path={here}\n\
         illegal_macro_output_chars=`~$&|'\"<>\n\
         nagios_user={user}\
         nagios_group={group}\
         check_for_updates=0\n",
        definitions.display()
    );
    let nagios = directory.join("nagios.cfg");
    fs::write(&nagios, main).unwrap();
    let said = run(tool("nagios4").arg("-v").arg(&nagios));
    for wanted in [
        "Checked 1 services.",
        "Total Warnings: 0",
        "Total Errors:   0",
    ] {
        assert!(said.contains(wanted), "{said}");
    }

    let text = fs::read_to_string(definitions).unwrap();
    let command = text
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("command_line"));
    let arguments = place.shell(command.unwrap());
    assert_eq!(
        arguments,
        ["-C", place.pki(), "expiry", "--output", "nagios"]
    );
}

/// What Debian's nagios4 has besides.
const NAGIOS_BASE: &str = "\
define timeperiod {
    timeperiod_name  24x7
    alias            24x7
    monday           00:00-24:00
}
define command {
    command_name  nothing
    command_line  /bin/true
}
define contact {
    contact_name                   root
    host_notification_period       24x7
    service_notification_period    24x7
    host_notification_options      d
    service_notification_options   c
    host_notification_commands     nothing
    service_notification_commands  nothing
}
define host {
    host_name            localhost
    address              127.0.0.1
    check_command        nothing
    check_period         24x7
    notification_period  24x7
    max_check_attempts   1
    contacts             root
}
define service {
    name                 generic-service
    check_period         24x7
    notification_period  24x7
    contacts             root
    register             0
}
";

#[test]
fn prometheus_takes_the_rules() {
    let place = Place::new();
    let rules = place.written(Integration::PrometheusRules);
    let said = run(tool("promtool").args(["check", "rules"]).args(&rules));
    assert!(said.contains("SUCCESS: 8 rules found"), "{said}");
}

#[test]
fn the_alerts_fire_when_they_should_and_not_before() {
    let place = Place::new();
    place.written(Integration::PrometheusRules);
    for text in [HOURS, DAYS] {
        let tests = place.directory.path().join("tests.yml");
        fs::write(&tests, text).unwrap();
        let said = run(tool("promtool").args(["test", "rules"]).arg(&tests));
        assert!(said.contains("SUCCESS"), "{said}");
    }
}

/// Time begins at 0. `a` is for 7 days, of which a quarter is 42 hours; each test says what there is at
/// which instant, and an alert that it names without more must not fire.
const HOURS: &str = r#"
rule_files:
  - zpki.rules.yml
evaluation_interval: 1h
tests:
  - name: of 7 days, 42 hours and 16.8 hours are the thresholds
    interval: 1h
    input_series:
      - series: 'x509_cert_not_before{instance="lb",filepath="/d/a.pem",subject_CN="a"}'
        values: '0x200'
      - series: 'x509_cert_not_after{instance="lb",filepath="/d/a.pem",subject_CN="a"}'
        values: '604800x200'
      - series: 'zpki_scan_timestamp_seconds{instance="lb"}'
        values: '0+3600x200'
    alert_rule_test:
      - eval_time: 5d6h
        alertname: ZpkiCertificateWarning
      - eval_time: 5d7h
        alertname: ZpkiCertificateCritical
      - eval_time: 5d7h
        alertname: ZpkiCertificateWarning
        exp_alerts:
          - exp_labels: {severity: warning, instance: lb, filepath: /d/a.pem, subject_CN: a}
            exp_annotations:
              summary: '/d/a.pem: certificate of a expires soon'
              description: 'lb: it expires in 1d 17h 0m 0s.'
      - eval_time: 6d7h
        alertname: ZpkiCertificateCritical
      - eval_time: 6d7h
        alertname: ZpkiCertificateWarning
        exp_alerts:
          - exp_labels: {severity: warning, instance: lb, filepath: /d/a.pem, subject_CN: a}
            exp_annotations:
              summary: '/d/a.pem: certificate of a expires soon'
              description: 'lb: it expires in 17h 0m 0s.'
      - eval_time: 6d8h
        alertname: ZpkiCertificateWarning
      - eval_time: 6d8h
        alertname: ZpkiCertificateCritical
        exp_alerts:
          - exp_labels: {severity: critical, instance: lb, filepath: /d/a.pem, subject_CN: a}
            exp_annotations:
              summary: '/d/a.pem: certificate of a expires very soon'
              description: 'lb: it expires in 16h 0m 0s.'
      - eval_time: 6d23h
        alertname: ZpkiCertificateExpired
      - eval_time: 7d
        alertname: ZpkiCertificateCritical
      - eval_time: 7d
        alertname: ZpkiCertificateWarning
      - eval_time: 7d4h
        alertname: ZpkiCertificateExpired
        exp_alerts:
          - exp_labels: {severity: critical, instance: lb, filepath: /d/a.pem, subject_CN: a}
            exp_annotations:
              summary: '/d/a.pem: certificate of a has expired'
              description: 'lb: it expired 4h 0m 0s ago.'
      - eval_time: 7d
        alertname: ZpkiScanTooOld

  - name: a certificate of tomorrow
    interval: 1h
    input_series:
      - series: 'x509_cert_not_before{instance="lb",filepath="/d/a.pem",subject_CN="a"}'
        values: '86400x40'
      - series: 'x509_cert_not_after{instance="lb",filepath="/d/a.pem",subject_CN="a"}'
        values: '864000x40'
    alert_rule_test:
      - eval_time: 20h
        alertname: ZpkiCertificateNotYetValid
        exp_alerts:
          - exp_labels: {severity: critical, instance: lb, filepath: /d/a.pem, subject_CN: a}
            exp_annotations:
              summary: '/d/a.pem: certificate of a is not valid yet'
              description: 'lb: it becomes valid in 4h 0m 0s.'
      - eval_time: 1d
        alertname: ZpkiCertificateNotYetValid

  - name: what cannot be read
    interval: 1h
    input_series:
      - series: 'x509_cert_error{instance="lb",filepath="/d/x.pem",reason="bad_pem"}'
        values: '_x3 1x10 _x10'
    alert_rule_test:
      - eval_time: 1h
        alertname: ZpkiUnreadable
      - eval_time: 5h
        alertname: ZpkiUnreadable
        exp_alerts:
          - exp_labels: {severity: warning, instance: lb, filepath: /d/x.pem, reason: bad_pem}
            exp_annotations:
              summary: '/d/x.pem: cannot be read (bad_pem)'
              description: 'lb: whether it expires is not known.'

  - name: a CRL of 7 days
    interval: 1h
    input_series:
      - series: 'x509_crl_this_update{instance="lb",filepath="/d/crl.pem",issuer_CN="ca"}'
        values: '0x200'
      - series: 'x509_crl_next_update{instance="lb",filepath="/d/crl.pem",issuer_CN="ca"}'
        values: '604800x200'
    alert_rule_test:
      - eval_time: 5d6h
        alertname: ZpkiCrlExpiresSoon
      - eval_time: 6d4h
        alertname: ZpkiCrlExpiresSoon
        exp_alerts:
          - exp_labels: {severity: warning, instance: lb, filepath: /d/crl.pem, issuer_CN: ca}
            exp_annotations:
              summary: '/d/crl.pem: CRL of ca expires soon'
              description: 'lb: it expires in 20h 0m 0s.'
      - eval_time: 6d23h
        alertname: ZpkiCrlStale
      - eval_time: 7d
        alertname: ZpkiCrlExpiresSoon
      - eval_time: 7d
        alertname: ZpkiCrlStale
        exp_alerts:
          - exp_labels: {severity: critical, instance: lb, filepath: /d/crl.pem, issuer_CN: ca}
            exp_annotations:
              summary: '/d/crl.pem: CRL of ca has expired'
              description: 'lb: HAProxy with this crl-file refuses every certificate.'

  - name: a scan of long ago
    interval: 1h
    input_series:
      - series: 'zpki_scan_timestamp_seconds{instance="lb"}'
        values: '3600x200'
    alert_rule_test:
      - eval_time: 2d1h
        alertname: ZpkiScanTooOld
      - eval_time: 2d3h
        alertname: ZpkiScanTooOld
        exp_alerts:
          - exp_labels: {severity: warning, instance: lb}
            exp_annotations:
              summary: 'zpki expiry has not run for two days'
              description: 'lb: node_exporter serves old metrics for ever, so what expires now is not known.'

  - name: no scan at all
    interval: 1h
    input_series: []
    alert_rule_test:
      - eval_time: 0h
        alertname: ZpkiScanTooOld
      - eval_time: 1h
        alertname: ZpkiScanTooOld
        exp_alerts:
          - exp_labels: {severity: warning}
            exp_annotations:
              summary: 'zpki expiry has not run for two days'
              description: ': node_exporter serves old metrics for ever, so what expires now is not known.'
"#;

/// `year` is for 400 days.
const DAYS: &str = r#"
rule_files:
  - zpki.rules.yml
evaluation_interval: 1d
tests:
  - name: of 400 days, 30 and 14 days are the thresholds
    interval: 1d
    input_series:
      - series: 'x509_cert_not_before{filepath="/d/year.pem",subject_CN="year"}'
        values: '0x500'
      - series: 'x509_cert_not_after{filepath="/d/year.pem",subject_CN="year"}'
        values: '34560000x500'
    alert_rule_test:
      - eval_time: 370d
        alertname: ZpkiCertificateWarning
      - eval_time: 371d
        alertname: ZpkiCertificateWarning
        exp_alerts:
          - exp_labels: {severity: warning, filepath: /d/year.pem, subject_CN: year}
            exp_annotations:
              summary: '/d/year.pem: certificate of year expires soon'
              description: ': it expires in 29d 0h 0m 0s.'
      - eval_time: 386d
        alertname: ZpkiCertificateCritical
      - eval_time: 386d
        alertname: ZpkiCertificateWarning
        exp_alerts:
          - exp_labels: {severity: warning, filepath: /d/year.pem, subject_CN: year}
            exp_annotations:
              summary: '/d/year.pem: certificate of year expires soon'
              description: ': it expires in 14d 0h 0m 0s.'
      - eval_time: 387d
        alertname: ZpkiCertificateCritical
        exp_alerts:
          - exp_labels: {severity: critical, filepath: /d/year.pem, subject_CN: year}
            exp_annotations:
              summary: '/d/year.pem: certificate of year expires very soon'
              description: ': it expires in 13d 0h 0m 0s.'

  - name: of a CRL of 400 days, 30 days is the threshold
    interval: 1d
    input_series:
      - series: 'x509_crl_this_update{filepath="/d/crl.pem",issuer_CN="ca"}'
        values: '0x500'
      - series: 'x509_crl_next_update{filepath="/d/crl.pem",issuer_CN="ca"}'
        values: '34560000x500'
    alert_rule_test:
      - eval_time: 370d
        alertname: ZpkiCrlExpiresSoon
      - eval_time: 371d
        alertname: ZpkiCrlExpiresSoon
        exp_alerts:
          - exp_labels: {severity: warning, filepath: /d/crl.pem, issuer_CN: ca}
            exp_annotations:
              summary: '/d/crl.pem: CRL of ca expires soon'
              description: ': it expires in 29d 0h 0m 0s.'
"#;

/// Names the file that the child of the next test writes.
const TEXTFILE: &str = "ZPKI_TEST_TEXTFILE";

#[test]
fn a_textfile_can_be_read_whatever_the_umask() {
    if let Some(path) = env::var_os(TEXTFILE) {
        return textfile::write(path.as_ref(), b"x509_read_errors 0\n").unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("zpki.prom");
    // Only a process has a umask, so this test runs itself in one.
    let program = env::current_exe().unwrap();
    run(Command::new("sh")
        .args(["-c", "umask 077; exec \"$@\"", "sh"])
        .arg(program)
        .args([
            "--exact",
            "expiry_monitoring::a_textfile_can_be_read_whatever_the_umask",
        ])
        .env(TEXTFILE, &path));
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o644);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}
