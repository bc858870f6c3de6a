//! Tail probabilities and quantiles of the distributions that tests refer to.
//!
//! Upper tails always come from a survival function, never from one minus a distribution function, so a p-value of
//! 1e-60 keeps its digits. Every function is held to R's values within a relative 1e-12 in `tests/dist.rs`, deep in
//! the tails and up to 1e6 degrees of freedom. `statrs` serves where it meets that (the incomplete gamma function);
//! its incomplete beta function does not, so Student's t and Fisher's F stand on `dist/beta.rs`.

mod beta;

use statrs::function::gamma::checked_gamma_ur;

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
    // T^2 / (df + T^2) is Beta(1/2, df/2).
    let point = t_point(t.abs(), df);
    beta::tails(point.x, point.y, 0.5, 0.5 * df).upper
}

/// The quantile of Student's t with `df` degrees of freedom; the normal where `df` is infinite.
pub fn t_quantile(p: f64, df: f64) -> f64 {
    if p.is_nan() || df.is_nan() || df <= 0.0 || !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if df.is_infinite() {
        return normal_quantile(p);
    }
    if p == 0.5 {
        return 0.0;
    }
    if p == 0.0 || p == 1.0 {
        return if p == 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    // The upper half: outside t lies `tail`, inside it the rest. Whichever is the smaller is solved for, in
    // logarithms of both t and the mass: there the curve is monotone and concave, close to a line in heavy
    // tails and at the centre, so that Newton's steps settle from one side. The bracket guards the first ones.
    let side = p.min(1.0 - p);
    let inside = side > 0.25;
    let target = if inside { 1.0 - 2.0 * side } else { 2.0 * side };
    let (mut low, mut high) = (-745.0_f64, 709.0_f64);
    let mut log_t = normal_quantile(side).abs().ln();
    for _ in 0..200 {
        let point = t_point(log_t.exp(), df);
        let both = beta::tails(point.x, point.y, 0.5, 0.5 * df);
        let found = if inside { both.lower } else { both.upper };
        let gap = (found / target).ln();
        // d ln(mass inside) / d ln t = 2 x^(1/2) y^(df/2) / B / mass; outside it has the other sign.
        let slope = 2.0 * beta::mass(0.5, 0.5 * df, point.x, point.y) / found;
        let signed = if inside { gap } else { -gap };
        if signed > 0.0 {
            high = log_t;
        } else {
            low = log_t;
        }
        let step = signed / slope;
        let mut next = log_t - step;
        if !(next > low && next < high) {
            if step.abs() <= 4.0 * f64::EPSILON {
                break;
            }
            next = 0.5 * (low + high);
        }
        let settled = (next - log_t).abs() <= f64::EPSILON;
        log_t = next;
        if settled {
            break;
        }
    }
    let t = log_t.exp();
    if p < 0.5 { -t } else { t }
}

/// `P(F > f)` for Fisher's F with `df1` and `df2` degrees of freedom; `df2` may be infinite.
pub fn f_sf(f: f64, df1: f64, df2: f64) -> f64 {
    if f.is_nan() || df1.is_nan() || df2.is_nan() || df1 <= 0.0 || df2 <= 0.0 || df1.is_infinite() {
        return f64::NAN;
    }
    if df2.is_infinite() {
        return chi2_sf(f * df1, df1);
    }
    if f <= 0.0 {
        return 1.0;
    }
    if f.is_infinite() {
        return 0.0;
    }
    // df1 F / (df2 + df1 F) is Beta(df1/2, df2/2).
    let odds = df1 * f / df2;
    beta::tails(odds / (1.0 + odds), 1.0 / (1.0 + odds), 0.5 * df1, 0.5 * df2).upper
}

/// `P(X > x)` for chi-squared with `df` degrees of freedom.
pub fn chi2_sf(x: f64, df: f64) -> f64 {
    if x.is_nan() || df.is_nan() || df <= 0.0 {
        return f64::NAN;
    }
    if x.is_infinite() {
        return if x > 0.0 { 0.0 } else { 1.0 };
    }
    if x <= 0.0 || df.is_infinite() { 1.0 } else { checked_gamma_ur(0.5 * df, 0.5 * x).unwrap_or(f64::NAN) }
}

/// The density of the standard normal.
pub fn normal_pdf(z: f64) -> f64 {
    (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt()
}

/// The point of the beta law where T^2 / (df + T^2) stands, and what is left to one.
struct Point {
    x: f64,
    y: f64,
}

fn t_point(t: f64, df: f64) -> Point {
    let ratio = t / df.sqrt();
    let square = ratio * ratio;
    if square.is_infinite() {
        return Point { x: 1.0, y: 0.0 };
    }
    Point { x: square / (1.0 + square), y: 1.0 / (1.0 + square) }
}

/// `P(B <= x)` for a beta variable with shapes `a` and `b`.
pub fn beta_cdf(x: f64, a: f64, b: f64) -> f64 {
    match x {
        x if x.is_nan() || a.is_nan() || b.is_nan() || a <= 0.0 || b <= 0.0 => f64::NAN,
        x if x <= 0.0 => 0.0,
        x if x >= 1.0 => 1.0,
        x => beta::tails(x, 1.0 - x, a, b).lower,
    }
}

/// The quantile of a beta variable: Newton steps inside a bracket that bisection keeps.
pub fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    if p.is_nan() || a.is_nan() || b.is_nan() || a <= 0.0 || b <= 0.0 || !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p == 0.0 || p == 1.0 {
        return p;
    }
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    let mut x = a / (a + b);
    for _ in 0..200 {
        let error = beta::tails(x, 1.0 - x, a, b).lower - p;
        if error > 0.0 {
            high = x;
        } else {
            low = x;
        }
        let density = beta::mass(a, b, x, 1.0 - x) / (x * (1.0 - x));
        let newton = x - error / density;
        let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        if (next - x).abs() <= 1e-16 * x || high - low <= f64::EPSILON * low {
            return next;
        }
        x = next;
    }
    x
}
