//! Cost-benefit lines worked out exactly from named inputs, each compared with what a report printed.
//!
//! A line is an expression over inputs and other lines: `+ - * /`, parentheses, numbers as printed (`0.54`, `14.3%`)
//! and `round(x, places)`, half away from nil, for a report that went on with a rounded figure
//! (`places` may be negative: `round(x, -2)` is to hundreds). Arithmetic is in exact fractions, so a value is right
//! to the penny and a printed figure is known to be exact, rounded or cut off:
//!
//! ```text
//! exact       printed = value
//! rounded     printed = value rounded to the decimals that are printed, halves away from nil
//! cut off     printed = value without its further decimals
//! either      both of these
//! differs     none of these
//! ```
//!
//! Source of the worked example: C. Heal, M. Nolan and M. Sanders, *Project Crewe: research report*, Department for
//! Education, DFE-RR580, 2017, Appendix 9.

use std::collections::HashMap;

pub use super::exact::Exact;
use crate::error::shortened;
use crate::setters::setters;
use crate::words::words;
use crate::{Error, Fault, Result};

/// An input: a number with a name.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Input {
    /// The name that formulas use: a letter, then letters, digits and underscores.
    pub name: String,
    /// The number as text, as its source prints it: `68.05`, `34,464`, `14.3%`.
    pub value: String,
}

impl Input {
    /// An input of this name; the number is text, as its source prints it.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// A line to work out.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Line {
    /// Its name, by which other lines may use it.
    pub name: String,
    /// Its expression.
    pub formula: String,
    /// What the report printed, as text: its decimals are the precision of the comparison.
    pub printed: Option<String>,
    /// The decimals to show where nothing was printed.
    pub places: i32,
}

impl Line {
    /// A line of this name and formula, to be shown with two decimals.
    pub fn new(name: impl Into<String>, formula: impl Into<String>) -> Self {
        Self { name: name.into(), formula: formula.into(), printed: None, places: 2 }
    }

    /// Adds what the report printed.
    #[must_use]
    pub fn printed(mut self, text: impl Into<String>) -> Self {
        self.printed = Some(text.into());
        self
    }
}

setters!(Line, places: plain(i32));

/// How a printed figure agrees with the exact value; there is no other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Agreement {
    /// The very value.
    Exact,
    /// The value rounded, and not the value cut off.
    Rounded,
    /// The value cut off, and not the value rounded.
    CutOff,
    /// The value rounded, which is also the value cut off.
    Either,
    /// Neither.
    Differs,
}

words!(
    Agreement, "agreement",
    Exact => "exact",
    Rounded => "rounded",
    CutOff => "cut off",
    Either => "rounded or cut off alike",
    Differs => "differs",
);

/// A line worked out.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Worked {
    /// Its name.
    pub name: String,
    /// The exact value.
    pub value: Exact,
    /// The value rounded to the printed decimals, or to the line's own where nothing was printed.
    pub shown: String,
    /// The number that was printed.
    pub printed: Option<Exact>,
    /// Whether the two agree, and how.
    pub agreement: Option<Agreement>,
    /// The inputs and lines that its formula uses, in order, each once.
    pub uses: Vec<String>,
}

