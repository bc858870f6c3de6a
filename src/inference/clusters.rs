//! Which row belongs to which cluster.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::design::Column;
use crate::{Fault, Result, codes};

/// Clusters, and units of an arm, below which nothing can be said of the variation between them.
const FEWEST: usize = 2;

/// Refuses an analysis by fewer than two clusters.
///
/// # Errors
/// [`crate::Error::Input`] with their number.
///
/// ```
/// use crewe::inference::check_clusters;
/// assert!(check_clusters(2).is_ok());
/// assert!(check_clusters(1).unwrap_err().to_string().contains("at least 2 clusters, and there is 1"));
/// ```
pub fn check_clusters(count: usize) -> Result<()> {
    if count >= FEWEST {
        return Ok(());
    }
    let there = if count == 1 { "is" } else { "are" };
    Err(Fault::new(format!(
        "an analysis by clusters needs at least {FEWEST} clusters, and there {there} {count}"
    ))
    .remedy(
        "With one cluster nothing can be said about the variation between clusters: check the column of ids",
    )
    .input())
}

/// Refuses a comparison in which an arm has fewer than two of the units that were randomised.
///
/// `units` says how many each arm has, `noun` what they are called, `column` where the arm stands in the data.
///
/// # Errors
/// [`crate::Error::Design`] with the arm and the number.
///
/// ```
/// use crewe::inference::check_units_by_arm;
/// let arms = ["control", "crewe"];
/// assert!(check_units_by_arm(&arms, &[2, 2], "families", None).is_ok());
/// let error = check_units_by_arm(&arms, &[9, 1], "families", Some("arm")).unwrap_err().to_string();
/// assert!(error.starts_with("arm 'crewe' has 1 of the families in the rows that are analysed (column 'arm')"));
/// ```
pub fn check_units_by_arm<S: AsRef<str>>(
    arms: &[S],
    units: &[usize],
    noun: &str,
    column: Option<&str>,
) -> Result<()> {
    let Some((arm, count)) = arms.iter().zip(units).find(|(_, count)| **count < FEWEST) else {
        return Ok(());
    };
    let mut fault =
        Fault::new(format!("arm '{}' has {count} of the {noun} in the rows that are analysed", arm.as_ref()));
    fault.column = column.map(Into::into);
    Err(fault
        .remedy(
            "An arm needs at least two, or its variation cannot be known: check the filter and the missing values",
        )
        .design())
}

/// Cluster membership: a code for every row, 0 to count - 1, each cluster holding at least one row.
///
/// A clone shares the codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clusters {
    inner: Arc<Membership>,
}

/// As its codes.
impl Serialize for Clusters {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.codes().serialize(serializer)
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Membership {
    codes: Vec<u32>,
    starts: Vec<usize>,
    order: Vec<u32>,
}

impl Clusters {
    /// Clusters from one code a row; codes need not be dense, and unused ones are dropped.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for an empty list or more than 2^32 - 1 rows, and for the code 2^32 - 1, by which a missing
    /// cluster is written elsewhere: [`Clusters::from_column`] and [`Clusters::from_options`] know what is missing.
    ///
    /// ```
    /// let clusters = crewe::inference::Clusters::new(&[7, 3, 7])?;
    /// assert_eq!(clusters.count(), 2);
    /// assert_eq!(clusters.rows(1), [0, 2]);
    /// # Ok::<(), crewe::Error>(())
    /// ```
    pub fn new(codes: &[u32]) -> Result<Self> {
        if codes.is_empty() || u32::try_from(codes.len()).is_err() {
            return Err(Fault::new("clusters need between 1 and 4,294,967,295 rows").input());
        }
        codes::refuse_missing(codes, "the cluster")?;
        let largest = codes.iter().copied().max().unwrap_or(0) as usize;
        let mut dense = if largest < 4 * codes.len() + 1024 {
            let mut seen = vec![u32::MAX; largest + 1];
            for &code in codes {
                seen[code as usize] = 0;
            }
            for (code, slot) in seen.iter_mut().filter(|slot| **slot == 0).enumerate() {
                *slot = code as u32;
            }
            codes.iter().map(|&code| seen[code as usize]).collect::<Vec<_>>()
        } else {
            let mut unique = codes.to_vec();
            unique.sort_unstable();
            unique.dedup();
            codes.iter().map(|code| unique.partition_point(|u| u < code) as u32).collect()
        };
        let count = dense.iter().copied().max().unwrap_or(0) as usize + 1;
        // Counting sort: rows by cluster, in the order of the data within each.
        let mut starts = vec![0_usize; count + 1];
        for &code in &dense {
            starts[code as usize + 1] += 1;
        }
        for g in 0..count {
            starts[g + 1] += starts[g];
        }
        let mut next = starts.clone();
        let mut order = vec![0_u32; dense.len()];
        for (row, &code) in dense.iter().enumerate() {
            order[next[code as usize]] = row as u32;
            next[code as usize] += 1;
        }
        dense.shrink_to_fit();
        Ok(Self { inner: Arc::new(Membership { codes: dense, starts, order }) })
    }

