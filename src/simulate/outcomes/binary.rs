//! Outcomes of 0 or 1 that members of a cluster share in part. Three ways of sharing, all with the probability of every row
//! and the intracluster correlation `icc` of the outcome as it is observed:
//!
//! * `beta_binomial`: a cluster's probability has a beta distribution. Drawn as an urn: after s of i members with the
//!   outcome, the next has it with probability `(p (1 - icc) + icc s) / (1 - icc + icc i)`. Slightly negative correlations
//!   are possible, as long as these are probabilities: from `-u / (m - 1 - u)` on with `u = min(p, 1 - p)` and m members.
//! * `latent_normal`: the outcome is that a normal score, correlated within clusters, exceeds a threshold. The correlation of
//!   the scores is the one under which control members (of mean probability, where it varies) have correlation `icc`; the
//!   treated keep it.
//! * `shared_draw`: each member takes the cluster's random number with probability `sqrt(icc)`, else one of its own.
//!
//! R. L. Prentice (1986), Binary regression using an extended beta-binomial distribution,
//! <https://doi.org/10.1080/01621459.1986.10478275>; L. J. Emrich and M. R. Piedmonte (1991), A method for generating
//! high-dimensional multivariate binary variates, <https://doi.org/10.1080/00031305.1991.10475828>; A. D. Lunn and S. J.
//! Davies (1998), <https://doi.org/10.1093/biomet/85.2.487>.

use serde::{Deserialize, Serialize};

use super::covariates;
use super::generator::{Baseline, Covariate, Entry, Generator, Groups, Shifts, check_dropout};
use crate::dist::normal_quantile;
use crate::rng::Stream;
use crate::simulate::sharing::shared_uniforms;
use crate::words::words;
use crate::{Fault, Result};

pub(super) const ENTRY: Entry = Entry { name: "binary" };

/// What members of a cluster share.
///
/// ```
/// use crewe::simulate::Sharing;
/// assert_eq!("latent_normal".parse(), Ok(Sharing::LatentNormal));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Sharing {
    /// A probability with a beta distribution.
    #[default]
    BetaBinomial,
    /// Part of a normal score.
    LatentNormal,
    /// A random number, for some of the members.
    SharedDraw,
}

words!(
    Sharing, "way in which members of a cluster share an outcome",
    BetaBinomial => "beta_binomial",
    LatentNormal => "latent_normal",
    SharedDraw => "shared_draw",
);

/// An outcome of 0 or 1.
///
/// ```
/// use crewe::simulate::Binary;
/// let closed = Binary { baseline: 0.226, effect: 0.112, icc: 0.36, ..Binary::default() };
/// assert_eq!(closed.sharing.name(), "beta_binomial");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Binary {
    /// The control arm's probability.
    pub baseline: f64,
    /// The treated arm's probability less the control arm's, the same for every row.
    pub effect: f64,
    /// The correlation within clusters of the outcome as it is observed.
    pub icc: f64,
    /// What members of a cluster share.
    pub sharing: Sharing,
    /// The share of members whose outcome is lost, whatever it is.
    pub dropout: f64,
    /// What is drawn with it, and explains shares of the variance of normal scores, between clusters and within.
    pub covariates: Vec<Covariate>,
}

impl Default for Binary {
    fn default() -> Self {
        Self {
            baseline: 0.5,
            effect: 0.0,
            icc: 0.0,
            sharing: Sharing::default(),
            dropout: 0.0,
            covariates: Vec::new(),
        }
    }
}