/// Works out all lines, in whatever order they refer to each other; the results come in the order given.
///
/// # Errors
/// Input errors for a name that is not one or is used twice, a number that cannot be read, a formula with a mistake
/// or an unknown name, lines that refer to each other in a circle, division by nil, or numbers beyond 128 bits.
///
/// ```
/// use crewe::instruments::cost::{Agreement, Input, Line, work_out};
/// let inputs = [("saving", "3,800"), ("cases", "128")].map(|(name, value)| Input::new(name, value));
/// let line = Line::new("per_case", "saving / cases").printed("29.68");
/// let worked = work_out(&inputs, &[line])?;
/// assert_eq!(worked[0].agreement, Some(Agreement::CutOff));
/// assert_eq!(worked[0].value.decimal(4).unwrap(), "29.6875");
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn work_out(inputs: &[Input], lines: &[Line]) -> Result<Vec<Worked>> {
    let mut values: HashMap<&str, Exact> = HashMap::new();
    for input in inputs {
        checked_name(&input.name)?;
        let value =
            Exact::parse(&input.value).ok_or_else(|| unreadable("input", &input.name, &input.value))?;
        if values.insert(&input.name, value).is_some() {
            return Err(twice(&input.name));
        }
    }
    let mut parsed = Vec::with_capacity(lines.len());
    for (i, line) in lines.iter().enumerate() {
        checked_name(&line.name)?;
        if values.contains_key(line.name.as_str()) || lines[..i].iter().any(|other| other.name == line.name) {
            return Err(twice(&line.name));
        }
        let expression = Parser::new(line).whole()?;
        let uses = expression.names();
        for name in &uses {
            let known = inputs.iter().map(|i| i.name.as_str()).chain(lines.iter().map(|l| l.name.as_str()));
            if !known.clone().any(|n| n == name) {
                return Err(Fault::new(format!(
                    "the formula of '{}' uses '{name}', which is neither an input nor a line",
                    line.name
                ))
                .values([cut(&line.formula)])
                .remedy(format!("The names are {}", known.collect::<Vec<_>>().join(", ")))
                .input());
            }
        }
        parsed.push((expression, uses));
    }
    // A line is worked out once all that it uses is; what is left when nothing moves is a circle.
    let mut done = vec![false; lines.len()];
    loop {
        let mut moved = false;
        for (i, line) in lines.iter().enumerate() {
            let (expression, uses) = &parsed[i];
            if !done[i] && uses.iter().all(|name| values.contains_key(name.as_str())) {
                values.insert(&line.name, expression.value(&values, line)?);
                (done[i], moved) = (true, true);
            }
        }
        if !moved {
            break;
        }
    }
    let circle = || lines.iter().zip(&done).filter(|(_, done)| !**done).map(|(line, _)| line.name.clone());
    if circle().next().is_some() {
        return Err(Fault::new("these lines refer to each other in a circle")
            .values(circle())
            .remedy("Let every line use inputs, or lines that do not depend on it")
            .input());
    }
    lines
        .iter()
        .zip(parsed)
        .map(|(line, (_, uses))| compared(line, values[line.name.as_str()], uses))
        .collect()
}

fn compared(line: &Line, value: Exact, uses: Vec<String>) -> Result<Worked> {
    let places = line.printed.as_deref().map_or(line.places, Exact::places);
    let (rounded, cut) = (value.round(places), value.cut_off(places));
    let (Some(rounded), Some(cut), Some(shown)) = (rounded, cut, value.decimal(places)) else {
        return Err(too_large(line));
    };
    let printed = match &line.printed {
        None => None,
        Some(text) => {
            Some(Exact::parse(text).ok_or_else(|| unreadable("printed figure of", &line.name, text))?)
        }
    };
    let agreement = printed.map(|printed| match (printed == rounded, printed == cut) {
        _ if printed == value => Agreement::Exact,
        (true, true) => Agreement::Either,
        (true, false) => Agreement::Rounded,
        (false, true) => Agreement::CutOff,
        (false, false) => Agreement::Differs,
    });
    Ok(Worked { name: line.name.clone(), value, shown, printed, agreement, uses })
}

fn checked_name(name: &str) -> Result<()> {
    let mut letters = name.chars();
    let fits = letters.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && letters.all(|c| c.is_alphanumeric() || c == '_')
        && name != "round";
    if fits {
        return Ok(());
    }
    Err(Fault::new(format!("'{name}' cannot be the name of an input or a line"))
        .remedy("Use a letter, then letters, digits and underscores; 'round' is taken")
        .input())
}

fn twice(name: &str) -> Error {
    Fault::new(format!("the name '{name}' is used twice"))
        .remedy("Give every input and line a name of its own")
        .input()
}

