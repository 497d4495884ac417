//! What a file may look like in which there is a certificate: every shape that some reader loses, and
//! every date that some reader takes for none. The codes (t01, p15, ..) only number the cases.

use std::fs;

use openssl::asn1::Asn1Time;
use openssl::x509::{X509, X509Crl};
use pem::{EncodeConfig, LineEnding, Pem};
use proptest::prelude::*;
use x509_parser::certificate::X509CertificateParser;
use x509_parser::nom::Parser as _;
use zpki::domain::expiry::{PathRole, ReadReason};
use zpki::scan::decode::{Contents, Note, decode};
use zpki::x509::dated::{self, Dated};

use crate::e2e::process::tool;

const GOOD: &str = "20301126090000Z";
const GOOD_SECONDS: i64 = 1_921_914_000;
const EXPIRED: &str = "20200101000000Z";
const EXPIRED_SECONDS: i64 = 1_577_836_800;

/// One line for each thing in a file.
fn told(bytes: &[u8]) -> Vec<String> {
    let Contents {
        found,
        errors,
        not_inspected,
    } = decode(bytes);
    let line = |line: Option<usize>| line.map_or_else(|| "DER".to_owned(), |line| line.to_string());
    let found = found.into_iter().map(|found| {
        let date = match found.dated.not_after {
            Some(GOOD_SECONDS) => "good".to_owned(),
            Some(EXPIRED_SECONDS) => "expired".to_owned(),
            other => format!("{other:?}"),
        };
        let crl = if found.dated.role == PathRole::Crl {
            "CRL "
        } else {
            ""
        };
        let note = match found.note {
            None => "",
            Some(Note::OpensslRejects(_)) => ", not for OpenSSL",
            Some(Note::TrailingData) => ", and more behind it",
        };
        format!("{}@{} {crl}{date}{note}", found.index, line(found.line))
    });
    let errors = errors.into_iter().map(|error| {
        let index = error
            .index
            .map_or_else(|| "-".to_owned(), |it| it.to_string());
        let code = error.reason.code();
        format!("{index}@{} {code}: {}", line(error.line), error.message)
    });
    let not_inspected = not_inspected
        .into_iter()
        .map(|it| format!("{:?}@{}", it.kind, line(it.line)));
    found.chain(errors).chain(not_inspected).collect()
}

/// Asserts for each case what is found, and that OpenSSL reads the first certificate or not as the
/// note says.
#[track_caller]
fn assert_told(cases: &[(&str, Vec<u8>, &[&str])]) {
    for (code, bytes, expected) in cases {
        assert_eq!(told(bytes), *expected, "{code}");
        let contents = decode(bytes);
        if let Some(first) = contents.found.first()
            && contents.errors.is_empty()
            && contents.not_inspected.is_empty()
        {
            let rejects = matches!(first.note, Some(Note::OpensslRejects(_)));
            let is_crl = first.dated.role == PathRole::Crl;
            let reads = match (is_crl, first.line.is_some()) {
                _ if *code == "p14" => reads_trusted(bytes),
                (false, true) => X509::from_pem(bytes).is_ok(),
                (false, false) => X509::from_der(bytes).is_ok(),
                (true, true) => X509Crl::from_pem(bytes).is_ok(),
                (true, false) => X509Crl::from_der(bytes).is_ok(),
            };
            assert_eq!(reads, !rejects, "{code}: OpenSSL, {:?}", first.note);
        }
    }
}

/// As HAProxy reads a crt.
fn reads_trusted(bytes: &[u8]) -> bool {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    let mut command = tool("openssl");
    command.args(["x509", "-noout", "-in"]).arg(file.path());
    command.status().unwrap().success()
}

fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    let header = match length {
        [0, 0, 0, short @ 0..0x80] => vec![tag, short],
        [0, 0, 0, length] => vec![tag, 0x81, length],
        [0, 0, high, low] => vec![tag, 0x82, high, low],
        [_, a, b, c] => vec![tag, 0x83, a, b, c],
    };
    [header, content].concat()
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const UTF8: u8 = 12;
const UTC: u8 = 0x17;
const GENERALIZED: u8 = 0x18;
const ED25519: &[u8] = &[0x30, 5, 6, 3, 0x2b, 0x65, 0x70];

/// What a certificate is to be, octet for octet. Nobody has signed it.
#[derive(Clone)]
struct Form {
    is_version_1: bool,
    serial: Vec<u8>,
    issuer: Vec<u8>,
    subject: Vec<u8>,
    not_before: Vec<u8>,
    not_after: Vec<u8>,
    extensions: Vec<Vec<u8>>,
}

fn date(text: &str) -> Vec<u8> {
    element(GENERALIZED, &[text.as_bytes()])
}

fn common_name(tag: u8, value: &[u8]) -> Vec<u8> {
    attribute(3, tag, value)
}

