//! What nobody in good faith does, and what somebody does by mistake: SECURITY.md says what zpki holds
//! against it, and these tests that it does.

mod escapes;
mod input;
mod keys;
mod links;
mod secrets;

use std::fs;
use std::path::Path;

/// What SECURITY.md says is held by a test is, as far as there is such a test.
#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let quoted = text.split('`').skip(1).step_by(2);
    let mut named = 0;
    for name in quoted.filter(|name| name.contains("::")) {
        let path = name.replace("::", "/");
        let is_module = root.join(format!("tests/{path}.rs")).is_file();
        let (module, function) = name.rsplit_once("::").unwrap();
        let module = root.join(format!("tests/{}.rs", module.replace("::", "/")));
        let has = |text: String| text.contains(&format!("#[test]\nfn {function}()"));
        assert!(
            is_module || fs::read_to_string(module).is_ok_and(has),
            "{name}"
        );
        named += 1;
    }
    assert!(named > 10, "{named}");
}
