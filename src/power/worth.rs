//! What a number of clusters is worth, by layout: the independent units of each arm, and the degrees of freedom.
//!
//! With `K` clusters analysed, a share `pi` of them treated, mean size `m` and `M = sum n^2 / sum n` after losses, the
//! variance of an arm's mean over the variance of one member is `v / (pi K m)`, where
//!
//! ```text
//! v = rho f_b M + (1 - rho) f_w          f_b = 1 - R2 between clusters,   f_w = 1 - R2 within
//! ```
//!
//! | layout | what changes | df |
//! |---|---|---|
//! | parallel | nothing | K - 2 - g |
//! | pairs, correlation r of matched clusters | f_b (1 - r) | K/2 - 1 - g |
//! | blocks | nothing: `r2_cluster` holds what they explain | K - B - 1 - g |
//! | blocks whose effects vary, SD t | t^2 / B is added to the variance of the difference | B - 1 |
//! | three levels, s subclusters with an ICC rho_2 of their own | + rho_2 f_w M/s; (1 - rho - rho_2) f_w | K - 2 - g |
//! | groups in the treated arm alone | the control arm has v = f_w | Welch's, from groups - 1 and controls - 1, less g |
//! | periods | [`super::Periods`] | K - 2 - g |
//!
//! `g` counts covariates of clusters. A baseline measurement with correlations `r_c` of clusters and `r_s` of members
//! multiplies `v` by `1 - r^2` (a covariate) or `2 (1 - r)` (a change), `r` their mean weighted by the two parts of `v`
//! without covariates. A subgroup of members (share `s`) thins the clusters as losses do; one of clusters divides `K`. The
//! difference between the effects in a subgroup of clusters and in the rest has `s (1 - s) K` clusters and `K - 4 - g`
//! df; in a subgroup of members the clusters' own levels cancel, `v = (1 - rho) f_w`, with `s (1 - s)` of the members and
//! as many df as there are members less `K + 2 + g`.
//!
//! With weights by precision `v` is that of generalised least squares ([`Weighting::Precision`]); a cluster that loses
//! members is then taken to keep its share of them.
//!
//! Sources: G. J. P. van Breukelen, M. J. J. M. Candel and M. P. F. Berger, Statistics in Medicine 26 (2007) 2589-2603,
//! <https://doi.org/10.1002/sim.2740> (weights by precision); N. Dong and R. Maynard, Journal of Research on Educational Effectiveness 6 (2013) 24-67,
//! <https://doi.org/10.1080/19345747.2012.673143> (R2, three levels, blocks); R. J. Hayes and L. H. Moulton, *Cluster
//! Randomised Trials*, second edition, CRC, 2017, chapter 7 (pairs); S. Teerenstra et al., Statistics in Medicine 31 (2012)
//! 2169-2178, <https://doi.org/10.1002/sim.5352> (baseline); J. Spybrook, B. Kelcey and N. Dong, Journal of Educational
//! and Behavioral Statistics 41 (2016) 605-627, <https://doi.org/10.3102/1076998616655442> (subgroups); B. K. Moerbeek and
//! W. K. Wong, Statistics in Medicine 27 (2008) 2850-2864, <https://doi.org/10.1002/sim.3115> (groups in one arm).

use super::clustering::{ClusterSize, Sizes};
use super::layout::Layout;
use super::outcome::Arms;
use super::plan::{Adjustment, Level, Plan, Weighting};

/// What a number of clusters is worth.
#[derive(Debug, Clone, Copy)]
pub(super) struct Worth {
    pub arms: Arms,
    /// Degrees of freedom of a t test.
    pub df: f64,
    /// What effects that vary between blocks add to the variance of the mean effect.
    pub varies: f64,
    /// Their members.
    pub units: f64,
}

/// The clusters analysed of those randomised.
pub(super) fn clusters_left(plan: &Plan) -> f64 {
    let part = match plan.subgroup {
        Some(group) if group.level == Level::Cluster && !group.interaction => group.share,
        _ => 1.0,
    };
    part * (1.0 - plan.cluster_attrition)
}

/// The members analysed of those in the clusters analysed.
pub(super) fn members_left(plan: &Plan) -> f64 {
    let part = match plan.subgroup {
        Some(group) if group.level == Level::Individual && !group.interaction => group.share,
        _ => 1.0,
    };
    part * (1.0 - plan.attrition)
}

