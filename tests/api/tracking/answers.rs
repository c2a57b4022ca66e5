//! What every answer holds to, so that no SDK loses an event, or sends one for ever.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use chrono::TimeDelta;
use serde_json::json;

use super::{basic, only_event, post, take, taken};
use crate::harness::{WRITE, run};

/// Every path that takes events in Segment's shape, without a slash at the end.
fn paths() -> Vec<String> {
    let calls = ["identify", "track", "page", "screen", "group", "alias"];
    let named = calls.iter().flat_map(|call| {
        [
            format!("/v1/{call}"),
            format!("/v1/{}", &call[..1]),
            format!("/api/s/{call}"),
            format!("/api/s/s2s/{call}"),
        ]
    });
    let batches = ["/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch"].map(str::to_owned);
    named.chain(batches).chain(["/v1/m".to_owned()]).collect()
}

#[tokio::test]
async fn every_path_answers_a_success_by_exactly_200_and_json_that_says_so() {
    run(async |app| {
        let message = json!({"type": "track", "event": "Trial Started", "userId": "u1", "previousId": "d1", "groupId": "g1"});
        for path in paths() {
            for body in [&message, &message, &json!({"nothing": "that anybody understands"}), &json!([])] {
                taken(&post(app, &path, body.to_string()).await);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn no_post_is_ever_redirected() {
    run(async |app| {
        for path in paths().into_iter().chain(["/".to_owned(), "/v1".to_owned(), "/api/s/".to_owned()]) {
            for path in [format!("{path}/"), format!("/{path}"), path.to_uppercase(), path] {
                let answer = post(app, &path, "{}").await;

                assert!(!answer.status.is_redirection(), "{path}: {answer:?}");
                assert!(!answer.headers.contains_key(header::LOCATION), "{path}: {answer:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_message_id_is_known_again_months_later() {
    run(async |app| {
        // A browser keeps what it could not send until the visitor comes again.
        let message = json!({
            "event": "Trial Started", "userId": "u1", "messageId": "m1", "timestamp": "2026-03-01T09:00:00Z"
        });
        take(app, "/v1/track", &message).await;
        app.advance(TimeDelta::days(180));
        app.run_due().await;

        let again = take(app, "/v1/track", &message).await;

        assert_eq!([&again["accepted"], &again["duplicates"]], [0, 1]);
        only_event(app).await;
    })
    .await;
}

#[tokio::test]
async fn who_is_to_try_again_is_told_when_in_whole_seconds_and_browsers_may_read_it() {
    run(async |app| {
        let stopped = app.second_instance().await;
        stopped.app.shut_down().await;
        let request = Request::post("/v1/t")
            .header(header::AUTHORIZATION, basic(WRITE))
            .header(header::ORIGIN, "https://www.acme.example");

        let answer =
            stopped.send(request.body(Body::from(r#"{"event": "x", "userId": "u1"}"#)).unwrap()).await;

        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "overloaded")
        );
        let seconds: u64 = answer.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
        assert!(seconds >= 1);
        assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://www.acme.example");
        let exposed = answer.headers[header::ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap();
        assert!(exposed.contains("retry-after"), "{exposed}");
    })
    .await;
}

#[tokio::test]
async fn an_event_counts_whatever_library_its_server_sent_it_by() {
    run(async |app| {
        let libraries = [
            ("analytics-node-next/latest", "@segment/analytics-node"),
            ("analytics-python/2.4.0", "analytics-python"),
            ("python-requests/2.34", "analytics-python"),
            ("node", "jitsu-js"),
            ("axios/1.6.0", "@rudderstack/rudder-sdk-node"),
            ("Go-http-client/1.1", "analytics-go"),
        ];
        for (agent, library) in libraries {
            let message = json!({
                "event": "Trial Started", "userId": agent, "context": {"library": {"name": library}}
            });
            let request = Request::post("/v1/track")
                .header(header::AUTHORIZATION, basic(WRITE))
                .header(header::USER_AGENT, agent);

            taken(&app.send(request.body(Body::from(message.to_string())).unwrap()).await);

            assert_eq!(app.lead(agent).await["engagement"], 20_000, "{agent}");
        }
    })
    .await;
}
