//! Times to closure with siblings: Cox models, the log-rank test and restricted means.

use crewe::Result;
use crewe::dist;
use crewe::inference::Vcov;
use crewe::survival::{Cox, RmstOptions, Surv, logrank, rmst};
use ndarray::s;

use crate::families::{Allocation, Children, FAMILIES, ICC, Randomised, Sizes, over_covariates};
use crate::figure::{Series, lines};
use crate::grid::{Cell, CellResult, Results, Run, Topic, Verdict};
use crate::page::{Figure, Measure, Page, Summary, quote, refusals, span, table};

pub const TOPIC: Topic = Topic { name: "survival", title: "Times to an event with families", run, page };

const CR0: &str = "Cox, CR0, z";
const CR0_T: &str = "Cox, CR0, t(G-1)";
const MODEL: &str = "Cox, model-based, z";
const ALONE: &str = "arm alone, CR0, z";
const SCORE: &str = "arm alone, robust score";
const MEANS: &str = "restricted means, clusters";
const GREENWOOD: &str = "restricted means, Greenwood";
/// The corrections of the sandwich for few clusters, on t(G - 1); CR3 is the default.
const CORRECTED: [(&str, Vcov); 4] = [(CR3, Vcov::Cr3), (KC, Vcov::Kc), (FG, Vcov::Fg), (MBN, Vcov::Mbn)];
const CR3: &str = "Cox, CR3, t(G-1)";
const KC: &str = "Cox, KC, t(G-1)";
const FG: &str = "Cox, FG, t(G-1)";
const MBN: &str = "Cox, MBN, t(G-1)";
const PROCEDURES: [&str; 12] =
    [CR3, CR0, CR0_T, KC, FG, MBN, MODEL, ALONE, SCORE, "log-rank", MEANS, GREENWOOD];
/// Those with an interval of something whose truth is known.
const INTERVALS: [&str; 6] = [CR3, CR0, CR0_T, MODEL, MEANS, GREENWOOD];

/// Control children close at a rate at which 64% have closed after 330 days.
const RATE: f64 = 0.003_1;

/// The horizon of restricted means: every family is followed for longer.
const HORIZON: u32 = 210;

/// What a child's hazard is multiplied by.
fn relative(log_ratio: f64, [arm, history, age]: [f64; 3]) -> f64 {
    (log_ratio * arm - 0.3 * history + 0.15 * age).exp()
}

/// The mean of the first days without the event, over the covariates: times are rounded up to whole days.
fn mean_days(log_ratio: f64) -> f64 {
    over_covariates(|history, age| {
        let rate = RATE * relative(log_ratio, [1.0, history, age]);
        (0..HORIZON).map(|day| (-rate * f64::from(day)).exp()).sum()
    })
}

fn run(run: &Run) -> Result<Vec<CellResult>> {
    let mut cells = Vec::new();
    for ratio in [1.0, 1.5] {
        for allocation in Allocation::BOTH {
            for icc in ICC {
                if ratio > 1.0 && (allocation == Allocation::Equal || icc == 0.1) {
                    continue;
                }
                for families in FAMILIES {
                    let cell = Cell::new([
                        ("hazard ratio", ratio.to_string()),
                        ("allocation", allocation.name().to_owned()),
                        ("ICC", icc.to_string()),
                        ("families", families.to_string()),
                    ]);
                    cells.push(simulate(run, cell, ratio, allocation, icc, families)?);
                }
            }
        }
    }
    Ok(cells)
}

