//! The difference of two rates with Newcombe's hybrid score interval.
//!
//! With Wilson limits l, u of each rate p,
//!
//! ```text
//! d - sqrt((p1 - l1)^2 + (u2 - p2)^2)  to  d + sqrt((u1 - p1)^2 + (p2 - l2)^2),   d = p1 - p2,
//! ```
//!
//! method 10 of R. G. Newcombe (1998), Interval estimation for the difference between independent proportions,
//! doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I.

use super::{Interval, check_events, wilson};
use crate::Result;

/// Newcombe's interval for the rate of the first group less that of the second.
///
/// # Errors
/// When a group is empty or has more events than cases, or the level is not between 0 and 1.
///
/// ```
/// use crewe::nonparametric::newcombe;
/// // Newcombe's own example (a): 56/70 - 48/80.
/// let interval = newcombe([56, 48], [70, 80], 0.95)?;
/// assert!((interval.low - 0.0524).abs() < 5e-5 && (interval.high - 0.3339).abs() < 5e-5);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn newcombe(events: [u64; 2], totals: [u64; 2], level: f64) -> Result<Interval> {
    check_events(events[0], totals[0], "the first group")?;
    check_events(events[1], totals[1], "the second group")?;
    let rate = |g: usize| events[g] as f64 / totals[g] as f64;
    let (p, q) = (rate(0), rate(1));
    let (a, b) = (wilson(events[0], totals[0], level)?, wilson(events[1], totals[1], level)?);
    let d = p - q;
    Ok(Interval { low: d - (p - a.low).hypot(b.high - q), high: d + (a.high - p).hypot(q - b.low) })
}
