//! Satterthwaite's degrees of freedom of each contrast, from the sums over clusters.

use super::cluster::Class;
use super::job::Job;
use super::pass::Sums;
use crate::Result;
use crate::progress::Pace;

impl Job<'_> {
    /// The degrees of freedom of each contrast.
    pub fn degrees(&self, total: &Sums) -> Result<Vec<f64>> {
        let mut pairs: Vec<f64> = (0..self.m)
            .map(|c| {
                let outer = &total.outer[c * self.dim * self.dim..(c + 1) * self.dim * self.dim];
                (norm(outer, self.dim, |j| self.sign(j)) - total.fourth[c]).max(0.0)
            })
            .collect();
        let mut pace = Pace::new(&self.watcher);
        if !total.heavy.is_empty() {
            let row = |q: &[f64], c: usize| q[c * self.dim..(c + 1) * self.dim].to_vec();
            for (a, one) in total.heavy.iter().enumerate() {
                for other in &total.heavy[..a] {
                    pace.by(self.m * self.dim)?;
                    for (c, pairs) in pairs.iter_mut().enumerate() {
                        let product = self.product(&row(one, c), &row(other, c));
                        *pairs += 2.0 * product * product;
                    }
                }
            }
            self.each_cluster(|work, class| {
                if class == Class::Heavy {
                    return Ok(());
                }
                for heavy in &total.heavy {
                    pace.by(self.m * self.dim)?;
                    for (c, pairs) in pairs.iter_mut().enumerate() {
                        let range = c * self.dim..(c + 1) * self.dim;
                        let product = self.product(&heavy[range.clone()], &work.q[range]);
                        *pairs += 2.0 * product * product;
                    }
                }
                Ok(())
            })?;
        }
        Ok((0..self.m)
            .map(|c| {
                if self.length[c] == 0.0 {
                    return f64::NAN;
                }
                let df = total.trace[c] * total.trace[c] / (total.squares[c] + pairs[c]);
                at_least_one(df)
            })
            .collect())
    }
}

/// Degrees of freedom are never below 1; what rounding takes off is given back, and what is not a number stays so.
pub(crate) fn at_least_one(df: f64) -> f64 {
    if df >= 1.0 {
        df
    } else if df >= 1.0 - 1e-6 {
        1.0
    } else {
        f64::NAN
    }
}

/// The squared norm of a symmetric matrix given by its upper tiles, with signs.
fn norm(upper: &[f64], dim: usize, sign: impl Fn(usize) -> f64) -> f64 {
    (0..dim)
        .map(|a| {
            let own = upper[a * dim + a];
            let row: f64 =
                (a + 1..dim).map(|b| sign(a) * sign(b) * upper[a * dim + b] * upper[a * dim + b]).sum();
            own * own + 2.0 * row
        })
        .sum()
}
