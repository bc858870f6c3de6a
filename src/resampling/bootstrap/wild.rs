//! The wild cluster bootstrap of a fitted model (A. C. Cameron, J. B. Gelbach and D. L. Miller 2008,
//! doi:10.1162/rest.90.3.414; J. G. MacKinnon, M. O. Nielsen and M. D. Webb 2023, doi:10.1002/jae.2969; D. Roodman and
//! others 2019, doi:10.1177/1536867X19830877).
//!
//! What is drawn, and from what, is in `pieces.rs`. With t of the fit and t* of the draws, both by CR1 or both by the
//! jackknife, symmetric p is the share of draws with `|t*| >= |t|`, and equal-tailed p twice the smaller tail. Of all
//! signs, the trial's own among them, it is that share, but never below 1 over their number (with transformed scores, or
//! where the hypothesis is not imposed, the trial itself need not be among them); of n draws it is `(1 + x) / (1 + n)`.
//! Values within 1e-9 of each other are equal, and a draw without a variance counts as extreme. The interval holds the
//! hypotheses that the test does not reject.
//!
//! Logit and probit take the score bootstrap (P. Kline and A. Santos 2012, doi:10.1515/2156-6674.1006, with the null
//! imposed in the linearised form of MacKinnon, Nielsen and Webb 2025): scores and information at the maximum under the
//! hypothesis stand where those of least squares do, and the model is fitted once for each hypothesis, never for a draw.

use nalgebra::{DMatrix, DVector};
use ndarray::ArrayView2;

use super::drawn::{Line, forms, lines};
use super::null_model::NullModel;
use super::options::{Extreme, WildBootstrap, WildOptions, WildType};
use super::pieces::{Digits, Pieces, Scores};
use super::weights::{Draws, signs};
use crate::inference::{Fitted, check_clusters, check_contrasts, check_level, orthonormal, quadratic};
use crate::nonparametric::Interval;
use crate::progress::{Watcher, watcher};
use crate::resampling::inversion::{FAR, Search};
use crate::resampling::projection::dot;
use crate::rng::Seed;
use crate::{Error, Fault, Result};

/// Values of a statistic no further apart than this share of it are equal.
const SAME: f64 = 1e-9;
/// Scores that are this share of the coefficients or less are rounding.
const ROUNDING: f64 = 1e-14;
/// The most draws.
const MOST: u64 = 1 << 31;

