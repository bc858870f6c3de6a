//! Threads: one pool a process.
//!
//! A child that is forked after the threads were started inherits the pool but not its threads, and would wait for
//! them for ever. So the pool is kept by process: a child makes its own.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::marker::Ungil;
use pyo3::prelude::*;
use rayon::ThreadPool;

static POOL: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);

/// Runs `work` without the GIL, on this process's threads (as many as `RAYON_NUM_THREADS` says, or processors).
pub fn compute<T, F>(py: Python<'_>, work: F) -> T
where
    T: Send + Ungil,
    F: FnOnce() -> T + Send + Ungil,
{
    py.detach(|| match pool() {
        Some(pool) => pool.install(work),
        // Where the system gives no threads, this one does.
        None => work(),
    })
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
