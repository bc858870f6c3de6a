//! Where a falling function crosses 0.

/// The root of a falling function within a bracket, by false position with the halving of the Illinois rule; an end of
/// the bracket where the function has no root inside.
pub(super) fn falling_root(mut low: f64, mut high: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (mut at_low, mut at_high) = (f(low), f(high));
    for _ in 0..200 {
        if at_low <= 0.0 {
            return low;
        }
        if at_high >= 0.0 {
            return high;
        }
        let mut next = (low * at_high - high * at_low) / (at_high - at_low);
        if !(next > low && next < high) {
            next = 0.5 * (low + high);
        }
        let value = f(next);
        if value == 0.0 || (high - low) <= 1e-13 * next.abs().max(1e-3) {
            return next;
        }
        if value > 0.0 {
            (low, at_low) = (next, value);
            at_high *= 0.5;
        } else {
            (high, at_high) = (next, value);
            at_low *= 0.5;
        }
    }
    0.5 * (low + high)
}
