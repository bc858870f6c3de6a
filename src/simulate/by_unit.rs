//! The coefficient of the arm and its variance where every column of the model is the same within units.
//!
//! Let m_g be the rows of unit g and T_g the sum of its outcomes. The other columns have an orthonormal basis q (so
//! `sum_g m_g q_g q_g' = I`), found once. With z the arm, `a = sum m_g z_g q_g` and `c = sum T_g q_g`, what is left of the
//! arm is `z_g - q_g'a`, of squared length `S = sum m_g z_g - a'a`, and (R. Frisch and F. V. Waugh 1933,
//! doi:10.2307/1907330)
//!
//! ```text
//! b = (sum z_g T_g - a'c) / S          r_g = T_g - m_g (q_g'c + b (z_g - q_g'a))
//! h_g = m_g (q_g'q_g + (z_g - q_g'a)^2 / S)
//! variance = factor sum_g ((z_g - q_g'a) r_g (1 - h_g)^-p / S)^2,   p = 0: CR0, CR1, CR1S;  1/2: CR2;  1: CR3
//! ```
//!
//! since the block of the hat matrix that belongs to a unit is `h_g 1 1' / m_g`. The Satterthwaite degrees of freedom of CR2
//! under independent errors are those of [`crate::inference`]: with `f_g = (q_g, (z_g - q_g'a) / sqrt S)` and
//! `w_g = m_g^2 (z_g - q_g'a)^2 / (S^2 (1 - h_g))` they are
//!
//! ```text
//! S^-2 / (sum_g G_g^2 + ||sum_g w_g f_g f_g'||^2 - sum_g (w_g f_g'f_g)^2),   G_g = m_g (z_g - q_g'a)^2 / S^2
//! ```

use crate::inference::Vcov;

/// A column whose part outside the columns before it is shorter than this share of itself adds nothing.
const NOTHING: f64 = 1e-11;
/// The part of the arm that the other columns must leave.
const LEFT: f64 = 1e-9;
/// What a unit must leave to the others; below, it determines a coefficient by itself (Moore and Penrose).
const RESOLUTION: f64 = 1e-11;
/// Residuals are rounding where their squares sum to less than this share of those of the outcomes.
const ROUNDING: f64 = 1e-24;

/// The columns beside the arm, made ready for units of some sizes.
#[derive(Debug, Clone, Default)]
pub(super) struct Basis {
    /// Units x columns.
    q: Vec<f64>,
    columns: usize,
    /// The rows of each unit.
    rows: Vec<f64>,
    /// `m_g q_g'q_g`.
    leverage: Vec<f64>,
    /// All rows, and the units that have any.
    n: f64,
    units: f64,
    /// Whether a column repeated others.
    pub repeats: bool,
}

impl Basis {
    /// Takes columns, units x `width`, for units of these sizes.
    pub fn prepare(&mut self, values: &[f64], width: usize, rows: &[f64]) {
        let units = rows.len();
        self.rows.clear();
        self.rows.extend_from_slice(rows);
        self.n = rows.iter().sum();
        self.units = rows.iter().filter(|&&m| m > 0.0).count() as f64;
        self.q.clear();
        self.q.resize(units * width, 0.0);
        let mut kept = 0;
        for column in 0..width {
            let place = |unit: usize, column: usize| unit * width + column;
            for unit in 0..units {
                self.q[place(unit, kept)] = values[place(unit, column)];
            }
            let dot = |q: &[f64], a: usize, b: usize| -> f64 {
                (0..units).map(|unit| rows[unit] * q[place(unit, a)] * q[place(unit, b)]).sum()
            };
            let length = dot(&self.q, kept, kept).sqrt();
            // Twice, so that nothing of the columns before is left.
            for _ in 0..2 {
                for before in 0..kept {
                    let share = dot(&self.q, kept, before);
                    for unit in 0..units {
                        let off = share * self.q[place(unit, before)];
                        self.q[place(unit, kept)] -= off;
                    }
                }
            }
            let left = dot(&self.q, kept, kept).sqrt();
            if left > NOTHING * length {
                for unit in 0..units {
                    self.q[place(unit, kept)] /= left;
                }
                kept += 1;
            }
        }
        self.repeats = kept < width;
        if kept < width {
            let all = std::mem::take(&mut self.q);
            self.q = all.chunks_exact(width).flat_map(|row| row[..kept].iter().copied()).collect();
        }
        self.columns = kept;
        self.leverage.clear();
        for unit in 0..units {
            let square: f64 = self.of(unit).iter().map(|q| q * q).sum();
            self.leverage.push(rows[unit] * square);
        }
    }

    /// Whether no columns were taken yet.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn of(&self, unit: usize) -> &[f64] {
        &self.q[unit * self.columns..(unit + 1) * self.columns]
    }
}

/// Buffers that replicates use again and again.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    a: Vec<f64>,
    c: Vec<f64>,
    outer: Vec<f64>,
}

/// The coefficient of the arm with its standard error and degrees of freedom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Coefficient {
    pub estimate: f64,
    pub std_error: f64,
    pub df: f64,
}

