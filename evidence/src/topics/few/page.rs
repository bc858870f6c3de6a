//! The page: a table of verdicts, what held where a default did not, and every rate.

use std::fmt::Write as _;

use super::cells::BLOCKS;
use super::procedures::{Model, PROCEDURES, Procedure, SHARES};
use super::{ANSWERS, BAND, Fares, fares};
use crate::grid::{CellResult, Results, Tally};
use crate::page::{Figure, Measure, Page, Summary, percent, table};

const FACTORS: [&str; 5] = ["outcome", "allocation", "ICC", "sizes", "families"];

/// A table with the cells in rows.
fn headed(columns: &[&str], right: bool) -> String {
    let line = if right { "---:|" } else { "---|" };
    format!(
        "| {} | {} |\n|{}{}\n",
        FACTORS.join(" | "),
        columns.join(" | "),
        "---|".repeat(FACTORS.len()),
        line.repeat(columns.len())
    )
}

fn factors(cell: &CellResult) -> String {
    FACTORS.map(|factor| cell.cell.get(factor)).join(" | ")
}

/// A size in percent, with what is wrong about it.
fn verdict(tally: &Tally) -> String {
    let size = format!("{:.1}", 100.0 * tally.rejections().value);
    match fares(tally) {
        Fares::Holds => size,
        Fares::Often => format!("**{size}** ↑"),
        Fares::Seldom => format!("**{size}** ↓"),
        Fares::Silent => format!("**{:.0}%** answered", 100.0 * (1.0 - tally.refusals().value)),
    }
}

/// What a model gives by default in a cell.
fn default_of(model: Model, cell: &CellResult) -> Option<(&'static Procedure, &Tally)> {
    let mut own = PROCEDURES.iter().filter(|p| p.model == model);
    own.find_map(|procedure| Some((procedure, cell.procedure(procedure.name)?)))
}

/// The defaults of every model in every cell.
fn verdicts(cells: &[&CellResult]) -> String {
    let mut text = headed(&Model::ALL.map(Model::name), true);
    for cell in cells {
        let found = Model::ALL
            .map(|model| default_of(model, cell).map_or_else(|| "–".to_owned(), |(_, tally)| verdict(tally)));
        let _ = writeln!(text, "| {} | {} |", factors(cell), found.join(" | "));
    }
    text
}

/// What held in every cell.
fn held(cells: &[&CellResult]) -> String {
    let mut text = headed(&["these held"], false);
    for cell in cells {
        let found: Vec<&str> = PROCEDURES
            .iter()
            .filter(|p| cell.procedure(p.name).is_some_and(|tally| fares(tally) == Fares::Holds))
            .map(|p| p.name)
            .collect();
        let found = if found.is_empty() { "none".to_owned() } else { found.join("; ") };
        let _ = writeln!(text, "| {} | {found} |", factors(cell));
    }
    text
}

/// In how many of the cells a procedure fares how: holds, often, seldom, silent.
fn counts(tallies: &[&Tally]) -> [usize; 5] {
    let of = |what: Fares| tallies.iter().filter(|tally| fares(tally) == what).count();
    [tallies.len(), of(Fares::Holds), of(Fares::Often), of(Fares::Seldom), of(Fares::Silent)]
}

/// The trials that a procedure was given.
fn trials(tally: &Tally) -> u64 {
    tally.answered + tally.refused.values().sum::<u64>()
}

