//! OLS with siblings: the default CR2 with Satterthwaite degrees of freedom beside what else is in use.

use crewe::Result;
use crewe::inference::{Clusters, Vcov};
use crewe::regression::{Ols, OlsFit};
use crewe::rng::Stream;
use ndarray::{Array1, s};

use crate::families::{Allocation, Binary, Children, FAMILIES, ICC, Randomised, Sizes};
use crate::figure::{Series, lines};
use crate::grid::{Cell, CellResult, Results, Run, Topic, Verdict};
use crate::page::{Figure, Measure, Page, Summary, extreme, quote, refusals, span, table};

pub const TOPIC: Topic = Topic { name: "linear", title: "Linear models with families", run, page };

const CR2: &str = "CR2";
const UNADJUSTED: &str = "difference in means, CR2";
const PROCEDURES: [&str; 8] =
    [CR2, "CR1, t(G-1)", "CR1S, t(G-1)", "CR0, z", "CR3, t(G-1)", "iid", "HC2", UNADJUSTED];

/// How outcomes are made.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    /// Normal family and child parts.
    Normal,
    /// The family's part is exponential.
    Skewed,
    /// The effect differs between families: mean .5, standard deviation 1.
    Varying,
    /// 0 or 1, with the control share and the difference of the treated.
    Binary { base: f64, difference: f64 },
}

struct Setting {
    label: &'static str,
    outcome: Outcome,
    sizes: Sizes,
    icc: &'static [f64],
}

const MIDDLE: &[f64] = &[0.36];
const SETTINGS: [Setting; 8] = [
    Setting { label: "normal", outcome: Outcome::Normal, sizes: Sizes::Crewe, icc: &ICC },
    Setting { label: "normal, equal sizes", outcome: Outcome::Normal, sizes: Sizes::Equal(3), icc: MIDDLE },
    Setting { label: "skewed", outcome: Outcome::Skewed, sizes: Sizes::Crewe, icc: MIDDLE },
    Setting { label: "varying effect", outcome: Outcome::Varying, sizes: Sizes::Crewe, icc: MIDDLE },
    Setting {
        label: "22.6%",
        outcome: Outcome::Binary { base: 0.226, difference: 0.0 },
        sizes: Sizes::Crewe,
        icc: &ICC,
    },
    Setting {
        label: "22.6% and +18 points",
        outcome: Outcome::Binary { base: 0.226, difference: 0.18 },
        sizes: Sizes::Crewe,
        icc: &ICC,
    },
    Setting {
        label: "6%",
        outcome: Outcome::Binary { base: 0.06, difference: 0.0 },
        sizes: Sizes::Crewe,
        icc: MIDDLE,
    },
    Setting {
        label: "6% and +10 points",
        outcome: Outcome::Binary { base: 0.06, difference: 0.1 },
        sizes: Sizes::Crewe,
        icc: MIDDLE,
    },
];

/// Few control families: what 2:1 does not show.
const FEW_CONTROLS: [Setting; 2] = [
    Setting { label: "normal, 5:1", outcome: Outcome::Normal, sizes: Sizes::Crewe, icc: MIDDLE },
    Setting {
        label: "22.6%, 5:1",
        outcome: Outcome::Binary { base: 0.226, difference: 0.0 },
        sizes: Sizes::Crewe,
        icc: MIDDLE,
    },
];
const FEW_CONTROLS_FAMILIES: [usize; 4] = [18, 36, 72, 132];

fn run(run: &Run) -> Result<Vec<CellResult>> {
    let mut cells = Vec::new();
    for setting in &SETTINGS {
        for allocation in Allocation::BOTH {
            for &icc in setting.icc {
                for families in FAMILIES {
                    // The binary grid at 1:1 is kept to the middle correlation.
                    let binary = matches!(setting.outcome, Outcome::Binary { .. });
                    if binary && allocation == Allocation::Equal && icc != 0.36 {
                        continue;
                    }
                    cells.push(simulate(run, setting, allocation, icc, families)?);
                }
            }
        }
    }
    for setting in &FEW_CONTROLS {
        for families in FEW_CONTROLS_FAMILIES {
            cells.push(simulate(run, setting, Allocation::FiveToOne, setting.icc[0], families)?);
        }
    }
    Ok(cells)
}

