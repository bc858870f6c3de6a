//! A fitted regression row by row, as inference takes it where clusters are not enough: leverage, residuals, rows.

use ndarray::Array2;

use super::absorbed::Absorbed;
use super::rows::Rows;
use crate::Result;
use crate::inference::{ClusterRows, Reference, Target, WhitenedRows};
use crate::linalg::double::{Double, Scalar};
use crate::linalg::gram::{BLOCK, TILE, add_rows, cross_products, fill_chunks, over_chunks, whiten_rows};
use crate::progress::{Pace, unwatched};

impl WhitenedRows for Rows<'_, '_> {
    fn target(&self) -> Target {
        self.estimates.target
    }

    fn n(&self) -> usize {
        self.x.n()
    }

    fn leverage(&self) -> Result<Vec<f64>> {
        if let Some(absorbed) = self.absorbed() {
            let leverage = |i| self.estimates.root(i).powi(2) * absorbed.leverage(i);
            return Ok((0..self.x.n()).map(leverage).collect());
        }
        let width = self.estimates.k().next_multiple_of(TILE);
        fill_chunks(self.x.n(), |start, values| {
            let (mut rows, mut z) = (vec![0.0; BLOCK * width], vec![0.0; BLOCK * width]);
            for (values, from) in values.chunks_mut(BLOCK).zip((start..).step_by(BLOCK)) {
                let count = values.len() * width;
                for (row, i) in rows[..count].chunks_exact_mut(width).zip(from..) {
                    self.bread().centred_row(self.x, i, &mut row[..self.estimates.k()]);
                }
                whiten_rows(&rows[..count], self.padded_whitening(), width, &mut z[..count]);
                for ((value, z), i) in values.iter_mut().zip(z.chunks_exact(width)).zip(from..) {
                    *value = self.estimates.root(i).powi(2) * z.iter().map(|z| z * z).sum::<f64>();
                }
            }
        })
    }

    fn roots(&self) -> Option<&[f64]> {
        self.estimates.roots.as_deref()
    }

    fn score_factors(&self) -> &[f64] {
        self.estimates.score_factors()
    }

    fn sharp_factors(&self) -> &[f64] {
        self.sharp().unwrap_or(self.estimates.score_factors())
    }

    fn project(&self, u: &[f64]) -> Result<Vec<f64>> {
        let slopes = self.bread().slopes(u);
        let first = usize::from(self.x.has_intercept());
        let (high, low) = (self.bread().center(), self.bread().center_rest());
        if let Some(indicators) = self.x.indicators() {
            // The columns of the factor add the slope of the row's level, less what is taken off all of them.
            let at = indicators.columns.start + first;
            let others = indicators.others(self.x.columns().ncols());
            let off: f64 = (at..at + indicators.columns.len()).map(|j| (high[j] + low[j]) * slopes[j]).sum();
            let start = if first == 1 { slopes[0] } else { 0.0 } - off;
            return fill_chunks(self.x.n(), |from, values| {
                for (value, i) in values.iter_mut().zip(from..) {
                    let level = indicators.level[i] as usize;
                    let own = if level > 0 { slopes[at + level - 1] } else { 0.0 };
                    let stored = self.x.stored(i);
                    let rest: f64 = others
                        .iter()
                        .map(|&j| ((stored[j] - high[j + first]) - low[j + first]) * slopes[j + first])
                        .sum();
                    *value = self.estimates.root(i) * (start + own + rest);
                }
            });
        }
        // What the second part of the means takes off is the same in every row.
        let off: f64 = slopes.iter().zip(low).map(|(d, l)| d * l).sum();
        let start = if first == 1 { slopes[0] } else { 0.0 } - off;
        let (slopes, high) = (&slopes[first..], &high[first..]);
        fill_chunks(self.x.n(), |from, values| {
            for (value, i) in values.iter_mut().zip(from..) {
                let stored = self.x.stored(i);
                let rest: f64 = match stored.as_slice() {
                    Some(row) => row.iter().zip(slopes).zip(high).map(|((x, d), h)| (x - h) * d).sum(),
                    None => stored.iter().zip(slopes).zip(high).map(|((x, d), h)| (x - h) * d).sum(),
                };
                *value = self.estimates.root(i) * (start + rest);
            }
        })
    }

    fn row(&self, i: usize) -> Vec<f64> {
        let k = self.estimates.k();
        let (mut row, mut z) = (vec![0.0; k], vec![0.0; k]);
        self.whiten(i, &mut row, &mut z);
        let root = self.estimates.root(i);
        z.iter_mut().for_each(|z| *z *= root);
        z
    }

    fn outer(&self, factors: &[f64]) -> Result<Array2<f64>> {
        if self.is_collinear() {
            return self.outer_of_whitened(factors);
        }
        let bread = self.bread();
        let low = bread.center_rest();
        let mut products = cross_products(self.x, bread.center(), None, Some(factors))?;
        if low.iter().any(|l| *l != 0.0) {
            // The rest of the means is small beside the spread of the columns, so it can be taken off the sums.
            let sums = products.row(0).to_vec();
            for ((a, b), value) in products.indexed_iter_mut() {
                *value += low[a] * low[b] * sums[0] - low[a] * sums[b] - low[b] * sums[a];
            }
        }
        Ok(bread.whiten(products.view()))
    }

