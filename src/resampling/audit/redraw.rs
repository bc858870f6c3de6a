//! One redraw after the other: the arm of every row, the model fitted again, and what each procedure says of it.

use std::cell::OnceCell;

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::cluster_level::Values;
use super::model::{AuditedModel, Refitted};
use super::options::{AuditOptions, Procedure};
use super::raised::raise;
use crate::design::{Assignment, LEFT_OUT};
use crate::dist::t_two_sided;
use crate::inference::{Clusters, Covariance, Vcov};
use crate::progress::{Monitor, Part, check, go_on, watcher};
use crate::resampling::bootstrap::{WildOptions, wild_bootstrap};
use crate::resampling::outcomes::{Outcomes, each_arm_has_units, refuse_constant};
use crate::resampling::replay::{Evaluate, Room};
use crate::resampling::score::{ArmModel, Score};
use crate::rng::{Seed, Stream};
use crate::{Error, Fault, Result};

/// Redraws between two reports of how far the work has come.
const CHUNK: usize = 512;
/// Redraws that one task works out, so that its arrays serve many of them.
const TASK: usize = 16;

/// What is known of a procedure on one redraw: its p-value, that under the stated effect, and whether its interval holds a
/// constant effect; NaN where there is no answer. Of the randomisation test it is the statistic, nothing, and 1 where it has
/// such an interval.
pub(super) const WIDTH: usize = 3;

/// A trial made ready for its audit.
///
/// ```
/// use crewe::design::{Column, Design, Units};
/// use crewe::inference::Clusters;
/// use crewe::linalg::DesignMatrix;
/// use crewe::ndarray::Array2;
/// use crewe::progress::NoMonitor;
/// use crewe::resampling::{ArmModel, AuditOptions, Audited, AuditedModel, Outcomes, audited, redrawn};
/// let design = Design::new("Trial").arm("control", 1).arm("crewe", 1).cluster("family").seed(3);
/// let families = Column::from_values("family", ["a", "a", "b", "c", "d", "e", "f"]);
/// let units = Units::from_rows(design.unit()?, &families, &[])?;
/// let trial = design.assign(&units)?;
/// let outcomes = Outcomes::new("score", &[1., 2., 2., 5., 4., 1., 3.], units.rows(), units.len())?;
/// // The model: a constant, and the arm of each child.
/// let x = Array2::from_shape_fn((7, 1), |(i, _)| f64::from(trial.arm[units.rows()[i] as usize]));
/// let clusters = Clusters::new(units.rows())?;
/// let model = AuditedModel::linear(DesignMatrix::new(x.view(), true), &[0], &clusters)?;
/// let (constant, options) = (Array2::ones((7, 1)), AuditOptions::default());
/// let ready = Audited::new(&trial, &outcomes, &model, ArmModel::linear(constant.view()), &options)?;
/// // All twenty assignments.
/// let all = redrawn(&design, &trial, 10_000, None, &NoMonitor)?;
/// let values = ready.values(all.arm.view(), 0, &NoMonitor)?;
/// let found = audited(&values, all.weight.as_deref(), f64::NAN, &options)?;
/// assert!(found.exact && found.redraws == 20 && found.procedures[0].size > 0.0);
/// # Ok::<(), crewe::Error>(())
/// ```
pub struct Audited<'a, 'm, 's> {
    pub(super) model: &'a AuditedModel<'m>,
    pub(super) outcomes: &'a Outcomes,
    pub(super) options: &'a AuditOptions,
    pub(super) arm_model: ArmModel<'s>,
    /// The arms of the trial, and the code of the one that is tested.
    pub(super) arms: usize,
    tested: u8,
    /// Whether each unit has rows.
    seen: Vec<bool>,
    /// The score of the randomisation test, where it is asked for, or why there is none.
    score: Option<Result<Score>>,
    values: Option<Values>,
    binary: bool,
    /// The model that each procedure fits in place of this one, and its covariance; none for those of this one.
    beside: Vec<Option<(AuditedModel<'m>, Vcov)>>,
}

impl std::fmt::Debug for Audited<'_, '_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audited").field("model", self.model).finish_non_exhaustive()
    }
}

