//! The searches that power calculations share.

use serde::Serialize;

/// The best that can be had where the power asked for is out of reach.
///
/// ```
/// use crewe::power::{ClusterSize, Plan, binary::{Binary, Method, power}};
/// // Six families of any size cannot show a rise of ten points when siblings are alike.
/// let plan = Plan::default().effect(0.1).clusters(6).power(0.8).icc(0.9);
/// let solved = power(&Binary::new(0.2, Method::Unpooled, plan))?.solution;
/// let ceiling = solved.unattainable.expect("out of reach");
/// assert!(ceiling.power < 0.8 && ceiling.at.is_infinite());
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Ceiling {
    /// The highest power within reach.
    pub power: f64,
    /// The value of the unknown at which it is reached; infinite where it is only approached.
    pub at: f64,
}

/// The point between `yes`, where `holds` is true, and `no`, where it is not, at which it stops to hold.
pub(super) fn bisect(holds: impl Fn(f64) -> bool, mut yes: f64, mut no: f64) -> f64 {
    // Halving reaches neighbouring numbers from any distance, however near 0 they are.
    for _ in 0..2200 {
        let middle = 0.5 * (yes + no);
        if middle == yes || middle == no {
            break;
        }
        if holds(middle) { yes = middle } else { no = middle }
    }
    yes
}

/// How finely the way from no effect to the largest is looked at.
const STEPS: usize = 512;

/// The value nearest to 0, towards `limit`, at which `power` reaches the target; else the highest power on the way.
///
/// An infinite limit stands for effects without bound, whose power rises all the way.
pub(super) fn first_root(power: impl Fn(f64) -> f64, limit: f64, target: f64) -> Result<f64, Ceiling> {
    if limit.is_infinite() {
        let mut far = limit.signum();
        while power(far) < target {
            far *= 2.0;
            if far.abs() > 1e300 {
                return Err(Ceiling { power: power(far), at: far });
            }
        }
        return Ok(bisect(|x| power(x) >= target, far, 0.0));
    }
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
