//! Rates and small counts: coverage and size computed exactly, over every table that can come out.

use std::collections::BTreeMap;

use crewe::Result;
use crewe::nonparametric::{Alternative, chan_zhang, clopper_pearson, fisher_test, newcombe, wilson};
use crewe::progress::NoMonitor;
use rayon::prelude::*;

use crate::grid::{Cell, CellResult, FIRST, ProcedureResult, Results, Run, Tally, Topic};
use crate::page::{Measure, Page, Summary, quote, span, table};

pub const TOPIC: Topic = Topic { name: "rates", title: "Rates and small counts", run, page };

const ONE: [&str; 3] = ["Wilson", "Clopper-Pearson", "Wald"];
const TWO: [&str; 5] = ["Newcombe", "Chan-Zhang", "Wald difference", "Fisher", "mid-p"];
/// Probabilities are kept as counts out of this many.
const WHOLE: f64 = 1e9;
/// Tables less probable than this at every pair of rates are left out: together below 1e-6.
const NEGLIGIBLE: f64 = 1e-9;
const SIZES: [u64; 5] = [10, 20, 45, 83, 200];
const RATES: [f64; 8] = [0.01, 0.03, 0.06, 0.1, 0.2, 0.3, 0.4, 0.5];
/// Cases of the first and second arm, with the pairs of rates that are tried.
const TABLES: [([u64; 2], &[[f64; 2]]); 5] = [
    ([10, 10], &[[0.06, 0.06], [0.2, 0.2], [0.5, 0.5], [0.1, 0.3], [0.7, 0.3]]),
    ([20, 10], &[[0.06, 0.06], [0.2, 0.2], [0.5, 0.5], [0.1, 0.3], [0.7, 0.3]]),
    ([15, 15], &[[0.06, 0.06], [0.2, 0.2], [0.5, 0.5], [0.1, 0.3], [0.7, 0.3]]),
    ([30, 15], &[[0.06, 0.06], [0.2, 0.2], [0.5, 0.5], [0.1, 0.3], [0.7, 0.3]]),
    ([83, 45], &[[0.03, 0.03], [0.06, 0.06], [0.06, 0.067], [0.1, 0.1], [0.03, 0.1]]),
];

fn run(run: &Run) -> Result<Vec<CellResult>> {
    let mut cells = Vec::new();
    for n in SIZES {
        let found = ONE.map(|name| (0..=n).map(|x| one_rate(name, x, n)).collect::<Result<Vec<_>>>());
        let [wilson, pearson, wald] = found;
        let intervals = [wilson?, pearson?, wald?];
        for rate in RATES {
            let masses = binomial(n, rate);
            let cell = Cell::new([("cases", n.to_string()), ("rate", rate.to_string())]);
            let procedures = ONE.iter().zip(&intervals).map(|(name, ends)| {
                let covered =
                    ends.iter().zip(&masses).filter(|([low, high], _)| *low <= rate && rate <= *high);
                result(name, covered.map(|(_, mass)| mass).sum(), None)
            });
            cells.push(CellResult {
                cell,
                sims: 0,
                procedures: procedures.collect(),
                quantities: BTreeMap::new(),
            });
        }
    }
    for (totals, pairs) in TABLES {
        // Chan and Zhang's search takes a minute over all of these tables: the shortest run has the smallest ones only.
        if run.sims > FIRST || totals[0] == 10 {
            cells.extend(two_rates(totals, pairs)?);
        }
    }
    Ok(cells)
}

fn one_rate(name: &str, x: u64, n: u64) -> Result<[f64; 2]> {
    let ends = match name {
        "Wilson" => wilson(x, n, 0.95)?,
        "Clopper-Pearson" => clopper_pearson(x, n, 0.95)?,
        _ => {
            let p = x as f64 / n as f64;
            let half = 1.959_963_984_540_054 * (p * (1.0 - p) / n as f64).sqrt();
            return Ok([p - half, p + half]);
        }
    };
    Ok([ends.low, ends.high])
}

/// What every procedure says of one table.
struct TableAnswer {
    mass: Vec<f64>,
    ends: [[f64; 2]; 3],
    p_values: [f64; 4],
}

