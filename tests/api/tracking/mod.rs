//! Segment's tracking API as real trackers speak it.
//!
//! Fifteen rules decide whether an SDK that nobody here wrote just works. Each was learned from what SDKs do where it does
//! not hold; these tests hold them:
//!
//! 1. A success is exactly `200` with JSON that says `"success": true`; some SDKs take any other 2xx for a failure.
//!    `answers::every_path_answers_a_success_by_exactly_200_and_json_that_says_so`
//! 2. A body is JSON whatever its content type says. `bodies::a_body_is_json_whatever_it_is_called`,
//!    `recorded::rudderstacks_node_sdk_is_understood_though_it_calls_its_json_a_form`
//! 3. A body may be compressed, and is bounded by what it unpacks to.
//!    `recorded::segments_python_sdk_is_understood_compressed`, and in `super::bodies`
//!    `a_body_may_be_compressed_with_gzip_or_zstd`, `a_bomb_is_refused_before_more_than_ten_mebibytes_of_it_are_unpacked`
//! 4. A refusal carries the strings `code` and `message`, or SDKs fail over it and send again.
//!    `refusals::a_body_that_cannot_be_read_is_a_problem_with_code_and_message`,
//!    `keys::a_wrong_key_and_none_are_refused_in_a_form_that_sdks_read`
//! 5. No POST is redirected; SDKs lose it and report success. `answers::no_post_is_ever_redirected`,
//!    `bodies::batches_are_taken_on_every_path_with_and_without_a_slash_at_the_end`
//! 6. A bad message sinks no other. `refusals::a_bad_message_is_reported_by_its_place_and_sinks_no_other`
//! 7. `messageId` is known again for as long as the log is kept. `answers::a_message_id_is_known_again_months_later`,
//!    `recorded::everything_again_is_a_duplicate_and_changes_nothing`
//! 8. Who is to try again is told when, in whole seconds, at least one.
//!    `answers::who_is_to_try_again_is_told_when_in_whole_seconds_and_browsers_may_read_it`
//! 9. Scripts may read that. The same, and `browsers::scripts_may_read_when_to_try_again`
//! 10. CORS mirrors the origin and the headers asked for, and a preflight needs no key.
//!     `browsers::a_preflight_needs_no_key_and_is_granted_every_header`
//! 11. The key is taken wherever a client puts it, a header before the address before the body. All of `keys`
//! 12. Browser SDKs are told where to send before they send anything. All of `bootstrap`
//! 13. That reply keeps visitors' data here. `bootstrap::segments_browser_sdk_is_told_to_send_here_and_no_telemetry`,
//!     `browsers::telemetry_of_sdks_is_taken_and_goes_nowhere`
//! 14. A server SDK's own user agent says nothing of the visitor: events of every server SDK count.
//!     `answers::an_event_counts_whatever_library_its_server_sent_it_by`, and in `super::verdicts`
//!     `a_servers_own_user_agent_says_nothing_of_the_people_that_it_speaks_of`
//! 15. A wrong clock is corrected by the time of sending wherever it stands, and only where there is one. All of `clocks`

mod answers;
mod bodies;
mod bootstrap;
mod browsers;
mod clocks;
mod forwarded;
mod jitsu;
mod keys;
mod messages;
mod pixel;
mod recorded;
mod recording;
mod refusals;
mod tracker;

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::harness::{Answer, TestApp, WRITE};

/// The `Authorization` of most SDKs: the key as user name, no password.
fn basic(key: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{key}:")))
}

async fn post(app: &TestApp, path: &str, body: impl Into<Body>) -> Answer {
    let request = Request::post(path).header(header::AUTHORIZATION, basic(WRITE));
    app.send(request.body(body.into()).expect("a request")).await
}

/// Sends what must be taken whole: the answer, after a look at its form.
async fn take(app: &TestApp, path: &str, body: &Value) -> Value {
    let answer = post(app, path, body.to_string()).await;
    let answer = taken(&answer);
    assert_eq!(answer["rejected"], json!([]), "{answer}");
    answer
}

/// The body of a success as every SDK understands it: exactly 200, and JSON that says so.
fn taken(answer: &Answer) -> Value {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json", "{answer:?}");
    let answer = answer.json();
    assert_eq!(answer["success"], true, "{answer}");
    answer
}

/// The log as it stands, in the order of what happened.
async fn log(app: &TestApp) -> Vec<Value> {
    sqlx::query_scalar(
        "select jsonb_build_object('id', e.id, 'type', e.type, 'name', e.name, 'who', i.kind || ':' || i.value,
            'at', e.occurred_at, 'properties', e.properties, 'traits', e.traits, 'context', e.context)
        from event e join identity i on i.id = e.identity_id
        order by e.occurred_at, e.id",
    )
    .fetch_all(&mut app.database.connect().await)
    .await
    .expect("the log")
}

/// The one event that there is.
async fn only_event(app: &TestApp) -> Value {
    let log = log(app).await;
    assert_eq!(log.len(), 1, "{log:?}");
    log[0].clone()
}

/// Some fields of every event.
fn fields(events: &[Value], names: &[&str]) -> Value {
    events.iter().map(|event| names.iter().map(|name| event[name].clone()).collect::<Value>()).collect()
}
