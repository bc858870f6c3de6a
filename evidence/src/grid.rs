//! Cells, replicates, and the counts that are kept of them.

use std::collections::BTreeMap;
use std::io::Write as _;

use crewe::inference::Contrasts;
use crewe::rng::{Seed, Stream};
use crewe::{Error, Result};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// The nominal size of every test, and the complement of every interval's level.
pub const ALPHA: f64 = 0.05;
/// Replicates that one task runs.
const CHUNK: u64 = 25;
/// Replicates of the shortest run, whose counts every run keeps apart, so that the test can run them again.
pub const FIRST: u64 = 100;

/// A subject with a page of its own.
#[derive(Clone, Copy)]
pub struct Topic {
    /// Its name in files and on the command line.
    pub name: &'static str,
    /// The title of its page.
    pub title: &'static str,
    /// Simulates the grid.
    pub run: fn(&Run) -> Result<Vec<CellResult>>,
    /// Writes the page, and figures beside it.
    pub page: fn(&Results) -> crate::page::Page,
}

/// How a run is made.
#[derive(Debug, Clone)]
pub struct Run {
    /// The seed of everything.
    pub seed: Seed,
    /// Replicates in each cell of a fast procedure; slow ones take a part of it.
    pub sims: u64,
    /// Whether progress goes to standard error.
    pub progress: bool,
    /// Which part of the cells is run, where others run the rest.
    pub part: Option<Part>,
}

/// One of several parts that the cells of a grid are dealt to, each run by a process of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Which one, from 1.
    pub number: u64,
    /// Of how many.
    pub of: u64,
}

impl Part {
    /// Whether a cell is its own. Cells are dealt by their words, so that no process need count those of others.
    fn has(self, topic: &str, cell: &Cell) -> bool {
        // FNV-1a: the same on every machine.
        let text = format!("{topic}/{}", cell.words().join("/"));
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        (hash >> 32) % self.of == self.number - 1
    }
}

/// One combination of the grid's factors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell(pub BTreeMap<String, String>);

impl Cell {
    /// A cell from its factors and their levels.
    pub fn new<const N: usize>(labels: [(&str, String); N]) -> Self {
        Self(labels.into_iter().map(|(factor, level)| (factor.to_owned(), level)).collect())
    }

    /// The level of a factor, empty where the cell has none.
    pub fn get(&self, factor: &str) -> &str {
        self.0.get(factor).map_or("", String::as_str)
    }

    fn words(&self) -> Vec<String> {
        self.0.iter().map(|(factor, level)| format!("{factor}={level}")).collect()
    }
}

/// What a procedure said in one replicate.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It gave no answer, for a reason of this kind.
    Refused(&'static str),
    /// It tested that the effect is 0, and perhaps gave an interval.
    Answer(Answer),
}

/// A test, with an estimate where the procedure gives one.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// The p-value of no effect.
    pub p_value: f64,
    /// Whether the 95% interval held the true effect, where there is an interval.
    pub covered: Option<bool>,
    /// Estimate less true effect; NaN without an estimate.
    pub error: f64,
    /// Its standard error; NaN without one.
    pub std_error: f64,
}

impl Verdict {
    /// An estimate with its standard error and degrees of freedom, against the truth.
    pub fn estimate(estimate: f64, std_error: f64, df: f64, truth: f64) -> Self {
        match Contrasts::from_parts(vec![estimate], vec![std_error], vec![df], 1.0 - ALPHA) {
            Ok(c) => {
                Self::interval(c.p_value[0], [c.conf_low[0], c.conf_high[0]], estimate, std_error, truth)
            }
            Err(error) => Self::error(&error),
        }
    }

    /// A test with the interval that belongs to it.
    pub fn interval(p_value: f64, ends: [f64; 2], estimate: f64, std_error: f64, truth: f64) -> Self {
        if p_value.is_nan() || ends[0].is_nan() || ends[1].is_nan() {
            return Self::Refused("undefined");
        }
        let covered = Some(ends[0] <= truth && truth <= ends[1]);
        Self::Answer(Answer { p_value, covered, error: estimate - truth, std_error })
    }

    /// A test without an estimate.
    pub fn test(p_value: f64) -> Self {
        if p_value.is_nan() {
            return Self::Refused("undefined");
        }
        Self::Answer(Answer { p_value, covered: None, error: f64::NAN, std_error: f64::NAN })
    }

    /// A refusal of crewe's, by its kind.
    pub fn error(error: &Error) -> Self {
        Self::Refused(match error {
            Error::Rank(_) => "collinear",
            Error::Separation(_) => "separated",
            Error::Convergence(_) => "not converged",
            Error::Design(_) => "design",
            _ => "input",
        })
    }

    /// The answer, or the refusal of the error.
    pub fn of(result: Result<Self>) -> Self {
        result.unwrap_or_else(|error| Self::error(&error))
    }
}

