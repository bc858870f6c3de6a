//! Who belongs to the units: the rows of the analysis, or sizes that are drawn.

use ndarray::Array2;

use super::arrivals::Arrivals;
use super::sizes::Sizes;
use crate::{Fault, Result};

/// The rows of a trial that are analysed.
///
/// ```
/// use crewe::simulate::Rows;
/// let rows = Rows::new(vec![0, 0, 1]).baselines(vec![0.1, 0.1, 0.3]);
/// assert_eq!(rows.unit.len(), 3);
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Rows {
    /// The unit of each row, a position in the units of the design.
    pub unit: Vec<u32>,
    /// What each row has in place of the outcome's own baseline.
    pub baseline: Option<Vec<f64>>,
    /// The columns of the model beside the intercept and the arm, rows x q; they may have no columns.
    pub covariates: Option<Array2<f64>>,
    /// What the analysis clusters by, where that is not the unit.
    pub clusters: Option<Vec<u32>>,
    /// The places among `covariates` of those that are drawn with the outcome; none where the model leaves one out.
    pub drawn: Vec<Option<usize>>,
    /// A subgroup with an effect of its own.
    pub subgroup: Option<Subgroup>,
}

/// A subgroup whose members have an effect of their own.
///
/// ```
/// use crewe::simulate::Subgroup;
/// let meals = Subgroup { share: 0.3, cluster: false, member: None, effects: [0.0, 1.0], inside: None };
/// assert_eq!(meals.effects, [0.0, 1.0]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Subgroup {
    /// The share of members, or of units, that are drawn into it in every replicate.
    pub share: f64,
    /// Whether units as a whole are in it.
    pub cluster: bool,
    /// Who is in it, by row, in place of the share.
    pub member: Option<Vec<bool>>,
    /// How much of their arm's effect those outside it have, and those inside.
    pub effects: [f64; 2],
    /// How much of the effect those inside have in each arm, where arms differ otherwise than outside.
    pub inside: Option<Vec<f64>>,
}

impl Rows {
    /// Rows of these units.
    pub fn new(unit: Vec<u32>) -> Self {
        Self { unit, ..Self::default() }
    }

    /// Sets what each row has in place of the outcome's own baseline.
    #[must_use]
    pub fn baselines(mut self, baseline: Vec<f64>) -> Self {
        self.baseline = Some(baseline);
        self
    }

    /// Sets the columns of the model beside the intercept and the arm.
    #[must_use]
    pub fn covariates(mut self, covariates: Array2<f64>) -> Self {
        self.covariates = Some(covariates);
        self
    }

    /// Sets the places among the covariates of those that are drawn with the outcome.
    #[must_use]
    pub fn drawn(mut self, drawn: Vec<Option<usize>>) -> Self {
        self.drawn = drawn;
        self
    }

    /// Sets a subgroup with an effect of its own.
    #[must_use]
    pub fn subgroup(mut self, subgroup: Subgroup) -> Self {
        self.subgroup = Some(subgroup);
        self
    }

    /// Sets what the analysis clusters by.
    #[must_use]
    pub fn clusters(mut self, clusters: Vec<u32>) -> Self {
        self.clusters = Some(clusters);
        self
    }
}

/// The members of the units.
///
/// ```
/// use crewe::simulate::{Members, Sizes};
/// let members = Members::from(Sizes::new([(1, 1), (2, 1)])?);
/// assert!(matches!(members, Members::Drawn(_)));
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Members {
    /// These rows.
    Rows(Box<Rows>),
    /// As many as each unit draws, anew in every replicate.
    Drawn(Sizes),
    /// Units that arrive one by one, others in every replicate.
    Arriving(Box<Arrivals>),
}

impl From<Arrivals> for Members {
    fn from(arrivals: Arrivals) -> Self {
        Self::Arriving(Box::new(arrivals))
    }
}

impl From<Rows> for Members {
    fn from(rows: Rows) -> Self {
        Self::Rows(Box::new(rows))
    }
}

impl From<Sizes> for Members {
    fn from(sizes: Sizes) -> Self {
        Self::Drawn(sizes)
    }
}

/// Rows in the order of their units.
#[derive(Debug, Clone)]
pub(super) struct Sorted {
    /// Where each unit's rows start, and the end.
    pub starts: Vec<u32>,
    /// The place of each row among those that were given.
    pub order: Vec<u32>,
    /// The unit of each row.
    pub unit: Vec<u32>,
    /// The baseline of each row.
    pub baseline: Option<Vec<f64>>,
    /// The columns of the model, rows x q.
    pub covariates: Array2<f64>,
    /// What the analysis clusters by, where that is not the unit.
    pub clusters: Option<Vec<u32>>,
    /// The places of the covariates that are drawn.
    pub drawn: Vec<Option<usize>>,
    /// The subgroup, its members in the order of the rows.
    pub subgroup: Option<Subgroup>,
}

