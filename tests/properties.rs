//! Properties that hold for any data: order of rows, names of clusters, units, threads.

use crewe::inference::{Clusters, Vcov};
use crewe::regression::Ols;
use crewe::rng::{Seed, Stream};
use ndarray::{Array1, Array2, Axis};
use proptest::prelude::*;

/// Clusters of one size, an arm by cluster, two covariates, an outcome with cluster effects.
struct Trial {
    y: Array1<f64>,
    x: Array2<f64>,
    codes: Vec<u32>,
}

fn trial(seed: u64, clusters: usize, size: usize) -> Trial {
    let mut stream = Stream::new::<&str>(&Seed::Integer(seed), "properties", &[], 0);
    let n = clusters * size;
    let codes: Vec<u32> = (0..n).map(|i| (i / size) as u32).collect();
    let effects: Vec<f64> = (0..clusters).map(|_| stream.normal()).collect();
    let x = Array2::from_shape_fn((n, 3), |(i, j)| {
        if j == 0 { f64::from(codes[i] % 2) } else { stream.normal() + 3.0 * j as f64 }
    });
    let y = Array1::from_shape_fn(n, |i| {
        0.5 * x[(i, 0)] + 0.2 * x[(i, 1)] + effects[codes[i] as usize] + stream.normal()
    });
    Trial { y, x, codes }
}

struct Covariance {
    matrix: Array2<f64>,
    df: Vec<f64>,
}

fn covariance(trial: &Trial, kind: Vcov) -> (Vec<f64>, Covariance) {
    let clusters = Clusters::new(&trial.codes).unwrap();
    let fit = Ols::new(trial.y.view(), trial.x.view()).fit().unwrap();
    let found = fit.vcov(kind, Some(&clusters)).unwrap();
    let found = Covariance { matrix: found.matrix().clone(), df: found.df().unwrap().to_vec() };
    (fit.coef().to_vec(), found)
}

/// The largest difference of two covariances (and their degrees of freedom), relative to the standard errors.
fn apart(a: &Covariance, b: &Covariance) -> f64 {
    let k = a.df.len();
    let entries = (0..k * k).map(|at| {
        let (i, j) = (at / k, at % k);
        (a.matrix[(i, j)] - b.matrix[(i, j)]).abs() / (a.matrix[(i, i)] * a.matrix[(j, j)]).sqrt()
    });
    let df = a.df.iter().zip(&b.df).map(|(a, b)| (a - b).abs() / a.abs());
    entries.chain(df).fold(0.0, f64::max)
}

fn kinds() -> impl Strategy<Value = Vcov> {
    proptest::sample::select(Vcov::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn the_order_of_rows_does_not_matter(seed in 0_u64..1 << 40, kind in kinds(), clusters in 8_usize..30, size in 1_usize..7) {
        let a = trial(seed, clusters, size);
        let mut stream = Stream::new::<&str>(&Seed::Integer(seed), "order", &[], 0);
        let mut order: Vec<usize> = (0..a.y.len()).collect();
        stream.shuffle(&mut order);
        let b = Trial {
            y: a.y.select(Axis(0), &order),
            x: a.x.select(Axis(0), &order),
            codes: order.iter().map(|&i| a.codes[i]).collect(),
        };
        let ((coef_a, cov_a), (coef_b, cov_b)) = (covariance(&a, kind), covariance(&b, kind));
        for (a, b) in coef_a.iter().zip(&coef_b) {
            prop_assert!((a - b).abs() <= 1e-12 * a.abs().max(1.0));
        }
        prop_assert!(apart(&cov_a, &cov_b) <= 1e-11, "{}", apart(&cov_a, &cov_b));
    }

    #[test]
    fn the_names_of_clusters_do_not_matter(seed in 0_u64..1 << 40, kind in kinds(), clusters in 8_usize..30) {
        let a = trial(seed, clusters, 4);
        let names = |code: u32| (u64::from(code) * 2_654_435_761 % 1_000_003) as u32;
        let b = Trial { y: a.y.clone(), x: a.x.clone(), codes: a.codes.iter().map(|&c| names(c)).collect() };
        let (cov_a, cov_b) = (covariance(&a, kind).1, covariance(&b, kind).1);
        prop_assert!(apart(&cov_a, &cov_b) <= 1e-12);
    }

    #[test]
    fn the_units_of_a_covariate_do_not_matter(seed in 0_u64..1 << 40, kind in kinds(), power in -9_i32..9) {
        let a = trial(seed, 12, 4);
        let factor = 10_f64.powi(power);
        let mut x = a.x.clone();
        x.column_mut(1).mapv_inplace(|v| v * factor);
        let b = Trial { y: a.y.clone(), x, codes: a.codes.clone() };
        let (mut cov_b, cov_a) = (covariance(&b, kind).1, covariance(&a, kind).1);
        cov_b.matrix.row_mut(2).mapv_inplace(|v| v * factor);
        cov_b.matrix.column_mut(2).mapv_inplace(|v| v * factor);
        prop_assert!(apart(&cov_a, &cov_b) <= 1e-10);
    }

    #[test]
    fn hc2_is_cr2_of_single_rows(seed in 0_u64..1 << 40, n in 6_usize..60) {
        let a = trial(seed, n, 1);
        let (hc2, cr2) = (covariance(&a, Vcov::Hc2).1, covariance(&a, Vcov::Cr2).1);
        prop_assert!(apart(&hc2, &cr2) <= 1e-9, "{}", apart(&hc2, &cr2));
    }

    #[test]
    fn cr2_of_an_arm_is_the_clustered_difference_in_means(seed in 0_u64..1 << 40, clusters in 4_usize..30, size in 1_usize..6) {
        let mut a = trial(seed, clusters, size);
        a.x = a.x.select(Axis(1), &[0]);
        let (coef, cr2) = covariance(&a, Vcov::Cr2);
        // Means of clusters; in each arm their variance over their number.
        let (mut effect, mut variance) = (0.0, 0.0);
        for arm in 0..2_usize {
            let means: Vec<f64> = (0..clusters)
                .filter(|g| g % 2 == arm)
                .map(|g| a.y.iter().skip(g * size).take(size).sum::<f64>() / size as f64)
                .collect();
            let count = means.len() as f64;
            let mean = means.iter().sum::<f64>() / count;
            effect += if arm == 1 { mean } else { -mean };
            variance += means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (count - 1.0) / count;
        }
        prop_assert!((coef[1] - effect).abs() <= 1e-11);
        prop_assert!((cr2.matrix[(1, 1)] / variance - 1.0).abs() <= 1e-9);
    }
}

#[test]
fn the_same_bits_on_one_thread_and_on_eight() {
    let a = trial(7, 5_000, 12);
    let bits = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            Vcov::ALL
                .into_iter()
                .flat_map(|kind| {
                    let (coef, covariance) = covariance(&a, kind);
                    let numbers = coef.into_iter().chain(covariance.matrix).chain(covariance.df);
                    numbers.map(f64::to_bits).collect::<Vec<_>>()
                })
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(bits(1), bits(8));
}