/// The counts of one procedure in one cell.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Replicates with an answer.
    pub answered: u64,
    /// Replicates without, by the kind of refusal.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<String, u64>,
    /// Answers with p at most .05.
    pub rejected: u64,
    /// Answers whose interval held the truth; nothing where the procedure gives no interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covered: Option<u64>,
    /// The mean of estimate less truth.
    pub bias: f64,
    /// The root of the mean square of estimate less truth.
    pub rms_error: f64,
    /// The root of the mean squared standard error.
    pub rms_std_error: f64,
}

impl Tally {
    fn add(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Refused(kind) => *self.refused.entry((*kind).to_owned()).or_default() += 1,
            Verdict::Answer(answer) => {
                self.answered += 1;
                self.rejected += u64::from(answer.p_value <= ALPHA);
                if let Some(covered) = answer.covered {
                    *self.covered.get_or_insert(0) += u64::from(covered);
                }
                // Sums until the end, when `finish` turns them into means.
                self.bias += answer.error;
                self.rms_error += answer.error * answer.error;
                self.rms_std_error += answer.std_error * answer.std_error;
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.answered += other.answered;
        for (kind, count) in &other.refused {
            *self.refused.entry(kind.clone()).or_default() += count;
        }
        self.rejected += other.rejected;
        if let Some(covered) = other.covered {
            *self.covered.get_or_insert(0) += covered;
        }
        self.bias += other.bias;
        self.rms_error += other.rms_error;
        self.rms_std_error += other.rms_std_error;
    }

    fn finish(mut self) -> Self {
        let n = self.answered.max(1) as f64;
        // JSON has no NaN: what a procedure does not estimate is 0. Five decimals are far below the simulation's error.
        let finite = |value: f64| if value.is_finite() { (value * 1e5).round() / 1e5 } else { 0.0 };
        self.bias = finite(self.bias / n);
        self.rms_error = finite((self.rms_error / n).sqrt());
        self.rms_std_error = finite((self.rms_std_error / n).sqrt());
        self
    }

    /// The share of answers that reject no effect.
    pub fn rejections(&self) -> Rate {
        Rate::new(self.rejected, self.answered)
    }

    /// The share of intervals that hold the truth.
    pub fn coverage(&self) -> Option<Rate> {
        self.covered.map(|covered| Rate::new(covered, self.answered))
    }

    /// The share of replicates without an answer.
    pub fn refusals(&self) -> Rate {
        let refused: u64 = self.refused.values().sum();
        Rate::new(refused, refused + self.answered)
    }
}

/// A simulated share with its Monte Carlo standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// The share; NaN of nothing.
    pub value: f64,
    /// Its standard error.
    pub se: f64,
}

impl Rate {
    /// A share of `n`.
    pub fn new(count: u64, n: u64) -> Self {
        let value = count as f64 / n as f64;
        Self { value, se: (value * (1.0 - value) / n as f64).sqrt() }
    }
}

/// One procedure in one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcedureResult {
    /// Its name.
    pub name: String,
    /// Its counts.
    pub all: Tally,
    /// The counts of the first [`FIRST`] replicates: answered, rejected, covered.
    pub first: [u64; 3],
}

/// A number that is no count of verdicts: an exact probability, a share, a variance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantity {
    /// Its value.
    pub value: f64,
    /// Its Monte Carlo standard error; 0 where it is exact, or where none is known (a largest value).
    pub se: f64,
    /// Its value in the shortest run.
    pub first: f64,
}

/// Quantities by name, each with its standard error, as one run finds them.
pub type Found = Vec<(String, f64, f64)>;

/// All procedures in one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellResult {
    /// The factors and their levels.
    pub cell: Cell,
    /// Replicates.
    pub sims: u64,
    /// One entry a procedure.
    pub procedures: Vec<ProcedureResult>,
    /// Numbers that are no counts of verdicts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub quantities: BTreeMap<String, Quantity>,
}

impl CellResult {
    /// The place of a cell that another part runs.
    fn nothing(cell: &Cell) -> Self {
        Self { cell: cell.clone(), sims: 0, procedures: Vec::new(), quantities: BTreeMap::new() }
    }

    /// The counts of a procedure, where the cell has it.
    pub fn procedure(&self, name: &str) -> Option<&Tally> {
        self.procedures.iter().find(|p| p.name == name).map(|p| &p.all)
    }

    /// The value of a quantity and its standard error; NaN where the cell does not have it.
    pub fn quantity(&self, name: &str) -> Rate {
        let found = self.quantities.get(name);
        found.map_or(Rate { value: f64::NAN, se: f64::NAN }, |q| Rate { value: q.value, se: q.se })
    }
}

/// What a topic found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The topic's name.
    pub topic: String,
    /// The seed.
    pub seed: u64,
    /// Replicates in each cell of a fast procedure.
    pub sims: u64,
    /// The cells.
    pub cells: Vec<CellResult>,
}

