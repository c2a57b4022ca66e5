//! What the requests ask after, and what it is to be set up by.

use axum::Router;
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{SIGNING, TOPIC, Worst, documents, events, filling::array, tracking};

/// A lead, a model and sources of e-mail.
pub(crate) struct Ground {
    pub(super) lead: String,
    pub(super) model: String,
    hooks: Vec<(&'static str, String)>,
}

impl Ground {
    /// Makes a lead with so many events, so many leads with many attributes, and a source of each provider of e-mail.
    pub(crate) async fn prepare(router: &Router, events: usize, leads: usize) -> Ground {
        accepted(router, long_log(events)).await;
        for first in (0..leads).step_by(100) {
            accepted(router, with_many_attributes(first, leads)).await;
        }
        let found = read(router, "/v1/leads/by/external_id/known").await;
        let models = read(router, "/v1/models").await;
        let mut hooks = Vec::new();
        for (provider, source) in sources() {
            hooks.push((provider, made(router, provider, source).await));
        }
        let id = |value: &Value| value["id"].as_str().expect("an id").to_owned();
        Ground { lead: id(&found), model: id(&models["data"][0]), hooks }
    }

    pub(super) fn hook(&self, provider: &str) -> &str {
        self.hooks.iter().find(|(known, _)| *known == provider).map(|(_, path)| path).expect("it was made")
    }

    /// The requests, the heaviest of each kind. What is signed is signed at an instant.
    pub(crate) fn requests(&self, now: DateTime<Utc>) -> Vec<Worst> {
        [
            events::all(),
            tracking::all(),
            self.mail(now),
            documents::all(),
            documents::models(),
            self.scores(),
            self.queries(),
        ]
        .concat()
    }
}

/// So many events of one lead.
fn long_log(events: usize) -> String {
    array(events, |n| {
        let path = format!("/blog/{}", n % 50);
        json!({"id": format!("k{n}"), "type": "page_viewed", "lead": {"user_id": "known"},
            "occurred_at": format!("2026-01-{:02}T{:02}:00:00Z", 1 + n % 28, n % 24), "properties": {"path": path}})
        .to_string()
    })
}

/// Up to a hundred of so many leads, from one on.
fn with_many_attributes(first: usize, leads: usize) -> String {
    array(100.min(leads - first), |n| {
        let traits = json!({"name": "Jane", "notes": "ab ".repeat(8_000), "many": vec![0; 8_000]});
        json!({"type": "identify", "lead": {"user_id": format!("wide{}", first + n)}, "traits": traits})
            .to_string()
    })
}

/// Makes a source of a provider; the path to which that provider sends.
async fn made(router: &Router, provider: &str, mut source: Value) -> String {
    source["provider"] = json!(provider);
    source["name"] = json!("a source");
    let (status, made) = Worst::post("a source", "/v1/mail-sources", source.to_string()).send(router).await;
    assert_eq!(status, 201, "{provider}: {}", String::from_utf8_lossy(&made));
    let made: Value = serde_json::from_slice(&made).expect("JSON");
    let url = made["url"].as_str().expect("a URL");
    url[url.find("/v1/").expect("a path")..].to_owned()
}

fn sources() -> [(&'static str, Value); 6] {
    let recorded = |provider: &str, field: &str| {
        let path = format!("{}/tests/api/captures/email/{provider}.json", env!("CARGO_MANIFEST_DIR"));
        let all: Value = serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON");
        all[field].clone()
    };
    [
        ("sendgrid", json!({"public_key": recorded("sendgrid", "verification_key_base64_der")})),
        ("mailgun", json!({"signing_key": std::str::from_utf8(SIGNING).expect("text")})),
        ("postmark", json!({})),
        ("ses", json!({"topic_arns": [TOPIC], "certificates": [recorded("amazon_ses_sns", "cert_pem")]})),
        ("resend", json!({"secret": format!("whsec_{}", STANDARD.encode(SIGNING))})),
        ("brevo", json!({})),
    ]
}

async fn accepted(router: &Router, events: String) {
    let (status, body) = Worst::post("events", "/v1/events", events).send(router).await;
    let answer: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((status, &answer["rejected"]), (200, &json!([])), "{answer}");
}

async fn read(router: &Router, path: &str) -> Value {
    let (status, body) = Worst::get("a thing", path).send(router).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).expect("JSON")
}
