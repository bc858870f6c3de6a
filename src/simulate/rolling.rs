//! Replicates of a trial whose units arrive one by one: others in every one of them.

use ndarray::Array2;

use super::arrivals::{Arrivals, Recruited};
use super::members::Sorted;
use super::model::Model;
use super::outcomes::{Groups, Shifts};
use super::replicates::Status;
use super::room::Room;
use super::trial::{Trial, Who};
use crate::design::LEFT_OUT;
use crate::progress::{Monitor, go_on};
use crate::resampling::Repeated;
use crate::rng::Seed;
use crate::{Fault, Result};

impl Trial {
    /// Recruits replicate `number`.
    pub(super) fn come(&self, arrivals: &Arrivals, number: u64, room: &mut Room) -> Result<()> {
        arrivals.recruit(&self.design, self.arrivals.at(number), &mut room.came)?;
        let n = room.came.arm.len();
        room.arm.clone_from(&room.came.arm);
        for column in [&mut room.dose, &mut room.treated, &mut room.totals] {
            column.resize(n, 0.0);
        }
        Ok(())
    }

    /// Finds the outcomes of those who came, and analyses them under an effect.
    pub(super) fn arrived(
        &self,
        arrivals: &Arrivals,
        came: &Recruited,
        (number, effect): (u64, f64),
        room: &mut Room,
        stop: &dyn Monitor,
    ) -> Result<Status> {
        if self.few(&vec![true; came.arm.len()], room) {
            return Ok(Status::FewUnits);
        }
        let generator = self.outcome.generator();
        let mut stream = self.stream.at(number);
        let mut rows = came.rows();
        let sums = self.by_unit.is_some() && generator.dropout() == 0.0;
        if sums {
            let Room { totals, sizes, dose, .. } = room;
            let groups = Groups { entry: Some(&came.entry), ..self.groups(&rows) };
            generator.totals(&groups, &Shifts { dose, effect, share: None }, &mut stream, totals);
            sizes.clear();
            sizes.extend(rows.starts.windows(2).map(|pair| f64::from(pair[1] - pair[0])));
        } else {
            self.draw(&rows, Some(&came.entry), effect, &mut stream, room);
        }
        // The model has the columns that the outcomes which are known can tell apart.
        let known = |unit: &usize| {
            let own = rows.starts[*unit] as usize..rows.starts[*unit + 1] as usize;
            came.arm[*unit] != LEFT_OUT && (sums || room.y[own].iter().any(|y| !y.is_nan()))
        };
        let kinds: Vec<u32> = (0..came.kind.len()).filter(known).map(|unit| came.kind[unit]).collect();
        let columns = arrivals.informative(&kinds);
        if self.by_unit.is_some() {
            let (values, width) = &mut room.own;
            *width = 1 + columns.len();
            values.clear();
            for &kind in &came.kind {
                values.push(1.0);
                values.extend(columns.iter().map(|&column| arrivals.columns[(kind as usize, column)]));
            }
        }
        if sums {
            self.fit_units(false, room);
            return Ok(Status::Answered);
        }
        let value = |(row, j): (usize, usize)| {
            arrivals.columns[(came.kind[rows.unit[row] as usize] as usize, columns[j])]
        };
        rows.covariates = Array2::from_shape_fn((rows.unit.len(), columns.len()), value);
        let repeated = match self.analysis.model {
            Model::RandomisationTest(plan) => {
                // Those outside the comparison are drawn again with all others, and have no outcomes.
                for (row, &unit) in rows.unit.iter().enumerate() {
                    if came.arm[unit as usize] == LEFT_OUT {
                        room.y[row] = f64::NAN;
                    }
                }
                room.arm.clone_from(&came.drawn);
                let units = came.units(arrivals, &self.design)?;
                let seed = Seed::Integer(self.tests.at(number).next_u64());
                let asked = (plan.draws, self.analysis.alpha);
                Some(Repeated::new(&self.design, &units, &seed, asked, stop)?)
            }
            _ => None,
        };
        self.analysed(&rows, repeated.as_ref(), if repeated.is_some() { 0 } else { number }, room, stop)
    }

    /// Who came in the replicates of these numbers; replicates x (units of every arm in the comparison, members of all units
    /// in it, units refused while enrolment paused, units outside the comparison).
    ///
    /// # Errors
    /// [`crate::Error::Input`] where units do not arrive; [`crate::Error::Interrupted`] when the monitor stops the work.
    pub fn recruited(&self, numbers: std::ops::Range<u64>, monitor: &dyn Monitor) -> Result<Array2<u64>> {
        let Who::Arriving(arrivals) = &self.who else {
            return Err(Fault::new("the units of this trial are known, and do not arrive")
                .remedy("Give arrivals in place of a frame")
                .input());
        };
        let arms = self.doses.len();
        let n = usize::try_from(numbers.end.saturating_sub(numbers.start)).unwrap_or(usize::MAX);
        let mut found = Array2::zeros((n, arms + 3));
        let mut came = Recruited::default();
        for (number, mut row) in numbers.zip(found.rows_mut()) {
            go_on(monitor)?;
            arrivals.recruit(&self.design, self.arrivals.at(number), &mut came)?;
            for (&arm, pair) in
                came.arm.iter().zip(came.starts.windows(2)).filter(|(arm, _)| **arm != LEFT_OUT)
            {
                row[usize::from(arm)] += 1;
                row[arms] += u64::from(pair[1] - pair[0]);
            }
            row[arms + 1] = came.refused;
            row[arms + 2] = came.outside;
        }
        Ok(found)
    }
}

impl Recruited {
    /// The rows of those who came, without columns of the model.
    fn rows(&self) -> Sorted {
        let n = self.starts.last().map_or(0, |&end| end as usize);
        let mut unit = Vec::with_capacity(n);
        for (one, pair) in self.starts.windows(2).enumerate() {
            unit.resize(pair[1] as usize, one as u32);
        }
        Sorted {
            starts: self.starts.clone(),
            order: (0..n as u32).collect(),
            baseline: None,
            covariates: Array2::zeros((n, 0)),
            clusters: None,
            drawn: Vec::new(),
            subgroup: None,
            unit,
        }
    }
}
