//! Which columns predict a binary outcome perfectly.
//!
//! The likelihood of a binary regression has no maximum when a direction d has `z_i'd >= 0`, `z_i = (2 y_i - 1) x_i`,
//! in every row and `> 0` in some: along it the likelihood never falls (complete separation where all are positive,
//! else quasi-complete; Albert and Anderson 1984). By Stiemke's theorem either there is such a direction or the rows
//! overlap: some weights `l_i >= 1` have `sum l_i z_i = 0`. Both are answered by one least squares problem,
//!
//! `v = sum l_i z_i` shortest over all `l_i >= 1`.
//!
//! Its optimality conditions are `z_i'v >= 0`, with equality where `l_i > 1`, and `v'v = sum l_i z_i'v`. So either
//! v = 0 and the maximum exists, or v is itself a direction that separates. It is non-negative least squares (Lawson
//! and Hanson 1974, chapter 23) in as many dimensions as there are columns: a step costs one pass over the rows, and
//! at most k rows have `l_i > 1`. Rows that v separates are set aside and the rest is asked again, until all separated
//! rows are found (as Correia, Guimaraes and Zylkin 2019 find them, by least squares too). Rows are whitened first;
//! a product counts as 0 when it is below 1e-9 of the lengths of its factors, so an overlap narrower than that is
//! taken for none.
//!
//! The columns that are named are a set of which none can be left out: without any of them nothing is separated.
//!
//! A. Albert and J. A. Anderson (1984), doi:10.1093/biomet/71.1.1; K. Konis (2007), Linear programming algorithms for
//! detecting separated data in binary logistic regression models, University of Oxford; C. L. Lawson and R. J. Hanson
//! (1974), Solving Least Squares Problems; S. Correia, P. Guimaraes and T. Zylkin (2019), arXiv:1903.01633.

use nalgebra::{DMatrix, DVector};
use ndarray::{Array1, ArrayView1, Axis};

use crate::linalg::DesignMatrix;
use crate::linalg::double::{Double, Scalar};
use crate::linalg::factor::factor;
use crate::linalg::gram::{fill_chunks, over_chunks, precise_cross_products};
use crate::{Error, Fault, Result};

/// The product of a row and a direction, relative to their lengths, that counts as 0.
const FLAT: f64 = 1e-9;
/// The length of v, relative to the sum of what it is made of, that counts as 0.
const NOTHING: f64 = 1e-12;
/// Steps of the least squares problem for each column before it is given up.
const STEPS: usize = 200;

/// The error that names the columns, if the outcome is separated in the rows with a weight above 0;
/// [`Error::Interrupted`] when whoever watches stops the search.
pub(super) fn separation(
    x: &DesignMatrix<'_>,
    y: ArrayView1<'_, f64>,
    weights: Option<&[f64]>,
) -> Option<Error> {
    found(x, y, weights).unwrap_or_else(Some)
}

fn found(x: &DesignMatrix<'_>, y: ArrayView1<'_, f64>, weights: Option<&[f64]>) -> Result<Option<Error>> {
    if let Some(weights) = weights
        && weights.contains(&0.0)
    {
        let rows: Vec<usize> = (0..x.n()).filter(|&i| weights[i] > 0.0).collect();
        let columns = x.columns().select(Axis(0), &rows);
        let outcome: Array1<f64> = rows.iter().map(|&i| y[i]).collect();
        let first = usize::from(x.has_intercept());
        let part = DesignMatrix::new(columns.view(), x.has_intercept()).named(x.names()[first..].to_vec());
        return part.map_or(Ok(None), |part| found(&part, outcome.view(), None));
    }
    let single = (0..x.columns().ncols()).find_map(|j| one_column(x, y, j));
    if single.is_some() {
        return Ok(single);
    }
    let gram = precise_cross_products(x, y, None)?;
    let first = usize::from(x.has_intercept());
    let mut kept: Vec<usize> = (0..x.k()).collect();
    let Some(all) = Signed::new(x, y, &gram, &kept)? else { return Ok(None) };
    let mut separated = all.separated()?;
    if separated == 0 {
        return Ok(None);
    }
    for j in first..x.k() {
        let fewer: Vec<usize> = kept.iter().copied().filter(|&c| c != j).collect();
        if let Some(rows) = Signed::new(x, y, &gram, &fewer)? {
            let still = rows.separated()?;
            if still > 0 {
                (kept, separated) = (fewer, still);
            }
        }
    }
    let names = kept.iter().filter(|&&j| j >= first).map(|&j| x.names()[j].clone()).collect();
    Ok(Some(several(names, separated, x.n())))
}

/// The rows with the signs of their outcomes, in some of the columns, and a basis that whitens them.
struct Signed<'r, 'x, 'y> {
    x: &'r DesignMatrix<'x>,
    y: ArrayView1<'y, f64>,
    /// k x q, zero in the rows of columns that are left out.
    basis: DMatrix<f64>,
    /// The length of each whitened row.
    length: Vec<f64>,
}

