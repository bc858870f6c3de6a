//! Weights of rows, and what they mean.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use ndarray::ArrayView1;
use serde::{Serialize, Serializer};

use crate::{Error, Fault, Result};

/// What a weight says of its row.
///
/// ```
/// use crewe::regression::WeightKind;
/// assert_eq!("analytic".parse::<WeightKind>()?, WeightKind::Analytic);
/// assert!("frequency".parse::<WeightKind>().unwrap_err().to_string().contains("Repeat each row"));
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum WeightKind {
    /// The row stands for this many of a population (the inverse of a probability); only ratios matter.
    #[default]
    Probability,
    /// The row is a mean whose variance is in inverse proportion to the weight.
    Analytic,
}

impl WeightKind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Probability => "probability",
            Self::Analytic => "analytic",
        }
    }
}

impl fmt::Display for WeightKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// As its name.
impl Serialize for WeightKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl FromStr for WeightKind {
    type Err = Error;

    /// From its name; frequency weights are refused, since rows that stand for several make n, k and clusters ambiguous.
    fn from_str(name: &str) -> Result<Self> {
        match name {
            "probability" => Ok(Self::Probability),
            "analytic" => Ok(Self::Analytic),
            "frequency" => Err(Fault::new("frequency weights are not taken")
                .remedy("Repeat each row as often as its weight says, and fit the model to all rows")
                .input()),
            _ => Err(Fault::new(format!("there are no weights called '{name}'"))
                .remedy("Choose 'probability' or 'analytic'; rows that stand for several are repeated")
                .input()),
        }
    }
}

/// Weights of the rows of a regression.
///
/// ```
/// use crewe::inference::Vcov;
/// use crewe::regression::{Ols, Weights};
/// use ndarray::array;
/// let y = array![1.0, 3.0, 2.0, 4.0];
/// let x = array![[0.0], [0.0], [1.0], [1.0]];
/// let weights = array![1.0, 3.0, 1.0, 1.0];
/// let fit = Ols::new(y.view(), x.view()).weights(Weights::probability(weights.view())).fit()?;
/// assert!((fit.coef()[0] - 2.5).abs() < 1e-12);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Weights<'a> {
    values: ArrayView1<'a, f64>,
    kind: WeightKind,
}

impl<'a> Weights<'a> {
    /// Weights of a kind, one a row, 0 or more; a row with weight 0 takes no part.
    pub fn new(values: ArrayView1<'a, f64>, kind: WeightKind) -> Self {
        Self { values, kind }
    }

    /// Probability weights.
    pub fn probability(values: ArrayView1<'a, f64>) -> Self {
        Self::new(values, WeightKind::Probability)
    }

    /// Analytic weights.
    pub fn analytic(values: ArrayView1<'a, f64>) -> Self {
        Self::new(values, WeightKind::Analytic)
    }

    /// The values, length n.
    pub fn values(&self) -> ArrayView1<'a, f64> {
        self.values
    }

    /// Their kind.
    pub fn kind(&self) -> WeightKind {
        self.kind
    }

    /// Refuses what cannot be weights of `n` rows.
    ///
    /// # Errors
    /// [`Error::Input`] for another number, values that are negative, missing or infinite (rows named), or none above 0.
    pub fn check(&self, n: usize) -> Result<()> {
        check_weights(self.values.len(), n, self.values.iter().copied())
    }
}

/// The one check of weights.
pub(crate) fn check_weights(count: usize, n: usize, values: impl Iterator<Item = f64> + Clone) -> Result<()> {
    if count != n {
        return Err(Fault::new(format!("{count} weights for {n} rows"))
            .column("weights")
            .remedy("Give one weight for each row")
            .input());
    }
    let bad: Vec<(usize, f64)> =
        values.clone().enumerate().filter(|(_, w)| !(w.is_finite() && *w >= 0.0)).collect();
    if !bad.is_empty() {
        let kinds: BTreeSet<&str> = bad
            .iter()
            .map(|(_, w)| {
                if w.is_nan() {
                    "missing"
                } else if *w < 0.0 {
                    "negative"
                } else {
                    "infinite"
                }
            })
            .collect();
        return Err(Fault::new("weights must be numbers of 0 or more")
            .column("weights")
            .rows(bad.iter().map(|(i, _)| *i))
            .values(kinds)
            .remedy("Repair these weights, or give a weight of 0 to rows that should not count")
            .input());
    }
    let total: f64 = values.clone().sum();
    if n > 0 && total == 0.0 {
        return Err(Fault::new("every weight is 0")
            .column("weights")
            .remedy("Check how the weights were made: with none above 0 there is nothing to analyse")
            .input());
    }
    let most = values.fold(0.0, f64::max);
    if !total.is_finite() || most > 1e150 {
        return Err(Fault::new("the squares of the weights overflow")
            .column("weights")
            .remedy("Divide them by their mean: only their ratios matter")
            .input());
    }
    Ok(())
}
