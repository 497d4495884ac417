//! Where tests make the disk fail. Outside tests there is nothing here: `strike` always succeeds.

/// What a step does, as far as tests tell steps apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Gives a file an access control list or a security label.
    Attribute,
    /// Changes what can be seen.
    Change,
    /// Makes one file or directory durable.
    Fsync,
    /// Gives a file to another user or group.
    Own,
    /// Makes a whole file system durable.
    Syncfs,
    /// Makes a file that has no name.
    Unnamed,
}

/// Asked before every step that changes the disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    #[cfg(test)]
    plan: Option<std::sync::Arc<plan::Plan>>,
}

impl Faults {
    /// Goes on, or fails where a test said so.
    #[cfg(not(test))]
    pub(super) fn strike(&self, _: Step) -> std::io::Result<()> {
        Ok(())
    }

    /// Asked after a step that has happened: goes on, or fails all the same.
    #[cfg(not(test))]
    pub(super) fn strike_late(&self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod plan {
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::{Faults, Step};

    #[derive(Debug)]
    pub(super) struct Plan {
        which: Which,
        kind: io::ErrorKind,
        taken: AtomicUsize,
        fsyncs: AtomicUsize,
        struck: AtomicBool,
        /// Whether the step under way happens, and fails.
        is_late: AtomicBool,
    }

    /// The steps that fail.
    #[derive(Debug)]
    enum Which {
        At(usize),
        Late(usize),
        Every(Step),
        From(usize),
    }

    impl Faults {
        /// The process dies before step `at` (from 0): neither that step nor any later one happens.
        pub(in crate::store) fn crash_at(at: usize) -> Self {
            Self::planned(Which::From(at), io::ErrorKind::Other)
        }

        /// Step `at` (from 0) fails with `kind`; those after it do not.
        pub(in crate::store) fn fail_at(at: usize, kind: io::ErrorKind) -> Self {
            Self::planned(Which::At(at), kind)
        }

        /// Step `at` (from 0) happens, and fails with `kind` all the same.
        pub(in crate::store) fn fail_late_at(at: usize, kind: io::ErrorKind) -> Self {
            Self::planned(Which::Late(at), kind)
        }

        /// Every step that is a `step` fails with `kind`.
        pub(in crate::store) fn fail_every(step: Step, kind: io::ErrorKind) -> Self {
            Self::planned(Which::Every(step), kind)
        }

        /// This process is not allowed any step that is a `step`.
        pub(in crate::store) fn forbid(step: Step) -> Self {
            Self::fail_every(step, io::ErrorKind::PermissionDenied)
        }

        fn planned(which: Which, kind: io::ErrorKind) -> Self {
            Self {
                plan: Some(Arc::new(Plan {
                    which,
                    kind,
                    taken: AtomicUsize::new(0),
                    fsyncs: AtomicUsize::new(0),
                    struck: AtomicBool::new(false),
                    is_late: AtomicBool::new(false),
                })),
            }
        }

        /// Whether a step that was to fail has been reached.
        pub(in crate::store) fn struck(&self) -> bool {
            self.plan
                .as_ref()
                .is_some_and(|plan| plan.struck.load(Ordering::SeqCst))
        }

        /// How many files and directories were made durable one by one.
        pub(in crate::store) fn fsyncs(&self) -> usize {
            self.plan
                .as_ref()
                .map_or(0, |plan| plan.fsyncs.load(Ordering::SeqCst))
        }

        pub(in crate::store) fn strike(&self, step: Step) -> io::Result<()> {
            let Some(plan) = &self.plan else {
                return Ok(());
            };
            let number = plan.taken.fetch_add(1, Ordering::SeqCst);
            let fails = match plan.which {
                Which::At(at) => number == at,
                Which::Every(kind) => step == kind,
                Which::From(at) => number >= at,
                Which::Late(at) => {
                    plan.is_late.store(number == at, Ordering::SeqCst);
                    false
                }
            };
            if fails {
                plan.struck.store(true, Ordering::SeqCst);
                return Err(plan.kind.into());
            }
            if step == Step::Fsync {
                plan.fsyncs.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        }

        pub(in crate::store) fn strike_late(&self) -> io::Result<()> {
            match &self.plan {
                Some(plan) if plan.is_late.swap(false, Ordering::SeqCst) => {
                    plan.struck.store(true, Ordering::SeqCst);
                    Err(plan.kind.into())
                }
                _ => Ok(()),
            }
        }
    }
}
