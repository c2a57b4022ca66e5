//! Who is in a queue, and in what order; that the ranking and the handing out agree on it.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{done, id, leads, next, next_user, put, ranked, traits};
use crate::harness::{TestApp, run};

/// The queue of the handbook: callbacks first, then who asks, then who was never called, then the rest.
fn handbook() -> Value {
    json!({
        "tiers": [
            {"name": "callbacks", "when": {"is": ["callback_due"]}, "order": ["callback_at"]},
            {"name": "asked", "when": {"is": ["hand_raised", "never_contacted"]}},
            {"name": "late", "when": {"waiting_longer_than": "3d"}, "order": ["waiting_since"]},
            {"name": "new", "when": {"is": ["never_contacted"]}},
            {"name": "rest"},
        ],
    })
}

/// An MQL by its score alone.
async fn by_score(app: &TestApp, user: &str) {
    app.advance(TimeDelta::seconds(1));
    traits(
        app,
        user,
        json!({"title": "CEO", "phone": "+1 555 0100", "company": {"employees": 200, "industry": "software"}}),
    )
    .await;
    for n in 0..3 {
        app.events(json!({"type": "trial_started", "id": format!("{user}-{n}"), "lead": {"user_id": user}}))
            .await;
        app.events(
            json!({"type": "page_viewed", "lead": {"user_id": user}, "properties": {"path": "/pricing"}}),
        )
        .await;
    }
    assert_eq!(app.lead(user).await["qualified_by"], "threshold");
}

#[tokio::test]
async fn tiers_are_tried_in_order_and_say_so() {
    run(async |app| {
        put(app, "sales", handbook()).await;
        by_score(app, "old").await;
        app.advance(TimeDelta::days(4));
        by_score(app, "scored").await;
        leads(app, &["asked", "called", "back"]).await;
        let back = next(app, "sales", "ann").await.unwrap();
        let callback = app.now() + TimeDelta::hours(2);
        done(app, &back, "complete", json!({"callback_at": callback})).await;
        let called = next(app, "sales", "ann").await.unwrap();
        done(app, &called, "complete", json!({})).await;

        assert_eq!(ranked(app, "sales/leads?free=true").await, "asked:asked late:old new:scored");
        app.advance(TimeDelta::hours(2));
        assert_eq!(
            ranked(app, "sales/leads").await,
            "callbacks:back asked:asked late:old new:scored rest:called"
        );
        let rows = app.get("/v1/queues/sales/leads").await.json();
        assert_eq!(rows["data"][0]["why"][0], "tier callbacks, 1 of 5");
        let why = &rows["data"][1]["why"];
        assert_eq!((&why[1], &why[2]), (&json!("asked for sales"), &json!("never contacted")));
        assert_eq!(
            (&rows["data"][4]["free"], &rows["data"][4]["obstacle"]["kind"]),
            (&json!(false), &json!("resting"))
        );
        app.run_due().await;
    })
    .await;
}

#[tokio::test]
async fn a_callback_comes_first_when_it_is_due_and_not_before_and_not_again() {
    run(async |app| {
        put(app, "sales", handbook()).await;
        leads(app, &["first", "second"]).await;
        let second = next(app, "sales", "ann").await.unwrap();
        let callback: DateTime<Utc> = app.now() + TimeDelta::hours(3);
        done(app, &second, "complete", json!({"callback_at": callback, "note": "in a meeting"})).await;
        let first = next(app, "sales", "ann").await.unwrap();
        assert_eq!(first["lead"]["user_id"], "first", "the callback is not due");
        done(app, &first, "release", json!({})).await;
        app.advance(TimeDelta::hours(3));

        let again = next(app, "sales", "bob").await.unwrap();

        assert_eq!(again["lead_id"], second["lead_id"]);
        assert_eq!(
            again["why"][1],
            format!("callback promised for {}", callback.format("%Y-%m-%d %H:%M:%S UTC"))
        );
        done(app, &again, "complete", json!({})).await;
        app.advance(TimeDelta::days(2));
        assert_eq!(ranked(app, "sales/leads").await, "asked:first rest:second", "it was made");
        app.run_due().await;
    })
    .await;
}

