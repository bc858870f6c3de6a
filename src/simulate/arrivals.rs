//! Units that arrive one after the other and are randomised as they come, as a trial recruits them by the ledger.
//!
//! Arrivals are a Poisson process with a rate for every week (V. V. Anisimov and V. V. Fedorov 2007,
//! doi:10.1002/sim.2956, for one centre whose rate is known), or come at times that are known. Each has a kind, which gives
//! its values of strata and factors, and a number of members. An arm that has given all its places of a period is full until
//! the next one begins; what becomes of those who come meanwhile is the ledger's own rule ([`Overflow`]). The arms are those
//! that [`Sequence`] allocates, the very procedure of the ledger.

use ndarray::Array2;

use super::sizes::Sizes;
use crate::design::{Arrival, Column, Design, LEFT_OUT, Sequence, Units};
use crate::rng::{Seed, Stream};
use crate::words::words;
use crate::{Fault, Result};

/// What becomes of units that come while an arm is full; the rules of the ledger.
///
/// ```
/// assert_eq!("draw-first".parse(), Ok(crewe::simulate::Overflow::DrawFirst));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Overflow {
    /// Enrolment pauses: they are refused, and nothing is drawn.
    #[default]
    Pause,
    /// The arm is drawn first. Who draws the full arm goes to the usual service, and the comparison leaves out every unit that
    /// came while any arm was full, whichever arm it drew.
    DrawFirst,
}

words!(
    @unserialised Overflow, "rule for units that come while an arm is full", as input,
    Pause => "pause",
    DrawFirst => "draw-first",
);

/// The most arrivals that a trial is expected to have.
const MOST: f64 = 1e6;

/// What an arrival may be: its values of the design's strata and factors, and how often it comes.
///
/// ```
/// use crewe::simulate::Kind;
/// let known = Kind { stratum: vec!["yes".into()], factors: Vec::new(), weight: 3 };
/// assert_eq!(known.weight, 3);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// A value for each of the design's strata.
    pub stratum: Vec<String>,
    /// A value for each factor of its procedure.
    pub factors: Vec<String>,
    /// Its weight among all kinds.
    pub weight: u64,
}

/// When units arrive.
///
/// ```
/// use crewe::simulate::Pace;
/// assert_ne!(Pace::Rates(vec![2.0; 4]), Pace::Times(vec![0.5, 3.0]));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Pace {
    /// So many in the mean in every week, one entry a week.
    Rates(Vec<f64>),
    /// At these moments, in weeks from the opening.
    Times(Vec<f64>),
}

/// How a trial recruits.
///
/// ```
/// use crewe::simulate::{Arrivals, Pace, Sizes};
/// let families = Arrivals::new(Pace::Rates(vec![3.0; 26]), 26.0, Sizes::equal(2)?).places(1, 5).follow_up(13.0);
/// assert_eq!((families.study(), families.capacity.len()), (39.0, 2));
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Arrivals {
    /// When units arrive.
    pub pace: Pace,
    /// For how many weeks the trial recruits.
    pub weeks: f64,
    /// How many members units have.
    pub sizes: Sizes,
    /// What arrivals may be; one kind without values where this is empty.
    pub kinds: Vec<Kind>,
    /// The columns of the model beside the intercept and the arm, kinds x q.
    pub columns: Array2<f64>,
    /// How many units each arm takes in a period; no limit where there is none.
    pub capacity: Vec<Option<u64>>,
    /// The length of a period, in weeks.
    pub period: f64,
    /// What becomes of units that come while an arm is full.
    pub overflow: Overflow,
    /// The number of randomised units at which recruitment ends before its time.
    pub until: Option<u64>,
    /// How many weeks all are followed after recruitment.
    pub follow_up: f64,
}

impl Arrivals {
    /// Units that arrive at this pace over so many weeks, without strata and with room for all.
    pub fn new(pace: Pace, weeks: f64, sizes: Sizes) -> Self {
        Self {
            pace,
            weeks,
            sizes,
            kinds: Vec::new(),
            columns: Array2::zeros((0, 0)),
            capacity: Vec::new(),
            period: 1.0,
            overflow: Overflow::default(),
            until: None,
            follow_up: 0.0,
        }
    }

    /// Sets what arrivals may be, with the columns of the model, kinds x q.
    #[must_use]
    pub fn kinds(mut self, kinds: Vec<Kind>, columns: Array2<f64>) -> Self {
        (self.kinds, self.columns) = (kinds, columns);
        self
    }

