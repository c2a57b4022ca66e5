//! Lists of handoffs.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::{
    run,
    sales::{answered, mql, open},
};

#[tokio::test]
async fn handoffs_are_listed_newest_first_and_by_what_they_are() {
    run(async |app| {
        let mut ids = Vec::new();
        for n in 0..5 {
            let lead = mql(app, &format!("u{n}")).await;
            ids.push(open(app, &lead).await["id"].clone());
            app.advance(TimeDelta::seconds(1));
        }
        answered(app, &json!({"id": ids[3]}), "accept", json!({"rep": "ana"})).await;

        let pages: Vec<Value> =
            app.pages("/v1/handoffs?limit=2").await.iter().map(|one| one["id"].clone()).collect();

        assert_eq!(pages, ids.iter().rev().cloned().collect::<Vec<_>>());
        let accepted = app.get("/v1/handoffs?state=accepted").await.json();
        assert_eq!((accepted["data"].as_array().unwrap().len(), &accepted["data"][0]["id"]), (1, &ids[3]));
        assert_eq!(app.get("/v1/handoffs?state=open").await.json()["data"].as_array().unwrap().len(), 4);
        for query in ["state=ajar", "colour=blue", "rep=%00", "limit=0"] {
            assert_eq!(
                app.get(&format!("/v1/handoffs?{query}")).await.problem(),
                "invalid_parameter",
                "{query}"
            );
        }
        assert_eq!(app.get("/v1/handoffs?cursor=x").await.problem(), "invalid_cursor");
    })
    .await;
}
