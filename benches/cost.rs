//! A sensitivity analysis of twenty lines over 100,000 draws: rates, unit costs, and two arms of one fit.

use crewe::instruments::cost::{Arms, Draws, Joint, Line, Quantity, Uncertainty, simulate};
use ndarray::array;

fn main() {
    divan::main();
}

fn draw() -> Draws {
    let rate = |name: &str, events: f64, of: f64| {
        Quantity::new(name, events / of).uncertain(Uncertainty::Rate { events, of, scale: 1.0 })
    };
    let amount =
        |name: &str, value: f64| Quantity::new(name, value).uncertain(Uncertainty::Amount { cv: 0.2 });
    let arm = |name: &str, weights: [f64; 2]| {
        Quantity::new(name, 0.0).uncertain(Uncertainty::Joint { joint: 0, weights: weights.into() })
    };
    let quantities = [
        arm("closed_old", [1.0, 0.0]),
        arm("closed_new", [1.0, 1.0]),
        rate("back_old", 3.0, 45.0),
        rate("back_new", 5.0, 83.0),
        rate("worse_old", 4.0, 45.0),
        rate("worse_new", 2.0, 83.0),
        amount("week_old", 55.13),
        amount("week_new", 68.05),
        amount("worse", 2_464.0),
        Quantity::new("weeks", 34.0),
    ];
    let mut lines = Vec::new();
    for arm in ["old", "new"] {
        for (name, formula) in [
            ("case", format!("week_{arm} * weeks")),
            ("again", format!("back_{arm} * case_{arm}")),
            ("escalated", format!("worse_{arm} * (worse - 1686)")),
            ("cost", format!("case_{arm} + again_{arm} + escalated_{arm}")),
            ("gain", format!("closed_{arm} * 0.54 + (1 - closed_{arm}) * 0.15")),
            ("earnings", format!("80000 * gain_{arm}")),
            ("tax", format!("earnings_{arm} * (20% + 12%)")),
            ("employment", format!("14.3% * gain_{arm}")),
            ("effect", format!("closed_{arm} * (1 - back_{arm})")),
            ("net", format!("10000 * effect_{arm} - cost_{arm} + tax_{arm}")),
        ] {
            lines.push(Line::new(format!("{name}_{arm}"), formula));
        }
    }
    // The bench's own model is well formed.
    let covariance = array![[0.005, -0.005], [-0.005, 0.008]];
    let fit = Joint::new("closure", vec![0.64, 0.08], covariance, vec![40.0, 80.0]).unwrap();
    simulate(&quantities, &[fit], &lines, 100_000, &2017.into()).unwrap()
}

/// The draws, and the interval of every line.
#[divan::bench]
fn psa(bencher: divan::Bencher<'_, '_>) {
    bencher.bench(|| draw().summaries(0.95).unwrap());
}

/// What follows at 61 values of an effect.
#[divan::bench]
fn decision(bencher: divan::Bencher<'_, '_>) {
    let draws = draw();
    let arms = Arms::new().arm("old", &["cost_old"], &["tax_old"], &["effect_old"]).arm(
        "new",
        &["cost_new"],
        &["tax_new"],
        &["effect_new"],
    );
    let worth: Vec<f64> = (0..=60).map(|k| 500.0 * f64::from(k)).collect();
    bencher.bench(|| draws.decide(&arms, &worth, 0.95).unwrap());
}