/// Tests that contrasts of the coefficients (rows of `contrasts`, q x k) have these values (length q), by the wild
/// cluster bootstrap; one contrast has an interval too.
///
/// The fit knows its clusters: it is that of a clustered covariance, `fit.vcov(Vcov::Cr1, Some(&clusters))?.fit()`. Long
/// work is stopped by [`crate::progress::watched`].
///
/// # Errors
/// [`Error::Input`] for a fit without clusters or with one, a Cox model, fewer draws than could reject at the level, a
/// model that fits every outcome exactly, and a type that leaves out a cluster without which a contrast cannot be
/// estimated; [`Error::Rank`] for contrasts that repeat each other; [`Error::Convergence`] where a logit or probit has
/// no maximum under the hypothesis.
///
/// ```
/// use crewe::inference::{Clusters, Vcov};
/// use crewe::regression::Logit;
/// use crewe::resampling::{WildOptions, wild_bootstrap};
/// use ndarray::array;
/// let y = array![1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0];
/// let x = array![[0.0], [0.0], [0.0], [1.0], [1.0], [1.0], [1.0], [0.0]];
/// let families = Clusters::new(&[0, 0, 1, 2, 2, 3, 4, 5])?;
/// let fit = Logit::new(y.view(), x.view()).fit()?;
/// let robust = fit.vcov(Vcov::Cr1, Some(&families))?;
/// let options = WildOptions::default().interval(false);
/// let test = wild_bootstrap(robust.fit(), array![[0.0, 1.0]].view(), &[0.0], &options)?;
/// assert!(test.exact && test.p_value >= 1.0 / 64.0 && test.p_value <= 1.0);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn wild_bootstrap(
    fit: &dyn Fitted,
    contrasts: ArrayView2<'_, f64>,
    values: &[f64],
    options: &WildOptions,
) -> Result<WildBootstrap> {
    let clusters = check(fit, contrasts, values, options)?;
    let mut kind = options.kind.unwrap_or(WildType::of(clusters));
    let seed = match &options.seed {
        Some(seed) => seed.clone(),
        None => Seed::from_system()?,
    };
    let draws = usize::try_from(options.draws).unwrap_or(usize::MAX);
    let draws = Draws::new(options.weights, clusters, draws, &seed);
    let mut notes = Vec::new();
    let mut made = World::new(fit, contrasts, values, kind, options)?;
    if let (Err(needed), None) = (&made, options.kind) {
        kind = WildType::C11;
        notes.push(format!("the type is 11, since {}", needed.problem()));
        made = World::new(fit, contrasts, values, kind, options)?;
    }
    let world = made.map_err(|needed| needed.refused())?;
    notes.extend(world.notes(kind, options, &draws));
    let (statistic, distribution, p_value);
    let (mut estimate, mut std_error, mut interval) = (f64::NAN, f64::NAN, None);
    if world.basis.len() == 1 {
        (estimate, std_error) = (world.estimate, world.length * world.se);
        statistic = world.delta[0] / world.se;
        let mut drawn = Drawn { world: &world, draws: &draws, kept: None };
        let found = drawn.at(values[0])?;
        p_value = found.p_value(options.extreme);
        distribution = found.t;
        if options.interval {
            interval = match drawn.interval(options) {
                Err(Error::Convergence(fault)) => {
                    notes.push(format!("there is no interval: {}", fault.problem));
                    None
                }
                other => other?,
            };
            if interval.is_some_and(|found| found.low.is_infinite() && found.high.is_infinite()) {
                notes.push("too few draws differ for any value to be rejected at this level".into());
            }
        }
    } else {
        (statistic, distribution) = (world.form()?, world.forms(&draws)?);
        p_value = Shares::of(&distribution, statistic, draws.is_exact()).upper;
    }
    let without = distribution.iter().filter(|t| !t.is_finite()).count();
    if without > 0 {
        notes.push(format!("{without} draws have no variance and count as extreme"));
    }
    let seed = match seed {
        Seed::Integer(seed) if !draws.is_exact() => Some(seed),
        _ => None,
    };
    if let (Some(seed), None) = (seed, &options.seed) {
        notes.push(format!("the draws have the seed {seed}; pass it to repeat them"));
    }
    Ok(WildBootstrap {
        kind,
        estimate,
        std_error,
        statistic,
        contrasts: world.basis.len(),
        p_value,
        interval,
        distribution,
        draws: draws.n,
        exact: draws.is_exact(),
        clusters,
        seed,
        notes,
    })
}

