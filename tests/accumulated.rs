//! Least squares from chunks equals least squares in memory.

mod common;

use common::close_to;
use crewe::Error;
use crewe::inference::{Clusters, Compare, Contrasts, Setting, Vcov};
use crewe::regression::{Accumulated, Ols};
use crewe::rng::{Seed, Stream};
use ndarray::{Array1, Array2, Axis};
use proptest::prelude::*;

struct Data {
    y: Array1<f64>,
    x: Array2<f64>,
    codes: Vec<u32>,
}

/// Clusters of 1 to 9 rows, their rows scattered, an arm by cluster and two covariates far from 0.
fn data(seed: u64, clusters: u32, offset: f64) -> Data {
    let mut stream = Stream::new::<&str>(&Seed::Integer(seed), "accumulated", &[], 0);
    let mut codes: Vec<u32> = (0..clusters).flat_map(|g| vec![g; 1 + (g as usize * 7) % 9]).collect();
    stream.shuffle(&mut codes);
    let effects: Vec<f64> = (0..clusters).map(|_| stream.normal()).collect();
    let x = Array2::from_shape_fn((codes.len(), 3), |(i, j)| match j {
        0 => f64::from(codes[i] % 2),
        1 => offset + 100.0 * stream.normal(),
        _ => 1e-3 * (stream.normal() + 4.0),
    });
    let y = Array1::from_shape_fn(codes.len(), |i| {
        offset + 0.5 * x[(i, 0)] + 300.0 * x[(i, 2)] + effects[codes[i] as usize] + stream.normal()
    });
    Data { y, x, codes }
}

fn add(sums: &mut Accumulated, data: &Data, rows: &[usize]) {
    let (y, x) = (data.y.select(Axis(0), rows), data.x.select(Axis(0), rows));
    let names: Vec<u64> = rows.iter().map(|&i| 1_000_000 - u64::from(data.codes[i])).collect();
    sums.add(y.view(), x.view(), &names).unwrap();
}

fn same(a: &Contrasts, b: &Contrasts, what: &str) {
    for i in 0..a.estimate.len() {
        close_to(a.estimate[i], b.estimate[i], 1e-12, 1e-3 * b.std_error[i], &format!("{what} estimate {i}"));
        close_to(a.std_error[i], b.std_error[i], 1e-12, 0.0, &format!("{what} se {i}"));
        close_to(a.df[i], b.df[i], 1e-11, 0.0, &format!("{what} df {i}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(16) })]

    #[test]
    fn chunks_in_any_order_and_merged_give_the_fit_in_memory(
        seed in any::<u64>(), clusters in 12_u32..40, parts in 1_usize..6, offset in prop::sample::select(vec![0.0, 1e3, -5e5]),
    ) {
        let data = data(seed, clusters, offset);
        let memory = Ols::new(data.y.view(), data.x.view()).fit().unwrap();
        let groups = Clusters::new(&data.codes).unwrap();
        // Clusters span the parts, each part is added in two chunks, and the last is merged first.
        let mut sums: Vec<Accumulated> = (0..parts).map(|_| Accumulated::new(["arm", "a", "b"])).collect();
        for (part, sums) in sums.iter_mut().enumerate() {
            let rows: Vec<usize> = (0..data.y.len()).filter(|i| i % parts == part).collect();
            let (one, two) = rows.split_at(rows.len() / 3);
            add(sums, &data, one);
            add(sums, &data, two);
        }
        let mut total = sums.pop().unwrap();
        for other in &sums {
            total.merge(other).unwrap();
        }
        let fit = total.fit().unwrap();
        prop_assert_eq!(fit.n(), data.y.len());
        close_to(fit.sigma(), memory.summary().sigma, 1e-12, 0.0, "sigma");
        let level = |v: f64| Array2::from_shape_vec((1, 3), vec![v, offset + 3.0, 4e-3]).unwrap();
        let (control, treated) = (level(0.0), level(1.0));
        let settings = [Setting::new(control.view()), Setting::new(treated.view())];
        let joint = ndarray::array![[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
        let general = |kind: &Vcov| !kind.is_of_equations() && !kind.is_of_cox();
        let kinds = Vcov::ALL.into_iter().filter(general);
        for kind in kinds.filter(|kind| kind.is_clustered() || *kind == Vcov::Iid) {
            let (a, b) = (fit.vcov(kind).unwrap(), memory.vcov(kind, Some(&groups)).unwrap());
            same(&a.coefficients(0.95).unwrap(), &b.coefficients(0.95).unwrap(), kind.name());
            let (m, n) = (
                a.margins(&settings, &[[1, 0]], Compare::Difference, 0.95).unwrap(),
                b.margins(&settings, &[[1, 0]], Compare::Difference, 0.95).unwrap(),
            );
            same(&m.levels, &n.levels, kind.name());
            let (v, w) = (a.wald(joint.view()).unwrap(), b.wald(joint.view()).unwrap());
            close_to(v.statistic, w.statistic, 1e-11, 0.0, "joint");
            close_to(v.df_denom, w.df_denom, 1e-11, 0.0, "joint df");
        }
    }
}

#[test]
fn what_needs_rows_or_has_lost_digits_is_refused() {
    let data = data(3, 20, 0.0);
    let mut sums = Accumulated::new(["arm", "a", "b"]);
    add(&mut sums, &data, &(0..data.y.len()).collect::<Vec<_>>());
    let fit = sums.fit().unwrap();
    for kind in [Vcov::Hc0, Vcov::Hc1, Vcov::Hc2, Vcov::Hc3] {
        let error = fit.vcov(kind).unwrap_err();
        assert!(matches!(error, Error::Input(_)) && error.to_string().contains("needs the rows"), "{error}");
    }
    assert!(sums.merge(&Accumulated::new(["arm"])).is_err());
    assert!(Accumulated::new(["arm"]).fit().unwrap_err().to_string().contains("no rows"));
    let mut near = data.x.clone();
    near.column_mut(2).assign(&(&data.x.column(1) + &(1e-4 * &data.x.column(2))));
    let codes: Vec<u64> = data.codes.iter().map(|&g| u64::from(g)).collect();
    let mut sums = Accumulated::new(["arm", "a", "near"]);
    sums.add(data.y.view(), near.view(), &codes).unwrap();
    let error = sums.fit().unwrap_err();
    assert!(error.to_string().contains("nearly collinear"), "{error}");
    near.column_mut(2).assign(&data.x.column(1));
    let mut sums = Accumulated::new(["arm", "a", "twice"]);
    sums.add(data.y.view(), near.view(), &codes).unwrap();
    assert!(matches!(sums.fit().unwrap_err(), Error::Rank(_)));
    let bad = Array1::from_elem(data.y.len(), f64::NAN);
    assert_eq!(sums.add(bad.view(), near.view(), &codes).unwrap_err().fault().unwrap().rows.len(), bad.len());
}
