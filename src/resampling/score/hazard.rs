//! The score of Cox's model: z'M for the martingale residuals M of the model without the arm.
//!
//! The part of a row in it depends on who else was at risk, so every assignment walks through the times twice: back, for
//! the sums over the rows at risk, and on, for what each row takes of them.

use std::hint::select_unpredictable;

use ndarray::Axis;

use super::ArmModel;
use super::parts::{LANES, One, Parts, Score, left};
use crate::Result;
use crate::progress::NoMonitor;
use crate::resampling::outcomes::Outcomes;
use crate::resampling::sums::Written;
use crate::survival::null::{Moment, Restricted, restricted};
use crate::survival::{Surv, Ties};

struct Hazard {
    m: usize,
    units: usize,
    /// The unit of the row at each position among all units, and among those with rows.
    unit: Vec<u32>,
    place: Vec<u32>,
    /// The unit at each place.
    owner: Vec<u32>,
    fit: Restricted,
    p: usize,
    /// Sums over the rows of a unit: of the martingale residuals, and, units x p, of the score residuals and of what they
    /// add to the information.
    martingale: Vec<f64>,
    scores: Vec<f64>,
    shares: Vec<f64>,
    /// The most times of a stratum.
    times: usize,
}

/// The score under a log hazard ratio of the treated units' rows.
pub(super) fn score(
    model: &ArmModel<'_>,
    (event, strata, ties): (&[f64], Option<&[u32]>, Ties),
    outcomes: &Outcomes,
    effect: f64,
    treated: &[bool],
    arms: usize,
) -> Result<Score> {
    let kept: Vec<usize> = outcomes.rows().collect();
    let pick = |values: &[f64]| kept.iter().map(|&row| values[row]).collect::<Vec<f64>>();
    let (time, event) = (pick(&outcomes.values), pick(event));
    let unit: Vec<u32> = kept.iter().map(|&row| outcomes.unit[row]).collect();
    let offset: Vec<f64> =
        unit.iter().map(|&unit| if treated[unit as usize] { effect } else { 0.0 }).collect();
    let strata = strata.map(|codes| gapless(kept.iter().map(|&row| codes[row])));
    let x = model.covariates.select(Axis(0), &kept);
    let surv = Surv::new(&time, &event);
    let fit = restricted(&surv, x.view(), strata.as_deref(), ties, &offset, &NoMonitor)?;
    let (n, p) = fit.scores.dim();
    let among = gapless(unit.iter().copied());
    let units = among.iter().max().map_or(0, |last| *last as usize + 1);
    let at = |codes: &[u32]| fit.order.iter().map(|&row| codes[row as usize]).collect::<Vec<u32>>();
    let mut owner = vec![0; units];
    for (&place, &unit) in among.iter().zip(&unit) {
        owner[place as usize] = unit;
    }
    let (unit, place) = (at(&unit), at(&among));
    let (mut scores, mut shares) = (vec![0.0; units * p], vec![0.0; units * p]);
    let mut martingale = vec![0.0; units];
    for position in 0..n {
        let g = place[position] as usize;
        martingale[g] += fit.martingale[position];
        for j in 0..p {
            scores[g * p + j] += fit.scores[[position, j]];
            shares[g * p + j] += fit.shares[[position, j]];
        }
    }
    let times = fit.strata.iter().map(Vec::len).max().unwrap_or(0);
    let parts = Hazard { m: arms - 1, units, unit, place, owner, fit, p, martingale, scores, shares, times };
    Ok(Score {
        parts: Box::new(parts),
        arms,
        m: arms - 1,
        targets: model.targets(&[]),
        studentised: model.studentised,
        scale: 1.0,
    })
}

/// Codes 0, 1, ... in the order of first appearance.
fn gapless(codes: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut seen = std::collections::HashMap::new();
    codes
        .map(|code| {
            let next = seen.len() as u32;
            *seen.entry(code).or_insert(next)
        })
        .collect()
}

