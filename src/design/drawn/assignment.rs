//! An assignment: which unit got which arm, and with which probability it might have got each.

use ndarray::Array2;
use num_bigint::BigUint;

use serde::Serialize;

use super::commitment::Commitment;
use crate::design::Design;
use crate::design::engine::procedure::{Details, LEFT_OUT, Probabilities, Scratch, check_arms};
use crate::design::engine::random::Streams;
use crate::design::units::Units;
use crate::progress::watcher;
use crate::{Fault, Result};

/// The arms of all units, as drawn here or as observed in a trial that was randomised elsewhere.
///
/// ```
/// use crewe::design::{Column, Design, Units};
/// let design = Design::new("Trial").arm("control", 1).arm("crewe", 1).cluster("family").seed(3);
/// let families = Column::from_values("family", ["a", "a", "b", "c", "d"]);
/// let units = Units::from_rows(design.unit()?, &families, &[])?;
/// let assignment = design.assign(&units)?;
/// assert_eq!(assignment.counts(), [2, 2]);
/// assert!(assignment.arm_of("a").is_some() && assignment.arm_of("z").is_none());
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Assignment {
    /// The units in canonical order.
    pub units: Units,
    /// The names of the arms.
    pub arms: Vec<String>,
    /// The arm of each unit, an index into `arms`, or [`LEFT_OUT`].
    pub arm: Vec<u8>,
    /// The probability of each arm for each unit; units x arms, or 0 x 0 where it is not known.
    pub probability: Array2<f64>,
    /// The number of simulated draws that the probabilities come from; nothing where they are exact.
    pub simulated: Option<u64>,
    /// Blocks and conditional probabilities, for an assignment drawn here.
    pub details: Details,
    /// The commitment, for an assignment drawn here.
    pub commitment: Option<Commitment>,
    /// Whether the trial was randomised elsewhere and its arms read from the data, so that there is no procedure to replay.
    pub observed: bool,
    /// What a reader should know.
    pub notes: Vec<String>,
}

impl Assignment {
    /// An assignment out of its parts, as they were kept in a file: the names of the arms, the arm of each unit (an index
    /// into them, or [`LEFT_OUT`]) and the probabilities, units x arms, or 0 x 0 where they are not known.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for another number of units, an arm that does not exist, and probabilities of another
    /// shape.
    ///
    /// ```
    /// use crewe::design::{Assignment, Column, Unit, Units};
    /// use ndarray::Array2;
    /// let unit = Unit::Cluster("family".into());
    /// let units = Units::from_rows(&unit, &Column::from_values("family", ["b", "a", "b"]), &[])?;
    /// let arms = vec!["control".into(), "crewe".into()];
    /// let kept = Assignment::from_parts(&units, arms.clone(), vec![1, 0], Array2::zeros((0, 0)))?;
    /// assert_eq!(kept.arm_of("a"), Some("crewe"));
    /// assert!(Assignment::from_parts(&units, arms, vec![1, 7], Array2::zeros((0, 0))).is_err());
    /// # Ok::<(), crewe::Error>(())
    /// ```
    pub fn from_parts(
        units: &Units,
        arms: Vec<String>,
        arm: Vec<u8>,
        probability: Array2<f64>,
    ) -> Result<Self> {
        if arm.len() != units.len() || ![(units.len(), arms.len()), (0, 0)].contains(&probability.dim()) {
            return Err(Fault::new("the arms or their probabilities do not fit the units")
                .values([format!(
                    "{} units, {} arms of units, {} x {} probabilities",
                    units.len(),
                    arm.len(),
                    probability.nrows(),
                    probability.ncols()
                )])
                .remedy("Give one arm for each unit, and units x arms of probabilities")
                .input());
        }
        check_arms(&[], &arm, arms.len())?;
        Ok(Self {
            units: units.clone(),
            arms,
            arm,
            probability,
            simulated: None,
            details: Details::default(),
            commitment: None,
            observed: false,
            notes: vec![],
        })
    }

