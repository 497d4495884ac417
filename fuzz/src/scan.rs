//! Whatever a file holds, `expiry` reads it to the end, and loses no certificate behind it.

use zpki::scan::decode::{Found, decode};
use zpki::x509::dated;

use super::assert_harmless;

/// Its key is nowhere.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBOjCB7aADAgECAhRh3Xud5yPdYhuFHU2BrVrv3gYZ4TAFBgMrZXAwEjEQMA4G
A1UEAwwHcGxhbnRlZDAgFw0yNjExMjYwMjE1MjZaGA8yMTI2MTEwMjAyMTUyNlow
EjEQMA4GA1UEAwwHcGxhbnRlZDAqMAUGAytlcAMhAJWivrEUksclYBjjXPA+4U9P
wt2tbAx7617yJvj039bIo1MwUTAdBgNVHQ4EFgQUL3hX8JNRW3s4KLTW0TTXLEJ3
X/kwHwYDVR0jBBgwFoAUL3hX8JNRW3s4KLTW0TTXLEJ3X/kwDwYDVR0TAQH/BAUw
AwEB/zAFBgMrZXADQQDKYQ9gTntzJhqVWtlZ3VSdaDTuqHpcPfBYMpmuh/PqUopI
LtZ+MfWiqhc0kRWhIIAkMI1ogtXSrgob5MJl6zkN
-----END CERTIFICATE-----
";

/// The input is a file.
pub fn run(bytes: &[u8]) {
    let contents = decode(bytes);
    for found in &contents.found {
        let dated = &found.dated;
        let _ = (dated.subject(), dated.issuer(), dated.common_name());
        let _ = (
            dated.subject_attribute("O"),
            dated.issuer_attribute("CN"),
            dated.dns_names(),
        );
        let serial = dated.serial_decimal();
        let digits = serial.trim_start_matches('-');
        assert!(
            digits.bytes().all(|octet| octet.is_ascii_digit()),
            "{serial}"
        );
        found.note.iter().for_each(assert_harmless);
    }
    for damaged in &contents.errors {
        assert_harmless(&damaged.message);
    }
    for one in &contents.not_inspected {
        assert_harmless(one.kind);
    }
    let _ = dated::certificate(bytes);
    let _ = dated::crl(bytes);
    let file = [bytes, b"\n", CERTIFICATE.as_bytes()].concat();
    let found = decode(&file).found;
    // Text behind a certificate in DER is only noted.
    if found.iter().all(|found| found.line.is_some()) {
        let is_planted = |found: &Found| found.dated.subject() == "CN=planted";
        assert!(found.iter().any(is_planted));
    }
}
