//! Random graphs of certificates, judged by zpki and, in this process, by OpenSSL, for every consumer:
//! both must accept, or refuse for the same reason at the same depth.
//!
//! `GRAPHS` says how many, `SEED` which is the first; `make fuzz` sets them.

mod certificate;
mod crl;
mod encoding;
mod generate;
mod keys;

use std::collections::BTreeSet;
use std::env;
use std::fmt::Write;

use rayon::prelude::*;

use crate::fuzz::targets::judges::{Answer, Case, Openssl, POLICIES, Zpki, agree};
use generate::Graph;
use keys::Keys;

/// Graphs of which zpki said something else once.
const DIFFERED: [u64; 3] = [1_795_854_918, 1_795_862_915, 1_795_884_700];

#[test]
fn zpki_says_of_random_graphs_what_openssl_says() {
    let (first, count) = (number("SEED", 1), number("GRAPHS", 2000));
    let keys = Keys::generate();
    let seeds = (first..first + count).chain(DIFFERED);
    let seeds: Vec<u64> = seeds.collect();
    let seeds = seeds.into_par_iter();
    let judged: Vec<Judged> = seeds.map(|seed| Judged::new(seed, &keys)).collect();
    let differences = judged.iter().filter_map(|it| it.difference.as_deref());
    let differences: Vec<&str> = differences.collect();
    assert!(
        differences.is_empty(),
        "{}\n{} of {count} graphs from {first} on differ",
        differences[..differences.len().min(5)].concat(),
        differences.len()
    );
    if count >= 1000 {
        assert_many_rules_are_reached(judged.iter().flat_map(|it| it.answers));
    }
}

/// Graphs that are all accepted, or all fail at the first rule, would prove nothing.
fn assert_many_rules_are_reached(answers: impl Iterator<Item = Answer> + Clone) {
    let is_accepted = |answer: &Answer| *answer == Answer::Accepted;
    let (all, accepted) = (
        answers.clone().count(),
        answers.clone().filter(is_accepted).count(),
    );
    assert!(accepted * 10 > all, "{accepted} of {all} are accepted");
    let errors = answers.filter_map(|answer| match answer {
        Answer::Refused { error, .. } => Some(error),
        Answer::Accepted | Answer::Unknown => None,
    });
    let errors: BTreeSet<u32> = errors.collect();
    assert!(errors.len() >= 30, "{errors:?}");
}

/// A number of the environment.
fn number(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// The graph of a seed before its judges.
struct Judged {
    /// What OpenSSL says for each consumer.
    answers: [Answer; POLICIES.len()],
    /// The graph, and what zpki says, when that is not the same.
    difference: Option<String>,
}

impl Judged {
    fn new(seed: u64, keys: &Keys) -> Self {
        let graph = Graph::random(seed);
        let case = graph.encoded(keys);
        let openssl = Openssl::new(&case).expect("OpenSSL reads it");
        let zpki = Zpki::new(&case).expect("zpki reads it");
        let mut told = String::new();
        let answers = POLICIES.map(|policy| {
            let (theirs, ours) = (openssl.answer(policy), zpki.answer(policy));
            if !agree(theirs, ours) {
                writeln!(told, "{policy:?}: OpenSSL {theirs:?}, zpki {ours:?}").unwrap();
            }
            theirs
        });
        let reproduced = || format!("SEED={seed} GRAPHS=1\n{told}{}", shown(&graph, &case));
        Self {
            answers,
            difference: (!told.is_empty()).then(reproduced),
        }
    }
}

/// So many graphs, encoded, for those who need any.
pub(crate) fn cases(count: u64) -> impl Iterator<Item = Case> {
    let keys = Keys::generate();
    (1..=count).map(move |seed| Graph::random(seed).encoded(&keys))
}

impl Graph {
    /// The DER.
    fn encoded(&self, keys: &Keys) -> Case {
        let certificates = self.certificates.iter();
        let crls = self.crls.as_ref();
        Case {
            certificates: certificates.map(|it| it.encoded(keys)).collect(),
            sent: self.sent.clone(),
            trusted: self.trusted.clone(),
            crls: crls.map(|crls| crls.iter().map(|crl| crl.encoded(keys)).collect()),
            host: self.host.map(str::to_owned),
        }
    }
}

/// A graph so that a person can follow it, and give it to `openssl verify`.
fn shown(graph: &Graph, case: &Case) -> String {
    let mut text = String::new();
    for (at, certificate) in graph.certificates.iter().enumerate() {
        writeln!(text, "certificate {at}: {certificate:?}").unwrap();
    }
    for crl in graph.crls.iter().flatten() {
        writeln!(text, "{crl:?}").unwrap();
    }
    format!("{text}{case}")
}