impl Hazard {
    /// One walk for the indicator of arm j + 1: score, parts by unit, and `S`, `E` of every time of the stratum.
    fn walk(
        &self,
        times: &[Moment],
        z: &dyn Fn(usize) -> bool,
        sums: &mut [(f64, f64)],
        mut add: impl FnMut(usize, f64),
    ) {
        let mut risk = 0.0;
        for (moment, sum) in times.iter().zip(sums.iter_mut()).rev() {
            let over = |from: usize, to: usize| -> f64 {
                (from..to).filter(|&at| z(at)).map(|at| self.fit.hazard[at]).sum()
            };
            let dying = over(moment.events, moment.end);
            risk += over(moment.start, moment.events) + dying;
            *sum = (risk, dying);
        }
        let mut taken = 0.0;
        for (moment, &(s, e)) in times.iter().zip(sums.iter()) {
            let of = |(by_s, by_e): (f64, f64)| by_s * s - by_e * e;
            let own = |at: usize| if z(at) { self.fit.martingale[at] } else { 0.0 };
            let (mean, dies) = (of(moment.mean), taken + of(moment.die));
            for at in moment.events..moment.end {
                add(at, own(at) - mean + self.fit.hazard[at] * dies);
            }
            taken += of(moment.survive);
            for at in moment.start..moment.events {
                add(at, own(at) + self.fit.hazard[at] * taken);
            }
        }
    }
}

/// Below this share of the squares of what is taken off each other nothing but rounding may be left.
const LOST: f64 = 1e-9;

/// The same walk for the indicator of the second of two arms, of four assignments side by side: each has a lane of its own,
/// in which the sums run in one order whatever the others are.
struct Four<'a> {
    of: &'a Hazard,
    arms: [&'a [u8]; LANES],
    numbers: &'a mut [f64],
}

/// What the parts of a unit add up to, by lane.
#[derive(Default)]
struct Totals {
    score: Lanes,
    squares: Lanes,
    /// The squares of what the parts are differences of.
    before: Lanes,
}

type Lanes = [f64; LANES];

/// 1 for the second arm and else 0, chosen as bits: of a choice of numbers the compiler makes a branch, and which arm it is
/// cannot be foreseen.
#[inline]
fn second(arm: u8) -> f64 {
    f64::from_bits(select_unpredictable(arm == 1, 1.0_f64.to_bits(), 0))
}

impl pulp::WithSimd for Four<'_> {
    type Output = Totals;

    #[allow(clippy::inline_always)] // Vector instructions reach only what is inlined into the dispatch.
    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> Totals {
        let Self { of, arms, numbers } = self;
        let p = of.p;
        let (masks, rest) = numbers.as_chunks_mut::<LANES>().0.split_at_mut(of.units);
        let (parts, rest) = rest.split_at_mut(of.units);
        let (within, sums) = rest.split_at_mut(p);
        let mut totals = Totals::default();
        within.fill([0.0; LANES]);
        for (mask, &owner) in masks.iter_mut().zip(&of.owner) {
            for lane in 0..LANES {
                mask[lane] = second(arms[lane][owner as usize]);
            }
        }
        for ((part, mask), martingale) in parts.iter_mut().zip(&*masks).zip(&of.martingale) {
            for lane in 0..LANES {
                part[lane] = mask[lane] * martingale;
                totals.before[lane] += part[lane] * part[lane];
            }
        }
        for (mask, shares) in masks.iter().zip(of.shares.chunks_exact(p.max(1))) {
            for (within, share) in within.iter_mut().zip(shares) {
                for lane in 0..LANES {
                    within[lane] += mask[lane] * share;
                }
            }
        }
        for times in &of.fit.strata {
            of.walk_four(times, masks, sums, parts);
        }
        for (g, part) in parts.iter().enumerate() {
            let mut off = [0.0; LANES];
            for (within, score) in within.iter().zip(&of.scores[g * p..(g + 1) * p]) {
                for lane in 0..LANES {
                    off[lane] += within[lane] * score;
                }
            }
            for lane in 0..LANES {
                let left = part[lane] - off[lane];
                totals.score[lane] += left;
                totals.squares[lane] += left * left;
                totals.before[lane] += off[lane] * off[lane];
            }
        }
        totals
    }
}

