//! Replicates of a trial: arms, outcomes and fits, each found by its number.

use std::ops::Range;

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::analysis::Model;
use super::by_row::{self, Seen};
use super::by_unit::Coefficient;
use super::members::Sorted;
use super::outcomes::{Baseline, Groups, Shifts};
use super::replicates::{Replicates, Status};
use super::room::Room;
use super::trial::{LEAST, Trial, Who};
use crate::design::{LEFT_OUT, Scratch};
use crate::dist::t_two_sided;
use crate::progress::{Monitor, Part, check, go_on, unwatched};
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

impl Trial {
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
        self.run(numbers, From::Generator(effect), monitor)
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
        self.run(first..first + y.nrows() as u64, From::Given { first, y, event }, monitor)
    }

    pub(super) fn need_rows(&self) -> Result<&Sorted> {
        match &self.who {
            Who::Rows(rows) => Ok(rows),
            Who::Drawn(_) => {
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

    fn run(&self, numbers: Range<u64>, from: From<'_>, monitor: &dyn Monitor) -> Result<Replicates> {
        if self.analysis.model == Model::Given {
            return Err(Fault::new("the analysis of this trial is somebody else's")
                .values([self.analysis.model.name()])
                .remedy("Give it the arms and the outcomes of every replicate")
                .input());
        }
        let total = numbers.end.saturating_sub(numbers.start);
        let n = usize::try_from(total).unwrap_or(usize::MAX);
        let mut all = Replicates::new(self.doses.len() - 1);
        let stop = &Part(monitor);
        let size = CHUNK.min(self.redraws.chunk());
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
                    unwatched(|| self.task(these, from, stop))
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
        stop: &dyn Monitor,
    ) -> Result<(Replicates, Option<Error>)> {
        let contrasts = self.doses.len() - 1;
        let mut found = Replicates::new(contrasts);
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
            self.redraws.draw(number, &mut scratch, &mut room.arm)?;
            self.dose(&mut room);
            room.answers.clear();
            let status = match self.replicate(number, from, &mut room) {
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
                let Coefficient { estimate, std_error, df } = answer.unwrap_or(none);
                found.estimate.push(estimate);
                found.std_error.push(std_error);
                found.df.push(df);
                found.p_value.push(t_two_sided(estimate / std_error, df));
                found.status.push(match (status, answer) {
                    (Status::Answered, None) => Status::Undefined,
                    _ => status,
                });
            }
        }
        Ok((found, refusal))
    }

    /// How much of the effect the arm of each unit has.
    pub(super) fn dose(&self, room: &mut Room) {
        for (dose, &arm) in room.dose.iter_mut().zip(&room.arm) {
            *dose = if arm == LEFT_OUT { 0.0 } else { self.doses[usize::from(arm)] };
        }
    }

    /// Draws the outcomes of all rows.
    pub(super) fn draw(&self, rows: &Sorted, effect: f64, stream: &mut Stream, room: &mut Room) {
        let generator = self.outcome.generator();
        let groups = self.groups(rows);
        room.y.resize(rows.unit.len(), 0.0);
        room.event.resize(rows.unit.len(), 0.0);
        let n = rows.unit.len();
        let Room { y, event, dose, beside, inside, share, .. } = room;
        beside.resize_with(generator.covariates().len(), Vec::new);
        beside.iter_mut().for_each(|column| column.resize(n, 0.0));
        if let Some(group) = &rows.subgroup {
            group.draw(&rows.starts, stream, inside);
            share.clear();
            share.extend(inside.iter().map(|&inside| group.effects[usize::from(inside > 0.0)]));
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
    fn replicate(&self, number: u64, from: From<'_>, room: &mut Room) -> Result<Status> {
        let generator = self.outcome.generator();
        let mut stream = self.stream.at(number);
        if self.few(&self.present, room) {
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
            (Who::Rows(rows), From::Generator(effect)) => self.draw(rows, effect, &mut stream, room),
            (Who::Rows(rows), From::Given { first, y, event }) => {
                let place = (number - first) as usize;
                let order = || rows.order.iter().map(|&row| row as usize);
                room.y = order().map(|row| y[(place, row)]).collect();
                room.event = order().map(|row| event.map_or(0.0, |event| event[(place, row)])).collect();
            }
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
                let groups = Groups { starts, baseline, prepared: self.prepared };
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
        let lost = room.y.iter().any(|y| y.is_nan());
        if lost || self.by_unit.is_some() {
            room.starts.clone_from(&rows.starts);
            room.sum();
            if lost && self.few(&room.kept(), room) {
                return Ok(Status::FewUnits);
            }
        }
        if self.by_unit.is_some() {
            let whole = !lost && !room.arm.contains(&LEFT_OUT);
            self.fit_units(whole, room);
        } else {
            let arms = self.doses.len();
            let Room { arm, y, event, covariates, inside, .. } = &*room;
            let covariates = covariates.as_ref().unwrap_or(&rows.covariates);
            let seen = Seen { arm, y, event, covariates, inside };
            room.answers = by_row::fit(rows, &seen, (self.analysis, arms))?;
        }
        Ok(Status::Answered)
    }

    /// Whether an arm has fewer units with rows than any analysis needs.
    fn few(&self, present: &[bool], room: &mut Room) -> bool {
        let Room { arm, counts, .. } = room;
        self.counts(arm, present, counts);
        counts.iter().any(|&count| count < LEAST)
    }

    /// Fits the model to the sums of units and their sizes, which are all their rows where they are `whole`.
    fn fit_units(&self, whole: bool, room: &mut Room) {
        let Some((values, width)) = &self.by_unit else { return };
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
                for (row, &drawn) in values.chunks_exact(*width).zip(&room.arm) {
                    room.values.extend_from_slice(row);
                    room.values.extend(others.clone().map(|other| f64::from(u8::from(drawn == other))));
                }
                room.basis.prepare(&room.values, width + arms - 2, &room.sizes);
                &room.basis
            } else {
                &self.basis
            };
            room.answers.push(basis.fit(&room.treated, &room.totals, kind, &mut room.buffers));
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
mod tests {
    use ndarray::Array2;

    use super::super::analysis::Analysis;
    use super::super::diagnosands::diagnose;
    use super::super::members::Rows;
    use super::super::outcomes::Outcome;
    use super::super::outcomes::{Binary, Continuous, Sharing};
    use super::*;
    use crate::design::{Column, Complete, Design, Misfits, Units};
    use crate::inference::Vcov;
    use crate::progress::NoMonitor;
    use crate::rng::Seed;

    /// 41 families of 1 to 5, in three strata, with a covariate of the family; rows in no order.
    fn rows() -> (Vec<u32>, Array2<f64>, Vec<String>) {
        let family: Vec<u32> = (0..123_u32).map(|row| (row * 29 % 123) % 41).chain([3, 3, 7, 40]).collect();
        let stratum = |g: u32| g % 3;
        let covariates = Array2::from_shape_fn((family.len(), 3), |(row, j)| {
            let g = family[row];
            match j {
                0 => f64::from(u8::from(stratum(g) == 1)),
                1 => f64::from(u8::from(stratum(g) == 2)),
                _ => f64::from(g * g % 11),
            }
        });
        let strata = family.iter().map(|&g| stratum(g).to_string()).collect();
        (family, covariates, strata)
    }

    fn trial(outcome: impl Into<Outcome>, vcov: Vcov, method: Complete) -> Trial {
        let (family, covariates, strata) = rows();
        let design = Design::new("t").arm("a", 1).arm("b", 2).cluster("family").strata(["s"]).method(method);
        let ids = Column::from_values("family", family.iter().map(|g| format!("{g:03}")));
        let units =
            Units::from_rows(design.unit().unwrap(), &ids, &[Column::from_values("s", &strata)]).unwrap();
        let members = Rows::new(units.rows().to_vec()).covariates(covariates).into();
        let analysis = Analysis::new(vcov, 0.05);
        Trial::new(&design, &units, members, outcome.into(), analysis, &Seed::Integer(4), &NoMonitor).unwrap()
    }

    fn same(a: &Replicates, b: &Replicates) {
        assert_eq!(a.status, b.status);
        for (name, a, b) in [
            ("estimate", &a.estimate, &b.estimate),
            ("std_error", &a.std_error, &b.std_error),
            ("df", &a.df, &b.df),
        ] {
            for (i, (x, y)) in a.iter().zip(b).enumerate() {
                assert!((x - y).abs() <= 1e-9 * y.abs().max(0.1), "{name} of {i}: {x}, {y}");
            }
        }
    }

    /// The algebra by unit gives what the fit of the rows gives, from the same numbers.
    #[test]
    fn units_and_rows_agree() {
        let outcomes: [Outcome; 3] = [
            Continuous { effect: 0.4, icc: 0.3, ..Continuous::default() }.into(),
            Binary { baseline: 0.226, effect: 0.2, icc: 0.36, ..Binary::default() }.into(),
            Binary { baseline: 0.3, icc: 0.5, sharing: Sharing::LatentNormal, ..Binary::default() }.into(),
        ];
        let left_out = Complete::default().misfits(Misfits::LeaveOut);
        for outcome in outcomes {
            for method in [Complete::default(), left_out] {
                for vcov in [Vcov::Cr0, Vcov::Cr1, Vcov::Cr1s, Vcov::Cr2, Vcov::Cr3] {
                    let fast = trial(outcome.clone(), vcov, method);
                    assert!(fast.by_unit.is_some());
                    let mut slow = trial(outcome.clone(), vcov, method);
                    slow.by_unit = None;
                    let [a, b] = [fast, slow].map(|t| t.replicates(0..40, None, &NoMonitor).unwrap());
                    assert!(a.count(Status::Answered) > 38);
                    same(&a, &b);
                }
            }
        }
    }

    /// Three arms at doses of their own, with and without lost outcomes: by unit, by row, and from outcomes that were given.
    #[test]
    fn several_arms_and_lost_outcomes() {
        let (family, covariates, strata) = rows();
        let design = Design::new("t").arm("a", 1).arm("b", 2).arm("c", 1).cluster("family").strata(["s"]);
        let ids = Column::from_values("family", family.iter().map(|g| format!("{g:03}")));
        let units =
            Units::from_rows(design.unit().unwrap(), &ids, &[Column::from_values("s", &strata)]).unwrap();
        for dropout in [0.0, 0.2] {
            for vcov in [Vcov::Cr1, Vcov::Cr2] {
                let make = || {
                    let members = Rows::new(units.rows().to_vec()).covariates(covariates.clone()).into();
                    let outcome =
                        Continuous { effect: 1.0, icc: 0.3, dropout, ..Continuous::default() }.into();
                    let analysis = Analysis::new(vcov, 0.05).reference(2);
                    let seed = Seed::Integer(4);
                    Trial::new(&design, &units, members, outcome, analysis, &seed, &NoMonitor)
                        .and_then(|trial| trial.doses(&[0.0, 0.5, 2.0]))
                        .unwrap()
                };
                let fast = make();
                assert!(fast.by_unit.is_some());
                assert_eq!((fast.compared(), fast.effects(1.0)), (vec![0, 1], vec![-2.0, -1.5]));
                let mut slow = make();
                slow.by_unit = None;
                let [a, b] = [&fast, &slow].map(|t| t.replicates(0..40, None, &NoMonitor).unwrap());
                assert_eq!((a.contrasts, a.len(), a.status.len()), (2, 40, 80));
                assert!(a.count(Status::Answered) > 76);
                same(&a, &b);
                let drawn = slow.outcomes(3..20, None, &NoMonitor).unwrap();
                let lost = drawn.y.iter().filter(|y| y.is_nan()).count() as f64 / drawn.y.len() as f64;
                assert!((lost - dropout).abs() < 0.05, "{lost}");
                let again = slow.fitted(3, drawn.y.view(), None, &NoMonitor).unwrap();
                assert_eq!(again.estimate, b.estimate[6..40]);
                let first: Vec<f64> = b.estimate.iter().step_by(2).copied().collect();
                assert_eq!(b.of(0).estimate, first);
            }
        }
    }

    #[test]
    fn replicates_are_found_by_their_number() {
        let made = trial(Binary { icc: 0.2, ..Binary::default() }, Vcov::Cr2, Complete::default());
        let all = made.replicates(0..300, None, &NoMonitor).unwrap();
        let mut parts = made.replicates(0..131, None, &NoMonitor).unwrap();
        parts.extend(&made.replicates(131..300, None, &NoMonitor).unwrap());
        assert_eq!(all, parts);
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(all, one.install(|| made.replicates(0..300, None, &NoMonitor)).unwrap());
    }

    /// Without an effect the diagnosands are those of a valid test; with one the estimates are unbiased.
    #[test]
    fn size_coverage_and_bias() {
        let made = trial(
            Continuous { effect: 0.6, icc: 0.3, ..Continuous::default() },
            Vcov::Cr2,
            Complete::default(),
        );
        let null = diagnose(&made.replicates(0..4_000, Some(0.0), &NoMonitor).unwrap(), 0.0, 0.05).unwrap();
        assert!(null.power.low < 0.05 && 0.05 < null.power.high, "{:?}", null.power);
        assert!(null.type_s.value.is_nan());
        let found = diagnose(&made.replicates(0..4_000, None, &NoMonitor).unwrap(), 0.6, 0.05).unwrap();
        assert!(found.coverage.low < 0.95 && 0.95 < found.coverage.high, "{:?}", found.coverage);
        assert!(found.bias.low < 0.0 && 0.0 < found.bias.high, "{:?}", found.bias);
        assert!(found.power.value > 0.3 && found.type_m.value > 1.0 && found.convergence.value == 1.0);
    }
}
