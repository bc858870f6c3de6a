//! The draws of a wild bootstrap: what each says of its t or F statistic.

use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

use super::looked_up::LookedUp;
use super::pieces::Pieces;
use super::weights::Draws;
use crate::Result;
use crate::inference::quadratic;
use crate::progress::{Monitor, check, go_on, unwatched};
use crate::resampling::projection::{dot, orthonormal};

/// Draws that one task works out.
const TASK: usize = 64;
/// Draws between two looks at the monitor.
const CHUNK: usize = 64 * TASK;
/// A sum of squares that is this share of its terms or less is summed from its parts instead.
const CANCELLED: f64 = 1e-3;

/// A draw of one contrast. Delta away from the hypothesis its numerator is `n0 + delta n1`, the sum of squares of its
/// denominator `d00 + 2 delta d01 + delta^2 d11`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Line {
    pub n0: f64,
    pub n1: f64,
    pub d00: f64,
    pub d01: f64,
    pub d11: f64,
}

impl Line {
    /// The statistic, with the factor of the variance.
    pub fn t(&self, delta: f64, factor: f64) -> f64 {
        (self.n0 + delta * self.n1) / (factor * self.squares(delta)).sqrt()
    }

    /// Whether the square of the numerator is below `near` times that of the denominator.
    pub fn is_below(&self, delta: f64, near: f64) -> bool {
        (self.n0 + delta * self.n1).powi(2) < near * self.squares(delta)
    }

    fn squares(&self, delta: f64) -> f64 {
        (self.d00 + delta * (2.0 * self.d01 + delta * self.d11)).max(0.0)
    }
}

/// Every draw of one contrast, in order whatever the threads.
pub(super) fn lines(pieces: &Pieces, draws: &Draws, monitor: &dyn Monitor) -> Result<Vec<Line>> {
    let quick = (!draws.is_exact()).then(|| Quick::new(pieces, draws));
    over(draws, monitor, Line::default(), |first, lines: &mut [Line]| {
        let mut direct = Direct::default();
        if let Some(quick) = &quick {
            quick.lines(pieces, draws, first, lines);
        } else {
            for (draw, line) in (first..).zip(lines) {
                *line = direct.line(pieces, draws, draw);
            }
        }
    })
}

/// The F statistic of every draw of several contrasts: `U m' (factor sum p_g p_g')^{-1} U m / q`; infinite where the
/// covariance is singular.
pub(super) fn forms(pieces: &Pieces, factor: f64, draws: &Draws, monitor: &dyn Monitor) -> Result<Vec<f64>> {
    let q = pieces.basis.len();
    over(draws, monitor, 0.0, |first, forms: &mut [f64]| {
        let (mut weight, mut p) = (Vec::new(), vec![Vec::new(); q]);
        for (draw, form) in (first..).zip(forms) {
            weigh(draws, draw, &mut weight);
            let moved = DVector::from_fn(q, |s, _| pieces.residuals(0, s, &weight, &mut p[s]));
            let spread = DMatrix::from_fn(q, q, |s, t| factor * dot(&p[s], &p[t]));
            *form = quadratic(&spread, &moved).map_or(f64::INFINITY, |form| form / q as f64);
        }
    })
}

/// Has every draw worked out, and asks the monitor in between.
fn over<T: Copy + Send>(
    draws: &Draws,
    monitor: &dyn Monitor,
    empty: T,
    work: impl Fn(usize, &mut [T]) + Sync,
) -> Result<Vec<T>> {
    let mut found = vec![empty; draws.n];
    for (chunk, part) in found.chunks_mut(CHUNK).enumerate() {
        check(monitor, (chunk * CHUNK) as u64, draws.n as u64)?;
        let tasks = part.par_chunks_mut(TASK).enumerate();
        tasks.try_for_each(|(task, part)| {
            go_on(monitor)?;
            unwatched(|| work(chunk * CHUNK + task * TASK, part));
            Ok(())
        })?;
    }
    Ok(found)
}

