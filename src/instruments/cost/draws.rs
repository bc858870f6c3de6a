//! Lines over draws of what is uncertain: probabilistic sensitivity analysis.
//!
//! Every source of uncertainty has a stream of random numbers of its own, named by the input or the fit, and draws are made
//! in blocks with numbers: the results are the same on any number of threads, and another uncertain input changes no
//! draw of the others. A block is worked out column by column. `round()` in a formula is left out: a report's rounding
//! is no part of what may happen.

use std::collections::HashMap;

use rayon::prelude::*;

use super::formula::Step;
use super::line::Line;
use super::order::{Ordered, ordered};
use super::quantity::{Joint, Quantity, Uncertainty, beta, gamma};
use crate::inference::check_level;
use crate::progress::{go_on, watcher};
use crate::rng::{Seed, Stream};
use crate::{Fault, Result};

/// Draws in a block.
const BLOCK: usize = 1_000;
/// The fewest draws of which a quantile says anything.
const FEWEST: usize = 100;
/// Numbers that are kept at most, over all columns.
const MOST: usize = 200_000_000;

/// One step of a line, over places of columns.
#[derive(Debug, Clone, Copy)]
enum Op {
    Number(f64),
    Load(usize),
    Negative,
    Binary(char),
}

/// A line made ready: where its result goes, and its steps.
#[derive(Debug, Clone)]
struct Program {
    place: usize,
    steps: Vec<Op>,
}

/// All inputs and lines over the draws.
#[derive(Debug, Clone)]
pub struct Draws {
    names: Vec<String>,
    /// The values at the estimates.
    base: Vec<f64>,
    /// The draws of each; none where it does not vary.
    columns: Vec<Option<Vec<f64>>>,
    /// The inputs that vary by themselves.
    sources: Vec<usize>,
    programs: Vec<Program>,
    draws: usize,
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

/// Draws the inputs and works out the lines.
///
/// # Errors
/// [`crate::Error::Input`] for what [`Quantity::check`] refuses, formulas with a mistake, a line that divides by 0 at the
/// estimates or in a draw, fewer than 100 draws or more than memory holds.
///
/// ```
/// use crewe::instruments::cost::{Line, Quantity, Uncertainty, simulate};
/// let closed = Quantity::new("closed", 0.72).uncertain(Uncertainty::Rate { events: 60.0, of: 83.0, scale: 1.0 });
/// let lines = [Line::new("earnings", "80000 * closed")];
/// let draws = simulate(&[closed], &[], &lines, 10_000, &7.into())?;
/// let found = draws.summary("earnings", 0.95)?;
/// assert!(found.base == 57_600.0 && (found.std_error - 80_000.0 * 0.0486).abs() < 200.0);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn simulate(
    quantities: &[Quantity],
    joints: &[Joint],
    lines: &[Line],
    draws: usize,
    seed: &Seed,
) -> Result<Draws> {
    quantities.iter().try_for_each(Quantity::check)?;
    check_joints(quantities, joints)?;
    let follows: Vec<(usize, Line)> = quantities
        .iter()
        .enumerate()
        .filter_map(|(i, quantity)| match &quantity.uncertainty {
            Uncertainty::Follows(formula) => Some((i, Line::new(&quantity.name, formula))),
            _ => None,
        })
        .collect();
    let (programs, names) = compile(quantities, &follows, lines)?;
    let mut base = vec![f64::NAN; names.len()];
    for (value, quantity) in base.iter_mut().zip(quantities) {
        *value = match &quantity.uncertainty {
            Uncertainty::Joint { joint, weights } => joints[*joint].value(weights),
            _ => quantity.value,
        };
    }
    for program in &programs {
        base[program.place] = program.one(&base);
        if !base[program.place].is_finite() {
            return Err(undefined(&names[program.place], "at the estimates"));
        }
    }
    // A line varies where something that it uses does.
    let mut varies: Vec<bool> = quantities.iter().map(Quantity::drawn).collect();
    let sources = (0..quantities.len()).filter(|&i| varies[i]).collect();
    varies.resize(names.len(), false);
    for program in &programs {
        varies[program.place] = program.uses().any(|place| varies[place]);
    }
    let kept = varies.iter().filter(|varies| **varies).count();
    check_size(draws, kept)?;
    let plan = Plan::new(quantities, joints, &programs, &base, &varies, seed);
    let monitor = watcher();
    let blocks: Vec<Vec<Vec<f64>>> = (0..draws.div_ceil(BLOCK))
        .into_par_iter()
        .map(|block| {
            go_on(&monitor)?;
            plan.block(block as u64, BLOCK.min(draws - block * BLOCK))
                .map_err(|place| undefined(&names[place], "in some draws"))
        })
        .collect::<Result<_>>()?;
    let columns = (0..names.len())
        .into_par_iter()
        .map(|place| varies[place].then(|| blocks.iter().flat_map(|block| &block[place]).copied().collect()))
        .collect();
    Ok(Draws { names, base, columns, sources, programs, draws })
}

