//! A procedure made ready for the units of one trial: what every use of a design is written against.

use ndarray::Array2;
use num_bigint::BigUint;

use serde::Serialize;

use super::random::{Random, Steps};
use super::weighing;
use crate::progress::{Monitor, Pace};
use crate::{Fault, Result};

/// The arm of a unit that a procedure leaves out; a trial has at most 255 arms, so it is never one of theirs.
pub const LEFT_OUT: u8 = u8::MAX;

/// Refuses arms that do not exist, and units that are not there.
pub(super) fn check_arms(rows: &[u32], arm: &[u8], arms: usize) -> Result<()> {
    let wrong: Vec<usize> =
        (0..arm.len()).filter(|&unit| usize::from(arm[unit]) >= arms && arm[unit] != LEFT_OUT).collect();
    if !wrong.is_empty() {
        return Err(Fault::new(format!("{} units have an arm that is not below {arms}", wrong.len()))
            .values(wrong.iter().map(|&unit| format!("unit {unit}: {}", arm[unit])))
            .remedy("Give the arm of each unit as a position among the arms, or LEFT_OUT")
            .input());
    }
    crate::codes::check(rows, rows.len(), arm.len(), "units")
}

/// Room that draws use again and again, and who may stop them.
#[derive(Debug)]
pub(crate) struct Scratch<'a> {
    /// Asks whether to go on.
    pub pace: Pace<'a>,
    /// The arms of a stratum's units, in the order in which they are drawn.
    pub arms: Vec<u8>,
    /// Indices to shuffle.
    pub order: Vec<u32>,
    /// Counts by arm.
    pub counts: Vec<u64>,
    /// What the rules over fake arms need.
    pub fake: weighing::Room,
}

impl<'a> Scratch<'a> {
    pub fn new(monitor: &'a dyn Monitor) -> Self {
        Self {
            pace: Pace::new(monitor),
            arms: Vec::new(),
            order: Vec::new(),
            counts: Vec::new(),
            fake: weighing::Room::default(),
        }
    }
}

/// Every unit's probability of every arm.
///
/// ```
/// use crewe::design::{Column, Design, Units};
/// let design = Design::new("Trial").arm("control", 1).arm("crewe", 1).cluster("family").seed(3);
/// let families = Column::from_values("family", ["a", "a", "b", "c", "d"]);
/// let units = Units::from_rows(design.unit()?, &families, &[])?;
/// let found = design.probabilities(&units)?;
/// assert_eq!((found.arm[[0, 1]], found.simulated), (0.5, None));
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Probabilities {
    /// Units x arms. A row sums to less than 1 by the probability of being left out.
    pub arm: Array2<f64>,
    /// The number of simulated draws they come from; nothing where they are exact. The standard error of a
    /// probability p is then sqrt(p (1 - p) / draws).
    pub simulated: Option<u64>,
}

/// What is known of an assignment beyond the arms.
///
/// ```
/// use crewe::design::{Blocks, Column, Design, Units};
/// let design = Design::new("t").arm("a", 1).arm("b", 1).individual("id").method(Blocks::new([2])).seed(1);
/// let ids = Column::from_values("id", ["1", "2", "3", "4"]);
/// let units = Units::from_rows(design.unit()?, &ids, &[])?.arriving("day", &[1, 2, 3, 4])?;
/// let details = design.assign(&units)?.details;
/// assert_eq!(details.block, Some(vec![0, 0, 1, 1]));
/// assert_eq!(details.conditional.unwrap()[[1, 0]].fract(), 0.0); // the second of a pair is certain
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Details {
    /// For a sequential procedure: each unit's probability of each arm when it arrived, given all that was drawn before
    /// (arms, the sizes of blocks, and which fake arms stood for the arms); units x arms.
    pub conditional: Option<Array2<f64>>,
    /// For blocks, the number of each unit's block in its stratum; for matched sets, its set.
    pub block: Option<Vec<u32>>,
}

/// All assignments that a procedure can give, each with its probability.
///
/// ```
/// use crewe::design::{Column, Design, Units};
/// let design = Design::new("Trial").arm("control", 1).arm("crewe", 1).cluster("family").seed(3);
/// let families = Column::from_values("family", ["a", "a", "b", "c", "d"]);
/// let units = Units::from_rows(design.unit()?, &families, &[])?;
/// let all = design.support(&units, 100)?.expect("there are six");
/// assert_eq!(all.arm.dim(), (6, 4));
/// assert!((all.probability.iter().sum::<f64>() - 1.0).abs() < 1e-15);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Support {
    /// Assignments x units; entries are arms, or [`LEFT_OUT`].
    pub arm: Array2<u8>,
    /// The probability of each assignment; they sum to 1.
    pub probability: Vec<f64>,
}

/// A procedure made ready for the units of one trial.
///
/// What may take long asks a monitor and is an error where that stops it.
pub(crate) trait Procedure: Send + Sync {
    /// Draws one assignment into `arm`, one entry a unit.
    fn draw(&self, random: Random<'_>, scratch: &mut Scratch<'_>, arm: &mut [u8]) -> Result<()>;

    /// Every unit's probability of every arm.
    fn probabilities(&self, monitor: &dyn Monitor) -> Result<Probabilities>;

    /// How many different assignments it can give; nothing where that cannot be counted.
    fn possible(&self, monitor: &dyn Monitor) -> Result<Option<BigUint>>;

    /// All assignments with their probabilities; nothing where there are more than `most`.
    fn support(&self, most: usize, monitor: &dyn Monitor) -> Result<Option<Support>>;

    /// What is known of the assignment that `random` draws, beyond its arms.
    fn details(&self, _random: Random<'_>, _monitor: &dyn Monitor) -> Result<Details> {
        Ok(Details::default())
    }

