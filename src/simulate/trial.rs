//! A trial made ready to be replayed.

use std::ops::Range;

use rayon::prelude::*;

use super::analysis::{Analysis, Model};
use super::by_row;
use super::by_unit::{self, Basis, Buffers, Coefficient};
use super::members::{Members, Sorted};
use super::outcomes::{Baseline, Groups, Outcome};
use super::replicates::{Replicates, Status};
use super::sizes::Sizes;
use crate::design::{Design, LEFT_OUT, Redraws, Scratch, Units};
use crate::dist::t_two_sided;
use crate::progress::{Monitor, Part, check, go_on, unwatched};
use crate::rng::{Seed, Stream};
use crate::{Error, Fault, Result};

/// Replicates that one task runs.
const TASK: usize = 64;
/// Replicates between two looks at the monitor.
const CHUNK: usize = 2048;
/// Assignments that are looked at before any outcome is drawn.
const LOOKED_AT: u64 = 20;
/// Units that each arm needs.
const LEAST: usize = 2;

/// Rows, or sizes that are drawn.
enum Who {
    Rows(Box<Sorted>),
    Drawn(Sizes),
}

/// A design with its units, an outcome and an analysis, ready to be replayed. The front of this room says how.
pub struct Trial {
    redraws: Redraws,
    units: usize,
    who: Who,
    outcome: Outcome,
    pub(super) analysis: Analysis,
    stream: Stream,
    /// The columns of the model by unit, with the intercept; nothing where rows are fitted.
    by_unit: Option<(Vec<f64>, usize)>,
    basis: Basis,
    /// What the generator found once.
    prepared: f64,
}

impl std::fmt::Debug for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (outcome, analysis) = (&self.outcome, &self.analysis);
        f.debug_struct("Trial").field("outcome", outcome).field("analysis", analysis).finish_non_exhaustive()
    }
}

impl Trial {
    /// Makes a trial ready.
    ///
    /// `seed` names all random numbers, in place of the design's own.
    ///
    /// # Errors
    /// * [`Error::Design`] for more than two arms, fewer than two units an arm, and a design that the units cannot meet;
    /// * [`Error::Input`] for rows that do not fit the units, probabilities outside 0 to 1, an effect that leaves the
    ///   range, a correlation that clusters of these sizes cannot have, and a level outside 0 to 1;
    /// * [`Error::Rank`] where a column of the model repeats others.
    pub fn new(
        design: &Design,
        units: &Units,
        members: Members,
        outcome: Outcome,
        analysis: Analysis,
        seed: &Seed,
        monitor: &dyn Monitor,
    ) -> Result<Self> {
        if design.arms().len() != 2 {
            return Err(Fault::new("a simulated trial compares two arms")
                .values(design.arm_names())
                .remedy("Declare the design of the two arms that are compared")
                .design());
        }
        if !(analysis.alpha > 0.0 && analysis.alpha < 1.0) {
            return Err(Fault::new("the level of the test must lie between 0 and 1")
                .values([analysis.alpha.to_string()])
                .remedy("Give alpha such as 0.05")
                .input());
        }
        analysis.model.check(outcome.generator().times().is_some())?;
        let redraws = Redraws::new(design, units, seed, monitor)?;
        let who = match members {
            Members::Rows(rows) => Who::Rows(Box::new(Sorted::new(&rows, units.len())?)),
            Members::Drawn(sizes) => Who::Drawn(sizes),
        };
        let mut made = Self {
            redraws,
            units: units.len(),
            who,
            outcome,
            analysis,
            stream: Stream::new::<&str>(seed, "simulate/outcomes", &[], 0),
            by_unit: None,
            basis: Basis::default(),
            prepared: 0.0,
        };
        made.check(made.outcome.effect())?;
        made.check_arms(design, &Part(monitor))?;
        made.prepare()?;
        Ok(made)
    }

    /// Refuses outcomes that cannot come about under an effect.
    fn check(&self, effect: f64) -> Result<()> {
        self.with_groups(|groups, order| self.outcome.generator().check(groups, effect, order))
    }

    /// The least and the largest effect that the outcome can have.
    pub(super) fn bounds(&self) -> (f64, f64) {
        self.with_groups(|groups, _| self.outcome.generator().bounds(groups))
    }

    /// A first guess at the size of an effect that has no bound.
    pub(super) fn unit(&self) -> f64 {
        self.outcome.generator().unit()
    }

