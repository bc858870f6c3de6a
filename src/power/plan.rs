//! A trial on paper: everything that a power calculation takes, whatever the outcome.

use serde::Serialize;

use super::clustering::ClusterSize;
use super::layout::Layout;
use crate::setters::setters;
use crate::words::words;

/// The law of the test statistic.
///
/// ```
/// use crewe::power::Distribution;
/// assert_eq!("t".parse(), Ok(Distribution::T));
/// assert!("F".parse::<Distribution>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Distribution {
    /// Normal: right for many clusters, too hopeful for few.
    Z,
    /// Student's t, noncentral under the alternative, with the layout's degrees of freedom: `K - 2` where whole
    /// clusters are compared side by side.
    T,
}

words!(Distribution, "distribution", Z => "z", T => "t");

/// Below so many clusters the law is t, where none is asked for.
pub const FEW: u64 = 50;

/// What the test has to show.
///
/// ```
/// use crewe::power::Hypothesis;
/// assert_eq!("non-inferiority".parse(), Ok(Hypothesis::NonInferiority));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hypothesis {
    /// A difference, in either direction; both tails count.
    TwoSided,
    /// A difference in the direction of the effect, the whole level in that tail.
    OneSided,
    /// That the effect lies on the better side of a margin, the whole level in one tail.
    NonInferiority,
    /// That the effect lies between two margins: two one-sided tests, each at the whole level.
    Equivalence,
}

words!(
    Hypothesis, "hypothesis",
    TwoSided => "two-sided",
    OneSided => "one-sided",
    NonInferiority => "non-inferiority",
    Equivalence => "equivalence",
);

/// What is left out of a plan and solved for.
///
/// ```
/// use crewe::power::Unknown;
/// assert_eq!(Unknown::ClusterSize.to_string(), "cluster_size");
/// assert_eq!("icc".parse(), Ok(Unknown::Icc));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unknown {
    /// The smallest detectable effect.
    Effect,
    /// The smallest number of clusters.
    Clusters,
    /// The power.
    Power,
    /// The largest intracluster correlation that still gives the power.
    Icc,
    /// The smallest whole mean cluster size.
    ClusterSize,
    /// The smallest share of the variance, explained within and between clusters alike, that gives the power.
    R2,
}

words!(
    Unknown, "unknown of the plan",
    Effect => "effect",
    Clusters => "clusters",
    Power => "power",
    Icc => "icc",
    ClusterSize => "cluster_size",
    R2 => "r2",
);

/// What a subgroup is a share of.
///
/// ```
/// use crewe::power::Level;
/// assert_eq!("cluster".parse(), Ok(Level::Cluster));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// Of the members of every cluster: pupils with free school meals.
    Individual,
    /// Of the clusters: urban schools.
    Cluster,
}

words!(Level, "level of the subgroup", Individual => "individual", Cluster => "cluster");

/// A part of the trial, for its own effect or for the difference between its effect and that of the rest.
///
/// ```
/// use crewe::power::{Level, Subgroup};
/// let meals = Subgroup::new(0.27, Level::Individual).interaction(true);
/// assert!(meals.interaction && meals.share == 0.27);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Subgroup {
    /// Its share.
    pub share: f64,
    /// What it is a share of.
    pub level: Level,
    /// Whether the effect is the difference between the subgroup's effect and that of the rest.
    pub interaction: bool,
}

impl Subgroup {
    /// The subgroup's own effect.
    #[must_use]
    pub fn new(share: f64, level: Level) -> Self {
        Self { share, level, interaction: false }
    }
}

setters!(Subgroup, interaction: plain(bool));

/// What is done with a measurement of the outcome before randomisation.
///
/// ```
/// use crewe::power::Adjustment;
/// assert_eq!("ancova".parse(), Ok(Adjustment::Ancova));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Adjustment {
    /// It is a covariate.
    Ancova,
    /// It is subtracted.
    Change,
}

words!(Adjustment, "adjustment", Ancova => "ancova", Change => "change");

/// A measurement of the outcome before randomisation, of the same clusters and as many members.
///
/// ```
/// use crewe::power::{Adjustment, Baseline};
/// let baseline = Baseline::new(0.7, 0.9, Adjustment::Ancova);
/// assert_eq!((baseline.correlation, baseline.cluster_correlation), (0.7, 0.9));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Baseline {
    /// The correlation of a member's deviation from its cluster before and after; 0 where other members were measured.
    pub correlation: f64,
    /// The correlation of the clusters' own levels before and after.
    pub cluster_correlation: f64,
    /// What is done with it.
    pub adjustment: Adjustment,
}

