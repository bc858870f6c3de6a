//! Designs: what they draw, and what may be said of them beforehand.

use crewe::design as core;
use crewe::rng::Seed;
use numpy::{IntoPyArray, PyArray2, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::assignment::{Assignment, Commitment};
use crate::error::OrRaise;
use crate::handle::{Floats, SeedLike, floats};
use crate::units::{Labels, Unit, Units, Wording, column};

/// How well the arms of a design can be guessed, and how uneven they become.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Predictability {
    n: usize,
    sims: u64,
    chance: f64,
    guess: f64,
    guess_se: f64,
    informed: f64,
    informed_se: f64,
    certain: f64,
    end_mean: f64,
    end_max: f64,
    worst_mean: f64,
    worst_max: f64,
    stratum_mean: f64,
    stratum_max: f64,
    notes: Vec<String>,
}

/// All assignments of a design, assignments x units, and their probabilities.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Support {
    arm: Py<PyArray2<u8>>,
    probability: Floats,
}

/// The assignments that a constrained design accepts; pairs are of labels of units.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Acceptance {
    units: Vec<String>,
    enumerated: bool,
    scores: Floats,
    minimum: f64,
    mean: f64,
    maximum: f64,
    cutoff: f64,
    accepted: usize,
    coincidence: Py<PyArray2<f64>>,
    together: Vec<(String, String)>,
    apart: Vec<(String, String)>,
    probability: Py<PyArray2<f64>>,
}

/// Who is expected to arrive: these units, or so many in so many strata with levels of factors.
fn expected<'a>(units: Option<&'a Units>, imagined: &'a (usize, u32, Vec<u32>)) -> core::Expected<'a> {
    match units {
        Some(units) => core::Expected::Units(&units.inner),
        None => core::Expected::Imagined { n: imagined.0, strata: imagined.1, levels: &imagined.2 },
    }
}

/// A trial's design, checked.
#[pyclass(module = "crewe._core", frozen)]
pub struct Design {
    pub inner: core::Design,
}

#[pymethods]
impl Design {
    #[new]
    #[pyo3(signature = (name, arms, unit, strata, method, seed))]
    fn new(
        py: Python<'_>,
        name: &str,
        arms: Vec<(String, u32)>,
        unit: &Unit,
        strata: Vec<String>,
        method: &str,
        seed: Option<SeedLike>,
    ) -> PyResult<Self> {
        let mut inner =
            core::Design::new(name).strata(strata).method(core::Method::from_json(method).or_raise(py)?);
        for (name, ratio) in arms {
            inner = inner.arm(&name, ratio);
        }
        inner = unit.of_design(inner);
        if let Some(seed) = seed {
            inner = inner.seed(Seed::from(seed));
        }
        inner.check().or_raise(py)?;
        Ok(Self { inner })
    }

    /// The design in other words.
    fn worded(&self, py: Python<'_>, wording: &Wording) -> PyResult<Self> {
        let inner = wording.of_design(self.inner.clone());
        inner.check().or_raise(py)?;
        Ok(Self { inner })
    }

    /// What a unit and a row of one are called, each for one and for many.
    fn nouns(&self) -> ((String, String), (String, String)) {
        let nouns = self.inner.nouns();
        (nouns.unit.into(), nouns.member.into())
    }

    /// The design as canonical JSON, without the seed.
    fn canonical_json(&self, py: Python<'_>) -> PyResult<String> {
        self.inner.canonical_json().or_raise(py)
    }

    /// The commitment to the design and its seed.
    fn commitment(&self, py: Python<'_>) -> PyResult<Commitment> {
        Ok(Commitment { inner: self.inner.commitment().or_raise(py)? })
    }

    /// Draws the arms of units.
    fn assign(&self, py: Python<'_>, units: &Units) -> PyResult<Assignment> {
        let inner = crate::pool::compute(py, |_| self.inner.assign(&units.inner))?;
        Ok(Assignment { inner })
    }

