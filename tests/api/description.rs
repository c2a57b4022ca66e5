//! The description of the calls: true, whole, and readable without asking anybody else.

use std::path::Path;

use axum::http::header;
use leadscore::{http::problem::Code, routes::openapi};
use serde_json::{Value, json};
use strum::IntoEnumIterator;

use crate::harness::{
    TestApp,
    description::{Operation, operations},
    run,
};

#[tokio::test]
async fn the_description_in_the_repository_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.yaml");
    let said = openapi().to_yaml();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &said).unwrap();
    }

    let kept = std::fs::read_to_string(&path).unwrap_or_default();

    assert!(
        kept == said,
        "openapi.yaml is not what the code says; write it anew with UPDATE=1 cargo test description"
    );
}

#[tokio::test]
async fn the_service_hands_out_its_description() {
    run(async |app| {
        let yaml = app.call("GET", "/openapi.yaml", None, "").await;
        let json = app.call("GET", "/openapi.json", None, "").await;

        assert_eq!(yaml.headers[header::CONTENT_TYPE], "application/yaml");
        assert_eq!(String::from_utf8(yaml.body).unwrap(), openapi().to_yaml());
        assert_eq!(json.json(), serde_json::to_value(openapi()).unwrap());
    })
    .await;
}

#[tokio::test]
async fn every_described_call_exists() {
    run(async |app| {
        for operation in operations() {
            let answer = app.call(&operation.method, &operation.example(), None, "{}").await;
            let nowhere = String::from_utf8_lossy(&answer.body).contains("There is nothing at this path");
            assert!(!nowhere && answer.status != 405, "{}: {answer:?}", operation.name());
        }
    })
    .await;
}

#[test]
fn every_call_has_a_summary_a_name_and_a_failure() {
    let mut names = std::collections::BTreeSet::new();
    for operation in operations() {
        let described = &operation.described;
        assert!(
            described["summary"].as_str().is_some_and(|text| text.ends_with('.')),
            "{}",
            operation.name()
        );
        assert!(described["tags"][0].is_string(), "{}", operation.name());
        let problem =
            &described["responses"]["default"]["content"]["application/problem+json"]["schema"]["$ref"];
        assert_eq!(problem, "#/components/schemas/Problem", "{}", operation.name());
        assert!(
            names.insert(described["operationId"].to_string()),
            "{} has the name of another",
            operation.name()
        );
    }
    assert!(names.len() >= 20, "{names:?}");
}

#[test]
fn every_code_of_a_problem_is_described() {
    let document = serde_json::to_value(openapi()).unwrap();
    let schema = document["components"]["schemas"]["ProblemCode"].to_string();

    for code in Code::iter() {
        assert!(schema.contains(&format!("\"{}\"", code.as_str())), "{}", code.as_str());
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
    }
}

