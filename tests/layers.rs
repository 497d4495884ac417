//! Imports point to the left only: domain <- x509 <- verify <- { plan, audit, config, store, scan }
//! <- commands <- cli.

use std::fs;
use std::path::{Path, PathBuf};

/// What each layer may import of the others.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("x509", &["domain"]),
    ("verify", &["domain", "x509"]),
    ("audit", &["domain", "x509", "verify"]),
    ("plan", &["domain", "x509", "verify"]),
    ("config", &["domain", "x509", "verify"]),
    ("store", &["domain", "x509", "verify"]),
    ("scan", &["domain", "x509"]),
    ("system", &["domain", "x509"]),
    (
        "commands",
        &[
            "domain", "x509", "verify", "audit", "plan", "config", "store", "scan", "system",
        ],
    ),
    (
        "cli",
        &[
            "domain", "x509", "verify", "audit", "plan", "config", "store", "scan", "system",
            "commands",
        ],
    ),
];

/// Crates that only one layer may name.
const KEPT_IN: &[(&str, &[&str])] = &[
    ("aes", &["x509"]),
    ("aws_lc_rs", &["x509"]),
    ("base64", &["x509", "cli"]),
    ("cbc", &["x509"]),
    ("des", &["x509"]),
    ("md5", &["x509"]),
    ("pem", &["x509"]),
    ("pkcs8", &["x509"]),
    ("rcgen", &["x509"]),
    ("ring", &["x509", "system"]),
    ("x509_parser", &["x509"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("dialoguer", &["system"]),
    ("signal_hook", &["system"]),
    ("minijinja", &["config", "store"]),
    ("similar", &["config"]),
    ("toml", &["store"]),
];

#[test]
fn imports_point_to_the_left() {
    let mut wrong = Vec::new();
    for (file, layer, source) in sources() {
        let (_, allowed) = MAY_IMPORT
            .iter()
            .find(|(name, _)| *name == layer)
            .unwrap_or_else(|| {
                panic!(
                    "{}: {layer} is no layer: add it to MAY_IMPORT",
                    file.display()
                )
            });
        for import in imports(&source) {
            if import != layer && !allowed.contains(&import.as_str()) {
                wrong.push(format!(
                    "{}: {layer} may not import {import}",
                    file.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_crate_stays_in_its_layer() {
    let mut wrong = Vec::new();
    for (file, layer, source) in sources() {
        for (name, layers) in KEPT_IN {
            if !layers.contains(&layer.as_str()) && names_crate(&source, name) {
                wrong.push(format!("{}: {layer} may not name {name}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_scanner_sees_every_form_of_import() {
    let source = "use crate::{domain::{a, b}, store::c, x509};\nfn f() { crate::cli::run() }";
    assert_eq!(imports(source), ["domain", "store", "x509", "cli"]);
    assert_eq!(
        imports("//! [`crate::store`]\n/// `crate::cli`\n// crate::plan"),
        [""; 0]
    );
    assert!(names_crate("use rcgen::Issuer;", "rcgen"));
    assert!(names_crate("let a = rcgen::b();", "rcgen"));
    assert!(names_crate("use pem::Pem;", "pem"));
    assert!(!names_crate(
        "use crate::x509::pem;\nfn f() { pem::scan() }",
        "pem"
    ));
    assert!(!names_crate("use clap_complete::Shell;", "clap"));
}

/// Every file below src/, with its layer and its text.
fn sources() -> Vec<(PathBuf, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    visit(&root, &mut |path| {
        let below = path.strip_prefix(&root).unwrap();
        let layer = below.iter().next().unwrap().to_str().unwrap();
        if below.components().count() > 1 || layer == "system.rs" {
            let layer = layer.trim_end_matches(".rs").to_owned();
            found.push((below.to_owned(), layer, fs::read_to_string(path).unwrap()));
        }
    });
    assert!(found.len() > 30, "src/ was not found");
    found
}

fn visit(directory: &Path, file: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(&path, file)
        } else {
            file(&path)
        }
    }
}

fn code(source: &str) -> String {
    let lines = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// First path segments after `crate::`, also inside `use crate::{a::b, c}`.
fn imports(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in code(source).split("crate::").skip(1) {
        match part.strip_prefix('{') {
            None => found.push(word(part)),
            Some(list) => {
                let mut depth = 0;
                let mut expected = true;
                for (at, character) in list.char_indices() {
                    match character {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => expected = true,
                        character if expected && depth == 0 && !character.is_whitespace() => {
                            found.push(word(&list[at..]));
                            expected = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

fn word(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// Whether the source has a path that begins with the crate's name. `pem::` may be our own module
/// of that name, so there only an import counts.
fn names_crate(source: &str, name: &str) -> bool {
    let code = code(source);
    if name == "pem" {
        return code.contains("use pem::") || code.contains("use ::pem");
    }
    code.match_indices(&format!("{name}::")).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':'))
    })
}
