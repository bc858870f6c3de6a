//! Options as they are written, read into those of a procedure.
//!
//! Serde knows what each option takes. Where something else was written it says so through the error type of this file,
//! which puts it into the words of the crate, once for all procedures: which option, what was seen, what it takes.

use std::fmt;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{
    self, Deserialize, Deserializer, Expected, IntoDeserializer, MapAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Value;

use crate::words::{listed, unknown};
use crate::{Error, Fault, Result};

/// A procedure as it is written: an object that holds its name and its options.
pub(super) struct Written(Vec<Field>);

/// An option as it is written.
struct Field {
    key: String,
    value: Value,
}

impl Written {
    /// Takes the name out.
    pub fn name(&mut self) -> Result<String> {
        let place = self.0.iter().position(|field| field.key == "name");
        match place.map(|place| self.0.remove(place).value) {
            Some(Value::String(name)) => Ok(name),
            other => Err(Fault::new("a procedure of randomisation has a name")
                .values(other.iter().map(shown))
                .remedy("Write for instance {\"name\": \"complete\"}")
                .design()),
        }
    }

    /// The options, once the name is taken out; `T` are those of the procedure.
    pub fn options<T: for<'de> Deserialize<'de>>(self, procedure: &str) -> Result<T> {
        let fields = self.0.into_iter().map(|field| (field.key.clone(), field));
        T::deserialize(MapDeserializer::new(fields)).map_err(|refusal| refusal.of(procedure))
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a procedure with its options, such as {\"name\": \"complete\"}")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Written, A::Error> {
                let mut fields: Vec<Field> = Vec::new();
                while let Some((key, value)) = map.next_entry()? {
                    if fields.iter().any(|field| field.key == key) {
                        return Err(de::Error::custom(format!("the option {key} is given twice")));
                    }
                    fields.push(Field { key, value });
                }
                Ok(Written(fields))
            }
        }

        deserializer.deserialize_map(Keys)
    }
}

impl IntoDeserializer<'_, Refusal> for Field {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Field {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Refusal> {
        let Self { key, value } = self;
        let seen = shown(&value);
        let read = match value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::String(text) => visitor.visit_string(text),
            Value::Array(items) => {
                let items = items.into_iter().map(|value| Self { key: key.clone(), value });
                visitor.visit_seq(SeqDeserializer::new(items))
            }
            Value::Object(_) => Err(de::Error::invalid_type(Unexpected::Map, &visitor)),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(whole), ..) => visitor.visit_u64(whole),
                (_, Some(whole), _) => visitor.visit_i64(whole),
                (.., number) => visitor.visit_f64(number.unwrap_or(f64::NAN)),
            },
        };
        read.map_err(|refusal: Refusal| refusal.at(key, seen))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Refusal> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> std::result::Result<V::Value, Refusal> {
        let seen = shown(&self.value);
        let read = match self.value {
            Value::String(word) => visitor.visit_enum(word.into_deserializer()),
            _ => Err(de::Error::unknown_variant(&seen, words)),
        };
        read.map_err(|refusal: Refusal| refusal.at(self.key, seen))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// Why options cannot be read.
#[derive(Debug)]
struct Refusal {
    why: Why,
    /// The option, and what was seen there.
    at: Option<(String, String)>,
}

#[derive(Debug)]
enum Why {
    /// It takes something else.
    Takes(String),
    /// It is none of the words.
    Word(&'static [&'static str]),
    /// It is not there.
    Lacks(&'static str),
    /// The procedure has only these.
    Unknown(String, &'static [&'static str]),
    /// Anything else, in words.
    Told(String),
}

impl Refusal {
    fn new(why: Why) -> Self {
        Self { why, at: None }
    }

    /// Names the option; the innermost place has been named already.
    fn at(mut self, key: String, seen: String) -> Self {
        self.at.get_or_insert((key, seen));
        self
    }

    /// The error, for options of this procedure.
    fn of(self, procedure: &str) -> Error {
        let option = self.at.as_ref().map_or_else(
            || format!("options of {procedure}"),
            |(key, _)| format!("option {key} of {procedure}"),
        );
        let seen = self.at.map(|(_, seen)| seen);
        let fault = match self.why {
            Why::Takes(taken) => Fault::new(format!("the {option} cannot be this"))
                .values(seen)
                .remedy(format!("Give {taken}")),
            Why::Word(words) => unknown(&option, &seen.unwrap_or_default(), words),
            Why::Lacks(key) => {
                Fault::new(format!("{procedure} lacks its option {key}")).remedy(format!("Say what {key} is"))
            }
            Why::Unknown(key, []) => Fault::new(format!("{procedure} has no such option"))
                .values([key])
                .remedy("It has none at all"),
            Why::Unknown(key, known) => Fault::new(format!("{procedure} has no such option"))
                .values([key])
                .remedy(format!("It has {}", listed(known, "and"))),
            Why::Told(told) => Fault::new(format!("the {option} cannot be read: {told}"))
                .values(seen)
                .remedy(format!("See what {procedure} takes")),
        };
        fault.design()
    }
}

impl de::Error for Refusal {
    fn custom<T: fmt::Display>(told: T) -> Self {
        Self::new(Why::Told(told.to_string()))
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Why::Takes(taken(expected)))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Why::Takes(taken(expected)))
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::new(Why::Takes(taken(expected)))
    }

    fn unknown_variant(_: &str, words: &'static [&'static str]) -> Self {
        Self::new(Why::Word(words))
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::new(Why::Unknown(key.to_owned(), known))
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(Why::Lacks(key))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.why)
    }
}

