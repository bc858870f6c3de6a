//! What a procedure's options must be for it to be carried out.

use std::collections::BTreeSet;

use super::{
    BigStick, Blocks, BuiltPairs, Constrained, Fraction, MatchedSets, Method, Minimisation, Ratio,
    Rerandomised, Unit,
};
use crate::{Error, Fault, Result};

/// The largest block, and the largest weight of a factor.
const MOST: u32 = 1 << 16;

impl Method {
    /// Checks the options against the ratio and the other columns of the design.
    pub(super) fn check(&self, ratio: &Ratio, unit: &Unit, strata: &[String]) -> Result<()> {
        self.check_columns(unit, strata)?;
        let over_fake_arms = matches!(self, Self::BigStick(_) | Self::BiasedCoin(_) | Self::Minimisation(_));
        if over_fake_arms && ratio.total > super::fake_arms::MOST {
            return Err(refused(
                "the ratio has too large numbers for a rule over equal fake arms",
                ratio.shares.iter(),
                "Use a ratio whose sum is at most 1,024 in lowest terms",
            ));
        }
        match self {
            Self::Simple(_) | Self::Complete(_) | Self::MatchedSets(MatchedSets::Given(_)) => Ok(()),
            Self::Blocks(options) => options.check(ratio),
            Self::BigStick(options) => options.check(),
            Self::BiasedCoin(options) => {
                options.p.check("the coin's probability", Fraction::new(1, ratio.total))
            }
            Self::Minimisation(options) => options.check(ratio),
            Self::MatchedSets(MatchedSets::Built(options)) => options.check(ratio),
            Self::Constrained(options) => options.check(),
            Self::Rerandomised(options) => options.check(),
        }
    }

    fn check_columns(&self, unit: &Unit, strata: &[String]) -> Result<()> {
        let mut columns = self.factors();
        columns.extend(self.covariates());
        let distinct: BTreeSet<&str> = columns.iter().copied().collect();
        if distinct.len() < columns.len() || distinct.contains("") {
            let problem = "a column of the method is named twice, or has no name";
            return Err(refused(problem, &columns, "Name each column once"));
        }
        if let Some(column) = columns.iter().find(|&&c| c == unit.column() || strata.iter().any(|s| s == c)) {
            return Err(refused(
                "a column of the method is also the identifier or a stratum",
                [column],
                "Leave it out of the method: within a stratum it does not vary",
            ));
        }
        Ok(())
    }
}

impl Blocks {
    fn check(&self, ratio: &Ratio) -> Result<()> {
        let refuse = |problem: &str, remedy: &str| Err(refused(problem, &self.sizes, remedy));
        if self.sizes.is_empty() || self.sizes.contains(&0) {
            return refuse("blocks need sizes of at least 1", "Give one size or several");
        }
        if self.sizes.iter().any(|&size| !u64::from(size).is_multiple_of(ratio.total)) {
            let remedy = format!("Use multiples of {}, the sum of the ratio", ratio.total);
            return refuse("a block cannot hold the arms in their ratio", &remedy);
        }
        if self.sizes.iter().collect::<BTreeSet<_>>().len() < self.sizes.len() {
            return refuse("a block size is named twice", "Name each size once");
        }
        if self.sizes.iter().any(|&size| size > MOST) {
            return refuse("a block is larger than 65,536", "Use smaller blocks");
        }
        Ok(())
    }
}

impl BigStick {
    fn check(self) -> Result<()> {
        if self.limit > 0 {
            return Ok(());
        }
        Err(refused("the big stick needs a limit of at least 1", [0], "Use for instance a limit of 3"))
    }
}

impl Minimisation {
    fn check(&self, ratio: &Ratio) -> Result<()> {
        self.p.check("minimisation's probability", Fraction::new(1, ratio.total))?;
        if self.factors.is_empty() {
            return Err(refused("minimisation needs factors", NONE, "Name at least one column"));
        }
        if self.factors.iter().any(|factor| factor.weight == 0 || factor.weight > MOST) {
            let weights = self.factors.iter().map(|factor| format!("{}: {}", factor.column, factor.weight));
            return Err(refused(
                "a factor's weight is out of range",
                weights,
                "Use whole numbers from 1 to 65,536",
            ));
        }
        Ok(())
    }
}

impl BuiltPairs {
    fn check(&self, ratio: &Ratio) -> Result<()> {
        if self.on.is_empty() {
            return Err(refused("matching needs covariates", NONE, "Name at least one column"));
        }
        if ratio.total != 2 {
            return Err(refused(
                "pairs are built for two arms at 1:1 only",
                &ratio.shares,
                "Give the sets in a column for other ratios: MatchedSets(on=...)",
            ));
        }
        Ok(())
    }
}

impl Constrained {
    fn check(&self) -> Result<()> {
        self.keep.check("the share of assignments to keep", Fraction::new(0, 1))?;
        if self.on.is_empty() || self.draws == 0 || self.keep.numerator == 0 {
            return Err(refused(
                "constrained randomisation needs covariates, draws and a share to keep",
                NONE,
                "Name the covariates to balance, and keep for instance a tenth of 50,000 assignments",
            ));
        }
        if self.on.iter().any(|covariate| covariate.weight == 0) {
            let weights =
                self.on.iter().map(|covariate| format!("{}: {}", covariate.column, covariate.weight));
            return Err(refused(
                "a covariate has the weight 0",
                weights,
                "Leave it out, or give it a weight of at least 1",
            ));
        }
        Ok(())
    }
}

impl Rerandomised {
    fn check(&self) -> Result<()> {
        self.accept.check("the probability of acceptance", Fraction::new(0, 1))?;
        if self.on.is_empty() || self.accept.numerator == 0 {
            return Err(refused(
                "rerandomisation needs covariates and a probability of acceptance above 0",
                NONE,
                "Name the covariates to balance, and accept for instance one assignment in a hundred",
            ));
        }
        Ok(())
    }
}

/// No values to show.
const NONE: [&str; 0] = [];

fn refused<T: ToString>(problem: &str, values: impl IntoIterator<Item = T>, remedy: &str) -> Error {
    Fault::new(problem).values(values.into_iter().map(|value| value.to_string())).remedy(remedy).design()
}
