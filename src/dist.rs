//! Tail probabilities and quantiles of the distributions that tests refer to.
//!
//! A thin front over `statrs`. Upper tails always come from a survival function, never from one minus a
//! distribution function, so a p-value of 1e-60 keeps its digits. Every function is checked against R in
//! `tests/dist.rs`; quantiles are polished by Newton steps, since the iterations in `statrs` stop earlier.

use statrs::distribution::{Continuous, ContinuousCDF, FisherSnedecor, Normal, StudentsT};
use statrs::function::{beta::beta_reg, gamma::gamma_ur};

use crate::rng::normal_quantile as as_241;

/// `P(Z > z)` for a standard normal Z.
pub fn normal_sf(z: f64) -> f64 {
    0.5 * libm::erfc(z / std::f64::consts::SQRT_2)
}

/// `P(Z <= z)` for a standard normal Z.
pub fn normal_cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)
}

/// The standard normal quantile (AS 241).
pub fn normal_quantile(p: f64) -> f64 {
    match p {
        p if p.is_nan() || !(0.0..=1.0).contains(&p) => f64::NAN,
        0.0 => f64::NEG_INFINITY,
        1.0 => f64::INFINITY,
        p => as_241(p),
    }
}

/// `P(|T| > |t|)` for Student's t with `df` degrees of freedom; the normal where `df` is infinite.
pub fn t_two_sided(t: f64, df: f64) -> f64 {
    if t.is_nan() || df.is_nan() || df <= 0.0 {
        return f64::NAN;
    }
    if df.is_infinite() {
        return 2.0 * normal_sf(t.abs());
    }
    if t.is_infinite() {
        return 0.0;
    }
    let square = t * t;
    // P(|T| > |t|) = I_{df/(df+t^2)}(df/2, 1/2); the complement is the stable form near t = 0, and only there:
    // at t = 9 and 130 df, where p is 2e-15, it has lost all but two digits.
    if square < 1.0 {
        1.0 - beta_reg(0.5, 0.5 * df, square / (df + square))
    } else {
        beta_reg(0.5 * df, 0.5, df / (df + square))
    }
}

/// The quantile of Student's t with `df` degrees of freedom; the normal where `df` is infinite.
pub fn t_quantile(p: f64, df: f64) -> f64 {
    if df.is_infinite() {
        return normal_quantile(p);
    }
    if p.is_nan() || df.is_nan() || df <= 0.0 || !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p == 0.5 {
        return 0.0;
    }
    if p == 0.0 || p == 1.0 {
        return if p == 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    let Ok(law) = StudentsT::new(0.0, 1.0, df) else { return f64::NAN };
    // Newton on the two-sided tail, in the upper half where it has no cancellation.
    let tail = 2.0 * p.min(1.0 - p);
    let mut t = law.inverse_cdf(1.0 - 0.5 * tail).abs();
    for _ in 0..8 {
        let step = (t_two_sided(t, df) - tail) / (2.0 * law.pdf(t));
        if !step.is_finite() {
            break;
        }
        t += step;
        if step.abs() <= 1e-15 * t.abs() {
            break;
        }
    }
    if p < 0.5 { -t } else { t }
}

/// `P(F > f)` for Fisher's F with `df1` and `df2` degrees of freedom; `df2` may be infinite.
pub fn f_sf(f: f64, df1: f64, df2: f64) -> f64 {
    if df2.is_infinite() {
        return chi2_sf(f * df1, df1);
    }
    FisherSnedecor::new(df1, df2).map_or(f64::NAN, |law| law.sf(f.max(0.0)))
}

/// `P(X > x)` for chi-squared with `df` degrees of freedom.
pub fn chi2_sf(x: f64, df: f64) -> f64 {
    if x.is_nan() || df.is_nan() || df <= 0.0 {
        return f64::NAN;
    }
    if x <= 0.0 { 1.0 } else { gamma_ur(0.5 * df, 0.5 * x) }
}

/// The density of the standard normal.
pub fn normal_pdf(z: f64) -> f64 {
    Normal::standard().pdf(z)
}
