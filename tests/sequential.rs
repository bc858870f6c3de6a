//! Procedures that draw one arrival after the other: what they promise, by enumeration and by simulation.

use std::collections::BTreeMap;

use crewe::design::{
    Arrival, Assignment, BiasedCoin, BigStick, Blocks, Column, Complete, Design, Fraction, Imbalance, Method,
    Minimisation, Ratio, Sequence, Simple, Units, Weighted, minimisation,
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
    let factors =
        [("site", 1), ("sex", 2)].map(|(column, weight)| Weighted { column: column.to_owned(), weight });
    Minimisation { factors: factors.to_vec(), imbalance, p }.into()
}

/// Every procedure that works for any ratio, with names.
fn procedures(total: u32) -> Vec<Method> {
    vec![
        Simple {}.into(),
        Blocks { sizes: vec![total] }.into(),
        Blocks { sizes: vec![2 * total, total] }.into(),
        BigStick { limit: 1 }.into(),
        BigStick { limit: 3 }.into(),
        BiasedCoin { p: Fraction::new(2, 3) }.into(),
        BiasedCoin { p: Fraction::new(1, 1) }.into(),
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
        let arrival = Arrival { stratum: &stratum, factors: &factors };
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
