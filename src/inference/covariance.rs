//! A covariance of coefficients: it carries the fit and the clusters that it was made from, and answers every question
//! about them.

use std::sync::{Arc, OnceLock};

use ndarray::{Array2, ArrayView1, ArrayView2};
use serde::Serialize;

use super::Clusters;
use super::adjusted::Law;
use super::contrasts::{Contrasts, check_contrasts};
use super::fitted::Fitted;
use super::level::check_level;
use super::vcov::{DfRule, Middle, Vcov, fixed_degrees, laws};
use super::wald::{Wald, wald};
use crate::{Fault, Result};

/// A variance below this share of the terms that it is the sum of is 0.
const NOTHING: f64 = 1e-13;

/// A covariance matrix of the coefficients of a fit.
///
/// It is had from a fit, and holds on to it: contrasts, joint tests and margins are asked of the covariance, so none can
/// pair it with another fit or with other clusters.
///
/// ```
/// use crewe::inference::{Clusters, Vcov};
/// use crewe::regression::Ols;
/// use ndarray::array;
/// let y = array![1.0, 2.0, 2.0, 4.0, 5.0, 4.0];
/// let x = array![[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]];
/// let families = Clusters::new(&[0, 0, 1, 2, 2, 3])?;
/// let fit = Ols::new(y.view(), x.view()).fit()?;
/// let robust = fit.vcov(Vcov::Cr2, Some(&families))?;
/// let table = robust.coefficients(0.95)?;
/// assert!((table.estimate[1] - 8.0 / 3.0).abs() < 1e-12 && table.df[1] < 4.0);
/// let difference = robust.contrasts(array![[0.0, 1.0]].view(), 0.95)?;
/// assert_eq!(difference.p_value[0], table.p_value[1]);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Clone)]
pub struct Covariance<'f> {
    fit: Arc<dyn Fitted + 'f>,
    inner: Arc<Sandwich>,
}

/// The numbers of a [`Covariance`] without its fit, for programs that keep the data elsewhere; a fit takes only its own
/// back.
#[derive(Debug, Clone, Serialize)]
pub struct Sandwich {
    kind: Vcov,
    rule: DfRule,
    /// k x k, in whitened columns; without the scores that are apart.
    #[serde(skip)]
    middle: Array2<f64>,
    #[serde(skip)]
    apart: Vec<Vec<f64>>,
    matrix: Array2<f64>,
    /// `1 - h` of every row, under HC2.
    #[serde(skip)]
    rests: Option<Vec<f64>>,
    /// What the coefficients of interest are referred to.
    known: Vec<(usize, Law)>,
    #[serde(skip)]
    laws: OnceLock<Laws>,
    count: Option<usize>,
    notes: Vec<String>,
    #[serde(skip)]
    pub(crate) clusters: Option<Clusters>,
    /// Which fit it is of.
    #[serde(skip)]
    pub(crate) fit: u64,
}

/// What every coefficient is referred to: degrees of freedom, and what its standard error is divided by.
#[derive(Debug, Clone)]
struct Laws {
    df: Vec<f64>,
    scale: Vec<f64>,
}

impl Sandwich {
    /// Which definition.
    pub fn kind(&self) -> Vcov {
        self.kind
    }

    /// The matrix, k x k.
    pub fn matrix(&self) -> &Array2<f64> {
        &self.matrix
    }

    /// The number of clusters, where they matter.
    pub fn clusters(&self) -> Option<usize> {
        self.count
    }

    /// What a reader of the result must know.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    pub(super) fn new(fit: &dyn Fitted, kind: Vcov, rule: DfRule, middle: Middle) -> Self {
        let Middle { matrix: middle, apart, laws, rests, .. } = middle;
        let mut matrix = fit.bread().around(middle.view());
        let root = fit.bread().coefficients();
        for score in &apart {
            let score = root.dot(&ArrayView1::from(score.as_slice()));
            matrix.indexed_iter_mut().for_each(|((a, b), value)| *value += score[a] * score[b]);
        }
        let known = match (laws, fixed_degrees(fit, kind, rule)) {
            (_, Some(df)) => (0..fit.bread().k()).map(|j| (j, Law::of(df))).collect(),
            (Some(laws), None) => fit.of_interest().into_iter().zip(laws).collect(),
            (None, None) => Vec::new(),
        };
        Self {
            kind,
            rule,
            middle,
            apart,
            matrix,
            rests,
            known,
            laws: OnceLock::new(),
            count: if kind.is_clustered() { fit.clusters() } else { None },
            notes: Vec::new(),
            clusters: None,
            fit: 0,
        }
    }
}

