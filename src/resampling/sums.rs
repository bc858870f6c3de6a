//! What a replay keeps of an arm while it evaluates one assignment.

/// The sums of one arm.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ArmSums {
    pub sum: f64,
    pub rows: f64,
    pub treated: f64,
    pub units: f64,
    pub square: f64,
    pub cross: f64,
    pub size: f64,
}

impl ArmSums {
    /// The mean of the outcomes.
    pub fn mean(&self) -> f64 {
        self.sum / self.rows
    }

    /// The variance of the mean.
    pub fn variance(&self) -> f64 {
        let m = self.mean();
        let squares = self.square - 2.0 * m * self.cross + m * m * self.size;
        // Outcomes that are all alike have no variance, up to the rounding of the sums of squares.
        let squares = if squares <= 1e-14 * self.square { 0.0 } else { squares };
        self.units / (self.units - 1.0) * squares / (self.rows * self.rows)
    }
}

/// The parts of the score of one assignment: of m indicators `U` (m), `A` (m x m) and `u_g` (units x m), by rows.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub score: Vec<f64>,
    pub information: Vec<f64>,
    pub by_unit: Vec<f64>,
}

impl Written {
    /// Empty parts of m indicators and as many units.
    pub fn reset(&mut self, m: usize, units: usize) {
        for (values, length) in
            [(&mut self.score, m), (&mut self.information, m * m), (&mut self.by_unit, units * m)]
        {
            values.clear();
            values.resize(length, 0.0);
        }
    }
}
