//! The ranking: who is to be called next, in an order that is the same for everybody.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::{TestApp, run, shown};

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

#[tokio::test]
async fn only_leads_that_are_ripe_are_ranked_and_the_best_score_comes_first() {
    run(async |app| {
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

        assert_eq!(ranking(app, "").await, "bob ann");
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
        for name in ["marketing", "Sales", "%00", "sales%2Fleads", "\u{20}"] {
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
            let answer = app.get(&format!("{SALES}?{query}")).await;
            assert_eq!(
                (answer.status.as_u16(), answer.problem()),
                (400, "invalid_parameter".to_owned()),
                "{query}"
            );
        }
    })
    .await;
}
