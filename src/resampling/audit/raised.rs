//! Yes-or-no outcomes of an arm, moved at random until its rate has risen.

use crate::rng::Stream;

/// Moves outcomes of the rows `of` (0 and 1) until their rate has risen by the effect, or fallen where it is negative:
/// the fewest rows that do, chosen at random among those that can be moved. False where there are too few of them.
pub(super) fn raise(y: &mut [f64], of: &[usize], effect: f64, stream: &mut Stream) -> bool {
    let from = if effect > 0.0 { 0.0 } else { 1.0 };
    let mut movable: Vec<usize> = of.iter().copied().filter(|&row| y[row] == from).collect();
    // A share that is a whole number of rows but for rounding is that number.
    let wanted = (effect.abs() * of.len() as f64 - 1e-9).ceil().max(0.0) as usize;
    let moved = wanted.min(movable.len());
    // The first places of a shuffle are a sample without replacement.
    for place in 0..moved {
        let other = place + stream.below((movable.len() - place) as u64) as usize;
        movable.swap(place, other);
        y[movable[place]] = 1.0 - from;
    }
    wanted <= movable.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn the_rate_rises_by_the_effect_and_no_other_row_changes() {
        let before: Vec<f64> = (0..40).map(|row| f64::from(u8::from(row % 3 == 0))).collect();
        let of: Vec<usize> = (0..30).collect();
        let rate = |y: &[f64]| of.iter().map(|&row| y[row]).sum::<f64>();
        for (effect, rows) in [(0.2, 6.0), (-0.1, -3.0), (0.21, 7.0), (0.3, 9.0)] {
            let mut y = before.clone();
            let mut stream = Stream::new::<&str>(&Seed::Integer(4), "audit", &[], 7);
            assert!(raise(&mut y, &of, effect, &mut stream));
            assert_eq!(rate(&y) - rate(&before), rows, "{effect}");
            assert_eq!(y[30..], before[30..]);
        }
        // Of 20 rows without the outcome no 27 can be moved; all of them are.
        let mut y = before.clone();
        assert!(!raise(&mut y, &of, 0.9, &mut Stream::new::<&str>(&Seed::Integer(4), "audit", &[], 7)));
        assert_eq!(rate(&y), 30.0);
    }

    #[test]
    fn every_row_is_as_likely() {
        let mut moved = [0_u32; 10];
        for index in 0..4_000 {
            let mut y = vec![0.0; 10];
            let mut stream = Stream::new::<&str>(&Seed::Integer(1), "audit", &[], index);
            raise(&mut y, &(0..10).collect::<Vec<_>>(), 0.3, &mut stream);
            moved.iter_mut().zip(&y).for_each(|(n, y)| *n += u32::from(*y == 1.0));
        }
        // 1,200 each, of standard deviation 29.
        assert!(moved.iter().all(|&n| (1_084..1_316).contains(&n)), "{moved:?}");
    }
}
