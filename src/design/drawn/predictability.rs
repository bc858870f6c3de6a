//! How well the next arm can be guessed, and how uneven the arms become: what a procedure is chosen by.
//!
//! Trials are simulated. At each arrival, with pi_j the probability of arm j given all that was drawn before:
//!
//! - *convergence guess* (D. Blackwell and J. L. Hodges 1957, Design for the control of selection bias,
//!   doi:10.1214/aoms/1177706973): a recruiter who remembers the arms of the stratum guesses the one that is most behind
//!   its ratio, that is with the largest r_j N - R n_j after N arrivals; those that tie are guessed in proportion to
//!   their shares r_j. It is right with probability sum_j g_j pi_j, where g_j is the probability of guessing j.
//! - *informed guess*: who also knows the procedure and all that it hides (the size of the present block, which fake
//!   arms stood for the arms; never the random numbers to come) guesses the most probable arm, and is right with
//!   probability max_j pi_j. It bounds every guesser.
//! - *certain*: the arrivals with max_j pi_j = 1.
//! - *imbalance*: max_j |n_j - N r_j / R| over the whole trial, at its end and at its worst; and the same within the
//!   stratum where it is largest at the end.
//!
//! Rates are means over arrivals and trials. The probabilities pi_j are averaged rather than guesses that hit or miss:
//! the mean is the same and its standard error smaller. In a list procedure the recruiter is taken to know the list's
//! totals, as in one block.

use std::ops::Range;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use serde::Serialize;

use crate::design::engine::fake_arms::Slots;
use crate::design::engine::procedure::Scratch;
use crate::design::engine::random::Steps;
use crate::design::engine::split;
use crate::design::engine::stepwise::{State, Stepwise};
use crate::design::procedures::Method;
use crate::design::units::Units;
use crate::design::{Design, Ratio};
use crate::moments::Moments;
use crate::progress::{Monitor, Part, check};
use crate::rng::{Seed, Stream};
use crate::{Fault, Result};

/// Simulated trials between two looks at the monitor.
const CHUNK: u64 = 1 << 10;
/// Basic steps of one arrival.
const STEP: usize = 1 << 6;

/// Who is expected to arrive.
///
/// ```
/// use crewe::design::{BigStick, Design, Expected};
/// use crewe::progress::NoMonitor;
/// let design = Design::new("t").arm("a", 1).arm("b", 1).individual("id").method(BigStick::new(1)).seed(1);
/// let expected = Expected::Imagined { n: 20, strata: 1, levels: &[] };
/// // Pairs that differ: every second arm is certain.
/// assert_eq!(design.predictability(expected, 100, None, &NoMonitor)?.certain, 0.5);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Expected<'a> {
    /// These units, in their order of arrival where it is known.
    Units(&'a Units),
    /// So many units, each with a uniformly random stratum, and uniformly random levels of the factors.
    Imagined {
        /// The number of arrivals.
        n: usize,
        /// The number of strata.
        strata: u32,
        /// The number of levels of each factor of the procedure.
        levels: &'a [u32],
    },
}

/// How predictable a procedure is, and how even it keeps the arms.
///
/// ```
/// use crewe::design::{Design, Expected, Simple};
/// use crewe::progress::NoMonitor;
/// let design = Design::new("t").arm("a", 1).arm("b", 2).individual("id").method(Simple {}).seed(1);
/// let expected = Expected::Imagined { n: 30, strata: 1, levels: &[] };
/// let found = design.predictability(expected, 200, None, &NoMonitor)?;
/// // Every unit draws for itself: who knows the procedure guesses no better than who knows the ratio.
/// assert!((found.informed - found.chance).abs() < 1e-12 && found.certain == 0.0);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Predictability {
    /// The number of arrivals in each trial.
    pub n: usize,
    /// The number of simulated trials.
    pub sims: u64,
    /// The rate of correct guesses of who knows the ratio alone: the largest arm's share.
    pub chance: f64,
    /// The rate of correct guesses by the convergence strategy.
    pub guess: f64,
    /// Its standard error over the simulated trials.
    pub guess_se: f64,
    /// The rate of correct guesses of who knows the procedure and what it hides.
    pub informed: f64,
    /// Its standard error over the simulated trials.
    pub informed_se: f64,
    /// The share of arrivals whose arm is certain to who knows the procedure and what it hides.
    pub certain: f64,
    /// The largest deviation of an arm's units from its ratio at the end: mean over the trials.
    pub end_mean: f64,
    /// The same: largest over the trials.
    pub end_max: f64,
    /// The largest deviation at any time: mean over the trials.
    pub worst_mean: f64,
    /// The same: largest over the trials.
    pub worst_max: f64,
    /// The largest deviation at the end within any stratum: mean over the trials.
    pub stratum_mean: f64,
    /// The same: largest over the trials.
    pub stratum_max: f64,
    /// What a reader should know.
    pub notes: Vec<String>,
}