    /// Sets how many units an arm takes in a period.
    #[must_use]
    pub fn places(mut self, arm: usize, places: u64) -> Self {
        if self.capacity.len() <= arm {
            self.capacity.resize(arm + 1, None);
        }
        self.capacity[arm] = Some(places);
        self
    }

    /// Sets the length of a period, in weeks, and what becomes of units that come while an arm is full.
    #[must_use]
    pub fn period(mut self, weeks: f64, overflow: Overflow) -> Self {
        (self.period, self.overflow) = (weeks, overflow);
        self
    }

    /// Sets the number of randomised units at which recruitment ends.
    #[must_use]
    pub fn until(mut self, units: Option<u64>) -> Self {
        self.until = units;
        self
    }

    /// Sets how many weeks all are followed after recruitment.
    #[must_use]
    pub fn follow_up(mut self, weeks: f64) -> Self {
        self.follow_up = weeks;
        self
    }

    /// How many weeks the study takes, from the opening to the end of follow-up.
    pub fn study(&self) -> f64 {
        self.weeks + self.follow_up
    }

    /// Refuses what no trial can recruit by.
    pub(super) fn check(&self, design: &Design) -> Result<()> {
        let arms = design.arms().len();
        let refuse = |problem: &str, values: Vec<String>, remedy: &str| {
            Err(Fault::new(problem).values(values).remedy(remedy).input())
        };
        if !(self.weeks > 0.0
            && self.weeks.is_finite()
            && self.follow_up >= 0.0
            && self.follow_up.is_finite())
        {
            return refuse(
                "recruitment takes some weeks, and follow-up none or more",
                vec![self.weeks.to_string(), self.follow_up.to_string()],
                "Give numbers such as weeks=26 and follow_up=13",
            );
        }
        let (values, expected): (&[f64], f64) = match &self.pace {
            Pace::Rates(rates) => (rates, rates.iter().sum()),
            Pace::Times(times) => (times, times.len() as f64),
        };
        if values.iter().any(|x| !(*x >= 0.0 && x.is_finite())) || !(expected > 0.0 && expected <= MOST) {
            return refuse(
                "nobody arrives, more than a million do, or a rate or time is below 0",
                vec![expected.to_string()],
                "Give the number that arrive in a week, such as rate=4, or the weeks at which they do",
            );
        }
        if !(self.period > 0.0 && self.period.is_finite()) || self.capacity.len() > arms {
            return refuse(
                "an arm has its places for a period of some weeks",
                vec![self.period.to_string()],
                "Give every=1 for places that are given anew every week",
            );
        }
        if self.until == Some(0) || self.columns.iter().any(|x| !x.is_finite()) {
            return refuse(
                "recruitment ends with at least one unit, and columns are finite",
                Vec::new(),
                "Give the number of units that are to be randomised",
            );
        }
        let sequence = Sequence::new(design, &Seed::Integer(0))?;
        for kind in &self.kinds {
            sequence.check(&Arrival::new(&kind.stratum, &kind.factors))?;
        }
        if self.kinds.is_empty() {
            sequence.check(&Arrival::new(&[], &[]))?;
        } else if self.kinds.iter().all(|kind| kind.weight == 0) || self.columns.nrows() != self.kinds.len() {
            return refuse(
                "kinds of arrivals have weights above 0 and a row of the model each",
                Vec::new(),
                "Give shares",
            );
        }
        Ok(())
    }

    /// Recruits a trial.
    pub(super) fn recruit(&self, design: &Design, mut stream: Stream, into: &mut Recruited) -> Result<()> {
        into.clear();
        let mut sequence = Sequence::new(design, &Seed::Integer(stream.next_u64()))?;
        let none = Kind { stratum: Vec::new(), factors: Vec::new(), weight: 1 };
        let total: u64 = self.kinds.iter().map(|kind| kind.weight).sum();
        let mut taken = vec![0_u64; design.arms().len()];
        let (mut present, mut clock, mut randomised) = (0.0_f64, Clock::new(&self.pace), 0);
        while let Some(at) = clock.next(&mut stream).filter(|&at| at < self.weeks) {
            if self.until.is_some_and(|until| randomised >= until) {
                break;
            }
            let place = if self.kinds.len() > 1 { self.kind(stream.below(total)) } else { 0 };
            let kind = self.kinds.get(place).unwrap_or(&none);
            let size = self.sizes.draw(&mut stream);
            let period = (at / self.period).floor();
            if period > present {
                present = period;
                taken.fill(0);
            }
            let full =
                |arm: usize| self.capacity.get(arm).copied().flatten().is_some_and(|most| taken[arm] >= most);
            let any = (0..taken.len()).any(full);
            if any && self.overflow == Overflow::Pause {
                into.refused += 1;
                continue;
            }
            let arm = sequence.allocate(&Arrival::new(&kind.stratum, &kind.factors)).arm;
            randomised += 1;
            // Who draws a full arm goes to the usual service, and takes no place.
            let served = !full(usize::from(arm));
            taken[usize::from(arm)] += u64::from(served);
            into.arm.push(if any { LEFT_OUT } else { arm });
            into.drawn.push(arm);
            into.kind.push(place as u32);
            into.entry.push(at / self.study());
            into.outside += u64::from(any);
            into.starts.push(into.starts.last().copied().unwrap_or(0) + size);
        }
        Ok(())
    }

