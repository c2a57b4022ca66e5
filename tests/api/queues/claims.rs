//! What a rep does with a claim.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{act, ask, claim, done, id, leads, next, next_user, put, ranked, refused};
use crate::harness::{TestApp, run, shown};

#[tokio::test]
async fn a_claim_names_lead_rep_token_and_end_and_says_why() {
    run(async |app| {
        leads(app, &["ann"]).await;

        let made = next(app, "sales", "rep 1").await.unwrap();

        assert_eq!(made["lead"], app.lead("ann").await);
        let mut rest = made.clone();
        rest.as_object_mut().unwrap().remove("lead");
        insta::assert_snapshot!(shown(&rest), @r#"
        {
          "callback_at": null,
          "claimed_at": "2026-03-02T09:00:01Z",
          "ended_at": null,
          "expires_at": "2026-03-02T09:30:01Z",
          "id": "[id]",
          "lead_id": "[id]",
          "queue": "sales",
          "reason": null,
          "rep": "rep 1",
          "rests_until": null,
          "state": "active",
          "token": 1,
          "why": [
            "tier asked for sales, 1 of 2",
            "asked for sales 2026-03-02 09:00:01 UTC",
            "score 30 (cold)",
            "raw 30 points",
            "first seen 2026-03-02 09:00:01 UTC",
            "demo or sales asked for +30"
          ]
        }
        "#);
        assert_eq!(claim(app, &made).await, made);
        let row = app.get("/v1/queues/sales/leads").await.json()["data"][0].clone();
        assert_eq!(row["obstacle"], json!({"kind": "claimed", "rep": "rep 1", "until": made["expires_at"]}));
        assert_eq!(ranked(app, "sales/leads?free=true").await, "");
    })
    .await;
}

#[tokio::test]
async fn a_lead_that_a_rep_holds_is_given_to_nobody_else_in_any_queue() {
    run(async |app| {
        put(app, "other", json!({})).await;
        leads(app, &["a"]).await;

        assert_eq!(next_user(app, "sales", "ann").await, "a");

        for (queue, rep) in [("sales", "bob"), ("sales", "ann"), ("other", "bob")] {
            assert_eq!(next_user(app, queue, rep).await, "-", "{queue} {rep}");
        }
    })
    .await;
}

#[tokio::test]
async fn two_queues_asked_at_once_never_give_one_lead_to_two() {
    run(async |app| {
        put(app, "other", json!({})).await;
        let users: Vec<String> = (0..20).map(|n| format!("u{n:02}")).collect();
        leads(app, &users.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let second = app.second_instance().await;

        let asked =
            join_all(
                (0..40).map(|n| {
                    let instance = if n % 4 < 2 { app } else { &second };
                    async move {
                        next(instance, if n % 2 == 0 { "sales" } else { "other" }, &format!("rep{n}")).await
                    }
                }),
            )
            .await;

        let mut given: Vec<String> =
            asked.into_iter().flatten().map(|claim| claim["lead_id"].to_string()).collect();
        given.sort();
        given.dedup();
        assert_eq!(given.len(), 20, "each lead once");
        second.app.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_is_not_renewed_expires_and_its_lead_goes_to_the_next() {
    run(async |app| {
        leads(app, &["a"]).await;
        let late = next(app, "sales", "ann").await.unwrap();
        app.advance(TimeDelta::minutes(30) - TimeDelta::microseconds(1));
        assert_eq!(next_user(app, "sales", "bob").await, "-");
        app.advance(TimeDelta::microseconds(1));
        assert_eq!(claim(app, &late).await["state"], "expired");
        assert_eq!(
            refused(app, &late, "renew").await,
            (
                "claim_ended".into(),
                "The claim expired at 2026-03-02 09:30:01 UTC. Ask for the next lead.".into()
            )
        );

        let new = next(app, "sales", "bob").await.unwrap();

        assert_eq!(new["lead_id"], late["lead_id"]);
        assert!(new["token"].as_i64() > late["token"].as_i64());
        for verb in ["renew", "release", "skip", "complete"] {
            let (code, said) = refused(app, &late, verb).await;
            assert_eq!(code, "claim_ended");
            assert!(said.contains("The lead has been handed out again since."), "{said}");
        }
        assert_eq!(claim(app, &new).await["state"], "active", "and nothing of that touched the new claim");
    })
    .await;
}

#[tokio::test]
async fn renewing_holds_on_for_as_long_again() {
    run(async |app| {
        leads(app, &["a"]).await;
        let made = next(app, "sales", "ann").await.unwrap();
        for _ in 0..5 {
            app.advance(TimeDelta::minutes(20));
            let renewed = done(app, &made, "renew", json!({})).await;
            assert_eq!(renewed["expires_at"], json!(app.now() + TimeDelta::minutes(30)));
            assert_eq!((&renewed["id"], &renewed["token"]), (&made["id"], &made["token"]));
        }
        assert_eq!(next_user(app, "sales", "bob").await, "-");
    })
    .await;
}

#[tokio::test]
async fn another_claims_token_does_nothing() {
    run(async |app| {
        leads(app, &["a", "b"]).await;
        let mine = next(app, "sales", "ann").await.unwrap();
        let mut confused = next(app, "sales", "bob").await.unwrap();
        confused["id"] = mine["id"].clone();

        for verb in ["renew", "release", "skip", "complete"] {
            assert_eq!(refused(app, &confused, verb).await.0, "wrong_token", "the claim goes on");
        }

        assert_eq!(claim(app, &mine).await["state"], "active");
        let bare = app.post(&format!("/v1/claims/{}/renew", id(&mine)), "").await;
        assert_eq!(bare.status, 200, "the claim's id is enough");
    })
    .await;
}

#[tokio::test]
async fn a_released_lead_is_free_at_once() {
    run(async |app| {
        leads(app, &["a", "b"]).await;
        let made = next(app, "sales", "ann").await.unwrap();

        let released = done(app, &made, "release", json!({"reason": "lunch"})).await;

        assert_eq!((&released["state"], &released["reason"]), (&json!("released"), &json!("lunch")));
        assert_eq!(released["ended_at"], json!(app.now()));
        assert_eq!(next_user(app, "sales", "bob").await, "b");
        assert_eq!(refused(app, &made, "release").await.1, "The claim was released at 2026-03-02 09:00:02 UTC. The lead has been handed out again since. Ask for the next lead.");
    })
    .await;
}

#[tokio::test]
async fn a_skipped_lead_is_passed_over_in_this_queue_for_as_long_as_the_rep_says() {
    run(async |app| {
        put(app, "other", json!({})).await;
        leads(app, &["a", "b"]).await;
        let made = next(app, "sales", "ann").await.unwrap();

        let skipped = done(app, &made, "skip", json!({"reason": "not at her desk", "delay": "2h"})).await;

        assert_eq!((&skipped["state"], &skipped["reason"]), (&json!("skipped"), &json!("not at her desk")));
        let row = app.get("/v1/queues/sales/leads").await.json()["data"][0].clone();
        assert_eq!(row["obstacle"], json!({"kind": "skipped", "until": app.now() + TimeDelta::hours(2)}));
        assert_eq!(ranked(app, "sales/leads?free=true").await, "a");
        assert_eq!(ranked(app, "other/leads?free=true").await, "b a", "another queue may");
        app.advance(TimeDelta::hours(2));
        assert_eq!(ranked(app, "sales/leads?free=true").await, "b a");
        app.run_due().await;
    })
    .await;
}

#[tokio::test]
async fn a_worked_lead_rests_in_every_queue() {
    run(async |app| {
        put(app, "other", json!({})).await;
        put(app, "sales", json!({"claims": {"rest": "3d"}})).await;
        leads(app, &["a"]).await;
        let made = next(app, "sales", "ann").await.unwrap();

        let worked = done(app, &made, "complete", json!({"note": "wants a quote"})).await;

        assert_eq!((&worked["state"], &worked["reason"]), (&json!("completed"), &json!("wants a quote")));
        assert_eq!(worked["rests_until"], json!(app.now() + TimeDelta::days(3)));
        for queue in ["sales", "other"] {
            assert_eq!(next_user(app, queue, "bob").await, "-", "{queue}");
        }
        app.advance(TimeDelta::days(3));
        assert_eq!(next_user(app, "other", "bob").await, "a");
        app.run_due().await;
    })
    .await;
}

#[tokio::test]
async fn the_same_call_again_is_answered_with_the_same_claim() {
    run(async |app| {
        leads(app, &["a", "b"]).await;
        let ask = async |key: &str, rep: &str| {
            let body = json!({"rep": rep}).to_string();
            let headers = [("content-type", "application/json"), ("idempotency-key", key)];
            app.post_with("/v1/queues/sales/next", &headers, body).await
        };
        let made = ask("k1", "ann").await.json();

        assert_eq!(ask("k1", "ann").await.json(), made);
        assert_ne!(ask("k1", "bob").await.json()["id"], made["id"], "a key is the rep's own");
        assert_eq!(ask("k2", "ann").await.status, 204);
        assert_eq!(ask("", "ann").await.problem(), "invalid_parameter");
    })
    .await;
}

#[tokio::test]
async fn what_a_rep_says_must_say_something() {
    run(async |app| {
        leads(app, &["a"]).await;
        let made = next(app, "sales", "ann").await.unwrap();
        for (verb, body, place) in [
            ("skip", json!({}), "missing field"),
            ("skip", json!({"reason": " "}), "/reason"),
            ("skip", json!({"reason": "x", "delay": "soon"}), "/delay"),
            ("release", json!({"reason": "a\0b"}), "/reason"),
            ("complete", json!({"note": "x".repeat(2001)}), "/note"),
            ("complete", json!({"when": 1}), "/when"),
        ] {
            let answer = act(app, &made, verb, body.clone()).await;
            assert_eq!(
                (answer.status.as_u16(), answer.problem()),
                (422, "invalid_request".to_owned()),
                "{body}"
            );
            assert!(answer.json().to_string().contains(place), "{answer:?}");
        }
        let past = act(app, &made, "complete", json!({"callback_at": app.now()})).await;
        assert_eq!(
            (past.problem(), &past.json()["errors"][0]["pointer"]),
            ("invalid_request".into(), &json!("/callback_at"))
        );
        assert_eq!(ask(app, "sales", "").await.problem(), "invalid_request");
        assert_eq!(ask(app, "nobodys", "ann").await.problem(), "not_found");
        let no_such = json!({"id": "01900000-0000-7000-8000-000000000000", "token": 1});
        assert_eq!(act(app, &no_such, "renew", json!({})).await.problem(), "not_found");
    })
    .await;
}

async fn listed(app: &TestApp, query: &str) -> String {
    let rows = app.pages(&format!("/v1/claims{query}")).await;
    let shown = |row: &Value| {
        format!(
            "{}:{}:{}",
            row["rep"].as_str().unwrap(),
            super::user(&row["lead"]),
            row["state"].as_str().unwrap()
        )
    };
    rows.iter().map(shown).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn claims_are_listed_newest_first_those_that_are_over_too() {
    run(async |app| {
        put(app, "other", json!({})).await;
        leads(app, &["a", "b", "c"]).await;
        let first = next(app, "sales", "ann").await.unwrap();
        done(app, &first, "complete", json!({})).await;
        app.advance(TimeDelta::minutes(10));
        let second = next(app, "sales", "ann").await.unwrap();
        next(app, "other", "bob").await.unwrap();
        app.advance(TimeDelta::minutes(25));
        done(app, &second, "renew", json!({})).await;
        app.advance(TimeDelta::minutes(5));

        assert_eq!(listed(app, "?limit=1").await, "bob:a:expired ann:b:active ann:c:completed");
        assert_eq!(listed(app, "?rep=ann").await, "ann:b:active ann:c:completed");
        assert_eq!(listed(app, "?queue=other").await, "bob:a:expired");
        assert_eq!(listed(app, "?active=true").await, "ann:b:active");
        let lead = first["lead_id"].as_str().unwrap();
        assert_eq!(listed(app, &format!("?lead_id={lead}")).await, "ann:c:completed");
        let open = async || {
            sqlx::query_scalar::<_, i64>("select count(*) from claim where ended_at is null")
                .fetch_one(&mut app.database.connect().await)
                .await
                .unwrap()
        };
        assert_eq!(open().await, 2);
        app.run_due().await;
        assert_eq!(open().await, 1, "the sweep has ended what was over");
        assert_eq!(listed(app, "?queue=other").await, "bob:a:expired");
    })
    .await;
}

#[tokio::test]
async fn a_reps_name_is_measured_in_characters_and_a_key_may_be_as_long_as_everywhere() {
    run(async |app| {
        leads(app, &["ann"]).await;
        let key = "k".repeat(512);
        let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
        let rep = "\u{e4}".repeat(200);
        let body = json!({"rep": format!(" {rep} ")}).to_string();

        let claimed = app.post_with("/v1/queues/sales/next", &headers, body).await;

        assert_eq!(claimed.status, 200, "{claimed:?}");
        assert_eq!(claimed.json()["rep"], rep);
        let refused = ask(app, "sales", &"\u{e4}".repeat(201)).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["errors"][0]["code"]),
            (422, &json!("invalid_text"))
        );
    })
    .await;
}
