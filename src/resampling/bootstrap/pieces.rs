//! What each cluster gives to a wild bootstrap: a few numbers, whatever its size.
//!
//! In whitened columns (see [`crate::inference`]) with the hypothesis `U b = r`, U orthonormal (q x k), and
//! `delta = U b - r`, the scores under the hypothesis are `t_g + L_g U' delta`; without it they are `t_g`. A draw v gives
//! the bootstrapped coefficients `b* - b = m = sum of v_g x_g`, x_g these scores, the numerators `U m`, and the scores
//! of its own residuals `v_g x_g - L_g m`. Their covariance along U is a sum over clusters of the products of
//!
//! `p_g = U (v_g x_g - L_g m)` (CR1), or `p_g = U J_g (v_g x_g - L_g m)` (the jackknife), `J_g = (I - L_g)^{-1}`,
//!
//! so of each cluster it takes `c_g = U x_g` or `U J_g x_g`, and `a_g = L_g U'` or `L_g J_g U'`, for `p_g = v_g c_g -
//! a_g' m`. Scores transformed by the jackknife, those of residuals from the other clusters' fit, are
//! `x_g + L_g J_g x_g`, J_g under the hypothesis that of the columns that it leaves free.
//!
//! J. G. MacKinnon, M. O. Nielsen and M. D. Webb (2023), doi:10.1002/jae.2969.

use super::left_out::LeftOut;
use crate::Result;
use crate::inference::{Fitted, Moments};
use crate::progress::{Monitor, Pace};
use crate::resampling::projection::dot;

/// Clusters whose moments are made ready at once.
const READY: usize = 64;
/// The share of a direction that a cluster alone informs, above which nothing is left of it without the cluster.
const ALONE: f64 = 1e-6;

/// Scores and information of clusters in whitened columns.
pub(super) trait Source {
    fn k(&self) -> usize;

    fn count(&self) -> usize;

    /// Makes the moments of clusters ready.
    fn gather(&self, _clusters: std::ops::Range<usize>, _into: &mut Moments) {}

    fn moments(&self, g: usize, into: &mut Moments);
}

impl Source for &dyn Fitted {
    fn k(&self) -> usize {
        self.bread().k()
    }

    fn count(&self) -> usize {
        self.clusters().unwrap_or(0)
    }

    fn gather(&self, clusters: std::ops::Range<usize>, into: &mut Moments) {
        (**self).gather(clusters, into);
    }

    fn moments(&self, g: usize, into: &mut Moments) {
        (**self).moments(g, into);
    }
}

/// Which scores are bootstrapped.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scores<'a> {
    /// Those of the source.
    Own,
    /// Those under the hypothesis, delta away.
    At(&'a [f64]),
    /// Both parts of those under a hypothesis of one contrast: they are the first and delta times the second.
    Line,
}

/// How they are transformed, and what the variance is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digits {
    /// Whether scores are transformed by the jackknife.
    pub scores: bool,
    /// Whether the variance is the jackknife's.
    pub variance: bool,
    /// Whether the hypothesis is imposed.
    pub null: bool,
}

/// The numbers of all clusters, G of them, by part of the scores (one or two) and by contrast (q).
pub(super) struct Pieces {
    pub k: usize,
    pub count: usize,
    /// `x_g` by part, G x k.
    pub scores: Vec<Vec<f64>>,
    /// `U x_g` by part and contrast, G.
    pub moves: Vec<Vec<Vec<f64>>>,
    /// `c_g` by part and contrast, G.
    pub own: Vec<Vec<Vec<f64>>>,
    /// `a_g` by contrast, G x k.
    pub others: Vec<Vec<f64>>,
    /// U.
    pub basis: Vec<Vec<f64>>,
    /// `c_g` of the scores themselves by contrast, G: what the observed variance is made of.
    pub observed: Vec<Vec<f64>>,
    /// Clusters that determine a coefficient by themselves, where they were looked at.
    pub alone: usize,
    /// A cluster without which a contrast cannot be estimated.
    pub needed: Option<usize>,
}

