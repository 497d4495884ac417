//! Private keys, as `openssl pkey` reads them.

use super::pki::{ALGORITHMS, PASSPHRASE, Pki, end_entities};

#[test]
fn every_key_is_sound_and_belongs_to_its_certificate() {
    let pki = Pki::of_cluster();
    for entity in end_entities() {
        is_pair(&pki, &entity.key, &entity.certificate, entity.key_algorithm);
        if let Some(folder) = entity.key.strip_suffix("zato-server-priv-key.pem") {
            assert_eq!(
                pki.read(&format!("{folder}zato-server-pub-key.pem")),
                pki.openssl(&format!("pkey -in {} -pubout", entity.key))
            );
        }
    }
}

#[test]
fn a_ca_key_is_opened_by_its_passphrase_alone_whatever_its_algorithm() {
    for algorithm in ALGORITHMS {
        let pki = Pki::of_algorithm(algorithm);
        let key = pki.read("ca/ca.key.pem");
        assert!(
            key.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"),
            "{key}"
        );
        let passphrase = pki.put("first-line", PASSPHRASE).display().to_string();
        let read = format!("pkey -in ca/ca.key.pem -passin file:{passphrase}");
        let plain = pki.put("plain.pem", &pki.openssl(&read));
        is_pair(&pki, plain.to_str().unwrap(), "ca/ca.cert.pem", algorithm);
        let said = pki.openssl_refuses("pkey -in ca/ca.key.pem -passin pass:wrong");
        assert!(said.contains("Could not read key"), "{said}");
    }
}

#[test]
fn a_ca_key_is_encrypted_as_strongly_as_openssl_can_read() {
    let pki = Pki::of_algorithm("ecdsa-p256");
    let structure = pki.openssl("asn1parse -in ca/ca.key.pem");
    let iterations = format!("INTEGER           :{:06X}", 600_000);
    for part in [
        ":PBES2",
        ":PBKDF2",
        &iterations,
        ":hmacWithSHA256",
        ":aes-256-cbc",
    ] {
        assert!(structure.contains(part), "{part} in {structure}");
    }
}

#[test]
fn a_ca_key_without_a_passphrase_is_read_as_it_is() {
    let pki = Pki::of_cluster();
    is_pair(&pki, "ca/ca.key.pem", "ca/ca.cert.pem", "ecdsa-p256");
}

#[test]
fn a_load_balancers_key_cert_pem_of_every_algorithm_holds_a_pair() {
    for algorithm in ALGORITHMS {
        let file = "load-balancer/key-cert.pem";
        is_pair(&Pki::of_algorithm(algorithm), file, file, algorithm);
    }
}

/// That the key is one of `algorithm` in PKCS#8 version 1, whose halves fit each other and the
/// certificate. OpenSSL before 3.5 reads no version 2.
fn is_pair(pki: &Pki, key: &str, certificate: &str, algorithm: &str) {
    let text = pki.openssl(&format!("pkey -in {key} -noout -check -text"));
    assert!(text.contains("Key is valid"), "{text}");
    let algorithm_shown = match algorithm {
        "ecdsa-p256" => "NIST CURVE: P-256",
        "ecdsa-p384" => "NIST CURVE: P-384",
        "ed25519" => "ED25519 Private-Key:",
        "rsa-2048" => "(2048 bit, 2 primes)",
        "rsa-3072" => "(3072 bit, 2 primes)",
        _ => "(4096 bit, 2 primes)",
    };
    assert!(text.contains(algorithm_shown), "{text}");
    let version = pki.openssl(&format!("asn1parse -in {key}"));
    assert!(
        version
            .lines()
            .nth(1)
            .unwrap()
            .ends_with("INTEGER           :00"),
        "{version}"
    );
    assert_eq!(
        pki.openssl(&format!("pkey -in {key} -pubout")),
        pki.openssl(&format!("x509 -in {certificate} -noout -pubkey")),
        "{key} and {certificate}"
    );
}
