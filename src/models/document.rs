//! Model documents as people write them: YAML with the keys of the JSON.

use std::{io::Write, path::Path};

use anyhow::Context;
use scoring::check;
use serde_json::Value;

/// Reads a document in YAML (of which JSON is a part).
pub fn from_yaml(text: &str) -> Result<Value, yaml_serde::Error> {
    // By way of YAML's own values, which refuse a key that stands twice.
    let document: yaml_serde::Value = yaml_serde::from_str(text)?;
    yaml_serde::from_value(document)
}

/// Checks a document in a file for a person at a terminal: what is wrong, what is suspicious, which tests fail.
/// Whether it could be published.
pub fn check_file(path: &Path, out: &mut impl Write) -> anyhow::Result<bool> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let document =
        from_yaml(&text).with_context(|| format!("{} is neither YAML nor JSON", path.display()))?;
    let report = check::check(&document);
    for (word, findings) in [("error", &report.errors), ("warning", &report.warnings)] {
        for finding in findings {
            writeln!(
                out,
                "{word}: {}: {}",
                if finding.pointer.is_empty() { "/" } else { &finding.pointer },
                finding.message
            )?;
        }
    }
    for test in &report.tests {
        writeln!(out, "test: {}: {}", test.name, if test.passed { "passed" } else { "FAILED" })?;
        for failure in &test.failures {
            writeln!(out, "      {failure}")?;
        }
    }
    if report.passed() {
        writeln!(out, "{} can be published", path.display())?;
    }
    Ok(report.passed())
}

#[cfg(test)]
mod tests {
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
}