    fn outer_norm(&self, factors: &[f64]) -> Result<f64> {
        match self.absorbed() {
            Some(absorbed) => absorbed.outer_norm(factors),
            None => Ok(self.outer(factors)?.iter().map(|v| v * v).sum()),
        }
    }

    fn cluster(&self, g: usize, into: &mut ClusterRows) {
        let k = self.estimates.k();
        let size = self.size(g);
        into.z.clear();
        into.z.resize(size * k, 0.0);
        into.residuals.clear();
        into.variance.clear();
        into.roots.clear();
        let mut row = vec![0.0; k];
        let mut place = 0;
        self.each_row(g, |i| {
            let root = self.estimates.root(i);
            let z = &mut into.z[place * k..(place + 1) * k];
            self.whiten(i, &mut row, z);
            z.iter_mut().for_each(|z| *z *= root);
            let factor = self.estimates.score_factors()[i];
            into.residuals.push(if root > 0.0 { factor / root } else { 0.0 });
            into.variance.push(self.estimates.variances.as_ref().map_or(root * root, |v| v[i]));
            into.roots.push(root);
            place += 1;
        });
    }
}

impl Rows<'_, '_> {
    /// `sum of f^2 z z'` of rows that are whitened first, without their weights.
    fn outer_of_whitened(&self, factors: &[f64]) -> Result<Array2<f64>> {
        let k = self.estimates.k();
        let width = k.next_multiple_of(TILE);
        let parts = over_chunks(self.x.n(), |start, end, pace| {
            let mut sum = vec![0.0; width * width];
            let (mut rows, mut z) = (vec![0.0; BLOCK * width], vec![0.0; BLOCK * width]);
            for from in (start..end).step_by(BLOCK) {
                pace.by(BLOCK * width * width)?;
                let count = (end.min(from + BLOCK) - from) * width;
                for (row, i) in rows[..count].chunks_exact_mut(width).zip(from..) {
                    self.bread().centred_row(self.x, i, &mut row[..k]);
                    row.iter_mut().for_each(|value| *value *= factors[i]);
                }
                whiten_rows(&rows[..count], self.padded_whitening(), width, &mut z[..count]);
                add_rows(&z[..count], width, &mut sum);
            }
            Ok(sum)
        })?;
        let mut total = vec![0.0; width * width];
        for part in parts {
            total.iter_mut().zip(part).for_each(|(total, part)| *total += part);
        }
        Ok(Array2::from_shape_fn((k, k), |(a, b)| total[a.min(b) * width + a.max(b)]))
    }

    fn absorbed(&self) -> Option<&Absorbed> {
        self.absorbed.get_or_init(|| Absorbed::new(self.x, self.estimates)).as_ref()
    }

    /// The factors of the scores of a linear model from residuals in double-doubles; none for other models, and where all
    /// outcomes are fitted exactly.
    pub(super) fn sharp(&self) -> Option<&[f64]> {
        let found = self.refined.get_or_init(|| {
            let linear = matches!(self.estimates.reference, Reference::T { .. });
            let inexact = self.estimates.residuals.iter().any(|e| *e != 0.0);
            // Kept for whoever asks next, so that nobody may cut it short; it is asked for few rows.
            (linear && inexact).then(|| unwatched(|| self.refined_factors()).ok()).flatten()
        });
        found.as_deref()
    }

    /// `w (y - x'b)`, b refined by one step: `y - x'b` and its products with the columns are taken in double-doubles.
    fn refined_factors(&self) -> Result<Vec<f64>> {
        let (x, n, k) = (self.x, self.x.n(), self.estimates.k());
        let weight = |i: usize| self.estimates.root(i).powi(2);
        let zero = vec![0.0; k];
        let residual = |i: usize, row: &mut [f64]| {
            x.row(i, &zero, row);
            let fitted = row.iter().zip(&self.estimates.coef);
            fitted.fold(Double::of(self.y[i]), |rest, (&v, &b)| rest - Double::product(v, b))
        };
        let products = |start: usize, end: usize, _: &mut Pace<'_>| {
            let (mut sum, mut row) = (vec![Double::default(); k], vec![0.0; k]);
            for i in start..end {
                let rest = residual(i, &mut row) * Double::of(weight(i));
                self.bread().centred_row(x, i, &mut row);
                sum.iter_mut().zip(&row).for_each(|(sum, &v)| *sum = *sum + rest * Double::of(v));
            }
            Ok(sum)
        };
        let mut total = vec![Double::default(); k];
        for part in over_chunks(n, products)? {
            total.iter_mut().zip(part).for_each(|(total, part)| *total = *total + part);
        }
        let gradient: Vec<f64> = total.into_iter().map(Scalar::value).collect();
        let step = self.bread().slopes(&self.bread().direction(&gradient));
        fill_chunks(n, |start, values| {
            let mut row = vec![0.0; k];
            for (value, i) in values.iter_mut().zip(start..) {
                let rest = residual(i, &mut row);
                self.bread().centred_row(x, i, &mut row);
                let moved: f64 = row.iter().zip(&step).map(|(x, d)| x * d).sum();
                *value = weight(i) * (rest - Double::of(moved)).value();
            }
        })
    }
}
