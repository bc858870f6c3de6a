//! The score of the arm in a model: what a randomisation test of a fit compares.
//!
//! The model is fitted without the arm once; only the arm changes from assignment to assignment. With e the score
//! residuals of that fit, W its working weights and X its columns, the score of the indicators z of the arms is
//! `U = z'e`, their information `A = z'Wz - z'WX (X'WX)^-1 X'Wz`, and `A^-1 U` one step from no effect to the
//! coefficients: for least squares the coefficients themselves (R. Frisch and F. V. Waugh 1933, doi:10.2307/1907330).
//! Since z is constant within units all of these are sums over units.
//!
//! Studentised, U stands over the root of its cluster-robust variance with the residuals of the model without the arm,
//! `B = G/(G - 1) sum u_g^2`, where `u_g` is the part of unit g in the efficient score (CR1; D. D. Boos 1992,
//! doi:10.1080/00031305.1992.10475921). The test then also holds, in large trials, for no effect on average
//! (J. Wu and P. Ding 2021, doi:10.1080/01621459.2020.1750415). By name the residuals are those of the model with the
//! redrawn arm instead.
//!
//! Columns that hold an arm beside a covariate (arm x history) change with every draw too. With v a row's constant and such
//! covariates, the columns of arm j are `z_j v`, and the same algebra holds. A comparison is a combination of their
//! coefficients: of two arms, of a product, or the margin of an arm, in which the covariates stand at their means over all
//! rows (of a family weighted by the slope of its mean, which makes it the margin's gradient at no effect).
//!
//! An effect that is not 0 is tested by giving it to the treated rows as an offset. Under least squares that takes it off
//! their outcomes; under the other models the hypothesis is that of the model, and the test is exact at no effect alone.

mod hazard;
mod packed;
mod parts;
mod rows;

use ndarray::ArrayView2;
use serde::Serialize;

pub(super) use parts::Score;

use super::outcomes::Outcomes;
use crate::regression::Family;
use crate::survival::Ties;
use crate::{Fault, Result};

/// Residuals that a studentised score is divided by.
///
/// ```
/// use crewe::resampling::Residuals;
/// assert_eq!("null".parse(), Ok(Residuals::Null));
/// assert!("raw".parse::<Residuals>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Residuals {
    /// Those of the model without the arm.
    #[default]
    Null,
    /// Those of the model with the redrawn arm; least squares and two arms only.
    Unrestricted,
}

crate::words::words!(Residuals, "choice of residuals", Null => "null", Unrestricted => "unrestricted");

/// What kind of model it is.
#[derive(Debug, Clone, Copy)]
enum Kind<'a> {
    Linear,
    Binary(Family),
    Cox { event: &'a [f64], strata: Option<&'a [u32]>, ties: Ties },
}

/// A combination of coefficients, under a name.
///
/// ```
/// use crewe::resampling::Contrast;
/// let apart = Contrast::new("c - b", [-1.0, 1.0]);
/// assert_eq!(apart.weights, [-1.0, 1.0]);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Contrast {
    /// What it is called.
    pub name: String,
    /// A weight for each coefficient.
    pub weights: Vec<f64>,
}

impl Contrast {
    /// A combination with these weights.
    pub fn new(name: impl Into<String>, weights: impl Into<Vec<f64>>) -> Self {
        Self { name: name.into(), weights: weights.into() }
    }
}

