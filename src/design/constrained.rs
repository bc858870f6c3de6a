//! Covariate-constrained randomisation: one of the best balanced assignments, drawn at random.
//!
//! The score of an assignment is, with K columns standardised to mean 0 and standard deviation s_k (n - 1), weights w_k
//! and z_i = +-1 for two equal arms,
//!
//! B = (1/4) sum_k w_k (sum_i z_i (x_ik - mean_k) / s_k)^2 = (n^2 / 16) sum_k w_k (difference of arm means)^2 / s_k^2,
//!
//! and for any arms B = (n / 4) sum_k w_k sum_j n_j (mean_jk - mean_k)^2 / s_k^2, which is the same for two equal ones:
//! the factor n / 4 is common to all assignments, so it orders none. Weights enter once, not squared. A category counts
//! as one column of 0 and 1 for each level but the first in bytewise order.
//!
//! 1. *Candidates*: every assignment that complete randomisation within strata can give, where there are at most
//!    `draws`; else so many drawn under the purpose "candidates" of the design's own seed, duplicates dropped. With
//!    equal arms only `draws` / J are drawn, and each brings the J assignments that it becomes when the arms change
//!    places in a cycle, so that no arm is favoured.
//! 2. *Acceptance*: the ceil(keep x candidates) best, and all that tie with the last of these: a score above the cutoff
//!    by less than a relative 1e-9 (of the mean score, a relative 1e-12, where the cutoff is nearly zero). An assignment
//!    and its mirror image tie, so no one is cut off.
//! 3. *Draw*: one of the accepted, in the order in which they were listed and never by score, each with its probability
//!    under complete randomisation (equal ones, unless strata do not divide by the ratio; sampled ones are equal).
//!
//! Probabilities are counts over the accepted set, which the design fixes, and the randomisation test runs over that
//! very set. They equal the ratio for equal arms only; a set in which some unit never gets some arm is refused. Units
//! that are always or never in the same arm make tests invalid or powerless (Bailey and Rowley); [`Design::constrained`]
//! reports every pair's share.
//!
//! G. M. Raab, I. Butcher (2001), Balance in cluster randomized trials, Statistics in Medicine 20, 351-365,
//! doi:10.1002/1097-0258(20010215)20:3<351::AID-SIM797>3.0.CO;2-C; L. H. Moulton (2004), Clinical Trials 1, 297-305,
//! doi:10.1191/1740774504cn024oa; F. Li et al. (2016), Statistics in Medicine 35, 1565-1579, doi:10.1002/sim.6813;
//! R. A. Bailey, C. A. Rowley (1987), Valid randomization, Proceedings of the Royal Society A 410, 105-124,
//! doi:10.1098/rspa.1987.0030.

use std::collections::HashSet;

use ndarray::Array2;
use num_bigint::BigUint;
use rayon::prelude::*;

use serde::Serialize;

use super::procedure::{Probabilities, Procedure, Scratch, Support};
use super::random::{Random, Streams};
use super::schemes::{self, Accepted, Candidates};
use super::score::{Columns, Score};
use super::{Constrained, Design, Method, Units, complete};
use crate::progress::{Monitor, Pace, watcher};
use crate::{Fault, Result};

/// Basic steps for one unit of one candidate.
const STEP: usize = 8;
/// Pairs are looked at in notes up to so many units.
const PAIRED: usize = 1000;

/// Two units, indices in canonical order.
///
/// ```
/// use crewe::design::Pair;
/// assert_ne!(Pair { first: 0, second: 1 }, Pair { first: 0, second: 2 });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// The first.
    pub first: u32,
    /// The second.
    pub second: u32,
}

