//! zpki in a pipeline: tests/pipeline.sh, which jq alone helps to read what it says.

use std::path::Path;
use std::process::Command;

use crate::e2e::process::find;
use crate::sandbox::{PROGRAM, Sandbox};

#[test]
fn a_pipeline_needs_nobody_and_nothing_but_exit_statuses_and_json() {
    let sandbox = Sandbox::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pipeline.sh");
    let tools = find("jq");
    let path = format!("{}:/usr/bin:/bin", tools.parent().unwrap().display());
    let output = Command::new("setsid")
        .arg("--wait")
        .arg("sh")
        .arg(script)
        .arg(PROGRAM)
        .env_clear()
        .env("PATH", path)
        .current_dir(sandbox.path(""))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(output.stdout.is_empty() && said.is_empty(), "{said}");
}
