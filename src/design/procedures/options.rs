//! The procedures that a design may name, with their options.
//!
//! Options are whole numbers, fractions of whole numbers and names of columns: a commitment holds no floats. Each
//! procedure is in a file of its own; this one says what a user may ask for, and reads and writes it as JSON.

use serde::{Deserialize, Serialize};

use super::nfc;
use crate::setters::setters;
use crate::words::words;
use crate::{Fault, Result};

/// The procedure that draws the arms.
///
/// ```
/// use crewe::design::{Blocks, Method};
/// let method = Method::from_json(r#"{"name":"blocks","sizes":[3,6]}"#)?;
/// assert_eq!(method, Blocks::new([3, 6]).into());
/// assert!(method.needs_order());
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Method {
    /// Every unit draws for itself: [`super::simple`].
    Simple(Simple),
    /// Every stratum is split in the ratio: [`super::complete`].
    Complete(Complete),
    /// Permuted blocks in the order of arrival: [`super::blocks`].
    Blocks(Blocks),
    /// Within sets of units that are alike: [`super::matched`].
    MatchedSets(MatchedSets),
    /// A fair draw until the arms are a given number apart: [`super::big_stick`].
    BigStick(BigStick),
    /// A draw that leans towards the arm that is behind: [`super::biased_coin`].
    BiasedCoin(BiasedCoin),
    /// The arm that leaves the factors most even is preferred: [`super::minimisation`].
    Minimisation(Minimisation),
    /// One of the best balanced assignments: [`super::constrained`].
    Constrained(Constrained),
    /// Drawn again until the covariates balance: [`super::rerandomised`].
    Rerandomised(Rerandomised),
}

/// Simple randomisation has no options.
///
/// ```
/// use crewe::design::{Method, Simple};
/// assert_eq!(Method::from(Simple {}).name(), "simple");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Simple {}

/// Options of complete randomisation.
///
/// ```
/// use crewe::design::{Complete, Misfits};
/// assert_eq!(Complete::default().misfits(Misfits::LeaveOut).misfits, Misfits::LeaveOut);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Complete {
    /// What happens to units that are left over where a stratum does not divide by the ratio.
    #[serde(default, skip_serializing_if = "Misfits::is_default")]
    pub misfits: Misfits,
}

setters!(Complete, misfits: plain(Misfits));

/// Rules for the units that are left over where a stratum does not divide by the ratio: [`super::misfits`] has their
/// definitions and probabilities.
///
/// ```
/// use crewe::design::Misfits;
/// assert_eq!("leave_out".parse(), Ok(Misfits::LeaveOut));
/// assert_eq!(Misfits::WeightedGlobal.to_string(), "weighted_global");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Misfits {
    /// The places left over are drawn within the stratum, no arm twice, so that every probability is the ratio.
    #[default]
    Strata,
    /// The units left over get no arm.
    LeaveOut,
    /// The units left over in all strata are split equally between the arms, whatever the ratio.
    Global,
    /// The units left over in a stratum draw tickets from a pack that holds the ratio once, so that an arm may come
    /// several times; every probability is the ratio.
    WeightedStrata,
    /// As `WeightedStrata`, but the units left over in all strata draw together.
    WeightedGlobal,
}

words!(
    @unserialised Misfits, "rule for units left over", as design,
    Strata => "strata",
    LeaveOut => "leave_out",
    Global => "global",
    WeightedStrata => "weighted_strata",
    WeightedGlobal => "weighted_global",
);

impl Misfits {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Options of permuted blocks.
///
/// ```
/// use crewe::design::Blocks;
/// assert_eq!(Blocks::new([3, 6]).sizes, [3, 6]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Blocks {
    /// The sizes of blocks, each a multiple of the ratio's sum; with several, each block draws its size.
    pub sizes: Vec<u32>,
}

impl Blocks {
    /// Blocks of these sizes.
    pub fn new(sizes: impl IntoIterator<Item = u32>) -> Self {
        Self { sizes: sizes.into_iter().collect() }
    }
}

/// Options of matched sets: given by a column, or pairs built by optimal matching on covariates.
///
/// ```
/// use crewe::design::MatchedSets;
/// assert!(matches!(MatchedSets::given("pair"), MatchedSets::Given(sets) if sets.on == "pair"));
/// assert!(matches!(MatchedSets::built(["age", "rate"]), MatchedSets::Built(pairs) if pairs.on.len() == 2));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum MatchedSets {
    /// The sets are given.
    Given(GivenSets),
    /// Pairs are built.
    Built(BuiltPairs),
}

