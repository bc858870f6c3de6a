//! Power by replaying a trial: 132 families at 2:1, outcomes of 0 or 1, one thread. `cargo bench --bench simulate`.

use crewe::design::{Column, Design, Units};
use crewe::inference::Vcov;
use crewe::progress::NoMonitor;
use crewe::rng::Seed;
use crewe::simulate::{Analysis, Binary, Rows, Trial};

fn main() {
    // The figures are those of one thread.
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("no pool was made before");
    divan::main();
}

fn trial(vcov: Vcov) -> Trial {
    let family: Vec<u32> = (0..396).map(|child| child / 3).collect();
    let design = Design::new("Trial").arm("control", 1).arm("crewe", 2).cluster("family").seed(1);
    let ids = Column::from_values("family", family.iter().map(u32::to_string));
    let units = Units::from_rows(design.unit().unwrap(), &ids, &[]).unwrap();
    let outcome = Binary { baseline: 0.226, effect: 0.15, icc: 0.36, ..Binary::default() };
    let members = Rows::new(units.rows().to_vec()).into();
    let analysis = Analysis::new(vcov, 0.05);
    Trial::new(&design, &units, members, outcome.into(), analysis, &Seed::Integer(1), &NoMonitor).unwrap()
}

#[divan::bench(args = [Vcov::Cr1, Vcov::Cr2])]
fn thousand(bencher: divan::Bencher<'_, '_>, vcov: Vcov) {
    let trial = trial(vcov);
    bencher.bench(|| trial.replicates(0..1_000, None, &NoMonitor).unwrap());
}
