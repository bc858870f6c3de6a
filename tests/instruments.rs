//! Case records, risk matrices, the SDQ and rating scales against R and against their own laws.

mod common;

use common::{close, close_to, expected, number, numbers};
use crewe::instruments::cases::{self, Dates, Origin, Window};
use crewe::instruments::{likert, risk, sdq};
use ndarray::Array2;
use proptest::prelude::*;
use serde_json::Value;

/// Days from 1970-01-01 of a date in ISO text, by Hinnant's algorithm.
fn day(text: &str) -> i64 {
    let part: Vec<i64> = text.split('-').map(|p| p.parse().unwrap()).collect();
    let (year, month) = if part[1] > 2 { (part[0], part[1] - 3) } else { (part[0] - 1, part[1] + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 + part[2] - 1 - 719_468
}

fn days(value: &Value) -> Vec<Option<i64>> {
    value.as_array().unwrap().iter().map(|cell| cell.as_str().map(day)).collect()
}

fn whole(value: &Value) -> Vec<i64> {
    numbers(value).iter().map(|x| *x as i64).collect()
}

fn rows(value: &Value) -> Vec<usize> {
    numbers(value).iter().map(|x| *x as usize).collect()
}

fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(numbers).collect();
    let columns = rows[0].len();
    Array2::from_shape_vec((rows.len(), columns), rows.concat()).unwrap()
}

fn same(got: &[f64], want: &[f64], what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!(g == w || (g.is_nan() && w.is_nan()), "{what}, row {i}: got {g}, want {w}");
    }
}

fn flags(got: &[bool]) -> Vec<i64> {
    got.iter().map(|&flag| i64::from(flag)).collect()
}

#[test]
fn window_rules_agree_with_r() {
    let reference = &expected("instruments")["cases"];
    let input = &reference["input"];
    let column = |name: &str| days(&input[name]);
    let (referral, closure, rereferral) = (column("referral"), column("closure"), column("rereferral"));
    let (support, randomised) = (column("cin_start"), column("randomised"));
    let family: Vec<u32> = numbers(&input["family_id"]).iter().map(|x| *x as u32).collect();
    let set_aside = vec![false; family.len()];
    let dates = Dates::new(&referral, &closure, &rereferral, &family, &set_aside)
        .support(&support)
        .randomised(&randomised);
    let at = |name: &str| day(reference[name].as_str().unwrap());
    let mut window = Window::new(at("start"), at("end"), Origin::Randomisation).extracted(at("extracted"));
    let got = cases::prepare(&dates, &window).unwrap();
    assert_eq!(flags(got.history.as_ref().unwrap()), whole(&reference["history"]));
    assert_eq!(flags(&got.closed), whole(&reference["closed"]));
    assert_eq!(flags(&got.rereferred), whole(&reference["re_referred"]));
    assert_eq!(flags(&got.event), whole(&reference["event"]));
    assert_eq!(got.days, whole(&reference["days"]));
    let recoded: Vec<Option<i64>> = got.referral.iter().copied().map(Some).collect();
    assert_eq!(recoded, days(&reference["referral_recoded"]));
    let logged: Vec<&[usize]> = got.recodes.iter().map(|recode| recode.rows.as_slice()).collect();
    assert_eq!(logged[0], rows(&reference["moved"]));
    assert_eq!(logged[2], rows(&reference["late_back"]));
    assert_eq!(logged[3], rows(&reference["not_closed"]));
    assert_eq!(logged[4], rows(&reference["late_closure"]));
    assert_eq!(logged[5], rows(&reference["open"]));
    window.origin = Origin::Referral;
    let got = cases::prepare(&dates, &window).unwrap();
    assert_eq!(got.days, whole(&reference["days_from_referral"]));
    assert_eq!(got.days_before_randomisation, whole(&reference["days_before_randomisation"]));
}

fn kind(code: &str) -> risk::Kind {
    let protective = [
        "parent_in_employment",
        "parent_empathy",
        "parent_overcome_adversity",
        "parent_lack_of_denial",
        "parent_responsible",
        "child_positive_relationships",
        "child_low_risk_taking",
        "child_engaged_at_school",
        "family_supportive_partner",
        "family_supportive_network",
    ];
    if code.starts_with("engagement") {
        risk::Kind::Engagement
    } else if protective.contains(&code) {
        risk::Kind::Protective
    } else {
        risk::Kind::Risk
    }
}