impl MatchedSets {
    /// The sets that a column names.
    pub fn given(column: impl Into<String>) -> Self {
        Self::Given(GivenSets { on: column.into() })
    }

    /// Pairs built by optimal matching on covariates.
    pub fn built<S: Into<String>>(covariates: impl IntoIterator<Item = S>) -> Self {
        Self::Built(BuiltPairs { on: covariates.into_iter().map(Into::into).collect() })
    }
}

/// Sets that a column names: [`MatchedSets::given`].
///
/// ```
/// use crewe::design::MatchedSets;
/// let MatchedSets::Given(sets) = MatchedSets::given("pair") else { unreachable!() };
/// assert_eq!(sets.on, "pair");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GivenSets {
    /// The column that names each unit's set.
    pub on: String,
}

/// Pairs with the smallest sum of Mahalanobis distances: [`MatchedSets::built`].
///
/// ```
/// use crewe::design::MatchedSets;
/// let MatchedSets::Built(pairs) = MatchedSets::built(["age"]) else { unreachable!() };
/// assert_eq!(pairs.on, ["age"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct BuiltPairs {
    /// The covariates to match on.
    #[serde(rename = "match")]
    pub on: Vec<String>,
}

/// Options of the big stick.
///
/// ```
/// assert_eq!(crewe::design::BigStick::new(3).limit, 3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct BigStick {
    /// The largest difference between (fake) arms that is allowed.
    pub limit: u32,
}

impl BigStick {
    /// The largest difference between (fake) arms that is allowed.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self { limit }
    }
}

/// Options of the biased coin.
///
/// ```
/// use crewe::design::{BiasedCoin, Fraction};
/// assert_eq!(BiasedCoin::new(Fraction::new(2, 3)).p.value(), 2.0 / 3.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct BiasedCoin {
    /// The probability of the (fake) arms that are behind.
    pub p: Fraction,
}

impl BiasedCoin {
    /// The probability of the (fake) arms that are behind.
    #[must_use]
    pub fn new(p: Fraction) -> Self {
        Self { p }
    }
}

/// Options of minimisation.
///
/// ```
/// use crewe::design::{Fraction, Imbalance, Minimisation};
/// let options = Minimisation::new([("site", 1), ("age", 2)], Imbalance::Range, Fraction::new(4, 5));
/// assert_eq!(options.factors[1].weight, 2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Minimisation {
    /// The factors, with their weights.
    pub factors: Vec<Weighted>,
    /// The imbalance of the arms at one level of a factor.
    pub imbalance: Imbalance,
    /// The probability of the preferred (fake) arm.
    pub p: Fraction,
}

impl Minimisation {
    /// Factors with their weights, the measure of imbalance, and the probability of the preferred (fake) arm.
    pub fn new<W: Into<Weighted>>(
        factors: impl IntoIterator<Item = W>,
        imbalance: Imbalance,
        p: Fraction,
    ) -> Self {
        Self { factors: factors.into_iter().map(Into::into).collect(), imbalance, p }
    }
}

/// How unequal the arms are at one level of a factor.
///
/// ```
/// use crewe::design::Imbalance;
/// assert_eq!("variance".parse(), Ok(Imbalance::Variance));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Imbalance {
    /// The largest count less the smallest.
    Range,
    /// The variance of the counts.
    Variance,
}

words!(@unserialised Imbalance, "measure of imbalance", as design, Range => "range", Variance => "variance");

/// Options of covariate-constrained randomisation.
///
/// ```
/// use crewe::design::{Constrained, Fraction};
/// let options = Constrained::new([("age", 1)], Fraction::new(1, 10), 50_000);
/// assert_eq!((options.draws, options.keep.denominator), (50_000, 10));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Constrained {
    /// The most assignments to look at: all of them where they are no more, else so many drawn ones.
    pub draws: u64,
    /// The share of them to accept, the best balanced first.
    pub keep: Fraction,
    /// The covariates, with their weights.
    pub on: Vec<Weighted>,
}

impl Constrained {
    /// Covariates with their weights, the share of assignments to accept, and the most to look at.
    pub fn new<W: Into<Weighted>>(on: impl IntoIterator<Item = W>, keep: Fraction, draws: u64) -> Self {
        Self { draws, keep, on: on.into_iter().map(Into::into).collect() }
    }
}

