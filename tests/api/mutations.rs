//! Damaged bodies: whatever arrives, the service does not fail, and what it says it took it has.

use proptest::{
    collection::vec,
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use serde_json::json;

use crate::harness::{TestApp, run};

const CASES: u32 = 150;

#[derive(Debug, Clone)]
enum Damage {
    Flip { at: usize, bits: u8 },
    Cut { at: usize },
    Repeat { at: usize, length: usize },
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => (any::<usize>(), 1_u8..).prop_map(|(at, bits)| Damage::Flip { at, bits }),
        1 => any::<usize>().prop_map(|at| Damage::Cut { at }),
        2 => (any::<usize>(), 1_usize..120).prop_map(|(at, length)| Damage::Repeat { at, length }),
    ]
}

fn apply(damage: &Damage, body: &mut Vec<u8>) {
    let length = body.len().max(1);
    match *damage {
        Damage::Flip { at, bits } => body.iter_mut().skip(at % length).take(1).for_each(|byte| *byte ^= bits),
        Damage::Cut { at } => body.truncate(at % length),
        Damage::Repeat { at, length: some } => {
            let from = at % length;
            let slice = body[from.min(body.len())..body.len().min(from + some)].to_vec();
            body.splice(from.min(body.len())..from.min(body.len()), slice);
        }
    }
}

/// Sends damaged copies of a body; how many events were taken in all.
async fn send_damaged(app: &TestApp, path: &str, body: &[u8]) -> i64 {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        prop::test_runner::TestRng::deterministic_rng(prop::test_runner::RngAlgorithm::ChaCha),
    );
    let several = vec(damage(), 1..4);
    let mut events = 0;
    for _ in 0..CASES {
        let mut damaged = body.to_vec();
        for one in several.new_tree(&mut runner).unwrap().current() {
            apply(&one, &mut damaged);
        }
        let shown = String::from_utf8_lossy(&damaged).into_owned();

        let answer = app.post(path, damaged).await;

        let status = answer.status.as_u16();
        assert!(status == 200 || (400..500).contains(&status), "{answer:?} to {shown}");
        if status == 200 {
            events += answer.json()["accepted"].as_i64().unwrap();
        } else {
            answer.problem();
        }
        assert_eq!(app.count("event").await, events, "{answer:?} to {shown}");
    }
    events
}

#[tokio::test]
async fn what_is_accepted_of_a_damaged_body_is_in_the_log_and_nothing_else() {
    run(async |app| {
        let body = json!([
            {"id": "e1", "type": "page_viewed", "lead": {"anonymous_id": "d1"}, "occurred_at": "2026-03-01T09:00:00Z",
             "properties": {"path": "/pricing", "n": 12.5e3, "list": [1, {"a": "ü€😀"}]}, "context": {"ip": "192.0.2.1"}},
            {"id": "e2", "type": "identify", "lead": {"user_id": "u1", "anonymous_id": "d1", "email": "a@acme.example"},
             "traits": {"title": "VP Sales", "company": {"employees": 120}}},
            {"id": "e3", "type": "demo_requested", "lead": {"user_id": "u1"}, "sent_at": "2026-03-02T09:00:00Z",
             "occurred_at": "2026-03-02T08:00:00Z"},
        ]);

        let events = send_damaged(app, "/v1/events", body.to_string().as_bytes()).await;

        assert!(events > 0, "some items came through undamaged");
    })
    .await;
}

#[tokio::test]
async fn what_is_accepted_of_a_damaged_tracking_batch_is_in_the_log_and_nothing_else() {
    run(async |app| {
        let body = json!({
            "sentAt": "2026-03-02T09:00:00Z", "context": {"library": {"name": "analytics.js"}},
            "batch": [
                {"type": "page", "messageId": "m1", "anonymousId": "d1", "timestamp": "2026-03-02T08:59:00Z",
                 "properties": {"url": "https://www.example.com/pricing?utm_source=x", "title": "Prices"}},
                {"type": "identify", "messageId": "m2", "userId": "u1", "anonymousId": "d1",
                 "traits": {"email": "a@acme.example", "title": "Director"}},
                {"type": "track", "messageId": "m3", "event": "Demo Requested", "userId": 17, "properties": {"n": 1}},
                {"type": "group", "messageId": "m4", "userId": "u1", "groupId": "g1", "traits": {"employees": 90}},
                {"type": "alias", "messageId": "m5", "userId": "u2", "previousId": "d2"},
            ]
        });

        let events = send_damaged(app, "/v1/batch", body.to_string().as_bytes()).await;

        assert!(events > 0, "some messages came through undamaged");
    })
    .await;
}
