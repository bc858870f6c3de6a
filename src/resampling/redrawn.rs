//! The assignments that a trial is compared with: all that its procedure can give, or new draws of it.

use std::ops::Range;

use ndarray::Array2;

use serde::Serialize;

use super::null::weights;
use super::permuted::Permuted;
use super::replay::Replay;
use crate::design::{Assignment, Design, Redraws};
use crate::progress::{Monitor, Part};
use crate::rng::Seed;
use crate::{Error, Fault, Result};

/// The assignments themselves, for a statistic that is computed elsewhere.
///
/// ```
/// use crewe::design::{Column, Design, Units};
/// let design = Design::new("Trial").arm("control", 1).arm("crewe", 1).cluster("family").seed(3);
/// let families = Column::from_values("family", ["a", "a", "b", "c", "d"]);
/// let units = Units::from_rows(design.unit()?, &families, &[])?;
/// use crewe::progress::NoMonitor;
/// use crewe::resampling::redrawn;
/// let assignment = design.assign(&units)?;
/// let all = redrawn(&design, &assignment, 1_000, None, &NoMonitor)?;
/// assert_eq!(all.arm.dim(), (6, 4)); // all six assignments, where a thousand were asked for
/// assert!(all.weight.is_some());
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Redrawn {
    /// Assignments x units; entries are arms, or [`crate::design::LEFT_OUT`].
    pub arm: Array2<u8>,
    /// Weights in proportion to their probabilities, where these are all assignments; nothing for draws.
    pub weight: Option<Vec<f64>>,
    /// The seed of the draws, where it is a number.
    pub seed: Option<u64>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// All assignments of a trial where there are no more than `draws`, else that many new draws of its procedure.
///
/// ```
/// use crewe::design::{Column, Design, Units};
/// use crewe::progress::NoMonitor;
/// use crewe::resampling::redrawn;
/// let design = Design::new("Trial").arm("control", 1).arm("crewe", 1).cluster("family").seed(5);
/// let families = Column::from_values("family", ["a", "b", "c", "d"]);
/// let trial = design.assign(&Units::from_rows(design.unit()?, &families, &[])?)?;
/// let all = redrawn(&design, &trial, 9_999, None, &NoMonitor)?;
/// assert_eq!((all.arm.nrows(), all.weight), (6, Some(vec![1.0; 6])));
/// # Ok::<(), crewe::Error>(())
/// ```
///
/// # Errors
/// [`Error::Input`] for a number of draws out of range; [`Error::Design`] where the assignment cannot have come from
/// the design; [`Error::Interrupted`] when the monitor stops the work.
pub fn redrawn(
    design: &Design,
    assignment: &Assignment,
    draws: u64,
    seed: Option<&Seed>,
    monitor: &dyn Monitor,
) -> Result<Redrawn> {
    let used = redraw_seed(design, assignment, seed)?;
    match replay_of(design, assignment, draws, &used, monitor)? {
        Replay::All(support) => {
            let weight = weights(&support.probability, &vec![true; support.probability.len()]);
            let notes = of_observed(design, assignment).into_iter().collect();
            Ok(Redrawn { arm: support.arm, weight: Some(weight), seed: None, notes })
        }
        drawn => Ok(Redrawn {
            arm: drawn.drawn(monitor)?,
            weight: None,
            seed: shown(&used),
            notes: of_observed(design, assignment).into_iter().chain(new_seed(design, seed, &used)).collect(),
        }),
    }
}

/// The assignments as they are replayed; refuses a trial that cannot have come from the design.
pub(super) fn replay_of(
    design: &Design,
    assignment: &Assignment,
    draws: u64,
    seed: &Seed,
    monitor: &dyn Monitor,
) -> Result<Replay> {
    let n = usize::try_from(draws).unwrap_or(usize::MAX);
    if !(1..=1 << 40).contains(&n) {
        return Err(Fault::new("the number of draws is out of range")
            .values([draws.to_string()])
            .remedy("Draw at least once; 9,999 draws give p to about a quarter of a point at 5%")
            .input());
    }
    let units = &assignment.units;
    if permutes(design, assignment) {
        return Ok(Replay::permuted(Permuted::new(assignment, seed), n));
    }
    let replay = Replay::new(Redraws::new(design, units, seed, monitor)?, n, units.len(), monitor)?;
    if let Replay::All(support) = &replay {
        if !support.arm.rows().into_iter().any(|row| row.iter().eq(&assignment.arm)) {
            return Err(Fault::new("the trial's own assignment is none of those that the design can give")
                .values([format!("{} assignments", support.probability.len())])
                .remedy("Declare the design, its ratio, strata and procedure, as the trial was run")
                .design());
        }
    } else {
        refuse_foreign(&replay, assignment, &Part(monitor))?;
    }
    Ok(replay)
}

/// Only these draws of a trial that was checked.
pub(super) fn part_of(
    design: &Design,
    assignment: &Assignment,
    seed: &Seed,
    draws: &Range<u64>,
    monitor: &dyn Monitor,
) -> Result<Replay> {
    if permutes(design, assignment) {
        return Ok(Replay::permuted_part(Permuted::new(assignment, seed), draws));
    }
    let redraws = Redraws::new(design, &assignment.units, seed, monitor)?;
    Ok(Replay::part(redraws, draws, assignment.units.len()))
}

/// Whether the arms of a trial are permuted within its strata: it was randomised elsewhere, and not in sets, in which
/// dealing again is permuting.
fn permutes(design: &Design, assignment: &Assignment) -> bool {
    assignment.observed && design.the_method().name() != "matched_sets"
}

/// What a reader must know of how a trial that was randomised elsewhere is drawn again.
pub(super) fn of_observed(design: &Design, assignment: &Assignment) -> Option<String> {
    let within = match (permutes(design, assignment), assignment.units.strata().len()) {
        (true, 1) => "all of them",
        (true, _) => "those of a stratum",
        (false, _) => "those of a set",
    };
    assignment.observed.then(|| {
        format!(
            "the trial was randomised elsewhere, so there is no procedure to replay: the arms are permuted as they were \
             observed, among {within}"
        )
    })
}

/// Whether all assignments of a trial are listed, because there are no more than `draws` of them.
///
/// # Errors
/// [`Error::Design`] for a design that cannot be carried out; [`Error::Interrupted`] when the monitor stops the work.
///
/// ```
/// use crewe::design::{Column, Design, Units};
/// use crewe::progress::NoMonitor;
/// use crewe::resampling::listed;
/// let design = Design::new("Trial").arm("control", 1).arm("crewe", 1).cluster("family").seed(5);
/// let families = Column::from_values("family", ["a", "b", "c", "d"]);
/// let trial = design.assign(&Units::from_rows(design.unit()?, &families, &[])?)?;
/// assert!(listed(&design, &trial, 6, &NoMonitor)? && !listed(&design, &trial, 5, &NoMonitor)?);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn listed(design: &Design, assignment: &Assignment, draws: u64, monitor: &dyn Monitor) -> Result<bool> {
    let most = usize::try_from(draws).unwrap_or(usize::MAX);
    if permutes(design, assignment) {
        return Ok(Permuted::new(assignment, &Seed::Integer(0)).support(most).is_some());
    }
    // What is listed depends on no seed.
    let redraws = Redraws::new(design, &assignment.units, &Seed::Integer(0), monitor)?;
    Ok(redraws.support(most, monitor)?.is_some())
}

