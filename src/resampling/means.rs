//! Differences in means between the arms, from sums by unit.
//!
//! With s_u the sum of the outcomes of unit u and n_u their number (over unit means: their mean, and 1), w_uj the unit's
//! weight in arm j (1, or the inverse of its probability of the arm), the mean of arm j is
//!
//! m_j = sum w_uj s_u / sum w_uj n_u over the units of the arm, and the statistic m_j - m_0.
//!
//! Its standard error takes the units as independent within the arms: SE^2 = V_j + V_0, where V_j = G_j / (G_j - 1)
//! sum w_uj^2 (s_u - n_u m_j)^2 / (sum w_uj n_u)^2 over the G_j units of the arm. Dividing by it makes the test also hold,
//! in large trials, for no effect on average in place of no effect on anybody (J. Wu and P. Ding 2021,
//! doi:10.1080/01621459.2020.1750415).

use ndarray::Array2;

use super::Outcomes;
use super::replay::{Evaluate, Room};
use super::sums::ArmSums;
use crate::ties;

/// Sums of one unit, as it counts in one arm.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    /// w s.
    sum: f64,
    /// w n.
    rows: f64,
    /// w n for a unit that was treated in the trial, else 0.
    treated: f64,
    /// 1 for a unit with outcomes.
    units: f64,
}

/// Differences in means, made ready for the outcomes of a trial.
pub(super) struct Means {
    arms: usize,
    units: usize,
    /// Arms x units, and one more arm of zeros for units that are left out.
    cells: Vec<Cell>,
    studentised: bool,
    /// What was taken off every outcome, so that sums of squares lose no digits.
    centre: f64,
}

impl Means {
    /// `values` by row, NaN where they do not count; `weight` units x arms; `treated` by unit.
    pub fn new(
        outcomes: &Outcomes,
        values: &[f64],
        unit_means: bool,
        weight: Option<&Array2<f64>>,
        treated: &[bool],
        arms: usize,
        studentised: bool,
    ) -> Self {
        let units = outcomes.units;
        let counts = outcomes.counts();
        let (mut n, mut centre) = (0.0, 0.0);
        for &value in values.iter().filter(|value| !value.is_nan()) {
            n += 1.0;
            centre += (value - centre) / n;
        }
        // Outcomes that are one value have sums of 0, and not of what rounding leaves.
        let varies = ties::varies(values);
        let mut sums = vec![0.0; units];
        for (&value, &unit) in values.iter().zip(&outcomes.unit).filter(|(value, _)| !value.is_nan()) {
            sums[unit as usize] += if varies { value - centre } else { 0.0 };
        }
        let mut cells = vec![Cell::default(); (arms + 1) * units];
        for (index, cell) in cells.iter_mut().enumerate().take(arms * units) {
            let (arm, unit) = (index / units, index % units);
            if counts[unit] == 0.0 {
                continue;
            }
            let (sum, rows) =
                if unit_means { (sums[unit] / counts[unit], 1.0) } else { (sums[unit], counts[unit]) };
            let w = weight.map_or(1.0, |weight| weight[[unit, arm]]);
            let treated = if treated[unit] { w * rows } else { 0.0 };
            *cell = Cell { sum: w * sum, rows: w * rows, treated, units: 1.0 };
        }
        Self { arms, units, cells, studentised, centre }
    }

    /// The sums of every arm, and of the units left out.
    pub fn sums<'a>(&self, arm: &[u8], room: &'a mut Vec<ArmSums>) -> &'a [ArmSums] {
        room.clear();
        room.resize(self.arms + 1, ArmSums::default());
        for (unit, &arm) in arm.iter().enumerate() {
            let place = usize::from(arm).min(self.arms);
            let cell = &self.cells[place * self.units + unit];
            let into = &mut room[place];
            into.sum += cell.sum;
            into.rows += cell.rows;
            into.treated += cell.treated;
            into.units += cell.units;
            into.square += cell.sum * cell.sum;
            into.cross += cell.sum * cell.rows;
            into.size += cell.rows * cell.rows;
        }
        &room[..self.arms]
    }

    /// The mean of every arm.
    pub fn means(&self, arm: &[u8]) -> Vec<f64> {
        self.sums(arm, &mut Vec::new()).iter().map(|sums| sums.mean() + self.centre).collect()
    }

    /// Whether the statistic is defined where the arms have these sums, which no outcome enters.
    fn defined(&self, sums: &[ArmSums]) -> bool {
        let least = if self.studentised { 2.0 } else { 1.0 };
        sums.iter().all(|sums| sums.units >= least)
    }

    fn difference(&self, arm: &ArmSums, reference: &ArmSums) -> f64 {
        let difference = arm.mean() - reference.mean();
        if !self.studentised {
            return difference;
        }
        let variance = arm.variance() + reference.variance();
        // Arms without any variance are infinitely far apart, unless they are equal.
        if variance > 0.0 || difference.abs() > 0.0 { difference / variance.sqrt() } else { 0.0 }
    }

    /// The sum of squares between the arms.
    fn between(sums: &[ArmSums]) -> f64 {
        let rows: f64 = sums.iter().map(|sums| sums.rows).sum();
        let mean = sums.iter().map(|sums| sums.sum).sum::<f64>() / rows;
        sums.iter().map(|sums| sums.rows * (sums.mean() - mean).powi(2)).sum()
    }
}

