//! Model documents in files: YAML, of which JSON is a part.

use std::path::Path;

use anyhow::Context;
use serde_json::Value;

/// A file's text.
pub(super) fn text(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// A file's document.
pub(super) fn read(path: &Path) -> anyhow::Result<Value> {
    let parse = |text: &str| {
        // By way of YAML's own values, which refuse a key that stands twice.
        let document: yaml_serde::Value = yaml_serde::from_str(text)?;
        yaml_serde::from_value(document)
    };
    parse(&text(path)?).with_context(|| format!("{} is neither YAML nor JSON", path.display()))
}
