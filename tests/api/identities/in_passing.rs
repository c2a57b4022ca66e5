//! Addresses that an event names only in passing.

use leadscore::{
    intake::ingest::{
        Answer, Submission,
        event::{Arrival, Found},
        submit,
    },
    leads::identity::{Identity, Kind, Named},
};
use serde_json::{Map, json};

use super::{count, identify, leads, standing};
use crate::harness::{TestApp, run};

/// Brings a form that an address sent, without making a lead of the address.
async fn in_passing(app: &TestApp, id: &str, email: &str, at: &str) -> Answer {
    let arrival = Arrival { at: app.now(), api_key: None };
    let found = Found {
        id: Some(id.to_owned()),
        kind: "form_submitted".to_owned(),
        name: None,
        named: Named::in_passing(Identity::parse(Kind::Email, email).unwrap()),
        original_at: Some(at.parse().unwrap()),
        sent_at: None,
        corrected: true,
        properties: Map::new(),
        traits: Some(Map::from_iter([("title".to_owned(), json!("Director"))])),
        context: None,
        hint: None,
    };
    let event = found.into_event(arrival, String::new).unwrap();
    let events = vec![(0, event)];
    let submission = Submission { arrival, events, refused: Vec::new(), want_leads: true, size: 0 };
    submit(&app.app.intake.writers, submission).await.unwrap()
}

#[tokio::test]
async fn an_address_that_is_named_only_in_passing_is_no_lead() {
    run(async |app| {
        let answer = in_passing(app, "f1", "a@acme.example", "2026-02-01T09:00:00Z").await;
        let again = in_passing(app, "f1", "a@acme.example", "2026-02-01T09:00:00Z").await;

        assert_eq!((answer.accepted, answer.leads), (1, Some(Vec::new())));
        assert_eq!((again.accepted, again.duplicates), (0, 1));
        assert_eq!(leads(app).await, 0);
        assert_eq!(app.get("/v1/leads/by/email/a@acme.example").await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn what_was_said_in_passing_counts_once_the_address_is_a_leads_whatever_came_first() {
    let calls = [
        identify("i1", &json!({"user_id": "u1", "anonymous_id": "d1"}), "2026-02-02T09:00:00Z"),
        identify("i2", &json!({"user_id": "u1", "email": "a@acme.example"}), "2026-02-03T09:00:00Z"),
        json!({"id": "e1", "type": "form_submitted", "lead": {"email": "a@acme.example"}, "occurred_at": "2026-02-04T09:00:00Z"}),
    ];
    let mut outcomes = Vec::new();
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
        for passing in 0..=calls.len() {
            run(async |app| {
                for (place, index) in order.into_iter().enumerate() {
                    if place == passing {
                        in_passing(app, "f1", "a@acme.example", "2026-02-01T09:00:00Z").await;
                    }
                    app.events(calls[index].clone()).await;
                }
                if passing == calls.len() {
                    in_passing(app, "f1", "a@acme.example", "2026-02-01T09:00:00Z").await;
                }
                assert_eq!(count(app, &app.only_lead().await, "form sent").await, 2);
                outcomes.push(standing(&app.only_lead().await));
            })
            .await;
        }
    }
    for outcome in &outcomes {
        assert_eq!(outcome, &outcomes[0]);
    }
}

#[tokio::test]
async fn an_upsert_makes_a_lead_of_an_address_that_was_named_in_passing() {
    run(async |app| {
        in_passing(app, "f1", "a@acme.example", "2026-02-01T09:00:00Z").await;

        let made = app.post("/v1/leads", json!({"email": "a@acme.example"}).to_string()).await;

        assert_eq!(made.status, 201, "{made:?}");
        let lead = app.only_lead().await;
        assert_eq!((&lead["profile"]["title"], &lead["fit"]), (&json!("Director"), &json!(20_000)));
        assert_eq!(count(app, &lead, "form sent").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_said_in_passing_is_lost_while_somebody_else_makes_the_lead() {
    run(async |app| {
        let address = |n: usize| format!("p{n}@acme.example");
        for n in (0..30).step_by(2) {
            in_passing(app, "f0", &address(n), "2026-02-01T08:00:00Z").await;
        }
        let said = (0..30).flat_map(|n| (0..3).map(move |times| (n, times)));
        let said = said.map(async |(n, times)| {
            in_passing(app, &format!("g{times}"), &address(n), "2026-02-01T09:00:00Z").await
        });
        let known = (0..30).map(async |n| {
            let lead = json!({"user_id": format!("u{n}"), "email": address(n)});
            app.events(identify("i1", &lead, "2026-02-02T09:00:00Z")).await
        });

        tokio::join!(futures_util::future::join_all(said), futures_util::future::join_all(known));

        for n in 0..30 {
            let lead = app.lead(&address(n)).await;
            let sent = 3 + usize::from(n % 2 == 0);
            let path = format!("/v1/leads/{}", lead["id"].as_str().unwrap());
            let found = app.pages(&format!("{path}/events?type=form_submitted")).await;
            assert_eq!(found.len(), sent, "p{n}");
            let replayed = app.get(&format!("{path}/score")).await.json();
            assert_eq!(lead["raw"], replayed["raw"], "p{n}");
        }
    })
    .await;
}