fn check_size(draws: usize, kept: usize) -> Result<()> {
    if draws < FEWEST {
        return Err(Fault::new(format!("{draws} draws are too few"))
            .remedy(format!("Ask for at least {FEWEST}; 100,000 take a moment"))
            .input());
    }
    if draws.saturating_mul(kept) > MOST {
        return Err(Fault::new(format!("{draws} draws of {kept} figures are more than memory should hold"))
            .remedy(format!("Ask for at most {}", MOST / kept))
            .input());
    }
    Ok(())
}

fn check_joints(quantities: &[Quantity], joints: &[Joint]) -> Result<()> {
    for quantity in quantities {
        if let Uncertainty::Joint { joint, weights } = &quantity.uncertainty
            && joints.get(*joint).is_none_or(|joint| joint.estimate().len() != weights.len())
        {
            return Err(Fault::new(format!("'{}' has weights that fit no estimates", quantity.name))
                .remedy("Give a weight for each estimate of the fit")
                .input());
        }
    }
    Ok(())
}

fn undefined(name: &str, when: &str) -> crate::Error {
    Fault::new(format!("the line '{name}' divides by 0 {when}"))
        .remedy("Check the inputs under the stroke")
        .input()
}

fn compile(
    quantities: &[Quantity],
    follows: &[(usize, Line)],
    lines: &[Line],
) -> Result<(Vec<Program>, Vec<String>)> {
    let given: Vec<&str> = quantities
        .iter()
        .filter(|quantity| !matches!(quantity.uncertainty, Uncertainty::Follows(_)))
        .map(|quantity| quantity.name.as_str())
        .collect();
    let all: Vec<&Line> = follows.iter().map(|(_, line)| line).chain(lines).collect();
    let Ordered { expressions, order, .. } = ordered(&given, &all)?;
    let names: Vec<String> = quantities
        .iter()
        .map(|quantity| quantity.name.clone())
        .chain(lines.iter().map(|line| line.name.clone()))
        .collect();
    let place: HashMap<&str, usize> = names.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
    let step = |step: &Step| match step {
        Step::Number(number) => Some(Op::Number(number.to_f64())),
        Step::Name(name) => Some(Op::Load(place[name.as_str()])),
        Step::Negative => Some(Op::Negative),
        Step::Round(_) => None,
        Step::Binary(sign) => Some(Op::Binary(*sign)),
    };
    let programs = order.into_iter().map(|i| Program {
        place: place[all[i].name.as_str()],
        steps: expressions[i].0.iter().filter_map(step).collect(),
    });
    Ok((programs.collect(), names))
}

/// A column of a block, or one number for all of it.
enum Value {
    One(f64),
    Many(Vec<f64>),
}

fn of(sign: char, left: f64, right: f64) -> f64 {
    match sign {
        '+' => left + right,
        '-' => left - right,
        '*' => left * right,
        _ => left / right,
    }
}

