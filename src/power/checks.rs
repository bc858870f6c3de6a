//! What a plan must be before it is solved.

use super::clustering::{self, ClusterSize, Sizes};
use super::layout::Layout;
use super::periods::Periods;
use super::plan::{Hypothesis, Plan, Unknown};
use super::worth;
use crate::{Fault, Result};

/// The one quantity that is left out.
pub(super) fn unknown(plan: &Plan) -> Result<Unknown> {
    let unknowns: Vec<Unknown> = [
        (plan.effect.is_none(), Unknown::Effect),
        (plan.clusters.is_none(), Unknown::Clusters),
        (plan.power.is_none(), Unknown::Power),
        (plan.icc.is_none(), Unknown::Icc),
        (plan.cluster_size.is_none(), Unknown::ClusterSize),
        (plan.r2.is_none(), Unknown::R2),
    ]
    .into_iter()
    .filter_map(|(missing, unknown)| missing.then_some(unknown))
    .collect();
    if let &[unknown] = unknowns.as_slice() {
        return Ok(unknown);
    }
    let problem = if unknowns.is_empty() {
        "nothing is left to solve for: effect, clusters, power, icc, cluster_size and r2 are all given"
            .to_owned()
    } else {
        format!("{} quantities are left out, and only one can be solved for", unknowns.len())
    };
    Err(Fault::new(problem)
        .values(unknowns.iter().map(|u| u.name()))
        .remedy("Leave out exactly one of effect, clusters, power, icc, cluster_size and r2")
        .input())
}

/// Fills in what needs no asking: a list's own number of clusters, and an ICC for clusters of one.
pub(super) fn completed(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    let open = |plan: &Plan| {
        [plan.effect.is_none(), plan.power.is_none(), plan.r2.is_none()].into_iter().any(|missing| missing)
    };
    if let Some(size) = &plan.cluster_size {
        let alone = match size {
            ClusterSize::Mean(mean) => *mean == 1.0,
            ClusterSize::List(sizes) => !sizes.is_empty() && sizes.iter().all(|&n| n == 1),
        };
        if plan.icc.is_none()
            && alone
            && plan.layout != Layout::Nested
            && (open(&plan) || plan.clusters.is_none())
        {
            plan.icc = Some(0.0);
        }
        if let ClusterSize::List(sizes) = size
            && plan.clusters.is_none()
            && (open(&plan) || plan.icc.is_none())
        {
            plan.clusters = Some(sizes.len() as u64);
        }
    }
    plan
}

/// Refuses a plan that no trial can have; gives the moments of the sizes, where they are known.
pub(super) fn sizes(plan: &Plan) -> Result<Option<Sizes>> {
    inside("alpha, the level,", plan.alpha, "Give a level such as 0.05")?;
    inside(
        "allocation, the treated share of the clusters,",
        plan.allocation,
        "Give the share, for 2:1 that is 2/3",
    )?;
    if let Some(power) = plan.power {
        inside("power", power, "Give a power such as 0.8")?;
        if power <= plan.alpha && plan.hypothesis != Hypothesis::Equivalence {
            return Err(Fault::new(
                "the power asked for is not above the level, which a test has without any effect",
            )
            .values([power.to_string(), plan.alpha.to_string()])
            .remedy("Give a power such as 0.8")
            .input());
        }
    }
    for (name, share, what) in [
        ("r2", plan.r2, "the share of the outcome's variance that covariates explain"),
        ("r2_cluster", plan.r2_cluster, "the share of the variance between clusters that covariates explain"),
        ("attrition", Some(plan.attrition), "the share of members that are lost"),
        ("cluster_attrition", Some(plan.cluster_attrition), "the share of clusters that are lost whole"),
    ] {
        if share.is_some_and(|share| !(0.0..1.0).contains(&share)) {
            return Err(Fault::new(format!("{name} must be at least 0 and below 1"))
                .values([share.unwrap_or(f64::NAN).to_string()])
                .remedy(format!("Give {what}"))
                .input());
        }
    }
    if let Some(group) = plan.subgroup {
        inside("the share of the subgroup", group.share, "Give the share, for instance 0.27 for 27%")?;
        if group.interaction && matches!(plan.layout, Layout::Nested | Layout::Periods(_)) {
            return Err(Fault::new("interactions are worked out for two arms of clusters side by side")
                .values([plan.layout.name()])
                .remedy("Leave the layout out, or ask for the subgroup's own effect")
                .input());
        }
    }
    if plan.covariates > MANY {
        return Err(Fault::new(format!("covariates are {MANY} at most"))
            .values([plan.covariates.to_string()])
            .remedy("Give the number of covariates of clusters, each of which costs a degree of freedom")
            .input());
    }
    baseline(plan)?;
    margin(plan)?;
    let sizes = plan.cluster_size.as_ref().map(|size| Sizes::new(size, plan.cv)).transpose()?;
    clustering::check_cv(plan.cv)?;
    if let Some(icc) = plan.icc {
        clustering::check_icc(icc, sizes.as_ref())?;
    }
    layout(plan)?;
    if let Some(clusters) = plan.clusters
        && clusters < two_an_arm(plan)
    {
        let few = two_an_arm(plan);
        return Err(Fault::new("each arm needs at least 2 clusters")
            .values([format!("{clusters} clusters at a treated share of {:.4}", plan.allocation)])
            .remedy(format!("Plan for {few} clusters or more"))
            .input());
    }
    Ok(sizes)
}

