//! A pseudo-terminal with a screen, and a program that runs at it.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Termios, Winsize, tcgetattr, tcsetwinsize};

use super::{ZPKI, command};
use crate::e2e::process::{find, wait_for};

/// Rows and columns in which no line of ours is too long.
pub(super) const WIDE: (u16, u16) = (60, 200);

/// Ctrl-C and Ctrl-D, as a keyboard sends them.
pub(super) const CTRL_C: &str = "\x03";
pub(super) const CTRL_D: &str = "\x04";

/// A program at a terminal of its own, until it is dropped.
pub(super) struct Terminal {
    child: Child,
    keyboard: File,
    /// The program's side, kept open so that its modes can be looked at when the program has ended.
    inside: Option<OwnedFd>,
    before: Termios,
    display: Arc<Mutex<Display>>,
    reader: Option<JoinHandle<()>>,
}

struct Display {
    parser: vt100::Parser,
    transcript: Vec<u8>,
}

impl Terminal {
    /// zpki in `directory`.
    pub(super) fn zpki(directory: &Path, arguments: &[&str]) -> Self {
        let mut command = at_terminal(directory);
        command.arg(ZPKI).args(arguments);
        Self::start(&mut command, WIDE)
    }

    /// A command that [`at_terminal`] began.
    pub(super) fn start(command: &mut Command, (rows, columns): (u16, u16)) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let outside = openpt(flags).unwrap();
        grantpt(&outside).unwrap();
        unlockpt(&outside).unwrap();
        let window = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&outside, window).unwrap();
        let path = ptsname(&outside, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let inside = rustix::fs::open(&path, flags, Mode::empty()).unwrap();
        let end = || inside.try_clone().unwrap();
        command.stdin(end()).stdout(end()).stderr(end());
        let before = tcgetattr(&inside).unwrap();
        let child = command.spawn().unwrap();
        // The command holds its ends until it gets others.
        let null = Stdio::null;
        command.stdin(null()).stdout(null()).stderr(null());

        let size = |cells| NonZero::new(cells).unwrap();
        let display = Arc::new(Mutex::new(Display {
            parser: vt100::Parser::new(size(rows), size(columns), 0),
            transcript: Vec::new(),
        }));
        let shown = Arc::clone(&display);
        let keyboard = File::from(outside);
        let mut output = keyboard.try_clone().unwrap();
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // An error says that nobody has the other side open any more.
            while let Ok(length @ 1..) = output.read(&mut bytes) {
                let mut display = shown.lock().unwrap();
                display.parser.process(&bytes[..length]);
                display.transcript.extend(&bytes[..length]);
            }
        });
        Self {
            child,
            before,
            keyboard,
            inside: Some(inside),
            display,
            reader: Some(reader),
        }
    }

    /// Waits until `question` is the last thing on the screen, and keys go to the program: dialoguer
    /// turns echo off.
    pub(super) fn asks(&mut self, question: &str) {
        self.wait(question, |display, echo| {
            !echo && before_cursor(display).ends_with(question)
        });
    }

    /// Waits until `text` is the last thing on the screen.
    pub(super) fn says(&mut self, text: &str) {
        self.wait(text, |display, _| before_cursor(display).ends_with(text));
    }

    /// Waits until `text` has been on the screen, if only for a moment.
    pub(super) fn has_said(&mut self, text: &str) {
        self.wait(text, |display, _| {
            String::from_utf8_lossy(&display.transcript).contains(text)
        });
    }

    fn wait(&mut self, text: &str, mut done: impl FnMut(&Display, bool) -> bool) {
        let (display, keyboard) = (&self.display, &self.keyboard);
        let probe = || {
            let modes = tcgetattr(keyboard).unwrap().local_modes;
            let display = display.lock().unwrap();
            done(&display, modes.contains(LocalModes::ECHO)).then_some(())
        };
        wait_for(probe, || {
            format!("`{text}` on this screen:\n{}", self.screen())
        });
    }

    /// Presses keys.
    pub(super) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for a question, and answers it with Enter at the end.
    pub(super) fn answer(&mut self, question: &str, answer: &str) {
        self.asks(question);
        self.press(&format!("{answer}\r"));
    }

    /// Waits for a question of yes or no, and presses the one key.
    pub(super) fn press_at(&mut self, question: &str, key: &str) {
        self.asks(question);
        self.press(key);
    }

    /// Signals the program, and nobody else.
    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end; returns the exit status. The terminal is as it was before.
    pub(super) fn end(&mut self) -> i32 {
        let child = &mut self.child;
        let status = wait_for(
            || child.try_wait().unwrap(),
            || format!("the end:\n{}", shown(&self.display)),
        );
        assert_eq!(status.signal(), None, "killed by a signal");
        let after = tcgetattr(self.inside.as_ref().unwrap()).unwrap();
        assert_eq!(after.local_modes, self.before.local_modes);
        assert_eq!(after.input_modes, self.before.input_modes);
        assert_eq!(after.output_modes, self.before.output_modes);
        assert_eq!(after.control_modes, self.before.control_modes);
        self.inside = None;
        self.reader.take().unwrap().join().unwrap();
        let display = self.display.lock().unwrap();
        assert!(!display.parser.screen().hide_cursor(), "no cursor");
        status.code().unwrap()
    }

    /// What a person sees.
    pub(super) fn screen(&self) -> String {
        shown(&self.display)
    }

    /// The same, with colours and the cursor, once everything that was written has arrived: a NUL that
    /// is written behind it has.
    pub(super) fn picture(&self) -> vt100::Screen {
        let arrived = || {
            let display = self.display.lock().unwrap();
            let nuls = display.transcript.iter().filter(|byte| **byte == 0);
            (nuls.count(), display.parser.screen().clone())
        };
        let (before, _) = arrived();
        rustix::io::write(self.inside.as_ref().unwrap(), b"\0").unwrap();
        wait_for(
            || Some(arrived()).filter(|(nuls, _)| *nuls > before),
            || "a NUL at the terminal".to_owned(),
        )
        .1
    }

    /// Every byte that the terminal got.
    pub(super) fn transcript(&self) -> String {
        String::from_utf8(self.display.lock().unwrap().transcript.clone()).unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.inside = None;
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// The beginning of a command whose terminal is to be the one that it is started at.
pub(super) fn at_terminal(directory: &Path) -> Command {
    let mut command = command(find("setsid").to_str().unwrap(), directory);
    command.arg("--ctty");
    command
}

fn shown(display: &Mutex<Display>) -> String {
    display.lock().unwrap().parser.screen().contents()
}

fn before_cursor(display: &Display) -> String {
    let screen = display.parser.screen();
    let (row, column) = screen.cursor_position();
    let text = screen.contents_between(0, 0, row, column);
    text.trim_end().to_owned()
}
