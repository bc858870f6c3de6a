//! The units that are randomised, collapsed from the rows of the user's data.

pub(crate) mod baseline;
pub(crate) mod column;

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;

use self::column::{Column, MISSING, rank};
use super::Unit;
use crate::{Fault, Result};

/// The units of a trial in canonical order, each with its stratum, and the unit of every row.
///
/// ```
/// use crewe::design::{Column, Unit, Units};
/// let families = Column::from_values("family", ["9", "12", "12"]);
/// let site = Column::from_values("site", ["north", "south", "south"]);
/// let units = Units::from_rows(&Unit::Cluster("family".into()), &families, &[site])?;
/// assert_eq!(units.labels(), ["12", "9"]); // bytewise: text, not numbers
/// assert_eq!(units.rows(), [1, 0, 0]);
/// assert_eq!(units.strata()[units.stratum()[0] as usize], ["south"]);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Units {
    unit: Unit,
    strata_columns: Vec<String>,
    // Shared, so that an assignment can keep its units without copying a hundred thousand labels.
    labels: Arc<[String]>,
    stratum: Arc<[u32]>,
    strata: Vec<Vec<String>>,
    rows: Arc<[u32]>,
    #[serde(flatten)]
    pub(crate) baseline: Arc<Baseline>,
}

/// Order of arrival, factors and covariates, by unit.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(crate) struct Baseline {
    pub arrival: Option<Vec<u32>>,
    pub factors: Vec<Factor>,
    pub covariates: Vec<UnitCovariate>,
}

/// A category of each unit.
///
/// ```
/// use crewe::design::{Column, Unit, Units};
/// let ids = Column::from_values("id", ["1", "2", "3"]);
/// let site = Column::from_values("site", ["south", "north", "south"]);
/// let units = Units::from_rows(&Unit::Individual("id".into()), &ids, &[])?.factor(&site)?;
/// let factor = &units.factors()[0];
/// assert_eq!(factor.levels[factor.level[0] as usize], "south");
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Factor {
    /// The column's name.
    pub name: String,
    /// The level of each unit, an index into `levels`.
    pub level: Vec<u32>,
    /// The levels in bytewise order.
    pub levels: Vec<String>,
}

/// A number of each unit: the mean over its rows.
///
/// ```
/// use crewe::design::{Column, Unit, Units};
/// let families = Column::from_values("family", ["a", "a", "b"]);
/// let units = Units::from_rows(&Unit::Cluster("family".into()), &families, &[])?;
/// let units = units.covariate("age", &[4.0, 6.0, 9.0])?;
/// assert_eq!(units.covariates()[0].values, [5.0, 9.0]);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct UnitCovariate {
    /// The column's name.
    pub name: String,
    /// One value a unit.
    pub values: Vec<f64>,
}

impl Units {
    /// Collapses rows to units.
    ///
    /// `ids` names the unit of each row and `strata` holds one column for each column of the design's strata,
    /// in that order, all of as many rows.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for no rows, columns of different lengths, missing identifiers or strata, and
    /// identifiers that come twice where individuals are randomised; [`crate::Error::Design`] for a cluster
    /// whose rows lie in more than one stratum.
    pub fn from_rows(unit: &Unit, ids: &Column, strata: &[Column]) -> Result<Self> {
        Self::collapsed(unit, Cow::Borrowed(ids), strata)
    }

    /// The same as [`Units::from_rows`] of a column that is given away, whose labels are not copied.
    ///
    /// # Errors
    /// As [`Units::from_rows`].
    ///
    /// ```
    /// use crewe::design::{Column, Unit, Units};
    /// let families = Column::from_values("family", ["9", "12", "12"]);
    /// let unit = Unit::Cluster("family".into());
    /// assert_eq!(Units::from_rows(&unit, &families, &[])?, Units::from_owned(&unit, families, &[])?);
    /// # Ok::<(), crewe::Error>(())
    /// ```
    pub fn from_owned(unit: &Unit, ids: Column, strata: &[Column]) -> Result<Self> {
        Self::collapsed(unit, Cow::Owned(ids), strata)
    }

