//! A design matrix borrowed from the caller, with the intercept implied instead of stored.

use std::sync::OnceLock;

use ndarray::{ArrayView1, ArrayView2, ArrayViewMut2, Axis, Slice};
use rayon::prelude::*;

use super::indicators::Indicators;
use crate::{Error, Fault, Result};

/// Columns of numbers, one row an observation; the intercept, where there is one, is column 0 and never stored.
#[derive(Debug, Clone)]
pub struct DesignMatrix<'a> {
    columns: ArrayView2<'a, f64>,
    intercept: bool,
    names: Vec<String>,
    indicators: OnceLock<Option<Indicators>>,
    aside: Vec<usize>,
}

impl<'a> DesignMatrix<'a> {
    /// A design of `columns` (n x p), preceded by an intercept if `intercept`; terms are called `x1`, `x2`, ...
    /// until [`DesignMatrix::named`] says better.
    #[must_use]
    pub fn new(columns: ArrayView2<'a, f64>, intercept: bool) -> Self {
        let names = (1..=columns.ncols()).map(|j| format!("x{j}"));
        let names = intercept.then(|| "Intercept".to_owned()).into_iter().chain(names).collect();
        Self { columns, intercept, names, indicators: OnceLock::new(), aside: Vec::new() }
    }

    /// Names the stored columns, for error messages and results.
    ///
    /// # Errors
    /// [`Error::Input`] when the number of names is not the number of columns.
    pub fn named<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Result<Self> {
        let first = usize::from(self.intercept);
        self.names.truncate(first);
        self.names.extend(names.into_iter().map(Into::into));
        if self.names.len() == self.k() {
            return Ok(self);
        }
        Err(Fault::new(format!(
            "{} names were given for {} columns",
            self.names.len() - first,
            self.columns.ncols()
        ))
        .remedy("Give one name for each column of X")
        .input())
    }

    /// Sets stored columns aside that stand for the design, such as the terms of strata or sets: they are estimated as all
    /// others are, but nobody asks after them, and notes on what can be said of coefficients pass them over.
    #[must_use]
    pub fn aside(mut self, columns: impl IntoIterator<Item = usize>) -> Self {
        self.aside = columns.into_iter().collect();
        self
    }

    /// The same terms over other numbers, of as many columns.
    pub(crate) fn over<'b>(&self, columns: ArrayView2<'b, f64>) -> DesignMatrix<'b> {
        let (names, aside) = (self.names.clone(), self.aside.clone());
        DesignMatrix { columns, intercept: self.intercept, names, indicators: OnceLock::new(), aside }
    }

    /// Whether a stored column was set aside.
    pub(crate) fn is_aside(&self, column: usize) -> bool {
        self.aside.contains(&column)
    }

    /// Observations.
    pub fn n(&self) -> usize {
        self.columns.nrows()
    }

    /// Coefficients, the intercept included.
    pub fn k(&self) -> usize {
        self.columns.ncols() + usize::from(self.intercept)
    }

    /// Whether column 0 is an implied intercept.
    pub fn has_intercept(&self) -> bool {
        self.intercept
    }

    /// The names of the terms, length k.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The stored columns.
    pub fn columns(&self) -> ArrayView2<'a, f64> {
        self.columns
    }

    /// The columns of a large factor, where there is one.
    pub(crate) fn indicators(&self) -> Option<&Indicators> {
        self.indicators.get_or_init(|| Indicators::find(self.columns)).as_ref()
    }

    /// The stored values of row `i`.
    pub fn stored(&self, i: usize) -> ArrayView1<'_, f64> {
        self.columns.row(i)
    }

    /// Writes rows `start..end` less `center` (length k; 0 for the intercept) into the first k columns of `block`,
    /// which may be wider.
    pub fn fill(&self, start: usize, end: usize, center: &[f64], mut block: ArrayViewMut2<'_, f64>) {
        let first = usize::from(self.intercept);
        let k = self.k();
        if self.intercept {
            block.column_mut(0).fill(1.0);
        }
        let rows = self.columns.slice_axis(Axis(0), Slice::from(start..end));
        let center = &center[first..k];
        for (from, mut to) in rows.outer_iter().zip(block.outer_iter_mut()) {
            match (from.as_slice(), to.as_slice_mut()) {
                (Some(from), Some(to)) => {
                    for ((to, &from), &c) in to[first..k].iter_mut().zip(from).zip(center) {
                        *to = from - c;
                    }
                }
                _ => {
                    for ((to, &from), &c) in to.iter_mut().skip(first).zip(from.iter()).zip(center) {
                        *to = from - c;
                    }
                }
            }
        }
    }

    /// Row `i` less `center` into `row` (length k).
    pub fn row(&self, i: usize, center: &[f64], row: &mut [f64]) {
        let first = usize::from(self.intercept);
        if self.intercept {
            row[0] = 1.0;
        }
        let from = self.columns.row(i);
        if let Some(from) = from.as_slice() {
            for ((to, &from), &c) in row[first..].iter_mut().zip(from).zip(&center[first..]) {
                *to = from - c;
            }
        } else {
            for ((to, &from), &c) in row[first..].iter_mut().zip(from.iter()).zip(&center[first..]) {
                *to = from - c;
            }
        }
    }

    /// The error for values that are not finite numbers, if there are any in the columns.
    pub fn not_finite(&self) -> Option<Error> {
        let first = usize::from(self.intercept);
        self.columns.columns().into_iter().enumerate().find_map(|(j, column)| {
            let rows: Vec<usize> = bad_rows(column);
            (!rows.is_empty()).then(|| not_finite(&self.names[first + j], column, &rows))
        })
    }
}

