//! The OpenAPI description as it is handed out, in a form from which generators can make clients.
//!
//! Each call is described beside its handler. This module adds what all calls share, so that no call can leave it out:
//! the headers of pages, `ETag`s and failures, names for the rows of lists and for the variants of a choice, and the JSON
//! Schema of a model document.

use heck::ToUpperCamelCase;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

/// How every reference to a schema begins.
const SCHEMAS: &str = "#/components/schemas/";

/// The description of all calls, as OpenAPI 3.1. The fields stand in the order in which people read them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    openapi: Value,
    info: Value,
    servers: Value,
    tags: Value,
    security: Value,
    /// By path, then by method.
    paths: Map<String, Value>,
    components: Components,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Components {
    schemas: Map<String, Value>,
    #[serde(rename = "securitySchemes")]
    security_schemes: Value,
}

impl Description {
    /// Completes the description that utoipa makes of the handlers.
    pub(super) fn of(calls: &OpenApi) -> Description {
        let whole = serde_json::to_value(calls).expect("a description is plain data");
        let mut description: Description = serde_json::from_value(whole).expect("every part is there");
        description.describe_models();
        description.name_rows();
        description.name_variants();
        description.declare_headers();
        description.components.schemas.values_mut().for_each(forget_defaults);
        description
    }

    /// Writes the description as YAML that parsers of YAML 1.1 and 1.2 read alike: a word such as `no` is quoted.
    ///
    /// # Panics
    ///
    /// Never: a description can always be written.
    pub fn to_yaml(&self) -> String {
        serde_saphyr::to_string(self).expect("plain data can be written as YAML")
    }

    /// Writes the description as JSON.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain data can be written as JSON")
    }

    /// Adds the JSON Schema of a model document: the whole as `ModelDocument`, each part under a name of its own.
    fn describe_models(&mut self) {
        let mut whole: Map<String, Value> =
            serde_json::from_str(scoring::model::SCHEMA).expect("the schema is an object");
        whole.remove("$schema");
        whole.remove("title");
        let parts = whole.remove("$defs");
        let parts: Map<String, Value> =
            serde_json::from_value(parts.unwrap_or_default()).expect("the parts are an object");
        let parts = parts.into_iter().map(|(name, part)| (format!("Model{name}"), part));
        for (name, mut part) in parts.chain([("ModelDocument".to_owned(), Value::Object(whole))]) {
            refer(&mut part, &|target| {
                target.strip_prefix("#/$defs/").map(|name| format!("{SCHEMAS}Model{name}"))
            });
            forget_formats(part.get_mut("oneOf"));
            // Python's regular expressions do not know Unicode classes. The model's own schema keeps the pattern.
            if part["pattern"].as_str().is_some_and(|pattern| pattern.contains("\\p{")) {
                part.as_object_mut().and_then(|part| part.remove("pattern"));
            }
            // The choices exclude one another. But a client that ignores `additionalProperties` finds that two of them
            // fit, and then refuses the document.
            if let Some(choices) = part.as_object_mut().and_then(|part| part.remove("oneOf")) {
                part["anyOf"] = choices;
            }
            self.components.schemas.insert(name, part);
        }
    }

    /// Makes each page refer to the schema of its rows, instead of repeating that schema.
    fn name_rows(&mut self) {
        let names: Vec<String> = self.components.schemas.keys().cloned().collect();
        for (page, row) in names.iter().filter_map(|name| Some((name, name.strip_prefix("Page_")?))) {
            if !self.components.schemas.contains_key(row) {
                continue;
            }
            let Some(mut schema) = self.components.schemas.remove(page) else { continue };
            schema["properties"]["data"]["items"] = json!({"$ref": format!("{SCHEMAS}{row}")});
            self.components.schemas.insert(format!("{row}Page"), schema);
        }
        let renamed = |target: &str| {
            let row = target.strip_prefix(SCHEMAS)?.strip_prefix("Page_")?;
            Some(format!("{SCHEMAS}{row}Page"))
        };
        self.paths.values_mut().for_each(|path| refer(path, &renamed));
    }

    /// Gives every variant of a choice a name of its own, and names the field that tells the variants apart.
    fn name_variants(&mut self) {
        let mut named = Map::new();
        for (choice, schema) in &mut self.components.schemas {
            let Some(variants) = schema.get("oneOf").and_then(Value::as_array) else { continue };
            let Some(tag) = tag(variants) else { continue };
            let mut mapping = Map::new();
            for variant in variants {
                let word = word(variant, &tag).unwrap_or_default();
                let name = format!("{choice}{}", word.to_upper_camel_case());
                mapping.insert(word.to_owned(), json!(format!("{SCHEMAS}{name}")));
                named.insert(name, variant.clone());
            }
            let references: Vec<Value> = mapping.values().map(|target| json!({"$ref": target})).collect();
            schema["oneOf"] = json!(references);
            schema["discriminator"] = json!({"propertyName": tag, "mapping": mapping});
        }
        self.components.schemas.append(&mut named);
    }

    /// Declares the headers that calls read and write.
    fn declare_headers(&mut self) {
        let calls = self.paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut);
        for call in calls.filter(|call| call.get("responses").is_some()) {
            let parameters = call.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
            let takes = |name: &str| parameters.iter().any(|one| one["name"] == name);
            let (pages, changes) = (takes("cursor"), takes("If-Match"));
            let tells_unchanged = call["responses"].get("304").is_some();
            if tells_unchanged {
                let about = "The `ETag` that you have. If the resource is unchanged, the answer is 304.";
                let mut known = header(about, "string");
                known["name"] = json!("If-None-Match");
                known["in"] = json!("header");
                let mut parameters = parameters;
                parameters.push(known);
                call["parameters"] = json!(parameters);
            }
            let responses = call["responses"].as_object_mut().into_iter().flatten();
            for (status, response) in responses {
                let holds = response.get("content").is_some();
                if status == "304" || (status.starts_with('2') && holds && (tells_unchanged || changes)) {
                    let about = "Names this version of the resource, for `If-None-Match` and `If-Match`.";
                    response["headers"]["ETag"] = header(about, "string");
                }
                if status == "200" && pages {
                    let about = "`rel=\"next\"`: the next page. Absent at the end.";
                    response["headers"]["Link"] = header(about, "string");
                }
                if status == "default" {
                    let about = "After how many seconds to try again. Given with 429 and 503.";
                    response["headers"]["Retry-After"] = header(about, "integer");
                }
            }
        }
    }
}

