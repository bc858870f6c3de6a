//! Sums over clusters of what each gives under its weight, looked up.
//!
//! A weight takes few values, so what a group of clusters gives under each choice of their weights is summed once, and a
//! draw adds up one row of each group: with four clusters a group a quarter of the additions, and no multiplication.
//! Every sum is taken in one order and without fused operations, so its bits depend on nothing else.

/// The most that a group may be given in: rows of its table.
const ROWS: usize = 36;
/// Numbers that are added side by side.
const LANE: usize = 4;

/// The tables of the groups.
pub(super) struct LookedUp {
    /// Numbers in a sum, padded.
    width: usize,
    /// Clusters in a group.
    group: usize,
    /// Rows of a table: one for each choice of the weights of a group.
    rows: usize,
    tables: Vec<f64>,
}

impl LookedUp {
    /// `gives(cluster, weight, into)` writes what a cluster gives: `width` numbers.
    pub fn new(
        clusters: usize,
        values: &[f64],
        width: usize,
        gives: impl Fn(usize, f64, &mut [f64]),
    ) -> Self {
        let (base, width) = (values.len(), width.next_multiple_of(LANE));
        let mut group = 1;
        while base.pow(group as u32 + 1) <= ROWS && group < 4 {
            group += 1;
        }
        let rows = base.pow(group as u32);
        let mut tables = vec![0.0; clusters.div_ceil(group) * rows * width];
        let mut given = vec![0.0; width];
        for (g, table) in tables.chunks_exact_mut(rows * width).enumerate() {
            let mut step = 1;
            for cluster in g * group..clusters.min((g + 1) * group) {
                for (code, &value) in values.iter().enumerate() {
                    given.fill(0.0);
                    gives(cluster, value, &mut given);
                    for (row, into) in table.chunks_exact_mut(width).enumerate() {
                        if row / step % base == code {
                            into.iter_mut().zip(&given).for_each(|(into, given)| *into += given);
                        }
                    }
                }
                step *= base;
            }
        }
        Self { width, group, rows, tables }
    }

    /// Numbers in a sum.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Clusters in a group.
    pub fn group(&self) -> usize {
        self.group
    }

    /// Groups of a draw.
    pub fn groups(&self) -> usize {
        self.tables.len() / (self.rows * self.width)
    }

    /// The sums of draws, one row of [`LookedUp::width`] each, from the numbers of their groups, one row each.
    pub fn sums(&self, numbers: &[u8], into: &mut [f64]) {
        into.fill(0.0);
        pulp::Arch::new().dispatch(Add { of: self, numbers, into });
    }
}

/// Adds the row of each group, draw by draw.
struct Add<'a> {
    of: &'a LookedUp,
    numbers: &'a [u8],
    into: &'a mut [f64],
}

impl pulp::WithSimd for Add<'_> {
    type Output = ();

    #[allow(clippy::inline_always)] // Vector instructions reach only what is inlined into the dispatch.
    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { of, numbers, into } = self;
        let (tables, width, rows, groups) = (&of.tables, of.width, of.rows, of.groups());
        let row = |group: usize, number: u8| {
            let at = (group * rows + usize::from(number)) * width;
            tables[at..at + width].as_chunks::<LANE>().0
        };
        // A few tables at a time, which then stay near for all draws.
        for first in (0..groups).step_by(LANE) {
            let last = groups.min(first + LANE);
            for (into, numbers) in into.chunks_exact_mut(width).zip(numbers.chunks_exact(groups)) {
                let into = into.as_chunks_mut::<LANE>().0.iter_mut();
                if let [a, b, c, d] = numbers[first..last] {
                    let (a, b) = (row(first, a), row(first + 1, b));
                    let (c, d) = (row(first + 2, c), row(first + 3, d));
                    for ((((into, a), b), c), d) in into.zip(a).zip(b).zip(c).zip(d) {
                        for lane in 0..LANE {
                            into[lane] += (a[lane] + b[lane]) + (c[lane] + d[lane]);
                        }
                    }
                } else {
                    for (at, into) in into.enumerate() {
                        for (group, &number) in (first..last).zip(&numbers[first..last]) {
                            for (into, from) in into.iter_mut().zip(row(group, number)[at]) {
                                *into += from;
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_up_is_the_sum() {
        for (values, clusters) in [(&[-1.0, 1.0][..], 23), (&[-3.0, -1.0, 0.5, 2.0, 4.0, 7.0][..], 9)] {
            let given = |cluster: usize, value: f64, into: &mut [f64]| {
                for (j, into) in into.iter_mut().enumerate().take(5) {
                    *into = value * (1 + cluster * 7 + j) as f64 + value * value;
                }
            };
            let table = LookedUp::new(clusters, values, 5, given);
            let codes: Vec<u8> =
                (0..3 * clusters).map(|i| ((i * i + i / clusters) % values.len()) as u8).collect();
            let mut numbers = Vec::new();
            for codes in codes.chunks_exact(clusters) {
                numbers.extend(codes.chunks(table.group()).map(|codes| {
                    codes.iter().rev().fold(0, |number, &code| number * values.len() as u8 + code)
                }));
            }
            let mut sums = vec![9.0; 3 * table.width()];
            table.sums(&numbers, &mut sums);
            for (codes, sums) in codes.chunks_exact(clusters).zip(sums.chunks_exact(table.width())) {
                let mut want = vec![0.0; table.width()];
                let mut one = vec![0.0; table.width()];
                for (cluster, &code) in codes.iter().enumerate() {
                    one.fill(0.0);
                    given(cluster, values[usize::from(code)], &mut one);
                    want.iter_mut().zip(&one).for_each(|(want, one)| *want += one);
                }
                // Whole and half numbers: no rounding.
                assert_eq!(sums, want);
            }
        }
    }
}