fn unreadable(what: &str, name: &str, value: &str) -> Error {
    Fault::new(format!("the {what} '{name}' is not a number"))
        .values([value])
        .remedy("Write a plain decimal such as 68.05, 34,464 or 14.3%")
        .input()
}

fn too_large(line: &Line) -> Error {
    Fault::new(format!("the line '{}' has more digits than can be carried exactly", line.name))
        .values([cut(&line.formula)])
        .remedy("Give its inputs with fewer digits")
        .input()
}

/// The beginning of a formula, for messages.
fn cut(text: &str) -> String {
    shortened(text.to_owned(), 120)
}

/// A formula read, as steps in the order in which they are worked out (postfix): however long it is, neither working it
/// out nor letting it go takes more of the stack.
struct Expression(Vec<Step>);

/// One step, which takes its operands from those before it.
enum Step {
    Number(Exact),
    Name(String),
    Negative,
    Round(i32),
    Binary(char),
}

impl Expression {
    /// The names it uses, in order, each once.
    fn names(&self) -> Vec<String> {
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
    fn value(&self, values: &HashMap<&str, Exact>, line: &Line) -> Result<Exact> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn value(formula: &str) -> Result<String> {
        let input = Input { name: "x".into(), value: "2.5".into() };
        let line = Line { name: "y".into(), formula: formula.into(), printed: None, places: 2 };
        Ok(work_out(&[input], &[line])?[0].value.to_string())
    }

    #[test]
    fn formulas_bind_as_usual() {
        for (formula, expected) in [
            ("1 - 2 - 3", "-4"),
            ("12 / 4 / 3", "1"),
            ("1 + 2 * x", "6"),
            ("-(1 + x) * 2", "-7"),
            ("14.3% * 1000", "143"),
            ("round(x * 15.4, -1) + round(-x, 0)", "37"),
        ] {
            assert_eq!(value(formula).unwrap(), expected, "{formula}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (formula, says) in [
            ("1 +", "before \"the end\""),
            ("(1", "')' was expected"),
            ("1 2", "an operator was expected"),
            ("z + 1", "neither an input nor a line"),
            ("x / (1 - 1)", "divides by 0"),
            ("y + 1", "in a circle"),
            ("1.2.3", "a number was expected"),
            ("round(x, 99)", "whole number of decimals"),
            ("x $ 2", "an operator was expected"),
            ("", "a name, a number"),
        ] {
            let error = value(formula).unwrap_err().to_string();
            assert!(error.contains(says), "{formula}: {error}");
        }
        assert!(value(&"(".repeat(100_000)).unwrap_err().to_string().contains("shallower"));
        assert!(value(&"-".repeat(100_000)).is_err());
    }

    #[test]
    fn test_7_3_long_and_deep_formulas_are_answered_or_refused() {
        // On a small stack, as threads have it.
        let worker = std::thread::Builder::new().stack_size(192 * 1024).spawn(|| {
            assert_eq!(value(&vec!["x"; 1_000].join(" + ")).unwrap(), "2500");
            assert_eq!(value(&vec!["1"; 1_000].join("*")).unwrap(), "1");
            for sign in ["+", "-", "*", "/", " + -", "*-", "+(1)*", " - (x - 1) / "] {
                for terms in [5_000, 200_000] {
                    let error = value(&vec!["x"; terms].join(sign)).unwrap_err().to_string();
                    assert!(error.contains("more than 2000 names"), "{sign}: {error}");
                    assert!(error.len() < 300);
                }
            }
            for (open, close) in [("(", ")"), ("-", ""), ("round(", ", 2)"), ("1 + (", ")"), ("-(2 * ", ")")]
            {
                let nested = |n: usize| format!("{}x{}", open.repeat(n), close.repeat(n));
                assert!(value(&nested(49)).is_ok(), "{open}");
                for n in [5_000, 100_000] {
                    let error = value(&nested(n)).unwrap_err().to_string();
                    assert!(error.contains("shallower"), "{open}");
                    assert!(error.len() < 500, "{open}: {}", error.len());
                }
            }
        });
        worker.unwrap().join().unwrap();
    }
}
