//! How a wild cluster bootstrap is asked for, and what it found.

use serde::Serialize;

use super::weights::WildWeights;
use crate::nonparametric::Interval;
use crate::rng::Seed;
use crate::setters::setters;
use crate::words::words;

/// The type of a wild cluster bootstrap, as MacKinnon, Nielsen and Webb (2023) number them.
///
/// The first digit says whose scores the draws are made of: 1 the model's own, 3 transformed by the jackknife. The second
/// says by which variance statistics are studentised: 1 CR1 (their CV1), 3 the jackknife (their CV3). So 13 is their V,
/// 31 their S, 33 their B.
///
/// ```
/// use crewe::resampling::WildType;
/// assert_eq!("33".parse(), Ok(WildType::B33));
/// assert!("12".parse::<WildType>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WildType {
    /// Classic.
    C11,
    /// With the jackknife's variance.
    V13,
    /// With transformed scores.
    S31,
    /// Both.
    B33,
}

words!(WildType, "type of the bootstrap", C11 => "11", V13 => "13", S31 => "31", B33 => "33");

impl WildType {
    /// Clusters from which the classic type is the default.
    const ENOUGH: usize = 21;

    /// The default of so many clusters.
    pub(super) fn of(clusters: usize) -> Self {
        if clusters >= Self::ENOUGH { Self::C11 } else { Self::B33 }
    }

    /// Whether scores are transformed by the jackknife.
    pub(super) fn transforms(self) -> bool {
        matches!(self, Self::S31 | Self::B33)
    }

    /// Whether the variance is the jackknife's.
    pub(super) fn jackknifes(self) -> bool {
        matches!(self, Self::V13 | Self::B33)
    }
}

/// What counts as extreme as the trial's own statistic.
///
/// ```
/// use crewe::resampling::Extreme;
/// assert_eq!("equal-tailed".parse(), Ok(Extreme::EqualTailed));
/// assert!("upper".parse::<Extreme>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Extreme {
    /// A statistic at least as large in size.
    #[default]
    Symmetric,
    /// Twice the smaller tail.
    EqualTailed,
}

words!(Extreme, "kind of p-value", Symmetric => "symmetric", EqualTailed => "equal-tailed");

/// How to bootstrap.
///
/// ```
/// use crewe::resampling::{WildOptions, WildType};
/// let options = WildOptions::default().draws(999).kind(WildType::B33).null(false);
/// assert_eq!(options.draws, 999);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WildOptions {
    /// The number of draws; where all signs are no more than these and the trial itself, they are used instead.
    pub draws: u64,
    /// The seed of the draws; by default one from the operating system.
    pub seed: Option<Seed>,
    /// The type; by default 11 with more than 20 clusters, else 33, or 11 where a contrast cannot be estimated without one
    /// of them.
    pub kind: Option<WildType>,
    /// Whether the hypothesis is imposed on the bootstrap's world (WCR), or not (WCU).
    pub null: bool,
    /// The distribution of the weights.
    pub weights: WildWeights,
    /// What counts as extreme.
    pub extreme: Extreme,
    /// The coverage of the interval.
    pub level: f64,
    /// Whether the test of one contrast is inverted into an interval.
    pub interval: bool,
}

impl Default for WildOptions {
    fn default() -> Self {
        Self {
            draws: 9_999,
            seed: None,
            kind: None,
            null: true,
            weights: WildWeights::default(),
            extreme: Extreme::default(),
            level: 0.95,
            interval: true,
        }
    }
}

setters!(
    WildOptions,
    draws: plain(u64),
    kind: some(WildType),
    null: plain(bool),
    weights: plain(WildWeights),
    extreme: plain(Extreme),
    level: plain(f64),
    interval: plain(bool),
);

impl WildOptions {
    /// Sets the seed of the draws: an integer, or a key.
    #[must_use]
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }
}

/// What a wild cluster bootstrap found.
///
/// ```
/// use crewe::inference::{Clusters, Vcov};
/// use crewe::regression::Ols;
/// use crewe::resampling::{WildOptions, WildType, wild_bootstrap};
/// use ndarray::array;
/// let y = array![1.0, 2.0, 2.0, 4.0, 5.0, 4.0, 3.0, 2.0];
/// let x = array![[0.0], [0.0], [0.0], [1.0], [1.0], [1.0], [1.0], [0.0]];
/// let families = Clusters::new(&[0, 0, 1, 2, 2, 3, 4, 5])?;
/// let fit = Ols::new(y.view(), x.view()).fit()?;
/// let robust = fit.vcov(Vcov::Cr1, Some(&families))?;
/// let options = WildOptions::default().kind(WildType::C11);
/// let test = wild_bootstrap(robust.fit(), array![[0.0, 1.0]].view(), &[0.0], &options)?;
/// // All 64 signs of six families; the statistic is that of CR1.
/// assert!(test.exact && test.draws == 64);
/// assert!((test.statistic - robust.coefficients(0.95)?.statistic[1]).abs() < 1e-12);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WildBootstrap {
    /// The type.
    pub kind: WildType,
    /// The contrast; not a number where several are tested at once.
    pub estimate: f64,
    /// Its standard error, by CR1 or the jackknife; not a number where several are tested at once.
    pub std_error: f64,
    /// Its t statistic, or the F statistic of several contrasts.
    pub statistic: f64,
    /// The number of contrasts, q.
    pub contrasts: usize,
    /// The two-sided p-value; never 0.
    pub p_value: f64,
    /// The values of the contrast that the test does not reject; limits may be infinite.
    pub interval: Option<Interval>,
    /// The statistic of every draw.
    pub distribution: Vec<f64>,
    /// How many draws there are.
    pub draws: usize,
    /// Whether they are all signs that there can be.
    pub exact: bool,
    /// The number of clusters, G.
    pub clusters: usize,
    /// The seed of the draws, where it is a number.
    pub seed: Option<u64>,
    /// What a reader should know.
    pub notes: Vec<String>,
}
