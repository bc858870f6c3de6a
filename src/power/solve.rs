//! Solving a plan for what it leaves out, the same for every kind of outcome.

use serde::Serialize;

use super::clustering::{self, Sizes};
use super::layout::Layout;
use super::outcome::Outcome;
use super::plan::{Distribution, FEW, Hypothesis, Level, Plan, Unknown, Weighting};
use super::search::Ceiling;
use super::worth::{self, Worth};
use super::{checks, search, tails};
use crate::{Fault, Result};

/// A solved plan.
///
/// ```
/// use crewe::power::{ClusterSize, Plan, Unknown, binary::{Binary, Method, power}};
/// let plan = Plan::default().effect(0.112).power(0.8).icc(0.36).cluster_size(ClusterSize::Mean(3.0));
/// let solved = power(&Binary::new(0.226, Method::Arcsine, plan))?.solution;
/// assert_eq!((solved.solved, solved.design_effect), (Unknown::Clusters, Some(1.72)));
/// assert!(solved.power >= Some(0.8) && solved.power_one_fewer < Some(0.8));
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Solution {
    /// What was solved for.
    pub solved: Unknown,
    /// The effect; `None` where it was sought and is unattainable. The same holds for the next ones.
    pub effect: Option<f64>,
    /// The number of clusters.
    pub clusters: Option<u64>,
    /// The power of the solved plan; `None` where the power asked for is unattainable.
    pub power: Option<f64>,
    /// The power asked for, where it was.
    pub target: Option<f64>,
    /// The intracluster correlation.
    pub icc: Option<f64>,
    /// The mean cluster size.
    pub cluster_size: Option<f64>,
    /// The share of the variance that covariates explain within clusters.
    pub r2: Option<f64>,
    /// The coefficient of variation of the sizes (SD over n).
    pub cv: f64,
    /// The design effect of the clusters as they are analysed: what unequal likeness and size cost, without covariates.
    pub design_effect: Option<f64>,
    /// The law of the statistic.
    pub distribution: Distribution,
    /// The degrees of freedom of the statistic; infinite for the normal.
    pub df: Option<f64>,
    /// The effect in standard errors.
    pub noncentrality: Option<f64>,
    /// The standard error of the effect, on the scale of the test.
    pub error: Option<f64>,
    /// The independent units that both arms together are worth.
    pub effective: Option<f64>,
    /// The whole number of treated clusters nearest to the share.
    pub clusters_treated: Option<u64>,
    /// The others.
    pub clusters_control: Option<u64>,
    /// Clusters analysed, after losses, in the subgroup where it is about one.
    pub clusters_analysed: Option<f64>,
    /// Members analysed.
    pub units_analysed: Option<f64>,
    /// The power with one cluster (or one unit of mean size) fewer, where that was solved for and is possible.
    pub power_one_fewer: Option<f64>,
    /// The ceiling, where the power asked for is unattainable.
    pub unattainable: Option<Ceiling>,
    /// Whether the ICC was sought and even an ICC of 1 leaves the power asked for.
    pub any_icc: bool,
}

/// A plan whose known parts are checked.
struct Checked<'a, O> {
    outcome: &'a O,
    plan: Plan,
    unknown: Unknown,
    sizes: Option<Sizes>,
}

