//! How a proxy checks its servers.

use crate::domain::haproxy_tls::HealthCheck;
use crate::domain::words::Word;

/// What a proxy, or its `defaults`, says of health checks.
#[derive(Clone, Default)]
pub(super) struct CheckSettings {
    /// The option that was given last: HAProxy has one kind of check for a proxy.
    option: Option<String>,
    /// Whether `tcp-check` waits for anything.
    expects: bool,
}

/// The options that choose the kind of check (HAProxy's configuration manual, 4.2).
const OPTIONS: &[&str] = &[
    "external-check",
    "httpchk",
    "ldap-check",
    "mysql-check",
    "pgsql-check",
    "redis-check",
    "smtpchk",
    "spop-check",
    "ssl-hello-chk",
    "tcp-check",
];

impl CheckSettings {
    /// Whether `option` chooses the kind of check.
    pub(super) fn has(option: &str) -> bool {
        OPTIONS.contains(&option)
    }

    /// Reads a line if it is about health checks. The rules of `http-check` matter to none: without
    /// `option httpchk` HAProxy ignores them.
    pub(super) fn read(&mut self, keyword: &str, rest: &[Word]) {
        let Some(argument) = rest.first() else {
            return;
        };
        match keyword {
            "option" if Self::has(&argument.value) => self.option = Some(argument.value.clone()),
            "tcp-check" if argument.value == "expect" => self.expects = true,
            _ => {}
        }
    }

    pub(super) fn finish(self) -> HealthCheck {
        match self.option {
            Some(option) => match option.as_str() {
                "external-check" => HealthCheck::External,
                "ssl-hello-chk" => HealthCheck::Connection,
                "tcp-check" if !self.expects => HealthCheck::Connection,
                _ => HealthCheck::Response { option },
            },
            None => HealthCheck::Connection,
        }
    }
}