/// The seed of the draws, as [`super::RandomisationOptions::seed`] says.
///
/// # Errors
/// When the operating system has no randomness to give.
pub fn redraw_seed(design: &Design, assignment: &Assignment, given: Option<&Seed>) -> Result<Seed> {
    match (given, design.the_seed()) {
        (Some(seed), _) => Ok(seed.clone()),
        (None, Ok(seed @ Seed::Integer(_))) if assignment.commitment.is_some() => Ok(seed.clone()),
        _ => Seed::from_system(),
    }
}

/// The number of a seed that may be shown.
pub(super) fn shown(seed: &Seed) -> Option<u64> {
    match seed {
        Seed::Integer(seed) => Some(*seed),
        Seed::Key(_) => None,
    }
}

/// A note where the draws have a seed that the user does not know.
pub(super) fn new_seed(design: &Design, given: Option<&Seed>, used: &Seed) -> Option<String> {
    let seed = shown(used).filter(|_| given.is_none() && design.the_seed().ok() != Some(used))?;
    Some(format!("the draws have the seed {seed}; pass it to repeat them"))
}

/// How many draws the trial's own counts are compared with.
const LOOKED_AT: u64 = 200;

/// Refuses strata with numbers of units in the arms that the procedure, which fixes them up to one, never draws.
fn refuse_foreign(replay: &Replay, assignment: &Assignment, monitor: &dyn Monitor) -> Result<()> {
    let Replay::Draws { redraws, .. } = replay else { return Ok(()) };
    let units = &assignment.units;
    let (arms, strata) = (assignment.arms.len(), units.strata().len());
    let count = |arm: &[u8], into: &mut Vec<u32>| {
        into.clear();
        into.resize(arms * strata, 0);
        for (&stratum, &arm) in units.stratum().iter().zip(arm).filter(|(_, arm)| usize::from(**arm) < arms) {
            into[stratum as usize * arms + usize::from(arm)] += 1;
        }
    };
    let (mut scratch, mut arm) = (crate::design::Scratch::new(monitor), vec![0; units.len()]);
    let (mut here, mut low, mut high) = (Vec::new(), vec![u32::MAX; arms * strata], vec![0; arms * strata]);
    // Large trials are looked at less often, so that this never takes long.
    let looks = (LOOKED_AT * 1000 / units.len().max(1) as u64).clamp(10, LOOKED_AT);
    for index in 0..looks {
        redraws.draw(index, &mut scratch, &mut arm)?;
        count(&arm, &mut here);
        for (place, &n) in here.iter().enumerate() {
            low[place] = low[place].min(n);
            high[place] = high[place].max(n);
        }
    }
    count(&assignment.arm, &mut here);
    let wrong: Vec<String> = (0..arms * strata)
        .filter(|&place| high[place] - low[place] <= 1)
        .filter(|&place| here[place] + 1 < low[place] || here[place] > high[place] + 1)
        .map(|place| {
            let stratum = units.strata()[place / arms].join(" / ");
            let name = &assignment.arms[place % arms];
            let within = if stratum.is_empty() { String::new() } else { format!(" in {stratum}") };
            format!("{name}{within}: {} units, drawn {} to {}", here[place], low[place], high[place])
        })
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err::<(), Error>(
        Fault::new("the trial has numbers of units in the arms that its declared procedure does not give")
            .values(wrong)
            .remedy("Declare the design, its ratio, strata and procedure, as the trial was run")
            .design(),
    )
}