/// How often each procedure holds, with the extremes of its size.
fn scores(cells: &[&CellResult]) -> String {
    let mut text = String::from(
        "| procedure | trials a cell | cells | in the band | too often | too seldom | under 99% answered | lowest size | highest size |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for procedure in &PROCEDURES {
        let tallies: Vec<&Tally> = cells.iter().filter_map(|cell| cell.procedure(procedure.name)).collect();
        let [all, holds, often, seldom, silent] = counts(&tallies);
        let trials = tallies.iter().map(|tally| trials(tally)).max().unwrap_or(0);
        let sizes =
            || cells.iter().filter_map(|cell| Measure::Rejections.of(cell.procedure(procedure.name)?));
        let low = sizes().map(|rate| rate.value).fold(f64::INFINITY, f64::min);
        let high = sizes().map(|rate| rate.value).fold(0.0, f64::max);
        let name =
            if procedure.default { format!("**{}**", procedure.name) } else { procedure.name.to_owned() };
        let _ = writeln!(
            text,
            "| {name} | {trials} | {all} | {holds} | {often} | {seldom} | {silent} | {} | {} |",
            percent(low),
            percent(high)
        );
    }
    text
}

/// The blocks of the grid with their reasons.
fn reasons() -> String {
    let mut text =
        String::from("| outcome | allocation | ICC | sizes | families | why |\n|---|---|---|---|---|---|\n");
    for block in &BLOCKS {
        let cell = block.cell(block.families[0]);
        let families: Vec<String> = block.families.iter().map(usize::to_string).collect();
        let named = FACTORS[..4].iter().map(|factor| cell.get(factor)).collect::<Vec<_>>().join(" | ");
        let _ = writeln!(text, "| {named} | {} | {} |", families.join(", "), block.why);
    }
    text
}

/// Every rate, a table a model, shares apart from long tails.
fn rates(cells: &[&CellResult], measure: Measure) -> String {
    let mut text = String::new();
    for model in Model::ALL {
        let names: Vec<&str> = PROCEDURES.iter().filter(|p| p.model == model).map(|p| p.name).collect();
        let own: Vec<&CellResult> = cells
            .iter()
            .copied()
            .filter(|cell| {
                names.iter().any(|name| cell.procedure(name).is_some_and(|tally| measure.of(tally).is_some()))
            })
            .collect();
        if !own.is_empty() {
            let _ = writeln!(text, "### {}\n\n{}", model.name(), table(&own, &FACTORS, &names, measure));
        }
    }
    text
}

/// The procedures of which results of crewe speak.
fn spoken() -> impl Iterator<Item = &'static str> {
    let passed_over = |name: &str| {
        name.contains("margin") || name.contains("independence") || name.contains("linear first")
    };
    PROCEDURES.iter().map(|p| p.name).filter(move |name| !passed_over(name))
}

/// What results of crewe quote (`src/inference/few.tsv`): sizes in percent at an ICC of .3, with a sign where they do not hold.
pub fn quoted(results: &Results) -> String {
    let mut text = format!("outcome\tallocation\tfamilies\t{}\n", spoken().collect::<Vec<_>>().join("\t"));
    let cells = results.select(&[("ICC", "0.3"), ("sizes", "mean 2.5")]);
    for cell in cells.iter().filter(|cell| !cell.cell.get("outcome").contains(" and ")) {
        let of = |name: &str| {
            let Some(tally) = cell.procedure(name) else { return String::new() };
            let size = format!("{:.1}", 100.0 * tally.rejections().value);
            match fares(tally) {
                Fares::Holds => size,
                Fares::Often => size + "+",
                Fares::Seldom => size + "-",
                Fares::Silent => format!("{:.1}?", 100.0 * (1.0 - tally.refusals().value)),
            }
        };
        let found: Vec<String> = spoken().map(of).collect();
        let named = ["outcome", "allocation", "families"].map(|factor| cell.cell.get(factor)).join("\t");
        let _ = writeln!(text, "{named}\t{}", found.join("\t"));
    }
    text
}