impl Binary {
    /// Draws the rows one after the other, and tells each with its unit and place.
    fn each(
        &self,
        groups: &Groups<'_>,
        shifts: &Shifts<'_>,
        stream: &mut Stream,
        mut tell: impl FnMut(usize, usize, bool),
    ) {
        match self.sharing {
            Sharing::BetaBinomial => {
                let (icc, free) = (self.icc, 1.0 - self.icc);
                for unit in 0..groups.units() {
                    let (mut place, mut with) = (0.0, 0.0);
                    for row in groups.rows(unit) {
                        let p = groups.baseline.of(row) + shifts.of(unit, row);
                        let uniform = stream.unit();
                        // u < (p (1 - icc) + icc s) / (1 - icc + icc i) without the division, which is 0/0 at a correlation
                        // of 1 before anybody was drawn.
                        let drawn = if place == 0.0 {
                            uniform < p
                        } else {
                            uniform * (free + icc * place) < p * free + icc * with
                        };
                        place += 1.0;
                        with += f64::from(u8::from(drawn));
                        tell(unit, row, drawn);
                    }
                }
            }
            Sharing::LatentNormal => {
                let latent = groups.prepared;
                let (shared, own) = (latent.sqrt(), (1.0 - latent).max(0.0).sqrt());
                // Few rates are different, and a quantile takes longer than all else.
                let mut known: Vec<(f64, f64)> = Vec::new();
                let one = matches!(groups.baseline, Baseline::One(_));
                let mut threshold = |rate: f64| {
                    if let Some((_, found)) = known.iter().find(|(seen, _)| *seen == rate) {
                        return *found;
                    }
                    let found = normal_quantile(rate);
                    if one {
                        known.push((rate, found));
                    }
                    found
                };
                for unit in 0..groups.units() {
                    if groups.rows(unit).is_empty() {
                        continue;
                    }
                    let of_cluster = shared * stream.normal();
                    for row in groups.rows(unit) {
                        let rate = groups.baseline.of(row) + shifts.of(unit, row);
                        tell(unit, row, of_cluster + own * stream.normal() < threshold(rate));
                    }
                }
            }
            Sharing::SharedDraw => {
                let units = groups.units();
                let cluster: Vec<u32> = (0..units)
                    .flat_map(|unit| std::iter::repeat_n(unit as u32, groups.rows(unit).len()))
                    .collect();
                let uniforms = shared_uniforms(stream, &cluster, units, self.icc);
                for (row, (&unit, &uniform)) in cluster.iter().zip(&uniforms).enumerate() {
                    let unit = unit as usize;
                    tell(unit, row, uniform < groups.baseline.of(row) + shifts.of(unit, row));
                }
            }
        }
    }

    /// The least correlation that the outcome can have in clusters of `largest` under this probability.
    fn least(&self, p: f64, largest: usize) -> f64 {
        // Rates that are differences of others may be off by a rounding.
        let rare = p.min(1.0 - p).max(0.0);
        let others = largest as f64 - 1.0;
        match self.sharing {
            Sharing::BetaBinomial if others > rare => -rare / (others - rare),
            Sharing::BetaBinomial => -1.0,
            Sharing::LatentNormal | Sharing::SharedDraw => 0.0,
        }
    }
}

impl Generator for Binary {
    fn entry(&self) -> Entry {
        ENTRY
    }

    fn text(&self) -> String {
        let shared = match self.sharing {
            Sharing::BetaBinomial => "the probability has a beta distribution over clusters",
            Sharing::LatentNormal => "a normal score exceeds a threshold",
            Sharing::SharedDraw => "members share the cluster's random number with probability sqrt(ICC)",
        };
        format!("outcomes of 0 or 1 with correlation {} within clusters as observed: {shared}", self.icc)
    }

    fn baseline(&self) -> f64 {
        self.baseline
    }

    fn effect(&self) -> f64 {
        self.effect
    }

    fn bounds(&self, groups: &Groups<'_>) -> (f64, f64) {
        let n = groups.starts[groups.units()] as usize;
        let (low, high) = (0..n)
            .map(|row| groups.baseline.of(row))
            .fold((1.0_f64, 0.0_f64), |(low, high), p| (low.min(p), high.max(p)));
        (-low, 1.0 - high)
    }

    /// The correlation of the normal scores.
    fn prepared(&self, groups: &Groups<'_>) -> f64 {
        let typical = match groups.baseline {
            Baseline::One(p) => p,
            Baseline::Each(p) => p.iter().sum::<f64>() / p.len() as f64,
        };
        if self.sharing == Sharing::LatentNormal { latent_correlation(typical, self.icc) } else { 0.0 }
    }