    /// Clusters from a column of ids.
    ///
    /// # Errors
    /// As [`Clusters::new`], and [`crate::Error::Input`] for ids that are missing, with the column and the rows.
    ///
    /// ```
    /// use crewe::design::Column;
    /// use crewe::inference::Clusters;
    /// let families = Column::from_options("family_id", [Some("F1"), Some("F2"), Some("F1"), None]);
    /// let error = Clusters::from_column(&families).unwrap_err();
    /// assert!(error.to_string().contains("missing in 1 of 4 rows (column 'family_id'; row 3)"));
    /// ```
    pub fn from_column(ids: &Column) -> Result<Self> {
        let missing = ids.missing();
        if !missing.is_empty() {
            return Err(Fault::new(format!(
                "the cluster is missing in {} of {} rows",
                missing.len(),
                ids.len()
            ))
            .column(ids.name())
            .rows(missing)
            .remedy("Every row needs to say which cluster it belongs to: fill the ids in, or drop the rows")
            .input());
        }
        Self::new(ids.raw())
    }

    /// Clusters from one code a row, nothing where it is missing.
    ///
    /// # Errors
    /// As [`Clusters::new`], and [`crate::Error::Input`] for codes that are missing, with the rows.
    ///
    /// ```
    /// use crewe::inference::Clusters;
    /// assert_eq!(Clusters::from_options([Some(4), Some(9), Some(4)])?.sizes(), [2, 1]);
    /// assert!(Clusters::from_options([Some(4), None]).is_err());
    /// # Ok::<(), crewe::Error>(())
    /// ```
    pub fn from_options(codes: impl IntoIterator<Item = Option<u32>>) -> Result<Self> {
        let codes: Vec<u32> = codes.into_iter().map(|code| code.unwrap_or(u32::MAX)).collect();
        Self::new(&codes)
    }

    /// Every row its own cluster.
    ///
    /// # Errors
    /// As [`Clusters::new`].
    pub fn singletons(n: usize) -> Result<Self> {
        let codes: Vec<u32> = (0..u32::try_from(n).unwrap_or(0)).collect();
        Self::new(&codes)
    }

    /// The number of clusters, G.
    pub fn count(&self) -> usize {
        self.inner.starts.len() - 1
    }

    /// The code of every row.
    pub fn codes(&self) -> &[u32] {
        &self.inner.codes
    }

    /// The rows of cluster `g`, in the order of the data.
    ///
    /// # Panics
    /// If there is no such cluster.
    pub fn rows(&self, g: usize) -> &[u32] {
        &self.inner.order[self.inner.starts[g]..self.inner.starts[g + 1]]
    }

    /// Refuses another number of codes than there are rows.
    pub(crate) fn checked(&self, n: usize) -> Result<&Self> {
        if self.codes().len() == n {
            return Ok(self);
        }
        Err(Fault::new(format!("{} cluster ids for {n} rows", self.codes().len()))
            .column("cluster")
            .remedy("Give one cluster for each row that the model was fitted to")
            .input())
    }

    /// The same clusters without the rows that do not count; clusters that have no others are dropped, and the codes of the
    /// rows left out mean nothing.
    pub(crate) fn of_rows(&self, counts: impl Fn(usize) -> bool) -> Self {
        let mut codes = self.inner.codes.clone();
        let (mut starts, mut order) = (vec![0], Vec::with_capacity(codes.len()));
        for g in 0..self.count() {
            let before = order.len();
            order.extend(self.rows(g).iter().copied().filter(|&row| counts(row as usize)));
            if order.len() > before {
                let code = starts.len() as u32 - 1;
                for &row in &order[before..] {
                    codes[row as usize] = code;
                }
                starts.push(order.len());
            }
        }
        let count = starts.len() as u32 - 1;
        for &row in &self.inner.order {
            if !counts(row as usize) {
                codes[row as usize] = codes[row as usize].min(count.saturating_sub(1));
            }
        }
        Self { inner: Arc::new(Membership { codes, starts, order }) }
    }

    /// The size of every cluster.
    pub fn sizes(&self) -> Vec<usize> {
        self.inner.starts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}
