//! Identities that are named together are one lead.

use serde_json::{Value, json};

use super::{count, identify, leads, standing};
use crate::harness::run;

fn visit(id: &str, device: &str, at: &str) -> Value {
    json!({"id": id, "type": "page_viewed", "lead": {"anonymous_id": device}, "occurred_at": at, "properties": {"path": "/pricing"}})
}

#[tokio::test]
async fn what_a_stranger_did_counts_for_the_lead_from_the_start() {
    run(async |app| {
        app.events(visit("e1", "d1", "2026-03-01T09:00:00Z")).await;
        let stranger = app.only_lead().await;
        assert_eq!(stranger["stage"], "anonymous");

        app.events(identify("e2", &json!({"anonymous_id": "d1", "user_id": "u1"}), "2026-03-02T08:00:00Z"))
            .await;

        let known = app.only_lead().await;
        assert_eq!(
            (&known["stage"], &known["score"], &known["fit"]),
            (&json!("lead"), &json!(30), &json!(20_000))
        );
        assert_eq!(known["id"], stranger["id"], "a visitor who identifies stays the lead that it was");
    })
    .await;
}

#[tokio::test]
async fn an_identify_of_all_three_makes_one_lead() {
    run(async |app| {
        app.events(json!([
            visit("e1", "d1", "2026-03-01T09:00:00Z"),
            {"id": "e2", "type": "form_submitted", "lead": {"email": "Jane@Acme.example"}},
            {"id": "e3", "type": "trial_started", "lead": {"user_id": "u1"}},
        ]))
        .await;
        assert_eq!(leads(app).await, 3);

        let all = json!({"user_id": "u1", "email": " jane@acme.EXAMPLE ", "anonymous_id": "d1"});
        app.events(identify("e4", &all, "2026-03-02T09:00:00Z")).await;

        let lead = app.only_lead().await;
        assert_eq!((&lead["user_id"], &lead["email"]), (&json!("u1"), &json!("jane@acme.example")));
        assert_eq!(lead["engagement"], 35_000, "10 for prices, 5 for the form, 20 for the trial");
    })
    .await;
}

#[tokio::test]
async fn the_lead_that_was_joined_is_still_found_by_its_old_id() {
    run(async |app| {
        app.events(visit("e1", "d1", "2026-03-01T09:00:00Z")).await;
        let old = app.only_lead().await["id"].as_str().unwrap().to_owned();
        app.events(json!({"id": "e2", "type": "trial_started", "lead": {"user_id": "u1"}})).await;
        app.events(identify("e3", &json!({"user_id": "u1", "anonymous_id": "d1"}), "2026-03-02T09:00:00Z"))
            .await;

        let found = app.get(&format!("/v1/leads/{old}")).await.json();

        assert_eq!(found["id"], app.only_lead().await["id"]);
        assert_ne!(found["id"], old);
    })
    .await;
}

#[tokio::test]
async fn two_people_on_one_device_never_become_one() {
    run(async |app| {
        app.events(json!([
            visit("e1", "d1", "2026-02-01T09:00:00Z"),
            identify("e2", &json!({"user_id": "u1", "anonymous_id": "d1"}), "2026-02-02T09:00:00Z"),
            visit("e3", "d1", "2026-02-03T09:00:00Z"),
            identify("e4", &json!({"user_id": "u2", "anonymous_id": "d1"}), "2026-02-10T09:00:00Z"),
            visit("e5", "d1", "2026-02-11T09:00:00Z"),
        ]))
        .await;

        let (first, second) = (app.lead("u1").await, app.lead("u2").await);
        assert_eq!(
            count(app, &first, "pricing page").await,
            2,
            "what came before, and while the first was there"
        );
        assert_eq!(count(app, &second, "pricing page").await, 1, "what came after the second identified");

        let again = app.events(visit("e1", "d1", "2026-02-01T09:00:00Z")).await;
        assert_eq!(again["duplicates"], 1, "a re-sent event is still recognised");
    })
    .await;
}

#[tokio::test]
async fn an_address_belongs_to_whoever_claimed_it_first_by_the_events_own_time() {
    run(async |app| {
        app.events(json!([
            {"id": "e1", "type": "form_submitted", "lead": {"email": "x@acme.example"}, "occurred_at": "2026-02-01T09:00:00Z"},
            identify("e2", &json!({"user_id": "u2", "email": "x@acme.example"}), "2026-02-20T09:00:00Z"),
        ]))
        .await;
        assert_eq!(app.lead("u2").await["email"], "x@acme.example");

        app.events(identify("e3", &json!({"user_id": "u1", "email": "x@acme.example"}), "2026-02-10T09:00:00Z")).await;

        let (first, second) = (app.lead("u1").await, app.lead("u2").await);
        assert_eq!((&first["email"], &second["email"]), (&json!("x@acme.example"), &Value::Null));
        assert_eq!(count(app, &first, "form sent").await, 1);
        assert_eq!(count(app, &second, "form sent").await, 0);
    })
    .await;
}