impl<'a, 'm, 's> Audited<'a, 'm, 's> {
    /// Takes a model, the outcomes of its rows, and the score by which the randomisation test compares the arm.
    ///
    /// # Errors
    /// [`Error::Input`] for outcomes that are all one value, options out of range, an effect on times, and procedures that do
    /// not apply to the model;
    /// [`Error::Design`] where an arm has fewer than two units with outcomes, and where the trial leaves units out.
    pub fn new(
        assignment: &Assignment,
        outcomes: &'a Outcomes,
        model: &'a AuditedModel<'m>,
        arm_model: ArmModel<'s>,
        options: &'a AuditOptions,
    ) -> Result<Self> {
        options.check()?;
        check_rows(assignment, outcomes, model)?;
        each_arm_has_units(assignment, outcomes)?;
        if !model.is_of_times() {
            refuse_constant(outcomes)?;
        }
        if model.is_of_times() && options.effect.is_some() {
            return Err(Fault::new(
                "there is no power of times here: what an effect adds to a censored time is not known",
            )
            .remedy("Leave the effect out: times are audited for size; simulate power with cw.power.simulate")
            .input());
        }
        let arms = assignment.arms.len();
        arm_model.check(outcomes, arms)?;
        let seen: Vec<bool> = outcomes.counts().iter().map(|&rows| rows > 0.0).collect();
        let treated = vec![false; assignment.units.len()];
        let asked = |procedure| options.procedures.contains(&procedure);
        let score = if asked(Procedure::RandomisationTest) {
            match arm_model.at(outcomes, 0.0, &treated, arms) {
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                found => Some(found),
            }
        } else {
            None
        };
        let values = if asked(Procedure::ClusterLevel) {
            Values::new(model, &outcomes.name, &outcomes.values, &outcomes.unit)?
        } else {
            None
        };
        let binary = !model.is_of_times() && outcomes.binary();
        let beside = options.procedures.iter().map(|&procedure| model.beside(procedure, binary));
        let beside = beside.collect::<Result<_>>()?;
        // Of the arms but the reference the first has the code 1.
        let tested = model.of as u8 + 1;
        Ok(Self { model, outcomes, options, arm_model, arms, tested, seen, score, values, binary, beside })
    }

    /// Whether every outcome is 0 or 1.
    pub fn is_binary(&self) -> bool {
        self.binary
    }

