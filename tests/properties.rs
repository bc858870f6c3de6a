//! Properties that hold for any data, for every model and every covariance: what is the same question in other units, from
//! another origin, in another order, under other names or with every row twice has the same answer, or the same refusal.

use crewe::Error;
use crewe::inference::{Clusters, Compare, Covariance, Setting, Vcov};
use crewe::regression::{Family, Glm, Ols, WeightKind, Weights};
use crewe::rng::{Seed, Stream};
use crewe::survival::{Cox, Surv, Ties};
use ndarray::{Array1, Array2, ArrayView2, Axis};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

const TOLERANCE: f64 = 1e-9;

/// Clusters, an arm by cluster, two covariates, and an outcome of every kind with cluster effects. Covariates and
/// outcomes are multiples of 2^-16, so that they hold an offset of 1e10 exactly.
#[derive(Debug, Clone)]
struct Trial {
    y: Array1<f64>,
    binary: Array1<f64>,
    time: Vec<f64>,
    event: Vec<f64>,
    x: Array2<f64>,
    codes: Vec<u32>,
    weights: Array1<f64>,
    /// The row whose covariates a margin is taken at.
    at: usize,
}

/// What is special about the data.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    /// Families of 1 to 9.
    Families,
    /// Eight clusters of 100 to 130 rows.
    Large,
    /// Families, one of which determines a coefficient by itself.
    Own,
    /// Families, with one missing value of a covariate left over as 999999.
    Leftover,
}

impl Shape {
    const ALL: [Self; 4] = [Self::Families, Self::Large, Self::Own, Self::Leftover];
}

fn stream(seed: u64, purpose: &str) -> Stream {
    Stream::new::<&str>(&Seed::Integer(seed), purpose, &[], 0)
}

fn dyadic(value: f64) -> f64 {
    (value * 65_536.0).round() / 65_536.0
}

impl Trial {
    fn new(seed: u64, shape: Shape) -> Self {
        let mut random = stream(seed, "sizes");
        let sizes: Vec<usize> = match shape {
            Shape::Large => (0..8).map(|_| 100 + random.below(31) as usize).collect(),
            _ => (0..14 + random.below(10)).map(|_| 1 + random.below(9) as usize).collect(),
        };
        let mut trial = Self::of_sizes(seed, &sizes);
        let n = trial.y.len();
        match shape {
            Shape::Own => {
                // Only the largest cluster has it, and there it varies.
                let own = (0..sizes.len()).max_by_key(|&g| sizes[g]).unwrap() as u32;
                let mut column = Array1::zeros(n);
                for (i, code) in trial.codes.iter().enumerate().filter(|(_, code)| **code == own) {
                    column[i] = dyadic(random.normal() + 0.5 + f64::from(*code == own));
                }
                trial.x.push_column(column.view()).unwrap();
            }
            Shape::Leftover => trial.x[(n / 2, 1)] = 999_999.0,
            Shape::Families | Shape::Large => {}
        }
        trial
    }

    fn of_sizes(seed: u64, sizes: &[usize]) -> Self {
        let mut random = stream(seed, "rows");
        let codes: Vec<u32> = sizes.iter().enumerate().flat_map(|(g, &size)| vec![g as u32; size]).collect();
        let effects: Vec<f64> = sizes.iter().map(|_| random.normal()).collect();
        let n = codes.len();
        let x = Array2::from_shape_fn((n, 3), |(i, j)| match j {
            0 => f64::from(codes[i] % 2),
            _ => dyadic(random.normal() + 3.0 * j as f64),
        });
        let mut trial = Self {
            y: Array1::zeros(n),
            binary: Array1::zeros(n),
            time: vec![0.0; n],
            event: vec![0.0; n],
            weights: Array1::from_shape_fn(n, |_| dyadic(0.25 + random.unit())),
            at: n / 3,
            x,
            codes,
        };
        for i in 0..n {
            let mean =
                0.5 * trial.x[(i, 0)] + 0.2 * (trial.x[(i, 1)] - 3.0) + effects[trial.codes[i] as usize];
            trial.y[i] = dyadic(mean + random.normal());
            trial.binary[i] = f64::from(0.6 * mean + random.normal() > 0.2);
            // In tenths, so that there are ties.
            trial.time[i] = ((-random.unit().ln() * 20.0 * (-0.3 * mean).exp()).ceil() + 1.0) / 10.0;
            trial.event[i] = f64::from(random.unit() < 0.7);
        }
        trial
    }

