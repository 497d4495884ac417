//! Whatever certificates and CRLs there are, zpki says of them what OpenSSL says.

use super::judges::{Answer, Case, Openssl, POLICIES, Zpki, agree};
use super::{der, signer};

/// The input is an octet of which host is asked for, and objects: of each an octet of what it is, and
/// its notation. The first certificate is judged.
pub fn run(bytes: &[u8]) {
    let Some((host, objects)) = bytes.split_first() else {
        return;
    };
    let case = case(*host, objects);
    if case.certificates.is_empty() {
        return;
    }
    let Some(zpki) = Zpki::new(&case) else {
        return;
    };
    let openssl = Openssl::new(&case);
    for policy in POLICIES {
        let ours = zpki.answer(policy);
        if let Some(openssl) = &openssl {
            let theirs = openssl.answer(policy);
            assert!(
                agree(theirs, ours),
                "{policy:?}: OpenSSL {theirs:?}, zpki {ours:?}\n{case}"
            );
        }
        if ours == Answer::Accepted {
            assert!(!case.trusted.is_empty());
        }
    }
}

/// The peer sends it.
pub const SENT: u8 = 1;
/// It is trusted.
pub const TRUSTED: u8 = 2;
/// It has to be signed.
pub const UNSIGNED: u8 = 4;
/// It is a CRL.
pub const CRL: u8 = 8;

/// The hosts that the first octet stands for.
pub const HOSTS: [Option<&str>; 4] = [
    None,
    Some("leaf.example.com"),
    Some("10.0.0.1"),
    Some("::1"),
];

fn case(host: u8, mut objects: &[u8]) -> Case {
    let mut case = Case {
        host: HOSTS[usize::from(host) % HOSTS.len()].map(str::to_owned),
        ..Case::default()
    };
    while let Some((what, rest)) = objects.split_first() {
        objects = rest;
        let Some(object) = der::take(&mut objects) else {
            break;
        };
        let is = |bit| what & bit != 0;
        let object = if is(UNSIGNED) {
            signer::signed(&object)
        } else {
            object
        };
        if is(CRL) {
            case.crls.get_or_insert_default().push(object);
            continue;
        }
        let at = case.certificates.len();
        case.certificates.push(object);
        case.sent.extend(is(SENT).then_some(at));
        case.trusted.extend(is(TRUSTED).then_some(at));
    }
    case
}
