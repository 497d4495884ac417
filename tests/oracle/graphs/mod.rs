//! Random graphs of certificates, judged by zpki and, in this process, by OpenSSL, for every consumer:
//! both must accept, or refuse for the same reason at the same depth.
//!
//! `GRAPHS` says how many, `SEED` which is the first; `make fuzz` sets them.

mod certificate;
mod crl;
mod encoding;
mod generate;
mod judges;
mod keys;
mod random;

use std::collections::BTreeSet;
use std::env;
use std::fmt::Write;

use rayon::prelude::*;

use generate::Graph;
use judges::{Answer, Openssl, POLICIES, Zpki};
use keys::Keys;

#[test]
fn zpki_says_of_random_graphs_what_openssl_says() {
    let (first, count) = (number("SEED", 1), number("GRAPHS", 2000));
    let keys = Keys::generate();
    let seeds = (first..first + count).into_par_iter();
    let differences: Vec<String> = seeds.filter_map(|seed| difference(seed, &keys)).collect();
    assert!(
        differences.is_empty(),
        "{}\n{} of {count} graphs from {first} on differ",
        differences[..differences.len().min(5)].concat(),
        differences.len()
    );
}

/// Graphs that all fail at the first rule would prove nothing.
#[test]
fn some_random_graphs_are_accepted_and_the_others_break_most_rules() {
    let keys = Keys::generate();
    let answers: Vec<Answer> = (1..1000)
        .into_par_iter()
        .flat_map_iter(|seed| {
            let graph = Graph::random(seed);
            let encoded = Encoded::new(&graph, &keys);
            let openssl = Openssl::new(&graph, &encoded);
            POLICIES.map(|policy| openssl.answer(policy))
        })
        .collect();
    let is_accepted = |answer: &&Answer| **answer == Answer::Accepted;
    let accepted = answers.iter().filter(is_accepted).count();
    assert!(accepted * 10 > answers.len(), "{accepted}");
    let errors = answers.iter().filter_map(|answer| match answer {
        Answer::Refused { error, .. } => Some(*error),
        _ => None,
    });
    let errors: BTreeSet<u32> = errors.collect();
    assert!(errors.len() >= 25, "{errors:?}");
}

/// A number of the environment.
fn number(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// What the judges say of the graph of a seed when that is not the same, and the graph.
fn difference(seed: u64, keys: &Keys) -> Option<String> {
    let graph = Graph::random(seed);
    let encoded = Encoded::new(&graph, keys);
    let openssl = Openssl::new(&graph, &encoded);
    let zpki = Zpki::new(&graph, &encoded);
    let mut told = String::new();
    for policy in POLICIES {
        let (theirs, ours) = (openssl.answer(policy), zpki.answer(policy));
        if !agree(theirs, ours) {
            writeln!(told, "{policy:?}: OpenSSL {theirs:?}, zpki {ours:?}").unwrap();
        }
    }
    (!told.is_empty()).then(|| format!("SEED={seed} GRAPHS=1\n{told}{}", shown(&graph, &encoded)))
}

/// The DER of a graph.
struct Encoded {
    certificates: Vec<Vec<u8>>,
    crls: Option<Vec<Vec<u8>>>,
}

impl Encoded {
    fn new(graph: &Graph, keys: &Keys) -> Self {
        let certificates = graph.certificates.iter();
        let crls = graph.crls.as_ref();
        Self {
            certificates: certificates.map(|it| it.encoded(keys)).collect(),
            crls: crls.map(|crls| crls.iter().map(|crl| crl.encoded(keys)).collect()),
        }
    }
}

/// Whether zpki says the same, or does not know what OpenSSL finds last of all.
fn agree(theirs: Answer, ours: Answer) -> bool {
    const UNNESTED_RESOURCE: u32 = 46;
    match (theirs, ours) {
        (Answer::Accepted, Answer::Unknown) => true,
        (Answer::Refused { error, .. }, Answer::Unknown) => error == UNNESTED_RESOURCE,
        _ => theirs == ours,
    }
}

/// A graph so that a person can follow it, and give it to `openssl verify`.
fn shown(graph: &Graph, encoded: &Encoded) -> String {
    let mut text = format!(
        "host {:?}; sent {:?}; trusted {:?}\n",
        graph.host, graph.sent, graph.trusted
    );
    for (at, certificate) in graph.certificates.iter().enumerate() {
        writeln!(text, "certificate {at}: {certificate:?}").unwrap();
    }
    for crl in graph.crls.iter().flatten() {
        writeln!(text, "{crl:?}").unwrap();
    }
    text += &pem("CERTIFICATE", &encoded.certificates);
    text + &encoded
        .crls
        .as_ref()
        .map_or_else(String::new, |crls| pem("X509 CRL", crls))
}

fn pem(label: &str, encoded: &[Vec<u8>]) -> String {
    let blocks = encoded
        .iter()
        .map(|der| pem::Pem::new(label, der.as_slice()));
    pem::encode_many(&blocks.collect::<Vec<_>>())
}
