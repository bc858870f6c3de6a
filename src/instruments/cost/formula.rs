//! Formulas read into steps that are worked out one after the other.

use std::collections::HashMap;

use super::line::{Line, cut, too_large};
use crate::instruments::exact::Exact;
use crate::{Error, Fault, Result};

/// A formula read, as steps in the order in which they are worked out (postfix): however long it is, neither working it
/// out nor letting it go takes more of the stack.
pub(super) struct Expression(pub Vec<Step>);

/// One step, which takes its operands from those before it.
pub(super) enum Step {
    Number(Exact),
    Name(String),
    Negative,
    Round(i32),
    Binary(char),
}

impl Expression {
    /// Reads the formula of a line.
    pub fn read(line: &Line) -> Result<Self> {
        Parser::new(line).whole()
    }

    /// The names it uses, in order, each once.
    pub fn names(&self) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for step in &self.0 {
            if let Step::Name(name) = step
                && !found.contains(name)
            {
                found.push(name.clone());
            }
        }
        found
    }

    /// The value, once every name has one.
    pub fn value(&self, values: &HashMap<&str, Exact>, line: &Line) -> Result<Exact> {
        // The parser writes every operator after its operands.
        fn operand(stack: &mut Vec<Exact>) -> Exact {
            stack.pop().unwrap_or_else(|| unreachable!("an operator follows its operands"))
        }
        let mut stack = Vec::new();
        for step in &self.0 {
            let result = match step {
                Step::Number(number) => Some(*number),
                Step::Name(name) => values.get(name.as_str()).copied(),
                Step::Negative => Some(operand(&mut stack).negated()),
                Step::Round(places) => operand(&mut stack).round(*places),
                Step::Binary(sign) => {
                    let right = operand(&mut stack);
                    let left = operand(&mut stack);
                    match sign {
                        '+' => left.plus(right),
                        '-' => left.minus(right),
                        '*' => left.times(right),
                        _ if right.to_f64() == 0.0 => {
                            return Err(Fault::new(format!("the line '{}' divides by 0", line.name))
                                .values([cut(&line.formula)])
                                .remedy("Check the inputs under the stroke")
                                .input());
                        }
                        _ => left.over(right),
                    }
                }
            };
            stack.push(result.ok_or_else(|| too_large(line))?);
        }
        Ok(operand(&mut stack))
    }
}

/// How deep parentheses and signs may nest: far beyond any formula, short of the stack.
const DEEPEST: usize = 100;

/// How many names, numbers and operators a formula may have: a thousand terms.
const LONGEST: usize = 2_000;

/// A formula being read, by recursive descent.
struct Parser<'a> {
    line: &'a Line,
    rest: &'a str,
    depth: usize,
    steps: Vec<Step>,
}

impl<'a> Parser<'a> {
    fn new(line: &'a Line) -> Self {
        Self { line, rest: line.formula.trim_start(), depth: 0, steps: Vec::new() }
    }

    fn wrong(&self, expected: &str) -> Error {
        let seen = if self.rest.is_empty() { "the end".to_owned() } else { cut(self.rest) };
        Fault::new(format!(
            "the formula of '{}' cannot be read: {expected} was expected before {seen:?}",
            self.line.name
        ))
        .values([cut(&self.line.formula)])
        .remedy("Use names, numbers, + - * /, parentheses and round(x, places)")
        .input()
    }

    fn whole(mut self) -> Result<Expression> {
        self.sum()?;
        if self.rest.is_empty() { Ok(Expression(self.steps)) } else { Err(self.wrong("an operator")) }
    }

    fn step(&mut self, step: Step) -> Result<()> {
        if self.steps.len() == LONGEST {
            return Err(Fault::new(format!(
                "the formula of '{}' has more than {LONGEST} names, numbers and operators",
                self.line.name
            ))
            .remedy("Work out parts of it in lines of their own, and use their names")
            .input());
        }
        self.steps.push(step);
        Ok(())
    }

    fn take(&mut self, signs: &[char]) -> Option<char> {
        let sign = self.rest.chars().next().filter(|c| signs.contains(c))?;
        self.rest = self.rest[sign.len_utf8()..].trim_start();
        Some(sign)
    }

    fn need(&mut self, sign: char) -> Result<()> {
        self.take(&[sign]).map(|_| ()).ok_or_else(|| self.wrong(&format!("'{sign}'")))
    }

    fn sum(&mut self) -> Result<()> {
        self.product()?;
        while let Some(sign) = self.take(&['+', '-']) {
            self.product()?;
            self.step(Step::Binary(sign))?;
        }
        Ok(())
    }

    fn product(&mut self) -> Result<()> {
        self.factor()?;
        while let Some(sign) = self.take(&['*', '/']) {
            self.factor()?;
            self.step(Step::Binary(sign))?;
        }
        Ok(())
    }

    fn factor(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.wrong("a shallower formula"));
        }
        let factor = self.atom();
        self.depth -= 1;
        factor
    }

    fn atom(&mut self) -> Result<()> {
        if self.take(&['-']).is_some() {
            self.factor()?;
            return self.step(Step::Negative);
        }
        if self.take(&['(']).is_some() {
            self.sum()?;
            return self.need(')');
        }
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let length = |fits: &dyn Fn(char) -> bool| self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len());
        let number = |c: char| c.is_ascii_digit() || c == '.';
        if self.rest.starts_with(number) {
            let mut end = length(&number);
            if self.rest[end..].starts_with('%') {
                end += 1;
            }
            let value = Exact::parse(&self.rest[..end]).ok_or_else(|| self.wrong("a number"))?;
            self.rest = self.rest[end..].trim_start();
            return self.step(Step::Number(value));
        }
        let end = length(&word);
        let name = &self.rest[..end];
        if name.is_empty() {
            return Err(self.wrong("a name, a number or '('"));
        }
        self.rest = self.rest[end..].trim_start();
        if name != "round" {
            return self.step(Step::Name(name.to_owned()));
        }
        self.need('(')?;
        self.sum()?;
        self.need(',')?;
        let negative = self.take(&['-']).is_some();
        let digits = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let places: i32 = self.rest[..digits]
            .parse()
            .ok()
            .filter(|p| (0..=18).contains(p))
            .ok_or_else(|| self.wrong("a whole number of decimals, at most 18,"))?;
        self.rest = self.rest[digits..].trim_start();
        self.need(')')?;
        self.step(Step::Round(if negative { -places } else { places }))
    }
}