    fn check(&self, groups: &Groups<'_>, effect: f64, order: &[u32]) -> Result<()> {
        check_dropout(self.dropout)?;
        covariates::check(&self.covariates, self.icc)?;
        if !self.covariates.is_empty() && self.sharing != Sharing::LatentNormal {
            return Err(Fault::new(
                "covariates of an outcome of 0 or 1 explain shares of the variance of a normal score",
            )
            .values([self.sharing.name()])
            .remedy("Choose sharing latent_normal")
            .input());
        }
        let n = groups.starts[groups.units()] as usize;
        let given = |rows: &[usize]| -> Vec<usize> {
            rows.iter().filter_map(|&row| order.get(row).map(|&row| row as usize)).collect()
        };
        let inside = |p: f64| (0.0..=1.0).contains(&p);
        let wrong: Vec<usize> = (0..n).filter(|&row| !inside(groups.baseline.of(row))).collect();
        if let Some(&first) = wrong.first() {
            return Err(Fault::new("the baseline of an outcome of 0 or 1 is a probability")
                .rows(given(&wrong))
                .values(order.is_empty().then(|| groups.baseline.of(first).to_string()))
                .remedy("Give the control arm's rate, from 0 to 1")
                .input());
        }
        let outside: Vec<usize> = (0..n).filter(|&row| !inside(groups.baseline.of(row) + effect)).collect();
        if !outside.is_empty() {
            let (low, high) = self.bounds(groups);
            return Err(Fault::new(format!("an effect of {effect} takes probabilities outside 0 to 1"))
                .rows(given(&outside))
                .values([effect.to_string()])
                .remedy(format!("Give an effect from {low:.4} to {high:.4}, as a difference of proportions"))
                .input());
        }
        let largest = groups.largest();
        let (low, high) = self.bounds(groups);
        let rates = [-low, 1.0 - high, -low + effect, 1.0 - high + effect];
        let least = rates.iter().map(|&p| self.least(p, largest)).fold(-1.0, f64::max);
        // Rates that are differences of others are off by a rounding.
        if !(self.icc >= least - 1e-12 && self.icc <= 1.0) {
            return Err(Fault::new(format!(
                "the outcome can have no intracluster correlation of {} in clusters of {largest} at these rates",
                self.icc
            ))
            .values([self.icc.to_string()])
            .remedy(format!("Give one from {least:.4} to 1"))
            .input());
        }
        let varies = |unit: usize| {
            let rows = groups.rows(unit);
            let first = rows.start;
            rows.into_iter().any(|row| groups.baseline.of(row) != groups.baseline.of(first))
        };
        if self.sharing == Sharing::BetaBinomial && self.icc != 0.0 {
            let clusters: Vec<usize> = (0..groups.units()).filter(|&unit| varies(unit)).collect();
            if !clusters.is_empty() {
                let rows: Vec<usize> = clusters.iter().flat_map(|&unit| groups.rows(unit)).collect();
                return Err(Fault::new(
                    "members of one cluster have different baselines, which a beta-binomial outcome cannot have",
                )
                .rows(given(&rows))
                .remedy("Choose sharing latent_normal or shared_draw, or give each cluster one baseline")
                .input());
            }
        }
        Ok(())
    }

    fn dropout(&self) -> f64 {
        self.dropout
    }

    fn one_effect(&self) -> bool {
        self.sharing == Sharing::BetaBinomial && self.icc != 0.0
    }

    fn covariates(&self) -> &[Covariate] {
        &self.covariates
    }

    fn rows_beside(
        &self,
        groups: &Groups<'_>,
        shifts: &Shifts<'_>,
        stream: &mut Stream,
        y: &mut [f64],
        beside: &mut [Vec<f64>],
    ) {
        covariates::scores(
            groups,
            (groups.prepared, &self.covariates),
            stream,
            beside,
            |unit, row, score| {
                // The outcome comes with large scores, so that covariates speak for it.
                let rate = groups.baseline.of(row) + shifts.of(unit, row);
                y[row] = f64::from(u8::from(-score < normal_quantile(rate)));
            },
        );
    }

    fn rows(&self, groups: &Groups<'_>, shifts: &Shifts<'_>, stream: &mut Stream, y: &mut [f64]) {
        self.each(groups, shifts, stream, |_, row, drawn| y[row] = f64::from(u8::from(drawn)));
    }

    fn totals(&self, groups: &Groups<'_>, shifts: &Shifts<'_>, stream: &mut Stream, totals: &mut [f64]) {
        totals.fill(0.0);
        self.each(groups, shifts, stream, |unit, _, drawn| {
            totals[unit] += f64::from(u8::from(drawn));
        });
    }
}

