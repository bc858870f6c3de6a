//! Procedures that draw one arrival after the other: what they promise, by enumeration and by simulation.

use std::collections::BTreeMap;

use crewe::design::{
    Arrival, Assignment, BiasedCoin, BigStick, Blocks, Column, Complete, Design, Expected, Fraction,
    Imbalance, Method, Minimisation, Ratio, Sequence, Simple, Units, minimisation,
};
use crewe::progress::NoMonitor;
use crewe::rng::{Seed, Stream};
use proptest::prelude::*;

/// One newcomer: identifier, stratum, two factors.
#[derive(Debug, Clone)]
struct Newcomer {
    id: String,
    stratum: String,
    site: String,
    sex: String,
}

fn newcomer(id: usize, stratum: usize, site: usize, sex: usize) -> Newcomer {
    Newcomer {
        id: format!("F{id:03}"),
        stratum: format!("s{stratum}"),
        // Composed and decomposed text, and labels that are numbers.
        site: ["0", "1", "Cre\u{301}we", "10"][site].to_owned(),
        sex: ["f", "m"][sex].to_owned(),
    }
}

/// Newcomers with levels from a stream of their own.
fn newcomers(n: usize, strata: u64) -> Vec<Newcomer> {
    let mut stream = Stream::new::<&str>(&Seed::Integer(5), "test newcomers", &[], 0);
    (0..n)
        .map(|i| {
            let mut below = |bound| stream.below(bound) as usize;
            newcomer(i, below(strata), below(4), below(2))
        })
        .collect()
}

fn minimisation(p: Fraction, imbalance: Imbalance) -> Method {
    Minimisation::new([("site", 1), ("sex", 2)], imbalance, p).into()
}

/// Every procedure that works for any ratio, with names.
fn procedures(total: u32) -> Vec<Method> {
    vec![
        Simple {}.into(),
        Blocks::new([total]).into(),
        Blocks::new([2 * total, total]).into(),
        BigStick::new(1).into(),
        BigStick::new(3).into(),
        BiasedCoin::new(Fraction::new(2, 3)).into(),
        BiasedCoin::new(Fraction::new(1, 1)).into(),
        minimisation(Fraction::new(4, 5), Imbalance::Range),
        minimisation(Fraction::new(7, 10), Imbalance::Variance),
        minimisation(Fraction::new(1, 1), Imbalance::Range),
    ]
}

const RATIOS: [&[u32]; 4] = [&[1, 1], &[2, 1], &[3, 2], &[1, 1, 2]];

fn design(ratio: &[u32], method: Method) -> Design {
    let mut design = Design::new("sequential").cluster("family").strata(["stratum"]).seed(11);
    for (arm, &share) in ratio.iter().enumerate() {
        design = design.arm(&format!("arm {arm}"), share);
    }
    design.method(method)
}

/// The units, with rows in this order of the file and arrivals in the order of the list.
fn units(design: &Design, list: &[Newcomer], file: &[usize]) -> Units {
    let column = |name: &str, of: fn(&Newcomer) -> &String| {
        Column::from_values(name, file.iter().map(|&row| of(&list[row]).as_str()))
    };
    let order: Vec<i64> = file.iter().map(|&row| row as i64).collect();
    let unit = design.unit().expect("the design names its unit");
    Units::from_rows(unit, &column("family", |n| &n.id), &[column("stratum", |n| &n.stratum)])
        .and_then(|units| units.arriving("day", &order))
        .and_then(|units| units.factor(&column("site", |n| &n.site)))
        .and_then(|units| units.factor(&column("sex", |n| &n.sex)))
        .expect("the newcomers are units")
}

fn in_file_order(design: &Design, list: &[Newcomer]) -> Units {
    units(design, list, &(0..list.len()).collect::<Vec<_>>())
}

fn arms_by_id(assignment: &Assignment) -> BTreeMap<String, u8> {
    assignment.units.labels().iter().cloned().zip(assignment.arm.iter().copied()).collect()
}

