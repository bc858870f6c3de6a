//! Logistic regression with siblings: the log odds ratio, and the differences in probability that margins give.

use crewe::Result;
use crewe::inference::Vcov;
use crewe::regression::{Logit, LogitFit};
use ndarray::{Array1, Array2};

use crate::families::{Allocation, Binary, Children, FAMILIES, ICC, Randomised, Sizes, inverse_logit};
use crate::figure::{Series, lines};
use crate::grid::{Cell, CellResult, Results, Run, Topic, Verdict};
use crate::page::{Figure, Measure, Page, Summary, extreme, quote, refusals, span, table};

pub const TOPIC: Topic = Topic { name: "logit", title: "Logistic regression with families", run, page };

const CR2: &str = "log odds ratio, CR2";
const MEANS: &str = "difference at means, CR2";
const OBSERVED: &str = "difference observed, CR2";
const PROCEDURES: [&str; 7] = [
    CR2,
    "log odds ratio, CR1, t(G-1)",
    "log odds ratio, CR0, z",
    "log odds ratio, iid, z",
    "log odds ratio, HC2, z",
    MEANS,
    OBSERVED,
];

/// Control share, difference of the treated, and the label of both.
const MODELS: [(&str, f64, f64); 4] = [
    ("22.6%", 0.226, 0.0),
    ("22.6% and +18 points", 0.226, 0.18),
    ("6%", 0.06, 0.0),
    ("6% and +10 points", 0.06, 0.1),
];

fn run(run: &Run) -> Result<Vec<CellResult>> {
    let mut cells = Vec::new();
    for (label, base, difference) in MODELS {
        for allocation in Allocation::BOTH {
            for icc in ICC {
                // Rare outcomes, and 1:1, at the middle correlation only.
                if icc != 0.36 && (base < 0.1 || allocation == Allocation::Equal) {
                    continue;
                }
                for families in FAMILIES {
                    let cell = Cell::new([
                        ("outcome", label.to_owned()),
                        ("allocation", allocation.name().to_owned()),
                        ("ICC", icc.to_string()),
                        ("families", families.to_string()),
                    ]);
                    let model = Binary::new(base, difference);
                    cells.push(simulate(run, cell, model, allocation, icc, families)?);
                }
            }
        }
    }
    Ok(cells)
}

fn simulate(
    run: &Run,
    cell: Cell,
    model: Binary,
    allocation: Allocation,
    icc: f64,
    families: usize,
) -> Result<CellResult> {
    let share = if families > 150 { 4 } else { 2 };
    let sims = run.replicates(share);
    let arms = Randomised::new(run, TOPIC.name, &cell, sims, families, allocation.ratio(), None)?;
    Ok(run.simulate(TOPIC.name, &cell, &PROCEDURES, share, |stream, i| {
        let answer = Children::draw(stream, &arms.arms(i), Sizes::Crewe).and_then(|children| {
            let y = model.draw(&children, &children.shared_uniforms(stream, icc));
            analyse(&children, &y, model)
        });
        answer.unwrap_or_else(|error| vec![Verdict::error(&error); PROCEDURES.len()])
    }))
}

fn analyse(children: &Children, y: &Array1<f64>, model: Binary) -> Result<Vec<Verdict>> {
    let clusters = &children.clusters;
    let fit = Logit::new(y.view(), children.x.view()).fit()?;
    let mut verdicts: Vec<Verdict> =
        [(Vcov::Cr2, false), (Vcov::Cr1, false), (Vcov::Cr0, true), (Vcov::Iid, true), (Vcov::Hc2, true)]
            .into_iter()
            .map(|(kind, normal)| {
                Verdict::of(fit.vcov(kind, Some(clusters)).and_then(|covariance| {
                    let df = if normal { f64::INFINITY } else { covariance.df()?[1] };
                    let se = covariance.matrix()[(1, 1)].max(0.0).sqrt();
                    Ok(Verdict::estimate(fit.coef()[1], se, df, model.log_odds))
                }))
            })
            .collect();
    verdicts.extend(differences(&fit, children, model)?);
    Ok(verdicts)
}

