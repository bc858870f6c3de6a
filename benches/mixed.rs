//! Linear mixed models and estimating equations; `cargo bench --bench mixed`. One thread: `RAYON_NUM_THREADS=1`.

use crewe::inference::{Clusters, Vcov};
use crewe::linalg::DesignMatrix;
use crewe::regression::{gee::Gee, mixed};
use crewe::rng::{Seed, Stream};
use divan::Bencher;
use ndarray::{Array1, Array2};

fn main() {
    divan::main();
}

/// Ten covariates, the first constant within clusters of `size` rows, and a part that rows of a cluster share.
fn data(clusters: usize, size: usize) -> (Array1<f64>, Array2<f64>, Clusters) {
    let n = clusters * size;
    let mut stream = Stream::new::<&str>(&Seed::Integer(1), "bench", &[], 0);
    let mut x = Array2::from_shape_simple_fn((n, 10), || stream.normal());
    let shared: Vec<f64> = (0..clusters).map(|_| stream.normal()).collect();
    for i in 0..n {
        x[(i, 0)] = f64::from(u8::from((i / size) % 3 == 2));
    }
    let y = Array1::from_shape_fn(n, |i| 0.3 * x.row(i).sum() + 0.5 * shared[i / size] + stream.normal());
    let codes: Vec<u32> = (0..n).map(|i| (i / size) as u32).collect();
    (y, x, Clusters::new(&codes).expect("there are rows"))
}

#[divan::bench(args = [132, 1_000, 10_000], sample_count = 20)]
fn kenward_roger_of_clusters_of_20(bencher: Bencher<'_, '_>, clusters: usize) {
    let (y, x, groups) = data(clusters, 20);
    bencher.bench(|| {
        mixed::fit(&DesignMatrix::new(x.view(), true), y.view(), "y", &groups)
            .and_then(|fit| fit.vcov(Vcov::KenwardRoger).map(|c| c.detach()))
    });
}

#[divan::bench(args = [132, 1_000], sample_count = 10)]
fn kauermann_carroll_of_clusters_of_20(bencher: Bencher<'_, '_>, clusters: usize) {
    let (y, x, groups) = data(clusters, 20);
    bencher.bench(|| {
        Gee::new(y.view(), x.view(), &groups).fit().and_then(|fit| fit.vcov(Vcov::Kc).map(|c| c.detach()))
    });
}