/// Allocates the newcomers one after the other, and compares with the assignment: arms, probabilities, blocks.
fn same_as_a_sequence(ratio: &[u32], method: Method, list: &[Newcomer], file: &[usize]) {
    let design = design(ratio, method);
    let assignment = design.assign(&units(&design, list, file)).expect("the design can be carried out");
    let arms = arms_by_id(&assignment);
    let mut sequence =
        Sequence::new(&design, &Seed::Integer(11)).expect("the procedure draws one after the other");
    let sequential = design.the_method().needs_order();
    for person in list {
        let factors = match sequence.factor_columns().len() {
            0 => vec![],
            _ => vec![person.site.clone(), person.sex.clone()],
        };
        let stratum = [person.stratum.clone()];
        let arrival = Arrival::new(&stratum, &factors);
        sequence.check(&arrival).expect("the newcomer fits the design");
        let mut copy = sequence.clone();
        let drawn = sequence.allocate(&arrival);
        assert_eq!(copy.allocate(&arrival), drawn);
        assert_eq!(drawn.arm, arms[&person.id], "{:?}", design.the_method());
        let unit = assignment.units.labels().iter().position(|label| *label == person.id);
        let unit = unit.expect("the newcomer is a unit");
        if sequential {
            let conditional =
                assignment.details.conditional.as_ref().expect("sequential procedures store it");
            assert_eq!(conditional.row(unit).to_vec(), drawn.probability);
        }
        let block = assignment.details.block.as_ref().map(|block| u64::from(block[unit]));
        assert_eq!(drawn.block.map(|block| block.number), block);
    }
}

#[test]
fn an_assignment_is_the_sequence_of_its_arrivals() {
    let list = newcomers(60, 3);
    let forward: Vec<usize> = (0..list.len()).collect();
    let backward: Vec<usize> = forward.iter().rev().copied().collect();
    for ratio in RATIOS {
        for method in procedures(ratio.iter().sum()) {
            same_as_a_sequence(ratio, method.clone(), &list, &forward);
            same_as_a_sequence(ratio, method, &list, &backward);
        }
    }
}

/// Every assignment that is possible, its probability, and what the design says of the units.
fn enumerate(ratio: &[u32], method: Method, list: &[Newcomer]) -> BTreeMap<Vec<u8>, f64> {
    let design = design(ratio, method);
    let units = in_file_order(&design, list);
    let support = design.support(&units, 1 << 16).expect("the design can be carried out");
    let support = support.expect("there are few enough assignments");
    let all: BTreeMap<Vec<u8>, f64> =
        support.arm.rows().into_iter().map(|row| row.to_vec()).zip(support.probability.clone()).collect();
    assert_eq!(all.len(), support.probability.len(), "every assignment is listed once");
    let possible = design.possible(&units).expect("the design can be carried out");
    assert_eq!(possible, Some(all.len().into()), "{:?} {ratio:?}", design.the_method());
    all
}

/// By enumeration: probabilities sum to 1, and every unit's probability of every arm is exactly the ratio.
#[test]
fn the_support_gives_the_ratio_at_every_arrival() {
    for ratio in RATIOS {
        let total: u32 = ratio.iter().sum();
        for method in procedures(total) {
            for list in [newcomers(7, 1), newcomers(8, 2)] {
                let design = design(ratio, method.clone());
                let reported = design.probabilities(&in_file_order(&design, &list));
                let reported = reported.expect("the design can be carried out").arm;
                let all = enumerate(ratio, method.clone(), &list);
                assert!((all.values().sum::<f64>() - 1.0).abs() < 1e-12);
                for unit in 0..list.len() {
                    for (arm, &share) in ratio.iter().enumerate() {
                        let of = |(arms, p): (&Vec<u8>, &f64)| {
                            if usize::from(arms[unit]) == arm { *p } else { 0.0 }
                        };
                        let marginal: f64 = all.iter().map(of).sum();
                        let want = f64::from(share) / f64::from(total);
                        assert!(
                            (marginal - want).abs() < 1e-12,
                            "{method:?} {ratio:?} {unit} {marginal} {want}"
                        );
                        assert_eq!(reported[[unit, arm]], want);
                    }
                }
            }
        }
    }
}