#[test]
fn everything_that_is_referred_to_is_described() {
    let document = serde_json::to_value(openapi()).unwrap();
    let mut references = Vec::new();
    collect(&document, &mut references);

    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| collect(field, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

#[test]
fn rows_of_lists_and_variants_of_choices_have_names() {
    let document = serde_json::to_value(openapi()).unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();

    for (name, schema) in schemas.iter().filter(|(_, schema)| schema["properties"]["next_cursor"].is_object())
    {
        let rows = &schema["properties"]["data"]["items"];
        assert!(rows["$ref"].is_string(), "{name}: {rows}");
    }
    assert!(schemas.contains_key("LeadPage") && !schemas.keys().any(|name| name.contains('_')));
    let entry = &schemas["TimelineEntry"];
    assert_eq!(entry["discriminator"]["propertyName"], "kind");
    for (word, target) in entry["discriminator"]["mapping"].as_object().unwrap() {
        let variant = document.pointer(target.as_str().unwrap().strip_prefix('#').unwrap()).unwrap();
        assert_eq!(variant["properties"]["kind"]["enum"], json!([word]));
    }
}

#[test]
fn what_is_no_json_is_text_or_bytes() {
    for operation in operations() {
        let bodies = std::iter::once(&operation.described["requestBody"])
            .chain(operation.described["responses"].as_object().unwrap().values());
        let contents = bodies.filter_map(|body| body["content"].as_object()).flatten();
        let document = serde_json::to_value(openapi()).unwrap();
        for (kind, content) in contents.filter(|(kind, _)| !kind.ends_with("json")) {
            let schema = &content["schema"];
            let schema = match schema["$ref"].as_str() {
                Some(target) => document.pointer(target.strip_prefix('#').unwrap()).unwrap(),
                None => schema,
            };
            assert_eq!(schema["type"], "string", "{} {kind}: {schema}", operation.name());
            let binary = kind.starts_with("image/") || kind == "application/octet-stream";
            assert_eq!(schema["format"] == "binary", binary, "{} {kind}", operation.name());
        }
    }
}

#[test]
fn headers_that_calls_read_and_write_are_declared() {
    let takes = |operation: &Operation, name: &str| {
        let parameters = operation.described["parameters"].as_array().into_iter().flatten();
        parameters.into_iter().any(|one| one["name"] == name)
    };
    for operation in operations() {
        let responses = &operation.described["responses"];
        assert!(responses["default"]["headers"]["Retry-After"].is_object(), "{}", operation.name());
        assert_eq!(responses["304"].is_object(), takes(&operation, "If-None-Match"), "{}", operation.name());
        if responses["304"].is_object() {
            for status in ["200", "304"] {
                assert!(responses[status]["headers"]["ETag"].is_object(), "{} {status}", operation.name());
            }
        }
        let replaces = ["PUT", "PATCH"].contains(&operation.method.as_str());
        if replaces && operation.path != "/v1/models/{id}/shadow" {
            assert!(takes(&operation, "If-Match"), "{}", operation.name());
            assert!(responses["200"]["headers"]["ETag"].is_object(), "{}", operation.name());
        }
        let pages = operation.method == "GET" && takes(&operation, "cursor");
        assert_eq!(responses["200"]["headers"]["Link"].is_object(), pages, "{}", operation.name());
    }
}

#[tokio::test]
async fn the_schema_of_a_model_document_is_handed_out_to_editors() {
    run(async |app| {
        let answer = app.call("GET", "/v1/models/schema.json", None, "").await;

        assert_eq!(
            (answer.status.as_u16(), &answer.headers[header::CONTENT_TYPE]),
            (200, &"application/schema+json".parse().unwrap())
        );
        let schema = answer.json();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let model = app.get("/v1/models").await.json()["data"][0]["document"].clone();
        assert!(validator.is_valid(&model), "{:?}", validator.validate(&model));
        let components = serde_json::to_value(openapi()).unwrap()["components"]["schemas"].clone();
        for part in schema["$defs"].as_object().unwrap().keys() {
            assert!(components[format!("Model{part}")].is_object(), "{part}");
        }
    })
    .await;
}

/// A file of the page for reading the description.
async fn file(app: &TestApp, path: &str) -> String {
    let answer = app.call("GET", path, None, "").await;
    assert_eq!(answer.status, 200, "{path}");
    String::from_utf8(answer.body).unwrap()
}

#[tokio::test]
async fn the_page_for_reading_loads_from_here_alone() {
    run(async |app| {
        let page = file(app, "/docs/").await;
        let sources: Vec<&str> = page
            .split(['"', '\''])
            .zip(page.split(['"', '\'']).skip(1))
            .filter(|(before, _)| before.ends_with("src=") || before.ends_with("href="))
            .map(|(_, source)| source)
            .collect();

        assert!(!sources.is_empty(), "{page}");
        for source in sources {
            assert!(!source.contains("//"), "{source} is elsewhere");
            let answer =
                app.call("GET", &format!("/docs/{}", source.trim_start_matches("./")), None, "").await;
            assert_eq!(answer.status, 200, "{source}");
        }
        assert!(!page.contains("http://") && !page.contains("https://"), "{page}");
        let settings = file(app, "/docs/swagger-initializer.js").await;
        assert!(settings.contains("/openapi.json"), "{settings}");
        assert!(
            settings.contains("\"validatorUrl\": \"none\""),
            "the page would ask validator.swagger.io: {settings}"
        );
    })
    .await;
}

#[test]
fn every_answer_is_described_and_every_parameter_has_its_place() {
    let description = serde_json::to_value(openapi()).unwrap();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, call) in item.as_object().unwrap() {
            for (status, response) in call["responses"].as_object().unwrap() {
                assert_ne!(response["description"], "", "{method} {path} {status}");
            }
            for parameter in call["parameters"].as_array().into_iter().flatten() {
                let in_path = path.contains(&format!("{{{}}}", parameter["name"].as_str().unwrap()));
                let place = if in_path { "path" } else { "query" };
                let header = parameter["in"] == "header";
                assert!(header || parameter["in"] == place, "{method} {path}: {parameter}");
            }
        }
    }
}
