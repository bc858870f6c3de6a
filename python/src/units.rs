//! Units of randomisation, and the columns that they are read from.

use crewe::design::{self as core, Column};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;

use crate::error::OrRaise;
use crate::handle::{Floats, floats, slice};

/// Codes of rows or units.
pub type Codes = Py<PyArray1<u32>>;

/// Gives codes to Python as an array.
pub fn codes(py: Python<'_>, codes: &[u32]) -> Codes {
    codes.to_vec().into_pyarray(py).unbind()
}

/// A column as the package passes it: name, codes (2^32 - 1 is missing), labels.
pub type Labels<'py> = (String, PyReadonlyArray1<'py, u32>, Vec<String>);

/// Identifiers: whole numbers as they are, long text joined with the end of each, others as labels.
#[derive(FromPyObject)]
enum Ids<'py> {
    Whole(String, PyReadonlyArray1<'py, i64>),
    Joined(String, PyReadonlyArray1<'py, u32>, PyBackedStr, PyReadonlyArray1<'py, i64>),
    Labels(String, PyReadonlyArray1<'py, u32>, Vec<String>),
}

impl Ids<'_> {
    fn column(self, py: Python<'_>) -> PyResult<Column> {
        match self {
            Self::Whole(name, values) => Ok(Column::from_whole(&name, slice(&values)?)),
            Self::Joined(name, codes, text, ends) => {
                let ends = slice(&ends)?.iter().map(|&end| end as usize);
                Column::from_joined(&name, slice(&codes)?, &text, ends).or_raise(py)
            }
            Self::Labels(name, codes, labels) => column(py, (name, codes, labels)),
        }
    }
}

/// The core's column.
pub fn column(py: Python<'_>, labels: Labels<'_>) -> PyResult<Column> {
    let codes = slice(&labels.1)?.iter().map(|&code| (code != u32::MAX).then_some(code));
    Column::new(&labels.0, codes, labels.2).or_raise(py)
}

/// The core's columns.
pub fn columns(py: Python<'_>, labels: Vec<Labels<'_>>) -> PyResult<Vec<Column>> {
    labels.into_iter().map(|one| column(py, one)).collect()
}

/// What a trial calls its units and their rows, each for one and for many, and its arms.
#[pyclass(module = "crewe._core", frozen)]
#[derive(Clone)]
pub struct Wording {
    inner: core::Wording,
}

#[pymethods]
impl Wording {
    #[new]
    fn new(
        unit: Option<(String, String)>,
        member: Option<(String, String)>,
        labels: Vec<(String, String)>,
    ) -> Self {
        let noun = |words: (String, String)| core::Noun::new(&words.0, &words.1);
        Self { inner: core::Wording::new(unit.map(noun), member.map(noun), labels) }
    }

    /// The declared noun of the units.
    #[getter]
    fn unit(&self) -> Option<(String, String)> {
        self.inner.unit.clone().map(Into::into)
    }

    /// The declared noun of the rows of a cluster.
    #[getter]
    fn member(&self) -> Option<(String, String)> {
        self.inner.member.clone().map(Into::into)
    }

    /// What is printed in place of the names of arms.
    #[getter]
    fn labels(&self) -> Vec<(String, String)> {
        self.inner.labels.clone().into_iter().collect()
    }
}

impl Wording {
    /// The words of a design.
    pub fn of(design: &core::Design) -> Self {
        Self { inner: design.wording().clone() }
    }

    /// The design in these words.
    pub fn of_design(&self, design: core::Design) -> core::Design {
        design.worded(self.inner.clone())
    }
}

/// The noun that a word makes by itself, for one and for many.
#[pyfunction]
fn regular_noun(one: &str) -> (String, String) {
    core::Noun::regular(one).into()
}

/// What is randomised, clusters or individuals, and the column that names it.
#[pyclass(module = "crewe._core", frozen)]
pub struct Unit {
    column: String,
    clustered: bool,
}

