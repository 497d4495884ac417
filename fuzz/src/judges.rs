//! The two judges of a certification path: OpenSSL's `X509_verify_cert`, as libssl calls it, and zpki.

use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;

use openssl::ssl::SslFiletype;
use openssl::stack::Stack;
use openssl::x509::store::{X509Lookup, X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509Crl, X509PurposeId, X509StoreContext, X509StoreContextRef};
use tempfile::NamedTempFile;
use time::OffsetDateTime;
use time::macros::datetime;
use zpki::verify::path::Pool;
use zpki::verify::policy::{NameMatching, Policy, Purpose};
use zpki::verify::signatures::CheckedSignatures;
use zpki::verify::verdict::{Context, judge};
use zpki::x509::path_certificate::PathCertificate;
use zpki::x509::path_crl::PathCrl;
use zpki::x509::pem;

/// The instant that is judged for.
pub const AT: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);

/// What is judged, in DER.
#[derive(Debug, Default)]
pub struct Case {
    /// The first is the end entity's.
    pub certificates: Vec<Vec<u8>>,
    /// Which of them the peer sends, beside the first.
    pub sent: Vec<usize>,
    /// Which of them are trusted.
    pub trusted: Vec<usize>,
    /// None where revocation is not looked at.
    pub crls: Option<Vec<Vec<u8>>>,
    /// The host that is asked for.
    pub host: Option<String>,
}

/// What a judge says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// It is valid.
    Accepted,
    /// With OpenSSL's number of the rule.
    Refused {
        /// The number.
        error: u32,
        /// Which certificate of the path.
        depth: usize,
    },
    /// zpki alone says so: a signature of a kind that it cannot check.
    Unknown,
}

/// The four consumers.
pub const POLICIES: [Policy; 4] = [
    Policy::HaproxyServer,
    Policy::ServerClient,
    Policy::Strict(Purpose::Client),
    Policy::Strict(Purpose::Server),
];

/// Whether zpki says the same; or does not know what OpenSSL finds last of all, or what it makes of the
/// signature of a CRL, which of an algorithm that it does not know itself is a wrong one for OpenSSL.
#[must_use]
pub fn agree(theirs: Answer, ours: Answer) -> bool {
    const CRL_SIGNATURE_FAILURE: u32 = 8;
    const UNNESTED_RESOURCE: u32 = 46;
    match (theirs, ours) {
        (Answer::Accepted, Answer::Unknown) => true,
        (Answer::Refused { error, .. }, Answer::Unknown) => {
            [CRL_SIGNATURE_FAILURE, UNNESTED_RESOURCE].contains(&error)
        }
        _ => theirs == ours,
    }
}

impl Case {
    /// HAProxy's comparison of names is not OpenSSL's.
    fn host_for(&self, policy: Policy) -> Option<&str> {
        let is_openssl = policy.name_matching() == NameMatching::Openssl;
        self.host.as_deref().filter(|_| is_openssl)
    }
}

/// As one can give it to `openssl verify`.
impl Display for Case {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            host,
            sent,
            trusted,
            ..
        } = self;
        writeln!(f, "host {host:?}; sent {sent:?}; trusted {trusted:?}")?;
        for certificate in &self.certificates {
            f.write_str(&pem::encode("CERTIFICATE", certificate))?;
        }
        let mut crls = self.crls.iter().flatten();
        crls.try_for_each(|crl| f.write_str(&pem::encode("X509 CRL", crl)))
    }
}

/// A case as OpenSSL reads it.
pub struct Openssl<'a> {
    case: &'a Case,
    certificates: Vec<X509>,
    /// A file of CRLs: the openssl crate reads no others into a store.
    crl_file: Option<NamedTempFile>,
}

impl<'a> Openssl<'a> {
    /// None where there is something that it cannot read. A key may be such a thing: zpki looks at its
    /// kind and size, and not whether there can be such a point or modulus.
    #[must_use]
    pub fn new(case: &'a Case) -> Option<Self> {
        let certificates = case.certificates.iter().map(|der| {
            let certificate = X509::from_der(der).ok()?;
            certificate.public_key().is_ok().then_some(certificate)
        });
        let mut crls = case.crls.iter().flatten();
        if crls.any(|der| X509Crl::from_der(der).is_err()) {
            return None;
        }
        Some(Self {
            case,
            certificates: certificates.collect::<Option<_>>()?,
            crl_file: case.crls.as_deref().map(crl_file),
        })
    }