    fn collapsed(unit: &Unit, ids: Cow<'_, Column>, strata: &[Column]) -> Result<Self> {
        let n = ids.len();
        if n == 0 {
            return Err(Fault::new("the data have no rows")
                .column(ids.name())
                .remedy("Pass one row for each unit, or for each member of a cluster")
                .input());
        }
        for column in strata {
            if column.len() != n {
                return Err(Fault::new("the columns have different numbers of rows")
                    .column(column.name())
                    .values([n.to_string(), column.len().to_string()])
                    .remedy("Pass columns of one data frame")
                    .input());
            }
        }
        let missing = ids.missing();
        if !missing.is_empty() {
            return Err(Fault::new(format!("identifiers are missing in {} of {n} rows", missing.len()))
                .column(ids.name())
                .rows(missing)
                .remedy("Every row needs to say which unit it belongs to")
                .input());
        }
        for column in strata {
            let missing = column.missing();
            if !missing.is_empty() {
                return Err(Fault::new(format!("the stratum is missing in {} of {n} rows", missing.len()))
                    .column(column.name())
                    .rows(missing)
                    .remedy("Fill it in, or make a stratum of its own for units where it is not known")
                    .input());
            }
        }

        let (name, codes) = (ids.name().to_owned(), ids.raw().to_vec());
        let ranked = rank(ids);
        let rows: Vec<u32> = codes.into_iter().map(|code| ranked.rank[code as usize]).collect();
        let labels = ranked.labels;
        if matches!(unit, Unit::Individual(_)) {
            refuse_repeats(&name, &rows, &labels)?;
        }

        // One stratum after the other column is refined: stratum of a unit = (stratum so far, value here).
        let mut stratum = vec![0_u32; labels.len()];
        let mut levels: Vec<Vec<String>> = vec![Vec::new()];
        for column in strata {
            let ranked = rank(Cow::Borrowed(column));
            let mut value = vec![MISSING; labels.len()];
            for (&unit, &code) in rows.iter().zip(column.raw()) {
                let here = ranked.rank[code as usize];
                let first = &mut value[unit as usize];
                if *first == MISSING {
                    *first = here;
                } else if *first != here {
                    return Err(spans_strata(&name, column, &rows, &labels));
                }
            }
            let width = ranked.labels.len() as u64;
            let wide: Vec<u64> =
                stratum.iter().zip(&value).map(|(&s, &v)| u64::from(s) * width + u64::from(v)).collect();
            let mut present = wide.clone();
            present.sort_unstable();
            present.dedup();
            levels = present
                .iter()
                .map(|&w| {
                    let mut label = levels[(w / width) as usize].clone();
                    label.push(ranked.labels[(w % width) as usize].clone());
                    label
                })
                .collect();
            // Every value of `wide` is in `present`, so the search never fails.
            stratum = wide.iter().map(|w| present.partition_point(|p| p < w) as u32).collect();
        }
        let strata_columns = strata.iter().map(|column| column.name().to_owned()).collect();
        Ok(Self {
            unit: unit.clone(),
            strata_columns,
            labels: labels.into(),
            stratum: stratum.into(),
            strata: levels,
            rows: rows.into(),
            baseline: Arc::default(),
        })
    }

    /// What is randomised.
    pub fn unit(&self) -> &Unit {
        &self.unit
    }

    /// The columns that form the strata.
    pub fn strata_columns(&self) -> &[String] {
        &self.strata_columns
    }

    /// The canonical identifiers of the units, in bytewise order.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The stratum of each unit, an index into [`Units::strata`].
    pub fn stratum(&self) -> &[u32] {
        &self.stratum
    }

    /// The labels of each stratum, one for each column, in bytewise order of the columns' values.
    pub fn strata(&self) -> &[Vec<String>] {
        &self.strata
    }

    /// The unit of each row of the data, an index into [`Units::labels`].
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// The number of units.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no units, which [`Units::from_rows`] never gives.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The units of each stratum, in canonical order.
    pub(crate) fn members(&self) -> Vec<Vec<u32>> {
        let mut members = vec![Vec::new(); self.strata.len()];
        for (unit, &stratum) in self.stratum.iter().enumerate() {
            members[stratum as usize].push(unit as u32);
        }
        members
    }
}

fn refuse_repeats(name: &str, rows: &[u32], labels: &[String]) -> Result<()> {
    let mut times = vec![0_u32; labels.len()];
    for &unit in rows {
        times[unit as usize] += 1;
    }
    let repeated: Vec<usize> = (0..labels.len()).filter(|&unit| times[unit] > 1).collect();
    if repeated.is_empty() {
        return Ok(());
    }
    Err(Fault::new(format!(
        "{} identifiers stand in more than one row, yet rows are randomised",
        repeated.len()
    ))
    .column(name)
    .rows((0..rows.len()).filter(|&row| times[rows[row] as usize] > 1))
    .ids(repeated.iter().map(|&unit| labels[unit].clone()))
    .remedy("Keep one row for each individual, or randomise clusters: cluster instead of unit")
    .input())
}

fn spans_strata(name: &str, column: &Column, rows: &[u32], labels: &[String]) -> crate::Error {
    let mut first = vec![MISSING; labels.len()];
    let mut spans = vec![false; labels.len()];
    for (row, &unit) in rows.iter().enumerate() {
        let unit = unit as usize;
        if first[unit] == MISSING {
            first[unit] = row as u32;
        } else if column.label(first[unit] as usize) != column.label(row) {
            spans[unit] = true;
        }
    }
    let spanning: Vec<usize> = (0..labels.len()).filter(|&unit| spans[unit]).collect();
    Fault::new(format!("{} of {} clusters lie in more than one stratum", spanning.len(), labels.len()))
        .column(column.name())
        .rows((0..rows.len()).filter(|&row| spans[rows[row] as usize]))
        .ids(spanning.iter().map(|&unit| format!("{name} {}", labels[unit])))
        .remedy("Give all rows of a cluster the same stratum, for instance that of its first")
        .design()
}
