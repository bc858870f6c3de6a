//! Arms compared by cost and effect, over what an effect is worth.
//!
//! With cost C and effect E of an arm and a willingness k to pay for an effect, the net benefit is `k E - C`. The arm with
//! the highest mean is the choice; the share of draws in which an arm is best, over k, is its acceptability curve
//! (B. A. van Hout and others 1994, doi:10.1002/hec.4730030505). The incremental cost-effectiveness ratio is
//! the mean difference in cost over the mean difference in effect, never a mean of ratios. The expected value of perfect
//! information is `E[max over arms] - max over arms of E` (K. Claxton 1999, doi:10.1016/S0167-6296(98)00039-3).

use rayon::prelude::*;

use super::draws::{Draws, Spread, Tornado};
use crate::inference::check_level;
use crate::progress::{go_on, watcher};
use crate::{Fault, Result};

/// Which lines are the cost and the effect of each arm, the reference first.
///
/// ```
/// use crewe::instruments::cost::Arms;
/// let arms = Arms::new().arm("usual", &["cost_usual"], &[], &["closed_usual"]);
/// assert_eq!(arms.labels(), ["usual"]);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Arms {
    labels: Vec<String>,
    costs: Vec<Vec<String>>,
    savings: Vec<Vec<String>>,
    effects: Vec<Vec<String>>,
}

impl Arms {
    /// No arms yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an arm with the lines that are its costs, its savings and its effects.
    #[must_use]
    pub fn arm<S: AsRef<str>>(mut self, label: &str, costs: &[S], savings: &[S], effects: &[S]) -> Self {
        let owned = |names: &[S]| names.iter().map(|name| name.as_ref().to_owned()).collect();
        self.labels.push(label.to_owned());
        self.costs.push(owned(costs));
        self.savings.push(owned(savings));
        self.effects.push(owned(effects));
        self
    }

    /// What the arms are called.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }
}

/// An arm compared with the reference.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Compared {
    /// The mean difference in cost, and its interval.
    pub cost: [f64; 3],
    /// The mean difference in effect, and its interval.
    pub effect: [f64; 3],
    /// The first over the second; NaN where the mean effects do not differ.
    pub icer: f64,
    /// Shares of draws: dearer and better, dearer and not better, cheaper and not better, cheaper and better.
    pub quadrants: [f64; 4],
}

/// What follows at one willingness to pay.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Choice {
    /// What an effect is worth.
    pub willingness: f64,
    /// The mean net benefit of each arm.
    pub net_benefit: Vec<f64>,
    /// The share of draws in which each arm is best; arms that are equal share.
    pub probability: Vec<f64>,
    /// The net benefit of each arm but the first less the first's: mean and interval.
    pub incremental: Vec<[f64; 3]>,
    /// The expected value of perfect information, a case.
    pub evpi: f64,
    /// Its Monte Carlo standard error.
    pub evpi_se: f64,
}

/// Arms compared.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Decision {
    /// The mean cost of each arm, less its savings.
    pub cost: Vec<f64>,
    /// The mean effect of each arm.
    pub effect: Vec<f64>,
    /// Each arm but the first, against the first.
    pub compared: Vec<Compared>,
    /// What follows at each willingness to pay.
    pub choices: Vec<Choice>,
}

/// Cost and effect of each arm over the draws.
struct Columns {
    cost: Vec<Vec<f64>>,
    effect: Vec<Vec<f64>>,
}

/// A mean difference that is this small beside its terms is none.
const NOTHING: f64 = 1e-13;

