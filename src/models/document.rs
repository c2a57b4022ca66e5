//! Model documents as people write them: YAML with the keys of the JSON.
//!
//! A short YAML text can keep a parser busy for minutes, by nesting or by aliases that repeat aliases. So the text is
//! measured before it is parsed.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScanError};
use serde_json::Value;

use crate::platform::json;

/// How large a document may be, in bytes. The models that come with the service have up to 21 KB.
pub const LARGEST: usize = 512 * 1024;
/// How many values a document may have. The values that an alias repeats count each time.
pub const MOST_VALUES: usize = 100_000;

/// Why a document cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is too large.
    #[error("a model has at most {LARGEST} bytes")]
    TooLarge,
    /// Its lists and objects are nested too deeply.
    #[error("lists and objects may be at most {} levels deep", json::DEEPEST)]
    TooDeep,
    /// It has too many values, or an alias stands inside the value that it repeats.
    #[error("a model has at most {MOST_VALUES} values; the values that an alias repeats count each time")]
    TooManyValues,
    /// It is not YAML.
    #[error(transparent)]
    NoYaml(#[from] ScanError),
    /// It is YAML, but JSON cannot express its values.
    #[error(transparent)]
    NoDocument(#[from] yaml_serde::Error),
}

/// Reads a document in YAML. JSON is YAML too.
pub fn from_yaml(text: &str) -> Result<Value, Unreadable> {
    measure(text)?;
    // By way of YAML's own values, because these refuse a key that stands twice.
    let document: yaml_serde::Value = yaml_serde::from_str(text)?;
    Ok(yaml_serde::from_value(document)?)
}

/// Refuses a text that would take long to parse. Stops at the first place that shows this.
fn measure(text: &str) -> Result<(), Unreadable> {
    if text.len() > LARGEST {
        return Err(Unreadable::TooLarge);
    }
    // For each open list or object: its anchor, and how many values came before it.
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut sizes: HashMap<usize, usize> = HashMap::new();
    let mut values = 0_usize;
    for event in Parser::new_from_str(text) {
        match event?.0 {
            Event::Scalar(_, _, anchor, _) => {
                values += 1;
                sizes.insert(anchor, 1);
            }
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                open.push((anchor, values));
                values += 1;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((anchor, before)) = open.pop() {
                    sizes.insert(anchor, values - before);
                }
            }
            Event::Alias(anchor) => {
                let repeated = sizes.get(&anchor).ok_or(Unreadable::TooManyValues)?;
                values = values.saturating_add(*repeated);
            }
            _ => {}
        }
        if open.len() > json::DEEPEST {
            return Err(Unreadable::TooDeep);
        }
        if values > MOST_VALUES {
            return Err(Unreadable::TooManyValues);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_model_that_is_shipped_fits_the_schema_that_it_names() {
        let schema = serde_json::from_str(scoring::model::SCHEMA).unwrap();
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
        let mut seen = 0;
        for file in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let text = std::fs::read_to_string(&file).unwrap();
            let (first, _) = text.split_once('\n').unwrap();
            let named = first.strip_prefix("# yaml-language-server: $schema=").unwrap();
            assert_eq!(std::fs::read_to_string(folder.join(named)).unwrap(), scoring::model::SCHEMA);

            let document = from_yaml(&text).unwrap();

            let errors: Vec<String> =
                validator.iter_errors(&document).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{}: {errors:?}", file.display());
            seen += 1;
        }
        assert!(seen >= 3, "{seen}");
    }

    #[test]
    fn a_key_that_stands_twice_is_a_mistake_and_named() {
        let error = from_yaml("fit:\n  max: 40\n  max: 10\n").unwrap_err();
        assert!(error.to_string().contains("max"), "{error}");
        assert_eq!(from_yaml("{\"max\": 10.5}").unwrap(), serde_json::json!({"max": 10.5}));
    }

    #[test]
    fn a_text_that_would_take_minutes_to_read_is_refused_before_it_is_read() {
        let said = |text: String| from_yaml(&text).unwrap_err().to_string();
        for open in ["[", "{a: ", "[? ", "- ", "? ", "- - ", "a: - "] {
            let text = open.repeat(100_000 / open.len());
            assert!(measure(&text).is_err(), "{open}");
        }
        let repeating = format!("a: &a [{}]\nb: [{}]", "x,".repeat(5_000), "*a,".repeat(3_000));
        assert!(said(repeating).contains("alias"));
        let lines: Vec<String> = (1..40).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}]", n - 1)).collect();
        let doubling = lines.join("\n");
        assert!(said(format!("a0: &a0 [x]\n{doubling}")).contains("alias"));
        assert!(said("a: &a [*a]".to_owned()).contains("alias"), "within what it repeats");
        assert!(said(format!("a: {}", "x".repeat(LARGEST))).contains("bytes"));
    }

    #[test]
    fn anchors_and_nesting_that_people_write_are_read() {
        let text = format!("a: &a {{x: [1]}}\nb: [*a, *a]\nc: {}{}", "[".repeat(60), "]".repeat(60));
        assert_eq!(from_yaml(&text).unwrap()["b"], serde_json::json!([{"x": [1]}, {"x": [1]}]));
    }
}