/// A Name of one attribute of X.520 (2.5.4).
fn attribute(kind: u8, tag: u8, value: &[u8]) -> Vec<u8> {
    let attribute = [&[6, 3, 0x55, 4, kind][..], &element(tag, &[value])].concat();
    element(
        SEQUENCE,
        &[&element(SET, &[&element(SEQUENCE, &[&attribute])])],
    )
}

/// An extension of X.509 (2.5.29).
fn extension(kind: u8, value: &[u8]) -> Vec<u8> {
    element(
        SEQUENCE,
        &[&[6, 3, 0x55, 0x1d, kind], &element(4, &[value])],
    )
}

fn form() -> Form {
    Form {
        is_version_1: false,
        serial: vec![1],
        issuer: common_name(UTF8, b"issuer"),
        subject: common_name(UTF8, b"subject"),
        not_before: date("20200101000000Z"),
        not_after: date(GOOD),
        extensions: vec![extension(0x13, &[0x30, 0])],
    }
}

impl Form {
    fn der(&self) -> Vec<u8> {
        let key = element(SEQUENCE, &[ED25519, &element(3, &[&[0], &[9; 32]])]);
        let version = [0xa0, 3, 2, 1, 2];
        let extensions = element(0xa3, &[&element(SEQUENCE, &[&self.extensions.concat()])]);
        let is_3 = !self.is_version_1;
        let signed = element(
            SEQUENCE,
            &[
                if is_3 { &version } else { &[] },
                &element(2, &[&self.serial]),
                ED25519,
                &self.issuer,
                &element(SEQUENCE, &[&self.not_before, &self.not_after]),
                &self.subject,
                &key,
                if is_3 { &extensions } else { &[] },
            ],
        );
        element(SEQUENCE, &[&signed, ED25519, &element(3, &[&[0; 65]])])
    }

    fn until(not_after: &str) -> Vec<u8> {
        let not_after = date(not_after);
        let it = Self {
            not_after,
            ..form()
        };
        it.der()
    }
}

fn crl(next_update: Option<&str>, number: Option<&[u8]>) -> Vec<u8> {
    let next_update = next_update.map(date).unwrap_or_default();
    let serial_and_date = [&[2, 1, 7][..], &date("20200101000000Z")].concat();
    let entry = element(SEQUENCE, &[&serial_and_date]);
    let extensions = number.map(|number| {
        let number = extension(0x14, &element(2, &[number]));
        element(0xa0, &[&element(SEQUENCE, &[&number])])
    });
    let signed = element(
        SEQUENCE,
        &[
            &[2, 1, 1],
            ED25519,
            &common_name(UTF8, b"issuer"),
            &date("20200101000000Z"),
            &next_update,
            &element(SEQUENCE, &[&entry]),
            &extensions.unwrap_or_default(),
        ],
    );
    element(SEQUENCE, &[&signed, ED25519, &element(3, &[&[0; 65]])])
}

fn block(label: &str, der: &[u8]) -> String {
    let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
    pem::encode_config(&Pem::new(label, der), config)
}

fn good() -> String {
    block("CERTIFICATE", &Form::until(GOOD))
}

fn expired() -> String {
    block("CERTIFICATE", &Form::until(EXPIRED))
}

/// A block that is no key; whoever decodes it says that it is no base64.
fn key(label: &str) -> String {
    format!("-----BEGIN {label}-----\nnot!base64\n-----END {label}-----\n")
}

fn only(bytes: &[u8]) -> Dated {
    let mut contents = decode(bytes);
    assert_eq!((contents.found.len(), &contents.errors[..]), (1, &[][..]));
    contents.found.remove(0).dated
}