    fn kind(&self, mut place: u64) -> usize {
        for (kind, one) in self.kinds.iter().enumerate() {
            if place < one.weight {
                return kind;
            }
            place -= one.weight;
        }
        // The weights sum to the bound of `place`.
        self.kinds.len() - 1
    }

    /// The columns of the model that those who came can tell apart: the others are constant among them, or repeat others.
    pub(super) fn informative(&self, kinds: &[u32]) -> Vec<usize> {
        let mut seen: Vec<usize> = kinds.iter().map(|&kind| kind as usize).collect();
        seen.sort_unstable();
        seen.dedup();
        let mut basis: Vec<Vec<f64>> = vec![vec![1.0 / (seen.len() as f64).sqrt(); seen.len()]];
        let mut kept = Vec::new();
        for column in 0..self.columns.ncols() {
            let mut left: Vec<f64> = seen.iter().map(|&kind| self.columns[(kind, column)]).collect();
            let length = left.iter().map(|x| x * x).sum::<f64>().sqrt();
            for _ in 0..2 {
                for one in &basis {
                    let share: f64 = left.iter().zip(one).map(|(x, q)| x * q).sum();
                    left.iter_mut().zip(one).for_each(|(x, q)| *x -= share * q);
                }
            }
            let rest = left.iter().map(|x| x * x).sum::<f64>().sqrt();
            if rest > 1e-9 * length {
                left.iter_mut().for_each(|x| *x /= rest);
                basis.push(left);
                kept.push(column);
            }
        }
        kept
    }
}

/// The moments of arrivals.
struct Clock<'a> {
    pace: &'a Pace,
    /// The next of the times, or the week with what of it is left.
    place: usize,
    at: f64,
}

impl<'a> Clock<'a> {
    fn new(pace: &'a Pace) -> Self {
        Self { pace, place: 0, at: 0.0 }
    }

    fn next(&mut self, stream: &mut Stream) -> Option<f64> {
        match self.pace {
            Pace::Times(times) => {
                self.place += 1;
                times.get(self.place - 1).copied()
            }
            Pace::Rates(rates) => {
                // A waiting time of mean 1, used up at the rates of the weeks.
                let mut wait = -libm::log(1.0 - stream.unit());
                loop {
                    let rate = *rates.get(self.place)?;
                    let end = (self.place + 1) as f64;
                    let room = rate * (end - self.at);
                    if wait < room {
                        self.at += wait / rate;
                        return Some(self.at);
                    }
                    wait -= room;
                    self.place += 1;
                    self.at = end;
                }
            }
        }
    }
}

/// A trial that was recruited: units in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Recruited {
    /// The arm of each, or [`LEFT_OUT`] where it is outside the comparison.
    pub arm: Vec<u8>,
    /// The arm that each drew.
    pub drawn: Vec<u8>,
    /// What each is.
    pub kind: Vec<u32>,
    /// When each entered, as a share of the study.
    pub entry: Vec<f64>,
    /// Where the members of each start, and the end.
    pub starts: Vec<u32>,
    /// How many came while enrolment paused.
    pub refused: u64,
    /// How many were randomised while an arm was full, and are outside the comparison.
    pub outside: u64,
}

impl Recruited {
    fn clear(&mut self) {
        self.arm.clear();
        self.drawn.clear();
        self.kind.clear();
        self.entry.clear();
        self.starts.clear();
        self.starts.push(0);
        (self.refused, self.outside) = (0, 0);
    }

