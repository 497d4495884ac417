//! HAProxy's statistics: where a configuration has the socket that is asked for them, and what the
//! answer says of a server (HAProxy's management guide, 9.1 and 9.3 "show stat").

use super::configuration::begins_section;
use crate::domain::words::split;

/// What is asked.
pub const QUESTION: &str = "show stat\n";

/// The columns of responses, by their class.
const RESPONSES: [&str; 6] = [
    "hrsp_1xx",
    "hrsp_2xx",
    "hrsp_3xx",
    "hrsp_4xx",
    "hrsp_5xx",
    "hrsp_other",
];

/// What stands where a server's name does in the rows of a whole section.
const TOTALS: [&str; 2] = ["BACKEND", "FRONTEND"];

/// What HAProxy knows of a server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerStatus {
    /// `status`: `UP`, `DOWN`, `MAINT`, `no check` and their like.
    pub status: String,
    /// `check_status` of the last health check that has ended, such as `L6OK`; none before the first.
    pub check: Option<String>,
    /// `hrsp_...`: responses.
    pub responses: u64,
    /// `econ` and `eresp`: connections that were not made, and responses that were not got.
    pub errors: u64,
}

impl ServerStatus {
    /// Whether it has passed a health check. HAProxy calls a server UP before the first one too.
    #[must_use]
    pub fn is_up(&self) -> bool {
        let is_passed = self.check.as_ref().is_some_and(|it| it.ends_with("OK"));
        self.status.starts_with("UP") && is_passed
    }

    /// Whether it is out of service because somebody has said so.
    #[must_use]
    pub fn is_in_maintenance(&self) -> bool {
        self.status.starts_with("MAINT")
    }

    /// Whether nothing checks it.
    #[must_use]
    pub fn is_unchecked(&self) -> bool {
        self.status == "no check"
    }
}

/// The Unix socket at which a configuration lets itself be asked: the first of `stats socket` in its
/// `global` sections.
#[must_use]
pub fn socket(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let mut is_global = false;
    for line in text.lines() {
        let split = split(line);
        let words: Vec<&str> = split.words.iter().map(|word| &*word.value).collect();
        match words[..] {
            ["stats", "socket", address, ..] if is_global => {
                let path = address.strip_prefix("unix@").unwrap_or(address);
                if path.starts_with('/') {
                    return Some(path.to_owned());
                }
            }
            [keyword, ..] if begins_section(keyword) => is_global = keyword == "global",
            _ => {}
        }
    }
    None
}

/// What an answer says of a server.
#[must_use]
pub fn server(answer: &str, backend: &str, name: &str) -> Option<ServerStatus> {
    let mut servers = servers(answer, backend)?.into_iter();
    servers.find_map(|(other, status)| (other == name).then_some(status))
}

/// Whether requests go to another server than `name`.
#[must_use]
pub fn has_another(answer: &str, backend: &str, name: &str) -> bool {
    let servers = servers(answer, backend).unwrap_or_default();
    servers
        .iter()
        .any(|(other, status)| *other != name && (status.is_up() || status.is_unchecked()))
}

/// The servers of a backend.
fn servers<'a>(answer: &'a str, backend: &str) -> Option<Vec<(&'a str, ServerStatus)>> {
    let mut lines = answer.lines().filter(|line| !line.is_empty());
    let header: Vec<&str> = lines.next()?.trim_start_matches("# ").split(',').collect();
    let column = |name: &str| header.iter().position(|it| *it == name);
    let (proxy, server) = (column("pxname")?, column("svname")?);
    let servers = lines.filter_map(|line| {
        let row: Vec<&str> = line.split(',').collect();
        let name = *row.get(server)?;
        if *row.get(proxy)? != backend || TOTALS.contains(&name) {
            return None;
        }
        let field = |name: &str| column(name).and_then(|at| row.get(at)).copied();
        let count = |name: &str| field(name).and_then(|it| it.parse().ok()).unwrap_or(0_u64);
        // "* L6OK" is one that is under way, with the last result; INI is none.
        let check = field("check_status").unwrap_or_default();
        let check = check.trim_start_matches("* ");
        let status = ServerStatus {
            status: field("status")?.to_owned(),
            check: (!matches!(check, "" | "INI")).then(|| check.to_owned()),
            responses: RESPONSES.into_iter().map(count).sum(),
            errors: count("econ") + count("eresp"),
        };
        Some((name, status))
    });
    Some(servers.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_the_first_of_global() {
        let text = b"defaults\n    stats socket /no\nglobal\n    stats socket ipv4@127.0.0.1:1 level admin\n    stats socket '/run/a b' mode 600 # ZATO global:stats_socket\n    stats socket /c\n";
        assert_eq!(socket(text).as_deref(), Some("/run/a b"));
        let unix = b"global\n\tstats socket unix@/run/x level user\n";
        assert_eq!(socket(unix).as_deref(), Some("/run/x"));
        assert_eq!(socket(b"frontend a\n  stats enable\n"), None);
        // Indentation means nothing to HAProxy.
        let flat = b" global\nmaxconn 9\nstats socket /run/x\n listen a\nstats socket /no\n";
        assert_eq!(socket(flat).as_deref(), Some("/run/x"));
    }

    #[test]
    fn a_server_is_up_once_it_has_passed_a_check() {
        let answer = |status: &str, check: &str| {
            format!(
                "# pxname,svname,hrsp_2xx,hrsp_5xx,econ,eresp,status,check_status,\nbck,BACKEND,9,,,,UP,,\nbck,a,6,1,1,2,{status},{check},\n\n"
            )
        };
        let of = |status: &str, check: &str| server(&answer(status, check), "bck", "a").unwrap();
        let up = of("UP", "L6OK");
        assert!(up.is_up() && !up.is_unchecked());
        assert_eq!((up.responses, up.errors), (7, 3));
        assert!(of("UP 1/2", "* L7OK").is_up());
        for (status, check) in [
            ("UP", "INI"),
            ("UP", "* INI"),
            ("UP 1/2", "L4CON"),
            ("DOWN", "L6OK"),
            ("MAINT", ""),
            ("no check", ""),
        ] {
            assert!(!of(status, check).is_up(), "{status} {check}");
        }
        assert!(of("no check", "").is_unchecked());
        assert!(of("MAINT", "").is_in_maintenance() && !of("DOWN", "").is_in_maintenance());
        assert_eq!(server(&answer("UP", ""), "bck", "b"), None);
        // The row of the backend is no server's.
        assert_eq!(server(&answer("UP", ""), "bck", "BACKEND"), None);
        assert!(!has_another(&answer("UP", "L6OK"), "bck", "a"));
        assert!(has_another(&answer("UP", "L6OK"), "bck", "b"));
        assert!(!has_another(&answer("DOWN", "L4CON"), "bck", "b"));
        assert!(has_another(&answer("no check", ""), "bck", "b"));
        assert_eq!(server("Permission denied\n", "bck", "a"), None);
    }
}
