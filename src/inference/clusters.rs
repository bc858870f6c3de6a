//! Which row belongs to which cluster.

use serde::Serialize;

use crate::design::Column;
use crate::{Fault, Result, codes};

/// Cluster membership: a code for every row, 0 to count - 1, each cluster holding at least one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clusters {
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
        Ok(Self { codes: dense, starts, order })
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
        self.starts.len() - 1
    }

    /// The code of every row.
    pub fn codes(&self) -> &[u32] {
        &self.codes
    }

    /// The rows of cluster `g`, in the order of the data.
    ///
    /// # Panics
    /// If there is no such cluster.
    pub fn rows(&self, g: usize) -> &[u32] {
        &self.order[self.starts[g]..self.starts[g + 1]]
    }

    /// The size of every cluster.
    pub fn sizes(&self) -> Vec<usize> {
        self.starts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}
