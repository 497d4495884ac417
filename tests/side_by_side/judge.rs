//! What is there in the end, by OpenSSL and by the files themselves, against what the runs said.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use openssl::pkey::PKey;
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{CrlStatus, X509, X509Crl, X509Ref, X509StoreContext};
use serde_json::Value;

use super::Site;
use super::hand::Reported;

impl Site {
    /// Every certificate of the inventory by its serial number, which is the name of its file.
    pub(super) fn inventory(&self) -> BTreeMap<String, X509> {
        let mut inventory = BTreeMap::new();
        for name in fs::read_dir(self.sandbox.path("demo/ca/issued")).unwrap() {
            for file in fs::read_dir(name.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                let certificate = X509::from_pem(&fs::read(&path).unwrap()).unwrap();
                let serial_number = serial_number(&certificate);
                assert_eq!(path.file_stem().unwrap(), &*serial_number);
                let other = inventory.insert(serial_number, certificate);
                assert!(other.is_none(), "{}", path.display());
            }
        }
        inventory
    }

    pub(super) fn judge(&self, reported: &[Reported]) {
        let inventory = self.inventory();
        let ca = X509::from_pem(self.sandbox.read("demo/ca/ca.cert.pem").as_bytes()).unwrap();
        let serial_numbers = |actions: &[&str]| -> Vec<&String> {
            let log = reported.iter().flat_map(|it| &it.log);
            let those = log.filter(|(action, _)| actions.contains(&action.as_str()));
            those.filter_map(|(_, serial)| serial.as_ref()).collect()
        };
        let issued = serial_numbers(&["issue", "renew", "rekey"]);
        let revoked = serial_numbers(&["revoke"]);
        // All of them, each once, and no other.
        assert_eq!(inventory.len(), self.first.len() + issued.len());
        let expected: BTreeSet<_> = self.first.iter().chain(issued.iter().copied()).collect();
        assert_eq!(inventory.keys().collect::<BTreeSet<_>>(), expected);
        for certificate in inventory.values() {
            verify(certificate, &ca);
        }
        self.judge_pairs(reported);
        self.judge_crl(reported, &revoked, &inventory, &ca);
        self.judge_log(reported);
        self.judge_refusals(reported, &revoked, &inventory);
        self.put_right(reported);
        // Every kind of run was there.
        assert!(issued.len() > 500 && revoked.len() > 50);
        assert!(reported.iter().any(|it| !it.refused.is_empty()));
    }

    /// Each private key is that of the certificate beside it.
    fn judge_pairs(&self, reported: &[Reported]) {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (number, reported) in reported.iter().enumerate() {
            let own = reported.own.iter();
            pairs.extend(own.map(|name| {
                let path = format!("out/{number}/{name}");
                (format!("{path}.key.pem"), format!("{path}.cert.pem"))
            }));
        }
        let folders = |directory: &str| -> Vec<String> {
            let directory = Path::new("demo").join(directory);
            let entries = fs::read_dir(self.sandbox.path(&directory)).unwrap();
            let path = |name| directory.join(name).to_str().unwrap().to_owned();
            entries.map(|it| path(it.unwrap().file_name())).collect()
        };
        let both = "demo/load-balancer/key-cert.pem".to_owned();
        pairs.push((both.clone(), both));
        pairs.extend(folders("clients").iter().map(|folder| {
            let file = |what| format!("{folder}/client.{what}.pem");
            (file("key"), file("cert"))
        }));
        let servers = [folders("servers"), folders("retired")].concat();
        pairs.extend(servers.iter().map(|folder| {
            let file = |what| format!("{folder}/zato-server-{what}.pem");
            (file("priv-key"), file("cert"))
        }));
        for (key, certificate) in pairs {
            let private = PKey::private_key_from_pem(self.sandbox.read(&key).as_bytes()).unwrap();
            let certificate = X509::from_pem(self.sandbox.read(certificate).as_bytes()).unwrap();
            assert!(
                certificate.public_key().unwrap().public_eq(&private),
                "{key}"
            );
        }
    }

