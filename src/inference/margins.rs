//! Predicted means at settings of the covariates, and their differences, ratios and odds ratios.
//!
//! A setting is a list of rows of the design: one row, such as the means of the covariates with the arm set, or every row
//! of the data with the arm set (g-computation). Its level is the (weighted) mean of `mu(x'b)` over the rows, with the
//! gradient `g = sum of w mu'(x'b) x`, and the standard error and degrees of freedom are those of g as a contrast of the
//! coefficients (the delta method; covariates are taken as fixed). The interval of a level at one row is that of the
//! linear predictor, transformed. Ratios and odds ratios are compared on the log scale: the contrast of `log m_1 - log m_0`
//! is `g_1 / m_1 - g_0 / m_0`, that of the log odds has `m (1 - m)` below. Everything is worked out in centred columns.

use ndarray::{ArrayView1, ArrayView2};
use serde::Serialize;

use super::contrasts::Contrasts;
use super::covariance::Covariance;
use super::fitted::{Identity, Link};
use super::level::check_level;
use crate::words::words;
use crate::{Fault, Result};

/// How levels are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Compare {
    /// `m_1 - m_0`.
    #[default]
    Difference,
    /// `m_1 / m_0`; of Cox models the hazard ratio.
    Ratio,
    /// `m_1 / (1 - m_1)` over `m_0 / (1 - m_0)`.
    OddsRatio,
}

words!(
    Compare,
    "comparison of levels",
    Difference => "difference",
    Ratio => "ratio",
    OddsRatio => "odds_ratio",
);

impl Compare {
    /// Whether levels are compared on the log scale.
    pub fn is_log(self) -> bool {
        self != Self::Difference
    }
}

/// Rows of the design over which a prediction is averaged.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    rows: ArrayView2<'a, f64>,
    rest: Option<ArrayView1<'a, f64>>,
    weights: Option<ArrayView1<'a, f64>>,
}

impl<'a> Setting<'a> {
    /// Rows with the columns that the model was fitted to (the intercept implied where it was).
    pub fn new(rows: ArrayView2<'a, f64>) -> Self {
        Self { rows, rest: None, weights: None }
    }

    /// What the values of a single row are beyond doubles: the mean of a column beside whose size its standard deviation
    /// is nothing.
    #[must_use]
    pub fn rest(mut self, rest: ArrayView1<'a, f64>) -> Self {
        self.rest = Some(rest);
        self
    }

    /// Weights of the rows in the average.
    #[must_use]
    pub fn weights(mut self, weights: Option<ArrayView1<'a, f64>>) -> Self {
        self.weights = weights;
        self
    }
}

/// Levels at settings, and their comparisons.
///
/// ```
/// use crewe::inference::{Compare, Setting, Vcov};
/// use crewe::regression::Logit;
/// use ndarray::array;
/// let y = array![1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0];
/// let x = array![[0.0], [0.0], [0.0], [0.0], [1.0], [1.0], [1.0], [1.0]];
/// let fit = Logit::new(y.view(), x.view()).fit()?;
/// let robust = fit.vcov(Vcov::Hc1, None)?;
/// let arms = [array![[0.0]], array![[1.0]]];
/// let settings = [Setting::new(arms[0].view()), Setting::new(arms[1].view())];
/// let margins = robust.margins(&settings, &[[1, 0]], Compare::Ratio, 0.95)?;
/// assert!((margins.levels.estimate[1] - 0.75).abs() < 1e-12);
/// assert!((margins.comparisons.exponentiated().estimate[0] - 3.0).abs() < 1e-11);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Margins {
    /// One level a setting; none for Cox models.
    pub levels: Contrasts,
    /// One comparison a pair: differences, or logarithms of ratios.
    pub comparisons: Contrasts,
    /// How they were compared.
    pub compare: Compare,
}

/// A level and what it depends on.
struct Level {
    mean: f64,
    /// Its gradient in the coefficients of the centred model, length k.
    gradient: Vec<f64>,
    /// The linear predictor of a single row and its gradient.
    point: Option<(f64, Vec<f64>)>,
}