    /// The rows in the order of their units; for sizes that are drawn, one unit of the largest size.
    fn with_groups<T>(&self, of: impl FnOnce(&Groups<'_>, &[u32]) -> T) -> T {
        match &self.who {
            Who::Rows(rows) => of(&self.groups(rows), &rows.order),
            Who::Drawn(sizes) => {
                let baseline = Baseline::One(self.outcome.generator().baseline());
                let starts = [0, sizes.largest()];
                of(&Groups { starts: &starts, baseline, prepared: self.prepared }, &[])
            }
        }
    }

    fn groups<'a>(&self, rows: &'a Sorted) -> Groups<'a> {
        let baseline = match &rows.baseline {
            Some(each) => Baseline::Each(each),
            None => Baseline::One(self.outcome.generator().baseline()),
        };
        Groups { starts: &rows.starts, baseline, prepared: self.prepared }
    }

    /// Refuses a design that leaves an arm with fewer than two units however often it is drawn.
    fn check_arms(&self, design: &Design, monitor: &dyn Monitor) -> Result<()> {
        let (mut scratch, mut arm) = (Scratch::new(monitor), vec![0; self.units]);
        let mut counts = [0; 2];
        for draw in 0..LOOKED_AT {
            self.redraws.draw(draw, &mut scratch, &mut arm)?;
            counts = self.counts(&arm);
            if counts.iter().all(|&count| count >= LEAST) {
                return Ok(());
            }
        }
        let names = design.arm_names();
        Err(Fault::new(format!(
            "an arm has fewer than {LEAST} units with rows, which no analysis can compare"
        ))
        .values(names.iter().zip(counts).map(|(name, count)| format!("{name}: {count}")))
        .remedy("Plan more units, or another ratio")
        .design())
    }

    /// The units with rows in each arm.
    fn counts(&self, arm: &[u8]) -> [usize; 2] {
        let mut counts = [0; 2];
        for (unit, &arm) in arm.iter().enumerate().filter(|(_, arm)| **arm < 2) {
            let there = match &self.who {
                Who::Rows(rows) => rows.starts[unit] < rows.starts[unit + 1],
                Who::Drawn(_) => true,
            };
            counts[usize::from(arm)] += usize::from(there);
        }
        counts
    }

    /// Finds once what all replicates share.
    fn prepare(&mut self) -> Result<()> {
        self.prepared = self.with_groups(|groups, _| self.outcome.generator().prepared(groups));
        let (kind, linear) = (self.analysis.vcov, self.analysis.model == Model::Linear);
        let (mut values, mut width) = (vec![1.0; self.units], 1);
        match &self.who {
            Who::Drawn(_) if !linear || !by_unit::has(kind, false) => {
                return Err(by_row::needs_rows(self.analysis));
            }
            Who::Drawn(_) => {}
            Who::Rows(rows) => {
                let single = rows.starts.windows(2).all(|pair| pair[1] - pair[0] <= 1);
                if !linear || !by_unit::has(kind, single) || !rows.by_unit() {
                    return Ok(());
                }
                width += rows.covariates.ncols();
                values = Vec::with_capacity(self.units * width);
                let mut sizes = Vec::with_capacity(self.units);
                for unit in 0..self.units {
                    let (first, end) = (rows.starts[unit] as usize, rows.starts[unit + 1] as usize);
                    values.push(1.0);
                    if first < end {
                        values.extend(rows.covariates.row(first));
                    } else {
                        values.resize((unit + 1) * width, 0.0);
                    }
                    sizes.push((end - first) as f64);
                }
                self.basis.prepare(&values, width, &sizes);
                if self.basis.repeats {
                    return Err(Fault::new("a column of the model repeats others")
                        .remedy("Leave out covariates that the strata or other covariates imply")
                        .rank());
                }
            }
        }
        self.by_unit = Some((values, width));
        Ok(())
    }

    /// Runs the replicates of these numbers, under an effect in place of the outcome's own.
    ///
    /// # Errors
    /// As [`Trial::new`] for the effect; the error of the model where no replicate can be fitted; [`Error::Interrupted`] when
    /// the monitor stops the work.
    pub fn replicates(
        &self,
        numbers: Range<u64>,
        effect: Option<f64>,
        monitor: &dyn Monitor,
    ) -> Result<Replicates> {
        let effect = effect.unwrap_or_else(|| self.outcome.effect());
        self.check(effect)?;
        let total = numbers.end.saturating_sub(numbers.start);
        let n = usize::try_from(total).unwrap_or(usize::MAX);
        let mut all = Replicates::default();
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
                    unwatched(|| self.task(these, effect, stop))
                })
                .collect::<Result<_>>()?;
            for (part, refused) in parts {
                all.extend(&part);
                refusal = refusal.or(refused);
            }
        }
        check(monitor, total, total)?;
        match refusal {
            Some(error) if all.count(Status::NotFitted) == all.len() => Err(error),
            _ => Ok(all),
        }
    }

    /// Runs a few replicates one after the other; with the first refusal of the model.
    fn task(
        &self,
        numbers: Range<u64>,
        effect: f64,
        stop: &dyn Monitor,
    ) -> Result<(Replicates, Option<Error>)> {
        let mut found = Replicates::default();
        let mut refusal = None;
        let mut scratch = Scratch::new(stop);
        let mut room = Room::new(self.units);
        for number in numbers {
            go_on(stop)?;
            self.redraws.draw(number, &mut scratch, &mut room.arm)?;
            let (status, answer) = match self.replicate(number, effect, &mut room) {
                Ok(answered) => answered,
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(error) => {
                    refusal = refusal.or(Some(error));
                    (Status::NotFitted, None)
                }
            };
            let none = Coefficient { estimate: f64::NAN, std_error: f64::NAN, df: f64::NAN };
            let Coefficient { estimate, std_error, df } = answer.unwrap_or(none);
            found.estimate.push(estimate);
            found.std_error.push(std_error);
            found.df.push(df);
            found.p_value.push(t_two_sided(estimate / std_error, df));
            found.status.push(status);
        }
        Ok((found, refusal))
    }

    /// Draws the outcomes of a replicate whose arms are drawn, and fits the model.
    fn replicate(&self, number: u64, effect: f64, room: &mut Room) -> Result<(Status, Option<Coefficient>)> {
        let generator = self.outcome.generator();
        let mut stream = self.stream.at(number);
        for (treated, &arm) in room.treated.iter_mut().zip(&room.arm) {
            *treated = f64::from(u8::from(arm == 1));
        }
        let left_out = room.arm.contains(&LEFT_OUT);
        let few = self.counts(&room.arm).iter().any(|&count| count < LEAST);
        if few {
            return Ok((Status::FewUnits, None));
        }
        let answer = match (&self.who, &self.by_unit) {
            (Who::Rows(rows), None) => {
                let groups = self.groups(rows);
                room.y.resize(rows.unit.len(), 0.0);
                room.event.resize(rows.unit.len(), 0.0);
                let Room { y, event, treated, .. } = room;
                match generator.times() {
                    Some(times) => times.draw(&groups, treated, effect, &mut stream, y, event),
                    None => generator.rows(&groups, treated, effect, &mut stream, y),
                }
                by_row::fit(rows, &room.arm, &room.y, &room.event, self.analysis)?
            }
            (Who::Rows(rows), Some((values, width))) => {
                let groups = self.groups(rows);
                generator.totals(&groups, &room.treated, effect, &mut stream, &mut room.totals);
                if left_out {
                    room.sizes.clear();
                    room.sizes.extend(rows.starts.windows(2).map(|pair| f64::from(pair[1] - pair[0])));
                    room.leave_out(values, *width);
                    room.basis.fit(&room.treated, &room.totals, self.analysis.vcov, &mut room.buffers)
                } else {
                    self.basis.fit(&room.treated, &room.totals, self.analysis.vcov, &mut room.buffers)
                }
            }
            (Who::Drawn(sizes), by_unit) => {
                // Sizes without rows are always analysed by unit.
                let Some((values, width)) = by_unit else { return Ok((Status::Undefined, None)) };
                room.starts.clear();
                room.starts.push(0);
                room.sizes.clear();
                let mut end = 0;
                for _ in 0..self.units {
                    let size = sizes.draw(&mut stream);
                    end += size;
                    room.starts.push(end);
                    room.sizes.push(f64::from(size));
                }
                let baseline = Baseline::One(generator.baseline());
                let groups = Groups { starts: &room.starts, baseline, prepared: self.prepared };
                generator.totals(&groups, &room.treated, effect, &mut stream, &mut room.totals);
                room.leave_out(values, *width);
                room.basis.fit(&room.treated, &room.totals, self.analysis.vcov, &mut room.buffers)
            }
        };
        Ok(answer.map_or((Status::Undefined, None), |answer| (Status::Answered, Some(answer))))
    }
}