impl Unit {
    fn of(unit: &core::Unit) -> Self {
        let clustered = matches!(unit, core::Unit::Cluster(_));
        Self { column: unit.column().to_owned(), clustered }
    }

    fn inner(&self) -> core::Unit {
        let kind = if self.clustered { core::Unit::Cluster } else { core::Unit::Individual };
        kind(self.column.clone())
    }

    /// The design that randomises it.
    pub fn of_design(&self, design: core::Design) -> core::Design {
        if self.clustered { design.cluster(&self.column) } else { design.individual(&self.column) }
    }
}

#[pymethods]
impl Unit {
    /// Clusters: all rows of one get the same arm.
    #[staticmethod]
    fn cluster(column: String) -> Self {
        Self { column, clustered: true }
    }

    /// Individuals: every row is a unit.
    #[staticmethod]
    fn individual(column: String) -> Self {
        Self { column, clustered: false }
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        let made = if self.clustered { "cluster" } else { "individual" };
        Ok((py.get_type::<Self>().getattr(made)?, (self.column.clone(),)))
    }
}

/// A category of each unit: the level of each, and what the levels are called.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Factor {
    name: String,
    level: Codes,
    levels: Vec<String>,
}

/// A number of each unit.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct UnitCovariate {
    name: String,
    values: Floats,
}

/// The units of a trial: rows collapsed, with what the procedure needs to know of them.
#[pyclass(module = "crewe._core", frozen)]
pub struct Units {
    pub inner: core::Units,
}

/// What a pickle of units holds: what they are, their labels and the unit of each row, and by unit the strata with their
/// values, the order of arrival, factors and covariates.
type Parts = (
    Unit,
    (Vec<String>, Codes),
    (Vec<String>, Codes, Vec<Vec<String>>),
    Option<Py<PyArray1<i64>>>,
    Vec<(String, Codes, Vec<String>)>,
    Vec<(String, Floats)>,
);

