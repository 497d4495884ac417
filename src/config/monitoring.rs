//! What makes other programs run zpki and tell of what it finds: units of systemd, a crontab, alert
//! rules of Prometheus, object definitions of Nagios. Their words are in `templates/`.
//!
//! Each file stands under a comment that says where it goes.

use minijinja::{Value, context};

use super::template::{
    ALERT_RULES, APPLY_SERVICE, APPLY_TIMER, CRON, EXPIRY_SERVICE, EXPIRY_TIMER, NAGIOS, render,
};
use crate::domain::plain_path::PlainPath;
use crate::domain::text::ShellWord;

/// What runs zpki, or reads what it writes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Integration {
    /// A line of a crontab, which mails what there is to tell.
    Cron,
    /// A command and a service of Nagios, and of what reads the same files.
    Nagios,
    /// Alert rules of Prometheus.
    PrometheusRules,
    /// A service and a timer for `expiry`, and for `apply`.
    Systemd,
}

/// The files of one integration, one after another. `program` is zpki itself, `directory` the PKI
/// directory.
#[must_use]
pub fn print(integration: Integration, program: &PlainPath, directory: &PlainPath) -> String {
    let (templates, quoted): (&[&str], fn(&str) -> String) = match integration {
        Integration::Cron => (&[CRON], crontab_word),
        Integration::Nagios => (&[NAGIOS], |path| ShellWord(path).to_string()),
        Integration::PrometheusRules => (&[ALERT_RULES], str::to_owned),
        Integration::Systemd => (
            &[EXPIRY_SERVICE, EXPIRY_TIMER, APPLY_SERVICE, APPLY_TIMER],
            unit_word,
        ),
    };
    let values: Value = context! {
        condition => unit_path(directory.as_str()),
        directory => quoted(directory.as_str()),
        program => quoted(program.as_str()),
    };
    let files: Vec<_> = templates
        .iter()
        .map(|name| render(name, values.clone()))
        .collect();
    files.join("\n")
}

/// A word for the shell that cron starts; a `%` ends the command unless a backslash stands before it,
/// within quotes too.
fn crontab_word(path: &str) -> String {
    ShellWord(path).to_string().replace('%', r"\%")
}

/// A word of a unit.
fn unit_word(path: &str) -> String {
    let path = unit_path(path);
    if path.contains(' ') {
        format!("\"{path}\"")
    } else {
        path
    }
}

/// What goes to the end of a line of a unit: spaces are its own, and `%` begins a specifier.
fn unit_path(path: &str) -> String {
    path.replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn printed(integration: Integration) -> String {
        let path = |text| PlainPath::try_from(Path::new(text)).unwrap();
        print(
            integration,
            &path("/usr/local/bin/zpki"),
            &path("/srv/100% our/pki"),
        )
    }

    /// The lines that begin with `key`.
    fn lines<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
        text.lines().filter(|line| line.starts_with(key)).collect()
    }

    #[test]
    fn each_file_says_where_it_goes() {
        for (integration, files) in [
            (Integration::Cron, &["# /etc/cron.d/zpki"][..]),
            (Integration::Nagios, &["# /etc/nagios4/conf.d/zpki.cfg"]),
            (
                Integration::PrometheusRules,
                &["# /etc/prometheus/rules/zpki.rules.yml"],
            ),
            (
                Integration::Systemd,
                &[
                    "# /etc/systemd/system/zpki-expiry.service",
                    "# /etc/systemd/system/zpki-expiry.timer",
                    "# /etc/systemd/system/zpki-apply.service",
                    "# /etc/systemd/system/zpki-apply.timer",
                ],
            ),
        ] {
            let text = printed(integration);
            assert_eq!(lines(&text, "# /etc/"), files);
            assert!(text.starts_with(files[0]));
            assert!(text.ends_with('\n') && !text.ends_with("\n\n"));
            assert!(!text.contains("\n\n\n"));
        }
    }

    #[test]
    fn a_unit_has_its_words_quoted_and_its_specifiers_doubled() {
        let text = printed(Integration::Systemd);
        assert_eq!(
            lines(&text, "ExecStart="),
            [
                "ExecStart=/usr/local/bin/zpki -C \"/srv/100%% our/pki\" expiry --textfile /var/lib/prometheus/node-exporter/zpki.prom",
                "ExecStart=/usr/local/bin/zpki -C \"/srv/100%% our/pki\" --non-interactive apply",
            ]
        );
        assert_eq!(
            lines(&text, "ConditionDirectoryNotEmpty="),
            ["ConditionDirectoryNotEmpty=/srv/100%% our/pki"; 2]
        );
        assert_eq!(
            lines(&text, "ReadWritePaths="),
            [
                "ReadWritePaths=-/var/lib/prometheus/node-exporter",
                "ReadWritePaths=\"/srv/100%% our/pki\"",
            ]
        );
    }

    #[test]
    fn a_crontab_has_its_percent_signs_escaped() {
        assert_eq!(
            lines(&printed(Integration::Cron), "23 6"),
            [r"23 6 * * * root /usr/local/bin/zpki -C '/srv/100\% our/pki' expiry"]
        );
    }

    #[test]
    fn nagios_has_a_command_for_a_shell() {
        assert_eq!(
            lines(&printed(Integration::Nagios), "    command_line"),
            ["    command_line  /usr/local/bin/zpki -C '/srv/100% our/pki' expiry --output nagios"]
        );
    }
}