impl Design {
    /// Simulates `sims` trials and reports how well arms can be guessed and how uneven they become.
    ///
    /// `seed` replaces the design's own. Trial i reads `Stream::new(seed, "predictability", [], i)`, so the result does
    /// not depend on threads, and tells nothing of the arms that the design draws.
    ///
    /// ```
    /// use crewe::design::{Blocks, Design, Expected};
    /// use crewe::progress::NoMonitor;
    /// let design = Design::new("t").arm("a", 1).arm("b", 1).cluster("id").method(Blocks::new([2])).seed(1);
    /// let pairs = Expected::Imagined { n: 10, strata: 1, levels: &[] };
    /// let found = design.predictability(pairs, 100, None, &NoMonitor)?;
    /// // The first of each pair is a coin toss, the second is certain.
    /// assert_eq!((found.guess, found.certain), (0.75, 0.5));
    /// # Ok::<(), crewe::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::Design`] for a design that cannot be carried out and for procedures other than complete
    /// randomisation (misfits within strata) and those that draw one arrival after the other;
    /// [`crate::Error::Input`] for no arrivals, fewer than two trials, or levels that do not fit the factors;
    /// [`crate::Error::Interrupted`] when the monitor stops the work.
    pub fn predictability(
        &self,
        expected: Expected<'_>,
        sims: u64,
        seed: Option<&Seed>,
        monitor: &dyn Monitor,
    ) -> Result<Predictability> {
        let trials = self.predictability_trials(expected, 0..sims, seed, monitor)?;
        self.predictability_of(expected, trials.view())
    }

    /// The simulated trials of these numbers, for whoever shares them out; trials x 6. The columns are theirs that
    /// [`Design::predictability_of`] reads: right guesses by the convergence strategy, and knowing the procedure; arrivals
    /// that are certain; and deviations times the sum of the ratio at the end, at worst and within a stratum.
    ///
    /// ```
    /// use crewe::design::{Blocks, Design, Expected};
    /// use crewe::ndarray::{Axis, concatenate};
    /// use crewe::progress::NoMonitor;
    /// let design = Design::new("t").arm("a", 1).arm("b", 1).cluster("id").method(Blocks::new([2])).seed(1);
    /// let pairs = Expected::Imagined { n: 10, strata: 1, levels: &[] };
    /// let early = design.predictability_trials(pairs, 0..40, None, &NoMonitor)?;
    /// let late = design.predictability_trials(pairs, 40..100, None, &NoMonitor)?;
    /// let both = concatenate(Axis(0), &[early.view(), late.view()]).unwrap();
    /// // However the trials are shared out, no bit changes.
    /// assert_eq!(
    ///     design.predictability_of(pairs, both.view())?,
    ///     design.predictability(pairs, 100, None, &NoMonitor)?,
    /// );
    /// # Ok::<(), crewe::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Design::predictability`].
    pub fn predictability_trials(
        &self,
        expected: Expected<'_>,
        trials: Range<u64>,
        seed: Option<&Seed>,
        monitor: &dyn Monitor,
    ) -> Result<Array2<f64>> {
        self.check()?;
        let seed = match seed {
            Some(seed) => seed,
            None => self.the_seed()?,
        };
        let ratio = self.ratio();
        let (rule, _) = self.simulated()?;
        let course = self.course(expected)?;
        enough(&course, trials.end)?;
        let base = Stream::new::<&str>(seed, "predictability", &[], 0);
        let mut found: Vec<f64> = Vec::new();
        let part = Part(monitor);
        let (mut next, sims) = (trials.start, trials.end.saturating_sub(trials.start));
        while next < trials.end {
            check(monitor, next - trials.start, sims)?;
            let here = CHUNK.min(trials.end - next) as usize;
            let simulator = Simulator { rule: rule.as_deref(), ratio: &ratio, course: &course };
            let part: Result<Vec<Trial>> = (0..here)
                .into_par_iter()
                .map_init(|| Room::new(&part), |room, i| simulator.trial(&base, next + i as u64, room))
                .collect();
            found.extend(part?.into_iter().flat_map(Trial::columns));
            next += here as u64;
        }
        check(monitor, sims, sims)?;
        // Whole rows were put in.
        Ok(Array2::from_shape_vec((found.len() / COLUMNS, COLUMNS), found).unwrap_or_default())
    }

