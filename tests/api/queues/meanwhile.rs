//! What happens to a lead while a rep holds it.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{claim, done, id, leads, next, next_user, put, ranked, refused};
use crate::harness::{ADMIN, TestApp, run};

const VERBS: [&str; 4] = ["renew", "release", "skip", "complete"];

#[tokio::test]
async fn who_asks_not_to_be_contacted_is_nobodys_at_once() {
    run(async |app| {
        leads(app, &["a", "b"]).await;
        let held = next(app, "sales", "ann").await.unwrap();

        app.events(json!({"type": "do_not_contact_requested", "lead": {"user_id": "b"}})).await;

        assert_eq!(claim(app, &held).await["state"], "do_not_contact");
        for verb in VERBS {
            assert_eq!(
                refused(app, &held, verb).await,
                (
                    "claim_ended".into(),
                    "The person has asked not to be contacted. Ask for the next lead.".into()
                )
            );
        }
        assert_eq!(ranked(app, "sales/leads").await, "a");
        assert_eq!(app.get("/v1/claims?active=true").await.json()["data"], json!([]));
        app.run_due().await;
        leads(app, &["b"]).await;
        assert_eq!(
            claim(app, &held).await["state"],
            "do_not_contact",
            "asking for a demo does not bring it back"
        );
        assert_eq!(ranked(app, "sales/leads?free=true").await, "b a", "but it can be handed out again");
    })
    .await;
}

#[tokio::test]
async fn the_claim_on_an_erased_lead_is_over() {
    run(async |app| {
        leads(app, &["a"]).await;
        let held = next(app, "sales", "ann").await.unwrap();

        let lead = format!("/v1/leads/{}", held["lead_id"].as_str().unwrap());
        assert_eq!(app.call("DELETE", &lead, Some(ADMIN), "").await.status, 204);

        let now = claim(app, &held).await;
        assert_eq!((&now["state"], &now["lead"]), (&json!("erased"), &Value::Null));
        for verb in VERBS {
            assert_eq!(
                refused(app, &held, verb).await,
                ("claim_ended".into(), "The lead was erased. Ask for the next lead.".into())
            );
        }
        app.run_due().await;
        assert_eq!(claim(app, &held).await["state"], "erased");
    })
    .await;
}

#[tokio::test]
async fn a_rep_may_finish_a_lead_that_has_left_the_queue_but_not_hold_on_to_it() {
    run(async |app| {
        put(app, "q", json!({"filter": {"min_score": 30}})).await;
        leads(app, &["a"]).await;
        let held = next(app, "q", "ann").await.unwrap();

        let lead = held["lead_id"].as_str().unwrap();
        let body = json!({"points": -10_000, "reason": "a student"}).to_string();
        let adjusted = app.post(&format!("/v1/leads/{lead}/adjustments"), body).await;
        assert!(adjusted.status.is_success(), "{adjusted:?}");

        assert_eq!(ranked(app, "q/leads").await, "");
        assert_eq!(claim(app, &held).await["state"], "active");
        assert_eq!(
            refused(app, &held, "renew").await,
            (
                "claim_not_renewable".into(),
                "The lead is no longer in the queue `q`, so the claim cannot be renewed. Finish by 2026-03-02T09:30:01+00:00.".into()
            )
        );
        assert_eq!(done(app, &held, "complete", json!({})).await["state"], "completed");
    })
    .await;
}

#[tokio::test]
async fn the_claims_of_a_queue_that_is_no_more_run_out() {
    run(async |app| {
        put(app, "q", json!({})).await;
        leads(app, &["a", "b"]).await;
        let (one, other) = (next(app, "q", "ann").await.unwrap(), next(app, "q", "ann").await.unwrap());
        app.call("DELETE", "/v1/queues/q", Some(crate::harness::ADMIN), "").await;

        let (code, said) = refused(app, &one, "renew").await;
        assert_eq!(code, "claim_not_renewable");
        assert!(said.starts_with("The queue `q` was deleted"), "{said}");
        let worked = done(app, &other, "complete", json!({})).await;
        assert_eq!(worked["rests_until"], json!(app.now() + TimeDelta::days(1)));
        assert_eq!(next_user(app, "sales", "bob").await, "-");
    })
    .await;
}

/// Two leads, of which `who` are held, by a rep of the same name each, in this order; then they turn out to be one.
async fn join(app: &TestApp, held: &[&str]) -> (Vec<Value>, String) {
    app.events(json!([
        {"type": "demo_requested", "lead": {"user_id": "user"}},
        {"type": "demo_requested", "lead": {"email": "mail@acme.example"}},
    ]))
    .await;
    for queue in ["user", "mail"] {
        let is = json!({"field": "kind", "eq": queue});
        put(app, queue, json!({"filter": {"attributes": is}})).await;
    }
    app.events(json!([
        {"type": "identify", "lead": {"user_id": "user"}, "traits": {"kind": "user"}},
        {"type": "identify", "lead": {"email": "mail@acme.example"}, "traits": {"kind": "mail"}},
    ]))
    .await;
    let mut claims = Vec::new();
    for queue in held {
        claims.push(next(app, queue, queue).await.unwrap());
    }
    app.events(json!({"type": "identify", "lead": {"user_id": "user", "email": "mail@acme.example"}})).await;
    let heir = app.lead("user").await["id"].as_str().unwrap().to_owned();
    (claims, heir)
}

