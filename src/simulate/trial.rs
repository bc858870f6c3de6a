//! A trial made ready to be replayed.

use super::analysis::{Analysis, Model, Target};
use super::by_row;
use super::by_unit::{self, Basis};
use super::members::{Members, Sorted, Subgroup};
use super::outcomes::{Baseline, Groups, Outcome};
use super::sizes::Sizes;
use crate::design::{Design, LEFT_OUT, Redraws, Scratch, Units};
use crate::progress::{Monitor, Part};
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
}

/// A design with its units, an outcome and an analysis, ready to be replayed. The front of this room says how.
pub struct Trial {
    pub(super) redraws: Redraws,
    pub(super) units: usize,
    pub(super) who: Who,
    pub(super) outcome: Outcome,
    pub(super) analysis: Analysis,
    /// How much of the effect each arm has.
    pub(super) doses: Vec<f64>,
    pub(super) stream: Stream,
    /// The columns of the model by unit, with the intercept; nothing where rows are fitted.
    pub(super) by_unit: Option<(Vec<f64>, usize)>,
    pub(super) basis: Basis,
    /// Whether each unit has rows.
    pub(super) present: Vec<bool>,
    /// What the generator found once.
    pub(super) prepared: f64,
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
            doses: (0..arms).map(|arm| f64::from(u8::from(arm > 0))).collect(),
            stream: Stream::new::<&str>(seed, "simulate/outcomes", &[], 0),
            by_unit: None,
            basis: Basis::default(),
            present: Vec::new(),
            prepared: 0.0,
        };
        made.check_beside()?;
        made.check(made.outcome.effect())?;
        made.check_arms(design, &Part(monitor))?;
        made.prepare()?;
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
        let reference = self.doses[usize::from(self.analysis.reference)];
        let part = self.part();
        let of = |&arm: &u8| effect * (self.doses[usize::from(arm)] - reference) * part;
        self.compared().iter().map(of).collect()
    }

    /// How much of the effect the target of the analysis has.
    fn part(&self) -> f64 {
        let Some(Subgroup { effects: [others, inside], .. }) = self.subgroup() else { return 1.0 };
        let share = self.subgroup().map_or(0.0, Subgroup::part);
        match self.analysis.target {
            Target::All => share * inside + (1.0 - share) * others,
            Target::Subgroup => *inside,
            Target::Interaction => inside - others,
        }
    }

    /// The subgroup with an effect of its own.
    pub(super) fn subgroup(&self) -> Option<&Subgroup> {
        match &self.who {
            Who::Rows(rows) => rows.subgroup.as_ref(),
            Who::Drawn(_) => None,
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
            Who::Drawn(_) => (covariates == 0, false),
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
        let effects = self.subgroup().map_or([1.0; 2], |group| group.effects);
        self.doses.iter().flat_map(|dose| effects.map(|effect| dose * effect)).collect()
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
        match &self.who {
            Who::Rows(rows) => of(&self.groups(rows), &rows.order),
            Who::Drawn(sizes) => {
                let baseline = Baseline::One(self.outcome.generator().baseline());
                let starts = [0, sizes.largest()];
                of(&Groups { starts: &starts, baseline, prepared: self.prepared }, &[])
            }
        }
    }

    pub(super) fn groups<'a>(&self, rows: &'a Sorted) -> Groups<'a> {
        let baseline = match &rows.baseline {
            Some(each) => Baseline::Each(each),
            None => Baseline::One(self.outcome.generator().baseline()),
        };
        Groups { starts: &rows.starts, baseline, prepared: self.prepared }
    }

    /// Refuses a design that leaves an arm with fewer than two units however often it is drawn.
    fn check_arms(&self, design: &Design, monitor: &dyn Monitor) -> Result<()> {
        let (mut scratch, mut arm) = (Scratch::new(monitor), vec![0; self.units]);
        let mut counts = Vec::new();
        for draw in 0..LOOKED_AT {
            self.redraws.draw(draw, &mut scratch, &mut arm)?;
            self.counts(&arm, &self.present(), &mut counts);
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
            Who::Drawn(_) => vec![true; self.units],
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
}