#[tokio::test]
async fn a_filter_asks_for_everything_that_it_names() {
    run(async |app| {
        for (user, said) in [
            ("a", json!({"owner": "ann", "territory": "emea", "company": {"size": 10}})),
            ("b", json!({"owner": "bob", "territory": "emea", "company": {"size": 100}})),
            ("c", json!({"territory": "apac", "company": {"size": 1000}})),
            ("d", json!({"owner": "ann", "territory": "apac"})),
        ] {
            traits(app, user, said).await;
        }
        leads(app, &["a", "b", "c", "d"]).await;
        app.events(json!({"type": "trial_started", "lead": {"user_id": "a"}})).await;
        for (filter, expected) in [
            (json!({}), "a d c b"),
            (json!({"owner": ["ann"]}), "a d"),
            (json!({"owner": ["bob", null]}), "c b"),
            (json!({"territory": ["apac"], "owner": ["ann", "bob"]}), "d"),
            (json!({"min_score": 40}), "a"),
            (json!({"stage": ["lead", "sql"]}), ""),
            (json!({"attributes": {"field": "company.size", "gte": 100}}), "c b"),
            (json!({"attributes": {"not": {"field": "company", "exists": true}}}), "d"),
            (json!({"attributes": {"any": [{"field": "owner", "eq": "BOB"}, {"field": "company.size", "lt": 50}]}}), "a b"),
            (json!({"is": ["hand_raised"], "band": ["cold"]}), "d c b"),
            (json!({"grade": ["Z9"]}), ""),
            (json!({"waiting_longer_than": "1s"}), "a b"),
        ] {
            put(app, "some", json!({"filter": filter, "tiers": [{"name": "by score"}]})).await;
            assert_eq!(ranked(app, "some/leads").await, expected, "{filter}");
            let first = expected.split(' ').next().filter(|first| !first.is_empty()).unwrap_or("-");
            let claim = next(app, "some", "ann").await;
            assert_eq!(claim.as_ref().map_or("-", |claim| claim["lead"]["user_id"].as_str().unwrap()), first, "{filter}");
            if let Some(claim) = claim {
                done(app, &claim, "release", json!({})).await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_rep_gets_own_leads_and_nobodys_where_the_queue_says_so() {
    run(async |app| {
        traits(app, "a", json!({"owner": "ann"})).await;
        traits(app, "b", json!({"owner": "bob"})).await;
        leads(app, &["nobody's", "a", "b"]).await;
        put(app, "own", json!({"filter": {"is": ["owned_by_rep"]}, "tiers": [{"name": "by score"}]})).await;

        assert_eq!(ranked(app, "own/leads").await, "nobody's b a");
        assert_eq!(ranked(app, "own/leads?rep=ann").await, "nobody's a");
        assert_eq!(next_user(app, "own", "ann").await, "nobody's");
        assert_eq!(next_user(app, "own", "ann").await, "a");
        assert_eq!(next_user(app, "own", "ann").await, "-");
        assert_eq!(next_user(app, "own", "bob").await, "b");
    })
    .await;
}

/// Leads of many kinds: scores, owners, stretches of waiting, calls made and promised.
async fn a_mixed_crowd(app: &TestApp) {
    for n in 0..24 {
        let user = format!("u{n:02}");
        app.advance(TimeDelta::minutes(7));
        if n % 3 == 0 {
            traits(app, &user, json!({"owner": (if n % 2 == 0 { "ann" } else { "bob" }), "title": "CEO"}))
                .await;
        }
        app.events(json!({"type": "demo_requested", "lead": {"user_id": user}})).await;
        if n % 4 == 1 {
            app.events(json!({"type": "trial_started", "lead": {"user_id": user}})).await;
        }
        if n % 5 == 2 {
            app.events(
                json!({"type": "page_viewed", "lead": {"user_id": user}, "properties": {"path": "/pricing"}}),
            )
            .await;
        }
    }
    for n in 0..8 {
        let claim = next(app, "sales", "zoe").await.unwrap();
        let body =
            if n % 2 == 0 { json!({"callback_at": app.now() + TimeDelta::hours(20 + n)}) } else { json!({}) };
        done(app, &claim, "complete", body).await;
        app.advance(TimeDelta::minutes(3));
    }
    app.advance(TimeDelta::hours(25));
    app.run_due().await;
}

#[tokio::test]
async fn asking_for_the_next_lead_again_and_again_gives_the_ranking() {
    run(async |app| {
        a_mixed_crowd(app).await;
        for document in [
            json!({}),
            handbook(),
            json!({"tiers": [{"name": "old", "order": ["created_at"]}]}),
            json!({"tiers": [{"name": "old", "order": ["first_seen_at", "-hand_raised_at"]}]}),
            json!({"tiers": [{"name": "asked, all of them", "order": ["-hand_raised_at"]}]}),
            json!({"tiers": [{"name": "fit", "order": ["-fit", "engagement"]}]}),
            json!({"tiers": [{"name": "called", "order": ["-contacted_at"]}]}),
            json!({"tiers": [{"name": "callbacks", "order": ["callback_at", "-last_activity_at", "raw"]}]}),
            json!({"filter": {"attributes": {"field": "owner", "exists": true}},
                "tiers": [{"name": "ann", "when": {"owner": ["ann"]}, "order": ["-waiting_since"]}, {"name": "others"}]}),
        ] {
            put(app, "mixed", document.clone()).await;
            let whole = app.get("/v1/queues/mixed/leads?free=true").await.json();
            let paged = app.pages("/v1/queues/mixed/leads?free=true&limit=3").await;
            assert_eq!(json!(paged), whole["data"], "pages of any length hold the same: {document}");

            let mut claims = Vec::new();
            while let Some(claim) = next(app, "mixed", "ann").await {
                claims.push(claim);
            }

            let ranking: Vec<&str> = paged.iter().map(id).collect();
            let given: Vec<&str> = claims.iter().map(|claim| claim["lead_id"].as_str().unwrap()).collect();
            assert!(!given.is_empty());
            assert_eq!(given, ranking, "{document}");
            for (claim, row) in claims.iter().zip(&paged) {
                assert_eq!(claim["why"], row["why"]);
                done(app, claim, "release", json!({})).await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_tier_in_which_nobody_stands_does_not_end_the_queue() {
    run(async |app| {
        leads(app, &["a", "b"]).await;
        put(
            app,
            "q",
            json!({"tiers": [
                {"name": "hot", "when": {"band": ["hot"]}},
                {"name": "odd", "when": {"attributes": {"field": "odd", "eq": true}}},
                {"name": "all"},
            ]}),
        )
        .await;

        assert_eq!(ranked(app, "q/leads").await, "all:b all:a");
        assert_eq!(ranked(app, "q/leads?limit=1").await, "all:b");
        assert_eq!(next_user(app, "q", "ann").await, "b");
    })
    .await;
}