impl std::fmt::Debug for Covariance<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Covariance").field("terms", &self.fit.terms()).field("inner", &self.inner).finish()
    }
}

impl<'f> Covariance<'f> {
    pub(super) fn of(fit: Arc<dyn Fitted + 'f>, mut sandwich: Sandwich) -> Self {
        if sandwich.known.is_empty() {
            // HC2: the degrees of freedom of the coefficients of interest.
            let root = fit.bread().coefficients();
            let asked = fit.of_interest();
            let directions: Vec<Vec<f64>> = asked.iter().map(|&j| root.row(j).to_vec()).collect();
            let rests = sandwich.rests.as_deref();
            // Without clusters nothing in the degrees of freedom can fail.
            if let Ok(found) = laws(&*fit, sandwich.kind, sandwich.rule, rests, &directions) {
                sandwich.known = asked.into_iter().zip(found).collect();
            }
        }
        let covariance = Self { fit, inner: Arc::new(sandwich) };
        let zero = covariance.without_variance();
        let none = !covariance.is_estimable();
        covariance.changed(|inner| {
            for (j, law) in &mut inner.known {
                if none || zero.contains(j) {
                    law.df = f64::NAN;
                }
            }
        })
    }

    /// Puts numbers back beside the fit that they came from.
    pub(crate) fn resume(fit: Arc<dyn Fitted + 'f>, inner: Arc<Sandwich>) -> Self {
        Self { fit, inner }
    }

    /// With the inner numbers changed, before they are shared.
    fn changed(mut self, change: impl FnOnce(&mut Sandwich)) -> Self {
        change(Arc::make_mut(&mut self.inner));
        self
    }

    pub(super) fn add_notes(&mut self, notes: Vec<String>) {
        Arc::make_mut(&mut self.inner).notes.extend(notes);
    }

    pub(crate) fn belongs_to(mut self, fit: u64, clusters: Option<Clusters>) -> Self {
        let inner = Arc::make_mut(&mut self.inner);
        inner.fit = fit;
        inner.clusters = clusters;
        self
    }

    /// The degrees of freedom that all contrasts share; the normal's where each has its own.
    pub(crate) fn shared_df(&self) -> f64 {
        fixed_degrees(&*self.fit, self.inner.kind, self.inner.rule).unwrap_or(f64::INFINITY)
    }

    /// Which fit it is of.
    pub(crate) fn owner(&self) -> u64 {
        self.inner.fit
    }

    /// The clusters that it was made with.
    pub(crate) fn membership(&self) -> Option<&Clusters> {
        self.inner.clusters.as_ref()
    }

    /// The coefficients whose degrees of freedom are known already, with these.
    pub(super) fn known_df(&self) -> impl Iterator<Item = (usize, f64)> {
        self.inner.known.iter().map(|&(j, law)| (j, law.df)).filter(|(_, df)| !df.is_nan())
    }

    /// The fit.
    pub fn fit(&self) -> &(dyn Fitted + 'f) {
        &*self.fit
    }

    /// The numbers without the fit.
    pub fn detach(&self) -> Arc<Sandwich> {
        Arc::clone(&self.inner)
    }

    /// Which definition.
    pub fn kind(&self) -> Vcov {
        self.inner.kind()
    }

    /// Where the degrees of freedom come from.
    pub fn rule(&self) -> DfRule {
        self.inner.rule
    }

    /// The matrix, k x k.
    pub fn matrix(&self) -> &Array2<f64> {
        self.inner.matrix()
    }

    /// The number of clusters, where they matter.
    pub fn clusters(&self) -> Option<usize> {
        self.inner.clusters()
    }

    /// What a reader of the result must know.
    pub fn notes(&self) -> &[String] {
        self.inner.notes()
    }

    /// Degrees of freedom of each coefficient, length k: infinite for a normal reference, not a number where there is no
    /// variance. Those of the levels of a large factor are worked out when they are first asked for.
    ///
    /// # Errors
    /// As [`super::covariance()`].
    pub fn df(&self) -> Result<&[f64]> {
        Ok(&self.laws()?.df)
    }