/// By simulation: each possible assignment is drawn as often as its probability says, within 5 standard errors.
#[test]
fn draws_follow_the_support() {
    const DRAWS: usize = 40_000;
    let list = newcomers(6, 2);
    for ratio in RATIOS {
        for method in procedures(ratio.iter().sum()) {
            let all = enumerate(ratio, method.clone(), &list);
            let design = design(ratio, method.clone());
            let drawn = design.draws(&in_file_order(&design, &list), DRAWS, None, &NoMonitor);
            let mut counts: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
            for row in drawn.expect("the draws fit into memory").rows() {
                *counts.entry(row.to_vec()).or_default() += 1;
            }
            assert!(counts.keys().all(|arms| all.contains_key(arms)), "{method:?}");
            for (arms, p) in &all {
                let count = f64::from(counts.get(arms).copied().unwrap_or(0));
                let error = (count - p * DRAWS as f64).abs();
                assert!(error <= 5.0 * (p * (1.0 - p) * DRAWS as f64).sqrt() + 1e-9, "{method:?} {arms:?}");
            }
        }
    }
}

/// Where nothing but the arms is remembered (equal arms, one block size), the conditional probabilities of an
/// assignment's arms multiply to its probability. Elsewhere they average to the marginal ones over many assignments.
#[test]
fn conditional_probabilities_multiply_to_the_assignments() {
    let list = newcomers(7, 2);
    for ratio in [&[1, 1][..], &[1, 1, 1]] {
        for method in procedures(ratio.iter().sum()) {
            let several = matches!(&method, Method::Blocks(blocks) if blocks.sizes.len() > 1);
            if several || !method.needs_order() {
                continue;
            }
            let all = enumerate(ratio, method.clone(), &list);
            for seed in 0..50 {
                let design = design(ratio, method.clone()).seed(seed);
                let assignment = design.assign(&in_file_order(&design, &list)).expect("it can be drawn");
                let conditional = assignment.details.conditional.expect("it is stored");
                let product: f64 = (0..list.len())
                    .map(|unit| conditional[[unit, usize::from(assignment.arm[unit])]])
                    .product();
                assert!((product - all[&assignment.arm]).abs() < 1e-12, "{method:?}");
            }
        }
    }
}

#[test]
fn conditional_probabilities_average_to_the_ratio() {
    const SEEDS: u64 = 2_000;
    let list = newcomers(9, 2);
    for method in procedures(3).into_iter().filter(Method::needs_order) {
        let mut sums = ndarray::Array2::<f64>::zeros((list.len(), 2));
        let mut squares = sums.clone();
        let mut sorted = true;
        for seed in 0..SEEDS {
            let design = design(&[2, 1], method.clone()).seed(seed);
            let assignment = design.assign(&in_file_order(&design, &list)).expect("it can be drawn");
            let conditional = assignment.details.conditional.expect("it is stored");
            sorted &= conditional.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-12);
            squares += &conditional.mapv(|p| p * p);
            sums += &conditional;
        }
        assert!(sorted, "each unit's probabilities sum to 1");
        let n = SEEDS as f64;
        for ((&sum, &square), want) in
            sums.iter().zip(&squares).zip([2.0 / 3.0, 1.0 / 3.0].into_iter().cycle())
        {
            let mean = sum / n;
            let se = ((square / n - mean * mean).max(0.0) / n).sqrt();
            assert!((mean - want).abs() <= 5.0 * se + 1e-9, "{method:?} {mean} {want}");
        }
    }
}

/// Three units at 1:1 under the big stick with limit 1 come in pairs: 2^2 assignments; with limit 2 all but AAA and BBB.
#[test]
fn big_sticks_are_counted() {
    let list: Vec<Newcomer> = (0..132).map(|i| newcomer(i, 0, 0, 0)).collect();
    let count = |limit: u32, n: usize| {
        let design = design(&[1, 1], BigStick::new(limit).into());
        design.possible(&in_file_order(&design, &list[..n])).expect("it can be counted")
    };
    assert_eq!(count(1, 3), Some(4_u32.into()));
    assert_eq!(count(2, 3), Some(6_u32.into()));
    assert_eq!(count(200, 132), Some(num_bigint::BigUint::from(2_u32).pow(132)));
    // Limit 2: at an even time the arms are even or two apart. Paths by the transfer matrix of (even, two apart).
    let (mut even, mut apart) = (num_bigint::BigUint::from(1_u32), num_bigint::BigUint::ZERO);
    for _ in 0..66 {
        // Even: two ways to one apart, then back to even or on to two apart. Two apart: the other arm for certain, then
        // either.
        (even, apart) = (&even * 2_u32 + &apart, &even * 2_u32 + &apart);
    }
    assert_eq!(count(2, 132), Some(even + apart));
}

