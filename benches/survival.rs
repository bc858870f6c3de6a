//! Survival at the sizes that users ask about; `cargo bench --bench survival`. It runs on one thread.

use crewe::inference::{Clusters, Vcov};
use crewe::rng::{Seed, Stream};
use crewe::survival::{Cox, Options, Surv, Transform, kaplan_meier, logrank};
use divan::Bencher;
use ndarray::Array2;

fn main() {
    divan::main();
}

struct Data {
    time: Vec<f64>,
    event: Vec<f64>,
    x: Array2<f64>,
    arm: Vec<u32>,
    families: Clusters,
}

/// Families of two, treated or not; ten covariates; days 1 to 500 (or without ties), about two thirds with an event.
fn data(n: usize, days: bool) -> Data {
    let mut stream = Stream::new::<&str>(&Seed::Integer(1), "bench", &[], 0);
    let mut x = Array2::from_shape_simple_fn((n, 10), || stream.normal());
    let (mut time, mut event) = (Vec::with_capacity(n), Vec::with_capacity(n));
    for i in 0..n {
        x[(i, 0)] = ((i / 2) % 3 / 2) as f64;
        for j in 6..10 {
            x[(i, j)] = f64::from(u8::from(x[(i, j)] > 0.0));
        }
        let linear = 0.3 * x[(i, 0)] + 0.2 * x[(i, 1)] - 0.2 * x[(i, 2)] + 0.3 * x[(i, 6)];
        let end = -(1.0 - stream.unit()).ln() * 500.0 / linear.exp();
        let censored = 1500.0 * stream.unit();
        let stop = end.min(censored).min(500.0);
        time.push(if days { stop.ceil().max(1.0) } else { stop });
        event.push(f64::from(u8::from(end <= censored && end <= 500.0)));
    }
    let codes: Vec<u32> = (0..n).map(|i| (i / 2) as u32).collect();
    let arm = x.column(0).iter().map(|&v| v as u32).collect();
    Data { time, event, x, arm, families: Clusters::new(&codes).expect("there are rows") }
}

#[divan::bench(args = [10_000, 100_000, 1_000_000], sample_count = 5, sample_size = 1)]
fn cox_days(bencher: Bencher<'_, '_>, n: usize) {
    let data = data(n, true);
    bencher.bench(|| Cox::new(Surv::new(&data.time, &data.event), data.x.view()).fit());
}

#[divan::bench(args = [10_000, 100_000, 1_000_000], sample_count = 5, sample_size = 1)]
fn cox_days_families(bencher: Bencher<'_, '_>, n: usize) {
    let data = data(n, true);
    bencher.bench(|| {
        Cox::new(Surv::new(&data.time, &data.event), data.x.view())
            .fit()
            .map(|fit| fit.vcov(Vcov::Cr0, Some(&data.families)).map(|c| c.detach()))
    });
}

#[divan::bench(args = [10_000, 100_000, 1_000_000], sample_count = 5, sample_size = 1)]
fn cox_without_ties(bencher: Bencher<'_, '_>, n: usize) {
    let data = data(n, false);
    bencher.bench(|| Cox::new(Surv::new(&data.time, &data.event), data.x.view()).fit());
}

#[divan::bench(args = [100_000], sample_count = 5, sample_size = 1)]
fn proportional_hazards(bencher: Bencher<'_, '_>, n: usize) {
    let data = data(n, true);
    let fit = Cox::new(Surv::new(&data.time, &data.event), data.x.view()).fit().expect("the fit converges");
    bencher.bench(|| fit.zph(Transform::KaplanMeier, &[]));
}

#[divan::bench(args = [1_000_000], sample_count = 5, sample_size = 1)]
fn kaplan_meier_by_arm(bencher: Bencher<'_, '_>, n: usize) {
    let data = data(n, true);
    bencher.bench(|| kaplan_meier(&Surv::new(&data.time, &data.event), Some(&data.arm), Options::default()));
}

#[divan::bench(args = [1_000_000], sample_count = 5, sample_size = 1)]
fn logrank_by_arm(bencher: Bencher<'_, '_>, n: usize) {
    let data = data(n, true);
    bencher.bench(|| logrank(&Surv::new(&data.time, &data.event), &data.arm, &["control", "crewe"], None));
}
