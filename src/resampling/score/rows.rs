//! The score of models whose rows have a residual and a weight each: least squares and families of yes-or-no outcomes.

use super::parts::{Parts, Score, left};
use super::{ArmModel, Kind, Residuals};
use crate::Result;
use crate::progress::NoMonitor;
use crate::regression::offset::with_offset;
use crate::resampling::outcomes::Outcomes;
use crate::resampling::projection::{dot, leave_residuals, orthonormal};
use crate::resampling::sums::Written;

/// Sums over the rows of a unit, in columns q of the covariates that are orthonormal under the weights.
struct ByUnit {
    /// The place of each unit among those with rows; nothing for the others.
    place: Vec<Option<u32>>,
    units: usize,
    k: usize,
    m: usize,
    /// `sum of e`.
    residual: Vec<f64>,
    /// `sum of w`.
    weight: Vec<f64>,
    /// `sum of w q`, units x k.
    columns: Vec<f64>,
    /// `sum of q e`, units x k.
    scores: Vec<f64>,
    /// `sum of w q q'`, units x k x k, where the residuals are unrestricted.
    squares: Vec<f64>,
}

/// The score under an effect of the treated units' rows.
pub(super) fn score(
    model: &ArmModel<'_>,
    outcomes: &Outcomes,
    effect: f64,
    treated: &[bool],
    arms: usize,
) -> Result<Score> {
    let kept: Vec<usize> = outcomes.rows().collect();
    let unit = |row: usize| outcomes.unit[row] as usize;
    let covariates = model.covariates;
    let (residual, weight) = match model.kind {
        Kind::Binary(family) => {
            let x = covariates.select(ndarray::Axis(0), &kept);
            let y: Vec<f64> = kept.iter().map(|&row| outcomes.values[row]).collect();
            let offset: Vec<f64> =
                kept.iter().map(|&row| if treated[unit(row)] { effect } else { 0.0 }).collect();
            let prior: Option<Vec<f64>> =
                model.weights.map(|weights| kept.iter().map(|&row| weights[row]).collect());
            let scored = with_offset(family, &y, x.view(), prior.as_deref(), &offset, &NoMonitor)?;
            (Some(scored.residual), scored.weight)
        }
        _ => (None, kept.iter().map(|&row| model.weights.map_or(1.0, |weights| weights[row])).collect()),
    };
    let roots: Vec<f64> = weight.iter().map(|w| w.sqrt()).collect();
    let basis = orthonormal(
        covariates
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

    let k = basis.len();
    let mut place = vec![None; outcomes.units];
    let mut units = 0;
    for &row in &kept {
        place[unit(row)].get_or_insert_with(|| {
            units += 1;
            units - 1
        });
    }
    let size = units as usize;
    let unrestricted = model.residuals == Residuals::Unrestricted;
    let mut sums = ByUnit {
        place,
        units: size,
        k,
        m: arms - 1,
        residual: vec![0.0; size],
        weight: vec![0.0; size],
        columns: vec![0.0; size * k],
        scores: vec![0.0; size * k],
        squares: vec![0.0; if unrestricted { size * k * k } else { 0 }],
    };
    for (at, &row) in kept.iter().enumerate() {
        // Every kept row's unit has a place.
        let Some(g) = sums.place[unit(row)].map(|g| g as usize) else { continue };
        sums.residual[g] += residual[at];
        sums.weight[g] += weight[at];
        // q is the basis over the root of the weight, which may be 0: then so is the residual.
        let over = if roots[at] > 0.0 { residual[at] / roots[at] } else { 0.0 };
        for (j, column) in basis.iter().enumerate() {
            sums.columns[g * k + j] += roots[at] * column[at];
            sums.scores[g * k + j] += over * column[at];
            if unrestricted {
                for (l, other) in basis.iter().enumerate() {
                    sums.squares[(g * k + j) * k + l] += column[at] * other[at];
                }
            }
        }
    }
    let scale = if model.is_linear() { outcomes.spread() } else { 1.0 };
    Ok(Score { parts: Box::new(sums), m: arms - 1, studentised: model.studentised, scale })
}

impl ByUnit {
    /// Takes the redrawn arm's own coefficient off the residuals.
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

    fn write(&self, arm: &[u8], numbers: &mut Vec<f64>, into: &mut Written) -> bool {
        let (k, m) = (self.k, self.m);
        // The weights of the arms, and the products of their indicators with the columns.
        numbers.clear();
        numbers.resize(m * (k + 1), 0.0);
        let (within, whole) = numbers.split_at_mut(m * k);
        for (arm, g) in arm.iter().zip(&self.place) {
            let (Some(g), 1..) = (g, *arm) else { continue };
            let (g, j) = (*g as usize, usize::from(*arm) - 1);
            if j >= m {
                // Left out by the procedure: it is in no arm's indicator.
                continue;
            }
            into.score[j] += self.residual[g];
            whole[j] += self.weight[g];
            for (sum, x) in within[j * k..(j + 1) * k].iter_mut().zip(&self.columns[g * k..]) {
                *sum += x;
            }
        }
        for j in 0..m {
            for l in 0..m {
                let product = dot(&within[j * k..(j + 1) * k], &within[l * k..(l + 1) * k]);
                into.information[j * m + l] = if j == l { left(whole[j], product) } else { -product };
            }
        }
        for (arm, g) in arm.iter().zip(&self.place) {
            let Some(g) = g.map(|g| g as usize) else { continue };
            let scores = &self.scores[g * k..(g + 1) * k];
            for j in 0..m {
                let own = if usize::from(*arm) == j + 1 { self.residual[g] } else { 0.0 };
                into.by_unit[g * m + j] = own - dot(&within[j * k..(j + 1) * k], scores);
            }
        }
        if !self.squares.is_empty() && into.information[0] > 0.0 {
            self.fit_the_arm(arm, within, into);
        }
        true
    }
}
