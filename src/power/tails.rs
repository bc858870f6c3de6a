//! Power from an effect in standard errors.
//!
//! With `T ~ N(lambda, 1)` or noncentral t, critical value `c` and a factor `s` where the null's standard error is another:
//!
//! ```text
//! two-sided         P(T > c s) + P(T < -c s)     c at alpha / 2; both tails count, so power at no effect is alpha
//! one-sided         P(T > c s)                   c at alpha
//! non-inferiority   the same, lambda from the margin instead of from no effect
//! equivalence       P(T_low > c and T_high < -c), lambda_low and lambda_high from the two margins, c at alpha
//! ```
//!
//! For t the two tests of equivalence share the estimate of the variance, and the probability is exact:
//! `E max(0, Phi(-lambda_high - c S) - Phi(c S - lambda_low))` over `S`, the root of a chi-squared over its df. Source:
//! D. J. Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15 (1987) 657-680,
//! <https://doi.org/10.1007/BF01068419>.

use super::noncentral;
use crate::dist::{normal_cdf, normal_quantile, normal_sf, t_quantile};

/// The critical value that a test of size `tail` in one tail has.
fn critical(tail: f64, df: f64) -> f64 {
    if df.is_infinite() { -normal_quantile(tail) } else { -t_quantile(tail, df) }
}

/// Power of the one-sided test.
pub(super) fn one_sided(lambda: f64, null_scale: f64, alpha: f64, df: f64) -> f64 {
    upper(critical(alpha, df) * null_scale, df, lambda)
}

/// Power of the two-sided test.
pub(super) fn two_sided(lambda: f64, null_scale: f64, alpha: f64, df: f64) -> f64 {
    let bound = critical(0.5 * alpha, df) * null_scale;
    let other =
        if df.is_infinite() { normal_cdf(-bound - lambda) } else { noncentral::cdf(-bound, df, lambda) };
    upper(bound, df, lambda) + other
}

/// Power of the two one-sided tests, from the distances to the lower margin (positive) and the upper one (negative).
pub(super) fn equivalence(low: f64, high: f64, alpha: f64, df: f64) -> f64 {
    let c = critical(alpha, df);
    if df.is_infinite() {
        return (normal_cdf(-high - c) - normal_cdf(c - low)).max(0.0);
    }
    noncentral::between(low, high, c, df)
}

fn upper(bound: f64, df: f64, lambda: f64) -> f64 {
    if df.is_infinite() { normal_sf(bound - lambda) } else { noncentral::sf(bound, df, lambda) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_degrees_of_freedom_are_the_normal() {
        for (ours, theirs) in [
            (two_sided(2.8, 1.0, 0.05, 1e7), two_sided(2.8, 1.0, 0.05, f64::INFINITY)),
            (one_sided(2.8, 1.1, 0.05, 1e7), one_sided(2.8, 1.1, 0.05, f64::INFINITY)),
            (equivalence(3.0, -3.4, 0.05, 1e7), equivalence(3.0, -3.4, 0.05, f64::INFINITY)),
        ] {
            assert!((ours - theirs).abs() < 1e-6, "{ours} {theirs}");
        }
    }
}