/// What a constrained design accepts, and whether the randomisation is valid.
///
/// ```
/// use crewe::design::{Column, Constrained, Design, Fraction, Unit, Units};
/// let ids = Column::from_values("school", ["a", "b", "c", "d", "e", "f"]);
/// let design = Design::new("Schools").arm("control", 1).arm("new", 1).individual("school").seed(1)
///     .method(Constrained::new([("pupils", 1)], Fraction::new(1, 2), 1_000));
/// let units = Units::from_rows(design.unit()?, &ids, &[])?.covariate("pupils", &[90., 110., 150., 160., 240., 250.])?;
/// let found = design.constrained(&units)?;
/// assert!(found.enumerated && found.scores.len() == 20 && found.accepted >= 10);
/// assert!(found.cutoff < found.mean);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Acceptance {
    /// Whether the candidates are all assignments; else a sample.
    pub enumerated: bool,
    /// The score of each candidate.
    pub scores: Vec<f64>,
    /// The smallest score.
    pub minimum: f64,
    /// The mean score.
    pub mean: f64,
    /// The largest score.
    pub maximum: f64,
    /// The largest score that is accepted, ties aside.
    pub cutoff: f64,
    /// The number of accepted assignments, ties included.
    pub accepted: usize,
    /// The probability that two units are in the same arm; units x units.
    pub coincidence: Array2<f64>,
    /// Pairs that are always in the same arm.
    pub together: Vec<Pair>,
    /// Pairs that are never in the same arm.
    pub apart: Vec<Pair>,
    /// Every unit's probability of every arm; units x arms.
    pub probability: Array2<f64>,
}

impl Design {
    /// The candidates, the accepted assignments and the coincidences of a constrained design.
    ///
    /// # Errors
    /// [`crate::Error::Design`] for another procedure, and for a set in which a unit cannot get one of the arms;
    /// [`crate::Error::Rank`] for a covariate that does not vary.
    pub fn constrained(&self, units: &Units) -> Result<Acceptance> {
        self.check_units(units)?;
        let Method::Constrained(options) = self.the_method() else {
            return Err(Fault::new(format!("{} accepts every assignment", self.the_method().name()))
                .remedy("Ask this of covariate-constrained randomisation")
                .design());
        };
        let monitor = &watcher();
        let ready = ready(self, units, options, monitor)?;
        let pairs = ready.accepted.pairs(monitor)?;
        Ok(Acceptance {
            enumerated: ready.enumerated,
            minimum: ready.scores.iter().copied().fold(f64::INFINITY, f64::min),
            mean: mean(&ready.scores),
            maximum: ready.scores.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            cutoff: ready.cutoff,
            accepted: ready.accepted.len(),
            coincidence: ready.accepted.coincidence(monitor)?,
            together: pairs.together,
            apart: pairs.apart,
            probability: ready.accepted.probabilities(monitor)?.arm,
            scores: ready.scores,
        })
    }
}

/// Constrained randomisation made ready for the units of one trial.
pub(super) struct Ready {
    enumerated: bool,
    scores: Vec<f64>,
    cutoff: f64,
    accepted: Accepted,
    labels: Vec<String>,
    even: bool,
}

/// Lists, scores and accepts.
pub(super) fn ready(
    design: &Design,
    units: &Units,
    options: &Constrained,
    monitor: &dyn Monitor,
) -> Result<Ready> {
    let (ratio, arms) = (design.ratio(), design.arms().len());
    let on = options.on.iter().map(|weighted| (weighted.column.as_str(), weighted.weight));
    let columns = Columns::new(units, on)?;
    let members = units.members();
    let divides = |members: &Vec<u32>| {
        ratio.shares.iter().all(|&share| (members.len() as u64 * share).is_multiple_of(ratio.total))
    };
    if members.iter().all(divides) {
        // Elsewhere the places left over in some strata still move what differs between strata.
        columns.refuse_constant_within(&members)?;
    }
    let score = Score::balance(&columns, arms);
    let all = schemes::enumerate(units, &ratio, &score, options.draws, monitor)?;
    let enumerated = all.is_some();
    let candidates = match all {
        Some(all) => all,
        None => sample(design, units, &score, options.draws, monitor)?,
    };
    let cutoff = cutoff(&candidates.scores, options)?;
    let accepted = candidates.accepted(with_ties(cutoff, &candidates.scores), arms, monitor)?;
    accepted.refuse_certain(
        design,
        units,
        "Keep a larger share of the assignments, balance fewer covariates, or use equal arms",
        monitor,
    )?;
    let even = ratio.shares.iter().all(|&share| share == ratio.shares[0]);
    Ok(Ready {
        enumerated,
        scores: candidates.scores,
        cutoff,
        accepted,
        labels: units.labels().to_vec(),
        even,
    })
}

