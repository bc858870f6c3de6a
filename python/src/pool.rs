//! Threads: one pool a process, and Ctrl-C while it works.
//!
//! A child that is forked after the threads were started inherits the pool but not its threads, and would wait for
//! them for ever. So the pool is kept by process: a child makes its own.
//!
//! Python hands a signal to its main thread only. So the thread that called waits and looks for signals, while one of
//! the pool works and asks [`Signals`] between its chunks.

use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crewe::progress::{Monitor, unwatched};
use pyo3::marker::Ungil;
use pyo3::prelude::*;
use rayon::ThreadPool;

/// How long a signal may wait.
const GLANCE: Duration = Duration::from_millis(50);

static POOL: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);

thread_local! {
    /// The wish to stop the work that this thread does.
    static WISH: RefCell<Option<Arc<Wish>>> = const { RefCell::new(None) };
    /// What the handler of the signal that stopped this thread's call raised.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// A wish to stop, and whether the work has heard it.
#[derive(Default)]
struct Wish {
    stop: AtomicBool,
    heard: AtomicBool,
}

/// Stops a long computation when Python has a signal waiting.
pub struct Signals;

impl Monitor for Signals {
    fn tick(&self, _done: u64, _total: u64) -> bool {
        WISH.with_borrow(|wish| match wish {
            Some(wish) => {
                let stop = wish.stop.load(Ordering::Relaxed);
                if stop {
                    wish.heard.store(true, Ordering::Relaxed);
                }
                !stop
            }
            None => {
                Python::attach(|py| py.check_signals()).map_err(|raised| RAISED.set(Some(raised))).is_ok()
            }
        })
    }
}

/// Runs `work` without the GIL, on this process's threads (as many as `RAYON_NUM_THREADS` says, or processors).
pub fn compute<T, F>(py: Python<'_>, work: F) -> T
where
    T: Send + Ungil,
    F: FnOnce() -> T + Send + Ungil,
{
    RAISED.set(None);
    let wish = Arc::new(Wish::default());
    let result = py.detach(|| match pool() {
        Some(pool) => watched(&pool, &wish, work),
        // Where the system gives no threads, this one does.
        None => work(),
    });
    if wish.stop.load(Ordering::Relaxed) && !wish.heard.load(Ordering::Relaxed) {
        // The work was done before it heard: Python raises it as soon as the call is over.
        if let Some(raised) = raised() {
            raise_later(raised);
        }
    }
    result
}

/// What the handler of the signal that stopped this thread's last call raised.
pub fn raised() -> Option<PyErr> {
    RAISED.take()
}

/// Has Python raise this in its main thread, the one in which handlers of signals run.
fn raise_later(raised: PyErr) {
    extern "C" fn raise(raised: *mut c_void) -> c_int {
        // SAFETY: the pointer is that of the box below, and a pending call is made once.
        let raised = unsafe { Box::from_raw(raised.cast::<PyErr>()) };
        Python::attach(|py| raised.restore(py));
        -1
    }
    let raised = Box::into_raw(Box::new(raised));
    // SAFETY: `raise` takes what it is given here.
    if unsafe { pyo3::ffi::Py_AddPendingCall(Some(raise), raised.cast()) } != 0 {
        // SAFETY: a call that was not taken on is not made. The result stands.
        drop(unsafe { Box::from_raw(raised) });
    }
}

fn watched<T, F>(pool: &ThreadPool, wish: &Arc<Wish>, work: F) -> T
where
    T: Send,
    F: FnOnce() -> T + Send,
{
    let done = Done::default();
    let mut result = None;
    pool.in_place_scope(|scope| {
        scope.spawn(|_| {
            let _finished = Finished(&done);
            let before = WISH.replace(Some(Arc::clone(wish)));
            result = Some(unwatched(work));
            WISH.set(before);
        });
        while !done.within(GLANCE) {
            if let Err(raised) = Python::attach(|py| py.check_signals()) {
                RAISED.set(Some(raised));
                wish.stop.store(true, Ordering::Relaxed);
            }
        }
    });
    // The scope ends when the work has ended; had it panicked, so would the scope.
    result.expect("the work was done")
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
