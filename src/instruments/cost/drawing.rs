//! Lines over draws of what is uncertain: probabilistic sensitivity analysis.
//!
//! Every source of uncertainty has a stream of random numbers of its own, named by the input or the fit, and draws are made
//! in blocks with numbers: the results are the same on any number of threads, and another uncertain input changes no
//! draw of the others. A block is worked out column by column. `round()` in a formula is left out: a report's rounding
//! is no part of what may happen.

use rayon::prelude::*;

use super::draws::Draws;
use super::line::Line;
use super::program::{Program, Value, compile, undefined};
use super::quantity::{Joint, Quantity, Uncertainty, beta, gamma};
use crate::progress::{go_on, watcher};
use crate::rng::{Seed, Stream};
use crate::{Fault, Result};

/// Draws in a block.
const BLOCK: usize = 1_000;
/// The fewest draws of which a quantile says anything.
const FEWEST: usize = 100;
/// Numbers that are kept at most, over all columns.
const MOST: usize = 200_000_000;

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

#[cfg(test)]
mod tests {
    use super::*;

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