#[pymethods]
impl Units {
    #[new]
    fn new<'py>(
        py: Python<'py>,
        unit: &Unit,
        ids: Ids<'py>,
        strata: Vec<Labels<'py>>,
        order: Option<(String, PyReadonlyArray1<'py, i64>)>,
        factors: Vec<Labels<'py>>,
        covariates: Vec<(String, PyReadonlyArray1<'py, f64>)>,
    ) -> PyResult<Self> {
        let (ids, strata, factors) = (ids.column(py)?, columns(py, strata)?, columns(py, factors)?);
        let order = order.map(|(name, order)| Ok::<_, PyErr>((name, slice(&order)?.to_vec()))).transpose()?;
        let covariates: Vec<(String, Vec<f64>)> = covariates
            .into_iter()
            .map(|(name, values)| Ok((name, slice(&values)?.to_vec())))
            .collect::<PyResult<_>>()?;
        let unit = unit.inner();
        let inner = crate::pool::compute(py, |_| {
            let mut units = core::Units::from_owned(&unit, ids, &strata)?;
            if let Some((name, order)) = &order {
                units = units.arriving(name, order)?;
            }
            for factor in &factors {
                units = units.factor(factor)?;
            }
            for (name, values) in &covariates {
                units = units.covariate(name, values)?;
            }
            Ok(units)
        })?;
        Ok(Self { inner })
    }

    /// The units again, from the parts that they were taken apart into.
    #[staticmethod]
    fn restore<'py>(
        py: Python<'py>,
        unit: &Unit,
        ids: (Vec<String>, PyReadonlyArray1<'py, u32>),
        strata: (Vec<String>, PyReadonlyArray1<'py, u32>, Vec<Vec<String>>),
        arrival: Option<PyReadonlyArray1<'py, i64>>,
        factors: Vec<Labels<'py>>,
        covariates: Vec<(String, PyReadonlyArray1<'py, f64>)>,
    ) -> PyResult<Self> {
        let (labels, rows) = (ids.0, slice(&ids.1)?);
        let (names, stratum, values) = (strata.0, slice(&strata.1)?, strata.2);
        let by_row = |name: &str, codes: &[u32], labels: Vec<String>| {
            let codes = rows.iter().map(|&unit| codes.get(unit as usize).copied());
            Column::new(name, codes, labels).or_raise(py)
        };
        let every: Vec<u32> = (0..labels.len() as u32).collect();
        let ids = by_row(&unit.column, &every, labels)?;
        let strata = names
            .iter()
            .enumerate()
            .map(|(place, name)| {
                let labels = values.iter().filter_map(|stratum| stratum.get(place).cloned()).collect();
                by_row(name, stratum, labels)
            })
            .collect::<PyResult<Vec<Column>>>()?;
        let mut units = core::Units::from_owned(&unit.inner(), ids, &strata).or_raise(py)?;
        if let Some(arrival) = arrival {
            let places = slice(&arrival)?;
            let order: Vec<i64> =
                rows.iter().filter_map(|&unit| places.get(unit as usize).copied()).collect();
            units = units.arriving("arrival", &order).or_raise(py)?;
        }
        for (name, level, levels) in factors {
            units = units.factor(&by_row(&name, slice(&level)?, levels)?).or_raise(py)?;
        }
        for (name, values) in covariates {
            let values = slice(&values)?;
            let of_rows: Vec<f64> =
                rows.iter().filter_map(|&unit| values.get(unit as usize).copied()).collect();
            units = units.covariate(&name, &of_rows).or_raise(py)?;
        }
        Ok(Self { inner: units })
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Parts)> {
        let units = &self.inner;
        let arrival = units.arrivals().map(|arrivals| {
            let mut place = vec![0_i64; arrivals.len()];
            for (at, &unit) in arrivals.iter().enumerate() {
                place[unit as usize] = at as i64;
            }
            place.into_pyarray(py).unbind()
        });
        let parts = (
            Unit::of(units.unit()),
            (self.labels(), self.rows(py)),
            (units.strata_columns().to_vec(), self.stratum(py), self.strata()),
            arrival,
            units
                .factors()
                .iter()
                .map(|factor| (factor.name.clone(), codes(py, &factor.level), factor.levels.clone()))
                .collect(),
            units
                .covariates()
                .iter()
                .map(|covariate| (covariate.name.clone(), floats(py, covariate.values.clone())))
                .collect(),
        );
        Ok((py.get_type::<Self>().getattr("restore")?, parts))
    }

    /// The canonical identifiers, in bytewise order.
    #[getter]
    fn labels(&self) -> Vec<String> {
        self.inner.labels().to_vec()
    }

    /// The stratum of each unit, an index into `strata`.
    #[getter]
    fn stratum(&self, py: Python<'_>) -> Codes {
        codes(py, self.inner.stratum())
    }

    /// The values of each stratum, one for each column of the strata.
    #[getter]
    fn strata(&self) -> Vec<Vec<String>> {
        self.inner.strata().to_vec()
    }

    /// The unit of each row, an index into `labels`.
    #[getter]
    fn rows(&self, py: Python<'_>) -> Codes {
        codes(py, self.inner.rows())
    }

    /// The categories of the units.
    #[getter]
    fn factors(&self, py: Python<'_>) -> Vec<Factor> {
        let factors = self.inner.factors().iter();
        factors
            .map(|factor| Factor {
                name: factor.name.clone(),
                level: codes(py, &factor.level),
                levels: factor.levels.clone(),
            })
            .collect()
    }

    /// The numbers of the units.
    #[getter]
    fn covariates(&self, py: Python<'_>) -> Vec<UnitCovariate> {
        let covariates = self.inner.covariates().iter();
        covariates
            .map(|covariate| UnitCovariate {
                name: covariate.name.clone(),
                values: floats(py, covariate.values.clone()),
            })
            .collect()
    }

    fn __len__(&self) -> usize {
        self.inner.len()
    }
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Wording>()?;
    m.add_function(wrap_pyfunction!(regular_noun, m)?)?;
    m.add_class::<Unit>()?;
    m.add_class::<Factor>()?;
    m.add_class::<UnitCovariate>()?;
    m.add_class::<Units>()
}