/// The difference in probability between the arms at the means of the covariates, and averaged over the children: the
/// gradient in the coefficients is the contrast that gives the standard error and the degrees of freedom, as in
/// `margins`. The truth is the same quantity at the true coefficients.
fn differences(fit: &LogitFit<'_>, children: &Children, model: Binary) -> Result<Vec<Verdict>> {
    let n = children.n() as f64;
    let mean = [children.x.column(1).sum() / n, children.x.column(2).sum() / n];
    let mut gradient = Array2::zeros((2, 4));
    let (mut estimate, mut truth) = ([0.0; 2], [0.0; 2]);
    let mut add = |kind: usize, weight: f64, history: f64, age: f64| {
        for (sign, arm) in [(-1.0, 0.0), (1.0, 1.0)] {
            let row = [1.0, arm, history, age];
            let p = inverse_logit(row.iter().zip(fit.coef()).map(|(x, b)| x * b).sum());
            estimate[kind] += sign * weight * p;
            truth[kind] += sign * weight * model.probability(arm, history, age);
            for (j, x) in row.iter().enumerate() {
                gradient[[kind, j]] += sign * weight * p * (1.0 - p) * x;
            }
        }
    };
    add(0, 1.0, mean[0], mean[1]);
    children.x.outer_iter().for_each(|row| add(1, 1.0 / n, row[1], row[2]));
    let covariance = fit.vcov(Vcov::Cr2, Some(&children.clusters))?;
    let c = covariance.contrasts(gradient.view(), 0.95)?;
    Ok((0..2).map(|i| Verdict::estimate(estimate[i], c.std_error[i], c.df[i], truth[i])).collect())
}

const FACTORS: [&str; 4] = ["outcome", "allocation", "ICC", "families"];

