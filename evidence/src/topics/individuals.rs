//! Individuals randomised: the default HC2 with Bell-McCaffrey degrees of freedom beside n - k and its relatives.

use crewe::Result;
use crewe::inference::Vcov;
use crewe::regression::Ols;
use ndarray::{Array1, Array2, s};

use crate::families::Randomised;
use crate::grid::{Cell, CellResult, Results, Run, Topic, Verdict};
use crate::page::{Measure, Page, Summary, quote, refusals, span, table};

pub const TOPIC: Topic = Topic { name: "individuals", title: "Linear models with individuals", run, page };

const DEFAULT: &str = "HC2, Bell-McCaffrey df";
const PROCEDURES: [&str; 7] = [
    DEFAULT,
    "HC2, t(n-k)",
    "HC0, t(n-k)",
    "HC1, t(n-k)",
    "HC3, t(n-k)",
    "iid, t(n-k)",
    "adjusted, HC2, Bell-McCaffrey df",
];
/// Treated and control.
const ARMS: [[u32; 2]; 8] = [[5, 5], [10, 10], [6, 30], [10, 30], [20, 20], [20, 60], [88, 44], [100, 100]];
const UNEQUAL: &str = "treated vary twice as much";
const BINARY: &str = "0 or 1, 22.6%";
const ERRORS: [&str; 4] = ["normal", "skewed", UNEQUAL, BINARY];

fn run(run: &Run) -> Result<Vec<CellResult>> {
    let mut cells = Vec::new();
    for outcome in ERRORS {
        for [treated, control] in ARMS {
            let cell =
                Cell::new([("outcome", outcome.to_owned()), ("arms", format!("{treated} v {control}"))]);
            let n = (treated + control) as usize;
            let arms = Randomised::new(run, TOPIC.name, &cell, run.sims, n, [control, treated], None)?;
            cells.push(run.simulate(TOPIC.name, &cell, &PROCEDURES, 1, |stream, i| {
                let mut x = Array2::zeros((n, 2));
                let mut y = Array1::zeros(n);
                for (row, arm) in arms.arms(i).into_iter().enumerate() {
                    let age = stream.normal();
                    x[[row, 0]] = arm;
                    x[[row, 1]] = age;
                    y[row] = match outcome {
                        "normal" => 0.3 * age + stream.normal(),
                        "skewed" => 0.3 * age - (1.0 - stream.unit()).ln(),
                        UNEQUAL => 0.3 * age + (1.0 + arm) * stream.normal(),
                        _ => f64::from(stream.unit() < 0.226),
                    };
                }
                analyse(&x, &y)
            }));
        }
    }
    Ok(cells)
}

fn analyse(x: &Array2<f64>, y: &Array1<f64>) -> Vec<Verdict> {
    let alone = x.slice(s![.., ..1]);
    let residual = x.nrows() as f64 - 2.0;
    let mut verdicts = match Ols::new(y.view(), alone).fit() {
        Ok(fit) => [
            (Vcov::Hc2, false),
            (Vcov::Hc2, true),
            (Vcov::Hc0, true),
            (Vcov::Hc1, true),
            (Vcov::Hc3, true),
            (Vcov::Iid, true),
        ]
        .map(|(kind, plain)| {
            Verdict::of(fit.vcov(kind, None).and_then(|covariance| {
                let df = if plain { residual } else { covariance.df()?[1] };
                let se = covariance.matrix()[(1, 1)].max(0.0).sqrt();
                Ok(Verdict::estimate(fit.coef()[1], se, df, 0.0))
            }))
        })
        .to_vec(),
        Err(error) => vec![Verdict::error(&error); PROCEDURES.len() - 1],
    };
    verdicts.push(Verdict::of(Ols::new(y.view(), x.view()).fit().and_then(|fit| {
        let covariance = fit.vcov(Vcov::Hc2, None)?;
        let se = covariance.matrix()[(1, 1)].max(0.0).sqrt();
        Ok(Verdict::estimate(fit.coef()[1], se, covariance.df()?[1], 0.0))
    })));
    verdicts
}

