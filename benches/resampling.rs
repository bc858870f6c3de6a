//! Randomisation tests of 10,000 draws: 132 families at 2:1 in 4 strata, 326 children, and a thousand larger clusters.

use crewe::design::{Assignment, Column, Design, Units};
use crewe::inference::Clusters;
use crewe::linalg::DesignMatrix;
use crewe::progress::NoMonitor;
use crewe::regression::Family;
use crewe::resampling::{
    ArmModel, AuditOptions, Audited, AuditedModel, Outcomes, Procedure, RandomisationOptions, Statistic,
    audited, randomisation_test, redrawn,
};
use ndarray::Array2;

fn main() {
    divan::main();
}

struct Trial {
    design: Design,
    assignment: Assignment,
    outcomes: Outcomes,
}

fn trial() -> Trial {
    let design =
        Design::new("bench").arm("control", 1).arm("crewe", 2).cluster("family").strata(["site"]).seed(2017);
    let family: Vec<usize> = (0..326).map(|child| child * 132 / 326).collect();
    let ids = Column::from_values("family", family.iter().map(|f| format!("F{f:03}")));
    let site = Column::from_values("site", family.iter().map(|f| (f % 4).to_string()));
    // The bench's own data are well formed.
    let units = Units::from_rows(design.unit().unwrap(), &ids, &[site]).unwrap();
    let assignment = design.assign(&units).unwrap();
    let y: Vec<f64> =
        (0..326).map(|child| ((child * 7919) % 101) as f64 + family[child] as f64 / 10.0).collect();
    let outcomes = Outcomes::new("score", &y, units.rows(), units.len()).unwrap();
    Trial { design, assignment, outcomes }
}

fn columns(rows: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, 4), |(i, j)| if j == 0 { 1.0 } else { ((i * (j + 3)) % 11) as f64 })
}

fn bench(bencher: divan::Bencher<'_, '_>, statistic: Statistic<'_>, interval: bool) {
    of(bencher, &trial(), statistic, interval);
}

fn of(bencher: divan::Bencher<'_, '_>, trial: &Trial, statistic: Statistic<'_>, interval: bool) {
    let options = RandomisationOptions::default().draws(10_000).interval(interval);
    bencher.bench(|| {
        let Trial { design, assignment, outcomes } = trial;
        randomisation_test(design, assignment, outcomes, statistic, &options, &NoMonitor).unwrap()
    });
}

#[divan::bench(args = [false, true], sample_count = 10)]
fn difference_in_means(bencher: divan::Bencher<'_, '_>, interval: bool) {
    bench(bencher, Statistic::DifferenceInMeans { studentised: false }, interval);
}

#[divan::bench(args = [false, true], sample_count = 10)]
fn studentised(bencher: divan::Bencher<'_, '_>, interval: bool) {
    bench(bencher, Statistic::DifferenceInMeans { studentised: true }, interval);
}

#[divan::bench(args = [false, true], sample_count = 10)]
fn adjusted_for_four_columns(bencher: divan::Bencher<'_, '_>, interval: bool) {
    let x = columns(326);
    bench(bencher, Statistic::Adjusted(x.view()), interval);
}

#[divan::bench(args = [false, true], sample_count = 10)]
fn studentised_least_squares_with_four_columns(bencher: divan::Bencher<'_, '_>, interval: bool) {
    let x = columns(326);
    bench(bencher, Statistic::Model(ArmModel::linear(x.view())), interval);
}

#[divan::bench(args = [false, true], sample_count = 10)]
fn score_of_a_logit_with_four_columns(bencher: divan::Bencher<'_, '_>, interval: bool) {
    let mut trial = trial();
    let closed: Vec<f64> = (0..326).map(|child| f64::from(u8::from((child * 7919) % 101 > 60))).collect();
    let units = trial.outcomes.units();
    trial.outcomes = Outcomes::new("closed", &closed, trial.assignment.units.rows(), units).unwrap();
    let x = columns(326);
    of(bencher, &trial, Statistic::Model(ArmModel::binary(Family::LOGIT, x.view())), interval);
}

#[divan::bench(args = [false, true], sample_count = 5)]
fn score_of_a_cox_model_with_three_columns(bencher: divan::Bencher<'_, '_>, interval: bool) {
    let event: Vec<f64> = (0..326).map(|child| f64::from(u8::from(child % 5 != 0))).collect();
    let x = Array2::from_shape_fn((326, 3), |(i, j)| ((i * (j + 3)) % 11) as f64);
    bench(bencher, Statistic::Model(ArmModel::cox(&event, x.view())), interval);
}

/// 10,000 draws of 1,000 clusters of 20.
#[divan::bench(sample_count = 5)]
fn a_thousand_clusters(bencher: divan::Bencher<'_, '_>) {
    let design = Design::new("bench").arm("control", 1).arm("crewe", 1).cluster("school").seed(2017);
    let ids = Column::from_values("school", (0..20_000).map(|pupil| format!("S{:04}", pupil / 20)));
    let units = Units::from_rows(design.unit().unwrap(), &ids, &[]).unwrap();
    let assignment = design.assign(&units).unwrap();
    let y: Vec<f64> = (0..20_000).map(|pupil| f64::from((pupil * 7919) % 10_007)).collect();
    let outcomes = Outcomes::new("score", &y, units.rows(), units.len()).unwrap();
    let x = columns(20_000);
    of(bencher, &Trial { design, assignment, outcomes }, Statistic::Model(ArmModel::linear(x.view())), false);
}

#[divan::bench]
fn a_function_of_the_user(bencher: divan::Bencher<'_, '_>) {
    let units = trial().outcomes.unit().to_vec();
    let larger = move |y: &[f64], arm: &[u8]| {
        let treated = units.iter().zip(y).filter(|(unit, _)| arm[**unit as usize] == 1);
        treated.map(|(_, y)| *y).fold(f64::MIN, f64::max)
    };
    bench(bencher, Statistic::User(&larger), false);
}

/// Every procedure that applies to a linear model, fitted again with each of 10,000 redrawn arms beside two covariates and
/// the terms of the strata.
#[divan::bench(args = [0, 399], sample_count = 3)]
fn audit_of_a_linear_model(bencher: divan::Bencher<'_, '_>, bootstrap_draws: u64) {
    let Trial { design, assignment, outcomes } = &trial();
    let unit = outcomes.unit();
    let x = Array2::from_shape_fn((unit.len(), 6), |(i, j)| match j {
        0 => f64::from(assignment.arm[unit[i] as usize]),
        1 | 2 => ((i * (j + 3)) % 11) as f64,
        _ => f64::from(u8::from(unit[i] as usize % 4 == j - 2)),
    });
    let beside = Array2::from_shape_fn((unit.len(), 6), |(i, j)| if j == 0 { 1.0 } else { x[(i, j)] });
    let families = Clusters::new(unit).unwrap();
    let model = AuditedModel::linear(DesignMatrix::new(x.view(), true).aside([3, 4, 5]), &[0], &families)
        .unwrap()
        .cluster_level(&[0, 3, 4, 5], true);
    let mut options = AuditOptions::default();
    if bootstrap_draws == 0 {
        options.procedures.retain(|procedure| *procedure != Procedure::WildBootstrap);
    }
    bencher.bench(|| {
        let drawn = redrawn(design, assignment, 10_000, None, &NoMonitor).unwrap();
        let ready =
            Audited::new(assignment, outcomes, &model, ArmModel::linear(beside.view()), &options).unwrap();
        let values = ready.values(drawn.arm.view(), 0, &NoMonitor).unwrap();
        audited(&values, None, f64::NAN, &options).unwrap()
    });
}
