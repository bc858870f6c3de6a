//! The searches that power calculations share.

use super::Ceiling;

/// The point between `yes`, where `holds` is true, and `no`, where it is not, at which it stops to hold.
pub(super) fn bisect(holds: impl Fn(f64) -> bool, mut yes: f64, mut no: f64) -> f64 {
    for _ in 0..200 {
        let middle = 0.5 * (yes + no);
        if middle == yes || middle == no {
            break;
        }
        if holds(middle) { yes = middle } else { no = middle }
    }
    yes
}

/// How finely the way from no effect to the largest is looked at.
const STEPS: usize = 128;

/// The value nearest to 0, towards `limit`, at which `power` reaches the target; else the highest power on the way.
pub(super) fn first_root(power: impl Fn(f64) -> f64, limit: f64, target: f64) -> Result<f64, Ceiling> {
    let mut before = 0.0;
    let mut ceiling = Ceiling { power: f64::NEG_INFINITY, at: 0.0 };
    for step in 1..=STEPS {
        let here = if step == STEPS { limit } else { limit * step as f64 / STEPS as f64 };
        let reached = power(here);
        if reached >= target {
            return Ok(bisect(|x| power(x) >= target, here, before));
        }
        if reached > ceiling.power {
            ceiling = Ceiling { power: reached, at: here };
        }
        before = here;
    }
    Err(ceiling)
}

/// The smallest whole number from `least` to `most` with `power` at the target, which rises with it.
pub(super) fn smallest(
    power: impl Fn(u64) -> f64,
    least: u64,
    most: u64,
    target: f64,
) -> Result<u64, Ceiling> {
    let enough = |n: u64| power(n) >= target;
    let out_of_reach = |n: u64| Err(Ceiling { power: power(n), at: n as f64 });
    if least > most {
        return out_of_reach(least);
    }
    if enough(least) {
        return Ok(least);
    }
    // Doubling keeps the search where the numbers are small: short of `no`, enough at `yes`.
    let (mut no, mut yes) = (least, most.min(2 * least));
    while !enough(yes) {
        if yes == most {
            return out_of_reach(most);
        }
        no = yes;
        yes = most.min(2 * yes);
    }
    while yes - no > 1 {
        let middle = no + (yes - no) / 2;
        if enough(middle) { yes = middle } else { no = middle }
    }
    Ok(yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smallest_is_exact_at_both_ends() {
        let power = |n: u64| n as f64;
        assert_eq!(smallest(power, 4, 100, 3.0), Ok(4));
        assert_eq!(smallest(power, 4, 100, 99.5), Ok(100));
        assert_eq!(smallest(power, 4, 100, 37.0), Ok(37));
        assert_eq!(smallest(power, 4, 100, 101.0), Err(Ceiling { power: 100.0, at: 100.0 }));
    }

    #[test]
    fn the_first_root_is_found_where_power_turns() {
        // Rises to 1 at x = 1/2 and falls again.
        let root = first_root(|x| 4.0 * x * (1.0 - x), 1.0, 0.75).unwrap();
        assert!((root - 0.25).abs() < 1e-14);
    }
}