/// notBefore and notAfter in DER, what is read of them, and whether OpenSSL agrees.
#[test]
fn t_every_date_is_read_or_is_an_error() {
    let generalized = |text: &str| element(GENERALIZED, &[text.as_bytes()]);
    let utc = |text: &str| element(UTC, &[text.as_bytes()]);
    const BAD: Option<i64> = None;
    let cases = [
        ("t01", generalized("99991231235959Z"), Some(253_402_300_799)),
        ("t02", utc("491231235959Z"), Some(2_524_607_999)),
        ("t03", utc("500101000000Z"), Some(-631_152_000)),
        ("t04", generalized("19490101000000Z"), Some(-662_688_000)),
        ("t05", generalized("20301126090000Z"), Some(GOOD_SECONDS)),
        ("t06", generalized("20500101000000Z"), Some(2_524_608_000)),
        ("t07", generalized("00000101000000Z"), Some(-62_167_219_200)),
        ("t08", generalized("00010101000000Z"), Some(-62_135_596_800)),
        ("t09", utc("3011260900Z"), Some(GOOD_SECONDS)),
        ("t09", generalized("203011260900Z"), Some(GOOD_SECONDS)),
        ("t10", utc("301126100000+0100"), Some(GOOD_SECONDS)),
        (
            "t10",
            generalized("20301126083000-0030"),
            Some(GOOD_SECONDS),
        ),
        ("t11", generalized("20301126090000.5Z"), Some(GOOD_SECONDS)),
        ("t12", utc("301126090000"), BAD),
        ("t12", generalized("20301126090000"), BAD),
        ("t13", generalized("20161231235960Z"), Some(1_483_228_799)),
        ("t14", generalized("20270230090000Z"), BAD),
        ("t15", generalized("20270229090000Z"), BAD),
        ("t16", generalized("21000229090000Z"), BAD),
        ("t17", generalized("20280229090000Z"), Some(1_835_427_600)),
        ("t18", generalized("20271126240000Z"), BAD),
        ("t19", generalized("20271326090000Z"), BAD),
        ("t20", generalized("2027112609000xZ"), BAD),
        ("t21", generalized("20380119031408Z"), Some(2_147_483_648)),
        ("t22", generalized("21060207062816Z"), Some(4_294_967_296)),
        ("t23", utc(""), BAD),
        ("t23", generalized(""), BAD),
        ("t24", utc("691231235959Z"), Some(-1)),
        ("t25", generalized("120271126090000Z"), BAD),
        ("t26", generalized("-0011126090000Z"), BAD),
    ];
    let epoch = Asn1Time::from_unix(0).unwrap();
    for (code, date, seconds) in cases {
        for is_after in [true, false] {
            let mut form = form();
            *(if is_after {
                &mut form.not_after
            } else {
                &mut form.not_before
            }) = date.clone();
            let der = form.der();
            let openssl = X509::from_der(&der).unwrap();
            let contents = decode(block("CERTIFICATE", &der).as_bytes());
            let read = match (&contents.found[..], &contents.errors[..]) {
                ([found], []) if is_after => found.dated.not_after,
                ([found], []) => Some(found.dated.not_before),
                ([], [error]) => {
                    let field = if is_after { "notAfter" } else { "notBefore" };
                    let octets = String::from_utf8_lossy(&date[2..]);
                    let beginning = format!("{field} is no date, `{octets}`: ");
                    assert!(error.message.starts_with(&beginning), "{}", error.message);
                    assert_eq!((error.index, error.line), (Some(1), Some(1)));
                    assert_eq!(error.reason, ReadReason::BadTime);
                    None
                }
                _ => panic!("{code}: {contents:?}"),
            };
            assert_eq!(read, seconds, "{code}");
            let its_date = if is_after {
                openssl.not_after()
            } else {
                openssl.not_before()
            };
            let difference = epoch.diff(its_date).ok();
            let its_seconds = difference.map(|it| i64::from(it.days) * 86_400 + i64::from(it.secs));
            match code {
                // OpenSSL takes no leap seconds.
                "t13" => assert_eq!(its_seconds, None),
                _ => assert_eq!(its_seconds, seconds, "{code}: OpenSSL"),
            }
        }
    }
}

#[test]
fn t_dates_that_contradict_each_other_are_read() {
    for (code, not_before, not_after) in [
        ("t30", GOOD, EXPIRED),
        ("t31", GOOD, GOOD),
        ("t32", "29990101000000Z", "30000101000000Z"),
    ] {
        let mut form = form();
        (form.not_before, form.not_after) = (date(not_before), date(not_after));
        let dated = only(&form.der());
        assert_eq!(dated.not_after.unwrap() < dated.not_before, code == "t30");
    }
}