    fn select(&self, rows: &[usize]) -> Self {
        let pick = |values: &[f64]| rows.iter().map(|&i| values[i]).collect();
        Self {
            y: self.y.select(Axis(0), rows),
            binary: self.binary.select(Axis(0), rows),
            time: pick(&self.time),
            event: pick(&self.event),
            x: self.x.select(Axis(0), rows),
            codes: rows.iter().map(|&i| self.codes[i]).collect(),
            weights: self.weights.select(Axis(0), rows),
            at: rows.iter().position(|&i| i == self.at).unwrap_or(0),
        }
    }
}

/// A model, and how its rows are weighted.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Model {
    kind: Kind,
    weights: Option<WeightKind>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Linear,
    Binary(Family),
    Cox(Ties),
}

impl Model {
    fn all() -> Vec<Self> {
        let (probability, analytic) = (Some(WeightKind::Probability), Some(WeightKind::Analytic));
        let families: Vec<Family> = Family::all().collect();
        let mut all: Vec<Self> =
            [None, probability, analytic].map(|weights| Self { kind: Kind::Linear, weights }).to_vec();
        for family in families {
            all.extend([None, probability].map(|weights| Self { kind: Kind::Binary(family), weights }));
        }
        all.extend([None, probability].map(|weights| Self { kind: Kind::Cox(Ties::Efron), weights }));
        all
    }

    fn is_cox(self) -> bool {
        matches!(self.kind, Kind::Cox(_))
    }