fn page(results: &Results) -> Page {
    let of = |outcome: &str| results.select(&[("outcome", outcome)]);
    let one = |outcome: &str, arms: &str, name: &str| {
        quote(results.select(&[("outcome", outcome), ("arms", arms)])[0], name, Measure::Rejections)
    };
    let all: Vec<_> = results.cells.iter().collect();
    let continuous = [of("normal"), of("skewed"), of(UNEQUAL)].concat();
    let large_binary: Vec<_> = ["20 v 20", "20 v 60", "88 v 44", "100 v 100"]
        .iter()
        .flat_map(|a| results.select(&[("outcome", BINARY), ("arms", a)]))
        .collect();
    let size = |cells: &[&CellResult], name: &str| span(cells, name, Measure::Rejections);
    let markdown = format!(
        "\
`cw.ols` without clusters: difference between arms of individuals, complete randomisation, no effect; the last column
adjusts for a covariate with coefficient .3. A constant effect would shift every procedure alike: coverage is 100% less
size for the continuous outcomes.

## What holds

* Continuous outcomes, skewed ones and unequal spread included: the default's size is {continuous} from 5 v 5 on. Outcomes
  of 0 or 1 with 20 or more in the smaller arm: {large_binary}.
* At 6 v 30 where the six vary twice as much the default rejects in {bm}; HC2 with n − k degrees of freedom in {nk}, HC1
  in {hc1}, HC3 in {hc3} and iid in {iid}. Hence the default degrees of freedom.

## Where it fails

* **Outcomes of 0 or 1 with a small arm and a larger one.** At 6 v 30 the default rejects in {binary_6} of trials without an
  effect, at 10 v 30 in {binary_10}; every HC does so, iid does not ({binary_iid} and {binary_iid_10}). When nobody in the small
  arm has the outcome (one trial in five at 6 v 30) its estimated variance is 0, and only the other arm's is left.
  Use Fisher's exact test or `compare_rates` there.
* Equal small arms make it cautious: {binary_5} at 5 v 5 and {binary_10_10} at 10 v 10.
* Adjusting for a covariate changes little: {adjusted} on continuous outcomes, {adjusted_binary} at 6 v 30 with outcomes of 0 or
  1.

## No effect: rejections in percent

{table}
## Trials without an answer

`undefined` are trials in which every individual of both arms has the same outcome.

{refused}",
        continuous = size(&continuous, DEFAULT),
        large_binary = size(&large_binary, DEFAULT),
        bm = one(UNEQUAL, "6 v 30", DEFAULT),
        nk = one(UNEQUAL, "6 v 30", PROCEDURES[1]),
        hc1 = one(UNEQUAL, "6 v 30", PROCEDURES[3]),
        hc3 = one(UNEQUAL, "6 v 30", PROCEDURES[4]),
        iid = one(UNEQUAL, "6 v 30", PROCEDURES[5]),
        binary_5 = one(BINARY, "5 v 5", DEFAULT),
        binary_6 = one(BINARY, "6 v 30", DEFAULT),
        binary_10 = one(BINARY, "10 v 30", DEFAULT),
        binary_iid = one(BINARY, "6 v 30", PROCEDURES[5]),
        binary_iid_10 = one(BINARY, "10 v 30", PROCEDURES[5]),
        binary_10_10 = one(BINARY, "10 v 10", DEFAULT),
        adjusted = size(&continuous, PROCEDURES[6]),
        adjusted_binary = one(BINARY, "6 v 30", PROCEDURES[6]),
        table = table(&all, &["outcome", "arms"], &PROCEDURES, Measure::Rejections),
        refused = refusals(&all, &PROCEDURES, &["outcome", "arms"]),
    );
    let summary = vec![Summary {
        procedure: "`ols` with individuals: HC2, Bell-McCaffrey df",
        holds: format!(
            "continuous outcomes from 5 v 5 on: size {}; outcomes of 0 or 1 with 20 and more in the smaller arm: {}",
            size(&continuous, DEFAULT),
            size(&large_binary, DEFAULT)
        ),
        fails: format!(
            "outcomes of 0 or 1 with a small arm: {} at 6 v 30, {} at 10 v 30",
            one(BINARY, "6 v 30", DEFAULT),
            one(BINARY, "10 v 30", DEFAULT)
        ),
    }];
    Page { markdown, figures: Vec::new(), summary }
}