fn simulate(
    run: &Run,
    setting: &Setting,
    allocation: Allocation,
    icc: f64,
    families: usize,
) -> Result<CellResult> {
    let cell = Cell::new([
        ("outcome", setting.label.to_owned()),
        ("allocation", allocation.name().to_owned()),
        ("ICC", icc.to_string()),
        ("families", families.to_string()),
    ]);
    let share = if families > 100 { 2 } else { 1 };
    let sims = run.replicates(share);
    let arms = Randomised::new(run, TOPIC.name, &cell, sims, families, allocation.ratio(), None)?;
    let model = match setting.outcome {
        Outcome::Binary { base, difference } => Some(Binary::new(base, difference)),
        _ => None,
    };
    let truth = match setting.outcome {
        Outcome::Binary { difference, .. } => difference,
        Outcome::Varying => 0.5,
        _ => 0.0,
    };
    Ok(run.simulate(TOPIC.name, &cell, &PROCEDURES, share, |stream, i| {
        let trial = Children::draw(stream, &arms.arms(i), setting.sizes).map(|children| {
            let y = match model {
                Some(model) => model.draw(&children, &children.shared_uniforms(stream, icc)),
                None => continuous(stream, &children, setting.outcome, icc),
            };
            (children, y)
        });
        match trial {
            Ok((children, y)) => analyse(&children, &y, truth),
            Err(error) => vec![Verdict::error(&error); PROCEDURES.len()],
        }
    }))
}

fn continuous(stream: &mut Stream, children: &Children, outcome: Outcome, icc: f64) -> Array1<f64> {
    let family: Vec<f64> = (0..children.families)
        .map(|_| match outcome {
            Outcome::Skewed => -(1.0 - stream.unit()).ln() - 1.0,
            _ => stream.normal(),
        })
        .collect();
    let effect: Vec<f64> = match outcome {
        Outcome::Varying => (0..children.families).map(|_| 0.5 + stream.normal()).collect(),
        _ => vec![0.0; children.families],
    };
    Array1::from_shape_fn(children.n(), |i| {
        let (row, g) = (children.x.row(i), children.family[i] as usize);
        let noise = icc.sqrt() * family[g] + (1.0 - icc).sqrt() * stream.normal();
        effect[g] * row[0] + 0.5 * row[1] + 0.3 * row[2] + noise
    })
}

fn analyse(children: &Children, y: &Array1<f64>, truth: f64) -> Vec<Verdict> {
    let clusters = &children.clusters;
    let mut verdicts = match Ols::new(y.view(), children.x.view()).fit() {
        Ok(fit) => [
            (Vcov::Cr2, false),
            (Vcov::Cr1, false),
            (Vcov::Cr1s, false),
            (Vcov::Cr0, true),
            (Vcov::Cr3, false),
            (Vcov::Iid, false),
            (Vcov::Hc2, false),
        ]
        .map(|(kind, normal)| Verdict::of(arm(&fit, kind, clusters, normal, truth)))
        .to_vec(),
        Err(error) => vec![Verdict::error(&error); PROCEDURES.len() - 1],
    };
    let arm_alone = children.x.slice(s![.., ..1]);
    let alone =
        Ols::new(y.view(), arm_alone).fit().and_then(|fit| arm(&fit, Vcov::Cr2, clusters, false, truth));
    verdicts.push(Verdict::of(alone));
    verdicts
}

/// The arm's coefficient under a covariance, referred to the normal if `normal`.
fn arm(fit: &OlsFit<'_>, kind: Vcov, clusters: &Clusters, normal: bool, truth: f64) -> Result<Verdict> {
    let covariance = fit.vcov(kind, Some(clusters))?;
    let df = if normal { f64::INFINITY } else { covariance.df()?[1] };
    Ok(Verdict::estimate(fit.coef()[1], covariance.matrix()[(1, 1)].max(0.0).sqrt(), df, truth))
}

const FACTORS: [&str; 3] = ["allocation", "ICC", "families"];
const FOUR: [&str; 4] = ["outcome", "allocation", "ICC", "families"];

