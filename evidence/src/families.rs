//! Families of one to nine children, randomised by crewe's own design, and outcomes that siblings share.

use std::sync::LazyLock;

use crewe::Result;
use crewe::design::{Assignment, Column, Design, Units};
use crewe::inference::Clusters;
use crewe::progress::NoMonitor;
use crewe::rng::{Seed, Stream};
use crewe::simulate::Sizes as Weighted;
use crewe::simulate::sharing::{copula_uniforms, shared_uniforms};
use ndarray::{Array1, Array2};

use crate::{Cell, Run};

/// The numbers of families of the grid.
pub const FAMILIES: [usize; 6] = [10, 20, 40, 80, 132, 200];
/// The intra-family correlations of the grid.
pub const ICC: [f64; 4] = [0.0, 0.1, 0.36, 1.0];
/// The share of families with a history of support, a covariate of the family.
const HISTORY: f64 = 0.4;

/// Allocation of control and treated families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    /// One to one.
    Equal,
    /// Two treated families for each control.
    TwoToOne,
    /// Five treated families for each control.
    FiveToOne,
}

impl Allocation {
    /// Those of the whole grid.
    pub const BOTH: [Self; 2] = [Self::Equal, Self::TwoToOne];

    /// Its name, treated to control.
    pub fn name(self) -> &'static str {
        match self {
            Self::Equal => "1:1",
            Self::TwoToOne => "2:1",
            Self::FiveToOne => "5:1",
        }
    }

    /// The shares of control and treated.
    pub fn ratio(self) -> [u32; 2] {
        match self {
            Self::Equal => [1, 1],
            Self::TwoToOne => [1, 2],
            Self::FiveToOne => [1, 5],
        }
    }
}

/// How many children families have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sizes {
    /// One to nine with mean 2.47, as 326 siblings of 132 families.
    Crewe,
    /// One to nine, each as often as the others.
    Uniform,
    /// The same for all.
    Equal(usize),
}

/// Thousandths of families with 1 to 9 children; the mean is 2.470.
const THOUSANDTHS: [u64; 9] = [336, 281, 181, 91, 51, 30, 15, 10, 5];

/// Families with these sizes.
static CREWE: LazyLock<Weighted> =
    LazyLock::new(|| Weighted::new((1..).zip(THOUSANDTHS)).expect("sizes from 1 on, with weights"));

impl Sizes {
    /// The number of children of one family.
    pub fn draw(self, stream: &mut Stream) -> usize {
        match self {
            Self::Equal(size) => size,
            Self::Uniform => 1 + stream.below(9) as usize,
            Self::Crewe => CREWE.draw(stream) as usize,
        }
    }
}

/// The arms of every replicate of a cell, drawn by the design.
pub struct Randomised {
    /// The design that drew them.
    pub design: Design,
    /// The families, or other units, as the design knows them.
    pub units: Units,
    draws: Array2<u8>,
}

impl Randomised {
    /// Complete randomisation of `units` in the ratio control to treated, within `strata` of the units if given.
    ///
    /// # Errors
    /// As crewe's own design.
    pub fn new(
        run: &Run,
        topic: &str,
        cell: &Cell,
        sims: u64,
        units: usize,
        ratio: [u32; 2],
        strata: Option<&[usize]>,
    ) -> Result<Self> {
        let seed = Seed::Integer(run.stream(topic, "randomise", cell).next_u64());
        let mut design =
            Design::new("Evidence").arm("control", ratio[0]).arm("treated", ratio[1]).cluster("family");
        let ids = Column::from_values("family", (0..units).map(|i| format!("{i:05}")));
        let mut columns = Vec::new();
        if let Some(strata) = strata {
            design = design.strata(["set"]);
            columns.push(Column::from_values("set", strata.iter().map(|s| format!("{s:05}"))));
        }
        let units = Units::from_rows(design.unit()?, &ids, &columns)?;
        let draws = design.draws(&units, sims as usize, Some(&seed), &NoMonitor)?;
        Ok(Self { design, units, draws })
    }

    /// Whether each unit is treated (1) or control (0) in replicate `i`.
    pub fn arms(&self, i: u64) -> Vec<f64> {
        self.units.rows().iter().map(|&unit| f64::from(self.draws[[i as usize, unit as usize]])).collect()
    }

    /// Replicate `i` as a trial that can be drawn again.
    ///
    /// # Errors
    /// As [`Assignment::from_parts`].
    pub fn assignment(&self, i: u64) -> Result<Assignment> {
        let arm = self.draws.row(i as usize).to_vec();
        Assignment::from_parts(&self.units, self.design.arm_names(), arm, Array2::zeros((0, 0)))
    }
}

/// The children of one simulated trial.
pub struct Children {
    /// The family of each child.
    pub family: Vec<u32>,
    /// The same as clusters.
    pub clusters: Clusters,
    /// Arm, history (of the family) and age (standardised, of the child; half of its variance is the family's);
    /// children x 3.
    pub x: Array2<f64>,
    /// Families.
    pub families: usize,
}