fn factors(codes: &[&str], uncertain: impl Fn(&str) -> bool) -> Vec<risk::Factor> {
    codes
        .iter()
        .map(|code| {
            let kind = kind(code);
            let weight = if kind == risk::Kind::Risk { -1.0 } else { 1.0 };
            let twice = kind != risk::Kind::Engagement && uncertain(code);
            risk::Factor::new(kind, weight).alternative(if twice { 2.0 * weight } else { weight })
        })
        .collect()
}

#[test]
fn risk_scores_and_their_change_agree_with_r() {
    let reference = &expected("instruments")["risk"];
    let codes: Vec<&str> =
        reference["codes"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
    let values = matrix(&reference["values"]);
    let got = risk::score(values.view(), &factors(&codes, |_| true)).unwrap();
    same(&got.total, &numbers(&reference["total"]), "total");
    same(&got.risk, &numbers(&reference["risk"]), "risk");
    same(&got.protective, &numbers(&reference["protective"]), "protective");
    same(&got.engagement, &numbers(&reference["engagement"]), "engagement");
    same(&got.low, &numbers(&reference["low"]), "low");
    same(&got.high, &numbers(&reference["high"]), "high");

    // Rows come in pairs: a case before, then after.
    let split = |x: &[f64], odd: usize| x.iter().skip(odd).step_by(2).copied().collect::<Vec<_>>();
    let arm: Vec<u32> =
        reference["arm"].as_array().unwrap().iter().step_by(2).map(|arm| u32::from(arm == "crewe")).collect();
    for (name, x) in [
        ("total", &got.total),
        ("risk", &got.risk),
        ("protective", &got.protective),
        ("engagement", &got.engagement),
    ] {
        let difference = risk::change(&split(x, 0), &split(x, 1), &arm, 2).unwrap().differences[0];
        let want = &reference["did"][name];
        close(difference.estimate, number(&want["estimate"]), 1e-12, name);
        close(difference.std_error, number(&want["std_error"]), 1e-12, name);
        close(difference.df, number(&want["df"]), 1e-10, name);
    }

    let three: Vec<&str> =
        reference["uncertain_three"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
    let recorded = values.mapv(|x| if x.is_nan() { 0.0 } else { x });
    let changes =
        Array2::from_shape_fn((30, codes.len()), |(i, j)| recorded[[2 * i + 1, j]] - recorded[[2 * i, j]]);
    let range =
        risk::bounds(changes.view(), &factors(&codes, |code| three.contains(&code)), &arm, 2).unwrap()[0];
    let want = numbers(&reference["did_range"]);
    close_to(range.low, want[0], 1e-12, 1.0, "least difference in differences");
    close_to(range.high, want[1], 1e-12, 1.0, "greatest difference in differences");
}

#[test]
fn sdq_scales_agree_with_r() {
    let reference = &expected("instruments")["sdq"];
    let got = sdq::score(matrix(&reference["items"]).view()).unwrap();
    let want = |name: &str| numbers(&reference[name]);
    same(&got.emotional, &want("emotional"), "emotional");
    same(&got.conduct, &want("conduct"), "conduct");
    same(&got.hyperactivity, &want("hyperactivity"), "hyperactivity");
    same(&got.peer, &want("peer"), "peer");
    same(&got.prosocial, &want("prosocial"), "prosocial");
    same(&got.total, &want("total"), "total difficulties");
    let bands: Vec<f64> = got
        .total
        .iter()
        .map(|&total| sdq::band(total, &[13.0, 16.0, 19.0, 40.0]).map_or(f64::NAN, |band| band as f64))
        .collect();
    same(&bands, &want("band"), "band");
}

#[test]
fn rating_scales_agree_with_r() {
    let reference = &expected("instruments")["likert"];
    let mut reversed = [false; 6];
    for j in rows(&reference["reversed"]) {
        reversed[j] = true;
    }
    let names: Vec<String> = (1..=6).map(|j| format!("stress_{j}")).collect();
    let options = likert::Options::new(1.0, 5.0, &reversed, &names);
    let got = likert::score(matrix(&reference["items"]).view(), &options).unwrap();
    for (i, (g, w)) in got.total.iter().zip(numbers(&reference["total"])).enumerate() {
        assert!(g.is_nan() == w.is_nan(), "row {i}");
        if !w.is_nan() {
            close(*g, w, 1e-14, "total");
            close(got.mean[i], numbers(&reference["mean"])[i], 1e-14, "mean");
        }
    }
    assert_eq!(got.complete as f64, number(&reference["complete"]));
    close(got.alpha, number(&reference["alpha"]), 1e-12, "alpha");
    for (got, want) in got.item_rest.iter().zip(numbers(&reference["item_rest"])) {
        close(*got, want, 1e-12, "item-rest correlation");
    }
    let arm: Vec<u32> =
        reference["arm"].as_array().unwrap().iter().map(|arm| u32::from(arm == "crewe")).collect();
    for (g, name) in ["control", "crewe"].iter().enumerate() {
        let got = likert::summarise(&got.total, &arm, 2).unwrap()[g];
        let want = &reference["by_arm"][name];
        assert_eq!(got.n as f64, number(&want["n"]));
        for (key, value) in [
            ("mean", got.mean),
            ("sd", got.sd),
            ("min", got.min),
            ("q1", got.q1),
            ("median", got.median),
            ("q3", got.q3),
            ("max", got.max),
        ] {
            close(value, number(&want[key]), 1e-12, key);
        }
    }
}

/// A case whose dates are possible: referral, closure, re-referral, support, randomisation.
#[derive(Debug, Clone, Copy)]
struct Case([Option<i64>; 5]);

fn a_case() -> impl Strategy<Value = Case> {
    (-50_i64..90, 0_i64..100, proptest::option::of(0_i64..150), proptest::option::of(0_i64..80), -300_i64..50)
        .prop_map(|(referral, randomised, closing, again, support)| {
            let closure = closing.map(|wait| randomised.max(referral) + wait);
            let back = closure.and(again).map(|wait| closure.unwrap_or(0) + wait);
            Case([Some(referral), closure, back, Some(support), Some(randomised)])
        })
}

fn prepare(all: &[Case], shift: i64, origin: Origin) -> cases::Prepared {
    let column = |j: usize| all.iter().map(|case| case.0[j].map(|day| day + shift)).collect::<Vec<_>>();
    let columns: [Vec<Option<i64>>; 5] = std::array::from_fn(column);
    let family: Vec<u32> = (0..all.len() as u32).collect();
    let window = Window::new(shift, 100 + shift, origin);
    cases::prepare(
        &Dates::new(&columns[0], &columns[1], &columns[2], &family, &vec![false; all.len()])
            .support(&columns[3])
            .randomised(&columns[4]),
        &window,
    )
    .unwrap()
}

proptest! {
    #[test]
    fn outcomes_follow_each_other_and_ignore_order_and_calendar(
        all in proptest::collection::vec(a_case(), 1..40), shift in -9_000_i64..9_000
    ) {
        for origin in [Origin::Randomisation, Origin::Referral] {
            let got = prepare(&all, 0, origin);
            for i in 0..all.len() {
                // A first closure in the window ends in one of two ways.
                prop_assert_eq!(u8::from(got.closed[i]) + u8::from(got.rereferred[i]), u8::from(got.event[i]));
                prop_assert!((0..=100).contains(&got.days[i]));
                prop_assert!(got.referral[i] >= 0);
            }
            let moved = prepare(&all, shift, origin);
            prop_assert_eq!((&moved.days, &moved.closed), (&got.days, &got.closed));
            let turned: Vec<Case> = all.iter().rev().copied().collect();
            let mut back = prepare(&turned, 0, origin);
            back.days.reverse();
            back.closed.reverse();
            prop_assert_eq!((back.days, back.closed), (got.days, got.closed));
        }
    }

    #[test]
    fn answering_the_other_way_round_mirrors_every_sdq_scale(
        answers in proptest::collection::vec(0_u8..3, 25)
    ) {
        let row = |turn: bool| {
            Array2::from_shape_fn((1, 25), |(_, j)| f64::from(if turn { 2 - answers[j] } else { answers[j] }))
        };
        let (one, other) = (sdq::score(row(false).view()).unwrap(), sdq::score(row(true).view()).unwrap());
        prop_assert_eq!(one.total[0] + other.total[0], 40.0);
        prop_assert_eq!(one.prosocial[0] + other.prosocial[0], 10.0);
        prop_assert_eq!(one.prorated[0], 0);
    }

    #[test]
    fn a_missing_answer_moves_an_sdq_scale_by_two_points_at_most(
        answers in proptest::collection::vec(0_u8..3, 25), gone in 0_usize..25
    ) {
        let whole = Array2::from_shape_fn((1, 25), |(_, j)| f64::from(answers[j]));
        let mut part = whole.clone();
        part[[0, gone]] = f64::NAN;
        let (whole, part) = (sdq::score(whole.view()).unwrap(), sdq::score(part.view()).unwrap());
        // 5 s / 4 - (s + x) = s / 4 - x with s from 0 to 8 and x from 0 to 2 lies within 2.
        for (w, p) in [(&whole.emotional, &part.emotional), (&whole.peer, &part.peer), (&whole.conduct, &part.conduct)] {
            prop_assert!((w[0] - p[0]).abs() <= 2.0);
        }
    }

    #[test]
    fn totals_lie_within_their_bounds(
        seen in proptest::collection::vec(0_u8..2, 12), weights in proptest::collection::vec(0.0_f64..3.0, 12)
    ) {
        let factors: Vec<risk::Factor> = weights
            .iter()
            .enumerate()
            .map(|(j, &w)| {
                let (kind, weight) =
                    if j % 2 == 0 { (risk::Kind::Risk, -w) } else { (risk::Kind::Protective, w) };
                risk::Factor::new(kind, weight).alternative(2.0 * weight)
            })
            .collect();
        let values = Array2::from_shape_fn((1, 12), |(_, j)| f64::from(seen[j]));
        let got = risk::score(values.view(), &factors).unwrap();
        prop_assert!(got.low[0] <= got.total[0] + 1e-12 && got.total[0] <= got.high[0] + 1e-12);
        prop_assert!((got.risk[0] + got.protective[0] - got.total[0]).abs() < 1e-12);
    }

    #[test]
    fn reversing_every_item_mirrors_a_rating_scale(
        answers in proptest::collection::vec(proptest::option::weighted(0.8, 1_u8..8), 20)
    ) {
        let items = Array2::from_shape_fn((4, 5), |(i, j)| answers[5 * i + j].map_or(f64::NAN, f64::from));
        let names: Vec<String> = (0..5).map(|j| format!("q{j}")).collect();
        let score = |reversed: &[bool]| {
            let options = likert::Options::new(1.0, 7.0, reversed, &names).needed(0.6);
            likert::score(items.view(), &options).unwrap()
        };
        let (one, other) = (score(&[false; 5]), score(&[true; 5]));
        for i in 0..4 {
            prop_assert_eq!(one.answered[i] >= 3, !one.total[i].is_nan());
            prop_assert!(one.total[i].is_nan() || (one.total[i] + other.total[i] - 40.0).abs() < 1e-12);
        }
        prop_assert!(one.alpha.is_nan() == other.alpha.is_nan());
    }
}

#[test]
fn bad_input_is_refused_with_its_place() {
    let mut items = Array2::from_elem((4, 25), 1.0);
    items[[2, 6]] = 3.0;
    let error = sdq::score(items.view()).unwrap_err();
    let fault = error.fault().unwrap();
    assert_eq!((fault.column.as_deref(), fault.rows.as_slice()), (Some("item 7"), &[2][..]));
    assert!(sdq::score(Array2::zeros((2, 24)).view()).is_err());

    let names = vec!["tense".to_string()];
    let options = likert::Options::new(1.0, 5.0, &[false], &names);
    let off = ndarray::array![[1.0], [2.5], [6.0], [f64::NAN]];
    assert_eq!(likert::score(off.view(), &options).unwrap_err().fault().unwrap().rows, [1, 2]);

    let factor = [risk::Factor::new(risk::Kind::Risk, -1.0)];
    assert_eq!(
        risk::score(ndarray::array![[0.0], [2.0], [f64::NAN]].view(), &factor)
            .unwrap_err()
            .fault()
            .unwrap()
            .rows,
        [1, 2]
    );
    assert!(risk::change(&[0.0, 1.0], &[1.0, 1.0], &[0, 0], 2).is_err());
}