/// Options of rerandomisation.
///
/// ```
/// use crewe::design::{Fraction, Rerandomised};
/// assert_eq!(Rerandomised::new(["age"], Fraction::new(1, 1000)).on, ["age"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Rerandomised {
    /// The probability that a draw is accepted.
    pub accept: Fraction,
    /// The covariates.
    pub on: Vec<String>,
}

impl Rerandomised {
    /// The covariates, and the probability that a draw is accepted.
    pub fn new<S: Into<String>>(on: impl IntoIterator<Item = S>, accept: Fraction) -> Self {
        Self { accept, on: on.into_iter().map(Into::into).collect() }
    }
}

/// A column with a whole-number weight.
///
/// ```
/// use crewe::design::Weighted;
/// assert_eq!(Weighted::from(("age", 2)).weight, 2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(String, u32)", into = "(String, u32)")]
pub struct Weighted {
    /// The column.
    pub column: String,
    /// Its weight.
    pub weight: u32,
}

impl From<(String, u32)> for Weighted {
    fn from((column, weight): (String, u32)) -> Self {
        Self { column, weight }
    }
}

impl From<(&str, u32)> for Weighted {
    fn from((column, weight): (&str, u32)) -> Self {
        Self { column: column.to_owned(), weight }
    }
}

impl From<Weighted> for (String, u32) {
    fn from(weighted: Weighted) -> Self {
        (weighted.column, weighted.weight)
    }
}

/// A fraction of whole numbers in lowest terms, since a commitment holds no floats.
///
/// ```
/// use crewe::design::Fraction;
/// let p = Fraction::new(80, 100);
/// assert_eq!((p.numerator, p.denominator, p.value()), (4, 5, 0.8));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
#[non_exhaustive]
pub struct Fraction {
    /// The upper number.
    pub numerator: u64,
    /// The lower number.
    pub denominator: u64,
}

impl Fraction {
    /// A fraction, brought to lowest terms.
    ///
    /// ```
    /// use crewe::design::Fraction;
    /// assert_eq!(Fraction::new(8, 10), Fraction::new(4, 5));
    /// ```
    #[must_use]
    pub fn new(numerator: u64, denominator: u64) -> Self {
        let common = super::gcd(numerator, denominator).max(1);
        Self { numerator: numerator / common, denominator: denominator / common }
    }

    /// The nearest float.
    pub fn value(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }

    /// Refuses fractions outside `least..=1` and denominators that exact arithmetic has no room for.
    pub(super) fn check(self, what: &str, least: Self) -> Result<()> {
        const ROOM: u64 = 1 << 40;
        let below = u128::from(self.numerator) * u128::from(least.denominator)
            < u128::from(least.numerator) * u128::from(self.denominator);
        if self.denominator == 0 || self.denominator > ROOM || self.numerator > self.denominator || below {
            let (low, high) = (least.numerator, least.denominator);
            return Err(Fault::new(format!("{what} is out of range"))
                .values([format!("{}/{}", self.numerator, self.denominator)])
                .remedy(format!("Give a probability from {low}/{high} to 1, in at most 12 digits"))
                .design());
        }
        Ok(())
    }
}

impl From<(u64, u64)> for Fraction {
    fn from((numerator, denominator): (u64, u64)) -> Self {
        Self::new(numerator, denominator)
    }
}

impl From<Fraction> for (u64, u64) {
    fn from(fraction: Fraction) -> Self {
        (fraction.numerator, fraction.denominator)
    }
}

impl Default for Method {
    fn default() -> Self {
        Self::Complete(Complete::default())
    }
}

macro_rules! methods {
    ($($name:ident),+ $(,)?) => {
        $(impl From<$name> for Method {
            fn from(options: $name) -> Self {
                Self::$name(options)
            }
        })+
    };
}
methods!(
    Simple,
    Complete,
    Blocks,
    MatchedSets,
    BigStick,
    BiasedCoin,
    Minimisation,
    Constrained,
    Rerandomised,
);