impl Draws {
    /// Compares arms with the first, at each willingness to pay.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for fewer than two arms, an arm without cost or effect, names that are none, and a
    /// willingness to pay that is negative or no number.
    ///
    /// ```
    /// use crewe::instruments::cost::{Arms, Quantity, Uncertainty, simulate};
    /// let rate = |name: &str, events: f64| {
    ///     Quantity::new(name, events / 80.0).uncertain(Uncertainty::Rate { events, of: 80.0, scale: 1.0 })
    /// };
    /// let inputs = [rate("new", 60.0), rate("old", 50.0), Quantity::new("dear", 900.0), Quantity::new("cheap", 500.0)];
    /// let draws = simulate(&inputs, &[], &[], 20_000, &1.into())?;
    /// let arms = Arms::new().arm("old", &["cheap"], &[], &["old"]).arm("new", &["dear"], &[], &["new"]);
    /// let found = draws.decide(&arms, &[0.0, 10_000.0], 0.95)?;
    /// assert!((found.compared[0].icer - 3_240.0).abs() < 100.0); // 400 over the means of the two rates
    /// assert_eq!(found.choices[0].probability, [1.0, 0.0]);
    /// # Ok::<(), crewe::Error>(())
    /// ```
    pub fn decide(&self, arms: &Arms, willingness: &[f64], level: f64) -> Result<Decision> {
        check_level(level)?;
        check_willingness(willingness)?;
        let columns = self.arms(arms)?;
        let compared = (1..arms.labels.len()).map(|arm| columns.compared(arm, level)).collect();
        let monitor = watcher();
        let choices = willingness
            .par_iter()
            .map(|&k| {
                go_on(&monitor)?;
                Ok(columns.choice(k, level))
            })
            .collect::<Result<_>>()?;
        let means = |columns: &[Vec<f64>]| columns.iter().map(|column| mean(column)).collect();
        Ok(Decision { cost: means(&columns.cost), effect: means(&columns.effect), compared, choices })
    }

    /// The differences in cost and in effect of an arm (1, 2, ...) from the first, over the draws.
    ///
    /// # Errors
    /// As [`Draws::decide`], and for an arm that is none.
    pub fn increments(&self, arms: &Arms, arm: usize) -> Result<[Vec<f64>; 2]> {
        let columns = self.arms(arms)?;
        if arm == 0 || arm >= arms.labels.len() {
            return Err(Fault::new(format!("there is no arm {arm} to compare"))
                .remedy("The first arm is the reference, and is number 0")
                .input());
        }
        Ok([difference(&columns.cost, arm), difference(&columns.effect, arm)])
    }

    /// What each uncertain input does by itself to the net benefit of an arm less the first's.
    ///
    /// # Errors
    /// As [`Draws::increments`] and [`Draws::tornado`].
    pub fn net_benefit_tornado(
        &self,
        arms: &Arms,
        arm: usize,
        willingness: f64,
        level: f64,
    ) -> Result<Tornado> {
        check_willingness(&[willingness])?;
        self.increments(arms, arm)?;
        let places =
            |names: &[String]| -> Result<Vec<usize>> { names.iter().map(|name| self.place(name)).collect() };
        let mut terms: Vec<(usize, f64)> = Vec::new();
        for (which, sign) in [(arm, 1.0), (0, -1.0)] {
            let mut add = |names: &[String], by: f64| -> Result<()> {
                terms.extend(places(names)?.into_iter().map(|place| (place, sign * by)));
                Ok(())
            };
            add(&arms.costs[which], -1.0)?;
            add(&arms.savings[which], 1.0)?;
            add(&arms.effects[which], willingness)?;
        }
        self.swings(&|values| terms.iter().map(|&(place, by)| by * values[place]).sum(), level)
    }

    fn arms(&self, arms: &Arms) -> Result<Columns> {
        if arms.labels.len() < 2 {
            return Err(Fault::new("a comparison needs two arms")
                .values(arms.labels.clone())
                .remedy("Name the lines of both, the reference first")
                .input());
        }
        for (label, (costs, effects)) in arms.labels.iter().zip(arms.costs.iter().zip(&arms.effects)) {
            if costs.is_empty() || effects.is_empty() {
                return Err(Fault::new(format!("arm '{label}' lacks a cost or an effect"))
                    .remedy("Say which lines are its costs and which its effect")
                    .input());
            }
        }
        let sum = |parts: [(&[String], f64); 2]| -> Result<Vec<f64>> {
            let mut column = vec![0.0; self.len()];
            for (names, sign) in parts {
                names.iter().try_for_each(|name| self.add(name, sign, &mut column))?;
            }
            Ok(column)
        };
        let each = 0..arms.labels.len();
        Ok(Columns {
            cost: each
                .clone()
                .map(|j| sum([(&arms.costs[j], 1.0), (&arms.savings[j], -1.0)]))
                .collect::<Result<_>>()?,
            effect: each.map(|j| sum([(&arms.effects[j], 1.0), (&[], 0.0)])).collect::<Result<_>>()?,
        })
    }
}