fn simulate(
    run: &Run,
    cell: Cell,
    ratio: f64,
    allocation: Allocation,
    icc: f64,
    families: usize,
) -> Result<CellResult> {
    let share = if families > 150 { 10 } else { 5 };
    let sims = run.replicates(share);
    let arms = Randomised::new(run, TOPIC.name, &cell, sims, families, allocation.ratio(), None)?;
    let log_ratio: f64 = ratio.ln();
    let truth = Truth { log_ratio, days: mean_days(log_ratio) - mean_days(0.0) };
    Ok(run.simulate(TOPIC.name, &cell, &PROCEDURES, share, |stream, i| {
        let answer = Children::draw(stream, &arms.arms(i), Sizes::Crewe).map(|children| {
            let uniforms = children.copula_uniforms(stream, icc);
            // Families enter over eight months and are followed to one day.
            let follow: Vec<f64> = (0..families).map(|_| 215.0 + (242.0 * stream.unit()).floor()).collect();
            let (mut time, mut event) = (Vec::new(), Vec::new());
            for (row, uniform) in uniforms.iter().enumerate() {
                let x = children.x.row(row);
                let rate = RATE * relative(log_ratio, [x[0], x[1], x[2]]);
                let day = (-uniform.max(f64::MIN_POSITIVE).ln() / rate).ceil();
                let end = follow[children.family[row] as usize];
                time.push(day.min(end));
                event.push(f64::from(day <= end));
            }
            analyse(&children, &time, &event, truth)
        });
        answer.unwrap_or_else(|error| vec![Verdict::error(&error); PROCEDURES.len()])
    }))
}

/// The log hazard ratio of the arm, and the difference of the restricted means.
#[derive(Clone, Copy)]
struct Truth {
    log_ratio: f64,
    days: f64,
}

fn analyse(children: &Children, time: &[f64], event: &[f64], truth: Truth) -> Vec<Verdict> {
    let surv = Surv::new(time, event);
    let clusters = Some(&children.clusters);
    let mut verdicts = match Cox::new(surv.clone(), children.x.view()).fit() {
        Ok(fit) => {
            let df = children.families as f64 - 1.0;
            let under = |kind: Vcov, df: f64| {
                Verdict::of(fit.vcov(kind, clusters).map(|cov| {
                    Verdict::estimate(fit.coef[0], cov.matrix()[(0, 0)].max(0.0).sqrt(), df, truth.log_ratio)
                }))
            };
            let corrected = CORRECTED.map(|(_, kind)| under(kind, df));
            let [cr3, kc, fg, mbn] = corrected;
            let uncorrected = [under(Vcov::Cr0, f64::INFINITY), under(Vcov::Cr0, df)];
            let [cr0, cr0_t] = uncorrected;
            vec![cr3, cr0, cr0_t, kc, fg, mbn, under(Vcov::Iid, f64::INFINITY)]
        }
        Err(error) => vec![Verdict::error(&error); 3 + CORRECTED.len()],
    };
    let arm = children.x.slice(s![.., ..1]);
    match Cox::new(surv.clone(), arm).fit() {
        Ok(fit) => {
            // The same hazards averaged over covariates are not proportional: with an effect there is no truth to cover.
            verdicts.push(Verdict::of(fit.vcov(Vcov::Cr0, clusters).map(|cov| {
                let z = fit.coef[0] / cov.matrix()[(0, 0)].max(0.0).sqrt();
                Verdict::test(dist::t_two_sided(z, f64::INFINITY))
            })));
            let score = fit.robust_score(&children.clusters);
            verdicts.push(Verdict::of(score.map(|test| Verdict::test(test.p_value))));
        }
        Err(error) => verdicts.extend(vec![Verdict::error(&error); 2]),
    }
    let codes: Vec<u32> = children.x.column(0).iter().map(|&arm| arm as u32).collect();
    let names = ["control", "treated"];
    verdicts.push(Verdict::of(logrank(&surv, &codes, &names, None).map(|test| Verdict::test(test.p_value))));
    for clusters in [clusters, None] {
        let options = RmstOptions::default().horizon(f64::from(HORIZON));
        verdicts.push(Verdict::of(rmst(&surv, Some(&codes), &names, clusters, options).map(|found| {
            let found = found.differences;
            Verdict::estimate(found.estimate[0], found.std_error[0], found.df[0], truth.days)
        })));
    }
    verdicts
}

const FACTORS: [&str; 3] = ["allocation", "ICC", "families"];

