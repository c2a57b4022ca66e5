//! What Segment's *Webhooks* destination, and others that sign as it does, send on.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use ring::hmac;
use serde_json::{Value, json};

use super::{fields, log, post, taken};
use crate::harness::{Answer, TestApp, run};

const SECRET: &str = "agreed-with-segment";

/// A key for whoever signs by [`SECRET`].
async fn signing_key(app: &TestApp) -> String {
    let new = json!({"name": "Segment", "scopes": ["ingest"], "signing_secret": SECRET});
    app.post("/v1/keys", new.to_string()).await.json()["key"].as_str().unwrap().to_owned()
}

/// The signature of a text as Segment makes it.
fn signature(secret: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    hex::encode(hmac::sign(&key, text.as_bytes()))
}

async fn send(app: &TestApp, path: &str, key: &str, signature: Option<&str>, body: &str) -> Answer {
    let mut request = Request::post(format!("{path}?writeKey={key}"))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, "Segment/version");
    if let Some(signature) = signature {
        request = request.header("x-signature", signature);
    }
    app.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

/// A message that is signed as a whole.
async fn forward(app: &TestApp, key: &str, message: &Value) -> Answer {
    let body = message.to_string();
    send(app, "/v1/batch", key, Some(&signature(SECRET, &body)), &body).await
}

fn trial(user: &str) -> Value {
    json!({"type": "track", "event": "Trial Started", "messageId": format!("trial-{user}"), "userId": user,
        "originalTimestamp": "2026-03-01T09:00:07Z", "sentAt": "2026-03-01T09:00:09Z",
        "receivedAt": "2026-03-01T09:00:02Z", "timestamp": "2026-03-01T09:00:00Z"})
}

fn delete(user: &str) -> Value {
    json!({"type": "delete", "messageId": format!("delete-{user}"), "userId": user, "timestamp": "2026-03-02T08:00:00Z"})
}

async fn known(app: &TestApp, user: &str) -> bool {
    app.get(&format!("/v1/leads/by/external_id/{user}")).await.status == StatusCode::OK
}

