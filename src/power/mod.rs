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
mod solve;

pub use clustering::ClusterSize;
pub use solve::solve;

use serde::Serialize;

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
    /// Student's t with `K - 2` degrees of freedom, noncentral under the alternative.
    T,
}

words!(Distribution, "distribution", Z => "z", T => "t");

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
    /// The largest intra-cluster correlation that still gives the power.
    Icc,
    /// The smallest whole mean cluster size.
    ClusterSize,
}

words!(
    Unknown, "unknown of the plan",
    Effect => "effect",
    Clusters => "clusters",
    Power => "power",
    Icc => "icc",
    ClusterSize => "cluster_size",
);

/// A trial on paper: everything but the outcome. Exactly one of the five options is `None`.
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

setters!(
    Plan,
    effect: some(f64),
    clusters: some(u64),
    power: some(f64),
    icc: some(f64),
    cluster_size: some(ClusterSize),
    cv: plain(f64),
    allocation: plain(f64),
    alpha: plain(f64),
    distribution: plain(Distribution),
    r2: plain(f64),
);

/// Independent units that each arm is worth.
///
/// ```
/// use crewe::power::{ClusterSize, Outcome, Arms, Plan, Standardised, solve};
/// /// An effect in standard deviations.
/// struct Standard;
/// impl Outcome for Standard {
///     fn standardise(&self, effect: f64, arms: Arms) -> Standardised {
///         // A thousand clusters of one, half of them treated.
///         assert_eq!((arms.treated, arms.control), (500.0, 500.0));
///         Standardised::new(effect.abs() / (1.0 / arms.treated + 1.0 / arms.control).sqrt(), 1.0)
///     }
///     fn limit(&self) -> f64 {
///         10.0
///     }
/// }
/// solve(&Standard, &Plan::default().effect(0.1).clusters(1_000).icc(0.0).cluster_size(ClusterSize::Mean(1.0)))?;
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Arms {
    /// In the treated arm.
    pub treated: f64,
    /// In the control arm.
    pub control: f64,
}

/// An effect in units of its standard error.
///
/// ```
/// use crewe::power::Standardised;
/// let effect = Standardised::new(2.8, 1.0);
/// assert_eq!((effect.noncentrality, effect.null_scale), (2.8, 1.0));
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Standardised {
    /// The absolute effect over its standard error under the alternative.
    pub noncentrality: f64,
    /// Standard error under the null over the one under the alternative.
    pub null_scale: f64,
}

impl Standardised {
    /// An effect of so many standard errors, whose standard error under the null is so many times the one under the
    /// alternative.
    #[must_use]
    pub fn new(noncentrality: f64, null_scale: f64) -> Self {
        Self { noncentrality, null_scale }
    }
}

/// What a kind of outcome has to say for itself.
///
/// ```
/// use crewe::power::{Arms, ClusterSize, Outcome, Plan, Standardised, solve};
/// /// A mean with a known standard deviation.
/// struct Mean {
///     sd: f64,
/// }
/// impl Outcome for Mean {
///     fn standardise(&self, effect: f64, arms: Arms) -> Standardised {
///         let error = self.sd * (1.0 / arms.treated + 1.0 / arms.control).sqrt();
///         Standardised::new(effect.abs() / error, 1.0)
///     }
///     fn limit(&self) -> f64 {
///         1e6
///     }
/// }
/// let plan = Plan::default().effect(0.5).clusters(126).icc(0.0).cluster_size(ClusterSize::Mean(1.0));
/// assert!((solve(&Mean { sd: 1.0 }, &plan)?.power.unwrap() - 0.8013).abs() < 1e-4);
/// # Ok::<(), crewe::Error>(())
/// ```
pub trait Outcome {
    /// The effect in units of its standard error.
    fn standardise(&self, effect: f64, arms: Arms) -> Standardised;
    /// The largest effect in the direction asked for, signed.
    fn limit(&self) -> f64;
}

/// The best that can be had where the power asked for is out of reach.
///
/// ```
/// use crewe::power::{ClusterSize, Plan, binary::{Binary, Method, power}};
/// // Six families of any size cannot show a rise of ten points when siblings are alike.
/// let plan = Plan::default().effect(0.1).clusters(6).power(0.8).icc(0.9);
/// let solved = power(&Binary::new(0.2, Method::Unpooled, plan))?.solution;
/// let ceiling = solved.unattainable.expect("out of reach");
/// assert!(ceiling.power < 0.8 && ceiling.at.is_infinite());
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Ceiling {
    /// The highest power within reach.
    pub power: f64,
    /// The value of the unknown at which it is reached; infinite where it is only approached.
    pub at: f64,
}

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
