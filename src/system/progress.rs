//! A progress bar for work of more than a second, at a terminal.

use std::fmt::{self, Display, Formatter};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dialoguer::console::Term;

use super::interruption::Interruption;
use crate::domain::progress::{Interrupted, Progress};

pub(super) struct Bar {
    interruption: Arc<Interruption>,
    is_visible: bool,
    work: Mutex<Option<Work>>,
}

/// The piece of work that goes on.
struct Work {
    what: &'static str,
    done: usize,
    total: usize,
    started: Instant,
    drawn: Option<Instant>,
}

/// Shorter work shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two drawings.
const PAUSE: Duration = Duration::from_millis(100);
/// To the start of the row, and clears it. A row is never full, so that the `^C` of a terminal is in
/// it too.
const CLEAR: &str = "\r\x1b[2K";

impl Bar {
    pub(super) fn new(interruption: Arc<Interruption>, is_visible: bool) -> Self {
        Self {
            interruption,
            is_visible,
            work: Mutex::new(None),
        }
    }

    fn work(&self) -> MutexGuard<'_, Option<Work>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Bar {
    fn start(&self, what: &'static str, total: usize) {
        self.end();
        *self.work() = Some(Work {
            what,
            done: 0,
            total,
            started: Instant::now(),
            drawn: None,
        });
    }

    fn advance(&self) -> Result<(), Interrupted> {
        self.check()?;
        if self.is_visible
            && let Some(work) = self.work().as_mut()
        {
            work.draw_when_due();
            work.done += 1;
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Interrupted> {
        if self.interruption.is_requested() {
            Err(Interrupted)
        } else {
            Ok(())
        }
    }

    fn end(&self) {
        if self.work().take().is_some_and(|work| work.drawn.is_some()) {
            write(CLEAR);
        }
    }
}

impl Work {
    fn draw_when_due(&mut self) {
        let now = Instant::now();
        let due = self
            .drawn
            .map_or(self.started + PATIENCE, |drawn| drawn + PAUSE);
        if now < due {
            return;
        }
        self.drawn = Some(now);
        let columns = usize::from(Term::stderr().size().1);
        let line = self.line(now - self.started).to_string();
        let line: String = line.chars().take(columns.saturating_sub(3)).collect();
        write(&format!("{CLEAR}{line}"));
    }

    fn line(&self, elapsed: Duration) -> Line<'_> {
        Line {
            work: self,
            elapsed,
        }
    }
}

/// One drawing of the bar.
struct Line<'a> {
    work: &'a Work,
    elapsed: Duration,
}

/// Columns of the bar itself.
const WIDTH: usize = 30;

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Work {
            what, done, total, ..
        } = *self.work;
        let filled = WIDTH * done / total.max(1);
        write!(f, "{what} [{:WIDTH$}] {done}/{total}", "=".repeat(filled))?;
        if done == 0 {
            return Ok(());
        }
        let left = self.elapsed.as_secs_f64() / done as f64 * total.saturating_sub(done) as f64;
        write!(f, ", {left:.0} s left")
    }
}

/// A terminal that takes no bar is no reason to fail.
fn write(text: &str) {
    drop(io::stderr().write_all(text.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_says_what_is_done_and_how_long_the_rest_takes() {
        let line = |done| {
            let work = Work {
                what: "writing files",
                done,
                total: 200,
                started: Instant::now(),
                drawn: None,
            };
            work.line(Duration::from_secs(2)).to_string()
        };
        assert_eq!(
            line(0),
            "writing files [                              ] 0/200"
        );
        assert_eq!(
            line(100),
            "writing files [===============               ] 100/200, 2 s left"
        );
        assert_eq!(
            line(200),
            "writing files [==============================] 200/200, 0 s left"
        );
    }
}