/// Removes defaults. Generators for TypeScript treat a field with a default as always present, also in requests.
fn forget_defaults(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                if let ("properties", Value::Object(properties)) = (name.as_str(), &mut *field) {
                    for property in properties.values_mut().filter_map(Value::as_object_mut) {
                        property.remove("default");
                    }
                }
                forget_defaults(field);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(forget_defaults),
        _ => {}
    }
}

/// Removes formats from the texts of a choice. Generators turn a date-time into a date, and then cannot tell it from a
/// number.
fn forget_formats(variants: Option<&mut Value>) {
    let variants = variants.and_then(Value::as_array_mut).into_iter().flatten();
    variants.filter_map(Value::as_object_mut).for_each(|variant| drop(variant.remove("format")));
}

fn header(about: &str, kind: &str) -> Value {
    json!({"description": about, "schema": {"type": kind}})
}

/// Finds the field that tells variants apart: every variant has it, with a word of its own.
fn tag(variants: &[Value]) -> Option<String> {
    let fields = variants.first()?.get("properties")?.as_object()?.keys();
    let tells = |field: &&String| variants.iter().all(|variant| word(variant, field).is_some());
    fields.filter(tells).min_by_key(|field| field.as_str() != "kind").cloned()
}

/// Returns the word of a variant's field, if the field can have only one.
fn word<'a>(variant: &'a Value, field: &str) -> Option<&'a str> {
    match variant["properties"][field]["enum"].as_array()?.as_slice() {
        [only] => only.as_str(),
        _ => None,
    }
}

/// Renames the targets of references within a value.
fn refer(value: &mut Value, renamed: &impl Fn(&str) -> Option<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(target)) = fields.get_mut("$ref")
                && let Some(other) = renamed(target)
            {
                *target = other;
            }
            fields.values_mut().for_each(|field| refer(field, renamed));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| refer(item, renamed)),
        _ => {}
    }
}
