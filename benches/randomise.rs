//! Randomisation: units from rows, one assignment, many draws.

use crewe::design::{Column, Constrained, Design, Fraction, Units};
use crewe::progress::NoMonitor;

fn main() {
    divan::main();
}

fn design() -> Design {
    Design::new("bench").arm("control", 1).arm("crewe", 2).cluster("family").strata(["site"]).seed(2017)
}

fn columns(families: usize, children: usize, sites: usize) -> [Column; 2] {
    let family =
        Column::from_values("family", (0..families * children).map(|row| format!("F{:07}", row / children)));
    let site =
        Column::from_values("site", (0..families * children).map(|row| (row / children % sites).to_string()));
    [family, site]
}

fn units(families: usize, sites: usize) -> Units {
    let [family, site] = columns(families, 1, sites);
    // The bench's own data are well formed.
    Units::from_rows(design().unit().unwrap(), &family, &[site]).unwrap()
}

#[divan::bench(args = [10_000, 100_000])]
fn assign_clusters(bencher: divan::Bencher<'_, '_>, families: usize) {
    let (design, units) = (design(), units(families, 4));
    bencher.bench(|| design.assign(&units));
}

#[divan::bench(args = [10_000, 100_000])]
fn units_from_three_rows_a_cluster(bencher: divan::Bencher<'_, '_>, families: usize) {
    let [family, site] = columns(families, 3, 4);
    let design = design();
    bencher.bench(|| Units::from_rows(design.unit().unwrap(), &family, std::slice::from_ref(&site)));
}

#[divan::bench]
fn ten_thousand_draws_of_132_families_in_4_strata(bencher: divan::Bencher<'_, '_>) {
    let (design, units) = (design(), units(132, 4));
    bencher.bench(|| design.draws(&units, 10_000, None, &NoMonitor));
}

/// All 12,870 ways of splitting sixteen units 8:8, scored on six columns, and the best tenth accepted.
#[divan::bench]
fn constrained_search_of_12870_schemes(bencher: divan::Bencher<'_, '_>) {
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut units = {
        let ids = Column::from_values("county", (0..16).map(|unit| unit.to_string()));
        // The bench's own data are well formed.
        Units::from_rows(&crewe::design::Unit::Individual("county".to_owned()), &ids, &[]).unwrap()
    };
    for (k, name) in names.iter().enumerate() {
        let values: Vec<f64> = (0..16).map(|unit| ((unit * (5 * k + 1) + k * k) % 17) as f64).collect();
        units = units.covariate(name, &values).unwrap();
    }
    let method = Constrained::new(names.iter().map(|name| (*name, 1)), Fraction::new(1, 10), 50_000);
    let design = Design::new("bench").arm("a", 1).arm("b", 1).individual("county").method(method).seed(1);
    assert_eq!(design.possible(&units).unwrap().unwrap().to_string().len(), 4);
    bencher.bench(|| design.possible(&units));
}