/// Candidates drawn by complete randomisation, duplicates dropped.
fn sample(
    design: &Design,
    units: &Units,
    score: &Score,
    draws: u64,
    monitor: &dyn Monitor,
) -> Result<Candidates> {
    let ratio = &design.ratio();
    let (width, arms) = (units.len(), ratio.shares.len());
    let turns = if ratio.shares.iter().all(|&share| share == ratio.shares[0]) { arms } else { 1 };
    let drawn = usize::try_from(draws.div_ceil(turns as u64)).unwrap_or(usize::MAX);
    let mut candidates = Candidates { width, ..Candidates::default() };
    schemes::reserve(&mut candidates, drawn.saturating_mul(turns))?;
    candidates.arms.resize(drawn * turns * width, 0);
    let streams = Streams::new(design.the_seed()?, "candidates", units);
    let members = units.members();
    candidates.arms.par_chunks_mut(turns * width).enumerate().try_for_each_init(
        || Scratch::new(monitor),
        |scratch, (i, rows)| {
            scratch.pace.by(STEP * turns * width)?;
            let random = streams.replicate(i as u64);
            for (stratum, members) in members.iter().enumerate() {
                complete::draw(members.len(), ratio, random.stratum(stratum).step(0), scratch);
                for (&unit, &arm) in members.iter().zip(&scratch.arms) {
                    rows[unit as usize] = arm;
                }
            }
            for turn in 1..turns {
                let (drawn, later) = rows.split_at_mut(turn * width);
                for (into, &arm) in later[..width].iter_mut().zip(&*drawn) {
                    *into = ((usize::from(arm) + turn) % arms) as u8;
                }
            }
            Ok(())
        },
    )?;
    let mut pace = Pace::new(monitor);
    let mut kept: Vec<usize> = Vec::new();
    let mut seen: HashSet<&[u8]> = HashSet::new();
    for (i, row) in candidates.arms.chunks(width).enumerate() {
        pace.by(STEP * width)?;
        if seen.insert(row) {
            kept.push(i);
        }
    }
    for (to, &from) in kept.iter().enumerate() {
        pace.by(width)?;
        candidates.arms.copy_within(from * width..(from + 1) * width, to * width);
    }
    candidates.arms.truncate(kept.len() * width);
    candidates.scores = candidates
        .arms
        .par_chunks(width)
        .map_init(
            || (Vec::new(), Vec::new(), Pace::new(monitor)),
            |(sums, counts, pace), row| pace.by(STEP * width).map(|()| score.of(row, sums, counts)),
        )
        .collect::<Result<_>>()?;
    Ok(candidates)
}

/// The score of the last of the share to keep.
fn cutoff(scores: &[f64], options: &Constrained) -> Result<f64> {
    let wanted = u128::from(options.keep.numerator) * scores.len() as u128;
    let kept = wanted.div_ceil(u128::from(options.keep.denominator)) as usize;
    let mut order = scores.to_vec();
    // A share above 0 of at least one candidate is at least one.
    let (_, &mut cutoff, _) = order.select_nth_unstable_by(kept.max(1) - 1, f64::total_cmp);
    if cutoff.is_finite() {
        return Ok(cutoff);
    }
    Err(Fault::new("assignments that leave an arm empty would be accepted")
        .values([format!("keep = {}", options.keep.value())])
        .remedy("Keep a smaller share, or randomise more units")
        .design())
}

/// The cutoff with room for ties.
fn with_ties(cutoff: f64, scores: &[f64]) -> f64 {
    cutoff + (1e-9 * cutoff).max(1e-12 * mean(scores))
}

/// The mean of the scores of assignments that leave no arm empty.
fn mean(scores: &[f64]) -> f64 {
    let finite = scores.iter().filter(|score| score.is_finite());
    finite.clone().sum::<f64>() / finite.count() as f64
}

/// Pairs whose arms say nothing new.
struct Pairs {
    together: Vec<Pair>,
    apart: Vec<Pair>,
}

impl Accepted {
    /// The pairs that are always, and never, in the same arm.
    fn pairs(&self, monitor: &dyn Monitor) -> Result<Pairs> {
        let mut pace = Pace::new(monitor);
        let sets = self.sets(&mut pace)?;
        let words = self.len().div_ceil(64);
        let mut pairs = Pairs { together: vec![], apart: vec![] };
        for first in 0..self.width {
            for second in first + 1..self.width {
                pace.by(self.arms * words)?;
                let same = self.same(&sets, words, first, second);
                let pair = Pair { first: first as u32, second: second as u32 };
                if same == self.len() {
                    pairs.together.push(pair);
                } else if same == 0 {
                    pairs.apart.push(pair);
                }
            }
        }
        Ok(pairs)
    }

