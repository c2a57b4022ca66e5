//! The policy: whom it leaves out, exactly and at once; who may change it, and how.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{
    ADMIN, Answer, TestApp, call, run,
    sales::{act, change_policy, change_terms, handoffs, mql},
};

async fn put(app: &TestApp, document: &Value) -> Answer {
    call(app, "PUT", "/v1/policy", document).await
}

async fn exclude(app: &TestApp, exclusions: Value) {
    change_policy(app, json!({"exclusions": exclusions})).await;
}

async fn stage(app: &TestApp, user: &str) -> String {
    app.lead(user).await["stage"].as_str().unwrap().to_owned()
}

/// Somebody with an e-mail address asks for a demo.
async fn ask(app: &TestApp, user: &str, email: &str, traits: Value) {
    app.events(json!([
        {"type": "identify", "lead": {"user_id": user, "email": email}, "traits": traits},
        {"type": "demo_requested", "lead": {"user_id": user}},
    ]))
    .await;
}

#[tokio::test]
async fn the_built_in_policy_offers_at_once_and_leaves_nobody_out() {
    run(async |app| {
        let policy = app.get("/v1/policy").await;

        assert!(policy.headers.contains_key("etag"));
        let policy = policy.json();
        assert_eq!((&policy["version"], &policy["updated_at"]), (&json!(0), &json!(null)));
        let document = &policy["document"];
        assert_eq!(document["exclusions"], json!([]));
        assert_eq!(
            document["handoff"],
            json!({"auto_offer": true, "sla": "4h", "expires_after": null, "expired_to": "recycled",
                "accept_needs": null, "auto_sql": null})
        );
        assert_eq!(
            document["reject_reasons"][0],
            json!({"code": "not_a_fit", "label": "Does not fit what we sell", "then": "disqualified"})
        );
        assert!(document["loss_reasons"].as_array().unwrap().len() >= 5);
    })
    .await;
}

#[tokio::test]
async fn a_new_policy_is_a_new_version_and_what_it_leaves_out_is_as_built_in() {
    run(async |app| {
        let answer = put(app, &json!({"handoff": {"sla": "30m"}})).await;

        assert_eq!(answer.status, 200, "{answer:?}");
        let policy = answer.json();
        assert_eq!(
            (&policy["version"], &policy["updated_by"]),
            (&json!(1), &json!("admin key of the settings"))
        );
        assert_eq!(policy["updated_at"], "2026-03-02T09:00:00Z");
        assert_eq!(policy["document"]["handoff"]["sla"], "30m");
        assert_eq!(policy["document"]["handoff"]["auto_offer"], true);
        assert_eq!(app.get("/v1/policy").await.json(), policy);
        let second = app.second_instance().await;
        assert_eq!(second.get("/v1/policy").await.json(), policy);
        second.app.shut_down().await;
        app.run_due().await;
    })
    .await;
}

#[tokio::test]
async fn nobody_overwrites_a_policy_that_he_has_not_seen() {
    run(async |app| {
        let tag = app.get("/v1/policy").await.headers["etag"].to_str().unwrap().to_owned();
        let put = async |tag: &str| {
            let request = axum::http::Request::put("/v1/policy")
                .header("authorization", format!("Bearer {ADMIN}"))
                .header("content-type", "application/json")
                .header("if-match", tag);
            app.send(request.body(axum::body::Body::from("{}")).unwrap()).await
        };

        let first = put(&tag).await;
        let second = put(&tag).await;

        assert_eq!((first.status.as_u16(), second.problem()), (200, "precondition_failed".to_owned()));
        let tag = first.headers["etag"].to_str().unwrap().to_owned();
        assert_eq!(put(&tag).await.json()["version"], 2);
        let at_once = join_all((0..6).map(|_| put("*"))).await;
        assert!(at_once.iter().all(|answer| answer.status == 200), "{at_once:?}");
        assert_eq!(app.get("/v1/policy").await.json()["version"], 8);
    })
    .await;
}

