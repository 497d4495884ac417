//! What nobody in good faith does, and what somebody does by mistake: SECURITY.md says what zpki holds
//! against it, and these tests that it does.

mod escapes;
mod input;
mod keys;
mod links;
mod owners;
mod secrets;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Words in SECURITY.md that look like names of tests.
const OTHER_WORDS: [&str; 3] = ["allow", "rekey", "rollback"];

/// What SECURITY.md says is held by a test is, as far as there is such a test.
#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let quoted = text.split('`').skip(1).step_by(2);
    let is_of_name = |it: char| it.is_ascii_lowercase() || "_:".contains(it);
    let names: BTreeSet<&str> = quoted
        .filter(|word| word.chars().all(is_of_name) && !OTHER_WORDS.contains(word))
        .collect();
    for name in &names {
        let is_test = name
            .rsplit_once("::")
            .is_some_and(|(module, function)| has_test(module, function));
        assert!(is_test || file_of(name).is_some(), "{name}");
    }
    assert!(names.len() > 20, "{names:?}");
}

fn has_test(module: &str, function: &str) -> bool {
    let text = file_of(module).map(|file| fs::read_to_string(file).unwrap());
    text.is_some_and(|text| text.contains(&format!("#[test]\nfn {function}()")))
}

/// Where a module of these tests is, if there is such a one.
fn file_of(module: &str) -> Option<PathBuf> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let path = tests.join(module.replace("::", "/"));
    let files = [path.with_extension("rs"), path.join("mod.rs")];
    files.into_iter().find(|file| file.is_file())
}
