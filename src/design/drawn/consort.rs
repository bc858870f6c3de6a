//! The counts of a CONSORT flow diagram for a trial of clusters: units and rows (families and children) allocated,
//! not analysed with the reason, and analysed, in every arm.
//!
//! A unit is analysed when any of its rows is; otherwise it counts under the first reason that any of its rows has,
//! in the order of the reasons, or as unexplained. So units and rows both add up: allocated = reasons + unexplained +
//! analysed.
//!
//! M. K. Campbell et al. (2012), Consort 2010 statement: extension to cluster randomised trials, BMJ 345, e5661,
//! doi:10.1136/bmj.e5661.

use serde::Serialize;

use crate::design::engine::procedure::{LEFT_OUT, check_arms};
use crate::{Fault, Result};

/// A number of units and of rows.
///
/// ```
/// use crewe::design::Count;
/// assert_eq!(Count::default(), Count { units: 0, rows: 0 });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Count {
    /// Units, such as families.
    pub units: u64,
    /// Rows, such as children.
    pub rows: u64,
}

/// The flow of one arm.
///
/// ```
/// use crewe::design::flow;
/// let made = flow(&[0, 0, 1], &[0, 1], 2, 1, &[None, Some(0), None], &[true, false, false])?;
/// let control = &made.arms[0];
/// assert_eq!((control.allocated.rows, control.analysed.rows, control.excluded[0].rows), (2, 1, 1));
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ArmFlow {
    /// Allocated to the arm.
    pub allocated: Count,
    /// Not analysed, by reason.
    pub excluded: Vec<Count>,
    /// Not analysed and no reason given.
    pub unexplained: Count,
    /// Analysed.
    pub analysed: Count,
}

/// The flow of all arms.
///
/// ```
/// use crewe::design::{LEFT_OUT, flow};
/// let made = flow(&[0, 1, 2], &[0, 1, LEFT_OUT], 2, 0, &[None; 3], &[true, true, false])?;
/// assert_eq!((made.arms.len(), made.left_out.units), (2, 1));
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Flow {
    /// One flow an arm.
    pub arms: Vec<ArmFlow>,
    /// Units that the procedure left out, so that they are in no arm.
    pub left_out: Count,
}

/// Counts the flow.
///
/// `rows` holds the unit of each row, `arm` the arm of each unit, `reason` the reason for which a row was left out (an
/// index below `reasons`), and `analysed` whether it was analysed. Units whose arm is [`LEFT_OUT`] are counted apart.
///
/// ```
/// use crewe::design::{Count, flow};
/// let flow = flow(&[0, 0, 1, 2], &[0, 1, 1], 2, 1, &[None, Some(0), Some(0), None], &[true, false, false, true])?;
/// assert_eq!(flow.arms[1].excluded[0], Count { units: 1, rows: 1 });
/// assert_eq!(flow.arms[0].analysed, Count { units: 1, rows: 1 });
/// # Ok::<(), crewe::Error>(())
/// ```
///
/// # Errors
/// [`crate::Error::Input`] for columns of different lengths, rows that are both analysed and left out, units, arms and
/// reasons that do not exist.
pub fn flow(
    rows: &[u32],
    arm: &[u8],
    arms: usize,
    reasons: usize,
    reason: &[Option<usize>],
    analysed: &[bool],
) -> Result<Flow> {
    if reason.len() != rows.len() || analysed.len() != rows.len() {
        return Err(Fault::new("the columns have different numbers of rows")
            .values([rows.len(), reason.len(), analysed.len()].map(|n| n.to_string()))
            .remedy("Pass one entry for each row that was randomised")
            .input());
    }
    let both: Vec<usize> = (0..rows.len()).filter(|&row| analysed[row] && reason[row].is_some()).collect();
    if !both.is_empty() {
        return Err(Fault::new(format!("{} rows are both analysed and excluded", both.len()))
            .rows(both)
            .remedy("Take them out of the one or the other")
            .input());
    }
    check_arms(rows, arm, arms)?;
    let unknown: Vec<usize> =
        (0..rows.len()).filter(|&row| reason[row].is_some_and(|reason| reason >= reasons)).collect();
    if !unknown.is_empty() {
        return Err(Fault::new(format!("{} rows have a reason that is not below {reasons}", unknown.len()))
            .rows(unknown)
            .remedy("Give the reason as a position among the reasons")
            .input());
    }
    let empty = ArmFlow {
        allocated: Count::default(),
        excluded: vec![Count::default(); reasons],
        unexplained: Count::default(),
        analysed: Count::default(),
    };
    let mut flow = Flow { arms: vec![empty; arms], left_out: Count::default() };
    // The fate of a unit, the best of its rows: analysed, then the reasons in order, then unexplained.
    let mut fate = vec![usize::MAX; arm.len()];
    for (row, &unit) in rows.iter().enumerate() {
        let here = match (analysed[row], reason[row]) {
            (true, _) => 0,
            (false, Some(reason)) => reason + 1,
            (false, None) => reasons + 1,
        };
        fate[unit as usize] = fate[unit as usize].min(here);
        if arm[unit as usize] == LEFT_OUT {
            flow.left_out.rows += 1;
            continue;
        }
        let arm = &mut flow.arms[usize::from(arm[unit as usize])];
        arm.allocated.rows += 1;
        arm.at(here).rows += 1;
    }
    for (&fate, &arm) in fate.iter().zip(arm).filter(|(fate, _)| **fate != usize::MAX) {
        if arm == LEFT_OUT {
            flow.left_out.units += 1;
            continue;
        }
        let arm = &mut flow.arms[usize::from(arm)];
        arm.allocated.units += 1;
        arm.at(fate).units += 1;
    }
    Ok(flow)
}

impl ArmFlow {
    fn at(&mut self, fate: usize) -> &mut Count {
        match fate.checked_sub(1) {
            None => &mut self.analysed,
            Some(reason) if reason < self.excluded.len() => &mut self.excluded[reason],
            Some(_) => &mut self.unexplained,
        }
    }
}