    /// Tries every procedure on the trial as it was drawn: nothing where it has an answer, else why not.
    ///
    /// # Errors
    /// As fitting the model.
    pub fn tried(&self, arm: &[u8]) -> Result<Vec<Option<String>>> {
        let mut desk = self.desk();
        desk.take(self, arm);
        let fit = self.model.fit(&self.outcomes.name, desk.x.view(), &self.outcomes.values)?;
        let fit = Fits { fit: &fit, clusters: self.model.clusters, robust: OnceCell::new() };
        let said = |error: Error| match error {
            Error::Interrupted => Err(error),
            error => Ok(Some(error.fault().map_or_else(|| error.to_string(), |fault| fault.problem.clone()))),
        };
        let tried = |(&procedure, beside): (&Procedure, &Option<(AuditedModel<'_>, Vcov)>)| {
            let found = match procedure {
                Procedure::RandomisationTest => match &self.score {
                    Some(Err(error)) => Err(error.clone()),
                    _ => Ok(self.statistic(arm, &mut Room::default())),
                },
                Procedure::ClusterLevel => match &self.values {
                    Some(values) => values.compare(arm).map(|found| found.std_error),
                    None => Err(Fault::new("the arm does not stand for whole clusters").input()),
                },
                Procedure::WildBootstrap => self.bootstrapped(&fit, 0.0, 0),
                Procedure::Vcov(kind) => fit.error(kind, self.model).map(|(_, error, _)| error),
                Procedure::Firth | Procedure::Gee | Procedure::Mixed => self
                    .error_beside(beside.as_ref(), desk.x.view(), &self.outcomes.values)
                    .map(|(_, error, _)| error),
            };
            match found {
                Ok(found) if found.is_finite() => Ok(None),
                Ok(_) => Ok(Some("it has no answer on the trial itself".into())),
                Err(error) => said(error),
            }
        };
        self.options.procedures.iter().zip(&self.beside).map(tried).collect()
    }

    /// What the procedures say of these assignments (redraws x units), the first of which has this number: redraws x
    /// procedures x 3, see [`super::audited`].
    ///
    /// # Errors
    /// [`Error::Interrupted`] when the monitor stops the work.
    pub fn values(&self, arm: ArrayView2<'_, u8>, first: u64, monitor: &dyn Monitor) -> Result<Vec<f64>> {
        let width = WIDTH * self.options.procedures.len();
        let n = arm.nrows();
        let mut values = vec![f64::NAN; n * width];
        // Whatever asks no monitor asks who watches this thread; the threads that share the work do not know them.
        let (stop, watcher) = (&Part(monitor), watcher());
        for (chunk, block) in values.chunks_mut(CHUNK * width).enumerate() {
            check(monitor, (chunk * CHUNK) as u64, n as u64)?;
            let run = |(task, part): (usize, &mut [f64])| -> Result<()> {
                let mut desk = self.desk();
                let mut drawn = vec![0; arm.ncols()];
                for (place, into) in part.chunks_exact_mut(width).enumerate() {
                    go_on(stop)?;
                    let index = chunk * CHUNK + task * TASK + place;
                    drawn.iter_mut().zip(arm.row(index)).for_each(|(to, from)| *to = *from);
                    self.one(first + index as u64, &drawn, &mut desk, into)?;
                }
                Ok(())
            };
            let tasks = block.par_chunks_mut(TASK * width).enumerate();
            tasks.try_for_each(|task| watcher.over(|| run(task)))?;
        }
        check(monitor, n as u64, n as u64)?;
        Ok(values)
    }

    fn desk(&self) -> Desk {
        Desk { x: self.model.x.columns().to_owned(), y: self.outcomes.values.clone(), room: Room::default() }
    }

    /// One redraw.
    fn one(&self, index: u64, arm: &[u8], desk: &mut Desk, into: &mut [f64]) -> Result<()> {
        if !self.has_units(arm) {
            return Ok(());
        }
        desk.take(self, arm);
        for (&procedure, into) in self.options.procedures.iter().zip(into.chunks_exact_mut(WIDTH)) {
            if procedure == Procedure::RandomisationTest {
                into[0] = self.statistic(arm, &mut desk.room);
                // Less the effect in the rows of the arm the outcomes are what they were: what its interval holds follows.
                if self.is_shifted() && !into[0].is_nan() {
                    into[2] = 1.0;
                }
            }
        }
        let effect = self.options.effect;
        // What is added to a quantity moves its coefficient by as much, and nothing else.
        let shift = if self.is_shifted() { effect } else { None };
        self.judged(index, arm, desk.x.view(), &self.outcomes.values, shift, into, 0)?;
        if let Some(effect) = effect.filter(|_| self.binary) {
            desk.y.copy_from_slice(&self.outcomes.values);
            self.move_rows(index, arm, effect, &mut desk.y);
            self.judged(index, arm, desk.x.view(), &desk.y, None, into, 1)?;
        }
        Ok(())
    }

    /// Adds an effect to the outcomes of the rows of the redrawn arm.
    pub(super) fn add(&self, arm: &[u8], effect: f64, y: &mut [f64]) {
        for (y, &unit) in y.iter_mut().zip(&self.outcomes.unit) {
            *y += if arm[unit as usize] == self.tested { effect } else { 0.0 };
        }
    }

    /// Moves yes-or-no outcomes of the rows of the redrawn arm until its rate has risen by the effect.
    pub(super) fn move_rows(&self, index: u64, arm: &[u8], effect: f64, y: &mut [f64]) {
        let treated: Vec<usize> =
            (0..y.len()).filter(|&row| arm[self.outcomes.unit[row] as usize] == self.tested).collect();
        let mut stream = Stream::new::<&str>(&Seed::Integer(self.options.seed), "audit", &[], index);
        raise(y, &treated, effect, &mut stream);
    }

    /// Whether an effect is added to a quantity in a linear model, so that intervals hold it or not.
    pub(super) fn is_shifted(&self) -> bool {
        self.model.is_linear() && !self.binary
    }

    /// Whether every arm has two units with rows, and every one of these an arm.
    pub(super) fn has_units(&self, arm: &[u8]) -> bool {
        let mut units = [0_usize; 256];
        arm.iter()
            .zip(&self.seen)
            .filter(|(_, seen)| **seen)
            .for_each(|(arm, _)| units[usize::from(*arm)] += 1);
        units[usize::from(LEFT_OUT)] == 0 && units[..self.arms].iter().all(|&units| units >= 2)
    }

    fn statistic(&self, arm: &[u8], room: &mut Room) -> f64 {
        let Some(Ok(score)) = &self.score else { return f64::NAN };
        let mut values = vec![0.0; score.width()];
        score.evaluate(arm, room, &mut values);
        values[self.model.of]
    }

    /// Fits the model to these outcomes, and writes the p-value of every procedure to this place of its numbers; with a
    /// shift also the p-value of outcomes that it was added to, and whether an interval would hold it.
    #[expect(clippy::too_many_arguments, reason = "the numbers of one redraw, and where they go")]
    fn judged(
        &self,
        index: u64,
        arm: &[u8],
        x: ArrayView2<'_, f64>,
        y: &[f64],
        shift: Option<f64>,
        into: &mut [f64],
        place: usize,
    ) -> Result<()> {
        let known = place == 0 && self.is_shifted();
        let fit = answer(self.model.fit(&self.outcomes.name, x, y))?;
        let fit =
            fit.as_ref().map(|fit| Fits { fit, clusters: self.model.clusters, robust: OnceCell::new() });
        let asked = self.options.procedures.iter().zip(&self.beside);
        for ((&procedure, beside), into) in asked.zip(into.chunks_exact_mut(WIDTH)) {
            let own = match (procedure, &fit) {
                (Procedure::Vcov(kind), Some(fit)) => answer(fit.error(kind, self.model))?,
                _ if beside.is_some() => answer(self.error_beside(beside.as_ref(), x, y))?,
                _ => None,
            };
            if let Some((b, error, df)) = own {
                let p = |b: f64| if error > 0.0 { t_two_sided(b / error, df) } else { f64::NAN };
                into[place] = p(b);
                if let Some(shift) = shift {
                    into[1] = p(b + shift);
                }
                if known {
                    into[2] = self.holds(into[0]);
                }
            }
            match (procedure, &fit) {
                (Procedure::WildBootstrap, Some(fit)) => {
                    let Some(p) = answer(self.bootstrapped(fit, 0.0, index))? else { continue };
                    into[place] = p;
                    if let Some(shift) = shift {
                        // That the coefficient is 0 with the shift is that it is less by the shift without.
                        into[1] = answer(self.bootstrapped(fit, -shift, index))?.unwrap_or(f64::NAN);
                    }
                    if known {
                        into[2] = self.holds(p);
                    }
                }
                (Procedure::ClusterLevel, _) => self.by_clusters(arm, y, place, into, known)?,
                // What has an estimate, and what is known without one.
                _ => {}
            }
        }
        Ok(())
    }

    /// The estimate of another model of the same columns, with its standard error and degrees of freedom.
    fn error_beside(
        &self,
        beside: Option<&(AuditedModel<'_>, Vcov)>,
        x: ArrayView2<'_, f64>,
        y: &[f64],
    ) -> Result<(f64, f64, f64)> {
        // Every procedure that is asked so has one.
        let Some((model, kind)) = beside else { return Ok((f64::NAN, f64::NAN, f64::NAN)) };
        let fit = model.fit(&self.outcomes.name, x, y)?;
        Fits { fit: &fit, clusters: model.clusters, robust: OnceCell::new() }.error(*kind, model)
    }

    /// The cluster-level analysis. Its first stage is done again where outcomes were changed: covariates take a part of
    /// what is added to an arm.
    fn by_clusters(&self, arm: &[u8], y: &[f64], place: usize, into: &mut [f64], known: bool) -> Result<()> {
        let Some(values) = &self.values else { return Ok(()) };
        let again = |y: &[f64]| -> Result<Option<Values>> {
            let found = Values::new(self.model, &self.outcomes.name, y, &self.outcomes.unit);
            Ok(answer(found)?.flatten())
        };
        let compared = |values: &Values| answer(values.compare(arm));
        let p = |b: f64, error: f64, df: f64| if error > 0.0 { t_two_sided(b / error, df) } else { f64::NAN };
        if place == 1 {
            if let Some(found) = again(y)?.as_ref().map(compared).transpose()?.flatten() {
                into[1] = p(found.estimate, found.std_error, found.df);
            }
            return Ok(());
        }
        let Some(found) = compared(values)? else { return Ok(()) };
        into[0] = p(found.estimate, found.std_error, found.df);
        if !known {
            return Ok(());
        }
        let Some(effect) = self.options.effect else {
            into[2] = self.holds(into[0]);
            return Ok(());
        };
        let mut moved = y.to_vec();
        self.add(arm, effect, &mut moved);
        if let Some(found) = again(&moved)?.as_ref().map(compared).transpose()?.flatten() {
            into[1] = p(found.estimate, found.std_error, found.df);
            into[2] = self.holds(p(found.estimate - effect, found.std_error, found.df));
        }
        Ok(())
    }

    /// Whether what has this p-value is in the interval.
    fn holds(&self, p: f64) -> f64 {
        if p.is_nan() { f64::NAN } else { f64::from(u8::from(!self.options.rejects(p))) }
    }

    /// The wild bootstrap's p-value that the coefficient has this value.
    fn bootstrapped(&self, fit: &Fits<'_>, value: f64, index: u64) -> Result<f64> {
        let robust = fit.robust()?;
        let tested = self.model.coefficient();
        let contrast =
            Array2::from_shape_fn((1, robust.fit().coef().len()), |(_, j)| f64::from(u8::from(j == tested)));
        let options = WildOptions::default()
            .draws(self.options.bootstrap_draws)
            .level(1.0 - self.options.alpha)
            .interval(false)
            .seed(Seed::Integer(self.options.seed.wrapping_add(index)));
        wild_bootstrap(robust.fit(), contrast.view(), &[value], &options).map(|found| found.p_value)
    }
}

/// Arrays of one thread.
struct Desk {
    x: Array2<f64>,
    y: Vec<f64>,
    room: Room,
}

impl Desk {
    /// Writes the arms into the columns.
    fn take(&mut self, of: &Audited<'_, '_, '_>, arm: &[u8]) {
        for (code, &column) in (1..).zip(&of.model.arms) {
            for (x, &unit) in self.x.column_mut(column).iter_mut().zip(&of.outcomes.unit) {
                *x = f64::from(u8::from(arm[unit as usize] == code));
            }
        }
    }
}

/// A fit with its clusters.
struct Fits<'f> {
    fit: &'f Refitted<'f>,
    clusters: &'f Clusters,
    /// A covariance by clusters, which holds what the bootstrap asks.
    robust: OnceCell<Covariance<'f>>,
}

impl<'f> Fits<'f> {
    fn robust(&self) -> Result<&Covariance<'f>> {
        if let Some(found) = self.robust.get() {
            return Ok(found);
        }
        let found = self.fit.vcov(Vcov::Cr1, self.clusters)?;
        Ok(self.robust.get_or_init(|| found))
    }

