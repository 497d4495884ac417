//! Random clusters through random years: what `plan` and `apply` promise, held after every step.
//!
//! A case is a cluster and rounds; in each round time passes, zpki.toml is edited and files are
//! damaged, then `apply` puts it in order. What it may change is worked out in [`expected`] without the
//! program; what is in place then is judged by OpenSSL.
//!
//! `LIFECYCLE_CASES` says how many cases, `LIFECYCLE_SEED` where they begin.

mod cluster;
mod damage;
mod expected;
mod judge;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use self::cluster::{Cluster, Edit, clusters, edits};
use self::damage::{Damage, damages};
use crate::sandbox::{NOW, Sandbox};

/// Where every host folder, the inventory and the log are; zpki's own state is left out.
type Files = BTreeMap<PathBuf, (u32, Vec<u8>)>;

/// What happens before `apply`.
#[derive(Clone, Debug)]
enum Step {
    Damage(Damage),
    Edit(Edit),
    Pass(Pass),
}

/// How time passes.
#[derive(Clone, Debug)]
enum Pass {
    Seconds(i64),
    /// To the instant from which the certificate of an entry is due, or so many seconds after it.
    ToWindow(usize, i64),
    /// To the end of a certificate.
    ToEnd(usize, i64),
}

#[derive(Clone, Debug)]
struct Round {
    steps: Vec<Step>,
    /// Whether `apply` is tried first without the CA's key.
    key_away: bool,
}

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    const DAY: i64 = 86_400;
    let pass = prop_oneof![
        (1..100i64).prop_map(Pass::Seconds),
        (1..100 * 3_600i64).prop_map(Pass::Seconds),
        (1..800 * DAY).prop_map(Pass::Seconds),
        (any::<usize>(), -1..=1i64).prop_map(|(it, after)| Pass::ToWindow(it, after)),
        (any::<usize>(), -1..=1i64).prop_map(|(it, after)| Pass::ToEnd(it, after)),
    ];
    let step = prop_oneof![
        pass.prop_map(Step::Pass),
        edits().prop_map(Step::Edit),
        damages().prop_map(Step::Damage),
    ];
    let steps = prop::collection::vec(step, 1..=3);
    let round = (steps, prop::bool::weighted(0.2));
    let round = round.prop_map(|(steps, key_away)| Round { steps, key_away });
    prop::collection::vec(round, 1..=6)
}

