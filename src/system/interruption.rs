//! Signals that ask the run to end.
//!
//! A run that has nothing on disk ends at once, after putting the terminal right: dialoguer leaves
//! it without echo or cursor when it is interrupted. A run that is writing ends at its next step,
//! after undoing what is not committed.

use std::io::{self, ErrorKind, Write};
use std::os::raw::c_int;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

/// The signal that asked the run to end, if one did.
#[derive(Debug, Default)]
pub struct Interruption {
    signal: AtomicI32,
    phase: Mutex<Phase>,
}

/// What the run does, which decides how it ends.
#[derive(Debug, Default)]
enum Phase {
    /// Nothing that must be undone.
    #[default]
    Idle,
    /// It waits for an answer, at a terminal that was in this state before.
    Asking(Option<Termios>),
    /// It writes, or has started what it has to end.
    Writing,
}

/// How soon a second signal may be the first one's echo: a terminal signals the whole process group,
/// and a parent may pass its own signal on.
const ECHO: Duration = Duration::from_secs(1);

impl Interruption {
    /// Listens for SIGHUP, SIGINT, SIGQUIT and SIGTERM from a thread of its own; those that the
    /// parent has ignored, as nohup does, stay ignored. A file that becomes too large (`ulimit -f`)
    /// is an error of the write from here on, not a signal that kills.
    ///
    /// # Errors
    /// When the operating system refuses the handlers or the thread.
    pub fn listen(self: &Arc<Self>) -> io::Result<()> {
        signal_hook::flag::register(SIGXFSZ, Arc::default())?;
        let ignored = ignored_signals();
        let wanted = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];
        let wanted = wanted.iter().filter(|signal| !ignored.contains(signal));
        let mut signals = Signals::new(wanted)?;
        let this = Arc::clone(self);
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let mut first = None;
                loop {
                    let batch: Vec<c_int> = signals.wait().collect();
                    if let Some(signal) = most_telling(&batch) {
                        let first = *first.get_or_insert_with(Instant::now);
                        this.receive(signal, first.elapsed() > ECHO);
                    }
                }
            })?;
        Ok(())
    }

    /// Ends the run, or has it end itself when it is writing and has not yet been asked for long.
    pub(super) fn receive(&self, signal: c_int, insists: bool) {
        // Held to the end of the process, so that nothing begins to be written meanwhile.
        let phase = self.phase();
        let first = self
            .signal
            .compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
        let signal = first.err().unwrap_or(signal);
        if matches!(*phase, Phase::Writing) && !insists {
            return;
        }
        let mut stderr = io::stderr().lock();
        if let Phase::Asking(before) = &*phase {
            restore(before.as_ref(), &mut stderr);
        }
        std::process::exit(exit_status(signal));
    }

    /// Whether the run was asked to end.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.signal.load(Ordering::SeqCst) != 0
    }

    /// 128 and the number of the signal, as shells report it; SIGINT's when there was none, for a
    /// question that was answered by Ctrl-D or with no.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        let signal = self.signal.load(Ordering::SeqCst);
        u8::try_from(exit_status(if signal == 0 { SIGINT } else { signal })).unwrap_or(u8::MAX)
    }

    /// From here on the run ends at its next step, not at once. A later signal is not deferred.
    pub fn defer(&self) {
        *self.phase() = Phase::Writing;
    }

    /// Does what has processes of its own to end: a signal that comes meanwhile does not end the run at
    /// once, and can be asked for.
    pub(super) fn while_running<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = std::mem::replace(&mut *self.phase(), Phase::Writing);
        let done = work();
        *self.phase() = before;
        done
    }

    /// Asks a question; a signal that comes meanwhile finds a terminal to put right.
    pub(super) fn while_asking<T>(
        &self,
        question: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        *self.phase() = Phase::Asking(tcgetattr(io::stdin()).ok());
        let answer = question();
        // Ctrl-C, which dialoguer turns into a signal; or that signal, which ended its wait. The
        // thread that listens ends the process.
        if is_interrupted(&answer) {
            std::thread::sleep(ECHO);
        }
        *self.phase() = Phase::Idle;
        answer
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_interrupted<T>(answer: &io::Result<T>) -> bool {
    answer
        .as_ref()
        .is_err_and(|error| error.kind() == ErrorKind::Interrupted)
}

/// Of signals that have come together, the one that was sent: when any of them ends dialoguer's
/// wait for a key, it sends SIGINT after it.
fn most_telling(batch: &[c_int]) -> Option<c_int> {
    let mut sent = batch.iter().filter(|signal| **signal != SIGINT);
    sent.next().or_else(|| batch.first()).copied()
}

fn exit_status(signal: c_int) -> c_int {
    128 + signal
}

/// Echo, line mode and cursor as they were before the question, and the cursor on a line of its own.
fn restore(before: Option<&Termios>, stderr: &mut impl Write) {
    if let Some(before) = before {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
    }
    drop(stderr.write_all(b"\x1b[?25h\n"));
}

/// The signals that were ignored when the run began.
fn ignored_signals() -> Vec<c_int> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let mask = mask.unwrap_or_default();
    (1..=64)
        .filter(|signal| mask & (1 << (signal - 1)) != 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signal_that_was_sent_is_told_from_the_one_that_follows_it() {
        assert_eq!(most_telling(&[SIGINT]), Some(SIGINT));
        assert_eq!(most_telling(&[SIGINT, SIGTERM]), Some(SIGTERM));
        assert_eq!(most_telling(&[SIGHUP, SIGINT]), Some(SIGHUP));
        assert_eq!(most_telling(&[]), None);
    }

    #[test]
    fn a_run_that_writes_is_told_and_goes_on() {
        let interruption = Interruption::default();
        interruption.defer();
        assert!(!interruption.is_requested());
        interruption.receive(SIGTERM, false);
        interruption.receive(SIGINT, false);
        assert!(interruption.is_requested());
        assert_eq!(interruption.exit_status(), 143);
    }
}
