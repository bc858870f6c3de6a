//! A trial made ready to be replayed.

use super::analysis::{Analysis, Target};
use super::arrivals::{Arrivals, Recruited};
use super::by_row;
use super::by_test;
use super::by_unit::{self, Basis};
use super::members::{Members, Sorted, Subgroup};
use super::model::Model;
use super::outcomes::{Baseline, Groups, Outcome};
use super::sizes::Sizes;
use crate::design::{Design, LEFT_OUT, Redraws, Scratch, Unit, Units};
use crate::inference::Compare;
use crate::progress::{Monitor, Part};
use crate::resampling::Repeated;
use crate::rng::{Seed, Stream};
use crate::{Fault, Result};

/// Assignments that are looked at before any outcome is drawn.
const LOOKED_AT: u64 = 20;
/// Units that each arm needs.
pub(super) const LEAST: usize = 2;

/// Rows, or sizes that are drawn.
pub(super) enum Who {
    Rows(Box<Sorted>),
    Drawn(Sizes),
    Arriving(Box<Arrivals>),
}

/// A design with its units, an outcome and an analysis, ready to be replayed. The front of this room says how.
pub struct Trial {
    /// The procedure; nothing where units arrive one by one, which are drawn by the design.
    pub(super) redraws: Option<Redraws>,
    pub(super) design: Design,
    pub(super) units: usize,
    pub(super) who: Who,
    pub(super) outcome: Outcome,
    pub(super) analysis: Analysis,
    /// How much of the effect each arm has.
    pub(super) doses: Vec<f64>,
    pub(super) stream: Stream,
    /// Of those who arrive, and of the draws of tests.
    pub(super) arrivals: Stream,
    pub(super) tests: Stream,
    /// The columns of the model by unit, with the intercept; nothing where rows are fitted.
    pub(super) by_unit: Option<(Vec<f64>, usize)>,
    pub(super) basis: Basis,
    /// Whether each unit has rows.
    pub(super) present: Vec<bool>,
    /// What the generator found once.
    pub(super) prepared: f64,
    /// What tests of all replicates share.
    pub(super) shared: by_test::Shared,
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
    /// * [`crate::Error::Design`] for fewer than two units an arm and a design that the units cannot meet;
    /// * [`crate::Error::Input`] for rows that do not fit the units, probabilities outside 0 to 1, an effect that leaves the
    ///   range, a correlation that clusters of these sizes cannot have, and a level outside 0 to 1;
    /// * [`crate::Error::Rank`] where a column of the model repeats others.
    pub fn new(
        design: &Design,
        units: &Units,
        members: Members,
        outcome: Outcome,
        analysis: Analysis,
        seed: &Seed,
        monitor: &dyn Monitor,
    ) -> Result<Self> {
        let arms = design.arms().len();
        if usize::from(analysis.reference) >= arms {
            return Err(Fault::new("the arm that others are compared with is none of the design")
                .values([analysis.reference.to_string()])
                .remedy(format!("Give its place, from 0 to {}", arms - 1))
                .input());
        }
        if !(analysis.alpha > 0.0 && analysis.alpha < 1.0) {
            return Err(Fault::new("the level of the test must lie between 0 and 1")
                .values([analysis.alpha.to_string()])
                .remedy("Give alpha such as 0.05")
                .input());
        }
        analysis.model.check(outcome.generator().times().is_some(), outcome.name())?;
        let who = match members {
            Members::Rows(rows) => Who::Rows(Box::new(Sorted::new(&rows, units.len())?)),
            Members::Drawn(sizes) => Who::Drawn(sizes),
            Members::Arriving(arrivals) => {
                arrivals.check(design)?;
                Who::Arriving(arrivals)
            }
        };
        let redraws = match who {
            Who::Arriving(_) => None,
            _ => Some(Redraws::new(design, units, seed, monitor)?),
        };
        let mut made = Self {
            redraws,
            design: design.clone(),
            units: units.len(),
            who,
            outcome,
            analysis,
            doses: (0..arms).map(|arm| f64::from(u8::from(arm > 0))).collect(),
            stream: Stream::new::<&str>(seed, "simulate/outcomes", &[], 0),
            arrivals: Stream::new::<&str>(seed, "simulate/arrivals", &[], 0),
            tests: Stream::new::<&str>(seed, "simulate/randomisation", &[], 0),
            by_unit: None,
            basis: Basis::default(),
            present: Vec::new(),
            prepared: 0.0,
            shared: by_test::Shared::default(),
        };
        made.check_beside()?;
        made.check(made.outcome.effect())?;
        made.check_arms(design, &Part(monitor))?;
        made.prepare()?;
        if let Model::RandomisationTest(plan) = analysis.model
            && !matches!(made.who, Who::Arriving(_))
        {
            // The tests draw from other streams than the trial itself.
            let own = Seed::Integer(made.tests.clone().next_u64());
            let asked = (plan.draws, analysis.alpha);
            made.shared.repeated = Some(Repeated::new(design, units, &own, asked, &Part(monitor))?);
        }
        Ok(made)
    }

