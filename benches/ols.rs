//! OLS at the sizes that users ask about; `cargo bench --bench ols`. One thread: `RAYON_NUM_THREADS=1`.

use crewe::inference::{Clusters, Vcov};
use crewe::regression::Ols;
use crewe::rng::{Seed, Stream};
use divan::Bencher;
use ndarray::{Array1, Array2};

fn main() {
    divan::main();
}

/// Ten covariates, the first constant within clusters of `size` rows, and an outcome.
fn data(n: usize, size: usize) -> (Array1<f64>, Array2<f64>, Clusters) {
    let mut stream = Stream::new::<&str>(&Seed::Integer(1), "bench", &[], 0);
    let mut x = Array2::from_shape_simple_fn((n, 10), || stream.normal());
    for i in 0..n {
        x[(i, 0)] = ((i / size) % 3 / 2) as f64;
    }
    let y = x.sum_axis(ndarray::Axis(1)) + Array1::from_shape_simple_fn(n, || stream.normal());
    let codes: Vec<u32> = (0..n).map(|i| (i / size) as u32).collect();
    (y, x, Clusters::new(&codes).expect("there are rows"))
}

#[divan::bench(args = [10_000, 1_000_000], sample_count = 5)]
fn hc1(bencher: Bencher<'_, '_>, n: usize) {
    let (y, x, _) = data(n, 100);
    bencher.bench(|| {
        Ols::new(y.view(), x.view()).fit().map(|fit| fit.vcov(Vcov::Hc1, None).map(|c| c.detach()))
    });
}

#[divan::bench(args = [10_000, 1_000_000], sample_count = 5)]
fn cr1s(bencher: Bencher<'_, '_>, n: usize) {
    let (y, x, clusters) = data(n, 100);
    bencher.bench(|| {
        Ols::new(y.view(), x.view())
            .fit()
            .map(|fit| fit.vcov(Vcov::Cr1s, Some(&clusters)).map(|c| c.detach()))
    });
}

#[divan::bench(args = [1_000, 5_000], sample_count = 5)]
fn cr2_of_clusters_of_20(bencher: Bencher<'_, '_>, clusters: usize) {
    let (y, x, groups) = data(20 * clusters, 20);
    bencher.bench(|| {
        Ols::new(y.view(), x.view()).fit().map(|fit| fit.vcov(Vcov::Cr2, Some(&groups)).map(|c| c.detach()))
    });
}

#[divan::bench(args = [1_000_000], sample_count = 3)]
fn cr2_of_families(bencher: Bencher<'_, '_>, families: usize) {
    let (y, x, groups) = data(3 * families, 3);
    bencher.bench(|| {
        Ols::new(y.view(), x.view()).fit().map(|fit| fit.vcov(Vcov::Cr2, Some(&groups)).map(|c| c.detach()))
    });
}

#[divan::bench(args = [1_000_000], sample_count = 3)]
fn hc2(bencher: Bencher<'_, '_>, n: usize) {
    let (y, x, _) = data(n, 100);
    bencher.bench(|| {
        Ols::new(y.view(), x.view()).fit().map(|fit| fit.vcov(Vcov::Hc2, None).map(|c| c.detach()))
    });
}

/// Families of 1 to 5 rows, with the degrees of freedom of every coefficient.
#[divan::bench(args = [100_000], sample_count = 5)]
fn cr2_of_families_of_1_to_5(bencher: Bencher<'_, '_>, families: usize) {
    let (y, x, _) = data(3 * families, 3);
    let sizes = (0..families).map(|g| 1 + g % 5);
    let codes: Vec<u32> = sizes.enumerate().flat_map(|(g, size)| vec![g as u32; size]).collect();
    let groups = Clusters::new(&codes).expect("there are rows");
    let fit = Ols::new(y.view(), x.view()).fit().expect("the columns differ");
    bencher.bench(|| fit.vcov(Vcov::Cr2, Some(&groups)).map(|c| c.detach()));
}

/// A factor of 500 levels beside the arm: fit, HC2 and the degrees of freedom of the terms of interest.
#[divan::bench(args = [20_000], sample_count = 3)]
fn hc2_of_500_levels(bencher: Bencher<'_, '_>, n: usize) {
    let (y, narrow, _) = data(n, 1);
    let x = Array2::from_shape_fn((n, 502), |(i, j)| match j {
        0..3 => narrow[(i, j)],
        _ => f64::from(u8::from(i % 500 == j - 2)),
    });
    bencher.bench(|| {
        Ols::new(y.view(), x.view()).fit().map(|fit| fit.vcov(Vcov::Hc2, None).map(|c| c.detach()))
    });
}
