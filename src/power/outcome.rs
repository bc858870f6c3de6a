//! What a kind of outcome has to say for itself.

/// What the arms know: the independent units and the clusters that each is worth.
///
/// ```
/// use crewe::power::{ClusterSize, Outcome, Arms, Plan, solve};
/// /// An effect in standard deviations.
/// struct Standard;
/// impl Outcome for Standard {
///     fn errors(&self, _effect: f64, arms: Arms) -> (f64, f64) {
///         // A thousand clusters of one, half of them treated.
///         assert_eq!((arms.treated, arms.control), (500.0, 500.0));
///         let error = (1.0 / arms.treated + 1.0 / arms.control).sqrt();
///         (error, error)
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
    /// Independent units, after the design effect, in the treated arm.
    pub treated: f64,
    /// In the control arm.
    pub control: f64,
    /// Members analysed over the design effect's part within clusters alone, by arm (treated, control).
    pub units: (f64, f64),
    /// Clusters, larger ones counting for more as their members do, by arm (treated, control).
    pub clusters: (f64, f64),
}

/// An outcome: its effects, what they are on the scale of the test, and their standard errors.
///
/// ```
/// use crewe::power::{Arms, ClusterSize, Outcome, Plan, solve};
/// /// A mean with a known standard deviation.
/// struct Mean {
///     sd: f64,
/// }
/// impl Outcome for Mean {
///     fn errors(&self, _effect: f64, arms: Arms) -> (f64, f64) {
///         let error = self.sd * (1.0 / arms.treated + 1.0 / arms.control).sqrt();
///         (error, error)
///     }
///     fn limit(&self) -> f64 {
///         1e6
///     }
/// }
/// use crewe::power::Distribution;
/// let plan = Plan::default().effect(0.5).clusters(126).icc(0.0).cluster_size(ClusterSize::Mean(1.0));
/// assert!((solve(&Mean { sd: 1.0 }, &plan.distribution(Distribution::Z))?.power.unwrap() - 0.8013).abs() < 1e-4);
/// # Ok::<(), crewe::Error>(())
/// ```
pub trait Outcome {
    /// The effect on the scale of the test, 0 where there is none.
    fn contrast(&self, effect: f64) -> f64 {
        effect
    }
    /// The standard errors of the contrast under the effect and under none.
    fn errors(&self, effect: f64, arms: Arms) -> (f64, f64);
    /// Whether effects are compared as they are written, so that those of blocks may have a standard deviation.
    fn is_plain(&self) -> bool {
        false
    }
    /// The largest effect in the direction asked for, signed; infinite where there is none and power rises all the way.
    fn limit(&self) -> f64;
}