/// The most covariates and blocks.
const MANY: u64 = 1_000_000;

fn baseline(plan: &Plan) -> Result<()> {
    let Some(baseline) = plan.baseline else { return Ok(()) };
    for (name, value) in
        [("correlation", baseline.correlation), ("cluster_correlation", baseline.cluster_correlation)]
    {
        if !(-1.0..=1.0).contains(&value) {
            return Err(Fault::new(format!("{name} must lie between -1 and 1"))
                .values([value.to_string()])
                .remedy("Give the correlation of the outcome with its measurement before randomisation")
                .input());
        }
    }
    if baseline.correlation.abs() == 1.0 && baseline.cluster_correlation.abs() == 1.0 {
        return Err(Fault::new("a measurement that says the outcome in full leaves nothing to test")
            .remedy("Give correlations below 1")
            .input());
    }
    Ok(())
}

fn margin(plan: &Plan) -> Result<()> {
    let needed = matches!(plan.hypothesis, Hypothesis::NonInferiority | Hypothesis::Equivalence);
    match plan.margin {
        Some(margin) if needed && (margin == 0.0 || !margin.is_finite()) => {
            Err(Fault::new("the margin must be an effect other than none")
                .values([margin.to_string()])
                .remedy("Give the largest effect that still counts as no worse, with its sign")
                .input())
        }
        None if needed => Err(Fault::new(format!("a test of {} needs a margin", plan.hypothesis))
            .remedy("Give margin=, the largest effect that still counts as no worse, with its sign")
            .input()),
        Some(margin) if !needed => Err(Fault::new("a margin belongs to non-inferiority and equivalence")
            .values([margin.to_string()])
            .remedy("Leave the margin out, or say which of the two is tested")
            .input()),
        _ => {
            if needed && plan.effect.is_none() {
                return Err(Fault::new(format!(
                    "a test of {} takes the effect that is expected as given",
                    plan.hypothesis
                ))
                .remedy("Give effect=, that of no difference where none is expected, and leave out another quantity")
                .input());
            }
            Ok(())
        }
    }
}

fn layout(plan: &Plan) -> Result<()> {
    match &plan.layout {
        Layout::Pairs { correlation } => pairs(*correlation, plan),
        Layout::Blocks { effect_sd: Some(sd), number } if !(*sd >= 0.0 && sd.is_finite() && *number >= 2) => {
            Err(Fault::new(
                "effects that vary have a standard deviation of 0 or more, over at least 2 blocks",
            )
            .values([sd.to_string(), format!("{number} blocks")])
            .remedy("Give effect_sd in the units of the effect, for instance 0.1")
            .input())
        }
        Layout::Blocks { effect_sd: Some(_), .. } if plan.subgroup.is_some_and(|group| group.interaction) => {
            Err(Fault::new(
                "the difference between two effects in blocks whose effects vary has no closed form here",
            )
            .remedy("Ask for the subgroup's own effect, or leave effect_sd out")
            .input())
        }
        Layout::Blocks { number, .. } if !(1..=MANY).contains(number) => {
            Err(Fault::new(format!("a blocked trial has 1 to {MANY} blocks"))
                .values([number.to_string()])
                .remedy("Give the number of blocks, or leave them out")
                .input())
        }
        Layout::ThreeLevels { subclusters, icc } => three_levels(*subclusters, *icc, plan),
        Layout::Periods(periods) => over_time(periods, plan),
        _ => Ok(()),
    }
}

fn pairs(correlation: f64, plan: &Plan) -> Result<()> {
    if !(-1.0..1.0).contains(&correlation) {
        return Err(Fault::new("the correlation of matched clusters must be at least -1 and below 1")
            .values([correlation.to_string()])
            .remedy("Give the correlation of the two clusters' levels, for instance 0.4")
            .input());
    }
    if plan.allocation != 0.5 {
        return Err(Fault::new("pairs have one treated cluster each, so that half are treated")
            .values([plan.allocation.to_string()])
            .remedy("Leave allocation out")
            .input());
    }
    if plan.clusters.is_some_and(|clusters| clusters % 2 == 1) {
        return Err(Fault::new("pairs need an even number of clusters")
            .values([plan.clusters.unwrap_or(0).to_string()])
            .remedy("Count both clusters of every pair")
            .input());
    }
    Ok(())
}

