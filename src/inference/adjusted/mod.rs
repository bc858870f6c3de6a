//! Bias-reduced linearisation (CR2), CR3 and Satterthwaite degrees of freedom, in k x k algebra.
//!
//! With the whitened score `t_g` and information `L_g` of cluster g the adjusted score is `B_g t_g`,
//! `B_g = (I - L_g)^{-p}`, p = 1/2 for CR2 and 1 for CR3 and the jackknife. Where L_g is the product F'F of a factor of
//! r rows, `M = F F'` is only r x r and `B_g = I + F' phi(M) F`, with `phi(l) = ((1 - l)^{-p} - 1) / l`. In families
//! `M` is small, and phi is a short power series; else it comes from eigenvectors.
//!
//! For a contrast whose whitened form is u the variance is `sum_g (u' B_g t_g)^2`. Under the working model with
//! independent errors its moments follow from `Gamma_gg = u' L_g u` and, between clusters, `Gamma_gh = -q_g' q_h` with
//! `q_g = L_g B_g u`, and the Satterthwaite degrees of freedom are `(tr Gamma)^2 / sum_gh Gamma_gh^2`. The sum over pairs
//! is `|| sum_g q_g q_g' ||^2 - sum_g |q_g|^4`: no n_g x n_g, no G x G. The diagonal is not taken as
//! `u' B L B u - q'q`, which cancels where a cluster determines a coefficient nearly by itself. There q_g is long too, and
//! such clusters take their part in the sum over pairs one by one.
//!
//! What a cluster leaves to the others, an eigenvalue r of `I - L_g`, decides its weight `r^{-p}`. Where it is small it is
//! taken as the sum of what the other clusters have in that direction, to all its digits, and not as a difference from
//! 1; below [`Fitted::resolution`] it counts as 0, and its inverse power too (Moore and Penrose). Such a cluster has a
//! score near 0, which is taken from residuals with more digits, and an adjusted score far above all others, which is kept
//! apart from their sum: the variances of the coefficients that it does not determine would drown in it.
//!
//! A [`Job`] says what is asked, `pass` asks it of all clusters, and `cluster` answers for one of them: by `powers` in
//! series, as `light` does for families, or by `eigenvectors`. From the sums come the degrees of freedom of each contrast
//! (`freedom`); those of several together (`joint`) look at the clusters one by one.
//!
//! Hansen's jackknife is the same with p = 1: its variance is `sum_g (u' B_g t_g)^2` too, with `Gamma_gg = u' L_g B_g u`, and
//! since that is not expected to be the variance of the estimate, `tr Gamma / u'u` says how much larger it is (`freedom`).
//! Where the others do not determine a coefficient, `least_norm` says what the model without the cluster is.
//!
//! B. E. Hansen (2025), Jackknife standard errors for clustered regression, doi:10.1093/restud/rdag050.
//!
//! Bell and McCaffrey (2002); Pustejovsky and Tipton (2018), doi:10.1080/07350015.2016.1247004, section 4.

mod cluster;
mod eigenvectors;
mod freedom;
mod job;
mod joint;
mod least_norm;
mod light;
mod pass;
mod powers;

pub(super) use self::freedom::{Law, at_least_one};
pub(super) use self::joint::hotelling;
pub(super) use self::powers::Power;

use ndarray::Array2;

use self::job::Job;
use super::fitted::{Fitted, LANE};
use crate::Result;

/// Numbers in the outer products of the contrasts that are worked on at once.
const OUTER: usize = 250_000;

/// The middle of the sandwich of adjusted scores, in whitened columns.
pub(super) struct Adjusted {
    /// `sum_g s_g s_g'`, k x k, without those that are apart.
    pub middle: Array2<f64>,
    /// The adjusted scores of clusters that determine a coefficient nearly by themselves, each of length k.
    pub apart: Vec<Vec<f64>>,
    /// Clusters that determine a coefficient by themselves.
    pub degenerate: usize,
}

/// The adjusted middle.
pub(super) fn adjusted(fit: &dyn Fitted, power: Power) -> Result<Adjusted> {
    let k = fit.bread().k();
    let job = Job::new(fit, power, &[], true)?;
    let total = job.sums()?;
    let width = job.width;
    let middle = Array2::from_shape_fn((k, k), |(a, b)| total.middle[a.min(b) * width + a.max(b)]);
    Ok(Adjusted { middle, apart: total.apart, degenerate: total.degenerate })
}

/// The adjusted middle with the laws of contrasts in whitened form, in one pass: under CR2 Satterthwaite's degrees of
/// freedom; under the power 1 those of Hansen's jackknife and its scale, without a cluster that leaves a coefficient no
/// information in a second pass, with the least of all solutions.
pub(super) fn with_laws(
    fit: &dyn Fitted,
    power: Power,
    contrasts: &[Vec<f64>],
) -> Result<(Adjusted, Vec<Law>)> {
    let k = fit.bread().k();
    let width = k.next_multiple_of(LANE);
    let at_once = (OUTER / (width * width)).max(1);
    let mut first = None;
    let mut laws = Vec::with_capacity(contrasts.len());
    let lists: Vec<&[Vec<f64>]> =
        if contrasts.is_empty() { vec![contrasts] } else { contrasts.chunks(at_once).collect() };
    for some in lists {
        let mut job = Job::new(fit, power, some, true)?;
        let mut total = job.sums()?;
        if power == Power::One && total.degenerate > 0 {
            job = job.of_least_norm();
            total = job.sums()?;
        }
        laws.extend(job.laws(&total)?);
        if first.is_none() {
            let width = job.width;
            let middle = Array2::from_shape_fn((k, k), |(a, b)| total.middle[a.min(b) * width + a.max(b)]);
            first = Some(Adjusted { middle, apart: total.apart, degenerate: total.degenerate });
        }
    }
    // The list holds at least one element, so the first pass has been made.
    let first =
        first.unwrap_or_else(|| Adjusted { middle: Array2::zeros((k, k)), apart: Vec::new(), degenerate: 0 });
    Ok((first, laws))
}

/// The laws of contrasts in whitened form.
pub(super) fn laws(fit: &dyn Fitted, power: Power, contrasts: &[Vec<f64>]) -> Result<Vec<Law>> {
    if contrasts.is_empty() {
        return Ok(Vec::new());
    }
    Ok(with_laws(fit, power, contrasts)?.1)
}
