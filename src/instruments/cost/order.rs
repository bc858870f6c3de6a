//! Lines read, and put into an order in which each comes after what it uses.

use std::collections::{HashMap, HashSet};

use super::formula::Expression;
use super::line::{Line, checked_name, cut, twice};
use crate::{Fault, Result};

/// The lines of an analysis, read; in the order given.
pub(super) struct Ordered {
    pub expressions: Vec<Expression>,
    /// The names that each uses, in order, each once.
    pub uses: Vec<Vec<String>>,
    /// The lines, each after those that it uses.
    pub order: Vec<usize>,
}

/// Reads lines over inputs of these names.
pub(super) fn ordered(inputs: &[&str], lines: &[&Line]) -> Result<Ordered> {
    let mut known: HashSet<&str> = HashSet::new();
    for &name in inputs {
        checked_name(name)?;
        if !known.insert(name) {
            return Err(twice(name));
        }
    }
    for line in lines {
        checked_name(&line.name)?;
        if !known.insert(&line.name) {
            return Err(twice(&line.name));
        }
    }
    let (mut expressions, mut uses) = (Vec::with_capacity(lines.len()), Vec::with_capacity(lines.len()));
    for line in lines {
        let expression = Expression::read(line)?;
        let names = expression.names();
        if let Some(name) = names.iter().find(|name| !known.contains(name.as_str())) {
            let all = inputs.iter().copied().chain(lines.iter().map(|line| line.name.as_str()));
            return Err(Fault::new(format!(
                "the formula of '{}' uses '{name}', which is neither an input nor a line",
                line.name
            ))
            .values([cut(&line.formula)])
            .remedy(format!("The names are {}", all.collect::<Vec<_>>().join(", ")))
            .input());
        }
        expressions.push(expression);
        uses.push(names);
    }
    let order = in_order(lines, &uses)?;
    Ok(Ordered { expressions, uses, order })
}

/// A line comes once all lines that it uses have come; what is left when nothing is free any more is a circle.
fn in_order(lines: &[&Line], uses: &[Vec<String>]) -> Result<Vec<usize>> {
    let place: HashMap<&str, usize> =
        lines.iter().enumerate().map(|(i, line)| (line.name.as_str(), i)).collect();
    let before = |i: usize| uses[i].iter().filter_map(|name| place.get(name.as_str()).copied());
    let mut waits: Vec<usize> = (0..lines.len()).map(|i| before(i).count()).collect();
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); lines.len()];
    for i in 0..lines.len() {
        before(i).for_each(|used| users[used].push(i));
    }
    let mut order: Vec<usize> = (0..lines.len()).filter(|&i| waits[i] == 0).collect();
    let mut next = 0;
    while next < order.len() {
        for &user in &users[order[next]] {
            waits[user] -= 1;
            if waits[user] == 0 {
                order.push(user);
            }
        }
        next += 1;
    }
    if order.len() == lines.len() {
        return Ok(order);
    }
    let circle = lines.iter().zip(&waits).filter(|(_, waits)| **waits > 0).map(|(line, _)| line.name.clone());
    Err(Fault::new("these lines refer to each other in a circle")
        .values(circle)
        .remedy("Let every line use inputs, or lines that do not depend on it")
        .input())
}