impl Results {
    /// What all parts of a run found: every cell from the one that ran it.
    ///
    /// # Errors
    /// Where no part ran a cell, in words.
    pub fn joined(parts: Vec<Self>) -> std::result::Result<Self, String> {
        let mut parts = parts.into_iter();
        let mut whole = parts.next().ok_or("there are no parts")?;
        for part in parts {
            let (mine, others) = (whole.cells.iter().map(|c| &c.cell), part.cells.iter().map(|c| &c.cell));
            if (whole.seed, whole.sims) != (part.seed, part.sims) || !mine.eq(others) {
                return Err(format!("the parts of '{}' are of different runs", whole.topic));
            }
            for (mine, other) in whole.cells.iter_mut().zip(part.cells) {
                if mine.sims == 0 {
                    *mine = other;
                }
            }
        }
        match whole.cells.iter().find(|cell| cell.sims == 0) {
            Some(cell) => {
                Err(format!("'{}' lacks the part with {}", whole.topic, cell.cell.words().join(", ")))
            }
            None => Ok(whole),
        }
    }

    /// The cells whose factors have these levels, in the order of the grid.
    pub fn select<'a>(&'a self, levels: &[(&str, &str)]) -> Vec<&'a CellResult> {
        self.cells
            .iter()
            .filter(|c| levels.iter().all(|(factor, level)| c.cell.get(factor) == *level))
            .collect()
    }
}

impl Run {
    /// The stream of a cell for a purpose; replicate i is its number i.
    pub fn stream(&self, topic: &str, purpose: &str, cell: &Cell) -> Stream {
        Stream::new(&self.seed, &format!("evidence/{topic}/{purpose}"), &cell.words(), 0)
    }

    /// Simulates one cell. `share` is the part of the replicates that a slow procedure can afford, as a divisor.
    ///
    /// `replicate` takes the replicate's own stream and number and gives one verdict for each procedure.
    ///
    /// # Panics
    /// When `replicate` gives another number of verdicts than there are procedures.
    pub fn simulate(
        &self,
        topic: &str,
        cell: &Cell,
        procedures: &[&str],
        share: u64,
        replicate: impl Fn(&mut Stream, u64) -> Vec<Verdict> + Sync,
    ) -> CellResult {
        if self.elsewhere(topic, cell) {
            return CellResult::nothing(cell);
        }
        let sims = self.replicates(share);
        let stream = self.stream(topic, "replicate", cell);
        let chunks: Vec<Vec<Tally>> = (0..sims.div_ceil(CHUNK))
            .into_par_iter()
            .map(|chunk| {
                let mut tallies = vec![Tally::default(); procedures.len()];
                for i in chunk * CHUNK..sims.min((chunk + 1) * CHUNK) {
                    let verdicts = replicate(&mut stream.at(i), i);
                    assert_eq!(verdicts.len(), procedures.len(), "one verdict for each procedure");
                    tallies.iter_mut().zip(&verdicts).for_each(|(tally, verdict)| tally.add(verdict));
                }
                tallies
            })
            .collect();
        self.tell(topic, cell, sims);
        // Chunks are added in their order, whichever thread ran them.
        let procedures = procedures.iter().enumerate().map(|(j, name)| {
            let mut all = Tally::default();
            let mut first = [0; 3];
            for (chunk, start) in chunks.iter().zip((0..).step_by(CHUNK as usize)) {
                all.merge(&chunk[j]);
                if start + CHUNK <= FIRST {
                    first = [all.answered, all.rejected, all.covered.unwrap_or(0)];
                }
            }
            ProcedureResult { name: (*name).to_owned(), all: all.finish(), first }
        });
        let procedures = procedures.collect();
        CellResult { cell: cell.clone(), sims, procedures, quantities: BTreeMap::new() }
    }

    /// Measures quantities in one cell, with `times` simulated trials for each replicate of this run, and again with
    /// those of the shortest run. `of` takes the number of trials.
    ///
    /// # Errors
    /// As `of`.
    pub fn measure(
        &self,
        topic: &str,
        cell: &Cell,
        times: u64,
        of: impl Fn(u64) -> Result<Found>,
    ) -> Result<CellResult> {
        if self.elsewhere(topic, cell) {
            return Ok(CellResult::nothing(cell));
        }
        let sims = self.sims * times;
        let all = of(sims)?;
        let first = if self.sims == FIRST { all.clone() } else { of(FIRST * times)? };
        self.tell(topic, cell, sims);
        // Eight decimals tell counts of a million apart.
        let round = |value: f64| (value * 1e8).round() / 1e8;
        let quantities = all.into_iter().zip(first).map(|((name, value, se), (_, first, _))| {
            (name, Quantity { value: round(value), se: round(se), first: round(first) })
        });
        Ok(CellResult { cell: cell.clone(), sims, procedures: Vec::new(), quantities: quantities.collect() })
    }

    /// Whether another part runs this cell.
    fn elsewhere(&self, topic: &str, cell: &Cell) -> bool {
        self.part.is_some_and(|part| !part.has(topic, cell))
    }

    /// The replicates that a procedure with this divisor gets, never fewer than the smallest run has.
    pub fn replicates(&self, share: u64) -> u64 {
        (self.sims / share).max(self.sims.min(FIRST))
    }

    /// Says that a cell is done.
    pub fn tell(&self, topic: &str, cell: &Cell, sims: u64) {
        if self.progress {
            // Progress is a courtesy: a closed pipe does not stop the run.
            let _ = writeln!(std::io::stderr(), "{topic}: {} ({sims})", cell.words().join(", "));
        }
    }
}
