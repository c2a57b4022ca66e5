//! Models, policies, and whatever else is written as a document.

use axum::http::Method;
use leadscore::{http::body::LARGEST_BODY, models::document, platform::ids::digest};
use serde_json::json;

use super::{
    DOCUMENT, Worst,
    filling::{array, filled, numbers},
};

pub(super) fn all() -> Vec<Worst> {
    [rules(), of_leads(), settings()].concat()
}

/// Policies and queues.
fn rules() -> Vec<Worst> {
    let exclusions = |bytes: usize, domain: &str| {
        let line = |n: usize| format!(r#"{{"label":"other","domain":"{n}.{domain}"}}"#);
        filled(r#"{"exclusions":["#, line, "]}", bytes)
    };
    let within = filled(
        r#"{"filter":{"attributes":{"attribute":"a","in":["#,
        |n| format!(r#""{n}""#),
        "]}}}",
        DOCUMENT,
    );
    let domain = format!("{}.example", "bücher".repeat(8));
    let put = |name, path, body| Worst::post(name, path, body).by(Method::PUT);
    vec![
        put("policy: 20 000 exclusions", "/v1/policy", exclusions(900_000, "a.example")),
        put("policy: 10 MiB of exclusions", "/v1/policy", exclusions(LARGEST_BODY, &domain)),
        put("queue: a condition of 30 000 values", "/v1/queues/worst", within),
    ]
}

/// What is written about leads.
fn of_leads() -> Vec<Worst> {
    let links =
        array(200, |n| json!({"url": format!("https://acme.example/{n}{}", "a".repeat(1_200))}).to_string());
    let leads = array(1_000, |n| {
        json!({"user_id": format!("l{n}"), "traits": {"many": vec![0; 4_900], "name": "Jane"}}).to_string()
    });
    let evidence = filled(
        r#"{"framework":"bant","answers":{"#,
        |n| format!(r#""{n}":{{"answer":"yes"}}"#),
        "}}",
        DOCUMENT,
    );
    let nobody = digest(&[b"nobody"]);
    let nobody = uuid::Uuid::from_slice(&nobody[..16]).expect("16 bytes");
    let post = Worst::post;
    vec![
        post("qualification: 256 KiB", &format!("/v1/leads/{nobody}/qualification"), evidence)
            .by(Method::PUT),
        post(
            "links: 200 of 1 200 bytes",
            "/v1/links",
            format!(r#"{{"email":"a@b.example","message_id":"m","links":{links}}}"#),
        ),
        post("leads/batch: 1 000 of 10 KiB", "/v1/leads/batch", format!(r#"{{"leads":{leads}}}"#)),
    ]
}

/// Keys and webhooks.
fn settings() -> Vec<Worst> {
    let name = json!({"name": "a".repeat(DOCUMENT - 64), "scopes": ["read"]});
    let kinds = filled("", |_| r#""lead_created""#.to_owned(), "", DOCUMENT - 128);
    let webhook = format!(r#"{{"url":"https://acme.example/","events":[{kinds}]}}"#);
    vec![
        Worst::post("keys: a name of 256 KiB", "/v1/keys", name.to_string()),
        Worst::post("webhooks: a list of 256 KiB", "/v1/webhooks", webhook),
    ]
}

/// Models in JSON and YAML.
pub(super) fn models() -> Vec<Worst> {
    let yaml = filled("a: [", |_| "a".to_owned(), "]", 190_000);
    let blocks = "- a\n".repeat(document::MOST_VALUES - 10);
    let rules = filled(
        r#"{"name":"a","fit":{"groups":[{"name":"g","rules":["#,
        |n| format!(r#"{{"name":"r{n}","nonsense":1}}"#),
        "]}]}}",
        document::LARGEST,
    );
    let check = |name, body| Worst::post(name, "/v1/models/check", body);
    vec![
        check("model in YAML: a list on a line", yaml).with("content-type", "application/yaml"),
        check("model in YAML: a list of lines", blocks).with("content-type", "application/yaml"),
        check("model in JSON: 512 KiB of mistakes", rules),
        check("model in JSON: 512 KiB of numbers", format!("{{{}}}", numbers(document::LARGEST - 2))),
    ]
}