#[tokio::test]
async fn a_signed_message_is_taken_as_it_happened() {
    run(async |app| {
        let key = signing_key(app).await;

        let answer = forward(app, &key, &trial("u1")).await;
        let again = forward(app, &key, &trial("u1")).await;

        assert_eq!(taken(&answer)["accepted"], 1);
        assert_eq!(taken(&again)["duplicates"], 1);
        let log = fields(&log(app).await, &["type", "who", "at"]);
        assert_eq!(
            log,
            json!([["trial_started", "user_id:u1", "2026-03-01T09:00:00+00:00"]]),
            "not corrected again"
        );
        assert_eq!(app.get("/v1/leads/by/external_id/u1").await.json()["score"], 20);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_signed_by_the_keys_secret_is_refused() {
    run(async |app| {
        let key = signing_key(app).await;
        let body = trial("u1").to_string();
        let other = signature("another-secret-altogether", &body);
        let of_another_body = signature(SECRET, &trial("u2").to_string());

        for signature in [None, Some("zz"), Some(other.as_str()), Some(of_another_body.as_str())] {
            let answer = send(app, "/v1/batch", &key, signature, &body).await;
            assert_eq!(
                (answer.status, answer.problem().as_str()),
                (StatusCode::UNAUTHORIZED, "unauthorized")
            );
        }
        let native = app.call("POST", "/v1/events", Some(&key), "[]").await;
        assert_eq!(
            native.status,
            StatusCode::UNAUTHORIZED,
            "where nothing is signed the key is worth nothing"
        );
        let settings = app.call("GET", &format!("/v1/projects/{key}/settings"), None, "").await;
        assert_eq!(settings.status, StatusCode::UNAUTHORIZED);
        assert!(log(app).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn of_an_array_the_first_message_may_be_all_that_is_signed() {
    run(async |app| {
        let key = signing_key(app).await;
        let (first, second) = (trial("u1").to_string(), trial("u2").to_string());
        let body = format!("[{first},{second}]");

        let by_first = send(app, "/v1/batch", &key, Some(&signature(SECRET, &first)), &body).await;
        let by_second = send(app, "/v1/batch", &key, Some(&signature(SECRET, &second)), &body).await;

        assert_eq!(taken(&by_first)["accepted"], 2);
        assert_eq!(by_second.status, StatusCode::UNAUTHORIZED);
    })
    .await;
}

#[tokio::test]
async fn a_signed_delete_erases_the_person() {
    run(async |app| {
        let key = signing_key(app).await;
        forward(app, &key, &trial("u1")).await;
        forward(app, &key, &trial("u2")).await;
        let start =
            app.get("/v1/changes?cursor=now").await.json()["resume_cursor"].as_str().unwrap().to_owned();

        let answer = forward(app, &key, &delete("u1")).await;
        let again = forward(app, &key, &delete("u1")).await;
        let nobody = forward(app, &key, &delete("nobody")).await;

        for answer in [answer, again, nobody] {
            assert_eq!(
                taken(&answer),
                json!({"success": true, "accepted": 1, "duplicates": 0, "rejected": []})
            );
        }
        assert!(!known(app, "u1").await && known(app, "u2").await);
        assert_eq!(fields(&log(app).await, &["who"]), json!([["user_id:u2"]]));
        let changes = app.get(&format!("/v1/changes?cursor={start}")).await.json();
        assert_eq!(fields(changes["data"].as_array().unwrap(), &["type"]), json!([["lead.erased"]]));
    })
    .await;
}

#[tokio::test]
async fn a_delete_takes_with_it_what_its_own_request_says_of_the_person() {
    run(async |app| {
        let key = signing_key(app).await;

        let answer = forward(app, &key, &json!([delete("u1"), trial("u1"), trial("u2")])).await;

        assert_eq!(taken(&answer)["accepted"], 3);
        assert_eq!(fields(&log(app).await, &["who"]), json!([["user_id:u2"]]));
    })
    .await;
}

#[tokio::test]
async fn nobody_is_erased_by_a_public_key_and_the_sender_is_told() {
    run(async |app| {
        post(app, "/v1/batch", trial("u1").to_string()).await;

        let alone = post(app, "/v1/batch", delete("u1").to_string()).await;
        let by_path = post(app, "/v1/track", delete("u1").to_string()).await;
        let among = post(app, "/v1/batch", json!([trial("u2"), delete("u1")]).to_string()).await;

        for answer in [alone, by_path] {
            assert_eq!((answer.status, answer.problem().as_str()), (StatusCode::FORBIDDEN, "missing_scope"));
        }
        let among = taken(&among);
        assert_eq!((&among["accepted"], &among["rejected"][0]["index"]), (&json!(1), &json!(1)));
        assert_eq!(among["rejected"][0]["code"], "unsigned_delete");
        assert!(known(app, "u1").await);
    })
    .await;
}

#[tokio::test]
async fn a_delete_that_the_signature_does_not_cover_erases_nobody() {
    run(async |app| {
        let key = signing_key(app).await;
        forward(app, &key, &trial("u1")).await;
        let first = trial("u2").to_string();
        let body = format!("[{first},{}]", delete("u1"));

        let answer = send(app, "/v1/batch", &key, Some(&signature(SECRET, &first)), &body).await;

        assert_eq!(taken(&answer)["rejected"][0]["code"], "unsigned_delete");
        assert!(known(app, "u1").await);
    })
    .await;
}

#[tokio::test]
async fn a_delete_of_no_user_is_set_aside_like_any_bad_message() {
    run(async |app| {
        let key = signing_key(app).await;

        let answer = forward(app, &key, &json!([{"type": "delete", "anonymousId": "d1"}, trial("u1")])).await;

        let answer = taken(&answer);
        assert_eq!((&answer["accepted"], &answer["rejected"][0]["index"]), (&json!(1), &json!(0)));
    })
    .await;
}