#[test]
fn what_must_be_known_is_asked_for() {
    let list = newcomers(8, 2);
    for method in procedures(2) {
        let design = design(&[1, 1], method);
        let column = |name: &str, of: fn(&Newcomer) -> &String| {
            Column::from_values(name, list.iter().map(|person| of(person).as_str()))
        };
        let unit = design.unit().expect("it has one");
        let bare = Units::from_rows(unit, &column("family", |n| &n.id), &[column("stratum", |n| &n.stratum)])
            .expect("they are units");
        let told = design.assign(&bare).err().map(|error| error.to_string());
        assert_eq!(told.is_some(), design.the_method().needs_order());
        if let Some(told) = told {
            assert!(told.contains("order in which they arrived"), "{told}");
            assert!(design.draws(&bare, 5, None, &NoMonitor).is_err());
        }
        if !design.the_method().factors().is_empty() {
            let order: Vec<i64> = (0..8).collect();
            let told = bare.arriving("day", &order).and_then(|units| design.assign(&units).map(drop));
            assert!(told.is_err_and(|error| error.to_string().contains("column 'site'")));
        }
    }
    // Procedures that need the whole list, newcomers that do not fit, ratios without end.
    assert!(Sequence::new(&design(&[1, 1], Complete::default().into()), &Seed::Integer(1)).is_err());
    let sequence = Sequence::new(
        &design(&[1, 1], minimisation(Fraction::new(4, 5), Imbalance::Range)),
        &Seed::Integer(1),
    );
    let sequence = sequence.expect("minimisation draws one after the other");
    assert_eq!(sequence.factor_columns(), ["site", "sex"]);
    assert_eq!(format!("{sequence:?}"), "Sequence { arrivals: 0, .. }");
    assert!(sequence.check(&Arrival::new(&["s0".to_owned()], &["1".to_owned()])).is_err());
    assert!(design(&[1000, 1001], BigStick::new(3).into()).check().is_err());
    assert!(design(&[1000, 1001], Simple {}.into()).check().is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Rows of the file in any order; the sequence of arrivals alone decides.
    #[test]
    fn rows_of_the_file_may_stand_in_any_order(
        people in prop::collection::vec((0..3_usize, 0..4_usize, 0..2_usize), 4..40),
        shuffle in any::<u64>(),
        which in 0..10_usize,
        ratio in prop::sample::select(RATIOS.to_vec()),
    ) {
        let list: Vec<Newcomer> =
            people.iter().enumerate().map(|(i, &(stratum, site, sex))| newcomer(i, stratum, site, sex)).collect();
        let mut file: Vec<usize> = (0..list.len()).collect();
        Stream::new::<&str>(&Seed::Integer(shuffle), "test rows", &[], 0).shuffle(&mut file);
        let method = procedures(ratio.iter().sum()).swap_remove(which);
        same_as_a_sequence(ratio, method, &list, &file);
    }

    /// A newcomer changes neither the arms of other strata nor those of whoever came before.
    #[test]
    fn a_newcomer_changes_no_arm_before_it_and_no_other_stratum(
        people in prop::collection::vec((0..3_usize, 0..4_usize, 0..2_usize), 4..40),
        at in 0..40_usize,
        stratum in 0..3_usize,
        which in 0..10_usize,
        ratio in prop::sample::select(RATIOS.to_vec()),
    ) {
        let mut list: Vec<Newcomer> =
            people.iter().enumerate().map(|(i, &(stratum, site, sex))| newcomer(i, stratum, site, sex)).collect();
        let method = procedures(ratio.iter().sum()).swap_remove(which);
        let design = design(ratio, method);
        let before = arms_by_id(&design.assign(&in_file_order(&design, &list)).expect("it can be drawn"));
        let at = at.min(list.len());
        let earlier: Vec<String> = list[..at].iter().map(|person| person.id.clone()).collect();
        let others: Vec<String> =
            list.iter().filter(|p| p.stratum != format!("s{stratum}")).map(|p| p.id.clone()).collect();
        list.insert(at, newcomer(900, stratum, 1, 1));
        let after = arms_by_id(&design.assign(&in_file_order(&design, &list)).expect("it can be drawn"));
        for id in earlier.iter().chain(&others) {
            prop_assert_eq!(before[id], after[id]);
        }
    }
}

/// Lim and In (2019), Randomization in clinical studies, doi:10.4097/kja.19049 (PMC6547231), Table 4: fourteen patients,
/// the fifteenth from site 2, female, at least 65. Controls and treated there: 3 and 5, 3 and 3, 3 and 3. The totals of
/// imbalances are 3 for control and 5 for treatment, so control is preferred.
#[test]
fn worked_table_of_fifteen_patients() {
    let scores = minimisation::imbalance(&[&[3, 5], &[3, 3], &[3, 3]], &[1, 1, 1], Imbalance::Range);
    assert_eq!(scores, Ok(vec![3, 5]));
}

/// PMC3503622, Table 3 (adapted from Scott et al. 2002, doi:10.1016/S0197-2456(02)00242-8): a patient with a high
/// baseline rate (intervention 2, control 2) and a moderate covariate rate (3 and 1). Totals 4 for intervention and 2 for
/// control, so control is preferred.
#[test]
fn worked_table_of_two_rates() {
    let scores = minimisation::imbalance(&[&[2, 2], &[3, 1]], &[1, 1], Imbalance::Range);
    assert_eq!(scores, Ok(vec![4, 2]));
}

/// Each arm's share at every arrival, within 4 Monte Carlo standard errors of the ratio.
#[test]
fn minimisation_keeps_the_ratio_at_every_arrival() {
    const TRIALS: u64 = 20_000;
    for ratio in [&[2, 1][..], &[3, 2], &[1, 1, 2]] {
        let ratio = Ratio::new(ratio);
        for p in [(1, 2), (7, 10), (4, 5), (9, 10), (1, 1)] {
            let Method::Minimisation(options) = minimisation(Fraction::new(p.0, p.1), Imbalance::Range)
            else {
                unreachable!("the method is minimisation")
            };
            let seed = Seed::Integer(30);
            let shares = minimisation::shares(&options, &ratio, &[4, 2], 30, TRIALS, &seed, &NoMonitor);
            let shares = shares.expect("the levels fit");
            for (arrival, counts) in shares.count.iter().enumerate() {
                assert_eq!(counts.iter().sum::<u64>(), TRIALS);
                for (&count, &share) in counts.iter().zip(&ratio.shares) {
                    let want = share as f64 / ratio.total as f64;
                    let se = (want * (1.0 - want) / TRIALS as f64).sqrt();
                    let got = count as f64 / TRIALS as f64;
                    assert!(
                        (got - want).abs() < 4.0 * se,
                        "{ratio:?} p {p:?} arrival {arrival}: {got} {want}"
                    );
                }
            }
        }
    }
}

/// Two equal arms under a rule that depends on their distance alone: exact rates by the chain of distances.
/// `behind(d)` is the probability of the arm that is behind by d > 0.
fn chain(n: usize, behind: impl Fn(usize) -> f64) -> (f64, f64, f64) {
    let mut at = vec![0.0; n + 2];
    at[0] = 1.0;
    let (mut guess, mut certain) = (0.0, 0.0);
    for _ in 0..n {
        let mut next = vec![0.0; n + 2];
        next[1] += at[0];
        guess += 0.5 * at[0];
        for d in 1..=n {
            let p = behind(d);
            guess += p * at[d];
            certain += if p == 1.0 { at[d] } else { 0.0 };
            next[d - 1] += p * at[d];
            next[d + 1] += (1.0 - p) * at[d];
        }
        at = next;
    }
    let deviation: f64 = at.iter().enumerate().map(|(d, p)| d as f64 / 2.0 * p).sum();
    (guess / n as f64, certain / n as f64, deviation)
}

#[test]
fn predictability_is_that_of_the_chain_of_distances() {
    let n = 25;
    let cases: [(Method, Box<dyn Fn(usize) -> f64>); 4] = [
        (Simple {}.into(), Box::new(|_| 0.5)),
        (BigStick::new(3).into(), Box::new(|d| if d == 3 { 1.0 } else { 0.5 })),
        (BiasedCoin::new(Fraction::new(2, 3)).into(), Box::new(|_| 2.0 / 3.0)),
        (BiasedCoin::new(Fraction::new(1, 1)).into(), Box::new(|_| 1.0)),
    ];
    for (method, behind) in cases {
        let (guess, certain, deviation) = chain(n, behind);
        let design = design(&[1, 1], method.clone());
        let expected = Expected::Imagined { n, strata: 1, levels: &[] };
        let found = design.predictability(expected, 20_000, None, &NoMonitor).expect("it is offered");
        assert!((found.guess - guess).abs() <= 4.0 * found.guess_se + 1e-12, "{method:?} {found:?} {guess}");
        // A recruiter who remembers the arms knows all there is.
        assert!((found.informed - found.guess).abs() < 1e-12);
        assert!((found.certain - certain).abs() < 0.005, "{method:?} {} {certain}", found.certain);
        assert!((found.end_mean - deviation).abs() < 0.03, "{method:?} {} {deviation}", found.end_mean);
        assert!(found.end_max <= found.worst_max && found.end_mean <= found.worst_mean);
        assert_eq!((found.stratum_mean, found.stratum_max), (found.end_mean, found.end_max));
    }
}

/// Blackwell and Hodges (1957): in a block of 2m the convergence strategy is right m + 2^(2m-1) / C(2m, m) - 1/2 times.
#[test]
fn predictability_of_blocks_is_that_of_blackwell_and_hodges() {
    for (size, ways) in [(2_u32, 2.0), (4, 6.0), (6, 20.0), (8, 70.0)] {
        let half = f64::from(size) / 2.0;
        let want = (half + 2_f64.powf(f64::from(size) - 1.0) / ways - 0.5) / f64::from(size);
        let design = design(&[1, 1], Blocks::new([size]).into());
        let expected = Expected::Imagined { n: 10 * size as usize, strata: 1, levels: &[] };
        let found = design.predictability(expected, 4_000, None, &NoMonitor).expect("it is offered");
        assert!((found.guess - want).abs() <= 4.0 * found.guess_se + 1e-12, "{size}: {found:?} {want}");
        assert!(found.informed >= found.guess - 1e-12 && found.certain >= 1.0 / f64::from(size));
        assert_eq!(found.end_max, 0.0);
    }
}

#[test]
fn predictability_of_strata_lists_and_threads() {
    let list = newcomers(60, 3);
    for method in procedures(3) {
        let design = design(&[2, 1], method.clone());
        let units = in_file_order(&design, &list);
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
            pool.install(|| design.predictability(Expected::Units(&units), 3_000, None, &NoMonitor))
        };
        let found = run(1).expect("it is offered");
        assert_eq!(run(3), Ok(found.clone()));
        assert_eq!(found.chance, 2.0 / 3.0);
        assert!(found.informed >= found.chance - 4.0 * found.informed_se - 1e-12, "{method:?}");
        assert!(found.informed >= found.guess - 1e-12, "{method:?}");
    }
    // Complete randomisation keeps the ratio; the last arm of a list is certain to who knows the totals.
    let whole = design(&[2, 1], Complete::default().into());
    let expected = Expected::Imagined { n: 30, strata: 1, levels: &[] };
    let found = whole.predictability(expected, 1_000, None, &NoMonitor).expect("it is offered");
    assert!(found.certain >= 1.0 / 30.0 && found.end_max == 0.0 && found.notes.len() == 1);
    // What is not offered is said.
    let left_out = Complete::default().misfits(crewe::design::Misfits::LeaveOut);
    assert!(design(&[2, 1], left_out.into()).predictability(expected, 10, None, &NoMonitor).is_err());
    let none = Expected::Imagined { n: 0, strata: 1, levels: &[] };
    assert!(whole.predictability(none, 10, None, &NoMonitor).is_err());
    let factors = design(&[1, 1], minimisation(Fraction::new(4, 5), Imbalance::Range));
    assert!(factors.predictability(expected, 10, None, &NoMonitor).is_err());
    let levels = Expected::Imagined { n: 30, strata: 2, levels: &[4, 2] };
    let found = factors.predictability(levels, 500, None, &NoMonitor).expect("it is offered");
    assert_eq!(found.notes.len(), 2);
}
