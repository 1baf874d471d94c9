//! Work on threads of its own, which comes back in the order in which it was begun.
//!
//! An embedder uses all cores for most of a chunk, but not for its last texts, and not at all while what it made is
//! committed. With a second chunk begun, the cores that the first leaves idle have something to do.

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::thread::{Scope, ScopedJoinHandle};

use crate::error::Result;

/// Chunks at a time. What is uncommitted grows with them, and what an interruption has to wait for.
const AT_A_TIME: usize = 2;

/// What is being made of each `W`.
pub(super) struct InFlight<'scope, 'env, W, V> {
    scope: &'scope Scope<'scope, 'env>,
    /// The oldest first.
    jobs: VecDeque<(W, ScopedJoinHandle<'scope, Result<V>>)>,
}

impl<'scope, 'env, W, V: Send + 'scope> InFlight<'scope, 'env, W, V> {
    pub(super) fn new(scope: &'scope Scope<'scope, 'env>) -> Self {
        Self { scope, jobs: VecDeque::new() }
    }

    pub(super) fn is_full(&self) -> bool {
        self.jobs.len() >= AT_A_TIME
    }

    /// The work whose turn is next.
    pub(super) fn oldest(&self) -> Option<&W> {
        self.jobs.front().map(|(work, _)| work)
    }

    pub(super) fn begin(&mut self, work: W, job: impl FnOnce() -> Result<V> + Send + 'scope) {
        self.jobs.push_back((work, self.scope.spawn(job)));
    }

    /// Waits for the oldest; `None` if there is none.
    pub(super) fn finish_oldest(&mut self) -> Option<(W, Result<V>)> {
        self.jobs.pop_front().map(|(work, job)| (work, join(job)))
    }
}

/// Waits for a thread; if it panicked, this one goes on with its panic.
pub(super) fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread::scope;

    use super::*;
    use crate::error::Error;

    #[test]
    fn the_first_begun_is_the_first_back_though_it_ends_last() {
        let (ended, first_may_end) = mpsc::channel();
        scope(|scope| {
            let mut jobs = InFlight::new(scope);
            jobs.begin("first", move || first_may_end.recv().map_err(|e| Error::usage(e.to_string())));
            assert!(!jobs.is_full());
            jobs.begin("second", move || ended.send(2).map(|()| 1).map_err(|e| Error::usage(e.to_string())));
            assert!(jobs.is_full());
            assert_eq!(jobs.oldest(), Some(&"first"));
            let back: Vec<_> = std::iter::from_fn(|| jobs.finish_oldest()).map(|(work, made)| (work, made.unwrap())).collect();
            assert_eq!(back, [("first", 2), ("second", 1)]);
        });
    }

    #[test]
    fn a_panic_in_a_job_is_the_panic_of_who_waits_for_it() {
        let panicked = std::panic::catch_unwind(|| {
            scope(|scope| {
                let mut jobs: InFlight<'_, '_, (), ()> = InFlight::new(scope);
                jobs.begin((), || panic!("the model is no model"));
                jobs.finish_oldest().map(|_| ())
            })
        });
        assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"the model is no model"));
    }
}
