//! What a trial can detect: power, smallest detectable effect and number of clusters from closed forms.
//!
//! Whole clusters (families) are randomised, `K` of them, a share `pi` to the treated arm. With mean size `m`,
//! intra-cluster correlation `rho` and design effect `D` (see [`clustering`]), each arm counts for
//!
//! ```text
//! n_1 = pi K m / (D (1 - r2)),    n_0 = (1 - pi) K m / (D (1 - r2))
//! ```
//!
//! independent units. An outcome turns an effect and these sizes into a noncentrality `lambda` and a factor `s` on
//! the critical value (1 unless the null variance differs from the alternative's, [`Outcome::standardise`]), and
//!
//! ```text
//! power = P(T > c s) + P(T < -c s),   T ~ N(lambda, 1)  or  noncentral t with K - 2 df,
//! ```
//!
//! where `c` is the two-sided critical value. **Both tails count**, so power at no effect is alpha. The share is not
//! rounded: 322 clusters at 2:1 count as 214.67 and 107.33, which is what a randomisation that honours the ratio
//! gives on average; [`Solution`] shows the nearest whole split (a half goes to the treated arm) beside it.
//!
//! Source: A. Donner and N. Klar, *Design and Analysis of Cluster Randomization Trials in Health Research*,
//! Arnold, 2000, chapter 5; S. W. Raudenbush, Psychological Methods 2 (1997) 173-185,
//! <https://doi.org/10.1037/1082-989X.2.2.173>, for the noncentral t with `K - 2` degrees of freedom.
//!
//! Each kind of outcome has a file of its own and shares everything else here.

pub mod binary;
pub mod clustering;
pub mod noncentral;
mod search;

pub use clustering::ClusterSize;

use crate::dist::{normal_cdf, normal_quantile, normal_sf, t_quantile};
use crate::{Fault, Result};
use clustering::Sizes;

/// The law of the test statistic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// Normal: right for many clusters, too hopeful for few.
    Z,
    /// Student's t with `K - 2` degrees of freedom, noncentral under the alternative.
    T,
}

/// What is left out of a plan and solved for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// The smallest detectable effect.
    Effect,
    /// The smallest number of clusters.
    Clusters,
    /// The power.
    Power,
    /// The largest intra-cluster correlation that still gives the power.
    Icc,
    /// The smallest whole mean cluster size.
    ClusterSize,
}

impl Unknown {
    /// Its name as users write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Effect => "effect",
            Self::Clusters => "clusters",
            Self::Power => "power",
            Self::Icc => "icc",
            Self::ClusterSize => "cluster_size",
        }
    }
}

/// A trial on paper: everything but the outcome. Exactly one of the five options is `None`.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The effect on the outcome's own scale, signed.
    pub effect: Option<f64>,
    /// The number of clusters, both arms together.
    pub clusters: Option<u64>,
    /// The power wanted.
    pub power: Option<f64>,
    /// The intra-cluster correlation of the outcome as observed.
    pub icc: Option<f64>,
    /// The size of the clusters.
    pub cluster_size: Option<ClusterSize>,
    /// Coefficient of variation of the sizes (SD over n), with a mean size only.
    pub cv: f64,
    /// The treated share of the clusters.
    pub allocation: f64,
    /// The two-sided level.
    pub alpha: f64,
    /// The law of the statistic.
    pub distribution: Distribution,
    /// The share of the outcome's variance, within and between clusters alike, that covariates explain.
    pub r2: f64,
}

impl Default for Plan {
    /// Nothing known but the conventions: half treated, two-sided 5%, normal law, no covariates.
    fn default() -> Self {
        Self {
            effect: None,
            clusters: None,
            power: None,
            icc: None,
            cluster_size: None,
            cv: 0.0,
            allocation: 0.5,
            alpha: 0.05,
            distribution: Distribution::Z,
            r2: 0.0,
        }
    }
}

/// Independent units that each arm is worth.
#[derive(Debug, Clone, Copy)]
pub struct Arms {
    /// In the treated arm.
    pub treated: f64,
    /// In the control arm.
    pub control: f64,
}

/// An effect in units of its standard error.
#[derive(Debug, Clone, Copy)]
pub struct Standardised {
    /// The absolute effect over its standard error under the alternative.
    pub noncentrality: f64,
    /// Standard error under the null over the one under the alternative.
    pub null_scale: f64,
}

/// What a kind of outcome has to say for itself.
pub trait Outcome {
    /// The effect in units of its standard error.
    fn standardise(&self, effect: f64, arms: Arms) -> Standardised;
    /// The largest effect in the direction asked for, signed.
    fn limit(&self) -> f64;
}

