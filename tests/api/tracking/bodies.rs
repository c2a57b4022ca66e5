//! The shapes of a body, and the paths that take them.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use serde_json::{Value, json};

use super::{basic, fields, log, only_event, post, take, taken};
use crate::harness::{WRITE, run};

/// Every path that takes a batch, as clients write them.
const BATCHES: [&str; 4] = ["/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch"];
/// Every path that takes one message.
const CALLS: [(&str, &str); 6] = [
    ("identify", "identify"),
    ("track", "demo_requested"),
    ("page", "page_viewed"),
    ("screen", "screen_viewed"),
    ("group", "group"),
    ("alias", "alias"),
];

fn demo(id: &str) -> Value {
    json!({"type": "track", "event": "Demo Requested", "userId": "u1", "messageId": id})
}

#[tokio::test]
async fn batches_are_taken_on_every_path_with_and_without_a_slash_at_the_end() {
    run(async |app| {
        for path in BATCHES.iter().flat_map(|path| [(*path).to_owned(), format!("{path}/")]) {
            let answer = take(app, &path, &json!({"batch": [demo(&path)]})).await;

            assert_eq!(answer["accepted"], 1, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_path_names_the_call_long_or_in_one_letter_with_and_without_a_slash_at_the_end() {
    run(async |app| {
        let message = json!({"event": "Demo Requested", "userId": "u1", "previousId": "d1", "groupId": "g1"});
        let mut expected = Vec::new();
        for (call, kind) in CALLS {
            for path in [
                format!("/v1/{call}"),
                format!("/v1/{call}/"),
                format!("/v1/{}", &call[..1]),
                format!("/v1/{}/", &call[..1]),
            ] {
                let mut message = message.clone();
                message["messageId"] = json!(path);
                take(app, &path, &message).await;
                expected.push(json!([path, kind]));
            }
        }

        expected.sort_by_key(Value::to_string);
        assert_eq!(fields(&log(app).await, &["id", "type"]), Value::Array(expected));
    })
    .await;
}

#[tokio::test]
async fn an_unknown_path_is_a_problem_and_never_a_redirect() {
    run(async |app| {
        for path in ["/v1/batch//", "/v1/tracks", "//v1/batch"] {
            let answer = post(app, path, "{}").await;

            assert_eq!(
                (answer.status, answer.problem().as_str()),
                (StatusCode::NOT_FOUND, "not_found"),
                "{path}"
            );
        }
        assert_eq!(app.get("/v1/batch").await.status, StatusCode::METHOD_NOT_ALLOWED);
    })
    .await;
}

#[tokio::test]
async fn an_array_and_one_message_alone_are_taken_as_batches_are() {
    run(async |app| {
        let array = take(app, "/v1/batch", &json!([demo("m1"), demo("m2")])).await;
        let alone = take(app, "/v1/batch", &demo("m3")).await;
        let none = take(app, "/v1/batch", &json!({"batch": []})).await;

        assert_eq!([&array["accepted"], &alone["accepted"], &none["accepted"]], [2, 1, 0]);
    })
    .await;
}

#[tokio::test]
async fn a_body_is_json_whatever_it_is_called() {
    run(async |app| {
        for kind in
            ["text/plain", "application/x-www-form-urlencoded", "application/json;charset=UTF-8", "image/png"]
        {
            let request = Request::post("/v1/t")
                .header(header::AUTHORIZATION, basic(WRITE))
                .header(header::CONTENT_TYPE, kind);

            let answer = app.send(request.body(Body::from(demo(kind).to_string())).unwrap()).await;

            assert_eq!(taken(&answer)["accepted"], 1, "{kind}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_form_holds_the_event_in_its_data_or_in_its_fields() {
    run(async |app| {
        let form = |body: &'static str| {
            Request::post("/v1/t")
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Body::from(body))
                .unwrap()
        };
        let in_data = "data=%7B%22writeKey%22%3A%22wk_test_0123456789abcdefghij%22%2C%22event%22%3A%22In+data%22%2C%22userId%22%3A%22u1%22%7D";
        let in_fields = "writeKey=wk_test_0123456789abcdefghij&event=In+fields&userId=u1";

        taken(&app.send(form(in_data)).await);
        taken(&app.send(form(in_fields)).await);

        let mut names: Vec<String> = log(app).await.iter().map(|event| event["name"].to_string()).collect();
        names.sort();
        assert_eq!(names, [r#""In data""#, r#""In fields""#]);
    })
    .await;
}

#[tokio::test]
async fn what_holds_for_a_batch_holds_for_each_message_that_says_nothing_else() {
    run(async |app| {
        let batch = json!({
            "context": {"locale": "de-DE", "page": {"path": "/pricing"}},
            "integrations": {"All": true},
            "batch": [{"type": "page", "anonymousId": "d1", "context": {"locale": "fr-FR"}}]
        });

        take(app, "/v1/batch", &batch).await;

        let event = only_event(app).await;
        assert_eq!(event["context"], json!({"locale": "fr-FR", "page": {"path": "/pricing"}}));
        assert_eq!(event["properties"], json!({"path": "/pricing"}));
    })
    .await;
}

#[tokio::test]
async fn a_message_without_an_id_is_known_again_by_what_it_says() {
    run(async |app| {
        let message = |plan: &str| {
            json!({"type": "track", "event": "Demo Requested", "userId": "u1", "timestamp": "2026-03-01T09:00:00Z",
                "properties": {"plan": plan}})
        };

        let first = take(app, "/v1/batch", &json!({"batch": [message("pro")], "sentAt": "2026-03-01T09:00:01Z"})).await;
        let again = take(app, "/v1/track", &message("pro")).await;
        let other = take(app, "/v1/track", &message("team")).await;

        assert_eq!([&first["accepted"], &again["duplicates"], &other["accepted"]], [1, 1, 1]);
    })
    .await;
}
