//! The power is cut at any moment, and the kernel forgets any part of what was not forced to the disk: what
//! belongs together is as it was or as it is to be, whole; what the user was told of is there; and the same
//! command goes on from there.
//!
//! A run is [recorded](trace), and played onto a [disk] that forgets. What that may hold when the power is
//! back is put into a real directory, for the real program to find. There are far more such states than can
//! be tried: as many as [`STATES`] are, those first that tell most. With `SEED=7 STATES=5000` it is others,
//! and more.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::Path;

use openssl::pkey::PKey;
use openssl::x509::X509;
use zpki::domain::digest::Digest;

use super::disk::{Change, Disk, Half, Kind};
use super::image::Image;
use super::stopped::Fault;
use super::trace::{Call, Traced, record};
use super::{ADD_SERVER, INIT, ISSUE, ISSUE_OUT, REMOVE_SERVER, Scenario, now};
use crate::random::Random;
use crate::sandbox::Tree;

/// How many states are tried of each run, unless the environment says otherwise.
const STATES: u64 = 150;
/// And of those runs that derive a key from a passphrase, which takes long.
const FEWER: u64 = 50;
const SEED: u64 = 1;

/// Of so many states one is put before the same command at once, and not only when it is in order again.
const AT_ONCE: usize = 8;

/// zpki makes things durable by syncfs, and by fsync for each file where there is no syncfs.
const WAYS: [&[&str]; 2] = [&[], &["-e", "inject=syncfs:error=ENOSYS"]];

#[test]
fn init() {
    cut(Scenario::new(&[], INIT));
}

#[test]
fn server_add() {
    cut(Scenario::new(&[INIT], ADD_SERVER));
}

#[test]
fn server_remove() {
    cut(Scenario::new(&[INIT, ADD_SERVER], REMOVE_SERVER));
}

#[test]
fn renew() {
    cut(Scenario::new(&[INIT], "-C demo renew --all --force"));
}

#[test]
fn rekey() {
    cut(Scenario::new(&[INIT], "-C demo rekey --all --force"));
}

#[test]
fn issue() {
    cut(Scenario::new(&[INIT], ISSUE));
}

#[test]
fn issue_out() {
    cut(Scenario::new(&[INIT], ISSUE_OUT));
}

#[test]
fn revoke() {
    cut(Scenario::new(&[INIT, ISSUE], "-C demo revoke app --force"));
}

#[test]
fn crl() {
    cut(Scenario::new(&[INIT], "-C demo crl"));
}

#[test]
fn ca_renew() {
    cut(Scenario::new(&[INIT], "-C demo ca renew --force"));
}

#[test]
fn ca_passphrase() {
    cut_into(FEWER, Scenario::ca_passphrase());
}

#[test]
fn ca_passphrase_elsewhere() {
    cut_into(FEWER, Scenario::ca_passphrase_elsewhere());
}

#[test]
fn config_rollback() {
    let scenario = Scenario::config_apply();
    let applied = scenario.zpki(&scenario.command).status().unwrap();
    assert!(applied.success());
    cut(scenario.begun_here().followed_by(
        "-C demo --yes config rollback --haproxy haproxy.cfg --server-conf server1=repo/server.conf \
         --validate true",
    ));
}

#[test]
fn apply() {
    let scenario = Scenario::new(&[INIT], "-C demo apply");
    let text = scenario.sandbox.read("demo/zpki.toml");
    let text = text + "\n[[clients]]\nname = \"scheduler\"\n";
    scenario.sandbox.file("demo/zpki.toml", text);
    cut(scenario.begun_here());
}

#[test]
fn config_apply() {
    cut(Scenario::config_apply());
}

#[test]
fn backup() {
    cut(Scenario::new(&[INIT], "-C demo backup demo.tar"));
}

#[test]
fn export() {
    cut(Scenario::new(
        &[INIT],
        "-C demo export server1 --format key-cert --out key-cert.pem",
    ));
}

/// The power is cut once more, when the run is at work that puts in order what a killed one has left.
#[test]
fn recovery() {
    for (call, file) in [(1, "intent"), (2, "journal")] {
        let scenario = Scenario::new(&[INIT], ADD_SERVER);
        scenario.stop(Fault::Killed, "renameat", call).unwrap();
        let scenario = scenario.begun_here().followed_by("-C demo apply");
        assert!(scenario.path("demo/.zpki").join(file).exists(), "{file}");
        cut(scenario);
    }
}

#[test]
fn config_recovery() {
    let scenario = Scenario::config_apply();
    scenario.stop(Fault::Killed, "fsync", 8).unwrap();
    assert!(scenario.path(".zpki-exchange").exists());
    cut(scenario.begun_here());
}

