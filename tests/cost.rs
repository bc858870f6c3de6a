//! Sensitivity analysis of costs against closed forms, and the same bits on any number of threads.

use crewe::instruments::cost::{Arms, Draws, Joint, Line, Quantity, Uncertainty, simulate};
use ndarray::array;

const DRAWS: usize = 1_000_000;

fn rate(name: &str, events: f64, of: f64) -> Quantity {
    Quantity::new(name, events / of).uncertain(Uncertainty::Rate { events, of, scale: 1.0 })
}

fn part(name: &str, joint: usize, weights: &[f64]) -> Quantity {
    Quantity::new(name, 0.0).uncertain(Uncertainty::Joint { joint, weights: weights.into() })
}

/// Mean and variance of the draws against theirs, within 4 Monte Carlo standard errors.
fn holds(draws: &Draws, name: &str, mean: f64, variance: f64) {
    let values = draws.column(name).unwrap();
    let n = values.len() as f64;
    let found = values.iter().sum::<f64>() / n;
    let (mut second, mut fourth) = (0.0, 0.0);
    for value in &values {
        let square = (value - mean) * (value - mean);
        second += square;
        fourth += square * square;
    }
    let (second, fourth) = (second / n, fourth / n);
    assert!((found - mean).abs() <= 4.0 * (variance / n).sqrt(), "{name}: mean {found}, {mean}");
    let se = ((fourth - second * second) / n).sqrt();
    assert!((second - variance).abs() <= 4.0 * se, "{name}: variance {second}, {variance}");
}

fn beta(events: f64, of: f64) -> (f64, f64) {
    let (a, b) = (events + 0.5, of - events + 0.5);
    (a / (a + b), a * b / ((a + b) * (a + b) * (a + b + 1.0)))
}

#[test]
fn linear_combinations_have_the_moments_of_their_parts() {
    let amount = Quantity::new("cost", 68.05).uncertain(Uncertainty::Amount { cv: 0.3 });
    let v = array![[0.04, 0.01, -0.02], [0.01, 0.09, 0.0], [-0.02, 0.0, 0.05]];
    // The first two share a chi-squared, the third is normal.
    let fit = Joint::new("fit", vec![1.0, 2.0, 3.0], v.clone(), vec![9.0, 9.0, f64::INFINITY]).unwrap();
    let quantities = [
        rate("none", 0.0, 12.0),
        rate("some", 60.0, 83.0),
        rate("all", 9.0, 9.0),
        amount,
        part("a", 0, &[1.0, 0.0, 0.0]),
        part("b", 0, &[1.0, 1.0, 0.0]),
        part("c", 0, &[0.0, 0.0, 1.0]),
    ];
    let lines = [Line::new("sum", "100 * none - 20 * some + 5 * all + cost / 10 + 2 * b - c")];
    let draws = simulate(&quantities, &[fit], &lines, DRAWS, &2017.into()).unwrap();

    let rates = [beta(0.0, 12.0), beta(60.0, 83.0), beta(9.0, 9.0)];
    for (name, (mean, variance)) in ["none", "some", "all"].into_iter().zip(rates) {
        holds(&draws, name, mean, variance);
    }
    let spread = (0.3_f64 * 68.05).powi(2);
    holds(&draws, "cost", 68.05, spread);
    let t = 9.0 / 7.0;
    holds(&draws, "a", 1.0, t * v[[0, 0]]);
    let b = t * (v[[0, 0]] + v[[1, 1]] + 2.0 * v[[0, 1]]);
    holds(&draws, "b", 3.0, b);
    holds(&draws, "c", 3.0, v[[2, 2]]);
    // The mean of the root of df over its chi-squared: Gamma(4) over Gamma(4.5), times the root of 4.5.
    let shrink = 4.5_f64.sqrt() * 6.0 / (105.0 / 16.0 * std::f64::consts::PI.sqrt());
    let crossed = shrink * (v[[0, 2]] + v[[1, 2]]);
    let mean = 100.0 * rates[0].0 - 20.0 * rates[1].0 + 5.0 * rates[2].0 + 6.805 + 6.0 - 3.0;
    let variance =
        1e4 * rates[0].1 + 400.0 * rates[1].1 + 25.0 * rates[2].1 + spread / 100.0 + 4.0 * b + v[[2, 2]]
            - 4.0 * crossed;
    holds(&draws, "sum", mean, variance);
}