impl Baseline {
    /// The two correlations and what is done with the measurement.
    #[must_use]
    pub fn new(correlation: f64, cluster_correlation: f64, adjustment: Adjustment) -> Self {
        Self { correlation, cluster_correlation, adjustment }
    }
}

/// What each cluster counts for where sizes differ.
///
/// ```
/// use crewe::power::Weighting;
/// assert_eq!("precision".parse(), Ok(Weighting::Precision));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Weighting {
    /// Its members, each alike: a regression with clustered standard errors.
    Members,
    /// The inverse of its mean's variance: a mixed model.
    Precision,
}

words!(Weighting, "weighting", Members => "members", Precision => "precision");

/// A trial on paper: everything but the outcome. Exactly one of `effect`, `clusters`, `power`, `icc`, `cluster_size` and
/// `r2` is `None`; a list of sizes gives its own number of clusters, and one unit a cluster needs no ICC.
///
/// ```
/// use crewe::power::{ClusterSize, Plan};
/// let plan = Plan::default().clusters(286).power(0.8).icc(0.36).cluster_size(ClusterSize::Mean(3.0));
/// assert_eq!((plan.effect, plan.clusters), (None, Some(286)));
/// ```
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// The effect on the outcome's own scale, signed.
    pub effect: Option<f64>,
    /// The number of clusters that are randomised, both arms together.
    pub clusters: Option<u64>,
    /// The power wanted.
    pub power: Option<f64>,
    /// The intracluster correlation of the outcome as observed.
    pub icc: Option<f64>,
    /// The size of the clusters as they are randomised.
    pub cluster_size: Option<ClusterSize>,
    /// The share of the outcome's variance that covariates explain: within clusters, and between them as well unless
    /// `r2_cluster` says otherwise.
    pub r2: Option<f64>,
    /// The share of the variance between clusters that covariates explain.
    pub r2_cluster: Option<f64>,
    /// The number of covariates of clusters, each of which costs a degree of freedom.
    pub covariates: u64,
    /// Coefficient of variation of the sizes (SD over n), with a mean size only.
    pub cv: f64,
    /// What clusters of different sizes count for.
    pub weighting: Weighting,
    /// The treated share of the clusters.
    pub allocation: f64,
    /// The level: two-sided where the hypothesis is, else that of one test.
    pub alpha: f64,
    /// The law of the statistic; `None` is t under [`FEW`] clusters and normal from there on.
    pub distribution: Option<Distribution>,
    /// The share of members that are lost, each by itself.
    pub attrition: f64,
    /// The share of clusters that are lost whole.
    pub cluster_attrition: f64,
    /// The subgroup that the effect is about.
    pub subgroup: Option<Subgroup>,
    /// A measurement before randomisation.
    pub baseline: Option<Baseline>,
    /// How clusters are laid out.
    pub layout: Layout,
    /// What the test has to show.
    pub hypothesis: Hypothesis,
    /// The effect at the margin, for non-inferiority and equivalence.
    pub margin: Option<f64>,
}

impl Default for Plan {
    /// Nothing known but the conventions: half treated, two-sided 5%, no covariates, no loss.
    fn default() -> Self {
        Self {
            effect: None,
            clusters: None,
            power: None,
            icc: None,
            cluster_size: None,
            r2: Some(0.0),
            r2_cluster: None,
            covariates: 0,
            cv: 0.0,
            weighting: Weighting::Members,
            allocation: 0.5,
            alpha: 0.05,
            distribution: None,
            attrition: 0.0,
            cluster_attrition: 0.0,
            subgroup: None,
            baseline: None,
            layout: Layout::Parallel,
            hypothesis: Hypothesis::TwoSided,
            margin: None,
        }
    }
}

setters!(
    Plan,
    effect: some(f64),
    clusters: some(u64),
    power: some(f64),
    icc: some(f64),
    cluster_size: some(ClusterSize),
    r2: some(f64),
    r2_cluster: some(f64),
    covariates: plain(u64),
    cv: plain(f64),
    weighting: plain(Weighting),
    allocation: plain(f64),
    alpha: plain(f64),
    distribution: some(Distribution),
    attrition: plain(f64),
    cluster_attrition: plain(f64),
    subgroup: some(Subgroup),
    baseline: some(Baseline),
    layout: plain(Layout),
    hypothesis: plain(Hypothesis),
    margin: some(f64),
);