    /// Asks the model of a trial for every covariance.
    /// Every kind but CV3, which is another name of the jackknife.
    fn each(self, trial: &Trial, visit: &mut dyn FnMut(Vcov, Result<Covariance<'_>, Error>)) {
        let kinds: Vec<Vcov> = Vcov::ALL.into_iter().filter(|&kind| kind != Vcov::Cv3).collect();
        self.each_of(&kinds, trial, visit);
    }

    fn each_of(
        self,
        kinds: &[Vcov],
        trial: &Trial,
        visit: &mut dyn FnMut(Vcov, Result<Covariance<'_>, Error>),
    ) {
        let clusters = Clusters::new(&trial.codes).unwrap();
        let weights = self.weights.map(|kind| Weights::new(trial.weights.view(), kind));
        macro_rules! ask {
            ($fit:expr) => {
                match $fit {
                    Ok(fit) => kinds.iter().for_each(|&kind| visit(kind, fit.vcov(kind, Some(&clusters)))),
                    Err(error) => kinds.iter().for_each(|&kind| visit(kind, Err(error.clone()))),
                }
            };
        }
        match self.kind {
            Kind::Linear => {
                let model = Ols::new(trial.y.view(), trial.x.view());
                ask!(weights.map_or(model.clone(), |weights| model.weights(weights)).fit());
            }
            Kind::Binary(family) => {
                let model = Glm::new(family, trial.binary.view(), trial.x.view());
                ask!(weights.map_or(model.clone(), |weights| model.weights(weights)).fit());
            }
            Kind::Cox(ties) => {
                let weights = self.weights.and_then(|_| trial.weights.as_slice());
                let surv = Surv::new(&trial.time, &trial.event).weights(weights);
                ask!(Cox::new(surv, trial.x.view()).ties(ties).fit());
            }
        }
    }
}

/// What a covariance says, as numbers with the scale on which they are compared.
#[derive(Debug, Clone)]
struct Answer {
    numbers: Vec<(String, f64, f64)>,
}

/// The same question of the same data in other words.
struct Change {
    name: &'static str,
    trial: Trial,
    /// The coefficients in the first words from those in these, k x k with the intercept: `b = map b'`.
    map: Array2<f64>,
    /// What the intercept gains, where it is not compared.
    level: bool,
    /// What the outcome is multiplied by.
    outcome: f64,
    /// By what variances are multiplied, the numbers of rows and coefficients given; none where nothing is compared. Where
    /// it is not 1 only estimates and variances are.
    factor: fn(Vcov, Model, f64, f64) -> Option<f64>,
    /// Whether ties of times stay what they were; otherwise only Breslow's likelihood does.
    ties: bool,
}

impl Change {
    fn new(name: &'static str, trial: Trial) -> Self {
        let map = Array2::eye(trial.x.ncols() + 1);
        Self { name, trial, map, level: true, outcome: 1.0, factor: |_, _, _, _| Some(1.0), ties: true }
    }
}

/// The changes that are tried on a trial; `power` sets the units.
fn changes(trial: &Trial, seed: u64, power: i32) -> Vec<Change> {
    let (n, p) = trial.x.dim();
    let moved = |name, by: &dyn Fn(usize) -> (f64, f64)| {
        // x' = scale x + offset for the covariates, the arm left alone.
        let mut change = Change::new(name, trial.clone());
        for j in 1..p {
            let (scale, offset) = by(j);
            change.trial.x.column_mut(j).mapv_inplace(|v| v * scale + offset);
            change.map[(j + 1, j + 1)] = scale;
            change.map[(0, j + 1)] = offset;
        }
        change
    };
    let mut random = stream(seed, "order");
    let mut order: Vec<usize> = (0..n).collect();
    random.shuffle(&mut order);
    let mut all = vec![
        moved("units", &|j| (10_f64.powi(if j % 2 == 1 { power } else { -power }), 0.0)),
        moved("a far origin, held exactly", &|j| (1.0, if j % 2 == 1 { 1e10 } else { -8_589_934_592.0 })),
        moved("a far origin, rounded", &|j| {
            (1.0, if j % 2 == 1 { 1e6 * std::f64::consts::PI / 3.0 } else { -9e5 / 7.0 })
        }),
        Change::new("the order of rows", trial.select(&order)),
    ];
    let mut names = Change::new("the names of clusters", trial.clone());
    names
        .trial
        .codes
        .iter_mut()
        .for_each(|code| *code = (u64::from(*code) * 2_654_435_761 % 1_000_003) as u32);
    all.push(names);
    let mut columns = Change::new("the order of columns", trial.clone());
    let reversed: Vec<usize> = (0..p).rev().collect();
    columns.trial.x = trial.x.select(Axis(1), &reversed);
    columns.map.fill(0.0);
    columns.map[(0, 0)] = 1.0;
    for (to, &from) in reversed.iter().enumerate() {
        columns.map[(from + 1, to + 1)] = 1.0;
    }
    all.push(columns);
    let mut outcome = Change::new("units of the outcome", trial.clone());
    outcome.outcome = 10_f64.powi(power);
    outcome.trial.y *= outcome.outcome;
    outcome.trial.time.iter_mut().for_each(|t| *t *= outcome.outcome);
    all.push(outcome);
    let mut level = Change::new("the level of the outcome", trial.clone());
    level.trial.y += 1e10;
    level.level = false;
    all.push(level);
    let mut scale = Change::new("the scale of weights", trial.clone());
    scale.trial.weights *= 1e6;
    scale.factor = |kind, model, _, _| {
        let scaled = kind == Vcov::Iid && model.kind != Kind::Linear && model.weights.is_some();
        // The floor of MBN is the variance of the model, which the scale of weights moves.
        (!scaled && !matches!(kind, Vcov::Mbn | Vcov::Mbnmr)).then_some(1.0)
    };
    all.push(scale);
    // Every row twice in its cluster. What is clustered stays; what counts rows takes them for twice as many.
    let twice: Vec<usize> = (0..2 * n).map(|i| i / 2).collect();
    let mut doubled = Change::new("every row twice", trial.select(&twice));
    doubled.ties = false;
    doubled.factor = |kind, model, n, k| match kind {
        Vcov::Iid if model.kind == Kind::Linear => Some((n - k) / (2.0 * n - k)),
        Vcov::Iid | Vcov::Hc0 => Some(0.5),
        Vcov::Hc1 => Some((n - k) / (2.0 * n - k)),
        // MBN counts rows, and has a floor.
        Vcov::Hc2 | Vcov::Hc3 | Vcov::Mbn | Vcov::Mbnmr => None,
        Vcov::Cr1s => Some((2.0 * n - 1.0) / (2.0 * n - k) * (n - k) / (n - 1.0)),
        _ => Some(1.0),
    };
    all.push(doubled);
    // Every cluster twice: the uncorrected sandwich halves.
    let mut copied = Change::new("every cluster twice", trial.select(&twice));
    for (i, code) in copied.trial.codes.iter_mut().enumerate() {
        *code = 2 * *code + (i % 2) as u32;
    }
    copied.ties = false;
    copied.factor = |kind, _, _, _| (kind == Vcov::Cr0).then_some(0.5);
    all.push(copied);
    all
}

/// Contrasts in the first words of a model with k coefficients: each coefficient, and two combinations.
fn contrasts(k: usize) -> Array2<f64> {
    let combined = [[1.0, -0.5, 2.0, 0.25, 1.5], [0.0, 1.0, 3.0, -1.0, 0.5]];
    Array2::from_shape_fn((k + 2, k), |(i, j)| if i < k { f64::from(i == j) } else { combined[i - k][j] })
}

/// What a covariance says of the questions that a change puts in its words; `factor` is by what its variances are larger.
fn answer(got: &Covariance<'_>, change: &Change, model: Model, factor: f64) -> Result<Answer, Error> {
    let cox = model.is_cox();
    let first = usize::from(cox);
    let map = Array2::from_shape_fn(got.matrix().dim(), |(a, b)| change.map[(a + first, b + first)]);
    let k = map.nrows();
    let outcome = if model.kind == Kind::Linear { change.outcome } else { 1.0 };
    let asked = contrasts(k).dot(&map);
    let table = got.contrasts(asked.view(), 0.9)?;
    let mut numbers = Vec::new();
    let mut push = |what: String, value: f64, scale: f64| numbers.push((what, value, scale));
    let se: Vec<f64> = table.std_error.iter().map(|se| se / outcome / factor.sqrt()).collect();
    let named = |i: usize| change.level || cox || asked[(i, 0)] == 0.0 || model.kind != Kind::Linear;
    for i in 0..se.len() {
        if named(i) {
            push(format!("estimate {i}"), table.estimate[i] / outcome, se[i]);
        }
        push(format!("se {i}"), se[i], 0.0);
    }
    let cov = map.dot(got.matrix()).dot(&map.t());
    let origin = change.name.starts_with("a far origin");
    for ((a, b), value) in cov.indexed_iter() {
        // Of a far origin the matrix holds digits of the slopes alone: what it says of the intercept is of that origin.
        if !(origin && !cox && (a == 0 || b == 0)) {
            push(format!("cov {a} {b}"), value / outcome / outcome / factor, se[a] * se[b]);
        }
    }
    if factor == 1.0 {
        for i in 0..se.len() {
            push(format!("df {i}"), table.df[i], 1.0);
            if named(i) {
                push(format!("statistic {i}"), table.statistic[i], 1.0);
                push(format!("p {i}"), table.p_value[i], 1.0);
            }
        }
        for (name, rows) in [("two", vec![1, 2]), ("three", vec![k - 1, k, k + 1])] {
            if name == "three" && !(change.level || cox || model.kind != Kind::Linear) {
                continue;
            }
            match got.wald(asked.select(Axis(0), &rows).view()) {
                Ok(joint) => {
                    push(format!("{name} F"), joint.statistic, 1.0);
                    push(format!("{name} df"), joint.df_denom, 1.0);
                    push(format!("{name} p"), joint.p_value, 1.0);
                }
                Err(error) => push(format!("{name} {}", words(&error)), 0.0, 1.0),
            }
        }
    }
    margins(got, change, model, outcome, factor, &mut push)?;
    Ok(Answer { numbers })
}

/// Levels and comparisons with the arm set: at one row, and over all.
fn margins(
    got: &Covariance<'_>,
    change: &Change,
    model: Model,
    outcome: f64,
    factor: f64,
    push: &mut dyn FnMut(String, f64, f64),
) -> Result<(), Error> {
    let trial = &change.trial;
    let arm = (0..trial.x.ncols()).find(|&j| change.map[(1, j + 1)] == 1.0).unwrap();
    let set = |rows: ArrayView2<'_, f64>| {
        [0.0, 1.0].map(|value| {
            let mut rows = rows.to_owned();
            rows.column_mut(arm).fill(value);
            rows
        })
    };
    let at = set(trial.x.select(Axis(0), &[trial.at]).view());
    let all = set(trial.x.view());
    for (name, rows) in [("at a row", at), ("observed", all)] {
        if model.is_cox() && name == "observed" {
            continue;
        }
        let settings = rows.each_ref().map(|rows| Setting::new(rows.view()));
        let compare = if model.kind == Kind::Linear { Compare::Difference } else { Compare::Ratio };
        let found = got.margins(&settings, &[[1, 0]], compare, 0.9)?;
        for (which, table) in [("level", &found.levels), ("comparison", &found.comparisons)] {
            for i in 0..table.estimate.len() {
                let se = table.std_error[i] / outcome / factor.sqrt();
                let what = format!("{name} {which} {i}");
                if change.level || which == "comparison" || model.kind != Kind::Linear {
                    push(format!("{what} estimate"), table.estimate[i] / outcome, se);
                }
                push(format!("{what} se"), se, 0.0);
                if factor == 1.0 {
                    push(format!("{what} df"), table.df[i], 1.0);
                }
            }
        }
    }
    Ok(())
}

/// A refusal without its numbers and names.
fn words(error: &Error) -> String {
    let class = match error {
        Error::Input(_) => "input",
        Error::Rank(_) => "rank",
        Error::Separation(_) => "separation",
        Error::Convergence(_) => "convergence",
        _ => "other",
    };
    let problem = error.fault().map_or(String::new(), |fault| fault.problem.clone());
    let text: String = problem.split('\'').step_by(2).collect();
    format!("{class}: {}", text.chars().filter(|c| c.is_alphabetic() || *c == ' ').collect::<String>())
}

/// Where two answers differ by most, relative to the tolerance.
fn differ(first: &Result<Answer, String>, other: &Result<Answer, String>, tolerance: f64) -> Option<String> {
    match (first, other) {
        (Err(one), Err(two)) => (one != two).then(|| format!("refused as '{two}', not as '{one}'")),
        (Ok(_), Err(error)) => Some(format!("refused: {error}")),
        (Err(error), Ok(_)) => Some(format!("answered where it was refused: {error}")),
        (Ok(one), Ok(two)) => {
            // What one of them leaves out is not compared.
            let mut worst: Option<(f64, String)> = None;
            for (what, want, scale) in &one.numbers {
                let Some((_, got, _)) = two.numbers.iter().find(|(name, _, _)| name == what) else {
                    if what.contains(": ") {
                        return Some(format!("no refusal '{what}'"));
                    }
                    continue;
                };
                let size = want.abs().max(*scale);
                let error = if got == want || (got.is_nan() && want.is_nan()) {
                    0.0
                } else {
                    (got - want).abs() / size
                };
                if error.is_nan() || error > tolerance {
                    let text = format!("{what}: {got:e}, first {want:e}, apart by {error:.1e}");
                    if worst.as_ref().is_none_or(|(most, _)| error.is_nan() || error > *most) {
                        worst = Some((error, text));
                    }
                }
            }
            worst.map(|(_, text)| text)
        }
    }
}

/// What differs between the answers of every model to the same questions; nothing where all is well.
fn broken(seed: u64, shape: Shape, power: i32) -> Vec<String> {
    let trial = Trial::new(seed, shape);
    let first = Change::new("as it is", trial.clone());
    let all = changes(&trial, seed, power);
    let mut found = Vec::new();
    for model in Model::all() {
        for ties in [true, false] {
            let model = match model.kind {
                Kind::Cox(_) if !ties => Model { kind: Kind::Cox(Ties::Breslow), ..model },
                _ => model,
            };
            let mut want = Vec::new();
            let (n, k) = (trial.y.len() as f64, trial.x.ncols() as f64 + 1.0);
            model.each(&trial, &mut |_, got| {
                want.push(
                    got.map_err(|e| words(&e))
                        .and_then(|got| answer(&got, &first, model, 1.0).map_err(|e| words(&e))),
                );
            });
            for change in all.iter().filter(|change| change.ties == ties) {
                let mut place = 0;
                model.each(&change.trial, &mut |kind, got| {
                    let want = &want[place];
                    place += 1;
                    let Some(factor) = (change.factor)(kind, model, n, k) else { return };
                    let got = got
                        .map_err(|e| words(&e))
                        .and_then(|got| answer(&got, change, model, factor).map_err(|e| words(&e)));
                    if let Some(text) = differ(want, &got, tolerance(shape, model, kind)) {
                        found.push(format!("{shape:?} {model:?} {kind}, {}: {text}", change.name));
                    }
                });
            }
        }
    }
    found
}

/// How far answers may be apart where something is special about the data.
fn tolerance(shape: Shape, model: Model, kind: Vcov) -> f64 {
    match (shape, model.kind, kind) {
        // The working covariance of probability weights is a difference from 1 where a row nearly determines a
        // coefficient: the digits of CR2 end there.
        (Shape::Leftover, Kind::Linear, Vcov::Cr2) if model.weights == Some(WeightKind::Probability) => 0.05,
        // What a cluster leaves to the others is a difference from 1 in Cox models, and so it is where a cluster
        // fits a coefficient with outcomes that are all but certain.
        (Shape::Leftover, Kind::Cox(_), _) | (Shape::Own, Kind::Binary(_), Vcov::Cr2) => 1e-6,
        // A row with 999999 is 1e6 standard deviations away, and leaves the others 1e-10 or less.
        (Shape::Leftover, _, _) => 2e-7,
        (Shape::Own, Kind::Cox(_), _) => 1e-7,
        _ => TOLERANCE,
    }
}

fn kinds_of_power() -> impl Strategy<Value = i32> {
    proptest::sample::select(vec![-12, -9, -3, 3, 8, 12])
}

proptest! {
    // The same trials in every run, so that a failure is a change of the code and never of the draw.
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(581),
        ..ProptestConfig::with_cases(8)
    })]

    #[test]
    fn the_same_question_has_the_same_answer(seed in 0_u64..1 << 40, power in kinds_of_power()) {
        for shape in Shape::ALL {
            let found = broken(seed, shape, power);
            prop_assert!(found.is_empty(), "{}", found.join("\n"));
        }
    }

    #[test]
    fn hc2_is_cr2_of_single_rows(seed in 0_u64..1 << 40, n in 12_usize..60) {
        let mut trial = Trial::of_sizes(seed, &vec![1; n]);
        for model in Model::all() {
            if model.weights == Some(WeightKind::Probability) || model.is_cox() {
                continue;
            }
            trial.codes = (0..n as u32).collect();
            let mut found = Vec::new();
            model.each(&trial, &mut |kind, got| {
                if let (Vcov::Hc2 | Vcov::Cr2, Ok(got)) = (kind, got) {
                    found.push((got.matrix().clone(), got.df().unwrap().to_vec()));
                }
            });
            // Rows without both outcomes, or separated ones, have no fit.
            let [(hc2, hc2_df), (cr2, cr2_df)] = found.as_slice() else { continue };
            prop_assert!(apart(hc2, cr2) <= TOLERANCE, "{model:?}: {}", apart(hc2, cr2));
            // Of models on z the degrees of freedom are HC2's own.
            if model.kind == Kind::Linear {
                for (a, b) in hc2_df.iter().zip(cr2_df) {
                    prop_assert!((a / b - 1.0).abs() <= TOLERANCE, "{model:?}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn the_jackknife_is_made_of_refits(seed in 0_u64..1 << 40, shape in proptest::sample::select(vec![Shape::Families, Shape::Leftover])) {
        let trial = Trial::new(seed, shape);
        for model in Model::all() {
            let mut found = None;
            model.each(&trial, &mut |kind, got| {
                if kind == Vcov::Jackknife {
                    found = Some(got.map(|got| (got.fit().coef().to_vec(), got.matrix().clone())));
                }
            });
            let Ok((coef, jackknife)) = found.unwrap() else { continue };
            let groups = trial.codes.iter().max().unwrap() + 1;
            let mut sum = Array2::zeros(jackknife.dim());
            let mut fitted = true;
            for group in 0..groups {
                let rows: Vec<usize> = (0..trial.codes.len()).filter(|&i| trial.codes[i] != group).collect();
                let part = trial.select(&rows);
                model.each(&part, &mut |kind, got| {
                    if kind == Vcov::Iid {
                        match got {
                            Ok(got) => {
                                let change: Array1<f64> =
                                    got.fit().coef().iter().zip(&coef).map(|(a, b)| a - b).collect();
                                for ((a, b), value) in sum.indexed_iter_mut() {
                                    *value += change[a] * change[b];
                                }
                            }
                            Err(_) => fitted = false,
                        }
                    }
                });
            }
            let factor = (f64::from(groups) - 1.0) / f64::from(groups);
            let sum = sum * factor;
            let tolerance = if shape == Shape::Leftover { 1e-6 } else { 1e-8 };
            if jackknife.iter().any(|v| v.is_nan()) {
                prop_assert!(!fitted, "{model:?}: not estimable, and every refit has an estimate");
                continue;
            }
            prop_assert!(!fitted || apart(&jackknife, &sum) <= tolerance, "{model:?}: {}", apart(&jackknife, &sum));
        }
    }

    #[test]
    fn cr2_of_an_arm_is_the_clustered_difference_in_means(seed in 0_u64..1 << 40, clusters in 4_usize..30, size in 1_usize..6) {
        let mut trial = Trial::of_sizes(seed, &vec![size; clusters]);
        trial.x = trial.x.select(Axis(1), &[0]);
        let fit = Ols::new(trial.y.view(), trial.x.view()).fit().unwrap();
        let cr2 = fit.vcov(Vcov::Cr2, Some(&Clusters::new(&trial.codes).unwrap())).unwrap();
        // Means of clusters; in each arm their variance over their number.
        let (mut effect, mut variance, mut parts) = (0.0, 0.0, Vec::new());
        for arm in 0..2_usize {
            let means: Vec<f64> = (0..clusters)
                .filter(|g| g % 2 == arm)
                .map(|g| trial.y.iter().skip(g * size).take(size).sum::<f64>() / size as f64)
                .collect();
            let count = means.len() as f64;
            let mean = means.iter().sum::<f64>() / count;
            effect += if arm == 1 { mean } else { -mean };
            variance += means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (count - 1.0) / count;
            parts.push(count);
        }
        prop_assert!((fit.coef()[1] - effect).abs() <= 1e-11);
        prop_assert!((cr2.matrix()[(1, 1)] / variance - 1.0).abs() <= TOLERANCE);
        // Welch's degrees of freedom with both variances at their expectation.
        let [a, b] = [parts[0], parts[1]];
        let welch = (1.0 / a + 1.0 / b).powi(2) / (1.0 / (a * a * (a - 1.0)) + 1.0 / (b * b * (b - 1.0)));
        prop_assert!((cr2.df().unwrap()[1] / welch - 1.0).abs() <= TOLERANCE, "{} {welch}", cr2.df().unwrap()[1]);
    }

    #[test]
    fn degrees_of_freedom_are_between_1_and_what_there_is(seed in 0_u64..1 << 40) {
        for shape in Shape::ALL {
            let trial = Trial::new(seed, shape);
            let groups = f64::from(trial.codes.iter().max().unwrap() + 1);
            for model in Model::all() {
                let mut wrong = Vec::new();
                model.each(&trial, &mut |kind, got| {
                    let Ok(got) = got else { return };
                    let most = match kind {
                        Vcov::Cr2 => groups,
                        _ if kind.is_clustered() && got.df().unwrap()[0].is_finite() => groups - 1.0,
                        _ => f64::INFINITY,
                    };
                    for (j, &df) in got.df().unwrap().iter().enumerate() {
                        // Not a number where there is no variance, and then a note says so.
                        let none = df.is_nan() && !got.notes().is_empty();
                        if !(none || (1.0..=most * (1.0 + 1e-12)).contains(&df)) {
                            wrong.push(format!("{shape:?} {model:?} {kind} {j}: {df}"));
                        }
                    }
                });
                prop_assert!(wrong.is_empty(), "{}", wrong.join("\n"));
            }
        }
    }
}

/// The largest difference of two covariances, relative to the standard errors.
fn apart(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    let entries =
        a.indexed_iter().map(|((i, j), value)| (value - b[(i, j)]).abs() / (a[(i, i)] * a[(j, j)]).sqrt());
    entries.fold(0.0, f64::max)
}

#[test]
fn the_same_bits_on_one_thread_and_on_eight() {
    // Enough rows and clusters for many chunks; models that are fitted again without every cluster have few of them there.
    let large = Trial::of_sizes(7, &vec![12; 3_000]);
    let small = Trial::of_sizes(8, &[6; 40]);
    let bits = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut bits: Vec<u64> = Vec::new();
            for model in Model::all() {
                let refits = model.is_cox() || matches!(model.kind, Kind::Binary(_));
                let (again, once): (Vec<Vcov>, Vec<Vcov>) =
                    Vcov::ALL.into_iter().partition(|kind| model.is_cox() || (refits && kind.is_jackknife()));
                for (kinds, trial) in [(once, &large), (again, &small)] {
                    let question = Change::new("as it is", trial.clone());
                    model.each_of(&kinds, trial, &mut |_, got| {
                        let found = got.and_then(|got| answer(&got, &question, model, 1.0));
                        if let Ok(found) = found {
                            bits.extend(found.numbers.iter().map(|(_, value, _)| value.to_bits()));
                        }
                    });
                }
            }
            bits
        })
    };
    let one = bits(1);
    assert!(one.len() > 3_000, "{}", one.len());
    assert!(one == bits(8));
}

/// Where one cluster determines a coefficient by itself and its outcomes are all but certain, CR2 and its degrees of
/// freedom end at the digits that the fitted probabilities still hold.
#[test]
#[ignore = "a known limit: these degrees of freedom are not yet recognised as not estimable"]
fn certain_outcomes_of_one_cluster_keep_their_digits() {
    let mut found = broken(682_989_959_995, Shape::Own, -9);
    found.extend(broken(222_638_961_654, Shape::Own, -12));
    assert!(found.is_empty(), "{}", found.join("\n"));
}