#[test]
fn apply_makes_everything_right_and_changes_nothing_else() {
    let number = |name: &str, default| {
        let given = std::env::var(name).ok();
        given.map_or(default, |text| text.parse().unwrap())
    };
    let config = Config {
        cases: number("LIFECYCLE_CASES", CASES),
        failure_persistence: None,
        max_shrink_iters: 300,
        ..Config::default()
    };
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&number("LIFECYCLE_SEED", 1).to_be_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(config, random);
    let result = runner.run(&(clusters(), rounds()), |(cluster, rounds)| {
        Life::of(cluster).live(&rounds);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

/// As many as half a minute is enough for.
const CASES: u32 = 80;

/// A PKI directory, with what is known of it.
struct Life {
    sandbox: Sandbox,
    now: OffsetDateTime,
    /// What zpki.toml says.
    cluster: Cluster,
    /// What it said at the last `apply`.
    applied: Cluster,
    /// What `apply` left.
    files: Files,
    /// Every version that a file of a host folder had.
    versions: BTreeMap<PathBuf, Vec<Vec<u8>>>,
}

impl Life {
    fn of(cluster: Cluster) -> Self {
        let sandbox = Sandbox::in_memory();
        sandbox.file("zpki.toml", cluster.zpki_toml());
        let init = [
            "init",
            "demo",
            "--config",
            "zpki.toml",
            "--no-ca-passphrase",
        ];
        sandbox.args(init).run().product();
        let mut life = Self {
            files: Files::new(),
            versions: BTreeMap::new(),
            now: NOW,
            applied: cluster.clone(),
            cluster,
            sandbox,
        };
        life.remember();
        life.judge();
        life
    }

    fn live(&mut self, rounds: &[Round]) {
        for round in rounds {
            self.go_through(round);
        }
    }

    fn go_through(&mut self, round: &Round) {
        let mut damaged = damage::Damaged::default();
        for step in &round.steps {
            match step {
                Step::Damage(damage) => self.damage(damage, &mut damaged),
                Step::Edit(edit) => self.cluster.edit(edit),
                Step::Pass(pass) => self.pass(pass),
            }
        }
        self.write_zpki_toml();
        let found = self.read();
        let actions = self.plan();
        assert_eq!(self.read(), found, "plan changes nothing");
        self.apply(round.key_away, &actions, &damaged);
        let made = self.read();
        assert_eq!(
            actions.is_empty(),
            made == found,
            "plan says what apply does"
        );
        assert_eq!(self.plan(), Vec::<Value>::new());
        self.run(&["apply"]).stdout("unchanged\n");
        assert_eq!(self.read(), made, "a second run changes nothing");
        expected::check(&expected::Change {
            now: self.now,
            from: &self.applied,
            to: &self.cluster,
            before: &self.files,
            damaged: &damaged,
            found: &found,
            made: &made,
        });
        self.judge();
        self.applied = self.cluster.clone();
        self.remember();
    }

    fn write_zpki_toml(&self) {
        let text = self.cluster.zpki_toml();
        fs::write(self.sandbox.path("demo/zpki.toml"), text).unwrap();
    }

    fn pass(&mut self, pass: &Pass) {
        let certificate = |number: usize| {
            let entries: Vec<_> = self.applied.entries().collect();
            let entry = entries[number % entries.len()];
            let folder = expected::folder(&self.applied, entry);
            let (_, pem) = &self.files[&folder.certificate];
            (entry, expected::validity(pem))
        };
        let to = match *pass {
            Pass::Seconds(seconds) => self.now + Duration::seconds(seconds),
            Pass::ToEnd(number, after) => {
                let (_, (_, not_after)) = certificate(number);
                OffsetDateTime::from_unix_timestamp(not_after + after).unwrap()
            }
            Pass::ToWindow(number, after) => {
                let (entry, (not_before, not_after)) = certificate(number);
                let window = self.applied.window(entry, not_after - not_before);
                OffsetDateTime::from_unix_timestamp(not_after - window + after).unwrap()
            }
        };
        self.now = self.now.max(to);
    }

    fn run(&self, args: &[&str]) -> crate::sandbox::Outcome<'_> {
        let args = ["-C", "demo"].iter().chain(args);
        self.sandbox.args(args).now(self.now).run()
    }

    /// What there is to do.
    fn plan(&self) -> Vec<Value> {
        let report = self.run(&["plan", "--output", "json"]).product();
        let report: Value = serde_json::from_str(&report).unwrap();
        report["actions"].as_array().unwrap().clone()
    }

    /// Applies; the clock is insisted on only when it has to be.
    fn apply(&self, key_away: bool, actions: &[Value], damaged: &damage::Damaged) {
        if key_away {
            let (key, away) = (self.path("ca/ca.key.pem"), self.sandbox.path("away"));
            let before = self.read();
            fs::rename(&key, &away).unwrap();
            let status = self.run(&["apply", "--force"]).status_alone();
            fs::rename(&away, &key).unwrap();
            let signs = |action: &Value| {
                let signs = ["issue", "rekey", "renew", "renew-ca", "sign-crl"];
                signs.contains(&action["action"].as_str().unwrap())
            };
            if actions.iter().any(signs) {
                assert_eq!(status, 66);
                assert_eq!(self.read(), before, "nothing is done by halves");
            } else {
                assert_eq!(status, 0);
                return;
            }
        }
        let before = self.read();
        let status = self.run(&["apply"]).status_alone();
        if status == 0 {
            return;
        }
        // More than half of what is there would have expired at once.
        assert_eq!(status, 74);
        assert_eq!(self.read(), before, "nothing is done by halves");
        assert!(expected::lapsed(self, damaged), "the clock was no suspect");
        self.run(&["apply", "--force"]).product();
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.sandbox.path("demo").join(relative)
    }

    fn read(&self) -> Files {
        let mut files = Files::new();
        let root = self.sandbox.path("demo");
        visit(&root, &root, &mut files);
        files
    }

    fn remember(&mut self) {
        self.files = self.read();
        for (path, (_, bytes)) in &self.files {
            let versions = self.versions.entry(path.clone()).or_default();
            if !path.starts_with("ca") && !versions.contains(bytes) {
                versions.push(bytes.clone());
            }
        }
    }
}

fn visit(root: &Path, directory: &Path, files: &mut Files) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let relative = path.strip_prefix(root).unwrap().to_owned();
        if relative.starts_with(".zpki") {
            continue;
        }
        let metadata = fs::metadata(&path).unwrap();
        let bytes = if metadata.is_dir() {
            visit(root, &path, files);
            Vec::new()
        } else {
            fs::read(&path).unwrap()
        };
        files.insert(relative, (metadata.permissions().mode() & 0o7777, bytes));
    }
}
