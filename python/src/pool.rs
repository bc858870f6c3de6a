//! Threads: one pool a process, and signals while it works.
//!
//! A child that is forked after the threads were started inherits the pool but not its threads, and would wait for
//! them for ever. So the pool is kept by process: a child makes its own.
//!
//! Python runs the handlers of signals in its main thread only. So the thread that called waits and has them run, while
//! one of the pool works and asks its monitor whether one of them raised. What it raised is what the call raises.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crewe::progress::{self, Monitor};
use pyo3::marker::Ungil;
use pyo3::prelude::*;
use rayon::ThreadPool;

use crate::error::OrRaise;

/// How long a signal may wait.
const GLANCE: Duration = Duration::from_millis(20);

static POOL: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);

/// Tells the threads that work on one call to stop.
#[derive(Default)]
struct Stop(AtomicBool);

impl Monitor for Stop {
    fn tick(&self, _done: u64, _total: u64) -> bool {
        !self.0.load(Ordering::Relaxed)
    }
}

/// Has the handlers of signals run by the thread that works, and keeps what one of them raised.
#[derive(Default)]
pub struct Signals(Mutex<Option<PyErr>>);

impl Monitor for Signals {
    fn tick(&self, _done: u64, _total: u64) -> bool {
        Python::attach(|py| py.check_signals())
            .map_err(|raised| *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(raised))
            .is_ok()
    }
}

impl Signals {
    /// The result of work that this could stop, or what stopped it.
    ///
    /// Only the thread that runs handlers is ever stopped, so what it finds here is its own.
    pub fn outcome<T>(&self, py: Python<'_>, result: crewe::Result<T>) -> PyResult<T> {
        match result {
            Err(crewe::Error::Interrupted) => {
                let raised = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
                Err(raised.unwrap_or_else(|| crate::error::to_python(py, &crewe::Error::Interrupted)))
            }
            result => result.or_raise(py),
        }
    }
}

/// Runs `work` without the GIL, on this process's threads (as many as `RAYON_NUM_THREADS` says, or processors).
///
/// The monitor that it is given stops it when a handler of a signal raises, and so does the one that watches it for
/// whatever takes no monitor. What was raised is raised here, even where the work was done before it heard.
pub fn compute<T, F>(py: Python<'_>, work: F) -> PyResult<T>
where
    T: Send + Ungil,
    F: FnOnce(&dyn Monitor) -> crewe::Result<T> + Send + Ungil,
{
    let Some(pool) = py.detach(pool) else {
        // Where the system gives no threads, this one does.
        let signals = Arc::new(Signals::default());
        let result = py.detach(|| progress::watched(signals.clone(), || work(&signals)));
        return signals.outcome(py, result);
    };
    let stop = Arc::new(Stop::default());
    let (result, raised) = py.detach(|| {
        let work = || progress::watched(stop.clone(), || work(&stop));
        wait(&pool, &stop, work)
    });
    raised.map_or_else(|| result.or_raise(py), Err)
}

/// Has a thread of the pool work, and gives what it found with what a handler raised in the meantime.
fn wait<T, F>(pool: &ThreadPool, stop: &Stop, work: F) -> (T, Option<PyErr>)
where
    T: Send,
    F: FnOnce() -> T + Send,
{
    let done = Done::default();
    let (mut result, mut raised) = (None, None);
    pool.in_place_scope(|scope| {
        scope.spawn(|_| {
            let _finished = Finished(&done);
            result = Some(work());
        });
        while !done.within(GLANCE) {
            if let Err(error) = Python::attach(|py| py.check_signals()) {
                // The first is what stopped the work.
                raised.get_or_insert(error);
                stop.0.store(true, Ordering::Relaxed);
            }
        }
    });
    // The scope ends when the work has ended; had it panicked, so would the scope.
    (result.expect("the work was done"), raised)
}

/// Whether the work has ended.
#[derive(Default)]
struct Done {
    ended: Mutex<bool>,
    changed: Condvar,
}

impl Done {
    /// Waits so long at most, and says whether the work has ended.
    fn within(&self, time: Duration) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(ended, time, |ended| !*ended);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Says that the work has ended, also when it panics.
struct Finished<'a>(&'a Done);

impl Drop for Finished<'_> {
    fn drop(&mut self) {
        *self.0.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.changed.notify_all();
    }
}

fn pool() -> Option<Arc<ThreadPool>> {
    let process = std::process::id();
    let mut kept = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((owner, pool)) = kept.take() {
        if owner == process {
            *kept = Some((owner, Arc::clone(&pool)));
            return Some(pool);
        }
        // The threads belong to the parent: dropping their pool here would wait for them.
        std::mem::forget(pool);
    }
    let pool = Arc::new(rayon::ThreadPoolBuilder::new().build().ok()?);
    *kept = Some((process, Arc::clone(&pool)));
    Some(pool)
}
