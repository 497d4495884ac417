//! What zpki reads out of a server.conf, what ConfigObj itself does, and what it reads when zpki has
//! edited the file.

use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use zpki::config::server_conf::edit::{Edited, Wanted, edit};
use zpki::config::server_conf::read_server_conf;
use zpki::config::server_conf::reason::Reason;
use zpki::domain::crypto::Crypto;
use zpki::domain::server_conf::{CryptoSettings, Setting};

use crate::e2e::process::python;
use crate::server_conf_edit::{corpus, crypto};

/// What ConfigObj makes of each text.
fn configobj(texts: &[String]) -> Vec<Value> {
    let mut python = Command::new(python())
        .args(["-c", include_str!("read_server_conf.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = serde_json::to_vec(texts).unwrap();
    python.stdin.take().unwrap().write_all(&input).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Each text is refused at the same lines by both, or has the same values.
fn compare(texts: &[String]) {
    let answers = configobj(texts);
    assert_eq!(answers.len(), texts.len());
    for (text, answer) in texts.iter().zip(answers) {
        let reading = read_server_conf(text.as_bytes());
        let problems = reading.problems.iter();
        // That a value is none of its key's is for Zato to say, not for ConfigObj.
        let refused = problems.filter(|problem| {
            problem.reason.is_refused() && !matches!(problem.reason, Reason::UnknownValue { .. })
        });
        let mut refused: Vec<usize> = refused.map(|problem| problem.line).collect();
        refused.dedup();
        let mut theirs: Vec<usize> = serde_json::from_value(answer["refused"].clone()).unwrap();
        // What ConfigObj makes of quotes and commas together is not said to be known.
        let unclear = |number: &usize| {
            let line = text.lines().nth(number - 1).unwrap_or_default();
            line.contains(',') && line.contains(['\'', '"'])
        };
        // Behind a section that is there already, ConfigObj goes on in the one before it.
        let twice = reading
            .problems
            .iter()
            .find(|problem| matches!(problem.reason, Reason::DuplicateSection { .. }));
        let last = twice.map_or(usize::MAX, |problem| problem.line);
        theirs.retain(|line| *line <= last && !unclear(line));
        refused.retain(|line| *line <= last && !unclear(line));
        // Of a second value that has several lines, ConfigObj names the last and zpki the first.
        if text.contains("'''") || text.contains("\"\"\"") {
            assert_eq!(
                refused.len(),
                theirs.len(),
                "{text:?}\n{:?}",
                reading.problems
            );
        } else {
            assert_eq!(refused, theirs, "{text:?}\n{:?}", reading.problems);
        }
        if answer["refused"] == json!([]) {
            let crypto = reading.value.crypto.unwrap_or_default();
            let sections = &answer["sections"];
            let bind = &reading.value.gunicorn_bind;
            assert_eq!(
                value(bind),
                *string(&sections["main"]["gunicorn_bind"]),
                "{text:?}"
            );
            for (key, setting) in settings(&crypto) {
                assert_eq!(
                    value(setting),
                    *string(&sections["crypto"][key]),
                    "{text:?}"
                );
            }
            let use_tls = crypto.use_tls.map(|setting| setting.value);
            assert_eq!(use_tls, answer["use_tls"].as_bool(), "{text:?}");
        }
    }
}

fn settings(crypto: &CryptoSettings) -> [(&'static str, &Option<Setting<String>>); 3] {
    [
        ("ca_certs_location", &crypto.ca_certs_location),
        ("cert_location", &crypto.cert_location),
        ("priv_key_location", &crypto.priv_key_location),
    ]
}

fn value(setting: &Option<Setting<String>>) -> Value {
    setting
        .as_ref()
        .map_or(Value::Null, |setting| setting.value.clone().into())
}

/// Lists and interpolations are not read.
fn string(value: &Value) -> &Value {
    match value {
        Value::String(_) => value,
        _ => &Value::Null,
    }
}

#[test]
fn configobj_reads_the_same_values() {
    let values = [
        "a",
        "a b ",
        "'a'",
        "\"a\"",
        "a#b",
        "a # b",
        "'a # b' # c",
        "a, b",
        "'a, b'",
        "\"a, b\"",
        ",",
        "a,",
        "a, ",
        ",a",
        "a,,b",
        "a, , b",
        "'a",
        "'a' b",
        "'a'b'",
        "'a' 'b'",
        "a'b",
        "a 'b'",
        "",
        "#",
        "'a', 'b",
        "'a', b # c",
        "'a' # b', c",
        "'''a'''",
        "'''a''' # b",
        "'''a''' b",
        "'''a",
        "''",
        "\"\"",
        "''''a''''",
        "\"'a'\"",
        "=",
        "a=b",
        "\u{a0}a\u{a0}",
        "ü",
        "a,#",
        "a # b, 'c",
        "'a'#b",
        "$a",
        "100%",
        "a;b",
        "\"a\\\"b\"",
        "'a',",
        "'a' ,'b' , c #",
        "True",
        "oN",
        "0",
        "off",
        "2",
        "tRue",
    ];
    let mut texts: Vec<String> = values
        .iter()
        .map(|value| {
            format!("[crypto]\ncert_location={value}\nuse_tls = {value}\npriv_key_location=b\n")
        })
        .collect();
    texts.extend(
        [
            "",
            "\u{feff}[crypto]\ncert_location=a\n",
            "[crypto]\r\ncert_location=a\r\n\r\n",
            "[crypto]\ncert_location=a",
            "cert_location=a\n[crypto]\n",
            "[crypto]\n[crypto]\ncert_location=a\n",
            "[crypto]\ncert_location=a\ncert_location=b\n",
            "crypto=a\n[crypto]\n",
            "[crypto]\n[[a]]\ncert_location=a\n[[b]]\n[main]\ngunicorn_bind=h:1\n",
            "[crypto]\n[[a]]\n[[a]]\n",
            "[crypto]\na=b\n[[a]]\n",
            "[crypto]\n[[[a]]]\ncert_location=a\n",
            "[[a]]\n",
            "[crypto]]\n",
            "[crypto\n",
            "[ crypto ]\n cert_location = a\n",
            "[crypto] # a\n'cert_location' = a\n\"priv_key_location\"=b\n",
            "['crypto']\ncert_location=a\n",
            "[crypto]\nCERT_LOCATION=a\n[Crypto]\ncert_location=a\n",
            "[crypto]\nnothing\n=a\n'a\n",
            "[crypto]\ncert_location='''a\n[main]\nb''' # c\npriv_key_location=d\n",
            "[crypto]\ncert_location='''a\nb\npriv_key_location=d\n",
            "[crypto]\ncert_location='''a\nb''' c\npriv_key_location=d\n",
            "[crypto]\n  # a\n;a\n",
        ]
        .map(str::to_owned),
    );
    compare(&texts);
}

/// Texts of the characters that mean something, many for each run of Python.
#[test]
fn configobj_agrees_about_random_texts() {
    let line = prop_oneof![
        3 => r#"(cert_location|ca_certs_location|priv_key_location|a|'b') ?= ?([ab,# =]{0,10}|[ab#' "=]{0,10})"#,
        1 => r#"[ab\[\]=#'" ]{0,8}"#,
        1 => "(\\[(main|crypto|x)\\]|\\[\\[[ab]\\]\\]) ?#?",
        1 => r#"(cert_location|c)=('''|"""|)[a' #]{0,5}('''|"""|)"#,
    ];
    let text = prop::collection::vec(line, 0..7)
        .prop_map(|lines| format!("[crypto]\n{}\n", lines.join("\n")));
    let texts = prop::collection::vec(text, 300);
    let mut runner = TestRunner::new(Config {
        cases: 4,
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Config::default()
    });
    let tested = runner.run(&texts, |texts| {
        compare(&texts);
        Ok(())
    });
    tested.unwrap();
}

/// `ConfigObj` reads the edited text as the old one with the wanted values, and nothing else
/// changed. What it refuses is not edited. Returns how many were.
fn compare_edited(texts: &[String]) -> usize {
    let crypto = crypto();
    let edits = |wanted: Wanted<'_>| -> Vec<_> {
        let edits = texts.iter().map(|text| edit(text.as_bytes(), wanted));
        edits.map(Result::ok).collect()
    };
    let before = configobj(texts);
    let shown = |text: &str, edited: &str| format!("{text}\n--- edited\n{edited}");
    let (to_tls, to_plain) = (edits(Wanted::Tls(&crypto)), edits(Wanted::Plain));
    let read = |edits: &[Option<Edited>]| {
        let texts = edits.iter().map(|edited| {
            let text = edited.as_ref().map(|edited| edited.text.clone());
            String::from_utf8(text.unwrap_or_default()).unwrap()
        });
        let texts: Vec<String> = texts.collect();
        let answers = configobj(&texts);
        texts.into_iter().zip(answers)
    };
    let edited = to_tls.iter().zip(read(&to_tls)).zip(&to_plain);
    let edited = edited.zip(read(&to_plain));
    let all = texts.iter().zip(&before).zip(edited);
    let mut compared = 0;
    for ((text, before), (((tls, (tls_text, in_tls)), plain), (plain_text, in_plain))) in all {
        if before["refused"] != json!([]) {
            // Quotes and commas together are left to ConfigObj, where they are not edited.
            assert!(tls.is_none() || text.contains(','), "{text}");
            continue;
        }
        if tls.is_some() {
            compared += 1;
            let shown = shown(text, &tls_text);
            assert_eq!(in_tls["refused"], json!([]), "{shown}");
            assert_eq!(in_tls["use_tls"], true, "{shown}");
            let section = &in_tls["sections"]["crypto"];
            assert_eq!(section["cert_location"], *crypto.certificate, "{shown}");
            assert_eq!(section["priv_key_location"], *crypto.private_key, "{shown}");
            assert_eq!(section["pub_key_location"], *crypto.public_key, "{shown}");
            assert_eq!(
                section["ca_certs_location"], *crypto.ca_certificates,
                "{shown}"
            );
            let text = |key: &str| section[key].as_str().unwrap();
            assert!(text("tls_client_certs").eq_ignore_ascii_case("required"));
            assert!(["TLS_SERVER", "TLS", "SSLv23", "TLSv1_2"].contains(&text("tls_protocol")));
            let ciphers = before["sections"]["crypto"]["tls_ciphers"].as_str();
            match ciphers.filter(|ciphers| !ciphers.is_empty()) {
                Some(ciphers) => assert_eq!(text("tls_ciphers"), ciphers, "{shown}"),
                None => assert!(text("tls_ciphers").contains("GCM"), "{shown}"),
            }
            assert_eq!(others(in_tls), others(before.clone()), "{shown}");
        }
        if plain.is_some() {
            let shown = shown(text, &plain_text);
            assert_eq!(in_plain["refused"], json!([]), "{shown}");
            assert_ne!(in_plain["use_tls"], true, "{shown}");
            let mut expected = before["sections"].clone();
            if let Some(use_tls) = expected.pointer_mut("/crypto/use_tls") {
                *use_tls = in_plain["sections"]["crypto"]["use_tls"].clone();
            }
            assert_eq!(in_plain["sections"], expected, "{shown}");
        }
    }
    compared
}

/// Everything that is not edited.
fn others(mut answer: Value) -> Value {
    let sections = answer["sections"].as_object_mut().unwrap();
    let crypto = sections.entry("crypto").or_insert_with(|| json!({}));
    for key in [
        "use_tls",
        "tls_protocol",
        "tls_ciphers",
        "tls_client_certs",
        "priv_key_location",
        "pub_key_location",
        "cert_location",
        "ca_certs_location",
    ] {
        crypto.as_object_mut().unwrap().remove(key);
    }
    answer["sections"].take()
}

/// In bytes that are not UTF-8, ConfigObj reads what Latin-1 has there.
#[test]
fn configobj_reads_what_was_wanted_from_the_edited_corpus() {
    let texts = corpus().into_iter().map(|(_, text)| {
        String::from_utf8(text).unwrap_or_else(|error| {
            let bytes = error.into_bytes();
            bytes.into_iter().map(char::from).collect()
        })
    });
    let texts: Vec<String> = texts.collect();
    assert_eq!(compare_edited(&texts), texts.len());
}

#[test]
fn configobj_reads_what_was_wanted_from_edited_random_texts() {
    let key = "(use_tls|tls_protocol|tls_ciphers|tls_client_certs|priv_key_location\
               |pub_key_location|cert_location|ca_certs_location|tls_version|a)";
    let value = r##"(a|TLS|True|off|none|'a, b'|"a#"|[ab,#"' =]{0,6})( ?# ["',a]{0,4})?"##;
    let several_lines = r##"('''|""")[a' #\n]{0,5}('''|""") ?#?"##;
    let line = |regex: &str| prop::string::string_regex(regex).unwrap();
    let line = prop_oneof![
        4 => line(&format!("[ \t]{{0,2}}{key} ?= ?{value}")),
        1 => line(&format!("{key}={several_lines}")),
        1 => line("(\\[(main|crypto|x)\\]|\\[\\[(use_tls|b)\\]\\]) ?#?"),
        1 => line("(#.{0,3}| {0,2}|crypto=a)"),
    ];
    let lines = prop::collection::vec(line, 0..7);
    let text = (lines, any::<[bool; 3]>()).prop_map(|(lines, [section, crlf, ended])| {
        let line_end = if crlf { "\r\n" } else { "\n" };
        let mut text = lines.join(line_end);
        if section {
            text.insert_str(0, &format!("[crypto]{line_end}"));
        }
        if ended {
            text.push_str(line_end);
        }
        text
    });
    let texts = prop::collection::vec(text, 300);
    let mut runner = TestRunner::new(Config {
        cases: 4,
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Config::default()
    });
    let tested = runner.run(&texts, |texts| {
        let compared = compare_edited(&texts);
        prop_assert!(compared > texts.len() / 5, "{}", compared);
        Ok(())
    });
    tested.unwrap();
}

/// Before comments that have quotes and commas too.
#[test]
fn configobj_reads_the_values_that_were_put_in_quotes() {
    let value = || r##"[ab ,#"'%()s]{0,8}"##;
    let wanted = prop::collection::vec((value(), value(), r##"[a,#"']{0,4}"##), 300);
    let mut runner = TestRunner::new(Config {
        cases: 4,
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Config::default()
    });
    let tested = runner.run(&wanted, |wanted| {
        let edited = wanted
            .into_iter()
            .filter_map(|(certificate, key, comment)| {
                let crypto = Crypto {
                    certificate,
                    private_key: key,
                    ..crypto()
                };
                let text = format!("[crypto]\ncert_location='x' # {comment}\n");
                // The old value may be a list, and the new one may be nothing that quotes can keep.
                let edited = edit(text.as_bytes(), Wanted::Tls(&crypto)).ok()?;
                Some((crypto, String::from_utf8(edited.text).unwrap()))
            });
        let (wanted, texts): (Vec<_>, Vec<_>) = edited.unzip();
        prop_assert!(texts.len() > 150);
        for ((crypto, text), answer) in wanted.iter().zip(&texts).zip(configobj(&texts)) {
            prop_assert_eq!(&answer["refused"], &json!([]), "{}", text);
            let section = &answer["sections"]["crypto"];
            prop_assert_eq!(&section["cert_location"], &*crypto.certificate, "{}", text);
            prop_assert_eq!(
                &section["priv_key_location"],
                &*crypto.private_key,
                "{}",
                text
            );
        }
        Ok(())
    });
    tested.unwrap();
}
