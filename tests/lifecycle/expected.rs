//! What `apply` may change and what it must, worked out without the program.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Crl};
use time::OffsetDateTime;

use super::cluster::{Cluster, Entry};
use super::damage::{Damaged, State};
use super::{Files, Life};

/// One `apply`.
pub(super) struct Change<'a> {
    pub(super) now: OffsetDateTime,
    /// What zpki.toml said at the `apply` before, and what it says.
    pub(super) from: &'a Cluster,
    pub(super) to: &'a Cluster,
    /// What the `apply` before left, what was done to it, what this one found, and what it made.
    pub(super) before: &'a Files,
    pub(super) damaged: &'a Damaged,
    pub(super) found: &'a Files,
    pub(super) made: &'a Files,
}

/// The files of an entry.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) directory: PathBuf,
    pub(super) key: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) trust_bundle: PathBuf,
}

pub(super) fn folder(cluster: &Cluster, entry: &Entry) -> Folder {
    let is_server = cluster.servers.iter().any(|it| it.name == entry.name);
    let (directory, key, certificate, trust_bundle) = if is_server {
        let directory = Path::new("servers").join(&entry.name);
        (
            directory,
            "zato-server-priv-key.pem",
            "zato-server-cert.pem",
            "zato-server-ca-certs.pem",
        )
    } else if entry.name == "load-balancer" {
        let directory = PathBuf::from("load-balancer");
        (directory, "key-cert.pem", "key-cert.pem", "ca.cert.pem")
    } else {
        let directory = Path::new("clients").join(&entry.name);
        (
            directory,
            "client.key.pem",
            "client.cert.pem",
            "ca.cert.pem",
        )
    };
    Folder {
        key: directory.join(key),
        certificate: directory.join(certificate),
        trust_bundle: directory.join(trust_bundle),
        directory,
    }
}

/// notBefore and notAfter of the first certificate, in seconds since 1970.
pub(super) fn validity(pem: &[u8]) -> (i64, i64) {
    let certificate = X509::from_pem(pem).unwrap();
    (
        seconds(certificate.not_before()),
        seconds(certificate.not_after()),
    )
}

pub(super) fn seconds(time: &Asn1TimeRef) -> i64 {
    let difference = Asn1Time::from_unix(0).unwrap().diff(time).unwrap();
    i64::from(difference.days) * 86_400 + i64::from(difference.secs)
}

/// Whether more than half of the certificates that were left by the last `apply` have expired; what was
/// damaged since may have been one that had not.
pub(super) fn lapsed(life: &Life, damaged: &Damaged) -> bool {
    let entries: Vec<_> = life.applied.entries().collect();
    let expired = entries.iter().filter(|entry| {
        let folder = folder(&life.applied, entry);
        let (_, not_after) = validity(&life.files[&folder.certificate].1);
        not_after <= life.now.unix_timestamp()
    });
    let expired = expired.count();
    expired * 2 > entries.len()
        || (expired > 0 && !damaged.is_empty())
        || life.applied != life.cluster
}

pub(super) fn check(change: &Change<'_>) {
    change.keeps_the_record();
    change.keeps_what_is_not_its_own();
    change.renews_the_ca_in_time();
    change.signs_the_crl_in_time();
    for entry in change.to.entries() {
        change.check_entry(entry);
    }
    change.retires();
}