/// What of a model is compared.
///
/// ```
/// use crewe::resampling::{Compared, Contrast};
/// // Of three arms, the last with the second.
/// let pair = [Contrast::new("c - b", [-1.0, 1.0])];
/// assert!(matches!(Compared::Margins(&pair), Compared::Margins(_)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Compared<'a> {
    /// The coefficient of every arm but the reference.
    Arms,
    /// Combinations of the coefficients of the columns that hold an arm: those of the second arm (its own, then its
    /// products), those of the third, and so on.
    Coefficients(&'a [Contrast]),
    /// Combinations of the margins of the arms but the reference.
    Margins(&'a [Contrast]),
}

/// A model in which the arm stands beside these covariates.
///
/// Its rows are those of the [`Outcomes`] that it is tested with. Of a model with a constant that is a column of the
/// covariates.
///
/// ```
/// use crewe::design::{Column, Design, Units};
/// use crewe::ndarray::Array2;
/// use crewe::progress::NoMonitor;
/// use crewe::regression::Family;
/// use crewe::resampling::{ArmModel, Outcomes, RandomisationOptions, Statistic, randomisation_test};
/// let design = Design::new("Trial").arm("control", 1).arm("crewe", 1).cluster("family").seed(5);
/// let families = Column::from_values("family", ["a", "a", "b", "c", "c", "d", "e", "f"]);
/// let units = Units::from_rows(design.unit()?, &families, &[])?;
/// let trial = design.assign(&units)?;
/// let closed = Outcomes::new("closed", &[1., 0., 1., 1., 0., 0., 1., 0.], units.rows(), units.len())?;
/// let constant = Array2::ones((8, 1));
/// let model = ArmModel::binary(Family::LOGIT, constant.view());
/// let test = randomisation_test(
///     &design, &trial, &closed, Statistic::Model(model), &RandomisationOptions::default(), &NoMonitor,
/// )?;
/// assert!(test.exact && test.comparisons[0].p_value > 0.05);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ArmModel<'a> {
    kind: Kind<'a>,
    covariates: ArrayView2<'a, f64>,
    weights: Option<&'a [f64]>,
    products: Option<ArrayView2<'a, f64>>,
    compared: Compared<'a>,
    studentised: bool,
    residuals: Residuals,
}

impl<'a> ArmModel<'a> {
    /// Least squares.
    pub fn linear(covariates: ArrayView2<'a, f64>) -> Self {
        Self {
            kind: Kind::Linear,
            covariates,
            weights: None,
            products: None,
            compared: Compared::Arms,
            studentised: true,
            residuals: Residuals::Null,
        }
    }

    /// A yes-or-no outcome.
    pub fn binary(family: Family, covariates: ArrayView2<'a, f64>) -> Self {
        Self { kind: Kind::Binary(family), ..Self::linear(covariates) }
    }

    /// Cox's model: the outcomes are times, `event` says where one ended in an event, and the covariates hold no
    /// constant (without columns it is the log-rank test).
    pub fn cox(event: &'a [f64], covariates: ArrayView2<'a, f64>) -> Self {
        let kind = Kind::Cox { event, strata: None, ties: Ties::Efron };
        Self { kind, ..Self::linear(covariates) }
    }

    /// Weights of the rows of a linear model or of a family.
    #[must_use]
    pub fn weights(mut self, weights: Option<&'a [f64]>) -> Self {
        self.weights = weights;
        self
    }

    /// Columns (rows x q) that the model has a product of with every arm; each of them stands among the covariates too.
    #[must_use]
    pub fn products(mut self, products: Option<ArrayView2<'a, f64>>) -> Self {
        self.products = products;
        self
    }

    /// What is compared.
    #[must_use]
    pub fn compared(mut self, compared: Compared<'a>) -> Self {
        self.compared = compared;
        self
    }

    /// Strata of Cox's model, codes 0, 1, ..., and how its ties are treated.
    #[must_use]
    pub fn strata(mut self, codes: Option<&'a [u32]>, treated: Ties) -> Self {
        if let Kind::Cox { strata, ties, .. } = &mut self.kind {
            (*strata, *ties) = (codes, treated);
        }
        self
    }

    /// Whether the score is divided by its cluster-robust standard error; it is unless this says otherwise.
    #[must_use]
    pub fn studentised(mut self, studentised: bool) -> Self {
        self.studentised = studentised;
        self
    }

    /// With which residuals.
    #[must_use]
    pub fn residuals(mut self, residuals: Residuals) -> Self {
        self.residuals = residuals;
        self
    }

    /// Whether an effect is taken off the outcomes, so that the test of it is as exact as that of none.
    pub(super) fn is_linear(&self) -> bool {
        matches!(self.kind, Kind::Linear)
    }

    /// Whether the outcomes are times.
    pub(super) fn is_of_times(&self) -> bool {
        matches!(self.kind, Kind::Cox { .. })
    }

    /// What is compared, as weights of the columns that hold an arm; `means` are those of what stands beside the arms.
    fn targets(&self, means: &[f64]) -> Option<Vec<Vec<f64>>> {
        let spread =
            |weights: &Vec<f64>| weights.iter().flat_map(|w| means.iter().map(move |m| w * m)).collect();
        match self.compared {
            Compared::Arms => None,
            Compared::Coefficients(contrasts) => Some(contrasts.iter().map(|c| c.weights.clone()).collect()),
            Compared::Margins(contrasts) => Some(contrasts.iter().map(|c| spread(&c.weights)).collect()),
        }
    }

