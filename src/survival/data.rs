//! Times to an event, grouped by distinct time from the start.
//!
//! Cases are followed in days, so a million rows have a few hundred distinct times, and everything in this folder works
//! per distinct time. Times that differ by a relative 1.5e-8 at most are one ([`Tolerance`]), as R's `survival` has it by
//! default (`timefix`): 0.1 + 0.2 and 0.3 are one time, when rows are grouped and when a time is looked up.

use std::ops::Range;

use crate::regression::weights::check_weights;
pub use crate::ties::Tolerance;
use serde::Serialize;

use crate::progress::{go_on, watcher};
use crate::{Fault, Result, codes};

/// What was observed: a time for every row, and whether it ended in the event (1) or was censored (0).
///
/// ```
/// use crewe::survival::Surv;
/// let surv = Surv::new(&[5.0, 8.0, 8.0], &[1.0, 0.0, 1.0]).named("days", "closed");
/// surv.check()?;
/// assert!(Surv::new(&[-1.0], &[1.0]).check().unwrap_err().to_string().contains("negative"));
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Surv<'a> {
    /// Time on study, length n, 0 or more.
    pub time: &'a [f64],
    /// 1 for the event, 0 for a censored time, length n.
    pub event: &'a [f64],
    /// Weights, length n, positive; `None` where every row counts once.
    pub weights: Option<&'a [f64]>,
    /// The name of the column of times, for error messages.
    pub time_name: String,
    /// The name of the column of events, for error messages.
    pub event_name: String,
}

impl<'a> Surv<'a> {
    /// Times and events of n rows.
    #[must_use]
    pub fn new(time: &'a [f64], event: &'a [f64]) -> Self {
        Self { time, event, weights: None, time_name: "time".into(), event_name: "event".into() }
    }

    /// Weights of the rows.
    #[must_use]
    pub fn weights(mut self, weights: Option<&'a [f64]>) -> Self {
        self.weights = weights;
        self
    }

    /// Names the columns, so that errors can.
    #[must_use]
    pub fn named(mut self, time: impl Into<String>, event: impl Into<String>) -> Self {
        self.time_name = time.into();
        self.event_name = event.into();
        self
    }

    /// Rows.
    pub fn n(&self) -> usize {
        self.time.len()
    }

    /// Refuses what cannot be a time to an event.
    ///
    /// # Errors
    /// [`crate::Error::Input`] naming the column and the rows: different lengths, no rows, missing or negative times,
    /// an event that is neither 0 nor 1, weights that are not above 0, no event at all.
    pub fn check(&self) -> Result<()> {
        let n = self.n();
        if self.event.len() != n {
            return Err(Fault::new(format!("there are {n} times and {} events", self.event.len()))
                .remedy("Give one of each for every row")
                .input());
        }
        if n == 0 || u32::try_from(n).is_err() {
            return Err(Fault::new("survival needs between 1 and 4,294,967,295 rows")
                .remedy("Check the filter that came before")
                .input());
        }
        let rows = positions(self.time, |t| !t.is_finite());
        if !rows.is_empty() {
            return Err(Fault::new(format!("{} of {n} times are missing or infinite", rows.len()))
                .column(&self.time_name)
                .values(rows.iter().map(|&i| self.time[i].to_string()))
                .rows(rows)
                .remedy("A case that is still open has the days until the end of follow-up, and event 0")
                .input());
        }
        let rows = positions(self.time, |t| t < 0.0);
        if !rows.is_empty() {
            return Err(Fault::new(format!("{} of {n} times are negative", rows.len()))
                .column(&self.time_name)
                .rows(rows)
                .remedy("Times count from the start of each case: check dates that end before they begin")
                .input());
        }
        let rows = positions(self.event, |e| e != 0.0 && e != 1.0);
        if !rows.is_empty() {
            return Err(Fault::new("the event is neither 0 nor 1")
                .column(&self.event_name)
                .labels(rows.iter().map(|&i| self.event[i].to_string()))
                .rows(rows)
                .remedy("Code it 1 where the event happened and 0 where the case was censored")
                .input());
        }
        if let Some(weights) = self.weights {
            check_weights(weights.len(), n, weights.iter().copied())?;
            let rows = positions(weights, |w| w == 0.0);
            if !rows.is_empty() {
                return Err(Fault::new("rows with a weight of 0 take no part")
                    .column("weights")
                    .rows(rows)
                    .remedy("Leave these rows out")
                    .input());
            }
        }
        if self.event.iter().all(|&e| e == 0.0) {
            return Err(Fault::new("no row has an event")
                .column(&self.event_name)
                .remedy(
                    "There is nothing to compare until something has happened: check how events are coded",
                )
                .input());
        }
        Ok(())
    }

    /// The weight of row `i`.
    pub(crate) fn weight(&self, i: usize) -> f64 {
        self.weights.map_or(1.0, |w| w[i])
    }
}