    /// The estimate with its standard error and degrees of freedom.
    fn error(&self, kind: Vcov, model: &AuditedModel<'_>) -> Result<(f64, f64, f64)> {
        if kind == Vcov::Cr1 {
            return self.robust()?.coefficient(model.coefficient());
        }
        self.fit.vcov(kind, self.clusters)?.coefficient(model.coefficient())
    }
}

/// What was found, or nothing where there is no answer; work that was stopped is neither.
fn answer<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::Interrupted) => Err(Error::Interrupted),
        Err(_) => Ok(None),
    }
}

/// Refuses rows of another trial or another model, and a trial that leaves units out.
fn check_rows(assignment: &Assignment, outcomes: &Outcomes, model: &AuditedModel<'_>) -> Result<()> {
    let units = assignment.units.len();
    if outcomes.units != units
        || assignment.arm.len() != units
        || model.arms.len() + 1 != assignment.arms.len()
    {
        return Err(Fault::new("the outcomes or the model belong to another trial")
            .values([
                format!("{units} units, {} arms", assignment.arms.len()),
                format!("{} units, {} arms", outcomes.units, model.arms.len() + 1),
            ])
            .remedy("Fit the model with this assignment, and audit it with the same")
            .design());
    }
    if model.x.n() != outcomes.values.len() || outcomes.values.iter().any(|value| value.is_nan()) {
        return Err(Fault::new("the outcomes are not those of the rows of the model")
            .values([model.x.n().to_string(), outcomes.values.len().to_string()])
            .remedy("Give the outcome of every row that the model was fitted to")
            .input());
    }
    if assignment.probability.rows().into_iter().all(|row| row.sum() > 1.0 - 1e-9) {
        return Ok(());
    }
    Err(Fault::new("an audit needs an arm for every unit")
        .remedy("Simulate the trial with cw.power.simulate, since this procedure leaves units out")
        .design())
}