    /// Reads the arms of units that were randomised elsewhere.
    fn observe<'py>(&self, py: Python<'py>, units: &Units, arms: Labels<'py>) -> PyResult<Assignment> {
        let arms = column(py, arms)?;
        let inner = crate::pool::compute(py, |_| self.inner.observe(&units.inner, &arms))?;
        Ok(Assignment { inner })
    }

    /// Draws the arms of units n times, n x units.
    fn draws<'py>(
        &self,
        py: Python<'py>,
        units: &Units,
        n: usize,
        seed: Option<SeedLike>,
    ) -> PyResult<Bound<'py, PyArray2<u8>>> {
        let seed = seed.map(Seed::from);
        let drawn =
            crate::pool::compute(py, |signals| self.inner.draws(&units.inner, n, seed.as_ref(), signals))?;
        Ok(drawn.into_pyarray(py))
    }

    /// The simulated trials of these numbers, trials x 6, of these units, or of imagined ones: their number, that of the
    /// strata, and the levels of every factor.
    fn predictability_trials(
        &self,
        py: Python<'_>,
        units: Option<&Units>,
        imagined: (usize, u32, Vec<u32>),
        trials: (u64, u64),
        seed: Option<SeedLike>,
    ) -> PyResult<Py<PyArray2<f64>>> {
        let seed = seed.map(Seed::from);
        let expected = expected(units, &imagined);
        let found = crate::pool::compute(py, |signals| {
            self.inner.predictability_trials(expected, trials.0..trials.1, seed.as_ref(), signals)
        })?;
        Ok(found.into_pyarray(py).unbind())
    }

    /// What simulated trials say together, all of them in their order.
    fn predictability(
        &self,
        py: Python<'_>,
        units: Option<&Units>,
        imagined: (usize, u32, Vec<u32>),
        trials: PyReadonlyArray2<'_, f64>,
    ) -> PyResult<Predictability> {
        let found =
            self.inner.predictability_of(expected(units, &imagined), trials.as_array()).or_raise(py)?;
        Ok(Predictability {
            n: found.n,
            sims: found.sims,
            chance: found.chance,
            guess: found.guess,
            guess_se: found.guess_se,
            informed: found.informed,
            informed_se: found.informed_se,
            certain: found.certain,
            end_mean: found.end_mean,
            end_max: found.end_max,
            worst_mean: found.worst_mean,
            worst_max: found.worst_max,
            stratum_mean: found.stratum_mean,
            stratum_max: found.stratum_max,
            notes: found.notes,
        })
    }

    /// The number of possible assignments as little-endian bytes, or nothing.
    fn possible<'py>(&self, py: Python<'py>, units: &Units) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let possible = crate::pool::compute(py, |_| self.inner.possible(&units.inner))?;
        Ok(possible.map(|count| PyBytes::new(py, &count.to_bytes_le())))
    }

    /// All assignments and their probabilities, or nothing where there are more than `most`.
    fn support(&self, py: Python<'_>, units: &Units, most: usize) -> PyResult<Option<Support>> {
        let support = crate::pool::compute(py, |_| self.inner.support(&units.inner, most))?;
        Ok(support.map(|support| Support {
            arm: support.arm.into_pyarray(py).unbind(),
            probability: floats(py, support.probability),
        }))
    }

    /// What a constrained design accepts.
    fn constrained(&self, py: Python<'_>, units: &Units) -> PyResult<Acceptance> {
        let found = crate::pool::compute(py, |_| self.inner.constrained(&units.inner))?;
        let labels = units.inner.labels();
        let label = |unit: u32| labels[unit as usize].clone();
        let pairs = |pairs: Vec<core::Pair>| {
            pairs.iter().map(|pair| (label(pair.first), label(pair.second))).collect()
        };
        Ok(Acceptance {
            units: labels.to_vec(),
            enumerated: found.enumerated,
            scores: floats(py, found.scores),
            minimum: found.minimum,
            mean: found.mean,
            maximum: found.maximum,
            cutoff: found.cutoff,
            accepted: found.accepted,
            coincidence: found.coincidence.into_pyarray(py).unbind(),
            together: pairs(found.together),
            apart: pairs(found.apart),
            probability: found.probability.into_pyarray(py).unbind(),
        })
    }
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Predictability>()?;
    m.add_class::<Support>()?;
    m.add_class::<Acceptance>()?;
    m.add_class::<Design>()
}
