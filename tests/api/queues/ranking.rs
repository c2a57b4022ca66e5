//! The ranking: who is to be called next, in an order that is the same for everybody.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::{
    ADMIN, TestApp,
    models::{publish, visits},
    run, shown,
};

const SALES: &str = "/v1/queues/sales/leads";

async fn ranking(app: &TestApp, query: &str) -> String {
    let page = app.get(&format!("{SALES}{query}")).await.json();
    let rows = page["data"].as_array().unwrap_or_else(|| panic!("{page}"));
    rows.iter().map(|lead| lead["user_id"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

/// Events of one lead each, a second apart, so that the order in which leads were first seen is certain.
async fn happen(app: &TestApp, events: &[(&str, &str)]) {
    for (kind, user) in events {
        app.advance(TimeDelta::seconds(1));
        app.events(json!({"type": kind, "lead": {"user_id": user}})).await;
    }
}

/// Has the queue go by the score, whoever asked for sales.
async fn by_score_alone(app: &TestApp) {
    let document = json!({"tiers": [{"name": "all"}]}).to_string();
    assert_eq!(app.call("PUT", "/v1/queues/sales", Some(ADMIN), document).await.status, 200);
}

#[tokio::test]
async fn whoever_asks_for_sales_comes_first_and_the_newest_before_the_others() {
    run(async |app| {
        for (user, more) in [("trial", 3), ("keen", 4)] {
            app.events(json!({"type": "identify", "lead": {"user_id": user}, "traits": {"title": "CEO", "phone": "+1 555 0100",
                "company": {"employees": 200, "industry": "software"}}}))
            .await;
            for _ in 0..more {
                happen(app, &[("trial_started", user)]).await;
                let pricing = json!({"type": "page_viewed", "lead": {"user_id": user}, "properties": {"path": "/pricing"}});
                app.events(pricing).await;
            }
        }
        app.advance(TimeDelta::days(11));
        happen(app, &[("demo_requested", "old"), ("demo_requested", "today"), ("chat_started", "old")]).await;

        assert_eq!(ranking(app, "").await, "today old keen trial");
        assert_eq!(ranking(app, "?limit=2").await, "today old");
        let paged = app.pages(&format!("{SALES}?limit=1")).await;
        assert_eq!(json!(paged), app.get(SALES).await.json()["data"]);
        happen(app, &[("demo_requested", "keen"), ("contact_sales_requested", "old")]).await;
        assert_eq!(ranking(app, "").await, "old keen today trial", "also those who were MQLs already, and by the last time");
        app.run_due().await;
    })
    .await;
}

#[tokio::test]
async fn first_seen_is_when_the_lead_first_did_something_whatever_came_when() {
    run(async |app| {
        let at = |day: u32| format!("2025-0{day}-01T00:00:00Z");
        let visit = |user: &str, day: u32, id: &str| {
            json!({"type": "page_viewed", "id": id, "lead": {"user_id": user}, "occurred_at": at(day)})
        };
        let seen = async |user: &str| app.lead(user).await["first_seen_at"].clone();
        app.events(visit("ann", 5, "e1")).await;
        assert_eq!(seen("ann").await, at(5), "an imported history");
        app.events(json!([visit("ann", 7, "e2"), visit("ann", 3, "e3")])).await;
        assert_eq!(seen("ann").await, at(3), "an older event that comes late");

        app.events(json!([visit("bob", 2, "e4"), visit("cid", 9, "e5")])).await;
        let id = async |user: &str| app.lead(user).await["id"].as_str().unwrap().to_owned();
        let (ann, bob) = (id("ann").await, id("bob").await);
        let word = json!({"lead_id": bob, "reason": "one person", "author": "mia"});
        let merged = app.post(&format!("/v1/leads/{ann}/merge"), word.to_string()).await;
        assert!(merged.status.is_success(), "{merged:?}");
        assert_eq!(seen("ann").await, at(2), "one that was merged into it brings its own");

        let verdict = json!({"verdict": "machine", "reason": "our own test"}).to_string();
        let judged = app.post(&format!("/v1/leads/{ann}/events/e4/verdict"), verdict).await;
        assert!(judged.status.is_success(), "{judged:?}");
        assert_eq!(seen("ann").await, at(3), "what a machine did is not the lead's doing");

        publish(app, &visits(10)).await;
        assert_eq!((seen("ann").await, seen("cid").await), (json!(at(3)), json!(at(9))), "under any version");
        app.run_due().await;
    })
    .await;
}

#[tokio::test]
async fn of_equal_scores_an_imported_history_is_as_old_as_it_is() {
    run(async |app| {
        by_score_alone(app).await;
        happen(app, &[("demo_requested", "today")]).await;
        let history = json!([
            {"type": "looked_around", "lead": {"user_id": "imported"}, "occurred_at": "2024-03-01T00:00:00Z"},
            {"type": "demo_requested", "lead": {"user_id": "imported"}}
        ]);
        app.events(history).await;

        assert_eq!(ranking(app, "").await, "today imported", "though it came later");
        let rows = app.get(SALES).await.json();
        assert_eq!(rows["data"][1]["why"][2], "first seen 2024-03-01 00:00:00 UTC");
    })
    .await;
}

/// The statements by which an installation that has the earlier default queue gets the new one.
fn upgrade() -> String {
    let migration = include_str!("../../../migrations/20261130000066_first_seen.sql");
    let (_, queues) = migration.split_once("-- The queue that every installation begins with").unwrap();
    queues.split_once('\n').unwrap().1.to_owned()
}

#[tokio::test]
async fn an_installation_gets_the_new_order_if_nobody_has_changed_the_queue() {
    run(async |app| {
        let before = |description: &str| {
            json!({"description": description, "filter": {"stage": ["mql"]},
                "tiers": [{"name": "score", "order": ["-score", "-raw", "-created_at"]}]})
        };
        let mut conn = app.database.connect().await;
        for (name, description) in [("sales", "MQLs, best score first"), ("mine", "My own words")] {
            sqlx::query(
                "insert into queue (name, document, created_at, updated_at) values ($1, $2, now(), now())
                on conflict (name) do update set document = excluded.document",
            )
            .bind(name)
            .bind(before(description))
            .execute(&mut conn)
            .await
            .unwrap();
        }

        sqlx::raw_sql(sqlx::AssertSqlSafe(upgrade())).execute(&mut conn).await.unwrap();

        let tiers = async |name: &str| {
            let queue = app.get(&format!("/v1/queues/{name}")).await.json();
            let tiers = queue["document"]["tiers"].as_array().unwrap().clone();
            tiers.iter().map(|tier| format!("{}: {}", tier["name"], tier["order"])).collect::<Vec<_>>()
        };
        let by_score = r#"["-score","-raw","-first_seen_at"]"#;
        assert_eq!(
            tiers("sales").await,
            [r#""asked for sales": ["-hand_raised_at"]"#.to_owned(), format!(r#""by score": {by_score}"#)]
        );
        assert_eq!(
            tiers("mine").await,
            [format!(r#""score": {by_score}"#)],
            "the order that it had left out"
        );
    })
    .await;
}

#[tokio::test]
async fn only_leads_that_are_ripe_are_ranked_and_the_best_score_comes_first() {
    run(async |app| {
        by_score_alone(app).await;
        happen(
            app,
            &[
                ("demo_requested", "low"),
                ("demo_requested", "high"),
                ("trial_started", "high"),
                ("demo_requested", "middle"),
                ("chat_started", "middle"),
                ("trial_started", "unripe"),
            ],
        )
        .await;

        assert_eq!(ranking(app, "").await, "high middle low");
    })
    .await;
}

#[tokio::test]
async fn of_equal_scores_the_higher_raw_score_comes_first_and_then_who_was_seen_last() {
    run(async |app| {
        by_score_alone(app).await;
        app.events(json!([
            {"type": "identify", "lead": {"user_id": "beyond"},
                "traits": {"title": "CEO", "phone": "+1 555 0100", "company": {"employees": 200, "industry": "software"}}},
            {"type": "identify", "lead": {"user_id": "full"},
                "traits": {"title": "CEO", "phone": "+1 555 0100", "company": {"employees": 200, "industry": "software"}}},
        ]))
        .await;
        happen(app, &[("demo_requested", "first"), ("demo_requested", "second"), ("demo_requested", "third")]).await;
        // Less than half a point, which the published score does not show.
        app.advance(TimeDelta::seconds(1));
        app.events(json!({"type": "email_clicked", "lead": {"user_id": "second"}, "occurred_at": "2025-12-20T09:00:00Z"})).await;

        let rows = app.get(SALES).await.json();

        assert_eq!(ranking(app, "").await, "second third first");
        assert_eq!(rows["data"][0]["score"], rows["data"][2]["score"]);
    })
    .await;
}

#[tokio::test]
async fn a_place_comes_with_what_it_goes_by() {
    run(async |app| {
        happen(app, &[("demo_requested", "ann")]).await;

        let row = app.get(SALES).await.json()["data"][0].clone();

        insta::assert_snapshot!(shown(&row["why"]), @r#"
        [
          "tier asked for sales, 1 of 2",
          "asked for sales 2026-03-02 09:00:01 UTC",
          "score 30 (cold)",
          "raw 30 points",
          "first seen 2026-03-02 09:00:01 UTC",
          "demo or sales asked for +30"
        ]
        "#);
        assert_eq!(row["stage"], "mql");
    })
    .await;
}

#[tokio::test]
async fn pages_of_any_length_hold_everybody_once_in_the_same_order() {
    run(async |app| {
        let events: Vec<Value> = (0..12)
            .map(|n| json!({"type": "demo_requested", "lead": {"user_id": format!("u{n}")}}))
            .collect();
        app.events(json!(events)).await;
        happen(app, &[("trial_started", "u3"), ("chat_started", "u7"), ("trial_started", "u9")]).await;

        let whole = app.get(SALES).await.json();

        for limit in [1, 2, 5, 12] {
            assert_eq!(json!(app.pages(&format!("{SALES}?limit={limit}")).await), whole["data"], "{limit}");
        }
        let ids: std::collections::BTreeSet<_> =
            whole["data"].as_array().unwrap().iter().map(|lead| lead["id"].to_string()).collect();
        assert_eq!((ids.len(), &whole["has_more"]), (12, &json!(false)));
    })
    .await;
}

#[tokio::test]
async fn who_asks_not_to_be_contacted_leaves_at_once_and_is_back_after_asking_for_a_demo() {
    run(async |app| {
        happen(app, &[("demo_requested", "ann"), ("demo_requested", "bob")]).await;
        assert_eq!(ranking(app, "").await, "bob ann");

        happen(app, &[("do_not_contact_requested", "ann")]).await;

        assert_eq!(ranking(app, "").await, "bob");
        assert_eq!(app.lead("ann").await["consent"], json!({"do_not_contact": true, "channels": {}}));

        happen(app, &[("demo_requested", "ann")]).await;

        assert_eq!(ranking(app, "").await, "ann bob", "who asked last is first");
        assert_eq!(app.lead("ann").await["consent"], json!({"do_not_contact": false, "channels": {}}));
    })
    .await;
}

#[tokio::test]
async fn a_lead_merged_into_another_is_ranked_once() {
    run(async |app| {
        app.events(json!([
            {"type": "demo_requested", "lead": {"user_id": "ann"}},
            {"type": "demo_requested", "lead": {"email": "ann@acme.example"}},
        ]))
        .await;
        assert_eq!(app.get(SALES).await.json()["data"].as_array().unwrap().len(), 2);

        app.events(json!({"type": "identify", "lead": {"user_id": "ann", "email": "ann@acme.example"}}))
            .await;

        assert_eq!(ranking(app, "").await, "ann");
    })
    .await;
}

#[tokio::test]
async fn a_queue_that_does_not_exist_is_a_404() {
    run(async |app| {
        for name in ["marketing", "Sales", "sales%2Fleads", "\u{20}"] {
            let answer = app.get(&format!("/v1/queues/{}/leads", name.replace(' ', "%20"))).await;
            assert_eq!((answer.status.as_u16(), answer.problem()), (404, "not_found".to_owned()), "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_parameter_that_cannot_be_meant_is_refused() {
    run(async |app| {
        for query in ["limit=0", "limit=501", "cursor=nonsense", "cursor=", "stage=mql"] {
            let code = if query.starts_with("cursor") { "invalid_cursor" } else { "invalid_parameter" };
            let answer = app.get(&format!("{SALES}?{query}")).await;
            assert_eq!((answer.status.as_u16(), answer.problem()), (400, code.to_owned()), "{query}");
        }
    })
    .await;
}
