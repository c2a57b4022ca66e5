//! Calls that are repeated, because their answer was lost: what they have done is done once.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{
    Answer, TestApp,
    description::{Operation, operations},
    models::document,
    run,
};

/// Calls by POST that take no `Idempotency-Key`, and why each may be repeated. Whoever adds one here has thought about it.
const REPEATABLE: [(&str, &str); 21] = [
    ("POST /u/{token}", "who is unsubscribed stays so"),
    ("POST /v1/claims/{id}/complete", "a claim that is completed is answered with a conflict"),
    ("POST /v1/claims/{id}/release", "a claim that is released is answered with a conflict"),
    ("POST /v1/claims/{id}/renew", "a claim lasts from the last call on"),
    ("POST /v1/claims/{id}/skip", "a claim that is skipped is answered with a conflict"),
    ("POST /v1/handoffs/{id}/accept", "the same person's answer is answered as the first"),
    ("POST /v1/handoffs/{id}/reassign", "who is to answer stays who is to answer"),
    ("POST /v1/handoffs/{id}/recycle", "an offer that is closed is answered with a conflict"),
    ("POST /v1/handoffs/{id}/reject", "an offer that is closed is answered with a conflict"),
    ("POST /v1/hooks/{provider}/{token}", "each event has the provider's id"),
    ("POST /v1/leads/{id}/score/what-if", "nothing is kept"),
    ("POST /v1/leads/{id}/stage", "the move is refused from where the lead has come to be"),
    ("POST /v1/links", "a link is computed from what is asked for"),
    ("POST /v1/links/rotate", "the last secret signs, and the others as before"),
    ("POST /v1/models/check", "nothing is kept"),
    ("POST /v1/models/evaluate", "nothing is kept"),
    ("POST /v1/models/{id}/preview", "nothing is kept"),
    ("POST /v1/models/{id}/publish", "a version that is on its way, or live, is answered with a conflict"),
    (
        "POST /v1/webhooks/{id}/deliveries/{delivery}/redeliver",
        "it has one place in its line, and one `webhook-id`",
    ),
    ("POST /v1/webhooks/{id}/recover", "what is in line already is left there"),
    ("POST /v1/webhooks/{id}/rotate", "the secret of the last answer is the one that signs"),
];

/// Calls whose every repetition does something of its own, as their descriptions say.
const EACH_BY_ITSELF: [&str; 1] = ["POST /v1/webhooks/{id}/ping"];

fn takes_a_key(operation: &Operation) -> bool {
    let parameters = operation.described["parameters"].as_array().into_iter().flatten();
    parameters.into_iter().any(|one| one["name"] == "Idempotency-Key" && one["in"] == "header")
}

#[test]
fn every_call_that_makes_something_takes_an_idempotency_key() {
    let makers: Vec<Operation> = operations()
        .into_iter()
        .filter(|operation| operation.method == "POST" && !operation.described["responses"]["201"].is_null())
        .collect();

    assert!(makers.len() >= 12, "{}", makers.len());
    for operation in makers {
        assert!(takes_a_key(&operation), "{}", operation.name());
    }
}

#[test]
fn every_other_call_by_post_may_be_repeated_as_it_is() {
    let of_ingestion = |operation: &Operation| operation.described["tags"][0] == "Ingestion";
    let found: BTreeSet<String> = operations()
        .iter()
        .filter(|one| one.method == "POST" && !of_ingestion(one) && !takes_a_key(one))
        .map(Operation::name)
        .collect();

    let known = REPEATABLE.iter().map(|(name, _)| *name).chain(EACH_BY_ITSELF);
    assert_eq!(found, known.map(str::to_owned).collect());
}

async fn post(app: &TestApp, path: &str, key: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    app.post_with(path, &headers, body.to_string()).await
}

#[tokio::test]
async fn the_same_key_twice_makes_one_thing_also_if_both_come_at_once() {
    run(async |app| {
        let makers = [
            ("/v1/keys", json!({"name": "website", "scopes": ["ingest"]}), "key"),
            ("/v1/mail-sources", json!({"provider": "brevo", "name": "Marketing"}), "url"),
            ("/v1/models", document(), "document"),
            ("/v1/webhooks", json!({"url": "https://crm.example/hook"}), "secret"),
        ];
        for (path, body, shown) in makers {
            let there = app.pages(path).await.len();

            let both = tokio::join!(post(app, path, "k-1", &body), post(app, path, "k-1", &body));
            let (made, other) = if both.0.status == 201 { both } else { (both.1, both.0) };
            let again = post(app, path, "k-1", &body).await;

            let made = made.json();
            assert_eq!(app.pages(path).await.len(), there + 1, "{path}");
            for answer in [other, again] {
                if path == "/v1/models" {
                    assert_eq!((answer.status.as_u16(), answer.json()), (200, made.clone()), "{path}");
                    continue;
                }
                assert_eq!(answer.problem(), "conflict", "{path}");
                let message = answer.json()["message"].as_str().unwrap().to_owned();
                assert!(message.contains(made["id"].as_str().unwrap()), "{message}");
                assert!(!message.contains(made[shown].as_str().unwrap()), "{message}");
            }
            assert_eq!(post(app, path, "k-2", &body).await.status, 201, "{path}: another key");
            assert_eq!(
                post(app, path, "", &body).await.problem(),
                "invalid_parameter",
                "{path}: no key at all"
            );
            assert_eq!(app.pages(path).await.len(), there + 2, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_of_another_document_is_a_conflict() {
    run(async |app| {
        post(app, "/v1/models", "k-1", &document()).await;
        let mut other = document();
        other["description"] = json!("another");

        let answer = post(app, "/v1/models", "k-1", &other).await;

        assert_eq!(answer.problem(), "conflict");
        assert_eq!(app.pages("/v1/models").await.len(), 2, "the default model, and one draft");
    })
    .await;
}
