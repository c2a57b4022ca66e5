//! Model documents as people write them: YAML with the keys of the JSON.

use serde_json::Value;

/// Reads a document in YAML (of which JSON is a part).
pub fn from_yaml(text: &str) -> Result<Value, yaml_serde::Error> {
    yaml_serde::from_str(text)
}