impl<'r, 'x, 'y> Signed<'r, 'x, 'y> {
    /// `None` where there is no column, or where the columns repeat each other.
    fn new(
        x: &'r DesignMatrix<'x>,
        y: ArrayView1<'y, f64>,
        gram: &[Vec<Double>],
        columns: &[usize],
    ) -> Result<Option<Self>> {
        let inner: Vec<Vec<Double>> =
            columns.iter().map(|&a| columns.iter().map(|&b| gram[a][b]).collect()).collect();
        let factored = (!columns.is_empty()).then(|| factor(&inner, 0.0).ok()).flatten();
        let Some(inverse) = factored.map(|factored| factored.inverse) else { return Ok(None) };
        let mut basis = DMatrix::zeros(x.k(), columns.len());
        let scale = (x.n() as f64).sqrt();
        for (row, &j) in inverse.iter().zip(columns) {
            for (c, value) in row.iter().enumerate() {
                basis[(j, c)] = scale * value.value();
            }
        }
        let mut rows = Self { x, y, basis, length: Vec::new() };
        rows.length = fill_chunks(x.n(), |start, values| {
            for (value, i) in values.iter_mut().zip(start..) {
                *value = rows.row(i).norm();
            }
        })?;
        Ok(Some(rows))
    }

    /// `z_i`, whitened.
    fn row(&self, i: usize) -> DVector<f64> {
        let mut row = vec![0.0; self.x.k()];
        self.x.row(i, &vec![0.0; self.x.k()], &mut row);
        self.basis.tr_mul(&DVector::from_vec(row)) * (2.0 * self.y[i] - 1.0)
    }

    /// The cosine of the angle between each row and v.
    fn cosines(&self, v: &DVector<f64>) -> Result<Vec<f64>> {
        let direction = &self.basis * v / v.norm();
        fill_chunks(self.x.n(), |start, values| {
            let (k, zero) = (self.x.k(), vec![0.0; self.x.k()]);
            let mut row = vec![0.0; k];
            for (value, i) in values.iter_mut().zip(start..) {
                self.x.row(i, &zero, &mut row);
                let product: f64 = row.iter().zip(direction.iter()).map(|(x, d)| x * d).sum();
                let length = self.length[i];
                *value = if length > 0.0 { (2.0 * self.y[i] - 1.0) * product / length } else { 0.0 };
            }
        })
    }

    /// How many rows are separated.
    fn separated(&self) -> Result<usize> {
        let mut open = vec![true; self.x.n()];
        while let Some(cosines) = self.direction(&open)? {
            let before = open.iter().filter(|open| **open).count();
            for (open, cosine) in open.iter_mut().zip(&cosines) {
                *open &= *cosine <= FLAT;
            }
            if open.iter().filter(|open| **open).count() == before {
                break;
            }
        }
        Ok(open.iter().filter(|open| !**open).count())
    }

    /// The cosines of the rows with the shortest v, where v is not 0, among the rows that are `open`.
    fn direction(&self, open: &[bool]) -> Result<Option<Vec<f64>>> {
        let q = self.basis.ncols();
        let parts = over_chunks(self.x.n(), |start, end, _| {
            let mut total = (DVector::zeros(q), 0.0);
            for i in (start..end).filter(|&i| open[i]) {
                total.0 += self.row(i);
                total.1 += self.length[i];
            }
            Ok(total)
        })?;
        let (base, size) =
            parts.iter().fold((DVector::zeros(q), 0.0), |sum, part| (sum.0 + &part.0, sum.1 + part.1));
        let mut v = base.clone();
        // The rows with weights above 1, and by how much.
        let mut active: Vec<usize> = Vec::new();
        let mut above: Vec<f64> = Vec::new();
        for _ in 0..STEPS * q {
            let extra: f64 = active.iter().zip(&above).map(|(&i, l)| l * self.length[i]).sum();
            if v.norm() <= NOTHING * (size + extra) {
                return Ok(None);
            }
            let cosines = self.cosines(&v)?;
            let worst = (0..cosines.len())
                .filter(|&i| open[i] && !active.contains(&i))
                .min_by(|&a, &b| cosines[a].total_cmp(&cosines[b]));
            let Some(worst) = worst.filter(|&i| cosines[i] < -FLAT) else { return Ok(Some(cosines)) };
            active.push(worst);
            above.push(0.0);
            v = self.project(&base, &mut active, &mut above);
        }
        Ok(None)
    }

