//! The score of models whose rows have a residual and a weight each: least squares and families of yes-or-no outcomes.

use ndarray::ArrayView2;

use super::packed::Packed;
use super::parts::{One, Parts, Score, left};
use super::{ArmModel, Kind, Residuals};
use crate::Result;
use crate::progress::NoMonitor;
use crate::regression::Family;
use crate::regression::offset::{Maximised, with_offset};
use crate::resampling::outcomes::Outcomes;
use crate::resampling::projection::{dot, leave_residuals, orthonormal};
use crate::resampling::sums::Written;

/// Sums over the rows of a unit, in columns q of the covariates that are orthonormal under the weights, and columns v that
/// stand beside the arms: a constant, and what else the arms are multiplied by.
struct ByUnit {
    /// The place of each unit among those with rows; nothing for the others.
    place: Vec<Option<u32>>,
    units: usize,
    k: usize,
    /// Arms but the reference, and columns v.
    arms: usize,
    beside: usize,
    /// `sum of v e`, units x v.
    residual: Vec<f64>,
    /// `sum of w v v'`, units x v x v.
    weight: Vec<f64>,
    /// `sum of w v q'`, units x v x k.
    columns: Vec<f64>,
    /// `sum of q e`, units x k.
    scores: Vec<f64>,
    /// `sum of w q q'`, units x k x k, where the residuals are unrestricted.
    squares: Vec<f64>,
    /// The same of one column that holds an arm, for a short way to its score.
    packed: Option<Packed>,
}

/// What the model leaves of the rows that count, under an effect of the treated units' rows.
struct Null {
    kept: Vec<usize>,
    residual: Vec<f64>,
    weight: Vec<f64>,
    /// Orthonormal under the weights: each is a column of the covariates' space times the roots of the weights.
    basis: Vec<Vec<f64>>,
    /// How much a row counts in a margin: its prior weight by the slope of the mean.
    share: Vec<f64>,
}

impl Null {
    fn of(model: &ArmModel<'_>, outcomes: &Outcomes, effect: f64, treated: &[bool]) -> Result<Self> {
        let kept: Vec<usize> = outcomes.rows().collect();
        let prior: Vec<f64> =
            kept.iter().map(|&row| model.weights.map_or(1.0, |weights| weights[row])).collect();
        let (residual, weight, share) = match model.kind {
            Kind::Binary(family) => {
                let Maximised { rows, predictor } =
                    maximised(model, family, outcomes, &kept, effect, treated)?;
                let slope = predictor.iter().zip(&prior);
                let share = slope.map(|(eta, prior)| prior * family.binary().slope(*eta)).collect();
                (Some(rows.residual), rows.weight, share)
            }
            _ => (None, prior.clone(), prior),
        };
        let roots: Vec<f64> = weight.iter().map(|w| w.sqrt()).collect();
        let basis = orthonormal(
            model
                .covariates
                .columns()
                .into_iter()
                .map(|column| kept.iter().zip(&roots).map(|(&row, root)| root * column[row]).collect()),
        );
        let residual = residual.unwrap_or_else(|| {
            let values = outcomes.without_effect(effect, treated);
            let mut y: Vec<f64> = kept.iter().zip(&roots).map(|(&row, root)| root * values[row]).collect();
            leave_residuals(&mut y, &basis);
            y.iter().zip(&roots).map(|(e, root)| e * root).collect()
        });
        Ok(Self { kept, residual, weight, basis, share })
    }

    /// The columns that stand beside the arms, by row that counts.
    fn beside(&self, products: Option<ArrayView2<'_, f64>>) -> Vec<Vec<f64>> {
        let mut columns = vec![vec![1.0; self.kept.len()]];
        let more = products.iter().flat_map(|products| products.columns());
        columns.extend(more.map(|column| self.kept.iter().map(|&row| column[row]).collect()));
        columns
    }
}