    /// What the trials of [`Design::predictability_trials`] say together, all of them in their order.
    ///
    /// # Errors
    /// As [`Design::predictability`]; [`crate::Error::Input`] for another number of columns.
    pub fn predictability_of(
        &self,
        expected: Expected<'_>,
        trials: ArrayView2<'_, f64>,
    ) -> Result<Predictability> {
        self.check()?;
        let (_, listed) = self.simulated()?;
        let course = self.course(expected)?;
        enough(&course, trials.nrows() as u64)?;
        if trials.ncols() != COLUMNS {
            return Err(Fault::new("these are no simulated trials")
                .values([format!("{} columns", trials.ncols())])
                .remedy("Give what predictability_trials gave, all parts in their order")
                .input());
        }
        let trials: Vec<Trial> =
            trials.rows().into_iter().map(|row| Trial::of([0, 1, 2, 3, 4, 5].map(|k| row[k]))).collect();
        Ok(summary(&trials, &self.ratio(), course.n(), listed, &course))
    }

    /// The rule to simulate; nothing for complete randomisation, with a note.
    fn simulated(&self) -> Result<(Option<Arc<dyn Stepwise>>, bool)> {
        if let Some(rule) = self.the_method().stepwise(self.ratio()) {
            return Ok((Some(rule), false));
        }
        if self.the_method().one_block() {
            return Ok((None, true));
        }
        Err(Fault::new(format!("predictability is not offered for {}", self.the_method().name()))
            .remedy(format!(
                "It is for complete randomisation (misfits within strata) and for {}; a list that is drawn at once and \
                 concealed cannot be guessed arrival by arrival",
                Method::rolling("and"),
            ))
            .design())
    }

    fn course(&self, expected: Expected<'_>) -> Result<Course> {
        let factors = self.the_method().factors();
        match expected {
            Expected::Units(units) => {
                self.check_units(units)?;
                let slots = Slots::new(units, &factors)?.of_unit;
                self.the_method().check_order(units)?;
                let canonical: Vec<u32> = (0..units.len() as u32).collect();
                let order = units.arrivals().unwrap_or(&canonical);
                let stratum = order.iter().map(|&unit| units.stratum()[unit as usize]).collect();
                let slots = order.iter().map(|&unit| slots[unit as usize].clone()).collect();
                Ok(Course::Known { stratum, slots, strata: units.strata().len() })
            }
            Expected::Imagined { n, strata, levels } => {
                let factors = factors.len();
                if strata == 0 || levels.len() != factors || levels.contains(&0) {
                    return Err(Fault::new(
                        "the strata or levels of the expected units do not fit the design",
                    )
                    .values([format!("{strata} strata"), format!("levels {levels:?} for {factors} factors")])
                    .remedy(
                        "Give the number of strata, and for each factor of the procedure its number of levels",
                    )
                    .input());
                }
                Ok(Course::Imagined { n, strata, levels: levels.to_vec() })
            }
        }
    }
}

/// Strata and slots of the arrivals.
#[derive(Debug)]
enum Course {
    Known { stratum: Vec<u32>, slots: Vec<Vec<u32>>, strata: usize },
    Imagined { n: usize, strata: u32, levels: Vec<u32> },
}

impl Course {
    fn n(&self) -> usize {
        match self {
            Self::Known { stratum, .. } => stratum.len(),
            Self::Imagined { n, .. } => *n,
        }
    }

    fn strata(&self) -> usize {
        match self {
            Self::Known { strata, .. } => *strata,
            Self::Imagined { strata, .. } => *strata as usize,
        }
    }

    /// The strata of one trial's arrivals.
    fn draw_strata(&self, stream: &mut Stream, into: &mut Vec<u32>) {
        into.clear();
        match self {
            Self::Known { stratum, .. } => into.extend(stratum),
            Self::Imagined { n, strata, .. } => {
                into.extend((0..*n).map(|_| match strata {
                    1 => 0,
                    _ => stream.below(u64::from(*strata)) as u32,
                }));
            }
        }
    }