pub fn page(results: &Results) -> Page {
    let (null, effect): (Vec<&CellResult>, Vec<&CellResult>) =
        results.cells.iter().partition(|cell| !cell.cell.get("outcome").contains(" and "));
    let dear: Vec<&str> = PROCEDURES.iter().filter(|p| p.share == SHARES[2]).map(|p| p.name).collect();
    let markdown = format!(
        "\
Whether the defaults of crewe's models can be read with few families: {cells} cells, {null_cells} of them without an effect. A
procedure *holds* in a cell where it answers at least {answers} of trials and its size lies between {low} and {high}, two Monte Carlo
standard errors allowed for. Models have the arm, a covariate of the family and one of the child. Outcomes of 0 and 1 have logit
P = a + b arm + .5 history + .3 age, and siblings share the uniform number that decides with probability √ICC; skewed outcomes
are sums of a family's and a child's exponential part, .5 history and .3 age. A trial in which all children have the same outcome,
or in which history says no more than the arm, is drawn again. Bootstraps take 399 draws (all signs of ten families),
randomisation tests 199, by the studentised coefficient of the linear model. Defaults get all trials, what is no default or takes over 2 ms one in
{others}, and {dear} one in {least}, up to 40 families; the first table says how many. GEE with a gaussian family is corrected by MD by
default, with a binomial one by KC; a logit with Firth's penalty by refits (CV3) up to 40 clusters, then by CR1. Times to an event have [a page of their own](survival.md).

## How often each procedure holds

Defaults are bold.

{scores}
## The defaults, cell by cell

Size in percent; ↑ rejects too often, ↓ too seldom; a share in bold is that of the trials which were answered.

{verdicts}
## What held, cell by cell

{held}
## Why these cells

{reasons}
## No effect: rejections in percent

{rejections}
## True effects: coverage of the 95% interval in percent

{coverage}
## Trials without an answer, percent

{refusals}",
        cells = results.cells.len(),
        null_cells = null.len(),
        answers = percent(ANSWERS),
        low = percent(BAND[0]),
        high = percent(BAND[1]),
        dear = dear.join(", "),
        others = SHARES[1],
        least = SHARES[2],
        scores = scores(&null),
        verdicts = verdicts(&null),
        held = held(&null),
        reasons = reasons(),
        rejections = rates(&null, Measure::Rejections),
        coverage = rates(&effect, Measure::Coverage),
        refusals = table(
            &null,
            &FACTORS,
            &["OLS, CR2", "logit, CR2", "Firth, CR1", "cluster means, t", "GEE, KC", "logit GEE, KC", "mixed, Kenward-Roger"],
            Measure::Refusals
        ),
    );
    let passed_over = [Model::Linear, Model::Logit, Model::Randomisation];
    let summary = Model::ALL
        .into_iter()
        .filter(|model| !passed_over.contains(model))
        .map(|model| summary(&null, model))
        .collect();
    let figures = vec![Figure { file: "few.tsv".into(), svg: quoted(results) }];
    Page { markdown, figures, summary }
}

/// The line of a default on the index.
fn summary(null: &[&CellResult], model: Model) -> Summary {
    let own: Vec<(&CellResult, &Tally)> =
        null.iter().filter_map(|cell| Some((*cell, default_of(model, cell)?.1))).collect();
    let [all, holds, often, seldom, silent] =
        counts(&own.iter().map(|(_, tally)| *tally).collect::<Vec<_>>());
    let worst = |high: bool| {
        let order = |a: &&(&CellResult, &Tally), b: &&(&CellResult, &Tally)| {
            a.1.rejections().value.total_cmp(&b.1.rejections().value)
        };
        let found = if high { own.iter().max_by(order) } else { own.iter().min_by(order) };
        found.map_or_else(String::new, |(cell, tally)| {
            format!(
                "{} ({}, {}, ICC {}, {} families)",
                percent(tally.rejections().value),
                cell.cell.get("outcome"),
                cell.cell.get("allocation"),
                cell.cell.get("ICC"),
                cell.cell.get("families")
            )
        })
    };
    Summary {
        procedure: model.named(),
        holds: format!("size of 3.5% to 5.6% in {holds} of {all} cells of 10 to 200 families"),
        fails: format!(
            "too often in {often}, at most {}; too seldom in {seldom}, at least {}; under 99% answered in {silent}",
            worst(true),
            worst(false)
        ),
    }
}