impl Hazard {
    /// [`Hazard::walk`] of four masks by place, into parts by place.
    #[allow(clippy::inline_always)] // As above.
    #[inline(always)]
    fn walk_four(&self, times: &[Moment], masks: &[Lanes], sums: &mut [Lanes], parts: &mut [Lanes]) {
        let rows = |from: usize, to: usize| self.fit.hazard[from..to].iter().zip(&self.place[from..to]);
        let over = |from: usize, to: usize| {
            let mut sum = [0.0; LANES];
            for (r, &g) in rows(from, to) {
                let mask = &masks[g as usize];
                for lane in 0..LANES {
                    sum[lane] += mask[lane] * r;
                }
            }
            sum
        };
        let mut risk = [0.0; LANES];
        for (moment, sum) in times.iter().zip(sums.as_chunks_mut::<2>().0).rev() {
            let (censored, dying) = (over(moment.start, moment.events), over(moment.events, moment.end));
            for lane in 0..LANES {
                risk[lane] += censored[lane] + dying[lane];
            }
            *sum = [risk, dying];
        }
        let mut add = |from: usize, to: usize, taken: Lanes, mean: Lanes| {
            for (r, &g) in rows(from, to) {
                // A copy, which nothing else can lie over: the four lanes then are one number to the processor.
                let mut part = parts[g as usize];
                for lane in 0..LANES {
                    part[lane] += r * taken[lane] - mean[lane];
                }
                parts[g as usize] = part;
            }
        };
        let mut taken = [0.0; LANES];
        for (moment, [s, e]) in times.iter().zip(sums.as_chunks::<2>().0) {
            let (mut mean, mut dies) = ([0.0; LANES], [0.0; LANES]);
            for lane in 0..LANES {
                let of = |(by_s, by_e): (f64, f64)| by_s * s[lane] - by_e * e[lane];
                mean[lane] = of(moment.mean);
                dies[lane] = taken[lane] + of(moment.die);
                taken[lane] += of(moment.survive);
            }
            add(moment.events, moment.end, dies, mean);
            add(moment.start, moment.events, taken, [0.0; LANES]);
        }
    }
}

impl Parts for Hazard {
    fn units(&self) -> usize {
        self.units
    }

    fn one(&self, arm: &[u8], numbers: &mut Vec<f64>) -> Option<One> {
        self.four([arm; LANES], numbers)[0].take()
    }

    fn four(&self, arms: [&[u8]; LANES], numbers: &mut Vec<f64>) -> [Option<One>; LANES] {
        if self.m != 1 {
            return Default::default();
        }
        numbers.resize(LANES * (2 * self.units + self.p + 2 * self.times), 0.0);
        let Totals { score, squares, before } = pulp::Arch::new().dispatch(Four { of: self, arms, numbers });
        // Where the strata and covariates imply the arm, every part is 0: what has parts has information, and the rest is
        // looked at closely.
        std::array::from_fn(|lane| {
            let (score, squares) = (score[lane], squares[lane]);
            (squares > LOST * before[lane]).then_some(One { score, squares })
        })
    }

