//! Signals while a question is open: nothing is on disk, and the terminal is as it was.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::tempdir;

use super::ZPKI;
use super::names;
use super::pty::{CTRL_C, Terminal, WIDE, at_terminal};
use super::wizard::{QUESTIONS, answer_first};

/// Ends the wizard at each of its questions; returns how.
fn ended_at_each_question(mut end: impl FnMut(&mut Terminal)) -> Vec<i32> {
    let dir = tempdir().unwrap();
    let status = |position: usize| {
        let mut terminal = Terminal::zpki(dir.path(), &["init", "a/b/demo"]);
        answer_first(position, &mut terminal);
        terminal.asks(QUESTIONS[position].0);
        end(&mut terminal);
        let status = terminal.end();
        assert!(!terminal.transcript().contains("horse"));
        assert_eq!(names(dir.path()), [""; 0], "{}", QUESTIONS[position].0);
        status
    };
    (0..QUESTIONS.len()).map(status).collect()
}

#[test]
fn ctrl_c_at_any_question_leaves_nothing() {
    let statuses = ended_at_each_question(|terminal| terminal.press(CTRL_C));
    assert_eq!(statuses, [130; QUESTIONS.len()]);
}

#[test]
fn ctrl_c_over_half_an_answer_leaves_nothing() {
    let statuses = ended_at_each_question(|terminal| terminal.press(&format!("x{CTRL_C}")));
    // `x` is no answer to a menu or to a yes or no, and the others wait for Enter.
    assert_eq!(statuses, [130; QUESTIONS.len()]);
}

#[test]
fn sigterm_at_any_question_leaves_nothing() {
    let statuses = ended_at_each_question(|terminal| terminal.signal(Signal::TERM));
    assert_eq!(statuses, [143; QUESTIONS.len()]);
}

#[test]
fn sighup_at_any_question_leaves_nothing() {
    let statuses = ended_at_each_question(|terminal| terminal.signal(Signal::HUP));
    assert_eq!(statuses, [129; QUESTIONS.len()]);
}

#[test]
fn sigquit_at_any_question_leaves_nothing_and_no_core() {
    let statuses = ended_at_each_question(|terminal| terminal.signal(Signal::QUIT));
    assert_eq!(statuses, [131; QUESTIONS.len()]);
}

#[test]
fn a_signal_that_the_parent_ignores_stays_ignored() {
    let dir = tempdir().unwrap();
    let mut terminal = ignoring("HUP", dir.path());
    answer_first(1, &mut terminal);
    terminal.asks(QUESTIONS[1].0);
    terminal.signal(Signal::HUP);
    std::thread::sleep(Duration::from_millis(100));
    terminal.press("\r");
    terminal.asks(QUESTIONS[2].0);
    terminal.signal(Signal::TERM);
    assert_eq!(terminal.end(), 143);
}

/// zpki under a shell that ignores a signal, as nohup does.
fn ignoring(signal: &str, directory: &Path) -> Terminal {
    let mut command = at_terminal(directory);
    let script = format!(r#"trap '' {signal}; exec "$0" init demo"#);
    command.args(["sh", "-c", &script, ZPKI]);
    Terminal::start(&mut command, WIDE)
}