/// Rows that are written at once: so many stay in the cache while one block comes after the other.
const WRITTEN: usize = 16_384;

/// Writes blocks of columns side by side, each from its place on, into a matrix of `k` columns by rows.
///
/// Blocks whose rows are not one after the other in memory, or that do not fit, are left to the caller: the answer says
/// whether all was written.
///
/// ```
/// use crewe::linalg::matrix::side_by_side;
/// use ndarray::array;
/// let (x, arms) = (array![[1.0], [2.0]], array![[0.0, 1.0], [1.0, 0.0]]);
/// let mut out = vec![0.0; 6];
/// assert!(side_by_side(&[(x.view(), 0), (arms.view(), 1)], 3, &mut out));
/// assert_eq!(out, [1.0, 0.0, 1.0, 2.0, 1.0, 0.0]);
/// ```
pub fn side_by_side(blocks: &[(ArrayView2<'_, f64>, usize)], k: usize, out: &mut [f64]) -> bool {
    let n = out.len() / k.max(1);
    let rows: Option<Vec<(&[f64], usize, usize)>> = blocks
        .iter()
        .map(|(block, place)| {
            let fits = block.nrows() == n && place + block.ncols() <= k;
            block.to_slice().filter(|_| fits).map(|values| (values, block.ncols(), *place))
        })
        .collect();
    let Some(rows) = rows else { return false };
    out.par_chunks_mut(WRITTEN * k.max(1)).enumerate().for_each(|(chunk, out)| {
        for &(values, width, place) in &rows {
            let values = &values[chunk * WRITTEN * width..];
            if width == 1 {
                out.iter_mut().skip(place).step_by(k).zip(values).for_each(|(to, value)| *to = *value);
            } else if width > 0 {
                for (to, from) in out.chunks_exact_mut(k).zip(values.chunks_exact(width)) {
                    to[place..place + width].copy_from_slice(from);
                }
            }
        }
    });
    true
}

/// Positions of the values that are NaN or infinite.
pub(crate) fn bad_rows(values: ArrayView1<'_, f64>) -> Vec<usize> {
    values.iter().enumerate().filter(|(_, v)| !v.is_finite()).map(|(i, _)| i).collect()
}

/// The error for NaN or infinite values of a column.
pub(crate) fn not_finite(name: &str, values: ArrayView1<'_, f64>, rows: &[usize]) -> Error {
    let mut kinds: Vec<String> = rows.iter().map(|&i| values[i].to_string()).collect();
    kinds.sort();
    kinds.dedup();
    Fault::new(format!("{} of {} values are missing or infinite", rows.len(), values.len()))
        .column(name)
        .rows(rows.iter().copied())
        .values(kinds)
        .remedy("Drop or repair these rows: infinite values usually come from a log of 0 or a division by 0")
        .input()
}
