//! Golden assignments of the sequential procedures, whose vectors a second implementation in Python wrote.

use crewe::design::{Arrival, Column, Design, Method, Sequence, Units};
use crewe::progress::NoMonitor;
use crewe::rng::Seed;
use serde_json::Value;

type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[test]
fn sequential_assignments_draws_and_single_arrivals() -> Outcome {
    let golden: Value = serde_json::from_str(include_str!("reference/expected/golden_sequential.json"))?;
    let cases = golden["cases"].as_array().ok_or("no cases")?;
    assert_eq!(cases.len(), 9);
    for case in cases {
        let mut design = Design::new("golden").cluster("family").strata(["site"]);
        for arm in case["arms"].as_array().into_iter().flatten() {
            design = design.arm(&text(&arm[0]), arm[1].as_u64().unwrap_or_default() as u32);
        }
        let seed = Seed::Integer(case["seed"].as_u64().ok_or("no seed")?);
        let design = design.method(Method::from_json(&case["method"].to_string())?).seed(seed.clone());
        let arrived: Vec<&Value> = case["units"].as_array().into_iter().flatten().collect();
        let ids = Column::from_values("family", arrived.iter().map(|unit| text(&unit["id"])));
        let site = Column::from_values("site", arrived.iter().map(|unit| text(&unit["stratum"][0])));
        let order: Vec<i64> = (0..arrived.len() as i64).collect();
        let mut units = Units::from_rows(design.unit()?, &ids, &[site])?.arriving("day", &order)?;
        for (place, name) in design.the_method().factors().into_iter().enumerate() {
            let levels = arrived.iter().map(|unit| text(&unit["factors"][place]));
            units = units.factor(&Column::from_values(name, levels))?;
        }
        let assignment = design.assign(&units)?;
        let draws = design.draws(&units, 4, None, &NoMonitor)?;
        for (unit, label) in units.labels().iter().enumerate() {
            let named = |arm: u8| assignment.arms[usize::from(arm)].as_str();
            assert_eq!(case["assigned"][label], named(assignment.arm[unit]), "{} {label}", case["case"]);
            assert_eq!(case["draws_3"][label], named(draws[[3, unit]]), "{} {label}", case["case"]);
        }
        let mut sequence = Sequence::new(&design, &seed)?;
        for unit in arrived {
            let list = |values: &Value| values.as_array().into_iter().flatten().map(text).collect::<Vec<_>>();
            let (stratum, factors) = (list(&unit["stratum"]), list(&unit["factors"]));
            let drawn = sequence.allocate(&Arrival::new(&stratum, &factors));
            let arm = assignment.arms[usize::from(drawn.arm)].as_str();
            assert_eq!(case["assigned"][text(&unit["id"])], arm, "{}", case["case"]);
        }
    }
    Ok(())
}