fn check_willingness(willingness: &[f64]) -> Result<()> {
    let Some(bad) = willingness.iter().find(|k| !(k.is_finite() && **k >= 0.0)) else { return Ok(()) };
    Err(Fault::new("a willingness to pay is 0 or more")
        .values([bad.to_string()])
        .remedy("Give what one more effect is worth, in the money of the costs")
        .input())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn difference(columns: &[Vec<f64>], arm: usize) -> Vec<f64> {
    columns[arm].iter().zip(&columns[0]).map(|(a, b)| a - b).collect()
}

fn three(values: Vec<f64>, level: f64) -> [f64; 3] {
    let spread = Spread::of(values, level);
    [spread.mean, spread.low, spread.high]
}

impl Columns {
    fn compared(&self, arm: usize, level: f64) -> Compared {
        let (costs, effects) = (difference(&self.cost, arm), difference(&self.effect, arm));
        let n = costs.len() as f64;
        let share = |inside: fn(f64, f64) -> bool| {
            costs.iter().zip(&effects).filter(|(cost, effect)| inside(**cost, **effect)).count() as f64 / n
        };
        let quadrants = [
            share(|cost, effect| cost > 0.0 && effect > 0.0),
            share(|cost, effect| cost > 0.0 && effect <= 0.0),
            share(|cost, effect| cost <= 0.0 && effect <= 0.0),
            share(|cost, effect| cost <= 0.0 && effect > 0.0),
        ];
        let size = mean(&self.effect[arm]).abs() + mean(&self.effect[0]).abs();
        let (cost, effect) = (three(costs, level), three(effects, level));
        let icer = if effect[0].abs() <= NOTHING * size { f64::NAN } else { cost[0] / effect[0] };
        Compared { cost, effect, icer, quadrants }
    }

    fn choice(&self, k: f64, level: f64) -> Choice {
        let arms = self.cost.len();
        let n = self.cost[0].len();
        let net: Vec<Vec<f64>> = (0..arms)
            .map(|j| {
                self.effect[j].iter().zip(&self.cost[j]).map(|(effect, cost)| k * effect - cost).collect()
            })
            .collect();
        let net_benefit: Vec<f64> = net.iter().map(|column| mean(column)).collect();
        let chosen = (0..arms).fold(0, |best, j| if net_benefit[j] > net_benefit[best] { j } else { best });
        let mut wins = vec![0.0; arms];
        let (mut sum, mut squares) = (0.0, 0.0);
        for i in 0..n {
            let best = net.iter().map(|column| column[i]).fold(f64::NEG_INFINITY, f64::max);
            let ties = net.iter().filter(|column| column[i] == best).count() as f64;
            for (wins, column) in wins.iter_mut().zip(&net) {
                if column[i] == best {
                    *wins += 1.0 / ties;
                }
            }
            let loss = best - net[chosen][i];
            sum += loss;
            squares += loss * loss;
        }
        let count = n as f64;
        let evpi = sum / count;
        let spread = ((squares / count - evpi * evpi).max(0.0) / (count - 1.0)).sqrt();
        Choice {
            willingness: k,
            probability: wins.iter().map(|wins| wins / count).collect(),
            incremental: (1..arms).map(|arm| three(difference(&net, arm), level)).collect(),
            net_benefit,
            evpi,
            evpi_se: spread,
        }
    }
}
