//! One message in the address of a picture.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chrono::TimeDelta;
use serde_json::json;

use super::{fields, log, only_event};
use crate::harness::{TestApp, WRITE, run};

/// Fetches a picture as a page does: with no header of its own; it is one whatever became of the message.
async fn fetch(app: &TestApp, uri: &str) {
    let answer = app.send(Request::get(uri).body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.status, StatusCode::OK, "{uri}: {answer:?}");
    assert_eq!(answer.headers[header::CONTENT_TYPE], "image/gif");
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store, private");
    assert!(answer.body.starts_with(b"GIF89a") && answer.body.ends_with(b";"), "{answer:?}");
}

#[tokio::test]
async fn a_picture_brings_a_message() {
    run(async |app| {
        let message = json!({"writeKey": WRITE, "event": "Trial Started", "userId": "u1"}).to_string();

        fetch(app, &format!("/v1/pixel/track?data={}", STANDARD.encode(message).replace('=', "%3D"))).await;

        assert_eq!(only_event(app).await["type"], "trial_started");
    })
    .await;
}

#[tokio::test]
async fn either_alphabet_will_do_padded_or_not_and_a_plus_sign_may_become_a_space() {
    run(async |app| {
        // Encoded, it holds `+`, `/` and `=`, or `-` and `_`.
        let message = |id: &str| json!({"messageId": id, "event": "\u{fb}\u{fe}~~~???>>>", "userId": "u1", "writeKey": WRITE, "z": "ûï¿¾"}).to_string();
        let standard = STANDARD.encode(message("m1"));
        let safe = URL_SAFE_NO_PAD.encode(message("m2"));

        fetch(app, &format!("/v1/pixel/t?x=a-b_c&data={standard}")).await;
        fetch(app, &format!("/v1/pixel/t/?data={safe}")).await;

        assert_eq!(fields(&log(app).await, &["id"]), json!([["m1"], ["m2"]]));
    })
    .await;
}

#[tokio::test]
async fn the_key_may_stand_beside_the_message() {
    run(async |app| {
        let message = STANDARD.encode(r#"{"anonymousId":"d1"}"#);

        fetch(app, &format!("/v1/pixel/page?writeKey={WRITE}&data={message}")).await;

        assert_eq!(only_event(app).await["type"], "page_viewed");
    })
    .await;
}

#[tokio::test]
async fn rudderstacks_picture_has_each_field_in_a_parameter_of_its_own() {
    run(async |app| {
        let key = format!("writeKey={WRITE}&anonymousId=d1");

        fetch(app, &format!("/pixel/v1/track?{key}&event=Trial%20Started&properties.plan=pro")).await;
        app.advance(TimeDelta::seconds(1));
        fetch(
            app,
            &format!("/pixel/v1/page/?{key}&name=Prices&properties.path=/pricing&context.page.title=Acme"),
        )
        .await;

        let events = log(app).await;
        assert_eq!(fields(&events, &["type"]), json!([["trial_started"], ["page_viewed"]]));
        assert_eq!(events[0]["properties"], json!({"plan": "pro"}));
        assert_eq!(events[1]["properties"], json!({"name": "Prices", "path": "/pricing", "title": "Acme"}));
        assert_eq!(app.only_lead().await["engagement"], 30_000, "20 for the trial, 10 for the prices");
    })
    .await;
}

#[tokio::test]
async fn every_look_at_rudderstacks_picture_counts_unless_it_has_an_id() {
    run(async |app| {
        let page = format!("/pixel/v1/page?writeKey={WRITE}&anonymousId=d1");

        for address in
            [page.clone(), page.clone(), format!("{page}&messageId=m1"), format!("{page}&messageId=m1")]
        {
            fetch(app, &address).await;
        }

        assert_eq!(log(app).await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn it_is_a_picture_even_where_nothing_was_understood() {
    run(async |app| {
        let wrong_key = STANDARD.encode(r#"{"writeKey":"wk_none","anonymousId":"d1"}"#);
        let addresses = [
            "/v1/pixel/track".to_owned(),
            "/v1/pixel/track?data=***".to_owned(),
            "/v1/pixel/track?data=a&data=b".to_owned(),
            "/v1/pixel/%ff?data=%ff".to_owned(),
            "/v1/pixel/fly?data=e30=".to_owned(),
            format!("/v1/pixel/page?data={wrong_key}"),
            "/pixel/v1/track".to_owned(),
            "/pixel/v1/%ff?writeKey=%ff".to_owned(),
            "/pixel/v1/page?writeKey=wk_none&anonymousId=d1".to_owned(),
            format!("/pixel/v1/track?writeKey={WRITE}&{}=x", "a.".repeat(9_000)),
            format!("/pixel/v1/track?writeKey={WRITE}&anonymousId=d1"),
        ];

        for address in addresses {
            fetch(app, &address).await;
        }

        assert!(log(app).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_look_without_an_id_is_an_event_and_asking_about_the_picture_is_none() {
    run(async |app| {
        let message =
            STANDARD.encode(json!({"event": "Viewed", "userId": "u1", "writeKey": WRITE}).to_string());
        let uri = format!("/v1/pixel/track?data={}", message.replace('=', "%3D"));

        for _ in 0..2 {
            fetch(app, &uri).await;
        }
        for uri in [uri, format!("/pixel/v1/track?writeKey={WRITE}&userId=u1&event=Viewed")] {
            let head = app.send(Request::head(uri).body(Body::empty()).unwrap()).await;
            assert_eq!(head.headers[header::CONTENT_TYPE], "image/gif");
        }

        assert_eq!(log(app).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn whoever_fetches_a_picture_is_judged_by_its_own_user_agent() {
    run(async |app| {
        let uri = format!("/pixel/v1/track?writeKey={WRITE}&userId=u1&event=Trial%20Started");
        let request = Request::get(uri).header(header::USER_AGENT, "curl/8.5.0");

        app.send(request.body(Body::empty()).unwrap()).await;

        assert_eq!(app.get("/v1/leads/by/external_id/u1").await.json()["raw"], 0, "a machine looked");
    })
    .await;
}