/// The variance of a mean of all members, times their number, from the two parts of a member's: `v` above.
///
/// With weights by precision a cluster of `n` gives `n / (b n + w)`: exact for a list, and by the second-order expansion of
/// van Breukelen, Candel and Berger for a mean and a variation.
pub(super) fn member_variance(plan: &Plan, left: &Sizes, between: f64, within: f64) -> f64 {
    if plan.weighting == Weighting::Members {
        return between * left.seen + within;
    }
    if let Some(ClusterSize::List(sizes)) = &plan.cluster_size {
        let kept = members_left(plan);
        let given = |&n: &u64| kept * n as f64 / (between * kept * n as f64 + within);
        return left.mean * sizes.len() as f64 / sizes.iter().map(given).sum::<f64>();
    }
    let equal = between * left.mean + within;
    let likeness = between * left.mean / equal;
    let cv2 = (left.seen / left.mean - 1.0).max(0.0);
    equal / (1.0 - cv2 * likeness * (1.0 - likeness))
}

/// What so many randomised clusters of these sizes, as they are after losses, are worth.
pub(super) fn worth(plan: &Plan, clusters: f64, left: &Sizes, icc: f64, r2: f64) -> Worth {
    let k = clusters * clusters_left(plan);
    let units = k * left.mean;
    let (mut own, mut members) = (0.0, 1.0 - icc);
    let mut between = 1.0 - plan.r2_cluster.unwrap_or(r2);
    let mut within = 1.0 - r2;
    match plan.layout {
        Layout::Pairs { correlation } => between *= 1.0 - correlation,
        Layout::ThreeLevels { subclusters, icc: own_icc } => {
            // The excess of a subcluster's size over 1 shrinks with losses as that of the cluster does.
            let kept = members_left(plan);
            let size = 1.0 + kept * ((left.seen - 1.0) / kept + 1.0) / subclusters - kept;
            own = own_icc * size;
            members -= own_icc;
        }
        _ => {}
    }
    let interaction = plan.subgroup.filter(|group| group.interaction);
    let inside = interaction.is_some_and(|group| group.level == Level::Individual);
    let mut seen = left.seen;
    if inside {
        (seen, own) = (0.0, 0.0);
    }
    if let Some(baseline) = plan.baseline {
        let (b, w) = (icc * seen, own + members);
        let r = (b * baseline.cluster_correlation + w * baseline.correlation) / (b + w);
        let factor = match baseline.adjustment {
            Adjustment::Ancova => 1.0 - r * r,
            Adjustment::Change => 2.0 * (1.0 - r),
        };
        (between, within) = (between * factor, within * factor);
    }
    let g = plan.covariates as f64;
    let filled = k * left.filled;
    let mut df = match plan.layout {
        Layout::Pairs { .. } => 0.5 * filled - 1.0 - g,
        Layout::Blocks { number, effect_sd: None } => filled - number as f64 - 1.0 - g,
        // Each block has an effect of its own, and these are what the mean is compared with.
        Layout::Blocks { number, effect_sd: Some(_) } => number as f64 - 1.0,
        _ => filled - 2.0 - g,
    };
    let varies = match plan.layout {
        Layout::Blocks { number, effect_sd: Some(sd) } => sd * sd / number as f64,
        _ => 0.0,
    };
    let mut part = 1.0;
    if let Some(group) = interaction {
        part = group.share * (1.0 - group.share);
        // Two more coefficients: the subgroup and the product. Inside clusters each cluster has a level of its own.
        df = if inside { units - filled - 2.0 - g } else { df - 2.0 };
    }
    let counted = part * units;
    if let Layout::Periods(periods) = &plan.layout {
        let information = k * part * periods.information(icc * between, members * within / left.mean);
        // As many independent units, half of them treated, have the same error.
        let arm = 2.0 * information;
        let arms =
            Arms { treated: arm, control: arm, units: (f64::NAN, f64::NAN), clusters: (f64::NAN, f64::NAN) };
        return Worth { arms, df, varies, units: units * periods.number() as f64 };
    }
    let unit = within * (own + members);
    let member = if inside { unit } else { member_variance(plan, left, between * icc, unit) };
    let (treated, control) = (counted * plan.allocation, counted * (1.0 - plan.allocation));
    if plan.layout == Layout::Nested {
        // Treated individuals fill the groups; the others stand alone.
        let control = counted * (1.0 - plan.allocation) / plan.allocation;
        let (own, other) = (member / counted, within / control);
        let spread = own * own / (filled - 1.0) + other * other / (control - 1.0).max(1.0);
        df = if filled > 1.0 { (own + other).powi(2) / spread - g } else { 0.0 };
        let arms = Arms {
            treated: 1.0 / own,
            control: 1.0 / other,
            units: (counted / within, control / within),
            clusters: (counted / (seen * between), f64::INFINITY),
        };
        return Worth { arms, df, varies, units: units / plan.allocation };
    }
    let arms = Arms {
        treated: treated / member,
        control: control / member,
        units: (treated / unit, control / unit),
        clusters: (treated / (seen * between), control / (seen * between)),
    };
    Worth { arms, df, varies, units }
}
