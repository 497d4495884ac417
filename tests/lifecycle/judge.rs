//! What is in place, judged by OpenSSL.

use std::collections::BTreeSet;
use std::path::Path;

use openssl::nid::Nid;
use openssl::pkey::{Id, PKeyRef, Private};
use openssl::ssl::SslFiletype;
use openssl::stack::Stack;
use openssl::x509::store::{X509Lookup, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509PurposeId, X509StoreContext};

use super::cluster::Entry;
use super::expected::{Folder, folder, private_key};
use super::{Files, Life};

impl Life {
    /// Every entry has all that it should, at this instant.
    pub(super) fn judge(&self) {
        let files = self.read();
        let bytes = |path: &Path| files[path].1.as_slice();
        let ca = bytes(Path::new("ca/ca.cert.pem"));
        assert_eq!(bytes(Path::new("ca/ca-file.pem")), ca);
        for entry in self.cluster.entries() {
            let folder = folder(&self.cluster, entry);
            assert_eq!(bytes(&folder.trust_bundle), ca, "{}", entry.name);
            let certificate = X509::from_pem(bytes(&folder.certificate)).unwrap();
            let key = private_key(bytes(&folder.key));
            assert!(certificate.public_key().unwrap().public_eq(&key));
            assert_eq!(algorithm(&key), entry.algorithm, "{}", entry.name);
            assert_eq!(hosts(&certificate), entry.hosts.iter().cloned().collect());
            for purpose in self.purposes(entry) {
                self.verify(&certificate, &folder, purpose);
            }
            check_modes(&files, &folder);
        }
        if self.cluster.uses_revocation {
            let crl = bytes(Path::new("load-balancer/crl.pem"));
            assert_eq!(crl, bytes(Path::new("ca/crl.pem")));
        }
    }

    fn purposes(&self, entry: &Entry) -> Vec<X509PurposeId> {
        let is_server = self.cluster.servers.contains(entry);
        let is_load_balancer = entry.name == "load-balancer";
        let server = is_server || (is_load_balancer && self.cluster.terminates_tls);
        let client = !is_server || entry.calls_servers;
        let server = server.then_some(X509PurposeId::SSL_SERVER);
        let client = client.then_some(X509PurposeId::SSL_CLIENT);
        server.into_iter().chain(client).collect()
    }

    /// As a peer does that trusts the bundle in the host folder and asks the CRL.
    fn verify(&self, certificate: &X509, folder: &Folder, purpose: X509PurposeId) {
        let mut store = X509StoreBuilder::new().unwrap();
        let root = std::fs::read(self.path("").join(&folder.trust_bundle)).unwrap();
        store.add_cert(X509::from_pem(&root).unwrap()).unwrap();
        let lookup = store.add_lookup(X509Lookup::file()).unwrap();
        let crl = self.path("ca/crl.pem");
        lookup.load_crl_file(&crl, SslFiletype::PEM).unwrap();
        let mut parameters = X509VerifyParam::new().unwrap();
        parameters.set_purpose(purpose).unwrap();
        parameters.set_auth_level(2);
        parameters.set_time(self.now.unix_timestamp());
        let flags = X509VerifyFlags::X509_STRICT | X509VerifyFlags::CRL_CHECK_ALL;
        parameters
            .set_flags(flags | X509VerifyFlags::CRL_CHECK)
            .unwrap();
        store.set_param(&parameters).unwrap();
        let verdict = X509StoreContext::new().unwrap().init(
            &store.build(),
            certificate,
            &Stack::new().unwrap(),
            |context| Ok((context.verify_cert()?, context.error().to_string())),
        );
        let (is_valid, error) = verdict.unwrap();
        assert!(is_valid, "{}: {error}", folder.directory.display());
    }
}

fn algorithm(key: &PKeyRef<Private>) -> &'static str {
    match (key.id(), key.bits()) {
        (Id::ED25519, _) => "ed25519",
        (Id::EC, _) => {
            let curve = key.ec_key().unwrap().group().curve_name();
            match curve {
                Some(Nid::X9_62_PRIME256V1) => "ecdsa-p256",
                Some(Nid::SECP384R1) => "ecdsa-p384",
                other => panic!("{other:?}"),
            }
        }
        other => panic!("{other:?}"),
    }
}

fn hosts(certificate: &X509) -> BTreeSet<String> {
    let names = certificate.subject_alt_names().unwrap();
    let hosts = names
        .iter()
        .map(|name| match (name.dnsname(), name.ipaddress()) {
            (Some(name), _) => name.to_owned(),
            (_, Some(&[a, b, c, d])) => format!("{a}.{b}.{c}.{d}"),
            _ => panic!("a name of another kind"),
        });
    hosts.collect()
}

/// Private keys are their owner's alone.
fn check_modes(files: &Files, folder: &Folder) {
    for (path, (mode, _)) in files
        .iter()
        .filter(|(path, _)| path.starts_with(&folder.directory))
    {
        let expected = if *path == folder.directory {
            0o700
        } else if *path == folder.key {
            0o600
        } else {
            0o644
        };
        assert_eq!(*mode, expected, "{}", path.display());
    }
}
