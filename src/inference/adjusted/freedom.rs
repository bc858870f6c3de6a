//! What each contrast is referred to, from the sums over clusters: Satterthwaite's degrees of freedom, and how much larger
//! its variance is expected than it is.

use serde::Serialize;

use super::cluster::Class;
use super::job::Job;
use super::pass::Sums;
use super::powers::Power;
use crate::Result;
use crate::progress::Pace;

/// What the t of a contrast refers to: its degrees of freedom, and what its standard error is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Law {
    pub df: f64,
    pub scale: f64,
}

impl Law {
    /// Of a variance that is taken as it is.
    pub fn of(df: f64) -> Self {
        Self { df, scale: 1.0 }
    }
}

impl Job<'_> {
    /// The law of each contrast, which is of length 1 here: its variance is expected to be the trace of Gamma.
    pub fn laws(&self, total: &Sums) -> Result<Vec<Law>> {
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
                    return Law::of(f64::NAN);
                }
                let df = total.trace[c] * total.trace[c] / (total.squares[c] + pairs[c]);
                // CR2 is expected to be the variance itself.
                let scale = if self.power == Power::Half { 1.0 } else { total.trace[c].sqrt() };
                Law { df: at_least_one(df), scale }
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
