//! Arms and outcomes of replicates, for analyses that are somebody else's.

use std::ops::Range;

use ndarray::{Array2, Axis};

use super::room::Room;
use super::trial::Trial;
use crate::Result;
use crate::design::Scratch;
use crate::progress::{Monitor, go_on};

/// Outcomes of replicates, rows in the order in which they were given; replicates x rows.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Drawn {
    /// The outcome, or the time; NaN where it is missing.
    pub y: Array2<f64>,
    /// Whether the event came, where outcomes are times.
    pub event: Option<Array2<f64>>,
    /// The covariates that are drawn with the outcome, and last who is in the subgroup, where there is one.
    pub beside: Vec<Array2<f64>>,
}

impl Trial {
    /// The arms of the replicates of these numbers; replicates x units, each entry the place of an arm, or
    /// `design::LEFT_OUT`.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`] when the monitor stops the work.
    pub fn arms(&self, numbers: Range<u64>, monitor: &dyn Monitor) -> Result<Array2<u8>> {
        let n = usize::try_from(numbers.end.saturating_sub(numbers.start)).unwrap_or(usize::MAX);
        let mut arms = Array2::zeros((n, self.units));
        let mut scratch = Scratch::new(monitor);
        for (number, mut row) in numbers.zip(arms.axis_iter_mut(Axis(0))) {
            go_on(monitor)?;
            // Rows of a matrix made here are contiguous.
            if let Some(row) = row.as_slice_mut() {
                self.redraws.draw(number, &mut scratch, row)?;
            }
        }
        Ok(arms)
    }

    /// The outcomes of the replicates of these numbers, under an effect in place of the outcome's own.
    ///
    /// # Errors
    /// As [`Trial::replicates`]; [`crate::Error::Input`] without rows.
    pub fn outcomes(&self, numbers: Range<u64>, effect: Option<f64>, monitor: &dyn Monitor) -> Result<Drawn> {
        let effect = effect.unwrap_or_else(|| self.outcome.effect());
        let rows = self.need_rows()?;
        self.need_generator()?;
        self.check(effect)?;
        let n = usize::try_from(numbers.end.saturating_sub(numbers.start)).unwrap_or(usize::MAX);
        let mut y = Array2::zeros((n, rows.unit.len()));
        let mut event = self.outcome.generator().times().map(|_| y.clone());
        let columns = self.outcome.generator().covariates().len() + usize::from(rows.subgroup.is_some());
        let mut beside = vec![y.clone(); columns];
        let (mut scratch, mut room) = (Scratch::new(monitor), Room::new(self.units));
        for (place, number) in numbers.enumerate() {
            go_on(monitor)?;
            self.redraws.draw(number, &mut scratch, &mut room.arm)?;
            self.dose(&mut room);
            self.draw(rows, effect, &mut self.stream.at(number), &mut room);
            for (sorted, &row) in rows.order.iter().enumerate() {
                let at = (place, row as usize);
                y[at] = room.y[sorted];
                if let Some(event) = &mut event {
                    event[at] = room.event[sorted];
                }
                let subgroup = rows.subgroup.is_some().then_some(&room.inside);
                for (into, column) in beside.iter_mut().zip(room.beside.iter().chain(subgroup)) {
                    into[at] = column[sorted];
                }
            }
        }
        Ok(Drawn { y, event, beside })
    }
}
