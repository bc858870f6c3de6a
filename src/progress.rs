//! Progress and stopping of long computations.

use crate::{Error, Result};

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
