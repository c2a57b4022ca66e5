//! The threads on which requests are answered: no request keeps one of them from the others for long.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::json;

use crate::{
    harness::{TestApp, run},
    worst::{Ground, Pulse, Worst},
};

/// How long one request may keep the one thread from everything else, in processor time. Tests are built without
/// optimisation: what takes a millisecond in the service takes ten to thirty here. Without what is tested the requests below
/// take seconds.
const LONGEST: Duration = Duration::from_millis(250);
/// How many heavy requests are under way at once.
const AT_ONCE: usize = 2;
/// Requests of every kind that run in a few seconds.
const QUICK: [&str; 9] = [
    "events: 10 000 mistakes, a line each",
    "events: 64 KiB each of escapes",
    "events: 64 KiB each of user agent",
    "batch: a form in parts",
    "batch: a long time of sending",
    "Postmark: many fields",
    "leads/batch: 1 000 of 10 KiB",
    "q: a domain in Punycode",
    "query: 10 000 parameters",
];

/// Sends heavy requests, and meanwhile asks whether the service is alive and sends it one small event after the other.
async fn overrun(app: &TestApp, requests: Vec<Worst>) {
    let (router, pulse, heavy) = (app.router.clone(), Pulse::start(), requests.len());
    let sent = stream::iter(requests).for_each_concurrent(AT_ONCE, async |worst| {
        let (router, name, size) = (router.clone(), worst.name, worst.size());
        let (status, _) = tokio::spawn(async move { worst.send(&router).await }).await.unwrap();
        assert!(status < 500, "{name}, {size} bytes: {status}");
    });
    let mut sent = std::pin::pin!(sent);
    let mut answered = 0;
    loop {
        let (app, small) = (app.clone(), answered);
        let asked = tokio::spawn(async move {
            let alive = app.get("/healthz").await;
            let event =
                json!({"id": format!("small{small}"), "type": "page_viewed", "lead": {"user_id": "small"}});
            let taken = app.post("/v1/events", event.to_string()).await;
            assert_eq!((alive.status.as_u16(), &taken.json()["accepted"]), (200, &json!(1)), "{taken:?}");
        });
        let (done, ()) =
            tokio::join!(futures_util::future::poll_immediate(sent.as_mut()), async { asked.await.unwrap() });
        answered += 1;
        if done.is_some() {
            break;
        }
    }
    let longest = pulse.longest();
    assert!(longest <= LONGEST, "for {longest:?} nothing else went on");
    assert!(answered >= heavy, "{answered} small requests beside {heavy} heavy ones");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn heavy_requests_keep_no_thread_from_the_others() {
    run(async |app| {
        let ground = Ground::prepare(&app.router, 300, 5).await;
        let mut requests = ground.requests(app.now());
        requests.retain(|worst| QUICK.contains(&worst.name));
        assert_eq!(requests.len(), QUICK.len());
        app.run_due().await;

        overrun(app, requests).await;

        app.run_due().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "takes minutes: every heavy request there is"]
async fn no_heavy_request_keeps_a_thread_from_the_others() {
    run(async |app| {
        let ground = Ground::prepare(&app.router, 2_000, 50).await;
        app.run_due().await;

        overrun(app, ground.requests(app.now())).await;

        app.run_due().await;
    })
    .await;
}

#[tokio::test]
async fn a_query_has_at_most_a_thousand_parameters() {
    run(async |app| {
        let query = |parameters: usize| {
            let names: Vec<String> = (0..parameters).map(|n| format!("n{n}=1")).collect();
            format!("/v1/models/compare?{}", names.join("&"))
        };

        let most = app.get(&query(1_000)).await;
        let more = app.get(&query(1_001)).await.json();

        assert!(!most.json()["message"].as_str().unwrap().contains("1000"), "{most:?}");
        assert_eq!(
            (&more["code"], more["message"].as_str().unwrap().contains("1000")),
            (&json!("invalid_parameter"), true)
        );
    })
    .await;
}

#[tokio::test]
async fn an_ordinary_call_takes_256_kibibytes_of_json() {
    run(async |app| {
        let padded = |bytes: usize| {
            let open = r#"{"name": "a key", "scopes": ["read"]"#;
            format!("{open}{}}}", " ".repeat(bytes - open.len() - 1))
        };

        let most = app.post("/v1/keys", padded(256 * 1024)).await;
        let more = app.post("/v1/keys", padded(256 * 1024 + 1)).await;

        assert_eq!((most.status.as_u16(), more.status.as_u16()), (201, 413), "{most:?} {more:?}");
    })
    .await;
}

#[tokio::test]
async fn of_many_mistakes_a_hundred_are_listed() {
    run(async |app| {
        let line = json!({"label": "other", "domain": "a b"});
        let policy = json!({"exclusions": vec![line; 5_000]});

        let answer = app.call("PUT", "/v1/policy", Some(crate::harness::ADMIN), policy.to_string()).await;

        assert_eq!(answer.json()["errors"].as_array().unwrap().len(), 100);
        assert!(answer.json()["message"].as_str().unwrap().len() <= 4 * 1024 + 3);
    })
    .await;
}

#[tokio::test]
async fn the_context_of_a_batch_counts_with_each_of_its_messages() {
    run(async |app| {
        let batch = |messages: usize| {
            let message = json!({"type": "track", "event": "a", "userId": "u"});
            let context = json!({"a": "x".repeat(2_000)});
            json!({"batch": vec![message; messages], "context": context}).to_string()
        };

        let taken = app.post("/v1/batch", batch(100)).await;
        let refused = app.post("/v1/batch", batch(6_000)).await;

        assert_eq!((taken.status.as_u16(), refused.status.as_u16()), (200, 413), "{refused:?}");
        assert!(refused.json()["message"].as_str().unwrap().contains("context"));
    })
    .await;
}