/// The number of clusters, where everything that is asked can be answered.
fn check(
    fit: &dyn Fitted,
    contrasts: ArrayView2<'_, f64>,
    values: &[f64],
    options: &WildOptions,
) -> Result<usize> {
    if fit.link().is_none() {
        return Err(Fault::new(
            "the wild bootstrap is not defined for a Cox model: its likelihood is no sum over clusters",
        )
        .remedy("Use the randomisation test of the model, which needs no variance between clusters")
        .input());
    }
    if fit.is_penalised() {
        return Err(Fault::new(
            "the score bootstrap is not defined under Firth's penalty, which is no sum over clusters",
        )
        .remedy("Use the randomisation test, or bootstrap the fit without the penalty where it is finite")
        .input());
    }
    let Some(clusters) = fit.clusters() else {
        return Err(Fault::new("the wild cluster bootstrap needs to know the clusters")
            .remedy("Fit the model with the unit that was randomised as the cluster")
            .input());
    };
    check_clusters(clusters)?;
    check_level(options.level)?;
    check_contrasts(fit.terms(), contrasts)?;
    if values.len() != contrasts.nrows() || values.iter().any(|value| !value.is_finite()) {
        return Err(Fault::new("every contrast needs a number that the hypothesis says it is")
            .values([format!("{} contrasts, {} values", contrasts.nrows(), values.len())])
            .remedy("Give one finite value for each contrast")
            .input());
    }
    let least = (1.0 / (1.0 - options.level) * (1.0 - 1e-12)).ceil();
    let listed = signs(options.weights, clusters, usize::try_from(options.draws).unwrap_or(usize::MAX));
    if options.draws > MOST || (listed.is_none() && (options.draws as f64) < least) {
        return Err(Fault::new(format!(
            "{} draws are too {} for a test at {:.3}%",
            options.draws,
            if options.draws > MOST { "many" } else { "few" },
            100.0 * (1.0 - options.level),
        ))
        .values([format!("draws = {}", options.draws)])
        .remedy(format!(
            "Draw at least {least} times; 9,999 draws give p to about a quarter of a point at 5%"
        ))
        .input());
    }
    Ok(clusters)
}

/// The model and its hypothesis, made ready to be drawn from.
struct World<'f> {
    fit: &'f dyn Fitted,
    watcher: Watcher,
    /// The directions of the contrasts, orthonormal.
    basis: Vec<Vec<f64>>,
    /// How far the estimates are from the hypothesis along them.
    delta: Vec<f64>,
    /// The first contrast, and the length of its direction.
    estimate: f64,
    length: f64,
    /// The standard error along the first direction.
    se: f64,
    /// The factor of the variance.
    factor: f64,
    digits: Digits,
    /// Everything that is the same whatever the hypothesis.
    pieces: Pieces,
    /// Whether the model is fitted again under every hypothesis.
    refitted: bool,
}

/// The cluster without which a contrast cannot be estimated, so that there is no jackknife.
struct Needed(usize);

impl Needed {
    fn problem(&self) -> String {
        let g = self.0;
        format!(
            "the jackknife is not defined: without cluster {g} (counted from 0) a contrast cannot be estimated"
        )
    }

    fn refused(&self) -> Error {
        Fault::new(self.problem()).remedy("Use the type 11, or a randomisation test").input()
    }
}

impl<'f> World<'f> {
    /// Where the type takes a jackknife that is not defined, the cluster that stands in its way.
    fn new(
        fit: &'f dyn Fitted,
        contrasts: ArrayView2<'_, f64>,
        values: &[f64],
        kind: WildType,
        options: &WildOptions,
    ) -> Result<std::result::Result<Self, Needed>> {
        let bread = fit.bread();
        let centred: Vec<Vec<f64>> =
            contrasts.outer_iter().map(|row| bread.centre_contrast(&row.to_vec())).collect();
        let directions: Vec<Vec<f64>> = centred.iter().map(|d| bread.direction(d)).collect();
        let basis = orthonormal(directions.clone())?;
        // The directions are a lower triangle times the basis, and so are the distances.
        let mut delta: Vec<f64> = Vec::with_capacity(values.len());
        for (s, (d, direction)) in centred.iter().zip(&directions).enumerate() {
            let away = bread.estimate(d) - values[s];
            let before: f64 = basis[..s].iter().zip(&delta).map(|(u, delta)| dot(direction, u) * delta).sum();
            delta.push((away - before) / dot(direction, &basis[s]));
        }
        let linear = fit.link().is_some_and(|link| link.name() == "identity");
        let refitted = options.null && !linear;
        let digits = Digits {
            scores: kind.transforms() && !refitted,
            variance: kind.jackknifes(),
            null: options.null,
        };
        let scores = if !options.null || refitted {
            Scores::Own
        } else if values.len() == 1 && options.interval {
            Scores::Line
        } else {
            Scores::At(&delta)
        };
        let watcher = watcher();
        let pieces = Pieces::new(&fit, &basis, scores, digits, &watcher)?;
        if let Some(g) = pieces.needed {
            return Ok(Err(Needed(g)));
        }
        let count = pieces.count as f64;
        let factor = if digits.variance { (count - 1.0) / count } else { count / (count - 1.0) };
        let squares = pieces.observed.iter().map(|c| dot(c, c));
        let size = dot(bread.whitened_coef(), bread.whitened_coef());
        if squares.clone().any(|sum| sum.is_nan() || sum <= ROUNDING * ROUNDING * size) {
            return Err(Fault::new(
                "nothing varies between clusters: the model fits every outcome exactly, or all are equal",
            )
            .remedy("Check the outcome and the filter that came before; there is no uncertainty to bootstrap")
            .input());
        }
        let se = (factor * squares.clone().next().unwrap_or(f64::NAN)).sqrt();
        let (estimate, length) = (bread.estimate(&centred[0]), dot(&directions[0], &directions[0]).sqrt());
        let digits = Digits { scores: kind.transforms(), ..digits };
        Ok(Ok(Self { fit, watcher, basis, delta, estimate, length, se, factor, digits, pieces, refitted }))
    }