/// The correlation of normal scores under which their being below the p-quantile has correlation `icc`.
///
/// `P(both below h) = p^2 + 1/(2 pi) * integral of exp(-h^2 / (1 + sin t)) over t from 0 to asin r`, by Simpson's rule; the
/// root by bisection, since it grows with r.
pub(super) fn latent_correlation(p: f64, icc: f64) -> f64 {
    if icc <= 0.0 || icc >= 1.0 || p <= 0.0 || p >= 1.0 {
        return icc.clamp(0.0, 1.0);
    }
    let h = normal_quantile(p);
    let observed = |r: f64| {
        let (parts, end) = (200, libm::asin(r));
        let step = end / f64::from(parts);
        let value = |i: i32| libm::exp(-h * h / (1.0 + libm::sin(f64::from(i) * step)));
        let inner: f64 = (1..parts).map(|i| if i % 2 == 1 { 4.0 * value(i) } else { 2.0 * value(i) }).sum();
        (value(0) + inner + value(parts)) * step / 3.0 / std::f64::consts::TAU / (p * (1.0 - p))
    };
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if observed(middle) < icc { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    const ALL: [Sharing; 3] = [Sharing::BetaBinomial, Sharing::LatentNormal, Sharing::SharedDraw];

    #[test]
    fn rates_and_correlations_are_those_asked_for() {
        let starts = [0, 4];
        for sharing in ALL {
            for icc in [0.0, 0.36, 1.0] {
                let closed = Binary { icc, sharing, ..Binary::default() };
                let mut groups = Groups { starts: &starts, baseline: Baseline::One(0.226), prepared: 0.0 };
                groups.prepared = closed.prepared(&groups);
                let stream = Stream::new::<&str>(&Seed::Integer(1), "test", &[], 0);
                let (mut rate, mut together, mut y) = (0.0, 0.0, [0.0; 4]);
                let sims = 40_000;
                for i in 0..sims {
                    closed.rows(
                        &groups,
                        &Shifts { dose: &[0.0], effect: 0.0, share: None },
                        &mut stream.at(i),
                        &mut y,
                    );
                    rate += y[3] / sims as f64;
                    together += y[1] * y[3] / sims as f64;
                }
                let p = 0.226;
                let found = (together - p * p) / (p * (1.0 - p));
                assert!(
                    (rate - p).abs() < 0.009 && (found - icc).abs() < 0.03,
                    "{sharing} {icc}: {rate} {found}"
                );
            }
        }
    }

    /// An observed correlation of .36 at a rate of 22.6% is one of .5550 on the scale of normal scores; at a rate of one
    /// half `icc = 2 asin(r) / pi`.
    #[test]
    fn latent_correlations() {
        let r = latent_correlation(0.5, 0.36);
        assert!((r - (0.36 * std::f64::consts::FRAC_PI_2).sin()).abs() < 1e-9, "{r}");
        assert_eq!([latent_correlation(0.3, 0.0), latent_correlation(0.3, 1.0)], [0.0, 1.0]);
    }

    /// Alone in its cluster a member may have any correlation, and a rate that rounding takes below 0.
    #[test]
    fn clusters_of_one_at_a_rate_of_nought() {
        let starts = [0, 1];
        let groups = Groups { starts: &starts, baseline: Baseline::One(0.1), prepared: 0.0 };
        let rare = Binary { baseline: 0.1, ..Binary::default() };
        assert_eq!(rare.least(-2.8e-17, 1), -1.0);
        assert!(rare.check(&groups, -0.1, &[]).is_ok());
    }

    /// The extended beta-binomial: just above its bound the urn gives probabilities, below it is refused.
    #[test]
    fn negative_correlations_down_to_the_bound() {
        let starts = [0, 3];
        let groups = Groups { starts: &starts, baseline: Baseline::One(0.2), prepared: 0.0 };
        let least = -0.2 / 1.8;
        let closed = Binary { baseline: 0.2, icc: least, ..Binary::default() };
        assert!(closed.check(&groups, 0.0, &[]).is_ok());
        assert!(Binary { icc: least - 1e-6, ..closed.clone() }.check(&groups, 0.0, &[]).is_err());
        assert!(Binary { sharing: Sharing::SharedDraw, ..closed.clone() }.check(&groups, 0.0, &[]).is_err());
        let stream = Stream::new::<&str>(&Seed::Integer(1), "test", &[], 0);
        let (mut rate, mut together, mut y) = (0.0, 0.0, [0.0; 3]);
        for i in 0..40_000 {
            closed.rows(
                &groups,
                &Shifts { dose: &[0.0], effect: 0.0, share: None },
                &mut stream.at(i),
                &mut y,
            );
            rate += y[2] / 40_000.0;
            together += y[0] * y[2] / 40_000.0;
        }
        assert!(
            (rate - 0.2).abs() < 0.009 && ((together - 0.04) / 0.16 - least).abs() < 0.03,
            "{rate} {together}"
        );
    }
}