/// A family's model beside an effect of the treated units' rows.
fn maximised(
    model: &ArmModel<'_>,
    family: Family,
    outcomes: &Outcomes,
    kept: &[usize],
    effect: f64,
    treated: &[bool],
) -> Result<Maximised> {
    let x = model.covariates.select(ndarray::Axis(0), kept);
    let y: Vec<f64> = kept.iter().map(|&row| outcomes.values[row]).collect();
    let offset: Vec<f64> = kept.iter().map(|&row| of_row(outcomes, row, effect, treated)).collect();
    let prior: Option<Vec<f64>> = model.weights.map(|weights| kept.iter().map(|&row| weights[row]).collect());
    with_offset(family, &y, x.view(), prior.as_deref(), &offset, &NoMonitor)
}

fn of_row(outcomes: &Outcomes, row: usize, effect: f64, treated: &[bool]) -> f64 {
    if treated[outcomes.unit[row] as usize] { effect } else { 0.0 }
}

/// By how much an effect of the linear predictor raises the mean outcome of all rows: from no row treated to every row.
pub(super) fn raised(
    model: &ArmModel<'_>,
    family: Family,
    outcomes: &Outcomes,
    effect: f64,
    treated: &[bool],
) -> Result<f64> {
    let kept: Vec<usize> = outcomes.rows().collect();
    let predictor = maximised(model, family, outcomes, &kept, effect, treated)?.predictor;
    let (mut sum, mut all) = (0.0, 0.0);
    for (&row, eta) in kept.iter().zip(predictor) {
        let without = eta - of_row(outcomes, row, effect, treated);
        let weight = model.weights.map_or(1.0, |weights| weights[row]);
        sum += weight * (family.binary().mean(without + effect) - family.binary().mean(without));
        all += weight;
    }
    Ok(sum / all)
}

/// The score under an effect of the treated units' rows.
pub(super) fn score(
    model: &ArmModel<'_>,
    outcomes: &Outcomes,
    effect: f64,
    treated: &[bool],
    arms: usize,
) -> Result<Score> {
    let null = Null::of(model, outcomes, effect, treated)?;
    let beside = null.beside(model.products);
    let unrestricted = model.residuals == Residuals::Unrestricted;
    let sums = ByUnit::new(&null, &beside, outcomes, arms - 1, unrestricted);
    let all: f64 = null.share.iter().sum();
    let means: Vec<f64> = beside.iter().map(|column| dot(column, &null.share) / all).collect();
    Ok(Score {
        m: sums.arms * sums.beside,
        parts: Box::new(sums),
        arms,
        targets: model.targets(&means),
        studentised: model.studentised,
        scale: if model.is_linear() { outcomes.spread() } else { 1.0 },
    })
}

impl ByUnit {
    fn new(null: &Null, beside: &[Vec<f64>], outcomes: &Outcomes, arms: usize, unrestricted: bool) -> Self {
        let unit = |row: usize| outcomes.unit[row] as usize;
        let mut place = vec![None; outcomes.units];
        let mut units = 0;
        for &row in &null.kept {
            place[unit(row)].get_or_insert_with(|| {
                units += 1;
                units - 1
            });
        }
        let (size, k, b) = (units as usize, null.basis.len(), beside.len());
        let mut sums = Self {
            place,
            units: size,
            k,
            arms,
            beside: b,
            residual: vec![0.0; size * b],
            weight: vec![0.0; size * b * b],
            columns: vec![0.0; size * b * k],
            scores: vec![0.0; size * k],
            squares: vec![0.0; if unrestricted { size * k * k } else { 0 }],
            packed: None,
        };
        for (at, &row) in null.kept.iter().enumerate() {
            // Every kept row's unit has a place.
            let Some(g) = sums.place[unit(row)].map(|g| g as usize) else { continue };
            let (e, w) = (null.residual[at], null.weight[at]);
            let root = w.sqrt();
            for (a, column) in beside.iter().enumerate() {
                let v = column[at];
                sums.residual[g * b + a] += v * e;
                for (c, other) in beside.iter().enumerate() {
                    sums.weight[(g * b + a) * b + c] += w * v * other[at];
                }
                for (j, q) in null.basis.iter().enumerate() {
                    sums.columns[(g * b + a) * k + j] += root * v * q[at];
                }
            }
            // q is the basis over the root of the weight, which may be 0: then so is the residual.
            let over = if root > 0.0 { e / root } else { 0.0 };
            for (j, q) in null.basis.iter().enumerate() {
                sums.scores[g * k + j] += over * q[at];
                if unrestricted {
                    for (l, other) in null.basis.iter().enumerate() {
                        sums.squares[(g * k + j) * k + l] += q[at] * other[at];
                    }
                }
            }
        }
        if arms == 1 && b == 1 && !unrestricted {
            let Self { place, residual, weight, columns, scores, .. } = &sums;
            sums.packed = Some(Packed::new(place, residual, weight, columns, scores));
        }
        sums
    }

