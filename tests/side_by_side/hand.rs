//! What one hand does, one run after the other, and what each run must say.

use std::collections::BTreeSet;

use openssl::pkey::PKey;
use openssl::x509::X509;
use serde_json::Value;

use super::Site;
use super::judge::serial_number;
use crate::random::Random;

/// Names that all hands issue and revoke.
const SHARED: [&str; 6] = [
    "shared1", "shared2", "shared3", "shared4", "shared5", "shared6",
];
/// Servers that all hands add and remove.
const COMING_AND_GOING: [&str; 2] = ["server3=127.0.0.1:17012", "server4=127.0.0.1:17013"];
/// Entries that are always there.
const LASTING: [&str; 3] = ["load-balancer", "server1", "server2"];

/// What the runs of a hand said that they did.
#[derive(Default)]
pub(super) struct Reported {
    /// The lines that they must have added to the log: action and serial number.
    pub(super) log: Vec<(String, Option<String>)>,
    pub(super) crl_numbers: Vec<u64>,
    /// The names of its own.
    pub(super) own: Vec<String>,
    /// The names whose files were not replaced without --force.
    pub(super) refused: Vec<String>,
}

pub(super) struct Hand<'a> {
    site: &'a Site,
    number: usize,
    random: Random,
    reported: Reported,
    /// The serial numbers of its own names, in their order.
    issued: Vec<String>,
    /// Serial numbers of which it was told that they are revoked.
    revoked: BTreeSet<String>,
    /// The most that a run has listed.
    entries: usize,
    events: usize,
}

impl<'a> Hand<'a> {
    pub(super) fn new(site: &'a Site, number: usize, seed: u64) -> Self {
        Self {
            site,
            number,
            random: Random::new(seed),
            reported: Reported::default(),
            issued: Vec::new(),
            revoked: BTreeSet::new(),
            entries: 0,
            events: 0,
        }
    }

    pub(super) fn work(mut self, runs: usize) -> Reported {
        for _ in 0..runs {
            match self.random.below(100) {
                0..25 => self.issue_own(),
                25..28 => self.issue_revoked(),
                28..36 => self.issue_shared(),
                36..48 => self.renew("renew"),
                48..54 => self.renew("rekey"),
                54..62 => self.revoke(),
                62..64 => self.revoke_superseded(),
                64..67 => self.sign_crl(),
                67..70 => self.add_or_remove_server(),
                70..77 => self.list(),
                77..82 => self.plan(),
                82..86 => self.check(),
                86..90 => self.expiry(),
                90..93 => self.log(),
                93..96 => self.show(),
                _ => self.export(),
            }
        }
        self.reported
    }

    fn issue_own(&mut self) {
        let name = format!("own{}-{}", self.number, self.issued.len());
        let line = self.issue_line(&name);
        let report = self.done(&line);
        let issued = &report["certificates"][0];
        assert_eq!(issued["issued"], true, "{line}");
        let serial_number = text(&issued["serialNumber"]);
        self.note("issue", &serial_number);
        self.issued.push(serial_number.clone());
        self.reported.own.push(name);
        self.site.revocable.lock().unwrap().push(serial_number);
    }

    fn issue_line(&self, name: &str) -> String {
        let out = format!("out/{}", self.number);
        format!("issue {name} --role server --host {name}.lan --out {out}")
    }

    /// What was revoked is replaced with --force alone. Of a name of its own a hand knows that nobody else
    /// does that meanwhile.
    fn issue_revoked(&mut self) {
        if self.issued.is_empty() {
            return self.issue_own();
        }
        let which = self.random.below(self.issued.len());
        let serial_number = self.issued[which].clone();
        let name = self.reported.own[which].clone();
        let report = self.done(&format!("revoke {serial_number}"));
        assert_eq!(self.note_revocations(&report), [serial_number]);
        let line = self.issue_line(&name);
        let refusal = self.run(&line).expect_err(&line);
        self.note_refusal(&name, &line, refusal);
    }

    /// Whoever comes first makes it, and everybody else finds it; what was revoked is refused as above.
    fn issue_shared(&mut self) {
        let name = self.random.pick(&SHARED);
        let force = if self.random.one_in(2) {
            " --force"
        } else {
            ""
        };
        let line = format!("issue {name} --role client{force}");
        match self.run(&line) {
            Ok(report) => {
                let issued = &report["certificates"][0];
                if issued["issued"] == true {
                    let serial_number = text(&issued["serialNumber"]);
                    self.note("issue", &serial_number);
                    self.site.revocable.lock().unwrap().push(serial_number);
                } else {
                    assert_eq!(report["changed"], false, "{line}");
                }
            }
            Err(refusal) => {
                assert_eq!(force, "", "{line}: {refusal:?}");
                self.note_refusal(name, &line, refusal);
            }
        }
    }