/// The best that can be had where the power asked for is out of reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ceiling {
    /// The highest power within reach.
    pub power: f64,
    /// The value of the unknown at which it is reached; infinite where it is only approached.
    pub at: f64,
}

/// A solved plan.
#[derive(Debug, Clone)]
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
    /// The intra-cluster correlation.
    pub icc: Option<f64>,
    /// The mean cluster size.
    pub cluster_size: Option<f64>,
    /// The coefficient of variation of the sizes (SD over n).
    pub cv: f64,
    /// The design effect.
    pub design_effect: Option<f64>,
    /// The degrees of freedom of the statistic; infinite for the normal.
    pub df: Option<f64>,
    /// The effect in standard errors.
    pub noncentrality: Option<f64>,
    /// The independent units that both arms together are worth.
    pub effective: Option<f64>,
    /// The whole number of treated clusters nearest to the share.
    pub clusters_treated: Option<u64>,
    /// The others.
    pub clusters_control: Option<u64>,
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
    plan: &'a Plan,
    unknown: Unknown,
    sizes: Option<Sizes>,
}

/// Solves a plan for the one quantity that it leaves out.
///
/// # Errors
/// Input errors for more or fewer than one unknown, a level, share, power, `r2`, ICC or size out of range, or fewer
/// than two clusters an arm. A power out of reach is a result ([`Solution::unattainable`]), not an error.
pub fn solve(outcome: &impl Outcome, plan: &Plan) -> Result<Solution> {
    let checked = check(outcome, plan)?;
    match checked.unknown {
        Unknown::Power => Ok(checked.solution(plan.effect, plan.clusters, plan.icc, checked.sizes)),
        Unknown::Effect => Ok(checked.effect()),
        Unknown::Clusters => Ok(checked.clusters()),
        Unknown::Icc => checked.icc(),
        Unknown::ClusterSize => Ok(checked.cluster_size()),
    }
}

/// The most clusters, and the largest mean size, that are looked at.
const MOST: u64 = 1_000_000_000;

fn check<'a, O: Outcome>(outcome: &'a O, plan: &'a Plan) -> Result<Checked<'a, O>> {
    let unknowns: Vec<Unknown> = [
        (plan.effect.is_none(), Unknown::Effect),
        (plan.clusters.is_none(), Unknown::Clusters),
        (plan.power.is_none(), Unknown::Power),
        (plan.icc.is_none(), Unknown::Icc),
        (plan.cluster_size.is_none(), Unknown::ClusterSize),
    ]
    .into_iter()
    .filter_map(|(missing, unknown)| missing.then_some(unknown))
    .collect();
    let &[unknown] = unknowns.as_slice() else {
        let problem = if unknowns.is_empty() {
            "nothing is left to solve for: effect, clusters, power, icc and cluster_size are all given"
                .to_owned()
        } else {
            format!("{} quantities are left out, and only one can be solved for", unknowns.len())
        };
        return Err(Fault::new(problem)
            .values(unknowns.iter().map(|u| u.name()))
            .remedy("Leave out exactly one of effect, clusters, power, icc and cluster_size")
            .input());
    };
    inside("alpha, the two-sided level,", plan.alpha, "Give a level such as 0.05")?;
    inside(
        "allocation, the treated share of the clusters,",
        plan.allocation,
        "Give the share, for 2:1 that is 2/3",
    )?;
    if let Some(power) = plan.power {
        inside("power", power, "Give a power such as 0.8")?;
        if power <= plan.alpha {
            return Err(Fault::new(
                "the power asked for is not above the level, which a test has without any effect",
            )
            .values([power.to_string(), plan.alpha.to_string()])
            .remedy("Give a power such as 0.8")
            .input());
        }
    }
    if !(0.0..1.0).contains(&plan.r2) {
        return Err(Fault::new("r2 must be at least 0 and below 1")
            .values([plan.r2.to_string()])
            .remedy("Give the share of the outcome's variance that covariates explain")
            .input());
    }
    let sizes = plan.cluster_size.as_ref().map(|size| Sizes::new(size, plan.cv)).transpose()?;
    clustering::check_cv(plan.cv)?;
    if let Some(icc) = plan.icc {
        clustering::check_icc(icc, sizes.as_ref())?;
    }
    if let Some(clusters) = plan.clusters
        && clusters < fewest(plan.allocation)
    {
        return Err(Fault::new("each arm needs at least 2 clusters")
            .values([format!("{clusters} clusters at a treated share of {:.4}", plan.allocation)])
            .remedy(format!("Plan for {} clusters or more", fewest(plan.allocation)))
            .input());
    }
    Ok(Checked { outcome, plan, unknown, sizes })
}

