//! Work as it is done: told step by step, and asked whether to go on.

/// The run was asked to end (SIGINT, SIGTERM, SIGHUP); whoever gets it undoes what is not yet
/// committed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Interrupted;

/// Told of work as it is done. Commands are given one, so that no layer below knows of a terminal
/// or of signals.
pub trait Progress: Sync {
    /// A piece of work of `total` steps begins, such as `writing files`.
    fn start(&self, what: &'static str, total: usize);

    /// Asked before each step, which is counted.
    ///
    /// # Errors
    /// [`Interrupted`] when the work is to be given up.
    fn advance(&self) -> Result<(), Interrupted>;

    /// Asked while nothing is done but to wait.
    ///
    /// # Errors
    /// [`Interrupted`] when the work is to be given up.
    fn check(&self) -> Result<(), Interrupted>;

    /// The work has ended, well or not: what was shown of it goes.
    fn end(&self) {}
}

/// A part of some work that has been begun as a whole: it says nothing of where it begins.
#[derive(Clone, Copy)]
pub struct Part<'a>(pub &'a dyn Progress);

impl Progress for Part<'_> {
    fn start(&self, _: &'static str, _: usize) {}

    fn advance(&self) -> Result<(), Interrupted> {
        self.0.advance()
    }

    fn check(&self) -> Result<(), Interrupted> {
        self.0.check()
    }
}

/// Goes on, silently.
#[derive(Clone, Copy, Debug)]
pub struct Quiet;

impl Progress for Quiet {
    fn start(&self, _: &'static str, _: usize) {}

    fn advance(&self) -> Result<(), Interrupted> {
        Ok(())
    }

    fn check(&self) -> Result<(), Interrupted> {
        Ok(())
    }
}
