//! Replicates of a trial: arms, outcomes and fits, each found by its number.

use std::ops::Range;

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::by_row::{self, Seen};
use super::by_test::{self, Tests};
use super::by_unit::{Answer, Coefficient};
use super::judge::Judge;
use super::members::Sorted;
use super::model::Model;
use super::outcomes::{Baseline, Groups, Shifts};
use super::replicates::{Detect, Replicates, Status};
use super::room::Room;
use super::trial::{LEAST, Trial, Who};
use crate::design::{LEFT_OUT, Redraws, Scratch};
use crate::dist::t_two_sided;
use crate::progress::{Monitor, Part, check, go_on, unwatched};
use crate::resampling::Repeated;
use crate::rng::Stream;
use crate::{Error, Fault, Result};

/// Replicates that one task runs.
const TASK: usize = 64;
/// Replicates between two looks at the monitor.
const CHUNK: usize = 2048;

/// Where the outcomes of replicates come from.
#[derive(Clone, Copy)]
enum From<'a> {
    /// The outcome of the trial, under an effect.
    Generator(f64),
    /// Somebody else drew them, from this replicate on.
    Given { first: u64, y: ArrayView2<'a, f64>, event: Option<ArrayView2<'a, f64>> },
}

/// What is known before replicates are run, and what of them is asked for.
#[derive(Clone, Copy, Default)]
struct How<'a> {
    /// The arms of all replicates from the first on, where they were drawn before.
    held: Option<&'a Array2<u8>>,
    /// Whether nothing counts but on which side of the level p-values lie.
    judged: bool,
}

impl Trial {
    /// How many of so many first replicates reject no effect under this one; `held` are their arms.
    pub(super) fn rejected(
        &self,
        sims: u64,
        (effect, detect): (f64, Detect),
        held: Option<&Array2<u8>>,
        monitor: &dyn Monitor,
    ) -> Result<u64> {
        self.need_generator()?;
        self.check(effect)?;
        let how = How { held, judged: true };
        Ok(self.run(0..sims, From::Generator(effect), how, monitor)?.rejections(self.analysis.alpha, detect))
    }

    /// Runs the replicates of these numbers, under an effect in place of the outcome's own.
    ///
    /// # Errors
    /// As [`Trial::new`] for the effect; the error of the model where no replicate can be fitted; [`Error::Input`] where
    /// outcomes or analysis are somebody else's; [`Error::Interrupted`] when the monitor stops the work.
    pub fn replicates(
        &self,
        numbers: Range<u64>,
        effect: Option<f64>,
        monitor: &dyn Monitor,
    ) -> Result<Replicates> {
        let effect = effect.unwrap_or_else(|| self.outcome.effect());
        self.need_generator()?;
        self.check(effect)?;
        self.run(numbers, From::Generator(effect), How::default(), monitor)
    }

    /// Fits the model to outcomes that somebody else drew for the replicates from `first` on, whose arms are those of
    /// [`Trial::arms`]; replicates x rows, NaN where an outcome is missing.
    ///
    /// # Errors
    /// [`Error::Input`] for matrices of another width than there are rows, and without rows; as [`Trial::replicates`].
    pub fn fitted(
        &self,
        first: u64,
        y: ArrayView2<'_, f64>,
        event: Option<ArrayView2<'_, f64>>,
        monitor: &dyn Monitor,
    ) -> Result<Replicates> {
        let rows = self.need_rows()?;
        let n = rows.unit.len();
        let times = self.outcome.generator().times().is_some();
        let other = event.map_or((y.nrows(), n), |event| event.dim());
        if y.ncols() != n || other != y.dim() || times != event.is_some() {
            return Err(Fault::new("outcomes have a row a replicate and a column a row of the trial")
                .values([format!("{} x {}, of {n} rows", y.nrows(), y.ncols())])
                .remedy("Give an outcome to every row, and for times whether the event came")
                .input());
        }
        let from = From::Given { first, y, event };
        self.run(first..first + y.nrows() as u64, from, How::default(), monitor)
    }

    pub(super) fn need_rows(&self) -> Result<&Sorted> {
        match &self.who {
            Who::Rows(rows) => Ok(rows),
            Who::Drawn(_) | Who::Arriving(_) => {
                Err(Fault::new("outcomes by row need rows, and a distribution of sizes has none")
                    .remedy("Give a frame with a row a member, or a list of sizes")
                    .input())
            }
        }
    }

    pub(super) fn need_generator(&self) -> Result<()> {
        if !self.outcome.generator().given() {
            return Ok(());
        }
        Err(Fault::new("the outcomes of this trial are drawn by somebody else")
            .values([self.outcome.name()])
            .remedy("Give them to `fitted`")
            .input())
    }

