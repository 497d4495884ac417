//! The moving pictures of the README: sessions at a terminal, with the real program in a real shell.
//! Time passes in them as a reader needs it, and the clock stands still, so each run draws the same.

use std::env;
use std::path::Path;
use std::process::Command;

use tempfile::{TempDir, tempdir};

use super::pty::{CTRL_D, Terminal, at_terminal};
use super::svg::Film;
use super::{ZPKI, own_mounts};
use crate::e2e::process::{find, python, run};
use crate::sandbox::same_as_committed;

/// How many milliseconds a key takes, a look at what was asked, and the reading of what was said.
const KEY: u32 = 60;
const LOOK: u32 = 700;
const READ: u32 = 4000;
const READ_ALL: u32 = 9000;

/// The key that goes to the next choice.
const DOWN: &str = "\x1b[B";

#[test]
fn the_wizard_leads_to_a_pki() {
    let mut session = Session::start((36, 111), "");
    session.command("zpki init my-pki");
    session.answer("Name of the cluster [prod]:", "", "\r");
    session.answer("Name of the server [server1]:", "zato-1", "\r");
    session.answer("[127.0.0.1:17010]:", "10.0.0.11:17010", "\r");
    session.answer("[zato-1.prod.internal 10.0.0.11]:", "", "\r");
    session.answer("Another server? [y/N]", "", "y");
    session.answer("Name of the server [server2]:", "zato-2", "\r");
    session.answer("[127.0.0.1:17011]:", "10.0.0.12:17010", "\r");
    session.answer("[zato-2.prod.internal 10.0.0.12]:", "", "\r");
    session.answer("Another server? [y/N]", "", "n");
    session.answer("[load-balancer.prod.internal]:", "lb.prod.internal", "\r");
    session.answer("  required: no connection without one", "", DOWN);
    session.answer(
        "> optional: one that is sent is checked\n  required: no connection without one",
        "",
        DOWN,
    );
    session.answer("> required: no connection without one", "", "\r");
    session.answer("Lifetime of the CA [10y]:", "", "\r");
    session.answer("Lifetime of the certificates [1y]:", "", "\r");
    session.answer("with a passphrase? [Y/n]", "", "y");
    session.answer("Passphrase of the CA's private key:", "", "correct horse\r");
    session.answer("Once more:", "", "correct horse\r");
    session.terminal.asks("Make it? [Y/n]");
    session.show(READ);
    session.answer("Make it? [Y/n]", "", "y");
    session.rest("\n$", READ_ALL);
    same_as_committed("docs/init.svg", &session.end());
}

#[test]
fn a_wrong_file_is_found_and_mended() {
    let setup = "for pki in old demo; do
        zpki init $pki --cluster demo --server server1=10.0.0.11:17010 \\
            --server server2=10.0.0.12:17010 --no-ca-passphrase >/dev/null 2>&1
    done";
    let mut session = Session::start((22, 88), setup);
    session.command("cp old/ca/ca.cert.pem demo/load-balancer/   # the wrong file");
    session.command("zpki -C demo check");
    session.rest("\n$", READ_ALL);
    session.command("cp demo/ca/ca-file.pem demo/load-balancer/ca.cert.pem");
    session.command("zpki -C demo check");
    session.rest("\n$", READ_ALL);
    let svg = session.end();
    // The last word of the CA's name is drawn at random.
    let name = "demo cluster CA 2026-12-01 ";
    let drawn = &svg.split_once(name).unwrap().1[..4];
    let svg = svg.replace(&format!("{name}{drawn}"), &format!("{name}3f9a"));
    same_as_committed("docs/check.svg", &svg);
}

/// A shell at a terminal, and the film of it.
struct Session {
    terminal: Terminal,
    size: (u16, u16),
    film: Film,
    _directory: TempDir,
}

/// A shell that sees the directory of the test as /srv, and one instant as the time. The program
/// `faketime` would stand between the terminal and the shell, so its library is taken; what that keeps
/// in /dev/shm goes with the mount.
const SHELL: &str = r#"
    "$MOUNT" --bind . /srv && "$MOUNT" -t tmpfs tmpfs /dev/shm && cd /srv || exit 1
    export LD_PRELOAD='/usr/$LIB/faketime/libfaketime.so.1'
    export FAKETIME='2026-12-01 09:00:00' FAKETIME_DONT_FAKE_MONOTONIC=1 TZ=UTC
    eval "$SETUP"
    exec sh -i
"#;

impl Session {
    /// With `setup`, which nobody sees, behind it.
    fn start(size: (u16, u16), setup: &str) -> Self {
        find("faketime");
        let directory = tempdir().unwrap();
        let programs = Path::new(ZPKI).parent().unwrap().display();
        let path = format!("{programs}:{}", env::var("PATH").unwrap());
        let mut command = at_terminal(directory.path());
        command.args(own_mounts()).args(["sh", "-c", SHELL]);
        command.env("SETUP", setup).env("PATH", path);
        command.env("PS1", "\x1b[1;32m$\x1b[m ").env_remove("ENV");
        command.env("MOUNT", find("mount"));
        Self {
            terminal: Terminal::start(&mut command, size),
            size,
            film: Film::default(),
            _directory: directory,
        }
    }

    /// Gives the shell a command.
    fn command(&mut self, command: &str) {
        self.rest("$", LOOK);
        self.types(command, Terminal::says);
        self.terminal.press("\r");
    }

    /// Waits for a question of the wizard, and answers it with what is seen and what is not.
    fn answer(&mut self, question: &str, typed: &str, keys: &str) {
        self.terminal.asks(question);
        self.show(LOOK);
        self.types(typed, Terminal::asks);
        keys.chars().for_each(|_| self.show(KEY));
        self.terminal.press(keys);
    }

    /// Types it letter by letter.
    fn types(&mut self, text: &str, wait: impl Fn(&mut Terminal, &str)) {
        let mut begin = 0;
        // A space at the end of a line is not seen before what follows it.
        for end in (1..=text.len()).filter(|end| !text[..*end].ends_with(' ')) {
            self.terminal.press(&text[begin..end]);
            wait(&mut self.terminal, &text[..end]);
            self.show(KEY);
            begin = end;
        }
        self.show(LOOK / 2);
    }

    /// Waits until this is the last on the screen, and lets it be read.
    fn rest(&mut self, text: &str, milliseconds: u32) {
        self.terminal.says(text);
        self.show(milliseconds);
    }

    fn show(&mut self, milliseconds: u32) {
        self.film.show(&self.terminal.picture(), milliseconds);
    }

    /// Leaves the shell; returns the film.
    fn end(mut self) -> String {
        self.terminal.press(CTRL_D);
        self.terminal.end();
        let svg = self.film.svg(self.size);
        let parse = "import sys, xml.etree.ElementTree as t; t.fromstring(sys.argv[1])";
        run(Command::new(python()).args(["-c", parse, &svg]));
        svg
    }
}