/// Buffers that replicates use again and again.
struct Room {
    arm: Vec<u8>,
    treated: Vec<f64>,
    totals: Vec<f64>,
    sizes: Vec<f64>,
    starts: Vec<u32>,
    y: Vec<f64>,
    event: Vec<f64>,
    basis: Basis,
    buffers: Buffers,
}

impl Room {
    fn new(units: usize) -> Self {
        Self {
            arm: vec![0; units],
            treated: vec![0.0; units],
            totals: vec![0.0; units],
            sizes: Vec::new(),
            starts: Vec::new(),
            y: Vec::new(),
            event: Vec::new(),
            basis: Basis::default(),
            buffers: Buffers::default(),
        }
    }

    /// Makes the columns ready for the units that were not left out.
    fn leave_out(&mut self, values: &[f64], width: usize) {
        for (unit, _) in self.arm.iter().enumerate().filter(|(_, arm)| **arm == LEFT_OUT) {
            (self.sizes[unit], self.totals[unit]) = (0.0, 0.0);
        }
        self.basis.prepare(values, width, &self.sizes);
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::super::diagnosands::diagnose;
    use super::super::members::Rows;
    use super::super::outcomes::{Binary, Continuous, Sharing};
    use super::*;
    use crate::design::{Column, Complete, Misfits};
    use crate::inference::Vcov;
    use crate::progress::NoMonitor;

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