#[tokio::test]
async fn any_order_and_any_batching_give_the_same_leads() {
    let traffic = [
        visit("e1", "d1", "2026-02-01T09:00:00Z"),
        identify("e2", &json!({"email": "a@acme.example", "anonymous_id": "d1"}), "2026-02-02T09:00:00Z"),
        identify("e3", &json!({"user_id": "u1", "email": "a@acme.example"}), "2026-02-05T09:00:00Z"),
        identify("e4", &json!({"user_id": "u2", "anonymous_id": "d1"}), "2026-02-06T09:00:00Z"),
        visit("e5", "d1", "2026-02-07T09:00:00Z"),
        identify("e6", &json!({"user_id": "u2", "email": "a@acme.example"}), "2026-02-08T09:00:00Z"),
        visit("e7", "d2", "2026-02-08T10:00:00Z"),
        identify("e8", &json!({"user_id": "u1", "anonymous_id": "d2"}), "2026-02-09T09:00:00Z"),
    ];
    let mut outcomes = Vec::new();
    for (order, batch) in [
        ([0, 1, 2, 3, 4, 5, 6, 7], 8),
        ([0, 1, 2, 3, 4, 5, 6, 7], 1),
        ([7, 6, 5, 4, 3, 2, 1, 0], 1),
        ([7, 6, 5, 4, 3, 2, 1, 0], 3),
        ([3, 0, 5, 2, 7, 4, 1, 6], 2),
        ([5, 3, 1, 7, 0, 6, 4, 2], 1),
    ] {
        run(async |app| {
            for part in order.chunks(batch) {
                app.events(Value::Array(part.iter().map(|index| traffic[*index].clone()).collect())).await;
            }
            outcomes.push([
                standing(&app.lead("u1").await),
                standing(&app.lead("u2").await),
                json!(leads(app).await),
            ]);
        })
        .await;
    }
    for outcome in &outcomes {
        assert_eq!(outcome, &outcomes[0]);
    }
}

#[tokio::test]
async fn what_was_said_of_a_person_goes_where_the_saying_event_goes() {
    run(async |app| {
        let said = json!({"id": "e1", "type": "form_submitted", "lead": {"anonymous_id": "d1"}, "traits": {"title": "Director"},
            "occurred_at": "2026-02-07T09:00:00Z"});
        let join = |id: &str, user: &str, at: &str| {
            json!({"id": id, "type": "identify", "lead": {"user_id": user, "anonymous_id": "d1"}, "occurred_at": at})
        };
        app.events(json!([said, join("i1", "u1", "2026-02-02T09:00:00Z")])).await;
        assert_eq!(app.lead("u1").await["fit"], 20_000);

        app.events(join("i2", "u2", "2026-02-05T09:00:00Z")).await;

        let (first, second) = (app.lead("u1").await, app.lead("u2").await);
        assert_eq!((&first["profile"], &first["fit"]), (&json!({}), &json!(0)));
        assert_eq!((&second["profile"], &second["fit"]), (&json!({"title": "Director"}), &json!(20_000)));
    })
    .await;
}

#[tokio::test]
async fn an_identify_that_is_sent_again_later_does_not_take_the_device_back() {
    run(async |app| {
        let join = |id: &str, user: &str, at: &str| {
            json!({"id": id, "type": "identify", "lead": {"user_id": user, "anonymous_id": "d1"}, "occurred_at": at, "sent_at": at})
        };
        let first = join("i1", "u1", "2026-03-02T09:00:00Z");
        app.events(first.clone()).await;
        app.advance(chrono::TimeDelta::minutes(10));
        app.events(join("i2", "u2", "2026-03-02T09:10:00Z")).await;
        app.advance(chrono::TimeDelta::minutes(10));

        let again = app.events(first).await;

        assert_eq!(again["duplicates"], 1);
        app.advance(chrono::TimeDelta::minutes(10));
        app.events(visit("e1", "d1", "2026-03-02T09:30:00Z")).await;
        assert_eq!(count(app, &app.lead("u1").await, "pricing page").await, 0);
        assert_eq!(count(app, &app.lead("u2").await, "pricing page").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_joining_the_same_people_at_once_all_get_through() {
    run(async |app| {
        let request = |n: usize| {
            let events: Vec<Value> = (0..10)
                .map(|user| {
                    let lead = json!({"user_id": format!("u{user}"), "anonymous_id": format!("d{user}-{n}")});
                    identify(&format!("e{n}"), &lead, "2026-03-01T09:00:00Z")
                })
                .collect();
            app.post("/v1/events", Value::Array(events).to_string())
        };
        let strangers = (0..10).flat_map(|user| (0..60).map(move |n| (user, n)));
        let visits = strangers.map(|(user, n)| visit("v", &format!("d{user}-{n}"), "2026-02-01T09:00:00Z"));
        app.events(Value::Array(visits.collect())).await;

        let answers = futures_util::future::join_all((0..60).map(request)).await;

        for answer in answers {
            assert_eq!(answer.json()["accepted"], 10);
        }
        assert_eq!(leads(app).await, 10);
    })
    .await;
}

#[tokio::test]
async fn a_name_that_joins_is_a_change_that_a_sync_sees() {
    run(async |app| {
        app.events(json!({"id": "e1", "type": "trial_started", "lead": {"user_id": "u1"}})).await;
        app.advance(chrono::TimeDelta::hours(1));

        let joins =
            json!({"id": "e2", "type": "identify", "lead": {"user_id": "u1", "email": "a@acme.example"}});
        app.events(joins).await;

        let lead = app.only_lead().await;
        assert_eq!(
            (&lead["email"], &lead["updated_at"]),
            (&json!("a@acme.example"), &json!("2026-03-02T10:00:00Z"))
        );
    })
    .await;
}
