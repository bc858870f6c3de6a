//! Profiles of the penalised likelihood: an interval and a test of one coefficient at a time.
//!
//! `l*(b_j)`, the maximum of the penalised log-likelihood over all other coefficients with the penalty of all columns, is
//! `q / 2` below its maximum at both limits, q being the chi-squared quantile of the level on 1 degree of freedom. The
//! statistic of `b_j = 0` is the root of the likelihood ratio with the sign of the estimate, which refers to the normal; its
//! square is R's logistf's. Limits are found by Newton's method on the root of the likelihood ratio, whose derivative is
//! the score at the profile over it, within a bracket. All of it runs on whitened rows, of which a coefficient is a
//! combination whatever the columns. Rows count as independent.
//!
//! G. Heinze and M. Schemper (2002), doi:10.1002/sim.1047; D. J. Venzon and S. H. Moolgavkar (1988), doi:10.2307/2347496.

use nalgebra::DMatrix;

use super::firth::{Climb, Point, unfinished, whitened};
use super::fit::Fit;
use super::glm::GlmSummary;
use crate::inference::{Contrasts, check_level};
use crate::linalg::DesignMatrix;
use crate::{Fault, Result, dist};

/// Points at which a limit is sought before it is given up.
const POINTS: usize = 100;
/// The move of a limit, in standard errors, that ends its search.
const CLOSE: f64 = 1e-11;
/// The furthest that a limit is sought, in standard errors.
const FURTHEST: f64 = 1e4;

/// A point of a profile.
struct Place {
    /// The value of the coefficient.
    value: f64,
    /// The coefficients of the whitened rows.
    coef: Vec<f64>,
    /// The root of the likelihood ratio, without a sign.
    root: f64,
    /// The derivative of the profile.
    slope: f64,
}

/// The profile of one coefficient.
struct Profile<'p, 'x, 'y> {
    climb: &'p Climb<'p, 'x, 'y>,
    /// The coefficient is `u'g` of the coefficients g of the whitened rows.
    direction: &'p [f64],
    /// The directions that leave it as it is.
    free: DMatrix<f64>,
    most: f64,
}

impl Fit<'_, GlmSummary> {
    /// Estimates, standard errors from the information, tests and intervals at `level` by profiles of the penalised
    /// likelihood.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for a fit without a penalty and for a level that is not between 0 and 1;
    /// [`crate::Error::Convergence`] where a limit is not found.
    ///
    /// ```
    /// use crewe::regression::{Logit, Penalty};
    /// use ndarray::array;
    /// // No event of 4 against 3 of 4: separated, and yet finite.
    /// let y = array![0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0];
    /// let x = array![[0.0], [0.0], [0.0], [0.0], [1.0], [1.0], [1.0], [1.0]];
    /// let fit = Logit::new(y.view(), x.view()).penalty(Penalty::Firth).fit()?;
    /// // Half an event more in every cell: ln (3.5 / 1.5) - ln (.5 / 4.5).
    /// assert!((fit.coef()[1] - 21.0_f64.ln()).abs() < 1e-10);
    /// let profile = fit.profile(0.95)?;
    /// assert!(profile.conf_low[1] > 0.0 && profile.conf_high[1].is_finite());
    /// # Ok::<(), crewe::Error>(())
    /// ```
    pub fn profile(&self, level: f64) -> Result<Contrasts> {
        check_level(level)?;
        let summary = self.summary();
        let (estimates, bread) = (&summary.estimates, &summary.estimates.bread);
        if summary.penalised.is_none() {
            return Err(Fault::new("profile likelihoods are those of penalised fits")
                .remedy("Fit the model with Firth's penalty, or take a covariance")
                .input());
        }
        let k = estimates.k();
        let (x, y) = self.data();
        let rows = whitened(x, bread);
        let (design, center) = (DesignMatrix::new(rows.view(), false), vec![0.0; k]);
        let climb = Climb { x: &design, y, center: &center, weights: None };
        // Once more on these rows: what is left of the way is rounding, and the profile is compared with this very number.
        let top = climb.maximise(bread.whitened_coef().to_vec(), None)?.ok_or_else(unfinished)?;
        let z = dist::normal_quantile(0.5 + 0.5 * level);
        let root = bread.coefficients();
        let mut table = Contrasts::from_parts(
            estimates.coef.clone(),
            root.outer_iter().map(|u| u.dot(&u).sqrt()).collect(),
            vec![f64::INFINITY; k],
            level,
        )?;
        for (j, u) in root.outer_iter().enumerate() {
            let direction = u.to_vec();
            let free = beside(&direction);
            let profile = Profile { climb: &climb, direction: &direction, free, most: top.penalised };
            let (estimate, se) = (table.estimate[j], table.std_error[j]);
            let null = profile.at(0.0, &top.coef)?.ok_or_else(unfinished)?;
            table.statistic[j] = null.root.copysign(estimate);
            table.p_value[j] = dist::t_two_sided(null.root, f64::INFINITY);
            table.conf_low[j] = profile.limit(estimate, -se, z, &top)?;
            table.conf_high[j] = profile.limit(estimate, se, z, &top)?;
        }
        Ok(table)
    }
}