impl Value {
    fn with(self, sign: char, right: Self) -> Self {
        match (self, right) {
            (Self::One(left), Self::One(right)) => Self::One(of(sign, left, right)),
            (Self::Many(mut left), Self::One(right)) => {
                left.iter_mut().for_each(|left| *left = of(sign, *left, right));
                Self::Many(left)
            }
            (Self::One(left), Self::Many(mut right)) => {
                right.iter_mut().for_each(|right| *right = of(sign, left, *right));
                Self::Many(right)
            }
            (Self::Many(mut left), Self::Many(right)) => {
                left.iter_mut().zip(&right).for_each(|(left, right)| *left = of(sign, *left, *right));
                Self::Many(left)
            }
        }
    }

    fn negative(self) -> Self {
        match self {
            Self::One(value) => Self::One(-value),
            Self::Many(mut values) => {
                values.iter_mut().for_each(|value| *value = -*value);
                Self::Many(values)
            }
        }
    }
}

impl Program {
    fn uses(&self) -> impl Iterator<Item = usize> {
        self.steps.iter().filter_map(|step| match step {
            Op::Load(place) => Some(*place),
            _ => None,
        })
    }

    fn run(&self, load: impl Fn(usize) -> Value) -> Value {
        // The parser writes every operator after its operands.
        fn operand(stack: &mut Vec<Value>) -> Value {
            stack.pop().unwrap_or_else(|| unreachable!("an operator follows its operands"))
        }
        let mut stack = Vec::new();
        for step in &self.steps {
            let value = match *step {
                Op::Number(number) => Value::One(number),
                Op::Load(place) => load(place),
                Op::Negative => operand(&mut stack).negative(),
                Op::Binary(sign) => {
                    let right = operand(&mut stack);
                    operand(&mut stack).with(sign, right)
                }
            };
            stack.push(value);
        }
        operand(&mut stack)
    }

    /// The result from one value of each name.
    fn one(&self, values: &[f64]) -> f64 {
        match self.run(|place| Value::One(values[place])) {
            Value::One(value) => value,
            Value::Many(_) => unreachable!("single values make a single value"),
        }
    }
}

/// What a block needs, made once.
struct Plan<'a> {
    quantities: &'a [Quantity],
    joints: &'a [Joint],
    programs: &'a [Program],
    base: &'a [f64],
    varies: &'a [bool],
    streams: Vec<Option<Stream>>,
    joint_streams: Vec<Stream>,
}

impl<'a> Plan<'a> {
    fn new(
        quantities: &'a [Quantity],
        joints: &'a [Joint],
        programs: &'a [Program],
        base: &'a [f64],
        varies: &'a [bool],
        seed: &Seed,
    ) -> Self {
        let stream = |quantity: &Quantity| {
            let alone = quantity.drawn() && !matches!(quantity.uncertainty, Uncertainty::Joint { .. });
            alone.then(|| Stream::new(seed, "cost", &[&quantity.name], 0))
        };
        Self {
            quantities,
            joints,
            programs,
            base,
            varies,
            streams: quantities.iter().map(stream).collect(),
            joint_streams: joints.iter().map(|joint| joint.stream(seed)).collect(),
        }
    }