    fn note_refusal(&mut self, name: &str, line: &str, (status, said): (i32, String)) {
        let is_revoked = "there is another file already, and it would be lost";
        assert_eq!(status, 73, "{line}: {said}");
        assert!(said.contains(is_revoked), "{line}: {said}");
        self.reported.refused.push(name.to_owned());
    }

    fn renew(&mut self, verb: &str) {
        let name = self.random.pick(&LASTING);
        let line = format!("{verb} {name} --force");
        let report = self.done(&line);
        let made = report["certificates"].as_array().unwrap();
        assert!(made.len() == 1 && made[0]["name"] == name, "{line}");
        self.note(verb, &text(&made[0]["serialNumber"]));
    }

    /// Perhaps at the same time as another hand: one of them does it.
    fn revoke(&mut self) {
        let revocable = self.site.revocable.lock().unwrap().clone();
        if revocable.is_empty() {
            return self.issue_own();
        }
        // The latest ones are what others choose from too.
        let latest = &revocable[revocable.len().saturating_sub(8)..];
        let serial_number = self.random.pick(latest);
        let report = self.done(&format!("revoke {serial_number}"));
        let considered = self.note_revocations(&report);
        assert_eq!(considered, [serial_number]);
    }

    /// Of what was renewed meanwhile, nothing may be left out that this run takes for superseded.
    fn revoke_superseded(&mut self) {
        let name = self.random.pick(&LASTING);
        let report = self.done(&format!("revoke {name} --superseded"));
        self.note_revocations(&report);
    }

    fn note_revocations(&mut self, report: &Value) -> Vec<String> {
        let mut considered = Vec::new();
        let mut signs = false;
        for revocation in report["revocations"].as_array().unwrap() {
            let serial_number = text(&revocation["serialNumber"]);
            match text(&revocation["outcome"]).as_str() {
                "already-revoked" => {}
                "revoked" => {
                    self.note("revoke", &serial_number);
                    signs = true;
                }
                other => panic!("{other}"),
            }
            self.revoked.insert(serial_number.clone());
            considered.push(serial_number);
        }
        assert_eq!(report["changed"], signs);
        if signs {
            self.note_crl(report);
        }
        considered
    }

    fn sign_crl(&mut self) {
        let report = self.done("crl");
        self.note_crl(&report);
    }

