//! What the years after `zpki init` cost.
//!
//! `plan` and `apply` with nothing to do, for a thousand entries; and a thousand server certificates
//! issued from a manifest, against what others take for each of a few: the openssl command, certtool,
//! cfssl, mkcert and easy-rsa, each in a loop, with a P-256 key and certificate by a P-256 CA. zpki runs as a
//! process, checks what it made and makes it durable; the others do neither. All take turns, so that
//! whatever else the machine does slows all of them; medians are compared.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use crate::measure::{
    DISK, MEMORY, Row, Table, init, median, milliseconds, run, scratch, time, zpki,
};
use crate::peers::{self, Peer};

const ENTRIES: usize = 1000;
const ROUNDS: usize = 9;
const ISSUED: usize = 1000;
const ROUNDS_OF_ISSUING: usize = 7;
/// By each of the others in a round; easy-rsa, which takes a fifth of a second, makes fewer.
const BY_OTHERS: usize = 7;
const BY_EASY_RSA: usize = 2;

pub(crate) fn rows(table: &mut Table) {
    nothing_to_do(table);
    issue("in memory", MEMORY, ("at least 50", 50.0), table);
    issue("on disk", DISK, ("at least 1", 1.0), table);
}

fn nothing_to_do(table: &mut Table) {
    let scratch = scratch(MEMORY);
    let directory = scratch.path().join("cluster");
    // With the load-balancer.
    init(&directory, ENTRIES - 1);
    for command in ["plan", "apply"] {
        let taken = median((0..ROUNDS).map(|_| {
            let mut zpki = zpki();
            zpki.args([command, "--exit-code", "-C"]).arg(&directory);
            time(|| run(&mut zpki))
        }));
        table.row(&Row {
            what: &format!("{command}, 1,000 entries, nothing to do"),
            zpki: milliseconds(taken),
            required: Some(("below 200 ms", taken < Duration::from_millis(200))),
            ..Row::default()
        });
    }
}

/// Each with how many it makes in a round.
const OTHERS: [(Peer, usize); 5] = [
    (peers::OPENSSL, BY_OTHERS),
    (peers::CERTTOOL, BY_OTHERS),
    (peers::CFSSL, BY_OTHERS),
    (peers::MKCERT, BY_OTHERS),
    (peers::EASY_RSA, BY_EASY_RSA),
];

/// Certificates in a second: a row for each of the others, of which the fastest decides.
fn issue(what: &str, place: &str, (required, least): (&str, f64), table: &mut Table) {
    let scratches = OTHERS.map(|(other, _)| {
        let scratch = scratch(place);
        (other.begin)(scratch.path());
        scratch
    });
    let mut by_zpki = Vec::new();
    let mut by_others = OTHERS.map(|_| Vec::new());
    for round in 0..ROUNDS_OF_ISSUING {
        by_zpki.push(from_manifest(place));
        let others = OTHERS.iter().zip(&scratches);
        for (((other, count), scratch), times) in others.zip(&mut by_others) {
            let mut numbers = round * count..(round + 1) * count;
            let issue = |number| assert!((other.issue)(scratch.path(), number), "{}", other.who);
            times.push(time(|| numbers.by_ref().for_each(issue)));
        }
    }
    let rate = |count: usize, times| count as f64 / median(times).as_secs_f64();
    let zpki = rate(ISSUED, by_zpki);
    let others = OTHERS.iter().zip(by_others);
    let mut others: Vec<(&str, f64)> = others
        .map(|((other, count), times)| (other.who, rate(*count, times)))
        .collect();
    others.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    for (place, (who, rate)) in others.into_iter().enumerate() {
        let times = zpki / rate;
        table.row(&Row {
            what: &format!("issue --from, 1,000 servers, {what}"),
            zpki: format!("{zpki:.0}/s"),
            beside: format!("{who}: {rate:.1}/s"),
            ratio: format!("{times:.1} times its rate"),
            required: (place == 0).then_some((required, times >= least)),
        });
    }
}

fn from_manifest(place: &str) -> Duration {
    let scratch = scratch(place);
    let directory = scratch.path().join("cluster");
    init(&directory, 1);
    let manifest = scratch.path().join("manifest.csv");
    let mut text = "name,role,hosts\n".to_owned();
    for number in 0..ISSUED {
        let _ = writeln!(
            text,
            "app{number},server,app{number}.bench.internal 10.1.0.1"
        );
    }
    fs::write(&manifest, text).unwrap();
    let out = scratch.path().join("out");
    let mut zpki = zpki();
    zpki.arg("issue").arg("-C").arg(&directory);
    zpki.arg("--from").arg(&manifest).arg("--out").arg(&out);
    let taken = time(|| run(&mut zpki));
    let inventory = directory.join("ca/issued");
    assert_eq!(fs::read_dir(inventory).unwrap().count(), ISSUED + 3);
    // Key and certificate of each, and the trust bundle.
    assert_eq!(fs::read_dir(out).unwrap().count(), 2 * ISSUED + 1);
    taken
}
