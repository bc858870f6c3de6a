//! Wild cluster bootstraps of 9,999 draws, ten covariates and a constant: 132 families of 326 children, and 1,000 clusters
//! of 20. One thread where `RAYON_NUM_THREADS=1`.

use crewe::inference::{Clusters, Vcov};
use crewe::regression::Ols;
use crewe::resampling::{WildOptions, WildType, WildWeights, wild_bootstrap};
use ndarray::{Array1, Array2};

fn main() {
    divan::main();
}

struct Data {
    y: Array1<f64>,
    x: Array2<f64>,
    clusters: Clusters,
}

fn data(rows: usize, count: usize) -> Data {
    let cluster: Vec<u32> = (0..rows).map(|row| (row * count / rows) as u32).collect();
    let x = Array2::from_shape_fn((rows, 10), |(i, j)| {
        if j == 0 { f64::from(cluster[i] % 2) } else { ((i * (7 * j + 3) + j * j) % 101) as f64 / 50.0 }
    });
    let y = Array1::from_shape_fn(rows, |i| {
        ((i * 7919) % 1_009) as f64 / 500.0 + f64::from(cluster[i] * 31 % 17) / 9.0
    });
    // The bench's own data are well formed.
    Data { y, x, clusters: Clusters::new(&cluster).unwrap() }
}

fn of(bencher: divan::Bencher<'_, '_>, rows: usize, count: usize, options: &WildOptions) {
    let Data { y, x, clusters } = data(rows, count);
    let fit = Ols::new(y.view(), x.view()).fit().unwrap();
    let covariance = fit.vcov(Vcov::Cr1, Some(&clusters)).unwrap();
    let mut contrast = Array2::zeros((1, 11));
    contrast[(0, 1)] = 1.0;
    bencher.bench(|| wild_bootstrap(covariance.fit(), contrast.view(), &[0.0], options).unwrap());
}

fn options(interval: bool) -> WildOptions {
    WildOptions::default().seed(7).interval(interval)
}

#[divan::bench(args = [false, true], sample_count = 20)]
fn families_132(bencher: divan::Bencher<'_, '_>, interval: bool) {
    of(bencher, 326, 132, &options(interval));
}

#[divan::bench(args = [false, true], sample_count = 10)]
fn clusters_1000_of_20(bencher: divan::Bencher<'_, '_>, interval: bool) {
    of(bencher, 20_000, 1_000, &options(interval));
}

#[divan::bench(args = ["11", "13", "31", "33"], sample_count = 10)]
fn clusters_1000_of_20_by_type(bencher: divan::Bencher<'_, '_>, kind: &str) {
    of(bencher, 20_000, 1_000, &options(false).kind(kind.parse::<WildType>().unwrap()));
}

#[divan::bench(sample_count = 10)]
fn clusters_1000_of_20_with_webb_s_weights(bencher: divan::Bencher<'_, '_>) {
    of(bencher, 20_000, 1_000, &options(false).weights(WildWeights::Webb));
}