    fn write(&self, arm: &[u8], numbers: &mut Vec<f64>, into: &mut Written) -> bool {
        let (m, p) = (self.m, self.p);
        numbers.clear();
        numbers.resize(m * p, 0.0);
        let mut sums = vec![vec![(0.0, 0.0); self.times]; m];
        let mut pairs = vec![0.0; m * m];
        let mut whole = vec![0.0; m];
        for times in &self.fit.strata {
            for j in 0..m {
                let z = |at: usize| usize::from(arm[self.unit[at] as usize]) == j + 1;
                self.walk(times, &z, &mut sums[j], |at, part| {
                    into.by_unit[self.place[at] as usize * m + j] += part;
                });
            }
            for (t, moment) in times.iter().enumerate() {
                for j in 0..m {
                    let (s, e) = sums[j][t];
                    whole[j] += moment.same.0 * s - moment.same.1 * e;
                    for l in 0..m {
                        let (other, dying) = sums[l][t];
                        let (by_s, cross, by_e) = moment.pair;
                        pairs[j * m + l] +=
                            by_s * s * other - cross * (s * dying + e * other) + by_e * e * dying;
                    }
                }
            }
        }
        // The covariates' part in the efficient score.
        for (&owner, shares) in self.owner.iter().zip(self.shares.chunks_exact(p.max(1))) {
            let j = usize::from(arm[owner as usize]);
            if (1..=m).contains(&j) {
                for (sum, share) in numbers[(j - 1) * p..j * p].iter_mut().zip(shares) {
                    *sum += share;
                }
            }
        }
        for j in 0..m {
            let within = &numbers[j * p..(j + 1) * p];
            for l in 0..m {
                let product: f64 = within.iter().zip(&numbers[l * p..(l + 1) * p]).map(|(a, b)| a * b).sum();
                let pair = pairs[j * m + l] + product;
                into.information[j * m + l] = if j == l { left(whole[j], pair) } else { -pair };
            }
            for g in 0..self.units {
                let scores = &self.scores[g * p..(g + 1) * p];
                let off: f64 = within.iter().zip(scores).map(|(a, b)| a * b).sum();
                into.by_unit[g * m + j] -= off;
                into.score[j] += into.by_unit[g * m + j];
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::resampling::replay::{Evaluate, Room};
    use crate::rng::{Seed, Stream};

    /// Seven assignments of 20 units: each has the same bits beside others as alone, and the value of its parts by unit.
    #[test]
    fn four_side_by_side_are_four() {
        let (units, rows, draws) = (20, 60, 7);
        let mut stream = Stream::new(&Seed::Integer(5), "test", &["four"], 0);
        let mut below = |n: u64| stream.below(n);
        let unit: Vec<u32> = (0..rows).map(|_| below(units as u64) as u32).collect();
        let arms: Vec<u8> = (0..draws * units).map(|_| below(2) as u8).collect();
        let event: Vec<f64> = (0..rows).map(|_| f64::from(u8::from(below(3) > 0))).collect();
        let strata: Vec<u32> = (0..rows).map(|_| below(2) as u32).collect();
        let treated: Vec<bool> = arms[..units].iter().map(|&arm| arm == 1).collect();
        for times in [9, 1_000_000] {
            let time: Vec<f64> = (0..rows).map(|_| 1.0 + below(times) as f64).collect();
            let outcomes = Outcomes::new("time", &time, &unit, units).unwrap();
            for (p, ties) in [(0, Ties::Efron), (2, Ties::Efron), (2, Ties::Breslow)] {
                let x = Array2::from_shape_fn((rows, p), |_| below(11) as f64);
                for strata in [None, Some(&strata[..])] {
                    let model = ArmModel::cox(&event, x.view()).strata(strata, ties);
                    let score = model.at(&outcomes, 0.3, &treated, 2).unwrap();
                    let room = &mut Room::default();
                    let mut values = vec![0.0; draws];
                    for (values, arms) in values.chunks_mut(LANES).zip(arms.chunks(LANES * units)) {
                        score.evaluate_abreast(arms, units, room, values);
                    }
                    for (value, arm) in values.iter().zip(arms.chunks_exact(units)) {
                        let (mut alone, mut by_unit) = ([0.0], [0.0]);
                        score.evaluate(arm, room, &mut alone);
                        score.value(None, arm, room, &mut by_unit);
                        assert_eq!(value.to_bits(), alone[0].to_bits());
                        assert!((value - by_unit[0]).abs() < 1e-12 * (1.0 + value.abs()));
                    }
                }
            }
        }
    }
}
