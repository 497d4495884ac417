//! Sixteen processes at once that issue by one CA.
//!
//! The same server certificates by zpki, easy-rsa, cfssl and mkcert, each process for a name of its own; how
//! many there are in a second, and what is there afterwards, judged by OpenSSL: a certificate is right when
//! its process ended well, the CA signed it, the key beside it is its own, and no other has its serial
//! number. easy-rsa keeps an inventory as zpki does, pki/index.txt; cfssl and mkcert keep none. zpki makes
//! every change durable; the others do not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use openssl::pkey::{PKey, PKeyRef, Public};
use openssl::x509::X509;

use crate::measure::{MEMORY, Row, Table, scratch, time};
use crate::peers::{self, Peer};

const AT_ONCE: usize = 16;
const ISSUED: usize = 160;

/// What a program says of its inventory: the serial numbers of a name; None when it keeps none.
type Inventory = Option<fn(&Path) -> BTreeMap<String, Vec<String>>>;

const PEERS: [(Peer, Inventory); 4] = [
    (peers::ZPKI, Some(zpki_inventory)),
    (peers::EASY_RSA, Some(easy_rsa_inventory)),
    (peers::CFSSL, None),
    (peers::MKCERT, None),
];

pub(crate) fn rows(table: &mut Table) {
    let [zpki, others @ ..] =
        PEERS.map(|(peer, inventory)| (peer.who, Result::of(&peer, inventory)));
    let (_, zpki) = zpki;
    let all_right = zpki.right == ISSUED && zpki.recorded == Some(ISSUED);
    table.row(&Row {
        what: "issue, 16 processes at once: right and in the inventory",
        zpki: format!("{} of {ISSUED}", zpki.right),
        required: Some(("all 160", all_right)),
        ..Row::default()
    });
    for (who, other) in others {
        table.row(&Row {
            what: "issue, 16 processes at once: the rate of what is right",
            zpki: format!("{:.0}/s", zpki.rate()),
            beside: format!("{who}: {:.1}/s ({})", other.rate(), other.in_words()),
            ratio: format!("{:.1} times its rate", zpki.rate() / other.rate()),
            required: None,
        });
    }
}

/// What became of a program's certificates.
struct Result {
    taken: Duration,
    /// Whose processes failed.
    failed: usize,
    /// That are there and signed, and have a serial number that another has too.
    duplicate: usize,
    right: usize,
    /// That are right and stand in the inventory, once and with their serial number; None without one.
    recorded: Option<usize>,
}

impl Result {
    fn of(peer: &Peer, inventory: Inventory) -> Self {
        let scratch = scratch(MEMORY);
        let directory = scratch.path();
        (peer.begin)(directory);
        let next = AtomicUsize::new(0);
        let mut succeeded = BTreeSet::new();
        let taken = time(|| {
            succeeded = thread::scope(|scope| {
                let worker = || {
                    let numbers = std::iter::repeat_with(|| next.fetch_add(1, Ordering::SeqCst));
                    let numbers = numbers.take_while(|number| *number < ISSUED);
                    let done = numbers.filter(|number| (peer.issue)(directory, *number));
                    done.collect::<Vec<_>>()
                };
                let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(worker)).collect();
                let done = workers.into_iter().flat_map(|it| it.join().unwrap());
                done.collect()
            });
        });
        let ca = certificate(&directory.join(peer.ca)).expect("the CA was made");
        let ca_key = ca.public_key().unwrap();
        let serials: BTreeMap<usize, String> = (0..ISSUED)
            .filter_map(|number| Some((number, signed(peer, directory, number, &ca_key)?)))
            .collect();
        let is_duplicate =
            |serial: &String| serials.values().filter(|other| *other == serial).count() > 1;
        let right: Vec<(&usize, &String)> = serials
            .iter()
            .filter(|(number, serial)| succeeded.contains(number) && !is_duplicate(serial))
            .collect();
        let recorded = inventory.map(|read| {
            let inventory = read(directory);
            let is_recorded = |(number, serial): &&(&usize, &String)| {
                let recorded = inventory.get(&format!("app{number}"));
                recorded.is_some_and(|recorded| recorded == &[(*serial).clone()])
            };
            right.iter().filter(is_recorded).count()
        });
        Self {
            taken,
            failed: ISSUED - succeeded.len(),
            duplicate: serials.values().filter(|it| is_duplicate(it)).count(),
            right: right.len(),
            recorded,
        }
    }

    /// Certificates in a second that are right.
    fn rate(&self) -> f64 {
        self.right as f64 / self.taken.as_secs_f64()
    }

    fn in_words(&self) -> String {
        let Self {
            failed,
            duplicate,
            right,
            ..
        } = self;
        let recorded = match self.recorded {
            Some(recorded) => format!("{recorded} in its inventory"),
            None => "no inventory".to_owned(),
        };
        format!(
            "{right} of {ISSUED} right, {failed} failed, {duplicate} share a serial number, {recorded}"
        )
    }
}

/// The serial number of a certificate that is there, by the CA, and of the key beside it.
fn signed(peer: &Peer, directory: &Path, number: usize, ca: &PKeyRef<Public>) -> Option<String> {
    let [key, file] = (peer.pair)(number).map(|path| directory.join(path));
    let certificate = certificate(&file)?;
    let key = PKey::private_key_from_pem(&fs::read(key).ok()?).ok()?;
    let is_whole =
        certificate.verify(ca).unwrap() && certificate.public_key().unwrap().public_eq(&key);
    let serial = certificate.serial_number().to_bn().unwrap();
    let serial = plain(&serial.to_hex_str().unwrap());
    is_whole.then_some(serial)
}

fn certificate(path: &Path) -> Option<X509> {
    X509::from_pem(&fs::read(path).ok()?).ok()
}

/// ca/issued/NAME/SERIAL.pem.
fn zpki_inventory(directory: &Path) -> BTreeMap<String, Vec<String>> {
    let names = |path: &Path| -> Vec<String> {
        let entries = fs::read_dir(path).unwrap();
        entries
            .map(|it| it.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    let issued = directory.join("cluster/ca/issued");
    let serials = |name: &String| {
        let files = names(&issued.join(name)).into_iter();
        files
            .map(|file| plain(file.trim_end_matches(".pem")))
            .collect()
    };
    let names = names(&issued).into_iter();
    names.map(|name| (name.clone(), serials(&name))).collect()
}

/// The lines of pki/index.txt: state, end, revocation, serial number, file, subject.
fn easy_rsa_inventory(directory: &Path) -> BTreeMap<String, Vec<String>> {
    let mut inventory: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let index = fs::read(directory.join("pki/index.txt")).unwrap();
    for line in String::from_utf8_lossy(&index).lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        if let ["V", _, _, serial, _, subject] = fields[..]
            && let Some(name) = subject.strip_prefix("/CN=")
        {
            let serials = inventory.entry(name.to_owned()).or_default();
            serials.push(plain(serial));
        }
    }
    inventory
}

/// A serial number, however it is written.
fn plain(digits: &str) -> String {
    digits.trim_start_matches('0').to_lowercase()
}