/// Solves a plan for the one quantity that it leaves out.
///
/// # Errors
/// Input errors for more or fewer than one unknown, a level, share, power, `r2`, ICC or size out of range, or fewer
/// than two clusters an arm. A power out of reach is a result ([`Solution::unattainable`]), not an error.
pub fn solve(outcome: &impl Outcome, plan: &Plan) -> Result<Solution> {
    let plan = checks::completed(plan);
    let unknown = checks::unknown(&plan)?;
    if matches!(plan.layout, Layout::Blocks { effect_sd: Some(_), .. }) && !outcome.is_plain() {
        return Err(Fault::new("blocks whose effects vary are for a continuous outcome")
            .remedy("Leave effect_sd out, or simulate the trial: cw.power.simulate")
            .input());
    }
    let sizes = checks::sizes(&plan)?;
    if let (Some(sizes), Some(clusters)) = (&sizes, plan.clusters) {
        let left = sizes.thinned(worth::members_left(&plan), plan.cluster_size.as_ref());
        checks::freedom(&plan, worth::worth(&plan, clusters as f64, &left, 0.0, 0.0).df, &left)?;
    }
    let checked = Checked { outcome, plan, unknown, sizes };
    match unknown {
        Unknown::Power => {
            let plan = &checked.plan;
            Ok(checked.solution(plan.effect, plan.clusters, plan.icc, checked.sizes, plan.r2))
        }
        Unknown::Effect => Ok(checked.effect()),
        Unknown::Clusters => Ok(checked.clusters()),
        Unknown::Icc => checked.icc(),
        Unknown::ClusterSize => Ok(checked.cluster_size()),
        Unknown::R2 => Ok(checked.r2()),
    }
}

/// The most clusters, and the largest mean size, that are looked at.
const MOST: u64 = 1_000_000_000;

/// The numbers with which a power is worked out.
#[derive(Clone, Copy)]
struct Point {
    effect: f64,
    clusters: f64,
    icc: f64,
    r2: f64,
    sizes: Sizes,
}