fn weigh(draws: &Draws, draw: usize, weight: &mut Vec<f64>) {
    let values = draws.weights.values();
    let mut codes = vec![0; draws.clusters];
    draws.codes(draw, &mut codes);
    weight.clear();
    weight.extend(codes.into_iter().map(|code| values[usize::from(code)]));
}

/// A draw from its parts, cluster by cluster.
#[derive(Default)]
struct Direct {
    weight: Vec<f64>,
    first: Vec<f64>,
    second: Vec<f64>,
}

impl Direct {
    fn line(&mut self, pieces: &Pieces, draws: &Draws, draw: usize) -> Line {
        weigh(draws, draw, &mut self.weight);
        let n0 = pieces.residuals(0, 0, &self.weight, &mut self.first);
        let d00 = dot(&self.first, &self.first);
        if pieces.scores.len() == 1 {
            return Line { n0, d00, ..Line::default() };
        }
        let n1 = pieces.residuals(1, 0, &self.weight, &mut self.second);
        let (d01, d11) = (dot(&self.first, &self.second), dot(&self.second, &self.second));
        Line { n0, n1, d00, d01, d11 }
    }
}

/// All of it in sums over clusters that are looked up: with `a_g' = (R' Q_g)'`, the rows of Q orthonormal columns,
/// `sum p_g^2 = sum v_g^2 c_g^2 - 2 (sum v_g c_g Q_g)' R m + (R m)' R m`.
struct Quick {
    table: LookedUp,
    rank: usize,
    parts: usize,
}

impl Quick {
    fn new(pieces: &Pieces, draws: &Draws) -> Self {
        let (k, parts) = (pieces.k, pieces.scores.len());
        let others = &pieces.others[0];
        let column = |j: usize| -> Vec<f64> { others.chunks_exact(k).map(|row| row[j]).collect() };
        let columns: Vec<Vec<f64>> = (0..k).map(column).collect();
        let q = orthonormal(columns.iter().cloned());
        let rank = q.len();
        let r: Vec<Vec<f64>> =
            q.iter().map(|q| columns.iter().map(|column| dot(q, column)).collect()).collect();
        let gives = |g: usize, v: f64, into: &mut [f64]| {
            let (moves, rest) = into.split_at_mut(parts);
            let (totals, rest) = rest.split_at_mut(parts * rank);
            let (mixed, squares) = rest.split_at_mut(parts * rank);
            for p in 0..parts {
                moves[p] = v * pieces.moves[p][0][g];
                let (x, c) = (&pieces.scores[p][g * k..(g + 1) * k], pieces.own[p][0][g]);
                for j in 0..rank {
                    totals[p * rank + j] = v * dot(&r[j], x);
                    mixed[p * rank + j] = v * c * q[j][g];
                }
            }
            let c = |p: usize| pieces.own[p][0][g];
            squares[0] = v * v * c(0) * c(0);
            if parts == 2 {
                squares[1] = v * v * c(0) * c(1);
                squares[2] = v * v * c(1) * c(1);
            }
        };
        let width = parts + 2 * parts * rank + if parts == 2 { 3 } else { 1 };
        Self { table: LookedUp::new(pieces.count, draws.weights.values(), width, gives), rank, parts }
    }

