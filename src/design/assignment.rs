//! An assignment: which unit got which arm, and with which probability it might have got each.

use ndarray::Array2;
use num_bigint::BigUint;

use super::{Commitment, Design, Units};
use crate::rng::Stream;
use crate::{Fault, Result};

/// The arms of all units, as drawn here or as observed in a trial that was randomised elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// The units in canonical order.
    pub units: Units,
    /// The names of the arms.
    pub arms: Vec<String>,
    /// The arm of each unit, an index into `arms`.
    pub arm: Vec<u8>,
    /// The probability of each arm for each unit; units x arms.
    pub probability: Array2<f64>,
    /// The commitment, for an assignment drawn here.
    pub commitment: Option<Commitment>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

impl Assignment {
    /// The number of units in each arm.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.arms.len()];
        for &arm in &self.arm {
            counts[usize::from(arm)] += 1;
        }
        counts
    }

    /// The number of units by stratum and arm; strata x arms.
    pub fn table(&self) -> Array2<usize> {
        let mut table = Array2::zeros((self.units.strata().len(), self.arms.len()));
        for (&stratum, &arm) in self.units.stratum().iter().zip(&self.arm) {
            table[[stratum as usize, usize::from(arm)]] += 1;
        }
        table
    }
}

impl Design {
    /// Draws the arms of these units.
    ///
    /// # Errors
    /// [`crate::Error::Design`] when the design cannot be carried out, has no seed, or there are fewer units than
    /// arms.
    pub fn assign(&self, units: &Units) -> Result<Assignment> {
        self.check_units(units)?;
        self.enough(units)?;
        let seed = self.the_seed()?;
        let ratio = self.ratio();
        let mut arm = vec![0_u8; units.len()];
        for (members, labels) in units.members().iter().zip(units.strata()) {
            let mut stream = Stream::new(seed, "assign", labels, 0);
            let drawn = self.the_method().assign(members.len(), &ratio, &mut stream);
            for (&unit, drawn) in members.iter().zip(drawn) {
                arm[unit as usize] = drawn;
            }
        }
        let commitment = Some(self.commitment()?);
        Ok(self.assignment(units, arm, commitment))
    }

    /// The number of different assignments that the procedure can give to these units, as an exact integer;
    /// nothing where more than eight arms share the places left over in a stratum.
    ///
    /// # Errors
    /// [`crate::Error::Design`] when the design cannot be carried out.
    pub fn possible(&self, units: &Units) -> Result<Option<BigUint>> {
        self.check_units(units)?;
        let ratio = self.ratio();
        Ok(units.members().iter().map(|members| self.the_method().possible(members.len(), &ratio)).product())
    }

    fn enough(&self, units: &Units) -> Result<()> {
        if units.len() >= self.arms().len() {
            return Ok(());
        }
        Err(Fault::new(format!("there are {} units for {} arms", units.len(), self.arms().len()))
            .column(self.unit()?.column())
            .values(units.labels().iter().cloned())
            .remedy("Randomise at least as many units as there are arms")
            .design())
    }

    pub(super) fn assignment(
        &self,
        units: &Units,
        arm: Vec<u8>,
        commitment: Option<Commitment>,
    ) -> Assignment {
        let shares = self.the_method().probabilities(&self.ratio());
        let probability = Array2::from_shape_fn((units.len(), shares.len()), |(_, arm)| shares[arm]);
        let mut assignment = Assignment {
            units: units.clone(),
            arms: self.arm_names(),
            arm,
            probability,
            commitment,
            notes: vec![],
        };
        if assignment.commitment.is_some() {
            assignment.notes = self.notes(&assignment);
        }
        assignment
    }

    fn notes(&self, assignment: &Assignment) -> Vec<String> {
        let mut notes = Vec::new();
        let ratio = self.ratio();
        let sizes: Vec<usize> = assignment.units.members().iter().map(Vec::len).collect();
        let misfits = sizes.iter().filter(|&&n| !(n as u64).is_multiple_of(ratio.total)).count();
        if misfits > 0 && self.the_method() == super::Method::Complete {
            let shares: Vec<String> = ratio.shares.iter().map(ToString::to_string).collect();
            notes.push(format!(
                "{misfits} of {} strata do not divide by the ratio {}: the places left over are drawn so that \
                 every unit's probability is exactly the ratio",
                sizes.len(),
                shares.join(":"),
            ));
        }
        let counts = assignment.counts();
        for (name, _) in assignment.arms.iter().zip(&counts).filter(|(_, count)| **count == 0) {
            notes.push(format!("no unit was drawn for the arm '{name}'"));
        }
        notes
    }
}
