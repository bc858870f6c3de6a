//! A line made ready: its steps over numbers, or over columns of draws.

use std::collections::HashMap;

use super::formula::Step;
use super::line::Line;
use super::order::{Ordered, ordered};
use super::quantity::{Quantity, Uncertainty};
use crate::{Fault, Result};

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
pub(super) struct Program {
    pub place: usize,
    steps: Vec<Op>,
}

/// The lines made ready, in the order in which they are worked out, and the names of all columns: inputs, then lines.
pub(super) fn compile(
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
pub(super) enum Value {
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
    /// The places that it loads.
    pub fn uses(&self) -> impl Iterator<Item = usize> {
        self.steps.iter().filter_map(|step| match step {
            Op::Load(place) => Some(*place),
            _ => None,
        })
    }

    /// The result from what stands at each place.
    pub fn run(&self, load: impl Fn(usize) -> Value) -> Value {
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
    pub fn one(&self, values: &[f64]) -> f64 {
        match self.run(|place| Value::One(values[place])) {
            Value::One(value) => value,
            Value::Many(_) => unreachable!("single values make a single value"),
        }
    }
}

/// The error of a line that is no number.
pub(super) fn undefined(name: &str, when: &str) -> crate::Error {
    Fault::new(format!("the line '{name}' divides by 0 {when}"))
        .remedy("Check the inputs under the stroke")
        .input()
}