fn two_rates(totals: [u64; 2], pairs: &[[f64; 2]]) -> Result<Vec<CellResult>> {
    let masses: Vec<[Vec<f64>; 2]> =
        pairs.iter().map(|rates| [binomial(totals[0], rates[0]), binomial(totals[1], rates[1])]).collect();
    let tables: Vec<[u64; 2]> = (0..=totals[0])
        .flat_map(|a| (0..=totals[1]).map(move |b| [a, b]))
        .filter(|[a, b]| masses.iter().any(|m| m[0][*a as usize] * m[1][*b as usize] > NEGLIGIBLE))
        .collect();
    let answers: Vec<TableAnswer> = tables
        .into_par_iter()
        .map(|events| {
            let rate = |g: usize| events[g] as f64 / totals[g] as f64;
            let half = 1.959_963_984_540_054
                * (0..2).map(|g| rate(g) * (1.0 - rate(g)) / totals[g] as f64).sum::<f64>().sqrt();
            let d = rate(0) - rate(1);
            let newcombe = newcombe(events, totals, 0.95)?;
            let exact = chan_zhang(events, totals, 0.95, &NoMonitor)?;
            let fisher = fisher_test(events, totals, Alternative::TwoSided, 0.95)?;
            let mass = masses.iter().map(|m| m[0][events[0] as usize] * m[1][events[1] as usize]).collect();
            Ok(TableAnswer {
                mass,
                ends: [
                    [newcombe.low, newcombe.high],
                    [exact.interval.low, exact.interval.high],
                    [d - half, d + half],
                ],
                p_values: [
                    exact.p_value,
                    f64::from(half > 0.0 && d.abs() > half),
                    fisher.p_value,
                    fisher.mid_p_value,
                ],
            })
        })
        .collect::<Result<_>>()?;
    let cells = pairs.iter().enumerate().map(|(pair, rates)| {
        let sum = |of: &dyn Fn(&TableAnswer) -> bool| {
            answers.iter().filter(|a| of(a)).map(|a| a.mass[pair]).sum::<f64>()
        };
        let truth = rates[0] - rates[1];
        let covered = |j: usize| sum(&|a| a.ends[j][0] - 1e-9 <= truth && truth <= a.ends[j][1] + 1e-9);
        // Newcombe's and Wald's intervals test by whether they hold 0.
        let excludes = |j: usize| sum(&|a| a.ends[j][0] > 0.0 || a.ends[j][1] < 0.0);
        let rejected = |j: usize| sum(&|a| a.p_values[j] <= 0.05);
        let procedures = vec![
            result(TWO[0], covered(0), Some(excludes(0))),
            result(TWO[1], covered(1), Some(rejected(0))),
            result(TWO[2], covered(2), Some(excludes(2))),
            test_only(TWO[3], rejected(2)),
            test_only(TWO[4], rejected(3)),
        ];
        let cell = Cell::new([
            ("cases", format!("{} v {}", totals[0], totals[1])),
            ("rates", format!("{} v {}", rates[0], rates[1])),
        ]);
        CellResult { cell, sims: 0, procedures, quantities: BTreeMap::new() }
    });
    Ok(cells.collect())
}

fn result(name: &str, covered: f64, rejected: Option<f64>) -> ProcedureResult {
    let mut found = test_only(name, rejected.unwrap_or(0.0));
    let covered = (WHOLE * covered).round() as u64;
    found.all.covered = Some(covered);
    found.first[2] = covered;
    found
}

fn test_only(name: &str, rejected: f64) -> ProcedureResult {
    let (answered, rejected) = (WHOLE as u64, (WHOLE * rejected).round() as u64);
    let all = Tally { answered, rejected, ..Tally::default() };
    ProcedureResult { name: name.to_owned(), all, first: [answered, rejected, 0] }
}

/// The binomial probabilities of 0..=n.
fn binomial(n: u64, p: f64) -> Vec<f64> {
    let mut mass = (1.0 - p).powi(n as i32);
    (0..=n)
        .map(|x| {
            let here = mass;
            mass *= (n - x) as f64 / (x + 1) as f64 * p / (1.0 - p);
            here
        })
        .collect()
}

