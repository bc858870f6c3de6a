//! The studentised score of two arms, from one pass over the units.
//!
//! With r_g the sum of a unit's residuals and s_g that of their products with the covariates, the part of unit g in the
//! efficient score is `u_g = z_g r_g - a's_g`, where a holds the products of the indicator with the covariates. So
//! `sum u_g^2 = sum z_g r_g^2 - 2 a' sum z_g r_g s_g + a' (sum s_g s_g') a`: sums over the units of the second arm, side by
//! side.

use super::parts::{One, left};
use crate::resampling::projection::dot;

/// Below this share of its largest term the sum of squares has lost digits, and is summed by unit instead.
const LOST: f64 = 1e-5;

/// What a unit adds: `r, w, r^2`, k sums of the weighted covariates, k of `r s`.
pub(super) struct Packed {
    k: usize,
    /// Numbers of a unit, a multiple of four.
    width: usize,
    cells: Vec<f64>,
    /// `sum s s'`, k x k.
    squares: Vec<f64>,
}

impl Packed {
    /// From sums by place (of the units with rows, k columns each), and the place of every unit.
    pub fn new(
        place: &[Option<u32>],
        residual: &[f64],
        weight: &[f64],
        columns: &[f64],
        scores: &[f64],
    ) -> Self {
        let k = columns.len() / residual.len().max(1);
        let width = (3 + 2 * k).next_multiple_of(4);
        let mut cells = vec![0.0; place.len() * width];
        for (cell, g) in cells.chunks_exact_mut(width).zip(place) {
            let Some(g) = g.map(|g| g as usize) else { continue };
            let r = residual[g];
            (cell[0], cell[1], cell[2]) = (r, weight[g], r * r);
            cell[3..3 + k].copy_from_slice(&columns[g * k..(g + 1) * k]);
            for (into, s) in cell[3 + k..3 + 2 * k].iter_mut().zip(&scores[g * k..(g + 1) * k]) {
                *into = r * s;
            }
        }
        let mut squares = vec![0.0; k * k];
        for s in scores.chunks_exact(k.max(1)) {
            for a in 0..k {
                for b in 0..k {
                    squares[a * k + b] += s[a] * s[b];
                }
            }
        }
        Self { k, width, cells, squares }
    }

    /// The score of an assignment; nothing where its squares lost digits or it has no information.
    pub fn one(&self, arm: &[u8], sums: &mut Vec<f64>) -> Option<One> {
        sums.clear();
        sums.resize(self.width, 0.0);
        match self.width {
            4 => self.sum::<4>(arm, sums),
            8 => self.sum::<8>(arm, sums),
            12 => self.sum::<12>(arm, sums),
            16 => self.sum::<16>(arm, sums),
            20 => self.sum::<20>(arm, sums),
            24 => self.sum::<24>(arm, sums),
            width => {
                for (&arm, cell) in arm.iter().zip(self.cells.chunks_exact(width)) {
                    let mask = f64::from(u8::from(arm == 1));
                    sums.iter_mut().zip(cell).for_each(|(sum, x)| *sum += mask * x);
                }
            }
        }
        let k = self.k;
        let (within, cross) = (&sums[3..3 + k], &sums[3 + k..3 + 2 * k]);
        let through: f64 = (0..k).map(|a| within[a] * dot(&self.squares[a * k..(a + 1) * k], within)).sum();
        let squares = sums[2] - 2.0 * dot(within, cross) + through;
        let lost = squares <= LOST * sums[2].max(through) || left(sums[1], dot(within, within)) <= 0.0;
        (!lost).then_some(One { score: sums[0], squares })
    }

    /// Sums the cells of the second arm, with two sums at a time, so that no addition waits for the one before.
    fn sum<const W: usize>(&self, arm: &[u8], sums: &mut [f64]) {
        let mut lanes = [[0.0; W]; 2];
        let add = |sums: &mut [f64; W], arm: u8, cell: &[f64]| {
            // A mask instead of a branch, which could not be foreseen.
            let mask = f64::from(u8::from(arm == 1));
            for i in 0..W {
                sums[i] += mask * cell[i];
            }
        };
        let (pairs, cells) = (arm.chunks_exact(2), self.cells.chunks_exact(2 * W));
        for (&arm, cell) in pairs.remainder().iter().zip(cells.remainder().chunks_exact(W)) {
            add(&mut lanes[0], arm, cell);
        }
        for (pair, cell) in pairs.zip(cells) {
            let (first, second) = cell.split_at(W);
            add(&mut lanes[0], pair[0], first);
            add(&mut lanes[1], pair[1], second);
        }
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = lanes[0][i] + lanes[1][i];
        }
    }
}