    /// The columns of a block; the place of a line that is not finite.
    fn block(&self, block: u64, n: usize) -> std::result::Result<Vec<Vec<f64>>, usize> {
        let mut columns: Vec<Vec<f64>> = vec![Vec::new(); self.base.len()];
        for (joint, stream) in self.joint_streams.iter().enumerate() {
            self.joint(joint, &mut stream.at(block), n, &mut columns);
        }
        for (place, quantity) in self.quantities.iter().enumerate() {
            let Some(stream) = &self.streams[place] else { continue };
            let mut stream = stream.at(block);
            let mut fill = |draw: &mut dyn FnMut(&mut Stream) -> f64| {
                columns[place] = (0..n).map(|_| draw(&mut stream)).collect();
            };
            match quantity.uncertainty {
                Uncertainty::Rate { events, of, scale } => {
                    fill(&mut |stream| scale * beta(stream, events + 0.5, of - events + 0.5));
                }
                Uncertainty::Amount { cv } => {
                    let (shape, scale) = (1.0 / (cv * cv), quantity.value * cv * cv);
                    fill(&mut |stream| scale * gamma(stream, shape));
                }
                _ => {}
            }
        }
        for program in self.programs.iter().filter(|program| self.varies[program.place]) {
            let load = |place: usize| {
                if self.varies[place] {
                    Value::Many(columns[place].clone())
                } else {
                    Value::One(self.base[place])
                }
            };
            // A line that varies loads a column, so its result is one.
            let values = match program.run(load) {
                Value::Many(values) => values,
                Value::One(value) => vec![value; n],
            };
            if values.iter().any(|value| !value.is_finite()) {
                return Err(program.place);
            }
            columns[program.place] = values;
        }
        Ok(columns)
    }

    /// Draws all that comes from one fit.
    fn joint(&self, joint: usize, stream: &mut Stream, n: usize, columns: &mut [Vec<f64>]) {
        let k = self.joints[joint].estimate().len();
        let (mut z, mut shrink, mut out) = (vec![0.0; k], vec![0.0; k], vec![0.0; k]);
        let mut wanted: Vec<(usize, &[f64])> = Vec::new();
        for (place, quantity) in self.quantities.iter().enumerate() {
            if let Uncertainty::Joint { joint: of, weights } = &quantity.uncertainty
                && *of == joint
            {
                wanted.push((place, weights));
                columns[place].reserve(n);
            }
        }
        for _ in 0..n {
            self.joints[joint].draw(stream, &mut z, &mut shrink, &mut out);
            for (place, weights) in &wanted {
                columns[*place].push(out.iter().zip(*weights).map(|(value, weight)| value * weight).sum());
            }
        }
    }
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

    #[test]
    fn another_uncertain_input_changes_no_draw_of_the_others() {
        let rate = |name: &str| {
            Quantity::new(name, 0.1).uncertain(Uncertainty::Rate { events: 0.0, of: 9.0, scale: 1.0 })
        };
        let alone = simulate(&[rate("a")], &[], &[], 2_500, &1.into()).unwrap();
        let beside = simulate(&[rate("b"), rate("a")], &[], &[], 2_500, &1.into()).unwrap();
        assert_eq!(alone.column("a").unwrap(), beside.column("a").unwrap());
        assert_ne!(beside.column("b").unwrap(), beside.column("a").unwrap());
        let longer = simulate(&[rate("a")], &[], &[], 3_500, &1.into()).unwrap();
        assert_eq!(alone.column("a").unwrap()[..2_000], longer.column("a").unwrap()[..2_000]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let message = |quantity: Quantity, lines: &[Line], draws| {
            simulate(&[quantity], &[], lines, draws, &1.into()).unwrap_err().to_string()
        };
        let rate =
            |events, of| Quantity::new("r", 0.5).uncertain(Uncertainty::Rate { events, of, scale: 1.0 });
        assert!(message(rate(9.0, 8.0), &[], 1_000).contains("is over 1"));
        assert!(message(rate(0.0, 0.0), &[], 1_000).contains("0 events of 0 cases"));
        let amount = |value, cv| Quantity::new("c", value).uncertain(Uncertainty::Amount { cv });
        assert!(message(amount(-5.0, 0.2), &[], 1_000).contains("mean above 0"));
        assert!(message(amount(5.0, -0.2), &[], 1_000).contains("coefficient of variation of 'c'"));
        assert!(message(rate(1.0, 8.0), &[], 10).contains("too few"));
        assert!(message(rate(1.0, 8.0), &[], usize::MAX).contains("at most 200000000"));
        let line = [Line::new("x", "1 / (r - 0.5)")];
        assert!(message(rate(4.0, 8.0), &line, 1_000).contains("'x' divides by 0 at the estimates"));
    }
}
