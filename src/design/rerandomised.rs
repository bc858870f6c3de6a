//! Rerandomisation: complete randomisation, repeated until the arms' means of the covariates are close.
//!
//! With n_j units in arm j, d_j the differences of its K covariate means from the overall means and S the covariance of
//! the covariates,
//!
//! M = sum_j n_j d_j' S^-1 d_j,
//!
//! which for two arms is n_1 n_2 / n times the Mahalanobis distance between their means. Under complete
//! randomisation M is about chi-squared with K (J - 1) degrees of freedom; a draw is accepted where M <= a, the
//! quantile of that law at `accept`. The variance of a difference in means of the covariates then shrinks by the
//! factor P(chi2_{d+2} <= a) / P(chi2_d <= a), d = K (J - 1). In a stratified design S is the covariance within
//! strata, as what differs between them is not left to chance.
//!
//! The assignment's try t draws each stratum from step t of its stream; a replicate's tries run on in its own. Where
//! complete randomisation has at most 20,000 assignments they are all listed, and one of those accepted is drawn with
//! its probability under complete randomisation, which is the same law. Elsewhere a pilot of up to 100 / `accept` tries
//! must find an assignment that is accepted, or the design is refused.
//!
//! Probabilities are exactly 1 / J for equal arms, by symmetry; for others they come by listing all assignments, else by
//! simulation with the number of draws reported.
//!
//! K. L. Morgan, D. B. Rubin (2012), Rerandomization to improve covariate balance in experiments, Annals of Statistics
//! 40, 1263-1282, doi:10.1214/12-AOS1008.

use ndarray::Array2;
use num_bigint::BigUint;
use rayon::prelude::*;
use statrs::function::gamma::checked_gamma_lr;

use super::procedure::{Probabilities, Procedure, Scratch, Support};
use super::random::{Random, Steps, Streams};
use super::schemes::{self, Accepted};
use super::score::{Columns, Score};
use super::{Design, Ratio, Rerandomised, Units, complete};
use crate::progress::Monitor;
use crate::rng::Seed;
use crate::{Fault, Result};

/// Up to so many assignments, all are listed.
const LISTED: u64 = 20_000;
/// Tries for the simulated probabilities, and the fewest and most draws.
const TRIES: f64 = 2e6;
const FEWEST: f64 = 2_000.0;
const MOST: f64 = 10_000.0;

/// The largest M that is accepted: the quantile at `accept` of chi-squared with `df` = K (J - 1) degrees of freedom; NaN
/// where there is none.
///
/// ```
/// use crewe::design::rerandomised::{threshold, variance_factor};
/// // Morgan and Rubin: ten covariates, one draw in a thousand.
/// assert!((threshold(0.001, 10.0) - 1.478743).abs() < 1e-6);
/// assert!((variance_factor(0.001, 10.0) - 0.120921).abs() < 1e-6);
/// ```
pub fn threshold(accept: f64, df: f64) -> f64 {
    if !(0.0..=1.0).contains(&accept) || !df.is_finite() || df <= 0.0 {
        return f64::NAN;
    }
    if accept == 0.0 || accept == 1.0 {
        return if accept == 0.0 { 0.0 } else { f64::INFINITY };
    }
    let (mut low, mut high) = (0.0, df);
    while lower(high, df) < accept {
        high *= 2.0;
    }
    // Halving down to neighbouring floats.
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return high;
        }
        if lower(middle, df) < accept { low = middle } else { high = middle }
    }
}

/// The variance of a difference in covariate means after rerandomisation, as a share of that under complete
/// randomisation: P(chi2_{df+2} <= a) / P(chi2_df <= a).
pub fn variance_factor(accept: f64, df: f64) -> f64 {
    if accept == 1.0 {
        return 1.0;
    }
    lower(threshold(accept, df), df + 2.0) / accept
}

fn lower(x: f64, df: f64) -> f64 {
    if x <= 0.0 { 0.0 } else { checked_gamma_lr(0.5 * df, 0.5 * x).unwrap_or(f64::NAN) }
}

/// Basic steps for one unit in one try.
const STEP: usize = 8;

/// Rerandomisation made ready for the units of one trial.
pub(super) struct Ready {
    members: Vec<Vec<u32>>,
    ratio: Ratio,
    score: Score,
    /// The largest M accepted.
    most: f64,
    accept: f64,
    /// All accepted assignments where there are few.
    listed: Option<Accepted>,
    /// The number of assignments that were listed.
    of: usize,
    /// An assignment that is accepted.
    pilot: Vec<u8>,
    /// The streams of the simulated probabilities.
    simulation: Streams,
    df: f64,
}

/// Finds the threshold, and makes sure that something is accepted.
pub(super) fn ready(
    design: &Design,
    units: &Units,
    options: &Rerandomised,
    monitor: &dyn Monitor,
) -> Result<Ready> {
    let (ratio, arms, members) = (design.ratio(), design.arms().len(), units.members());
    let columns = Columns::new(units, options.on.iter().map(|column| (column.as_str(), 1)))?;
    let score = Score::mahalanobis(&columns, arms, &members)?;
    let accept = options.accept.value();
    let df = (columns.width() * (arms - 1)) as f64;
    let most = rounded(threshold(accept, df));
    let listed = schemes::enumerate(units, &ratio, &score, LISTED, monitor)?;
    // The seed is no secret here: neither the pilot nor the simulation has to do with the draw.
    let open = Seed::Integer(0);
    let mut ready = Ready {
        members,
        ratio,
        score,
        most,
        accept,
        listed: None,
        of: 0,
        pilot: vec![0; units.len()],
        simulation: Streams::new(&open, "probabilities", units),
        df,
    };
    let never = |looked: String| {
        Fault::new("no assignment is accepted")
            .values([looked, format!("accepted would be M <= {most:.6}")])
            .remedy("Accept a larger share, or balance fewer covariates")
            .design()
    };
    if let Some(all) = listed {
        let accepted = all.accepted(most, arms, monitor)?;
        if accepted.len() == 0 {
            return Err(never(format!("all {} were looked at", all.len())));
        }
        accepted.refuse_certain(
            design,
            units,
            "Accept a larger share, balance fewer covariates, or use equal arms",
            monitor,
        )?;
        ready.of = all.len();
        ready.listed = Some(accepted);
    } else {
        let tries = (100.0 / accept).ceil() as u64;
        let pilot = Streams::new(&open, "pilot", units);
        let mut arm = vec![0; units.len()];
        if !ready.search(pilot.assignment(), tries, &mut Scratch::new(monitor), &mut arm)? {
            return Err(never(format!("{tries} tries")));
        }
        ready.pilot = arm;
    }
    Ok(ready)
}

