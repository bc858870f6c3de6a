//! Families of yes-or-no outcomes: one file each, one line in the registry.
//!
//! * `logit`: the log of the odds, canonical;
//! * `probit`: the normal quantile.

mod logit;
mod probit;

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

pub(crate) use logit::Logistic;

use super::pass::{Data, State};
use crate::inference::Link;
use crate::{Error, Fault, Result};

/// Every family.
static FAMILIES: [&dyn Binary; 2] = [&Logistic, &probit::Probit];

/// What a family gives to the iteration and to inference.
pub(crate) trait Binary: Link {
    /// The link.
    fn link(&self) -> &'static dyn Link;

    /// One pass over the rows at some coefficients, with the observed information.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when whoever watches stops the work.
    fn state(&self, data: Data<'_, '_, '_>, coef: &[f64], before: Vec<f64>) -> Result<State>;

    /// Whether the expected information is the observed one.
    fn is_canonical(&self) -> bool {
        false
    }

    /// What inference needs of every row, from linear predictors and outcomes; prior weights come on top.
    ///
    /// # Errors
    /// As [`Binary::state`].
    fn ends(&self, predictor: &[f64], y: &dyn Fn(usize) -> f64) -> Result<Ends>;
}

/// The rows at the maximum, each array of length n.
pub(crate) struct Ends {
    /// `y - mu`.
    pub residuals: Vec<f64>,
    /// `(y - mu) mu' / v`, where it is not the residual.
    pub factors: Option<Vec<f64>>,
    /// Roots of `mu'^2 / v`, the weights in the expected information.
    pub roots: Vec<f64>,
    /// `v = mu (1 - mu)`, where it is not the square of the root.
    pub variances: Option<Vec<f64>>,
}

/// A family of yes-or-no outcomes, by the link of its mean.
///
/// ```
/// use crewe::regression::Family;
/// let family: Family = "logit".parse()?;
/// assert_eq!(family, Family::LOGIT);
/// assert!("cauchit".parse::<Family>().is_err());
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Family(&'static dyn Binary);

impl Family {
    /// Logistic regression.
    pub const LOGIT: Self = Self(&Logistic);

    /// Its name, that of the link.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Every family.
    pub fn all() -> impl Iterator<Item = Self> {
        FAMILIES.iter().map(|family| Self(*family))
    }

    pub(crate) fn binary(self) -> &'static dyn Binary {
        self.0
    }
}

impl PartialEq for Family {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Family {}

impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Family({})", self.name())
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// As its name.
impl Serialize for Family {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl FromStr for Family {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::all().find(|family| family.name() == name).ok_or_else(|| {
            Fault::new(format!("there is no family called '{name}'"))
                .remedy(format!(
                    "Choose one of {}",
                    Self::all().map(Self::name).collect::<Vec<_>>().join(", ")
                ))
                .input()
        })
    }
}
