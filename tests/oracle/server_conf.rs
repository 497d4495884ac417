//! What zpki reads out of a server.conf, and what ConfigObj itself does.

use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use zpki::config::server_conf::read_server_conf;
use zpki::config::server_conf::reason::Reason;
use zpki::domain::server_conf::{CryptoSettings, Setting};

use crate::e2e::process::python;

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