#[allow(clippy::too_many_lines)] // The text of the page and the numbers that it quotes stand together.
fn page(results: &Results) -> Page {
    let null = |outcome: &str| results.select(&[("outcome", outcome)]);
    let (normal, skewed, binary, rare) = (null("normal"), null("skewed"), null("22.6%"), null("6%"));
    let varying = null("varying effect");
    let (effect, rare_effect) = (null("22.6% and +18 points"), null("6% and +10 points"));
    let equal = null("normal, equal sizes");
    let one = |outcome: &str, allocation: &str, icc: &str, families: &str| {
        results.select(&[
            ("outcome", outcome),
            ("allocation", allocation),
            ("ICC", icc),
            ("families", families),
        ])[0]
    };
    let ten = one("normal", "1:1", "0.36", "10");
    let size = |cell, procedure| quote(cell, procedure, Measure::Rejections);
    let many = |cells: &[&'static str], at: &str| {
        let mut found = Vec::new();
        for outcome in cells {
            found.extend(results.select(&[("outcome", outcome), ("families", at)]));
        }
        found
    };
    let all = ["normal", "normal, equal sizes", "skewed", "22.6%", "6%"];
    let at = |families: &str, procedure: &str| span(&many(&all, families), procedure, Measure::Rejections);

    let few = |families: &str| {
        let cells = results.select(&[("outcome", "22.6%, 5:1"), ("families", families)]);
        quote(cells[0], CR2, Measure::Rejections)
    };
    let continuous = [normal.clone(), equal.clone(), skewed.clone()].concat();
    let everything = [continuous.clone(), binary.clone(), rare.clone()].concat();
    let at_least_20 = ["20", "40", "80", "132", "200"].map(|f| many(&["22.6%"], f)).concat();
    let markdown = format!(
        "\
`cw.ols` with families: coefficient of the arm in a model with two covariates, CR2 with Satterthwaite degrees of freedom
by default. Continuous outcomes are .5 history + .3 age + family part + child part, the parts with variances ICC
and 1 − ICC; a constant effect would shift every procedure alike, so coverage is 100% less size there. Binary outcomes
have logit P = a + b arm + .5 history + .3 age with the control share and the difference that are named, and siblings
share the uniform number that decides with probability √ICC (Lunn and Davies 1998,
[doi:10.1093/biomet/85.2.487](https://doi.org/10.1093/biomet/85.2.487)), so the true difference in probability is known
exactly. With 132 and 200 families half as many trials are run.

## What holds

* Continuous outcomes, normal or skewed families, equal sizes or not: CR2's size is {continuous} over the whole grid, from
  10 families on; at its highest {worst_continuous}.
* Outcomes of 22.6%: size {binary_20} with 20 families or more; the interval of a rise by 18 points holds it in
  {effect_cr2} of trials, 10 families included.
* Effects that differ between families: coverage {varying_cr2}.
* The plain difference in means with CR2: size {plain} on normal outcomes.

## Where it fails

* Few events make CR2 cautious: at 6% its size is {rare_10} with 10 families, {rare_20} with 20, {rare_40} with 40, and at 22.6%
  {binary_10} with 10. Small effects are then found less often than they could be.
* Few control families: at 5:1 and ICC .36 it rejects outcomes of 22.6% without an effect in {few_18} of trials with 18 families
  (3 controls), {few_36} with 36, {few_72} with 72 and {few_132} with 132; normal outcomes in {few_normal}.
* Elsewhere it is above 6% in few places, at most {worst}.
* With 10 families and an outcome of 6% up to a third of trials have no answer, since nobody has the outcome (last
  section).
* Not tried: fewer than 10 families, more than two covariates, sizes that go with the effect.

By number of families, over all outcomes without an effect, CR2's size is {s10} with 10, {s20} with 20, {s40} with 40, {s80}
with 80, {s132} with 132 and {s200} with 200.

## What others do

With 10 families at 1:1 and ICC .36 the true null is rejected by CR2 in {ten_cr2}, by CR1 in {ten_cr1}, by CR1S (the
default of Stata and pyfixest) in {ten_cr1s}, by CR0 with z in {ten_cr0}, and by errors that know no families in {ten_iid}
(iid) or {ten_hc2} (HC2) of trials. More families do not help the last two: with 200 families and ICC 1 iid rejects in
{iid_200}. CR3 with t(G-1): {cr3} over the grid of normal outcomes.

![Size of tests at 5% by number of families](linear.svg)

## Normal outcomes, no effect: rejections in percent

{normal_table}
## Equal sizes, skewed families, no effect: rejections in percent

{other_table}
## Binary outcomes, no effect: rejections in percent

{binary_table}
## Five treated families to a control, no effect: rejections in percent

{few_table}
## True effects: coverage of the 95% interval in percent

{coverage_table}
## Trials without an answer

{refused}",
        continuous = span(&continuous, CR2, Measure::Rejections),
        worst_continuous = extreme(&continuous, CR2, Measure::Rejections, true, &FOUR),
        binary_20 = span(&at_least_20, CR2, Measure::Rejections),
        rare_10 = span(&many(&["6%"], "10"), CR2, Measure::Rejections),
        rare_20 = span(&many(&["6%"], "20"), CR2, Measure::Rejections),
        rare_40 = span(&many(&["6%"], "40"), CR2, Measure::Rejections),
        binary_10 = span(&many(&["22.6%"], "10"), CR2, Measure::Rejections),
        few_18 = few("18"),
        few_36 = few("36"),
        few_72 = few("72"),
        few_132 = few("132"),
        few_normal = span(&null("normal, 5:1"), CR2, Measure::Rejections),
        few_table = table(
            &[null("normal, 5:1"), null("22.6%, 5:1")].concat(),
            &["outcome", "families"],
            &PROCEDURES,
            Measure::Rejections
        ),
        worst = extreme(&everything, CR2, Measure::Rejections, true, &FOUR),
        effect_cr2 = span(&effect, CR2, Measure::Coverage),
        varying_cr2 = span(&varying, CR2, Measure::Coverage),
        plain = span(&normal, UNADJUSTED, Measure::Rejections),
        s10 = at("10", CR2),
        s20 = at("20", CR2),
        s40 = at("40", CR2),
        s80 = at("80", CR2),
        s132 = at("132", CR2),
        s200 = at("200", CR2),
        ten_cr2 = size(ten, CR2),
        ten_cr1 = size(ten, PROCEDURES[1]),
        ten_cr1s = size(ten, PROCEDURES[2]),
        ten_cr0 = size(ten, PROCEDURES[3]),
        ten_iid = size(ten, "iid"),
        ten_hc2 = size(ten, "HC2"),
        iid_200 = size(one("normal", "1:1", "1", "200"), "iid"),
        cr3 = span(&normal, PROCEDURES[4], Measure::Rejections),
        normal_table = table(&normal, &FACTORS, &PROCEDURES, Measure::Rejections),
        other_table = table(
            &[equal.clone(), skewed.clone()].concat(),
            &["outcome", "allocation", "families"],
            &PROCEDURES,
            Measure::Rejections
        ),
        binary_table = table(
            &[binary.clone(), rare.clone()].concat(),
            &FOUR,
            &PROCEDURES,
            Measure::Rejections
        ),
        coverage_table = table(
            &[varying.clone(), effect.clone(), rare_effect.clone()].concat(),
            &FOUR,
            &PROCEDURES,
            Measure::Coverage
        ),
        refused = refusals(
            &results.cells.iter().collect::<Vec<_>>(),
            &PROCEDURES,
            &FOUR
        ),
    );
    let series = PROCEDURES.map(|name| Series {
        name: name.to_owned(),
        values: FAMILIES
            .map(|families| {
                let cell = one("normal", "2:1", "0.36", &families.to_string());
                cell.procedure(name).map_or(f64::NAN, |t| 100.0 * t.rejections().value)
            })
            .to_vec(),
    });
    let svg = lines(
        "Rejections of no effect at 5%: normal outcomes, 2:1, ICC .36",
        "families",
        &FAMILIES.map(|f| f.to_string()),
        &series,
        5.0,
        30.0,
    );
    let summary = vec![Summary {
        procedure: "`ols` with families: CR2, Satterthwaite df",
        holds: format!(
            "continuous outcomes, 10 to 200 families: size {}; outcomes of 22.6%, 20 families and more: {}, coverage \
             of a rise by 18 points {}",
            span(&continuous, CR2, Measure::Rejections),
            span(&at_least_20, CR2, Measure::Rejections),
            span(&effect, CR2, Measure::Coverage),
        ),
        fails: format!(
            "too often at 5:1 and 22.6%: {} with 36 and {} with 72 families; cautious with few events: outcomes of 6%, 10 \
             to 40 families: {}; 22.6%, 10 families: {}",
            few("36"),
            few("72"),
            span(&["10", "20", "40"].map(|f| many(&["6%"], f)).concat(), CR2, Measure::Rejections),
            span(&many(&["22.6%"], "10"), CR2, Measure::Rejections),
        ),
    }];
    Page { markdown, figures: vec![Figure { file: "linear.svg".into(), svg }], summary }
}