#[test]
fn p_every_shape_of_pem_is_accounted_for() {
    let (good, expired) = (good(), expired());
    let (good, expired) = (good.as_str(), expired.as_str());
    let good_der = Form::until(GOOD);
    let lines = good.lines().count();
    assert_eq!(lines, 7);
    let bytes = |text: String| text.into_bytes();
    let one_line = good
        .replace("-----\n", "-----#")
        .replace('\n', "")
        .replace('#', "\n");
    let one_line = one_line.replace("-----END", "\n-----END");
    let columns_76 = {
        let body: String = good.lines().filter(|line| !line.starts_with('-')).collect();
        let lines: Vec<_> = body
            .as_bytes()
            .chunks(76)
            .map(String::from_utf8_lossy)
            .collect();
        let body = lines.join("\n");
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    };
    let cut = good.lines().take(4).collect::<Vec<_>>().join("\n") + "\n";
    let bad_base64 = good.replacen("\nM", "\n!", 1);
    let bad_der = block("CERTIFICATE", &[0x30, 3, 2, 1, 1]);
    let relabelled = |label: &str| good.replace("CERTIFICATE-", &format!("{label}-"));
    let end_differs = good.replace("END CERTIFICATE", "END X509 CERTIFICATE");
    let utf_16 = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<_>>()
    };
    let utf_16_big = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect::<Vec<_>>()
    };
    let utf_16_error = "-@DER bad_pem: the file is UTF-16: save it as ASCII or UTF-8";
    let crl_block = block("X509 CRL", &crl(Some(EXPIRED), None));
    let mut bundle = String::new();
    for serial in 0..299_u16 {
        let serial = [&[1][..], &serial.to_be_bytes()].concat();
        bundle += &block("CERTIFICATE", &Form { serial, ..form() }.der());
    }
    bundle += expired;
    let last = format!("300@{} expired", 299 * lines + 1);
    let trusted = [
        &good_der[..],
        &[0x30, 0x0c, 0x30, 0x0a, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1],
    ]
    .concat();
    assert_told(&[
        ("p01", bytes(good.into()), &["1@1 good"]),
        ("p02", bytes(format!("\u{feff}{good}")), &["1@1 good"]),
        ("p03", bytes(good.replace('\n', "\r\n")), &["1@1 good"]),
        (
            "p04",
            bytes(good.replace('\n', "\r")),
            &["1@1 good, not for OpenSSL"],
        ),
        (
            "p05",
            bytes(format!(
                "Certificate:\n    Data:\n        Version: 3 (0x2)\n{good}"
            )),
            &["1@4 good"],
        ),
        (
            "p06",
            bytes(format!(
                "Bag Attributes\n    friendlyName: a\nsubject=CN = a\n{good}"
            )),
            &["1@4 good"],
        ),
        (
            "p07",
            bytes(format!("{good}text between\n{expired}")),
            &["1@1 good", "2@9 expired"],
        ),
        (
            "p08",
            bytes(
                good.replace("-----BEGIN", "  -----BEGIN")
                    .replace("\nM", "\n  M")
                    .replace("-----END", "  -----END"),
            ),
            &["1@1 good, not for OpenSSL"],
        ),
        ("p09", bytes(good.replace('\n', "  \t\n")), &["1@1 good"]),
        ("p10", bytes(good.trim_end().into()), &["1@1 good"]),
        ("p11", bytes(one_line.clone()), &["1@1 good"]),
        ("p12", bytes(columns_76), &["1@1 good"]),
        ("p13", bytes(relabelled("X509 CERTIFICATE")), &["1@1 good"]),
        (
            "p14",
            bytes(block("TRUSTED CERTIFICATE", &trusted)),
            &["1@1 good"],
        ),
        (
            "p15",
            bytes(cut.clone()),
            &["1@1 bad_pem: the PEM block `CERTIFICATE` has no END line"],
        ),
        (
            "p16",
            bytes(format!("{good}{cut}")),
            &[
                "1@1 good",
                "2@8 bad_pem: the PEM block `CERTIFICATE` has no END line",
            ],
        ),
        (
            "p17",
            bytes(format!("{cut}{expired}")),
            &[
                "2@5 expired",
                "1@1 bad_pem: the PEM block `CERTIFICATE` has no END line",
            ],
        ),
        (
            "p18",
            bytes(bad_base64.clone()),
            &["1@2 bad_pem: the PEM block `CERTIFICATE` is not base64"],
        ),
        (
            "p19",
            bytes(format!("{bad_base64}{expired}")),
            &[
                "2@8 expired",
                "1@2 bad_pem: the PEM block `CERTIFICATE` is not base64",
            ],
        ),
        (
            "p20",
            bytes("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".into()),
            &["1@1 bad_pem: the PEM block `CERTIFICATE` is empty"],
        ),
        (
            "p21",
            bytes(format!("{bad_der}{expired}")),
            &[
                "2@4 expired",
                "1@1 bad_der: not a certificate: it is cut off, or no X.509 certificate (RFC 5280 4.1)",
            ],
        ),
        (
            "p22",
            bytes(end_differs.clone()),
            &[
                "1@1 good",
                "1@7 bad_pem: the PEM block `CERTIFICATE` ends as `X509 CERTIFICATE`",
            ],
        ),
        (
            "p22 key",
            bytes(good.replace("END CERTIFICATE", "END PRIVATE KEY")),
            &["1@7 bad_pem: the PEM block `CERTIFICATE` ends as `PRIVATE KEY`"],
        ),
        (
            "p22 damaged",
            bytes(end_differs.replacen("\nM", "\n!", 1)),
            &["1@2 bad_pem: the PEM block `CERTIFICATE` is not base64"],
        ),
        (
            "p22 key first",
            bytes(format!(
                "{}{expired}",
                good.replace("BEGIN CERTIFICATE", "BEGIN PRIVATE KEY")
            )),
            &[
                "2@8 expired",
                "1@7 bad_pem: the PEM block `PRIVATE KEY` ends as `CERTIFICATE`",
            ],
        ),
        (
            "p22 blanks",
            bytes(expired.replace("CERTIFICATE-", "CERTIFICATE -")),
            &["1@1 expired, not for OpenSSL"],
        ),
        ("p23", bytes(key("PRIVATE KEY")), &["Key@1"]),
        (
            "p24",
            bytes(format!(
                "{}{}{good}{expired}",
                key("EC PARAMETERS"),
                key("EC PRIVATE KEY")
            )),
            &["3@7 good", "4@14 expired", "Key@1", "Key@4"],
        ),
        (
            "p25",
            bytes(key("RSA PRIVATE KEY").replace(
                "not!",
                "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nnot!",
            )),
            &["Key@1"],
        ),
        ("p26", vec![], &[]),
        ("p27", bytes(" \n\t\r\n".into()), &[]),
        ("p28", utf_16(good), &[utf_16_error]),
        (
            "p28 mark",
            utf_16(&format!("\u{feff}{good}")),
            &[utf_16_error],
        ),
        (
            "p28 behind",
            [good.as_bytes(), &utf_16(&format!("\u{feff}{expired}"))].concat(),
            &["1@1 good", utf_16_error],
        ),
        (
            "p28 text",
            utf_16(&format!("text\n{good}")),
            &[utf_16_error],
        ),
        (
            "p28 big",
            utf_16_big(&format!("\u{feff}{good}")),
            &[utf_16_error],
        ),
        ("p29", bytes(format!("\0\0\n{good}")), &["1@2 good"]),
        (
            "p30",
            bytes(good.replacen("\nM", "\n\nM", 1)),
            &["1@1 good"],
        ),
        (
            "p30 within",
            bytes(good.replacen("\n-----END", "\n\n-----END", 1)),
            &["1@1 good, not for OpenSSL"],
        ),
        (
            "p31",
            bytes(format!("{}{expired}", good.trim_end())),
            &["1@1 good, not for OpenSSL", "2@7 expired, not for OpenSSL"],
        ),
        (
            "p32",
            bytes(good.replacen("\nM", "\nX-Header: a\n\nM", 1)),
            &["1@1 good, not for OpenSSL"],
        ),
        (
            "p33",
            bytes(good.replacen("\nM", "\n# comment\nM", 1)),
            &["1@2 bad_pem: the PEM block `CERTIFICATE` is not base64"],
        ),
        ("p34", bytes(crl_block.clone()), &["1@1 CRL expired"]),
        ("p35", bytes(key("CERTIFICATE REQUEST")), &["Csr@1"]),
        ("p35 new", bytes(key("NEW CERTIFICATE REQUEST")), &["Csr@1"]),
        (
            "p36",
            bytes(
                good.replace("CERTIFICATE", "certificate")
                    .replace("BEGIN", "begin")
                    .replace("END", "end"),
            ),
            &[],
        ),
        (
            "p37",
            [b"# gr\xfcn\n", good.as_bytes()].concat(),
            &["1@2 good"],
        ),
        (
            "p38",
            bytes(good.replace('\n', r"\n")),
            &[
                r"1@1 bad_pem: the BEGIN line of the PEM block `CERTIFICATE` goes on after its dashes: each line of the block must be a line of its own: two characters `\n` are no line end",
            ],
        ),
        (
            "p39",
            bytes(format!("{good}{good}{expired}{good}")),
            &["1@1 good", "3@15 expired"],
        ),
        (
            "p40",
            bytes(format!(
                "use -----BEGIN CERTIFICATE----- to start\n{expired}"
            )),
            &["1@2 expired"],
        ),
        (
            "p42",
            bytes(key("PKCS7") + &key("CMS")),
            &["Pkcs7@1", "Pkcs7@4"],
        ),
        (
            "p43",
            bytes(block("CERTIFICATE", &[&good_der[..], b"\0\0\0\0"].concat())),
            &["1@1 good, and more behind it"],
        ),
        ("other", bytes(key("SSH2 SIGNATURE")), &["Other@1"]),
        (
            "bad CRL",
            bytes(block("X509 CRL", &good_der)),
            &["1@1 bad_crl: not a CRL: it is cut off, or no CertificateList (RFC 5280 5.1)"],
        ),
        (
            "key's \\n",
            bytes(key("PRIVATE KEY").replace('\n', r"\n")),
            &["Key@1"],
        ),
        (
            "key cut",
            bytes("-----BEGIN PRIVATE KEY-----\nnot!base64".into()),
            &["Key@1"],
        ),
    ]);
    let told = told(bundle.as_bytes());
    assert_eq!((told.len(), told.last()), (300, Some(&last)), "p41");
}