    fn run(
        &self,
        numbers: Range<u64>,
        from: From<'_>,
        how: How<'_>,
        monitor: &dyn Monitor,
    ) -> Result<Replicates> {
        if self.analysis.model == Model::Given {
            return Err(Fault::new("the analysis of this trial is somebody else's")
                .values([self.analysis.model.name()])
                .remedy("Give it the arms and the outcomes of every replicate")
                .input());
        }
        let total = numbers.end.saturating_sub(numbers.start);
        let n = usize::try_from(total).unwrap_or(usize::MAX);
        let mut all = self.none();
        let stop = &Part(monitor);
        let size = CHUNK.min(self.redraws.as_ref().map_or(CHUNK, Redraws::chunk));
        let mut refusal = None;
        for first in (0..n).step_by(size) {
            check(monitor, first as u64, total)?;
            let parts: Vec<(Replicates, Option<Error>)> = (first..n.min(first + size))
                .step_by(TASK)
                .collect::<Vec<_>>()
                .into_par_iter()
                .map(|start| {
                    let end = n.min(first + size).min(start + TASK);
                    let these = numbers.start + start as u64..numbers.start + end as u64;
                    unwatched(|| self.task(these, from, how, stop))
                })
                .collect::<Result<_>>()?;
            for (part, refused) in parts {
                all.extend(&part);
                refusal = refusal.or(refused);
            }
        }
        check(monitor, total, total)?;
        match refusal {
            Some(error) if all.count(Status::NotFitted) == all.status.len() => Err(error),
            _ => Ok(all),
        }
    }

    /// Runs a few replicates one after the other; with the first refusal of the model.
    fn task(
        &self,
        numbers: Range<u64>,
        from: From<'_>,
        how: How<'_>,
        stop: &dyn Monitor,
    ) -> Result<(Replicates, Option<Error>)> {
        let mut judge = Judge::new(self.analysis.alpha);
        let contrasts = self.doses.len() - 1;
        let mut found = self.none();
        let mut refusal = None;
        let mut scratch = Scratch::new(stop);
        let mut room = Room::new(self.units);
        if let Who::Rows(rows) = &self.who
            && !rows.drawn.is_empty()
        {
            room.covariates = Some(rows.covariates.clone());
        }
        for number in numbers {
            go_on(stop)?;
            match (&self.redraws, &self.who) {
                (Some(_), _) if how.held.is_some() => {
                    let arms = how.held.into_iter().flat_map(|held| held.row(number as usize));
                    room.arm.iter_mut().zip(arms).for_each(|(into, arm)| *into = *arm);
                }
                (Some(redraws), _) => redraws.draw(number, &mut scratch, &mut room.arm)?,
                (None, Who::Arriving(arrivals)) => self.come(arrivals, number, &mut room)?,
                (None, _) => {}
            }
            self.dose(&mut room);
            room.answers.clear();
            let status = match self.replicate(number, from, &mut room, stop) {
                Ok(status) => status,
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(error) => {
                    refusal = refusal.or(Some(error));
                    Status::NotFitted
                }
            };
            room.answers.resize(contrasts, None);
            for answer in &room.answers {
                let none = Coefficient { estimate: f64::NAN, std_error: f64::NAN, df: f64::NAN };
                let Answer { coefficient, p_value, interval } = answer.unwrap_or(none.into());
                let Coefficient { estimate, std_error, df } = coefficient;
                found.estimate.push(estimate);
                found.std_error.push(std_error);
                found.df.push(df);
                let t = estimate / std_error;
                found.p_value.push(match p_value {
                    Some(p_value) => p_value,
                    None if how.judged => judge.p_value(t, df),
                    None => t_two_sided(t, df),
                });
                if let Some([low, high]) = &mut found.interval {
                    let ends = interval.unwrap_or([f64::NAN; 2]);
                    low.push(ends[0]);
                    high.push(ends[1]);
                }
                found.status.push(match (status, answer) {
                    (Status::Answered, None) => Status::Undefined,
                    _ => status,
                });
            }
        }
        Ok((found, refusal))
    }

    /// No replicates yet; those of a test have intervals of their own.
    fn none(&self) -> Replicates {
        let mut none = Replicates::new(self.doses.len() - 1);
        none.interval = self.analysis.model.is_test().then(Default::default);
        none
    }

    /// How much of the effect the arm of each unit has.
    pub(super) fn dose(&self, room: &mut Room) {
        for (dose, &arm) in room.dose.iter_mut().zip(&room.arm) {
            *dose = if arm == LEFT_OUT { 0.0 } else { self.doses[usize::from(arm)] };
        }
    }

