//! Restricted maximum likelihood of a random intercept, in the ratio of the two variances.

use super::moments::Sums;

/// Points of the ICC at which the likelihood is first looked at, since it may have several maxima.
const POINTS: u32 = 200;

/// The estimate, and whether it lies at 0.
pub(super) fn estimate(sums: &Sums) -> (f64, bool) {
    let model = Reml::new(sums);
    if model.within <= 0.0 {
        // Nobody differs within a cluster.
        return (1.0, false);
    }
    let ratio = |icc: f64| icc / (1.0 - icc);
    let icc = |i: u32| f64::from(i) / f64::from(POINTS);
    let best = (0..POINTS)
        .max_by(|&a, &b| model.likelihood(ratio(icc(a))).total_cmp(&model.likelihood(ratio(icc(b)))))
        .unwrap_or(0);
    if best == 0 && model.slope(0.0) <= 0.0 {
        return (0.0, true);
    }
    let (mut low, mut high) = (icc(best.saturating_sub(1)), icc(best + 1).min(1.0 - 1e-12));
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if model.slope(ratio(middle)) > 0.0 { low = middle } else { high = middle }
    }
    (0.5 * (low + high), false)
}

struct Reml<'a> {
    sums: &'a Sums,
    within: f64,
}

impl<'a> Reml<'a> {
    fn new(sums: &'a Sums) -> Self {
        Self { sums, within: sums.clusters.iter().map(|cluster| cluster.within).sum() }
    }

    /// Weights' sum, the mean by generalised least squares, and the residual squares, at this ratio of variances.
    fn parts(&self, ratio: f64) -> (f64, f64, f64) {
        let (mut weights, mut sum) = (0.0, 0.0);
        for c in &self.sums.clusters {
            let shrunk = 1.0 / (1.0 + c.size * ratio);
            weights += c.size * shrunk;
            sum += c.sum * shrunk;
        }
        let mean = sum / weights;
        let between: f64 = self
            .sums
            .clusters
            .iter()
            .map(|c| (c.sum / c.size - mean).powi(2) * c.size / (1.0 + c.size * ratio))
            .sum();
        (weights, mean, self.within + between)
    }

    fn likelihood(&self, ratio: f64) -> f64 {
        let (weights, _, squares) = self.parts(ratio);
        let determinant: f64 = self.sums.clusters.iter().map(|c| (c.size * ratio).ln_1p()).sum();
        -0.5 * (determinant + weights.ln() + (self.sums.n - 1.0) * squares.ln())
    }

    /// The derivative of the likelihood in the ratio.
    fn slope(&self, ratio: f64) -> f64 {
        let (weights, mean, squares) = self.parts(ratio);
        let (mut trace, mut trace_squared, mut fall) = (0.0, 0.0, 0.0);
        for c in &self.sums.clusters {
            let shrunk = c.size / (1.0 + c.size * ratio);
            trace += shrunk;
            trace_squared += shrunk * shrunk;
            fall += (shrunk * (c.sum / c.size - mean)).powi(2);
        }
        -0.5 * (trace - trace_squared / weights - (self.sums.n - 1.0) * fall / squares)
    }
}