#[tokio::test]
async fn every_mistake_is_named_with_a_pointer_to_it() {
    run(async |app| {
        let reason = |code: &str| json!({"code": code, "label": "l", "then": "lead"});
        for (document, pointers) in [
            (json!({"exclusions": [{"label": "partner"}]}), "/exclusions/0"),
            (json!({"exclusions": [{"label": "partner", "domain": "a.example", "tag": "t"}]}), "/exclusions/0"),
            (json!({"exclusions": [{"label": "other", "domain": "a@b"}, {"label": "other", "email": "x"}]}),
                "/exclusions/0/domain /exclusions/1/email"),
            (json!({"exclusions": [{"label": "friend", "tag": "t"}]}), "/exclusions/0/label"),
            (json!({"exclusions": [{"label": "other", "tag": " "}]}), "/exclusions/0/tag"),
            (json!({"handoff": {"sla": "4 hours"}}), "/handoff/sla"),
            (json!({"handoff": {"sla": "366d", "accept_needs": {"framework": "bant", "answered": 5}}}),
                "/handoff/sla /handoff/accept_needs/answered"),
            (json!({"handoff": {"colour": "blue"}}), "/handoff/colour"),
            (json!({"reject_reasons": [reason("a"), reason("A b"), reason("a")]}),
                "/reject_reasons/1/code /reject_reasons/2/code"),
            (json!({"loss_reasons": []}), "/loss_reasons"),
        ] {
            let answer = put(app, &document).await;

            assert_eq!(answer.problem(), "invalid_request", "{document}");
            let errors = answer.json()["errors"].clone();
            let found: Vec<&str> =
                errors.as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
            assert_eq!(found.join(" "), pointers, "{document}");
        }
        assert_eq!(app.get("/v1/policy").await.json()["version"], 0);
    })
    .await;
}