/// The statistics of every arm but the reference; with more than two arms, then the sum of squares between them.
pub(super) struct ByArm(pub Means);

impl Evaluate for ByArm {
    fn width(&self) -> usize {
        if self.0.arms == 2 { 1 } else { self.0.arms }
    }

    fn omnibus(&self) -> bool {
        self.0.arms > 2
    }

    fn evaluate(&self, arm: &[u8], room: &mut Room, values: &mut [f64]) {
        let sums = self.0.sums(arm, &mut room.sums);
        if !self.0.defined(sums) {
            values.fill(f64::NAN);
            return;
        }
        for (value, arm) in values.iter_mut().zip(&sums[1..]) {
            *value = self.0.difference(arm, &sums[0]);
        }
        if self.0.arms > 2 {
            values[self.0.arms - 1] = Means::between(sums);
        }
    }
}

/// Units that are summed side by side, so that no addition waits for the one before.
const LANES: usize = 4;

/// For two arms, the difference in means of the outcomes and that of the treated units' indicator: under the hypothesis
/// that treatment adds an effect to every outcome, the statistic is the first less the effect times the second.
pub(super) struct Linear {
    /// Each arm's sums, rows and treated by unit, and a 0 that makes them a whole vector of the processor.
    columns: [Vec<[f64; 4]>; 2],
    /// Their sums over all units, where units count alike in either arm and every unit has an arm: what one arm has the
    /// other lacks.
    total: Option<[f64; 4]>,
}

impl Linear {
    pub fn new(means: &Means, everybody: bool) -> Self {
        let units = means.units;
        let columns: [Vec<[f64; 4]>; 2] = [0, 1].map(|arm| {
            let cells = &means.cells[arm * units..(arm + 1) * units];
            cells.iter().map(|cell| [cell.sum, cell.rows, cell.treated, 0.0]).collect()
        });
        let total = (everybody && columns[0] == columns[1]).then(|| {
            columns[0].iter().fold([0.0; 4], |sum: [f64; 4], cell| [0, 1, 2, 3].map(|k| sum[k] + cell[k]))
        });
        Self { columns, total }
    }
}

/// The sums over the units of one arm, in an order that depends on nothing but their number.
fn masked(arm: &[u8], which: u8, columns: &[[f64; 4]]) -> [f64; 4] {
    let mut lanes = [[0.0; 4]; LANES];
    let add = |sums: &mut [f64; 4], arm: u8, cell: &[f64; 4]| {
        // A mask instead of a branch, which could not be foreseen.
        let mask = f64::from(u8::from(arm == which));
        for k in 0..4 {
            sums[k] += mask * cell[k];
        }
    };
    let (arms, cells) = (arm.chunks_exact(LANES), columns.chunks_exact(LANES));
    for (&arm, cell) in arms.remainder().iter().zip(cells.remainder()) {
        add(&mut lanes[0], arm, cell);
    }
    for (arms, cells) in arms.zip(cells) {
        for lane in 0..LANES {
            add(&mut lanes[lane], arms[lane], &cells[lane]);
        }
    }
    lanes.iter().fold([0.0; 4], |sum, lane| [0, 1, 2, 3].map(|k| sum[k] + lane[k]))
}

impl Evaluate for Linear {
    fn width(&self) -> usize {
        2
    }

    fn evaluate(&self, arm: &[u8], _room: &mut Room, values: &mut [f64]) {
        let of_arm = masked(arm, 1, &self.columns[1]);
        let reference = match self.total {
            Some(total) => [0, 1, 2, 3].map(|k| total[k] - of_arm[k]),
            None => masked(arm, 0, &self.columns[0]),
        };
        // An arm without outcomes gives 0 / 0, except that what is left of a total may not be exactly 0.
        if of_arm[1] <= 0.0 || reference[1] <= 0.0 {
            values.fill(f64::NAN);
            return;
        }
        values[0] = of_arm[0] / of_arm[1] - reference[0] / reference[1];
        values[1] = of_arm[2] / of_arm[1] - reference[2] / reference[1];
    }
}
