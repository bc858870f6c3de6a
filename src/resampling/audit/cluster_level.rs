//! The cluster-level analysis of a redraw: the first stage knows no arm, and is done once.

use ndarray::{Array2, ArrayView1};

use super::model::AuditedModel;
use crate::Result;
use crate::inference::Vcov;
use crate::linalg::DesignMatrix;
use crate::regression::{Ols, cluster_level};

/// One value a cluster, and the columns that clusters are compared by.
pub(super) struct Values {
    values: Vec<f64>,
    /// Clusters x columns.
    x: Array2<f64>,
    /// Where the arms stand among them, and the place of the one that is tested.
    arms: Vec<usize>,
    of: usize,
    /// The unit of each cluster.
    unit: Vec<u32>,
}

/// The difference of an arm, its standard error and degrees of freedom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Difference {
    pub estimate: f64,
    pub std_error: f64,
    pub df: f64,
}

impl Values {
    /// The values that these outcomes of the rows leave; nothing where the model has no such analysis.
    pub fn new(model: &AuditedModel<'_>, name: &str, y: &[f64], unit: &[u32]) -> Result<Option<Self>> {
        let Some(levels) = &model.levels else { return Ok(None) };
        let columns = model.x.columns();
        let rest: Vec<usize> = (0..columns.ncols()).filter(|column| !model.arms.contains(column)).collect();
        let beside = levels.within.then(|| columns.select(ndarray::Axis(1), &rest));
        let first = beside.as_ref().map(|beside| DesignMatrix::new(beside.view(), true));
        let means = cluster_level::summarise(ArrayView1::from(y), name, first.as_ref(), model.clusters)?;
        // Means of clusters, or their residuals about the mean of all rows.
        let values = match first {
            None => means.observed,
            Some(_) => means.observed.iter().zip(&means.expected).map(|(o, e)| o - e + means.mean).collect(),
        };
        let rows: Vec<usize> = means.first.iter().map(|&row| row as usize).collect();
        let place = |arm: &usize| levels.kept.iter().position(|column| column == arm);
        let arms: Option<Vec<usize>> = model.arms.iter().map(place).collect();
        let x = columns.select(ndarray::Axis(0), &rows).select(ndarray::Axis(1), &levels.kept);
        let unit = rows.iter().map(|&row| unit[row]).collect();
        Ok(arms.map(|arms| Self { values, x, arms, of: model.of, unit }))
    }

    /// Compares the clusters by the arms of their units.
    pub fn compare(&self, arm: &[u8]) -> Result<Difference> {
        let mut x = self.x.clone();
        for (g, &unit) in self.unit.iter().enumerate() {
            for (code, &column) in (1..).zip(&self.arms) {
                x[(g, column)] = f64::from(u8::from(arm[unit as usize] == code));
            }
        }
        let fit = Ols::new(ArrayView1::from(&self.values), x.view()).fit()?;
        let pooled = fit.vcov(Vcov::Iid, None)?;
        let (estimate, std_error, df) = pooled.coefficient(1 + self.arms[self.of])?;
        Ok(Difference { estimate, std_error, df })
    }
}