impl Method {
    /// The procedure from its JSON, for instance `{"name":"blocks","sizes":[3,6]}`.
    ///
    /// # Errors
    /// [`crate::Error::Design`] for text that is no JSON, a name that is no procedure, and options that it does not
    /// have.
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| {
            Fault::new(format!("the method is no procedure of randomisation: {error}"))
                .values([text])
                .remedy(
                    "Use simple, complete, blocks, matched_sets, big_stick, biased_coin, minimisation, \
                     constrained or rerandomised, each with its own options",
                )
                .design()
        })
    }

    /// The same procedure with the names of columns in Unicode NFC, as columns have them.
    pub(super) fn normalised(mut self) -> Self {
        let each = |names: &mut Vec<String>| names.iter_mut().for_each(|name| *name = nfc(name));
        let weighted = |columns: &mut Vec<Weighted>| {
            columns.iter_mut().for_each(|column| column.column = nfc(&column.column));
        };
        match &mut self {
            Self::MatchedSets(MatchedSets::Given(options)) => options.on = nfc(&options.on),
            Self::MatchedSets(MatchedSets::Built(options)) => each(&mut options.on),
            Self::Minimisation(options) => weighted(&mut options.factors),
            Self::Constrained(options) => weighted(&mut options.on),
            Self::Rerandomised(options) => each(&mut options.on),
            Self::Simple(_)
            | Self::Complete(_)
            | Self::Blocks(_)
            | Self::BigStick(_)
            | Self::BiasedCoin(_) => {}
        }
        self
    }

    /// The name in commitments, files and errors.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Simple(_) => "simple",
            Self::Complete(_) => "complete",
            Self::Blocks(_) => "blocks",
            Self::MatchedSets(_) => "matched_sets",
            Self::BigStick(_) => "big_stick",
            Self::BiasedCoin(_) => "biased_coin",
            Self::Minimisation(_) => "minimisation",
            Self::Constrained(_) => "constrained",
            Self::Rerandomised(_) => "rerandomised",
        }
    }

    /// Whether the arms are drawn one after the other, so that the order of arrival must be known.
    pub fn needs_order(&self) -> bool {
        matches!(self, Self::Blocks(_) | Self::BigStick(_) | Self::BiasedCoin(_) | Self::Minimisation(_))
    }

    /// The columns that hold categories which the procedure uses.
    pub fn factors(&self) -> Vec<&str> {
        match self {
            Self::Minimisation(options) => options.factors.iter().map(|f| f.column.as_str()).collect(),
            Self::MatchedSets(MatchedSets::Given(options)) => vec![options.on.as_str()],
            _ => vec![],
        }
    }

    /// The columns that hold covariates, numbers or categories, which the procedure balances.
    pub fn covariates(&self) -> Vec<&str> {
        match self {
            Self::MatchedSets(MatchedSets::Built(options)) => options.on.iter().map(String::as_str).collect(),
            Self::Constrained(options) => options.on.iter().map(|c| c.column.as_str()).collect(),
            Self::Rerandomised(options) => options.on.iter().map(String::as_str).collect(),
            _ => vec![],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(method: &Method) -> String {
        serde_json::to_value(method).map(|value| crate::json::canonical(&value)).unwrap_or_default()
    }

    #[test]
    fn methods_survive_their_json() {
        for text in [
            r#"{"name":"simple"}"#,
            r#"{"name":"complete"}"#,
            r#"{"misfits":"weighted_global","name":"complete"}"#,
            r#"{"name":"blocks","sizes":[3,6]}"#,
            r#"{"name":"matched_sets","on":"pair"}"#,
            r#"{"match":["a","b"],"name":"matched_sets"}"#,
            r#"{"limit":3,"name":"big_stick"}"#,
            r#"{"name":"biased_coin","p":[2,3]}"#,
            r#"{"factors":[["site",1],["age",2]],"imbalance":"range","name":"minimisation","p":[4,5]}"#,
            r#"{"draws":50000,"keep":[1,10],"name":"constrained","on":[["a",1]]}"#,
            r#"{"accept":[1,1000],"name":"rerandomised","on":["a"]}"#,
        ] {
            let method = Method::from_json(text);
            assert_eq!(method.as_ref().map(canonical).as_deref(), Ok(text));
            assert!(method.is_ok_and(|m| text.contains(m.name())));
        }
    }

    #[test]
    fn unknown_options_are_refused() {
        for text in [
            r#"{"name":"simple","p":[1,2]}"#,
            r#"{"name":"complete","misfits":"bend"}"#,
            r#"{"name":"urn"}"#,
            r#"{"name":"blocks"}"#,
            "complete",
        ] {
            assert!(matches!(Method::from_json(text), Err(crate::Error::Design(_))), "{text}");
        }
    }
}