    /// Sets how much of the effect each arm has; by default 0 for the first, and all of it for the others.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for another number of doses than of arms, one that is not finite, a first that is not 0, and
    /// effects that the outcome cannot have.
    pub fn doses(mut self, doses: &[f64]) -> Result<Self> {
        let first = doses.first().is_none_or(|&first| first == 0.0);
        if doses.len() != self.doses.len() || !first || doses.iter().any(|dose| !dose.is_finite()) {
            return Err(Fault::new("every arm has a finite share of the effect, and the first has none")
                .values(doses.iter().map(ToString::to_string))
                .remedy(format!("Give {} numbers, the first of them 0", self.doses.len()))
                .input());
        }
        self.doses = doses.to_vec();
        self.check(self.outcome.effect())?;
        Ok(self)
    }

    /// The arms that are compared with the reference, by their places.
    pub fn compared(&self) -> Vec<u8> {
        self.analysis.compared(self.doses.len()).collect()
    }

    /// What each contrast estimates under an effect: its arm's share of it less that of the reference.
    pub fn effects(&self, effect: f64) -> Vec<f64> {
        let reference = self.level(usize::from(self.analysis.reference));
        self.compared().iter().map(|&arm| effect * (self.level(usize::from(arm)) - reference)).collect()
    }

    /// What the analysis estimates of each contrast under an effect: [`Trial::effects`], or where it compares rates by their
    /// ratio its logarithm.
    pub fn estimands(&self, effect: f64) -> Vec<f64> {
        let generator = self.outcome.generator();
        if self.analysis.model.compare() == Compare::Difference || generator.given() {
            return self.effects(effect);
        }
        let whole = generator.baseline();
        let baseline = match &self.who {
            Who::Rows(rows) => rows.baseline.as_ref().map_or(whole, |each| {
                let group = rows.subgroup.as_ref().filter(|_| self.analysis.target == Target::Subgroup);
                let inside =
                    |row: usize| group.and_then(|g| g.member.as_ref()).is_none_or(|member| member[row]);
                let (n, sum) = (0..each.len())
                    .filter(|&row| inside(row))
                    .fold((0.0, 0.0), |(n, sum), row| (n + 1.0, sum + each[row]));
                sum / n
            }),
            Who::Drawn(_) | Who::Arriving(_) => whole,
        };
        let reference = baseline + effect * self.level(usize::from(self.analysis.reference));
        self.effects(effect).into_iter().map(|shift| ((reference + shift) / reference).ln()).collect()
    }

    /// What a reader must know of the analysis, whatever the outcomes.
    pub fn notes(&self) -> Vec<String> {
        let Some((least, all)) = self.shared.repeated.as_ref().and_then(Repeated::smallest) else {
            return Vec::new();
        };
        let mut notes = vec![format!("the randomisation test lists all {all} assignments of the procedure")];
        if least > self.analysis.alpha {
            notes.push(format!(
                "no assignment has a two-sided p-value below {least:.3}, so that the test never rejects at this level"
            ));
        }
        notes
    }

    /// How much of the effect the target of the analysis has in an arm.
    fn level(&self, arm: usize) -> f64 {
        let dose = self.doses[arm];
        let Some(group) = self.subgroup() else { return dose };
        let [others, inside] = group.of_arm(arm, dose);
        let share = group.part();
        match self.analysis.target {
            Target::All => share * inside + (1.0 - share) * others,
            Target::Subgroup => inside,
            Target::Interaction => inside - others,
        }
    }