#[test]
fn d_pem_behind_der_is_found() {
    let both = [&Form::until(GOOD)[..], b"\n", expired().as_bytes()].concat();
    let found = decode(&both).found;
    let dates: Vec<_> = found.iter().map(|it| it.dated.not_after).collect();
    assert_eq!(dates, [Some(GOOD_SECONDS), Some(EXPIRED_SECONDS)]);
}

#[test]
fn d_every_kind_of_der_is_told_apart() {
    let good = Form::until(GOOD);
    let expired = Form::until(EXPIRED);
    let crl = crl(Some(EXPIRED), None);
    let with = |behind: &[u8]| [&good[..], behind].concat();
    let bare = |der: &[u8]| {
        let text = block("X", der);
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('-')).collect();
        lines.join("\n").into_bytes()
    };
    let run = |arguments: &[&str]| {
        let output = tool("openssl").args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (key_file, certificate_file) = (path("key.pem"), path("certificate.pem"));
    run(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-384",
        "-nodes",
        "-keyout",
        &key_file,
        "-out",
        &certificate_file,
        "-subj",
        "/CN=a",
    ]);
    let request = run(&[
        "req", "-new", "-key", &key_file, "-subj", "/CN=a", "-outform", "DER",
    ]);
    let pkcs8 = run(&[
        "pkcs8", "-topk8", "-nocrypt", "-in", &key_file, "-outform", "DER",
    ]);
    let encrypted = run(&[
        "pkcs8", "-topk8", "-passout", "pass:a", "-in", &key_file, "-outform", "DER",
    ]);
    let sec1 = run(&["ec", "-in", &key_file, "-outform", "DER"]);
    let public = run(&["ec", "-in", &key_file, "-pubout", "-outform", "DER"]);
    let pkcs12 = run(&[
        "pkcs12",
        "-export",
        "-in",
        &certificate_file,
        "-inkey",
        &key_file,
        "-passout",
        "pass:a",
    ]);
    let pkcs7 = run(&[
        "crl2pkcs7",
        "-nocrl",
        "-certfile",
        &certificate_file,
        "-outform",
        "DER",
    ]);
    let rsa = run(&["genpkey", "-algorithm", "RSA", "-outform", "DER"]);
    let bare_error = "-@DER bad_pem: the file is base64 without BEGIN and END lines: put it between -----BEGIN CERTIFICATE----- and -----END CERTIFICATE-----, or what else it is";
    let cut =
        "1@DER bad_der: not a certificate: it is cut off, or no X.509 certificate (RFC 5280 4.1)";
    assert_told(&[
        ("d01", good.clone(), &["1@DER good"]),
        ("d02", with(b"\n"), &["1@DER good"]),
        ("d03", with(&expired), &["1@DER good", "2@DER expired"]),
        ("d03 twice", with(&good), &["1@DER good"]),
        ("d03 CRL", with(&crl), &["1@DER good", "2@DER CRL expired"]),
        ("d04", crl.clone(), &["1@DER CRL expired"]),
        ("d05", pkcs8.clone(), &["Key@DER"]),
        ("d05 encrypted", encrypted.clone(), &["Key@DER"]),
        ("d05 SEC 1", sec1.clone(), &["Key@DER"]),
        ("d05 public", public, &["Key@DER"]),
        ("d05 RSA", rsa, &["Key@DER"]),
        ("d06", request.clone(), &["Csr@DER"]),
        ("d07", bare(&good), &[bare_error]),
        (
            "d07 CRL",
            bare(&self::crl(Some(EXPIRED), Some(&[1]))),
            &[bare_error],
        ),
        ("d07 key", bare(&pkcs8), &[]),
        ("d07 SEC 1", bare(&sec1), &[]),
        ("d07 encrypted", bare(&encrypted), &[]),
        ("d07 request", bare(&request), &[]),
        ("d08", good[..good.len() - 1].to_vec(), &[cut]),
        ("d08 half", good[..good.len() / 2].to_vec(), &[cut]),
        (
            "d08 second",
            with(&expired[..100]),
            &[
                "1@DER good",
                "2@DER bad_der: not a certificate: it is cut off, or no X.509 certificate (RFC 5280 4.1)",
            ],
        ),
        ("d10", pkcs12, &["Pkcs12@DER"]),
        (
            "d10 BER",
            b"\x30\x80\x02\x01\x03\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x80"
                .to_vec(),
            &["Pkcs12@DER"],
        ),
        (
            "d11 JKS",
            b"\xfe\xed\xfe\xed\0\0\0\x02\0\0\0\x01".to_vec(),
            &["Jks@DER"],
        ),
        (
            "d11 JCEKS",
            b"\xce\xce\xce\xce\0\0\0\x02\0\0\0\x01".to_vec(),
            &["Jks@DER"],
        ),
        ("d12", (0..=255).rev().collect(), &[]),
        ("d12 mark", b"\xff\xfe\x01\x02".to_vec(), &[]),
        ("p42 DER", pkcs7, &["Pkcs7@DER"]),
        ("more", with(b"\n\xff"), &["1@DER good, and more behind it"]),
        (
            "bad CRL",
            crl[..crl.len() - 1].to_vec(),
            &["1@DER bad_crl: not a CRL: it is cut off, or no CertificateList (RFC 5280 5.1)"],
        ),
        (
            "CRL without end",
            self::crl(None, None),
            &["1@DER CRL None"],
        ),
    ]);
}