    fn laws(&self) -> Result<&Laws> {
        if let Some(laws) = self.inner.laws.get() {
            return Ok(laws);
        }
        let k = self.fit.bread().k();
        let mut all = Laws { df: vec![f64::NAN; k], scale: vec![1.0; k] };
        let mut seen = vec![false; k];
        for &(j, law) in &self.inner.known {
            (all.df[j], all.scale[j]) = (law.df, law.scale);
            seen[j] = true;
        }
        let zero = self.without_variance();
        let rest: Vec<usize> = (0..k).filter(|&j| !seen[j] && !zero.contains(&j)).collect();
        if !rest.is_empty() {
            let root = self.fit.bread().coefficients();
            let directions: Vec<Vec<f64>> = rest.iter().map(|&j| root.row(j).to_vec()).collect();
            for (&j, law) in rest.iter().zip(self.laws_of(&directions)?) {
                (all.df[j], all.scale[j]) = (law.df, law.scale);
            }
        }
        Ok(self.inner.laws.get_or_init(|| all))
    }

    /// The laws of directions in whitened form.
    fn laws_of(&self, directions: &[Vec<f64>]) -> Result<Vec<Law>> {
        laws(&*self.fit, self.inner.kind, self.inner.rule, self.inner.rests.as_deref(), directions)
    }

    /// The law of one direction.
    pub(super) fn law_of(&self, direction: &[f64]) -> Result<Law> {
        Ok(self.laws_of(&[direction.to_vec()])?[0])
    }

    pub(super) fn rests(&self) -> Option<&[f64]> {
        self.inner.rests.as_deref()
    }

