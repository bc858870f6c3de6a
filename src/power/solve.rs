//! Solving a plan for what it leaves out, the same for every kind of outcome.

use super::clustering::{self, Sizes};
use super::{
    Arms, Ceiling, Distribution, Outcome, Plan, Solution, Standardised, Unknown, noncentral, search,
};
use crate::dist::{normal_cdf, normal_quantile, normal_sf, t_quantile};
use crate::{Fault, Result};

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
            let bound = -t_quantile(half, df) * s.null_scale;
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
                .remedy("Leave out another quantity, and give a correlation of 0")
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

struct Known {
    effect: f64,
    clusters: f64,
    power: f64,
    icc: f64,
}