    fn notes(&self, kind: WildType, options: &WildOptions, draws: &Draws) -> Vec<String> {
        let mut notes = Vec::new();
        if options.kind.is_none() && kind == WildType::B33 {
            notes.push(format!(
                "the type is 33, since there are {} clusters: with no more than 20 it holds its size better than 11",
                self.pieces.count
            ));
        }
        if self.pieces.alone > 0 {
            notes.push(format!(
                "{} of {} clusters determine a coefficient by themselves; the jackknife leaves each out with its own \
                 term",
                self.pieces.alone, self.pieces.count
            ));
        }
        if draws.is_exact() && 2.0 / draws.n as f64 > 1.0 - options.level {
            notes.push(format!(
                "with {} clusters there are {} signs, and p is at least {}: Webb's weights have more",
                draws.clusters,
                draws.n,
                2.0 / draws.n as f64
            ));
        }
        notes
    }

    /// The clusters under the hypothesis that is `delta` away, where the model is fitted again.
    fn under(&self, delta: &[f64]) -> Result<Pieces> {
        let null = NullModel::new(self.fit, &self.basis, delta)?;
        Pieces::new(&null, &null.basis, Scores::Own, self.digits, &self.watcher)
    }

    /// The F statistic of the fit.
    fn form(&self) -> Result<f64> {
        let (q, c) = (self.basis.len(), &self.pieces.observed);
        let spread = DMatrix::from_fn(q, q, |s, t| self.factor * dot(&c[s], &c[t]));
        let form = quadratic(&spread, &DVector::from_column_slice(&self.delta)).ok_or_else(|| {
            Fault::new(format!("the covariance of these {q} contrasts is singular"))
                .remedy(
                    "Test fewer terms at once: there are too few clusters, or the model fits their rows exactly",
                )
                .rank()
        })?;
        Ok(form / q as f64)
    }

    /// The F statistics of the draws.
    fn forms(&self, draws: &Draws) -> Result<Vec<f64>> {
        if self.refitted {
            return forms(&self.under(&self.delta)?, self.factor, draws, &self.watcher);
        }
        forms(&self.pieces, self.factor, draws, &self.watcher)
    }
}

/// The draws of one contrast.
struct Drawn<'w> {
    world: &'w World<'w>,
    draws: &'w Draws,
    kept: Option<Vec<Line>>,
}