impl Covariance<'_> {
    /// The levels of the outcome at settings, and the comparisons of `pairs` of them: the second of a pair is the one that
    /// is compared with.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for settings of another width or without rows, values that are not finite, pairs of settings that
    /// are not there, ratios of levels that are not above 0 (odds: not between 0 and 1), or a level that is not between 0
    /// and 1.
    pub fn margins(
        &self,
        settings: &[Setting<'_>],
        pairs: &[[usize; 2]],
        compare: Compare,
        level: f64,
    ) -> Result<Margins> {
        check_level(level)?;
        if let Some(pair) = pairs.iter().flatten().find(|place| **place >= settings.len()) {
            return Err(Fault::new(format!("there is no setting {pair} among {}", settings.len())).input());
        }
        let levels: Vec<Level> =
            settings.iter().map(|setting| self.level_at(setting)).collect::<Result<_>>()?;
        if self.fit().link().is_none() {
            return self.hazard_ratios(&levels, pairs, compare, level);
        }
        let (contrasts, estimates): (Vec<_>, Vec<_>) = pairs
            .iter()
            .map(|&[one, base]| {
                let (contrast, estimate) = compared(&levels[one], &levels[base], compare)?;
                // Of means that are linear the difference is a contrast, which a common level costs no digits.
                let linear = compare == Compare::Difference && self.link().name() == Identity.name();
                let estimate = if linear { self.fit().bread().estimate(&contrast) } else { estimate };
                Ok((contrast, estimate))
            })
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .unzip();
        let comparisons = self.table(estimates, &contrasts, level)?;
        Ok(Margins { levels: self.levels(&levels, level)?, comparisons, compare })
    }

    /// The prediction for every row of `rows` (m x the columns that the model was fitted to), on the scale of the outcome
    /// or of the linear predictor.
    ///
    /// # Errors
    /// As [`Covariance::margins`].
    pub fn predict(
        &self,
        rows: ArrayView2<'_, f64>,
        linear_predictor: bool,
        level: f64,
    ) -> Result<Contrasts> {
        check_level(level)?;
        let levels: Vec<Level> = rows
            .outer_iter()
            .map(|row| self.level_at(&Setting::new(row.insert_axis(ndarray::Axis(0)))))
            .collect::<Result<_>>()?;
        if linear_predictor || self.fit().link().is_none() {
            let (estimates, contrasts): (Vec<_>, Vec<_>) =
                levels.into_iter().filter_map(|level| level.point).unzip();
            return self.table(estimates, &contrasts, level);
        }
        self.levels(&levels, level)
    }

    fn levels(&self, levels: &[Level], level: f64) -> Result<Contrasts> {
        let gradients: Vec<Vec<f64>> = levels.iter().map(|level| level.gradient.clone()).collect();
        let mut table = self.table(levels.iter().map(|level| level.mean).collect(), &gradients, level)?;
        let link = self.link();
        let points: Vec<usize> = (0..levels.len()).filter(|&i| levels[i].point.is_some()).collect();
        if link.name() == Identity.name() || points.is_empty() {
            return Ok(table);
        }
        let (predictors, contrasts): (Vec<_>, Vec<_>) =
            points.iter().filter_map(|&i| levels[i].point.clone()).unzip();
        let linear = self.table(predictors, &contrasts, level)?;
        for (&i, (low, high)) in points.iter().zip(linear.conf_low.iter().zip(&linear.conf_high)) {
            table.conf_low[i] = link.mean(*low);
            table.conf_high[i] = link.mean(*high);
        }
        Ok(table)
    }

    fn link(&self) -> &'static dyn Link {
        self.fit().link().unwrap_or(&Identity)
    }

    fn table(&self, estimate: Vec<f64>, centred: &[Vec<f64>], level: f64) -> Result<Contrasts> {
        let (errors, df) = self.spread(centred)?;
        Contrasts::from_parts(estimate, errors, df, level)
    }

    /// Hazards have no level, only ratios: those of the linear predictors.
    fn hazard_ratios(
        &self,
        levels: &[Level],
        pairs: &[[usize; 2]],
        compare: Compare,
        level: f64,
    ) -> Result<Margins> {
        if compare != Compare::Ratio {
            return Err(Fault::new(format!("hazards cannot be compared by {compare}"))
                .remedy("Compare them by their ratio, or compare risks at a time")
                .input());
        }
        let point = |i: usize| levels[i].point.as_ref();
        let (estimates, contrasts): (Vec<f64>, Vec<Vec<f64>>) = pairs
            .iter()
            .filter_map(|&[one, base]| {
                let (a, b) = (point(one)?, point(base)?);
                let contrast: Vec<f64> = a.1.iter().zip(&b.1).map(|(a, b)| a - b).collect();
                Some((self.fit().bread().estimate(&contrast), contrast))
            })
            .unzip();
        if estimates.len() < pairs.len() {
            return Err(Fault::new("hazard ratios compare single rows")
                .remedy("Give one row for each setting, such as the means of the covariates")
                .input());
        }
        let comparisons = self.table(estimates, &contrasts, level)?;
        Ok(Margins { levels: self.table(Vec::new(), &[], level)?, comparisons, compare })
    }

    fn level_at(&self, setting: &Setting<'_>) -> Result<Level> {
        let bread = self.fit().bread();
        let link = self.link();
        let first = usize::from(bread.has_intercept());
        let k = bread.k();
        let n = setting.rows.nrows();
        if setting.rows.ncols() + first != k || n == 0 {
            return Err(Fault::new(format!(
                "a setting has {n} rows and {} columns for a model of {} columns",
                setting.rows.ncols(),
                k - first
            ))
            .remedy("Give rows with the columns that the model was fitted to")
            .input());
        }
        if setting.weights.is_some_and(|weights| weights.len() != n)
            || setting.rest.is_some_and(|rest| n != 1 || rest.len() + first != k)
        {
            return Err(Fault::new("the weights of a setting are not one a row").input());
        }
        let total = setting.weights.map_or(n as f64, |weights| weights.sum());
        let mut level = Level { mean: 0.0, gradient: vec![0.0; k], point: None };
        let mut row = vec![0.0; k];
        for (i, values) in setting.rows.outer_iter().enumerate() {
            if first == 1 {
                row[0] = 1.0;
            }
            for (j, &value) in values.iter().enumerate() {
                let j = j + first;
                let rest = setting.rest.map_or(0.0, |rest| rest[j - first]);
                row[j] = (value - bread.center()[j]) - bread.center_rest()[j] + rest;
            }
            let predictor = bread.estimate(&row);
            if !predictor.is_finite() {
                return Err(Fault::new("the values of a setting are missing or infinite")
                    .rows([i])
                    .remedy("Give a number for every column")
                    .input());
            }
            let share = setting.weights.map_or(1.0, |weights| weights[i]) / total;
            level.mean += share * link.mean(predictor);
            let slope = share * link.slope(predictor);
            for (sum, value) in level.gradient.iter_mut().zip(&row) {
                *sum += slope * value;
            }
            if n == 1 {
                level.point = Some((predictor, row.clone()));
            }
        }
        Ok(level)
    }
}