    fn note_crl(&mut self, report: &Value) {
        let number = report["crl"]["crlNumber"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        self.reported.crl_numbers.push(number);
        self.reported.log.push(("sign-crl".to_owned(), None));
    }

    fn add_or_remove_server(&mut self) {
        let server = self.random.pick(&COMING_AND_GOING);
        let (name, _) = server.split_once('=').unwrap();
        let line = match self.random.one_in(2) {
            true => format!("server add {server}"),
            false => format!("server remove {name}"),
        };
        let report = self.done(&line);
        for made in report["certificates"].as_array().unwrap() {
            assert_eq!(made["name"], name, "{line}");
            self.note("issue", &text(&made["serialNumber"]));
        }
        let actions = report["actions"].as_array().unwrap();
        if actions.iter().any(|action| action["action"] == "retire") {
            self.reported.log.push(("retire".to_owned(), None));
        }
    }

    fn list(&mut self) {
        let report = self.done("list");
        let entries = report["entries"].as_array().unwrap();
        let names: BTreeSet<String> = entries.iter().map(|entry| text(&entry["name"])).collect();
        assert_eq!(names.len(), entries.len());
        assert!(LASTING.iter().all(|name| names.contains(*name)));
        // Nothing vanishes from the inventory.
        assert!(entries.len() >= self.entries);
        self.entries = entries.len();
        for entry in entries {
            let serial_number = text(&entry["certificate"]["serialNumber"]);
            if self.revoked.contains(&serial_number) {
                assert!(entry["certificate"]["revocation"].is_object(), "{entry}");
            }
        }
        let listed: BTreeSet<(String, String)> = entries
            .iter()
            .map(|entry| {
                let serial_number = text(&entry["certificate"]["serialNumber"]);
                (text(&entry["name"]), serial_number)
            })
            .collect();
        let own = self.reported.own.iter().cloned();
        for own in own.zip(self.issued.iter().cloned()) {
            assert!(listed.contains(&own), "{own:?}");
        }
    }

    /// Every run leaves all as zpki.toml says.
    fn plan(&mut self) {
        let report = self.done("plan");
        assert_eq!(report["actions"], Value::Array(Vec::new()));
        assert_eq!(report["findings"], Value::Array(Vec::new()));
    }

    /// That a shared name is revoked is so until somebody issues it anew; anything else would be half of a
    /// change.
    fn check(&mut self) {
        let (status, report) = self.judged("check");
        let findings = report["findings"].as_array().unwrap();
        let mut is_warned = false;
        for finding in findings.iter().filter(|it| it["severity"] != "ok") {
            let about = text(&finding["about"]);
            assert_eq!(finding["id"], "revoked", "{finding}");
            assert!(about.starts_with("clients/shared"), "{finding}");
            is_warned = true;
        }
        for entry in report["entries"].as_array().unwrap() {
            for verdict in entry["verdicts"].as_array().unwrap() {
                assert_eq!(verdict["outcome"], "accepted", "{entry}");
            }
        }
        assert_eq!(status, i32::from(is_warned));
    }

    fn expiry(&mut self) {
        let (status, report) = self.judged("expiry");
        assert_eq!((status, &report["status"]), (0, &Value::from("ok")));
        let summary = &report["summary"];
        for problem in ["warning", "critical", "expired", "unreadable"] {
            assert_eq!(summary[problem], 0, "{problem}");
        }
    }

    fn log(&mut self) {
        let report = self.done("log");
        let events = report["events"].as_array().unwrap();
        assert!(events.len() >= self.events);
        self.events = events.len();
        if let Some(last) = self.issued.last() {
            assert!(events.iter().any(|event| event["serialNumber"] == **last));
        }
    }

    fn show(&mut self) {
        let Some(name) = self.reported.own.last().cloned() else {
            return self.issue_own();
        };
        let report = self.done(&format!("show {name}"));
        let shown = &report["objects"][0];
        let serial_number = self.issued.last().unwrap();
        assert_eq!(shown["serialNumber"], **serial_number);
        if self.revoked.contains(serial_number) {
            assert!(shown["revocation"].is_object());
        }
    }

    /// Key and certificate are of one state, though both are replaced again and again.
    fn export(&mut self) {
        let name = self.random.pick(&LASTING);
        let report = self.done(&format!("export {name} --format key-cert"));
        let pem = text(&report["content"]);
        let certificate = X509::from_pem(pem.as_bytes()).unwrap();
        let key = PKey::private_key_from_pem(pem.as_bytes()).unwrap();
        assert!(certificate.public_key().unwrap().public_eq(&key));
        assert_eq!(report["serialNumber"], serial_number(&certificate));
    }

    fn note(&mut self, action: &str, serial_number: &str) {
        let line = (action.to_owned(), Some(serial_number.to_owned()));
        self.reported.log.push(line);
    }

    /// The report of a run that must succeed.
    fn done(&self, line: &str) -> Value {
        self.run(line)
            .unwrap_or_else(|(status, said)| panic!("{line}: {status}: {said}"))
    }

    /// The status and the report of a run that judges.
    fn judged(&self, line: &str) -> (i32, Value) {
        let (status, stdout, stderr) = self.output(line);
        let report = serde_json::from_str(&stdout);
        (
            status,
            report.unwrap_or_else(|error| panic!("{line}: {status}: {error}: {stderr}")),
        )
    }

    /// Its report, or how it was refused.
    fn run(&self, line: &str) -> Result<Value, (i32, String)> {
        match self.output(line) {
            (0, stdout, _) => Ok(serde_json::from_str(&stdout).unwrap()),
            (status, stdout, stderr) => {
                assert_eq!(stdout, "", "{line}");
                Err((status, stderr))
            }
        }
    }

    fn output(&self, line: &str) -> (i32, String, String) {
        // Longer than the default, for a machine that does much else too.
        let output = self
            .site
            .zpki(&format!("--output json --lock-timeout 10m {line}"));
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let status = output.status.code().expect("it ends by itself");
        (status, text(output.stdout), text(output.stderr))
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