impl Drawn<'_> {
    /// How far the estimate is from this value of the contrast.
    fn delta(&self, value: f64) -> f64 {
        (self.world.estimate - value) / self.world.length
    }

    /// Hands the draws under the hypothesis that the contrast is delta away to `work`.
    fn lines<T>(&mut self, delta: f64, work: impl FnOnce(&[Line]) -> T) -> Result<T> {
        let world = self.world;
        if world.refitted {
            return Ok(work(&lines(&world.under(&[delta])?, self.draws, &world.watcher)?));
        }
        let kept = match self.kept.take() {
            Some(kept) => kept,
            None => lines(&world.pieces, self.draws, &world.watcher)?,
        };
        Ok(work(self.kept.insert(kept)))
    }

    /// The draws under the hypothesis that the contrast has this value.
    fn at(&mut self, value: f64) -> Result<Found> {
        let (delta, factor) = (self.delta(value), self.world.factor);
        let t = self.lines(delta, |lines| lines.iter().map(|line| line.t(delta, factor)).collect())?;
        Ok(Found { t, observed: delta / self.world.se, exact: self.draws.is_exact() })
    }

    /// The symmetric p-value of this value, without a root or a quotient a draw.
    fn symmetric(&mut self, value: f64) -> Result<f64> {
        let delta = self.delta(value);
        let near = (delta / self.world.se * (1.0 - SAME)).powi(2) * self.world.factor;
        let (n, exact) = (self.draws.n, self.draws.is_exact());
        let below =
            self.lines(delta, |lines| lines.iter().filter(|line| line.is_below(delta, near)).count())?;
        Ok(share(n - below, n, exact))
    }

    /// The values that are not rejected.
    fn interval(&mut self, options: &WildOptions) -> Result<Option<Interval>> {
        let world = self.world;
        let (start, scale) = (world.estimate, world.length * world.se);
        let alpha = 1.0 - options.level;
        let alpha = if options.extreme == Extreme::EqualTailed { alpha / 2.0 } else { alpha };
        let search = Search { start, scale, alpha, far: FAR };
        let own = std::cell::RefCell::new(self);
        let tail = |value: f64, upper: bool| -> Result<f64> {
            let mut drawn = own.borrow_mut();
            if options.extreme == Extreme::Symmetric {
                return drawn.symmetric(value);
            }
            let shares = drawn.at(value)?.shares();
            Ok(if upper { shares.upper } else { shares.lower })
        };
        let low = search.limit(-1.0, |value| tail(value, true))?;
        let high = search.limit(1.0, |value| tail(value, false))?;
        Ok(low.zip(high).map(|(low, high)| Interval { low, high }))
    }
}

/// The statistics of the draws beside that of the fit.
struct Found {
    t: Vec<f64>,
    observed: f64,
    exact: bool,
}

impl Found {
    fn p_value(&self, extreme: Extreme) -> f64 {
        match extreme {
            Extreme::Symmetric => {
                let near = self.observed.abs() * (1.0 - SAME);
                let below = self.t.iter().filter(|t| t.abs() < near).count();
                share(self.t.len() - below, self.t.len(), self.exact)
            }
            Extreme::EqualTailed => {
                let shares = self.shares();
                (2.0 * shares.lower.min(shares.upper)).min(1.0)
            }
        }
    }

    fn shares(&self) -> Shares {
        Shares::of(&self.t, self.observed, self.exact)
    }
}

/// The shares of draws at most and at least as large.
struct Shares {
    lower: f64,
    upper: f64,
}

impl Shares {
    fn of(values: &[f64], observed: f64, exact: bool) -> Self {
        let (n, near) = (values.len(), observed.abs() * SAME);
        let below = values.iter().filter(|&&value| value < observed - near).count();
        let above = values.iter().filter(|&&value| value > observed + near).count();
        Self { lower: share(n - above, n, exact), upper: share(n - below, n, exact) }
    }
}

/// A p-value from a count: never 0.
fn share(count: usize, n: usize, exact: bool) -> f64 {
    if exact { count.max(1) as f64 / n as f64 } else { (1.0 + count as f64) / (1.0 + n as f64) }
}