    fn lines(&self, pieces: &Pieces, draws: &Draws, first: usize, lines: &mut [Line]) {
        let (width, rank, parts) = (self.table.width(), self.rank, self.parts);
        let mut sums = vec![0.0; lines.len() * width];
        let mut numbers = vec![0; lines.len() * self.table.groups()];
        draws.groups(first, self.table.group(), &mut numbers);
        self.table.sums(&numbers, &mut sums);
        let mut direct = Direct::default();
        for ((draw, sums), line) in (first..).zip(sums.chunks_exact(width)).zip(lines) {
            let (moves, rest) = sums.split_at(parts);
            let (totals, rest) = rest.split_at(parts * rank);
            let (mixed, squares) = rest.split_at(parts * rank);
            let left = |squares: f64, a: usize, b: usize| {
                let (ma, mb) = (&totals[a * rank..(a + 1) * rank], &totals[b * rank..(b + 1) * rank]);
                let (na, nb) = (&mixed[a * rank..(a + 1) * rank], &mixed[b * rank..(b + 1) * rank]);
                squares - dot(na, mb) - dot(nb, ma) + dot(ma, mb)
            };
            let d00 = left(squares[0], 0, 0);
            *line = if parts == 1 {
                Line { n0: moves[0], d00, ..Line::default() }
            } else {
                let (d01, d11) = (left(squares[1], 0, 1), left(squares[2], 1, 1));
                Line { n0: moves[0], n1: moves[1], d00, d01, d11 }
            };
            if line.d00 <= CANCELLED * squares[0] || (parts == 2 && line.d11 <= CANCELLED * squares[2]) {
                *line = direct.line(pieces, draws, draw);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::NoMonitor;
    use crate::resampling::bootstrap::weights::WildWeights;
    use crate::rng::Seed;

    /// Pieces of `count` clusters out of numbers that look like any.
    fn pieces(count: usize, k: usize, parts: usize) -> Pieces {
        let some = |salt: usize, n: usize| -> Vec<f64> {
            (0..n).map(|i| (((i * 7919 + salt * 104_729) % 1_013) as f64 - 506.0) / 997.0).collect()
        };
        Pieces {
            k,
            count,
            scores: (0..parts).map(|p| some(p, count * k)).collect(),
            moves: (0..parts).map(|p| vec![some(10 + p, count)]).collect(),
            own: (0..parts).map(|p| vec![some(20 + p, count)]).collect(),
            others: vec![some(30, count * k).iter().map(|a| 0.05 * a).collect()],
            basis: vec![some(40, k)],
            observed: vec![some(50, count)],
            alone: 0,
            needed: None,
        }
    }

    #[test]
    fn what_is_looked_up_is_what_is_summed_cluster_by_cluster() {
        for weights in [WildWeights::Rademacher, WildWeights::Webb, WildWeights::Mammen] {
            for parts in [1, 2] {
                // A last group that is not full, a last task and a last word that are not.
                let (pieces, n) = (pieces(67, 3, parts), 150);
                let draws = Draws::new(weights, 67, n, &Seed::Integer(3));
                let quick = lines(&pieces, &draws, &NoMonitor).expect("nobody stops it");
                let mut direct = Direct::default();
                for (draw, quick) in quick.iter().enumerate() {
                    let line = direct.line(&pieces, &draws, draw);
                    for delta in [0.0, 0.7, -3.0] {
                        let (a, b) = (quick.t(delta, 1.1), line.t(delta, 1.1));
                        assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{weights} {parts}: {a} {b}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_sum_that_cancels_is_taken_from_its_parts() {
        let mut pieces = pieces(40, 2, 1);
        // Scores that the refit of every draw takes up but for the size of rounding.
        pieces.others[0] = (0..80).map(|i| if i % 2 == 0 { pieces.own[0][0][i / 2] } else { 0.0 }).collect();
        let length = dot(&pieces.own[0][0], &pieces.own[0][0]);
        let own = pieces.own[0][0].clone();
        pieces.scores[0] =
            (0..80).map(|i| if i % 2 == 0 { own[i / 2].powi(2) / length } else { 0.0 }).collect();
        let draws = Draws::new(WildWeights::Rademacher, 40, 20_000, &Seed::Integer(3));
        let quick = lines(&pieces, &draws, &NoMonitor).expect("nobody stops it");
        let mut direct = Direct::default();
        for (draw, quick) in quick.iter().enumerate() {
            let line = direct.line(&pieces, &draws, draw);
            assert!((quick.d00 - line.d00).abs() <= 1e-11 * line.d00, "{} {}", quick.d00, line.d00);
        }
    }
}
