//! What the draws of inputs and lines say: means, spreads and intervals, and what each input does by itself.

use rayon::prelude::*;

use super::program::{Program, undefined};
use crate::inference::check_level;
use crate::{Fault, Result};

/// All inputs and lines over the draws.
#[derive(Debug, Clone)]
pub struct Draws {
    pub(super) names: Vec<String>,
    /// The values at the estimates.
    pub(super) base: Vec<f64>,
    /// The draws of each; none where it does not vary.
    pub(super) columns: Vec<Option<Vec<f64>>>,
    /// The inputs that vary by themselves.
    pub(super) sources: Vec<usize>,
    pub(super) programs: Vec<Program>,
    pub(super) draws: usize,
}

/// What the draws of an input or a line say.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// At the estimates.
    pub base: f64,
    /// The mean of the draws.
    pub mean: f64,
    /// Their standard deviation.
    pub std_error: f64,
    /// The lower end of the central interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// What one input does by itself, from one end of its interval to the other, all others at their estimates.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Swing {
    /// The input.
    pub name: String,
    /// The ends of its interval.
    pub ends: [f64; 2],
    /// The result at these.
    pub results: [f64; 2],
}

/// What each uncertain input does to a result by itself.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Tornado {
    /// The result at the estimates.
    pub base: f64,
    /// The inputs that move it, the largest swing first.
    pub swings: Vec<Swing>,
}

impl Draws {
    /// The names of inputs and lines, in the order given.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many draws there are.
    pub fn len(&self) -> usize {
        self.draws
    }

    /// Whether there are none; there always are.
    pub fn is_empty(&self) -> bool {
        self.draws == 0
    }

    /// Where a name stands.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for a name that is none.
    pub(super) fn place(&self, name: &str) -> Result<usize> {
        self.names.iter().position(|other| other == name).ok_or_else(|| {
            Fault::new(format!("there is no '{name}' in this analysis"))
                .remedy(format!("There are {}", self.names.join(", ")))
                .input()
        })
    }

    /// The draws of an input or a line.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for a name that is none.
    pub fn column(&self, name: &str) -> Result<Vec<f64>> {
        let place = self.place(name)?;
        Ok(self.columns[place].clone().unwrap_or_else(|| vec![self.base[place]; self.draws]))
    }

    /// Adds `sign` times the draws of a name.
    pub(super) fn add(&self, name: &str, sign: f64, into: &mut [f64]) -> Result<()> {
        let place = self.place(name)?;
        match &self.columns[place] {
            Some(values) => into.iter_mut().zip(values).for_each(|(into, value)| *into += sign * value),
            None => into.iter_mut().for_each(|into| *into += sign * self.base[place]),
        }
        Ok(())
    }

    /// What the draws of an input or a line say, with the central interval of the level.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for a name that is none or a level that is none.
    pub fn summary(&self, name: &str, level: f64) -> Result<Summary> {
        check_level(level)?;
        Ok(self.summary_at(self.place(name)?, level))
    }

    /// The same of all names.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for a level that is none.
    pub fn summaries(&self, level: f64) -> Result<Vec<Summary>> {
        check_level(level)?;
        Ok((0..self.names.len()).into_par_iter().map(|place| self.summary_at(place, level)).collect())
    }

    fn summary_at(&self, place: usize, level: f64) -> Summary {
        let base = self.base[place];
        let Some(values) = &self.columns[place] else {
            return Summary { base, mean: base, std_error: 0.0, low: base, high: base };
        };
        let Spread { mean, std_error, low, high } = Spread::of(values.clone(), level);
        Summary { base, mean, std_error, low, high }
    }

    /// What each uncertain input does to a result by itself, the largest swing first.
    ///
    /// `result` works it out from the values of all names at given inputs.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for a level that is none, and where the result is no number at an end.
    pub(super) fn swings(&self, result: &dyn Fn(&[f64]) -> f64, level: f64) -> Result<Tornado> {
        check_level(level)?;
        let mut swings = Vec::with_capacity(self.sources.len());
        for &source in &self.sources {
            let found = self.summary_at(source, level);
            let ends = [found.low, found.high];
            let mut results = [f64::NAN; 2];
            for (end, out) in ends.iter().zip(&mut results) {
                let mut values = self.base.clone();
                values[source] = *end;
                for program in &self.programs {
                    values[program.place] = program.one(&values);
                }
                *out = result(&values);
                if !out.is_finite() {
                    return Err(undefined(&self.names[source], "at an end of its interval"));
                }
            }
            swings.push(Swing { name: self.names[source].clone(), ends, results });
        }
        let width = |swing: &Swing| (swing.results[1] - swing.results[0]).abs();
        // Inputs that the result does not use say nothing.
        swings.retain(|swing| width(swing) > 0.0);
        swings.sort_by(|a, b| width(b).total_cmp(&width(a)));
        Ok(Tornado { base: result(&self.base), swings })
    }

    /// What each uncertain input does to a line by itself.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for a name that is none, a level that is none, and a line that is no number at an end.
    pub fn tornado(&self, line: &str, level: f64) -> Result<Tornado> {
        let place = self.place(line)?;
        self.swings(&|values| values[place], level)
    }

    /// The values at the estimates, in the order of the names.
    pub fn base(&self) -> &[f64] {
        &self.base
    }
}

/// Mean, spread and central interval of draws.
pub(super) struct Spread {
    pub mean: f64,
    pub std_error: f64,
    pub low: f64,
    pub high: f64,
}

impl Spread {
    pub fn of(mut values: Vec<f64>, level: f64) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let low = quantile(&mut values, 0.5 - 0.5 * level);
        let high = quantile(&mut values, 0.5 + 0.5 * level);
        Self { mean, std_error: (squares / (n - 1.0)).sqrt(), low, high }
    }
}

/// A quantile, between the two order statistics next to it; reorders the values.
fn quantile(values: &mut [f64], p: f64) -> f64 {
    let at = p * (values.len() - 1) as f64;
    let (_, &mut low, above) = values.select_nth_unstable_by(at.floor() as usize, f64::total_cmp);
    let high = above.iter().copied().fold(f64::INFINITY, f64::min);
    let part = at - at.floor();
    if part == 0.0 || above.is_empty() { low } else { low + part * (high - low) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_order_statistics() {
        let mut values = vec![4.0, 1.0, 3.0, 2.0];
        assert_eq!([0.0, 0.5, 0.25, 1.0].map(|p| quantile(&mut values, p)), [1.0, 2.5, 1.75, 4.0]);
    }
}