fn positions(values: &[f64], wrong: impl Fn(f64) -> bool) -> Vec<usize> {
    values.iter().enumerate().filter(|&(_, &v)| wrong(v)).map(|(i, _)| i).collect()
}

/// The rows that share a stratum and a time.
///
/// ```
/// use crewe::survival::{Surv, Timeline};
/// let timeline = Timeline::new(&Surv::new(&[5.0, 8.0, 8.0], &[1.0, 0.0, 1.0]), None)?;
/// assert_eq!((timeline.ties[1].time, timeline.ties[1].deaths()), (8.0, 1));
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Tie {
    /// The time; where near-equal times were merged, the smallest of them.
    pub time: f64,
    /// The first row in [`Timeline::order`].
    pub start: usize,
    /// The first row with an event; censored rows come before it.
    pub events: usize,
    /// One past the last row.
    pub end: usize,
}

impl Tie {
    /// Rows with an event.
    pub fn deaths(&self) -> usize {
        self.end - self.events
    }
}

/// Rows in the order of strata and times.
///
/// ```
/// use crewe::survival::{Surv, Timeline};
/// let timeline = Timeline::new(&Surv::new(&[9.0, 0.3, 0.1 * 3.0], &[1.0, 1.0, 0.0]), None)?;
/// assert_eq!(timeline.order, [2, 1, 0]); // one time, and the censored row before the event
/// assert_eq!(timeline.last_at(0, 0.3), Some(0));
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Timeline {
    /// Rows, stratum by stratum, times ascending, and at one time the censored before the events; length n.
    pub order: Vec<u32>,
    /// The distinct times of each stratum, in that order.
    pub ties: Vec<Tie>,
    /// The ties of each stratum.
    pub strata: Vec<Range<usize>>,
    /// How far apart times may be and still be one.
    pub tolerance: Tolerance,
}

impl Timeline {
    /// Sorts rows by stratum (codes 0, 1, ... without a gap, or one stratum), then time.
    ///
    /// # Errors
    /// As [`Surv::check`], and [`crate::Error::Input`] for another number of codes than rows, and codes that do not run
    /// from 0 without a gap.
    pub fn new(surv: &Surv<'_>, strata: Option<&[u32]>) -> Result<Self> {
        surv.check()?;
        let n = surv.n();
        let strata_count = strata.map_or(Ok(1), |codes| codes::gapless(codes, n, "strata or groups"))?;
        // Non-negative doubles sort as their bits do (and -0 becomes 0).
        let mut keyed: Vec<(u64, u32)> =
            surv.time.iter().enumerate().map(|(i, &t)| ((t + 0.0).to_bits(), i as u32)).collect();
        let monitor = &watcher();
        go_on(monitor)?;
        keyed.sort_unstable();
        go_on(monitor)?;
        let (cuts, tolerance) = distinct_times(&keyed);
        // The class of a row is its stratum, time and event; a counting sort keeps the order of rows within it.
        let classes = |row: u32, time: usize| {
            let stratum = strata.map_or(0, |codes| codes[row as usize] as usize);
            let event = usize::from(surv.event[row as usize] == 1.0);
            (stratum, 2 * time + event)
        };
        if strata_count == 1 {
            return Ok(Self::in_one_stratum(&keyed, &cuts, tolerance, surv));
        }
        let mut by_stratum: Vec<Vec<(usize, u32)>> = vec![Vec::new(); strata_count];
        let mut time = 0;
        for &(bits, row) in &keyed {
            while time + 1 < cuts.len() && f64::from_bits(bits) >= cuts[time + 1] {
                time += 1;
            }
            let (stratum, class) = classes(row, time);
            by_stratum[stratum].push((class, row));
        }
        let mut timeline =
            Self { order: Vec::with_capacity(n), ties: Vec::new(), strata: Vec::new(), tolerance };
        for rows in &mut by_stratum {
            // Rows of a stratum are in order of time already; only events move behind the censored.
            rows.sort_by_key(|&(class, _)| class);
            let first = timeline.ties.len();
            for &(class, row) in rows.iter() {
                let position = timeline.order.len();
                timeline.push(cuts[class / 2], class % 2 == 1, first, position);
                timeline.order.push(row);
            }
            timeline.strata.push(first..timeline.ties.len());
        }
        Ok(timeline)
    }

    fn in_one_stratum(keyed: &[(u64, u32)], cuts: &[f64], tolerance: Tolerance, surv: &Surv<'_>) -> Self {
        let mut order = Vec::with_capacity(keyed.len());
        let mut ties = Vec::with_capacity(cuts.len());
        let mut start = 0;
        for (k, &time) in cuts.iter().enumerate() {
            let next = cuts.get(k + 1).copied().unwrap_or(f64::INFINITY);
            let end = start + keyed[start..].partition_point(|&(bits, _)| f64::from_bits(bits) < next);
            let event = |row: u32| surv.event[row as usize] == 1.0;
            order.extend(keyed[start..end].iter().map(|&(_, row)| row).filter(|&row| !event(row)));
            let events = order.len();
            order.extend(keyed[start..end].iter().map(|&(_, row)| row).filter(|&row| event(row)));
            ties.push(Tie { time, start, events, end });
            start = end;
        }
        let all = 0..ties.len();
        Self { order, ties, strata: vec![all], tolerance }
    }

