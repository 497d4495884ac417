//! `zpki backup -` at a terminal, which would take the octets of an archive for commands.

use tempfile::tempdir;

use super::pty::Terminal;
use super::{ZPKI, command, init, status};

#[test]
fn no_backup_is_written_to_a_terminal() {
    let dir = tempdir().unwrap();
    let made = command(ZPKI, dir.path()).args(init("demo", 1)).output();
    assert_eq!(status(&made.unwrap()), Some(0));
    let mut terminal = Terminal::zpki(dir.path(), &["-C", "demo", "backup", "-"]);
    assert_eq!(terminal.end(), 64);
    let screen = terminal.screen();
    let expected = "  because: standard output is a terminal, which cannot show a backup";
    assert!(
        screen.lines().any(|line| line.trim_end() == expected),
        "{screen}"
    );
    assert!(!screen.contains("ustar"), "{screen}");
}
