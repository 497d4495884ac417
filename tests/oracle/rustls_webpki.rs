//! rustls-webpki: the certification paths, purposes, names and CRLs as rustls checks them.

use std::path::Path;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{
    CertificateDer, CertificateRevocationListDer, ServerName, TrustAnchor, UnixTime,
};
use webpki::{
    ALL_VERIFICATION_ALGS, BorrowedCertRevocationList, CertRevocationList, EndEntityCert, Error,
    ExpirationPolicy, KeyUsage, RevocationCheckDepth, RevocationOptionsBuilder,
    UnknownStatusPolicy, anchor_from_trusted_cert,
};

use super::pki::{ALGORITHMS, Pki, end_entities, small_cluster};

#[test]
fn every_certificate_is_good_for_its_purposes_and_names_and_for_no_others() {
    let pki = Pki::of_cluster();
    let judge = Judge::of(&pki);
    for entity in end_entities() {
        let file = pki.path(&entity.certificate);
        for (usage, meant) in [
            (server_auth(), entity.server_auth),
            (client_auth(), entity.client_auth),
        ] {
            let verdict = judge.verdict(&file, usage);
            if meant {
                assert_eq!(verdict, Ok(()), "{}", entity.name);
            } else {
                let refused = matches!(verdict, Err(Error::RequiredEkuNotFoundContext(_)));
                assert!(refused, "{}: {verdict:?}", entity.name);
            }
        }
        for host in &entity.hosts {
            let (_, host) = host.split_once(':').unwrap();
            let host = host.to_lowercase().replace('*', "any");
            assert_eq!(has_name(&file, &host), Ok(()), "{}: {host}", entity.name);
        }
        for other in [
            "other.prod.internal",
            "prod.internal",
            "10.0.0.99",
            "fd00::99",
        ] {
            assert!(has_name(&file, other).is_err(), "{}: {other}", entity.name);
        }
    }
}

#[test]
fn a_ca_of_every_algorithm_signs_what_webpki_takes() {
    for algorithm in ALGORITHMS {
        let pki = Pki::of_algorithm(algorithm);
        let judge = Judge::of(&pki);
        let server = pki.path("servers/server1/zato-server-cert.pem");
        assert_eq!(judge.verdict(&server, server_auth()), Ok(()), "{algorithm}");
        let load_balancer = pki.path("load-balancer/key-cert.pem");
        assert_eq!(
            judge.verdict(&load_balancer, client_auth()),
            Ok(()),
            "{algorithm}"
        );
    }
}

#[test]
fn another_ca_does_not_vouch_for_it() {
    let (pki, other) = (
        Pki::of(&small_cluster("ed25519")),
        Pki::of(&small_cluster("ed25519")),
    );
    let server = pki.path("servers/server1/zato-server-cert.pem");
    let verdict = Judge::of(&other).verdict(&server, server_auth());
    assert_eq!(verdict, Err(Error::UnknownIssuer));
}

#[test]
fn what_is_revoked_is_refused_and_nothing_else() {
    for reason in ["keyCompromise", "unspecified"] {
        let pki = Pki::of(&small_cluster("ed25519"));
        let server = pki.path("servers/server1/zato-server-cert.pem");
        let load_balancer = pki.path("load-balancer/key-cert.pem");
        pki.zpki(&format!("revoke server1 --force --reason {reason}"));
        let judge = Judge::of(&pki);
        assert_eq!(
            judge.verdict(&server, server_auth()),
            Err(Error::CertRevoked)
        );
        assert_eq!(judge.verdict(&load_balancer, client_auth()), Ok(()));
        pki.zpki("rekey server1");
        pki.zpki("crl --lifetime 30d");
        let judge = Judge::of(&pki);
        assert_eq!(judge.verdict(&server, server_auth()), Ok(()));
    }
}

/// A verifier that trusts a CA and has its CRL.
pub(super) struct Judge {
    anchor: TrustAnchor<'static>,
    crl: CertificateRevocationListDer<'static>,
}

impl Judge {
    pub(super) fn of(pki: &Pki) -> Self {
        let ca = CertificateDer::from_pem_file(pki.path("ca/ca.cert.pem")).unwrap();
        let crl = CertificateRevocationListDer::from_pem_file(pki.path("ca/crl.pem"));
        Self {
            anchor: anchor_from_trusted_cert(&ca).unwrap().to_owned(),
            crl: crl.unwrap(),
        }
    }

    /// Whether the certificate in `file` is good for `usage`, now; its status is looked up in the
    /// CRL, which must be current.
    pub(super) fn verdict(&self, file: &Path, usage: KeyUsage) -> Result<(), Error> {
        let certificate = CertificateDer::from_pem_file(file).unwrap();
        let certificate = EndEntityCert::try_from(&certificate)?;
        let crl = CertRevocationList::from(BorrowedCertRevocationList::from_der(&self.crl)?);
        let crls = [&crl];
        let revocation = RevocationOptionsBuilder::new(&crls)
            .unwrap()
            .with_depth(RevocationCheckDepth::Chain)
            .with_status_policy(UnknownStatusPolicy::Deny)
            .with_expiration_policy(ExpirationPolicy::Enforce)
            .build();
        certificate
            .verify_for_usage(
                ALL_VERIFICATION_ALGS,
                std::slice::from_ref(&self.anchor),
                &[],
                UnixTime::now(),
                usage,
                Some(revocation),
                None,
            )
            .map(drop)
    }
}

pub(super) fn server_auth() -> KeyUsage {
    KeyUsage::server_auth()
}

fn client_auth() -> KeyUsage {
    KeyUsage::client_auth()
}

fn has_name(file: &Path, host: &str) -> Result<(), Error> {
    let certificate = CertificateDer::from_pem_file(file).unwrap();
    let name = ServerName::try_from(host).unwrap();
    EndEntityCert::try_from(&certificate)?.verify_is_valid_for_subject_name(&name)
}
