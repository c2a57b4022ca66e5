//! A suspect click waits until it is known who clicked.

use chrono::TimeDelta;
use leadscore::{
    intake::{
        ingest::{
            Submission,
            event::{Arrival, Found},
            submit,
        },
        verdicts::Finding,
    },
    leads::identity::{Identity, Kind, Named},
};
use serde_json::{Map, Value, json};

use super::{click, delivered, raw, verdicts};
use crate::harness::run;

#[tokio::test]
async fn a_suspect_click_waits_before_it_counts() {
    run(async |app| {
        app.events(json!([delivered("08:59:30"), click("a", "08:59:50", "a")])).await;

        let lead = app.only_lead().await["id"].as_str().unwrap().to_owned();
        let log = app.pages(&format!("/v1/leads/{lead}/events?verdict=suspect")).await;
        assert_eq!(log[0]["verdict_reason"], "soon_after_delivery");
        assert_eq!(log[0]["held_until"], "2026-03-02T09:01:50Z");
        assert_eq!(raw(app, "ann@").await, 0);
        let before = app.post(&format!("/v1/leads/{lead}/score/what-if"), "{}").await.json();
        assert_eq!(before["before"]["raw"], 0);

        app.advance(TimeDelta::seconds(109));
        assert_eq!(app.run_due().await, 0, "not yet");
        app.advance(TimeDelta::seconds(1));
        assert_eq!(app.run_due().await, 1);

        assert_eq!(raw(app, "ann@").await, 3_000);
        let log = app.pages(&format!("/v1/leads/{lead}/events?verdict=suspect")).await;
        assert_eq!((log.len(), &log[0]["held_until"]), (1, &Value::Null));
    })
    .await;
}

#[tokio::test]
async fn what_waits_and_turns_out_to_be_a_machines_never_counts() {
    run(async |app| {
        app.events(json!([delivered("08:59:30"), click("a", "08:59:50", "a")])).await;

        app.events(click("b", "08:59:51", "b")).await;
        app.advance(TimeDelta::minutes(5));
        assert_eq!(app.run_due().await, 0, "there is nothing left to be let go");

        let machine = ["a machine several_links", "b machine several_links", "delivered human -"];
        assert_eq!(verdicts(app, "ann@").await, machine);
        assert_eq!(raw(app, "ann@").await, 0);
    })
    .await;
}

#[tokio::test]
async fn what_waits_for_somebody_who_is_no_lead_yet_counts_when_they_become_one() {
    run(async |app| {
        let found = Found {
            id: Some("a".to_owned()),
            kind: "email_clicked".to_owned(),
            name: None,
            named: Named::in_passing(Identity::parse(Kind::Email, "ann@acme.example").unwrap()),
            original_at: None,
            sent_at: None,
            corrected: true,
            properties: Map::new(),
            traits: None,
            context: None,
            hint: Some(Finding::NoAgent),
        };
        let arrival = Arrival { at: app.now(), api_key: None };
        let events = vec![(0, found.into_event(arrival, String::new).unwrap())];
        submit(
            &app.app.intake.writers,
            Submission { arrival, events, refused: Vec::new(), want_leads: false, size: 0 },
        )
        .await
        .unwrap();
        app.advance(TimeDelta::minutes(2));
        app.run_due().await;

        app.events(json!({"id": "b", "type": "chat_started", "lead": {"email": "ann@acme.example"}})).await;

        assert_eq!(verdicts(app, "ann@").await, ["a suspect no_agent", "b human -"]);
        assert_eq!(raw(app, "ann@").await, 13_000);
    })
    .await;
}