    /// For each unit and arm, the accepted assignments in which it has the arm, one bit each.
    fn sets(&self, pace: &mut Pace<'_>) -> Result<Vec<u64>> {
        let words = self.len().div_ceil(64);
        let mut sets = vec![0_u64; self.width * self.arms * words];
        for (index, scheme) in self.schemes.chunks(self.width).enumerate() {
            pace.by(self.width)?;
            for (unit, &arm) in scheme.iter().enumerate() {
                sets[(unit * self.arms + usize::from(arm)) * words + index / 64] |= 1 << (index % 64);
            }
        }
        Ok(sets)
    }

    /// In how many accepted assignments two units have the same arm.
    fn same(&self, sets: &[u64], words: usize, first: usize, second: usize) -> usize {
        let size = self.arms * words;
        let (a, b) = (&sets[first * size..][..size], &sets[second * size..][..size]);
        a.iter().zip(b).map(|(a, b)| (a & b).count_ones() as usize).sum()
    }

    /// The probability that two units are in the same arm.
    fn coincidence(&self, monitor: &dyn Monitor) -> Result<Array2<f64>> {
        let mut pace = Pace::new(monitor);
        let (sets, words) = (self.sets(&mut pace)?, self.len().div_ceil(64));
        let mut shares = Array2::zeros((self.width, self.width));
        for ((a, b), share) in shares.indexed_iter_mut() {
            let (a, b) = (a.min(b), a.max(b));
            if self.weights.is_empty() || a == b {
                pace.by(self.arms * words)?;
                *share = self.same(&sets, words, a, b) as f64 / self.len() as f64;
                continue;
            }
            pace.by(STEP * self.len())?;
            let same = |scheme: &&[u8]| scheme[a] == scheme[b];
            let rows = self.schemes.chunks(self.width).zip(&self.weights);
            *share = rows.filter(|(scheme, _)| same(scheme)).map(|(_, weight)| weight).sum();
        }
        Ok(shares)
    }
}

impl Procedure for Ready {
    fn draw(&self, random: Random<'_>, _scratch: &mut Scratch<'_>, arm: &mut [u8]) -> Result<()> {
        self.accepted.draw(random, arm);
        Ok(())
    }

    fn probabilities(&self, monitor: &dyn Monitor) -> Result<Probabilities> {
        self.accepted.probabilities(monitor)
    }

    fn possible(&self, _monitor: &dyn Monitor) -> Result<Option<BigUint>> {
        Ok(Some(BigUint::from(self.accepted.len())))
    }

    fn support(&self, most: usize, _monitor: &dyn Monitor) -> Result<Option<Support>> {
        Ok(self.accepted.support(most))
    }

    fn notes(&self, monitor: &dyn Monitor) -> Result<Vec<String>> {
        let which = if self.enumerated { "possible" } else { "sampled" };
        let mut notes = vec![format!(
            "one of the {} best balanced of {} {which} assignments was drawn (balance score at most {:.4})",
            self.accepted.len(),
            self.scores.len(),
            self.cutoff,
        )];
        if !self.even {
            notes.push(
                "with unequal arms the constraint moves units' probabilities away from the ratio: see each unit's \
                 probability"
                    .to_owned(),
            );
        }
        if self.accepted.width > PAIRED {
            notes.push(format!(
                "pairs of units that are always or never in the same arm were not looked for among more than \
                 {PAIRED} units"
            ));
            return Ok(notes);
        }
        let pairs = self.accepted.pairs(monitor)?;
        for (pairs, how) in [(pairs.together, "always"), (pairs.apart, "never")] {
            if pairs.is_empty() {
                continue;
            }
            let named = |pair: &Pair| {
                format!("{} and {}", self.labels[pair.first as usize], self.labels[pair.second as usize])
            };
            let shown: Vec<String> = pairs.iter().take(3).map(named).collect();
            let more = if pairs.len() > 3 { format!(" and {} more", pairs.len() - 3) } else { String::new() };
            notes.push(format!(
                "{} pairs of units are {how} in the same arm ({}{more}): the randomisation is not valid in Bailey's \
                 sense; keep a larger share or balance fewer covariates",
                pairs.len(),
                shown.join(", "),
            ));
        }
        Ok(notes)
    }
}
