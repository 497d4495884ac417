//! Every field of every certificate, as openssl shows it.

use time::macros::format_description;
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

use super::pki::{ALGORITHMS, EndEntity, Pki, end_entities, small_cluster};

#[test]
fn an_end_entity_has_exactly_these_extensions() {
    let pki = Pki::of_cluster();
    let ca = key_identifier(&pki, "ca/ca.cert.pem");
    for entity in end_entities() {
        let expected = format!(
            "\
X509v3 Authority Key Identifier: 
    {ca}
X509v3 Subject Alternative Name: 
    {hosts}
X509v3 Key Usage: critical
    {usage}
X509v3 Extended Key Usage: 
    {purposes}
X509v3 Subject Key Identifier: 
    {own}
X509v3 Basic Constraints: critical
    CA:FALSE
",
            hosts = entity.hosts.join(", "),
            usage = if entity.key_algorithm.starts_with("rsa") {
                "Digital Signature, Key Encipherment"
            } else {
                "Digital Signature"
            },
            purposes = purposes(&entity),
            own = key_identifier(&pki, &entity.certificate),
        );
        assert_eq!(
            extensions(&pki, &entity.certificate),
            expected,
            "{}",
            entity.name
        );
    }
}

#[test]
fn a_ca_has_exactly_these_extensions() {
    for algorithm in ALGORITHMS {
        let pki = Pki::of_algorithm(algorithm);
        let expected = format!(
            "\
X509v3 Key Usage: critical
    Certificate Sign, CRL Sign
X509v3 Subject Key Identifier: 
    {}
X509v3 Basic Constraints: critical
    CA:TRUE
",
            key_identifier(&pki, "ca/ca.cert.pem")
        );
        assert_eq!(extensions(&pki, "ca/ca.cert.pem"), expected, "{algorithm}");
    }
}

#[test]
fn signatures_are_as_strong_as_the_key_and_never_sha_1() {
    for (algorithm, signature) in ALGORITHMS.into_iter().zip([
        "ecdsa-with-SHA256",
        "ecdsa-with-SHA384",
        "ED25519",
        "sha256WithRSAEncryption",
        "sha256WithRSAEncryption",
        "sha256WithRSAEncryption",
    ]) {
        let pki = Pki::of_algorithm(algorithm);
        for words in [
            "x509 -in ca/ca.cert.pem",
            "x509 -in load-balancer/key-cert.pem",
            "x509 -in servers/server1/zato-server-cert.pem",
            "crl -in ca/crl.pem",
        ] {
            let text = pki.openssl(&format!("{words} -noout -text"));
            let line = format!("Signature Algorithm: {signature}\n");
            assert_eq!(text.matches(&line).count(), 2, "{text}");
        }
    }
}

#[test]
fn subjects_name_the_entry_and_the_cluster() {
    let pki = Pki::of_cluster();
    let ca = field(&pki, "ca/ca.cert.pem", "-subject -nameopt RFC2253");
    let name = ca.strip_prefix("subject=CN=prod cluster CA ").unwrap();
    let (date, rest) = name.split_once(' ').unwrap();
    let made = self::date(&field(
        &pki,
        "ca/ca.cert.pem",
        "-startdate -dateopt iso_8601",
    ));
    assert_eq!(date, (made + Duration::HOUR).date().to_string());
    let distinguisher = rest.strip_suffix(",O=prod").unwrap();
    assert!(
        distinguisher.len() == 4 && u16::from_str_radix(distinguisher, 16).is_ok(),
        "{ca}"
    );

    let issuer = ca.replacen("subject", "issuer", 1);
    assert_eq!(
        field(&pki, "ca/ca.cert.pem", "-issuer -nameopt RFC2253"),
        issuer
    );
    for entity in end_entities() {
        let subject = format!("subject=CN={},O=prod", entity.name);
        assert_eq!(
            field(&pki, &entity.certificate, "-subject -nameopt RFC2253"),
            subject
        );
        assert_eq!(
            field(&pki, &entity.certificate, "-issuer -nameopt RFC2253"),
            issuer
        );
    }
}

