//! The threads that read.

use std::sync::{Mutex, PoisonError};
use std::thread;

use rustix::process::{Resource, getrlimit};

/// A disk that is asked for one file at a time is idle most of the time, so there are more threads
/// than processors; and no more than have open files with `ulimit -n 32`.
const LEAST: usize = 8;
const MOST: usize = 16;

/// Open files that are not the readers': the streams, and what came with the process.
const OTHER_FILES: u64 = 12;

/// Does `work` to each item, on several threads, each with something of its own to do it with.
pub(super) fn each<I: Send, S: Default>(items: &mut [I], work: impl Fn(&mut S, &mut I) + Sync) {
    let threads = threads().min(items.len());
    // Few at a time, so that all threads end together; not one by one, for what is next is locked.
    let share = (items.len() / (threads.max(1) * 8)).clamp(1, 64);
    let shares = Mutex::new(items.chunks_mut(share));
    let next = || shares.lock().unwrap_or_else(PoisonError::into_inner).next();
    let read = || {
        let mut own = S::default();
        while let Some(items) = next() {
            items.iter_mut().for_each(|item| work(&mut own, item));
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            // Those that there are do the work of those that the system refuses.
            if thread::Builder::new().spawn_scoped(scope, read).is_err() {
                break;
            }
        }
        read();
    });
}

/// How many there are at most.
#[must_use]
pub fn threads() -> usize {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let left = usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX);
    (2 * processors).clamp(LEAST, MOST).min(left).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_item_gets_its_turn_once() {
        for count in [0, 1, 2, 17, 10_000] {
            let mut items = vec![0; count];
            each(&mut items, |(), item| *item += 1);
            assert_eq!(items, vec![1; count]);
        }
    }
}