impl std::error::Error for Refusal {}

/// What serde calls the types of Rust.
fn taken(expected: &dyn Expected) -> String {
    match expected.to_string().as_str() {
        "u32" => "a whole number from 0 to 4,294,967,295".to_owned(),
        "u64" => "a whole number of at least 0".to_owned(),
        "a string" => "text".to_owned(),
        "a sequence" => "a list".to_owned(),
        other => other.to_owned(),
    }
}

/// A value as its writer would know it, the beginning of a long one.
fn shown(value: &Value) -> String {
    const SHOWN: usize = 200;
    let whole = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match whole.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} …", &whole[..end]),
        None => whole,
    }
}

#[cfg(test)]
mod tests {
    use crate::design::Method;

    /// What is wrong, in words of the crate, with what would be right.
    #[test]
    fn row_4_5_options_that_are_none_are_told_in_our_words() {
        for (text, told) in [
            (
                r#"{"name":"complete","misfits":"weighted"}"#,
                "the option misfits of complete is not known (seen: weighted). Choose strata, leave_out, global, \
                 weighted_strata or weighted_global.",
            ),
            (
                r#"{"name":"complete","misfits":3}"#,
                "the option misfits of complete is not known (seen: 3). Choose strata, leave_out, global, \
                 weighted_strata or weighted_global.",
            ),
            (r#"{"name":"simple","p":[1,2]}"#, "simple has no such option (seen: p). It has none at all."),
            (
                r#"{"name":"big_stick","limits":3}"#,
                "big_stick has no such option (seen: limits). It has limit.",
            ),
            (r#"{"name":"blocks"}"#, "blocks lacks its option sizes. Say what sizes is."),
            (
                r#"{"name":"blocks","sizes":4}"#,
                "the option sizes of blocks cannot be this (seen: 4). Give a list.",
            ),
            (
                r#"{"name":"blocks","sizes":[4,"6"]}"#,
                "the option sizes of blocks cannot be this (seen: 6). Give a whole number from 0 to 4,294,967,295.",
            ),
            (
                r#"{"name":"big_stick","limit":-2}"#,
                "the option limit of big_stick cannot be this (seen: -2). Give a whole number from 0 to 4,294,967,295.",
            ),
            (
                r#"{"name":"big_stick","limit":0}"#,
                "the big stick needs a limit of at least 1 (seen: 0). Use for instance a limit of 3.",
            ),
            (
                r#"{"name":"big_stick","limit":true}"#,
                "the option limit of big_stick cannot be this (seen: true). Give a whole number from 0 to 4,294,967,295.",
            ),
            (
                r#"{"name":"biased_coin","p":"nan"}"#,
                "the option p of biased_coin cannot be this (seen: nan). Give a number from 0 to 1 in at most 12 \
                 digits, such as 0.8 or 2/3.",
            ),
            (
                r#"{"name":"biased_coin","p":1.5}"#,
                "the coin's probability is out of range (seen: 3/2). Give a probability from 0 to 1, in at most 12 \
                 digits or as a fraction such as \"2/3\".",
            ),
            (
                r#"{"name":"biased_coin","p":[4,5,6]}"#,
                "the option p of biased_coin cannot be this (seen: [4,5,6]). Give a number from 0 to 1 in at most 12 \
                 digits, such as 0.8 or 2/3.",
            ),
            (
                r#"{"name":"matched_sets","on":"pair","match":["age"]}"#,
                "the options of matched_sets cannot be this. Give either on (the column of sets that are given) or \
                 match (covariates to build pairs by).",
            ),
            (r#"{"name":"matched_sets","match":[]}"#, "matching needs covariates. Name at least one column."),
            (
                r#"{"name":"minimisation","factors":[["a",1.5]],"imbalance":"range","p":[4,5]}"#,
                "the option factors of minimisation cannot be this (seen: 1.5). Give a whole number from 0 to \
                 4,294,967,295.",
            ),
            (
                r#"{"name":"minimisation","factors":["a","a"],"imbalance":"range","p":[4,5]}"#,
                "a column of the method is named twice, or has no name (seen: a, a). Name each column once.",
            ),
            (
                r#"{"name":"constrained","on":{"a":1},"draws":9,"keep":[1,3]}"#,
                "the option on of constrained cannot be this (seen: {\"a\":1}). Give a list.",
            ),
            (
                r#"{"name":"urn"}"#,
                "the method is no procedure of randomisation (seen: urn). Choose simple, complete, blocks, \
                 matched_sets, big_stick, biased_coin, minimisation, constrained or rerandomised.",
            ),
            (
                r#"{"sizes":[3]}"#,
                "a procedure of randomisation has a name. Write for instance {\"name\": \"complete\"}.",
            ),
        ] {
            let error = Method::from_json(text).unwrap_err();
            assert!(matches!(error, crate::Error::Design(_)), "{text}");
            assert_eq!(error.to_string(), told, "{text}");
        }
        for text in ["complete", "[]", "3", r#"{"name":"simple","name":"simple"}"#] {
            assert!(matches!(Method::from_json(text), Err(crate::Error::Design(_))), "{text}");
        }
    }
}