/// A disk that does not heed what zpki forces to it shows that these tests would find what is not forced.
#[test]
fn syncs_that_are_not_heeded_are_missed() {
    type Heeded = fn(&Call) -> bool;
    let none: Heeded = |_| false;
    let not_syncfs: Heeded = |call| !matches!(call, Call::SyncAll);
    let not_fsync: Heeded = |call| matches!(call, Call::SyncAll);
    let told = "it had been told";
    let cases = [
        (Scenario::new(&[], INIT), none, "file-damaged"),
        (Scenario::new(&[], INIT), not_syncfs, "file-damaged"),
        (Scenario::new(&[INIT], ADD_SERVER), none, told),
        (Scenario::new(&[INIT], ADD_SERVER), not_syncfs, "Lost"),
        (Scenario::new(&[INIT], ADD_SERVER), not_fsync, "half"),
        (
            Scenario::config_apply(),
            none,
            "neither the old nor the new",
        ),
    ];
    for (scenario, heeded, expected) in cases {
        let violations = Run::record(&scenario, &[]).violations(heeded, STATES);
        let is_found = violations.iter().any(|it| it.contains(expected));
        let command = &scenario.command;
        assert!(is_found, "{command:?}: no {expected:?} in {violations:#?}");
    }
}

fn cut(scenario: Scenario) {
    cut_into(STATES, scenario);
}

fn cut_into(states: u64, scenario: Scenario) {
    for options in WAYS {
        let run = Run::record(&scenario, options);
        let violations = run.violations(|_| true, states);
        assert!(violations.is_empty(), "{}", violations.join("\n"));
    }
}

/// A run that has come to its end, and the states around it.
struct Run<'a> {
    scenario: &'a Scenario,
    calls: Vec<Traced>,
    before: Found,
    after: Found,
}

/// What there is before a run, and after it.
struct Found {
    findings: Option<BTreeSet<String>>,
    tree: Tree,
}

impl Found {
    fn now(scenario: &Scenario) -> Self {
        Self {
            findings: scenario.findings(),
            tree: scenario.sandbox.tree(),
        }
    }
}

impl<'a> Run<'a> {
    fn record(scenario: &'a Scenario, options: &[&str]) -> Self {
        scenario.go_back();
        let before = Found::now(scenario);
        let calls = record(scenario, options);
        let after = Found::now(scenario);
        let run = Self {
            scenario,
            calls,
            before,
            after,
        };
        run.disk_is_true();
        run
    }

    /// The disk, if it forgets nothing, holds what the real one does.
    fn disk_is_true(&self) {
        let disk = Disk::new(&self.scenario.before, &self.calls, |_| true);
        disk.after_cut(usize::MAX, |_| true)
            .write(&self.scenario.path(""));
        assert_eq!(self.scenario.sandbox.tree(), self.after.tree);
    }

    /// What goes wrong after a loss of power, if the disk heeds the syncs that are `honoured`.
    fn violations(&self, honoured: fn(&Call) -> bool, states: u64) -> Vec<String> {
        let disk = Disk::new(&self.scenario.before, &self.calls, honoured);
        let (seed, limit) = (number("SEED", SEED), number("STATES", states));
        let mut violations = Vec::new();
        let (mut tried, mut known) = (HashSet::new(), HashSet::new());
        for (moment, survivors) in candidates(&disk, &mut Random::new(seed)) {
            if tried.len() as u64 >= limit {
                break;
            }
            let survives = |index: usize| survivors.include(index, &disk.changes[index]);
            let image = disk.after_cut(moment, survives);
            let is_told = moment >= disk.told;
            if !tried.insert((image.digest(), is_told)) {
                continue;
            }
            let mut judged = self.judge(&image, is_told, &mut known);
            if tried.len().is_multiple_of(AT_ONCE) {
                image.write(&self.scenario.path(""));
                judged = judged.and_then(|()| self.goes_on());
            }
            if let Err(what) = judged {
                violations.push(format!("{what}: {}", disk.shown(moment, survives)));
            }
        }
        let (command, count) = (self.scenario.command.join(" "), violations.len());
        let states = tried.len();
        report(&format!(
            "{command}: {states} states, SEED={seed}: {count} violations"
        ));
        violations
    }

    /// What is wrong with a state in which the power came back, and with what zpki makes of it. The command
    /// is run again where what is `known` does not say what comes of that.
    fn judge(
        &self,
        image: &Image,
        is_told: bool,
        known: &mut HashSet<Digest>,
    ) -> Result<(), String> {
        let Self {
            scenario,
            before,
            after,
            ..
        } = self;
        image.write(&scenario.path(""));
        let found = scenario.findings();
        ensure(
            found == after.findings || (!is_told && found == before.findings),
            || format!("check finds {found:?}"),
        )?;
        scenario.recover()?;
        let tree = scenario.sandbox.tree();
        let [from_before, from_after] = [before, after].map(|it| changes(&tree, &it.tree));
        let torn: Vec<_> = from_before.intersection(&from_after).collect();
        ensure(torn.is_empty(), || {
            format!("neither the old nor the new: {torn:?}")
        })?;
        let is_of_unit = |it: &&String| it[2..].starts_with(scenario.unit);
        let (old, new) = (
            from_before.iter().filter(is_of_unit).count() == 0,
            from_after.iter().filter(is_of_unit).count() == 0,
        );
        ensure(old || new, || {
            format!("half: {from_before:?}, {from_after:?}")
        })?;
        ensure(!is_told || from_after.is_empty(), || {
            format!("it had been told: {from_after:?}")
        })?;
        if known.insert(Image::read(&scenario.path("")).digest()) {
            self.goes_on()?;
        }
        Ok(())
    }