    /// Adds the row at `position` to the last tie, or starts a new one.
    fn push(&mut self, time: f64, event: bool, first: usize, position: usize) {
        if self.ties.len() == first || self.ties[self.ties.len() - 1].time != time {
            self.ties.push(Tie { time, start: position, events: position, end: position });
        }
        let last = self.ties.len() - 1;
        let tie = &mut self.ties[last];
        tie.end += 1;
        if !event {
            tie.events += 1;
        }
    }

    /// The last tie at or before `time` in a stratum, as a position in [`Timeline::ties`]; `None` before its first.
    ///
    /// # Panics
    /// If there is no such stratum.
    pub fn last_at(&self, stratum: usize, time: f64) -> Option<usize> {
        let ties = self.strata[stratum].clone();
        self.tolerance.last_by(&self.ties[ties.clone()], time, |tie| tie.time).map(|j| ties.start + j)
    }

    /// The last time of a stratum: beyond it nobody is left who could tell.
    ///
    /// # Panics
    /// If there is no such stratum.
    pub fn end(&self, stratum: usize) -> f64 {
        self.ties[self.strata[stratum].clone()].last().map_or(f64::NAN, |tie| tie.time)
    }

    /// Whether a time is no later than the last of a stratum; NaN is not.
    ///
    /// # Panics
    /// If there is no such stratum.
    pub fn reaches(&self, stratum: usize, time: f64) -> bool {
        let end = self.end(stratum);
        time <= end || self.tolerance.same(time, end)
    }

    /// Rows.
    pub fn n(&self) -> usize {
        self.order.len()
    }

    /// Rows with an event.
    pub fn events(&self) -> usize {
        self.ties.iter().map(Tie::deaths).sum()
    }
}

/// The distinct times in ascending order, each run of times that are one represented by its smallest.
fn distinct_times(keyed: &[(u64, u32)]) -> (Vec<f64>, Tolerance) {
    let mut cuts: Vec<f64> = keyed.chunk_by(|a, b| a.0 == b.0).map(|run| f64::from_bits(run[0].0)).collect();
    let tolerance = Tolerance::of(&cuts);
    let mut previous = f64::NEG_INFINITY;
    cuts.retain(|&time| !tolerance.same(std::mem::replace(&mut previous, time), time));
    (cuts, tolerance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_rows_by_stratum_time_and_event() {
        let time = [3.0, 0.1 + 0.2, 3.0, 0.3, 5.0];
        let event = [1.0, 1.0, 0.0, 0.0, 1.0];
        let timeline = Timeline::new(&Surv::new(&time, &event), None).unwrap();
        assert_eq!(timeline.order, [3, 1, 2, 0, 4]);
        let ties: Vec<_> = timeline.ties.iter().map(|t| (t.time, t.start, t.events, t.end)).collect();
        assert_eq!(ties, [(0.3, 0, 1, 2), (3.0, 2, 3, 4), (5.0, 4, 4, 5)]);

        let timeline = Timeline::new(&Surv::new(&time, &event), Some(&[1, 0, 0, 1, 1])).unwrap();
        assert_eq!(timeline.order, [1, 2, 3, 0, 4]);
        assert_eq!(timeline.strata, [0..2, 2..5]);
        assert_eq!(timeline.ties[1], Tie { time: 3.0, start: 1, events: 2, end: 2 });
        let found = [0.2, 3.0 - 1e-9, 9.0].map(|t| timeline.last_at(0, t));
        assert_eq!(found, [None, Some(1), Some(1)]);
        assert_eq!(timeline.last_at(1, 0.1 + 0.2), Some(2));
        let reached = [0.0, 3.0 + 1e-9, 3.1, f64::NAN, f64::INFINITY].map(|t| timeline.reaches(0, t));
        assert_eq!((reached, timeline.end(1)), ([true, true, false, false, false], 5.0));
    }

    #[test]
    fn refuses_what_is_not_a_time_or_an_event() {
        let message = |time: &[f64], event: &[f64]| Surv::new(time, event).check().unwrap_err().to_string();
        assert!(message(&[1.0, -2.0], &[1.0, 0.0]).contains("negative (column 'time'; row 1"));
        assert!(message(&[1.0, f64::NAN], &[1.0, 0.0]).contains("missing"));
        assert!(message(&[1.0, 2.0], &[1.0, 2.0]).contains("neither 0 nor 1 (column 'event'; row 1"));
        assert!(message(&[1.0, 2.0], &[0.0, 0.0]).contains("no row has an event"));
    }
}