#[tokio::test]
async fn a_claim_follows_its_lead_into_the_one_that_it_was_merged_into() {
    run(async |app| {
        let (claims, heir) = join(app, &["mail"]).await;
        assert_ne!(claims[0]["lead_id"], heir);

        assert_eq!(next_user(app, "sales", "bob").await, "-", "the rep holds the one person there is");

        let now = claim(app, &claims[0]).await;
        assert_eq!(
            (&now["state"], &now["lead_id"], &now["lead"]["id"]),
            (&json!("active"), &json!(heir), &json!(heir))
        );
        assert_eq!(done(app, &claims[0], "complete", json!({})).await["lead_id"], heir);
        app.advance(TimeDelta::days(1));
        put(app, "new", json!({"filter": {"is": ["never_contacted"]}})).await;
        assert_eq!(ranked(app, "new/leads").await, "");
        app.run_due().await;
    })
    .await;
}

#[tokio::test]
async fn of_two_claims_on_what_turns_out_to_be_one_lead_the_earlier_goes_on() {
    for held in [["mail", "user"], ["user", "mail"]] {
        run(async |app| {
            let (claims, heir) = join(app, &held).await;

            let (earlier, later) = (claim(app, &claims[0]).await, claim(app, &claims[1]).await);

            assert_eq!(
                (&earlier["state"], &earlier["lead_id"]),
                (&json!("active"), &json!(heir)),
                "{held:?}"
            );
            assert_eq!(later["state"], "merged");
            assert_eq!(
                refused(app, &claims[1], "complete").await,
                (
                    "claim_ended".into(),
                    "The lead was merged with a lead that a rep held already. Ask for the next lead.".into()
                )
            );
            done(app, &claims[0], "complete", json!({})).await;
            assert_eq!(next_user(app, "sales", "bob").await, "-");
        })
        .await;
    }
}

#[tokio::test]
async fn an_expired_claim_does_not_win_over_one_that_holds() {
    run(async |app| {
        app.events(json!({"type": "demo_requested", "lead": {"email": "mail@acme.example"}})).await;
        let early = next(app, "sales", "early").await.unwrap();
        app.advance(TimeDelta::minutes(29));
        app.events(json!({"type": "demo_requested", "lead": {"user_id": "user"}})).await;
        let late = next(app, "sales", "late").await.unwrap();
        app.advance(TimeDelta::minutes(1));
        app.events(json!({"type": "identify", "lead": {"user_id": "user", "email": "mail@acme.example"}}))
            .await;

        assert_eq!(claim(app, &late).await["state"], "active");
        assert_eq!(claim(app, &early).await["state"], "expired");
    })
    .await;
}

#[tokio::test]
async fn what_was_done_with_a_lead_is_known_of_the_one_that_it_was_merged_into() {
    run(async |app| {
        app.events(json!({"type": "demo_requested", "lead": {"email": "mail@acme.example"}})).await;
        let first = next(app, "sales", "ann").await.unwrap();
        let callback = app.now() + TimeDelta::hours(1);
        done(app, &first, "complete", json!({"callback_at": callback})).await;
        app.events(json!({"type": "demo_requested", "lead": {"user_id": "user"}})).await;
        app.events(json!({"type": "identify", "lead": {"user_id": "user", "email": "mail@acme.example"}})).await;

        assert_eq!(next_user(app, "sales", "bob").await, "-", "it rests until the callback");

        let again = async || {
            put(app, "back", json!({"filter": {"is": ["callback_due"]}, "tiers": [{"name": "t", "when": {"is": ["callback_due"]}}]})).await;
            next(app, "back", "bob").await
        };
        assert!(again().await.is_none());
        app.advance(TimeDelta::hours(1));
        assert_eq!(again().await.unwrap()["lead_id"].as_str(), Some(id(&app.lead("user").await)));
    })
    .await;
}

#[tokio::test]
async fn the_sweep_has_due_callbacks_follow_a_merge_though_nobody_asks() {
    run(async |app| {
        app.events(json!({"type": "demo_requested", "lead": {"email": "mail@acme.example"}})).await;
        let first = next(app, "sales", "ann").await.unwrap();
        done(app, &first, "complete", json!({"callback_at": app.now() + TimeDelta::hours(1)})).await;
        app.events(json!({"type": "demo_requested", "lead": {"user_id": "user"}})).await;
        app.events(json!({"type": "identify", "lead": {"user_id": "user", "email": "mail@acme.example"}}))
            .await;
        put(app, "back", json!({"tiers": [{"name": "t", "when": {"is": ["callback_due"]}}]})).await;
        app.advance(TimeDelta::hours(1));
        assert_eq!(ranked(app, "back/leads").await, "");

        app.run_due().await;

        assert_eq!(ranked(app, "back/leads").await, "t:user");
    })
    .await;
}
