//! The words by which enumerations are written and read: one table each, one text for a word that is in none.

use crate::Fault;

/// Gives an enumeration without data its name, `Display`, `FromStr` and `Serialize`, all out of one table.
///
/// A word after `|` is read too, and never written. `words!(T, "what", as ledger, ...)` makes the error one of the ledger.
macro_rules! words {
    ($type:ident, $what:literal, $($rest:tt)+) => {
        $crate::words::words!(@unserialised $type, $what, $($rest)+);

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }
    };
    (@unserialised $type:ident, $what:literal, as $kind:ident,
     $($variant:ident => $word:literal $(| $also:literal)*),+ $(,)?) => {
        impl $type {
            /// Its name, as it is written and read.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::Error;

            fn from_str(word: &str) -> $crate::Result<Self> {
                match word {
                    $($word $(| $also)* => Ok(Self::$variant),)+
                    _ => Err($crate::words::unknown($what, word, &[$($word),+]).$kind()),
                }
            }
        }
    };
    (@unserialised $type:ident, $what:literal, $($rest:tt)+) => {
        $crate::words::words!(@unserialised $type, $what, as input, $($rest)+);
    };
}
pub(crate) use words;

/// The fault of a word that is none of those known.
pub(crate) fn unknown(what: &str, word: &str, known: &[&str]) -> Fault {
    Fault::new(format!("the {what} is not known"))
        .values([word])
        .remedy(format!("Choose {}", listed(known, "or")))
}

/// Words one after the other, as a sentence has them.
pub(crate) fn listed(words: &[&str], last: &str) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [others @ .., end] => format!("{} {last} {end}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Display;
    use std::str::FromStr;

    use crate::Error;

    fn every<T: FromStr<Err = Error> + Display + PartialEq + std::fmt::Debug>(words: &[&str]) {
        for word in words {
            assert_eq!(word.parse::<T>().map(|found| found.to_string()).as_deref(), Ok(*word));
        }
        for wrong in
            ["", " ", "LESS", "nonsense", words[0].to_uppercase().as_str(), &format!("{} ", words[0])]
        {
            if !words.contains(&wrong) {
                let error = wrong.parse::<T>().map(drop).unwrap_err().to_string();
                let last = words[words.len() - 1];
                assert!(error.contains("is not known") && error.contains(last), "{wrong}: {error}");
            }
        }
    }

    #[test]
    fn row_8_6_every_enumeration_is_read_as_it_is_written() {
        use crate::{design, icc, instruments, nonparametric, power, resampling, survival};
        every::<nonparametric::Alternative>(&["two-sided", "less", "greater"]);
        every::<survival::Interval>(&["log-log", "log", "plain"]);
        every::<resampling::Weights>(&["auto", "equal", "inverse_probability"]);
        every::<resampling::WildType>(&["11", "13", "31", "33"]);
        every::<resampling::WildWeights>(&["rademacher", "webb", "mammen"]);
        every::<resampling::Extreme>(&["symmetric", "equal-tailed"]);
        every::<power::Distribution>(&["z", "t"]);
        every::<icc::Method>(&["anova", "reml", "fleiss_cuzick", "latent"]);
        every::<icc::Scale>(&["observed", "latent"]);
        every::<icc::Doubt>(&["not_binary", "few_clusters", "large_clusters", "level"]);
        every::<power::Unknown>(&["effect", "clusters", "power", "icc", "cluster_size", "r2"]);
        every::<power::Hypothesis>(&["two-sided", "one-sided", "non-inferiority", "equivalence"]);
        every::<power::Level>(&["individual", "cluster"]);
        every::<power::Weighting>(&["members", "precision"]);
        every::<power::several::Procedure>(&["none", "bonferroni", "holm"]);
        every::<power::Adjustment>(&["ancova", "change"]);
        every::<power::Scale>(&["difference", "ratio", "odds_ratio", "hazard_ratio"]);
        every::<power::assurance::Uncertain>(&["effect", "baseline", "icc", "sd", "r2", "attrition"]);
        every::<power::count::Method>(&["log", "unpooled"]);
        every::<power::survival::Method>(&["schoenfeld", "freedman", "wald"]);
        every::<power::binary::Method>(&["arcsine", "pooled", "unpooled"]);
        every::<power::Direction>(&["rise", "fall"]);
        every::<design::Misfits>(&["strata", "leave_out", "global", "weighted_strata", "weighted_global"]);
        every::<design::Imbalance>(&["range", "variance"]);
        every::<instruments::risk::Kind>(&["risk", "protective", "engagement"]);
        every::<instruments::cases::Origin>(&["randomisation", "referral"]);
        every::<instruments::cost::Agreement>(&["exact", "rounded", "cut off", "differs"]);
        every::<nonparametric::Adjustment>(&["holm", "hochberg", "hommel", "bonferroni", "BH", "BY", "none"]);
        assert_eq!("bh".parse(), Ok(nonparametric::Adjustment::BenjaminiHochberg));
        assert_eq!(format!("{:>6}", nonparametric::Alternative::Less), "  less");
    }

    #[cfg(feature = "ledger")]
    #[test]
    fn row_8_6_words_of_the_ledger_are_refused_by_its_own_kind() {
        use crate::ledger;
        every::<ledger::Overflow>(&["pause", "draw-first"]);
        every::<ledger::Merged>(&["as-randomised", "earliest"]);
        every::<ledger::Scope>(&["compared", "everybody"]);
        assert!(matches!("queue".parse::<ledger::Overflow>(), Err(Error::Ledger(_))));
    }

    #[test]
    fn what_serde_writes_is_the_same_word() {
        let written = |misfits| serde_json::to_value(misfits).unwrap();
        for misfits in ["strata", "leave_out", "global", "weighted_strata", "weighted_global"] {
            assert_eq!(written(misfits.parse::<crate::design::Misfits>().unwrap()), misfits);
        }
        assert_eq!(serde_json::to_value(crate::power::Unknown::Icc).unwrap(), "icc");
    }
}
