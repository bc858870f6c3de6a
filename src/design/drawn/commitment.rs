//! The commitment: a hash to lodge (in a registry, an email, a newspaper) before the first unit is randomised.
//!
//! The design is written as canonical JSON: UTF-8, text in NFC, no white space, keys in bytewise order, arms as an
//! array in their order, whole numbers only, with the algorithm's tag. The commitment is
//! SHA-256(field(tag) || field(json) || field(seed)), where field(x) is the length of x in bytes as a little-endian
//! 64-bit number and then x; tag is "crewe/1 commitment"; the seed is the byte 1 and 8 little-endian bytes, or the
//! byte 2 and the 32 bytes of a key.
//!
//! Who holds the design can search small integers until the hash fits, so only a key conceals the allocation.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::design::procedures::Method;
use crate::design::{Design, Unit};
use crate::json::canonical;
use crate::rng::{Seed, TAG};
use crate::{Fault, Result};

/// A commitment to a design and its seed.
///
/// ```
/// use crewe::design::Design;
/// let made = Design::new("t").arm("a", 1).arm("b", 1).cluster("id").seed(1).commitment()?;
/// assert!(made.design.starts_with(r#"{"algorithm":"crewe/1""#) && !made.design.contains("seed"));
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Commitment {
    /// SHA-256 of the design and the seed, 64 hexadecimal digits.
    pub digest: String,
    /// What the commitment is worth: "concealed by a 256-bit key" or "reproducible, not concealed".
    pub label: &'static str,
    /// The canonical JSON of the design, which never holds the seed.
    pub design: String,
}

/// What a commitment to an integer and to a key is worth.
const LABELS: [&str; 2] = ["reproducible, not concealed", "concealed by a 256-bit key"];

impl Commitment {
    /// A commitment out of its parts, as they were kept in a file.
    ///
    /// ```
    /// use crewe::design::{Commitment, Design};
    /// let made = Design::new("t").arm("a", 1).arm("b", 1).cluster("id").seed(1).commitment()?;
    /// assert_eq!(Commitment::from_parts(made.digest.clone(), made.label, made.design.clone())?, made);
    /// # Ok::<(), crewe::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::Design`] for a label that no commitment has.
    pub fn from_parts(digest: String, label: &str, design: String) -> Result<Self> {
        let known = LABELS.into_iter().find(|known| *known == label);
        let label = known.ok_or_else(|| {
            Fault::new(format!("no commitment is '{label}'"))
                .values(LABELS)
                .remedy("Give the parts of a commitment as they were")
                .design()
        })?;
        Ok(Self { digest, label, design })
    }
}

/// The design as it enters the hash.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    algorithm: String,
    arms: Vec<(String, u32)>,
    method: Method,
    name: String,
    strata: Vec<String>,
    unit: WrittenUnit,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenUnit {
    column: String,
    kind: String,
}

impl Design {
    /// The design that [`Design::canonical_json`] wrote, without a seed.
    ///
    /// ```
    /// use crewe::design::Design;
    /// let design = Design::new("t").arm("a", 1).arm("b", 2).cluster("id").strata(["site"]);
    /// assert_eq!(Design::from_json(&design.canonical_json()?)?, design);
    /// # Ok::<(), crewe::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::Design`] for text that is not the canonical JSON of a design of this algorithm.
    pub fn from_json(text: &str) -> Result<Self> {
        let refuse = |why: String| {
            Fault::new(format!("this is not the canonical JSON of a design: {why}"))
                .remedy(format!(
                    "Pass the canonical JSON of a design, as it was written with the algorithm {TAG}"
                ))
                .design()
        };
        let written: Written = serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
        let mut design = Self::new(&written.name).strata(&written.strata).method(written.method);
        design = match written.unit.kind.as_str() {
            "cluster" => design.cluster(&written.unit.column),
            "individual" => design.individual(&written.unit.column),
            kind => return Err(refuse(format!("'{kind}' is no kind of unit"))),
        };
        for (name, ratio) in &written.arms {
            design = design.arm(name, *ratio);
        }
        if written.algorithm != TAG || design.canonical_json()? != text {
            return Err(refuse("it was written by another version, or changed".to_owned()));
        }
        Ok(design)
    }