impl Profile<'_, '_, '_> {
    /// The profile at a value of the coefficient, from other coefficients on. `None` where it does not settle.
    fn at(&self, value: f64, from: &[f64]) -> Result<Option<Place>> {
        let square: f64 = self.direction.iter().map(|u| u * u).sum();
        let now: f64 = self.direction.iter().zip(from).map(|(u, g)| u * g).sum();
        let start = from.iter().zip(self.direction).map(|(g, u)| g + u * (value - now) / square).collect();
        Ok(self.climb.maximise(start, Some(&self.free))?.map(|Point { coef, score, penalised, .. }| Place {
            value,
            coef,
            root: (2.0 * (self.most - penalised)).max(0.0).sqrt(),
            // At the profile the score is a multiple of the direction.
            slope: self.direction.iter().zip(&score).map(|(u, s)| u * s).sum::<f64>() / square,
        }))
    }

    /// The value beyond the estimate, on the side of `se`, at which the root of the likelihood ratio is `z`.
    fn limit(&self, estimate: f64, se: f64, z: f64, top: &Point) -> Result<f64> {
        let mut inside = Place { value: estimate, coef: top.coef.clone(), root: 0.0, slope: 0.0 };
        let mut outside: Option<f64> = None;
        let mut value = estimate + z * se;
        for _ in 0..POINTS {
            let place = self.at(value, &inside.coef)?;
            let Some(place) = place.filter(|place| place.root.is_finite()) else {
                outside = Some(value);
                value = 0.5 * (inside.value + value);
                continue;
            };
            // The derivative of the root; its sign is that of the side.
            let rise = -place.slope / place.root;
            let next = value - (place.root - z) / rise;
            if (next - value).abs() <= CLOSE * se.abs() {
                return Ok(next);
            }
            if place.root < z {
                inside = place;
            } else {
                outside = Some(value);
            }
            let beyond = (next - inside.value) * se > 0.0;
            value = match outside {
                Some(outside) if beyond && (outside - next) * se > 0.0 => next,
                Some(outside) => 0.5 * (inside.value + outside),
                // Not further than twice the way at once.
                None => {
                    let most = estimate + 2.0 * (inside.value - estimate);
                    if beyond && (most - next) * se > 0.0 { next } else { most }
                }
            };
            if outside.is_some_and(|outside| (outside - inside.value).abs() <= CLOSE * se.abs()) {
                return Ok(value);
            }
            if (value - estimate).abs() > FURTHEST * se.abs() {
                break;
            }
        }
        Err(Fault::new("a limit of the profile likelihood was not found")
            .remedy("Take the intervals of a covariance, with vcov='iid'")
            .convergence())
    }
}

/// An orthonormal basis of what is at right angles to a direction, k x (k - 1): Householder's reflection of it.
fn beside(direction: &[f64]) -> DMatrix<f64> {
    let k = direction.len();
    let length = direction.iter().map(|u| u * u).sum::<f64>().sqrt();
    let mut v: Vec<f64> = direction.iter().map(|u| u / length).collect();
    v[0] += 1.0_f64.copysign(v[0]);
    let square: f64 = v.iter().map(|v| v * v).sum();
    DMatrix::from_fn(k, k - 1, |a, b| f64::from(u8::from(a == b + 1)) - 2.0 * v[a] * v[b + 1] / square)
}