fn page(results: &Results) -> Page {
    let all: Vec<_> = results.cells.iter().collect();
    let one: Vec<_> = all.iter().copied().filter(|cell| cell.procedure(ONE[0]).is_some()).collect();
    let two: Vec<_> = all.iter().copied().filter(|cell| cell.procedure(TWO[0]).is_some()).collect();
    let equal: Vec<_> = two
        .iter()
        .copied()
        .filter(|cell| cell.cell.get("rates").split_once(" v ").is_some_and(|(a, b)| a == b))
        .collect();
    let crewe = results.select(&[("cases", "83 v 45"), ("rates", "0.06 v 0.067")]);
    let quoted =
        |name: &str| crewe.first().map_or_else(String::new, |cell| quote(cell, name, Measure::Coverage));
    let covered = |cells: &[&CellResult], name: &str| span(cells, name, Measure::Coverage);
    let markdown = format!(
        "\
`cw.compare_rates` and the intervals of single rates, for independent cases. These are not simulated: probabilities are
summed over every table that can come out (those below 10⁻⁹ left out), so ± is 0. Siblings are not independent cases.

## What holds

* Clopper-Pearson covers at least 95% by construction: {pearson}. Wilson's interval: {wilson}.
* The difference of two rates by Chan and Zhang covers at least 95%: {exact}; by Newcombe: {newcombe}. With 83 and 45 cases
  and rates of 6.0% and 6.7%, as Project Crewe's re-referrals: {crewe_exact} and {crewe_newcombe}.
* Tests of no difference at 5% where there is none: Fisher {fisher}, Chan and Zhang {cz}, mid-p {midp}.

## Where it fails

* The interval that is often the default elsewhere, p ± 1.96 standard errors (Wald), covers a rate in {wald} of samples
  and a difference in {wald_two}; with 83 and 45 cases at 6.0% and 6.7% in {crewe_wald}.
* Wilson's interval falls to its lowest at the smallest rates, where one event more or less decides. Use
  Clopper-Pearson where a guarantee is wanted.
* Fisher's and Chan and Zhang's tests are cautious with few events: see the table at rates of .03 and .06.

## One rate: coverage of the 95% interval in percent

{one_table}
## Two rates: coverage of the 95% interval of the difference in percent

{two_table}
## Two rates, no difference: rejections in percent

{size_table}",
        pearson = covered(&one, ONE[1]),
        wilson = covered(&one, ONE[0]),
        exact = covered(&two, TWO[1]),
        newcombe = covered(&two, TWO[0]),
        crewe_exact = quoted(TWO[1]),
        crewe_newcombe = quoted(TWO[0]),
        fisher = span(&equal, TWO[3], Measure::Rejections),
        cz = span(&equal, TWO[1], Measure::Rejections),
        midp = span(&equal, TWO[4], Measure::Rejections),
        wald = covered(&one, ONE[2]),
        wald_two = covered(&two, TWO[2]),
        crewe_wald = quoted(TWO[2]),
        one_table = table(&one, &["cases", "rate"], &ONE, Measure::Coverage),
        two_table = table(&two, &["cases", "rates"], &TWO[..3], Measure::Coverage),
        size_table = table(&equal, &["cases", "rates"], &TWO, Measure::Rejections),
    );
    let summary = vec![
        Summary {
            procedure: "One rate: Wilson, Clopper-Pearson",
            holds: format!("Clopper-Pearson: coverage {}", covered(&one, ONE[1])),
            fails: format!("Wilson: {} (lowest at rates of 1%)", covered(&one, ONE[0])),
        },
        Summary {
            procedure: "Two rates: Newcombe, Chan-Zhang, Fisher",
            holds: format!(
                "coverage {} (Newcombe), {} (Chan-Zhang)",
                covered(&two, TWO[0]),
                covered(&two, TWO[1])
            ),
            fails: format!(
                "cautious with few events: Fisher's size {}",
                span(&equal, TWO[3], Measure::Rejections)
            ),
        },
    ];
    Page { markdown, figures: Vec::new(), summary }
}