    /// The name of the arm of the unit with this identifier; nothing where there is no such unit or it was left out.
    pub fn arm_of(&self, id: &str) -> Option<&str> {
        let unit = self.units.labels().binary_search_by(|label| label.as_str().cmp(id)).ok()?;
        self.arms.get(usize::from(*self.arm.get(unit)?)).map(String::as_str)
    }

    /// The number of units in each arm.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.arms.len()];
        for &arm in self.arm.iter().filter(|&&arm| arm != LEFT_OUT) {
            counts[usize::from(arm)] += 1;
        }
        counts
    }

    /// The number of units that the procedure left out.
    pub fn left_out(&self) -> usize {
        self.arm.len() - self.counts().iter().sum::<usize>()
    }

    /// The number of units by stratum and arm; strata x arms.
    pub fn table(&self) -> Array2<usize> {
        let mut table = Array2::zeros((self.units.strata().len(), self.arms.len()));
        for (&stratum, &arm) in
            self.units.stratum().iter().zip(&self.arm).filter(|(_, arm)| **arm != LEFT_OUT)
        {
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
        let monitor = &watcher();
        let procedure = self.procedure(units, monitor)?;
        let streams = Streams::new(self.the_seed()?, "assign", units);
        let mut arm = vec![LEFT_OUT; units.len()];
        procedure.draw(streams.assignment(), &mut Scratch::new(monitor), &mut arm)?;
        let commitment = Some(self.commitment()?);
        let mut assignment = self.assignment(units, arm, procedure.probabilities(monitor)?, commitment);
        assignment.details = procedure.details(streams.assignment(), monitor)?;
        assignment.notes = self.notes(&assignment);
        assignment.notes.extend(procedure.notes(monitor)?);
        Ok(assignment)
    }

    /// The number of different assignments that the procedure can give to these units, as an exact integer;
    /// nothing where more than eight arms share the places left over in a stratum.
    ///
    /// # Errors
    /// [`crate::Error::Design`] when the design cannot be carried out.
    pub fn possible(&self, units: &Units) -> Result<Option<BigUint>> {
        let monitor = &watcher();
        self.procedure(units, monitor)?.possible(monitor)
    }

    fn enough(&self, units: &Units) -> Result<()> {
        if units.len() >= self.arms().len() {
            return Ok(());
        }
        Err(Fault::new(format!("there are {} units for {} arms", units.len(), self.arms().len()))
            .column(self.unit()?.column())
            .ids(units.labels().iter().cloned())
            .remedy("Randomise at least as many units as there are arms")
            .design())
    }

    pub(crate) fn assignment(
        &self,
        units: &Units,
        arm: Vec<u8>,
        probabilities: Probabilities,
        commitment: Option<Commitment>,
    ) -> Assignment {
        Assignment {
            units: units.clone(),
            arms: self.arm_names(),
            arm,
            probability: probabilities.arm,
            simulated: probabilities.simulated,
            details: Details::default(),
            commitment,
            observed: false,
            notes: vec![],
        }
    }

    fn notes(&self, assignment: &Assignment) -> Vec<String> {
        let mut notes = Vec::new();
        let ratio = self.ratio();
        let sizes: Vec<usize> = assignment.units.members().iter().map(Vec::len).collect();
        let misfits = sizes.iter().filter(|&&n| !(n as u64).is_multiple_of(ratio.total)).count();
        if let (1.., Some(told)) = (misfits, self.the_method().left_over(&ratio)) {
            let shares: Vec<String> = ratio.shares.iter().map(ToString::to_string).collect();
            notes.push(format!(
                "{misfits} of {} strata do not divide by the ratio {}: {told}",
                sizes.len(),
                shares.join(":"),
            ));
        }
        let left_out = assignment.left_out();
        if left_out > 0 {
            notes.push(format!("{left_out} of {} units were left out and have no arm", assignment.arm.len()));
        }
        let counts = assignment.counts();
        for (name, _) in assignment.arms.iter().zip(&counts).filter(|(_, count)| **count == 0) {
            notes.push(format!("no unit was drawn for the arm '{name}'"));
        }
        notes
    }
}
