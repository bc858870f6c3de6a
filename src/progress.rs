//! Progress and stopping of long computations.

use std::cell::Cell;

use crate::{Error, Result};

thread_local! {
    /// Who may stop the work of this thread, and whether that has happened.
    static WATCH: Cell<(Option<&'static dyn Monitor>, bool)> = const { Cell::new((None, false)) };
}

/// Told between chunks of a long computation how far it has come; may stop it.
pub trait Monitor: Sync {
    /// `done` of `total` steps are finished; `false` asks the computation to stop.
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

/// Asks the monitor and turns its wish to stop into [`Error::Interrupted`].
///
/// # Errors
/// [`Error::Interrupted`] when the monitor asks to stop.
pub fn check(monitor: &dyn Monitor, done: u64, total: u64) -> Result<()> {
    if monitor.tick(done, total) { Ok(()) } else { Err(Error::Interrupted) }
}

/// Does `work` so that `monitor` can stop it, also where it takes no monitor itself.
///
/// # Errors
/// [`Error::Interrupted`] when the monitor asks to stop, and the errors of the work.
pub fn watched<T>(monitor: &'static dyn Monitor, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let before = WATCH.replace((Some(monitor), false));
    let result = work();
    let (_, stopped) = WATCH.replace(before);
    // What was cut short is no result.
    if stopped { Err(Error::Interrupted) } else { result }
}

/// Asks who watches this thread, if anybody, whether to go on. Once told to stop it says so every time.
pub(crate) fn go_on() -> Result<()> {
    let (monitor, stopped) = WATCH.get();
    let Some(asked) = monitor else { return Ok(()) };
    if stopped || !asked.tick(0, 0) {
        WATCH.set((monitor, true));
        return Err(Error::Interrupted);
    }
    Ok(())
}

/// Does `work` unwatched: while a thread waits for its part of parallel work it may be lent to somebody else's, which
/// nobody who watches this work may cut short.
pub fn unwatched<T>(work: impl FnOnce() -> T) -> T {
    let before = WATCH.replace((None, false));
    let result = work();
    WATCH.set(before);
    result
}
