//! What replicates use again and again.

use ndarray::Array2;

use super::by_unit::{Basis, Buffers, Coefficient};

/// Buffers that replicates use again and again.
pub(super) struct Room {
    pub arm: Vec<u8>,
    /// How much of the effect each unit has.
    pub dose: Vec<f64>,
    /// Whether each unit is in the arm that is compared.
    pub treated: Vec<f64>,
    pub totals: Vec<f64>,
    pub sizes: Vec<f64>,
    pub starts: Vec<u32>,
    pub counts: Vec<usize>,
    pub y: Vec<f64>,
    pub event: Vec<f64>,
    /// The covariates that are drawn, and the columns of the model with them.
    pub beside: Vec<Vec<f64>>,
    pub covariates: Option<Array2<f64>>,
    /// By row, whether it is in the subgroup, and how much of the effect it has.
    pub inside: Vec<f64>,
    pub share: Vec<f64>,
    pub values: Vec<f64>,
    pub basis: Basis,
    pub buffers: Buffers,
    pub answers: Vec<Option<Coefficient>>,
}

impl Room {
    pub fn new(units: usize) -> Self {
        Self {
            arm: vec![0; units],
            dose: vec![0.0; units],
            treated: vec![0.0; units],
            totals: vec![0.0; units],
            sizes: Vec::new(),
            starts: Vec::new(),
            counts: Vec::new(),
            y: Vec::new(),
            event: Vec::new(),
            beside: Vec::new(),
            covariates: None,
            inside: Vec::new(),
            share: Vec::new(),
            values: Vec::new(),
            basis: Basis::default(),
            buffers: Buffers::default(),
            answers: Vec::new(),
        }
    }

    /// Sums the outcomes that are known, by unit, and counts them.
    pub fn sum(&mut self) {
        self.sizes.clear();
        for (unit, pair) in self.starts.windows(2).enumerate() {
            let known = self.y[pair[0] as usize..pair[1] as usize].iter().filter(|y| !y.is_nan());
            self.sizes.push(known.clone().count() as f64);
            self.totals[unit] = known.sum();
        }
    }

    /// Whether units have outcomes that are known.
    pub fn kept(&self) -> Vec<bool> {
        self.sizes.iter().map(|&size| size > 0.0).collect()
    }
}