impl Change<'_> {
    fn seconds(&self) -> i64 {
        self.now.unix_timestamp()
    }

    fn bytes<'b>(&self, files: &'b Files, path: impl AsRef<Path>) -> &'b [u8] {
        &files[path.as_ref()].1
    }

    fn is_same(&self, path: impl AsRef<Path>) -> bool {
        self.bytes(self.before, &path) == self.bytes(self.made, &path)
    }

    /// The inventory and the log lose nothing.
    fn keeps_the_record(&self) {
        let issued = |path: &&PathBuf| path.starts_with("ca/issued");
        for path in self.before.keys().filter(issued) {
            assert_eq!(self.before[path], self.made[path], "{}", path.display());
        }
        let log = self.bytes(self.made, "ca/log.jsonl");
        assert!(log.starts_with(self.bytes(self.before, "ca/log.jsonl")));
    }

    /// zpki.toml, the CA's key, and what was retired.
    fn keeps_what_is_not_its_own(&self) {
        for (path, found) in self.found {
            let is_kept = path.starts_with("retired")
                || [Path::new("zpki.toml"), Path::new("ca/ca.key.pem")].contains(&path.as_path());
            if is_kept {
                assert_eq!(Some(found), self.made.get(path), "{}", path.display());
            }
        }
    }

    fn ca(&self, files: &Files) -> (i64, i64) {
        validity(self.bytes(files, "ca/ca.cert.pem"))
    }

    fn renews_the_ca_in_time(&self) {
        let (_, not_after) = self.ca(self.before);
        let needed = self.to.entries().map(|entry| {
            let lifetime = self.to.lifetime(entry);
            lifetime + self.to.window(entry, lifetime)
        });
        let lifetime = self.to.ca_lifetime * 3_600;
        let gain = self.seconds() + lifetime - not_after;
        let is_due = not_after - self.seconds() < needed.max().unwrap() && 10 * gain >= lifetime;
        assert_eq!(!self.is_same("ca/ca.cert.pem"), is_due, "the CA");
        let key = |files| {
            let certificate = X509::from_pem(self.bytes(files, "ca/ca.cert.pem")).unwrap();
            certificate
                .public_key()
                .unwrap()
                .public_key_to_der()
                .unwrap()
        };
        assert_eq!(key(self.before), key(self.made));
    }

    fn signs_the_crl_in_time(&self) {
        let crl = X509Crl::from_pem(self.bytes(self.before, "ca/crl.pem")).unwrap();
        let end = seconds(crl.next_update().unwrap());
        let lifetime = end - seconds(crl.last_update());
        let (_, ca_end) = self.ca(self.made);
        let is_low = end - self.seconds() < (lifetime * 33 + 99) / 100;
        let is_due = is_low && end < ca_end;
        assert_eq!(!self.is_same("ca/crl.pem"), is_due, "the CRL");
        if is_due {
            let crl = X509Crl::from_pem(self.bytes(self.made, "ca/crl.pem")).unwrap();
            let expected = ca_end.min(self.seconds() + self.to.crl_lifetime());
            assert_eq!(seconds(crl.next_update().unwrap()), expected);
        }
    }

    fn check_entry(&self, entry: &Entry) {
        let folder = folder(self.to, entry);
        let name = &entry.name;
        let was = self.from.entries().find(|it| it.name == *name);
        let key = public_key(self.bytes(self.made, &folder.key));
        let Some(was) = was else {
            // A client's folder may have stayed when zpki.toml named it no more.
            if !self.found.contains_key(&folder.directory) {
                assert!(!self.known_keys().contains(&key), "{name}: a new key");
            }
            return;
        };
        let damage = |path: &Path| self.damaged.of(path);
        let old_key = public_key(self.bytes(self.before, &folder.key));
        if was.algorithm != entry.algorithm || damage(&folder.key) == Some(State::Deleted) {
            assert!(!self.known_keys().contains(&key), "{name}: a new key");
            return;
        }
        if damage(&folder.key).is_some() {
            return;
        }
        assert_eq!(key, old_key, "{name}: the same key");
        if damage(&folder.certificate) == Some(State::Plausible) {
            return;
        }
        let is_same_identity = was.hosts == entry.hosts && self.purposes_stay(was, entry);
        let must_change = !is_same_identity || self.is_due(entry, &folder);
        let is_same = self.is_same(&folder.certificate);
        assert_eq!(!is_same, must_change, "{name}: the certificate");
        self.check_settings(entry, &folder);
    }

    fn purposes_stay(&self, was: &Entry, is: &Entry) -> bool {
        match is.name == "load-balancer" {
            true => self.from.terminates_tls == self.to.terminates_tls,
            false => was.calls_servers == is.calls_servers || is.name.starts_with("client"),
        }
    }

    fn is_due(&self, entry: &Entry, folder: &Folder) -> bool {
        let (not_before, not_after) = validity(self.bytes(self.before, &folder.certificate));
        let (_, ca_end) = self.ca(self.made);
        let (now, lifetime) = (self.seconds(), not_after - not_before);
        let wanted = self.to.lifetime(entry);
        let next = ca_end.min(now + wanted);
        let is_worth_it = 10 * (next - not_after) >= lifetime && 10 * (next - now) >= wanted;
        not_after <= now || (not_after - now < self.to.window(entry, lifetime) && is_worth_it)
    }

    /// The texts change with the settings that they show alone.
    fn check_settings(&self, entry: &Entry, folder: &Folder) {
        let lines = |cluster: &Cluster| {
            let names: Vec<_> = cluster.servers.iter().map(|it| it.name.clone()).collect();
            let mode = cluster.client_certificate != "none";
            (names, mode, cluster.verifyhost, cluster.uses_revocation)
        };
        let (text, stays) = if entry.name == "load-balancer" {
            (
                folder.directory.join("haproxy.cfg"),
                lines(self.from) == lines(self.to),
            )
        } else if self.to.servers.contains(entry) {
            let stays = self.from.client_certificate == self.to.client_certificate;
            (folder.directory.join("server.conf"), stays)
        } else {
            return;
        };
        assert_eq!(self.is_same(&text), stays, "{}", text.display());
    }

    /// Every public key that was ever in a certificate, before this `apply`.
    fn known_keys(&self) -> BTreeSet<Vec<u8>> {
        let issued = self
            .before
            .iter()
            .filter(|(path, (_, bytes))| path.starts_with("ca/issued") && !bytes.is_empty());
        let keys = issued.map(|(_, (_, pem))| {
            let certificate = X509::from_pem(pem).unwrap();
            certificate
                .public_key()
                .unwrap()
                .public_key_to_der()
                .unwrap()
        });
        keys.collect()
    }

    /// A folder that zpki.toml names no more is put away as it was found. That of a client stays when
    /// nothing in it says any more that zpki.toml named it.
    fn retires(&self) {
        for was in self.from.entries() {
            let from = folder(self.from, was).directory;
            let is_named = self.to.entries().any(|it| it.name == was.name);
            if is_named || !self.found.contains_key(&from) {
                continue;
            }
            let is_client = from.starts_with("clients");
            let to = match self.made.contains_key(&from) {
                true if is_client => from.clone(),
                true => panic!("{} is still there", was.name),
                false => self.retirement(&was.name),
            };
            assert_eq!(below(self.found, &from), below(self.made, &to));
        }
    }

    /// Where a folder was put that was not there before.
    fn retirement(&self, name: &str) -> PathBuf {
        let is_it = |path: &&PathBuf| {
            let is_new = !self.found.contains_key(*path);
            let file_name = path.file_name().unwrap().to_str().unwrap();
            path.parent() == Some(Path::new("retired")) && is_new && file_name.starts_with(name)
        };
        self.made
            .keys()
            .find(is_it)
            .expect("it was put away")
            .clone()
    }
}

/// A directory and all in it, with paths from there.
fn below(files: &Files, root: &Path) -> Files {
    let files = files.iter().filter(|(path, _)| path.starts_with(root));
    files
        .map(|(path, it)| (path.strip_prefix(root).unwrap().to_owned(), it.clone()))
        .collect()
}

/// The public key of the private one in a file.
fn public_key(pem: &[u8]) -> Vec<u8> {
    private_key(pem).public_key_to_der().unwrap()
}

pub(super) fn private_key(pem: &[u8]) -> PKey<Private> {
    PKey::private_key_from_pem(pem).unwrap()
}
