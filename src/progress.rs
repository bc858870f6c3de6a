//! Progress and stopping of long computations.
//!
//! A long computation asks a [`Monitor`] every few milliseconds whether to go on. Those that report how far they have
//! come take one; the others ask whoever watches the thread that called them, which [`watched`] says. Inside the crate a
//! monitor is always handed on, also to the threads that share the work: what is stopped is an error everywhere, and
//! never a result that was cut short.

use std::cell::RefCell;
use std::sync::Arc;

use crate::{Error, Result};

/// Told between chunks of a long computation how far it has come; may stop it.
pub trait Monitor: Sync {
    /// `done` of `total` steps are finished; `false` asks the computation to stop. Where `total` is 0 it is only asked
    /// whether to go on.
    fn tick(&self, done: u64, total: u64) -> bool;
}

/// A monitor that never stops anything.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMonitor;

impl Monitor for NoMonitor {
    fn tick(&self, _done: u64, _total: u64) -> bool {
        true
    }
}

impl<M: Monitor + Send + ?Sized> Monitor for Arc<M> {
    fn tick(&self, done: u64, total: u64) -> bool {
        (**self).tick(done, total)
    }
}

/// Asks the monitor and turns its wish to stop into [`Error::Interrupted`].
///
/// # Errors
/// [`Error::Interrupted`] when the monitor asks to stop.
pub fn check(monitor: &dyn Monitor, done: u64, total: u64) -> Result<()> {
    if monitor.tick(done, total) { Ok(()) } else { Err(Error::Interrupted) }
}

/// Asks the monitor whether to go on, where nobody knows how far the work has come.
pub(crate) fn go_on(monitor: &dyn Monitor) -> Result<()> {
    check(monitor, 0, 0)
}

/// Work, in basic steps of a nanosecond or a few, between two questions to a monitor.
const ASKED: usize = 1 << 17;

/// Asks a monitor about every millisecond of a loop whose steps are short.
pub(crate) struct Pace<'a> {
    monitor: &'a dyn Monitor,
    done: usize,
}

impl<'a> Pace<'a> {
    pub fn new(monitor: &'a dyn Monitor) -> Self {
        Self { monitor, done: 0 }
    }

    /// Counts a step of so much work, and asks once there was enough of it.
    #[inline]
    pub fn by(&mut self, work: usize) -> Result<()> {
        self.done = self.done.saturating_add(work);
        if self.done < ASKED {
            return Ok(());
        }
        self.done = 0;
        go_on(self.monitor)
    }
}

impl std::fmt::Debug for Pace<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pace").field("done", &self.done).finish_non_exhaustive()
    }
}

/// Asks a monitor whether to go on, and tells it nothing of how far a part of the work has come.
pub(crate) struct Part<'a>(pub &'a dyn Monitor);

impl Monitor for Part<'_> {
    fn tick(&self, _done: u64, _total: u64) -> bool {
        self.0.tick(0, 0)
    }
}

thread_local! {
    static WATCHER: RefCell<Watcher> = const { RefCell::new(Watcher(None)) };
}

/// Does `work` so that `monitor` can stop what takes no monitor itself.
///
/// ```
/// use std::sync::Arc;
/// use crewe::design::{Column, Design, Rerandomised, Units};
/// use crewe::progress::{Monitor, watched};
///
/// struct Stop;
/// impl Monitor for Stop {
///     fn tick(&self, _done: u64, _total: u64) -> bool {
///         false
///     }
/// }
/// let design = Design::new("t").arm("a", 1).arm("b", 1).individual("id").seed(1)
///     .method(Rerandomised::new(["age"], "0.001".parse()?));
/// let ids: Vec<String> = (0..100).map(|id| id.to_string()).collect();
/// let ages: Vec<f64> = (0..100).map(|age| f64::from(age % 17)).collect();
/// let units = Units::from_rows(design.unit()?, &Column::from_values("id", &ids), &[])?.covariate("age", &ages)?;
/// assert_eq!(watched(Arc::new(Stop), || design.assign(&units)), Err(crewe::Error::Interrupted));
/// assert!(design.assign(&units).is_ok());
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn watched<T>(monitor: Arc<dyn Monitor + Send>, work: impl FnOnce() -> T) -> T {
    Watcher(Some(monitor)).over(work)
}

/// Does `work` so that nobody stops it: for parts of parallel work, since a thread that waits for its part of some work
/// may be lent to somebody else's.
pub(crate) fn unwatched<T>(work: impl FnOnce() -> T) -> T {
    Watcher(None).over(work)
}

/// Whoever watches this thread now, if anybody.
pub(crate) fn watcher() -> Watcher {
    WATCHER.with_borrow(Clone::clone)
}

/// The monitor of [`watched`], handed on; without one it never stops anything.
#[derive(Clone, Default)]
pub(crate) struct Watcher(Option<Arc<dyn Monitor + Send>>);

impl Watcher {
    /// Does `work` watched by this one.
    pub fn over<T>(&self, work: impl FnOnce() -> T) -> T {
        /// Puts back who watched before, also where the work panics.
        struct Before(Watcher);
        impl Drop for Before {
            fn drop(&mut self) {
                WATCHER.set(std::mem::take(&mut self.0));
            }
        }
        let _before = Before(WATCHER.replace(self.clone()));
        work()
    }
}

impl Monitor for Watcher {
    fn tick(&self, done: u64, total: u64) -> bool {
        self.0.as_ref().is_none_or(|monitor| monitor.tick(done, total))
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Counts what it is asked, and stops at a question.
    #[derive(Default)]
    struct Counting {
        asked: AtomicU64,
        told: AtomicU64,
        last: u64,
    }

    impl Monitor for Counting {
        fn tick(&self, done: u64, total: u64) -> bool {
            self.told.fetch_max(total.max(done), Ordering::Relaxed);
            self.asked.fetch_add(1, Ordering::Relaxed) + 1 != self.last
        }
    }

    fn asked() -> bool {
        go_on(&watcher()).is_ok()
    }

    #[test]
    fn test_7_8_whoever_watches_is_put_back() {
        let (outer, inner) =
            (Arc::new(Counting::default()), Arc::new(Counting { last: 1, ..Counting::default() }));
        assert!(asked());
        watched(outer.clone(), || {
            assert!(asked());
            assert!(!watched(inner.clone(), asked));
            assert!(unwatched(asked));
            let broken =
                catch_unwind(AssertUnwindSafe(|| watched(inner.clone(), || panic!("as if by a bug"))));
            assert!(broken.is_err());
            assert!(asked());
        });
        assert!(asked());
        let questions = |of: &Counting| of.asked.load(Ordering::Relaxed);
        assert_eq!((questions(&outer), questions(&inner)), (2, 1));
    }

    #[test]
    fn test_7_8_a_pace_asks_once_there_was_enough_work() {
        let monitor = Counting { last: 3, ..Counting::default() };
        let part = Part(&monitor);
        let mut pace = Pace::new(&part);
        let steps = (0..).find(|_| pace.by(ASKED / 4).is_err());
        assert_eq!(steps, Some(11));
        assert!(pace.by(usize::MAX).is_ok()); // the question after the one that stopped it
        // A part of some work says nothing of how far all of it has come.
        assert!(check(&part, 5, 9).is_ok());
        assert_eq!(monitor.told.load(Ordering::Relaxed), 0);
    }
}