    /// The subgroup with an effect of its own.
    pub(super) fn subgroup(&self) -> Option<&Subgroup> {
        match &self.who {
            Who::Rows(rows) => rows.subgroup.as_ref(),
            Who::Drawn(_) | Who::Arriving(_) => None,
        }
    }

    /// Refuses covariates and subgroups that the outcome or the analysis cannot have.
    fn check_beside(&self) -> Result<()> {
        let generator = self.outcome.generator();
        let covariates = generator.covariates().len();
        let (drawn, splits) = match &self.who {
            Who::Rows(rows) => {
                let columns = rows.covariates.ncols();
                let known = rows.drawn.iter().flatten().all(|&place| place < columns);
                let splits = rows.subgroup.as_ref().is_some_and(|group| group.splits(&rows.starts));
                (known && rows.drawn.len() == covariates, splits)
            }
            Who::Drawn(_) | Who::Arriving(_) => (covariates == 0, false),
        };
        if !drawn {
            return Err(Fault::new(
                "covariates that are drawn with the outcome need rows, and a place each in the model",
            )
            .values([covariates.to_string()])
            .remedy("Give a frame with a row a member, or a list of sizes")
            .input());
        }
        if splits && generator.one_effect() {
            return Err(Fault::new(
                "members of one cluster have different effects, which a beta-binomial outcome cannot have",
            )
            .remedy("Choose sharing latent_normal or shared_draw, or a subgroup of whole clusters")
            .input());
        }
        let target = self.analysis.target;
        if target != Target::All && self.subgroup().is_none() {
            return Err(Fault::new("the analysis is about a subgroup, and the outcome has none")
                .values([target.name()])
                .remedy("Give the outcome a subgroup, or analyse all")
                .input());
        }
        let model = self.analysis.model;
        if target == Target::Interaction && !matches!(model, Model::Linear | Model::Cox) {
            return Err(Fault::new(
                "only a linear and a Cox model have an interaction of arm and subgroup here",
            )
            .values([model.name()])
            .remedy("Choose one of these, or analyse the subgroup alone")
            .input());
        }
        Ok(())
    }

    /// How much of the effect rows may have.
    fn shares(&self) -> Vec<f64> {
        let of =
            |(arm, &dose): (usize, &f64)| self.subgroup().map_or([dose; 2], |group| group.of_arm(arm, dose));
        self.doses.iter().enumerate().flat_map(of).collect()
    }

    /// Refuses outcomes that cannot come about under an effect.
    pub(super) fn check(&self, effect: f64) -> Result<()> {
        self.with_groups(|groups, order| {
            let generator = self.outcome.generator();
            // The largest first: what is wrong with it is what the user asked for.
            let mut shares = self.shares();
            shares.sort_by(|a, b| b.abs().total_cmp(&a.abs()));
            shares.iter().try_for_each(|share| generator.check(groups, share * effect, order))
        })
    }

    /// The least and the largest effect that the outcome can have.
    pub(super) fn bounds(&self) -> (f64, f64) {
        let (least, most) = self.with_groups(|groups, _| self.outcome.generator().bounds(groups));
        let of = |&dose: &f64| match dose {
            dose if dose > 0.0 => (least / dose, most / dose),
            dose if dose < 0.0 => (most / dose, least / dose),
            _ => (f64::NEG_INFINITY, f64::INFINITY),
        };
        let shares = self.shares();
        shares
            .iter()
            .map(of)
            .fold((f64::NEG_INFINITY, f64::INFINITY), |(a, b), (low, high)| (a.max(low), b.min(high)))
    }

    /// A first guess at the size of an effect that has no bound.
    pub(super) fn unit(&self) -> f64 {
        self.outcome.generator().unit()
    }

