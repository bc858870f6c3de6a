//! Counting and listing assignments.

use num_bigint::BigUint;

use crate::Result;

/// n! / (n_1! ... n_J!) from the exponents of the primes (Legendre), so that no division is needed.
pub(crate) fn multinomial(parts: &[u64]) -> BigUint {
    let n: u64 = parts.iter().sum();
    let exponent = |mut m: u64, prime: u64| {
        let mut sum = 0;
        while m > 0 {
            m /= prime;
            sum += m;
        }
        sum
    };
    let mut composite = vec![false; n as usize + 1];
    let mut factors = Vec::new();
    for prime in 2..=n {
        if composite[prime as usize] {
            continue;
        }
        for multiple in (prime * prime..=n).step_by(prime as usize) {
            composite[multiple as usize] = true;
        }
        let below: u64 = parts.iter().map(|&part| exponent(part, prime)).sum();
        let power = exponent(n, prime) - below;
        if power > 0 {
            factors.push(BigUint::from(prime).pow(power as u32));
        }
    }
    // Factors of like size are multiplied in pairs: one after the other takes the square of the time.
    while factors.len() > 1 {
        factors = factors.chunks(2).map(|pair| pair.iter().product()).collect();
    }
    factors.pop().unwrap_or_else(|| BigUint::from(1_u32))
}

/// The nearest float; infinite beyond them.
pub(crate) fn as_float(number: &BigUint) -> f64 {
    number.to_string().parse().unwrap_or(f64::INFINITY)
}

/// Visits every distinct order of a list that holds `places[j]` times the arm j, in lexicographic order.
///
/// # Errors
/// The first of the visitor, with which the visits end.
pub(crate) fn for_each_arrangement(
    places: &[u64],
    n: usize,
    visit: &mut impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    fn extend(
        left: &mut [u64],
        so_far: &mut Vec<u8>,
        n: usize,
        visit: &mut impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        if so_far.len() == n {
            return visit(so_far);
        }
        for arm in 0..left.len() {
            if left[arm] > 0 {
                left[arm] -= 1;
                so_far.push(arm as u8);
                extend(left, so_far, n, visit)?;
                so_far.pop();
                left[arm] += 1;
            }
        }
        Ok(())
    }
    extend(&mut places.to_vec(), &mut Vec::with_capacity(n), n, visit)
}

/// Visits every way of writing `total` as a sum of one part an arm, none above its limit; whether there were at most
/// `most` of them.
pub(crate) fn for_each_composition(
    total: u64,
    limits: &[u64],
    most: usize,
    visit: &mut impl FnMut(&[u64]),
) -> bool {
    fn extend(
        left: u64,
        limits: &[u64],
        so_far: &mut Vec<u64>,
        room: &mut usize,
        visit: &mut impl FnMut(&[u64]),
    ) -> bool {
        let place = so_far.len();
        if place == limits.len() {
            if left > 0 {
                return true;
            }
            if *room == 0 {
                return false;
            }
            *room -= 1;
            visit(so_far);
            return true;
        }
        let later: u64 = limits[place + 1..].iter().sum();
        for part in left.saturating_sub(later)..=left.min(limits[place]) {
            so_far.push(part);
            let full = extend(left - part, limits, so_far, room, visit);
            so_far.pop();
            if !full {
                return false;
            }
        }
        true
    }
    extend(total, limits, &mut Vec::new(), &mut { most }, visit)
}