    pub(super) fn middle(&self) -> ArrayView2<'_, f64> {
        self.inner.middle.view()
    }

    /// The scores that are not in the middle, each of length k.
    pub(super) fn apart(&self) -> &[Vec<f64>] {
        &self.inner.apart
    }

    /// The variance of a direction in whitened form; 0 where it is nothing beside the terms that it is the sum of.
    pub(super) fn variance(&self, u: &[f64]) -> f64 {
        let (mut sum, mut size) = (0.0, 0.0);
        for (row, a) in self.inner.middle.outer_iter().zip(u) {
            for (m, b) in row.iter().zip(u) {
                let term = a * m * b;
                sum += term;
                size += term.abs();
            }
        }
        for score in &self.inner.apart {
            let (part, terms) = score
                .iter()
                .zip(u)
                .fold((0.0_f64, 0.0_f64), |(part, terms), (s, u)| (part + s * u, terms + (s * u).abs()));
            // What rounding leaves of a large score across a direction is none of its variance.
            let square = if part.abs() <= NOTHING * terms { 0.0 } else { part * part };
            sum += square;
            size += square;
        }
        if sum <= NOTHING * size { 0.0 } else { sum }
    }

    /// Whether there is a covariance at all; where there is not, a note says why.
    fn is_estimable(&self) -> bool {
        self.inner.middle.iter().all(|m| m.is_finite())
    }

    /// The coefficients without variance.
    fn without_variance(&self) -> Vec<usize> {
        let root = self.fit.bread().coefficients();
        (0..self.fit.bread().k()).filter(|&j| self.variance(&root.row(j).to_vec()) == 0.0).collect()
    }

    /// Says which coefficients cannot be tested.
    pub(super) fn undefined_note(&self) -> Option<String> {
        if !self.is_estimable() {
            // Whoever found that has said why.
            return None;
        }
        let zero = self.without_variance();
        let k = self.fit.bread().k();
        if zero.is_empty() {
            let lost: Vec<&str> = self
                .inner
                .known
                .iter()
                .filter(|(_, law)| law.df.is_nan())
                .map(|&(j, _)| self.fit.terms()[j].as_str())
                .collect();
            return (!lost.is_empty()).then(|| {
                format!("not estimable: the degrees of freedom of {} are below 1", lost.join(", "))
            });
        }
        if zero.len() == k
            && self.inner.middle.iter().chain(self.inner.apart.iter().flatten()).all(|&m| m == 0.0)
        {
            return Some(
                "not estimable: the model fits every outcome exactly, so there is no variation to judge it by".into(),
            );
        }
        let names: Vec<&str> = zero.iter().map(|&j| self.fit.terms()[j].as_str()).collect();
        let own =
            if self.inner.kind.is_clustered() { "their own cluster fits" } else { "their own rows fit" };
        Some(format!("no uncertainty can be estimated for {}: {own} them exactly", names.join(", ")))
    }

    /// The table of the coefficients, with intervals at `level`.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for a level that is not between 0 and 1.
    pub fn coefficients(&self, level: f64) -> Result<Contrasts> {
        check_level(level)?;
        let root = self.fit.bread().coefficients();
        let laws = self.laws()?;
        let error = |(u, scale): (ArrayView1<'_, f64>, &f64)| self.variance(&u.to_vec()).sqrt() / scale;
        let errors = root.outer_iter().zip(&laws.scale).map(error).collect();
        Contrasts::from_parts(self.fit.coef().to_vec(), errors, laws.df.clone(), level)
    }

    /// Coefficient `j` as [`Covariance::coefficients`] has it, with its standard error and degrees of freedom.
    pub(crate) fn coefficient(&self, j: usize) -> Result<(f64, f64, f64)> {
        let bread = self.fit.bread();
        let unit: Vec<f64> = (0..bread.k()).map(|i| f64::from(u8::from(i == j))).collect();
        let u = bread.direction(&bread.centre_contrast(&unit));
        let known = self.inner.known.iter().find(|(known, _)| *known == j);
        let law = match known {
            Some((_, law)) => *law,
            None => self.law_of(&u)?,
        };
        Ok((self.fit.coef()[j], self.variance(&u).sqrt() / law.scale, law.df))
    }

    /// Every row of `matrix` (m x k) as a contrast of the coefficients, with intervals at `level`.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for no row, another number of columns than there are coefficients, weights that are not
    /// finite, or a level that is not between 0 and 1.
    pub fn contrasts(&self, matrix: ArrayView2<'_, f64>, level: f64) -> Result<Contrasts> {
        check_level(level)?;
        check_contrasts(self.fit.terms(), matrix)?;
        let bread = self.fit.bread();
        let centred: Vec<Vec<f64>> =
            matrix.outer_iter().map(|row| bread.centre_contrast(&row.to_vec())).collect();
        self.of_centred(&centred, level)
    }

    /// Contrasts of the centred model.
    pub(super) fn of_centred(&self, centred: &[Vec<f64>], level: f64) -> Result<Contrasts> {
        let bread = self.fit.bread();
        let estimate: Vec<f64> = centred.iter().map(|d| bread.estimate(d)).collect();
        let (errors, df) = self.spread(centred)?;
        Contrasts::from_parts(estimate, errors, df, level)
    }

    /// Standard errors and degrees of freedom of contrasts of the centred model.
    pub(super) fn spread(&self, centred: &[Vec<f64>]) -> Result<(Vec<f64>, Vec<f64>)> {
        let directions: Vec<Vec<f64>> = centred.iter().map(|d| self.fit.bread().direction(d)).collect();
        let laws = self.laws_of(&directions)?;
        let error = |(u, law): (&Vec<f64>, &Law)| self.variance(u).sqrt() / law.scale;
        let errors: Vec<f64> = directions.iter().zip(&laws).map(error).collect();
        let df = |(law, &se): (&Law, &f64)| if se == 0.0 || se.is_nan() { f64::NAN } else { law.df };
        let df = laws.iter().zip(&errors).map(df).collect();
        Ok((errors, df))
    }

    /// The joint test that every row of `matrix` (q x k) gives zero.
    ///
    /// # Errors
    /// As [`Covariance::contrasts`]; [`crate::Error::Rank`] where the contrasts repeat each other or their covariance has
    /// a lower rank; [`crate::Error::Input`] for an HTZ test with too few degrees of freedom.
    pub fn wald(&self, matrix: ArrayView2<'_, f64>) -> Result<Wald> {
        check_contrasts(self.fit.terms(), matrix)?;
        if !self.is_estimable() {
            return Err(Fault::new(format!("a joint test is not estimable under {}", self.kind()))
                .remedy("Its note says why: choose another covariance")
                .input());
        }
        wald(self, matrix)
    }
}
