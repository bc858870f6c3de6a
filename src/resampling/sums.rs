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