/// The threshold to 32 bits, so that the last digits of a platform's gamma function decide nothing.
fn rounded(threshold: f64) -> f64 {
    if !threshold.is_finite() {
        return threshold;
    }
    f64::from_bits((threshold.to_bits() + (1 << 19)) & !((1 << 20) - 1))
}

impl Ready {
    /// Draws until M is small enough; whether it ever was.
    fn search(
        &self,
        random: Random<'_>,
        tries: u64,
        scratch: &mut Scratch<'_>,
        arm: &mut [u8],
    ) -> Result<bool> {
        let mut steps: Vec<Steps> = (0..self.members.len()).map(|stratum| random.stratum(stratum)).collect();
        let (mut sums, mut counts) = (Vec::new(), Vec::new());
        for number in 0..tries {
            scratch.pace.by(STEP * arm.len())?;
            for (members, steps) in self.members.iter().zip(&mut steps) {
                complete::draw(members.len(), &self.ratio, steps.step(number), scratch);
                for (&unit, &drawn) in members.iter().zip(&scratch.arms) {
                    arm[unit as usize] = drawn;
                }
            }
            if self.score.of(arm, &mut sums, &mut counts) <= self.most {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn even(&self) -> bool {
        self.ratio.shares.iter().all(|&share| share == self.ratio.shares[0])
    }
}

impl Procedure for Ready {
    fn draw(&self, random: Random<'_>, scratch: &mut Scratch<'_>, arm: &mut [u8]) -> Result<()> {
        if let Some(listed) = &self.listed {
            listed.draw(random, arm);
            return Ok(());
        }
        // The pilot was accepted within 100 / accept tries; a hundred times as many are enough for any draw.
        let tries = (1e4 / self.accept) as u64;
        if !self.search(random, tries, scratch, arm)? {
            arm.copy_from_slice(&self.pilot);
        }
        Ok(())
    }

    fn probabilities(&self, monitor: &dyn Monitor) -> Result<Probabilities> {
        let (units, arms) = (self.pilot.len(), self.ratio.shares.len());
        if self.even() {
            let arm = Array2::from_elem((units, arms), 1.0 / arms as f64);
            return Ok(Probabilities { arm, simulated: None });
        }
        if let Some(listed) = &self.listed {
            return listed.probabilities(monitor);
        }
        let draws = (TRIES * self.accept).clamp(FEWEST, MOST) as u64;
        let counts = (0..draws)
            .into_par_iter()
            .try_fold(
                || (vec![0_u64; units * arms], vec![0; units], Scratch::new(monitor)),
                |(mut counts, mut arm, mut scratch), index| {
                    self.draw(self.simulation.replicate(index), &mut scratch, &mut arm)?;
                    for (unit, &drawn) in arm.iter().enumerate() {
                        counts[unit * arms + usize::from(drawn)] += 1;
                    }
                    Ok((counts, arm, scratch))
                },
            )
            .map(|part| part.map(|(counts, _, _)| counts))
            .try_reduce(
                || vec![0_u64; units * arms],
                |a, b| Ok(a.iter().zip(&b).map(|(a, b)| a + b).collect()),
            )?;
        let arm = Array2::from_shape_fn((units, arms), |(unit, arm)| {
            counts[unit * arms + arm] as f64 / draws as f64
        });
        Ok(Probabilities { arm, simulated: Some(draws) })
    }

    fn possible(&self, _monitor: &dyn Monitor) -> Result<Option<BigUint>> {
        Ok(self.listed.as_ref().map(|listed| BigUint::from(listed.len())))
    }

    fn support(&self, most: usize, _monitor: &dyn Monitor) -> Result<Option<Support>> {
        Ok(self.listed.as_ref().and_then(|listed| listed.support(most)))
    }

    fn tries(&self) -> u64 {
        if self.listed.is_some() { 1 } else { (1.0 / self.accept) as u64 }
    }

    fn notes(&self, _monitor: &dyn Monitor) -> Result<Vec<String>> {
        let mut notes = vec![format!(
            "accepted where the Mahalanobis distance M is at most {:.6} (chi-squared with {} df at {}); the variance of \
             covariate differences shrinks to {:.1}% of that under complete randomisation",
            self.most,
            self.df,
            self.accept,
            100.0 * variance_factor(self.accept, self.df),
        )];
        if let Some(listed) = &self.listed {
            notes.push(format!(
                "one of the {} accepted of {} possible assignments was drawn",
                listed.len(),
                self.of
            ));
        }
        if !self.even() {
            notes.push(
                "with unequal arms rerandomisation moves units' probabilities away from the ratio: see each unit's \
                 probability"
                    .to_owned(),
            );
        }
        Ok(notes)
    }
}
