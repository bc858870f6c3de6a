//! Randomises families to two arms at 2:1 within strata, and prints the assignment with its commitment.
//!
//! `cargo run --example randomise`

use crewe::design::{Column, Complete, Covariate, Design, Units, balance};

fn main() -> crewe::Result<()> {
    let design = Design::new("Project Crewe")
        .arm("control", 1)
        .arm("crewe", 2)
        .cluster("family_id")
        .strata(["history"])
        .method(Complete::default())
        .seed(2017);
    // Lodge this before the first family is randomised.
    let commitment = design.commitment()?;
    println!("commitment {} ({})", commitment.digest, commitment.label);

    // One row a child: 24 families with one to three children.
    let children: Vec<usize> = (1..=24).flat_map(|family| vec![family; 1 + family % 3]).collect();
    let families = Column::from_values("family_id", children.iter().map(ToString::to_string));
    let history =
        Column::from_values("history", children.iter().map(|f| if f % 5 == 0 { "yes" } else { "no" }));
    let units = Units::from_rows(design.unit()?, &families, &[history])?;
    let assignment = design.assign(&units)?;

    let table = assignment.table();
    for (stratum, labels) in assignment.units.strata().iter().enumerate() {
        let counts: Vec<String> = (0..assignment.arms.len())
            .map(|arm| format!("{} {}", table[[stratum, arm]], assignment.arms[arm]))
            .collect();
        println!("history {}: {}", labels.join(", "), counts.join(", "));
    }
    for (family, &arm) in assignment.units.labels().iter().zip(&assignment.arm) {
        println!("family {family:>2} {}", assignment.arms[usize::from(arm)]);
    }
    for note in &assignment.notes {
        println!("note: {note}");
    }
    if let Some(possible) = design.possible(&units)? {
        println!("one of {possible} possible assignments");
    }

    let ages: Vec<f64> = (0..children.len()).map(|child| (child * 7 % 17) as f64).collect();
    let age = Covariate::new("age", &ages);
    let result = balance(assignment.units.rows(), &assignment.arm, assignment.arms.len(), &[age])?;
    println!(
        "mean age by family: {:.2} control, {:.2} crewe, standardised difference {:.2}",
        result.unit.mean[[0, 0]],
        result.unit.mean[[0, 1]],
        result.unit.difference[[0, 1]],
    );
    Ok(())
}