#[allow(clippy::too_many_lines)] // The text of the page and the numbers that it quotes stand together.
fn page(results: &Results) -> Page {
    let of = |outcome: &str| results.select(&[("outcome", outcome)]);
    let (common, effect, rare, rare_effect) =
        (of("22.6%"), of("22.6% and +18 points"), of("6%"), of("6% and +10 points"));
    let from = |outcome: &str, sizes: &[&str]| {
        sizes
            .iter()
            .flat_map(|f| results.select(&[("outcome", outcome), ("families", f)]))
            .collect::<Vec<_>>()
    };
    let large = ["80", "132", "200"];
    let nulls = [common.clone(), rare.clone()].concat();
    let one = |outcome: &str, allocation: &str, icc: &str, families: &str| {
        results.select(&[
            ("outcome", outcome),
            ("allocation", allocation),
            ("ICC", icc),
            ("families", families),
        ])[0]
    };
    let size = |outcome, families, procedure| {
        quote(one(outcome, "2:1", "0.36", families), procedure, Measure::Rejections)
    };
    let refused = |outcome, families| quote(one(outcome, "2:1", "0.36", families), CR2, Measure::Refusals);
    let rejected = |cells: &[&crate::CellResult], name: &str| span(cells, name, Measure::Rejections);
    let covered = |cells: &[&crate::CellResult], name: &str| span(cells, name, Measure::Coverage);
    let markdown = format!(
        "\
`cw.logit` with families, two covariates: logit P = a + b arm + .5 history + .3 age holds exactly for every child, and
siblings share the uniform number that decides with probability √ICC (Lunn and Davies 1998), so the true log odds ratio
is b and the true differences in probability are known. Half as many trials as elsewhere are run (a quarter with 200
families).

## What holds

* At 22.6% and with 80 families or more, CR2's size is {common_large} for the log odds ratio; its interval holds the truth
  in {effect_large} of trials, that of the difference at the means in {means_large}, of the observed difference in
  {observed_large}.

## Where it fails

* CR2 of a log odds ratio is far too cautious with few families, where there is an answer at all: size {common_10} with 10,
  {common_20} with 20 and {common_40} with 40 at an outcome of 22.6%; {rare_10}, {rare_20} and {rare_40} at 6%. With so few use
  `cw.ols`, whose size on such outcomes is [closer to 5%](linear.md), or a randomisation test.
* Separation: at 2:1 and ICC .36 there is no answer in {refused_10} of trials with 10 families, {refused_20} with 20 and
  {refused_40} with 40 at an outcome of 22.6%; at 6% in {rare_refused_10}, {rare_refused_20} and {rare_refused_40}.
  The rates are those of the trials that could be answered, which are not a fair sample of all: a control arm without
  events is left out. `cw.ols` answers the same trials as a difference in shares.
* Differences in probability: at most {worst_means} at the means and {worst_observed} observed of true nulls are rejected,
  and where outcomes are rare (6%, a rise by 10 points) their intervals cover it in {rare_means} and {rare_observed}, of the
  log odds ratio in {rare_effect_all}.

## What others do

With 20 families at 2:1 and ICC .36 no effect is rejected by CR2 in {cr2}, by CR1 (Stata's) in {cr1}, by CR0 with z in
{cr0}, by errors that know no families in {iid} (iid) and {hc2} (HC2).

![Size of tests of the log odds ratio at 5%](logit.svg)

## No effect: rejections in percent

{null_table}
## True effects: coverage of the 95% interval in percent

{coverage_table}
## Trials without an answer, percent

{refusal_table}
{refusal_list}",
        common_large = rejected(&from("22.6%", &large), CR2),
        effect_large = covered(&from("22.6% and +18 points", &large), CR2),
        means_large = covered(&from("22.6% and +18 points", &large), MEANS),
        observed_large = covered(&from("22.6% and +18 points", &large), OBSERVED),
        common_10 = rejected(&from("22.6%", &["10"]), CR2),
        rare_10 = rejected(&from("6%", &["10"]), CR2),
        common_20 = rejected(&from("22.6%", &["20"]), CR2),
        rare_20 = rejected(&from("6%", &["20"]), CR2),
        refused_10 = refused("22.6%", "10"),
        refused_20 = refused("22.6%", "20"),
        refused_40 = refused("22.6%", "40"),
        rare_refused_10 = refused("6%", "10"),
        rare_refused_20 = refused("6%", "20"),
        rare_refused_40 = refused("6%", "40"),
        worst_means = extreme(&nulls, MEANS, Measure::Rejections, true, &FACTORS),
        worst_observed = extreme(&nulls, OBSERVED, Measure::Rejections, true, &FACTORS),
        common_40 = rejected(&from("22.6%", &["40"]), CR2),
        rare_40 = rejected(&from("6%", &["40"]), CR2),
        rare_effect_all = covered(&rare_effect, CR2),
        rare_means = covered(&rare_effect, MEANS),
        rare_observed = covered(&rare_effect, OBSERVED),
        cr2 = size("22.6%", "20", CR2),
        cr1 = size("22.6%", "20", PROCEDURES[1]),
        cr0 = size("22.6%", "20", PROCEDURES[2]),
        iid = size("22.6%", "20", PROCEDURES[3]),
        hc2 = size("22.6%", "20", PROCEDURES[4]),
        null_table = table(&[common.clone(), rare.clone()].concat(), &FACTORS, &PROCEDURES, Measure::Rejections),
        coverage_table =
            table(&[effect.clone(), rare_effect.clone()].concat(), &FACTORS, &PROCEDURES, Measure::Coverage),
        refusal_table = table(
            &["10", "20", "40", "80"].map(|f| results.select(&[("families", f)])).concat(),
            &FACTORS,
            &[CR2],
            Measure::Refusals
        ),
        refusal_list = refusals(&results.cells.iter().collect::<Vec<_>>(), &[CR2], &FACTORS),
    );
    let series = PROCEDURES.map(|name| Series {
        name: name.trim_start_matches("log odds ratio, ").to_owned(),
        values: FAMILIES
            .map(|families| {
                one("22.6%", "2:1", "0.36", &families.to_string())
                    .procedure(name)
                    .map_or(f64::NAN, |tally| 100.0 * tally.rejections().value)
            })
            .to_vec(),
    });
    let svg = lines(
        "Rejections of no effect at 5%: share 22.6%, 2:1, ICC .36",
        "families",
        &FAMILIES.map(|f| f.to_string()),
        &series,
        5.0,
        25.0,
    );
    let summary = vec![
        Summary {
            procedure: "`logit` with families: CR2, Satterthwaite df",
            holds: format!(
                "outcomes of 22.6%, 80 families and more: size {}, coverage {}",
                rejected(&from("22.6%", &large), CR2),
                covered(&from("22.6% and +18 points", &large), CR2)
            ),
            fails: format!(
                "cautious with few families (22.6%: {} with 10, {} with 20, {} with 40); with 10 no answer in {} (22.6%) \
                 or {} (6%) of trials at 2:1, ICC .36",
                rejected(&from("22.6%", &["10"]), CR2),
                rejected(&from("22.6%", &["20"]), CR2),
                rejected(&from("22.6%", &["40"]), CR2),
                refused("22.6%", "10"),
                refused("6%", "10")
            ),
        },
        Summary {
            procedure: "`logit` margins: difference in probability",
            holds: format!(
                "outcomes of 22.6%, 80 families and more: coverage {} at the means, {} observed",
                covered(&from("22.6% and +18 points", &large), MEANS),
                covered(&from("22.6% and +18 points", &large), OBSERVED)
            ),
            fails: format!(
                "6% and +10 points: coverage {} at the means, {} observed",
                covered(&rare_effect, MEANS),
                covered(&rare_effect, OBSERVED)
            ),
        },
    ];
    Page { markdown, figures: vec![Figure { file: "logit.svg".into(), svg }], summary }
}