    /// The rows in the order of their units; for sizes that are drawn, one unit of the largest size.
    fn with_groups<T>(&self, of: impl FnOnce(&Groups<'_>, &[u32]) -> T) -> T {
        fn of_one<T>(trial: &Trial, size: u32, of: impl FnOnce(&Groups<'_>, &[u32]) -> T) -> T {
            let baseline = Baseline::One(trial.outcome.generator().baseline());
            let starts = [0, size];
            of(&Groups { starts: &starts, baseline, prepared: trial.prepared, entry: None }, &[])
        }
        match &self.who {
            Who::Rows(rows) => of(&self.groups(rows), &rows.order),
            Who::Arriving(arrivals) => of_one(self, arrivals.sizes.largest(), of),
            Who::Drawn(sizes) => of_one(self, sizes.largest(), of),
        }
    }

    pub(super) fn groups<'a>(&self, rows: &'a Sorted) -> Groups<'a> {
        let baseline = match &rows.baseline {
            Some(each) => Baseline::Each(each),
            None => Baseline::One(self.outcome.generator().baseline()),
        };
        Groups { starts: &rows.starts, baseline, prepared: self.prepared, entry: None }
    }

    /// Refuses a design that leaves an arm with fewer than two units however often it is drawn.
    fn check_arms(&self, design: &Design, monitor: &dyn Monitor) -> Result<()> {
        let (mut scratch, mut arm) = (Scratch::new(monitor), vec![0; self.units]);
        let mut counts = Vec::new();
        let mut came = Recruited::default();
        for draw in 0..LOOKED_AT {
            let mut present = self.present();
            match (&self.redraws, &self.who) {
                (Some(redraws), _) => redraws.draw(draw, &mut scratch, &mut arm)?,
                (None, Who::Arriving(arrivals)) => {
                    arrivals.recruit(design, self.arrivals.at(draw), &mut came)?;
                    arm.clone_from(&came.arm);
                    present = vec![true; arm.len()];
                }
                (None, _) => {}
            }
            self.counts(&arm, &present, &mut counts);
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

    /// Whether each unit has rows.
    fn present(&self) -> Vec<bool> {
        match &self.who {
            Who::Rows(rows) => rows.starts.windows(2).map(|pair| pair[0] < pair[1]).collect(),
            Who::Drawn(_) | Who::Arriving(_) => vec![true; self.units],
        }
    }

    /// Counts the units with rows in each arm.
    pub(super) fn counts(&self, arm: &[u8], present: &[bool], counts: &mut Vec<usize>) {
        counts.clear();
        counts.resize(self.doses.len(), 0);
        for (&arm, _) in arm.iter().zip(present).filter(|(arm, present)| **present && **arm != LEFT_OUT) {
            counts[usize::from(arm)] += 1;
        }
    }

    /// Finds once what all replicates share.
    fn prepare(&mut self) -> Result<()> {
        self.present = self.present();
        self.prepared = self.with_groups(|groups, _| self.outcome.generator().prepared(groups));
        let (kind, linear) = (self.analysis.vcov, self.analysis.model == Model::Linear);
        let (mut values, mut width) = (vec![1.0; self.units], 1);
        match &self.who {
            Who::Arriving(_) => {
                if self.outcome.generator().enters() || self.analysis.model == Model::Given {
                    return Err(not_arriving(self.analysis.model));
                }
                if !linear || !by_unit::has(kind, self.design_is_of_individuals()) {
                    return Ok(());
                }
            }
            Who::Drawn(_) if self.analysis.model == Model::Given => {}
            Who::Drawn(_) if !linear || !by_unit::has(kind, false) => {
                return Err(by_row::needs_rows(self.analysis));
            }
            Who::Drawn(_) => {}
            Who::Rows(rows) => {
                let single = rows.starts.windows(2).all(|pair| pair[1] - pair[0] <= 1);
                let beside = !rows.drawn.is_empty() || rows.subgroup.is_some();
                if beside || !linear || !by_unit::has(kind, single) || !rows.by_unit() {
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

    /// Whether individuals are randomised.
    fn design_is_of_individuals(&self) -> bool {
        matches!(self.design.unit(), Ok(Unit::Individual(_)))
    }
}

/// The fault of what units that arrive one by one cannot have.
fn not_arriving(model: Model) -> crate::Error {
    if model == Model::Given {
        return Fault::new("functions are called with a frame, and units that arrive have none")
            .values([model.name()])
            .remedy("Give a frame of the units, or an analysis of this package")
            .input();
    }
    Fault::new("the outcome says when units enter the study, and so do arrivals")
        .remedy("Leave out entry: those who arrive enter as they come")
        .input()
}