#[allow(clippy::too_many_lines)] // The text of the page and the numbers that it quotes stand together.
fn page(results: &Results) -> Page {
    let null = results.select(&[("hazard ratio", "1")]);
    let effect = results.select(&[("hazard ratio", "1.5")]);
    let at = |families: &str, name: &str| {
        span(&results.select(&[("hazard ratio", "1"), ("families", families)]), name, Measure::Rejections)
    };
    let covered = |families: &str, name: &str| {
        span(&results.select(&[("hazard ratio", "1.5"), ("families", families)]), name, Measure::Coverage)
    };
    let one = |icc: &str, families: &str, name: &str| {
        let cells = results.select(&[
            ("hazard ratio", "1"),
            ("allocation", "2:1"),
            ("ICC", icc),
            ("families", families),
        ]);
        quote(cells[0], name, Measure::Rejections)
    };
    let unanswered = |icc: &str, families: &str, name: &str| {
        let cells = results.select(&[
            ("hazard ratio", "1"),
            ("allocation", "2:1"),
            ("ICC", icc),
            ("families", families),
        ]);
        let answered = cells[0].procedure(name).map_or(0, |tally| tally.answered);
        format!("{:.1}%", 100.0 * (1.0 - answered as f64 / cells[0].sims as f64))
    };
    let markdown = format!(
        "\
`cw.coxph`, `cw.logrank` and `cw.rmst` with families. Control children close at a constant rate, 64% within 330 days; hazards are
multiplied by exp(−.3 history + .15 age) and the hazard ratio of the arm. Families are followed for 215 to 457 days and
times are whole days. Siblings' times follow a Gaussian copula whose correlation is the ICC column, so that
hazards stay proportional and the true hazard ratio is known; at 1 siblings differ by their covariate only. Restricted means are
compared at 210 days, when 48% of control children have closed; at a hazard ratio of 1.5 the treated mean is {days:.1} days
shorter. A trial takes over 2 ms, so that 2,000 are run in a cell, and 1,000 with 200 families.

## What holds

* The default with `cluster=`, CR3 (the correction of Mancl and DeRouen) on t with G − 1 degrees of freedom: size {cr3_10} with 10
  families, {cr3_20} with 20, {cr3_40} with 40, {cr3_80} with 80, {cr3_132} with 132 and {cr3_200} with 200; a hazard ratio of 1.5 is
  covered in {cr3_cover_10}, {cr3_cover_20}, {cr3_cover_40}, {cr3_cover_80}, {cr3_cover_132} and {cr3_cover_200} of trials.
* Of the other corrections, on the same t, MBN: {mbn_10}, {mbn_20}, {mbn_40} and {mbn_80} with 10, 20, 40 and 80; KC: {kc_10}, {kc_20},
  {kc_40} and {kc_80}; FG: {fg_10}, {fg_20}, {fg_40} and {fg_80}.
* Lin and Wei's errors (CR0 with z, as R's survival) come close with many families: size {cr0_132} with 132,
  {cr0_200} with 200; a hazard ratio of 1.5 is covered in {cover_132} and {cover_200} of trials.
* The robust score test of the arm alone (`fit.robust_score` of a model with the arm only) is better with few: {score_10} with
  10 families, {score_20} with 20, {score_40} with 40, {score_80} with 80.
* Where siblings are independent given the covariates (ICC 0) model-based errors: {single}, 10 families included.
* The difference of restricted means with `cluster=` (sums over families, G/(G − 1), t on G − 2): size {means_80} with 80
  families, {means_132} with 132, {means_200} with 200; the true difference is covered in {mean_cover_80}, {mean_cover_132} and
  {mean_cover_200} of trials.

## Where it fails

* CR0 with few families rejects far too often: {cr0_10} with 10, {cr0_20} with 20, {cr0_40} with 40 and still {cr0_80} with 80
  families. At 2:1 and ICC .36: {one_10}, {one_20} and {one_40} with 10, 20 and 40. Without covariates: {alone_10}, {alone_20} and
  {alone_40}. The interval of a hazard ratio of 1.5 covers it in {cover_10}, {cover_20} and {cover_40}. A t with G − 1 degrees
  of freedom does not repair it: {t_10}, {t_20} and {t_40}.
* Restricted means with `cluster=` reject in {means_10} of trials with 10 families, {means_20} with 20 and {means_40} with 40; at 2:1
  and ICC .36 in {mean_one_10}, {mean_one_20} and {mean_one_40}, since few control families say little of how families differ.
* Model-based errors, the log-rank test and Greenwood's variance know no families, and more families do not help: with 132
  families at 2:1 they reject in {model_0}, {lr_0} and {gw_0} of trials at ICC 0, {model_36}, {lr_36} and {gw_36} at .36, {model_1},
  {lr_1} and {gw_1} at 1.

![Size of tests at 5% by number of families](survival.svg)

## No effect: rejections in percent

{null_table}
## Hazard ratio 1.5: coverage of the 95% interval in percent

{coverage_table}
## Trials without an answer

`separated` is a monotone likelihood: no event in one arm, or at one value of the covariate.

{refused}",
        days = mean_days(0.0) - mean_days(1.5_f64.ln()),
        cr3_10 = at("10", CR3),
        cr3_20 = at("20", CR3),
        cr3_40 = at("40", CR3),
        cr3_80 = at("80", CR3),
        cr3_132 = at("132", CR3),
        cr3_200 = at("200", CR3),
        cr3_cover_10 = covered("10", CR3),
        cr3_cover_20 = covered("20", CR3),
        cr3_cover_40 = covered("40", CR3),
        cr3_cover_80 = covered("80", CR3),
        cr3_cover_132 = covered("132", CR3),
        cr3_cover_200 = covered("200", CR3),
        mbn_10 = at("10", MBN),
        mbn_20 = at("20", MBN),
        mbn_40 = at("40", MBN),
        mbn_80 = at("80", MBN),
        kc_10 = at("10", KC),
        kc_20 = at("20", KC),
        kc_40 = at("40", KC),
        kc_80 = at("80", KC),
        fg_10 = at("10", FG),
        fg_20 = at("20", FG),
        fg_40 = at("40", FG),
        fg_80 = at("80", FG),
        means_10 = at("10", MEANS),
        means_20 = at("20", MEANS),
        means_40 = at("40", MEANS),
        means_80 = at("80", MEANS),
        means_132 = at("132", MEANS),
        means_200 = at("200", MEANS),
        mean_cover_80 = covered("80", MEANS),
        mean_cover_132 = covered("132", MEANS),
        mean_cover_200 = covered("200", MEANS),
        mean_one_10 = one("0.36", "10", MEANS),
        mean_one_20 = one("0.36", "20", MEANS),
        mean_one_40 = one("0.36", "40", MEANS),
        gw_0 = one("0", "132", GREENWOOD),
        gw_36 = one("0.36", "132", GREENWOOD),
        gw_1 = one("1", "132", GREENWOOD),
        cr0_80 = at("80", CR0),
        cr0_132 = at("132", CR0),
        cr0_200 = at("200", CR0),
        single = span(&results.select(&[("hazard ratio", "1"), ("ICC", "0")]), MODEL, Measure::Rejections),
        alone_10 = at("10", ALONE),
        alone_20 = at("20", ALONE),
        alone_40 = at("40", ALONE),
        cover_10 = covered("10", CR0),
        cover_20 = covered("20", CR0),
        cover_40 = covered("40", CR0),
        cover_132 = covered("132", CR0),
        cover_200 = covered("200", CR0),
        score_10 = at("10", SCORE),
        score_20 = at("20", SCORE),
        score_40 = at("40", SCORE),
        score_80 = at("80", SCORE),
        cr0_10 = at("10", CR0),
        cr0_20 = at("20", CR0),
        cr0_40 = at("40", CR0),
        one_10 = one("0.36", "10", CR0),
        one_20 = one("0.36", "20", CR0),
        one_40 = one("0.36", "40", CR0),
        t_10 = at("10", CR0_T),
        t_20 = at("20", CR0_T),
        t_40 = at("40", CR0_T),
        model_0 = one("0", "132", MODEL),
        lr_0 = one("0", "132", "log-rank"),
        model_36 = one("0.36", "132", MODEL),
        lr_36 = one("0.36", "132", "log-rank"),
        model_1 = one("1", "132", MODEL),
        lr_1 = one("1", "132", "log-rank"),
        null_table = table(&null, &FACTORS, &PROCEDURES, Measure::Rejections),
        coverage_table = table(&effect, &FACTORS, &INTERVALS, Measure::Coverage),
        refused = refusals(
            &results.cells.iter().collect::<Vec<_>>(),
            &PROCEDURES,
            &["hazard ratio", "allocation", "ICC", "families"]
        ),
    );
    let drawn = PROCEDURES.iter().filter(|name| ![GREENWOOD, FG, KC].contains(name));
    let series: Vec<Series> = drawn
        .map(|name| Series {
            name: (*name).to_owned(),
            values: FAMILIES
                .map(|families| {
                    let cells = results.select(&[
                        ("hazard ratio", "1"),
                        ("allocation", "2:1"),
                        ("ICC", "0.36"),
                        ("families", &families.to_string()),
                    ]);
                    cells[0].procedure(name).map_or(f64::NAN, |tally| 100.0 * tally.rejections().value)
                })
                .to_vec(),
        })
        .collect();
    let svg = lines(
        "Rejections of no effect at 5%: times, 2:1, ICC .36",
        "families",
        &FAMILIES.map(|f| f.to_string()),
        &series,
        5.0,
        25.0,
    );
    let summary = vec![
        Summary {
            procedure: "`coxph` with families: CR3, t on G − 1 (the default)",
            holds: format!(
                "10, 20, 40, 80, 132, 200 families: {}, {}, {}, {}, {}, {}",
                at("10", CR3),
                at("20", CR3),
                at("40", CR3),
                at("80", CR3),
                at("132", CR3),
                at("200", CR3)
            ),
            fails: format!(
                "where a trial of 10 families has no event in an arm: {} of trials without an answer at 2:1 and ICC .36",
                unanswered("0.36", "10", CR3)
            ),
        },
        Summary {
            procedure: "`coxph` with families: CR0, z",
            holds: format!("132 families and more: {} and {}", at("132", CR0), at("200", CR0)),
            fails: format!(
                "10, 20, 40, 80 families: {}, {}, {}, {}",
                at("10", CR0),
                at("20", CR0),
                at("40", CR0),
                at("80", CR0)
            ),
        },
        Summary {
            procedure: "`rmst` with families: sums over families, t on G − 2",
            holds: format!(
                "80 families and more: {}, {} and {} with 80, 132 and 200",
                at("80", MEANS),
                at("132", MEANS),
                at("200", MEANS)
            ),
            fails: format!(
                "10, 20, 40 families: {}, {}, {}; without `cluster=` {} with 132 families at 2:1 and ICC 1",
                at("10", MEANS),
                at("20", MEANS),
                at("40", MEANS),
                one("1", "132", GREENWOOD)
            ),
        },
        Summary {
            procedure: "`coxph` without `cluster=`, `logrank`",
            holds: format!(
                "ICC 0: {} and {}",
                span(&results.select(&[("hazard ratio", "1"), ("ICC", "0")]), MODEL, Measure::Rejections),
                span(
                    &results.select(&[("hazard ratio", "1"), ("ICC", "0")]),
                    "log-rank",
                    Measure::Rejections
                )
            ),
            fails: format!(
                "siblings, any number of families: {} and {} with 132 families at 2:1 and ICC 1",
                one("1", "132", MODEL),
                one("1", "132", "log-rank")
            ),
        },
    ];
    Page { markdown, figures: vec![Figure { file: "survival.svg".into(), svg }], summary }
}