    /// How many assignments it looks at for one draw, in the mean.
    fn tries(&self) -> u64 {
        1
    }

    /// What a reader of an assignment should know.
    fn notes(&self, _monitor: &dyn Monitor) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}

/// A procedure that draws each stratum by itself, with no regard to who the units are.
pub(crate) trait WithinStratum: Send + Sync {
    /// Draws the arms of n units into `scratch.arms`.
    fn draw(&self, n: usize, steps: &mut Steps, scratch: &mut Scratch<'_>);

    /// Each arm's probability, the same for each of n units.
    fn probabilities(&self, n: usize) -> Vec<f64>;

    /// How many different assignments it can give to n units; nothing where that cannot be counted.
    fn possible(&self, n: usize, monitor: &dyn Monitor) -> Result<Option<BigUint>>;

    /// All assignments of n units with their probabilities; nothing where there are more than `most`.
    fn support(&self, n: usize, most: usize, monitor: &dyn Monitor) -> Result<Option<Vec<Weighed>>>;

    /// What is known of the units beyond their arms, in the order in which they are drawn.
    fn details(&self, _n: usize, _steps: &mut Steps) -> Details {
        Details::default()
    }
}

/// The arms of a stratum's units, and the probability of this assignment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Weighed {
    pub arms: Vec<u8>,
    pub probability: f64,
}

/// A [`WithinStratum`] procedure over all strata.
pub(crate) struct ByStratum<P> {
    /// The units of each stratum in the order in which they are drawn.
    pub members: Vec<Vec<u32>>,
    /// The number of arms.
    pub arms: usize,
    /// The procedure.
    pub within: P,
}

impl<P: WithinStratum> Procedure for ByStratum<P> {
    fn draw(&self, random: Random<'_>, scratch: &mut Scratch<'_>, arm: &mut [u8]) -> Result<()> {
        for (stratum, members) in self.members.iter().enumerate() {
            scratch.pace.by(members.len())?;
            self.within.draw(members.len(), &mut random.stratum(stratum), scratch);
            for (&unit, &drawn) in members.iter().zip(&scratch.arms) {
                arm[unit as usize] = drawn;
            }
        }
        Ok(())
    }

    fn probabilities(&self, _monitor: &dyn Monitor) -> Result<Probabilities> {
        let mut arm = Array2::zeros((self.units(), self.arms));
        for members in &self.members {
            let shares = self.within.probabilities(members.len());
            for &unit in members {
                for (place, &share) in shares.iter().enumerate() {
                    arm[[unit as usize, place]] = share;
                }
            }
        }
        Ok(Probabilities { arm, simulated: None })
    }

    fn possible(&self, monitor: &dyn Monitor) -> Result<Option<BigUint>> {
        self.members.iter().map(|members| self.within.possible(members.len(), monitor)).product()
    }

    fn support(&self, most: usize, monitor: &dyn Monitor) -> Result<Option<Support>> {
        let strata: Option<Vec<Vec<Weighed>>> = self
            .members
            .iter()
            .map(|members| self.within.support(members.len(), most, monitor))
            .collect::<Result<_>>()?;
        strata.map_or(Ok(None), |strata| product(&self.members, self.units(), &strata, most, monitor))
    }

    fn details(&self, random: Random<'_>, _monitor: &dyn Monitor) -> Result<Details> {
        let units = self.units();
        let mut all = Details::default();
        for (stratum, members) in self.members.iter().enumerate() {
            let here = self.within.details(members.len(), &mut random.stratum(stratum));
            if let Some(conditional) = here.conditional {
                let into = all.conditional.get_or_insert_with(|| Array2::zeros((units, self.arms)));
                for (row, &unit) in members.iter().enumerate() {
                    into.row_mut(unit as usize).assign(&conditional.row(row));
                }
            }
            if let Some(block) = here.block {
                let into = all.block.get_or_insert_with(|| vec![0; units]);
                for (&number, &unit) in block.iter().zip(members) {
                    into[unit as usize] = number;
                }
            }
        }
        Ok(all)
    }
}

impl<P> ByStratum<P> {
    fn units(&self) -> usize {
        self.members.iter().map(Vec::len).sum()
    }
}

/// Every combination of the strata's assignments; nothing where there are more than `most`.
pub(super) fn product(
    members: &[Vec<u32>],
    units: usize,
    strata: &[Vec<Weighed>],
    most: usize,
    monitor: &dyn Monitor,
) -> Result<Option<Support>> {
    let total = strata.iter().try_fold(1_usize, |so_far, here| so_far.checked_mul(here.len()));
    let Some(total) = total.filter(|&total| total <= most) else { return Ok(None) };
    let mut pace = Pace::new(monitor);
    let mut arm = Array2::zeros((total, units));
    let mut probability = vec![1.0; total];
    for (index, mut row) in arm.rows_mut().into_iter().enumerate() {
        pace.by(units)?;
        // The index read as a number whose digits are the strata's assignments, the last stratum fastest.
        let mut left = index;
        for (members, here) in members.iter().zip(strata).rev() {
            let chosen = &here[left % here.len()];
            left /= here.len();
            probability[index] *= chosen.probability;
            for (&unit, &drawn) in members.iter().zip(&chosen.arms) {
                row[unit as usize] = drawn;
            }
        }
    }
    Ok(Some(Support { arm, probability }))
}

pub(super) fn by_stratum<P: WithinStratum + 'static>(
    members: Vec<Vec<u32>>,
    arms: usize,
    within: P,
) -> Box<dyn Procedure> {
    Box::new(ByStratum { members, arms, within })
}