    /// The CRL has what was revoked, and the last of its numbers, which are all different.
    fn judge_crl(
        &self,
        reported: &[Reported],
        revoked: &[&String],
        inventory: &BTreeMap<String, X509>,
        ca: &X509,
    ) {
        let crl = X509Crl::from_pem(self.sandbox.read("demo/ca/crl.pem").as_bytes()).unwrap();
        assert!(crl.verify(&ca.public_key().unwrap()).unwrap());
        let haproxy = self.sandbox.read("demo/load-balancer/crl.pem");
        assert_eq!(haproxy, self.sandbox.read("demo/ca/crl.pem"));
        let entries = crl.get_revoked().map_or(0, |entries| entries.len());
        assert_eq!(entries, revoked.len());
        let is_revoked = |it: &&X509| matches!(crl.get_by_cert(it), CrlStatus::Revoked(_));
        let found: BTreeSet<String> = inventory
            .values()
            .filter(is_revoked)
            .map(|it| serial_number(it))
            .collect();
        let expected: BTreeSet<String> = revoked.iter().map(|it| (*it).clone()).collect();
        assert_eq!(found, expected);
        assert_eq!(revoked.len(), expected.len());
        let numbers: Vec<u64> = reported
            .iter()
            .flat_map(|it| it.crl_numbers.clone())
            .collect();
        let distinct: BTreeSet<u64> = numbers.iter().copied().collect();
        assert_eq!(distinct.len(), numbers.len());
        let arguments = ["crl", "-in", "demo/ca/crl.pem", "-noout", "-crlnumber"];
        let last = self.sandbox.tool("openssl", &arguments);
        let last = last.trim().strip_prefix("crlNumber=0x").unwrap();
        let last = u64::from_str_radix(last, 16).unwrap();
        assert_eq!(distinct.last(), Some(&last));
    }

    /// One line for each that was done, behind those of the beginning.
    fn judge_log(&self, reported: &[Reported]) {
        let log = self.sandbox.read("demo/ca/log.jsonl");
        let found = log.lines().skip(self.lines).map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let serial_number = line["serialNumber"].as_str().map(str::to_owned);
            match line["action"].as_str().unwrap() {
                // A run does not say which one it puts away.
                "retire" => ("retire".to_owned(), None),
                // Nor, with --force, whether there was one before.
                "issue" | "rekey" => ("make".to_owned(), serial_number),
                action => (action.to_owned(), serial_number),
            }
        });
        let expected = reported.iter().flat_map(|it| it.log.iter().cloned());
        let expected = expected.map(|(action, serial_number)| match action.as_str() {
            "issue" | "rekey" => ("make".to_owned(), serial_number),
            _ => (action, serial_number),
        });
        let (mut found, mut expected): (Vec<_>, Vec<_>) = (found.collect(), expected.collect());
        found.sort();
        expected.sort();
        assert!(found == expected, "{found:#?}\n{expected:#?}");
    }

    /// Only what had been revoked was refused.
    fn judge_refusals(
        &self,
        reported: &[Reported],
        revoked: &[&String],
        inventory: &BTreeMap<String, X509>,
    ) {
        let names: BTreeSet<String> = revoked.iter().map(|it| name(&inventory[*it])).collect();
        for refused in reported.iter().flat_map(|it| &it.refused) {
            assert!(names.contains(refused), "{refused}");
        }
    }

    /// All is well, once what is revoked was issued anew.
    fn put_right(&self, reported: &[Reported]) {
        for folder in fs::read_dir(self.sandbox.path("demo/clients")).unwrap() {
            let name = folder.unwrap().file_name().into_string().unwrap();
            let issue = self.zpki(&format!("issue {name} --role client --force"));
            assert!(issue.status.success(), "{name}");
        }
        assert!(self.zpki("plan --exit-code").status.success());
        let check = self.zpki("check");
        let said = String::from_utf8(check.stdout).unwrap();
        assert!(check.status.success() && said.starts_with("ok: "), "{said}");
        let mut left: Vec<_> = fs::read_dir(self.sandbox.path("demo/.zpki"))
            .unwrap()
            .map(|it| it.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["generation", "lock"]);
        // A stage in what --out names would be a private key that nobody knows of.
        for (number, reported) in reported.iter().enumerate() {
            let files = fs::read_dir(self.sandbox.path(format!("out/{number}"))).unwrap();
            assert_eq!(files.count(), 2 * reported.own.len() + 1);
        }
    }
}

/// As zpki writes it.
pub(super) fn serial_number(certificate: &X509Ref) -> String {
    let digits = certificate.serial_number().to_bn().unwrap();
    let digits = digits.to_hex_str().unwrap().to_lowercase();
    format!("{digits:0>32}")
}

/// The common name.
fn name(certificate: &X509Ref) -> String {
    let mut names = certificate.subject_name().entries();
    let name = names.find(|it| it.object().nid() == openssl::nid::Nid::COMMONNAME);
    name.unwrap().data().to_string().unwrap()
}

fn verify(certificate: &X509, ca: &X509) {
    let mut store = X509StoreBuilder::new().unwrap();
    store.add_cert(ca.clone()).unwrap();
    let untrusted = Stack::new().unwrap();
    let verdict =
        X509StoreContext::new()
            .unwrap()
            .init(&store.build(), certificate, &untrusted, |context| {
                Ok((context.verify_cert()?, context.error().to_string()))
            });
    let (is_valid, error) = verdict.unwrap();
    assert!(is_valid, "{}: {error}", name(certificate));
}