/// The contrast of the coefficients that a comparison is, and its estimate.
fn compared(one: &Level, base: &Level, compare: Compare) -> Result<(Vec<f64>, f64)> {
    let less = |a: f64, b: f64| -> Vec<f64> {
        one.gradient.iter().zip(&base.gradient).map(|(g, h)| g / a - h / b).collect()
    };
    let (a, b) = (one.mean, base.mean);
    match compare {
        Compare::Difference => Ok((less(1.0, 1.0), a - b)),
        Compare::Ratio if a > 0.0 && b > 0.0 => Ok((less(a, b), (a / b).ln())),
        Compare::OddsRatio if a > 0.0 && b > 0.0 && a < 1.0 && b < 1.0 => {
            let odds = |m: f64| m * (1.0 - m);
            Ok((less(odds(a), odds(b)), (a / (1.0 - a)).ln() - (b / (1.0 - b)).ln()))
        }
        _ => Err(Fault::new(format!(
            "levels of {a:.4} and {b:.4} have no {}",
            if compare == Compare::Ratio { "ratio on the log scale" } else { "odds" }
        ))
        .remedy("Compare them by their difference")
        .input()),
    }
}

impl Contrasts {
    /// With estimates and limits exponentiated: ratios from their logarithms. Standard errors, statistics and p-values
    /// stay those of the logarithms.
    #[must_use]
    pub fn exponentiated(mut self) -> Self {
        for values in [&mut self.estimate, &mut self.conf_low, &mut self.conf_high] {
            values.iter_mut().for_each(|value| *value = value.exp());
        }
        self
    }
}