    /// The weights of the active rows that make `base + sum above_i z_i` shortest, leaving out rows whose weights
    /// would fall below 0; what is left of the sum.
    fn project(&self, base: &DVector<f64>, active: &mut Vec<usize>, above: &mut Vec<f64>) -> DVector<f64> {
        loop {
            let rows: Vec<DVector<f64>> = active.iter().map(|&i| self.row(i) / self.length[i]).collect();
            if rows.is_empty() {
                return base.clone();
            }
            let qr = DMatrix::from_columns(&rows).qr();
            let q = qr.q();
            let products = q.tr_mul(base);
            let solution =
                qr.r().solve_upper_triangular(&-&products).unwrap_or_else(|| DVector::zeros(rows.len()));
            let target: Vec<f64> =
                solution.iter().zip(active.iter()).map(|(l, &i)| l / self.length[i]).collect();
            if target.iter().all(|&l| l > 0.0) {
                *above = target;
                let once = base - &q * products;
                // Twice is enough: what rounding left of the active rows is taken off too.
                return &once - &q * q.tr_mul(&once);
            }
            let share = above
                .iter()
                .zip(&target)
                .filter(|(_, target)| **target <= 0.0)
                .map(|(now, target)| if now > target { now / (now - target) } else { 0.0 })
                .fold(1.0, f64::min);
            above.iter_mut().zip(&target).for_each(|(now, target)| *now += share * (target - *now));
            let least = above
                .iter()
                .zip(&target)
                .filter(|(_, t)| **t <= 0.0)
                .map(|(l, _)| *l)
                .fold(f64::INFINITY, f64::min);
            let stay: Vec<bool> = above.iter().zip(&target).map(|(l, t)| *t > 0.0 || *l > least).collect();
            let mut each = stay.iter();
            active.retain(|_| each.next().is_some_and(|stay| *stay));
            let mut each = stay.iter();
            above.retain(|_| each.next().is_some_and(|stay| *stay));
        }
    }
}

/// Whether column `j` separates by itself (beside an intercept, or about 0 without one).
fn one_column(x: &DesignMatrix<'_>, y: ArrayView1<'_, f64>, j: usize) -> Option<Error> {
    let column = x.columns().column(j).to_owned();
    let range = |outcome: f64| {
        column
            .iter()
            .zip(y)
            .filter(|(_, y)| **y == outcome)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (&v, _)| (low.min(v), high.max(v)))
    };
    let (zeros, ones) = (range(0.0), range(1.0));
    let (below, above, upper) = if zeros.1 <= ones.0 { (zeros.1, ones.0, 1) } else { (ones.1, zeros.0, 0) };
    if below > above || (!x.has_intercept() && (below > 0.0 || above < 0.0)) {
        return None;
    }
    let name = &x.names()[j + usize::from(x.has_intercept())];
    let two_values = column.iter().all(|&v| v == zeros.0.min(ones.0) || v == zeros.1.max(ones.1));
    let y_low = 1 - upper;
    let problem = if below < above {
        format!(
            "'{name}' predicts the outcome perfectly: it is {upper} in every row with the higher values of '{name}', {y_low} in every row with the lower"
        )
    } else if two_values {
        // The value that only one outcome has.
        let (value, outcome) = if zeros.0.max(ones.0) == below && zeros.1.min(ones.1) == below {
            if zeros.1.max(ones.1) > below {
                (zeros.1.max(ones.1), upper)
            } else {
                (zeros.0.min(ones.0), y_low)
            }
        } else {
            (zeros.0.min(ones.0), y_low)
        };
        // An indicator's 0 and 1 are no data; other values may be somebody's.
        let at = match value {
            0.0 | 1.0 => value.to_string(),
            _ if value > below => "at the higher of its two values".to_owned(),
            _ => "at the lower of its two values".to_owned(),
        };
        format!(
            "'{name}' predicts the outcome perfectly where it is {at}: the outcome is {outcome} in all of those rows"
        )
    } else {
        format!(
            "'{name}' predicts the outcome perfectly on both sides of one value: the outcome is {upper} in every row above it and {y_low} in every row below it"
        )
    };
    Some(refuse(Fault::new(problem).column(name)))
}

/// Names columns that separate together.
fn several(names: Vec<String>, rows: usize, n: usize) -> Error {
    let what = match names.as_slice() {
        [] => "the intercept predicts".to_owned(),
        [one] => format!("'{one}' predicts"),
        [most @ .., last] => {
            let most: Vec<String> = most.iter().map(|n| format!("'{n}'")).collect();
            format!("{} and '{last}' together predict", most.join(", "))
        }
    };
    let problem = if rows == n {
        format!("{what} the outcome perfectly in every row")
    } else {
        format!("{what} the outcome perfectly in {rows} of {n} rows")
    };
    let fault = Fault::new(problem);
    let fault = match names.first() {
        Some(name) => fault.column(name),
        None => fault,
    };
    refuse(fault.values(names))
}

fn refuse(fault: Fault) -> Error {
    fault
                .remedy(
            "No finite coefficient exists: compare the shares of the clusters or use ols for their difference, which have an \
             answer, fit a logit with penalty='firth' where an odds ratio is needed, or merge rare categories",
        )
        .separation()
}