fn three_levels(subclusters: f64, icc: f64, plan: &Plan) -> Result<()> {
    if !(subclusters.is_finite() && subclusters >= 1.0) {
        return Err(Fault::new("every cluster has at least 1 subcluster")
            .values([subclusters.to_string()])
            .remedy("Give the number of subclusters (classes) a cluster (school)")
            .input());
    }
    if let Some(ClusterSize::Mean(mean)) = plan.cluster_size
        && subclusters > mean
    {
        return Err(Fault::new("there are more subclusters than members")
            .values([subclusters.to_string(), mean.to_string()])
            .remedy("cluster_size counts the members of all subclusters of a cluster")
            .input());
    }
    let whole = icc + plan.icc.unwrap_or(0.0);
    if !(icc >= 0.0 && whole <= 1.0) {
        return Err(Fault::new(
            "the shares of the variance between clusters and between their subclusters must not be negative, nor above 1 together",
        )
        .values([icc.to_string(), whole.to_string()])
        .remedy("Give each as a share of the outcome's whole variance")
        .input());
    }
    Ok(())
}

fn over_time(periods: &Periods, plan: &Plan) -> Result<()> {
    let number = periods.number();
    if number < 2 || periods.pattern.iter().any(|sequence| sequence.len() != number) {
        return Err(Fault::new("every sequence needs the same number of periods, 2 or more")
            .values(periods.pattern.iter().map(|sequence| format!("{} periods", sequence.len())))
            .remedy("Give a stepped wedge at least 2 steps, a crossover at least 2 periods")
            .input());
    }
    if !(0.0..=1.0).contains(&periods.autocorrelation) || !(0.0..1.0).contains(&periods.cohort) {
        return Err(Fault::new("autocorrelations must lie between 0 and 1, and that of members below 1")
            .values([periods.autocorrelation.to_string(), periods.cohort.to_string()])
            .remedy("Give correlations between periods; 1 for a level of clusters that lasts, 0 for members measured once")
            .input());
    }
    // One sequence alone is treated as the periods go.
    if periods.information(0.0, 1.0) <= 1e-12 {
        return Err(Fault::new("with this pattern the treatment cannot be told from the periods")
            .values([format!("{} sequences", periods.pattern.len())])
            .remedy("Give at least two sequences that differ: a stepped wedge of 2 steps or more")
            .input());
    }
    let refused = |problem: &str, remedy: &str| Err(Fault::new(problem).remedy(remedy).input());
    if plan.cv > 0.0 || matches!(plan.cluster_size, Some(ClusterSize::List(_))) {
        return refused(
            "periods take one number of members a cluster and period",
            "Give the mean number as cluster_size, and leave cv out",
        );
    }
    if plan.icc.is_some_and(|icc| icc < 0.0) {
        return refused("periods need an intracluster correlation of 0 or more", "Give icc=0 at least");
    }
    if plan.allocation != 0.5 {
        return refused("the pattern of the periods says who is treated when", "Leave allocation out");
    }
    if plan.baseline.is_some() {
        return refused(
            "the periods themselves are the measurements over time",
            "Leave the correlations with a baseline out, and give the autocorrelations of the periods",
        );
    }
    Ok(())
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
pub(super) fn two_an_arm(plan: &Plan) -> u64 {
    match plan.layout {
        Layout::Nested => 2,
        _ => (2.0 / plan.allocation.min(1.0 - plan.allocation) - 1e-9).ceil() as u64,
    }
}

/// The fewest clusters that leave the statistic a degree of freedom, two an arm at least.
pub(super) fn fewest(plan: &Plan, left: &Sizes) -> u64 {
    let step = plan.layout.step();
    let mut fewest = two_an_arm(plan).next_multiple_of(step);
    let df = |clusters: u64| worth::worth(plan, clusters as f64, left, 0.0, 0.0).df;
    // Degrees of freedom grow with the clusters; every step is looked at, since losses make them fractions.
    while df(fewest) < 1.0 - 1e-9 && fewest < 1_000_000_000 {
        fewest += step.max(fewest / 64).next_multiple_of(step);
    }
    while fewest > two_an_arm(plan).next_multiple_of(step) && df(fewest - step) >= 1.0 - 1e-9 {
        fewest -= step;
    }
    fewest
}

/// Refuses clusters that leave no degree of freedom.
pub(super) fn freedom(plan: &Plan, df: f64, left: &Sizes) -> Result<()> {
    if df >= 1.0 - 1e-9 {
        return Ok(());
    }
    Err(Fault::new("the clusters analysed leave the test no degree of freedom")
        .values([format!("{} clusters", plan.clusters.unwrap_or(0)), format!("{df:.2} degrees of freedom")])
        .remedy(format!(
            "Plan for {} clusters or more, or for fewer covariates and blocks",
            fewest(plan, left)
        ))
        .input())
}
