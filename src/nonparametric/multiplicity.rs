//! p-values adjusted for several hypotheses, with the definitions of R's `p.adjust`.
//!
//! With p(1) <= ... <= p(m): Bonferroni m p; Holm (1979) the running maximum of (m - i + 1) p(i); Hochberg (1988,
//! doi:10.1093/biomet/75.4.800) the running minimum of the same from above; Hommel (1988, doi:10.1093/biomet/75.2.383)
//! by the algorithm of S. P. Wright (1992, doi:10.2307/2532694); Benjamini and Hochberg (1995,
//! doi:10.1111/j.2517-6161.1995.tb02031.x) the running minimum of m/i p(i) from above; Benjamini and Yekutieli (2001,
//! doi:10.1214/aos/1013699998) the same times 1 + 1/2 + ... + 1/m. Missing p-values stay missing and do not count.

use crate::words::words;
use crate::{Fault, Result};

/// A method of adjustment, by the name that R's `p.adjust` has for it; `fdr` is `BH`.
///
/// ```
/// use crewe::nonparametric::Adjustment;
/// assert_eq!("fdr".parse(), Ok(Adjustment::BenjaminiHochberg));
/// assert_eq!(Adjustment::BenjaminiHochberg.name(), "BH");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Adjustment {
    /// Holm's step-down method: family-wise error under any dependence.
    Holm,
    /// Hochberg's step-up method: family-wise error under positive dependence.
    Hochberg,
    /// Hommel's method: family-wise error under positive dependence.
    Hommel,
    /// Bonferroni's bound.
    Bonferroni,
    /// Benjamini and Hochberg: false discovery rate under positive dependence.
    BenjaminiHochberg,
    /// Benjamini and Yekutieli: false discovery rate under any dependence.
    BenjaminiYekutieli,
    /// No adjustment.
    None,
}

words!(
    Adjustment, "method of adjustment",
    Holm => "holm",
    Hochberg => "hochberg",
    Hommel => "hommel",
    Bonferroni => "bonferroni",
    BenjaminiHochberg => "BH" | "bh" | "fdr",
    BenjaminiYekutieli => "BY" | "by",
    None => "none",
);

/// Adjusts p-values; missing ones (NaN) stay missing.
///
/// # Errors
/// When a p-value lies outside 0 to 1.
///
/// ```
/// use crewe::nonparametric::{Adjustment, adjust};
/// assert_eq!(adjust(&[0.01, 0.04, 0.03], Adjustment::Holm)?, [0.03, 0.06, 0.06]);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn adjust(p: &[f64], method: Adjustment) -> Result<Vec<f64>> {
    let off: Vec<usize> = (0..p.len()).filter(|&i| !p[i].is_nan() && !(0.0..=1.0).contains(&p[i])).collect();
    if !off.is_empty() {
        return Err(Fault::new("p-values must lie between 0 and 1")
            .rows(off.clone())
            .values(off.iter().map(|&i| p[i].to_string()))
            .input());
    }
    let mut order: Vec<usize> = (0..p.len()).filter(|&i| !p[i].is_nan()).collect();
    order.sort_by(|&i, &j| p[i].total_cmp(&p[j]));
    let ascending: Vec<f64> = order.iter().map(|&i| p[i]).collect();
    let mut adjusted = vec![f64::NAN; p.len()];
    for (&i, value) in order.iter().zip(of_sorted(&ascending, method)) {
        adjusted[i] = value.min(1.0);
    }
    Ok(adjusted)
}

fn of_sorted(p: &[f64], method: Adjustment) -> Vec<f64> {
    let m = p.len() as f64;
    if p.len() < 2 {
        return p.to_vec();
    }
    let step = |i: usize| (m - i as f64) * p[i];
    match method {
        Adjustment::None => p.to_vec(),
        Adjustment::Bonferroni => p.iter().map(|p| m * p).collect(),
        Adjustment::Holm => {
            let mut most = 0.0_f64;
            (0..p.len())
                .map(|i| {
                    most = most.max(step(i));
                    most
                })
                .collect()
        }
        Adjustment::Hommel if p.len() > 2 => hommel(p),
        Adjustment::Hommel | Adjustment::Hochberg => minimum_from_above(p.len(), step),
        Adjustment::BenjaminiHochberg => minimum_from_above(p.len(), |i| m / (i as f64 + 1.0) * p[i]),
        Adjustment::BenjaminiYekutieli => {
            let harmonic: f64 = (1..=p.len()).map(|i| 1.0 / i as f64).sum();
            minimum_from_above(p.len(), |i| harmonic * m / (i as f64 + 1.0) * p[i])
        }
    }
}

fn minimum_from_above(n: usize, value: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut least = f64::INFINITY;
    let mut result: Vec<f64> = (0..n)
        .rev()
        .map(|i| {
            least = least.min(value(i));
            least
        })
        .collect();
    result.reverse();
    result
}

/// Wright's algorithm: for each j the hypotheses are split into the j - 1 largest and the rest.
fn hommel(p: &[f64]) -> Vec<f64> {
    let n = p.len();
    let first = (0..n).map(|i| n as f64 * p[i] / (i as f64 + 1.0)).fold(f64::INFINITY, f64::min);
    let mut stage = vec![first; n];
    let mut adjusted = vec![first; n];
    for j in (2..n).rev() {
        let rest = n - j + 1;
        let least = (rest..n).map(|i| j as f64 * p[i] / (i - rest + 2) as f64).fold(f64::INFINITY, f64::min);
        for i in 0..rest {
            stage[i] = least.min(j as f64 * p[i]);
        }
        let last = stage[rest - 1];
        stage[rest..].fill(last);
        for (a, s) in adjusted.iter_mut().zip(&stage) {
            *a = a.max(*s);
        }
    }
    adjusted.iter().zip(p).map(|(a, p)| a.max(*p)).collect()
}
