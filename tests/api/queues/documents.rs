//! Queues as documents: kept, checked, changed.

use serde_json::{Value, json};

use super::{leads, put, ranked};
use crate::harness::{ADMIN, TestApp, run, shown};

async fn delete(app: &TestApp, name: &str) -> u16 {
    app.call("DELETE", &format!("/v1/queues/{name}"), Some(ADMIN), "").await.status.as_u16()
}

/// Where a document is wrong, and how.
async fn mistakes(app: &TestApp, document: Value) -> Vec<String> {
    let answer = app.call("PUT", "/v1/queues/wrong", Some(ADMIN), document.to_string()).await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (422, "invalid_request".to_owned()), "{document}");
    let problem = answer.json();
    let said = problem["errors"].as_array().unwrap().iter();
    said.map(|error| format!("{} {}", error["pointer"].as_str().unwrap(), error["code"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn every_installation_begins_with_a_queue_for_sales() {
    run(async |app| {
        let queues = app.get("/v1/queues").await.json();

        assert_eq!(queues["data"].as_array().map(Vec::len), Some(1));
        insta::assert_snapshot!(shown(&queues["data"][0]["document"]), @r#"
        {
          "claims": {
            "length": "30m",
            "rest": "1d"
          },
          "description": "Whoever asked for sales first, the newest first; then the best score",
          "filter": {
            "stage": [
              "mql"
            ]
          },
          "tiers": [
            {
              "name": "asked for sales",
              "order": [
                "-hand_raised_at"
              ],
              "when": {
                "is": [
                  "hand_raised"
                ]
              }
            },
            {
              "name": "by score",
              "order": [
                "-score",
                "-raw",
                "-first_seen_at"
              ]
            }
          ],
          "timezone": "UTC"
        }
        "#);
    })
    .await;
}

#[tokio::test]
async fn what_no_lead_can_meet_is_refused() {
    run(async |app| {
        let never = |value: Value| json!({"filter": {"attributes": value}});
        for (document, expected) in [
            (never(json!({"field": "size", "in": []})), "/filter/attributes/in empty"),
            (never(json!({"any": []})), "/filter/attributes/any empty"),
            (
                never(json!({"all": [{"field": "size", "gt": 10}, {"field": "size", "lt": 5}]})),
                "/filter/attributes/all/1 never_met",
            ),
            (
                json!({"filter": {"band": ["hot"]}, "tiers": [{"name": "warm", "when": {"band": ["warm"]}}]}),
                "/tiers/0/when/band never_met",
            ),
            (
                json!({"tiers": [{"name": "leads", "when": {"stage": ["lead"]}}]}),
                "/tiers/0/when/stage never_met",
            ),
            (
                json!({"tiers": [{"name": "all"}, {"name": "hot", "when": {"band": ["hot"]}}]}),
                "/tiers/1 never_met",
            ),
        ] {
            assert_eq!(mistakes(app, document).await, [expected]);
        }
        let twice = r#"{"description": "a", "filter": {"band": ["hot"], "band": ["warm"]}}"#;
        let answer = app.call("PUT", "/v1/queues/wrong", Some(ADMIN), twice).await;
        assert_eq!(answer.json()["errors"][0]["code"], "repeated_key", "{answer:?}");
        assert_eq!(answer.json()["errors"][0]["pointer"], "/filter");
    })
    .await;
}

#[tokio::test]
async fn a_queue_is_made_changed_and_done_away_with() {
    run(async |app| {
        let made = app.call("PUT", "/v1/queues/emea-1", Some(ADMIN), "{}").await;
        assert_eq!(made.status, 201);
        let sales = app.get("/v1/queues/sales").await.json();
        assert_eq!(made.json()["document"]["tiers"], sales["document"]["tiers"], "as `sales` is at first");

        let changed = put(app, "emea-1", json!({"filter": {"band": ["hot"]}})).await;

        let stored = app.get("/v1/queues/emea-1").await.json();
        assert_eq!(
            (&stored, &stored["document"]["filter"]),
            (&changed, &json!({"stage": ["mql"], "band": ["hot"]}))
        );
        let written = put(app, "emea-1", stored["document"].clone()).await;
        assert_eq!(written["document"], stored["document"], "what is read can be written");
        assert_eq!(delete(app, "emea-1").await, 204);
        assert_eq!(app.get("/v1/queues/emea-1").await.problem(), "not_found");
        assert_eq!(delete(app, "emea-1").await, 404);
        for name in ["Sales", "a%00", "-a", &"a".repeat(64)] {
            let unknown = if name == "a%00" { 400 } else { 404 };
            assert_eq!(delete(app, name).await, unknown, "{name}");
            let refused = app.call("PUT", &format!("/v1/queues/{name}"), Some(ADMIN), "{}").await;
            assert_eq!(
                (refused.status.as_u16(), refused.problem()),
                (400, "invalid_parameter".to_owned()),
                "{name}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_queue_that_somebody_else_has_changed_is_not_overwritten() {
    run(async |app| {
        let tag = app.get("/v1/queues/sales").await.headers["etag"].to_str().unwrap().to_owned();
        let change = |tag: String, document: Value| async move {
            let request = axum::http::Request::put("/v1/queues/sales")
                .header("authorization", format!("Bearer {ADMIN}"))
                .header("content-type", "application/json")
                .header("if-match", tag);
            app.send(request.body(document.to_string().into()).unwrap()).await.status.as_u16()
        };

        assert_eq!(change(tag.clone(), json!({"description": "mine"})).await, 200);
        assert_eq!(change(tag, json!({"description": "late"})).await, 412);

        assert_eq!(app.get("/v1/queues/sales").await.json()["document"]["description"], "mine");
    })
    .await;
}

#[tokio::test]
async fn every_mistake_is_named_by_its_place() {
    run(async |app| {
        let found = mistakes(
            app,
            json!({
                "filter": {"band": [], "waiting_longer_than": "3 days"},
                "tiers": [
                    {"name": "a", "when": {"attributes": {"field": "x..y", "eq": 1}}},
                    {"name": "a", "order": ["score", "-score"]},
                    {"name": " ", "order": ["fit", "raw", "engagement", "created_at"]},
                ],
                "claims": {"length": "0m", "rest": "1000d", "most_a_day": 0},
                "timezone": "Berlin",
                "hours": {"open": [{"days": [], "from": "9:00", "to": "25:00"}, {"days": ["mon"], "from": "09:00", "to": "09:00"}],
                    "countries": {"US": "East"}},
            }),
        )
        .await;

        insta::assert_snapshot!(found.join("\n"), @r"
        /filter/band empty
        /filter/waiting_longer_than invalid_duration
        /tiers/0/when/attributes/field invalid_field
        /tiers/1/name invalid_name
        /tiers/1/order invalid_order
        /tiers/2/name invalid_name
        /tiers/2 never_met
        /tiers/2/order invalid_order
        /claims/length invalid_duration
        /claims/rest out_of_range
        /claims/most_a_day out_of_range
        /timezone unknown_timezone
        /hours/open/0/days empty
        /hours/open/0/from invalid_time
        /hours/open/0/to invalid_time
        /hours/open/1/to empty
        /hours/countries/US unknown_timezone
        ");
        assert_eq!(app.get("/v1/queues/wrong").await.status, 404, "nothing was stored");
    })
    .await;
}

#[tokio::test]
async fn what_is_no_queue_at_all_is_refused_by_its_place() {
    run(async |app| {
        for (document, place) in [
            (json!({"colour": 1}), "/colour unknown_field"),
            (json!({"filter": {"stages": ["mql"]}}), "/filter/stages unknown_field"),
            (json!({"filter": {"stage": ["mql", "qualified"]}}), "/filter/stage/1 invalid"),
            (json!({"filter": {"is": ["ripe"]}}), "/filter/is/0 invalid"),
            (json!({"tiers": []}), "/tiers out_of_range"),
            (json!({"tiers": [{"order": ["score"]}]}), "/tiers/0 missing_field"),
            (json!({"tiers": [{"name": "a", "order": ["luck"]}]}), "/tiers/0/order/0 invalid"),
        ] {
            assert_eq!(mistakes(app, document).await, [place]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_cursor_holds_for_the_queue_as_it_was() {
    run(async |app| {
        leads(app, &["a", "b", "c"]).await;
        let page = app.get("/v1/queues/sales/leads?limit=2").await.json();
        let rest = format!("/v1/queues/sales/leads?cursor={}", page["next_cursor"].as_str().unwrap());
        assert_eq!(app.get(&rest).await.json()["data"].as_array().map(Vec::len), Some(1));

        app.advance(chrono::TimeDelta::seconds(1));
        put(app, "sales", json!({"tiers": [{"name": "old", "order": ["created_at"]}]})).await;

        assert_eq!(app.get(&rest).await.problem(), "invalid_parameter");
        assert_eq!(ranked(app, "sales/leads").await, "old:a old:b old:c");
    })
    .await;
}

#[tokio::test]
async fn a_queue_whose_document_is_damaged_is_listed_with_what_is_wrong_and_can_be_replaced() {
    run(async |app| {
        put(app, "calls", json!({})).await;
        let damage = r#"update queue set document = '{"tiers": 7}' where name = 'calls'"#;
        sqlx::query(damage).execute(&mut app.database.connect().await).await.unwrap();

        let listed = app.get("/v1/queues").await;

        assert_eq!(listed.status, 200);
        let queues = listed.json()["data"].clone();
        assert_eq!((&queues[0]["name"], &queues[0]["document"]), (&json!("calls"), &json!({"tiers": 7})));
        let why = queues[0]["unreadable"].as_str().unwrap();
        assert!(why.contains("invalid type"), "{why}");
        assert_eq!((&queues[1]["name"], &queues[1]["unreadable"]), (&json!("sales"), &Value::Null));
        assert_eq!(app.get("/v1/queues/calls").await.json()["unreadable"], why);
        put(app, "calls", json!({})).await;
        assert_eq!(app.get("/v1/queues/calls").await.json()["unreadable"], Value::Null);
    })
    .await;
}