/// What an analysis says of an arm: a coefficient, and where it is a test of its own the p-value and the interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Answer {
    pub coefficient: Coefficient,
    pub p_value: Option<f64>,
    pub interval: Option<[f64; 2]>,
}

impl From<Coefficient> for Answer {
    fn from(coefficient: Coefficient) -> Self {
        Self { coefficient, p_value: None, interval: None }
    }
}

/// Whether a kind of variance can be had from the units' sums.
pub(super) fn has(kind: Vcov, single: bool) -> bool {
    match kind {
        Vcov::Cr0 | Vcov::Cr1 | Vcov::Cr1s | Vcov::Cr2 | Vcov::Cr3 => true,
        // With a row a unit HC2 is CR2.
        Vcov::Hc2 => single,
        _ => false,
    }
}

impl Basis {
    /// Fits the model to the sums of the units' outcomes; nothing where the arm has no coefficient, or it no variance.
    pub fn fit(
        &self,
        treated: &[f64],
        totals: &[f64],
        kind: Vcov,
        buffers: &mut Buffers,
    ) -> Option<Coefficient> {
        let (columns, units) = (self.columns, self.rows.len());
        let Buffers { a, c, outer } = buffers;
        a.clear();
        a.resize(columns, 0.0);
        c.clear();
        c.resize(columns, 0.0);
        let (mut rows, mut of_y, mut squares) = (0.0, 0.0, 0.0);
        for unit in 0..units {
            let (z, total) = (treated[unit], totals[unit]);
            let weight = z * self.rows[unit];
            rows += weight;
            of_y += z * total;
            squares += total * total;
            for (j, &q) in self.of(unit).iter().enumerate() {
                a[j] += weight * q;
                c[j] += total * q;
            }
        }
        let s = rows - a.iter().map(|a| a * a).sum::<f64>();
        // An arm that the other columns imply has no coefficient; neither has one without rows.
        if s.is_nan() || s <= LEFT * rows {
            return None;
        }
        let estimate = (of_y - a.iter().zip(c.iter()).map(|(a, c)| a * c).sum::<f64>()) / s;
        let power = match kind {
            Vcov::Cr2 | Vcov::Hc2 => 1,
            Vcov::Cr3 => 2,
            _ => 0,
        };
        let satterthwaite = power == 1;
        let width = columns + 1;
        if satterthwaite {
            outer.clear();
            outer.resize(width * width, 0.0);
        }
        let (mut sum, mut residuals, mut own, mut pairs) = (0.0, 0.0, 0.0, 0.0);
        let root = s.sqrt();
        for unit in 0..units {
            let (m, q) = (self.rows[unit], self.of(unit));
            let (mut of_a, mut of_c) = (0.0, 0.0);
            for (j, &q) in q.iter().enumerate() {
                of_a += q * a[j];
                of_c += q * c[j];
            }
            let z = treated[unit] - of_a;
            let residual = totals[unit] - m * (of_c + estimate * z);
            residuals += residual * residual;
            let h = self.leverage[unit] + m * z * z / s;
            let rest = 1.0 - h;
            let gone = rest <= RESOLUTION;
            if power == 2 && gone && m > 0.0 {
                // Without this unit the model cannot be estimated.
                return None;
            }
            let inflation = match power {
                0 => 1.0,
                _ if gone => 0.0,
                1 => 1.0 / rest,
                _ => 1.0 / (rest * rest),
            };
            let score = z * residual / s;
            sum += score * score * inflation;
            if satterthwaite && !gone {
                let share = m * z * z / (s * s);
                own += share * share;
                let weight = share * m * inflation;
                pairs -= (weight * h / m.max(1.0)).powi(2);
                let last = z / root;
                for (j, &one) in q.iter().enumerate() {
                    for (l, &other) in q.iter().enumerate().take(j + 1) {
                        outer[j * width + l] += weight * one * other;
                    }
                    outer[columns * width + j] += weight * last * one;
                }
                outer[columns * width + columns] += weight * last * last;
            }
        }
        let n = self.n - width as f64;
        let factor = match kind {
            Vcov::Cr1 => self.units / (self.units - 1.0),
            Vcov::Cr1s => self.units / (self.units - 1.0) * (self.n - 1.0) / n,
            _ => 1.0,
        };
        let variance = factor * sum;
        if residuals <= ROUNDING * squares || variance.is_nan() || variance <= 0.0 {
            return None;
        }
        let df = if satterthwaite {
            for j in 0..width {
                for l in 0..=j {
                    let twice = if l == j { 1.0 } else { 2.0 };
                    pairs += twice * outer[j * width + l].powi(2);
                }
            }
            // The trace is 1/S but where a unit determines a coefficient by itself.
            let trace: f64 = 1.0 / s;
            (trace * trace / (own + pairs)).max(1.0)
        } else {
            self.units - 1.0
        };
        Some(Coefficient { estimate, std_error: variance.sqrt(), df })
    }
}