    /// Those who came as units of the design, to be drawn again.
    pub fn units(&self, arrivals: &Arrivals, design: &Design) -> Result<Units> {
        let n = self.kind.len();
        let named = |name: &str, of: &dyn Fn(&Kind) -> String| {
            let value = |kind: &u32| arrivals.kinds.get(*kind as usize).map_or_else(String::new, of);
            Column::from_values(name, self.kind.iter().map(value))
        };
        let strata: Vec<Column> = design
            .strata_columns()
            .iter()
            .enumerate()
            .map(|(place, name)| named(name, &|kind| kind.stratum[place].clone()))
            .collect();
        let unit = design.unit()?;
        let ids = Column::from_values(unit.column(), (0..n).map(|i| format!("{i:08}")));
        let order: Vec<i64> = (0..n as i64).collect();
        let mut units = Units::from_rows(unit, &ids, &strata)?.arriving("order", &order)?;
        for (place, name) in Sequence::new(design, &Seed::Integer(0))?.factor_columns().iter().enumerate() {
            units = units.factor(&named(name, &|kind| kind.factors[place].clone()))?;
        }
        Ok(units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::Simple;

    fn recruited(arrivals: &Arrivals, number: u64) -> Recruited {
        let design = Design::new("t").arm("a", 1).arm("b", 1).cluster("f").method(Simple {});
        let mut into = Recruited::default();
        let stream = Stream::new::<&str>(&Seed::Integer(4), "test", &[], number);
        arrivals.check(&design).and_then(|()| arrivals.recruit(&design, stream, &mut into)).unwrap();
        into
    }

    #[test]
    fn arrivals_keep_the_rates_of_their_weeks() {
        let rates = vec![0.0, 4.0, 1.0, 0.0, 2.0];
        let arrivals = Arrivals::new(Pace::Rates(rates.clone()), 5.0, Sizes::equal(1).unwrap());
        let (mut counts, mut squares, sims) = ([0.0; 5], 0.0, 4_000);
        for number in 0..sims {
            let came = recruited(&arrivals, number);
            came.entry.iter().for_each(|entry| counts[(entry * 5.0) as usize] += 1.0);
            assert!(came.entry.windows(2).all(|pair| pair[0] <= pair[1]));
            squares += (came.arm.len() as f64 - 7.0).powi(2);
        }
        for (count, rate) in counts.iter().zip(&rates) {
            assert!((count / sims as f64 - rate).abs() <= 4.0 * (rate / sims as f64).sqrt(), "{counts:?}");
        }
        // The variance of a Poisson number is its mean.
        assert!((squares / sims as f64 - 7.0).abs() < 0.8);
    }

    #[test]
    fn a_full_arm_pauses_enrolment_or_sends_families_outside() {
        let times: Vec<f64> = (0..40).map(|i| f64::from(i) * 0.1).collect();
        let open = Arrivals::new(Pace::Times(times), 4.0, Sizes::equal(1).unwrap()).places(1, 2);
        let pause = open.clone().period(1.0, Overflow::Pause);
        let draw = open.period(2.0, Overflow::DrawFirst).until(Some(30));
        for number in 0..50 {
            let came = recruited(&pause, number);
            assert_eq!(came.arm.len() as u64 + came.refused, 40);
            for week in 0..4 {
                let in_week = |entry: f64| (entry * 4.0 + 1e-9) as usize == week;
                let treated =
                    came.arm.iter().zip(&came.entry).filter(|(arm, entry)| **arm == 1 && in_week(**entry));
                assert!(treated.count() <= 2);
            }
            let came = recruited(&draw, number);
            assert_eq!((came.arm.len(), came.refused), (30, 0));
            let outside = came.arm.iter().zip(&came.drawn).filter(|(arm, drawn)| arm != drawn);
            assert_eq!(outside.count() as u64, came.outside);
            // After the second treated family of a period the comparison takes nobody more.
            let first: Vec<u8> = came
                .arm
                .iter()
                .zip(&came.entry)
                .filter(|(_, entry)| **entry < 0.5 - 1e-9)
                .map(|(arm, _)| *arm)
                .collect();
            let last =
                first.iter().enumerate().filter(|(_, arm)| **arm == 1).nth(1).map_or(first.len(), |(i, _)| i);
            assert!(first.iter().skip(last + 1).all(|arm| *arm == LEFT_OUT));
        }
    }

    #[test]
    fn columns_that_say_nothing_are_left_out() {
        let kind = |name: &str| Kind { stratum: vec![name.into()], factors: Vec::new(), weight: 1 };
        let columns = ndarray::array![[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]];
        let arrivals = Arrivals::new(Pace::Times(vec![1.0]), 2.0, Sizes::equal(1).unwrap())
            .kinds(vec![kind("x"), kind("y"), kind("z")], columns);
        assert_eq!(arrivals.informative(&[0, 1, 2, 1]), [0, 1]);
        assert_eq!(arrivals.informative(&[0, 2]), [1]);
        assert_eq!(arrivals.informative(&[1, 2]), [0]);
        assert!(arrivals.informative(&[1, 1]).is_empty());
    }
}
