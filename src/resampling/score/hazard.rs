//! The score of Cox's model: z'M for the martingale residuals M of the model without the arm.
//!
//! The part of a row in it depends on who else was at risk, so every assignment walks through the times twice: back, for
//! the sums over the rows at risk, and on, for what each row takes of them.

use ndarray::Axis;

use super::ArmModel;
use super::parts::{One, Parts, Score, left};
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

impl Hazard {
    /// The same walk for the indicator of the second of two arms, into parts by unit; `risks` holds a number a row, `sums` two a
    /// time. Gives the size of what the parts are differences of.
    fn alone(&self, arm: &[u8], sums: &mut [f64], risks: &mut [f64], parts: &mut [f64]) -> f64 {
        for ((part, &owner), martingale) in parts.iter_mut().zip(&self.owner).zip(&self.martingale) {
            *part = if arm[owner as usize] == 1 { *martingale } else { 0.0 };
        }
        let size = parts.iter().map(|part| part * part).sum();
        for ((risk, &unit), r) in risks.iter_mut().zip(&self.unit).zip(&self.fit.hazard) {
            // A mask instead of a branch, which could not be foreseen.
            *risk = f64::from(u8::from(arm[unit as usize] == 1)) * r;
        }
        for times in &self.fit.strata {
            let mut risk = 0.0;
            for (moment, sum) in times.iter().zip(sums.chunks_exact_mut(2)).rev() {
                let dying = risks[moment.events..moment.end].iter().sum::<f64>();
                risk += risks[moment.start..moment.events].iter().sum::<f64>() + dying;
                (sum[0], sum[1]) = (risk, dying);
            }
            let mut taken = 0.0;
            for (moment, sum) in times.iter().zip(sums.chunks_exact(2)) {
                let of = |(by_s, by_e): (f64, f64)| by_s * sum[0] - by_e * sum[1];
                let (mean, dies) = (of(moment.mean), taken + of(moment.die));
                for at in moment.events..moment.end {
                    parts[self.place[at] as usize] += self.fit.hazard[at] * dies - mean;
                }
                taken += of(moment.survive);
                for at in moment.start..moment.events {
                    parts[self.place[at] as usize] += self.fit.hazard[at] * taken;
                }
            }
        }
        size
    }
}

impl Parts for Hazard {
    fn units(&self) -> usize {
        self.units
    }

    fn one(&self, arm: &[u8], numbers: &mut Vec<f64>) -> Option<One> {
        if self.m != 1 {
            return None;
        }
        let p = self.p;
        numbers.clear();
        numbers.resize(self.units + p + self.unit.len() + 2 * self.times, 0.0);
        let (parts, rest) = numbers.split_at_mut(self.units);
        let (within, rest) = rest.split_at_mut(p);
        let (risks, sums) = rest.split_at_mut(self.unit.len());
        let mut before = self.alone(arm, sums, risks, parts);
        for (&owner, shares) in self.owner.iter().zip(self.shares.chunks_exact(p.max(1))) {
            let mask = f64::from(u8::from(arm[owner as usize] == 1));
            within.iter_mut().zip(shares).for_each(|(sum, share)| *sum += mask * share);
        }
        let (mut score, mut squares) = (0.0, 0.0);
        for (g, part) in parts.iter().enumerate() {
            let off: f64 = within.iter().zip(&self.scores[g * p..(g + 1) * p]).map(|(a, b)| a * b).sum();
            score += part - off;
            squares += (part - off) * (part - off);
            before += off * off;
        }
        // Where the strata and covariates imply the arm, every part is 0: what has parts has information, and the rest is
        // looked at closely.
        (squares > LOST * before).then_some(One { score, squares })
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