fn inside(name: &str, value: f64, remedy: &str) -> Result<()> {
    if value > 0.0 && value < 1.0 {
        return Ok(());
    }
    Err(Fault::new(format!("{name} must lie between 0 and 1"))
        .values([value.to_string()])
        .remedy(remedy)
        .input())
}

/// The fewest clusters that leave two in the smaller arm.
fn fewest(allocation: f64) -> u64 {
    (2.0 / allocation.min(1.0 - allocation) - 1e-9).ceil() as u64
}

impl<O: Outcome> Checked<'_, O> {
    /// The degrees of freedom that the statistic has with so many clusters.
    fn df(&self, clusters: f64) -> f64 {
        match self.plan.distribution {
            Distribution::Z => f64::INFINITY,
            Distribution::T => clusters - 2.0,
        }
    }

    /// Effect in standard errors for a number of clusters that are each worth `worth` independent units.
    fn standardise(&self, effect: f64, clusters: f64, worth: f64) -> Standardised {
        let units = clusters * worth / (1.0 - self.plan.r2);
        let arms =
            Arms { treated: units * self.plan.allocation, control: units * (1.0 - self.plan.allocation) };
        self.outcome.standardise(effect, arms)
    }

    /// Power, both tails counted.
    fn power(&self, effect: f64, clusters: f64, worth: f64) -> f64 {
        let s = self.standardise(effect, clusters, worth);
        let df = self.df(clusters);
        let half = 0.5 * self.plan.alpha;
        if df.is_infinite() {
            let bound = -normal_quantile(half) * s.null_scale;
            normal_sf(bound - s.noncentrality) + normal_cdf(-bound - s.noncentrality)
        } else {
            let bound = critical(half, df) * s.null_scale;
            noncentral::sf(bound, df, s.noncentrality) + noncentral::cdf(-bound, df, s.noncentrality)
        }
    }

    /// The known parts of the plan. Only the unknown one is missing, and each search asks for the others.
    fn known(&self) -> Known {
        let plan = self.plan;
        Known {
            effect: plan.effect.unwrap_or(f64::NAN),
            clusters: plan.clusters.map_or(f64::NAN, |k| k as f64),
            power: plan.power.unwrap_or(f64::NAN),
            icc: plan.icc.unwrap_or(f64::NAN),
        }
    }

    fn worth(&self) -> f64 {
        self.sizes.as_ref().map_or(f64::NAN, |sizes| sizes.worth(self.plan.icc.unwrap_or(f64::NAN)))
    }

    fn effect(&self) -> Solution {
        let (known, worth) = (self.known(), self.worth());
        let power = |effect: f64| self.power(effect, known.clusters, worth);
        match search::first_root(power, self.outcome.limit(), known.power) {
            Ok(effect) => self.solution(Some(effect), self.plan.clusters, self.plan.icc, self.sizes),
            Err(ceiling) => self.out_of_reach(ceiling),
        }
    }

    fn clusters(&self) -> Solution {
        let (known, worth) = (self.known(), self.worth());
        let power = |clusters: u64| self.power(known.effect, clusters as f64, worth);
        match search::smallest(power, fewest(self.plan.allocation), MOST, known.power) {
            Ok(clusters) => {
                let mut solution = self.solution(self.plan.effect, Some(clusters), self.plan.icc, self.sizes);
                solution.power_one_fewer =
                    (clusters > fewest(self.plan.allocation)).then(|| power(clusters - 1));
                solution
            }
            Err(ceiling) => self.out_of_reach(ceiling),
        }
    }

    fn icc(&self) -> Result<Solution> {
        let known = self.known();
        let Some(sizes) = self.sizes else { unreachable!("the size is known where the ICC is not") };
        let Some(floor) = sizes.icc_floor() else {
            return Err(Fault::new("with one unit a cluster the intra-cluster correlation plays no part")
                .remedy("Leave out another quantity, and give icc=0")
                .input());
        };
        let power = |icc: f64| self.power(known.effect, known.clusters, sizes.worth(icc));
        if power(1.0) >= known.power {
            let mut solution = self.solution(self.plan.effect, self.plan.clusters, Some(1.0), self.sizes);
            solution.any_icc = true;
            return Ok(solution);
        }
        // Power falls from 1 at the floor, where the design effect is nil or near it.
        let near = floor + (1.0 - floor) * 1e-12;
        if power(near) < known.power {
            return Ok(self.out_of_reach(Ceiling { power: power(near), at: floor }));
        }
        let icc = search::bisect(|icc| power(icc) >= known.power, near, 1.0);
        Ok(self.solution(self.plan.effect, self.plan.clusters, Some(icc), self.sizes))
    }

    fn cluster_size(&self) -> Solution {
        let known = self.known();
        let sizes = |mean: u64| Sizes::of_mean(mean as f64, self.plan.cv);
        let power = |mean: u64| self.power(known.effect, known.clusters, sizes(mean).worth(known.icc));
        // Sizes that vary cannot have mean 1, and a negative ICC bounds the size.
        let least = if self.plan.cv > 0.0 { 2 } else { 1 };
        let most = clustering::largest_mean(known.icc, self.plan.cv).min(MOST);
        match search::smallest(power, least, most, known.power) {
            Ok(mean) => {
                let mut solution =
                    self.solution(self.plan.effect, self.plan.clusters, self.plan.icc, Some(sizes(mean)));
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

    /// Fills in the whole result.
    fn solution(
        &self,
        effect: Option<f64>,
        clusters: Option<u64>,
        icc: Option<f64>,
        sizes: Option<Sizes>,
    ) -> Solution {
        let mut solution = Solution {
            solved: self.unknown,
            effect,
            clusters,
            power: None,
            target: self.plan.power,
            icc,
            cluster_size: sizes.map(|s| s.mean),
            cv: sizes.map_or(self.plan.cv, |s| s.cv),
            design_effect: sizes.zip(icc).map(|(s, icc)| s.design_effect(icc)),
            df: clusters.map(|k| self.df(k as f64)),
            noncentrality: None,
            effective: None,
            clusters_treated: None,
            clusters_control: None,
            power_one_fewer: None,
            unattainable: None,
            any_icc: false,
        };
        if let Some(k) = clusters {
            let treated = (self.plan.allocation * k as f64 + 0.5 + 1e-9).floor() as u64;
            solution.clusters_treated = Some(treated);
            solution.clusters_control = Some(k - treated.min(k));
        }
        if let (Some(k), Some(icc), Some(sizes)) = (clusters, icc, sizes) {
            let (k, worth) = (k as f64, sizes.worth(icc));
            solution.effective = Some(k * worth / (1.0 - self.plan.r2));
            if let Some(effect) = effect {
                solution.noncentrality = Some(self.standardise(effect, k, worth).noncentrality);
                solution.power = Some(self.power(effect, k, worth));
            }
        }
        solution
    }

    fn out_of_reach(&self, ceiling: Ceiling) -> Solution {
        let mut solution = self.solution(self.plan.effect, self.plan.clusters, self.plan.icc, self.sizes);
        solution.unattainable = Some(ceiling);
        solution
    }
}

/// Degrees of freedom from which on the expansion about the normal is exact to double precision.
const MANY: f64 = 1e4;

/// The upper quantile of Student's t at a tail of `half`. With very many degrees of freedom the iteration of the
/// t quantile does not end in reasonable time, and the Cornish-Fisher expansion (Abramowitz and Stegun 26.7.5) does.
fn critical(half: f64, df: f64) -> f64 {
    if df < MANY {
        return -t_quantile(half, df);
    }
    let z = -normal_quantile(half);
    let square = z * z;
    let first = z * (square + 1.0) / 4.0;
    let second = z * ((5.0 * square + 16.0) * square + 3.0) / 96.0;
    let third = z * (((3.0 * square + 19.0) * square + 17.0) * square - 15.0) / 384.0;
    z + (first + (second + third / df) / df) / df
}

struct Known {
    effect: f64,
    clusters: f64,
    power: f64,
    icc: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expansion_is_rs_quantile() {
        // R's qt(half, df, lower.tail = FALSE).
        for (half, df, theirs) in [
            (0.025, 1e4, 1.960_201_239_890_625_9),
            (0.025, 1e5, 1.959_987_707_534_609),
            (0.25, 1e5, 0.674_492_203_553_292_2),
        ] {
            let ours = critical(half, df);
            assert!((ours / theirs - 1.0).abs() < 1e-14, "{half} {df}: {ours} {theirs}");
        }
        let (expanded, exact) = (critical(0.025, MANY), -t_quantile(0.025, MANY));
        assert!((expanded / exact - 1.0).abs() < 1e-12, "{expanded} {exact}");
    }
}
