//! Whatever a file holds, reading it ends, and without a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use zpki::x509::path_certificate::PathCertificate;
use zpki::x509::path_crl::PathCrl;
use zpki::x509::pem;

fuzz_target!(|bytes: &[u8]| {
    let _ = PathCertificate::from_der(bytes);
    let _ = PathCrl::from_der(bytes);
    for block in pem::scan(bytes).into_iter().flatten() {
        let _ = PathCertificate::from_der(&block.contents);
        let _ = PathCrl::from_der(&block.contents);
    }
});
