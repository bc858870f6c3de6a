//! The noncentral t distribution.
//!
//! `T = (Z + lambda) / S` with `S^2` a chi-squared over its `nu` degrees of freedom, so
//!
//! ```text
//! P(T <= t) = E Phi(t S - lambda),    P(T > t) = E Phi(lambda - t S).
//! ```
//!
//! The expectation over `u = ln S`, whose density is proportional to `exp(nu (u - (e^{2u} - 1) / 2))`, is taken by the
//! trapezoidal rule, which converges geometrically for an analytic integrand that dies out at both ends. The
//! constant of the density comes from the same nodes, and each tail is a sum of positive terms: no cancellation and
//! no gamma function. Definition: N. L. Johnson, S. Kotz and N. Balakrishnan, *Continuous Univariate Distributions*,
//! volume 2, second edition, Wiley, 1995, chapter 31. Rule: L. N. Trefethen and J. A. C. Weideman, SIAM Review 56
//! (2014) 385-458, <https://doi.org/10.1137/130932132>.

use crate::dist::normal_cdf;

/// `P(T <= t)` for `df` degrees of freedom (infinite: the normal) and the given noncentrality; NaN where any is, and for
/// df so far below 1 or t so far out that a thousand million nodes would not do.
///
/// ```
/// use crewe::power::noncentral;
/// // Without noncentrality it is Student's t.
/// assert!((noncentral::cdf(2.0, 7.0, 0.0) + 0.5 * crewe::dist::t_two_sided(2.0, 7.0) - 1.0).abs() < 1e-14);
/// ```
pub fn cdf(t: f64, df: f64, noncentrality: f64) -> f64 {
    expectation(df, t, |s| normal_cdf(t * s - noncentrality))
}

/// `P(T > t)`, with full relative precision in the upper tail; NaN as for [`cdf`].
///
/// ```
/// use crewe::power::noncentral;
/// // The power of a two-sided test at 5% with 18 degrees of freedom and an effect of three standard errors, as R has it.
/// assert!((noncentral::sf(2.1009, 18.0, 3.0) - 0.809712).abs() < 1e-6);
/// ```
pub fn sf(t: f64, df: f64, noncentrality: f64) -> f64 {
    expectation(df, t, |s| normal_cdf(noncentrality - t * s))
}

/// `P(Z + low > c S and Z + high < -c S)`, the power of two one-sided tests that share their estimate of the variance.
///
/// The integrand is smooth up to the `S` at which the two bounds meet and nil beyond, so the rule runs over `S` from 0 to
/// there, by Gauss's nodes on pieces as narrow as the density.
pub(super) fn between(low: f64, high: f64, c: f64, df: f64) -> f64 {
    let end = (low - high) / (2.0 * c);
    if end.is_nan() || end <= 0.0 {
        return 0.0;
    }
    // Density of S: that of `cdf` over `u = ln S`, its constant from the same sum over the whole line.
    let log_density = |u: f64| df * (u - 0.5 * libm::expm1(2.0 * u));
    let step = 0.125 / (2.0 * df).sqrt().max(1.0);
    let mut mass = 1.0;
    for direction in [-step, step] {
        for i in 1_u32.. {
            let log = log_density(direction * f64::from(i));
            if log < NEGLIGIBLE {
                break;
            }
            mass += log.exp();
        }
    }
    // From where the density is negligible to the end, or to where it is negligible again.
    let spread = 1.0 / (2.0 * df).sqrt();
    let top = end.ln().min(14.0 * spread.min(1.0));
    let bottom = (NEGLIGIBLE / df).min(-14.0 * spread);
    if top <= bottom {
        return 0.0;
    }
    let pieces = ((top - bottom) / (0.5 * spread.min(1.0 / c.max(1.0)))).ceil().clamp(1.0, 1e6);
    let width = (top - bottom) / pieces;
    let mut sum = 0.0;
    for piece in 0..pieces as u64 {
        let middle = bottom + (piece as f64 + 0.5) * width;
        for (node, weight) in GAUSS {
            for side in [-node, node] {
                let u = middle + 0.5 * width * side;
                let s = u.exp();
                let inside = normal_cdf(-high - c * s) - normal_cdf(c * s - low);
                sum += weight * 0.5 * width * log_density(u).exp() * inside.max(0.0);
            }
        }
    }
    (sum / (mass * step)).clamp(0.0, 1.0)
}

/// Nodes and weights of Gauss and Legendre's rule of eight points, the positive half.
const GAUSS: [(f64, f64); 4] = [
    (0.183_434_642_495_649_8, 0.362_683_783_378_362),
    (0.525_532_409_916_329, 0.313_706_645_877_887_27),
    (0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
    (0.960_289_856_497_536_3, 0.101_228_536_290_376_26),
];

/// Where the log-density has fallen so far, the rest is left out.
const NEGLIGIBLE: f64 = -80.0;

/// Nodes beyond which the rule is not run (some ten seconds): df far below 1, or t beyond a million.
const MOST_NODES: f64 = 1e9;

/// `E f(S)`; `slope` is the largest rate at which `f` changes with `S`.
fn expectation(df: f64, slope: f64, f: impl Fn(f64) -> f64) -> f64 {
    if df.is_nan() || df <= 0.0 || slope.is_nan() {
        return f64::NAN;
    }
    if df.is_infinite() || slope.is_infinite() {
        return f(1.0);
    }
    let log_density = |u: f64| df * (u - 0.5 * libm::expm1(2.0 * u));
    // Both the density (SD 1 / sqrt(2 nu)) and the normal integral (width 1 / |t|) must be resolved.
    let step = 0.125 / (2.0 * df).sqrt().max(slope.abs()).max(1.0);
    // The density falls as exp(nu u) below its mode, and faster above it.
    if NEGLIGIBLE / df < -MOST_NODES * step {
        return f64::NAN;
    }
    let (mut mass, mut sum) = (1.0, f(1.0));
    for direction in [-step, step] {
        for i in 1_u32.. {
            let u = direction * f64::from(i);
            let log = log_density(u);
            if log < NEGLIGIBLE {
                break;
            }
            let weight = log.exp();
            mass += weight;
            sum += weight * f(u.exp());
        }
    }
    sum / mass
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::t_two_sided;

    #[test]
    fn without_noncentrality_it_is_students_t() {
        for df in [1.0, 2.5, 11.0, 130.0, 5e4] {
            for t in [0.1, 1.0, 2.7, 9.0] {
                let (ours, exact) = (sf(t, df, 0.0), 0.5 * t_two_sided(t, df));
                assert!((ours / exact - 1.0).abs() < 1e-10, "{t} {df}: {ours} {exact}");
                assert!((cdf(t, df, 0.0) + exact - 1.0).abs() < 1e-12, "{t} {df}");
            }
        }
    }

    #[test]
    fn the_tails_add_up() {
        for (t, df, lambda) in [(1.9, 4.0, 2.8), (-3.0, 20.0, 1.0), (30.0, 6.0, 12.0)] {
            assert!((cdf(t, df, lambda) + sf(t, df, lambda) - 1.0).abs() < 1e-14);
        }
    }
}