#[test]
fn serial_numbers_are_16_random_octets_and_positive() {
    let pki = Pki::of_cluster();
    let entities = end_entities();
    let files = entities.iter().map(|entity| entity.certificate.as_str());
    let mut serials: Vec<String> = files
        .chain(["ca/ca.cert.pem"])
        .map(|file| field(&pki, file, "-serial"))
        .collect();
    for serial in &serials {
        let digits = serial.strip_prefix("serial=").unwrap();
        assert_eq!(digits.len(), 32, "{serial}");
        assert!(
            ('4'..='7').contains(&digits.chars().next().unwrap()),
            "{serial}"
        );
    }
    let issued = pki.issued("caller");
    let named = field(&pki, &issued, "-serial")
        .to_lowercase()
        .replace("serial=", "/");
    assert!(
        issued.ends_with(&format!("{named}.pem")),
        "{issued} {named}"
    );
    serials.sort();
    serials.dedup();
    assert_eq!(serials.len(), entities.len() + 1);
}

#[test]
fn versions_are_3() {
    let pki = Pki::of_cluster();
    for entity in end_entities() {
        let text = field(&pki, &entity.certificate, "-text");
        assert!(text.contains("Version: 3 (0x2)"), "{text}");
    }
}

#[test]
fn certificates_begin_an_hour_ago_and_end_after_their_lifetime() {
    let cluster = small_cluster("ecdsa-p256");
    let cluster = cluster.replace("[load_balancer]", "[load_balancer]\nlifetime = \"2h\"");
    let before = whole_second();
    let pki = Pki::of(&cluster);
    let after = whole_second();
    for (file, lifetime, backdated) in [
        ("ca/ca.cert.pem", Duration::days(3650), Duration::HOUR),
        (
            "servers/server1/zato-server-cert.pem",
            Duration::days(365),
            Duration::HOUR,
        ),
        // A tenth of so short a lifetime.
        (
            "load-balancer/key-cert.pem",
            Duration::hours(2),
            Duration::minutes(12),
        ),
    ] {
        let text = field(&pki, file, "-dates -dateopt iso_8601");
        let [not_before, not_after] = [0, 1].map(|line| date(text.lines().nth(line).unwrap()));
        assert!(
            (before..=after).contains(&(not_before + backdated)),
            "{file}: {text}"
        );
        assert_eq!(not_after - not_before, backdated + lifetime, "{file}");
    }
}

/// One `name=date` line of openssl's `-dateopt iso_8601`.
pub(super) fn date(line: &str) -> OffsetDateTime {
    let (_, date) = line.split_once('=').unwrap();
    let form = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
    PrimitiveDateTime::parse(date, form).unwrap().assume_utc()
}

fn whole_second() -> OffsetDateTime {
    OffsetDateTime::now_utc().truncate_to_second()
}

fn purposes(entity: &EndEntity) -> String {
    let purposes = [
        (entity.server_auth, "TLS Web Server Authentication"),
        (entity.client_auth, "TLS Web Client Authentication"),
    ];
    let purposes = purposes.into_iter().filter(|(meant, _)| *meant);
    purposes
        .map(|(_, name)| name)
        .collect::<Vec<_>>()
        .join(", ")
}

/// All extensions, known to the test or not.
fn extensions(pki: &Pki, file: &str) -> String {
    let options = "no_header,no_version,no_serial,no_signame,no_validity,no_subject,no_issuer,no_pubkey,no_sigdump,no_aux,ext_dump";
    let text = pki.openssl(&format!("x509 -in {file} -noout -text -certopt {options}"));
    let lines = text
        .lines()
        .skip_while(|line| !line.ends_with("X509v3 extensions:"));
    let lines = lines
        .skip(1)
        .map(|line| line.strip_prefix("            ").unwrap_or(line));
    lines.map(|line| format!("{line}\n")).collect()
}

fn key_identifier(pki: &Pki, file: &str) -> String {
    let shown = pki.openssl(&format!("x509 -in {file} -noout -ext subjectKeyIdentifier"));
    shown.lines().nth(1).unwrap().trim().to_owned()
}

fn field(pki: &Pki, file: &str, options: &str) -> String {
    let text = pki.openssl(&format!("x509 -in {file} -noout {options}"));
    text.trim_end().to_owned()
}
