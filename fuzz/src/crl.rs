//! CRLs: the three readers of them and OpenSSL find the same entries, and what is signed again has
//! every entry of what was there.

use std::collections::{HashMap, HashSet};

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::x509::{CrlStatus, X509Crl};
use time::OffsetDateTime;
use zpki::domain::certificate::RevocationList;
use zpki::domain::revocation::{Revocation, RevocationReason};
use zpki::domain::serial_number::SerialNumber;
use zpki::domain::validity::Validity;
use zpki::x509::crl::{self, CrlTemplate};
use zpki::x509::dated;
use zpki::x509::path_crl::PathCrl;

use super::{assert_harmless, csr, signer};

/// The input is one that [`signer::read`] reads.
pub fn run(bytes: &[u8]) {
    let Some(der) = signer::read(bytes) else {
        return;
    };
    let for_path = PathCrl::from_der(&der);
    if let Ok(crl) = &for_path {
        let _ = crl.signed();
    }
    match crl::read(&der) {
        Ok(list) => {
            let for_path = for_path.expect("it was read");
            assert_same(&list, &for_path, &der);
            if let Ok(theirs) = X509Crl::from_der(&der) {
                assert_same_as_openssl(&list, &theirs);
            }
        }
        Err(error) => assert_harmless(error),
    }
    match crl::read_to_sign_again(&der) {
        Ok(list) => sign_again(&list),
        Err(error) => assert_harmless(error),
    }
}

/// All that read it read the same.
fn assert_same(list: &RevocationList, for_path: &PathCrl, der: &[u8]) {
    assert_eq!(list.this_update, for_path.this_update);
    assert_eq!(list.next_update, for_path.next_update);
    let serials = for_path.revoked.keys();
    let serials: HashSet<_> = serials.map(|it| SerialNumber::from_octets(it)).collect();
    for entry in &list.revoked {
        assert!(serials.contains(&entry.serial_number), "{entry:?}");
    }
    let dated = dated::crl(der).expect("it was read").dated;
    assert_eq!(dated.not_before, list.this_update.unix_timestamp());
    let next_update = list.next_update.map(OffsetDateTime::unix_timestamp);
    assert_eq!(dated.not_after, next_update);
}

fn assert_same_as_openssl(list: &RevocationList, theirs: &X509Crl) {
    assert_at(list.this_update, theirs.last_update());
    assert_eq!(list.next_update.is_some(), theirs.next_update().is_some());
    if let (Some(ours), Some(theirs)) = (list.next_update, theirs.next_update()) {
        assert_at(ours, theirs);
    }
    let revoked = theirs.get_revoked();
    assert_eq!(list.revoked.len(), revoked.map_or(0, |all| all.len()));
    for (ours, theirs) in list
        .revoked
        .iter()
        .zip(theirs.get_revoked().into_iter().flatten())
    {
        assert_at(ours.revoked_at, theirs.revocation_date());
    }
    // Who is on it once is on it for OpenSSL too.
    let mut counts: HashMap<&[u8], usize> = HashMap::new();
    for entry in &list.revoked {
        *counts.entry(entry.serial_number.octets()).or_default() += 1;
    }
    for entry in theirs.get_revoked().into_iter().flatten() {
        let status = theirs.get_by_serial(entry.serial_number());
        let is_listed = !matches!(status, CrlStatus::NotRevoked);
        let number = entry.serial_number().to_bn().expect("a number is one");
        // As zpki has them, of which zero has none.
        let octets = number.to_vec();
        if !number.is_negative() && counts.get(&*octets) == Some(&1) {
            assert!(is_listed, "{octets:?}");
        }
    }
}

fn assert_at(ours: OffsetDateTime, theirs: &Asn1TimeRef) {
    let ours = Asn1Time::from_unix(ours.unix_timestamp()).expect("it is a date");
    let is_same = ours.compare(theirs).map(|order| order.is_eq());
    assert!(is_same.unwrap_or(true), "{theirs}");
}

fn sign_again(list: &RevocationList) {
    let signed = |list: &RevocationList| {
        let not_before = list.this_update;
        let template = CrlTemplate {
            updates: Validity {
                not_before,
                not_after: not_before,
            },
            number: list.number().map_or(1, |number| number + 1),
            revoked: list.revoked.clone(),
        };
        csr::authority().revocation_list(&template)
    };
    // rcgen encodes no date before 1950 or so; what it encodes is all there.
    let Ok(der) = signed(list) else {
        return;
    };
    let again = crl::read_to_sign_again(&der).expect("zpki made it");
    let sorted = |list: &RevocationList| {
        let mut entries: Vec<Revocation> = list.revoked.clone();
        entries.sort_by_key(|entry| (entry.revoked_at, entry.serial_number.clone()));
        entries
    };
    let reasons = |entries: Vec<Revocation>| -> Vec<(Vec<u8>, OffsetDateTime, RevocationReason)> {
        let each = entries.into_iter().map(|entry| {
            let serial = entry.serial_number.octets().to_vec();
            (serial, entry.revoked_at, entry.reason)
        });
        each.collect()
    };
    assert_eq!(reasons(sorted(&again)), reasons(sorted(list)));
}