    /// Takes the redrawn arm's own coefficient off the residuals, of one column that holds an arm.
    fn fit_the_arm(&self, arm: &[u8], within: &[f64], into: &mut Written) {
        let slope = into.score[0] / into.information[0];
        for (arm, g) in arm.iter().zip(&self.place) {
            let Some(g) = g.map(|g| g as usize) else { continue };
            let mut square = 0.0;
            for (j, row) in
                self.squares[g * self.k * self.k..][..self.k * self.k].chunks_exact(self.k).enumerate()
            {
                square += within[j] * dot(row, within);
            }
            if *arm == 1 {
                square += self.weight[g] - 2.0 * dot(within, &self.columns[g * self.k..][..self.k]);
            }
            into.by_unit[g] -= slope * square;
        }
    }
}

impl Parts for ByUnit {
    fn units(&self) -> usize {
        self.units
    }

    fn one(&self, arm: &[u8], numbers: &mut Vec<f64>) -> Option<One> {
        self.packed.as_ref()?.one(arm, numbers)
    }

    fn write(&self, arm: &[u8], numbers: &mut Vec<f64>, into: &mut Written) -> bool {
        let (k, b) = (self.k, self.beside);
        let m = self.arms * b;
        // The weights of the columns of each arm, and the products of all of them with the covariates.
        numbers.clear();
        numbers.resize(m * (k + b), 0.0);
        let (within, whole) = numbers.split_at_mut(m * k);
        for (arm, g) in arm.iter().zip(&self.place) {
            let (Some(g), 1..) = (g, *arm) else { continue };
            let (g, j) = (*g as usize, usize::from(*arm) - 1);
            if j >= self.arms {
                // Left out by the procedure: it is in no arm's indicator.
                continue;
            }
            add(&mut into.score[j * b..(j + 1) * b], &self.residual[g * b..]);
            add(&mut whole[j * b * b..(j + 1) * b * b], &self.weight[g * b * b..]);
            add(&mut within[j * b * k..(j + 1) * b * k], &self.columns[g * b * k..]);
        }
        for row in 0..m {
            for column in 0..m {
                let product = dot(&within[row * k..(row + 1) * k], &within[column * k..(column + 1) * k]);
                let (arm, a) = (row / b, row % b);
                into.information[row * m + column] = if row == column {
                    left(whole[(arm * b + a) * b + a], product)
                } else if arm == column / b {
                    whole[(arm * b + a) * b + column % b] - product
                } else {
                    -product
                };
            }
        }
        for (arm, g) in arm.iter().zip(&self.place) {
            let Some(g) = g.map(|g| g as usize) else { continue };
            let scores = &self.scores[g * k..(g + 1) * k];
            let parts = &mut into.by_unit[g * m..(g + 1) * m];
            for (column, part) in parts.iter_mut().enumerate() {
                let own = usize::from(*arm) == column / b + 1;
                let own = if own { self.residual[g * b + column % b] } else { 0.0 };
                *part = own - dot(&within[column * k..(column + 1) * k], scores);
            }
        }
        if !self.squares.is_empty() && into.information[0] > 0.0 {
            self.fit_the_arm(arm, within, into);
        }
        true
    }
}

fn add(sums: &mut [f64], values: &[f64]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}