impl Pieces {
    /// Asks every cluster.
    pub fn new(
        source: &dyn Source,
        basis: &[Vec<f64>],
        scores: Scores<'_>,
        digits: Digits,
        monitor: &dyn Monitor,
    ) -> Result<Self> {
        let (k, count, q) = (source.k(), source.count(), basis.len());
        let parts = if matches!(scores, Scores::Line) { 2 } else { 1 };
        let mut all = Self {
            k,
            count,
            scores: vec![Vec::with_capacity(count * k); parts],
            moves: vec![vec![Vec::with_capacity(count); q]; parts],
            own: vec![vec![Vec::with_capacity(count); q]; parts],
            others: vec![Vec::with_capacity(count * k); q],
            basis: basis.to_vec(),
            observed: vec![Vec::with_capacity(count); q],
            alone: 0,
            needed: None,
        };
        let mut pace = Pace::new(monitor);
        let mut moments = Moments::new(k);
        for first in (0..count).step_by(READY) {
            let range = first..count.min(first + READY);
            source.gather(range.clone(), &mut moments);
            for g in range {
                pace.by(k * k * (1 + moments.factor_rows().unwrap_or(k)))?;
                source.moments(g, &mut moments);
                all.add(g, &moments, scores, digits);
            }
        }
        Ok(all)
    }

    fn add(&mut self, g: usize, moments: &Moments, scores: Scores<'_>, digits: Digits) {
        let k = self.k;
        let carried: Vec<Vec<f64>> = self
            .basis
            .iter()
            .map(|u| {
                let mut carried = vec![0.0; k];
                moments.times(u, &mut carried);
                carried
            })
            .collect();
        let left = digits.variance.then(|| LeftOut::new(moments, &[]));
        // J U', which is U' where the variance is CR1.
        let inner: Vec<Vec<f64>> = match &left {
            Some(left) => self.basis.iter().map(|u| left.times(u)).collect(),
            None => self.basis.clone(),
        };
        if let Some(left) = &left {
            let alone = left.alone();
            self.alone += usize::from(!alone.is_empty());
            let share = |u: &Vec<f64>| alone.iter().map(|v| dot(u, v).powi(2)).sum::<f64>();
            if self.needed.is_none() && self.basis.iter().any(|u| share(u) > ALONE) {
                self.needed = Some(g);
            }
        }
        for (s, inner) in inner.iter().enumerate() {
            self.observed[s].push(dot(inner, moments.score()));
            let mut others = vec![0.0; k];
            moments.times(inner, &mut others);
            self.others[s].extend(others);
        }
        let mut parts = vec![moments.score().to_vec()];
        match scores {
            Scores::Own => {}
            Scores::At(delta) => {
                for (delta, carried) in delta.iter().zip(&carried) {
                    parts[0].iter_mut().zip(carried).for_each(|(x, c)| *x += delta * c);
                }
            }
            Scores::Line => parts.push(carried[0].clone()),
        }
        if digits.scores {
            let free: &[Vec<f64>] = if digits.null { &self.basis } else { &[] };
            let left = LeftOut::new(moments, free);
            if !digits.variance {
                self.alone += usize::from(!left.alone().is_empty());
            }
            for x in &mut parts {
                let mut without = x.clone();
                crate::resampling::projection::take_off(&mut without, free);
                let change = left.times(&without);
                let mut carried = vec![0.0; k];
                moments.times(&change, &mut carried);
                x.iter_mut().zip(&carried).for_each(|(x, c)| *x += c);
            }
        }
        for (p, x) in parts.iter().enumerate() {
            for (s, inner) in inner.iter().enumerate() {
                self.moves[p][s].push(dot(&self.basis[s], x));
                self.own[p][s].push(dot(inner, x));
            }
            self.scores[p].extend(x);
        }
    }

    /// `m` of one part under the weights of the clusters.
    fn total(&self, part: usize, weight: &[f64], into: &mut [f64]) {
        into.fill(0.0);
        for (x, v) in self.scores[part].chunks_exact(self.k).zip(weight) {
            into.iter_mut().zip(x).for_each(|(m, x)| *m += v * x);
        }
    }

    /// `U m` and `p_g` of one part and contrast under the weights of the clusters.
    pub fn residuals(&self, part: usize, s: usize, weight: &[f64], p: &mut Vec<f64>) -> f64 {
        let mut m = vec![0.0; self.k];
        self.total(part, weight, &mut m);
        p.clear();
        let others = self.others[s].chunks_exact(self.k);
        p.extend(others.zip(&self.own[part][s]).zip(weight).map(|((a, c), v)| v * c - dot(a, &m)));
        dot(weight, &self.moves[part][s])
    }
}
