//! What is known of an input, and numbers drawn from it.
//!
//! A rate of r among n is `Beta(r + 1/2, n - r + 1/2)`, which is defined at 0 and at n (the posterior of H. Jeffreys 1946,
//! doi:10.1098/rspa.1946.0056). A unit cost with coefficient of variation v is a gamma with shape `1 / v^2` and the same
//! mean (A. Briggs, M. Sculpher and K. Claxton 2006, *Decision Modelling for Health Economic Evaluation*, section 4.3).
//! What comes from one fit is drawn jointly: correlated normal deviates, each over the root of a chi-squared by its degrees
//! of freedom, so that each is the estimate's own t; components with the same degrees of freedom share one
//! chi-squared, which makes them a multivariate t.
//!
//! Gamma deviates: G. Marsaglia and W. W. Tsang (2000), doi:10.1145/358407.358414.

use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::Array2;

use crate::rng::{Seed, Stream};
use crate::{Fault, Result};

/// How an input is known.
///
/// ```
/// use crewe::instruments::cost::{Quantity, Uncertainty};
/// let rate = Quantity::new("closed", 0.72).uncertain(Uncertainty::Rate { events: 60.0, of: 83.0, scale: 1.0 });
/// assert!(rate.check().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Uncertainty {
    /// As it stands.
    None,
    /// A rate from its counts, times a scale (1, or the cases where the input is their number).
    Rate {
        /// Cases with the event.
        events: f64,
        /// Cases.
        of: f64,
        /// What the rate is multiplied by.
        scale: f64,
    },
    /// An amount with a coefficient of variation.
    Amount {
        /// The standard deviation over the mean.
        cv: f64,
    },
    /// A weighted sum of what a fit estimated.
    Joint {
        /// Which of the joint estimates.
        joint: usize,
        /// A weight for each of its components.
        weights: Vec<f64>,
    },
    /// A figure that follows from others, by a formula.
    Follows(String),
}

/// An input with its value and what is known of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Quantity {
    /// The name that formulas use.
    pub name: String,
    /// Its value; that of a joint estimate or a formula follows from these.
    pub value: f64,
    /// How it is known.
    pub uncertainty: Uncertainty,
}

impl Quantity {
    /// An input that is known.
    pub fn new(name: impl Into<String>, value: f64) -> Self {
        Self { name: name.into(), value, uncertainty: Uncertainty::None }
    }

    /// Says what is known of it.
    #[must_use]
    pub fn uncertain(mut self, uncertainty: Uncertainty) -> Self {
        self.uncertainty = uncertainty;
        self
    }

