//! The two judges: OpenSSL's `X509_verify_cert`, as libssl calls it, and zpki.

use std::fs;
use std::net::IpAddr;

use openssl::ssl::SslFiletype;
use openssl::stack::Stack;
use openssl::x509::store::{X509Lookup, X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509PurposeId, X509StoreContext};
use tempfile::NamedTempFile;
use zpki::verify::path::Pool;
use zpki::verify::policy::{NameMatching, Policy, Purpose};
use zpki::verify::signatures::CheckedSignatures;
use zpki::verify::verdict::{Context, judge};
use zpki::x509::path_certificate::PathCertificate;
use zpki::x509::path_crl::PathCrl;

use super::certificate::AT;
use super::generate::Graph;
use super::{Encoded, pem};

/// What a judge says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Answer {
    Accepted,
    /// With OpenSSL's number of the rule.
    Refused {
        error: u32,
        depth: usize,
    },
    /// zpki alone says so: a signature of a kind that it cannot check.
    Unknown,
}

/// The four consumers.
pub(super) const POLICIES: [Policy; 4] = [
    Policy::HaproxyServer,
    Policy::ServerClient,
    Policy::Strict(Purpose::Client),
    Policy::Strict(Purpose::Server),
];

/// The host that is asked for. HAProxy's comparison of names is not OpenSSL's.
fn host_for(graph: &Graph, policy: Policy) -> Option<&'static str> {
    let is_openssl = policy.name_matching() == NameMatching::Openssl;
    graph.host.filter(|_| is_openssl)
}

/// A graph as OpenSSL reads it.
pub(super) struct Openssl<'a> {
    graph: &'a Graph,
    certificates: Vec<X509>,
    /// A file of CRLs: the openssl crate reads no others into a store.
    crl_file: Option<NamedTempFile>,
}

impl<'a> Openssl<'a> {
    pub(super) fn new(graph: &'a Graph, encoded: &Encoded) -> Self {
        let read = |der: &Vec<u8>| X509::from_der(der).unwrap();
        let crl_file = encoded.crls.as_ref().map(|crls| {
            let file = NamedTempFile::new().unwrap();
            fs::write(&file, pem("X509 CRL", crls)).unwrap();
            file
        });
        Self {
            graph,
            certificates: encoded.certificates.iter().map(read).collect(),
            crl_file,
        }
    }

    pub(super) fn answer(&self, policy: Policy) -> Answer {
        let store = self.store(policy);
        let mut sent = Stack::new().unwrap();
        for at in &self.graph.sent {
            sent.push(self.certificates[*at].clone()).unwrap();
        }
        let mut context = X509StoreContext::new().unwrap();
        let verify = |context: &mut openssl::x509::X509StoreContextRef| {
            let is_valid = context.verify_cert()?;
            Ok((is_valid, context.error().as_raw(), context.error_depth()))
        };
        let leaf = &self.certificates[0];
        match context.init(&store, leaf, &sent, verify).unwrap() {
            (true, ..) => Answer::Accepted,
            (false, error, depth) => Answer::Refused {
                error: error as u32,
                depth: depth as usize,
            },
        }
    }

    fn store(&self, policy: Policy) -> X509Store {
        let mut store = X509StoreBuilder::new().unwrap();
        for at in &self.graph.trusted {
            store.add_cert(self.certificates[*at].clone()).unwrap();
        }
        if let Some(file) = &self.crl_file {
            let lookup = store.add_lookup(X509Lookup::file()).unwrap();
            // An empty file is an error that leaves no CRL behind.
            let _ = lookup.load_crl_file(file, SslFiletype::PEM);
        }
        store.set_param(&parameters(self.graph, policy)).unwrap();
        store.build()
    }
}

/// As libssl sets them, with its depth and trust, which follow from the purpose.
fn parameters(graph: &Graph, policy: Policy) -> X509VerifyParam {
    let mut parameters = X509VerifyParam::new().unwrap();
    let purpose = match policy.purpose() {
        Purpose::Client => X509PurposeId::SSL_CLIENT,
        Purpose::Server => X509PurposeId::SSL_SERVER,
    };
    parameters.set_purpose(purpose).unwrap();
    parameters.set_auth_level(2);
    parameters.set_time(AT.unix_timestamp());
    if policy.is_strict() {
        let flags = X509VerifyFlags::X509_STRICT | X509VerifyFlags::PARTIAL_CHAIN;
        parameters.set_flags(flags).unwrap();
    }
    if graph.crls.is_some() {
        let flags = X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL;
        parameters.set_flags(flags).unwrap();
    }
    if let Some(host) = host_for(graph, policy) {
        match host.parse::<IpAddr>() {
            Ok(address) => parameters.set_ip(address).unwrap(),
            Err(_) => parameters.set_host(host).unwrap(),
        }
    }
    parameters
}

/// A graph as zpki reads it.
pub(super) struct Zpki<'a> {
    graph: &'a Graph,
    leaf: PathCertificate,
    sent: Vec<PathCertificate>,
    trusted: Vec<PathCertificate>,
    crls: Option<Vec<PathCrl>>,
    signatures: CheckedSignatures,
}

impl<'a> Zpki<'a> {
    pub(super) fn new(graph: &'a Graph, encoded: &Encoded) -> Self {
        let read = |der: &Vec<u8>| PathCertificate::from_der(der).unwrap();
        let certificates: Vec<_> = encoded.certificates.iter().map(read).collect();
        let read_crl = |der: &Vec<u8>| PathCrl::from_der(der).unwrap();
        let crls = encoded.crls.as_ref();
        let pool = |pool: &[usize]| pool.iter().map(|at| certificates[*at].clone()).collect();
        Self {
            graph,
            leaf: certificates[0].clone(),
            sent: pool(&graph.sent),
            trusted: pool(&graph.trusted),
            crls: crls.map(|crls| crls.iter().map(read_crl).collect()),
            signatures: CheckedSignatures::default(),
        }
    }

    pub(super) fn answer(&self, policy: Policy) -> Answer {
        let host = host_for(self.graph, policy).map(str::to_owned);
        let context = Context {
            sent: &Pool::new(&self.sent),
            trusted: &Pool::new(&self.trusted),
            crls: self.crls.as_deref(),
            hosts: host.as_slice(),
            at: AT,
            signatures: &self.signatures,
        };
        let verdict = judge(&self.leaf, policy, &context);
        let Some(first) = verdict.reasons.first() else {
            return Answer::Accepted;
        };
        first
            .rule
            .openssl_error()
            .map_or(Answer::Unknown, |error| Answer::Refused {
                error,
                depth: first.depth,
            })
    }
}