    /// Draws the outcomes of all rows.
    pub(super) fn draw(
        &self,
        rows: &Sorted,
        entry: Option<&[f64]>,
        effect: f64,
        stream: &mut Stream,
        room: &mut Room,
    ) {
        let generator = self.outcome.generator();
        let groups = Groups { entry, ..self.groups(rows) };
        room.y.resize(rows.unit.len(), 0.0);
        room.event.resize(rows.unit.len(), 0.0);
        let n = rows.unit.len();
        let Room { arm, y, event, dose, beside, inside, share, .. } = room;
        beside.resize_with(generator.covariates().len(), Vec::new);
        beside.iter_mut().for_each(|column| column.resize(n, 0.0));
        if let Some(group) = &rows.subgroup {
            group.draw(&rows.starts, stream, inside);
            share.clear();
            // Of the whole effect, whatever the dose of the arm.
            dose.fill(1.0);
            let of = |(&unit, &inside): (&u32, &f64)| {
                let arm = arm[unit as usize];
                let of_arm =
                    self.doses.get(usize::from(arm)).map(|&dose| group.of_arm(usize::from(arm), dose));
                of_arm.map_or(0.0, |shares| shares[usize::from(inside > 0.0)])
            };
            share.extend(rows.unit.iter().zip(inside.iter()).map(of));
        }
        let shifts = Shifts { dose, effect, share: rows.subgroup.is_some().then_some(share) };
        match generator.times() {
            Some(times) => times.draw(&groups, &shifts, stream, y, event),
            None if beside.is_empty() => generator.rows(&groups, &shifts, stream, y),
            None => generator.rows_beside(&groups, &shifts, stream, y, beside),
        }
        lose(generator.dropout(), stream, y);
        if let Some(columns) = &mut room.covariates {
            for (column, place) in beside.iter().zip(&rows.drawn) {
                if let Some(place) = *place {
                    columns.column_mut(place).iter_mut().zip(column).for_each(|(into, value)| *into = *value);
                }
            }
        }
    }

    /// Finds the outcomes of a replicate whose arms are drawn, and fits the model.
    fn replicate(&self, number: u64, from: From<'_>, room: &mut Room, stop: &dyn Monitor) -> Result<Status> {
        let generator = self.outcome.generator();
        let mut stream = self.stream.at(number);
        // Those who arrive are counted once they have come.
        if self.redraws.is_some() && self.few(&self.present, room) {
            return Ok(Status::FewUnits);
        }
        match (&self.who, from) {
            (Who::Rows(rows), From::Generator(effect))
                if self.by_unit.is_some() && generator.dropout() == 0.0 =>
            {
                let Room { totals, sizes, dose, .. } = room;
                generator.totals(
                    &self.groups(rows),
                    &Shifts { dose, effect, share: None },
                    &mut stream,
                    totals,
                );
                sizes.clear();
                sizes.extend(rows.starts.windows(2).map(|pair| f64::from(pair[1] - pair[0])));
                let whole = !room.arm.contains(&LEFT_OUT);
                self.fit_units(whole, room);
                return Ok(Status::Answered);
            }
            (Who::Rows(rows), From::Generator(effect)) => self.draw(rows, None, effect, &mut stream, room),
            (Who::Rows(rows), From::Given { first, y, event }) => {
                let place = (number - first) as usize;
                let order = || rows.order.iter().map(|&row| row as usize);
                room.y = order().map(|row| y[(place, row)]).collect();
                room.event = order().map(|row| event.map_or(0.0, |event| event[(place, row)])).collect();
            }
            (Who::Arriving(arrivals), From::Generator(effect)) => {
                let came = std::mem::take(&mut room.came);
                let status = self.arrived(arrivals, &came, (number, effect), room, stop);
                room.came = came;
                return status;
            }
            // Somebody else's outcomes need rows.
            (Who::Arriving(_), From::Given { .. }) => return Ok(Status::Undefined),
            (Who::Drawn(sizes), from) => {
                // Sizes without rows are always drawn and analysed by unit.
                let From::Generator(effect) = from else { return Ok(Status::Undefined) };
                room.starts.clear();
                room.starts.push(0);
                let mut end = 0;
                for _ in 0..self.units {
                    end += sizes.draw(&mut stream);
                    room.starts.push(end);
                }
                let baseline = Baseline::One(generator.baseline());
                let Room { y, totals, starts, dose, .. } = room;
                let groups = Groups { starts, baseline, prepared: self.prepared, entry: None };
                let shifts = Shifts { dose, effect, share: None };
                if generator.dropout() == 0.0 {
                    generator.totals(&groups, &shifts, &mut stream, totals);
                    room.sizes.clear();
                    room.sizes.extend(room.starts.windows(2).map(|pair| f64::from(pair[1] - pair[0])));
                } else {
                    y.resize(end as usize, 0.0);
                    generator.rows(&groups, &shifts, &mut stream, y);
                    lose(generator.dropout(), &mut stream, y);
                    room.sum();
                    if self.few(&room.kept(), room) {
                        return Ok(Status::FewUnits);
                    }
                }
                self.fit_units(false, room);
                return Ok(Status::Answered);
            }
        }
        let Who::Rows(rows) = &self.who else { return Ok(Status::Undefined) };
        self.analysed(rows, self.shared.repeated.as_ref(), number, room, stop)
    }