    /// The slots of an arrival.
    fn draw_slots(&self, arrival: usize, stream: &mut Stream, into: &mut Vec<u32>) {
        into.clear();
        match self {
            Self::Known { slots, .. } => into.extend(&slots[arrival]),
            Self::Imagined { levels, .. } if levels.is_empty() => into.push(0),
            Self::Imagined { levels, .. } => {
                let mut first = 0;
                for &count in levels {
                    into.push(first + stream.below(u64::from(count)) as u32);
                    first += count;
                }
            }
        }
    }
}

/// Refuses what would be no simulation.
fn enough(course: &Course, sims: u64) -> Result<()> {
    if course.n() > 0 && sims >= 2 {
        return Ok(());
    }
    Err(Fault::new("predictability needs arrivals and at least two simulated trials")
        .values([format!("{} arrivals", course.n()), format!("{sims} trials")])
        .remedy("Ask for instance for n = 132 arrivals and 10,000 trials")
        .input())
}

/// What one trial shows. Deviations are R times as large, whole numbers.
#[derive(Debug, Clone, Copy, Default)]
struct Trial {
    guess: f64,
    informed: f64,
    certain: u64,
    end: u64,
    worst: u64,
    stratum: u64,
}

/// What a trial shows, in columns.
const COLUMNS: usize = 6;

impl Trial {
    /// Its numbers; the whole ones are far below the 2^53 up to which doubles hold them exactly.
    fn columns(self) -> [f64; COLUMNS] {
        let whole = [self.certain, self.end, self.worst, self.stratum].map(|count| count as f64);
        [self.guess, self.informed, whole[0], whole[1], whole[2], whole[3]]
    }

    fn of([guess, informed, certain, end, worst, stratum]: [f64; COLUMNS]) -> Self {
        let [certain, end, worst, stratum] = [certain, end, worst, stratum].map(|count| count as u64);
        Self { guess, informed, certain, end, worst, stratum }
    }
}

/// Room that trials use again and again.
#[derive(Debug)]
struct Room<'a> {
    stratum: Vec<u32>,
    slots: Vec<u32>,
    states: Vec<State>,
    counts: Vec<u64>,
    within: Vec<Vec<u64>>,
    scratch: Scratch<'a>,
}

impl<'a> Room<'a> {
    fn new(monitor: &'a dyn Monitor) -> Self {
        Self {
            stratum: Vec::new(),
            slots: Vec::new(),
            states: Vec::new(),
            counts: Vec::new(),
            within: Vec::new(),
            scratch: Scratch::new(monitor),
        }
    }
}

struct Simulator<'a> {
    rule: Option<&'a dyn Stepwise>,
    ratio: &'a Ratio,
    course: &'a Course,
}

impl Simulator<'_> {
    fn trial(&self, base: &Stream, number: u64, room: &mut Room<'_>) -> Result<Trial> {
        let Room { stratum, slots, states, counts, within, scratch } = room;
        let arms = self.ratio.shares.len();
        let mut steps = Steps::new(base, Some(number));
        self.course.draw_strata(steps.step(0), stratum);
        states.clear();
        for here in 0..self.course.strata() {
            states.push(self.rule.map_or_else(State::default, <dyn Stepwise>::start));
            if self.rule.is_none() {
                let n = stratum.iter().filter(|&&s| s as usize == here).count();
                split::draw(n, self.ratio, steps.step(0), scratch);
                states[here].block.clone_from(&scratch.arms);
                states[here].begin(arms);
            }
        }
        counts.clear();
        counts.resize(arms, 0);
        within.clear();
        within.resize(self.course.strata(), vec![0; arms]);
        let mut trial = Trial::default();
        for (arrival, &here) in stratum.iter().enumerate() {
            scratch.pace.by(STEP)?;
            let (state, past) = (&mut states[here as usize], &mut within[here as usize]);
            let arm = match self.rule {
                Some(rule) => {
                    self.course.draw_slots(arrival, steps.step(0), slots);
                    state.next(rule, slots, &mut steps)
                }
                None => state.deal(),
            };
            trial.guess += guessed(past, self.ratio, &state.arm) / state.total as f64;
            let most = state.arm.iter().max().copied().unwrap_or(0);
            trial.informed += most as f64 / state.total as f64;
            trial.certain += u64::from(most == state.total);
            past[usize::from(arm)] += 1;
            counts[usize::from(arm)] += 1;
            trial.end = deviation(counts, self.ratio);
            trial.worst = trial.worst.max(trial.end);
        }
        trial.stratum = within.iter().map(|counts| deviation(counts, self.ratio)).max().unwrap_or(0);
        Ok(trial)
    }
}