#[test]
fn c_every_certificate_is_shown() {
    let text = |value: &[u8]| common_name(UTF8, value);
    let with_serial = |serial: &[u8]| Form {
        serial: serial.to_vec(),
        ..form()
    };
    let named = |subject: Vec<u8>| Form { subject, ..form() };
    let good: &[&str] = &["1@DER good"];
    let refused: &[&str] = &["1@DER good, not for OpenSSL"];
    let long = [&[0x7f][..], &[0xff; 20]].concat();
    let version_1 = Form {
        is_version_1: true,
        issuer: text(b"subject"),
        ..form()
    };
    assert_told(&[
        ("c01", with_serial(&[0xff]).der(), good),
        ("c02", version_1.der(), good),
        ("c03", with_serial(&[0]).der(), good),
        ("c04", with_serial(&[0, 1]).der(), refused),
        ("c04 negative", with_serial(&[0xff, 0xff]).der(), refused),
        ("c04 empty", with_serial(&[]).der(), refused),
        ("c05", with_serial(&long).der(), good),
        ("c06", named(text(b"gr\xfcn")).der(), refused),
        (
            "c06 BMPString",
            named(common_name(30, b"odd")).der(),
            refused,
        ),
        (
            "c06 T61String",
            named(common_name(20, b"gr\xfcn")).der(),
            good,
        ),
        ("c06 no string", named(common_name(4, b"a")).der(), refused),
        ("c07", named(text(b"a\0b")).der(), good),
        ("c08", named(text(b"a\n\"|b")).der(), good),
    ]);
    let serial = |octets: &[u8]| only(&with_serial(octets).der()).serial_decimal();
    assert_eq!(serial(&[0xff]), "-1");
    assert_eq!(serial(&[0x80, 0, 0, 0, 0]), "-549755813888");
    assert_eq!(serial(&[0]), "0");
    assert_eq!(serial(&[0, 1]), "1");
    assert_eq!(serial(&[0, 0xff]), "255");
    assert_eq!(
        serial(&long),
        "187072209578355573530071658587684226515959365500927"
    );
    assert_eq!(serial(&[7; 4097]).len(), 2 + 2 * 4097);
    let dated = only(&named(text(b"a\n\"|b")).der());
    assert_eq!(dated.subject(), r#"CN=a\n\"|b"#);
    assert_eq!(dated.common_name().as_deref(), Some(r#"a\n"|b"#));
    assert_eq!(dated.subject_attribute("CN").as_deref(), Some("a\n\"|b"));
    assert_eq!(dated.subject_attribute("O"), None);
    assert_eq!(dated.issuer_attribute("CN").as_deref(), Some("issuer"));
}

#[test]
fn names_are_those_of_x509_certificate_exporter() {
    let two = [
        attribute(11, UTF8, b"first")[2..].to_vec(),
        attribute(11, UTF8, b"second")[2..].to_vec(),
        attribute(8, UTF8, b"state")[2..].to_vec(),
        attribute(7, UTF8, b"city")[2..].to_vec(),
        attribute(6, 19, b"DE")[2..].to_vec(),
    ];
    let subject = element(SEQUENCE, &[&two.concat()]);
    let alt_names = element(
        SEQUENCE,
        &[
            b"\x82\x01a",
            b"\x87\x04\x0a\0\0\x01",
            b"\x82\x02\nb",
            b"\x82\x01\xff",
        ],
    );
    let extensions = vec![extension(0x11, &alt_names)];
    let dated = only(
        &Form {
            subject,
            extensions,
            ..form()
        }
        .der(),
    );
    assert_eq!(dated.subject_attribute("OU").as_deref(), Some("first"));
    assert_eq!(dated.subject_attribute("ST").as_deref(), Some("state"));
    assert_eq!(dated.subject_attribute("L").as_deref(), Some("city"));
    assert_eq!(dated.subject_attribute("C").as_deref(), Some("DE"));
    assert_eq!(dated.common_name(), None);
    assert_eq!(dated.dns_names(), ["a", r"\nb", r"\xff"]);
}

#[test]
fn a_role_is_what_the_certificate_says() {
    const CA: &[u8] = &[0x30, 3, 1, 1, 0xff];
    let role = |is_version_1, is_self_issued, constraints: &[u8]| {
        let mut form = form();
        form.is_version_1 = is_version_1;
        form.extensions = vec![extension(0x13, constraints)];
        if is_self_issued {
            form.issuer = form.subject.clone();
        }
        only(&form.der()).role
    };
    assert_eq!(role(false, true, CA), PathRole::Root);
    assert_eq!(role(false, false, CA), PathRole::Intermediate);
    assert_eq!(role(false, true, &[0x30, 0]), PathRole::Leaf);
    assert_eq!(role(false, false, &[0x30, 3, 1, 1, 0]), PathRole::Leaf);
    assert_eq!(role(true, true, &[]), PathRole::Root);
    assert_eq!(role(true, false, &[]), PathRole::Leaf);
    // Damaged, which is no obstacle.
    assert_eq!(role(false, false, &[0x30, 9, 1]), PathRole::Leaf);
}

#[test]
fn a_crl_has_a_number_and_may_have_no_end() {
    let dated = only(&crl(Some(GOOD), Some(&[1, 0])));
    assert_eq!(dated.serial_decimal(), "256");
    assert_eq!(dated.not_after, Some(GOOD_SECONDS));
    assert_eq!(
        (dated.subject(), dated.issuer()),
        (String::new(), "CN=issuer".to_owned())
    );
    let dated = only(&crl(None, None));
    assert_eq!(
        (dated.serial_decimal(), dated.not_after),
        (String::new(), None)
    );
    let bad = block("X509 CRL", &crl(Some("20270230000000Z"), None));
    assert_eq!(
        told(bad.as_bytes()),
        ["1@1 bad_time: nextUpdate is no date, `20270230000000Z`: the calendar has no such day"]
    );
}

/// What both x509-parser and OpenSSL read is read, and with the same date. Either of them alone lets
/// pass what the other refuses: x509-parser does not look at the class of some tags.
#[test]
fn damage_is_judged_as_others_judge_it() {
    let good = Form::until(GOOD);
    for at in 0..good.len() {
        let octet = good[at];
        for other in [octet ^ 1, octet ^ 0x80, 0, 0xff] {
            let mut der = good.clone();
            der[at] = other;
            let read = dated::certificate(&der);
            let mut parser = X509CertificateParser::new().with_deep_parse_extensions(false);
            let its_date = parser
                .parse(&der)
                .map(|(_, parsed)| parsed.validity().not_after.timestamp());
            if let Ok(its_date) = its_date
                && X509::from_der(&der).is_ok()
            {
                let date = read.map(|read| read.dated.not_after);
                assert_eq!(date, Ok(Some(its_date)), "{other:#04x} at {at}");
            }
            let _ = decode(&der);
            let _ = decode(&der[..at]);
        }
    }
}

/// What files are made of around the block that must be found.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let half = |text: String| text.as_bytes()[..text.len() / 2].to_vec();
    let part = prop_oneof![
        any::<Vec<u8>>(),
        "[ -~\n]{0,80}".prop_map(String::into_bytes),
        Just(half(good())),
        Just(half(key("PRIVATE KEY"))),
        Just(key("PRIVATE KEY").into_bytes()),
        Just(b"-----END CERTIFICATE-----\n".to_vec()),
        Just(b"-----BEGIN CERTIFICATE-----".to_vec()),
        Just(b"Proc-Type: 4,ENCRYPTED\n".to_vec()),
        Just(Form::until(EXPIRED)[..60].to_vec()),
        Just(b"\xef\xbb\xbf".to_vec()),
        Just(b"\xff\xfe-\0-\0".to_vec()),
    ];
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

fn damaged(der: &[u8], changes: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    let mut der = der.to_vec();
    for (at, octet) in changes {
        let at = at.index(der.len());
        der[at] = *octet;
    }
    der
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_octets_make_it_panic(bytes: Vec<u8>) {
        let _ = decode(&bytes);
    }

    #[test]
    fn a_certificate_is_found_in_any_garbage(before in garbage(), behind in garbage()) {
        let file = [&before[..], b"\n", expired().as_bytes(), b"\n", &behind].concat();
        let contents = decode(&file);
        let is_it = |found: &&zpki::scan::decode::Found| found.dated.not_after == Some(EXPIRED_SECONDS);
        let found = contents.found.iter().find(is_it);
        prop_assert!(found.is_some(), "{:?}", contents);
    }

    #[test]
    fn a_damaged_crl_makes_nobody_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..3),
    ) {
        let der = damaged(&crl(Some(GOOD), Some(&[1])), &changes);
        let _ = dated::crl(&der);
        let _ = decode(&der);
    }

    #[test]
    fn a_serial_number_is_the_number_that_openssl_reads(serial in prop::collection::vec(any::<u8>(), 1..40)) {
        let der = Form { serial, ..form() }.der();
        if let Ok(certificate) = X509::from_der(&der) {
            let number = certificate.serial_number().to_bn().unwrap();
            let digits = number.to_dec_str().unwrap().to_string();
            prop_assert_eq!(only(&der).serial_decimal(), digits);
        }
    }
}