    /// Refuses what is no rate or no amount.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for counts that make no rate between 0 and 1, a cost that is not above 0 where it has a
    /// coefficient of variation, a negative coefficient, and values that are no numbers.
    pub fn check(&self) -> Result<()> {
        let refuse = |problem: String, remedy: &str| Err(Fault::new(problem).remedy(remedy).input());
        let name = &self.name;
        match &self.uncertainty {
            Uncertainty::Rate { events, of, scale } => {
                if !(*of > 0.0 && of.is_finite() && *events >= 0.0 && scale.is_finite()) {
                    return refuse(
                        format!("the rate '{name}' has {events} events of {of} cases"),
                        "Give the number of cases with the event, 0 or more, and the number of cases, above 0",
                    );
                }
                if events > of {
                    return refuse(
                        format!("the rate '{name}' is over 1: {events} events of {of} cases"),
                        "Count each case once, or leave out the number of cases",
                    );
                }
            }
            Uncertainty::Amount { cv } => {
                if !(self.value > 0.0 && self.value.is_finite()) {
                    return refuse(
                        format!("the amount '{name}' is {} and has a coefficient of variation", self.value),
                        "A gamma distribution needs a mean above 0: costs are positive, savings are lines",
                    );
                }
                if !(*cv >= 0.0 && cv.is_finite()) {
                    return refuse(
                        format!("the coefficient of variation of '{name}' is {cv}"),
                        "Give the standard deviation over the mean, 0 or more, such as 0.2",
                    );
                }
            }
            Uncertainty::None if !self.value.is_finite() => {
                return refuse(format!("the input '{name}' is no number"), "Give a number");
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether it differs between draws by itself.
    pub(super) fn drawn(&self) -> bool {
        match self.uncertainty {
            Uncertainty::Rate { .. } | Uncertainty::Joint { .. } => true,
            Uncertainty::Amount { cv } => cv > 0.0,
            Uncertainty::None | Uncertainty::Follows(_) => false,
        }
    }
}

/// Estimates of one fit, with their covariance.
///
/// ```
/// use crewe::instruments::cost::Joint;
/// use ndarray::array;
/// let fit = Joint::new("closure", vec![0.64, 0.08], array![[0.005, -0.005], [-0.005, 0.009]], vec![20.0, 31.0])?;
/// assert_eq!(fit.estimate(), [0.64, 0.08]);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Joint {
    label: String,
    estimate: Vec<f64>,
    /// `root root' = covariance`, by rows.
    root: Vec<Vec<f64>>,
    df: Vec<f64>,
}

/// An eigenvalue this far below nothing, beside the largest, is more than rounding.
const NEGATIVE: f64 = -1e-8;

impl Joint {
    /// Estimates with their covariance and degrees of freedom (infinite for a normal); the label names their draws.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for sizes that do not fit, numbers that are none, degrees of freedom that are not above 0
    /// and a matrix that is no covariance.
    pub fn new(
        label: impl Into<String>,
        estimate: Vec<f64>,
        covariance: Array2<f64>,
        df: Vec<f64>,
    ) -> Result<Self> {
        let (label, k) = (label.into(), estimate.len());
        let refuse = |what: &str| {
            Err(Fault::new(format!("the estimates of '{label}' {what}"))
                .remedy("Give a fit whose standard errors are numbers")
                .input())
        };
        if k == 0 || covariance.dim() != (k, k) || df.len() != k {
            return refuse("do not fit their covariance");
        }
        if estimate.iter().chain(&covariance).any(|v| !v.is_finite()) {
            return refuse("or their covariance are not numbers");
        }
        if df.iter().any(|&df| df.is_nan() || df <= 0.0) {
            return refuse("have degrees of freedom that are not above 0");
        }
        let matrix = DMatrix::from_fn(k, k, |i, j| 0.5 * (covariance[(i, j)] + covariance[(j, i)]));
        let eigen = SymmetricEigen::new(matrix);
        let largest = eigen.eigenvalues.iter().copied().fold(0.0, f64::max);
        if eigen
            .eigenvalues
            .iter()
            .any(|&value| value < NEGATIVE * largest || (largest == 0.0 && value < 0.0))
        {
            return refuse("have a matrix that is no covariance");
        }
        let root = (0..k)
            .map(|i| {
                (0..k).map(|j| eigen.eigenvectors[(i, j)] * eigen.eigenvalues[j].max(0.0).sqrt()).collect()
            })
            .collect();
        Ok(Self { label, estimate, root, df })
    }

    /// The estimates.
    pub fn estimate(&self) -> &[f64] {
        &self.estimate
    }

    /// The weighted sum of the estimates.
    pub(super) fn value(&self, weights: &[f64]) -> f64 {
        self.estimate.iter().zip(weights).map(|(estimate, weight)| estimate * weight).sum()
    }

    /// The stream of its draws.
    pub(super) fn stream(&self, seed: &Seed) -> Stream {
        Stream::new(seed, "cost: joint", &[&self.label], 0)
    }

    /// One draw of all components; `z` and `shrink` are space for as many.
    pub(super) fn draw(&self, stream: &mut Stream, z: &mut [f64], shrink: &mut [f64], out: &mut [f64]) {
        z.iter_mut().for_each(|z| *z = stream.normal());
        for i in 0..out.len() {
            let df = self.df[i];
            shrink[i] = if !df.is_finite() {
                1.0
            } else if let Some(first) = self.df[..i].iter().position(|other| *other == df) {
                shrink[first]
            } else {
                (2.0 * gamma(stream, 0.5 * df) / df).sqrt().recip()
            };
            let deviate: f64 = self.root[i].iter().zip(z.iter()).map(|(root, z)| root * z).sum();
            out[i] = self.estimate[i] + deviate * shrink[i];
        }
    }
}

/// A standard gamma deviate of any shape above 0.
pub(super) fn gamma(stream: &mut Stream, shape: f64) -> f64 {
    if shape < 1.0 {
        // Of one more, times a power of a uniform number.
        let u = 1.0 - stream.unit();
        return gamma(stream, shape + 1.0) * libm::pow(u, 1.0 / shape);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = stream.normal();
        let v = 1.0 + c * x;
        if v <= 0.0 {
            continue;
        }
        let v = v * v * v;
        let u = 1.0 - stream.unit();
        let x2 = x * x;
        if u < 1.0 - 0.0331 * x2 * x2 || libm::log(u) < 0.5 * x2 + d * (1.0 - v + libm::log(v)) {
            return d * v;
        }
    }
}

/// A beta deviate.
pub(super) fn beta(stream: &mut Stream, a: f64, b: f64) -> f64 {
    let (x, y) = (gamma(stream, a), gamma(stream, b));
    x / (x + y)
}