    /// The names of what is compared, where it is not the arms.
    pub(super) fn names(&self) -> Option<impl Iterator<Item = &str>> {
        match self.compared {
            Compared::Arms => None,
            Compared::Coefficients(contrasts) | Compared::Margins(contrasts) => {
                Some(contrasts.iter().map(|contrast| contrast.name.as_str()))
            }
        }
    }

    /// The difference in mean outcomes that an effect of the linear predictor makes, where margins of a family are
    /// compared.
    pub(super) fn raised(&self, outcomes: &Outcomes, effect: f64, treated: &[bool]) -> Option<Result<f64>> {
        let (Kind::Binary(family), Compared::Margins(_)) = (self.kind, self.compared) else { return None };
        Some(rows::raised(self, family, outcomes, effect, treated))
    }

    /// Refuses what no score can be made of.
    pub(super) fn check(&self, outcomes: &Outcomes, arms: usize) -> Result<()> {
        let n = outcomes.values.len();
        let columns = || std::iter::once(self.covariates).chain(self.products);
        if columns().any(|x| x.nrows() != n) || self.weights.is_some_and(|weights| weights.len() != n) {
            return Err(Fault::new("the covariates and the outcomes have different numbers of rows")
                .values([self.covariates.nrows().to_string(), n.to_string()])
                .remedy("Pass columns of one data frame")
                .input());
        }
        let wrong: Vec<usize> = outcomes
            .rows()
            .filter(|&row| columns().any(|x| x.row(row).iter().any(|x| !x.is_finite())))
            .collect();
        if !wrong.is_empty() {
            return Err(Fault::new("covariates are missing or infinite")
                .rows(wrong)
                .remedy("Fill them in, or leave out these rows' outcomes too")
                .input());
        }
        self.check_compared(arms)?;
        if let Kind::Cox { event, strata, .. } = self.kind {
            if event.len() != n || strata.is_some_and(|codes| codes.len() != n) {
                return Err(Fault::new("times and events have different numbers of rows")
                    .values([n.to_string(), event.len().to_string()])
                    .remedy("Pass columns of one data frame")
                    .input());
            }
            if self.weights.is_some() {
                return Err(Fault::new("the score of a weighted Cox model is not tested")
                    .remedy("Fit it without weights")
                    .input());
            }
            if self.products.is_some() || matches!(self.compared, Compared::Margins(_)) {
                return Err(Fault::new("a Cox model is tested by coefficients of the arms alone")
                    .remedy("Leave out products with the arm, and compare restricted means for a margin")
                    .input());
            }
        }
        let plain = self.products.is_none() && self.compared == Compared::Arms;
        if self.residuals == Residuals::Unrestricted
            && (arms != 2 || !self.is_linear() || !self.studentised || !plain)
        {
            return Err(Fault::new("unrestricted residuals are for studentised least squares of two arms")
                .remedy("Take the residuals of the model without the arm")
                .input());
        }
        Ok(())
    }

    fn check_compared(&self, arms: usize) -> Result<()> {
        let beside = 1 + self.products.map_or(0, |products| products.ncols());
        let (contrasts, wanted) = match self.compared {
            Compared::Arms => return Ok(()),
            Compared::Coefficients(contrasts) => (contrasts, (arms - 1) * beside),
            Compared::Margins(contrasts) => (contrasts, arms - 1),
        };
        let wrong = |c: &&Contrast| {
            let said = c.weights.iter().any(|w| *w != 0.0) && c.weights.iter().all(|w| w.is_finite());
            c.weights.len() != wanted || !said
        };
        let found: Vec<String> =
            contrasts.iter().filter(wrong).map(|c| format!("{}: {:?}", c.name, c.weights)).collect();
        if contrasts.is_empty() || !found.is_empty() {
            return Err(Fault::new("what is compared does not fit the model")
                .values(found)
                .remedy(format!("Give {wanted} finite weights, not all 0, for each comparison"))
                .input());
        }
        Ok(())
    }

    /// The score made ready for the hypothesis that the arm of the treated rows has this effect.
    pub(super) fn at(
        &self,
        outcomes: &Outcomes,
        effect: f64,
        treated: &[bool],
        arms: usize,
    ) -> Result<Score> {
        match self.kind {
            Kind::Linear | Kind::Binary(_) => rows::score(self, outcomes, effect, treated, arms),
            Kind::Cox { event, strata, ties } => {
                hazard::score(self, (event, strata, ties), outcomes, effect, treated, arms)
            }
        }
    }
}