    /// The design as canonical JSON, without the seed.
    ///
    /// # Errors
    /// [`crate::Error::Design`] when the design cannot be carried out.
    pub fn canonical_json(&self) -> Result<String> {
        self.check()?;
        serde_json::to_value(self.written()?).map(|value| canonical(&value)).map_err(|error| {
            Fault::new(format!("the design cannot be written as JSON: {error}"))
                .remedy("Use plain text for names")
                .design()
        })
    }

    fn written(&self) -> Result<Written> {
        let unit = self.unit()?;
        let kind = if matches!(unit, Unit::Cluster(_)) { "cluster" } else { "individual" };
        Ok(Written {
            algorithm: TAG.to_owned(),
            arms: self.arms().iter().map(|arm| (arm.name.clone(), arm.ratio)).collect(),
            method: self.the_method().clone(),
            name: self.name().to_owned(),
            strata: self.strata_columns().to_vec(),
            unit: WrittenUnit { column: unit.column().to_owned(), kind: kind.to_owned() },
        })
    }

    /// The commitment to this design and its seed.
    ///
    /// ```
    /// use crewe::design::Design;
    /// let design = Design::new("t").arm("a", 1).arm("b", 1).cluster("id").seed(1);
    /// let commitment = design.commitment()?;
    /// assert_eq!(commitment.digest.len(), 64);
    /// assert_eq!(commitment.label, "reproducible, not concealed");
    /// # Ok::<(), crewe::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::Design`] when the design cannot be carried out or has no seed.
    pub fn commitment(&self) -> Result<Commitment> {
        let design = self.canonical_json()?;
        let seed = self.the_seed()?;
        let mut hash = Sha256::new();
        let tag = format!("{TAG} commitment");
        for field in [tag.as_bytes(), design.as_bytes(), &seed.bytes()] {
            hash.update((field.len() as u64).to_le_bytes());
            hash.update(field);
        }
        let mut digest = String::with_capacity(64);
        for byte in hash.finalize() {
            // Writing to a String never fails.
            let _ = write!(digest, "{byte:02x}");
        }
        let label = match seed {
            Seed::Integer(_) => LABELS[0],
            Seed::Key(_) => LABELS[1],
        };
        Ok(Commitment { digest, label, design })
    }
}

/// Serialised as in the canonical JSON, so without the seed; a design that names no unit cannot be.
impl Serialize for Design {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.written().map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_canonical() {
        let design = Design::new("Projet \"Cre\u{301}we\"")
            .arm("b", 2)
            .arm("a", 1)
            .individual("id")
            .strata(["x", "a"]);
        let json = "{\"algorithm\":\"crewe/1\",\"arms\":[[\"b\",2],[\"a\",1]],\"method\":{\"name\":\"complete\"},\
                    \"name\":\"Projet \\\"Cr\u{e9}we\\\"\",\"strata\":[\"x\",\"a\"],\
                    \"unit\":{\"column\":\"id\",\"kind\":\"individual\"}}";
        assert_eq!(design.canonical_json().as_deref(), Ok(json));
    }

    #[test]
    fn commitment_depends_on_the_seed_and_hides_a_key() {
        let design = Design::new("t").arm("a", 1).arm("b", 1).cluster("id");
        assert!(design.commitment().is_err());
        let of = |seed: Seed| design.clone().seed(seed).commitment().map(|c| (c.digest, c.label));
        assert_ne!(of(Seed::Integer(1)), of(Seed::Integer(2)));
        assert!(of(Seed::Key([1; 32])).is_ok_and(|c| c.1.starts_with("concealed")));
    }
}