#[tokio::test]
async fn whom_the_policy_leaves_out_becomes_no_mql_whatever_it_does() {
    run(async |app| {
        exclude(
            app,
            json!([
                {"label": "competitor", "domain": "Rival.Example"},
                {"label": "partner", "email": "eve@friend.example"},
                {"label": "own_staff", "tag": "Staff"},
            ]),
        )
        .await;
        app.run_due().await;

        ask(app, "u1", "a@mail.rival.example", json!({})).await;
        ask(app, "u2", "eve@friend.example", json!({})).await;
        ask(app, "u3", "x@y.example", json!({"tags": ["vip", "staff"]})).await;
        ask(app, "u4", "z@notrival.example", json!({"tags": "guest"})).await;

        for (user, stage, held_by) in [
            ("u1", "lead", json!({"gate": "excluded", "label": "competitor"})),
            ("u2", "lead", json!({"gate": "excluded", "label": "partner"})),
            ("u3", "lead", json!({"gate": "excluded", "label": "own_staff"})),
            ("u4", "mql", json!(null)),
        ] {
            let lead = app.lead(user).await;
            assert_eq!(lead["stage"], stage, "{user}");
            let path = format!("/v1/leads/{}/qualification", lead["id"].as_str().unwrap());
            assert_eq!(app.get(&path).await.json()["held_by"], held_by);
            if stage == "lead" {
                let offer = format!("/v1/leads/{}/handoff", lead["id"].as_str().unwrap());
                assert_eq!(call(app, "POST", &offer, &json!({})).await.problem(), "conflict");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_mql_that_turns_out_to_be_left_out_stops_being_one_with_the_event_that_says_so() {
    run(async |app| {
        exclude(
            app,
            json!([{"label": "competitor", "domain": "rival.example"}, {"label": "other", "tag": "spam"}]),
        )
        .await;
        app.run_due().await;
        let (first, second) = (mql(app, "u1").await, mql(app, "u2").await);

        app.events(json!({"type": "identify", "lead": {"user_id": "u1", "email": "a@rival.example"}})).await;
        app.events(json!({"type": "identify", "lead": {"user_id": "u2"}, "traits": {"tags": ["spam"]}}))
            .await;

        for (user, lead) in [("u1", first), ("u2", second)] {
            assert_eq!(stage(app, user).await, "lead");
            let handoff = &handoffs(app, &lead).await[0];
            assert_eq!((&handoff["state"], &handoff["reason"]), (&json!("withdrawn"), &json!("excluded")));
        }
    })
    .await;
}

#[tokio::test]
async fn a_policy_that_leaves_out_others_looks_at_every_lead_again() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        app.events(json!({"type": "identify", "lead": {"user_id": "u1", "email": "a@rival.example"}})).await;
        app.advance(TimeDelta::hours(1));
        exclude(app, json!([{"label": "competitor", "domain": "rival.example"}])).await;
        let handoff = handoffs(app, &lead).await[0].clone();
        assert_eq!(handoff["state"], "open", "the look at all leads has not come this far");
        let accept = format!("/v1/handoffs/{}/accept", handoff["id"].as_str().unwrap());
        assert_eq!(
            call(app, "POST", &accept, &json!({})).await.problem(),
            "conflict",
            "but nobody accepts it"
        );

        app.run_due().await;

        assert_eq!(
            (stage(app, "u1").await, &handoffs(app, &lead).await[0]["state"]),
            ("lead".to_owned(), &json!("withdrawn"))
        );
        app.advance(TimeDelta::hours(1));
        act(app, "u1", "more", "chat_started").await;
        assert_eq!(stage(app, "u1").await, "lead");
        exclude(app, json!([])).await;
        app.run_due().await;
        assert_eq!(stage(app, "u1").await, "mql", "and again when it is left out no longer");
    })
    .await;
}

#[tokio::test]
async fn a_policy_with_the_same_exclusions_looks_at_nobody_again() {
    run(async |app| {
        mql(app, "u1").await;
        exclude(app, json!([{"label": "other", "tag": "t"}])).await;
        assert!(app.run_due().await > 0);

        change_terms(app, json!({"sla": "1h"})).await;
        assert_eq!(app.run_due().await, 0);
        exclude(app, json!([{"label": "other", "tag": "u"}])).await;
        change_terms(app, json!({"sla": "2h"})).await;
        assert!(app.run_due().await > 0, "what the version before has not finished is gone on with");
    })
    .await;
}

#[tokio::test]
async fn events_and_policies_at_one_moment_leave_nobody_at_a_stage_that_the_last_policy_forbids() {
    run(async |app| {
        for round in 0..4 {
            let asks = (0..8).map(|n| async move {
                let email = format!("p{round}-{n}@rival.example");
                ask(app, &format!("r{round}-{n}"), &email, json!({})).await;
            });
            let left_out = round % 2 == 0;
            let lines = if left_out {
                json!([{"label": "competitor", "domain": "rival.example"}])
            } else {
                json!([])
            };
            let change = async { exclude(app, lines).await };
            futures_util::join!(join_all(asks), change);
            app.run_due().await;

            let leads = app.pages("/v1/leads?limit=100").await;
            let wanted = if left_out { "lead" } else { "mql" };
            for lead in &leads {
                let is_new = lead["user_id"].as_str().unwrap().starts_with(&format!("r{round}-"));
                assert!(!is_new || lead["stage"] == wanted, "{round}: {lead}");
                assert!(!left_out || lead["stage"] == "lead", "{round}: {lead}");
            }
            app.advance(TimeDelta::hours(1));
        }
    })
    .await;
}

#[tokio::test]
async fn the_time_to_answer_is_that_of_the_policy_when_the_offer_was_made() {
    run(async |app| {
        let first = mql(app, "u1").await;
        change_terms(app, json!({"sla": "1h", "expires_after": "2h"})).await;
        let second = mql(app, "u2").await;

        let due = async |lead: &str| handoffs(app, lead).await[0]["due_at"].clone();

        assert_eq!(due(&first).await, "2026-03-02T13:00:00Z");
        assert_eq!(due(&second).await, "2026-03-02T10:00:00Z");
        assert_eq!(handoffs(app, &second).await[0]["expires_at"], "2026-03-02T11:00:00Z");
    })
    .await;
}