impl Sorted {
    /// Checks rows of so many units and puts them in order.
    pub fn new(rows: &Rows, units: usize) -> Result<Self> {
        let n = rows.unit.len();
        let lengths = [
            rows.baseline.as_ref().map_or(n, Vec::len),
            rows.covariates.as_ref().map_or(n, Array2::nrows),
            rows.clusters.as_ref().map_or(n, Vec::len),
            rows.subgroup.as_ref().and_then(|group| group.member.as_ref()).map_or(n, Vec::len),
        ];
        if n == 0 || lengths.iter().any(|&length| length != n) {
            return Err(Fault::new(
                "the rows of a simulated trial need a unit each, and columns of their length",
            )
            .values(lengths.map(|length| format!("{length} of {n}")))
            .remedy("Pass columns of one data frame with at least one row")
            .input());
        }
        crate::codes::check(&rows.unit, n, units, "units")?;
        let mut order: Vec<u32> = (0..n as u32).collect();
        order.sort_by_key(|&row| rows.unit[row as usize]);
        let mut starts = vec![0_u32; units + 1];
        for &unit in &rows.unit {
            starts[unit as usize + 1] += 1;
        }
        for unit in 0..units {
            starts[unit + 1] += starts[unit];
        }
        let place = |values: &Vec<f64>| order.iter().map(|&row| values[row as usize]).collect();
        let covariates = match &rows.covariates {
            Some(given) => Array2::from_shape_fn((n, given.ncols()), |(i, j)| given[(order[i] as usize, j)]),
            None => Array2::zeros((n, 0)),
        };
        let wrong: Vec<usize> = (0..n)
            .filter(|&i| covariates.row(i).iter().any(|x| !x.is_finite()))
            .map(|i| order[i] as usize)
            .collect();
        if !wrong.is_empty() {
            return Err(Fault::new("covariates are missing or infinite")
                .rows(wrong)
                .remedy("Leave out these rows")
                .input());
        }
        let mut subgroup = rows.subgroup.clone();
        if let Some(group) = &mut subgroup {
            group.check()?;
            group.member =
                group.member.as_ref().map(|member| order.iter().map(|&row| member[row as usize]).collect());
        }
        Ok(Self {
            drawn: rows.drawn.clone(),
            subgroup,
            starts,
            unit: order.iter().map(|&row| rows.unit[row as usize]).collect(),
            baseline: rows.baseline.as_ref().map(place),
            covariates,
            clusters: rows
                .clusters
                .as_ref()
                .map(|clusters| order.iter().map(|&row| clusters[row as usize]).collect()),
            order,
        })
    }

    /// Whether the columns are the same within every unit, and the units are what the analysis clusters by.
    pub fn by_unit(&self) -> bool {
        let same = |a: usize, b: usize| self.covariates.row(a) == self.covariates.row(b);
        let within = |unit: usize| {
            let (first, end) = (self.starts[unit] as usize, self.starts[unit + 1] as usize);
            (first + 1..end).all(|row| same(first, row))
        };
        self.clusters.as_ref().is_none_or(|clusters| is_partition(clusters, &self.unit))
            && (0..self.starts.len() - 1).all(within)
    }
}

impl Subgroup {
    fn check(&self) -> Result<()> {
        let finite = self.effects.iter().chain(self.inside.iter().flatten()).all(|effect| effect.is_finite());
        if finite && (self.member.is_some() || (self.share > 0.0 && self.share < 1.0)) {
            return Ok(());
        }
        Err(Fault::new("a subgroup has a share between 0 and 1, and an effect that is a finite number")
            .values([self.share.to_string()])
            .remedy("Give for instance share=0.3")
            .input())
    }

    /// How much of the effect those outside and inside have in an arm that has this dose of it.
    pub(super) fn of_arm(&self, arm: usize, dose: f64) -> [f64; 2] {
        let [others, inside] = self.effects;
        let own = self.inside.as_ref().and_then(|each| each.get(arm)).copied();
        [others * dose, own.unwrap_or(inside * dose)]
    }

    /// The share of rows in it, those that are drawn on average.
    pub(super) fn part(&self) -> f64 {
        match &self.member {
            None => self.share,
            Some(member) => member.iter().filter(|&&inside| inside).count() as f64 / member.len() as f64,
        }
    }

    /// Whether members of one unit may be in it and others not.
    pub(super) fn splits(&self, starts: &[u32]) -> bool {
        match &self.member {
            None => !self.cluster,
            Some(member) => starts.windows(2).any(|pair| {
                let unit = &member[pair[0] as usize..pair[1] as usize];
                unit.iter().any(|inside| *inside != unit[0])
            }),
        }
    }

    /// Draws who is in it, as 1 and 0.
    pub(super) fn draw(&self, starts: &[u32], stream: &mut crate::rng::Stream, inside: &mut Vec<f64>) {
        inside.clear();
        if let Some(member) = &self.member {
            inside.extend(member.iter().map(|&inside| f64::from(u8::from(inside))));
            return;
        }
        for pair in starts.windows(2) {
            let size = (pair[1] - pair[0]) as usize;
            let mut one = || f64::from(u8::from(stream.unit() < self.share));
            if self.cluster {
                let unit = one();
                inside.extend(std::iter::repeat_n(unit, size));
            } else {
                inside.extend((0..size).map(|_| one()));
            }
        }
    }
}

/// Whether two codings say the same of who belongs together.
fn is_partition(a: &[u32], b: &[u32]) -> bool {
    let mut pairs: Vec<(u32, u32)> = a.iter().copied().zip(b.iter().copied()).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let mut other: Vec<u32> = pairs.iter().map(|pair| pair.1).collect();
    let one = pairs.windows(2).all(|pair| pair[0].0 != pair[1].0);
    other.sort_unstable();
    one && other.windows(2).all(|pair| pair[0] != pair[1])
}