impl Children {
    /// The families' sizes and covariates.
    ///
    /// # Errors
    /// None in practice: there is always a child.
    pub fn draw(stream: &mut Stream, arms: &[f64], sizes: Sizes) -> Result<Self> {
        let half = 0.5_f64.sqrt();
        let (mut family, mut values) = (Vec::new(), Vec::new());
        for (g, &arm) in arms.iter().enumerate() {
            let history = f64::from(stream.unit() < HISTORY);
            let shared = stream.normal();
            for _ in 0..sizes.draw(stream) {
                family.push(g as u32);
                values.extend([arm, history, half * (shared + stream.normal())]);
            }
        }
        let clusters = Clusters::new(&family)?;
        let mut x = Array2::zeros((family.len(), 3));
        x.iter_mut().zip(values).for_each(|(to, value)| *to = value);
        Ok(Self { family, clusters, x, families: arms.len() })
    }

    /// Children.
    pub fn n(&self) -> usize {
        self.family.len()
    }

    /// A uniform number for each child. With probability sqrt(icc) it is the family's, else the child's own, so
    /// outcomes that are this number below a probability have exactly that probability, and correlation `icc` between
    /// siblings of equal probability. A. D. Lunn and S. J. Davies (1998), doi:10.1093/biomet/85.2.487.
    pub fn shared_uniforms(&self, stream: &mut Stream, icc: f64) -> Vec<f64> {
        shared_uniforms(stream, &self.family, self.families, icc)
    }

    /// A uniform number for each child whose normal score has correlation `icc` between siblings (Gaussian copula).
    pub fn copula_uniforms(&self, stream: &mut Stream, icc: f64) -> Vec<f64> {
        copula_uniforms(stream, &self.family, self.families, icc)
    }
}

/// A binary outcome with known probabilities, logit p = intercept + effect arm + .5 history + .3 age.
#[derive(Debug, Clone, Copy)]
pub struct Binary {
    /// The intercept.
    pub intercept: f64,
    /// The true log odds ratio of the arm, given history and age.
    pub log_odds: f64,
    /// The true difference between the arms' shares.
    pub difference: f64,
}

impl Binary {
    /// The model in which control families have the share `base` and treated ones `base + difference`.
    pub fn new(base: f64, difference: f64) -> Self {
        let intercept = solve(|a| average(a) - base);
        let log_odds =
            if difference == 0.0 { 0.0 } else { solve(|b| average(intercept + b) - base - difference) };
        Self { intercept, log_odds, difference }
    }

    /// The probability of a child with this row of x.
    pub fn probability(&self, arm: f64, history: f64, age: f64) -> f64 {
        inverse_logit(self.intercept + self.log_odds * arm + 0.5 * history + 0.3 * age)
    }

    /// Outcomes, 0 or 1.
    pub fn draw(&self, children: &Children, uniforms: &[f64]) -> Array1<f64> {
        Array1::from_shape_fn(children.n(), |i| {
            let row = children.x.row(i);
            f64::from(uniforms[i] < self.probability(row[0], row[1], row[2]))
        })
    }
}

/// `1 / (1 + exp(-eta))`.
pub fn inverse_logit(eta: f64) -> f64 {
    1.0 / (1.0 + (-eta).exp())
}

/// The mean probability over history and age at an intercept.
fn average(intercept: f64) -> f64 {
    over_covariates(|history, age| inverse_logit(intercept + 0.5 * history + 0.3 * age))
}

/// The mean of a function of history and age over children, by the trapezoid rule (exact to rounding here).
pub fn over_covariates(f: impl Fn(f64, f64) -> f64) -> f64 {
    let step = 0.05;
    let mut sum = 0.0;
    for i in -200..=200 {
        let age = f64::from(i) * step;
        let mass = step * (-0.5 * age * age).exp() / std::f64::consts::TAU.sqrt();
        sum += mass * ((1.0 - HISTORY) * f(0.0, age) + HISTORY * f(1.0, age));
    }
    sum
}

/// The root of an increasing function between -30 and 30.
fn solve(f: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (-30.0, 30.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if f(middle) > 0.0 { high = middle } else { low = middle }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_mean_that_is_claimed() {
        assert_eq!(THOUSANDTHS.iter().sum::<u64>(), 1000);
        assert_eq!((1..).zip(&THOUSANDTHS).map(|(size, share)| size * share).sum::<u64>(), 2470);
    }

    #[test]
    fn shares_and_correlations_are_those_asked_for() {
        let model = Binary::new(0.226, 0.18);
        let mut stream = Stream::new::<&str>(&Seed::Integer(1), "test", &[], 0);
        let arms = vec![1.0; 40_000];
        let children = Children::draw(&mut stream, &arms, Sizes::Equal(2)).unwrap();
        let uniforms = children.shared_uniforms(&mut stream, 0.36);
        let y = model.draw(&children, &uniforms);
        let mean = y.mean().unwrap();
        assert!((mean - 0.406).abs() < 0.008, "{mean}");
        let below: Vec<f64> = uniforms.iter().map(|u| f64::from(*u < 0.3) - 0.3).collect();
        let together: f64 = below.chunks(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / 40_000.0;
        assert!((together / 0.21 - 0.36).abs() < 0.02, "{together}");
    }
}