    /// What it says for this consumer.
    #[must_use]
    pub fn answer(&self, policy: Policy) -> Answer {
        let store = self.store(policy);
        let mut sent = Stack::new().expect("there is memory");
        for at in &self.case.sent {
            let certificate = self.certificates[*at].clone();
            sent.push(certificate).expect("there is memory");
        }
        let verify = |context: &mut X509StoreContextRef| {
            let is_valid = context.verify_cert()?;
            Ok((is_valid, context.error().as_raw(), context.error_depth()))
        };
        let mut context = X509StoreContext::new().expect("there is memory");
        let verified = context.init(&store, &self.certificates[0], &sent, verify);
        match verified.expect("it is a judge") {
            (true, ..) => Answer::Accepted,
            (false, error, depth) => Answer::Refused {
                error: error as u32,
                depth: depth as usize,
            },
        }
    }

    fn store(&self, policy: Policy) -> X509Store {
        let mut store = X509StoreBuilder::new().expect("there is memory");
        for at in &self.case.trusted {
            let certificate = self.certificates[*at].clone();
            store.add_cert(certificate).expect("there is memory");
        }
        if let Some(file) = &self.crl_file {
            let lookup = store.add_lookup(X509Lookup::file());
            // An empty file is an error that leaves no CRL behind.
            let _ = lookup
                .expect("there is memory")
                .load_crl_file(file, SslFiletype::PEM);
        }
        let parameters = parameters(self.case, policy);
        store.set_param(&parameters).expect("there is memory");
        store.build()
    }
}

fn crl_file(crls: &[Vec<u8>]) -> NamedTempFile {
    let file = NamedTempFile::new().expect("there is a disk");
    let blocks: String = crls
        .iter()
        .map(|crl| pem::encode("X509 CRL", crl))
        .collect();
    std::fs::write(&file, blocks).expect("there is a disk");
    file
}

/// As libssl sets them, with its depth and trust, which follow from the purpose.
fn parameters(case: &Case, policy: Policy) -> X509VerifyParam {
    let mut parameters = X509VerifyParam::new().expect("there is memory");
    let purpose = match policy.purpose() {
        Purpose::Client => X509PurposeId::SSL_CLIENT,
        Purpose::Server => X509PurposeId::SSL_SERVER,
    };
    parameters.set_purpose(purpose).expect("it is one");
    parameters.set_auth_level(2);
    parameters.set_time(AT.unix_timestamp());
    let mut flags = X509VerifyFlags::empty();
    if policy.is_strict() {
        flags |= X509VerifyFlags::X509_STRICT | X509VerifyFlags::PARTIAL_CHAIN;
    }
    if case.crls.is_some() {
        flags |= X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL;
    }
    parameters.set_flags(flags).expect("they are flags");
    if let Some(host) = case.host_for(policy) {
        let set = match host.parse::<IpAddr>() {
            Ok(address) => parameters.set_ip(address),
            Err(_) => parameters.set_host(host),
        };
        set.expect("it is a host");
    }
    parameters
}

/// A case as zpki reads it.
pub struct Zpki<'a> {
    case: &'a Case,
    leaf: PathCertificate,
    sent: Vec<PathCertificate>,
    trusted: Vec<PathCertificate>,
    crls: Option<Vec<PathCrl>>,
    signatures: CheckedSignatures,
}

impl<'a> Zpki<'a> {
    /// None where there is something that it cannot read.
    #[must_use]
    pub fn new(case: &'a Case) -> Option<Self> {
        let certificates = case.certificates.iter();
        let certificates = certificates.map(|der| PathCertificate::from_der(der).ok());
        let certificates: Vec<_> = certificates.collect::<Option<_>>()?;
        let read_crls = |crls: &Vec<Vec<u8>>| {
            let crls = crls.iter().map(|der| PathCrl::from_der(der).ok());
            crls.collect::<Option<Vec<_>>>()
        };
        let pool = |pool: &[usize]| pool.iter().map(|at| certificates[*at].clone()).collect();
        Some(Self {
            case,
            leaf: certificates.first()?.clone(),
            sent: pool(&case.sent),
            trusted: pool(&case.trusted),
            crls: match &case.crls {
                Some(crls) => Some(read_crls(crls)?),
                None => None,
            },
            signatures: CheckedSignatures::default(),
        })
    }

    /// What it says for this consumer.
    ///
    /// # Panics
    /// When the path is longer than OpenSSL follows one, or a reason cannot be shown.
    #[must_use]
    pub fn answer(&self, policy: Policy) -> Answer {
        let host = self.case.host_for(policy).map(str::to_owned);
        let context = Context {
            sent: &Pool::new(&self.sent),
            trusted: &Pool::new(&self.trusted),
            crls: self.crls.as_deref(),
            hosts: host.as_slice(),
            at: AT,
            signatures: &self.signatures,
        };
        let verdict = judge(&self.leaf, policy, &context);
        assert!(verdict.path.certificates.len() <= 102);
        for reason in &verdict.reasons {
            super::assert_harmless(&reason.rule);
        }
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