impl<O: Outcome> Checked<'_, O> {
    fn law(&self, clusters: f64) -> Distribution {
        // Of effects that vary between blocks the blocks are what is few.
        let vary = matches!(self.plan.layout, Layout::Blocks { effect_sd: Some(_), .. });
        let few = clusters < FEW as f64 || vary;
        self.plan.distribution.unwrap_or(if few { Distribution::T } else { Distribution::Z })
    }

    /// The sizes as they are after losses.
    fn left(&self, sizes: &Sizes) -> Sizes {
        sizes.thinned(worth::members_left(&self.plan), self.plan.cluster_size.as_ref())
    }

    fn worth(&self, at: Point) -> Worth {
        worth::worth(&self.plan, at.clusters, &self.left(&at.sizes), at.icc, at.r2)
    }

    /// The effect in standard errors, from no effect, and the null's standard error over its own.
    fn standardised(&self, effect: f64, worth: &Worth) -> (f64, f64) {
        let (own, null) = self.errors(effect, worth);
        (self.outcome.contrast(effect) / own, null / own)
    }

    /// The standard errors under the effect and under none.
    fn errors(&self, effect: f64, worth: &Worth) -> (f64, f64) {
        let (own, null) = self.outcome.errors(effect, worth.arms);
        if worth.varies == 0.0 {
            return (own, null);
        }
        let whole = |error: f64| (error * error + worth.varies).sqrt();
        (whole(own), whole(null))
    }

    fn power(&self, at: Point) -> f64 {
        let worth = self.worth(at);
        let df = match self.law(at.clusters) {
            Distribution::Z => f64::INFINITY,
            Distribution::T => worth.df,
        };
        let (lambda, scale) = self.standardised(at.effect, &worth);
        let alpha = self.plan.alpha;
        let from = |margin: f64| {
            let own = self.errors(at.effect, &worth).0;
            (self.outcome.contrast(at.effect) - self.outcome.contrast(margin)) / own
        };
        let margin = self.plan.margin.unwrap_or(f64::NAN);
        match self.plan.hypothesis {
            Hypothesis::TwoSided => tails::two_sided(lambda.abs(), scale, alpha, df),
            Hypothesis::OneSided => tails::one_sided(lambda.abs(), scale, alpha, df),
            // The better side of the margin is where no effect lies.
            Hypothesis::NonInferiority => tails::one_sided(-margin.signum() * from(margin), 1.0, alpha, df),
            Hypothesis::Equivalence => tails::equivalence(from(-margin.abs()), from(margin.abs()), alpha, df),
        }
    }

    /// The known parts of the plan. Only the unknown one is missing, and each search sets it.
    fn known(&self) -> (Point, f64) {
        let plan = &self.plan;
        let point = Point {
            effect: plan.effect.unwrap_or(f64::NAN),
            clusters: plan.clusters.map_or(f64::NAN, |k| k as f64),
            icc: plan.icc.unwrap_or(f64::NAN),
            r2: plan.r2.unwrap_or(f64::NAN),
            sizes: self.sizes.unwrap_or(Sizes::of_mean(f64::NAN, plan.cv)),
        };
        (point, plan.power.unwrap_or(f64::NAN))
    }

    fn effect(&self) -> Solution {
        let (known, target) = self.known();
        let power = |effect: f64| self.power(Point { effect, ..known });
        match search::first_root(power, self.outcome.limit(), target) {
            Ok(effect) => {
                self.solution(Some(effect), self.plan.clusters, self.plan.icc, self.sizes, self.plan.r2)
            }
            Err(ceiling) => self.out_of_reach(ceiling),
        }
    }

    fn clusters(&self) -> Solution {
        let (known, target) = self.known();
        let step = self.plan.layout.step();
        let least = checks::fewest(&self.plan, &self.left(&known.sizes)) / step;
        let power = |steps: u64| self.power(Point { clusters: (steps * step) as f64, ..known });
        match search::smallest(power, least, MOST / step, target) {
            Ok(steps) => {
                let clusters = Some(steps * step);
                let mut solution =
                    self.solution(self.plan.effect, clusters, self.plan.icc, self.sizes, self.plan.r2);
                solution.power_one_fewer = (steps > least).then(|| power(steps - 1));
                solution
            }
            Err(mut ceiling) => {
                ceiling.at *= step as f64;
                self.out_of_reach(ceiling)
            }
        }
    }

    fn icc(&self) -> Result<Solution> {
        let (known, target) = self.known();
        let Some(mut floor) = known.sizes.icc_floor() else {
            return Err(Fault::new("with one unit a cluster the intracluster correlation plays no part")
                .remedy("Leave out another quantity, and give a correlation of 0")
                .input());
        };
        let mut top = 1.0;
        match self.plan.layout {
            Layout::ThreeLevels { icc, .. } => top = 1.0 - icc,
            Layout::Periods(_) => {
                return Err(Fault::new(
                    "over periods power may fall and rise again with the intracluster correlation",
                )
                .remedy("Give icc, and leave out another quantity; a curve over icc shows what it does")
                .input());
            }
            _ => {}
        }
        if self.plan.subgroup.is_some_and(|group| group.interaction && group.level == Level::Individual) {
            return Err(Fault::new(
                "within clusters a higher intracluster correlation never takes power away",
            )
            .remedy("Give icc, and leave out another quantity")
            .input());
        }
        if self.plan.layout == Layout::Nested || self.plan.baseline.is_some() {
            floor = 0.0;
        }
        let power = |icc: f64| self.power(Point { icc, ..known });
        let solved = |icc: f64| {
            self.solution(self.plan.effect, self.plan.clusters, Some(icc), self.sizes, self.plan.r2)
        };
        if power(top) >= target {
            let mut solution = solved(top);
            solution.any_icc = true;
            return Ok(solution);
        }
        // Power falls from its highest at the floor, where the design effect is nil or near it.
        let near = floor + (top - floor) * 1e-12;
        if power(near) < target {
            return Ok(self.out_of_reach(Ceiling { power: power(near), at: floor }));
        }
        Ok(solved(search::bisect(|icc| power(icc) >= target, near, top)))
    }

    fn cluster_size(&self) -> Solution {
        let (known, target) = self.known();
        let sizes = |mean: u64| Sizes::of_mean(mean as f64, self.plan.cv);
        let power = |mean: u64| self.power(Point { sizes: sizes(mean), ..known });
        // Sizes that vary cannot have mean 1, and a negative ICC bounds the size.
        let least = if self.plan.cv > 0.0 { 2 } else { 1 };
        let most = clustering::largest_mean(known.icc, self.plan.cv).min(MOST);
        match search::smallest(power, least, most, target) {
            Ok(mean) => {
                let mut solution = self.solution(
                    self.plan.effect,
                    self.plan.clusters,
                    self.plan.icc,
                    Some(sizes(mean)),
                    self.plan.r2,
                );
                solution.power_one_fewer = (mean > least).then(|| power(mean - 1));
                solution
            }
            Err(mut ceiling) => {
                if most == MOST {
                    ceiling.at = f64::INFINITY;
                }
                self.out_of_reach(ceiling)
            }
        }
    }

    /// The smallest share of the variance that is enough.
    fn r2(&self) -> Solution {
        let (known, target) = self.known();
        let power = |r2: f64| self.power(Point { r2, ..known });
        let solved = |r2: f64| {
            self.solution(self.plan.effect, self.plan.clusters, self.plan.icc, self.sizes, Some(r2))
        };
        if power(0.0) >= target {
            return solved(0.0);
        }
        let top = 1.0 - 1e-12;
        if power(top) < target {
            return self.out_of_reach(Ceiling { power: power(top), at: 1.0 });
        }
        solved(search::bisect(|r2| power(r2) >= target, top, 0.0))
    }

    /// Fills in the whole result.
    fn solution(
        &self,
        effect: Option<f64>,
        clusters: Option<u64>,
        icc: Option<f64>,
        sizes: Option<Sizes>,
        r2: Option<f64>,
    ) -> Solution {
        let left = sizes.map(|sizes| self.left(&sizes));
        let mut solution = Solution {
            solved: self.unknown,
            effect,
            clusters,
            power: None,
            target: self.plan.power,
            icc,
            cluster_size: sizes.map(|s| s.mean),
            r2,
            cv: sizes.map_or(self.plan.cv, |s| s.cv),
            design_effect: left.zip(icc).map(|(s, icc)| match self.plan.weighting {
                Weighting::Members => s.design_effect(icc),
                Weighting::Precision => worth::member_variance(&self.plan, &s, icc, 1.0 - icc),
            }),
            distribution: self.law(clusters.map_or(f64::INFINITY, |k| k as f64)),
            df: None,
            noncentrality: None,
            error: None,
            effective: None,
            clusters_treated: None,
            clusters_control: None,
            clusters_analysed: clusters.map(|k| k as f64 * worth::clusters_left(&self.plan)),
            units_analysed: None,
            power_one_fewer: None,
            unattainable: None,
            any_icc: false,
        };
        if let Some(k) = clusters
            && !matches!(self.plan.layout, Layout::Nested | Layout::Periods(_))
        {
            let treated = (self.plan.allocation * k as f64 + 0.5 + 1e-9).floor() as u64;
            solution.clusters_treated = Some(treated);
            solution.clusters_control = Some(k - treated.min(k));
        }
        let (Some(k), Some(sizes)) = (clusters, sizes) else { return solution };
        let point = |effect: f64, icc: f64, r2: f64| Point { effect, clusters: k as f64, icc, r2, sizes };
        let counted = self.worth(point(0.0, icc.unwrap_or(0.0), r2.unwrap_or(0.0)));
        solution.units_analysed = Some(counted.units);
        solution.df = Some(match solution.distribution {
            Distribution::Z => f64::INFINITY,
            Distribution::T => counted.df,
        });
        let (Some(icc), Some(r2)) = (icc, r2) else { return solution };
        solution.effective = Some(counted.arms.treated + counted.arms.control);
        if let Some(effect) = effect {
            solution.error = Some(self.errors(effect, &counted).0);
            solution.noncentrality = Some(self.standardised(effect, &counted).0.abs());
            solution.power = Some(self.power(point(effect, icc, r2)));
        }
        solution
    }

    fn out_of_reach(&self, ceiling: Ceiling) -> Solution {
        let plan = &self.plan;
        let mut solution = self.solution(plan.effect, plan.clusters, plan.icc, self.sizes, plan.r2);
        solution.unattainable = Some(ceiling);
        solution
    }
}
