//! Markdown pages: tables of simulated rates with their Monte Carlo errors, and sentences that quote them.

use std::fmt::Write as _;

use crate::grid::{CellResult, Rate, Tally};

/// A page of a topic.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The text under the title.
    pub markdown: String,
    /// Figures: file name and SVG.
    pub figures: Vec<Figure>,
    /// Lines for the table on the index: what is claimed, where it holds, where it fails.
    pub summary: Vec<Summary>,
}

/// A figure, or another text, beside the page.
#[derive(Debug, Clone)]
pub struct Figure {
    /// Its file name.
    pub file: String,
    /// Its contents.
    pub svg: String,
}

/// A line of the index.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The procedure.
    pub procedure: &'static str,
    /// Where its rates are what they claim.
    pub holds: String,
    /// Where they are not.
    pub fails: String,
}

/// What a table shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// The share of trials that reject no effect at 5%.
    Rejections,
    /// The share of 95% intervals that hold the truth.
    Coverage,
    /// The share of trials without an answer.
    Refusals,
}

impl Measure {
    /// The rate of a procedure's counts.
    pub fn of(self, tally: &Tally) -> Option<Rate> {
        match self {
            Self::Rejections => Some(tally.rejections()),
            Self::Coverage => tally.coverage(),
            Self::Refusals => Some(tally.refusals()),
        }
        .filter(|rate| rate.value.is_finite())
    }

    /// Whether the rate errs by more than half of the nominal 5% (J. V. Bradley 1978's liberal criterion).
    fn far(self, rate: Rate) -> bool {
        match self {
            Self::Rejections => !(0.025..=0.075).contains(&rate.value),
            Self::Coverage => !(0.925..=0.975).contains(&rate.value),
            Self::Refusals => false,
        }
    }
}

/// A share in percent with one decimal.
pub fn percent(value: f64) -> String {
    format!("{:.1}%", 100.0 * value)
}

/// A rate of a procedure in a cell, as a sentence quotes it.
pub fn quote(cell: &CellResult, procedure: &str, measure: Measure) -> String {
    cell.procedure(procedure)
        .and_then(|tally| measure.of(tally))
        .map_or_else(|| "no answer".to_owned(), |rate| percent(rate.value))
}

/// The lowest and the highest rate of a procedure in these cells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1}% to {:.1}%", 100.0 * self.low, 100.0 * self.high)
    }
}

/// The span of a procedure's rate over cells; not a number where there is none.
pub fn span(cells: &[&CellResult], procedure: &str, measure: Measure) -> Span {
    let rates: Vec<f64> = cells
        .iter()
        .filter_map(|cell| measure.of(cell.procedure(procedure)?))
        .map(|rate| rate.value)
        .collect();
    if rates.is_empty() {
        return Span { low: f64::NAN, high: f64::NAN };
    }
    let fold = |start: f64, pick: fn(f64, f64) -> f64| rates.iter().copied().fold(start, pick);
    Span { low: fold(f64::INFINITY, f64::min), high: fold(f64::NEG_INFINITY, f64::max) }
}

/// Where a procedure's rate is highest (or lowest) over cells, in words: the rate and the cell's factors.
pub fn extreme(
    cells: &[&CellResult],
    procedure: &str,
    measure: Measure,
    highest: bool,
    factors: &[&str],
) -> String {
    let rates = cells.iter().filter_map(|cell| Some((*cell, measure.of(cell.procedure(procedure)?)?.value)));
    let order = |a: &(&CellResult, f64), b: &(&CellResult, f64)| a.1.total_cmp(&b.1);
    let found = if highest { rates.max_by(order) } else { rates.min_by(order) };
    found.map_or_else(
        || "no answer".to_owned(),
        |(cell, rate)| {
            let at: Vec<String> =
                factors.iter().map(|factor| format!("{factor} {}", cell.cell.get(factor))).collect();
            format!("{} ({})", percent(rate), at.join(", "))
        },
    )
}

/// The procedures that gave no answer in some replicates, with the cells where they did so most, as sentences.
pub fn refusals(cells: &[&CellResult], procedures: &[&str], factors: &[&str]) -> String {
    let mut text = String::new();
    for name in procedures {
        let counted = cells.iter().filter_map(|cell| Some((*cell, cell.procedure(name)?)));
        let worst = counted
            .filter(|(_, tally)| !tally.refused.is_empty())
            .max_by(|a, b| a.1.refusals().value.total_cmp(&b.1.refusals().value));
        if let Some((cell, tally)) = worst {
            let total = tally.answered + tally.refused.values().sum::<u64>();
            let kinds: Vec<String> =
                tally.refused.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            let at: Vec<String> =
                factors.iter().map(|factor| format!("{factor} {}", cell.cell.get(factor))).collect();
            let _ = writeln!(
                text,
                "* {name}: at most {} of a cell's trials ({}: {} of {total}).",
                percent(tally.refusals().value),
                at.join(", "),
                kinds.join(", ")
            );
        }
    }
    if text.is_empty() { "No trial was left without an answer.\n".into() } else { text }
}

/// A table with one row a cell, named by `factors`, and one column a procedure; every rate in percent with its Monte
/// Carlo standard error, bold where it errs by more than half of the nominal 5%.
pub fn table(cells: &[&CellResult], factors: &[&str], procedures: &[&str], measure: Measure) -> String {
    let mut text = format!("| {} | {} |\n|", factors.join(" | "), procedures.join(" | "));
    text.push_str(&"---|".repeat(factors.len()));
    text.push_str(&"---:|".repeat(procedures.len()));
    text.push('\n');
    for cell in cells {
        let named: Vec<&str> = factors.iter().map(|factor| cell.cell.get(factor)).collect();
        let rates: Vec<String> = procedures
            .iter()
            .map(|name| {
                cell.procedure(name).and_then(|tally| measure.of(tally)).map_or_else(
                    || "–".to_owned(),
                    |rate| {
                        let shown = format!("{:.1}", 100.0 * rate.value);
                        let shown = if measure.far(rate) { format!("**{shown}**") } else { shown };
                        format!("{shown} ± {:.1}", 100.0 * rate.se)
                    },
                )
            })
            .collect();
        let _ = writeln!(text, "| {} | {} |", named.join(" | "), rates.join(" | "));
    }
    text
}