/// The worked example of the R package voi (vignette, "Expected value of perfect information"): one option is worth
/// nothing for certain, the other p1 - p2 with p1 normal about 1 with standard deviation 1 and p2 about 0 with 2. The
/// value printed there, worked out in closed form, is 0.4798107.
#[test]
fn value_of_information_of_a_published_example() {
    let estimate = |name: &str, mean: f64, sd: f64| {
        Joint::new(name, vec![mean], array![[sd * sd]], vec![f64::INFINITY]).unwrap()
    };
    let quantities = [part("p1", 0, &[1.0]), part("p2", 1, &[1.0]), Quantity::new("nothing", 0.0)];
    let joints = [estimate("p1", 1.0, 1.0), estimate("p2", 0.0, 2.0)];
    let draws = simulate(&quantities, &joints, &[], DRAWS, &1.into()).unwrap();
    let arms = Arms::new().arm("t1", &["nothing"], &[], &["nothing"]).arm("t2", &["p2"], &[], &["p1"]);
    let found = draws.decide(&arms, &[1.0], 0.95).unwrap();
    let choice = &found.choices[0];
    assert!((choice.evpi - 0.479_810_7).abs() <= 4.0 * choice.evpi_se, "{} {}", choice.evpi, choice.evpi_se);
    assert!(choice.evpi_se < 0.002);
    // The second is best where a normal number of mean 1 and variance 5 is above 0.
    let best = crewe::dist::normal_cdf(1.0 / 5.0_f64.sqrt());
    let se = |variance: f64| (variance / DRAWS as f64).sqrt();
    assert!((choice.probability[1] - best).abs() <= 4.0 * se(best * (1.0 - best)));
    assert!((choice.net_benefit[1] - 1.0).abs() <= 4.0 * se(5.0));
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let quantities =
        [rate("a", 3.0, 45.0), Quantity::new("b", 9.0).uncertain(Uncertainty::Amount { cv: 1.5 })];
    let lines = [Line::new("c", "a * b")];
    let [one, four] = [1, 4].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let draws = pool.install(|| simulate(&quantities, &[], &lines, 12_345, &7.into())).unwrap();
        ["a", "b", "c"].map(|name| draws.column(name).unwrap())
    });
    assert_eq!(one, four);
}

#[test]
fn ratios_are_of_means_and_a_tornado_is_worked_out_by_hand() {
    let quantities = [
        rate("old", 29.0, 45.0),
        rate("new", 60.0, 83.0),
        Quantity::new("cheap", 1_795.0),
        Quantity::new("dear", 2_450.0),
        rate("unused", 1.0, 4.0),
    ];
    let lines = [Line::new("twice", "2 * new")];
    let draws = simulate(&quantities, &[], &lines, 50_000, &3.into()).unwrap();
    let arms = Arms::new().arm("old", &["cheap"], &[], &["old"]).arm("new", &["dear"], &[], &["new"]);
    let found = draws.decide(&arms, &[0.0, 1e6], 0.9).unwrap();
    let mean = |name: &str| draws.summary(name, 0.9).unwrap().mean;
    let icer = 655.0 / (mean("new") - mean("old"));
    assert!((found.compared[0].icer / icer - 1.0).abs() < 1e-10);
    let [a, b, c, d] = found.compared[0].quadrants;
    assert!((a + b - 1.0).abs() < 1e-12 && c == 0.0 && d == 0.0 && b > 0.05);
    assert_eq!(found.choices[0].probability, [1.0, 0.0]);
    assert_eq!(found.choices[0].evpi, 0.0);

    let tornado = draws.tornado("twice", 0.9).unwrap();
    assert_eq!((tornado.swings.len(), tornado.base), (1, 120.0 / 83.0));
    assert_eq!(tornado.swings[0].results, tornado.swings[0].ends.map(|end| 2.0 * end));
    let net = draws.net_benefit_tornado(&arms, 1, 10_000.0, 0.9).unwrap();
    assert_eq!(net.swings.iter().map(|swing| swing.name.as_str()).collect::<Vec<_>>(), ["old", "new"]);
    let by_hand = |old: f64| 10_000.0 * (60.0 / 83.0 - old) - 655.0;
    assert!((net.base - by_hand(29.0 / 45.0)).abs() < 1e-8);
    for (ours, end) in net.swings[0].results.iter().zip(net.swings[0].ends) {
        assert!((ours - by_hand(end)).abs() < 1e-8);
    }
    assert!(draws.decide(&arms, &[-1.0], 0.9).is_err() && draws.tornado("neither", 0.9).is_err());
    assert!(draws.decide(&Arms::new(), &[1.0], 0.9).is_err());
}