    /// That the same command does what is left to do, or says that it is done.
    fn goes_on(&self) -> Result<(), String> {
        let scenario = self.scenario;
        let again = scenario.sandbox.args(&scenario.command).now(now()).run();
        let status = again.status_alone();
        ensure([0, 73].contains(&status), || {
            format!("the next run: {status}")
        })?;
        let found = scenario.findings();
        ensure(found == self.after.findings, || {
            format!("then check finds {found:?}")
        })?;
        let left = scenario.left();
        ensure(left.is_empty(), || format!("left: {left:?}"))?;
        scenario.serials();
        if scenario.path("out").exists() {
            self.handed_out();
        }
        Ok(())
    }

    /// That what was handed out is a key and its certificate, the only one of that name in the inventory.
    fn handed_out(&self) {
        let read = |path: &Path| fs::read(path).unwrap();
        let path = |name: &str| self.scenario.path("out").join(name);
        let certificate = X509::from_pem(&read(&path("other.cert.pem"))).unwrap();
        let key = PKey::private_key_from_pem(&read(&path("other.key.pem"))).unwrap();
        assert!(certificate.public_key().unwrap().public_eq(&key));
        let issued = fs::read_dir(self.scenario.path("demo/ca/issued/other")).unwrap();
        let issued: Vec<_> = issued.map(|it| read(&it.unwrap().path())).collect();
        assert_eq!(issued.len(), 1);
        assert!(X509::from_pem(&issued[0]).unwrap() == certificate);
    }
}

fn ensure(is_so: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(what()) }
}

/// What differs between two states and is not zpki's own.
fn changes(tree: &Tree, before: &Tree) -> BTreeSet<String> {
    let changes = tree.changes_since(before, "").into_iter();
    let is_own = |path: &Path| {
        path.iter()
            .any(|it| it.as_encoded_bytes().starts_with(b"."))
    };
    changes.filter(|it| !is_own(Path::new(&it[2..]))).collect()
}

/// What of the pending changes has come to the disk before the power was cut.
#[derive(Clone, Copy, Debug)]
enum Survivors {
    All,
    AllBut(usize),
    /// Files are empty, or of zeros, or come to an end in the middle; modes are those of the beginning.
    AllButKinds(&'static [Kind]),
    /// Later ones, and not earlier ones.
    From(usize),
    None,
    Only(usize),
    Some(u64),
}

const FORGOTTEN: [&[Kind]; 5] = [
    &[Kind::Size(Half::First), Kind::Size(Half::Second)],
    &[Kind::Bytes(Half::First), Kind::Bytes(Half::Second)],
    &[Kind::Size(Half::Second)],
    &[Kind::Mode],
    &[Kind::Names],
];

impl Survivors {
    fn include(self, index: usize, change: &Change) -> bool {
        match self {
            Self::All => true,
            Self::AllBut(lost) => index != lost,
            Self::AllButKinds(kinds) => !kinds.contains(&change.kind),
            Self::From(first) => index >= first,
            Self::None => false,
            Self::Only(survivor) => index == survivor,
            Self::Some(seed) => Random::new(seed ^ index as u64).one_in(2),
        }
    }
}

/// The states that are to be tried, those that tell most first: when the user has been told of the success,
/// then around each sync. The others come by chance.
fn candidates(disk: &Disk, random: &mut Random) -> Vec<(usize, Survivors)> {
    let (mut told, mut at_syncs, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for &moment in &disk.moments {
        let plain = [Survivors::None, Survivors::All].into_iter();
        let plain = plain.chain(FORGOTTEN.map(Survivors::AllButKinds));
        let each = |index| {
            let without = Survivors::AllBut(index);
            [without, Survivors::From(index), Survivors::Only(index)]
        };
        let single = disk.pending(moment).flat_map(|(index, _)| each(index));
        let by_chance = (0..4).map(|_| Survivors::Some(random.next()));
        let is_told = moment >= disk.told;
        let to_plain = match disk.is_at_a_sync(moment) {
            _ if is_told => &mut told,
            true => &mut at_syncs,
            false => &mut others,
        };
        to_plain.extend(plain.map(|it| (moment, it)));
        let to_others = if is_told { &mut told } else { &mut others };
        to_others.extend(single.chain(by_chance).map(|it| (moment, it)));
    }
    random.shuffle(&mut at_syncs);
    random.shuffle(&mut others);
    [told, at_syncs, others].concat()
}

fn number(variable: &str, otherwise: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(otherwise, |it| it.parse().unwrap())
}

#[expect(
    clippy::print_stderr,
    reason = "cargo shows it with a failure, and with --nocapture"
)]
fn report(what: &str) {
    eprintln!("{what}");
}