/// The chances of the arm that the convergence strategy guesses, averaged over ties in proportion to the shares.
fn guessed(past: &[u64], ratio: &Ratio, chances: &[u64]) -> f64 {
    let so_far: u64 = past.iter().sum();
    let behind = |arm: usize| i128::from(ratio.shares[arm] * so_far) - i128::from(ratio.total * past[arm]);
    let most = (0..past.len()).map(behind).max().unwrap_or(0);
    let (mut shares, mut sum) = (0, 0.0);
    for arm in (0..past.len()).filter(|&arm| behind(arm) == most) {
        shares += ratio.shares[arm];
        sum += ratio.shares[arm] as f64 * chances[arm] as f64;
    }
    sum / shares as f64
}

/// R times the largest deviation from the ratio.
fn deviation(counts: &[u64], ratio: &Ratio) -> u64 {
    let n: u64 = counts.iter().sum();
    let of = |(&count, &share): (&u64, &u64)| (ratio.total * count).abs_diff(n * share);
    counts.iter().zip(&ratio.shares).map(of).max().unwrap_or(0)
}

fn summary(trials: &[Trial], ratio: &Ratio, n: usize, listed: bool, course: &Course) -> Predictability {
    let sims = trials.len() as f64;
    // Each trial's rate, in the order of the trials, so that sums do not depend on threads.
    let rate = |of: fn(&Trial) -> f64| {
        let rates: Vec<f64> = trials.iter().map(|t| of(t) / n as f64).collect();
        let moments = Moments::of(&rates);
        (moments.mean, (moments.squares / (sims - 1.0) / sims).sqrt())
    };
    let total = ratio.total as f64;
    let mean = |of: fn(&Trial) -> u64| {
        trials.iter().map(|t| u128::from(of(t))).sum::<u128>() as f64 / (total * sims)
    };
    let most = |of: fn(&Trial) -> u64| trials.iter().map(of).max().unwrap_or(0) as f64 / total;
    let ((guess, guess_se), (informed, informed_se)) = (rate(|t| t.guess), rate(|t| t.informed));
    let mut notes = Vec::new();
    if listed {
        notes.push(
            "the arms are drawn as one list: rates are those of a guesser who learns each arm in turn and knows \
             the totals"
                .to_owned(),
        );
    }
    if let Course::Imagined { strata, levels, .. } = course {
        if *strata > 1 {
            notes.push(format!("{strata} strata, each equally likely at every arrival"));
        }
        if !levels.is_empty() {
            let levels: Vec<String> = levels.iter().map(ToString::to_string).collect();
            notes.push(format!(
                "factors with {} levels, each equally likely at every arrival",
                levels.join(", ")
            ));
        }
    }
    Predictability {
        n,
        sims: trials.len() as u64,
        chance: ratio.shares.iter().max().copied().unwrap_or(0) as f64 / total,
        guess,
        guess_se,
        informed,
        informed_se,
        certain: trials.iter().map(|t| t.certain).sum::<u64>() as f64 / (sims * n as f64),
        end_mean: mean(|t| t.end),
        end_max: most(|t| t.end),
        worst_mean: mean(|t| t.worst),
        worst_max: most(|t| t.worst),
        stratum_mean: mean(|t| t.stratum),
        stratum_max: most(|t| t.stratum),
        notes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arm_that_is_behind_is_guessed() {
        let ratio = Ratio::new(&[1, 2]);
        // Even so far: in proportion to the shares. 1/3 of 1 and 2/3 of 2 chances.
        assert_eq!(guessed(&[0, 0], &ratio, &[1, 2]), 5.0 / 3.0);
        assert_eq!(guessed(&[1, 2], &ratio, &[0, 3]), 2.0);
        assert_eq!(guessed(&[1, 1], &ratio, &[1, 2]), 2.0);
        assert_eq!(guessed(&[0, 1], &ratio, &[1, 2]), 1.0);
        assert_eq!(deviation(&[1, 1], &ratio), 1);
        assert_eq!(deviation(&[0, 4], &ratio), 4);
    }
}
