//! `zpki show -`: whatever it is given, it answers in text that a terminal shows and in JSON, or says
//! why not.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Cursor, Write};
use std::rc::Rc;
use std::sync::Arc;

use time::macros::datetime;
use zpki::domain::progress::Quiet;
use zpki::system::interruption::Interruption;
use zpki::system::{OperatingSystem, System};

/// The input is a file.
pub fn run(bytes: &[u8]) {
    let (status, text, error) = show(bytes, "text");
    assert!(matches!(status, 0 | 65), "{status}: {error}");
    assert_eq!(status == 0, error.is_empty(), "{error}");
    assert_eq!(status == 0, !text.is_empty(), "{error}");
    for shown in [&text, &error] {
        let is_control = |c: char| c.is_control() && c != '\n';
        assert!(!shown.contains(is_control), "{shown:?}");
    }
    let (json_status, json, json_error) = show(bytes, "json");
    assert_eq!((json_status, &json_error), (status, &error));
    if status == 0 {
        let report: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
        assert!(
            report["objects"]
                .as_array()
                .is_some_and(|it| !it.is_empty())
        );
    }
}

/// Exit status, standard output, standard error.
fn show(bytes: &[u8], form: &str) -> (u8, String, String) {
    let (stdout, stderr) = (Captured::default(), Captured::default());
    let mut system = System {
        now: Some(datetime!(2026-11-23 12:00 UTC)),
        started: None,
        program: "/usr/bin/zpki".into(),
        environment: BTreeMap::new(),
        current_directory: Some("/".into()),
        planned: BTreeMap::new(),
        user: "fuzz".to_owned(),
        entropy: Box::new(OperatingSystem::default()),
        stdin: Box::new(Cursor::new(bytes.to_vec())),
        stdout: Box::new(stdout.clone()),
        stderr: Box::new(stderr.clone()),
        stderr_is_terminal: false,
        stdout_is_terminal: false,
        prompt: None,
        progress: Box::new(Quiet),
        interruption: Arc::new(Interruption::default()),
    };
    let arguments = ["zpki", "show", "-", "--output", form];
    let status = zpki::cli::run(arguments.map(Into::into), &mut system);
    (status.code(), stdout.text(), stderr.text())
}

#[derive(Clone, Default)]
struct Captured(Rc<RefCell<Vec<u8>>>);

impl Captured {
    fn text(&self) -> String {
        String::from_utf8(self.0.take()).expect("zpki writes UTF-8")
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
