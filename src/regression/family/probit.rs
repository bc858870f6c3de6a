//! The probit: `mu = Phi(eta)`, the standard normal distribution function.
//!
//! For an outcome that the linear predictor speaks `towards` by t the score factor is the inverse Mills ratio
//! `l = phi(t) / Phi(t)` with the sign of the outcome, and the observed weight `l (l + t)`. Inference takes the expected
//! information, whose weight is `phi^2 / (Phi (1 - Phi)) = l(eta) l(-eta)`, as R's `glm` and clubSandwich do. J. Albert and
//! S. Chib (1993), doi:10.2307/2290350, for the model; D. McCullagh and J. Nelder (1989), 4.3.

use super::{Binary, Ends};
use crate::Result;
use crate::dist::{normal_cdf, normal_pdf};
use crate::inference::Link;
use crate::linalg::gram::BLOCK;
use crate::progress::{Pace, watcher};
use crate::regression::pass::{Data, Kernel, Newton, State};

/// The family; see the [module](self).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Probit;

/// Basic steps of one value of a row.
const STEP: usize = 64;
/// Below this the tail of the normal is taken by its continued fraction.
const TAIL: f64 = -20.0;

impl Link for Probit {
    fn name(&self) -> &'static str {
        "probit"
    }

    fn mean(&self, predictor: f64) -> f64 {
        normal_cdf(predictor)
    }

    fn slope(&self, predictor: f64) -> f64 {
        normal_pdf(predictor)
    }
}

impl Binary for Probit {
    fn link(&self) -> &'static dyn Link {
        &Self
    }

    fn state(&self, data: Data<'_, '_, '_>, coef: &[f64], before: Vec<f64>) -> Result<State> {
        State::at::<Self>(data, coef, before)
    }

    fn ends(&self, predictor: &[f64], y: &dyn Fn(usize) -> f64) -> Result<Ends> {
        let sign = |i: usize| 2.0 * y(i) - 1.0;
        let watcher = watcher();
        let mut pace = Pace::new(&watcher);
        let mut each = |of: &dyn Fn(usize, f64) -> f64| -> Result<Vec<f64>> {
            predictor.iter().enumerate().map(|(i, &eta)| pace.by(STEP).map(|()| of(i, eta))).collect()
        };
        Ok(Ends {
            residuals: each(&|i, eta| sign(i) * normal_cdf(-sign(i) * eta))?,
            factors: Some(each(&|i, eta| sign(i) * inverse_mills(sign(i) * eta))?),
            roots: each(&|_, eta| (inverse_mills(eta) * inverse_mills(-eta)).sqrt())?,
            variances: Some(each(&|_, eta| normal_cdf(eta) * normal_cdf(-eta))?),
        })
    }
}

impl Kernel for Probit {
    fn newton(eta: &[f64; BLOCK], sign: &[f64], into: &mut Newton) {
        for (i, (eta, sign)) in eta.iter().zip(sign).enumerate() {
            let towards = sign * eta;
            let ratio = inverse_mills(towards);
            into.factor[i] = sign * ratio;
            into.weight[i] = ratio * (ratio + towards);
            into.low[i] = log_cdf(towards, ratio);
        }
    }
}

/// `phi(t) / Phi(t)`. Far below 0 it is `x + 1 / (x + 2 / (x + 3 / ...))` with x = -t.
fn inverse_mills(t: f64) -> f64 {
    if t > TAIL {
        return normal_pdf(t) / normal_cdf(t);
    }
    let x = -t;
    (1..=30).rev().fold(x, |rest, j| x + f64::from(j) / rest)
}

/// `ln Phi(t)`, given the inverse Mills ratio.
fn log_cdf(t: f64, ratio: f64) -> f64 {
    if t > TAIL {
        return normal_cdf(t).ln();
    }
    -0.5 * t * t - 0.5 * std::f64::consts::TAU.ln() - ratio.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_meets_the_middle() {
        let (below, above) = (TAIL - 1e-9, TAIL + 1e-9);
        assert!((inverse_mills(below) / inverse_mills(above) - 1.0).abs() < 1e-9);
        let log = |t: f64| log_cdf(t, inverse_mills(t));
        assert!((log(below) / log(above) - 1.0).abs() < 1e-9);
        // R: dnorm(-50, log = TRUE) - pnorm(-50, log.p = TRUE).
        assert!((inverse_mills(-50.0).ln() - 3.912_422_606_215_2).abs() < 1e-12);
        assert!(inverse_mills(300.0) == 0.0 && log(300.0) == 0.0);
    }
}
