//! How the units count in a difference in means: equally, or by the inverse of their chances.

use super::Weights;
use crate::design::Assignment;
use crate::{Fault, Result};

/// The weights of the units, where they count by inverse probability.
pub(super) fn chances(
    assignment: &Assignment,
    weights: Weights,
    notes: &mut Vec<String>,
) -> Result<Option<ndarray::Array2<f64>>> {
    let probability = &assignment.probability;
    let differ = probability.columns().into_iter().any(|chance| {
        let (low, high) =
            chance.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), &p| (low.min(p), high.max(p)));
        // Simulated chances differ by their own error too.
        let noise = assignment.simulated.map_or(1e-9, |n| 8.0 * (high * (1.0 - low) / n as f64).sqrt());
        high - low > noise
    });
    let by_inverse = match weights {
        Weights::Equal => {
            if differ {
                notes.push("units had different chances of an arm and count equally on request".into());
            }
            false
        }
        Weights::Auto => differ,
        Weights::InverseProbability => true,
    };
    if !by_inverse {
        return Ok(None);
    }
    let never: Vec<usize> =
        (0..probability.nrows()).filter(|&unit| probability.row(unit).iter().any(|&p| p <= 0.0)).collect();
    if !never.is_empty() {
        return Err(Fault::new(format!("{} units had no chance of one of the arms", never.len()))
            .column(assignment.units.unit().column())
            .ids(never.iter().map(|&unit| assignment.units.labels()[unit].clone()))
            .remedy("Count the units equally (weights equal): inverse probabilities are infinite here")
            .design());
    }
    if weights == Weights::Auto {
        notes.push(
            "units had different chances of an arm, so each counts by the inverse of its probability (Hájek)"
                .into(),
        );
    }
    Ok(Some(probability.mapv(|p| 1.0 / p)))
}