    /// Analyses the outcomes of rows, which are drawn.
    pub(super) fn analysed(
        &self,
        rows: &Sorted,
        repeated: Option<&Repeated>,
        number: u64,
        room: &mut Room,
        stop: &dyn Monitor,
    ) -> Result<Status> {
        let lost = room.y.iter().any(|y| y.is_nan());
        if lost || self.by_unit.is_some() {
            room.starts.clone_from(&rows.starts);
            room.sum();
            if lost && self.few(&room.kept(), room) {
                return Ok(Status::FewUnits);
            }
        }
        if self.by_unit.is_some() {
            let whole = !lost && !room.arm.contains(&LEFT_OUT) && self.redraws.is_some();
            self.fit_units(whole, room);
            return Ok(Status::Answered);
        }
        let arms = self.doses.len();
        let Room { arm, y, event, covariates, inside, .. } = &*room;
        let covariates = covariates.as_ref().unwrap_or(&rows.covariates);
        let seen = Seen { arm, y, event, covariates, inside };
        room.answers = if self.analysis.model.is_test() {
            let tests = Tests { repeated, laws: &self.shared.laws };
            by_test::test(&tests, number, rows, &seen, (self.analysis, arms), stop)?
        } else {
            by_row::fit(rows, &seen, (self.analysis, arms))?
        };
        Ok(Status::Answered)
    }

    /// Whether an arm has fewer units with rows than any analysis needs.
    pub(super) fn few(&self, present: &[bool], room: &mut Room) -> bool {
        let Room { arm, counts, .. } = room;
        self.counts(arm, present, counts);
        counts.iter().any(|&count| count < LEAST)
    }

    /// Fits the model to the sums of units and their sizes, which are all their rows where they are `whole`.
    pub(super) fn fit_units(&self, whole: bool, room: &mut Room) {
        let own = std::mem::take(&mut room.own);
        let given = if self.redraws.is_some() { self.by_unit.as_ref() } else { Some(&own) };
        if let Some((values, width)) = given {
            self.fit_columns(values, *width, whole, room);
        }
        room.own = own;
    }

    /// The same by these columns of the model, units x `width`.
    fn fit_columns(&self, values: &[f64], width: usize, whole: bool, room: &mut Room) {
        let (kind, arms) = (self.analysis.vcov, self.doses.len());
        if !whole {
            for (unit, _) in room.arm.iter().enumerate().filter(|(_, arm)| **arm == LEFT_OUT) {
                (room.sizes[unit], room.totals[unit]) = (0.0, 0.0);
            }
        }
        let compared = self.analysis.compared(arms);
        let prepare = !whole || arms > 2 || self.basis.is_empty();
        for arm in compared.clone() {
            for (treated, &drawn) in room.treated.iter_mut().zip(&room.arm) {
                *treated = f64::from(u8::from(drawn == arm));
            }
            let basis = if prepare {
                // The other arms stand among the columns.
                let others = compared.clone().filter(|&other| other != arm);
                room.values.clear();
                for (row, &drawn) in values.chunks_exact(width).zip(&room.arm) {
                    room.values.extend_from_slice(row);
                    room.values.extend(others.clone().map(|other| f64::from(u8::from(drawn == other))));
                }
                room.basis.prepare(&room.values, width + arms - 2, &room.sizes);
                &room.basis
            } else {
                &self.basis
            };
            room.answers
                .push(basis.fit(&room.treated, &room.totals, kind, &mut room.buffers).map(Answer::from));
        }
    }
}

/// Loses rows at random: their outcomes are not known.
fn lose(share: f64, stream: &mut Stream, y: &mut [f64]) {
    if share > 0.0 {
        for y in y {
            if stream.unit() < share {
                *y = f64::NAN;
            }
        }
    }
}

#[cfg(test)]
mod tests;
