//! What is derived of an address, a website and a number.

use chrono::TimeDelta;
use leadscore::{
    intake::ingest::event::{Arrival, Found},
    leads::identity::{Identity, Kind, Named},
};
use serde_json::{Map, Value, json};

use super::{derived, identify, take};
use crate::harness::{START, TestApp, run, sales::change_policy};

/// What the log says was derived, oldest first.
async fn recorded(app: &TestApp) -> Vec<Option<Value>> {
    sqlx::query_scalar("select traits -> 'derived' from event order by occurred_at, id")
        .fetch_all(&mut app.database.connect().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn whatever_way_an_address_comes_it_is_looked_at_and_what_was_found_is_in_the_log() {
    let free = json!({"email_valid": true, "email_domain": "gmail.com", "email_kind": "free"});
    for (path, method, body) in [
        (
            "/v1/events",
            "POST",
            json!({"type": "identify", "lead": {"user_id": "u1"}, "traits": {"email": "Jane@Gmail.com"}}),
        ),
        (
            "/v1/events",
            "POST",
            json!({"type": "identify", "lead": {"user_id": "u1", "email": "Jane@Gmail.com"}}),
        ),
        (
            "/v1/events",
            "POST",
            json!({"type": "form_submitted", "lead": {"email": "jane@gmail.com"}, "traits": {"title": "CEO"}}),
        ),
        ("/v1/events", "POST", json!({"type": "signed_up", "lead": {"email": "Jane@Gmail.com"}})),
        (
            "/v1/events",
            "POST",
            json!({"type": "demo_requested", "lead": {"user_id": "u1", "email": "Jane@Gmail.com"}}),
        ),
        (
            "/v1/track",
            "POST",
            json!({"userId": "u1", "event": "Trial Started", "context": {"traits": {"email": "jane@gmail.com"}}}),
        ),
        ("/v1/identify", "POST", json!({"userId": "u1", "traits": {"email": "jane@gmail.com"}})),
        ("/v1/identify", "POST", json!({"userId": "u1", "context": {"traits": {"email": "jane@gmail.com"}}})),
        ("/v1/leads", "POST", json!({"user_id": "u1", "email": "jane@gmail.com"})),
        ("/v1/leads/by/email/jane@gmail.com", "PUT", json!({"traits": {"title": "CEO"}})),
        ("/v1/leads/batch", "POST", json!({"leads": [{"email": "jane@gmail.com"}]})),
    ] {
        run(async |app| {
            take(app, method, path, body.clone()).await;

            assert_eq!(derived(app).await, free, "{path} {body}");
            assert_eq!(recorded(app).await, [Some(free.clone())], "{path} {body}");
        })
        .await;
    }
}

#[tokio::test]
async fn what_only_happens_to_somebody_describes_nobody() {
    run(async |app| {
        app.events(json!([
            {"type": "email_opened", "lead": {"email": "jane@gmail.com"}},
            {"type": "page_viewed", "lead": {"user_id": "u1", "email": "jane@gmail.com"}},
        ]))
        .await;

        assert_eq!(recorded(app).await, [None, None]);
        assert_eq!(app.count("lead_profile").await, 0, "no attributes, so nothing to be written");
    })
    .await;
}

#[tokio::test]
async fn a_company_is_known_by_its_website_a_number_by_its_digits() {
    run(async |app| {
        let company = json!({"name": "Acme", "website": "https://www.acme.co.uk/about"});
        take(app, "POST", "/v1/group", json!({"userId": "u1", "groupId": "g1", "traits": company})).await;
        assert_eq!(derived(app).await, json!({"company_domain": "acme.co.uk"}));

        take(app, "POST", "/v1/leads", json!({"user_id": "u1", "traits": {"phone": "1234567890"}})).await;

        assert_eq!(derived(app).await, json!({"company_domain": "acme.co.uk", "phone_valid": false}));
    })
    .await;
}

#[tokio::test]
async fn a_company_that_is_taken_back_leaves_no_place_behind_whatever_order_it_is_told_in() {
    let groups = [
        ("2026-03-01T01:00:00Z", json!({"name": "Rival", "website": "rival.example"})),
        ("2026-03-01T02:00:00Z", json!({"name": "Acme", "website": null})),
    ];
    for order in [[0, 1], [1, 0]] {
        run(async |app| {
            for (at, company) in order.map(|step: usize| &groups[step]) {
                identify(app, at, json!({"company": company})).await;
            }

            assert_eq!(app.only_lead().await["profile"].get("derived"), None, "{order:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_senders_own_word_counts_for_nothing() {
    run(async |app| {
        let lie = json!({"email_kind": "work", "vip": true});
        for traits in [
            json!({"email": "x@mailinator.com", "derived": lie}),
            json!({"derived": lie, "derived.email_kind": "work"}),
            json!({"derived": "work"}),
        ] {
            app.advance(TimeDelta::minutes(1));
            app.events(json!({"type": "identify", "lead": {"user_id": "u1"}, "traits": traits})).await;
        }

        let found =
            json!({"email_valid": true, "email_domain": "mailinator.com", "email_kind": "disposable"});
        assert_eq!(derived(app).await, found);
        assert_eq!(recorded(app).await, [Some(found), None, None]);
    })
    .await;
}

#[tokio::test]
async fn each_derived_attribute_is_as_old_as_what_it_was_derived_from_and_goes_with_it() {
    let steps = [
        ("2026-03-01T01:00:00Z", json!({"email": "jane@acme.example", "phone": "+1 555 0100"})),
        ("2026-03-01T02:00:00Z", json!({"phone": "n/a"})),
        ("2026-03-01T03:00:00Z", json!({"email": "jane@gmail.com"})),
        ("2026-03-01T04:00:00Z", json!({"phone": null, "title": "CEO"})),
    ];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        run(async |app| {
            for step in order {
                let (at, traits) = &steps[step];
                identify(app, at, traits.clone()).await;
            }

            let lead = app.only_lead().await;
            assert_eq!(
                lead["profile"],
                json!({"email": "jane@gmail.com", "title": "CEO", "derived": {"email_valid": true,
                    "email_domain": "gmail.com", "email_kind": "free", "company_domain": "acme.example"}}),
                "{order:?}"
            );

            identify(app, "2026-03-01T05:00:00Z", json!({"email": null, "website": null})).await;
            assert_eq!(app.only_lead().await["profile"], json!({"title": "CEO"}), "{order:?}");
        })
        .await;
    }
}

fn found(kind: &str, named: fn(Identity) -> Named) -> Found {
    Found {
        id: Some("e1".to_owned()),
        kind: kind.to_owned(),
        name: None,
        named: named(Identity::parse(Kind::Email, "jane@gmail.com").unwrap()),
        original_at: None,
        sent_at: None,
        corrected: false,
        properties: Map::new(),
        traits: None,
        context: None,
        hint: None,
    }
}

#[test]
fn an_event_is_known_again_by_what_its_sender_said_whatever_was_derived() {
    let arrival = Arrival { at: START.parse().unwrap(), api_key: None };
    for kind in ["identify", "form_submitted"] {
        let event = found(kind, Named::one).into_event(arrival, String::new).unwrap();

        assert_eq!(event.traits.unwrap()["derived"]["email_kind"], "free");
        assert_eq!(
            event.digest.to_be_bytes(),
            found(kind, Named::one).said()[..8],
            "an upgrade makes no other event of a repetition"
        );
    }
}

#[test]
fn who_is_only_named_in_passing_has_given_no_address() {
    let arrival = Arrival { at: START.parse().unwrap(), api_key: None };
    let traits = |named| found("email_subscribed", named).into_event(arrival, String::new).unwrap().traits;

    assert_eq!(traits(Named::one).unwrap()["derived"]["email_kind"], "free");
    assert_eq!(traits(Named::in_passing), None);
}

#[tokio::test]
async fn a_policy_leaves_out_by_the_domain_of_a_website_and_a_queue_narrows_by_the_kind_of_address() {
    run(async |app| {
        change_policy(app, json!({"exclusions": [{"label": "competitor", "domain": "rival.example"}]})).await;
        app.run_due().await;
        let people = json!({"filter": {"stage": ["mql"], "attributes": {"field": "derived.email_kind", "eq": "work"}}});
        take(app, "PUT", "/v1/queues/people", people).await;
        for (user, traits) in [
            ("work", json!({"email": "jane@acme.example"})),
            ("free", json!({"email": "jane@gmail.com"})),
            ("rival", json!({"email": "jo@acme.example", "website": "www.rival.example"})),
        ] {
            app.events(json!([
                {"type": "identify", "lead": {"user_id": user}, "traits": traits},
                {"type": "demo_requested", "lead": {"user_id": user}},
            ]))
            .await;
        }

        let stages = [app.lead("work").await, app.lead("free").await, app.lead("rival").await];
        assert_eq!(stages.map(|lead| lead["stage"].clone()), ["mql", "mql", "lead"]);
        let ranking = app.get("/v1/queues/people/leads").await.json();
        let users: Vec<&Value> =
            ranking["data"].as_array().unwrap().iter().map(|place| &place["user_id"]).collect();
        assert_eq!(users, ["work"]);
    })
    .await;
}
